"""
Options within an option.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.nested import NamedOptions, formatNamed, grouped, parseNamed, splitOptions


class SplitTests(SynchronousTestCase):
    """
    Commas and parentheses.
    """

    def test_split(self) -> None:
        """
        A comma within parentheses parts nothing, nor does one with a backslash before it.
        """
        self.assertEqual(splitOptions("1,a=f(x,g(y,z)),b=c"), ["1", "a=f(x,g(y,z))", "b=c"])
        self.assertEqual(splitOptions(r"1,a=x\,y\(,b=\n,c"), ["1", r"a=x\,y\(", r"b=\n", "c"])
        self.assertEqual(splitOptions(""), [""])

    def test_unmatched(self) -> None:
        """
        Parentheses that do not match are an error.
        """
        for text in ("(", ")", ")(", "a(b,c"):
            self.assertRaises(ValueError, splitOptions, text)

    def test_grouped(self) -> None:
        """
        A value may stand in parentheses, so that its commas part nothing; and several may, one after the
        other, for places where an option can be said once only.
        """
        for text, values in {
            " (a,b) ": ("a,b",),
            "((a))": ("a",),
            "a": ("a",),
            "a(b),c": ("a(b),c",),
            "()": ("",),
            "(a,b), (c,(d,e))": ("a,b", "c,(d,e)"),
            "((a,b),(c))": ("a,b", "c"),
        }.items():
            self.assertEqual(grouped(text), values)
        for text in ("(a)(b)", "(a", r"(a\)", "(a),b", "(a),"):
            self.assertRaises(ValueError, grouped, text)


class NamedTests(SynchronousTestCase):
    """
    A name and its options.
    """

    def test_read(self) -> None:
        """
        The name is in one form; options are kept as text, in their order, as often as they were said.
        """
        named = parseNamed("B.Test.,ssl-cert=b.pem, ssl-allow=(CN=a,OU=b),ssl-allow=CN=c", "ssl-sni")
        self.assertEqual(named.name, "b.test")
        self.assertEqual(named.layer.source, "ssl-sni=b.test")
        values = {"ssl-cert": ("b.pem",), "ssl-allow": ("(CN=a,OU=b)", "CN=c")}
        self.assertEqual(named.layer.values, values)

    def test_written(self) -> None:
        """
        What is written is read as the same.
        """
        for text in ("b.test", "default,a=b", "*.test,a=(b,c),a=d"):
            named = parseNamed(text, "x")
            self.assertEqual(formatNamed(named), text)
            self.assertIsInstance(named, NamedOptions)

    def test_errors(self) -> None:
        """
        What has no name, or options without values, is an error, which does not show values.
        """
        for text in ("", ",a=hush", "a=hush", "b.test,a", "b.test,a=(", "a=hush,b=c"):
            error = self.assertRaises(ValueError, parseNamed, text, "x")
            self.assertNotIn("hush", str(error))
