"""
Single steps of looking at a server: what was noted so far, and conversations that end in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

import xtls
from xtls.config.portoptions import PortOptions
from xtls.errors import OpeningHandshakeError
from xtls.programs.portfindings import HTTPAnswer, Reach, Speech, bannerOf
from xtls.programs.probing import Exchange
from xtls.programs.statuses import ExitStatus
from xtls.trust.findings import TLSFacts
from xtls.trust.verification import Refusal
from xtls.wire.addresses import addressName
from xtls.wire.opening import ClientOpening
from xtls.wire.reasons import reasonOf

__all__ = ["Addresses", "Attached", "Notes", "OutOfTime", "Steps"]

#: How long a server that might speak first is waited for, in seconds.
BANNER: Final = 1.0

#: How long an answer may take, and an orderly end, in seconds.
ANSWER: Final = 3.0
_CLOSED: Final = 1.0


@dataclass(frozen=True)
class Attached:
    """
    What became of an attempt to connect as C{xtls attach} does.

    @ivar status: the status with which that would end, or 0.
    @ivar problem: why there was no connection.
    @ivar refusal: why the server was refused, if it was.
    @ivar hungUp: whether the server hung up at once.
    """

    status: int = ExitStatus.OK
    problem: str = ""
    refusal: Refusal | None = None
    hungUp: bool = False


@dataclass
class Notes:
    """
    What has been found so far.

    @ivar connections: how many connections were made.
    @ivar unfinished: whether the time was over before everything was asked.
    @ivar reach: whether the server can be reached.
    @ivar tls: what is known of TLS; L{None} when nobody asked.
    @ivar plain: what was said without TLS; C{secure}: inside it.
    @ivar webSocket: why no WebSocket opens without TLS, empty when one does; C{secureWebSocket}: inside it.
    @ivar attached: what C{xtls attach} comes to; L{None} when it was not tried.
    """

    connections: int = 0
    unfinished: bool = False
    reach: Reach = field(default_factory=Reach)
    tls: TLSFacts | None = None
    plain: Speech | None = None
    secure: Speech | None = None
    webSocket: str | None = None
    secureWebSocket: str | None = None
    attached: Attached | None = None


@implementer(IResolutionReceiver)
class Addresses:
    """
    Collects the addresses of a name.

    @ivar found: those that there are so far.
    @ivar done: fires when there are no more.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self.done: Deferred[None] = Deferred()

    def resolutionBegan(self, resolutionInProgress: object) -> None:
        """
        The search has begun.
        """

    def addressResolved(self, address: Any) -> None:
        """
        One address.
        """
        self.found.append(address.host)

    def resolutionComplete(self) -> None:
        """
        There are no more.
        """
        if not self.done.called:
            self.done.callback(None)


class OutOfTime(Exception):
    """
    The time for everything is over.
    """


