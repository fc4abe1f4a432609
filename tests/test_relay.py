"""
The short way from one connection to another, on transports of Twisted's.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.identity import clientConnections, serverConnections
from tests.support.opening import URL, Asked
from tests.support.polled import PolledReactor, loopback, unixPair
from tests.support.sockets import SocketWire
from tests.support.wires import READ_SIZE, GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.errors import HandshakeError
from xtls.wire import splicing
from xtls.wire.inflow import READ_SIZE as LONGEST_READ
from xtls.wire.inflow import endInLoss
from xtls.wire.outflow import Outflow
from xtls.wire.records import BUFFER_SIZE, PublicRecords
from xtls.wire.relay import pour, pourNoMore
from xtls.wire.sockets import StreamSocket
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.websocket import WebSocketAcceptor, WebSocketConnector

_OPENSSL: Any = SSL
_LIB, _NULL = _OPENSSL._lib, _OPENSSL._ffi.NULL


@implementer(IHalfCloseableProtocol)
class Leg(Protocol):
    """
    One end of a relay, which counts what goes the long way, and passes ends on.
    """

    transport: Any
    other: Leg
    outflow: Any = None

    def __init__(self) -> None:
        self.long = self.ended = 0

    def dataReceived(self, data: bytes) -> None:
        """
        Pass octets on.
        """
        self.long += 1
        self.outflow.write(data)

    def readConnectionLost(self) -> None:
        """
        The peer has ended.
        """
        self.ended += 1
        self.outflow.whenDrained(self.other.transport.loseWriteConnection)

    def writeConnectionLost(self) -> None:
        """
        So have we.
        """


class Relay:
    """
    A client in TLS or not, a relay, and a server in TLS or not.

    @ivar legs: the relay's two ends.
    @ivar ends: the two who speak.
    @ivar poured: what L{pour} has said, for each direction.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        secure: tuple[bool, bool],
        *,
        short: bool = True,
        cuts: tuple[int, ...] = (READ_SIZE,),
        records: type | None = None,
    ) -> None:
        """
        @param secure: which of the two connections is TLS.
        @param short: whether the short way is taken.
        """
        self.wires = SocketWire(cuts), SocketWire(cuts)
        self.ends = HalfCloseRecorder(), HalfCloseRecorder()
        self.legs = Leg(), Leg()
        self.legs[0].other, self.legs[1].other = self.legs[1], self.legs[0]
        for end, leg, wire, tls in zip(self.ends, self.legs, self.wires, secure, strict=True):
            protocols: list[IProtocol] = [end, leg]
            if tls:
                protocols = [
                    _tls(creator, isClient, protocol, wire.clock, records)
                    for creator, isClient, protocol in (
                        (clientConnections(), True, end),
                        (serverConnections(test), False, leg),
                    )
                ]
            wire.join(*protocols)
            wire.flush()
        for leg in self.legs:
            source, target = leg.transport, leg.other.transport
            leg.outflow = Outflow(target, source.pauseProducing, source.resumeProducing)
        self.poured = [short and self.pour(at) for at in (0, 1)]

    def pour(self, at: int) -> bool:
        """
        Take the short way, from one of the two ends.
        """
        leg = self.legs[at]
        return pour(leg.transport, leg.other.transport, leg.outflow)

    def flush(self) -> None:
        """
        Let everything come to rest.
        """
        while self.wires[0].step() | self.wires[1].step():
            pass

    def send(self, at: int, data: bytes) -> None:
        """
        One of the two speaks, and the relay has not read it yet.
        """
        transport: Any = self.ends[at].transport
        transport.write(data)
        below = self.wires[at].client
        if below in self.wires[at].reactor.writers:
            below.doWrite()

    def say(self, at: int, data: bytes) -> None:
        """
        One of the two speaks, and is heard.
        """
        self.send(at, data)
        self.flush()

    def below(self, at: int) -> Any:
        """
        The relay's socket to one of the two.
        """
        return self.wires[at].server

    @property
    def heard(self) -> list[tuple[bytes, int]]:
        """
        What each of the two has heard, and how often it was told of the end.
        """
        return [(end.received, end.readClosed) for end in self.ends]

    @property
    def long(self) -> tuple[int, int]:
        """
        How many deliveries went the long way.
        """
        return self.legs[0].long, self.legs[1].long


