"""
Patterns with stars and question marks.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from xtls.trust.patterns import Pattern


class PatternTests(SynchronousTestCase):
    """
    What a pattern stands for.
    """

    def assertMatches(self, pattern: str, *texts: str, borders: str = "") -> None:
        """
        A pattern stands for these.
        """
        for text in texts:
            self.assertTrue(Pattern.parse(pattern, borders).matches(text), (pattern, text))

    def assertDiffers(self, pattern: str, *texts: str, borders: str = "") -> None:
        """
        A pattern does not stand for these.
        """
        for text in texts:
            self.assertFalse(Pattern.parse(pattern, borders).matches(text), (pattern, text))

    def test_plain(self) -> None:
        """
        Without stars and question marks it stands for itself.
        """
        self.assertMatches("abc", "abc")
        self.assertDiffers("abc", "", "ab", "abcd", "ABC", "abc\n")
        self.assertEqual(Pattern.parse("abc").literal, "abc")
        self.assertIsNone(Pattern.parse("ab*").literal)

    def test_any(self) -> None:
        """
        A star stands for any characters, or none, and a question mark for one.
        """
        self.assertMatches("a*", "a", "ab", "a*", "a\nb")
        self.assertMatches("*a*b*", "ab", "xaybz", "aab")
        self.assertMatches("a?c", "abc", "a.c")
        self.assertDiffers("a?c", "ac", "abbc", "abd")
        self.assertDiffers("*a*b", "ba", "abc", "")
        self.assertMatches("*", "", "x")

    def test_borders(self) -> None:
        """
        Neither goes over a border; two stars do.
        """
        self.assertMatches("*.b", "a.b", ".b", borders=".")
        self.assertDiffers("*.b", "a.a.b", borders=".")
        self.assertDiffers("a?b", "a.b", borders=".")
        self.assertMatches("**.b", "a.a.b", "a.b", borders=".")
        self.assertMatches("***x", "..x", borders=".")
        self.assertMatches("**/x*z", "x/y/x/xyz", borders="/")
        self.assertDiffers("**/x*z", "a/x/y/z", borders="/")

    def test_escapes(self) -> None:
        """
        A backslash takes a star, a comma, or itself as it is; before a letter it means nothing.
        """
        self.assertMatches(r"a\*", "a*")
        self.assertDiffers(r"a\*", "ab", "a\\*")
        self.assertMatches(r"a\,\?\\", "a,?\\")
        for text in ("\\", "a\\", r"\n", r"\1"):
            error = self.assertRaises(ValueError, Pattern.parse, text)
            self.assertIn("backslash", str(error))

    def test_manyStars(self) -> None:
        """
        However many stars there are, a text is compared at once.
        """
        self.assertDiffers("*a" * 30 + "*b", "a" * 1000)
        self.assertMatches("*a" * 30 + "*", "a" * 1000)

    def test_likeOthers(self) -> None:
        """
        Where nothing is a border, patterns are those of shells.
        """
        random = Random(4)
        for _ in range(5000):
            pattern = "".join(random.choices("ab*?", k=random.randint(0, 6)))
            text = "".join(random.choices("ab", k=random.randint(0, 6)))
            matches = Pattern.parse(pattern).matches(text)
            self.assertIs(matches, fnmatchcase(text, pattern), (pattern, text))
