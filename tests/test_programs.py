"""
The running of other programs, which the tests in C{tests/real} stand on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.programs import Program, find, run

PYTHON = sys.executable


class FindTests(SynchronousTestCase):
    """
    Programs that may not be there.
    """

    def test_missing(self) -> None:
        """
        A missing program skips the test; where nothing may be skipped, it fails.
        """
        self.patch(os, "environ", {})
        self.assertRaises(SkipTest, find, "no-such-program")
        self.patch(os, "environ", {"CI": "true"})
        self.assertRaises(AssertionError, find, "no-such-program")


class RunTests(SynchronousTestCase):
    """
    Programs that end.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def test_done(self) -> None:
        """
        What it printed, and how it ended, are told; its home is the test's folder.
        """
        script = "import os,sys; sys.stderr.write(os.environ['HOME']); print(sys.stdin.read()); sys.exit(3)"
        done = run([PYTHON, "-c", script], self.folder, given=b"input")
        self.assertEqual((done.status, done.output.strip()), (3, b"input"))
        self.assertEqual(done.errors, str(self.folder).encode())
        self.assertIn("input", done.text)

    def test_late(self) -> None:
        """
        A program that does not end is ended.
        """
        self.assertRaises(
            AssertionError, run, [PYTHON, "-c", "import time; time.sleep(60)"], self.folder, deadline=0.2
        )


class ProgramTests(SynchronousTestCase):
    """
    Programs that stay.
    """

    def start(self, script: str, pipe: bool = False) -> Program:
        """
        Start a program of Python.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return Program(self, [PYTHON, "-c", script], folder, pipe=pipe)

    def test_stays(self) -> None:
        """
        What it says can be waited for; it is ended with the test.
        """
        program = self.start("import time; print('port 1234'); time.sleep(60)")
        self.assertEqual(program.waitFor(r"^port (\d+)$")[1], "1234")
        self.assertRaises(AssertionError, program.waitFor, "never", 0.1)
        self.assertRaises(AssertionError, program.wait, 0.1)
        if sys.platform == "linux":
            self.assertGreater(program.memory(), 1 << 20)
        program.stop()
        self.assertNotEqual(program.process.poll(), None)

    def test_ends(self) -> None:
        """
        A program that ends without a word does not keep the test waiting.
        """
        program = self.start("pass")
        self.assertRaises(AssertionError, program.waitFor, "never")
        self.assertEqual(program.wait(), 0)

    def test_pipe(self) -> None:
        """
        It can be talked to.
        """
        program = self.start("print(input())", pipe=True)
        assert program.process.stdin is not None
        program.process.stdin.write(b"hello\n")
        program.process.stdin.flush()
        program.waitFor("hello")
