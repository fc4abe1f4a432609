"""
Where passphrases of files that are looked at come from.
"""

from __future__ import annotations

import io
import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.options import PASSPHRASE_VARIABLES
from xtls.errors import OptionError
from xtls.programs.certpassphrase import PASSWORD, passphraseOf
from xtls.programs.commandline import CommandLine, Given


class PassphraseTests(SynchronousTestCase):
    """
    L{passphraseOf}.
    """

    def setUp(self) -> None:
        bare = {name: value for name, value in os.environ.items() if name not in PASSPHRASE_VARIABLES}
        self.patch(os, "environ", bare)
        self.asked: list[str] = []

    def ask(self, prompt: str) -> str:
        """
        Somebody at a terminal.
        """
        self.asked.append(prompt)
        return "typed"

    def given(self, *words: str) -> Given:
        """
        A command line.
        """
        return CommandLine([PASSWORD]).parse(words)

    def test_commandLine(self) -> None:
        """
        What the command line says counts, and nobody is asked.
        """
        os.environ[PASSPHRASE_VARIABLES[0]] = "other"
        os.environ["MINE"] = "hush"
        password = passphraseOf(self.given("--password=env:MINE"), "a.p12", self.ask)
        self.assertEqual((password(True), password(False), self.asked), (b"hush", b"hush", []))
        missing = passphraseOf(self.given("--password=env:NOTHING"), "a.p12")
        self.assertEqual(self.assertRaises(OptionError, missing, True).option, "password")

    def test_prompt(self) -> None:
        """
        The command line can say that somebody is to be asked, whatever the environment has.
        """
        os.environ[PASSPHRASE_VARIABLES[0]] = "other"
        password = passphraseOf(self.given("--password=prompt"), "a.p12", self.ask)
        self.assertEqual((password(False), self.asked), (b"typed", ["passphrase of a.p12: "]))

    def test_environment(self) -> None:
        """
        Then the variables that hold passphrases of keys everywhere.
        """
        os.environ[PASSPHRASE_VARIABLES[1]] = "hush"
        password = passphraseOf(self.given(), "a.p12", self.ask)
        self.assertEqual((password(True), self.asked), (b"hush", []))

    def test_terminal(self) -> None:
        """
        Then somebody is asked, with the file's name, if it is needed.
        """
        password = passphraseOf(self.given(), "a.p12", self.ask)
        self.assertEqual((password(False), self.asked), (None, []))
        self.assertEqual((password(True), self.asked), (b"typed", ["passphrase of a.p12: "]))

    def test_nobody(self) -> None:
        """
        Where there is no terminal nobody is asked; who ends the input says nothing.
        """
        for stream in (None, io.StringIO()):
            self.patch(sys, "stdin", stream)
            self.assertIsNone(passphraseOf(self.given(), "a.p12")(True))

        def end(prompt: str) -> str:
            raise EOFError

        self.assertIsNone(passphraseOf(self.given(), "a.p12", end)(True))
