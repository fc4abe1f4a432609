"""
Reading files of certificates, and writing such as nobody else may read.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from xtls.errors import CertificateFileError

__all__ = ["LARGEST_FILE", "makePrivateDirectories", "readFile", "rewrite", "writeAgain", "writePrivate"]

#: The largest file of certificates that is read, in octets: the whole of a system's CAs is under one MiB.
LARGEST_FILE: Final = 16 * 1024 * 1024


def readFile(path: str | Path, *, empty: bool = False) -> bytes:
    """
    Read a file of certificates or keys.

    @param empty: whether it may be empty.
    @raise CertificateFileError: if it cannot be read, is empty, or is too large.
    """
    try:
        with open(path, "rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as e:
        problem = (e.strerror if isinstance(e, OSError) else None) or str(e)
        raise CertificateFileError(str(path), f"cannot be read: {problem}") from None
    if not data and not empty:
        raise CertificateFileError(str(path), "is empty")
    if len(data) > LARGEST_FILE:
        raise CertificateFileError(str(path), f"is larger than {LARGEST_FILE} octets")
    return data


def writePrivate(path: str | Path, data: bytes, *, replace: bool = True) -> None:
    """
    Write a file that its owner alone may read, whole or not at all; others cannot read it even while it is
    being written.  Directories that are missing are made, for the owner alone.

    @param replace: whether to take the place of a file that is there; if not, that file stays as it is.
    @raise CertificateFileError: if it cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        makePrivateDirectories(target.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            if replace:
                os.replace(temporary, target)
            else:
                _place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise CertificateFileError(str(path), f"cannot be written: {e.strerror}") from None


def rewrite(path: str | Path, data: bytes) -> None:
    """
    Write a file anew, whole or not at all: who may read it, and a link that leads to it, stay as they are.
    Where it cannot stay somebody else's, no group may read it.

    @raise CertificateFileError: if it cannot be written.
    """
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        before = target.stat()
        writePrivate(temporary, data)
        try:
            mode = stat.S_IMODE(before.st_mode)
            try:
                os.chown(temporary, before.st_uid, before.st_gid)
            except PermissionError:
                mode &= ~stat.S_IRWXG  # our group is not the one that might read it
            os.chmod(temporary, mode)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise CertificateFileError(str(path), f"cannot be written: {e.strerror}") from None


def writeAgain(path: str | Path, data: bytes) -> None:
    """
    Write a file that is no secret, such as a revocation list: who may read the one that is there, may read
    the new one.  Where there is none, that is its owner alone.

    @raise CertificateFileError: if it cannot be written.
    """
    if Path(path).exists():
        rewrite(path, data)
    else:
        writePrivate(path, data)


def makePrivateDirectories(directory: Path) -> None:
    """
    Make a directory and those above it, as far as they are missing, for the owner alone.
    """
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _place(temporary: Path, target: Path) -> None:
    """
    Give a finished file its name, unless there is one of that name by now.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        return
    except OSError:
        # a file system without hard links
        os.replace(temporary, target)
