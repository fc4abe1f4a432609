"""
What goes out of a transport on top of another: writes, the producer, and the end of this side's direction.

Writes go out at once; those made while octets are being delivered go out together when that is
done, or when they are many.  There is no buffer here: what the socket did not take is with the L{Outflow
<xtls.wire.outflow.Outflow>}, and while that holds anything the producer is paused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.python.failure import Failure

from xtls.wire.closing import ClosingTransport
from xtls.wire.outflow import Buffer
from xtls.wire.producing import Source

__all__ = ["WritingTransport"]

#: Octets: shorter writes made while octets are delivered go out as one.
_SMALL: Final = 4096

#: Octets: more than this does not wait for the end of a delivery.
_MUCH: Final = 1 << 17


class WritingTransport(ClosingTransport):
    """
    The part of a L{LayeredTransport<xtls.wire.layered.LayeredTransport>} that its protocol writes to.

    @ivar disconnecting: whether this side is closing.
    """

    disconnecting: bool

    def __init__(self, clock: IReactorTime, closeTimeout: float) -> None:
        """
        @param closeTimeout: seconds for the peer to take the next octets when this side is closing, and to
            end after it has.
        """
        super().__init__(clock, closeTimeout)
        self.disconnecting = False
        self._protocol: Any = None
        self._source = Source(clock, self._fault)
        self._gathered: list[bytes] | None = None
        self._unsent = 0  # octets that wait for the end of a delivery
        self._writing = False  # the protocol above may write
        self._halfClosing = False  # it has said that it will send no more, and its producer has not left yet
        self._told = False  # those above know of the end

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

    def _fault(self, failure: Failure) -> None:
        """
        What is above has raised, and no reactor hears of it.
        """
        raise NotImplementedError

    # Writing.

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
            return
        if len(data) < _SMALL:
            self._gathered.append(bytes(data))
        else:
            self._gather()
            self._send(data)
        self._unsent += len(data)
        if self._unsent > _MUCH:
            self._unsent = 0
            self._gather()
            self._flush()

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
        self._unsent = 0
        self._flush()

    # The end.

    def loseWriteConnection(self) -> None:
        """
        Send no more, but go on reading.  It waits until the producer has unregistered.
        """
        if not self._writing or self.disconnecting:
            return
        self._halfClosing = self._moreToWrite()
        if not self._halfClosing:
            self._endWriting()

    def _endWriting(self) -> None:
        """
        End this side's direction, and say so.
        """
        self._end()
        above: Any = IHalfCloseableProtocol(self._protocol, None)
        if above is not None:
            above.writeConnectionLost()
        self._finishBoth()

    def _moreToWrite(self) -> bool:
        """
        Whether there is a producer.
        """
        return self._source.producer is not None

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
        self._closeBelow()

    def _finishBoth(self) -> None:
        """
        When each side has ended its direction, that is the end.
        """
        if self._peerDone and not (self._writing or self.disconnecting):
            self.disconnecting = True
            self._finish()

    # The producer.

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
        if not self._moreToWrite():
            return
        self._source.unregister()
        if self._halfClosing:
            self._halfClosing = False
            self._endWriting()
        if self.disconnecting and not self._told:
            self._finish()

    def stopConsuming(self) -> None:
        """
        The producer is done, and wants the connection to end.
        """
        self.unregisterProducer()
        self.loseConnection()
