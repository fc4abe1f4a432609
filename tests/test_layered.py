"""
What TLS and WebSocket streams have in common, on the simplest layer there can be.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any
from weakref import ref

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
)
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.contract import BufferRecorder, PausingRecorder, StreamContract, Well
from tests.support.layers import END, FramedTransport, frame, framed
from tests.support.sockets import SocketWire
from tests.support.wires import HalfCloseRecorder, Recorder, Wire
from xtls.wire.handover import handOver
from xtls.wire.outflow import IBufferTransport


class FramedStreamTests(StreamContract, SynchronousTestCase):
    """
    The contract.
    """

    def stack(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A layer at each end.
        """
        return framed(wire, client, server)


class FramedSocketTests(FramedStreamTests):
    """
    The contract, over Twisted's own transports.
    """

    newWire = SocketWire


class LayeredTests(SynchronousTestCase):
    """
    One end with a layer; the peer is what the test makes of it.
    """

    def setUp(self) -> None:
        self.connect(HalfCloseRecorder())

    def connect(self, above: Any, wire: Any = None) -> None:
        """
        Connect a protocol.
        """
        self.wire = SocketWire() if wire is None else wire
        self.above, self.peer = above, HalfCloseRecorder()
        self.stream = FramedTransport(self.wire.clock, self.above)
        self.wire.join(self.peer, self.stream)
        self.wire.flush()

    def say(self, *data: bytes) -> None:
        """
        Have the peer say something.
        """
        self.wire.client.write(b"".join(data))
        self.wire.flush()

    def assertLost(self, reason: type[Exception]) -> None:
        """
        The protocol above has lost its connection, once.
        """
        self.assertEqual([lost.type for lost in self.above.lost], [reason])

    # The protocol above

    def test_handOver(self) -> None:
        """
        Another protocol may take the place of the one above, in the midst of what arrives; it gets views, if
        it takes them.
        """
        following = BufferRecorder()
        self.above.dataReceived = lambda data: handOver(self.stream, self.above, following, data + b" ")
        self.say(frame(b"one"), frame(b"two"))
        self.assertEqual(following.chunks, [b"(not a view)", b"two"])
        self.assertIs(self.stream.wrappedProtocol, following)

    def test_refusedAbove(self) -> None:
        """
        When the factory above wants no protocol, the connection is aborted.
        """
        self.connect(None)
        self.assertFalse(self.wire.server.connected)
        self.assertEqual([failure.type for failure in self.stream.neverConnected], [ConnectionAborted])

    def test_interfaces(self) -> None:
        """
        It is what the layers above and below take it for.
        """
        for interface in (IBufferTransport, IConsumer, IPushProducer, IHalfCloseableProtocol):
            verifyObject(interface, self.stream)

    def test_kept(self) -> None:
        """
        What a layer has decoded for a protocol that had paused comes first when that resumes, a turn later.
        """
        self.stream.pauseProducing()
        self.stream._kept = b"kept"
        self.say(frame(b"after"))
        self.stream.resumeProducing()
        self.assertEqual(self.above.chunks, [])
        self.wire.flush()
        self.assertEqual(self.above.chunks, [b"kept", b"after"])

    # Waiting for it

    def test_whenConnected(self) -> None:
        """
        Who waits gets the protocol above; when there is one already, at once.
        """
        late = LateTransport(self.wire.clock, self.above)
        late.makeConnection(StringTransport())
        waiting = late.whenConnected()
        self.assertNoResult(waiting)
        late.ready()
        self.assertIs(self.successResultOf(waiting), self.above)
        self.assertIs(self.successResultOf(late.whenConnected()), self.above)

    def test_severalWait(self) -> None:
        """
        Any number may wait.
        """
        late = LateTransport(self.wire.clock, self.above)
        late.makeConnection(StringTransport())
        waiting = [late.whenConnected() for _ in range(2)]
        late.ready()
        self.assertEqual([self.successResultOf(each) for each in waiting], [self.above] * 2)

    def test_adopted(self) -> None:
        """
        The protocol above may be connected already: it is not connected again, may write, and gets what
        arrives; and there is no deadline any more.
        """
        late = LateTransport(self.wire.clock, self.above)
        late.makeConnection(StringTransport())
        late._within(5, self.fail)
        following = HalfCloseRecorder()
        following.transport = late
        late.adopted(following)
        self.assertEqual((following.made, late.wrappedProtocol), (0, following))
        self.wire.clock.advance(6)
        late.write(b"out")
        late.dataReceived(frame(b"in"))
        self.assertEqual((late.transport.value(), following.received), (frame(b"out"), b"in"))

    def test_whenNeverConnected(self) -> None:
        """
        Who waits for a protocol that never is connected hears why, before and after.
        """
        late = LateTransport(self.wire.clock, self.above)
        late.makeConnection(StringTransport())
        waiting = late.whenConnected()
        late.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(waiting, ConnectionLost)
        self.failureResultOf(late.whenConnected(), ConnectionLost)
        self.assertEqual(late.neverConnected, [])

    def test_cancel(self) -> None:
        """
        Who does not want to wait any more ends the connection.
        """
        late = LateTransport(self.wire.clock, self.above)
        transport = StringTransport()
        late.makeConnection(transport)
        waiting = late.whenConnected()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertTrue(transport.disconnected)
        late.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual([failure.type for failure in late.neverConnected], [ConnectionAborted])

    def test_closeBeforeItIsThere(self) -> None:
        """
        A close before there is a protocol above is an abort.
        """
        late = LateTransport(self.wire.clock, self.above)
        transport = StringTransport()
        late.makeConnection(transport)
        late.loseConnection()
        self.assertTrue(transport.disconnected)

    # The end

    def test_lostTwice(self) -> None:
        """
        A transport below that says twice that it is lost is heard once.
        """
        self.connect(HalfCloseRecorder(), Wire())
        for reason in (ConnectionLost, ConnectionDone):
            self.stream.connectionLost(Failure(reason()))
        self.assertLost(ConnectionLost)

    def test_truncated(self) -> None:
        """
        A connection that ends below without the mark was cut short.
        """
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertLost(ConnectionLost)

    def test_truncatedAtOnce(self) -> None:
        """
        The same, on a transport that ends both directions at once.
        """
        self.stream.connectionLost(Failure(ConnectionDone()))
        self.assertLost(ConnectionLost)

    def test_endTwice(self) -> None:
        """
        The peer ends once.
        """
        self.say(END)
        self.say(END)
        self.assertEqual(self.above.readClosed, 1)
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertEqual((self.above.readClosed, self.above.lost), (1, []))

    def closeWithProducer(self, end: Callable[[], object]) -> None:
        """
        Close while there is a producer, have the peer end somehow, and then let the producer write and leave.
        """
        self.stream.registerProducer(Well(self.stream, [b"last"]), True)
        self.stream.loseConnection()
        end()
        self.wire.flush()
        self.stream.write(b"last")
        self.stream.unregisterProducer()
        self.wire.flush()
        self.assertEqual(self.peer.received, frame(b"last") + END)
        self.assertEqual(self.above.readClosed, 0)
        self.assertLost(ConnectionDone)

    def test_endsWhileClosing(self) -> None:
        """
        A peer that ends while this side waits for its producer may still read; the connection ends when the
        producer has left.
        """
        self.closeWithProducer(lambda: self.wire.client.write(END))

    def test_endsBelowWhileClosing(self) -> None:
        """
        The same, for a peer that ends only below.
        """
        self.closeWithProducer(lambda: self.wire.client.loseWriteConnection())

    def test_endsBelowAfterTheClose(self) -> None:
        """
        When this side has closed, the end below is as good as the mark.
        """
        self.stream.loseConnection()
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertLost(ConnectionDone)

    def test_closeOfTheConsumer(self) -> None:
        """
        When the consumer of what arrives is gone, the connection is closed, in order.
        """
        self.stream.stopProducing()
        self.wire.flush()
        self.assertEqual(self.peer.received, END)

    def test_abortTwice(self) -> None:
        """
        An abort is one, however often it is asked for.
        """
        self.stream.abortConnection()
        self.stream.abortConnection()
        self.wire.flush()
        self.stream.abortConnection()
        self.assertLost(ConnectionAborted)

    def test_failsOnce(self) -> None:
        """
        The first failure of a connection is the one that is told.
        """
        self.stream._fail(Failure(ConnectionLost("first")))
        self.stream._fail(Failure(ConnectionLost("second")))
        self.wire.flush()
        self.assertLost(ConnectionLost)
        self.assertIn("first", str(self.above.lost[0].value))

    def test_nothingIsLeft(self) -> None:
        """
        A connection that has ended is not kept alive by itself: nothing waits for the collector of cycles.
        """
        self.stream.write(b"x")
        self.stream.pauseProducing()
        self.stream.resumeProducing()
        self.stream.loseConnection()
        self.say(END)
        self.assertLost(ConnectionDone)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])
        gone = ref(self.stream)
        gc.disable()
        self.addCleanup(gc.enable)
        del self.stream, self.above, self.wire
        self.assertIsNone(gone())

    # Pausing

    def test_endWhilePaused(self) -> None:
        """
        The peer's end is held back by a pause in the midst of what arrives with it, and comes when the stream
        is resumed.
        """
        for recorder in (HalfCloseRecorder, Recorder):
            self.connect(recorder())
            self.above.dataReceived = lambda data: self.stream.pauseProducing()
            self.say(frame(b"last"), END)
            self.wire.client.loseWriteConnection()
            self.wire.flush()
            self.assertEqual((getattr(self.above, "readClosed", 0), self.above.lost), (0, []))
            self.assertFalse(self.stream.disconnecting)
            self.stream.resumeProducing()
            self.wire.flush()
            self.assertTrue(getattr(self.above, "readClosed", 0) or self.above.lost[0].check(ConnectionDone))

    def test_endBelowWhilePaused(self) -> None:
        """
        An end below is judged when all that had arrived is delivered: it is not taken for a truncation while
        the mark is still kept.
        """
        self.connect(HalfCloseRecorder(), Wire())
        self.above.dataReceived = lambda data: self.stream.pauseProducing()
        self.say(frame(b"one"), frame(b"two"), END)
        self.stream.readConnectionLost()
        self.stream.resumeProducing()
        self.wire.flush()
        self.assertEqual((self.above.readClosed, self.above.lost), (0, []))
        self.stream.resumeProducing()
        self.wire.flush()
        self.assertEqual((self.above.readClosed, self.above.lost), (1, []))

    def test_endBelowBetween(self) -> None:
        """
        An end below that comes between a resume and the next turn delivers what was kept, first.
        """
        self.connect(PausingRecorder(), Wire())
        self.say(frame(b"one"), frame(b"two"), END)
        self.assertEqual(self.above.chunks, [b"one"])
        self.stream.resumeProducing()
        self.stream.readConnectionLost()
        self.assertEqual(self.above.chunks, [b"one", b"two"])
        self.assertEqual((self.above.readClosed, self.above.lost), (1, []))
        self.wire.flush()
        self.assertEqual((self.above.readClosed, self.above.lost), (1, []))

    def test_truncatedWhilePaused(self) -> None:
        """
        A truncation is told after what had arrived before it.
        """
        self.connect(PausingRecorder(), Wire())
        self.say(frame(b"one"), frame(b"two"))
        self.stream.readConnectionLost()
        self.assertEqual(self.above.lost, [])
        self.stream.resumeProducing()
        self.wire.flush()
        self.assertEqual(self.above.chunks, [b"one", b"two"])
        self.assertLost(ConnectionLost)

    def test_inOrder(self) -> None:
        """
        What had arrived before a pause comes before what arrives after it: the transport below is not resumed
        earlier.
        """
        self.connect(PausingRecorder())
        self.say(frame(b"one"), frame(b"two"))
        self.say(frame(b"three"))
        self.stream.resumeProducing()
        self.assertNotIn(self.wire.server, self.wire.reactor.readers)
        self.wire.flush()
        self.assertEqual(self.above.chunks, [b"one", b"two", b"three"])

    def test_pausedAgain(self) -> None:
        """
        A stream that is paused again before the next turn delivers nothing in it.
        """
        self.connect(PausingRecorder())
        self.say(frame(b"one"), frame(b"two"))
        self.stream.resumeProducing()
        self.stream.pauseProducing()
        self.say(frame(b"three"))
        self.assertEqual(self.above.chunks, [b"one"])
        self.assertNotIn(self.wire.server, self.wire.reactor.readers)

    def test_closedBetween(self) -> None:
        """
        A stream that is closed before the next turn delivers nothing any more, and sees the peer's end.
        """
        self.connect(PausingRecorder())
        self.say(frame(b"one"), frame(b"two"))
        self.stream.resumeProducing()
        self.stream.loseConnection()
        self.say(frame(b"three"), END)
        self.assertEqual(self.above.chunks, [b"one"])
        self.assertLost(ConnectionDone)

    def test_lostBetween(self) -> None:
        """
        A stream that is lost before the next turn delivers nothing any more.
        """
        self.connect(PausingRecorder())
        self.say(frame(b"one"), frame(b"two"))
        self.stream.resumeProducing()
        self.wire.cut()
        self.wire.flush()
        self.assertEqual(self.above.chunks, [b"one"])
        self.assertLost(ConnectionLost)
        self.stream.resumeProducing()

    def test_faultyAfterAPause(self) -> None:
        """
        A protocol that raises when it gets what was kept loses its connection too, as it would in a delivery.
        """
        self.connect(PausingRecorder())
        self.say(frame(b"one"), frame(b"two"))
        self.above.dataReceived = lambda data: 1 // 0
        self.stream.resumeProducing()
        self.wire.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertLost(ZeroDivisionError)
        self.assertFalse(self.wire.server.connected)

    def test_faultyAfterTheEnd(self) -> None:
        """
        When the reason for the end is known already, a fault is logged, and changes nothing about it.
        """
        self.connect(PausingRecorder())

        def fail(data: bytes) -> None:
            self.stream.abortConnection()
            raise ZeroDivisionError

        self.say(frame(b"one"), frame(b"two"))
        self.above.dataReceived = fail
        self.stream.resumeProducing()
        self.wire.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertLost(ConnectionAborted)

    # What a relay asks

    def test_relayed(self) -> None:
        """
        Who moves octets by itself is told whether it may: not while the stream is paused, nor after an end.
        """
        stream = self.stream
        stream.outflow.write(frame(b"past it"))
        self.wire.flush()
        self.assertEqual(self.peer.received, frame(b"past it"))
        self.assertEqual((stream.relaying, stream.sending, stream.gone), (True, True, False))
        stream.pauseProducing()
        self.assertFalse(stream.relaying)
        stream.resumeProducing()
        self.assertTrue(stream.relaying)
        self.say(END)
        self.assertEqual((stream.relaying, stream.sending), (False, True))
        stream.loseWriteConnection()
        self.assertFalse(stream.sending)
        self.wire.cut()
        self.assertTrue(stream.gone)

    def test_pauseWhileClosing(self) -> None:
        """
        A stream that is closing cannot be paused: it has to see the peer end.
        """
        self.stream.loseConnection()
        self.stream.pauseProducing()
        self.say(END)
        self.assertLost(ConnectionDone)


class LateTransport(FramedTransport):
    """
    A layer that is not ready when there is a connection below.
    """

    def opened(self) -> None:
        """
        Not yet.
        """

    def ready(self) -> None:
        """
        Now.
        """
        super().opened()
