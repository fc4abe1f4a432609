"""
Real sockets without waiting: a reactor that looks, when a test says so, which of its sockets are ready now.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.support.wires import READ_SIZE
from xtls.wire.sockets import StreamSocket

_log = Logger()

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


def loopback(family: int = socket.AF_INET) -> tuple[socket.socket, socket.socket]:
    """
    Two sockets that are connected by TCP: the one that connected, and the one that was accepted.
    """
    with socket.socket(family) as listening:
        listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listening.listen()
        client = socket.create_connection(listening.getsockname()[:2], 10)
        server, _ = listening.accept()
    for each in (client, server):
        each.setblocking(False)
    return client, server


def unixPair() -> tuple[socket.socket, socket.socket]:
    """
    Two Unix sockets that are connected.
    """
    client, server = socket.socketpair()
    for each in (client, server):
        each.setblocking(False)
    return client, server


class PolledReactor(MemoryReactorClock):
    """
    A reactor that does what Twisted's do with a descriptor that is ready; time stands still.
    """

    def turn(self, wait: float = 0) -> bool:
        """
        Make the calls that are due, and see to every descriptor that is ready.

        @param wait: seconds, if none is ready and no call is due.
        @return: whether anything happened.
        """
        due = any(call.getTime() <= self.seconds() for call in self.getDelayedCalls())
        self.advance(0)
        poll = select.poll()
        known: dict[int, Any] = {}
        for interested, mask in ((self.readers, select.POLLIN), (self.writers, select.POLLOUT)):
            for each in interested:
                number = each.fileno()
                known[number] = each
                poll.register(number, mask | (select.POLLIN if each in self.readers else 0))
        events = poll.poll(0 if due else wait * 1000)
        for number, event in events:
            if known[number].fileno() == number:
                self._see(known[number], event)
        return due or bool(events)

    def rest(self, wait: float = 0) -> None:
        """
        Take turns until nothing more happens.
        """
        for _ in range(1_000_000):
            if not self.turn(wait):
                return
        raise AssertionError("the reactor does not come to rest")

    def _see(self, descriptor: Any, event: int) -> None:
        """
        Have a descriptor read and written, or hear that it is of no use any more.
        """
        why: Any = None
        reading = descriptor in self.readers
        if event & _GONE and not event & select.POLLIN:
            why = CONNECTION_DONE if reading else CONNECTION_LOST
        else:
            try:
                if event & select.POLLIN and reading:
                    why = descriptor.doRead()
                if event & select.POLLOUT and not why and descriptor in self.writers:
                    why, reading = descriptor.doWrite(), False
            except Exception as e:
                _log.failure("a descriptor raised")
                why = e
        if why:
            self.removeReader(descriptor)
            half = reading and isinstance(why, ConnectionDone)
            if half and IHalfCloseableDescriptor.providedBy(descriptor):
                descriptor.readConnectionLost(Failure(why))
            else:
                self.removeWriter(descriptor)
                descriptor.connectionLost(Failure(why))


class CutStreamSocket(StreamSocket):
    """
    One that reads so many octets at once.
    """

    cuts: Any

    def doRead(self) -> Any:
        """
        Read.
        """
        self.bufferSize = next(self.cuts)
        try:
            return super().doRead()
        finally:
            del self.bufferSize


class PolledWire:
    """
    A L{Wire<tests.support.wires.Wire>} of real sockets.

    @ivar client: the end that connected.
    @ivar server: the end that listened.
    @ivar held: while true, no socket is looked at.
    """

    def __init__(
        self,
        cuts: Sequence[int] = (READ_SIZE,),
        pair: Callable[[], tuple[socket.socket, socket.socket]] = unixPair,
        wait: float = 0,
    ) -> None:
        """
        @param pair: makes the sockets.
        @param wait: seconds, for sockets that may take a moment.
        """
        self.reactor = PolledReactor()
        self.clock: Any = self.reactor
        self.wait = wait
        self.held = False
        ends = []
        for each in pair():
            ends.append(CutStreamSocket(each, each.getpeername(), self.reactor))
            ends[-1].cuts = cycle(cuts)
        self.client, self.server = ends

    def join(self, client: IProtocol, server: IProtocol) -> None:
        """
        Connect both protocols, the server's first.
        """
        for end, protocol in ((self.server, server), (self.client, client)):
            end.protocol = protocol
            end.startReading()
            protocol.makeConnection(end)

    def flush(self) -> None:
        """
        Let happen what happens.
        """
        if self.held:
            self.clock.advance(0)
        else:
            self.reactor.rest(self.wait)

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.clock.advance(seconds)
        self.flush()

    def cut(self) -> None:
        """
        Lose the connection at both ends.
        """
        for end in (self.client, self.server):
            if end.connected:
                end.connectionLost(Failure(CONNECTION_LOST))
