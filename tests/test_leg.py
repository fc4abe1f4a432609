"""
One of the two connections that a forward joins.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.identity import clientConnections, serverConnections
from tests.support.sockets import PendingOutflow, SocketWire
from tests.support.wires import GivenFactory, HalfCloseRecorder, Wire
from xtls.sessions.leg import ABORT_AFTER, Leg
from xtls.wire.openssl import DirectRecords
from xtls.wire.outflow import IBufferProtocol
from xtls.wire.records import PublicRecords
from xtls.wire.tlsfactory import TLSTransportFactory

#: More than all buffers together.
_MUCH = Random(9).randbytes(3 * (1 << 20) + 17)

#: Seconds for either side to close.
_CLOSE = 7.0


class _LegTestCase(SynchronousTestCase):
    """
    Two legs that are joined, each with somebody at its other end.

    @ivar ends: those.
    """

    newWire: Any = Wire

    def setUp(self) -> None:
        self.wires = [self.newWire(), self.newWire()]
        self.clocks = [wire.clock for wire in self.wires]
        self.ends = [HalfCloseRecorder(), HalfCloseRecorder()]
        self.legs = [Leg(clock, _CLOSE) for clock in self.clocks]
        for wire, end, leg in zip(self.wires, self.ends, self.legs, strict=True):
            wire.join(end, leg)
        self.legs[0].join(self.legs[1])
        self.legs[1].join(self.legs[0])

    def flush(self) -> None:
        """
        Let everything come to rest.
        """
        while self.wires[0].step() | self.wires[1].step():
            pass

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for clock in self.clocks:
            clock.advance(seconds)
        self.flush()

    def say(self, at: int, data: bytes) -> None:
        """
        One of the two speaks.
        """
        transport: Any = self.ends[at].transport
        transport.write(data)
        self.flush()

    def leave(self, at: int, reason: Exception) -> None:
        """
        The connection of one leg is gone.
        """
        wire = self.wires[at]
        if isinstance(wire, SocketWire):
            wire.server.connectionLost(Failure(reason))
        else:
            wire.server.lose(Failure(reason))

    def assertNoTimers(self) -> None:
        """
        Nothing is left to come.
        """
        self.assertEqual([clock.getDelayedCalls() for clock in self.clocks], [[], []])


class LegTests(_LegTestCase):
    """
    L{Leg} on transports in memory.
    """

    def test_interfaces(self) -> None:
        """
        It takes octets without a copy, and ends that are not the end.
        """
        self.assertTrue(verifyObject(IBufferProtocol, self.legs[0]))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.legs[0]))

    def test_bothWays(self) -> None:
        """
        What one side sends, the other gets, in order.
        """
        for number in range(3):
            self.say(0, b"to %d " % number)
            self.say(1, b"fro %d " % number)
        self.assertEqual(self.ends[1].received, b"to 0 to 1 to 2 ")
        self.assertEqual(self.ends[0].received, b"fro 0 fro 1 fro 2 ")
        self.assertEqual([leg.other for leg in self.legs], self.legs[::-1])
        self.assertNoTimers()

    def test_pressure(self) -> None:
        """
        While one side does not read, the other is paused; all arrives later.
        """
        for at in (0, 1):
            self.setUp()
            reader: Any = self.ends[1 - at].transport
            reader.pauseProducing()
            self.say(at, _MUCH)
            self.assertTrue(self.ends[1 - at].received != _MUCH)
            reader.resumeProducing()
            self.flush()
            self.assertTrue(self.ends[1 - at].received == _MUCH)

    def test_halfClose(self) -> None:
        """
        An end is passed on behind the last octet; when both have ended, both connections are closed.
        """
        for first in (0, 1):
            self.setUp()
            speaker: Any = self.ends[first].transport
            speaker.write(b"question")
            speaker.loseWriteConnection()
            self.flush()
            other = self.ends[1 - first]
            self.assertEqual((other.received, other.readClosed, other.lost), (b"question", 1, []))
            self.say(1 - first, b"answer")
            answering: Any = other.transport
            answering.loseConnection()
            self.flush()
            self.assertEqual(self.ends[first].received, b"answer")
            for end in self.ends:
                if end.transport is not None:
                    end.transport.loseConnection()
            self.flush()
            self.assertFalse(any(wire.server.connected for wire in self.wires))
            self.assertNoTimers()

    def test_endUnderPressure(self) -> None:
        """
        The end comes after everything that is on its way.
        """
        reader: Any = self.ends[1].transport
        reader.pauseProducing()
        speaker: Any = self.ends[0].transport
        speaker.write(_MUCH)
        speaker.loseWriteConnection()
        self.flush()
        self.assertEqual(self.ends[1].readClosed, 0)
        reader.resumeProducing()
        self.flush()
        self.assertTrue(self.ends[1].received == _MUCH)
        self.assertEqual(self.ends[1].readClosed, 1)

    def test_gone(self) -> None:
        """
        When one connection is gone in order, the other gets the end, what it still sends is read and dropped,
        and it ends when its peer does.
        """
        self.say(0, b"last")
        self.leave(0, ConnectionDone())
        self.flush()
        self.assertEqual((self.ends[1].received, self.ends[1].readClosed), (b"last", 1))
        self.say(1, _MUCH)
        self.assertTrue(self.wires[1].server.connected)
        other: Any = self.ends[1].transport
        other.loseConnection()
        self.flush()
        self.assertFalse(self.wires[1].server.connected)
        self.assertNoTimers()

    def test_goneWhilePaused(self) -> None:
        """
        So it is where it was paused, because the first one did not read.
        """
        reader: Any = self.ends[0].transport
        reader.pauseProducing()
        self.say(1, _MUCH)
        self.leave(0, ConnectionDone())
        self.flush()
        other: Any = self.ends[1].transport
        other.loseConnection()
        self.flush()
        self.assertFalse(self.wires[1].server.connected)
        self.assertNoTimers()

    def test_goneAndStays(self) -> None:
        """
        One that does not close after the other is gone is closed, in time.
        """
        self.leave(0, ConnectionDone())
        self.advance(_CLOSE - 0.1)
        self.assertTrue(self.wires[1].server.connected)
        self.advance(0.2)
        self.assertFalse(self.wires[1].server.connected)
        self.assertNoTimers()

    def test_lost(self) -> None:
        """
        When one connection is lost, the other gets what is on its way, no end, and a reset after a while.
        """
        self.say(0, b"part of")
        self.leave(0, ConnectionLost())
        self.advance(ABORT_AFTER - 0.1)
        self.assertEqual((self.ends[1].received, self.ends[1].readClosed), (b"part of", 0))
        self.assertTrue(self.wires[1].server.connected)
        self.advance(0.2)
        self.assertFalse(self.wires[1].server.connected)
        self.assertEqual([bool(lost.check(ConnectionLost)) for lost in self.ends[1].lost], [True])
        self.assertNoTimers()

    def test_lostBoth(self) -> None:
        """
        When both are gone, nothing is left to do, in whatever order and way.
        """
        for reasons in (
            (ConnectionDone(), ConnectionLost()),
            (ConnectionLost(), ConnectionDone()),
            (ConnectionLost(), ConnectionLost()),
        ):
            self.setUp()
            for at, reason in enumerate(reasons):
                self.leave(at, reason)
            self.flush()
            self.assertNoTimers()


class FragileTests(_LegTestCase):
    """
    A transport that is lost while it is written to.
    """

    def test_lostByTheWrite(self) -> None:
        """
        What was joined to it delivers to nobody from then on, and is aborted.
        """
        transport: Any = self.wires[1].server
        transport.write = lambda data: transport.lose(Failure(ConnectionLost()))
        for _ in range(2):
            self.say(0, b"octets")
        self.assertEqual((self.legs[1]._lost, self.ends[1].received), (True, b""))
        self.advance(ABORT_AFTER)
        self.assertFalse(self.wires[0].server.connected)
        self.assertNoTimers()

    def test_sourceLostByTheWrite(self) -> None:
        """
        So it is when the one that octets came from is lost by that: it delivers nothing any more.
        """
        transport: Any = self.wires[1].server
        source: Any = self.wires[0].server
        transport.write = lambda data: source.lose(Failure(ConnectionLost()))
        self.say(0, b"octets")
        transport.write = self.fail
        self.legs[0].dataReceived(b"late")
        self.advance(ABORT_AFTER)
        self.assertNoTimers()


class SocketLegTests(LegTests):
    """
    The same on transports of Twisted's, where octets take the short way from the second time on.
    """

    newWire = SocketWire

    def test_short(self) -> None:
        """
        The second octets go past the protocol, until something else is to be done with them.
        """
        for at in (0, 1):
            self.assertFalse(self.legs[at]._short)
            self.say(at, b"1")
            self.assertTrue(self.legs[at]._short)
            self.legs[at].dataReceived = self.fail  # type: ignore[method-assign, assignment]
            self.say(at, b"2")
            self.assertEqual(self.ends[1 - at].received, b"12")
        self.leave(0, ConnectionDone())
        self.assertFalse(self.legs[1]._short)
        self.say(1, b"3")
        self.assertEqual(self.ends[0].received, b"12")


class ComparedTests(_LegTestCase):
    """
    From TLS to a socket and back there is a short way where OpenSSL is called directly, and none where it is
    not.  What becomes of octets and ends does not depend on it.
    """

    newWire = SocketWire

    def connect(self, records: type, cuts: tuple[int, ...]) -> None:
        """
        Join the two, the first in TLS.
        """
        self.wires = [SocketWire(cuts), SocketWire(cuts)]
        self.clocks = [wire.clock for wire in self.wires]
        self.ends = [HalfCloseRecorder(), HalfCloseRecorder()]
        self.legs = [Leg(clock, _CLOSE) for clock in self.clocks]
        secure = []
        for creator, protocol in ((clientConnections(), self.ends[0]), (self.creator, self.legs[0])):
            isClient = protocol is self.ends[0]
            factory = TLSTransportFactory(creator, isClient, GivenFactory(protocol), self.clocks[0])
            factory.records = records
            secure.append(factory.buildProtocol(None))
        self.wires[0].join(*secure)
        self.wires[0].flush()
        self.wires[1].join(self.ends[1], self.legs[1])
        self.legs[0].join(self.legs[1])
        self.legs[1].join(self.legs[0])

    def happen(self, random: Random, records: type) -> list[object]:
        """
        Have things happen.

        @return: what each end has seen.
        """
        self.connect(records, tuple(random.choice((9, 700, 6000, 90_000)) for _ in range(5)))
        ways = (
            "pauseProducing",
            "resumeProducing",
            "loseWriteConnection",
            "loseConnection",
            "abortConnection",
        )
        for _ in range(14):
            at = random.randrange(2)
            transport: Any = self.ends[at].transport
            what = random.choices((0, 1, 2, 3, 4, 5), (12, 2, 3, 1, 1, 0.5))[0]
            if what:
                getattr(transport, ways[what - 1])()
            else:
                transport.write(random.randbytes(random.choice((1, 200, 5000, 17_000, 120_000))))
            for _ in range(random.randrange(5)):
                self.wires[random.randrange(2)].step()
        for end in self.ends:
            transport = end.transport
            transport.resumeProducing()
        self.flush()
        short = [leg._short for leg in self.legs]
        self.shortened |= any(short)
        if records is PublicRecords:
            self.assertEqual(short, [False, False])
        for end in self.ends:
            transport = end.transport
            transport.loseConnection()
        self.flush()
        for _ in range(3):
            self.advance(_CLOSE + 5)
        self.assertNoTimers()
        self.assertFalse(any(each.connected for wire in self.wires for each in (wire.client, wire.server)))
        return [(end.received, end.readClosed, [lost.type for lost in end.lost]) for end in self.ends]

    def test_compared(self) -> None:
        """
        The same things happen, in the same order, with the same outcome, and nothing is left.
        """
        self.creator = serverConnections(self)
        self.shortened = False
        for seed in range(60):
            direct, public = (self.happen(Random(seed), each) for each in (DirectRecords, PublicRecords))
            self.assertTrue(direct == public, seed)
        self.assertTrue(self.shortened)


class AloneTests(SynchronousTestCase):
    """
    A leg whose other is not there, or that is told of things twice.
    """

    def setUp(self) -> None:
        self.wire = Wire()
        self.end, self.leg = HalfCloseRecorder(), Leg(self.wire.clock, _CLOSE)
        self.wire.join(self.end, self.leg)

    def test_dropped(self) -> None:
        """
        Octets and ends go nowhere.
        """
        transport: Any = self.end.transport
        transport.write(b"for nobody")
        transport.loseWriteConnection()
        self.wire.flush()
        self.leg.endWriting()
        self.leg.bufferReceived(memoryview(b"for nobody"))
        self.wire.flush()
        self.assertEqual((self.end.received, self.end.readClosed), (b"", 0))
        self.leg.abort()
        self.wire.flush()
        self.assertFalse(self.wire.server.connected)

    def test_lost(self) -> None:
        """
        Its connection may be lost; after that it has nothing to do.
        """
        self.wire.cut()
        self.leg.finish(True)
        self.leg.finish(False)
        self.leg.endWriting()
        self.leg.resume()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_noHalfClose(self) -> None:
        """
        A transport without a half close is closed in place of it; one that cannot be aborted, too.
        """
        for name in ("loseWriteConnection", "abortConnection"):
            self.setUp()
            transport: Any = self.wire.server

            class Without:
                """
                A transport that lacks something.
                """

                def __getattr__(self, asked: str, lacks: str = name, has: Any = transport) -> Any:
                    if asked == lacks:
                        raise AttributeError(asked)
                    return getattr(has, asked)

            given: Any = Without()
            self.leg.transport = given
            other = Leg(self.wire.clock, _CLOSE)
            Wire().join(other, HalfCloseRecorder())
            self.leg.join(other)
            other.join(self.leg)
            if name == "abortConnection":
                self.leg.abort()
            else:
                self.leg.endWriting()
                self.assertTrue(self.leg._writeEnded)
                self.leg.endWriting()
            self.wire.flush()
            self.assertFalse(self.wire.server.connected)


class SlowEndTests(SynchronousTestCase):
    """
    A peer that takes its time for the last octets, after the other connection is gone.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = Wire(clock=self.clock)
        self.leg = Leg(self.clock, _CLOSE)
        self.wire.join(HalfCloseRecorder(), self.leg)
        self.leg._outflow = self.outflow = PendingOutflow(100)
        self.leg.finish(True)

    def later(self) -> bool:
        """
        Let the time pass that it has.

        @return: whether it is still connected.
        """
        self.clock.advance(_CLOSE)
        self.wire.flush()
        return self.wire.server.connected

    def test_slow(self) -> None:
        """
        As long as it takes some, it is given more time.
        """
        for pending in (60, 20):
            self.outflow.pending = pending
            self.assertTrue(self.later())
        self.outflow.pending = 0
        self.assertFalse(self.later())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stuck(self) -> None:
        """
        When it takes none, it is aborted.
        """
        self.assertFalse(self.later())
        self.assertTrue(self.wire.server._aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])
