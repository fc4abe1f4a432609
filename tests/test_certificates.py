"""
Certificates and keys: reading and writing.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from tests.support.der import oid, sequence, tlv
from tests.support.handshakes import saved
from tests.support.making import Facts, Issuer
from xtls.errors import CertificateFileError
from xtls.testing.authority import Authority
from xtls.trust import certificates
from xtls.trust.alternatives import generalName
from xtls.trust.certificates import (
    KeyPair,
    PrivateKey,
    fingerprint,
    holdsKey,
    keyToPEM,
    loadCertificates,
    loadKeyPair,
    parseCertificates,
    replaceCertificate,
    subjectAlternativeNames,
    toPEM,
    writePrivate,
)
from xtls.trust.identities import Identity
from xtls.trust.issuing import selfSigned

AUTHORITY = Authority()
PAIR = AUTHORITY.issue("a.test")
PEM = PAIR.certificate.public_bytes(Encoding.PEM)
DER = PAIR.certificate.public_bytes(Encoding.DER)


def keyOf(key: PrivateKey, password: bytes = b"", form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """
    A key in PEM.
    """
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption)


KEY = keyOf(PAIR.key)


class ParseCertificatesTests(SynchronousTestCase):
    """
    Certificates as data.
    """

    def test_forms(self) -> None:
        """
        Bundles in PEM, with anything between, in either of the labels and with any ends of lines; or one in
        DER.
        """
        for data, expected in (
            (PEM, [PAIR.certificate]),
            (DER, [PAIR.certificate]),
            (PEM + AUTHORITY.pem, [PAIR.certificate, AUTHORITY.certificate]),
            (KEY + b"Subject: CN=x\n" + PEM + KEY, [PAIR.certificate]),
            (PEM.replace(b"\n", b"\r\n"), [PAIR.certificate]),
            (PEM.replace(b"CERTIFICATE", b"X509 CERTIFICATE"), [PAIR.certificate]),
        ):
            self.assertEqual(list(parseCertificates(data)), expected)

    def test_bad(self) -> None:
        """
        None at all, one that is damaged, and one that is cut short are errors: never fewer than there are.
        """
        for data in (
            b"",
            b"nothing",
            KEY,
            b"\x30\x03abc",
            DER[:-1],
            PEM[:-30],
            PEM + PEM[:60],
            PEM[:-30] + PEM,
            PEM.replace(b"MII", b"AAA"),
            PEM + PEM.replace(b"MII", b"AAA"),
        ):
            self.assertRaises(ValueError, parseCertificates, data)

    def test_odd(self) -> None:
        """
        A serial number below one (RFC 5280, section 4.1.2.2), as some CAs have that systems believe, is read,
        and nobody is warned of it.
        """
        number = PAIR.certificate.serial_number
        serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
        negative = b"\x80" + serial[1:]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            certificates._keepToOurselves()
            (found,) = parseCertificates(DER.replace(serial, negative, 1))
            X509.from_cryptography(found).to_cryptography()
        self.assertLess(found.serial_number, 1)
        self.assertEqual(caught, [])

    def test_oddNames(self) -> None:
        """
        Nobody is warned of a name that is longer than it should be (RFC 5280, appendix A.1): peers could have
        that said as often as they like.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            certificates._keepToOurselves()
            subject = sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(0x0C, b"x" * 65))))
            long = x509.load_der_x509_certificate(Issuer.root("long", Facts(subject=subject)).der)
            self.assertEqual(len(Identity.of(long).commonName), 65)
        self.assertEqual(caught, [])


class LoadCertificatesTests(SynchronousTestCase):
    """
    Certificates in files.
    """

    def test_loaded(self) -> None:
        """
        A file is read in its order.
        """
        self.assertEqual(
            loadCertificates(saved(self, PEM + AUTHORITY.pem)), (PAIR.certificate, AUTHORITY.certificate)
        )

    def test_bad(self) -> None:
        """
        A file that is missing or holds none is an error with its path.
        """
        for path in ("/nowhere", saved(self, b"nothing"), saved(self, PEM[:-30])):
            error = self.assertRaises(CertificateFileError, loadCertificates, path)
            self.assertEqual(error.path, path)


