"""
The documents: what is marked in them can be run, and what they link to is there.

Running them takes processes and sockets, and is in C{tests/real/test_docs.py}.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.documents import Block, DocumentError, Reader, conversation, matches, readDocument

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^( *)(```+).*?^\1\2 *$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """
    The names of a document's headings in links, as code hosts make them.
    """
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class DocumentsTests(SynchronousTestCase):
    """
    The documents of this project.
    """

    def test_marks(self) -> None:
        """
        Each mark is one that can be followed, and no two blocks of a document have one name.
        """
        for path in DOCUMENTS:
            names = [block.name for block in readDocument(path.read_text("utf-8")).blocks]
            self.assertEqual(len(names), len(set(names)), path)

    def test_links(self) -> None:
        """
        What a document links to within the project is there, down to the heading.
        """
        broken = []
        for path in DOCUMENTS:
            for link in _LINK.findall(_CODE.sub("", path.read_text("utf-8"))):
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                target = path.parent / name if name else path
                if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
                    broken.append(f"{path.relative_to(ROOT)}: {link}")
        self.assertEqual(broken, [])

    def test_names(self) -> None:
        """
        What the reference for programs says is in a module is there.
        """
        text = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
        rows = re.findall(r"^\| (`[^|]*) \| `(xtls[^`]*)` \|", text, re.MULTILINE)
        self.assertGreater(len(rows), 10)
        for names, module in rows:
            for name in re.findall(r"`(\w+)`", names):
                self.assertTrue(hasattr(importlib.import_module(module), name), (name, module))


class ReadDocumentTests(SynchronousTestCase):
    """
    How marked blocks are found.
    """

    def test_blocks(self) -> None:
        """
        Marked blocks are found with their language and text; others are not.
        """
        text = "# Title\n\n<!-- test: one -->\n```sh\ntrue\n```\n\n```sh\nfalse\n```\n"
        self.assertEqual(readDocument(text).blocks, [Block("test", "one", "sh", "true\n", 4)])

    def test_settings(self) -> None:
        """
        A mark may name the status, and what to wait for in the background.
        """
        text = (
            "<!-- test: refused, status 19 -->\n```sh\nx\n```\n"
            '<!-- test: server, background until "ready, go" -->\n```console\n$ y\n```\n'
        )
        one, two = readDocument(text).blocks
        self.assertEqual((one.name, one.status, one.until), ("refused", 19, None))
        self.assertEqual((two.name, two.status, two.until), ("server", 0, "ready, go"))

    def test_files(self) -> None:
        """
        A block may be the text of a file, in any language; in a list, its indentation is not part of it.
        """
        text = "- a file:\n\n  <!-- file: a, b.xpra -->\n  ````\n  host=x\n    y\n  ```\n  ````\n"
        self.assertEqual(readDocument(text).blocks, [Block("file", "a, b.xpra", "", "host=x\n  y\n```\n", 4)])

    def test_ports(self) -> None:
        """
        The ports to replace are named anywhere.
        """
        self.assertEqual(readDocument("<!-- ports: 10000 10001 -->\n").ports, ["10000", "10001"])

    def test_noBlock(self) -> None:
        """
        A mark without a block, or with one that cannot be run, is an error.
        """
        for text in ("<!-- test: x -->", "<!-- test: x -->\ntext\n", "<!-- test: x -->\n```ini\na=b\n```\n"):
            self.assertRaises(DocumentError, readDocument, text)


class ConversationTests(SynchronousTestCase):
    """
    How console blocks are read.
    """

    def test_commands(self) -> None:
        """
        Each command has the lines that follow it; a backslash carries it on.
        """
        text = "$ one\n1\n2\n$ two \\\n>   more\n3\n> 4\n"
        self.assertEqual(conversation(text), [("one\n", "1\n2\n"), ("two \\\n  more\n", "3\n> 4\n")])

    def test_outputFirst(self) -> None:
        """
        Output that no command made is an error.
        """
        self.assertRaises(DocumentError, conversation, "\n1\n$ one\n")

    def test_matches(self) -> None:
        """
        Dots stand for what changes; where nothing is said anything will do.
        """
        for expected, printed, answer in (
            ("", "anything\n", True),
            ("one\n", "one\n", True),
            ("one\n", "one", True),
            ("one\n", "two\n", False),
            ("one\n", "one\ntwo\n", False),
            ("one\n...\n", "one\ntwo\nthree\n", True),
            ("one\n...\n", "one\n", True),
            ("...\nthree\n", "one\ntwo\nthree\n", True),
            ("a ... z\n", "a (b) z\n", True),
            ("a ... z\n", "a\nz\n", False),
            ("a.c\n", "abc\n", False),
        ):
            self.assertEqual(matches(expected, printed), answer, (expected, printed))


class AnchorsTests(SynchronousTestCase):
    """
    How headings are named in links.
    """

    def test_anchors(self) -> None:
        """
        Lower case, without punctuation, and hyphens for spaces.
        """
        self.assertEqual(anchors("# The `ssl:` strings, why?\n## Two\n"), {"the-ssl-strings-why", "two"})


class ReaderTests(SynchronousTestCase):
    """
    A document is followed as a person would.
    """

    def follow(self, text: str) -> None:
        """
        Follow a document in an empty folder.
        """
        scratch = Path(self.mktemp())
        scratch.mkdir()
        Reader(scratch.absolute()).follow(text)

    def test_follows(self) -> None:
        """
        Blocks share a folder and the replaced ports; output, status and files are as they say.
        """
        self.follow(
            "<!-- ports: 10000 -->\n"
            "<!-- file: a.txt -->\n```\nport 10000\n```\n"
            '<!-- test: shown -->\n```console\n$ cat a.txt; x=1\nport ...\n$ echo "$x"\n1\n```\n'
            "<!-- test: replaced -->\n```sh\n! grep -q 1000''0 a.txt\n```\n"
            "<!-- test: status, status 3 -->\n```sh\n(exit 3)\n```\n"
            "<!-- test: python -->\n```python\nopen('b.txt', 'w').close()\n```\n"
            '<!-- test: made -->\n```sh\ntest -e b.txt && test "$HOME" = "$PWD"\n```\n'
        )

    def test_background(self) -> None:
        """
        A block that stays is waited for, and ended with the document.
        """
        self.follow(
            '<!-- test: server, background until "ready" -->\n'
            "```console\n$ echo $$ > pid; echo ready; exec sleep 60\n```\n"
            "<!-- test: there -->\n```sh\nkill -0 $(cat pid)\n```\n"
        )

    def test_contradicted(self) -> None:
        """
        Another output, another status, and a background that never gets ready are told with the place.
        """
        for inside in (
            "<!-- test: x -->\n```console\n$ echo 1\n2\n```\n",
            "<!-- test: x -->\n```console\n$ false\n$ true\n```\n",
            "<!-- test: x -->\n```sh\nfalse\ntrue\n```\n",
            "<!-- test: x -->\n```python\nraise SystemExit(2)\n```\n",
            '<!-- test: x, background until "ready" -->\n```sh\necho no\n```\n',
        ):
            error = self.assertRaises(DocumentError, self.follow, inside)
            self.assertIn("line 2, 'x'", str(error))
