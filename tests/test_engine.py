"""
TLS without input and output.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.support.engines import VERSIONS, EnginePair, connections, disturb
from xtls.wire.engine import TLSEngine
from xtls.wire.openssl import DirectRecords
from xtls.wire.records import BUFFER_SIZE, PublicRecords, Records

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object


class Fed:
    """
    Remembers what the records behind it are fed, and keeps it from them.
    """

    def __init__(self, records: Records) -> None:
        self.records = records
        self.fed: list[bytes] = []

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """
        Take ciphertext.
        """
        self.fed.append(bytes(ciphertext))

    def __getattr__(self, name: str) -> Any:
        """
        All else is theirs.
        """
        return getattr(self.records, name)


class EngineTests(_Base):
    """
    L{TLSEngine}, with one version of TLS and one way of calling OpenSSL.
    """

    version = VERSIONS["TLSv1.3"]
    records: type = DirectRecords

    def setUp(self) -> None:
        self.pair = self.newPair()

    def newPair(self) -> EnginePair:
        """
        Two engines that have not begun.
        """
        return EnginePair(self.version, self.records)

    def both(self) -> tuple[TLSEngine, TLSEngine]:
        """
        The client's and the server's engine.
        """
        return self.pair.client, self.pair.server

    def established(self) -> tuple[TLSEngine, TLSEngine]:
        """
        The same, after their handshake.
        """
        self.pair.shakeHands()
        return self.both()

    def test_handshake(self) -> None:
        """
        A client speaks first; when both have spoken, the connection is established, and nothing more.
        """
        client, server = self.both()
        server.start()
        self.assertEqual(self.pair.outgoing(server), b"")
        client.start()
        self.assertFalse(client.established or server.established)
        self.pair.flush()
        for engine in (client, server):
            self.assertTrue(engine.established)
            self.assertFalse(engine.peerClosed or engine.closed or engine.more)
            self.assertIsNone(engine.failure)
            self.assertEqual(self.pair.plaintext[engine], b"")

    def test_octetByOctet(self) -> None:
        """
        However the octets are cut, the result is the same.
        """
        client, server = self.both()
        client.start()
        self.pair.flush(1)
        client.send(b"a question")
        server.send(b"an answer")
        self.pair.flush(1)
        self.assertEqual(self.pair.plaintext, {client: b"an answer", server: b"a question"})

    def test_firstOctets(self) -> None:
        """
        What comes together with the end of the handshake is there at once.
        """
        client, server = self.both()
        client.start()
        while not client.established:
            self.pair.receive(server, self.pair.outgoing(client))
            self.pair.receive(client, self.pair.outgoing(server))
        client.send(b"at once")
        self.pair.receive(server, self.pair.outgoing(client))
        self.assertEqual(self.pair.plaintext[server], b"at once")

    def test_more(self) -> None:
        """
        When there is more plaintext than fits, it says so, and gives the rest when it is asked again.
        """
        client, server = self.established()
        data = Random(5).randbytes(BUFFER_SIZE + 1)
        client.send(data[:BUFFER_SIZE])
        client.send(data[BUFFER_SIZE:])
        first = bytes(server.receive(self.pair.outgoing(client)))
        self.assertTrue(server.more)
        self.assertTrue(first + bytes(server.receive(b"")) == data)
        self.assertFalse(server.more)

    def test_close(self) -> None:
        """
        Each side closes its own direction, in any order; the other may go on.
        """
        client, server = self.established()
        client.send(b"last words")
        client.close()
        client.close()
        self.pair.flush()
        self.assertEqual(self.pair.plaintext[server], b"last words")
        self.assertEqual((client.closed, server.peerClosed), (True, True))
        self.assertEqual((server.closed, client.peerClosed), (False, False))
        server.send(b"still here")
        self.pair.flush()
        self.assertEqual(self.pair.plaintext[client], b"still here")
        server.close()
        self.pair.flush()
        self.assertTrue(client.peerClosed)
        self.assertEqual((client.failure, server.failure), (None, None))

    def test_closedForGood(self) -> None:
        """
        What comes after close_notify is not looked at (RFC 8446, section 6.1).
        """
        client, server = self.established()
        client.close()
        self.pair.flush()
        self.pair.receive(server, b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual((bytes(self.pair.plaintext[server]), server.failure), (b"", None))

    def test_keptNoMore(self) -> None:
        """
        Nor is it kept anywhere: a peer that goes on after its close_notify fills no memory.
        """
        client, server = self.established()
        client.close()
        self.pair.flush()
        watched: Any = Fed(server.records)
        server.records = watched
        self.pair.receive(server, b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(watched.fed, [])

    def test_closeBeforeTheHandshake(self) -> None:
        """
        Who closes before the handshake has nobody to tell.
        """
        client, _ = self.both()
        client.close()
        self.assertTrue(client.closed)
        self.assertEqual(self.pair.outgoing(client), b"")

    def test_sendAfterClose(self) -> None:
        """
        Nothing can be sent after a close: it is a failure, and stays one.
        """
        client, _ = self.established()
        client.close()
        self.assertRaises(SSL.Error, client.send, b"x")
        self.assertIsInstance(client.failure, SSL.Error)

    def test_notTLS(self) -> None:
        """
        A peer that speaks something else fails the handshake; it may have an alert.
        """
        client, _ = self.both()
        client.start()
        self.pair.outgoing(client)
        self.pair.receive(client, b"SSH-2.0-OpenSSH_9.6\r\n")
        self.assertFalse(client.established)
        self.assertIsInstance(client.failure, SSL.Error)

    def test_refused(self) -> None:
        """
        A peer that is refused is told so, and not one octet of the application was there for it.
        """
        other = SSL.Context(SSL.TLS_CLIENT_METHOD)
        other.set_max_proto_version(self.version)
        other.set_verify(SSL.VERIFY_PEER, None)
        connection = SSL.Connection(other, None)
        connection.set_connect_state()
        client, server = TLSEngine(connection, self.records), self.pair.server
        self.pair.client = client
        self.pair.plaintext[client] = bytearray()
        self.pair.shakeHands()
        self.assertFalse(client.established)
        self.assertIn("certificate verify failed", str(client.failure))
        self.assertIn("unknown ca", str(server.failure))

    def test_tampered(self) -> None:
        """
        Records that were changed on their way are a failure, and what came before them is not lost.
        """
        client, server = self.established()
        client.send(b"good")
        said = self.pair.outgoing(client)
        client.send(b"bad")
        bad = bytearray(self.pair.outgoing(client))
        bad[-1] ^= 1
        self.pair.receive(server, said + bad)
        self.assertEqual(self.pair.plaintext[server], b"good")
        self.assertIn("bad record mac", str(server.failure))
        self.pair.flush()
        self.assertIn("bad record mac", str(client.failure))

    def test_nothingPossible(self) -> None:
        """
        A context with which no handshake is possible fails when it begins.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        engine = TLSEngine(connection, self.records)
        engine.start()
        self.assertIsInstance(engine.failure, SSL.Error)

    def test_default(self) -> None:
        """
        Without a choice, OpenSSL is called in the fastest way that is possible.
        """
        engine = TLSEngine(connections(self.version)[0])
        engine.start()
        self.assertGreater(len(engine.outgoing()), 0)


class DirectEngineTests(EngineTests, SynchronousTestCase):
    """
    TLS 1.3, with direct calls.
    """

    def test_errorsOfOthers(self) -> None:
        """
        What others have left in OpenSSL's error queue fails no handshake and no close.
        """
        client, server = self.both()
        client.start()
        for _ in range(4):
            for engine in (server, client):
                disturb()
                self.pair.receive(engine, self.pair.outgoing(self.pair.peer(engine)))
        self.assertTrue(client.established and server.established)
        disturb()
        client.close()
        self.pair.flush()
        self.assertTrue(server.peerClosed)


class PublicEngineTests(EngineTests, SynchronousTestCase):
    """
    TLS 1.3, with public calls.
    """

    records = PublicRecords


class DirectEngine12Tests(DirectEngineTests):
    """
    TLS 1.2, with direct calls.
    """

    version = VERSIONS["TLSv1.2"]


class PublicEngine12Tests(PublicEngineTests):
    """
    TLS 1.2, with public calls.
    """

    version = VERSIONS["TLSv1.2"]
