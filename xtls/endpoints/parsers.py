"""
From an endpoint description to an endpoint, client's or server's.

A keyword is one of three things: an option of ours, also in the spelling that Twisted's own C{ssl:} strings
use; one of the few words below; or, on a server, something for the endpoint that is wrapped.  An option's
text is read like that of every other place, as said in "endpoint string".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from twisted.internet import endpoints
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.web.resource import IResource

from xtls.config.definitions import Layer, Side, optionNamed
from xtls.config.modes import MODES, Mode, Target, checkHost, parsePort, quotePath, requireTLS
from xtls.config.options import OPTIONS, TLSOptions
from xtls.config.portoptions import PortOptions, layerOf, optionCalled, resolveBoth
from xtls.endpoints.description import SOURCE, Description
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.endpoints.targets import endpointForTarget
from xtls.errors import OptionError
from xtls.port.web import pages

__all__ = ["clientFromDescription", "hasOurKeyword", "serverFromDescription"]

_T = TypeVar("_T")

#: How errors name what is wrong with a string as a whole.
_ENDPOINT = "endpoint"

#: Twisted's spellings of our options.
_STOCK: Final[Mapping[str, str]] = {
    **{option.stock: name for name, option in OPTIONS.items() if option.stock},
    "timeout": optionNamed(PortOptions, "connectTimeout").name,
}

#: The words of client strings that are not options.
_HOST, _PORT, _PATH = "host", "port", "path"
_BIND_ADDRESS = "bindAddress"
_CLIENT_WORDS = (_HOST, _PORT, _PATH, _BIND_ADDRESS, _ENDPOINT)

#: The words of server strings that are neither options nor for the wrapped endpoint.
_MODE, _WWW_DIR = "mode", "www-dir"
_SERVER_WORDS = (_MODE, _WWW_DIR)

#: The prefixes of server strings that name a mode of a TCP port, and not an endpoint of Twisted's.
_MODES_OVER_TCP = {mode.value: mode for mode in (Mode.SSL, Mode.WS, Mode.WSS)}

_Keywords = Sequence[tuple[str, str]]

_NO_DEFAULTS: Final = Layer(SOURCE)


def hasOurKeyword(keywords: Iterable[str]) -> bool:
    """
    Whether a C{ssl:} string was written for us: one of its keywords begins as our options of TLS do, which
    no keyword of Twisted's can.
    """
    return any(name.startswith(TLSOptions.PREFIX) for name in keywords)


def _read(name: str, parse: Callable[[str], _T], text: str) -> _T:
    """
    Read what was said in a string, with errors that say where.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise OptionError(name, SOURCE, str(error)) from None


def _layer(keywords: _Keywords, side: Side) -> Layer:
    """
    The options among the keywords.

    @raise OptionError: for one that is unknown, or is for the other side, or whose value cannot be used.
    """
    return layerOf(SOURCE, [(_STOCK.get(name, name), text, SOURCE) for name, text in keywords], side)


def _words(keywords: _Keywords, words: Sequence[str]) -> dict[str, str]:
    """
    The keywords that are among some words, each of which may be said once.
    """
    said: dict[str, str] = {}
    for name, text in keywords:
        if name in words and said.setdefault(name, text) != text:
            raise OptionError(name, SOURCE, "said more than once, with different values: expected one")
    return said


def clientFromDescription(
    reactor: Any, description: Description, defaults: Layer = _NO_DEFAULTS
) -> IStreamClientEndpoint:
    """
    Make the client endpoint that a description names: C{ssl:HOST:PORT}, and likewise C{tcp ws wss}, or
    C{unix:PATH}.

    @param reactor: where to connect.
    @param description: its prefix is the mode.
    @param defaults: options that hold where the description does not say otherwise.

    @raise OptionError: for whatever in it cannot be used.
    """
    mode = _read(_ENDPOINT, _parseMode, description.prefix)
    words = _words(description.keywords, _CLIENT_WORDS)
    layer = _layer([each for each in description.keywords if each[0] not in words], Side.CLIENT)
    layer = layer.over(defaults)
    if not mode.secure:
        requireTLS(layer, mode, "expected ssl or wss in its place, or no such option")
    carrier = endpoints.clientFromString(reactor, words[_ENDPOINT]) if _ENDPOINT in words else None
    return endpointForTarget(
        reactor,
        _target(mode, description.arguments, words, layer),
        bindAddress=words.get(_BIND_ADDRESS),
        carrier=carrier,
    )


