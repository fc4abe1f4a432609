"""
Cases of revocation lists.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509

from tests.support.making import DAY, NOW, Facts, Issuer, curveKey, extension, name
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, middle, root, show
from xtls.trust.verification import Reason

_RULE = "RFC 5280, 6.3"
_CHAIN = ("CRL_CHECK_CHAIN",)


@case(_RULE)
def notRevoked(half: Half) -> Presented:
    """
    Not on the list of its authority.
    """
    other = middle().leaf(curveKey("leaf"), half.usage)
    return replace(show(half), revocations=middle().revocations(other))


@case(_RULE, Reason.REVOKED)
def revoked(half: Half) -> Presented:
    """
    On it.
    """
    shown = show(half)
    return replace(shown, revocations=middle().revocations(shown.certificates[0]))


@case(_RULE, Reason.REVOKED, flags=_CHAIN)
def revokedAuthority(half: Half) -> Presented:
    """
    Its authority on the list of the root, where the whole chain is looked at.
    """
    return replace(show(half), revocations=middle().revocations() + root().revocations(middle().der))


@case(_RULE)
def revokedAuthorityUnasked(half: Half) -> Presented:
    """
    The same, where only the peer's own certificate is looked at.
    """
    return replace(show(half), revocations=middle().revocations() + root().revocations(middle().der))


@case(_RULE, Reason.NO_REVOCATION_LIST)
def listOfAnother(half: Half) -> Presented:
    """
    The list of another authority, and none of its own.
    """
    return replace(show(half), revocations=root().revocations())


@case(_RULE, Reason.NO_REVOCATION_LIST, flags=_CHAIN)
def noListAbove(half: Half) -> Presented:
    """
    No list of the root, where the whole chain is looked at.
    """
    return replace(show(half), revocations=middle().revocations())


@case(_RULE, Reason.STALE_REVOCATION_LIST)
def staleList(half: Half) -> Presented:
    """
    A list of which a newer one is due.
    """
    return replace(show(half), revocations=middle().revocations(end=NOW - DAY))


@case(_RULE)
def staleAndFresh(half: Half) -> Presented:
    """
    A list of which a newer one is due, and the newer one.
    """
    lists = middle().revocations(end=NOW - DAY) + middle().revocations()
    return replace(show(half), revocations=lists)


@case(_RULE, Reason.BAD_REVOCATION_LIST)
def forgedList(half: Half) -> Presented:
    """
    A list that somebody else signed.
    """
    return replace(show(half), revocations=middle().revocations(key=curveKey("somebody else's")))


@case(_RULE, Reason.BAD_REVOCATION_LIST)
def criticalInList(half: Half) -> Presented:
    """
    A list with a critical extension that nobody knows.
    """
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\0")
    return replace(show(half), revocations=middle().revocations(extensions=[(odd, True)]))


@case("RFC 5280, 5.2.5", Reason.NO_REVOCATION_LIST)
def listForOthers(half: Half) -> Presented:
    """
    A list for certificates of authorities only.
    """
    scope = x509.IssuingDistributionPoint(None, None, False, True, None, False, False)
    return replace(show(half), revocations=middle().revocations(extensions=[(scope, True)]))


@case("RFC 5280, 4.2.1.3", Reason.BAD_REVOCATION_LIST)
def mayNotSignLists(half: Half) -> Presented:
    """
    The list of an authority whose key may sign certificates, and no lists.
    """
    usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    issuer = root().below("no lists", ku=extension(usage, True))
    return show(half, issuer, revocations=issuer.revocations())


def _ownList(half: Half, listed: bool) -> Presented:
    """
    A certificate that signed itself and is believed, and its own list.
    """
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    own = Issuer(name("server.test"), curveKey("leaf"))
    shown = show(half, own, chain=(), ku=extension(usage, True))
    der = shown.certificates[0]
    revocations = replace(own, der=der).revocations(*([der] if listed else []))
    return replace(shown, anchors=(der,), revocations=revocations)


@case(_RULE, Reason.SELF_SIGNED)
def revokedBySelf(half: Half) -> Presented:
    """
    A certificate that signed itself, is believed, and is on its own list: it is believed no longer.  (OpenSSL
    4.0 looks for nothing that signed itself on a list; 3.0 does.)
    """
    return _ownList(half, True)


@case(_RULE)
def notRevokedBySelf(half: Half) -> Presented:
    """
    The same, and not on it.
    """
    return _ownList(half, False)


@case(_RULE, laxer="OpenSSL 4.0 asks for no list about what signed itself and is believed; 3.0 does")
def noListOfSelf(half: Half) -> Presented:
    """
    A certificate that signed itself and is believed, and the list of somebody else.
    """
    return replace(_ownList(half, False), revocations=middle().revocations())


@case(_RULE, Reason.UNKNOWN_CA, stricter="it looks for the peer's own certificate only")
def rootRevokedBySelf(half: Half) -> Presented:
    """
    A root that is believed and has revoked itself: it is believed no longer.
    """
    lists = middle().revocations() + root().revocations(root().der)
    return replace(show(half), revocations=lists)


@case(_RULE, Reason.REVOKED)
def revokedThoughGiven(half: Half) -> Presented:
    """
    The very certificate is believed, and is on the list of the authority that signed it.
    """
    shown = show(half)
    own = shown.certificates[0]
    return replace(shown, anchors=(own,), revocations=middle().revocations(own))


@case(_RULE, Reason.NO_REVOCATION_LIST, flags=_CHAIN)
def authorityGiven(half: Half) -> Presented:
    """
    An authority below the root is believed, and the whole chain is looked at: so is that authority, and
    nobody vouches for a list about it.
    """
    lists = middle().revocations() + root().revocations()
    return replace(show(half), anchors=(middle().der,), revocations=lists)


@case(_RULE, Reason.REVOKED)
def listWithText(half: Half) -> Presented:
    """
    On a list with text before and after it in its file.
    """
    shown = show(half, facts=Facts(serial=0x7FFFFFFF))
    listed = middle().revocations(shown.certificates[0])
    return replace(shown, revocations=b"text before\n" + listed + b"text after\n")
