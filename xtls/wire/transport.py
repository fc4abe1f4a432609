"""
TLS as a Twisted transport.

Above all that L{LayeredTransport} promises: the protocol above is built and connected only after
the handshake is complete and the peer verified (stock transports connect it before); the handshake
has a deadline; and the mark that ends a direction is close_notify, so that a connection which just
ends is told from one that was complete (RFC 8446, section 6.1).  Both versions of TLS are half
closed alike, as OpenSSL allows (TLS 1.2 wanted an immediate answer to close_notify, RFC 5246,
section 7.2.1).

How octets flow: socket, L{TLSTransport.bufferReceived}, engine, C{bufferReceived} or C{dataReceived} of the
protocol above; and C{write}, engine, L{Outflow<xtls.wire.outflow.Outflow>}, socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    INegotiated,
    ISSLTransport,
    ISystemHandle,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.errors import HandshakeError, HandshakeTimeout, PeerVerificationError
from xtls.wire.engine import TLSEngine
from xtls.wire.failures import describe
from xtls.wire.layered import LayeredTransport, drop
from xtls.wire.outflow import Buffer
from xtls.wire.records import BUFFER_SIZE, Records

__all__ = ["TLSTransport"]

_log = Logger()

#: Octets that OpenSSL may say by itself to a peer that does not read.
_LONGEST_ANSWERS: Final = 65536


@implementer(ISSLTransport, INegotiated, ISystemHandle)
class TLSTransport(LayeredTransport):
    """
    One TLS connection.
    """

    factory: Any
    takesAtOnce = True  # octets, as soon as it is connected

    def __init__(self, factory: Any, address: IAddress | None) -> None:
        """
        @param factory: the L{TLSTransportFactory<xtls.wire.tlsfactory.TLSTransportFactory>} that this
            connection is one of, with all that they share.
        @param address: the peer's, for the factory above.
        """
        super().__init__(factory.clock, factory.closeTimeout)
        self.factory = factory
        self._address = address
        self._answered = 0  # octets that OpenSSL has said by itself since the peer has last read

    def makeConnection(self, transport: Any) -> None:
        """
        The connection below is there: begin the handshake.
        """
        self._attach(transport)
        self.factory.registerProtocol(self)
        try:
            self._engine = TLSEngine(self.factory.createConnection(self), self.factory.records)
        except Exception:
            failure = Failure()
            _log.failure("a TLS connection cannot be made", failure)
            self.bufferReceived = drop  # type: ignore[method-assign, assignment]
            self._fault(failure)
            return
        self._within(self.factory.handshakeTimeout, self.tooSlow)
        if self.factory.isClient:
            self._engine.start()
            self._flush()
            if self._engine.failure is not None:
                self._failed()

    def adopt(self, transport: Any, engine: TLSEngine, until: float | None) -> None:
        """
        Be connected, in place of C{makeConnection}, where the handshake has begun already or is complete.

        @param engine: the TLS connection.
        @param until: when the handshake must be complete, in the clock's seconds; L{None} if it is, or if
            there is no time left, of which this will be told.
        """
        transport.protocol = self
        self._attach(transport)
        self.factory.registerProtocol(self)
        self._engine = engine
        self._peerDone = engine.peerClosed
        if until is not None:
            self._within(max(0.0, until - self._clock.seconds()), self.tooSlow)

    def tooSlow(self) -> None:
        """
        The handshake did not end in time.
        """
        seconds = self.factory.handshakeTimeout
        self._failure = Failure(HandshakeTimeout(f"the TLS handshake did not end within {seconds:g} seconds"))
        self.abortConnection()

    def _failed(self) -> None:
        """
        OpenSSL cannot go on.
        """
        engine = self._engine
        if engine.failure is not None and not self._told:
            error = describe(engine.connection, engine.failure, engine.established)
            if isinstance(error, PeerVerificationError):
                # what was told while OpenSSL was asking had not seen the peer's own certificate yet
                self._failure = None
            self._fail(Failure(error))

    def failVerification(self, reason: Failure) -> None:
        """
        Twisted's own connection creators say here why they refuse the peer.  Where that is while OpenSSL asks
        them, the handshake fails of itself after that; older ones do when it is complete.
        """
        self._failure = reason

    def bufferReceived(self, data: Buffer) -> None:
        """
        Ciphertext has arrived; C{data} need only be valid during this call.
        """
        engine = self._engine
        if engine.failure is None:
            self._received(engine.receive, data)

    def decrypted(self, plaintext: memoryview) -> None:
        """
        Somebody else has given ciphertext to L{records}, and read this.
        """
        self._received(self._engine.heed, plaintext)

    def _received(self, decrypt: Callable[[Any], memoryview], data: Buffer) -> None:
        """
        Deliver what has arrived, and do what else it asks for.

        @param decrypt: gives the plaintext of C{data}, and keeps the engine informed.
        """
        engine = self._engine
        self._gathered = []
        try:
            plaintext = decrypt(data)
            if self._outflow.paused:
                self._answer()
            if self._protocol is None and engine.established and not self.disconnecting:
                plaintext = memoryview(bytes(plaintext))  # whoever is connected may cause others to read
                self._established()
            self._deliverAll(plaintext)
        finally:
            self._sendGathered()
        if engine.failure is not None:
            self._failed()
        elif engine.peerClosed and not self._paused:
            self._peerEnded()

    def _established(self) -> None:
        """
        The handshake is complete: connect the protocol above, unless the peer was refused all the same.  Then
        it does not get the last flight, in which our certificate may be.
        """
        if self._failure is None:
            self._connect(self.factory.wrappedFactory.buildProtocol(self._address))
            return
        while self._engine.outgoing():
            pass
        self.abortConnection()

    def _answer(self) -> None:
        """
        Send what OpenSSL says by itself, but only so much to a peer that does not read: the answers to
        KeyUpdates (RFC 8446, section 4.6.3) and to renegotiations would fill any memory.
        """
        while answer := self._engine.outgoing():
            self._answered += len(answer)
            self._outflow.write(answer)
        if self._answered > _LONGEST_ANSWERS:
            self._fault(Failure(ConnectionLost("the peer asks for more answers than it reads")))

    def _hasRoom(self) -> None:
        self._answered = 0
        super()._hasRoom()

    def _deliverAll(self, plaintext: memoryview) -> None:
        """
        Deliver what was decrypted, and what did not fit at first.  While this side is closing, drop it.
        """
        engine = self._engine
        while True:
            if plaintext and not self.disconnecting:
                if self._paused:  # in connectionMade
                    self._kept += plaintext
                else:
                    self._deliver(plaintext)
            if not engine.more or self._paused:
                return
            plaintext = engine.receive(b"")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        The connection below is gone.
        """
        if not self._lost:
            self.factory.unregisterProtocol(self)
            super().connectionLost(reason)
            if "_engine" in vars(self):
                # Twisted's creators have put this transport there, which would keep both alive.
                self._engine.connection.set_app_data(None)

    def _neverConnected(self, failure: Failure) -> None:
        self.factory.refused(self, failure)

    def _truncated(self) -> Failure:
        if not self._engine.established:
            return Failure(HandshakeError("the peer closed the connection during the TLS handshake"))
        return Failure(ConnectionLost("the connection ended without close_notify (RFC 8446, section 6.1)"))

    def _hasMore(self) -> bool:
        return self._engine.more or (self._engine.peerClosed and not self._peerDone)

    def _send(self, data: Buffer) -> None:
        """
        Encrypt; a long write is flushed as it goes, so that its ciphertext is never there as a whole.  That
        uses the shared buffers, of which a view may be.
        """
        try:
            if len(data) <= BUFFER_SIZE:
                self._engine.send(data)
                return
            view = memoryview(bytes(data))
            for start in range(0, len(view), BUFFER_SIZE):
                self._engine.send(view[start : start + BUFFER_SIZE])
                self._flush()
        except SSL.Error as e:
            self.sendingFailed(e)

    def sendingFailed(self, error: SSL.Error) -> None:
        """
        OpenSSL has failed while octets were sent: the protocol above is in the midst of something, and is
        told in the next turn.
        """
        self._engine.failure = error.with_traceback(None)  # which would keep this
        self._writing = False
        self._clock.callLater(0, self._failed)

    def _flush(self) -> None:
        outgoing = self._engine.outgoing
        ciphertext = outgoing()
        while ciphertext:
            self._outflow.write(ciphertext)
            if len(ciphertext) < BUFFER_SIZE:
                return  # that was all
            ciphertext = outgoing()

    def _sendEnd(self) -> None:
        self._engine.close()

    def _endBelow(self) -> None:
        """
        The peer sees the end of the stream right behind close_notify.
        """
        endWriting = getattr(self.transport, "loseWriteConnection", self.transport.loseConnection)
        endWriting()

    # What a relay needs to know, which moves octets by itself (xtls.wire.relay).

    @property
    def records(self) -> Records:
        """
        How OpenSSL is called.
        """
        return self._engine.records

    def sendRest(self) -> None:
        """
        Send what is encrypted and has not gone yet.
        """
        self._flush()

    # What is known of the connection.

    def getHandle(self) -> SSL.Connection:
        """
        The OpenSSL connection.
        """
        return self._engine.connection

    def getPeerCertificate(self) -> X509 | None:
        """
        The peer's certificate, as pyOpenSSL has it.
        """
        return self._engine.connection.get_peer_certificate()

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """
        The application protocol that was agreed on (ALPN, RFC 7301), or L{None}.
        """
        return self._engine.connection.get_alpn_proto_negotiated() or None

    @property
    def tlsVersion(self) -> str:
        """
        The protocol version, such as C{TLSv1.3}.
        """
        return self._engine.connection.get_protocol_version_name()

    @property
    def cipherName(self) -> str:
        """
        The cipher suite, in OpenSSL's words.
        """
        return self._engine.connection.get_cipher_name() or ""

    def logPrefix(self) -> str:
        """
        What Twisted's log says for events of this connection.
        """
        prefix: str = self.factory.logPrefix()
        return prefix
