"""
What was logged, for tests.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


@implementer(ILogObserver)
class LogRecorder(list[LogEvent]):
    """
    The events that modules of xtls have logged.
    """

    def __call__(self, event: LogEvent) -> None:
        """
        Remember an event.
        """
        if str(event.get("log_namespace", "")).startswith("xtls."):
            self.append(event)

    def __eq__(self, other: object) -> bool:
        """
        No two are equal: the publisher has each observer once.
        """
        return self is other

    __hash__ = object.__hash__  # type: ignore[assignment]

    def lines(self) -> list[str]:
        """
        The events, as text.
        """
        return [formatEvent(event) for event in self]


def recordLogs(test: SynchronousTestCase) -> LogRecorder:
    """
    Remember what is logged until the end of a test.
    """
    recorder = LogRecorder()
    globalLogPublisher.addObserver(recorder)
    test.addCleanup(globalLogPublisher.removeObserver, recorder)
    return recorder
