"""
What small services say, for the tests in C{tests/real}: functions for
L{Peer<tests.support.programs.Peer>}.
"""

from __future__ import annotations

import hashlib
import socket
from typing import Final

#: What L{greeter} says first.
GREETING: Final = b"RFB 003.008\n"


def lines(connection: socket.socket) -> None:
    """
    Answer each line, and hang up after C{bye}.
    """
    with connection.makefile("rb") as stream:
        for line in stream:
            if line.strip() == b"bye":
                return
            connection.sendall(b"heard " + line)


def greeter(connection: socket.socket) -> None:
    """
    Speak first, as VNC servers do; then as L{lines}.
    """
    connection.sendall(GREETING)
    lines(connection)


def digest(connection: socket.socket) -> None:
    """
    Say nothing until the other end has no more; then what that was, in one line.
    """
    count, received = 0, hashlib.sha256()
    while data := connection.recv(1 << 16):
        count += len(data)
        received.update(data)
    connection.sendall(_digest(count, received.hexdigest()))


def digestOf(data: bytes) -> bytes:
    """
    What L{digest} says of some octets.
    """
    return _digest(len(data), hashlib.sha256(data).hexdigest())


def _digest(count: int, sha256: str) -> bytes:
    """
    The line.
    """
    return f"{count} octets, {sha256}\n".encode("ascii")
