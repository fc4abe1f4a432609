"""
What the operating system does for workers.  Nothing is forked here, and all signals are sent to this process.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from xtls.programs.processes import Processes, Signals


class ProcessesTests(SynchronousTestCase):
    """
    L{Processes}.
    """

    def setUp(self) -> None:
        self.system = Processes()

    def test_pipe(self) -> None:
        """
        A pipe has something, or nothing now, or nothing any more.
        """
        reading, writing = self.system.pipe()
        self.assertIsNone(self.system.read(reading))
        os.write(writing, b"x")
        self.assertEqual(self.system.read(reading), b"x")
        self.assertTrue(os.get_blocking(writing))
        self.system.close(writing)
        self.assertEqual(self.system.read(reading), b"")
        self.system.close(reading)

    def test_ended(self) -> None:
        """
        A child runs, or has ended by itself, or by a signal; one that is not there has ended somehow.
        """
        for answer, expected in (((0, 0), None), ((7, 3 << 8), 3), ((7, 9), -9)):
            self.patch(os, "waitpid", lambda pid, options, answer=answer: answer)
            self.assertEqual(self.system.ended(7), expected)

        def fail(pid: int, options: int) -> None:
            raise ChildProcessError

        self.patch(os, "waitpid", fail)
        self.assertEqual(self.system.ended(7), 255)


class SignalsTests(SynchronousTestCase):
    """
    L{Signals}.
    """

    def setUp(self) -> None:
        self.handled: list[int] = []
        self.set(signal.SIGUSR2, lambda number, frame: self.handled.append(number))
        self.set(signal.SIGUSR1, signal.SIG_DFL)
        self.signals = Signals([signal.SIGUSR2], [signal.SIGUSR1, signal.SIGVTALRM])

    def set(self, number: int, handler: Any) -> None:
        """
        Have a handler for the time of the test.
        """
        self.addCleanup(signal.signal, number, signal.signal(number, handler))

    def begin(self) -> None:
        """
        Wait for signals for the time of the test.
        """
        self.signals.begin()
        self.addCleanup(self.signals.end)

    def test_heard(self) -> None:
        """
        Those that are waited for are told, and nobody else gets them until the end.
        """
        self.signals.begin()
        signal.raise_signal(signal.SIGUSR2)
        self.assertEqual(self.signals.wait([], 0), ([signal.SIGUSR2], []))
        self.assertEqual(self.signals.wait([], 0), ([], []))
        self.signals.end()
        self.assertEqual(self.handled, [])
        signal.raise_signal(signal.SIGUSR2)
        self.assertEqual(self.handled, [signal.SIGUSR2])

    def test_ignored(self) -> None:
        """
        Others do nothing, unless somebody has a handler for them.
        """
        self.set(signal.SIGVTALRM, lambda number, frame: self.handled.append(number))
        self.begin()
        for number in (signal.SIGUSR1, signal.SIGVTALRM):
            signal.raise_signal(number)
        self.assertEqual(self.handled, [signal.SIGVTALRM])

    def test_descriptors(self) -> None:
        """
        It waits for descriptors too, also without a time.
        """
        self.begin()
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self.assertEqual(self.signals.wait([reading], 0), ([], []))
        os.write(writing, b"x")
        self.assertEqual(self.signals.wait([reading], None), ([], [reading]))

    def test_held(self) -> None:
        """
        What comes while signals are held comes afterwards.
        """
        self.begin()
        with self.signals.held():
            signal.raise_signal(signal.SIGUSR2)
            self.assertEqual(self.signals.wait([], 0), ([], []))
        self.assertEqual(self.signals.wait([], 0), ([signal.SIGUSR2], []))

    def test_forked(self) -> None:
        """
        A child has handlers of its own, and no signal is held any more; other signals do nothing, but are not
        ignored by programs that it starts.
        """
        self.signals.begin()
        wakeup = self.signals._wakeup
        with self.signals.held():
            signal.raise_signal(signal.SIGUSR2)
            self.signals.forked({signal.SIGUSR2: lambda number, frame: self.handled.append(-number)})
            self.assertEqual(self.handled, [-signal.SIGUSR2])
        signal.raise_signal(signal.SIGUSR1)
        self.assertNotIn(signal.getsignal(signal.SIGUSR1), (signal.SIG_DFL, signal.SIG_IGN))
        self.assertEqual(signal.set_wakeup_fd(wakeup), -1)
        self.assertRaises(OSError, os.fstat, self.signals._reading)
