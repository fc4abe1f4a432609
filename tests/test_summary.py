"""
The last line of C{.ci/run}.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

_PATH = Path(__file__).parent.parent / ".ci" / "summary.py"
_spec = importlib.util.spec_from_file_location("summary", _PATH)
assert _spec is not None and _spec.loader is not None
summary = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(summary)


class SummarizeTests(SynchronousTestCase):
    """
    What trial printed becomes C{N passed, N failed, N skipped}.
    """

    def summarized(self, log: str, **steps: int) -> tuple[str, bool]:
        """
        The line and the verdict for a log.
        """
        result: tuple[str, bool] = summary.summarize(log, steps)
        return result

    def test_passed(self) -> None:
        """
        A run in which all is well is counted and is well.
        """
        log = "Ran 120 tests in 3.2s\n\nPASSED (skips=2, expectedFailures=1, successes=117)\n"
        self.assertEqual(self.summarized(log, test=0, check=0), ("118 passed, 0 failed, 2 skipped", True))

    def test_failed(self) -> None:
        """
        Failures, errors and unexpected successes are all failures; the step's status is not counted again.
        """
        log = "FAILED (skips=1, failures=2, errors=3, unexpectedSuccesses=1, successes=4)\nmake: Error 1\n"
        self.assertEqual(self.summarized(log, test=2), ("4 passed, 6 failed, 1 skipped", False))

    def test_crashed(self) -> None:
        """
        Where trial says nothing, something failed.
        """
        self.assertEqual(self.summarized("", test=124), ("0 passed, 1 failed, 0 skipped", False))
        self.assertEqual(self.summarized("", test=0), ("0 passed, 1 failed, 0 skipped", False))

    def test_nothingRun(self) -> None:
        """
        Trial's summary of no tests has no numbers.
        """
        self.assertEqual(self.summarized("\nPASSED\n", test=0), ("0 passed, 0 failed, 0 skipped", True))

    def test_otherStep(self) -> None:
        """
        A step besides the tests that fails is one failure, also when tests failed.
        """
        self.assertEqual(
            self.summarized("PASSED (successes=5)", test=0, check=2), ("5 passed, 1 failed, 0 skipped", False)
        )
        self.assertEqual(
            self.summarized("FAILED (failures=1)", test=1, check=2), ("0 passed, 2 failed, 0 skipped", False)
        )

    def test_failedAfterTests(self) -> None:
        """
        A test run that ends badly after its summary is not taken for a good one.
        """
        self.assertEqual(
            self.summarized("PASSED (successes=5)", test=1), ("5 passed, 1 failed, 0 skipped", False)
        )

    def test_lastSummaryCounts(self) -> None:
        """
        A line that only looks like the summary, earlier or inside another line, is passed over; colours too.
        """
        log = "PASSED (successes=1)\nit said PASSED (successes=9)\n\x1b[32mPASSED\x1b[0m (successes=3)\n"
        self.assertEqual(self.summarized(log, test=0), ("3 passed, 0 failed, 0 skipped", True))

    def test_main(self) -> None:
        """
        The program reads a file, octets of any kind, and says by its status whether all is well.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"\xff\xfe\nPASSED (successes=3)\n")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(summary.main([str(path), "test=0"]), 0)
            self.assertEqual(summary.main([str(path), "test=0", "check=1"]), 1)
        self.assertEqual(
            output.getvalue().splitlines(),
            ["3 passed, 0 failed, 0 skipped", "check: status 1", "3 passed, 1 failed, 0 skipped"],
        )
