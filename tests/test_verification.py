"""
Whether to believe a peer: the decision, on values.
"""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from typing import Any

from cryptography import x509
from OpenSSL.SSL import X509VerificationCodes
from twisted.trial.unittest import SynchronousTestCase

from tests.support.faults import AUTHORITY, GOOD_SERVER, NAME, SERVER_FAULTS
from tests.support.people import person
from xtls.trust import anchors
from xtls.trust.identities import Rule
from xtls.trust.pins import pinOf
from xtls.trust.verification import (
    Policy,
    Reason,
    ReferenceIdentifier,
    Refusal,
    TrustAnchors,
    judge,
    reasonFor,
    requireBounds,
    requireKey,
    requireName,
    requireRule,
    trustAnchors,
)

CERTIFICATE = GOOD_SERVER.certificate
REFERENCE = ReferenceIdentifier.of(NAME)
NAMELESS = AUTHORITY.issue(commonName=NAME, san=False).certificate


class Trap:
    """
    Something that fails however it is looked at.
    """

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("cannot be read")


class RequireNameTests(SynchronousTestCase):
    """
    The name of the server (RFC 9525).
    """

    def test_good(self) -> None:
        """
        A certificate that is for the server passes, whether or not a Common Name would do.
        """
        for reference in (REFERENCE, ReferenceIdentifier.of("127.0.0.1")):
            for allowed in (True, False):
                self.assertIsNone(requireName(CERTIFICATE, reference, allowed))

    def test_evidence(self) -> None:
        """
        A refusal has the certificate and whom it should have been for.
        """
        refusal = requireName(CERTIFICATE, ReferenceIdentifier.of("other.test"), False)
        self.assertEqual(refusal, Refusal(Reason.WRONG_NAME, CERTIFICATE, reference="other.test"))

    def test_faults(self) -> None:
        """
        Every certificate of the table whose fault is in its names is refused for that.
        """
        names = (Reason.WRONG_NAME, Reason.NO_NAME, Reason.MALFORMED_NAME)
        checked = 0
        for fault in SERVER_FAULTS.values():
            if fault.reason in names and fault.pair is not None:
                refusal = requireName(fault.pair.certificate, ReferenceIdentifier.of(fault.host), True)
                assert refusal is not None
                self.assertIs(refusal.reason, fault.reason)
                checked += 1
        self.assertGreater(checked, 15)

    def test_commonName(self) -> None:
        """
        A Common Name does only where it is allowed.
        """
        self.assertIsNone(requireName(NAMELESS, REFERENCE, True))
        refusal = requireName(NAMELESS, REFERENCE, False)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.NO_NAME)

    def test_closed(self) -> None:
        """
        Whatever goes wrong in looking at a certificate, it is refused.
        """
        trap: x509.Certificate = Trap()  # type: ignore[assignment]
        refusal = requireName(trap, REFERENCE, True)
        assert refusal is not None
        self.assertEqual((refusal.reason, refusal.detail), (Reason.MALFORMED_NAME, "cannot be read"))


