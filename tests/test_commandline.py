"""
Reading and explaining command lines.
"""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import Side, optionsOf, resolve
from xtls.config.options import TLSOptions
from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word, chosen, tolerate, wordsOf

WORDS = (
    Word("bind", "where to listen", "ADDRESS", "Listening", repeatable=True),
    Word("cert", "a certificate", "FILE", "TLS", shown="none", aliases=("certificate",)),
    Word("certs-directory", "a very long explanation " * 6, "DIRECTORY-OF-CERTIFICATES", "TLS"),
    Word("verbose", "say more"),
    Word("colours", "not for here", "LIST", ""),
)
LINE = CommandLine(WORDS, short={"v": "verbose"})


class ParseTests(SynchronousTestCase):
    """
    L{CommandLine.parse}.
    """

    def refused(self, *arguments: str) -> tuple[str, str]:
        """
        The option and the problem for which a command line is refused.
        """
        error = self.assertRaises(OptionError, LINE.parse, arguments)
        self.assertEqual(error.source, SOURCE)
        return error.option, error.problem

    def test_anyOrder(self) -> None:
        """
        Options may stand before and after other arguments, with C{=} or a space.
        """
        given = LINE.parse(["--cert=a", "TARGET", "--bind", "1", "-v", "--bind=2"])
        self.assertEqual(given.arguments, ("TARGET",))
        self.assertEqual(given.values, {"cert": ("a",), "bind": ("1", "2"), "verbose": ("",)})

    def test_asked(self) -> None:
        """
        What was given can be asked for: whether, the last, or all.
        """
        given = LINE.parse(["--bind=1", "--bind=2", "--verbose"])
        self.assertEqual((given.has("verbose"), given.has("cert")), (True, False))
        self.assertEqual((given.last("bind"), given.last("cert"), given.last("cert", "x")), ("2", "", "x"))
        self.assertEqual((given.all("bind"), given.all("cert")), (("1", "2"), ()))
        self.assertEqual(Given().values, {})

    def test_aliases(self) -> None:
        """
        Another spelling, and the unambiguous beginning of a name, mean the option.
        """
        self.assertEqual(LINE.parse(["--certificate=a"]).values, {"cert": ("a",)})
        self.assertEqual(LINE.parse(["--verb"]).values, {"verbose": ("",)})

    def test_unknown(self) -> None:
        """
        An option that does not exist is refused with the nearest one.
        """
        self.assertEqual(self.refused("--vrebose"), ("--vrebose", "no such option; did you mean --verbose?"))
        self.assertEqual(
            self.refused("--paint=blue"), ("--paint", "no such option; --help lists those that there are")
        )
        self.assertEqual(self.refused("-b"), ("-b", "no such option; --help lists those that there are"))

    def test_ambiguous(self) -> None:
        """
        The beginning of more than one name is refused with all of them.
        """
        self.assertEqual(self.refused("--ce=a"), ("--ce", "is the beginning of --cert and --certs-directory"))

    def test_values(self) -> None:
        """
        A value that is missing, or should not be there, is refused; another option is not taken for a value.
        """
        self.assertEqual(self.refused("--cert"), ("--cert", "needs a value: --cert=FILE"))
        self.assertEqual(self.refused("--cert", "--verbose"), ("--cert", "needs a value: --cert=FILE"))
        self.assertEqual(self.refused("--verbose=1"), ("--verbose", "takes no value"))


class OptionsTests(SynchronousTestCase):
    """
    The words for options that are defined elsewhere.
    """

    def test_layer(self) -> None:
        """
        What was said about some options becomes a layer, which resolves to their values; the rest is left.
        """
        options = optionsOf(TLSOptions)
        name = next(iter(options))
        line = CommandLine([*wordsOf(options.values(), Side.BOTH), Word("verbose", "say more")])
        layer = line.parse(["--verbose", f"--{name}=a", f"--{name}=b"]).layer(options)
        self.assertEqual((layer.source, layer.values), (SOURCE, {name: ("a", "b")}))
        self.assertEqual(resolve(TLSOptions, layer).cert, ("a", "b"))

    def test_words(self) -> None:
        """
        A word has the spellings, the explanation and the heading of its option; where it is for the other
        side, it is known and not explained.
        """
        options = optionsOf(TLSOptions).values()
        for option, word in zip(options, wordsOf(options, Side.SERVER), strict=True):
            self.assertEqual(
                (word.name, word.aliases, word.help, word.shown, word.repeatable),
                (option.name, option.aliases, option.help, option.default, option.repeatable),
            )
            self.assertTrue(word.metavar)
            self.assertEqual(word.group, option.group if option.side & Side.SERVER else "")


class ChosenTests(SynchronousTestCase):
    """
    L{chosen}.
    """

    def test_chosen(self) -> None:
        """
        A word that is there stands for something.
        """
        self.assertEqual(chosen("xtls", "cert", {"cert": 1}), 1)

    def test_unknown(self) -> None:
        """
        One that is not is refused, with the nearest one or with all.
        """
        error = self.assertRaises(OptionError, chosen, "xtls", "cret", {"cert": 1, "demo": 2})
        self.assertEqual(error.problem, "xtls has no such command; did you mean cert?")
        error = self.assertRaises(OptionError, chosen, "xtls", "make", {"cert": 1, "demo": 2})
        self.assertEqual(error.problem, "xtls has no such command; expected cert, demo")


class TolerateTests(SynchronousTestCase):
    """
    L{tolerate}.
    """

    def test_characters(self) -> None:
        """
        What a stream cannot show is replaced; a stream that is none, or of another kind, is left alone.
        """
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding="ascii")
        for each in (stream, None, io.StringIO()):
            tolerate(each)
        stream.write("…")
        stream.flush()
        self.assertEqual(written.getvalue(), b"?")


class HelpTests(SynchronousTestCase):
    """
    L{CommandLine.help}.
    """

    def test_help(self) -> None:
        """
        Options stand under headings, with what they do, their defaults, and whether they may be repeated.
        """
        lines = LINE.help().splitlines()
        self.assertEqual([line for line in lines if line.endswith(":")], ["Listening:", "TLS:", "Other:"])
        self.assertIn("  --bind=ADDRESS".ljust(34) + "where to listen [repeatable]", lines)
        self.assertIn("  --cert=FILE".ljust(34) + "a certificate [default: none]", lines)
        self.assertIn("  --verbose".ljust(34) + "say more", lines)

    def test_width(self) -> None:
        """
        Long explanations are wrapped, and stand below a name that is too long.
        """
        lines = LINE.help().splitlines()
        at = lines.index("  --certs-directory=DIRECTORY-OF-CERTIFICATES")
        self.assertTrue(lines[at + 1].startswith(" " * 34 + "a very long"))
        self.assertTrue(all(len(line) <= 100 for line in lines))
