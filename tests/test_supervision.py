"""
What to do about workers.
"""

from __future__ import annotations

import signal

from twisted.trial.unittest import SynchronousTestCase

from xtls.programs.supervision import (
    ATTEMPTS,
    LONGEST_WAIT,
    PATIENCE,
    SETTLED,
    Life,
    Supervision,
    howEnded,
    span,
    statusLine,
)
from xtls.programs.tally import Board, Tally


def tally(connections: int = 0) -> Tally:
    """
    A tally of so many connections.
    """
    found = Board(1).take()
    assert found is not None
    for _ in range(connections):
        found.begun()
    return found


class SupervisionTests(SynchronousTestCase):
    """
    L{Supervision}, from the time 100 on.
    """

    def setUp(self) -> None:
        self.now = 100.0
        self.pid = 0
        self.supervision = Supervision(2, self.now)

    def start(self) -> list[Life]:
        """
        Start whoever is due.
        """
        lives = []
        for number in self.supervision.due(self.now):
            self.pid += 1
            lives.append(self.supervision.started(number, self.pid, tally(), self.now))
        return lives

    def die(self, pid: int, after: float) -> float | None:
        """
        A worker ends after some time.
        """
        self.now += after
        return self.supervision.ended(pid, self.now)

    def test_begin(self) -> None:
        """
        All are started at once, and then there is nothing to wait for.
        """
        self.assertEqual(self.supervision.wait(self.now), 0)
        self.assertEqual([life.number for life in self.start()], [1, 2])
        self.assertEqual(self.supervision.due(self.now), [])
        self.assertIsNone(self.supervision.wait(self.now + 1000))
        self.assertFalse(self.supervision.done)

    def test_settled(self) -> None:
        """
        The place of a worker that has lived long is taken at once.
        """
        self.start()
        self.assertEqual(self.die(2, SETTLED), 0)
        (life,) = self.start()
        self.assertEqual((life.number, life.pid, self.supervision.restarts), (2, 3, 1))

    def test_backOff(self) -> None:
        """
        One that has not is waited for, longer each time, until one has.
        """
        self.start()
        waits = []
        for _ in range(7):
            wait = self.die(self.pid, 1)
            assert wait is not None
            waits.append(wait)
            self.assertEqual(self.supervision.wait(self.now), wait)
            self.assertEqual(self.start(), [])
            self.now += wait
            self.assertEqual(len(self.start()), 1)
        self.assertEqual(waits, [1, 2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT])
        self.die(self.pid, SETTLED)
        self.start()
        self.assertEqual(self.die(self.pid, 1), 1)

    def test_givesUp(self) -> None:
        """
        When none has ever lived long, and each has failed so many times, it is of no use to go on.
        """
        self.start()
        for _ in range(ATTEMPTS - 1):
            for life in self.supervision.lives:
                self.die(life.pid, 0.1)
            self.now += LONGEST_WAIT
            self.start()
        one, other = self.supervision.lives
        self.assertIsNotNone(self.die(one.pid, 0.1))
        self.assertFalse(self.supervision.gaveUp)
        self.assertIsNone(self.die(other.pid, 0.1))
        self.assertTrue(self.supervision.gaveUp and self.supervision.stopping and self.supervision.done)

    def test_goesOn(self) -> None:
        """
        When one has ever lived long, or does so now, it goes on for ever.
        """
        for other in (True, False):
            self.supervision = Supervision(2, self.now)
            self.start()
            first, _ = self.supervision.lives
            if not other:
                self.die(first.pid, SETTLED)
                self.start()
            for _ in range(2 * ATTEMPTS):
                for life in self.supervision.lives:
                    if life is not first:
                        self.die(life.pid, 0.1)
                self.now += LONGEST_WAIT
                self.start()
            self.assertFalse(self.supervision.gaveUp)

    def test_notStarted(self) -> None:
        """
        A worker that could not be started counts as one that did not live.
        """
        self.assertEqual([self.supervision.notStarted(1, self.now) for _ in range(2)], [1, 2])
        self.assertEqual(self.supervision.due(self.now), [2])
        self.assertEqual(self.supervision.wait(self.now + 5), 0)

    def test_replace(self) -> None:
        """
        New ones are started at once; those whose places they take leave, once, and nobody follows them.
        """
        before = self.start()
        self.assertEqual(self.supervision.replace(self.now), before)
        self.assertTrue(all(life.leaving for life in before))
        after = self.start()
        self.assertEqual([life.number for life in after], [1, 2])
        self.assertEqual(self.supervision.lives, [before[0], after[0], before[1], after[1]])
        self.assertIsNone(self.die(before[0].pid, 0.1))
        self.assertEqual((self.start(), self.supervision.restarts), ([], 0))
        self.assertEqual(self.supervision.replace(self.now), after)

    def test_stop(self) -> None:
        """
        Who is told to end has some time to; nobody is started, or told to leave, meanwhile.
        """
        first, second = self.start()
        self.die(first.pid, 1)
        self.assertEqual(self.supervision.stop(self.now), [second])
        self.assertEqual(self.supervision.replace(self.now), [])
        self.assertEqual(self.supervision.wait(self.now), PATIENCE)
        self.now += PATIENCE - 1
        self.assertEqual((self.start(), self.supervision.overdue(self.now)), ([], []))
        self.now += 1
        self.assertEqual(self.supervision.overdue(self.now), [second])
        self.assertEqual(self.supervision.overdue(self.now), [])
        self.assertIsNone(self.die(second.pid, 0))
        self.assertTrue(self.supervision.done)

    def test_notOverdue(self) -> None:
        """
        Nobody is overdue who was not told to end.
        """
        self.start()
        self.assertEqual(self.supervision.overdue(self.now + 1000), [])

    def test_status(self) -> None:
        """
        One line has everything, also of those that have ended.
        """
        first, second = self.start()
        for life in (first, second):
            for _ in range(3):
                life.tally.begun()
        self.die(first.pid, SETTLED)
        self.supervision.replace(self.now)
        second.tally.ended()
        self.start()
        self.assertEqual(
            self.supervision.status(self.now + 3600),
            "up 1 h 0 min, connections: 2 now, 6 in all; worker 1 (3): 0 now, 0 in all;"
            " worker 2 (2, leaving): 2 now, 3 in all; worker 2 (4): 0 now, 0 in all; restarts: 1",
        )


class WordsTests(SynchronousTestCase):
    """
    What is said.
    """

    def test_howEnded(self) -> None:
        """
        A status is a number; signals have names, but not all.
        """
        self.assertEqual(howEnded(3), "status 3")
        self.assertEqual(howEnded(-signal.SIGKILL), "signal 9 (SIGKILL)")
        self.assertEqual(howEnded(-1000), "signal 1000")

    def test_span(self) -> None:
        """
        Two units are enough.
        """
        for seconds, expected in (
            (0.5, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3725, "1 h 2 min"),
            (86400 * 10 + 7200, "10 d 2 h"),
        ):
            self.assertEqual(span(seconds), expected)

    def test_statusLine(self) -> None:
        """
        Processes are summed up.
        """
        self.assertEqual(statusLine(1, [tally(2), tally(3)], 10), "up 1 s, connections: 5 now, 15 in all")
