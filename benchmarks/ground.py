"""
What servers stand on while they are measured: a folder, certificates, the backend, processors of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import xtls
from benchmarks.peers import PATH, XTLS, Peer, Site
from benchmarks.processes import Processors, Program, freePort
from benchmarks.works import SPOKEN, Work
from xtls.config.locations import SEARCH_VARIABLES

_ROOT: Final = Path(xtls.__file__).parent.parent


@dataclass(frozen=True)
class Plan:
    """
    What is to be done.

    @ivar works: each with its front.
    @ivar peers: names of those to compare; none for all.
    @ivar seconds: of each measurement.
    @ivar warm: before it.
    @ivar idle: connections that are kept for their memory at most; 0 for as many as the work says.
    @ivar starts: how often something is started in a round.
    """

    works: tuple[tuple[str, Work], ...]
    peers: tuple[str, ...]
    rounds: int
    seconds: float
    warm: float
    idle: int = 0
    starts: int = 5


@dataclass(frozen=True)
class Ground:
    """
    What all servers stand on.

    @ivar certificates: by the name of their key.
    @ivar backend: the port of the backend.
    @ivar behind: its process.
    @ivar programs: where the peers are, by what they may be called.
    @ivar tell: says how far we are.
    """

    folder: Path
    certificates: dict[str, Path]
    backend: int
    behind: int
    processors: Processors
    programs: dict[tuple[str, ...], str]
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Server:
    """
    A server that runs.

    @ivar control: where is told what was counted.
    """

    peer: Peer
    spoken: str
    port: int
    pid: int
    control: int


def variables(folder: Path) -> dict[str, str]:
    """
    What programs are given: this checkout, and nothing of the user's own settings.
    """
    return {
        "PATH": PATH,
        "HOME": str(folder),
        "LANG": "C",
        "PYTHONPATH": str(_ROOT),
        "OPENSSL_CONF": os.devnull,
        SEARCH_VARIABLES[0]: str(folder),
    }


@contextmanager
def program(command: Sequence[str], folder: Path, processors: frozenset[int]) -> Iterator[Program]:
    """
    A program that runs in a folder of its own.
    """
    folder.mkdir(exist_ok=True)
    running = Program(command, folder, variables(folder), processors)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def backend(folder: Path, processors: Processors) -> Iterator[tuple[int, int]]:
    """
    The backend; gives its port and its process.
    """
    port = freePort()
    command = [sys.executable, "-m", "benchmarks.backend", str(port)]
    with program(command, folder / "backend", processors.load) as running:
        running.wait(port)
        yield port, running.pid


@contextmanager
def serving(ground: Ground, peer: Peer, front: str, key: str) -> Iterator[Server]:
    """
    A server that listens.

    @raise StartError: when it does not.
    """
    spoken = SPOKEN.get(front, front)
    folder = ground.folder / f"{front}-{key}-{peer.name}"
    folder.mkdir(exist_ok=True)
    several = front == "workers" and peer is XTLS
    site = Site(
        *(freePort(), ground.backend, ground.certificates[key], folder, spoken),
        root=os.geteuid() == 0,
        workers=2 if several else 1,
        control=freePort(),
    )
    for name, text in peer.files(site).items():
        (folder / name).write_text(text, "utf-8")
    command = peer.command(ground.programs[peer.programs], site)
    processors = ground.processors.both if several else ground.processors.server
    with program(command, folder, processors) as running:
        running.wait(site.port)
        control = site.control if front == "transport" else ground.backend
        yield Server(peer, spoken, site.port, running.pid, control)
