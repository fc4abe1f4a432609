"""
What C{attach} is pointed at: a URL, a display string, a socket's path or a connection file, to a L{Target}.

The grammar is in docs/reference/targets.md.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from urllib.parse import unquote

from xtls.config.connectionfile import SUFFIX, readConnectionFile
from xtls.config.definitions import Layer, Side
from xtls.config.modes import (
    MODES,
    Mode,
    Target,
    checkHost,
    parsePort,
    quotePath,
    requireTLS,
    splitHostPort,
)
from xtls.config.portoptions import layerOf
from xtls.config.values import quoted
from xtls.errors import OptionError

__all__ = ["Mode", "Target", "parseTarget"]

#: How errors name what is read here.
_TARGET = "target"

#: Whose word a target is when nothing else is said: the user's own.
COMMAND_LINE = "command line"

#: A prefix that the schemes of URLs may have.
_SCHEME_PREFIX = "xpra+"

_EXPECTED = "expected tcp, ssl, ws or wss, such as ssl://host:port/"

#: Schemes that people know and that are written otherwise here.
_OTHERWISE = {"http": "ws", "https": "wss", "tls": "ssl", "xpra": "tcp", "xpras": "ssl"}


def _unquote(text: str) -> str:
    """
    Undo percent-encoding (RFC 3986, section 2.1), as UTF-8.
    """
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8 in what is quoted with %") from None


def _modeCalled(word: str) -> Mode:
    """
    The mode that a scheme names.
    """
    name = word.lower().removeprefix(_SCHEME_PREFIX)
    if name in MODES:
        return MODES[name]
    if name in _OTHERWISE:
        raise ValueError(f"there is no {quoted(word)} here: expected {_OTHERWISE[name]}")
    raise ValueError(f"there is no {quoted(word)} here: {_EXPECTED}")


def _options(query: str, mode: Mode, source: str) -> Layer:
    """
    Read the options after the C{?}.  A plus sign is itself: base64 has it.
    """
    said = []
    for part in filter(None, query.split("&")):
        name, equals, text = part.partition("=")
        if not equals:
            raise ValueError("expected option=value after the question mark, and & only between them")
        said.append((_unquote(name), _unquote(text), source))
    layer = layerOf(source, said, Side.CLIENT)
    if not mode.secure:
        requireTLS(layer, mode, "expected ssl or wss in its place, or no such option")
    return layer


def _user(text: str) -> tuple[str, str]:
    """
    Read user and password.
    """
    username, _, password = text.partition(":")
    return _unquote(username), _unquote(password)


def _socket(user: str, path: str, layer: Layer) -> Target:
    """
    Make the target that is a Unix socket.
    """
    if path.startswith("/"):
        path = "/" + path.lstrip("/")
    if path in ("", "/", "@", "/@") or "\0" in path:
        raise ValueError("expected the path of a socket, such as /run/user/1000/x")
    if path.startswith("/@"):
        path = path[1:]
    elif not path.startswith(("/", "@")):
        path = os.path.abspath(os.path.expanduser(path))
    username, password = _user(user)
    return Target(Mode.UNIX, "", 0, path, username, password, layer)


def _place(address: str, mode: Mode) -> tuple[str, int]:
    """
    Read host and port.
    """
    host, port = splitHostPort(address.replace("%25", "%") if address.startswith("[") else _unquote(address))
    return checkHost(host), parsePort(port) if port else mode.defaultPort


def _read(mode: Mode, rest: str, isURL: bool, source: str) -> Target:
    """
    Read what follows the mode: C{user:password@host:port/path?options}.
    """
    if "#" in rest:
        raise ValueError("expected no #; where one belongs to a value, write %23")
    place, _, query = rest.partition("?")
    authority, slash, path = place.partition("/")
    user, _, address = authority.rpartition("@")
    if mode is Mode.UNIX:
        if isURL and address:
            raise ValueError("expected three slashes before the path of a socket: socket:///path")
        if not isURL and authority.startswith("@"):
            # an abstract name, and nobody's user
            user, address = "", authority
        return _socket(user, _unquote(address + slash + path), _options(query, mode, source))
    try:
        host, port = _place(address, mode)
    except ValueError:
        if "@" in rest[len(authority) :]:
            # perhaps the password has been cut, and what looks like a host is a piece of it
            raise ValueError("expected host:port; in a password, write / as %2F and ? as %3F") from None
        raise
    username, password = _user(user)
    layer = _options(query, mode, source)
    return Target(mode, host, port, "/" + quotePath(path), username, password, layer)


def _parse(text: str, source: str) -> Target:
    """
    Tell the forms apart.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme.replace("+", "").isalnum():
        return _read(_modeCalled(scheme), rest, True, source)
    word, colon, rest = text.partition(":")
    if colon and word.lower() in MODES:
        return _read(MODES[word.lower()], rest, False, source)
    if text.endswith(SUFFIX):
        return readConnectionFile(os.path.expanduser(text))
    if text.startswith(("/", "./", "../", "~", "@")):
        return _socket("", text, Layer(source))
    if not text:
        raise ValueError(_EXPECTED)
    # a password may stand before the @, and another secret among options: only a plain word is shown
    word = text.rpartition("@")[2]
    shown = quoted(word) if re.fullmatch(r"[\w.:\[\]-]+", word) else "this"
    raise ValueError(f"how is {shown} to be reached? {_EXPECTED}, a socket's path or a {SUFFIX} file")


def parseTarget(text: str, source: str = COMMAND_LINE) -> Target:
    """
    Read what a client is pointed at.

    @param text: a URL, C{mode:host:port}, the path of a Unix socket, or that of a connection file.
    @param source: where it was said.  The user's command line is trusted; every other place is not.
    @raise OptionError: if it cannot be understood; no secret is in it.
    """
    try:
        text.encode("utf-8")
        target = _parse(text.strip(), "URL" if source == COMMAND_LINE else source)
    except OptionError:
        raise
    except UnicodeEncodeError:
        raise OptionError(_TARGET, source, "expected text in UTF-8") from None
    except ValueError as error:
        raise OptionError(_TARGET, source, str(error)) from None
    return target if source == COMMAND_LINE else replace(target, trusted=False)
