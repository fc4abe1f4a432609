"""
WebSocket streams, in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.contract import StreamContract
from tests.support.opening import URL, Asked, keyOf
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire, WireTransport, everySplit
from xtls.wire.framing import CloseCode, FrameReader, Opcode, encodeClose, encodeFrame
from xtls.wire.opening import answerOpening
from xtls.wire.websocket import WebSocketAcceptor, WebSocketConnector
from xtls.wire.webstream import WebSocketStream


class WebSocketStreamTests(StreamContract, SynchronousTestCase):
    """
    Streams at both ends.
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


class OneEnd(SynchronousTestCase):
    """
    A stream whose peer is written by hand: what the peer sends is masked if it is a client.
    """

    def open(self, protocol: Recorder, rest: bytes = b"", messageSize: int = 1000) -> None:
        """
        Connect C{protocol} to the server's end of a stream.

        @param rest: what came together with the request.
        """
        self.wire = Wire()
        self.peer = Recorder()
        acceptor = WebSocketAcceptor(GivenFactory(protocol), self.wire.clock, messageSize=messageSize)
        request = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        self.wire.join(self.peer, Asked(acceptor))
        self.stream: Any = None
        self.say(request + rest)
        self.stream = protocol.transport
        self.reader = FrameReader(False, 1 << 30)
        self.heard()

    def say(self, data: bytes) -> None:
        """
        Send octets.
        """
        self.wire.client.write(data)
        self.wire.flush()

    def frame(self, opcode: int, payload: bytes = b"", final: bool = True) -> bytes:
        """
        The peer's frame.
        """
        return encodeFrame(opcode, payload, b"\x01\x02\x03\x04", final)

    def heard(self) -> bytes:
        """
        The octets that have come since this was last asked.
        """
        self.wire.flush()
        heard = self.peer.received
        self.peer.chunks = []
        return heard


class SendingTests(OneEnd):
    """
    What a stream sends.
    """

    def test_oneWriteOneFrame(self) -> None:
        """
        A write is one binary message in one frame, and one write to the transport below, head and payload.
        """
        self.open(Recorder())
        for size in (1, 125, 126, 65535, 65536, 1 << 18):
            del self.wire.server.writes[:]
            self.stream.write(b"x" * size)
            self.assertEqual(self.wire.server.writes, [encodeFrame(Opcode.BINARY, b"x" * size)])
            self.wire.flush()

    def test_longWrite(self) -> None:
        """
        A write that a peer might find too long for one message becomes several.
        """
        self.open(Recorder())
        data = bytes(range(256)) * 2049
        self.stream.write(memoryview(data))
        self.assertEqual(
            self.heard(),
            encodeFrame(Opcode.BINARY, data[: 1 << 18])
            + encodeFrame(Opcode.BINARY, data[1 << 18 : 1 << 19])
            + encodeFrame(Opcode.BINARY, data[1 << 19 :]),
        )

    def test_longView(self) -> None:
        """
        A long view may be of a buffer that the transport below uses for what it is given: it is copied first.
        """
        self.open(Recorder())
        data = bytes(range(256)) * 2049
        shared = bytearray(data)
        write = self.wire.server.write

        def scribble(sent: bytes) -> None:
            write(sent)
            shared[:] = bytes(len(shared))

        self.wire.server.write = scribble  # type: ignore[method-assign, assignment]
        self.stream.write(memoryview(shared))
        reader = FrameReader(False, 1 << 30)
        self.assertTrue(reader.feed(self.heard()) == data)

    def test_writesWhileReceiving(self) -> None:
        """
        What a protocol writes while it is given octets goes out together, as one message.
        """

        class Talker(Recorder):
            """
            Answers in pieces.
            """

            def dataReceived(self, data: bytes) -> None:
                """
                Answer.
                """
                transport: Any = self.transport
                for octet in data:
                    transport.write(bytes([octet]) * 2)

        self.open(Talker())
        del self.wire.server.writes[:]
        self.say(self.frame(Opcode.BINARY, b"abc") + self.frame(Opcode.PING, b"p"))
        self.assertEqual(
            self.wire.server.writes, [encodeFrame(Opcode.BINARY, b"aabbcc") + encodeFrame(Opcode.PONG, b"p")]
        )

    def test_clientMasks(self) -> None:
        """
        A client masks each frame, each with another key (section 5.3).
        """
        wire, server = Wire(), Recorder()
        client = Recorder()
        connector = WebSocketConnector(URL, GivenFactory(client), wire.clock)
        wire.join(connector.buildProtocol(None), server)
        wire.flush()
        wire.server.write(answerOpening(keyOf(server.received)))
        wire.flush()
        server.chunks = []
        transport: Any = client.transport
        for _ in range(3):
            transport.write(b"same")
        transport.loseConnection()
        wire.flush()
        self.assertEqual(len({server.received[at + 2 : at + 6] for at in (0, 10, 20, 30)}), 4)
        reader = FrameReader(True, 100)
        self.assertEqual(reader.feed(server.received), b"samesamesame")
        assert reader.closed is not None
        self.assertEqual(reader.closed.code, CloseCode.NORMAL)


