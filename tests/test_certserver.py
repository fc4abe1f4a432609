"""
C{xtls cert server}.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.certcommands import CertTestCase
from xtls.trust.certificates import fingerprint, loadKeyPair, subjectAlternativeNames
from xtls.trust.issuing import newAuthority, timeNow
from xtls.trust.register import Entry
from xtls.trust.renewing import isIssuedBy


class ServerTests(CertTestCase):
    """
    C{xtls cert server}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ca.create(newAuthority("an authority", days=500))

    def test_default(self) -> None:
        """
        It is made in the current folder, called by its first name, with its key, for its owner alone; it is
        in the register, and it is said what it is and what to do next.
        """
        folder = self.enter()
        output = self.run_("server", "*.example.org", "::1")
        path = folder / "_wildcard.example.org.pem"
        pair = loadKeyPair(str(path))
        self.assertPrivate(path)
        self.assertTrue(isIssuedBy(pair.certificate, self.ca.certificate()))
        self.assertEqual(subjectAlternativeNames(pair.certificate), ("*.example.org", "::1"))
        self.assertEqual(self.ca.register().entries, (Entry.of(pair.certificate),))
        for expected in (
            str(path),
            fingerprint(pair.certificate),
            f"--ssl-cert={path}",
            f"attach ssl://host.example.org:10000/ --ssl-ca-certs={self.ca.certificatePath}",
        ):
            self.assertIn(expected, output)
        self.assertNotIn("it ends when its CA does", output)

    def test_options(self) -> None:
        """
        Place, days and kind of key may be said.
        """
        path = Path(self.mktemp()).absolute()
        output = self.run_("server", "::1", f"--out={path}", "--days=1000", "--key=rsa-2048")
        pair = loadKeyPair(str(path))
        self.assertIsInstance(pair.key, rsa.RSAPrivateKey)
        self.assertIn("ssl://[::1]:10000/", output)
        self.assertIn("it ends when its CA does", output)

    def test_overwrite(self) -> None:
        """
        A file that is there stays as it is, and nothing is issued, unless force is used.
        """
        path = Path(self.mktemp()).absolute()
        path.write_bytes(b"something")
        self.assertEqual(self.refused("server", "a.test", f"--out={path}").option, "out")
        self.assertEqual(path.read_bytes(), b"something")
        self.assertEqual(self.ca.register().entries, ())
        self.run_("server", "a.test", f"--out={path}", "--force")
        self.assertIsNotNone(loadKeyPair(str(path)))

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        self.assertEqual(self.refused("server").option, "server")
        self.assertEqual(self.refused("server", "a.test", "a b").option, "a b")
        for option, value in (("days", "0"), ("key", "dsa"), ("ca", "/nowhere")):
            self.assertEqual(self.refused("server", "a.test", f"--{option}={value}").option, option)

    def test_expired(self) -> None:
        """
        A CA that has expired issues nothing.
        """
        long = timeNow() - timedelta(days=900)
        self.ca.replaceCertificate(newAuthority("x", days=500, key=self.ca.open().key, now=long).certificate)
        error = self.refused("server", "a.test", f"--out={self.mktemp()}")
        self.assertEqual(error.option, "ca")
        self.assertIn("expired", error.problem)

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("server")
