"""
Patterns with stars and question marks, for names that end somewhere: at a dot, an at sign, a slash.

Pure.  C{*} stands for any characters but borders, C{?} for one of those, C{**} for any characters; a
backslash takes a character as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["Pattern"]

#: A piece of a pattern: an escaped character, what stands for others, or a character.
_PIECE: Final = re.compile(
    r"\\(?P<escaped>.)|(?P<any>\*\*+)|(?P<some>\*)|(?P<one>\?)|(?P<plain>[^\\])", re.DOTALL
)


@dataclass(frozen=True)
class _Piece:
    """
    A piece of a pattern.

    @ivar text: the character that it stands for; empty where it stands for any.
    @ivar borders: those that it does not stand for.
    @ivar many: whether it stands for any number of them.
    """

    text: str = ""
    borders: str = ""
    many: bool = False

    def takes(self, letter: str) -> bool:
        """
        Whether it stands for a character.
        """
        return letter == self.text if self.text else letter not in self.borders


@dataclass(frozen=True)
class Pattern:
    """
    What names are compared with.  That takes no longer than name times pattern, however many stars there are.

    @ivar pieces: its pieces.
    @ivar literal: the only text that it stands for, if there is only one.
    """

    pieces: tuple[_Piece, ...]
    literal: str | None = None

    @classmethod
    def parse(cls, text: str, borders: str = "") -> Pattern:
        """
        Read a pattern.

        @param borders: characters that stars and question marks do not stand for.
        @raise ValueError: for a backslash before a letter or digit, or before nothing.
        """
        pieces: list[_Piece] = []
        position = 0
        while position < len(text):
            found = _PIECE.match(text, position)
            if found is None or (found["escaped"] or "").isalnum():
                raise ValueError(
                    r"a backslash goes before a character that is meant as it is, such as \, or \*"
                )
            position = found.end()
            if found["escaped"] or found["plain"]:
                pieces.append(_Piece(found["escaped"] or found["plain"]))
            else:
                pieces.append(_Piece("", "" if found["any"] else borders, not found["one"]))
        simple = all(piece.text for piece in pieces)
        return cls(tuple(pieces), "".join(piece.text for piece in pieces) if simple else None)

    def matches(self, text: str) -> bool:
        """
        Whether it stands for the whole of a text.
        """
        if self.literal is not None:
            return text == self.literal
        places = self._from({0})
        for letter in text:
            places = self._from(
                place if self.pieces[place].many else place + 1
                for place in places
                if place < len(self.pieces) and self.pieces[place].takes(letter)
            )
            if not places:
                return False
        return len(self.pieces) in places

    def _from(self, places: Iterable[int]) -> set[int]:
        """
        Where one is in the pattern, when stars may stand for nothing.
        """
        reached = set(places)
        for place in tuple(reached):
            while place < len(self.pieces) and self.pieces[place].many:
                place += 1
                reached.add(place)
        return reached
