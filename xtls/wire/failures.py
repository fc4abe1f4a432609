"""
OpenSSL's errors as errors of ours, in words.

OpenSSL says what failed in its own terms (C{wrong version number} when the peer speaks HTTP).  Here
is the one place that knows them.
"""

from __future__ import annotations

from typing import Final

from OpenSSL import SSL

from xtls.errors import HandshakeError, PeerVerificationError
from xtls.trust.contexts import refusalOf
from xtls.trust.verification import Reason, Refusal

__all__ = ["describe"]

#: What OpenSSL's reason contains when the peer's first octets are not TLS, and what that means to people.
_NOT_TLS: Final[tuple[tuple[str, str], ...]] = (
    ("wrong version number", "the peer does not speak TLS on this port"),
    ("http request", "the peer speaks HTTP on this port, not TLS"),
    ("https proxy request", "the peer speaks HTTP on this port, not TLS"),
    ("packet length too long", "the peer does not speak TLS on this port"),
    ("data length too long", "the peer does not speak TLS on this port"),
    ("record layer failure", "the peer does not speak TLS on this port"),
    ("unexpected message", "the peer does not speak TLS on this port, or out of turn"),
)

#: The same, at any time; the first that fits.
_MEANINGS: Final[tuple[tuple[str, str], ...]] = (
    ("unsupported protocol", "no TLS version in common: TLS 1.2 and 1.3 are spoken here (RFC 8996)"),
    ("alert protocol version", "the peer accepts none of the TLS versions that are offered"),
    ("version too low", "no TLS version in common: TLS 1.2 and 1.3 are spoken here (RFC 8996)"),
    ("no application protocol", "no application protocol in common (ALPN, RFC 7301)"),
    ("no shared cipher", "no cipher suite in common"),
    ("no suitable signature algorithm", "no signature algorithm in common"),
    (
        # with TLS 1.2, also what a client gets that sends no certificate to a server that wants one
        "alert handshake failure",
        "the peer refused the handshake: it found no parameters in common, or wants a client certificate",
    ),
    ("alert certificate required", "the peer asks for a client certificate, and none was sent"),
    ("alert unknown ca", "the peer does not trust the certificate that was sent to it (unknown CA)"),
    ("alert certificate expired", "the peer refused the certificate that was sent to it (expired)"),
    ("alert certificate revoked", "the peer refused the certificate that was sent to it (revoked)"),
    ("alert bad certificate", "the peer refused the certificate that was sent to it"),
    ("alert certificate unknown", "the peer refused the certificate that was sent to it"),
    ("alert unsupported certificate", "the peer refused the certificate that was sent to it (unsupported)"),
    (
        # what OpenSSL sends for a refusal that is not its own, as by a rule
        "alert internal error",
        "the peer goes no further and does not say why: perhaps it does not let in the certificate sent",
    ),
    ("alert access denied", "the peer refused access"),
    ("alert unrecognized name", "the peer knows no such server name"),
    ("unexpected eof", "the peer closed the connection during the handshake"),
)


def _reason(error: SSL.Error) -> str:
    """
    OpenSSL's reason for an error, as it writes it.
    """
    first = error.args[0] if error.args else ""
    if isinstance(first, list):
        return str(first[0][-1]) if first else ""
    return str(error.args[-1]) if error.args else ""


def describe(connection: SSL.Connection, error: SSL.Error, established: bool = False) -> HandshakeError:
    """
    Say why a connection failed.

    @param connection: the connection, with the refusal of its peer if there was one.
    @param error: what OpenSSL raised.
    @param established: whether the handshake was complete before.
    """
    refusal = refusalOf(connection)
    reason = _reason(error)
    if refusal is None and "peer did not return a certificate" in reason:
        refusal = Refusal(reason=Reason.NO_CERTIFICATE)
    if refusal is not None:
        return PeerVerificationError(refusal)
    lowered = reason.lower()
    for words, meaning in _MEANINGS if established else _NOT_TLS + _MEANINGS:
        if words in lowered:
            return HandshakeError(meaning)
    return HandshakeError(f"the TLS connection failed ({reason or 'without a reason'})")
