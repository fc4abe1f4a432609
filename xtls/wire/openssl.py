"""
The OpenSSL calls of the data path, without copies.

pyOpenSSL's public methods allocate a buffer and copy it for each call, which costs a third to a
half of the time of a bulk transfer.  L{DirectRecords} calls the same OpenSSL functions through
pyOpenSSL's own binding, on buffers that the whole process shares; L{PublicRecords} does the same
with public methods only.  L{recordsFor} takes the first where the private names that it needs are
as they are known here (probed once, at import), and the second elsewhere.

C{SSL_get_error} must follow the call that failed at once, and finds whatever an earlier failure of
anybody left in the thread's error queue: so the queue is emptied before each call that is followed
by it.  (Public methods cannot do that; but they leave nothing there themselves.)
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL

from xtls.wire.inflow import READ_BUFFER
from xtls.wire.records import (
    BUFFER_SIZE,
    EMPTY,
    PublicRecords,
    Records,
    Status,
    cipherView,
    plainView,
)

__all__ = ["DirectRecords", "recordsFor"]

#: Octets from which on it is cheaper to let OpenSSL read from the shared buffer than to copy them for it.
_LARGE: Final = 4096


def _bindings() -> tuple[Any, Any] | None:
    """
    pyOpenSSL's C{lib} and C{ffi}, when all that is used of them is there.
    """
    lib, ffi = getattr(SSL, "_lib", None), getattr(SSL, "_ffi", None)
    needed = (
        "SSL_do_handshake",
        "SSL_read",
        "SSL_write",
        "BIO_read",
        "BIO_write",
        "BIO_get_mem_data",
        "BIO_new",
        "BIO_new_mem_buf",
        "BIO_s_mem",
        "BIO_set_mem_eof_return",
        "SSL_set_bio",
        "SSL_get0_alpn_selected",
        "SSL_version",
        "SSL_get_error",
        "SSL_clear_mode",
        "SSL_MODE_ENABLE_PARTIAL_WRITE",
        "SSL_ERROR_WANT_READ",
        "SSL_ERROR_ZERO_RETURN",
        "ERR_clear_error",
    )
    if ffi is None or not hasattr(SSL, "_raise_current_error"):
        return None
    if not all(hasattr(lib, name) for name in needed):
        return None
    # A probe, which never connects anywhere.
    probe = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)  # noqa: TID251
    if not all(hasattr(probe, name) for name in ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error")):
        return None
    return lib, ffi


_lib: Any
_ffi: Any
_lib, _ffi = _bindings() or (None, None)

if _lib is not None:
    _plainPointer = _ffi.from_buffer("char[]", plainView.obj)
    _readPointer = _ffi.from_buffer("char[]", READ_BUFFER.obj)
    _NULL = _ffi.NULL
    _cipherPointer = _ffi.from_buffer("char[]", cipherView.obj)
    _WANT_READ = _lib.SSL_ERROR_WANT_READ
    _ZERO_RETURN = _lib.SSL_ERROR_ZERO_RETURN
    _SSL_do_handshake, _SSL_read, _SSL_write = _lib.SSL_do_handshake, _lib.SSL_read, _lib.SSL_write
    _BIO_read, _BIO_write, _pending = _lib.BIO_read, _lib.BIO_write, _lib.BIO_get_mem_data
    _SSL_get_error, _ERR_clear_error = _lib.SSL_get_error, _lib.ERR_clear_error
    _readObject = READ_BUFFER.obj
    _BIO_new_mem_buf, _BIO_set_mem_eof_return = _lib.BIO_new_mem_buf, _lib.BIO_set_mem_eof_return
    _SSL_set_bio = _lib.SSL_set_bio
    _SSL_version = _lib.SSL_version
    _SSL_get0_alpn_selected = _lib.SSL_get0_alpn_selected
    _name, _nameLength = _ffi.new("unsigned char **"), _ffi.new("unsigned int *")
    _from_buffer = _ffi.from_buffer


class DirectRecords:
    """
    L{Records} over OpenSSL's functions themselves.
    """

    __slots__ = ("_connection", "_from", "_into", "_lent", "_result", "_ssl", "failure", "status")

    #: Whether what is needed for it is there.
    available = _lib is not None

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        private: Any = connection
        self._ssl, self._into, self._from = private._ssl, private._into_ssl, private._from_ssl
        self._lent = False  # OpenSSL reads from the shared buffer
        # Whole writes only: otherwise a long write becomes one record, silently.
        _lib.SSL_clear_mode(self._ssl, _lib.SSL_MODE_ENABLE_PARTIAL_WRITE)
        self.status = Status.WANT_READ
        self.failure: SSL.Error | None = None

    def handshake(self) -> bool:
        """
        Go on with the handshake.
        """
        result: int = _SSL_do_handshake(self._ssl)
        if result > 0:
            return True
        if _SSL_get_error(self._ssl, result) != _WANT_READ:
            private: Any = self._connection
            private._raise_ssl_error(self._ssl, result)
        return False

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """
        Take ciphertext from the peer.
        """
        shared = getattr(ciphertext, "obj", None) is _readObject
        self._take(_from_buffer(ciphertext), len(ciphertext), shared)

    def read(self) -> memoryview:
        """
        Plaintext of what was fed; valid until the next call.
        """
        _ERR_clear_error()
        return self._readOn(_SSL_read(self._ssl, _plainPointer, BUFFER_SIZE))

    def decrypt(self, length: int) -> int:
        """
        Take what was read from a socket into the shared buffer, and turn it into plaintext, if it is one
        record.

        @param length: how many octets are in L{READ_BUFFER<xtls.wire.inflow.READ_BUFFER>}.
        @return: how many octets are in L{plainView}, and there is nothing else to do; or 0: call L{rest}.
        """
        if self._lent or length > _LARGE:
            self._take(_readPointer, length, True)
        else:
            _BIO_write(self._into, _readPointer, length)
        _ERR_clear_error()
        count: int = _SSL_read(self._ssl, _plainPointer, BUFFER_SIZE)
        if count > 0 and not (_pending(self._into, _NULL) or _pending(self._from, _NULL)):
            return count
        self._result = count
        return 0

    def rest(self) -> memoryview:
        """
        Plaintext of what L{decrypt} was given, all of it, as L{read} has it.
        """
        return self._readOn(self._result)

    def encrypt(self, length: int) -> int:
        """
        Turn what was read from a socket into the shared buffer into records.

        @param length: how many octets are in L{READ_BUFFER<xtls.wire.inflow.READ_BUFFER>}.
        @return: how many octets are in L{cipherView}; when it is less than L{BUFFER_SIZE}, there is no more.
        @raise SSL.Error: if the connection cannot go on.
        """
        if _SSL_write(self._ssl, _readPointer, length) <= 0:
            SSL._raise_current_error()
        count: int = _BIO_read(self._from, _cipherPointer, len(cipherView))
        return count

    def pending(self) -> bool:
        """
        Whether there is ciphertext for the peer.
        """
        return bool(_pending(self._from, _NULL))

    @property
    def newest(self) -> bool:
        """
        Whether this is TLS 1.3, in which nobody waits for what a server says when the handshake is complete.
        """
        return bool(_SSL_version(self._ssl) == SSL.TLS1_3_VERSION)

    def negotiated(self) -> bool:
        """
        Whether an application protocol was agreed on (ALPN, RFC 7301).
        """
        _SSL_get0_alpn_selected(self._ssl, _name, _nameLength)
        return bool(_nameLength[0])

    def _take(self, pointer: Any, length: int, shared: bool) -> None:
        """
        Give OpenSSL ciphertext.  Where there is much of it in the shared buffer, OpenSSL reads it there,
        without a copy.  When it has read all whole records, what is left of the buffer is in its own memory:
        so that ends when a read has said L{Status.WANT_READ}; where it says something else, nothing is read
        any more, or L{_own} is called.

        @param shared: whether it is in the shared buffer.
        """
        if shared and (self._lent or length > _LARGE) and not _pending(self._into, _NULL):
            self._replace(_BIO_new_mem_buf(pointer, length))
            self._lent = True
            return
        if self._lent:
            self._own()
        _BIO_write(self._into, pointer, length)

    def _own(self) -> None:
        """
        Give OpenSSL a buffer of its own again, with what it has not read yet.
        """
        left = _pending(self._into, _NULL)
        octets = _ffi.new("char[]", left) if left else _NULL
        if left:
            _BIO_read(self._into, octets, left)
        self._replace(_lib.BIO_new(_lib.BIO_s_mem()))
        self._lent = False
        if left:
            _BIO_write(self._into, octets, left)

    def _replace(self, bio: Any) -> None:
        """
        Have OpenSSL read from another BIO.
        """
        _BIO_set_mem_eof_return(bio, -1)  # the end of it is not the end of the connection
        _SSL_set_bio(self._ssl, bio, self._from)  # frees the one before
        private: Any = self._connection
        self._into = private._into_ssl = bio

    def _readOn(self, count: int) -> memoryview:
        """
        Go on reading.

        @param count: what a first C{SSL_read} returned, into L{plainView}.
        """
        ssl, filled = self._ssl, 0
        while count > 0:
            filled += count
            if filled == BUFFER_SIZE:
                self.status = Status.MORE
                if self._lent:
                    self._own()
                return plainView
            count = _SSL_read(ssl, _plainPointer + filled, BUFFER_SIZE - filled)
        error = _SSL_get_error(ssl, count)
        if error == _WANT_READ:
            self.status = Status.WANT_READ
        elif error == _ZERO_RETURN:
            self.status = Status.CLOSED
        else:
            self._fail()
        return plainView[:filled]

    def write(self, plaintext: bytes | memoryview) -> None:
        """
        Turn plaintext into records.
        """
        if _SSL_write(self._ssl, _from_buffer(plaintext), len(plaintext)) <= 0:
            SSL._raise_current_error()

    def drain(self) -> memoryview:
        """
        Ciphertext for the peer; valid until the next call.
        """
        count = _BIO_read(self._from, _cipherPointer, len(cipherView))
        return cipherView[:count] if count > 0 else EMPTY

    def forget(self) -> None:
        """
        Empty OpenSSL's error queue.
        """
        _ERR_clear_error()

    def _fail(self) -> None:
        """
        Take the reason from OpenSSL's error queue.
        """
        self.status = Status.FAILED
        try:
            SSL._raise_current_error()
        except SSL.Error as e:
            self.failure = e.with_traceback(None)  # which would keep whoever has called


def recordsFor(connection: SSL.Connection) -> Records:
    """
    The fastest L{Records} that the pyOpenSSL which is installed allows.

    @param connection: a connection over memory BIOs, whose handshake need not have begun.
    """
    return DirectRecords(connection) if DirectRecords.available else PublicRecords(connection)
