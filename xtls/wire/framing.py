"""
WebSocket frames (RFC 6455, section 5) for a byte stream: octets in, octets out, no transport.

To a byte stream the borders of messages mean nothing.  So L{FrameReader.feed} gives the payload of all data
frames that have arrived as one piece, and gives the payload of an unfinished frame as far as it is there: the
reader never keeps more than the head of a frame and one control frame (139 octets).  What is not payload (a
Ping, the Close, a violation of the standard) is left in attributes, to be looked at after each C{feed}.

No input makes a reader raise: whatever a peer sends wrong is a L{ProtocolViolation}, a value, after which the
reader ignores what follows, as it does after a Close.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from xtls.wire.masking import mask

__all__ = ["Close", "CloseCode", "FrameReader", "Opcode", "ProtocolViolation", "encodeClose", "encodeFrame"]

Buffer = bytes | memoryview


class Opcode(IntEnum):
    """
    What a frame is (RFC 6455, section 11.8).
    """

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """
    Why a connection is closed (RFC 6455, section 7.4.1), as far as xtls says so itself.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    #: Never sent: there was a Close frame, and no code in it.
    NO_STATUS = 1005
    INVALID_PAYLOAD = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011


@dataclass(frozen=True)
class Close:
    """
    The Close frame that the peer sent (RFC 6455, section 5.5.1).

    @ivar code: its status code; L{CloseCode.NO_STATUS} when it has none.
    """

    code: int
    reason: str = ""

    @property
    def clean(self) -> bool:
        """
        Whether the peer had nothing to complain of.
        """
        return self.code in (CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_STATUS)


@dataclass(frozen=True)
class ProtocolViolation:
    """
    What the peer sent is against the standard or our limit: fail the connection (RFC 6455, section 7.1.7).

    @ivar code: the status code to close with.
    @ivar problem: what was wrong, with the section that says so; short enough for a Close frame.
    """

    code: CloseCode
    problem: str


#: No control frame has a longer payload (RFC 6455, section 5.5).
LONGEST_CONTROL: Final = 125

#: The first octet of a frame: no more fragments follow; reserved; the opcode (RFC 6455, section 5.2).
_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F

#: A binary message in one frame: nearly all frames begin so.
_WHOLE_BINARY: Final = _FINAL | Opcode.BINARY

#: The second octet: whether the payload is masked, and its length or one of two that mean "follows".
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127

_HEAD: Final = Struct(">BB").pack
_HEAD_16: Final = Struct(">BBH").pack
_HEAD_64: Final = Struct(">BBQ").pack
_CODE: Final = Struct(">H")

#: Status codes that may be sent: the standard's own, and those registered since (RFC 6455, sections 7.4.1
#: and 11.7); 3000 to 4999 belong to others (section 7.4.2).
_SENDABLE: Final = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))

#: Up to here a copy costs less than to read through a view.
_SMALL: Final = 16384

_DATA: Final = (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY)
_CONTROL: Final = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)


def encodeFrame(opcode: int, payload: Buffer, maskKey: bytes | None = None, final: bool = True) -> bytes:
    """
    One frame (RFC 6455, section 5.2).

    @param payload: a view need only be valid during this call.
    @param maskKey: four octets; clients mask every frame, servers none (section 5.1).
    @param final: whether it is the last frame of its message.
    """
    size = len(payload)
    first = opcode | _FINAL if final else opcode
    if maskKey is None:
        return b"".join((_head(first, size, 0), payload))
    return b"".join((_head(first, size, _MASKED), maskKey, mask(payload, maskKey)))


def _head(first: int, size: int, masked: int) -> bytes:
    """
    The first octet and the length, in its shortest form.
    """
    if size < _LENGTH_16:
        return _HEAD(first, masked | size)
    if size <= 0xFFFF:
        return _HEAD_16(first, masked | _LENGTH_16, size)
    return _HEAD_64(first, masked | _LENGTH_64, size)


def encodeClose(code: int, reason: str = "", maskKey: bytes | None = None) -> bytes:
    """
    A Close frame (RFC 6455, section 5.5.1).

    @param code: L{CloseCode.NO_STATUS} is sent as an empty payload.
    @param reason: cut at the last character that fits.
    """
    payload = b""
    if code != CloseCode.NO_STATUS:
        text = reason.encode("utf-8", "replace")[: LONGEST_CONTROL - _CODE.size]
        payload = _CODE.pack(code) + text.decode("utf-8", "ignore").encode("utf-8")
    return encodeFrame(Opcode.CLOSE, payload, maskKey)


