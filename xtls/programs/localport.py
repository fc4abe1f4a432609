"""
A port on this machine, each connection of which gets a connection of its own to the target.

So programs that know nothing of TLS or WebSocket reach a target that does, verified.  C{{port}} in the words
of a command stands for the port.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.config.portoptions import PortOptions
from xtls.endpoints.strings import serverFromString
from xtls.errors import OptionError
from xtls.programs.commandline import PORT_PLACEHOLDER, SOURCE
from xtls.sessions.forward import ForwardFactory
from xtls.wire.addresses import addressName

__all__ = ["ReportingEndpoint", "forwardTo", "listenLocally", "runWithPort"]

_LOOPBACK: Final = "127.0.0.1"


@implementer(IStreamClientEndpoint)
@dataclass(frozen=True)
class ReportingEndpoint:
    """
    Another endpoint, the failures of which are told to the user too.

    @ivar wrapped: the endpoint.
    @ivar report: what is called with each failure.
    """

    wrapped: IStreamClientEndpoint
    report: Callable[[Failure], object]

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.
        """

        def failed(failure: Failure) -> Failure:
            self.report(failure)
            return failure

        return self.wrapped.connect(protocolFactory).addErrback(failed)


def forwardTo(reactor: Any, target: IStreamClientEndpoint, options: PortOptions, name: str) -> ForwardFactory:
    """
    The session of a local port: each connection gets one of its own to the target.

    @param name: what logs call the target.
    """
    # the target's endpoint has a deadline for each of its steps; this one is for all of them
    patience = options.connectTimeout + options.handshakeTimeout + options.websocketTimeout
    return ForwardFactory(target, patience, reactor, name=name, closeTimeout=options.closeTimeout)


def listenLocally(reactor: Any, text: str, session: IProtocolFactory) -> Deferred[str]:
    """
    Open a local port.

    @param text: the server endpoint string that says where.
    @return: fires with where it listens, for people; fails with an error of Twisted's if it cannot.
    @raise OptionError: if the string cannot be understood.
    """
    try:
        endpoint = serverFromString(reactor, text)
    except OptionError as e:
        raise OptionError("listen", SOURCE, str(e)) from None
    except (LookupError, TypeError, ValueError) as e:
        # a TypeError is about a function of Twisted's, of which the user knows nothing
        why = "arguments are missing, or unknown" if isinstance(e, TypeError) else e
        problem = f"this is no server endpoint ({why}): expected such as tcp:5901:interface=127.0.0.1"
        raise OptionError("listen", SOURCE, problem) from None
    return endpoint.listen(session).addCallback(lambda port: addressName(port.getHost()))


class _Program(ProcessProtocol):
    """
    The program that uses the port, and has our standard input, output and error.

    @ivar ended: fires with its exit status; 128 and the signal's number where one ended it, as in shells.
    """

    def __init__(self) -> None:
        self.ended: Deferred[int] = Deferred(self._cancel)

    def _cancel(self, ended: Deferred[int]) -> None:
        """
        Ask it to end; it ends when it does.
        """
        try:
            self.transport.signalProcess("TERM")  # type: ignore[union-attr]
        except ProcessExitedAlready:
            pass

    def processEnded(self, reason: Failure) -> None:
        """
        It has ended.
        """
        if not self.ended.called:
            value: Any = reason.value
            self.ended.callback(128 + value.signal if value.signal else value.exitCode or 0)


def runWithPort(reactor: Any, command: Sequence[str], session: IProtocolFactory) -> Deferred[int]:
    """
    Open a port on loopback, and run a program that uses it, until it ends.

    @param command: the program and its arguments, in which L{PORT_PLACEHOLDER} stands for the port.
    @return: fires with the exit status of the program.
    @raise OptionError: if there is no such program.
    """
    executable = shutil.which(command[0])
    if executable is None:
        raise OptionError(command[0], SOURCE, "there is no such program")

    def listening(port: Any) -> Deferred[int]:
        number = str(port.getHost().port)
        words = [word.replace(PORT_PLACEHOLDER, number) for word in command]
        program = _Program()
        reactor.spawnProcess(program, executable, words, env=None, childFDs={0: 0, 1: 1, 2: 2})
        return program.ended

    opening: Deferred[Any] = TCP4ServerEndpoint(reactor, 0, interface=_LOOPBACK).listen(session)
    return opening.addCallback(listening)
