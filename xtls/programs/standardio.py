"""
Standard input and output as ends of a stream: binary-clean, fast, with pressure both ways.

Twisted's C{StandardIO} reads 8 KiB at a time, leaves terminals in non-blocking mode for the programs that
come after, and asks the reactor to poll what cannot be polled.  Here:

  - L{Input} reads large chunks.  It waits for readiness where the system can tell; regular files and
    C{/dev/null}, which epoll refuses, are read one chunk a turn of the reactor, so that they do not keep it
    from its sockets.  It never makes its descriptor non-blocking: after readiness one read does not block.
  - L{Output} writes at once and waits for readiness only with what was not taken; until that has gone, its
    source is paused.  It makes its descriptor non-blocking where a write could block, and puts it back.
    The mode belongs to the open file, which other processes may share, such as the shell of a terminal.

Who closes what: neither closes its descriptor.  L{Output.finish} lets the reader of a pipe see its end all
the same, by leading the descriptor to C{/dev/null}.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer, IReadDescriptor, IReadWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Input", "Output", "openMissing", "pollable"]

#: Octets in one read: two pipes full, and what a large TLS record run takes.
CHUNK: Final = 128 * 1024


def openMissing(descriptors: tuple[int, ...] = (0, 1, 2)) -> None:
    """
    Open C{/dev/null} in place of each standard descriptor that the parent has closed, so that no socket gets
    its number.
    """
    for fd in descriptors:
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)


def pollable(fd: int) -> bool:
    """
    Whether the system can tell when a descriptor is ready.  It cannot for regular files and C{/dev/null}.
    """
    if not hasattr(select, "epoll"):
        return not stat.S_ISREG(os.fstat(fd).st_mode)
    with contextlib.closing(select.epoll()) as poller:
        try:
            poller.register(fd, 0)
        except PermissionError:
            return False
    return True


@implementer(IReadDescriptor, IPushProducer)
class Input:
    """
    Octets from a descriptor.

    @ivar ended: whether all of it has been read.
    """

    def __init__(
        self, reactor: Any, fd: int, received: Callable[[bytes], None], atEnd: Callable[[], None]
    ) -> None:
        """
        @param reactor: provides L{IReactorFDSet} and L{IReactorTime}.
        @param fd: what to read.
        @param received: called with each chunk.
        @param atEnd: called once, after the last chunk; never after L{stopProducing}.
        """
        self._reactor = reactor
        self._fd = fd
        self._received = received
        self._atEnd = atEnd
        self._pollable = pollable(fd)
        self._call: Any = None
        self._reading = False
        self.ended = False

    def fileno(self) -> int:
        """
        The descriptor.
        """
        return self._fd

    def logPrefix(self) -> str:
        """
        What log lines call it.
        """
        return "input"

    def doRead(self) -> None:
        """
        Read one chunk.
        """
        self._call = None
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:  # somebody else was faster, or only another open of this file was ready
            self._again()
            return
        except OSError:  # a terminal that hung up
            data = b""
        if not data:
            self.connectionLost()
            return
        self._received(data)
        self._again()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        There is no more, or the reactor says that the other side of a pipe is gone, which is the same.
        """
        if not self.ended:
            self.stopProducing()
            self._atEnd()

    def resumeProducing(self) -> None:
        """
        Begin, or go on.
        """
        if not self._reading and not self.ended:
            self._reading = True
            if self._pollable:
                self._reactor.addReader(self)
            else:
                self._again()

    def pauseProducing(self) -> None:
        """
        Read nothing for now.
        """
        if self._reading:
            self._reading = False
            if self._pollable:
                self._reactor.removeReader(self)
            elif self._call is not None:
                self._call.cancel()
                self._call = None

    def stopProducing(self) -> None:
        """
        Read nothing any more.
        """
        self.pauseProducing()
        self.ended = True

    def _again(self) -> None:
        """
        Have a descriptor that cannot be polled read in the reactor's next turn.
        """
        if self._reading and not self._pollable:
            self._call = self._reactor.callLater(0, self.doRead)


