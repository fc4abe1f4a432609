"""
Which certificate to show.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority
from xtls.trust.sni import NameTable, lookUp

AUTHORITY = Authority()

FIRST = AUTHORITY.issue("a.test", "x.wild.test").certificate
SECOND = AUTHORITY.issue("b.test", "*.wild.test", "127.0.0.1").certificate
NAMELESS = AUTHORITY.issue(commonName="C.test", san=False).certificate
DAMAGED = AUTHORITY.issue(commonName="d.test", san=b"no DER").certificate
TABLE = NameTable([(FIRST, 1), (SECOND, 2), (NAMELESS, 3), (DAMAGED, 4), (FIRST, 5)])


class NameTableTests(SynchronousTestCase):
    """
    Values by the names of certificates.
    """

    def test_find(self) -> None:
        """
        A name of its own wins over a wildcard, and the first certificate over later ones; a certificate
        without a subjectAltName is found by its Common Name.
        """
        for name, value in {
            b"a.test": 1,
            b"A.TEST.": 1,
            b"b.test": 2,
            b"x.wild.test": 1,
            b"y.wild.test": 2,
            b"c.test": 3,
        }.items():
            self.assertEqual(TABLE.find(name), value, name)

    def test_default(self) -> None:
        """
        The first is found for no name, for an unknown one, and for what is none.
        """
        for name in (
            None,
            b"",
            b"e.test",
            b"wild.test",
            b"x.y.wild.test",
            b"127.0.0.1",
            b"d.test",
            b"\xff",
            b".",
            b"*",
        ):
            self.assertEqual(TABLE.find(name), 1, name)

    def test_knows(self) -> None:
        """
        A name is known if a certificate is for it; no name is not.
        """
        for name in (b"a.test", b"Y.wild.test.", b"c.test"):
            self.assertTrue(TABLE.knows(name), name)
        for unknown in (None, b"", b"e.test", b"wild.test"):
            self.assertFalse(TABLE.knows(unknown), unknown)

    def test_lookUp(self) -> None:
        """
        Any table is looked up alike.
        """
        table = {"a.test": 1, "*.a.test": 2}
        found = [lookUp(table, name) for name in (b"a.test", b"x.A.test.", b"y.x.a.test", b"*.a.test", None)]
        self.assertEqual(found, [1, 2, None, 2, None])