def _tls(creator: Any, isClient: bool, protocol: Protocol, clock: Any, records: type | None) -> IProtocol:
    """
    TLS around a protocol.
    """
    factory = TLSTransportFactory(creator, isClient, GivenFactory(protocol), clock)
    factory.records = records
    return factory.buildProtocol(None)


#: Where the short way leads.
_WAYS = ((False, False), (True, False), (False, True))


class ShortWayTests(SynchronousTestCase):
    """
    L{pour} where there is a short way.
    """

    def test_interface(self) -> None:
        """
        The tests' own relay is a protocol that knows half-close.
        """
        verifyObject(IHalfCloseableProtocol, Leg())

    def test_bothWays(self) -> None:
        """
        Octets arrive, in order, and none by the long way.
        """
        for secure in _WAYS:
            relay = Relay(self, secure)
            self.assertEqual(relay.poured, [True, True])
            for number in range(3):
                relay.say(0, b"to %d " % number)
                relay.say(1, b"fro %d " % number)
            self.assertEqual(relay.heard, [(b"fro 0 fro 1 fro 2 ", 0), (b"to 0 to 1 to 2 ", 0)])
            self.assertEqual(relay.long, (0, 0))

    def test_compared(self) -> None:
        """
        Whatever happens, in whatever pieces, both ways deliver the same: short sends, pauses, parts of
        records and many of them, ends behind data.
        """
        for seed in range(24):
            for secure in _WAYS:
                heard = [self.happen(Random(seed), secure, short) for short in (True, False)]
                self.assertEqual([len(each[0]) for each in heard[0]], [len(each[0]) for each in heard[1]])
                self.assertTrue(heard[0] == heard[1], (seed, secure))

    def happen(self, random: Random, secure: tuple[bool, bool], short: bool) -> list[tuple[bytes, int]]:
        """
        Have things happen to a relay.

        @return: what each of the two has heard.
        """
        cuts = tuple(random.choice((7, 500, 5000, 70000)) for _ in range(5))
        relay = Relay(self, secure, short=short, cuts=cuts)
        sent = [b"", b""]
        for _ in range(12):
            at = random.randrange(2)
            transport: Any = relay.ends[at].transport
            what = random.randrange(4)
            if what == 0:
                transport.pauseProducing()
            elif what == 1:
                transport.resumeProducing()
            else:
                data = random.randbytes(random.choice((1, 300, 20_000, 300_000)))
                sent[at] += data
                transport.write(data)
            for _ in range(random.randrange(4)):
                relay.wires[random.randrange(2)].step()
        for end in relay.ends:
            transport = end.transport
            transport.resumeProducing()
            transport.loseWriteConnection()
        relay.flush()
        self.assertTrue([end.received for end in relay.ends] == sent[::-1])
        self.assertEqual([leg.ended for leg in relay.legs], [1, 1])
        return relay.heard

    def test_pressure(self) -> None:
        """
        While one side does not read, the other is paused, and what is held is bounded.
        """
        data = Random(3).randbytes(1_500_000)
        for secure in _WAYS:
            for at in (0, 1):
                relay = Relay(self, secure)
                other: Any = relay.ends[1 - at].transport
                other.pauseProducing()
                relay.say(at, data)
                self.assertTrue(relay.legs[at].outflow.paused)
                self.assertNotIn(relay.below(at), relay.wires[at].reactor.readers)
                self.assertLess(relay.legs[at].outflow.pending, 2 * LONGEST_READ)
                other.resumeProducing()
                relay.flush()
                self.assertTrue(relay.heard[1 - at][0] == data)

    def test_readWhilePaused(self) -> None:
        """
        A reactor may call once more after a pause; what is read then is delivered in its turn.
        """
        for secure in _WAYS:
            for at in (0, 1):
                relay = Relay(self, secure)
                source = relay.legs[at].transport
                relay.legs[at].outflow.pauseProducing()
                relay.send(at, b"late")
                self.assertIsNone(relay.below(at).doRead())
                relay.legs[at].outflow.resumeProducing()
                source.resumeProducing()
                relay.flush()
                self.assertEqual(relay.heard[1 - at], (b"late", 0))

    def test_severalRecords(self) -> None:
        """
        Many records in one read arrive together, behind whatever came before; so does one that is cut.
        """
        relay = Relay(self, (True, False))
        speaker: Any = relay.ends[0].transport
        for piece in (b"one ", b"two ", b"three "):
            speaker.write(piece)
        unread = relay.below(0).fake.unread
        held = bytes(unread[-3:])
        del unread[-3:]
        relay.flush()
        self.assertEqual(relay.heard[1], (b"one two ", 0))
        unread += held
        relay.flush()
        self.assertEqual(relay.heard[1], (b"one two three ", 0))

    def test_endBehindData(self) -> None:
        """
        An end in the same read as octets is passed on behind these; what comes after it is dropped, and not
        kept by OpenSSL either.
        """
        relay = Relay(self, (True, False))
        speaker: Any = relay.ends[0].transport
        speaker.write(b"last")
        speaker.loseWriteConnection()
        self.assertGreater(len(relay.below(0).fake.unread), len(b"last"))
        relay.flush()
        self.assertEqual(relay.heard, [(b"", 0), (b"last", 1)])
        relay.below(0).fake.unread += b"x" * 10000
        self.assertIsNone(relay.below(0).doRead())
        self.assertEqual(_LIB.BIO_get_mem_data(relay.legs[0].transport.records._into, _NULL), 0)
        relay.say(1, b"answer")
        self.assertEqual(relay.heard[0], (b"answer", 0))

    def test_answers(self) -> None:
        """
        What OpenSSL has to say by itself goes out with the next octets, in either direction.
        """
        relay = Relay(self, (True, False))
        records: Any = relay.legs[0].transport.records
        for at in (0, 1):
            _LIB.BIO_write(records._from, b"answer", 6)
            sent = len(relay.below(0).fake.sent)
            relay.send(at, b"octets")
            self.assertIsNone(relay.below(at).doRead())
            self.assertEqual(b"".join(relay.below(0).fake.sent[sent:])[:6], b"answer")
        relay.wires[1].flush()
        self.assertEqual(relay.heard[1], (b"octets", 0))

    def test_tampered(self) -> None:
        """
        Records that were changed on their way lose the connection; what came before is delivered.
        """
        relay = Relay(self, (True, False))
        speaker: Any = relay.ends[0].transport
        speaker.write(b"good")
        speaker.write(b"bad")
        relay.below(0).fake.unread[-1] ^= 1
        relay.flush()
        self.assertEqual(relay.heard[1][0], b"good")
        self.assertTrue(relay.legs[0].transport.disconnecting)
        self.assertEqual([lost.type for lost in relay.ends[0].lost], [HandshakeError])

    def test_sendFails(self) -> None:
        """
        Where OpenSSL cannot send, the connection is lost, in a turn of its own; and nothing is sent after
        that.
        """
        relay = Relay(self, (True, False))
        tls = relay.legs[0].transport
        tls.getHandle().shutdown()
        for _ in range(2):
            relay.send(1, b"x")
            self.assertIsNone(relay.below(1).doRead())
        self.assertFalse(tls.disconnecting or tls.sending)
        relay.flush()
        self.assertTrue(tls.disconnecting)
        self.assertEqual(relay.heard[0][0], b"")

    def test_closing(self) -> None:
        """
        What is closing is given nothing, and sends nothing.
        """
        relay = Relay(self, (True, False))
        tls = relay.legs[0].transport
        relay.legs[1].outflow.close()
        tls.loseWriteConnection()
        relay.say(1, b"too late")
        self.assertEqual(relay.heard[0], (b"", 1))
        relay.say(0, b"still")
        self.assertEqual(relay.heard[1], (b"still", 0))
        tls.loseConnection()
        relay.say(0, b"too late")
        self.assertEqual(relay.heard[1], (b"still", 0))

    def test_longRead(self) -> None:
        """
        As much as is read at a time goes out in that turn, with all that TLS adds.
        """
        relay = Relay(self, (False, True))
        relay.below(0).fake.recv_into = len
        sent: list[int] = []

        def send(octets: memoryview) -> int:
            sent.append(len(octets))
            return len(octets)

        tls = relay.legs[1].transport
        tls.outflow._socket.send = send
        relay.pour(0)
        self.assertIsNone(relay.below(0).doRead())
        self.assertGreater(sum(sent), BUFFER_SIZE)
        self.assertEqual(len(tls.records.drain()), 0)

    def test_reads(self) -> None:
        """
        Reads end as those of Twisted's own transports do.
        """
        for secure in _WAYS:
            for at in (0, 1):
                relay = Relay(self, secure)
                arrived: list[Any] = [b"", OSError(), BlockingIOError()]

                def receiveInto(view: memoryview, arrived: list[Any] = arrived) -> int:
                    if isinstance(arrived[0], OSError):
                        raise arrived.pop(0)
                    return len(arrived.pop(0))

                below = relay.below(at)
                below.fake.recv_into = receiveInto
                relay.pour(at)
                self.assertEqual([below.doRead() for _ in range(3)], [CONNECTION_DONE, CONNECTION_LOST, None])

    def test_noMore(self) -> None:
        """
        The protocol is given octets again when that is asked for.
        """
        for secure in _WAYS:
            relay = Relay(self, secure)
            for at, leg in enumerate(relay.legs):
                relay.say(at, b"short ")
                pourNoMore(leg.transport)
                relay.say(at, b"long")
                self.assertEqual(relay.heard[1 - at][0], b"short long")
            self.assertEqual(relay.long, (1, 1))

    def test_noMoreOfWhatIsGone(self) -> None:
        """
        Where a connection is gone, nothing is left to undo.
        """
        for secure in _WAYS:
            relay = Relay(self, secure)
            for wire, leg in zip(relay.wires, relay.legs, strict=True):
                wire.cut()
                pourNoMore(leg.transport)
            for at in (0, 1):
                self.assertNotIn("doRead", vars(relay.below(at)))


