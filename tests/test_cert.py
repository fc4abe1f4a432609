"""
C{xtls cert}.
"""

from __future__ import annotations

import contextlib
import importlib
import io

from tests.support.certcommands import CertTestCase
from xtls.programs import cert


class CommandsTests(CertTestCase):
    """
    The commands that there are.
    """

    def test_help(self) -> None:
        """
        The help lists every command; it is what was asked for, or what somebody needs who says nothing: then
        it is an error.
        """
        for words in (["--help"], ["-h"], ["help"]):
            output = self.run_(*words)
            for name in cert.COMMANDS:
                self.assertIn(f"  {name} ", output)
        self.assertLessEqual(max(map(len, output.splitlines())), 100)
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            self.assertEqual(cert.run([]), 2)
        self.assertEqual(error.getvalue(), output)

    def test_helpAbout(self) -> None:
        """
        Help about a command can be asked for before and after its name.
        """
        self.assertEqual(self.run_("help", "self-signed"), self.run_("self-signed", "--help"))

    def test_commands(self) -> None:
        """
        Every command that is listed is there.
        """
        for module, purpose in cert.COMMANDS.values():
            self.assertTrue(callable(importlib.import_module(module).run), purpose)

    def test_unknown(self) -> None:
        """
        A word that is no command is refused with the nearest one.
        """
        self.assertIn("did you mean show?", self.refused("sohw").problem)
