"""
Byte streams through a port, with clients and backends that are not ours: C{socat}, C{gnutls-cli}, and the
standard library's C{ssl} and C{socket}.
"""

from __future__ import annotations

import random
import shutil
import socket
import ssl
import tempfile
from pathlib import Path
from unittest import SkipTest

from tests.support.backends import GREETING, digest, digestOf, greeter, lines
from tests.support.interop import InteropCase
from tests.support.programs import DEADLINE, Port, echo, readAll, readExactly

#: More than all buffers on the way, and nothing that a port looks for.
DATA = b"\0" + random.Random(3).randbytes(4_000_000)


class StreamCase(InteropCase):
    """
    What the tests of streams share.
    """

    def socketFolder(self) -> Path:
        """
        A folder whose name is short enough for Unix sockets.
        """
        folder = Path(tempfile.mkdtemp(prefix="xtls-"))
        self.addCleanup(shutil.rmtree, folder)
        return folder


class StandardLibraryTests(StreamCase):
    """
    C{ssl} of the standard library.
    """

    def listen(self, *options: str) -> Port:
        """
        Start a port for everything in front of an echo.
        """
        return self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(echo), *options)

    def test_versions(self) -> None:
        """
        Octets go both ways with either version, in strong suites.
        """
        number = self.listen().number()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context()
            context.minimum_version = context.maximum_version = version
            connection = self.secure(number, context)
            connection.sendall(b"\0hello")
            self.assertEqual(readExactly(connection, 6), b"\0hello")
            self.assertEqual(connection.version(), version.name.replace("v1_", "v1."))

    def test_ends(self) -> None:
        """
        Both ends say in TLS that they have no more to say: C{close_notify} is asked for, and comes.
        """
        connection = self.secure(self.listen().number())
        connection.sendall(b"\0hello")
        self.assertEqual(readExactly(connection, 6), b"\0hello")
        self.assertEqual(readAll(connection.unwrap()), b"")

    def test_resumption(self) -> None:
        """
        A session can be resumed.
        """
        number = self.listen().number()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context()
            context.maximum_version = version
            first = self.secure(number, context)
            first.sendall(b"\0hello")
            readExactly(first, 6)  # with TLS 1.3, a ticket comes before it
            plain = self.connect(number)
            again = context.wrap_socket(plain, server_hostname="localhost", session=first.session)
            self.addCleanup(again.close)
            self.assertTrue(again.session_reused)
            again.sendall(b"\0again")
            self.assertEqual(readExactly(again, 6), b"\0again")

    def test_pieces(self) -> None:
        """
        A client that sends its first octets one by one, in TLS or not, gets to where they lead.
        """
        number = self.listen().number()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        handshake = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            handshake.do_handshake()
        for hello in (outgoing.read(), b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
            connection = self.connect(number)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in hello:
                connection.sendall(bytes([octet]))
            expected = b"\x16\x03\x03" if hello.startswith(b"\x16") else b"HTTP/1.1 200 OK"
            self.assertEqual(readExactly(connection, len(expected)), expected)

    def test_speaksFirst(self) -> None:
        """
        A session that speaks first is connected to a silent client after a while, which is one for each
        layer: raw, and inside TLS.
        """
        address = "--bind-tcp=127.0.0.1:0,detect-timeout=500ms"
        number = self.port(address, "--ssl-cert=server.pem", self.forward(greeter)).number()
        for connection in (self.connect(number), self.secure(number)):
            self.assertEqual(readExactly(connection, len(GREETING)), GREETING)
            connection.sendall(b"hello\n")
            self.assertEqual(readExactly(connection, 12), b"heard hello\n")

    def test_truncated(self) -> None:
        """
        A client whose connection breaks off inside TLS has not ended: the backend's connection breaks off
        too, so that a part is not taken for the whole.
        """
        received: list[object] = []

        def serve(connection: socket.socket) -> None:
            try:
                received.append(readAll(connection))
            except ConnectionError as e:
                received.append(type(e))
            ended.send(b"!")

        ended, watching = socket.socketpair()
        self.addCleanup(ended.close)
        self.addCleanup(watching.close)
        watching.settimeout(DEADLINE)
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(serve))
        connection = self.secure(port.number())
        connection.sendall(b"only a part")
        port.waitFor("tcp>tls>session")
        connection.close()
        readExactly(watching, 1)
        self.assertEqual(received, [ConnectionResetError])


