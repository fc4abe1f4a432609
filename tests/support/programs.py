"""
Other programs, for the tests in C{tests/real}: each has a deadline, and none outlives its test.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES

#: How long a program may take to do anything, in seconds.
DEADLINE: Final = 30.0

#: Where the programs of this environment are.
PROGRAMS: Final = Path(sys.executable).parent

#: Also where programs for administrators are, which are not on everybody's path.
PATH: Final = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def find(program: str) -> str:
    """
    The path of a program.

    @raise SkipTest: when there is none.  Where C{CI} is set that is a failure in place of a skip, so that
        nothing is left out in silence.
    """
    found = shutil.which(program, path=PATH)
    if found is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{program} is not installed")
        raise SkipTest(f"{program} is not installed")
    return found


@dataclass(frozen=True)
class Done:
    """
    A program that has ended.

    @ivar status: its exit status; negative for the signal that ended it.
    @ivar output: what it printed on standard output.
    @ivar errors: what it printed on standard error.
    """

    status: int
    output: bytes
    errors: bytes

    @property
    def text(self) -> str:
        """
        All that it printed.
        """
        return (self.output + self.errors).decode("utf-8", "replace")


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    What a program is given: no more of this process's variables than it needs.

    @param home: its home folder, so that no test reads or writes the user's own files.
    @param more: other variables.
    """
    kept = ("LANG", "LC_ALL", "TZ", "CI", "SSL_CERT_FILE")
    variables = {name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")}
    return {
        **variables,
        "HOME": str(home),
        "PATH": PATH,
        "PYTHONUNBUFFERED": "1",
        # where an ordinary user's are; an administrator's would be the machine's own
        SEARCH_VARIABLES[0]: str(home / ".config" / "xtls"),
        **(more or {}),
    }


def run(
    command: Sequence[str | Path],
    folder: Path,
    *,
    given: bytes = b"",
    variables: Mapping[str, str] | None = None,
    deadline: float = DEADLINE,
) -> Done:
    """
    Run a program to its end.

    @param folder: where it runs; also its home folder.
    @param given: its standard input.
    @raise AssertionError: when it has not ended by the deadline.
    """
    words = [find(str(command[0])), *map(str, command[1:])]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment(folder, variables),
            input=given,
            capture_output=True,
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        printed = (e.output or b"") + (e.stderr or b"")
        raise AssertionError(f"{words[0]}: not done after {deadline} s: {printed!r}") from None
    return Done(done.returncode, done.stdout, done.stderr)


class Program:
    """
    A program that runs until the test is over.

    @ivar process: the process, whose standard input is a pipe when that was asked for.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        command: Sequence[str | Path],
        folder: Path,
        *,
        pipe: bool = False,
        stdin: socket.socket | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """
        @param test: ends the program when it ends itself.
        @param folder: where it runs; also its home folder.
        @param pipe: whether its standard input is a pipe, and not empty.
        @param stdin: its standard input, when that is a socket.
        """
        words = [find(str(command[0])), *map(str, command[1:])]
        self._log = Path(test.mktemp()).absolute()
        with self._log.open("wb") as log:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                words,
                cwd=folder,
                env=environment(folder, variables),
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL if stdin is None else stdin.fileno(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        test.addCleanup(self.stop)

    @property
    def log(self) -> str:
        """
        What it has printed.
        """
        return self._log.read_bytes().decode("utf-8", "replace")

    def waitFor(self, pattern: str, deadline: float = DEADLINE) -> re.Match[str]:
        """
        Wait until it has printed something.

        @param pattern: a regular expression.
        @raise AssertionError: when it ends, or takes longer than C{deadline} seconds.
        """
        end = time.monotonic() + deadline
        while True:
            over = self.process.poll() is not None
            found = re.search(pattern, self.log, re.MULTILINE)
            if found is not None:
                return found
            if over or time.monotonic() > end:
                raise AssertionError(f"{pattern!r} was not printed; status {self.process.poll()}\n{self.log}")
            time.sleep(0.02)

    def wait(self, deadline: float = DEADLINE) -> int:
        """
        Wait until it has ended by itself.

        @return: its exit status.
        """
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline} s\n{self.log}") from None

    def stop(self) -> None:
        """
        End it, and what it started.
        """
        process = self.process
        if process.stdin is not None:
            process.stdin.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def memory(self) -> int:
        """
        The octets of memory that it holds now (resident; Linux only).
        """
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024


class Port(Program):
    """
    C{twistd -n xtls}, from this environment, until the test is over.
    """

    def __init__(self, test: SynchronousTestCase, folder: Path, *options: str) -> None:
        """
        @param options: of C{twistd xtls}; let it pick its ports by C{0}.
        """
        super().__init__(test, ["twistd", "-n", "--pidfile=", "xtls", *options], folder)

    def number(self, mode: str = "tcp", deadline: float = DEADLINE) -> int:
        """
        Wait until it listens.

        @param mode: how the socket was bound.
        @return: the port number that it picked.
        """
        return int(self.waitFor(rf"xtls listening: {mode} \S+:(\d+) \(", deadline)[1])


class Peer(threading.Thread):
    """
    A server on loopback, in a thread; each connection is served by a function until it returns.

    @ivar port: where it listens.
    """

    def __init__(self, test: SynchronousTestCase, serve: Callable[[socket.socket], None]) -> None:
        """
        @param test: ends the server when it ends itself.
        @param serve: gets a connection, with a deadline on everything; it is closed afterwards.
        """
        super().__init__(daemon=True)
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._stopped = False
        self.start()
        test.addCleanup(self.stop)

    def run(self) -> None:
        """
        Accept until stopped.
        """
        while True:
            connection, _ = self._listening.accept()
            if self._stopped:
                connection.close()
                return
            connection.settimeout(DEADLINE)
            threading.Thread(target=self._one, args=[connection], daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        """
        Serve one connection.
        """
        with connection, suppress(OSError):
            self._serve(connection)

    def stop(self) -> None:
        """
        Accept no more.
        """
        self._stopped = True
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), DEADLINE):
            pass
        self.join(DEADLINE)
        self._listening.close()


def echo(connection: socket.socket) -> None:
    """
    Send back what comes, until the other end has no more.
    """
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def readExactly(connection: socket.socket, octets: int) -> bytes:
    """
    So many octets, or what there is until the other end closes.
    """
    received = bytearray()
    while len(received) < octets and (data := connection.recv(octets - len(received))):
        received += data
    return bytes(received)


def readAll(connection: socket.socket) -> bytes:
    """
    Everything until the other end closes.
    """
    received = bytearray()
    while data := connection.recv(1 << 16):
        received += data
    return bytes(received)
