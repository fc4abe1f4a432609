"""
Conversations with a server that is being looked at.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authorityFile, serverConnections, serverFile, serverPair
from tests.support.wiredway import Answering, MadeFactory, WiredWay
from tests.support.wires import Recorder
from xtls.config.options import TLSOptions, VerifyMode
from xtls.programs import probing
from xtls.programs.probing import Exchange, Prober, TLSExchange
from xtls.trust.contexts import ServerConnectionCreator
from xtls.wire.tlsfactory import TLSTransportFactory

STAPLE = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED).public_bytes(
    Encoding.DER
)
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"


class ExchangeTests(SynchronousTestCase):
    """
    L{Exchange}.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def exchange(self, server: Any) -> tuple[Exchange, WiredWay]:
        """
        Begin a conversation.
        """
        way = WiredWay(self.clock, server)
        return self.successResultOf(Prober(self.clock, way, "server.test").plain()), way

    def test_until(self) -> None:
        """
        What was waited for is told when it comes, and at once when it was there.
        """
        exchange, way = self.exchange(lambda: Recorder(b"hello"))
        waiting = exchange.until(lambda: len(exchange.received) > 5, 3)
        way.wires[0].flush()
        self.assertNoResult(waiting)
        way.wires[0].server.write(b"!")
        way.wires[0].flush()
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.successResultOf(exchange.until(lambda: exchange.received, 3)))

    def test_tooLate(self) -> None:
        """
        When the time is over, or the connection, that is told; nothing is left in the clock.
        """
        exchange, way = self.exchange(Recorder)
        waiting = exchange.until(lambda: exchange.received, 3)
        self.clock.advance(3)
        self.assertFalse(self.successResultOf(waiting))
        waiting = exchange.until(lambda: exchange.received, 3)
        way.wires[0].server.loseConnection()
        way.wires[0].flush()
        self.assertFalse(self.successResultOf(waiting))
        self.assertFalse(self.successResultOf(exchange.until(lambda: exchange.received, 3)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """
        Who waits may give up.
        """
        exchange, _ = self.exchange(Recorder)
        waiting = exchange.until(lambda: exchange.received, 3)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_talk(self) -> None:
        """
        What is said is sent, and hanging up is in order.
        """
        server = Recorder()
        exchange, way = self.exchange(lambda: server)
        exchange.send(b"hello")
        exchange.close()
        way.wires[0].flush()
        self.assertEqual((server.received, len(server.lost)), (b"hello", 1))
        self.assertIsNotNone(exchange.ended)

    def test_flood(self) -> None:
        """
        A server that does not stop is not listened to for ever.
        """
        exchange, way = self.exchange(lambda: Recorder(bytes(100000)))
        way.wires[0].flush()
        self.assertIsNotNone(exchange.ended)


class TLSExchangeTests(SynchronousTestCase):
    """
    L{TLSExchange}.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def way(self, make: Any, alpn: tuple[bytes, ...] = (), **options: Any) -> WiredWay:
        """
        The way to a server with TLS.
        """
        creator = serverConnections(self, alpn)
        if options:
            tls = TLSOptions(cert=(serverFile(self),), **options)
            creator = ServerConnectionCreator.fromOptions(tls, alpn)
        return WiredWay(self.clock, TLSTransportFactory(creator, False, MadeFactory(make), self.clock))

    def exchange(self, way: WiredWay, host: str = "server.test", **said: Any) -> TLSExchange:
        """
        Begin a conversation.
        """
        context = said.pop("context", None) or Prober.contextFor(TLSOptions())
        exchange = self.successResultOf(Prober(self.clock, way, host).secure(context, **said))
        way.wires[-1].flush()
        return exchange

    def test_facts(self) -> None:
        """
        The handshake shows what it was: nobody is verified, so that there is something to look at.
        """
        exchange = self.exchange(self.way(Recorder), alpn=(b"http/1.1",))
        facts = exchange.facts()
        self.assertTrue(exchange.established and facts.spoken)
        self.assertEqual(
            (facts.version, facts.problem, facts.asked, facts.required), ("TLSv1.3", "", False, None)
        )
        self.assertIn("AES", facts.cipher)
        self.assertTrue(facts.group)
        self.assertEqual(len(facts.presented), 1)
        self.assertFalse(facts.stapled or exchange.resumed)

    def test_talk(self) -> None:
        """
        What is said goes inside TLS, both ways, and the end is in order.
        """
        server = Recorder(b"hello")
        way = self.way(lambda: server)
        exchange = self.exchange(way)
        self.assertEqual(bytes(exchange.received), b"hello")
        exchange.send(b"hi")
        way.wires[0].flush()
        self.assertEqual(server.received, b"hi")
        exchange.close()
        way.wires[0].flush()
        self.assertEqual(server.lost[0].getErrorMessage(), "Connection was closed cleanly.")

    def test_ended(self) -> None:
        """
        When the server has said the last, so has the client.
        """
        way = self.way(lambda: Answering(ANSWER))
        exchange = self.exchange(way)
        exchange.send(b"HEAD / HTTP/1.1\r\n\r\n")
        way.wires[0].flush()
        self.assertEqual(bytes(exchange.received), ANSWER)
        self.assertIsNotNone(exchange.ended)

    def test_much(self) -> None:
        """
        A server that does not stop is not listened to for ever inside TLS either.
        """
        way = self.way(lambda: Recorder(bytes(200000)))
        exchange = self.exchange(way)
        self.assertGreater(len(exchange.received), 65536)
        self.assertIsNotNone(exchange.ended)

    def test_resumed(self) -> None:
        """
        A session goes on, for who has hung up in order.
        """
        way, context = self.way(Recorder), Prober.contextFor(TLSOptions())
        first = self.exchange(way, context=context)
        session = first.connection.get_session()
        first.close()
        way.wires[0].flush()
        self.assertTrue(self.exchange(way, context=context, session=session).resumed)

    def test_requested(self) -> None:
        """
        That a certificate of the client is asked for is noted, with whose it must be; and where it is
        required, the server says so, with TLS 1.3 when the handshake is over here.
        """
        for mode, problem in ((VerifyMode.OPTIONAL, ""), (VerifyMode.REQUIRED, "certificate")):
            way = self.way(Recorder, caCerts=authorityFile(self), clientVerifyMode=mode)
            exchange = self.exchange(way)
            facts = exchange.facts()
            self.assertTrue(facts.asked)
            self.assertEqual(facts.authorities, ("xtls test authority",))
            self.assertIn(problem, exchange.problem)
            self.assertEqual(facts.required, True if problem else None)

    def test_refused(self) -> None:
        """
        A server that refuses the handshake has a reason, and is not spoken to any more.
        """
        exchange = self.exchange(self.way(Recorder, (b"h2",)), alpn=(b"http/1.1",))
        self.assertIn("no application protocol", exchange.problem)
        self.assertFalse(exchange.established)
        self.assertEqual(exchange.facts().version, "")
        exchange.send(b"hello")

    def test_notTLS(self) -> None:
        """
        A server without TLS has none of it; one that hangs up has given no reason.
        """
        exchange = self.exchange(WiredWay(self.clock, lambda: Recorder(b"SSH-2.0-x\r\n")))
        self.assertIn("does not speak TLS", exchange.facts().problem)
        self.assertFalse(exchange.facts().spoken)
        way = WiredWay(self.clock, Recorder)
        exchange = self.exchange(way)
        way.wires[0].server.loseConnection()
        way.wires[0].flush()
        self.assertIn("hung up", exchange.facts().problem)

    def test_stapled(self) -> None:
        """
        An OCSP response that comes with the certificate is noted, whatever it says.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(serverPair().certificate)
        context.use_privatekey(serverPair().key)
        context.set_ocsp_server_callback(lambda connection, data: STAPLE)

        class Creator:
            """
            Makes connections of a server that staples.
            """

            def serverConnectionForTLS(self, transport: object) -> SSL.Connection:
                return SSL.Connection(context, None)

        way = WiredWay(self.clock, TLSTransportFactory(Creator(), False, MadeFactory(Recorder), self.clock))
        self.assertTrue(self.exchange(way).facts().stapled)

    def test_strange(self) -> None:
        """
        A certificate that cannot be read at all is none; what OpenSSL tells of a conversation that is over is
        not noted.
        """

        class Strange:
            """
            A connection with a certificate that is none.
            """

            def get_peer_cert_chain(self) -> list[Any]:
                raise ValueError

        exchange = self.exchange(self.way(Recorder))
        connection = exchange.connection
        exchange.connection = Strange()  # type: ignore[assignment]
        self.assertEqual(exchange._presented(), ())
        connection.set_app_data(None)
        before = set(exchange.states)
        probing._noteState(connection, 0, 0)
        self.assertTrue(probing._noteStaple(connection, b"x", None))
        self.assertEqual((exchange.states, exchange.stapled), (before, False))


class ProberTests(SynchronousTestCase):
    """
    L{Prober}.
    """

    def test_serverName(self) -> None:
        """
        A name is asked for; an address, or what is no name, is not.
        """
        way = WiredWay(Clock(), Recorder)
        for host, expected in (("Server.test", b"server.test"), ("::1", None), ("a b", None)):
            prober = Prober(Clock(), way, host)
            self.assertEqual(prober.serverName, expected)
            exchange = self.successResultOf(prober.secure(Prober.contextFor(TLSOptions())))
            self.assertEqual(exchange.connection.get_servername(), expected)

    def test_factory(self) -> None:
        """
        A protocol is what the endpoint gets, and the exchange what comes back.
        """
        way = WiredWay(Clock(), Recorder)
        exchange = self.successResultOf(Prober(Clock(), way, "a").plain())
        self.assertIsInstance(exchange, Protocol)
        self.assertIsInstance(Prober.contextFor(TLSOptions()), SSL.Context)
