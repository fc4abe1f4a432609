"""
The heads of HTTP requests.
"""

from __future__ import annotations

import sys
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wires import everySplit
from xtls.port.detect import NEED_DATA
from xtls.port.requesthead import (
    BadRequest,
    HeadReader,
    RequestHead,
    isWebSocketUpgrade,
    originAllowed,
    readRequestHead,
    webSocketProblem,
)

LIMIT = 1000

PLAIN = (
    b"GET /a?b=c HTTP/1.1\r\nHost: example.org:8080\r\nX-Empty:\r\nAccept: a,\t b ,,\r\naccept:c \t\r\n\r\n"
)

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

OPENING = (
    b"GET /any HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    + KEY
    + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def read(data: bytes) -> RequestHead:
    """
    A head that is right.
    """
    head = readRequestHead(data, LIMIT)
    assert isinstance(head, RequestHead), (data, head)
    return head


def status(data: bytes, limit: int = LIMIT) -> int | None:
    """
    The status with which a request is refused.
    """
    answer = readRequestHead(data, limit)
    return answer.status if isinstance(answer, BadRequest) else None


def request(*fields: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    """
    A request with these fields only.
    """
    return b"".join(each + b"\r\n" for each in (line, *fields, b""))


class ReadTests(SynchronousTestCase):
    """
    What is well-formed.
    """

    def test_head(self) -> None:
        """
        A head is its method, target, version and fields, names in lower case and values without white space
        around them.
        """
        head = read(PLAIN)
        self.assertEqual((head.method, head.target, head.version), (b"GET", b"/a?b=c", (1, 1)))
        self.assertEqual(
            head.fields,
            ((b"host", b"example.org:8080"), (b"x-empty", b""), (b"accept", b"a,\t b ,,"), (b"accept", b"c")),
        )
        self.assertEqual((head.start, head.end, head.host), (0, len(PLAIN), "example.org:8080"))

    def test_lists(self) -> None:
        """
        Fields of one name are one list, in which empty members do not count (RFC 9110, section 5.6.1).
        """
        head = read(PLAIN)
        self.assertEqual(head.all(b"accept"), (b"a,\t b ,,", b"c"))
        self.assertEqual(head.tokens(b"accept"), (b"a", b"b", b"c"))
        self.assertEqual((head.all(b"none"), head.tokens(b"none")), ((), ()))

    def test_everySplit(self) -> None:
        """
        The head is known with its last octet, and stays what it is whatever follows.
        """
        head = read(PLAIN)
        for end in range(len(PLAIN)):
            self.assertIs(readRequestHead(PLAIN[:end], LIMIT), NEED_DATA)
        for pieces in everySplit(b"\x82\x00\r\n\r\n\nGET"):
            self.assertEqual(readRequestHead(PLAIN + pieces[0], LIMIT), head)

    def test_emptyLines(self) -> None:
        """
        Empty lines before a request are passed over (RFC 9112, section 2.2), but not any number of them.
        """
        for lines in (b"\r\n", b"\r\n\r\n"):
            head = read(lines + PLAIN)
            self.assertEqual((head.start, head.end), (len(lines), len(lines) + len(PLAIN)))
            self.assertEqual(head.method, b"GET")
        self.assertEqual(status(b"\r\n\r\n\r\n"), 400)
        self.assertIs(readRequestHead(b"\r\n\r", LIMIT), NEED_DATA)

    def test_http10(self) -> None:
        """
        HTTP/1.0 knows requests without a host.
        """
        head = read(request(line=b"HEAD / HTTP/1.0"))
        self.assertEqual((head.version, head.host), ((1, 0), ""))

    def test_targets(self) -> None:
        """
        All forms of a target may come (RFC 9112, section 3.2).
        """
        for line in (b"GET http://h/x HTTP/1.1", b"OPTIONS * HTTP/1.1", b"CONNECT h:443 HTTP/1.1"):
            self.assertEqual(read(request(b"Host: h", line=line)).target, line.split(b" ")[1])

    def test_path(self) -> None:
        """
        The path and query of a target are those behind scheme and host, if it has these.
        """
        for target, path in (
            (b"/a?b", b"/a?b"),
            (b"http://h/a?b", b"/a?b"),
            (b"HTTPS://h:1", b"/"),
            (b"http://h?b", b"/?b"),
            (b"//h/a", b"//h/a"),
            (b"*", b"*"),
        ):
            self.assertEqual(read(request(b"Host: h", line=b"GET %s HTTP/1.1" % target)).path, path)

    def test_hosts(self) -> None:
        """
        A host is a name or an address, with or without a port; it may be empty.
        """
        for host in (
            b"",
            b"a.b-c_d",
            b"127.0.0.1:80",
            b"[::1]",
            b"[::1]:443",
            b"[fe80::1%25eth0]",
            b"h:",
            b"a%20b",
        ):
            self.assertEqual(read(request(b"Host: " + host)).host, host.decode())


class RefusedTests(SynchronousTestCase):
    """
    What is not.
    """

    def test_lineEnds(self) -> None:
        """
        A line ends with CR and LF, and has neither inside (RFC 9112, section 2.2).
        """
        for data in (
            b"GET / HTTP/1.1\nHost: h\r\n",
            b"\nGET",
            b"GET / HTTP/1.1\r\nHost: h\n",
            b"G\rET / HTTP/1.1\r\n",
        ):
            self.assertEqual(status(data), 400)
        self.assertEqual(status(request(b"Host: h\rX: y")), 400)

    def test_requestLine(self) -> None:
        """
        A request line has three parts, one space apart, of the right characters (RFC 9112, section 3).
        """
        for line in (
            b"GET /",
            b"GET  / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b"GET /a b HTTP/1.1",
            b"G(ET / HTTP/1.1",
            b"GET /\0 HTTP/1.1",
            b"GET /\xc3\xbc HTTP/1.1",
            b"GET /#x HTTP/1.1",
            b"GET / http/1.1",
            b"GET / HTTP/1.10",
            b" GET / HTTP/1.1",
        ):
            self.assertEqual(status(request(b"Host: h", line=line)), 400, line)

    def test_versions(self) -> None:
        """
        Other versions have a status of their own (RFC 9110, section 15.6.6).
        """
        for line in (b"PRI * HTTP/2.0", b"GET / HTTP/1.2", b"GET / HTTP/0.9", b"GET / HTTP/3.0"):
            self.assertEqual(status(request(b"Host: h", line=line)), 505)

    def test_fields(self) -> None:
        """
        A field is a name, a colon right behind it, and a value without control characters; no line of it is
        continued (RFC 9112, sections 5.1 and 5.2, RFC 9110, section 5.5).
        """
        for field in (
            b"A : b",
            b": b",
            b"A",
            b"A: b\0",
            b"A: \x1b",
            b"A: \x7f",
            b" folded",
            b"\tfolded",
            b"A(: b",
        ):
            self.assertEqual(status(request(b"Host: h", field)), 400, field)
        self.assertEqual(status(request(b" Host: h")), 400)
        self.assertEqual(read(request(b"Host: h", b"A: \xff\t b")).all(b"a"), (b"\xff\t b",))

    def test_host(self) -> None:
        """
        HTTP/1.1 has one C{Host}, no version has two, and it is one (RFC 9112, section 3.2).
        """
        self.assertEqual(status(request()), 400)
        self.assertEqual(status(request(b"Host: h", b"host: h")), 400)
        self.assertEqual(status(request(b"Host: h", b"Host: i", line=b"GET / HTTP/1.0")), 400)
        for host in (
            b"a b",
            b"a/b",
            b"u@h",
            b"h:x",
            b"h:123456",
            b"::1",
            b"[::1",
            b"h,i:1:2",
            b"\xc3\xbc",
            b"<x>",
        ):
            self.assertEqual(status(request(b"Host: " + host)), 400, host)

    def test_length(self) -> None:
        """
        Where the content ends must be said in one way only (RFC 9112, section 6.3).
        """
        host, length, coding = b"Host: h", b"Content-Length: 5", b"Transfer-Encoding: chunked"
        for fields in ((length, length), (b"Content-Length: +5",), (b"Content-Length:",), (length, coding)):
            self.assertEqual(status(request(host, *fields)), 400, fields)
        self.assertEqual(status(request(coding, line=b"POST / HTTP/1.0")), 400)
        for field in (length, coding):
            self.assertEqual(status(request(host, field)), None)

    def test_tooLong(self) -> None:
        """
        A head that is longer than it may be is refused as soon as that is certain: for its target, or for its
        fields (RFC 9110, sections 15.5.15, RFC 6585, section 5).
        """
        self.assertEqual(status(PLAIN, len(PLAIN)), None)
        self.assertEqual(status(PLAIN, len(PLAIN) - 1), 431)
        for end in range(len(PLAIN)):
            self.assertEqual(status(PLAIN[:end], 50), 431 if end >= 50 else None)
        self.assertEqual(status(b"GET /" + b"a" * LIMIT), 414)
        self.assertEqual(status(b"GET /" + b"a" * (LIMIT - 6)), None)

    def test_everySplit(self) -> None:
        """
        However a bad request is cut, it is refused for the same reason, and with the line that has the fault.
        """
        for bad in (
            request(b"Host: h", b"A : b", b"B\0: c"),
            request(b"A: b", b"Host: h", b"Host: i"),
            b"GET /\n" + PLAIN,
        ):
            first = readRequestHead(bad, LIMIT)
            self.assertIsInstance(first, BadRequest)
            answers = [readRequestHead(bad[:end], LIMIT) for end in range(len(bad) + 1)]
            known = answers.index(first)
            self.assertEqual(answers, [NEED_DATA] * known + [first] * (len(bad) + 1 - known))

    def test_random(self) -> None:
        """
        No octets make the reader raise, and an answer stays as the octets grow.
        """
        random = Random(9112)
        for _ in range(3000):
            data = bytearray(OPENING[: random.randrange(len(OPENING))] + random.randbytes(20))
            for _ in range(random.randrange(4)):
                data[random.randrange(len(data))] = random.choice(b"\r\n\0 :\tAz\xff")
            cut = random.randrange(len(data) + 1)
            early = readRequestHead(bytes(data[:cut]), 200)
            if early is not NEED_DATA:
                self.assertEqual(early, readRequestHead(bytes(data), 200))


class PiecesTests(SynchronousTestCase):
    """
    Heads that arrive in pieces.
    """

    def test_same(self) -> None:
        """
        The answer is that to the same octets at once, and comes with the same octet.
        """
        for data in (
            b"\r\n\r\n" + PLAIN + b"what follows\r\n\r\n",
            OPENING,
            b"\r\n\r\n\r\n" + PLAIN,
            b"GET /\n" + PLAIN,
            request(b"Host: h", b"A : b", b"B\0: c"),
            request(b"A: b" * 300),
            b"GET /" + b"a" * LIMIT,
        ):
            reader = HeadReader(LIMIT)
            for end in range(1, len(data) + 1):
                answer = reader.feed(data[end - 1 : end])
                self.assertEqual(reader.data, data[:end])
                self.assertEqual(answer, readRequestHead(data[:end], LIMIT))
                if answer is not NEED_DATA:
                    break

    def test_once(self) -> None:
        """
        A line is judged once, however many pieces follow it: the work grows with the head, and not with its
        square.
        """
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        reader = HeadReader(16384)
        reader.feed(b"GET / HTTP/1.1\r\n")
        sys.setprofile(count)
        try:
            for _ in range(1000):
                reader.feed(b"a:\r\n")
        finally:
            sys.setprofile(None)
        self.assertLess(calls, 5000)


class WebSocketTests(SynchronousTestCase):
    """
    Opening handshakes.
    """

    def problem(self, old: bytes = b"", new: bytes = b"") -> int | None:
        """
        The status with which a changed handshake is refused.
        """
        self.assertIn(old, OPENING)
        head = read(OPENING.replace(old, new))
        self.assertTrue(isWebSocketUpgrade(head))
        problem = webSocketProblem(head)
        return None if problem is None else problem.status

    def test_good(self) -> None:
        """
        A handshake as browsers send it is one, also in other words.
        """
        self.assertEqual(self.problem(), None)
        for old, new in (
            (b"Upgrade: WebSocket", b"upgrade: h2c, websocket"),
            (b"Connection: keep-alive, Upgrade", b"connection: UPGRADE"),
            (b"Connection: keep-alive, Upgrade", b"Connection: keep-alive\r\nConnection: upgrade"),
            (KEY, KEY + b"\r\nContent-Length: 0"),
        ):
            self.assertEqual(self.problem(old, new), None)

    def test_notAsked(self) -> None:
        """
        Who asks for something else, or for nothing, asks for no WebSocket.
        """
        for new in (b"Upgrade: h2c", b"X: y", b"Upgrade:", b"Upgrade: websockets"):
            self.assertFalse(isWebSocketUpgrade(read(OPENING.replace(b"Upgrade: WebSocket", new))))

    def test_bad(self) -> None:
        """
        Each thing that section 4.2.1 asks for is asked for, and refused with its status.
        """
        for old, new, expected in (
            (b"GET", b"POST", 405),
            (b"HTTP/1.1", b"HTTP/1.0", 400),
            (b"Connection: keep-alive, Upgrade", b"Connection: keep-alive", 400),
            (b"Connection: keep-alive, Upgrade\r\n", b"", 400),
            (b"Version: 13", b"Version: 8", 426),
            (b"Version: 13", b"Version: 13, 8", 426),
            (b"Sec-WebSocket-Version: 13\r\n", b"", 426),
            (KEY, KEY + b"\r\n" + KEY, 400),
            (KEY, b"X: y", 400),
            (KEY, KEY[:-1], 400),
            (KEY, KEY.replace(b"==", b"AA"), 400),
            (KEY, KEY.replace(b"dG", b"*!"), 400),
            (KEY, KEY + b"\r\nContent-Length: 5", 400),
            (KEY, KEY + b"\r\nTransfer-Encoding: chunked", 400),
        ):
            self.assertEqual(self.problem(old, new), expected, (old, new))

    def test_versionFields(self) -> None:
        """
        Who asks for another version is told ours (section 4.4).
        """
        problem = webSocketProblem(read(OPENING.replace(b"13", b"7")))
        assert problem is not None
        self.assertIn(("Sec-WebSocket-Version", "13"), problem.fields)


class OriginTests(SynchronousTestCase):
    """
    Which pages may open a WebSocket.
    """

    def allowed(self, host: str, origin: str | None, *origins: str) -> bool:
        """
        Whether a page of C{origin} may, at C{host}.
        """
        fields = [b"Host: " + host.encode()]
        if origin is not None:
            fields += [b"Origin: " + each.encode("latin-1") for each in origin.split("|")]
        return originAllowed(read(request(*fields)), origins)

    def test_noBrowser(self) -> None:
        """
        Who sends no origin is no browser.
        """
        self.assertTrue(self.allowed("h", None))

    def test_same(self) -> None:
        """
        The same host and port is allowed, whatever the case and the scheme, and whether or not the scheme's
        own port is said.
        """
        for host, origin in (
            ("example.org", "https://example.org"),
            ("example.org", "http://Example.org"),
            ("EXAMPLE.org:443", "https://example.org"),
            ("example.org", "https://example.org:443"),
            ("example.org:80", "http://example.org"),
            ("localhost:10000", "http://localhost:10000"),
            ("localhost:10000", "https://localhost:10000"),
            ("[::1]:10000", "https://[::1]:10000"),
            ("[::1]", "https://[::1]"),
            ("example.org:", "https://example.org"),
        ):
            self.assertTrue(self.allowed(host, origin), (host, origin))

    def test_other(self) -> None:
        """
        Any other is not.
        """
        for host, origin in (
            ("example.org", "https://example.com"),
            ("example.org", "https://evil.example.org"),
            ("example.org", "https://example.org.evil.com"),
            ("example.org", "https://example.org:8443"),
            ("example.org:80", "https://example.org"),
            ("localhost:10000", "http://localhost:10001"),
            ("localhost:10000", "http://127.0.0.1:10000"),
            ("example.org", "null"),
            ("", "https://example.org"),
            ("example.org", "example.org"),
            ("example.org", "https://example.org/"),
            ("example.org", "https://example.org https://example.org"),
            ("example.org", "https://u@example.org"),
            ("example.org", "https://example.org:x"),
            ("example.org", ""),
            ("example.org", "https://example.org|https://example.org"),
            ("example.org", "file://"),
            ("h", "x-other://h:1"),
            ("h", "x-other://h"),
        ):
            self.assertFalse(self.allowed(host, origin), (host, origin))

    def test_inside(self) -> None:
        """
        Inside TLS, a page that came without it may be anybody's who was on the way.
        """
        for origin, expected in (("http://h:1", False), ("https://h:1", True)):
            head = read(request(b"Host: h:1", b"Origin: " + origin.encode()))
            self.assertEqual(originAllowed(head, secure=True), expected)
            self.assertTrue(originAllowed(head, (origin,), secure=True))

    def test_rebound(self) -> None:
        """
        Where only some names lead here by right, a page of another that came without TLS may not: whoever
        controls the name has led it here (DNS rebinding).  Addresses and localhost are nobody's.
        """
        for host, expected in (
            ("evil.example:10000", False),
            ("localhost.evil.example", False),
            ("127.0.0.1.evil.example", False),
            ("here", True),
            ("HERE:10000", True),
            ("localhost:10000", True),
            ("a.localhost:10000", True),
            ("127.0.0.1:10000", True),
            ("[::1]:10000", True),
        ):
            head = read(request(b"Host: " + host.encode(), b"Origin: http://" + host.encode()))
            self.assertEqual(originAllowed(head, names=("here", "localhost")), expected, host)
            self.assertTrue(originAllowed(head))
            self.assertTrue(originAllowed(head, (f"http://{host.lower()}",), names=()))
            tls = read(request(b"Host: " + host.encode(), b"Origin: https://" + host.encode()))
            self.assertTrue(originAllowed(tls, names=()))

    def test_option(self) -> None:
        """
        Origins that were named are allowed besides; a star allows any.
        """
        named = ("https://novnc.example", "http://other.example:8080", "null", "app://here")
        for origin in (
            "https://novnc.example",
            "https://NOVNC.example:443",
            "http://other.example:8080",
            "null",
            "app://here",
            "http://h",
        ):
            self.assertTrue(self.allowed("h", origin, *named), origin)
        for origin in (
            "http://novnc.example",
            "https://novnc.example:444",
            "http://other.example",
            "app://there",
        ):
            self.assertFalse(self.allowed("h", origin, *named), origin)
        for origin in ("https://anything", "null", "a|b"):
            self.assertTrue(self.allowed("h", origin, "*"))
