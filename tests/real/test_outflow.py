"""
What goes out of a connection over a real socket, to a reader that stops: little is kept, and nothing is lost.
"""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.support.loopback import LoopbackTestCase
from tests.support.volume import blocks, digestOf
from tests.support.wires import GivenFactory
from xtls.wire.outflow import Outflow

#: What goes through, in octets: more than any system keeps for a connection.
OCTETS = 64 << 20

#: What the source writes in one turn, in octets.
PIECE = 100_003


class Sender(Protocol):
    """
    Writes a piece in each turn, unless it is paused, and closes after the last.

    @ivar most: the most that was pending.
    @ivar pauses: how often it was paused.
    """

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.rest = b"".join(blocks(OCTETS))
        self.written = self.most = self.pauses = 0
        self.paused = False
        self.ended: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """
        Begin.
        """
        self.outflow = Outflow(self.transport, self.pause, self.resume)
        self.push()

    def pause(self) -> None:
        """
        The socket takes no more.
        """
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        """
        It does.
        """
        self.paused = False
        self.reactor.callLater(0, self.push)

    def push(self) -> None:
        """
        Write a piece.
        """
        self.outflow.write(memoryview(self.rest)[self.written : self.written + PIECE])
        self.written = min(self.written + PIECE, OCTETS)
        self.most = max(self.most, self.outflow.pending)
        if self.written == OCTETS:
            self.outflow.whenDrained(self.transport.loseConnection)
        elif not self.paused:
            self.reactor.callLater(0, self.push)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The end.
        """
        self.outflow.close()
        self.ended.callback(None)


class Receiver(Protocol):
    """
    Stops reading at once, until it is told to go on.

    @ivar ended: fires with the digest of what came.
    """

    transport: Any

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.ended: Deferred[str] = Deferred()

    def connectionMade(self) -> None:
        """
        Stop.
        """
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Count.
        """
        self.digest.update(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The end.
        """
        self.ended.callback(self.digest.hexdigest())


class OutflowTests(LoopbackTestCase):
    """
    L{Outflow}.
    """

    async def test_readerThatStops(self) -> None:
        """
        While the reader does not read, what is kept here is bounded by what the source writes in one turn;
        when it does, everything arrives, as it was written.
        """
        receiver, sender = Receiver(), Sender(self.reactor)
        listening = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        number = self.closing(await listening.listen(GivenFactory(receiver)))
        await connectProtocol(TCP4ClientEndpoint(self.reactor, "127.0.0.1", number), sender)
        written = -1
        while written < sender.written:
            written = sender.written
            await deferLater(self.reactor, 0.1)
        self.assertTrue(sender.paused)
        self.assertLess(sender.written, OCTETS)
        receiver.transport.resumeProducing()
        self.assertEqual(await receiver.ended, digestOf(OCTETS))
        await sender.ended
        self.assertLessEqual(sender.most, PIECE)
        self.assertGreater(sender.pauses, 1)
        await self.quiet()
