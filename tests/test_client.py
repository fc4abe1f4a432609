"""
Client endpoints that fire when the application may speak.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.identity import clientConnections, serverConnections
from tests.support.memory import WiredReactor
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder
from xtls.config.portoptions import PortOptions
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.errors import HandshakeError, HandshakeTimeout, OpeningHandshakeError, PeerVerificationError
from xtls.trust.verification import Reason
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.websocket import WebSocketAcceptor

URL = "ws://server.test:10000/path"
DEFAULTS = PortOptions()


@implementer(IProtocolNegotiationFactory)
class NegotiatingFactory(GivenFactory):
    """
    A factory that says what its protocols speak.
    """

    def acceptableProtocols(self) -> list[bytes]:
        """
        Two protocols.
        """
        return [b"one", b"two"]


class NobodyFactory(Factory):
    """
    A factory that wants no connection.
    """

    def buildProtocol(self, addr: object) -> None:
        """
        None.
        """


class Opener(Protocol):
    """
    A server that opens a WebSocket for whoever asks, and leads it to a session.
    """

    def __init__(self, session: Protocol, clock: Clock) -> None:
        self.acceptor = WebSocketAcceptor(GivenFactory(session), clock)
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        """
        Wait for the end of the request's head.
        """
        self.data += data
        head, end, rest = self.data.partition(b"\r\n\r\n")
        if end:
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
            assert self.transport is not None
            self.acceptor.accept(self.transport, self, fields[b"Sec-WebSocket-Key"], (), rest)


class EndpointTests:
    """
    What both endpoints do, whatever they wait for.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.protocol = HalfCloseRecorder()

    def endpoint(self: Any, options: PortOptions = DEFAULTS) -> IStreamClientEndpoint:
        """
        The endpoint, over TCP.
        """
        raise NotImplementedError

    def server(self: Any, protocol: Protocol) -> IProtocolFactory:
        """
        A factory of what the endpoint waits for.
        """
        raise NotImplementedError

    def connect(self: Any, options: PortOptions = DEFAULTS) -> Deferred[IProtocol]:
        """
        Begin to connect.
        """
        connecting: Deferred[IProtocol] = self.endpoint(options).connect(GivenFactory(self.protocol))
        return connecting

    def test_interface(self: Any) -> None:
        """
        It is an endpoint.
        """
        verifyObject(IStreamClientEndpoint, self.endpoint())

    def test_connected(self: Any) -> None:
        """
        It fires with the application's protocol, which can speak and hear at once.
        """
        server = Recorder(b"hello")
        self.protocol.greeting = b"hi"
        connecting = self.connect()
        wire = self.reactor.answer(self.server(server))
        self.assertIs(self.successResultOf(connecting), self.protocol)
        self.assertEqual((self.protocol.made, self.protocol.received), (1, b"hello"))
        self.assertIn(b"hi", server.received)
        self.protocol.transport.loseConnection()
        wire.flush()
        self.assertEqual((len(self.protocol.lost), len(server.lost)), (1, 1))

    def test_notBefore(self: Any) -> None:
        """
        As long as there is only a connection, it does not fire and there is no protocol.
        """
        connecting = self.connect()
        self.reactor.answer(GivenFactory(Recorder()))
        self.assertNoResult(connecting)
        self.assertEqual(self.protocol.made, 0)

    def test_nothingBetween(self: Any) -> None:
        """
        What Twisted's endpoints put between socket and protocol is gone when both are connected.
        """
        connecting = self.connect()
        wire = self.reactor.answer(self.server(Recorder()))
        self.successResultOf(connecting)
        self.assertIs(wire.client.protocol.wrappedProtocol, self.protocol)

    def test_refused(self: Any) -> None:
        """
        When there is no connection, it fails as the endpoint that it wraps.
        """
        connecting = self.connect()
        factory = self.reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Failure(ConnectError()))
        self.failureResultOf(connecting, ConnectError)

    def test_cancelWhileConnecting(self: Any) -> None:
        """
        Cancelled while TCP connects, it stops that.
        """
        connecting = self.connect()
        connecting.cancel()
        self.failureResultOf(connecting, ConnectingCancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)

    def test_cancelInHandshake(self: Any) -> None:
        """
        Cancelled in the middle of a handshake, it aborts the connection.
        """
        server = Recorder()
        connecting = self.connect()
        wire = self.reactor.answer(GivenFactory(server))
        connecting.cancel()
        error = self.failureResultOf(connecting, ConnectingCancelledError).value
        self.assertEqual(error.address, wire.client.getPeer())
        wire.flush()
        self.assertFalse(wire.client.connected)
        self.assertEqual((self.protocol.made, len(server.lost)), (0, 1))

    def test_cancelAfterwards(self: Any) -> None:
        """
        Cancelled when it has fired, it does nothing to the connection.
        """
        connecting = self.connect()
        wire = self.reactor.answer(self.server(Recorder()))
        connecting.cancel()
        wire.flush()
        self.assertIs(self.successResultOf(connecting), self.protocol)
        self.assertTrue(wire.client.connected)


