"""
The service that listens on all sockets or on none.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any, cast

from twisted.application.service import IService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.handshakes import saved
from xtls.config.listening import parseBind
from xtls.config.modes import Mode
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.port.upgrades import UpgradePolicy
from xtls.programs.portservice import Listener, ListeningError, PortService, spoken
from xtls.programs.serviceoptions import Socket
from xtls.programs.tally import Board
from xtls.sessions.forward import ForwardFactory
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.trust.issuing import selfSigned


@implementer(IListeningPort)
class _Port:
    """
    A port that remembers whether it listens.
    """

    def __init__(self, number: int) -> None:
        self.listening = True
        self._address = IPv4Address("TCP", "127.0.0.1", number)

    def startListening(self) -> None:
        """
        Not used.
        """

    def stopListening(self) -> Deferred[None]:
        """
        Listen no more.
        """
        self.listening = False
        return succeed(None)

    def getHost(self) -> IPv4Address:
        """
        The address.
        """
        return self._address


class _Transport(StringTransport):
    """
    A transport that can end.
    """

    def connectionLost(self, reason: object) -> None:
        """
        The socket is closed.
        """


@implementer(IStreamServerEndpoint)
class _Endpoint:
    """
    An endpoint that does what the test says.
    """

    def __init__(self, result: Deferred[Any]) -> None:
        self.result = result
        self.factories: list[IProtocolFactory] = []

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Remember the factory.
        """
        self.factories.append(protocolFactory)
        return self.result


def listener(result: Deferred[Any], place: str = "127.0.0.1:1") -> Listener:
    """
    A listener over an endpoint that does what the test says.
    """
    socket = Socket(Mode.TCP, f"bind-tcp={place}", place, TLSOptions(), PortOptions())
    endpoint = UpgradeableServerEndpoint(_Endpoint(result), Mode.TCP, PortOptions(), Clock())
    return Listener(socket, endpoint, Factory())


class PortServiceTests(SynchronousTestCase):
    """
    L{PortService}.
    """

    def setUp(self) -> None:
        self.events: list[str] = []
        observe = cast(ILogObserver, self.observe)
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.ports = [_Port(1), _Port(2)]
        self.told: list[ListeningError] = []

    def observe(self, event: Any) -> None:
        """
        Remember what is logged of sockets.
        """
        if "protocols" in event:
            self.events.append(f"{event['mode']} {event['place']} ({event['protocols']})")

    def service(self, *results: Deferred[Any]) -> PortService:
        """
        A service on endpoints that do what the test says.
        """
        return PortService([listener(result) for result in results], self.told.append)

    def test_listens(self) -> None:
        """
        It listens on every socket, once, and logs one line for each.
        """
        service = self.service(*map(succeed, self.ports))
        verifyObject(IService, service)
        said: list[str] = []
        service.starting = lambda: said.append(f"starting, {len(self.events)}")
        service.started = lambda: said.append(f"started, {len(self.events)}")
        service.privilegedStartService()
        service.startService()
        self.assertEqual(said, ["starting, 0", "started, 2"])
        self.assertEqual(self.events, ["tcp 127.0.0.1:1 (tcp, ws)", "tcp 127.0.0.1:2 (tcp, ws)"])
        self.assertEqual(service.addresses(), [port.getHost() for port in self.ports])

    def test_startedOnly(self) -> None:
        """
        Where nobody has privileges it listens when it is started; and again after it was stopped.
        """
        service = self.service(*map(succeed, self.ports))
        service.startService()
        self.assertEqual(len(self.events), 2)
        self.successResultOf(service.stopService())
        self.assertEqual([port.listening for port in self.ports], [False, False])
        self.assertEqual(service.addresses(), [])

    def test_failure(self) -> None:
        """
        When one socket cannot be listened on, none is: whoever wants to is told, and the error says which and
        why.
        """
        taken = CannotListenError("127.0.0.1", 2, OSError(errno.EADDRINUSE, "Address already in use"))
        service = self.service(succeed(self.ports[0]), fail(taken), succeed(self.ports[1]))
        error = self.assertRaises(ListeningError, service.privilegedStartService)
        self.assertEqual(error.source, "bind-tcp=127.0.0.1:1")
        self.assertIn("Address already in use; choose another", error.problem)
        self.assertEqual((self.told, self.ports[0].listening), ([error], False))
        self.assertEqual(len(self.events), 1)

    def test_reasons(self) -> None:
        """
        What to do depends on the reason.
        """
        for reason, expected in (
            (CannotListenError("h", 1, OSError(errno.EACCES, "Permission denied")), "port from 1024 on"),
            (CannotListenError("h", 1, OSError(errno.EADDRNOTAVAIL, "Cannot assign")), "Cannot assign"),
            (CannotListenError("h", 1, Exception("name unknown")), "h:1: name unknown"),
            (FileNotFoundError(errno.ENOENT, "No such file", "1", None, "/x.lock"), "h:1: No such file"),
            (ValueError("odd"), "odd"),
        ):
            service = PortService([listener(fail(reason), "h:1")])
            error = self.assertRaises(ListeningError, service.startService)
            self.assertIn(expected, error.problem)

    def test_later(self) -> None:
        """
        An endpoint that takes its time is waited for; that it fails then is logged.
        """
        pending: list[Deferred[Any]] = [Deferred(), Deferred()]
        service = self.service(*pending)
        service.startService()
        self.assertEqual(self.events, [])
        pending[0].callback(self.ports[0])
        pending[1].errback(ValueError("odd"))
        self.assertEqual((len(self.events), service.addresses()), (1, [self.ports[0].getHost()]))

    def test_backlog(self) -> None:
        """
        Many may wait to be accepted, unless it is an endpoint string that says how many.
        """

        class Bound:
            """
            Notes how many may wait.
            """

            def __init__(self) -> None:
                self.asked: list[int] = []
                self.listen = self.asked.append

        for address, expected in ((parseBind("bind-tcp", "1"), [4096]), (None, [])):
            found = listener(succeed(self.ports[0]))
            found = replace(found, socket=replace(found.socket, address=address))
            bound = self.ports[0].socket = Bound()  # type: ignore[attr-defined]
            PortService([found]).startService()
            self.assertEqual(bound.asked, expected)

    def test_started(self) -> None:
        """
        Who wants to know is told when everything listens, and privileges are gone.
        """
        service = self.service(*map(succeed, self.ports))
        told: list[int] = []
        service.started = lambda: told.append(len(self.events))
        service.privilegedStartService()
        self.assertEqual(told, [])
        service.startService()
        self.assertEqual(told, [2])

    def test_counted(self) -> None:
        """
        Connections are counted; in a worker, where it says.
        """
        found = listener(succeed(self.ports[0]))
        service = PortService([found])
        service.startService()
        endpoint: Any = found.endpoint.wrapped
        (factory,) = endpoint.factories
        alone, (own,) = service.tally, [Board(1).take()]
        assert own is not None
        for _ in range(2):
            factory.buildProtocol(None).makeConnection(_Transport())
            service.share(own)
        self.assertEqual((alone.total, own.total), (1, 1))

    def test_shared(self) -> None:
        """
        The sockets of a worker are not its own: it does not close them.
        """
        service = self.service(*map(succeed, self.ports))
        service.startService()
        service.share(service.tally)
        self.successResultOf(service.stopService())
        self.assertEqual([port.listening for port in self.ports], [True, True])

    def test_pages(self) -> None:
        """
        What a port speaks depends on what there is.
        """
        given = listener(succeed(None))
        endpoint = UpgradeableServerEndpoint(
            _Endpoint(succeed(None)), Mode.TCP, PortOptions(), Clock(), None, Resource()
        )
        self.assertEqual(Listener(given.socket, endpoint, None).protocols(), "http")