@implementer(IStreamClientEndpoint)
class _Noted:
    """
    A way to the server on which connections are counted, and what became of the first is noted.
    """

    def __init__(self, wrapped: IStreamClientEndpoint, clock: IReactorTime, notes: Notes) -> None:
        self._wrapped, self._clock, self._notes = wrapped, clock, notes

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.
        """
        notes, before = self._notes, self._clock.seconds()

        def made(protocol: Any) -> Any:
            if not notes.connections:
                seconds = self._clock.seconds() - before
                notes.reach = replace(
                    notes.reach, peer=addressName(protocol.transport.getPeer()), seconds=seconds, problem=""
                )
            notes.connections += 1
            return protocol

        def failed(failure: Failure) -> Failure:
            if not notes.connections:
                notes.reach = replace(notes.reach, problem=reasonOf(failure).rstrip("."))
            return failure

        return self._wrapped.connect(protocolFactory).addCallbacks(made, failed)


def _request(host: str) -> bytes:
    """
    What is asked of a web server: the head of its first page, which changes nothing (RFC 9110, section
    9.2.1).
    """
    return (
        f"HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: xtls/{xtls.__version__} (check)\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    ).encode("ascii", "replace")


class Steps:
    """
    Conversations with a server, each of which ends in time.

    @ivar notes: what has been found so far.
    @ivar way: how to reach the server; whatever goes this way is noted.
    """

    def __init__(
        self, clock: IReactorTime, carrier: IStreamClientEndpoint, options: PortOptions, deadline: float
    ) -> None:
        """
        @param carrier: how to reach the server.
        @param options: deadlines of single steps.
        @param deadline: how long everything may take, in seconds.
        """
        self._clock = clock
        self._options = options
        self._end = clock.seconds() + deadline
        self.notes = Notes()
        self.way: IStreamClientEndpoint = _Noted(carrier, clock, self.notes)

    def left(self, seconds: float) -> float:
        """
        How long something may take.

        @param seconds: if there were time enough.
        @raise OutOfTime: when there is no time left.
        """
        left = self._end - self._clock.seconds()
        if left <= 0:
            raise OutOfTime
        return float(min(seconds, left))

    async def within(self, begin: Callable[[], Deferred[Any]], seconds: float) -> Any:
        """
        Begin something, if there is time, and wait for it, but not longer.

        @raise OutOfTime: when the time for everything is over.
        @raise TimeoutError: when the time for this is over.
        """
        late: list[bool] = []
        left = self.left(seconds)
        waiting = begin()

        def stop() -> None:
            late.append(True)
            waiting.cancel()

        timer = self._clock.callLater(left, stop)
        try:
            return await waiting
        except (CancelledError, ConnectingCancelledError):
            if not late:
                raise
            self.left(0.0)
            raise TimeoutError(f"there was no answer within {seconds:g} seconds") from None
        finally:
            if timer.active():
                timer.cancel()

    async def connected(self, connect: Callable[[], Deferred[Any]]) -> Any:
        """
        Make a connection.

        @return: what it is made with; L{None} when there is no connection.
        """
        try:
            return await self.within(connect, self._options.connectTimeout)
        except (OutOfTime, CancelledError, ConnectingCancelledError):
            raise
        except Exception:
            return None

    async def until(self, exchange: Exchange, enough: Callable[[], object], seconds: float) -> bool:
        """
        Wait for what a server says.

        @return: whether it has said enough.
        """
        return await exchange.until(enough, self.left(seconds))

    @staticmethod
    async def hangUp(exchange: Exchange) -> None:
        """
        End a conversation.
        """
        exchange.close()
        if not await exchange.until(lambda: exchange.ended is not None, _CLOSED):
            exchange.transport.abortConnection()

    async def hear(self, exchange: Exchange, host: str) -> Speech:
        """
        Wait for a server that speaks first; and if it does not, ask it for a page.

        @param host: what is said to a web server about who is meant; empty: nothing is asked.
        """
        before = self._clock.seconds()
        if await self.until(exchange, lambda: exchange.received, BANNER):
            return Speech(bytes(exchange.received), self._clock.seconds() - before)
        if exchange.ended is not None or not host:
            return Speech(closed=exchange.ended is not None)
        exchange.send(_request(host))
        await self.until(exchange, lambda: b"\r\n\r\n" in exchange.received, ANSWER)
        data = bytes(exchange.received)
        if bannerOf(data):  # which has taken its time
            return Speech(data, self._clock.seconds() - before)
        answer = HTTPAnswer.parse(data)
        closed = not data and exchange.ended is not None
        return Speech(http=answer, other=b"" if answer is not None else data, closed=closed)

    async def openWebSocket(self, exchange: Exchange, url: str) -> str:
        """
        Open a WebSocket on a connection.

        @return: why it does not open; empty when it does.
        """
        opening = ClientOpening(url)
        result: list[str] = []

        def answered() -> bool:
            data = bytes(exchange.received)
            exchange.received.clear()
            try:
                if data and not result and opening.receive(data):
                    result.append("")
            except OpeningHandshakeError as e:
                result.append(e.problem)
            return bool(result)

        exchange.send(opening.request)
        await self.until(exchange, answered, self._options.websocketTimeout)
        return result[0] if result else "there is no answer"
