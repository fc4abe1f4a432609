"""
The masking of WebSocket frames (RFC 6455, section 5.3), as fast as this machine can.

Every octet that a client sends is combined with one of four others.  Three ways, measured in microseconds for
64 octets and for 256 KiB: C{websockets}' extension where it is installed (0.1 and 5), autobahn's for large
pieces (3 and 31), and integers or translation tables in plain Python (0.5 and 480).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

__all__ = ["mask", "nextMaskKey"]

_Buffer = bytes | memoryview

#: Up to here one long integer is quicker than four translations.
_LONGEST_INTEGER: Final = 1024

#: From here on autobahn's masker, which is an object for each piece, is quicker than plain Python.
_SHORTEST_PIECE: Final = 2048

#: Combines each octet with the one that the table is for.
_TABLES: Final = tuple(bytes(octet ^ other for octet in range(256)) for other in range(256))

#: Octets of entropy fetched at a time: a call to the system for each frame costs more than the frame.
_KEYS_AT_A_TIME: Final = 4096


def maskInteger(data: _Buffer, key: bytes) -> bytes:
    """
    Mask as one long integer.
    """
    size = len(data)
    repeated = (key * ((size + 3) >> 2))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")


def maskPure(data: _Buffer, key: bytes) -> bytes:
    """
    Mask without any extension.
    """
    if len(data) <= _LONGEST_INTEGER:
        return maskInteger(data, key)
    masked = bytearray(data)
    for i in range(4):
        masked[i::4] = masked[i::4].translate(_TABLES[key[i]])
    return bytes(masked)


def masker(load: Callable[[str], Any] = import_module) -> Callable[[_Buffer, bytes], bytes]:
    """
    The best way to mask that is installed.

    @param load: imports a module by its name.
    """
    try:
        best: Callable[[_Buffer, bytes], bytes] = load("websockets.speedups").apply_mask
        return best
    except (ImportError, AttributeError):
        pass
    try:
        if not load("autobahn.websocket").USES_NVX:
            return maskPure
        create = load("autobahn.websocket.xormasker").create_xor_masker
    except (ImportError, AttributeError):
        return maskPure

    def maskNatively(data: _Buffer, key: bytes) -> bytes:
        size = len(data)
        if size < _SHORTEST_PIECE:
            return maskPure(data, key)
        masked: bytes = create(key, size).process(data)
        return masked

    return maskNatively


def _maskKeys() -> Iterator[bytes]:
    """
    Masking keys that nobody can foresee, for ever (RFC 6455, section 5.3).
    """
    while True:
        entropy = os.urandom(_KEYS_AT_A_TIME)
        for at in range(0, _KEYS_AT_A_TIME, 4):
            yield entropy[at : at + 4]


#: C{mask(data, key)} masks octets with a key of four octets, or unmasks them: it is the same.
mask: Final = masker()

#: Makes the masking key of the next frame.
nextMaskKey: Final[Callable[[], bytes]] = _maskKeys().__next__
