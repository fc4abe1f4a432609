"""
Random texts, the same in each run, for readers that must expect anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

#: Characters that mean something somewhere, and some that should not.
_ODD = "://@?&=#%[],()+-._~;$*\\\"'<>|{}^` \t\r\n\0\x7fäé٣\u2028\ud800\U0001f600aZ09"


def randomTexts(seed: int, count: int, words: Sequence[str]) -> Iterator[str]:
    """
    Texts put together from words that the reader knows and from odd characters.

    @param seed: the same seed makes the same texts.
    @param words: pieces that lead deep into the reader.
    """
    random = Random(seed)
    for _ in range(count):
        pieces = []
        for _ in range(random.randint(0, 12)):
            pieces.append(random.choice(words) if random.random() < 0.7 else random.choice(_ODD))
        yield "".join(pieces)


def mutations(seed: int, count: int, samples: Sequence[str]) -> Iterator[str]:
    """
    Good texts, each spoiled in a few places.
    """
    random = Random(seed)
    for _ in range(count):
        letters = list(random.choice(samples))
        for _ in range(random.randint(1, 4)):
            place = random.randint(0, len(letters))
            if random.random() < 0.5:
                letters[place : place + random.randint(1, 3)] = []
            else:
                letters.insert(place, random.choice(_ODD))
        yield "".join(letters)
