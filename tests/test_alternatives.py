"""
Names as certificates hold them.
"""

from __future__ import annotations

from ipaddress import ip_address

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from xtls.trust.alternatives import generalName, hostName, mailbox, obviousName, uri


class NamesTests(SynchronousTestCase):
    """
    Names of each kind.
    """

    def test_generalName(self) -> None:
        """
        What a server is called is an address or a host name, which may be in any script and begin with a
        wildcard.
        """
        for text, expected in (
            ("127.0.0.1", x509.IPAddress(ip_address("127.0.0.1"))),
            ("::1", x509.IPAddress(ip_address("::1"))),
            ("A.test", x509.DNSName("a.test")),
            ("Bücher.test", x509.DNSName("xn--bcher-kva.test")),
            ("*.a.test", x509.DNSName("*.a.test")),
        ):
            self.assertEqual(generalName(text), expected)
        for text in (
            "",
            "a b",
            "*",
            "a.*.test",
            "*.*.test",
            "a/b",
            "300.1.1.1",
            "127.0.0.1.",
            "*.0.1",
            "300",
        ):
            self.assertRaises(ValueError, generalName, text)

    def test_hostName(self) -> None:
        """
        The name of one host has no wildcard.
        """
        self.assertEqual(hostName("A.test."), x509.DNSName("a.test"))
        self.assertRaises(ValueError, hostName, "*.a.test")

    def test_mailbox(self) -> None:
        """
        An e-mail address is one of ASCII before the sign, and of a host name behind it.
        """
        self.assertEqual(mailbox("me@A.test"), x509.RFC822Name("me@a.test"))
        for text in ("", "me", "@a.test", "me@", "me@a b", "m e@a.test", "ü@a.test", "a@b@c.test"):
            self.assertRaises(ValueError, mailbox, text)

    def test_uri(self) -> None:
        """
        A URI is absolute, and of ASCII without spaces.
        """
        for text in ("spiffe://example.org/backup", "urn:x:y"):
            self.assertEqual(uri(text), x509.UniformResourceIdentifier(text))
        for text in ("", "backup", "//example.org/", "x:", "x:a b", "x:ü", "1:a", "x:" + "a" * 2001):
            self.assertRaises(ValueError, uri, text)

    def test_obviousName(self) -> None:
        """
        Somebody's name may be an e-mail address, or the name of a host in a domain; else it is a name only.
        """
        self.assertEqual(obviousName("me@a.test"), x509.RFC822Name("me@a.test"))
        self.assertEqual(obviousName("backup.a.test"), x509.DNSName("backup.a.test"))
        for text in ("alice", "Alice B. Cooper", "me@", "me@a b"):
            self.assertIsNone(obviousName(text))