class LongWayTests(SynchronousTestCase):
    """
    Where there is no short way.
    """

    def test_twice(self) -> None:
        """
        From TLS to TLS octets go the ordinary way.
        """
        relay = Relay(self, (True, True))
        self.assertEqual(relay.poured, [False, False])
        relay.say(0, b"to")
        relay.say(1, b"fro")
        self.assertEqual(relay.heard, [(b"fro", 0), (b"to", 0)])
        self.assertEqual(relay.long, (1, 1))

    def test_publicCalls(self) -> None:
        """
        So they do where OpenSSL is called by public methods.
        """
        for secure in ((True, False), (False, True)):
            relay = Relay(self, secure, records=PublicRecords)
            self.assertEqual(relay.poured, [False, False])
            relay.say(0, b"to")
            self.assertEqual((relay.heard[1], relay.long), ((b"to", 0), (1, 0)))

    def test_endsInLoss(self) -> None:
        """
        What is read from a connection that is known to be lost goes the ordinary way, where its end is told
        as what it is.
        """
        for secure in _WAYS:
            for at in (0, 1):
                relay = Relay(self, secure)
                pourNoMore(relay.legs[at].transport)
                endInLoss(relay.below(at))
                self.assertFalse(relay.pour(at))
                relay.say(at, b"rest")
                self.assertEqual((relay.heard[1 - at][0], relay.long[at]), (b"rest", 1))
                relay.wires[at].client.fake.close()
                self.assertIs(relay.below(at).doRead(), CONNECTION_LOST)

    def test_otherTransports(self) -> None:
        """
        On transports that are no sockets there is no short way, neither from there nor to there.
        """
        wire, sockets = Wire(), SocketWire()
        for each in (wire, sockets):
            each.join(Recorder(), Recorder())
        nothing: Any = None
        for source, target in (
            (wire.client, sockets.client),
            (sockets.client, wire.client),
            (wire.client, wire.server),
        ):
            self.assertFalse(pour(source, target, nothing))
        secure = Recorder()
        ends = [
            _tls(clientConnections(), True, Recorder(), wire.clock, None),
            _tls(serverConnections(self), False, secure, wire.clock, None),
        ]
        wire = Wire()
        wire.join(*ends)
        wire.flush()
        self.assertFalse(pour(secure.transport, sockets.client, nothing))
        self.assertFalse(pour(sockets.client, secure.transport, nothing))
        pourNoMore(secure.transport)


