"""
Our connection creators as what others call C{contextFactory}: in Twisted's functions and in autobahn's.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
    connectWS,
    listenWS,
)
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
    wrapClientTLS,
    wrapServerTLS,
)
from twisted.internet.protocol import ClientFactory, Factory
from twisted.protocols.wire import Echo

from tests.support.identity import (
    authority,
    clientConnections,
    clientFile,
    serverConnections,
    serverFile,
)
from tests.support.loopback import Asker, LoopbackTestCase
from xtls.config.options import TLSOptions
from xtls.errors import PeerVerificationError
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.trust.verification import Reason

QUESTION = b"question" * 20_000


class GivenClientFactory(ClientFactory):
    """
    Builds one protocol that exists already.
    """

    noisy = False

    def __init__(self, protocol: Asker) -> None:
        self.given = protocol

    def buildProtocol(self, addr: object) -> Asker:
        """
        The protocol.
        """
        return self.given


class EchoServer(WebSocketServerProtocol):
    """
    Sends each message back.
    """

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        A message has arrived.
        """
        self.sendMessage(payload, isBinary)


class AskingClient(WebSocketClientProtocol):
    """
    Sends one message, waits for one, and closes.

    @ivar answer: the answer; L{None} as long as there is none.
    @ivar closed: fires with the answer when the connection is gone.
    """

    closed: Deferred[bytes | None]
    answer: bytes | None = None

    def onOpen(self) -> None:
        """
        Ask.
        """
        self.sendMessage(QUESTION, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        The answer.
        """
        self.answer = payload
        self.sendClose()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """
        The end.
        """
        self.closed.callback(self.answer)


class TwistedTests(LoopbackTestCase):
    """
    Twisted's own functions, with our creators.
    """

    async def ask(self, number: int, host: str = "localhost") -> Asker:
        """
        Connect with C{connectSSL}, and be answered.
        """
        asker = Asker(QUESTION)
        creator = clientConnections(host)
        self.reactor.connectSSL("127.0.0.1", number, GivenClientFactory(asker), creator)
        self.assertEqual(await asker.answered, QUESTION)
        return asker

    async def test_listenSSL(self) -> None:
        """
        C{listenSSL} and C{connectSSL}.
        """
        port = self.reactor.listenSSL(
            0, Factory.forProtocol(Echo), serverConnections(self), interface="127.0.0.1"
        )
        await (await self.ask(self.closing(port))).ended

    async def test_serverEndpoints(self) -> None:
        """
        C{SSL4ServerEndpoint} and C{wrapServerTLS}.
        """
        creator = serverConnections(self)
        for endpoint in (
            SSL4ServerEndpoint(self.reactor, 0, creator, interface="127.0.0.1"),
            wrapServerTLS(creator, TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1"), self.reactor),
        ):
            port = await endpoint.listen(Factory.forProtocol(Echo))
            await (await self.ask(self.closing(port))).ended

    async def test_wrapClientTLS(self) -> None:
        """
        C{wrapClientTLS}.
        """
        port = self.reactor.listenSSL(
            0, Factory.forProtocol(Echo), serverConnections(self), interface="127.0.0.1"
        )
        tcp = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.closing(port))
        asker = await connectProtocol(wrapClientTLS(clientConnections(), tcp, self.reactor), Asker(QUESTION))
        self.assertEqual(await asker.answered, QUESTION)
        await asker.ended

    async def test_refusedServer(self) -> None:
        """
        A server of another name is refused under Twisted's transport as under ours, and says so.
        """
        port = self.reactor.listenSSL(
            0, Factory.forProtocol(Echo), serverConnections(self), interface="127.0.0.1"
        )
        asking = self.asking(self.closing(port), "other.test")
        error: Any = await self.assertFailure(asking, PeerVerificationError)
        self.assertEqual(error.refusal.reason, Reason.WRONG_NAME)

    def asking(self, number: int, host: str) -> Deferred[Asker]:
        """
        The same as L{ask}, as a Deferred.
        """
        return Deferred.fromCoroutine(self.ask(number, host))

    async def test_clientCertificate(self) -> None:
        """
        A server that asks for certificates of clients lets those in that its CA vouches for, and no others.
        """
        tls = TLSOptions(cert=(serverFile(self),), caData=authority().pem)
        server = ServerConnectionCreator.fromOptions(tls)
        port = self.reactor.listenSSL(0, Factory.forProtocol(Echo), server, interface="127.0.0.1")
        number = self.closing(port)
        known = TLSOptions(cert=(clientFile(self),), caData=authority().pem)
        asker = Asker(QUESTION)
        creator = ClientConnectionCreator.fromOptions(known, "localhost")
        self.reactor.connectSSL("127.0.0.1", number, GivenClientFactory(asker), creator)
        self.assertEqual(await asker.answered, QUESTION)
        await asker.ended
        await self.assertFailure(self.asking(number, "localhost"), Exception)


class AutobahnTests(LoopbackTestCase):
    """
    autobahn's functions, with our creators.
    """

    def listen(self) -> int:
        """
        Listen with C{listenWS}.

        @return: the port's number.
        """
        factory = WebSocketServerFactory("wss://localhost:1", reactor=self.reactor)
        factory.protocol = EchoServer
        factory.port = 0
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)  # no timers left behind
        return self.closing(listenWS(factory, serverConnections(self), interface="127.0.0.1"))

    def ask(self, number: int, host: str) -> Deferred[bytes | None]:
        """
        Connect with C{connectWS}.
        """
        closed: Deferred[bytes | None] = Deferred()
        factory: Any = WebSocketClientFactory(f"wss://localhost:{number}/", reactor=self.reactor)
        factory.protocol = type("Asking", (AskingClient,), {"closed": closed})
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        connectWS(factory, contextFactory=clientConnections(host))
        return closed

    async def test_connectWS(self) -> None:
        """
        C{listenWS} and C{connectWS} take them as C{contextFactory}.
        """
        self.assertEqual(await self.ask(self.listen(), "localhost"), QUESTION)

    async def test_refused(self) -> None:
        """
        A server of another name is refused there too.
        """
        self.assertIsNone(await self.ask(self.listen(), "other.test"))
