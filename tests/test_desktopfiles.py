"""
What tells a desktop about connection files.
"""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from tests.support.desktops import execWords, valueOf
from xtls.config.connectionfile import MIME_TYPE
from xtls.programs.desktopfiles import (
    ENTRY_NAME,
    defaultOf,
    entry,
    mimeType,
    takes,
    withDefault,
    withoutDefault,
)

#: A list of applications as desktops keep it.
LIST = """\
[Added Associations]
application/x-xpraconfig=other.desktop;

[Default Applications]
text/plain=editor.desktop
application/x-xpraconfig=xpra.desktop;other.desktop;
"""


class FilesTests(SynchronousTestCase):
    """
    L{mimeType} and L{entry}.
    """

    def test_type(self) -> None:
        """
        The type is said in XML, with the pattern of its names.
        """
        (kind,) = ElementTree.fromstring(mimeType())
        self.assertEqual(kind.get("type"), MIME_TYPE)
        patterns = [each.get("pattern") for each in kind if each.tag.endswith("}glob")]
        self.assertEqual(patterns, ["*.xpra"])

    def test_entry(self) -> None:
        """
        The entry is for files of that type, in a terminal.
        """
        text = entry(["/usr/bin/xtls"])
        self.assertTrue(text.startswith("[Desktop Entry]\n"))
        self.assertEqual((valueOf(text, "Terminal"), valueOf(text, "MimeType")), ("true", f"{MIME_TYPE};"))
        self.assertTrue(takes(text))

    def test_command(self) -> None:
        """
        A desktop that reads it runs the shell with a script that attaches to the file, whatever it and the
        program are called.
        """
        for program in ("/usr/bin/xtls", "/home/a b/\"$x`\\%f'/xtls"):
            for file in ("/a.xpra", "/a b $(x) '\".xpra"):
                shell, option, script, name, argument = execWords(entry([program]), file)
                self.assertEqual((shell, option, name, argument), ("sh", "-c", "xtls", file))
                quoted = "'" + program.replace("'", "'\\''") + "'"
                self.assertTrue(script.startswith(f'{quoted} attach "$1"; status=$?; '), script)

    def test_takes(self) -> None:
        """
        Entries of other programs that open such files are known by their types.
        """
        for text, expected in (
            (f"MimeType=text/plain;{MIME_TYPE};", True),
            (f"MimeType = {MIME_TYPE}", True),
            ("MimeType=text/plain;", False),
            (f"Comment={MIME_TYPE}\nMimeType\n", False),
        ):
            self.assertEqual(takes(text), expected, text)


class ListTests(SynchronousTestCase):
    """
    Lists of applications.
    """

    def test_default(self) -> None:
        """
        The default is what stands under the defaults.
        """
        self.assertEqual(defaultOf(LIST), ["xpra.desktop", "other.desktop"])
        self.assertEqual(defaultOf(""), [])

    def test_with(self) -> None:
        """
        A default takes the place of the one before, and everything else stays as it was.
        """
        text = withDefault(LIST, ENTRY_NAME)
        self.assertEqual(defaultOf(text), [ENTRY_NAME])
        lines = set(LIST.splitlines()) - set(text.splitlines())
        self.assertEqual(lines, {f"{MIME_TYPE}=xpra.desktop;other.desktop;"})
        for before in ("", "[Added Associations]\na=b\n"):
            after = withDefault(before, ENTRY_NAME)
            self.assertTrue(after.startswith(before))
            self.assertEqual(defaultOf(after), [ENTRY_NAME])

    def test_without(self) -> None:
        """
        What is no default any more is taken out, and others that stand there stay.
        """
        self.assertEqual(defaultOf(withoutDefault(LIST, "xpra.desktop")), ["other.desktop"])
        self.assertEqual(defaultOf(withoutDefault(withDefault(LIST, ENTRY_NAME), ENTRY_NAME)), [])
        self.assertIn("text/plain=editor.desktop", withoutDefault(LIST, "xpra.desktop"))
