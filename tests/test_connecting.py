"""
Connecting to addresses that need no looking up.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
)
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoProtocol,
    NoRouteError,
    TimeoutError,
)
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint, IWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.polled import PolledReactor
from tests.support.wires import Recorder
from xtls.wire import connecting
from xtls.wire.connecting import SocketEndpoint, directly

LOOPBACK = "127.0.0.1"


class CountingFactory(Factory):
    """
    Builds one protocol, nothing, or fails.

    @ivar using: how many connections use it.
    @ivar most: how many did at once.
    """

    noisy = False

    def __init__(self, answer: Recorder | Exception | None) -> None:
        self.answer = answer
        self.using = self.most = 0
        self.addresses: list[object] = []

    def doStart(self) -> None:
        """
        One more.
        """
        self.using += 1
        self.most = max(self.most, self.using)

    def doStop(self) -> None:
        """
        One less.
        """
        self.using -= 1

    def buildProtocol(self, addr: object) -> Recorder | None:
        """
        The protocol.
        """
        self.addresses.append(addr)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class SlowSocket(socket.socket):
    """
    A socket whose connection takes its time, or fails as a test says.

    @cvar answers: what the next calls of C{connect_ex} say; then it is what the system says.
    """

    answers: list[int]

    def connect_ex(self, address: Any) -> int:
        """
        Connect.
        """
        if type(self).answers:
            return type(self).answers.pop(0)
        return super().connect_ex(address)


class SocketModule:
    """
    The module C{socket}, whose sockets are slow.
    """

    def __init__(self, kind: type[socket.socket]) -> None:
        self.socket = kind

    def __getattr__(self, name: str) -> Any:
        """
        Whatever else is in it.
        """
        return getattr(socket, name)


class Case(SynchronousTestCase):
    """
    A reactor that never polls by itself, and something that listens on loopback.
    """

    def setUp(self) -> None:
        self.reactor = PolledReactor()
        self.listening = socket.socket()
        self.addCleanup(self.listening.close)
        self.listening.bind((LOOPBACK, 0))
        self.listening.listen()
        self.listening.settimeout(10)
        self.address = self.listening.getsockname()
        self.protocol = Recorder()
        self.factory = CountingFactory(self.protocol)

    def endpoint(self, timeout: float = 30) -> SocketEndpoint:
        """
        Leads to what listens.
        """
        return SocketEndpoint(self.reactor, socket.AF_INET, self.address, timeout)

    def slow(self, *answers: int) -> None:
        """
        Have sockets take their time.
        """

        class Slow(SlowSocket):
            pass

        Slow.answers = list(answers)
        self.patch(connecting, "socket", SocketModule(Slow))

    def accepted(self) -> socket.socket:
        """
        The other end of the connection.
        """
        peer, _ = self.listening.accept()
        self.addCleanup(peer.close)
        peer.settimeout(10)
        return peer

    def assertNothingLeft(self) -> None:
        """
        The reactor waits for nothing, and nobody uses the factory.
        """
        self.reactor.advance(0)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual((self.reactor.getDelayedCalls(), self.factory.using), ([], 0))

    def assertWorks(self) -> None:
        """
        The protocol is connected, once; what is said both ways arrives; and when the peer ends, it does.
        """
        peer = self.accepted()
        transport: Any = self.protocol.transport
        self.assertEqual((self.protocol.made, self.factory.using, self.factory.most), (1, 1, 1))
        transport.write(b"question")
        peer.send(b"answer")
        self.reactor.rest()
        self.assertEqual((peer.recv(100), self.protocol.received), (b"question", b"answer"))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        peer.close()
        self.reactor.rest()
        self.assertEqual([reason.type for reason in self.protocol.lost], [ConnectionDone])
        self.assertNothingLeft()

    def refused(self) -> None:
        """
        Listen no more.
        """
        self.listening.close()


class DirectlyTests(Case):
    """
    L{directly}.
    """

    def assertTurned(self, endpoint: IStreamClientEndpoint, family: int, address: Any, near: bool) -> None:
        """
        An endpoint was turned into one that leads to the same place, and waits as long.
        """
        turned = directly(endpoint)
        assert isinstance(turned, SocketEndpoint)
        self.assertEqual((turned._family, turned._address, turned.timeout), (family, address, 7))
        self.assertEqual((turned.near, turned.reactor), (near, self.reactor))

    def test_turned(self) -> None:
        """
        Those that lead to an address, or to this machine by the name that it has for itself.
        """
        reactor = self.reactor
        inet, inet6 = socket.AF_INET, socket.AF_INET6
        self.assertTurned(TCP4ClientEndpoint(reactor, LOOPBACK, 80, 7), inet, (LOOPBACK, 80), True)
        self.assertTurned(TCP4ClientEndpoint(reactor, "localhost", 80, 7), inet, (LOOPBACK, 80), True)
        self.assertTurned(TCP4ClientEndpoint(reactor, "192.0.2.1", 80, 7), inet, ("192.0.2.1", 80), False)
        self.assertTurned(TCP6ClientEndpoint(reactor, "::1", 80, 7), inet6, ("::1", 80, 0, 0), True)
        self.assertTurned(
            TCP6ClientEndpoint(reactor, "2001:db8::1", 80, 7), inet6, ("2001:db8::1", 80, 0, 0), False
        )
        self.assertTurned(UNIXClientEndpoint(reactor, "/run/x", 7), socket.AF_UNIX, "/run/x", True)

    def test_strings(self) -> None:
        """
        What strings lead to is turned too.
        """
        for string in ("tcp:127.0.0.1:80", "tcp:localhost:80:timeout=3", "unix:/run/x"):
            self.assertIsInstance(directly(clientFromString(self.reactor, string)), SocketEndpoint)

    def test_leftAlone(self) -> None:
        """
        Those that lead to a name, from a certain address, to a port that is none, or by another way; those on
        a reactor without descriptors, and those that are none of Twisted's.
        """

        class Derived(TCP4ClientEndpoint):
            pass

        class Slots:
            __slots__ = ()

        reactor: Any = self.reactor
        clock: Any = Clock()
        service: Any = "http"
        others: list[Any] = [
            TCP4ClientEndpoint(reactor, "example.org", 80),
            TCP4ClientEndpoint(reactor, LOOPBACK, 80, bindAddress=(LOOPBACK, 0)),
            TCP4ClientEndpoint(reactor, LOOPBACK, service),
            TCP4ClientEndpoint(reactor, LOOPBACK, 0),
            TCP4ClientEndpoint(reactor, LOOPBACK, 65536),
            TCP6ClientEndpoint(reactor, "localhost", 80),
            TCP6ClientEndpoint(reactor, "fe80::1%lo", 80),
            TCP4ClientEndpoint(clock, LOOPBACK, 80),
            Derived(reactor, LOOPBACK, 80),
            UNIXClientEndpoint(reactor, "/run/x", checkPID=True),
            HostnameEndpoint(reactor, LOOPBACK, 80),
            self.endpoint(),
            Slots(),
        ]
        for endpoint in others:
            self.assertIs(directly(endpoint), endpoint)

    def test_withoutPrivateNames(self) -> None:
        """
        Where one of Twisted's names is another than it is now, an endpoint is left alone.
        """
        for name in ("_reactor", "_timeout", "_host", "_port"):
            endpoint = TCP4ClientEndpoint(self.reactor, LOOPBACK, 80)
            delattr(endpoint, name)
            self.assertIs(directly(endpoint), endpoint)
        unix = UNIXClientEndpoint(self.reactor, "/run/x")
        delattr(unix, "_path")
        self.assertIs(directly(unix), unix)


class ConnectTests(Case):
    """
    L{SocketEndpoint.connect}.
    """

    def test_interface(self) -> None:
        """
        It is an endpoint, and can be told apart from others.
        """
        verifyObject(IStreamClientEndpoint, self.endpoint())
        self.assertEqual(repr(self.endpoint()), f"<SocketEndpoint {self.address!r}>")

    def test_atOnce(self) -> None:
        """
        On one machine a protocol is connected when the call returns, with C{TCP_NODELAY}.
        """
        connected: IProtocol = self.successResultOf(self.endpoint().connect(self.factory))
        self.assertIs(connected, self.protocol)
        transport: Any = self.protocol.transport
        self.assertTrue(transport.getTcpNoDelay() and transport.sendsAtOnce)
        self.assertFalse(transport.socket.getblocking())
        address = IPv4Address("TCP", *self.address)
        self.assertEqual((transport.getPeer(), self.factory.addresses), (address, [address]))
        self.assertEqual(transport.getHost(), IPv4Address("TCP", *transport.socket.getsockname()))
        self.assertWorks()

    def test_blockingAtFirst(self) -> None:
        """
        Where a socket cannot be made so that it does not block, it is told afterwards.
        """
        self.patch(connecting, "_NONBLOCKING", 0)
        self.successResultOf(self.endpoint().connect(self.factory))
        transport: Any = self.protocol.transport
        self.assertFalse(transport.socket.getblocking())
        self.assertWorks()

    def test_slow(self) -> None:
        """
        When it takes a moment, the reactor says when it is there; then nothing is left of the attempt.
        """
        for answers in ([errno.EINPROGRESS], [errno.EINPROGRESS, errno.EALREADY]):
            self.setUp()
            self.slow(*answers)
            endpoint = self.endpoint()
            endpoint.near = len(answers) > 1  # only on one machine it is worth to ask twice
            connecting = endpoint.connect(self.factory)
            self.assertNoResult(connecting)
            (attempt,) = self.reactor.writers
            verifyObject(IWriteDescriptor, attempt)
            attempt._socket.connect_ex(self.address)  # what was only said to be under way
            self.assertEqual(attempt.logPrefix(), "CountingFactory")
            self.reactor.rest()
            self.assertIs(self.successResultOf(connecting), self.protocol)
            self.assertWorks()

    def test_refused(self) -> None:
        """
        Where nobody listens, it fails, at once or later, and the socket is closed.
        """
        self.refused()
        self.failureResultOf(self.endpoint().connect(self.factory), ConnectionRefusedError)
        self.assertEqual(self.factory.most, 1)
        self.assertNothingLeft()
        self.slow(errno.EINPROGRESS, errno.EINPROGRESS)
        connecting = self.endpoint().connect(self.factory)
        (attempt,) = self.reactor.writers
        attempt._socket.setblocking(False)
        self.patch(SlowSocket, "getsockopt", lambda *_: errno.ECONNREFUSED)
        attempt.doWrite()
        self.failureResultOf(connecting, ConnectionRefusedError)
        self.assertEqual(attempt.fileno(), -1)
        attempt.connectionLost(Failure(CONNECTION_LOST))  # as a reactor does with a descriptor that is gone
        self.assertEqual(self.factory.addresses, [])
        self.assertNothingLeft()

    def test_descriptorLost(self) -> None:
        """
        When the reactor finds the descriptor to be of no use, the system says why; if it does not, the
        reactor has.
        """
        for number, expected in ((errno.ECONNREFUSED, ConnectionRefusedError), (0, ConnectionLost)):
            self.slow(errno.EINPROGRESS, errno.EINPROGRESS)
            connecting = self.endpoint().connect(self.factory)
            (attempt,) = self.reactor.writers
            self.patch(SlowSocket, "getsockopt", lambda *_, number=number: number)
            attempt.connectionLost(Failure(CONNECTION_LOST))
            self.failureResultOf(connecting, expected)
            self.assertNothingLeft()

    def test_unreachable(self) -> None:
        """
        Where there is no way, it says so.
        """
        self.slow(errno.ENETUNREACH)
        self.failureResultOf(self.endpoint().connect(self.factory), NoRouteError, ConnectError)
        self.assertNothingLeft()

    def test_timeout(self) -> None:
        """
        Where nobody answers in time, it fails.
        """
        self.slow(errno.EINPROGRESS, errno.EINPROGRESS)
        connecting = self.endpoint(timeout=7).connect(self.factory)
        self.reactor.advance(6.9)
        self.assertNoResult(connecting)
        self.reactor.advance(0.1)
        self.failureResultOf(connecting, TimeoutError)
        self.assertNothingLeft()

    def test_cancel(self) -> None:
        """
        Nobody may want it any more.
        """
        self.slow(errno.EINPROGRESS, errno.EINPROGRESS)
        connecting = self.endpoint().connect(self.factory)
        (attempt,) = self.reactor.writers
        connecting.cancel()
        error = self.failureResultOf(connecting, ConnectingCancelledError, CancelledError)
        self.assertEqual(error.value.address, IPv4Address("TCP", *self.address))
        self.assertEqual((attempt.fileno(), self.protocol.made), (-1, 0))
        self.assertNothingLeft()

    def test_cancelInTheMidst(self) -> None:
        """
        It may be cancelled by whom it connects: then the connection is aborted; or where there is no protocol
        for it, closed.
        """

        class Cancelling(Recorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                attempt.cancel()

        class CancellingFactory(CountingFactory):
            def buildProtocol(self, addr: object) -> None:
                attempt.cancel()

        protocol = Cancelling()
        for factory in (CountingFactory(protocol), CancellingFactory(None)):
            self.factory = factory
            self.slow(errno.EINPROGRESS, errno.EINPROGRESS)
            attempt = self.endpoint().connect(factory)
            (writer,) = self.reactor.writers
            writer._socket.connect_ex(self.address)
            self.reactor.rest()
            self.failureResultOf(attempt, CancelledError)
            self.assertNothingLeft()
        self.assertEqual([reason.type for reason in protocol.lost], [ConnectionAborted])
        self.assertRaises(ConnectionResetError, self.accepted().recv, 1)
        self.assertEqual(self.accepted().recv(1), b"")

    def test_noSockets(self) -> None:
        """
        When there can be no socket, it fails for that reason, and the factory is not used.
        """

        class None_(socket.socket):
            def __init__(self, *arguments: Any) -> None:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.patch(connecting, "socket", SocketModule(None_))
        error = self.failureResultOf(self.endpoint().connect(self.factory), ConnectError)
        self.assertEqual((error.value.osError, self.factory.most), (errno.EMFILE, 0))
        self.assertFalse(self.endpoint().connectAtOnce(self.protocol))
        self.assertEqual(self.protocol.made, 0)

    def test_noProtocol(self) -> None:
        """
        A factory that has no protocol for it: it fails as Twisted's own do, and the connection is closed.
        """
        self.factory.answer = None
        self.failureResultOf(self.endpoint().connect(self.factory), NoProtocol)
        self.assertEqual(self.accepted().recv(1), b"")
        self.assertNothingLeft()

    def test_faultyFactory(self) -> None:
        """
        A factory that fails: so does it, at once or later, and the connection is closed.
        """
        self.factory.answer = ZeroDivisionError("a fault of the factory")
        self.failureResultOf(self.endpoint().connect(self.factory), ZeroDivisionError)
        self.assertEqual(self.accepted().recv(1), b"")
        self.assertNothingLeft()
        self.slow(errno.EINPROGRESS, errno.EINPROGRESS)
        connecting = self.endpoint().connect(self.factory)
        (attempt,) = self.reactor.writers
        attempt._socket.connect_ex(self.address)
        self.reactor.rest()
        self.failureResultOf(connecting, ZeroDivisionError)
        self.assertEqual(self.accepted().recv(1), b"")
        self.assertNothingLeft()

    def test_faultyProtocol(self) -> None:
        """
        A protocol that raises when it is connected: it fails for that reason, and the connection is lost,
        which the protocol hears.
        """

        class Faulty(Recorder):
            def connectionMade(self) -> None:
                raise ZeroDivisionError("a fault of the protocol")

        self.factory.answer = protocol = Faulty()
        self.failureResultOf(self.endpoint().connect(self.factory), ZeroDivisionError)
        self.assertEqual([reason.type for reason in protocol.lost], [ZeroDivisionError])
        self.assertEqual(self.accepted().recv(1), b"")
        self.assertNothingLeft()

    def test_faultyEnd(self) -> None:
        """
        A protocol that raises when its connection is lost: the factory is let go of all the same, once.
        """

        class Faulty(Recorder):
            def connectionLost(self, reason: Any = None) -> None:
                raise ZeroDivisionError("a fault of the protocol")

        self.factory.answer = protocol = Faulty()
        self.successResultOf(self.endpoint().connect(self.factory))
        transport: Any = protocol.transport
        self.assertRaises(ZeroDivisionError, transport.connectionLost, Failure(CONNECTION_LOST))
        transport.connectionLost(Failure(CONNECTION_LOST))
        self.assertNothingLeft()


class AtOnceTests(Case):
    """
    L{SocketEndpoint.socketAtOnce} and L{SocketEndpoint.connectAtOnce}.
    """

    def test_connected(self) -> None:
        """
        A protocol is connected, and nobody's factory is asked.
        """
        self.assertTrue(self.endpoint().connectAtOnce(self.protocol))
        self.factory.using = self.factory.most = 1  # for what it is compared with
        transport: Any = self.protocol.transport
        self.assertIs(transport.factory, None)
        self.assertEqual(transport.getPeer(), IPv4Address("TCP", *self.address))
        self.addCleanup(setattr, self.factory, "using", 0)
        peer = self.accepted()
        peer.send(b"hello")
        peer.close()
        self.reactor.rest()
        self.assertEqual((self.protocol.made, self.protocol.received), (1, b"hello"))
        self.assertEqual([reason.type for reason in self.protocol.lost], [ConnectionDone])

    def test_socket(self) -> None:
        """
        The socket may be had alone; its transport reads nothing before it is told to.
        """
        endpoint = self.endpoint()
        sock = endpoint.socketAtOnce()
        assert sock is not None
        self.addCleanup(sock.close)
        transport: Any = endpoint.transport(sock, self.protocol)
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual((transport.protocol, self.protocol.made), (self.protocol, 0))
        self.assertTrue(transport._tlsClientDefault and transport.sendsAtOnce)

    def test_notAtOnce(self) -> None:
        """
        Where it would take a moment, or is refused, nothing has happened, and no socket is left.
        """
        made: list[socket.socket] = []

        class Noted(SlowSocket):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                made.append(self)

        self.patch(connecting, "socket", SocketModule(Noted))
        Noted.answers = [errno.EINPROGRESS] * 2
        self.assertFalse(self.endpoint().connectAtOnce(self.protocol))
        self.refused()
        self.assertFalse(self.endpoint().connectAtOnce(self.protocol))
        self.assertEqual([each.fileno() for each in made], [-1, -1])
        self.assertEqual(self.protocol.made, 0)
        self.assertNothingLeft()

    def test_far(self) -> None:
        """
        Another machine is not even asked.
        """
        far = SocketEndpoint(self.reactor, socket.AF_INET, ("192.0.2.1", 80), 30)
        self.patch(connecting, "socket", None)
        self.assertFalse(far.connectAtOnce(self.protocol))


class UnixTests(Case):
    """
    Unix sockets.
    """

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.mkdtemp()  # short enough for such a socket
        self.path = str(Path(folder) / "socket")
        self.addCleanup(os.rmdir, folder)
        self.listening.close()
        self.listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listening.close)
        self.listening.bind(self.path)
        self.addCleanup(os.unlink, self.path)
        self.listening.listen(0)
        self.listening.settimeout(10)

    def endpoint(self, timeout: float = 30) -> SocketEndpoint:
        """
        Leads to the path.
        """
        return SocketEndpoint(self.reactor, socket.AF_UNIX, self.path, timeout)

    def test_connected(self) -> None:
        """
        A protocol is connected at once.
        """
        self.successResultOf(self.endpoint().connect(self.factory))
        transport: Any = self.protocol.transport
        self.assertEqual(transport.getPeer(), UNIXAddress(self.path.encode("ascii")))
        self.assertEqual(transport.getHost(), UNIXAddress(None))
        self.assertIs(transport.getTcpNoDelay(), False)
        self.assertWorks()

    def test_queueFull(self) -> None:
        """
        Who listens there and does not accept has a short queue: it fails at once, for there is nothing that a
        reactor could wait for.
        """
        if sys.platform != "linux":
            self.skipTest("other systems refuse it")
        waiting = []
        while (sock := self.endpoint().socketAtOnce()) is not None:
            waiting.append(sock)
            self.addCleanup(sock.close)
            self.assertLess(len(waiting), 10)
        error = self.failureResultOf(self.endpoint().connect(self.factory), ConnectError)
        self.assertEqual(error.value.osError, errno.EAGAIN)
        self.assertNothingLeft()

    def test_nobody(self) -> None:
        """
        Where there is no such path, it fails, and says so.
        """
        nowhere = SocketEndpoint(self.reactor, socket.AF_UNIX, self.path + "2", 30)
        error = self.failureResultOf(nowhere.connect(self.factory), ConnectError)
        self.assertEqual(error.value.osError, errno.ENOENT)
        self.assertFalse(nowhere.connectAtOnce(self.protocol))
        self.assertNothingLeft()

    def test_noPath(self) -> None:
        """
        What is too long for a path fails too, and says so; no socket is left.
        """
        made: list[socket.socket] = []

        class Noted(socket.socket):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                made.append(self)

        self.patch(connecting, "socket", SocketModule(Noted))
        nowhere = SocketEndpoint(self.reactor, socket.AF_UNIX, "/" + "x" * 200, 30)
        error = self.failureResultOf(nowhere.connect(self.factory), ConnectError)
        self.assertIn("too long", str(error.value))
        self.assertFalse(nowhere.connectAtOnce(self.protocol))
        self.assertEqual([each.fileno() for each in made], [-1, -1])
        self.assertEqual((self.factory.most, self.protocol.made), (0, 0))
