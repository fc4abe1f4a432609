"""
Modes, hosts and ports; and L{Target}, what a client is pointed at, as a value that can write itself down.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote

from xtls.config.definitions import Layer
from xtls.config.options import OPTIONS
from xtls.config.values import quoted
from xtls.errors import OptionError

#: What is left as it is in the value of a query (RFC 3986, section 3.4); C{+}, C{&}, C{=} and C{%} never are.
_QUERY = ":/,~@!$'()*;?"

#: What is left as it is in a path: what may stand there (RFC 3986, section 3.3), and quoting already done.
_PATH = "/%:@!$&'()*+,;=~"

#: A host name: anything but what separates the parts of an address, or ends a word of some other language.
_NAME = re.compile(r"""(?!-)[^\s\x00-\x20\x7f/\\@?#:,%&;|<>()\[\]{}"'`$*=!^]{1,255}""")


class Mode(Enum):
    """
    How a client speaks, or how a socket was bound.
    """

    TCP = "tcp"
    SSL = "ssl"
    WS = "ws"
    WSS = "wss"
    SSH = "ssh"
    UNIX = "socket"

    @property
    def secure(self) -> bool:
        """
        Whether there is TLS from the first octet on.
        """
        return self in (Mode.SSL, Mode.WSS)

    @property
    def defaultPort(self) -> int:
        """
        The port where none is said; 0 for Unix sockets, which have none.
        """
        return _DEFAULT_PORTS[self]


_DEFAULT_PORTS = {Mode.TCP: 14500, Mode.SSL: 443, Mode.WS: 80, Mode.WSS: 443, Mode.SSH: 22, Mode.UNIX: 0}

#: The modes by their words; Unix sockets have two.
MODES = {**{mode.value: mode for mode in Mode}, "unix": Mode.UNIX}


def requireTLS(layer: Layer, mode: Mode, remedy: str) -> None:
    """
    Require of options that were said for something without TLS that none of them is about TLS: who said one
    believes that it protects.

    @param layer: the options, by their own names.
    @param remedy: what to do instead.
    @raise OptionError: for the first that is.
    """
    for name in layer.values:
        if name in OPTIONS:
            what = "a Unix socket" if mode is Mode.UNIX else f"mode {mode.value}"
            raise OptionError(name, layer.sourceOf(name), f"TLS does not apply to {what}: {remedy}")


def isIPv6(text: str) -> bool:
    """
    Whether this is an IPv6 address (RFC 4291, section 2.2), perhaps with a zone (RFC 4007, section 11).
    """
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return text.isascii()


def _butNot(text: str) -> str:
    """
    The end of an error that shows what stood there, unless that might be options, and a secret among them.
    """
    return "" if "=" in text else f", not {quoted(text)}"


def checkHost(text: str) -> str:
    """
    Require that a text can be a host name or an address, without brackets.

    @raise ValueError: with what was expected.
    """
    if isIPv6(text) or _NAME.fullmatch(text):
        return text
    raise ValueError(f"expected a host name or an address{_butNot(text)}")


def parsePort(text: str, lowest: int = 1) -> int:
    """
    Read the number of a port.

    @param lowest: 0 where the system may pick one.
    @raise ValueError: with what was expected.
    """
    if text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= 65535:
        return int(text)
    # what has stood here by mistake includes passwords: only a number is shown
    shown = f", not {text}" if text.isdigit() else ""
    raise ValueError(f"expected a port from {lowest} to 65535{shown}")


def splitHostPort(text: str) -> tuple[str, str | None]:
    """
    Part a host from its port.

    An IPv6 address without brackets is taken where it can be read in one way only.

    @return: the host without brackets, and the text of the port, or L{None} when there is no colon for it.
    @raise ValueError: if brackets do not match, or it can be read in two ways.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not isIPv6(host) or (rest and not rest.startswith(":")):
            raise ValueError(f"expected [an IPv6 address] and perhaps a port{_butNot(text)}")
        return host, rest[1:] if rest else None
    host, colon, port = text.rpartition(":")
    if ":" not in host:
        return (host, port) if colon else (text, None)
    if not isIPv6(text):
        return host, port
    if isIPv6(host) and port.isdigit():
        raise ValueError(f"this can be read in two ways: expected [{host}]:{port} or [{text}]")
    return text, None


def joinHostPort(host: str, port: int) -> str:
    """
    Write a host and a port, the host in brackets where it has colons.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def quotePath(path: str) -> str:
    """
    Quote what may not stand in the path of a URL; what is quoted already stays as it is.
    """
    return quote(path, safe=_PATH)


@dataclass(frozen=True)
class Target:
    """
    What a client is pointed at.

    @ivar host: name or address, without brackets; empty for Unix sockets.
    @ivar port: from 1 to 65535; 0 for Unix sockets.
    @ivar path: as in the URL, quoted; for Unix sockets the path of the socket, where C{@} begins an abstract
        name.
    @ivar layer: the options that were said with it.
    @ivar trusted: whether the user said it here and now; a connection file may come from somebody else, and
        so must not lower verification: see L{refuseWeakening
        <xtls.config.connectionfile.refuseWeakening>}.
    """

    mode: Mode
    host: str
    port: int
    path: str = "/"
    username: str = ""
    password: str = field(default="", repr=False)
    layer: Layer = field(default_factory=lambda: Layer("target"))
    trusted: bool = field(default=True, compare=False)

    def toURL(self) -> str:
        """
        Write it as a URL, with its secrets; L{parseTarget <xtls.config.target.parseTarget>} reads it back.
        """
        if self.mode is Mode.UNIX:
            path = quote(self.path if self.path.startswith("/") else "/" + self.path, safe="/")
            return f"{self.mode.value}://{self._userInfo()}{path}{self._query()}"
        place = joinHostPort(self.host.replace("%", "%25"), self.port)
        return f"{self.mode.value}://{self._userInfo()}{place}{self.path}{self._query()}"

    def toDisplay(self) -> str:
        """
        Write it in the older form, C{ssl:host:port}, with its secrets; it too can be read back.
        """
        if self.mode is Mode.UNIX:
            user = self._userInfo()
            # where there is a user, the @ of an abstract name would be taken for the user's
            return f"{self.mode.value}:{user}{quote(self.path, safe='/' if user else '/@')}{self._query()}"
        place = joinHostPort(self.host.replace("%", "%25"), self.port)
        path = "" if self.path == "/" else self.path
        return f"{self.mode.value}:{self._userInfo()}{place}{path}{self._query()}"

    def describe(self) -> str:
        """
        Say in one word where it leads: without password and options, for people and logs.
        """
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        if self.mode is Mode.UNIX:
            return f"{self.mode.value}:{user}{quote(self.path, safe='/@')}"
        return f"{self.mode.value}://{user}{joinHostPort(self.host, self.port)}{self.path}"

    def _userInfo(self) -> str:
        """
        User and password (RFC 3986, section 3.2.1), with the C{@} that ends them.
        """
        if not (self.username or self.password):
            return ""
        password = f":{quote(self.password, safe='')}" if self.password else ""
        return f"{quote(self.username, safe='')}{password}@"

    def _query(self) -> str:
        """
        The options, with the C{?} that begins them.
        """
        said = [
            f"{quote(name, safe='')}={quote(text, safe=_QUERY)}"
            for name, texts in self.layer.values.items()
            for text in ((texts,) if isinstance(texts, str) else texts)
        ]
        return "?" + "&".join(said) if said else ""
