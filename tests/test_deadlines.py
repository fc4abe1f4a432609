"""
Deadlines: in order, with one call of the clock's for all of one length, and none when nothing waits.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from weakref import ref

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from xtls.wire.deadlines import Deadline, Deadlines, deadlinesOf


class LateClock(Clock):
    """
    A clock whose calls come too early by less than a microsecond, as those of a real one do.
    """

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """
        Call a little too early.
        """
        return super().callLater(max(0, delay - 5e-7), callable, *args, **kw)


class Case(SynchronousTestCase):
    """
    Deadlines on a clock.

    @ivar come: the names of those that have come, in order.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = deadlinesOf(self.clock)
        self.come: list[object] = []

    def within(self, seconds: float, name: object) -> Deadline:
        """
        A deadline that notes that it has come.
        """
        return self.deadlines.within(seconds, self.come.append, name)

    def timers(self) -> list[float]:
        """
        When the clock is to call, as often as it is.
        """
        return sorted(call.getTime() for call in self.clock.getDelayedCalls())


class DeadlineTests(Case):
    """
    L{Deadline} and L{Deadlines}.
    """

    def test_comes(self) -> None:
        """
        It comes when its time has come, once, with its arguments, and not before; then it waits no more.
        """
        deadline = self.deadlines.within(10, lambda *arguments: self.come.append(arguments), 1, "two")
        self.assertEqual((deadline.time, deadline.active()), (10, True))
        self.clock.advance(9.99)
        self.assertEqual(self.come, [])
        self.clock.advance(0.01)
        self.assertEqual((self.come, deadline.active()), ([(1, "two")], False))
        self.clock.pump([10] * 5)
        self.assertEqual((self.come, self.timers()), ([(1, "two")], []))

    def test_clockPutBack(self) -> None:
        """
        When the clock is put back, nothing waits longer than it would have from then on; what would have come
        sooner does.
        """
        self.clock.advance(1000)
        self.within(10, "first")
        self.clock.advance(4)
        self.within(10, "second")
        self.clock.rightNow -= 3
        self.within(10, "third")
        self.assertEqual(self.timers(), [1010])
        self.clock.rightNow -= 900
        self.within(10, "fourth")
        self.clock.advance(9)
        self.assertEqual(self.come, [])
        self.clock.advance(1)
        self.assertEqual((self.come, self.timers()), (["first", "second", "third", "fourth"], []))

    def test_clockPutBackMeanwhile(self) -> None:
        """
        So it is when that is found while deadlines come.
        """
        self.clock.advance(1000)

        def puttingBack() -> None:
            self.clock.rightNow -= 500
            self.within(10, "new")

        self.deadlines.within(10, puttingBack)
        self.clock.advance(1)
        self.within(10, "old")
        self.clock.advance(9)
        self.clock.advance(10)
        self.assertEqual((self.come, self.timers()), (["old", "new"], []))

    def test_cancel(self) -> None:
        """
        One that is cancelled never comes, and leaves nothing in the clock; cancelled again, or after it has
        come, it is left alone.
        """
        cancelled, other = self.within(10, "cancelled"), self.within(1, "other")
        cancelled.cancel()
        self.assertEqual((cancelled.active(), self.timers()), (False, [1]))
        self.clock.advance(20)
        for each in (cancelled, other):
            each.cancel()
            self.assertFalse(each.active())
        self.assertEqual((self.come, self.timers()), (["other"], []))

    def test_cancelledAndSetAnew(self) -> None:
        """
        One that is cancelled after its queue was left, and made anew by another, leaves that alone.
        """
        first = self.within(10, "first")
        first.cancel()
        self.clock.advance(5)
        self.within(10, "second")
        first.cancel()
        self.assertEqual(self.timers(), [15])
        self.clock.advance(10)
        self.assertEqual((self.come, self.timers()), (["second"], []))

    def test_oneCallForAll(self) -> None:
        """
        As many as wait for the same length, the clock has one call.
        """
        for number in range(100):
            self.within(10, number)
            self.clock.advance(0.01)
        self.within(20, "longer")
        self.assertEqual(len(self.timers()), 2)

    def test_order(self) -> None:
        """
        Each comes at its own time, in the order in which they were set, whatever their length.
        """
        times: list[tuple[str, float]] = []

        def note(name: str) -> None:
            times.append((name, self.clock.seconds()))

        for name, seconds in (("a", 10), ("b", 5), ("c", 10), ("d", 2.5)):
            self.deadlines.within(seconds, note, name)
            self.clock.advance(1)
        self.clock.pump([0.5] * 40)
        self.assertEqual(times, [("d", 5.5), ("b", 6), ("a", 10), ("c", 12)])

    def test_firstCancelled(self) -> None:
        """
        When the first of several is cancelled, the others come at their own time, not at its.
        """
        first = self.within(10, "first")
        self.clock.advance(3)
        self.within(10, "second")
        first.cancel()
        self.clock.advance(7)
        self.assertEqual((self.come, self.timers()), ([], [13]))
        self.clock.advance(3)
        self.assertEqual((self.come, self.timers()), (["second"], []))

    def test_tooEarlyByALittle(self) -> None:
        """
        A clock that calls too early by what calculations leave over is not asked once more for that.
        """
        self.clock = LateClock()
        self.deadlines = deadlinesOf(self.clock)
        self.within(10, "one")
        self.clock.advance(10 - 5e-7)
        self.assertEqual((self.come, self.timers()), (["one"], []))

    def test_emptyAndUsedAgain(self) -> None:
        """
        When all have come or were cancelled, more can be set, of the same length, again and again.
        """
        for number in range(3):
            self.within(10, number)
            self.within(10, "cancelled").cancel()
            self.clock.advance(10)
            self.within(10, "cancelled").cancel()
            self.assertEqual((self.come, self.timers()), (list(range(number + 1)), []))


