"""
The factory of TLS transports, for clients and for servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure

from xtls.wire.engine import TLSEngine
from xtls.wire.transport import TLSTransport

__all__ = ["TLSTransportFactory"]

_log = Logger()


class TLSTransportFactory(WrappingFactory):
    """
    Puts TLS between a transport and the protocols of another factory.

    @ivar wrappedFactory: builds the protocols above, once for each peer that was verified.
    """

    protocol = TLSTransport
    noisy = False

    def __init__(
        self,
        creator: Any,
        isClient: bool,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        *,
        handshakeTimeout: float = 10.0,
        closeTimeout: float = 10.0,
        refused: Callable[[TLSTransport, Failure], None] | None = None,
    ) -> None:
        """
        @param creator: an L{IOpenSSLClientConnectionCreator
            <twisted.internet.interfaces.IOpenSSLClientConnectionCreator>} for clients, an
            L{IOpenSSLServerConnectionCreator
            <twisted.internet.interfaces.IOpenSSLServerConnectionCreator>} for servers.
        @param handshakeTimeout: seconds for the handshake, then the connection is aborted.
        @param closeTimeout: seconds for the peer to close after this side has, and to read the last octets.
        @param refused: told of connections that ended before a protocol was connected, and that nobody
            waits for; by default they are logged.
        """
        super().__init__(wrappedFactory)
        self.isClient = isClient
        self.clock = clock
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
        #: How OpenSSL is called (see C{xtls.wire.openssl}); L{None} for the fastest way.
        self.records: type | None = None
        self._create = creator.clientConnectionForTLS if isClient else creator.serverConnectionForTLS
        self._refused = refused

    def createConnection(self, transport: TLSTransport) -> SSL.Connection:
        """
        One connection's OpenSSL object, ready for its handshake.
        """
        connection: SSL.Connection = self._create(transport)
        wrapped = self.wrappedFactory
        if self.isClient:
            if IProtocolNegotiationFactory.providedBy(wrapped):
                connection.set_alpn_protos(wrapped.acceptableProtocols())
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return connection

    def adopt(
        self, transport: Any, engine: TLSEngine, until: float | None, addr: IAddress | None
    ) -> TLSTransport:
        """
        Make the TLS transport of a connection whose handshake has begun already: see L{TLSTransport.adopt}.
        """
        adopting = self.buildProtocol(addr)
        adopting.adopt(transport, engine, until)
        return adopting

    def buildProtocol(self, addr: IAddress | None) -> TLSTransport:
        """
        The TLS transport of one connection; the protocol above comes after the handshake.
        """
        return self.protocol(self, addr)

    def refused(self, transport: TLSTransport, failure: Failure) -> None:
        """
        A connection ended before its peer was verified.
        """
        if self._refused is not None:
            self._refused(transport, failure)
        else:
            problem = failure.getErrorMessage()
            _log.info("{peer}: no TLS connection: {problem}", peer=transport.getPeer(), problem=problem)

    def logPrefix(self) -> str:
        """
        The wrapped factory's prefix, with a note.
        """
        wrapped: Any = self.wrappedFactory
        prefix = getattr(wrapped, "logPrefix", None)
        return f"{prefix() if prefix else type(wrapped).__name__} (TLS)"
