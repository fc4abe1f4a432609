"""
WebSocket frames (RFC 6455, section 5) for a byte stream: octets in, octets out, no transport.

To a byte stream the borders of messages mean nothing.  So L{FrameReader.feed} gives the payload of all data
frames that have arrived as one piece, and gives the payload of an unfinished frame as far as it is there: the
reader never keeps more than the head of a frame and one control frame (139 octets).  What is not payload (a
Ping, the Close, a violation of the standard) is left in attributes, to be looked at after each C{feed}.

There are three ways through a reader, and each leaves to the next what is not as it should be: one binary
message and nothing else, which is most of what arrives on a connection that waits for answers; such messages
one after the other; and anything.  All that the standard asks for is asked for in the third.

No input makes a reader raise: whatever a peer sends wrong is a L{ProtocolViolation}, a value, after which the
reader ignores what follows, as it does after a Close.
"""

from __future__ import annotations

import codecs
from struct import Struct
from typing import Final

from xtls.wire.frames import (
    CHUNK,
    FINAL,
    LENGTH_16,
    LENGTH_64,
    LONGEST_CONTROL,
    MASKED,
    WHOLE_BINARY,
    Buffer,
    Close,
    CloseCode,
    Opcode,
    ProtocolViolation,
    encodeClose,
    encodeFrame,
    parseClose,
)
from xtls.wire.masking import mask
from xtls.wire.payload import CAPACITY, Payload

__all__ = ["Close", "CloseCode", "FrameReader", "Opcode", "ProtocolViolation", "encodeClose", "encodeFrame"]

#: The parts of the first two octets that are not in L{xtls.wire.frames}.
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F
_LENGTH: Final = 0x7F

#: First octets as numbers: L{Opcode}'s members are much slower.
_TEXT: Final = int(Opcode.TEXT)
_CLOSE: Final = FINAL | Opcode.CLOSE
_PING: Final = FINAL | Opcode.PING
_CONTROLS: Final = (_CLOSE, _PING, FINAL | Opcode.PONG)

#: From here on a first octet that may come is a control frame's.
_CONTROL: Final = _CLOSE

#: First octets that may come: where no message has begun, and where one has.
_BETWEEN: Final = frozenset((_TEXT, FINAL | _TEXT, int(Opcode.BINARY), WHOLE_BINARY, *_CONTROLS))
_WITHIN: Final = frozenset((int(Opcode.CONTINUATION), FINAL | Opcode.CONTINUATION, *_CONTROLS))

#: Read the lengths that follow.
_LONG: Final = Struct(">H").unpack_from
_LONGER: Final = Struct(">Q").unpack_from

#: Octets that are read at a time: what was kept may come before them.
_MOST: Final = CAPACITY - 139

#: Up to here a copy costs less than to read through a view.
_SMALL: Final = 16384


