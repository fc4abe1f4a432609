"""
Connections in memory, for tests: no sockets, no waiting, and every way of cutting a stream into segments.

A L{Wire} joins two transports that behave as Twisted's TCP transports do: C{write} only accepts octets, they
move when the test says L{flush <Wire.flush>}; a transport reads only while it is not paused; producers are
paused when too much is kept; there is half-close, abort, and loss without a close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from typing import Final, cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

#: What one turn of Twisted's reactor reads from a socket, in octets.
READ_SIZE: Final = 65536

#: How much a transport keeps before it pauses a producer, and how much is on its way, in octets.
BUFFER_SIZE: Final = 65536

_log = Logger()


def everySplit(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """
    The ways in which a stream may arrive: whole, in two pieces cut at every place, and octet by octet.
    """
    yield (data,)
    for cut in range(1, len(data)):
        yield data[:cut], data[cut:]
    if len(data) > 2:
        yield tuple(data[i : i + 1] for i in range(len(data)))


class Recorder(Protocol):
    """
    A protocol that remembers what it was told.

    @ivar made: how often C{connectionMade} was called.
    @ivar chunks: what C{dataReceived} was called with.
    @ivar lost: the reasons that C{connectionLost} was called with.
    @ivar greeting: what to write as soon as there is a connection.
    """

    def __init__(self, greeting: bytes = b"") -> None:
        self.made = 0
        self.chunks: list[bytes] = []
        self.lost: list[Failure] = []
        self.greeting = greeting

    @property
    def received(self) -> bytes:
        """
        Everything that has arrived.
        """
        return b"".join(self.chunks)

    def connectionMade(self) -> None:
        """
        Count, and greet.
        """
        self.made += 1
        if self.greeting:
            assert self.transport is not None
            self.transport.write(self.greeting)

    def dataReceived(self, data: bytes) -> None:
        """
        Remember octets.
        """
        self.chunks.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember the reason.
        """
        self.lost.append(reason)


@implementer(IHalfCloseableProtocol)
class HalfCloseRecorder(Recorder):
    """
    The same, when each direction may end for itself.

    @ivar readClosed: how often the peer has ended its direction.
    @ivar writeClosed: how often it was said that ours has ended.
    """

    def __init__(self, greeting: bytes = b"") -> None:
        super().__init__(greeting)
        self.readClosed = 0
        self.writeClosed = 0

    def readConnectionLost(self) -> None:
        """
        The peer sends no more.
        """
        self.readClosed += 1

    def writeConnectionLost(self) -> None:
        """
        We can send no more.
        """
        self.writeClosed += 1


class GivenFactory(Factory):
    """
    Builds one protocol that exists already, so that a test can watch it.

    @ivar built: how often it was asked for.
    """

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self.given = protocol
        self.built = 0

    def buildProtocol(self, addr: object) -> Protocol:
        """
        The protocol.
        """
        self.built += 1
        self.given.factory = self
        return self.given