class InTheMidstTests(Case):
    """
    What those that come may do.
    """

    def test_cancelsOneThatIsDue(self) -> None:
        """
        One that comes cancels another whose time has come too: that one does not come.
        """
        self.deadlines.within(10, lambda: second.cancel())
        second = self.within(10, "second")
        self.within(10, "third")
        self.clock.advance(10)
        self.assertEqual((self.come, self.timers()), (["third"], []))

    def test_cancelsTheLast(self) -> None:
        """
        One that comes cancels all that wait: nothing is left, and more can be set.
        """
        self.deadlines.within(10, lambda: second.cancel())
        self.clock.advance(1)
        second = self.within(10, "second")
        self.clock.advance(9)
        self.assertEqual(self.timers(), [])
        self.within(10, "third")
        self.clock.advance(10)
        self.assertEqual((self.come, self.timers()), (["third"], []))

    def test_setsAnother(self) -> None:
        """
        One that comes sets another of the same length: it comes as much later, and others at their own time.
        """
        self.deadlines.within(10, self.within, 10, "again")
        self.clock.advance(1)
        self.within(10, "other")
        self.clock.advance(9)
        self.assertEqual(self.timers(), [11])
        self.clock.advance(1)
        self.assertEqual((self.come, self.timers()), (["other"], [20]))
        self.clock.advance(9)
        self.assertEqual((self.come, self.timers()), (["other", "again"], []))

    def test_setsAnotherAndCancelsIt(self) -> None:
        """
        One that comes sets another of the same length and cancels it, as one does whose connection ends at
        once: nothing is left, and those that are set afterwards come.
        """
        later: list[Deadline] = []

        def come() -> None:
            self.within(10, "cancelled").cancel()
            later.append(self.within(10, "later"))

        self.deadlines.within(10, lambda: self.within(10, "cancelled").cancel())
        self.clock.advance(10)
        self.assertEqual(self.timers(), [])
        self.deadlines.within(10, come)
        self.clock.advance(10)
        self.assertEqual(self.timers(), [30])
        later[0].cancel()
        self.within(10, "last")
        self.clock.advance(10)
        self.assertEqual((self.come, self.timers()), (["last"], []))

    def test_setsAnotherOfNoLength(self) -> None:
        """
        One of no length that sets another lets others have their turn before that.
        """

        def come() -> None:
            self.clock.callLater(0, self.come.append, "somebody else's")
            self.within(0, "second")

        self.deadlines.within(0, come)
        self.assertEqual(self.come, [])
        self.clock.advance(0)
        self.assertEqual(self.come, ["somebody else's", "second"])

    def test_raises(self) -> None:
        """
        One that raises does so to the clock; those after it come in the next turn.
        """

        def fail() -> None:
            raise ZeroDivisionError("a fault")

        for length in (10, 20):
            self.deadlines.within(length, fail)
        self.within(10, "second")
        self.clock.advance(1)
        self.within(10, "third")
        self.assertRaises(ZeroDivisionError, self.clock.advance, 9)
        self.assertEqual(self.timers(), [10, 20])
        self.clock.advance(0)
        self.assertEqual((self.come, self.timers()), (["second"], [11, 20]))
        self.clock.advance(1)
        self.assertRaises(ZeroDivisionError, self.clock.advance, 9)
        self.assertEqual((self.come, self.timers()), (["second", "third"], []))


class ClockTests(Case):
    """
    L{deadlinesOf}.
    """

    def test_shared(self) -> None:
        """
        All who use a clock share its deadlines; those of another are others.
        """
        self.assertIs(deadlinesOf(self.clock), self.deadlines)
        other = deadlinesOf(Clock())
        self.assertIsInstance(other, Deadlines)
        self.assertIsNot(other, self.deadlines)

    def test_collected(self) -> None:
        """
        A clock that nobody uses any more, and on which nothing waits, is not kept.
        """
        clock = Clock()
        self.deadlines = deadlinesOf(clock)
        self.within(10, "come")
        self.within(20, "cancelled").cancel()
        clock.advance(10)
        gone = ref(clock)
        del clock
        gc.collect()
        self.assertEqual((self.come, gone()), (["come"], None))
