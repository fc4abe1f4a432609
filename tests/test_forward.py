"""
The session that leads to a backend.
"""

from __future__ import annotations

import random
from socket import AF_INET
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.logs import recordLogs
from tests.support.sockets import PendingOutflow, SocketWire
from tests.support.wires import HalfCloseRecorder, Wire, everySplit
from xtls.sessions.forward import ABORT_AFTER, KEPT, ForwardFactory, ForwardProtocol
from xtls.wire.connecting import SocketEndpoint
from xtls.wire.outflow import IBufferProtocol

_ADDRESS = IPv4Address("TCP", "127.0.0.1", 5900)

#: More than all buffers together.
_MUCH = random.Random(7).randbytes(3 * (1 << 20) + 17)


@implementer(IStreamClientEndpoint)
class BackendEndpoint:
    """
    A backend that is connected when the test says so.

    @ivar cancelled: how often connecting was given up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.factory: IProtocolFactory | None = None
        self.cancelled = 0
        self.connecting: Deferred[IProtocol] = Deferred()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Begin to connect.
        """
        self.factory = protocolFactory
        self.connecting = Deferred(self._cancel)
        return self.connecting

    def _cancel(self, connecting: Deferred[IProtocol]) -> None:
        """
        Count.
        """
        self.cancelled += 1

    def accept(self, backend: IProtocol) -> Wire:
        """
        The connection is there: C{backend} is the server on it.
        """
        assert self.factory is not None
        protocol = self.factory.buildProtocol(_ADDRESS)
        assert protocol is not None
        wire = Wire(clock=self._clock)
        wire.join(protocol, backend)
        if not self.connecting.called:
            self.connecting.callback(protocol)
        return wire


class _NotReading(HalfCloseRecorder):
    """
    A backend that does not read at first.
    """

    def connectionMade(self) -> None:
        """
        Pause.
        """
        super().connectionMade()
        transport: Any = self.transport
        transport.pauseProducing()


