"""
The chains of the corpus, shown to clients that have pinned a key.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase

from tests.support.making import curveKey, publicKey
from tests.support.taxonomy import ACCEPTED, CASES, Case, Half
from tests.support.trials import ODDITIES, Trial, meet, pem
from tests.test_taxonomy import MODULES
from xtls.config.options import TLSOptions
from xtls.trust.contexts import ClientConnectionCreator
from xtls.trust.verification import Reason

#: What a pinned key makes up for where no authority is named: who signed, and whether that is revoked, and
#: for what name.
MADE_UP_FOR: Final = {
    Reason.UNKNOWN_CA,
    Reason.SELF_SIGNED,
    Reason.BAD_SIGNATURE,
    Reason.NAME_CONSTRAINTS,
    Reason.WRONG_NAME,
    Reason.NO_NAME,
    Reason.MALFORMED_NAME,
    Reason.REVOKED,
    Reason.NO_REVOCATION_LIST,
    Reason.STALE_REVOCATION_LIST,
    Reason.BAD_REVOCATION_LIST,
}

#: X509_V_ERR_CA_MD_TOO_WEAK: it is the signature that is weak, and not the key.
_WEAK_SIGNATURE: Final = 68


def pinOf(key: Any) -> str:
    """
    The pin of a key.
    """
    return f"sha256:{sha256(publicKey(key)).hexdigest()}"


class PinnedTests(SynchronousTestCase):
    """
    Our client, which has pinned a key, and servers that speak TLS 1.3.
    """

    suppress = ODDITIES

    def meet(self, case: Case, pin: str, authority: bool) -> Trial:
        """
        Let a client meet the server of a case.

        @param authority: whether the client says also whom to believe.
        """
        presented = case.make(Half.SERVER)
        said: dict[str, Any] = {}
        if authority:
            trusted = pem(*presented.anchors) + presented.revocations
            said = {"caData": trusted, "verifyFlags": case.flags, "sources": {"caData": "command line"}}
        creator = ClientConnectionCreator.fromOptions(TLSOptions(pin=(pin,), **said), case.host)
        return meet(creator, presented, Half.SERVER, True)

    def assertRefused(self, trial: Trial) -> None:
        """
        The application knows nothing of the server, and the server was told.
        """
        self.assertNotEqual(trial.verdict, ACCEPTED)
        self.assertEqual((trial.built, trial.said, trial.peer.heard), (0, b"", b""))
        self.assertIsNotNone(trial.peer.alert)

    def check(self, case: Case) -> None:
        """
        With another key pinned it is refused, whatever vouches for it.  With its own and an authority, what
        becomes of it is what would without a pin.  With its own alone, what is wrong with its own
        certificate still counts, but for who signed it, and for whom it is.
        """
        key = case.make(Half.SERVER).key
        for authority in (False, True):
            self.assertRefused(self.meet(case, pinOf(curveKey("somebody else's")), authority))
        if key is None:
            return
        self.assertEqual(self.meet(case, pinOf(key), True).verdict, case.verdict)
        trial = self.meet(case, pinOf(key), False)
        if trial.verdict is not ACCEPTED:
            self.assertRefused(trial)
            return
        without = self._unpinned(case)
        refusal = without.refusal
        if refusal is not None and refusal.depth == 0 and refusal.code != _WEAK_SIGNATURE:
            self.assertIn(refusal.reason, MADE_UP_FOR)

    def _unpinned(self, case: Case) -> Trial:
        """
        The same without a pin.
        """
        presented = case.make(Half.SERVER)
        options = TLSOptions(caData=pem(*presented.anchors) + presented.revocations, verifyFlags=case.flags)
        creator = ClientConnectionCreator.fromOptions(options, case.host)
        return meet(creator, presented, Half.SERVER, True)


def _fill() -> None:
    """
    One test for each case.
    """
    assert MODULES

    def testOf(case: Case) -> Callable[[Any], None]:
        def test(self: Any) -> None:
            self.check(case)

        return test

    for case in CASES.values():
        test = testOf(case)
        test.__name__ = f"test_{case.name}"
        test.__doc__ = f"\n        {case.about}  ({case.source})\n        "
        setattr(PinnedTests, test.__name__, test)


_fill()
