"""
Whether files have changed.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from xtls.trust import watching
from xtls.trust.watching import Watch, barred, readOnce


class _Reads:
    """
    Counts how often files are read.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._read = watching._read

    def __call__(self, path: str) -> bytes:
        """
        Read a file.
        """
        self.paths.append(os.path.basename(path))
        return self._read(path)


class WatchCase(SynchronousTestCase):
    """
    A folder with one file in it, an hour after it was written.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "cert.pem"
        self.file.write_bytes(b"one")
        self.later = 3600.0
        self.watch = Watch(lambda: time.time() + self.later)
        self.reads = _Reads()
        self.patch(watching, "_read", self.reads)

    def changes(self, *paths: Path) -> bool:
        """
        Whether something has changed since this was asked last.
        """
        before = getattr(self, "before", None)
        self.before = self.watch.look(map(str, paths or (self.file,)))
        return self.before != before


class FileTests(WatchCase):
    """
    One file.
    """

    def setUp(self) -> None:
        super().setUp()
        self.changes()

    def test_asItWas(self) -> None:
        """
        What has not changed is not read again.
        """
        self.assertFalse(self.changes())
        self.assertEqual(self.reads.paths, ["cert.pem"])

    def test_written(self) -> None:
        """
        Who writes over it, with as many octets, is seen.
        """
        self.file.write_bytes(b"two")
        self.assertTrue(self.changes())
        self.assertFalse(self.changes())

    def test_coarseClock(self) -> None:
        """
        What was changed just now is read again, since another change might have the same time.
        """
        self.later = 0
        self.file.write_bytes(b"two")
        self.assertTrue(self.changes())
        stamp = self.file.stat()
        self.file.write_bytes(b"six")
        real = os.stat

        def stat(path: Any, **options: Any) -> os.stat_result:
            return stamp if path == str(self.file) else real(path, **options)

        self.patch(os, "stat", stat)
        self.assertTrue(self.changes())
        self.assertTrue(self.watch.recent)
        self.later = 10
        self.assertFalse(self.changes())
        self.assertFalse(self.watch.recent)
        read = len(self.reads.paths)
        self.assertFalse(self.changes())
        self.assertEqual(len(self.reads.paths), read)

    def test_systemClock(self) -> None:
        """
        The clock is the system's unless another is given.
        """
        watch = Watch()
        for _ in range(2):
            watch.look([str(self.file)])
        self.assertEqual(self.reads.paths, ["cert.pem"] * 3)

    def test_touched(self) -> None:
        """
        A file that was only touched is read again, and has not changed.
        """
        os.utime(self.file, (1, 1))
        self.assertFalse(self.changes())
        self.assertEqual(self.reads.paths, ["cert.pem"] * 2)

    def test_keptTime(self) -> None:
        """
        A file that has the time and the size of the one before (C{cp -p}, C{rsync}) is seen all the same.
        """
        found = self.file.stat()
        self.file.write_bytes(b"two")
        os.utime(self.file, ns=(found.st_atime_ns, found.st_mtime_ns))
        self.assertTrue(self.changes())

    def test_renamed(self) -> None:
        """
        An editor's rename, also one that makes the file anew under the same name.
        """
        other = self.folder / "cert.pem~"
        other.write_bytes(b"two")
        os.replace(other, self.file)
        self.assertTrue(self.changes())

    def test_vanished(self) -> None:
        """
        A file that vanishes has changed; when it comes back as it was, nothing has.
        """
        before = self.before
        self.file.unlink()
        self.assertTrue(self.changes())
        self.assertFalse(self.changes())
        self.file.write_bytes(b"one")
        self.assertTrue(self.changes())
        self.assertEqual(self.before, before)

    def test_impossible(self) -> None:
        """
        A path that cannot be one is as good as one that leads nowhere.
        """
        self.assertEqual(self.watch.look(["\0"]), {"\0": b"cannot be read: "})


class LinkTests(WatchCase):
    """
    Files behind symbolic links.
    """

    def test_leadsElsewhere(self) -> None:
        """
        certbot's C{live} directory: the link leads to another file of C{archive}.
        """
        self.file.unlink()
        archive = self.folder / "archive"
        archive.mkdir()
        for number in (1, 2):
            (archive / f"cert{number}.pem").write_bytes(b"%d" % number)
        self.file.symlink_to("archive/cert1.pem")
        self.changes()
        self.file.unlink()
        self.file.symlink_to("archive/cert2.pem")
        self.assertTrue(self.changes())
        self.assertFalse(self.changes())

    def test_folderLeadsElsewhere(self) -> None:
        """
        A secret of Kubernetes: all files are behind one link to a folder, which is put in place by a rename.
        """
        self.file.unlink()
        for number in (1, 2):
            (self.folder / f"..{number}").mkdir()
            (self.folder / f"..{number}" / "cert.pem").write_bytes(b"%d" % number)
        (self.folder / "..data").symlink_to("..1")
        self.file.symlink_to("..data/cert.pem")
        for watched in (self.file, self.folder):
            self.changes(watched)
            link = self.folder / "..new"
            link.symlink_to("..2" if watched == self.file else "..1")
            os.replace(link, self.folder / "..data")
            self.assertTrue(self.changes(watched))
            self.assertFalse(self.changes(watched))


class DirectoryTests(WatchCase):
    """
    A directory.
    """

    def test_entries(self) -> None:
        """
        It changes with the files in it: with what they are called, and with what they contain.
        """
        self.changes(self.folder)
        self.assertFalse(self.changes(self.folder))
        self.file.write_bytes(b"two")
        self.assertTrue(self.changes(self.folder))
        (self.folder / "more.crl").write_bytes(b"three")
        self.assertTrue(self.changes(self.folder))
        (self.folder / "more.crl").rename(self.folder / "other.crl")
        self.assertTrue(self.changes(self.folder))
        (self.folder / "other.crl").unlink()
        self.assertTrue(self.changes(self.folder))
        self.assertFalse(self.changes(self.folder))

    def test_folders(self) -> None:
        """
        Directories in it do not count.
        """
        self.changes(self.folder)
        (self.folder / "more").mkdir()
        self.assertFalse(self.changes(self.folder))


class ReadabilityTests(WatchCase):
    """
    What cannot be read, or not again.
    """

    def test_barred(self) -> None:
        """
        What this user may not read is known as such, and seen when that changes.
        """
        self.changes()
        self.assertEqual(barred(self.before), ())

        def read(path: str) -> bytes:
            raise PermissionError(errno.EACCES, "Permission denied")

        self.patch(watching, "_read", read)
        os.utime(self.file, (1, 1))
        self.assertTrue(self.changes())
        self.assertEqual(barred(self.before), (str(self.file),))
        self.patch(watching, "_read", self.reads)
        self.assertTrue(self.changes())

    def test_pipe(self) -> None:
        """
        Nobody waits for what comes out of a pipe; and it never changes.
        """
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.changes(pipe)
        self.assertFalse(self.changes(pipe))
        self.assertEqual(readOnce(self.before), (str(pipe),))
        self.assertEqual(readOnce(self.watch.look([str(self.file), str(self.folder)])), ())
