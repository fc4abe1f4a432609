"""
A port and its backend over real sockets on loopback, for tests of the fast path: a reactor that looks at its
descriptors when the test says so, and a client whose TLS the test drives by hand.

A L{Scene} serves its client on the fast path or on the general way: what can be seen from outside must be the
same, L{Scene.look}.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import re
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFDSet, IStreamServerEndpoint
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.posixbase import _DisconnectSelectableMixin, _PollLikeMixin
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.identity import serverConnections
from tests.support.logs import recordLogs
from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions
from xtls.port.upgradeable import Port, UpgradeableFactory, UpgradeableProtocol
from xtls.port.upgrades import HTTP_NAMES, UpgradePolicy
from xtls.port.web import WebFactory
from xtls.programs.tally import Board, CountedEndpoint
from xtls.sessions.fastpath import FastPath
from xtls.sessions.forward import ForwardFactory
from xtls.sessions.leaving import Leaving
from xtls.sessions.leg import Leg
from xtls.sessions.pair import Back
from xtls.wire.connecting import SocketEndpoint
from xtls.wire.openssl import DirectRecords
from xtls.wire.sockets import StreamSocket
from xtls.wire.transport import TLSTransport

#: Turns after which something must have come to rest.
_MANY_TURNS = 20000

#: Milliseconds that what was sent may take on loopback, and how often they are waited for.
_SHORT = 1
_PATIENCE = 2

#: A close that sends a reset.
RESETTING = struct.pack("ii", 1, 0)


def _unacknowledged(number: int) -> int:
    """
    How many octets a socket has sent that are not with its peer yet (Linux only).
    """
    if sys.platform != "linux":
        return 0
    octets: int = struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)))[0]
    return octets


@cache
def _context(version: int) -> SSL.Context:
    """
    A client's context, which verifies nothing.

    @param version: the only one, unless it is 0.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if version:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    return context


@implementer(IReactorFDSet)
class PolledReactor(_PollLikeMixin, _DisconnectSelectableMixin, Clock):
    """
    A reactor that polls when it is told to, as Twisted's do: what it reads from has a number, and there is
    one of each.
    """

    _POLL_DISCONNECTED = select.POLLHUP | select.POLLERR | select.POLLNVAL
    _POLL_IN = select.POLLIN
    _POLL_OUT = select.POLLOUT

    def __init__(self) -> None:
        super().__init__()
        self._reads: dict[int, Any] = {}
        self._writes: dict[int, Any] = {}
        self.full: Callable[[], bool] = lambda: False  # whether no socket takes anything

    def addReader(self, reader: Any) -> None:
        """
        Read from a descriptor.
        """
        if self._reads.setdefault(reader.fileno(), reader) is not reader:
            raise AssertionError(f"{reader!r}: somebody else reads from this descriptor")

    def addWriter(self, writer: Any) -> None:
        """
        Write to a descriptor.
        """
        if self._writes.setdefault(writer.fileno(), writer) is not writer:
            raise AssertionError(f"{writer!r}: somebody else writes to this descriptor")

    def removeReader(self, reader: Any) -> None:
        """
        Read from it no more, whoever does.
        """
        self._reads.pop(reader.fileno(), None)

    def removeWriter(self, writer: Any) -> None:
        """
        Write to it no more, whoever does.
        """
        self._writes.pop(writer.fileno(), None)

    def removeAll(self) -> list[Any]:
        """
        Know no descriptor any more.
        """
        known = {**self._reads, **self._writes}
        self._reads.clear()
        self._writes.clear()
        return list(known.values())

    def getReaders(self) -> list[Any]:
        """
        What is read from.
        """
        return list(self._reads.values())

    def getWriters(self) -> list[Any]:
        """
        What is written to.
        """
        return list(self._writes.values())

    def disconnectAll(self) -> None:
        """
        The reactor ends.
        """
        for selectable in self.removeAll():
            selectable.connectionLost(Failure(CONNECTION_LOST))

    def turn(self, wait: int = 0) -> bool:
        """
        Look once.

        @param wait: milliseconds for something to happen.
        @return: whether anything has.
        """
        self.advance(0)
        poll = select.poll()
        writes = {} if self.full() else self._writes
        for number in dict.fromkeys([*self._reads, *writes]):  # the oldest first
            events = select.POLLIN * (number in self._reads) | select.POLLOUT * (number in writes)
            poll.register(number, events)
        happened = poll.poll(wait)
        for number, event in happened:
            selectable = self._reads.get(number) or self._writes.get(number)
            if selectable is not None:
                self._doReadOrWrite(selectable, number, event)
        return bool(happened)


