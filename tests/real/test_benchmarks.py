"""
The benchmarks run; how fast is nothing that a test can say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import xtls
from benchmarks.peers import HAPROXY
from tests.support.programs import Done, run

ROOT = Path(xtls.__file__).parent.parent


class BenchmarksTests(SynchronousTestCase):
    """
    C{python -m benchmarks}.
    """

    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SkipTest("needs epoll and /proc")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def bench(self, *words: str) -> Done:
        """
        Run it, tiny.
        """
        command = [sys.executable, "-m", "benchmarks", "--quick", "--seconds=0.2", *words]
        return run(command, self.folder, variables={"PYTHONPATH": str(ROOT)}, deadline=120)

    def results(self, name: str) -> list[dict[str, Any]]:
        """
        What was written.
        """
        results: list[dict[str, Any]] = json.loads((self.folder / name).read_text("utf-8"))["results"]
        return results

    def test_run(self) -> None:
        """
        A work is done with xtls, and with another where that is installed; both are in the table, the rounds
        are in the file, and of the file the other two are made.
        """
        done = self.bench("--of=tls", "--work=echo100", "--peers=haproxy,xtls", "--json=results")
        self.assertEqual(done.status, 0, done.text)
        expected = {"xtls"} | ({"haproxy"} if HAPROXY.find() else set())
        results = self.results("results")
        self.assertEqual({each["peer"] for each in results}, expected)
        for each in results:
            self.assertEqual((each["trouble"], each["errors"], each["work"]), ("", 0, "echo100"), each)
            self.assertEqual(each["cipher"], "TLS_AES_128_GCM_SHA256")
            self.assertIn(each["peer"], done.output.decode("utf-8"))
        again = self.bench("--from=results", "--markdown=tables.md", "--plot=plot.svg")
        self.assertEqual(again.status, 0, again.text)
        self.assertIn("echoes, 100 connections", (self.folder / "tables.md").read_text("utf-8"))
        self.assertIn("</svg>", (self.folder / "plot.svg").read_text("utf-8"))

    def test_kinds(self) -> None:
        """
        Each kind of work gets something done: through TLS, through a WebSocket and plain, and by Twisted too.
        """
        words = ["--of=websocket,plain,transport", "--work=down1,up1,resumed,new", "--peers=xtls,stock"]
        done = self.bench(*words, "--json=results")
        self.assertEqual(done.status, 0, done.text)
        results = self.results("results")
        self.assertEqual(len(results), 2 + 2 + 3 + 6, results)
        for each in results:
            self.assertEqual((each["trouble"], each["errors"]), ("", 0), each)
            self.assertGreater(each["values"]["perSecond"], 0, each)

    def test_startAndMemory(self) -> None:
        """
        How long starting takes, and what an idle connection keeps.
        """
        words = ["--of=start,idle", "--work=help,listening,memory", "--peers=xtls", "--json=results"]
        done = self.bench(*words)
        self.assertEqual(done.status, 0, done.text)
        values = {each["work"]: each["values"] for each in self.results("results")}
        self.assertGreater(values["memory"]["memory"], 0)
        self.assertGreater(values["help"]["seconds"], 0)
        self.assertGreater(values["listening"]["seconds"], 0)

    def test_wrong(self) -> None:
        """
        What is wrong is said in one sentence.
        """
        done = self.bench("--work=nothing")
        self.assertEqual(done.status, 2)
        self.assertIn("python -m benchmarks: --work=nothing: there is no 'nothing'", done.text)
