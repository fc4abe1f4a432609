"""
Random beginnings of connections, the same in each run: what well-behaved clients send, spoiled, cut anywhere,
and ended in every way, beside octets that mean nothing.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Final


class End(Enum):
    """
    How a client ends a connection.
    """

    #: It reads until the other end has ended.
    WAIT = auto()
    #: It ends its direction, and reads until the other end has ended.
    HALF = auto()
    #: It reads once, and closes.
    ANSWERED = auto()
    #: It closes at once.
    CLOSE = auto()
    #: It resets the connection at once.
    RESET = auto()


@dataclass(frozen=True)
class Opening:
    """
    What one client does.

    @ivar segments: what it sends, in so many pieces.
    @ivar pause: seconds between these.
    @ivar end: what it does then.
    @ivar secure: whether all that is inside TLS.
    """

    segments: tuple[bytes, ...]
    pause: float
    end: End
    secure: bool


def _vector(width: int, data: bytes) -> bytes:
    """
    Octets, after their number (RFC 8446, section 3.4).
    """
    return len(data).to_bytes(width, "big") + data


def clientHello(random: Random) -> bytes:
    """
    A ClientHello (RFC 8446, section 4.1.2), in a record or two.
    """
    extensions = {
        0: _vector(2, b"\0" + _vector(2, random.choice((b"localhost", b"other.test", b"\xff", b"")))),
        10: _vector(2, b"\0\x1d\0\x17"),
        13: _vector(2, b"\4\3\x08\4\4\1"),
        16: _vector(2, b"".join(_vector(1, each) for each in random.choice(_ALPN))),
        43: _vector(1, random.choice((b"\3\4\3\3", b"\3\3", b"\3\4", b"\x7f\x1c"))),
        51: _vector(2, b"\0\x1d" + _vector(2, random.randbytes(random.choice((32, 32, 32, 31, 0))))),
    }
    for kind in list(extensions):
        if random.random() < 0.1:
            del extensions[kind]
    if random.random() < 0.3:
        extensions[21] = bytes(random.randrange(1500))
    body = (
        b"\3\3"
        + random.randbytes(32)
        + _vector(1, random.randbytes(32))
        + _vector(2, random.choice((b"\x13\1\x13\2\xc0\x2b", b"\xc0\x2b\xc0\x2f", b"\0\x2f")))
        + b"\1\0"
        + _vector(
            2, b"".join(struct.pack(">H", kind) + _vector(2, data) for kind, data in extensions.items())
        )
    )
    message = b"\1" + _vector(3, body)
    cut = random.randrange(1, len(message)) if random.random() < 0.2 else len(message)
    return b"".join(b"\x16\3\1" + _vector(2, part) for part in (message[:cut], message[cut:]) if part)


_ALPN: Final = ((b"http/1.1",), (b"h2", b"http/1.1"), (b"h2",), (b"xpra",), ())


def tls(random: Random) -> bytes:
    """
    A ClientHello, and perhaps something after it.
    """
    after = (
        b"",
        b"",
        b"\x15\3\3\0\2\2\x28",  # an alert
        b"\x15\3\3\0\2\1\0",  # close_notify
        b"\x14\3\3\0\1\1",  # ChangeCipherSpec
        b"\x17\3\3" + _vector(2, random.randbytes(random.randrange(600))),
        b"\x16\3\3" + _vector(2, random.randbytes(random.randrange(600))),
        random.randbytes(random.randrange(50)),
    )
    return clientHello(random) + random.choice(after)


def http(random: Random) -> bytes:
    """
    Requests.
    """
    return b"".join(_request(random) for _ in range(random.choice((1, 1, 1, 2, 5))))


def _request(random: Random) -> bytes:
    """
    A request, with its content.
    """
    method = random.choice((b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"get", b"PRI"))
    target = random.choice(
        (b"/", b"/style.css", b"/%2e%2e/x", b"*", b"//", b"http://localhost/", b"/" + b"a" * 300)
    )
    fields = [b"Host: localhost"] * random.choice((1, 1, 1, 0, 2))
    for _ in range(random.choice((0, 1, 3, 60))):
        fields.append(random.choice(_FIELDS))
    content = b""
    kind = random.random()
    if kind < 0.1:
        content = random.randbytes(random.randrange(300))
        fields.append(b"Content-Length: %d" % (len(content) + random.choice((0, 0, 1, -1))))
    elif kind < 0.2:
        content = random.choice((b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"5\r\nhel", b"-1\r\n\r\n"))
        fields.append(b"Transfer-Encoding: chunked")
    ending = random.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    line = b" ".join(
        (method, target, random.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"")))
    )
    return ending.join((line, *fields, b"", content))


_FIELDS: Final = (
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Range: bytes=0-",
    b"If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT",
    b"Cookie: a=b; c",
    b"Authorization: Basic !!!",
    b"Content-Length: 5",
    b"Content-Type: multipart/form-data",
    b"X: \0",
    b"X: " + b"y" * 2000,
    b" folded",
    b"no colon",
    b": no name",
)


def webSocket(random: Random) -> bytes:
    """
    A request for a WebSocket, and frames.
    """
    fields = [
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: " + random.choice((b"13",) * 9 + (b"8",)),
        b"Sec-WebSocket-Key: " + base64.b64encode(random.randbytes(random.choice((16,) * 9 + (5,)))),
    ]
    if random.random() < 0.3:
        fields.append(b"Sec-WebSocket-Protocol: " + random.choice((b"binary", b"chat, binary", b"chat")))
    if random.random() < 0.2:
        fields.append(b"Origin: " + random.choice((b"http://localhost", b"https://other.test", b"null")))
    if random.random() < 0.2:
        fields.append(b"Sec-WebSocket-Extensions: permessage-deflate")
    if random.random() < 0.1:
        del fields[random.randrange(len(fields))]
    head = b"\r\n".join((b"GET / HTTP/1.1", *fields, b"", b""))
    return head + b"".join(_frame(random) for _ in range(random.randrange(6)))


def _frame(random: Random) -> bytes:
    """
    A frame (RFC 6455, section 5.2), mostly a good one.
    """
    good = random.random() < 0.9
    opcode = random.choice((2, 2, 2, 1, 9, 10, 8) if good else range(16))
    payload = random.randbytes(random.choice((0, 5, 100, 125, 126, 500)))
    if opcode == 1:
        payload = b"text"
    elif opcode == 8:
        payload = struct.pack(">H", random.choice((1000, 1001, 1002, 999)))
    elif opcode > 7:
        payload = payload[:125]
    size = len(payload)
    masked = 0x80 if good or random.random() < 0.5 else 0
    first = opcode | (0x80 if good else random.choice((0, 0x80, 0xC0)))
    if size < 126:
        head = struct.pack(">BB", first, masked | size)
    elif random.random() < 0.95:
        head = struct.pack(">BBH", first, masked | 126, size)
    else:
        head = struct.pack(">BBQ", first, masked | 127, random.choice((size, 1 << 40, 1 << 63)))
    return head + (random.randbytes(4) if masked else b"") + payload


def other(random: Random) -> bytes:
    """
    What other protocols begin with.
    """
    return random.choice(
        (
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"SSH-2.0-x\r\n" + random.randbytes(300),
            b"RFB 003.008\n",
            b"P\0\0\0\0\0\0\x10" + random.randbytes(16),
            b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.randbytes(30),
            b"EHLO localhost\r\n",
            b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + random.randbytes(37),
            b"hello\n",
        )
    )


def noise(random: Random) -> bytes:
    """
    Octets that mean nothing.
    """
    return random.randbytes(random.choice((0, 1, 2, 5, 10, 30, 100, 3000)))


KINDS: Final[tuple[tuple[Callable[[Random], bytes], int], ...]] = (
    (noise, 20),
    (tls, 25),
    (http, 20),
    (webSocket, 20),
    (other, 15),
)

_ENDS: Final = ((End.WAIT, 15), (End.HALF, 20), (End.ANSWERED, 20), (End.CLOSE, 25), (End.RESET, 20))


def _spoil(random: Random, data: bytes) -> bytes:
    """
    Change some octets, or cut some out, or put some in.
    """
    octets = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        place = random.randrange(len(octets) + 1)
        how = random.randrange(4)
        if how == 0:
            octets[place : place + 1] = random.randbytes(1)
        elif how == 1:
            del octets[place : place + random.choice((1, 2, 20))]
        elif how == 2:
            octets[place:place] = random.randbytes(random.choice((1, 2, 20)))
        else:
            octets[place:place] = octets[: random.randrange(30)]
    return bytes(octets)


def opening(seed: int) -> Opening:
    """
    One of very many openings; the same seed makes the same.
    """
    random = Random(seed)
    (make,) = random.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])
    data = make(random)
    if random.random() < 0.4:
        data = _spoil(random, data)
    if random.random() < 0.3:
        data = data[: random.randrange(len(data) + 1)]
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 0, 1, 1, 2, 4))))
    segments = tuple(data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)]))
    (end,) = random.choices([each for each, _ in _ENDS], [weight for _, weight in _ENDS])
    return Opening(segments, random.choice((0.0, 0.0, 0.001, 0.01)), end, random.random() < 0.06)
