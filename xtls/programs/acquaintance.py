"""
Servers whose key the user has accepted: trust on first use, for C{xtls attach}.

L{acquaint} makes the endpoint that reaches a target.  Where the user has not said whom to believe, a server
that is remembered must show the very key that is remembered.  One that is not, and that cannot be verified,
may be accepted by the user at the terminal; then another connection is made, which must show the key of the
certificate that was just shown: somebody who steps in between the two is refused.

Only the authority and the name can be made up for like this.  A certificate that has expired, or is not for
servers, is refused whoever accepts its key, and so nobody is asked.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.config.definitions import Layer, optionNamed
from xtls.config.modes import Target, joinHostPort
from xtls.config.options import TLSOptions
from xtls.config.portoptions import resolveBoth
from xtls.endpoints.targets import endpointForTarget
from xtls.errors import CertificateFileError, PeerVerificationError
from xtls.programs.messages import say, thisCommand
from xtls.programs.refusals import ACCEPTABLE, introduction, trustIsSaid
from xtls.programs.terminal import Terminal, openTerminal
from xtls.trust.knownhosts import KnownHosts, RememberedHost
from xtls.trust.pins import pinOf
from xtls.trust.verification import Reason, Refusal

__all__ = ["Acquaintance", "Asker", "Declined", "KeyChanged", "acquaint", "rememberedAs"]

_ONCE: Final = "once"
_ALWAYS: Final = "always"
_NO: Final = "no"


class KeyChanged(PeerVerificationError):
    """
    A server has shown another key than the one that the user has accepted.

    @ivar remembered: what is remembered of it; L{None} where it was accepted a moment ago.
    @ivar forget: the command that forgets it.
    """

    def __init__(self, refusal: Refusal, remembered: RememberedHost | None, forget: str) -> None:
        super().__init__(refusal)
        self.remembered = remembered
        self.forget = forget


class Declined(PeerVerificationError):
    """
    The user was asked about a server that cannot be verified, and did not accept it.
    """


@dataclass(frozen=True)
class Asker:
    """
    How somebody is asked.

    @ivar reactor: provides L{IReactorFDSet} and L{IReactorTime}.
    @ivar find: finds the terminal; L{None} if there is none.
    @ivar now: the time.
    """

    reactor: Any
    find: Callable[[], Terminal | None] = openTerminal
    now: Callable[[], datetime] = field(default=lambda: datetime.now(timezone.utc))


def acquaint(
    asker: Asker, target: Target, layer: Layer, hosts: KnownHosts, *, verbose: bool = False
) -> IStreamClientEndpoint:
    """
    The endpoint that reaches a target.

    @param asker: how the user is asked, if they have to be.
    @param layer: the options of the command line.
    @param hosts: the hosts that are remembered.
    @param verbose: whether each step is said.
    @raise OptionError: for an option that is wrong or does not apply to the target.
    @raise CertificateFileError: if what is remembered of the host cannot be read.
    """

    def made(pin: str) -> IStreamClientEndpoint:
        # what the user has accepted comes before what a file says of somebody else's, and is as good as said
        pinned = Layer(_SOURCE, {optionNamed(TLSOptions, "pin").name: (pin,)} if pin else {})
        return endpointForTarget(asker.reactor, target, pinned, layer)

    if not target.mode.secure or trustIsSaid(*((target.layer, layer) if target.trusted else (layer,))):
        return made("")
    acquaintance = Acquaintance(asker, rememberedAs(target, layer), target, hosts, verbose=verbose)
    acquaintance.begin(made, mayAsk=not trustIsSaid(target.layer))
    return acquaintance


def rememberedAs(target: Target, layer: Layer) -> str:
    """
    The name under which a server is remembered: what the user calls it.

    What a connection file calls it does not count.  That may be the name of another, whose key would then not
    be asked for, or be replaced by that of this one.

    @param layer: the options of the command line.
    """
    tls, _ = resolveBoth(*((target.layer, layer) if target.trusted else (layer,)))
    return tls.serverHostname or target.host


#: Where the pin of a host that was accepted was said.
_SOURCE: Final = "remembered host"


@implementer(IStreamClientEndpoint)
class Acquaintance:
    """
    Reaches one server, which the user knows by its key, or may get to know.
    """

    def __init__(
        self, asker: Asker, host: str, target: Target, hosts: KnownHosts, *, verbose: bool = False
    ) -> None:
        """
        @param host: the name under which it is remembered.
        """
        self._asker = asker
        self._host = host
        self._target = target
        self._hosts = hosts
        self._verbose = verbose
        self._remembered: RememberedHost | None = None
        self._accepted: x509.Certificate | None = None

    def begin(self, made: Callable[[str], IStreamClientEndpoint], *, mayAsk: bool) -> None:
        """
        Look for the host among those that are remembered.

        @param made: makes the endpoint for a pin, or without one.
        @param mayAsk: whether the user may be asked about a server that cannot be verified.
        """
        self._made = made
        try:
            self._remembered = self._hosts.find(self._host, self._target.port)
        except CertificateFileError as e:
            problem = f"{e.problem}; to forget this host: {self._forgetting(Path(e.path))}"
            raise CertificateFileError(e.path, problem) from None
        self.mayAsk = mayAsk and self._remembered is None
        self._pin("" if self._remembered is None else self._remembered.pin)

    def _pin(self, pin: str) -> None:
        """
        From now on, connect to whoever has a key.

        @param pin: the key; empty for none.
        """
        self._pinned = bool(pin)
        self._endpoint = self._made(pin)

    @property
    def place(self) -> str:
        """
        The host and port, as they are remembered.
        """
        return joinHostPort(self._host, self._target.port)

    def _forgetting(self, path: Path) -> str:
        """
        The command that forgets the host.

        @param path: where it is remembered.
        """
        more = "" if path.is_relative_to(self._hosts.directory) else " --everywhere"
        return f"{thisCommand()} hosts forget {shlex.quote(self.place)}{more}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect; and if the server cannot be verified, and the user accepts it, connect again.
        """
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connecting.addCallbacks(self._connected, self._failed, errbackArgs=(protocolFactory,))

    def introduce(self) -> Deferred[None]:
        """
        Have the user decide now, where they can be asked: before there is somebody who waits.

        @return: fires when a server that nobody vouches for has been accepted, and when there is nothing to
            ask; fails with L{PeerVerificationError} if it is refused.  That there is no connection for
            another reason may be different next time.
        """
        terminal = self._asker.find() if self.mayAsk else None
        if terminal is None:
            self.mayAsk = False
            return succeed(None)
        terminal.close()
        meeting: Deferred[Any] = self.connect(Factory.forProtocol(_Meeting))

        def failed(failure: Failure) -> None:
            self.mayAsk = False
            if failure.check(PeerVerificationError, CancelledError):
                failure.raiseException()

        return meeting.addCallbacks(lambda _: None, failed)

    def _connected(self, protocol: IProtocol) -> IProtocol:
        """
        The server is verified.
        """
        self.mayAsk = False
        if self._accepted is not None:
            certificate, self._accepted = self._accepted, None
            if self._remember(certificate):
                forget = self._forgetting(self._hosts.directory)
                say(f"{self.place} is remembered. To forget it: {forget}")
        elif self._remembered is not None and self._remembered.path.is_relative_to(self._hosts.directory):
            shown = _shownBy(protocol)
            if shown is not None and shown != self._remembered.certificate:
                renewed = self._remember(shown)
                if renewed and self._verbose:
                    say(f"{self.place} has a new certificate with the same key: it is remembered")
        return protocol

    def _remember(self, certificate: x509.Certificate) -> bool:
        """
        Remember a certificate; that this is not possible does not end the connection.

        @return: whether it was.
        """
        try:
            self._remembered = self._hosts.remember(
                self._host, self._target.port, certificate, self._asker.now()
            )
        except CertificateFileError as e:
            say(f"{self.place} cannot be remembered: {e}")
            return False
        return True

    def _failed(self, failure: Failure, protocolFactory: IProtocolFactory) -> Any:
        """
        There is no connection.
        """
        error = failure.value
        if not isinstance(error, PeerVerificationError):
            return failure
        refusal = error.refusal
        if refusal.reason is Reason.WRONG_KEY and self._pinned:
            remembered = self._remembered
            forget = "" if remembered is None else self._forgetting(remembered.path)
            return Failure(KeyChanged(refusal, remembered, forget))
        own = refusal.own
        if not self.mayAsk or own is None or refusal.reason not in ACCEPTABLE:
            return failure
        self.mayAsk = False
        untimely = _untimely(own, self._asker.now())
        if untimely is not None:
            return Failure(PeerVerificationError(replace(refusal, reason=untimely, certificate=own, depth=0)))
        terminal = self._asker.find()
        if terminal is None:
            return failure
        return self._ask(terminal, refusal, own, protocolFactory)

    def _ask(
        self, terminal: Terminal, refusal: Refusal, own: x509.Certificate, protocolFactory: IProtocolFactory
    ) -> Deferred[IProtocol]:
        """
        Ask whether to accept the key of a certificate, and if so, connect to whoever has it.
        """
        terminal.say("xtls: " + introduction(self._target, refusal, own))
        question = f"Accept the key of {self.place}? {_ONCE}, {_ALWAYS} or {_NO} [{_NO}]: "
        asking = terminal.ask(self._asker.reactor, question, (_ONCE, _ALWAYS, _NO), _NO)

        def closed(outcome: str | Failure) -> str | Failure:
            terminal.close()
            return outcome

        def answered(answer: str) -> Any:
            if answer == _NO:
                return Failure(Declined(refusal))
            self._accepted = own if answer == _ALWAYS else None
            self._pin(pinOf(own))
            return self.connect(protocolFactory)

        return asking.addBoth(closed).addCallback(answered)


class _Meeting(Protocol):
    """
    A connection that is over as soon as the server is verified.
    """

    def connectionMade(self) -> None:
        """
        That was all.
        """
        transport: Any = self.transport
        transport.abortConnection()


def _untimely(certificate: x509.Certificate, now: datetime) -> Reason | None:
    """
    Why a certificate is not valid now, whoever vouches for it.
    """
    if now > certificate.not_valid_after_utc:
        return Reason.EXPIRED
    return Reason.NOT_YET_VALID if now < certificate.not_valid_before_utc else None


def _shownBy(protocol: Any) -> x509.Certificate | None:
    """
    The certificate of the server that a protocol is connected to, if it can be read.
    """
    try:
        found = protocol.transport.getHandle().get_peer_certificate()
        certificate: x509.Certificate | None = found.to_cryptography()
    except Exception:
        return None
    return certificate
