"""
The last words to a peer that is not let in.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.wires import HalfCloseRecorder, Recorder, Wire
from xtls.port.refusal import LINGER, Refusal


class RefusalTests(SynchronousTestCase):
    """
    The answer arrives, and the socket is not held for long.
    """

    def refuse(self, peer: Recorder, answer: bytes = b"no\r\n") -> None:
        """
        Refuse a peer.
        """
        self.wire = Wire()
        self.peer = peer
        self.wire.join(peer, Refusal(self.wire.clock, answer))
        self.wire.flush()

    def test_answered(self) -> None:
        """
        The peer gets its answer and the end; when it closes too, that is all.
        """
        self.refuse(Recorder())
        self.assertEqual(self.peer.received, b"no\r\n")
        self.assertIsNotNone(self.peer.lost[0].check(ConnectionDone))
        self.assertFalse(self.wire.server.connected)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_stillSending(self) -> None:
        """
        What the peer still sends is read, so that no reset destroys the answer; its time is short.
        """
        self.refuse(HalfCloseRecorder())
        self.wire.client.write(b"x" * 100000)
        self.wire.advance(LINGER - 0.1)
        self.assertTrue(self.wire.server.connected)
        self.assertTrue(self.wire.client.connected)
        self.wire.advance(0.2)
        self.assertFalse(self.wire.server.connected)
        self.assertEqual(self.peer.received, b"no\r\n")

    def test_notReading(self) -> None:
        """
        A peer that does not read is left, in the end without another word.
        """
        self.refuse(HalfCloseRecorder())
        self.wire = Wire()
        self.wire.join(HalfCloseRecorder(), Refusal(self.wire.clock, b"x" * 200000))
        self.wire.client.pauseProducing()
        self.wire.flush()
        self.wire.advance(LINGER + 0.1)
        self.assertTrue(self.wire.server.connected)
        self.wire.advance(LINGER)
        self.assertFalse(self.wire.server.connected)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_nothingToSay(self) -> None:
        """
        Without an answer the connection is closed at once.
        """
        self.refuse(Recorder(), b"")
        self.assertEqual((self.peer.received, len(self.peer.lost)), (b"", 1))

    def test_anyTransport(self) -> None:
        """
        A transport that knows no half close is closed when the time is over; views are dropped like octets.
        """
        clock, transport = Clock(), StringTransport()
        refusal: Any = Refusal(clock, b"no")
        verifyObject(IHalfCloseableProtocol, refusal)
        refusal.makeConnection(transport)
        refusal.bufferReceived(memoryview(b"x"))
        self.assertEqual((transport.value(), transport.disconnecting), (b"no", False))
        clock.advance(LINGER)
        self.assertTrue(transport.disconnecting)
