"""
WebSocket frames (RFC 6455, section 5) as values, and as they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from xtls.wire.masking import mask

__all__ = [
    "Buffer",
    "Close",
    "CloseCode",
    "Opcode",
    "ProtocolViolation",
    "encodeBinary",
    "encodeClose",
    "encodeFrame",
    "parseClose",
]

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

#: The longest payload that L{encodeBinary} takes, in octets.
LONGEST_BINARY: Final = 1 << 18

#: The first octet of a frame: no more fragments follow, and the opcode (RFC 6455, section 5.2).
FINAL: Final = 0x80

#: A binary message in one frame: nearly all frames begin so.
WHOLE_BINARY: Final = FINAL | Opcode.BINARY

#: The second octet: whether the payload is masked, and its length or one of two that mean "follows".
MASKED: Final = 0x80
LENGTH_16: Final = 126
LENGTH_64: Final = 127

#: Octets that are masked at a time, a multiple of four: what is longer costs a mapping of memory each time.
CHUNK: Final = 1 << 16

_HEAD: Final = Struct(">BB").pack
_HEAD_16: Final = Struct(">BBH").pack
_HEAD_64: Final = Struct(">BBQ").pack
_CODE: Final = Struct(">H")

_SHORT_HEADS: Final = tuple(_HEAD(WHOLE_BINARY, size) for size in range(LENGTH_16))
_SHORT_MASKED_HEADS: Final = tuple(_HEAD(WHOLE_BINARY, MASKED | size) for size in range(LENGTH_16))

#: Holds one long frame, from when it is encoded to when it is sent.
_frame: Final = memoryview(bytearray(LONGEST_BINARY + 16))

#: Status codes that may be sent: the standard's own, and those registered since (RFC 6455, sections 7.4.1
#: and 11.7); 3000 to 4999 belong to others (section 7.4.2).
_SENDABLE: Final = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))


def encodeFrame(opcode: int, payload: Buffer, maskKey: bytes | None = None, final: bool = True) -> bytes:
    """
    One frame (RFC 6455, section 5.2).

    @param payload: a view need only be valid during this call.
    @param maskKey: four octets; clients mask every frame, servers none (section 5.1).
    @param final: whether it is the last frame of its message.
    """
    size = len(payload)
    first = opcode | FINAL if final else opcode
    if maskKey is None:
        return b"".join((_head(first, size, 0), payload))
    return b"".join((_head(first, size, MASKED), maskKey, mask(payload, maskKey)))


def encodeBinary(payload: Buffer, maskKey: bytes | None = None) -> Buffer:
    """
    A binary message in one frame, to be sent at once.

    @param payload: at most L{LONGEST_BINARY} octets; a view need only be valid during this call.
    @return: the same octets as from L{encodeFrame}, but only valid until the next call.
    """
    size = len(payload)
    if size >= CHUNK:
        return _encodeLong(payload, size, maskKey)
    if maskKey is None:
        head = _SHORT_HEADS[size] if size < LENGTH_16 else _HEAD_16(WHOLE_BINARY, LENGTH_16, size)
        return head + payload
    head = _SHORT_MASKED_HEADS[size] if size < LENGTH_16 else _head(WHOLE_BINARY, size, MASKED)
    return head + maskKey + mask(payload, maskKey)


def _encodeLong(payload: Buffer, size: int, maskKey: bytes | None) -> memoryview:
    """
    Encode in the buffer of the process.  The payload may be in it too, where a stream is inside another: so
    the head is written last, and of the payload the end first.
    """
    if maskKey is None:
        head = _head(WHOLE_BINARY, size, 0)
        start = len(head)
        _frame[start : start + size] = payload
    else:
        head = _head(WHOLE_BINARY, size, MASKED) + maskKey
        start = len(head)
        for at in range((size - 1) // CHUNK * CHUNK, -1, -CHUNK):
            piece = mask(payload[at : at + CHUNK], maskKey)
            _frame[start + at : start + at + len(piece)] = piece
    _frame[:start] = head
    return _frame[: start + size]


def _head(first: int, size: int, masked: int) -> bytes:
    """
    The first octet and the length, in its shortest form.
    """
    if size < LENGTH_16:
        return _HEAD(first, masked | size)
    if size <= 0xFFFF:
        return _HEAD_16(first, masked | LENGTH_16, size)
    return _HEAD_64(first, masked | LENGTH_64, size)


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
