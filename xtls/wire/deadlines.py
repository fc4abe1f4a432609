"""
Deadlines, many of them, most of which never come.

Each connection has a handful, one after the other, and nearly all are cancelled.  A reactor keeps its delayed
calls in a heap, where a cancelled one stays until its time; that costs more than many a handshake's own work.
But deadlines of one length come in the order in which they were set: L{Deadlines} keeps them in a queue for
each length, and asks the reactor for one call for each queue.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Deadline", "Deadlines", "deadlinesOf"]

#: Seconds that a call may come too early: what is left of a time after a calculation can be too short to
#: pass.
_ABOUT: Final = 1e-6


class Deadline:
    """
    One call that is to be made when its time has come.

    @ivar time: when that is, in the clock's seconds.
    """

    __slots__ = ("_arguments", "_call", "_queue", "time")

    def __init__(self, queue: _Queue, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._queue = queue
        self._call = call
        self._arguments = arguments
        self.time = queue.add(self)

    def active(self) -> bool:
        """
        Whether it may still come.
        """
        return self in self._queue.waiting

    def cancel(self) -> None:
        """
        What had to happen has happened.  A deadline that has come, or was cancelled, is left alone.
        """
        self._queue.remove(self)

    def come(self) -> None:
        """
        Its time has come.
        """
        self._call(*self._arguments)


class _Queue:
    """
    The deadlines of one length, in the order in which they come.
    """

    __slots__ = ("_clock", "_last", "_looking", "_queues", "_timer", "seconds", "waiting")

    def __init__(self, clock: Callable[[], Any], queues: dict[float, _Queue], seconds: float) -> None:
        self._clock = clock
        self._queues = queues
        self.seconds = seconds
        self.waiting: dict[Deadline, None] = {}
        self._timer: IDelayedCall | None = None
        self._last = 0.0  # when the last one comes
        self._looking = False  # there is no timer then, and at the end one for the first that still waits

    def add(self, deadline: Deadline) -> float:
        """
        One more, the last to come.

        @return: when it comes.
        """
        clock = self._clock()
        time: float = clock.seconds() + self.seconds
        if time < self._last:
            self._hasten(time)
        self._last = time
        if self._timer is None and not self._looking:
            self._timer = clock.callLater(self.seconds, self._look)
        self.waiting[deadline] = None
        return time

    def _hasten(self, time: float) -> None:
        """
        The clock was put back: none of those that wait comes later than one that is set now.
        """
        for each in self.waiting:
            each.time = min(each.time, time)
        if self._timer is not None:
            self._timer.reset(max(0, next(iter(self.waiting)).time - (time - self.seconds)))

    def remove(self, deadline: Deadline) -> None:
        """
        One less.  A queue without any leaves nothing behind in the reactor.
        """
        waiting = self.waiting
        if deadline in waiting:
            del waiting[deadline]
            if not waiting and self._timer is not None:
                self._timer.cancel()
                self._timer = None
                del self._queues[self.seconds]

    def _look(self) -> None:
        """
        The first one's time has come, unless it was cancelled.
        """
        self._timer, self._looking = None, True
        clock, waiting = self._clock(), self.waiting
        now = clock.seconds() + _ABOUT
        try:
            for deadline in list(takewhile(lambda each: each.time <= now, waiting)):
                if deadline in waiting:  # one before may have cancelled it
                    del waiting[deadline]
                    deadline.come()
        finally:
            self._looking = False
            if waiting:
                left = next(iter(waiting)).time - clock.seconds()
                self._timer = clock.callLater(max(0, left), self._look)
            else:
                del self._queues[self.seconds]


class Deadlines:
    """
    The deadlines on one clock.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = ref(clock)  # which who has a deadline has too
        self._queues: dict[float, _Queue] = {}

    def within(self, seconds: float, call: Callable[..., object], *arguments: object) -> Deadline:
        """
        Have something called after some time, unless it is cancelled before.

        @param seconds: how long from now.  There is one queue for each length: this is cheap where many wait
            for the same one.
        """
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = _Queue(self._clock, self._queues, seconds)
        return Deadline(queue, call, arguments)


_known: Final[WeakKeyDictionary[Any, Deadlines]] = WeakKeyDictionary()


def deadlinesOf(clock: IReactorTime) -> Deadlines:
    """
    The deadlines that all who use a clock share.
    """
    found = _known.get(clock)
    if found is None:
        found = _known[clock] = Deadlines(clock)
    return found
