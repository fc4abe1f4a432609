"""
Chains of certificates with every fault there is a name for, shown to our client and to our server.

The cases are in C{tests/support/taxonomy_….py}.  Each is put to both sides under both versions of TLS, and
under TLS 1.3 with C{X509_STRICT} besides.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.support import (
    taxonomy_authorities,
    taxonomy_chains,
    taxonomy_commonnames,
    taxonomy_constraints,
    taxonomy_dates,
    taxonomy_encodings,
    taxonomy_keys,
    taxonomy_names,
    taxonomy_policies,
    taxonomy_proxies,
    taxonomy_purposes,
    taxonomy_revocation,
    taxonomy_signatures,
)
from tests.support.rogues import GREETING
from tests.support.taxonomy import ACCEPTED, CASES, UNREADABLE, Case, Half, differences, table
from tests.support.trials import ODDITIES, put
from xtls.trust.verification import Reason

#: Where the cases are.
MODULES = (
    taxonomy_authorities,
    taxonomy_chains,
    taxonomy_commonnames,
    taxonomy_constraints,
    taxonomy_dates,
    taxonomy_encodings,
    taxonomy_keys,
    taxonomy_names,
    taxonomy_policies,
    taxonomy_proxies,
    taxonomy_purposes,
    taxonomy_revocation,
    taxonomy_signatures,
)


class ServersCase(SynchronousTestCase):
    """
    Our side, and a peer that shows the certificates of a case.
    """

    half: ClassVar[Half] = Half.SERVER
    suppress = ODDITIES

    def check(self, case: Case, *, modern: bool, strict: bool) -> None:
        """
        What becomes of the peer is what the case says.  When that is not to be believed, our application
        hears nothing of it, it hears nothing of our application, and it is told.
        """
        directory = self.mktemp()
        trial = put(case, self.half, modern=modern, strict=strict, directory=directory)
        expected = case.expected(self.half, strict)
        self.assertEqual(trial.verdict, expected)
        if expected is ACCEPTED:
            self.assertEqual((trial.built, trial.said, trial.peer.heard), (1, GREETING, b"hello"))
            self.assertEqual((trial.refusal, trial.failure, trial.peer.alert), (None, None, None))
            return
        self.assertEqual((trial.built, trial.said, trial.peer.heard), (0, b"", b""))
        self.assertIsNotNone(trial.peer.alert)
        if expected is UNREADABLE:
            self.assertIsNone(trial.refusal)
            return
        assert trial.refusal is not None
        self.assertNotIn("\n", trial.refusal.sentence())
        self.assertTrue(trial.refusal.sentence().isprintable())


class ServersTests(ServersCase):
    """
    Our client, and servers that speak TLS 1.3.
    """


class ServersTLS12Tests(ServersCase):
    """
    Our client, and servers that speak TLS 1.2.
    """


class ClientsTests(ServersCase):
    """
    Our server, and clients that speak TLS 1.3.
    """

    half = Half.CLIENT


class ClientsTLS12Tests(ServersCase):
    """
    Our server, and clients that speak TLS 1.2.
    """

    half = Half.CLIENT


def _fill(tests: type[ServersCase], modern: bool) -> None:
    """
    Give a class its tests: for each case, and under TLS 1.3 for each with C{X509_STRICT}.
    """

    def testOf(case: Case, strict: bool) -> Callable[[Any], None]:
        def test(self: Any) -> None:
            self.check(case, modern=modern, strict=strict)

        return test

    for case in CASES.values():
        for strict in (False, True) if modern else (False,):
            test = testOf(case, strict)
            test.__name__ = f"test_{case.name}{'Strict' if strict else ''}"
            outcome = case.expected(tests.half, strict).value
            test.__doc__ = f"\n        {case.about}  ({case.source}: {outcome})\n        "
            setattr(tests, test.__name__, test)


_fill(ServersTests, True)
_fill(ServersTLS12Tests, False)
_fill(ClientsTests, True)
_fill(ClientsTLS12Tests, False)


class CorpusTests(SynchronousTestCase):
    """
    The cases as a whole.
    """

    def test_modules(self) -> None:
        """
        Each module has cases, and each case says what it is and which rule it is about.
        """
        categories = {module.__name__.rpartition("_")[2] for module in MODULES}
        self.assertEqual({case.category for case in CASES.values()}, categories)
        for case in CASES.values():
            self.assertTrue(case.about.endswith((".", ".)")), case.name)
            self.assertTrue(case.source, case.name)

    def test_documented(self) -> None:
        """
        The page about trust has the table of what is tested, and where we and Python's C{ssl} differ.
        """
        page = Path(__file__).parents[1].joinpath("docs/explanation/trust.md").read_text("utf-8")
        for row in table(MODULES) + differences():
            self.assertIn(f"\n{row}\n", page)

    def test_reasons(self) -> None:
        """
        Every reason for which a certificate may be refused is found by some case, but those for which there
        are tests elsewhere: rules, pins, and no certificate at all.
        """
        elsewhere = {Reason.NOT_ALLOWED, Reason.WRONG_KEY, Reason.NO_CERTIFICATE}
        found = {
            case.expected(half, strict)
            for case in CASES.values()
            for half in Half
            for strict in (False, True)
        }
        self.assertEqual(set(Reason) - found, elsewhere)
        self.assertIn(ACCEPTED, found)
        self.assertIn(UNREADABLE, found)
