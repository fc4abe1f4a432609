"""
A transport on top of another: what TLS and WebSocket streams have in common.

What a protocol above such a transport may rely on:

  - It is built and connected only when the layer below is ready for it (the peer is verified, the
    WebSocket open).  Until then it does not exist; if that never happens,
    L{LayeredTransport.whenConnected} says why.
  - C{connectionLost} comes once.  It says L{ConnectionDone} only when the peer ended its direction
    in order or this side asked to close; a connection that just ends is L{ConnectionLost}.
  - C{loseWriteConnection} is a half close: what was written is sent, then the end is marked, and
    reading goes on.
  - C{loseConnection} loses nothing that was written: the rest is sent, and the mark of the end;
    then it reads, and drops what it reads, until the peer has ended too or C{closeTimeout} seconds
    have passed.  A socket that is closed with unread octets would send a reset, and that destroys
    what the peer has not read yet.
  - Writes go out at once; those made while octets are being delivered go out together when that is done.

There is no buffer here: what the socket did not take is with the L{Outflow}, and while that holds
anything the producer above is paused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.wire.inflow import receiveDirectly, receiveNoMore
from xtls.wire.outflow import Buffer, IBufferTransport, Outflow
from xtls.wire.producing import Source

__all__ = ["LayeredTransport"]

_DONE: Final = Failure(ConnectionDone())

#: Octets: shorter writes made while octets are delivered go out as one.
_SMALL: Final = 4096


def drop(view: memoryview) -> None:
    """
    There is nobody to deliver to.
    """


@implementer(IBufferTransport, IConsumer, IPushProducer, IHalfCloseableProtocol)
class LayeredTransport(ProtocolWrapper):
    """
    A protocol to the transport below, a transport to the protocol above.  A subclass provides
    C{bufferReceived} and the methods that are marked as its own.

    @ivar wrappedProtocol: the protocol above; L{None} until the layer is ready for it.  It may be
        set, to hand the connection over to another protocol.
    @ivar disconnecting: whether this side is closing.
    @ivar transport: the transport below.
    """

    transport: Any
    disconnecting: bool

    def __init__(self, clock: IReactorTime, closeTimeout: float) -> None:
        """
        @param closeTimeout: seconds for the peer to end after this side has, and to read the last octets.
        """
        self.disconnecting = False
        self._clock = clock
        self._closeTimeout = closeTimeout
        self._protocol: Any = None
        self._deliver: Callable[[memoryview], object] = drop
        self._source = Source(clock, self._fault)
        self._waiting: list[Deferred[IProtocol]] = []
        self._deadline: IDelayedCall | None = None
        self._gathered: list[bytes] | None = None
        self._writing = False  # the protocol above may write
        self._paused = False
        self._lost = False
        self._peerDone = False  # the peer has ended its direction, in order
        self._belowDone = False  # the transport below delivers no more
        self._told = False  # those above know of the end
        self._failure: Failure | None = None  # why this connection ends, where that is known

    # For subclasses to provide.

    def _send(self, data: Buffer) -> None:
        """
        Encode octets; they need not go out before L{_flush}.
        """
        raise NotImplementedError

    def _flush(self) -> None:
        """
        Give all that is encoded to the outflow.
        """
        raise NotImplementedError

    def _sendEnd(self) -> None:
        """
        Encode the mark that ends this side's direction.
        """
        raise NotImplementedError

    def _endBelow(self) -> None:
        """
        All octets and the mark are with the socket, and the peer has not ended yet.
        """

    def _truncated(self) -> Failure:
        """
        The connection ended without the peer's mark.
        """
        raise NotImplementedError

    def _hasMore(self) -> bool:
        """
        Whether octets for the protocol above are kept because it had paused.
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
        for waiting in self._taken():
            waiting.callback(protocol)

    def whenConnected(self) -> Deferred[IProtocol]:
        """
        Wait for the protocol above.

        @return: fires with it when it is connected, or fails with the reason why it never will be.
        """
        waiting: Deferred[IProtocol] = Deferred(lambda _: self.abortConnection())
        if self._protocol is not None:
            waiting.callback(self._protocol)
        elif self._told:
            waiting.errback(self._failure or _DONE)
        else:
            self._waiting.append(waiting)
        return waiting

    def _taken(self) -> list[Deferred[IProtocol]]:
        """
        Those who wait, once.
        """
        waiting, self._waiting = self._waiting, []
        return waiting

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
        else:
            self.loseConnection()

    def readConnectionLost(self) -> None:
        """
        The transport below delivers no more.
        """
        self._belowDone = True
        if self.disconnecting:
            self._closeBelow()
        elif not self._peerDone:
            self._fail(self._truncated())
        # Else the peer said so before, and may still read.

    def writeConnectionLost(self) -> None:
        """
        The transport below sends no more, as it was asked to.
        """

    def connectionLost(self, reason: Failure = _DONE) -> None:
        """
        The connection below is gone.
        """
        self._lost = True
        self.connected = 0
        self._writing = False
        self._cancelDeadline()
        self._outflow.close()
        receiveNoMore(self.transport)
        if self._failure is None:
            orderly = self._peerDone or self.disconnecting
            self._failure = reason if orderly or not reason.check(ConnectionDone) else self._truncated()
        self._tell(self._failure)

    def _tell(self, failure: Failure) -> None:
        """
        Tell those above, once, that this was the end.
        """
        if self._told:
            return
        self._told = True
        waiting, protocol = self._taken(), self._protocol
        self._source.stop()
        if protocol is not None:
            self._protocol, self._deliver = None, drop
            protocol.connectionLost(failure)
        elif not waiting:
            self._neverConnected(failure)
        for one in waiting:
            if not one.called:  # else it was cancelled, and this is the end that it asked for
                one.errback(failure)

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
        self.disconnecting = True
        self._flush()
        self._closeBelow()
        self._tell(self._failure)

    def _fault(self, failure: Failure) -> None:
        """
        What is above has raised, and nobody below hears of it: end the connection, as a reactor would.
        """
        if self._failure is None:
            self._failure = failure
        self.abortConnection()

    def _within(self, seconds: float, call: Callable[[], None]) -> None:
        """
        Set the deadline of what happens now, in place of any other.
        """
        self._cancelDeadline()
        self._deadline = self._clock.callLater(seconds, call)

    def _cancelDeadline(self) -> None:
        """
        Whatever had to happen in time has happened.
        """
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    # The transport above: writing.

    def write(self, data: Buffer) -> None:
        """
        Send.

        @param data: need only be valid during this call.  Nothing is sent after a close was asked for.
        """
        if not self._writing or not data:
            return
        if self._gathered is None:
            self._send(data)
            self._flush()
        elif len(data) < _SMALL:
            self._gathered.append(bytes(data))
        else:
            self._gather()
            self._send(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """
        Send several pieces as one.
        """
        self.write(b"".join(data))

    def _gather(self) -> None:
        """
        Encode the small writes that were gathered, as one.
        """
        gathered = self._gathered
        if gathered:
            self._gathered = []
            self._send(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def _sendGathered(self) -> None:
        """
        A delivery is over: send what was written during it, and what the layer itself has to say.
        """
        self._gather()
        self._gathered = None
        self._flush()

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
        elif self._source.producer is None:
            self._finish()

    def loseWriteConnection(self) -> None:
        """
        Send no more, but go on reading.
        """
        if not self._writing or self.disconnecting:
            return
        self._end()
        above: Any = IHalfCloseableProtocol(self._protocol, None)
        if above is not None:
            above.writeConnectionLost()

    def abortConnection(self) -> None:
        """
        Close at once; what is not sent is lost.
        """
        if self._lost:
            return
        self.disconnecting = True
        self._writing = False
        if self._failure is None:
            self._failure = Failure(ConnectionAborted())
        self._abortBelow()

    def _abortBelow(self) -> None:
        """
        End the connection below at once.
        """
        abort = getattr(self.transport, "abortConnection", self.transport.loseConnection)
        abort()

    def _end(self) -> None:
        """
        Mark the end of this side's direction, after all that was written.
        """
        if self._writing:
            if self._gathered is not None:
                self._gather()
            self._writing = False
            self._sendEnd()
            self._flush()

    def _finish(self) -> None:
        """
        All is written: mark the end, and close the connection below.
        """
        self._end()
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()  # to see the peer end
        self._closeBelow()

    def _closeBelow(self) -> None:
        """
        Close the connection below when all is sent: at once when the peer has ended too, else when
        it does or when the deadline has passed.
        """
        self._within(self._closeTimeout, self._closeTooSlow)
        self._outflow.whenDrained(self._drained)

    def _drained(self) -> None:
        """
        The last octet is with the socket.
        """
        self._outflow.close()
        if self._peerDone and self._failure is None:
            # Both directions have ended in order.  A Unix socket whose peer has closed may say otherwise.
            self._failure = _DONE
        if self._peerDone or self._belowDone:
            self.transport.loseConnection()
        else:
            self._endBelow()

    def _closeTooSlow(self) -> None:
        """
        The peer did not end in time, or does not read what it was sent.
        """
        if self._outflow.pending:
            if self._failure is None:
                problem = f"the peer did not read the last octets within {self._closeTimeout:g} seconds"
                self._failure = Failure(ConnectionLost(problem))
            self._abortBelow()
        else:
            # What is with the system already is still delivered; should the transport below wait: once more.
            self._within(self._closeTimeout, self._abortBelow)
            self.transport.loseConnection()

    # The transport above: pressure.

    @property
    def pending(self) -> int:
        """
        Octets that were written and that the socket has not taken.
        """
        return self._outflow.pending

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IConsumer<twisted.internet.interfaces.IConsumer>}.
        """
        if self._told:
            producer.stopProducing()
        else:
            self._source.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer<twisted.internet.interfaces.IConsumer>}.
        """
        self._source.unregister()
        if self.disconnecting and not self._lost:
            self._finish()

    def pauseProducing(self) -> None:
        """
        Deliver no more for now.
        """
        if not self.disconnecting:
            self._paused = True
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Deliver again: first, in the next turn, what had arrived already.
        """
        if self._paused and not self._lost:
            self._paused = False
            if self._hasMore():
                self._clock.callLater(0, self._deliverMore)
            self.transport.resumeProducing()

    def _deliverMore(self) -> None:
        """
        Go on where a pause stopped the delivery.
        """
        if not (self._lost or self._paused):
            self.bufferReceived(b"")

    def stopProducing(self) -> None:
        """
        The consumer of what is read here has gone.
        """
        self.loseConnection()
