"""
The server endpoint: a port over any other endpoint.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.protocols.haproxy import proxyEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.identity import authority, authorityFile, clientConnections, serverConnections, serverFile
from tests.support.memory import WiredReactor
from tests.support.wires import GivenFactory, Recorder, Wire
from xtls.config.definitions import Layer, resolve
from xtls.config.modes import Mode
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.endpoints.server import UpgradeableServerEndpoint, serverCreator
from xtls.errors import OptionError
from xtls.port.web import pages
from xtls.sessions.forward import ForwardFactory


class UpgradeableServerEndpointTests(SynchronousTestCase):
    """
    L{UpgradeableServerEndpoint}.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.session = Recorder()

    def listen(self, mode: Mode = Mode.TCP, *, session: bool = True, **more: Any) -> None:
        """
        Listen with a port.
        """
        wrapped = TCP4ServerEndpoint(self.reactor, 10000, interface="127.0.0.1")
        endpoint = UpgradeableServerEndpoint(
            wrapped, mode, PortOptions(), self.reactor, serverConnections(self, (b"http/1.1",)), **more
        )
        verifyObject(IStreamServerEndpoint, endpoint)
        self.successResultOf(endpoint.listen(GivenFactory(self.session) if session else None))

    def tcp(self) -> TCP4ClientEndpoint:
        """
        How to reach it.
        """
        return TCP4ClientEndpoint(self.reactor, "127.0.0.1", 10000)

    def speak(self, data: bytes) -> tuple[bytes, Wire]:
        """
        Connect, and say something.

        @return: what is answered.
        """
        client = Recorder(data)
        self.tcp().connect(GivenFactory(client))
        wire = self.reactor.answer()
        return client.received, wire

    def test_listens(self) -> None:
        """
        What it wraps listens, as it would alone.
        """
        self.listen()
        port, _, _, interface = self.reactor.tcpServers[0]
        self.assertEqual((port, interface), (10000, "127.0.0.1"))

    def test_raw(self) -> None:
        """
        The factory given to C{listen} is the session: raw octets lead to it.
        """
        self.listen()
        self.speak(b"\0\1\2\3 something else than all known protocols")
        self.assertIn(b"something else", self.session.received)

    def test_tls(self) -> None:
        """
        TLS leads to the session too, on the same port.
        """
        self.listen()
        client = Recorder(b"\0\1\2\3 something else than all known protocols")
        TLSClientEndpoint(self.tcp(), clientConnections(), self.reactor).connect(GivenFactory(client))
        self.reactor.answer()
        self.assertIn(b"something else", self.session.received)

    def test_webSocket(self) -> None:
        """
        A WebSocket leads to the session, inside TLS and without it.
        """
        for secure in (False, True):
            self.session = Recorder(b"welcome")
            self.listen()
            below: Any = self.tcp()
            if secure:
                below = TLSClientEndpoint(below, clientConnections(), self.reactor)
            url = "wss://server.test/" if secure else "ws://server.test/"
            client = Recorder(b"hello")
            WebSocketClientEndpoint(below, url, self.reactor).connect(GivenFactory(client))
            self.reactor.answer()
            self.assertEqual((client.received, self.session.received), (b"welcome", b"hello"))

    def test_pages(self) -> None:
        """
        The site answers requests for pages; without one they are refused.
        """
        request = b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"
        self.listen(site=pages(None))
        self.assertEqual(self.speak(request)[0].split(b"\r\n")[0], b"HTTP/1.1 200 OK")
        self.listen()
        self.assertTrue(self.speak(request)[0].startswith(b"HTTP/1.1 4"))
        self.assertEqual(self.session.received, b"")

    def test_noSession(self) -> None:
        """
        A port may have pages only: raw octets are refused then.
        """
        self.listen(site=pages(None), session=False)
        answer, _ = self.speak(b"\0\1\2\3 something else than all known protocols")
        self.assertIn(b"raw", answer)


