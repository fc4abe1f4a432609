"""
A backend for large transfers, in a process of its own: C{python -m tests.support.volume}.

Each connection begins with a line of JSON, a L{Request}; from then on the backend takes what comes, and gives
what was asked for, both at once.  What it took is told in its last line (see L{digestLine}), unless it was
asked to end first; and it is printed, with the request's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from random import Random
from typing import Final

#: Octets that are made at once.
BLOCK: Final = 1 << 20

#: Seconds for anything to happen on a connection.
_DEADLINE: Final = 120.0


@cache
def _noise() -> bytes:
    """
    Octets without order.
    """
    return Random(1).randbytes(BLOCK)


def blocks(octets: int) -> Iterator[bytes]:
    """
    So many octets, the same in each process; no piece of them is like its neighbours.
    """
    noise = _noise()
    for number, start in enumerate(range(0, octets, BLOCK)):
        turn = number * 7919 % BLOCK
        yield (noise[turn:] + noise[:turn])[: octets - start]


@cache
def digestOf(octets: int) -> str:
    """
    The SHA-256 of L{blocks}.
    """
    digest = hashlib.sha256()
    for block in blocks(octets):
        digest.update(block)
    return digest.hexdigest()


def digestLine(octets: int, digest: str) -> bytes:
    """
    What is said of some octets.
    """
    return f"{octets} octets, SHA-256 {digest}\n".encode("ascii")


@dataclass(frozen=True)
class Request:
    """
    What a connection is for.

    @ivar name: what it is called in what the backend prints.
    @ivar give: octets to send.
    @ivar endFirst: whether to end our direction when all is given, without a word of what was taken.
    @ivar pauseAt: after how many octets to stop reading.
    @ivar goOn: the path of a file: when it is there, reading goes on; empty for no pause.
    """

    name: str
    give: int = 0
    endFirst: bool = False
    pauseAt: int = 0
    goOn: str = ""

    def encode(self) -> bytes:
        """
        The line.  Its first octet leads a port to its session.
        """
        return b"\0" + json.dumps(asdict(self)).encode("ascii") + b"\n"


def _read(connection: socket.socket) -> tuple[Request, bytes]:
    """
    The request of a connection, and what came with it.
    """
    received = b""
    while b"\n" not in received:
        data = connection.recv(BLOCK)
        if not data:
            raise EOFError
        received += data
    line, _, rest = received.partition(b"\n")
    return Request(**json.loads(line[1:])), rest


def _give(connection: socket.socket, request: Request) -> None:
    """
    Send what was asked for.
    """
    for block in blocks(request.give):
        connection.sendall(block)
    _say(request, f"gave {request.give}")
    if request.endFirst:
        connection.shutdown(socket.SHUT_WR)


def _take(connection: socket.socket, request: Request, rest: bytes) -> bytes:
    """
    Read to the end.

    @return: what is said of it.
    """
    digest, count = hashlib.sha256(rest), len(rest)
    paused = not request.goOn
    while True:
        if not paused and count >= request.pauseAt:
            paused = True
            _say(request, "pausing")
            while not os.path.exists(request.goOn):
                time.sleep(0.02)
        data = connection.recv(BLOCK)
        if not data:
            return digestLine(count, digest.hexdigest())
        digest.update(data)
        count += len(data)


def _serve(connection: socket.socket) -> None:
    """
    One connection.
    """
    connection.settimeout(_DEADLINE)
    try:
        with connection:
            request, rest = _read(connection)
            giving = threading.Thread(target=_give, args=[connection, request], daemon=True)
            giving.start()
            line = _take(connection, request, rest)
            giving.join()
            if not request.endFirst:
                connection.sendall(line)
            _say(request, f"took {line.decode('ascii').strip()}")
    except (EOFError, OSError) as e:
        _print(f"lost: {e!r}")


def _say(request: Request, text: str) -> None:
    """
    Print what has happened on a connection.
    """
    _print(f"{request.name}: {text}")


def _print(line: str) -> None:
    """
    Print a line, as one write.
    """
    os.write(1, f"{line}\n".encode("ascii"))


def main() -> None:
    """
    Serve until the process is ended.
    """
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    _print(f"listening on {listening.getsockname()[1]}")
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=[connection], daemon=True).start()


if __name__ == "__main__":
    main()
