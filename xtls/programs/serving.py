"""
What a process does once, when everything listens and the reactor is about to run.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from xtls.programs.reloading import Reloader
from xtls.programs.supervision import statusLine
from xtls.programs.tally import Tally

__all__ = ["Terminal", "Upkeep", "heed", "settle", "tellStatus"]

_log = Logger()

#: How many more objects there must be before the collector looks for cycles, and how rarely it looks further.
_THRESHOLDS: Final = (10000, 20, 100)

#: What is said when all ends since the terminal does.
CLOSED: Final = "the terminal is closed, in whose foreground this was: ending"


def settle() -> None:
    """
    Have the garbage collector look at connections only, and more rarely: what is there now is modules,
    options and contexts, which stay; and the pages of memory that they are in stay common to all workers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def tellStatus(
    reactor: Any, tally: Tally, clock: Callable[[], float], more: Callable[[], str] = lambda: ""
) -> None:
    """
    From now on, C{SIGUSR2} has one line about everything written to the log.  It is for a process that has no
    workers; the parent of workers sees to it itself.

    @param clock: any that goes forward.
    @param more: says how the line ends.
    """
    begun = clock()

    def tell() -> None:
        _log.info("xtls: {status}", status=statusLine(clock() - begun, [tally]) + more())

    def handle(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(tell)

    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, handle)


class Terminal:
    """
    The terminal in which a process was started, which C{SIGHUP} tells of when it is closed: then a process in
    its foreground should end.  One that has gone into the background stays when its terminal is closed, and
    whoever sends the signal later means something else.

    @ivar there: whether there is one, as far as is known; where the signal was to be ignored, there is none.
    """

    #: How often to look whether it is still there, in seconds.
    INTERVAL: Final = 10.0

    def __init__(self, path: str = "/dev/tty") -> None:
        """
        @param path: what leads every process to its terminal, as long as there is one.
        """
        self._path = path
        self.there = signal.getsignal(getattr(signal, "SIGHUP", signal.SIGTERM)) != signal.SIG_IGN
        self.look()

    def look(self) -> None:
        """
        See whether it is there.
        """
        self.there = self.there and self._isThere()

    def closed(self) -> bool:
        """
        Whether it was closed since it was looked at.
        """
        before = self.there
        self.look()
        return before and not self.there

    def _isThere(self) -> bool:
        """
        Whether it can be opened.
        """
        try:
            os.close(os.open(self._path, os.O_RDWR | getattr(os, "O_NOCTTY", 0)))
        except OSError:
            return False
        return True


def heed(reloader: Reloader) -> None:
    """
    From now on, C{SIGHUP} does not end the process, though nothing is read again before that runs.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        reloader.ask()

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, handle)


class Upkeep:
    """
    Has certificates read again in a process that has no workers: when files have changed, and at C{SIGHUP}.
    """

    def __init__(
        self, reactor: Any, reloader: Reloader, clock: Callable[[], float], terminal: Terminal
    ) -> None:
        """
        @param clock: any that goes forward.
        @param terminal: that of the process.
        """
        self._reactor = reactor
        self._reloader = reloader
        self._clock = clock
        self._terminal = terminal
        self._next: IDelayedCall | None = None

    def begin(self) -> None:
        """
        From now on.
        """
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._handle)
        self._terminal.look()
        self._reloader.begin(self._clock())
        self._wait()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """
        C{SIGHUP} has come.
        """
        self._reactor.callFromThread(self._asked)

    def _asked(self) -> None:
        """
        Everything is to be read again; unless it is the terminal that says good-bye.
        """
        if self._terminal.closed():
            _log.info(CLOSED)
            self._reactor.stop()
            return
        self._reloader.ask()
        if self._next is not None:
            self._next.cancel()
        self._turn()

    def _turn(self) -> None:
        """
        Do what is due, and come back when more is.
        """
        self._next = None
        self._terminal.look()
        self._reloader.turn(self._clock())
        self._wait()

    def _wait(self) -> None:
        """
        Come back when something is due.
        """
        waits = [self._reloader.wait(self._clock()), Terminal.INTERVAL if self._terminal.there else None]
        wait = min((each for each in waits if each is not None), default=None)
        if wait is not None:
            self._next = self._reactor.callLater(wait, self._turn)
