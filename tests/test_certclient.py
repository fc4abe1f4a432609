"""
C{xtls cert client}.
"""

from __future__ import annotations

import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.support.certcommands import CertTestCase
from xtls.trust.certificates import KeyPair, loadKeyPair
from xtls.trust.issuing import newAuthority
from xtls.trust.register import Entry
from xtls.trust.renewing import isIssuedBy

#: SHA-1 with 3DES in PKCS #12, in DER.
TRIPLE_DES = bytes.fromhex("060a2a864886f70d010c0103")


class ClientTests(CertTestCase):
    """
    C{xtls cert client}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ca.create(newAuthority("an authority"))
        self.folder = self.enter()

    def opened(self, path: Path, passphrase: str) -> KeyPair:
        """
        Read the file for browsers.
        """
        found = pkcs12.load_pkcs12(path.read_bytes(), passphrase.encode())
        assert found.cert is not None and found.key is not None
        self.assertEqual([each.certificate for each in found.additional_certs], [self.ca.certificate()])
        return KeyPair(found.cert.certificate, found.key)  # type: ignore[arg-type]

    def test_default(self) -> None:
        """
        Two files are made in the current folder, for the owner alone: PEM, and PKCS #12 with a passphrase
        that is made up and shown.  It is said what to do next, and how to undo it.
        """
        output = self.run_("client", "alice")
        path, archive = self.folder / "alice.pem", self.folder / "alice.p12"
        self.assertPrivate(path)
        self.assertPrivate(archive)
        pair = loadKeyPair(str(path))
        self.assertTrue(isIssuedBy(pair.certificate, self.ca.certificate()))
        self.assertEqual(self.ca.register().entries, (Entry.of(pair.certificate),))
        shown = re.search("shown this once: (.*)", output)
        assert shown is not None
        opened = self.opened(archive, shown[1])
        self.assertEqual(opened.certificate, pair.certificate)
        self.assertEqual(opened.key.public_key(), pair.key.public_key())
        for expected in (f"--ssl-cert={path}", f"--ssl-crl={self.ca.listPath}", f"cert revoke {path}"):
            self.assertIn(expected, output)
        self.assertNotIn(TRIPLE_DES, archive.read_bytes())

    def test_names(self) -> None:
        """
        What it is for may be said at length.
        """
        self.run_(
            "client",
            "Alice B",
            "--out=a.pem",
            "--organization=Example",
            "--unit=ops",
            "--unit=dev",
            "--email=a@b.test",
            "--dns=c.test",
            "--uri=x:y",
            "--days=3",
            "--key=ed25519",
        )
        certificate = loadKeyPair(str(self.folder / "a.pem")).certificate
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=Alice B,OU=dev,OU=ops,O=Example")
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual([each.value for each in names], ["a@b.test", "c.test", "x:y"])
        self.assertTrue((self.folder / "a.p12").exists())

    def test_passphrase(self) -> None:
        """
        The passphrase may be given, and is then not shown; the encryption may be an old one.
        """
        self.setEnvironment(SECRET="open sesame")
        output = self.run_("client", "alice@a.test", "--p12-password=env:SECRET", "--legacy")
        self.assertNotIn("sesame", output)
        archive = self.folder / "alice@a.test.p12"
        self.opened(archive, "open sesame")
        self.assertIn(TRIPLE_DES, archive.read_bytes())
        questions = self.answering("sesame", "sesame")
        self.run_("client", "bob", "--p12-password=prompt")
        self.assertIn("bob.p12", questions[0])
        self.opened(self.folder / "bob.p12", "sesame")

    def test_overwrite(self) -> None:
        """
        Files that are there stay as they are, and nothing is issued, unless force is used.
        """
        for name in ("alice.pem", "alice.p12"):
            (self.folder / name).write_bytes(b"something")
            self.assertEqual(self.refused("client", "alice").option, "out")
            self.assertEqual((self.folder / name).read_bytes(), b"something")
            self.assertEqual(len(list(self.folder.iterdir())), 1)
            self.assertEqual(self.ca.register().entries, ())
            (self.folder / name).unlink()
        self.run_("client", "alice")
        before = (self.folder / "alice.p12").read_bytes()
        self.run_("client", "alice", "--force")
        self.assertNotEqual((self.folder / "alice.p12").read_bytes(), before)

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        self.assertEqual(self.refused("client").option, "client")
        self.assertEqual(self.refused("client", "Alice", "B").option, "B")
        self.assertEqual(self.refused("client", "alice", "--email=x").option, "client")
        self.assertIn("--out=x.pem", self.refused("client", "alice", "--out=x.p12").problem)
        for option, value in (("days", "0"), ("key", "dsa"), ("ca", "/nowhere"), ("p12-password", "")):
            self.assertEqual(self.refused("client", "alice", f"--{option}={value}").option, option)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("client")
