"""
Other people's clients, and many of them, at a port whose connections take the fast path.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from twisted.internet.endpoints import TCP4ClientEndpoint, serverFromString
from twisted.internet.protocol import Factory, Protocol

from tests.support.backends import digestOf, lines
from tests.support.identity import serverConnections
from tests.support.interop import InteropCase
from tests.support.loopback import Asker, LoopbackTestCase
from tests.support.programs import DEADLINE, Port, echo, readAll
from tests.support.wires import GivenFactory
from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.sessions.forward import ForwardFactory

#: What is sent up and down.
MUCH = hashlib.shake_128(b"fast path").digest(1 << 20) * 30


def web(connection: socket.socket) -> None:
    """
    A small web server that keeps connections alive.
    """
    with connection.makefile("rb") as stream:
        while request := stream.readline():
            length = 0
            while (line := stream.readline().strip().lower()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
            body = MUCH if request.startswith(b"GET /much") else b"page " + request.split()[1]
            if length:
                body = digestOf(stream.read(length))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def close(connection: socket.socket) -> None:
    """
    Say one thing, and hang up.
    """
    connection.recv(1 << 16)
    connection.sendall(b"bye")


class ProgramTests(InteropCase):
    """
    C{twistd xtls} with C{--forward} and a certificate.
    """

    def fast(self, serve: Callable[[socket.socket], None], *options: str) -> Port:
        """
        Start it.
        """
        return self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(serve), *options)

    def settled(self, port: Port, total: int) -> None:
        """
        All connections are gone, were counted, and have left no descriptor behind.
        """
        for _ in range(100):
            os.kill(port.process.pid, signal.SIGUSR2)
            time.sleep(0.05)
            if re.search(rf"connections: 0 now, {total} in all", port.log):
                break
        else:
            self.fail(port.log[-400:])

    def descriptors(self, port: Port) -> int:
        """
        How many it has.
        """
        return len(os.listdir(f"/proc/{port.process.pid}/fd"))

    def test_openssl(self) -> None:
        """
        C{openssl s_client} with both versions, several connections one after the other, and sessions resumed.
        """
        port = self.fast(lines)
        number = port.number()
        line = f"openssl s_client -connect 127.0.0.1:{number} -CAfile ca.pem -verify_return_error -ign_eof"
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn("heard hello", self.do(line, version, given=b"hello\nbye\n").text)
            self.do(line, version, "-sess_out", "kept.pem", given=b"hello\nbye\n")
            again = self.do(line, version, "-sess_in", "kept.pem", given=b"again\nbye\n").text
            self.assertIn("heard again", again)
            self.assertIn("Reused, TLSv1", again)
        self.assertIn("Reused, TLSv1.2", self.do(line, "-tls1_2", "-reconnect", given=b"bye\n").text)
        self.settled(port, 2 * 3 + 6)

    def test_keyUpdates(self) -> None:
        """
        C{openssl s_client} changes its keys, and asks for others, whenever it likes.
        """
        port = self.fast(lines)
        line = f"openssl s_client -connect 127.0.0.1:{port.number()} -tls1_3 -CAfile ca.pem"
        client = self.start(line, pipe=True)
        client.waitFor("Verify return code")
        given = client.process.stdin
        assert given is not None
        talk = ((b"K", "KEYUPDATE"), (b"one", "heard one"), (b"k", ""), (b"two", "heard two"))
        for command, answer in talk:
            time.sleep(0.2)  # s_client knows commands by their being read alone
            given.write(command + b"\n")
            given.flush()
            client.waitFor(answer)
        time.sleep(0.2)
        given.write(b"Q\n")
        given.flush()
        self.assertEqual(client.wait(), 0)
        self.settled(port, 1)

    def test_curl(self) -> None:
        """
        C{curl} speaks HTTP through it to a web server behind it, on one connection; and moves 30 MB each way.
        """
        # behind a port that does not look for HTTP itself
        port = self.fast(web, "--ssl=tcp")
        number = port.number()
        curl = f"curl --silent --show-error --http1.1 --no-alpn --cacert ca.pem https://localhost:{number}"
        done = self.succeed(f"{curl}/a https://localhost:{number}/b", "--resolve", "localhost:0:127.0.0.1")
        self.assertEqual(done.output, b"page /apage /b")
        self.write("much", MUCH)
        done = self.succeed(f"{curl}/up --header Expect: --data-binary @much")
        self.assertEqual(done.output, digestOf(MUCH))
        self.succeed(f"{curl}/much --output down")
        self.assertEqual((self.folder / "down").read_bytes(), MUCH)
        self.settled(port, 3)

    def test_bothWays(self) -> None:
        """
        30 MB up and down at once arrive as they are.
        """
        port = self.fast(echo)
        connection = self.secure(port.number())
        connection.setblocking(False)
        view, received = memoryview(MUCH), hashlib.sha256()
        left, end = len(MUCH), time.monotonic() + 2 * DEADLINE
        while left and time.monotonic() < end:
            try:
                view = view[connection.send(view[: 1 << 16]) :] if view else view
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            try:
                data = connection.recv(1 << 16)
                received.update(data)
                left -= len(data)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        self.assertEqual((left, received.digest()), (0, hashlib.sha256(MUCH).digest()))
        connection.close()
        self.settled(port, 1)

    def test_backendDown(self) -> None:
        """
        Without a backend the client is closed, and the log says why.
        """
        with socket.create_server(("127.0.0.1", 0)) as unused:
            number = unused.getsockname()[1]
        port = self.port(
            "--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", f"--forward=tcp:127.0.0.1:{number}"
        )
        connection = self.secure(port.number())
        connection.sendall(b"hello")
        with contextlib.suppress(OSError):  # a reset, which the standard library may take for an end
            self.assertEqual(connection.recv(1), b"")
        port.waitFor("the backend .* cannot be reached: ")
        self.settled(port, 1)

    def test_many(self) -> None:
        """
        500 short connections, ended by either side, in order or not, leave nothing behind.
        """
        if not Path("/proc/self/fd").is_dir():
            return
        port = self.fast(close)
        number, context = port.number(), self.context()
        self.secure(number).close()
        self.settled(port, 1)
        before = self.descriptors(port)
        for each in range(500):
            with socket.create_connection(("127.0.0.1", number), DEADLINE) as plain:
                if each % 10 == 9:
                    plain.send(b"\x16\x03\x01\x00\xff\x01"[: each % 7])
                    continue
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    if each % 10 == 8:
                        continue
                    connection.sendall(b"hello")
                    if each % 10 == 7:
                        continue
                    self.assertEqual(readAll(connection), b"bye")
        self.settled(port, 501)
        for _ in range(100):  # where a client was lost, its backend's connection is left for two seconds
            if self.descriptors(port) == before:
                return
            time.sleep(0.05)
        self.fail(f"{self.descriptors(port)} descriptors in place of {before}")


class BetweenTests(LoopbackTestCase):
    """
    Endpoints that put something between their sockets and a port.
    """

    async def test_haproxy(self) -> None:
        """
        What stands in front of a port is not left out.
        """

        class Backend(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(data)
                self.transport.loseConnection()

        factory = Factory.forProtocol(Backend)
        factory.noisy = False
        backend = await serverFromString(self.reactor, "tcp:0:interface=127.0.0.1").listen(factory)
        where = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.closing(backend))
        session = ForwardFactory(where, 10.0, self.reactor)
        endpoint = UpgradeableServerEndpoint(
            serverFromString(self.reactor, "haproxy:tcp:0:interface=127.0.0.1"),
            Mode.TCP,
            PortOptions(),
            self.reactor,
            serverConnections(self),
        )
        number = self.closing(await endpoint.listen(session))
        asker = Asker(b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\nhello", 5)
        await TCP4ClientEndpoint(self.reactor, "127.0.0.1", number).connect(GivenFactory(asker))
        self.assertEqual(await asker.answered, b"hello")
        await asker.ended
        await self.quiet()
