"""
The register of a CA.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority
from xtls.trust.issuing import Person, newAuthority, newClient, newServer
from xtls.trust.pins import pinOf
from xtls.trust.register import Entry, Register, serialText
from xtls.trust.renewing import renewed
from xtls.trust.revoking import Revocation

NOW = datetime(2026, 2, 28, 12, 0, 0, tzinfo=timezone.utc)
AUTHORITY = newAuthority("an authority", now=NOW)
SERVER = newServer(AUTHORITY, ["a.test", "::1"], now=NOW).certificate
CLIENT = newClient(AUTHORITY, Person("alice", emails=["alice@a.test"]), now=NOW).certificate


class EntryTests(SynchronousTestCase):
    """
    L{Entry}.
    """

    def test_of(self) -> None:
        """
        It says what a certificate is for, and its dates.
        """
        entry = Entry.of(SERVER)
        self.assertEqual((entry.serial, entry.label), (SERVER.serial_number, "server a.test, ::1"))
        self.assertEqual(entry.end, NOW + timedelta(days=365))
        self.assertEqual(entry.key, pinOf(SERVER)[7:23])
        self.assertEqual(Entry.of(CLIENT).label, "client alice, alice@a.test")
        nameless = newClient(AUTHORITY, Person("bob", "x" * 64), now=NOW).certificate
        self.assertEqual(Entry.of(nameless).label, "client bob")

    def test_odd(self) -> None:
        """
        Whatever is in a certificate, its entry is one line that no terminal obeys.
        """
        authority = Authority()
        twice = bytearray(authority.issue("a.test").certificate.public_bytes(Encoding.DER))
        # the extended key usage becomes another subjectAltName: 2.5.29.37 -> 2.5.29.17
        twice[twice.index(bytes.fromhex("0603551d25")) + 4] = 0x11
        strange = authority.issue(commonName="a\n\x1b[31m b", usage=(), signing=None).certificate
        for certificate, label in (
            (strange, "a\\x0a\\x1b[31m b"),
            (x509.load_der_x509_certificate(bytes(twice)), "a.test"),
            (authority.issue(san=False).certificate, "server -"),
            (authority.issue("a.test", san=b"\xff").certificate, "a.test"),
        ):
            entry = Entry.of(certificate)
            self.assertEqual(entry.label, label)
            self.assertEqual(Entry.parse(entry.line()), entry)

    def test_lines(self) -> None:
        """
        What is written is read again, with and without a revocation.
        """
        for entry in (
            Entry.of(SERVER),
            Entry.of(SERVER).revokedAt(NOW, "superseded"),
            Entry(1),
            Entry(1, revocation=Revocation(1, NOW)),
            Entry(2, "x", "0123", NOW, Revocation(2, NOW, "keyCompromise")),
        ):
            self.assertEqual(Entry.parse(entry.line()), entry)
        self.assertEqual(serialText(255), "0" * 38 + "ff")


class RegisterTests(SynchronousTestCase):
    """
    L{Register}.
    """

    register = Register((Entry.of(SERVER), Entry.of(CLIENT)), 7)

    def test_text(self) -> None:
        """
        What is written is read again; empty lines and such that begin with a hash say nothing.
        """
        self.assertEqual(Register.parse(self.register.text()), self.register)
        self.assertEqual(Register.parse(Register().text()), Register())
        self.assertEqual(Register.parse("\n# something\n"), Register())

    def test_damaged(self) -> None:
        """
        A line that cannot be read is an error that names it: nothing is forgotten in silence.
        """
        good = Entry(1, "x", "0123", NOW, Revocation(1, NOW)).line()
        for line in (
            "nonsense\n",
            good.replace("1 ", "g ", 1),
            good.replace("2026", "x", 1),
            Entry(1, "x", "0123", NOW, Revocation(1, NOW, "why")).line(),
            "revocation-lists many\n",
        ):
            error = self.assertRaises(ValueError, Register.parse, f"# first\n{line}")
            self.assertIn("line 2", str(error))

    def test_find(self) -> None:
        """
        An entry is found by its serial number, or by how that begins.
        """
        self.assertEqual(self.register.find(CLIENT.serial_number), Entry.of(CLIENT))
        self.assertIsNone(self.register.find(1))
        text = serialText(CLIENT.serial_number)
        self.assertEqual(self.register.beginning(text.upper()), (Entry.of(CLIENT),))
        self.assertEqual(len(self.register.beginning("")), 2)

    def test_sharing(self) -> None:
        """
        The entries for one key are found from each of them, also from one that is not in the register; of
        one without a known key, there is itself alone.
        """
        again = Entry.of(renewed(CLIENT, AUTHORITY, days=1, now=NOW))
        first = Entry.of(CLIENT)
        self.assertEqual(self.register.sharing(again), (first, again))
        both = self.register.adding(again).adding(Entry(1)).adding(Entry(2))
        for each in (first, again):
            self.assertEqual(both.sharing(each), (first, again))
        self.assertEqual(both.sharing(Entry(1)), (Entry(1),))

    def test_adding(self) -> None:
        """
        An entry is added once.
        """
        register = Register().adding(Entry.of(SERVER))
        self.assertEqual(register.entries, (Entry.of(SERVER),))
        self.assertIs(register.adding(Entry(SERVER.serial_number)), register)

    def test_revoking(self) -> None:
        """
        What is revoked is so from the first time on; also what was not known.
        """
        self.assertEqual(self.register.revocations, ())
        first = Revocation(CLIENT.serial_number, NOW, "superseded")
        unknown = Revocation(1, NOW)
        register = self.register.revoking([first, unknown])
        self.assertEqual(register.revocations, (first, unknown))
        self.assertEqual(register.lists, 7)
        later = Revocation(CLIENT.serial_number, NOW + timedelta(days=1))
        self.assertEqual(register.revoking([later]), register)
