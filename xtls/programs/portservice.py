"""
The service that listens on all sockets of a port, or on none.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from xtls.config.modes import Mode
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.errors import XTLSError
from xtls.port.detect import Detected
from xtls.port.upgrades import Route, UpgradePolicy
from xtls.programs.commandline import SOURCE
from xtls.programs.reloading import Reloadable
from xtls.programs.serviceoptions import FORWARD, Socket
from xtls.programs.tally import Board, CountedEndpoint, Tally
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.wire.addresses import addressName

__all__ = ["Listener", "ListeningError", "PortService", "spoken"]

_log = Logger()

#: How many connections may wait to be accepted, where the system allows so many.  Twisted's 50 are full in a
#: few milliseconds when many clients come at once, and each that finds no room tries again a second later.
_BACKLOG: Final = 4096


class ListeningError(XTLSError):
    """
    A socket cannot be listened on.

    @ivar source: what said that it should be.
    @ivar problem: why it cannot.
    """

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source} ({SOURCE}): {problem}")
        self.source = source
        self.problem = problem


@dataclass(frozen=True)
class Listener:
    """
    One endpoint, ready to be listened on.

    @ivar socket: what it is for.
    @ivar endpoint: the port.
    @ivar session: what it leads to; L{None} if to pages only.
    """

    socket: Socket
    endpoint: UpgradeableServerEndpoint
    session: IProtocolFactory | None

    def protocols(self) -> str:
        """
        What it speaks, in words.
        """
        endpoint = self.endpoint
        policy = UpgradePolicy(
            endpoint.mode,
            endpoint.options,
            tlsAvailable=endpoint.tls is not None,
            sessionAvailable=self.session is not None,
            pagesAvailable=endpoint.site is not None,
        )
        return ", ".join(spoken(policy))

    def creators(self) -> Iterator[tuple[str, Reloadable]]:
        """
        What its TLS connections, and those to where it leads, are made by, with what people call it.
        """
        tls: Any = self.endpoint.tls
        if isinstance(tls, ServerConnectionCreator):
            yield self.socket.source, tls
        endpoint = getattr(self.session, "endpoint", None)
        while endpoint is not None:
            creator = getattr(endpoint, "creator", None)
            if isinstance(creator, ClientConnectionCreator):
                yield FORWARD, creator
            endpoint = getattr(endpoint, "wrapped", None)


def spoken(policy: UpgradePolicy) -> list[str]:
    """
    What a port with such a policy speaks, in the words of modes and URLs.
    """
    plain = _inside(policy, secure=False)
    if policy.route(Detected.TLS, secure=False) is not Route.TLS:
        return plain
    names = {"tcp": "ssl", "http": "https", "ws": "wss"}
    return plain + [names[each] for each in _inside(policy, secure=True)]


def _inside(policy: UpgradePolicy, *, secure: bool) -> list[str]:
    """
    What is spoken without TLS, or inside it.
    """
    decided = policy.atOnce(secure=secure)
    raw = decided or policy.route(Detected.RAW, secure=secure)
    http = decided or policy.route(Detected.HTTP, secure=secure)
    found = ["tcp"] if raw is Route.SESSION else []
    if http is Route.HTTP:
        found += ["http"] * policy.pages + ["ws"] * policy.webSockets
    return found


class PortService(Service):
    """
    Listens on all sockets, or on none.

    @ivar tally: where connections are counted.
    @ivar starting: called before anything listens.
    @ivar started: called when all that listens at once does, and privileges are gone.
    """

    tally: Tally

    def __init__(
        self, listeners: Sequence[Listener], failed: Callable[[ListeningError], object] | None = None
    ) -> None:
        """
        @param failed: told of the error before it is raised.
        """
        self.listeners = tuple(listeners)
        self.starting: Callable[[], object] = lambda: None
        self.started: Callable[[], object] = lambda: None
        self._failed = failed
        self._ports: list[IListeningPort] = []
        self._begun = False
        alone = Board(1).take()
        assert alone is not None
        self.tally = alone

    def privilegedStartService(self) -> None:
        """
        Listen, while there still is the privilege to.

        @raise ListeningError: if a socket cannot be listened on; nothing listens then.
        """
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """
        Listen, unless that was done before.
        """
        super().startService()
        self._listen()
        self.started()

    def share(self, tally: Tally) -> None:
        """
        This process is one of several that serve the sockets, which are not its own: another one closes them.

        @param tally: where it counts its connections.
        """
        self.tally = tally
        self._ports = []

    def stopService(self) -> Deferred[None]:
        """
        Listen no more.

        @return: fires when all sockets are closed.
        """
        super().stopService()
        self._begun = False
        ports, self._ports = self._ports, []
        stopping = DeferredList([maybeDeferred(port.stopListening) for port in ports])
        return stopping.addCallback(lambda _: None)

    def addresses(self) -> list[Any]:
        """
        Where it listens.
        """
        return [port.getHost() for port in self._ports]

    def _listen(self) -> None:
        """
        Listen on every socket.
        """
        if self._begun:
            return
        self._begun = True
        self.starting()
        errors: list[ListeningError] = []

        def failed(failure: Failure, listener: Listener) -> None:
            errors.append(_listeningError(listener, failure))
            _log.critical("xtls: {error}", error=errors[0])

        for listener in self.listeners:
            wrapped = CountedEndpoint(listener.endpoint.wrapped, lambda: self.tally)
            opening: Deferred[Any] = replace(listener.endpoint, wrapped=wrapped).listen(listener.session)
            opening.addCallback(self._listening, listener).addErrback(failed, listener)
            if errors:
                self.stopService()
                if self._failed is not None:
                    self._failed(errors[0])
                raise errors[0]

    def _listening(self, port: IListeningPort, listener: Listener) -> None:
        """
        A socket listens.
        """
        self._ports.append(port)
        bound = getattr(port, "socket", None)
        if bound is not None and listener.socket.address is not None:  # an endpoint string has a word for it
            bound.listen(_BACKLOG)
        _log.info(
            "xtls listening: {mode} {place} ({protocols})",
            mode=listener.socket.mode.value,
            place=addressName(port.getHost()),
            protocols=listener.protocols(),
        )


def _listeningError(listener: Listener, failure: Failure) -> ListeningError:
    """
    Why a socket cannot be listened on, and what to do.
    """
    error = failure.value
    if isinstance(error, (CannotListenError, OSError)):
        reason: object = error.socketError if isinstance(error, CannotListenError) else error
        number = getattr(reason, "errno", None)
        problem = f"cannot listen on {listener.socket.place}: {getattr(reason, 'strerror', None) or reason}"
        if number == errno.EADDRINUSE:
            problem += "; choose another, or stop the program that has it"
        elif number == errno.EACCES and listener.socket.mode is not Mode.UNIX:
            problem += "; choose a port from 1024 on, or start as a user who may"
        return ListeningError(listener.socket.source, problem)
    return ListeningError(listener.socket.source, f"cannot be listened on: {failure.getErrorMessage()}")
