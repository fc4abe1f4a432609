"""
C{xtls check}: connect as a client would, and say what works and what does not.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any, Final, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from xtls.config.connectionfile import refuseWeakening, withoutAnchors
from xtls.config.definitions import Layer, Side
from xtls.config.locations import certificateSearchPath, configDirectory
from xtls.config.modes import MODES, Target, requireTLS
from xtls.config.options import TLSOptions, optionNamed
from xtls.config.portoptions import ALL_OPTIONS, PortOptions, resolveBoth
from xtls.config.target import parseTarget
from xtls.config.values import parseSeconds
from xtls.errors import OptionError
from xtls.programs.acquaintance import rememberedAs
from xtls.programs.checkreport import Report
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word, wordsOf
from xtls.programs.conclusions import REMEMBERED, findings, statusFor
from xtls.programs.examining import Examiner
from xtls.programs.refusals import Invocation, trustIsSaid
from xtls.programs.running import runCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.findings import Found
from xtls.trust.knownhosts import KnownHosts

__all__ = ["Check", "check", "checked", "run"]

_DEADLINE: Final = "deadline"
_JSON: Final = "json"
_VERBOSE: Final = "verbose"

#: How long everything may take, in seconds.
_SECONDS: Final = "60"

#: What the default options of a check are for that say nothing of the target.
_OURS: Final = frozenset({_DEADLINE, _JSON, _VERBOSE, "help"})

_USAGE: Final = """\
Usage: xtls check TARGET [options]

Connects to a server as a client would, and says in sentences what works and what does not: whether it can be
reached, what the port speaks, the versions of TLS, the certificates and who would believe them; each with
what to do about it.

TARGET is what xtls attach takes.  A handful of connections are made, one after another.  What is sent are
handshakes, a request for the head of the first page and the opening of a WebSocket, and never a password.

"""

_EXAMPLES: Final = """\

Each finding is marked ok, note, warning or problem.

Exit statuses: 0 no problem; 2 wrong options; 16 TLS does not work; 18 not reached, or not what the target
says; 19 the certificate is refused, or has a problem; 130 interrupted.

Examples:
  xtls check ssl://host:10000/
  xtls check wss://host/ --ssl-ca-certs=./ca.pem --verbose
  xtls check tcp://host:5900/
  xtls check ssl://host:10000/ --json | jq '.findings[] | select(.grade != "ok")'
