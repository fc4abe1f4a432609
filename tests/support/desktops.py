"""
Desktop entries, read as desktops read them (Desktop Entry Specification, "The Exec key").
"""

from __future__ import annotations


def valueOf(text: str, key: str) -> str:
    """
    The string that a key of an entry has, with its escapes undone.
    """
    (value,) = [line.partition("=")[2] for line in text.splitlines() if line.partition("=")[0] == key]
    result, rest = "", iter(value)
    for each in rest:
        if each == "\\":
            following = next(rest)
            result += {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}[following]
        else:
            result += each
    return result


def execWords(text: str, file: str) -> list[str]:
    """
    The words that are run to open a file.
    """
    words: list[str] = []
    word, within, begun = "", False, False
    letters = iter(valueOf(text, "Exec") + " ")
    for each in letters:
        if each == '"':
            within, begun = not within, True
        elif within and each == "\\":
            word += next(letters)
        elif each == " " and not within:
            if begun or word:
                words.append(word)
            word, begun = "", False
        elif each == "%":
            word += {"%": "%", "f": file}[next(letters)]
        else:
            word += each
    return words
