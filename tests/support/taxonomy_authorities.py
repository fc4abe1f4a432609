"""
Cases of authorities: who is one, and how many may be below another.
"""

from __future__ import annotations

from cryptography import x509

from tests.support.making import (
    Facts,
    Issuer,
    curveKey,
    extension,
    keyUsage,
    name,
    raw,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, middle, root, show
from xtls.trust.verification import Reason

_PATH = "RFC 5280, 6.1"
_DATES = "RFC 5280, 4.1.2.5"
_USAGE = "RFC 5280, 4.2.1.12"
_BASIC = "RFC 5280, 4.2.1.9"
_KEY_USAGE = "RFC 5280, 4.2.1.3"
_WHOLE = "a certificate whose extensions cannot be read as a whole proves nothing"


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
