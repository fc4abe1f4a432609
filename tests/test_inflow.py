"""
Reading from sockets into the buffer that all connections share.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from xtls.wire.inflow import READ_SIZE, directSocket, endInLoss, receiveDirectly, receiveNoMore


class FakeSocket:
    """
    A socket that has something to read, or fails.
    """

    def __init__(self) -> None:
        self.arrived: list[bytes | OSError] = []

    def setblocking(self, flag: bool) -> None:
        """
        Nothing blocks here.
        """

    def fileno(self) -> int:
        """
        A number that no reactor is asked about.
        """
        return 1000

    def recv_into(self, buffer: memoryview) -> int:
        """
        The next thing that has arrived.
        """
        data = self.arrived.pop(0)
        if isinstance(data, OSError):
            raise data
        buffer[: len(data)] = data
        return len(data)


class ReceiveDirectlyTests(SynchronousTestCase):
    """
    L{receiveDirectly} and L{receiveNoMore}.
    """

    def setUp(self) -> None:
        self.socket = FakeSocket()
        skt: Any = self.socket
        reactor: Any = MemoryReactorClock()
        self.transport = Connection(skt, Protocol(), reactor)
        self.received: list[bytes] = []
        receiveDirectly(self.transport, lambda view: self.received.append(bytes(view)))

    def test_views(self) -> None:
        """
        What is read is delivered as a view of just that, up to the size of the shared buffer.
        """
        self.socket.arrived = [b"one", b"x" * READ_SIZE]
        self.assertIsNone(self.transport.doRead())
        self.assertIsNone(self.transport.doRead())
        self.assertEqual([len(data) for data in self.received], [3, READ_SIZE])
        self.assertEqual(self.received[0], b"one")

    def test_nothingThere(self) -> None:
        """
        A socket that has nothing after all is no failure.
        """
        self.socket.arrived = [BlockingIOError(errno.EAGAIN, "again")]
        self.assertIsNone(self.transport.doRead())
        self.assertEqual(self.received, [])

    def test_ends(self) -> None:
        """
        The end of the stream and the loss of the connection are told to the reactor as Twisted tells them.
        """
        self.socket.arrived = [b"", ConnectionResetError(errno.ECONNRESET, "reset")]
        self.assertIsInstance(self.transport.doRead(), ConnectionDone)
        self.assertIsInstance(self.transport.doRead(), ConnectionLost)
        self.assertEqual(self.received, [])

    def test_endInLoss(self) -> None:
        """
        Where the end is known to be a loss, it is told as one, after what can still be read.
        """
        endInLoss(self.transport)
        self.socket.arrived = [b"one", b"", ConnectionResetError(errno.ECONNRESET, "reset")]
        self.assertIsNone(self.transport.doRead())
        self.assertEqual(self.received, [b"one"])
        self.assertIsInstance(self.transport.doRead(), ConnectionLost)
        self.assertIsInstance(self.transport.doRead(), ConnectionLost)

    def test_endInLossForAll(self) -> None:
        """
        It is so for whoever is given octets later.
        """
        endInLoss(self.transport)
        receiveNoMore(self.transport)
        receiveDirectly(self.transport, lambda view: self.received.append(bytes(view)))
        self.socket.arrived = [b"one", b""]
        self.assertIsNone(self.transport.doRead())
        self.assertIsInstance(self.transport.doRead(), ConnectionLost)
        self.assertEqual(self.received, [b"one"])

    def test_noMore(self) -> None:
        """
        When it is undone, the transport reads as Twisted made it; undoing it twice does no harm.
        """
        receiveNoMore(self.transport)
        receiveNoMore(self.transport)
        self.assertEqual(self.transport.doRead.__func__, Connection.doRead)  # type: ignore[attr-defined]


class OtherTransportsTests(SynchronousTestCase):
    """
    What is not a plain socket is left as it is.
    """

    def test_notASocket(self) -> None:
        """
        A transport that is no socket has no direct way.
        """
        transport = StringTransport()
        receiveDirectly(transport, lambda view: None)
        self.assertFalse(hasattr(transport, "doRead"))
        self.assertIsNone(directSocket(transport))

    def test_stockTLS(self) -> None:
        """
        A socket on which Twisted's own TLS was started has no direct way: its octets are not ours.
        """
        skt: Any = FakeSocket()
        reactor: Any = MemoryReactorClock()
        transport: Any = Connection(skt, Protocol(), reactor)
        self.assertIs(directSocket(transport), skt)
        transport.TLS = True
        self.assertIsNone(directSocket(transport))