@implementer(ITCPTransport, IConsumer, IPushProducer)
class WireTransport:
    """
    One end of a L{Wire}.

    @ivar protocol: who is called; may be replaced, as on a socket of Twisted's.
    @ivar writes: what C{write} was called with.
    @ivar reading: whether octets are read, that is whether it is not paused.
    @ivar noDelay: whether TCP_NODELAY was asked for.
    """

    protocol: IProtocol
    peer: WireTransport

    def __init__(self, clock: Clock, host: IPv4Address, peer: IPv4Address) -> None:
        self._clock = clock
        self._addresses = (host, peer)
        self.writes: list[bytes] = []
        self.connected = False
        self.disconnecting = False
        self.reading = True
        self.noDelay = False
        self.producer: IProducer | None = None
        self._streaming = False
        self._producerPaused = False
        self._kept = bytearray()
        self._flying = bytearray()
        self._closingWrite = False
        self._ended = False  # our direction: its end is on its way
        self._aborted = False
        self._sawEnd = False
        self._reset = False  # the peer has aborted, or is gone and was written to

    # ITransport, ITCPTransport

    def write(self, data: bytes) -> None:
        """
        Accept octets.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if not self.connected or self._closingWrite or not data:
            return
        self.writes.append(data)
        self._kept += data
        if self.producer is not None and self._streaming and len(self._kept) > BUFFER_SIZE:
            self._producerPaused = True
            cast(IPushProducer, self.producer).pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """
        Accept octets.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        Close, after what was written, and what a producer still has, has gone.
        """
        if self.connected and not self.disconnecting:
            self.reading = False
            self.disconnecting = True
            if self._ended:
                self._clock.callLater(0, self.lose, Failure(ConnectionDone()))

    def loseWriteConnection(self) -> None:
        """
        End our direction, after what was written has gone.
        """
        self._closingWrite = True

    def abortConnection(self) -> None:
        """
        Close at once.
        """
        if self.connected:
            self._aborted = self.disconnecting = True
            self.reading = False
            self._kept.clear()
            self._flying.clear()
            self.peer._reset = True
            self._clock.callLater(0, self.lose, Failure(ConnectionAborted()))

    def getPeer(self) -> IPv4Address:
        """
        The other end's address.
        """
        return self._addresses[1]

    def getHost(self) -> IPv4Address:
        """
        This end's address.
        """
        return self._addresses[0]

    def getTcpNoDelay(self) -> bool:
        """
        What was set.
        """
        return self.noDelay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Remember it.
        """
        self.noDelay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """
        Off.
        """
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        Nothing: a wire in memory does not go away unseen.
        """

    def logPrefix(self) -> str:
        """
        What log records begin with.
        """
        return "wire"

    # IPushProducer

    def pauseProducing(self) -> None:
        """
        Read no more for now.
        """
        self.reading = False

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        if self.connected and not self.disconnecting:
            self.reading = True

    def stopProducing(self) -> None:
        """
        Close.
        """
        self.loseConnection()

    # IConsumer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        Have C{producer} told when to go on and, when it pushes, when to pause.
        """
        if self.producer is not None:
            raise RuntimeError(f"{self.producer!r} is registered already")
        if not self.connected:
            producer.stopProducing()
            return
        self.producer = producer
        self._streaming = streaming
        self._producerPaused = False
        if not streaming:
            cast(IPullProducer, producer).resumeProducing()

    def unregisterProducer(self) -> None:
        """
        Forget the producer.
        """
        self.producer = None

    # what the wire does

    def start(self, protocol: IProtocol) -> None:
        """
        Connect C{protocol}.
        """
        self.protocol = protocol
        self.connected = True
        protocol.makeConnection(self)

    def lose(self, reason: Failure) -> None:
        """
        End the connection here.
        """
        if not self.connected:
            return
        self.connected = False
        self.disconnecting = True
        self.reading = False
        self._ended = True
        self._kept.clear()
        if self.producer is not None:
            producer, self.producer = self.producer, None
            producer.stopProducing()
        self.protocol.connectionLost(reason)

    def send(self) -> bool:
        """
        What a reactor does when a socket is writable.

        @return: whether anything happened.
        """
        if not self.connected or self._ended:
            return False
        room = BUFFER_SIZE - len(self._flying)
        moved = room > 0 and len(self._kept) > 0
        if moved:
            self._flying += self._kept[:room]
            del self._kept[:room]
        return moved if self._kept else self._sentAll() or moved

    def _sentAll(self) -> bool:
        """
        Nothing is kept: let the producer go on, or end our direction if that was asked for.
        """
        producer = self.producer
        if producer is not None:
            if self._streaming and not self._producerPaused:
                return False
            self._producerPaused = False
            cast(IPullProducer, producer).resumeProducing()
            return self._streaming or bool(self._kept) or self.producer is not producer
        if self.disconnecting:
            self.lose(Failure(ConnectionDone()))
        elif self._closingWrite:
            self._ended = True
            self._tellHalf("writeConnectionLost")
        else:
            return False
        return True

    def receive(self, size: int) -> bool:
        """
        What a reactor does when a socket is readable.

        @param size: read at most so many octets.
        @return: whether anything happened.
        """
        if not self.connected:
            if self.peer._flying:
                self.peer._flying.clear()
                self.peer._reset = True  # nobody is there to read it
            return False
        if self._reset and (self._sawEnd or self._kept or (self.reading and not self._readable())):
            self.lose(Failure(ConnectionLost()))
            return True
        if not self.reading or not self._readable():
            return False
        if self.peer._flying:
            data = bytes(self.peer._flying[:size])
            del self.peer._flying[:size]
            self._call(self.protocol.dataReceived, data)
        else:
            self._sawEnd = True
            if IHalfCloseableProtocol(self.protocol, None) is None:
                self.lose(Failure(ConnectionDone()))
            else:
                self._tellHalf("readConnectionLost")
        return True

    def _readable(self) -> bool:
        """
        Whether there are octets, or an end that has not been seen.
        """
        peer = self.peer
        return bool(peer._flying) or (peer._ended and not peer._aborted and not self._sawEnd)

    def _tellHalf(self, method: str) -> None:
        """
        Tell the protocol about the end of one direction, if it wants to know.
        """
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is not None:
            self._call(getattr(protocol, method))

    def _call(self, method: Callable[..., object], *arguments: object) -> None:
        """
        As a reactor does, end the connection of a protocol that raises.
        """
        try:
            method(*arguments)
        except Exception:
            failure = Failure()
            _log.failure("a protocol on a wire raised", failure)
            self.lose(failure)


