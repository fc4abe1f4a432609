"""
TLS handshakes in memory: two OpenSSL connections, each fed what the other has to say.

No transport and no protocol: what is seen here is what goes over the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from xtls.trust.certificates import KeyPair, toPEM

GREETINGS = {"client": b"what the client says", "server": b"what the server says"}


@dataclass
class End:
    """
    One end of a connection.

    @ivar established: its handshake has ended well.
    @ivar error: what OpenSSL raised, if it did.
    @ivar received: the octets of the application that arrived.
    """

    name: str
    connection: SSL.Connection
    established: bool = False
    error: SSL.Error | None = None
    received: bytes = field(default=b"")

    @property
    def reason(self) -> str:
        """
        What OpenSSL says went wrong: "… alert …" when the peer said so.
        """
        return "" if self.error is None else str(self.error.args[0][-1][-1])

    def step(self) -> bytes:
        """
        Do what can be done with what has arrived: shake hands, say something at the first moment that it can
        be said, read.

        @return: what to send.
        """
        try:
            if self.error is None and not self.established:
                self.connection.do_handshake()
                self.established = True
                self.connection.send(GREETINGS[self.name])
            if self.error is None:
                while True:
                    self.received += self.connection.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = error
        outgoing = b""
        try:
            while True:
                outgoing += self.connection.bio_read(65536)
        except SSL.Error:
            return outgoing


@dataclass
class Handshake:
    """
    A connection from its ClientHello until nothing more is said.
    """

    client: End
    server: End

    @classmethod
    def between(cls, client: SSL.Connection, server: SSL.Connection) -> Handshake:
        """
        Join two connections, and let them speak.
        """
        self = cls(End("client", client), End("server", server))
        self.run()
        return self

    def run(self) -> None:
        """
        Let them speak.
        """
        silent = 0
        source, target = self.client, self.server
        while silent < 2:
            said = source.step()
            silent = 0 if said else silent + 1
            if said:
                target.connection.bio_write(said)
            source, target = target, source

    @property
    def resumed(self) -> bool:
        """
        The session of an earlier connection was gone on with.  (pyOpenSSL has no public name for the
        question.)
        """
        binding: Any = SSL
        return bool(binding._lib.SSL_session_reused(self.server.connection._ssl))

    @property
    def complete(self) -> bool:
        """
        Both ends have shaken hands and heard each other.
        """
        return (self.client.received, self.server.received) == (GREETINGS["server"], GREETINGS["client"])


def saved(test: SynchronousTestCase, data: KeyPair | bytes, name: str = "file.pem") -> str:
    """
    Put something into a new file.

    @param data: a certificate with its chain and its key; or anything.
    @return: the path.
    """
    directory = Path(test.mktemp())
    directory.mkdir()
    path = directory / name
    path.write_bytes(data if isinstance(data, bytes) else toPEM(data))
    return str(path)
