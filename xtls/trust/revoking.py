"""
Revocation lists (RFC 5280, section 5): what a CA says about certificates that are to be believed no longer.

Pure: L{revocationList} makes one from values.  Entries are never taken out again, and numbers only grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from xtls.trust.certificates import KeyPair
from xtls.trust.issuing import authorityKeyIdentifier, digestFor, timeNow

__all__ = [
    "LIST_DAYS",
    "REASONS",
    "Revocation",
    "listNumber",
    "parseReason",
    "revocationList",
    "revocationsIn",
]

#: How long a list is good for unless something else is said, in days.
LIST_DAYS: Final = 180

#: Why a certificate may be revoked for good (RFC 5280, section 5.3.1).
REASONS: Final[Mapping[str, x509.ReasonFlags]] = {
    each.value: each
    for each in (
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.privilege_withdrawn,
    )
}

#: How far a new list reaches back, for the sake of clocks that are behind.
_BACKDATED: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Revocation:
    """
    One certificate that is revoked.

    @ivar serial: its serial number.
    @ivar when: since when, in whole seconds, UTC.
    @ivar reason: one of L{REASONS}, or empty for none.
    """

    serial: int
    when: datetime
    reason: str = ""


def parseReason(text: str) -> str:
    """
    Read a reason: as RFC 5280 spells it, or in small letters with hyphens between the words.

    @raise ValueError: if it is none.
    """
    for name in REASONS:
        if text.replace("-", "").lower() == name.lower():
            return name
    raise ValueError(f"expected one of {', '.join(REASONS)}")


def revocationList(
    authority: KeyPair,
    revocations: Iterable[Revocation],
    *,
    number: int,
    days: int = LIST_DAYS,
    now: datetime | None = None,
) -> x509.CertificateRevocationList:
    """
    Make a revocation list.

    @param authority: who signs.
    @param number: higher than that of any list before it.
    @param days: for how long it is good; who has no newer one after that believes nothing that the CA issued.
    """
    begin = (now or timeNow()).replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(begin - _BACKDATED)
        .next_update(begin + timedelta(days=days))
        .add_extension(authorityKeyIdentifier(authority.certificate), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for each in sorted(revocations, key=lambda revocation: (revocation.when, revocation.serial)):
        builder = builder.add_revoked_certificate(_entry(each))
    return builder.sign(authority.key, digestFor(authority.key))


def _entry(revocation: Revocation) -> x509.RevokedCertificate:
    """
    An entry of a list.  One without a reason says none, as section 5.3.1 recommends.
    """
    builder = (
        x509.RevokedCertificateBuilder().serial_number(revocation.serial).revocation_date(revocation.when)
    )
    if revocation.reason:
        builder = builder.add_extension(x509.CRLReason(REASONS[revocation.reason]), critical=False)
    return builder.build()


def listNumber(found: x509.CertificateRevocationList) -> int:
    """
    The number of a list; 0 of one that has none.
    """
    try:
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def revocationsIn(found: x509.CertificateRevocationList) -> tuple[Revocation, ...]:
    """
    What a list says.  A reason that is none of ours is left out.
    """
    return tuple(Revocation(each.serial_number, each.revocation_date_utc, _reasonOf(each)) for each in found)


def _reasonOf(entry: x509.RevokedCertificate) -> str:
    """
    The reason of an entry, or nothing.
    """
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return ""
    return flag.value if flag.value in REASONS else ""
