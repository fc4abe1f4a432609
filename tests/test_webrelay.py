"""
The short way between a WebSocket and a socket, on transports of Twisted's.
"""

from __future__ import annotations

from random import Random
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.identity import clientConnections, serverConnections
from tests.support.opening import URL, Asked
from tests.support.sockets import SocketWire
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.wire.frames import Opcode, encodeFrame
from xtls.wire.outflow import Outflow
from xtls.wire.records import PublicRecords
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.webrelay import pourFrames, pourFramesNoMore
from xtls.wire.websocket import WebSocketAcceptor, WebSocketConnector


@implementer(IHalfCloseableProtocol)
class Leg(Protocol):
    """
    One end of a relay, which counts what goes the long way.
    """

    transport: Any
    outflow: Any = None

    def __init__(self) -> None:
        self.long = self.ended = 0

    def readConnectionLost(self) -> None:
        """
        The peer has ended.
        """
        self.ended += 1

    def writeConnectionLost(self) -> None:
        """
        So have we.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Pass octets on.
        """
        self.long += 1
        self.outflow.write(data)


class RelayTests(SynchronousTestCase):
    """
    A relay from a WebSocket to a socket and back.
    """

    secure = False

    def setUp(self) -> None:
        self.front, self.back = SocketWire(), SocketWire()
        self.client, self.server = HalfCloseRecorder(), HalfCloseRecorder()
        self.legs = Leg(), Leg()
        self.streamIsClient = False

    def relay(self) -> None:
        """
        Connect everything: client, stream, relay, socket, server.
        """
        given: Any = (GivenFactory(self.client), GivenFactory(self.legs[0]))
        if self.streamIsClient:
            given = given[::-1]
        clock = self.front.clock
        ends: tuple[IProtocolFactory, ...] = (
            WebSocketConnector(URL, given[0], clock),
            GivenFactory(Asked(WebSocketAcceptor(given[1], clock))),
        )
        if self.secure:
            creators = clientConnections(), serverConnections(self)
            ends = tuple(
                TLSTransportFactory(creator, isClient, each, clock)
                for creator, isClient, each in zip(creators, (True, False), ends, strict=True)
            )
        built = [each.buildProtocol(self.front.server.getHost()) for each in ends]
        self.front.join(*built)  # type: ignore[arg-type]
        self.back.join(self.legs[1], self.server)
        self.flush()
        self.stream, self.socket = (leg.transport for leg in self.legs)
        self.prepare()
        for leg, other in (self.legs, self.legs[::-1]):
            source, target = leg.transport, other.transport
            leg.outflow = Outflow(target, source.pauseProducing, source.resumeProducing)
        self.poured = [
            pourFrames(leg.transport, other.transport, leg.outflow)
            for leg, other in (self.legs, self.legs[::-1])
        ]

    def prepare(self) -> None:
        """
        Change something before the relay begins.
        """

    def flush(self) -> None:
        """
        Let everything come to rest.
        """
        while self.front.step() | self.back.step():
            pass

    def long(self) -> tuple[int, ...]:
        """
        How many deliveries went the long way.
        """
        return tuple(leg.long for leg in self.legs)

    def test_bothWays(self) -> None:
        """
        Octets arrive, however many and in whatever messages, whether the stream is a server's or a client's;
        and none by the long way.
        """
        random = Random(70)
        for isClient in (False, True):
            self.setUp()
            self.streamIsClient = isClient
            self.relay()
            self.assertEqual(self.poured, [True, True])
            sent = [b"", b""]
            for size in (1, 64, 126, 5000, 16000):
                for at, end in enumerate((self.client, self.server)):
                    data = random.randbytes(size)
                    transport: Any = end.transport
                    transport.write(data)
                    sent[at] += data
                self.flush()
            self.assertTrue([self.server.received, self.client.received] == sent)
            self.assertEqual(self.long(), (0, 0))

    def test_much(self) -> None:
        """
        More than fits anywhere arrives too, when those who read do, and nothing is lost while one does not.
        """
        self.relay()
        random = Random(71)
        data = random.randbytes(1_500_000)
        for source, target, end in (
            (self.client, self.server, self.back.server),
            (self.server, self.client, self.front.client),
        ):
            end.stopReading()
            transport: Any = source.transport
            transport.write(data)
            self.flush()
            self.assertTrue(target.received != data)
            end.startReading()
            self.flush()
            self.assertTrue(target.received == data)

    def test_pingsAndEnds(self) -> None:
        """
        A Ping is answered, and the peer's end is passed on, behind the last octet.
        """
        self.relay()
        below: Any = self.client.transport
        written: list[bytes] = []
        write = self.stream._outflow.write

        class Watched:
            """
            Notes what the stream sends.
            """

            paused = False

            def write(self, data: bytes) -> None:
                """
                Pass it on.
                """
                written.append(bytes(data))
                write(data)

        self.stream._outflow = Watched()
        below._frames = [encodeFrame(Opcode.PING, b"?", b"abcd")]
        below._flush()
        self.flush()
        below.write(b"last")
        self.flush()
        below.loseWriteConnection()
        self.flush()
        self.assertEqual(written, [encodeFrame(Opcode.PONG, b"?")])
        self.assertEqual((self.server.received, self.stream.reader.closed is None), (b"last", False))
        self.assertEqual(self.legs[0].ended, 1)

    def test_noMore(self) -> None:
        """
        The protocol is given octets again when that is asked for; where the connection is gone, nothing
        happens.
        """
        self.relay()
        pourFramesNoMore(self.stream)
        transport: Any = self.client.transport
        transport.write(b"long")
        self.flush()
        self.assertEqual((self.server.received, self.long()), (b"long", (1, 0)))
        self.front.cut()
        self.assertTrue(self.stream.gone)
        pourFramesNoMore(self.stream)

    def test_closing(self) -> None:
        """
        A stream that is closing is given nothing more, and sends nothing more; so is one that has paused.
        """
        for asked in ("loseConnection", "pauseProducing"):
            self.setUp()
            self.relay()
            getattr(self.stream, asked)()
            doRead = self.socketBelow().doRead
            self.socketBelow().fake.unread += self.wouldSend(b"late")
            self.assertIsNone(doRead())
            self.assertEqual(self.server.received, b"")
        self.setUp()
        self.relay()
        self.legs[1].outflow.close()
        self.stream.loseWriteConnection()
        sender: Any = self.server.transport
        sender.write(b"late")
        self.flush()
        self.assertEqual((self.client.received, self.client.readClosed), (b"", 1))

    def socketBelow(self) -> Any:
        """
        The socket that the stream is on.
        """
        return self.stream.transport.transport if self.secure else self.stream.transport

    def wouldSend(self, data: bytes) -> bytes:
        """
        What comes over the wire when the client writes.
        """
        skt: Any = self.front.server.fake
        before = len(skt.unread)
        transport: Any = self.client.transport
        transport.write(data)
        sent = bytes(skt.unread[before:])
        del skt.unread[before:]
        return sent

    def test_read(self) -> None:
        """
        Reads end as those of Twisted's own transports do.
        """
        self.relay()
        for end in (self.socketBelow(), self.socket):
            arrived: list[Any] = [b"", OSError(), BlockingIOError()]

            def receiveInto(view: memoryview, arrived: list[Any] = arrived) -> int:
                if isinstance(arrived[0], OSError):
                    raise arrived.pop(0)
                return len(arrived.pop(0))

            end.fake.recv_into = receiveInto
            pourFrames(self.stream, self.socket, self.legs[0].outflow)
            pourFrames(self.socket, self.stream, self.legs[1].outflow)
            self.assertEqual([end.doRead() for _ in range(3)], [CONNECTION_DONE, CONNECTION_LOST, None])


