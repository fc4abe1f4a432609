"""
What goes out of a connection, and the pressure that comes back.
"""

from __future__ import annotations

import errno
import socket
from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.sockets import FakeSocket, SocketTransport, SocketWire
from tests.support.wires import HalfCloseRecorder, Wire
from xtls.wire.outflow import IBufferProtocol, IBufferTransport, Outflow


class Above:
    """
    The source of the octets: what an outflow asks of it.

    @ivar calls: the calls, in order.
    @ivar then: what it does itself when it may go on.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def then(self) -> None:
        """
        Nothing.
        """

    def pause(self) -> None:
        """
        Pause.
        """
        self.calls.append("pause")

    def resume(self) -> None:
        """
        Go on.
        """
        self.calls.append("resume")
        self.then()


@implementer(IBufferTransport)
class BufferTransport(StringTransport):
    """
    A transport that takes views, and knows what is below it.
    """

    pending = 77
    taken = 99

    def __init__(self) -> None:
        super().__init__()
        self.views: list[object] = []

    def write(self, data: Any) -> None:
        """
        Remember what came.
        """
        self.views.append(data)


class DirectTests(SynchronousTestCase):
    """
    L{Outflow} on a transport of Twisted's, over a socket that is none.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.socket = FakeSocket()
        self.above = Above()
        self.drained = 0
        self.transport = self.connected()

    def connected(self) -> SocketTransport:
        """
        A transport that is connected.
        """
        address: Any = None
        transport = SocketTransport(self.socket, Protocol(), self.reactor, address, address)
        transport.connected = 1
        transport.startReading()
        return transport

    def outflow(self) -> Outflow:
        """
        What goes out of it.
        """
        return Outflow(self.transport, self.above.pause, self.above.resume)

    def full(self, room: int = 0) -> Outflow:
        """
        The same, when the socket takes so many octets more.
        """
        self.socket.room = room
        return self.outflow()

    def room(self, size: int | None) -> Any:
        """
        The peer has read: the socket takes so many octets, and the reactor sees it.

        @return: what it is told.
        """
        self.socket.room = size
        return self.transport.doWrite() if self.waiting else None

    @property
    def sent(self) -> bytes:
        """
        All that the socket has taken.
        """
        return b"".join(self.socket.sent)

    @property
    def waiting(self) -> bool:
        """
        Whether the reactor waits for the socket to take more.
        """
        return self.transport in self.reactor.writers

    def whenDrained(self) -> None:
        """
        Count.
        """
        self.drained += 1

    def test_interface(self) -> None:
        """
        It is a producer, to transports.
        """
        verifyObject(IPushProducer, self.outflow())

    def test_atOnce(self) -> None:
        """
        What the socket takes goes at once: the reactor is not asked, and the source not paused.
        """
        outflow = self.outflow()
        outflow.write(b"one")
        outflow.write(memoryview(b"two"))
        self.assertEqual(self.socket.sent, [b"one", b"two"])
        self.assertFalse(self.waiting)
        self.assertEqual((self.above.calls, outflow.pending, outflow.paused), ([], 0, False))

    def test_direct(self) -> None:
        """
        Who moves octets by other means does so while nothing is kept.
        """
        outflow = self.full(3)
        self.assertIs(outflow.direct, self.socket)
        outflow.write(b"four")
        self.assertIs(outflow.direct, None)
        self.room(None)
        self.assertIs(outflow.direct, self.socket)

    def test_noDelay(self) -> None:
        """
        Small writes do not wait for the peer's acknowledgement of others (TCP_NODELAY), on sockets that have
        it.
        """
        self.outflow()
        self.assertEqual(self.socket.options, {(socket.IPPROTO_TCP, socket.TCP_NODELAY): True})
        self.socket.options.clear()
        self.socket.family = socket.AF_UNIX
        self.outflow()
        self.assertEqual(self.socket.options, {})

    def test_noDelayKnown(self) -> None:
        """
        A transport that knows of itself that it sends at once is not asked to.
        """
        transport: Any = self.transport
        transport.sendsAtOnce = True
        self.outflow()
        self.assertEqual(self.socket.options, {})

    def test_short(self) -> None:
        """
        What the socket does not take is kept, and goes when it takes more; meanwhile the source is paused,
        and what still comes from it is kept in order.
        """
        outflow = self.full(3)
        view = bytearray(b"abcdef")
        outflow.write(memoryview(view))
        view[:] = b"------"
        outflow.write(b"ghi")
        outflow.write(memoryview(b"jkl"))
        self.assertEqual((self.sent, outflow.pending, outflow.taken), (b"abc", 9, 0))
        self.assertEqual((self.above.calls, outflow.paused, self.waiting), (["pause"], True, True))
        self.assertIsNone(self.room(4))
        self.assertEqual((self.sent, outflow.pending, outflow.taken), (b"abcdefg", 5, 4))
        self.assertEqual((self.above.calls, self.waiting), (["pause"], True))
        self.room(5)
        self.assertEqual((self.sent, outflow.pending), (b"abcdefghijkl", 0))
        self.assertEqual(self.above.calls, ["pause", "resume"])
        self.assertFalse(outflow.paused or self.waiting)

    def test_directAgain(self) -> None:
        """
        When all has gone, writes go at once again.
        """
        outflow = self.full()
        outflow.write(b"one")
        self.room(None)
        outflow.write(b"two")
        self.assertEqual(self.sent, b"onetwo")
        self.assertFalse(self.waiting)
        self.assertIsNone(self.transport.producer)

    def test_nothingInTheTransport(self) -> None:
        """
        The transport's own buffer stays empty.
        """
        outflow = self.full(1)
        outflow.write(b"abc")
        self.assertEqual((self.transport.dataBuffer, self.transport._tempDataBuffer), (b"", []))

    def test_readyAtOnce(self) -> None:
        """
        When the socket takes the rest at the second attempt, which follows at once, nobody waits.
        """
        outflow = self.outflow()
        self.socket.failures = [BlockingIOError(errno.EAGAIN, "full")]
        outflow.write(b"abc")
        self.assertEqual((self.sent, self.above.calls, self.waiting), (b"abc", [], False))

    def test_turn(self) -> None:
        """
        In one turn of the reactor only so much is sent, though the socket takes more: others have their turn.
        """
        outflow = self.full()
        for _ in range(20):
            outflow.write(b"x")
        self.room(None)
        self.assertEqual((len(self.sent), self.above.calls), (8, ["pause"]))
        self.room(None)
        self.room(None)
        self.assertEqual((len(self.sent), self.above.calls), (20, ["pause", "resume"]))

    def test_othersFirst(self) -> None:
        """
        What others have written to the transport before goes first.
        """
        self.transport.write(b"others' ")
        outflow = self.outflow()
        outflow.write(b"ours")
        self.assertEqual((self.sent, self.above.calls), (b"", ["pause"]))
        self.room(None)
        self.assertEqual((self.sent, self.above.calls), (b"others' ours", ["pause", "resume"]))

    def test_othersProducer(self) -> None:
        """
        A transport that has a producer is somebody else's.
        """
        self.transport.registerProducer(OthersProducer(), True)
        self.assertRaises(RuntimeError, self.outflow)

    def test_wantOfMemory(self) -> None:
        """
        When the system has no memory for a send, nothing is lost, and nothing overtakes what could not go.
        """
        outflow = self.outflow()
        self.socket.failures = [OSError(errno.ENOBUFS, "no memory")] * 3
        outflow.write(b"one")
        outflow.write(b"two")
        self.assertEqual((self.sent, self.above.calls, self.waiting), (b"", ["pause"], True))
        self.assertIsNone(self.room(None))
        self.assertIsNone(self.room(None))
        outflow.write(b"three")
        self.assertEqual((self.sent, self.above.calls), (b"onetwothree", ["pause", "resume"]))

    def test_wantOfMemoryLater(self) -> None:
        """
        The same, for what was kept already.
        """
        outflow = self.full()
        outflow.write(b"one")
        outflow.write(b"two")
        self.socket.failures = [BlockingIOError(errno.EAGAIN, "full"), OSError(errno.ENOBUFS, "no memory")]
        self.room(None)
        self.socket.failures = [OSError(errno.ENOBUFS, "no memory")]
        self.room(None)
        outflow.write(b"three")
        self.assertEqual(self.sent, b"")
        self.room(None)
        self.assertEqual((self.sent, self.above.calls), (b"onetwothree", ["pause", "resume"]))

    def test_broken(self) -> None:
        """
        When the connection is broken the reactor hears of it from the transport, as it would without us; the
        source stays paused.
        """
        outflow = self.outflow()
        self.socket.failures = [BrokenPipeError(errno.EPIPE, "broken")] * 9
        outflow.write(b"one")
        outflow.write(b"two")
        self.assertTrue(self.waiting)
        why = self.transport.doWrite()
        self.assertIsInstance(why, Exception)
        self.assertEqual(self.above.calls, ["pause"])

    def test_reset(self) -> None:
        """
        A reset that a send hears of is a loss for those who read too: the system tells it once, and what had
        arrived before is read, and then what looks like an end in order.
        """
        outflow = self.outflow()
        broken = BrokenPipeError(errno.EPIPE, "broken")
        self.socket.failures = [ConnectionResetError(errno.ECONNRESET, "reset"), broken, broken]
        outflow.write(b"one")
        self.socket.arrived = [b"before", b""]
        self.assertIsNone(self.transport.doRead())
        self.assertIsInstance(self.transport.doRead(), ConnectionLost)

    def test_resetLater(self) -> None:
        """
        So is one that a later send hears of.
        """
        outflow = self.full()
        outflow.write(b"one")
        again = BlockingIOError(errno.EAGAIN, "full")
        self.socket.failures = [again, ConnectionResetError(errno.ECONNRESET, "reset")]
        self.room(None)
        self.socket.arrived = [b""]
        self.assertIsInstance(self.transport.doRead(), ConnectionLost)

    def test_closedByPeer(self) -> None:
        """
        A peer that has ended in order, and takes no more, has ended in order for those who read.
        """
        outflow = self.outflow()
        self.socket.failures = [BrokenPipeError(errno.EPIPE, "broken")] * 2
        outflow.write(b"one")
        self.socket.arrived = [b""]
        self.assertIsInstance(self.transport.doRead(), ConnectionDone)

    def test_lost(self) -> None:
        """
        When the connection is lost, what is kept is dropped, and what still comes too.
        """
        outflow = self.full()
        outflow.write(b"one")
        outflow.whenDrained(self.whenDrained)
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(outflow.pending, 0)
        outflow.write(b"two")
        self.assertEqual((self.sent, outflow.pending, self.above.calls), (b"", 0, ["pause"]))
        outflow.close()
        self.assertEqual(self.drained, 0)

    def test_closeBelow(self) -> None:
        """
        A close of the transport waits until all has gone.
        """
        outflow = self.full()
        outflow.write(b"abc")
        self.transport.loseConnection()
        self.assertIsNone(self.room(2))
        self.assertIsNone(self.room(1))
        self.assertEqual(self.sent, b"abc")
        self.assertTrue(self.waiting)
        self.assertIsNotNone(self.room(None))

    def test_whenDrained(self) -> None:
        """
        One is called when all has gone, once; at once when nothing is kept.
        """
        outflow = self.full()
        outflow.write(b"abc")
        outflow.whenDrained(self.whenDrained)
        self.room(2)
        self.assertEqual(self.drained, 0)
        self.room(None)
        self.assertEqual(self.drained, 1)
        outflow.write(b"more")
        self.assertEqual(self.drained, 1)
        outflow.whenDrained(self.whenDrained)
        self.assertEqual((self.drained, self.transport.producer), (2, None))

    def test_drainedAfterAll(self) -> None:
        """
        When the source has more at the moment when all has gone, that goes before one is called.
        """
        outflow = self.full()
        more = [b"more"]
        self.above.then = lambda: outflow.write(more.pop() if more else b"")  # type: ignore[method-assign]
        outflow.write(b"abc")
        outflow.whenDrained(self.whenDrained)
        self.room(3)
        self.assertEqual((self.sent, self.drained), (b"abc", 0))
        self.room(None)
        self.assertEqual((self.sent, self.drained), (b"abcmore", 1))

    def test_halfCloseWhenDrained(self) -> None:
        """
        A half close then comes behind the last octet.
        """
        outflow = self.full()
        outflow.write(b"abc")
        outflow.whenDrained(self.transport.loseWriteConnection)
        self.room(None)
        self.assertFalse(self.socket.ended)
        self.room(None)
        self.assertEqual((self.sent, self.socket.ended), (b"abc", True))

    def test_pauseWrites(self) -> None:
        """
        A source that writes once more when it is paused keeps the order.
        """
        self.socket.room = 1
        outflow: Outflow = Outflow(self.transport, lambda: outflow.write(b"def"), self.above.resume)
        outflow.write(b"abc")
        self.room(None)
        self.assertEqual(self.sent, b"abcdef")

    def test_closed(self) -> None:
        """
        When it lets go, the transport has no producer; what was kept is dropped.
        """
        outflow = self.full()
        outflow.write(b"abc")
        outflow.close()
        outflow.close()
        self.assertEqual((outflow.pending, self.transport.producer), (0, None))
        self.room(None)
        self.assertEqual(self.sent, b"")

    def test_closedForGood(self) -> None:
        """
        After that the source is not asked for anything, whatever is still written: it may be gone.
        """
        outflow = self.full()
        outflow.close()
        outflow.write(b"abc")
        self.assertEqual(outflow.pending, 3)
        self.room(None)
        self.assertEqual((self.sent, self.above.calls), (b"abc", []))

    def test_unknownTwisted(self) -> None:
        """
        Where a transport is not as it is known here, it is used as any other.
        """
        del self.transport._tempDataBuffer
        outflow = self.outflow()
        self.assertIs(self.transport.producer, outflow)
        self.assertTrue(self.transport.streamingProducer)


