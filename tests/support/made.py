"""
Certificates for tests that only read them, with whatever in them; and some that only others would make.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

#: When the certificates here begin, and a time at which those of 90 days are good.
BEGIN: Final = datetime(2026, 6, 1, tzinfo=timezone.utc)
NOW: Final = BEGIN + timedelta(days=10)

#: The octets of sha256WithRSAEncryption and sha1WithRSAEncryption (RFC 8017, appendix C).
_RSA_SHA256: Final = bytes.fromhex("2a864886f70d01010b")
_RSA_SHA1: Final = bytes.fromhex("2a864886f70d010105")

#: As openssl makes them: signed by itself with SHA-1, a CA without key usage, RSA of 1024 bits.
OLD: Final = x509.load_pem_x509_certificate(b"""\
-----BEGIN CERTIFICATE-----
MIICAjCCAWugAwIBAgIUJvsNaId8cWuG8SoY5pSoioGKzU4wDQYJKoZIhvcNAQEF
BQAwEzERMA8GA1UEAwwIb2xkLnRlc3QwHhcNMjYxMTIzMTkwMjEzWhcNMjkwODE5
MTkwMjEzWjATMREwDwYDVQQDDAhvbGQudGVzdDCBnzANBgkqhkiG9w0BAQEFAAOB
jQAwgYkCgYEAuk4raCxFJXgSaa+EeljgwwFeqiMUE9SFE5EpxUBr8PG3XhJd0/Ma
pDaOE9G6bLDK1++wcypZ35AEySOJnSs9ovwsK9PyQfl+1ZHJn/CJDfFee00KRfRK
a7Pb/nJNFOoQLHFN0TyTqgQFpbykpKom0L+9zgV4DO+BWW/Ox4s4PgECAwEAAaNT
MFEwHQYDVR0OBBYEFAkS4PpKoxIDvXig5IT8W6UqcmNaMB8GA1UdIwQYMBaAFAkS
4PpKoxIDvXig5IT8W6UqcmNaMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQEF
BQADgYEAnRTGL/H458rcDWaJZ5bt32/LGatDlop7kBSsKZxG7hL3nyWFE6Ac2qEX
0wYWOEKKMeoToQhnp9qpmpxwrnrbS7hxKrk/YNMup/QKFcWrnGUadGnITg+EkkOF
hTHEXwnnjzpL51J3BNH+mgkN5IqV1ecNw3AnrjlZbWvBHYwMFBY=
-----END CERTIFICATE-----
""")

#: A list without the time of the next one, which cryptography does not make.
ENDLESS: Final = x509.load_pem_x509_crl(b"""\
-----BEGIN X509 CRL-----
MIGPMDcCAQEwCgYIKoZIzj0EAwIwFzEVMBMGA1UEAwwMYW4gYXV0aG9yaXR5Fw0y
NjA2MDEwMDAwMDBaMAoGCCqGSM49BAMCA0gAMEUCIQCG4bEtO65An11VXlYD989M
vzzHZk5Hl/t9aR/wK2bSUQIgFA2NRH+iVDj0JIccAEvh1p7Y5xW8K4MXjdWw7sif
9u8=
-----END X509 CRL-----
""")

#: Any authority's, to sign what is said to be somebody else's.
SIGNER: Final = ec.generate_private_key(ec.SECP256R1())


def made(
    *extensions: tuple[x509.ExtensionType, bool],
    name: str | None = "a.test",
    issuer: str | None = "an authority",
    key: Any = None,
    days: float = 90,
    signer: Any = SIGNER,
    serial: int = 1,
) -> x509.Certificate:
    """
    A certificate of nothing but what is asked for.

    @param extensions: each with whether it is critical.
    @param days: how long it is valid from L{BEGIN}.
    """
    public = (key or ec.generate_private_key(ec.SECP256R1())).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + timedelta(days=days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    digest = hashes.SHA256() if isinstance(signer, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)) else None
    return builder.sign(signer, digest)


def called(name: str | None) -> x509.Name:
    """
    A distinguished name of one Common Name, or of nothing.
    """
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name is not None else [])


def names(*hosts: str) -> tuple[x509.ExtensionType, bool]:
    """
    A subjectAltName of host names, however they look.
    """
    return x509.SubjectAlternativeName([x509.DNSName(each) for each in hosts]), False


def constraints(ca: bool = True, critical: bool = True) -> tuple[x509.ExtensionType, bool]:
    """
    Basic constraints.
    """
    return x509.BasicConstraints(ca=ca, path_length=None), critical


def purposes(*identifiers: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    """
    Extended key usages.
    """
    return x509.ExtendedKeyUsage(identifiers), False


def usage(*allowed: str) -> tuple[x509.ExtensionType, bool]:
    """
    A key usage of what is allowed, in cryptography's words.
    """
    bits = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{bit: bit in allowed for bit in bits}), True


def changed(certificate: x509.Certificate, changes: Sequence[tuple[bytes, bytes]]) -> x509.Certificate:
    """
    A certificate with other octets in it, of the same number: its signature is wrong.
    """
    data = certificate.public_bytes(Encoding.DER)
    for old, new in changes:
        assert old in data and len(old) == len(new)
        data = data.replace(old, new)
    return x509.load_der_x509_certificate(data)


def withSHA1(signer: rsa.RSAPrivateKey) -> x509.Certificate:
    """
    A server's certificate which says that an RSA key has signed it with SHA-1.
    """
    return changed(made(names("a.test"), signer=signer), [(_RSA_SHA256, _RSA_SHA1)])
