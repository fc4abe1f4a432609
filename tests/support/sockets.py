"""
Twisted's own TCP transports in memory, for tests: over sockets that are none, and a reactor that never polls.

What reaches past a transport to its socket (L{xtls.wire.outflow}, L{xtls.wire.inflow}) is tested here as it
runs: the transports are L{tcp.Connection}s, and L{SocketWire} calls their C{doRead} and C{doWrite} as
Twisted's reactors do.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.support.wires import READ_SIZE

#: How much a socket takes that its peer has not read, in octets.
ROOM: Final = 65536

_log = Logger()


class FakeSocket:
    """
    One end of a connection, as far as Twisted's transports use it.

    @ivar arrived: what is read next: octets, an error to raise, or nothing for the end of the stream.
    @ivar sent: what was sent, call by call.
    @ivar room: how many octets it takes; L{None}: any number.
    @ivar failures: errors that the next calls of C{send} raise.
    @ivar options: what C{setsockopt} was called with.
    """

    family = socket.AF_INET

    def __init__(self) -> None:
        self.arrived: list[bytes | OSError] = []
        self.sent: list[bytes] = []
        self.room: int | None = None
        self.failures: list[OSError] = []
        self.options: dict[tuple[int, int], Any] = {}
        self.closed = False
        self.ended = False

    def setblocking(self, flag: bool) -> None:
        """
        Nothing blocks here.
        """

    def fileno(self) -> int:
        """
        A number that no reactor is asked about.
        """
        return -1 if self.closed else 1000

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """
        Remember an option.
        """
        self.options[level, option] = value

    def getsockopt(self, level: int, option: int) -> Any:
        """
        What was set.
        """
        return self.options.get((level, option), 0)

    def recv(self, size: int) -> bytes:
        """
        The next thing that has arrived.
        """
        data = self.arrived.pop(0)
        if isinstance(data, OSError):
            raise data
        return data

    def recv_into(self, buffer: memoryview) -> int:
        """
        The same, into a buffer.
        """
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def send(self, data: bytes | memoryview) -> int:
        """
        Take as much as there is room for.
        """
        if self.closed:
            raise OSError(errno.EBADF, "closed")
        if self.failures:
            raise self.failures.pop(0)
        taken = len(data) if self.room is None else min(self.room, len(data))
        if data and not taken:
            raise BlockingIOError(errno.EAGAIN, "full")
        if self.room is not None:
            self.room -= taken
        if taken:
            self.sent.append(bytes(data[:taken]))
        return taken

    def shutdown(self, how: int) -> None:
        """
        End one direction or both.
        """
        self.ended = True

    def close(self) -> None:
        """
        Close.
        """
        self.closed = True


class PairedSocket(FakeSocket):
    """
    One of two that are connected.

    @ivar unread: what has arrived from the peer.
    @ivar sizes: how much is read at once at most, call by call.
    """

    peer: PairedSocket

    def __init__(self, sizes: Iterator[int]) -> None:
        super().__init__()
        self.unread = bytearray()
        self.sizes = sizes
        self.reset = False

    @property
    def readable(self) -> bool:
        """
        Whether a read would not block.
        """
        return not self.closed and (bool(self.unread) or self.reset or self.peer.ended)

    @property
    def writable(self) -> bool:
        """
        Whether a write would not block.
        """
        return not self.closed and (len(self.peer.unread) < ROOM or self.reset)

    def recv(self, size: int) -> bytes:
        """
        Read.
        """
        if self.reset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        if not self.readable:
            raise BlockingIOError(errno.EAGAIN, "nothing")
        size = min(size, next(self.sizes))
        data = bytes(self.unread[:size])
        del self.unread[:size]
        return data

    def send(self, data: bytes | memoryview) -> int:
        """
        Write, while the peer is there.
        """
        if self.reset or self.ended:
            raise BrokenPipeError(errno.EPIPE, "broken")
        if self.peer.closed:
            self.reset = True
            return len(data)
        self.room = ROOM - len(self.peer.unread)
        taken = super().send(data)
        self.peer.unread += data[:taken]
        return taken

    def close(self) -> None:
        """
        Close, with a reset when there is something that was not read, or when that was asked for.
        """
        if not self.closed:
            super().close()
            self.ended = True
            if self.unread or (socket.SOL_SOCKET, socket.SO_LINGER) in self.options:
                self.peer.unread.clear()
                self.peer.reset = True


class SocketTransport(tcp.Connection):
    """
    Twisted's transport over a socket of ours.
    """

    def __init__(
        self, skt: FakeSocket, protocol: IProtocol, reactor: Any, host: IPv4Address, peer: IPv4Address
    ) -> None:
        given: Any = skt
        super().__init__(given, protocol, reactor)
        self.fake = skt
        self._addresses = (host, peer)

    def getHost(self) -> IPv4Address:
        """
        This end's address.
        """
        return self._addresses[0]

    def getPeer(self) -> IPv4Address:
        """
        The other end's address.
        """
        return self._addresses[1]


class SocketWire:
    """
    A L{Wire<tests.support.wires.Wire>} between transports of Twisted's.

    @ivar client: the end that connected.
    @ivar server: the end that listened.
    @ivar held: while true, no socket is readable or writable.
    """

    longestFlush = 1_000_000

    def __init__(self, cuts: Sequence[int] = (READ_SIZE,), clock: Clock | None = None) -> None:
        self.reactor = MemoryReactorClock()
        self.clock: Any = self.reactor
        here = IPv4Address("TCP", "127.0.0.1", 50000)
        there = IPv4Address("TCP", "127.0.0.1", 10000)
        sockets = PairedSocket(cycle(cuts)), PairedSocket(cycle(cuts))
        sockets[0].peer, sockets[1].peer = sockets[1], sockets[0]
        nobody: Any = None
        self.client = SocketTransport(sockets[0], nobody, self.reactor, here, there)
        self.server = SocketTransport(sockets[1], nobody, self.reactor, there, here)
        self.held = False

    def join(self, client: IProtocol, server: IProtocol) -> None:
        """
        Connect both protocols, the server's first.  Nothing moves yet.
        """
        for end, protocol in ((self.server, server), (self.client, client)):
            end.protocol = protocol
            end.connected = 1
            end.startReading()
            protocol.makeConnection(end)

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
        One turn of the reactor.

        @return: whether anything happened.
        """
        happened = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
        self.clock.advance(0)
        if not self.held:
            for end in (self.client, self.server):
                happened |= self._poll(end)
        return happened

    def _poll(self, end: SocketTransport) -> bool:
        """
        What a reactor that polls does for one descriptor.
        """
        skt: Any = end.fake
        reads = end in self.reactor.readers and skt.readable
        writes = end in self.reactor.writers and skt.writable
        why: Any = None
        reading = False
        try:
            if reads:
                why, reading = end.doRead(), True
            if writes and not why and not end.disconnected:
                why, reading = end.doWrite(), False
        except Exception as e:
            _log.failure("a protocol on a wire raised")
            why = e
        if why:
            self._disconnect(end, why, reading)
        return reads or writes

    def _disconnect(self, end: SocketTransport, why: Exception, reading: bool) -> None:
        """
        What a reactor does when a descriptor says that it has ended.
        """
        self.reactor.removeReader(end)
        if reading and isinstance(why, ConnectionDone):
            end.readConnectionLost(Failure(why))
        else:
            self.reactor.removeWriter(end)
            end.connectionLost(Failure(why))

    def cut(self) -> None:
        """
        Lose the connection at both ends, and what is on its way: nobody closed it.
        """
        for end in (self.client, self.server):
            skt: Any = end.fake
            skt.unread.clear()
            if end.connected:
                self._disconnect(end, CONNECTION_LOST, False)


class PendingOutflow:
    """
    What an outflow on a socket shows while its peer does not take octets.
    """

    def __init__(self, pending: int) -> None:
        self.pending = pending

    def whenDrained(self, call: object) -> None:
        """
        Never.
        """

    def close(self) -> None:
        """
        Nothing is registered.
        """
