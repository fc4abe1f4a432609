"""
The addresses that a port is bound to: C{[HOST:]PORT[,key=value…]}, or the path of a Unix socket.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from enum import Enum

from xtls.config.definitions import Layer, Side
from xtls.config.modes import Mode, checkHost, joinHostPort, parsePort, requireTLS, splitHostPort
from xtls.config.nested import splitOptions
from xtls.config.portoptions import SSLSwitch, layerOf, resolveBoth
from xtls.config.values import parsePath, quoted
from xtls.errors import OptionError

#: The options that bind a port, and the mode that each of them gives it.
BINDINGS = {
    "bind-tcp": Mode.TCP,
    "bind-ssl": Mode.SSL,
    "bind-ws": Mode.WS,
    "bind-wss": Mode.WSS,
    "bind-ssh": Mode.SSH,
    "bind": Mode.UNIX,
}

#: An option of xpra's, which cannot be had here.
_VSOCK = "bind-vsock"

#: The host that stands for all addresses, and the one where none is said.
EVERYWHERE = "*"
HERE = "127.0.0.1"


class IPv6(Enum):
    """
    What a socket bound to C{::} receives on this machine.

    @cvar DUAL: IPv6 and IPv4.
    @cvar ALONE: IPv6 only.
    @cvar ABSENT: nothing: there is no IPv6.
    """

    DUAL = "dual"
    ALONE = "alone"
    ABSENT = "absent"


def supportedIPv6() -> IPv6:
    """
    Find out about IPv6 by binding a socket, of which nobody hears, to any port.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
            alone = probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:
        return IPv6.ABSENT
    return IPv6.ALONE if alone else IPv6.DUAL


def _escape(text: str) -> str:
    """
    Quote an argument of an endpoint string, as L{twisted.internet.endpoints.quoteStringArgument} does.
    """
    return re.sub(r"([\\:=])", r"\\\1", text)


@dataclass(frozen=True)
class ListenAddress:
    """
    What a port is bound to.

    @ivar host: name or address, without brackets; C{*} for all; empty for Unix sockets.
    @ivar port: 0 where the system picks one; L{None} for Unix sockets.
    @ivar path: the path of a Unix socket, where C{@} begins an abstract name; else empty.
    @ivar layer: the options that are for this socket alone.
    @ivar source: the option and the address, as they were said.
    """

    mode: Mode
    host: str
    port: int | None
    path: str
    layer: Layer
    source: str

    def describe(self) -> str:
        """
        Say it for people and logs, without its options.
        """
        if self.port is None:
            return f"{self.mode.value}:{self.path}"
        return f"{self.mode.value}://{joinHostPort(self.host, self.port)}/"

    def endpointStrings(self, ipv6: IPv6 | None = None) -> tuple[str, ...]:
        """
        The server endpoint strings of Twisted that bind it: mostly one; two for all addresses on a machine
        where one socket does not do.

        @param ipv6: what the machine can do; by default, that is tried.
        """
        if self.port is None:
            # Only whoever runs the program may connect; an abstract name has no file to lock.
            abstract = self.path.startswith("@")
            path = "\0" + self.path[1:] if abstract else self.path
            return (f"unix:{_escape(path)}:mode=600" + (":lockfile=0" if abstract else ""),)
        if self.host != EVERYWHERE:
            return (f"tcp:{self.port}:interface={_escape(self.host)}",)
        found = supportedIPv6() if ipv6 is None else ipv6
        interfaces = {IPv6.DUAL: ("::",), IPv6.ALONE: ("0.0.0.0", "::"), IPv6.ABSENT: ("0.0.0.0",)}[found]
        return tuple(f"tcp:{self.port}:interface={_escape(interface)}" for interface in interfaces)


def _parseHostPort(text: str, mode: Mode) -> tuple[str, int]:
    """
    Read the address of a TCP socket.
    """
    if not text:
        raise ValueError("expected [HOST:]PORT")
    if text.isascii() and text.isdigit():
        return HERE, parsePort(text, 0)
    host, port = splitHostPort(text)
    number = parsePort(port, 0) if port else mode.defaultPort
    return (host or HERE) if host in ("", EVERYWHERE) else checkHost(host), number


def _parsePath(text: str) -> str:
    """
    Read the address of a Unix socket.
    """
    if not text.strip("@/") or "\0" in text:
        raise ValueError(f"expected the path of a socket, or @ and a name, not {quoted(text)}")
    return parsePath(text)


def _parseOptions(parts: list[str], source: str, mode: Mode) -> Layer:
    """
    Read the options that follow an address.
    """
    said = []
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError("expected key=value after each comma")
        said.append((key.strip(), value, source))
    layer = layerOf(source, said, Side.SERVER)
    if mode is Mode.UNIX:
        _requireNoTLS(layer)
    return layer


def _requireNoTLS(layer: Layer) -> None:
    """
    Require that nothing asks for TLS on a Unix socket: neither options of TLS, nor a switch that is on.
    """
    requireTLS(layer, Mode.UNIX, "expected it on a socket of --bind-tcp or --bind-ssl")
    _, port = resolveBoth(layer)
    if port.given("ssl") and port.ssl is not SSLSwitch.OFF:
        raise port.error("ssl", "TLS does not apply to a Unix socket: expected off")
    if port.given("sslUpgrade") and port.sslUpgrade:
        raise port.error("sslUpgrade", "TLS does not apply to a Unix socket: expected no")


def parseBind(option: str, text: str) -> ListenAddress:
    """
    Read what a port is to be bound to.

    @param option: the name of the option, one of L{BINDINGS}.
    @param text: what was said for it.
    @raise OptionError: if it cannot be used; values of options are not in it.
    """
    if option not in BINDINGS:
        remedy = "vsock carries no TLS and is not offered" if option == _VSOCK else "there is no such option"
        raise OptionError(option, "command line", f"{remedy}: expected one of {', '.join(BINDINGS)}")
    mode = BINDINGS[option]
    try:
        address, *options = splitOptions(text)
        address = address.strip()
        source = f"{option}={address}"
        layer = _parseOptions(options, source, mode)
        if mode is Mode.UNIX:
            return ListenAddress(mode, "", None, _parsePath(address), layer, source)
        host, port = _parseHostPort(address, mode)
        return ListenAddress(mode, host, port, "", layer, source)
    except OptionError:
        raise
    except ValueError as error:
        raise OptionError(option, "command line", str(error)) from None
