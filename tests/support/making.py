"""
Certificates put together by hand, from parts each of which may be wrong (RFC 5280, section 4.1).

Nothing is checked here: what is asked for is made, and each time the same, but for dates and signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from tests.support.der import bitString, boolean, integer, oid, sequence, tlv, utcTime

__all__ = [
    "PROXY",
    "DAY",
    "ECDSA_SHA1",
    "ECDSA_SHA256",
    "NOW",
    "RSA_MD5",
    "RSA_PSS",
    "RSA_SHA1",
    "RSA_SHA256",
    "Algorithm",
    "Facts",
    "Issuer",
    "curveKey",
    "extension",
    "identifiers",
    "keyUsage",
    "name",
    "publicKey",
    "raw",
    "rsaKey",
    "unnamed",
]

NOW: Final = datetime.now(timezone.utc).replace(microsecond=0)
DAY: Final = timedelta(days=1)

_NULL: Final = b"\x05\0"

_serials: Final = Random(1)


@dataclass(frozen=True)
class Algorithm:
    """
    How something is signed.

    @ivar identifier: the AlgorithmIdentifier.
    @ivar sign: signs octets with a key.
    """

    identifier: bytes
    sign: Callable[[Any, bytes], bytes]


def _rsa(arc: int, digest: hashes.HashAlgorithm) -> Algorithm:
    """
    PKCS #1 v1.5 (RFC 8017, appendix C).
    """
    identifier = sequence(oid(f"1.2.840.113549.1.1.{arc}"), _NULL)
    return Algorithm(identifier, lambda key, data: key.sign(data, padding.PKCS1v15(), digest))


def _pss() -> Algorithm:
    """
    RSASSA-PSS with SHA-256 (RFC 4055, section 3.1).
    """
    sha256 = sequence(oid("2.16.840.1.101.3.4.2.1"), _NULL)
    parameters = sequence(
        tlv(0xA0, sha256), tlv(0xA1, sequence(oid("1.2.840.113549.1.1.8"), sha256)), tlv(0xA2, integer(32))
    )
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return Algorithm(
        sequence(oid("1.2.840.113549.1.1.10"), parameters),
        lambda key, data: key.sign(data, scheme, hashes.SHA256()),
    )


ECDSA_SHA256: Final = Algorithm(
    sequence(oid("1.2.840.10045.4.3.2")), lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA256()))
)
ECDSA_SHA1: Final = Algorithm(
    sequence(oid("1.2.840.10045.4.1")), lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA1()))
)
RSA_SHA256: Final = _rsa(11, hashes.SHA256())
RSA_SHA1: Final = _rsa(5, hashes.SHA1())
RSA_MD5: Final = _rsa(4, hashes.MD5())
RSA_PSS: Final = _pss()
_ED25519: Final = Algorithm(sequence(oid("1.3.101.112")), lambda key, data: key.sign(data))
_ED448: Final = Algorithm(sequence(oid("1.3.101.113")), lambda key, data: key.sign(data))


def _algorithmFor(key: Any) -> Algorithm:
    """
    What a key signs with, unless somebody says otherwise.
    """
    for kind, algorithm in (
        (rsa.RSAPrivateKey, RSA_SHA256),
        (ed25519.Ed25519PrivateKey, _ED25519),
        (ed448.Ed448PrivateKey, _ED448),
    ):
        if isinstance(key, kind):
            return algorithm
    return ECDSA_SHA256


@cache
def curveKey(label: str = "", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """
    The key of that label: the same each time, and a secret of nobody's.
    """
    return ec.derive_private_key(int.from_bytes(sha256(label.encode("utf-8")).digest()[:20], "big"), curve())


@cache
def rsaKey(bits: int = 2048) -> rsa.RSAPrivateKey:
    """
    The RSA key of that length.
    """
    return rsa.generate_private_key(65537, bits)


def publicKey(key: Any) -> bytes:
    """
    A key's SubjectPublicKeyInfo.
    """
    public = getattr(key, "public_key", lambda: key)()
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def name(commonName: str | None, organization: str | None = None) -> bytes:
    """
    A distinguished name.
    """
    attributes = []
    if organization is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    if commonName is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, commonName))
    return x509.Name(attributes).public_bytes()


def raw(dotted: str, value: bytes, critical: bool = False) -> bytes:
    """
    An extension with whatever octets.
    """
    return sequence(oid(dotted), *([boolean(True)] if critical else []), tlv(0x04, value))


def extension(value: x509.ExtensionType, critical: bool = False) -> bytes:
    """
    An extension.
    """
    return raw(value.oid.dotted_string, value.public_bytes(), critical)


def keyUsage(*, digitalSignature: bool = False, certificateSign: bool = False) -> x509.KeyUsage:
    """
    What a key may do: sign handshakes, or sign certificates and revocation lists.
    """
    sign = certificateSign
    return x509.KeyUsage(digitalSignature, False, False, False, False, sign, sign, False, False)


#: The extension of a proxy (RFC 3820, section 3.8), which may do all that its owner may.
PROXY: Final = raw("1.3.6.1.5.5.7.1.14", sequence(sequence(oid("1.3.6.1.5.5.7.21.1"))), True)


def identifiers(key: Any, signer: Any) -> dict[str, bytes]:
    """
    The two extensions that say whose key is whose.
    """
    return {
        "ski": extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key())),
        "aki": extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())),
    }


#: What each part of a certificate looks like, where nothing else is said: L{None} leaves it out.
Extensions = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Facts:
    """
    What a certificate says.

    @ivar subject: its subject, encoded.
    @ivar issuer: who it says signed it, if not who did.
    @ivar begin: from when it is valid: a time, or the encoding of one.
    @ivar end: until when.
    @ivar serial: its serial number, or the octets of one; by default, another each time.
    @ivar version: 0 is version 1, 2 is version 3; L{None} leaves the field out.
    @ivar spki: its SubjectPublicKeyInfo, if not that of its key.
    @ivar algorithm: how it is signed.
    @ivar inner: the AlgorithmIdentifier that is signed, if another.
    @ivar more: extensions that come after the others, twice if they are given twice.
    """

    subject: bytes = field(default_factory=lambda: name("server.test"))
    issuer: bytes | None = None
    begin: datetime | bytes = NOW - DAY
    end: datetime | bytes = NOW + 30 * DAY
    serial: int | bytes | None = None
    version: int | None = 2
    spki: bytes | None = None
    algorithm: Algorithm | None = None
    inner: bytes | None = None
    more: tuple[bytes, ...] = ()


def _time(when: datetime | bytes) -> bytes:
    return when if isinstance(when, bytes) else utcTime(when)


@dataclass(frozen=True)
class Issuer:
    """
    Who signs certificates.

    @ivar name: the distinguished name, encoded.
    @ivar key: the key.
    @ivar der: its own certificate.
    @ivar chain: what is sent after a certificate of this issuer's: its own and those above, but no root.
    """

    name: bytes
    key: Any
    der: bytes = b""
    chain: tuple[bytes, ...] = ()

    def sign(self, key: Any, facts: Facts, extensions: Extensions) -> bytes:
        """
        Make a certificate.

        @param key: whose certificate.
        @param extensions: in their order; those that are L{None} are left out.
        """
        algorithm = facts.algorithm or _algorithmFor(self.key)
        serial = _serials.getrandbits(158) if facts.serial is None else facts.serial
        encoded = [each for each in extensions.values() if each is not None] + list(facts.more)
        tbs = sequence(
            b"" if facts.version is None else tlv(0xA0, integer(facts.version)),
            integer(serial),
            facts.inner or algorithm.identifier,
            self.name if facts.issuer is None else facts.issuer,
            sequence(_time(facts.begin), _time(facts.end)),
            facts.subject,
            facts.spki or publicKey(key),
            tlv(0xA3, sequence(*encoded)) if encoded else b"",
        )
        return sequence(tbs, algorithm.identifier, bitString(algorithm.sign(self.key, tbs)))

    def leaf(
        self, key: Any, usage: ObjectIdentifier, facts: Facts | None = None, **extensions: bytes | None
    ) -> bytes:
        """
        Make an end-entity certificate.

        @param usage: what it is for.
        @param extensions: C{ski}, C{aki}, C{san}, C{bc}, C{ku}, C{eku} and others, if not as they should be.
        """
        usual = {
            **identifiers(key, self.key),
            "san": extension(x509.SubjectAlternativeName([x509.DNSName("server.test")])),
            "bc": extension(x509.BasicConstraints(ca=False, path_length=None), True),
            "ku": extension(keyUsage(digitalSignature=True), True),
            "eku": extension(x509.ExtendedKeyUsage([usage])),
        }
        return self.sign(key, facts or Facts(), {**usual, **extensions})

    def below(
        self,
        called: str,
        facts: Facts | None = None,
        *,
        key: Any = None,
        pathLength: int | None = None,
        **extensions: bytes | None,
    ) -> Issuer:
        """
        Make an authority below this one.
        """
        own = key or curveKey(called)
        facts = facts or Facts(subject=name(called))
        usual = {
            **identifiers(own, self.key),
            "bc": extension(x509.BasicConstraints(ca=True, path_length=pathLength), True),
            "ku": extension(keyUsage(certificateSign=True), True),
        }
        der = self.sign(own, facts, {**usual, **extensions})
        return Issuer(facts.subject, own, der, (der, *self.chain))

    @classmethod
    def root(
        cls,
        called: str,
        facts: Facts | None = None,
        *,
        key: Any = None,
        pathLength: int | None = None,
        **extensions: bytes | None,
    ) -> Issuer:
        """
        Make an authority that nobody signs but itself.
        """
        own = key or curveKey(called)
        facts = facts or Facts(subject=name(called))
        below = cls(facts.subject, own).below(called, facts, key=own, pathLength=pathLength, **extensions)
        return replace(below, chain=())

    def revocations(
        self,
        *revoked: bytes,
        end: datetime | None = None,
        key: Any = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        """
        Make a revocation list in PEM (RFC 5280, section 5).

        @param revoked: certificates.
        @param end: until when it is good.
        @param key: who signs it, if not who should.
        """
        until = end or NOW + 30 * DAY
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(x509.load_der_x509_certificate(self.der).subject)
            .last_update(min(until, NOW) - DAY)
            .next_update(until)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().revocation_date(NOW - timedelta(hours=1))
            serial = x509.load_der_x509_certificate(each).serial_number
            builder = builder.add_revoked_certificate(entry.serial_number(serial).build())
        return builder.sign(key or self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def unnamed() -> x509.Certificate:
    """
    A certificate that signed itself, and whose distinguished name is a string of bits: it can be loaded, and
    what reads the name raises a TypeError.
    """
    bits = sequence(tlv(0x31, sequence(oid("2.5.4.3"), bitString(b"bits"))))
    return x509.load_der_x509_certificate(Issuer.root("nobody", Facts(subject=bits)).der)
