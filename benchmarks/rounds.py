"""
Rounds: every work is done with every server in turn, so that what else the machine does meets all alike.
"""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import measuring
from benchmarks.ground import Ground, Plan, Server, program, serving, variables
from benchmarks.jobs import Job
from benchmarks.peers import PEERS, XTLS, Peer, Site
from benchmarks.processes import StartError, freePort, preparation
from benchmarks.results import Result
from benchmarks.streams import CONFIGURATION
from benchmarks.works import Work

#: How long the generator may take beyond what it was asked for, in seconds.
_PATIENCE: Final = 60.0

#: A server has done with what was before when it uses less than this in that time, in seconds; and how long
#: that is waited for at most.
_QUIET: Final = 0.005
_SHORT: Final = 0.05
_LONGEST: Final = 3.0

#: How long a server may take to settle before its memory is read, in seconds.
_SETTLE: Final = 0.4


@contextmanager
def generator(ground: Ground, job: Job) -> Iterator[subprocess.Popen[str]]:
    """
    The load generator, which does a job.
    """
    configuration = ground.folder / "openssl.cnf"
    configuration.write_text(CONFIGURATION, "ascii")
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.generator", json.dumps(asdict(job))],
        cwd=ground.folder,
        env={**variables(ground.folder), "OPENSSL_CONF": str(configuration)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=preparation(ground.processors.load),
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def _settle(server: Server) -> None:
    """
    Wait until a server has done with what was before, though not for ever: some read on for a while when a
    client has gone.
    """
    end = time.monotonic() + _LONGEST
    used = 1.0
    while used > _QUIET and time.monotonic() < end:
        (before,) = measuring.usages(server.pid)
        time.sleep(_SHORT)
        (after,) = measuring.usages(server.pid)
        used = measuring.used(before, after)


def _job(ground: Ground, server: Server, work: Work, plan: Plan) -> Job:
    """
    What the generator is to do.
    """
    fewer = plan.idle if work.measure == "memory" else 0
    return Job(
        *(work.kind, server.spoken, server.port, server.control, server.pid),
        *(fewer or work.connections, plan.seconds, plan.warm),
        backend=ground.behind,
        resume=work.resume,
    )


def valuesOf(load: dict[str, Any]) -> dict[str, float]:
    """
    What a load comes to.
    """
    seconds, used = load["seconds"], max(load["used"], 1e-2)
    others = load["machine"] - load["used"] - load["generator"] - load["backend"]
    return {
        "perUsed": load["units"] / used,
        "perBusiest": load["units"] / max(load["busiest"], 1e-2),
        "perSecond": load["units"] / seconds,
        "busy": load["used"] / seconds,
        "generator": load["generator"] / seconds,
        "others": max(others, 0.0) / seconds,
        "p50": load["p50"],
        "p99": load["p99"],
        "resumed": load["resumed"] / max(load["units"], 1),
    }


def _last(text: str) -> str:
    """
    The last line of what a program said.
    """
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def load(ground: Ground, job: Job) -> dict[str, Any]:
    """
    Have the generator do a job.

    @raise StartError: when it cannot.
    """
    with generator(ground, job) as running:
        try:
            said, errors = running.communicate(timeout=job.seconds + job.warm + _PATIENCE)
        except subprocess.TimeoutExpired:
            raise StartError(f"the generator was not done {_PATIENCE:.0f} seconds after its time") from None
        if running.returncode or not said:
            raise StartError(_last(errors))
        done: dict[str, Any] = json.loads(said)
        return done


def hold(ground: Ground, job: Job) -> tuple[dict[str, Any], float]:
    """
    Have the generator open connections and keep them.

    @return: what it did, and the memory of each connection in KiB.
    @raise StartError: when it cannot.
    """
    with suppress(StartError):  # for the allocators of the server to have what they want
        load(ground, replace(job, kind="echo", connections=16, seconds=0.3, warm=0.0))
    time.sleep(_SETTLE)
    before = measuring.memory(job.pid)
    with generator(ground, job) as running:
        assert running.stdout is not None and running.stderr is not None
        ready, _, _ = select.select([running.stdout], [], [], _PATIENCE)
        line = running.stdout.readline() if ready else ""
        if not line:
            running.kill()
            raise StartError(_last(running.stderr.read()))
        time.sleep(_SETTLE)
        done: dict[str, Any] = json.loads(line)
        return done, (measuring.memory(job.pid) - before) / max(done["units"], 1)


def measure(ground: Ground, server: Server, work: Work, plan: Plan) -> Result:
    """
    Do one work with one server.
    """
    job = _job(ground, server, work, plan)
    result = Result("", work.name, server.peer.name, 0)
    _settle(server)
    try:
        if work.kind == "hold":
            done, each = hold(ground, job)
            values = {**valuesOf(done), "memory": each}
        else:
            done = load(ground, job)
            values = valuesOf(done)
    except StartError as e:
        return replace(result, trouble=str(e))
    return replace(result, values=values, errors=done["errors"], cipher=done["cipher"])


def starting(ground: Ground, work: Work, plan: Plan) -> Result:
    """
    Start our own programs, and see how long that takes.
    """
    taken = []
    folder = ground.folder / "start"
    folder.mkdir(exist_ok=True)
    for _ in range(plan.starts):
        port = freePort()
        site = Site(port, ground.backend, ground.certificates["ec"], folder, "tls")
        helps = [sys.executable, "-m", "xtls", "--help"]
        if (script := Path(sys.executable).with_name("xtls")).exists():
            helps = [str(script), "--help"]
        command = helps if work.name == "help" else XTLS.command(ground.programs[XTLS.programs], site)
        begun = time.perf_counter()
        try:
            with program(command, folder, ground.processors.server) as running:
                if work.name == "help":
                    running.end()
                else:
                    running.wait(port)
                taken.append(time.perf_counter() - begun)
        except StartError as e:
            return Result("start", work.name, "xtls", 0, trouble=f"it did not start: {e}")
    return Result("start", work.name, "xtls", 0, {"seconds": statistics.median(taken)})


def _has(ground: Ground, option: str) -> bool:
    """
    Whether C{twistd xtls} has an option.
    """
    done = subprocess.run(
        [ground.programs[XTLS.programs], "xtls", "--help"],
        env=variables(ground.folder),
        capture_output=True,
        timeout=30,
        check=False,
    )
    return option.encode("ascii") in done.stdout


def chosen(ground: Ground, plan: Plan, front: str, work: Work) -> list[Peer]:
    """
    Who does a work.
    """
    peers = [peer for peer in PEERS[front] if peer.programs in ground.programs]
    if plan.peers:
        peers = [peer for peer in peers if peer.name in plan.peers]
    return [peer for peer in peers if work.connections < 5000 or peer.many]


def perform(ground: Ground, plan: Plan) -> list[Result]:
    """
    Do all of it.
    """
    results: list[Result] = []
    for front in dict.fromkeys(front for front, _ in plan.works):
        mine = [work for each, work in plan.works if each == front]
        if front == "workers" and not _has(ground, "--workers"):
            ground.tell("workers: left out, since this twistd xtls has no --workers")
            continue
        results += _front(ground, plan, front, mine)
    return results


class _Servers:
    """
    The servers of one front, each started when it is first needed.
    """

    def __init__(self, ground: Ground, front: str, stack: ExitStack) -> None:
        """
        @param stack: ends them.
        """
        self._ground, self._front, self._stack = ground, front, stack
        self._running: dict[tuple[str, str], Server | str] = {}

    def get(self, peer: Peer, key: str) -> Server | str:
        """
        A server that runs, or why it does not.
        """
        if (peer.name, key) not in self._running:
            self._running[peer.name, key] = self.fresh(peer, key, self._stack)
        return self._running[peer.name, key]

    def fresh(self, peer: Peer, key: str, stack: ExitStack) -> Server | str:
        """
        One that has done nothing yet.
        """
        try:
            return stack.enter_context(serving(self._ground, peer, self._front, key))
        except StartError as e:
            return f"it did not start: {e}"


def _front(ground: Ground, plan: Plan, front: str, mine: list[Work]) -> list[Result]:
    """
    Do everything with one front.
    """
    results: list[Result] = []
    with ExitStack() as stack:
        servers = _Servers(ground, front, stack)
        for turn in range(plan.rounds):
            for work in mine:
                if work.once and turn:
                    continue
                ground.tell(f"round {turn + 1} of {plan.rounds}: {front} {work.name}")
                if front == "start":
                    results.append(replace(starting(ground, work, plan), round=turn))
                    continue
                for peer in chosen(ground, plan, front, work):
                    result = _turn(ground, plan, servers, peer, work)
                    results.append(replace(result, front=front, round=turn))
    return results


def _turn(ground: Ground, plan: Plan, servers: _Servers, peer: Peer, work: Work) -> Result:
    """
    Do one work with one peer.
    """
    with ExitStack() as stack:
        # of one that has worked before, memory that was freed would be used again
        fresh = work.kind == "hold"
        found = servers.fresh(peer, work.key, stack) if fresh else servers.get(peer, work.key)
        if isinstance(found, str):
            return Result("", work.name, peer.name, 0, trouble=found)
        return measure(ground, found, work, plan)