def _parseMode(text: str) -> Mode:
    """
    Read the name of a mode.
    """
    mode = MODES.get(text.lower())
    if mode is None:
        raise ValueError(f"expected one of {', '.join(MODES)}, not {text!r}")
    return mode


def _target(mode: Mode, arguments: Sequence[str], words: Mapping[str, str], layer: Layer) -> Target:
    """
    The target that arguments and keywords name together: arguments stand for what no keyword says.
    """
    places = (_PATH,) if mode is Mode.UNIX else (_HOST, _PORT)
    missing = [place for place in places if place not in words]
    said = {**words, **dict(zip(missing, arguments, strict=False))}
    if len(arguments) > len(missing) or places[0] not in said:
        problem = f"expected {mode.value}:{':'.join(places)}; a colon that is part of one needs a backslash"
        raise OptionError(_ENDPOINT, SOURCE, problem)
    if mode is Mode.UNIX:
        return Target(mode, "", 0, said[_PATH], layer=layer)
    host = said[_HOST]
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return Target(
        mode,
        _read(_HOST, checkHost, host),
        _read(_PORT, parsePort, said[_PORT]) if _PORT in said else mode.defaultPort,
        "/" + quotePath(said.get(_PATH, "").removeprefix("/")),
        layer=layer,
    )


def serverFromDescription(reactor: Any, description: Description) -> IStreamServerEndpoint:
    """
    Make the port that a description names: any server endpoint of Twisted's, such as
    C{tcp:10000:interface=127.0.0.1}, with our keywords among its own.

    @param reactor: where to listen; also the clock of all deadlines.

    @raise OptionError: for whatever in it cannot be used.
    """
    said = _withoutPermissions(description)
    words = _words(said, _SERVER_WORDS)
    ours: list[tuple[str, str]] = []
    theirs: list[tuple[str, str]] = []
    for keyword in description.keywords:
        name = keyword[0]
        if keyword in said and name in words:
            continue
        (ours if _isOption(name) else theirs).append(keyword)
    layer = _layer(ours, Side.SERVER)
    mode, prefix = _modeAndPrefix(description.prefix, words)
    if mode is Mode.UNIX:
        requireTLS(layer, mode, f"expected {_MODE}=tcp too, or no such option")
    tls, options = resolveBoth(layer)
    wrapped = _wrapped(reactor, Description(prefix, description.arguments, tuple(theirs)))
    site = _read(_WWW_DIR, _parsePages, words[_WWW_DIR]) if _WWW_DIR in words else None
    return UpgradeableServerEndpoint.fromOptions(wrapped, mode, tls, options, clock=reactor, site=site)


def _parsePages(text: str) -> IResource:
    """
    Read what a port shows to browsers: the files of a directory, or without one a page of our own.
    """
    directory = os.path.expanduser(text)
    if directory and not os.path.isdir(directory):
        raise ValueError(f"there is no directory {directory}: expected one, or nothing for a page of our own")
    return pages(directory or None)


def _isOption(name: str) -> bool:
    """
    Whether a keyword of a server string is an option of ours.  What has a hyphen can be nothing else, since
    Twisted's keywords are the names of parameters: at worst it is misspelled, and will be refused as such.
    """
    return "-" in name or name in _STOCK or optionCalled(name) is not None


def _withoutPermissions(description: Description) -> _Keywords:
    """
    The keywords, without the one that says the permissions of a Unix socket and is named like our mode.
    """
    permissions = description.prefix == "unix"
    return [
        (name, text)
        for name, text in description.keywords
        if not (permissions and name == _MODE and text.isdigit())
    ]


def _modeAndPrefix(prefix: str, words: Mapping[str, str]) -> tuple[Mode, str]:
    """
    The mode of the port, and the prefix of the endpoint that is wrapped.
    """
    mode = _read(_MODE, _parseMode, words[_MODE]) if _MODE in words else None
    implied = _MODES_OVER_TCP.get(prefix.lower())
    if implied is not None:
        if mode not in (None, implied):
            raise OptionError(_MODE, SOURCE, f"expected none after {prefix}, or tcp in place of {prefix}")
        return implied, Mode.TCP.value
    return mode or (Mode.UNIX if prefix == "unix" else Mode.TCP), prefix


def _wrapped(reactor: Any, description: Description) -> IStreamServerEndpoint:
    """
    The endpoint of Twisted's, or somebody else's, that does the listening.
    """
    try:
        endpoint: IStreamServerEndpoint = endpoints.serverFromString(reactor, description.text())
    except OptionError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{description.prefix} does not understand its arguments or keywords: {error}"
        raise OptionError(_ENDPOINT, SOURCE, problem) from error
    return endpoint
