"""
C{twistd xtls} as a program: what it refuses, what it says, and that twistd's own options stay usable.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.programs import DEADLINE, Done, Peer, Port, echo, readExactly, run
from xtls.trust.certificates import toPEM
from xtls.trust.issuing import selfSigned

FORWARD = "--forward=tcp:127.0.0.1:1"
BIND = "--bind-tcp=127.0.0.1:0"


class ProgramCase(SynchronousTestCase):
    """
    A folder, which is also the home folder.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def twistd(self, *words: str) -> Done:
        """
        Run twistd to its end.
        """
        return run(["twistd", *words], self.folder)


class RefusedTests(ProgramCase):
    """
    What makes no sense.
    """

    def refused(self, *options: str) -> str:
        """
        Run the service with options that cannot be used.

        @return: the sentence.
        """
        done = self.twistd("-n", "xtls", *options)
        self.assertEqual((done.status, done.output), (1, b""), done.text)
        self.assertEqual(done.text.count("\n"), 1, done.text)
        self.assertFalse((self.folder / "twistd.pid").exists())
        return done.text

    def test_options(self) -> None:
        """
        Options that cannot be used, alone or together, are refused in one sentence on standard error that
        names the option and its source; the usage is not printed, and no file is left.
        """
        (self.folder / "cert.pem").write_bytes(toPEM(selfSigned(["localhost"]), includeKey=False))
        (self.folder / "other.pem").write_bytes(toPEM(selfSigned(["localhost"])))
        for expected, options in (
            ("--colour (command line)", (FORWARD, BIND, "--colour=red")),
            ("forward (not given)", (BIND,)),
            ("bind-tcp (not given)", (FORWARD,)),
            ("ssl-cert (default)", (FORWARD, "--bind-wss=127.0.0.1:0")),
            ("ssl-cert (command line)", (FORWARD, BIND, "--ssl-cert=missing.pem")),
            ("ssl-key (command line)", (FORWARD, BIND, "--ssl-cert=cert.pem", "--ssl-key=other.pem")),
            ("ssl-cert (bind=x)", (FORWARD, "--bind=x,ssl-cert=cert.pem")),
            ("forward (command line)", (BIND, "--forward=nonsense:1")),
        ):
            self.assertTrue(self.refused(*options).startswith(f"xtls: {expected}: "), options)


class TakenTests(ProgramCase):
    """
    A port that is taken.
    """

    def setUp(self) -> None:
        super().setUp()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        self.options = (FORWARD, BIND, f"--bind-tcp=127.0.0.1:{taken.getsockname()[1]}")

    def test_foreground(self) -> None:
        """
        It is one sentence on standard error, without a traceback, and the program ends.
        """
        done = self.twistd("-n", "xtls", *self.options)
        self.assertEqual(done.status, 1)
        (line,) = done.errors.decode().splitlines()
        self.assertRegex(
            line, r"^xtls: bind-tcp=\S+ \(command line\): cannot listen on \S+: Address already in use;"
        )
        self.assertNotIn("Traceback", done.text)
        self.assertFalse((self.folder / "twistd.pid").exists())

    def test_background(self) -> None:
        """
        A daemon says it in its log, and to whoever started it that it did not start.
        """
        done = self.twistd("--logfile=xtls.log", "xtls", *self.options)
        self.assertEqual(done.status, 1)
        self.assertIn("cannot listen", done.text)
        self.assertIn("Address already in use", (self.folder / "xtls.log").read_text("utf-8"))
        self.assertFalse((self.folder / "twistd.pid").exists())


class StartedTests(ProgramCase):
    """
    A service that runs.
    """

    def test_help(self) -> None:
        """
        The help is grouped, states defaults, and is no error.
        """
        done = self.twistd("xtls", "--help")
        self.assertEqual((done.status, done.errors), (0, b""))
        for expected in (b"Listening:\n", b"Timeouts:\n", b"[default: "):
            self.assertIn(expected, done.output)
        self.assertTrue(self.twistd("xtls", "--version").output.startswith(b"xtls "))

    def test_announced(self) -> None:
        """
        The log has one line for each socket, with the port that was picked and what it speaks, and says
        where the default certificate is.
        """
        port = Port(
            self,
            self.folder,
            FORWARD,
            "--ssl-cert=auto",
            BIND,
            "--bind-ws=127.0.0.1:0,ssl=off",
            "--bind=x.sock",
        )
        port.waitFor(r"xtls listening: tcp 127\.0\.0\.1:[1-9]\d* \(tcp, http, ws, ssl, https, wss\)$")
        port.waitFor(r"xtls listening: ws 127\.0\.0\.1:[1-9]\d* \(http, ws\)$")
        port.waitFor(r"xtls listening: socket unix:x\.sock \(tcp, http, ws\)$")
        made = port.waitFor(r"xtls made the default certificate, (.*)$")[1]
        self.assertEqual(os.stat(made).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.folder / "x.sock").st_mode & 0o777, 0o600)

    def test_daemon(self) -> None:
        """
        Without C{-n} it goes to the background, with twistd's log and pid files, and ends when asked to.
        """
        backend = Peer(self, echo)
        words = (
            "--pidfile=xtls.pid",
            "--logfile=xtls.log",
            "xtls",
            f"--forward=tcp:127.0.0.1:{backend.port}",
        )
        done = self.twistd(*words, BIND)
        self.assertEqual((done.status, done.text), (0, ""))
        number = int((self.folder / "xtls.pid").read_text("ascii"))
        try:
            log = (self.folder / "xtls.log").read_text("utf-8")
            port = int(log.partition("xtls listening: tcp 127.0.0.1:")[2].partition(" ")[0])
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
                connection.sendall(b"hello")
                self.assertEqual(readExactly(connection, 5), b"hello")
        finally:
            os.kill(number, signal.SIGTERM)
        end = time.monotonic() + DEADLINE
        while (self.folder / "xtls.pid").exists() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse((self.folder / "xtls.pid").exists())
