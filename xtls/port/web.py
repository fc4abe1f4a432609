"""
HTTP on a port: what a request leads to.

The first request of a connection is read here, strictly and in time; those that follow on a connection
that is kept are read by L{PageChannel}.  Each leads to a WebSocket, to a page, or to a refusal, by one
decision, L{WebFactory.decide}; and then the connection is handed over.
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from zope.interface import implementer

from xtls.config.definitions import optionNamed
from xtls.config.portoptions import PortOptions
from xtls.port.channel import PageSite
from xtls.port.detect import NEED_DATA
from xtls.port.journal import Journal
from xtls.port.pages import pages
from xtls.port.refusal import Refusal
from xtls.port.requesthead import (
    BadRequest,
    HeadReader,
    RequestHead,
    isWebSocketUpgrade,
    originAllowed,
    webSocketProblem,
)
from xtls.port.upgrades import UpgradePolicy
from xtls.trust.defaults import defaultNames
from xtls.wire.addresses import addressName
from xtls.wire.deadlines import Deadline, deadlinesOf
from xtls.wire.handover import handOver
from xtls.wire.peers import identityOf
from xtls.wire.websocket import WebSocketAcceptor

__all__ = ["WEBSOCKET", "WebFactory", "WebProtocol", "pages"]

_log = Logger()

#: The decision that a request leads to a WebSocket.
WEBSOCKET: Final = "WebSocket"

#: The line about a WebSocket of somebody who is known.
_KNOWN: Final = "{peer}: http>ws as {identity}"

#: Octets of content that a request may bring to pages that do not read it.
_LONGEST_CONTENT: Final = 65536

_NO_WEBSOCKETS: Final = BadRequest(403, "there are no WebSockets on this port")
_OTHER_ORIGIN: Final = BadRequest(
    403,
    "pages of this origin may not open a WebSocket here; those that may are named with "
    + optionNamed(PortOptions, "websocketOrigin").name,
)
_ONLY_WEBSOCKETS: Final = BadRequest(
    426, "there are only WebSockets on this port", (("Upgrade", "websocket"),)
)
_NO_SESSION: Final = BadRequest(503, "no more connections are taken now")
_TOO_SLOW: Final = BadRequest(408, "the request did not come in time")
_FAULT: Final = BadRequest(500, "the connection could not be taken over")
_READ_ONLY: Final = BadRequest(405, "pages are only read here", (("Allow", "GET, HEAD"),))
_TOO_MUCH: Final = BadRequest(413, "the content is too long")
_NO_LENGTH: Final = BadRequest(411, "the length of the content is not said")


class WebFactory(Factory):
    """
    Builds what takes a connection over that speaks HTTP.

    @ivar policy: what of HTTP is let in.
    @ivar clock: for deadlines.
    """

    noisy = False

    def __init__(
        self,
        policy: UpgradePolicy,
        clock: IReactorTime,
        *,
        session: IProtocolFactory | None = None,
        site: IResource | None = None,
    ) -> None:
        """
        @param session: what WebSockets lead to; L{None} if they lead nowhere.
        @param site: what pages are found in, such as L{pages} makes; L{None} if there are none.  A resource
            that has C{readOnly} set gets only GET and HEAD.
        """
        self.policy = policy
        self.clock = clock
        self._journal = Journal(_log, clock)
        self._acceptor = None if session is None else self._acceptorFor(session)
        self._site = None if site is None else PageSite(site, self)
        self._readOnly = bool(getattr(site, "readOnly", False))
        self._names = frozenset(defaultNames())

    def _acceptorFor(self, session: IProtocolFactory) -> WebSocketAcceptor:
        """
        What opens WebSockets.
        """
        options = self.options
        return WebSocketAcceptor(
            session, self.clock, closeTimeout=options.closeTimeout, messageSize=options.messageSize
        )

    def stopFactory(self) -> None:
        """
        The port is closed.
        """
        self._journal.write()

    @property
    def options(self) -> PortOptions:
        """
        Deadlines and limits.
        """
        return self.policy.options

    def buildProtocol(self, addr: IAddress | None) -> WebProtocol:  # type: ignore[override]
        """
        The protocol of one connection.
        """
        return WebProtocol(self)

    def decide(self, head: RequestHead, transport: Any) -> BadRequest | str | None:
        """
        What a request leads to.

        @param transport: what it came by.
        @return: L{WEBSOCKET}, L{None} for a page, or a refusal, of which a redirection is one.
        """
        if isWebSocketUpgrade(head):
            if self._acceptor is None or not self.policy.webSockets:
                return _NO_WEBSOCKETS
            return webSocketProblem(head) or self._originProblem(head, transport) or WEBSOCKET
        if self.policy.redirects(ISSLTransport.providedBy(transport)):
            return _redirection(head)
        if self._site is None or not self.policy.pages:
            return _ONLY_WEBSOCKETS
        return self._contentProblem(head) if self._readOnly else None

    def _originProblem(self, head: RequestHead, transport: Any) -> BadRequest | None:
        """
        Why a page of this origin may not open a WebSocket, if it may not.
        """
        if not head.all(b"origin"):
            return None
        secure = ISSLTransport.providedBy(transport)
        names = self._names if _isLoopback(getattr(transport.getHost(), "host", None)) else None
        if originAllowed(head, self.options.websocketOrigin, secure=secure, names=names):
            return None
        return _OTHER_ORIGIN

    def _contentProblem(self, head: RequestHead) -> BadRequest | None:
        """
        Why a request is none for a page that is only read, if it is none.
        """
        if head.method not in (b"GET", b"HEAD"):
            return _READ_ONLY
        if head.all(b"transfer-encoding"):
            return _NO_LENGTH
        lengths = head.all(b"content-length")
        return _TOO_MUCH if lengths and int(lengths[0]) > _LONGEST_CONTENT else None

    def pageChannel(self, peer: IAddress) -> IProtocol:
        """
        What takes a connection over whose first request leads to a page.
        """
        assert self._site is not None
        return self._site.buildProtocol(peer)

    def takeOver(
        self,
        transport: Any,
        leaving: IProtocol,
        head: RequestHead | BadRequest,
        decision: BadRequest | str,
        rest: bytes = b"",
    ) -> None:
        """
        Hand a connection over to the WebSocket that a request leads to, or refuse it.

        @param leaving: the protocol that has read the request.
        @param rest: what came after the request.
        """
        peer = transport.getPeer()
        following: IProtocol | None = None
        if decision is WEBSOCKET:
            assert isinstance(head, RequestHead)
            following, decision = self._stream(transport, head)
        if isinstance(decision, BadRequest):
            if decision.status >= 400:
                self._journal.note(
                    "{peer}: refused: {problem}", peer=addressName(peer), problem=decision.reason
                )
            withContent = not isinstance(head, RequestHead) or head.method != b"HEAD"
            following = Refusal(self.clock, self.answer(decision, withContent=withContent))
        assert following is not None
        handOver(transport, leaving, following, rest)

    def _stream(self, transport: Any, head: RequestHead) -> tuple[IProtocol | None, BadRequest | str]:
        """
        The stream that a request asks for, or why there is none.
        """
        assert self._acceptor is not None
        peer = transport.getPeer()
        key = head.all(b"sec-websocket-key")[0]
        try:
            stream = self._acceptor.stream(peer, key, head.tokens(b"sec-websocket-protocol"))
        except Exception:
            _log.failure("{peer}: no session for a WebSocket", peer=addressName(peer))
            return None, _FAULT
        if stream is None:
            return None, _NO_SESSION
        identity = identityOf(transport)
        if identity is None:
            self._journal.note("{peer}: http>ws", peer=addressName(peer))
        else:
            self._journal.note(_KNOWN, peer=addressName(peer), identity=identity.describe())
        return stream, WEBSOCKET

    def answer(self, problem: BadRequest, *, withContent: bool = True) -> bytes:
        """
        A whole response, after which the connection closes.

        @param withContent: whether its content is sent, which after HEAD it is not.
        """
        content = f"{problem.reason[:1].upper()}{problem.reason[1:]}.\n".encode("ascii", "replace")
        fields = dict(problem.fields)
        lines = [
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
            f"Date: {formatdate(self.clock.seconds(), usegmt=True)}",
            "Content-Type: text/plain; charset=us-ascii",
            f"Content-Length: {len(content)}",
            "Cache-Control: no-store",
            f"Connection: {'Upgrade, close' if 'Upgrade' in fields else 'close'}",
            *(f"{name}: {value}" for name, value in problem.fields),
            "",
            "",
        ]
        return "\r\n".join(lines).encode("ascii") + (content if withContent else b"")


@lru_cache(maxsize=64)  # a machine has few
def _isLoopback(host: str | None) -> bool:
    """
    Whether an address leads nowhere but to this machine.

    @param host: an IP address; L{None} for a Unix socket.
    """
    try:
        address = ip_address(host)  # type: ignore[arg-type]
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _redirection(head: RequestHead) -> BadRequest:
    """
    Send who asks to the same place over https, which is the same host and port.
    """
    host = head.host
    if not (host.partition(":")[0] and head.path.startswith(b"/")):
        return BadRequest(400, "this port speaks https")
    if not host.rpartition(":")[2].isdigit():
        host = f"{host.removesuffix(':')}:80"  # else https would be at 443
    location = f"https://{host}{head.path.decode('ascii')}"
    return BadRequest(308, "this port speaks https", (("Location", location),))


@implementer(IHalfCloseableProtocol)
class WebProtocol(Protocol):
    """
    One connection, while its first request is not complete.
    """

    transport: Any
    takesAtOnce = True  # octets, as soon as it is connected

    def __init__(self, factory: WebFactory) -> None:
        self.factory: WebFactory = factory
        self._reader = HeadReader(factory.options.httpHeadSize)
        self._deadline: Deadline | None = None

    def connectionMade(self) -> None:
        """
        Wait for the head of a request, but not for long.
        """
        web = self.factory
        self._deadline = deadlinesOf(web.clock).within(web.options.httpTimeout, self._tooSlow)

    def dataReceived(self, data: bytes) -> None:
        """
        Octets of the head, and perhaps of what follows it.
        """
        head: Any = self._reader.feed(data)
        if head is NEED_DATA:
            return
        self._stopDeadline()
        received, self._reader.data = self._reader.data, b""
        if isinstance(head, BadRequest):
            self.factory.takeOver(self.transport, self, head, head)
            return
        web = self.factory
        decision = web.decide(head, self.transport)
        if decision is None:
            channel = web.pageChannel(self.transport.getPeer())
            handOver(self.transport, self, channel, received[head.start :])
        else:
            web.takeOver(self.transport, self, head, decision, received[head.end :])

    def readConnectionLost(self) -> None:
        """
        The peer sends no more: there will be no request.
        """
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Nobody asks for this.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The peer has gone.
        """
        self._stopDeadline()

    def _tooSlow(self) -> None:
        """
        The head did not come in time.  Who has said nothing needs no answer: browsers connect in advance.
        """
        self._deadline = None
        if self._reader.data:
            self.factory.takeOver(self.transport, self, _TOO_SLOW, _TOO_SLOW)
        else:
            self.transport.loseConnection()

    def _stopDeadline(self) -> None:
        """
        The head is there, or the peer has gone.
        """
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
