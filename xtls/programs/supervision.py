"""
What to do about workers: when one is started, how long to wait, when to give up, and what is said of them.

Nothing happens here.  Every method is told the time, in seconds of a clock that only goes forward.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xtls.programs.tally import Tally

__all__ = ["Life", "Supervision", "howEnded", "span", "statusLine"]

#: A worker that has lived so long, in seconds, has shown that it can; the next one is started at once.
SETTLED: Final = 10.0

#: The longest wait before a worker is started again, in seconds.
LONGEST_WAIT: Final = 30.0

#: So many times in a row each worker may fail, when none has ever settled.
ATTEMPTS: Final = 5

#: How long a worker may take to end when it is told to, in seconds.
PATIENCE: Final = 10.0


@dataclass
class Life:
    """
    A worker from its beginning to its end.

    @ivar number: from 1 on; who takes the place of a worker has its number.
    @ivar pid: the process.
    @ivar begun: when.
    @ivar tally: its connections.
    @ivar leaving: whether another has its place already, and it only waits for its connections to end.
    @ivar status: how the process has ended, as L{howEnded} takes it; L{None} while it runs.
    """

    number: int
    pid: int
    begun: float
    tally: Tally
    leaving: bool = False
    status: int | None = None


@dataclass
class _Place:
    """
    What is known of the workers of one number.
    """

    number: int
    startAt: float | None
    failures: int = 0


class Supervision:
    """
    All workers.

    @ivar begun: since when.
    @ivar restarts: how often one had to be started again.
    @ivar past: the connections, in all, of those that have ended.
    @ivar stopping: whether all are to end.
    @ivar gaveUp: whether that is because none stayed alive.
    """

    def __init__(self, count: int, now: float) -> None:
        """
        @param count: how many there should be.
        """
        self.begun = now
        self.restarts = 0
        self.past = 0
        self.stopping = False
        self.gaveUp = False
        self._settled = False
        self._killAt = 0.0
        self._places = {number: _Place(number, now) for number in range(1, count + 1)}
        self._lives: dict[int, Life] = {}

    @property
    def lives(self) -> list[Life]:
        """
        The workers that there are, by number.
        """
        return sorted(self._lives.values(), key=lambda life: (life.number, life.begun))

    @property
    def done(self) -> bool:
        """
        Whether nothing is left to do.
        """
        return self.stopping and not self._lives

    def due(self, now: float) -> list[int]:
        """
        The numbers of the workers that are to be started now.
        """
        return [
            place.number
            for place in self._places.values()
            if not self.stopping and place.startAt is not None and place.startAt <= now
        ]

    def wait(self, now: float) -> float | None:
        """
        How long there is nothing to do unless something happens, in seconds; L{None} for ever.
        """
        if self.stopping:
            return max(0.0, self._killAt - now)
        times = [place.startAt - now for place in self._places.values() if place.startAt is not None]
        return max(0.0, min(times)) if times else None

    def started(self, number: int, pid: int, tally: Tally, now: float) -> Life:
        """
        A worker was started.
        """
        self._places[number].startAt = None
        life = self._lives[pid] = Life(number, pid, now, tally)
        return life

    def notStarted(self, number: int, now: float) -> float:
        """
        A worker could not be started.

        @return: how long to wait before the next attempt.
        """
        return self._failed(self._places[number], now)

    def ended(self, pid: int, now: float) -> float | None:
        """
        A worker has ended.

        @return: how long to wait before its place is taken; L{None} if nobody is to take it.
        """
        life = self._lives.pop(pid)
        self.past += life.tally.total
        lived = now - life.begun
        self._settled = self._settled or lived >= SETTLED
        if self.stopping or life.leaving:
            return None
        self.restarts += 1
        place = self._places[life.number]
        if lived >= SETTLED:
            place.failures, place.startAt = 0, now
            return 0.0
        wait = self._failed(place, now)
        return None if self.gaveUp else wait

    def replace(self, now: float) -> list[Life]:
        """
        All workers are to be replaced by new ones.

        @return: those that are to be told to leave.
        """
        found = [life for life in self.lives if not life.leaving and not self.stopping]
        for life in found:
            life.leaving = True
            self._places[life.number].startAt = now
        return found

    def stop(self, now: float) -> list[Life]:
        """
        All workers are to end.

        @return: those that are to be told to.
        """
        self.stopping = True
        self._killAt = now + PATIENCE
        return self.lives

    def overdue(self, now: float) -> list[Life]:
        """
        The workers that were told to end and have not, for too long.
        """
        if not self.stopping or now < self._killAt:
            return []
        self._killAt = now + PATIENCE
        return self.lives

    def status(self, now: float) -> str:
        """
        What there is to say of all, in one line.
        """
        line = statusLine(now - self.begun, [life.tally for life in self.lives], self.past)
        for life in self.lives:
            line += f"; worker {_name(life)}: {life.tally.now} now, {life.tally.total} in all"
        return f"{line}; restarts: {self.restarts}"

    def _failed(self, place: _Place, now: float) -> float:
        """
        A worker did not live long, or not at all.
        """
        place.failures += 1
        wait = min(LONGEST_WAIT, 2.0 ** (place.failures - 1))
        place.startAt = now + wait
        settled = self._settled or any(now - life.begun >= SETTLED for life in self._lives.values())
        if not settled and all(each.failures >= ATTEMPTS for each in self._places.values()):
            self.gaveUp = True
            self.stop(now)
        return wait


def howEnded(status: int) -> str:
    """
    How a process ended, in words.

    @param status: its exit status, or the number of the signal that ended it, negative.
    """
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"


def span(seconds: float) -> str:
    """
    A length of time in words, in its two largest units.
    """
    rest = int(seconds)
    words: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count or words or unit == "s":
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


def statusLine(uptime: float, tallies: Sequence[Tally], past: int = 0) -> str:
    """
    What there is to say of some processes together.

    @param past: the connections of those that have ended.
    """
    now, total = sum(each.now for each in tallies), sum(each.total for each in tallies) + past
    return f"up {span(uptime)}, connections: {now} now, {total} in all"


def _name(life: Life) -> str:
    """
    A worker's number and process.
    """
    return f"{life.number} ({life.pid}{', leaving' if life.leaving else ''})"
