"""
PKCS #12.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import pkcs12
from twisted.trial.unittest import SynchronousTestCase

from xtls.trust.issuing import KEY_KINDS, Person, newAuthority, newClient, newKey
from xtls.trust.pkcs12 import newPassphrase, toPKCS12

#: The encryption of keys and certificates in PKCS #12, by its object identifier in DER: AES-256 in CBC mode,
#: and SHA-1 with 3DES.
AES = bytes.fromhex("060960864801650304012a")
TRIPLE_DES = bytes.fromhex("060a2a864886f70d010c0103")

AUTHORITY = newAuthority("an authority")


class WritingTests(SynchronousTestCase):
    """
    L{toPKCS12}.
    """

    def test_read(self) -> None:
        """
        Certificate, key, name and what is above are read again with the passphrase, and not with another.
        """
        for kind in KEY_KINDS:
            if kind in ("rsa-3072", "rsa-4096"):
                continue
            pair = newClient(AUTHORITY, Person("alice"), key=newKey(kind))
            data = toPKCS12(pair, "Älice", b"sesame", above=[AUTHORITY.certificate])
            found = pkcs12.load_pkcs12(data, b"sesame")
            assert found.cert is not None and found.key is not None
            self.assertEqual(found.cert.certificate, pair.certificate)
            self.assertEqual(found.cert.friendly_name, "Älice".encode())
            self.assertEqual(found.key.public_key(), pair.key.public_key())
            self.assertEqual([each.certificate for each in found.additional_certs], [AUTHORITY.certificate])
            self.assertRaises(ValueError, pkcs12.load_pkcs12, data, b"wrong")
            self.assertRaises(ValueError, pkcs12.load_pkcs12, data, None)

    def test_encryption(self) -> None:
        """
        It is AES-256; 3DES where that is asked for.
        """
        pair = newClient(AUTHORITY, Person("alice"))
        for legacy, here, missing in ((False, AES, TRIPLE_DES), (True, TRIPLE_DES, AES)):
            data = toPKCS12(pair, "alice", b"sesame", legacy=legacy)
            self.assertIn(here, data)
            self.assertNotIn(missing, data)
            self.assertIsNotNone(pkcs12.load_pkcs12(data, b"sesame").key)


class PassphraseTests(SynchronousTestCase):
    """
    L{newPassphrase}.
    """

    def test_made(self) -> None:
        """
        Each is another; it is short enough to be typed in, and has nothing in it that looks like another
        thing.
        """
        made = {newPassphrase() for _ in range(50)}
        self.assertEqual(len(made), 50)
        for each in made:
            self.assertRegex(each, r"\A([a-hjkmnp-z2-9]{4}-){4}[a-hjkmnp-z2-9]{4}\Z")