class End:
    """
    One end of a connection, driven by hand.

    @ivar sock: its socket, which does not block.
    @ivar received: octets from the other end.
    @ivar end: how the other's direction has ended, if it has.
    @ivar reads: whether it reads now.
    @ivar unsent: octets that are to be sent.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.received = bytearray()
        self.end = ""
        self.reads = True
        self.unsent = bytearray()

    def step(self) -> bool:
        """
        Send and take what can be.

        @return: whether there was anything.
        """
        if self.sock.fileno() == -1:
            return False
        return self._send() | (self.reads and not self.end.endswith(("fin", "reset")) and self._take())

    def _send(self) -> bool:
        """
        Send what the socket takes.
        """
        try:
            sent = self.sock.send(self.unsent) if self.unsent else 0
        except OSError:
            return False
        del self.unsent[:sent]
        return bool(sent)

    def _take(self) -> bool:
        """
        Read from the socket.
        """
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            self.end += " reset"
            return True
        if data:
            self.arrived(data)
        else:
            self.end += " fin"
        return True

    def arrived(self, data: bytes) -> None:
        """
        Octets from the other end.
        """
        self.received += data

    def write(self, data: bytes) -> None:
        """
        Send.
        """
        self.unsent += data
        self._send()

    def reset(self) -> None:
        """
        Reset the connection.
        """
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETTING)
        self.sock.close()


class Client(End):
    """
    A client, whose TLS is driven by hand.

    @ivar tls: its TLS connection.
    """

    def __init__(self, sock: socket.socket, tls: Any = None) -> None:
        super().__init__(sock)
        self.tls = tls

    def _send(self) -> bool:
        if self.tls is not None:
            self.unsent += self.said()
        return super()._send()

    def said(self) -> bytes:
        """
        What OpenSSL has to say.
        """
        said = bytearray()
        while True:
            try:
                said += self.tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return bytes(said)

    def arrived(self, data: bytes) -> None:
        """
        Ciphertext from the server.
        """
        if self.tls is None:
            super().arrived(data)
            return
        self.tls.bio_write(data)
        try:
            self.tls.do_handshake()
            while True:
                self.received += self.tls.recv(1 << 16)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.end += " notify"
        except SSL.Error as e:
            self.end += f" {e.args[0][-1][-1] if e.args and e.args[0] else e!r}"

    def begin(self) -> bytes:
        """
        Begin the handshake.

        @return: the ClientHello, which is not sent.
        """
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            pass
        return self.said()

    def sealed(self, data: bytes) -> bytes:
        """
        Encrypt, and send nothing.
        """
        view = memoryview(data)
        while view:
            view = view[self.tls.send(view) :]
        return self.said()

    def write(self, data: bytes) -> None:
        """
        Encrypt, and send.
        """
        self.unsent += data if self.tls is None else self.sealed(data)
        self._send()

    def notify(self) -> bytes:
        """
        What says that nothing follows (close_notify), which is not sent.
        """
        self.tls.shutdown()
        return self.said()

    def shutdown(self) -> None:
        """
        Send close_notify.
        """
        self.unsent += self.notify()
        self._send()


class Room:
    """
    How many octets sockets take; negative: any number.
    """

    left = -1


class Narrow:
    """
    A socket that takes no more than there is room for.
    """

    def __init__(self, sock: socket.socket, room: Room) -> None:
        self._sock = sock
        self._room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def send(self, data: Any) -> int:
        """
        Send some.
        """
        left = self._room.left
        if not left:
            raise BlockingIOError(errno.EAGAIN, "full")
        sent = self._sock.send(data[:left] if left > 0 else data)
        if left > 0:
            self._room.left -= sent
        return sent


class NarrowEndpoint(SocketEndpoint):
    """
    Connects sockets that take no more than there is room for.
    """

    room: Room

    def socketAtOnce(self) -> Any:
        """
        Connect one.
        """
        sock = super().socketAtOnce()
        return None if sock is None else Narrow(sock, self.room)


@implementer(IStreamServerEndpoint)
class _Nowhere:
    """
    An endpoint that gives the factory back.
    """

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Give it back.
        """
        return succeed(protocolFactory)