@implementer(IPushProducer)
class OthersProducer:
    """
    A producer of somebody else's.
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


class IndirectTests(SynchronousTestCase):
    """
    L{Outflow} on other transports.
    """

    def setUp(self) -> None:
        self.above = Above()

    def outflow(self, transport: Any) -> Outflow:
        """
        What goes out of a transport.
        """
        return Outflow(transport, self.above.pause, self.above.resume)

    def test_write(self) -> None:
        """
        Octets are the transport's business, as C{bytes}; it has its own order.
        """
        transport = StringTransport()
        outflow = self.outflow(transport)
        outflow.write(b"one")
        outflow.write(memoryview(b"two"))
        self.assertEqual(transport.value(), b"onetwo")
        self.assertEqual(outflow.pending, 0)

    def test_views(self) -> None:
        """
        To a transport that takes views they are given as they are; what is below it is pending here too.
        """
        transport = BufferTransport()
        verifyObject(IBufferTransport, transport)
        view = memoryview(b"x")
        outflow = self.outflow(transport)
        outflow.write(view)
        self.assertIs(transport.views[0], view)
        self.assertEqual((outflow.pending, outflow.taken), (77, 99))

    def test_pressure(self) -> None:
        """
        The transport's pressure is passed on, once each time.
        """
        transport = StringTransport()
        outflow = self.outflow(transport)
        self.assertIs(transport.producer, outflow)
        outflow.pauseProducing()
        outflow.pauseProducing()
        self.assertTrue(outflow.paused)
        outflow.resumeProducing()
        outflow.resumeProducing()
        self.assertEqual((self.above.calls, outflow.paused), (["pause", "resume"], False))

    def test_whenDrained(self) -> None:
        """
        One is called at once, when the transport has no producer any more: a close need not wait for it.
        """
        transport = StringTransport()
        producers: list[object] = []
        self.outflow(transport).whenDrained(lambda: producers.append(transport.producer))
        self.assertEqual(producers, [None])

    def test_closed(self) -> None:
        """
        It lets go of the transport, once; or the transport of it.
        """
        transport = StringTransport()
        first = self.outflow(transport)
        first.close()
        second = self.outflow(transport)
        first.close()
        self.assertIs(transport.producer, second)
        second.stopProducing()
        second.close()
        self.assertIs(transport.producer, second)


class WireTests(SynchronousTestCase):
    """
    Two outflows and what is between them.
    """

    def check(self, wire: Any) -> None:
        """
        Much goes both ways, in odd pieces, and the peers read in odd ones; all arrives, and little is kept.
        """
        random = Random(7)
        ends = HalfCloseRecorder(), HalfCloseRecorder()
        wire.join(*ends)
        sources = [Above(), Above()]
        data = [random.randbytes(1 << 20) for _ in ends]
        outflows = [
            Outflow(end.transport, source.pause, source.resume)  # type: ignore[arg-type]
            for end, source in zip(ends, sources)
        ]
        written = [0, 0]
        while any(count < len(each) for count, each in zip(written, data)):
            for i, outflow in enumerate(outflows):
                size = random.randrange(1, 100000)
                if not outflow.paused:
                    outflow.write(memoryview(data[i])[written[i] : written[i] + size])
                    written[i] += size
                self.assertLessEqual(outflow.pending, 100000)
            wire.step()
        wire.flush()
        self.assertTrue([each.received for each in ends] == data[::-1])
        for outflow, end in zip(outflows, ends):
            transport: Any = end.transport
            outflow.whenDrained(transport.loseConnection)
        wire.flush()
        self.assertEqual([len(end.lost) for end in ends], [1, 1])

    def test_sockets(self) -> None:
        """
        Over Twisted's own transports.
        """
        wire = SocketWire((4093, 1, 65536, 16411))
        self.check(wire)
        self.assertEqual((wire.reactor.readers, wire.reactor.writers), (set(), set()))

    def test_wires(self) -> None:
        """
        Over transports of others.
        """
        self.check(Wire((4093, 1, 65536, 16411)))


class InterfaceTests(SynchronousTestCase):
    """
    The interfaces.
    """

    def test_bufferProtocol(self) -> None:
        """
        A protocol that takes views has one method more.
        """

        @implementer(IBufferProtocol)
        class Views(Protocol):
            def bufferReceived(self, view: memoryview) -> None:
                pass

        verifyObject(IBufferProtocol, Views())
