"""
The payload of WebSocket frames, gathered into one piece without a copy where that is possible.

What arrives together is delivered together; so what a reader finds in one turn is put together here: one
piece as it is, a few short ones joined, and what is long in one buffer of the process.  Masking makes a new
object, and the system may map memory for each long one, which costs more than all the rest; so long frames
are unmasked a chunk at a time, each of which goes into the buffer before the next is made.
"""

from __future__ import annotations

from typing import Final

from xtls.wire.frames import CHUNK, Buffer
from xtls.wire.masking import mask

__all__ = ["CAPACITY", "Payload"]

#: Octets that one turn may bring: what is read at a time, and the beginning of a frame that was kept.
CAPACITY: Final = (1 << 18) + 256

#: Up to here it is quicker to move pieces one by one than to join them first.
_FEW: Final = 4

_view: Final = memoryview(bytearray(CAPACITY))


class Payload:
    """
    What is found in one turn: at most L{CAPACITY} octets.

    There is one buffer for all of them: only one may be in use at a time, and what it has given is valid
    until another is begun.  What is added may be of the buffer too, where a stream is inside another: payload
    is shorter than the frames that it came in.

    @ivar pieces: what comes behind the octets in the buffer; it may be added to.
    @ivar size: how many octets these are, or a few more.
    """

    __slots__ = ("_filled", "pieces", "size")

    def __init__(self) -> None:
        self._filled = 0  # octets in the buffer
        self.pieces: list[Buffer] = []
        self.size = 0

    def add(self, piece: Buffer) -> None:
        """
        Add octets; a view must stay valid until all is taken.
        """
        if self.size >= CHUNK:
            self.settle()
        self.pieces.append(piece)
        self.size += len(piece)

    def addMasked(self, data: Buffer, start: int, stop: int, key: bytes) -> None:
        """
        Add C{data[start:stop]}, unmasked.
        """
        if stop - start <= CHUNK and not (self.pieces or self._filled):
            self.add(mask(data[start:stop], key))  # perhaps all that there is
            return
        if self.pieces:
            self.settle()
        filled = self._filled
        for at in range(start, stop, CHUNK):
            end = filled + min(CHUNK, stop - at)
            _view[filled:end] = mask(data[at : at + end - filled], key)
            filled = end
        self._filled = filled

    def settle(self) -> None:
        """
        Move the pieces to the buffer.
        """
        pieces, filled = self.pieces, self._filled
        for piece in (b"".join(pieces),) if len(pieces) > _FEW else pieces:
            end = filled + len(piece)
            _view[filled:end] = piece
            filled = end
        self._filled = filled
        self.pieces = []
        self.size = 0

    def taken(self) -> Buffer:
        """
        All of it, in one piece.
        """
        pieces = self.pieces
        if not self._filled:
            if len(pieces) == 1:
                return pieces[0]
            if self.size < CHUNK:
                return b"".join(pieces)
        self.settle()
        return _view[: self._filled]
