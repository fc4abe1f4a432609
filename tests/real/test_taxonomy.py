"""
A choice of the corpus over sockets: C{xtls attach} meets servers, and C{twistd xtls} meets clients, that show
such certificates.  (All of it, in memory, is in C{tests/test_taxonomy.py}.)
"""

from __future__ import annotations

import contextlib
import socket

from tests.support.interop import InteropCase
from tests.support.programs import Peer
from tests.support.rogues import GREETING, Presented, Rogue, rogue
from tests.support.taxonomy import ACCEPTED, CASES, UNREADABLE, Case, Half
from tests.support.trials import pem
from tests.test_taxonomy import MODULES

#: One for each way in which it may end.
CHOSEN = (
    "good",
    "expired",
    "notPermitted",
    "commonAddressExcluded",
    "otherUsage",
    "revoked",
    "selfSigned",
    "signedWithSHA1",
    "cutShort",
    "twoSANs",
)


def converse(connection: socket.socket, peer: Rogue) -> None:
    """
    Let such a peer speak, until it has been greeted or the connection ends.
    """
    with contextlib.suppress(OSError):
        connection.sendall(peer.start())
        while not peer.heard and (data := connection.recv(1 << 16)):
            connection.sendall(peer.receive(data))


class TaxonomyTests(InteropCase):
    """
    Programs of ours, and peers that show anything.
    """

    def trusted(self, case: Case, presented: Presented) -> str:
        """
        Write whom a case believes.

        @return: the option that names it.
        """
        self.write("trusted.pem", pem(*presented.anchors) + presented.revocations)
        return "--ssl-ca-certs=trusted.pem"

    def test_servers(self) -> None:
        """
        A client ends with the status for what becomes of the server, and hears of it only what it should.
        """
        self.assertTrue(MODULES)
        for name in CHOSEN:
            case = CASES[name]
            presented = case.make(Half.SERVER)
            peers: list[Rogue] = []

            def serve(connection: socket.socket) -> None:
                peers.append(rogue(presented, server=True, modern=True))  # noqa: B023
                converse(connection, peers[-1])  # noqa: B023

            port = Peer(self, serve).port
            options = (self.trusted(case, presented), f"--ssl-server-hostname={case.host}")
            done = self.attach(f"ssl://127.0.0.1:{port}/", *options, given=b"hello")
            # the good one just closes, without close_notify
            expected = 16 if case.verdict is UNREADABLE else 1 if case.verdict is ACCEPTED else 19
            self.assertEqual(done.status, expected, f"{name}: {done.text}")
            self.assertEqual(done.output, GREETING if case.verdict is ACCEPTED else b"", name)
            self.assertEqual(peers[0].heard, b"hello" if case.verdict is ACCEPTED else b"", name)
            self.assertIs(peers[0].alert is None, case.verdict is ACCEPTED, name)

    def test_clients(self) -> None:
        """
        A server lets a client through to what is behind it, or tells it that it does not.
        """
        for name in CHOSEN:
            case = CASES[name]
            presented = case.make(Half.CLIENT)
            backend: list[bytes] = []

            def serve(connection: socket.socket) -> None:
                backend.append(connection.recv(100))  # noqa: B023
                connection.sendall(b"hello")

            options = ("--ssl-cert=server.pem", self.trusted(case, presented), self.forward(serve))
            port = self.port("--bind-ssl=127.0.0.1:0", *options)
            peer = rogue(presented, server=False, modern=True)
            converse(self.connect(port.number("ssl")), peer)
            believed = case.client is ACCEPTED
            self.assertEqual(backend, [GREETING] if believed else [], name)
            self.assertEqual(peer.heard, b"hello" if believed else b"", name)
            self.assertIs(peer.alert is None, believed, name)
            port.stop()
