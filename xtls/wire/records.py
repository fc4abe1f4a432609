"""
TLS records of one connection, and the public way to them.

L{Records} is what an engine needs of OpenSSL; L{PublicRecords} gives it with pyOpenSSL's public methods,
which allocate a buffer and copy it for each call.  (L{xtls.wire.openssl} gives it without.)

The buffers here are shared by all connections of the process.  They are safe because one reactor turn uses
them at a time: what L{Records.read} or L{Records.drain} returns is valid only until the next call for any
connection, and is consumed by then.  An SSL object is never used from two threads.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Protocol

from OpenSSL import SSL

__all__ = ["BUFFER_SIZE", "EMPTY", "PublicRecords", "Records", "Status", "cipherView", "plainView"]

#: Octets that one turn moves at most, in one direction.
BUFFER_SIZE: Final = 256 * 1024

#: What the ciphertext of L{BUFFER_SIZE} octets needs more than they do (at most 256 octets a record of 2**14,
#: RFC 8446, section 5.2), and a handshake's flight.
_OVERHEAD: Final = 32 * 1024

#: Nothing.
EMPTY: Final = memoryview(b"")

#: What the functions of L{Records} return views of.
plainView: Final = memoryview(bytearray(BUFFER_SIZE))
cipherView: Final = memoryview(bytearray(BUFFER_SIZE + _OVERHEAD))


class Status(Enum):
    """
    How a read ended.
    """

    #: Everything that has arrived is read.
    WANT_READ = auto()
    #: The buffer is full: there may be more.
    MORE = auto()
    #: The peer has sent close_notify (RFC 8446, section 6.1).
    CLOSED = auto()
    #: The connection cannot go on; see C{failure}.
    FAILED = auto()


class Records(Protocol):
    """
    One connection's TLS records, between two memory BIOs.

    @ivar status: how the last L{read} ended.
    @ivar failure: why, when it is L{Status.FAILED}.
    """

    status: Status
    failure: SSL.Error | None

    def handshake(self) -> bool:
        """
        Go on with the handshake.

        @return: whether it is complete; else it needs more from the peer.
        @raise SSL.Error: if it has failed.
        """

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """
        Take ciphertext from the peer.
        """

    def read(self) -> memoryview:
        """
        Plaintext of what was fed, at most L{BUFFER_SIZE} octets; valid until the next call.
        """

    def write(self, plaintext: bytes | memoryview) -> None:
        """
        Turn plaintext (at most L{BUFFER_SIZE} octets, and at least one) into records.

        @raise SSL.Error: if the connection cannot go on.
        """

    def drain(self) -> memoryview:
        """
        Ciphertext for the peer, or nothing; valid until the next call.  When it is less than L{BUFFER_SIZE}
        octets, there is no more.
        """

    def forget(self) -> None:
        """
        Empty OpenSSL's error queue, where that is possible, before a method of L{SSL.Connection} is called.
        """


class PublicRecords:
    """
    L{Records} over pyOpenSSL's public methods.
    """

    __slots__ = ("_connection", "failure", "status")

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self.status = Status.WANT_READ
        self.failure: SSL.Error | None = None

    def handshake(self) -> bool:
        """
        Go on with the handshake.
        """
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """
        Take ciphertext from the peer.
        """
        self._connection.bio_write(ciphertext)

    def read(self) -> memoryview:
        """
        Plaintext of what was fed; valid until the next call.
        """
        filled = 0
        try:
            while filled < BUFFER_SIZE:
                filled += self._connection.recv_into(plainView[filled:])
            self.status = Status.MORE
        except SSL.WantReadError:
            self.status = Status.WANT_READ
        except SSL.ZeroReturnError:
            self.status = Status.CLOSED
        except SSL.Error as e:
            self.status = Status.FAILED
            self.failure = e.with_traceback(None)
        return plainView[:filled]

    def write(self, plaintext: bytes | memoryview) -> None:
        """
        Turn plaintext into records.
        """
        view = memoryview(plaintext)
        while view:
            view = view[self._connection.send(view) :]

    def drain(self) -> memoryview:
        """
        Ciphertext for the peer; valid until the next call.
        """
        try:
            return memoryview(self._connection.bio_read(len(cipherView)))
        except SSL.WantReadError:
            return EMPTY

    def forget(self) -> None:
        """
        There is no public way to it.
        """
