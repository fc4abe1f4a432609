"""
Versions of TLS that nobody should speak any more: how to ask whether a server still does.

OpenSSL refuses to speak them, and so the one message that is needed is made here by hand: a ClientHello for
TLS 1.1 (RFC 4346, section 7.4.1.2) that a server of 1.0 can answer too.  The answer ends the conversation.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["VERSIONS", "answeredVersion", "oldClientHello"]

#: The versions on the wire.
VERSIONS: Final = {b"\x03\x00": "SSLv3", b"\x03\x01": "TLSv1.0", b"\x03\x02": "TLSv1.1"}

#: The suites that servers of that time have: ECDHE, DHE and RSA with AES, RSA with 3DES; and that there is
#: no renegotiation (RFC 5746, section 3.3).
_SUITES: Final = (
    0xC009, 0xC00A, 0xC013, 0xC014, 0x0033, 0x0039, 0x002F, 0x0035, 0x000A, 0x00FF,
)  # fmt: skip

#: Record types (RFC 8446, section 5.1), and a ServerHello.
_HANDSHAKE, _SERVER_HELLO = 22, 2

#: Octets before the version in the record of a ServerHello: the headers of record and message.
_BEFORE: Final = 9

_RANDOM_SIZE: Final = 32


def _vector(data: bytes, size: str = "!H") -> bytes:
    """
    Octets with their number before them.
    """
    return struct.pack(size, len(data)) + data


def oldClientHello(serverName: bytes | None, random: bytes) -> bytes:
    """
    Ask for TLS 1.1, or 1.0.

    @param serverName: the name to ask for, if any (RFC 6066, section 3).
    @param random: 32 octets.
    @return: what to send, one record.
    """
    if len(random) != _RANDOM_SIZE:
        raise ValueError(f"expected {_RANDOM_SIZE} octets")
    extensions = b""
    if serverName is not None:
        extensions += struct.pack("!H", 0) + _vector(_vector(b"\x00" + _vector(serverName)))
    # P-256, P-384 and P-521, uncompressed (RFC 8422, section 5.1)
    extensions += struct.pack("!H", 10) + _vector(_vector(struct.pack("!3H", 23, 24, 25)))
    extensions += struct.pack("!H", 11) + _vector(_vector(b"\x00", "!B"))
    body = b"\x03\x02" + random + _vector(b"", "!B")
    body += _vector(struct.pack(f"!{len(_SUITES)}H", *_SUITES)) + _vector(b"\x00", "!B") + _vector(extensions)
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return bytes([_HANDSHAKE]) + b"\x03\x01" + _vector(message)


def answeredVersion(data: bytes, final: bool = False) -> str | None:
    """
    What a server has answered.

    @param data: all that it has said.
    @param final: there is no more.
    @return: the version that it agrees to; empty when it refuses, by an alert or by hanging up; L{None} when
        there is not enough yet, or what it says is not TLS.
    """
    if not data:
        return "" if final else None
    if data[0] == _HANDSHAKE:
        if len(data) < _BEFORE + 2:
            return "" if final else None
        return VERSIONS.get(data[_BEFORE : _BEFORE + 2]) if data[5] == _SERVER_HELLO else None
    return "" if data[0] == 21 else None  # an alert