class Scene:
    """
    A port that forwards, its backend, and clients.

    @ivar path: the fast path, where that is what is taken.
    @ivar room: what clients' sockets take from the server.
    @ivar backRoom: what the backends' do.
    """

    def __init__(self, test: SynchronousTestCase, *, fast: bool, mode: Mode = Mode.TCP, **more: Any) -> None:
        """
        @param more: options of the port; and C{backend}: whether there is one; C{web}: whether HTTP is
            spoken; C{buffer}: the size of the socket's buffers, if that matters.
        """
        self.test = test
        self.logged = recordLogs(test)
        self.reactor = PolledReactor()
        self.room, self.backRoom = Room(), Room()
        self.reactor.full = lambda: not (self.room.left and self.backRoom.left)
        self._buffer = more.pop("buffer", 0)
        self.listening = self._listen("127.0.0.1")
        self.back = self._listen("127.0.0.1")
        if not more.pop("backend", True):
            self.back.close()
        self.tally: Any = Board(1).take()
        web = more.pop("web", True)
        options = PortOptions(**{"httpUpgrade": web, "websocketUpgrade": web, **more})
        policy = UpgradePolicy(mode, options, tlsAvailable=True, sessionAvailable=True, pagesAvailable=False)
        address = ("127.0.0.1", self.backPort)
        endpoint = NarrowEndpoint(self.reactor, socket.AF_INET, address, 10.0)
        endpoint.room = self.backRoom
        clock: Any = self.reactor
        self.session = ForwardFactory(endpoint, 10.0, clock, name="B", closeTimeout=options.closeTimeout)
        creator = serverConnections(test, HTTP_NAMES if web else ())
        site = WebFactory(policy, clock, session=self.session, site=None)
        self.factory = UpgradeableFactory(Port(policy, self.session, site, creator, clock))
        CountedEndpoint(_Nowhere(), lambda: self.tally).listen(self.factory)
        self.path = FastPath.of(self.reactor, self.factory)
        self.fast = fast
        self.clients: list[Client] = []
        self.backends: list[End] = []
        self.server: Any = None  # the last client's socket, as the port has it
        self.pair: Any = None  # what is the connection on the fast path
        test.addCleanup(self.close)

    def _listen(self, host: str) -> socket.socket:
        """
        Listen on a free port.
        """
        listening = socket.socket()
        self.test.addCleanup(listening.close)
        if self._buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as on a port
        listening.bind((host, 0))
        listening.listen(50)
        listening.setblocking(False)
        self.backPort = listening.getsockname()[1]
        return listening

    def accept(self, sock: socket.socket, peer: Any) -> None:
        """
        Serve a connection.
        """
        if self.fast and self.path is not None:
            self.path.accepted(sock, peer)
            self.pair = self.reactor.getReaders()[-1]
            return
        protocol: Any = self.factory.buildProtocol(None)
        transport = StreamSocket(sock, peer, self.reactor, protocol)
        transport.startReading()
        protocol.makeConnection(transport)

    def connect(self, *, alpn: tuple[bytes, ...] = (), version: int = 0, tls: bool = True) -> Client:
        """
        One more client, before it has said anything.
        """
        sock = socket.socket()
        self.test.addCleanup(sock.close)
        if self._buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)
        sock.connect(self.listening.getsockname())
        sock.setblocking(False)
        server, peer = self.listening.accept()
        server.setblocking(False)
        self.server = Narrow(server, self.room)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection: Any = None
        if tls:
            connection = SSL.Connection(_context(version), None)
            connection.set_connect_state()
            if alpn:
                connection.set_alpn_protos(list(alpn))
        client = Client(sock, connection)
        self.clients.append(client)
        self.accept(self.server, peer)
        return client

    def ends(self) -> list[End]:
        """
        All that the test drives.
        """
        return [*self.clients, *self.backends]

    def settle(self) -> Any:
        """
        Let everything happen that can.
        """
        for _ in range(_MANY_TURNS):
            moved = self.reactor.turn()
            while self.back.fileno() != -1:
                try:
                    sock, _peer = self.back.accept()
                except BlockingIOError:
                    break
                self.backends.append(End(sock))
                moved = True
            for end in self.ends():
                moved |= end.step()
            if not moved and not self.arrives():
                return
        raise AssertionError("it does not come to rest")

    def arrives(self) -> bool:
        """
        Whether something is still on its way: even on loopback that may take a moment.
        """
        poll = select.poll()
        sockets = [end.sock for end in self.ends()]
        for end in self.ends():
            if end.reads and end.sock.fileno() != -1 and not end.end.endswith(("fin", "reset")):
                poll.register(end.sock, select.POLLIN)
        for each in self.reactor.getReaders():
            poll.register(each, select.POLLIN)
        for each in [] if self.reactor.full() else self.reactor.getWriters():
            poll.register(each, select.POLLOUT)
        numbers = [each.fileno() for each in (*sockets, *self.reactor.getReaders())]
        for _ in range(_PATIENCE):
            waits = any(number == -1 or _unacknowledged(number) for number in numbers)
            if poll.poll(waits * _SHORT):
                return True
            if not waits:
                break
        return False

    def advance(self, seconds: float) -> Any:
        """
        Let time pass.
        """
        self.reactor.advance(seconds)
        self.settle()

    def secure(self, **more: Any) -> Client:
        """
        A client whose handshake is complete.
        """
        client = self.connect(**more)
        client.unsent += client.begin()
        self.settle()
        return client

    def joined(self, **more: Any) -> tuple[Client, End]:
        """
        A client that has said C{hello}, and the backend that it was said to.
        """
        client = self.secure(**more)
        client.write(b"hello")
        self.settle()
        return client, self.backends[-1]

    def look(self) -> dict[str, Any]:
        """
        What is seen from outside.
        """
        lines = [re.sub(r"127\.0\.0\.1:\d+", "PEER", line) for line in self.logged.lines()]
        return {
            "clients": [(bytes(each.received), each.end) for each in self.clients],
            "backends": [(bytes(each.received), each.end) for each in self.backends],
            "lines": lines,
            "counted": (self.tally.total, self.tally.now),
        }

    def close(self) -> None:
        """
        Close what is left.
        """
        for end in self.ends():
            end.sock.close()
        for each in (*self.reactor.getReaders(), *self.reactor.getWriters()):
            for name in ("socket", "sock", "_sock"):
                if hasattr(each, name):
                    getattr(each, name).close()


