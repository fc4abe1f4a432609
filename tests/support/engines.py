"""
TLS connections in memory, for tests of what is below a transport: pairs of OpenSSL's, and of engines.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509

from tests.support.identity import authority, serverPair
from xtls.wire.engine import TLSEngine

#: What both tiers of tests are run with.
VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


@cache
def _context(server: bool, version: int) -> SSL.Context:
    """
    A context for one version of TLS, in which the client verifies the server's certificate, but not its name.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if server:
        context.use_certificate(serverPair().certificate)
        context.use_privatekey(serverPair().key)
    else:
        store: Any = context.get_cert_store()
        store.add_cert(X509.from_cryptography(authority().certificate))
        context.set_verify(SSL.VERIFY_PEER, None)
    return context


def connections(version: int = SSL.TLS1_3_VERSION) -> tuple[SSL.Connection, SSL.Connection]:
    """
    A client and a server, over memory BIOs, before their handshake.
    """
    client = SSL.Connection(_context(False, version), None)
    server = SSL.Connection(_context(True, version), None)
    client.set_connect_state()
    server.set_accept_state()
    return client, server


def disturb() -> None:
    """
    Leave an error in the thread's queue, as some careless call elsewhere might.
    """
    context: Any = SSL.Context(SSL.TLS_METHOD)
    lib: Any = SSL._lib  # type: ignore[attr-defined]
    assert lib.SSL_CTX_set_cipher_list(context._context, b"no such suites") == 0


class EnginePair:
    """
    Two engines, and what one says to the other.

    @ivar plaintext: what each has decrypted.
    """

    def __init__(self, version: int = SSL.TLS1_3_VERSION, records: type | None = None) -> None:
        self._take(*connections(version), records)

    @classmethod
    def of(cls, client: SSL.Connection, server: SSL.Connection) -> EnginePair:
        """
        Two engines for connections that are there.
        """
        self = cls.__new__(cls)
        client.set_connect_state()
        server.set_accept_state()
        self._take(client, server, None)
        return self

    def _take(self, client: SSL.Connection, server: SSL.Connection, records: type | None) -> None:
        self.client, self.server = TLSEngine(client, records), TLSEngine(server, records)
        self.plaintext = {self.client: bytearray(), self.server: bytearray()}

    def shakeHands(self) -> None:
        """
        Run the handshake to its end.
        """
        self.client.start()
        self.server.start()
        self.flush()

    def peer(self, engine: TLSEngine) -> TLSEngine:
        """
        The other one.
        """
        return self.server if engine is self.client else self.client

    def outgoing(self, engine: TLSEngine) -> bytes:
        """
        All that an engine has to say.
        """
        said = bytearray()
        while ciphertext := engine.outgoing():
            said += ciphertext
        return bytes(said)

    def receive(self, engine: TLSEngine, ciphertext: bytes) -> None:
        """
        Have an engine take ciphertext, and all that was in it.
        """
        self.plaintext[engine] += engine.receive(ciphertext)
        while engine.more:
            self.plaintext[engine] += engine.receive(b"")

    def flush(self, size: int = 1 << 20) -> None:
        """
        Let them speak until nothing more is said.

        @param size: how the octets are cut.
        """
        happened = True
        while happened:
            happened = False
            for engine in (self.client, self.server):
                said = self.outgoing(engine)
                for start in range(0, len(said), size):
                    happened = True
                    self.receive(self.peer(engine), said[start : start + size])
