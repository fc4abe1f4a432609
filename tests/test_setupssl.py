"""
C{xtls setup-ssl} and C{xtls show-ssl}.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES
from xtls.errors import CertificateFileError, OptionError
from xtls.programs import setupssl
from xtls.programs.remotessl import Execute
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import fingerprint, loadKeyPair, parseCertificates
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts


class SetupTests(SynchronousTestCase):
    """
    L{setupssl.run} and L{setupssl.show}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        places = {SEARCH_VARIABLES[0]: str(self.directory), "XDG_CONFIG_HOME": str(self.directory)}
        self.patch(os, "environ", {**os.environ, **places})
        self.default = self.directory / "ssl-cert.pem"

    def do(self, program: Callable[..., int], *arguments: str, execute: Execute | None = None) -> str:
        """
        Run it.

        @return: what it printed; what it said is in C{said}, and the status in C{status}.
        """
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            self.status = program(arguments) if execute is None else program(arguments, execute)
        self.said = errors.getvalue()
        return output.getvalue()

    def test_setup(self) -> None:
        """
        The certificate is made once, and printed without its key, and nothing else is.
        """
        output = self.do(setupssl.run)
        pair = loadKeyPair(str(self.default))
        self.assertEqual(output.encode("ascii"), pair.certificate.public_bytes(Encoding.PEM))
        self.assertIn(f"made {self.default}: {fingerprint(pair.certificate)}", self.said)
        self.assertEqual((self.do(setupssl.run), self.said), (output, ""))
        self.assertEqual((self.do(setupssl.show), self.said), (output, ""))

    def test_force(self) -> None:
        """
        A new one takes its place only when that is asked for.
        """
        before = self.do(setupssl.run)
        after = self.do(setupssl.run, "--force")
        self.assertNotEqual(after, before)
        self.assertEqual(self.do(setupssl.show), after)
        self.assertEqual(self.default.stat().st_mode & 0o777, 0o600)

    def test_none(self) -> None:
        """
        Where there is none, none is shown, and nothing is made.
        """
        error = self.assertRaises(CertificateFileError, setupssl.show, [])
        self.assertIn("xtls setup-ssl", error.problem)
        self.assertFalse(self.default.exists())

    def test_elsewhere(self) -> None:
        """
        That of another machine is printed and remembered as the host's.
        """
        pair = selfSigned(["h"])
        ran: list[list[str]] = []

        def execute(words: list[str], **options: object) -> object:
            ran.append(words)
            return subprocess.CompletedProcess(words, 0, pair.certificate.public_bytes(Encoding.PEM))

        for program, command in (
            (setupssl.run, "exec xtls setup-ssl;"),
            (setupssl.show, "exec xtls show-ssl;"),
        ):
            output = self.do(program, "ssh://h/", execute=execute)
            self.assertEqual(parseCertificates(output.encode("ascii")), (pair.certificate,))
            self.assertIn("remembered for h:10000", self.said)
            self.assertIn(command, ran[-1][-1])
        found = KnownHosts(self.directory / "xtls").find("h", 10000)
        assert found is not None
        self.assertEqual(found.certificate, pair.certificate)
        self.do(setupssl.run, "ssh://h/", "--force", execute=execute)
        self.assertIn("exec xtls setup-ssl --force;", ran[-1][-1])
        self.assertFalse(self.default.exists())

    def test_notReached(self) -> None:
        """
        A machine that is not reached is told, with the status of that; nothing is remembered.
        """

        def execute(words: list[str], **options: object) -> object:
            return subprocess.CompletedProcess(words, 255, b"")

        self.assertEqual(self.do(setupssl.run, "ssh://h/", execute=execute), "")
        self.assertEqual(self.status, ExitStatus.CONNECTION_FAILED)
        self.assertIn("xtls setup-ssl: ssh://h:22/: ssh has not connected", self.said)
        self.assertIsNone(KnownHosts(self.directory / "xtls").find("h", 10000))

    def test_wrong(self) -> None:
        """
        Options that are about another machine need one.
        """
        for program in (setupssl.run, setupssl.show):
            self.assertEqual(self.assertRaises(OptionError, program, ["--port=1"]).option, "port")

    def test_help(self) -> None:
        """
        Each explains itself.
        """
        self.assertIn("xtls setup-ssl ssh://me@host/", self.do(setupssl.run, "--help"))
        self.assertIn("xtls show-ssl ssh://me@host/", self.do(setupssl.show, "--help"))
