"""
Chains of certificates as servers present them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID
from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority
from xtls.trust.chains import PresentedChain, chainFindings
from xtls.trust.findings import Found, Grade, Topic

#: So long ago that nothing is about to expire.
NOW = datetime.now(timezone.utc) - timedelta(hours=12)
EARLIER = NOW.replace(microsecond=0) - timedelta(hours=3)
ROOT = Authority("root")
MIDDLE = ROOT.intermediate("middle")
PAIR = MIDDLE.issue("a.test")
LEAF = PAIR.certificate
CHAIN = (LEAF, MIDDLE.certificate)


def extended(*extensions: x509.ExtensionType) -> x509.Certificate:
    """
    A server's certificate with extensions of its own, issued by the root.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(LEAF.subject)
        .issuer_name(ROOT.certificate.subject)
        .public_key(LEAF.public_key())
        .serial_number(7)
        .not_valid_before(LEAF.not_valid_before_utc)
        .not_valid_after(LEAF.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(ROOT.key, hashes.SHA256())


def found(certificates: Sequence[x509.Certificate], **said: Any) -> dict[str, Found]:
    """
    The findings by their kinds.
    """
    said = {"known": True, **said}
    given = chainFindings(PresentedChain(tuple(certificates)), NOW, **said)
    assert all(each.topic is Topic.CERTIFICATE for each in given)
    assert all(bool(each.remedy) is (each.grade is not Grade.OK) for each in given), given
    return {each.kind: each for each in given}


class PathTests(SynchronousTestCase):
    """
    L{PresentedChain}.
    """

    def test_path(self) -> None:
        """
        The path is found in whatever order the certificates come, and ends at a root or where one is missing.
        """
        root, middle = ROOT.certificate, MIDDLE.certificate
        for given, path in (
            ((LEAF, middle, root), (LEAF, middle, root)),
            ((LEAF, root, middle), (LEAF, middle, root)),
            ((LEAF, root), (LEAF,)),
            ((LEAF, middle), (LEAF, middle)),
            ((), ()),
        ):
            self.assertEqual(PresentedChain(given).path, path)

    def test_order(self) -> None:
        """
        What stands in between and is not needed does not disturb the order.
        """
        root, middle, other = ROOT.certificate, MIDDLE.certificate, Authority("other").certificate
        self.assertTrue(PresentedChain((LEAF, middle, root)).inOrder)
        self.assertTrue(PresentedChain((LEAF, other, middle)).inOrder)
        self.assertFalse(PresentedChain((LEAF, root, middle)).inOrder)
        self.assertEqual(PresentedChain((LEAF, other, middle)).superfluous, (other,))
        self.assertEqual(PresentedChain((LEAF, middle, LEAF)).superfluous, (LEAF,))


class OrderTests(SynchronousTestCase):
    """
    What is said about the order, and what is missing and not needed.
    """

    def test_good(self) -> None:
        """
        A chain in order has nothing but good said of it.
        """
        given = found(CHAIN)
        self.assertEqual({each.grade for each in given.values()}, {Grade.OK})
        self.assertEqual(set(given), {"chain-order", "names", "dates", "key"})
        self.assertIn("2 certificates are presented", given["chain-order"].sentence)
        self.assertIn("one certificate", found([LEAF])["chain-order"].sentence)
        self.assertEqual(given["names"].sentence, "it is for a.test")
        self.assertIn("EC P-256", given["key"].sentence)

    def test_nothing(self) -> None:
        """
        Of nothing, nothing is said.
        """
        self.assertEqual(found(()), {})

    def test_order(self) -> None:
        """
        A wrong order is warned of, with the right one, in which a root has no place.
        """
        given = found((LEAF, ROOT.certificate, MIDDLE.certificate))["chain-order"]
        self.assertEqual(given.grade, Grade.WARNING)
        self.assertTrue(given.remedy.endswith('"a.test", "middle"'), given.remedy)

    def test_superfluous(self) -> None:
        """
        What is not needed is named: certificates of no path, twice the same, and the root.
        """
        other = Authority("other").certificate
        self.assertIn(
            '"other" is presented and no path', found((*CHAIN, other))["chain-superfluous"].sentence
        )
        self.assertIn('"a.test" is presented twice', found((*CHAIN, LEAF))["chain-superfluous"].sentence)
        self.assertIn('root "root"', found((*CHAIN, ROOT.certificate))["chain-root"].sentence)
        selfSigned = ROOT.issue("a.test", selfSigned=True).certificate
        self.assertNotIn("chain-root", found([selfSigned]))

    def test_incomplete(self) -> None:
        """
        Where the chain leads to nobody who is known, that is said with whom it lacks, and where that is to be
        had.
        """
        given = found([LEAF], known=False)["chain-incomplete"]
        self.assertEqual(given.grade, Grade.WARNING)
        self.assertIn('its issuer "middle"', given.sentence)
        self.assertNotIn("to be had", given.remedy)
        place = x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(
                    AuthorityInformationAccessOID.CA_ISSUERS,
                    x509.UniformResourceIdentifier("http://ca.test/root.crt"),
                ),
            ]
        )
        given = found([extended(place)], known=False)["chain-incomplete"]
        self.assertIn("http://ca.test/root.crt", given.remedy)
        selfSigned = ROOT.issue("a.test", selfSigned=True).certificate
        self.assertNotIn("chain-incomplete", found([selfSigned], known=False))


