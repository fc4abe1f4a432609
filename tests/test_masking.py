"""
The masking of WebSocket frames.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from xtls.wire import masking


def plainly(data: bytes, key: bytes) -> bytes:
    """
    What RFC 6455, section 5.3 says, letter by letter.
    """
    return bytes(octet ^ key[i % 4] for i, octet in enumerate(data))


def withoutModules(*names: str) -> Callable[[str], Any]:
    """
    An import on a machine that lacks some modules.
    """

    def load(name: str) -> Any:
        if name in names:
            raise ImportError(name)
        return import_module(name)

    return load


class MaskTests(SynchronousTestCase):
    """
    Every way to mask gives the same octets.
    """

    def test_everySize(self) -> None:
        """
        Whichever extension is installed, and whatever the size, the result is what the standard says.
        """
        random = Random(1)
        ways = (
            masking.mask,
            masking.maskInteger,
            masking.maskPure,
            masking.masker(withoutModules("websockets.speedups")),
            masking.masker(withoutModules("websockets.speedups", "autobahn.websocket")),
        )
        for size in (*range(20), 127, 128, 129, 1023, 1024, 1025, 1026, 1027, 2047, 2048, 5001):
            data, key = random.randbytes(size), random.randbytes(4)
            for way in ways:
                self.assertEqual(way(data, key), plainly(data, key), (way, size))
                self.assertEqual(way(memoryview(data), key), plainly(data, key), (way, size))

    def test_withoutNative(self) -> None:
        """
        Where autobahn was built or told to do without its extension, plain Python masks.
        """

        def load(name: str) -> Any:
            if name == "autobahn.websocket":
                return SimpleNamespace(USES_NVX=False)
            raise ImportError(name)

        data, key = Random(2).randbytes(5000), b"abcd"
        self.assertEqual(masking.masker(load)(data, key), plainly(data, key))

    def test_whenNeeded(self) -> None:
        """
        autobahn, which takes long to import, is not imported before there is a long piece, and then once.
        """
        loaded = []

        def load(name: str) -> Any:
            loaded.append(name)
            raise ImportError(name)

        way = masking.masker(load)
        way(bytes(2047), b"abcd")
        self.assertEqual(loaded, ["websockets.speedups"])
        for _ in range(3):
            way(bytes(2048), b"abcd")
        self.assertEqual(loaded, ["websockets.speedups", "autobahn.websocket"])

    def test_keys(self) -> None:
        """
        Keys are four octets and do not repeat, also when the entropy that was fetched is used up.
        """
        keys = [masking.nextMaskKey() for _ in range(3000)]
        self.assertEqual({len(key) for key in keys}, {4})
        self.assertGreater(len(set(keys)), 2990)
