"""
Secrets, and where they are kept.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.secrets import LONGEST_SECRET, namesPlace, readSecret
from xtls.errors import OptionError


class ReadSecretTests(SynchronousTestCase):
    """
    L{readSecret}.
    """

    def write(self, data: bytes) -> str:
        """
        Make a file.
        """
        path = Path(self.mktemp())
        path.write_bytes(data)
        return str(path)

    def refused(self, text: str) -> str:
        """
        The problem with a secret that cannot be read.
        """
        error = self.assertRaises(OptionError, readSecret, text, "an-option", "a place", {})
        self.assertEqual((error.option, error.source), ("an-option", "a place"))
        return str(error.problem)

    def test_namesPlace(self) -> None:
        """
        A text says where a secret is, or is the secret.
        """
        for text in ("file:a", "env:A", "fd:3"):
            self.assertTrue(namesPlace(text))
        for text in ("", "file", "sesame", "enc:A", "ENV:A"):
            self.assertFalse(namesPlace(text))

    def test_itself(self) -> None:
        """
        A text that names no place is the secret, colons and all.
        """
        for text in ("", "hush", "a:b", "files:x", " x ", "FILE:x"):
            self.assertEqual(readSecret(text), text)

    def test_file(self) -> None:
        """
        A file holds the secret; one line end after it does not count, and nothing else is taken off.
        """
        for data, secret in ((b"hush", "hush"), (b" h \n", " h "), (b"h\r\n", "h"), (b"h\n\n", "h\n")):
            self.assertEqual(readSecret("file:" + self.write(data)), secret)

    def test_environment(self) -> None:
        """
        A variable holds the secret, as it is; by default that of the process's environment.
        """
        self.assertEqual(readSecret("env:SECRET", environ={"SECRET": "hush\n"}), "hush\n")
        self.assertEqual(readSecret("env:PATH"), os.environ["PATH"])

    def test_descriptor(self) -> None:
        """
        A descriptor is read to its end and closed, and answers the same when it is asked again.
        """
        reading, writing = os.pipe()
        os.write(writing, b"hush\n")
        os.close(writing)
        self.assertEqual(readSecret(f"fd:{reading}"), "hush")
        self.assertEqual(readSecret(f"fd:{reading}"), "hush")
        self.assertRaises(OSError, os.fstat, reading)

    def test_unreadable(self) -> None:
        """
        A place that is not there is an error that names the place.
        """
        self.assertIn("cannot read file:/nowhere/at/all", self.refused("file:/nowhere/at/all"))
        self.assertIn("cannot read fd:999999", self.refused("fd:999999"))
        self.assertIn("no variable XTLS_NOT", self.refused("env:XTLS_NOT"))
        for text in ("fd:", "fd:x", "fd:-1", "fd:٣", "fd:9999999999"):
            self.assertIn("number", self.refused(text))
        self.refused("file:")
        self.refused("file:a\0b")

    def test_noText(self) -> None:
        """
        Octets that are no text in UTF-8 are refused wherever they come from, and not shown.
        """
        self.assertIn("UTF-8", self.refused("hush\udcff"))
        error = self.assertRaises(OptionError, readSecret, "env:P", environ={"P": "hush\udcff"})
        self.assertIn("UTF-8", error.problem)
        self.assertNotIn("hush", str(error))

    def test_noPassword(self) -> None:
        """
        A file that cannot be a password is refused, and nothing of it is shown.
        """
        for data in (b"hush\xff", b"hush" * LONGEST_SECRET):
            problem = self.refused("file:" + self.write(data))
            self.assertIn("expected a password", problem)
            self.assertNotIn("hush", problem)
