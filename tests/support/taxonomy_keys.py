"""
Cases of keys: weak, and of unusual kinds.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.der import bitString, integer, oid, sequence, tlv
from tests.support.making import (
    Facts,
    Issuer,
    curveKey,
    extension,
    keyUsage,
    name,
    publicKey,
    rsaKey,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, keyless, middle, root, show
from xtls.trust.verification import Reason

_SIGNATURE = "RFC 5280, 6.1.3"
_STRENGTH = "RFC 9325, 4.1"
_KEY = "RFC 5480"


def _spkiRSA(bits: int) -> bytes:
    """
    An RSA key of which nobody knows the factors.
    """
    modulus = (1 << bits) - 159
    number = bitString(sequence(integer(modulus), integer(65537)))
    return sequence(sequence(oid("1.2.840.113549.1.1.1"), b"\x05\0"), number)


def _keyless(half: Half, spki: bytes, **extensions: Any) -> Presented:
    """
    A certificate with a key that its bearer cannot use.
    """
    return keyless(show(half, facts=Facts(spki=spki), **extensions))


@case(_STRENGTH, Reason.WEAK)
def rsa512(half: Half) -> Presented:
    """
    An RSA key of 512 bits.
    """
    return _keyless(half, _spkiRSA(512))


@case(_STRENGTH, Reason.WEAK)
def rsa1024(half: Half) -> Presented:
    """
    An RSA key of 1024 bits.
    """
    return _keyless(half, _spkiRSA(1024))


@case(_STRENGTH)
def rsa2048(half: Half) -> Presented:
    """
    An RSA key of 2048 bits.
    """
    key = rsaKey()
    return Presented((middle().leaf(key, half.usage), *middle().chain), key, (root().der,))


@case(_STRENGTH, Reason.WEAK)
def authorityWithRSA1024(half: Half) -> Presented:
    """
    An authority with an RSA key of 1024 bits.
    """
    return show(half, root().below("small", key=rsaKey(1024)))


@case(_STRENGTH, Reason.WEAK)
def rootWithRSA1024(half: Half) -> Presented:
    """
    A root with an RSA key of 1024 bits, which is believed.
    """
    issuer = Issuer.root("small", key=rsaKey(1024))
    return show(half, issuer, anchors=(issuer.der,))


@case(_STRENGTH, Reason.WEAK)
def curve192(half: Half) -> Presented:
    """
    A key on P-192.
    """
    return _keyless(half, publicKey(curveKey("leaf", ec.SECP192R1)))


@case(_STRENGTH, Reason.WEAK)
def authorityOnCurve192(half: Half) -> Presented:
    """
    An authority with a key on P-192.
    """
    return show(half, root().below("small", key=curveKey("small", ec.SECP192R1)))


@case(_STRENGTH)
def authorityOnCurve224(half: Half) -> Presented:
    """
    An authority with a key on P-224, which has 112 bits of strength.
    """
    return show(half, root().below("medium", key=curveKey("medium", ec.SECP224R1)))


@case("RFC 8422, 5.1.1")
def authorityOnKoblitz(half: Half) -> Presented:
    """
    An authority with a key on secp256k1.
    """
    return show(half, root().below("koblitz", key=curveKey("koblitz", ec.SECP256K1)))


# unusual ones


@cache
def _ed25519() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


@cache
def _ed448() -> Any:
    return ed448.Ed448PrivateKey.generate()


def _bearing(half: Half, key: Any) -> Presented:
    return Presented((middle().leaf(key, half.usage), *middle().chain), key, (root().der,))


@case("RFC 8410")
def ed25519Key(half: Half) -> Presented:
    """
    A key for Ed25519.
    """
    return _bearing(half, _ed25519())


@case("RFC 8410")
def ed448Key(half: Half) -> Presented:
    """
    A key for Ed448.
    """
    return _bearing(half, _ed448())


@case("RFC 8410")
def authoritiesWithEd(half: Half) -> Presented:
    """
    Authorities with keys for Ed448 and Ed25519.
    """
    return show(half, root().below("448", key=_ed448()).below("25519", key=_ed25519()))


@cache
def _dsa() -> bytes:
    encoded: bytes = (
        dsa.generate_private_key(1024)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return encoded


@case("RFC 9155; RFC 8446, 1.2", Reason.WEAK)
def dsaKey(half: Half) -> Presented:
    """
    A key for DSA, of 1024 bits.
    """
    return _keyless(half, _dsa())


@case("RFC 5280, 4.1.2.7", Reason.WEAK)
def unknownKey(half: Half) -> Presented:
    """
    A key for what nobody knows.
    """
    return _keyless(half, sequence(sequence(oid("1.2.3.4")), bitString(b"key")))


@case(_KEY, Reason.WEAK)
def unknownCurve(half: Half) -> Presented:
    """
    A key on a curve that nobody knows.
    """
    algorithm = sequence(oid("1.2.840.10045.2.1"), oid("1.2.3.4"))
    return _keyless(half, sequence(algorithm, bitString(b"\4" + bytes(64))))


@case(_KEY, Reason.WEAK)
def noPoint(half: Half) -> Presented:
    """
    A key that is no point of its curve.
    """
    algorithm = sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
    return _keyless(half, sequence(algorithm, bitString(b"\4" + b"\1" * 64)))


def _explicit(key: ec.EllipticCurvePrivateKey) -> bytes:
    """
    A key on P-256, with the curve written out: where anybody may choose the base point.
    """
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    b = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")
    base = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    curve = sequence(
        integer(1),
        sequence(oid("1.2.840.10045.1.1"), integer(prime)),
        sequence(tlv(4, (prime - 3).to_bytes(32, "big")), tlv(4, b)),
        tlv(4, base),
        integer(order),
        integer(1),
    )
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return sequence(sequence(oid("1.2.840.10045.2.1"), curve), bitString(point))


@case(_KEY + ", 2.1.1", Reason.OTHER)
def explicitCurve(half: Half) -> Presented:
    """
    An authority with a key on a curve that is written out, as who forges one would (CVE-2020-0601).
    """
    key = curveKey("explicit")
    facts = Facts(subject=name("explicit"), spki=_explicit(key))
    return show(half, root().below("explicit", facts, key=key))


@case(_KEY + ", 2.1.1", Reason.UNKNOWN_CA)
def explicitCurveRoot(half: Half) -> Presented:
    """
    A root of the same name, serial number and key as the believed one's, with the curve written out.
    """
    key = root().key
    forged = Issuer.root(
        "the root", Facts(subject=name("the root"), spki=_explicit(key)), key=curveKey("own")
    )
    return show(half, Issuer(name("the root"), curveKey("own"), forged.der, (forged.der,)))


@case("RFC 5280, 4.2.1.3")
def usageForSigningOnly(half: Half) -> Presented:
    """
    An RSA key that may sign, and not encrypt.
    """
    key = rsaKey()
    usage = extension(keyUsage(digitalSignature=True), True)
    leaf = middle().leaf(key, half.usage, ku=usage)
    return Presented((leaf, *middle().chain), key, (root().der,))
