"""
Waiting for a connection.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from xtls.wire.waiting import Waiting


class WaitingTests(SynchronousTestCase):
    """
    L{Waiting}.
    """

    def setUp(self) -> None:
        self.waiting = Waiting()
        self.cancelled = 0

    def cancel(self) -> None:
        """
        Count.
        """
        self.cancelled += 1

    def test_succeed(self) -> None:
        """
        All who wait have the protocol, once.
        """
        protocol = Protocol()
        both = [self.waiting.add(self.cancel) for _ in range(2)]
        self.assertNoResult(both[0])
        self.waiting.succeed(protocol)
        self.waiting.succeed(protocol)
        self.assertEqual([self.successResultOf(one) for one in both], [protocol] * 2)
        self.assertEqual(self.cancelled, 0)

    def test_fail(self) -> None:
        """
        All who wait have the failure, once; and it is said whether there was anybody.
        """
        both = [self.waiting.add(self.cancel) for _ in range(2)]
        self.assertTrue(self.waiting.fail(Failure(ConnectionLost())))
        self.assertFalse(self.waiting.fail(Failure(ConnectionLost())))
        for one in both:
            self.failureResultOf(one, ConnectionLost)

    def test_cancel(self) -> None:
        """
        Who does not want to wait any more is told so at once, and of nothing else; the others wait on.
        """
        first, second = self.waiting.add(self.cancel), self.waiting.add(self.cancel)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.cancelled, 1)
        self.assertNoResult(second)
        self.waiting.fail(Failure(ConnectionLost()))
        self.failureResultOf(second, ConnectionLost)

    def test_cancelInCancel(self) -> None:
        """
        When the connection ends in the very call that cancels it, that is no matter.
        """
        one = self.waiting.add(lambda: self.assertFalse(self.waiting.fail(Failure(ConnectionLost()))))
        one.cancel()
        self.failureResultOf(one, CancelledError)
