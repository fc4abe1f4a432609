"""
C{xtls cert ca}.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.support.certcommands import CertTestCase
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import fingerprint
from xtls.trust.register import Entry


class MakingTests(CertTestCase):
    """
    A new CA.
    """

    def test_default(self) -> None:
        """
        It is made with the user's own files, and it is said what it is, what is in its folder, and what to do
        next.
        """
        output = self.run_("ca")
        certificate = self.ca.open().certificate
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        self.assertEqual(lifetime, timedelta(days=3650, hours=1))
        for expected in (str(self.ca.directory), fingerprint(certificate), "xtls CA of ", "cert server "):
            self.assertIn(expected, output)
        for path in self.ca.directory.iterdir():
            self.assertPrivate(path)
            if not path.name.startswith("."):
                self.assertIn(f"  {path.name} ", output)
        self.assertNotIn("--ca=", output)

    def test_options(self) -> None:
        """
        Place, name, days and key may be said; what is to be done next names the place.
        """
        folder = AuthorityFolder(Path(self.mktemp()).absolute())
        where = f"--ca={folder.directory}"
        output = self.run_("ca", where, "--name=Example Internal CA", "--days=7", "--key=ed25519")
        certificate = folder.certificate()
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=Example Internal CA")
        self.assertIsInstance(certificate.public_key(), ed25519.Ed25519PublicKey)
        self.assertIn(where, output)
        self.assertFalse(self.ca.exists)

    def test_passphrase(self) -> None:
        """
        Its key may be encrypted with a passphrase, which is asked for twice.
        """
        questions = self.answering("sesame", "sesame")
        self.assertIn("encrypted", self.run_("ca", "--ca-password=prompt"))
        self.assertEqual(len(questions), 2)
        self.assertIsNotNone(self.ca.open(b"sesame"))

    def test_once(self) -> None:
        """
        A CA that is there stays as it is.
        """
        self.run_("ca")
        before = self.ca.keyPath.read_bytes()
        self.assertEqual(self.refused("ca").option, "ca")
        self.assertEqual(self.ca.keyPath.read_bytes(), before)

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name, and nothing is made.
        """
        for option, value in (("days", "0"), ("name", "a\n"), ("key", "dsa"), ("ca-password", "")):
            self.assertEqual(self.refused("ca", f"--{option}={value}").option, option)
        self.assertIn("--name=x", self.refused("ca", "x").problem)
        self.assertFalse(self.ca.exists)

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("ca")


class ListTests(CertTestCase):
    """
    What a CA has issued.
    """

    def test_list(self) -> None:
        """
        What was issued and revoked is listed, with serial numbers.
        """
        self.assertEqual(self.refused("ca", "--list").option, "ca")
        self.run_("ca")
        self.assertIn("nothing was issued yet", self.run_("ca", "--list"))
        folder = self.enter()
        self.run_("server", "a.test")
        self.run_("client", "alice")
        self.run_("revoke", str(folder / "alice.pem"))
        server, client = self.ca.register().entries
        self.ca.revoke(self.ca.open(), [Entry(255)])
        lines = self.run_("ca", "--list").splitlines()
        self.assertEqual(
            lines[-3].split(None, 3), [server.serialText, f"{server.end:%Y-%m-%d}", "-", server.label]
        )
        self.assertNotIn(" - ", lines[-2])
        self.assertIn(client.label, lines[-2])
        self.assertTrue(lines[-1].startswith("0" * 38 + "ff  -"))
