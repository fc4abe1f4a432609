"""
What is good and bad about a certificate: judged from what it says and the time, in sentences, each with what
to do about it.

Pure: values in, L{Finding}s out.  It is an opinion for people, and decides nothing: who is believed is
decided in L{xtls.trust.verification} alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from xtls.trust.names import PresentedIdentifiers, printable
from xtls.trust.particulars import (
    UNREADABLE,
    extensionOf,
    isAuthority,
    isSelfSigned,
    keyKind,
    validity,
)

__all__ = ["URGENT", "WEAK_DIGESTS", "Finding", "Severity", "forServers", "inspect"]


class Severity(Enum):
    """
    How bad it is.

    @cvar ERROR: it is refused, or serves nobody.
    @cvar WARNING: it works here and now, but not everywhere, or not for long, or not for you alone.
    @cvar NOTE: worth knowing; nothing has to be done.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """
    One thing that was found.

    @ivar severity: how bad it is.
    @ivar kind: one word that stays the same, for programs: C{expired}.
    @ivar sentence: what it is, without a full stop.
    @ivar remedy: what to do about it; empty where there is nothing to do.
    """

    severity: Severity
    kind: str
    sentence: str
    remedy: str = ""


#: From when on the end of a certificate is told, and told as urgent.
_SOON: Final = timedelta(days=30)
URGENT: Final = timedelta(days=7)

#: The smallest RSA keys and curves that OpenSSL and browsers take.
_SMALLEST_RSA: Final = 2048
_SMALLEST_CURVE: Final = 256

#: The curves that browsers know.
_BROWSERS_CURVES: Final = frozenset({"secp256r1", "secp384r1"})

#: Digests that signatures must not be made with any more (RFC 9155).
WEAK_DIGESTS: Final = {"md5": "MD5", "sha1": "SHA-1"}

#: The longest that Apple's systems take of a server, whoever has signed.
_LONGEST_ANYWHERE: Final = timedelta(days=825)

#: How long a public CA may make certificates, by the day on which they begin (CA/Browser Forum, SC-081).
_LONGEST_PUBLIC: Final = (
    (datetime(2029, 3, 15, tzinfo=timezone.utc), 47),
    (datetime(2027, 3, 15, tzinfo=timezone.utc), 100),
    (datetime(2026, 3, 15, tzinfo=timezone.utc), 200),
    (datetime(2020, 9, 1, tzinfo=timezone.utc), 398),
)

#: How long somebody else's CA may make them before a word is worth while: the longest that was ever allowed.
_LONGEST_PRIVATE: Final = 398

#: The policies of public CAs for servers (CA/Browser Forum, Baseline Requirements, section 7.1.6.1).
_PUBLIC_POLICIES: Final = "2.23.140.1.2."

#: The longest serial number, in octets (RFC 5280, section 4.1.2.2).
_LONGEST_SERIAL: Final = 20

#: A Common Name that reads as a host's.
_HOST: Final = re.compile(r"localhost|[a-z0-9_*-]+(\.[a-z0-9_-]+)+", re.IGNORECASE | re.ASCII)

_NEW: Final = "make a new one: xtls cert --help says how"


@dataclass(frozen=True)
class _Case:
    """
    What is judged.

    @ivar now: when.
    @ivar authority: whether it is a CA's.
    @ivar serves: whether a server shows it, or it looks as if one were to.
    """

    certificate: x509.Certificate
    now: datetime
    authority: bool
    serves: bool


def inspect(certificate: x509.Certificate, now: datetime, *, served: bool = False) -> list[Finding]:
    """
    Judge one certificate.

    @param now: the time to judge it at, with a time zone.
    @param served: whether a server has shown it as its own; else it depends on what it says for whom it is.
    @return: the worst first.
    """
    authority = isAuthority(certificate)
    serves = served or (_looksServed(certificate) if authority else forServers(certificate))
    case = _Case(certificate, now, authority, serves)
    found = [finding for judge in _JUDGES for finding in judge(case)]
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))


def _error(kind: str, sentence: str, remedy: str = "") -> Finding:
    return Finding(Severity.ERROR, kind, sentence, remedy)


def _warning(kind: str, sentence: str, remedy: str = "") -> Finding:
    return Finding(Severity.WARNING, kind, sentence, remedy)


def _note(kind: str, sentence: str, remedy: str = "") -> Finding:
    return Finding(Severity.NOTE, kind, sentence, remedy)


