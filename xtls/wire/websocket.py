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
<xtls.wire.outflow.Outflow>}, transport below.  The opening handshake is in L{xtls.wire.opening};
nothing of it is left when the stream is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ISSLTransport,
    ITransport,
)
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from xtls.errors import OpeningHandshakeError
from xtls.wire.framing import Close, CloseCode, FrameReader, Opcode, encodeClose, encodeFrame
from xtls.wire.handover import handOver
from xtls.wire.layered import LayeredTransport
from xtls.wire.masking import nextMaskKey
from xtls.wire.opening import ClientOpening, answerOpening
from xtls.wire.outflow import Buffer

__all__ = ["LONGEST_MESSAGE", "WebSocketAcceptor", "WebSocketConnector", "WebSocketStream"]

#: What a peer may send in one message unless said otherwise, in octets.
LONGEST_MESSAGE: Final = 16 << 20

#: What we send in one message, in octets: every peer that we know of takes so much.
_LONGEST_WRITE: Final = 1 << 18


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
        self._ping: bytes | None = None  # to be answered when there is room

    def _attach(self, transport: Any) -> None:
        super()._attach(transport)
        if ISSLTransport.providedBy(transport):
            alsoProvides(self, ISSLTransport)

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
            payload: Any = reader.feed(data)
            if payload and not self.disconnecting:
                # Most are bytes already: a protocol that wants bytes is spared a copy.
                deliver = self._deliver
                deliver(payload if deliver == self._deliverCopy else memoryview(payload))
            if reader.pings:
                self._pong(reader.pings)
                reader.pings = []
        finally:
            self._sendGathered()
        if reader.ended and not self._peerDone:
            if reader.violation is not None:
                self.failConnection(reader.violation.code, reader.violation.problem)
            elif reader.closed is not None and not self._paused:
                self._closed(reader.closed)

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
            self._finishBoth()
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

    def _finishBoth(self) -> None:
        """
        When both sides have sent their Close frames there is nothing left to wait for (RFC 6455,
        section 7.1.1).
        """
        if self._peerDone and self._closeSent and not self.disconnecting:
            self.disconnecting = True
            self._finish()

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

    def _send(self, data: Buffer) -> None:
        """
        Encode; what is longer than a message may be is flushed as it goes, so that it is never there twice.
        """
        if len(data) <= _LONGEST_WRITE:
            self._frames.append(encodeFrame(Opcode.BINARY, data, self._key()))
            return
        view = memoryview(data)
        for start in range(0, len(view), _LONGEST_WRITE):
            self._send(view[start : start + _LONGEST_WRITE])
            self._flush()

    def _flush(self) -> None:
        frames = self._frames
        if frames:
            self._frames = []
            self._outflow.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def loseWriteConnection(self) -> None:
        """
        Send no more, but go on reading, until the peer sends no more either.
        """
        super().loseWriteConnection()
        self._finishBoth()

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

    def logPrefix(self) -> str:
        """
        What Twisted's log says for events of this connection.
        """
        return f"{type(self._protocol).__name__} (WebSocket)"


class _ServerStream(WebSocketStream):
    """
    The side that was asked, from its answer on.
    """

    def __init__(self, acceptor: WebSocketAcceptor, answer: bytes, protocol: IProtocol) -> None:
        super().__init__(
            False, acceptor.clock, closeTimeout=acceptor.closeTimeout, messageSize=acceptor.messageSize
        )
        self._opened = answer, protocol

    def makeConnection(self, transport: Any) -> None:
        """
        Answer, and connect the protocol above: the stream is open.
        """
        self._attach(transport)
        answer, protocol = self._opened
        del self._opened
        self._outflow.write(answer)
        self._connect(protocol)


class WebSocketAcceptor:
    """
    Makes streams of connections on which a client has asked for a WebSocket.

    @ivar sessionFactory: builds the protocols that the streams lead to.
    """

    def __init__(
        self,
        sessionFactory: IProtocolFactory,
        clock: IReactorTime,
        *,
        closeTimeout: float = 10.0,
        messageSize: int = LONGEST_MESSAGE,
    ) -> None:
        """
        @param closeTimeout: seconds for the peer to close after this side has, and to read the last octets.
        @param messageSize: the longest message to accept, in octets.
        """
        self.sessionFactory = sessionFactory
        self.clock = clock
        self.closeTimeout = closeTimeout
        self.messageSize = messageSize

    def stream(
        self, peer: IAddress, key: bytes, subprotocols: Iterable[bytes] = ()
    ) -> WebSocketStream | None:
        """
        Make the stream of one connection.  It answers the opening handshake as soon as it is connected.

        @param peer: who asks.
        @param key: the value of the request's C{Sec-WebSocket-Key}.
        @param subprotocols: what the request offers in C{Sec-WebSocket-Protocol}.
        @return: L{None} if there is no session for it.
        @raise OpeningHandshakeError: if the key is wrong.
        """
        answer = answerOpening(key, subprotocols)
        session = self.sessionFactory.buildProtocol(peer)
        return None if session is None else _ServerStream(self, answer, session)

    def accept(
        self,
        transport: ITransport,
        leaving: IProtocol,
        key: bytes,
        subprotocols: Iterable[bytes],
        rest: bytes = b"",
    ) -> bool:
        """
        Take a connection over, answer its opening handshake, and connect a session to it.

        @param leaving: the protocol that has read the request.
        @param rest: octets that came after the request: they belong to the stream.
        @return: whether there is a session; if there is none, nothing was sent and C{leaving} must answer.
        @raise OpeningHandshakeError: if the key is wrong; likewise.
        """
        stream = self.stream(transport.getPeer(), key, subprotocols)
        if stream is not None:
            handOver(transport, leaving, stream, rest)
        return stream is not None


