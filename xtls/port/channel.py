"""
HTTP connections that serve pages: twisted.web's, and four things that it leaves open.

  - Every head is read as strictly as the first one on its connection was, and may ask for a WebSocket:
    then the channel leaves, and the octets that it has not used yet go to who follows.
  - A peer may end its direction after its request, and still gets the answer.
  - Nothing waits for ever: a request must be complete in time after the last answer, and an answer must be
    read.
  - While the transport is full, no request is answered: many that came together would have answers a hundred
    times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from zope.interface import implementer

from xtls.port.requesthead import BadRequest, RequestHead, readRequestHead

if TYPE_CHECKING:
    from xtls.port.web import WebFactory

__all__ = ["PageChannel", "PageSite"]

#: Seconds for which a peer may read nothing of an answer.
_STUCK: Final = 60.0

#: More than L{readRequestHead} lets pass, so that it is who judges.
_UNLIMITED: Final = 1 << 30


class PageRequest(Request):
    """
    A request for a page.
    """

    def render(self, resrc: IResource) -> None:
        """
        Answer, without saying by which version of what.
        """
        self.responseHeaders.removeHeader(b"Server")
        super().render(resrc)


@implementer(IHalfCloseableProtocol)
class PageChannel(HTTPChannel):
    """
    One connection.

    @ivar web: decides what requests lead to.
    """

    web: WebFactory
    transport: Any
    totalHeadersSize = _UNLIMITED
    maxHeaders = _UNLIMITED

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[bytes] = []
        self._size = 0
        self._answering = False
        self._peerDone = False
        self._stuck: IDelayedCall | None = None

    @property
    def MAX_LENGTH(self) -> int:  # type: ignore[override]
        """
        How long a line may be: as long as a head.
        """
        return self.web.options.httpHeadSize

    # Receiving.

    def resetTimeout(self) -> None:
        """
        The deadline is one for a whole request, and not put off by pieces of it.
        """

    def lineReceived(self, line: bytes) -> None:
        """
        A line of a head.  twisted.web gets all of them when there is nothing wrong with them.
        """
        if not self.persistent or not (line or self._lines):
            return
        self._lines.append(line + b"\r\n")
        self._size += len(line) + 2
        if not line or self._size > self.web.options.httpHeadSize:
            lines, self._lines, self._size = self._lines, [], 0
            self._judge(b"".join(lines))

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        A line alone is longer than a head may be.
        """
        self._judge(b"".join(self._lines) + line)

    def _judge(self, data: bytes) -> None:
        """
        Let a complete head pass to twisted.web, or to whoever it asks for.
        """
        head: Any = readRequestHead(data, self.web.options.httpHeadSize)
        decision = head if isinstance(head, BadRequest) else self.web.decide(head, self.transport)
        if decision is None:
            for line in _originForm(head, data).split(b"\r\n")[:-1]:
                super().lineReceived(line)
        else:
            self._leave()
            self.web.takeOver(self.transport, self, head, decision)
            # What the line reader has not used yet, it gives here next.
            self.rawDataReceived = self.dataReceived  # type: ignore[method-assign]

    def _leave(self) -> None:
        """
        Let go of the connection: somebody else takes it over.
        """
        self.setRawMode()
        self.setTimeout(None)
        self._unstick()
        self.paused = False
        self.requests.clear()
        self.transport.unregisterProducer()
        self.transport.resumeProducing()

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """
        Whether the connection is kept after a request (RFC 9112, section 9.3), which may say so in a list.
        """
        said = b",".join(request.requestHeaders.getRawHeaders(b"connection", []))
        kept = version == b"HTTP/1.1" and b"close" not in said.lower().replace(b" ", b"").split(b",")
        if not kept:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return kept

    def allContentReceived(self) -> None:
        """
        A request is complete: it will be answered.
        """
        self._answering = True
        super().allContentReceived()

    def requestDone(self, request: IRequest) -> None:
        """
        A request has been answered.
        """
        self._answering = False
        super().requestDone(request)
        if self._stuck is not None:
            self.setTimeout(None)  # the next request has its time when this answer is read
        if self.paused:
            self.transport.pauseProducing()
        if self._peerDone and self.persistent and not (self._buffer or self._busyReceiving):
            self.readConnectionLost()  # of whoever follows, if somebody does

    # Ending.

    def readConnectionLost(self) -> None:
        """
        The peer sends no more: answer what it has asked for, and close.
        """
        self._peerDone = True
        if not self._answering:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Nobody asks for this.
        """

    def timeoutConnection(self) -> None:
        """
        No request was complete in time.
        """
        self.loseConnection()

    def loseConnection(self) -> None:
        """
        Close when the peer has read what was sent, or does not read on.
        """
        self._watch()
        super().loseConnection()

    def pauseProducing(self) -> None:
        """
        The transport is full: the peer must read.
        """
        self._watch()
        self.setTimeout(None)
        self.paused = True  # for the line reader, which would go on with what it has
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """
        The peer has read.
        """
        self._unstick()
        if not self._answering:
            self.setTimeout(self.web.options.httpTimeout)
        super().resumeProducing()
        self.paused = False
        self.dataReceived(b"")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        The connection is gone.
        """
        self._unstick()
        super().connectionLost(reason)

    def _watch(self) -> None:
        """
        The peer must read what was sent, in time.
        """
        self._unstick()
        self._stuck = self.callLater(_STUCK, self.transport.abortConnection)

    def _unstick(self) -> None:
        """
        It has.
        """
        if self._stuck is not None and self._stuck.active():
            self._stuck.cancel()
        self._stuck = None


def _originForm(head: RequestHead, data: bytes) -> bytes:
    """
    A head whose target has no scheme and host: twisted.web takes these for a part of the path.
    """
    return data[head.start :].replace(head.target, head.path, 1)


class PageSite(Site):
    """
    Answers requests for pages with a resource.
    """

    protocol = PageChannel  # type: ignore[assignment]
    noisy = False

    def __init__(self, resource: IResource, web: WebFactory) -> None:
        super().__init__(
            resource, requestFactory=PageRequest, reactor=web.clock, timeout=web.options.httpTimeout
        )
        self._web = web

    def buildProtocol(self, addr: Any) -> PageChannel:  # type: ignore[override]
        """
        One connection.
        """
        channel: Any = super().buildProtocol(addr)
        channel.web = self._web
        return channel  # type: ignore[no-any-return]

    def startFactory(self) -> None:
        """
        There is no log of accesses, and so no clock for it.
        """

    def stopFactory(self) -> None:
        """
        Nor is there anything to stop.
        """

    def log(self, request: Any) -> None:
        """
        A request is no event of the port's.
        """
