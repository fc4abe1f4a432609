"""
Connections of the load generator: plain or TLS, and with a WebSocket in it or not.

They stand on Python's own C{socket} and C{ssl}, so that they share nothing with the servers but OpenSSL.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
from collections.abc import Callable
from typing import Final

from benchmarks.frames import SWITCHING, Counter, frame, opening
from benchmarks.works import CIPHER, HOST

#: What a non-blocking socket raises that has nothing, or takes nothing, for now.
AGAIN: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

#: Source addresses of connections of which there are many, so that ports do not run out.
_SOURCES: Final = 8

#: Linux's number, which Python's C{socket} does not have everywhere.
_BIND_ADDRESS_NO_PORT: Final = 24

#: How long opening one connection may take, in seconds.
_PATIENCE: Final = 20.0

#: What OpenSSL is told through its configuration file, since Python's C{ssl} cannot set suites of TLS 1.3.
CONFIGURATION: Final = f"""\
openssl_conf = all
[all]
ssl_conf = modules
[modules]
system_default = every
[every]
MinProtocol = TLSv1.3
Ciphersuites = {CIPHER}
Groups = X25519:P-256
"""


class Target:
    """
    A server, and how it is spoken to.

    @ivar secure: whether in TLS.
    @ivar web: whether through a WebSocket.
    """

    def __init__(self, spoken: str, port: int) -> None:
        """
        @param spoken: C{plain}, C{tls}, C{ws} or C{wss}.
        """
        self.port = port
        self.secure = spoken in ("tls", "wss")
        self.web = spoken in ("ws", "wss")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self._sources = itertools.cycle(f"127.0.0.{number + 1}" for number in range(_SOURCES))

    def open(self) -> socket.socket:
        """
        Make a connection, with all handshakes; then it does not block any more.

        @raise OSError: if that fails.
        """
        plain = socket.create_connection((HOST, self.port), _PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self.context.wrap_socket(plain, server_hostname="localhost") if self.secure else plain
        if self.web:
            self._upgrade(connection)
        connection.setblocking(False)
        return connection

    def _upgrade(self, connection: socket.socket) -> None:
        """
        Do the opening handshake of a WebSocket.
        """
        connection.sendall(opening(self.port))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            more = connection.recv(4096)
            answer += more
            if not more or len(answer) > 1 << 16:
                raise ConnectionError(f"no WebSocket: {answer[:80]!r}")
        if not answer.startswith(SWITCHING):
            raise ConnectionError(f"no WebSocket: {answer[:80]!r}")

    def begin(self) -> socket.socket:
        """
        Begin to make a connection: ready to be written to when it stands.
        """
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        plain.bind((next(self._sources), 0))
        with contextlib.suppress(BlockingIOError):
            plain.connect((HOST, self.port))
        return plain

    def secured(self, plain: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        """
        Put TLS on a connection that stands; its handshake is still to be done.

        @param session: of an earlier connection, to go on with.
        """
        return self.context.wrap_socket(
            plain, server_hostname="localhost", do_handshake_on_connect=False, session=session
        )

    def message(self, payload: bytes) -> bytes:
        """
        What goes over a connection for a message.
        """
        return frame(payload) if self.web else payload

    def counter(self) -> Callable[[bytes | memoryview], int]:
        """
        Counts what has come over one connection.
        """
        return Counter().count if self.web else len


def cipher(connection: socket.socket) -> str:
    """
    The suite of a connection; empty for a plain one.
    """
    chosen = connection.cipher() if isinstance(connection, ssl.SSLSocket) else None
    return chosen[0] if chosen else ""


def leave(connection: socket.socket) -> None:
    """
    Close a connection as a good client does: it says so, and does not wait.
    """
    if isinstance(connection, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            connection.unwrap()
    connection.close()
