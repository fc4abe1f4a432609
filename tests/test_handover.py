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


class HandOverTests(SynchronousTestCase):
    """
    L{handOver} on a transport that knows its protocol.
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

    def test_pauses(self) -> None:
        """
        The prefix cannot be held back: one that pauses in C{connectionMade} has it all the same.
        """
        following = PausingRecorder()
        self.handOver(following, b"before")
        self.say(b"after")
        self.assertEqual(following.chunks, [b"before"])

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
