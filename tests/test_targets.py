"""
From a target to the endpoint that reaches it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.handshakes import saved
from tests.support.identity import authority, serverConnections
from tests.support.memory import WiredReactor
from tests.support.wires import GivenFactory, Recorder
from xtls.config.definitions import Layer
from xtls.config.modes import Mode, Target
from xtls.config.options import OPTIONS, TLSOptions
from xtls.config.portoptions import PortOptions
from xtls.config.target import parseTarget
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.endpoints.targets import endpointForTarget
from xtls.errors import OptionError, PeerVerificationError
from xtls.testing.authority import Authority
from xtls.wire.tlsfactory import TLSTransportFactory


def layer(options: TLSOptions | PortOptions) -> Layer:
    """
    Options as the user would say them.
    """
    return options.layer("command line")


class EndpointForTargetTests(SynchronousTestCase):
    """
    L{endpointForTarget}.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()

    def endpoint(self, target: str | Target, *layers: Layer, **more: Any) -> Any:
        """
        The endpoint for a target.
        """
        if isinstance(target, str):
            target = parseTarget(target)
        endpoint = endpointForTarget(self.reactor, target, *layers, **more)
        verifyObject(IStreamClientEndpoint, endpoint)
        return endpoint

    def test_stack(self) -> None:
        """
        Each mode has its endpoint, over that of the mode below.
        """
        self.assertIsInstance(self.endpoint("tcp://server.test:1/"), HostnameEndpoint)
        self.assertIsInstance(self.endpoint("socket:///run/x"), UNIXClientEndpoint)
        ssl = self.endpoint("ssl://server.test:1/")
        self.assertIsInstance(ssl, TLSClientEndpoint)
        self.assertIsInstance(ssl.wrapped, HostnameEndpoint)
        ws = self.endpoint("ws://server.test:1/")
        self.assertIsInstance(ws, WebSocketClientEndpoint)
        self.assertIsInstance(ws.wrapped, HostnameEndpoint)
        wss = self.endpoint("wss://server.test:1/")
        self.assertIsInstance(wss, WebSocketClientEndpoint)
        self.assertIsInstance(wss.wrapped, TLSClientEndpoint)
        self.assertIsInstance(wss.wrapped.wrapped, HostnameEndpoint)

    def test_ssh(self) -> None:
        """
        An ssh target is not reached in silence by something else.
        """
        error = self.assertRaises(OptionError, self.endpoint, "ssh://server.test/")
        self.assertEqual(error.option, "target")

    def test_connect(self) -> None:
        """
        It connects to the host and port of the target, within the deadline of the options, and from the
        address that was asked for.
        """
        options = layer(PortOptions(connectTimeout=3.0))
        endpoint = self.endpoint("tcp://127.0.0.1:10000/", options, bindAddress="127.0.0.2")
        endpoint.connect(GivenFactory(Recorder()))
        host, port, _, timeout, bindAddress = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout, bindAddress), ("127.0.0.1", 10000, 3.0, ("127.0.0.2", 0)))

    def test_unix(self) -> None:
        """
        It connects to the path of a Unix socket; C{@} begins a name in Linux's abstract namespace.
        """
        for path, expected in (("/run/x", "/run/x"), ("@x", "\0x")):
            self.endpoint(path, layer(PortOptions(connectTimeout=3.0))).connect(GivenFactory(Recorder()))
            self.assertEqual(self.reactor.unixClients[-1][0], expected)
            self.assertEqual(self.reactor.unixClients[-1][2], 3.0)

    def test_carrier(self) -> None:
        """
        What is given as the carrier is used in place of TCP, and the target's name is still verified.
        """
        for host, verified in (("server.test", True), ("other.test", False)):
            protocol = Recorder()
            connecting = self.endpoint(
                f"ssl://{host}/",
                layer(TLSOptions(caData=authority().pem)),
                carrier=TCP4ClientEndpoint(self.reactor, "192.0.2.1", 1234),
            ).connect(GivenFactory(protocol))
            self.assertEqual(self.reactor.tcpClients[-1][:2], ("192.0.2.1", 1234))
            server = TLSTransportFactory(
                serverConnections(self), False, GivenFactory(Recorder()), self.reactor
            )
            self.reactor.answer(server)
            if verified:
                self.assertIs(self.successResultOf(connecting), protocol)
            else:
                self.failureResultOf(connecting, PeerVerificationError)

    def test_laterLayersWin(self) -> None:
        """
        What the user says besides wins over what the target says.
        """
        target = replace(parseTarget("tcp://127.0.0.1:1/"), layer=layer(PortOptions(connectTimeout=3.0)))
        self.endpoint(target, layer(PortOptions(connectTimeout=4.0))).connect(GivenFactory(Recorder()))
        self.assertEqual(self.reactor.tcpClients[-1][3], 4.0)

    def test_options(self) -> None:
        """
        Deadlines and limits reach TLS and WebSocket.
        """
        options = PortOptions(handshakeTimeout=1.0, websocketTimeout=2.0, messageSize=3)
        wss = self.endpoint("wss://server.test/", layer(options))
        self.assertEqual((wss.options, wss.wrapped.options), (options, options))

    def test_webSocketURL(self) -> None:
        """
        A WebSocket is asked for by host, port and path; user, password and options stay here.
        """
        target = parseTarget("ws://user:secret@[2001:db8::1]:8080/a%20b?connect-timeout=3")
        self.assertEqual(self.endpoint(target).url, "ws://[2001:db8::1]:8080/a%20b")

    def test_httpOffered(self) -> None:
        """
        Under WebSocket, TLS offers HTTP/1.1 (ALPN).
        """
        endpoint = self.endpoint("wss://127.0.0.1/", layer(TLSOptions(caData=authority().pem)))
        endpoint.connect(GivenFactory(Recorder()))
        server = Recorder()
        alpn = (b"http/1.1",)
        self.reactor.answer(
            TLSTransportFactory(serverConnections(self, alpn), False, GivenFactory(server), self.reactor)
        )
        transport: Any = server.transport
        self.assertEqual(transport.negotiatedProtocol, b"http/1.1")
        self.assertTrue(server.received.startswith(b"GET / HTTP/1.1\r\n"))

    def test_untrusted(self) -> None:
        """
        A target that somebody else has named cannot switch verification off; the user can.
        """
        off = next(option for option in OPTIONS.values() if option.attribute == "serverVerifyMode").name
        target = Target(Mode.SSL, "server.test", 443, layer=Layer("mail", {off: "none"}), trusted=False)
        error = self.assertRaises(OptionError, self.endpoint, target)
        self.assertEqual((error.option, error.source), (off, "mail"))
        self.assertIsInstance(self.endpoint(target, Layer("command line", {off: "none"})), TLSClientEndpoint)
        self.assertIsInstance(self.endpoint(replace(target, trusted=True)), TLSClientEndpoint)

    def test_untrustedAnchors(self) -> None:
        """
        Nor can it add to whom the user believes.
        """
        theirs = TLSOptions(caData=authority().pem).layer("mail")
        target = Target(Mode.SSL, "127.0.0.1", 443, layer=theirs, trusted=False)
        ours = layer(TLSOptions(caCerts=saved(self, Authority("another").pem)))
        for layers, expected in (((), 1), ((ours,), 0)):
            client = Recorder()
            connecting = self.endpoint(target, *layers).connect(GivenFactory(client))
            self.reactor.answer(
                TLSTransportFactory(serverConnections(self), False, GivenFactory(Recorder()), self.reactor)
            )
            self.assertEqual(client.made, expected)
            connecting.addErrback(lambda failure: failure.trap(PeerVerificationError))
