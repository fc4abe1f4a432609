"""
Certificates of people: with whole names, and whatever else a client may have in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair

__all__ = ["nameOf", "person"]

#: One key is as good as another, where nobody compares them.
_KEY = ec.generate_private_key(ec.SECP256R1())


def nameOf(*rdns: str | Sequence[str]) -> x509.Name:
    """
    A distinguished name.

    @param rdns: each C{CN=alice}, taken by the letter; several in one RDN where they are a sequence.
    """
    kinds = {key: oid for oid, key in x509.name._NAMEOID_TO_NAME.items()}
    kinds["emailAddress"] = NameOID.EMAIL_ADDRESS

    def attribute(text: str) -> x509.NameAttribute[str]:
        key, _, value = text.partition("=")
        return x509.NameAttribute(kinds[key], value, _validate=False)

    sequences = ([each] if isinstance(each, str) else each for each in rdns)
    return x509.Name([x509.RelativeDistinguishedName(map(attribute, each)) for each in sequences])


def person(
    authority: Authority, *rdns: str | Sequence[str], san: Sequence[x509.GeneralName] | bytes = ()
) -> KeyPair:
    """
    Issue a certificate for a client.

    @param rdns: its name, as L{nameOf} has it.
    @param san: its subjectAltName, or the octets of one.
    """
    now = datetime.now(timezone.utc).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(nameOf(*rdns))
        .issuer_name(authority.certificate.subject)
        .public_key(_KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    if isinstance(san, bytes):
        oid = x509.SubjectAlternativeName.oid
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, san), critical=False)
    elif san:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    return KeyPair(certificate, _KEY, authority.chain)
