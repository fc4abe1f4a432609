"""
What a certificate says, in words.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from tests.support.made import BEGIN, NOW, OLD, SIGNER, called, changed, constraints, made, purposes, usage
from tests.support.made import names as alternative
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint
from xtls.trust.particulars import (
    UNREADABLE,
    distance,
    extensionOf,
    isAuthority,
    isSelfSigned,
    issued,
    keyKind,
    nameOf,
    names,
    particulars,
    usages,
    validity,
)
from xtls.trust.particulars import (
    purposes as purposesOf,
)

#: A certificate whose extensions cannot be read.
BROKEN = made((x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\xff"), False))


class ParticularsTests(SynchronousTestCase):
    """
    L{particulars} and what it consists of.
    """

    def test_all(self) -> None:
        """
        Everything that a good certificate says is there, in words.
        """
        authority = Authority("an authority")
        pair = authority.issue("a.test", "127.0.0.1", serial=0xABC)
        said = particulars(pair.certificate, pair.certificate.not_valid_before_utc)
        self.assertEqual(said["subject"], "CN=a.test")
        self.assertEqual(said["issuer"], "CN=an authority")
        self.assertFalse(said["selfSigned"] or said["authority"])
        self.assertEqual(said["names"], ("a.test", "127.0.0.1"))
        self.assertEqual(said["validity"], "expires in 31 days")
        self.assertEqual((said["key"], said["signature"]), ("EC P-256", "ECDSA with SHA-256"))
        self.assertEqual((said["usages"], said["purposes"]), (("sign handshakes",), ("servers",)))
        self.assertEqual(said["serial"], "ABC")
        self.assertEqual(said["fingerprint"], fingerprint(pair.certificate))
        own = extensionOf(authority.certificate, x509.SubjectKeyIdentifier)
        assert own is not None
        self.assertEqual(said["authorityKeyIdentifier"], own.digest.hex(":").upper())

    def test_little(self) -> None:
        """
        What a certificate does not say is L{None}, or said to be missing.
        """
        said = particulars(made(name=None, issuer=None), NOW)
        self.assertEqual((said["subject"], said["names"]), ("none", ()))
        self.assertEqual(said["constraints"], "not said whether it is a CA")
        for name in ("usages", "purposes", "subjectKeyIdentifier", "authorityKeyIdentifier"):
            self.assertIsNone(said[name], name)

    def test_broken(self) -> None:
        """
        Extensions that cannot be read do not keep the rest from being told.
        """
        said = particulars(BROKEN, NOW)
        self.assertIsNone(said["names"])
        self.assertEqual(said["subject"], "CN=a.test")
        self.assertFalse(isAuthority(BROKEN))

    def test_brokenName(self) -> None:
        """
        Nor do names that are no text.
        """
        broken = changed(made(name="b.test"), [(b"b.test", b"\xff.test")])
        self.assertEqual(particulars(broken, NOW)["subject"], UNREADABLE)
        self.assertFalse(isSelfSigned(broken))
        broken = changed(made(issuer="b.test"), [(b"b.test", b"\xff.test")])
        self.assertEqual(particulars(broken, NOW)["issuer"], UNREADABLE)

    def test_keys(self) -> None:
        """
        Keys are called by their kind and size, also those that nobody uses.
        """
        for key, kind in (
            (ec.generate_private_key(ec.SECP384R1()), "EC P-384"),
            (ec.generate_private_key(ec.SECP256K1()), "EC secp256k1"),
            (rsa.generate_private_key(65537, 1024), "RSA 1024"),
            (dsa.generate_private_key(1024), "DSA 1024"),
            (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
            (ed448.Ed448PrivateKey.generate(), "Ed448"),
            (x25519.X25519PrivateKey.generate(), "of another kind"),
        ):
            self.assertEqual(keyKind(made(key=key)), kind)
        # the curve's own identifier becomes one that nobody knows
        unknown = changed(made(), [(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))])
        self.assertEqual(keyKind(unknown), UNREADABLE)

    def test_names(self) -> None:
        """
        Names of servers are told as they are, others with their kind, and none so that a terminal obeys it.
        """
        extension = x509.SubjectAlternativeName(
            [
                x509.DNSName("a\x1b[31m.test"),
                x509.IPAddress(ip_address("::1")),
                x509.RFC822Name("me@a.test"),
                x509.UniformResourceIdentifier("spiffe://a/b"),
                x509.DirectoryName(called("x")),
                x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
                x509.OtherName(x509.ObjectIdentifier("1.2.4"), b"\x05\x00"),
            ]
        )
        self.assertEqual(
            names(made((extension, False))),
            (
                "a\\x1b[31m.test",
                "::1",
                "email:me@a.test",
                "URI:spiffe://a/b",
                "name:CN=x",
                "other:1.2.3",
                "other:1.2.4",
            ),
        )
        self.assertEqual(nameOf(called("a\x1bb")), "CN=a\\x1bb")

    def test_usages(self) -> None:
        """
        What the key may do and whom it is for, in words; what has none is told by its number.
        """
        certificate = made(
            usage("key_cert_sign", "crl_sign"),
            purposes(ExtendedKeyUsageOID.CLIENT_AUTH, x509.ObjectIdentifier("1.2.3")),
        )
        self.assertEqual(usages(certificate), ("sign certificates", "sign revocation lists"))
        self.assertEqual(purposesOf(certificate), ("clients", "1.2.3"))

    def test_constraints(self) -> None:
        """
        A CA is told with how many others may be below it.
        """
        for length, words in (
            (None, "a CA"),
            (0, "a CA, with no other CAs below it"),
            (1, "a CA, with 1 other CA below it"),
            (2, "a CA, with 2 other CAs below it"),
        ):
            extension = x509.BasicConstraints(ca=True, path_length=length)
            self.assertEqual(particulars(made((extension, True)), NOW)["constraints"], words)
        self.assertEqual(particulars(made(constraints(False)), NOW)["constraints"], "not a CA")

    def test_unknownSignature(self) -> None:
        """
        An algorithm without a name is told by its number.
        """
        # ecdsa-with-SHA256 becomes one that nobody knows
        odd = changed(made(), [(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d04037f"))])
        self.assertEqual(particulars(odd, NOW)["signature"], "1.2.840.10045.4.3.127")

    def test_validity(self) -> None:
        """
        Where in its time a certificate is, in days, hours or minutes.
        """
        certificate = made(days=90)
        for after, words in (
            (timedelta(days=-5), "begins in 5 days"),
            (timedelta(days=78), "expires in 12 days"),
            (timedelta(days=89), "expires in 24 hours"),
            (timedelta(days=90) - timedelta(minutes=90), "expires in 90 minutes"),
            (timedelta(days=90, seconds=61), "expired 1 minute ago"),
        ):
            self.assertEqual(validity(certificate, BEGIN + after), words)
        self.assertEqual(distance(timedelta(0)), "0 minutes")


class IssuedTests(SynchronousTestCase):
    """
    L{issued} and L{isSelfSigned}.
    """

    def test_issued(self) -> None:
        """
        A certificate is of the issuer whose name and key it was signed with, and of no other.
        """
        authority, other = Authority("one"), Authority("one")
        certificate = authority.issue("a.test").certificate
        self.assertTrue(issued(certificate, authority.certificate))
        self.assertFalse(issued(certificate, other.certificate))
        self.assertFalse(issued(certificate, Authority("another").certificate))
        self.assertTrue(isSelfSigned(authority.certificate))
        self.assertFalse(isSelfSigned(certificate))

    def test_old(self) -> None:
        """
        With SHA-1 the key identifiers decide, where there are any.
        """
        self.assertTrue(isSelfSigned(OLD))
        identifiers = x509.SubjectKeyIdentifier(b"other")
        impostor = made((identifiers, False), name="old.test", issuer="x")
        self.assertFalse(issued(OLD, impostor))
        self.assertTrue(
            issued(OLD, made(name="old.test", issuer="x", key=rsa.generate_private_key(65537, 1024)))
        )

    def test_oddKey(self) -> None:
        """
        A key that signs nothing has issued nothing.
        """
        exchange = made(name="an authority", key=x25519.X25519PrivateKey.generate(), signer=SIGNER)
        self.assertFalse(issued(made(alternative("a.test")), exchange))
