"""
Taking connections off a listening socket.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReactorFDSet
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.logs import recordLogs
from tests.support.polled import PolledReactor
from tests.support.wires import Recorder
from xtls.wire.accepting import acceptDirectly
from xtls.wire.reactor import Reactor
from xtls.wire.sockets import StreamSocket


class Recorders(Factory):
    """
    Builds recorders.

    @ivar built: all of them.
    @ivar addresses: what they were built for.
    @ivar answers: what is to be built in place of the next ones: nothing, or an error.
    """

    noisy = False

    def __init__(self) -> None:
        self.built: list[Recorder] = []
        self.addresses: list[object] = []
        self.answers: list[Exception | None] = []

    def buildProtocol(self, addr: object) -> Protocol | None:
        """
        One more.
        """
        self.addresses.append(addr)
        if self.answers:
            answer = self.answers.pop(0)
            if answer is not None:
                raise answer
            return None
        self.built.append(Recorder())
        return self.built[-1]


class FailingSocket:
    """
    A listening socket that fails now and then.
    """

    def __init__(self, sock: socket.socket, *failures: int) -> None:
        """
        @param failures: what the next calls fail with; 0 for one that does not.
        """
        self._sock = sock
        self._failures = list(failures)

    def accept(self) -> Any:
        """
        Accept, or fail.
        """
        number = self._failures.pop(0) if self._failures else 0
        if number:
            raise OSError(number, "failed")
        return self._sock.accept()

    def __getattr__(self, name: str) -> Any:
        """
        Whatever else a socket has.
        """
        return getattr(self._sock, name)


class Case(SynchronousTestCase):
    """
    A port that listens on loopback, whose reactor never polls by itself.
    """

    family = socket.AF_INET
    interface = "127.0.0.1"

    def setUp(self) -> None:
        self.reactor: Any = PolledReactor()
        self.factory = Recorders()
        self.port: Any = tcp.Port(0, self.factory, interface=self.interface, reactor=self.reactor)
        self.port.startListening()
        self.addCleanup(self.port.socket.close)

    def clients(self, count: int) -> list[socket.socket]:
        """
        So many that wait to be taken.
        """
        found = []
        for _ in range(count):
            found.append(socket.socket(self.family))
            self.addCleanup(found[-1].close)
            found[-1].settimeout(10)
            found[-1].connect(self.port.socket.getsockname())
            found[-1].setblocking(False)
        return found

    def heard(self, client: socket.socket) -> str:
        """
        Whether a client's connection is there.
        """
        self.reactor.rest()
        try:
            return client.recv(100).decode("ascii") or "end"
        except BlockingIOError:
            return "open"


class AcceptDirectlyTests(Case):
    """
    L{acceptDirectly}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.assertIs(acceptDirectly(self.port), self.port)

    def test_connects(self) -> None:
        """
        A client's connection is a L{StreamSocket}, connected, that has the client's address and is read.
        """
        (client,) = self.clients(1)
        client.send(b"hello")
        self.reactor.rest()
        (protocol,) = self.factory.built
        transport: Any = protocol.transport
        self.assertIs(type(transport), StreamSocket)
        self.assertEqual((protocol.made, protocol.received), (1, b"hello"))
        self.assertEqual(transport.getPeer().port, client.getsockname()[1])
        self.assertEqual(transport.getHost(), self.port.getHost())
        self.assertFalse(transport.socket.getblocking())
        self.assertIs(transport.reactor, self.reactor)
        transport.write(b"answer")
        transport.loseConnection()
        self.assertEqual((self.heard(client), self.heard(client)), ("answer", "end"))
        self.assertEqual([reason.type for reason in protocol.lost], [ConnectionDone])

    def test_noAddress(self) -> None:
        """
        No address is made before somebody asks for it.
        """
        self.clients(1)
        self.reactor.rest()
        self.assertEqual(self.factory.addresses, [None])

    def test_noDelay(self) -> None:
        """
        C{TCP_NODELAY} is set, as the transport says, and the system does.
        """
        self.clients(1)
        self.reactor.rest()
        transport: Any = self.factory.built[0].transport
        inherits = sys.platform == "linux"
        self.assertEqual(transport.sendsAtOnce, inherits)
        self.assertEqual(transport.getTcpNoDelay(), inherits)

    def test_many(self) -> None:
        """
        However many wait, all are taken, in order, and more in one turn as long as there are more; then one
        at a time again.
        """
        taken = []
        for waiting in (40, 1):
            self.port.numberAccepts = 1
            clients = self.clients(waiting)
            del self.factory.built[:]
            while len(self.factory.built) < waiting:
                before = len(self.factory.built)
                self.port.doRead()
                taken.append(len(self.factory.built) - before)
            peers = [each.transport.getPeer().port for each in self.factory.built]  # type: ignore[union-attr]
            self.assertEqual(peers, [each.getsockname()[1] for each in clients])
        self.assertEqual(taken, [1, 2, 4, 8, 16, 9, 1])

    def test_most(self) -> None:
        """
        One turn takes no more than 64, whatever a port of Twisted's would.
        """
        self.port.numberAccepts = 1000
        self.port.socket.listen(100)
        self.clients(70)
        for taken in (64, 70):
            self.port.doRead()
            self.assertEqual(len(self.factory.built), taken)

    def test_nobody(self) -> None:
        """
        Called when the client is somebody else's already, it does nothing, and is there for the next.
        """
        for _ in range(3):
            self.port.doRead()
        self.assertEqual((self.factory.built, self.port.numberAccepts), ([], 1))
        self.clients(1)
        self.port.doRead()
        self.assertEqual(len(self.factory.built), 1)

    def test_refused(self) -> None:
        """
        A client for whom there is no protocol is closed, and the next gets one.
        """
        self.factory.answers = [None]
        first, second = self.clients(2)
        self.assertEqual((self.heard(first), self.heard(second)), ("end", "open"))
        self.assertEqual(len(self.factory.built), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_faultyFactory(self) -> None:
        """
        One for whom the factory fails is closed too, which is logged; the next gets one.
        """
        self.factory.answers = [ZeroDivisionError("a fault of the factory")]
        log = recordLogs(self)
        first, second = self.clients(2)
        self.assertEqual((self.heard(first), self.heard(second)), ("end", "open"))
        self.assertEqual(len(self.factory.built), 1)
        self.assertEqual(log.lines(), ["a connection cannot be served"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_noDescriptors(self) -> None:
        """
        When there are no descriptors left, Twisted's way is taken: clients that wait are closed, and later
        ones are served.
        """
        self.port.numberAccepts = 10
        clients = self.clients(4)
        self.port.socket = FailingSocket(self.port.socket, 0, errno.EMFILE, errno.EMFILE)
        self.port.doRead()
        served = [self.heard(each) for each in clients]
        self.assertEqual(served, ["open", "end", "end", "end"])
        (last,) = self.clients(1)
        self.assertEqual(self.heard(last), "open")
        self.assertEqual(len(self.factory.built), 2)

    def test_aborted(self) -> None:
        """
        A client that has gone again before it was taken changes nothing for those after it.
        """
        for number in (errno.ECONNABORTED, errno.EPERM):
            before = len(self.factory.built)
            (client,) = self.clients(1)
            self.port.socket = FailingSocket(self.port.socket, number)
            self.assertEqual(self.heard(client), "open")
            self.assertEqual(len(self.factory.built), before + 1)
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopsListening(self) -> None:
        """
        A port that listens no more closes its socket; the connections that it has taken stay.
        """
        (client,) = self.clients(1)
        self.reactor.rest()
        stopped: list[object] = []
        self.port.stopListening().addCallback(stopped.append)
        self.reactor.rest()
        self.assertEqual((stopped, self.heard(client)), ([None], "open"))
        self.assertFalse(self.port.connected)

    def test_shared(self) -> None:
        """
        A port that several processes have is left to take as many as the reactor says: one, and more only as
        long as there are more.
        """

        class Alone:
            def ahead(self) -> bool:
                return False

        reactor: Any = Reactor()
        self.addCleanup(reactor._poller.close)
        self.addCleanup(reactor.waker.connectionLost, None)
        self.port.reactor = reactor
        line: Any = Alone()
        reactor._share(self.port, line)
        self.clients(12)
        taken = []
        for _ in range(4):
            before = len(self.factory.built)
            self.port.doRead()
            taken.append(len(self.factory.built) - before)
        self.clients(2)
        self.port.doRead()
        self.assertEqual(taken, [1, 2, 4, 5])
        self.assertEqual(len(self.factory.built), 13)
        for each in self.factory.built:
            transport: Any = each.transport
            transport.connectionLost(Failure(CONNECTION_DONE))


class IPv6Tests(Case):
    """
    The same for IPv6.
    """

    family = socket.AF_INET6
    interface = "::1"

    def test_connects(self) -> None:
        """
        A client's connection has the client's address.
        """
        acceptDirectly(self.port)
        (client,) = self.clients(1)
        self.reactor.rest()
        transport: Any = self.factory.built[0].transport
        self.assertEqual((transport.getPeer().host, transport.getHost()), ("::1", self.port.getHost()))
        self.assertEqual(transport.getPeer().port, client.getsockname()[1])


class ServeTests(Case):
    """
    Connections that are given to somebody else than the factory.
    """

    def test_given(self) -> None:
        """
        Each is a socket that does not block, and where the peer is; the factory hears nothing.
        """
        given: list[Any] = []
        acceptDirectly(self.port, lambda *arguments: given.append(arguments))
        clients = self.clients(3)
        self.reactor.rest()
        for (sock, peer), client in zip(given, clients, strict=True):
            self.addCleanup(sock.close)
            self.assertEqual((sock.getblocking(), peer), (False, client.getsockname()))
        self.assertEqual(self.factory.addresses, [])

    def test_faulty(self) -> None:
        """
        When one cannot be served, that is logged, and the next is.
        """
        given: list[Any] = []

        def serve(sock: Any, peer: Any) -> None:
            given.append(sock)
            self.addCleanup(sock.close)
            if len(given) == 1:
                raise ZeroDivisionError("a fault of who serves it")

        acceptDirectly(self.port, serve)
        self.clients(2)
        self.reactor.rest()
        self.assertEqual(len(given), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_otherSystems(self) -> None:
        """
        Where the system does not hand options on, the listening socket is left alone, and a transport does
        not take for granted that it sends at once.
        """
        self.patch(sys, "platform", "other")
        acceptDirectly(self.port)
        self.assertEqual(self.port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 0)
        self.clients(1)
        self.reactor.rest()
        transport: Any = self.factory.built[0].transport
        self.assertFalse(transport.sendsAtOnce)


@implementer(IListeningPort)
class OtherPort:
    """
    A port that is none of Twisted's.
    """

    def startListening(self) -> None:
        """
        It does.
        """

    def stopListening(self) -> None:
        """
        It does not.
        """

    def getHost(self) -> Any:
        """
        Nowhere.
        """


class OtherPortTests(SynchronousTestCase):
    """
    Ports that are left alone.
    """

    def test_leftAlone(self) -> None:
        """
        One that is not Twisted's for TCP, that is of a class derived from it, or that does not listen on a
        socket, is what it was.
        """

        class DerivedPort(tcp.Port):
            pass

        reactor: Any = MemoryReactorClock()
        self.assertTrue(IReactorFDSet.providedBy(reactor))
        other = OtherPort()
        verifyObject(IListeningPort, other)
        ports = other, tcp.Port(0, Factory(), reactor=reactor), DerivedPort(0, Factory(), reactor=reactor)
        for port in ports:
            if isinstance(port, DerivedPort):
                port.interface = "127.0.0.1"
                port.startListening()
                self.addCleanup(port.socket.close)
            before = dict(vars(port))
            self.assertIs(acceptDirectly(port), port)
            self.assertEqual(vars(port), before)
