"""
What is in a file of certificates, whatever kind it is: PEM with certificates, keys and revocation lists, one
of them in DER, or PKCS #12 (RFC 7292).

For looking, and for giving away what is no secret: who serves or verifies reads files by
L{xtls.trust.certificates} and L{xtls.trust.anchors}.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from xtls.trust.certificates import parseCertificates

__all__ = ["Contents", "isArchive", "readContents"]

_KEY: Final = re.compile(rb"-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_REVOCATIONS: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)

#: How PKCS #12 begins, after the length: with its version, 3 (RFC 7292, section 4).
_ARCHIVE: Final = re.compile(
    rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03\x30", re.DOTALL
)


@dataclass(frozen=True)
class Contents:
    """
    What is in a file.

    @ivar kind: C{PEM}, C{DER} or C{PKCS #12}.
    @ivar certificates: in the order of the file.
    @ivar hasKey: whether there is a private key.
    @ivar publicKey: that of the private key; L{None} when there is none, or it could not be read.
    @ivar encrypted: whether the private key needs a passphrase that was not given.
    @ivar revocations: revocation lists.
    """

    kind: str
    certificates: tuple[x509.Certificate, ...] = ()
    hasKey: bool = False
    publicKey: object | None = field(default=None, repr=False)
    encrypted: bool = False
    revocations: tuple[x509.CertificateRevocationList, ...] = ()


def isArchive(data: bytes) -> bool:
    """
    Whether this is PKCS #12.
    """
    return _ARCHIVE.match(data) is not None


def readContents(data: bytes, password: Callable[[bool], bytes | None]) -> Contents:
    """
    Read a file.

    @param password: says the passphrase, or L{None} when there is none.  It is called only when there is a
        use for one, with whether nothing can be read without.
    @raise ValueError: if nothing in it is a certificate or a revocation list, or something cannot be read.
    """
    if isArchive(data):
        return _readArchive(data, password)
    blocks = _REVOCATIONS.findall(data)
    try:
        revocations = tuple(x509.load_pem_x509_crl(block) for block in blocks)
    except ValueError:
        raise ValueError("a revocation list in it cannot be read") from None
    if data[:1] == b"\x30":
        return _readDER(data)
    certificates = () if revocations and b"CERTIFICATE-----" not in data else parseCertificates(data)
    key = _KEY.search(data)
    if key is None:
        return Contents("PEM", certificates, revocations=revocations)
    public, encrypted = _publicHalf(key[0], password)
    return Contents("PEM", certificates, True, public, encrypted, revocations)


def _readDER(data: bytes) -> Contents:
    """
    Read one certificate or one revocation list.
    """
    try:
        return Contents("DER", revocations=(x509.load_der_x509_crl(data),))
    except ValueError:
        return Contents("DER", parseCertificates(data))


def _publicHalf(block: bytes, password: Callable[[bool], bytes | None]) -> tuple[object | None, bool]:
    """
    The public half of a private key.

    @return: it, or L{None}; and whether that is for want of a passphrase.
    """
    secret = password(False) if b"ENCRYPTED" in block else None
    try:
        return serialization.load_pem_private_key(block, secret).public_key(), False
    except TypeError:
        return None, True
    except (ValueError, UnsupportedAlgorithm):
        wrong = "wrong passphrase, or damaged" if secret else "damaged, or of a kind that is not supported"
        raise ValueError(f"the private key in it cannot be read: {wrong}") from None


def _readArchive(data: bytes, password: Callable[[bool], bytes | None]) -> Contents:
    """
    Read PKCS #12: without a passphrase, if that will do.
    """
    secret = None
    for needed in (False, True):
        secret = password(True) if needed else None
        try:
            found = pkcs12.load_pkcs12(data, secret)
        except (ValueError, UnsupportedAlgorithm):
            continue
        own = [] if found.cert is None else [found.cert]
        certificates = tuple(each.certificate for each in [*own, *found.additional_certs])
        if not certificates:
            raise ValueError("no certificate in it")
        public = None if found.key is None else found.key.public_key()
        return Contents("PKCS #12", certificates, found.key is not None, public)
    why = (
        "wrong passphrase, or damaged"
        if secret is not None
        else "it is encrypted, and no passphrase is given"
    )
    raise ValueError(f"PKCS #12 that cannot be read: {why}")
