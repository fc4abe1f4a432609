"""
What TLS and WebSocket streams have in common, on the simplest layer there can be.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.support.contract import StreamContract
from tests.support.layers import framed
from tests.support.sockets import SocketWire


class FramedStreamTests(StreamContract, SynchronousTestCase):
    """
    The contract.
    """

    def stack(
        self, wire: Any, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A layer at each end.
        """
        return framed(wire, client, server)


class FramedSocketTests(FramedStreamTests):
    """
    The contract, over Twisted's own transports.
    """

    newWire = SocketWire
