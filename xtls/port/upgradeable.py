"""
A connection to a port, from its first octet until it is known who takes it over.

L{UpgradeableProtocol} collects octets until L{detect} knows what they are, asks the
L{UpgradePolicy} where they lead, and hands the connection over: from then on the transport calls
the session, the web or TLS directly, and nothing of this module is in the path.  Inside TLS the
same class asks the same question once more.

What an undecided peer can hold: one socket, for C{detect-timeout} seconds, and fewer octets than
L{LONGEST_SIGNATURE}, beyond which every answer is certain, and the segment that decided.  A refused
one holds its socket for at most L{LINGER} seconds more, and no octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.config.portoptions import PortOptions
from xtls.port.detect import NEED_DATA, detect
from xtls.port.journal import Journal
from xtls.port.refusal import LINGER, Refusal
from xtls.port.upgrades import Route, UpgradePolicy, UpgradeRefused
from xtls.wire.addresses import addressName
from xtls.wire.deadlines import Deadline, deadlinesOf
from xtls.wire.handover import handOver
from xtls.wire.peers import identityOf
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.transport import TLSTransport

__all__ = ["LINGER", "SETTLING", "TAKEN", "Port", "UpgradeableFactory", "UpgradeableProtocol"]

_log = Logger()

#: Seconds for the rest of a word that may be a method of HTTP.
SETTLING: Final = 0.3

#: The line about a connection that is let in.
TAKEN: Final = "{peer}: {path}"

#: The same, where it is known who that is.
_KNOWN: Final = "{peer}: {path} as {identity}"

_REFUSED: Final = "{peer}: refused at {path}: {problem}"


@dataclass(frozen=True)
class Port:
    """
    One socket of a port: what it lets in, and what that leads to.

    @ivar policy: what is let in.
    @ivar session: takes raw octets and those of WebSockets; L{None} if there is none.
    @ivar web: takes HTTP requests; L{None} if there is none.
    @ivar tls: makes the OpenSSL connections; L{None} without a certificate.
    @ivar clock: for deadlines.
    """

    policy: UpgradePolicy
    session: IProtocolFactory | None
    web: IProtocolFactory | None
    tls: IOpenSSLServerConnectionCreator | None
    clock: IReactorTime

    @property
    def options(self) -> PortOptions:
        """
        The switches and deadlines.
        """
        return self.policy.options


class UpgradeableFactory(Factory):
    """
    Builds what a listening socket connects: a protocol that finds out what each peer speaks.

    @ivar port: the port.
    @ivar count: gives who counts the connections, if anybody does.
    """

    noisy = False
    count: Callable[[], Any] | None = None

    def __init__(self, port: Port) -> None:
        self.port = port
        self.journal = Journal(_log, port.clock)
        self._routes: dict[Route, IProtocolFactory | None] = {
            Route.SESSION: port.session,
            Route.HTTP: port.web,
            Route.TLS: self._tls(port.tls) if port.tls is not None else None,
        }

    def _tls(self, creator: IOpenSSLServerConnectionCreator) -> IProtocolFactory:
        """
        The factory of TLS connections, in which the question is asked again.
        """
        options = self.port.options
        return TLSTransportFactory(
            creator,
            False,
            _InsideFactory(self),
            self.port.clock,
            handshakeTimeout=options.handshakeTimeout,
            closeTimeout=options.closeTimeout,
            refused=self._handshakeFailed,
        )

    def _handshakeFailed(self, transport: TLSTransport, failure: Failure) -> None:
        """
        A peer did not get through its handshake.
        """
        self.journal.note(
            _REFUSED,
            peer=addressName(transport.getPeer()),
            path=f"{self.port.policy.mode.value}>{Route.TLS.value}",
            problem=failure.getErrorMessage(),
        )

    def startFactory(self) -> None:
        """
        Start what the port leads to: it has no other port of its own to do so.
        """
        for factory in (self.port.session, self.port.web):
            if factory is not None:
                factory.doStart()

    def stopFactory(self) -> None:
        """
        Stop what the port leads to.
        """
        for factory in (self.port.session, self.port.web):
            if factory is not None:
                factory.doStop()
        self.journal.write()

    def buildProtocol(self, addr: IAddress | None) -> UpgradeableProtocol:  # type: ignore[override]
        """
        The protocol of one connection.
        """
        return UpgradeableProtocol(self)

    def next(self, route: Route) -> IProtocolFactory | None:
        """
        Where a route leads to, if anywhere.
        """
        return self._routes[route]

    def begun(self) -> None:
        """
        A connection is there of which no protocol tells.
        """
        if self.count is not None:
            self.count().begun()

    def ended(self) -> None:
        """
        It is gone.
        """
        if self.count is not None:
            self.count().ended()

    def follow(self, route: Route, peer: IAddress) -> IProtocol | None:
        """
        Build the protocol that takes a connection over.

        @return: L{None} if it does not want to.
        """
        factory = self._routes[route]
        return None if factory is None else factory.buildProtocol(peer)


class _InsideFactory(Factory):
    """
    Builds what a verified peer is connected to, inside TLS.
    """

    noisy = False

    def __init__(self, outside: UpgradeableFactory) -> None:
        self._outside = outside

    def buildProtocol(self, addr: IAddress | None) -> UpgradeableProtocol:  # type: ignore[override]
        """
        The protocol of one connection.
        """
        return UpgradeableProtocol(self._outside, addr, secure=True)


@implementer(IHalfCloseableProtocol)
class UpgradeableProtocol(Protocol):
    """
    One connection, while it is not known what its peer speaks.
    """

    transport: Any

    def __init__(
        self, factory: UpgradeableFactory, peer: IAddress | None = None, *, secure: bool = False
    ) -> None:
        """
        @param peer: whose connection this is, where that is known.
        @param secure: whether this is inside TLS.
        """
        self.factory: UpgradeableFactory = factory
        self._peer = peer
        self._secure = secure
        self._prefix = b""
        self._timer: Deadline | None = None
        self._decided = False
        self._ended = False
        self._hurried = False

    def connectionMade(self) -> None:
        """
        Decide at once where that is possible, else wait for octets, but not for long.
        """
        port = self.factory.port
        decision = port.policy.atOnce(secure=True, alpn=self._negotiated) if self._secure else None
        if decision is None:
            self._timer = deadlinesOf(port.clock).within(port.options.detectTimeout, self.tooSlow)
        else:
            self._act(decision)

    def hurry(self, until: float) -> None:
        """
        The connection is older than it seems.

        @param until: when it must be decided, in the clock's seconds.
        """
        if self._timer is not None and until < self._timer.time:
            self._timer.cancel()
            clock = self.factory.port.clock
            self._timer = deadlinesOf(clock).within(max(0.0, until - clock.seconds()), self.tooSlow)

    def _negotiated(self) -> bytes | None:
        """
        The application protocol that was agreed on inside TLS.
        """
        negotiated: bytes | None = self.transport.negotiatedProtocol
        return negotiated

    def dataReceived(self, data: bytes) -> None:
        """
        Look whether this is enough to decide.
        """
        if not self._decided:
            self._prefix += data
            self._decide()

    def readConnectionLost(self) -> None:
        """
        The peer will send no more: what is there decides, and is delivered, and then the end of it.
        """
        if self._decided:
            self.transport.loseConnection()
        else:
            self._ended = True
            self._decide(final=True)

    def writeConnectionLost(self) -> None:
        """
        Nobody has asked for this yet.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The peer has gone before it was known what it wanted.
        """
        self._stopTimer()

    def tooSlow(self) -> None:
        """
        The time is over: what is there decides.
        """
        self._stopTimer()
        try:
            self._decide(final=True)
        except Exception:
            # A reactor closes a connection whose protocol raises, but not when that is in a timer.
            _log.failure("{path}: the connection cannot be taken over", path=self._path())
            self.transport.loseConnection()

    def _decide(self, final: bool = False) -> None:
        """
        Find out what the peer speaks, if that is possible by now, and act on it.
        """
        detected = detect(self._prefix, final)
        if detected is not NEED_DATA:
            self._act(self.factory.port.policy.route(detected, secure=self._secure))
        elif self._prefix[:1].isalpha() and not self._hurried:
            # A word that a method of HTTP begins with: whoever speaks HTTP sends the line at once.
            self._hurried = True
            self.hurry(self.factory.port.clock.seconds() + SETTLING)

    def _act(self, decision: Route | UpgradeRefused) -> None:
        """
        Hand the connection over to whoever follows.
        """
        self._decided = True
        self._stopTimer()
        if decision is not Route.TLS and not self._secure:
            _sendAtOnce(self.transport)  # TLS sees to it itself
        if isinstance(decision, UpgradeRefused):
            self._note(_REFUSED, self._path(), problem=decision.problem)
            following: IProtocol | None = Refusal(self.factory.port.clock, decision.answer)
        else:
            following = self._build(decision)
        prefix, self._prefix = self._prefix, b""
        if following is None:
            self.transport.loseConnection()
        else:
            handOver(self.transport, self, following, prefix, ended=self._ended, known=False)

    def _build(self, route: Route) -> IProtocol | None:
        """
        The protocol that follows, which gets one line in the log when the connection is where it
        leads to.
        """
        path = f"{self._path()}>{route.value}"
        try:
            if self._peer is None:
                self._peer = self.transport.getPeer()
            following = self.factory.follow(route, self._peer)
        except Exception:
            _log.failure("{path}: the connection cannot be taken over", path=path)
            return None
        if following is None:
            self._note(_REFUSED, path, problem="it takes no more connections")
        elif route is not Route.TLS:
            identity = identityOf(self.transport) if self._secure else None
            if identity is None:
                self._note(TAKEN, path)
            else:
                self._note(_KNOWN, path, identity=identity.describe())
        return following

    def _path(self) -> str:
        """
        How the connection got here, such as C{tcp>tls}.
        """
        mode = self.factory.port.policy.mode.value
        return f"{mode}>{Route.TLS.value}" if self._secure else mode

    def _note(self, text: str, path: str, **fields: str) -> None:
        """
        One line in the log.
        """
        peer = addressName(self._peer or self.transport.getPeer())
        self.factory.journal.note(text, peer=peer, path=path, **fields)

    def _stopTimer(self) -> None:
        """
        There is a decision, or no connection.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _sendAtOnce(transport: Any) -> None:
    """
    Switch Nagle's algorithm off: with it, a small answer waits for the peer's delayed
    acknowledgement, 40 ms and more.
    """
    onInternet = isinstance(transport.getHost(), (IPv4Address, IPv6Address))
    if onInternet and ITCPTransport.providedBy(transport):
        transport.setTcpNoDelay(True)
