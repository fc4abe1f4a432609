"""
One of the two connections that a forward joins: what it does with what it is given, and how it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.wire.deadlines import Deadline, deadlinesOf
from xtls.wire.inflow import receiveDirectly, receiveNoMore
from xtls.wire.outflow import Buffer, IBufferProtocol, Outflow
from xtls.wire.relay import pour, pourNoMore

__all__ = ["ABORT_AFTER", "Leg", "drop"]

#: Seconds from the loss of one connection until the other is aborted.
ABORT_AFTER: Final = 2.0


def drop(data: Buffer) -> None:
    """
    There is nobody to deliver to.
    """


@implementer(IHalfCloseableProtocol, IBufferProtocol)
class Leg(Protocol):
    """
    One of the two connections.

    @ivar other: the other one, once there are two.
    """

    transport: Any
    other: Leg | None = None

    def __init__(self, clock: IReactorTime, closeTimeout: float) -> None:
        self._clock = clock
        self._closeTimeout = closeTimeout
        self._sink: Callable[[Buffer], None] = drop
        self._first: Callable[[Buffer], None] = drop  # the sink until octets have come
        self._outflow: Any = None  # an L{Outflow}, once there is another
        self._timer: Deadline | None = None
        self._readEnded = False  # it sends no more
        self._writeEnded = False  # it has been told that we send no more
        self._lost = False
        self._short = False  # octets go past this protocol

    def join(self, other: Leg) -> Outflow:
        """
        Send to this connection what the other one receives.
        """
        self.other = other
        self._outflow = outflow = Outflow(self.transport, other.pause, other.resume)

        def first(data: Buffer) -> None:
            # the short way is worth its making from the second time on
            outflow.write(data)
            if other._sink is other._first is not drop:
                other.pour(outflow.write)
                other._short = pour(other.transport, self.transport, outflow)

        other._first = first
        other.pour(first)
        return outflow

    def pour(self, sink: Callable[[Buffer], None]) -> None:
        """
        Deliver to C{sink} what is received; from a socket, directly.
        """
        self._sink = sink
        if self._short:
            self._short = False
            pourNoMore(self.transport)
        receiveDirectly(self.transport, sink)

    def dataReceived(self, data: bytes) -> None:
        """
        Octets, from any transport.
        """
        self._sink(data)

    def bufferReceived(self, view: memoryview) -> None:
        """
        Octets, from a transport of xtls.
        """
        self._sink(view)

    def pause(self) -> None:
        """
        The other side takes no more.
        """
        self.transport.pauseProducing()

    def resume(self) -> None:
        """
        The other side has taken everything.
        """
        if not (self._readEnded or self._lost):
            self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """
        This side sends no more.
        """
        self._readEnded = True
        if self.other is not None:
            self.other.endWriting()
        if self._writeEnded:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        This side has been told that we send no more.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        This connection is gone.
        """
        self._lost = True
        self._stopTimer()
        self._letGo()
        receiveNoMore(self.transport)
        # from now on neither knows the other: so nothing of them waits for the garbage collector
        self._sink = self._first = drop
        other, self.other = self.other, None
        if other is not None:
            other.finish(isinstance(reason.value, ConnectionDone))
            other.other = None

    def endWriting(self) -> None:
        """
        Tell this side, after all that is on its way to it, that this was all.
        """
        if self._outflow is not None and not (self._writeEnded or self._lost):
            self._outflow.whenDrained(self._wroteAll)

    def finish(self, orderly: bool) -> None:
        """
        The other connection is gone: nothing that this side sends has anywhere to go.
        """
        if self._lost:
            return
        self.pour(drop)
        if orderly:
            self.resume()
            self._watch()
            self.endWriting()
        else:
            self.pause()  # whatever it sends
            self._timer = deadlinesOf(self._clock).within(ABORT_AFTER, self.abort)

    def _wroteAll(self) -> None:
        """
        The last octet is on its way.
        """
        self._letGo()
        self._writeEnded = True
        loseWriteConnection = getattr(self.transport, "loseWriteConnection", None)
        if self._readEnded or loseWriteConnection is None:
            self.transport.loseConnection()
        else:
            loseWriteConnection()

    def _watch(self) -> None:
        """
        See to it that this connection ends: it has C{closeTimeout} seconds each time that it takes
        octets.
        """
        pending = self._outflow.pending
        self._timer = deadlinesOf(self._clock).within(self._closeTimeout, self._stillThere, pending)

    def _stillThere(self, before: int) -> None:
        """
        This side has not closed in time.
        """
        self._timer = None
        pending = self._outflow.pending
        if 0 < pending < before:
            self._watch()
        elif pending:
            self.abort()
        else:
            self.transport.loseConnection()

    def abort(self) -> None:
        """
        End this connection, whatever is on its way.
        """
        self._timer = None
        self._letGo()
        getattr(self.transport, "abortConnection", self.transport.loseConnection)()

    def _letGo(self) -> None:
        """
        Send nothing more to this side.
        """
        if self._outflow is not None:
            self._outflow.close()

    def _stopTimer(self) -> None:
        """
        This connection has ended.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
