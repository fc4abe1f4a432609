"""
Endpoint descriptions as Twisted writes them: taken apart, and put together again.

A description is a prefix, positional arguments and keywords::

    prefix:argument:argument:keyword=value:keyword=value

A colon ends an argument, C{=} ends a keyword's name, a backslash takes either (and itself) literally; inside
a value C{=} needs none.  L{Description} reads exactly what Twisted's own functions read, and
L{Description.text} writes what they read back as the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xtls.config.portoptions import ALL_OPTIONS
from xtls.errors import OptionError

__all__ = ["Description", "quoteKeyword", "quoteValue"]

#: The place that errors about an endpoint string name.
SOURCE = "endpoint string"


def quoteValue(text: str) -> str:
    """
    Quote the value of a keyword, such as a path or C{base64:} data.
    """
    return text.replace("\\", "\\\\").replace(":", "\\:")


def quoteKeyword(text: str) -> str:
    """
    Quote a positional argument or the name of a keyword, in which C{=} counts too.
    """
    return quoteValue(text).replace("=", "\\=")


@dataclass(frozen=True)
class Description:
    """
    An endpoint description, taken apart.

    @ivar prefix: what is before the first colon; it says who understands the rest.
    @ivar arguments: the positional arguments.
    @ivar keywords: the keywords in order; a repeated keyword is there as often as it was written.
    """

    prefix: str
    arguments: tuple[str, ...] = ()
    keywords: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Description:
        """
        Take a description apart.

        @raise OptionError: if it ends in the middle of a quotation, or has no prefix.
        """
        arguments: list[str] = []
        keywords: list[tuple[str, str]] = []
        for part in _parts(text):
            if len(part) == 1:
                arguments.append(part[0])
            else:
                keywords.append((part[0], part[1]))
        if not arguments:
            raise OptionError("endpoint", SOURCE, "expected a prefix, as in tcp:localhost:10000")
        return cls(arguments[0], tuple(arguments[1:]), tuple(keywords))

    @classmethod
    def fromCall(
        cls, prefix: object, arguments: Iterable[object], keywords: Mapping[str, object]
    ) -> Description:
        """
        What Twisted took apart already, and gave to a plugin.
        """
        return cls(
            str(prefix),
            tuple(str(argument) for argument in arguments),
            tuple((name, str(value)) for name, value in keywords.items()),
        )

    def text(self) -> str:
        """
        The description as text, quoted.
        """
        return ":".join(
            [quoteKeyword(argument) for argument in (self.prefix, *self.arguments)]
            + [f"{quoteKeyword(name)}={quoteValue(value)}" for name, value in self.keywords]
        )

    def withoutSecrets(self) -> str:
        """
        The description as text that may be shown: the values of secret options are left out, also those in a
        description within this one.
        """
        arguments = tuple(_shown("", argument) for argument in self.arguments)
        keywords = tuple((name, _shown(name, value)) for name, value in self.keywords)
        return Description(self.prefix, arguments, keywords).text()


def _shown(name: str, value: str) -> str:
    """
    What of a keyword's value, or of an argument, may be shown.
    """
    secrets = (option.name for option in ALL_OPTIONS.values() if option.secret)
    return "..." if any(secret in f"{name}={value}" for secret in secrets) else value


def _parts(text: str) -> list[list[str]]:
    """
    What is between the colons: one string for an argument, name and value for a keyword.
    """
    parts = [[""]]
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, None)
            if following is None:
                raise OptionError("endpoint", SOURCE, "ends in a backslash that quotes nothing")
            parts[-1][-1] += following
        elif character == ":":
            parts.append([""])
        elif character == "=" and len(parts[-1]) == 1:
            parts[-1].append("")
        else:
            parts[-1][-1] += character
    return parts