class SecureRelayTests(RelayTests):
    """
    The same inside TLS.
    """

    secure = True

    def test_failure(self) -> None:
        """
        Where OpenSSL cannot go on, the stream is lost.
        """
        self.relay()
        tls = self.stream.transport

        class Broken(type(tls.records)):  # type: ignore[misc]
            """
            Cannot write.
            """

            __slots__ = ()

            def write(self, data: object) -> None:
                """
                Fail.
                """
                raise SSL.Error([("", "", "broken")])

        tls._engine.records.__class__ = Broken
        pourFrames(self.socket, self.stream, self.legs[1].outflow)
        sender: Any = self.server.transport
        sender.write(b"x")
        self.flush()
        self.assertTrue(self.stream.gone or self.stream.disconnecting)

    def test_longRead(self) -> None:
        """
        As much as is read at a time goes out in one message.
        """
        self.relay()
        data = bytes(1 << 18)
        self.socket.fake.recv_into = lambda view: len(data)
        written: list[int] = []

        def send(sent: memoryview) -> int:
            written.append(len(sent))
            return len(sent)

        self.stream.transport._outflow._socket.send = send
        pourFrames(self.socket, self.stream, self.legs[1].outflow)
        self.assertIsNone(self.socket.doRead())
        self.assertGreater(sum(written), len(data))


class LongWayTests(SynchronousTestCase):
    """
    Where there is no short way.
    """

    def test_otherTransports(self) -> None:
        """
        On transports that are no sockets, between two streams, and without a stream, there is none.
        """
        wire, recorder, server = Wire(), Recorder(), Recorder()
        acceptor = WebSocketAcceptor(GivenFactory(server), wire.clock)
        connector = WebSocketConnector(URL, GivenFactory(recorder), wire.clock)
        wire.join(connector.buildProtocol(None), Asked(acceptor))
        wire.flush()
        nothing: Any = None
        back = SocketWire()
        back.join(Recorder(), Recorder())
        for source, target in (
            (server.transport, back.client),
            (back.client, server.transport),
            (server.transport, recorder.transport),
            (wire.client, wire.server),
            (back.client, back.server),
        ):
            self.assertFalse(pourFrames(source, target, nothing))

    def test_publicCalls(self) -> None:
        """
        A stream in TLS that is called by public methods goes the long way.
        """
        relay = SecureRelayTests("test_bothWays")

        def prepare() -> None:
            tls = relay.stream.transport
            tls._engine.records = PublicRecords(tls.getHandle())

        relay.prepare = prepare  # type: ignore[method-assign]
        relay.setUp()
        relay.relay()
        self.assertEqual(relay.poured, [False, False])