class ReceivingTests(OneEnd):
    """
    What a stream makes of what arrives.
    """

    def test_everySplit(self) -> None:
        """
        However frames are cut, the protocol gets the same octets; also those that came with the request.
        """
        frames = (
            self.frame(Opcode.BINARY, b"one ")
            + self.frame(Opcode.TEXT, b"two ", final=False)
            + self.frame(Opcode.PING, b"!")
            + self.frame(Opcode.CONTINUATION, b"three")
            + self.frame(Opcode.CLOSE, b"\x03\xe8")
        )
        for pieces in everySplit(frames):
            for early in (0, 1):
                recorder = HalfCloseRecorder()
                self.open(recorder, b"".join(pieces[:early]))
                for piece in pieces[early:]:
                    self.say(piece)
                self.assertEqual((recorder.received, recorder.readClosed), (b"one two three", 1))

    def test_bytesOrViews(self) -> None:
        """
        A protocol that wants bytes is given bytes, and one that takes views gets views; also where one
        follows the other.
        """
        given: list[Any] = []

        class Viewer(Recorder):
            """
            Takes views.
            """

            def bufferReceived(self, view: memoryview) -> None:
                """
                Keep a copy.
                """
                given.append((type(view), bytes(view)))

        class Reader(Recorder):
            """
            Takes bytes.
            """

            def dataReceived(self, data: bytes) -> None:
                """
                Keep them.
                """
                given.append((type(data), data))

        first, second = Reader(), Viewer()
        self.open(first, messageSize=1 << 20)
        for size in (3, 300, 70000, 200000):
            del given[:]
            for protocol in (first, second):
                self.stream.wrappedProtocol = protocol
                self.assertIs(self.stream.wrappedProtocol, protocol)
                self.stream.bufferReceived(memoryview(self.frame(Opcode.BINARY, b"x" * size)))
            self.assertEqual(given, [(bytes, b"x" * size), (memoryview, b"x" * size)])

    def test_pings(self) -> None:
        """
        Each Ping is answered, in order and with its payload (section 5.5.3), all in one write.
        """
        self.open(Recorder())
        del self.wire.server.writes[:]
        self.say(
            self.frame(Opcode.PING, b"1") + self.frame(Opcode.PONG, b"x") + self.frame(Opcode.PING, b"2")
        )
        pongs = encodeFrame(Opcode.PONG, b"1") + encodeFrame(Opcode.PONG, b"2")
        self.assertEqual((self.heard(), self.wire.server.writes), (pongs, [pongs]))

    def test_pingsAfterHalfClose(self) -> None:
        """
        A side that has sent its Close answers Pings as long as the peer has not.
        """
        self.open(HalfCloseRecorder())
        self.stream.loseWriteConnection()
        self.heard()
        self.say(self.frame(Opcode.PING, b"?"))
        self.assertEqual(self.heard(), encodeFrame(Opcode.PONG, b"?"))

    def test_pingsWhileClosing(self) -> None:
        """
        A side that closes has no more to say.
        """
        self.open(Recorder())
        self.stream.loseConnection()
        self.heard()
        self.say(self.frame(Opcode.PING, b"?"))
        self.assertEqual(self.heard(), b"")

    def test_pingsUnderPressure(self) -> None:
        """
        A peer that sends Pings and does not read cannot make the stream keep an answer to each: when it reads
        again it gets one, the last (section 5.5.3).
        """
        self.open(Recorder())
        self.wire.client.pauseProducing()
        self.stream.write(b"x" * 200000)
        self.wire.flush()
        for i in range(50):
            self.say(self.frame(Opcode.PING, b"%d" % i) * 2)
        self.wire.client.resumeProducing()
        self.assertEqual(
            self.heard(), encodeFrame(Opcode.BINARY, b"x" * 200000) + encodeFrame(Opcode.PONG, b"49")
        )
        self.say(self.frame(Opcode.PING, b"again"))
        self.assertEqual(self.heard(), encodeFrame(Opcode.PONG, b"again"))

    def test_roomWithoutPing(self) -> None:
        """
        A peer that reads again without having asked anything is sent nothing more.
        """
        self.open(Recorder())
        self.wire.client.pauseProducing()
        self.stream.write(b"x" * 200000)
        self.wire.flush()
        self.wire.client.resumeProducing()
        self.assertEqual(self.heard(), encodeFrame(Opcode.BINARY, b"x" * 200000))

    def test_nothingWhileClosing(self) -> None:
        """
        Who has closed is given no more octets, but waits for the peer's Close.
        """
        recorder = Recorder()
        self.open(recorder)
        self.stream.loseConnection()
        self.say(self.frame(Opcode.BINARY, b"late"))
        self.assertEqual((recorder.received, recorder.lost), (b"", []))
        self.say(self.frame(Opcode.CLOSE))
        self.assertEqual(len(recorder.lost), 1)