class TLSClientEndpointTests(EndpointTests, SynchronousTestCase):
    """
    L{TLSClientEndpoint} waits until the server is verified.
    """

    def endpoint(self, options: PortOptions = DEFAULTS, host: str = "server.test") -> TLSClientEndpoint:
        """
        TLS over TCP.
        """
        tcp = TCP4ClientEndpoint(self.reactor, "192.0.2.1", 10000)
        return TLSClientEndpoint(tcp, clientConnections(host), self.reactor, options)

    def server(self, protocol: Protocol, alpn: tuple[bytes, ...] = ()) -> IProtocolFactory:
        """
        TLS.
        """
        return TLSTransportFactory(serverConnections(self, alpn), False, GivenFactory(protocol), self.reactor)

    def test_refusedServer(self) -> None:
        """
        A server whose certificate is for another name fails the connection, with the reason; there is no
        protocol at either end.
        """
        server = Recorder()
        connecting = self.endpoint(host="other.test").connect(GivenFactory(self.protocol))
        wire = self.reactor.answer(self.server(server))
        error = self.failureResultOf(connecting, PeerVerificationError).value
        self.assertEqual(error.refusal.reason, Reason.WRONG_NAME)
        wire.advance(20)
        self.assertEqual((self.protocol.made, server.received), (0, b""))
        self.assertFalse(wire.client.connected)

    def test_notTLS(self) -> None:
        """
        A server that does not speak TLS fails the connection.
        """
        connecting = self.connect()
        self.reactor.answer(GivenFactory(Recorder(b"220 service ready\r\n")))
        self.failureResultOf(connecting, HandshakeError)

    def test_deadline(self) -> None:
        """
        A server that says nothing fails the connection when the deadline of the options has passed.
        """
        connecting = self.connect(PortOptions(handshakeTimeout=3.0))
        wire = self.reactor.answer(GivenFactory(Recorder()))
        wire.advance(2.9)
        self.assertNoResult(connecting)
        wire.advance(0.2)
        self.failureResultOf(connecting, HandshakeTimeout)
        self.assertFalse(wire.client.connected)

    def test_closeDeadline(self) -> None:
        """
        A server that does not close is given up when the deadline of the options has passed.
        """
        connecting = self.connect(PortOptions(closeTimeout=3.0))
        server = HalfCloseRecorder()
        wire = self.reactor.answer(self.server(server))
        self.successResultOf(connecting)
        assert self.protocol.transport is not None
        self.protocol.transport.loseConnection()
        wire.advance(2.9)
        self.assertTrue(wire.client.connected)
        wire.advance(0.2)
        self.assertFalse(wire.client.connected)

    def test_applicationProtocols(self) -> None:
        """
        What the application's factory says that it speaks is offered (ALPN).
        """
        connecting = self.endpoint().connect(NegotiatingFactory(self.protocol))
        self.reactor.answer(self.server(Recorder(), alpn=(b"two",)))
        self.successResultOf(connecting)
        transport: Any = self.protocol.transport
        self.assertEqual(transport.negotiatedProtocol, b"two")

    def test_noProtocol(self) -> None:
        """
        When the application's factory wants no connection, it fails and the connection is closed.
        """
        connecting = self.endpoint().connect(NobodyFactory())
        wire = self.reactor.answer(self.server(Recorder()))
        self.failureResultOf(connecting, ConnectionAborted)
        self.assertFalse(wire.client.connected)