class LoadKeyPairTests(SynchronousTestCase):
    """
    A certificate and its key.
    """

    def problemOf(self, certPath: str, keyPath: str = "", password: bytes = b"") -> tuple[str, str]:
        """
        Which file cannot be used, and why.
        """
        error = self.assertRaises(CertificateFileError, loadKeyPair, certPath, keyPath, password)
        return error.path, error.problem

    def assertSame(self, found: KeyPair, expected: KeyPair) -> None:
        """
        The two are of the same certificate, key and chain.
        """
        self.assertEqual((found.certificate, found.chain), (expected.certificate, expected.chain))
        self.assertEqual(found.key.public_key(), expected.key.public_key())

    def test_oneFile(self) -> None:
        """
        One file may hold it all, in any order; the certificate is the one to which the key belongs.
        """
        intermediate = AUTHORITY.intermediate()
        pair = intermediate.issue("a.test")
        own, key, above = pair.certificate.public_bytes(Encoding.PEM), keyOf(pair.key), intermediate.pem
        for data in (own + above + key, key + own + above, above + key + own):
            self.assertSame(loadKeyPair(saved(self, data)), pair)

    def test_pipe(self) -> None:
        """
        What holds it all may be a pipe, which can be read once.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, PEM + keyOf(PAIR.key))
        os.close(writing)
        self.assertSame(loadKeyPair(f"/dev/fd/{reading}"), PAIR)

    def test_twoFiles(self) -> None:
        """
        The key may be in a file of its own, also in DER and beside other things; then one that is in the
        certificate's is passed over.
        """
        der = PAIR.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        other = keyOf(ec.generate_private_key(ec.SECP256R1()))
        for key in (KEY, der, PEM + KEY):
            for certificate in (PEM, DER, PEM + other):
                self.assertSame(loadKeyPair(saved(self, certificate), saved(self, key)), PAIR)

    def test_kinds(self) -> None:
        """
        Keys may be of several kinds and in several forms.
        """
        traditional = PrivateFormat.TraditionalOpenSSL
        keys: list[tuple[PrivateKey, PrivateFormat]] = [
            (rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8),
            (rsa.generate_private_key(65537, 2048), traditional),
            (ec.generate_private_key(ec.SECP384R1()), traditional),
            (ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8),
            (ed448.Ed448PrivateKey.generate(), PrivateFormat.PKCS8),
        ]
        for key, form in keys:
            pair = selfSigned(["a.test"], key=key)
            data = pair.certificate.public_bytes(Encoding.PEM) + keyOf(key, form=form)
            self.assertSame(loadKeyPair(saved(self, data)), pair)

    def test_parameters(self) -> None:
        """
        The parameters that C{openssl ecparam} writes before a key do not hide it.
        """
        parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        key = keyOf(PAIR.key, form=PrivateFormat.TraditionalOpenSSL)
        self.assertSame(loadKeyPair(saved(self, parameters + key + PEM)), PAIR)

    def test_encrypted(self) -> None:
        """
        A key may have a passphrase; one that has none is read whatever is given.
        """
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            path = saved(self, PEM + keyOf(PAIR.key, b"sesame", form))
            self.assertSame(loadKeyPair(path, password=b"sesame"), PAIR)
            self.assertIn("no passphrase is given", self.problemOf(path)[1])
            self.assertIn("wrong passphrase", self.problemOf(path, password=b"wrong")[1])
        self.assertSame(loadKeyPair(saved(self, PEM + KEY), password=b"in vain"), PAIR)

    def test_bad(self) -> None:
        """
        A file without a key, with a damaged one, or with one of a kind that TLS has no use for is an error
        that names the file.
        """
        unused = dsa.generate_private_key(1024)
        certificate = saved(self, PEM)
        for data, problem in (
            (PEM, "no private key in it"),
            (DER, "the private key in it cannot be read: damaged, or of a kind that is not supported"),
            (b"nothing", "no private key in it"),
            (KEY[:-30], "no private key in it"),
            (KEY.replace(b"MI", b"AA"), "the private key in it cannot be read: damaged"),
            (
                unused.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
                "the private key is of a kind that is not supported",
            ),
        ):
            path = saved(self, data)
            found, why = self.problemOf(certificate, path)
            self.assertEqual(found, path)
            self.assertIn(problem, why)
        self.assertEqual(self.problemOf(certificate), (certificate, "no private key in it"))
        self.assertEqual(self.problemOf("/nowhere")[0], "/nowhere")
        self.assertEqual(self.problemOf(certificate, "/nowhere")[0], "/nowhere")
        nothing = saved(self, b"nothing")
        self.assertEqual(self.problemOf(nothing, saved(self, KEY))[0], nothing)

    def test_mismatch(self) -> None:
        """
        A key that belongs to no certificate of the file is an error that names both files.
        """
        certificate = saved(self, AUTHORITY.pem)
        key = saved(self, KEY)
        path, problem = self.problemOf(certificate, key)
        self.assertEqual(path, key)
        self.assertIn(certificate, problem)

    def test_unreadablePublicKey(self) -> None:
        """
        A certificate whose key makes no sense is an error of its file.
        """
        damaged = bytearray(DER)
        # a point that is not on the curve
        position = damaged.index(b"\x03\x42\x00\x04") + 4
        damaged[position : position + 64] = b"\1" * 64
        path = saved(self, bytes(damaged))
        self.assertEqual(
            self.problemOf(path, saved(self, KEY)),
            (path, "the public key of a certificate in it cannot be read"),
        )

    def test_secret(self) -> None:
        """
        Neither passphrase nor key is in an error or a representation.
        """
        path = saved(self, PEM + keyOf(PAIR.key, b"sesame"))
        error = self.assertRaises(CertificateFileError, loadKeyPair, path, "", b"open sesame")
        for text in (str(error), repr(error)):
            self.assertNotIn("sesame", text)
        self.assertNotIn("key", repr(PAIR))

    def test_holdsKey(self) -> None:
        """
        Whether a file has a key in PEM can be asked.
        """
        self.assertTrue(holdsKey(saved(self, PEM + KEY)))
        self.assertFalse(holdsKey(saved(self, PEM)))
        self.assertRaises(CertificateFileError, holdsKey, "/nowhere")


class WritingTests(SynchronousTestCase):
    """
    Certificates as text.
    """

    def test_toPEM(self) -> None:
        """
        What is written is read again: certificate, chain and key; the key only when asked.
        """
        pair = AUTHORITY.intermediate().issue("a.test")
        found = loadKeyPair(saved(self, toPEM(pair)))
        self.assertEqual((found.certificate, found.chain), (pair.certificate, pair.chain))
        self.assertEqual(toPEM(found), toPEM(pair))
        self.assertEqual(parseCertificates(toPEM(pair, includeKey=False)), (pair.certificate, *pair.chain))
        self.assertNotIn(b"PRIVATE", toPEM(pair, includeKey=False))

    def test_replaceCertificate(self) -> None:
        """
        One certificate of a file takes the place of another; all else stays, whatever it is.
        """
        new = AUTHORITY.issue("b.test").certificate
        text = new.public_bytes(Encoding.PEM)
        data = b"# mine\r\n" + KEY + PEM + b"between\n" + AUTHORITY.pem + PEM
        expected = b"# mine\r\n" + KEY + text + b"between\n" + AUTHORITY.pem + text
        self.assertEqual(replaceCertificate(data, PAIR.certificate, new), expected)
        self.assertEqual(replaceCertificate(DER, PAIR.certificate, new), new.public_bytes(Encoding.DER))

    def test_keyToPEM(self) -> None:
        """
        A key is written encrypted when there is a passphrase.
        """
        certificate = saved(self, PEM)
        for password in (b"", b"sesame"):
            data = keyToPEM(PAIR.key, password)
            self.assertEqual(b"ENCRYPTED" in data, bool(password))
            self.assertEqual(toPEM(loadKeyPair(certificate, saved(self, data), password)), toPEM(PAIR))

    def test_fingerprint(self) -> None:
        """
        The fingerprint is that of C{openssl x509 -fingerprint -sha256}.
        """
        theirs = X509.from_cryptography(PAIR.certificate).digest("sha256").decode()
        self.assertEqual(fingerprint(PAIR.certificate), f"SHA256:{theirs}")

    def test_subjectAlternativeNames(self) -> None:
        """
        DNS names and addresses are listed as they are, usable or not.
        """
        san = [generalName("b.test"), generalName("::1"), x509.DNSName("*"), x509.RFC822Name("me@a.test")]
        found = subjectAlternativeNames(AUTHORITY.issue(san=san).certificate)
        self.assertEqual(found, ("b.test", "::1", "*"))
        self.assertEqual(subjectAlternativeNames(AUTHORITY.issue().certificate), ())
        damaged = AUTHORITY.issue(san=b"no DER").certificate
        self.assertRaises(ValueError, subjectAlternativeNames, damaged)
        encoded = bytearray(PAIR.certificate.public_bytes(Encoding.DER))
        # the extended key usage becomes another subjectAltName: 2.5.29.37 -> 2.5.29.17
        encoded[encoded.index(bytes.fromhex("0603551d25")) + 4] = 0x11
        twice = x509.load_der_x509_certificate(bytes(encoded))
        self.assertRaises(ValueError, subjectAlternativeNames, twice)

    def test_exported(self) -> None:
        """
        Who writes certificates finds the function for it beside those that make them.
        """
        path = Path(self.mktemp())
        writePrivate(path, toPEM(PAIR))
        self.assertEqual(loadKeyPair(str(path)).certificate, PAIR.certificate)
