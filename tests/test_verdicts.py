"""
What others would say of a server's certificates.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.options import TLSOptions
from xtls.testing.authority import Authority
from xtls.trust import verdicts
from xtls.trust.anchors import TrustAnchors
from xtls.trust.findings import Found, Grade, Topic
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.verdicts import isKnown, verdict, viewFindings
from xtls.trust.verification import Policy, Reason, Refusal

NOW = datetime.now(timezone.utc)
EARLIER = NOW.replace(microsecond=0) - timedelta(hours=3)
ROOT = Authority("root")
MIDDLE = ROOT.intermediate("middle")
PAIR = MIDDLE.issue("a.test")
CHAIN = (PAIR.certificate, MIDDLE.certificate)
ANCHORS = TrustAnchors((ROOT.certificate,))
POLICY = Policy(ReferenceIdentifier.of("a.test"))


def reason(*presented: x509.Certificate, policy: Policy = POLICY, flags: int = 0) -> Reason | None:
    """
    Why some certificates are refused, if they are.
    """
    refusal = verdict(presented, ANCHORS, policy, NOW, flags)
    return None if refusal is None else refusal.reason


class VerdictTests(SynchronousTestCase):
    """
    L{verdict}.
    """

    def test_accepted(self) -> None:
        """
        A chain that leads to an anchor, with the right name, is accepted; without a name to ask for, any is.
        """
        self.assertIsNone(reason(*CHAIN))
        self.assertIsNone(reason(*CHAIN, policy=Policy()))
        self.assertIsNone(reason(ROOT.issue("a.test", usage=()).certificate))

    def test_refused(self) -> None:
        """
        Everything else is refused with its reason.
        """
        selfSigned = ROOT.issue("a.test", selfSigned=True).certificate
        expired = ROOT.issue("a.test", notAfter=EARLIER).certificate
        anything = ROOT.issue("a.test", usage=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]).certificate
        weak = ROOT.issue("a.test", key=rsa.generate_private_key(65537, 1024)).certificate
        for presented, expected in (
            ((), Reason.NO_CERTIFICATE),
            (CHAIN[:1], Reason.UNKNOWN_CA),
            ((selfSigned,), Reason.SELF_SIGNED),
            ((expired,), Reason.EXPIRED),
            ((ROOT.issue("b.test").certificate,), Reason.WRONG_NAME),
            ((ROOT.issue("a.test", san=False).certificate,), Reason.NO_NAME),
            ((ROOT.issue("a.test", clientAuth=True).certificate,), Reason.WRONG_USAGE),
            ((weak,), Reason.WEAK),
            ((anything,), Reason.WRONG_USAGE),
            ((ROOT.issue("a.test", signing=False).certificate,), Reason.WRONG_USAGE),
        ):
            self.assertIs(reason(*presented), expected)

    def test_flags(self) -> None:
        """
        The flags are those that the client has.
        """
        loose = Authority("loose", withKeyUsage=False)
        presented = (loose.issue("a.test").certificate,)
        anchors = TrustAnchors((loose.certificate,))
        self.assertIsNone(verdict(presented, anchors, POLICY, NOW))
        strict = verdict(presented, anchors, POLICY, NOW, ssl.VERIFY_X509_STRICT)
        assert strict is not None
        self.assertIs(strict.reason, Reason.STRICT)

    def test_system(self) -> None:
        """
        Anchors may be files and directories.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        path = directory / "ca.pem"
        path.write_bytes(ROOT.pem)
        anchors = TrustAnchors(files=(str(path),), directories=(str(directory),))
        self.assertIsNone(verdict(CHAIN, anchors, POLICY, NOW))