class ClosingTests(OneEnd):
    """
    How a stream ends.
    """

    def assertLost(self, recorder: Recorder, reason: type[Exception], words: str = "") -> None:
        """
        A protocol has lost its connection, once.
        """
        self.assertEqual(len(recorder.lost), 1)
        self.assertIsNotNone(recorder.lost[0].check(reason), recorder.lost[0])
        self.assertIn(words, recorder.lost[0].getErrorMessage())

    def test_goingAway(self) -> None:
        """
        A peer that goes away, or closes without a code, is answered at once with what it said, and that is a
        proper end, also for a protocol that knows half-close and still has a producer.
        """
        for payload in (b"", b"\x03\xe9"):
            recorder = HalfCloseRecorder()
            self.open(recorder)
            self.stream.registerProducer(self.stream, True)
            self.say(self.frame(Opcode.BINARY, b"last") + self.frame(Opcode.CLOSE, payload))
            self.assertEqual(self.heard(), encodeFrame(Opcode.CLOSE, payload))
            self.assertEqual((recorder.received, recorder.readClosed), (b"last", 0))
            self.assertLost(recorder, ConnectionDone)
            self.assertFalse(self.wire.server.connected)

    def test_bothHaveClosed(self) -> None:
        """
        When each side has sent its Close there is nothing left to wait for: protocols that ended only their
        own direction lose the connection too, whichever side was first.
        """
        for early in (True, False):
            recorder = HalfCloseRecorder()
            self.open(recorder)
            if early:
                self.stream.loseWriteConnection()
            self.say(self.frame(Opcode.CLOSE, b"\x03\xe8"))
            if not early:
                self.assertEqual((recorder.readClosed, recorder.lost), (1, []))
                self.stream.write(b"my last word")
                self.stream.loseWriteConnection()
            self.assertTrue(self.heard().endswith(encodeClose(1000)))
            self.assertLost(recorder, ConnectionDone)

    def test_goingAwayWhileClosing(self) -> None:
        """
        A close that waits for its producer does not wait for the sake of a peer that goes away.
        """
        recorder = Recorder()
        self.open(recorder)
        self.stream.registerProducer(self.stream, True)
        self.stream.loseConnection()
        self.say(self.frame(Opcode.CLOSE, b"\x03\xe9"))
        self.assertLost(recorder, ConnectionDone)

    def test_complaint(self) -> None:
        """
        A peer that closes with a complaint is answered, and the connection is lost, with what it said.
        """
        recorder = HalfCloseRecorder()
        self.open(recorder)
        self.say(self.frame(Opcode.CLOSE, b"\x03\xf3" + b"too bad\n"))
        self.assertEqual(self.heard(), encodeClose(1011))
        self.assertLost(recorder, ConnectionLost, "1011: 'too bad\\n'")
        self.assertFalse(self.wire.server.connected)

    def test_complaintWithoutReason(self) -> None:
        """
        A complaint may be only a code.
        """
        recorder = Recorder()
        self.open(recorder)
        self.say(self.frame(Opcode.CLOSE, b"\x03\xf1"))
        self.assertLost(recorder, ConnectionLost, "code 1009")

    def test_violation(self) -> None:
        """
        A peer that breaks a rule is told so in a Close frame, and then by the end of the connection; what it
        sent before is delivered, what it sends afterwards is not.
        """
        recorder = HalfCloseRecorder()
        self.open(recorder)
        self.say(self.frame(Opcode.BINARY, b"good") + self.frame(3) + self.frame(Opcode.BINARY, b"bad"))
        self.assertEqual(recorder.received, b"good")
        self.assertLost(recorder, ConnectionLost, "1002")
        reader = FrameReader(False, 1000)
        reader.feed(self.heard())
        assert reader.closed is not None
        self.assertEqual(reader.closed.code, CloseCode.PROTOCOL_ERROR)
        self.assertIn("opcode 3", reader.closed.reason)
        self.assertLost(self.peer, ConnectionDone)
        self.assertEqual(len(recorder.lost), 1)

    def test_violationDeadline(self) -> None:
        """
        Such a peer cannot keep the connection by not closing it.
        """

        class Stubborn(HalfCloseRecorder):
            """
            Never closes.
            """

        self.open(Recorder())
        self.peer = Stubborn()
        self.wire.client.protocol = self.peer
        self.say(self.frame(3))
        self.assertTrue(self.wire.server.connected)
        self.wire.advance(30)
        self.assertFalse(self.wire.server.connected)

    def test_tooBig(self) -> None:
        """
        A message that is longer than was agreed to ends the connection with code 1009, before it has arrived.
        """
        recorder = Recorder()
        self.open(recorder, messageSize=100)
        self.say(self.frame(Opcode.BINARY, b"x" * 100))
        self.assertEqual(recorder.lost, [])
        self.say(self.frame(Opcode.BINARY, b"x" * 101)[:20])
        self.assertLost(recorder, ConnectionLost, "1009")
        self.assertEqual(self.heard()[2:4], b"\x03\xf1")

    def test_failConnection(self) -> None:
        """
        The protocol above may fail the connection, with a code and a reason, also while it has paused it.
        """
        recorder = Recorder()
        self.open(recorder)
        self.stream.write(b"before")
        self.stream.pauseProducing()
        self.stream.failConnection(CloseCode.INTERNAL_ERROR, "no more")
        self.stream.failConnection(CloseCode.NORMAL, "never mind")
        self.stream.write(b"after")
        self.assertEqual(self.heard(), encodeFrame(Opcode.BINARY, b"before") + encodeClose(1011, "no more"))
        self.assertLost(recorder, ConnectionLost, "no more")
        self.assertFalse(self.wire.server.connected)

    def test_violationAfterClose(self) -> None:
        """
        A direction has one Close frame; a fault that is seen after it ends the connection all the same.
        """
        recorder = HalfCloseRecorder()
        self.open(recorder)
        self.stream.loseWriteConnection()
        self.say(self.frame(3))
        self.assertEqual(self.heard(), encodeClose(1000))
        self.assertLost(recorder, ConnectionLost, "1002")

    def test_closeAfterViolation(self) -> None:
        """
        A stream that has failed says so also to what it carries last.
        """
        recorder = Recorder()
        self.open(recorder)
        self.say(self.frame(3))
        self.say(self.frame(Opcode.CLOSE))
        self.assertEqual(len(recorder.lost), 1)

    def test_protocolFaultWhileAnswering(self) -> None:
        """
        A protocol that closes in the midst of what it is given has what it wrote before sent, and the Close.
        """

        class Brief(Recorder):
            """
            Answers once.
            """

            def dataReceived(self, data: bytes) -> None:
                """
                Answer and close.
                """
                assert self.transport is not None
                self.transport.write(b"answer")
                self.transport.loseConnection()

        self.open(Brief())
        self.say(self.frame(Opcode.BINARY, b"question"))
        self.assertEqual(self.heard(), encodeFrame(Opcode.BINARY, b"answer") + encodeClose(1000))


