"""
A job of the load generator, what it did, and the time in which that is measured.
"""

from __future__ import annotations

import resource
import socket
import time
from dataclasses import dataclass, field

from benchmarks.measuring import Usage, busiest, busy, usages, used
from benchmarks.works import HOST


@dataclass(frozen=True)
class Job:
    """
    What to do.

    @ivar kind: of the work.
    @ivar spoken: C{plain}, C{tls}, C{ws} or C{wss}.
    @ivar port: of the server.
    @ivar control: of the backend, where it tells what it has counted.
    @ivar pid: of the server.
    @ivar backend: the process of the backend.
    """

    kind: str
    spoken: str
    port: int
    control: int
    pid: int
    connections: int
    seconds: float
    warm: float
    backend: int = 0
    resume: bool = False


@dataclass
class Load:
    """
    What was done.

    @ivar units: octets, connections or round trips.
    @ivar seconds: in how long.
    @ivar used: processor seconds of the server.
    @ivar busiest: of the one of its processes that had most.
    @ivar generator: processor seconds of this process.
    @ivar backend: processor seconds of the backend.
    @ivar machine: processor seconds of the machine.
    @ivar errors: connections that failed.
    @ivar resumed: connections that went on with an earlier session.
    @ivar cipher: the suite that was negotiated.
    @ivar p50: the median of the latencies, in seconds.
    @ivar p99: their 99th percentile.
    """

    units: int = 0
    seconds: float = 0.0
    used: float = 0.0
    busiest: float = 0.0
    generator: float = 0.0
    backend: float = 0.0
    machine: float = 0.0
    errors: int = 0
    resumed: int = 0
    cipher: str = ""
    p50: float = 0.0
    p99: float = 0.0


@dataclass
class Counts:
    """
    What has happened so far, as each kind of work notes it.
    """

    units: int = 0
    errors: int = 0
    resumed: int = 0
    cipher: str = ""
    latencies: list[float] = field(default_factory=list)


def percentile(sorted_: list[float], share: float) -> float:
    """
    The value below which a share of all is; 0 when there are none.
    """
    return sorted_[min(int(len(sorted_) * share), len(sorted_) - 1)] if sorted_ else 0.0


def _counted(control: socket.socket) -> tuple[int, float]:
    """
    What the backend has counted, and when.
    """
    control.send(b"?")
    answer = b""
    while len(answer) < 32:
        more = control.recv(32)
        if not more:
            raise ConnectionError("the backend has ended")
        answer += more
    return int(answer[:16], 16), int(answer[16:32], 16) / 1e9


@dataclass(frozen=True)
class _State:
    """
    How things are at one moment: the clock, what was done, and what was used.
    """

    now: float
    units: int
    server: dict[int, Usage]
    backend: dict[int, Usage]
    generator: float
    machine: float


class Window:
    """
    The time in which is measured: begins when it is made.
    """

    def __init__(self, job: Job, counts: Counts) -> None:
        self._job, self._counts = job, counts
        self._control = socket.create_connection((HOST, job.control), 10) if job.kind == "up" else None
        if self._control is not None:
            self._control.send(b"c")
        counts.latencies.clear()
        self._before = self._state()
        self._resumed = counts.resumed

    def _state(self) -> _State:
        server, backend = usages(self._job.pid, self._job.backend)
        machine = busy()
        mine = resource.getrusage(resource.RUSAGE_SELF)
        if self._control is not None:
            units, now = _counted(self._control)
        else:
            units, now = self._counts.units, time.monotonic()
        return _State(now, units, server, backend, mine.ru_utime + mine.ru_stime, machine)

    def close(self) -> Load:
        """
        The time is over.
        """
        before, after, counts = self._before, self._state(), self._counts
        latencies = sorted(counts.latencies)
        return Load(
            units=after.units - before.units,
            seconds=after.now - before.now,
            used=used(before.server, after.server),
            busiest=busiest(before.server, after.server),
            generator=after.generator - before.generator,
            backend=used(before.backend, after.backend),
            machine=after.machine - before.machine,
            errors=counts.errors,
            resumed=counts.resumed - self._resumed,
            cipher=counts.cipher,
            p50=percentile(latencies, 0.5),
            p99=percentile(latencies, 0.99),
        )
