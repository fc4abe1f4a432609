"""
Moving octets from one socket to another without seeing them.

Where nothing is done with octets but to pass them on, Linux can move them itself (C{splice}), through a
pipe, without a copy into this process and back: bulk costs little more than half.  The pipe is one for all
connections: it is empty again before anything else happens.
"""

from __future__ import annotations

import errno
import os
from typing import Any, Final

__all__ = ["available", "move"]

#: Octets that are moved at once, at most.
_AT_ONCE: Final = 256 * 1024

#: Whether this system, and this Python, can.
available: Final = hasattr(os, "splice")

#: The pipe of each process that had one, the process itself and those that it was forked from.
_pipes: dict[int, tuple[int, int]] = {}


def _open() -> tuple[int, int]:
    """
    Make the pipe of this process, which has nothing in common with its parent's.

    @raise OSError: C{EINVAL}, if there can be none, such as for want of descriptors.
    """
    from fcntl import F_SETPIPE_SZ, fcntl

    while _pipes:
        for end in _pipes.popitem()[1]:
            os.close(end)
    try:
        pipe = _pipes[os.getpid()] = os.pipe()
    except OSError as e:
        raise OSError(errno.EINVAL, "no pipe") from e
    try:
        fcntl(pipe[1], F_SETPIPE_SZ, _AT_ONCE)
    except OSError:
        pass  # less is moved at once, then
    return pipe


def move(source: int, target: int) -> tuple[int, bytes, OSError | None]:
    """
    Move what has arrived at one socket to another.  Neither may block.

    @param source: a socket's descriptor.
    @param target: the other's.
    @return: how many octets had arrived, those of them that the target does not take, and why it does not.
        Without any, C{source} has ended.
    @raise OSError: if C{source} gives nothing: for want of octets (L{BlockingIOError}), because it cannot be
        moved from, or there is no pipe (C{EINVAL}), or because its connection is lost.
    """
    read, write = _pipes.get(os.getpid()) or _open()
    flags: Any = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
    count = left = os.splice(source, write, _AT_ONCE, flags=flags)
    why: OSError | None = None
    try:
        while left:
            left -= os.splice(read, target, left, flags=flags)
    except OSError as e:
        why = e.with_traceback(None)
    rest = b""
    while left:
        some = os.read(read, left)
        rest += some
        left -= len(some)
    return count, rest, why