class _ForwardTestCase(SynchronousTestCase):
    """
    A client on a wire, a forward, and a backend on another wire.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = BackendEndpoint(self.clock)
        self.factory = ForwardFactory(
            self.endpoint, 10.0, self.clock, name="tcp:127.0.0.1:5900", closeTimeout=7.0
        )
        self.logged = recordLogs(self)
        self.client = HalfCloseRecorder()
        self.backend = HalfCloseRecorder()
        self.front = Wire(clock=self.clock)
        self.session: ForwardProtocol = self.factory.buildProtocol(None)
        self.front.join(self.client, self.session)
        self.back: Wire | None = None

    def connect(self) -> Wire:
        """
        Let the backend be there.
        """
        self.back = self.endpoint.accept(self.backend)
        self.flush()
        return self.back

    def flush(self) -> None:
        """
        Move octets on both wires until they rest.
        """
        moved = True
        while moved:
            moved = self.front.step()
            if self.back is not None:
                moved |= self.back.step()

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.clock.advance(seconds)
        self.flush()

    def say(self, data: bytes) -> None:
        """
        The client sends.
        """
        self.front.client.write(data)
        self.flush()

    def answer(self, data: bytes) -> None:
        """
        The backend sends.
        """
        assert self.back is not None
        self.back.server.write(data)
        self.flush()


class ForwardTests(_ForwardTestCase):
    """
    Octets, both ways.
    """

    def test_interfaces(self) -> None:
        """
        The session takes octets without a copy, and ends that are not the end.
        """
        self.assertTrue(verifyObject(IBufferProtocol, self.session))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.session))
        self.assertTrue(verifyObject(IProtocolFactory, self.factory))
        self.assertTrue(verifyObject(IStreamClientEndpoint, self.endpoint))

    def test_bothWays(self) -> None:
        """
        What one side sends, the other gets, in order.
        """
        self.connect()
        for number in range(3):
            self.say(b"to %d " % number)
            self.answer(b"fro %d " % number)
        self.assertEqual(self.backend.received, b"to 0 to 1 to 2 ")
        self.assertEqual(self.client.received, b"fro 0 fro 1 fro 2 ")

    def test_views(self) -> None:
        """
        Octets that are only lent for the call are delivered, and kept, as well.
        """
        lent = bytearray(b"early ")
        self.session.bufferReceived(memoryview(lent))
        lent[:] = b"gone! "
        self.connect()
        lent[:] = b"later "
        self.session.bufferReceived(memoryview(lent))
        lent[:] = b"gone! "
        self.flush()
        self.assertEqual(self.backend.received, b"early later ")

    def test_keptWhileConnecting(self) -> None:
        """
        What the client says before the backend is there is delivered once, however it was cut.
        """
        for pieces in everySplit(b"SSH-2.0-x\r\n"):
            self.setUp()
            for piece in pieces:
                self.say(piece)
            self.assertEqual(self.backend.received, b"")
            self.connect()
            self.assertEqual(self.backend.received, b"SSH-2.0-x\r\n")

    def test_keptIsBounded(self) -> None:
        """
        A client that sends much before the backend is there is paused, and goes on afterwards;
        nothing is lost.
        """
        self.say(_MUCH)
        self.assertFalse(self.front.server.reading)
        self.assertLess(sum(map(len, self.session._kept)), 2 * KEPT)
        self.connect()
        self.assertEqual(self.backend.received, _MUCH)

    def test_backendFullAtOnce(self) -> None:
        """
        A backend that does not read leaves a client paused that had been paused before it was
        there.
        """
        self.say(_MUCH)
        self.backend = _NotReading()
        back = self.connect()
        self.assertFalse(self.front.server.reading)
        back.server.resumeProducing()
        self.flush()
        self.assertEqual(self.backend.received, _MUCH)

    def test_pressureFromBackend(self) -> None:
        """
        When the backend stops reading, the client is paused, what is held is bounded, and all
        arrives later.
        """
        back = self.connect()
        back.server.pauseProducing()
        self.say(_MUCH)
        self.assertFalse(self.front.server.reading)
        self.assertLess(len(back.client._kept), 4 * 65536)
        back.server.resumeProducing()
        self.flush()
        self.assertEqual(self.backend.received, _MUCH)

    def test_pressureFromClient(self) -> None:
        """
        The same the other way.
        """
        back = self.connect()
        self.front.client.pauseProducing()
        self.answer(_MUCH)
        self.assertFalse(back.client.reading)
        self.assertLess(len(self.front.server._kept), 4 * 65536)
        self.front.client.resumeProducing()
        self.flush()
        self.assertEqual(self.client.received, _MUCH)

    def test_noLogs(self) -> None:
        """
        A connection that does what it should is not mentioned.
        """
        self.connect()
        self.say(b"hello")
        self.front.client.loseConnection()
        self.flush()
        self.assertEqual(self.logged.lines(), [])


class HalfCloseTests(_ForwardTestCase):
    """
    One direction ends before the other.
    """

    def test_clientFirst(self) -> None:
        """
        A client that has said everything still gets its answer, and then both connections are
        closed.
        """
        back = self.connect()
        self.front.client.write(b"question")
        self.front.client.loseWriteConnection()
        self.flush()
        self.assertEqual((self.backend.received, self.backend.readClosed), (b"question", 1))
        self.assertEqual(self.client.readClosed, 0)
        self.answer(b"answer")
        back.server.loseConnection()
        self.flush()
        self.assertEqual((self.client.received, self.client.readClosed), (b"answer", 1))
        self.front.client.loseConnection()
        self.flush()
        self.assertFalse(self.front.server.connected or back.client.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_backendFirst(self) -> None:
        """
        A backend that has said everything still gets the rest.
        """
        back = self.connect()
        self.answer(b"greeting")
        back.server.loseWriteConnection()
        self.flush()
        self.assertEqual((self.client.received, self.client.readClosed), (b"greeting", 1))
        self.say(b"reply")
        self.front.client.loseConnection()
        self.flush()
        self.assertEqual((self.backend.received, self.backend.readClosed), (b"reply", 1))
        self.assertFalse(self.front.server.connected or back.client.connected)
        self.assertEqual([r.check(ConnectionDone) for r in self.backend.lost], [])

    def test_whileConnecting(self) -> None:
        """
        A client may say everything and end before the backend is there.
        """
        self.front.client.write(b"all of it")
        self.front.client.loseWriteConnection()
        self.flush()
        self.connect()
        self.assertEqual((self.backend.received, self.backend.readClosed), (b"all of it", 1))
        self.answer(b"answer")
        self.assertEqual(self.client.received, b"answer")

    def test_underPressure(self) -> None:
        """
        The end comes after everything that is on its way.
        """
        back = self.connect()
        back.server.pauseProducing()
        self.front.client.write(_MUCH)
        self.front.client.loseWriteConnection()
        self.flush()
        self.assertEqual(self.backend.readClosed, 0)
        back.server.resumeProducing()
        self.flush()
        self.assertEqual((self.backend.received, self.backend.readClosed), (_MUCH, 1))

    def test_notAvailable(self) -> None:
        """
        A transport without a half close is closed, after the last octet.
        """
        back = self.connect()
        self.front.server.loseWriteConnection = None  # type: ignore[method-assign, assignment]
        self.answer(b"all of it")
        back.server.loseWriteConnection()
        self.flush()
        self.assertEqual(self.client.received, b"all of it")
        self.assertFalse(self.front.server.connected)


class EndTests(_ForwardTestCase):
    """
    Every end ends both connections.
    """

    def test_orderly(self) -> None:
        """
        When a client is gone in order, the backend gets everything and the end, what it still sends
        is read, and it is closed when it closes.
        """
        back = self.connect()
        back.server.pauseProducing()
        self.say(_MUCH[:60000])
        self.front.server.lose(Failure(ConnectionDone()))
        back.server.resumeProducing()
        self.answer(_MUCH)
        self.assertEqual((self.backend.received, self.backend.readClosed), (_MUCH[:60000], 1))
        self.assertTrue(back.client.connected)
        self.assertEqual(back.client.peer._kept, b"")
        back.server.loseConnection()
        self.flush()
        self.assertFalse(back.client.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_orderlyWhilePaused(self) -> None:
        """
        The same when the backend was paused because the client did not read.
        """
        back = self.connect()
        self.front.client.pauseProducing()
        self.answer(_MUCH)
        self.front.server.lose(Failure(ConnectionDone()))
        self.flush()
        self.assertEqual(self.backend.readClosed, 1)
        back.server.loseConnection()
        self.flush()
        self.assertFalse(back.client.connected)

    def test_deadline(self) -> None:
        """
        A backend that does not close after its client has gone is closed.
        """
        back = self.connect()
        self.front.server.lose(Failure(ConnectionDone()))
        self.advance(6.9)
        self.assertTrue(back.client.connected)
        self.advance(0.1)
        self.assertFalse(back.client.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """
        When a client is lost, the backend gets what is on its way, and is aborted: it must not
        think that it has all.
        """
        back = self.connect()
        self.say(b"part of")
        self.front.cut()
        self.advance(ABORT_AFTER - 0.1)
        self.assertEqual((self.backend.received, self.backend.readClosed), (b"part of", 0))
        self.assertTrue(back.client.connected)
        self.advance(0.1)
        self.assertFalse(back.client.connected)
        self.assertEqual([bool(r.check(ConnectionLost)) for r in self.backend.lost], [True])

    def test_backendLost(self) -> None:
        """
        When the backend is lost, so is the client.
        """
        back = self.connect()
        self.answer(b"part of")
        back.cut()
        self.advance(ABORT_AFTER)
        self.assertEqual(self.client.received, b"part of")
        self.assertEqual([bool(r.check(ConnectionLost)) for r in self.client.lost], [True])

    def test_bothLost(self) -> None:
        """
        When both are lost, nothing is left to do.
        """
        back = self.connect()
        self.front.cut()
        back.cut()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SlowEndTests(_ForwardTestCase):
    """
    A backend that takes its time for the last octets.

    On transports in memory an outflow never has anything pending, so it is said for it here.
    """

    def pend(self, octets: int) -> Any:
        """
        Let the client be gone while the backend has not taken so many octets.
        """
        back = self.connect()
        leg: Any = back.client.protocol
        leg._outflow.close()
        leg._outflow = PendingOutflow(octets)
        self.front.server.lose(Failure(ConnectionDone()))
        return leg

    def test_slow(self) -> None:
        """
        As long as it takes some, it is given more time.
        """
        leg = self.pend(100)
        for rest in (60, 20):
            leg._outflow.pending = rest
            self.advance(7.0)
            self.assertTrue(leg.transport.connected)
        leg._outflow.pending = 0
        self.advance(7.0)
        self.assertFalse(leg.transport.connected)
        self.assertEqual([bool(r.check(ConnectionDone)) for r in self.backend.lost], [])

    def test_stuck(self) -> None:
        """
        When it takes none, it is aborted.
        """
        leg = self.pend(100)
        self.advance(7.0)
        self.advance(0)
        self.assertFalse(leg.transport.connected)
        self.assertEqual([bool(r.check(ConnectionLost)) for r in self.backend.lost], [True])


class UnreachableTests(_ForwardTestCase):
    """
    There is no backend.
    """

    def test_refused(self) -> None:
        """
        The log says which backend and why, in one line, and the client has lost its connection: this
        is not an empty answer.
        """
        self.say(b"hello")
        self.endpoint.connecting.errback(Failure(ConnectionRefusedError("nobody listens")))
        self.flush()
        self.assertEqual(len(self.logged), 1)
        self.assertEqual(
            (self.logged[0]["backend"], self.logged[0]["peer"]),
            ("tcp:127.0.0.1:5900", "127.0.0.1:50000"),
        )
        self.assertIn("nobody listens", self.logged[0]["problem"])
        self.assertIn("tcp:127.0.0.1:5900 cannot be reached", self.logged.lines()[0])
        self.assertFalse(self.front.server.connected)
        self.assertEqual([bool(reason.check(ConnectionLost)) for reason in self.client.lost], [True])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refusedWithoutWords(self) -> None:
        """
        A failure without a message is named by its type.
        """
        self.endpoint.connecting.errback(Failure(OSError()))
        self.assertEqual(self.logged[0]["problem"], "OSError")

    def test_lostWhileConnecting(self) -> None:
        """
        What Twisted wraps into its own error is told alone.
        """
        lost = Failure(ConnectionDone())
        self.endpoint.connecting.errback(Failure(ConnectError(string=lost)))
        self.assertEqual(self.logged[0]["problem"], lost.getErrorMessage())

    def test_timeout(self) -> None:
        """
        A backend that does not answer in time is given up.
        """
        self.advance(9.9)
        self.assertEqual((self.endpoint.cancelled, self.front.server.connected), (0, True))
        self.advance(0.1)
        self.assertEqual((self.endpoint.cancelled, self.front.server.connected), (1, False))
        problems = [event["problem"] for event in self.logged]
        self.assertEqual(problems, ["no connection within 10 seconds"])

    def test_webSocket(self) -> None:
        """
        A transport that can tell why it fails is told.
        """
        told: list[tuple[int, str]] = []
        transport: Any = self.front.server
        transport.failConnection = lambda code, reason: told.append((code, reason))
        self.endpoint.connecting.errback(Failure(ConnectionRefusedError()))
        self.assertEqual(told, [(1011, "backend unreachable")])

    def test_clientLeaves(self) -> None:
        """
        A client that leaves meanwhile ends the attempt, which is nothing to log.
        """
        self.front.cut()
        self.assertEqual((self.endpoint.cancelled, len(self.logged)), (1, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tooLate(self) -> None:
        """
        A backend that is there after all when nobody needs it any more is let go.
        """
        self.front.cut()
        back = self.connect()
        self.assertFalse(back.client.connected)
        self.assertEqual(self.backend.received, b"")

    def test_ended(self) -> None:
        """
        A client that goes away after the failure is nothing new.
        """
        self.endpoint.connecting.errback(Failure(ConnectionRefusedError()))
        self.front.cut()
        self.assertEqual((self.endpoint.cancelled, len(self.logged)), (0, 1))


class NearEndpoint(SocketEndpoint):
    """
    A backend on this machine: connected at once, or not at all.

    @ivar backend: who is there, if anybody.
    """

    def __init__(self, reactor: Any, backend: IProtocol | None) -> None:
        super().__init__(reactor, AF_INET, ("127.0.0.1", 5900), 10.0)
        self.backend = backend
        self.wire = SocketWire()
        self.later = 0

    def connectAtOnce(self, protocol: Any) -> bool:
        """
        Connect, if there is somebody.
        """
        if self.backend is None:
            return False
        self.wire.join(protocol, self.backend)
        return True

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Begin to connect.
        """
        self.later += 1
        return Deferred()


