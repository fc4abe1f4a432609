"""
What the C{xtls} command says while it runs: plain lines on standard error, of its own and from the log.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

__all__ = ["LogLines", "say", "showLog", "thisCommand"]

#: The command's name.
_NAME = "xtls"

#: Whose log records of level info are worth showing.
_OURS = "xtls."


def say(text: str) -> None:
    """
    Tell the user something.
    """
    named = text.startswith((f"{_NAME} ", f"{_NAME}:"))
    try:
        print(text if named else f"{_NAME}: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody listens, or a terminal in non-blocking mode is full


def thisCommand() -> str:
    """
    How a user who pastes it calls the command that runs now.
    """
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return shlex.join([sys.executable, "-m", "xtls"])
    found = shutil.which(_NAME)
    if found is not None and program.exists() and Path(found).samefile(program):
        return _NAME
    return shlex.quote(str(program.absolute()))


@implementer(ILogObserver)
@dataclass(frozen=True)
class LogLines:
    """
    Says what is logged.

    @ivar verbose: whether the steps of xtls are said too, and not only warnings and errors; and errors with
        their tracebacks.
    """

    verbose: bool

    def __call__(self, event: LogEvent) -> None:
        """
        Say an event, if it is for people.
        """
        level: Any = event.get("log_level", LogLevel.info)
        ours = str(event.get("log_namespace", "")).startswith(_OURS)
        if level < LogLevel.warn and not (self.verbose and ours and level >= LogLevel.info):
            return
        text = formatEvent(event)
        failure = event.get("log_failure")
        if failure is not None:
            text = f"{text.rstrip(': ')}: {failure.getErrorMessage()}"
            if self.verbose:
                text += f"\n{failure.getTraceback()}"
        say(text.strip())


def showLog(verbose: bool, beginner: Any = globalLogBeginner) -> None:
    """
    From now on, say what is logged.
    """
    beginner.beginLoggingTo([LogLines(verbose)], redirectStandardIO=False)
