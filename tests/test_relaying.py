"""
What workers log, on its way.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher, eventAsText
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from xtls.programs.relaying import Receiver, Sender, sendTo


class RelayingTests(SynchronousTestCase):
    """
    L{Sender} and L{Receiver}.
    """

    def setUp(self) -> None:
        self.sent = b""
        self.most = 1000000
        self.publisher = LogPublisher(Sender(7, self.write))
        self.log = Logger("a.place", observer=self.publisher)

    def write(self, fd: int, data: bytes) -> int:
        """
        Write some.
        """
        self.assertEqual(fd, 7)
        self.sent += data[: self.most]
        return min(len(data), self.most)

    def arrived(self) -> list[Any]:
        """
        The events that came out at the other end.
        """
        return list(Receiver(2)(self.sent))

    def test_kind(self) -> None:
        """
        It is an observer.
        """
        verifyObject(ILogObserver, Sender(7))

    def test_event(self) -> None:
        """
        An event arrives with its time, its level, where it is from, its text, and the worker's number.
        """
        self.log.warn("{what} ☃", what="snow")
        (event,) = self.arrived()
        self.assertEqual(eventAsText(event, includeTimestamp=False), "[a.place#warn] [worker 2] snow ☃")
        self.assertIsInstance(event["log_time"], float)
        self.assertEqual((event["worker"], event["log_level"]), (2, LogLevel.warn))

    def test_old(self) -> None:
        """
        What Twisted's old log says arrives too.
        """
        self.publisher({"log_system": "-", "log_format": "old"})
        (event,) = self.arrived()
        self.assertEqual(eventAsText(event, includeTimestamp=False), "[-] [worker 2] old")
        self.assertEqual(event["log_level"], LogLevel.info)

    def test_failure(self) -> None:
        """
        A failure arrives with its traceback, as one event.
        """
        self.log.failure("no luck", Failure(ValueError("odd")))
        (event,) = self.arrived()
        self.assertIn("no luck\nTraceback", event["text"])
        self.assertEqual(event["log_level"], LogLevel.critical)

    def test_long(self) -> None:
        """
        A text without end is cut.
        """
        self.log.info("x" * 1000000)
        (event,) = self.arrived()
        self.assertEqual(len(event["text"]), 1 << 16)

    def test_pieces(self) -> None:
        """
        However a record is cut on its way, it arrives whole.
        """
        self.most = 3
        self.log.info("one")
        self.log.info("other")
        receive = Receiver(2)
        events = [event for at in range(len(self.sent)) for event in receive(self.sent[at : at + 1])]
        self.assertEqual([event["text"] for event in events], ["one", "other"])

    def test_garbage(self) -> None:
        """
        What is no record of ours is left out.
        """
        self.log.info("one")
        self.sent += b'nonsense\n[]\n[1, "loud", "", "", ""]\n'
        self.log.info("other")
        self.sent += b"[1,"
        self.assertEqual([event["text"] for event in self.arrived()], ["one", "other"])

    def test_nobody(self) -> None:
        """
        When nobody reads any more, nothing is to be done.
        """

        def fail(fd: int, data: bytes) -> int:
            raise BrokenPipeError

        LogPublisher(Sender(7, fail))({"log_format": "x"})

    def test_sendTo(self) -> None:
        """
        What is logged goes to one observer, and to no other.
        """
        before: list[Any] = []
        after: list[Any] = []
        publisher = LogPublisher(cast(ILogObserver, before.append))
        sendTo(cast(ILogObserver, after.append), publisher)
        publisher({"log_format": "x"})
        self.assertEqual((len(before), len(after)), (0, 1))
