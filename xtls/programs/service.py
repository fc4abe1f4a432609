"""
C{twistd xtls}: the port as a service.

Whatever is wrong is said in one sentence on standard error, and the exit status is not 0; and nothing listens
then.  twistd's own treatment of wrong options, the whole usage on standard output, is stepped around with
L{SystemExit}.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import Any, Final

from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger, globalLogPublisher
from twisted.python import usage

import xtls
from xtls.config.locations import defaultCertificatePath, findDefaultCertificate
from xtls.config.portoptions import PortOptions
from xtls.config.target import parseTarget
from xtls.endpoints.description import Description
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.endpoints.strings import clientFromString, enableStockSSL, serverFromString
from xtls.errors import CertificateFileError, OptionError, XTLSError
from xtls.port.web import pages
from xtls.programs.commandline import SOURCE, Given, tolerate
from xtls.programs.logfile import quicken
from xtls.programs.portservice import Listener, ListeningError, PortService
from xtls.programs.reloading import Reloadable, Reloader
from xtls.programs.serviceoptions import (
    FORWARD,
    LISTEN,
    WORKERS,
    Plan,
    Socket,
    plan,
    serviceCommandLine,
)
from xtls.programs.serving import Terminal, Upkeep, heed, settle, tellStatus
from xtls.sessions.forward import ForwardFactory
from xtls.trust.keypairs import AUTOMATIC
from xtls.trust.ownrenewal import renewDefault

__all__ = ["Options", "build", "chooseReactor", "creatorsOf", "makeService"]

_log = Logger()

_USAGE: Final = """\
Usage: twistd [twistd's options] xtls [options]

One port that speaks raw TCP, TLS, HTTP, HTTPS, WebSocket and secure WebSocket, told apart by their first
octets, in front of any service.  With -n, twistd stays in the foreground and logs to standard output.

"""

_EXAMPLES: Final = """\

Examples:
  twistd -n xtls --bind-tcp=0.0.0.0:10000 --forward=tcp:127.0.0.1:5900 --ssl-cert=auto
  twistd -n xtls --bind-tcp="*:10000" --bind-wss="[::1]:10001,ssl-cert=/path/b.pem" --forward=unix:/run/x
  twistd -n xtls --bind-tcp=0.0.0.0:10000,ssh-upgrade=no --forward=tcp:127.0.0.1:22 --ssl-cert=auto
"""


class Options(usage.Options):
    """
    What twistd asks for the options of the service.

    @ivar given: the command line, once it is read.
    """

    given: Given

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read a command line.

        @raise SystemExit: with the sentence that says what is wrong; or, without one, when all was said that
            the command line asks for.
        """
        try:
            self.given = serviceCommandLine().parse(list(options or ()))
            if self.given.arguments:
                raise OptionError(self.given.arguments[0], SOURCE, "expected options only")
        except OptionError as e:
            raise SystemExit(f"xtls: {e}") from None
        if self.given.has("help"):
            tolerate(sys.stdout)
            print(self, end="")
            raise SystemExit(0)
        if self.given.has("version"):
            print(f"xtls {xtls.__version__}")
            raise SystemExit(0)
        chooseReactor(sys.modules)

    def __str__(self) -> str:
        """
        The help.
        """
        return _USAGE + serviceCommandLine().help() + _EXAMPLES


def _ours() -> Callable[[], None]:
    """
    What installs the reactor of ours.

    @raise ImportError: where there is no epoll.
    """
    from xtls.wire.reactor import install

    return install


def chooseReactor(modules: Container[str], find: Callable[[], Callable[[], None]] = _ours) -> None:
    """
    Run on the reactor of ours where that is possible, unless the user has asked for another.

    @param modules: those that are imported.
    """
    if "twisted.internet.reactor" in modules:
        return
    try:
        install = find()
    except ImportError:
        return  # Twisted's own choice is as good as any
    install()


def makeService(options: Options, reactor: Any = None) -> PortService:
    """
    Make the service; nothing listens yet.

    @param reactor: where to listen; by default, the one that twistd chose.
    @raise SystemExit: with the sentence that says what is wrong.
    """
    if reactor is None:
        from twisted.internet import reactor
    enableStockSSL()
    try:
        planned = plan(options.given)
        if planned.workers > 1:
            _requireForking(reactor)
        listeners = build(reactor, planned)
    except XTLSError as e:
        raise SystemExit(f"xtls: {e}") from None
    service = PortService(listeners, _sayPlainly)
    creators = creatorsOf(listeners)
    renew = partial(_renewDefault, creators)
    if renew(datetime.now(timezone.utc)):
        for _, creator in creators:
            creator.reload()
    reloader = Reloader(creators, planned.reloadInterval)
    reloader.renew = renew
    service.starting = lambda: heed(reloader)
    terminal = Terminal()
    service.started = lambda: _started(reactor, planned.workers, service, reloader, terminal)
    return service


def creatorsOf(listeners: Iterable[Listener]) -> list[tuple[str, Reloadable]]:
    """
    All that TLS connections are made by, each once, with what people call it.
    """
    found = {id(creator): (name, creator) for each in listeners for name, creator in each.creators()}
    return list(found.values())


def _renewDefault(creators: Iterable[tuple[str, Reloadable]], now: datetime) -> bool:
    """
    Renew the default certificate when it is time, if it is in use.

    @return: whether that was done.
    """
    path = findDefaultCertificate()
    if not any(str(path) in creator.files for _, creator in creators):
        return False
    try:
        if renewDefault(now) is None:
            return False
    except CertificateFileError as e:
        _log.warn("the default certificate is not renewed: {problem}", problem=str(e))
        return False
    _log.info("xtls has renewed the default certificate, {path}, with the same key", path=path)
    return True


def _requireForking(reactor: Any) -> None:
    """
    Require that there can be workers.
    """
    if not hasattr(os, "fork"):
        raise OptionError(WORKERS, SOURCE, "this system cannot fork processes: leave the option out")
    if not hasattr(reactor, "forked"):
        problem = "workers need the reactor of xtls, which needs epoll (Linux): leave the option out"
        raise OptionError(WORKERS, SOURCE, f"{problem}, or twistd's --reactor")


def _started(
    reactor: Any, workers: int, service: PortService, reloader: Reloader, terminal: Terminal
) -> None:
    """
    Everything listens, privileges are gone, and the reactor is about to run.
    """
    settle()
    quicken(globalLogPublisher)
    if workers == 1:
        tellStatus(reactor, service.tally, time.monotonic, reloader.status)
        Upkeep(reactor, reloader, time.monotonic, terminal).begin()
        return
    from xtls.programs.workers import Workers

    reactor.runWithin(Workers(workers, reactor, service, reloader, terminal, _endBadly))


def _endBadly(problem: str) -> None:
    """
    Have the program end with a sentence, and with status 1: twistd itself knows no other than 0, but does
    some work at the end.
    """
    print(f"xtls: {problem}", file=sys.__stderr__)
    atexit.register(os._exit, 1)


def build(reactor: Any, planned: Plan) -> list[Listener]:
    """
    Make everything that a plan needs: read certificates, and find out whether all of it fits together.

    @raise OptionError: for whatever does not.
    """
    session = _sessions(reactor, planned)
    site = pages(planned.wwwDir)
    before = findDefaultCertificate()
    endpoints = [
        (socket, _endpoint(reactor, socket, text, site))
        for socket in planned.sockets
        for text in socket.endpointStrings()
    ]
    listeners = [Listener(socket, endpoint, session(endpoint.options)) for socket, endpoint in endpoints]
    if any(each.endpoint.tls is not None and _usesDefault(each.socket.tls.cert) for each in listeners):
        found = findDefaultCertificate() or defaultCertificatePath()
        done = "uses" if before else "made"
        _log.info("xtls {done} the default certificate, {path}", done=done, path=found)
    return listeners


def _usesDefault(cert: Sequence[str]) -> bool:
    """
    Whether the default certificate is among those that were said.
    """
    return not cert or AUTOMATIC in cert


def _sessions(reactor: Any, planned: Plan) -> Callable[[PortOptions], IProtocolFactory | None]:
    """
    What raw connections and WebSockets lead to, for each socket's options.
    """
    if not planned.forward:
        return lambda options: None

    def read(reactor: Any, text: str) -> IStreamClientEndpoint:
        return clientFromString(reactor, text, planned.backend)

    backend = _understood(FORWARD, "tcp:127.0.0.1:5900", read, reactor, planned.forward)
    name = _backendName(planned.forward)
    return lambda options: ForwardFactory(
        backend, options.connectTimeout, reactor, name=name, closeTimeout=options.closeTimeout
    )


def _backendName(text: str) -> str:
    """
    What logs call the backend: its endpoint string, without options, which may be secrets.
    """
    if "://" in text:
        return parseTarget(text).describe()
    description = Description.parse(text)
    return ":".join((description.prefix, *description.arguments))


def _endpoint(reactor: Any, socket: Socket, text: str, site: Any) -> UpgradeableServerEndpoint:
    """
    The port on one endpoint.  One that was said with options of ours is a port already.
    """
    wrapped = _understood(LISTEN, "tcp:10000", serverFromString, reactor, text)
    if isinstance(wrapped, UpgradeableServerEndpoint):
        return wrapped if wrapped.site is not None else replace(wrapped, site=site)
    return UpgradeableServerEndpoint.fromOptions(
        wrapped, socket.mode, socket.tls, socket.options, clock=reactor, site=site
    )


def _understood(option: str, example: str, read: Callable[[Any, str], Any], reactor: Any, text: str) -> Any:
    """
    Make an endpoint of a string.  The string is not repeated in errors: it may hold a secret.
    """
    try:
        return read(reactor, text)
    except OptionError as e:
        if e.source == SOURCE:
            raise  # what is wrong stands beside the string, and not in it
        raise OptionError(option, SOURCE, str(e)) from None
    except (LookupError, TypeError, ValueError) as e:
        # a TypeError is about a function of Twisted's, of which the user knows nothing
        why = "arguments are missing, or unknown" if isinstance(e, TypeError) else e
        problem = f"this is no endpoint string ({why}): expected such as {example}"
        raise OptionError(option, SOURCE, problem) from None


def _sayPlainly(error: ListeningError) -> None:
    """
    Have an error that ends the program shown as one sentence.

    twistd lets errors of services through: it cleans up, and the interpreter prints a traceback, which is of
    no use to whoever typed a port that is taken.
    """
    before = sys.excepthook

    def show(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        if value is error:
            # twistd has led sys.stderr into the log, which has the sentence already
            print(f"xtls: {error}", file=sys.__stderr__)
        else:
            before(kind, value, traceback)

    sys.excepthook = show