def _nothing() -> None:
    """
    Nobody waits.
    """


@implementer(IReadWriteDescriptor)
class Output:
    """
    Octets to a descriptor.

    @ivar pending: octets that were accepted and not taken yet.
    @ivar broken: whether nobody reads any more, or the descriptor failed; what is written then is dropped.
    @ivar error: why it failed, if it was for another reason than that nobody reads.
    """

    def __init__(
        self,
        reactor: Any,
        fd: int,
        pause: Callable[[], None],
        resume: Callable[[], None],
        broke: Callable[[], None],
    ) -> None:
        """
        @param reactor: provides L{IReactorFDSet}.
        @param fd: where to write.
        @param pause: called when the descriptor cannot take more: stop the source.
        @param resume: called when all has gone: let the source go on.
        @param broke: called once if nobody reads any more, or the descriptor fails.
        """
        self._reactor = reactor
        self._fd = fd
        self._pause = pause
        self._resume = resume
        self._broke = broke
        self._kept: deque[memoryview] = deque()
        self._finished: Callable[[], None] = _nothing
        self._finishing = False
        self._done = False
        self._blocking: bool | None = None
        self.pending = 0
        self.broken = False
        self.error: OSError | None = None
        if pollable(fd):
            self._blocking = os.get_blocking(fd)
            os.set_blocking(fd, False)
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                # a pipe that nobody reads any more says so in the same way as one that can be read
                reactor.addReader(self)

    def fileno(self) -> int:
        """
        The descriptor.
        """
        return self._fd

    def logPrefix(self) -> str:
        """
        What log lines call it.
        """
        return "output"

    def write(self, data: bytes | memoryview) -> None:
        """
        Write at once, or keep in order what is not taken.

        @param data: a view need only be valid during this call.
        """
        if self.broken or self._done:
            return
        if self._kept:
            self._keep(data)
            return
        taken = self._attempt(data)
        if taken < len(data) and not self.broken:
            self._keep(memoryview(data)[taken:])
            self._reactor.addWriter(self)
            self._pause()

    def finish(self, call: Callable[[], None]) -> None:
        """
        Say that all has been written.

        @param call: called once when all of it has gone, or can never go; the descriptor leads nowhere then,
            and its mode is as it was.
        """
        self._finishing, self._finished = True, call
        if not self._kept:
            self._end()

    def restore(self) -> None:
        """
        Put the descriptor's mode back, and let go of it.
        """
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        if self._blocking is not None:
            os.set_blocking(self._fd, self._blocking)
            self._blocking = None

    def doWrite(self) -> None:
        """
        The descriptor takes more.
        """
        while self._kept:
            taken = self._attempt(self._kept[0])
            if self.broken:
                return
            self.pending -= taken
            if taken < len(self._kept[0]):
                self._kept[0] = self._kept[0][taken:]
                return
            self._kept.popleft()
        self._reactor.removeWriter(self)
        if self._finishing:
            self._end()
        else:
            self._resume()

    def doRead(self) -> Any:
        """
        Nobody reads the pipe any more.
        """
        return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        """
        Nobody reads any more.
        """
        self._fail(None)

    def _attempt(self, data: bytes | memoryview) -> int:
        """
        Write what the descriptor takes now.

        @return: how many octets that was.
        """
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self._fail(None)
        except OSError as e:
            self._fail(e)
        return 0

    def _keep(self, data: bytes | memoryview) -> None:
        """
        Remember what was not taken.
        """
        self._kept.append(memoryview(bytes(data)))
        self.pending += len(data)

    def _fail(self, error: OSError | None) -> None:
        """
        What is kept can never go.
        """
        if self.broken or self._done:
            return
        self.broken = True
        self.error = error
        self._kept.clear()
        self.pending = 0
        if self._finishing:
            self._end()
        else:
            self.restore()
            self._broke()

    def _end(self) -> None:
        """
        Let the reader see the end.
        """
        self._done = True
        self.restore()
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._fd)
        self._finished()
