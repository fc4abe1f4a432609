"""
Sockets of streams over TCP: what every byte stream promises; and a port's raw sessions on Twisted's reactor
and on ours.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, serverFromString
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.contract import StreamContract, differs
from tests.support.polled import PolledWire, loopback
from tests.support.wires import Wire
from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.wire.connecting import directly
from xtls.wire.sockets import StreamSocket

#: No protocol's first octets, and more than any buffer.
QUESTION = b"\0" + random.Random(31).randbytes(1 << 20)

#: Seconds that anything may take.
DEADLINE = 30.0


def narrow() -> tuple[socket.socket, socket.socket]:
    """
    Two sockets for which the system keeps little.
    """
    ends = loopback()
    for each in ends:
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            each.setsockopt(socket.SOL_SOCKET, buffer, 65536)
    return ends


class StreamSocketStreamTests(StreamContract, SynchronousTestCase):
    """
    Both ends of a connection by TCP, which may need a moment.
    """

    closes = False
    newWire = partial(PolledWire, pair=narrow, wait=0.005)

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        The protocols themselves.
        """
        ends = [factory.buildProtocol(wire.server.getHost()) for factory in (client, server)]
        assert ends[0] is not None and ends[1] is not None
        return ends[0], ends[1]

    test_closeDeadline = differs(StreamContract.test_closeDeadline, "waits as long as the kernel")
    test_bufferReceived = differs(StreamContract.test_bufferReceived, "knows no views")
    test_writeSequence = differs(StreamContract.test_writeSequence, "takes lists only, as Twisted's own")


@implementer(IHalfCloseableProtocol)
class Session(Protocol):
    """
    Sends back what it gets, and closes when its peer has ended; or ends the connection with the first octets.

    @ivar lost: fires with the reason for which the connection was lost.
    """

    transport: Any
    factory: Sessions

    def __init__(self) -> None:
        self.lost: Deferred[type[BaseException]] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """
        Send it back, or end.
        """
        if self.factory.aborting:
            self.transport.abortConnection()
        else:
            self.transport.write(data)

    def readConnectionLost(self) -> None:
        """
        The peer has said all.
        """
        self.transport.write(b", and that is all")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        It does not end its direction alone.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The end.
        """
        assert reason.type is not None
        self.lost.callback(reason.type)


class Sessions(Factory):
    """
    Builds sessions, and keeps them.
    """

    noisy = False
    aborting = False

    def __init__(self) -> None:
        self.built: list[Session] = []

    def buildProtocol(self, addr: object) -> Session:  # type: ignore[override]
        """
        One more.
        """
        session = Session()
        session.factory = self
        self.built.append(session)
        return session


class Client(Protocol):
    """
    Asks, and waits for an answer.

    @ivar answer: what has come.
    @ivar answered: fires when as much has come as was asked with.
    @ivar lost: fires with the reason for which the connection was lost.
    """

    transport: Any

    def __init__(self, question: bytes) -> None:
        self.question = question
        self.answer = bytearray()
        self.answered: Deferred[None] = Deferred()
        self.lost: Deferred[type[BaseException]] = Deferred()

    def connectionMade(self) -> None:
        """
        Ask.
        """
        self.transport.write(self.question)

    def dataReceived(self, data: bytes) -> None:
        """
        Remember.
        """
        self.answer += data
        if len(self.answer) >= len(self.question) and not self.answered.called:
            self.answered.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The end.
        """
        assert reason.type is not None
        self.lost.callback(reason.type)


class HalfClosingClient(Client):
    """
    Ends its own direction when it has asked.
    """

    def connectionMade(self) -> None:
        """
        Ask, and end.
        """
        super().connectionMade()
        self.transport.loseWriteConnection()


