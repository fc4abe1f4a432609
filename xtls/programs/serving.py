"""
What a process does once, when everything listens and the reactor is about to run.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from twisted.logger import Logger

from xtls.programs.supervision import statusLine
from xtls.programs.tally import Tally

__all__ = ["settle", "tellStatus"]

_log = Logger()

#: How many more objects there must be before the collector looks for cycles, and how rarely it looks further.
_THRESHOLDS: Final = (10000, 20, 100)


def settle() -> None:
    """
    Have the garbage collector look at connections only, and more rarely: what is there now is modules,
    options and contexts, which stay; and the pages of memory that they are in stay common to all workers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def tellStatus(reactor: Any, tally: Tally, clock: Callable[[], float]) -> None:
    """
    From now on, C{SIGUSR2} has one line about everything written to the log.  It is for a process that has no
    workers; the parent of workers sees to it itself.

    @param clock: any that goes forward.
    """
    begun = clock()

    def tell() -> None:
        _log.info("xtls: {status}", status=statusLine(clock() - begun, [tally]))

    def handle(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(tell)

    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, handle)
