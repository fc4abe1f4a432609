"""
HTTP on a port.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet import _producer_helpers
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Cooperator
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface import alsoProvides
from zope.interface.verify import verifyObject

from tests.support.identity import authority, clientFile, serverFile
from tests.support.logs import recordLogs
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire, everySplit
from xtls.config.modes import Mode
from xtls.config.options import TLSOptions
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.port.refusal import LINGER
from xtls.port.upgrades import UpgradePolicy
from xtls.port.web import WebFactory, pages
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.wire.framing import FrameReader, Opcode, encodeFrame
from xtls.wire.tlsfactory import TLSTransportFactory

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

PAGE = b"GET /style.css HTTP/1.1\r\nHost: localhost:10000\r\n\r\n"
OPENING = (
    b"GET /any?x=y HTTP/1.1\r\nHost: localhost:10000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Greeting(HalfCloseRecorder):
    """
    A session that speaks first.
    """

    def __init__(self) -> None:
        super().__init__(b"hello")


class Sessions(Factory):
    """
    Builds sessions, and remembers them.
    """

    noisy = False

    def __init__(self) -> None:
        self.built: list[Recorder] = []

    def buildProtocol(self, addr: object) -> Protocol | None:
        """
        One more.
        """
        self.built.append(Greeting())
        return self.built[-1]


class Upload(Resource):
    """
    A resource of somebody else's, which reads what it is sent.
    """

    isLeaf = True

    def render_POST(self, request: Any) -> bytes:
        """
        What was sent.
        """
        content: bytes = request.content.read()
        return content[::-1]


class WebTests(SynchronousTestCase):
    """
    What requests lead to, on connections in memory.
    """

    mode = Mode.TCP
    session: Any
    site: Any

    def setUp(self) -> None:
        self.session, self.site = Sessions(), pages()
        self.options = PortOptions()
        self.secure = False
        self.here: Any = None
        self.logged = recordLogs(self)

    def connect(self) -> None:
        """
        Make a connection.
        """
        self.wire = Wire()
        self.client = HalfCloseRecorder()
        policy = UpgradePolicy(self.mode, self.options, True, self.session is not None, self.site is not None)
        self.web = web = WebFactory(policy, self.wire.clock, session=self.session, site=self.site)
        if self.here is not None:
            self.wire.server.getHost = lambda: self.here  # type: ignore[method-assign]
        if self.secure:
            alsoProvides(self.wire.server, ISSLTransport)
        self.wire.join(self.client, web.buildProtocol(None))

    def say(self, *pieces: bytes) -> bytes:
        """
        Send, and give what has been answered.
        """
        for piece in pieces:
            self.wire.client.write(piece)
            self.wire.flush()
        received = self.client.received
        self.client.chunks = []
        return received

    def ask(self, *pieces: bytes) -> bytes:
        """
        The same on a new connection.
        """
        self.connect()
        return self.say(*pieces)

    def status(self, *pieces: bytes) -> int:
        """
        The status of the first answer.
        """
        return int(self.ask(*pieces).split(b" ", 2)[1])

    def assertRefused(self, status: int, *pieces: bytes) -> bytes:
        """
        A request is refused, with a whole answer, and the connection ends; one line is logged.
        """
        self.logged.clear()
        answer = self.ask(*pieces)
        head, _, content = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), answer)
        self.assertIn(b"Content-Length: %d\r\n" % len(content), head)
        self.assertIn(b"close", head)
        self.assertEqual(self.client.readClosed, 1)
        self.wire.client.loseConnection()
        self.wire.advance(60)
        self.assertEqual((self.wire.server.connected, self.wire.clock.getDelayedCalls()), (False, []))
        self.assertEqual([line[:24] for line in self.logged.lines()], ["127.0.0.1:50000: refused"])
        return head


class PageTests(WebTests):
    """
    Requests that lead to pages.
    """

    def test_page(self) -> None:
        """
        A request for a page is answered with it, and the connection is kept.
        """
        self.assertTrue(self.ask(PAGE).startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual((self.client.readClosed, self.logged.lines()), (0, []))
        self.assertTrue(self.say(PAGE).startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_everySplit(self) -> None:
        """
        However requests are cut, each is answered once and in order; one that asks for WebSocket where a page
        is does not hide what follows.
        """
        requests = b"\r\n" + PAGE + PAGE.replace(b"/style.css", b"/nothing").replace(b"GET", b"HEAD") + PAGE
        for pieces in everySplit(requests):
            answers = self.ask(*pieces)
            self.assertEqual(answers.count(b"HTTP/1.1 "), 3)
            self.assertEqual(answers.count(b"HTTP/1.1 200 OK"), 2)
            self.assertEqual(answers.count(b"HTTP/1.1 404 Not Found"), 1)

    def test_http10(self) -> None:
        """
        HTTP/1.0 is answered, and the connection closed.
        """
        answer = self.ask(b"GET /style.css HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertEqual(self.client.readClosed, 1)

    def test_nothingToShow(self) -> None:
        """
        Where there are only WebSockets, who asks for a page is told so (RFC 9110, section 15.5.22).
        """
        self.site = None
        head = self.assertRefused(426, PAGE)
        self.assertIn(b"\r\nUpgrade: websocket", head)
        self.assertIn(b"\r\nConnection: Upgrade, close", head)
        self.site, self.options = pages(), PortOptions(httpUpgrade=False)
        self.assertRefused(426, PAGE)

    def test_onlyRead(self) -> None:
        """
        Pages are only read: other methods are refused, and content that nobody reads.
        """
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"):
            head = self.assertRefused(405, PAGE.replace(b"GET", method))
            self.assertIn(b"\r\nAllow: GET, HEAD", head)
        self.assertRefused(405, b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n")
        end = b"\r\n\r\n"
        self.assertRefused(413, PAGE.replace(end, b"\r\nContent-Length: 65537" + end))
        self.assertRefused(411, PAGE.replace(end, b"\r\nTransfer-Encoding: chunked" + end))

    def test_littleContent(self) -> None:
        """
        A little content does no harm; a client that wants to be asked for it is (RFC 9110, section 10.1.1).
        """
        end = b"\r\n\r\n"
        asking = PAGE.replace(end, b"\r\nContent-Length: 5\r\nExpect: 100-continue" + end)
        self.assertTrue(self.ask(asking).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
        self.assertTrue(self.say(b"12345" + PAGE).startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_othersResource(self) -> None:
        """
        A resource of somebody else's gets what it can take.
        """
        self.site = Upload()
        request = PAGE.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc")
        self.assertTrue(self.ask(request).endswith(b"\r\n\r\ncba"))
        self.assertEqual(self.status(PAGE), 405)

    def test_otherUpgrade(self) -> None:
        """
        Who would like another protocol is served in this one (RFC 9110, section 7.8).
        """
        self.assertEqual(self.status(PAGE.replace(b"Host", b"Upgrade: h2c\r\nHost")), 200)


class RedirectionTests(WebTests):
    """
    Ports that want TLS.
    """

    def setUp(self) -> None:
        super().setUp()
        self.options = PortOptions(ssl=SSLSwitch.ON)

    def location(self, request: bytes) -> bytes:
        """
        Where a request is sent.
        """
        answer = self.ask(request)
        self.assertTrue(answer.startswith(b"HTTP/1.1 308 "), answer)
        return next(line[10:] for line in answer.split(b"\r\n") if line.startswith(b"Location: "))

    def test_sameplace(self) -> None:
        """
        Who asks for a page without TLS is sent to the same host, port and path with it.
        """
        for host, target, location in (
            (b"localhost:10000", b"/a?b=c", b"https://localhost:10000/a?b=c"),
            (b"example.org", b"/", b"https://example.org:80/"),
            (b"example.org:", b"/", b"https://example.org:80/"),
            (b"[::1]:10000", b"/", b"https://[::1]:10000/"),
            (b"[::1]", b"/", b"https://[::1]:80/"),
            (b"localhost:10000", b"http://localhost:10000?x", b"https://localhost:10000/?x"),
        ):
            request = b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, host)
            self.assertEqual(self.location(request), location)
        self.assertEqual(self.logged.lines(), [])

    def test_nowhere(self) -> None:
        """
        Who does not say where it is cannot be sent anywhere; nor who asks for what is no page.
        """
        self.assertRefused(400, b"GET / HTTP/1.0\r\n\r\n")
        self.assertRefused(400, b"GET / HTTP/1.1\r\nHost: :443\r\n\r\n")
        for line in (b"CONNECT @evil.example:443", b"OPTIONS *", b"GET @evil.example"):
            self.assertRefused(400, line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def test_notWithin(self) -> None:
        """
        Inside TLS it is served.
        """
        self.secure = True
        self.assertEqual(self.status(PAGE), 200)

    def test_notWebSockets(self) -> None:
        """
        WebSockets are not sent elsewhere: browsers do not follow.
        """
        self.assertEqual(self.status(OPENING), 101)


class RefusalTests(WebTests):
    """
    Requests that are none.
    """

    def test_bad(self) -> None:
        """
        What is not well-formed is refused before anything else looks at it.
        """
        for bad in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\nHost: h\n\n",
            OPENING.replace(b"\r\n\r\n", b"\r\nA: \0\r\n\r\n"),
        ):
            self.assertRefused(400, bad)
        self.assertRefused(505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    def test_withoutContent(self) -> None:
        """
        The answer to HEAD has no content.
        """
        self.site = None
        self.assertTrue(self.ask(PAGE.replace(b"GET", b"HEAD")).endswith(b"\r\n\r\n"))

    def test_tooLong(self) -> None:
        """
        A head is not collected for ever, and a long line is not searched at each octet.
        """
        self.options = PortOptions(httpHeadSize=200)
        self.assertRefused(414, b"GET /" + b"a" * 100, b"a" * 100)
        self.assertRefused(431, PAGE[:-2], *[b"A: b\r\n"] * 50)
        self.assertEqual(self.status(PAGE[:-2] + b"A: ".ljust(196 - len(PAGE), b"x") + b"\r\n\r\n"), 200)

    def test_tooSlow(self) -> None:
        """
        A head that is not complete in time is refused, octet by octet or not.
        """
        self.options = PortOptions(httpTimeout=3.0)
        self.connect()
        for octet in PAGE[:20]:
            self.say(bytes([octet]))
            self.wire.advance(0.1)
        self.wire.advance(1.1)
        self.assertIn(b"HTTP/1.1 408 ", self.client.received)

    def test_silent(self) -> None:
        """
        Who connects in advance, as browsers do, and asks for nothing is not answered.
        """
        self.connect()
        self.wire.advance(10.1)
        self.assertEqual((self.client.received, self.client.readClosed), (b"", 1))

    def test_gone(self) -> None:
        """
        A peer that ends before its request does is not waited for.
        """
        for leave in ("loseConnection", "loseWriteConnection"):
            self.connect()
            self.say(PAGE[:20])
            getattr(self.wire.client, leave)()
            self.wire.flush()
            self.assertFalse(self.wire.server.connected)
            self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_interface(self) -> None:
        """
        The protocol knows half-close.
        """
        self.connect()
        self.assertTrue(verifyObject(IHalfCloseableProtocol, self.wire.server.protocol))
        protocol: Any = self.wire.server.protocol
        protocol.writeConnectionLost()

    def test_random(self) -> None:
        """
        No octets make the port raise, nor keep a connection or a timer beyond its time.
        """
        random = Random(8441)
        alphabet = (
            PAGE,
            OPENING,
            b"\r\n",
            b"\x82\x81",
            b"\0",
            b"GET ",
            b"a: b\r\n",
            b"Content-Length: 3\r\n",
            b" ",
        )
        for _ in range(400):
            data = bytearray(b"".join(random.choices(alphabet, k=random.randrange(1, 6))))
            for _ in range(random.randrange(3)):
                data[random.randrange(len(data))] = random.randrange(256)
            cut = random.randrange(len(data) + 1)
            self.ask(bytes(data[:cut]), bytes(data[cut:]))
            self.wire.client.loseConnection()
            self.wire.advance(LINGER * 50)
            self.assertEqual((self.wire.server.connected, self.wire.clock.getDelayedCalls()), (False, []))
        self.assertEqual(self.flushLoggedErrors(), [])


class WebSocketTests(WebTests):
    """
    Requests that lead to WebSockets.
    """

    def opened(self, answer: bytes) -> bytes:
        """
        What a stream has sent, after its answer to the handshake.
        """
        head, _, rest = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), answer)
        self.assertIn(ACCEPT, head)
        return bytes(FrameReader(False, 1000).feed(rest))

    def test_opened(self) -> None:
        """
        Any path leads to a session; what came together with the request is delivered once.
        """
        frame = encodeFrame(Opcode.BINARY, b"early", b"\1\2\3\4")
        for cut in range(len(OPENING + frame) + 1):
            stream = OPENING + frame
            self.assertEqual(self.opened(self.ask(stream[:cut], stream[cut:])), b"hello")
            self.assertEqual(self.session.built[-1].received, b"early")
        self.assertEqual(self.logged.lines()[-1], "127.0.0.1:50000: http>ws")
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_identity(self) -> None:
        """
        The line names who has shown a certificate.
        """
        creator = ServerConnectionCreator.fromOptions(
            TLSOptions(cert=(serverFile(self),), caData=authority().pem)
        )
        options = TLSOptions(caData=authority().pem, cert=(clientFile(self),))
        other = ClientConnectionCreator.fromOptions(options, "server.test")
        self.connect()
        wire, client = Wire(), Recorder(OPENING)
        ends = (
            TLSTransportFactory(other, True, GivenFactory(client), wire.clock),
            TLSTransportFactory(creator, False, self.web, wire.clock),
        )
        wire.join(ends[0].buildProtocol(None), ends[1].buildProtocol(None))
        wire.flush()
        self.assertIn(b" 101 ", client.received)
        self.assertEqual(self.logged.lines(), ["127.0.0.1:50000: http>ws as CN=client.test"])

    def test_manyLines(self) -> None:
        """
        Lines of many connections may wait for each other, but not when the port is closed.
        """
        self.connect()
        self.web.doStart()
        for _ in range(25):
            wire = Wire()
            wire.join(HalfCloseRecorder(), self.web.buildProtocol(None))
            wire.client.write(OPENING)
            wire.flush()
        self.assertLess(len(self.logged.lines()), 25)
        self.web.doStop()
        self.assertEqual(self.logged.lines(), ["127.0.0.1:50000: http>ws"] * 25)

    def test_subprotocol(self) -> None:
        """
        C{binary} is chosen when it is among what is offered.
        """
        offer = b"\r\nSec-WebSocket-Protocol: base64\r\nSec-WebSocket-Protocol: x, binary\r\n\r\n"
        answer = self.ask(OPENING.replace(b"\r\n\r\n", offer))
        self.assertIn(b"\r\nSec-WebSocket-Protocol: binary\r\n", answer)
        self.assertNotIn(b"Sec-WebSocket-Protocol", self.ask(OPENING))

    def test_keptConnection(self) -> None:
        """
        A connection that has served pages can become a WebSocket too, wherever the octets are cut.
        """
        frame = encodeFrame(Opcode.BINARY, b"early", b"\1\2\3\4")
        stream = PAGE + OPENING + frame
        for cut in range(len(PAGE), len(stream) + 1):
            answer = self.ask(stream[:cut], stream[cut:])
            page, _, rest = answer.partition(b"HTTP/1.1 101 ")
            self.assertTrue(page.startswith(b"HTTP/1.1 200 OK"))
            self.assertEqual(self.opened(b"HTTP/1.1 101 " + rest), b"hello")
            self.assertEqual(self.session.built[-1].received, b"early")
            frames = self.say(encodeFrame(Opcode.PING, b"?", b"\1\2\3\4"))
            self.assertEqual(frames, encodeFrame(Opcode.PONG, b"?"))
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_refusedWhenKept(self) -> None:
        """
        A later request is judged as strictly as the first.
        """
        for bad, status in (
            (OPENING.replace(b"Version: 13", b"Version: 8"), 426),
            (OPENING.replace(b"Host:", b"Origin: https://evil.example\r\nHost:"), 403),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        ):
            answer = self.ask(PAGE, bad + PAGE)
            self.assertIn(b"HTTP/1.1 %d " % status, answer)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 2)
            self.wire.client.loseConnection()
            self.wire.flush()
            self.assertEqual((self.wire.server.connected, self.wire.clock.getDelayedCalls()), (False, []))

    def test_wrong(self) -> None:
        """
        A handshake that is wrong is refused, with the version that is spoken if it is for that.
        """
        head = self.assertRefused(426, OPENING.replace(b"Version: 13", b"Version: 8"))
        self.assertIn(b"\r\nSec-WebSocket-Version: 13", head)
        self.assertRefused(400, OPENING.replace(KEY, b"short"))
        self.assertRefused(400, OPENING.replace(b"HTTP/1.1", b"HTTP/1.0"))
        self.assertRefused(400, OPENING.replace(b"Connection: Upgrade", b"Connection: keep-alive"))
        self.assertRefused(405, OPENING.replace(b"GET", b"POST"))
        self.assertEqual(self.session.built, [])

    def test_origin(self) -> None:
        """
        Pages of other origins may not, unless they are named.
        """
        own = OPENING.replace(b"Host:", b"Origin: http://localhost:10000\r\nHost:")
        other = OPENING.replace(b"Host:", b"Origin: https://other.example\r\nHost:")
        self.assertEqual(self.status(own), 101)
        self.assertRefused(403, other)
        self.options = PortOptions(websocketOrigin=("https://other.example",))
        self.assertEqual(self.status(other), 101)

    def test_originInside(self) -> None:
        """
        Inside TLS the own origin is that of https.
        """
        self.secure = True
        own = OPENING.replace(b"Host:", b"Origin: https://localhost:10000\r\nHost:")
        self.assertEqual(self.status(own), 101)
        self.assertRefused(403, own.replace(b"https:", b"http:"))

    def test_rebinding(self) -> None:
        """
        A port on loopback is not reached by names that somebody else may have led here; one on another
        address is reached by any.
        """
        request = OPENING.replace(b"localhost:10000", b"evil.example:10000")
        rebound = request.replace(b"Host:", b"Origin: http://evil.example:10000\r\nHost:")
        self.assertEqual(self.status(request), 101)
        for host, expected in (
            ("127.0.0.1", 403),
            ("::1", 403),
            ("::ffff:127.0.0.2", 403),
            ("192.0.2.1", 101),
            ("2001:db8::1", 101),
        ):
            self.here = IPv6Address("TCP", host, 10000) if ":" in host else IPv4Address("TCP", host, 10000)
            self.assertEqual(self.status(rebound), expected)
        self.here = UNIXAddress(b"/run/x")
        self.assertEqual(self.status(rebound), 101)
        self.here = None
        self.options = PortOptions(websocketOrigin=("http://evil.example:10000",))
        self.assertEqual(self.status(rebound), 101)

    def test_switchedOff(self) -> None:
        """
        Where there are no WebSockets, who asks for one is told so.
        """
        self.options = PortOptions(websocketUpgrade=False)
        self.assertRefused(403, OPENING)
        self.options, self.session = PortOptions(), None
        self.assertRefused(403, OPENING)

    def test_noSession(self) -> None:
        """
        A session may refuse a connection, and may fail: the client is told that it is not its fault.
        """
        self.session = Factory()
        self.session.buildProtocol = lambda addr: None
        self.assertRefused(503, OPENING)
        self.session.buildProtocol = lambda addr: 1 // 0
        self.ask(OPENING)
        self.assertIn(b"HTTP/1.1 500 ", self.client.received + self.ask(OPENING))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_sessionOfItsOwn(self) -> None:
        """
        The limits of the port are those of its streams.
        """
        self.options = PortOptions(messageSize=100)
        self.ask(OPENING)
        frames = self.say(encodeFrame(Opcode.BINARY, b"x" * 101, b"\1\2\3\4"))
        self.assertEqual(frames[2:4], b"\x03\xf1")


class StaticTests(WebTests):
    """
    A directory in place of the page.
    """

    def test_directory(self) -> None:
        """
        Files are served whatever their size, under pressure.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        content = Random(1).randbytes(300000)
        with open(os.path.join(folder, "large.bin"), "wb") as file:
            file.write(content)
        cooperator = Cooperator(scheduler=lambda call: self.wire.clock.callLater(0, call))
        self.patch(_producer_helpers, "cooperate", cooperator.cooperate)
        self.site = pages(folder)
        request = PAGE.replace(b"/style.css", b"/large.bin")
        head, _, body = self.ask(request + request).partition(b"\r\n\r\n")
        self.assertIn(b"200 OK", head)
        self.assertTrue(body.startswith(content))
        self.assertTrue(body.endswith(content))
        self.assertEqual(body.count(b"HTTP/1.1 200 OK"), 1)
