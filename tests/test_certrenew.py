"""
C{xtls cert renew}.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from tests.support.certcommands import CertTestCase
from xtls.errors import CertificateFileError
from xtls.programs import cert
from xtls.testing.authority import Authority
from xtls.trust.certificates import keyToPEM, loadCertificates, loadKeyPair, toPEM
from xtls.trust.issuing import newAuthority, newServer, selfSigned, timeNow
from xtls.trust.pins import pinOf

THEN = timeNow() - timedelta(days=300)


class RenewCase(CertTestCase):
    """
    Tests with files to renew.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.enter()

    def written(self, data: bytes, name: str = "server.pem") -> Path:
        """
        Write a file.
        """
        path = self.folder / name
        path.write_bytes(data)
        return path

    def assertRenewed(self, path: Path, old: x509.Certificate) -> x509.Certificate:
        """
        The first certificate of a file is another one, for the same key.

        @return: that.
        """
        new = loadCertificates(str(path))[0]
        self.assertNotEqual(new.serial_number, old.serial_number)
        self.assertEqual(pinOf(new), pinOf(old))
        self.assertGreater(new.not_valid_after_utc, old.not_valid_after_utc)
        return new


class SelfSignedTests(RenewCase):
    """
    Certificates that have signed themselves.
    """

    pair = selfSigned(["a.test"], now=THEN)

    def test_renewed(self) -> None:
        """
        The certificate is made anew where it is, with its key; all else in the file stays, who may read it
        too, and it is said what to do next.
        """
        path = self.written(b"# mine\n" + toPEM(self.pair))
        os.chmod(path, 0o640)
        output = self.run_("renew", str(path))
        new = self.assertRenewed(path, self.pair.certificate)
        self.assertLess(new.not_valid_after_utc, timeNow() + timedelta(days=366))
        self.assertTrue(path.read_bytes().startswith(b"# mine\n"))
        self.assertEqual(loadKeyPair(str(path)).certificate, new)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
        for expected in (f"renewed {path}", f"{self.pair.certificate.not_valid_after_utc:%Y-%m-%d}", "--pem"):
            self.assertIn(expected, output)

    def test_default(self) -> None:
        """
        By default it is the default certificate.
        """
        self.assertEqual(self.refused("renew").option, "renew")
        self.run_("self-signed")
        old = loadCertificates(str(self.default))[0]
        self.run_("renew", "--days=500")
        self.assertRenewed(self.default, old)

    def test_elsewhere(self) -> None:
        """
        It may be written elsewhere, where nothing is in the way.
        """
        path = self.written(toPEM(self.pair))
        other = self.folder / "new.pem"
        self.run_("renew", str(path), f"--out={other}")
        self.assertEqual(path.read_bytes(), toPEM(self.pair))
        self.assertRenewed(other, self.pair.certificate)
        self.assertEqual(self.refused("renew", str(path), f"--out={other}").option, "out")
        self.run_("renew", str(path), f"--out={other}", "--force")

    def test_keyApart(self) -> None:
        """
        The key may be in a file of its own: one that is named, or the one beside a default name.
        """
        self.written(keyToPEM(self.pair.key), "key.pem")
        alone = toPEM(self.pair, includeKey=False)
        path = self.written(alone)
        self.assertEqual(self.refused("renew", str(path)).option, "key-file")
        self.run_("renew", str(path), "--key-file=key.pem")
        self.assertRenewed(path, self.pair.certificate)
        beside = self.written(alone, "cert.pem")
        self.run_("renew", str(beside))
        self.assertRenewed(beside, self.pair.certificate)

    def test_encryptedKey(self) -> None:
        """
        The key may be encrypted: its passphrase is where the option says, or asked for; it stays encrypted.
        """
        self.setEnvironment(SECRET="sesame")
        path = self.written(toPEM(self.pair, includeKey=False) + keyToPEM(self.pair.key, b"sesame"))
        self.assertEqual(self.refused("renew", str(path)).option, "key-password")
        self.run_("renew", str(path), "--key-password=env:SECRET")
        old = self.assertRenewed(path, self.pair.certificate)
        self.assertIn(b"ENCRYPTED", path.read_bytes())
        questions = self.answering("sesame")
        self.run_("renew", str(path), "--days=500")
        self.assertRenewed(path, old)
        self.assertEqual(questions, [f"passphrase of {path}: "])

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name, and the file stays as it is.
        """
        path = self.written(toPEM(self.pair))
        self.assertEqual(self.refused("renew", str(path), "x").option, "x")
        self.assertEqual(self.refused("renew", str(path), "--days=0").option, "days")
        self.assertEqual(path.read_bytes(), toPEM(self.pair))
        other = self.written(keyToPEM(newAuthority("x").key), "other.pem")
        self.assertRaises(CertificateFileError, cert.run, ["renew", str(path), f"--key-file={other}"])
        odd = Authority().issue("a.test", selfSigned=True, san=b"\xff")
        self.assertRaises(CertificateFileError, cert.run, ["renew", str(self.written(toPEM(odd)))])

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("renew")


class IssuedTests(RenewCase):
    """
    Certificates from the CA.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = newAuthority("an authority", now=THEN)
        self.ca.create(self.authority)
        self.pair = newServer(self.authority, ["a.test"], now=THEN)

    def test_renewed(self) -> None:
        """
        The CA issues the certificate again, and has it in its register.
        """
        path = self.written(toPEM(self.pair))
        output = self.run_("renew", str(path))
        new = self.assertRenewed(path, self.pair.certificate)
        self.assertEqual(new.issuer, self.authority.certificate.subject)
        self.assertIsNotNone(self.ca.register().find(new.serial_number))
        self.assertIn(f"cert show {path}", output)

    def test_withoutKey(self) -> None:
        """
        Its key is not needed: it may be elsewhere, or encrypted, or the certificate in DER.
        """
        data = toPEM(self.pair, includeKey=False)
        der = self.pair.certificate.public_bytes(Encoding.DER)
        for each in (data, data + keyToPEM(self.pair.key, b"sesame"), der):
            path = self.written(each)
            self.run_("renew", str(path))
            self.assertRenewed(path, self.pair.certificate)

    def test_revoked(self) -> None:
        """
        What was revoked is not renewed.
        """
        path = self.written(toPEM(self.pair))
        self.run_("revoke", str(path))
        self.assertIn("revoked", self.refused("renew", str(path)).problem)

    def test_otherAuthority(self) -> None:
        """
        What another CA has issued is refused, with its name.
        """
        for pair in (Authority("Another").issue("a.test"), Authority("an authority").issue("a.test")):
            path = self.written(toPEM(pair))
            error = self.refused("renew", str(path))
            self.assertEqual(error.option, "ca")
            self.assertIn(pair.certificate.issuer.rfc4514_string(), error.problem)
        self.assertEqual(self.refused("renew", str(path), "--ca=/nowhere").option, "ca")

    def test_authority(self) -> None:
        """
        The CA renews itself, in its folder; what it has issued stays good.
        """
        output = self.run_("renew", str(self.ca.certificatePath))
        new = self.assertRenewed(self.ca.certificatePath, self.authority.certificate)
        self.assertGreater(new.not_valid_after_utc, timeNow() + timedelta(days=3649))
        self.assertIn("--pem", output)
        self.pair.certificate.verify_directly_issued_by(self.ca.open().certificate)


