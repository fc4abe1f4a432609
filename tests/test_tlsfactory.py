"""
The factory of TLS transports.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.identity import clientConnections, serverConnections
from tests.support.logs import recordLogs
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.errors import HandshakeError, HandshakeTimeout
from xtls.wire.engine import TLSEngine
from xtls.wire.records import PublicRecords
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.transport import TLSTransport


@implementer(IProtocolNegotiationFactory)
class NegotiatingFactory(GivenFactory):
    """
    A factory that says what its protocols speak, as C{twisted.web}'s does.
    """

    def acceptableProtocols(self) -> list[bytes]:
        """
        The protocols.
        """
        return [b"http/1.1"]


class TLSTransportFactoryTests(SynchronousTestCase):
    """
    L{TLSTransportFactory}.
    """

    def setUp(self) -> None:
        self.logs = recordLogs(self)
        self.wire = Wire()
        self.client, self.server = HalfCloseRecorder(), HalfCloseRecorder()

    def factories(
        self, client: Any = None, server: Any = None, alpn: tuple[bytes, ...] = (), **options: Any
    ) -> tuple[TLSTransportFactory, TLSTransportFactory]:
        """
        A client's, and a server's.

        @param client: the factory above; by default, one that has the test's protocol.
        @param options: of the server's.
        """
        clock = self.wire.clock
        return (
            TLSTransportFactory(clientConnections(), True, client or GivenFactory(self.client), clock),
            TLSTransportFactory(
                serverConnections(self, alpn), False, server or GivenFactory(self.server), clock, **options
            ),
        )

    def join(self, *factories: TLSTransportFactory) -> list[TLSTransport]:
        """
        Connect a client and a server.
        """
        ends = [factory.buildProtocol(None) for factory in factories]
        self.wire.join(*ends)
        self.wire.flush()
        return ends

    def test_builds(self) -> None:
        """
        Each connection is a transport of its own, which is connected to what the factory above builds for it.
        """
        factories = self.factories()
        ends = self.join(*factories)
        self.assertEqual([end.wrappedProtocol for end in ends], [self.client, self.server])
        self.assertEqual([end.factory for end in ends], list(factories))
        ends[0].write(b"up")
        ends[1].write(b"down")
        self.wire.flush()
        self.assertEqual((self.client.received, self.server.received), (b"down", b"up"))

    def test_records(self) -> None:
        """
        It can be said how OpenSSL is called.
        """
        factories = self.factories()
        for factory in factories:
            factory.records = PublicRecords
        for end in self.join(*factories):
            self.assertIsInstance(end.records, PublicRecords)

    def test_negotiation(self) -> None:
        """
        A client's factory that says what its protocols speak is believed.
        """
        above = NegotiatingFactory(self.client)
        verifyObject(IProtocolNegotiationFactory, above)
        ends = self.join(*self.factories(above, NegotiatingFactory(self.server), (b"http/1.1",)))
        self.assertEqual([end.negotiatedProtocol for end in ends], [b"http/1.1"] * 2)

    def test_protocols(self) -> None:
        """
        A factory knows its connections, as long as there are any.
        """
        factories = self.factories()
        ends = self.join(*factories)
        self.assertEqual([list(factory.protocols) for factory in factories], [[end] for end in ends])
        self.wire.cut()
        ends[1].connectionLost(Failure(ConnectionDone()))
        self.assertEqual([list(factory.protocols) for factory in factories], [[], []])

    def test_logged(self) -> None:
        """
        A connection that nobody waits for, and whose end nobody wants to know of, gets one line in the log.
        """
        peer = Recorder(b"SSH-2.0-nonsense\r\n")
        self.wire.join(peer, self.factories()[1].buildProtocol(None))
        self.wire.flush()
        (line,) = self.logs.lines()
        self.assertIn("no TLS connection: ", line)
        self.assertEqual(self.server.made, 0)

    def test_refused(self) -> None:
        """
        Who wants to know of it is told, and nothing is logged.
        """
        refusals: list[tuple[TLSTransport, Failure]] = []
        factory = self.factories(refused=lambda *told: refusals.append(told))[1]
        end = factory.buildProtocol(None)
        self.wire.join(Recorder(b"SSH-2.0-nonsense\r\n"), end)
        self.wire.flush()
        ((transport, failure),) = refusals
        self.assertIs(transport, end)
        self.assertIsNotNone(failure.check(HandshakeError))
        self.assertEqual(self.logs.lines(), [])

    def test_deadlines(self) -> None:
        """
        The handshake has the time that was said.
        """
        refusals: list[Failure] = []
        factory = self.factories(
            handshakeTimeout=3.0, closeTimeout=4.0, refused=lambda end, failure: refusals.append(failure)
        )[1]
        self.wire.join(Recorder(), factory.buildProtocol(None))
        self.wire.clock.advance(2.9)
        self.assertEqual(refusals, [])
        self.wire.clock.advance(0.1)
        self.wire.flush()
        self.assertEqual([failure.type for failure in refusals], [HandshakeTimeout])
        self.assertEqual(factory.closeTimeout, 4.0)

    def test_adopt(self) -> None:
        """
        A connection whose handshake somebody else has begun goes on here.
        """
        clients, servers = self.factories()
        stranger = Recorder()
        client = clients.buildProtocol(None)
        self.wire.join(client, stranger)
        self.wire.flush()
        owner: Any = servers
        connection: SSL.Connection = servers.createConnection(owner)
        engine = TLSEngine(connection)
        flight = engine.receive(stranger.received)
        self.assertEqual((bytes(flight), engine.established), (b"", False))
        address = self.wire.server.getPeer()
        adopted = servers.adopt(self.wire.server, engine, self.wire.clock.seconds() + 5, address)
        self.assertIs(self.wire.server.protocol, adopted)
        adopted.sendRest()
        self.wire.flush()
        self.assertEqual((self.client.made, self.server.made), (1, 1))
        self.assertEqual(list(servers.protocols), [adopted])
        client.write(b"octets")
        self.wire.flush()
        self.assertEqual(self.server.received, b"octets")
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_logPrefix(self) -> None:
        """
        Log records of a connection begin with what is above it, and that it is TLS.
        """

        class Named(Factory):
            def logPrefix(self) -> str:
                return "web"

        class Nameless:
            pass

        for above, prefix in ((Named(), "web (TLS)"), (Nameless(), "Nameless (TLS)")):
            factory = self.factories(above)[0]
            self.assertEqual(factory.logPrefix(), prefix)
            self.assertEqual(factory.buildProtocol(None).logPrefix(), prefix)
