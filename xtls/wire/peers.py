"""
Who the peer of a connection is, for those who have its transport.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from xtls.trust.identities import Identity

__all__ = ["identityOf"]


def identityOf(transport: Any) -> Identity | None:
    """
    Who the peer is, as its certificate says, which was verified.

    @param transport: what a protocol is connected to: TLS, ours or Twisted's own, or a layer above it, such
        as a WebSocket.
    @return: L{None} where the peer has shown no certificate, where none was asked for or verified, where it
        cannot be read whom it is for, where there is no TLS, and as long as the handshake is not complete.
    """
    handle = getattr(transport, "getHandle", None)
    connection = handle() if handle is not None else None
    if not isinstance(connection, SSL.Connection):
        return None
    if not connection.get_verify_mode() & SSL.VERIFY_PEER or connection.get_peer_finished() is None:
        return None
    try:
        certificate = connection.get_peer_certificate(as_cryptography=True)
        return None if certificate is None else Identity.of(certificate)
    except Exception:
        # servers of ours refuse such a certificate; of others that do not, it is not known who it is
        return None
