"""
Cases of signatures: forged, weak, and unusual.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tests.support.der import children, integer, oid, sequence
from tests.support.making import (
    ECDSA_SHA1,
    ECDSA_SHA256,
    RSA_MD5,
    RSA_PSS,
    RSA_SHA1,
    RSA_SHA256,
    Algorithm,
    Facts,
    Issuer,
    curveKey,
    name,
    rsaKey,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, middle, root, show
from xtls.trust.verification import Reason

_SIGNATURE = "RFC 5280, 6.1.3"
_STRENGTH = "RFC 9325, 4.1"
_KEY = "RFC 5480"


def _damaged(der: bytes) -> bytes:
    """
    A certificate whose signature has one bit that is wrong.
    """
    return der[:-1] + bytes([der[-1] ^ 1])


def _changed(der: bytes) -> bytes:
    """
    A certificate in which something was changed after it was signed: its serial number.
    """
    at = der.index(b"\xa0\x03\x02\x01\x02") + 12
    return der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]


@case(_SIGNATURE, Reason.BAD_SIGNATURE)
def badSignature(half: Half) -> Presented:
    """
    A signature with one bit that is wrong.
    """
    shown = show(half)
    return replace(shown, certificates=(_damaged(shown.certificates[0]), *shown.certificates[1:]))


@case(_SIGNATURE, Reason.BAD_SIGNATURE)
def badSignatureAbove(half: Half) -> Presented:
    """
    The same in the certificate of the authority above.
    """
    shown = show(half)
    own, *others = shown.certificates
    return replace(shown, certificates=(own, *(_damaged(each) for each in others)))


@case(_SIGNATURE, Reason.BAD_SIGNATURE)
def changed(half: Half) -> Presented:
    """
    Another serial number than the one that was signed.
    """
    shown = show(half)
    return replace(shown, certificates=(_changed(shown.certificates[0]), *shown.certificates[1:]))


@case(_SIGNATURE, Reason.BAD_SIGNATURE)
def noSignature(half: Half) -> Presented:
    """
    A signature of no octets.
    """
    return show(half, facts=Facts(algorithm=Algorithm(ECDSA_SHA256.identifier, lambda key, data: b"")))


@case(_SIGNATURE, Reason.BAD_SIGNATURE)
def zeroSignature(half: Half) -> Presented:
    """
    A signature of two zeros, which no sum should satisfy.
    """
    zeros = Algorithm(ECDSA_SHA256.identifier, lambda key, data: sequence(integer(0), integer(0)))
    return show(half, facts=Facts(algorithm=zeros))


@case(_SIGNATURE, Reason.BAD_SIGNATURE)
def signatureForAnother(half: Half) -> Presented:
    """
    The signature of another certificate of the same authority's.
    """
    other = middle().leaf(curveKey("leaf"), half.usage)
    signature = children(other)[2][3:]
    forged = Algorithm(ECDSA_SHA256.identifier, lambda key, data: signature)
    return show(half, facts=Facts(algorithm=forged))


@case("RFC 5280, 4.1.1.2", Reason.BAD_SIGNATURE)
def twoAlgorithms(half: Half) -> Presented:
    """
    Says on the outside that it was signed in another way than on the inside.
    """
    return show(half, facts=Facts(inner=sequence(oid("1.2.840.10045.4.3.3"))))


@case("RFC 5280, 4.1.1.2", Reason.UNKNOWN_CA)
def otherKindOfKey(half: Half) -> Presented:
    """
    Says that it was signed with RSA, by an authority whose key is on a curve.
    """
    other = Algorithm(RSA_SHA256.identifier, ECDSA_SHA256.sign)
    return show(half, facts=Facts(algorithm=other))


@case(_SIGNATURE, Reason.UNKNOWN_CA)
def unknownAlgorithm(half: Half) -> Presented:
    """
    Signed in a way that nobody knows.
    """
    return show(half, facts=Facts(algorithm=Algorithm(sequence(oid("1.2.3.4")), ECDSA_SHA256.sign)))


# weak ones


@cache
def _rsaRoot() -> Issuer:
    return Issuer.root("an RSA root", key=rsaKey())


def _byRSA(half: Half, algorithm: Algorithm) -> Presented:
    return show(half, _rsaRoot(), Facts(algorithm=algorithm), anchors=(_rsaRoot().der,))


@case(_STRENGTH)
def signedByRSA(half: Half) -> Presented:
    """
    Signed with RSA of 2048 bits and SHA-256.
    """
    return _byRSA(half, RSA_SHA256)


@case("RFC 4055, 3")
def signedByPSS(half: Half) -> Presented:
    """
    Signed with RSASSA-PSS.
    """
    return _byRSA(half, RSA_PSS)


@case("RFC 6194; RFC 9155", Reason.WEAK)
def signedWithSHA1(half: Half) -> Presented:
    """
    Signed with RSA and SHA-1.
    """
    return _byRSA(half, RSA_SHA1)


@case("RFC 6194; RFC 9155", Reason.WEAK)
def curveAndSHA1(half: Half) -> Presented:
    """
    Signed with ECDSA and SHA-1.
    """
    return show(half, facts=Facts(algorithm=ECDSA_SHA1))


@case("RFC 6151", Reason.WEAK)
def signedWithMD5(half: Half) -> Presented:
    """
    Signed with RSA and MD5.
    """
    return _byRSA(half, RSA_MD5)


@case("RFC 6194", Reason.WEAK)
def authorityWithSHA1(half: Half) -> Presented:
    """
    An authority whose certificate is signed with SHA-1.
    """
    facts = Facts(subject=name("weak"), algorithm=ECDSA_SHA1)
    return show(half, root().below("weak", facts))


@case("RFC 5280, 6.1.1")
def rootWithSHA1(half: Half) -> Presented:
    """
    A root that is believed and has signed itself with SHA-1, which nobody looks at.
    """
    issuer = Issuer.root("an old root", Facts(subject=name("an old root"), algorithm=ECDSA_SHA1))
    return show(half, issuer.below("below it"), anchors=(issuer.der,))


@case(_SIGNATURE)
def rootBadlySigned(half: Half) -> Presented:
    """
    A root that is believed and whose signature is wrong, which nobody looks at.
    """
    issuer = Issuer.root("a damaged root")
    return show(half, issuer, anchors=(_damaged(issuer.der),))
