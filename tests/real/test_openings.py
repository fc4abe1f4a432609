"""
20,000 random openings at one port: no exception, nothing left behind, and the port still serves.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from tests.support.interop import InteropCase
from tests.support.openings import End, Opening, opening
from tests.support.programs import DEADLINE, Program, readAll, readExactly
from tests.support.transfers import ROOT

#: How many.
COUNT: Final = 20_000

#: The first of their seeds.
SEED: Final = 20_261_123

#: How many are there at once.
PARALLEL: Final = 96

#: Seconds for which a client waits for the other end, at most.
PATIENCE: Final = 0.5

#: All deadlines of the port, short.
DEADLINES: Final = (
    "--detect-timeout=200ms",
    "--handshake-timeout=400ms",
    "--http-timeout=300ms",
    "--connect-timeout=2s",
    "--close-timeout=300ms",
)

#: Where some of the openings must have led.
PATHS: Final = ("tcp>session", "tcp>http", "tcp>tls>session", "tcp>tls>http", "http>ws")

#: What a log must not have.
_WRONG: Final = re.compile(r"Traceback|Unhandled|Exception|Error\b|#error|#critical|Warning")


class Client(threading.Thread):
    """
    Does one opening after the other.

    @ivar ends: how many ended in which way.
    @ivar failure: what ended this thread, if something did.
    """

    def __init__(self, port: int, context: ssl.SSLContext, seeds: range) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._context = context
        self._seeds = seeds
        self.ends: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """
        Do all of them.
        """
        try:
            for seed in self._seeds:
                self._do(opening(seed))
        except BaseException as e:
            self.failure = e

    def _do(self, asked: Opening) -> None:
        """
        Do one.
        """
        with socket.create_connection(("127.0.0.1", self._port), DEADLINE) as connection:
            try:
                if asked.secure:
                    connection = self._context.wrap_socket(connection, server_hostname="localhost")
                with connection:
                    self._send(connection, asked)
                    self._end(connection, asked.end)
                self.ends["in order"] += 1
            except OSError as e:
                self.ends[type(e).__name__] += 1

    def _send(self, connection: socket.socket, asked: Opening) -> None:
        """
        Send the segments.
        """
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in asked.segments:
            if segment:
                connection.sendall(segment)
            if asked.pause:
                time.sleep(asked.pause)

    def _end(self, connection: socket.socket, end: End) -> None:
        """
        End it.
        """
        connection.settimeout(PATIENCE)
        if end is End.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif end is End.ANSWERED:
            connection.recv(4096)
        elif end is not End.CLOSE:
            if end is End.HALF:
                connection.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + PATIENCE
            while connection.recv(1 << 16) and time.monotonic() < deadline:
                pass


class OpeningsTests(InteropCase):
    """
    A port with everything, in front of a backend that cannot be relied on.
    """

    def setUp(self) -> None:
        super().setUp()
        variables = {"PYTHONPATH": str(ROOT)}
        moody = [sys.executable, "-m", "tests.support.moody", str(SEED)]
        backend = Program(self, moody, self.folder, variables=variables)
        number = backend.waitFor(r"^listening on (\d+)")[1]
        options = ["--bind-tcp=127.0.0.1:0", f"--forward=tcp:127.0.0.1:{number}", "--ssl-cert=server.pem"]
        watched = [sys.executable, "-m", "tests.support.watched", *options, *DEADLINES]
        self.server = Program(self, watched, self.folder, variables=variables)
        self.facts = int(self.server.waitFor(r"^facts at (\d+)")[1])
        self.number = int(self.server.waitFor(r"xtls listening: tcp \S+:(\d+) \(")[1])

    def holds(self) -> Any:
        """
        What the port's process holds.
        """
        with socket.create_connection(("127.0.0.1", self.facts), DEADLINE) as connection:
            return json.loads(readAll(connection))

    def test_openings(self) -> None:
        """
        Whatever clients begin with and however they end, the port raises nothing, holds nothing when its
        deadlines have passed, and serves the next one.
        """
        self.open(range(SEED - 500, SEED))  # everything is loaded now that there is
        before = self.settled()
        ends = self.open(range(SEED, SEED + COUNT))
        self.assertEqual(sum(ends.values()), COUNT)
        for path in PATHS:
            self.assertGreater(self.server.log.count(f": {path}\n"), COUNT // 1000, path)
        self.assertEqual(self.settled(before), before)
        wrong = [line for line in self.server.log.splitlines() if _WRONG.search(line)]
        self.assertEqual(wrong, [], self.server.log[-20000:] if wrong else "")
        self.serves()

    def open(self, seeds: range) -> Counter[str]:
        """
        Do openings, several at a time.
        """
        context = self.context()
        clients = [Client(self.number, context, seeds[first::PARALLEL]) for first in range(PARALLEL)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
            if client.failure is not None:
                raise client.failure
        return sum((client.ends for client in clients), Counter())

    def settled(self, expected: Any = None) -> Any:
        """
        What the port holds when all its deadlines have passed.

        @param expected: enough, as soon as it is that.
        """
        end = time.monotonic() + 15
        held = None
        while True:
            before, held = held, self.holds()
            if held == expected or time.monotonic() > end or (expected is None and held == before):
                return held
            time.sleep(2.5 if expected is None else 0.25)

    def serves(self) -> None:
        """
        All that a port is for.  The backend may be in another mood, but not always.
        """
        upgrade = (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        for connect in (self.connect, self.secure):
            for question, answer in (
                (b"\0hello", b"\0hello"),
                (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200 "),
                (upgrade, b"HTTP/1.1 101 "),
            ):
                self.assertTrue(any(self.asked(connect, question, answer) for _ in range(20)), question)

    def asked(self, connect: Callable[[int], socket.socket], question: bytes, answer: bytes) -> bool:
        """
        Whether a question gets an answer.
        """
        with contextlib.suppress(OSError), connect(self.number) as connection:
            connection.sendall(question)
            return readExactly(connection, len(answer)) == answer
        return False
