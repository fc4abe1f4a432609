"""
What the benchmarks make of what they measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.jobs import percentile
from benchmarks.markdown import BEGIN, END, markdown, replaced
from benchmarks.plot import place, plot
from benchmarks.report import block, number, report, summary
from benchmarks.results import Result, Table, fromJSON, medians, ratio, remarks, table, tables
from benchmarks.rounds import valuesOf
from benchmarks.works import CIPHER


def result(peer: str, perUsed: float, *, front: str = "tls", work: str = "down1", **more: float) -> Result:
    """
    One round, by a server that had nothing else to do.
    """
    values = {"perUsed": perUsed, "perSecond": perUsed, "busy": 1.0, "others": 0.0, **more}
    return Result(front, work, peer, 0, values, cipher=CIPHER)


def made(*results: Result) -> Table:
    """
    The table of one work.
    """
    found = table(results, results[0].front, results[0].work)
    assert found is not None
    return found


class StatisticsTests(SynchronousTestCase):
    """
    Medians, percentiles and ratios.
    """

    def test_medians(self) -> None:
        """
        The median of each value, of the rounds that have it.
        """
        rounds = [result("a", 1.0), result("a", 9.0), result("a", 2.0, p50=7.0)]
        self.assertEqual(medians(rounds)["perUsed"], 2.0)
        self.assertEqual(medians(rounds)["p50"], 7.0)

    def test_percentile(self) -> None:
        """
        Of nothing it is zero; of one, that one; the largest share is the largest value.
        """
        self.assertEqual(percentile([], 0.5), 0.0)
        self.assertEqual(percentile([3.0], 0.99), 3.0)
        self.assertEqual(percentile([1.0, 2.0, 3.0, 4.0], 0.5), 3.0)
        self.assertEqual(percentile([1.0, 2.0], 1.0), 2.0)

    def test_ratio(self) -> None:
        """
        Above one is better, whether more or less is.
        """
        self.assertEqual(ratio(3.0, 2.0, less=False), 1.5)
        self.assertEqual(ratio(2.0, 3.0, less=True), 1.5)
        self.assertIsNone(ratio(2.0, None, less=False))
        self.assertIsNone(ratio(0.0, 1.0, less=True))

    def test_values(self) -> None:
        """
        Rates are of the time and of what the server used, never nothing; what others used is the rest.
        """
        load = {
            "units": 100,
            "seconds": 2.0,
            "used": 0.5,
            "generator": 0.4,
            "backend": 0.1,
            "machine": 1.2,
            "busiest": 0.4,
            "p50": 1.0,
            "p99": 2.0,
            "resumed": 50,
        }
        values = valuesOf(load)
        self.assertEqual((values["perUsed"], values["perSecond"], values["busy"]), (200.0, 50.0, 0.25))
        self.assertAlmostEqual(values["others"], 0.1)
        self.assertEqual((values["resumed"], values["perBusiest"]), (0.5, 250.0))
        self.assertEqual(valuesOf({**load, "used": 0.0})["perUsed"], 10000.0)


class TableTests(SynchronousTestCase):
    """
    L{table} and L{tables}.
    """

    def test_ratios(self) -> None:
        """
        Ratios are to the best of the others, by each measure; ours is not what the others are compared with.
        """
        found = made(
            result("nginx", 8e6, perSecond=5e6), result("hitch", 4e6, perSecond=6e6), result("xtls", 16e6)
        )
        self.assertEqual([row.ratio for row in found.rows], [1.0, 0.5, 2.0])
        ours, best = found.ours, found.best
        assert ours is not None and best is not None
        self.assertEqual((best.peer, best.value), ("nginx", 8.0))
        self.assertAlmostEqual(ours.clock or 0, 16 / 6)
        self.assertIs(found.reached, True)

    def test_less(self) -> None:
        """
        Of memory, less is better, and the goal is a value.
        """
        memory = [result(peer, 1.0, front="idle", work="memory", memory=kept) for peer, kept in KEPT.items()]
        found = made(*memory)
        ours, best = found.ours, found.best
        assert ours is not None and best is not None
        self.assertEqual(best.peer, "haproxy")
        self.assertAlmostEqual(ours.ratio or 0, 17 / 34)
        self.assertIs(found.reached, False)

    def test_alone(self) -> None:
        """
        Without others there is no ratio, and a goal that is one is neither reached nor missed.
        """
        found = made(result("xtls", 1.0))
        ours = found.ours
        assert ours is not None
        self.assertEqual((ours.ratio, ours.clock, found.best, found.reached), (None, None, None, None))
        self.assertIsNone(made(result("nginx", 1.0)).reached)

    def test_order(self) -> None:
        """
        Each work has one table, in the order in which they were done; one that nobody could do has none.
        """
        results = [
            result("xtls", 1.0, work="up1"),
            Result("tls", "rsa", "xtls", 0, trouble="it did not start"),
            result("xtls", 1.0, front="ws"),
            result("xtls", 2.0, work="up1"),
        ]
        self.assertEqual(
            [(each.front, each.work.name) for each in tables(results)], [("tls", "up1"), ("ws", "down1")]
        )

    def test_json(self) -> None:
        """
        What was written is read again.
        """
        results = [result("xtls", 1.0), Result("tls", "rsa", "nginx", 1, trouble="it did not start")]
        written = json.dumps({"results": [asdict(each) for each in results]})
        self.assertEqual(fromJSON(json.loads(written)), results)


KEPT = {"haproxy": 17.0, "hitch": 38.0, "xtls": 34.0}


class RemarksTests(SynchronousTestCase):
    """
    L{remarks}.
    """

    def test_nothing(self) -> None:
        """
        Of what went as it should nothing is said.
        """
        self.assertEqual(remarks([result("xtls", 1.0), result("xtls", 1.0, work="resumed", resumed=1.0)]), [])

    def test_each(self) -> None:
        """
        Whatever a figure suffers from is said, with where.
        """
        results = [
            result("a", 1.0, work="down8", busy=0.5),
            result("b", 1.0, others=0.5),
            result("c", 1.0, work="resumed", resumed=0.5),
            Result("tls", "up1", "d", 0, {"busy": 1.0}, errors=3, cipher="TLS_AES_256_GCM_SHA384"),
            Result("tls", "up1", "e", 0, trouble="it did not start: no"),
            result("f", 1.0, busy=0.5),
        ]
        self.assertEqual(
            remarks(results),
            [
                "the server was not busy all the time, so that its rate by the clock is not its own: "
                "1 of 6 measurements (tls down8 a)",
                "disturbed by something else that had the processors too: 1 of 6 measurements (tls down1 b)",
                "not every session was resumed: 1 of 6 measurements (tls resumed c)",
                "some connections failed: 1 of 6 measurements (tls up1 d)",
                "the suite was TLS_AES_256_GCM_SHA384: 1 of 6 measurements (tls up1 d)",
                "not measured: it did not start: no: 1 of 6 measurements (tls up1 e)",
            ],
        )

    def test_many(self) -> None:
        """
        Of many places some are named.
        """
        (remark,) = remarks([result(f"peer{number}", 1.0, others=1.0) for number in range(20)])
        self.assertIn("20 of 20 measurements (tls down1 peer0, ", remark)
        self.assertTrue(remark.endswith("tls down1 peer7 and others)"), remark)


class ReportTests(SynchronousTestCase):
    """
    L{benchmarks.report}.
    """

    def test_numbers(self) -> None:
        """
        Large ones have no decimals, and commas.
        """
        self.assertEqual([number(each) for each in (1234.5, 99.94, 0.123)], ["1,234", "99.9", "0.1"])

    def test_block(self) -> None:
        """
        Each server has a line, with what it did, its ratio, and its latencies in microseconds.
        """
        lines = block(made(result("nginx", 2e6), result("xtls", 3e6, p50=0.001, p99=0.0025))).splitlines()
        self.assertEqual(
            lines[0],
            "TLS termination: bulk to the client (tls down1), MB in a processor second of the server",
        )
        self.assertEqual(
            lines[2].split(), ["nginx", "2.0", "1.00", "2.0", "1.00", "100%", "-", "-", "-", "0"]
        )
        self.assertEqual(
            lines[3].split(), ["xtls", "3.0", "1.50", "3.0", "1.50", "100%", "-", "1,000", "2,500", "0"]
        )

    def test_resumed(self) -> None:
        """
        Whether sessions were resumed is said.
        """
        self.assertIn("resumed: xtls 98%", block(made(result("xtls", 1.0, work="resumed", resumed=0.98))))

    def test_summary(self) -> None:
        """
        Ours beside the best of the others, and whether the goal is reached.
        """
        several = [
            made(result("nginx", 2e6), result("xtls", 3e6)),
            made(result("hitch", 8.0, work="full"), result("xtls", 4.0, work="full")),
            made(Result("start", "help", "xtls", 0, {"seconds": 0.1})),
            made(result("xtls", 1.0, front="stock")),
            made(result("nginx", 1.0, work="rsa")),
        ]
        lines = [line.split() for line in summary(several).splitlines()[1:]]
        self.assertEqual(lines[0], ["tls", "down1", "3.0", "nginx", "2.0", "1.50", "1.50", "1.1,", "reached"])
        self.assertEqual(
            lines[1], ["tls", "full", "4.0", "hitch", "8.0", "0.50", "0.50", "1.0,", "not", "reached"]
        )
        self.assertEqual(
            lines[2], ["start", "help", "100", "-", "-", "-", "at", "most", "250", "ms,", "reached"]
        )
        self.assertEqual(lines[3], ["stock", "down1", "0.0", "-", "-", "-"])
        self.assertEqual(len(lines), 4)

    def test_report(self) -> None:
        """
        Tables, remarks, the summary and the facts, with empty lines between.
        """
        text = report([made(result("xtls", 1.0))], ["something"], ["a fact"])
        self.assertEqual(len(text.split("\n\n")), 4)
        self.assertIn("To be said:\n  something", text)
        self.assertNotIn("To be said", report([], [], ["a fact"]))


class MarkdownTests(SynchronousTestCase):
    """
    L{benchmarks.markdown}.
    """

    def test_tables(self) -> None:
        """
        A table for each front; when there are several others, one more with everybody.
        """
        text = markdown(
            [
                made(result("nginx", 2e6), result("hitch", 1e6), result("xtls", 3e6)),
                made(result("xtls", 4.0, work="resumed", resumed=1.0, p50=0.001, p99=0.002)),
                made(result("websockify", 5.0, front="ws", work="echo1")),
            ],
            ["something"],
            ["a fact"],
        )
        self.assertIn(
            "| bulk to the client, MB | 3.0 | 2.0 (nginx) | 1.50 | 1.50 |  | 1.1 |",
            text,
        )
        self.assertIn("100% resumed | 4.0 |  |  |  | 1,000, 2,000 | 1.0 |", text)
        self.assertIn(
            "| work | nginx | hitch | xtls |\n| --- | --- | --- | --- |\n| down1 | 2.0 | 1.0 | 3.0 |", text
        )
        self.assertIn("### TLS termination", text)
        self.assertIn("- something", text)
        self.assertNotIn("Remarks", markdown([], [], ["a fact"]))

    def test_replaced(self) -> None:
        """
        What is between the marks is replaced, again and again; what is around them stays.
        """
        document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
        once = replaced(document, "new")
        self.assertEqual(once, f"before\n{BEGIN}\n\nnew\n{END}\nafter\n")
        self.assertEqual(replaced(once, "new"), once)
        self.assertEqual(replaced("", "new"), f"{BEGIN}\n\nnew\n{END}\n")


class PlotTests(SynchronousTestCase):
    """
    L{benchmarks.plot}.
    """

    def test_place(self) -> None:
        """
        A ratio twice as large is as far to the right everywhere; what is beyond the ends is at the ends.
        """
        self.assertAlmostEqual(place(2.0) - place(1.0), place(1.0) - place(0.5), places=0)
        self.assertEqual((place(0.0), place(100.0)), (place(0.25), place(8.0)))

    def test_picture(self) -> None:
        """
        It is XML, with a mark and a title for each server, and both colour schemes.
        """
        text = plot(
            [
                made(result("nginx", 2.0), result("xtls", 3.0)),
                made(result("a <new> one", 2.0, front="ws"), result("xtls", 3.0, front="ws")),
                made(result("xtls", 3.0, work="up1")),
            ]
        )
        root = ElementTree.fromstring(text)
        titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
        self.assertEqual(titles, ["nginx: 1.00", "xtls: 1.50", "a <new> one: 1.00", "xtls: 1.50"])
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertIn("WebSocket tunnel", text)
        self.assertNotIn("bulk from the client", text)
