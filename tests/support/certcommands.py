"""
The subcommands of C{xtls cert}, run in the process of the tests.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES
from xtls.errors import OptionError
from xtls.programs import cert

# at once, and not within the first test of the first of them: each is covered by the tests of its own
for _module, _purpose in cert.COMMANDS.values():
    importlib.import_module(_module)


class CertTestCase(SynchronousTestCase):
    """
    Tests with a place of their own for the default certificate, and for the user's own files.

    @ivar directory: that place, which is not there yet.
    @ivar default: where the default certificate is made.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.setEnvironment(**{SEARCH_VARIABLES[0]: str(self.directory)}, XDG_CONFIG_HOME=str(self.directory))
        self.default = self.directory / "ssl-cert.pem"

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
