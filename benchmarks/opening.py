"""
The part of the load generator that opens connections: one after the other, some at once, or many to keep.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, TextIO

from benchmarks.jobs import Job, Load, Window
from benchmarks.loop import Loop
from benchmarks.streams import AGAIN, Target, cipher, leave

#: Connections that are being opened at once, of those that are kept.
_PARALLEL: Final = 64

#: What a connection says first, and what must come back.
_HELLO: Final = b"ex"
_ANSWER: Final = b"x"

#: How long opening those that are kept may take, in seconds.
_PATIENCE: Final = 45.0

#: How long they are kept at most, in seconds.
_KEEP: Final = 30.0


class Opening:
    """
    One connection that is being opened: TCP, TLS where the server has it, and one octet to the backend and
    back.  Only then is it open.
    """

    def __init__(
        self, loop: Loop, target: Target, session: ssl.SSLSession | None, done: Callable[[Opening], None]
    ) -> None:
        """
        @param session: of an earlier connection, to go on with.
        @param done: is called when it is open.
        """
        self._loop, self._target, self._session, self._done = loop, target, session, done
        self.begun = time.perf_counter()
        self.connection = target.begin()
        loop.add(self.connection, select.EPOLLOUT, self._connected)

    def _connected(self) -> None:
        problem = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, "not connected")
        if self._target.secure:
            self.connection = self._target.secured(self.connection, self._session)
            self._handshake()
        else:
            self._greet()

    def _handshake(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        try:
            self.connection.do_handshake()
        except AGAIN as e:
            write = isinstance(e, ssl.SSLWantWriteError)
            self._loop.change(self.connection, select.EPOLLOUT if write else select.EPOLLIN, self._handshake)
            return
        self._greet()

    def _greet(self) -> None:
        self.connection.send(_HELLO)
        self._loop.change(self.connection, select.EPOLLIN, self._answered)

    def _answered(self) -> None:
        if self.connection.recv(16) != _ANSWER:
            raise ConnectionError("the answer is missing")
        self._done(self)


def connecting(job: Job, target: Target) -> Load:
    """
    Open connections and close them, some at once.
    """
    loop = Loop()
    counts = loop.counts
    session: ssl.SSLSession | None = None

    def done(opening: Opening) -> None:
        nonlocal session
        connection = opening.connection
        counts.units += 1
        counts.latencies.append(time.perf_counter() - opening.begun)
        if isinstance(connection, ssl.SSLSocket):
            counts.resumed += bool(connection.session_reused)
            # one is enough for as long as the server takes it: to get one costs as much as a handshake
            if job.resume and not connection.session_reused:
                session = connection.session
            counts.cipher = counts.cipher or cipher(connection)
        loop.remove(connection)
        leave(connection)

    def fill() -> bool:
        while len(loop) < job.connections:
            Opening(loop, target, session, done)
        return counts.errors > 1000

    loop.run(time.perf_counter() + job.warm, fill)
    window = Window(job, counts)
    loop.run(time.perf_counter() + job.seconds, fill)
    return window.close()


def holding(job: Job, target: Target, read: TextIO, write: TextIO) -> None:
    """
    Open connections and keep them: print what was done, then wait for a line.
    """
    loop = Loop()
    counts = loop.counts
    started = opened = 0
    ended = 0.0

    def done(opening: Opening) -> None:
        nonlocal opened, ended
        opened += 1
        ended = time.perf_counter()
        counts.units += 1
        counts.latencies.append(ended - opening.begun)
        counts.cipher = cipher(opening.connection)
        loop.change(opening.connection, 0, _nothing)

    def fill() -> bool:
        nonlocal started
        while started < job.connections and started - opened - counts.errors < _PARALLEL:
            Opening(loop, target, None, done)
            started += 1
        return opened + counts.errors >= job.connections

    window = Window(job, counts)
    begun = time.perf_counter()
    loop.run(begun + _PATIENCE, fill)
    load = window.close()
    load.seconds = max(ended - begun, 1e-6)
    load.errors += started - opened - counts.errors
    write.write(json.dumps(asdict(load)) + "\n")
    write.flush()
    select.select([read], [], [], _KEEP)


def _nothing() -> None:
    """
    What is kept and idle has nothing to say; if it was lost, that counts.
    """
    raise ConnectionError("lost")
