"""
Names of servers (RFC 9525).
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from service_identity.exceptions import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, verify_service_identity
from twisted.trial.unittest import SynchronousTestCase

from tests.support.making import PROXY, Issuer, unnamed
from xtls.testing.authority import Authority
from xtls.trust.names import PresentedIdentifiers, ReferenceIdentifier, isProxy, printable, toASCII

AUTHORITY = Authority()


def presented(*names: str) -> PresentedIdentifiers:
    """
    The identifiers of a certificate with these DNS names.
    """
    pair = AUTHORITY.issue(san=[x509.DNSName(name) for name in names])
    return PresentedIdentifiers.of(pair.certificate)


class ToASCIITests(SynchronousTestCase):
    """
    DNS names, as they are compared.
    """

    def test_forms(self) -> None:
        """
        Case and the dot at the end do not matter; U-labels become A-labels (RFC 5891), however they are
        typed.
        """
        for text, written in {
            "a.test": "a.test",
            "A.Test.": "a.test",
            "a_b.test": "a_b.test",
            "BÜCHER.test": "xn--bcher-kva.test",
            "xn--bcher-kva.test": "xn--bcher-kva.test",
            "ｆｕｌｌ.test": "full.test",
            "a" * 63 + ".test": "a" * 63 + ".test",
            ".".join(["a" * 49] * 5): ".".join(["a" * 49] * 5),
        }.items():
            self.assertEqual(toASCII(text), written)

    def test_refused(self) -> None:
        """
        What is no name is refused: empty labels, labels and names that are too long, other characters.
        """
        for text in (
            "",
            ".",
            "a..b",
            ".a",
            "a" * 64,
            "a" * 63 + "." + ".".join(["a" * 63] * 3),
            "a b",
            "a\n",
            "a\0",
            "*.a",
            "a:1",
            "a/b",
            "a%b",
            "ü" * 64,
            "xn--ü",
        ):
            self.assertRaises(ValueError, toASCII, text)


class ReferenceIdentifierTests(SynchronousTestCase):
    """
    The server that was asked for.
    """

    def test_names(self) -> None:
        """
        A host name is a DNS-ID, and sent as server_name.
        """
        reference = ReferenceIdentifier.of(" Bücher.test. ")
        self.assertEqual(reference, ReferenceIdentifier("xn--bcher-kva.test"))
        self.assertEqual(reference.serverName, b"xn--bcher-kva.test")

    def test_addresses(self) -> None:
        """
        An address is an IP-ID, however it is written, and is not sent (RFC 6066, section 3).  A zone says by
        which link to go, and nothing about who is there.
        """
        for text, address in {
            "127.0.0.1": "127.0.0.1",
            "::1": "::1",
            "[::1]": "::1",
            "0:0::1": "::1",
            "FE80::1%eth0": "fe80::1",
        }.items():
            reference = ReferenceIdentifier.of(text)
            self.assertEqual((reference.name, reference.address), (address, ip_address(address)))
            self.assertIsNone(reference.serverName)

    def test_refused(self) -> None:
        """
        What is neither is refused.
        """
        for text in ("", "a b", "a%eth0", "*.a.test"):
            self.assertRaises(ValueError, ReferenceIdentifier.of, text)


class PresentedIdentifiersTests(SynchronousTestCase):
    """
    Whom a certificate is for.
    """

    def test_kinds(self) -> None:
        """
        DNS-IDs and IP-IDs count; other kinds of names do not; what cannot be used is kept as evidence.
        """
        names: list[x509.GeneralName] = [
            x509.DNSName("A.test"),
            x509.DNSName("*.b.test"),
            x509.IPAddress(ip_address("::1")),
            x509.RFC822Name("me@a.test"),
            x509.UniformResourceIdentifier("https://c.test/"),
            x509.DNSName("*.test"),
            x509.DNSName("10.0.0.1"),
            x509.IPAddress(ip_network("10.0.0.0/8")),
        ]
        found = PresentedIdentifiers.of(AUTHORITY.issue(san=names, commonName="d.test").certificate)
        self.assertEqual(found.names, ("a.test", "*.b.test"))
        self.assertEqual(found.addresses, (ip_address("::1"),))
        self.assertEqual(found.malformed, ("*.test", "10.0.0.1", "10.0.0.0/8"))
        self.assertEqual((found.extension, found.commonNames), (True, ("d.test",)))

    def test_none(self) -> None:
        """
        A certificate may have no subjectAltName.
        """
        found = PresentedIdentifiers.of(AUTHORITY.issue(commonName="d.test").certificate)
        self.assertEqual(found, PresentedIdentifiers(commonNames=("d.test",)))

    def test_malformed(self) -> None:
        """
        Identifiers that cannot be used match nothing, not even themselves.
        """
        for name in (
            "",
            "*",
            "*.test",
            "a.*.test",
            "a*.b.test",
            "*a.b.test",
            "*.*.b.test",
            "**.b.test",
            ".b.test",
            "b..test",
            "b.test.",
            "b test",
            "b.test\0",
            "b.test\n",
            "127.0.0.1",
            "1",
            "a" * 64 + ".test",
            "*." + ".".join(["a" * 63] * 4),
        ):
            self.assertEqual(presented(name).malformed, (name,))
            for reference in (ReferenceIdentifier(name), ReferenceIdentifier("a.b.test")):
                self.assertFalse(presented(name).match(reference))

    def test_unreadable(self) -> None:
        """
        Names that cannot be read are an error, whatever is wrong with them.
        """
        for san in ("300787050102030405", "0400"):
            certificate = AUTHORITY.issue(san=bytes.fromhex(san)).certificate
            self.assertRaises(ValueError, PresentedIdentifiers.of, certificate)

    def test_notASCII(self) -> None:
        """
        A DNS name that is not in ASCII, as it must be (RFC 5280, section 4.2.1.6), cannot be used.
        """
        certificate = AUTHORITY.issue(san=bytes.fromhex("30048202c3a9")).certificate
        self.assertEqual(PresentedIdentifiers.of(certificate).malformed, ("é",))

    def test_twice(self) -> None:
        """
        Two subjectAltNames are an error: which would count?
        """
        twice = bytearray(
            AUTHORITY.issue(san=[x509.DNSName("a.test")]).certificate.public_bytes(Encoding.DER)
        )
        # the extended key usage becomes another subjectAltName: 2.5.29.37 -> 2.5.29.17
        position = twice.index(bytes.fromhex("0603551d25"))
        twice[position + 4] = 0x11
        certificate = x509.load_der_x509_certificate(bytes(twice))
        self.assertRaises(ValueError, PresentedIdentifiers.of, certificate)

    def test_proxy(self) -> None:
        """
        The Common Name of a proxy (RFC 3820), which its owner chose, is none.
        """
        for proxy, found in (PROXY, ()), (None, ("a.test",)):
            certificate = x509.load_der_x509_certificate(Issuer.root("a.test", proxy=proxy).der)
            self.assertIs(isProxy(certificate), proxy is not None)
            self.assertEqual(PresentedIdentifiers.of(certificate).commonNames, found)

    def test_exact(self) -> None:
        """
        Names and addresses can be asked for, and no pattern, nor what is malformed.
        """
        said = [x509.DNSName(each) for each in ("*.a.test", "a\n.test", "a.test")]
        address = x509.IPAddress(ip_address("192.0.2.1"))
        pair = AUTHORITY.issue(san=[address, *said])
        self.assertEqual(PresentedIdentifiers.of(pair.certificate).exact, ("a.test", "192.0.2.1"))

    def test_unnamed(self) -> None:
        """
        A subject of which nothing can be made is an error.
        """
        self.assertRaises(ValueError, PresentedIdentifiers.of, unnamed())

    def test_match(self) -> None:
        """
        A name matches itself, and a wildcard one label; letters count for the same in either case.
        """
        found = presented("A.test", "*.B.test")
        for name, matches in {
            "a.test": True,
            "x.b.test": True,
            "xn--bcher-kva.b.test": True,
            "b.test": False,
            "x.y.b.test": False,
            "x.a.test": False,
            ".b.test": False,
            "test": False,
        }.items():
            self.assertEqual(found.match(ReferenceIdentifier(name)), matches, name)

    def test_matchAddress(self) -> None:
        """
        An address matches an IP-ID alone, and as an address.
        """
        names = [x509.IPAddress(ip_address("::1")), x509.DNSName("127.0.0.1.test")]
        found = PresentedIdentifiers.of(AUTHORITY.issue(san=names).certificate)
        self.assertTrue(found.match(ReferenceIdentifier.of("[0::1]")))
        self.assertFalse(found.match(ReferenceIdentifier.of("127.0.0.1")))
        self.assertFalse(found.match(ReferenceIdentifier.of("::2")))

    def test_matchCommonName(self) -> None:
        """
        The Common Name counts only when there is one, and no subjectAltName whatever is in that.
        """
        reference = ReferenceIdentifier("a.test")
        self.assertTrue(PresentedIdentifiers(commonNames=("A.test",)).matchCommonName(reference))
        for found in (
            PresentedIdentifiers(),
            PresentedIdentifiers(commonNames=("b.test",)),
            PresentedIdentifiers(commonNames=("a.test", "b.test")),
            PresentedIdentifiers(commonNames=("a.test",), extension=True),
            PresentedIdentifiers(commonNames=("*.test",)),
        ):
            self.assertFalse(found.matchCommonName(reference))

    def test_letters(self) -> None:
        """
        A letter beyond ASCII is no other letter, though in lower case it would be one: the sign of Kelvin is
        no k.
        """
        found = PresentedIdentifiers(commonNames=("\u212aiosk.test",))
        self.assertFalse(found.matchCommonName(ReferenceIdentifier("kiosk.test")))

    def test_asServiceIdentity(self) -> None:
        """
        service-identity is of the same opinion, but for A-labels under a wildcard, which RFC 6125 discouraged
        and RFC 9525 does not.
        """
        patterns = (
            "a.test",
            "A.Test",
            "*.b.test",
            "*",
            "*.test",
            "a.*.test",
            "x*.b.test",
            "*.*.b.test",
            "10.0.0.1",
        )
        for pattern in patterns:
            for name in ("a.test", "b.test", "x.b.test", "x.y.b.test", "a.b.test", "test", "xy.b.test"):
                try:
                    verify_service_identity([DNSPattern.from_bytes(pattern.encode())], [DNS_ID(name)], [])
                except (VerificationError, CertificateError, ValueError):
                    theirs = False
                else:
                    theirs = True
                self.assertEqual(presented(pattern).match(ReferenceIdentifier(name)), theirs, (pattern, name))


class PrintableTests(SynchronousTestCase):
    """
    Other people's text.
    """

    def test_harmless(self) -> None:
        """
        What a terminal or a log would obey is spelled out; letters of any language stay.
        """
        self.assertEqual(printable("bücher\x1b[2J\r\n\u202e\0"), "bücher\\x1b[2J\\x0d\\x0a\\x202e\\x00")

    def test_short(self) -> None:
        """
        What is long is cut.
        """
        self.assertEqual(printable("a" * 101), "a" * 99 + "…")
        self.assertEqual(printable("a" * 100), "a" * 100)