class CreatorsTests(SynchronousTestCase):
    """
    L{Listener.creators}.
    """

    def test_creators(self) -> None:
        """
        What makes the TLS connections of the socket, and those to the backend, however deep it is in there.
        """
        server = ServerConnectionCreator.fromOptions(
            TLSOptions(cert=(saved(self, selfSigned(["localhost"])),))
        )
        client = ClientConnectionCreator.fromOptions(
            TLSOptions(serverVerifyMode=VerifyMode.NONE), "localhost"
        )
        given = listener(succeed(None))
        inner = TLSClientEndpoint(cast(Any, None), client, Clock())
        backend = WebSocketClientEndpoint(inner, "wss://localhost:1/", Clock())
        session = ForwardFactory(backend, 1, Clock())
        endpoint = replace(given.endpoint, tls=server)
        found = list(Listener(given.socket, endpoint, session).creators())
        self.assertEqual(found, [("bind-tcp=127.0.0.1:1", server), ("forward", client)])

    def test_none(self) -> None:
        """
        A port without TLS, and one whose creator is somebody else's, have nothing of ours.
        """
        given = listener(succeed(None))
        self.assertEqual(list(given.creators()), [])
        theirs = replace(given, endpoint=replace(given.endpoint, tls=cast(Any, object())))
        self.assertEqual(list(theirs.creators()), [])


class SpokenTests(SynchronousTestCase):
    """
    L{spoken}.
    """

    def assertSpeaks(self, expected: str, mode: Mode, tls: bool = True, **options: Any) -> None:
        """
        Assert what a port with a session and pages speaks.
        """
        policy = UpgradePolicy(
            mode, PortOptions(**options), tlsAvailable=tls, sessionAvailable=True, pagesAvailable=True
        )
        self.assertEqual(" ".join(spoken(policy)), expected)

    def test_modes(self) -> None:
        """
        Each mode speaks what it lets in.
        """
        self.assertSpeaks("tcp http ws ssl https wss", Mode.TCP)
        self.assertSpeaks("http ws https wss", Mode.WS)
        self.assertSpeaks("ssl https wss", Mode.SSL)
        self.assertSpeaks("https wss", Mode.WSS)
        self.assertSpeaks("tcp http ws", Mode.UNIX)

    def test_switches(self) -> None:
        """
        What is switched off is not spoken.
        """
        self.assertSpeaks("tcp http ws", Mode.TCP, tls=False)
        self.assertSpeaks("tcp http ws", Mode.TCP, sslUpgrade=False)
        self.assertSpeaks("tcp ssl", Mode.TCP, httpUpgrade=False, websocketUpgrade=False)
        self.assertSpeaks("tcp http ws ssl", Mode.TCP, ssl=SSLSwitch.TCP)
        self.assertSpeaks("tcp http ws https wss", Mode.TCP, ssl=SSLSwitch.WWW)
