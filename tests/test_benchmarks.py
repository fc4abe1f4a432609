"""
What the benchmarks do and compare: works, peers and the command line.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import peers
from benchmarks.arguments import Asked, parse
from benchmarks.peers import PEERS, Site
from benchmarks.processes import share
from benchmarks.works import FRONTS, GOALS, QUICK, SPOKEN, SUBJECTS, TITLES, USUAL, find, works

SITE = Site(10000, 5900, Path("/certificate.pem"), Path("/folder"), "tls")


def refusal(*words: str) -> str:
    """
    What is said to a command line that is wrong.
    """
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            parse(words)
        except SystemExit as e:
            assert e.code == 2
    return said.getvalue()


class WorksTests(SynchronousTestCase):
    """
    L{benchmarks.works}.
    """

    def test_complete(self) -> None:
        """
        Each front has works, peers, a title and something that is spoken to it; goals are of works that are.
        """
        for front, every in FRONTS.items():
            self.assertTrue(every and PEERS[front] and TITLES[front], front)
            if front != "start":
                self.assertIn(SPOKEN.get(front, front), ("tls", "plain", "ws", "wss"))
        self.assertEqual({front for fronts in SUBJECTS.values() for front in fronts}, set(FRONTS))
        self.assertLessEqual(set(USUAL), set(SUBJECTS))
        for front, goals in GOALS.items():
            self.assertLessEqual(set(goals), {work.name for work in FRONTS[front]})

    def test_works(self) -> None:
        """
        Works are chosen by front and name, and come in the order of the fronts.
        """
        every = works(("plain", "tls"), ("down1", "new"))
        self.assertEqual(
            [(front, work.name) for front, work in every],
            [("plain", "down1"), ("plain", "new"), ("tls", "down1")],
        )
        self.assertEqual(len(works(("tls",))), len(FRONTS["tls"]))
        self.assertEqual(find("idle", "memory").unit, "KiB")

    def test_ours(self) -> None:
        """
        We are among those compared, everywhere.
        """
        for front, every in PEERS.items():
            self.assertIn("xtls", [peer.name for peer in every], front)


class ArgumentsTests(SynchronousTestCase):
    """
    L{parse}.
    """

    def test_usual(self) -> None:
        """
        Without words all usual works are done, three times, with everybody.
        """
        asked = parse([])
        fronts = tuple(front for subject in USUAL for front in SUBJECTS[subject])
        self.assertEqual(asked.plan.works, tuple(works(fronts)))
        self.assertEqual((asked.plan.rounds, asked.plan.peers, asked.plan.seconds), (3, (), 1.0))
        self.assertEqual(asked, Asked(asked.plan))

    def test_quick(self) -> None:
        """
        A quick one is one short round of some of it; what is said besides is kept.
        """
        plan = parse(["--quick"]).plan
        self.assertEqual((plan.rounds, plan.seconds, plan.starts), (1, 0.25, 1))
        self.assertEqual({work.name for _, work in plan.works}, set(QUICK))
        plan = parse(["--quick", "--rounds=2", "--seconds=0.1", "--work=up8"]).plan
        self.assertEqual((plan.rounds, plan.seconds), (2, 0.1))
        self.assertEqual({work.name for _, work in plan.works}, {"up8"})

    def test_choice(self) -> None:
        """
        Subjects, works, peers and files are taken as they are said, once each.
        """
        asked = parse(
            [
                "--of=websocket",
                "--work=down1,up1,down1",
                "--peers=xtls",
                "--json=a",
                "--plot=b",
                "--markdown=c",
            ]
        )
        self.assertEqual(
            [(front, work.name) for front, work in asked.plan.works],
            [("ws", "down1"), ("ws", "up1"), ("wss", "down1"), ("wss", "up1")],
        )
        self.assertEqual(asked.plan.peers, ("xtls",))
        self.assertEqual((asked.json, asked.plot, asked.markdown), (Path("a"), Path("b"), Path("c")))
        self.assertEqual(parse(["--from=a", "--from=b"]).earlier, (Path("a"), Path("b")))

    def test_wrong(self) -> None:
        """
        Each mistake is one sentence, which says what would be right.
        """
        self.assertEqual(
            refusal("--of=tsl"),
            "python -m benchmarks: --of=tsl: there is no 'tsl'; "
            "expected some of tls, plain, websocket, idle, workers, start, stock, transport, all\n",
        )
        self.assertEqual(
            refusal("--of=start", "--work=down1"),
            "python -m benchmarks: --work=down1: there is no 'down1'; expected some of help, listening\n",
        )
        self.assertIn(
            "--peers=apache: there is no 'apache'; expected some of nginx,", refusal("--peers=apache")
        )
        self.assertEqual(refusal("--rounds=0"), "python -m benchmarks: --rounds=0: expected 1 or more\n")
        self.assertEqual(
            refusal("--seconds=0"),
            "python -m benchmarks: --seconds=0: expected a number above 0 and at most 60\n",
        )
        self.assertIn("python -m benchmarks: argument --rounds: invalid int value", refusal("--rounds=x"))
        self.assertIn("unrecognized arguments: --sec=1", refusal("--sec=1"))

    def test_help(self) -> None:
        """
        The help has examples, and names every work and peer.
        """
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertRaises(SystemExit, parse, ["--help"])
        for word in ("examples:", "--quick", "echo100", "websockify", "transport"):
            self.assertIn(word, said.getvalue())


class PeersTests(SynchronousTestCase):
    """
    L{peers}: how each is set up.
    """

    def test_files(self) -> None:
        """
        Each configuration has ports, certificate and suite; that of nginx its module, where there is one.
        """
        for make in (peers.nginxFiles, peers.haproxyFiles, peers.hitchFiles, peers.stunnelFiles):
            (text,) = make(SITE).values()
            for word in ("10000", "5900", "/certificate.pem", "TLS_AES_128_GCM_SHA256", "TLSv1.3"):
                self.assertIn(word, text)
        module = Path(self.mktemp()).absolute()
        self.assertNotIn("load_module", peers.nginxFiles(SITE, [module])["nginx.conf"])
        module.touch()
        self.assertIn(f"load_module {module};", peers.nginxFiles(SITE, [module])["nginx.conf"])

    def test_administrator(self) -> None:
        """
        Whose processes they are is said by the administrator only.
        """
        root = Site(1, 2, Path("c"), Path("f"), "tls", root=True)
        self.assertIn("user root;", peers.nginxFiles(root)["nginx.conf"])
        self.assertNotIn("user", peers.nginxFiles(SITE)["nginx.conf"])
        self.assertIn('user = "nobody"', peers.hitchFiles(root)["hitch.conf"])
        self.assertNotIn("user", peers.hitchFiles(SITE)["hitch.conf"])

    def test_plain(self) -> None:
        """
        Where no TLS is spoken, none is set up.
        """
        plain = Site(1, 2, Path("/certificate.pem"), Path("f"), "plain")
        self.assertNotIn("/certificate.pem", peers.haproxyFiles(plain)["haproxy.cfg"])
        for peer in (peers.SOCAT, peers.XTLS, peers.WEBSOCKIFY):
            self.assertNotIn("/certificate.pem", " ".join(peer.command("program", plain)), peer.name)

    def test_commands(self) -> None:
        """
        Each command line begins with the program, and has what its configuration has not.
        """
        secure = Site(10000, 5900, Path("/certificate.pem"), Path("/folder"), "wss", workers=2)
        for every in PEERS.values():
            for peer in every:
                self.assertEqual(peer.command("program", SITE)[0], "program")
        self.assertIn("--workers=2", peers.XTLS.command("twistd", secure))
        self.assertNotIn("--workers=1", peers.XTLS.command("twistd", SITE))
        self.assertIn("--ssl-cert=/certificate.pem", peers.XTLS.command("twistd", secure))
        self.assertIn("--ssl-only", peers.WEBSOCKIFY.command("websockify", secure))
        self.assertIn("OPENSSL-LISTEN:10000", " ".join(peers.SOCAT.command("socat", SITE)))
        self.assertEqual(
            PEERS["stock"][0].command("python", SITE),
            ["python", "-m", "benchmarks.servers", "stock-port", "/certificate.pem", "10000", "5900", "0"],
        )

    def test_missing(self) -> None:
        """
        A program that is nowhere is not found; its version is empty when it cannot be asked.
        """
        nobody = peers.Peer("nobody", ("no-such-program",), "", ("--version",), lambda path, site: [path])
        self.assertIsNone(nobody.find())
        self.assertEqual(nobody.says("/no-such-program"), "")
        self.assertEqual(peers.WEBSOCKIFY.says("/no-such-program"), "")


class ShareTests(SynchronousTestCase):
    """
    L{share}.
    """

    def test_share(self) -> None:
        """
        The server has the first processor for itself, where there is another.
        """
        one, two, four = share([3]), share([0, 1]), share([0, 1, 2, 3])
        self.assertEqual((one.server, one.load, one.both), ({3}, {3}, {3}))
        self.assertEqual((two.server, two.load, two.both), ({0}, {1}, {0, 1}))
        self.assertEqual((four.server, four.load, four.both), ({0}, {1, 2, 3}, {0, 1}))
