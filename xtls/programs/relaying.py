"""
What workers log, on its way to the one process that writes the log.

There is one file, one standard output, one connection to syslog, and one process that rotates and writes:
the parent.  A worker writes each record into a pipe, as a line of JSON; the parent publishes it, with the
worker's number, as if it were its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.logger import (
    ILogObserver,
    InvalidLogLevelError,
    LogEvent,
    LogLevel,
    LogPublisher,
    eventAsText,
    globalLogPublisher,
)
from zope.interface import implementer

__all__ = ["Receiver", "Sender", "sendTo"]

#: Characters of a record's text at most: a traceback may be long.
_LONGEST: Final = 1 << 16


@implementer(ILogObserver)
class Sender:
    """
    Sends what is logged through a pipe.  As with any log, who logs waits until there is room.
    """

    def __init__(self, fd: int, write: Callable[[int, bytes], int] = os.write) -> None:
        """
        @param fd: where the pipe begins; it blocks.
        """
        self._fd = fd
        self._write = write

    def __call__(self, event: LogEvent) -> None:
        """
        Send an event.
        """
        level = event.get("log_level")
        record = [
            event.get("log_time"),
            level.name if level is not None else "info",
            event.get("log_namespace"),
            event.get("log_system"),
            eventAsText(event, includeTimestamp=False, includeSystem=False)[:_LONGEST],
        ]
        rest = json.dumps(record, default=str).encode("ascii") + b"\n"
        try:
            while rest:
                rest = rest[self._write(self._fd, rest) :]
        except OSError:
            pass  # nobody writes the log any more: the parent is gone, and this process ends too


def sendTo(observer: ILogObserver, publisher: LogPublisher = globalLogPublisher) -> None:
    """
    Have what is logged in this process go to one observer, and to no other that there was.
    """
    for each in tuple(publisher._observers):
        publisher.removeObserver(each)
    publisher.addObserver(observer)


class Receiver:
    """
    Makes events of what comes through a pipe.
    """

    def __init__(self, worker: int) -> None:
        """
        @param worker: the number of the worker at the other end.
        """
        self._worker = worker
        self._rest = b""

    def __call__(self, data: bytes) -> Iterator[LogEvent]:
        """
        The events in what arrived.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                time, level, namespace, system, text = json.loads(line)
                found = LogLevel.levelWithName(level)
            except (ValueError, InvalidLogLevelError):
                continue  # not one of ours
            event: dict[str, Any] = {
                "log_time": time,
                "log_level": found,
                "log_namespace": namespace,
                "log_format": "[worker {worker}] {text}",
                "worker": self._worker,
                "text": text,
            }
            if system is not None:
                event["log_system"] = system
            yield event
