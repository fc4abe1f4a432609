"""
Looking at a server: which conversations are had with it, in which order, and what is noted.

One connection at a time, since there are servers that serve one at a time; and the one that matters first,
since there are servers that serve one and end.  Each step has its deadline, and all together have one.  What
is sent are handshakes, a request for the head of the first page and a WebSocket's opening: no user, no
password, and the user's certificate only as C{xtls attach} does, to a server that is verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from xtls.config.definitions import Layer
from xtls.config.modes import Mode, Target, joinHostPort
from xtls.config.options import TLSOptions, TLSVersion, TLSVersions
from xtls.config.portoptions import PortOptions
from xtls.endpoints.targets import endpointForTarget
from xtls.errors import HandshakeError, PeerVerificationError
from xtls.programs.portfindings import Reach, Speech
from xtls.programs.probing import Prober, TLSExchange
from xtls.programs.statuses import ExitStatus, statusOf
from xtls.programs.steps import ANSWER, Addresses, Attached, Notes, OutOfTime, Steps
from xtls.trust.findings import TLSFacts
from xtls.trust.names import ReferenceIdentifier
from xtls.wire.oldtls import answeredVersion, oldClientHello
from xtls.wire.reasons import reasonOf

__all__ = ["Examiner"]

#: How long a server that speaks first is waited for where that matters most, in seconds: a port of ours gives
#: its session the chance after its own detect timeout.
_LATE_BANNER: Final = 6.5

#: How long a server may take to think better of a client that it has let in, in seconds.
_SETTLED: Final = 0.5

_HTTP: Final = (b"http/1.1",)

#: What a port answers that wants no HTTP (RFC 9110, section 15.5.1): it wants no WebSocket either.
_BAD_REQUEST: Final = 400


class Examiner:
    """
    Looks at one server.
    """

    def __init__(
        self,
        reactor: Any,
        target: Target,
        layers: Sequence[Layer],
        options: tuple[TLSOptions, PortOptions],
        deadline: float,
        carrier: IStreamClientEndpoint | None = None,
    ) -> None:
        """
        @param layers: what is said besides the target.
        @param options: what all of it comes to.
        @param deadline: how long everything may take, in seconds.
        @param carrier: how to reach the target in place of its address.
        @raise OptionError: for options that cannot be used.
        """
        self._reactor, self._target = reactor, target
        tls, self._options = options
        self._steps = Steps(reactor, carrier or self._direct(), self._options, deadline)
        self._prober = Prober(reactor, self._steps.way, tls.serverHostname or target.host)
        self._host = _hostField(target)
        self._limited = tls.versions().maximum < TLSVersion.TLS1_3
        # options that cannot be used are found here, before anything is sent
        self._context = Prober.contextFor(tls)
        self._attaching: Prober | None = None
        if target.mode in (Mode.SSL, Mode.WSS, Mode.WS):
            endpoint = endpointForTarget(reactor, target, *layers, carrier=self._steps.way)
            self._attaching = Prober(reactor, endpoint, "")

    def _direct(self) -> IStreamClientEndpoint:
        """
        The way to the target's address.
        """
        target, timeout = self._target, self._options.connectTimeout
        if target.mode is Mode.UNIX:
            path = "\0" + target.path[1:] if target.path.startswith("@") else target.path
            return UNIXClientEndpoint(self._reactor, path, timeout=timeout)
        return HostnameEndpoint(self._reactor, target.host, target.port, timeout=timeout)

    @property
    def notes(self) -> Notes:
        """
        What has been found so far.
        """
        return self._steps.notes

    async def examine(self) -> Notes:
        """
        Do it all.
        """
        try:
            await self._all()
        except OutOfTime:
            self.notes.unfinished = True
        return self.notes

    async def _all(self) -> None:
        """
        The steps.
        """
        notes, mode = self.notes, self._target.mode
        if mode is not Mode.UNIX:
            await self._resolve()
        if mode.secure:
            await self._overTLS()
            if notes.connections:
                await self._overPlain()
            return
        if mode is Mode.WS:
            await self._attach()
        if notes.connections or mode is not Mode.WS:
            await self._overPlain()
        if notes.connections and mode not in (Mode.UNIX, Mode.SSH):
            await self._overTLS()

    async def _resolve(self) -> None:
        """
        Look the name up.
        """
        receiver, target = Addresses(), self._target

        def look() -> Deferred[None]:
            self._reactor.nameResolver.resolveHostName(receiver, target.host, target.port)
            return receiver.done

        try:
            await self._steps.within(look, self._options.connectTimeout)
        except TimeoutError:
            pass  # connecting will say so
        self.notes.reach = Reach(tuple(dict.fromkeys(receiver.found)))

    async def _overPlain(self) -> None:
        """
        What there is without TLS.
        """
        notes, mode, steps = self.notes, self._target.mode, self._steps
        exchange = await steps.connected(self._prober.plain)
        if mode in (Mode.TCP, Mode.UNIX):
            reached = exchange is not None
            notes.attached = (
                Attached() if reached else Attached(ExitStatus.CONNECTION_FAILED, notes.reach.problem)
            )
        if exchange is None:
            return
        notes.plain = await steps.hear(exchange, "" if mode is Mode.SSH else self._host)
        await steps.hangUp(exchange)
        if mode in (Mode.TCP, Mode.UNIX) and not notes.plain.banner:
            notes.plain = await self._listen(notes.plain)
        if notes.plain.http is not None and notes.plain.http.status != _BAD_REQUEST and mode is not Mode.WS:
            exchange = await steps.connected(self._prober.plain)
            if exchange is not None:
                notes.webSocket = await steps.openWebSocket(exchange, f"ws://{self._host}/")
                await steps.hangUp(exchange)

    async def _listen(self, speech: Speech) -> Speech:
        """
        Give a server that speaks first, behind a port that looks at its clients first, the time to do so.

        @param speech: what else was said.
        """
        steps = self._steps
        exchange = await steps.connected(self._prober.plain)
        if exchange is None:
            return speech
        before = self._reactor.seconds()
        if await steps.until(exchange, lambda: exchange.received, _LATE_BANNER):
            after = self._reactor.seconds() - before
            speech = replace(speech, banner=bytes(exchange.received), after=after)
        await steps.hangUp(exchange)
        return speech

    async def _overTLS(self) -> None:
        """
        What there is inside TLS.
        """
        notes, steps = self.notes, self._steps
        session: SSL.Session | None = None
        exchange = await self._handshake(lambda: self._prober.secure(self._context))
        if exchange is not None:
            notes.tls = replace(exchange.facts(), limited=self._limited)
            if exchange.established:
                notes.secure = await steps.hear(exchange, self._host)
                notes.tls = self._heard(exchange, notes.tls)
                session = exchange.connection.get_session()
            await steps.hangUp(exchange)
        if self._target.mode.secure:
            await self._attach()
        if notes.tls is None or not notes.tls.spoken:
            return
        if not notes.tls.problem:
            notes.tls = await self._again(notes.tls, session)
        if notes.tls.version == "TLSv1.3":
            notes.tls = await self._older(notes.tls)
        notes.tls = await self._ancient(notes.tls)

    @staticmethod
    def _heard(exchange: TLSExchange, facts: TLSFacts) -> TLSFacts:
        """
        What is known when the server has had time to think about a client without a certificate, which TLS
        1.3 lets it do after the handshake.
        """
        if not facts.asked:
            return facts
        return replace(facts, required=bool(exchange.problem), problem=exchange.problem)

    async def _handshake(self, connect: Callable[[], Deferred[TLSExchange]]) -> TLSExchange | None:
        """
        Connect, and let a handshake end.
        """
        tls: TLSExchange | None = await self._steps.connected(connect)
        if tls is not None:
            made = tls
            await self._steps.until(
                made, lambda: made.established or made.problem, self._options.handshakeTimeout
            )
        return tls

    async def _again(self, facts: TLSFacts, session: SSL.Session | None) -> TLSFacts:
        """
        Another handshake: does the session go on, what of ALPN, and does a WebSocket open inside?
        """
        exchange = await self._handshake(lambda: self._prober.secure(self._context, _HTTP, session))
        if exchange is None:
            return facts
        if exchange.established:
            alpn = exchange.connection.get_alpn_proto_negotiated().decode("ascii", "replace")
            facts = replace(facts, alpn=alpn, resumed=exchange.resumed)
            secure = self.notes.secure
            if secure is not None and secure.http is not None and self._target.mode is not Mode.WSS:
                url = f"wss://{self._host}/"
                self.notes.secureWebSocket = await self._steps.openWebSocket(exchange, url)
        await self._steps.hangUp(exchange)
        return facts

    async def _older(self, facts: TLSFacts) -> TLSFacts:
        """
        Is TLS 1.2 spoken too?
        """
        only = TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2)
        context = Prober.contextFor(TLSOptions(protocol=only))
        exchange = await self._handshake(lambda: self._prober.secure(context))
        if exchange is None:
            return facts
        await self._steps.hangUp(exchange)
        return replace(facts, older=exchange.facts().spoken)

    async def _ancient(self, facts: TLSFacts) -> TLSFacts:
        """
        Are versions spoken that nobody should speak?
        """
        exchange = await self._steps.connected(self._prober.plain)
        if exchange is None:
            return facts
        exchange.send(oldClientHello(self._prober.serverName, os.urandom(32)))

        def answer() -> str | None:
            return answeredVersion(bytes(exchange.received), exchange.ended is not None)

        await self._steps.until(exchange, lambda: answer() is not None, ANSWER)
        await self._steps.hangUp(exchange)
        return replace(facts, ancient=answer())

    async def _attach(self) -> None:
        """
        Connect as C{xtls attach} does, and hang up.
        """
        assert self._attaching is not None
        notes, steps, wait = self.notes, self._steps, self._options
        seconds = wait.connectTimeout + wait.handshakeTimeout + wait.websocketTimeout
        try:
            exchange = await steps.within(self._attaching.plain, seconds)
        except (OutOfTime, CancelledError, ConnectingCancelledError):
            raise
        except Exception as e:
            notes.attached = _notAttached(e)
        else:
            await steps.until(exchange, lambda: exchange.received, _SETTLED)
            ended = exchange.ended
            notes.attached = Attached(hungUp=ended is not None and not exchange.received)
            if ended is not None and ended.check(HandshakeError):
                notes.attached = _notAttached(ended.value)
            await steps.hangUp(exchange)
        if self._target.mode in (Mode.WS, Mode.WSS):
            self._noteWebSocket(notes.attached)

    def _noteWebSocket(self, attached: Attached) -> None:
        """
        What becomes of a WebSocket that was asked for is known by what became of C{xtls attach}; but where it
        was refused before, nothing is.
        """
        if attached.status in (ExitStatus.OK, ExitStatus.CONNECTION_FAILED) and self.notes.connections:
            if self._target.mode is Mode.WS:
                self.notes.webSocket = attached.problem
            else:
                self.notes.secureWebSocket = attached.problem


def _hostField(target: Target) -> str:
    """
    Whom a web server is told that is meant (RFC 9110, section 7.2): a name in A-labels, and no zone, which
    means something to this machine only.
    """
    if not target.host:
        return "localhost"
    try:
        name = ReferenceIdentifier.of(target.host).name
    except ValueError:
        name = target.host
    return joinHostPort(name, target.port)


def _notAttached(error: BaseException) -> Attached:
    """
    Why there is no connection.
    """
    status = statusOf(error)
    if status is ExitStatus.CONNECTION_LOST:
        status = ExitStatus.CONNECTION_FAILED
    refusal = error.refusal if isinstance(error, PeerVerificationError) else None
    return Attached(status, reasonOf(Failure(error)).rstrip("."), refusal)
