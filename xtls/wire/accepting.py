"""
Taking connections off a listening socket, many at a time when many come.

L{acceptDirectly} replaces what one of Twisted's ports does when clients are waiting: no address is looked up
and no name made before somebody asks, and C{TCP_NODELAY} is set once, on the listening socket, where the
system hands it on.  Whatever goes wrong is left to Twisted's own way, which knows what to do when there are
no descriptors left.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from xtls.wire.sockets import StreamSocket

__all__ = ["acceptDirectly"]

_log = Logger()

Serve = Callable[[socket.socket, Any], object]

#: Connections that are taken in one turn at most, so that those that are there already get theirs.
_AT_ONCE: Final = 64

#: Systems where an accepted socket has the listening one's options.
_INHERITING: Final = frozenset({"linux"})


def acceptDirectly(port: IListeningPort, serve: Serve | None = None) -> IListeningPort:
    """
    Have the connections of a port be L{StreamSocket}s.  Ports of other kinds than Twisted's for TCP are left
    alone.

    @param port: it listens already; its factory's C{buildProtocol} must not need the address.
    @param serve: is given the connections, in place of the factory: each a socket, which does not block and
        has C{TCP_NODELAY} set, and where the peer is, as the system has it.  Where a connection does not have
        the listening socket's options, they are the factory's all the same.
    @return: the same port.
    """
    if type(port) is tcp.Port and isinstance(getattr(port, "socket", None), socket.socket):
        _Acceptor(port, serve)
    return port


class _Acceptor:
    """
    The connections of one port.
    """

    def __init__(self, port: tcp.Port, serve: Serve | None) -> None:
        self._port = port
        self._stock = port.doRead
        self._inherits = sys.platform in _INHERITING
        self._serve = serve if serve is not None and self._inherits else self._connected
        if self._inherits:
            port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        port.doRead = self.doRead  # type: ignore[method-assign]

    def doRead(self) -> None:
        """
        Clients are waiting.
        """
        port = self._port
        accept, limit = port.socket.accept, min(port.numberAccepts, _AT_ONCE)
        for count in range(limit):
            try:
                sock, peer = accept()
            except BlockingIOError:
                port.numberAccepts = max(1, count)
                return
            except OSError:
                self._stock()
                return
            try:
                sock.setblocking(False)
                self._serve(sock, peer)
            except Exception:
                _log.failure("a connection cannot be served")
        port.numberAccepts = 2 * limit

    def _connected(self, sock: socket.socket, peer: Any) -> None:
        """
        One of them is there.
        """
        port = self._port
        factory: Any = port.factory
        protocol: Any = None
        try:
            protocol = factory.buildProtocol(None)
        finally:
            if protocol is None:
                sock.close()
        if protocol is None:
            return
        transport = StreamSocket(sock, peer, port.reactor, protocol)
        if self._inherits:
            transport.sendsAtOnce = True
        transport.startReading()
        protocol.makeConnection(transport)
