"""
Whether an authority may vouch for a name.
"""

from __future__ import annotations

from ipaddress import ip_network

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tests.support.making import Issuer, extension, raw
from xtls.trust.constraints import constraintsOf, isPermitted
from xtls.trust.names import ReferenceIdentifier


def dns(*names: str) -> list[x509.GeneralName]:
    """
    Domains.
    """
    return [x509.DNSName(name) for name in names]


def networks(*texts: str) -> list[x509.GeneralName]:
    """
    Networks.
    """
    return [x509.IPAddress(ip_network(text)) for text in texts]


class IsPermittedTests(SynchronousTestCase):
    """
    Names and addresses, and the constraints that they are held to.
    """

    def check(
        self,
        expected: dict[str, bool],
        permitted: list[x509.GeneralName] | None = None,
        excluded: list[x509.GeneralName] | None = None,
    ) -> None:
        """
        Hold names to constraints.
        """
        constraints = x509.NameConstraints(permitted, excluded)
        found = {name: isPermitted(ReferenceIdentifier.of(name), constraints) for name in expected}
        self.assertEqual(found, expected)

    def test_permittedDomain(self) -> None:
        """
        A name is in a domain, or is the domain, whatever the case; what only ends like it is not.
        """
        expected = {"a.test": True, "b.a.test": True, "xa.test": False, "test": False, "b.test": False}
        self.check(expected, permitted=dns("A.Test"))
        self.check(expected, permitted=dns("nothing.example", "a.test."))

    def test_excludedDomain(self) -> None:
        """
        A name in an excluded domain is not permitted, though another constraint permits it.
        """
        expected = {"a.test": False, "b.a.test": False, "xa.test": True}
        self.check(expected, excluded=dns("a.test"))
        self.check(expected, permitted=dns("test"), excluded=dns("a.test"))

    def test_dot(self) -> None:
        """
        A domain with a dot before it is what is below it.
        """
        self.check({"a.test": False, "b.a.test": True}, permitted=dns(".a.test"))
        self.check({"a.test": True, "b.a.test": False}, excluded=dns(".a.test"))

    def test_everything(self) -> None:
        """
        The empty domain has all names in it, and no address.
        """
        self.check({"a.test": False, "localhost": False, "127.0.0.1": True}, excluded=dns(""))
        self.check({"a.test": True, "127.0.0.1": True}, permitted=dns(""))

    def test_networks(self) -> None:
        """
        An address is in a network of its family.  Where any network is permitted, addresses of the other
        family are not.
        """
        expected = {"10.1.2.3": True, "11.1.2.3": False, "::1": False, "a.test": True}
        self.check(expected, permitted=networks("10.0.0.0/8"))
        expected = {"10.1.2.3": False, "11.1.2.3": True, "::1": True, "a.test": True}
        self.check(expected, excluded=networks("10.0.0.0/8"))

    def test_otherForms(self) -> None:
        """
        Constraints on names of other forms say nothing about hosts.
        """
        mail: list[x509.GeneralName] = [x509.RFC822Name("a.test")]
        self.check({"a.test": True, "127.0.0.1": True}, permitted=mail)
        self.check({"a.test": True, "127.0.0.1": True}, excluded=mail)


class ConstraintsOfTests(SynchronousTestCase):
    """
    What an authority says of itself.
    """

    def test_found(self) -> None:
        """
        Constraints are found; most authorities have none.
        """
        constraints = x509.NameConstraints(dns("a.test"), None)
        for given, expected in ((extension(constraints, True), constraints), (None, None)):
            self.assertEqual(constraintsOf(Issuer.root("an authority", nc=given).der), expected)

    def test_mentioned(self) -> None:
        """
        What only looks like them within another extension is none.
        """
        lookalike = raw("1.2.3.4", bytes.fromhex("0603551d1e"))
        self.assertIsNone(constraintsOf(Issuer.root("an authority", other=lookalike).der))

    def test_unreadable(self) -> None:
        """
        Those that cannot be read are an error, and not none.
        """
        garbled = Issuer.root("an authority", nc=raw("2.5.29.30", b"no DER", True))
        self.assertRaises(ValueError, constraintsOf, garbled.der)