class NearTests(SynchronousTestCase):
    """
    A backend on this machine.
    """

    def setUp(self) -> None:
        self.front = SocketWire()
        self.client, self.backend = HalfCloseRecorder(), HalfCloseRecorder()

    def factory(self, backend: IProtocol | None) -> ForwardFactory:
        """
        A forward to the backend.
        """
        self.endpoint = NearEndpoint(self.front.clock, backend)
        return ForwardFactory(self.endpoint, 10.0, self.front.clock)

    def flush(self) -> None:
        """
        Let everything come to rest.
        """
        while self.front.step() | self.endpoint.wire.step():
            pass

    def exchange(self) -> None:
        """
        Both sides speak, and end.
        """
        ends: tuple[Any, ...] = (self.client, self.backend)
        for end, other in (ends, ends[::-1]):
            for text in (b"octets, ", b"and more"):
                end.transport.write(text)
                self.flush()
            self.assertEqual(other.received, b"octets, and more")
        for end in ends:
            end.transport.loseConnection()
            self.flush()
        self.assertFalse(self.front.server.connected or self.endpoint.wire.client.connected)
        self.assertEqual(self.front.clock.getDelayedCalls(), [])

    def test_atOnce(self) -> None:
        """
        It is there as soon as its client is: there is no deadline, and nothing is kept.
        """
        session = self.factory(self.backend).buildProtocol(None)
        self.front.join(self.client, session)
        self.assertEqual((self.backend.made, self.endpoint.later), (1, 0))
        self.assertEqual(self.front.clock.getDelayedCalls(), [])
        self.exchange()

    def test_notAtOnce(self) -> None:
        """
        Where that does not go, it is waited for, as anywhere else.
        """
        self.front.join(self.client, self.factory(None).buildProtocol(None))
        self.assertEqual(self.endpoint.later, 1)
        self.assertEqual(len(self.front.clock.getDelayedCalls()), 1)

    def adopt(self, ended: bool = False) -> ForwardProtocol:
        """
        Have a session take over two connections that are there.
        """
        session = self.factory(None).buildProtocol(None)
        self.front.join(self.client, HalfCloseRecorder())
        wire = self.endpoint.wire
        wire.join(HalfCloseRecorder(), self.backend)
        wire.client.stopReading()
        self.front.server.protocol = session
        session.adopt(self.front.server, wire.client, ended)
        return session

    def test_adopt(self) -> None:
        """
        Both connections may be there before the session is.
        """
        self.adopt()
        self.assertIn(self.endpoint.wire.client, self.endpoint.wire.reactor.readers)
        self.exchange()

    def test_adoptEnded(self) -> None:
        """
        Where the client had ended before, the backend is told so, and the client gets its answer.
        """
        session = self.adopt(ended=True)
        self.flush()
        self.assertEqual(self.backend.readClosed, 1)
        answering: Any = self.backend.transport
        answering.write(b"answer")
        answering.loseConnection()
        self.flush()
        self.assertEqual((self.client.received, self.client.readClosed), (b"answer", 1))
        self.assertEqual(self.front.clock.getDelayedCalls(), [])
        self.assertTrue(session._readEnded)


class NamelessTests(SynchronousTestCase):
    """
    L{ForwardFactory} without a name for its backend.
    """

    def test_name(self) -> None:
        """
        The endpoint's own text stands for it.
        """
        endpoint = BackendEndpoint(Clock())
        factory = ForwardFactory(endpoint, 10.0, Clock())
        self.assertEqual(factory.name, repr(endpoint))
