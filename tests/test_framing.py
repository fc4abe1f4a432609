"""
WebSocket frames, by the sections of RFC 6455.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wires import everySplit
from xtls.wire.frames import LONGEST_CONTROL
from xtls.wire.framing import (
    Close,
    CloseCode,
    FrameReader,
    Opcode,
    ProtocolViolation,
    encodeFrame,
)

KEY = b"\x37\xfa\x21\x3d"

#: What a reader knows after it was fed: payload, Pings, Close, violation.
Heard = tuple[bytes, list[bytes], Close | None, ProtocolViolation | None]


def hear(
    pieces: Iterable[bytes], masked: bool = True, maxMessage: int = 1 << 20, views: bool = False
) -> Heard:
    """
    What one reader makes of octets that come in pieces.
    """
    reader = FrameReader(masked, maxMessage)
    payload = b""
    for piece in pieces:
        payload += bytes(reader.feed(memoryview(piece) if views else piece))
    return payload, reader.pings, reader.closed, reader.violation


def failure(data: bytes, masked: bool = True, maxMessage: int = 1 << 20) -> CloseCode | None:
    """
    The code with which a connection is failed for this.
    """
    violation = hear([data], masked, maxMessage)[3]
    return None if violation is None else violation.code


def masked(opcode: int, payload: bytes = b"", final: bool = True) -> bytes:
    """
    A client's frame.
    """
    return encodeFrame(opcode, payload, KEY, final)


class ExamplesTests(SynchronousTestCase):
    """
    The examples of RFC 6455, section 5.7, octet for octet.
    """

    def test_unmaskedText(self) -> None:
        """
        A text of one unmasked frame.
        """
        frame = bytes.fromhex("810548656c6c6f")
        self.assertEqual(encodeFrame(Opcode.TEXT, b"Hello"), frame)
        self.assertEqual(hear([frame], masked=False), (b"Hello", [], None, None))

    def test_maskedText(self) -> None:
        """
        A text of one masked frame.
        """
        frame = bytes.fromhex("818537fa213d7f9f4d5158")
        self.assertEqual(encodeFrame(Opcode.TEXT, b"Hello", KEY), frame)
        self.assertEqual(hear([frame]), (b"Hello", [], None, None))

    def test_fragments(self) -> None:
        """
        A text in two fragments.
        """
        frames = bytes.fromhex("010348656c80026c6f")
        self.assertEqual(
            encodeFrame(Opcode.TEXT, b"Hel", final=False) + encodeFrame(Opcode.CONTINUATION, b"lo"), frames
        )
        self.assertEqual(hear([frames], masked=False), (b"Hello", [], None, None))

    def test_ping(self) -> None:
        """
        A Ping, and a Pong with the same payload, which asks for nothing.
        """
        self.assertEqual(hear([bytes.fromhex("890548656c6c6f")], masked=False), (b"", [b"Hello"], None, None))
        self.assertEqual(hear([bytes.fromhex("8a8537fa213d7f9f4d5158")]), (b"", [], None, None))

    def test_lengths(self) -> None:
        """
        Binary messages of 256 octets and of 64 KiB.
        """
        self.assertEqual(encodeFrame(Opcode.BINARY, bytes(256))[:4], bytes.fromhex("827e0100"))
        self.assertEqual(encodeFrame(Opcode.BINARY, bytes(65536))[:10], bytes.fromhex("827f0000000000010000"))


class FrameReaderTests(SynchronousTestCase):
    """
    What a peer does right.
    """

    #: A conversation that has everything in it, and what is to be heard of it.
    conversation = b"".join(
        (
            masked(Opcode.BINARY, b"one"),
            masked(Opcode.BINARY),
            masked(Opcode.PING, b"p"),
            masked(Opcode.BINARY, b"two ", final=False),
            masked(Opcode.PING, b"inside"),
            masked(Opcode.CONTINUATION, b"three ", final=False),
            masked(Opcode.CONTINUATION, final=False),
            masked(Opcode.PONG, b"pong"),
            masked(Opcode.CONTINUATION, b"four"),
            masked(Opcode.TEXT, "z\u00fc".encode()[:2], final=False),
            masked(Opcode.CONTINUATION, "z\u00fc".encode()[2:]),
            masked(Opcode.BINARY, b"x" * 126),
            masked(Opcode.CLOSE, b"\x03\xe8bye"),
        )
    )
    heard = (
        b"onetwo three fourz\xc3\xbc" + b"x" * 126,
        [b"p", b"inside"],
        Close(1000, "bye"),
        None,
    )

    def test_everySplit(self) -> None:
        """
        However the octets arrive, the same is heard.
        """
        for pieces in everySplit(self.conversation):
            self.assertEqual(hear(pieces), self.heard)

    def test_views(self) -> None:
        """
        Octets may come as views of a buffer that is used again.
        """
        for pieces in everySplit(self.conversation):
            self.assertEqual(hear(pieces, views=True), self.heard)

    def test_largeViews(self) -> None:
        """
        A large buffer is read in place, whatever is in it.
        """
        payloads = [bytes([i]) * size for i, size in enumerate((3, 70000, 125, 126, 65535, 1, 65536, 2))]
        for key in (KEY, None):
            stream = b"".join(encodeFrame(Opcode.BINARY, each, key) for each in payloads)
            for cut in (1, 5, 9, 50000, 70010, len(stream) - 3, len(stream)):
                heard = hear([stream[:cut], stream[cut:]], key is not None, views=True)
                self.assertEqual(heard, (b"".join(payloads), [], None, None))

    def test_asItComes(self) -> None:
        """
        The payload of a frame is given as far as it has arrived, not when all of it is there.
        """
        reader = FrameReader(True, 1000)
        frame = masked(Opcode.BINARY, b"abcdefgh" * 20)
        self.assertEqual(bytes(reader.feed(frame[:20])), b"abcdefghabcd")
        self.assertEqual(bytes(reader.feed(frame[20:])), b"efgh" + b"abcdefgh" * 18)

    def test_joined(self) -> None:
        """
        Many small messages that arrive together are given as one piece.
        """
        frames = b"".join(encodeFrame(Opcode.BINARY, b"%d," % i) for i in range(100))
        reader = FrameReader(False, 1000)
        self.assertEqual(reader.feed(frames), b"".join(b"%d," % i for i in range(100)))

    def test_afterClose(self) -> None:
        """
        After a Close nothing more is heard (section 5.5.1).
        """
        reader = FrameReader(True, 1000)
        self.assertEqual(reader.feed(masked(Opcode.CLOSE) + masked(Opcode.BINARY, b"late")), b"")
        self.assertEqual(reader.feed(masked(Opcode.PING, b"later")), b"")
        self.assertEqual((reader.closed, reader.pings), (Close(CloseCode.NO_STATUS), []))

    def test_websocketsFrames(self) -> None:
        """
        What the library C{websockets} writes is read, and it reads what is written here.
        """
        from websockets.frames import Frame
        from websockets.frames import Opcode as Theirs

        random = Random(2)
        payloads = [random.randbytes(size) for size in (0, 1, 64, 125, 126, 4096, 65535, 65536)]
        for mask in (True, False):
            stream = b"".join(Frame(Theirs.BINARY, each).serialize(mask=mask) for each in payloads)
            self.assertEqual(hear([stream], mask), (b"".join(payloads), [], None, None))
            for each in payloads:
                ours = encodeFrame(Opcode.BINARY, each, KEY if mask else None)
                self.assertEqual(self.theirReading(ours, mask), (Theirs.BINARY, each, True))

    def theirReading(self, data: bytes, mask: bool) -> tuple[Any, bytes, bool]:
        """
        What C{websockets} makes of one frame.
        """
        from websockets.frames import Frame
        from websockets.streams import StreamReader

        stream = StreamReader()
        stream.feed_data(data)
        parsing = Frame.parse(stream.read_exact, mask=mask)
        try:
            next(parsing)
        except StopIteration as done:
            frame = done.value
        return frame.opcode, bytes(frame.data), frame.fin

    def test_autobahnsFrames(self) -> None:
        """
        What autobahn writes is read.
        """
        from autobahn.twisted.websocket import WebSocketClientFactory
        from autobahn.websocket.protocol import PreparedMessage

        self.assertTrue(WebSocketClientFactory)
        random = Random(3)
        payloads = [random.randbytes(size) for size in (0, 1, 125, 126, 65535, 65536)]
        for mask in (True, False):
            stream = b"".join(PreparedMessage(each, True, mask, False).payloadHybi for each in payloads)
            self.assertEqual(hear([stream], mask), (b"".join(payloads), [], None, None))


class ViolationTests(SynchronousTestCase):
    """
    What a peer does wrong, each with the code to close with.
    """

    def test_reservedBits(self) -> None:
        """
        No extension is agreed on, so no reserved bit may be set (section 5.2).
        """
        for bit in (0x40, 0x20, 0x10):
            self.assertEqual(failure(bytes([0x82 | bit, 0x80]) + KEY), CloseCode.PROTOCOL_ERROR)

    def test_reservedOpcodes(self) -> None:
        """
        Opcodes without a meaning end the connection (section 5.2).
        """
        for opcode in (*range(3, 8), *range(11, 16)):
            self.assertEqual(failure(masked(opcode)), CloseCode.PROTOCOL_ERROR)

    def test_masking(self) -> None:
        """
        A client that does not mask, and a server that does, are failed (section 5.1).
        """
        self.assertEqual(failure(encodeFrame(Opcode.BINARY, b"x")), CloseCode.PROTOCOL_ERROR)
        self.assertEqual(failure(masked(Opcode.BINARY, b"x"), masked=False), CloseCode.PROTOCOL_ERROR)

    def test_controlFrames(self) -> None:
        """
        Control frames are whole and of 125 octets at most (section 5.5).
        """
        for opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
            self.assertEqual(failure(masked(opcode, final=False)), CloseCode.PROTOCOL_ERROR)
            self.assertEqual(failure(masked(opcode, b"x" * 126)), CloseCode.PROTOCOL_ERROR)
        self.assertEqual(hear([masked(Opcode.PING, b"x" * LONGEST_CONTROL)])[1], [b"x" * LONGEST_CONTROL])

    def test_fragments(self) -> None:
        """
        A message must end before the next begins, and nothing is continued that did not begin (section 5.4).
        """
        self.assertEqual(failure(masked(Opcode.CONTINUATION, b"x")), CloseCode.PROTOCOL_ERROR)
        for opcode in (Opcode.BINARY, Opcode.TEXT):
            begun = masked(Opcode.BINARY, b"x", final=False)
            self.assertEqual(failure(begun + masked(opcode, b"y")), CloseCode.PROTOCOL_ERROR)

    def test_shortestLength(self) -> None:
        """
        A length is in its shortest form, and has 63 bits (section 5.2).
        """
        for head in ("82fe007d", "82ff000000000000ffff", "82ff8000000000010000"):
            self.assertEqual(failure(bytes.fromhex(head) + KEY), CloseCode.PROTOCOL_ERROR)
        self.assertEqual(hear([bytes.fromhex("827e007e") + b"x" * 126], masked=False)[0], b"x" * 126)

    def test_text(self) -> None:
        """
        A text that is not UTF-8 is refused as soon as that is certain, or at its end (section 8.1).
        """
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"caf\xc3"):
            self.assertEqual(failure(masked(Opcode.TEXT, bad)), CloseCode.INVALID_PAYLOAD)
        self.assertEqual(failure(masked(Opcode.TEXT, b"caf\xc3", final=False)), None)
        self.assertEqual(failure(masked(Opcode.TEXT, b"\xff", final=False)), CloseCode.INVALID_PAYLOAD)

    def test_tooBig(self) -> None:
        """
        The longest message is accepted, in one frame or in several; one octet more is not (section 7.4.1).
        """
        for size in (100, 200):
            whole = masked(Opcode.BINARY, b"x" * size)
            parts = (
                masked(Opcode.BINARY, b"x" * 60, final=False),
                masked(Opcode.CONTINUATION, b"x" * (size - 60)),
            )
            self.assertEqual(failure(whole * 2, maxMessage=size), None)
            self.assertEqual(failure(whole, maxMessage=size - 1), CloseCode.TOO_BIG)
            self.assertEqual(failure(b"".join(parts) * 2, maxMessage=size), None)
            self.assertEqual(failure(b"".join(parts), maxMessage=size - 1), CloseCode.TOO_BIG)

    def test_closeFrames(self) -> None:
        """
        A Close has no payload, or a code that may be sent and a reason in UTF-8 (sections 5.5.1 and 7.4).
        """
        for payload, code in (
            (b"\x03", CloseCode.PROTOCOL_ERROR),
            (b"\x03\xe7", CloseCode.PROTOCOL_ERROR),
            (b"\x03\xe8\xff", CloseCode.INVALID_PAYLOAD),
        ):
            self.assertEqual(failure(masked(Opcode.CLOSE, payload)), code)

    def test_whatCameBefore(self) -> None:
        """
        What arrived before the fault is still given.
        """
        heard = hear([masked(Opcode.BINARY, b"good") + masked(3) + masked(Opcode.BINARY, b"bad")])
        self.assertEqual(heard[0], b"good")

    def test_asEarlyAsPossible(self) -> None:
        """
        A fault in the first two octets is found without waiting for more, and then nothing more is heard.
        """
        self.assertEqual(failure(b"\x83\x80"), CloseCode.PROTOCOL_ERROR)
        self.assertEqual(hear([b"\x83\x80", masked(Opcode.PING, b"x")])[1], [])

    def test_random(self) -> None:
        """
        No input makes a reader raise, and the cut of the octets makes no difference; only of a text that is
        not UTF-8 the part before the cut was given already.
        """
        random = Random(6455)
        for _ in range(3000):
            data = random.randbytes(random.randrange(60))
            if random.random() < 0.7:
                first = random.choice((0x82, 0x02, 0x80, 0x81, 0x88, 0x89))
                data = bytes((first, random.choice((0x80, 0x83, 0xFE)))) + data
            cut = random.randrange(len(data) + 1)
            for mask in (True, False):
                payload, *others = hear([data], mask)
                for pieces in ([data[:cut], data[cut:]], [bytes([octet]) for octet in data]):
                    itsPayload, *itsOthers = hear(pieces, mask)
                    self.assertEqual(itsOthers, others)
                    self.assertTrue(itsPayload.startswith(payload))
                    if failure(data, mask) != CloseCode.INVALID_PAYLOAD:
                        self.assertEqual(itsPayload, payload)


class WaysTests(SynchronousTestCase):
    """
    A reader has three ways to read; which of them it takes makes no difference.
    """

    def samples(self, mask: bool) -> list[list[bytes]]:
        """
        Streams of frames: every kind and size, each behind a whole message and before one.
        """
        random = Random(60)
        key = KEY if mask else None
        whole = encodeFrame(Opcode.BINARY, b"whole", key)
        sizes = (0, 1, 4, 124, 125, 126, 127, 1000, 65535, 65536, 70000)
        kinds = [[encodeFrame(Opcode.BINARY, random.randbytes(size), key)] for size in sizes]
        kinds += [
            [encodeFrame(Opcode.BINARY, b"be", key, False), encodeFrame(Opcode.CONTINUATION, b"gun", key)],
            [encodeFrame(Opcode.BINARY, b"", key, False), whole],
            [encodeFrame(Opcode.TEXT, b"text", key)],
            [encodeFrame(Opcode.PING, b"ping", key)],
            [encodeFrame(Opcode.CLOSE, b"\x03\xe8", key)],
            [encodeFrame(Opcode.BINARY, b"masked wrongly", None if mask else KEY)],
            [encodeFrame(Opcode.BINARY, b"m" * 200, None if mask else KEY)],
            [b"\xc2" + whole[1:]],
        ]
        return [[whole, *kind, whole] for kind in kinds]

    def test_everySplit(self) -> None:
        """
        However a stream is cut, the same is heard as when no frame comes whole: octet by octet.
        """
        for mask in (True, False):
            for frames in self.samples(mask):
                stream = b"".join(frames)
                heard = hear([stream[at : at + 1] for at in range(min(len(stream), 3000))], mask)
                if len(stream) > 3000:
                    heard = hear([stream[:7], stream[7:]], mask)
                cuts = [*range(1, 40), *range(len(stream) - 40, len(stream))]
                for cut in {0, *cuts, *range(100, len(stream), 997)}:
                    for views in (False, True):
                        self.assertTrue(hear([stream[:cut], stream[cut:]], mask, views=views) == heard)
                for views in (False, True):
                    self.assertTrue(hear(frames, mask, views=views) == heard)

    def test_limits(self) -> None:
        """
        A limit holds for a message that comes alone as for any other.
        """
        for mask in (True, False):
            key = KEY if mask else None
            for size in (0, 1, 5, 124, 125, 126, 127, 1000, 65535, 65536):
                frame = encodeFrame(Opcode.BINARY, bytes(size), key)
                self.assertEqual(hear([frame] * 3, mask, size), (bytes(3 * size), [], None, None))
                if size:
                    self.assertEqual(failure(frame, mask, size - 1), CloseCode.TOO_BIG)

    def test_longerThanTheBuffer(self) -> None:
        """
        More may be given at a time than any transport delivers.
        """
        for mask in (True, False):
            payload = Random(61).randbytes(1 << 20)
            frame = encodeFrame(Opcode.BINARY, payload, KEY if mask else None)
            closed = encodeFrame(Opcode.CLOSE, b"", KEY if mask else None)
            heard = hear([frame + closed + frame], mask)
            self.assertTrue(heard[0] == payload)
            self.assertEqual(heard[1:], ([], Close(CloseCode.NO_STATUS), None))


class SecondReader:
    """
    What C{websockets} hears, which reads frames whole, and knows nothing of texts.

    @ivar code: the code to close with.
    """

    def __init__(self, mask: bool, maxMessage: int) -> None:
        from websockets.protocol import Protocol, Side

        self._theirs = Protocol(Side.SERVER if mask else Side.CLIENT, max_size=maxMessage)
        self._text: bytes | None = None
        self.payload = b""
        self.pings: list[bytes] = []
        self.code: int | None = None
        self.closed: Close | None = None

    def feed(self, frame: bytes) -> None:
        """
        Take one frame.
        """
        from websockets.frames import Close as TheirClose
        from websockets.frames import Opcode as Theirs

        if self.code is not None or self.closed is not None:
            return
        self._theirs.receive_data(frame)
        for event in self._theirs.events_received():
            data = bytes(event.data)  # type: ignore[union-attr]
            opcode = event.opcode  # type: ignore[union-attr]
            if opcode is Theirs.PING:
                self.pings.append(data)
            elif opcode is Theirs.CLOSE:
                close = TheirClose.parse(data)
                self.closed = Close(close.code, close.reason)
            elif opcode is not Theirs.PONG:
                self._data(opcode is Theirs.TEXT, data, event.fin)  # type: ignore[union-attr]
        sent = self._theirs.close_sent
        if self._theirs.parser_exc is not None and sent is not None:
            self._failed(sent.code)

    def _failed(self, code: int) -> None:
        """
        The first reason to close stands.
        """
        self.code = code if self.code is None else self.code

    def _data(self, isText: bool, data: bytes, final: bool) -> None:
        """
        A fragment.
        """
        if isText:
            self._text = b""
        if self._text is not None:
            self._text += data
            try:
                self._text.decode("utf-8")
            except UnicodeDecodeError as e:
                if final or e.reason != "unexpected end of data":
                    self._failed(CloseCode.INVALID_PAYLOAD)
                    return
            if final:
                self._text = None
        self.payload += data


class RandomStreamsTests(SynchronousTestCase):
    """
    Random streams of frames, right and wrong, and two readers.
    """

    def frame(self, random: Random, mask: bool, begun: bool) -> tuple[bytes, bool]:
        """
        One frame that fits, mostly.

        @param begun: whether a message has begun.
        @return: the frame, and whether a message has begun after it.
        """
        opcode = random.choice((0, 0, 0, 9, 10)) if begun else random.choice((2, 2, 2, 2, 1, 9, 10))
        size = random.choice((0, 1, 2, 7, 60, 125))
        final = opcode > 7 or random.random() < 0.7
        if opcode < 3 and random.random() < 0.2:
            size = random.choice((126, 127, 300, 65535, 65536) if random.random() < 0.1 else (126, 200))
        payload = random.randbytes(size) if opcode == 2 or random.random() < 0.1 else b"a\xc3\xbc" * size
        payload = payload[:size]
        wrong = random.random()
        if wrong < 0.02:
            opcode = random.randrange(8)
        elif wrong < 0.04:
            final = not final
        elif wrong < 0.06:
            mask = not mask
        elif wrong < 0.09 and not begun:
            opcode, payload = 8, random.choice((b"", b"\x03", b"\x03\xe8bye", b"\x03\xe8\xff", b"\x0b\xb8"))
        frame = bytearray(encodeFrame(opcode, payload, random.randbytes(4) if mask else None, final))
        if wrong > 0.99:
            frame[0] |= random.choice((0x10, 0x20, 0x40))
        return bytes(frame), not final if opcode < 8 else begun

    def test_two(self) -> None:
        """
        Both hear the same payload, Pings and Close, and fail the connection with the same code; wherever the
        stream is cut.
        """
        random = Random(20000)
        for _ in range(20000):
            mask = random.random() < 0.7
            begun, frames = False, []
            second = SecondReader(mask, 1 << 20)
            for _ in range(random.randrange(1, 8)):
                frame, begun = self.frame(random, mask, begun)
                frames.append(frame)
                second.feed(frame)
            stream = b"".join(frames)
            way = random.randrange(4)
            if way == 0:
                pieces = frames
            else:
                cuts = sorted(random.randrange(len(stream) + 1) for _ in range(way - 1))
                pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)])]
            payload, pings, closed, violation = hear(pieces, mask, views=random.random() < 0.5)
            code = None if violation is None else violation.code
            self.assertEqual((pings, closed, code), (second.pings, second.closed, second.code), stream[:300])
            if code == CloseCode.INVALID_PAYLOAD and way:
                payload = payload[: len(second.payload)]  # the text before the cut was given already
            self.assertTrue(payload == second.payload, stream[:300])
