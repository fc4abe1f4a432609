"""
As much of WebSocket (RFC 6455) as a load generator needs: frames made beforehand, and octets counted.
"""

from __future__ import annotations

from typing import Final

_MASK: Final = b"\x12\x34\x56\x78"

#: What the answer to an opening begins with.
SWITCHING: Final = b"HTTP/1.1 101 "


def opening(port: int) -> bytes:
    """
    The request of a client (section 4.1).  Its key is RFC 6455's own example.
    """
    return (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: binary\r\n\r\n"
    ).encode("ascii")


def frame(payload: bytes) -> bytes:
    """
    One binary message of a client, masked (section 5.2).
    """
    length = len(payload)
    if length < 126:
        head = bytes([0x82, 0x80 | length])
    elif length < 1 << 16:
        head = b"\x82\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + length.to_bytes(8, "big")
    mask = (_MASK * (length // 4 + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + _MASK + masked.to_bytes(length, "big")


class Counter:
    """
    Counts the octets of messages in what a server sends.
    """

    def __init__(self, kept: bytearray | None = None) -> None:
        """
        @param kept: gets the octets too.
        """
        self._kept = kept
        self._left = 0
        self._counts = True
        self._head = b""

    def count(self, data: bytes | memoryview) -> int:
        """
        Take what has arrived.

        @return: how many octets of messages there are in it.
        """
        length = len(data)
        if length <= self._left and self._counts and self._kept is None:
            self._left -= length
            return length
        total = offset = 0
        while offset < length:
            if self._left:
                taken = min(self._left, length - offset)
                if self._counts and self._kept is not None:
                    self._kept += data[offset : offset + taken]
                self._left -= taken
                offset += taken
                total += taken if self._counts else 0
                continue
            offset += self._takeHead(data[offset : offset + 10])
        return total

    def _takeHead(self, data: bytes | memoryview) -> int:
        """
        Read the head of a frame, or a part of it.

        @return: how many octets of what was given belong to it.
        """
        before = len(self._head)
        head = self._head + bytes(data)
        short = head[1] & 0x7F if len(head) > 1 else 0
        needed = 2 + {126: 2, 127: 8}.get(short, 0)
        if len(head) < needed:
            self._head = head
            return len(data)
        self._head = b""
        self._left = int.from_bytes(head[2:needed], "big") if needed > 2 else short
        self._counts = head[0] & 0x0F < 3  # not those that control the connection
        return needed - before
