"""
C{xtls cert encode}.
"""

from __future__ import annotations

import contextlib
import io

from tests.support.certcommands import CertTestCase
from xtls.config.definitions import Layer
from xtls.config.portoptions import resolveBoth
from xtls.config.target import parseTarget
from xtls.programs.certencode import encoded
from xtls.testing.authority import Authority
from xtls.trust.certificates import parseCertificates, toPEM


class EncodeTests(CertTestCase):
    """
    C{xtls cert encode}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.directory.mkdir()
        self.authority = Authority("an authority")
        self.path = self.directory / "ca.pem"

    def test_option(self) -> None:
        """
        What is printed is taken by ssl-ca-data, and is the certificates without the key.
        """
        pair = self.authority.issue("a.test", selfSigned=True)
        self.path.write_bytes(toPEM(pair) + self.authority.pem)
        for switch in ([], ["--base64"], ["--hex"]):
            output = self.run_("encode", *switch, str(self.path))
            tls, _ = resolveBoth(Layer("", {"ssl-ca-data": output.strip()}))
            self.assertEqual(parseCertificates(tls.caData), (pair.certificate, self.authority.certificate))
            self.assertEqual(output.count("\n"), 1)

    def test_word(self) -> None:
        """
        It is one word of letters and digits, which is itself in a URL, however long the certificates are.
        """
        for number in range(1, 7):
            certificate = self.authority.issue("a" * number + ".test").certificate
            for hexadecimal in (False, True):
                word = encoded([certificate], hexadecimal=hexadecimal)
                self.assertTrue(word.removeprefix("base64:").isalnum(), word)
                target = parseTarget(f"ssl://h:1/?ssl-ca-data={word}")
                tls, _ = resolveBoth(target.layer)
                self.assertEqual(parseCertificates(tls.caData), (certificate,))
                self.assertIn(word, target.toURL())

    def test_nobody(self) -> None:
        """
        A certificate that makes nobody believed is told of, with the one that is needed; it is printed alone.
        """
        pair = self.authority.intermediate("below").issue("a.test")
        self.path.write_bytes(toPEM(pair))
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertTrue(self.run_("encode", "--hex", str(self.path)).strip().isalnum())
        self.assertIn("needs the certificate of CN=an authority", errors.getvalue())

    def test_wrong(self) -> None:
        """
        One encoding is expected.
        """
        self.assertEqual(self.refused("encode", "--hex", "--base64", "x").option, "hex")

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("encode")
