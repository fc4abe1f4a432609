"""
What a process does once.
"""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import recordLogs
from xtls.programs.reloading import Reloader
from xtls.programs.serving import Terminal, Upkeep, heed, settle, tellStatus
from xtls.programs.tally import Board
from xtls.trust.anchors import TrustAnchors


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

    stopped = False

    def stop(self) -> None:
        """
        Stop.
        """
        self.stopped = True

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

    def test_more(self) -> None:
        """
        The line may end with more.
        """
        log = recordLogs(self)
        tellStatus(self.reactor, self.tally, self.reactor.seconds, lambda: "; and more")
        signal.raise_signal(signal.SIGUSR2)
        self.reactor.advance(0)
        self.assertEqual(log.lines(), ["xtls: up 0 s, connections: 0 now, 0 in all; and more"])

    def test_elsewhere(self) -> None:
        """
        There are systems without such a signal.
        """
        before = signal.SIGUSR2
        self.addCleanup(setattr, signal, "SIGUSR2", before)
        del signal.SIGUSR2
        tellStatus(self.reactor, self.tally, self.reactor.seconds)
        self.assertEqual(signal.getsignal(before), signal.SIG_IGN)


class _Creator:
    """
    What is made of one file, and can be read again.
    """

    certificates = ()
    chain = ()
    anchors = TrustAnchors()

    def __init__(self, path: Path) -> None:
        self.files = (str(path),)
        self.reads = 0

    def reload(self) -> None:
        """
        Read the file again.
        """
        self.reads += 1


class TerminalTests(SynchronousTestCase):
    """
    L{Terminal}.
    """

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.tty = Path(self.mktemp())
        self.tty.touch()

    def test_closed(self) -> None:
        """
        It is closed when it was there and is not any more, and only once.
        """
        terminal = Terminal(str(self.tty))
        self.assertFalse(terminal.closed())
        self.tty.unlink()
        self.assertEqual((terminal.closed(), terminal.closed(), terminal.there), (True, False, False))

    def test_none(self) -> None:
        """
        Where there is none, none is closed; nor where this is to be ignored, as by C{nohup}.
        """
        terminals = [Terminal("/nowhere")]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        terminals.append(Terminal(str(self.tty)))
        self.tty.unlink()
        self.assertEqual([(each.there, each.closed()) for each in terminals], [(False, False)] * 2)


class UpkeepTests(SynchronousTestCase):
    """
    L{Upkeep}.
    """

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self.file = Path(self.mktemp())
        self.file.write_bytes(b"one")
        self.reactor = _Reactor()
        self.creator = _Creator(self.file)
        self.terminal = Terminal("/nowhere")

    def begin(self, *creators: tuple[str, _Creator], interval: float = 10) -> None:
        """
        Begin.
        """
        reloader = Reloader(creators, interval)
        Upkeep(self.reactor, reloader, self.reactor.seconds, self.terminal).begin()
        self.creator.reads = 0

    def test_files(self) -> None:
        """
        Files are looked at every so many seconds.
        """
        self.begin(("one", self.creator))
        self.reactor.pump([1] * 30)
        self.assertEqual(self.creator.reads, 0)
        self.file.write_bytes(b"two")
        self.reactor.pump([1] * 30)
        self.assertEqual(self.creator.reads, 1)

    def test_signal(self) -> None:
        """
        Who sends the signal has everything read again at once; who sends it often, now and then.
        """
        self.begin(("one", self.creator))
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(self.creator.reads, 0)
        self.reactor.advance(0)
        self.assertEqual(self.creator.reads, 1)
        for _ in range(10):
            signal.raise_signal(signal.SIGHUP)
            self.reactor.advance(0)
        self.assertEqual(self.creator.reads, 1)
        self.reactor.pump([1] * 30)
        self.assertEqual(self.creator.reads, 2)

    def test_terminalClosed(self) -> None:
        """
        When the terminal is closed, in whose foreground the process is, that is the end; also without TLS.
        """
        tty = Path(self.mktemp())
        tty.touch()
        self.terminal = Terminal(str(tty))
        self.begin()
        self.reactor.pump([Terminal.INTERVAL] * 3)
        tty.unlink()
        signal.raise_signal(signal.SIGHUP)
        self.reactor.advance(0)
        self.assertTrue(self.reactor.stopped)

    def test_background(self) -> None:
        """
        Who was put into the background before stays, and reads again when told to.
        """
        tty = Path(self.mktemp())
        tty.touch()
        self.terminal = Terminal(str(tty))
        self.begin(("one", self.creator), interval=0)
        tty.unlink()
        self.reactor.advance(Terminal.INTERVAL)
        signal.raise_signal(signal.SIGHUP)
        self.reactor.advance(0)
        self.assertEqual((self.reactor.stopped, self.creator.reads), (False, 1))

    def test_early(self) -> None:
        """
        Who sends it before everything runs is not forgotten, and ends nothing.
        """
        reloader = Reloader([("one", self.creator)])
        heed(reloader)
        signal.raise_signal(signal.SIGHUP)
        self.creator.reads = 0
        Upkeep(self.reactor, reloader, self.reactor.seconds, self.terminal).begin()
        self.assertEqual(self.creator.reads, 1)

    def test_nothing(self) -> None:
        """
        Without TLS nobody looks at anything, and the signal does no harm.
        """
        self.begin()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        signal.raise_signal(signal.SIGHUP)
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_elsewhere(self) -> None:
        """
        There are systems without such a signal.
        """
        before = signal.getsignal(signal.SIGHUP)
        number = signal.SIGHUP
        self.addCleanup(setattr, signal, "SIGHUP", number)
        del signal.SIGHUP
        heed(Reloader([]))
        self.begin(("one", self.creator))
        self.assertEqual(signal.getsignal(number), before)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
