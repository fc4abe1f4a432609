"""
The C{xtls} command.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys

from twisted.trial.unittest import SynchronousTestCase

import xtls
from xtls.programs import attach, cert, cli
from xtls.programs.cli import COMMANDS, main


class MainTests(SynchronousTestCase):
    """
    L{main}.
    """

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        Run the command.

        @return: its status, and what it printed to standard output and standard error.
        """
        output, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
            status = main(arguments)
        return status, output.getvalue(), error.getvalue()

    def test_version(self) -> None:
        """
        It says its version.
        """
        self.assertEqual(self.run_("--version"), (0, f"xtls {xtls.__version__}\n", ""))

    def test_help(self) -> None:
        """
        It says which commands there are.
        """
        for words in (["--help"], ["-h"], ["help"]):
            status, output, error = self.run_(*words)
            self.assertEqual((status, error), (0, ""))
            for name in COMMANDS:
                self.assertIn(f"  {name} ", output)
            known = {*attach._LINE.words, "help", "version"}
            self.assertLessEqual(set(re.findall(r"--([a-z-]+)", output)), known)

    def test_controls(self) -> None:
        """
        What a terminal would obey is shown and not obeyed, where an error repeats it.
        """
        status, output, error = self.run_("attach", "ssl://h/?%1b]0;x%07=1")
        self.assertEqual((status, output), (2, ""))
        self.assertIn("\\x1b]0;x\\x07", error)
        self.assertTrue(error.rstrip("\n").isprintable())

    def test_nothing(self) -> None:
        """
        Who says nothing is told the same, as an error.
        """
        status, output, error = self.run_()
        self.assertEqual((status, output), (2, ""))
        self.assertIn("xtls attach", error)

    def test_commands(self) -> None:
        """
        Each command explains itself, in both ways of asking, and defines what its options do unless told.
        """
        for name in COMMANDS:
            status, output, error = self.run_(name, "--help")
            self.assertEqual((status, error), (0, ""))
            self.assertIn(f"Usage: xtls {name}", output)
            self.assertEqual(self.run_("help", name), (0, output, ""))

    def test_unknownCommand(self) -> None:
        """
        A command that does not exist is refused with the nearest one.
        """
        status, output, error = self.run_("atach", "ssl://host/")
        self.assertEqual((status, output), (2, ""))
        self.assertIn("did you mean attach?", error)

    def test_error(self) -> None:
        """
        What is wrong is one sentence that names the command, and a status.
        """
        status, output, error = self.run_("cert", "fingerprint", "/no/such/file")
        self.assertEqual((status, output), (2, ""))
        self.assertTrue(error.startswith("xtls cert: /no/such/file: "))
        self.assertEqual(error.count("\n"), 1)

    def test_processArguments(self) -> None:
        """
        By default the command line is the process's.
        """
        self.patch(sys, "argv", ["xtls", "--version"])
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(main(), 0)
        self.assertEqual(output.getvalue(), f"xtls {xtls.__version__}\n")

    def test_interrupted(self) -> None:
        """
        An interruption that comes before there is a reactor has the same status as one after.
        """

        def interrupted(arguments: object) -> int:
            raise KeyboardInterrupt

        self.patch(cert, "run", interrupted)
        self.assertEqual(self.run_("cert")[0], 130)

    def test_nobodyReads(self) -> None:
        """
        When nobody reads the output, that is a quiet end.
        """
        replaced: list[int] = []

        def broken(arguments: object) -> int:
            raise BrokenPipeError

        def replace(fd: int, other: int) -> None:
            os.close(fd)
            replaced.append(other)

        self.patch(cert, "run", broken)
        self.patch(os, "dup2", replace)
        self.assertEqual((self.run_("cert")[0], replaced), (0, [1]))

    def test_fullDisk(self) -> None:
        """
        Output that cannot be written is an error in one sentence.
        """

        class Full(io.StringIO):
            """
            A file on a disk that is full.
            """

            def write(self, text: str) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "dup2", lambda fd, other: os.close(fd))
        self.patch(sys, "stdout", Full())
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            self.assertEqual(main(["--version"]), 1)
        self.assertEqual(error.getvalue(), "xtls: standard output: No space left on device\n")

    def test_noOutput(self) -> None:
        """
        Where there is no standard output, nothing is printed, and that is all.
        """
        self.patch(sys, "stdout", None)
        self.assertEqual(main(["--version"]), 0)

    def test_characters(self) -> None:
        """
        A terminal that cannot show a character shows something in its place.
        """
        output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        self.patch(sys, "stdout", output)
        self.patch(cli, "_HELP", "…\n")
        self.assertEqual(main(["--help"]), 0)
        self.assertEqual(output.buffer.getvalue(), b"?\n")
