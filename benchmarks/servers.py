"""
The servers that are compared: C{python -m benchmarks.servers NAME CERTIFICATE}.

Each listens on loopback, on ports that it picks and prints: one for TLS, and one for asking how much
processor time it has used.  The protocols above TLS are the same for all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet import reactor as _reactor
from twisted.internet.interfaces import IProtocolFactory, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
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
    Does what the first octet says: C{D} sends without end, C{U} takes and reports how much has arrived,
    C{E} sends everything back, C{H} answers with one octet and closes.
    """

    transport: Any

    def __init__(self) -> None:
        self._kind = b""
        self._paused = self._lost = False
        self._arrived = self._reported = 0

    def bufferReceived(self, view: memoryview) -> None:
        """
        Octets, from a transport that gives views.
        """
        if self._kind == b"U":
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
        if self._kind == b"U":
            self._count(len(data))
        elif self._kind == b"E" and data:
            self.transport.write(data)

    def _begin(self) -> None:
        """
        The kind of work is known.
        """
        if self._kind == b"D":
            self.transport.registerProducer(self, True)
            self._flood()
        elif self._kind == b"H":
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


class Used(Protocol):
    """
    Tells how much processor time this process has used, in seconds.
    """

    def connectionMade(self) -> None:
        """
        Tell, and close.
        """
        assert self.transport is not None
        self.transport.write(f"{time.process_time():.6f}\n".encode("ascii"))
        self.transport.loseConnection()


def listenStock(factory: IProtocolFactory, certificate: str) -> Any:
    """
    Twisted's stock TLS, as its documentation sets it up.
    """
    options = PrivateCertificate.loadPEM(Path(certificate).read_bytes()).options()
    return reactor.listenSSL(0, factory, options, backlog=512, interface="127.0.0.1")


def listenXTLS(factory: IProtocolFactory, certificate: str) -> Any:
    """
    The TLS transport of xtls, with its defaults.
    """
    from xtls.config.options import TLSOptions
    from xtls.trust.contexts import ServerConnectionCreator
    from xtls.wire.transport import TLSTransportFactory

    creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(certificate,)))
    tls = TLSTransportFactory(creator, False, factory, reactor)
    return reactor.listenTCP(0, tls, backlog=512, interface="127.0.0.1")


SERVERS: Final[dict[str, Callable[[IProtocolFactory, str], Any]]] = {
    "stock": listenStock,
    "xtls": listenXTLS,
}


def main(name: str, certificate: str) -> None:
    """
    Listen until standard input ends.
    """
    work = Factory.forProtocol(Work)
    used = Factory.forProtocol(Used)
    work.noisy = used.noisy = False
    port = SERVERS[name](work, certificate)
    control = reactor.listenTCP(0, used, interface="127.0.0.1")
    print(port.getHost().port, control.getHost().port, flush=True)
    reactor.callInThread(lambda: (sys.stdin.read(), reactor.callFromThread(reactor.stop)))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
