"""
How the findings of a check are told.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authority
from tests.test_findings import GOOD
from xtls.config.target import parseTarget
from xtls.programs.checkreport import VERSION, Report
from xtls.programs.portfindings import Reach
from xtls.programs.statuses import ExitStatus
from xtls.programs.steps import Notes
from xtls.trust.findings import Found, Grade, TLSFacts, Topic

GOOD_NEWS = Found(Grade.OK, Topic.TLS, "one", "all is as it should be")
NOTE = Found(Grade.NOTE, Topic.REACH, "two", "this is so", "think of it")
PROBLEM = Found(Grade.PROBLEM, Topic.CLIENTS, "three", "word " * 30 + "x" * 80, "do " * 40 + "something")
REPORT = Report(
    parseTarget("ssl://me:hunter2@h:1/"),
    Notes(1, reach=Reach(("192.0.2.1",), "192.0.2.1:1"), tls=GOOD),
    (NOTE, GOOD_NEWS, PROBLEM),
    ExitStatus.SSL_FAILURE,
    1.25,
    {PROBLEM: "xtls attach " + "x" * 100},
    datetime.now(timezone.utc),
)


class TextTests(SynchronousTestCase):
    """
    L{Report.text}.
    """

    def test_short(self) -> None:
        """
        Each finding under its topic, with a mark that is a word, its remedy, and its command.
        """
        report = replace(REPORT, found=(NOTE, GOOD_NEWS))
        self.assertEqual(
            report.text().splitlines(),
            [
                "ssl://me@h:1/",
                "",
                "reaching it",
                "  note     this is so.",
                "           -> think of it.",
                "",
                "TLS",
                "  ok       all is as it should be.",
                "",
                "1 note; 1 connection in 1.2 s",
            ],
        )

    def test_width(self) -> None:
        """
        Sentences are as wide as the terminal, if that is wide enough; what is to be copied stays whole.
        """
        for width in (1, 40, 60, 100):
            text = REPORT.text(width=width)
            self.assertIn(f"\n           {'x' * 80}.", text)
            self.assertIn(f"\n              xtls attach {'x' * 100}\n", text)
            for line in text.splitlines():
                self.assertTrue(len(line) <= max(width, 40) or "xxx" in line, line)

    def test_colours(self) -> None:
        """
        With colours, only marks are coloured; without, there is no control sequence.
        """
        self.assertNotIn("\x1b", REPORT.text())
        text = REPORT.text(colours=True)
        self.assertIn("  \x1b[1;31mproblem\x1b[0m  word", text)
        self.assertIn("  \x1b[32mok\x1b[0m       all is", text)

    def test_verbose(self) -> None:
        """
        Details are what is in the certificates, all of them.
        """
        text = REPORT.text(verbose=True)
        self.assertIn("the certificate\n  [0] subject: CN=server.test", text)
        self.assertIn("[0] selfSigned: no", text)
        self.assertIn("[0] names: server.test, localhost, 127.0.0.1 and ::1", text)
        self.assertNotIn("None", text)
        plain = replace(GOOD, presented=(authority().certificate,))
        self.assertNotIn("purposes", replace(REPORT, notes=Notes(tls=plain)).text(verbose=True))
        self.assertNotIn("subject:", replace(REPORT, notes=Notes()).text(verbose=True))

    def test_summary(self) -> None:
        """
        How much of each there is, the worst first, and how many connections it took.
        """
        self.assertEqual(REPORT.summary(), "1 problem, 1 note; 1 connection in 1.2 s")
        twice = replace(REPORT, found=(NOTE, NOTE), notes=Notes(2))
        self.assertEqual(twice.summary(), "2 notes; 2 connections in 1.2 s")
        self.assertTrue(replace(REPORT, found=(GOOD_NEWS,)).summary().startswith("all is well; "))


class JSONTests(SynchronousTestCase):
    """
    L{Report.json}.
    """

    def test_everything(self) -> None:
        """
        All that was found, under names that stay.
        """
        value = json.loads(REPORT.json())
        self.assertEqual(
            list(value),
            [
                "version",
                "target",
                "status",
                "worst",
                "connections",
                "seconds",
                "finished",
                "address",
                "addresses",
                "tls",
                "certificates",
                "findings",
            ],
        )
        self.assertEqual((value["version"], value["status"], value["worst"]), (VERSION, 16, "problem"))
        self.assertEqual(value["target"], "ssl://me@h:1/")
        self.assertEqual(value["tls"]["postQuantum"], True)
        self.assertEqual(
            value["tls"]["clientCertificate"], {"asked": False, "required": None, "authorities": []}
        )
        self.assertEqual(value["certificates"][0]["subject"], "CN=server.test")
        self.assertEqual(
            value["findings"][0],
            {
                "grade": "note",
                "topic": "reach",
                "kind": "two",
                "sentence": "this is so",
                "remedy": "think of it",
                "command": "",
            },
        )
        self.assertTrue(value["findings"][2]["command"])

    def test_noTLS(self) -> None:
        """
        Without TLS there is nothing of it.
        """
        for tls in (None, TLSFacts(problem="no")):
            value = json.loads(replace(REPORT, notes=Notes(tls=tls)).json())
            self.assertEqual((value["tls"], value["certificates"]), (None, []))