class BrowserTests(RenewCase):
    """
    Files for browsers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ca.create(newAuthority("an authority"))
        self.run_("client", "alice", "--days=9")
        self.path, self.archive = self.folder / "alice.pem", self.folder / "alice.p12"

    def opened(self, passphrase: str) -> x509.Certificate:
        """
        The certificate in the file.
        """
        found = pkcs12.load_pkcs12(self.archive.read_bytes(), passphrase.encode())
        assert found.cert is not None
        self.assertEqual([each.certificate for each in found.additional_certs], [self.ca.certificate()])
        return found.cert.certificate

    def test_renewed(self) -> None:
        """
        A file for browsers beside a client's certificate is made anew with it, with another passphrase that
        is shown, or one that is given.
        """
        output = self.run_("renew", str(self.path))
        shown = re.search("shown this once: (.*)", output)
        assert shown is not None
        self.assertEqual(self.opened(shown[1]), loadCertificates(str(self.path))[0])
        self.setEnvironment(SECRET="sesame")
        self.run_("renew", str(self.path), "--p12-password=env:SECRET")
        self.assertEqual(self.opened("sesame"), loadCertificates(str(self.path))[0])

    def test_selfSigned(self) -> None:
        """
        So it is for a client's certificate that has signed itself.
        """
        pair = Authority().issue("alice", clientAuth=True, selfSigned=True)
        self.path.write_bytes(toPEM(pair))
        self.setEnvironment(SECRET="sesame")
        self.run_("renew", str(self.path), "--p12-password=env:SECRET")
        found = pkcs12.load_pkcs12(self.archive.read_bytes(), b"sesame")
        self.assertEqual(found.additional_certs, [])

    def test_untouched(self) -> None:
        """
        It stays as it is where the key cannot be read, where there is none, and where it is not the client's.
        """
        before = self.archive.read_bytes()
        pair = loadKeyPair(str(self.path))
        self.path.write_bytes(toPEM(pair, includeKey=False) + keyToPEM(pair.key, b"sesame"))
        self.assertIn("is as it was", self.run_("renew", str(self.path)))
        self.run_("renew", str(self.path), "--out=new.pem")
        plain = Authority().issue("a.test", usage=(), selfSigned=True)
        for other in (newServer(self.ca.open(), ["a.test"]), plain):
            self.path.write_bytes(toPEM(other))
            self.run_("renew", str(self.path))
        self.assertEqual(self.archive.read_bytes(), before)
        self.archive.unlink()
        self.path.write_bytes(toPEM(pair))
        self.run_("renew", str(self.path))
        self.assertFalse(self.archive.exists())
