"""
The lines that a port writes: all, in order, with their times, and together when they are many.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from xtls.port import journal
from xtls.port.journal import Journal


class JournalTests(SynchronousTestCase):
    """
    L{Journal}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[LogEvent] = []
        observer: Any = self.events.append
        self.log = Logger("xtls.test", observer=observer)
        self.journal = Journal(self.log, self.clock)
        self.patch(journal, "seconds", lambda: 1000 + self.clock.seconds())

    def note(self, *numbers: int) -> None:
        """
        Note lines.
        """
        for number in numbers:
            self.journal.note("line {number}", number=number)

    def written(self) -> list[Any]:
        """
        The numbers of the lines that are written, in order.
        """
        return [event["number"] for event in self.events]

    def timers(self) -> list[float]:
        """
        When the clock is to call.
        """
        return [call.getTime() for call in self.clock.getDelayedCalls()]

    def test_event(self) -> None:
        """
        A line is an event as the logger's own: with its level, its namespace, its time and its fields; and
        with its text, whose lines after the first are set in, as in a log file.
        """
        self.journal.note("{peer}: {count:g}\n", peer="{one}", count=1.5)
        (event,) = self.events
        self.assertEqual(formatEvent(event), "{one}: 1.5\n")
        self.assertEqual(
            event,
            {
                "log_logger": self.log,
                "log_level": LogLevel.info,
                "log_namespace": "xtls.test",
                "log_source": None,
                "log_format": "{peer}: {count:g}\n",
                "log_time": 1000,
                "line": "{one}: 1.5\n\t",
                "peer": "{one}",
                "count": 1.5,
            },
        )
        del self.events[0]
        self.log.info("{peer}: {count:g}\n", peer="{one}", count=1.5)
        self.assertEqual(set(event) - {"line"}, set(self.events[0]))

    def test_few(self) -> None:
        """
        While they are few, they are written at once, and the clock is not asked for anything.
        """
        for number in range(50):
            self.note(number)
            self.assertEqual(self.written()[-1], number)
            self.clock.advance(0.02)
        self.assertEqual(self.timers(), [])

    def test_many(self) -> None:
        """
        Of many at once, the first ten are written at once; the others together, a tenth of a second later, in
        order, each with the time at which it was noted.
        """
        self.note(*range(15))
        self.clock.advance(0.05)
        self.note(*range(15, 20))
        self.assertEqual(self.written(), [*range(10)])
        self.assertEqual(self.timers(), [0.1])
        self.clock.advance(0.05)
        self.assertEqual(self.written(), [*range(20)])
        times = [event["log_time"] for event in self.events]
        self.assertEqual(times, [1000] * 15 + [1000.05] * 5)
        self.assertEqual(self.timers(), [])

    def test_orderKept(self) -> None:
        """
        While lines wait, later ones do not overtake them, though a new tenth of a second has begun.
        """
        self.clock.advance(1)
        self.note(0)
        self.clock.advance(0.08)
        self.note(*range(1, 12))
        self.clock.advance(0.05)
        self.note(12)
        self.assertEqual(self.written(), [*range(10)])
        self.clock.advance(0.05)
        self.note(13)
        self.assertEqual(self.written(), [*range(14)])

    def test_write(self) -> None:
        """
        What waits can be written at once, as when a port ends: then nothing is left, neither in the clock.
        """
        self.note(*range(12))
        self.journal.write()
        self.assertEqual((self.written(), self.timers()), ([*range(12)], []))
        self.journal.write()
        self.clock.advance(1)
        self.assertEqual(self.written(), [*range(12)])

    def test_goesOn(self) -> None:
        """
        After that, and after a busy time, it goes on: those that are still many wait again, few do not.
        """
        self.note(*range(12))
        self.journal.write()
        self.note(12)
        self.assertEqual((self.written(), self.timers()), ([*range(12)], [0.1]))
        self.clock.advance(0.1)
        self.note(13)
        self.assertEqual((self.written(), self.timers()), ([*range(14)], []))
