"""
One run of the reactor, for a command that ends with a status.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure

from xtls.programs.messages import showLog
from xtls.programs.standardio import openMissing
from xtls.programs.statuses import ExitStatus

__all__ = ["ENDING", "runCommand", "theReactor", "untilDone"]

#: The signals that end a command, and the status with which it ends then.
ENDING: Final[Mapping[int, int]] = {
    signal.SIGINT: ExitStatus.INTERRUPTED,
    signal.SIGTERM: ExitStatus.TERMINATED,
}


def theReactor() -> Any:
    """
    The reactor of this process.
    """
    from twisted.internet import reactor

    return reactor


class _Run:
    """
    What is known of a run.
    """

    def __init__(self, reactor: Any, start: Callable[[Any], Deferred[int]]) -> None:
        self.reactor = reactor
        self.status: int | None = None
        self.failure: Failure | None = None
        self._start = start
        self._work: Deferred[int] | None = None
        self._replaced: dict[int, Any] = {}

    def begin(self, signals: Mapping[int, int | None]) -> None:
        """
        The reactor runs.
        """
        for number, status in signals.items():
            self._replaced[number] = signal.signal(number, self._handler(status))
        work = maybeDeferred(self._start, self.reactor)
        self._work = work
        work.addCallbacks(self._done, self._failed)
        work.addBoth(lambda _: self.reactor.stop())

    def putBack(self) -> None:
        """
        Let signals mean what they meant before.
        """
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def _handler(self, status: int | None) -> Callable[[int, FrameType | None], None]:
        """
        What a signal does.
        """

        def handle(number: int, frame: FrameType | None) -> None:
            if status is not None:
                self.reactor.callFromThread(self._interrupt, status)

        return handle

    def _interrupt(self, status: int) -> None:
        """
        End early.
        """
        if self.status is None:
            self.status = status
            assert self._work is not None
            self._work.cancel()

    def _done(self, status: int) -> None:
        """
        The work is done.
        """
        if self.status is None:
            self.status = status

    def _failed(self, failure: Failure) -> None:
        """
        The work failed; or it was interrupted, which says what there is to say.
        """
        if self.status is None or not failure.check(CancelledError):
            self.failure = failure


def untilDone(
    start: Callable[[Any], Deferred[int]],
    reactor: Any = None,
    signals: Mapping[int, int | None] = ENDING,
) -> int:
    """
    Run the reactor until some work is done.

    @param start: begins the work, given the reactor; the Deferred fires with the exit status.  It is
        cancelled when a signal ends the command.
    @param reactor: by default, that of the process.
    @param signals: the signals that are handled, with the status of each; L{None} for one that does nothing.
    @return: the exit status.
    @raise Exception: whatever the work fails with.
    """
    run = _Run(theReactor() if reactor is None else reactor, start)
    run.reactor.callWhenRunning(run.begin, signals)
    try:
        run.reactor.run()
    finally:
        run.putBack()
    if run.failure is not None:
        run.failure.raiseException()
    assert run.status is not None
    return run.status


def runCommand(
    start: Callable[[Any], Deferred[int]],
    *,
    verbose: bool = False,
    signals: Mapping[int, int | None] = ENDING,
    reactor: Any = None,
    beginner: Any = globalLogBeginner,
) -> int:
    """
    Run a command in this process, as L{untilDone} does: its standard descriptors are open, and what is logged
    is said on standard error.

    @param verbose: whether the steps are said too.
    @param beginner: what is told where the log goes.
    """
    openMissing()
    showLog(verbose, beginner)
    return untilDone(start, reactor, signals)
