"""
Sockets of streams: Twisted's own connections, made and closed with less work.

What a L{StreamSocket} does is what L{twisted.internet.tcp.Connection} does, which it is.  It differs in
three things that matter to those who open and close many connections:

  - It is made without the strings that name it in logs; those are made when somebody asks.
  - C{loseConnection} with nothing left to send takes no turn through the reactor's poller, and no call of
    the system but C{close}.
  - What is known of the listening socket (C{TCP_NODELAY} is inherited) is not asked again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from xtls.wire.deadlines import deadlinesOf

__all__ = ["StreamSocket", "addressOf"]

_DONE: Final = Failure(CONNECTION_DONE)

_UNIX: Final = getattr(socket, "AF_UNIX", None)


def addressOf(name: Any) -> IAddress:
    """
    What Twisted calls an address of the system's.

    @param name: as C{getsockname}, C{getpeername} and C{accept} have it: two values for IPv4, four for IPv6,
        and a path for a Unix socket.
    """
    if not isinstance(name, tuple):
        return UNIXAddress(name or None)
    if len(name) > 2:
        host, port, flow, scope = name
        if scope:
            # with the name of the interface, as in fe80::1%eth0
            host = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
        return IPv6Address("TCP", host, port, flow, scope)
    return IPv4Address("TCP", *name)


class StreamSocket(tcp.Connection):
    """
    A connected socket.

    @ivar peer: where the peer is, as the system has it.
    """

    _base = tcp.Connection
    _tempDataLen = 0
    connected = 1
    #: Called when the connection is gone, and its protocol was told.
    whenGone: Callable[[], None] | None = None
    #: Whether C{TCP_NODELAY} is known to be set, or there is no such thing.
    sendsAtOnce = False
    #: For C{startTLS} without saying which side it is.
    _tlsClientDefault = False

    def __init__(self, sock: socket.socket, peer: Any, reactor: Any, protocol: Any = None) -> None:
        """
        @param sock: connected, and not blocking.  Nothing is read before C{startReading}.
        @param peer: where the peer is, as the system has it.
        """
        # All that the constructors above do.
        self.reactor = reactor
        self._tempDataBuffer = []
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        self.peer = peer

    def getHost(self) -> IAddress:
        """
        This side's address.
        """
        return addressOf(self.socket.getsockname())

    def getPeer(self) -> IAddress:
        """
        The peer's address.
        """
        return addressOf(self.peer)

    def getTcpNoDelay(self) -> bool:
        """
        Whether small segments are sent at once.  No Unix socket has this option, as on Twisted's.
        """
        return self.socket.family != _UNIX and super().getTcpNoDelay()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Have small segments sent at once, or gathered.
        """
        if not (enabled and self.sendsAtOnce) and self.socket.family != _UNIX:
            super().setTcpNoDelay(enabled)
            self.sendsAtOnce = enabled

    def logPrefix(self) -> str:
        """
        What Twisted's old log says of events of this connection.
        """
        return f"{type(getattr(self, 'protocol', None)).__name__},{self.fileno()}"

    def __repr__(self) -> str:
        """
        For people.
        """
        return f"<{type(self).__name__} {self.peer!r}>"

    def loseConnection(self) -> None:
        """
        Close when all is sent; in the reactor's next turn, if that is so already.
        """
        if not self._idle():
            super().loseConnection()
        elif self.connected and not self.disconnecting:
            self.disconnecting = 1
            self.stopReading()
            clock: Any = self.reactor
            deadlinesOf(clock).within(0, self._close)

    def loseWriteConnection(self) -> None:
        """
        Send no more, when all is sent; at once, if that is so already.
        """
        if not self.connected or self.disconnecting or self._writeDisconnected:
            return
        if not self._idle():
            super().loseWriteConnection()
            return
        self._writeDisconnecting = self._writeDisconnected = True
        self._closeWriteConnection()

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone: close the socket, and tell the protocol.
        """
        if self.disconnected:
            return
        self.disconnected, self.connected = 1, 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.stopReading()
        self.stopWriting()
        # No other process has this socket: closing it ends the connection.  But octets that have arrived and
        # were not read make a reset of that; there are none when the peer has ended first, and we have not.
        self._shouldShutdown = bool(self.disconnecting)
        self._closeSocket(not isinstance(reason.value, ConnectionAborted))
        protocol = self.protocol
        # as with Twisted's own, whoever still holds this finds nothing to use
        del self.protocol, self.socket, self.fileno
        try:
            protocol.connectionLost(reason)
        finally:
            if self.whenGone is not None:
                self.whenGone()

    def _idle(self) -> bool:
        """
        Whether nothing is left to send, and nobody is there from whom more may come.
        """
        return not (self.dataBuffer or self._tempDataBuffer or self.TLS or self.producer is not None)

    def _close(self) -> None:
        """
        Nothing is left to do; unless something was written even after C{loseConnection}.
        """
        if self._aborting or self.disconnected:
            return
        if self._idle():
            self.connectionLost(_DONE)
        else:
            self.startWriting()
