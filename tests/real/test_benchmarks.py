"""
The benchmarks run; how fast is nothing that a test can say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import xtls
from benchmarks.__main__ import SUBJECTS
from benchmarks.load import WORKLOADS
from tests.support.programs import run

ROOT = Path(xtls.__file__).parent.parent


class BenchmarksTests(SynchronousTestCase):
    """
    C{python -m benchmarks}.
    """

    def test_run(self) -> None:
        """
        Of both subjects, every workload is done with every server, and something got through.
        """
        for subject, names in SUBJECTS.items():
            folder = Path(self.mktemp()).absolute()
            folder.mkdir()
            command = [sys.executable, "-m", "benchmarks", "--rounds=1", "--seconds=0.3", "--json=results"]
            variables = {"PYTHONPATH": str(ROOT)}
            done = run([*command, f"--of={subject}"], folder, variables=variables, deadline=120)
            self.assertEqual(done.status, 0, done.text)
            self.assertIn("echo 100", done.text)
            results = json.loads((folder / "results").read_text("utf-8"))["results"]
            self.assertEqual(
                {(each["server"], each["workload"]) for each in results},
                {(server, workload) for server in names for workload in WORKLOADS},
            )
            for each in results:
                self.assertGreater(each["units"], 0, each)
