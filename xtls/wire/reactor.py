"""
A reactor for many connections: Twisted's own for epoll, with a shorter way to each of them.

Twisted wraps each event of each connection in a context for its log, which costs as much as the event's
own work when messages are small.  This reactor calls C{doRead} and C{doWrite} of what is ready themselves.
What is lost is one word: lines that a protocol writes to Twisted's old log (C{twisted.python.log.msg}) say
C{-} where they said which connection they belong to.

C{twistd xtls} runs on it where there is epoll and no other reactor was asked for; C{twistd -r xtls} takes it
for any other service, and L{install} for a program of one's own.

It can also be forked before it runs, so that several processes serve the same listening sockets; see
L{Reactor.runWithin} and L{Reactor.forked}.
"""

from __future__ import annotations

import errno
import select
import sys
from collections.abc import Callable
from functools import partial
from select import EPOLLIN, EPOLLOUT, epoll
from types import FrameType
from typing import Any, Final, Protocol

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python import log

__all__ = ["Line", "Reactor", "install"]

#: How processes wait for the connections of one socket: each wakes one of them, and not all (Linux 4.5).
_ONE_OF_MANY: Final[int] = EPOLLIN | getattr(select, "EPOLLEXCLUSIVE", 0)

#: How long a process that is ahead leaves new connections to others, in seconds.  It is short, since those
#: may not be able to take any.
_REST: Final = 0.001

#: How often a process looks for connections that another one was woken for and did not take, in seconds.
_PATROL: Final = 1.0

#: How many connections a process takes at once at most, from a port that it shares.
_MOST: Final = 64


class Line(Protocol):
    """
    The processes that wait for the connections of one port, as one of them sees it.
    """

    def ahead(self) -> bool:
        """
        Whether this process has more connections than it should have, and another is there to take the next.
        """

    def rests(self, resting: bool) -> None:
        """
        This process is there to take connections, or is not for a short time.
        """


_log = Logger()

#: What the loop looks at of Twisted's own state; where that has other names, Twisted's own loop runs.
_TIMED: Final = ("_pendingTimedCalls", "_newTimedCalls", "_justStopped", "threadCallQueue")

#: Seconds that epoll can wait at once: milliseconds are an C{int} to it.
_LONGEST: Final = 2147483


