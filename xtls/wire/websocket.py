"""
How WebSocket streams come to be: on the side that is asked, and on the side that asks.

The opening handshake itself is in L{xtls.wire.opening}; nothing of it is left when the stream is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ITransport,
)
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure

from xtls.errors import OpeningHandshakeError
from xtls.wire.handover import handOver
from xtls.wire.opening import ClientOpening, answerOpening
from xtls.wire.outflow import Buffer
from xtls.wire.webstream import LONGEST_MESSAGE, WebSocketStream

__all__ = ["LONGEST_MESSAGE", "WebSocketAcceptor", "WebSocketConnector", "WebSocketStream"]


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
        self.abortConnection()

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
        if not self._lost:
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
