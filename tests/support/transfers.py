"""
What the tests of large transfers share: a port in front of L{tests.support.volume}, and clients.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Final

import xtls
from tests.support.interop import InteropCase
from tests.support.programs import Port, Program
from tests.support.streams import Layer, Secure, Stream, WebSocket
from tests.support.volume import Request

#: Where C{tests} is.
ROOT: Final = Path(xtls.__file__).parent.parent

#: The ways to a session, on one port.
PATHS: Final = ("tcp", "ssl", "ws", "wss")


class TransferCase(InteropCase):
    """
    A port in front of the backend.

    @ivar backend: prints what it gave and took.
    @ivar port: the port.
    @ivar number: where it listens, for all of L{PATHS}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.backend = Program(
            self,
            [sys.executable, "-m", "tests.support.volume"],
            self.folder,
            variables={"PYTHONPATH": str(ROOT)},
        )
        backend = self.backend.waitFor(r"^listening on (\d+)")[1]
        options = ("--ssl-cert=server.pem", "--bind-tcp=127.0.0.1:0")
        self.server: Port = self.port(f"--forward=tcp:127.0.0.1:{backend}", *options)
        self.number = self.server.number()

    def stream(
        self,
        path: str,
        request: Request,
        upload: Iterable[bytes] = (),
        answer: Callable[[Stream], bytes] | None = None,
    ) -> Stream:
        """
        Begin a connection that comes by one of L{PATHS}.
        """
        layers: list[Layer] = []
        if path in ("ssl", "wss"):
            layers.append(Secure(self.context()))
        if path in ("ws", "wss"):
            layers.append(WebSocket(f"{path}://localhost:{self.number}/"))
        stream = Stream(request.name, self.number, layers, chain([request.encode()], upload), answer)
        self.addCleanup(stream.socket.close)
        return stream

    def said(self, request: Request, what: str) -> None:
        """
        Wait until the backend has printed something of a connection.
        """
        self.backend.waitFor(rf"^{request.name}: {what}$")