class ContentsTests(SynchronousTestCase):
    """
    What is said about the server's own certificate, and about the authorities'.
    """

    def test_dates(self) -> None:
        """
        A certificate that has expired is a problem, which is told once.
        """
        late = MIDDLE.issue("a.test", notAfter=EARLIER).certificate
        given = found([late, MIDDLE.certificate])
        self.assertEqual(given["expired"].grade, Grade.PROBLEM)
        self.assertNotIn("dates", given)

    def test_key(self) -> None:
        """
        A key that is too small is a problem, which is told once.
        """
        weak = rsa.generate_private_key(65537, 1024)
        given = found([ROOT.issue("a.test", key=weak).certificate])
        self.assertEqual(given["weak-key"].grade, Grade.PROBLEM)
        self.assertNotIn("key", given)

    def test_noNames(self) -> None:
        """
        A certificate without names is warned of.
        """
        given = found([ROOT.issue("a.test", san=False).certificate])
        self.assertNotIn("names", given)
        self.assertEqual(given["no-san"].grade, Grade.WARNING)

    def test_authorities(self) -> None:
        """
        What is bad about an authority is told by its name; what is only worth a note is not.
        """
        old = ROOT.intermediate("old", notAfter=EARLIER)
        given = found([old.issue("a.test").certificate, old.certificate])
        self.assertIn('the authority "old": it expired', given["expired"].sentence)
        loose = ROOT.intermediate("loose", withKeyUsage=False)
        self.assertNotIn("not-strict", found([loose.issue("a.test").certificate, loose.certificate]))


class RevocationTests(SynchronousTestCase):
    """
    How a revocation is learnt.
    """

    def test_pointers(self) -> None:
        """
        Responders and lists are told; what is no address on the web is not.
        """
        access = x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(
                    AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.test/")
                ),
                x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.DNSName("ocsp.test")),
            ]
        )
        lists = x509.CRLDistributionPoints(
            [
                x509.DistributionPoint(
                    [x509.UniformResourceIdentifier("http://crl.test/1"), x509.DNSName("crl.test")],
                    None,
                    None,
                    None,
                ),
                x509.DistributionPoint(
                    None,
                    x509.RelativeDistinguishedName(list(ROOT.certificate.subject)),
                    None,
                    None,
                ),
            ]
        )
        given = found([extended(access, lists)])["revocation"].sentence
        self.assertIn("by OCSP at http://ocsp.test/ and in the list at http://crl.test/1;", given)
        self.assertNotIn("OCSP", found([extended(lists)])["revocation"].sentence)

    def test_stapling(self) -> None:
        """
        A certificate that demands a stapled response without one is warned of.
        """
        must = extended(x509.TLSFeature([x509.TLSFeatureType.status_request]))
        self.assertEqual(found([must])["must-staple"].grade, Grade.WARNING)
        self.assertEqual(found([must], stapled=True)["stapled"].grade, Grade.OK)
        other = extended(x509.TLSFeature([x509.TLSFeatureType.status_request_v2]))
        self.assertEqual({"must-staple", "stapled"} & set(found([other])), set())
