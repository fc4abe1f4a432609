"""
Command lines: read by definitions, explained by the same definitions.

A program says which L{Word}s it knows; most are made from the options of L{xtls.config}, so that nothing is
spelled or explained twice.  L{CommandLine.parse} reads a command line, options and other arguments in any
order, and L{CommandLine.help} explains it, grouped under headings.  Every complaint is an L{OptionError} that
reads as one sentence.
"""

from __future__ import annotations

import getopt
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO, TypeVar

from xtls.errors import OptionError

if TYPE_CHECKING:
    from xtls.config.definitions import Layer, Option, Side

__all__ = ["PORT_PLACEHOLDER", "SOURCE", "CommandLine", "Given", "Word", "chosen", "tolerate", "wordsOf"]

_T = TypeVar("_T")

#: The place that errors about a command line name.
SOURCE = "command line"

#: What stands for a port in the words of a command that is to be run.
PORT_PLACEHOLDER = "{port}"

#: Columns of a line of help, and the column at which explanations begin.
_WIDTH = 100
_INDENT = 34


@dataclass(frozen=True)
class Word:
    """
    One option of a command line.

    @ivar name: as the user spells it, without the dashes.
    @ivar help: what it does, one phrase.
    @ivar metavar: what its value is called; an option without one takes no value.
    @ivar group: the heading under which it is explained; an option without one is not.
    @ivar shown: its default, in words.
    @ivar aliases: other spellings that are understood.
    @ivar repeatable: whether each occurrence counts; otherwise the last one does.
    """

    name: str
    help: str
    metavar: str = ""
    group: str = "other"
    shown: str = ""
    aliases: tuple[str, ...] = ()
    repeatable: bool = False

    def usage(self) -> str:
        """
        How it is written.
        """
        return f"--{self.name}={self.metavar}" if self.metavar else f"--{self.name}"

    def explanation(self) -> str:
        """
        What it does, whether it may be repeated, and its default.
        """
        notes = [note for note in ("repeatable" if self.repeatable else "", self._default()) if note]
        return f"{self.help} [{'; '.join(notes)}]" if notes else self.help

    def _default(self) -> str:
        """
        The default as the help states it.
        """
        return f"default: {self.shown}" if self.shown else ""


def wordsOf(options: Iterable[Option], side: Side, group: str = "") -> list[Word]:
    """
    The words for options that are defined elsewhere.

    @param side: whom the command line is for.  Options for the other side alone are known too, so that they
        can be refused by name, but the help does not have them.
    @param group: the heading to put them under, in place of their own.
    """
    return [
        Word(
            option.name,
            option.help,
            option.metavar or "VALUE",
            group or option.group or "other" if option.side & side else "",
            option.default,
            tuple(option.aliases),
            option.repeatable,
        )
        for option in options
    ]


