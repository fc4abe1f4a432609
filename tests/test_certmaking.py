"""
What the commands that make certificates have in common.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import OptionError
from xtls.programs import certmaking
from xtls.programs.certmaking import (
    daysOf,
    fileNameFor,
    keyOf,
    listeningExample,
    optionText,
    refuseExisting,
    summary,
    writeNew,
)
from xtls.programs.commandline import Given
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, writePrivate


class WritingTests(SynchronousTestCase):
    """
    Files that are new.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_written(self) -> None:
        """
        A file is written where there is none, and only when told where there is one.
        """
        writeNew(self.path, b"one", force=False)
        error = self.assertRaises(OptionError, writeNew, self.path, b"two", force=False)
        self.assertEqual(error.option, "out")
        self.assertEqual(self.path.read_bytes(), b"one")
        self.assertRaises(OptionError, refuseExisting, self.path, force=False)
        writeNew(self.path, b"two", force=True)
        self.assertEqual(self.path.read_bytes(), b"two")

    def test_folder(self) -> None:
        """
        A folder is not written over, whatever is said.
        """
        self.path.mkdir()
        for force in (False, True):
            error = self.assertRaises(OptionError, writeNew, self.path, b"one", force=force)
            self.assertIn("folder", error.problem)

    def test_link(self) -> None:
        """
        A link that leads nowhere is something that is there.
        """
        self.path.symlink_to("nowhere")
        self.assertRaises(OptionError, writeNew, self.path, b"one", force=False)

    def test_race(self) -> None:
        """
        A file that appears at the last moment stays as it is too.
        """
        written = writePrivate

        def write(path: Path, data: bytes, *, replace: bool) -> None:
            written(path, b"somebody else's")
            written(path, data, replace=replace)

        self.patch(certmaking, "writePrivate", write)
        self.assertRaises(OptionError, writeNew, self.path, b"ours", force=False)
        self.assertEqual(self.path.read_bytes(), b"somebody else's")


class DaysTests(SynchronousTestCase):
    """
    L{daysOf}.
    """

    def test_days(self) -> None:
        """
        Days are a number from one to ten years' worth.
        """
        self.assertEqual(daysOf(Given(), 7), 7)
        self.assertEqual(daysOf(Given({"days": ("30",)}), 7), 30)
        for text in ("0", "-1", "x", "99999", "\u0661"):
            error = self.assertRaises(OptionError, daysOf, Given({"days": (text,)}), 7)
            self.assertEqual(error.option, "days")


class KeyTests(SynchronousTestCase):
    """
    L{keyOf}.
    """

    def test_kinds(self) -> None:
        """
        The kind may be chosen; another word is an error that names the option.
        """
        self.assertIsInstance(keyOf(Given()), ec.EllipticCurvePrivateKey)
        self.assertIsInstance(keyOf(Given({"key": ("ed25519",)})), ed25519.Ed25519PrivateKey)
        error = self.assertRaises(OptionError, keyOf, Given({"key": ("dsa",)}))
        self.assertEqual(error.option, "key")


class FileNameTests(SynchronousTestCase):
    """
    L{fileNameFor}.
    """

    def test_names(self) -> None:
        """
        A file is called as what it is for, with nothing in it that shells, options or file systems take for
        something else.
        """
        for name, expected in (
            ("example.org", "example.org"),
            ("*.example.org", "_wildcard.example.org"),
            ("::1", "__1"),
            ("alice@example.org", "alice@example.org"),
            ("Älice B", "Älice_B"),
            ("../../etc/passwd", "_.._.._etc_passwd"),
            ("-rf", "_-rf"),
            ("a\n", "a_"),
            ("a" * 300, "a" * 100),
        ):
            self.assertEqual(fileNameFor(name), expected)


class ExampleTests(SynchronousTestCase):
    """
    Commands that are shown.
    """

    def test_options(self) -> None:
        """
        Options are spelled as they are defined.
        """
        self.assertEqual(optionText("caCerts"), "--ssl-ca-certs")
        self.assertTrue(listeningExample("--a=b").endswith(" --a=b"))


class SummaryTests(SynchronousTestCase):
    """
    L{summary}.
    """

    def test_summary(self) -> None:
        """
        It has subject, issuer, names, dates and fingerprint; an issuer that is the subject is not repeated.
        """
        authority = Authority("an authority")
        certificate = authority.issue("example.org").certificate
        text = summary(certificate)
        for expected in ("CN=example.org", "CN=an authority", "names        example.org"):
            self.assertIn(expected, text)
        self.assertIn(fingerprint(certificate), text)
        self.assertNotIn("issuer", summary(authority.certificate))
        self.assertNotIn("names", summary(authority.certificate))

    def test_foreign(self) -> None:
        """
        A name that somebody else has chosen is shown so that no terminal obeys it.
        """
        text = summary(Authority("an\x1b[31m authority").issue("a.test").certificate)
        self.assertIn("CN=an\\x1b[31m authority", text)

    def test_odd(self) -> None:
        """
        Names that cannot be read do not keep the rest from being shown; nor does a subject that is empty.
        """
        authority = Authority("an authority")
        self.assertIn("cannot be read", summary(authority.issue("a.test", san=b"\xff").certificate))
        self.assertIn("subject      none", summary(authority.issue(san=False).certificate))