def _times(case: _Case) -> Iterator[Finding]:
    """
    Whether it is valid now, and for how much longer.
    """
    begin, end = case.certificate.not_valid_before_utc, case.certificate.not_valid_after_utc
    where = validity(case.certificate, case.now)
    renew = "renew it, with the same key: xtls cert renew FILE; or have whoever issued it make a new one"
    if end < begin:
        yield _error("never-valid", "it ends before it begins", _NEW)
    elif case.now > end:
        yield _error("expired", f"it {where}", renew)
    elif case.now < begin:
        remedy = "wait until then, or set the clock right: this machine's, or that of whoever made it"
        yield _error("not-yet-valid", f"it is not valid yet: it {where}", remedy)
    elif end - case.now <= _SOON:
        urgent = ", very soon" if end - case.now <= URGENT else ""
        yield _warning("expires-soon", f"it {where}{urgent}", renew)


def _lifetime(case: _Case) -> Iterator[Finding]:
    """
    Whether a server's certificate is valid for longer than browsers take.
    """
    begin, end = case.certificate.not_valid_before_utc, case.certificate.not_valid_after_utc
    if not case.serves:
        return
    days = (end - begin).days
    if end - begin > _LONGEST_ANYWHERE:
        remedy = "make one for a year, and renew it with the same key: xtls cert renew FILE"
        sentence = f"it is valid for {days} days, and Apple's systems take {_LONGEST_ANYWHERE.days} at most"
        yield _warning("long-lived", sentence, remedy)
        return
    allowed = next((longest for since, longest in _LONGEST_PUBLIC if begin >= since), days)
    public = _isPublic(case.certificate)
    if days > (allowed if public else _LONGEST_PRIVATE) and not isSelfSigned(case.certificate):
        sentence = f"it is valid for {days} days: browsers take {allowed} at most of a public CA"
        if public:
            yield _warning("long-lived", sentence, "have its CA make a new one, for as long as it may")
        else:
            yield _note("long-lived", sentence, "nothing, where the CA is your own")


def _isPublic(certificate: x509.Certificate) -> bool:
    """
    Whether it says that it is from a CA that everybody has: by the policies for such, or by logs of them.
    """
    logged = extensionOf(certificate, x509.PrecertificateSignedCertificateTimestamps) is not None
    policies = extensionOf(certificate, x509.CertificatePolicies) or ()
    return logged or any(
        each.policy_identifier.dotted_string.startswith(_PUBLIC_POLICIES) for each in policies
    )


