"""
OpenSSL's verify callback, and the refusals that it leaves behind.

The callback never raises, since what becomes of an exception in there is nobody's decision: whatever goes
wrong in it is a refusal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate
from twisted.logger import Logger
from twisted.python.failure import Failure

from xtls.errors import PeerVerificationError
from xtls.trust.constraints import constraintsOf
from xtls.trust.verification import Policy, Reason, Refusal, judge

__all__ = ["Verifier", "introduce", "refusalOf"]

_log = Logger()

#: The refusals of the connections that there are.
_refusals: WeakKeyDictionary[SSL.Connection, Refusal] = WeakKeyDictionary()

#: The constraints of the authorities above the peers of those connections, where there are any.
_bounds: WeakKeyDictionary[SSL.Connection, list[x509.NameConstraints]] = WeakKeyDictionary()


def refusalOf(connection: SSL.Connection) -> Refusal | None:
    """
    Why the peer of a connection was refused, or L{None} if it was not.

    A client that presents no certificate where one is required is refused by OpenSSL itself: that is in the
    error of the handshake and not here.
    """
    refusal = _refusals.get(connection)
    if refusal is None or refusal.own is not None:
        return refusal
    # Who was refused for what is above its own certificate.  OpenSSL keeps the path that it had built.
    try:
        path = connection.get_verified_chain()
        return replace(refusal, own=path[0].to_cryptography()) if path else refusal
    except Exception:
        return refusal  # its own certificate cannot be read


def introduce(connection: SSL.Connection, transport: object) -> None:
    """
    Let a connection know the transport that drives it, so that this hears of a refusal.

    It does not keep the transport: the transport keeps the connection.
    """
    try:
        connection.set_app_data(ref(transport))
    except TypeError:
        connection.set_app_data(transport)


def _tell(connection: SSL.Connection, refusal: Refusal) -> None:
    """
    Give a transport that wants to know the reason, in place of OpenSSL's error.
    """
    # newer Twisteds have put the transport itself there in the meantime
    transport: Any = connection.get_app_data()
    if isinstance(transport, ReferenceType):
        transport = transport()
    failVerification = getattr(transport, "failVerification", None)
    if failVerification is None:
        return
    failure = Failure(PeerVerificationError(refusal))
    if getattr(transport, "_reason", transport) is None:
        # Twisted's own.  Its failVerification does this and then aborts the connection, so that the peer
        # would see that reset, and no alert.
        transport._reason = failure
    else:
        failVerification(failure)


class Verifier:
    """
    Tells OpenSSL whether to go on with each certificate of a path, of which the peer's own is the last.
    """

    def __init__(self, policy: Policy) -> None:
        """
        @param policy: what is asked of the peer.
        """
        self.policy = policy

    def __call__(self, connection: SSL.Connection, certificate: X509, code: int, depth: int, ok: int) -> bool:
        """
        Answer OpenSSL.

        @param code: what OpenSSL finds wrong (X509_V_ERR_*).
        @param depth: 0 for the peer's own certificate.
        @param ok: whether it finds nothing wrong.
        """
        if ok and not self.policy.examines(depth):
            return True
        try:
            if ok and depth:
                return self._note(connection, certificate)
            refusal = self._judge(connection, certificate, code, depth, bool(ok))
        except Exception as e:
            refusal = Refusal(
                Reason.OTHER, None, depth, code, detail=f"it cannot be read ({type(e).__name__}: {e})"
            )
        if refusal is None:
            return True
        try:
            _refusals[connection] = refusal
            _tell(connection, refusal)
        except Exception:
            _log.failure("while refusing a peer")
        return False

    def _note(self, connection: SSL.Connection, authority: X509) -> bool:
        """
        Keep in mind for what names an authority may vouch, until its path has been gone down to the peer.

        @return: L{True}, to go on.
        """
        constraints = constraintsOf(dump_certificate(FILETYPE_ASN1, authority))
        if constraints is not None:
            _bounds.setdefault(connection, []).append(constraints)
        return True

    def _judge(
        self, connection: SSL.Connection, presented: X509, code: int, depth: int, ok: bool
    ) -> Refusal | None:
        """
        Decide, and warn of a name that is good enough only here.
        """
        policy = self.policy
        certificate = presented.to_cryptography()
        bounds = _bounds.get(connection, ())
        refusal = judge(policy, certificate, ok=ok, code=code, depth=depth, bounds=bounds)
        if refusal is not None and depth == 0:
            return replace(refusal, own=certificate)
        if refusal is None and policy.reference is not None and policy.byCommonName(certificate):
            _log.warn(
                "the certificate of {host} has no subjectAltName; its Common Name was believed, because its"
                " authority was named here; better make one that has: xtls cert self-signed {host}",
                host=policy.reference.name,
            )
        return refusal
