"""
C{xtls cert}.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES
from xtls.errors import CertificateFileError, OptionError
from xtls.programs import cert
from xtls.testing.authority import Authority
from xtls.trust.certificates import (
    fingerprint,
    loadCertificates,
    loadKeyPair,
    subjectAlternativeNames,
    toPEM,
    writePrivate,
)


class CertTestCase(SynchronousTestCase):
    """
    Tests with a place of their own for the default certificate.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, SEARCH_VARIABLES[0]: str(self.directory)})
        self.default = self.directory / "ssl-cert.pem"

    def run_(self, *arguments: str) -> str:
        """
        Run the command successfully.

        @return: what it printed.
        """
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(cert.run(arguments), 0)
        return output.getvalue()

    def refused(self, *arguments: str) -> OptionError:
        """
        Run the command with options that cannot be used.
        """
        return self.assertRaises(OptionError, cert.run, arguments)  # type: ignore[no-any-return]


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

    def test_race(self) -> None:
        """
        A file that appears at the last moment stays as it is too.
        """
        written = writePrivate

        def write(path: Path, data: bytes, *, replace: bool) -> None:
            written(path, b"somebody else's")
            written(path, data, replace=replace)

        self.patch(cert, "writePrivate", write)
        self.assertEqual(self.refused("self-signed").option, "out")
        self.assertEqual(self.default.read_bytes(), b"somebody else's")

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name: names, days, and a path without its option.
        """
        self.assertEqual(self.refused("self-signed", "--name=a b").option, "name")
        for days in ("0", "-1", "x", "99999"):
            self.assertEqual(self.refused("self-signed", f"--days={days}").option, "days")
        self.assertIn("--out=server.pem", self.refused("self-signed", "server.pem").problem)


class ShowTests(CertTestCase):
    """
    C{xtls cert show} and C{xtls cert fingerprint}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.directory.mkdir()
        self.authority = Authority("an authority")
        self.pair = self.authority.intermediate("below").issue("example.org")
        self.path = self.directory / "chain.pem"
        self.path.write_bytes(toPEM(self.pair))

    def test_show(self) -> None:
        """
        Every certificate of a file is described, and whether there is a key.
        """
        output = self.run_("show", str(self.path))
        for expected in (
            "with its key",
            "CN=example.org",
            "CN=below",
            "CN=an authority",
            "none in a subjectAltName",
            fingerprint(self.pair.certificate),
        ):
            self.assertIn(expected, output)

    def test_default(self) -> None:
        """
        Without a file it is the default certificate; where there is none, that is said with the remedy.
        """
        error = self.assertRaises(CertificateFileError, cert.run, ["show"])
        self.assertIn("xtls cert self-signed", error.problem)
        self.run_("self-signed")
        self.assertIn(str(self.default), self.run_("show"))

    def test_pem(self) -> None:
        """
        The certificates alone can be printed, to be given away.
        """
        output = self.run_("show", str(self.path), "--pem")
        self.assertNotIn("PRIVATE", output)
        certificates = x509.load_pem_x509_certificates(output.encode("ascii"))
        self.assertEqual(certificates, [self.pair.certificate, *self.pair.chain])
        self.path.write_text(output)
        self.assertIn("without a key", self.run_("show", str(self.path)))

    def test_pipe(self) -> None:
        """
        What can be read only once is read once.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, toPEM(self.pair))
        os.close(writing)
        self.assertIn("with its key", self.run_("show", f"/dev/fd/{reading}"))

    def test_unreadableNames(self) -> None:
        """
        Names that cannot be read do not keep the rest from being shown; nor does a subject that is empty.
        """
        for pair in (
            self.authority.issue("a.test", san=b"\xff"),
            self.authority.issue(san=False),
        ):
            self.path.write_bytes(toPEM(pair, includeKey=False))
            self.assertIn(fingerprint(pair.certificate), self.run_("show", str(self.path)))

    def test_fingerprint(self) -> None:
        """
        The fingerprint alone can be printed.
        """
        output = self.run_("fingerprint", str(self.path))
        self.assertEqual(output, fingerprint(self.pair.certificate) + "\n")

    def test_wrong(self) -> None:
        """
        One file is expected, and a command that there is.
        """
        self.assertEqual(self.refused("fingerprint").option, "fingerprint")
        self.assertEqual(self.refused("fingerprint", "a", "b").option, "b")
        self.assertEqual(self.refused("show", "a", "b").option, "b")
        self.assertEqual(self.refused("sohw").option, "sohw")

    def test_help(self) -> None:
        """
        The help is what was asked for, or what somebody needs who says nothing: then it is an error.
        """
        self.assertIn("self-signed", self.run_("--help"))
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            self.assertEqual(cert.run([]), 2)
        self.assertIn("self-signed", error.getvalue())
