"""
Client endpoints that wrap other client endpoints.

They differ from Twisted's in one thing: they fire when the application may speak.  For TLS that is when the
server is verified, for WebSocket when the opening handshake has ended as well.  Until then the application's
protocol does not exist, and a server that is refused never gets an octet of it.

Cancelling the Deferred ends the attempt wherever it is: while a name is looked up, while TCP connects, and in
the middle of a handshake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.config.portoptions import PortOptions
from xtls.wire.opening import ClientOpening
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.websocket import WebSocketConnector

__all__ = ["TLSClientEndpoint", "WebSocketClientEndpoint"]


@implementer(IStreamClientEndpoint)
@dataclass(frozen=True)
class TLSClientEndpoint:
    """
    TLS over another endpoint.

    C{connect} fires with the application's protocol when the server is verified.  It fails with
    L{PeerVerificationError<xtls.errors.PeerVerificationError>} when the server is refused, with another
    L{HandshakeError<xtls.errors.HandshakeError>} when TLS cannot be agreed on or takes too long, and with
    whatever the wrapped endpoint fails with.

    If the application's factory provides
    L{IProtocolNegotiationFactory<twisted.internet.interfaces.IProtocolNegotiationFactory>}, its protocols
    are offered (ALPN, RFC 7301); otherwise those that the creator was made with.

    @ivar wrapped: how to reach the server.
    @ivar creator: what is demanded of the server, such as a
        L{ClientConnectionCreator<xtls.trust.contexts.ClientConnectionCreator>}.
    @ivar clock: for the deadlines; usually the reactor.
    @ivar options: the deadlines: C{handshakeTimeout} and C{closeTimeout}.
    """

    wrapped: IStreamClientEndpoint
    creator: IOpenSSLClientConnectionCreator
    clock: IReactorTime
    options: PortOptions = field(default_factory=PortOptions)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect, verify the server, and then build and connect the application's protocol.
        """
        factory = TLSTransportFactory(
            self.creator,
            True,
            protocolFactory,
            self.clock,
            handshakeTimeout=self.options.handshakeTimeout,
            closeTimeout=self.options.closeTimeout,
        )
        return self.wrapped.connect(factory).addCallback(_whenConnected)


@implementer(IStreamClientEndpoint)
@dataclass(frozen=True)
class WebSocketClientEndpoint:
    """
    A byte stream over WebSocket, over another endpoint.

    C{connect} fires with the application's protocol when the opening handshake has ended.  It fails with
    L{OpeningHandshakeError<xtls.errors.OpeningHandshakeError>} when the server does not open a WebSocket, and
    with whatever the wrapped endpoint fails with.

    @ivar wrapped: how to reach the server: for a C{wss:} URL through a L{TLSClientEndpoint}.
    @ivar url: what to ask for, such as C{wss://example.org:8443/path}.
    @ivar clock: for the deadlines; usually the reactor.
    @ivar options: the deadlines and the limit: C{websocketTimeout}, C{closeTimeout} and C{messageSize}.
    """

    wrapped: IStreamClientEndpoint
    url: str
    clock: IReactorTime
    options: PortOptions = field(default_factory=PortOptions)

    def __post_init__(self) -> None:
        """
        @raise ValueError: for a URL that cannot be asked for.
        """
        ClientOpening(self.url)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect, open the WebSocket, and then build and connect the application's protocol.
        """
        factory = WebSocketConnector(
            self.url,
            protocolFactory,
            self.clock,
            openingTimeout=self.options.websocketTimeout,
            closeTimeout=self.options.closeTimeout,
            messageSize=self.options.messageSize,
        )
        return self.wrapped.connect(factory).addCallback(_whenConnected)


def _whenConnected(connecting: Any) -> Deferred[IProtocol]:
    """
    Wait for the application's protocol; when cancelled, abort the connection.

    @param connecting: a L{LayeredTransport<xtls.wire.layered.LayeredTransport>} that is connected below.
    """
    transport = connecting.transport
    _stepIn(transport, connecting)

    def cancel(cancelled: Deferred[IProtocol]) -> None:
        cancelled.errback(ConnectingCancelledError(transport.getPeer()))
        transport.abortConnection()

    def settle(outcome: IProtocol | Failure) -> None:
        # After a cancellation, this is the loss of the connection that was aborted.
        if not result.called:
            result.callback(outcome)

    result: Deferred[IProtocol] = Deferred(cancel)
    connecting.whenConnected().addBoth(settle)
    return result


def _stepIn(transport: Any, connecting: Any) -> None:
    """
    Let the transport call the protocol that was connected directly.

    Twisted's endpoints put a protocol between the two that waits for C{connectionMade}, and then forwards
    each segment for the life of the connection.  It has done its work by now.
    """
    between = getattr(transport, "__dict__", {}).get("protocol")
    if getattr(between, "_wrappedProtocol", None) is connecting:
        transport.protocol = connecting
