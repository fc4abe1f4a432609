"""
WebSocket as a Twisted transport: a byte stream in binary messages (RFC 6455).

Above all that L{LayeredTransport} promises: the mark that ends a direction is the Close frame.  Code
1000 says that the peer sends no more, but may still read, as a half close of TCP does; so
C{loseWriteConnection} and C{loseConnection} both send it, and differ in whether what arrives
afterwards is delivered.  Any other Close ends both directions, and one that complains (1002, 1009,
1011 ...) is a L{ConnectionLost}, as is an end without any Close.

The borders of messages mean nothing: what arrives together is delivered together, text is taken as
octets, and a write becomes one message, unless it is so long that a peer might refuse it.

How octets flow: transport below, L{WebSocketStream.bufferReceived}, frame reader, C{bufferReceived}
or C{dataReceived} of the protocol above; and C{write}, one frame, L{Outflow
<xtls.wire.outflow.Outflow>}, transport below.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime, ISSLTransport, ITransport
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from xtls.wire.frames import (
    CHUNK,
    LONGEST_BINARY,
    Close,
    CloseCode,
    Opcode,
    encodeBinary,
    encodeClose,
    encodeFrame,
)
from xtls.wire.framing import FrameReader
from xtls.wire.layered import LayeredTransport
from xtls.wire.masking import nextMaskKey
from xtls.wire.outflow import Buffer

__all__ = ["LONGEST_MESSAGE", "WebSocketStream"]

#: What a peer may send in one message unless said otherwise, in octets.
LONGEST_MESSAGE: Final = 16 << 20

#: What we send in one message, in octets: every peer that we know of takes so much.
_LONGEST_WRITE: Final = LONGEST_BINARY


@implementer(ITransport)
class WebSocketStream(LayeredTransport):
    """
    One WebSocket connection, from the first octet after the opening handshake on; of a client, from the
    opening handshake on.

    @ivar isClient: whether this side asked for the connection, and so masks what it sends.
    """

    def __init__(
        self,
        isClient: bool,
        clock: IReactorTime,
        *,
        closeTimeout: float = 10.0,
        messageSize: int = LONGEST_MESSAGE,
    ) -> None:
        """
        @param closeTimeout: seconds for the peer to close after this side has, and to read the last octets.
        @param messageSize: the longest message to accept, in octets.
        """
        super().__init__(clock, closeTimeout)
        self.isClient = isClient
        self._reader = FrameReader(not isClient, messageSize)
        self._frames: list[bytes] = []  # encoded, and not yet given to the outflow
        self._closeSent = False
        self._wantsBytes = False  # the protocol above does not take views
        self._ping: bytes | None = None  # to be answered when there is room

    def _attach(self, transport: Any) -> None:
        super()._attach(transport)
        if ISSLTransport.providedBy(transport):
            alsoProvides(self, ISSLTransport)

    @property
    def wrappedProtocol(self) -> Any:
        """
        The protocol above.
        """
        return self._protocol

    @wrappedProtocol.setter
    def wrappedProtocol(self, protocol: Any) -> None:
        LayeredTransport.wrappedProtocol.fset(self, protocol)  # type: ignore[attr-defined]
        self._wantsBytes = not hasattr(protocol, "bufferReceived")

    def _hasRoom(self) -> None:
        super()._hasRoom()
        if self._ping is not None:
            self._pong([self._ping])
            self._flush()

    # Receiving.

    def bufferReceived(self, data: Buffer) -> None:
        """
        Frames, or pieces of frames, have arrived; C{data} need only be valid during this call.
        """
        reader = self._reader
        self._gathered = []
        try:
            payload = reader.feed(data)
            if payload:
                self._received(payload)
            if reader.pings:
                self._pong(reader.pings)
                reader.pings = []
        finally:
            if self._gathered or self._frames:
                self._sendGathered()
            else:  # nothing was written meanwhile
                self._gathered = None
        if reader.ended and not self._peerDone:
            if reader.violation is not None:
                self.failConnection(reader.violation.code, reader.violation.problem)
            elif reader.closed is not None and not self._paused:
                self._closed(reader.closed)

    def _received(self, payload: Any) -> None:
        """
        Octets of the stream.
        """
        if self._paused:  # in connectionMade
            self._kept += payload
        elif not self.disconnecting:
            # Most are bytes already: a protocol that wants bytes is spared a copy.
            self._deliver(payload if self._wantsBytes else memoryview(payload))

    def _pong(self, pings: list[bytes]) -> None:
        """
        Answer Pings (RFC 6455, section 5.5.3); to a peer that does not read, only the last one, when it does.
        """
        self._ping = None
        if self.disconnecting:
            return
        if self._outflow.paused:
            self._ping = pings[-1]
            return
        self._gather()
        for payload in pings:
            self._frames.append(encodeFrame(Opcode.PONG, payload, self._key()))

    def _closed(self, close: Close) -> None:
        """
        The peer has sent its Close frame.
        """
        if close.code == CloseCode.NORMAL:
            self._peerEnded()
        elif close.clean:
            self._end()
            if self.disconnecting:
                self._peerEnded()
            else:
                self._peerDone = True
                self._finishBoth()
        else:
            self._peerDone = True
            self._end()
            said = f"the peer closed the WebSocket with code {close.code}"
            self._fail(Failure(ConnectionLost(f"{said}: {close.reason!r}" if close.reason else said)))

    def _hasMore(self) -> bool:
        return self._reader.closed is not None and not self._peerDone

    def _truncated(self) -> Failure:
        return Failure(ConnectionLost("the connection ended without a Close frame (RFC 6455, section 7.1.5)"))

    # Sending.

    def _key(self) -> bytes | None:
        """
        The next frame's masking key, if it must have one (RFC 6455, section 5.3).
        """
        return nextMaskKey() if self.isClient else None

    def write(self, data: Buffer) -> None:
        """
        Send.

        @param data: need only be valid during this call.  Nothing is sent after a close was asked for.
        """
        if self._gathered is None and self._writing and 0 < len(data) <= _LONGEST_WRITE:
            self._outflow.write(encodeBinary(data, nextMaskKey() if self.isClient else None))
        else:
            super().write(data)

    def _send(self, data: Buffer) -> None:
        """
        Encode; what is longer than a message may be is flushed as it goes, so that it is never there twice.
        What is below may use the shared buffers then, of which a view may be.
        """
        size = len(data)
        if size < CHUNK:
            self._frames.append(bytes(encodeBinary(data, self._key())))
            return
        if size <= _LONGEST_WRITE:
            self._frames.append(encodeFrame(Opcode.BINARY, data, self._key()))
            return
        view = memoryview(bytes(data))
        for start in range(0, len(view), _LONGEST_WRITE):
            self._send(view[start : start + _LONGEST_WRITE])
            self._flush()

    def _flush(self) -> None:
        frames = self._frames
        if frames:
            self._frames = []
            self._outflow.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _sendEnd(self) -> None:
        """
        Send the Close frame; as an answer, with the peer's own code (RFC 6455, section 5.5.1).
        """
        closed = self._reader.closed
        self._sendClose(CloseCode.NORMAL if closed is None else closed.code)

    def _sendClose(self, code: int, reason: str = "") -> None:
        """
        Send the only Close frame there is.
        """
        if not self._closeSent:
            self._closeSent = True
            self._frames.append(encodeClose(code, reason, self._key()))

    def _endBelow(self) -> None:
        """
        A connection that failed ends below at once; otherwise the peer's Close comes first.
        """
        if self._failure is not None:
            endWriting = getattr(self.transport, "loseWriteConnection", self.transport.loseConnection)
            endWriting()

    def failConnection(self, code: int, reason: str) -> None:
        """
        Close because the peer does what it must not (RFC 6455, section 7.1.7).  The protocol above loses the
        connection at once.

        @param code: the status code to send.
        @param reason: why, in words for the peer; at most 123 octets of it are sent.
        """
        if self._told:
            return
        self._sendClose(code, reason)
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()  # to see the peer end
        self._fail(Failure(ConnectionLost(f"the WebSocket failed with code {int(code)}: {reason}")))

    # What a relay needs to know, which moves octets by itself (xtls.wire.webrelay).

    @property
    def reader(self) -> FrameReader:
        """
        What reads the peer's frames.
        """
        return self._reader

    def logPrefix(self) -> str:
        """
        What Twisted's log says for events of this connection.
        """
        return f"{type(self._protocol).__name__} (WebSocket)"
