"""
Keeps a server busy: C{python -m benchmarks.generator JOB}, in a process of its own.

Counts at the far end only: what it has received itself, or what the backend says has arrived.  After a while
to warm up it notes the clock, the processor seconds of the server and what was done so far, and once more
when the time is over; the differences are the L{Load}, which it prints, as a line of JSON.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from benchmarks.frames import Counter
from benchmarks.jobs import Job, Load, Window
from benchmarks.loop import Loop
from benchmarks.opening import connecting, holding
from benchmarks.streams import Target, cipher
from benchmarks.works import SIZE

#: What is written or read at once in bulk, in octets.
_PIECE: Final = 1 << 18

#: What one message has in bulk through a WebSocket.
_MESSAGE: Final = 1 << 16

#: Reads or writes of one connection before the next has its turn.
_TURNS: Final = 16

#: What a server must give back unchanged before it is measured, in octets.
_PROOF: Final = 1 << 17


def down(loop: Loop, target: Target, connection: socket.socket) -> None:
    """
    Take octets.
    """
    counts, buffer, counter = loop.counts, bytearray(_PIECE), target.counter()
    view, whole = memoryview(buffer), 1 << 14 if target.secure else _PIECE

    def ready() -> None:
        for _ in range(_TURNS):
            length = connection.recv_into(buffer)
            if not length:
                raise ConnectionError("ended")
            counts.units += counter(view[:length])
            if length < whole:
                return

    connection.send(target.message(b"d"))
    loop.add(connection, select.EPOLLIN, ready)


def up(loop: Loop, target: Target, connection: socket.socket) -> None:
    """
    Give octets; it is the backend that counts them.
    """
    piece = bytes(range(256)) * (_MESSAGE // 256)
    bulk = memoryview(target.message(piece) * (_PIECE // _MESSAGE))
    offset = 0

    def ready() -> None:
        nonlocal offset
        for _ in range(_TURNS):
            offset += connection.send(bulk[offset:])
            if offset == len(bulk):
                offset = 0

    connection.send(target.message(b"u"))
    loop.add(connection, select.EPOLLOUT, ready)


def echo(loop: Loop, target: Target, connection: socket.socket) -> None:
    """
    Send a small message whenever the one before is back.
    """
    counts, counter, clock = loop.counts, target.counter(), time.perf_counter
    message, note = target.message(bytes(SIZE)), loop.counts.latencies.append
    begun, missing = clock(), SIZE

    def ready() -> None:
        nonlocal begun, missing
        data = connection.recv(4096)
        if not data:
            raise ConnectionError("ended")
        missing -= counter(data)
        if not missing:
            now = clock()
            note(now - begun)
            counts.units += 1
            begun, missing = now, SIZE
            connection.send(message)

    connection.send(target.message(b"e"))
    loop.add(connection, select.EPOLLIN, ready)
    connection.send(message)


#: What is done on connections that stand.
STANDING: Final[dict[str, Callable[[Loop, Target, socket.socket], None]]] = {
    "down": down,
    "up": up,
    "echo": echo,
}


def prove(target: Target) -> None:
    """
    See that a server gives everything back, in order and unchanged.

    @raise ConnectionError: if not.
    """
    sent = random.Random(0).randbytes(_PROOF)
    connection = target.open()
    connection.settimeout(10)
    connection.sendall(target.message(b"e") + target.message(sent))
    got = bytearray()
    take = Counter(got).count if target.web else got.extend
    while len(got) < _PROOF:
        more = connection.recv(1 << 16)
        if not more:
            break
        take(more)
    connection.close()
    if got != sent:
        raise ConnectionError("what came back is not what was sent")


def standing(job: Job, target: Target) -> Load:
    """
    Do what is done on connections that stand.
    """
    prove(target)
    loop = Loop()
    for _ in range(job.connections):
        connection = target.open()
        loop.counts.cipher = cipher(connection)
        STANDING[job.kind](loop, target, connection)
    loop.run(time.perf_counter() + job.warm)
    window = Window(job, loop.counts)
    loop.run(time.perf_counter() + job.seconds, lambda: not len(loop))
    return window.close()


def main(text: str) -> None:
    """
    Do a job, and print what was done.
    """
    job = Job(**json.loads(text))
    target = Target(job.spoken, job.port)
    gc.disable()
    if job.kind == "hold":
        holding(job, target, sys.stdin, sys.stdout)
    else:
        done = connecting(job, target) if job.kind == "connect" else standing(job, target)
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
    sys.stdout.flush()
    os._exit(0)  # thousands of connections need not be closed one by one


if __name__ == "__main__":
    main(*sys.argv[1:])