class SocatTests(StreamCase):
    """
    C{socat} as client and as backend.
    """

    def test_raw(self) -> None:
        """
        A raw client ends its direction, and gets the answer that is given only then.
        """
        number = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(digest)).number()
        done = self.succeed("socat -t20 -", f"TCP:127.0.0.1:{number}", given=DATA)
        self.assertEqual(done.output, digestOf(DATA))

    def test_secure(self) -> None:
        """
        The same inside TLS, where the end of a direction is C{close_notify}.
        """
        number = self.port("--bind-ssl=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(digest)).number(
            "ssl"
        )
        address = f"OPENSSL:localhost:{number},cafile=ca.pem,verify=1"
        done = self.succeed("socat -t20 -", address, given=DATA)
        self.assertEqual(done.output, digestOf(DATA))

    def test_unixBackend(self) -> None:
        """
        A backend may be at a Unix socket.
        """
        path = self.socketFolder() / "backend"
        backend = self.start("socat -d -d", f"UNIX-LISTEN:{path},fork", "EXEC:cat")
        backend.waitFor("listening on")
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", f"--forward=unix:{path}")
        for connection in (self.connect(port.number()), self.secure(port.number())):
            connection.sendall(b"\0hello")
            self.assertEqual(readExactly(connection, 6), b"\0hello")

    def test_unixSocket(self) -> None:
        """
        A port may be a Unix socket, with a path or an abstract name: raw octets, HTTP and WebSockets go
        there; TLS does not, and is told so.
        """
        folder = self.socketFolder()
        path = folder / "port"
        port = self.port(f"--bind={path}", f"--bind=@{path}", self.forward(lines))
        port.waitFor(r"(?s)xtls listening: socket .*xtls listening: socket ")
        for address in (f"UNIX-CONNECT:{path}", f"ABSTRACT-CONNECT:{path}"):
            done = self.succeed("socat -t20 -", address, given=b"hello\nbye\n")
            self.assertEqual(done.output, b"heard hello\n")
        for target in (str(path), f"socket://{path}", f"@{path}"):
            done = self.attach(target, given=b"hello\nbye\n")
            self.assertEqual((done.output, done.errors, done.status), (b"heard hello\n", b"", 0))
        done = self.succeed(f"curl --silent --include --unix-socket {path} http://localhost/")
        self.assertIn("HTTP/1.1 200 OK", done.text)
        done = self.do(f"openssl s_client -unix {path}")
        self.assertIn("alert handshake failure", done.text)

    def test_wrapped(self) -> None:
        """
        A port is also opened by any endpoint string of Twisted's.
        """
        path = self.socketFolder() / "port"
        port = self.port(
            "--listen=tcp:0:interface=127.0.0.1",
            f"--listen=unix:{path}",
            "--ssl-cert=server.pem",
            self.forward(lines),
        )
        port.waitFor("xtls listening: socket ")
        for address in (
            f"TCP:127.0.0.1:{port.number()}",
            f"OPENSSL:localhost:{port.number()},cafile=ca.pem",
            f"UNIX-CONNECT:{path}",
        ):
            done = self.succeed("socat -t20 -", address, given=b"hello\nbye\n")
            self.assertEqual(done.output, b"heard hello\n")


class GnuTLSTests(StreamCase):
    """
    C{gnutls-cli}, where it is installed.
    """

    def test_bothWays(self) -> None:
        """
        It verifies the port, and says and hears what there is to say.
        """
        if shutil.which("gnutls-cli") is None:
            raise SkipTest("gnutls-cli is not installed")
        number = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines)).number()
        for version in ("VERS-TLS1.2", "VERS-TLS1.3"):
            command = f"gnutls-cli --x509cafile=ca.pem --port={number} localhost"
            client = self.start(command, f"--priority=NORMAL:-VERS-ALL:+{version}", pipe=True)
            client.waitFor("The certificate is trusted")
            assert client.process.stdin is not None
            for said, expected in ((b"hello\n", "heard hello"), (b"bye\n", "Peer has closed")):
                client.process.stdin.write(said)
                client.process.stdin.flush()
                client.waitFor(expected)
