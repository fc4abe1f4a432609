"""
The opening handshakes of WebSocket, as octets.
"""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.support.wires import everySplit
from xtls.errors import OpeningHandshakeError
from xtls.wire.opening import LONGEST_ANSWER, ClientOpening, answerOpening

#: The key of RFC 6455, section 1.3, and the answer to it.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def fieldsOf(head: bytes) -> dict[str, str]:
    """
    The fields of a head, each of which comes once.
    """
    lines = head.decode("ascii").split("\r\n")[1:-2]
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines)
    return fields


def answerTo(opening: ClientOpening) -> bytes:
    """
    What a good server answers.
    """
    return answerOpening(fieldsOf(opening.request)["Sec-WebSocket-Key"].encode(), [b"binary"])


class ServerTests(SynchronousTestCase):
    """
    What a server answers.
    """

    def test_answer(self) -> None:
        """
        The answer is that of the standard's example, and tells nothing of the software.
        """
        answer = answerOpening(KEY)
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "))
        self.assertTrue(answer.endswith(b"\r\n\r\n"))
        self.assertEqual(
            fieldsOf(answer),
            {"Upgrade": "WebSocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": ACCEPT.decode()},
        )

    def test_subprotocol(self) -> None:
        """
        C{binary} is taken when it is offered, alone or among others; otherwise none is.
        """
        for offered, taken in (
            ([b"binary"], "binary"),
            ([b"base64", b"binary"], "binary"),
            ([b"base64"], None),
            ([], None),
        ):
            fields = fieldsOf(answerOpening(KEY, offered))
            self.assertEqual(fields.get("Sec-WebSocket-Protocol"), taken)

    def test_asAutobahnAnswers(self) -> None:
        """
        It is what autobahn answers, octet for octet.
        """
        from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

        class Server(WebSocketServerProtocol):
            """
            Takes C{binary}.
            """

            def onConnect(self, request: Any) -> str | None:
                """
                Choose the subprotocol.
                """
                return "binary" if "binary" in request.protocols else None

        factory = WebSocketServerFactory(url="ws://localhost", protocols=["binary"], reactor=object())
        factory.setProtocolOptions(openHandshakeTimeout=0)
        factory.server = ""
        random = Random(13)
        for offered in ([], ["binary"], ["base64"], ["base64", "binary"]):
            key = b64encode(random.randbytes(16))
            lines = ["GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
            lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key.decode()}"]
            lines += [f"Sec-WebSocket-Protocol: {', '.join(offered)}"] if offered else []
            server, sent = Server(), StringTransport()
            server.factory = factory
            server.makeConnection(sent)
            server.dataReceived("\r\n".join([*lines, "", ""]).encode())
            self.assertEqual(answerOpening(key, [each.encode() for each in offered]), sent.value())

    def test_wrongKey(self) -> None:
        """
        A key that is not 16 octets in base64 is refused (section 4.2.1).
        """
        for key in (b"", b"short", KEY[:-2], KEY + b"AA", b"!!" + KEY[2:]):
            error = self.assertRaises(OpeningHandshakeError, answerOpening, key)
            self.assertEqual(error.status, 400)