class ReasonForTests(SynchronousTestCase):
    """
    OpenSSL's verification errors.
    """

    def test_codes(self) -> None:
        """
        Each that has a name of its own here is known by it; all others are other reasons, and none is no
        reason.
        """
        codes = X509VerificationCodes
        for name, reason in {
            "CERT_HAS_EXPIRED": Reason.EXPIRED,
            "CERT_NOT_YET_VALID": Reason.NOT_YET_VALID,
            "UNABLE_TO_GET_ISSUER_CERT": Reason.UNKNOWN_CA,
            "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": Reason.UNKNOWN_CA,
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE": Reason.UNKNOWN_CA,
            "SELF_SIGNED_CERT_IN_CHAIN": Reason.UNKNOWN_CA,
            "CERT_UNTRUSTED": Reason.UNKNOWN_CA,
            "CERT_REJECTED": Reason.UNKNOWN_CA,
            "DEPTH_ZERO_SELF_SIGNED_CERT": Reason.SELF_SIGNED,
            "HOSTNAME_MISMATCH": Reason.WRONG_NAME,
            "IP_ADDRESS_MISMATCH": Reason.WRONG_NAME,
            "INVALID_PURPOSE": Reason.WRONG_USAGE,
            "KEYUSAGE_NO_DIGITAL_SIGNATURE": Reason.WRONG_USAGE,
            "INVALID_CA": Reason.NOT_A_CA,
            "INVALID_NON_CA": Reason.NOT_A_CA,
            "KEYUSAGE_NO_CERTSIGN": Reason.NOT_A_CA,
            "PATH_LENGTH_EXCEEDED": Reason.PATH_LENGTH,
            "CERT_CHAIN_TOO_LONG": Reason.PATH_LENGTH,
            "PERMITTED_VIOLATION": Reason.NAME_CONSTRAINTS,
            "EXCLUDED_VIOLATION": Reason.NAME_CONSTRAINTS,
            "CERT_REVOKED": Reason.REVOKED,
            "UNABLE_TO_GET_CRL": Reason.NO_REVOCATION_LIST,
            "CRL_HAS_EXPIRED": Reason.STALE_REVOCATION_LIST,
            "CRL_NOT_YET_VALID": Reason.STALE_REVOCATION_LIST,
            "CERT_SIGNATURE_FAILURE": Reason.BAD_SIGNATURE,
            "UNHANDLED_CRITICAL_EXTENSION": Reason.OTHER,
            "OUT_OF_MEM": Reason.OTHER,
        }.items():
            self.assertIs(reasonFor(getattr(codes, f"ERR_{name}")), reason, name)
        for code in (5, 8, 15, 16, 35, 36):
            self.assertIs(reasonFor(code), Reason.BAD_REVOCATION_LIST)
        for code in (-1, 0, 1, 1000):
            self.assertIs(reasonFor(code), Reason.OTHER)


class RequireRuleTests(SynchronousTestCase):
    """
    Who is let in of those whose certificate is good.
    """

    alice = person(AUTHORITY, "CN=alice").certificate

    def test_rules(self) -> None:
        """
        One rule is enough; no rules let everybody in, and an empty list of rules nobody.
        """
        alice, bob = Rule.parse("CN=alice"), Rule.parse("CN=bob")
        for rules, allowed in ((None, True), ((), False), ((bob,), False), ((bob, alice), True)):
            for identified in (False, True):
                policy = Policy(identified=identified, rules=rules)
                refusal = judge(policy, self.alice, ok=True, code=0, depth=0)
                self.assertEqual(refusal is None, allowed)
                self.assertEqual(requireRule(self.alice, policy), refusal)
                if refusal is not None:
                    self.assertIs(refusal.reason, Reason.NOT_ALLOWED)
                    self.assertEqual((refusal.certificate, refusal.detail), (self.alice, "CN=alice"))

    def test_leafOnly(self) -> None:
        """
        Rules are on the peer's own certificate, and on nobody's who vouches for it.
        """
        policy = Policy(identified=True, rules=())
        self.assertTrue(policy.examines(0))
        self.assertFalse(policy.examines(1))
        self.assertIsNone(judge(policy, AUTHORITY.certificate, ok=True, code=0, depth=1))

    def test_unreadable(self) -> None:
        """
        A certificate that does not say who it is for is refused, and so is one that is not good, whatever the
        rules.
        """
        strange = person(AUTHORITY, "CN=alice", san=b"no DER").certificate
        for policy in (Policy(identified=True), Policy(rules=(Rule.parse("CN=alice"),))):
            refusal = judge(policy, strange, ok=True, code=0, depth=0)
            assert refusal is not None
            self.assertIs(refusal.reason, Reason.OTHER)
            self.assertIn("who it is for cannot be read", refusal.detail)
            refusal = judge(policy, self.alice, ok=False, code=10, depth=0)
            assert refusal is not None
            self.assertIs(refusal.reason, Reason.EXPIRED)
        self.assertIsNone(judge(Policy(), strange, ok=True, code=0, depth=0))


