"""
The default certificate is renewed.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES
from xtls.errors import CertificateFileError
from xtls.testing.authority import Authority
from xtls.trust import ownrenewal
from xtls.trust.certificates import KeyPair, loadKeyPair, subjectAlternativeNames, toPEM
from xtls.trust.files import writePrivate
from xtls.trust.issuing import newAuthority, selfSigned
from xtls.trust.ownrenewal import renewDefault

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)


class RenewDefaultTests(SynchronousTestCase):
    """
    L{renewDefault}.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute() / "ssl-cert.pem"
        self.environ = {SEARCH_VARIABLES[0]: str(self.path.parent)}

    def write(self, pair: KeyPair) -> KeyPair:
        """
        Make it the default certificate.
        """
        writePrivate(self.path, toPEM(pair))
        return pair

    def renew(self, days: float) -> bool:
        """
        Whether it is renewed after so many days.
        """
        before = self.path.read_bytes() if self.path.exists() else b""
        found = renewDefault(NOW + days * DAY, self.environ)
        if found is None:
            self.assertEqual(self.path.read_bytes() if self.path.exists() else b"", before)
        else:
            self.assertEqual(found, self.path)
        return found is not None

    def test_renewed(self) -> None:
        """
        30 days before its end it is renewed, for the same names and with the same key; nobody else may read
        it after that either.
        """
        old = self.write(selfSigned(["a.example", "127.0.0.1"], now=NOW))
        self.assertFalse(self.renew(334))
        self.assertTrue(self.renew(335))
        new = loadKeyPair(str(self.path))
        self.assertEqual(new.key.private_numbers(), old.key.private_numbers())  # type: ignore[union-attr]
        self.assertEqual(subjectAlternativeNames(new.certificate), ("a.example", "127.0.0.1"))
        self.assertEqual(new.certificate.not_valid_after_utc, NOW + 700 * DAY)
        self.assertNotEqual(new.certificate.serial_number, old.certificate.serial_number)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertFalse(self.renew(335))

    def test_late(self) -> None:
        """
        It is renewed also when it has expired.
        """
        self.write(selfSigned(["a.example"], now=NOW))
        self.assertTrue(self.renew(400))

    def test_nothing(self) -> None:
        """
        Where there is none, or nothing of the kind, nothing is done.
        """
        self.assertFalse(self.renew(400))
        self.path.parent.mkdir()
        self.path.write_bytes(b"?")
        self.assertFalse(self.renew(400))

    def test_others(self) -> None:
        """
        What somebody else has made is theirs to renew: what a CA has issued, a CA, a chain, and what a link
        leads to.
        """
        mine = selfSigned(["a.example"], now=NOW)
        authority = Authority()
        for pair in (
            authority.issue("a.example"),
            newAuthority("a.example", now=NOW, days=365),
            KeyPair(mine.certificate, mine.key, (authority.certificate,)),
        ):
            self.write(pair)
            self.assertFalse(self.renew(400))
        self.write(mine)
        other = self.path.with_name("other.pem")
        self.path.rename(other)
        self.path.symlink_to(other)
        self.assertFalse(self.renew(400))

    def test_impossible(self) -> None:
        """
        When it is time and it cannot be renewed, that is an error.
        """
        self.write(selfSigned(["a.example"], now=NOW))

        def fail(*arguments: object, **keywords: object) -> None:
            raise ValueError("odd")

        self.patch(ownrenewal, "renewed", fail)
        error = self.assertRaises(CertificateFileError, self.renew, 400)
        self.assertEqual((error.path, error.problem), (str(self.path), "odd"))
