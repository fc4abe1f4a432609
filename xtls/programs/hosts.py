"""
C{xtls hosts}: the servers whose key was accepted, and forgetting them.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from xtls.config.locations import certificateSearchPath, configDirectory
from xtls.config.modes import Mode, joinHostPort, parsePort, splitHostPort
from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word, chosen
from xtls.programs.statuses import ExitStatus
from xtls.trust.knownhosts import KnownHosts, RememberedHost, forgetFolder
from xtls.trust.particulars import issuerOf, names, subjectOf

__all__ = ["run"]

_USAGE: Final = """\
Usage: xtls hosts list [--json]
       xtls hosts show HOST[:PORT] [--json]
       xtls hosts forget HOST[:PORT] [--everywhere]

Servers that xtls attach could not verify, and whose key was accepted and remembered.  A server that is
remembered must show the same key from then on; to be asked about it again, forget it.  Without a port, it is
the one that ssl and wss have: 443, or the only one at which the host is remembered.

"""

_EXAMPLES: Final = """\

Hosts that were accepted in xpra are listed too, and those that the administrator keeps in hosts/ beside the
certificates of this machine; with --everywhere, forget removes them there as well.

Exit statuses: 0 done; 1 there is no such host, or somebody else still remembers it; 2 wrong options, or a
file that cannot be read or removed.

Examples:
  xtls hosts list
  xtls hosts forget example.org:10000
"""

_JSON: Final = "json"
_EVERYWHERE: Final = "everywhere"

_LINE: Final = CommandLine(
    [
        Word(_JSON, "print it as JSON, for programs", group="options"),
        Word(_EVERYWHERE, "forget what xpra and the administrator remember too", group="options"),
        Word("help", "show this", group="options"),
    ],
    short={"h": "help"},
)

#: How moments are shown, and how programs want them.
_DAY: Final = "%Y-%m-%d"
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"


def run(arguments: Sequence[str], hosts: KnownHosts | None = None) -> int:
    """
    Do what the command line says.

    @param hosts: by default, those of the user.
    @return: the exit status.
    @raise OptionError: if it cannot be understood.
    @raise CertificateFileError: for what cannot be read or removed.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_USAGE + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if not given.arguments:
        raise OptionError("COMMAND", SOURCE, f"say what to do: {', '.join(_COMMANDS)}")
    name, *rest = given.arguments
    command, options, places = chosen("xtls hosts", name, _COMMANDS)
    for option in given.values:
        if option not in options:
            raise OptionError(f"--{option}", SOURCE, f"does not apply to {name}")
    if len(rest) != places:
        problem = "expected one host, such as example.org:10000" if places else "expected nothing more"
        raise OptionError(name if len(rest) < places else rest[places], SOURCE, problem)
    known = KnownHosts(configDirectory(), certificateSearchPath()) if hosts is None else hosts
    return command(known, given)


def _list(hosts: KnownHosts, given: Given) -> int:
    """
    List them.
    """
    found = hosts.all()
    for problem in hosts.unreadable():
        print(f"xtls hosts: {problem}", file=sys.stderr)
    if given.has(_JSON):
        print(json.dumps([_facts(each) for each in found], indent=2))
        return ExitStatus.OK
    if not found:
        print("xtls hosts: none is remembered", file=sys.stderr)
    width = max((len(_placeOf(each)) for each in found), default=0)
    for each in found:
        elsewhere = "" if each.path.is_relative_to(hosts.directory) else f"  in {each.path}"
        print(f"{_placeOf(each):{width}}  since {each.since:{_DAY}}  {each.fingerprint}{elsewhere}")
    return ExitStatus.OK


def _show(hosts: KnownHosts, given: Given) -> int:
    """
    Show all that is remembered of one.
    """
    place = _place(given.arguments[1], hosts)
    found = hosts.find(*place)
    if found is None:
        return _unknown(place, hosts)
    facts = _facts(found)
    if given.has(_JSON):
        print(json.dumps(facts, indent=2))
        return ExitStatus.OK
    for name, value in facts.items():
        if name != "pem":
            print(f"{name:12} {', '.join(value) if isinstance(value, list) else value}")
    return ExitStatus.OK


def _forget(hosts: KnownHosts, given: Given) -> int:
    """
    Forget one.
    """
    place = _place(given.arguments[1], hosts)
    shown = joinHostPort(*place)
    if not hosts.everywhere(*place):
        return _unknown(place, hosts)
    if hosts.forget(*place):
        print(f"forgotten: {shown}")
    left = hosts.everywhere(*place)
    if given.has(_EVERYWHERE):
        for path in left:
            forgetFolder(path)
            print(f"forgotten: {path}")
        left = hosts.everywhere(*place)
    for path in left:
        print(
            f"xtls hosts: {shown} is remembered in {path} too, and still believed:"
            f" --{_EVERYWHERE} forgets it there",
            file=sys.stderr,
        )
    return 1 if left else ExitStatus.OK


#: Each command: what does it, the options that it has, and how many hosts it is about.
_COMMANDS: Final[Mapping[str, tuple[Callable[[KnownHosts, Given], int], Sequence[str], int]]] = {
    "list": (_list, (_JSON,), 0),
    "show": (_show, (_JSON,), 1),
    "forget": (_forget, (_EVERYWHERE,), 1),
}


def _placeOf(remembered: RememberedHost) -> str:
    """
    The host and port of one that is remembered.
    """
    return joinHostPort(remembered.host, remembered.port)


def _place(text: str, hosts: KnownHosts) -> tuple[str, int]:
    """
    Read which host is meant: C{HOST[:PORT]}, or a URL that begins so.

    @raise OptionError: if it cannot be understood, or could be more than one.
    """
    address = text.partition("://")[2].partition("/")[0].rpartition("@")[2] if "://" in text else text
    try:
        host, port = splitHostPort(address)
        if not host:
            raise ValueError("expected a host, such as example.org:10000")
        if port:
            return host, parsePort(port)
    except ValueError as e:
        raise OptionError(text, SOURCE, str(e)) from None
    ports = hosts.ports(host)
    if len(ports) > 1:
        several = ", ".join(joinHostPort(host, port) for port in ports)
        raise OptionError(text, SOURCE, f"it is remembered more than once: expected one of {several}")
    return host, ports[0] if ports else Mode.SSL.defaultPort


def _unknown(place: tuple[str, int], hosts: KnownHosts) -> int:
    """
    Say that there is no such host, and which was perhaps meant.
    """
    shown = joinHostPort(*place)
    near = difflib.get_close_matches(shown, [_placeOf(each) for each in hosts.all()], 1)
    guess = f"; did you mean {near[0]}?" if near else ""
    print(f"xtls hosts: {shown} is not remembered{guess}", file=sys.stderr)
    return 1


def _facts(remembered: RememberedHost) -> dict[str, Any]:
    """
    All that is known of one.
    """
    certificate = remembered.certificate
    return {
        "host": remembered.host,
        "port": remembered.port,
        "since": f"{remembered.since:{_MOMENT}}",
        "fingerprint": remembered.fingerprint,
        "key": remembered.pin,
        "subject": subjectOf(certificate),
        "issuer": issuerOf(certificate),
        "names": list(names(certificate) or ()),
        "expires": f"{certificate.not_valid_after_utc:{_MOMENT}}",
        "path": str(remembered.path),
        "pem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }
