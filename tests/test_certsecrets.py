"""
The passphrases of the commands that make certificates.
"""

from __future__ import annotations

import getpass
import io
import sys

from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import OptionError
from xtls.programs.certsecrets import PROMPT, Ask, givenPassphrase, newPassphraseOf, terminal
from xtls.programs.commandline import Given


class Terminal(io.StringIO):
    """
    Standard input, where somebody sits.
    """

    def isatty(self) -> bool:
        return True


class PassphraseTests(SynchronousTestCase):
    """
    L{givenPassphrase} and L{newPassphraseOf}.
    """

    def given(self, text: str) -> Given:
        """
        A command line that says where a passphrase is.
        """
        return Given({"password": (text,)})

    def answers(self, *answers: str) -> Ask:
        """
        Somebody who answers.
        """
        left = list(answers)
        return lambda question: left.pop(0)

    def refused(self, text: str, ask: Ask | None) -> str:
        """
        Say a passphrase that cannot be used.

        @return: why.
        """
        error = self.assertRaises(OptionError, newPassphraseOf, self.given(text), "password", "? ", ask)
        self.assertEqual(error.option, "password")
        return str(error.problem)

    def test_given(self) -> None:
        """
        A passphrase is where the option says; without the option there is none.
        """
        self.assertIsNone(givenPassphrase(Given(), "password", "? ", None))
        self.assertIsNone(newPassphraseOf(Given(), "password", "? ", None))
        self.patch(sys.modules["os"], "environ", {"SECRET": "sesame"})
        for read in (givenPassphrase, newPassphraseOf):
            self.assertEqual(read(self.given("env:SECRET"), "password", "? ", None), b"sesame")

    def test_asked(self) -> None:
        """
        The option may say to ask: once for a passphrase that there is, and twice for a new one.
        """
        answers = self.answers("sesame", "sesame", "sesame")
        self.assertEqual(givenPassphrase(self.given(PROMPT), "password", "? ", answers), b"sesame")
        self.assertEqual(newPassphraseOf(self.given(PROMPT), "password", "? ", answers), b"sesame")
        self.assertIn("not the same", self.refused(PROMPT, self.answers("sesame", "simsim")))

    def test_refused(self) -> None:
        """
        An empty passphrase is refused, and so are one that is no text, and one that is said itself, where
        everybody on the machine could read it; nobody can be asked without a terminal.
        """

        def end(question: str) -> str:
            raise EOFError

        self.assertIn("empty", self.refused(PROMPT, self.answers("")))
        self.assertIn("empty", self.refused(PROMPT, end))
        for text in ("", "promt", "enc:SECRET", "sesame"):
            problem = self.refused(text, self.answers("sesame"))
            self.assertIn("env:NAME", problem)
            self.assertNotIn("sesame", problem)
        self.assertIn("UTF-8", self.refused(PROMPT, self.answers("\udcff")))
        self.assertIn("terminal", self.refused(PROMPT, None))

    def test_terminal(self) -> None:
        """
        The user can be asked where standard input is a terminal.
        """
        for stream, expected in ((Terminal(), getpass.getpass), (io.StringIO(), None), (None, None)):
            self.patch(sys, "stdin", stream)
            self.assertIs(terminal(), expected)
