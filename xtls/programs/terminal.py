"""
A question for the person at the terminal.

As ssh does it, the question goes to the terminal of the session (C{/dev/tty}) and not to standard input,
which may be data.  It is asked only where somebody can be expected to answer: there is such a terminal, this
process is in its foreground, and standard error is a terminal too, since a program that reads what this one
says would wait for ever for an answer that nobody knows they are to give.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from xtls.programs.standardio import Input

__all__ = ["Terminal", "openTerminal"]

#: The terminal of the session, tty(4).
_PATH: Final = "/dev/tty"

#: How often somebody is asked for an answer that can be understood.
_ATTEMPTS: Final = 3


def openTerminal(path: str = _PATH, watched: int = 2) -> Terminal | None:
    """
    Find the terminal at which somebody sits.

    @param watched: the descriptor that must be a terminal: standard error.
    @return: L{None} if nobody can be asked.
    """
    flags = os.O_RDWR | getattr(os, "O_NOCTTY", 0)
    try:
        if not os.isatty(watched):
            return None
        fd = os.open(path, flags)
    except OSError:
        return None
    try:
        # who is in the background would be stopped for reading
        if os.tcgetpgrp(fd) == os.getpgrp():
            return Terminal(fd)
    except OSError:
        pass  # no terminal, or not that of this session
    os.close(fd)
    return None


class Terminal:
    """
    A terminal, in the mode in which lines are typed.
    """

    def __init__(self, fd: int) -> None:
        """
        @param fd: its descriptor, which is closed by L{close}.
        """
        self._fd = fd

    def close(self) -> None:
        """
        Let go of it.
        """
        os.close(self._fd)

    def say(self, text: str) -> None:
        """
        Show something.
        """
        data = text.encode("utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            pass  # it hung up, and so nobody will answer either

    def ask(self, reactor: Any, question: str, answers: Collection[str], default: str) -> Deferred[str]:
        """
        Ask.

        @param reactor: provides L{IReactorFDSet} and L{IReactorTime}.
        @param answers: the words that answer it.
        @param default: the answer of whoever types nothing, ends the input, or says nothing that can be
            understood.
        @return: fires with the answer, and fails with L{CancelledError} when interrupted from the keyboard.
        """
        return _Asking(self, reactor, question, answers, default).begin(self._fd)


class _Asking:
    """
    One question, until it is answered.
    """

    def __init__(
        self, terminal: Terminal, reactor: Any, question: str, answers: Collection[str], default: str
    ) -> None:
        self._terminal = terminal
        self._reactor = reactor
        self._question = question
        self._answers = answers
        self._default = default
        self._left = _ATTEMPTS
        self._answered: Deferred[str] = Deferred(lambda _: self._finish())
        self._restore: Callable[[], object] = lambda: None

    def begin(self, fd: int) -> Deferred[str]:
        """
        Ask it.
        """
        _dropTyped(fd)
        self._input = Input(self._reactor, fd, self._received, self._ended)
        # the command may leave SIGINT to a program that it is to run, and that does not run yet
        before = signal.signal(
            signal.SIGINT, lambda *_: self._reactor.callFromThread(self._end, Failure(CancelledError()))
        )
        self._restore = lambda: signal.signal(signal.SIGINT, before)
        self._terminal.say(self._question)
        self._input.resumeProducing()
        return self._answered

    def _received(self, data: bytes) -> None:
        """
        A line was typed.
        """
        word = data.decode("utf-8", "replace").strip().lower()
        self._left -= 1
        if word in self._answers:
            self._end(word)
        elif not word or not self._left:
            self._end(self._default)
        else:
            self._terminal.say(f"Answer {_listed(self._answers)}: ")

    def _ended(self) -> None:
        """
        There will be no answer.
        """
        self._terminal.say("\n")
        self._end(self._default)

    def _end(self, outcome: str | Failure) -> None:
        """
        There is an answer, or none will come.
        """
        if self._answered.called:
            return
        self._finish()
        if isinstance(outcome, Failure):
            self._terminal.say("\n")
            self._answered.errback(outcome)
        else:
            self._answered.callback(outcome)

    def _finish(self) -> None:
        """
        Leave all as it was.
        """
        self._input.stopProducing()
        self._restore()


def _listed(words: Collection[str]) -> str:
    """
    Some words, with "or" before the last.
    """
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _dropTyped(fd: int) -> None:
    """
    Forget what was typed before there was a question: it cannot be the answer.
    """
    import termios  # every system that has terminals has this

    with suppress(termios.error):  # it hung up
        termios.tcflush(fd, termios.TCIFLUSH)