class PortReactor(WiredReactor):
    """
    A reactor that listens on real sockets, and looks at none of them.

    @ivar ports: what listens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Any] = []

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """
        Listen on a free port.
        """
        self.ports.append(tcp.Port(0, factory, backlog, interface, self))
        self.ports[-1].startListening()
        return self.ports[-1]


class AcceptingTests(SynchronousTestCase):
    """
    What becomes of clients at once.
    """

    def serve(self, session: Any = None, around: Any = None) -> list[str]:
        """
        Listen, and have a client connect.

        @param session: by default, a forward to this machine.
        @param around: makes another endpoint of the one that listens.
        @return: what reads from the client then, and from nothing else.
        """
        reactor = PortReactor()
        if session is None:
            session = ForwardFactory(TCP4ClientEndpoint(reactor, "127.0.0.1", 5900), 10.0, reactor)
        wrapped: Any = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        endpoint = UpgradeableServerEndpoint(
            around(wrapped) if around is not None else wrapped,
            Mode.TCP,
            PortOptions(),
            reactor,
            serverConnections(self),
        )
        port: Any = self.successResultOf(endpoint.listen(session))
        self.addCleanup(port.socket.close)
        client = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(client.close)
        port.doRead()
        served = [each for each in reactor.getReaders() if each is not port]
        for each in served:
            sock = each.socket if hasattr(each, "socket") else each._sock
            self.addCleanup(sock.close)
        return [type(each).__name__ for each in served]

    def test_fast(self) -> None:
        """
        Where a port leads to this machine, they are on the fast path.
        """
        self.assertEqual(self.serve(), ["Pair"])

    def test_general(self) -> None:
        """
        Elsewhere they are on the general one.
        """
        self.assertEqual(self.serve(GivenFactory(Recorder())), ["StreamSocket"])

    def test_between(self) -> None:
        """
        An endpoint that has put something in between, such as C{haproxy}, is not left out.
        """
        self.assertEqual(self.serve(around=proxyEndpoint), ["StreamSocket"])


class ServerCreatorTests(SynchronousTestCase):
    """
    L{serverCreator} decides whether a port has TLS.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        variables = {"XTLS_SSL_CERT_PATHS": str(self.directory)}
        self.patch(os, "environ", {**os.environ, **variables})

    def has(self, mode: Mode, tls: TLSOptions | None = None, switch: SSLSwitch = SSLSwitch.AUTO) -> bool:
        """
        Whether there is TLS.
        """
        return serverCreator(mode, tls or TLSOptions(), PortOptions(ssl=switch)) is not None

    def named(self) -> TLSOptions:
        """
        Options that name a certificate.
        """
        return TLSOptions(cert=(serverFile(self),))

    def test_auto(self) -> None:
        """
        There is TLS when a certificate is named.
        """
        self.assertTrue(self.has(Mode.TCP, self.named()))
        self.assertFalse(self.has(Mode.TCP))

    def test_found(self) -> None:
        """
        There is TLS when the default certificate is there.
        """
        Path(serverFile(self)).rename(self.directory / "ssl-cert.pem")
        for mode in (Mode.TCP, Mode.WS, Mode.SSL, Mode.WSS):
            self.assertTrue(self.has(mode))

    def test_off(self) -> None:
        """
        There is none when it is switched off, whatever else is said; but in a mode that is TLS, that is a
        contradiction.
        """
        self.assertFalse(self.has(Mode.TCP, self.named(), SSLSwitch.OFF))
        for mode in (Mode.SSL, Mode.WSS):
            error = self.assertRaises(OptionError, self.has, mode, self.named(), SSLSwitch.OFF)
            self.assertEqual(error.option, "ssl")

    def test_unix(self) -> None:
        """
        There is none on a Unix socket.
        """
        self.assertFalse(self.has(Mode.UNIX, self.named(), SSLSwitch.ON))

    def test_demanded(self) -> None:
        """
        Where there must be TLS, a certificate that is missing is an error.
        """
        for mode, switch in (
            (Mode.SSL, SSLSwitch.AUTO),
            (Mode.WSS, SSLSwitch.AUTO),
            (Mode.TCP, SSLSwitch.ON),
            (Mode.TCP, SSLSwitch.TCP),
            (Mode.WS, SSLSwitch.WWW),
        ):
            error = self.assertRaises(OptionError, self.has, mode, TLSOptions(), switch)
            self.assertEqual(error.option, "ssl-cert")

    def test_believed(self) -> None:
        """
        Who says anything of TLS believes that there is TLS: without a certificate, it is an error.
        """
        tls = resolve(TLSOptions, TLSOptions(caCerts=authorityFile(self)).layer("command line"))
        error = self.assertRaises(OptionError, self.has, Mode.TCP, tls)
        self.assertEqual(error.option, "ssl-cert")

    def test_fromOptions(self) -> None:
        """
        An endpoint made of options has what they say.
        """
        reactor = WiredReactor()
        wrapped = TCP4ServerEndpoint(reactor, 10000)
        options = PortOptions(detectTimeout=3.0)
        endpoint = UpgradeableServerEndpoint.fromOptions(
            wrapped, Mode.WSS, self.named(), options, clock=reactor
        )
        self.assertEqual((endpoint.wrapped, endpoint.mode, endpoint.options), (wrapped, Mode.WSS, options))
        self.assertIsNotNone(endpoint.tls)

    def test_certificateRequired(self) -> None:
        """
        Where clients must have a certificate, nobody gets in without TLS; where they may, as the mode says.
        """
        wrapped = TCP4ServerEndpoint(WiredReactor(), 10000)
        believed = replace(self.named(), caData=authority().pem)
        optional = replace(believed, clientVerifyMode=VerifyMode.OPTIONAL)
        for tls, mode, bound in (
            (believed, Mode.TCP, Mode.SSL),
            (believed, Mode.WS, Mode.WSS),
            (believed, Mode.SSL, Mode.SSL),
            (believed, Mode.WSS, Mode.WSS),
            (optional, Mode.TCP, Mode.TCP),
            (self.forNames(believed, "b.test,ssl-client-verify-mode=none"), Mode.TCP, Mode.SSL),
            (self.forNames(optional, "b.test,ssl-client-verify-mode=required"), Mode.WS, Mode.WSS),
            (self.forNames(optional, "b.test,ssl-client-verify-mode=none"), Mode.TCP, Mode.TCP),
            (self.named(), Mode.WS, Mode.WS),
        ):
            endpoint = UpgradeableServerEndpoint.fromOptions(
                wrapped, mode, tls, PortOptions(), clock=WiredReactor()
            )
            self.assertIs(endpoint.mode, bound)

    def forNames(self, tls: TLSOptions, *said: str) -> TLSOptions:
        """
        Options, with others for some names.
        """
        sni = resolve(TLSOptions, Layer("test", {"ssl-sni": said})).sni
        return replace(tls, sni=sni, sources={"sni": "test"})

    def test_certificateOfDefault(self) -> None:
        """
        A certificate that is named for all names that are not known, is one; one for a name is not enough.
        """
        file = serverFile(self)
        self.assertTrue(self.has(Mode.TCP, self.forNames(TLSOptions(), f"default,ssl-cert={file}")))
        error = self.assertRaises(
            OptionError, self.has, Mode.TCP, self.forNames(TLSOptions(), f"b.test,ssl-cert={file}")
        )
        self.assertEqual(error.option, "ssl-cert")

    def agreed(self, mode: Mode, options: PortOptions, offered: list[bytes]) -> Any:
        """
        What is agreed on with a client that offers some protocols.
        """
        creator = serverCreator(mode, self.named(), options)
        assert creator is not None
        server = creator.serverConnectionForTLS(None)
        client = clientConnections().clientConnectionForTLS(None)
        client.set_alpn_protos(offered)
        return handshake(client, server)

    def test_applicationProtocols(self) -> None:
        """
        HTTP/1.1 is agreed on where it may be inside TLS, and nothing where it may not.
        """
        offered = [b"h2", b"http/1.1"]
        noHTTP = PortOptions(httpUpgrade=False, websocketUpgrade=False)
        for mode, options, expected in (
            (Mode.TCP, PortOptions(), b"http/1.1"),
            (Mode.SSL, PortOptions(httpUpgrade=False), b"http/1.1"),
            (Mode.SSL, PortOptions(websocketUpgrade=False), b"http/1.1"),
            (Mode.SSL, noHTTP, b""),
            (Mode.WSS, noHTTP, b"http/1.1"),
            (Mode.TCP, PortOptions(ssl=SSLSwitch.TCP), b""),
            (Mode.TCP, PortOptions(ssl=SSLSwitch.WWW), b"http/1.1"),
        ):
            self.assertEqual(self.agreed(mode, options, offered), expected, (mode, options))
        self.assertEqual(self.agreed(Mode.TCP, PortOptions(), [b"http/1.0"]), b"http/1.0")
        self.assertEqual(self.agreed(Mode.TCP, PortOptions(), [b"http/1.0", b"http/1.1"]), b"http/1.1")


def handshake(client: Any, server: Any) -> Any:
    """
    Let two connections of OpenSSL shake hands.

    @return: the application protocol that they agree on.
    """
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass
    return client.get_alpn_proto_negotiated()
