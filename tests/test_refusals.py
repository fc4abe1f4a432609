"""
What a user is told when a server cannot be verified.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import Layer, resolve
from xtls.config.options import TLSOptions
from xtls.config.target import parseTarget
from xtls.programs.commandline import Given
from xtls.programs.refusals import Invocation, explain
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, loadCertificates
from xtls.trust.verification import Reason, Refusal

AUTHORITY = Authority()
SERVER = AUTHORITY.issue("localhost", "*.example.org", "other.example.org").certificate
TARGET = "ssl://localhost:10000/"


def invoked(*arguments: str, command: tuple[str, ...] = (), **options: tuple[str, ...]) -> Invocation:
    """
    A command line as it was given.
    """
    values = {name.replace("_", "-"): texts for name, texts in options.items()}
    return Invocation(Given(values, arguments), parseTarget(arguments[0]), command)


class InvocationTests(SynchronousTestCase):
    """
    L{Invocation}.
    """

    def setUp(self) -> None:
        self.patch(sys, "argv", ["/bin/xtls-test"])

    def test_changed(self) -> None:
        """
        The command is repeated with the change in place of what it changes, quoted for a shell.
        """
        invocation = invoked(
            TARGET,
            command=("vnc viewer", "{port}"),
            ssl_ca_certs=("a", "b"),
            verbose=("",),
            ssl_cert=("my cert.pem",),
        )
        words = shlex.split(invocation.changed(caCerts="it's.pem"))
        self.assertEqual(words[:3], ["/bin/xtls-test", "attach", TARGET])
        self.assertEqual(words[3:6], ["--verbose", "--ssl-cert=my cert.pem", "--ssl-ca-certs=it's.pem"])
        self.assertEqual(words[6:], ["--", "vnc viewer", "{port}"])

    def test_secrets(self) -> None:
        """
        Neither a passphrase nor a password is repeated; where one is kept may be said.
        """
        shown = invoked("ssl://me:hunter2@h:1/", ssl_key_password=("hunter3",)).changed(checkHostname="no")
        self.assertNotIn("hunter", shown)
        self.assertIn("ssl://me@h:1/", shown)
        shown = invoked(TARGET, ssl_key_password=("env:WHERE",)).changed(checkHostname="no")
        self.assertIn("--ssl-key-password=env:WHERE", shown)


class ExplainTests(SynchronousTestCase):
    """
    L{explain}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()

    def explained(self, reason: Reason, **details: object) -> str:
        """
        The explanation of a refusal.
        """
        refusal = Refusal(reason, SERVER, reference="localhost", **details)  # type: ignore[arg-type]
        return explain(refusal, invoked(TARGET), self.directory)

    def commands(self, text: str) -> list[str]:
        """
        The last word of each command in an explanation, which is what was changed.
        """
        return [shlex.split(line)[-1] for line in text.splitlines() if line.startswith("    ")]

    def test_threeWays(self) -> None:
        """
        For an unknown certificate there are three ways on, and the words that everybody searches for; the
        fingerprint is there to be compared.
        """
        for reason in (Reason.SELF_SIGNED, Reason.UNKNOWN_CA):
            text = self.explained(reason)
            self.assertIn("CERTIFICATE_VERIFY_FAILED", text)
            self.assertIn(fingerprint(SERVER), text)
            path = self.directory / "refused" / "localhost_10000.pem"
            self.assertEqual(
                self.commands(text),
                [f"--ssl-ca-certs={path}", "--ssl-ca-certs=CA.pem", "--ssl-server-verify-mode=none"],
            )

    def test_kept(self) -> None:
        """
        The certificate is kept for its owner alone, so that trusting it takes no second connection.
        """
        self.explained(Reason.SELF_SIGNED)
        path = self.directory / "refused" / "localhost_10000.pem"
        self.assertEqual(loadCertificates(str(path)), (SERVER,))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_keptNowhere(self) -> None:
        """
        Where it cannot be kept, it is in the command itself.
        """
        self.directory.write_bytes(b"not a directory")
        name, _, value = self.commands(self.explained(Reason.SELF_SIGNED))[0].lstrip("-").partition("=")
        data = resolve(TLSOptions, Layer("test", {name: value})).caData
        path = Path(self.mktemp())
        path.write_bytes(data)
        self.assertEqual(loadCertificates(str(path)), (SERVER,))

    def test_fileName(self) -> None:
        """
        Whatever a host is called, its certificate is kept within one directory.
        """
        refusal = Refusal(Reason.SELF_SIGNED, SERVER)
        explain(refusal, invoked("ssl://[::1]:1/"), self.directory)
        self.assertEqual(os.listdir(self.directory / "refused"), ["___1__1.pem"])

    def test_authority(self) -> None:
        """
        An authority that is not known is called one.
        """
        self.assertIn("trust this authority", self.explained(Reason.UNKNOWN_CA, depth=1))

    def test_names(self) -> None:
        """
        Where only the name is wrong, one that the certificate has may be meant; a pattern is no name.
        """
        for reason in (Reason.WRONG_NAME, Reason.NO_NAME, Reason.MALFORMED_NAME):
            self.assertEqual(
                self.commands(self.explained(reason)),
                [
                    "--ssl-server-hostname=localhost",
                    "--ssl-check-hostname=no",
                    "--ssl-server-verify-mode=none",
                ],
            )

    def test_noNames(self) -> None:
        """
        Where the certificate has no names, or none that can be read, there is none to be meant.
        """
        for certificate in (
            AUTHORITY.issue("a.test", san=False).certificate,
            AUTHORITY.issue("a.test", san=b"\xff").certificate,
        ):
            text = explain(Refusal(Reason.NO_NAME, certificate), invoked(TARGET), self.directory)
            self.assertEqual(
                self.commands(text), ["--ssl-check-hostname=no", "--ssl-server-verify-mode=none"]
            )

    def test_others(self) -> None:
        """
        For every other reason there is something to be done, and nothing to be trusted.
        """
        for reason in Reason:
            if reason not in (Reason.SELF_SIGNED, Reason.UNKNOWN_CA, Reason.WRONG_NAME, Reason.NO_NAME):
                text = self.explained(reason)
                self.assertEqual(self.commands(text)[-1], "--ssl-server-verify-mode=none")
        self.assertFalse(self.directory.exists())
        self.assertIn("renew", self.explained(Reason.EXPIRED))
        self.assertIn("can be verified", self.explained(Reason.WEAK))
