"""
The masking of WebSocket frames (RFC 6455, section 5.3), as fast as this machine can.

Every octet that a client sends is combined with one of four others.  Three ways, measured in microseconds for
64 octets and for 256 KiB: C{websockets}' extension where it is installed (0.1 and 5), autobahn's for large
pieces (3 and 31), and integers or translation tables in plain Python (0.5 and 480).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
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

    @cache
    def native() -> Callable[[bytes, int], Any] | None:
        """
        What makes autobahn's maskers, if it has one.  autobahn takes longer to import than the rest of xtls,
        so that is put off until there is a long piece.
        """
        try:
            if load("autobahn.websocket").USES_NVX:
                create: Callable[[bytes, int], Any] = load("autobahn.websocket.xormasker").create_xor_masker
                return create
        except (ImportError, AttributeError):
            pass
        return None

    def maskWithout(data: _Buffer, key: bytes) -> bytes:
        """
        Mask without C{websockets}.
        """
        create = native() if len(data) >= _SHORTEST_PIECE else None
        if create is None:
            return maskPure(data, key)
        masked: bytes = create(key, len(data)).process(data)
        return masked

    return maskWithout


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
