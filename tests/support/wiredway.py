"""
A way to servers in memory that can be gone again and again, for tests of who looks at servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.support.wires import Wire


class Answering(Protocol):
    """
    Answers the head that comes, and hangs up.
    """

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        """
        Answer when a head is whole.
        """
        self._data += data
        if b"\r\n\r\n" in self._data:
            assert self.transport is not None
            self.transport.write(self._answer)
            self.transport.loseConnection()


class MadeFactory(Factory):
    """
    Makes protocols.
    """

    noisy = False

    def __init__(self, make: Callable[[], Protocol]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> Protocol:
        """
        One more.
        """
        return self._make()


@implementer(IStreamClientEndpoint)
class WiredWay:
    """
    Each connection is a L{Wire} of its own to a protocol of a server's factory.

    @ivar wires: the connections that were made.
    @ivar most: how many connections are let in.
    @ivar silent: whether nothing answers at all.
    """

    def __init__(self, clock: Clock, server: Any, most: int = 100) -> None:
        """
        @param server: the factory; or what makes the protocols.
        """
        self._clock = clock
        self._server = server if hasattr(server, "buildProtocol") else MadeFactory(server)
        self.wires: list[Wire] = []
        self.most = most
        self.silent = False

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect at once.
        """
        if self.silent:
            return Deferred()
        if len(self.wires) >= self.most:
            return fail(ConnectionRefusedError())
        wire = Wire(clock=self._clock)
        server = self._server.buildProtocol(wire.server.getPeer())
        client = protocolFactory.buildProtocol(wire.client.getPeer())
        assert server is not None and client is not None
        self.wires.append(wire)
        wire.join(client, server)
        return succeed(client)

    def settle(self, waiting: Deferred[Any], seconds: float = 120) -> None:
        """
        Let everything happen until something has.
        """
        done: list[object] = []

        def note(result: object) -> object:
            done.append(result)
            return result

        waiting.addBoth(note)
        for _ in range(int(seconds * 4)):
            for wire in list(self.wires):
                wire.flush()
            if done:
                return
            self._clock.advance(0.25)
        raise AssertionError("nothing has happened")
