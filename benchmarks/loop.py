"""
The raw epoll loop of the load generator.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from benchmarks.jobs import Counts
from benchmarks.streams import AGAIN


class Loop:
    """
    Waits for connections, and calls what belongs to them.

    @ivar counts: what has happened so far.
    """

    def __init__(self) -> None:
        self.counts = Counts()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._kept: dict[int, socket.socket] = {}

    def __len__(self) -> int:
        return len(self._handlers)

    def add(self, connection: socket.socket, events: int, handler: Callable[[], None]) -> None:
        """
        Call when there is something to do.
        """
        fd = connection.fileno()
        self._handlers[fd], self._kept[fd] = handler, connection
        self._epoll.register(fd, events)

    def change(self, connection: socket.socket, events: int, handler: Callable[[], None]) -> None:
        """
        Wait for something else, or call another; the connection may have got a layer, but not another number.
        """
        fd = connection.fileno()
        self._handlers[fd], self._kept[fd] = handler, connection
        self._epoll.modify(fd, events)

    def remove(self, connection: socket.socket) -> None:
        """
        Wait no longer.
        """
        fd = connection.fileno()
        self._epoll.unregister(fd)
        del self._handlers[fd], self._kept[fd]

    def _lose(self, fd: int) -> None:
        """
        A connection has failed.
        """
        self._epoll.unregister(fd)
        del self._handlers[fd]
        self._kept.pop(fd).close()

    def run(self, until: float, enough: Callable[[], bool] | None = None) -> None:
        """
        Run to a moment of the clock, or until it is enough.
        """
        poll, handlers, clock = self._epoll.poll, self._handlers, time.perf_counter
        while (now := clock()) < until and not (enough is not None and enough()):
            for fd, _ in poll(min(until - now, 0.02), 256):
                handler = handlers.get(fd)
                if handler is None:
                    continue
                try:
                    handler()
                except AGAIN:
                    continue
                except OSError:
                    self.counts.errors += 1
                    self._lose(fd)
