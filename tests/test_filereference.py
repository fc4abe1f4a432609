"""
The reference of connection files.
"""

from __future__ import annotations

import io
import runpy
import sys
import warnings
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.connectionfile import ANCHORS, IGNORED, PLACE, RESERVED, parseConnectionFile
from xtls.config.definitions import Side, optionNamed
from xtls.config.filereference import connectionFilesReference
from xtls.config.options import TLSOptions
from xtls.config.portoptions import ALL_OPTIONS

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "connection-files.md"


class ReferenceTests(SynchronousTestCase):
    """
    L{connectionFilesReference}.
    """

    def test_current(self) -> None:
        """
        The document is what the definitions say: if not, C{python -m xtls.config.filereference} writes it.
        """
        self.assertEqual(DOCUMENT.read_text("utf-8"), connectionFilesReference())

    def test_everyKey(self) -> None:
        """
        Each key that can stand in a file is in it, by each of its names.
        """
        text = connectionFilesReference()
        for key in (*PLACE, *IGNORED, *(name for each in ALL_OPTIONS.values() for name in each.names)):
            self.assertIn(f"`{key}`", text)

    def test_passedOver(self) -> None:
        """
        What is said to be passed over is.
        """
        _, _, text = connectionFilesReference().partition("\n## What is passed over\n")
        keys = text.partition("xpra's:")[2].split("`")[1::2]
        self.assertGreater(len(keys), 100)
        for key in keys:
            parseConnectionFile(f"mode=ssl\nhost=h\n{key}=whatever\n", "x.xpra")

    def test_trust(self) -> None:
        """
        What somebody else's file may say is told of each option.
        """
        lines = connectionFilesReference().splitlines()
        for each in ALL_OPTIONS.values():
            if not each.side & Side.CLIENT:
                continue
            (line,) = [line for line in lines if line.startswith(f"| `{each.name}`")]
            told = line.split(" | ")[1]
            reserved = RESERVED.get(each.attribute)
            if reserved is not None:
                self.assertTrue(told.startswith(f"refused: {reserved.values}"), line)
            else:
                self.assertEqual(told, "whom to believe" if each.attribute in ANCHORS else "taken")
        for attribute in (*RESERVED, *ANCHORS):
            self.assertTrue(optionNamed(TLSOptions, attribute).side & Side.CLIENT, attribute)

    def test_program(self) -> None:
        """
        Run as a program, the module writes the document to its standard output.
        """
        written = io.StringIO()
        self.patch(sys, "stdout", written)
        with warnings.catch_warnings():
            # it has been imported above, and is now run once more
            warnings.simplefilter("ignore", RuntimeWarning)
            runpy.run_module("xtls.config.filereference", run_name="__main__")
        self.assertEqual(written.getvalue(), DOCUMENT.read_text("utf-8"))
