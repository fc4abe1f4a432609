"""
The simplest layer there can be, for tests of what all layers share.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol, IReactorTime, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.wires import GivenFactory
from xtls.wire.layered import LayeredTransport
from xtls.wire.outflow import Buffer

#: The mark that ends a direction.
END = bytes(4)


def frame(data: bytes) -> bytes:
    """
    One write, as it goes over the wire.
    """
    return len(data).to_bytes(4, "big") + data


@implementer(ITransport)
class FramedTransport(LayeredTransport):
    """
    Each write goes with its length before it, and the end is a length of nothing.  The protocol above is
    connected at once.

    @ivar above: the protocol above, until it is connected.
    @ivar neverConnected: the failures of connections that nobody heard of.
    """

    def __init__(self, clock: IReactorTime, above: IProtocol | None, closeTimeout: float = 10.0) -> None:
        super().__init__(clock, closeTimeout)
        self.above = above
        self.neverConnected: list[Failure] = []
        self._encoded: list[bytes] = []
        self._received = b""
        self._frames: list[bytes] = []

    def makeConnection(self, transport: Any) -> None:
        """
        The connection below is there.
        """
        self._attach(transport)
        self.opened()

    def opened(self) -> None:
        """
        The layer is ready.
        """
        above, self.above = self.above, None
        self._connect(above)

    def bufferReceived(self, data: Buffer) -> None:
        """
        Octets have arrived from below.
        """
        self._received += bytes(data)
        while len(self._received) >= 4:
            end = 4 + int.from_bytes(self._received[:4], "big")
            if len(self._received) < end:
                break
            self._frames.append(self._received[4:end])
            self._received = self._received[end:]
        self._gathered = []
        try:
            while self._frames and self._frames[0] and not self._paused:
                taken = self._frames.pop(0)
                if not self.disconnecting:
                    self._deliver(memoryview(taken))
        finally:
            self._sendGathered()
        if self._frames and not self._paused:
            self._frames.clear()
            self._peerEnded()

    def _send(self, data: Buffer) -> None:
        self._encoded.append(frame(bytes(data)))

    def _flush(self) -> None:
        encoded, self._encoded = self._encoded, []
        if encoded:
            self._outflow.write(b"".join(encoded))

    def _sendEnd(self) -> None:
        self._encoded.append(END)

    def _endBelow(self) -> None:
        self.transport.loseWriteConnection()

    def _truncated(self) -> Failure:
        return Failure(ConnectionLost("truncated"))

    def _hasMore(self) -> bool:
        return bool(self._frames)

    def _neverConnected(self, failure: Failure) -> None:
        self.neverConnected.append(failure)


def framed(wire: Any, client: Any, server: Any) -> tuple[FramedTransport, FramedTransport]:
    """
    Both ends of a connection, for factories that build one protocol each.
    """
    return tuple(  # type: ignore[return-value]
        FramedTransport(wire.clock, factory.buildProtocol(None) if factory else None)
        for factory in (client, server)
    )


def joined(wire: Any, client: Any, server: Any) -> tuple[FramedTransport, FramedTransport]:
    """
    The same for two protocols, connected.
    """
    ends = framed(wire, GivenFactory(client), GivenFactory(server))
    wire.join(*ends)
    wire.flush()
    return ends
