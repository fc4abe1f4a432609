"""
WebSocket clients and servers that are not ours: Python's C{websockets}, and C{autobahn}.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import threading
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import SkipTest

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol, connectWS
from twisted.internet.defer import Deferred

from tests.support.backends import GREETING, digest, greeter, lines
from tests.support.identity import clientConnections, serverFile
from tests.support.interop import InteropCase
from tests.support.loopback import LoopbackTestCase
from tests.support.programs import DEADLINE, Peer, Port, echo

MODES = ("ws", "wss")

#: More than one frame, segment and buffer.
DATA = random.Random(5).randbytes(3_000_000)


class WebsocketsCase(InteropCase):
    """
    Tests with Python's C{websockets}: what it has for asyncio, in one thread of its own.  (What it has for
    threads uses one TLS connection in two of them, which OpenSSL does not allow.)
    """

    def setUp(self) -> None:
        super().setUp()
        if find_spec("websockets") is None:
            if os.environ.get("CI"):
                raise AssertionError("websockets is not installed")
            raise SkipTest("websockets is not installed")
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        thread.start()
        self.addCleanup(self.stop, thread)

    def stop(self, thread: threading.Thread) -> None:
        """
        End what runs in that thread, and it.
        """

        async def cancel() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.wait(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join(DEADLINE)
        self.loop.close()

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """
        Have something done in that thread.

        @return: what comes of it.
        """
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE)


class Client:
    """
    An open WebSocket.

    @ivar connection: what C{websockets} has for it.
    """

    def __init__(self, test: WebsocketsCase, connection: Any) -> None:
        self.connection = connection
        self._wait = test.wait

    def send(self, message: Any, **options: Any) -> None:
        """
        Send a message, or one in fragments.
        """
        self._wait(self.connection.send(message, **options))

    def receive(self) -> bytes:
        """
        Receive a message, which is octets and not text.
        """
        message = self._wait(self.connection.recv())
        assert isinstance(message, bytes)
        return message

    def ping(self) -> None:
        """
        Send a ping, and wait for the answer.
        """

        async def answered() -> None:
            await (await self.connection.ping(b"are you there"))

        self._wait(answered())

    def close(self) -> None:
        """
        Close in order.
        """
        self._wait(self.connection.close())


class ClientTests(WebsocketsCase):
    """
    C{websockets} as the client of our port.
    """

    def listen(self, serve: Callable[..., None] = lines, *options: str) -> int:
        """
        Start a port for everything.

        @return: its number.
        """
        return self.port(
            "--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(serve), *options
        ).number()

    def open(self, mode: str, number: int, path: str = "/", **options: Any) -> Client:
        """
        Open a WebSocket.
        """
        from websockets.asyncio.client import connect

        if mode == "wss":
            options["ssl"] = self.context()

        async def opened() -> Any:
            url = f"{mode}://localhost:{number}{path}"
            return await connect(url, open_timeout=DEADLINE, ping_interval=None, proxy=None, **options)

        client = Client(self, self.wait(opened()))
        self.addCleanup(client.close)
        return client

    def ask(self, client: Client, *messages: Any) -> bytes:
        """
        Send messages, and receive one line.
        """
        for message in messages:
            client.send(message)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += client.receive()
        return answer

    def refusal(self, mode: str, number: int, **options: Any) -> int:
        """
        The status with which a WebSocket is refused.
        """
        from websockets.exceptions import InvalidStatus

        raised: Any = self.assertRaises(InvalidStatus, self.open, mode, number, **options)
        return int(raised.response.status_code)

    def test_samePort(self) -> None:
        """
        Raw, https, ws and wss on one port, at the same time; the path does not matter.
        """
        number = self.listen()
        clients = [self.open(mode, number, path) for mode in MODES for path in ("/", "/some/where?x=y")]
        raw, secure = self.connect(number), self.secure(number)
        for connection in (raw, secure):
            connection.sendall(b"hello\n")
            self.assertEqual(connection.makefile("rb").readline(), b"heard hello\n")
        for client in clients:
            self.assertEqual(self.ask(client, b"hello\n"), b"heard hello\n")
        page = self.succeed(f"curl --silent --cacert ca.pem https://localhost:{number}/").text
        self.assertIn("xtls attach", page)

    def test_messages(self) -> None:
        """
        Messages are pieces of one stream: text is taken as its octets, and the fragments of a message count
        like any others.
        """
        number = self.listen()
        for mode in MODES:
            client = self.open(mode, number)
            self.assertEqual(
                self.ask(client, b"in ", b"", "pièces", [b"\n", b""]), "heard in pièces\n".encode()
            )
            self.assertEqual(self.ask(client, ["te", "xt", "\n"]), b"heard text\n")

    def test_much(self) -> None:
        """
        What is sent comes back as it was, in messages of any size.
        """

        async def exchange(connection: Any) -> bytes:
            sending = asyncio.create_task(send(connection))
            received = bytearray()
            while len(received) < len(DATA):
                received += await connection.recv()
            await sending
            return bytes(received)

        async def send(connection: Any) -> None:
            start = 0
            for end in (1, 126, 70000, 700000, len(DATA)):
                await connection.send(DATA[start:end])
                start = end

        number = self.listen(echo)
        for mode in MODES:
            client = self.open(mode, number, max_size=None)
            self.assertTrue(self.wait(exchange(client.connection)) == DATA)

    def test_offers(self) -> None:
        """
        The subprotocol C{binary} is taken where it is offered, no other one is, and compression is not.
        """
        number = self.listen()
        for offered, taken in (
            (["binary"], "binary"),
            (["chat", "binary"], "binary"),
            (["chat"], None),
            (None, None),
        ):
            client = self.open("ws", number, subprotocols=offered, compression="deflate")
            self.assertEqual(client.connection.subprotocol, taken)
            self.assertEqual(client.connection.protocol.extensions, [])
            self.assertEqual(self.ask(client, b"hello\n"), b"heard hello\n")

    def test_ping(self) -> None:
        """
        A ping is answered, also while the session says nothing.
        """
        number = self.listen()
        for mode in MODES:
            self.open(mode, number).ping()

    def test_speaksFirst(self) -> None:
        """
        A session that speaks first need not wait for its client.
        """
        number = self.listen(greeter, "--detect-timeout=1h")
        for mode in MODES:
            client = self.open(mode, number)
            self.assertEqual(client.receive(), GREETING)

    def closed(self, client: Client) -> tuple[int, str]:
        """
        How a WebSocket is closed by our side.
        """
        from websockets.exceptions import ConnectionClosed

        with self.assertRaises(ConnectionClosed) as raised:
            client.receive()
        closing = raised.exception.rcvd
        assert closing is not None, "no Close frame"
        return closing.code, closing.reason

    def test_sessionEnds(self) -> None:
        """
        When the session ends, the WebSocket is closed in order (1000).
        """
        number = self.listen()
        for mode in MODES:
            client = self.open(mode, number)
            client.send(b"bye\n")
            self.assertEqual(self.closed(client)[0], 1000)

    def test_clientEnds(self) -> None:
        """
        When the client closes, the session hears the end of its stream, and the closing handshake is
        completed.
        """
        ended = threading.Semaphore(0)

        def serve(connection: Any) -> None:
            digest(connection)
            ended.release()

        number = self.listen(serve)
        for mode in MODES:
            client = self.open(mode, number)
            client.send(b"all of it")
            client.close()
            self.assertTrue(ended.acquire(timeout=DEADLINE))
            self.assertEqual(client.connection.close_code, 1000)

    def test_violations(self) -> None:
        """
        A message that is too large, and text that is none, end the WebSocket with the codes for that.
        """
        number = self.listen(lines, "--message-size=1K")
        for mode in MODES:
            client = self.open(mode, number)
            client.send(bytes(1025))
            self.assertEqual(self.closed(client)[0], 1009)
            client = self.open(mode, number)
            client.send(b"\xff\xfe", text=True)
            self.assertEqual(self.closed(client)[0], 1007)

    def test_noBackend(self) -> None:
        """
        When there is nobody behind the port, that is an error of the server's (1011).
        """
        port = self.port(
            "--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", f"--forward=unix:{self.folder}/nobody"
        )
        for mode in MODES:
            self.assertEqual(self.closed(self.open(mode, port.number()))[0], 1011)
        port.waitFor("cannot be reached")

    def test_origin(self) -> None:
        """
        A browser's page may open a WebSocket to where it came from, and one of another place may not, unless
        that is allowed; programs, which say no origin, may.
        """
        port = self.port(
            "--bind-tcp=127.0.0.1:0",
            "--bind-tcp=127.0.0.1:0,websocket-origin=https://good.test",
            "--bind-tcp=127.0.0.1:0,websocket-origin=*",
            "--ssl-cert=server.pem",
            self.forward(lines),
        )
        own, good, every = self.numbers(port, "tcp", 3)
        for mode, scheme in (("ws", "http"), ("wss", "https")):
            evil = "https://evil.test"
            self.open(mode, own)
            self.open(mode, own, origin=f"{scheme}://localhost:{own}")
            self.assertEqual(self.refusal(mode, own, origin=evil), 403)
            self.assertEqual(self.refusal(mode, own, origin=f"{scheme}://localhost:{good}"), 403)
            self.open(mode, good, origin="https://good.test")
            self.assertEqual(self.refusal(mode, good, origin=evil), 403)
            self.open(mode, every, origin=evil)

    def test_switchedOff(self) -> None:
        """
        A port may have pages and no WebSockets.
        """
        number = self.listen(lines, "--websocket-upgrade=no")
        for mode in MODES:
            self.assertEqual(self.refusal(mode, number), 403)

    def test_onlyTLS(self) -> None:
        """
        A port for TLS takes wss and no ws.
        """
        port = self.port("--bind-wss=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines))
        self.assertEqual(self.refusal("ws", port.number("wss")), 400)
        self.assertEqual(self.ask(self.open("wss", port.number("wss")), b"hello\n"), b"heard hello\n")


class ServerTests(WebsocketsCase):
    """
    C{websockets} as the server of C{xtls attach}.
    """

    def serve(self, mode: str, handle: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> str:
        """
        Start the server.

        @return: the target that leads to it.
        """
        from websockets.asyncio.server import serve

        if mode == "wss":
            options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            options["ssl"].load_cert_chain(self.folder / "server.pem")

        async def started() -> Any:
            return await serve(handle, "127.0.0.1", 0, ping_interval=None, **options)

        async def ended() -> None:
            server.close()
            await server.wait_closed()

        server = self.wait(started())
        self.addCleanup(lambda: self.wait(ended()))
        return f"{mode}://localhost:{server.sockets[0].getsockname()[1]}/some/where"

    def talk(self, target: str, *options: str, given: bytes = b"") -> tuple[int, str]:
        """
        Run C{xtls attach} until the server closes.  Its input does not end before that: this server answers
        a Close frame at once, whatever it still had to say.

        @return: its status, and all that it printed.
        """
        client = self.start("xtls attach", target, *options, pipe=True)
        assert client.process.stdin is not None
        client.process.stdin.write(given)
        client.process.stdin.flush()
        return client.wait(), client.log

    def test_bothWays(self) -> None:
        """
        What is put in arrives, and what comes is put out, until the server closes.
        """

        async def handle(server: Any) -> None:
            paths.append(server.request.path)
            async for message in server:
                await server.send(message)
                if message.endswith(b"the end\n"):
                    return

        paths: list[str] = []
        given = DATA[:500_000].hex().encode("ascii") + b"the end\n"
        for mode in MODES:
            target = self.serve(mode, handle, max_size=None)
            trusting = ("--ssl-ca-certs=ca.pem",) if mode == "wss" else ()
            status, printed = self.talk(target, *trusting, given=given)
            self.assertEqual(status, 0)
            self.assertTrue(printed == given.decode("ascii"))
        self.assertEqual(paths, ["/some/where"] * 2)

    def test_textAndFragments(self) -> None:
        """
        Text that a server sends is put out as its octets, and fragments as if they were one.
        """

        async def handle(server: Any) -> None:
            await server.send("plain té")
            await server.send(["xt, ", "in pieces"])
            await server.send([b" and ", b"octets\n"])

        status, printed = self.talk(self.serve("ws", handle))
        self.assertEqual((printed, status), ("plain téxt, in pieces and octets\n", 0))

    def test_refused(self) -> None:
        """
        A server that opens no WebSocket is not connected to; the user is told its status.
        """

        def refuse(server: Any, request: Any) -> Any:
            return server.respond(401, "who are you?\n")

        async def handle(server: Any) -> None:
            self.fail("it was opened")

        done = self.attach(self.serve("ws", handle, process_request=refuse))
        self.assertEqual((done.output, done.status), (b"", 18), done.text)
        self.assertIn("401", done.text)

    def test_failed(self) -> None:
        """
        A server that closes because something failed is not one that has ended in order.
        """

        async def handle(server: Any) -> None:
            await server.send(b"partly\n")
            await server.close(1011, "out of order")

        status, printed = self.talk(self.serve("ws", handle))
        self.assertTrue(printed.startswith("partly\n"), printed)
        self.assertEqual(status, 1)
        self.assertIn("1011", printed)


class AutobahnTests(LoopbackTestCase):
    """
    C{autobahn} as the client of our port.
    """

    async def test_client(self) -> None:
        """
        It opens a WebSocket, plain or inside TLS, sends text and octets, gets octets, and is closed in order.
        """
        backend = Peer(self, lines)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        certificate = Path(serverFile(self)).absolute()
        options = (f"--forward=tcp:127.0.0.1:{backend.port}", f"--ssl-cert={certificate}")
        number = Port(self, folder, "--bind-tcp=127.0.0.1:0", *options).number()
        for mode in MODES:
            client = _Asking(f"{mode}://localhost:{number}", protocols=["binary"])
            creator = clientConnections("localhost") if mode == "wss" else None
            connectWS(client, contextFactory=creator, timeout=DEADLINE)
            self.assertEqual(await client.ended, (b"heard some text\n", "binary", True, 1000))


class _Client(WebSocketClientProtocol):
    """
    Asks, and waits until the server closes.
    """

    factory: _Asking

    def onConnect(self, response: Any) -> None:
        """
        The server has answered.
        """
        self.subprotocol = response.protocol
        self.received = b""

    def onOpen(self) -> None:
        """
        Ask.
        """
        self.sendMessage(b"some ", isBinary=True)
        self.sendMessage(b"text\n", isBinary=False)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        The answer, or a part of it.
        """
        assert isBinary
        self.received += payload
        if payload.endswith(b"\n"):
            self.sendMessage(b"bye\n", isBinary=True)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """
        The end.
        """
        self.factory.ended.callback((self.received, self.subprotocol, wasClean, code))


class _Asking(WebSocketClientFactory):
    """
    Makes one client.

    @ivar ended: fires with what it received, the subprotocol, whether the end was in order, and the code.
    """

    protocol: Any = _Client
    noisy = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ended: Deferred[tuple[bytes, str, bool, int]] = Deferred()
