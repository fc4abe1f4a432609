"""
C{xtls check}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authorityFile, serverPair
from tests.support.memory import WiredReactor
from tests.support.wiredway import WiredWay
from tests.support.wires import Recorder
from xtls.config.target import Mode
from xtls.errors import OptionError
from xtls.programs import check
from xtls.programs.check import Check, checked
from xtls.programs.statuses import ExitStatus
from xtls.trust.findings import Found, Grade, Topic
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.pins import pinOf

TARGET = "ssl://localhost:10000/"


def parsed(*words: str) -> Check:
    """
    What a command line asks for.
    """
    return checked(check._LINE.parse(words))


class Terminal(io.StringIO):
    """
    A terminal.
    """

    def isatty(self) -> bool:
        """
        It is one.
        """
        return True


class CheckedTests(SynchronousTestCase):
    """
    L{checked}.
    """

    def refused(self, *words: str) -> OptionError:
        """
        Why a command line cannot be used.
        """
        return self.assertRaises(OptionError, parsed, *words)  # type: ignore[no-any-return]

    def test_target(self) -> None:
        """
        The target is what C{attach} takes, with the same options around it.
        """
        asked = parsed("--verbose", f"{TARGET}?close-timeout=4", "--close-timeout=3", "--ssl-ca-certs=x.pem")
        self.assertEqual((asked.target.mode, asked.target.port), (Mode.SSL, 10000))
        self.assertEqual((asked.options.closeTimeout, asked.deadline), (3.0, 60.0))
        self.assertEqual(asked.tls.caCerts, "x.pem")
        self.assertEqual(parsed("tcp://h:1/", "--deadline=5").deadline, 5.0)

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        self.assertEqual(self.refused().option, "TARGET")
        self.assertEqual(self.refused(TARGET, "more").option, "more")
        self.assertEqual(self.refused(TARGET, "--detect-timeout=1").option, "detect-timeout")
        self.assertEqual(self.refused(TARGET, "--deadline=soon").option, "deadline")
        self.assertEqual(self.refused("tcp://h:1/", "--ssl-ca-certs=x").option, "ssl-ca-certs")
        self.assertEqual(self.refused(TARGET, "--ssl-protocol=SSLv3").option, "ssl-protocol")

    def test_connectionFile(self) -> None:
        """
        A connection file may not lower verification, nor say by itself whom to believe.
        """
        path = Path(self.mktemp()).with_suffix(".xpra")
        path.write_text("mode=ssl\nhost=h\nport=1\nssl-server-verify-mode=none\n")
        self.assertEqual(self.refused(str(path)).option, "ssl-server-verify-mode")
        path.write_text("mode=ssl\nhost=h\nport=1\n")
        self.assertEqual(parsed(str(path)).target.host, "h")

    def test_remembered(self) -> None:
        """
        What is remembered of a server is demanded of it, unless the user says here whom to believe.
        """
        hosts = KnownHosts(Path(self.mktemp()))
        hosts.remember("localhost", 10000, serverPair().certificate)
        for words, pins in (
            ([TARGET], (pinOf(serverPair().certificate),)),
            (["wss://localhost:10001/"], ()),
            (["ws://localhost:10000/"], ()),
            ([TARGET, "--ssl-ca-certs=x.pem"], ()),
        ):
            self.assertEqual(checked(check._LINE.parse(words), hosts).tls.pin, pins)

    def test_rememberedBeforeFile(self) -> None:
        """
        What is remembered comes before whom a connection file says to believe, as with C{xtls attach}.
        """
        hosts = KnownHosts(Path(self.mktemp()))
        own = pinOf(serverPair().certificate)
        path = Path(self.mktemp() + ".xpra")
        path.write_text(
            f"mode=ssl\nhost=localhost\nport=10000\nssl-pin=sha256:{'a' * 64}\nssl-ca-certs=x.pem\n"
        )
        self.assertEqual(checked(check._LINE.parse([str(path)]), hosts).tls.caCerts, "x.pem")
        hosts.remember("localhost", 10000, serverPair().certificate)
        found = checked(check._LINE.parse([str(path)]), hosts).tls
        self.assertEqual((found.pin, found.given("caCerts")), ((own,), False))


class CommandTests(SynchronousTestCase):
    """
    L{Check.command}.
    """

    def setUp(self) -> None:
        self.patch(sys, "argv", ["/bin/xtls-test"])

    def command(self, *words: str, **changes: str) -> list[str]:
        """
        The words of the command that a finding leads to.
        """
        found = Found(Grade.PROBLEM, Topic.TLS, "a", "b", "c", tuple(changes.items()))
        return shlex.split(parsed(*words).command(found))[1:]

    def test_nothing(self) -> None:
        """
        Where nothing is to be changed there is no command.
        """
        self.assertEqual(self.command(TARGET), [])

    def test_option(self) -> None:
        """
        An option is changed, and those of the check itself are left out.
        """
        self.assertEqual(
            self.command(TARGET, "--json", "-v", "--deadline=3", "--connect-timeout=4", caCerts="CA.pem"),
            ["attach", TARGET, "--connect-timeout=4", "--ssl-ca-certs=CA.pem"],
        )

    def test_mode(self) -> None:
        """
        The mode of the target is changed; without TLS, options about it do not apply; a password stays out.
        """
        self.assertEqual(self.command("tcp://me:hunter2@h:1/x", mode="ssl"), ["attach", "ssl://me@h:1/x"])
        self.assertEqual(
            self.command(f"{TARGET}?ssl-ca-certs=a", "--ssl-ca-certs=b", "--close-timeout=3", mode="tcp"),
            ["attach", "tcp://localhost:10000/", "--close-timeout=3"],
        )


class RunTests(SynchronousTestCase):
    """
    L{check.run} and L{check.check}.
    """

    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "HOME": self.mktemp(), "XDG_CONFIG_HOME": self.mktemp()})

    def run_(
        self, *words: str, output: io.StringIO | None = None, environ: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """
        Check a server in memory that speaks first.

        @return: the status, and what was printed.
        """
        reactor = WiredReactor()
        way = WiredWay(reactor, lambda: Recorder(b"hello"))

        def runner(start: Callable[..., Deferred[int]]) -> int:
            waiting = start(reactor, carrier=way, environ=environ)
            way.settle(waiting)
            return self.successResultOf(waiting)

        printed = output or io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = check.run(words, runner)
        return status, printed.getvalue()

    def test_text(self) -> None:
        """
        People get lines, in colours only on a terminal that has them and is not told otherwise.
        """
        status, text = self.run_("tcp://h:1/", environ={})
        self.assertEqual(status, ExitStatus.OK)
        self.assertIn('  ok       without TLS, the server speaks first: "hello".\n', text)
        self.assertNotIn("\x1b", text)
        for environ, coloured in (
            ({"TERM": "xterm"}, True),
            ({"TERM": "dumb"}, False),
            ({}, False),
            ({"TERM": "xterm", "NO_COLOR": "1"}, False),
            ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ):
            _, text = self.run_("tcp://h:1/", output=Terminal(), environ=environ)
            self.assertEqual("\x1b[32mok\x1b[0m" in text, coloured, environ)

    def test_json(self) -> None:
        """
        Programs get JSON, and the same status.
        """
        status, text = self.run_("ssl://h:1/", "--json", f"--ssl-ca-certs={authorityFile(self)}")
        value = json.loads(text)
        self.assertEqual((status, value["status"]), (16, 16))
        self.assertTrue(any(each["command"] for each in value["findings"]))

    def test_environment(self) -> None:
        """
        By default the environment is that of the process.
        """
        self.assertEqual(self.run_("tcp://h:1/")[0], 0)

    def test_help(self) -> None:
        """
        It explains itself.
        """

        def runner(*arguments: Any) -> int:
            raise AssertionError

        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(check.run(["--help"], runner), 0)
        for expected in ("Usage: xtls check", "--ssl-ca-certs=", "--json", "Examples:"):
            self.assertIn(expected, output.getvalue())
        self.assertNotIn("--detect-timeout", output.getvalue())
