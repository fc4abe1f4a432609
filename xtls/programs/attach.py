"""
C{xtls attach}: join something here to a server there, which is verified.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from xtls.config.connectionfile import refuseWeakening
from xtls.config.definitions import Layer, Side
from xtls.config.locations import certificateSearchPath, configDirectory
from xtls.config.modes import requireTLS
from xtls.config.portoptions import ALL_OPTIONS, PortOptions, resolveBoth
from xtls.config.target import Target, parseTarget
from xtls.errors import OptionError, PeerVerificationError
from xtls.programs.acquaintance import Acquaintance, Asker, Declined, KeyChanged, acquaint
from xtls.programs.commandline import PORT_PLACEHOLDER, SOURCE, CommandLine, Given, Word, wordsOf
from xtls.programs.joining import Joined, JoinProtocol
from xtls.programs.messages import say
from xtls.programs.refusals import Invocation, explain, explainChange
from xtls.programs.running import ENDING, runCommand
from xtls.programs.statuses import ExitStatus, statusOf
from xtls.trust.knownhosts import KnownHosts
from xtls.wire.addresses import addressName
from xtls.wire.reasons import reasonOf

__all__ = ["Attachment", "attach", "attachTo", "attachment", "run"]

_LISTEN: Final = "listen"
_VERBOSE: Final = "verbose"

#: What a command to run is put behind.
_SEPARATOR: Final = "--"

_USAGE: Final = """\
Usage: xtls attach TARGET [options]
       xtls attach TARGET --listen=ENDPOINT [options]
       xtls attach TARGET [options] -- COMMAND [ARGUMENT...]

Joins standard input and output to a server; or opens a port here, each connection of which gets one of its
own to the server; or opens a port and runs COMMAND, in whose arguments {port} stands for the port.

TARGET is ssl://host:port/, wss://, ws:// or tcp:// likewise, the older ssl:host:port, the path of a Unix
socket, or a connection file NAME.xpra.  ssl and wss servers are verified; one that cannot be is refused, or
on a terminal shown, to be accepted or not; xtls hosts is about those that were.

"""

_EXAMPLES: Final = """\

Exit statuses: 0 ended in order; 1 connection lost; 2 wrong options; 16 TLS failed; 18 not connected;
19 certificate not verified; 130 interrupted; that of COMMAND, where there is one that failed.

Examples:
  xtls attach ssl://host:10000/
  xtls attach ssl://host:10000/ --ssl-ca-certs=./cert.pem < request > answer
  xtls attach wss://host:10000/ --listen=tcp:5901:interface=127.0.0.1
  xtls attach ssl://host:10000/ -- vncviewer 127.0.0.1::{port}
  ssh -o ProxyCommand="xtls attach ssl://%h:10000/" user@host
