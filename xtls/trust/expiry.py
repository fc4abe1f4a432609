"""
When certificates, authorities and revocation lists run out, and how urgent that is.

Nothing happens here: what is served with comes in, and what there is to say goes out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Protocol

from cryptography import x509

from xtls.errors import CertificateFileError
from xtls.trust.anchors import TrustAnchors
from xtls.trust.certificates import loadCertificates
from xtls.trust.names import PresentedIdentifiers, printable
from xtls.trust.particulars import isSelfSigned
from xtls.trust.sentences import called, issuerCalled, subjectCalled

__all__ = ["SOON", "URGENT", "Expiry", "Kind", "Urgency", "expiries"]

#: From when on somebody should know, and from when on it is urgent.
SOON: Final = timedelta(days=30)
URGENT: Final = timedelta(days=7)

#: Revocation lists often last for a week or a day, and then it is time when these parts of it are left.
_SOON_PART: Final = 3
_URGENT_PART: Final = 12

_UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60))


class Kind(Enum):
    """
    What runs out.

    @cvar CERTIFICATE: a certificate that is shown.
    @cvar CHAIN: one that is sent with it.
    @cvar AUTHORITY: one that is believed.
    @cvar REVOCATIONS: a revocation list (RFC 5280, section 5): when the next one is due.
    """

    CERTIFICATE = "certificate"
    CHAIN = "chain"
    AUTHORITY = "authority"
    REVOCATIONS = "revocations"


class Urgency(Enum):
    """
    What there is to do.

    @cvar NONE: nothing yet.
    @cvar SOON: it is time to renew it.
    @cvar URGENT: it is late.
    @cvar EXPIRED: it is too late.
    """

    NONE = "none"
    SOON = "soon"
    URGENT = "urgent"
    EXPIRED = "expired"


_BEGINNINGS: Final = {
    Kind.CERTIFICATE: "the certificate for {name}{place}",
    Kind.CHAIN: "the certificate of the authority {name}, which is sent with our own,",
    Kind.AUTHORITY: "the certificate of the authority {name}, which is believed here,",
    Kind.REVOCATIONS: "the revocation list of {name}",
}

_CONSEQUENCES: Final = {
    Kind.CERTIFICATE: "it is refused then",
    Kind.CHAIN: "ours is refused then",
    Kind.AUTHORITY: "whoever shows a certificate from it is refused then",
    Kind.REVOCATIONS: "whoever shows a certificate from that authority is refused then",
}


@dataclass(frozen=True)
class Expiry:
    """
    The end of something.

    @ivar kind: what it is.
    @ivar name: what it is called; printable.
    @ivar begin: since when it is good.
    @ivar end: until when it is good.
    @ivar renewal: who renews it, in words.
    @ivar path: the file that it was in; empty when that is not known.
    """

    kind: Kind
    name: str
    begin: datetime
    end: datetime
    renewal: str
    path: str = ""

    def urgency(self, now: datetime) -> Urgency:
        """
        What there is to do.
        """
        left = self.end - now
        soon, urgent = SOON, URGENT
        if self.kind is Kind.REVOCATIONS:
            lasts = self.end - self.begin
            soon, urgent = min(SOON, lasts / _SOON_PART), min(URGENT, lasts / _URGENT_PART)
        if left <= timedelta():
            return Urgency.EXPIRED
        if left <= urgent:
            return Urgency.URGENT
        return Urgency.SOON if left <= soon else Urgency.NONE

    def summary(self, now: datetime) -> str:
        """
        What runs out and when, in a few words.
        """
        place = f" in {printable(self.path)}" if self.path else ""
        beginning = _BEGINNINGS[self.kind].format(name=self.name, place=place)
        verb = "runs out" if self.kind is Kind.REVOCATIONS else "expires"
        if self.end <= now:
            verb = "ran out" if self.kind is Kind.REVOCATIONS else "expired"
        return f"{beginning} {verb} on {self.end:%Y-%m-%d %H:%M} UTC, {_distance(self.end - now)}"

    def sentence(self, now: datetime) -> str:
        """
        What runs out and when, what that means, and what renews it.
        """
        consequence = _CONSEQUENCES[self.kind]
        if self.end <= now:
            consequence = consequence.removesuffix(" then")
        return f"{self.summary(now)}; {consequence}; {self.renewal}"


def _distance(left: timedelta) -> str:
    """
    How far away something is.
    """
    seconds = int(abs(left).total_seconds())
    unit, length = next((each for each in _UNITS if seconds >= each[1]), _UNITS[-1])
    count = seconds // length
    words = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {words}" if left > timedelta() else f"{words} ago"


class Holder(Protocol):
    """
    What connections are made by: a
    L{ServerConnectionCreator<xtls.trust.contexts.ServerConnectionCreator>}, or a client's.
    """

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """
        The certificates that are shown.
        """

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """
        Those that are sent with them.
        """

    @property
    def anchors(self) -> TrustAnchors:
        """
        Whom it believes.
        """

    @property
    def files(self) -> tuple[str, ...]:
        """
        What all this was read from.
        """


def expiries(holder: Holder) -> tuple[Expiry, ...]:
    """
    Everything that runs out and that the user has named; the system's CAs are the system's business.

    @return: what ends first first.
    """
    anchors = holder.anchors
    places = _places(holder.files, anchors.files) if holder.certificates else {}
    found = [_ofCertificate(Kind.CERTIFICATE, each, places.get(each, "")) for each in holder.certificates]
    found += [_ofCertificate(Kind.CHAIN, each) for each in holder.chain]
    found += [_ofCertificate(Kind.AUTHORITY, each) for each in anchors.certificates]
    for revocations in anchors.revocations:
        if revocations.next_update_utc is not None:
            found.append(_ofRevocations(revocations, revocations.next_update_utc))
    return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.end, each.name)))


def _places(files: Iterable[str], others: Iterable[str]) -> dict[x509.Certificate, str]:
    """
    The files in which certificates are, as far as they can be read.

    @param others: files that are not looked into.
    """
    found: dict[x509.Certificate, str] = {}
    for path in files:
        if path in others or not os.path.isfile(path):
            continue
        try:
            certificates = loadCertificates(path)
        except CertificateFileError:
            continue  # a key, or a passphrase
        for each in certificates:
            found.setdefault(each, path)
    return found


def _ofCertificate(kind: Kind, certificate: x509.Certificate, path: str = "") -> Expiry:
    """
    The end of a certificate.
    """
    subject, issuer = subjectCalled(certificate), issuerCalled(certificate)
    if isSelfSigned(certificate):
        renewal = f"xtls cert renew {printable(path) or 'FILE'} makes another with the same key"
    else:
        renewal = f"{issuer} has to issue another (xtls cert renew, where that is an authority of yours)"
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    name = _presented(certificate) if kind is Kind.CERTIFICATE else ""
    return Expiry(kind, name or subject, begin, end, renewal, path)


def _presented(certificate: x509.Certificate) -> str:
    """
    The first name that a certificate is for; empty for one that is for none.
    """
    try:
        presented = PresentedIdentifiers.of(certificate)
    except Exception:  # whoever made it was careless, and it is shown all the same
        return ""
    return next((printable(str(each)) for each in (*presented.names, *presented.addresses)), "")


def _ofRevocations(revocations: x509.CertificateRevocationList, end: datetime) -> Expiry:
    """
    The end of a revocation list.
    """
    issuer = called(revocations.issuer)
    renewal = f"{issuer} has to publish another (xtls cert crl, where that is an authority of yours)"
    return Expiry(Kind.REVOCATIONS, issuer, revocations.last_update_utc, end, renewal)
