"""
Pins: a server's public key, by its digest.

A pin is the SHA-256 of the key as the certificate has it: of the SubjectPublicKeyInfo in DER (RFC 7469,
section 2.4), as curl's C{--pinnedpubkey} and xtls's C{ssl-pin} take it.  It is not the fingerprint of the
certificate: it stays when the certificate is renewed with the same key.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from xtls.config.values import parsePin

__all__ = ["parsePin", "pinOf", "publicKeyInfo"]

#: The tags (X.690) of what stands in a TBSCertificate before its key (RFC 5280, section 4.1): serial number,
#: signature, issuer, validity, subject.  The version stands before them all, or is left out.
_VERSION: Final = 0xA0
_BEFORE: Final = (0x02, 0x30, 0x30, 0x30, 0x30)
_SEQUENCE: Final = 0x30


def pinOf(certificate: x509.Certificate) -> str:
    """
    The pin of a certificate's key, as L{parsePin} writes it: C{sha256:} and 64 lower-case digits.

    @raise ValueError: if the key cannot be found in it.
    """
    digest = hashes.Hash(hashes.SHA256())
    digest.update(publicKeyInfo(certificate))
    return f"sha256:{digest.finalize().hex()}"


def publicKeyInfo(certificate: x509.Certificate) -> bytes:
    """
    The SubjectPublicKeyInfo of a certificate, octet for octet.

    It is not written anew from the key: there is more than one way to write some keys, and there are keys
    that OpenSSL can use and C{cryptography} cannot read.

    @raise ValueError: if there is none where it belongs.
    """
    tag, _, rest = _element(certificate.tbs_certificate_bytes)
    if tag != _SEQUENCE:
        raise ValueError("the certificate has no contents")
    tag, encoded, _ = _element(rest)
    if tag == _VERSION:
        rest = rest[len(encoded) :]
    for expected in (*_BEFORE, _SEQUENCE):
        tag, encoded, _ = _element(rest)
        if tag != expected:
            raise ValueError("the certificate has no key where it belongs")
        rest = rest[len(encoded) :]
    return encoded


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """
    Read one element of DER, whose tag is one octet.

    @return: its tag, the element whole, and its contents.
    @raise ValueError: if it is cut short.
    """
    if len(data) < 2:
        raise ValueError("the certificate is cut short")
    length, begin = data[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[2:begin], "big")
    if begin + length > len(data):
        raise ValueError("the certificate is cut short")
    return data[0], data[: begin + length], data[begin : begin + length]