def parseClose(payload: bytes) -> Close | ProtocolViolation:
    """
    Read the payload of a Close frame (RFC 6455, sections 5.5.1 and 7.4).
    """
    if not payload:
        return Close(CloseCode.NO_STATUS)
    if len(payload) < _CODE.size:
        return ProtocolViolation(CloseCode.PROTOCOL_ERROR, "half a status code (section 5.5.1)")
    (code,) = _CODE.unpack_from(payload)
    if code not in _SENDABLE and not 3000 <= code <= 4999:
        return ProtocolViolation(CloseCode.PROTOCOL_ERROR, f"{code} is not a status code (section 7.4)")
    try:
        return Close(code, payload[_CODE.size :].decode("utf-8"))
    except UnicodeDecodeError:
        return ProtocolViolation(CloseCode.INVALID_PAYLOAD, "the reason is not UTF-8 (section 5.5.1)")


class FrameReader:
    """
    Reads the frames of one peer.

    @ivar pings: the payloads of Pings, in order; who answers them clears the list.
    @ivar closed: the peer's Close frame, when it has come.
    @ivar violation: what the peer did wrong, if anything.
    @ivar ended: whether one of the two has come, so that everything that follows is ignored.
    """

    __slots__ = (
        "_expectMasked",
        "_final",
        "_inMessage",
        "_kept",
        "_key",
        "_left",
        "_maxMessage",
        "_room",
        "_text",
        "closed",
        "ended",
        "pings",
        "violation",
    )

    def __init__(self, expectMasked: bool, maxMessage: int) -> None:
        """
        @param expectMasked: whether the peer is a client, which masks (RFC 6455, section 5.1).
        @param maxMessage: the longest message to accept, in octets.
        """
        self._expectMasked = expectMasked
        self._maxMessage = maxMessage
        self.pings: list[bytes] = []
        self.closed: Close | None = None
        self.violation: ProtocolViolation | None = None
        self.ended = False
        self._kept = b""  # the beginning of a frame that cannot be read yet
        self._left = 0  # octets that are to come of the payload of the present data frame
        self._key: bytes | None = None  # its masking key, turned so that it fits the next octet
        self._final = True  # whether it is the last of its message
        self._inMessage = False  # whether the next data frame must continue a message
        self._room = maxMessage  # octets that the present message may still have
        self._text: codecs.IncrementalDecoder | None = None  # in a text message, what checks it

    def feed(self, data: Buffer) -> Buffer:
        """
        Take what has arrived.

        @param data: a view need only be valid until the caller is done with the answer.
        @return: the payload in it, in order, perhaps none.  It may be a view of C{data}.
        """
        if self.ended:
            return b""
        if self._kept:
            data = self._kept + data
            self._kept = b""
        elif len(data) <= _SMALL:
            data = bytes(data)
        pieces: list[Buffer] = []
        at = self._payload(data, 0, pieces) if self._left else 0
        while len(data) - at >= 2 and not self.ended:
            if not self._inMessage:
                at = self._wholeMessages(data, at, pieces)
            following = self._frame(data, at, pieces)
            if following == at:
                break
            at = following
        if at < len(data) and not self.ended:
            self._kept = bytes(data[at:])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _wholeMessages(self, data: Buffer, at: int, pieces: list[Buffer]) -> int:
        """
        Read binary messages of up to 64 KiB, each in one frame, as long as there is nothing else: the
        fast path.  Whatever is not as it should be is left for L{_frame}.

        @return: where the first octet is that does not belong to one.
        """
        end, longest = len(data), self._maxMessage
        masked, keySize = (_MASKED, 4) if self._expectMasked else (0, 0)
        while end - at >= 4 and data[at] == _WHOLE_BINARY:
            size = data[at + 1] ^ masked
            start = at + 2 + keySize
            if size >= _LENGTH_16:
                if size != _LENGTH_16:
                    break
                size = data[at + 2] << 8 | data[at + 3]
                start += 2
                if size < _LENGTH_16:
                    break
            stop = start + size
            if stop > end or size > longest:
                break
            piece = data[start:stop]
            pieces.append(mask(piece, bytes(data[start - 4 : start])) if masked else piece)
            at = stop
        return at

    def _frame(self, data: Buffer, at: int, pieces: list[Buffer]) -> int:
        """
        Read one frame of any kind, or a data frame as far as it is there.

        @return: where what follows begins; C{at} when there is too little to go on with.
        """
        if len(data) - at < 2:
            return at
        first, second = data[at], data[at + 1]
        problem = self._headProblem(first, second)
        if problem:
            return self._fail(problem, len(data))
        size, start = second & _LENGTH, at + 2
        if size >= _LENGTH_16:
            start += 2 if size == _LENGTH_16 else 8
            if start > len(data):
                return at
            following = int.from_bytes(data[at + 2 : start], "big")
            if following <= (_LENGTH_16 - 1 if size == _LENGTH_16 else 0xFFFF) or following >> 63:
                return self._fail("a length that is not in its shortest form (section 5.2)", len(data))
            size = following
        key = None
        if self._expectMasked:
            start += 4
            if start > len(data):
                return at
            key = bytes(data[start - 4 : start])
        if first & _OPCODE in _CONTROL:
            if start + size > len(data):
                return at
            payload = bytes(data[start : start + size])
            self._control(first & _OPCODE, payload if key is None else mask(payload, key))
            return start + size
        if size > self._room:
            problem = f"a message of more than {self._maxMessage} octets"
            return self._fail(problem, len(data), CloseCode.TOO_BIG)
        self._begin(first, size, key)
        return self._payload(data, start, pieces)

    def _headProblem(self, first: int, second: int) -> str:
        """
        What is wrong with the first two octets of a frame (RFC 6455, sections 5.1 to 5.5), if anything.
        """
        opcode = first & _OPCODE
        if first & _RESERVED:
            return "a reserved bit is set (section 5.2)"
        if bool(second & _MASKED) is not self._expectMasked:
            return "a frame that is not masked" if self._expectMasked else "a frame that is masked"
        if opcode in _CONTROL:
            if not first & _FINAL:
                return "a control frame in fragments (section 5.5)"
            if second & _LENGTH > LONGEST_CONTROL:
                return "a control frame of more than 125 octets (section 5.5)"
        elif opcode not in _DATA:
            return f"opcode {opcode} is reserved (section 5.2)"
        elif (opcode == Opcode.CONTINUATION) is not self._inMessage:
            return "a fragment out of its order (section 5.4)"
        return ""

    def _fail(self, problem: str, end: int, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> int:
        """
        The peer broke a rule.

        @return: C{end}, for nothing more is read.
        """
        self.violation = ProtocolViolation(code, problem)
        self.ended = True
        return end

    def _control(self, opcode: int, payload: bytes) -> None:
        """
        A control frame is complete (RFC 6455, section 5.5).  A Pong needs no answer, asked for or not.
        """
        if opcode == Opcode.PING:
            self.pings.append(payload)
        elif opcode == Opcode.CLOSE:
            self.ended = True
            close = parseClose(payload)
            if isinstance(close, Close):
                self.closed = close
            else:
                self.violation = close

    def _begin(self, first: int, size: int, key: bytes | None) -> None:
        """
        A data frame begins.
        """
        if first & _OPCODE == Opcode.TEXT:
            self._text = codecs.getincrementaldecoder("utf-8")()
        self._final = bool(first & _FINAL)
        self._inMessage = True
        self._left = size
        self._key = key
        self._room -= size

    def _payload(self, data: Buffer, at: int, pieces: list[Buffer]) -> int:
        """
        Take what is there of the present frame's payload.

        @return: where what follows begins.
        """
        stop = min(at + self._left, len(data))
        piece: Buffer = data[at:stop]
        taken = stop - at
        self._left -= taken
        key = self._key
        if key is not None:
            piece = mask(piece, key)
            turn = taken & 3
            self._key = key[turn:] + key[:turn]
        ends = self._final and not self._left
        if self._text is not None:
            try:
                self._text.decode(bytes(piece), ends)
            except UnicodeDecodeError:
                problem = "a text that is not UTF-8 (section 8.1)"
                return self._fail(problem, len(data), CloseCode.INVALID_PAYLOAD)
        pieces.append(piece)
        if ends:
            self._inMessage = False
            self._text = None
            self._room = self._maxMessage
        return stop