class FrameReader:
    """
    Reads the frames of one peer.

    @ivar pings: the payloads of Pings, in order; who answers them clears the list.
    @ivar closed: the peer's Close frame, when it has come.
    @ivar violation: what the peer did wrong, if anything.
    @ivar ended: whether one of the two has come, so that everything that follows is ignored.
    """

    __slots__ = (
        "_final",
        "_following",
        "_inMessage",
        "_kept",
        "_key",
        "_left",
        "_longestStraight",
        "_masked",
        "_maxMessage",
        "_room",
        "_second",
        "_straight",
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
        self._masked = MASKED if expectMasked else 0
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
        headSize = 6 if expectMasked else 2
        #: The longest that one short binary message may be, head and payload; and what its second octet has
        #: more than its length.
        self._longestStraight = min(LENGTH_16 - 1, maxMessage) + headSize
        self._second = self._masked - headSize
        self._following = self._masked + LENGTH_16  # the second octet of longer ones
        self._straight = self._longestStraight  # 0 while what arrives cannot be a message from its beginning

    def feed(self, data: Buffer) -> Buffer:
        """
        Take what has arrived.

        @param data: a view need only be valid until the caller is done with the answer.
        @return: the payload in it, in order, perhaps none; valid until the next call on any reader.  It may
            be a view of C{data}.
        """
        size = len(data)
        straight = self._straight
        if 6 <= size <= straight:
            data = bytes(data)
            if data[0] == WHOLE_BINARY and data[1] == size + self._second:
                return mask(data[6:], data[2:6]) if self._masked else data[2:]
        elif straight and 8 < size < CHUNK and data[0] == WHOLE_BINARY and data[1] == self._following:
            start = 8 if self._masked else 4
            length = data[2] << 8 | data[3]
            if length == size - start and LENGTH_16 <= length <= self._maxMessage:
                return mask(data[start:], bytes(data[4:8])) if self._masked else data[start:]
        if size <= _MOST:
            return self._feed(data)
        view = memoryview(data)
        return b"".join([bytes(self._feed(view[at : at + _MOST])) for at in range(0, size, _MOST)])

    def _feed(self, data: Buffer) -> Buffer:
        """
        Take what can be anything.
        """
        if self._kept:
            data = self._kept + data
            self._kept = b""
        elif len(data) <= _SMALL:
            data = bytes(data)
        payload = Payload()
        at = self._payload(data, 0, payload) if self._left else 0
        while len(data) - at >= 2 and not self.ended:
            if not self._inMessage:
                at = self._wholeMessages(data, at, payload)
            following = self._frame(data, at, payload)
            if following == at:
                break
            at = following
        self._kept = b"" if self.ended else bytes(data[at:])
        self._straight = 0 if self._kept or self._inMessage or self.ended else self._longestStraight
        return payload.taken()

    def _wholeMessages(self, data: Buffer, at: int, payload: Payload) -> int:
        """
        Read binary messages of up to 64 KiB, each in one frame, as long as there is nothing else, and not too
        many.  Whatever is not as it should be is left for L{_frame}.

        @return: where the first octet is that does not belong to one.
        """
        end, longest, began = len(data), self._maxMessage, at
        masked = self._masked
        keySize = 4 if masked else 0
        if payload.size >= CHUNK:
            payload.settle()
        append, enough = payload.pieces.append, min(end - 3, at + CHUNK)
        while at < enough and data[at] == WHOLE_BINARY:
            size = data[at + 1] ^ masked
            start = at + 2 + keySize
            if size >= LENGTH_16:
                if size != LENGTH_16:
                    break
                size = data[at + 2] << 8 | data[at + 3]
                start += 2
                if size < LENGTH_16:
                    break
            stop = start + size
            if stop > end or size > longest:
                break
            piece = data[start:stop]
            append(mask(piece, bytes(data[start - 4 : start])) if masked else piece)
            at = stop
        payload.size += at - began
        return at

    def _frame(self, data: Buffer, at: int, payload: Payload) -> int:
        """
        Read one frame of any kind, or a data frame as far as it is there.

        @return: where what follows begins; C{at} when there is too little to go on with.
        """
        end = len(data)
        if end - at < 2:
            return at
        first, second = data[at], data[at + 1]
        size = second & _LENGTH
        if (
            first not in (_WITHIN if self._inMessage else _BETWEEN)
            or second & MASKED != self._masked
            or (first >= _CONTROL and size > LONGEST_CONTROL)
        ):
            return self._fail(self._headProblem(first, second), end)
        start = at + 2
        if size >= LENGTH_16:
            longer = size == LENGTH_64
            start += 8 if longer else 2
            if start > end:
                return at
            (size,) = _LONGER(data, at + 2) if longer else _LONG(data, at + 2)
            if size < (1 << 16 if longer else LENGTH_16) or size >> 63:
                return self._fail("a length that is not in its shortest form (section 5.2)", end)
        key = None
        if self._masked:
            start += 4
            if start > end:
                return at
            key = bytes(data[start - 4 : start])
        if first < _CONTROL:
            if size > self._room:
                return self._fail(f"a message of more than {self._maxMessage} octets", end, CloseCode.TOO_BIG)
            self._begin(first, size, key)
            return self._payload(data, start, payload)
        if start + size > end:
            return at
        said = bytes(data[start : start + size])
        self._control(first, said if key is None else mask(said, key))
        return start + size

    def _headProblem(self, first: int, second: int) -> str:
        """
        What is wrong with the first two octets of a frame (RFC 6455, sections 5.1 to 5.5).
        """
        opcode = first & _OPCODE
        if first & _RESERVED:
            return "a reserved bit is set (section 5.2)"
        if second & MASKED != self._masked:
            return "a frame that is not masked" if self._masked else "a frame that is masked"
        if opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
            if not first & FINAL:
                return "a control frame in fragments (section 5.5)"
            return "a control frame of more than 125 octets (section 5.5)"
        if opcode not in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            return f"opcode {opcode} is reserved (section 5.2)"
        return "a fragment out of its order (section 5.4)"

    def _fail(self, problem: str, end: int, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> int:
        """
        The peer broke a rule.

        @return: C{end}, for nothing more is read.
        """
        self.violation = ProtocolViolation(code, problem)
        self.ended = True
        self._left = 0
        return end

    def _control(self, first: int, payload: bytes) -> None:
        """
        A control frame is complete (RFC 6455, section 5.5).  A Pong needs no answer, asked for or not.
        """
        if first == _PING:
            self.pings.append(payload)
        elif first == _CLOSE:
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
        if first & _OPCODE == _TEXT:
            self._text = codecs.getincrementaldecoder("utf-8")()
        self._final = bool(first & FINAL)
        self._inMessage = True
        self._left = size
        self._key = key
        self._room -= size

    def _payload(self, data: Buffer, at: int, payload: Payload) -> int:
        """
        Take what is there of the present frame's payload.

        @return: where what follows begins.
        """
        stop = min(at + self._left, len(data))
        taken = stop - at
        self._left -= taken
        ends = self._final and not self._left
        key = self._key
        if self._text is not None:
            piece = bytes(data[at:stop]) if key is None else mask(data[at:stop], key)
            try:
                self._text.decode(piece, ends)
            except UnicodeDecodeError:
                problem = "a text that is not UTF-8 (section 8.1)"
                return self._fail(problem, len(data), CloseCode.INVALID_PAYLOAD)
            payload.add(piece)
        elif key is None:
            payload.add(data[at:stop])
        else:
            payload.addMasked(data, at, stop, key)
        if key is not None:
            turn = taken & 3
            self._key = key[turn:] + key[:turn]
        if ends:
            self._inMessage = False
            self._text = None
            self._room = self._maxMessage
        return stop
