"""
C{xtls demo}: a port on this machine to try xtls with, in front of a small service that shows octets going
both ways; and the commands to try next, each of which works when it is pasted.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from xtls.config.definitions import OptionSet, optionNamed
from xtls.config.listening import BINDINGS
from xtls.config.locations import (
    configDirectory,
    defaultCertificatePath,
    findDefaultCertificate,
    keyBeside,
)
from xtls.config.modes import Mode, parsePort
from xtls.config.options import TLSOptions
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import say, thisCommand
from xtls.programs.portservice import ListeningError, PortService
from xtls.programs.running import ENDING, runCommand
from xtls.programs.service import build
from xtls.programs.serviceoptions import FORWARD, plan
from xtls.programs.statuses import ExitStatus
from xtls.sessions.echo import EchoFactory
from xtls.trust.certificates import KeyPair, fingerprint, holdsKey, loadKeyPair, subjectAlternativeNames
from xtls.trust.defaults import ensureDefaultCertificate

__all__ = ["demonstrate", "run"]

_LOOPBACK: Final = "127.0.0.1"
_LOCALHOST: Final = "localhost"

#: What the service says first.
_GREETING: Final = "this service knows only plain TCP, and xtls has led you here"

_USAGE: Final = """\
Usage: xtls demo [--port=NUMBER]

Starts a server on this machine to try xtls with, and prints what to try.  Ctrl-C ends it.

"""

_LINE: Final = CommandLine(
    [
        Word("port", "where to listen, on 127.0.0.1", "NUMBER", "options", "10000, else another"),
        Word("help", "show this", group="options"),
    ]
)

#: How long a certificate must still be valid to be used here.
_LEFT: Final = timedelta(hours=1)


def run(arguments: Sequence[str], runner: Callable[..., int] = runCommand) -> int:
    """
    Do what the command line says.

    @param runner: runs the reactor, as L{runCommand} does.
    @return: the exit status.
    @raise XTLSError: if there can be no demonstration.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_USAGE + _LINE.help(), end="")
        return ExitStatus.OK
    if given.arguments:
        raise OptionError(given.arguments[0], SOURCE, "expected options only")
    try:
        port = parsePort(given.last("port", "10000"), 0)
    except ValueError as e:
        raise OptionError("port", SOURCE, str(e)) from None
    signals: Mapping[int, int | None] = {**ENDING, signal.SIGINT: ExitStatus.OK}
    return runner(partial(demonstrate, port=port), verbose=True, signals=signals)


def demonstrate(reactor: Any, port: int) -> Deferred[int]:
    """
    Start the demonstration.

    @param port: where to listen; 0 picks one.
    @return: fires never; cancelling it ends the demonstration.
    """
    certificate = _certificate(datetime.now(timezone.utc))
    opening: Deferred[Any] = TCP4ServerEndpoint(reactor, 0, interface=_LOOPBACK).listen(
        EchoFactory(_GREETING)
    )

    def listening(backend: Any) -> Deferred[int]:
        service = _listen(reactor, port, backend.getHost().port, certificate)
        print(_advice(service.addresses()[0].port, certificate), flush=True)
        return Deferred()

    return opening.addCallback(listening)


def _listen(reactor: Any, port: int, backend: int, certificate: Path) -> PortService:
    """
    Open the port; another one when it is taken.

    @param backend: the port of the service that it leads to.
    """
    try:
        return _opened(reactor, port, backend, certificate)
    except ListeningError:
        if port == 0:
            raise
        say(f"port {port} is taken; here is another")
        return _opened(reactor, 0, backend, certificate)


def _opened(reactor: Any, port: int, backend: int, certificate: Path) -> PortService:
    """
    Open the port.
    """
    binding = next(name for name, mode in BINDINGS.items() if mode is Mode.TCP)
    said = {
        binding: (f"{_LOOPBACK}:{port}",),
        FORWARD: (f"tcp:{_LOOPBACK}:{backend}",),
        _spelled(TLSOptions, "cert"): (str(certificate),),
    }
    key = _keyFile(certificate)
    if key:
        said[_spelled(TLSOptions, "key")] = (key,)
    service = PortService(build(reactor, plan(Given(said))))
    service.privilegedStartService()
    return service


def _spelled(options: type[OptionSet], attribute: str) -> str:
    """
    The name of an option.
    """
    return optionNamed(options, attribute).name


def _certificate(now: datetime) -> Path:
    """
    A certificate that clients on this machine can verify: the default one, which is made if there is none;
    or, where that is for other names, is not valid now, or cannot be read, one for this purpose.
    """
    default = findDefaultCertificate() or ensureDefaultCertificate(defaultCertificatePath())
    if _fits(default, now):
        return default
    own = configDirectory() / "demo-cert.pem"
    if own.exists() and not _fits(own, now):
        own.unlink()
    return ensureDefaultCertificate(own)


def _keyFile(path: Path) -> str:
    """
    Where the key is, when it is not in the file of the certificate; else empty.
    """
    return "" if holdsKey(str(path)) else str(keyBeside(path) or "")


def _pair(path: Path) -> KeyPair:
    """
    A certificate and its key.
    """
    return loadKeyPair(str(path), _keyFile(path))


def _fits(path: Path, now: datetime) -> bool:
    """
    Whether a server on this machine can be verified by a certificate, and has its key.
    """
    try:
        certificate = _pair(path).certificate
        named = {_LOCALHOST, _LOOPBACK} <= set(subjectAlternativeNames(certificate))
    except (CertificateFileError, ValueError):
        return False
    return named and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - _LEFT


def _advice(port: int, certificate: Path) -> str:
    """
    What to try.
    """
    where = shlex.quote(str(certificate))
    command = thisCommand()
    caCerts = _spelled(TLSOptions, "caCerts")
    shown = fingerprint(_pair(certificate).certificate)
    return f"""\
xtls listens on {_LOOPBACK}:{port}, for every protocol on this one port.
It leads to a small service that greets, and answers each line in upper case.
Its certificate is {where}
  {shown}

Try, in another terminal:
  curl --cacert {where} https://{_LOCALHOST}:{port}/
  {command} attach ssl://{_LOCALHOST}:{port}/ --{caCerts}={where}
  {command} attach wss://{_LOCALHOST}:{port}/ --{caCerts}={where}
or http://{_LOCALHOST}:{port}/ in a browser.  Ctrl-C ends it; what happens is said below.
"""
