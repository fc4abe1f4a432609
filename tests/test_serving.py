"""
What a process does once.
"""

from __future__ import annotations

import gc
import signal
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from xtls.programs.serving import settle, tellStatus
from xtls.programs.tally import Board


class SettleTests(SynchronousTestCase):
    """
    L{settle}.
    """

    def test_settled(self) -> None:
        """
        What there is now is not looked at any more, and what comes more rarely.
        """
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        settle()
        self.assertEqual(gc.get_threshold()[0], 10000)
        self.assertGreater(gc.get_freeze_count(), 10000)


class _Reactor(Clock):
    """
    A reactor that calls what handlers of signals ask for.
    """

    def callFromThread(self, call: Any) -> None:
        """
        Call in the next turn.
        """
        self.callLater(0, call)


class TellStatusTests(SynchronousTestCase):
    """
    L{tellStatus}.
    """

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGUSR2, signal.getsignal(signal.SIGUSR2))
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self.reactor = _Reactor()
        tally = Board(1).take()
        assert tally is not None
        self.tally = tally

    def test_told(self) -> None:
        """
        Who sends the signal gets one line.
        """
        events: list[Any] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        tellStatus(self.reactor, self.tally, self.reactor.seconds)
        self.tally.begun()
        self.reactor.advance(61)
        signal.raise_signal(signal.SIGUSR2)
        self.assertEqual(events, [])
        self.reactor.advance(0)
        self.assertEqual([*map(formatEvent, events)], ["xtls: up 1 min 1 s, connections: 1 now, 1 in all"])

    def test_elsewhere(self) -> None:
        """
        There are systems without such a signal.
        """
        before = signal.SIGUSR2
        self.addCleanup(setattr, signal, "SIGUSR2", before)
        del signal.SIGUSR2
        tellStatus(self.reactor, self.tally, self.reactor.seconds)
        self.assertEqual(signal.getsignal(before), signal.SIG_IGN)
