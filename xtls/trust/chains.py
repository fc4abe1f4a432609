"""
A chain of certificates as a server presents it: its order, what is missing in it and what is not needed; and
what is in the server's own certificate.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from xtls.trust.findings import Found, Grade, Topic, listed
from xtls.trust.inspection import Severity, inspect
from xtls.trust.names import printable
from xtls.trust.particulars import extensionOf, isSelfSigned, issued, keyKind, names, particulars, validity
from xtls.trust.sentences import issuerCalled, subjectCalled

__all__ = ["PresentedChain", "chainFindings"]

_GRADES: Final = {
    Severity.ERROR: Grade.PROBLEM,
    Severity.WARNING: Grade.WARNING,
    Severity.NOTE: Grade.NOTE,
}

#: What is judged of the server's certificate by those who have more to go by, or is told in other words.
_ELSEWHERE: Final = frozenset({"ca-as-server"})

_WHY: Final = "nothing has to be done"


@dataclass(frozen=True)
class PresentedChain:
    """
    The certificates of a server, as they came.

    @ivar certificates: the server's own first (RFC 8446, section 4.4.2).
    """

    certificates: tuple[x509.Certificate, ...]

    @property
    def path(self) -> tuple[x509.Certificate, ...]:
        """
        From the server's own certificate to the last that there is, each issued by the next.
        """
        path = list(self.certificates[:1])
        while path and not isSelfSigned(path[-1]):
            above = [each for each in self.certificates if each not in path and issued(path[-1], each)]
            if not above:
                break
            path.append(above[0])
        return tuple(path)

    @property
    def superfluous(self) -> tuple[x509.Certificate, ...]:
        """
        Those that the path does not need, or not again.
        """
        path, given = self.path, self.certificates
        return tuple(each for at, each in enumerate(given) if each not in path or each in given[:at])

    @property
    def inOrder(self) -> bool:
        """
        Whether each certificate is followed by that of its issuer, as far as they are needed at all (RFC
        5246, section 7.4.2; TLS 1.3 does not insist).
        """
        path = self.path
        return [each for each in self.certificates if each in path][: len(path)] == list(path)


def _found(grade: Grade, kind: str, sentence: str, remedy: str = "") -> Found:
    return Found(grade, Topic.CERTIFICATE, kind, sentence, remedy)


def _whose(certificate: x509.Certificate) -> str:
    """
    A certificate by its subject.
    """
    return subjectCalled(certificate)


def _pointers(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    """
    Where something is to be had, as the certificate says (RFC 5280, section 4.2.2.1).
    """
    access = extensionOf(certificate, x509.AuthorityInformationAccess)
    return tuple(
        str(each.access_location.value)
        for each in access or ()
        if each.access_method == method and isinstance(each.access_location, x509.UniformResourceIdentifier)
    )


def _order(chain: PresentedChain) -> Iterator[Found]:
    """
    Whether the certificates come in order, and none too many.
    """
    count, path = len(chain.certificates), chain.path
    if not chain.inOrder:
        yield _found(
            Grade.WARNING,
            "chain-order",
            f"the {count} certificates are not presented in order, which some clients refuse",
            "write them into the server's file in this order: "
            + ", ".join(_whose(each) for each in path if not (each is path[-1] and isSelfSigned(each))),
        )
    elif count == 1:
        yield _found(Grade.OK, "chain-order", f"one certificate is presented, that of {_whose(path[0])}")
    else:
        yield _found(Grade.OK, "chain-order", f"{count} certificates are presented, the server's own first")
    for each in dict.fromkeys(chain.superfluous):
        why = "twice" if each in path else "and no path needs it"
        yield _found(
            Grade.NOTE,
            "chain-superfluous",
            f"the certificate of {_whose(each)} is presented {why}",
            "take it out of the server's file",
        )
    if len(path) > 1 and isSelfSigned(path[-1]):
        yield _found(
            Grade.NOTE,
            "chain-root",
            f"the root {_whose(path[-1])} is presented too, which clients have, or do not believe",
            "it may be taken out of the server's file",
        )


def _end(chain: PresentedChain, known: bool) -> Iterator[Found]:
    """
    Whether there is all that leads to somebody who is believed.
    """
    last = chain.path[-1]
    if known or isSelfSigned(last):
        return
    where = _pointers(last, AuthorityInformationAccessOID.CA_ISSUERS)
    had = f" (it is to be had at {listed(where)})" if where else ""
    yield _found(
        Grade.WARNING,
        "chain-incomplete",
        f"the chain ends at {_whose(last)}, and its issuer {issuerCalled(last)} is neither presented nor"
        " known here: a certificate in between is missing, or the authority is a private one",
        f"put the certificate of {issuerCalled(last)}{had} behind the server's own, in the server's file; or"
        " name it as a CA, if it is a root",
    )


def _contents(certificate: x509.Certificate, now: datetime, told: frozenset[str]) -> Iterator[Found]:
    """
    What is in the server's own certificate.

    @param told: what is said of it already.
    """
    found = names(certificate)
    if found:
        yield _found(Grade.OK, "names", f"it is for {listed(found)}")
    if not told & {"expired", "not-yet-valid", "never-valid", "expires-soon"}:
        end = certificate.not_valid_after_utc
        yield _found(Grade.OK, "dates", f"it {validity(certificate, now)}, on {end:%Y-%m-%d}")
    if not told & {"weak-key", "unreadable-key", "weak-signature", "unknown-signature"}:
        signature = particulars(certificate, now)["signature"]
        yield _found(Grade.OK, "key", f"its key is {keyKind(certificate)}, and it is signed with {signature}")


def _revocation(certificate: x509.Certificate, stapled: bool) -> Iterator[Found]:
    """
    How it could be learnt that it was revoked.
    """
    responders = _pointers(certificate, AuthorityInformationAccessOID.OCSP)
    lists = _revocationLists(certificate)
    places = [f"by OCSP at {listed(responders)}"] * bool(responders)
    places += [f"in the list at {listed(lists)}"] * bool(lists)
    if places:
        said = f"a revocation is told {' and '.join(places)}; xtls asks neither, and takes lists in files"
        yield _found(Grade.OK, "revocation", said)
    features = extensionOf(certificate, x509.TLSFeature)
    must = features is not None and x509.TLSFeatureType.status_request in set(features)
    if must and not stapled:
        yield _found(
            Grade.WARNING,
            "must-staple",
            "it says that an OCSP response comes with it (must-staple), and none does: some browsers refuse"
            " it",
            "have the server staple, or have a certificate made that does not say so",
        )
    elif stapled:
        yield _found(Grade.OK, "stapled", "an OCSP response comes with it (stapled)")


def _revocationLists(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    Where revocation lists are to be had (RFC 5280, section 4.2.1.13).
    """
    points = extensionOf(certificate, x509.CRLDistributionPoints)
    return tuple(
        str(name.value)
        for point in points or ()
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    )


def _inspected(certificate: x509.Certificate, now: datetime, isOwn: bool) -> Iterator[Found]:
    """
    What is good and bad about one certificate; of an authority's, only what is bad.
    """
    for each in inspect(certificate, now):
        if each.kind in _ELSEWHERE or (not isOwn and each.severity is Severity.NOTE):
            continue
        sentence = each.sentence
        if not isOwn:
            sentence = f"the authority {_whose(certificate)}: {sentence}"
        yield _found(_GRADES[each.severity], each.kind, sentence, printable(each.remedy, 200) or _WHY)


def chainFindings(chain: PresentedChain, now: datetime, *, known: bool, stapled: bool = False) -> list[Found]:
    """
    What there is to say about the certificates of a server.

    @param now: the time to judge them at, with a time zone.
    @param known: whether they lead to somebody who is known here.
    @param stapled: whether an OCSP response came with them.
    """
    if not chain.certificates:
        return []
    own = chain.certificates[0]
    about = list(_inspected(own, now, True))
    found = [
        *_order(chain),
        *_end(chain, known),
        *_contents(own, now, frozenset(each.kind for each in about)),
        *about,
        *_revocation(own, stapled),
    ]
    for each in chain.path[1:]:
        found += _inspected(each, now, False)
    return found