class RequestTests(SynchronousTestCase):
    """
    What a client asks.
    """

    def test_fields(self) -> None:
        """
        The request has what section 4.1 asks for, C{binary}, and what was given besides.
        """
        opening = ClientOpening("wss://example.org:8443/a/b?c=d", {"Authorization": "Basic eHk6eg=="})
        self.assertTrue(opening.request.startswith(b"GET /a/b?c=d HTTP/1.1\r\n"))
        fields = fieldsOf(opening.request)
        self.assertEqual(
            [fields[name] for name in ("Host", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol")],
            ["example.org:8443", "13", "binary"],
        )
        self.assertEqual((fields["Upgrade"].lower(), fields["Connection"].lower()), ("websocket", "upgrade"))
        self.assertEqual(fields["Authorization"], "Basic eHk6eg==")
        self.assertNotIn("Origin", fields)
        self.assertNotIn("Sec-WebSocket-Extensions", fields)

    def test_keys(self) -> None:
        """
        Each connection has a key of its own.
        """
        keys = {fieldsOf(ClientOpening("ws://localhost/").request)["Sec-WebSocket-Key"] for _ in range(9)}
        self.assertEqual(len(keys), 9)

    def test_host(self) -> None:
        """
        The C{Host} field has the port only if it is not the scheme's own, an IPv6 address in brackets and
        without its zone, and a name in ASCII.
        """
        for url, host in (
            ("ws://localhost/", "localhost"),
            ("ws://localhost:80", "localhost"),
            ("ws://localhost:443/", "localhost:443"),
            ("wss://localhost:443/", "localhost"),
            ("wss://127.0.0.1:10000/", "127.0.0.1:10000"),
            ("wss://[::1]:10000/", "[::1]:10000"),
            ("ws://[fe80::1%25eth0]/", "[fe80::1]"),
            ("ws://B\u00fccher.example/", "xn--bcher-kva.example"),
        ):
            self.assertEqual(fieldsOf(ClientOpening(url).request)["Host"], host)

    def test_target(self) -> None:
        """
        The target is sent as it is where it can be, and quoted where it cannot.
        """
        for url, target in (
            ("ws://h", b"/"),
            ("ws://h?x", b"/?x"),
            ("ws://h/%41%2f", b"/%41%2f"),
            ("ws://h/a b/\u00fc?\u00fc=\x01", b"/a%20b/%C3%BC?%C3%BC=%01"),
        ):
            self.assertEqual(ClientOpening(url).request.split(b" ")[1], target)

    def test_wrong(self) -> None:
        """
        What cannot be asked for is an error, and no password is taken for a part of the address.
        """
        for url in ("http://h/", "ws:///x", "ws://u:p@h/", "ws://h/#x", "ws://h:99999/", "ws://\u2028/", "h"):
            self.assertRaises(ValueError, ClientOpening, url)
        for name, value in (("A b", "c"), ("", "c"), ("A", "b\r\nC: d"), ("A", "\u00fc")):
            self.assertRaises(ValueError, ClientOpening, "ws://h/", {name: value})


class AnswerTests(SynchronousTestCase):
    """
    What a client makes of answers.
    """

    def setUp(self) -> None:
        self.opening = ClientOpening("ws://localhost/")
        self.answer = answerTo(self.opening)

    def refused(self, answer: bytes) -> OpeningHandshakeError:
        """
        The error of an answer that opens nothing.
        """
        error = self.assertRaises(OpeningHandshakeError, self.opening.receive, answer)
        assert isinstance(error, OpeningHandshakeError)
        return error

    def test_everySplit(self) -> None:
        """
        However the answer is cut, the stream opens with its last octet.
        """
        for pieces in everySplit(self.answer):
            opening = ClientOpening("ws://localhost/")
            answer = answerTo(opening)
            at = 0
            opened = []
            for piece in pieces:
                opened.append(opening.receive(answer[at : at + len(piece)]))
                at += len(piece)
            self.assertEqual(opened, [False] * (len(pieces) - 1) + [True])
            self.assertEqual(opening.rest, b"")

    def test_rest(self) -> None:
        """
        What comes after the answer belongs to the stream.
        """
        self.assertTrue(self.opening.receive(self.answer + b"\x82\x01x\r\n\r\n"))
        self.assertEqual(self.opening.rest, b"\x82\x01x\r\n\r\n")

    def test_interim(self) -> None:
        """
        Interim responses before the answer are passed over (RFC 9110, section 15.2).
        """
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 \r\n\r\n"
        for cut in (0, 10, len(interim) - 1, len(interim)):
            opening = ClientOpening("ws://localhost/")
            stream = interim + answerTo(opening)
            self.assertFalse(opening.receive(stream[:cut]))
            self.assertTrue(opening.receive(stream[cut:]))

    def test_refused(self) -> None:
        """
        A server that answers otherwise is quoted, with its status.
        """
        error = self.refused(b"HTTP/1.1 403 Keep out\r\nLocation: /x\r\n\r\n<html>")
        self.assertEqual(
            (error.status, error.problem), (403, "the server refused the WebSocket: 403 Keep out")
        )
        self.opening = ClientOpening("ws://localhost/")
        self.assertEqual(self.refused(b"HTTP/1.0 200\r\n\r\n").status, 200)

    def test_redirected(self) -> None:
        """
        A redirection is not followed: whether to go elsewhere is for people to decide.
        """
        error = self.refused(b"HTTP/1.1 301 Moved\r\nA: b\r\nlocation: \thttps://h/\r\n\r\n")
        self.assertEqual(error.status, 301)
        self.assertTrue(error.problem.endswith("301 Moved, and points to https://h/"))

    def test_redirectedNowhere(self) -> None:
        """
        A redirection may lack its place.
        """
        self.assertEqual(self.refused(b"HTTP/1.1 302 Found\r\n\r\n").status, 302)

    def test_longWords(self) -> None:
        """
        What a server says is quoted in part if it is long.
        """
        self.assertLess(len(self.refused(b"HTTP/1.1 500 " + b"x" * 5000 + b"\r\n\r\n").problem), 300)

    def test_notHTTP(self) -> None:
        """
        What cannot become HTTP any more is known by its first octets.
        """
        for answer in (b"SSH-2.0-x", b"\x15\x03\x01", b"HTTP/2", b"\r"):
            opening = ClientOpening("ws://localhost/")
            self.assertRaises(OpeningHandshakeError, opening.receive, answer)

    def test_tooLong(self) -> None:
        """
        A head without an end is not kept for ever.
        """
        self.assertFalse(self.opening.receive(b"HTTP/1.1 101 x\r\nA: ".ljust(LONGEST_ANSWER, b"x")))
        self.refused(b"x")

    def test_malformed(self) -> None:
        """
        An answer that different readers read differently is refused.
        """
        end = b"\r\n\r\n"
        for head in (
            b"HTTP/1.1 1O1 Switching",
            b"HTTP/1.1  101 Switching",
            self.answer[:-4] + b"\r\nA: b\0",
            self.answer[:-4] + b"\r\n folded",
            self.answer[:-4] + b"\r\nA : b",
            self.answer[:-4] + b"\nA: b",
            self.answer[:-4] + b"\r\nA: b\rC: d",
            self.answer[:-4] + b"\r\nno colon",
        ):
            opening = ClientOpening("ws://localhost/")
            error = self.assertRaises(OpeningHandshakeError, opening.receive, head + end)
            self.assertIn("well-formed", error.problem)

    def test_wrong(self) -> None:
        """
        An answer must have the fields of section 4.2.2, with the right values, and nothing that was not
        asked for.
        """
        for good, bad in (
            (b"HTTP/1.1", b"HTTP/1.0"),
            (b"Upgrade: WebSocket\r\n", b""),
            (b"Upgrade: WebSocket", b"Upgrade: TLS/1.2"),
            (b"Connection: Upgrade\r\n", b""),
            (b"Connection: Upgrade", b"Connection: close"),
            (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x"),
            (b"Sec-WebSocket-Accept", b"X"),
            (b"Protocol: binary", b"Protocol: base64"),
            (b"Upgrade: WebSocket", b"Upgrade: WebSocket\r\nSec-WebSocket-Extensions: permessage-deflate"),
            (b"Upgrade: WebSocket", b"Upgrade: WebSocket\r\nSec-WebSocket-Extensions: x-unknown; a=b"),
        ):
            opening = ClientOpening("ws://localhost/")
            answer = answerTo(opening)
            self.assertIn(good, answer)
            error = self.assertRaises(OpeningHandshakeError, opening.receive, answer.replace(good, bad))
            self.assertEqual(error.status, 101)

    def test_disguised(self) -> None:
        """
        A field cannot be smuggled in another's value with characters that some take for a line end.
        """
        for separator in (b"\x85", b"\xe2\x80\xa8"):
            opening = ClientOpening("ws://localhost/")
            answer = answerTo(opening)
            hidden = answer.replace(
                b"\r\nSec-WebSocket-Accept", b"\r\nX: y" + separator + b"Sec-WebSocket-Accept"
            )
            error = self.assertRaises(OpeningHandshakeError, opening.receive, hidden)
            self.assertIn("Accept header missing", error.problem)

    def test_unreadable(self) -> None:
        """
        Whatever goes wrong in reading an answer is a refusal.
        """

        class Broken:
            """
            Cannot read.
            """

            def judge(self, answer: bytes) -> str | None:
                """
                Fail.
                """
                raise ZeroDivisionError("what?")

        self.opening._asking = Broken()  # type: ignore[assignment]
        self.assertIn("what?", self.refused(self.answer).problem)

    def test_random(self) -> None:
        """
        Changed answers open nothing or raise the one error.
        """
        random = Random(101)
        for _ in range(300):
            opening = ClientOpening("ws://localhost/")
            answer = bytearray(answerTo(opening))
            for _ in range(random.randrange(1, 4)):
                answer[random.randrange(len(answer))] = random.randrange(256)
            try:
                opening.receive(bytes(answer))
            except OpeningHandshakeError:
                pass