class Reactor(EPollReactor):
    """
    The reactor.
    """

    _main: Callable[[Callable[[], None]], object] | None = None

    def __init__(self) -> None:
        super().__init__()
        # the ports that other processes have too, and where this one rests, the call that ends it
        self._shared: dict[Any, IDelayedCall | None] = {}
        self._patrol: IDelayedCall | None = None

    def runWithin(self, main: Callable[[Callable[[], None]], object]) -> None:
        """
        Have something else decide when the loop is run, and in which process.

        @param main: is called by C{run}, in place of running the loop, and is given the loop to run.
        """
        self._main = main

    def run(self, installSignalHandlers: bool = True) -> None:
        """
        Run the loop, until it is stopped; or what is to be run in its place.
        """
        main, self._main = self._main, None
        loop = partial(super().run, installSignalHandlers)
        if main is None:
            loop()
        else:
            main(loop)

    def sigTerm(self, number: int, frame: FrameType | None = None) -> None:
        """
        C{SIGTERM} stops the loop.  It may come twice, as when all processes of a service get it from the
        system and from one another; the second changes nothing.
        """
        if self._exitSignal is None:
            self._exitSignal = number
            super().sigTerm(number, frame)

    def stoppedBy(self, number: int) -> None:
        """
        Say which signal it was that ended the process: twistd asks afterwards, and ends by the same.
        """
        self._exitSignal = number

    def callQueued(self) -> None:
        """
        Call what other threads, and handlers of signals, have asked to be called, in a process in which the
        loop does not run.
        """
        queued, self.threadCallQueue[:] = list(self.threadCallQueue), []
        for call, arguments, keywords in queued:
            try:
                call(*arguments, **keywords)
            except Exception:
                log.err()

    def mainLoop(self) -> None:
        """
        Run until it is stopped.
        """
        if not all(hasattr(self, name) for name in _TIMED):
            super().mainLoop()
            return
        while self._started:
            try:
                self._turns()
            except BaseException:
                _log.failure("an error in the reactor's loop, which goes on")

    def _turns(self) -> None:
        """
        Turn after turn, as Twisted's own loop has them; where nothing is to be called, nothing is asked for
        it.
        """
        while self._started:
            waiting = self._pendingTimedCalls
            if self.threadCallQueue or self._newTimedCalls or self._justStopped or not self.running:
                wait = self._called()
            elif not waiting:
                wait = None
            elif (wait := waiting[0].time - self.seconds()) <= 0:
                wait = self._called()
            elif wait > _LONGEST:
                wait = _LONGEST
            self.doPoll(wait)

    def _called(self) -> float | None:
        """
        Call what is to be called.

        @return: seconds until there is more; L{None} if there is nothing.
        """
        self.runUntilCurrent()
        return self.timeout() if self.running else 0

    def removeReader(self, reader: Any) -> None:
        """
        Read no more from a descriptor; most are not read from any more when this is called, since all are
        when they end.
        """
        number = reader.fileno()
        if number in self._reads or number < 0 or self._continuousPolling.isReading(reader):
            super().removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        """
        Write no more to a descriptor.
        """
        number = writer.fileno()
        if number in self._writes or number < 0 or self._continuousPolling.isWriting(writer):
            super().removeWriter(writer)

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events, and have them handled.

        @param timeout: seconds to wait at most; L{None} to wait for an event.
        """
        selectables = self._selectables
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
        except OSError as e:
            if e.errno == errno.EINTR:
                return
            raise
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # an event before has closed it
            if event & EPOLLIN and not event & EPOLLOUT:  # whatever else it says, the read will find out
                try:
                    why = selectable.doRead()
                except BaseException:
                    why = sys.exc_info()[1]
                    log.err()
                if why:
                    self._disconnectSelectable(selectable, why, True)
            elif event == EPOLLOUT:
                try:
                    why = selectable.doWrite()
                except BaseException:
                    why = sys.exc_info()[1]
                    log.err()
                if why:
                    self._disconnectSelectable(selectable, why, False)
            else:
                self._doReadOrWrite(selectable, fd, event)

    doIteration = doPoll

    def forked(self, line: Line) -> None:
        """
        This process is a child that C{os.fork} has made before the reactor ran: have nothing in common with
        the parent any more but the open descriptors.

        Its listening ports are those of all children of that parent.  The kernel wakes the first in line
        that waits for a connection.  A process takes one connection then, and more only as long as more are
        waiting each time; and one that is ahead of others leaves the line, and after a short rest stands at
        its end.

        @param line: who else waits for connections.
        """
        readers, writers = self.getReaders(), self.getWriters()
        inherited = self._poller
        self._poller = epoll()
        self._reads.clear()
        self._writes.clear()
        self._selectables.clear()
        inherited.close()  # closes this process's descriptor only; nothing was taken out of it
        waker: Any = self.waker
        self._internalReaders.discard(waker)
        for reader in readers:
            if IListeningPort.providedBy(reader):
                self._share(reader, line)
            elif reader is not waker:
                self.addReader(reader)
        for writer in writers:
            self.addWriter(writer)
        waker.connectionLost(None)
        self.waker = None
        self.installWaker()
        self._patrol = self.callLater(_PATROL, self._look)
        # before all descriptors are closed, which for such a port would be for all processes
        self.addSystemEventTrigger("before", "shutdown", self.stopSharing)

    def stopSharing(self) -> None:
        """
        Take no more connections from the ports of all.  Their sockets stay open: to close one properly would
        end it for the other processes too.
        """
        for port, joining in self._shared.items():
            if joining is None:
                self.removeReader(port)
            else:
                joining.cancel()
            port.factory.doStop()
        self._shared.clear()
        if self._patrol is not None:
            self._patrol.cancel()
            self._patrol = None

    def _look(self) -> None:
        """
        Find connections for which the kernel has woken a process that is stuck, stopped, or dead since then:
        who joins the line is told of those that wait.
        """
        self._patrol = self.callLater(_PATROL, self._look)
        for port, joining in self._shared.items():
            if joining is None:
                self.removeReader(port)
                self._join(port)

    def _share(self, port: Any, line: Line) -> None:
        """
        Listen on a port together with other processes.
        """
        accept = port.doRead
        some = 1

        def acceptSome() -> object:
            nonlocal some
            port.numberAccepts = some
            why: object = accept()
            # the port has raised its number if there were as many as it was to accept
            some = min(2 * some, _MOST) if port.numberAccepts > some else 1
            if port in self._shared and line.ahead():
                line.rests(True)
                self.removeReader(port)
                self._shared[port] = self.callLater(_REST, joinAgain)
            return why

        def joinAgain() -> None:
            line.rests(False)
            self._join(port)

        port.doRead = acceptSome
        self._join(port)

    def _join(self, port: Any) -> None:
        """
        Go to the end of the line.
        """
        fd = port.fileno()
        self._poller.register(fd, _ONE_OF_MANY)
        self._reads.add(fd)
        self._selectables[fd] = port
        self._shared[port] = None


def install() -> None:
    """
    Make this the reactor of the process.

    @raise ReactorAlreadyInstalledError<twisted.internet.error.ReactorAlreadyInstalledError>: if it has one.
    """
    installReactor(Reactor())
