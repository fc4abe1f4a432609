"""
What a certificate says, in words: its key, signature, usages, constraints, identifiers and times.

Pure, and never at a loss: certificates come from anybody, and what cannot be read is said to be so, while
the rest is still shown.  Texts out of certificates are printable.  What is good or bad about it is for
L{xtls.trust.inspection} to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier, SignatureAlgorithmOID

from xtls.trust.certificates import fingerprint
from xtls.trust.names import printable
from xtls.trust.sentences import UNREADABLE_NAME

__all__ = [
    "UNREADABLE",
    "distance",
    "extensionOf",
    "isAuthority",
    "isSelfSigned",
    "issued",
    "issuerOf",
    "keyKind",
    "names",
    "nameOf",
    "particulars",
    "purposes",
    "subjectOf",
    "usages",
    "validity",
]

_E = TypeVar("_E", bound=x509.ExtensionType)

#: What is said of what cannot be read.
UNREADABLE: Final = "cannot be read"

#: The curves, as people call them.
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

#: Bits of the key usage (RFC 5280, section 4.2.1.3), as cryptography calls them, and what they allow.
_USAGES: Final = {
    "digital_signature": "sign handshakes",
    "content_commitment": "sign documents",
    "key_encipherment": "encrypt keys",
    "data_encipherment": "encrypt data",
    "key_agreement": "agree on keys",
    "key_cert_sign": "sign certificates",
    "crl_sign": "sign revocation lists",
}

#: Extended key usages (section 4.2.1.12), and who they are for.
_PURPOSES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "servers",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clients",
    ExtendedKeyUsageOID.CODE_SIGNING: "signing programs",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "mail",
    ExtendedKeyUsageOID.TIME_STAMPING: "time stamps",
    ExtendedKeyUsageOID.OCSP_SIGNING: "signing OCSP responses",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anything",
}

#: Algorithms of signatures, as people call them.
_SIGNATURES: Final = {
    SignatureAlgorithmOID.RSA_WITH_MD5: "RSA with MD5",
    SignatureAlgorithmOID.RSA_WITH_SHA1: "RSA with SHA-1",
    SignatureAlgorithmOID.RSA_WITH_SHA224: "RSA with SHA-224",
    SignatureAlgorithmOID.RSA_WITH_SHA256: "RSA with SHA-256",
    SignatureAlgorithmOID.RSA_WITH_SHA384: "RSA with SHA-384",
    SignatureAlgorithmOID.RSA_WITH_SHA512: "RSA with SHA-512",
    SignatureAlgorithmOID.RSASSA_PSS: "RSA-PSS",
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: "ECDSA with SHA-1",
    SignatureAlgorithmOID.ECDSA_WITH_SHA224: "ECDSA with SHA-224",
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "ECDSA with SHA-256",
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: "ECDSA with SHA-384",
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "ECDSA with SHA-512",
    SignatureAlgorithmOID.ED25519: "Ed25519",
    SignatureAlgorithmOID.ED448: "Ed448",
}

#: From which distance on times are told in days, and in hours.
_DAYS: Final = timedelta(days=2)
_HOURS: Final = timedelta(hours=2)


#: What reading the extensions of a certificate raises when one is malformed.
_MALFORMED: Final = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


def extensionOf(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    """
    An extension of a certificate; L{None} when it has none, or they cannot be read.
    """
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *_MALFORMED):
        return None


def isAuthority(certificate: x509.Certificate) -> bool:
    """
    Whether it says that it is a CA's (RFC 5280, section 4.2.1.9).
    """
    constraints = extensionOf(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """
    Whether one certificate has the name and the key that another was signed with.

    With SHA-1 and the like signatures are not verified: then the key identifiers decide.
    """
    try:
        if certificate.issuer != issuer.subject:
            return False
    except UNREADABLE_NAME:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (TypeError, InvalidSignature):
        return False
    except (ValueError, UnsupportedAlgorithm):
        signer = extensionOf(certificate, x509.AuthorityKeyIdentifier)
        own = extensionOf(issuer, x509.SubjectKeyIdentifier)
        return signer is None or own is None or signer.key_identifier == own.digest
    return True


def isSelfSigned(certificate: x509.Certificate) -> bool:
    """
    Whether it is signed by its own key.
    """
    return issued(certificate, certificate)


def keyKind(certificate: x509.Certificate) -> str:
    """
    The kind of a certificate's key and its size: C{EC P-256}, C{RSA 2048}.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return UNREADABLE
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return "Ed448" if isinstance(key, ed448.Ed448PublicKey) else "of another kind"


def nameOf(name: x509.Name) -> str:
    """
    A distinguished name, whole and printable.
    """
    return printable(name.rfc4514_string(), 200) or "none"