class JudgeTests(SynchronousTestCase):
    """
    One certificate of a path.
    """

    policy = Policy(REFERENCE)

    def test_good(self) -> None:
        """
        A certificate with which nothing is wrong passes: the peer's own if the name is right, those above it
        whatever their names.
        """
        self.assertIsNone(judge(self.policy, CERTIFICATE, ok=True, code=0, depth=0))
        self.assertIsNone(judge(self.policy, AUTHORITY.certificate, ok=True, code=0, depth=1))
        self.assertIsNone(judge(Policy(), AUTHORITY.certificate, ok=True, code=0, depth=0))

    def test_name(self) -> None:
        """
        The peer's own is refused if the name is wrong.
        """
        policy = Policy(ReferenceIdentifier.of("other.test"))
        refusal = judge(policy, CERTIFICATE, ok=True, code=0, depth=0)
        self.assertEqual(refusal, Refusal(Reason.WRONG_NAME, CERTIFICATE, reference="other.test"))

    def test_fault(self) -> None:
        """
        What OpenSSL finds wrong is a refusal, whatever the name, with all that is known.
        """
        for policy, name in ((self.policy, NAME), (Policy(), "")):
            refusal = judge(policy, CERTIFICATE, ok=False, code=10, depth=2)
            self.assertEqual(refusal, Refusal(Reason.EXPIRED, CERTIFICATE, 2, 10, name))

    def test_noCode(self) -> None:
        """
        A fault without a code is a fault.
        """
        refusal = judge(self.policy, CERTIFICATE, ok=False, code=0, depth=0)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.OTHER)

    def test_use(self) -> None:
        """
        A certificate that is for another use says what the use would have been.
        """
        refusal = judge(Policy(use="a client"), CERTIFICATE, ok=False, code=26, depth=0)
        self.assertEqual(refusal, Refusal(Reason.WRONG_USAGE, CERTIFICATE, 0, 26, "", "a client"))

    def test_damaged(self) -> None:
        """
        Where OpenSSL found no issuer because it could not read the certificate, that is the reason.
        """
        damaged = AUTHORITY.issue(san=b"no DER").certificate
        refusal = judge(self.policy, damaged, ok=False, code=20, depth=0)
        self.assertEqual(refusal, Refusal(Reason.OTHER, damaged, 0, 20, NAME, "it is damaged"))
        refusal = judge(self.policy, CERTIFICATE, ok=False, code=20, depth=0)
        self.assertEqual(refusal, Refusal(Reason.UNKNOWN_CA, CERTIFICATE, 0, 20, NAME))


class PolicyTests(SynchronousTestCase):
    """
    What is asked of a peer.
    """

    def test_examines(self) -> None:
        """
        The name is asked of the peer's own certificate, if there is one to ask for.
        """
        self.assertTrue(Policy(REFERENCE).examines(0))
        self.assertTrue(Policy(REFERENCE).examines(1))
        self.assertFalse(Policy(identified=True).examines(1))
        self.assertFalse(Policy().examines(0))

    def test_byCommonName(self) -> None:
        """
        What was accepted without a subjectAltName was so by its Common Name.
        """
        self.assertTrue(Policy(REFERENCE, True).byCommonName(NAMELESS))
        self.assertFalse(Policy(REFERENCE, True).byCommonName(CERTIFICATE))
        self.assertFalse(Policy(REFERENCE, False).byCommonName(NAMELESS))


class RequireBoundsTests(SynchronousTestCase):
    """
    Names, and the authorities above.
    """

    ours = x509.NameConstraints([x509.DNSName(NAME)], None)
    theirs = x509.NameConstraints([x509.DNSName("elsewhere.test")], None)

    def test_permitted(self) -> None:
        """
        A name for which all the authorities above may vouch is let pass.
        """
        self.assertIsNone(requireBounds(GOOD_SERVER.certificate, REFERENCE, ()))
        self.assertIsNone(requireBounds(GOOD_SERVER.certificate, REFERENCE, [self.ours, self.ours]))

    def test_one(self) -> None:
        """
        One of them that may not is enough; the certificate is evidence, and so is the name.
        """
        found = requireBounds(GOOD_SERVER.certificate, REFERENCE, [self.ours, self.theirs])
        self.assertEqual(
            found, Refusal(Reason.NAME_CONSTRAINTS, GOOD_SERVER.certificate, reference=REFERENCE.name)
        )

    def test_judged(self) -> None:
        """
        They are looked at when the name is, and after it.
        """
        for host, reason in ((NAME, Reason.NAME_CONSTRAINTS), ("other.test", Reason.WRONG_NAME)):
            policy = Policy(ReferenceIdentifier.of(host))
            found = judge(policy, GOOD_SERVER.certificate, ok=True, code=0, depth=0, bounds=[self.theirs])
            assert found is not None
            self.assertIs(found.reason, reason)
        self.assertIsNone(
            judge(Policy(), GOOD_SERVER.certificate, ok=True, code=0, depth=0, bounds=[self.theirs])
        )


