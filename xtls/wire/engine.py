"""
TLS without input and output: ciphertext in, plaintext out, and the other way.

Theory of operation.  An L{SSL.Connection} sits between two memory BIOs.  Ciphertext from the peer
is written into one of them; what is for the peer is read out of the other.  Any of OpenSSL's
operations may do anything to both: a read may produce records that must be sent (a handshake's
flight, a KeyUpdate's answer, an alert), and none of them ever waits.  So the rule for whoever
drives an engine is one: B{after each call, send what L{TLSEngine.outgoing} gives, until it gives
nothing}; that includes the call that failed, since an alert for the peer is waiting then.

The life of an engine: handshake (L{TLSEngine.established} is false; nothing can be sent or read);
established; then each side ends its own direction with close_notify, in any order (RFC 8446,
section 6.1): L{TLSEngine.close} is ours, L{TLSEngine.peerClosed} tells of the peer's.  A connection
that ends without the peer's close_notify was truncated, by the network or by an attacker, and
whoever drives the engine must say so.

Failure is final: L{TLSEngine.failure} says why, and all that is left to do is to send the alert and to close.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from xtls.wire.openssl import recordsFor
from xtls.wire.records import BUFFER_SIZE, Status

__all__ = ["TLSEngine"]

_NOTHING = memoryview(b"")


class TLSEngine:
    """
    One side of one TLS connection.

    @ivar connection: the OpenSSL connection that does the work.
    @ivar records: how OpenSSL is called.
    @ivar established: the handshake is complete, and the peer verified as the connection's context asks.
    @ivar peerClosed: the peer has sent close_notify; it will send no more.
    @ivar closed: we have.
    @ivar more: there is more plaintext than fitted: call C{receive(b"")} again.
    @ivar failure: why this connection cannot go on, or L{None}.
    """

    __slots__ = ("closed", "connection", "established", "failure", "more", "peerClosed", "records")

    def __init__(
        self, connection: SSL.Connection, records: Callable[[SSL.Connection], Any] | None = None
    ) -> None:
        """
        @param connection: over memory BIOs (no socket), with accept or connect state set.
        @param records: how OpenSSL is called; by default the fastest way there is.
        """
        self.connection = connection
        self.records = recordsFor(connection) if records is None else records(connection)
        self.established = False
        self.peerClosed = False
        self.closed = False
        self.more = False
        self.failure: SSL.Error | None = None

    def start(self) -> None:
        """
        Begin the handshake: a client has its ClientHello to send after this.
        """
        self._handshake()

    def receive(self, ciphertext: bytes | memoryview) -> memoryview:
        """
        Take ciphertext from the peer.

        @return: the plaintext in it, perhaps none; valid until the next call on any engine.
        """
        records = self.records
        if ciphertext and not self.peerClosed:  # what comes after close_notify nobody would ever read
            records.feed(ciphertext)
        if not self.established:
            self._handshake()
            if not self.established:
                return _NOTHING
        return self.heed(records.read())

    def heed(self, plaintext: memoryview) -> memoryview:
        """
        Take note of how a read of the records has ended.

        @return: the plaintext.
        """
        records = self.records
        status = records.status
        self.more = status is Status.MORE
        if status is Status.CLOSED:
            self.peerClosed = True
        elif status is Status.FAILED:
            self.failure = records.failure
        return plaintext

    def send(self, plaintext: bytes | memoryview) -> None:
        """
        Encrypt for the peer.

        @param plaintext: at most L{BUFFER_SIZE} octets, not empty.  The connection must be
            established and not closed.
        @raise SSL.Error: if the connection cannot go on; then it is L{failure} too.
        """
        try:
            self.records.write(plaintext)
        except SSL.Error as e:
            self.failure = e
            raise

    def outgoing(self) -> memoryview:
        """
        Ciphertext that the peer must be sent; valid until the next call on any engine.  Call again until
        there is none, or until it was less than L{BUFFER_SIZE} octets: that was all then.
        """
        return self.records.drain()

    def close(self) -> None:
        """
        Say that we shall send no more (close_notify).  The peer may go on.
        """
        if self.closed:
            return
        self.closed = True
        self.records.forget()
        try:
            self.connection.shutdown()
        except SSL.Error:
            # OpenSSL refuses before the end of the handshake and after a failure: there is nobody to tell.
            pass

    def _handshake(self) -> None:
        """
        Go on with the handshake as far as what has arrived allows.
        """
        self.records.forget()
        try:
            self.established = self.records.handshake()
        except SSL.Error as e:
            self.failure = e.with_traceback(None)  # which would keep this


assert BUFFER_SIZE >= 2**14, "a record must fit"