@dataclass(frozen=True)
class Given:
    """
    What a command line said.

    @ivar values: the values of each option that was given, in order; a switch has empty ones.
    @ivar arguments: what is not an option, in order.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """
        Whether an option was given.
        """
        return name in self.values

    def last(self, name: str, default: str = "") -> str:
        """
        The value of an option, the last one if it was given more than once.
        """
        return self.values[name][-1] if name in self.values else default

    def all(self, name: str) -> tuple[str, ...]:
        """
        Every value of an option.
        """
        return self.values.get(name, ())

    def layer(self, options: Mapping[str, Option]) -> Layer:
        """
        What was said about some options, for L{xtls.config.definitions.resolve}.
        """
        from xtls.config.definitions import Layer

        return Layer(SOURCE, {name: values for name, values in self.values.items() if name in options})


class CommandLine:
    """
    What a program understands.

    @ivar words: by each spelling, aliases included.
    """

    def __init__(self, words: Sequence[Word], *, short: Mapping[str, str] | None = None) -> None:
        """
        @param words: in the order in which the help has them.
        @param short: one-letter spellings of switches, such as C{{"v": "verbose"}}.
        """
        self._listed = tuple(words)
        self._short = dict(short or {})
        self.words = {spelling: word for word in words for spelling in (word.name, *word.aliases)}

    def parse(self, arguments: Sequence[str]) -> Given:
        """
        Read a command line.

        @raise OptionError: for an option that does not exist, with the nearest one that does; for one that
            lacks its value, or has one and takes none.
        """
        long = [f"{spelling}=" if word.metavar else spelling for spelling, word in self.words.items()]
        try:
            pairs, rest = getopt.gnu_getopt(list(arguments), "".join(self._short), long)
        except getopt.GetoptError as e:
            raise self._complaint(e, arguments) from None
        values: dict[str, tuple[str, ...]] = {}
        for spelled, value in pairs:
            bare = spelled.lstrip("-")
            word = self.words[self._short.get(bare, bare)]
            if value.startswith("--"):  # getopt takes the next option for the value
                raise self._lacksValue(word)
            values[word.name] = (*values.get(word.name, ()), value)
        return Given(values, tuple(rest))

    def help(self) -> str:
        """
        Every option under its heading, with its default.
        """
        groups: dict[str, list[Word]] = {}
        for word in self._listed:
            groups.setdefault(word.group, []).append(word)
        return "\n".join(
            f"{heading[0].upper()}{heading[1:]}:\n" + "".join(_explain(word) for word in words)
            for heading, words in groups.items()
            if heading
        )

    def _complaint(self, error: getopt.GetoptError, arguments: Sequence[str]) -> OptionError:
        """
        What is wrong with a command line, in our words.
        """
        word = self.words.get(error.opt)
        if word is None:
            return self._unknown(error.opt, arguments)
        return (
            self._lacksValue(word)
            if word.metavar
            else OptionError(f"--{error.opt}", SOURCE, "takes no value")
        )

    @staticmethod
    def _lacksValue(word: Word) -> OptionError:
        """
        An option that says nothing.
        """
        return OptionError(f"--{word.name}", SOURCE, f"needs a value: {word.usage()}")

    def _unknown(self, name: str, arguments: Sequence[str]) -> OptionError:
        """
        An option that does not exist, or a beginning of more than one.
        """
        import difflib

        spelled = f"--{name}" if any(each.startswith(f"--{name}") for each in arguments) else f"-{name}"
        beginnings = sorted(
            {f"--{word.name}" for spelling, word in self.words.items() if spelling.startswith(name)}
        )
        near = difflib.get_close_matches(name, self.words, 1)
        if beginnings and len(name) > 1:
            problem = f"is the beginning of {' and '.join(beginnings)}"
        elif near:
            problem = f"no such option; did you mean --{near[0]}?"
        else:
            problem = "no such option; --help lists those that there are"
        return OptionError(spelled, SOURCE, problem)


def tolerate(stream: TextIO | None) -> None:
    """
    Let a terminal that cannot show a character show something in its place: that is no reason to fail.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")


def chosen(what: str, name: str, among: Mapping[str, _T]) -> _T:
    """
    What a command word stands for.

    @param what: whose words they are, for the error.
    @raise OptionError: if there is no such word, with the nearest one.
    """
    if name in among:
        return among[name]
    import difflib

    near = difflib.get_close_matches(name, among, 1)
    guess = f"did you mean {near[0]}?" if near else f"expected {', '.join(among)}"
    raise OptionError(name, SOURCE, f"{what} has no such command; {guess}")


def _explain(word: Word) -> str:
    """
    The lines of help for one option.
    """
    usage = f"  {word.usage()}"
    lines = textwrap.wrap(word.explanation(), _WIDTH - _INDENT)
    if len(usage) >= _INDENT:
        return "".join(f"{line}\n" for line in [usage, *(" " * _INDENT + line for line in lines)])
    first, *rest = lines
    return "".join(f"{line}\n" for line in [usage.ljust(_INDENT) + first, *(" " * _INDENT + r for r in rest)])
