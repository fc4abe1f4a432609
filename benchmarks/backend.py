"""
What is behind the servers: C{python -m benchmarks.backend PORT}, a raw epoll loop.

The first octet of a connection says what it does, and no protocol begins with any of them that a port tells
apart: C{d} sends without end, C{u} takes and counts, C{e} sends everything back, C{c} tells what was counted.
Ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from typing import Final

from benchmarks.works import HOST

#: What one write of a flood has, in octets, and what is read at once.
_PIECE: Final = 1 << 18

#: Reads or writes of one connection before the next has its turn.
_TURNS: Final = 4


class Backend:
    """
    The loop.

    @ivar taken: octets that C{u} connections have taken so far.
    """

    def __init__(self, port: int) -> None:
        self.taken = 0
        self._epoll = select.epoll()
        self._kinds: dict[int, int] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._unsent: dict[int, bytes] = {}
        self._buffer = bytearray(_PIECE)
        self._view = memoryview(self._buffer)
        self._flood = bytes(range(256)) * (_PIECE // 256)
        self._listener = socket.create_server((HOST, port), backlog=4096)
        self._listener.setblocking(False)
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)

    def run(self) -> None:
        """
        Serve until standard input ends.
        """
        listener, stdin = self._listener.fileno(), sys.stdin.fileno()
        while True:
            for fd, events in self._epoll.poll():
                if fd == listener:
                    self._accept()
                elif fd == stdin:
                    return
                elif fd in self._sockets:
                    try:
                        self._ready(fd, events)
                    except BlockingIOError:
                        continue
                    except OSError:
                        self._drop(fd)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(256):
                each, _ = self._listener.accept()
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets[each.fileno()] = each
                self._epoll.register(each.fileno(), select.EPOLLIN)

    def _drop(self, fd: int) -> None:
        self._kinds.pop(fd, None)
        self._unsent.pop(fd, None)
        self._sockets.pop(fd).close()

    def _ready(self, fd: int, events: int) -> None:
        """
        Something can be done on a connection.

        @raise OSError: when it is over.
        """
        each, kind = self._sockets[fd], self._kinds.get(fd)
        if kind == ord("d"):
            for _ in range(_TURNS):
                if each.send(self._flood) < _PIECE:
                    return
        elif kind == ord("u"):
            for _ in range(_TURNS):
                length = each.recv_into(self._buffer)
                self.taken += length
                if length < _PIECE:
                    break
            if not length:
                self._drop(fd)
        elif fd in self._unsent:
            self._echo(fd, each, self._unsent.pop(fd), waited=True)
        else:
            self._received(fd, each, each.recv(1 << 16))

    def _received(self, fd: int, each: socket.socket, data: bytes) -> None:
        """
        Octets of a connection that answers, or whose kind is not known yet.
        """
        if not data:
            self._drop(fd)
            return
        kind = self._kinds.get(fd)
        if kind is None:
            kind, data = data[0], data[1:]
            self._kinds[fd] = kind
            if kind == ord("d"):
                self._epoll.modify(fd, select.EPOLLOUT)
            elif kind == ord("u"):
                self.taken += len(data)
        if kind == ord("e") and data:
            self._echo(fd, each, data)
        elif kind == ord("c") and data:
            each.send(counted(self.taken))

    def _echo(self, fd: int, each: socket.socket, data: bytes, waited: bool = False) -> None:
        """
        Send octets back; what the socket does not take waits, and nothing is read before it has gone.
        """
        try:
            sent = each.send(data)
        except BlockingIOError:
            sent = 0
        waits = sent < len(data)
        if waits:
            self._unsent[fd] = data[sent:]
        if waits != waited:
            self._epoll.modify(fd, select.EPOLLOUT if waits else select.EPOLLIN)


def counted(octets: int) -> bytes:
    """
    The answer to who asks for what was counted: octets, and the time in nanoseconds, each in 16 hexadecimal
    digits.
    """
    return b"%016x%016x" % (octets, time.monotonic_ns())


def main(port: str) -> None:
    """
    Serve.
    """
    Backend(int(port)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
