"""
Endpoint strings: the functions that read them, and what the plugins call.

L{clientFromString} and L{serverFromString} stand in for Twisted's own of the same names: strings of ours
(and URLs) have our meaning, which for a client includes that the server is verified; every other string is
handed to Twisted as it is.  Twisted's own functions reach us by the prefix C{xtls:}, and a client by C{wss:}
and C{ws:} too; and, once L{enableStockSSL} was called, by C{ssl:} strings with C{ssl-} keywords.

The grammar is in docs/reference/strings.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet import endpoints
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from xtls.config.definitions import Layer
from xtls.config.modes import MODES, Mode
from xtls.config.target import parseTarget
from xtls.endpoints.description import SOURCE, Description, quoteKeyword, quoteValue
from xtls.endpoints.parsers import clientFromDescription, hasOurKeyword, serverFromDescription
from xtls.endpoints.stock import enableStockSSL, stockSSLClient
from xtls.endpoints.targets import endpointForTarget
from xtls.errors import OptionError, StockParserChanged

__all__ = [
    "StockParserChanged",
    "clientFromString",
    "enableStockSSL",
    "endpointForTarget",
    "parseClient",
    "parseServer",
    "quoteKeyword",
    "quoteValue",
    "serverFromString",
]

#: The prefix that is ours alone.
_XTLS = "xtls"

#: The prefixes of client strings that are ours besides: Twisted has none of the name, or one that verifies
#: nothing unless it is told to.
_CLIENTS = (Mode.SSL.value, Mode.WSS.value, Mode.WS.value)


def clientFromString(reactor: Any, description: str, defaults: Layer | None = None) -> IStreamClientEndpoint:
    """
    Make a client endpoint of a string, as Twisted's function of the same name.

    C{ssl:HOST:PORT}, C{wss:}, C{ws:} and C{xtls:} strings, and URLs such as C{ssl://host:port/}, are ours;
    all others are Twisted's.

    @param reactor: where to connect.
    @param description: the string.  What it says of verification is done: to reach a target that somebody
        else has named, use L{endpointForTarget}.
    @param defaults: options of ours that hold where the string does not say otherwise.

    @raise OptionError: for a string of ours that cannot be understood, or with options that cannot be used.
    """
    if defaults is None:
        defaults = Layer(SOURCE)
    if _isURL(description):
        target = parseTarget(description)
        return endpointForTarget(reactor, replace(target, layer=target.layer.over(defaults)))
    parsed = Description.parse(description)
    prefix = parsed.prefix.lower()
    if prefix == _XTLS:
        return clientFromDescription(reactor, _inner(parsed), defaults)
    if prefix in _CLIENTS:
        return clientFromDescription(reactor, parsed, defaults)
    for name in defaults.values:
        problem = f"does not apply to {parsed.prefix}: endpoints; expected ssl or wss, or no such option"
        raise OptionError(name, defaults.sourceOf(name), problem)
    endpoint: IStreamClientEndpoint = endpoints.clientFromString(reactor, description)
    return endpoint


def serverFromString(reactor: Any, description: str) -> IStreamServerEndpoint:
    """
    Make a server endpoint of a string, as Twisted's function of the same name.

    C{xtls:tcp:PORT}, C{wss:} and C{ws:} strings, and C{ssl:} strings with a C{ssl-} keyword, are ours; all
    others are Twisted's.

    @param reactor: where to listen.
    @raise OptionError: for a string of ours that cannot be understood, or with options that cannot be used.
    """
    parsed = Description.parse(description)
    prefix = parsed.prefix.lower()
    if prefix == _XTLS:
        return serverFromDescription(reactor, _inner(parsed))
    stock = prefix == Mode.SSL.value and not hasOurKeyword(name for name, _ in parsed.keywords)
    if prefix in _CLIENTS and not stock:
        return serverFromDescription(reactor, parsed)
    endpoint: IStreamServerEndpoint = endpoints.serverFromString(reactor, description)
    return endpoint


def parseClient(
    reactor: Any, prefix: str, arguments: Sequence[object], keywords: Mapping[str, object]
) -> IStreamClientEndpoint:
    """
    Make a client endpoint for a plugin, which Twisted gives a string in parts.

    The plugin C{ssl} leaves stock strings their stock meaning.  Today Twisted never asks it; it is there for
    those who look for it, and for a Twisted that asks plugins first.

    @param prefix: the plugin's.
    """
    if prefix == Mode.SSL.value and not hasOurKeyword(keywords):
        return stockSSLClient(reactor, arguments, keywords)
    description = Description.fromCall(prefix, arguments, keywords)
    return clientFromDescription(reactor, _inner(description) if prefix == _XTLS else description)


def parseServer(
    reactor: Any, arguments: Sequence[object], keywords: Mapping[str, object]
) -> IStreamServerEndpoint:
    """
    Make a server endpoint for the plugin C{xtls}, which Twisted gives a string in parts.
    """
    return serverFromDescription(reactor, _inner(Description.fromCall(_XTLS, arguments, keywords)))


def _inner(description: Description) -> Description:
    """
    What is behind the prefix C{xtls:}.
    """
    if not description.arguments:
        problem = "expected something behind it, such as xtls:ssl:HOST:PORT or xtls:tcp:PORT"
        raise OptionError(description.prefix, SOURCE, problem)
    return Description(description.arguments[0], description.arguments[1:], description.keywords)


def _isURL(text: str) -> bool:
    """
    Whether this is a URL of a target.  C{unix://path} is Twisted's, and means the same to it.
    """
    scheme, separator, _ = text.partition("://")
    mode = scheme.lower().rpartition("+")[2]
    return bool(separator) and mode in MODES and mode != "unix"
