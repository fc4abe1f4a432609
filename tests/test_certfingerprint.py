"""
C{xtls cert fingerprint}.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.certcommands import CertTestCase
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, toPEM
from xtls.trust.pins import pinOf


class FingerprintTests(CertTestCase):
    """
    C{xtls cert fingerprint}.
    """

    def test_fingerprint(self) -> None:
        """
        The fingerprint alone is printed.
        """
        pair = Authority().issue("example.org")
        path = Path(self.mktemp())
        path.write_bytes(toPEM(pair))
        self.assertEqual(self.run_("fingerprint", str(path)), fingerprint(pair.certificate) + "\n")

    def test_pin(self) -> None:
        """
        The pin of the key can be had in its place, as clients take it.
        """
        pair = Authority().issue("example.org")
        path = Path(self.mktemp())
        path.write_bytes(toPEM(pair))
        self.assertEqual(self.run_("fingerprint", "--pin", str(path)), pinOf(pair.certificate) + "\n")

    def test_wrong(self) -> None:
        """
        One file is expected.
        """
        self.assertEqual(self.refused("fingerprint").option, "fingerprint")
        self.assertEqual(self.refused("fingerprint", "a", "b").option, "b")

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("fingerprint")
