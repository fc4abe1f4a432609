"""
C{xtls attach} at a port, by every mode: answers after the end of input, servers that speak first, connection
files, and other programs that come through it.  (How it treats its input, output and signals is in
C{test_attach}.)
"""

from __future__ import annotations

import base64
import random
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.backends import GREETING, digest, digestOf, greeter, lines
from tests.support.identity import authority
from tests.support.interop import InteropCase
from tests.support.programs import Port, readAll, readExactly

MODES = ("tcp", "ssl", "ws", "wss")

#: More than all buffers on the way.
DATA = b"\0" + random.Random(13).randbytes(3_000_000)


class AttachCase(InteropCase):
    """
    A port, and C{xtls attach} that believes it.
    """

    def listen(self, serve: Callable[[socket.socket], None], *options: str) -> Port:
        """
        Start a port for everything.
        """
        return self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(serve), *options)

    def words(self, mode: str, number: int) -> tuple[str, ...]:
        """
        A target, and what it takes to believe it.
        """
        trusting = ("--ssl-ca-certs=ca.pem",) if mode in ("ssl", "wss") else ()
        return (f"{mode}://localhost:{number}/", *trusting)


class PipeTests(AttachCase):
    """
    Standard input and output.
    """

    def test_halves(self) -> None:
        """
        What is piped in arrives whole; at the end of input the session hears the end, and its answer, which
        it gives only then, is put out whole: raw, and over ssl, ws and wss.
        """
        port = self.listen(digest)
        for mode in MODES:
            for given in (DATA, b""):
                done = self.attach(*self.words(mode, port.number()), given=given)
                self.assertEqual((done.output, done.errors, done.status), (digestOf(given), b"", 0), mode)

    def test_speaksFirst(self) -> None:
        """
        A session that speaks first is heard, though nobody has spoken to it, by the end of
        C{detect-timeout}.
        """
        port = self.listen(greeter, "--detect-timeout=500ms")
        for mode in ("ssl", "wss"):
            client = self.start("xtls attach", *self.words(mode, port.number()), pipe=True)
            client.waitFor(GREETING.decode("ascii"))
            assert client.process.stdin is not None
            client.process.stdin.write(b"hello\nbye\n")
            client.process.stdin.flush()
            client.waitFor("heard hello")
            self.assertEqual(client.wait(), 0)

    def test_lost(self) -> None:
        """
        A backend that breaks off has not ended, whatever is between: the status and a sentence say so.
        """

        def serve(connection: socket.socket) -> None:
            connection.sendall(b"a part")
            readExactly(connection, 6)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        port = self.listen(serve)
        for mode in ("tcp", "wss"):
            done = self.attach(*self.words(mode, port.number()), given=b"hello\n" + bytes(100000))
            self.assertEqual(done.status, 1, f"{mode}: {done.text}")
            self.assertEqual(len(done.errors.splitlines()), 1, done.text)

    def test_noTLS(self) -> None:
        """
        A port without TLS says so to a client that wants it.
        """
        number = self.port("--bind-tcp=127.0.0.1:0", "--ssl=off", self.forward(lines)).number()
        for mode in ("ssl", "wss"):
            done = self.attach(*self.words(mode, number))
            self.assertEqual((done.output, done.status), (b"", 16), done.text)
            self.assertEqual(len(done.errors.splitlines()), 1, done.text)


class FileTests(AttachCase):
    """
    Connection files.
    """

    def test_data(self) -> None:
        """
        A file is all that a user needs: it has the place, and the authority as hexadecimal or base64.
        """
        number = self.listen(lines).number()
        pem = authority().pem
        for data in (pem.hex(), f"base64:{base64.b64encode(pem).decode('ascii')}"):
            for mode in ("ssl", "wss"):
                text = f"host=localhost\nautoconnect=true\nport={number}\nmode={mode}\nssl-ca-data={data}\n"
                self.write("ssl-test.xpra", text.encode("ascii"))
                done = self.attach("ssl-test.xpra", given=b"hello\nbye\n")
                self.assertEqual((done.output, done.errors, done.status), (b"heard hello\n", b"", 0))

    def test_wrong(self) -> None:
        """
        What is wrong with a file is said with the line where it is.
        """
        self.write("bad.xpra", b"host=localhost\nport=10000\nmode=ssl\nssl-ca-data=base64:!!!\n")
        done = self.attach("bad.xpra")
        self.assertEqual((done.output, done.status), (b"", 2))
        self.assertIn("ssl-ca-data (bad.xpra line 4): ", done.text)
        done = self.attach("none.xpra")
        self.assertEqual((done.output, done.status), (b"", 2), done.text)
        self.assertEqual(len(done.errors.splitlines()), 1, done.text)


class LocalPortTests(AttachCase):
    """
    Local ports, for programs that know nothing of TLS.
    """

    def test_listen(self) -> None:
        """
        Each connection to the local port gets one of its own to the server, verified.
        """
        number = self.listen(lines).number()
        for mode in MODES:
            words = self.words(mode, number)
            client = self.start("xtls attach", *words, "--listen=tcp:0:interface=127.0.0.1")
            local = int(client.waitFor(r"listening on 127\.0\.0\.1:([0-9]+)")[1])
            connections = [self.connect(local) for _ in range(3)]
            for index, each in enumerate(connections):
                each.sendall(b"number %d\n" % index)
            for index, each in enumerate(connections):
                self.assertEqual(readExactly(each, 15), b"heard number %d\n" % index)
                each.sendall(b"bye\n")
                self.assertEqual(readAll(each), b"")

    def test_listenUnix(self) -> None:
        """
        The local port may be a Unix socket.
        """
        folder = Path(tempfile.mkdtemp(prefix="xtls-"))
        self.addCleanup(shutil.rmtree, folder)
        words = self.words("wss", self.listen(digest).number())
        self.start("xtls attach", *words, f"--listen=unix:{folder}/port").waitFor("listening on ")
        done = self.succeed("socat -t20 -", f"UNIX-CONNECT:{folder}/port", given=DATA)
        self.assertEqual(done.output, digestOf(DATA))

    def test_command(self) -> None:
        """
        A program that reaches the server through the port that stands in the place of C{{port}}.
        """
        number = self.listen(lines).number()
        for mode in MODES:
            command = ("socat", "-t20", "-", "TCP:127.0.0.1:{port}")
            done = self.attach(*self.words(mode, number), "--", *command, given=b"hello\nbye\n")
            self.assertEqual((done.output, done.errors, done.status), (b"heard hello\n", b"", 0))

    def test_page(self) -> None:
        """
        A program that speaks HTTP gets the server's page through the local port.
        """
        words = self.words("ssl", self.listen(lines).number())
        done = self.attach(*words, "--", "curl", "--silent", "http://127.0.0.1:{port}/")
        self.assertEqual(done.status, 0)
        self.assertIn("xtls attach", done.text)
