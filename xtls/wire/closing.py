"""
How a transport on top of another ends: in order, without loss, and in time.

When all that was written is with the socket, and behind it the mark of the end, this side ends its
direction below too, and then reads, and drops what it reads, until the peer has ended.  A socket that
is closed with unread octets would send a reset, and that destroys what the peer has not read yet.

No end waits for ever.  The deadline is C{closeTimeout} seconds in which nothing happens: a peer that reads,
however slowly, gets all that was written; one that does not is aborted, and one that has read all but does
not end is not waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from xtls.wire.deadlines import Deadline, deadlinesOf
from xtls.wire.outflow import Outflow

__all__ = ["DONE", "ClosingTransport"]

#: A connection that has ended in order.
DONE: Final = Failure(ConnectionDone())


class ClosingTransport(ProtocolWrapper):
    """
    The lower half of a L{LayeredTransport<xtls.wire.layered.LayeredTransport>}: the transport below, and its
    end.

    @ivar transport: the transport below.
    """

    transport: Any
    _outflow: Outflow

    def __init__(self, clock: IReactorTime, closeTimeout: float) -> None:
        """
        @param closeTimeout: seconds for the peer to take the next octets when this side is closing, and to
            end after it has.
        """
        self._clock = clock
        self._closeTimeout = closeTimeout
        self._deadline: Deadline | None = None
        self._paused = False
        self._lost = False
        self._peerDone = False  # the peer has ended its direction, in order
        self._belowDone = False  # the transport below delivers no more
        self._failure: Failure | None = None  # why this connection ends, where that is known

    def __getattr__(self, name: str) -> Any:
        """
        What is not found here is the transport's below, but for what that says of itself, such as its
        interfaces.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        return super().__getattr__(name)

    # For subclasses to provide.

    def _endBelow(self) -> None:
        """
        All octets and the mark are with the socket, and the peer has not ended yet.
        """

    def _moreToWrite(self) -> bool:
        """
        Whether the protocol above is not ready to close.
        """
        raise NotImplementedError

    # Pressure.

    @property
    def pending(self) -> int:
        """
        Octets that were written and that the socket has not taken.
        """
        return self._outflow.pending

    @property
    def taken(self) -> int:
        """
        Octets that the socket did not take when they were written, but later.
        """
        return self._outflow.taken

    # Deadlines.

    def _within(self, seconds: float, call: Callable[..., None], *arguments: object) -> None:
        """
        Set the deadline of what happens now, in place of any other.
        """
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = deadlinesOf(self._clock).within(seconds, call, *arguments)

    def _cancelDeadline(self) -> None:
        """
        Whatever had to happen in time has happened.
        """
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # The end.

    def _abortBelow(self) -> None:
        """
        End the connection below at once.
        """
        abort = getattr(self.transport, "abortConnection", self.transport.loseConnection)
        abort()

    def _closeBelow(self) -> None:
        """
        Close the connection below when all is sent: at once when the peer has ended too, else when
        it does or when the deadline has passed.
        """
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()  # to see the peer end
        self._watch()
        self._outflow.whenDrained(self._drained)

    def _drained(self) -> None:
        """
        The last octet is with the socket.
        """
        if self._peerDone and self._failure is None:
            # Both directions have ended in order.  A Unix socket whose peer has closed may say otherwise.
            self._failure = DONE
        if self._peerDone or self._belowDone:
            self.transport.loseConnection()
        else:
            self._endBelow()

    def _watch(self) -> None:
        """
        Give the peer time for what has to happen next.
        """
        self._within(self._closeTimeout, self._closeTooSlow, self._outflow.taken)

    def _closeTooSlow(self, taken: int) -> None:
        """
        The peer did not end in time.

        @param taken: how much the socket had taken when it was given that time.
        """
        if not self._outflow.pending:
            if self._moreToWrite():
                self._watch()
            else:
                # What the system has is still delivered.  Should the transport below wait: once more.
                self._within(self._closeTimeout, self._abortBelow)
                self.transport.loseConnection()
        elif self._outflow.taken > taken:
            self._watch()
        else:
            if self._failure is None:
                problem = f"the peer did not read the last octets within {self._closeTimeout:g} seconds"
                self._failure = Failure(ConnectionLost(problem))
            self._abortBelow()
