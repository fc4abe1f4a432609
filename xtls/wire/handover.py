"""
One protocol takes a connection over from another, and the other leaves the path.

Protocols that only decide (what does this peer speak?) or only open (a handshake) use this when they are
done: from the next octet on, the transport calls the protocol that follows, with nothing in between.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITransport

__all__ = ["handOver"]


def handOver(
    transport: ITransport, leaving: Any, following: IProtocol, prefix: bytes = b""
) -> None:
    """
    Let C{following} take the connection over from C{leaving}.

    The transport's own reference is changed where it has one (C{protocol} of a socket,
    C{wrappedProtocol} of a wrapper); whoever else still holds C{leaving} reaches C{following} through it.

    @param transport: the transport of the connection.
    @param leaving: the protocol instance that is connected now.  It is not told that it leaves.
    @param following: a protocol that is not connected yet.
    @param prefix: octets that C{leaving} has seen and that belong to C{following}: delivered once, after
        C{makeConnection}.
    """
    leaving.dataReceived = following.dataReceived
    leaving.connectionLost = following.connectionLost
    halfCloseable: Any = IHalfCloseableProtocol(following, None)
    if halfCloseable is not None:
        leaving.readConnectionLost = halfCloseable.readConnectionLost
        leaving.writeConnectionLost = halfCloseable.writeConnectionLost
    for name in ("wrappedProtocol", "protocol"):
        if getattr(transport, name, None) is leaving:
            setattr(transport, name, following)
            break
    following.makeConnection(transport)
    if prefix:
        following.dataReceived(prefix)
