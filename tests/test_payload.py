"""
The payload of one turn.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wires import everySplit
from xtls.wire import payload as module
from xtls.wire.frames import CHUNK
from xtls.wire.masking import mask
from xtls.wire.payload import CAPACITY, Payload

KEY = b"\x01\x82\x03\x84"


class PayloadTests(SynchronousTestCase):
    """
    Pieces that become one.
    """

    def test_nothing(self) -> None:
        """
        Nothing was found.
        """
        self.assertEqual(bytes(Payload().taken()), b"")

    def test_onePiece(self) -> None:
        """
        One piece is given as it is, however long.
        """
        for piece in (b"abc", memoryview(bytes(CAPACITY))):
            payload = Payload()
            payload.add(piece)
            self.assertIs(payload.taken(), piece)

    def test_oneMasked(self) -> None:
        """
        One masked piece is given without a copy, if it is not long.
        """
        for size in (0, 5, CHUNK):
            payload = Payload()
            payload.addMasked(bytes(size + 9), 4, size + 4, KEY)
            self.assertEqual(payload.taken(), mask(bytes(size), KEY))

    def test_inOrder(self) -> None:
        """
        Pieces of all kinds come out in order.
        """
        random = Random(4)
        sizes = (0, 1, 70, 5000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK)
        for _ in range(300):
            payload, expected, room = Payload(), b"", CAPACITY
            for _ in range(random.randrange(12)):
                piece = random.randbytes(random.choice(sizes))
                room -= len(piece)
                if room < 0:
                    break
                if random.random() < 0.5:
                    payload.addMasked(memoryview(mask(piece, KEY)), 0, len(piece), KEY)
                else:
                    payload.add(piece)
                expected += piece
            self.assertTrue(bytes(payload.taken()) == expected)

    def test_manyShort(self) -> None:
        """
        Many short pieces may be put there by who has them.
        """
        payload = Payload()
        for _ in range(CAPACITY // CHUNK):
            if payload.size >= CHUNK:
                payload.settle()
            payload.pieces += [b"0123456789abcdef"] * (CHUNK // 16)
            payload.size += CHUNK
        self.assertTrue(bytes(payload.taken()) == b"0123456789abcdef" * (CAPACITY // CHUNK * CHUNK // 16))

    def test_ofItself(self) -> None:
        """
        What is added may be of the buffer itself, each piece behind where it goes.
        """
        data = Random(5).randbytes(CAPACITY)
        for pieces in everySplit(bytes(30)):
            module._view[:] = data
            source, at, expected = module._view, 0, b""
            payload = Payload()
            for piece in pieces:
                start, stop = at + 10, at + 10 + len(piece) * CAPACITY // 1000
                if len(piece) & 1:
                    payload.add(source[start:stop])
                    expected += data[start:stop]
                else:
                    payload.addMasked(source, start, stop, KEY)
                    expected += mask(data[start:stop], KEY)
                at = stop
            self.assertTrue(bytes(payload.taken()) == expected)