class RelayTests(OneEnd):
    """
    What a relay is told.
    """

    def test_state(self) -> None:
        """
        Whether octets are delivered and sent now, and whether there is a connection at all.
        """
        self.open(HalfCloseRecorder())
        self.assertIs(self.stream.reader, self.stream._reader)
        self.assertIs(self.stream.outflow, self.stream._outflow)

        def state() -> tuple[bool, bool, bool]:
            return self.stream.relaying, self.stream.sending, self.stream.gone

        self.assertEqual(state(), (True, True, False))
        self.stream.pauseProducing()
        self.assertEqual(state(), (False, True, False))
        self.stream.resumeProducing()
        self.stream.loseWriteConnection()
        self.assertEqual(state(), (True, False, False))
        self.stream.loseConnection()
        self.assertEqual(state(), (False, False, False))
        self.stream.abortConnection()
        self.wire.flush()
        self.assertEqual(state(), (False, False, True))


class NameTests(SynchronousTestCase):
    """
    What a stream says that it is.
    """

    def test_logPrefix(self) -> None:
        """
        Twisted's log names the protocol above, and how it came in.
        """
        stream = WebSocketStream(False, Wire().clock)
        self.assertEqual(stream.logPrefix(), "NoneType (WebSocket)")
        stream.wrappedProtocol = Recorder()
        self.assertEqual(stream.logPrefix(), "Recorder (WebSocket)")

    def test_secure(self) -> None:
        """
        A stream over TLS says that it is secure, one over TCP does not.
        """

        @implementer(ISSLTransport)
        class Secure(WireTransport):
            """
            A transport that claims to be TLS.
            """

            def getPeerCertificate(self) -> str:
                """
                The certificate.
                """
                return "a certificate"

        wire = Wire()
        recorder = Recorder()
        acceptor = WebSocketAcceptor(GivenFactory(recorder), wire.clock)
        wire.join(Recorder(), Recorder())
        acceptor.accept(wire.server, wire.server.protocol, b"dGhlIHNhbXBsZSBub25jZQ==", [])
        self.assertFalse(ISSLTransport.providedBy(recorder.transport))
        wire = Wire()
        wire.server.__class__ = Secure
        wire.join(Recorder(), Recorder())
        acceptor.accept(wire.server, wire.server.protocol, b"dGhlIHNhbXBsZSBub25jZQ==", [])
        stream: Any = recorder.transport
        self.assertTrue(verifyObject(ISSLTransport, stream))
        self.assertEqual(stream.getPeerCertificate(), "a certificate")
