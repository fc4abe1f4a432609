"""
Files that are nobody else's business.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import CertificateFileError
from xtls.trust.files import LARGEST_FILE, readFile, rewrite, writeAgain, writePrivate


def mode(path: Path) -> int:
    """
    Who may do what with a file.
    """
    return stat.S_IMODE(path.stat().st_mode)


class ReadFileTests(SynchronousTestCase):
    """
    Reading.
    """

    def problemOf(self, path: str) -> str:
        """
        What is wrong with a file.
        """
        error = self.assertRaises(CertificateFileError, readFile, path)
        self.assertEqual(error.path, path)
        return str(error.problem)

    def test_read(self) -> None:
        """
        A file is read whole.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"contents")
        self.assertEqual(readFile(path), b"contents")
        self.assertEqual(readFile(str(path)), b"contents")

    def test_problems(self) -> None:
        """
        A file that is missing, a directory, empty or no path at all is an error that names it.
        """
        self.assertEqual(self.problemOf("/nowhere/at/all"), "cannot be read: No such file or directory")
        self.assertEqual(self.problemOf("/"), "cannot be read: Is a directory")
        self.assertEqual(self.problemOf(os.devnull), "is empty")
        self.assertIn("cannot be read", self.problemOf("a\0b"))

    def test_endless(self) -> None:
        """
        A file that is larger than any of certificates is not read to its end, if it has one.
        """
        self.assertEqual(self.problemOf("/dev/zero"), f"is larger than {LARGEST_FILE} octets")


class WritePrivateTests(SynchronousTestCase):
    """
    Writing.
    """

    def setUp(self) -> None:
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.directory = Path(self.mktemp())
        self.directory.mkdir(mode=0o755)

    def test_modes(self) -> None:
        """
        The file is its owner's alone, and so are directories that had to be made; others stay as they are.
        """
        path = self.directory / "a" / "b" / "key.pem"
        writePrivate(path, b"secret")
        self.assertEqual(path.read_bytes(), b"secret")
        self.assertEqual(
            [mode(each) for each in (path, path.parent, path.parent.parent, self.directory)],
            [0o600, 0o700, 0o700, 0o755],
        )

    def test_replaced(self) -> None:
        """
        A file that is there is replaced, and not written into: who has it open or linked sees the old one,
        and the new one does not have its mode.
        """
        path, link = self.directory / "key.pem", self.directory / "link"
        path.write_bytes(b"old")
        path.chmod(0o644)
        os.link(path, link)
        writePrivate(str(path), b"new")
        self.assertEqual((path.read_bytes(), link.read_bytes()), (b"new", b"old"))
        self.assertEqual(mode(path), 0o600)

    def test_symbolicLink(self) -> None:
        """
        A symbolic link is replaced, and not followed.
        """
        path, other = self.directory / "key.pem", self.directory / "other"
        path.symlink_to(other)
        writePrivate(path, b"new")
        self.assertFalse(path.is_symlink())
        self.assertFalse(other.exists())

    def test_neverWider(self) -> None:
        """
        Before a single octet is in it, nobody else may read it; and it has its name only when it is whole.
        """
        seen: list[tuple[int, bool]] = []
        path = self.directory / "key.pem"
        original = os.fdopen

        def fdopen(descriptor: int, *args: Any) -> Any:
            status = os.fstat(descriptor)
            seen.append((stat.S_IMODE(status.st_mode), status.st_size == 0 and not path.exists()))
            return original(descriptor, *args)

        self.patch(os, "fdopen", fdopen)
        writePrivate(path, b"secret")
        self.assertEqual(seen, [(0o600, True)])

    def test_kept(self) -> None:
        """
        When asked, a file that is there stays; one that is not is made.
        """
        path = self.directory / "key.pem"
        writePrivate(path, b"first", replace=False)
        writePrivate(path, b"second", replace=False)
        self.assertEqual(path.read_bytes(), b"first")
        self.assertEqual([each.name for each in self.directory.iterdir()], ["key.pem"])

    def test_withoutHardLinks(self) -> None:
        """
        So it is on file systems that know no hard links.
        """

        def link(source: object, target: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        self.patch(os, "link", link)
        path = self.directory / "key.pem"
        writePrivate(path, b"first", replace=False)
        self.assertEqual((path.read_bytes(), mode(path)), (b"first", 0o600))

    def test_impossible(self) -> None:
        """
        What cannot be written is an error that names the file, and leaves nothing behind.
        """
        (self.directory / "file").write_bytes(b"")
        for path in (self.directory / "file" / "key.pem", Path("/proc/xtls/key.pem")):
            error = self.assertRaises(CertificateFileError, writePrivate, path, b"secret")
            self.assertEqual(error.path, str(path))
            self.assertNotIn("secret", str(error))
        (self.directory / "taken").mkdir()
        self.assertRaises(CertificateFileError, writePrivate, self.directory / "taken", b"secret")
        self.assertEqual(sorted(each.name for each in self.directory.iterdir()), ["file", "taken"])


class RewriteTests(SynchronousTestCase):
    """
    L{rewrite}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "file.pem"
        self.path.write_bytes(b"old")

    def test_kept(self) -> None:
        """
        Who may read a file, and whose it is, stay as they are.
        """
        for bits in (0o600, 0o640, 0o644):
            self.path.chmod(bits)
            before = self.path.stat()
            rewrite(str(self.path), b"new")
            self.assertEqual(self.path.read_bytes(), b"new")
            after = self.path.stat()
            self.assertEqual((after.st_mode, after.st_uid), (before.st_mode, before.st_uid))
        self.assertEqual([each.name for each in self.folder.iterdir()], ["file.pem"])

    def test_notOurs(self) -> None:
        """
        Where it cannot stay somebody else's, it is written all the same; and no group of ours may read what a
        group of theirs could.
        """

        def refuse(path: Path, user: int, group: int) -> None:
            raise PermissionError(errno.EPERM, "no")

        self.patch(os, "chown", refuse)
        self.path.chmod(0o640)
        rewrite(self.path, b"new")
        self.assertEqual(self.path.read_bytes(), b"new")
        self.assertEqual(mode(self.path), 0o600)

    def test_again(self) -> None:
        """
        What is written again and again may be read by whoever could read it before; at first, by its owner.
        """
        other = self.folder / "other.pem"
        writeAgain(other, b"old")
        self.assertEqual(mode(other), 0o600)
        other.chmod(0o644)
        writeAgain(other, b"new")
        self.assertEqual((other.read_bytes(), mode(other)), (b"new", 0o644))

    def test_link(self) -> None:
        """
        A link leads where it did.
        """
        link = self.folder / "link.pem"
        link.symlink_to("file.pem")
        rewrite(link, b"new")
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.path.read_bytes(), b"new")

    def test_impossible(self) -> None:
        """
        Where there is no file, and where none can be written, that is an error; nothing is left over.
        """
        self.assertRaises(CertificateFileError, rewrite, self.folder / "other.pem", b"new")

        def fail(source: Path, target: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "replace", fail)
        error = self.assertRaises(CertificateFileError, rewrite, self.path, b"new")
        self.assertIn("No space", error.problem)
        self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual([each.name for each in self.folder.iterdir()], ["file.pem"])
