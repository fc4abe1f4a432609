"""
Renewing certificates: the same key, names and uses, with new dates and a new serial number.

The key stays, so that what was pinned or remembered stays true.  What other tools have left out, so that
OpenSSL's X509_STRICT would refuse the certificate, is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from xtls.trust.alternatives import generalName
from xtls.trust.certificates import KeyPair, PrivateKey
from xtls.trust.issuing import PublicKey, Template, keyUsage, sign

__all__ = ["isAuthority", "isIssuedBy", "renewed"]

#: What says whose key it is and whose signs it, which is said anew; and what is true of the old one only.
_ANEW = (
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS,
    ExtensionOID.SIGNED_CERTIFICATE_TIMESTAMPS,
)


def isAuthority(certificate: x509.Certificate) -> bool:
    """
    Whether a certificate says that it is a CA's.
    """
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.DuplicateExtension, x509.ExtensionNotFound):
        return False


def isIssuedBy(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """
    Whether a CA has signed a certificate; or it has signed itself, when the two are one.
    """
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def renewed(
    old: x509.Certificate, issuer: KeyPair | PrivateKey, *, days: int, now: datetime | None = None
) -> x509.Certificate:
    """
    Make a certificate anew.

    @param issuer: the CA that has issued it, or its own key when it has signed itself.
    @param days: how long it is valid from now; no longer than the CA.
    @raise ValueError: if it cannot be read, or the CA has expired.
    """
    try:
        template = Template(old.subject, tuple(_extensions(old)))
    except x509.DuplicateExtension as e:
        raise ValueError(str(e)) from None
    public = old.public_key()
    if not isinstance(public, get_args(PublicKey)):
        raise ValueError("its key is of a kind that is not supported: expected EC, RSA or EdDSA")
    return sign(template, public, issuer, days=days, now=now)


def _extensions(old: x509.Certificate) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """
    What a certificate says, and what it should.

    One that says that it is a CA's and not what its key is for may be a server's all the same: C{openssl req}
    makes such.
    """
    kept = [each for each in old.extensions if each.oid not in _ANEW]
    authority = isAuthority(old)
    said = {each.oid for each in kept}
    for each in kept:
        yield each.value, each.critical or each.oid == ExtensionOID.BASIC_CONSTRAINTS
    if ExtensionOID.BASIC_CONSTRAINTS not in said:
        yield x509.BasicConstraints(ca=False, path_length=None), True
    if ExtensionOID.KEY_USAGE not in said:
        yield keyUsage(digitalSignature=True, certificateSign=authority), True
    if not authority and ExtensionOID.EXTENDED_KEY_USAGE not in said:
        yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
    leaf = not authority or ExtensionOID.KEY_USAGE not in said
    if leaf and ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in said:
        names = list(_names(old))
        if names:
            yield x509.SubjectAlternativeName(names), False


def _names(old: x509.Certificate) -> Iterator[x509.GeneralName]:
    """
    The names of a server that are in its Common Name, where they were before there was a subjectAltName.
    """
    for each in old.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        try:
            yield generalName(str(each.value))
        except ValueError:
            continue
