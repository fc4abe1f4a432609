"""
The reference of the options.
"""

from __future__ import annotations

import io
import runpy
import sys
import warnings
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import Option, Side
from xtls.config.portoptions import ALL_OPTIONS
from xtls.config.reference import optionsReference

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "options.md"


class ReferenceTests(SynchronousTestCase):
    """
    L{optionsReference}.
    """

    def test_current(self) -> None:
        """
        The document is what the definitions say: if not, C{python -m xtls.config.reference} writes it.
        """
        self.assertEqual(DOCUMENT.read_text("utf-8"), optionsReference(ALL_OPTIONS.values()))

    def test_everyOption(self) -> None:
        """
        Each option has a line, with its default and its aliases.
        """
        lines = optionsReference(ALL_OPTIONS.values()).splitlines()
        for each in ALL_OPTIONS.values():
            (line,) = (line for line in lines if line.startswith(f"| `--{each.name}="))
            self.assertIn(f"| {each.default} |", line)
            for alias in each.aliases:
                self.assertIn(f"`{alias}`", line)

    def test_row(self) -> None:
        """
        A line says everything about the option, and has as many cells as its table.
        """
        option = Option(
            name="x-y",
            attribute="xY",
            parse=str,
            side=Side.CLIENT,
            help="this | that",
            metavar="a|b",
            default="a",
            aliases=("z",),
            stock="twist",
            repeatable=True,
            group="limits",
        )
        self.assertIn(
            r"| `--x-y=a\|b` | a | client | this \| that; repeatable |"
            " `z`, `twist` in endpoint strings, as Twisted has it |\n",
            optionsReference([option]),
        )

    def test_groups(self) -> None:
        """
        Each group has its heading, in the order of the definitions.
        """
        headings = [
            line for line in optionsReference(ALL_OPTIONS.values()).splitlines() if line.startswith("## ")
        ]
        groups = ["Certificates", "Verification", "Protocol", "Upgrades", "Timeouts", "Limits"]
        self.assertEqual(headings, [f"## {group}" for group in groups])

    def test_program(self) -> None:
        """
        Run as a program, the module writes the document to its standard output.
        """
        written = io.StringIO()
        self.patch(sys, "stdout", written)
        with warnings.catch_warnings():
            # it has been imported above, and is now run once more
            warnings.simplefilter("ignore", RuntimeWarning)
            runpy.run_module("xtls.config.reference", run_name="__main__")
        self.assertEqual(written.getvalue(), DOCUMENT.read_text("utf-8"))
