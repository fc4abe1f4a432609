"""
A client that keeps a server busy: C{python -m benchmarks.load WORKLOAD PORT CERTIFICATE SECONDS}.

It stands on Python's C{ssl}, so that it shares nothing with the servers but OpenSSL, and runs in a process of
its own.  It counts at the far end only: what it has received itself, or what the server says has arrived.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

#: How often a server that takes octets tells how much has arrived, in octets.
REPORT: Final = 1 << 20

#: The octets of one message in an echo.
MESSAGE: Final = bytes(64)

#: Handshakes that are under way at once.
_PARALLEL: Final = 8

#: What is written or read at once, in octets.
_PIECE: Final = 1 << 18

_AGAIN = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True)
class Load:
    """
    What was done.

    @ivar units: octets, handshakes or round trips.
    @ivar seconds: in how long.
    @ivar cipher: the suite that was negotiated.
    """

    units: int
    seconds: float
    cipher: str


class Target:
    """
    The server.
    """

    def __init__(self, port: int, certificate: str) -> None:
        self.port = port
        self.context = ssl.create_default_context(cafile=certificate)

    def connect(self) -> ssl.SSLSocket:
        """
        Make a connection, with its handshake.
        """
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(plain, server_hostname="localhost")

    def begin(self, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        """
        Begin to make a connection, without waiting.

        @param session: of an earlier connection, to go on with.
        """
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setblocking(False)
        return self.context.wrap_socket(
            plain, server_hostname="localhost", do_handshake_on_connect=False, session=session
        )


def _cipher(connection: ssl.SSLSocket) -> str:
    """
    The suite of a connection.
    """
    cipher = connection.cipher()
    return cipher[0] if cipher else ""


def down(target: Target, seconds: float) -> Load:
    """
    Octets from the server, on one connection.
    """
    buffer = bytearray(_PIECE)
    received = 0
    with target.connect() as connection:
        cipher = _cipher(connection)
        connection.sendall(b"d")
        start = time.perf_counter()
        end = start + seconds
        while (now := time.perf_counter()) < end:
            received += connection.recv_into(buffer)
        return Load(received, now - start, cipher)


def up(target: Target, seconds: float) -> Load:
    """
    Octets to the server, on one connection; counted as far as the server says that they have arrived.
    """
    piece = memoryview(bytes(_PIECE))
    with target.connect() as connection, selectors.DefaultSelector() as selector:
        cipher = _cipher(connection)
        connection.sendall(b"u")
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        reports, offset = 0, 0
        start = time.perf_counter()
        end = start + seconds
        while (now := time.perf_counter()) < end:
            selector.select(0.1)
            try:
                offset = (offset + connection.send(piece[offset:])) % _PIECE
            except _AGAIN:
                pass
            try:
                reports += len(connection.recv(4096))
            except _AGAIN:
                pass
        return Load(reports * REPORT, now - start, cipher)


def echo(target: Target, seconds: float, connections: int) -> Load:
    """
    Round trips of one small message on each of some connections.
    """
    with selectors.DefaultSelector() as selector:
        waiting: dict[ssl.SSLSocket, int] = {}
        for _ in range(connections):
            connection = target.connect()
            connection.sendall(b"e" + MESSAGE)
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, connection)
            waiting[connection] = len(MESSAGE)
        trips = 0
        start = time.perf_counter()
        end = start + seconds
        while (now := time.perf_counter()) < end:
            for key, _ in selector.select(0.1):
                connection = key.data
                try:
                    waiting[connection] -= len(connection.recv(4096))
                except _AGAIN:
                    continue
                if waiting[connection] == 0:
                    trips += 1
                    waiting[connection] = len(MESSAGE)
                    connection.send(MESSAGE)
        cipher = _cipher(connection)
        for connection in waiting:
            connection.close()
        return Load(trips, now - start, cipher)


def handshakes(target: Target, seconds: float, resume: bool = False) -> Load:
    """
    Handshakes, each proven by one octet from the server, some at once.

    @param resume: whether to go on with an earlier session, where the server lets us; else all are full.
    """
    done, cipher = 0, ""
    session: ssl.SSLSession | None = None
    with selectors.DefaultSelector() as selector:
        sent: dict[ssl.SSLSocket, bool] = {}

        def another() -> None:
            connection = target.begin(session)
            sent[connection] = False
            selector.register(connection, selectors.EVENT_WRITE, connection)

        for _ in range(_PARALLEL):
            another()
        start = time.perf_counter()
        end = start + seconds
        while (now := time.perf_counter()) < end:
            for key, _ in selector.select(0.1):
                connection = key.data
                try:
                    if not sent[connection]:
                        connection.do_handshake()
                        connection.send(b"h")
                        sent[connection] = True
                    if connection.recv(16) != b"h":
                        raise ssl.SSLError("the server did not answer")
                except _AGAIN as e:
                    write = isinstance(e, ssl.SSLWantWriteError)
                    selector.modify(
                        connection, selectors.EVENT_WRITE if write else selectors.EVENT_READ, connection
                    )
                    continue
                done += 1
                cipher = _cipher(connection)
                session = connection.session if resume else None
                selector.unregister(connection)
                del sent[connection]
                connection.close()
                another()
        for connection in sent:
            connection.close()
        return Load(done, now - start, cipher)


WORKLOADS: Final[dict[str, Callable[[Target, float], Load]]] = {
    "down": down,
    "up": up,
    "handshakes": handshakes,
    "reconnects": lambda target, seconds: handshakes(target, seconds, resume=True),
    "echo 1": lambda target, seconds: echo(target, seconds, 1),
    "echo 100": lambda target, seconds: echo(target, seconds, 100),
}


def main(workload: str, port: str, certificate: str, seconds: str) -> None:
    """
    Do one workload, and print what was done.
    """
    print(json.dumps(asdict(WORKLOADS[workload](Target(int(port), certificate), float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