def forServers(certificate: x509.Certificate) -> bool:
    """
    Whether it may be a server's.
    """
    extended = extensionOf(certificate, x509.ExtendedKeyUsage)
    return extended is None or bool(
        {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(extended)
    )


def _looksServed(certificate: x509.Certificate) -> bool:
    """
    Whether a CA's certificate looks as if a server had it too: C{openssl req -x509} makes such ones.
    """
    extended = extensionOf(certificate, x509.ExtendedKeyUsage)
    try:
        presented = PresentedIdentifiers.of(certificate)
    except ValueError:
        return False
    names = presented.commonNames if presented.hasCommonName else ()
    return bool(
        (extended is not None and ExtendedKeyUsageOID.SERVER_AUTH in set(extended))
        or presented.names
        or presented.addresses
        or any(_HOST.fullmatch(name) for name in names)
    )


def _names(case: _Case) -> Iterator[Finding]:
    """
    Whether it has names that a server can be verified by (RFC 9525).
    """
    try:
        presented = PresentedIdentifiers.of(case.certificate)
    except ValueError:
        yield _error("malformed", "its extensions cannot be read, so nobody takes it", _NEW)
        return
    for each in presented.malformed:
        yield _warning("bad-name", f"no server can have the name {printable(each)!r} that is in it", _NEW)
    if not case.serves:
        return
    if presented.extension:
        if not (presented.names or presented.addresses):
            remedy = "make one with --name=HOST"
            yield _error("no-name", "it has neither a host name nor an address for a server", remedy)
        return
    remedy = "make one with names: --name=HOST of xtls cert, or subjectAltName=DNS:HOST of openssl"
    sentence = "it has no subjectAltName: browsers refuse it"
    if presented.hasCommonName:
        sentence += ", and xtls takes its Common Name only where you name the CA yourself"
    yield _warning("no-san", sentence, remedy)


def _signature(case: _Case) -> Iterator[Finding]:
    """
    Whether its signature can be forged.
    """
    try:
        digest = case.certificate.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        yield _warning("unknown-signature", "it is signed in a way that is not known here", _NEW)
        return
    weak = WEAK_DIGESTS.get(digest.name) if digest is not None else None
    if weak is None:
        return
    if isSelfSigned(case.certificate):
        yield _note("weak-signature", f"it is signed with {weak}, but by itself, which nobody verifies")
    else:
        yield _error("weak-signature", f"it is signed with {weak}, which can be forged", _NEW)


def _key(case: _Case) -> Iterator[Finding]:
    """
    Whether its key is long enough, and of a kind that others know.
    """
    try:
        key = case.certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield _error("unreadable-key", f"its key {UNREADABLE}, or is of a kind that nobody knows", _NEW)
        return
    kind = keyKind(case.certificate)
    remedy = "make one with a key on P-256, or RSA of 2048 bits or more"
    if isinstance(key, dsa.DSAPublicKey):
        yield _error("weak-key", f"its key is {kind}: nothing speaks TLS with DSA any more", remedy)
    elif isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _SMALLEST_RSA:
            yield _error("weak-key", f"its key is {kind}, too small: {_SMALLEST_RSA} is the least", remedy)
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _BROWSERS_CURVES:
        if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _SMALLEST_CURVE:
            yield _error("weak-key", f"its key is {kind}, too small: P-256 is the least", remedy)
        else:
            yield _note("uncommon-key", f"its key is {kind}, which browsers do not know", remedy)


def _authority(case: _Case) -> Iterator[Finding]:
    """
    Whether a CA may do what a CA does, and nothing else.
    """
    if not case.authority:
        return
    usage = extensionOf(case.certificate, x509.KeyUsage)
    remedy = "make a CA that may: xtls cert ca"
    if usage is not None and not usage.key_cert_sign:
        yield _error("ca-cannot-sign", "it is a CA's, and its key may not sign certificates", remedy)
    if case.serves:
        sentence = "it is a CA's and a server's at once: whoever gets the server's key can sign for anybody"
        remedy = "make one that is a server's alone: xtls cert self-signed; or a CA beside it: xtls cert ca"
        yield _warning("ca-as-server", sentence, remedy)
    yield from _strict(case.certificate, usage)


def _strict(certificate: x509.Certificate, usage: x509.KeyUsage | None) -> Iterator[Finding]:
    """
    What X509_STRICT asks of CAs besides (RFC 5280, section 4.2.1).
    """
    missing = []
    if usage is None:
        missing.append("no key usage")
    if extensionOf(certificate, x509.SubjectKeyIdentifier) is None:
        missing.append("no subject key identifier")
    if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).critical:
        missing.append("basic constraints that are not critical")
    if missing:
        sentence = f"it has {' and '.join(missing)}, which X509_STRICT and newer programs refuse in a CA"
        yield _note("not-strict", sentence, "make one that is taken everywhere: xtls cert ca")


def _leaf(case: _Case) -> Iterator[Finding]:
    """
    Whether the key of a server or client may do what TLS 1.3 has it do.
    """
    usage = extensionOf(case.certificate, x509.KeyUsage)
    if usage is not None and not usage.digital_signature and (case.serves or not case.authority):
        sentence = (
            "its key may not sign handshakes (no digitalSignature in its key usage): TLS 1.3 needs that"
        )
        yield _error("cannot-sign-handshakes", sentence, _NEW)
    extended = extensionOf(case.certificate, x509.ExtendedKeyUsage)
    if extended is None or case.authority or forServers(case.certificate):
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in set(extended):
        yield _error("wrong-purpose", "it is for neither servers nor clients", _NEW)
    elif case.serves:
        yield _error("wrong-purpose", "it is for clients, and a server shows it", _NEW)


def _form(case: _Case) -> Iterator[Finding]:
    """
    Whether it is made as RFC 5280 says.
    """
    if case.certificate.version is not x509.Version.v3:
        yield _warning("old-version", "it is of version 1, which cannot say what it is for", _NEW)
    if not 0 < case.certificate.serial_number < 1 << (8 * _LONGEST_SERIAL - 1):
        yield _note("odd-serial", "its serial number is not a positive one of at most 20 octets", _NEW)
    try:
        unknown = [
            each.oid.dotted_string
            for each in case.certificate.extensions
            if each.critical and isinstance(each.value, x509.UnrecognizedExtension)
        ]
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return  # told among the names
    for dotted in unknown:
        sentence = f"it has a critical extension, {dotted}, that is not known: it is refused"
        yield _error("unknown-extension", sentence, _NEW)


_JUDGES: Final[tuple[Callable[[_Case], Iterator[Finding]], ...]] = (
    _times,
    _names,
    _signature,
    _key,
    _authority,
    _leaf,
    _form,
    _lifetime,
)
