"""
A reactor in memory whose connections work: what it was asked to connect is joined to what it was asked to
listen with, by a L{Wire<tests.support.wires.Wire>}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from tests.support.wires import Wire


@implementer(IHostnameResolver, IHostResolution)
class AddressResolver:
    """
    Knows no names: only what is an address already.
    """

    name = "addresses"

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, hostName: str, portNumber: int = 0, *others: Any
    ) -> IHostResolution:
        """
        Answer at once.
        """
        kind = IPv6Address if ":" in hostName else IPv4Address
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.addressResolved(kind("TCP", hostName, portNumber))
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """
        It is over already.
        """


@implementer(IReactorPluggableNameResolver)
class WiredReactor(MemoryReactorClock):
    """
    A reactor on which nothing happens unless a test says so.
    """

    nameResolver = AddressResolver()

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """
        It has one.
        """
        raise NotImplementedError

    def answer(self, factory: IProtocolFactory | None = None) -> Wire:
        """
        The last attempt to connect succeeds.

        @param factory: builds the other end; by default, what was last listened with.
        @return: the connection, on which all that can happen has happened.
        """
        connecting: Any = (self.unixClients or self.tcpClients)[-1][1 if self.unixClients else 2]
        if factory is None:
            listening: Any = (self.unixServers or self.tcpServers)[-1]
            factory = listening[1]
        wire = Wire(clock=self)
        server = factory.buildProtocol(wire.server.getPeer())
        client = connecting.buildProtocol(wire.client.getPeer())
        assert server is not None and client is not None
        wire.join(client, server)
        wire.flush()
        return wire
