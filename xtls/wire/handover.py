"""
One protocol takes a connection over from another, and the other leaves the path.

Protocols that only decide (what does this peer speak?) or only open (a handshake) use this when they are
done: from the next octet on, the transport calls the protocol that follows, with nothing in between.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from xtls.wire.inflow import receiveNoMore

__all__ = ["handOver"]


def handOver(transport: ITransport, leaving: Any, following: IProtocol, prefix: bytes = b"") -> None:
    """
    Let C{following} take the connection over from C{leaving}.

    The transport's own reference is changed where it has one (C{protocol} of a socket, C{wrappedProtocol} of
    a wrapper).  Whoever else holds C{leaving}, such as the protocol that Twisted's client endpoints put in
    between, reaches C{following} through it, and whoever follows that.

    @param transport: the transport of the connection.
    @param leaving: the protocol instance that is connected now.  It is not told that it leaves, and has let
        go of the transport already: no producer of its own is registered, no L{Outflow
        <xtls.wire.outflow.Outflow>} open.
    @param following: a protocol that is not connected yet.
    @param prefix: octets that C{leaving} has seen and that belong to C{following}: delivered once, after
        C{makeConnection}, even if it pauses the transport in there; but not if it closes it.
    """
    receiveNoMore(transport)
    _lead(transport, leaving, following)
    for name in ("wrappedProtocol", "protocol"):
        if getattr(transport, name, None) is leaving:
            setattr(transport, name, following)
            break
    following.makeConnection(transport)
    if prefix and not getattr(transport, "disconnecting", False):
        following.dataReceived(prefix)


def _lead(transport: ITransport, leaving: Any, following: Any) -> None:
    """
    Have what C{leaving} is told from now on reach C{following}, or whoever has followed that by then.
    """

    def dataReceived(data: bytes) -> None:
        following.dataReceived(data)

    def connectionLost(reason: Failure = connectionDone) -> None:
        following.connectionLost(reason)

    def readConnectionLost() -> None:
        halfCloseable: Any = IHalfCloseableProtocol(following, None)
        if halfCloseable is not None:
            halfCloseable.readConnectionLost()
        else:
            transport.loseConnection()  # as a socket does

    def writeConnectionLost() -> None:
        halfCloseable: Any = IHalfCloseableProtocol(following, None)
        if halfCloseable is not None:
            halfCloseable.writeConnectionLost()

    for method in (dataReceived, connectionLost, readConnectionLost, writeConnectionLost):
        setattr(leaving, method.__name__, method)
