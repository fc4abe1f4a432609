"""
DER by hand (X.690): for certificates that no library would make.
"""

from __future__ import annotations

from datetime import datetime

__all__ = ["bitString", "boolean", "children", "integer", "oid", "sequence", "tlv", "utcTime", "whole"]


def tlv(tag: int, content: bytes) -> bytes:
    """
    One value, with its tag and its length.
    """
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*parts: bytes) -> bytes:
    """
    A SEQUENCE of values that are encoded already.
    """
    return tlv(0x30, b"".join(parts))


def integer(value: int | bytes) -> bytes:
    """
    An INTEGER; or its octets as they are given, however wrong.
    """
    if isinstance(value, int):
        value = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return tlv(0x02, value)


def boolean(value: bool) -> bytes:
    """
    A BOOLEAN.
    """
    return tlv(0x01, b"\xff" if value else b"\0")


def bitString(data: bytes) -> bytes:
    """
    A BIT STRING of whole octets.
    """
    return tlv(0x03, b"\0" + data)


def oid(dotted: str) -> bytes:
    """
    An OBJECT IDENTIFIER.
    """
    first, second, *others = (int(each) for each in dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *others):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(0x80 | arc & 0x7F)
        content += bytes(reversed(octets))
    return tlv(0x06, bytes(content))


def utcTime(when: datetime) -> bytes:
    """
    A Time as certificates have it: UTCTime before 2050, GeneralizedTime from then on (RFC 5280, section
    4.1.2.5).
    """
    if 1950 <= when.year < 2050:
        return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    return tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def _header(data: bytes) -> tuple[int, int]:
    """
    How long the tag and the length of the first value are, and its content.
    """
    if len(data) < 2:
        return 0, 0
    if data[1] < 0x80:
        return 2, data[1]
    octets = data[1] & 0x7F
    return 2 + octets, int.from_bytes(data[2 : 2 + octets], "big")


def whole(data: bytes) -> bytes:
    """
    The first value of some octets, with its tag and its length.
    """
    header, length = _header(data)
    return data[: header + length]


def children(data: bytes) -> list[bytes]:
    """
    The values within the first value, each with its tag and its length.
    """
    header, length = _header(data)
    rest = data[header : header + length]
    found = []
    while rest:
        found.append(whole(rest))
        rest = rest[len(found[-1]) :]
    return found
