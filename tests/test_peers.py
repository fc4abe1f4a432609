"""
Who the peer is, through every layer.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.support.handshakes import saved
from tests.support.identity import authority, clientConnections, serverFile
from tests.support.people import person
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.config.options import TLSOptions, TLSVersion, TLSVersions, VerifyMode
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.wire.peers import identityOf
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.webstream import WebSocketStream


class Asking(HalfCloseRecorder):
    """
    Asks for the identity when it is connected, and with each octet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def ask(self) -> None:
        """
        Note the Common Name, if it is known who it is.
        """
        found = identityOf(self.transport)
        self.seen.append(None if found is None else found.commonName)

    def connectionMade(self) -> None:
        """
        Ask.
        """
        super().connectionMade()
        self.ask()

    def dataReceived(self, data: bytes) -> None:
        """
        Ask.
        """
        super().dataReceived(data)
        self.ask()


class Stream(WebSocketStream):
    """
    A WebSocket that is open at once.
    """

    def __init__(self, isClient: bool, above: Any) -> None:
        super().__init__(isClient, Clock())
        self.above = above

    def makeConnection(self, transport: Any) -> None:
        """
        Connect the protocol above.
        """
        self._attach(transport)
        self._connect(self.above)


class IdentityOfTests(SynchronousTestCase):
    """
    What a session is told.
    """

    def setUp(self) -> None:
        self.certificate = saved(self, person(authority(), "CN=alice"))

    def client(self, certificate: str = "", **said: Any) -> ClientConnectionCreator:
        """
        What makes the client's connections.
        """
        options = TLSOptions(caData=authority().pem, cert=(certificate,) if certificate else (), **said)
        return ClientConnectionCreator.fromOptions(options, "server.test")

    def server(self, mode: VerifyMode | None = None) -> ServerConnectionCreator:
        """
        What makes the server's connections.
        """
        return ServerConnectionCreator.fromOptions(
            TLSOptions(cert=(serverFile(self),), caData=authority().pem, clientVerifyMode=mode)
        )

    def connect(self, one: Any, other: Any, client: Any, server: Any, stock: bool = False) -> None:
        """
        Connect two protocols by TLS, ours or Twisted's own, and let the client speak.
        """
        wire = Wire()

        def factory(creator: Any, isClient: bool, above: Any) -> Any:
            made: Any = TLSMemoryBIOFactory if stock else TLSTransportFactory
            return made(creator, isClient, GivenFactory(above), wire.clock)

        ends = factory(one, True, client), factory(other, False, server)
        wire.join(ends[0].buildProtocol(None), ends[1].buildProtocol(None))
        wire.flush()
        client.transport.write(b"x")
        for _ in range(5):
            wire.clock.advance(0)
            wire.flush()

    def test_layers(self) -> None:
        """
        A session knows who it speaks with, on either version, by our TLS and by Twisted's own, which connects
        it before anything is known.
        """
        for version in TLSVersion:
            for stock in (False, True):
                server = Asking()
                one = self.client(self.certificate, protocol=TLSVersions(version, version))
                self.connect(one, self.server(), Recorder(), server, stock)
                self.assertEqual(server.seen, [None if stock else "alice", "alice"])

    def test_webSockets(self) -> None:
        """
        So does one in a WebSocket, which is inside TLS.
        """
        for stock in (False, True):
            client, server = Recorder(), Asking()
            streams = Stream(True, client), Stream(False, server)
            self.connect(self.client(self.certificate), self.server(), *streams, stock)
            client.transport.write(b"x")  # type: ignore[union-attr]
            self.assertEqual(identityOf(server.transport).commonName, "alice")  # type: ignore[union-attr]

    def test_nobody(self) -> None:
        """
        Who shows no certificate, or is not asked for one, is nobody.
        """
        for certificate, mode in (("", VerifyMode.OPTIONAL), (self.certificate, VerifyMode.NONE)):
            server = Asking()
            self.connect(self.client(certificate), self.server(mode), Recorder(), server)
            self.assertEqual(server.seen, [None, None])

    def test_servers(self) -> None:
        """
        A client knows its server, if it verifies it.
        """
        for mode, known in ((VerifyMode.REQUIRED, True), (VerifyMode.NONE, False)):
            client = Recorder()
            self.connect(self.client(serverVerifyMode=mode), self.server(VerifyMode.NONE), client, Recorder())
            found = identityOf(client.transport)
            self.assertIs(found is not None, known)
        self.connect(clientConnections(), self.server(VerifyMode.NONE), client, Recorder())
        self.assertIn("server.test", identityOf(client.transport).dnsNames)  # type: ignore[union-attr]

    def test_unreadable(self) -> None:
        """
        Of whose certificate it cannot be read whom it is for, that is not known.
        """
        path = saved(self, authority().issue(san=b"no DER", commonName="x"))
        creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(path,)))
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *found: True)

        class Careless:
            def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
                return SSL.Connection(context, None)

        client = Recorder()
        self.connect(Careless(), creator, client, Recorder())
        self.assertEqual(client.made, 1)
        self.assertIsNone(identityOf(client.transport))

    def test_noTLS(self) -> None:
        """
        Without TLS nobody is known, whatever the transport.
        """
        wire, server = Wire(), Asking()
        wire.join(Recorder(), server)
        self.assertEqual(server.seen, [None])
        self.assertIsNone(identityOf(None))

        class Socket:
            def getHandle(self) -> object:
                return self

        self.assertIsNone(identityOf(Socket()))
