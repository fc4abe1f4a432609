"""
The words that options of TLS take.
"""

from __future__ import annotations

import ssl

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.vocabulary import TLS_OPTIONS, VERIFY_FLAGS, WEAKENING_OPTIONS, VerifyMode


class VocabularyTests(SynchronousTestCase):
    """
    Modes and flags.
    """

    def test_modes(self) -> None:
        """
        The modes are those of the page.
        """
        self.assertEqual([mode.value for mode in VerifyMode], ["none", "optional", "required"])

    def test_flags(self) -> None:
        """
        No flag that weakens is taken; those that harden are there, as Python calls them.
        """
        self.assertEqual(TLS_OPTIONS & set(WEAKENING_OPTIONS), frozenset())
        self.assertIn("NO_TICKET", TLS_OPTIONS)
        self.assertTrue(all(hasattr(ssl, f"VERIFY_{name}") for name in VERIFY_FLAGS))
