"""
Peers that show any chain of certificates, and whom nothing stops: OpenSSL without its scruples, and, where
even that would not send such a thing, L{raw ones<tests.support.rawpeers>}.

They take octets and return octets; L{RoguePeer} puts one at the end of a wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, X509, load_certificate
from twisted.internet.protocol import Protocol

from tests.support.rawpeers import RawClient, RawServer

__all__ = ["GREETING", "Presented", "Rogue", "RoguePeer", "rogue"]

#: What such a peer says as soon as it may.
GREETING = b"what the peer says"

#: SSL_MODE_NO_AUTO_CHAIN (openssl/ssl.h): send what is given, and nothing else.
_NO_AUTO_CHAIN = 0x8


@dataclass(frozen=True)
class Presented:
    """
    What a peer shows, and whom the other side believes.

    @ivar certificates: what is shown: the peer's own, and those after it.
    @ivar key: the key of the peer's own; L{None} for a peer that does not get so far as to use it.
    @ivar anchors: the certificates that the other side believes.
    @ivar revocations: the revocation lists that it has, in PEM.
    """

    certificates: tuple[bytes, ...]
    key: Any
    anchors: tuple[bytes, ...]
    revocations: bytes = b""


class Rogue(Interface):
    """
    Such a peer.

    @ivar alert: what it was told when it was refused: L{None} while it was not.
    @ivar heard: the octets of the application that arrived.
    @ivar established: its handshake has ended well.
    """

    alert: Any
    heard: bytes
    established: bool

    def start(self) -> bytes:
        """
        What it says first.
        """

    def receive(self, data: bytes) -> bytes:
        """
        What it says to what has arrived.
        """


class OpenSSLPeer:
    """
    A peer that is OpenSSL.
    """

    def __init__(self, presented: Presented, *, server: bool, modern: bool) -> None:
        version = SSL.TLS1_3_VERSION if modern else SSL.TLS1_2_VERSION
        context = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_mode(_NO_AUTO_CHAIN)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        own, *others = (_loaded(each) for each in presented.certificates)
        context.use_certificate(own)
        context.use_privatekey(presented.key)
        for each in others:
            context.add_extra_chain_cert(each)
        self._connection = SSL.Connection(context, None)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self.alert: str | None = None
        self.heard = b""
        self.established = False

    def start(self) -> bytes:
        """
        What it says first.
        """
        return self.receive(b"")

    def receive(self, data: bytes) -> bytes:
        """
        What it says to what has arrived.
        """
        connection = self._connection
        if data:
            connection.bio_write(data)
        try:
            if not self.established:
                connection.do_handshake()
                self.established = True
                connection.send(GREETING)
            while True:
                self.heard += connection.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            pass
        except SSL.Error as error:
            reason = str(error.args[0][-1][-1]) if error.args and error.args[0] else ""
            if self.alert is None and "alert" in reason:
                self.alert = reason
        said = b""
        try:
            while True:
                said += connection.bio_read(65536)
        except SSL.Error:
            return said


def _loaded(der: bytes) -> X509:
    """
    A certificate as OpenSSL reads it, which asks less than others.
    """
    return load_certificate(FILETYPE_ASN1, der)


def rogue(presented: Presented, *, server: bool, modern: bool) -> Rogue:
    """
    A peer that shows a chain of certificates.

    @param server: whether it is a server, or else a client.
    @param modern: whether it speaks TLS 1.3, or else 1.2.
    """
    if presented.key is None:
        return (RawServer if server else RawClient)(presented.certificates, modern)
    return OpenSSLPeer(presented, server=server, modern=modern)


class RoguePeer(Protocol):
    """
    Such a peer at the end of a wire.
    """

    def __init__(self, peer: Rogue) -> None:
        self.peer = peer

    def connectionMade(self) -> None:
        """
        Say what it says first.
        """
        assert self.transport is not None
        self.transport.write(self.peer.start())

    def dataReceived(self, data: bytes) -> None:
        """
        Answer.
        """
        assert self.transport is not None
        self.transport.write(self.peer.receive(data))
