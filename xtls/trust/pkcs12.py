"""
PKCS #12 (RFC 7292): a certificate and its key in one file under a passphrase, as browsers import them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from xtls.trust.certificates import KeyPair

__all__ = ["newPassphrase", "toPKCS12"]

#: Letters and digits that cannot be taken for one another.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"

#: How often the passphrase is hashed: what NSS, OpenSSL and Windows take without a noticeable delay.
_ROUNDS: Final = 20000


def newPassphrase() -> str:
    """
    Make a passphrase of about 99 bits that can be read out and typed in.
    """
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(5))


def toPKCS12(
    pair: KeyPair,
    name: str,
    passphrase: bytes,
    *,
    above: Sequence[x509.Certificate] = (),
    legacy: bool = False,
) -> bytes:
    """
    Write a certificate, its chain and its key.

    @param name: what an importer calls it.
    @param passphrase: not empty.
    @param above: further certificates for the importer, such as the root's.
    @param legacy: encrypt with 3DES and SHA-1 and not with AES-256 and SHA-256, for importers that know no
        better.
    """
    builder = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_ROUNDS)
    if legacy:
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(
            hashes.SHA1()
        )
    else:
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).hmac_hash(hashes.SHA256())
    others = dict.fromkeys([*pair.chain, *above])
    return pkcs12.serialize_key_and_certificates(
        name.encode("utf-8"), pair.key, pair.certificate, list(others), builder.build(passphrase)
    )