class PortMixin:
    """
    A port for raw sessions, on a reactor of its own.
    """

    reactorName: ClassVar[str]

    def setUp(self) -> None:
        test: Any = self
        try:
            self.reactor: Any = namedAny(self.reactorName)()
        except Exception as e:
            test.skipTest(f"this system has no such reactor: {e}")
        self.sessions = Sessions()
        endpoint = UpgradeableServerEndpoint(
            serverFromString(self.reactor, "tcp:0:interface=127.0.0.1:backlog=300"),
            Mode.TCP,
            PortOptions(),
            self.reactor,
        )
        self.port: Any = test.successResultOf(endpoint.listen(self.sessions))

    def tearDown(self) -> None:
        """
        Nothing is left but the reactor's own.
        """
        test: Any = self
        self.wait(self.port.stopListening())
        waker = self.reactor.waker
        self.until(lambda: set(self.reactor.getReaders()) <= {waker} and not self.reactor.getWriters())
        test.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor._poller.close()
        waker.connectionLost(None)

    def until(self, fulfilled: Callable[[], object]) -> None:
        """
        Run the reactor until something has come true.
        """
        end = time.monotonic() + DEADLINE
        while not fulfilled():
            assert time.monotonic() < end, "it takes too long"
            self.reactor.runUntilCurrent()
            self.reactor.doIteration(min(0.05, self.reactor.timeout() or 0.0))

    def wait(self, deferred: Deferred[Any]) -> Any:
        """
        Run the reactor until there is a result.
        """
        test: Any = self
        results: list[Any] = []
        deferred.addBoth(results.append)
        self.until(lambda: results)
        test.assertNotIsInstance(results[0], Failure)
        return results[0]

    def connect(self, client: Client, *, short: bool = False) -> Any:
        """
        Connect a client.

        @param short: on the short way, as a forward does.
        """
        endpoint: Any = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port.getHost().port)
        return connectProtocol(directly(endpoint) if short else endpoint, client)

    def test_echo(self) -> None:
        """
        A MiB comes back as it was sent, and the close after it is a proper end for both.
        """
        test: Any = self
        for short in (False, True):
            client = Client(QUESTION)
            self.wait(self.connect(client, short=short))
            self.wait(client.answered)
            test.assertTrue(client.answer == QUESTION)
            session = self.sessions.built[-1]
            test.assertIsInstance(session.transport, StreamSocket)
            test.assertEqual(session.transport.getPeer(), client.transport.getHost())
            client.transport.loseConnection()
            test.assertEqual(self.wait(client.lost), ConnectionDone)
            test.assertEqual(self.wait(session.lost), ConnectionDone)

    def test_halfClose(self) -> None:
        """
        A client that ends its own direction gets all that it has asked for, and a proper end.
        """
        test: Any = self
        for short in (False, True):
            client = HalfClosingClient(QUESTION)
            self.wait(self.connect(client, short=short))
            test.assertEqual(self.wait(client.lost), ConnectionDone)
            test.assertTrue(client.answer == QUESTION + b", and that is all")
            test.assertEqual(self.wait(self.sessions.built[-1].lost), ConnectionDone)

    def test_abort(self) -> None:
        """
        A reset by the client is a loss to the session.
        """
        test: Any = self
        client = Client(b"\0 question")
        self.wait(self.connect(client))
        self.wait(client.answered)
        client.transport.abortConnection()
        test.assertEqual(self.wait(client.lost), ConnectionAborted)
        test.assertEqual(self.wait(self.sessions.built[-1].lost), ConnectionLost)

    def test_aborted(self) -> None:
        """
        A reset by the session is a loss to the client.
        """
        test: Any = self
        self.sessions.aborting = True
        client = Client(b"\0 question")
        self.wait(self.connect(client))
        test.assertEqual(self.wait(client.lost), ConnectionLost)
        test.assertEqual(self.wait(self.sessions.built[-1].lost), ConnectionAborted)

    def test_many(self) -> None:
        """
        Two hundred at once are all served, each with its own octets.
        """
        test: Any = self
        clients = [Client(b"\0" + str(number).encode("ascii") * 100) for number in range(200)]
        self.wait(gatherResults([self.connect(each) for each in clients]))
        self.wait(gatherResults([each.answered for each in clients]))
        test.assertEqual([bytes(each.answer) for each in clients], [each.question for each in clients])
        test.assertEqual(len(self.sessions.built), 200)
        for each in clients:
            each.transport.loseConnection()
        losses = [each.lost for each in clients] + [each.lost for each in self.sessions.built]
        ends = self.wait(gatherResults(losses))
        test.assertEqual(set(ends), {ConnectionDone})


class StockReactorTests(PortMixin, SynchronousTestCase):
    """
    On Twisted's reactor.
    """

    reactorName = "twisted.internet.epollreactor.EPollReactor"


class OwnReactorTests(PortMixin, SynchronousTestCase):
    """
    On ours.
    """

    reactorName = "xtls.wire.reactor.Reactor"
