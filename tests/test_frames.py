"""
WebSocket frames as values and as octets, by the sections of RFC 6455.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from xtls.wire import frames
from xtls.wire.frames import (
    CHUNK,
    LONGEST_BINARY,
    Buffer,
    Close,
    CloseCode,
    Opcode,
    ProtocolViolation,
    encodeBinary,
    encodeClose,
    encodeFrame,
    parseClose,
)

KEY = b"\x37\xfa\x21\x3d"


class EncodeTests(SynchronousTestCase):
    """
    Frames as they are sent.
    """

    def test_examples(self) -> None:
        """
        The standard's own frames (section 5.7), octet for octet.
        """
        for frame, octets in (
            (encodeFrame(Opcode.TEXT, b"Hello"), "810548656c6c6f"),
            (encodeFrame(Opcode.TEXT, b"Hello", KEY), "818537fa213d7f9f4d5158"),
            (encodeFrame(Opcode.TEXT, b"Hel", final=False), "010348656c"),
            (encodeFrame(Opcode.CONTINUATION, b"lo"), "80026c6f"),
            (encodeFrame(Opcode.BINARY, bytes(256))[:4], "827e0100"),
            (encodeFrame(Opcode.BINARY, bytes(65536))[:10], "827f0000000000010000"),
        ):
            self.assertEqual(frame.hex(), octets)

    def test_binary(self) -> None:
        """
        A binary message that is sent at once is the same frame, whatever its size and from whatever buffer.
        """
        random = Random(8)
        for size in (0, 1, 125, 126, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 200001, LONGEST_BINARY):
            payload = random.randbytes(size)
            for data in (payload, memoryview(payload)):
                for key in (None, KEY):
                    self.assertTrue(encodeBinary(data, key) == encodeFrame(Opcode.BINARY, payload, key), size)

    def test_inItself(self) -> None:
        """
        A long frame can be the payload of another, as in a stream inside a stream, without a copy of it.
        """
        random = Random(9)
        for outer in (None, KEY):
            for inner in (None, KEY):
                for size in (CHUNK, 2 * CHUNK - 14, 2 * CHUNK, 150000):
                    payload = random.randbytes(size)
                    frame: Buffer = encodeBinary(payload, inner)
                    self.assertIs(getattr(frame, "obj", None), frames._frame.obj)
                    expected = encodeFrame(Opcode.BINARY, bytes(frame), outer)
                    self.assertTrue(encodeBinary(frame, outer) == expected, size)


class CloseTests(SynchronousTestCase):
    """
    Close frames as values and as octets.
    """

    def test_clean(self) -> None:
        """
        A peer that is done, that goes away, or that gives no code has nothing to complain of.
        """
        clean = [code for code in (1000, 1001, 1002, 1005, 1009, 1011, 4000) if Close(code).clean]
        self.assertEqual(clean, [1000, 1001, 1005])

    def test_encode(self) -> None:
        """
        A Close frame has its code and its reason, if there is a code; a client's is masked.
        """
        self.assertEqual(encodeClose(1011), b"\x88\x02\x03\xf3")
        self.assertEqual(encodeClose(1000, "done"), b"\x88\x06\x03\xe8done")
        self.assertEqual(encodeClose(1000, "", KEY), b"\x88\x82" + KEY + b"\x34\x12")
        self.assertEqual(encodeClose(CloseCode.NO_STATUS), b"\x88\x00")

    def test_parse(self) -> None:
        """
        What is sent is read as it was meant.
        """
        for code, reason in ((1000, "done"), (1011, ""), (CloseCode.NO_STATUS, "")):
            self.assertEqual(parseClose(encodeClose(code, reason)[2:]), Close(code, reason))

    def test_wrong(self) -> None:
        """
        A Close has no payload, or a code that may be sent and a reason in UTF-8 (sections 5.5.1 and 7.4).
        """
        for payload, code in (
            (b"\x03", CloseCode.PROTOCOL_ERROR),
            (b"\x03\xe7", CloseCode.PROTOCOL_ERROR),
            (b"\x03\xe8\xff", CloseCode.INVALID_PAYLOAD),
        ):
            violation = parseClose(payload)
            assert isinstance(violation, ProtocolViolation)
            self.assertEqual(violation.code, code)

    def test_closeCodes(self) -> None:
        """
        Codes that are reserved, unknown or never sent are refused.
        """
        good = {1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999}
        for code in (0, 999, *range(1000, 1020), 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535):
            close = parseClose(code.to_bytes(2, "big"))
            self.assertEqual(isinstance(close, Close), code in good, code)

    def test_longReason(self) -> None:
        """
        A reason that is too long is cut between two characters.
        """
        self.assertEqual(parseClose(encodeClose(1000, "\u20ac" * 100)[2:]), Close(1000, "\u20ac" * 41))
