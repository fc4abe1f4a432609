"""
TLS as a Twisted transport.
"""

from __future__ import annotations

import gc
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Any, ClassVar
from weakref import ref

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    INegotiated,
    IProtocol,
    IProtocolFactory,
    ISSLTransport,
    ISystemHandle,
    ITransport,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.contract import LARGE, BufferRecorder, PausingRecorder, StreamContract
from tests.support.engines import EnginePair
from tests.support.identity import authority, serverPair
from tests.support.logs import recordLogs
from tests.support.sockets import SocketWire
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.config.options import TLSOptions
from xtls.config.values import TLSVersion, TLSVersions
from xtls.errors import HandshakeError, HandshakeTimeout, PeerVerificationError
from xtls.testing.authority import Authority
from xtls.trust.certificates import toPEM
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.trust.verification import Reason
from xtls.wire.inflow import receiveNoMore
from xtls.wire.openssl import DirectRecords
from xtls.wire.outflow import IBufferTransport
from xtls.wire.records import BUFFER_SIZE, PublicRecords
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.transport import TLSTransport

_TLS12 = TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2)
_TLS13 = TLSVersions(TLSVersion.TLS1_3, TLSVersion.TLS1_3)


@cache
def clientCreator(
    host: str = "server.test", versions: TLSVersions = _TLS13, alpn: tuple[bytes, ...] = ()
) -> ClientConnectionCreator:
    """
    A client that knows the authority.
    """
    return ClientConnectionCreator.fromOptions(
        TLSOptions(caData=authority().pem, protocol=versions), host, alpn
    )


@cache
def serverCreator(versions: TLSVersions = _TLS13, alpn: tuple[bytes, ...] = ()) -> ServerConnectionCreator:
    """
    A server that it knows.
    """
    with NamedTemporaryFile() as file:
        file.write(toPEM(serverPair()))
        file.flush()
        return ServerConnectionCreator.fromOptions(TLSOptions(cert=(file.name,), protocol=versions), alpn)


# The contract