"""

_LINE: Final = CommandLine(
    [
        Word(
            _LISTEN,
            "open this server endpoint of Twisted's, such as tcp:5901:interface=127.0.0.1",
            "ENDPOINT",
            "what is joined",
            shown="standard input and output",
        ),
        *wordsOf(ALL_OPTIONS.values(), Side.CLIENT),
        Word(_VERBOSE, "say each step"),
        Word("help", "show this"),
    ],
    short={"v": _VERBOSE, "h": "help"},
)


@dataclass(frozen=True)
class Attachment:
    """
    What is to be attached to what.

    @ivar layer: the options of the command line.
    @ivar options: deadlines and limits, as all layers together say.
    @ivar listen: a server endpoint string, or empty.
    @ivar verbose: whether each step is said.
    @ivar invocation: the command as it was given.
    @ivar descriptors: standard input and output.
    """

    layer: Layer
    options: PortOptions
    listen: str
    verbose: bool
    invocation: Invocation
    descriptors: tuple[int, int] = (0, 1)

    @property
    def target(self) -> Target:
        """
        Where to.
        """
        return self.invocation.target


def attachment(given: Given, command: Sequence[str]) -> Attachment:
    """
    Read what the command line asks for.

    @param command: what is behind C{--}.
    @raise OptionError: for whatever cannot be used.
    """
    if not given.arguments:
        raise OptionError("TARGET", SOURCE, "say where to connect, such as ssl://host:10000/")
    if len(given.arguments) > 1:
        problem = "expected one target; a command to run is put behind --"
        raise OptionError(given.arguments[1], SOURCE, problem)
    layer = given.layer(ALL_OPTIONS)
    for name in layer.values:
        if not ALL_OPTIONS[name].side & Side.CLIENT:
            raise OptionError(name, SOURCE, "is for servers only: expected it there, or not at all")
    listen = given.last(_LISTEN)
    if listen and command:
        raise OptionError(_LISTEN, SOURCE, "expected a command behind --, or this, but not both")
    if command and not any(PORT_PLACEHOLDER in word for word in command):
        problem = (
            f"nothing in it says {PORT_PLACEHOLDER}, so it cannot know the port: write that where it goes"
        )
        raise OptionError(command[0], SOURCE, problem)
    target = parseTarget(given.arguments[0])
    if not target.mode.secure:
        requireTLS(layer, target.mode, "say ssl:// or wss:// in place of it, or leave the option out")
    if not target.trusted:
        refuseWeakening(target.layer, layer)
    _, options = resolveBoth(target.layer, layer)
    invocation = Invocation(given, target, tuple(command))
    return Attachment(layer, options, listen, given.has(_VERBOSE), invocation)


def run(arguments: Sequence[str], runner: Callable[..., int] = runCommand) -> int:
    """
    Do what the command line says.

    @param runner: runs the reactor, as L{runCommand} does.
    @return: the exit status.
    @raise OptionError: if it cannot be understood.
    @raise CertificateFileError: for a file of certificates or keys that cannot be used.
    """
    words = list(arguments)
    cut = words.index(_SEPARATOR) if _SEPARATOR in words else len(words)
    given, command = _LINE.parse(words[:cut]), words[cut + 1 :]
    if words[cut:] == [_SEPARATOR]:
        raise OptionError(_SEPARATOR, SOURCE, "expected a command behind it")
    if given.has("help"):
        print(_USAGE + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    attached = attachment(given, command)
    # a terminal sends SIGINT to the program too, and whether that ends it is its own affair
    signals: dict[int, int | None] = {**ENDING}
    if command:
        signals[signal.SIGINT] = None
    return runner(partial(attach, attached), verbose=attached.verbose, signals=signals)


def attach(attached: Attachment, reactor: Any) -> Deferred[int]:
    """
    Attach.

    @return: fires with the exit status.
    """
    hosts = KnownHosts(configDirectory(), certificateSearchPath())
    asker, target, layer = Asker(reactor), attached.target, attached.layer
    endpoint = acquaint(asker, target, layer, hosts, verbose=attached.verbose)
    return attachTo(attached, endpoint, reactor)


def attachTo(attached: Attachment, endpoint: IStreamClientEndpoint, reactor: Any) -> Deferred[int]:
    """
    Attach to what an endpoint reaches.

    @return: fires with the exit status.
    """
    if attached.verbose:
        say(f"connecting to {attached.target.describe()}")
    if not (attached.listen or attached.invocation.command):
        return _join(attached, endpoint, reactor)
    if not isinstance(endpoint, Acquaintance):
        return _serve(attached, endpoint, reactor)
    # who is asked about the server is asked before there is anybody who waits for it
    introducing: Deferred[Any] = endpoint.introduce()
    return introducing.addCallbacks(lambda _: _serve(attached, endpoint, reactor), partial(_report, attached))


def _serve(attached: Attachment, endpoint: IStreamClientEndpoint, reactor: Any) -> Deferred[int]:
    """
    Let a local port, or a program that uses one, have connections.

    @return: fires with the exit status.
    """
    target, options = attached.target, attached.options
    # what only a local port needs takes a third of the time in which this command starts
    from xtls.programs.localport import ReportingEndpoint, forwardTo, runWithPort

    failed = [int(ExitStatus.OK)]
    reporting = ReportingEndpoint(endpoint, lambda failure: failed.append(_report(attached, failure)))
    session = forwardTo(reactor, reporting, options, target.describe())
    if attached.invocation.command:
        running = runWithPort(reactor, attached.invocation.command, session)
        # a command may well be content with no answer, but whoever asked for a verified server is not
        return running.addCallback(lambda status: status or max(failed))
    return _listen(attached, session, reactor)


def _listen(attached: Attachment, session: IProtocolFactory, reactor: Any) -> Deferred[int]:
    """
    Open a local port, and keep it open until the command is interrupted.
    """
    from xtls.endpoints.description import Description
    from xtls.endpoints.strings import enableStockSSL
    from xtls.programs.localport import listenLocally

    enableStockSSL()
    opening: Deferred[Any] = listenLocally(reactor, attached.listen, session)

    def listening(place: str) -> Deferred[int]:
        say(f"listening on {place} for {attached.target.describe()}")
        return Deferred()

    def cannot(failure: Failure) -> int:
        place = Description.parse(attached.listen).withoutSecrets()
        say(f"cannot listen on {place}: {failure.getErrorMessage()}")
        return ExitStatus.CONNECTION_FAILED

    return opening.addCallbacks(listening, cannot)


def _join(attached: Attachment, endpoint: IStreamClientEndpoint, reactor: Any) -> Deferred[int]:
    """
    Join standard input and output to one connection.
    """
    connecting: Deferred[Any] = endpoint.connect(_JoinFactory(reactor, attached))

    def connected(protocol: Any) -> Deferred[int]:
        if attached.verbose:
            say(f"connected: {_describe(protocol.transport)}")
        joined: Deferred[Any] = protocol.ended
        return joined.addCallback(ended)

    def ended(joined: Joined) -> int:
        if joined.problem:
            say(joined.problem)
        elif attached.verbose:
            say("the connection has ended")
        return joined.status

    return connecting.addCallbacks(connected, partial(_report, attached))


class _JoinFactory(Factory):
    """
    Builds the one join.
    """

    noisy = False

    def __init__(self, reactor: Any, attached: Attachment) -> None:
        self._reactor = reactor
        self._attached = attached

    def buildProtocol(self, addr: object) -> JoinProtocol:
        """
        The join.
        """
        attached = self._attached
        return JoinProtocol(self._reactor, attached.options.closeTimeout, attached.descriptors)


def _describe(transport: Any) -> str:
    """
    What a connection consists of.
    """
    from xtls.sessions.echo import howItCame

    return f"{howItCame(transport)} to {addressName(transport.getPeer())}"


def _report(attached: Attachment, failure: Failure) -> int:
    """
    Say why there is no connection.

    @return: the status for it.
    """
    error = failure.value
    if isinstance(error, (CancelledError, ConnectingCancelledError)):
        return ExitStatus.INTERRUPTED
    if isinstance(error, PeerVerificationError):
        say(_refusal(attached, error))
        return ExitStatus.CERTIFICATE_VERIFY_FAILED
    status = statusOf(error)
    problem = reasonOf(failure)
    say(f"cannot connect to {attached.target.describe()}: {problem.rstrip('.')}")
    if status is not ExitStatus.CONNECTION_LOST:
        return status
    if attached.verbose:
        say(failure.getTraceback())
    return ExitStatus.CONNECTION_FAILED


def _refusal(attached: Attachment, error: PeerVerificationError) -> str:
    """
    Say why the server is refused.
    """
    target = attached.target
    if isinstance(error, Declined):
        return f"{target.describe()} was not accepted; nothing was sent to it"
    if isinstance(error, KeyChanged):
        if error.remembered is None:
            return (
                f"{target.describe()} is refused: it has another key than the one that was accepted just now."
                " Somebody may be in between"
            )
        assert error.refusal.own is not None
        return explainChange(target, error.refusal.own, error.remembered, error.forget)
    return explain(error.refusal, attached.invocation, configDirectory())
