"""
Renewing certificates.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreFlags
from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, PrivateKey, subjectAlternativeNames
from xtls.trust.issuing import Person, newAuthority, newClient, newKey, newServer, selfSigned
from xtls.trust.renewing import isAuthority, isIssuedBy, renewed

NOW = datetime(2026, 2, 28, 12, 0, 0, tzinfo=timezone.utc)
LATER = NOW + timedelta(days=300)
AUTHORITY = newAuthority("an authority", now=NOW)


def recipe(commonName: str, issuer: KeyPair | None = None, *, ca: bool | None = None) -> KeyPair:
    """
    What people make with C{openssl}: without most of what a certificate should say.
    """
    key = newKey()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, commonName)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=30))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=False)
    signer: PrivateKey = key if issuer is None else issuer.key
    return KeyPair(builder.sign(signer, hashes.SHA256()), key)


def verify(certificate: x509.Certificate, anchor: x509.Certificate) -> None:
    """
    Have OpenSSL verify a certificate, keeping to RFC 5280 to the letter.
    """
    store = X509Store()
    store.add_cert(X509.from_cryptography(anchor))
    store.set_flags(X509StoreFlags.X509_STRICT)
    store.set_time(LATER.replace(tzinfo=None))
    X509StoreContext(store, X509.from_cryptography(certificate)).verify_certificate()


class RenewedTests(SynchronousTestCase):
    """
    L{renewed}.
    """

    def extensions(self, certificate: x509.Certificate) -> dict[ObjectIdentifier, tuple[object, bool]]:
        """
        What a certificate says besides.
        """
        return {each.oid: (each.value, each.critical) for each in certificate.extensions}

    def assertRenewed(self, old: KeyPair, new: x509.Certificate) -> None:
        """
        All is as it was, but for dates and serial number.
        """
        self.assertEqual(new.public_key(), old.key.public_key())
        self.assertEqual((new.subject, new.issuer), (old.certificate.subject, old.certificate.issuer))
        self.assertEqual(self.extensions(new), self.extensions(old.certificate))
        self.assertNotEqual(new.serial_number, old.certificate.serial_number)
        self.assertEqual(new.not_valid_before_utc, LATER - timedelta(hours=1))
        self.assertEqual(new.not_valid_after_utc, LATER + timedelta(days=100))

    def test_selfSigned(self) -> None:
        """
        A certificate that has signed itself does so again, a CA's too.
        """
        for old in (selfSigned(["a.test", "::1"], now=NOW), AUTHORITY):
            new = renewed(old.certificate, old.key, days=100, now=LATER)
            self.assertRenewed(old, new)
            verify(new, new)

    def test_issued(self) -> None:
        """
        What a CA has issued, the CA issues again; for no longer than it lasts itself.
        """
        for old in (
            newServer(AUTHORITY, ["a.test", "::1"], now=NOW),
            newClient(AUTHORITY, Person("alice", "x", ["y"]), now=NOW),
        ):
            new = renewed(old.certificate, AUTHORITY, days=100, now=LATER)
            self.assertRenewed(old, new)
            verify(new, AUTHORITY.certificate)
            long = renewed(old.certificate, AUTHORITY, days=9999, now=LATER)
            self.assertEqual(long.not_valid_after_utc, AUTHORITY.certificate.not_valid_after_utc)

    def test_completed(self) -> None:
        """
        What other tools have left out is added, so that the new one keeps to the standard: also a server's
        name, which was in the Common Name alone.
        """
        new = renewed(recipe("a.test", AUTHORITY).certificate, AUTHORITY, days=100, now=LATER)
        verify(new, AUTHORITY.certificate)
        self.assertEqual(subjectAlternativeNames(new), ("a.test",))
        usage = new.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(usage, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
        unnamed = renewed(recipe("no name", AUTHORITY).certificate, AUTHORITY, days=100, now=LATER)
        self.assertEqual(subjectAlternativeNames(unnamed), ())

    def test_ambiguous(self) -> None:
        """
        One that has signed itself and says that it is a CA's, and no more, may be a server's or a CA's: the
        new one can be either.
        """
        old = recipe("a.test", ca=True)
        new = renewed(old.certificate, old.key, days=100, now=LATER)
        verify(new, new)
        self.assertEqual(subjectAlternativeNames(new), ("a.test",))
        usage = new.extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.digital_signature and usage.key_cert_sign and usage.crl_sign)
        self.assertNotIn(ExtensionOID.EXTENDED_KEY_USAGE, self.extensions(new))
        self.assertTrue(new.extensions.get_extension_for_class(x509.BasicConstraints).critical)

    def test_refused(self) -> None:
        """
        What cannot be read, and keys that TLS has no use for, are not renewed.
        """
        odd = Authority().issue("a.test", san=b"\xff").certificate
        self.assertRaises(ValueError, renewed, odd, AUTHORITY, days=1)
        twice = bytearray(Authority().issue("a.test").certificate.public_bytes(Encoding.DER))
        twice[twice.index(bytes.fromhex("0603551d25")) + 4] = 0x11
        both = x509.load_der_x509_certificate(bytes(twice))
        self.assertRaises(ValueError, renewed, both, AUTHORITY, days=1)
        unused = dsa.generate_private_key(1024)
        name = x509.Name([])
        strange = x509.CertificateBuilder(name, name, unused.public_key(), 5, NOW, NOW).sign(
            unused, hashes.SHA256()
        )
        error = self.assertRaises(ValueError, renewed, strange, AUTHORITY, days=1)
        self.assertIn("kind", str(error))


class QuestionsTests(SynchronousTestCase):
    """
    What can be asked of certificates.
    """

    def test_isAuthority(self) -> None:
        """
        A CA's certificate says so; one that cannot be read is none.
        """
        self.assertTrue(isAuthority(AUTHORITY.certificate))
        self.assertFalse(isAuthority(selfSigned(["a.test"]).certificate))
        self.assertFalse(isAuthority(recipe("a.test").certificate))
        self.assertFalse(isAuthority(Authority().issue("a.test", san=b"\xff", ca=True).certificate))

    def test_isIssuedBy(self) -> None:
        """
        It is the signature that counts, and not the name alone.
        """
        issued = newServer(AUTHORITY, ["a.test"], now=NOW).certificate
        self.assertTrue(isIssuedBy(issued, AUTHORITY.certificate))
        self.assertTrue(isIssuedBy(AUTHORITY.certificate, AUTHORITY.certificate))
        for other in (newAuthority("an authority"), newAuthority("another")):
            self.assertFalse(isIssuedBy(issued, other.certificate))
