"""
What a user is told when a server cannot be verified.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import Layer, resolve
from xtls.config.options import TLSOptions
from xtls.config.target import parseTarget
from xtls.programs.commandline import Given
from xtls.programs.refusals import (
    ACCEPTABLE,
    Invocation,
    explain,
    explainChange,
    introduction,
    trustIsSaid,
)
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, loadCertificates
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.pins import pinOf
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

    def test_unknown(self) -> None:
        """
        For an unknown certificate there are five ways on, and the words that everybody searches for; the
        fingerprint is there to be compared.
        """
        for reason in (Reason.SELF_SIGNED, Reason.UNKNOWN_CA):
            text = self.explained(reason)
            self.assertIn("CERTIFICATE_VERIFY_FAILED", text)
            self.assertIn(fingerprint(SERVER), text)
            path = self.directory / "refused" / "localhost_10000.pem"
            self.assertEqual(
                self.commands(text),
                [
                    f"--ssl-ca-certs={path}",
                    "--ssl-ca-certs=CA.pem",
                    f"--ssl-pin={pinOf(SERVER)}",
                    TARGET,
                    "--ssl-server-verify-mode=none",
                ],
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
                    f"--ssl-pin={pinOf(SERVER)}",
                    TARGET,
                    "--ssl-server-verify-mode=none",
                ],
            )

    def test_noNames(self) -> None:
        """
        Where the certificate has no names, or none that can be read or asked for, there is none to be meant.
        """
        for certificate in (
            AUTHORITY.issue("a.test", san=[x509.DNSName("a\x1b[2J\n.test")]).certificate,
            AUTHORITY.issue("a.test", san=False).certificate,
            AUTHORITY.issue("a.test", san=b"\xff").certificate,
        ):
            text = explain(Refusal(Reason.NO_NAME, certificate), invoked(TARGET), self.directory)
            self.assertEqual(
                self.commands(text),
                [
                    "--ssl-check-hostname=no",
                    f"--ssl-pin={pinOf(certificate)}",
                    TARGET,
                    "--ssl-server-verify-mode=none",
                ],
            )

    def test_others(self) -> None:
        """
        For every other reason there is something to be done, and nothing to be trusted.
        """
        for reason in Reason:
            if reason not in ACCEPTABLE | {Reason.WRONG_KEY}:
                text = self.explained(reason)
                self.assertEqual(self.commands(text)[-1], "--ssl-server-verify-mode=none")
        self.assertFalse(self.directory.exists())
        self.assertIn("renew", self.explained(Reason.EXPIRED))
        self.assertIn("can be verified", self.explained(Reason.WEAK))

    def ways(self, refusal: Refusal, invocation: Invocation) -> list[list[str]]:
        """
        The words of each command in an explanation, from the target on.
        """
        text = explain(refusal, invocation, self.directory)
        commands = [shlex.split(line) for line in text.splitlines() if line.startswith("    ")]
        return [words[words.index("attach") + 1 :] for words in commands]

    def test_pinAlone(self) -> None:
        """
        A pin stands alone: CAs that were named on the command line are left out of that command, and so is a
        name that was not to be checked.
        """
        refusal = Refusal(Reason.SELF_SIGNED, SERVER, own=SERVER)
        given = Given(
            {"verbose": ("",), "ssl-ca-certs": ("a.pem",), "ssl-check-hostname": ("no",)}, (TARGET,)
        )
        ways = self.ways(refusal, Invocation(given, parseTarget(TARGET)))
        self.assertIn([TARGET, "--verbose", f"--ssl-pin={pinOf(SERVER)}"], ways)

    def test_decided(self) -> None:
        """
        Who has said whom to believe is not told that they would be asked.
        """
        for option, text in (("ssl-ca-certs", "a.pem"), ("ssl-server-verify-mode", "required")):
            given = Given({option: (text,)}, (TARGET,))
            ways = self.ways(Refusal(Reason.SELF_SIGNED, SERVER), Invocation(given, parseTarget(TARGET)))
            self.assertNotIn([TARGET, f"--{option}={text}"], ways)

    def test_noPin(self) -> None:
        """
        There is no pin where the server's own certificate is not known, where its key cannot be found, and
        where the target itself says whom to believe, which would have to hold too.
        """
        anchored = parseTarget(f"{TARGET}?ssl-ca-data=0x3000")

        class Keyless:
            tbs_certificate_bytes = b""

        keyless: Any = Keyless()
        for refusal, target in (
            (Refusal(Reason.UNKNOWN_CA, SERVER, 1), parseTarget(TARGET)),
            (Refusal(Reason.UNKNOWN_CA, SERVER, 1, own=keyless), parseTarget(TARGET)),
            (Refusal(Reason.UNKNOWN_CA, SERVER, own=SERVER), anchored),
        ):
            ways = self.ways(refusal, Invocation(Given({}, (TARGET,)), target))
            self.assertNotIn("--ssl-pin", str(ways))

    def test_pinned(self) -> None:
        """
        Who has pinned another key is told which the server has, and not how to believe anybody; one that is
        the fingerprint of the certificate is a mistake, and is said to be.
        """
        refusal = Refusal(Reason.WRONG_KEY, SERVER, own=SERVER, detail=pinOf(SERVER))
        for pin, words in (
            (f"sha256:{'0' * 64}", "which key it has now"),
            (fingerprint(SERVER), "the fingerprint of its certificate"),
        ):
            invocation = invoked(TARGET, ssl_pin=(pin,))
            text = explain(refusal, invocation, self.directory)
            self.assertIn(words, text)
            self.assertEqual(self.commands(text), [f"--ssl-pin={pinOf(SERVER)}"])


class TrustIsSaidTests(SynchronousTestCase):
    """
    L{trustIsSaid}.
    """

    def test_said(self) -> None:
        """
        Anchors, pins and the mode of verification say whom to believe, in any place; names do not.
        """
        for name, text in (
            ("ssl-ca-certs", "default"),
            ("ssl-ca-data", "0x3000"),
            ("ssl-pin", f"sha256:{'0' * 64}"),
            ("ssl-crl", "crl.pem"),
            ("ssl-server-verify-mode", "none"),
        ):
            self.assertTrue(trustIsSaid(Layer("a"), Layer("b", {name: text}), Layer("c")))
        self.assertFalse(trustIsSaid(Layer("a", {"ssl-check-hostname": "no", "close-timeout": "1"})))


class ExplainChangeTests(SynchronousTestCase):
    """
    L{explainChange}.
    """

    def test_both(self) -> None:
        """
        Both fingerprints are shown, since when the old one was remembered and where, and the command that
        forgets it.
        """
        then = datetime(2026, 2, 3, 4, 5, tzinfo=timezone.utc)
        old = selfSigned(["localhost"]).certificate
        remembered = KnownHosts(Path(self.mktemp())).remember("localhost", 10000, old, then)
        text = explainChange(parseTarget(TARGET), SERVER, remembered, "xtls hosts forget localhost:10000")
        self.assertTrue(text.startswith("THE KEY OF localhost:10000 HAS CHANGED"))
        for words in (
            fingerprint(old),
            fingerprint(SERVER),
            "since 2026-02-03 04:05 UTC",
            str(remembered.path),
            "CERTIFICATE_VERIFY_FAILED",
            "\n    xtls hosts forget localhost:10000",
        ):
            self.assertIn(words, text)


class IntroductionTests(SynchronousTestCase):
    """
    L{introduction}.
    """

    def introduced(self, refusal: Refusal, own: x509.Certificate) -> dict[str, str]:
        """
        What is shown, by what it is.
        """
        text = introduction(parseTarget(TARGET), refusal, own)
        return dict(line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  "))

    def test_shown(self) -> None:
        """
        Subject, issuer, names, dates, fingerprint and key of its own certificate are shown, once each.
        """
        shown = self.introduced(Refusal(Reason.UNKNOWN_CA, AUTHORITY.certificate, 1), SERVER)
        self.assertEqual(shown["subject"], "CN=localhost")
        self.assertEqual(shown["issuer"], "CN=xtls test authority")
        self.assertEqual(shown["names"], "localhost, *.example.org, other.example.org")
        self.assertEqual(
            shown["valid"], f"{SERVER.not_valid_before_utc:%F} to {SERVER.not_valid_after_utc:%F}"
        )
        self.assertEqual(shown["fingerprint"], fingerprint(SERVER))
        self.assertEqual(shown["key"], pinOf(SERVER))
        text = introduction(parseTarget(TARGET), Refusal(Reason.SELF_SIGNED, SERVER), SERVER)
        self.assertEqual(text.count(fingerprint(SERVER)), 1)

    def test_selfSigned(self) -> None:
        """
        Who has signed for itself is said to have; one with no names has none.
        """
        own = AUTHORITY.issue("a.test", selfSigned=True, san=False).certificate
        shown = self.introduced(Refusal(Reason.SELF_SIGNED, own), own)
        self.assertEqual((shown["issuer"], shown["names"]), ("itself (self-signed)", "none"))

    def test_printable(self) -> None:
        """
        No terminal obeys what a certificate says.
        """
        own = AUTHORITY.issue(commonName="a\x1b[2J\r\nAccept", san=False).certificate
        text = introduction(parseTarget(TARGET), Refusal(Reason.SELF_SIGNED, own), own)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\nAccept", text)
