"""
Refusals in words: one plain sentence each, with what was found.

Names out of certificates are somebody else's text, and are shown so that no terminal obeys them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from xtls.trust.certificates import fingerprint
from xtls.trust.names import PresentedIdentifiers, printable

if TYPE_CHECKING:
    from xtls.trust.verification import Refusal

__all__ = ["UNREADABLE_NAME", "called", "issuerCalled", "sentenceFor", "subjectCalled"]

#: How many names are listed.
_LISTED: Final = 6

#: What the rules of RFC 5280 that are checked on request say (X509_V_ERR_*, openssl/x509_vfy.h).
_STRICT: Final[dict[int, str]] = {
    80: "it limits the length of paths and is no authority",
    81: "it limits the length of paths and its key may not sign certificates",
    82: "its key may sign certificates and it is no authority",
    83: "its issuer has no name",
    84: "an authority has no name",
    85: "it has no authority key identifier",
    86: "it has no subject key identifier",
    87: "its subjectAltName is empty",
    88: "it has no subject, and its subjectAltName is not critical",
    89: "the basic constraints of an authority are not critical",
    90: "its authority key identifier is critical",
    91: "its subject key identifier is critical",
    92: "an authority has no key usage",
    93: "it has extensions and is not of version 3",
}


def _day(moment: datetime) -> str:
    """
    A date as people read it.
    """
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _listed(names: tuple[str, ...]) -> str:
    """
    Some names, and how many more there are.
    """
    shown = [printable(name) for name in names[:_LISTED]]
    more = len(names) - len(shown)
    if more:
        shown.append(f"{more} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


#: What C{cryptography} raises for a distinguished name of which it can make nothing: of strings that are not
#: what they say, and of strings of bits.
UNREADABLE_NAME: Final = (ValueError, TypeError)

#: How something is called then.
_UNCALLED: Final = "(a name that cannot be read)"


def called(name: x509.Name) -> str:
    """
    A distinguished name by its Common Name, or else whole.
    """
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(common[-1].value) if common else name.rfc4514_string()
    return f'"{printable(text)}"' if text else "(no name)"


def subjectCalled(certificate: x509.Certificate) -> str:
    """
    Whom a certificate is for, also when that cannot be read.
    """
    try:
        return called(certificate.subject)
    except UNREADABLE_NAME:
        return _UNCALLED


def issuerCalled(certificate: x509.Certificate) -> str:
    """
    Who signed a certificate, also when that cannot be read.
    """
    try:
        return called(certificate.issuer)
    except UNREADABLE_NAME:
        return _UNCALLED


def _presented(certificate: x509.Certificate) -> PresentedIdentifiers:
    """
    The names of a certificate, or none when they cannot be read.
    """
    try:
        return PresentedIdentifiers.of(certificate)
    except Exception:
        return PresentedIdentifiers()


def _whose(refusal: Refusal, certificate: x509.Certificate) -> str:
    """
    Which certificate it is about.
    """
    if refusal.depth:
        return f"the certificate of the authority {called(certificate.subject)}"
    names = _usable(_presented(certificate))
    if names:
        return f"the certificate for {printable(names[0])}"
    return f"the certificate of {called(certificate.subject)}"


def _usable(presented: PresentedIdentifiers) -> tuple[str, ...]:
    """
    The names and addresses that something may match.
    """
    return (*presented.names, *map(str, presented.addresses))


def _unproven(refusal: Refusal) -> str:
    """
    What a refusal for want of a name begins with.
    """
    return f"the certificate does not say that it is for {printable(refusal.reference)}"


def _expired(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"{_whose(refusal, certificate)} expired on {_day(certificate.not_valid_after_utc)}"


def _notYetValid(refusal: Refusal, certificate: x509.Certificate) -> str:
    begin = _day(certificate.not_valid_before_utc)
    return f"{_whose(refusal, certificate)} is not valid before {begin}: is this machine's clock right?"


def _unknownCA(refusal: Refusal, certificate: x509.Certificate) -> str:
    whose, issuer = _whose(refusal, certificate), called(certificate.issuer)
    if certificate.issuer == certificate.subject:
        whose = "the chain of certificates"
        problem = f"ends at {issuer}, which is not trusted here"
    else:
        problem = (
            f"was issued by {issuer}, which is not trusted here (or a certificate in between is missing)"
        )
    return f"{whose} {problem}"


def _selfSigned(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"{_whose(refusal, certificate)} is self-signed and not trusted here"


def _wrongKey(refusal: Refusal, certificate: x509.Certificate) -> str:
    found = printable(refusal.detail)
    return f"{_whose(refusal, certificate)} does not have the key that is pinned, but {found}"


def _wrongName(refusal: Refusal, certificate: x509.Certificate) -> str:
    presented = _presented(certificate)
    found = _listed(_usable(presented) or presented.commonNames) or "somebody else"
    return f"the certificate is for {found}, not for {printable(refusal.reference)}"


def _noName(refusal: Refusal, certificate: x509.Certificate) -> str:
    presented = _presented(certificate)
    if presented.extension:
        found = "its subjectAltName has neither host names nor addresses"
    elif presented.commonNames:
        found = f'it has no subjectAltName, only the Common Name "{printable(presented.commonNames[-1])}"'
    else:
        found = "it has no subjectAltName"
    return f"{_unproven(refusal)}: {found}"


def _malformedName(refusal: Refusal, certificate: x509.Certificate) -> str:
    malformed = _presented(certificate).malformed
    if refusal.reference in malformed:
        found = "it has that as the name of a host, and not as an address"
    elif malformed:
        found = "it has names that nothing may match: " + _listed(tuple(f'"{name}"' for name in malformed))
    else:
        found = "its names cannot be read"
    return f"{_unproven(refusal)}: {found}"


def _wrongUsage(refusal: Refusal, certificate: x509.Certificate) -> str:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        found = _listed(tuple(_USAGES.get(each, each.dotted_string) for each in usages))
    except Exception:
        found = ""
    only = f": its extended key usage is {found}" if found else ": its key usage does not allow it"
    return f"{_whose(refusal, certificate)} is not meant for {refusal.detail or 'this use'}{only}"


_USAGES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
}


def _notACA(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"the chain of certificates goes through {called(certificate.subject)}, which is no authority"


def _pathLength(refusal: Refusal, certificate: x509.Certificate) -> str:
    subject = called(certificate.subject)
    return f"there are more authorities below {subject} than its certificate allows (pathlen)"


def _nameConstraints(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"{_whose(refusal, certificate)} has names that an authority above it may not certify"


def _revoked(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"{_whose(refusal, certificate)} was revoked by {called(certificate.issuer)}"


def _noRevocationList(refusal: Refusal, certificate: x509.Certificate) -> str:
    issuer = called(certificate.issuer)
    return f"there is no revocation list of {issuer} to check {_whose(refusal, certificate)} with"


def _staleRevocationList(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"the revocation list of {called(certificate.issuer)} is out of date"


def _badRevocationList(refusal: Refusal, certificate: x509.Certificate) -> str:
    issuer = called(certificate.issuer)
    found = _BAD_LISTS.get(refusal.code, "it cannot be used")
    return f"the revocation list of {issuer} proves nothing about {_whose(refusal, certificate)}: {found}"


#: What is wrong with a revocation list (X509_V_ERR_*, openssl/x509_vfy.h).
_BAD_LISTS: Final = {
    5: "its signature cannot be read",
    8: "its signature is not that of its issuer",
    15: "its date cannot be read",
    16: "its next date cannot be read",
    35: "its issuer may not sign revocation lists",
    36: "it has a critical extension that is not known",
}


def _notAllowed(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"{refusal.detail} has a good certificate ({fingerprint(certificate)}), but no rule lets it in"


def _badSignature(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"the signature on {_whose(refusal, certificate)} is not that of {called(certificate.issuer)}"


def _weak(refusal: Refusal, certificate: x509.Certificate) -> str:
    return f"{_whose(refusal, certificate)} has a key or a signature that is too weak"


def _strict(refusal: Refusal, certificate: x509.Certificate) -> str:
    rule = _STRICT.get(refusal.code, f"OpenSSL's verification error {refusal.code}")
    return f"{_whose(refusal, certificate)} does not keep to RFC 5280: {rule}"


#: What is wrong with a certificate besides, as OpenSSL finds it (X509_V_ERR_*, openssl/x509_vfy.h).
_OTHERS: Final[dict[int, str]] = {
    13: "the date from which it is valid cannot be read",
    14: "the date until which it is valid cannot be read",
    34: "it has a critical extension that is not known here",
    41: "an extension of it cannot be read",
    94: "its key is on a curve that is written out and not named, as forgers do",
}


def _other(refusal: Refusal, certificate: x509.Certificate) -> str:
    found = _OTHERS.get(refusal.code, f"OpenSSL's verification error {refusal.code}") if refusal.code else ""
    why = printable(refusal.detail) or found
    return f"{_whose(refusal, certificate)} cannot be verified" + (f": {why}" if why else "")


_Sentence = Callable[["Refusal", x509.Certificate], str]

#: By the name of the reason.
_SENTENCES: Final[dict[str, _Sentence]] = {
    "EXPIRED": _expired,
    "NOT_YET_VALID": _notYetValid,
    "UNKNOWN_CA": _unknownCA,
    "SELF_SIGNED": _selfSigned,
    "WRONG_KEY": _wrongKey,
    "WRONG_NAME": _wrongName,
    "NO_NAME": _noName,
    "MALFORMED_NAME": _malformedName,
    "WRONG_USAGE": _wrongUsage,
    "NOT_A_CA": _notACA,
    "PATH_LENGTH": _pathLength,
    "NAME_CONSTRAINTS": _nameConstraints,
    "REVOKED": _revoked,
    "NO_REVOCATION_LIST": _noRevocationList,
    "STALE_REVOCATION_LIST": _staleRevocationList,
    "BAD_SIGNATURE": _badSignature,
    "WEAK": _weak,
    "STRICT": _strict,
    "BAD_REVOCATION_LIST": _badRevocationList,
    "NOT_ALLOWED": _notAllowed,
}


#: The reasons, by their names, for which somebody may want to compare fingerprints.
_COMPARED: Final = frozenset(("UNKNOWN_CA", "SELF_SIGNED"))


def sentenceFor(refusal: Refusal, *, compared: bool = True) -> str:
    """
    Say in one sentence why a peer is refused.

    @param compared: whether the sentence has the fingerprint of a certificate that might be trusted.
    """
    certificate = refusal.certificate
    if refusal.reason.name == "NO_CERTIFICATE":
        return "no certificate was presented, and one is required"
    if certificate is None:
        detail = printable(refusal.detail) or refusal.reason.value
        return f"the certificate cannot be verified: {detail}"
    try:
        said = _SENTENCES.get(refusal.reason.name, _other)(refusal, certificate)
        if compared and refusal.reason.name in _COMPARED:
            return f"{said}; its fingerprint is {fingerprint(certificate)}"
        return said
    except Exception:
        # damaged so badly that not even its names can be shown
        return f"the certificate cannot be read, and is refused: {refusal.reason.value}"
