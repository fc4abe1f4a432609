"""
What the tests share in which other people's programs meet ours, on one machine.
"""

from __future__ import annotations

import re
import shlex
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authority, serverPair
from tests.support.programs import DEADLINE, Done, Peer, Port, Program, run
from xtls.trust.certificates import KeyPair, toPEM


class InteropCase(SynchronousTestCase):
    """
    A folder with the certificates that a test needs, and the programs that use them.

    @ivar folder: where everything happens, and the home folder of all programs.  It has C{ca.pem}, the
        certificate of an authority, and C{server.pem}, the certificate and key of a server C{localhost}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.write("ca.pem", authority().pem)
        self.issued("server.pem", serverPair())

    def write(self, name: str, data: bytes) -> Path:
        """
        Write a file, and make the folders that it is in.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def issued(self, name: str, pair: KeyPair) -> Path:
        """
        Write a certificate with its chain and key.
        """
        return self.write(name, toPEM(pair))

    def forward(self, serve: Callable[[socket.socket], None]) -> str:
        """
        Start a service.

        @return: the option that leads a port to it.
        """
        return f"--forward=tcp:127.0.0.1:{Peer(self, serve).port}"

    def port(self, *options: str) -> Port:
        """
        Start C{twistd xtls}.
        """
        return Port(self, self.folder, *options)

    def numbers(self, port: Port, mode: str, count: int) -> list[int]:
        """
        Where a port listens that has several sockets of one mode, in the order of its command line.
        """
        one = rf"xtls listening: {mode} \S+:([0-9]+) "
        port.waitFor(rf"(?s)(?:{one}.*?){{{count}}}")
        return [int(number) for number in re.findall(one, port.log)]

    def start(self, line: str, *more: str, pipe: bool = False) -> Program:
        """
        Start a program that runs until the test is over.

        @param line: its command line, as in a shell.
        @param more: further arguments, as they are.
        """
        return Program(self, [*shlex.split(line), *more], self.folder, pipe=pipe)

    def do(self, line: str, *more: str, given: bytes = b"", deadline: float = DEADLINE) -> Done:
        """
        Run a program to its end.

        @param line: its command line, as in a shell.
        @param more: further arguments, as they are.
        @param given: its standard input.
        """
        return run([*shlex.split(line), *more], self.folder, given=given, deadline=deadline)

    def succeed(self, line: str, *more: str, given: bytes = b"", deadline: float = DEADLINE) -> Done:
        """
        Run a program that ends with status 0.
        """
        done = self.do(line, *more, given=given, deadline=deadline)
        self.assertEqual(done.status, 0, f"{line} {more}\n{done.text}")
        return done

    def attach(self, target: str, *options: str, given: bytes = b"") -> Done:
        """
        Run C{xtls attach} to its end.

        @param given: its standard input.
        """
        return self.do("xtls attach", target, *options, given=given)

    def connect(self, port: int) -> socket.socket:
        """
        Connect to a port of loopback.
        """
        connection = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.addCleanup(connection.close)
        return connection

    def context(self) -> ssl.SSLContext:
        """
        What the standard library makes of a client that believes C{ca.pem}.
        """
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def secure(self, port: int, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """
        Connect with the standard library's TLS.
        """
        context = context or self.context()
        connection = context.wrap_socket(self.connect(port), server_hostname="localhost")
        self.addCleanup(connection.close)
        return connection
