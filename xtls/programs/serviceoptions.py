"""
What C{twistd xtls} is told: the command line as a L{Plan} of values.

Nothing is listened on and no certificate is read here.  Whatever is wrong with the options, alone or
together, is an L{OptionError}.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xtls.config.definitions import Layer, Option, Side, optionNamed
from xtls.config.listening import BINDINGS, EVERYWHERE, ListenAddress, parseBind
from xtls.config.modes import Mode, isIPv6, joinHostPort
from xtls.config.options import TLSOptions
from xtls.config.portoptions import ALL_OPTIONS, PortOptions, resolveBoth
from xtls.config.values import formatSeconds, parseSeconds
from xtls.endpoints.description import Description
from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word, wordsOf

__all__ = [
    "FORWARD",
    "LISTEN",
    "RELOAD_INTERVAL",
    "WORKERS",
    "WWW_DIR",
    "Plan",
    "Socket",
    "plan",
    "serviceCommandLine",
]

#: The options that are not in L{ALL_OPTIONS}.
LISTEN: Final = "listen"
FORWARD: Final = "forward"
WWW_DIR: Final = "www-dir"
WORKERS: Final = "workers"
RELOAD_INTERVAL: Final = "reload-interval"

#: Where errors about something that nobody said are.
_NOWHERE: Final = "not given"

_ADDRESS: Final = "[HOST:]PORT[,KEY=VALUE...]"

_BINDING_HELP: Final = {
    Mode.TCP: "listen for every protocol; HOST is a name, an address, an [IPv6] address, * for all, or empty"
    " for 127.0.0.1; PORT 0 picks one; every option of TLS, upgrades, timeouts and limits may follow, for"
    " this socket alone",
    Mode.SSL: "listen for TLS, with any protocol inside",
    Mode.WS: "listen for http and ws, and for https and wss",
    Mode.WSS: "listen for https and wss only",
    Mode.UNIX: "listen on a Unix socket; @ begins an abstract name; TLS does not apply",
}


#: This machine to itself, and all of its addresses.
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_ALL: Final = frozenset({EVERYWHERE, "0.0.0.0", "::"})

#: The heading over what is said of a backend.
_BACKEND: Final = f"a backend that is reached over TLS, as by --{FORWARD}=ssl:HOST:PORT"

#: How often files of certificates are looked at unless something else is said, in seconds; and never.
_RELOAD_INTERVAL: Final = 10.0
_NEVER: Final = ("0", "off", "no")

#: One worker for each core, and so many at most.
_AUTO: Final = "auto"
_MOST_WORKERS: Final = 256

#: What keeps SSH clients from where a port leads.
_SSH_UPGRADE: Final = optionNamed(PortOptions, "sshUpgrade").name

#: What is planned, so that people look for it: known here to be refused in words.
_LATER: Final = {
    "bind-ssh": f"--bind-tcp=PORT,{_SSH_UPGRADE}=no with --{FORWARD}=tcp:127.0.0.1:22 leads to an sshd",
    "bind-vsock": "--bind-tcp listens for TCP, --bind on a Unix socket",
    "start": f"--{FORWARD} leads to a service that runs already",
    "status": "the log has a line for each connection",
}


def serviceCommandLine() -> CommandLine:
    """
    What the service understands.
    """
    bindings = [
        Word(
            name,
            _BINDING_HELP[mode],
            "PATH[,KEY=VALUE...]" if mode is Mode.UNIX else _ADDRESS,
            "listening",
            repeatable=True,
        )
        for name, mode in BINDINGS.items()
        if mode in _BINDING_HELP
    ]
    return CommandLine(
        [
            *bindings,
            Word(
                LISTEN,
                "listen on any server endpoint of Twisted's, such as systemd:domain=INET:index=0",
                "ENDPOINT",
                "listening",
                repeatable=True,
            ),
            Word(
                FORWARD,
                "lead every connection to a client endpoint, such as tcp:127.0.0.1:5900, unix:/path"
                " or ssl:host:port",
                "ENDPOINT",
                "what the port leads to",
            ),
            Word(
                WWW_DIR,
                "serve the files of a directory over http and https",
                "DIRECTORY",
                "what the port leads to",
                shown="a page that says how to attach",
            ),
            Word(
                WORKERS,
                "so many processes serve the sockets, and one more looks after them;"
                f" {_AUTO} for one a core that may be used",
                "N",
                "processes",
                shown="1, which looks after itself",
            ),
            Word(
                RELOAD_INTERVAL,
                "how often files of certificates, keys, CAs and revocation lists are looked at; what has"
                " changed is read again, as at SIGHUP; 0 for never",
                "SECONDS",
                "processes",
                shown=formatSeconds(_RELOAD_INTERVAL),
            ),
            *wordsOf((each for each in ALL_OPTIONS.values() if not _forServers(each)), Side.CLIENT, _BACKEND),
            *wordsOf(filter(_forServers, ALL_OPTIONS.values()), Side.SERVER),
            *(Word(name, "not in this version", "VALUE", "") for name in _LATER),
            Word("help", "show this"),
            Word("version", "show the version"),
        ]
    )


@dataclass(frozen=True)
class Socket:
    """
    One socket that the port is to be bound to.

    @ivar mode: how.
    @ivar source: what said so.
    @ivar place: the address for people.
    @ivar tls: its options of TLS, those for all sockets among them.
    @ivar options: its other options, likewise.
    @ivar address: the address; L{None} for an endpoint string.
    @ivar endpoint: the endpoint string; empty for an address.
    """

    mode: Mode
    source: str
    place: str
    tls: TLSOptions
    options: PortOptions
    address: ListenAddress | None = None
    endpoint: str = ""

    def endpointStrings(self) -> tuple[str, ...]:
        """
        The server endpoint strings that bind it.
        """
        return self.address.endpointStrings() if self.address is not None else (self.endpoint,)


@dataclass(frozen=True)
class Plan:
    """
    What the service is to do.

    @ivar sockets: where to listen; at least one.
    @ivar forward: the endpoint string of the backend; empty where there is none.
    @ivar backend: how a backend is verified, where its string does not say otherwise.
    @ivar wwwDir: the directory of pages; L{None} for the page of our own.
    @ivar workers: how many processes serve.
    @ivar reloadInterval: how often files are looked at, in seconds; 0 for never.
    """

    sockets: tuple[Socket, ...]
    forward: str
    backend: Layer
    wwwDir: str | None
    workers: int = 1
    reloadInterval: float = _RELOAD_INTERVAL


def plan(given: Given) -> Plan:
    """
    Make a plan of a command line.

    @raise OptionError: for whatever cannot be used.
    """
    for name, instead in _LATER.items():
        if given.has(name):
            raise OptionError(name, SOURCE, f"this is not in this version of xtls; {instead}")
    common, backend = _bySide(given.layer(ALL_OPTIONS))
    forward, wwwDir = _destination(given)
    for name in () if forward else backend.values:
        problem = f"is about a backend over TLS, and there is no backend; say --{FORWARD}=ssl:HOST:PORT"
        raise OptionError(name, backend.sourceOf(name), problem)
    sockets = [*_bound(given, common), *_listened(given, common)]
    if not sockets:
        raise OptionError("bind-tcp", _NOWHERE, "there is nowhere to listen; say --bind-tcp=[HOST:]PORT")
    _requireDistinct(sockets)
    _requireElsewhere(sockets, forward)
    return Plan(tuple(sockets), forward, backend, wwwDir, _workers(given), _reloadInterval(given))


def _bySide(layer: Layer) -> tuple[Layer, Layer]:
    """
    What was said of the port itself, and what only clients know: that is of the backend, whose client it is.
    """
    port, backend = (
        Layer(
            layer.source,
            {name: value for name, value in layer.values.items() if _forServers(ALL_OPTIONS[name]) is wanted},
            layer.places,
        )
        for wanted in (True, False)
    )
    return port, backend


def _forServers(option: Option) -> bool:
    """
    Whether servers know an option.
    """
    return bool(option.side & Side.SERVER)


def _destination(given: Given) -> tuple[str, str | None]:
    """
    What the port leads to.
    """
    forward = _single(given, FORWARD)
    wwwDir = os.path.expanduser(_single(given, WWW_DIR))
    if wwwDir and not Path(wwwDir).is_dir():
        raise OptionError(WWW_DIR, SOURCE, f"there is no directory {wwwDir}; name one that exists")
    if wwwDir and not os.access(wwwDir, os.R_OK | os.X_OK):
        raise OptionError(WWW_DIR, SOURCE, f"{wwwDir} may not be read by this user")
    if not (forward or wwwDir):
        remedy = f"say --{FORWARD}=tcp:HOST:PORT, --{WWW_DIR}=DIRECTORY, or both"
        raise OptionError(FORWARD, _NOWHERE, f"there is nothing behind the port; {remedy}")
    return forward, wwwDir or None


def _workers(given: Given) -> int:
    """
    How many processes are to serve.
    """
    text = _single(given, WORKERS)
    if not given.has(WORKERS):
        return 1
    if text == _AUTO:
        return min(_cores(), _MOST_WORKERS)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_WORKERS):
        raise OptionError(WORKERS, SOURCE, f"{text}: expected a number from 1 to {_MOST_WORKERS}, or {_AUTO}")
    return int(text)


def _reloadInterval(given: Given) -> float:
    """
    How often files are looked at.
    """
    text = _single(given, RELOAD_INTERVAL)
    if not given.has(RELOAD_INTERVAL):
        return _RELOAD_INTERVAL
    if text.strip().lower() in _NEVER:
        return 0.0
    try:
        return parseSeconds(text)
    except ValueError as e:
        raise OptionError(RELOAD_INTERVAL, SOURCE, f"{e}; or 0, for never") from None


def _cores() -> int:
    """
    The number of cores that this process may use.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _single(given: Given, name: str) -> str:
    """
    The value of an option that may be said once.
    """
    values = set(given.all(name))
    if len(values) > 1:
        raise OptionError(name, SOURCE, "said more than once, with different values: expected one")
    if values == {""}:
        raise OptionError(name, SOURCE, "is empty: expected a value")
    return given.last(name)


