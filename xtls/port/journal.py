"""
The lines that a port writes about its connections.

One line for each connection is what an operator wants, and under load it costs more than taking the
connection does: the log's code and the connection's push each other out of the processor's caches.  A
L{Journal} writes lines at once while they are few; when they are many, it keeps those of the next tenth of a
second and writes them in one go.  Each has the time at which it was noted.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.runtime import seconds

from xtls.wire.deadlines import Deadline, deadlinesOf

__all__ = ["Journal"]

#: Seconds that a line may wait.
_WAIT: Final = 0.1

#: Lines in that time which do not wait.
_AT_ONCE: Final = 10


class Journal:
    """
    The lines of one port.
    """

    def __init__(self, log: Logger, clock: IReactorTime) -> None:
        """
        @param log: where lines go to, as events of the level C{info}.
        """
        self._log = log
        self._clock = clock
        self._until = 0.0  # when lines may be written at once again
        self._written = 0
        self._kept: list[dict[str, Any]] = []
        self._later: Deadline | None = None

    def note(self, form: str, **fields: object) -> None:
        """
        Write a line.

        @param form: as C{str.format} has it.  The event has the line too, as C{line}, for those who write
            nothing else.
        """
        event = {
            "log_logger": self._log,
            "log_level": LogLevel.info,
            "log_namespace": self._log.namespace,
            "log_source": None,
            "log_format": form,
            "log_time": seconds(),
            "line": form.format(**fields).replace("\n", "\n\t"),
            **fields,
        }
        if self._kept:
            self._kept.append(event)
            return
        now = self._clock.seconds()
        if now >= self._until:
            self._until, self._written = now + _WAIT, 0
        self._written += 1
        if self._written <= _AT_ONCE:
            self._log.observer(event)
        else:
            self._kept.append(event)
            self._later = deadlinesOf(self._clock).within(_WAIT, self.write)

    def write(self) -> None:
        """
        Write the lines that are kept.
        """
        if self._later is not None:
            self._later.cancel()
            self._later = None
        kept, self._kept = self._kept, []
        for event in kept:
            self._log.observer(event)