#: What nothing must keep, not even until the garbage collector has looked.
_KINDS = (Leaving, Back, Leg, StreamSocket, TLSTransport, UpgradeableProtocol, DirectRecords)

#: What a test does in a scene; it yields whenever both ways are to be compared.
Play = Callable[[Scene], Iterator[object]]


class PairCase(SynchronousTestCase):
    """
    What happens on the fast path, and on the general way.
    """

    def both(self, play: Play, *, over: bool = True, **options: Any) -> list[dict[str, Any]]:
        """
        Do the same on both ways.

        @param over: whether nothing must be left of it on the fast path.
        @param options: those of L{Scene}.
        @return: what was seen, each time that C{play} has yielded, and at the end; it was the same.
        """
        fast, general = self.one(play, fast=True, over=over, **options), self.one(play, fast=False, **options)
        for here, there in zip(fast, general):
            self.assertEqual(here, there)
        self.assertEqual(len(fast), len(general))
        return fast

    def one(self, play: Play, *, fast: bool, over: bool = False, **options: Any) -> list[dict[str, Any]]:
        """
        Do it on one way.
        """
        scene = Scene(self, fast=fast, **options)
        before = self._kept() if over else set()
        gc.disable()
        try:
            seen = []
            for _ in play(scene):
                seen.append(scene.look())
            scene.settle()
            seen.append(scene.look())
            for end in scene.ends():
                end.sock.close()
            for _ in range(4):
                scene.advance(15)
            scene.pair = None
            if over:
                reactor = scene.reactor
                left = (reactor.getReaders(), reactor.getWriters(), reactor.getDelayedCalls())
                self.assertEqual(left, ([], [], []))
                self.assertEqual(scene.tally.now, 0)
                self.assertEqual(scene.server.fileno(), -1)
                kept = self._kept() - before
                self.assertEqual([each for each in gc.get_objects() if id(each) in kept], [])
        finally:
            gc.enable()
            scene.close()
        return seen

    def _kept(self) -> set[int]:
        """
        What is there of any connection.
        """
        return {id(each) for each in gc.get_objects() if isinstance(each, _KINDS)}
