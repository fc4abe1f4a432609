"""
What the operating system does for workers: processes, pipes and signals.

Only systems that can fork have this module.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeAlias

__all__ = ["Processes", "Signals"]

#: What the standard library calls for a signal.
Handler: TypeAlias = "Callable[[int, FrameType | None], Any] | signal.Handlers"

#: How much is read at once, in octets.
_CHUNK: Final = 1 << 16

#: The exit status of a process whose end somebody else has been told of.
_UNKNOWN: Final = 255


class Processes:
    """
    Processes, and the pipes between them.
    """

    fork = staticmethod(os.fork)
    exit: Callable[[int], object] = staticmethod(os._exit)
    kill = staticmethod(os.kill)
    close = staticmethod(os.close)

    def pipe(self) -> tuple[int, int]:
        """
        Make a pipe: its end, which does not block, and its beginning, which does.
        """
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        return reading, writing

    def read(self, fd: int) -> bytes | None:
        """
        What there is in a pipe.

        @return: nothing at its end; L{None} if there is nothing now.
        """
        try:
            return os.read(fd, _CHUNK)
        except BlockingIOError:
            return None

    def ended(self, pid: int) -> int | None:
        """
        Whether a child has ended.

        @return: its exit status, or the number of the signal that ended it, negative; L{None} while it runs.
        """
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return _UNKNOWN
        return os.waitstatus_to_exitcode(status) if found else None


def _ignore(number: int, frame: FrameType | None) -> None:
    """
    Do nothing.  What is ignored like this is not ignored by the programs that this process starts.
    """


class Signals:
    """
    The signals of a process that waits for them, and of the processes that it forks.
    """

    def __init__(self, heard: Iterable[int], ignored: Iterable[int]) -> None:
        """
        @param heard: those that are waited for.
        @param ignored: those that do nothing, unless somebody else has a handler for them.
        """
        self._heard = tuple(heard)
        self._ignored = tuple(ignored)
        self._before: dict[int, Any] = {}

    def begin(self) -> None:
        """
        From now on, signals are waited for.
        """
        for number in self._heard:
            self._before[number] = signal.signal(number, _ignore)
        for number in self._ignored:
            if signal.getsignal(number) in (signal.SIG_DFL, None):
                self._before[number] = signal.signal(number, _ignore)
        self._reading, self._writing = os.pipe()
        for each in (self._reading, self._writing):
            os.set_blocking(each, False)
        self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def end(self) -> None:
        """
        Let signals mean what they meant before.
        """
        signal.set_wakeup_fd(self._wakeup)
        for each in (self._reading, self._writing):
            os.close(each)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, descriptors: Iterable[int], timeout: float | None) -> tuple[list[int], list[int]]:
        """
        Wait until there is something.

        @param timeout: seconds at most; L{None} for ever.
        @return: the signals that have come, and the descriptors that can be read.
        """
        poll = select.poll()
        for each in (self._reading, *descriptors):
            poll.register(each, select.POLLIN)
        # rounded up, so that whatever was waited for is due then
        ready = {fd for fd, _ in poll.poll(None if timeout is None else int(timeout * 1000) + 1)}
        numbers = list(os.read(self._reading, _CHUNK)) if self._reading in ready else []
        ready.discard(self._reading)
        return numbers, sorted(ready)

    @contextmanager
    def held(self) -> Iterator[None]:
        """
        Signals that come meanwhile come afterwards.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._heard)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def forked(self, handlers: Mapping[int, Handler]) -> None:
        """
        This process is a child that was forked while signals were held: from now on it has its own.

        @param handlers: what it does.  All other signals that the parent knows do nothing.
        """
        signal.set_wakeup_fd(-1)
        for each in (self._reading, self._writing):
            os.close(each)
        for number in (*self._heard, *self._ignored):
            signal.signal(number, handlers.get(number, _ignore))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._heard)