def _bound(given: Given, common: Layer) -> list[Socket]:
    """
    The sockets of addresses.
    """
    sockets = []
    for name in BINDINGS:
        for text in given.all(name):
            address = parseBind(name, text)
            tls, options = resolveBoth(common, address.layer)
            place = address.path if address.port is None else joinHostPort(address.host, address.port)
            sockets.append(Socket(address.mode, address.source, place, tls, options, address))
    return sockets


def _listened(given: Given, common: Layer) -> list[Socket]:
    """
    The sockets of endpoint strings.
    """
    tls, options = resolveBoth(common)
    sockets = []
    for text in given.all(LISTEN):
        mode = Mode.UNIX if text.startswith("unix:") else Mode.TCP
        try:
            place = Description.parse(text).withoutSecrets()
        except OptionError as e:
            raise OptionError(LISTEN, SOURCE, str(e)) from None
        sockets.append(Socket(mode, f"{LISTEN}={place}", place, tls, options, endpoint=text))
    return sockets


def _requireDistinct(sockets: Sequence[Socket]) -> None:
    """
    Require that no two sockets have the same address.
    """
    for index, one in enumerate(sockets):
        for other in sockets[:index]:
            if _clash(one, other):
                problem = f"is the same address as {other.source}; options for one socket go into one option"
                raise OptionError(one.source, SOURCE, problem)


