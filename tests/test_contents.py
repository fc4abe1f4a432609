"""
What is in a file, whatever kind it is.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.support.made import made
from xtls.testing.authority import Authority
from xtls.trust.contents import Contents, isArchive, readContents

AUTHORITY = Authority("an authority")
PAIR = AUTHORITY.issue("a.test")
PEM = PAIR.certificate.public_bytes(Encoding.PEM)
LIST = AUTHORITY.revocations(PAIR.certificate)


def keyOf(password: bytes = b"", form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """
    The key in PEM.
    """
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return PAIR.key.private_bytes(Encoding.PEM, form, encryption)


def archive(encryption: KeySerializationEncryption, key: bool = True) -> bytes:
    """
    Certificate, key and CA in PKCS #12.
    """
    own = PAIR.key if key else None
    return pkcs12.serialize_key_and_certificates(
        b"a", own, PAIR.certificate, [AUTHORITY.certificate], encryption
    )


class ReadTests(SynchronousTestCase):
    """
    L{readContents}.
    """

    def read(self, data: bytes, password: bytes | None = None) -> Contents:
        """
        Read it, with a passphrase.

        @ivar asked: of each time that it was asked for, whether it was needed.
        """
        self.asked: list[bool] = []

        def say(needed: bool) -> bytes | None:
            self.asked.append(needed)
            return password

        return readContents(data, say)

    def problem(self, data: bytes, password: bytes | None = None) -> str:
        """
        Why it cannot be read.
        """
        return str(self.assertRaises(ValueError, self.read, data, password))

    def test_PEM(self) -> None:
        """
        Certificates, a key and revocation lists may stand in one file; nobody is asked for a passphrase.
        """
        contents = self.read(keyOf() + PEM + AUTHORITY.pem + LIST.public_bytes(Encoding.PEM))
        self.assertEqual(contents.kind, "PEM")
        self.assertEqual(contents.certificates, (PAIR.certificate, AUTHORITY.certificate))
        self.assertEqual((contents.hasKey, contents.publicKey), (True, PAIR.key.public_key()))
        self.assertEqual((contents.revocations, self.asked), ((LIST,), []))
        self.assertEqual(self.read(PEM), Contents("PEM", (PAIR.certificate,)))
        self.assertEqual(self.read(LIST.public_bytes(Encoding.PEM)).revocations, (LIST,))

    def test_DER(self) -> None:
        """
        DER holds one certificate or one list.
        """
        data = PAIR.certificate.public_bytes(Encoding.DER)
        self.assertEqual(self.read(data), Contents("DER", (PAIR.certificate,)))
        self.assertEqual(self.read(LIST.public_bytes(Encoding.DER)), Contents("DER", revocations=(LIST,)))
        self.assertFalse(isArchive(data))

    def test_encryptedKey(self) -> None:
        """
        A key that is encrypted is read with its passphrase, which is not needed to show the rest.
        """
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            data = PEM + keyOf(b"hush", form)
            contents = self.read(data)
            self.assertEqual((contents.encrypted, contents.publicKey), (True, None))
            self.assertEqual(self.asked, [False])
            contents = self.read(data, b"hush")
            self.assertEqual((contents.encrypted, contents.publicKey), (False, PAIR.key.public_key()))
            self.assertIn("wrong passphrase", self.problem(data, b"other"))
            self.assertNotIn("other", self.problem(data, b"other"))

    def test_archive(self) -> None:
        """
        PKCS #12 is read with its passphrase, which is asked for only when there is one.
        """
        data = archive(BestAvailableEncryption(b"hush"))
        self.assertTrue(isArchive(data))
        contents = self.read(data, b"hush")
        self.assertEqual(contents.kind, "PKCS #12")
        self.assertEqual(contents.certificates, (PAIR.certificate, AUTHORITY.certificate))
        self.assertEqual((contents.hasKey, contents.publicKey), (True, PAIR.key.public_key()))
        self.assertEqual(self.asked, [True])
        self.assertIn("no passphrase is given", self.problem(data))
        self.assertIn("wrong passphrase", self.problem(data, b"other"))
        contents = self.read(archive(NoEncryption(), key=False))
        self.assertEqual((contents.hasKey, contents.publicKey, self.asked), (False, None, []))

    def test_archiveOfLittle(self) -> None:
        """
        PKCS #12 may lack the certificate that goes with the key; without any there is nothing to show.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        data = pkcs12.serialize_key_and_certificates(None, key, None, [made()], NoEncryption())
        self.assertEqual(len(self.read(data).certificates), 1)
        data = pkcs12.serialize_key_and_certificates(None, key, None, None, NoEncryption())
        self.assertEqual(self.problem(data), "no certificate in it")

    def test_damaged(self) -> None:
        """
        What cannot be read is told.
        """
        for data, part in (
            (b"what", "expected PEM or DER"),
            (b"\x30\x00", "cannot be read"),
            (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "revocation list"),
            (PEM + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
        ):
            self.assertIn(part, self.problem(data))
