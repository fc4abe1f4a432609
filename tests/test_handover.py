"""
Handing a connection over from one protocol to another.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.sockets import FakeSocket
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.wire.handover import handOver
from xtls.wire.inflow import receiveDirectly


class Between(Protocol):
    """
    Stands between a transport and a protocol, and lets nobody take its place: as Twisted's client endpoints
    do.
    """

    def __init__(self, held: Any) -> None:
        self.held = held

    def connectionMade(self) -> None:
        """
        Connect who is held.
        """
        self.held.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass on.
        """
        self.held.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Pass on.
        """
        self.held.connectionLost(reason)


class PausingRecorder(Recorder):
    """
    Pauses its transport at once.
    """

    def connectionMade(self) -> None:
        """
        Pause.
        """
        super().connectionMade()
        transport: Any = self.transport
        transport.pauseProducing()


class PausingHalfCloseRecorder(PausingRecorder, HalfCloseRecorder):
    """
    The same, for one that knows half-close.
    """


class ClosingRecorder(Recorder):
    """
    Closes its transport at once.
    """

    def connectionMade(self) -> None:
        """
        Close.
        """
        super().connectionMade()
        assert self.transport is not None
        self.transport.loseConnection()


class _HandOverTestCase(SynchronousTestCase):
    """
    A transport that knows its protocol.
    """

    def setUp(self) -> None:
        self.wire = Wire()
        self.leaving, self.peer = HalfCloseRecorder(), HalfCloseRecorder()
        self.wire.join(self.peer, self.leaving)

    def handOver(self, following: IProtocol, prefix: bytes = b"") -> None:
        """
        Let C{following} take over.
        """
        handOver(self.wire.server, self.leaving, following, prefix)

    def say(self, data: bytes) -> None:
        """
        Have the peer say something.
        """
        assert self.peer.transport is not None
        self.peer.transport.write(data)
        self.wire.flush()


class HandOverTests(_HandOverTestCase):
    """
    L{handOver} on a transport that knows its protocol.
    """

    def test_takesOver(self) -> None:
        """
        The protocol that follows is connected once, has the prefix and then all that arrives, and is told of
        the end; the other one hears nothing.
        """
        following = Recorder()
        self.handOver(following, b"before")
        self.assertIs(self.wire.server.protocol, following)
        self.say(b"after")
        self.wire.client.loseConnection()
        self.wire.flush()
        self.assertEqual((following.made, following.chunks), (1, [b"before", b"after"]))
        self.assertIs(following.transport, self.wire.server)
        self.assertEqual([lost.type for lost in following.lost], [ConnectionDone])
        self.assertEqual((self.leaving.chunks, self.leaving.lost), ([], []))

    def test_noPrefix(self) -> None:
        """
        Where nothing was seen yet, nothing is delivered.
        """
        following = Recorder()
        self.handOver(following)
        self.assertEqual((following.made, following.chunks), (1, []))

    def test_wrapper(self) -> None:
        """
        A wrapper is the transport of the protocol that it wraps.
        """
        wire, leaving, following = Wire(), Recorder(), Recorder()
        factory: WrappingFactory[ProtocolWrapper] = WrappingFactory(GivenFactory(leaving))
        wire.join(self.peer, factory.buildProtocol(wire.client.getHost()))
        wrapper: Any = leaving.transport
        handOver(wrapper, leaving, following, b"x")
        self.assertIs(wrapper.wrappedProtocol, following)
        wire.client.write(b"y")
        wire.flush()
        self.assertEqual((leaving.chunks, following.chunks), ([], [b"x", b"y"]))

    def test_closes(self) -> None:
        """
        To one that closes in C{connectionMade} nothing is delivered any more.
        """
        following = ClosingRecorder()
        self.handOver(following, b"before")
        self.wire.flush()
        self.assertEqual((following.chunks, len(following.lost)), ([], 1))

    def test_unawareTransport(self) -> None:
        """
        A transport that does not tell whether it is closing is taken for open.
        """

        transport: Any = object()
        following = Recorder()
        handOver(transport, Recorder(), following, b"x")
        self.assertEqual(following.chunks, [b"x"])

    def test_direct(self) -> None:
        """
        When what a socket reads went to the leaving protocol directly, it does so no more.
        """
        fake, following = FakeSocket(), Recorder()
        views: list[memoryview] = []
        skt: Any = fake
        reactor: Any = MemoryReactorClock()
        transport = Connection(skt, self.leaving, reactor)
        receiveDirectly(transport, views.append)
        handOver(transport, self.leaving, following)
        fake.arrived = [b"x"]
        transport.doRead()
        self.assertEqual((views, following.chunks), ([], [b"x"]))


class PausedTests(_HandOverTestCase):
    """
    The protocol that follows pauses its transport in C{connectionMade}, and is not ready for anything then.
    """

    def paused(self, prefix: bytes = b"before") -> tuple[PausingRecorder, Any]:
        """
        Hand over to one.
        """
        following, transport = PausingRecorder(), self.wire.server
        before = dict(vars(transport))
        self.handOver(following, prefix)
        self.before = {name: before.get(name) for name in ("pauseProducing", "resumeProducing")}
        self.assertEqual(following.chunks, [])
        return following, transport

    def assertLeft(self) -> None:
        """
        Nothing is left between the protocol and the transport's own methods.
        """
        own = vars(self.wire.server)
        self.assertEqual({name: own.get(name) for name in self.before}, self.before)

    def test_resumes(self) -> None:
        """
        It gets the prefix when it resumes the transport, and only then what comes after.
        """
        following, transport = self.paused()
        self.say(b"after")
        transport.resumeProducing()
        self.assertEqual(following.chunks, [b"before"])
        self.assertLeft()
        self.wire.flush()
        self.assertEqual(following.chunks, [b"before", b"after"])

    def test_resumesAtOnce(self) -> None:
        """
        One that resumes in C{connectionMade} too gets the prefix after that.
        """
        following = PausingRecorder()
        chunks: list[list[bytes]] = []

        def resume(transport: Any) -> None:
            PausingRecorder.makeConnection(following, transport)
            transport.resumeProducing()
            chunks.append(list(following.chunks))

        following.makeConnection = resume  # type: ignore[method-assign]
        self.handOver(following, b"before")
        self.assertEqual((chunks, following.chunks), ([[]], [b"before"]))
        self.say(b"after")
        self.assertEqual(following.chunks, [b"before", b"after"])

    def test_pausesAgain(self) -> None:
        """
        One that pauses again when it has the prefix stays paused.
        """
        following, transport = self.paused()
        received = following.dataReceived

        def pause(data: bytes) -> None:
            received(data)
            transport.pauseProducing()

        following.dataReceived = pause  # type: ignore[method-assign]
        transport.resumeProducing()
        self.say(b"after")
        self.assertEqual(following.chunks, [b"before"])
        self.assertLeft()
        transport.resumeProducing()
        self.wire.flush()
        self.assertEqual(following.chunks, [b"before", b"after"])

    def test_keptMethods(self) -> None:
        """
        Whoever has kept the methods that were there meanwhile can go on with them.
        """
        following, transport = self.paused()
        pause, resume = transport.pauseProducing, transport.resumeProducing
        resume()
        pause()
        self.say(b"after")
        self.assertEqual(following.chunks, [b"before"])
        resume()
        self.wire.flush()
        self.assertEqual(following.chunks, [b"before", b"after"])

    def test_handsOver(self) -> None:
        """
        One that hands the connection over meanwhile leaves the prefix to the next.
        """
        first, transport = self.paused()
        second = Recorder()
        handOver(transport, first, second)
        transport.resumeProducing()
        self.assertEqual((first.chunks, second.chunks), ([], [b"before"]))
        self.assertLeft()

    def test_ownMethods(self) -> None:
        """
        A transport that has methods of its own under these names has them again afterwards.
        """
        transport: Any = self.wire.server
        transport.resumeProducing = transport.resumeProducing
        self.paused()
        transport.resumeProducing()
        self.assertLeft()
        self.assertIn("resumeProducing", vars(transport))

    def test_ends(self) -> None:
        """
        The end of what the peer sends comes after the prefix too.
        """
        for following in (PausingRecorder(), PausingHalfCloseRecorder()):
            self.setUp()
            self.handOver(following, b"before")
            self.leaving.readConnectionLost()
            self.wire.flush()
            self.assertEqual((following.chunks, following.lost, self.wire.server.connected), ([], [], True))
            transport: Any = self.wire.server
            transport.resumeProducing()
            self.wire.flush()
            self.assertEqual(following.chunks, [b"before"])
            knows = isinstance(following, HalfCloseRecorder)
            self.assertEqual((self.wire.server.connected, len(following.lost)), (knows, not knows))

    def test_lost(self) -> None:
        """
        When the connection is lost meanwhile, the prefix is too.
        """
        following, transport = self.paused()
        self.wire.client.abortConnection()
        self.wire.flush()
        transport.abortConnection()
        self.wire.flush()
        self.assertEqual(len(following.lost), 1)
        transport.resumeProducing()
        self.assertEqual(following.chunks, [])

    def test_raises(self) -> None:
        """
        Whoever resumes it does not have to do with what the protocol makes of the prefix.
        """
        following, transport = self.paused()

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        following.dataReceived = fail  # type: ignore[method-assign]
        transport.resumeProducing()
        self.wire.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(following.lost), 1)


class Taking(HalfCloseRecorder):
    """
    Takes octets as soon as it is connected, and pauses its transport all the same.

    @ivar closes: it closes the connection instead.
    """

    takesAtOnce = True
    closes = False

    def connectionMade(self) -> None:
        """
        Pause.
        """
        super().connectionMade()
        transport: Any = self.transport
        if self.closes:
            transport.loseConnection()
        transport.pauseProducing()


class TakingTests(_HandOverTestCase):
    """
    L{handOver} to one that takes octets at once, and from one that nobody else holds.
    """

    def test_prefix(self) -> None:
        """
        The prefix is delivered at once, and nothing is put in the way of the transport's methods.
        """
        following = Taking()
        self.handOver(following, b"prefix")
        self.assertEqual((following.made, following.chunks, following.readClosed), (1, [b"prefix"], 0))
        self.assertEqual({"pauseProducing", "resumeProducing"} & set(vars(self.wire.server)), set())

    def test_ended(self) -> None:
        """
        The end that the one before it was told of comes behind the prefix.
        """
        for prefix in (b"prefix", b""):
            self.setUp()
            following = Taking()
            handOver(self.wire.server, self.leaving, following, prefix, ended=True)
            self.assertEqual((following.received, following.readClosed), (prefix, 1))

    def test_closes(self) -> None:
        """
        One that closes gets neither.
        """
        following = Taking()
        following.closes = True
        handOver(self.wire.server, self.leaving, following, b"prefix", ended=True)
        self.assertEqual((following.chunks, following.readClosed), ([], 0))

    def test_endHeld(self) -> None:
        """
        An end comes behind a prefix that is waited with.
        """
        following = PausingHalfCloseRecorder()
        handOver(self.wire.server, self.leaving, following, b"prefix", ended=True)
        self.assertEqual((following.chunks, following.readClosed), ([], 0))
        self.wire.server.resumeProducing()
        self.assertEqual((following.chunks, following.readClosed), ([b"prefix"], 1))

    def test_unknown(self) -> None:
        """
        One that nobody but the transport holds leads nowhere afterwards; where somebody else holds it, it
        does, whatever was said.
        """
        following = Recorder()
        handOver(self.wire.server, self.leaving, following, known=False)
        self.assertEqual({"dataReceived", "connectionLost"} & set(vars(self.leaving)), set())
        self.say(b"octets")
        self.assertEqual(following.chunks, [b"octets"])
        held, last = HalfCloseRecorder(), Recorder()
        wire = Wire()
        wire.join(HalfCloseRecorder(), Between(held))
        handOver(wire.server, held, last, known=False)
        wire.client.write(b"octets")
        wire.flush()
        self.assertEqual((held.chunks, last.chunks), ([], [b"octets"]))


class HeldTests(SynchronousTestCase):
    """
    L{handOver} where somebody else holds the protocol that leaves.
    """

    def setUp(self) -> None:
        self.wire = Wire()
        self.leaving = HalfCloseRecorder()
        self.wire.join(HalfCloseRecorder(), Between(self.leaving))

    def test_reached(self) -> None:
        """
        What the one that left is told reaches the other.
        """
        following = Recorder()
        handOver(self.wire.server, self.leaving, following)
        self.wire.client.write(b"x")
        self.wire.client.loseConnection()
        self.wire.flush()
        self.assertEqual((following.chunks, len(following.lost)), ([b"x"], 1))
        self.assertEqual((self.leaving.chunks, self.leaving.lost), ([], []))

    def test_chain(self) -> None:
        """
        However often the connection is handed over, the last one is reached through the first.
        """
        second, third = HalfCloseRecorder(), HalfCloseRecorder()
        handOver(self.wire.server, self.leaving, second)
        handOver(self.wire.server, second, third)
        self.wire.client.write(b"x")
        self.wire.flush()
        self.leaving.readConnectionLost()
        self.leaving.writeConnectionLost()
        self.leaving.connectionLost()
        self.assertEqual((second.chunks, third.chunks), ([], [b"x"]))
        self.assertEqual((third.readClosed, third.writeClosed, len(third.lost)), (1, 1, 1))
        self.assertEqual((second.readClosed, second.writeClosed, second.lost), (0, 0, []))

    def test_halfCloseNotUnderstood(self) -> None:
        """
        To one that does not know half-close it is the end, as on a socket: also when the one before it knew,
        and whoever holds that has been told so.
        """
        following = Recorder()
        handOver(self.wire.server, self.leaving, following)
        self.leaving.writeConnectionLost()
        self.wire.flush()
        self.assertEqual(following.lost, [])
        self.leaving.readConnectionLost()
        self.wire.flush()
        self.assertEqual([lost.type for lost in following.lost], [ConnectionDone])
        self.assertEqual((self.leaving.readClosed, self.leaving.writeClosed), (0, 0))
