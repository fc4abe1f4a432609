"""
PortOptions: which protocols a port accepts, how long it waits, and how much it takes.

Here also the two sets of options meet: L{ALL_OPTIONS}, L{resolveBoth} and L{layerOf}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from xtls.config.definitions import (
    Layer,
    Option,
    OptionSet,
    Side,
    option,
    optionsOf,
    resolve,
    spellings,
    unknownOption,
)
from xtls.config.options import OPTIONS, TLSOptions
from xtls.config.values import (
    choiceOf,
    formatChoice,
    formatFlag,
    formatOctets,
    formatSeconds,
    parseFlag,
    parseOctets,
    parseSeconds,
    quoted,
)
from xtls.errors import OptionError


class SSLSwitch(Enum):
    """
    Whether a port speaks TLS.

    @cvar AUTO: when there is a certificate for it.
    @cvar ON: yes; that there is none is an error.
    @cvar OFF: no.
    @cvar TCP: yes, and what is inside is the session, without looking.
    @cvar WWW: yes, and what is inside is HTTP, without looking.
    """

    AUTO = "auto"
    ON = "on"
    OFF = "off"
    TCP = "tcp"
    WWW = "www"


_SWITCH_WORDS = {
    **dict.fromkeys(("yes", "true", "1", "y", "t", "enabled"), SSLSwitch.ON),
    **dict.fromkeys(("no", "false", "0", "n", "f", "disabled"), SSLSwitch.OFF),
}


def _parseOrigins(text: str) -> tuple[str, ...]:
    """
    Read origins (RFC 6454, section 6.2), with commas or spaces between; C{*} is any.
    """
    origins = []
    for given in re.split(r"[,\s]+", text.strip()):
        origin = given.lower().removesuffix("/")
        if not re.fullmatch(r"\*|null|[a-z][a-z0-9+.-]*://[^/?#@\s\x00-\x20]+", origin):
            raise ValueError(f"expected an origin such as https://example.org:8443 or *, not {quoted(given)}")
        origins.append(origin)
    return tuple(origins)


def _upgrade(help: str, aliases: tuple[str, ...] = ()) -> bool:
    """
    Define the switch of an upgrade.
    """
    switch: bool = option(
        True,
        parseFlag,
        Side.SERVER,
        help,
        metavar="yes|no",
        aliases=aliases,
        format=formatFlag,
        group="upgrades",
    )
    return switch


def _timeout(seconds: float, side: Side, help: str) -> float:
    """
    Define a deadline.
    """
    deadline: float = option(
        seconds,
        parseSeconds,
        side,
        help,
        metavar="SECONDS",
        format=formatSeconds,
        group="timeouts",
    )
    return deadline


def _size(octets: int, side: Side, help: str) -> int:
    """
    Define a limit.
    """
    limit: int = option(
        octets, parseOctets, side, help, metavar="OCTETS", format=formatOctets, group="limits"
    )
    return limit


@dataclass(frozen=True)
class PortOptions(OptionSet):
    """
    What the user said about a port, and of its deadlines (seconds) and limits (octets) those that a client
    has too.
    """

    ssl: SSLSwitch = option(
        SSLSwitch.AUTO,
        choiceOf(SSLSwitch, _SWITCH_WORDS),
        Side.SERVER,
        "TLS: auto (when there is a certificate), on, off, tcp (inside is the session), www (inside is HTTP)",
        metavar="SWITCH",
        format=formatChoice,
        group="upgrades",
    )
    sslUpgrade: bool = _upgrade("whether a connection may become TLS")
    httpUpgrade: bool = _upgrade("whether a connection may become HTTP")
    websocketUpgrade: bool = _upgrade("whether an HTTP request may become a WebSocket", ("ws", "wss"))
    sshUpgrade: bool = _upgrade(
        "whether an SSH client is told apart, and refused; no: it goes where the port leads", ("ssh",)
    )
    detectTimeout: float = _timeout(5.0, Side.SERVER, "how long the first octets may take")
    handshakeTimeout: float = _timeout(10.0, Side.BOTH, "how long a TLS handshake may take")
    httpTimeout: float = _timeout(10.0, Side.SERVER, "how long the head of an HTTP request may take")
    websocketTimeout: float = _timeout(10.0, Side.CLIENT, "how long a WebSocket opening may take")
    connectTimeout: float = _timeout(10.0, Side.BOTH, "how long connecting may take")
    closeTimeout: float = _timeout(10.0, Side.BOTH, "how long closing may take before it is forced")
    httpHeadSize: int = _size(16384, Side.SERVER, "how large the head of an HTTP request may be")
    messageSize: int = _size(16777216, Side.BOTH, "how large a WebSocket message may be")
    websocketOrigin: tuple[str, ...] = option(
        (),
        _parseOrigins,
        Side.SERVER,
        "origin of web pages that may open a WebSocket; * for any",
        metavar="ORIGIN",
        shown="the port's own",
        repeatable=True,
        format="".join,
        group="limits",
    )


#: Every option, by name.
ALL_OPTIONS: Mapping[str, Option] = MappingProxyType({**OPTIONS, **optionsOf(PortOptions)})

_SPELLINGS = spellings(ALL_OPTIONS)


def optionCalled(name: str) -> Option | None:
    """
    The option that has a name or an alias; L{None} if there is none.
    """
    return _SPELLINGS.get(name)


def resolveBoth(*layers: Layer) -> tuple[TLSOptions, PortOptions]:
    """
    Combine what was said in several places, of TLS and of the port; later layers win.

    @raise OptionError: for an unknown name, and for a value that cannot be used.
    """
    ofTLS, ofPort = [], []
    for layer in layers:
        chosen: tuple[dict[str, str | tuple[str, ...]], dict[str, str | tuple[str, ...]]] = ({}, {})
        for name, text in layer.values.items():
            definition = optionCalled(name)
            if definition is None:
                raise unknownOption(name, layer.sourceOf(name), ALL_OPTIONS)
            chosen[definition.name not in OPTIONS][name] = text
        ofTLS.append(replace(layer, values=chosen[0]))
        ofPort.append(replace(layer, values=chosen[1]))
    return resolve(TLSOptions, *ofTLS), resolve(PortOptions, *ofPort)


def layerOf(source: str, said: Iterable[tuple[str, str, str]], side: Side = Side.BOTH) -> Layer:
    """
    Make a layer of options as they were said one by one, and check them: later no error has to be expected.

    @param source: the place where all of them were said.
    @param said: name, text and exact place of each.
    @param side: whom they are for.
    @raise OptionError: for an unknown name, one for the other side, a value that cannot be used, and one that
        was said twice with different values.
    """
    values: dict[str, str | tuple[str, ...]] = {}
    places: dict[str, str] = {}
    for spelled, text, place in said:
        definition = optionCalled(spelled)
        if definition is None:
            raise unknownOption(spelled, place, ALL_OPTIONS)
        if not definition.side & side:
            other = "clients" if side is Side.SERVER else "servers"
            raise OptionError(spelled, place, f"this is for {other} only: expected it there, or not at all")
        name = definition.name
        before = values.get(name, ())
        places.setdefault(name, place)
        if definition.repeatable:
            values[name] = (*before, text)
        elif before not in ((), text):
            raise OptionError(spelled, place, "said more than once, with different values: expected one")
        else:
            values[name] = text
    layer = Layer(source, values, places)
    resolveBoth(layer)
    return layer
