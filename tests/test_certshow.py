"""
C{xtls cert show}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from tests.support.certcommands import CertTestCase
from tests.support.made import ENDLESS, OLD
from xtls.errors import CertificateFileError
from xtls.programs import cert, certshow
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, toPEM
from xtls.trust.pins import pinOf


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

    def test_findings(self) -> None:
        """
        What is wrong is told below each certificate, and below all what is wrong with them together; each
        with what to do about it, naming the file.
        """
        pair = self.authority.issue("example.org")
        self.path.write_bytes(toPEM(pair) + self.authority.pem)
        self.path.chmod(0o644)
        later = pair.certificate.not_valid_before_utc + timedelta(days=40)
        output = self.show(str(self.path), now=later)
        self.assertIn("certificate 1 of 2\n", output)
        self.assertIn("expired 9 days ago", output)
        self.assertIn("\n  error:       it expired 9 days ago\n               renew it", output)
        self.assertIn(f"xtls cert renew {self.path}", output)
        self.assertIn("\ntogether\n", output)
        self.assertIn(f"chmod 600 {self.path}", output)
        self.path.write_bytes(OLD.public_bytes(Encoding.PEM))
        self.assertIn("\n  note:        it is signed with SHA-1", self.run_("show", str(self.path)))
        self.path.write_bytes(toPEM(pair))
        self.path.chmod(0o600)
        self.assertNotIn("chmod", self.run_("show", str(self.path)))

    def test_good(self) -> None:
        """
        There is nothing to say about what is good.
        """
        self.run_("self-signed")
        output = self.run_("show")
        for word in ("warning", "error", "note", "together", "certificate 1"):
            self.assertNotIn(word, output)

    def test_wrongKey(self) -> None:
        """
        A key that belongs to no certificate is told; one that is encrypted is said to be.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        for encryption, part in (
            (NoEncryption(), "the key belongs to none"),
            (BestAvailableEncryption(b"hush"), "with its key, which is encrypted\n"),
        ):
            block = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
            self.path.write_bytes(self.authority.pem + block)
            self.assertIn(part, self.run_("show", str(self.path)))
        self.setEnvironment(HUSH="hush")
        self.assertIn("belongs to none", self.run_("show", str(self.path), "--password=env:HUSH"))

    def test_JSON(self) -> None:
        """
        Programs have it all in JSON.
        """
        document = json.loads(self.run_("show", "--json", str(self.path)))
        self.assertEqual((document["kind"], document["key"], len(document["certificates"])), ("PEM", True, 2))
        first = document["certificates"][0]
        self.assertEqual(first["fingerprint"], fingerprint(self.pair.certificate))
        self.assertEqual(first["pin"], pinOf(self.pair.certificate))
        self.assertEqual(first["findings"][0]["kind"], "expires-soon")
        self.assertEqual(set(first["findings"][0]), {"severity", "kind", "sentence", "remedy"})

    def test_revocations(self) -> None:
        """
        Revocation lists are shown: whose, until when, and what is revoked.
        """
        certificates = [self.authority.issue(serial=0xABC + number).certificate for number in range(22)]
        self.path.write_bytes(self.authority.revocations(*certificates).public_bytes(Encoding.PEM))
        now = datetime.now(timezone.utc)
        output = self.show(str(self.path), now=now)
        for part in ("revocation list\n", "CN=an authority", "in 29 days", " ABC since ", "and 2 more"):
            self.assertIn(part, output)
        output = self.show(str(self.path), now=now + timedelta(days=33))
        self.assertIn("3 days ago", output)
        self.assertIn("error:", output)
        document = json.loads(self.run_("show", "--json", str(self.path)))
        self.assertEqual(len(document["revocations"][0]["revoked"]), 22)
        error = self.assertRaises(CertificateFileError, cert.run, ["show", "--pem", str(self.path)])
        self.assertIn("no certificate", error.problem)
        self.path.write_bytes(self.authority.revocations().public_bytes(Encoding.DER))
        self.assertIn("  revoked      nothing\n", self.run_("show", str(self.path)))
        self.path.write_bytes(ENDLESS.public_bytes(Encoding.DER))
        output = self.run_("show", str(self.path))
        self.assertIn("  next         not said\n", output)
        self.assertIsNone(json.loads(self.run_("show", "--json", str(self.path)))["revocations"][0]["next"])

    def test_archive(self) -> None:
        """
        PKCS #12 is shown when its passphrase is given.
        """
        data = pkcs12.serialize_key_and_certificates(
            None, self.pair.key, self.pair.certificate, None, BestAvailableEncryption(b"hush")
        )
        self.path.write_bytes(data)
        self.setEnvironment(HUSH="hush", WRONG="no")
        output = self.run_("show", str(self.path), "--password=env:HUSH")
        self.assertIn("PKCS #12, with its key", output)
        error = self.assertRaises(
            CertificateFileError, cert.run, ["show", str(self.path), "--password=env:WRONG"]
        )
        self.assertIn("wrong passphrase", error.problem)

    def test_unreadableKey(self) -> None:
        """
        A certificate without a key where one belongs has no pin, and is shown all the same.
        """

        def none(certificate: x509.Certificate) -> str:
            raise ValueError("none")

        self.patch(certshow, "pinOf", none)
        self.assertIn("  pin          cannot be read\n", self.run_("show", str(self.path)))

    def test_server(self) -> None:
        """
        Who names a server is told what shows those.
        """
        self.assertIn("check", self.refused("show", "ssl://localhost/").problem)

    def show(self, *arguments: str, now: datetime) -> str:
        """
        What is printed at some time.
        """
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(certshow.run(arguments, now), 0)
        return output.getvalue()

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
