"""
Options within an option: C{NAME,option=value,…}, and lists with parentheses.

A value that has commas of its own stands in parentheses where commas part options, as in an address that is
listened on.  There, commas in parentheses part nothing; a backslash takes a parenthesis or a comma as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from xtls.config.definitions import Layer
from xtls.config.values import quoted

__all__ = ["NamedOptions", "formatNamed", "grouped", "parseNamed", "splitOptions"]

_ESCAPED = ("(", ")", ",")

_MATCHING = "expected a closing parenthesis for each opening one"


def splitOptions(text: str) -> list[str]:
    """
    Part an address and the options after it at commas, but not at those within parentheses.

    @raise ValueError: if parentheses do not match.
    """
    parts = [""]
    depth = position = 0
    while position < len(text) and depth >= 0:
        letter = text[position]
        position += 1
        if letter == "\\" and text[position : position + 1] in _ESCAPED:
            letter += text[position]
            position += 1
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    if depth != 0:
        raise ValueError(_MATCHING)
    return parts


def grouped(text: str) -> tuple[str, ...]:
    """
    The values in a text: one, as it is or in parentheses; or several, each in parentheses, with commas
    between.

    @raise ValueError: if parentheses do not match, or something is beside them.
    """
    bare = text.strip()
    if not bare.startswith("("):
        return (bare,)
    values: list[str] = []
    for part in map(str.strip, splitOptions(bare)):
        if not part.startswith("(") or not part.endswith(")") or part.endswith("\\)"):
            raise ValueError("expected one value, or several in parentheses with commas between: (...),(...)")
        inner = part[1:-1]
        splitOptions(inner)  # whose parentheses match among themselves
        values.extend(grouped(inner))
    return tuple(values)


@dataclass(frozen=True)
class NamedOptions:
    """
    Options for those who ask for one name.

    @ivar name: a name, C{*.} and a domain, or a word for all others.
    @ivar layer: the options, as they were said.
    """

    name: str
    layer: Layer


def parseNamed(text: str, source: str) -> NamedOptions:
    """
    Read a name and the options after it.

    @param source: the option that this is the value of.
    @raise ValueError: if it cannot be read; values are not in the error.
    """
    name, *parts = splitOptions(text)
    name = name.strip().lower().removesuffix(".")
    if not name or "=" in name:
        raise ValueError("expected a name first, and then options: b.example.com,ssl-cert=b.pem")
    values: dict[str, tuple[str, ...]] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"expected key=value after each comma, for {quoted(name)}")
        values[key.strip()] = (*values.get(key.strip(), ()), value)
    return NamedOptions(name, Layer(f"{source}={name}", dict(values)))


def formatNamed(named: NamedOptions) -> str:
    """
    Write a name and its options.
    """
    parts = [f"{key}={value}" for key, values in named.layer.values.items() for value in values]
    return ",".join([named.name, *parts])
