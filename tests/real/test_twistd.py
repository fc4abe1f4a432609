"""
C{twistd -n xtls} as a process, met by Python's own C{socket}, C{ssl} and C{http.client}.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import ssl
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.programs import DEADLINE, Peer, Port, echo, readAll, readExactly, run
from xtls.trust.certificates import toPEM
from xtls.trust.files import writePrivate
from xtls.trust.issuing import selfSigned

#: More than all buffers on the way.
LARGE = os.urandom(1 << 20) * 8


class TwistdTests(SynchronousTestCase):
    """
    One port in front of an echo.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate = self.folder / "cert.pem"
        writePrivate(self.certificate, toPEM(selfSigned(["localhost", "127.0.0.1"])))

    def start(self, *options: str) -> Port:
        """
        Start a port in front of an echo, with a certificate.
        """
        backend = Peer(self, echo)
        forward = f"--forward=tcp:127.0.0.1:{backend.port}"
        return Port(self, self.folder, forward, f"--ssl-cert={self.certificate}", *options)

    def connect(self, port: int) -> socket.socket:
        """
        A plain connection.
        """
        connection = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.addCleanup(connection.close)
        return connection

    def secure(self, port: int) -> ssl.SSLSocket:
        """
        A verified connection.
        """
        context = ssl.create_default_context(cafile=self.certificate)
        connection = context.wrap_socket(self.connect(port), server_hostname="localhost")
        self.addCleanup(connection.close)
        return connection

    def test_rawAndSecure(self) -> None:
        """
        On one port, raw octets and octets inside TLS reach the session and come back.
        """
        number = self.start("--bind-tcp=127.0.0.1:0").number()
        for connect in (self.connect, self.secure):
            connection = connect(number)
            connection.sendall(b"\x00hello")
            self.assertEqual(readExactly(connection, 6), b"\x00hello")

    def test_halfClose(self) -> None:
        """
        A client that ends its direction still gets everything back.
        """
        connection = self.connect(self.start("--bind-tcp=127.0.0.1:0").number())
        connection.sendall(b"\x00" + LARGE[:100000])
        connection.shutdown(socket.SHUT_WR)
        self.assertTrue(readAll(connection) == b"\x00" + LARGE[:100000])

    def test_pages(self) -> None:
        """
        The same port answers http and https.
        """
        number = self.start("--bind-tcp=127.0.0.1:0").number()
        context = ssl.create_default_context(cafile=self.certificate)
        for client in (
            http.client.HTTPConnection("127.0.0.1", number, timeout=DEADLINE),
            http.client.HTTPSConnection("localhost", number, timeout=DEADLINE, context=context),
        ):
            client.request("GET", "/")
            answer = client.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertIn(b"xtls attach", answer.read())
            client.close()

    def test_refused(self) -> None:
        """
        What makes no sense is said in one sentence, and nothing listens.
        """
        done = run(["twistd", "-n", "--pidfile=", "xtls", "--bind-tcp=127.0.0.1:0"], self.folder)
        self.assertNotEqual(done.status, 0)
        self.assertNotIn("Traceback", done.text)
        self.assertNotIn("xtls listening", done.text)
        self.assertEqual(len(done.text.strip().splitlines()), 1, done.text)

    def test_hash(self) -> None:
        """
        Much comes back as it went, inside TLS.
        """
        connection = self.secure(self.start("--bind-ssl=127.0.0.1:0").number("ssl"))
        sent, received = hashlib.sha256(), hashlib.sha256()
        for start in range(0, len(LARGE), 1 << 17):
            piece = LARGE[start : start + (1 << 17)]
            connection.sendall(piece)
            sent.update(piece)
            received.update(readExactly(connection, len(piece)))
        self.assertEqual(sent.digest(), received.digest())
