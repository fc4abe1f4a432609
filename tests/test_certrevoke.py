"""
C{xtls cert revoke}.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certcommands import CertTestCase
from xtls.programs import certrevoke
from xtls.testing.authority import Authority
from xtls.trust.issuing import Person, newAuthority, newClient
from xtls.trust.renewing import renewed
from xtls.trust.revoking import revocationsIn


class RevokeTests(CertTestCase):
    """
    C{xtls cert revoke}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = newAuthority("an authority")
        self.ca.create(self.authority)
        self.alice, self.bob = (self.issued(name) for name in ("alice", "bob"))

    def issued(self, name: str) -> x509.Certificate:
        """
        Issue a certificate.
        """
        certificate = newClient(self.authority, Person(name)).certificate
        self.ca.record(certificate)
        return certificate

    def written(self, *certificates: x509.Certificate) -> str:
        """
        Write certificates to a file.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
        return str(path)

    def revoked(self) -> dict[int, str]:
        """
        The serial numbers in the revocation list, with the reasons.
        """
        found = revocationsIn(x509.load_pem_x509_crl(self.ca.listPath.read_bytes()))
        return {each.serial: each.reason for each in found}

    def test_file(self) -> None:
        """
        The certificate of a file is revoked, whatever else is in it; the list has it, and it is said what to
        do next.
        """
        output = self.run_("revoke", self.written(self.authority.certificate, self.alice))
        self.assertEqual(self.revoked(), {self.alice.serial_number: ""})
        self.assertEqual(self.ca.register().revocations[0].serial, self.alice.serial_number)
        for expected in ("revoked: client alice", "number 2", f"--ssl-crl={self.ca.listPath}", "cert crl"):
            self.assertIn(expected, output)

    def test_several(self) -> None:
        """
        Several are revoked at once, for one reason.
        """
        files = [self.written(self.alice), self.written(self.bob), self.written(self.bob)]
        output = self.run_("revoke", *files, "--reason=key-compromise")
        serials = {self.alice.serial_number, self.bob.serial_number}
        self.assertEqual(self.revoked(), dict.fromkeys(serials, "keyCompromise"))
        self.assertIn("number 2", output)
        self.assertEqual(output.count("client bob"), 1)

    def test_serial(self) -> None:
        """
        A serial number will do, in small letters or large, with or without colons, or how it begins.
        """
        first, second = (entry.serialText for entry in self.ca.register().entries)
        self.run_("revoke", f"{first[:2]}:{first[2:8]}", second.upper())
        self.assertEqual(set(self.revoked()), {self.alice.serial_number, self.bob.serial_number})

    def test_renewed(self) -> None:
        """
        With a certificate, all others for its key are revoked: who has the key must not come with one of
        those.
        """
        newer = renewed(self.alice, self.authority, days=9)
        self.ca.record(newer)
        self.run_("revoke", self.written(self.alice))
        self.assertEqual(set(self.revoked()), {self.alice.serial_number, newer.serial_number})

    def test_again(self) -> None:
        """
        What is revoked already stays so, since then and for that reason.
        """
        self.run_("revoke", self.written(self.alice), "--reason=superseded")
        output = self.run_("revoke", self.written(self.alice), "--reason=keyCompromise")
        self.assertIn("was revoked already", output)
        self.assertEqual(self.revoked(), {self.alice.serial_number: "superseded"})

    def test_unrecorded(self) -> None:
        """
        What the CA has issued and the register does not have is revoked all the same.
        """
        self.ca.registerPath.unlink()
        self.run_("revoke", self.written(self.alice))
        self.assertEqual(set(self.revoked()), {self.alice.serial_number})

    def test_wrong(self) -> None:
        """
        What is not of this CA is refused by name, and the CA itself; then nothing is revoked.
        """
        other = self.written(Authority().issue("a.test").certificate)
        own = self.written(self.authority.certificate)
        self.assertEqual(self.refused("revoke").option, "revoke")
        for bad in (other, own, "/nowhere", "0123456789", self.ca.register().entries[0].serialText[:3]):
            self.assertEqual(self.refused("revoke", self.written(self.alice), bad).option, bad)
        for option, value in (("reason", "none"), ("days", "0"), ("ca", "/nowhere")):
            error = self.refused("revoke", self.written(self.alice), f"--{option}={value}")
            self.assertEqual(error.option, option)
        self.assertEqual(self.revoked(), {})

    def test_ambiguous(self) -> None:
        """
        What several serial numbers begin with is refused, and so is what is too short, with what would do.
        """
        for serial in (0x123456, 0x123457):
            certificate = self.odd(serial)
            self.ca.record(certificate)
        self.assertIn("2 serial numbers", self.refused("revoke", "0" * 34).problem)
        self.assertIn("6 digits", self.refused("revoke", "0" * 5).problem)

    def odd(self, serial: int) -> x509.Certificate:
        """
        A certificate of the CA's that another tool has made.
        """
        builder = Authority("an authority")
        builder.key, builder.certificate = self.authority.key, self.authority.certificate
        return builder.issue("a.test", serial=serial).certificate

    def test_oddSerial(self) -> None:
        """
        The largest serial number can be revoked; one that no list can have is refused, before the register
        has it.
        """
        largest = (1 << 159) - 1
        path = self.written(self.odd(largest))
        self.patch(certrevoke, "_LONGEST", 158)
        self.assertEqual(self.refused("revoke", path).option, path)
        self.assertEqual(len(self.ca.register().entries), 2)
        self.patch(certrevoke, "_LONGEST", 159)
        self.run_("revoke", path)
        self.assertEqual(set(self.revoked()), {largest})

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("revoke")
