"""
Twisted's own tests of endpoints, with our keywords enabled in its C{ssl:} strings.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import xtls
from tests.support.programs import run

ROOT = Path(xtls.__file__).parent.parent

SUITE = "twisted.internet.test.test_endpoints"

#: Runs trial as its own program does, perhaps with our keywords.
_TRIAL = """
import sys
from xtls.endpoints.strings import enableStockSSL
if sys.argv.pop(1) == "on":
    enableStockSSL()
from twisted.scripts.trial import run
run()
"""


class StockSSLTests(SynchronousTestCase):
    """
    L{enableStockSSL<xtls.endpoints.stock.enableStockSSL>} changes nothing that Twisted promises.
    """

    def passed(self, switch: str) -> tuple[int, str]:
        """
        Run Twisted's tests.

        @return: how many there are, and trial's verdict.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        done = run(
            (sys.executable, "-c", _TRIAL, switch, "--reporter=text", SUITE),
            folder,
            variables={"PYTHONPATH": str(ROOT)},
            deadline=120.0,
        )
        ran = re.search(r"^Ran ([0-9]+) tests", done.text, re.MULTILINE)
        assert ran is not None, done.text
        self.assertEqual(done.status, 0, done.text)
        return int(ran[1]), done.text.splitlines()[-1]

    def test_same(self) -> None:
        """
        As many of Twisted's own tests pass with it as without it: all of them.
        """
        without, expected = self.passed("off")
        self.assertGreater(without, 200)
        self.assertTrue(expected.startswith("PASSED"), expected)
        self.assertEqual(self.passed("on"), (without, expected))
