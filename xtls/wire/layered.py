"""
A transport on top of another: what TLS and WebSocket streams have in common.

What a protocol above such a transport may rely on:

  - It is built and connected only when the layer below is ready for it (the peer is verified, the
    WebSocket open).  Until then it does not exist; if that never happens,
    L{LayeredTransport.whenConnected} says why.
  - C{connectionLost} comes once.  It says L{ConnectionDone} only when the peer ended its direction
    in order or this side asked to close; a connection that just ends is L{ConnectionLost}.
  - C{loseWriteConnection} is a half close: what was written is sent, then the end is marked, and
    reading goes on.  When both sides have ended there is nothing left to wait for, and the connection
    is closed.
  - C{loseConnection} loses nothing that was written: the rest is sent, and the mark of the end; see
    L{xtls.wire.closing} for how, and how long it may take.
  - Either waits until the producer that is registered has left.
  - C{pauseProducing} holds everything back from then on, the end included.
  - A protocol or a pull producer that raises loses its connection, and the fault is logged.
  - Writes go out at once, and the producer is paused while the socket does not take them; see
    L{xtls.wire.writing}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.wire.closing import DONE
from xtls.wire.inflow import receiveDirectly, receiveNoMore
from xtls.wire.outflow import Buffer, IBufferTransport, Outflow
from xtls.wire.waiting import Waiting
from xtls.wire.writing import WritingTransport

__all__ = ["LayeredTransport"]

_log = Logger()


def drop(view: memoryview) -> None:
    """
    There is nobody to deliver to.
    """


@implementer(IBufferTransport, IConsumer, IPushProducer, IHalfCloseableProtocol)
class LayeredTransport(WritingTransport):
    """
    A protocol to the transport below, a transport to the protocol above.  A subclass provides
    C{bufferReceived} and the methods that are marked as its own.

    @ivar wrappedProtocol: the protocol above; L{None} until the layer is ready for it.  It may be
        set, to hand the connection over to another protocol.
    """

    def __init__(self, clock: IReactorTime, closeTimeout: float) -> None:
        """
        @param closeTimeout: seconds for the peer to take the next octets when this side is closing, and to
            end after it has.
        """
        super().__init__(clock, closeTimeout)
        self._deliver: Callable[[memoryview], object] = drop
        self._kept = b""  # what was decoded while the protocol above had paused
        self._waiting: Waiting | None = None  # those who wait for the protocol above

    # For subclasses to provide.

    def _truncated(self) -> Failure:
        """
        The connection ended without the peer's mark.
        """
        raise NotImplementedError

    def _hasMore(self) -> bool:
        """
        Whether octets for the protocol above, or the peer's end, are kept because it had paused.
        """
        raise NotImplementedError

    # The protocol above.

    @property
    def wrappedProtocol(self) -> Any:
        """
        The protocol above.
        """
        return self._protocol

    @wrappedProtocol.setter
    def wrappedProtocol(self, protocol: Any) -> None:
        self._protocol = protocol
        received = getattr(protocol, "bufferReceived", None)
        self._deliver = received if received is not None else self._deliverCopy

    def _deliverCopy(self, view: memoryview) -> None:
        """
        For protocols that want C{bytes}: looked up each time, since they may be rebound.
        """
        self._protocol.dataReceived(bytes(view))

    def _connect(self, protocol: IProtocol | None) -> None:
        """
        The layer is ready: connect the protocol above.

        @param protocol: as the factory above built it; L{None} refuses the connection.
        """
        self._cancelDeadline()
        if protocol is None:
            self.abortConnection()
            return
        self._writing = True
        self.wrappedProtocol = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]
        if self._waiting is not None:
            self._waiting.succeed(protocol)

    def adopted(self, protocol: Any) -> None:
        """
        The layer is ready, and the protocol above is connected already.
        """
        self._cancelDeadline()
        self._writing = True
        self.wrappedProtocol = protocol

    def whenConnected(self) -> Deferred[IProtocol]:
        """
        Wait for the protocol above.

        @return: fires with it when it is connected, or fails with the reason why it never will be.
        """
        if self._protocol is not None:
            return succeed(self._protocol)
        if self._told:
            return fail(self._failure or DONE)
        if self._waiting is None:
            self._waiting = Waiting()
        return self._waiting.add(self.abortConnection)

    # The transport below.

    def _attach(self, transport: Any) -> None:
        """
        The connection below is there.
        """
        self.transport = transport
        self.connected = 1
        self._outflow = Outflow(transport, self._source.pause, self._hasRoom)
        receiveDirectly(transport, self.bufferReceived)

    def _hasRoom(self) -> None:
        """
        The transport below takes more.
        """
        self._source.resume()

    def bufferReceived(self, data: Buffer) -> None:
        """
        Octets have arrived from below; C{data} need only be valid during this call.
        """
        raise NotImplementedError

    def dataReceived(self, data: bytes) -> None:
        """
        Octets have arrived from below.
        """
        self.bufferReceived(data)

    def _peerEnded(self) -> None:
        """
        The peer sends no more, but may still read.
        """
        if self._peerDone:
            return
        self._peerDone = True
        if self.disconnecting:
            if not self._writing:
                self._closeBelow()
            return
        above: Any = IHalfCloseableProtocol(self._protocol, None)
        if above is not None:
            above.readConnectionLost()
            self._finishBoth()
        else:
            self.loseConnection()

    def readConnectionLost(self) -> None:
        """
        The transport below delivers no more.
        """
        self._belowDone = True
        if self.disconnecting:
            if not self._writing:
                self._closeBelow()
        elif not self._paused:
            if self._hasMore():
                self.bufferReceived(b"")
            self._judgeEnd()

    def _judgeEnd(self) -> None:
        """
        When nothing more comes from below, and the protocol above has everything: it was complete if the peer
        had said so before; then it may still read.
        """
        if self._belowDone and not (self._peerDone or self._paused or self.disconnecting):
            self._fail(self._truncated())

    def writeConnectionLost(self) -> None:
        """
        The transport below sends no more, as it was asked to.
        """

    def connectionLost(self, reason: Failure = DONE) -> None:
        """
        The connection below is gone.
        """
        if self._lost:
            return
        self._lost = True
        self.connected = 0
        self._writing = False
        self._cancelDeadline()
        self._outflow.close()
        receiveNoMore(self.transport)
        if self._failure is None:
            orderly = self._peerDone or self.disconnecting
            cut = isinstance(reason.value, ConnectionDone) and not orderly
            self._failure = self._truncated() if cut else reason
        self._tell(self._failure)

    def _tell(self, failure: Failure) -> None:
        """
        Tell those above, once, that this was the end.
        """
        if self._told:
            return
        self._told = True
        protocol = self._protocol
        self._source.stop()
        heard = self._waiting is not None and self._waiting.fail(failure)
        if protocol is not None:
            self._protocol, self._deliver = None, drop
            protocol.connectionLost(failure)
        elif not heard:
            self._neverConnected(failure)

    def _neverConnected(self, failure: Failure) -> None:
        """
        The connection ended before a protocol was connected, and nobody waits for it.
        """

    def _fail(self, failure: Failure) -> None:
        """
        This connection cannot go on: send what the layer has to say, tell those above, and end it.  The first
        reason stands.
        """
        if self._failure is None:
            self._failure = failure
        self._writing = False
        self._gathered = None
        self.disconnecting = True
        self._flush()
        self._closeBelow()
        self._tell(self._failure)

    def _fault(self, failure: Failure) -> None:
        """
        What is above has raised, and no reactor hears of it: end the connection, as that would.
        """
        if self._failure is None:
            self._failure = failure
        self.abortConnection()

    # What a relay needs to know, which moves octets by itself (xtls.wire.relay, xtls.wire.webrelay).

    @property
    def outflow(self) -> Outflow:
        """
        Where what is encoded goes.
        """
        return self._outflow

    @property
    def relaying(self) -> bool:
        """
        Whether octets are delivered now: neither while they are held back, nor after the peer's end.
        """
        return not (self._paused or self.disconnecting or self._peerDone)

    @property
    def sending(self) -> bool:
        """
        Whether octets are sent now.
        """
        return self._writing

    @property
    def gone(self) -> bool:
        """
        Whether the connection below has ended.
        """
        return self._lost

    # The transport above: closing.

    def loseConnection(self) -> None:
        """
        Close when all that was written is sent, and the producer has unregistered.
        """
        if self.disconnecting or self._told:
            return
        self.disconnecting = True
        if self._protocol is None:
            self.abortConnection()
        elif self._moreToWrite():
            self._watch()
        else:
            self._finish()

    def abortConnection(self) -> None:
        """
        Close at once; what is not sent is lost.
        """
        if self._lost:
            return
        self.disconnecting = True
        self._writing = False
        self._gathered = None
        if self._failure is None:
            self._failure = Failure(ConnectionAborted())
        self._abortBelow()

    # The transport above: pressure.

    def pauseProducing(self) -> None:
        """
        Deliver no more for now.
        """
        if not self.disconnecting:
            self._paused = True
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Deliver again: first, in the next turn, what had arrived already, and then what comes from below.
        """
        if self._paused and not self._lost:
            self._paused = False
            if self._kept or self._hasMore() or self._belowDone:
                self._clock.callLater(0, self._deliverMore)
            else:
                self.transport.resumeProducing()

    def _deliverMore(self) -> None:
        """
        Go on where a pause stopped the delivery.
        """
        if self._lost or self._paused:
            return
        try:
            kept, self._kept = self._kept, b""
            if kept and not self.disconnecting:
                self._deliver(memoryview(kept))
            if self._hasMore() and not self._paused:
                self.bufferReceived(b"")
            self._judgeEnd()
        except Exception:
            failure = Failure()
            _log.failure("a protocol failed", failure)
            self._fault(failure)
        if not self._paused:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The consumer of what is read here has gone.
        """
        self.loseConnection()
