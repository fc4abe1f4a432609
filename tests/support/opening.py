"""
Opening handshakes of WebSocket, for tests of what comes after them.
"""

from __future__ import annotations

from twisted.internet.protocol import Protocol

from xtls.wire.websocket import WebSocketAcceptor

URL = "ws://localhost:10000/"


class Asked(Protocol):
    """
    A server that accepts every request, or answers something else.

    @ivar answer: what to answer in place of a WebSocket.
    @ivar accepted: what the acceptor said.
    """

    answer: bytes | None = None
    accepted: bool | None = None

    def __init__(self, acceptor: WebSocketAcceptor) -> None:
        self.acceptor = acceptor
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        """
        Wait for the end of the head.
        """
        self.data += data
        head, end, rest = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        assert self.transport is not None
        if self.answer is not None:
            self.transport.write(self.answer)
            self.transport.loseConnection()
            return
        self.accepted = self.acceptor.accept(self.transport, self, keyOf(head), [b"binary"], rest)


def keyOf(head: bytes) -> bytes:
    """
    The key in the head of a request.
    """
    return next(line[19:] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))