def subjectOf(certificate: x509.Certificate) -> str:
    """
    Whom it is for.
    """
    try:
        return nameOf(certificate.subject)
    except UNREADABLE_NAME:
        return UNREADABLE


def issuerOf(certificate: x509.Certificate) -> str:
    """
    Who has signed it, as it says itself.
    """
    try:
        return nameOf(certificate.issuer)
    except UNREADABLE_NAME:
        return UNREADABLE


def names(certificate: x509.Certificate) -> tuple[str, ...] | None:
    """
    What is in the subjectAltName, printable; L{None} when it cannot be read.
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except _MALFORMED:
        return None
    return tuple(printable(_general(each)) for each in found)


def _general(name: x509.GeneralName) -> str:
    """
    A general name (RFC 5280, section 4.2.1.6): what is no name of a server is told with its kind.
    """
    if isinstance(name, (x509.DNSName, x509.IPAddress)):
        return str(name.value)
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.DirectoryName):
        return f"name:{nameOf(name.value)}"
    identifier = name.type_id if isinstance(name, x509.OtherName) else name.value
    return f"other:{getattr(identifier, 'dotted_string', UNREADABLE)}"


def usages(certificate: x509.Certificate) -> tuple[str, ...] | None:
    """
    What its key may do; L{None} when nothing is said, which is anything.
    """
    usage = extensionOf(certificate, x509.KeyUsage)
    return None if usage is None else tuple(text for bit, text in _USAGES.items() if getattr(usage, bit))


def purposes(certificate: x509.Certificate) -> tuple[str, ...] | None:
    """
    Whom it is for; L{None} when nothing is said, which is anybody.
    """
    extended = extensionOf(certificate, x509.ExtendedKeyUsage)
    if extended is None:
        return None
    return tuple(_PURPOSES.get(each, _dotted(each)) for each in extended)


def _dotted(identifier: ObjectIdentifier) -> str:
    """
    An object identifier in numbers.
    """
    return identifier.dotted_string


def _signature(certificate: x509.Certificate) -> str:
    """
    How it is signed.
    """
    identifier = certificate.signature_algorithm_oid
    return _SIGNATURES.get(identifier, identifier.dotted_string)


def _constraints(certificate: x509.Certificate) -> str:
    """
    Whether it is a CA, and for how many below it.
    """
    constraints = extensionOf(certificate, x509.BasicConstraints)
    if constraints is None:
        return "not said whether it is a CA"
    if not constraints.ca:
        return "not a CA"
    length = constraints.path_length
    below = "" if length is None else f", with {length or 'no'} other CA{'' if length == 1 else 's'} below it"
    return f"a CA{below}"


def distance(span: timedelta) -> str:
    """
    How far something is away, in words.
    """
    if span >= _DAYS:
        return f"{span.days} days"
    if span >= _HOURS:
        return f"{int(span / timedelta(hours=1))} hours"
    minutes = int(span / timedelta(minutes=1))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def validity(certificate: x509.Certificate, now: datetime) -> str:
    """
    Where in its time a certificate is: C{expires in 12 days}.
    """
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        return f"expired {distance(now - end)} ago"
    if now < begin:
        return f"begins in {distance(begin - now)}"
    return f"expires in {distance(end - now)}"


def _hex(octets: bytes | None) -> str:
    """
    Octets as people compare them.
    """
    return (octets or b"").hex(":").upper()


def particulars(certificate: x509.Certificate, now: datetime) -> Mapping[str, Any]:
    """
    Everything that it says: text, and tuples of text, and L{None} for what it does not have.
    """
    own = extensionOf(certificate, x509.SubjectKeyIdentifier)
    issuers = extensionOf(certificate, x509.AuthorityKeyIdentifier)
    selfSigned = isSelfSigned(certificate)
    return {
        "subject": subjectOf(certificate),
        "issuer": issuerOf(certificate),
        "selfSigned": selfSigned,
        "names": names(certificate),
        "begins": certificate.not_valid_before_utc.isoformat(),
        "ends": certificate.not_valid_after_utc.isoformat(),
        "validity": validity(certificate, now),
        "key": keyKind(certificate),
        "signature": _signature(certificate),
        "constraints": _constraints(certificate),
        "authority": isAuthority(certificate),
        "usages": usages(certificate),
        "purposes": purposes(certificate),
        "subjectKeyIdentifier": _hex(own.digest) if own is not None else None,
        "authorityKeyIdentifier": _hex(issuers.key_identifier) if issuers is not None else None,
        "serial": f"{certificate.serial_number:X}",
        "fingerprint": fingerprint(certificate),
    }
