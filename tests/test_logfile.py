"""
Lines of connections in log files: octet for octet what Twisted would have written.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import (
    FileLogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogPublisher,
    eventAsText,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from xtls.port import journal
from xtls.port.journal import Journal
from xtls.programs.logfile import QuickFormat, quicken


class Case(SynchronousTestCase):
    """
    One publisher that writes to two files, of which one is quick.
    """

    def setUp(self) -> None:
        self.quick, self.stock = StringIO(), StringIO()
        self.observer = textFileLogObserver(self.quick)
        quicken(LogPublisher(self.observer))
        self.publisher = LogPublisher(self.observer, textFileLogObserver(self.stock))
        self.log = Logger("xtls.port.upgradeable", observer=self.publisher)
        self.time = 1700000000.75
        self.patch(journal, "seconds", lambda: self.time)
        self.journal = Journal(self.log, Clock())

    def assertSame(self, lines: int) -> None:
        """
        Both files have the same, of so many lines.
        """
        self.assertEqual(self.quick.getvalue(), self.stock.getvalue())
        self.assertEqual(self.quick.getvalue().count("\n"), lines)


class QuickFormatTests(Case):
    """
    L{QuickFormat}.
    """

    def test_lines(self) -> None:
        """
        Lines of a journal, in one second and in later ones, before and after a change of the clocks.
        """
        for time in (0.1, 0.9, 1.0, 86400, 15_552_000.5, 0.5):
            self.time = 1700000000 + time
            self.journal.note("{peer}: {path}, é", peer="192.0.2.1:5", path="tls>session")
        self.assertSame(6)

    def test_severalLines(self) -> None:
        """
        A text of several lines, whose later ones are set in.
        """
        self.journal.note("{peer}: one\ntwo\n{three}", peer="x", three="three\nfour")
        self.assertSame(4)
        self.assertIn("\n\tfour\n", self.quick.getvalue())

    def test_asTheGeneralWay(self) -> None:
        """
        It does not take the general way for such a line; and does for everything else.
        """
        asked: list[LogEvent] = []

        def general(event: LogEvent) -> str | None:
            asked.append(event)
            return "the general way"

        quick = QuickFormat(general)
        event: LogEvent = {"log_namespace": "xtls.x", "log_level": LogLevel.info, "log_time": 0.0}
        event["line"] = "text"
        self.assertTrue(str(quick(event)).endswith(" [xtls.x#info] text\n"))
        self.assertEqual(asked, [])
        del event["line"]
        self.assertEqual(quick(event), "the general way")
        self.assertEqual(asked, [event])

    def test_others(self) -> None:
        """
        Events without a line of their own, tracebacks, and texts that cannot be formatted or are empty.
        """
        try:
            raise ZeroDivisionError("a fault\nof two lines")
        except ZeroDivisionError:
            self.log.failure("it failed", Failure())
        self.log.warn("{one}\n{two}", one=1, two=2)
        self.log.info("{missing}")
        self.log.info("")
        self.publisher({"log_system": "x", "log_format": "old"})
        self.assertEqual(self.quick.getvalue(), self.stock.getvalue())
        self.assertIn("Traceback", self.quick.getvalue())
        self.flushLoggedErrors(ZeroDivisionError)

    def test_linesOfOthers(self) -> None:
        """
        Other programs' events may have a field of that name, which is part of their text, or none of it.
        """
        for namespace in ("twisted.runner.procmon", "xtlsother"):
            Logger(namespace, observer=self.publisher).info("[{tag}] {line}", tag="x", line="y")
        self.publisher({"line": "no time, and no level", "log_format": "{line}"})
        self.assertSame(3)


class QuickenTests(Case):
    """
    L{quicken}.
    """

    def test_textFiles(self) -> None:
        """
        Text files are written faster, once however often it is asked for.
        """
        self.assertIsInstance(self.observer.formatEvent, QuickFormat)
        before = self.observer.formatEvent
        quicken(self.publisher)
        self.assertIs(self.observer.formatEvent, before)

    def test_othersLeftAlone(self) -> None:
        """
        Other observers are left alone: functions, files of another format, observers that are derived, and
        publishers that keep theirs elsewhere.
        """

        class Derived(FileLogObserver):
            pass

        function: Any = print
        others = [
            jsonFileLogObserver(StringIO()),
            FileLogObserver(StringIO(), eventAsText),
            Derived(StringIO(), textFileLogObserver(StringIO()).formatEvent),
        ]
        formats = [each.formatEvent for each in others]
        publisher: Any = LogPublisher(function, *others)
        quicken(publisher)
        self.assertEqual([each.formatEvent for each in others], formats)
        elsewhere: Any = object()
        quicken(elsewhere)

    def test_otherTimes(self) -> None:
        """
        A text file whose times are of another form keeps them.
        """
        for form in ("%S.%f", None):
            files = StringIO(), StringIO()
            observers = [textFileLogObserver(each, form) for each in files]
            quicken(LogPublisher(observers[0]))
            for time in (5.25, 5.5):
                self.time = time
                Journal(Logger("xtls.x", observer=LogPublisher(*observers)), Clock()).note("line")
            self.assertEqual(files[0].getvalue(), files[1].getvalue())
