"""
C{xtls show-ssl}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xtls.programs import setupssl, showssl


class ShowTests(SynchronousTestCase):
    """
    L{showssl.run}.
    """

    def test_run(self) -> None:
        """
        It is defined beside C{setup-ssl}.
        """
        self.assertIs(showssl.run, setupssl.show)
