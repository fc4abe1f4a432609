"""
Why a connection could not be made, as people read it.
"""

from __future__ import annotations

from twisted.internet.error import ConnectError, ConnectionDone, ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from xtls.wire.reasons import reasonOf


class ReasonTests(SynchronousTestCase):
    """
    L{reasonOf}.
    """

    def test_error(self) -> None:
        """
        An error says itself what it is.
        """
        self.assertIn("refused", reasonOf(Failure(ConnectionRefusedError())))

    def test_inner(self) -> None:
        """
        A loss that came before the connection is said as the loss, not as an object within another error.
        """
        done = Failure(ConnectionDone())
        outer = Failure(ConnectError(string=done))
        self.assertEqual(reasonOf(outer), done.getErrorMessage())
        self.assertNotIn("Traceback", reasonOf(outer))

    def test_nothingSaid(self) -> None:
        """
        An error without words is called by its name.
        """
        self.assertEqual(reasonOf(Failure(ValueError())), "ValueError")

    def test_noInner(self) -> None:
        """
        Neither arguments nor failures among them are needed.
        """
        error = ConnectError()
        error.args = ()
        self.assertTrue(reasonOf(Failure(error)))
