"""
What was measured, and what it comes to: medians, and ratios to the best of the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.works import CIPHER, GOALS, Goal, Work, find

#: What our own server is called.
OURS: Final = "xtls"

#: How much of the time a server must be busy for its rate by the clock to be its own.
_BUSY: Final = 0.8

#: How much of a processor others may take before it is said.
_OTHERS: Final = 0.3


#: Where a remark holds, as many as are listed.
_SHOWN: Final = 8


@dataclass(frozen=True)
class Result:
    """
    One round of one work with one server.

    @ivar values: by name: C{perUsed}, C{perBusiest} and C{perSecond} (units in a processor second of the
        server, in one of the busiest of its processes, and in a second by the clock), C{busy} (the server),
        C{generator} and C{others} (shares of a processor), C{p50} and C{p99} (seconds), C{resumed} (a share),
        C{memory} (KiB for each connection), C{seconds}.
    @ivar errors: connections that failed.
    @ivar trouble: why there are no values, when there are none.
    """

    front: str
    work: str
    peer: str
    round: int
    values: dict[str, float] = field(default_factory=dict)
    errors: int = 0
    cipher: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Row:
    """
    The medians of one work with one server.

    @ivar value: of the work's own measure, as printed.
    @ivar ratio: to the best of the others, above one when this is better; L{None} where there are no others.
    @ivar clock: the same by the clock.
    """

    peer: str
    value: float
    values: dict[str, float]
    ratio: float | None
    clock: float | None
    errors: int


@dataclass(frozen=True)
class Table:
    """
    One work, with every server.
    """

    front: str
    work: Work
    rows: tuple[Row, ...]
    goal: Goal | None

    @property
    def ours(self) -> Row | None:
        """
        Our own row.
        """
        return next((row for row in self.rows if row.peer == OURS), None)

    @property
    def best(self) -> Row | None:
        """
        The best of the others.
        """
        others = [row for row in self.rows if row.peer != OURS]
        pick = min if self.work.less else max
        return pick(others, key=lambda row: row.value) if others else None

    @property
    def reached(self) -> bool | None:
        """
        Whether the goal is reached; L{None} where that cannot be told.
        """
        ours = self.ours
        if ours is None or self.goal is None:
            return None
        if self.goal.absolute:
            return ours.value <= self.goal.value if self.work.less else ours.value >= self.goal.value
        return None if ours.ratio is None else ours.ratio >= self.goal.value


def medians(results: Sequence[Result]) -> dict[str, float]:
    """
    The median of each value.
    """
    names = dict.fromkeys(name for result in results for name in result.values)
    return {
        name: statistics.median(result.values[name] for result in results if name in result.values)
        for name in names
    }


def ratio(value: float, best: float | None, *, less: bool) -> float | None:
    """
    How much better one value is than another.

    @param less: whether less is better.
    """
    if best is None:
        return None
    over, under = (best, value) if less else (value, best)
    return over / under if under else None


def _others(rows: dict[str, dict[str, float]], measure: str, *, less: bool) -> float | None:
    """
    The best value that others have.
    """
    values = [values[measure] for peer, values in rows.items() if peer != OURS and measure in values]
    return (min if less else max)(values, default=None)


def table(results: Sequence[Result], front: str, name: str) -> Table | None:
    """
    One work with every server that did it; L{None} when none did.
    """
    work = find(front, name)
    each: dict[str, list[Result]] = {}
    for result in results:
        if (result.front, result.work) == (front, name) and not result.trouble:
            each.setdefault(result.peer, []).append(result)
    rows = {peer: medians(every) for peer, every in each.items()}
    best = _others(rows, work.measure, less=work.less)
    clock = _others(rows, "perSecond", less=False)
    made = [
        Row(
            peer,
            values[work.measure] * work.scale,
            values,
            ratio(values[work.measure], best, less=work.less),
            ratio(values["perSecond"], clock, less=False) if "perSecond" in values else None,
            sum(result.errors for result in each[peer]),
        )
        for peer, values in rows.items()
        if work.measure in values
    ]
    return Table(front, work, tuple(made), GOALS.get(front, {}).get(name)) if made else None


def tables(results: Sequence[Result]) -> list[Table]:
    """
    A table of every work, in the order in which they were done.
    """
    pairs = dict.fromkeys((result.front, result.work) for result in results)
    every = (table(results, front, name) for front, name in pairs)
    return [each for each in every if each is not None]


def _wrong(result: Result) -> list[str]:
    """
    What must be said about a round.
    """
    if result.trouble:
        return [f"not measured: {result.trouble}"]
    work, values, said = find(result.front, result.work), result.values, []
    if result.errors:
        said.append("some connections failed")
    if result.cipher and result.cipher != CIPHER:
        said.append(f"the suite was {result.cipher}")
    if work.resume and values.get("resumed", 1.0) < 0.98:
        said.append("not every session was resumed")
    if work.kind in ("down", "up", "connect", "echo") and work.connections > 1 and values["busy"] < _BUSY:
        said.append("the server was not busy all the time, so that its rate by the clock is not its own")
    if values.get("others", 0.0) > _OTHERS:
        said.append("disturbed by something else that had the processors too")
    return said


def remarks(results: Sequence[Result]) -> list[str]:
    """
    What must be said about the figures: each remark once, with where it holds.
    """
    found: dict[str, list[str]] = {}
    for result in results:
        for said in _wrong(result):
            found.setdefault(said, []).append(f"{result.front} {result.work} {result.peer}")
    made = []
    for said, places in found.items():
        different = list(dict.fromkeys(places))
        shown = ", ".join(different[:_SHOWN]) + (" and others" if len(different) > _SHOWN else "")
        made.append(f"{said}: {len(places)} of {len(results)} measurements ({shown})")
    return made


def fromJSON(value: Any) -> list[Result]:
    """
    Results that an earlier run has written.
    """
    return [Result(**each) for each in value["results"]]
