"""
C{xtls cert self-signed}.
"""

from __future__ import annotations

import os
import stat
from datetime import timedelta

from tests.support.certcommands import CertTestCase
from xtls.trust.certificates import fingerprint, loadCertificates, loadKeyPair, subjectAlternativeNames


class SelfSignedTests(CertTestCase):
    """
    C{xtls cert self-signed}.
    """

    def test_default(self) -> None:
        """
        Without options it makes the default certificate, which only its owner can read, and says what it is
        and what to do next.
        """
        output = self.run_("self-signed")
        pair = loadKeyPair(str(self.default))
        names = subjectAlternativeNames(pair.certificate)
        self.assertLessEqual({"localhost", "127.0.0.1", "::1"}, set(names))
        self.assertEqual(stat.S_IMODE(os.stat(self.default).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory).st_mode), 0o700)
        for expected in (str(self.default), fingerprint(pair.certificate), "twistd -n xtls", *names):
            self.assertIn(expected, output)
        self.assertIn(f"attach ssl://localhost:10000/ --ssl-ca-certs={self.default}", output)
        self.assertNotIn("--ssl-cert=", output)

    def test_options(self) -> None:
        """
        Place, names and days may be said.
        """
        path = self.directory / "one.pem"
        output = self.run_("self-signed", f"--out={path}", "--name=::1", "--name=example.org", "--days=7")
        (certificate,) = loadCertificates(str(path))
        self.assertEqual(subjectAlternativeNames(certificate), ("::1", "example.org"))
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        self.assertLess(lifetime, timedelta(days=8))
        self.assertIn("ssl://[::1]:10000/", output)
        self.assertIn(f"--ssl-cert={path}", output)
        self.run_("self-signed", "b.test", "192.0.2.1", f"--out={path}", "--force", "--name=c.test")
        (certificate,) = loadCertificates(str(path))
        self.assertEqual(subjectAlternativeNames(certificate), ("b.test", "192.0.2.1", "c.test"))

    def test_next(self) -> None:
        """
        What to do next can be pasted, whatever the first name is.
        """
        for name, host in (("::1", "[::1]"), ("*.example.org", "host.example.org")):
            output = self.run_("self-signed", "--force", f"--name={name}")
            self.assertIn(f"attach ssl://{host}:10000/", output)

    def test_home(self) -> None:
        """
        The home directory can be written as shells do, which leave it as it is behind an equals sign.
        """
        self.directory.mkdir()
        self.patch(os, "environ", {**os.environ, "HOME": str(self.directory)})
        self.run_("self-signed", "--out=~/mine.pem")
        self.assertTrue((self.directory / "mine.pem").exists())

    def test_overwrite(self) -> None:
        """
        A file that is there stays as it is, unless force is used.
        """
        self.run_("self-signed")
        before = self.default.read_bytes()
        self.assertEqual(self.refused("self-signed").option, "out")
        self.assertEqual(self.default.read_bytes(), before)
        self.run_("self-signed", "--force")
        self.assertNotEqual(self.default.read_bytes(), before)

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name: names, days, and a file without its option.
        """
        self.assertEqual(self.refused("self-signed", "--name=a b").option, "name")
        for days in ("0", "-1", "x", "99999"):
            self.assertEqual(self.refused("self-signed", f"--days={days}").option, "days")
        for path in ("server.pem", "/x/server"):
            self.assertIn(f"--out={path}", self.refused("self-signed", path).problem)

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("self-signed")
