"""
Servers on Twisted's own TLS, and on ours without the port around it, each in a process of its own:
C{python -m benchmarks.servers NAME CERTIFICATE PORT BACKEND CONTROL}.

A I{port} is TLS in front of a backend in another process: Twisted's stock TLS, with Twisted's stock
forwarding or that of xtls.  A I{transport} is TLS alone, with the work of the backend done above it; what it
has counted is told on another port, without TLS.
"""

from __future__ import annotations

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

from benchmarks.backend import counted
from benchmarks.works import HOST

reactor: Any = _reactor

#: What one write of a flood has, in octets: as much as Twisted reads from a socket in one turn.
CHUNK: Final = bytes(range(256)) * 256

#: Connections that the system takes before they are accepted.
_BACKLOG: Final = 512

#: Writes in one turn of the reactor, when nobody says that it is enough.
_BURST: Final = 16


@implementer(IPushProducer)
class Work(Protocol):
    """
    Does what the backend does, C{python -m benchmarks.backend}, by what the first octet says.
    """

    transport: Any

    #: Octets that were taken so far, by all.
    taken = 0

    def __init__(self) -> None:
        self._kind = b""
        self._paused = self._lost = False

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
            Work.taken += len(view)
        else:
            self.dataReceived(bytes(view))

    def dataReceived(self, data: bytes) -> None:
        """
        Octets, from any other transport.
        """
        if not self._kind:
            self._kind, data = data[:1], data[1:]
            if self._kind == b"d":
                self.transport.registerProducer(self, True)
                self._flood()
        if self._kind == b"u":
            Work.taken += len(data)
        elif self._kind == b"e" and data:
            self.transport.write(data)
        elif self._kind == b"c" and data:
            self.transport.write(counted(Work.taken))

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


def _listenSSL(factory: IProtocolFactory, certificate: str, port: int) -> Any:
    """
    Twisted's stock TLS, as its documentation sets it up.
    """
    options = PrivateCertificate.loadPEM(Path(certificate).read_bytes()).options()
    return reactor.listenSSL(port, factory, options, backlog=_BACKLOG, interface=HOST)


def listenStockPort(certificate: str, port: int, backend: int, control: int) -> Any:
    """
    Twisted's stock TLS in front of a backend, by Twisted's stock forwarding.
    """
    factory = ProxyFactory(HOST, backend)
    factory.noisy = factory.protocol.clientProtocolFactory.noisy = False
    return _listenSSL(factory, certificate, port)


def listenForward(certificate: str, port: int, backend: int, control: int) -> Any:
    """
    Twisted's stock TLS in front of a backend, by the forwarding of xtls, which also passes half closes on and
    has deadlines.
    """
    from twisted.internet.endpoints import clientFromString

    from xtls.sessions.forward import ForwardFactory

    factory = ForwardFactory(clientFromString(reactor, f"tcp:{HOST}:{backend}"), 10.0, reactor)
    return _listenSSL(factory, certificate, port)


def listenStockTransport(certificate: str, port: int, backend: int, control: int) -> Any:
    """
    The work above Twisted's stock TLS.
    """
    reactor.listenTCP(control, work(), interface=HOST)
    return _listenSSL(work(), certificate, port)


def listenTransport(certificate: str, port: int, backend: int, control: int) -> Any:
    """
    The work above the TLS transport of xtls, with its defaults.
    """
    from xtls.config.options import TLSOptions
    from xtls.trust.contexts import ServerConnectionCreator
    from xtls.wire.tlsfactory import TLSTransportFactory

    creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(certificate,)))
    tls = TLSTransportFactory(creator, False, work(), reactor)
    reactor.listenTCP(control, work(), interface=HOST)
    return reactor.listenTCP(port, tls, backlog=_BACKLOG, interface=HOST)


SERVERS: Final[dict[str, Callable[..., Any]]] = {
    "stock-port": listenStockPort,
    "forward-port": listenForward,
    "stock-transport": listenStockTransport,
    "xtls-transport": listenTransport,
}


def main(name: str, certificate: str, *numbers: str) -> None:
    """
    Listen until the process is ended.
    """
    SERVERS[name](certificate, *map(int, numbers))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
