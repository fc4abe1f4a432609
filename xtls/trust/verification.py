"""
Whether to believe a peer: a decision on values, and its reasons.

OpenSSL builds and validates the path (RFC 5280) and asks, for each certificate of it, whether to go on;
L{judge} answers.  It is pure.  Whatever is not proven is refused: the answer is L{None}, which lets the
certificate pass, only at the very end of what was checked, and everything else is a L{Refusal} that carries
the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from cryptography import x509

from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.constraints import isPermitted
from xtls.trust.identities import Identity, Rule
from xtls.trust.names import PresentedIdentifiers, ReferenceIdentifier
from xtls.trust.pins import pinOf
from xtls.trust.sentences import sentenceFor

__all__ = [
    "Policy",
    "Reason",
    "ReferenceIdentifier",
    "Refusal",
    "TrustAnchors",
    "judge",
    "reasonFor",
    "requireBounds",
    "requireKey",
    "requireName",
    "requireRule",
    "trustAnchors",
]


class Reason(Enum):
    """
    Why a peer is refused.  The alerts that OpenSSL sends for them are those of RFC 8446, section 6.2.
    """

    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    UNKNOWN_CA = "unknown authority"
    SELF_SIGNED = "self-signed"
    WRONG_KEY = "wrong key"
    WRONG_NAME = "wrong name"
    NO_NAME = "no name"
    MALFORMED_NAME = "malformed name"
    WRONG_USAGE = "wrong usage"
    NOT_A_CA = "not an authority"
    PATH_LENGTH = "path too long"
    NAME_CONSTRAINTS = "name constraints"
    NO_CERTIFICATE = "no certificate"
    REVOKED = "revoked"
    NO_REVOCATION_LIST = "no revocation list"
    STALE_REVOCATION_LIST = "stale revocation list"
    BAD_SIGNATURE = "bad signature"
    WEAK = "weak"
    STRICT = "strict"
    BAD_REVOCATION_LIST = "bad revocation list"
    NOT_ALLOWED = "not allowed"
    OTHER = "other"


#: OpenSSL's verification errors (X509_V_ERR_*, openssl/x509_vfy.h), by what they come to.
_CODES: Final[dict[int, Reason]] = {
    code: reason
    for reason, codes in {
        Reason.EXPIRED: (10,),
        Reason.NOT_YET_VALID: (9,),
        # issuer not found; the chain ends at a root that is not believed; only the leaf, and no issuer;
        # not trusted; rejected
        Reason.UNKNOWN_CA: (2, 19, 20, 21, 27, 28),
        Reason.SELF_SIGNED: (18,),
        Reason.WRONG_NAME: (62, 64),
        Reason.WRONG_USAGE: (26, 39),
        # OpenSSL before 3.0 has INVALID_CA as 24
        Reason.NOT_A_CA: (24, 32, 37, 79),
        Reason.PATH_LENGTH: (22, 25, 38),
        Reason.NAME_CONSTRAINTS: (47, 48, 49, 51, 52, 53),
        Reason.REVOKED: (23,),
        Reason.NO_REVOCATION_LIST: (3, 33, 44),
        Reason.STALE_REVOCATION_LIST: (11, 12),
        Reason.BAD_SIGNATURE: (4, 6, 7, 76, 77, 78),
        # its signature; its dates; its issuer may not sign lists; an extension that nobody knows
        Reason.BAD_REVOCATION_LIST: (5, 8, 15, 16, 35, 36),
        Reason.WEAK: (66, 67, 68),
        Reason.STRICT: tuple(range(80, 94)),
    }.items()
    for code in codes
}


#: Those that say only that no authority vouches for a path: what a pinned key makes up for, and nothing else.
#: Issuer not found, twice; self-signed; a root that is not believed; only the leaf, and no issuer.
_NO_AUTHORITY: Final = frozenset((2, 20, 18, 19, 21))


def reasonFor(code: int) -> Reason:
    """
    What a verification error of OpenSSL comes to.
    """
    return _CODES.get(code, Reason.OTHER)


@dataclass(frozen=True)
class Refusal:
    """
    Why a peer was refused, with the evidence.

    @ivar reason: the reason.
    @ivar certificate: the certificate at fault, if there is one.
    @ivar depth: where in the chain it is: 0 for the peer's own.
    @ivar code: OpenSSL's verification error (X509_V_ERR_*), or 0 where the refusal is ours.
    @ivar reference: the name that the certificate should have been for.
    @ivar detail: what was found, where that is not in the certificate.
    @ivar own: the peer's own certificate, where it is known.
    """

    reason: Reason
    certificate: x509.Certificate | None = None
    depth: int = 0
    code: int = 0
    reference: str = ""
    detail: str = ""
    own: x509.Certificate | None = field(default=None, compare=False)

    def sentence(self) -> str:
        """
        Say it in one sentence, with the names, dates or fingerprint that were found.
        """
        return sentenceFor(self)


@dataclass(frozen=True)
class Policy:
    """
    What is asked of a peer beyond a valid path.

    @ivar reference: whom it must be; L{None} when no name is asked for.
    @ivar allowCommonName: whether a certificate without a subjectAltName may be for its Common Name.
    @ivar use: what its certificate must be for, in words.
    @ivar identified: whether it must be possible to say who it is.
    @ivar rules: of which one must let it in; L{None} where there are no rules.
    @ivar pins: the keys of which its own must be one, as L{pinOf<xtls.trust.pins.pinOf>} writes them; empty
        when any will do.
    @ivar authority: whether an authority must vouch for it.  Without pins, one must.
    """

    reference: ReferenceIdentifier | None = None
    allowCommonName: bool = False
    use: str = "a server"
    identified: bool = False
    rules: tuple[Rule, ...] | None = None
    pins: frozenset[str] = frozenset()
    authority: bool = True

    def __post_init__(self) -> None:
        """
        @raise ValueError: for a policy by which anybody would be believed.
        """
        if not (self.authority or self.pins):
            raise ValueError("expected pins where no authority is asked for")

    def examines(self, depth: int) -> bool:
        """
        Whether more than a valid path is asked of the certificate at a depth.
        """
        if depth:
            # whether it may vouch for the name
            return self.reference is not None
        asked = self.reference is not None or self.identified or self.rules is not None
        return asked or bool(self.pins)

    def byCommonName(self, certificate: x509.Certificate) -> bool:
        """
        Whether a certificate that was accepted could only be so by its Common Name.
        """
        return self.allowCommonName and not PresentedIdentifiers.of(certificate).extension


def requireName(
    certificate: x509.Certificate, reference: ReferenceIdentifier, allowCommonName: bool
) -> Refusal | None:
    """
    Require that a certificate is for the server that was meant (RFC 9525, section 6).

    @param certificate: the server's own certificate.
    @param allowCommonName: whether, when it has no subjectAltName, its Common Name will do.  RFC 9525 says
        no; so does xtls, but for anchors that the user gave.
    @return: L{None} if one of its identifiers is the reference's; in all other cases, why not.
    """
    try:
        presented = PresentedIdentifiers.of(certificate)
        if presented.match(reference):
            return None
        if allowCommonName and presented.matchCommonName(reference):
            return None
        if presented.malformed:
            reason = Reason.MALFORMED_NAME
        elif presented.names or presented.addresses or (allowCommonName and presented.hasCommonName):
            reason = Reason.WRONG_NAME
        else:
            reason = Reason.NO_NAME
        detail = ""
    except Exception as e:
        # what cannot be read proves nothing, whatever it is that could not be read
        reason, detail = Reason.MALFORMED_NAME, str(e)
    return Refusal(reason, certificate, reference=reference.name, detail=detail)


def requireRule(certificate: x509.Certificate, policy: Policy) -> Refusal | None:
    """
    Require that a certificate says who its owner is, and that a rule lets them in.

    @param certificate: the peer's own certificate, of which all else is proven.
    @return: L{None} if it does and one lets them in, or if nobody asks.
    """
    if not policy.identified and policy.rules is None:
        return None
    try:
        identity = Identity.of(certificate)
        if policy.rules is None or any(rule.allows(identity) for rule in policy.rules):
            return None
        return Refusal(Reason.NOT_ALLOWED, certificate, detail=identity.describe())
    except Exception as e:
        return Refusal(Reason.OTHER, certificate, detail=f"who it is for cannot be read: {e}")


def requireKey(certificate: x509.Certificate, pins: frozenset[str]) -> Refusal | None:
    """
    Require that a certificate's key is one that was pinned.

    @param certificate: the peer's own certificate, whose key it proves in the handshake to have.
    @return: L{None} if it is; in all other cases, why not.
    """
    try:
        found = pinOf(certificate)
    except Exception as e:
        return Refusal(Reason.WRONG_KEY, certificate, detail=f"one that cannot be read: {e}")
    return None if found in pins else Refusal(Reason.WRONG_KEY, certificate, detail=found)


def _readable(certificate: x509.Certificate) -> bool:
    """
    Whether the extensions of a certificate can be read.
    """
    try:
        return certificate.extensions is not None
    except Exception:
        return False


def requireBounds(
    certificate: x509.Certificate, reference: ReferenceIdentifier, bounds: Iterable[x509.NameConstraints]
) -> Refusal | None:
    """
    Require that the authorities above a certificate may all vouch for the server that was meant.

    @param bounds: their constraints.
    """
    if all(isPermitted(reference, each) for each in bounds):
        return None
    return Refusal(Reason.NAME_CONSTRAINTS, certificate, reference=reference.name)


def judge(
    policy: Policy,
    certificate: x509.Certificate,
    *,
    ok: bool,
    code: int,
    depth: int,
    bounds: Iterable[x509.NameConstraints] = (),
) -> Refusal | None:
    """
    Decide on one certificate of a path, when OpenSSL asks.

    @param ok: whether OpenSSL finds nothing wrong with it.
    @param code: what it finds wrong (X509_V_ERR_*).
    @param depth: 0 for the peer's own, which comes last.
    @param bounds: the constraints of those above it.
    @return: L{None} to go on; with depth 0, that is to accept the peer.
    """
    name = policy.reference.name if policy.reference is not None else ""
    if depth == 0 and policy.pins:
        # first of all, and whatever else is found: what follows may make allowances for a pinned key
        refusal = requireKey(certificate, policy.pins)
        if refusal is not None:
            return replace(refusal, code=code, reference=name)
    if not ok:
        if code in _NO_AUTHORITY and not policy.authority:
            # above the peer's own certificate too: that one is still to come, and with it the question above
            return None
        reason = reasonFor(code)
        detail = policy.use if reason is Reason.WRONG_USAGE else ""
        if reason is Reason.UNKNOWN_CA and not _readable(certificate):
            # OpenSSL looks for no issuer of a certificate of which it cannot make sense
            reason, detail = Reason.OTHER, "it is damaged"
        return Refusal(reason, certificate, depth, code, name, detail)
    if depth:
        return None
    refusal = None
    if policy.reference is not None:
        refusal = requireName(certificate, policy.reference, policy.allowCommonName)
        refusal = refusal or requireBounds(certificate, policy.reference, bounds)
    return refusal or requireRule(certificate, policy)
