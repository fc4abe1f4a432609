"""
C{xtls demo}.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
import signal
import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES, configDirectory
from xtls.errors import OptionError
from xtls.programs import demo
from xtls.programs.demo import demonstrate
from xtls.programs.portservice import ListeningError
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, loadKeyPair, toPEM
from xtls.trust.issuing import selfSigned


class _Reactor(MemoryReactorClock):
    """
    A reactor on which some ports are taken.
    """

    taken: tuple[int, ...] = ()

    def listenTCP(self, port: int, *arguments: Any, **keywords: Any) -> Any:
        """
        Listen, unless the port is taken.
        """
        if port in self.taken and self.tcpServers:
            raise CannotListenError("127.0.0.1", port, OSError(errno.EADDRINUSE, "Address already in use"))
        return super().listenTCP(port, *arguments, **keywords)


class DemonstrateTests(SynchronousTestCase):
    """
    L{demonstrate}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.home = Path(self.mktemp()).absolute()
        variables = {SEARCH_VARIABLES[0]: str(self.directory), "XDG_CONFIG_HOME": str(self.home)}
        self.patch(os, "environ", {**os.environ, **variables})
        self.patch(sys, "argv", ["/bin/xtls-test"])
        self.reactor = _Reactor()

    def demonstrated(self, port: int = 10000) -> tuple[str, str]:
        """
        Start a demonstration.

        @return: what it printed to standard output and standard error.
        """
        output, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
            self.assertNoResult(demonstrate(self.reactor, port))
        return output.getvalue(), error.getvalue()

    def certificate(self, output: str) -> Path:
        """
        The certificate that the printed commands name.
        """
        match = re.search(r"--cacert (\S+) ", output)
        assert match is not None
        return Path(match[1])

    def test_listens(self) -> None:
        """
        On loopback there is a service, and the port that leads to it.
        """
        self.demonstrated()
        (service, _, _, here, *_), (port, factory, _, alsoHere, *_) = self.reactor.tcpServers
        self.assertEqual((service, port, here, alsoHere), (0, 10000, "127.0.0.1", "127.0.0.1"))
        self.assertIsNotNone(factory)

    def test_service(self) -> None:
        """
        The service says where one is, and answers.
        """
        self.demonstrated()
        protocol: Any = self.reactor.tcpServers[0][1].buildProtocol(None)  # type: ignore[arg-type]
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"hello\n")
        self.assertIn(b"knows only plain TCP", transport.value())
        self.assertIn(b"HELLO", transport.value())

    def test_commands(self) -> None:
        """
        Three commands are printed, with the command's own name, the certificate's place and the port.
        """
        output, error = self.demonstrated()
        commands = [shlex.split(line) for line in output.splitlines() if re.match("  (curl|/bin)", line)]
        path = str(self.directory / "ssl-cert.pem")
        # the port is what this reactor answers
        self.assertEqual(
            commands,
            [
                ["curl", "--cacert", path, "https://localhost:10000/"],
                ["/bin/xtls-test", "attach", "ssl://localhost:10000/", f"--ssl-ca-certs={path}"],
                ["/bin/xtls-test", "attach", "wss://localhost:10000/", f"--ssl-ca-certs={path}"],
            ],
        )
        self.assertEqual(error, "")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_taken(self) -> None:
        """
        Where the port is taken, another is used, and that is said.
        """
        self.reactor.taken = (10000,)
        _, error = self.demonstrated()
        self.assertIn("port 10000 is taken", error)
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [0, 0])

    def test_noneFree(self) -> None:
        """
        Where none is free, that is an error.
        """
        self.reactor.taken = (0,)
        self.failureResultOf(demonstrate(self.reactor, 0), ListeningError)

    def write(self, pair: KeyPair, path: Path) -> None:
        """
        Write a certificate with its key.
        """
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(toPEM(pair))

    def test_defaultCertificate(self) -> None:
        """
        A default certificate that is there is used, also where its key is beside it.
        """
        pair = selfSigned(["localhost", "127.0.0.1"])
        self.directory.mkdir()
        (self.directory / "ssl-cert.pem").write_bytes(toPEM(pair, includeKey=False))
        (self.directory / "ssl-key.pem").write_bytes(toPEM(pair))
        output, _ = self.demonstrated()
        self.assertEqual(self.certificate(output), self.directory / "ssl-cert.pem")

    def test_unfitCertificates(self) -> None:
        """
        One that is for other names, or not valid, or not readable, stays as it is, and another is made.
        """
        authority = Authority()
        now = datetime.now(timezone.utc)
        for pair in (
            authority.issue("example.org"),
            authority.issue("localhost", "127.0.0.1", notAfter=now - timedelta(days=1)),
            authority.issue("localhost", "127.0.0.1", notBefore=now + timedelta(days=1)),
            authority.issue("localhost", san=b"\xff"),
        ):
            self.write(pair, self.directory / "ssl-cert.pem")
            output, _ = self.demonstrated()
            self.assertEqual(self.certificate(output), configDirectory() / "demo-cert.pem")
        (self.directory / "ssl-cert.pem").write_bytes(b"nonsense")
        output, _ = self.demonstrated()
        self.assertEqual(self.certificate(output), configDirectory() / "demo-cert.pem")

    def test_ownCertificateExpired(self) -> None:
        """
        The one that is made for this purpose is made again when it is not valid any more.
        """
        own = configDirectory() / "demo-cert.pem"
        self.write(Authority().issue("example.org"), self.directory / "ssl-cert.pem")
        self.write(Authority().issue("example.org"), own)
        output, _ = self.demonstrated()
        self.assertEqual(self.certificate(output), own)
        self.assertGreater(
            loadKeyPair(str(own)).certificate.not_valid_after_utc,
            datetime.now(timezone.utc) + timedelta(days=300),
        )


class RunTests(SynchronousTestCase):
    """
    L{demo.run}.
    """

    def setUp(self) -> None:
        self.runs: list[tuple[Any, bool, dict[int, int]]] = []

    def runner(self, start: Callable[[Any], Deferred[int]], *, verbose: bool, signals: dict[int, int]) -> int:
        """
        Remember what is to be run.
        """
        self.runs.append((start, verbose, signals))
        return 7

    def test_run(self) -> None:
        """
        It runs until it is interrupted, which is how it is meant to end.
        """
        self.assertEqual(demo.run(["--port=1234"], self.runner), 7)
        ((start, verbose, signals),) = self.runs
        self.assertEqual((start.keywords, verbose), ({"port": 1234}, True))
        self.assertEqual((signals[signal.SIGINT], signals[signal.SIGTERM]), (0, 143))

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        self.assertEqual(self.assertRaises(OptionError, demo.run, ["--port=x"]).option, "port")
        self.assertEqual(self.assertRaises(OptionError, demo.run, ["now"]).option, "now")

    def test_help(self) -> None:
        """
        It explains itself.
        """
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(demo.run(["--help"], self.runner), 0)
        self.assertIn("Usage: xtls demo", output.getvalue())
