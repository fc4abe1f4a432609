"""
What an option is: its definition, where it was said, and how what was said becomes a value.

An option is defined once, as a field of an L{OptionSet} made by L{option}.  Its name, its place in the help,
how its text is read and written, and who may say it derive from there.  What the user said in one place is a
L{Layer} of text; L{resolve} combines layers, later ones winning, and reads the text, once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import Flag
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from xtls.errors import OptionError

_T = TypeVar("_T", bound="OptionSet")


class Side(Flag):
    """
    Who an option is for.
    """

    CLIENT = 1
    SERVER = 2
    BOTH = 3


@dataclass(frozen=True)
class Option:
    """
    How one option is spelled, read, written and explained.

    @ivar name: as the user spells it, such as C{ssl-ca-data}.
    @ivar attribute: the attribute that holds its value, such as C{caData}.
    @ivar parse: text to value; raises L{ValueError} with what was expected.
    @ivar format: value to text, which C{parse} reads as the same value.
    @ivar default: the default, as shown in help.
    @ivar aliases: other names that are accepted.
    @ivar stock: the keyword of Twisted's own endpoint strings that means the same.
    @ivar secret: whether the value must never be shown.
    @ivar repeatable: whether it may be said several times; its value is the tuple of them all.
    @ivar group: the heading under which help lists it.
    """

    name: str
    attribute: str
    parse: Callable[[str], Any]
    side: Side
    help: str
    metavar: str = ""
    default: str = ""
    aliases: tuple[str, ...] = ()
    stock: str | None = None
    secret: bool = False
    repeatable: bool = False
    group: str = ""
    format: Callable[[Any], str] = str

    @property
    def names(self) -> tuple[str, ...]:
        """
        Every name that is accepted, the right one first.
        """
        return (self.name, *self.aliases)


def option(
    default: object,
    parse: Callable[[str], Any],
    side: Side,
    help: str,
    *,
    metavar: str = "",
    shown: str = "",
    aliases: tuple[str, ...] = (),
    stock: str | None = None,
    secret: bool = False,
    repeatable: bool = False,
    format: Callable[[Any], str] = str,
    group: str = "",
) -> Any:
    """
    Define an option: a field of an L{OptionSet}, whose name derives from the attribute's.

    The parameters are those of L{Option}.  A repeatable option has a tuple as its value; C{parse} makes one
    of each text and C{format} writes a tuple of one.

    @param shown: the default as shown in help, where the written value does not say it.
    """
    shown = shown or (format(default) if default not in ((), "", b"", None) else "")
    definition: dict[str, Any] = {"parse": parse, "side": side, "help": help, "metavar": metavar}
    definition.update(default=shown, aliases=aliases, stock=stock, secret=secret)
    definition.update(repeatable=repeatable, format=format, group=group)
    return field(default=default, repr=not secret, metadata={"option": definition})


def _optionOf(cls: type[OptionSet], found: Field[Any]) -> Option:
    """
    The option that a field defines.
    """
    spelled = re.sub("[A-Z]", lambda letter: "-" + letter[0].lower(), found.name)
    return Option(name=cls.PREFIX + spelled, attribute=found.name, **found.metadata["option"])


_known: dict[type[OptionSet], Mapping[str, Option]] = {}


def optionsOf(cls: type[OptionSet]) -> Mapping[str, Option]:
    """
    The options that a class defines, by name, in the order of their definition.
    """
    if cls not in _known:
        defined = [_optionOf(cls, found) for found in fields(cls) if "option" in found.metadata]
        _known[cls] = MappingProxyType({each.name: each for each in defined})
    return _known[cls]


@dataclass(frozen=True, repr=False)
class Layer:
    """
    Options as said in one place, as text.

    @ivar source: the place: "command line", "URL", "test.xpra".
    @ivar values: the text by the option's name; a tuple where an option was said several times.
    @ivar places: where each was said more exactly ("test.xpra line 5"), as far as it is known.
    """

    source: str
    values: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    def sourceOf(self, name: str) -> str:
        """
        Where an option was said.
        """
        return self.places.get(name, self.source)

    def over(self, defaults: Layer) -> Layer:
        """
        This layer, with what only C{defaults} says; each option keeps its place in errors.
        """
        places = {name: defaults.sourceOf(name) for name in defaults.values if name not in self.values}
        return Layer(self.source, {**defaults.values, **self.values}, {**places, **self.places})

    def __repr__(self) -> str:
        """
        The names only: a value may be a secret.
        """
        return f"<Layer {self.source}: {', '.join(self.values) or 'nothing'}>"


@dataclass(frozen=True)
class OptionSet:
    """
    What all sets of options have in common.

    @cvar PREFIX: how the names of its options begin.
    @ivar sources: where the value of each attribute was said.
    """

    PREFIX: ClassVar[str] = ""

    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        """
        @raise OptionError: for text where a value of another kind belongs, such as one path in place of a
            tuple of paths.
        """
        for each in optionsOf(type(self)).values():
            default = type(self).__dataclass_fields__[each.attribute].default
            if isinstance(getattr(self, each.attribute), str) and not isinstance(default, str):
                kind = "a tuple" if isinstance(default, tuple) else "a value"
                raise self.error(each.attribute, f"expected {kind}, not text, which {__name__}.resolve reads")

    def given(self, attribute: str) -> bool:
        """
        Whether somebody said it, even if they said what is the default.
        """
        default = type(self).__dataclass_fields__[attribute].default
        return attribute in self.sources or bool(getattr(self, attribute) != default)

    def source(self, attribute: str) -> str:
        """
        Where the value was said; "default" when nowhere, "program" when code set it.
        """
        return self.sources.get(attribute, "program" if self.given(attribute) else "default")

    def error(self, attribute: str, problem: str) -> OptionError:
        """
        Make the error that says what is wrong with a value, by the name that the user knows.

        @param problem: what is wrong, and what would be right; no secret in it.
        """
        return OptionError(optionNamed(type(self), attribute).name, self.source(attribute), problem)

    def layer(self, source: str) -> Layer:
        """
        Write what was given as text again: L{resolve} of it makes an equal value.
        """
        values: dict[str, str | tuple[str, ...]] = {}
        for each in optionsOf(type(self)).values():
            if self.given(each.attribute):
                value = getattr(self, each.attribute)
                values[each.name] = (
                    tuple(each.format((one,)) for one in value) if each.repeatable else each.format(value)
                )
        return Layer(source, values)


def optionNamed(cls: type[OptionSet], attribute: str) -> Option:
    """
    The option whose value an attribute holds.
    """
    return next(each for each in optionsOf(cls).values() if each.attribute == attribute)


def unknownOption(
    name: str, source: str, known: Mapping[str, Option], others: Iterable[str] = ()
) -> OptionError:
    """
    Make the error for a name that no option has, with the one that was perhaps meant.

    @param others: names that may be said in that place besides options.
    """
    names = [*(spelled for each in known.values() for spelled in each.names), *others]
    near = difflib.get_close_matches(name.lower().replace("_", "-"), names, n=1)
    return OptionError(name, source, f"no such option; did you mean {near[0]}?" if near else "no such option")


def spellings(known: Mapping[str, Option]) -> Mapping[str, Option]:
    """
    Options by each of the names under which they are accepted.
    """
    return {name: each for each in known.values() for name in each.names}


def _read(definition: Option, name: str, source: str, text: str | tuple[str, ...]) -> Any:
    """
    Read what was said of one option in one place.
    """
    texts = (text,) if isinstance(text, str) else tuple(text)
    try:
        if definition.repeatable:
            return tuple(value for each in texts for value in definition.parse(each))
        if len(set(texts)) != 1:
            raise ValueError("said more than once, with different values: expected one")
        return definition.parse(texts[0])
    except ValueError as error:
        raise OptionError(name, source, str(error)) from None


def _readLayer(known: Mapping[str, Option], layer: Layer) -> dict[str, tuple[Any, str]]:
    """
    Read what was said in one place.

    @return: value and source, by attribute.
    """
    spelled = spellings(known)
    said: dict[str, tuple[Any, str]] = {}
    for name, text in layer.values.items():
        source = layer.sourceOf(name)
        definition = spelled.get(name)
        if definition is None:
            raise unknownOption(name, source, known)
        value = _read(definition, name, source, text)
        if said.setdefault(definition.attribute, (value, source))[0] != value:
            problem = f"says something else than another spelling of {definition.name}: expected one"
            raise OptionError(name, source, problem)
    return said


def resolve(cls: type[_T], *layers: Layer) -> _T:
    """
    Combine what was said in several places; later layers win.

    @raise OptionError: for a name that the class does not have, and for a value that cannot be used.
    """
    said: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        said.update(_readLayer(optionsOf(cls), layer))
    values = {attribute: value for attribute, (value, _) in said.items()}
    sources = MappingProxyType({attribute: source for attribute, (_, source) in said.items()})
    return cls(sources=sources, **values)
