"""
Twisted's own C{clientFromString}, taught the C{ssl-} keywords on request.

Twisted looks the prefix C{ssl} up in two tables of its own before it asks plugins, so no plugin can ever
give meaning to C{ssl:host:port:ssl-ca-certs=...}.  L{enableStockSSL} replaces the two entries by ones that
look for a keyword of ours.  Where there is one, the string is xtls's; where there is none, the stock
functions get the same arguments as before.  Only strings that were a L{TypeError} gain a meaning, so no
program changes.

Nothing here happens on import: the C{xtls} command and C{twistd xtls} ask for it, a library does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet import endpoints
from twisted.internet.interfaces import IStreamClientEndpoint

from xtls.endpoints.description import Description
from xtls.endpoints.parsers import clientFromDescription, hasOurKeyword
from xtls.errors import StockParserChanged

__all__ = ["enableStockSSL", "stockSSLClient"]

#: The prefix as Twisted's tables spell it.
_PREFIX = "SSL"

#: The tables: one takes the strings of a description apart, the other makes the endpoint.
_PARSERS = "_clientParsers"
_FACTORIES = "_endpointClientFactories"

#: The keyword under which a description travels from our entry in the first table to that in the second.
_CARRIED = "xtlsDescription"


@dataclass(frozen=True)
class _Parser:
    """
    Stands in Twisted's table of parsers.
    """

    stock: Callable[..., dict[str, Any]]

    def __call__(self, *arguments: str, **keywords: str) -> dict[str, Any]:
        """
        Take the strings of a C{ssl} description and say what the other table's entry is called with.
        """
        if hasOurKeyword(keywords):
            return {_CARRIED: Description.fromCall("ssl", arguments, keywords)}
        return self.stock(*arguments, **keywords)


@dataclass(frozen=True)
class _Factory:
    """
    Stands in Twisted's table of endpoints.
    """

    stock: Callable[..., IStreamClientEndpoint]

    def __call__(self, reactor: Any, *arguments: Any, **keywords: Any) -> IStreamClientEndpoint:
        """
        Make the endpoint: ours, or Twisted's with the arguments as they are.
        """
        description = keywords.get(_CARRIED)
        if isinstance(description, Description):
            return clientFromDescription(reactor, description)
        return self.stock(reactor, *arguments, **keywords)


def _entry(tableName: str) -> tuple[dict[str, Any], Any]:
    """
    One of Twisted's tables, and its entry for C{ssl}.

    @raise StockParserChanged: if there is no such table or no such entry.
    """
    table = getattr(endpoints, tableName, None)
    if not isinstance(table, dict) or not callable(table.get(_PREFIX)):
        raise StockParserChanged(tableName)
    return table, table[_PREFIX]


def enableStockSSL() -> Callable[[], None]:
    """
    Let Twisted's C{clientFromString} understand C{ssl:} strings with C{ssl-} keywords, until undone.  Twice
    is as good as once.

    @return: what undoes it, for every caller; calling it again does nothing.  It raises
        L{StockParserChanged} if somebody else has replaced our entries since.
    @raise StockParserChanged: if Twisted keeps its parsers elsewhere by now; nothing has changed then.
    """
    parsers, parser = _entry(_PARSERS)
    factories, factory = _entry(_FACTORIES)
    if not isinstance(parser, _Parser):
        parsers[_PREFIX] = _Parser(parser)
    if not isinstance(factory, _Factory):
        factories[_PREFIX] = _Factory(factory)
    return _disable


def _disable() -> None:
    """
    Put Twisted's own entries back.
    """
    parsers, parser = _entry(_PARSERS)
    factories, factory = _entry(_FACTORIES)
    if isinstance(parser, _Parser) and isinstance(factory, _Factory):
        parsers[_PREFIX] = parser.stock
        factories[_PREFIX] = factory.stock
    elif isinstance(parser, _Parser) or isinstance(factory, _Factory):
        raise StockParserChanged(_FACTORIES if isinstance(parser, _Parser) else _PARSERS)


def stockSSLClient(
    reactor: Any, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> IStreamClientEndpoint:
    """
    What Twisted itself makes of a C{ssl:} string, whether or not L{enableStockSSL} is in force.

    @raise StockParserChanged: if Twisted keeps its parsers elsewhere by now.
    """
    parser, factory = _entry(_PARSERS)[1], _entry(_FACTORIES)[1]
    endpoint: IStreamClientEndpoint = factory(reactor, **parser(*arguments, **keywords))
    return endpoint
