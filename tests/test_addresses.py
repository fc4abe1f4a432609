"""
Addresses as people read them.
"""

from __future__ import annotations

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from xtls.wire.addresses import addressName


class AddressNameTests(SynchronousTestCase):
    """
    L{addressName}.
    """

    def test_internet(self) -> None:
        """
        Host and port, and brackets where the host has colons itself.
        """
        self.assertEqual(addressName(IPv4Address("TCP", "192.0.2.1", 50000)), "192.0.2.1:50000")
        self.assertEqual(addressName(IPv6Address("TCP", "2001:db8::1", 7)), "[2001:db8::1]:7")

    def test_mapped(self) -> None:
        """
        An IPv4 client of a socket for both versions is an IPv4 client; what is no address is named all the
        same.
        """
        self.assertEqual(addressName(IPv6Address("TCP", "::ffff:192.0.2.1", 50000)), "192.0.2.1:50000")
        self.assertEqual(addressName(IPv6Address("TCP", "::1", 7)), "[::1]:7")
        self.assertEqual(addressName(IPv6Address("TCP", "nonsense", 7)), "[nonsense]:7")

    def test_unix(self) -> None:
        """
        A path; C{@} for an abstract name; and most clients have no name.
        """
        names = [addressName(UNIXAddress(name)) for name in (b"/run/x", b"\0x", b"\xff", b"", None)]
        self.assertEqual(names, ["unix:/run/x", "unix:@x", "unix:\\xff", "unix", "unix"])

    def test_others(self) -> None:
        """
        Addresses of other kinds are named as Twisted names them.
        """
        address = HostnameAddress(b"example.com", 443)
        self.assertEqual(addressName(address), str(address))
