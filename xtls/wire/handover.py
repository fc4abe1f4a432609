"""
One protocol takes a connection over from another, and the other leaves the path.

Protocols that only decide (what does this peer speak?) or only open (a handshake) use this when they are
done: from the next octet on, the transport calls the protocol that follows, with nothing in between.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from xtls.wire.inflow import receiveNoMore

__all__ = ["handOver"]

_log = Logger()

#: Where transports hold the protocol (wrappers have the second one too: that of the transport below).
_HOLDING: Final = ("wrappedProtocol", "protocol")

_PAUSING: Final = ("pauseProducing", "resumeProducing")


def handOver(
    transport: ITransport,
    leaving: Any,
    following: IProtocol,
    prefix: bytes = b"",
    *,
    ended: bool = False,
    known: bool = True,
) -> None:
    """
    Let C{following} take the connection over from C{leaving}.

    The transport's own reference is changed where it has one (C{protocol} of a socket, C{wrappedProtocol} of
    a wrapper).  Where somebody else holds C{leaving}, such as the protocol that Twisted's client endpoints
    put in between, that one reaches C{following} through it.

    @param transport: the transport of the connection.
    @param leaving: the protocol instance that is connected now.  It is not told that it leaves, and has let
        go of the transport already: no producer of its own is registered, no L{Outflow
        <xtls.wire.outflow.Outflow>} open.
    @param following: a protocol that is not connected yet.
    @param prefix: octets that C{leaving} has seen and that belong to C{following}: delivered once, after
        C{makeConnection}; when it resumes the transport, if it pauses it in there; if it closes it, never.
    @param ended: whether C{leaving} has been told already that the peer sends no more: C{following} is told
        so after the prefix.
    @param known: whether others than the transport may hold C{leaving}, or it may be called by itself.
    """
    receiveNoMore(transport)
    takes = prefix and getattr(following, "takesAtOnce", False)
    held = _Held(transport, following, prefix, ended) if prefix and not takes else None
    for name in _HOLDING:
        if getattr(transport, name, None) is leaving:
            setattr(transport, name, following)
            break
    else:
        known = True
    if known:
        _lead(transport, leaving, following, held)
    following.makeConnection(transport)
    if held is not None:
        held.connected()
        return
    if takes and _open(transport):
        following.dataReceived(prefix)
    if ended and _open(transport):
        _tellEnd(transport, following)


def _last(transport: Any, following: Any) -> Any:
    """
    Who has the connection by now: C{following}, or whom that has handed it over to.
    """
    for name in _HOLDING:
        found = getattr(transport, name, None)
        if found is not None:
            return found
    return following  # which leads on


def _open(transport: Any) -> bool:
    """
    Whether a transport still delivers.
    """
    return bool(getattr(transport, "connected", True) and not getattr(transport, "disconnecting", False))


class _Held:
    """
    The prefix, until the protocol that follows wants it.

    A socket that is paused delivers nothing, and protocols count on that: one that must first connect to
    somebody else pauses its transport in C{connectionMade}, and has no place for what comes before it resumes
    it.  So while there is a prefix, the transport's methods that pause and resume are replaced by those here.
    """

    def __init__(self, transport: Any, following: Any, prefix: bytes, ended: bool) -> None:
        self._transport = transport
        self._following = following
        self._prefix = prefix
        self._connecting = True
        self._paused = False
        self._ended = ended
        self._own: dict[str, Any] = {}  # what the transport, and not its class, has under the two names
        self._pauseTransport = getattr(transport, "pauseProducing", _nothing)
        self._resumeTransport = getattr(transport, "resumeProducing", _nothing)
        if self._pauseTransport is not _nothing:
            self._own = {name: vars(transport)[name] for name in _PAUSING if name in vars(transport)}
            transport.pauseProducing, transport.resumeProducing = self._pause, self._resume

    def connected(self) -> None:
        """
        The protocol that follows is connected.
        """
        self._connecting = False
        if not self._paused:
            self._deliver()

    def end(self) -> bool:
        """
        The peer sends no more.

        @return: whether that must wait until the prefix is delivered.
        """
        self._ended = bool(self._prefix)
        return self._ended

    def _pause(self) -> None:
        """
        In place of the transport's method.
        """
        self._paused = True
        self._pauseTransport()

    def _resume(self) -> None:
        """
        In place of the transport's method.
        """
        self._paused = False
        if self._prefix and not self._connecting:
            try:
                self._deliver()
            except Exception:
                # Whoever resumes is not to blame; the connection ends as it would in a reactor.
                _log.failure("a protocol failed")
                getattr(self._transport, "abortConnection", self._transport.loseConnection)()
        if not self._paused:
            self._resumeTransport()

    def _deliver(self) -> None:
        """
        Deliver, unless the connection has ended meanwhile; and leave.
        """
        transport, following = self._transport, _last(self._transport, self._following)
        prefix, self._prefix = self._prefix, b""
        try:
            if _open(transport):
                following.dataReceived(prefix)
                if self._ended:
                    _tellEnd(transport, following)
        finally:
            if self._pauseTransport is not _nothing:
                for name in _PAUSING:
                    del vars(transport)[name]
                vars(transport).update(self._own)


def _nothing() -> None:
    """
    The transport cannot be paused.
    """


def _tellEnd(transport: Any, following: Any) -> None:
    """
    Tell a protocol that its peer sends no more.
    """
    halfCloseable: Any = IHalfCloseableProtocol(following, None)
    if halfCloseable is not None:
        halfCloseable.readConnectionLost()
    else:
        transport.loseConnection()  # as a socket does


def _lead(transport: ITransport, leaving: Any, following: Any, held: _Held | None) -> None:
    """
    Have what C{leaving} is told from now on reach C{following}, or whoever has followed that by then.
    """

    def dataReceived(data: bytes) -> None:
        following.dataReceived(data)

    def connectionLost(reason: Failure = connectionDone) -> None:
        following.connectionLost(reason)

    def readConnectionLost() -> None:
        if held is None or not held.end():
            _tellEnd(transport, following)

    def writeConnectionLost() -> None:
        halfCloseable: Any = IHalfCloseableProtocol(following, None)
        if halfCloseable is not None:
            halfCloseable.writeConnectionLost()

    for method in (dataReceived, connectionLost, readConnectionLost, writeConnectionLost):
        setattr(leaving, method.__name__, method)