class _ClientStream(WebSocketStream):
    """
    The side that asks, from its request on.
    """

    factory: WebSocketConnector

    def __init__(self, factory: WebSocketConnector, address: IAddress | None) -> None:
        super().__init__(
            True, factory.clock, closeTimeout=factory.closeTimeout, messageSize=factory.messageSize
        )
        self.factory = factory
        self._address = address
        self._opening: ClientOpening | None = factory.opening()

    def makeConnection(self, transport: Any) -> None:
        """
        The connection below is there: ask for a WebSocket.
        """
        self._attach(transport)
        self.factory.registerProtocol(self)
        self._within(self.factory.openingTimeout, self._tooSlow)
        assert self._opening is not None
        self._outflow.write(self._opening.request)

    def _tooSlow(self) -> None:
        """
        The server did not answer in time.
        """
        seconds = self.factory.openingTimeout
        problem = f"the server did not answer the WebSocket opening handshake within {seconds:g} seconds"
        self._failure = Failure(OpeningHandshakeError(problem))
        self._abortBelow()

    def bufferReceived(self, data: Buffer) -> None:
        """
        Octets have arrived from the server.
        """
        if self._opening is not None:
            data = self._answered(self._opening, data)
            if not data:
                return
        super().bufferReceived(data)

    def _answered(self, opening: ClientOpening, data: Buffer) -> bytes:
        """
        Take the server's answer.

        @return: octets of the stream, once it is open.
        """
        if self.disconnecting:
            return b""
        try:
            if not opening.receive(bytes(data)):
                return b""
        except OpeningHandshakeError:
            self._fail(Failure())
            return b""
        self._opening = None
        self._connect(self.factory.wrappedFactory.buildProtocol(self._address))
        return opening.rest

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        The connection below is gone.
        """
        self.factory.unregisterProtocol(self)
        super().connectionLost(reason)

    def _truncated(self) -> Failure:
        if self._opening is not None:
            problem = "the server closed the connection during the WebSocket opening handshake"
            return Failure(OpeningHandshakeError(problem))
        return super()._truncated()


class WebSocketConnector(WrappingFactory):
    """
    Asks servers for WebSockets.  Its protocols' C{whenConnected} fires with the protocol above when the
    stream is open, or fails with L{OpeningHandshakeError} or the reason why the connection was lost.

    @ivar wrappedFactory: builds the protocols above, once for each stream that has opened.
    """

    protocol = _ClientStream
    noisy = False

    def __init__(
        self,
        url: str,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        *,
        headers: Mapping[str, str] | None = None,
        openingTimeout: float = 10.0,
        closeTimeout: float = 10.0,
        messageSize: int = LONGEST_MESSAGE,
    ) -> None:
        """
        @param url: what to ask for, such as C{wss://example.org:8443/path}.  It does not choose the transport
            below: for wss, connect this factory through TLS.
        @param headers: fields to send besides, such as C{Authorization}.
        @param openingTimeout: seconds for the server to answer, then the connection is aborted.
        @param closeTimeout: seconds for the peer to close after this side has, and to read the last octets.
        @param messageSize: the longest message to accept, in octets.
        @raise ValueError: for a URL or headers that cannot be used.
        """
        super().__init__(wrappedFactory)
        self.clock = clock
        self.openingTimeout = openingTimeout
        self.closeTimeout = closeTimeout
        self.messageSize = messageSize
        self._asked = url, headers
        self.opening()

    def opening(self) -> ClientOpening:
        """
        The opening handshake of one connection.
        """
        return ClientOpening(*self._asked)

    def buildProtocol(self, addr: IAddress | None) -> _ClientStream:
        """
        The stream of one connection; the protocol above comes when it is open.
        """
        return self.protocol(self, addr)
