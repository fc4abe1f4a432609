"""
What a process and all below it have used: processor seconds and memory, as Linux tells in C{/proc}.

Imports nothing large, since the generator has it too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def fields(stat: str) -> list[str]:
    """
    The fields of a C{/proc/PID/stat} after the command, which may have anything in it: the first is the
    state, the second the parent.
    """
    return stat.rpartition(")")[2].split()


def below(parents: Mapping[int, int], root: int) -> list[int]:
    """
    A process, and all that descend from it.

    @param parents: of each process.
    """
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    found = [root]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def _stats(proc: Path) -> dict[int, str]:
    """
    The stat of every process.
    """
    stats = {}
    for name in os.listdir(proc):
        if name.isdigit():
            with suppress(OSError), open(proc / name / "stat", encoding="utf-8", errors="replace") as file:
                stats[int(name)] = file.read()
    return stats


def tree(pid: int, proc: Path = PROC) -> list[int]:
    """
    A process, and all that descend from it.
    """
    return below({each: int(fields(stat)[1]) for each, stat in _stats(proc).items()}, pid)


@dataclass(frozen=True)
class Usage:
    """
    Processor seconds of one process so far.

    @ivar own: its own.
    @ivar waited: of those below it that have ended, and that it has waited for.
    """

    own: float
    waited: float


def _usage(stat: str, process: Path) -> Usage:
    """
    What one process has used.  Its ticks are too coarse where there is a process for each connection; what
    its threads have is exact, but lacks those that have ended.
    """
    user, system, waitedUser, waitedSystem = (int(each) for each in fields(stat)[11:15])
    exact = 0
    for task in process.glob("task/*/schedstat"):
        with suppress(OSError):
            exact += int(task.read_text("ascii").split()[0])
    return Usage(max((user + system) / _TICKS, exact / 1e9), (waitedUser + waitedSystem) / _TICKS)


def usages(*pids: int, proc: Path = PROC) -> list[dict[int, Usage]]:
    """
    What some processes have used, and all that descend from each.
    """
    stats = _stats(proc)
    parents = {each: int(fields(stat)[1]) for each, stat in stats.items()}
    return [
        {each: _usage(stats[each], proc / str(each)) for each in below(parents, pid) if each in stats}
        for pid in pids
    ]


def busiest(before: Mapping[int, Usage], after: Mapping[int, Usage]) -> float:
    """
    Processor seconds between two moments, of the one process that had most.
    """
    nothing = Usage(0.0, 0.0)
    return max((usage.own - before.get(pid, nothing).own for pid, usage in after.items()), default=0.0)


def used(before: Mapping[int, Usage], after: Mapping[int, Usage]) -> float:
    """
    Processor seconds between two moments.

    Those that have ended since then are counted if somebody has waited for them.
    """
    nothing = Usage(0.0, 0.0)
    own = sum(usage.own - before.get(pid, nothing).own for pid, usage in after.items())
    waited = sum(usage.waited - before.get(pid, nothing).waited for pid, usage in after.items())
    earlier = sum(usage.own + usage.waited for pid, usage in before.items() if pid not in after)
    return own + max(waited - earlier, 0.0)


def busy(proc: Path = PROC) -> float:
    """
    Processor seconds that the machine was not idle, or was taken by others.
    """
    every = [int(each) for each in (proc / "stat").read_text("utf-8").split("\n", 1)[0].split()[1:9]]
    return (sum(every) - every[3] - every[4]) / _TICKS


def memory(pid: int, proc: Path = PROC) -> float:
    """
    What a process and all that descend from it keep in memory, in KiB: Pss, where what processes share is
    divided among them.
    """
    total = 0
    for each in tree(pid, proc):
        with suppress(OSError):
            found = re.search(
                r"^Pss:\s+(\d+)", (proc / str(each) / "smaps_rollup").read_text("utf-8"), re.MULTILINE
            )
            total += int(found[1]) if found is not None else 0
    return float(total)