class WebSocketClientEndpointTests(EndpointTests, SynchronousTestCase):
    """
    L{WebSocketClientEndpoint} waits until the WebSocket is open.
    """

    def endpoint(self, options: PortOptions = DEFAULTS) -> WebSocketClientEndpoint:
        """
        A WebSocket over TCP.
        """
        tcp = TCP4ClientEndpoint(self.reactor, "192.0.2.1", 10000)
        return WebSocketClientEndpoint(tcp, URL, self.reactor, options)

    def server(self, protocol: Protocol) -> IProtocolFactory:
        """
        A server that opens WebSockets.
        """
        return GivenFactory(Opener(protocol, self.reactor))

    def test_request(self) -> None:
        """
        It asks for what the URL says.
        """
        server = Recorder()
        self.connect()
        self.reactor.answer(GivenFactory(server))
        lines = server.received.split(b"\r\n")
        self.assertEqual(lines[0], b"GET /path HTTP/1.1")
        self.assertIn(b"Host: server.test:10000", lines)

    def test_badURL(self) -> None:
        """
        A URL of another kind is refused at once.
        """
        tcp = TCP4ClientEndpoint(self.reactor, "192.0.2.1", 10000)
        self.assertRaises(ValueError, WebSocketClientEndpoint, tcp, "http://server.test/", self.reactor)

    def test_notOpened(self) -> None:
        """
        A server that answers with a page fails the connection, with the status.
        """
        connecting = self.connect()
        self.reactor.answer(GivenFactory(Recorder(b"HTTP/1.1 404 Not Found\r\n\r\n")))
        error = self.failureResultOf(connecting, OpeningHandshakeError).value
        self.assertEqual(error.status, 404)

    def test_deadline(self) -> None:
        """
        A server that says nothing fails the connection when the deadline of the options has passed.
        """
        connecting = self.connect(PortOptions(websocketTimeout=3.0))
        wire = self.reactor.answer(GivenFactory(Recorder()))
        wire.advance(2.9)
        self.assertNoResult(connecting)
        wire.advance(0.2)
        self.failureResultOf(connecting, OpeningHandshakeError)

    def test_messageSize(self) -> None:
        """
        A message that is longer than the options allow ends the connection.
        """
        self.connect(PortOptions(messageSize=4))
        self.reactor.answer(self.server(Recorder(b"hello")))
        self.assertEqual((self.protocol.received, len(self.protocol.lost)), (b"", 1))
        self.assertIsNotNone(self.protocol.lost[0].check(ConnectionLost))

    def test_overTLS(self) -> None:
        """
        Over TLS, it fires with the application's protocol when the WebSocket inside is open; or not at all.
        """
        for host in ("server.test", "other.test"):
            protocol = Recorder()
            tls = TLSClientEndpoint(
                TCP4ClientEndpoint(self.reactor, "192.0.2.1", 10000), clientConnections(host), self.reactor
            )
            endpoint = WebSocketClientEndpoint(tls, "wss://server.test/", self.reactor)
            connecting = endpoint.connect(GivenFactory(protocol))
            server = self.server(Recorder(b"hello"))
            self.reactor.answer(TLSTransportFactory(serverConnections(self), False, server, self.reactor))
            if host == "server.test":
                self.assertIs(self.successResultOf(connecting), protocol)
                self.assertEqual(protocol.received, b"hello")
            else:
                self.failureResultOf(connecting, PeerVerificationError)
                self.assertEqual(protocol.made, 0)
