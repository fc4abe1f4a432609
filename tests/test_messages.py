"""
What the command says while it runs.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from twisted.logger import ILogObserver, Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from xtls.programs.messages import LogLines, say, showLog, thisCommand


class SaidTestCase(SynchronousTestCase):
    """
    Tests of what is said on standard error.
    """

    def setUp(self) -> None:
        self.error = io.StringIO()
        self.patch(sys, "stderr", self.error)

    def said(self) -> str:
        """
        All of it.
        """
        return self.error.getvalue()


class SayTests(SaidTestCase):
    """
    L{say}.
    """

    def test_say(self) -> None:
        """
        A line says who speaks.
        """
        say("hello")
        self.assertEqual(self.said(), "xtls: hello\n")

    def test_nameOnce(self) -> None:
        """
        A line that begins with the name does not get another.
        """
        say("xtls listening")
        say("xtls: cannot listen")
        self.assertEqual(self.said(), "xtls listening\nxtls: cannot listen\n")

    def test_nobodyListens(self) -> None:
        """
        That nobody can be told is no reason to fail.
        """

        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise BlockingIOError

        self.patch(sys, "stderr", Full())
        say("hello")


class LogLinesTests(SaidTestCase):
    """
    L{LogLines} and L{showLog}.
    """

    def logged(self, verbose: bool, namespace: str = "xtls.port") -> Logger:
        """
        A logger whose events are said.
        """
        lines = LogLines(verbose)
        verifyObject(ILogObserver, lines)
        return Logger(namespace, observer=lines)

    def test_warnings(self) -> None:
        """
        Warnings and errors are said, whoever logs them; steps are not.
        """
        logger = self.logged(False, "somebody.else")
        logger.info("a step")
        logger.warn("beware of {what}", what="dogs")
        logger.error("too late")
        self.assertEqual(self.said(), "xtls: beware of dogs\nxtls: too late\n")

    def test_verbose(self) -> None:
        """
        When asked to be, steps of ours are said too, but neither those of others nor debugging.
        """
        self.logged(True).info("a step")
        self.logged(True).debug("a detail")
        self.logged(True, "twisted.internet").info("Starting factory")
        self.assertEqual(self.said(), "xtls: a step\n")

    def test_failure(self) -> None:
        """
        An error is said in one line; its traceback only when asked for.
        """
        failure = Failure(ValueError("wrong"))
        self.logged(False).failure("While trying", failure=failure)
        self.assertEqual(self.said(), "xtls: While trying: wrong\n")
        self.logged(True).failure("While trying", failure=failure)
        self.assertIn("Traceback", self.said())

    def test_oldEvents(self) -> None:
        """
        Events without level and namespace are not ours.
        """
        LogLines(True)({"log_format": "old"})
        self.assertEqual(self.said(), "")

    def test_showLog(self) -> None:
        """
        The log is led to standard error, which stays what it is.
        """

        class Beginner:
            def beginLoggingTo(self, observers: list[ILogObserver], *, redirectStandardIO: bool) -> None:
                self.publisher = LogPublisher(*observers)
                self.redirected = redirectStandardIO

        beginner = Beginner()
        showLog(True, beginner)
        self.assertFalse(beginner.redirected)
        logger = Logger("xtls.port", observer=beginner.publisher)
        logger.info("one")
        self.assertEqual(self.said(), "xtls: one\n")


class ThisCommandTests(SynchronousTestCase):
    """
    L{thisCommand}.
    """

    def test_module(self) -> None:
        """
        A module is run by its interpreter.
        """
        self.patch(sys, "argv", ["/somewhere/xtls/__main__.py"])
        self.assertEqual(thisCommand(), f"{sys.executable} -m xtls")

    def test_inPath(self) -> None:
        """
        A program that is found by its name is called by it.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"")
        self.patch(sys, "argv", [str(path)])
        self.patch(shutil, "which", lambda name: str(path))
        self.assertEqual(thisCommand(), "xtls")

    def test_elsewhere(self) -> None:
        """
        One that is not, or not the same, is called by its path, quoted.
        """
        path, other = Path(self.mktemp() + " x"), Path(self.mktemp())
        path.write_bytes(b"")
        other.write_bytes(b"")
        self.patch(sys, "argv", [str(path)])
        for found in (None, str(other)):
            self.patch(shutil, "which", lambda name, found=found: found)
            self.assertEqual(thisCommand(), f"'{path.absolute()}'")
