"""
How many connections each process has, in memory that all processes share.

A process writes its own numbers only, so nothing needs a lock; whoever reads may be one connection behind.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

__all__ = ["Board", "CountedEndpoint", "Tally"]

#: What is known of each process: whether it is there, the connections it has taken, and how many have ended.
_FIELDS: Final = 3
_STATE, _TAKEN, _ENDED = range(_FIELDS)

#: What C{_STATE} says.
_FREE, _SERVING, _RESTING, _LEAVING = range(4)

#: Octets of a number.
_SIZE: Final = 8


class Board:
    """
    The numbers of all processes.
    """

    def __init__(self, room: int) -> None:
        """
        @param room: for so many processes.
        """
        self.room = room
        # anonymous memory that a process shares with those that it forks
        self._numbers = memoryview(mmap.mmap(-1, room * _FIELDS * _SIZE)).cast("Q")

    def take(self) -> Tally | None:
        """
        The tally of a new process; to be called before that is forked.

        @return: L{None} if there is no room.
        """
        for first in range(0, self.room * _FIELDS, _FIELDS):
            if self._numbers[first + _STATE] == _FREE:
                self._numbers[first + _TAKEN] = self._numbers[first + _ENDED] = 0
                self._numbers[first + _STATE] = _SERVING
                return Tally(self, first)
        return None

    def least(self, but: int) -> int | None:
        """
        The connections of the process that has the fewest, among those that are there to take new ones.

        @param but: where the numbers are of a process that is left out.
        @return: L{None} if there is no process.
        """
        numbers = self._numbers
        return min(
            (
                numbers[first + _TAKEN] - numbers[first + _ENDED]
                for first in range(0, self.room * _FIELDS, _FIELDS)
                if numbers[first + _STATE] == _SERVING and first != but
            ),
            default=None,
        )


class Tally:
    """
    The numbers of one process.

    @ivar emptied: called whenever the last connection has ended.
    """

    def __init__(self, board: Board, first: int) -> None:
        self._board = board
        self._numbers = board._numbers
        self._first = first
        self.emptied: Callable[[], object] = lambda: None

    @property
    def total(self) -> int:
        """
        The connections that it has taken.
        """
        return self._numbers[self._first + _TAKEN]

    @property
    def now(self) -> int:
        """
        The connections that it has.
        """
        return self._numbers[self._first + _TAKEN] - self._numbers[self._first + _ENDED]

    def begun(self) -> None:
        """
        One more connection.
        """
        self._numbers[self._first + _TAKEN] += 1

    def ended(self) -> None:
        """
        One fewer.
        """
        self._numbers[self._first + _ENDED] += 1
        if not self.now:
            self.emptied()

    def leaves(self) -> None:
        """
        The process takes no more connections.
        """
        self._numbers[self._first + _STATE] = _LEAVING

    def free(self) -> None:
        """
        The process is gone.
        """
        self._numbers[self._first + _STATE] = _FREE

    def ahead(self) -> bool:
        """
        Whether the process has noticeably more connections than another that is there to take new ones.
        """
        least = self._board.least(self._first)
        return least is not None and self.now > least + least // 16

    def rests(self, resting: bool) -> None:
        """
        Whether the process is not there to take connections for a short time.
        """
        self._numbers[self._first + _STATE] = _RESTING if resting else _SERVING


@implementer(IStreamServerEndpoint)
@dataclass(frozen=True)
class CountedEndpoint:
    """
    An endpoint whose connections are counted.

    @ivar wrapped: what listens.
    @ivar tally: says where to count; asked for each connection, since a child has another than its parent.
    """

    wrapped: IStreamServerEndpoint
    tally: Callable[[], Tally]

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen.

        @param protocolFactory: from now on, whatever it builds is counted.
        """
        build: Callable[[Any], Any] = protocolFactory.buildProtocol

        def buildProtocol(address: Any) -> Any:
            protocol = build(address)
            if protocol is not None:
                _count(protocol, self.tally())
            return protocol

        protocolFactory.buildProtocol = buildProtocol  # type: ignore[method-assign, assignment]
        if hasattr(protocolFactory, "count"):
            protocolFactory.count = self.tally  # for connections that it serves without a protocol
        return self.wrapped.listen(protocolFactory)


def _count(protocol: Any, tally: Tally) -> None:
    """
    Count a connection, from when its protocol gets its transport until that has done with the socket.  Who
    has the octets meanwhile does not matter, and nothing of this is in their way.
    """
    connect = protocol.makeConnection

    def makeConnection(transport: Any) -> None:
        lose = transport.connectionLost

        def connectionLost(reason: object) -> None:
            del transport.connectionLost  # to be counted once; and it would keep the transport in memory
            try:
                lose(reason)
            finally:
                tally.ended()

        transport.connectionLost = connectionLost
        tally.begun()
        del protocol.makeConnection
        connect(transport)

    protocol.makeConnection = makeConnection
