"""
How WebSocket streams come to be, in memory.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.contract import StreamContract
from tests.support.identity import clientConnections, serverConnections
from tests.support.opening import URL, Asked, keyOf
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.errors import OpeningHandshakeError
from xtls.wire.framing import Opcode, encodeFrame
from xtls.wire.opening import answerOpening
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.websocket import WebSocketAcceptor, WebSocketConnector


class WebSocketTests(StreamContract, SynchronousTestCase):
    """
    A client and a server.
    """

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client and a server that open a stream.
        """
        connector = WebSocketConnector(URL, client, wire.clock)
        return (
            connector.buildProtocol(wire.server.getHost()),
            Asked(WebSocketAcceptor(server, wire.clock)),
        )

    def stackRefused(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol] | None:
        """
        A server that answers, but not to this client's key.
        """
        asking, asked = self.stack(wire, client, server)
        assert isinstance(asked, Asked)
        asked.answer = answerOpening(b"dGhlIHNhbXBsZSBub25jZQ==")
        return asking, asked


class AcceptorTests(SynchronousTestCase):
    """
    What happens before a server's stream is open.
    """

    def test_noSession(self) -> None:
        """
        Where there is no session nothing is sent, so that whoever has read the request can answer.
        """

        class Nobody(Factory):
            """
            Builds nothing.
            """

            def buildProtocol(self, addr: object) -> None:
                """
                Nothing.
                """

        wire, client = (
            Wire(),
            Recorder(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
        )
        asked = Asked(WebSocketAcceptor(Nobody(), wire.clock))
        wire.join(client, asked)
        wire.flush()
        self.assertEqual((asked.accepted, client.received), (False, b""))
        self.assertIs(wire.server.protocol, asked)

    def test_wrongKey(self) -> None:
        """
        A key that is none is an error before a session is made.
        """
        wire, factory = Wire(), GivenFactory(Recorder())
        acceptor = WebSocketAcceptor(factory, wire.clock)
        wire.join(Recorder(), Recorder())
        error = self.assertRaises(
            OpeningHandshakeError, acceptor.accept, wire.server, wire.server.protocol, b"short", []
        )
        self.assertEqual((error.status, factory.built), (400, 0))


class ConnectorTests(SynchronousTestCase):
    """
    A client's stream, until it is open.
    """

    def ask(self, protocol: Recorder | None = None, **timeouts: float) -> None:
        """
        Let a client ask; the server is written by hand.
        """
        self.wire = Wire()
        self.server = Recorder()
        self.recorder = Recorder() if protocol is None else protocol
        self.factory = GivenFactory(self.recorder)
        connector = WebSocketConnector(URL, self.factory, self.wire.clock, **timeouts)  # type: ignore[arg-type]
        self.client = connector.buildProtocol(self.wire.server.getHost())
        self.wire.join(self.client, self.server)
        self.wire.flush()
        self.answer = answerOpening(keyOf(self.server.received), [b"binary"])

    def say(self, *pieces: bytes) -> None:
        """
        Let the server send.
        """
        for piece in pieces:
            self.wire.server.write(piece)
            self.wire.flush()

    def assertNever(self, words: str, status: int | None = None) -> None:
        """
        The stream has not opened, for a reason.
        """
        error = self.failureResultOf(self.client.whenConnected(), OpeningHandshakeError).value
        assert isinstance(error, OpeningHandshakeError)
        self.assertIn(words, error.problem)
        self.assertEqual(error.status, status)
        self.assertEqual((self.recorder.made, self.recorder.lost), (0, []))
        self.wire.advance(60)
        self.assertFalse(self.wire.client.connected)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_whenConnected(self) -> None:
        """
        Who waits is given the protocol when the stream is open, and afterwards at once.
        """
        self.ask()
        waiting = self.client.whenConnected()
        self.assertNoResult(waiting)
        self.assertEqual(self.factory.built, 0)
        self.say(self.answer)
        self.assertIs(self.successResultOf(waiting), self.recorder)
        self.assertIs(self.successResultOf(self.client.whenConnected()), self.recorder)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_everySplit(self) -> None:
        """
        The answer may be cut anywhere, and the first octets of the stream may come with it.
        """
        self.ask()
        size = len(self.answer)
        frames = encodeFrame(Opcode.BINARY, b"early") + encodeFrame(Opcode.BINARY, b"bird")
        for cut in range(size + len(frames) + 1):
            self.ask()
            stream = self.answer + frames
            self.say(stream[:cut], stream[cut:])
            self.assertEqual((self.recorder.made, self.recorder.received), (1, b"earlybird"))

    def test_refused(self) -> None:
        """
        A server that answers otherwise is not spoken to: the error has its status.
        """
        self.ask()
        self.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        self.say(b"more")
        self.assertNever("403 Forbidden", 403)

    def test_tooSlow(self) -> None:
        """
        A server that does not answer in time is left.
        """
        self.ask(openingTimeout=3)
        self.say(self.answer[:-1])
        self.wire.advance(2.9)
        self.assertNoResult(self.client.whenConnected().addErrback(lambda _: None))
        self.wire.advance(0.2)
        self.assertNever("within 3 seconds")

    def test_justTooSlow(self) -> None:
        """
        An answer that comes when the time is over, and before the connection is gone, opens nothing.
        """
        self.ask(openingTimeout=3)
        self.wire.clock.advance(3)
        self.client.dataReceived(self.answer)
        self.wire.flush()
        self.client.connectionLost(Failure(ConnectionDone()))
        self.assertNever("within 3 seconds")

    def test_closedEarly(self) -> None:
        """
        A server that closes before it has answered is told from one that cannot be reached.
        """
        self.ask()
        self.say(self.answer[:20])
        self.wire.server.loseConnection()
        self.wire.flush()
        self.assertNever("closed the connection during the WebSocket opening handshake")

    def test_cancelled(self) -> None:
        """
        Who cancels waiting ends the connection, and an answer that comes nevertheless opens nothing.
        """
        self.ask()
        waiting = self.client.whenConnected()
        self.wire.server.write(self.answer)
        waiting.cancel()
        self.client.bufferReceived(self.answer)
        self.wire.flush()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual((self.factory.built, self.wire.client.connected), (0, False))

    def test_noProtocol(self) -> None:
        """
        A factory that wants no protocol after all ends the connection.
        """

        class Nobody(Factory):
            """
            Builds nothing.
            """

            def buildProtocol(self, addr: object) -> None:
                """
                Nothing.
                """

        wire, server = Wire(), Recorder()
        client = WebSocketConnector(URL, Nobody(), wire.clock).buildProtocol(None)
        wire.join(client, server)
        wire.flush()
        waiting = client.whenConnected()
        wire.server.write(answerOpening(keyOf(server.received)) + encodeFrame(Opcode.BINARY, b"early"))
        wire.flush()
        self.failureResultOf(waiting, ConnectionAborted)

    def test_wrongURL(self) -> None:
        """
        What cannot be asked for is an error before anything is connected.
        """
        self.assertRaises(ValueError, WebSocketConnector, "http://localhost/", Factory(), Wire().clock)

    def test_faultInConnectionMade(self) -> None:
        """
        Who waits is not left waiting by a protocol that fails when it is connected.
        """

        class Faulty(Recorder):
            """
            Fails.
            """

            def connectionMade(self) -> None:
                """
                Fail.
                """
                raise ZeroDivisionError

        self.ask(Faulty())
        waiting = self.client.whenConnected()
        self.say(self.answer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.failureResultOf(waiting, ZeroDivisionError)


class AutobahnTests(SynchronousTestCase):
    """
    autobahn at the other end.
    """

    def exchange(self, ours: HalfCloseRecorder, theirs: Any, client: IProtocol, server: IProtocol) -> None:
        """
        Open a stream, send both ways, and let autobahn close.
        """
        wire = Wire()
        wire.join(client, server)
        wire.flush()
        transport: Any = ours.transport
        pieces = [b"x" * size for size in (1, 125, 126, 65535, 65536, 1 << 18)]
        for piece in pieces:
            transport.write(piece)
            theirs.sendMessage(piece[::-1] + b".", isBinary=True)
            theirs.sendPing(b"?")
            wire.flush()
        theirs.sendMessage("z\u00fc".encode(), isBinary=False)
        wire.flush()
        self.assertEqual(theirs.got, pieces)
        self.assertEqual(theirs.pongs, len(pieces))
        self.assertTrue(ours.received == b"".join(piece + b"." for piece in pieces) + b"z\xc3\xbc")
        theirs.sendClose(1000)
        wire.flush()
        self.assertEqual((ours.readClosed, ours.lost), (1, []))
        transport.write(b"more")
        transport.loseConnection()
        wire.flush()
        self.assertIsNotNone(ours.lost[0].check(ConnectionDone))
        self.assertEqual(theirs.ends, [(True, 1000)])

    def protocol(self, base: Any) -> Any:
        """
        One of autobahn's protocols that remembers.
        """

        class Remembering(base):  # type: ignore[misc]
            """
            Remembers.
            """

            def __init__(self) -> None:
                super().__init__()
                self.got: list[bytes] = []
                self.ends: list[tuple[bool, int]] = []
                self.pongs = 0

            def onConnect(self, request: Any) -> str | None:
                """
                Any of the client's.
                """
                return request.protocols[0] if base is WebSocketServerProtocol else None

            def onMessage(self, payload: bytes, isBinary: bool) -> None:
                """
                A message.
                """
                self.got.append(payload)

            def onPong(self, payload: bytes) -> None:
                """
                An answer.
                """
                self.pongs += 1

            def onClose(self, wasClean: bool, code: int, reason: str) -> None:
                """
                The end.
                """
                self.ends.append((wasClean, code))

        return Remembering

    def build(self, factory: Any, base: Any) -> Any:
        """
        One of autobahn's protocols, with its deadlines off, for they need the one global reactor.
        """
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        if base is WebSocketClientProtocol:
            factory.setProtocolOptions(serverConnectionDropTimeout=0)
        factory.protocol = self.protocol(base)
        return factory.buildProtocol(None)

    def test_client(self) -> None:
        """
        autobahn's client at our server.
        """
        ours = HalfCloseRecorder()
        theirs = self.build(
            WebSocketClientFactory(URL, protocols=["binary"], reactor=object()), WebSocketClientProtocol
        )
        self.exchange(ours, theirs, theirs, Asked(WebSocketAcceptor(GivenFactory(ours), Wire().clock)))

    def test_server(self) -> None:
        """
        Our client at autobahn's server.
        """
        ours = HalfCloseRecorder()
        theirs = self.build(
            WebSocketServerFactory(URL, protocols=["binary"], reactor=object()), WebSocketServerProtocol
        )
        connector = WebSocketConnector(URL, GivenFactory(ours), Wire().clock)
        self.exchange(ours, theirs, connector.buildProtocol(None), theirs)


class SecureWebSocketTests(StreamContract, SynchronousTestCase):
    """
    Streams over TLS, at both ends.
    """

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client and a server that open a stream inside TLS.
        """
        creators = clientConnections(), serverConnections(self)
        acceptor = WebSocketAcceptor(server, wire.clock)
        inside: tuple[IProtocolFactory, ...] = (
            WebSocketConnector(URL, client, wire.clock),
            GivenFactory(Asked(acceptor)),
        )
        return tuple(  # type: ignore[return-value]
            TLSTransportFactory(creator, isClient, each, wire.clock).buildProtocol(wire.server.getHost())
            for creator, isClient, each in zip(creators, (True, False), inside, strict=True)
        )
