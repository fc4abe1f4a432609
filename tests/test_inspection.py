"""
What is good and bad about a certificate.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from tests.support.made import (
    BEGIN,
    NOW,
    OLD,
    SIGNER,
    changed,
    constraints,
    made,
    names,
    purposes,
    usage,
    withSHA1,
)
from xtls.testing.authority import Authority
from xtls.trust.inspection import Finding, Severity, inspect
from xtls.trust.issuing import selfSigned

#: What a good certificate of a server has.
GOOD = (names("a.test"), usage("digital_signature"), purposes(ExtendedKeyUsageOID.SERVER_AUTH))

#: The key identifier of a CA.
IDENTIFIER = (x509.SubjectKeyIdentifier(b"key"), False)

#: Of version 1, as openssl makes it from a request.
VERSION_1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBpDCCAQ0CFBuE0cUQx3yE4J9RnHM04XLmry++MA0GCSqGSIb3DQEBCwUAMBEx
DzANBgNVBAMMBmEudGVzdDAeFw0yNjExMjMxOTA2MjBaFw0zNTAyMDkxOTA2MjBa
MBExDzANBgNVBAMMBmEudGVzdDCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA
uk4raCxFJXgSaa+EeljgwwFeqiMUE9SFE5EpxUBr8PG3XhJd0/MapDaOE9G6bLDK
1++wcypZ35AEySOJnSs9ovwsK9PyQfl+1ZHJn/CJDfFee00KRfRKa7Pb/nJNFOoQ
LHFN0TyTqgQFpbykpKom0L+9zgV4DO+BWW/Ox4s4PgECAwEAATANBgkqhkiG9w0B
AQsFAAOBgQC00DQGKUmBF4f0jGamZ0fHdRGQH8jrtHnH/0xzAi5rlI5InB7j7hM1
KjaH5lNTOo8k4cb0dL+XkqHk2iLcPVSnbjggElGjA0oddlk7FzOpc5AIGlTaupHu
VtRLpFRNNBtYSPE5D9T7pK3kZM2tAkSlkgt0OtmshKEEDnirAz8tdA==
-----END CERTIFICATE-----
"""


