"""
Endpoint descriptions, taken apart and put together.
"""

from __future__ import annotations

from twisted.internet import endpoints
from twisted.trial.unittest import SynchronousTestCase

from xtls.endpoints.description import Description, quoteKeyword, quoteValue
from xtls.errors import OptionError

#: Descriptions of all shapes, including every misuse of the three special characters.
SAMPLES = (
    "tcp:localhost:10000",
    "tcp:80:interface=127.0.0.1",
    "ssl:h:1:ssl-ca-data=base64\\:LS0=",
    "unix:/run/a\\:b:mode=660",
    "unix:/run/a\\=b",
    "x:C\\:\\\\key.pem:key=C\\:\\\\key.pem",
    "a\\=b:c\\:d=e=f\\=g:",
    "tcp",
    "tcp:",
    "tcp::x=",
    "tcp:=v:k=v",
    "h\u00e9:u=\u4e2d",
)


class ParseTests(SynchronousTestCase):
    """
    L{Description.parse} reads what Twisted reads.
    """

    def test_asTwisted(self) -> None:
        """
        Arguments and keywords are those that Twisted's own parser finds.
        """
        for sample in SAMPLES:
            arguments, keywords = endpoints._parse(sample)
            description = Description.parse(sample)
            self.assertEqual([description.prefix, *description.arguments], arguments, sample)
            self.assertEqual(dict(description.keywords), keywords, sample)

    def test_repeatedKeyword(self) -> None:
        """
        A keyword that is written twice is kept twice, in order.
        """
        description = Description.parse("x:k=1:j=2:k=3")
        self.assertEqual(description.keywords, (("k", "1"), ("j", "2"), ("k", "3")))

    def test_loneBackslash(self) -> None:
        """
        A backslash at the end quotes nothing: refused.
        """
        error = self.assertRaises(OptionError, Description.parse, "tcp:localhost:1\\")
        self.assertEqual((error.option, error.source), ("endpoint", "endpoint string"))

    def test_noPrefix(self) -> None:
        """
        Keywords alone name no endpoint.
        """
        error = self.assertRaises(OptionError, Description.parse, "host=localhost")
        self.assertEqual(error.option, "endpoint")


class TextTests(SynchronousTestCase):
    """
    L{Description.text} writes what is read back as the same.
    """

    def test_roundTrip(self) -> None:
        """
        What is written is read back as the same description, by us and by Twisted.
        """
        for sample in SAMPLES:
            description = Description.parse(sample)
            self.assertEqual(Description.parse(description.text()), description)
            self.assertEqual(endpoints._parse(description.text()), endpoints._parse(sample))

    def test_fromCall(self) -> None:
        """
        What Twisted took apart for a plugin is put together again.
        """
        description = Description.fromCall("tcp", ("h", 1), {"key": "a:b"})
        self.assertEqual(description.text(), "tcp:h:1:key=a\\:b")

    def test_quoting(self) -> None:
        """
        C{=} is quoted in arguments and names, where it counts, and not in values, where it does not.
        """
        self.assertEqual(quoteValue("a:b=c\\d"), "a\\:b=c\\\\d")
        self.assertEqual(quoteKeyword("a:b=c\\d"), "a\\:b\\=c\\\\d")

    def test_secrets(self) -> None:
        """
        Secrets are left out of what is shown, at whatever depth they are.
        """
        for text, shown in (
            ("tcp6:1:interface=\\:\\:1", "tcp6:1:interface=\\:\\:1"),
            ("xtls:tcp:1:ssl-key-password=hunter2:ssl-cert=c", "xtls:tcp:1:ssl-key-password=...:ssl-cert=c"),
            (r"a:xtls\:tcp\:1\:ssl-key-password=hunter2", r"a:xtls\:tcp\:1\:ssl-key-password=..."),
            (r"a:xtls\:tcp\:1\:ssl-key-password\=hunter2", "a:..."),
            (r"a:b=xtls\:tcp\:1\:ssl-key-password\=hunter2:c", "a:c:b=..."),
        ):
            self.assertEqual(Description.parse(text).withoutSecrets(), shown)
