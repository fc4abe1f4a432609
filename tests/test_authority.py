"""
The certificate authority for tests.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags
from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority, Details
from xtls.trust.certificates import KeyPair, parseCertificates, subjectAlternativeNames
from xtls.trust.issuing import selfSigned

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def verify(pair: KeyPair, root: Authority, *crls: x509.CertificateRevocationList) -> None:
    """
    Have OpenSSL verify a certificate, by RFC 5280 to the letter.
    """
    store = X509Store()
    store.add_cert(X509.from_cryptography(root.certificate))
    for crl in crls:
        store.add_crl(crl)
    store.set_flags(X509StoreFlags.X509_STRICT | (X509StoreFlags.CRL_CHECK if crls else 0))
    chain = [X509.from_cryptography(each) for each in pair.chain]
    X509StoreContext(store, X509.from_cryptography(pair.certificate), chain).verify_certificate()


class AuthorityTests(SynchronousTestCase):
    """
    Good certificates.
    """

    def test_issued(self) -> None:
        """
        What it issues is good to the letter, for the names, and has its key; what another issued is not good.
        """
        authority = Authority()
        pair = authority.issue("a.test", "::1")
        verify(pair, authority)
        self.assertEqual(subjectAlternativeNames(pair.certificate), ("a.test", "::1"))
        self.assertEqual(pair.certificate.subject.rfc4514_string(), "CN=a.test")
        self.assertEqual(pair.key.public_key(), pair.certificate.public_key())
        self.assertRaises(X509StoreContextError, verify, pair, Authority())

    def test_pem(self) -> None:
        """
        Its own certificate is to be had in PEM.
        """
        authority = Authority("name")
        self.assertEqual(parseCertificates(authority.pem), (authority.certificate,))
        self.assertEqual(authority.certificate.subject.rfc4514_string(), "CN=name")

    def test_intermediate(self) -> None:
        """
        Authorities may be below it, and what they issue comes with the chain.
        """
        root = Authority()
        middle = root.intermediate("middle", pathLength=1)
        lower = middle.intermediate(pathLength=0)
        pair = lower.issue("a.test")
        verify(pair, root)
        self.assertEqual(pair.chain, (lower.certificate, middle.certificate))
        self.assertEqual(root.chain, ())

    def test_clients(self) -> None:
        """
        A certificate is for a server or for a client.
        """
        authority = Authority()
        for pair, usage in (
            (authority.issue("a.test"), ExtendedKeyUsageOID.SERVER_AUTH),
            (authority.issue("a client", clientAuth=True, san=False), ExtendedKeyUsageOID.CLIENT_AUTH),
        ):
            verify(pair, authority)
            found = pair.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            self.assertEqual(list(found), [usage])

    def test_revocations(self) -> None:
        """
        It makes revocation lists.
        """
        authority = Authority()
        good, bad = authority.issue("a.test"), authority.issue("b.test")
        crl = authority.revocations(bad.certificate)
        verify(good, authority, crl)
        error = self.assertRaises(X509StoreContextError, verify, bad, authority, crl)
        self.assertEqual(error.errors[0], 23)
        old = authority.revocations(nextUpdate=NOW - timedelta(days=3))
        error = self.assertRaises(X509StoreContextError, verify, good, authority, old)
        self.assertEqual(error.errors[0], 12)


class DetailsTests(SynchronousTestCase):
    """
    Certificates as they should not be.
    """

    authority = Authority()

    def codeOf(self, pair: KeyPair, authority: Authority | None = None) -> int:
        """
        What OpenSSL finds wrong.
        """
        error = self.assertRaises(X509StoreContextError, verify, pair, authority or self.authority)
        return int(error.errors[0])

    def test_dates(self) -> None:
        """
        The dates may be others, of a certificate and of an authority.
        """
        day = timedelta(days=1)
        issue = self.authority.issue
        self.assertEqual(self.codeOf(issue("a.test", notBefore=NOW - 2 * day, notAfter=NOW - day)), 10)
        self.assertEqual(self.codeOf(issue("a.test", notBefore=NOW + day)), 9)
        old = Authority(notAfter=NOW - day)
        self.assertEqual(self.codeOf(old.issue("a.test"), old), 10)

    def test_san(self) -> None:
        """
        The subjectAltName may be missing, hold what one likes, or be no such thing.
        """
        issue = self.authority.issue
        self.assertEqual(subjectAlternativeNames(issue("a.test", san=False).certificate), ())
        self.assertEqual(subjectAlternativeNames(issue().certificate), ())
        odd = [x509.DNSName("*"), x509.DNSName("")]
        self.assertEqual(subjectAlternativeNames(issue("a.test", san=odd).certificate), ("*", ""))
        self.assertRaises(ValueError, subjectAlternativeNames, issue(san=b"none").certificate)

    def test_subject(self) -> None:
        """
        The Common Name may be another, or none; a long name is cut for it.
        """
        issue = self.authority.issue
        self.assertEqual(issue("a.test", commonName="me").certificate.subject.rfc4514_string(), "CN=me")
        self.assertEqual(issue().certificate.subject.rfc4514_string(), "")
        long = ".".join(["a" * 40] * 2)
        self.assertEqual(issue(long).certificate.subject.rfc4514_string(), f"CN={long[:64]}")

    def test_usage(self) -> None:
        """
        Usages may be others, or none; basic constraints likewise.
        """
        found = self.authority.issue("a.test", usage=(), signing=None).certificate.extensions
        for kind in (x509.ExtendedKeyUsage, x509.KeyUsage, x509.BasicConstraints):
            self.assertRaises(x509.ExtensionNotFound, found.get_extension_for_class, kind)
        found = self.authority.issue("a.test", signing=False, ca=True).certificate.extensions
        self.assertFalse(found.get_extension_for_class(x509.KeyUsage).value.digital_signature)
        self.assertTrue(found.get_extension_for_class(x509.BasicConstraints).value.ca)

    def test_key(self) -> None:
        """
        Key and serial number may be given.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        pair = self.authority.issue("a.test", key=key, serial=5)
        self.assertEqual((pair.key, pair.certificate.serial_number), (key, 5))

    def test_selfSigned(self) -> None:
        """
        A certificate may be signed by its own key, and then has no chain.
        """
        pair = self.authority.intermediate().issue("a.test", selfSigned=True)
        self.assertEqual(pair.certificate.issuer, pair.certificate.subject)
        self.assertEqual((self.codeOf(pair), pair.chain), (18, ()))
        pair.certificate.verify_directly_issued_by(pair.certificate)

    def test_authorities(self) -> None:
        """
        An authority may leave out what its key is for, have further extensions, and end a path.
        """
        lax = Authority(withKeyUsage=False)
        self.assertEqual(self.codeOf(lax.issue("a.test"), lax), 92)
        constraint = x509.NameConstraints([x509.DNSName("b.test")], None)
        narrow = self.authority.intermediate(extensions=[(constraint, True)])
        self.assertEqual(self.codeOf(narrow.issue("a.test")), 47)
        last = Authority(pathLength=0)
        self.assertEqual(self.codeOf(last.intermediate().issue("a.test"), last), 25)

    def test_details(self) -> None:
        """
        Details may be kept for several certificates.
        """
        details = Details(commonName="me", serial=7)
        first = self.authority.issue("a.test", details=details)
        second = self.authority.issue("b.test", details=details, serial=8)
        self.assertEqual([pair.certificate.serial_number for pair in (first, second)], [7, 8])
        self.assertEqual(second.certificate.subject.rfc4514_string(), "CN=me")

    def test_independent(self) -> None:
        """
        What it makes is PEM and DER like any other.
        """
        pair = selfSigned(["a.test"])
        again = self.authority.issue("a.test", key=pair.key).certificate
        encoded = again.public_bytes(Encoding.PEM)
        self.assertEqual(parseCertificates(encoded), (again,))
