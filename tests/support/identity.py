"""
An authority, a server and a client that it knows: made once for all tests that only need some.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.options import TLSOptions
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, toPEM
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator

#: The names that the server's certificate is for.
NAMES = ("server.test", "localhost", "127.0.0.1", "::1")


@cache
def authority() -> Authority:
    """
    The authority.
    """
    return Authority()


@cache
def serverPair() -> KeyPair:
    """
    The server's certificate and key.
    """
    return authority().issue(*NAMES)


def written(test: SynchronousTestCase, data: bytes) -> str:
    """
    The path of a new file that holds C{data}.
    """
    path = Path(test.mktemp())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def serverFile(test: SynchronousTestCase) -> str:
    """
    The path of a file with the server's certificate and key.
    """
    return written(test, toPEM(serverPair()))


def clientFile(test: SynchronousTestCase) -> str:
    """
    The path of a file with a client's certificate and key.
    """
    return written(test, toPEM(authority().issue("client.test", clientAuth=True)))


def authorityFile(test: SynchronousTestCase) -> str:
    """
    The path of a file with the authority's certificate.
    """
    return written(test, authority().pem)


def serverConnections(test: SynchronousTestCase, alpn: tuple[bytes, ...] = ()) -> ServerConnectionCreator:
    """
    What makes the server's connections.
    """
    return ServerConnectionCreator.fromOptions(TLSOptions(cert=(serverFile(test),)), alpn)


def clientConnections(host: str = "server.test") -> ClientConnectionCreator:
    """
    What makes the connections of a client that believes the authority.
    """
    return ClientConnectionCreator.fromOptions(TLSOptions(caData=authority().pem), host)
