"""
What goes out of a transport on top of another: writes, the producer, and the end of this side's direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from tests.support.contract import LARGE, Flood, Well
from tests.support.layers import END, FramedTransport, frame
from tests.support.sockets import ROOM, SocketWire
from tests.support.wires import HalfCloseRecorder, Recorder


class Answering(HalfCloseRecorder):
    """
    Does something with the first octets.

    @ivar answer: what.
    """

    def answer(self) -> None:
        """
        Nothing.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Remember, and do it.
        """
        super().dataReceived(data)
        answer, self.answer = self.answer, lambda: None  # type: ignore[method-assign]
        answer()


class WritingTests(SynchronousTestCase):
    """
    One end with a layer, on a transport of Twisted's; the peer sees what goes over the wire.
    """

    def setUp(self) -> None:
        self.wire = SocketWire()
        self.above, self.peer = Answering(), HalfCloseRecorder()
        self.stream = FramedTransport(self.wire.clock, self.above)
        self.wire.join(self.peer, self.stream)
        self.wire.flush()

    def inDelivery(self, answer: Callable[[], object]) -> None:
        """
        Do something while octets are delivered.
        """
        self.above.answer = answer  # type: ignore[method-assign, assignment]
        self.wire.client.write(frame(b"question"))
        self.wire.flush()

    def sends(self) -> list[bytes]:
        """
        What was sent, send by send.
        """
        return self.wire.server.fake.sent

    def assertSent(self, *data: bytes) -> None:
        """
        The peer has received these frames.
        """
        self.wire.flush()
        self.assertEqual(self.peer.received, b"".join(data))

    # Writing

    def test_atOnce(self) -> None:
        """
        A write is sent in the same turn.
        """
        self.stream.write(b"one")
        self.stream.write(memoryview(b"two"))
        self.assertEqual(self.sends(), [frame(b"one"), frame(b"two")])

    def test_inDelivery(self) -> None:
        """
        Small writes that are made while octets are delivered go out together when that is done.
        """
        view = bytearray(b"three")

        def answer() -> None:
            for data in (b"one", b"two", memoryview(view)):
                self.stream.write(data)
            view[:] = b"-----"
            self.assertEqual(self.sends(), [])

        self.inDelivery(answer)
        self.assertEqual(self.sends(), [frame(b"onetwothree")])

    def test_oneInDelivery(self) -> None:
        """
        A single small one is just that.
        """
        self.inDelivery(lambda: self.stream.write(b"one"))
        self.assertEqual(self.sends(), [frame(b"one")])

    def test_largeInDelivery(self) -> None:
        """
        Long writes are not gathered, and the order is kept.
        """
        long = LARGE[:5000]

        def answer() -> None:
            for data in (b"one", long, b"two", b"three"):
                self.stream.write(data)

        self.inDelivery(answer)
        self.assertSent(frame(b"one"), frame(long), frame(b"twothree"))

    def test_muchInDelivery(self) -> None:
        """
        When they are many, they do not wait for the end of the delivery: who writes them must be able to see
        that nobody reads them.
        """
        for size in (100, 5000):
            self.setUp()
            self.wire.client.pauseProducing()
            written: list[int] = []

            def answer(size: int = size, written: list[int] = written) -> None:
                while not self.stream.pending and len(written) < 100_000:
                    self.stream.write(bytes(size))
                    written.append(size)

            self.inDelivery(answer)
            self.assertLess(sum(written), ROOM + 200_000)

    def test_afterDelivery(self) -> None:
        """
        After a delivery, writes go out at once again.
        """
        self.inDelivery(lambda: None)
        self.stream.write(b"one")
        self.assertEqual(self.sends(), [frame(b"one")])

    def test_nothing(self) -> None:
        """
        To write nothing is nothing.
        """
        self.stream.write(b"")
        self.stream.writeSequence([])
        self.assertEqual(self.sends(), [])

    def test_sequence(self) -> None:
        """
        Several pieces are one write.
        """
        self.stream.writeSequence(iter([b"one", b"two"]))
        self.assertEqual(self.sends(), [frame(b"onetwo")])

    # The end

    def test_closeInDelivery(self) -> None:
        """
        What was written before a close in the same delivery goes out before the mark.
        """

        def answer() -> None:
            self.stream.write(b"last")
            self.stream.loseConnection()
            self.stream.write(b"too late")

        self.inDelivery(answer)
        self.assertSent(frame(b"last"), END)

    def test_abortInDelivery(self) -> None:
        """
        An abort drops what was gathered.
        """

        def answer() -> None:
            self.stream.write(b"last")
            self.stream.abortConnection()
            self.stream.write(b"too late")

        self.inDelivery(answer)
        self.assertEqual(self.sends(), [])
        self.assertEqual([lost.type for lost in self.above.lost], [ConnectionAborted])

    def test_failInDelivery(self) -> None:
        """
        When the layer fails in the midst of a delivery, nothing is sent after what it has to say.
        """

        def answer() -> None:
            self.stream.write(b"last")
            self.stream._fail(self.stream._truncated())

        self.inDelivery(answer)
        self.assertEqual(self.sends(), [])

    def test_halfClose(self) -> None:
        """
        A half close says so once, to a protocol that knows it; nothing is written after it.
        """
        self.stream.write(b"last")
        self.stream.loseWriteConnection()
        self.stream.loseWriteConnection()
        self.stream.write(b"too late")
        self.assertSent(frame(b"last"), END)
        self.assertEqual((self.above.writeClosed, self.above.lost), (1, []))

    def test_halfCloseNotUnderstood(self) -> None:
        """
        A protocol that does not know half-close may ask for one all the same; it is not told.
        """
        wire, peer = SocketWire(), HalfCloseRecorder()
        stream = FramedTransport(wire.clock, Recorder())
        wire.join(peer, stream)
        stream.loseWriteConnection()
        wire.flush()
        self.assertEqual(peer.received, END)

    def test_halfCloseWhileClosing(self) -> None:
        """
        Who is closing has nothing to close by half.
        """
        self.stream.registerProducer(Well(self.stream, [b"last"]), False)
        self.stream.loseConnection()
        self.stream.loseWriteConnection()
        self.assertSent(frame(b"last"), END)
        self.assertEqual(self.above.writeClosed, 0)

    # The producer

    def test_halfCloseWaits(self) -> None:
        """
        A half close waits until the producer has left, and loses nothing that it writes; reading goes on.
        """
        self.stream.registerProducer(Well(self.stream, [b"one", b"two", b"three"]), False)
        self.stream.loseWriteConnection()
        self.assertEqual(self.above.writeClosed, 0)
        self.assertSent(frame(b"one"), frame(b"two"), frame(b"three"), END)
        self.wire.client.write(frame(b"answer"))
        self.wire.flush()
        self.assertEqual((self.above.received, self.above.writeClosed), (b"answer", 1))

    def test_halfCloseThenClose(self) -> None:
        """
        When both wait, both happen, in order.
        """
        self.stream.registerProducer(Well(self.stream, [b"one", b"two"]), False)
        self.stream.loseWriteConnection()
        self.stream.loseConnection()
        self.assertSent(frame(b"one"), frame(b"two"), END)
        self.wire.client.write(END)
        self.wire.flush()
        self.assertEqual([lost.type for lost in self.above.lost], [ConnectionDone])

    def test_pressure(self) -> None:
        """
        The producer is paused while the socket has not taken all.
        """
        self.wire.client.pauseProducing()
        flood = Flood(self.stream, self.wire)  # type: ignore[arg-type]
        self.wire.flush()
        self.assertTrue(flood.paused)
        self.assertLessEqual(self.stream.pending, len(frame(bytes(flood.size))))
        self.wire.client.resumeProducing()
        self.wire.flush()
        self.assertEqual((flood.paused, flood.sent), (False, len(LARGE)))

    def test_unregister(self) -> None:
        """
        To unregister nobody is nothing, also while closing.
        """
        self.stream.unregisterProducer()
        self.stream.loseConnection()
        self.stream.unregisterProducer()
        self.assertSent(END)

    def test_stopConsuming(self) -> None:
        """
        A producer that wants the connection to end leaves, and it is closed, in order.
        """
        self.stream.registerProducer(Well(self.stream, [b"never"]), True)
        self.stream.write(b"last")
        self.stream.stopConsuming()
        self.assertSent(frame(b"last"), END)

    def test_lateProducer(self) -> None:
        """
        A producer that comes after the end is stopped.
        """
        self.wire.cut()
        producer = Well(self.stream, [b"never"])
        self.stream.registerProducer(producer, True)
        self.assertTrue(producer.stopped)

    def test_producerLeavesAfterTheEnd(self) -> None:
        """
        A producer that leaves when it is told to stop changes nothing.
        """

        class Leaving(Well):
            def stopProducing(self) -> None:
                super().stopProducing()
                self.transport.unregisterProducer()

        producer = Leaving(self.stream, [b"never"])
        self.stream.registerProducer(producer, True)
        self.stream.loseConnection()
        self.stream._fail(self.stream._truncated())
        self.assertTrue(producer.stopped)
        self.wire.flush()
        self.assertSent()

    def test_faultyProducer(self) -> None:
        """
        A producer that raises when it is asked loses the connection, as it would on a socket.
        """
        producer: Any = Well(self.stream, [])  # has nothing to pop
        self.stream.registerProducer(producer, False)
        self.wire.flush()
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.assertEqual([lost.type for lost in self.above.lost], [IndexError])
        self.assertTrue(producer.stopped)
        self.assertFalse(self.wire.server.connected)
