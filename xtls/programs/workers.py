"""
Several processes that serve the same sockets, and one that looks after them.

The parent binds the sockets, makes the TLS contexts, and forks; then it waits, and forks again when a worker
has ended.  It never runs its reactor but to stop, so that each worker begins as the first did.  What workers
log, it writes (L{xtls.programs.relaying}); how many connections they have, it reads in memory that is
shared (L{xtls.programs.tally}); what it decides, L{xtls.programs.supervision} does.

Signals, as they come to the parent:

  - C{SIGTERM}, C{SIGINT}: all end; a second one kills what is left.
  - C{SIGHUP}: certificates are read again, by the parent; and new workers take the places of those that there
    are, which listen no more, and end when their connections have ended.
  - C{SIGUSR2}: one line about everything in the log.
  - C{SIGUSR1} is twistd's: its log file is rotated.

Files that change are what C{SIGHUP} is, as far as certificates go.  New workers, and not a word to those that
there are, since what a worker reads for itself has ticket keys of its own.  Only where so many wait for their
connections to end that there is no room for more, those that serve read certificates again themselves.

A worker ends by itself when its parent is gone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.programs.processes import Processes, Signals
from xtls.programs.relaying import Receiver, Sender, sendTo
from xtls.programs.reloading import Reloader
from xtls.programs.serving import CLOSED, Terminal
from xtls.programs.supervision import ATTEMPTS, SETTLED, Life, Supervision, howEnded
from xtls.programs.tally import Board, Tally

__all__ = ["Shared", "Workers"]

_log = Logger()

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_HEARD: Final = (*_ENDING, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)
_IGNORED: Final = (signal.SIGUSR1,)

#: So many workers may be there at once, for each that there should be: the others are leaving.
_GENERATIONS: Final = 8

#: What the parent tells workers.
_LEAVE: Final = signal.SIGHUP
_READ_AGAIN: Final = signal.SIGUSR2

_GAVE_UP: Final = (
    f"no worker stays alive: each has ended {ATTEMPTS} times within {SETTLED:.0f} seconds; the log says how"
)
_NO_ROOM: Final = (
    "too many workers still wait for their connections to end: others do not take their places yet, and those"
    " that serve read certificates again by themselves"
)


class Shared(Protocol):
    """
    What is served, by all workers.
    """

    def share(self, tally: Tally) -> None:
        """
        This process is a worker.

        @param tally: where it counts its connections.
        """


class Workers:
    """
    All workers.  It is what L{Reactor.runWithin<xtls.wire.reactor.Reactor.runWithin>} is given.
    """

    def __init__(
        self,
        count: int,
        reactor: Any,
        service: Shared,
        reloader: Reloader,
        terminal: Terminal,
        gaveUp: Callable[[str], object],
    ) -> None:
        """
        @param count: how many.
        @param reactor: of our own kind; everything listens already when it is run.
        @param reloader: has certificates read again.
        @param terminal: that of the process.
        @param gaveUp: called with a sentence when no worker stays alive, before all ends.
        """
        self._count = count
        self._reactor = reactor
        self._service = service
        self._reloader = reloader
        self._terminal = terminal
        self._gaveUp = gaveUp
        # what tests have their own of
        self.clock: Callable[[], float] = time.monotonic
        self.system = Processes()
        self.signals = Signals(_HEARD, _IGNORED)
        self.publisher: LogPublisher = globalLogPublisher
        self._board = Board(count * _GENERATIONS)
        self._pipes: dict[int, tuple[int, Receiver]] = {}
        self._announced = False
        self._outdated = False
        self._endedBy: int | None = None

    def __call__(self, loop: Callable[[], None]) -> None:
        """
        Look after workers until all is over, and then stop as a process does that was stopped.

        @param loop: runs the reactor: each worker's, and in the end, for a moment, that of the parent.
        """
        supervision = self._supervision = Supervision(self._count, self.clock())
        self._lifeline = self.system.pipe()
        self._terminal.look()
        self._reloader.begin(self.clock())
        self.signals.begin()
        try:
            while not supervision.done:
                self._startAll(loop)
                self._next()
        finally:
            self.signals.end()
        for each in self._lifeline:
            self.system.close(each)
        if supervision.gaveUp:
            _log.critical("xtls: {problem}", problem=_GAVE_UP)
            self._gaveUp(_GAVE_UP)
        else:
            assert self._endedBy is not None
            self._reactor.stoppedBy(self._endedBy)
        self._reactor.callWhenRunning(self._reactor.stop)
        loop()

    def _startAll(self, loop: Callable[[], None]) -> None:
        """
        Start the workers that are due.
        """
        found = [self._start(number, loop) for number in self._supervision.due(self.clock())]
        started = [each for each in found if each is not None]
        if started and not self._announced:
            self._announced = True
            pids = ", ".join(str(each.pid) for each in started)
            _log.info("xtls serves with {count} workers: {pids}", count=len(started), pids=pids)
            return
        for each in started:
            _log.info("worker {number} is process {pid} now", number=each.number, pid=each.pid)

    def _start(self, number: int, loop: Callable[[], None]) -> Life | None:
        """
        Start one.
        """
        tally = self._board.take()
        assert tally is not None  # _replace sees to it
        reading, writing = self.system.pipe()
        try:
            with self.signals.held():
                pid = self.system.fork()
                if not pid:
                    self._pipes[reading] = (0, Receiver(0))
                    self._work(tally, writing, loop)
        except OSError as e:
            tally.free()
            for each in (reading, writing):
                self.system.close(each)
            wait = self._supervision.notStarted(number, self.clock())
            problem = f"{e}; again {_when(wait)}"
            _log.error("worker {number} cannot start: {problem}", number=number, problem=problem)
            return None
        self.system.close(writing)
        self._pipes[reading] = (pid, Receiver(number))
        return self._supervision.started(number, pid, tally, self.clock())

    def _next(self) -> None:
        """
        Wait for something, and see to it.
        """
        numbers, readable = self.signals.wait(self._pipes, self._wait(self.clock()))
        for fd in readable:
            self._read(fd)
        lives = self._supervision.lives
        for life in lives:
            life.status = self.system.ended(life.pid)
        if any(life.status is not None for life in lives):
            # perhaps all were told to end, and not the parent alone, which hears of it last
            numbers += self.signals.wait((), 0)[0]
        for number in numbers:
            self._signalled(number)
        for life in lives:
            if life.status is not None:
                self._bury(life, life.status)
        for life in self._supervision.overdue(self.clock()):
            _log.error("worker {number} ({pid}) does not end: killed", number=life.number, pid=life.pid)
            self._tell(life, signal.SIGKILL)
        self._reload()
        self._reactor.callQueued()

    def _wait(self, now: float) -> float | None:
        """
        How long there is nothing to do unless something happens, in seconds; L{None} for ever.
        """
        waits = [self._supervision.wait(now)]
        if not self._supervision.stopping:
            waits += [self._reloader.wait(now), Terminal.INTERVAL if self._terminal.there else None]
        return min((each for each in waits if each is not None), default=None)

    def _signalled(self, number: int) -> None:
        """
        A signal has come.
        """
        closed = number == signal.SIGHUP and self._terminal.closed()
        if closed:
            _log.info(CLOSED)
        if closed or number in _ENDING:
            again = self._supervision.stopping
            self._endedBy = self._endedBy or number
            for life in self._supervision.stop(self.clock()):
                self._tell(life, signal.SIGKILL if again else signal.SIGTERM)
        elif number == signal.SIGHUP:
            self._reloader.ask()
        elif number == signal.SIGUSR2:
            status = self._supervision.status(self.clock()) + self._reloader.status()
            _log.info("xtls: {status}", status=status)

    def _reload(self) -> None:
        """
        Read again what is to be read again, and have new workers take the places of those that have the old.
        """
        self._terminal.look()
        if self._supervision.stopping:
            return
        room = len(self._supervision.lives) <= self._count * (_GENERATIONS - 1)
        if self._reloader.turn(self.clock()):
            self._outdated = True
            if not room:
                _log.error(_NO_ROOM)
                for life in self._supervision.lives:
                    if not life.leaving:
                        self._tell(life, _READ_AGAIN)
        if self._outdated and room:
            self._outdated = False
            for life in self._supervision.replace(self.clock()):
                self._tell(life, _LEAVE)

    def _tell(self, life: Life, number: int) -> None:
        """
        Send a signal to a worker; if it has ended, its number may be that of another process by now.
        """
        if life.status is None:
            self.system.kill(life.pid, number)

    def _read(self, fd: int) -> bool:
        """
        Log what a worker has sent.

        @return: whether there may be more.
        """
        data = self.system.read(fd)
        if data:
            for event in self._pipes[fd][1](data):
                self.publisher(event)
        elif data is not None:
            del self._pipes[fd]
            self.system.close(fd)
        return bool(data)

    def _bury(self, life: Life, status: int) -> None:
        """
        A worker has ended.
        """
        for fd in [fd for fd, (pid, _) in self._pipes.items() if pid == life.pid]:
            while self._read(fd):
                pass
            if self._pipes.pop(fd, None):  # a program that it started has it too
                self.system.close(fd)
        expected = (self._supervision.stopping or life.leaving) and status in (0, -signal.SIGTERM)
        wait = self._supervision.ended(life.pid, self.clock())
        (_log.info if expected else _log.error)(
            "worker {number} ({pid}) ended: {how}; connections that it had: {connections}{following}",
            number=life.number,
            pid=life.pid,
            how=howEnded(status),
            connections=life.tally.now,
            following="" if wait is None else f"; another takes its place {_when(wait)}",
        )
        life.tally.free()

    def _work(self, tally: Tally, writing: int, loop: Callable[[], None]) -> None:
        """
        This is a worker.  It does not return: how a parent ends is none of its business.
        """
        status = 1
        try:
            for each in (self._lifeline[1], *self._pipes):
                self.system.close(each)
            sendTo(Sender(writing), self.publisher)
            self._reactor.forked(tally)
            self._reactor.addReader(_Lifeline(self._lifeline[0], self._orphaned))
            self._service.share(tally)
            soon = self._reactor.callFromThread
            self.signals.forked(
                {
                    signal.SIGTERM: signal.SIG_DFL,  # until the reactor runs, and has its own
                    signal.SIGCHLD: signal.SIG_DFL,
                    _LEAVE: lambda number, frame: soon(self._leave, tally),
                    _READ_AGAIN: lambda number, frame: soon(self._reloader.readAll, self.clock()),
                }
            )
            loop()
            status = 0
        except BaseException:
            _log.failure("a worker fails")
        finally:
            self.system.exit(status)

    def _leave(self, tally: Tally) -> None:
        """
        A worker's place is taken.
        """
        tally.leaves()
        tally.emptied = self._stop
        self._reactor.stopSharing()
        _log.info("leaving when {count} connections have ended", count=tally.now)
        if not tally.now:
            self._stop()

    def _orphaned(self) -> None:
        """
        A worker's parent is gone.
        """
        self._stop()

    def _stop(self) -> None:
        """
        End a worker.
        """
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            pass  # it ends already


def _when(wait: float) -> str:
    """
    When something happens, in words.
    """
    return f"in {wait:.0f} s" if wait else "at once"


@implementer(IReadDescriptor)
class _Lifeline:
    """
    The end of a pipe that nobody writes to, and that is closed when the parent ends, however that may be.
    """

    def __init__(self, fd: int, gone: Callable[[], None]) -> None:
        self._fd = fd
        self._gone = gone

    def fileno(self) -> int:
        """
        The descriptor.
        """
        return self._fd

    def doRead(self) -> Any:
        """
        There is nothing to read but its end.
        """
        return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        """
        The parent is gone, or this process ends.
        """
        self._gone()

    def logPrefix(self) -> str:
        """
        For logs.
        """
        return "parent"
