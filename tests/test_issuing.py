"""
Making keys and certificates.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags
from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, subjectAlternativeNames
from xtls.trust.issuing import (
    KEY_KINDS,
    Person,
    authorityKeyIdentifier,
    newAuthority,
    newClient,
    newKey,
    newServer,
    selfSigned,
)

NOW = datetime(2026, 2, 28, 12, 0, 0, 123456, tzinfo=timezone.utc)
START = NOW.replace(microsecond=0)
KEY = newKey()
AUTHORITY = newAuthority("an authority", now=NOW)


def verify(certificate: x509.Certificate, anchor: x509.Certificate, now: datetime = NOW) -> None:
    """
    Have OpenSSL verify a certificate, keeping to RFC 5280 to the letter.
    """
    store = X509Store()
    store.add_cert(X509.from_cryptography(anchor))
    store.set_flags(X509StoreFlags.X509_STRICT)
    store.set_time(now.replace(tzinfo=None))
    X509StoreContext(store, X509.from_cryptography(certificate)).verify_certificate()


class KeyTests(SynchronousTestCase):
    """
    L{newKey}.
    """

    def test_kinds(self) -> None:
        """
        There are some kinds to choose from; the default is P-256, and another word is an error that lists
        them.
        """
        default = newKey()
        assert isinstance(default, ec.EllipticCurvePrivateKey)
        self.assertEqual(default.curve.name, "secp256r1")
        for kind, make in KEY_KINDS.items():
            key = newKey(kind) if kind != "rsa-4096" and kind != "rsa-3072" else make()
            if isinstance(key, rsa.RSAPrivateKey):
                self.assertEqual(kind, f"rsa-{key.key_size}")
            elif isinstance(key, ec.EllipticCurvePrivateKey):
                self.assertEqual(kind, f"p{key.curve.key_size}")
            else:
                self.assertIsInstance(key, ed25519.Ed25519PrivateKey)
        error = self.assertRaises(ValueError, newKey, "dsa")
        self.assertIn("p256", str(error))


class SelfSignedTests(SynchronousTestCase):
    """
    Making certificates.
    """

    def test_contents(self) -> None:
        """
        It is for the names, on P-256, for a server and no authority, and valid from an hour ago.
        """
        pair = selfSigned(["Bücher.test", "*.a.test", "127.0.0.1", "::1"], now=NOW)
        certificate = pair.certificate
        names = ("xn--bcher-kva.test", "*.a.test", "127.0.0.1", "::1")
        self.assertEqual(subjectAlternativeNames(certificate), names)
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=xn--bcher-kva.test")
        self.assertEqual(certificate.issuer, certificate.subject)
        public = certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        self.assertEqual(public.curve.name, "secp256r1")
        start = NOW.replace(microsecond=0)
        self.assertEqual(certificate.not_valid_before_utc, start - timedelta(hours=1))
        self.assertEqual(certificate.not_valid_after_utc, start + timedelta(days=365))
        self.assertEqual(pair.chain, ())

    def test_extensions(self) -> None:
        """
        It says what its key is for, and which key that is (RFC 5280, section 4.2.1).
        """
        found = selfSigned(["a.test"]).certificate.extensions
        constraints = found.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual(
            (constraints.critical, constraints.value), (True, x509.BasicConstraints(False, None))
        )
        usage = found.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(usage, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
        may = found.get_extension_for_class(x509.KeyUsage)
        self.assertTrue(may.critical and may.value.digital_signature)
        self.assertFalse(may.value.key_cert_sign or may.value.crl_sign or may.value.key_encipherment)
        subject = found.get_extension_for_class(x509.SubjectKeyIdentifier).value
        issuer = found.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        self.assertEqual(subject.key_identifier, issuer.key_identifier)

    def test_strict(self) -> None:
        """
        It keeps to RFC 5280 to the letter, as Python's and other clients demand.
        """
        store = X509Store()
        certificate = X509.from_cryptography(selfSigned(["a.test"]).certificate)
        store.add_cert(certificate)
        store.set_flags(X509StoreFlags.X509_STRICT)
        X509StoreContext(store, certificate).verify_certificate()

    def test_serial(self) -> None:
        """
        No two have one serial number.
        """
        numbers = {selfSigned(["a.test"], key=KEY).certificate.serial_number for _ in range(5)}
        self.assertEqual(len(numbers), 5)
        self.assertGreater(min(numbers), 1 << 64)

    def test_choices(self) -> None:
        """
        Key, days and Common Name may be chosen; a long name is cut for the Common Name.
        """
        pair = selfSigned(["a.test"], days=1, key=KEY, commonName="me", now=NOW)
        self.assertEqual(pair.key, KEY)
        self.assertEqual(pair.certificate.subject.rfc4514_string(), "CN=me")
        length = pair.certificate.not_valid_after_utc - pair.certificate.not_valid_before_utc
        self.assertEqual(length, timedelta(days=1, hours=1))
        long = ".".join(["a" * 40] * 3)
        subject = selfSigned([long]).certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        self.assertEqual(subject[0].value, long[:64])
        self.assertEqual(subjectAlternativeNames(selfSigned([long]).certificate), (long,))

    def test_refused(self) -> None:
        """
        There must be a name, of a kind that can be verified, and a day.
        """
        self.assertRaises(ValueError, selfSigned, [])
        self.assertRaises(ValueError, selfSigned, ["a.test"], days=0)
        for name in ("", "a b", "*", "a.*.test", "*.*.test", "a/b"):
            self.assertRaises(ValueError, selfSigned, ["a.test", name])


class AuthorityTests(SynchronousTestCase):
    """
    L{newAuthority}.
    """

    def test_contents(self) -> None:
        """
        It signs certificates and revocation lists and nothing else, and no CA is below it; it is valid for
        ten years.
        """
        certificate = AUTHORITY.certificate
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=an authority")
        self.assertEqual(certificate.not_valid_after_utc, START + timedelta(days=3650))
        found = certificate.extensions
        constraints = found.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.critical, constraints.value), (True, x509.BasicConstraints(True, 0)))
        may = found.get_extension_for_class(x509.KeyUsage)
        self.assertTrue(may.critical and may.value.key_cert_sign and may.value.crl_sign)
        self.assertFalse(may.value.digital_signature)
        self.assertEqual(len(list(found)), 4)
        verify(certificate, certificate)

    def test_choices(self) -> None:
        """
        Days and key may be chosen.
        """
        key = newKey("ed25519")
        certificate = newAuthority("x", days=7, key=key, now=NOW).certificate
        self.assertEqual(certificate.public_key(), key.public_key())
        self.assertEqual(certificate.not_valid_after_utc, START + timedelta(days=7))

    def test_refused(self) -> None:
        """
        A CA has a name that can be read and has room in a certificate.
        """
        for name in ("", " ", "a\nb", "a" * 65, "\u202eabc"):
            self.assertRaises(ValueError, newAuthority, name)


class LeafCase(SynchronousTestCase):
    """
    Tests of what a CA issues.
    """

    def assertLeaf(self, pair: KeyPair, usage: x509.ObjectIdentifier) -> None:
        """
        A certificate is for one use, and no CA; its CA can be found by its key.
        """
        found = pair.certificate.extensions
        constraints = found.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual(
            (constraints.critical, constraints.value), (True, x509.BasicConstraints(False, None))
        )
        self.assertEqual(
            found.get_extension_for_class(x509.ExtendedKeyUsage).value, x509.ExtendedKeyUsage([usage])
        )
        identifier = found.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        own = AUTHORITY.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        self.assertEqual(identifier.key_identifier, own.key_identifier)
        self.assertEqual(pair.key.public_key(), pair.certificate.public_key())
        self.assertEqual(pair.chain, ())
        verify(pair.certificate, AUTHORITY.certificate)


class ServerTests(LeafCase):
    """
    L{newServer}.
    """

    def test_contents(self) -> None:
        """
        It is for the names, each once, and for a year.
        """
        pair = newServer(AUTHORITY, ["a.test", "127.0.0.1", "A.test"], now=NOW)
        self.assertLeaf(pair, ExtendedKeyUsageOID.SERVER_AUTH)
        self.assertEqual(subjectAlternativeNames(pair.certificate), ("a.test", "127.0.0.1"))
        self.assertEqual(pair.certificate.subject.rfc4514_string(), "CN=a.test")
        self.assertEqual(pair.certificate.not_valid_before_utc, START - timedelta(hours=1))
        self.assertEqual(pair.certificate.not_valid_after_utc, START + timedelta(days=365))

    def test_key(self) -> None:
        """
        The key may be chosen.
        """
        key = newKey()
        self.assertIs(newServer(AUTHORITY, ["a.test"], key=key, now=NOW).key, key)

    def test_withinTheAuthority(self) -> None:
        """
        It is never valid when its CA is not; a CA that has expired issues nothing.
        """
        pair = newServer(AUTHORITY, ["a.test"], days=3660, now=NOW)
        self.assertEqual(pair.certificate.not_valid_after_utc, AUTHORITY.certificate.not_valid_after_utc)
        late = NOW + timedelta(days=3650)
        error = self.assertRaises(ValueError, newServer, AUTHORITY, ["a.test"], now=late)
        self.assertIn("2036-02-26", str(error))

    def test_chain(self) -> None:
        """
        What is between it and the root comes with it; the root does not, since peers have that.
        """
        root = Authority("a root")
        below = root.intermediate("below")
        pair = newServer(KeyPair(below.certificate, below.key, (root.certificate,)), ["a.test"])
        self.assertEqual(pair.chain, (below.certificate,))

    def test_refused(self) -> None:
        """
        There must be a name.
        """
        self.assertRaises(ValueError, newServer, AUTHORITY, [])
        self.assertRaises(ValueError, newServer, AUTHORITY, ["a b"])
        self.assertRaises(X509StoreContextError, verify, AUTHORITY.certificate, selfSigned(["x"]).certificate)


class ClientTests(LeafCase):
    """
    L{newClient}.
    """

    def alternatives(self, person: Person) -> list[x509.GeneralName]:
        """
        What is in the subjectAltName of a person's certificate.
        """
        pair = newClient(AUTHORITY, person, now=NOW)
        self.assertLeaf(pair, ExtendedKeyUsageOID.CLIENT_AUTH)
        return list(pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)

    def test_subject(self) -> None:
        """
        Common Name, organization and units are in its subject.
        """
        person = Person("Alice Ä", "Example", ("ops", "dev"))
        subject = newClient(AUTHORITY, person, now=NOW).certificate.subject
        self.assertEqual(subject.rfc4514_string(), "CN=Alice Ä,OU=dev,OU=ops,O=Example")

    def test_alternatives(self) -> None:
        """
        The names that are given are in its subjectAltName; else what its name is besides; else its subject.
        """
        person = Person("alice", emails=["a@b.test"], dnsNames=["c.test"], uris=["x:y"])
        expected = [
            x509.RFC822Name("a@b.test"),
            x509.DNSName("c.test"),
            x509.UniformResourceIdentifier("x:y"),
        ]
        self.assertEqual(self.alternatives(person), expected)
        self.assertEqual(self.alternatives(Person("a@b.test")), [x509.RFC822Name("a@b.test")])
        self.assertEqual(self.alternatives(Person("c.test")), [x509.DNSName("c.test")])
        alice = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
        self.assertEqual(self.alternatives(Person("alice")), [x509.DirectoryName(alice)])

    def test_days(self) -> None:
        """
        Days and key may be chosen.
        """
        key = newKey()
        pair = newClient(AUTHORITY, Person("alice"), days=2, key=key, now=NOW)
        self.assertIs(pair.key, key)
        self.assertEqual(pair.certificate.not_valid_after_utc, START + timedelta(days=2))

    def test_refused(self) -> None:
        """
        Names that cannot be such are refused.
        """
        for person in (
            Person(""),
            Person("a\x1b[31m"),
            Person("alice", "a" * 65),
            Person("alice", units=[""]),
            Person("alice", emails=["me"]),
            Person("alice", dnsNames=["a b"]),
            Person("alice", uris=["me"]),
        ):
            self.assertRaises(ValueError, newClient, AUTHORITY, person)


class AuthorityKeyIdentifierTests(SynchronousTestCase):
    """
    L{authorityKeyIdentifier}.
    """

    def test_found(self) -> None:
        """
        It is what the CA says of its key; of one that says nothing, it is reckoned.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(AUTHORITY.certificate.subject)
            .issuer_name(AUTHORITY.certificate.subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(START)
            .not_valid_after(START)
        )
        plain = builder.sign(key, hashes.SHA256())
        expected = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        self.assertEqual(authorityKeyIdentifier(plain), expected)
        said = x509.SubjectKeyIdentifier(b"own")
        signed = builder.add_extension(said, critical=False).sign(key, hashes.SHA256())
        self.assertEqual(authorityKeyIdentifier(signed).key_identifier, b"own")
