"""
The same chains, shown to Python's C{ssl}: it refuses none that we believe.

Its OpenSSL may be another than ours: with Python 3.11 it is 3.0, and ours 4.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.support.taxonomy import ACCEPTED, CASES, Case, Half
from tests.support.trials import ODDITIES, python
from tests.test_taxonomy import MODULES


class ServersCase(SynchronousTestCase):
    """
    Python's side, and a peer that shows the certificates of a case.
    """

    half: ClassVar[Half] = Half.SERVER
    suppress = ODDITIES

    def check(self, case: Case, modern: bool) -> None:
        """
        Python believes the peer, or refuses it, as we do; or the case says why not.
        """
        refused = python(case, self.half, modern=modern)
        ours = case.expected(self.half, strict=False)
        if ours is ACCEPTED and refused:
            self.assertTrue(case.laxer, f"we believe this peer, and Python does not: {refused}")
        elif ours is not ACCEPTED and not refused:
            self.assertTrue(case.stricter, "Python believes this peer, and we do not: say why")


class ServersTests(ServersCase):
    """
    Python's client, and servers that speak TLS 1.3.
    """


class ServersTLS12Tests(ServersCase):
    """
    Python's client, and servers that speak TLS 1.2.
    """


class ClientsTests(ServersCase):
    """
    Python's server, and clients that speak TLS 1.3.
    """

    half = Half.CLIENT


class ClientsTLS12Tests(ServersCase):
    """
    Python's server, and clients that speak TLS 1.2.
    """

    half = Half.CLIENT


def _fill(tests: type[ServersCase], modern: bool) -> None:
    """
    Give a class one test for each case.
    """

    def testOf(case: Case) -> Callable[[Any], None]:
        def test(self: Any) -> None:
            self.check(case, modern)

        return test

    for case in CASES.values():
        test = testOf(case)
        test.__name__ = f"test_{case.name}"
        test.__doc__ = f"\n        {case.about}  ({case.source})\n        "
        setattr(tests, test.__name__, test)


_fill(ServersTests, True)
_fill(ServersTLS12Tests, False)
_fill(ClientsTests, True)
_fill(ClientsTLS12Tests, False)


class ExceptionsTests(SynchronousTestCase):
    """
    Where we believe a peer that Python does not.
    """

    def test_listed(self) -> None:
        """
        The cases are these, and no others: a new one must be argued for here too.
        """
        self.assertTrue(MODULES)
        self.assertEqual(
            {case.name for case in CASES.values() if case.laxer},
            {
                # documented: docs/explanation/trust.md, "The Common Name"
                "addressAsCommonName",
                # documented there: "a dot at the end of the name asked for does not count"
                "trailingDotAskedFor",
                # OpenSSL 4.0 and 3.0 differ
                "noListOfSelf",
            },
        )
