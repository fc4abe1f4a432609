"""
What the tests over real sockets have in common.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase


class Asker(Protocol):
    """
    Waits for an answer of known length, closes, and waits for the end.

    @ivar answered: fires with the answer; fails with the reason if the connection is lost before.
    @ivar ended: fires with the reason for which the connection was lost.
    """

    transport: Any

    def __init__(self, question: bytes, length: int | None = None) -> None:
        """
        @param length: how many octets to wait for; by default, as many as are asked with.
        """
        self.question = question
        self.length = len(question) if length is None else length
        self.data = bytearray()
        self.answered: Deferred[bytes] = Deferred()
        self.ended: Deferred[BaseException | None] = Deferred()

    def connectionMade(self) -> None:
        """
        Ask.
        """
        self.transport.write(self.question)

    def dataReceived(self, data: bytes) -> None:
        """
        Collect the answer.
        """
        self.data += data
        if len(self.data) >= self.length and not self.answered.called:
            self.answered.callback(bytes(self.data))
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The end.
        """
        if not self.answered.called:
            self.answered.errback(reason)
        self.ended.callback(reason.value)


class LoopbackTestCase(TestCase):
    """
    A test over real sockets, on loopback, with the process's reactor.
    """

    timeout = 30
    reactor: Any

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor

    async def quiet(self) -> None:
        """
        Wait until no connection is left, which may take no more than a moment.
        """
        for _ in range(200):
            sockets = {*self.reactor.getReaders(), *self.reactor.getWriters()}
            if not any(isinstance(each, tcp.Connection) for each in sockets):
                return
            await deferLater(self.reactor, 0.01, lambda: None)
        self.fail("connections are left")

    def closing(self, port: IListeningPort) -> int:
        """
        Close a port when the test is over.

        @return: its number, if it has one.
        """
        self.addCleanup(port.stopListening)
        number: int = getattr(port.getHost(), "port", 0)
        return number
