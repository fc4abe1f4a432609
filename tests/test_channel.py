"""
HTTP connections that serve pages.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from tests.support.wires import BUFFER_SIZE, GivenFactory, HalfCloseRecorder, Recorder, Wire
from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions
from xtls.port.channel import PageChannel, PageSite
from xtls.port.upgrades import UpgradePolicy
from xtls.port.web import WebFactory
from xtls.wire.framing import Opcode, encodeFrame

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OPENING = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Slow(Resource):
    """
    Answers when it is told to.

    @ivar content: what it answers.
    @ivar waiting: requests that are not answered yet.
    @ivar answers: how often it has answered at once.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.content = b"page"
        self.waiting: list[Any] = []
        self.slow = False
        self.answers = 0

    def render_GET(self, request: Any) -> Any:
        """
        Answer, or wait.
        """
        if self.slow:
            self.waiting.append(request)
            return NOT_DONE_YET
        self.answers += 1
        return self.content

    def answer(self) -> None:
        """
        Answer what waits.
        """
        request = self.waiting.pop(0)
        request.write(self.content)
        request.finish()


class ChannelTests(SynchronousTestCase):
    """
    Connections in memory.
    """

    def setUp(self) -> None:
        self.resource = Slow()
        self.options = PortOptions(httpHeadSize=1000)
        self.connect()

    def connect(self) -> None:
        """
        Make a connection.
        """
        self.wire = Wire()
        self.client = HalfCloseRecorder()
        self.session = Recorder()
        policy = UpgradePolicy(Mode.TCP, self.options, False, True, True)
        self.web = WebFactory(policy, self.wire.clock, session=GivenFactory(self.session), site=self.resource)
        self.channel: Any = self.web.pageChannel(self.wire.client.getHost())
        self.wire.join(self.client, self.channel)

    def say(self, data: bytes) -> bytes:
        """
        Send, and give what has been answered.
        """
        self.wire.client.write(data)
        self.wire.flush()
        received = self.client.received
        self.client.chunks = []
        return received

    def assertGone(self) -> None:
        """
        Nothing is left of the connection.
        """
        self.assertEqual((self.wire.server.connected, self.wire.clock.getDelayedCalls()), (False, []))

    # Requests

    def test_pipeline(self) -> None:
        """
        Requests that come together are answered in order, with an answer that takes long, too.
        """
        self.resource.slow = True
        self.assertEqual(self.say(GET + GET), b"")
        self.resource.content = b"first"
        self.resource.answer()
        self.wire.flush()
        self.assertIn(b"first", self.client.received)
        self.resource.content = b"second"
        self.resource.answer()
        self.assertTrue(self.say(GET).endswith(b"\r\n6\r\nsecond\r\n0\r\n\r\n"))

    def test_pipelineUnderPressure(self) -> None:
        """
        Of many requests that come together, those are answered that the peer reads the answers of: they would
        be a hundred times as long.
        """
        self.resource.content = b"x" * 5000
        self.wire.client.pauseProducing()
        self.say(GET * 2000)
        self.assertLess(self.resource.answers, 50)
        self.assertFalse(self.wire.server.reading)
        self.wire.client.resumeProducing()
        self.assertEqual(self.say(GET).count(b"200 OK"), 2001)

    def test_upgradeWaits(self) -> None:
        """
        A WebSocket that is asked for behind a page is opened when that has been answered.
        """
        self.resource.slow = True
        frame = encodeFrame(Opcode.BINARY, b"early", b"\1\2\3\4")
        self.assertEqual(self.say(GET + OPENING + frame), b"")
        self.resource.answer()
        answers = self.say(b"")
        self.assertLess(answers.index(b"200 OK"), answers.index(b"101 Switching"))
        self.assertEqual(self.session.received, b"early")

    def test_upgradeUnderPressure(self) -> None:
        """
        A WebSocket that is asked for while an answer is still on its way gets its octets behind that; where
        the answer fills the transport, it is opened when that has gone.
        """
        for size in (60000, 300000):
            self.connect()
            self.resource.content = b"x" * size
            self.upgradeUnderPressure()

    def upgradeUnderPressure(self) -> None:
        """
        Ask for a page and a WebSocket, and read both late.
        """
        self.wire.client.pauseProducing()
        self.say(GET + OPENING)
        self.assertEqual(self.session.made, len(self.resource.content) < BUFFER_SIZE)
        self.wire.client.resumeProducing()
        answers = self.say(encodeFrame(Opcode.BINARY, b"late", b"\1\2\3\4"))
        page, _, rest = answers.partition(b"HTTP/1.1 101")
        self.assertTrue(page.endswith(self.resource.content))
        self.assertTrue(rest.endswith(b"\r\n\r\n"))
        self.assertEqual(self.session.received, b"late")

    def test_emptyLines(self) -> None:
        """
        Empty lines between requests do not matter.
        """
        self.assertEqual(self.say(b"\r\n\r\n\r\n" + GET + b"\r\n\r\n" + GET).count(b"200 OK"), 2)

    def test_absoluteForm(self) -> None:
        """
        A target with scheme and host means the same page (RFC 9112, section 3.2.2).
        """
        self.say(GET.replace(b"/", b"http://h/a?b", 1))
        self.assertEqual(self.say(GET.replace(b"/", b"HTTPS://h", 1)).count(b"200 OK"), 1)

    def test_close(self) -> None:
        """
        After a request that says so the connection is closed, and what follows is not looked at; also when it
        is said in a list, or by the version.
        """
        for request in (
            GET.replace(b"Host", b"Connection: close\r\nHost"),
            GET.replace(b"Host", b"connection: te, Close\r\nHost"),
            GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ):
            self.connect()
            answer = self.say(request + OPENING)
            self.assertIn(b"\r\nConnection: close\r\n", answer)
            self.assertEqual((answer.count(b"HTTP/1."), self.client.readClosed, self.session.made), (1, 1, 0))
            self.wire.client.loseConnection()
            self.wire.flush()
            self.assertGone()

    def test_notTheSoftware(self) -> None:
        """
        Answers do not say by which version of what they were made.
        """
        self.assertNotIn(b"Server:", self.say(GET))

    # Limits

    def test_tooLong(self) -> None:
        """
        A head is refused when it is too long: for one line, or for all.
        """
        for request, status in (
            (GET[:-2] + b"A: " + b"x" * 1000, b"431"),
            (GET[:-2] + b"A: b\r\n" * 200, b"431"),
            (b"GET /" + b"x" * 1100, b"414"),
            (b"GET /" + b"x" * 1100 + b" HTTP/1.1\r\nHost: h\r\n\r\n" + GET, b"414"),
        ):
            self.connect()
            self.assertIn(b"200 OK", self.say(GET))
            answer = self.say(request)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer)
            self.wire.client.loseConnection()
            self.wire.flush()
            self.assertGone()

    def test_longest(self) -> None:
        """
        A head of the longest size is read.
        """
        request = GET[:-2] + b"A: ".ljust(1000 - len(GET) - 2, b"x") + b"\r\n\r\n"
        self.assertEqual(len(request), 1000)
        self.assertIn(b"200 OK", self.say(request))

    def test_deadline(self) -> None:
        """
        The next request must be complete in time; to send it octet by octet does not help.
        """
        self.say(GET)
        for octet in GET[:-1]:
            self.say(bytes([octet]))
            self.wire.advance(0.2)
        self.wire.advance(10)
        self.assertEqual((self.client.received, self.client.readClosed), (b"", 1))
        self.wire.client.loseConnection()
        self.wire.flush()
        self.assertGone()

    def test_slowAnswer(self) -> None:
        """
        The time that an answer takes is not the peer's.
        """
        self.resource.slow = True
        self.say(GET)
        self.wire.advance(100)
        self.resource.answer()
        self.assertIn(b"200 OK", self.say(b""))
        self.assertTrue(self.wire.server.connected)

    def test_notReading(self) -> None:
        """
        A peer that does not read an answer is left after a while; if it reads on, it may ask again.
        """
        self.resource.content = b"x" * 300000
        self.wire.client.pauseProducing()
        self.say(GET)
        self.wire.advance(59)
        self.wire.client.resumeProducing()
        self.wire.flush()
        self.wire.advance(9)
        self.wire.client.pauseProducing()
        self.assertEqual(self.say(GET).count(b"200 OK"), 1)
        self.wire.advance(59)
        self.assertTrue(self.wire.server.connected)
        self.wire.advance(2)
        self.assertGone()

    def test_notReadingPieces(self) -> None:
        """
        The same for an answer that is not complete yet.
        """
        self.resource.slow = True
        self.say(GET)
        self.resource.waiting[0].write(b"x" * 300000)
        self.wire.client.pauseProducing()
        self.wire.flush()
        self.wire.client.resumeProducing()
        self.wire.flush()
        self.wire.advance(59)
        self.resource.answer()
        self.wire.advance(9)
        self.assertTrue(self.wire.server.connected)
        self.wire.advance(2)
        self.wire.client.loseConnection()
        self.wire.flush()
        self.assertGone()

    def test_notReadingTheLast(self) -> None:
        """
        Nor is it waited for when the connection is to be closed.
        """
        self.resource.content = b"x" * 300000
        self.wire.client.pauseProducing()
        self.say(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
        self.wire.advance(61)
        self.assertGone()

    # Ends

    def test_halfClosedBehind(self) -> None:
        """
        Also those that wait behind one that takes long.
        """
        self.resource.slow = True
        self.wire.client.write(GET + GET + GET)
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.resource.slow = False
        self.resource.answer()
        self.wire.flush()
        self.assertEqual((self.client.received.count(b"200 OK"), self.client.readClosed), (3, 1))
        self.assertGone()

    def test_halfClosedUpgrade(self) -> None:
        """
        A WebSocket that waits there is opened, gets its octets, and is told of the end.
        """
        self.resource.slow = True
        self.wire.client.write(GET + OPENING + encodeFrame(Opcode.BINARY, b"early", b"\1\2\3\4"))
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.resource.answer()
        self.wire.flush()
        self.assertIn(b"101 Switching", self.client.received)
        self.assertEqual((self.session.received, len(self.session.lost)), (b"early", 1))
        self.assertGone()

    def test_halfClosed(self) -> None:
        """
        A peer that has ended its direction still gets its answers, all of them.
        """
        self.resource.slow = True
        self.wire.client.write(GET + GET)
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertTrue(self.wire.server.connected)
        self.resource.answer()
        self.wire.flush()
        self.assertEqual((len(self.resource.waiting), self.client.readClosed), (1, 0))
        self.resource.answer()
        self.wire.flush()
        self.assertEqual((self.client.received.count(b"200 OK"), self.client.readClosed), (2, 1))
        self.assertGone()

    def test_halfClosedAfterwards(self) -> None:
        """
        A peer that has its answer and ends its direction wants no more.
        """
        self.wire.client.write(GET)
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.assertEqual((self.client.received.count(b"200 OK"), self.client.readClosed), (1, 1))
        self.assertGone()

    def test_halfClosedAndClose(self) -> None:
        """
        A peer may say so in both ways.
        """
        self.resource.slow = True
        self.wire.client.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        self.wire.client.loseWriteConnection()
        self.wire.flush()
        self.resource.answer()
        self.wire.flush()
        self.assertEqual(self.client.received.count(b"200 OK"), 1)
        self.assertGone()

    def test_lost(self) -> None:
        """
        A connection may be lost while it is answered; who answers is told.
        """
        self.resource.slow = True
        self.say(GET)
        told: list[object] = []
        self.resource.waiting[0].notifyFinish().addErrback(told.append)
        self.wire.cut()
        self.assertEqual(len(told), 1)
        self.assertGone()

    def test_interface(self) -> None:
        """
        A channel knows half-close.
        """
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.channel))
        self.channel.writeConnectionLost()


class SiteTests(SynchronousTestCase):
    """
    The factory of such connections.
    """

    def test_quiet(self) -> None:
        """
        A site has no log of accesses, and no clock for one.
        """
        clock = Wire().clock
        policy = UpgradePolicy(Mode.TCP, PortOptions(), False, True, True)
        site = PageSite(Resource(), WebFactory(policy, clock))
        site.doStart()
        self.assertEqual(clock.getDelayedCalls(), [])
        site.log(None)
        site.doStop()
        self.assertIsInstance(site.buildProtocol(None), PageChannel)