class TLS13StreamTests(StreamContract, SynchronousTestCase):
    """
    TLS 1.3, with the fastest calls of OpenSSL that there are.
    """

    versions = _TLS13
    records: ClassVar[type | None] = None

    def factories(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory, host: str
    ) -> tuple[TLSTransportFactory, TLSTransportFactory]:
        """
        A client that means C{host}, and a server.
        """
        made = (
            TLSTransportFactory(clientCreator(host, self.versions), True, client, wire.clock),
            TLSTransportFactory(serverCreator(self.versions), False, server, wire.clock),
        )
        for factory in made:
            factory.records = self.records
        return made

    def stackFor(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory, host: str
    ) -> tuple[IProtocol, IProtocol]:
        """
        The same, built.
        """
        factories = self.factories(wire, client, server, host)
        return (
            factories[0].buildProtocol(wire.server.getHost()),
            factories[1].buildProtocol(wire.client.getHost()),
        )

    def stack(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client that is at the right server.
        """
        return self.stackFor(wire, client, server, "server.test")

    def stackRefused(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client that meant another server.
        """
        return self.stackFor(wire, client, server, "other.test")


class TLS12StreamTests(TLS13StreamTests):
    """
    TLS 1.2.
    """

    versions = _TLS12


class DirectTLS13StreamTests(TLS13StreamTests):
    """
    TLS 1.3, by direct calls, on transports of Twisted's.
    """

    newWire = SocketWire
    records = DirectRecords


class DirectTLS12StreamTests(DirectTLS13StreamTests):
    """
    The same with TLS 1.2.
    """

    versions = _TLS12


class PublicTLS13StreamTests(TLS13StreamTests):
    """
    TLS 1.3, by public calls.
    """

    records = PublicRecords


class PublicTLS12StreamTests(PublicTLS13StreamTests):
    """
    TLS 1.2, by public calls, on transports of Twisted's.
    """

    newWire = SocketWire
    versions = _TLS12


class TLSInTLSStreamTests(TLS13StreamTests):
    """
    TLS inside TLS.
    """

    def stackFor(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory, host: str
    ) -> tuple[IProtocol, IProtocol]:
        """
        The inner client means C{host}.
        """
        inside = self.factories(wire, client, server, host)
        return super().stackFor(wire, inside[0], inside[1], "server.test")


class TLSInTLSSocketTests(TLSInTLSStreamTests):
    """
    The same on transports of Twisted's.
    """

    newWire = SocketWire
    versions = _TLS12


# What is special to TLS


class BrokenCreator:
    """
    Makes no connections.
    """

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """
        It has a fault.
        """
        raise ZeroDivisionError("a fault of the creator")


class FixedCreator:
    """
    Makes connections of one context.
    """

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """
        One.
        """
        return SSL.Connection(self.context, None)


class LateCreator:
    """
    Makes connections on which OpenSSL verifies nothing, and refuses the server itself.

    @ivar refusal: how.
    """

    def __init__(self, refusal: Exception) -> None:
        self.refusal = refusal

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        A connection that is refused.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_info_callback(
            lambda connection, where, ret: (
                tlsProtocol.failVerification(Failure(self.refusal))
                if where & SSL.SSL_CB_HANDSHAKE_DONE
                else None
            )
        )
        return SSL.Connection(context, None)


class AnsweringRecords(PublicRecords):
    """
    Has something to say to whatever arrives, as OpenSSL has to KeyUpdates (RFC 8446, section 4.6.3).

    @ivar answer: what that is.
    """

    def __init__(self, connection: SSL.Connection) -> None:
        super().__init__(connection)
        self.answer = b""
        self._said = b""

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """
        Something has arrived.
        """
        super().feed(ciphertext)
        self._said = self.answer

    def drain(self) -> memoryview:
        """
        The answer, and then what else there is to say.
        """
        said, self._said = self._said, b""
        return memoryview(said) if said else super().drain()


class TransportTests(SynchronousTestCase):
    """
    L{TLSTransport}.
    """

    def setUp(self) -> None:
        self.logs = recordLogs(self)
        self.client, self.server = HalfCloseRecorder(), HalfCloseRecorder()

    def factory(self, isClient: bool, creator: Any, protocol: Any, **options: Any) -> TLSTransportFactory:
        """
        A factory of one end.
        """
        above = protocol if isinstance(protocol, Factory) else GivenFactory(protocol)
        return TLSTransportFactory(creator, isClient, above, self.wire.clock, **options)

    def connect(self, client: Any = None, server: Any = None, wire: Any = None, above: Any = None) -> None:
        """
        Connect the client's end, and the server's.

        @param above: builds the protocols; by default, those of the test are taken.
        """
        self.wire = Wire() if wire is None else wire
        clients = self.factory(True, client or clientCreator(), above or self.client)
        servers = self.factory(False, server or serverCreator(), above or self.server)
        self.ends = clients.buildProtocol(None), servers.buildProtocol(None)
        self.wire.join(*self.ends)
        self.waiting = self.ends[0].whenConnected()
        self.wire.flush()

    def connectTo(self, peer: Recorder, client: Any = None, **options: Any) -> TLSTransport:
        """
        Connect the client's end to something else.
        """
        self.wire = Wire()
        stream = self.factory(True, client or clientCreator(), self.client, **options).buildProtocol(None)
        self.wire.join(stream, peer)
        return stream

    # What is known

    def test_interfaces(self) -> None:
        """
        It is what twisted.web and others take it for.
        """
        self.connect()
        for interface in (ITransport, ISSLTransport, INegotiated, ISystemHandle, IBufferTransport):
            for protocol in (self.client, self.server):
                verifyObject(interface, protocol.transport)

    def test_known(self) -> None:
        """
        What was negotiated, and who the peer is, can be asked.
        """
        self.connect(clientCreator(alpn=(b"a", b"b")), serverCreator(alpn=(b"b",)))
        for stream in self.ends:
            self.assertEqual((stream.negotiatedProtocol, stream.tlsVersion), (b"b", "TLSv1.3"))
            self.assertIn("AES", stream.cipherName)
            self.assertIsInstance(stream.getHandle(), SSL.Connection)
        certificate = self.ends[0].getPeerCertificate()
        assert certificate is not None
        self.assertEqual(certificate.get_subject().CN, "server.test")
        self.assertIsNone(self.ends[1].getPeerCertificate())

    def test_unknown(self) -> None:
        """
        Before the handshake there is nothing to be known.
        """
        stream = self.connectTo(Recorder())
        self.assertEqual((stream.negotiatedProtocol, stream.cipherName), (None, ""))
        self.assertIsNone(stream.getPeerCertificate())

    def test_logPrefix(self) -> None:
        """
        Log records of a connection begin with what its factory says.
        """
        self.connect()
        self.assertEqual(self.ends[0].logPrefix(), "GivenFactory (TLS)")

    def test_lostTwice(self) -> None:
        """
        A connection leaves its factory once.
        """
        self.connect()
        factory = self.ends[1].factory
        self.assertEqual(list(factory.protocols), [self.ends[1]])
        self.wire.cut()
        self.ends[1].connectionLost(Failure(ConnectionDone()))
        self.assertEqual((list(factory.protocols), len(self.server.lost)), ([], 1))

    # The handshake

    def test_connected(self) -> None:
        """
        Who waits has the protocol above when the peer is verified.
        """
        self.connect()
        self.assertIs(self.successResultOf(self.waiting), self.client)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """
        Who waits hears why the peer was refused, with the evidence; the peer has had an alert, and that is
        what its side says.
        """
        refusals: list[Failure] = []
        self.wire = Wire()
        clients = self.factory(True, clientCreator("other.test"), self.client)
        servers = self.factory(
            False, serverCreator(), self.server, refused=lambda stream, failure: refusals.append(failure)
        )
        self.wire.join(clients.buildProtocol(None), servers.buildProtocol(None))
        waiting = next(iter(clients.protocols)).whenConnected()
        self.wire.flush()
        error = self.failureResultOf(waiting, PeerVerificationError).value
        assert isinstance(error, PeerVerificationError)
        self.assertEqual(error.refusal.reason, Reason.WRONG_NAME)
        self.assertEqual([failure.type for failure in refusals], [HandshakeError])
        self.assertEqual((self.client.made, self.server.made), (0, 0))
        self.assertFalse(self.wire.client.connected or self.wire.server.connected)
        self.assertEqual(self.logs.lines(), [])

    def test_refusedForItsAuthority(self) -> None:
        """
        Who was refused for a certificate above its own has its own in the evidence too.
        """
        stranger = Authority()
        pair = stranger.issue("server.test")
        with NamedTemporaryFile() as file:
            file.write(toPEM(pair) + stranger.pem)
            file.flush()
            creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(file.name,)))
        self.wire = Wire()
        clients = self.factory(True, clientCreator(), self.client)
        servers = self.factory(False, creator, self.server)
        self.wire.join(clients.buildProtocol(None), servers.buildProtocol(None))
        waiting = next(iter(clients.protocols)).whenConnected()
        self.wire.flush()
        error = self.failureResultOf(waiting, PeerVerificationError).value
        assert isinstance(error, PeerVerificationError)
        self.assertEqual((error.refusal.reason, error.refusal.depth), (Reason.UNKNOWN_CA, 1))
        self.assertEqual(error.refusal.certificate, stranger.certificate)
        self.assertEqual(error.refusal.own, pair.certificate)

    def test_stockCreator(self) -> None:
        """
        A refusal by a creator of Twisted's is told as that says it.
        """
        trust = Certificate.loadPEM(authority().pem)
        self.connect(optionsForClientTLS("other.test", trustRoot=trust))
        failure = self.failureResultOf(self.waiting)
        self.assertNotIsInstance(failure.value, PeerVerificationError)
        self.assertIn("other.test", repr(failure.value))
        self.assertEqual((self.client.made, self.server.made), (0, 0))

    def test_lateRefusal(self) -> None:
        """
        A creator may refuse the server without OpenSSL's knowledge, as older ones of Twisted's do when the
        handshake is complete: nobody is connected, and nothing more is sent.
        """
        creator = LateCreator(HandshakeError("it is somebody else"))
        self.connect(creator)
        self.assertIs(self.failureResultOf(self.waiting, HandshakeError).value, creator.refusal)
        self.assertEqual((self.client.made, self.server.made), (0, 0))
        self.assertEqual(len(self.wire.client.writes), 1)
        self.assertFalse(self.wire.client.connected)

    def test_timeout(self) -> None:
        """
        A handshake has a deadline, after which the connection is aborted; what comes later connects nobody.
        """
        stream = self.connectTo(Recorder(), handshakeTimeout=5.0)
        waiting = stream.whenConnected()
        self.wire.advance(4.9)
        self.assertNoResult(waiting)
        self.wire.advance(0.2)
        self.failureResultOf(waiting, HandshakeTimeout)
        self.assertFalse(self.wire.client.connected)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_lateHandshake(self) -> None:
        """
        A handshake that is complete just after its deadline connects nobody.
        """
        self.wire = Wire()
        clients = self.factory(True, clientCreator(), self.client, handshakeTimeout=5.0)
        servers = self.factory(False, serverCreator(), self.server)
        stream = clients.buildProtocol(None)
        self.wire.join(stream, servers.buildProtocol(None))
        stream.tooSlow()
        self.wire.server.protocol.dataReceived(b"".join(self.wire.client.writes))
        stream.dataReceived(b"".join(self.wire.server.writes))
        self.assertEqual(self.client.made, 0)

    def test_notTLS(self) -> None:
        """
        A peer that speaks something else is told from one that is refused; it has an alert.
        """
        peer = Recorder(b"220 mail.example.test ESMTP\r\n")
        stream = self.connectTo(peer)
        waiting = stream.whenConnected()
        self.wire.flush()
        self.assertIs(self.failureResultOf(waiting).type, HandshakeError)
        self.assertEqual(self.client.made, 0)
        self.assertGreater(len(peer.chunks), 0)

    def test_endsInTheHandshake(self) -> None:
        """
        A peer that closes during the handshake was no TLS peer.
        """
        stream = self.connectTo(Recorder())
        waiting = stream.whenConnected()
        self.wire.server.loseConnection()
        self.wire.flush()
        self.failureResultOf(waiting, HandshakeError)

    def test_closeInTheHandshake(self) -> None:
        """
        Who closes before the handshake is complete does not complete it.
        """
        stream = self.connectTo(Recorder())
        waiting = stream.whenConnected()
        stream.loseConnection()
        self.wire.flush()
        self.failureResultOf(waiting, ConnectionAborted)

    def test_cancel(self) -> None:
        """
        Who does not want to wait any more aborts the connection.
        """
        stream = self.connectTo(Recorder())
        waiting = stream.whenConnected()
        waiting.cancel()
        self.wire.flush()
        self.failureResultOf(waiting, CancelledError)
        self.assertFalse(self.wire.client.connected)

    def test_refusedAbove(self) -> None:
        """
        A factory that wants no protocol, once the peer is verified, refuses the connection.
        """

        class Unwilling(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        self.wire = Wire()
        clients = self.factory(True, clientCreator(), self.client)
        servers = self.factory(False, serverCreator(), Unwilling())
        self.wire.join(clients.buildProtocol(None), servers.buildProtocol(None))
        self.wire.flush()
        self.assertFalse(self.wire.client.connected or self.wire.server.connected)

    def test_brokenCreator(self) -> None:
        """
        A creator that raises ends the connection; the fault is logged, and who waits hears of it.
        """
        self.connect(server=BrokenCreator())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(self.wire.server.connected)
        self.failureResultOf(self.waiting)
        self.failureResultOf(self.ends[1].whenConnected(), ZeroDivisionError)

    def test_impossible(self) -> None:
        """
        A client that cannot even begin says why at once.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        stream = self.connectTo(Recorder(), FixedCreator(context))
        self.failureResultOf(stream.whenConnected(), HandshakeError)
        self.wire.flush()
        self.wire.advance(30)
        self.assertFalse(self.wire.client.connected)

    # Octets

    def test_firstOctets(self) -> None:
        """
        What arrives with the end of the handshake is what the peer wrote, whatever connecting the protocol
        above may have caused others to read into the buffer that all share.
        """
        pair = EnginePair()
        pair.shakeHands()

        class Reading(HalfCloseRecorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                pair.client.send(b"X" * 1000)
                pair.flush()

        self.client, self.server = HalfCloseRecorder(b"a question"), Reading()
        self.connect()
        self.assertEqual(self.server.chunks, [b"a question"])
        self.assertEqual(len(pair.plaintext[pair.server]), 1000)

    def delivered(self, size: int) -> None:
        """
        Have the server's end get so many octets together.
        """
        self.connect()
        self.wire.held = True
        start = len(self.wire.client.writes)
        self.ends[0].write(LARGE[:size])
        self.ends[0].loseWriteConnection()
        self.ends[1].dataReceived(b"".join(self.wire.client.writes[start:]))

    def test_more(self) -> None:
        """
        More octets than fit into the shared buffer are delivered in pieces, and then the end.
        """
        self.server = BufferRecorder()
        self.delivered(2 * BUFFER_SIZE + 5)
        self.assertTrue(self.server.received == LARGE[: 2 * BUFFER_SIZE + 5])
        self.assertEqual([len(chunk) for chunk in self.server.chunks], [BUFFER_SIZE, BUFFER_SIZE, 5])
        self.assertEqual(self.server.readClosed, 1)

    def test_morePaused(self) -> None:
        """
        A pause between two pieces holds the rest back, and the end.
        """
        self.server = PausingRecorder()
        self.delivered(BUFFER_SIZE + 5)
        self.assertEqual((len(self.server.chunks), self.server.readClosed), (1, 0))
        self.ends[1].resumeProducing()
        self.wire.clock.advance(0)
        self.assertTrue(self.server.received == LARGE[: BUFFER_SIZE + 5])
        self.assertEqual(self.server.readClosed, 1)

    def test_endPaused(self) -> None:
        """
        A pause in the last piece holds the end back.
        """
        self.server = PausingRecorder()
        self.delivered(5)
        self.assertEqual((self.server.chunks, self.server.readClosed), ([LARGE[:5]], 0))
        self.ends[1].resumeProducing()
        self.wire.clock.advance(0)
        self.assertEqual((self.server.chunks, self.server.readClosed), ([LARGE[:5]], 1))

    # The end

    def test_tampered(self) -> None:
        """
        When records are changed on their way, both sides lose the connection, for that reason, at once.
        """
        self.connect()
        start = len(self.wire.client.writes)
        self.ends[0].write(b"good")
        bad = bytearray(b"".join(self.wire.client.writes[start:]))
        bad[-1] ^= 1
        self.ends[1].dataReceived(bytes(bad))
        self.assertEqual([lost.type for lost in self.server.lost], [HandshakeError])
        self.ends[1].dataReceived(bytes(bad))
        self.wire.flush()
        self.wire.advance(30)
        self.assertEqual((len(self.server.lost), self.server.chunks), (1, []))
        self.assertEqual([lost.type for lost in self.client.lost], [HandshakeError])
        self.assertFalse(self.wire.client.connected or self.wire.server.connected)

    def test_truncated(self) -> None:
        """
        A connection that ends without close_notify says so.
        """
        self.connect()
        self.wire.client.unregisterProducer()
        self.wire.client.loseConnection()
        self.wire.flush()
        (lost,) = self.server.lost
        self.assertIn("close_notify", lost.getErrorMessage())
        self.assertIsNotNone(lost.check(ConnectionLost))

    def test_sendFails(self) -> None:
        """
        When OpenSSL cannot send any more, the protocol above loses its connection, in a turn of its own.
        """
        self.connect()
        self.ends[0].getHandle().shutdown()
        self.ends[0].write(b"x")
        self.ends[0].write(b"y")
        self.assertEqual(self.client.lost, [])
        self.wire.flush()
        self.assertEqual([lost.type for lost in self.client.lost], [HandshakeError])
        self.wire.advance(30)
        self.assertFalse(self.wire.client.connected)

    def test_sendFailsAtTheEnd(self) -> None:
        """
        When the connection is lost before that turn, that is what is told.
        """
        self.connect()
        self.ends[0].getHandle().shutdown()
        self.ends[0].write(b"x" * (BUFFER_SIZE + 1))
        self.wire.cut()
        self.wire.flush()
        self.assertEqual([lost.type for lost in self.client.lost], [ConnectionLost])

    def answering(self, size: int) -> None:
        """
        Connect a server that has so many octets to say to whatever arrives.
        """
        self.wire = SocketWire()
        clients = self.factory(True, clientCreator(), self.client)
        servers = self.factory(False, serverCreator(), self.server)
        servers.records = AnsweringRecords
        self.ends = clients.buildProtocol(None), servers.buildProtocol(None)
        self.wire.join(*self.ends)
        self.wire.flush()
        records: Any = self.ends[1]._engine.records
        records.answer = bytes(size)

    def test_answersThatNobodyReads(self) -> None:
        """
        A peer that has OpenSSL answer, and does not read, gets so many answers and no more: they would fill
        any memory.
        """
        self.answering(16384)
        self.wire.client.pauseProducing()
        pending = []
        for _ in range(100):
            self.ends[0].write(b"x")
            self.wire.flush()
            pending.append(self.ends[1].pending)
        self.assertLess(max(pending), 2 * 65536)
        self.assertEqual([lost.type for lost in self.server.lost], [ConnectionLost])
        self.assertFalse(self.wire.server.connected)

    def test_answersThatAreRead(self) -> None:
        """
        Who reads them gets all.
        """
        self.answering(16384)
        receiveNoMore(self.wire.client)
        self.wire.client.protocol = peer = Recorder()
        for _ in range(30):
            self.wire.client.pauseProducing()
            for _ in range(5):
                self.ends[0].write(b"x")
                self.wire.flush()
            self.wire.client.resumeProducing()
            self.wire.flush()
        self.assertEqual(peer.received, bytes(150 * 16384))
        self.assertEqual((self.server.received, self.server.lost), (b"x" * 150, []))

    def test_nothingIsLeft(self) -> None:
        """
        A connection that has ended is not kept alive by itself, nor by what OpenSSL knows of it.
        """
        trust = Certificate.loadPEM(authority().pem)
        for creator in (clientCreator(), optionsForClientTLS("server.test", trustRoot=trust)):
            self.connect(creator, wire=SocketWire(), above=Factory.forProtocol(HalfCloseRecorder))
            for end in self.ends:
                end.loseConnection()
            self.wire.flush()
            self.assertFalse(self.wire.client.connected or self.wire.server.connected)
            gone = [ref(each) for end in self.ends for each in (end, end.getHandle())]
            gc.disable()
            try:
                del self.ends, end, self.wire, self.waiting
                self.assertEqual([each() for each in gone], [None] * 4)
            finally:
                gc.enable()


class AdoptedTests(SynchronousTestCase):
    """
    A connection that somebody else has begun, and what a relay knows of one.
    """

    def setUp(self) -> None:
        self.wire = SocketWire()
        self.peer, self.server = Recorder(), HalfCloseRecorder()
        self.refusals: list[Failure] = []
        self.pair = EnginePair()
        self.factory = TLSTransportFactory(
            serverCreator(),
            False,
            GivenFactory(self.server),
            self.wire.clock,
            refused=lambda transport, failure: self.refusals.append(failure),
        )
        self.wire.join(self.peer, Recorder())

    def adopt(self, until: float | None = None) -> TLSTransport:
        """
        Go on with the server's end.
        """
        return self.factory.adopt(self.wire.server, self.pair.server, until, self.wire.client.getHost())

    def say(self, stream: TLSTransport, data: bytes) -> None:
        """
        The client's end sends.
        """
        self.pair.client.send(data)
        stream.bufferReceived(self.pair.outgoing(self.pair.client))
        self.wire.flush()

    def test_complete(self) -> None:
        """
        Where the handshake is complete, the protocol above is connected with the first octets that the other
        one has decrypted.
        """
        self.pair.shakeHands()
        self.pair.client.send(b"first")
        self.pair.server.records.feed(self.pair.outgoing(self.pair.client))
        stream = self.adopt()
        self.assertEqual((self.server.made, self.wire.clock.getDelayedCalls()), (0, []))
        stream.decrypted(memoryview(bytes(self.pair.server.records.read())))
        self.assertEqual((self.server.made, self.server.received), (1, b"first"))
        self.assertIs(self.server.transport, stream)
        self.say(stream, b" more")
        self.assertEqual(self.server.received, b"first more")
        stream.write(b"answer")
        self.wire.flush()
        self.pair.receive(self.pair.client, self.peer.received)
        self.assertEqual(self.pair.plaintext[self.pair.client], b"answer")

    def test_protocolThere(self) -> None:
        """
        Where there is a protocol already, it is not connected again.
        """
        self.pair.shakeHands()
        stream = self.adopt()
        stream.adopted(self.server)
        self.say(stream, b"octets")
        self.assertEqual((self.server.made, self.server.received), (0, b"octets"))
        self.assertTrue(stream.sending)

    def test_peerClosed(self) -> None:
        """
        What the other one knew of the peer's end is known here.
        """
        self.pair.shakeHands()
        self.pair.server.peerClosed = True
        stream = self.adopt()
        stream.adopted(self.server)
        self.assertFalse(stream.relaying)
        stream.loseWriteConnection()
        self.wire.flush()
        self.assertEqual([lost.type for lost in self.server.lost], [ConnectionDone])

    def test_deadline(self) -> None:
        """
        A handshake that has begun must be complete when it was to be.
        """
        stream = self.adopt(self.wire.clock.seconds() + 2.5)
        self.wire.advance(2.4)
        self.assertFalse(stream.disconnecting)
        self.wire.advance(0.2)
        self.assertEqual([failure.type for failure in self.refusals], [HandshakeTimeout])
        self.assertFalse(self.wire.server.connected)

    def test_tooLate(self) -> None:
        """
        When that was before, it ends in the next turn.
        """
        self.wire.advance(8)
        stream = self.adopt(3.0)
        self.assertFalse(stream.disconnecting)
        self.wire.flush()
        self.assertEqual([failure.type for failure in self.refusals], [HandshakeTimeout])

    def test_failed(self) -> None:
        """
        Where the handshake has failed, the peer gets the alert, and the connection ends.
        """
        engine = self.pair.server
        engine.receive(b"\x16\x03\x01\x00\x05\xff\x00\x00\x01\x00")  # no message of a handshake
        self.assertIsNotNone(engine.failure)
        stream = self.adopt()
        stream.decrypted(memoryview(b""))
        self.wire.flush()
        self.assertEqual([failure.type for failure in self.refusals], [HandshakeError])
        self.assertEqual(self.peer.received[:1], b"\x15")  # an alert (RFC 8446, section 5.1)

    def test_relay(self) -> None:
        """
        A relay sees whether octets are delivered, and sent, and whether the connection is there.
        """
        self.pair.shakeHands()
        stream = self.adopt()
        self.assertEqual((stream.relaying, stream.sending, stream.gone), (True, False, False))
        stream.decrypted(memoryview(b""))
        self.assertEqual((stream.relaying, stream.sending, stream.gone), (True, True, False))
        self.assertIs(stream.records, self.pair.server.records)
        stream.pauseProducing()
        self.assertFalse(stream.relaying)
        stream.resumeProducing()
        self.assertTrue(stream.relaying)
        stream.records.write(b"by the relay")
        stream.outflow.write(b"")
        stream.sendRest()
        self.wire.flush()
        self.pair.receive(self.pair.client, self.peer.received)
        self.assertEqual(self.pair.plaintext[self.pair.client], b"by the relay")
        stream.loseConnection()
        self.assertEqual((stream.relaying, stream.sending), (False, False))
        self.wire.cut()
        self.assertTrue(stream.gone)

    def test_afterTheEnd(self) -> None:
        """
        Nothing is relayed after close_notify: what a peer sends then is dropped, and never gets into OpenSSL.
        """
        self.pair.shakeHands()
        stream = self.adopt()
        stream.decrypted(memoryview(b""))
        self.pair.client.close()
        stream.bufferReceived(self.pair.outgoing(self.pair.client))
        self.assertEqual((self.server.readClosed, stream.relaying), (1, False))
