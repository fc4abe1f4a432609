"""
The subcommands of C{xtls cert}, run in the process of the tests.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib
import io
import os
import stat
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES
from xtls.errors import OptionError
from xtls.programs import cert
from xtls.trust.authorityfolder import AuthorityFolder

# at once, and not within the first test of the first of them: each is covered by the tests of its own
for _module, _purpose in cert.COMMANDS.values():
    importlib.import_module(_module)


class _Terminal(io.StringIO):
    """
    Standard input, where somebody sits.
    """

    def isatty(self) -> bool:
        """
        It is one.
        """
        return True


class CertTestCase(SynchronousTestCase):
    """
    Tests with a place of their own for the default certificate, and for the user's own files.

    @ivar directory: that place, which is not there yet.
    @ivar default: where the default certificate is made.
    @ivar ca: where the user's own CA is made.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.setEnvironment(**{SEARCH_VARIABLES[0]: str(self.directory)}, XDG_CONFIG_HOME=str(self.directory))
        self.default = self.directory / "ssl-cert.pem"
        self.ca = AuthorityFolder(self.directory / "ca")
        self.patch(sys, "stdin", io.StringIO())

    def setEnvironment(self, **variables: str) -> None:
        """
        Set variables until the end of the test.
        """
        self.patch(os, "environ", {**os.environ, **variables})

    def run_(self, *arguments: str, status: int = 0) -> str:
        """
        Run the command.

        @param status: what it must end with.
        @return: what it printed.
        """
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(cert.run(arguments), status)
        return output.getvalue()

    def refused(self, *arguments: str) -> OptionError:
        """
        Run the command with options that cannot be used.
        """
        return self.assertRaises(OptionError, cert.run, arguments)  # type: ignore[no-any-return]

    def answering(self, *answers: str) -> list[str]:
        """
        Be somebody at a terminal, until the end of the test.

        @param answers: what to answer to each question; after the last, to close the terminal.
        @return: the questions, as they are asked.
        """
        questions: list[str] = []
        left = iter(answers)

        def ask(question: str) -> str:
            questions.append(question)
            for answer in left:
                return answer
            raise EOFError

        self.patch(sys, "stdin", _Terminal())
        self.patch(getpass, "getpass", ask)
        return questions

    def enter(self) -> Path:
        """
        Work in a folder of its own, until the end of the test.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        return folder

    def assertPrivate(self, path: Path) -> None:
        """
        Nobody but the owner can read a file.
        """
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def assertHelpful(self, name: str) -> None:
        """
        A command explains itself with examples, on one screen.
        """
        output = self.run_(name, "--help")
        self.assertIn(f"Usage: xtls cert {name}", output)
        self.assertIn("Examples:\n", output)
        lines = output.splitlines()
        self.assertLessEqual(len(lines), 40)
        self.assertLessEqual(max(map(len, lines)), 110)
