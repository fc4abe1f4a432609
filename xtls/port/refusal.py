"""
The last words to a peer that is not let in, so that they arrive.

A socket that is closed with unread octets sends a reset, and that destroys the answer before the
peer has read it.  So our direction is ended first, and what the peer still sends is read, and
dropped, until it ends too or its time is over.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["LINGER", "Refusal"]

#: Seconds for a refused peer to read its answer and close; then it is closed, and as long after
#: that, if octets are still waiting for it, aborted.
LINGER: Final = 2.0


@implementer(IHalfCloseableProtocol)
class Refusal(Protocol):
    """
    Tells a refused peer why, and sees to it that the answer arrives.
    """

    transport: Any

    def __init__(self, clock: IReactorTime, answer: bytes) -> None:
        """
        @param answer: what the peer is told; if nothing, the connection is closed at once.
        """
        self._clock = clock
        self._answer = answer
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        Answer, end our direction, and wait a little for the peer to end its own.
        """
        if not self._answer:
            self.transport.loseConnection()
            return
        self._timer = self._clock.callLater(LINGER, self._enough)
        self.transport.write(self._answer)
        loseWriteConnection = getattr(self.transport, "loseWriteConnection", None)
        if loseWriteConnection is not None:
            loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        It may say what it wants.
        """

    def bufferReceived(self, view: memoryview) -> None:
        """
        The same, without a copy.
        """

    def writeConnectionLost(self) -> None:
        """
        The answer is sent.
        """

    def readConnectionLost(self) -> None:
        """
        The peer has ended too.
        """
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _enough(self) -> None:
        """
        The peer has had its time.
        """
        self._timer = self._clock.callLater(LINGER, self._tooMuch)
        self.transport.loseConnection()

    def _tooMuch(self) -> None:
        """
        The peer has not even read what was sent to it.
        """
        self._timer = None
        self.transport.abortConnection()
