"""
The session of the demonstration.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.wires import GivenFactory, HalfCloseRecorder, Wire, everySplit
from tests.test_upgradeable import authority, serverCreator
from xtls.config.options import TLSOptions
from xtls.sessions.echo import LONGEST_LINE, EchoFactory, EchoProtocol, howItCame
from xtls.trust.contexts import ClientConnectionCreator
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.websocket import WebSocketStream

_COUNTS = re.compile(rb" \[in ([0-9]+), out ([0-9]+)\]\n")


class _Attached(WebSocketStream):
    """
    A stream that is open already.
    """

    def makeConnection(self, transport: Any) -> None:
        """
        Attach.
        """
        self._attach(transport)


class EchoTests(SynchronousTestCase):
    """
    L{EchoProtocol}.
    """

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = HalfCloseRecorder()
        self.session: EchoProtocol = EchoFactory().buildProtocol(None)
        self.wire.join(self.client, self.session)
        self.wire.flush()

    def say(self, data: bytes) -> bytes:
        """
        Send, and take the answer.
        """
        self.client.chunks.clear()
        self.wire.client.write(data)
        self.wire.flush()
        return self.client.received

    def test_interfaces(self) -> None:
        """
        A session is an ordinary protocol of an ordinary factory.
        """
        self.assertTrue(verifyObject(IProtocolFactory, EchoFactory()))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.session))

    def test_greets(self) -> None:
        """
        It says how one came in, in one line.
        """
        self.assertEqual(
            self.client.received,
            b"xtls demo: you came in by plain TCP from 127.0.0.1:50000; each line comes back in upper case\n",
        )

    def test_greetsOtherwise(self) -> None:
        """
        What it says first may be said by whoever starts it.
        """
        wire, client = Wire(), HalfCloseRecorder()
        wire.join(client, EchoFactory("good morning").buildProtocol(None))
        wire.flush()
        self.assertTrue(client.received.startswith(b"xtls demo: good morning; each line"))

    def test_answers(self) -> None:
        """
        Each line comes back in upper case, with the octets that had come with it, and gone before
        it.
        """
        greeting = len(self.client.received)
        first = self.say(b"hello\n")
        self.assertEqual(first, b"HELLO [in 6, out %d]\n" % greeting)
        second = self.say(b"you\r\nand me\n")
        third = greeting + len(first) + len(b"YOU [in 11, out 000]\n")
        self.assertEqual(
            second,
            b"YOU [in 11, out %d]\n" % (greeting + len(first)) + b"AND ME [in 18, out %d]\n" % third,
        )

    def test_everySplit(self) -> None:
        """
        However the lines arrive, they are answered alike.
        """
        for pieces in everySplit(b"ab\r\n\n\xff\x00c\n"):
            self.setUp()
            answer = b"".join([self.say(piece) for piece in pieces])
            self.assertEqual(_COUNTS.sub(b"|", answer), b"AB||\xff\x00C|")

    def test_incomplete(self) -> None:
        """
        A line that is not ended is not answered.
        """
        self.assertEqual(self.say(b"hello"), b"")

    def test_long(self) -> None:
        """
        A long line is answered in parts.
        """
        line = b"x" * (2 * LONGEST_LINE + 5)
        answer = self.say(line + b"\n")
        self.assertEqual(
            [len(part) for part in _COUNTS.sub(b"|", answer).split(b"|")],
            [LONGEST_LINE, LONGEST_LINE, 5, 0],
        )

    def test_longest(self) -> None:
        """
        A line of just that length is one line, however it arrives.
        """
        line = b"y" * LONGEST_LINE
        answer = self.say(line + b"\n") + self.say(line) + self.say(b"\n")
        parts = [len(part) for part in _COUNTS.sub(b"|", answer).split(b"|")]
        self.assertEqual(parts, [LONGEST_LINE, LONGEST_LINE, 0])

    def test_end(self) -> None:
        """
        When the peer sends no more, the rest is answered, and that is the end.
        """
        self.wire.client.loseWriteConnection()
        self.assertEqual(_COUNTS.sub(b"|", self.say(b"")), b"")
        self.assertEqual(self.client.readClosed, 1)
        self.setUp()
        self.client.chunks.clear()
        self.wire.client.write(b"one\ntwo")
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertEqual(_COUNTS.sub(b"|", self.client.received), b"ONE|TWO|")
        self.assertFalse(self.wire.server.connected)

    def test_pressure(self) -> None:
        """
        A peer that sends and does not read is read no more, what is held for it is bounded, and
        nothing is lost.
        """
        lines = b"\n" * 500_000
        self.client.chunks.clear()
        self.wire.client.pauseProducing()
        self.wire.client.write(lines)
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertFalse(self.wire.server.reading)
        self.assertLess(len(self.wire.server._kept), 256 * 1024)
        self.assertLess(len(self.session._input), 256 * 1024)
        self.assertGreater(len(self.wire.client._kept), len(lines) // 2)
        self.wire.client.resumeProducing()
        self.wire.flush()
        counts = _COUNTS.findall(self.client.received)
        self.assertEqual((len(counts), counts[-1][0]), (len(lines), b"500000"))
        self.assertFalse(self.wire.server.connected)

    def test_lost(self) -> None:
        """
        A peer that is gone takes with it what is held for it.
        """
        self.say(b"x" * 100)
        self.wire.cut()
        self.assertEqual(len(self.session._input), 0)


class HowItCameTests(SynchronousTestCase):
    """
    L{howItCame}.
    """

    def test_unix(self) -> None:
        """
        A Unix socket is named.
        """
        transport: Any = Wire().server
        transport.getHost = lambda: UNIXAddress(b"/run/x")
        self.assertEqual(howItCame(transport), "a Unix socket")

    def test_webSocket(self) -> None:
        """
        So is a WebSocket.
        """
        wire = Wire()
        stream = _Attached(False, wire.clock)
        wire.join(Protocol(), stream)
        self.assertEqual(howItCame(stream), "a WebSocket")

    def test_secureWebSocket(self) -> None:
        """
        And TLS, with its version, around it.
        """
        wire = Wire()
        session = Protocol()
        creator = ClientConnectionCreator.fromOptions(TLSOptions(caData=authority().pem), "localhost")
        clock = Clock()
        client = TLSTransportFactory(creator, True, GivenFactory(Protocol()), clock)
        server = TLSTransportFactory(serverCreator(), False, GivenFactory(session), clock)
        wire.join(client.buildProtocol(None), server.buildProtocol(None))
        wire.flush()
        stream = _Attached(False, clock)
        stream.makeConnection(session.transport)
        self.assertRegex(howItCame(stream), r"^a WebSocket inside TLSv1\.3 \(TLS_\w+\)$")
