"""
Makes xtls known to Twisted.

Every program that lists plugins imports this file, so it imports nothing heavy and cannot fail: the work is
imported when it is done.  Never put an C{__init__.py} beside it or above it: one would hide Twisted, or
hide the plugins from it.
"""

from __future__ import annotations

from typing import Any

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker
from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class _Client:
    """
    Parses the client endpoint strings of one prefix.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def parseStreamClient(self, reactor: Any, *args: object, **kwargs: object) -> IStreamClientEndpoint:
        """
        Make the endpoint that the string describes.
        """
        from xtls.endpoints.strings import parseClient

        return parseClient(reactor, self.prefix, args, kwargs)


@implementer(IPlugin, IStreamServerEndpointStringParser)
class _Server:
    """
    Parses the server endpoint strings that begin with C{xtls:}.
    """

    prefix = "xtls"

    def parseStreamServer(self, reactor: Any, *args: object, **kwargs: object) -> IStreamServerEndpoint:
        """
        Make the endpoint that the string describes.
        """
        from xtls.endpoints.strings import parseServer

        return parseServer(reactor, args, kwargs)


xtlsService = ServiceMaker(
    "xtls",
    "xtls.programs.service",
    "One port that speaks raw TCP, TLS, HTTP(S) and WebSocket, in front of any service.",
    "xtls",
)
xtlsReactor = Reactor(
    "xtls", "xtls.wire.reactor", "epoll with less work for each event (Linux); what twistd xtls runs on."
)
sslClient = _Client("ssl")
wssClient = _Client("wss")
wsClient = _Client("ws")
xtlsClient = _Client("xtls")
xtlsServer = _Server()
