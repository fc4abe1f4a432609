"""
Cases of chains: who signs for whom, and in which order that is shown.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.der import sequence
from tests.support.making import (
    DAY,
    NOW,
    Facts,
    Issuer,
    curveKey,
    extension,
    identifiers,
    name,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, middle, names, root, show
from xtls.trust.verification import Reason

_PATH = "RFC 5280, 6.1"
_DATES = "RFC 5280, 4.1.2.5"
_USAGE = "RFC 5280, 4.2.1.12"
_BASIC = "RFC 5280, 4.2.1.9"
_KEY_USAGE = "RFC 5280, 4.2.1.3"
_WHOLE = "a certificate whose extensions cannot be read as a whole proves nothing"


@case(_PATH)
def byTheRoot(half: Half) -> Presented:
    """
    A certificate that the root signed itself.
    """
    return show(half, root())


@case(_PATH)
def threeAbove(half: Half) -> Presented:
    """
    Three authorities above it, below the root.
    """
    return show(half, middle().below("second").below("third"))


@case("RFC 8446, 4.4.2")
def wrongOrder(half: Half) -> Presented:
    """
    The authorities in the wrong order.
    """
    issuer = middle().below("second").below("third")
    return show(half, issuer, chain=tuple(reversed(issuer.chain)))


@case("RFC 8446, 4.4.2")
def superfluous(half: Half) -> Presented:
    """
    Certificates that have nothing to do with it, and one of them twice.
    """
    stranger = Issuer.root("a stranger")
    chain = (stranger.der, *middle().chain, stranger.below("another").der, stranger.der)
    return show(half, chain=chain)


@case("RFC 8446, 4.4.2")
def rootShown(half: Half) -> Presented:
    """
    The root shown too.
    """
    return show(half, chain=(*middle().chain, root().der))


@case(_PATH, Reason.UNKNOWN_CA)
def missingIntermediate(half: Half) -> Presented:
    """
    The authority that signed it not shown.
    """
    return show(half, chain=())


@case(_PATH, Reason.UNKNOWN_CA)
def missingInBetween(half: Half) -> Presented:
    """
    One of two authorities not shown.
    """
    issuer = middle().below("second")
    return show(half, issuer, chain=issuer.chain[:1])


@case(_PATH, Reason.UNKNOWN_CA)
def unknownRoot(half: Half) -> Presented:
    """
    A root that is not believed, shown.
    """
    stranger = Issuer.root("a stranger")
    issuer = stranger.below("below a stranger")
    return show(half, issuer, chain=(*issuer.chain, stranger.der))


@case(_PATH, Reason.UNKNOWN_CA)
def rootOfTheSameName(half: Half) -> Presented:
    """
    A root with the name of one that is believed, and another key.
    """
    stranger = Issuer.root("the root", key=curveKey("not the root"))
    return show(half, stranger, chain=(stranger.der,))


@case(_PATH, Reason.BAD_SIGNATURE)
def rootOfTheSameIdentifier(half: Half) -> Presented:
    """
    A root with the name and the key identifiers of one that is believed, and another key.
    """
    real = root()
    forger = Issuer(real.name, curveKey("not the root"))
    pretended = identifiers(curveKey("leaf"), real.key)
    return show(half, forger, aki=pretended["aki"])


@case(_PATH, Reason.SELF_SIGNED)
def selfSigned(half: Half) -> Presented:
    """
    Signed by its own key.
    """
    own = Issuer(name("server.test"), curveKey("leaf"))
    return show(half, own, chain=())


@case(_PATH)
def selfSignedGiven(half: Half) -> Presented:
    """
    Signed by its own key, and the very certificate is believed.
    """
    own = Issuer(name("server.test"), curveKey("leaf"))
    shown = show(half, own, chain=())
    return replace(shown, anchors=shown.certificates)


@case(_PATH, Reason.SELF_SIGNED)
def selfSignedTwin(half: Half) -> Presented:
    """
    Signed by its own key, where a certificate of the same name and another key is believed.
    """
    believed = Issuer(name("server.test"), curveKey("another")).leaf(curveKey("another"), half.usage)
    own = Issuer(name("server.test"), curveKey("leaf"))
    return show(half, own, chain=(), anchors=(believed,))


@case(_PATH)
def intermediateGiven(half: Half) -> Presented:
    """
    An authority below a root is believed, and the root is not.
    """
    return show(half, anchors=(middle().der,))


@case(_PATH, Reason.NOT_A_CA)
def leafGiven(half: Half) -> Presented:
    """
    A certificate that is no authority's is believed, and signs another.
    """
    believed = root().leaf(curveKey("believed"), half.usage, Facts(subject=name("believed")))
    issuer = Issuer(name("believed"), curveKey("believed"), believed)
    return show(half, issuer, anchors=(believed,))


@case(_PATH)
def crossSigned(half: Half) -> Presented:
    """
    An authority that two roots have signed, of which one is believed; what that one signed is shown first.
    """
    other = Issuer.root("a stranger").below("in the middle", key=curveKey("in the middle"))
    return show(half, chain=(*middle().chain, other.der))


@case(_PATH, Reason.UNKNOWN_CA)
def crossSignedOther(half: Half) -> Presented:
    """
    The same, with the other path first and whole: OpenSSL goes it, and does not turn back.
    """
    stranger = Issuer.root("a stranger")
    other = stranger.below("in the middle", key=curveKey("in the middle"))
    return show(half, chain=(other.der, *middle().chain, stranger.der))


@case(_PATH)
def crossSignedExpired(half: Half) -> Presented:
    """
    An authority that was signed twice: the certificate that has expired is shown first.
    """
    facts = Facts(subject=name("in the middle"), begin=NOW - 9 * DAY, end=NOW - DAY)
    old = root().below("in the middle", facts, key=curveKey("in the middle"))
    return show(half, chain=(old.der, *middle().chain))


@case(_PATH)
def oldRoot(half: Half) -> Presented:
    """
    A root that an old one, which has expired, has signed too; what the old one signed is shown, and the new
    one is believed.
    """
    old = Issuer.root("the old root", Facts(subject=name("the old root"), end=NOW - DAY, begin=NOW - 9 * DAY))
    cross = old.below("the root", key=root().key)
    return show(half, chain=(*middle().chain, cross.der, old.der))


@case(_PATH, Reason.UNKNOWN_CA)
def loop(half: Half) -> Presented:
    """
    Two authorities that have signed each other, and lead to nobody.
    """
    one = Issuer(name("one"), curveKey("one"))
    two = one.below("two")
    back = Issuer(name("two"), curveKey("two")).below("one")
    return show(half, back, chain=(back.der, two.der, back.der, two.der))


@case(_PATH)
def loopBesides(half: Half) -> Presented:
    """
    Authorities that have signed each other, beside a path that leads to the root.
    """
    key = curveKey("in the middle")
    other = Issuer(name("in the middle"), key).below("other")
    back = other.below("in the middle", key=key)
    return show(half, chain=(back.der, other.der, *middle().chain))


@case(_PATH, Reason.PATH_LENGTH)
def endless(half: Half) -> Presented:
    """
    A hundred and twenty authorities, each below the one before.
    """
    issuer = root()
    for number in range(120):
        issuer = issuer.below(f"number {number}", key=curveKey("number"))
    return show(half, issuer)


# whose key is whose


@case("RFC 5280, 4.2.1.1", Reason.UNKNOWN_CA)
def otherKeyIdentifier(half: Half) -> Presented:
    """
    Says that another key of its authority signed it.
    """
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(curveKey("another").public_key())
    return show(half, aki=extension(other))


@case("RFC 5280, 4.2.1.1", Reason.UNKNOWN_CA)
def otherSerialOfTheIssuer(half: Half) -> Presented:
    """
    Says that another certificate of its authority's signed it.
    """
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the root")])
    identifier = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(issuer)], 12345)
    return show(half, aki=extension(identifier))


@case("RFC 5280, 4.2.1.1", strict=Reason.STRICT)
def noKeyIdentifiers(half: Half) -> Presented:
    """
    Does not say whose key signed it.
    """
    return show(half, aki=None, ski=None)


@case("RFC 5280, 4.2.1.2", strict=Reason.STRICT)
def authorityWithoutIdentifier(half: Half) -> Presented:
    """
    An authority that does not say what its key is called.
    """
    return show(half, root().below("nameless", ski=None))


@case("RFC 5280, 6.1.3", Reason.UNKNOWN_CA)
def otherIssuer(half: Half) -> Presented:
    """
    Signed by one authority, and says that it was another.
    """
    return show(half, facts=Facts(issuer=name("somebody else")))


@case("RFC 5280, 4.1.2.4", Reason.UNKNOWN_CA)
def emptyIssuer(half: Half) -> Presented:
    """
    Does not say who signed it.
    """
    return show(half, facts=Facts(issuer=sequence()))


@case("RFC 5280, 7.1")
def issuerInOtherLetters(half: Half) -> Presented:
    """
    Says who signed it in capitals and with more spaces.
    """
    return show(half, facts=Facts(issuer=name("IN  the MIDDLE")))


@case("RFC 5280, 6.1.3", host="server.test")
def otherCurveAbove(half: Half) -> Presented:
    """
    Authorities whose keys are on larger curves.
    """
    issuer = root().below("large", key=curveKey("large", ec.SECP384R1))
    return show(half, issuer.below("larger", key=curveKey("larger", ec.SECP521R1)), san=names("server.test"))
