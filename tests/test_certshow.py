"""
C{xtls cert show}.
"""

from __future__ import annotations

import os

from cryptography import x509

from tests.support.certcommands import CertTestCase
from xtls.errors import CertificateFileError
from xtls.programs import cert
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, toPEM


class ShowTests(CertTestCase):
    """
    C{xtls cert show}.
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

    def test_wrong(self) -> None:
        """
        One file is expected.
        """
        self.assertEqual(self.refused("show", "a", "b").option, "b")

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("show")