class RefusalTests(SynchronousTestCase):
    """
    The evidence.
    """

    def test_value(self) -> None:
        """
        A refusal is a value: equal to its like, and not to be changed.
        """
        self.assertEqual(Refusal(Reason.EXPIRED, CERTIFICATE), Refusal(Reason.EXPIRED, CERTIFICATE))
        with self.assertRaises(FrozenInstanceError):
            Refusal(Reason.EXPIRED).reason = Reason.OTHER  # type: ignore[misc]

    def test_sentences(self) -> None:
        """
        Each reason has a sentence of its own, on one line.
        """
        said = set()
        for reason in Reason:
            for certificate in (CERTIFICATE, None):
                sentence = Refusal(reason, certificate, reference="other.test").sentence()
                self.assertTrue(re.fullmatch(r"[^\n]+[^\n.]", sentence))
                said.add(sentence)
        self.assertEqual(len(said), 2 * len(Reason) - 1)

    def test_anchors(self) -> None:
        """
        Trust anchors are found here too.
        """
        self.assertIs(trustAnchors, anchors.trustAnchors)
        self.assertIs(TrustAnchors, anchors.TrustAnchors)


class PinTests(SynchronousTestCase):
    """
    Keys that are pinned.
    """

    PINS = frozenset((pinOf(CERTIFICATE),))

    def judged(self, policy: Policy, certificate: x509.Certificate, code: int, depth: int) -> Reason | None:
        """
        What is decided.
        """
        refusal = judge(policy, certificate, ok=not code, code=code, depth=depth)
        return None if refusal is None else refusal.reason

    def test_anybody(self) -> None:
        """
        There is no policy by which nobody need vouch for anybody.
        """
        self.assertRaises(ValueError, Policy, authority=False)
        self.assertTrue(Policy(pins=self.PINS).examines(0))
        self.assertFalse(Policy(pins=self.PINS).examines(1))

    def test_authority(self) -> None:
        """
        A pinned key makes up for an authority that is missing, and for nothing else that OpenSSL can find.
        """
        policy = Policy(pins=self.PINS, authority=False)
        for code in range(200):
            expected = None if code in (0, 2, 18, 19, 20, 21) else reasonFor(code)
            self.assertIs(self.judged(policy, CERTIFICATE, code, 0), expected, code)
            self.assertIs(self.judged(policy, NAMELESS, code, 1), expected, code)
            self.assertIs(self.judged(policy, NAMELESS, code, 0), Reason.WRONG_KEY, code)

    def test_besides(self) -> None:
        """
        Where an authority must vouch too, nothing is made up for.
        """
        policy = Policy(REFERENCE, pins=self.PINS)
        for code in range(1, 200):
            self.assertIs(self.judged(policy, CERTIFICATE, code, 0), reasonFor(code), code)
            self.assertIs(self.judged(policy, NAMELESS, code, 1), reasonFor(code), code)
        self.assertIsNone(self.judged(policy, CERTIFICATE, 0, 0))
        self.assertIs(self.judged(policy, NAMELESS, 0, 0), Reason.WRONG_KEY)
        elsewhere = Policy(ReferenceIdentifier.of("other.test"), pins=self.PINS)
        self.assertIs(self.judged(elsewhere, CERTIFICATE, 0, 0), Reason.WRONG_NAME)

    def test_evidence(self) -> None:
        """
        A refusal has the key that was found; a key that cannot be read is none of those that are pinned.
        """
        refusal = requireKey(NAMELESS, self.PINS)
        self.assertEqual(refusal, Refusal(Reason.WRONG_KEY, NAMELESS, detail=pinOf(NAMELESS)))
        unreadable: Any = Trap()
        refusal = requireKey(unreadable, self.PINS)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.WRONG_KEY)
        self.assertIn("cannot be read", refusal.detail)
