"""
The servers that are compared, each in a process of its own: C{python -m benchmarks.servers NAME CERTIFICATE}.

A I{port} is TLS in front of a backend in another process: C{twistd xtls}, as users run it (which is not
here), and Twisted's stock TLS, with Twisted's stock forwarding or that of xtls.  A I{transport} is TLS alone,
with the work done above it.  The work is the same for all.  Each listens on loopback, and prints where.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet import reactor as _reactor
from twisted.internet.interfaces import IProtocolFactory, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.portforward import ProxyFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from benchmarks.load import REPORT

reactor: Any = _reactor

#: What one write of a flood has, in octets: as much as Twisted reads from a socket in one turn.
CHUNK: Final = bytes(range(256)) * 256

#: Writes in one turn of the reactor, when nobody says that it is enough.
_BURST: Final = 16


@implementer(IPushProducer)
class Work(Protocol):
    """
    Does what the first octet says, with which no protocol begins that a port tells apart: C{d} sends without
    end, C{u} takes and reports how much has arrived, C{e} sends everything back, C{h} answers with one octet
    and closes.
    """

    transport: Any

    def __init__(self) -> None:
        self._kind = b""
        self._paused = self._lost = False
        self._arrived = self._reported = 0

    def connectionMade(self) -> None:
        """
        Answer at once.
        """
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)

    def bufferReceived(self, view: memoryview) -> None:
        """
        Octets, from a transport that gives views.
        """
        if self._kind == b"u":
            self._count(len(view))
        else:
            self.dataReceived(bytes(view))

    def dataReceived(self, data: bytes) -> None:
        """
        Octets, from any other transport.
        """
        if not self._kind:
            self._kind, data = data[:1], data[1:]
            self._begin()
        if self._kind == b"u":
            self._count(len(data))
        elif self._kind == b"e" and data:
            self.transport.write(data)

    def _begin(self) -> None:
        """
        The kind of work is known.
        """
        if self._kind == b"d":
            self.transport.registerProducer(self, True)
            self._flood()
        elif self._kind == b"h":
            self.transport.write(b"h")
            self.transport.loseConnection()

    def _count(self, octets: int) -> None:
        """
        Tell the other end how much has arrived.
        """
        self._arrived += octets
        while self._arrived - self._reported >= REPORT:
            self._reported += REPORT
            self.transport.write(b".")

    def _flood(self) -> None:
        """
        Write until told to pause; let others have their turn now and then.
        """
        for _ in range(_BURST):
            if self._paused or self._lost:
                return
            self.transport.write(CHUNK)
        reactor.callLater(0, self._flood)

    def pauseProducing(self) -> None:
        """
        The transport has enough.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        The transport takes more.
        """
        if self._paused:
            self._paused = False
            self._flood()

    def stopProducing(self) -> None:
        """
        The connection is lost.
        """
        self._lost = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is lost.
        """
        self._lost = True


def work() -> IProtocolFactory:
    """
    Builds what does the work.
    """
    factory = Factory.forProtocol(Work)
    factory.noisy = False
    return factory


def listenBackend(certificate: str) -> Any:
    """
    The work, without TLS.
    """
    return reactor.listenTCP(0, work(), backlog=512, interface="127.0.0.1")


def _listenSSL(factory: IProtocolFactory, certificate: str) -> Any:
    """
    Twisted's stock TLS, as its documentation sets it up.
    """
    options = PrivateCertificate.loadPEM(Path(certificate).read_bytes()).options()
    return reactor.listenSSL(0, factory, options, backlog=512, interface="127.0.0.1")


def listenStockPort(certificate: str, backend: str) -> Any:
    """
    Twisted's stock TLS in front of a backend, by Twisted's stock forwarding.
    """
    factory = ProxyFactory("127.0.0.1", int(backend))
    factory.noisy = factory.protocol.clientProtocolFactory.noisy = False
    return _listenSSL(factory, certificate)


def listenForward(certificate: str, backend: str) -> Any:
    """
    Twisted's stock TLS in front of a backend, by the forwarding of xtls, which also passes half closes on and
    has deadlines.
    """
    from twisted.internet.endpoints import clientFromString

    from xtls.sessions.forward import ForwardFactory

    factory = ForwardFactory(clientFromString(reactor, f"tcp:127.0.0.1:{backend}"), 10.0, reactor)
    return _listenSSL(factory, certificate)


def listenStockTransport(certificate: str) -> Any:
    """
    The work above Twisted's stock TLS.
    """
    return _listenSSL(work(), certificate)


def listenTransport(certificate: str) -> Any:
    """
    The work above the TLS transport of xtls, with its defaults.
    """
    from xtls.config.options import TLSOptions
    from xtls.trust.contexts import ServerConnectionCreator
    from xtls.wire.transport import TLSTransportFactory

    creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(certificate,)))
    tls = TLSTransportFactory(creator, False, work(), reactor)
    return reactor.listenTCP(0, tls, backlog=512, interface="127.0.0.1")


SERVERS: Final[dict[str, Callable[..., Any]]] = {
    "backend": listenBackend,
    "stock-port": listenStockPort,
    "forward-port": listenForward,
    "stock-transport": listenStockTransport,
    "xtls-transport": listenTransport,
}


def main(name: str, *arguments: str) -> None:
    """
    Listen until the process is ended.
    """
    port = SERVERS[name](*arguments)
    os.write(1, f"listening: 127.0.0.1:{port.getHost().port}\n".encode("ascii"))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
