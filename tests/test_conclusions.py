"""
What follows from the notes about a server.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from tests import test_taxonomy
from tests.support.identity import authority
from tests.support.taxonomy import CASES, Half
from tests.support.trials import ODDITIES
from tests.test_findings import GOOD
from xtls.config.definitions import Layer, resolve
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.target import parseTarget
from xtls.programs.checkreport import Report
from xtls.programs.conclusions import REMEMBERED, findings, statusFor
from xtls.programs.portfindings import HTTPAnswer, Reach, Speech
from xtls.programs.statuses import ExitStatus
from xtls.programs.steps import Attached, Notes
from xtls.testing.authority import Authority
from xtls.trust.findings import Found, Grade, TLSFacts, Topic
from xtls.trust.pins import pinOf
from xtls.trust.verification import Reason, Refusal

NOW = datetime.now(timezone.utc)
REACHED = Reach(("192.0.2.1",), "192.0.2.1:1", 0.01)
OURS = TLSOptions(caData=authority().pem)
TARGET = "ssl://server.test:1/"
CERTIFICATE = GOOD.presented[0]


def notes(**said: Any) -> Notes:
    """
    Those of a server as it should be, but for what is said.
    """
    web = Speech(http=HTTPAnswer(308, location="https://server.test:1/"))
    good = {
        "connections": 7,
        "reach": REACHED,
        "tls": GOOD,
        "plain": web,
        "secure": Speech(http=HTTPAnswer(200)),
        "attached": Attached(),
    }
    return Notes(**{**good, **said})


def found(given: Notes, target: str = TARGET, tls: TLSOptions = OURS) -> dict[str, Found]:
    """
    The findings by their kinds.
    """
    return {each.kind: each for each in findings(given, parseTarget(target), tls, NOW)}


class FindingsTests(SynchronousTestCase):
    """
    L{findings}.
    """

    suppress = ODDITIES

    def test_order(self) -> None:
        """
        Findings of every topic, one topic after the other; a remedy for each that is not all right.
        """
        given = findings(notes(), parseTarget(TARGET), OURS, NOW)
        topics = [each.topic for each in given]
        self.assertEqual(list(dict.fromkeys(topics)), list(Topic))
        self.assertEqual(topics, sorted(topics, key=list(Topic).index))
        for each in given:
            self.assertEqual(bool(each.remedy), each.grade is not Grade.OK, each)

    def test_nothing(self) -> None:
        """
        Where nothing was reached, that is what there is to say.
        """
        given = found(Notes(reach=Reach(problem="no"), attached=Attached(ExitStatus.CONNECTION_FAILED, "no")))
        self.assertEqual(list(given), ["name"])
        self.assertNotIn("attach", found(notes(attached=None)))

    def test_unfinished(self) -> None:
        """
        That the time was over is told.
        """
        self.assertEqual(found(notes(unfinished=True))["unfinished"].grade, Grade.WARNING)

    def test_noTLS(self) -> None:
        """
        A server without TLS has no certificates of which anything could be said.
        """
        given = found(notes(tls=TLSFacts(problem="no"), secure=None))
        self.assertEqual(given["tls"].grade, Grade.PROBLEM)
        self.assertNotIn("chain-order", given)
        self.assertNotIn("tls", found(notes(tls=None, secure=None)))

    def test_anything(self) -> None:
        """
        Whatever a server shows, there is something to say, in words that reach no terminal's control, and in
        JSON.
        """
        self.assertTrue(test_taxonomy.MODULES)  # which have the cases
        shown = 0
        for case in CASES.values():
            try:
                presented = tuple(map(x509.load_der_x509_certificate, case.make(Half.SERVER).certificates))
                for each in presented:
                    X509.from_cryptography(each)
            except Exception:  # OpenSSL does not get so far as to show it
                continue
            shown += 1
            given = notes(tls=replace(GOOD, presented=presented))
            told = findings(given, parseTarget(TARGET), OURS, NOW)
            report = Report(parseTarget(TARGET), given, told, statusFor(given, told), 1, {}, NOW)
            text = report.text(verbose=True)
            self.assertTrue(text.replace("\n", "").isprintable(), case.name)
            self.assertEqual(len(json.loads(report.json())["certificates"]), len(presented))
        self.assertGreater(shown, 200)

    def test_certificateRequired(self) -> None:
        """
        That a server hangs up on who shows no certificate says nothing about what is inside.
        """
        given = found(notes(tls=replace(GOOD, asked=True, required=True), secure=Speech(closed=True)))
        self.assertNotIn("secure-closed", given)
        self.assertEqual(given["client-certificate"].grade, Grade.PROBLEM)


class AttachTests(SynchronousTestCase):
    """
    What is said of C{xtls attach}.
    """

    def attach(self, attached: Attached, target: str = TARGET, tls: TLSOptions = OURS) -> Found:
        """
        The finding.
        """
        return found(notes(attached=attached), target, tls)["attach"]

    def refused(self, *details: Any, **more: Any) -> Found:
        """
        The finding about a refusal.
        """
        refusal = Refusal(*details, **more)
        return self.attach(Attached(ExitStatus.CERTIFICATE_VERIFY_FAILED, "no", refusal))

    def test_connects(self) -> None:
        """
        It connects: verified, without TLS, or to be hung up on.
        """
        self.assertIn("is verified", self.attach(Attached()).sentence)
        self.assertIn("without TLS", self.attach(Attached(), "tcp://server.test:1/").sentence)
        given = self.attach(Attached(hungUp=True))
        self.assertEqual((given.grade, "hangs up at once" in given.sentence), (Grade.WARNING, True))

    def test_weak(self) -> None:
        """
        That what protects was switched off is warned of, with where.
        """
        for name, words in (
            ("ssl-server-verify-mode", "does not verify the server"),
            ("ssl-check-hostname", "does not look at the server's name"),
        ):
            tls = resolve(
                TLSOptions, Layer("somewhere", {name: {"ssl-check-hostname": "no"}.get(name, "none")})
            )
            given = self.attach(Attached(), TARGET, tls)
            self.assertEqual(given.grade, Grade.WARNING)
            self.assertIn(f"{words}, as {name} says (somewhere)", given.sentence)
            self.assertEqual(given.remedy, f"leave {name} out")
        self.assertIs(VerifyMode("none"), VerifyMode.NONE)

    def test_pinned(self) -> None:
        """
        A server is known by its key, which was said, or is remembered.
        """
        for source, words in (("command line", "pinned"), (REMEMBERED, "remembered")):
            tls = resolve(TLSOptions, Layer(source, {"ssl-pin": (pinOf(CERTIFICATE),)}))
            given = self.attach(Attached(), TARGET, tls)
            self.assertEqual((given.grade, words in given.sentence), (Grade.OK, True))

    def test_anotherKey(self) -> None:
        """
        A server with another key than that is refused, with what to do about it.
        """
        refused = Attached(refusal=Refusal(Reason.WRONG_KEY, CERTIFICATE, detail="sha256:00"))
        for source, words, remedy in (
            ("command line", "does not have the key that is pinned, but sha256:00", "say the new pin"),
            (REMEMBERED, "key is not the one that is remembered, but sha256:00", "xtls hosts forget"),
        ):
            tls = resolve(TLSOptions, Layer(source, {"ssl-pin": (pinOf(CERTIFICATE),)}))
            given = self.attach(refused, TARGET, tls)
            self.assertEqual(given.grade, Grade.PROBLEM)
            self.assertIn(words, given.sentence)
            self.assertIn(remedy, given.remedy)

    def test_fails(self) -> None:
        """
        It does not connect, and why.
        """
        given = self.attach(Attached(ExitStatus.SSL_FAILURE, "no version"))
        self.assertEqual((given.grade, "no version" in given.sentence), (Grade.PROBLEM, True))

    def test_unknown(self) -> None:
        """
        Who is not known can be pinned, when it is the server's own certificate that is not; or an authority
        is named.
        """
        given = self.refused(Reason.SELF_SIGNED, CERTIFICATE)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", given.sentence)
        self.assertEqual(given.changes, (("pin", pinOf(CERTIFICATE)),))
        given = self.refused(Reason.UNKNOWN_CA, authority().certificate, depth=1)
        self.assertEqual(given.changes, (("caCerts", "CA.pem"),))
        self.assertEqual(self.refused(Reason.UNKNOWN_CA).changes, ())

    def test_misnamed(self) -> None:
        """
        A name that the certificate has may be the one that is meant, if it is no pattern, nor malformed.
        """
        other = Authority()
        for certificate, expected in (
            (CERTIFICATE, (("serverHostname", "server.test"),)),
            (other.issue("*.a.test", "b.test").certificate, (("serverHostname", "b.test"),)),
            (other.issue("*.a.test").certificate, ()),
            (other.issue("a.test", san=[x509.DNSName("a\x1b[2J\n.test")]).certificate, ()),
            (other.issue("a.test", san=b"\xff").certificate, ()),
            (None, ()),
        ):
            self.assertEqual(self.refused(Reason.WRONG_NAME, certificate, reference="x").changes, expected)

    def test_others(self) -> None:
        """
        There is something to do about every other reason, and nothing to be trusted.
        """
        for reason in Reason:
            given = self.refused(reason, CERTIFICATE)
            self.assertTrue(given.remedy)
        self.assertIn("clock", self.refused(Reason.EXPIRED, CERTIFICATE).remedy)
        self.assertIn("can be verified", self.refused(Reason.WEAK, CERTIFICATE).remedy)


class StatusTests(SynchronousTestCase):
    """
    L{statusFor}.
    """

    def test_status(self) -> None:
        """
        It is that of C{xtls attach}; where that connects, the first problem's; and else all is well.
        """

        def problem(topic: Topic) -> list[Found]:
            return [Found(Grade.WARNING, Topic.REACH, "a", "b"), Found(Grade.PROBLEM, topic, "a", "b")]

        refused = Attached(ExitStatus.CERTIFICATE_VERIFY_FAILED)
        for given, about, status in (
            (notes(), [], 0),
            (notes(), problem(Topic.REACH)[:1], 0),
            (notes(attached=refused), problem(Topic.TLS), 19),
            (notes(attached=Attached(ExitStatus.CONNECTION_FAILED)), problem(Topic.TLS), 16),
            (notes(attached=Attached(ExitStatus.CONNECTION_FAILED)), problem(Topic.REACH), 18),
            (notes(), problem(Topic.TLS), 16),
            (notes(), problem(Topic.PROTOCOLS), 18),
            (notes(), problem(Topic.CERTIFICATE), 19),
            (notes(attached=None, unfinished=True), [], 18),
            (notes(attached=None), [], 0),
            (notes(unfinished=True), [], 0),
        ):
            self.assertEqual(statusFor(given, about), status)
