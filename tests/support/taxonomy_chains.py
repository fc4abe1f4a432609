"""
Cases of chains: who signs for whom, in which order it is shown, until when, and what for.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.der import sequence
from tests.support.making import (
    DAY,
    NOW,
    Facts,
    Issuer,
    curveKey,
    extension,
    identifiers,
    keyUsage,
    name,
    raw,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, keyless, middle, names, root, show
from xtls.trust.verification import Reason

_PATH = "RFC 5280, 6.1"
_DATES = "RFC 5280, 4.1.2.5"
_USAGE = "RFC 5280, 4.2.1.12"
_BASIC = "RFC 5280, 4.2.1.9"
_KEY_USAGE = "RFC 5280, 4.2.1.3"
_WHOLE = "a certificate whose extensions cannot be read as a whole proves nothing"


def _usage(*usages: x509.ObjectIdentifier, critical: bool = False) -> bytes:
    return extension(x509.ExtendedKeyUsage(usages), critical)


# what is shown


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


# dates


def _dated(half: Half, issuer: Issuer, begin: int, end: int) -> Presented:
    return show(half, issuer, Facts(begin=NOW + begin * DAY, end=NOW + end * DAY))


@case(_DATES, Reason.EXPIRED)
def expired(half: Half) -> Presented:
    """
    Expired yesterday.
    """
    return _dated(half, middle(), -9, -1)


@case(_DATES, Reason.NOT_YET_VALID)
def notYetValid(half: Half) -> Presented:
    """
    Good from tomorrow on.
    """
    return _dated(half, middle(), 1, 9)


@case(_DATES, Reason.NOT_YET_VALID)
def never(half: Half) -> Presented:
    """
    Begins after it ends.
    """
    return _dated(half, middle(), 9, -9)


@case(_DATES, Reason.EXPIRED)
def expiredIntermediate(half: Half) -> Presented:
    """
    An authority below the root that expired yesterday.
    """
    facts = Facts(subject=name("old"), begin=NOW - 9 * DAY, end=NOW - DAY)
    return show(half, root().below("old", facts))


@case(_DATES, Reason.NOT_YET_VALID)
def futureIntermediate(half: Half) -> Presented:
    """
    An authority below the root that is good from tomorrow on.
    """
    return show(half, root().below("young", Facts(subject=name("young"), begin=NOW + DAY)))


@case(_DATES, Reason.EXPIRED)
def expiredRoot(half: Half) -> Presented:
    """
    A root that is believed, and expired yesterday.
    """
    facts = Facts(subject=name("old root"), begin=NOW - 9 * DAY, end=NOW - DAY)
    old = Issuer.root("old root", facts)
    return show(half, old, anchors=(old.der,))


@case(_DATES, Reason.NOT_YET_VALID)
def futureRoot(half: Half) -> Presented:
    """
    A root that is believed, and good from tomorrow on.
    """
    young = Issuer.root("young root", Facts(subject=name("young root"), begin=NOW + DAY))
    return show(half, young, anchors=(young.der,))


@case(_DATES)
def longerThanItsIssuer(half: Half) -> Presented:
    """
    Good for longer than the authority that signed it: for now.
    """
    return _dated(half, middle(), -1, 4000)


# who is an authority


@case(_BASIC, Reason.NOT_A_CA)
def issuedByALeaf(half: Half) -> Presented:
    """
    Signed with the key of a good certificate that is no authority's.
    """
    leaf = middle().leaf(curveKey("a leaf"), half.usage, Facts(subject=name("leaf.test")))
    return show(half, Issuer(name("leaf.test"), curveKey("a leaf"), leaf, (leaf, *middle().chain)))


@case(_BASIC, Reason.NOT_A_CA)
def noBasicConstraints(half: Half) -> Presented:
    """
    An authority that does not say that it is one, and whose key may sign.
    """
    return show(half, root().below("shy", bc=None))


@case(_BASIC, Reason.NOT_A_CA)
def noExtensions(half: Half) -> Presented:
    """
    An authority that says nothing.
    """
    return show(half, root().below("silent", bc=None, ku=None, ski=None, aki=None))


@case(_BASIC, Reason.NOT_A_CA)
def saysItIsNone(half: Half) -> Presented:
    """
    An authority that says that it is none.
    """
    constraints = extension(x509.BasicConstraints(ca=False, path_length=None), True)
    return show(half, root().below("no authority", bc=constraints))


@case(_BASIC)
def constraintsNotCritical(half: Half) -> Presented:
    """
    An authority that says that it is one, but not critically.
    """
    constraints = extension(x509.BasicConstraints(ca=True, path_length=None))
    return show(half, root().below("not critical", bc=constraints))


@case(_BASIC, Reason.NOT_A_CA)
def rootIsNone(half: Half) -> Presented:
    """
    A root that is believed and says that it is no authority.
    """
    constraints = extension(x509.BasicConstraints(ca=False, path_length=None), True)
    issuer = Issuer.root("no root", bc=constraints)
    return show(half, issuer, anchors=(issuer.der,))


@case(_BASIC, strict=Reason.NOT_A_CA)
def rootWithoutConstraints(half: Half) -> Presented:
    """
    A root that is believed and does not say whether it is an authority, though its key may sign.
    """
    issuer = Issuer.root("an old root", bc=None)
    return show(half, issuer, anchors=(issuer.der,))


@case(_KEY_USAGE, Reason.NOT_A_CA)
def mayNotSign(half: Half) -> Presented:
    """
    An authority whose key may not sign certificates.
    """
    return show(half, root().below("silent", ku=extension(keyUsage(digitalSignature=True), True)))


@case(_KEY_USAGE, strict=Reason.STRICT)
def authorityWithoutKeyUsage(half: Half) -> Presented:
    """
    An authority that does not say what its key is for.
    """
    return show(half, root().below("quiet", ku=None))


@case(_BASIC)
def leafIsAuthority(half: Half) -> Presented:
    """
    The peer's own certificate is an authority's.
    """
    constraints = extension(x509.BasicConstraints(ca=True, path_length=None), True)
    usage = extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
    return show(half, bc=constraints, ku=usage)


@case(_BASIC, strict=Reason.STRICT)
def leafIsAuthorityUnsaid(half: Half) -> Presented:
    """
    The same, and it does not say what its key is for.
    """
    return show(half, bc=extension(x509.BasicConstraints(ca=True, path_length=None), True), ku=None)


# how many


@case(_BASIC)
def pathLength(half: Half) -> Presented:
    """
    As many authorities as one allows.
    """
    return show(half, root().below("one allowed", pathLength=1).below("none allowed", pathLength=0))


@case(_BASIC, Reason.PATH_LENGTH)
def pathLengthExceeded(half: Half) -> Presented:
    """
    One authority more than one allows.
    """
    return show(half, root().below("none allowed", pathLength=0).below("too many"))


@case(_BASIC, Reason.PATH_LENGTH)
def pathLengthOfTheRoot(half: Half) -> Presented:
    """
    One authority more than the root allows.
    """
    issuer = Issuer.root("a short root", pathLength=0)
    return show(half, issuer.below("too many"), anchors=(issuer.der,))


@case(_BASIC, Reason.PATH_LENGTH)
def pathLengthWidened(half: Half) -> Presented:
    """
    An authority that allows more than the one above it.
    """
    return show(half, root().below("one", pathLength=1).below("nine", pathLength=9).below("last"))


@case("RFC 5280, 6.1.4")
def selfIssued(half: Half) -> Presented:
    """
    Below an authority that allows none, another certificate of itself, which does not count.
    """
    first = root().below("renewed", pathLength=0)
    second = first.below("renewed", key=curveKey("the new key"))
    return show(half, second)


@case("RFC 5280, 6.1.4")
def selfIssuedLeaf(half: Half) -> Presented:
    """
    Below an authority that allows none, a leaf of the same name.
    """
    return show(half, root().below("server.test", pathLength=0))


@case(_BASIC, Reason.UNKNOWN_CA)
def pathLengthNegative(half: Half) -> Presented:
    """
    An authority that allows minus one.
    """
    negative = raw("2.5.29.19", bytes.fromhex("30060101ff0201ff"), True)
    return show(half, root().below("negative", bc=negative))


@case(_BASIC, Reason.MALFORMED_NAME, client=Reason.OTHER, strict=Reason.STRICT, stricter=_WHOLE)
def pathLengthOfALeaf(half: Half) -> Presented:
    """
    A certificate that is no authority's, and says how many it allows.
    """
    return show(half, bc=raw("2.5.29.19", bytes.fromhex("3003020100"), True))


# what for


@case(_USAGE)
def noUsage(half: Half) -> Presented:
    """
    Nothing said about usage: for everything.
    """
    return show(half, eku=None, ku=None)


@case(_USAGE)
def bothUsages(half: Half) -> Presented:
    """
    For servers and for clients.
    """
    return show(half, eku=_usage(half.usage, half.other))


@case(_USAGE, Reason.WRONG_USAGE)
def otherUsage(half: Half) -> Presented:
    """
    For clients if a server's, for servers if a client's.
    """
    return show(half, eku=_usage(half.other))


@case(_USAGE, Reason.WRONG_USAGE)
def anyUsage(half: Half) -> Presented:
    """
    For any usage: which is not what it is asked for.
    """
    return show(half, eku=_usage(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))


@case(_USAGE, Reason.WRONG_USAGE)
def signingCode(half: Half) -> Presented:
    """
    For signing programs.
    """
    return show(half, eku=_usage(ExtendedKeyUsageOID.CODE_SIGNING))


@case(_USAGE, Reason.WRONG_USAGE)
def unknownUsage(half: Half) -> Presented:
    """
    For what nobody knows, critically.
    """
    return show(half, eku=_usage(x509.ObjectIdentifier("1.2.3.4"), critical=True))


@case(_USAGE, Reason.WRONG_USAGE)
def emptyUsage(half: Half) -> Presented:
    """
    For a list of nothing.
    """
    return show(half, eku=raw("2.5.29.37", sequence()))


@case(_USAGE, Reason.WRONG_USAGE)
def otherUsageOfTheAuthority(half: Half) -> Presented:
    """
    From an authority for the other side's certificates only.
    """
    return show(half, root().below("for others", eku=_usage(half.other)))


@case(_USAGE)
def usageOfTheAuthority(half: Half) -> Presented:
    """
    From an authority for just such certificates.
    """
    return show(half, root().below("for these", eku=_usage(half.usage)))


@case(_KEY_USAGE, Reason.WRONG_USAGE, strict=Reason.STRICT)
def keyMayNotSign(half: Half) -> Presented:
    """
    A key that may sign certificates, and nothing else.
    """
    usage = extension(keyUsage(certificateSign=True), True)
    return keyless(show(half, ku=usage))


@case(_KEY_USAGE, Reason.UNKNOWN_CA)
def keyForNothing(half: Half) -> Presented:
    """
    A key that may do nothing.
    """
    return keyless(show(half, ku=extension(keyUsage(), True)))


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
