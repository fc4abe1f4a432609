"""
C{xtls cert crl}.
"""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certcommands import CertTestCase
from xtls.programs.certcrl import listText
from xtls.trust.issuing import newAuthority, timeNow
from xtls.trust.register import Entry
from xtls.trust.revoking import listNumber, revocationList


class ListTests(CertTestCase):
    """
    C{xtls cert crl}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = newAuthority("an authority")
        self.ca.create(self.authority)
        self.copy = Path(self.mktemp()).absolute()

    def test_made(self) -> None:
        """
        A new list is made in the CA's folder, with the next number, and it is said what to do with it.
        """
        output = self.run_("crl", "--days=3")
        made = x509.load_pem_x509_crl(self.ca.listPath.read_bytes())
        self.assertEqual(listNumber(made), 2)
        assert made.next_update_utc is not None
        self.assertEqual(made.next_update_utc - made.last_update_utc, timedelta(days=3, hours=1))
        for expected in ("number 2", "no certificates", f"{made.next_update_utc:%Y-%m-%d}"):
            self.assertIn(expected, output)
        self.assertIn(f"--ssl-crl={self.ca.listPath}", output)

    def test_copy(self) -> None:
        """
        A copy may be written, and takes the place of an older one, for those who could read that.
        """
        for number, bits in (2, 0o600), (3, 0o644):
            output = self.run_("crl", f"--out={self.copy}")
            self.assertEqual(self.copy.read_bytes(), self.ca.listPath.read_bytes())
            self.assertEqual(listNumber(x509.load_pem_x509_crl(self.copy.read_bytes())), number)
            self.assertIn(f"--ssl-crl={self.copy}", output)
            self.assertEqual(stat.S_IMODE(self.copy.stat().st_mode), bits)
            self.copy.chmod(0o644)

    def test_overwrite(self) -> None:
        """
        Anything else stays as it is, also the list of another CA, unless force is used; then no list is made.
        """
        other = revocationList(newAuthority("another"), [], number=1).public_bytes(Encoding.PEM)
        for data in (b"something", other):
            self.copy.write_bytes(data)
            self.assertEqual(self.refused("crl", f"--out={self.copy}").option, "out")
            self.assertEqual(self.copy.read_bytes(), data)
        self.assertEqual(listNumber(x509.load_pem_x509_crl(self.ca.listPath.read_bytes())), 1)
        self.run_("crl", f"--out={self.copy}", "--force")
        self.assertEqual(self.copy.read_bytes(), self.ca.listPath.read_bytes())

    def test_text(self) -> None:
        """
        How many certificates there are is said in words.
        """
        made = self.ca.revoke(self.authority, [Entry(1).revokedAt(timeNow())])
        self.assertIn("with 1 certificate in it", listText(self.ca, made))

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        self.assertEqual(self.refused("crl", "x").option, "crl")
        self.assertEqual(self.refused("crl", f"--out={self.directory}").option, "out")
        for option, value in (("days", "0"), ("ca", "/nowhere")):
            self.assertEqual(self.refused("crl", f"--{option}={value}").option, option)

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("crl")
