"""
Pins of keys.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.values import parsePin as parsePinOfConfig
from xtls.testing.authority import Authority
from xtls.trust.pins import parsePin, pinOf, publicKeyInfo

AUTHORITY = Authority()


class Said:
    """
    A certificate that consists of what it says.
    """

    def __init__(self, contents: bytes) -> None:
        self.tbs_certificate_bytes = contents


def sequence(*elements: bytes, tag: int = 0x30) -> bytes:
    """
    A short sequence in DER.
    """
    contents = b"".join(elements)
    return bytes((tag, len(contents))) + contents


NUMBER = b"\x02\x01\x01"
EMPTY = sequence()


class PinTests(SynchronousTestCase):
    """
    L{pinOf}.
    """

    def test_keys(self) -> None:
        """
        The pin is the SHA-256 of the key as it is written in the certificate, of whatever kind it is.
        """
        for key in (None, ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)):
            certificate = AUTHORITY.issue("a.test", key=key).certificate
            written = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            self.assertEqual(publicKeyInfo(certificate), written)
            self.assertEqual(pinOf(certificate), f"sha256:{hashlib.sha256(written).hexdigest()}")
            self.assertEqual(parsePin(pinOf(certificate)), pinOf(certificate))
        self.assertIs(parsePin, parsePinOfConfig)

    def test_renewed(self) -> None:
        """
        Two certificates of one key have one pin, and two keys have two.
        """
        first = AUTHORITY.issue("a.test")
        renewed = AUTHORITY.issue("b.test", key=first.key)
        self.assertEqual(pinOf(first.certificate), pinOf(renewed.certificate))
        self.assertNotEqual(pinOf(first.certificate), pinOf(AUTHORITY.issue("a.test").certificate))

    def test_version(self) -> None:
        """
        A certificate of version 1 does not say its version.
        """
        key = sequence(b"\x05\x00")
        said: Any = Said(sequence(NUMBER, EMPTY, EMPTY, EMPTY, EMPTY, key, b"\xa3\x00"))
        self.assertEqual(publicKeyInfo(said), key)

    def test_damaged(self) -> None:
        """
        What has no key where it belongs has no pin.
        """
        for contents in (
            b"",
            b"\x30",
            b"\x30\x05\x02",
            b"\x30\x82\xff\xff",
            b"\x31\x00",
            sequence(),
            sequence(NUMBER, EMPTY, EMPTY, EMPTY, EMPTY),
            sequence(NUMBER, EMPTY, EMPTY, EMPTY, NUMBER, EMPTY),
            sequence(NUMBER, EMPTY, EMPTY, EMPTY, EMPTY, NUMBER),
        ):
            said: Any = Said(contents)
            self.assertRaises(ValueError, pinOf, said)
