"""
What an option is, and how layers of what was said are combined.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import (
    Layer,
    OptionSet,
    Side,
    option,
    optionNamed,
    optionsOf,
    resolve,
    spellings,
    unknownOption,
)
from xtls.errors import OptionError


def parseWords(text: str) -> tuple[str, ...]:
    """
    Read words.
    """
    return tuple(text.split())


@dataclass(frozen=True)
class Garden(OptionSet):
    """
    Options for an example.
    """

    PREFIX = "my-"

    treeCount: int = option(3, int, Side.BOTH, "how many trees", metavar="N", stock="trees", group="plants")
    lawn: bool = option(False, lambda text: text == "yes", Side.CLIENT, "whether there is grass")
    gateCode: str = option("", str, Side.SERVER, "opens the gate", aliases=("gate",), secret=True)
    rose: tuple[str, ...] = option((), parseWords, Side.BOTH, "a rose", repeatable=True, format="".join)
    notes: str = "not an option"


class DefinitionTests(SynchronousTestCase):
    """
    An option is defined once, and everything about it derives from there.
    """

    def test_names(self) -> None:
        """
        Names derive from attributes and the prefix, in the order of definition; fields that are no options
        have none.
        """
        self.assertEqual(list(optionsOf(Garden)), ["my-tree-count", "my-lawn", "my-gate-code", "my-rose"])
        self.assertIs(optionsOf(Garden), optionsOf(Garden))

    def test_fields(self) -> None:
        """
        A definition keeps what was said about it.
        """
        trees = optionsOf(Garden)["my-tree-count"]
        self.assertEqual(
            (trees.attribute, trees.side, trees.help, trees.metavar, trees.stock, trees.group),
            ("treeCount", Side.BOTH, "how many trees", "N", "trees", "plants"),
        )
        self.assertIs(optionNamed(Garden, "treeCount"), trees)

    def test_default(self) -> None:
        """
        The default is shown as it would be written, and nothing for a default that is nothing.
        """
        shown = {each.attribute: each.default for each in optionsOf(Garden).values()}
        self.assertEqual(shown, {"treeCount": "3", "lawn": "False", "gateCode": "", "rose": ""})

    def test_spellings(self) -> None:
        """
        An option is found by each of its names.
        """
        found = spellings(optionsOf(Garden))
        self.assertIs(found["gate"], found["my-gate-code"])
        self.assertEqual(found["gate"].names, ("my-gate-code", "gate"))

    def test_secret(self) -> None:
        """
        A secret is not shown where a value or a layer is.
        """
        layer = Layer("test", {"my-gate-code": "hush"})
        self.assertNotIn("hush", repr(layer) + repr(resolve(Garden, layer)))
        self.assertEqual(repr(layer), "<Layer test: my-gate-code>")
        self.assertEqual(repr(Layer("test")), "<Layer test: nothing>")

    def test_unknown(self) -> None:
        """
        An unknown name is told with the one that was perhaps meant, also among names that are no options.
        """
        known = optionsOf(Garden)
        error = unknownOption("my-tree_cuont", "test", known)
        self.assertEqual((error.option, error.source), ("my-tree_cuont", "test"))
        self.assertEqual(error.problem, "no such option; did you mean my-tree-count?")
        self.assertIn("did you mean house?", unknownOption("hose", "test", known, ["house"]).problem)
        self.assertEqual(unknownOption("zzz", "test", known).problem, "no such option")

    def test_text(self) -> None:
        """
        A program that gives text where another kind of value belongs is told so, before the text is taken
        for a tuple of letters, or for something that is true.
        """
        for attribute, kind in (("rose", "a tuple"), ("treeCount", "a value"), ("lawn", "a value")):
            error = self.assertRaises(OptionError, Garden, **{attribute: "no"})
            self.assertEqual((error.option, error.source), (optionNamed(Garden, attribute).name, "program"))
            self.assertIn(f"expected {kind}", error.problem)
        self.assertEqual(Garden(gateCode="no").gateCode, "no")


class OverTests(SynchronousTestCase):
    """
    L{Layer.over}.
    """

    def test_over(self) -> None:
        """
        What a layer says itself holds; what only the defaults say is added, with the place where it was said.
        """
        upper = Layer("string", {"a": "1"}, {"a": "string, word 2"})
        lower = Layer("command line", {"a": "2", "b": "3"})
        both = upper.over(lower)
        self.assertEqual((both.source, dict(both.values)), ("string", {"a": "1", "b": "3"}))
        self.assertEqual((both.sourceOf("a"), both.sourceOf("b")), ("string, word 2", "command line"))


class ResolveTests(SynchronousTestCase):
    """
    L{resolve}.
    """

    def test_nothingSaid(self) -> None:
        """
        Where nothing was said the defaults hold.
        """
        self.assertEqual(resolve(Garden), Garden())
        self.assertEqual(resolve(Garden, Layer("test")), Garden())

    def test_laterWins(self) -> None:
        """
        Of several layers the last that says something about an option decides, and is its source.
        """
        garden = resolve(
            Garden,
            Layer("file", {"my-tree-count": "1", "my-rose": "red", "my-lawn": "yes"}),
            Layer("URL", {"my-tree-count": "2", "my-rose": ("white", "pink")}),
            Layer("line", {"my-tree-count": "3"}),
        )
        self.assertEqual(garden, Garden(treeCount=3, rose=("white", "pink"), lawn=True))
        self.assertEqual(
            [garden.source(each) for each in ("treeCount", "rose", "lawn", "gateCode")],
            ["line", "URL", "file", "default"],
        )

    def test_given(self) -> None:
        """
        What was said counts as given even where it is the default; so does what a program sets.
        """
        garden = resolve(Garden, Layer("test", {"my-tree-count": "3"}))
        self.assertEqual([garden.given(each) for each in ("treeCount", "lawn")], [True, False])
        made = Garden(lawn=True)
        self.assertEqual((made.given("lawn"), made.source("lawn")), (True, "program"))

    def test_values(self) -> None:
        """
        Options are equal by what they say, wherever it was said, and can be keys.
        """
        one = resolve(Garden, Layer("one", {"my-rose": "red"}))
        other = resolve(Garden, Layer("other", {"my-rose": "red"}))
        self.assertEqual({one: 1}, {other: 1})

    def test_places(self) -> None:
        """
        Where a layer knows the place of an option more exactly, errors and sources say it.
        """
        layer = Layer("x.xpra", {"my-lawn": "yes", "my-rose": "red"}, {"my-lawn": "x.xpra line 2"})
        garden = resolve(Garden, layer)
        self.assertEqual((garden.source("lawn"), garden.source("rose")), ("x.xpra line 2", "x.xpra"))

    def test_badValue(self) -> None:
        """
        A value that cannot be read is told with option, place and what was expected.
        """
        layer = Layer("x.xpra", {"my-tree-count": "many"}, {"my-tree-count": "x.xpra line 5"})
        error = self.assertRaises(OptionError, resolve, Garden, layer)
        self.assertEqual((error.option, error.source), ("my-tree-count", "x.xpra line 5"))
        self.assertIn("many", error.problem)

    def test_unknownName(self) -> None:
        """
        A name that the options do not have is told with the place.
        """
        error = self.assertRaises(OptionError, resolve, Garden, Layer("URL", {"my-lwan": "yes"}))
        self.assertEqual((error.option, error.source), ("my-lwan", "URL"))
        self.assertIn("did you mean my-lawn?", error.problem)

    def test_saidTwice(self) -> None:
        """
        Saying the same twice in one place is fine; saying different things is not, in one spelling or two.
        """
        self.assertEqual(resolve(Garden, Layer("x", {"my-tree-count": ("4", "4")})), Garden(treeCount=4))
        same = Layer("x", {"gate": "a", "my-gate-code": "a"})
        self.assertEqual(resolve(Garden, same), Garden(gateCode="a"))
        for values in (
            {"my-tree-count": ("4", "5")},
            {"my-tree-count": ()},
            {"gate": "a", "my-gate-code": "b"},
        ):
            error = self.assertRaises(OptionError, resolve, Garden, Layer("x", values))
            self.assertIn("expected one", error.problem)
            self.assertNotIn("'", error.problem)

    def test_repeated(self) -> None:
        """
        An option that may be repeated has all that was said in the place that decides, in order.
        """
        layer = Layer("x", {"my-rose": ("red pink", "white")})
        self.assertEqual(resolve(Garden, layer).rose, ("red", "pink", "white"))

    def test_error(self) -> None:
        """
        A value that turns out useless later can still be told with its name and place.
        """
        garden = resolve(Garden, Layer("URL", {"gate": "x"}))
        error = garden.error("gateCode", "does not open")
        self.assertEqual(
            (error.option, error.source, error.problem), ("my-gate-code", "URL", "does not open")
        )
        self.assertEqual(garden.error("lawn", "x").source, "default")

    def test_written(self) -> None:
        """
        What was given can be written as a layer, which is resolved to an equal value.
        """
        for garden in (
            Garden(),
            Garden(treeCount=7, rose=("red", "white")),
            resolve(Garden, Layer("x", {"my-tree-count": "3", "gate": "hush"})),
        ):
            layer = garden.layer("copy")
            self.assertEqual(layer.source, "copy")
            self.assertEqual(resolve(Garden, layer), garden)
        self.assertEqual(Garden(rose=("a", "b")).layer("copy").values, {"my-rose": ("a", "b")})
