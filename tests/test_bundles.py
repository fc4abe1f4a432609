"""
What is good and bad about chains, keys and revocation lists.
"""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID
from twisted.trial.unittest import SynchronousTestCase

from tests.support.made import BEGIN, ENDLESS, NOW, called, changed, made, names
from xtls.testing.authority import Authority
from xtls.trust.bundles import inspectChain, inspectKey, inspectRevocations
from xtls.trust.inspection import Finding, Severity


def kinds(found: list[Finding]) -> list[str]:
    """
    What was found, each with the first letter of how bad it is.
    """
    return [f"{each.severity.value[0]} {each.kind}" for each in found]


class ChainTests(SynchronousTestCase):
    """
    L{inspectChain}.
    """

    def setUp(self) -> None:
        self.root = Authority("root")
        self.below = self.root.intermediate("below")
        self.pair = self.below.issue("a.test")
        self.leaf = self.pair.certificate

    def test_good(self) -> None:
        """
        A server's certificate and after it those that signed it, as far as below the root.
        """
        self.assertEqual(inspectChain([self.leaf, self.below.certificate]), [])
        self.assertEqual(inspectChain([self.root.issue("a.test").certificate]), [])

    def test_root(self) -> None:
        """
        The root does no harm in a server's chain, and belongs into a client's, which is imported with it;
        alone it is no chain.
        """
        client = self.root.issue(clientAuth=True).certificate
        self.assertEqual(inspectChain([client, self.root.certificate]), [])
        chain = [self.leaf, self.below.certificate, self.root.certificate]
        self.assertEqual(kinds(inspectChain(chain)), ["n root"])
        self.assertEqual(inspectChain([self.root.issue("a.test", selfSigned=True).certificate]), [])

    def test_order(self) -> None:
        """
        A chain in another order is told with the right one.
        """
        (found,) = inspectChain([self.below.certificate, self.leaf])
        self.assertEqual((found.severity, found.kind), (Severity.WARNING, "wrong-order"))
        self.assertIn("CN=a.test, then CN=below", found.remedy)

    def test_unrelated(self) -> None:
        """
        What has signed nothing does not belong there; what is there twice is told.
        """
        other = Authority("other").certificate
        found = inspectChain([self.leaf, other, self.below.certificate, other])
        self.assertEqual(kinds(found), ["n duplicate", "w unrelated"])
        self.assertIn("CN=other", found[1].sentence)

    def test_incomplete(self) -> None:
        """
        Where a certificate says where its issuer's is to be had, clients need that.
        """
        method = AuthorityInformationAccessOID.CA_ISSUERS
        place = x509.UniformResourceIdentifier("http://ca.test/below.crt")
        access = x509.AuthorityInformationAccess([x509.AccessDescription(method, place)])
        (found,) = inspectChain([made(names("a.test"), (access, False))])
        self.assertEqual((found.severity, found.kind), (Severity.WARNING, "incomplete"))
        self.assertIn("CN=an authority", found.sentence)

    def test_collection(self) -> None:
        """
        Many CAs, or several servers' certificates, are no chain.
        """
        self.assertEqual(inspectChain([self.root.certificate, Authority("other").certificate]), [])
        self.assertEqual(inspectChain([self.leaf, self.below.issue("b.test").certificate]), [])


class KeyTests(SynchronousTestCase):
    """
    L{inspectKey}.
    """

    def test_belongs(self) -> None:
        """
        A key belongs to one of the certificates, wherever it stands; no key is no fault.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        curve = (bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))
        certificates = [changed(made(), [curve]), made(key=key)]
        self.assertEqual(inspectKey(certificates, key.public_key(), 0o100600), [])
        self.assertEqual(inspectKey(certificates, None), [])
        (found,) = inspectKey(certificates[:1], key.public_key())
        self.assertEqual((found.severity, found.kind), (Severity.ERROR, "wrong-key"))

    def test_exposed(self) -> None:
        """
        A key that others may read is told with the mode.
        """
        for mode in (0o100640, 0o100604, 0o100660):
            (found,) = inspectKey([], None, mode)
            self.assertEqual((found.severity, found.kind), (Severity.WARNING, "exposed-key"))
            self.assertIn(f"{mode & 0o777:04o}", found.sentence)


class RevocationsTests(SynchronousTestCase):
    """
    L{inspectRevocations}.
    """

    def list(
        self, begin: float = -1, end: float = 30, key: rsa.RSAPrivateKey | None = None
    ) -> x509.CertificateRevocationList:
        """
        A revocation list, by the days from L{NOW} between which it is good.
        """
        builder = x509.CertificateRevocationListBuilder().issuer_name(called("an authority"))
        builder = builder.last_update(NOW + timedelta(days=begin))
        builder = builder.next_update(NOW + timedelta(days=end))
        return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())

    def test_good(self) -> None:
        """
        One that is good for longer than a week is good.
        """
        self.assertEqual(inspectRevocations(self.list(), NOW), [])
        self.assertLess(BEGIN, NOW)

    def test_times(self) -> None:
        """
        One out of date refuses everybody; so it is told before, and so is one that is not valid yet.
        """
        self.assertEqual(kinds(inspectRevocations(self.list(-9, -2), NOW)), ["e outdated"])
        self.assertIn("2 days", inspectRevocations(self.list(-9, -2), NOW)[0].sentence)
        self.assertEqual(kinds(inspectRevocations(self.list(-9, 6), NOW)), ["w outdated-soon"])
        self.assertEqual(kinds(inspectRevocations(self.list(1), NOW)), ["e not-yet-valid"])

    def test_noNextUpdate(self) -> None:
        """
        One that does not say when the next comes is told.
        """
        self.assertEqual(kinds(inspectRevocations(ENDLESS, NOW)), ["w no-next-update"])

    def test_signature(self) -> None:
        """
        SHA-1 can be forged here too; an algorithm that nobody knows is passed over.
        """
        key = rsa.generate_private_key(65537, 2048)
        data = self.list(key=key).public_bytes(Encoding.DER)
        names = (bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105"))
        old = x509.load_der_x509_crl(data.replace(*names))
        self.assertEqual(kinds(inspectRevocations(old, NOW)), ["e weak-signature"])
        odd = x509.load_der_x509_crl(data.replace(names[0], bytes.fromhex("2a864886f70d01017f")))
        self.assertEqual(inspectRevocations(odd, NOW), [])
