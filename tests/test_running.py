"""
One run of the reactor.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from xtls.programs.messages import LogLines
from xtls.programs.running import ENDING, runCommand, theReactor, untilDone


class _Reactor(MemoryReactorClock):
    """
    A reactor whose run ends when it is stopped.

    @ivar during: what happens while it runs.
    """

    during: Callable[[], None] = staticmethod(lambda: None)

    def callFromThread(self, call: Callable[..., Any], *arguments: Any) -> None:
        """
        Call in the reactor's next turn.
        """
        self.callLater(0, call, *arguments)

    def run(self, installSignalHandlers: bool = True) -> None:
        """
        Run.
        """
        for call, arguments, keywords in self.whenRunningHooks:
            call(*arguments, **keywords)
        self.during()
        self.advance(1)


class UntilDoneTests(SynchronousTestCase):
    """
    L{untilDone}.
    """

    def setUp(self) -> None:
        self.reactor = _Reactor()

    def test_status(self) -> None:
        """
        The status is that of the work, and the reactor is stopped then.
        """
        self.assertEqual(untilDone(lambda _: succeed(7), self.reactor), 7)
        self.assertTrue(self.reactor.hasStopped)

    def test_failure(self) -> None:
        """
        What the work fails with is raised, be it at once or later.
        """

        def wrong(_: object) -> Deferred[int]:
            raise ValueError("at once")

        self.assertRaises(ValueError, untilDone, wrong, self.reactor)
        self.assertRaises(KeyError, untilDone, lambda _: fail(KeyError()), _Reactor())

    def test_interrupted(self) -> None:
        """
        A signal ends the work, and says the status.
        """
        cancelled: list[object] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            reactor = _Reactor()
            reactor.during = partial(os.kill, os.getpid(), number)
            self.assertEqual(untilDone(lambda _: Deferred(cancelled.append), reactor), 128 + number)
        self.assertEqual(len(cancelled), 2)

    def test_interruptedTwice(self) -> None:
        """
        The first signal counts.
        """

        def twice() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)

        self.reactor.during = twice
        self.assertEqual(untilDone(lambda _: Deferred(), self.reactor), 130)

    def test_resultAfterInterruption(self) -> None:
        """
        Work that is cancelled may still end in its own way: the signal's status stands.
        """
        self.reactor.during = lambda: os.kill(os.getpid(), signal.SIGINT)
        self.assertEqual(untilDone(lambda _: Deferred(lambda d: d.callback(0)), self.reactor), 130)

    def test_failureAfterInterruption(self) -> None:
        """
        Work that fails for another reason when it is cancelled is heard.
        """
        self.reactor.during = lambda: os.kill(os.getpid(), signal.SIGINT)
        work: Deferred[int] = Deferred(lambda d: d.errback(ValueError()))
        self.assertRaises(ValueError, untilDone, lambda _: work, self.reactor)

    def test_ignored(self) -> None:
        """
        A signal may be for somebody else.
        """
        work: Deferred[int] = Deferred()

        def during() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            self.reactor.advance(1)
            work.callback(3)

        self.reactor.during = during
        signals = {**ENDING, signal.SIGINT: None}
        self.assertEqual(untilDone(lambda _: work, self.reactor, signals), 3)

    def test_putBack(self) -> None:
        """
        Signals mean afterwards what they meant before.
        """
        before = [signal.getsignal(number) for number in ENDING]
        untilDone(lambda _: succeed(0), self.reactor)
        self.assertEqual([signal.getsignal(number) for number in ENDING], before)

    def test_theReactor(self) -> None:
        """
        By default it is the reactor of the process.
        """
        from twisted.internet import reactor

        self.assertIs(theReactor(), reactor)


class RunCommandTests(SynchronousTestCase):
    """
    L{runCommand}.
    """

    def test_logShown(self) -> None:
        """
        The log is shown from the beginning, with the steps if that is asked for, and then the work begins.
        """
        begun: list[object] = []

        class Beginner:
            def beginLoggingTo(self, observers: list[object], *, redirectStandardIO: bool) -> None:
                begun.extend(observers)

        def start(_: object) -> Deferred[int]:
            self.assertEqual(begun, [LogLines(True)])
            return succeed(5)

        self.assertEqual(runCommand(start, verbose=True, reactor=_Reactor(), beginner=Beginner()), 5)