"""

_LINE: Final = CommandLine(
    [
        Word(_DEADLINE, "how long everything may take", "SECONDS", "what is said", _SECONDS),
        Word(_JSON, "say it in JSON, for programs", group="what is said"),
        Word(_VERBOSE, "show the certificates too", group="what is said"),
        *wordsOf(ALL_OPTIONS.values(), Side.CLIENT),
        Word("help", "show this"),
    ],
    short={"v": _VERBOSE, "h": "help"},
)


@dataclass(frozen=True)
class Check:
    """
    What is to be checked.

    @ivar layers: the options besides those of the target: what is remembered of the server, and those of the
        command line.
    @ivar tls: what the target and the command line say of TLS; C{options}: of deadlines.
    @ivar deadline: how long everything may take, in seconds.
    @ivar given: the command line.
    """

    target: Target
    layers: tuple[Layer, ...]
    tls: TLSOptions
    options: PortOptions
    deadline: float
    given: Given

    def command(self, found: Found) -> str:
        """
        The command that a remedy comes to, or nothing.
        """
        changes = dict(found.changes)
        if not changes:
            return ""
        mode = changes.pop("mode", None)
        values = {name: value for name, value in self.given.values.items() if name not in _OURS}
        arguments, target = self.given.arguments, self.target
        if mode is not None:
            target = replace(target, mode=MODES[mode], layer=Layer("target"), password="")
            arguments = (target.toURL(),)
            if not target.mode.secure:
                values = {name: value for name, value in values.items() if not _aboutTLS(name)}
        return Invocation(Given(values, arguments), target).changed(**changes)


def _aboutTLS(name: str) -> bool:
    """
    Whether an option is one about TLS.
    """
    return name.startswith(TLSOptions.PREFIX)


def _remembered(target: Target, layer: Layer, hosts: KnownHosts) -> Layer:
    """
    What is remembered of a server, which C{xtls attach} demands of it.
    """
    host = hosts.find(rememberedAs(target, layer), target.port)
    return Layer(REMEMBERED, {optionNamed(TLSOptions, "pin").name: (host.pin,)} if host is not None else {})


def checked(given: Given, hosts: KnownHosts | None = None) -> Check:
    """
    Read what the command line asks for.

    @param hosts: the servers that are remembered; by default, those of the user.
    @raise OptionError: for whatever cannot be used.
    """
    if not given.arguments:
        raise OptionError("TARGET", SOURCE, "say what to check, such as ssl://host:10000/")
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one target")
    layer = given.layer(ALL_OPTIONS)
    for name in layer.values:
        if not ALL_OPTIONS[name].side & Side.CLIENT:
            raise OptionError(name, SOURCE, "is for servers only: expected it there, or not at all")
    try:
        deadline = parseSeconds(given.last(_DEADLINE, _SECONDS))
    except ValueError as e:
        raise OptionError(_DEADLINE, SOURCE, str(e)) from None
    target = parseTarget(given.arguments[0])
    if not target.mode.secure:
        requireTLS(layer, target.mode, "say ssl:// or wss:// in place of it, or leave the option out")
    theirs = target.layer
    layers: tuple[Layer, ...] = (layer,)
    if not target.trusted:
        refuseWeakening(theirs, layer)
        theirs = withoutAnchors(theirs, layer)
    # what the user has accepted comes before what a file says of somebody else's
    if target.mode.secure and not trustIsSaid(*((theirs, layer) if target.trusted else (layer,))):
        known = hosts or KnownHosts(configDirectory(), certificateSearchPath())
        remembered = _remembered(target, layer, known)
        layers = (remembered, layer)
        if not target.trusted:
            theirs = withoutAnchors(theirs, remembered)
    tls, options = resolveBoth(theirs, *layers)
    return Check(target, layers, tls, options, deadline, given)


def run(arguments: Sequence[str], runner: Callable[..., int] = runCommand) -> int:
    """
    Do what the command line says.

    @param runner: runs the reactor, as L{runCommand} does.
    @return: the exit status.
    @raise OptionError: if it cannot be understood.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_USAGE + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    return runner(partial(check, checked(given)))


def check(
    asked: Check,
    reactor: Any,
    *,
    carrier: IStreamClientEndpoint | None = None,
    environ: Mapping[str, str] | None = None,
) -> Deferred[int]:
    """
    Check a server, and print what was found.

    @param carrier: how to reach it in place of its address.
    @param environ: the environment; by default, that of the process.
    @return: fires with the exit status.
    """
    examiner = Examiner(
        reactor, asked.target, asked.layers, (asked.tls, asked.options), asked.deadline, carrier
    )
    return Deferred.fromCoroutine(
        _checking(asked, examiner, reactor, os.environ if environ is None else environ)
    )


async def _checking(asked: Check, examiner: Examiner, reactor: Any, environ: Mapping[str, str]) -> int:
    """
    Look, conclude, and print.
    """
    begin = reactor.seconds()
    notes = await examiner.examine()
    now = datetime.now(timezone.utc)
    found = findings(notes, asked.target, asked.tls, now)
    status = statusFor(notes, found)
    commands = {each: command for each in found if (command := asked.command(each))}
    report = Report(asked.target, notes, found, status, reactor.seconds() - begin, commands, now)
    if asked.given.has(_JSON):
        print(report.json(), end="")
    else:
        colours, width = _terminal(sys.stdout, environ)
        print(report.text(width=width, colours=colours, verbose=asked.given.has(_VERBOSE)), end="")
    return status


def _terminal(output: TextIO, environ: Mapping[str, str]) -> tuple[bool, int]:
    """
    Whether there are colours (see no-color.org), and how many columns.
    """
    if not output.isatty():
        return False, 100
    colours = not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return colours, min(shutil.get_terminal_size().columns, 100)
