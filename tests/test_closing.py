"""
How a transport on top of another ends: in order, without loss, and in time.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.contract import LARGE, Flood
from tests.support.layers import END, FramedTransport, frame
from tests.support.sockets import ROOM, SocketWire
from tests.support.wires import HalfCloseRecorder, Recorder

#: Seconds.
CLOSE_TIMEOUT = 10.0


class UndeclaredTransport(FramedTransport):
    """
    A layer whose class says nothing of interfaces itself.
    """


class ClosingTests(SynchronousTestCase):
    """
    One end with a layer, on a transport of Twisted's; the peer is what the test makes of it.
    """

    def setUp(self) -> None:
        self.wire = SocketWire()
        self.above, self.peer = HalfCloseRecorder(), HalfCloseRecorder()
        self.stream = FramedTransport(self.wire.clock, self.above, CLOSE_TIMEOUT)
        self.wire.join(self.peer, self.stream)
        self.wire.flush()

    def read(self, turns: int = 1) -> None:
        """
        Have the peer read a little, which it does not do otherwise.
        """
        self.wire.client.resumeProducing()
        for _ in range(turns):
            self.wire.step()
        self.wire.client.pauseProducing()

    def later(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.wire.clock.advance(seconds)
        self.wire.flush()

    def assertLost(self, reason: type[Exception]) -> None:
        """
        The protocol above has lost its connection, the connection below is gone, and no deadline is left.
        """
        self.assertEqual([lost.type for lost in self.above.lost], [reason])
        self.assertFalse(self.wire.server.connected)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_interfaces(self) -> None:
        """
        A layer provides what its class does, be that inherited, and not what the transport below provides,
        to which other names that it does not have lead.
        """
        stream = UndeclaredTransport(self.wire.clock, HalfCloseRecorder())
        SocketWire(clock=self.wire.clock).join(Recorder(), stream)
        self.assertTrue(verifyObject(IHalfCloseableProtocol, stream))
        self.assertFalse(ITCPTransport.providedBy(stream))
        self.assertIs(stream.getTcpNoDelay.__self__, stream.transport)

    def test_inOrder(self) -> None:
        """
        The octets, the mark, and the end of the stream; when the peer has ended too, it is over.
        """
        self.stream.write(b"last words")
        self.stream.loseConnection()
        self.wire.flush()
        self.assertEqual(self.peer.received, frame(b"last words") + END)
        self.assertEqual((self.peer.readClosed, self.above.lost), (1, []))
        self.wire.client.write(END)
        self.wire.flush()
        self.assertLost(ConnectionDone)

    def test_peerJustEnds(self) -> None:
        """
        A peer that ends below after this side has closed has ended.
        """
        self.stream.loseConnection()
        self.wire.flush()
        self.wire.client.loseConnection()
        self.wire.flush()
        self.assertLost(ConnectionDone)

    def test_readToTheEnd(self) -> None:
        """
        What the peer still sends is read, so that no reset destroys what it has not read yet.
        """
        self.wire.client.pauseProducing()
        self.stream.write(LARGE[:ROOM])
        self.stream.loseConnection()
        self.wire.client.write(frame(LARGE))
        self.wire.flush()
        self.assertEqual(self.above.received, b"")
        self.wire.client.resumeProducing()
        self.wire.client.write(END)
        self.wire.flush()
        self.assertTrue(self.peer.received == frame(LARGE[:ROOM]) + END)
        self.assertLost(ConnectionDone)

    def test_closedWhilePaused(self) -> None:
        """
        A stream that was paused reads again when it closes, to see the peer end.
        """
        self.stream.pauseProducing()
        self.stream.loseConnection()
        self.wire.client.write(frame(b"nobody wants this") + END)
        self.wire.flush()
        self.assertEqual(self.above.received, b"")
        self.assertLost(ConnectionDone)

    def test_silence(self) -> None:
        """
        A peer that has read all but does not end is not waited for; what it has not read yet still arrives.
        """
        self.wire.client.pauseProducing()
        self.stream.write(b"last words")
        self.stream.loseConnection()
        self.wire.flush()
        self.later(CLOSE_TIMEOUT - 1)
        self.assertEqual(self.above.lost, [])
        self.later(1)
        self.assertLost(ConnectionDone)
        self.read(2)
        self.assertEqual(self.peer.received, frame(b"last words") + END)

    def test_slowReader(self) -> None:
        """
        A peer that reads gets everything, however slowly it does.
        """
        self.wire.client.pauseProducing()
        self.stream.write(LARGE)
        self.stream.loseConnection()
        while self.stream.pending:
            self.later(CLOSE_TIMEOUT - 1)
            self.assertEqual(self.above.lost, [])
            self.read()
        self.assertGreater(self.wire.clock.seconds(), 5 * CLOSE_TIMEOUT)
        self.wire.client.resumeProducing()
        self.wire.flush()
        self.assertTrue(self.peer.received == frame(LARGE) + END)
        self.wire.client.loseConnection()
        self.wire.flush()
        self.assertLost(ConnectionDone)

    def test_noReader(self) -> None:
        """
        A peer that does not read what it was sent is aborted, and that is no proper end.
        """
        self.wire.client.pauseProducing()
        self.stream.write(LARGE)
        self.stream.loseConnection()
        self.later(CLOSE_TIMEOUT - 1)
        self.read()
        for _ in range(2):
            self.assertEqual(self.above.lost, [])
            self.later(CLOSE_TIMEOUT)
        self.assertLost(ConnectionLost)

    def test_firstReason(self) -> None:
        """
        The first reason for the end of a connection stands.
        """
        self.wire.client.pauseProducing()
        self.stream.write(LARGE)
        self.wire.client.write(frame(b"x")[:-1])
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        (first,) = self.above.lost
        self.assertIn("truncated", str(first.value))
        self.later(CLOSE_TIMEOUT)
        self.assertEqual(self.above.lost, [first])
        self.assertLost(ConnectionLost)

    def test_waitsForTheProducer(self) -> None:
        """
        While a producer has not left, and the peer reads what there is, a close waits.
        """
        self.stream.registerProducer(Nothing(), True)
        self.stream.loseConnection()
        self.later(CLOSE_TIMEOUT)
        self.later(CLOSE_TIMEOUT)
        self.stream.write(b"last words")
        self.wire.flush()
        self.assertEqual((self.peer.received, self.peer.readClosed), (frame(b"last words"), 0))
        self.stream.unregisterProducer()
        self.wire.flush()
        self.assertEqual((self.peer.received[-4:], self.peer.readClosed), (END, 1))

    def test_producerAndNoReader(self) -> None:
        """
        A peer that does not read cannot keep a closing connection, whatever there still is to write.
        """
        self.wire.client.pauseProducing()
        flood = Flood(self.stream, self.wire)  # type: ignore[arg-type]
        self.wire.flush()
        self.stream.loseConnection()
        self.later(CLOSE_TIMEOUT)
        self.assertTrue(flood.stopped)
        self.assertLost(ConnectionLost)

    def test_peerEndsBelowWhileProducing(self) -> None:
        """
        A peer that will send no more may still read what a producer has.
        """
        flood = Flood(self.stream, self.wire)  # type: ignore[arg-type]
        self.stream.loseConnection()
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertEqual(flood.sent, len(LARGE))
        self.assertTrue(self.peer.received.endswith(LARGE[-100:] + END))
        self.assertLost(ConnectionDone)

    def test_heldBelow(self) -> None:
        """
        Should the transport below wait for something itself when all is sent, it is aborted in the end.
        """
        self.wire.held = True
        self.stream.loseConnection()
        self.later(CLOSE_TIMEOUT)
        self.assertTrue(self.wire.server.disconnecting)
        self.assertEqual(self.above.lost, [])
        self.later(CLOSE_TIMEOUT)
        self.assertLost(ConnectionAborted)

    def test_pending(self) -> None:
        """
        What the socket has not taken is pending, and what it takes later is counted.
        """
        self.wire.client.pauseProducing()
        self.stream.write(LARGE)
        self.assertEqual((self.stream.pending, self.stream.taken), (len(frame(LARGE)) - ROOM, 0))
        self.wire.client.resumeProducing()
        self.wire.flush()
        self.assertEqual((self.stream.pending, self.stream.taken), (0, len(frame(LARGE)) - ROOM))


class OtherTransportTests(SynchronousTestCase):
    """
    On a transport that can do less.
    """

    def test_noAbort(self) -> None:
        """
        Where the transport below knows no abort, it is closed.
        """

        class Transport(StringTransport):
            abortConnection = property()

        transport: Any = Transport()
        stream = FramedTransport(SocketWire().clock, Recorder())
        stream.makeConnection(transport)
        self.assertFalse(hasattr(transport, "abortConnection"))
        stream.abortConnection()
        self.assertTrue(transport.disconnecting)


class Nothing:
    """
    A producer that has nothing for now.
    """

    def pauseProducing(self) -> None:
        """
        Nothing.
        """

    def resumeProducing(self) -> None:
        """
        Nothing.
        """

    def stopProducing(self) -> None:
        """
        Nothing.
        """
