"""
How many connections each process has.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from xtls.programs.tally import Board, CountedEndpoint, Tally


def tallies(board: Board, *connections: int) -> list[Tally]:
    """
    Processes that have so many connections.
    """
    found = []
    for count in connections:
        tally = board.take()
        assert tally is not None
        for _ in range(count):
            tally.begun()
        found.append(tally)
    return found


class TallyTests(SynchronousTestCase):
    """
    L{Board} and L{Tally}.
    """

    def test_counts(self) -> None:
        """
        What begins and ends is counted for each process.
        """
        one, other = tallies(Board(2), 3, 1)
        one.ended()
        self.assertEqual((one.now, one.total, other.now, other.total), (2, 3, 1, 1))

    def test_room(self) -> None:
        """
        There is room for so many; who takes the place of one that is gone begins at nothing.
        """
        board = Board(2)
        one, _ = tallies(board, 3, 1)
        self.assertIsNone(board.take())
        one.free()
        (new,) = tallies(board, 0)
        self.assertEqual((new.now, new.total), (0, 0))

    def test_ahead(self) -> None:
        """
        A process is ahead that has more than another which takes connections; with many, noticeably more.
        """
        for mine, others, expected in (
            (0, [0], False),
            (1, [0], True),
            (1, [1, 5], False),
            (2, [1, 5], True),
            (100, [99], False),
            (105, [99], False),
            (106, [99], True),
        ):
            one, *_ = tallies(Board(4), mine, *others)
            self.assertEqual(one.ahead(), expected, (mine, others))

    def test_aheadOfNobody(self) -> None:
        """
        Those that are gone, leave, or rest do not count: somebody has to take connections.
        """
        one, gone, leaving, resting = tallies(Board(4), 1, 0, 0, 0)
        gone.free()
        leaving.leaves()
        self.assertTrue(one.ahead())
        resting.rests(True)
        self.assertFalse(one.ahead())
        resting.rests(False)
        self.assertTrue(one.ahead())

    def test_emptied(self) -> None:
        """
        Who wants to know is told when the last connection has ended.
        """
        (tally,) = tallies(Board(1), 2)
        told: list[int] = []
        tally.emptied = lambda: told.append(tally.total)
        tally.ended()
        self.assertEqual(told, [])
        tally.ended()
        self.assertEqual(told, [2])


class _Transport(StringTransport):
    """
    A transport that ends as those of sockets do.
    """

    def connectionLost(self, reason: Failure) -> None:
        """
        The socket is closed.
        """
        reason.raiseException()


@implementer(IStreamServerEndpoint)
class _Endpoint:
    """
    An endpoint that only listens.
    """

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Remember the factory.
        """
        self.factory: Any = protocolFactory
        return Deferred()


class CountedEndpointTests(SynchronousTestCase):
    """
    L{CountedEndpoint}.
    """

    def setUp(self) -> None:
        self.tally, self.other = tallies(Board(2), 0, 0)
        self.asked = self.tally
        self.wrapped = _Endpoint()
        endpoint = CountedEndpoint(self.wrapped, lambda: self.asked)
        verifyObject(IStreamServerEndpoint, endpoint)
        endpoint.listen(Factory.forProtocol(Protocol))

    def test_counted(self) -> None:
        """
        A connection is counted while it is there, once, and the transport is told as ever.
        """
        protocol, transport = self.wrapped.factory.buildProtocol(None), _Transport()
        self.assertEqual(self.tally.total, 0)
        protocol.makeConnection(transport)
        self.assertIs(protocol.transport, transport)
        self.assertEqual(self.tally.now, 1)
        reason = Failure(CONNECTION_DONE)
        for _ in range(2):
            self.assertRaises(type(CONNECTION_DONE), transport.connectionLost, reason)
            self.assertEqual((self.tally.now, self.tally.total), (0, 1))
        self.assertEqual([*vars(protocol)], ["factory", "connected", "transport"])

    def test_which(self) -> None:
        """
        A connection is counted where it was begun to be.
        """
        protocol, transport = self.wrapped.factory.buildProtocol(None), _Transport()
        self.asked = self.other
        protocol.makeConnection(transport)
        self.assertEqual((self.tally.now, self.other.now), (1, 0))

    def test_direct(self) -> None:
        """
        A factory that serves connections without protocols is told where to count.
        """
        factory: Any = Factory()
        factory.count = None
        CountedEndpoint(self.wrapped, lambda: self.asked).listen(factory)
        self.assertIs(factory.count(), self.tally)

    def test_refused(self) -> None:
        """
        What a factory does not want is no connection.
        """
        factory = Factory()
        factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        CountedEndpoint(self.wrapped, lambda: self.tally).listen(factory)
        self.assertIsNone(self.wrapped.factory.buildProtocol(None))
        self.assertEqual(self.tally.total, 0)