class InspectTests(SynchronousTestCase):
    """
    L{inspect}.
    """

    def kinds(self, certificate: x509.Certificate, served: bool = False) -> list[str]:
        """
        What is found, each with the first letter of how bad it is.
        """
        found = inspect(certificate, NOW, served=served)
        for each in found:
            self.assertTrue(each.sentence and not each.sentence.endswith("."), each)
            self.assertTrue(each.remedy or each.severity is Severity.NOTE, each)
        return [f"{each.severity.value[0]} {each.kind}" for each in found]

    def test_good(self) -> None:
        """
        There is nothing to say against a good certificate, a server's, a client's or a CA's; nor against
        what we make.
        """
        self.assertEqual(self.kinds(made(*GOOD)), [])
        self.assertEqual(self.kinds(made(purposes(ExtendedKeyUsageOID.CLIENT_AUTH))), [])
        self.assertEqual(self.kinds(made(constraints(), usage("key_cert_sign"), IDENTIFIER, name="A CA")), [])
        own = selfSigned(["localhost", "::1"]).certificate
        self.assertEqual(inspect(own, own.not_valid_before_utc), [])

    def test_times(self) -> None:
        """
        What has expired, will soon, or is not valid yet, is told with the time; thirty days and seven count.
        """
        certificate = made(*GOOD, days=90)
        for days, severity, part in (
            (-1, Severity.ERROR, "begins in 24 hours"),
            (61, Severity.WARNING, "expires in 29 days"),
            (84, Severity.WARNING, "expires in 6 days, very soon"),
            (93, Severity.ERROR, "expired 3 days ago"),
        ):
            (found,) = inspect(certificate, BEGIN + timedelta(days=days))
            self.assertEqual(found.severity, severity)
            self.assertIn(part, found.sentence)
        self.assertEqual(inspect(certificate, BEGIN + timedelta(days=59)), [])

    def test_neverValid(self) -> None:
        """
        A certificate that ends before it begins is never valid.
        """
        begins = BEGIN.strftime("%y%m%d%H%M%SZ").encode("ascii")
        backwards = changed(made(*GOOD), [(begins, b"3" + begins[1:])])
        self.assertEqual(self.kinds(backwards), ["e never-valid"])

    def test_lifetime(self) -> None:
        """
        Longer than Apple takes of anybody is a warning; longer than anybody took of a public CA is a note; a
        CA may live long, and what signs itself has no CA.
        """
        self.assertEqual(self.kinds(made(*GOOD, days=826)), ["w long-lived"])
        self.assertEqual(self.kinds(made(*GOOD, days=399)), ["n long-lived"])
        self.assertEqual(self.kinds(made(*GOOD, days=398)), [])
        key = ec.generate_private_key(ec.SECP256R1())
        own = made(*GOOD, days=500, key=key, signer=key, issuer="a.test")
        self.assertEqual(self.kinds(own), [])
        authority = made(constraints(), usage("key_cert_sign"), IDENTIFIER, name="A CA", days=3650)
        self.assertEqual(self.kinds(authority), [])

    def test_public(self) -> None:
        """
        Of one that says to be from a public CA, what such may do counts, by the day on which it begins.
        """
        policies = x509.CertificatePolicies(
            [x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]
        )
        self.assertEqual(self.kinds(made(*GOOD, (policies, False), days=201)), ["w long-lived"])
        self.assertEqual(self.kinds(made(*GOOD, (policies, False), days=200)), [])
        begins = BEGIN.strftime("%y%m%d%H%M%SZ").encode("ascii")
        before = changed(made(*GOOD, (policies, False), days=90), [(begins, b"250901000000Z")])
        self.assertEqual(self.kinds(before), [])
        ancient = changed(made(*GOOD, (policies, False), days=200), [(begins, b"200101000000Z")])
        self.assertEqual(self.kinds(ancient), ["w long-lived"])
        ancient = changed(made(*GOOD, (policies, False), days=60), [(begins, b"200801000000Z")])
        self.assertEqual(self.kinds(ancient), ["w long-lived"])
        other = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])
        self.assertEqual(self.kinds(made(*GOOD, (other, False), days=300)), [])

    def test_names(self) -> None:
        """
        A server's certificate needs names, in a subjectAltName; a client's does not.
        """
        self.assertEqual(self.kinds(made()), ["w no-san"])
        self.assertIn("Common Name", inspect(made(), NOW)[0].sentence)
        self.assertNotIn("Common Name", inspect(made(name=None), NOW)[0].sentence)
        self.assertEqual(self.kinds(made(names())), ["e no-name"])
        self.assertEqual(self.kinds(made(names("a b", "a.test"))), ["w bad-name"])
        mail = x509.SubjectAlternativeName([x509.RFC822Name("me@a.test")])
        self.assertEqual(self.kinds(made((mail, False))), ["e no-name"])
        self.assertEqual(self.kinds(made((mail, False), purposes(ExtendedKeyUsageOID.CLIENT_AUTH))), [])

    def test_malformed(self) -> None:
        """
        Extensions that cannot be read are told once.
        """
        octets = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\xff")
        self.assertEqual(self.kinds(made((octets, False))), ["e malformed"])
        authority = made(constraints(), usage("key_cert_sign"), IDENTIFIER, name="b.test")
        self.assertEqual(self.kinds(changed(authority, [(b"b.test", b"\xff.test")])), ["e malformed"])

    def test_signature(self) -> None:
        """
        SHA-1 in the signature of somebody else is an error; where a certificate signs itself nobody looks.
        """
        key = rsa.generate_private_key(65537, 2048)
        self.assertEqual(self.kinds(withSHA1(key)), ["e weak-signature"])
        self.assertIn("n weak-signature", self.kinds(OLD))
        odd = changed(made(*GOOD), [(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d04037f"))])
        self.assertEqual(self.kinds(odd), ["w unknown-signature"])
        eddsa = made(*GOOD, signer=ed25519.Ed25519PrivateKey.generate())
        self.assertEqual(self.kinds(eddsa), [])

    def test_keys(self) -> None:
        """
        A key that is too small, or of a kind that is not spoken, is an error; one that browsers do not know
        is a note.
        """
        for key, found in (
            (rsa.generate_private_key(65537, 1024), ["e weak-key"]),
            (rsa.generate_private_key(65537, 2048), []),
            (dsa.generate_private_key(1024), ["e weak-key"]),
            (ec.generate_private_key(ec.SECP192R1()), ["e weak-key"]),
            (ec.generate_private_key(ec.SECP384R1()), []),
            (ec.generate_private_key(ec.SECP521R1()), ["n uncommon-key"]),
            (ed25519.Ed25519PrivateKey.generate(), ["n uncommon-key"]),
        ):
            self.assertEqual(self.kinds(made(*GOOD, key=key)), found)
        unknown = changed(
            made(*GOOD), [(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))]
        )
        self.assertEqual(self.kinds(unknown), ["e unreadable-key"])

    def test_authority(self) -> None:
        """
        A CA that may not sign certificates is none; what X509_STRICT asks of it besides is a note.
        """
        wrong = made(constraints(), usage("digital_signature"), IDENTIFIER, name="A CA")
        self.assertEqual(self.kinds(wrong), ["e ca-cannot-sign"])
        self.assertEqual(self.kinds(made(constraints(critical=False), name="A CA")), ["n not-strict"])
        (found,) = inspect(made(constraints(critical=False), name="A CA"), NOW)
        for part in ("key usage", "subject key identifier", "not critical"):
            self.assertIn(part, found.sentence)

    def test_authorityAsServer(self) -> None:
        """
        A CA that looks like a server too is warned of, whatever it looks so by; so is one that serves.
        """
        whole = (constraints(), usage("key_cert_sign", "digital_signature"), IDENTIFIER)
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("::1"))])
        for certificate in (
            made(*whole, names("a.test"), name="A CA"),
            made(*whole, (address, False), name="A CA"),
        ):
            self.assertEqual(self.kinds(certificate), ["w ca-as-server"])
        serving = made(*whole, purposes(ExtendedKeyUsageOID.SERVER_AUTH), name="A CA")
        self.assertEqual(self.kinds(serving), ["w no-san", "w ca-as-server"])
        signing = made(*whole, purposes(ExtendedKeyUsageOID.OCSP_SIGNING), name="A CA")
        self.assertEqual(self.kinds(signing), [])
        for name in ("a.test", "localhost"):
            self.assertEqual(self.kinds(made(*whole, name=name)), ["w no-san", "w ca-as-server"])
        self.assertEqual(self.kinds(made(*whole, name="A CA"), served=True), ["w no-san", "w ca-as-server"])
        self.assertEqual(self.kinds(made(*whole, names("a b"), name="A CA")), ["w bad-name"])

    def test_leaf(self) -> None:
        """
        TLS 1.3 has the key sign; and a certificate is to be for servers or clients.
        """
        self.assertEqual(
            self.kinds(made(names("a.test"), usage("key_encipherment"))), ["e cannot-sign-handshakes"]
        )
        mail = made(purposes(ExtendedKeyUsageOID.EMAIL_PROTECTION))
        self.assertEqual(self.kinds(mail), ["e wrong-purpose"])
        client = made(names("a.test"), purposes(ExtendedKeyUsageOID.CLIENT_AUTH))
        self.assertEqual(self.kinds(client), [])
        self.assertEqual(self.kinds(client, served=True), ["e wrong-purpose"])

    def test_form(self) -> None:
        """
        Serial numbers and critical extensions are looked at.
        """
        self.assertEqual(self.kinds(made(*GOOD, serial=1 << 159 - 1)), [])
        whole = (b"\x02\x01\x11\x30", b"\x02\x01\x00\x30")
        self.assertEqual(self.kinds(changed(made(*GOOD, serial=0x11), [whole])), ["n odd-serial"])
        self.flushWarnings()  # cryptography's own, of that number
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        self.assertEqual(self.kinds(made(*GOOD, (unknown, True))), ["e unknown-extension"])
        self.assertEqual(self.kinds(made(*GOOD, (unknown, False))), [])

    def test_version(self) -> None:
        """
        Version 1 is as old as it is silent.
        """
        old = x509.load_pem_x509_certificate(VERSION_1)
        self.assertIn("w old-version", self.kinds(old))

    def test_order(self) -> None:
        """
        The worst comes first.
        """
        found = inspect(made(key=rsa.generate_private_key(65537, 1024), days=400), NOW)
        self.assertEqual([each.kind for each in found], ["weak-key", "no-san", "long-lived"])
        self.assertEqual(Finding(Severity.NOTE, "a", "b").remedy, "")

    def test_authoritiesOfTests(self) -> None:
        """
        What the authority for tests makes is judged as it should be.
        """
        pair = Authority().issue("a.test")
        self.assertEqual(inspect(pair.certificate, pair.certificate.not_valid_before_utc), [])
        self.assertIsNotNone(SIGNER)
