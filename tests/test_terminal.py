"""
A question for the person at the terminal.
"""

from __future__ import annotations

import os
import pty
import select
import signal
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from xtls.programs import terminal
from xtls.programs.terminal import Terminal, openTerminal

WORDS = ("once", "always", "no")


class _Reactor(MemoryReactorClock):
    """
    A reactor with one thread.
    """

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        """
        At once.
        """
        call(*arguments)


class TerminalCase(SynchronousTestCase):
    """
    A terminal, both ends of which are the test's.
    """

    def setUp(self) -> None:
        self.reactor = _Reactor()
        self.outer, self.inner = pty.openpty()
        self.addCleanup(self.hangUp)
        self.addCleanup(os.close, self.inner)

    def hangUp(self) -> None:
        """
        Nobody is at the terminal any more.
        """
        if self.outer >= 0:
            os.close(self.outer)
            self.outer = -1

    def shown(self) -> str:
        """
        What is on the screen, as far as it has not been read yet.
        """
        seen = b""
        while select.select([self.outer], [], [], 0)[0]:
            seen += os.read(self.outer, 4096)
        return seen.decode("utf-8").replace("\r\n", "\n")


class OpenTests(TerminalCase):
    """
    L{openTerminal}.
    """

    def opened(self, path: str = "", watched: int = -1) -> Terminal | None:
        """
        Open the terminal, as if it were that of the session.
        """
        return openTerminal(path or os.ttyname(self.inner), self.inner if watched < 0 else watched)

    def test_there(self) -> None:
        """
        Where there is a terminal, and this process is in its foreground, there is somebody to ask.
        """
        self.patch(os, "tcgetpgrp", lambda fd: os.getpgrp())
        found = self.opened()
        assert found is not None
        found.say("hello\n")
        found.close()
        self.assertEqual(self.shown(), "hello\n")

    def test_nobody(self) -> None:
        """
        Nobody is asked where the session has no terminal, where standard error is none, where this process is
        in the background, and where the terminal is that of another session.
        """
        self.assertIsNone(self.opened("/nonexistent"))
        self.patch(os, "tcgetpgrp", lambda fd: os.getpgrp() + 1)
        self.assertIsNone(self.opened())
        with open(os.devnull, "rb") as null:
            self.assertIsNone(self.opened(watched=null.fileno()))

    def test_anotherSession(self) -> None:
        """
        A terminal that is not that of the session is not asked at.
        """
        self.assertIsNone(self.opened())


class AskTests(TerminalCase):
    """
    L{Terminal.ask}.
    """

    def ask(self) -> Deferred[str]:
        """
        Ask.
        """
        self.terminal = Terminal(self.inner)
        return self.terminal.ask(self.reactor, "Which? ", WORDS, "no")

    def type(self, text: bytes) -> None:
        """
        Type something, and let it be read.
        """
        os.write(self.outer, text)
        (reader,) = self.reactor.getReaders()
        reader.doRead()

    def test_answers(self) -> None:
        """
        Each of the words is an answer, in either case, with spaces around it; the question is shown.
        """
        for word in WORDS:
            answer = self.ask()
            self.assertEqual(self.shown(), "Which? ")
            self.assertNoResult(answer)
            self.type(f" {word.upper()} \n".encode())
            self.assertEqual(self.successResultOf(answer), word)
            self.assertEqual(self.reactor.getReaders(), [])
            self.shown()

    def test_default(self) -> None:
        """
        Whoever types nothing, or ends the input, gives the default answer.
        """
        for text in (b"\n", b"  \n", b"\x04"):
            answer = self.ask()
            self.type(text)
            self.assertEqual(self.successResultOf(answer), "no")

    def test_unknown(self) -> None:
        """
        What is no answer is asked for again, and in the end taken for the default: nothing is guessed.
        """
        answer = self.ask()
        self.type(b"yes\n")
        self.assertIn("Answer once, always or no: ", self.shown())
        self.type(b"always\n")
        self.assertEqual(self.successResultOf(answer), "always")
        answer = self.ask()
        for word in (b"y\n", b"alway\n", b"\xff\xfe\n"):
            self.assertNoResult(answer)
            self.type(word)
        self.assertEqual(self.successResultOf(answer), "no")

    def test_typedBefore(self) -> None:
        """
        What was typed before the question is not the answer.
        """
        os.write(self.outer, b"always\n")
        self.assertTrue(select.select([self.inner], [], [], 5)[0])
        answer = self.ask()
        self.assertEqual(select.select([self.inner], [], [], 0)[0], [])
        self.assertNoResult(answer)
        self.type(b"no\n")

    def test_interrupted(self) -> None:
        """
        An interruption from the keyboard ends the question, whatever it meant before, and means that again.
        """
        heard: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
        self.addCleanup(signal.signal, signal.SIGINT, before)
        answer = self.ask()
        os.kill(os.getpid(), signal.SIGINT)
        self.failureResultOf(answer, CancelledError)
        self.assertEqual((heard, self.reactor.getReaders()), ([], []))
        os.kill(os.getpid(), signal.SIGINT)
        self.assertEqual(heard, [signal.SIGINT])

    def test_cancelled(self) -> None:
        """
        Whoever does not want the answer any more gets none, and the terminal is left alone.
        """
        handler = signal.getsignal(signal.SIGINT)
        answer = self.ask()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertIs(signal.getsignal(signal.SIGINT), handler)

    def test_once(self) -> None:
        """
        There is one answer.
        """
        answer = self.ask()
        (reader,) = self.reactor.getReaders()
        handler: Any = signal.getsignal(signal.SIGINT)
        self.type(b"once\n")
        handler(signal.SIGINT, None)
        reader.connectionLost(None)
        self.assertEqual(self.successResultOf(answer), "once")

    def test_hangUp(self) -> None:
        """
        When the terminal hangs up there is no answer but the default, and nothing is raised.
        """
        answer = self.ask()
        (reader,) = self.reactor.getReaders()
        self.hangUp()
        self.terminal.say("Which? ")
        reader.doRead()
        self.assertEqual(self.successResultOf(answer), "no")
        terminal._dropTyped(self.inner)