class Wire:
    """
    Two transports that are each other's peer.

    @ivar client: the end that connected.
    @ivar server: the end that listened.
    @ivar clock: time, which stands still unless the test advances it; what is due runs in L{flush}.
    @ivar held: while true, no octet moves.
    @cvar longestFlush: so many steps are taken for a loop that never ends.
    """

    longestFlush = 1_000_000

    def __init__(self, cuts: Sequence[int] = (READ_SIZE,), clock: Clock | None = None) -> None:
        """
        @param cuts: the sizes of segments, in octets, over and over: C{(1,)} delivers octet by octet.
        """
        self.clock = Clock() if clock is None else clock
        here = IPv4Address("TCP", "127.0.0.1", 50000)
        there = IPv4Address("TCP", "127.0.0.1", 10000)
        self.client = WireTransport(self.clock, here, there)
        self.server = WireTransport(self.clock, there, here)
        self.client.peer, self.server.peer = self.server, self.client
        self.held = False
        self._sizes = {self.client: cycle(cuts), self.server: cycle(cuts)}

    def join(self, client: IProtocol, server: IProtocol) -> None:
        """
        Connect both protocols, the server's first.  Nothing moves yet.
        """
        self.server.start(server)
        self.client.start(client)

    def flush(self) -> None:
        """
        Move octets, and run what is due, until nothing more happens.
        """
        for _ in range(self.longestFlush):
            if not self.step():
                return
        raise AssertionError("the wire does not come to rest")

    def advance(self, seconds: float) -> None:
        """
        Let time pass, in small steps, and octets move meanwhile.
        """
        for _ in range(8):
            self.clock.advance(seconds / 8)
            self.flush()

    def step(self) -> bool:
        """
        One turn of the reactor: each end sends and receives once.

        @return: whether anything happened.
        """
        happened = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
        self.clock.advance(0)
        if self.held:
            return happened
        for end in (self.client, self.server):
            happened |= end.send()
        for end in (self.client, self.server):
            happened |= end.receive(next(self._sizes[end]))
        return happened

    def cut(self) -> None:
        """
        Lose the connection at both ends, and what is on its way: nobody closed it.
        """
        for end in (self.client, self.server):
            end._flying.clear()
            end.lose(Failure(ConnectionLost()))