def _requireElsewhere(sockets: Sequence[Socket], forward: str) -> None:
    """
    Require that the backend is not the port itself: each connection would make one more, without an end.
    """
    try:
        arguments = Description.parse(forward).arguments
    except OptionError:
        return  # its own mistakes come to light where it is understood
    if len(arguments) < 2:
        return  # no host and port
    host, number = arguments[-2:]
    for socket in sockets:
        address = socket.address
        if address is None or not address.port or str(address.port) != number:
            continue
        if host == address.host or (host in _LOOPBACK and address.host in {*_LOOPBACK, *_ALL}):
            problem = f"leads to {socket.source}, which is this port itself; name the service behind it"
            raise OptionError(FORWARD, SOURCE, problem)


def _clash(one: Socket, other: Socket) -> bool:
    """
    Whether two sockets cannot both be bound.
    """
    if one.address is None or other.address is None:
        return bool(one.endpoint) and one.endpoint == other.endpoint
    if one.address.port != other.address.port or one.address.port == 0:
        return False
    if one.address.port is None:
        return one.address.path == other.address.path
    hosts = {one.address.host, other.address.host}
    if len(hosts) == 1 or hosts & {EVERYWHERE, "::"}:
        return True
    return "0.0.0.0" in hosts and not any(isIPv6(host) for host in hosts)
