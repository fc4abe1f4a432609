"""
Whether files have changed, as somebody sees who looks at them every now and then.

What counts is what a path leads to and what that contains.  So it does not matter how a file is replaced: by
a symbolic link that leads elsewhere (certbot), by a link to a whole directory (Kubernetes), by a rename
(editors), or by writing over it; and a file that was only touched has not changed.

Most looks cost a C{stat} for each file: it is read only when something about it is new, or so recent that
another change would not show, for clocks of file systems are coarse.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from xtls.trust.files import LARGEST_FILE

__all__ = ["Sight", "Watch", "barred", "readOnce"]

#: What each path leads to: equal when nothing has changed.
Sight = Mapping[str, bytes]

#: How long after a change another one might have the same time, in seconds: the coarsest clock is FAT's.
_RECENT: Final = 2.0

#: How a description begins of what cannot be looked at, and of what may be read only once, such as a pipe.
_FAILED: Final = b"cannot be read: "
_SPECIAL: Final = b"no file"

#: Errors that say that this user may not.
_BARRED: Final = frozenset({_FAILED + name for name in (b"EACCES", b"EPERM")})


@dataclass(frozen=True)
class _Trace:
    """
    What is remembered of a file.

    @ivar stamp: what C{stat} said of it.
    @ivar contents: a digest.
    """

    stamp: tuple[int, ...]
    contents: bytes


def _wallClock() -> float:
    """
    The time that files get, in seconds.
    """
    return datetime.now(timezone.utc).timestamp()


class Watch:
    """
    Somebody who looks at files.

    @ivar recent: whether something that was seen at the last look had changed just before.
    """

    def __init__(self, now: Callable[[], float] = _wallClock) -> None:
        """
        @param now: the clock of the file systems, in seconds.
        """
        self.recent = False
        self._now = now
        self._known: dict[str, _Trace] = {}

    def look(self, paths: Iterable[str]) -> Sight:
        """
        Look at files, and at directories with the files in them.

        @return: to be compared with that of another look.
        """
        before, self._known = self._known, {}
        self.recent = False
        return {path: self._describe(path, before) for path in paths}

    def _describe(self, path: str, before: Mapping[str, _Trace]) -> bytes:
        """
        What a path leads to.
        """
        try:
            found = os.stat(path)
            if not stat.S_ISDIR(found.st_mode):
                return self._file(path, found, before)
            names = sorted(os.listdir(path))
        except (OSError, ValueError) as e:
            return _failure(e)
        whole = hashlib.sha256()
        for name in names:
            inside = os.path.join(path, name)
            if os.path.isfile(inside):
                whole.update(os.fsencode(name) + b"\0" + self._describe(inside, before) + b"\0")
        return whole.digest()

    def _file(self, path: str, found: os.stat_result, before: Mapping[str, _Trace]) -> bytes:
        """
        What is in a file.
        """
        if not stat.S_ISREG(found.st_mode):
            return _SPECIAL
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = before.get(path)
        if known is None or known.stamp != stamp:
            known = _Trace(stamp, _read(path))
            if max(found.st_mtime, found.st_ctime) + _RECENT > self._now():
                self.recent = True
                return known.contents  # and not remembered, so that it is read again
        self._known[path] = known
        return known.contents


def _read(path: str) -> bytes:
    """
    A digest of what is in a file.
    """
    # it may be a pipe by now, which nobody should wait for
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as opened:
        return hashlib.sha256(opened.read(LARGEST_FILE + 1)).digest()


def _failure(error: OSError | ValueError) -> bytes:
    """
    What stands for what cannot be looked at: another problem is another sight.
    """
    number = error.errno if isinstance(error, OSError) else None
    return _FAILED + errno.errorcode.get(number or 0, "").encode("ascii")


def barred(sight: Sight) -> tuple[str, ...]:
    """
    The paths that this user may not read.
    """
    return tuple(path for path, contents in sight.items() if contents in _BARRED)


def readOnce(sight: Sight) -> tuple[str, ...]:
    """
    The paths that are no files, and what came out of them does not come again: pipes.
    """
    return tuple(path for path, contents in sight.items() if contents == _SPECIAL)
