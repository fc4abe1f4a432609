"""
Programs that run while something is measured: on processors of their own, and none outlives us.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.works import HOST

#: How long a server may take until it listens, in seconds.
_PATIENCE: Final = 15.0

#: How long a program may take to end when it is asked to, in seconds.
_GRACE: Final = 3.0

#: prctl's PR_SET_PDEATHSIG: be ended when the parent is.
_DEATH_SIGNAL: Final = 1


class StartError(Exception):
    """
    A program did not start.
    """


@dataclass(frozen=True)
class Processors:
    """
    Which processors are whose.

    @ivar server: of the server.
    @ivar load: of the generator and the backend.
    @ivar both: of servers of several processes.
    """

    server: frozenset[int]
    load: frozenset[int]
    both: frozenset[int]


def share(every: Sequence[int]) -> Processors:
    """
    Share out processors: the first is the server's, the others are the generator's; with one, all have that.
    """
    server = frozenset(every[:1])
    rest = frozenset(every[1:]) or server
    return Processors(server, rest, frozenset(every[:2]))


def preparation(processors: frozenset[int]) -> Callable[[], None]:
    """
    What a new process does before it becomes the program.
    """
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_DEATH_SIGNAL, signal.SIGTERM)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        os.sched_setaffinity(0, processors)

    return prepare


def freePort() -> int:
    """
    A port that nobody has.
    """
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    """
    Whether somebody listens.
    """
    with suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


class Program:
    """
    A program that runs until it is stopped.

    @ivar pid: of its process, which leads a group of its own.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str], processors: frozenset[int]
    ) -> None:
        """
        @param folder: where it runs, and where what it prints is kept.
        """
        self._log = folder / "output"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=preparation(processors),
            )
        self.pid = self._process.pid

    def wait(self, port: int) -> None:
        """
        Wait until it listens.

        @raise StartError: when it does not.
        """
        end = time.monotonic() + _PATIENCE
        while not listens(port):
            if self._process.poll() is not None or time.monotonic() > end:
                raise StartError(self._said())
            time.sleep(0.005)

    def _said(self) -> str:
        """
        The last of what it has printed.
        """
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"

    def end(self) -> None:
        """
        Wait until it has ended by itself.

        @raise StartError: when it does not, or not well.
        """
        try:
            if self._process.wait(_PATIENCE):
                raise StartError(self._said())
        except subprocess.TimeoutExpired:
            raise StartError(f"it was not done after {_PATIENCE:.0f} seconds") from None

    def stop(self) -> None:
        """
        End it, and what it has started.
        """
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(_GRACE)
