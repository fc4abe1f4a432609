"""
Programs at a terminal, which a test reads and types at.
"""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.programs import DEADLINE, environment, find

__all__ = ["Session"]

#: Opened by whoever has no terminal yet, a terminal becomes that of its session, tty(4).
_OWN = "exec 3<> {terminal}; {command} {redirections}"


class Session:
    """
    A shell command in a session of its own, with a terminal.

    @ivar seen: what was shown at the terminal so far.
    """

    def __init__(
        self, test: SynchronousTestCase, command: str, folder: Path, *, redirections: Sequence[str] = ()
    ) -> None:
        """
        @param test: ends it when it ends itself.
        @param command: for C{sh}, which runs in the terminal's foreground.
        @param folder: where it runs; also its home folder.
        @param redirections: of what is not to be the terminal.
        """
        self._outer, inner = pty.openpty()
        test.addCleanup(os.close, self._outer)
        text = _OWN.format(
            terminal=shlex.quote(os.ttyname(inner)), command=command, redirections=" ".join(redirections)
        )
        self.process = subprocess.Popen(
            [find("sh"), "-c", text],
            cwd=folder,
            env=environment(folder),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        test.addCleanup(self._stop)
        self.seen = ""

    def type(self, text: str) -> None:
        """
        Type something.
        """
        os.write(self._outer, text.encode("utf-8"))

    def waitFor(self, text: str, deadline: float = DEADLINE) -> None:
        """
        Wait until something is shown.

        @raise AssertionError: when it is not, by the deadline or until the command ends.
        """
        end = time.monotonic() + deadline
        while text not in self.seen:
            if not self._read() or time.monotonic() > end:
                raise AssertionError(f"{text!r} was not shown:\n{self.seen}")

    def wait(self, deadline: float = DEADLINE) -> int:
        """
        Wait until the command has ended.

        @return: its exit status.
        """
        end = time.monotonic() + deadline
        while self._read() and time.monotonic() < end:
            pass
        try:
            return self.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.seen}") from None

    def _read(self) -> bool:
        """
        Read what is shown, or wait a little for it.

        @return: whether there may be more.
        """
        if not select.select([self._outer], [], [], 0.1)[0]:
            return True
        with suppress(OSError):  # nobody has the terminal any more
            data = os.read(self._outer, 1 << 16)
            self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
            return bool(data)
        return False

    def _stop(self) -> None:
        """
        End it.
        """
        self.process.kill()
        self.process.wait()