class WebSocketTests(SynchronousTestCase):
    """
    Between a WebSocket and a socket the way is another module's.
    """

    def test_webSocket(self) -> None:
        """
        There is one, and it is undone as the others are.
        """
        front, back = SocketWire(), SocketWire()
        client, leg, server = Recorder(), Leg(), Recorder()
        acceptor = WebSocketAcceptor(GivenFactory(leg), front.clock)
        connector = WebSocketConnector(URL, GivenFactory(client), front.clock)
        front.join(connector.buildProtocol(None), Asked(acceptor))
        front.flush()
        back.join(Recorder(), server)
        leg.outflow = Outflow(back.client, leg.transport.pauseProducing, leg.transport.resumeProducing)
        self.assertTrue(pour(leg.transport, back.client, leg.outflow))
        stream: Any = client.transport
        for text in (b"short ", b"long"):
            stream.write(text)
            front.flush()
            back.flush()
            pourNoMore(leg.transport)
        self.assertEqual((server.received, leg.long), (b"short long", 1))


class SplicingTests(SynchronousTestCase):
    """
    Much between two sockets is moved by the system.
    """

    if not splicing.available:
        skip = "this system cannot splice"

    def setUp(self) -> None:
        self.start(unixPair)

    def start(self, pair: Callable[[], tuple[socket.socket, socket.socket]]) -> None:
        """
        Relay between two sockets.

        @param pair: makes the backend's.
        """
        self.reactor = PolledReactor()
        self.leg, self.other = Leg(), Leg()
        self.leg.other, self.other.other = self.other, self.leg
        self.client, self.backend = self.connect(self.leg, unixPair), self.connect(self.other, pair)
        for leg in (self.leg, self.other):
            source = leg.transport
            leg.outflow = Outflow(leg.other.transport, source.pauseProducing, source.resumeProducing)
            self.assertTrue(pour(source, leg.other.transport, leg.outflow))
        self.moves: list[int] = []
        move = splicing.move

        def counted(source: int, target: int) -> tuple[int, bytes, OSError | None]:
            moved = move(source, target)
            self.moves.append(moved[0])
            return moved

        self.patch(splicing, "move", counted)

    def connect(self, leg: Leg, pair: Callable[[], tuple[socket.socket, socket.socket]]) -> socket.socket:
        """
        A socket whose other end is a leg's.
        """
        end, own = pair()
        self.addCleanup(end.close)
        self.addCleanup(own.close)
        for each in (end, own):
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        transport = StreamSocket(own, "", self.reactor, leg)
        transport.sendsAtOnce = True
        transport.startReading()
        leg.makeConnection(transport)
        return end

    def receive(self) -> bytes:
        """
        What is at the backend.
        """
        received = b""
        try:
            while data := self.backend.recv(1 << 20):
                received += data
        except BlockingIOError:
            pass
        return received

    def fill(self) -> None:
        """
        Have so much come that it is moved from now on.
        """
        self.client.send(bytes(150_000))
        self.reactor.rest()
        self.assertEqual(self.receive(), bytes(150_000))
        self.assertEqual(self.moves, [])

    def test_endsInLoss(self) -> None:
        """
        Where the end of what is read is known to be a loss, octets are copied, so that it is told as one.
        """
        endInLoss(self.leg.transport)
        self.fill()
        self.client.send(bytes(150_000))
        self.reactor.rest()
        self.assertEqual(self.receive(), bytes(150_000))
        self.assertEqual(self.moves, [])
        self.assertFalse(pour(self.leg.transport, self.other.transport, self.leg.outflow))

    def test_all(self) -> None:
        """
        Every octet arrives, in order; a backend that does not read for a while loses none.
        """
        sent, received = Random(71).randbytes(3_000_000), b""
        left = memoryview(sent)
        while left or len(received) < len(sent):
            try:
                left = left[self.client.send(left[:200_000]) :]
            except BlockingIOError:
                pass
            self.reactor.rest()
            if not left or len(received) % 3:
                received += self.receive()
            else:
                received += self.backend.recv(50_001)
        self.assertEqual(received, sent)
        self.assertTrue(self.moves)

    def test_little(self) -> None:
        """
        When little comes again, it is copied again.
        """
        self.fill()
        for _ in range(3):
            self.client.send(b"little")
            self.reactor.rest()
            self.assertEqual(self.receive(), b"little")
        self.assertEqual(self.moves, [6])

    def test_ends(self) -> None:
        """
        The end comes behind the last octet.
        """
        self.fill()
        self.client.send(b"last")
        self.client.shutdown(socket.SHUT_WR)
        self.reactor.rest()
        self.assertEqual((self.receive(), self.leg.ended), (b"last", 1))

    def test_endsAtOnce(self) -> None:
        """
        So it does where nothing was left.
        """
        self.fill()
        self.client.shutdown(socket.SHUT_WR)
        self.reactor.rest()
        self.assertEqual((self.moves, self.leg.ended), ([0], 1))

    def test_nothing(self) -> None:
        """
        A read for nothing is nothing; and one that is called while the target takes no more is kept in order.
        """
        self.fill()
        read = self.leg.transport.doRead
        self.assertIs(read(), None)
        self.other.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.client.send(bytes(100_000))
        self.assertIs(read(), None)
        self.assertTrue(self.leg.outflow.paused)
        self.client.send(b"more")
        self.assertIs(read(), None)
        received = self.receive()
        for _ in range(5):
            self.reactor.rest()
            received += self.receive()
        self.assertEqual(received, bytes(100_000) + b"more")

    def test_lost(self) -> None:
        """
        A source that is lost is lost; one that the system cannot move from is copied from.
        """
        self.fill()
        read = self.leg.transport.doRead

        def fails(code: int) -> None:
            def move(source: int, target: int) -> tuple[int, bytes]:
                raise OSError(code, "no")

            self.patch(splicing, "move", move)

        fails(errno.ECONNRESET)
        self.assertIs(read(), CONNECTION_LOST)
        fails(errno.EINVAL)
        self.client.send(b"copied")
        self.assertIs(read(), None)
        self.assertEqual(self.receive(), b"copied")

    def test_reset(self) -> None:
        """
        A backend that has reset its connection is lost, and has not ended in order: although that is told
        once, and to whoever moves octets to it.
        """
        self.start(loopback)
        self.client.send(bytes(150_000))
        received = 0
        while received < 150_000:
            self.reactor.rest()
            received += len(self.receive())
        self.backend.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.backend.close()
        self.client.send(b"for nobody")
        self.assertIsNone(self.leg.transport.doRead())
        self.assertTrue(self.moves)
        self.assertIs(self.other.transport.doRead(), CONNECTION_LOST)