class ViewsTests(SynchronousTestCase):
    """
    L{isKnown} and L{viewFindings}, on a system that believes one CA.
    """

    def setUp(self) -> None:
        self.public = Authority("public")
        path = Path(self.mktemp()).absolute()
        path.write_bytes(self.public.pem)
        self.patch(verdicts, "trustAnchors", self.anchors)
        self.system = TrustAnchors(files=(str(path),))

    def anchors(self, options: TLSOptions, *others: Any) -> TrustAnchors:
        """
        Those of the user, or else the system's.
        """
        certificates = tuple(x509.load_pem_x509_certificates(options.caData)) if options.caData else ()
        return TrustAnchors(certificates) if certificates else self.system

    def found(
        self, presented: Sequence[x509.Certificate], options: TLSOptions | None = None, **said: Any
    ) -> dict[str, Found]:
        """
        The findings by their kinds.
        """
        given = viewFindings(presented, options or TLSOptions(), "a.test", NOW, **said)
        self.assertTrue(all(each.topic is Topic.CLIENTS for each in given))
        self.assertTrue(all(bool(each.remedy) is (each.grade is not Grade.OK) for each in given))
        return {each.kind: each for each in given}

    def grades(self, found: dict[str, Found]) -> list[Grade]:
        """
        The grades of the system, a browser and xpra.
        """
        return [found[kind].grade for kind in ("system", "browser", "xpra")]

    def test_known(self) -> None:
        """
        Certificates are known by the user or by the system; what else is wrong with them is another matter.
        """
        theirs = TLSOptions(caData=ROOT.pem)
        self.assertTrue(isKnown(CHAIN, theirs, NOW))
        self.assertFalse(isKnown(CHAIN[:1], theirs, NOW))
        self.assertFalse(isKnown(CHAIN, TLSOptions(), NOW))
        self.assertTrue(
            isKnown([self.public.issue("a.test", notAfter=EARLIER).certificate], TLSOptions(), NOW)
        )
        self.assertTrue(isKnown(CHAIN[:1], TLSOptions(caData=MIDDLE.pem), NOW))

    def test_public(self) -> None:
        """
        A public CA is believed by all; that Certificate Transparency is not judged is said.
        """
        found = self.found([self.public.issue("a.test").certificate])
        self.assertEqual(self.grades(found), [Grade.OK] * 3)
        self.assertIn("Certificate Transparency", found["browser"].sentence)

    def test_private(self) -> None:
        """
        With a CA of the user's own, xpra is content when given it too; the system is not, and a browser
        warns, which matters where the port serves browsers.  The reason is told once.
        """
        theirs = TLSOptions(caData=ROOT.pem)
        found = self.found(CHAIN, theirs)
        self.assertEqual(self.grades(found), [Grade.NOTE, Grade.NOTE, Grade.OK])
        self.assertIn("which is not trusted here", found["system"].sentence)
        self.assertIn("for the reason above", found["browser"].sentence)
        self.assertIn("given the same CAs", found["xpra"].sentence)
        self.assertEqual(self.found(CHAIN, theirs, web=True)["browser"].grade, Grade.WARNING)

    def test_told(self) -> None:
        """
        What was told of C{xtls attach} is not told again.
        """
        refusal = verdict(CHAIN, self.system, POLICY, NOW)
        found = self.found(CHAIN, told=refusal)
        self.assertTrue(all("for the reason above" in each.sentence for each in found.values()))
        self.assertIn("--ssl-ca-certs=FILE", found["xpra"].remedy)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", found["xpra"].sentence)
        self.assertNotIn(
            "for the reason above", self.found(CHAIN, told=Refusal(Reason.WEAK))["system"].sentence
        )

    def test_lifetime(self) -> None:
        """
        A browser takes no certificate of a public CA that is valid for longer than it allows.
        """
        begin, end = NOW - timedelta(days=1), NOW + timedelta(days=900)
        long = self.public.issue(
            "a.test", notBefore=begin.replace(microsecond=0), notAfter=end.replace(microsecond=0)
        ).certificate
        found = self.found([long])
        self.assertEqual(self.grades(found), [Grade.OK, Grade.NOTE, Grade.OK])
        self.assertIn("valid for 901 days", found["browser"].sentence)
        self.assertIn("398 days", found["browser"].remedy)

    def test_xpra(self) -> None:
        """
        For xpra an authority must keep to RFC 5280 and be a root, which is said; a Common Name will do for it
        where there is no subjectAltName; and what else is wrong has to be mended.
        """
        loose = Authority("loose", withKeyUsage=False)
        found = self.found([loose.issue("a.test").certificate], TLSOptions(caData=loose.pem))["xpra"]
        self.assertEqual(found.grade, Grade.WARNING)
        self.assertIn("--ssl-verify-flags=DEFAULT", found.remedy)
        found = self.found(CHAIN, TLSOptions(caData=MIDDLE.pem))["xpra"]
        self.assertIn("give it the root", found.remedy)
        named = ROOT.issue(san=False, commonName="a.test").certificate
        self.assertEqual(self.found([named], TLSOptions(caData=ROOT.pem))["xpra"].grade, Grade.OK)
        other = self.found([ROOT.issue("b.test").certificate], TLSOptions(caData=ROOT.pem))["xpra"]
        self.assertIn("mend the certificate", other.remedy)

    def test_name(self) -> None:
        """
        The name is the one that the user gave, by an option or in the target; what is no name is not asked
        for.
        """
        theirs = TLSOptions(serverHostname="b.test")
        certificate = self.public.issue("b.test").certificate
        self.assertEqual(self.grades(self.found([certificate], theirs)), [Grade.OK] * 3)
        given = viewFindings([certificate], TLSOptions(), "not a name", NOW)
        self.assertEqual({each.grade for each in given}, {Grade.OK})

    def test_nothing(self) -> None:
        """
        Of nothing, nothing is said.
        """
        self.assertEqual(self.found(()), {})
