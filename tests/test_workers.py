"""
The parent of workers, and a worker, with an operating system in memory.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import ILogObserver, LogPublisher, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from xtls.errors import OptionError
from xtls.programs import workers
from xtls.programs.reloading import Reloader
from xtls.programs.serving import CLOSED, Terminal
from xtls.programs.supervision import ATTEMPTS, PATIENCE, SETTLED
from xtls.programs.tally import Tally
from xtls.programs.workers import Workers
from xtls.trust.anchors import TrustAnchors
from xtls.wire.reactor import Line


class _Exited(BaseException):
    """
    The process has ended.
    """


class _System:
    """
    Processes that do as they are told.

    @ivar children: those that run, and how each has ended.
    @ivar inside: whether this is the child from the next fork on.
    @ivar killed: the signals sent, in order.
    @ivar pipes: what is in each pipe, by the descriptor of its end.
    @ivar open: descriptors that are open.
    """

    def __init__(self) -> None:
        self.children: dict[int, int | None] = {}
        self.inside = False
        self.refused = 0
        self.killed: list[tuple[int, int]] = []
        self.obedient = True
        self.pipes: dict[int, list[bytes]] = {}
        self.open: set[int] = set()
        self.exited: list[int] = []
        self._descriptor = 0

    def fork(self) -> int:
        """
        Make a process.
        """
        if self.refused:
            self.refused -= 1
            raise OSError(11, "Resource temporarily unavailable")
        if self.inside:
            return 0
        pid = 100 + len(self.children)
        self.children[pid] = None
        return pid

    def exit(self, status: int) -> None:
        """
        End.
        """
        self.exited.append(status)
        raise _Exited

    def kill(self, pid: int, number: int) -> None:
        """
        Send a signal, and end for it.
        """
        assert self.children[pid] is None
        self.killed.append((pid, number))
        if self.obedient and number == signal.SIGTERM:
            self.children[pid] = 0
        elif number == signal.SIGKILL:
            self.children[pid] = -number

    def ended(self, pid: int) -> int | None:
        """
        How a process has ended.
        """
        return self.children[pid]

    def pipe(self) -> tuple[int, int]:
        """
        Make a pipe.
        """
        self._descriptor += 2
        found = self._descriptor, self._descriptor + 1
        self.open.update(found)
        self.pipes[found[0]] = []
        return found

    def read(self, fd: int) -> bytes | None:
        """
        What is next in a pipe; nothing now, when there is no more.
        """
        return self.pipes[fd].pop(0) if self.pipes[fd] else None

    def close(self, fd: int) -> None:
        """
        Close a descriptor, once.
        """
        self.open.remove(fd)


class _Signals:
    """
    Signals that come as the test says.

    @ivar late: those that come a moment later.
    @ivar turns: what happens while each wait lasts, and says which signals come then.
    """

    def __init__(self, test: WorkersCase) -> None:
        self._test = test
        self.turns: list[Callable[[], list[int]]] = []
        self.waits: list[float | None] = []
        self.begun = False
        self.isHeld = False
        self.late: list[int] = []
        self.handlers: Mapping[int, Any] = {}

    def begin(self) -> None:
        """
        Signals are waited for.
        """
        self.begun = True

    def end(self) -> None:
        """
        They are not any more.
        """
        self.begun = False

    def wait(self, descriptors: Iterable[int], timeout: float | None) -> tuple[list[int], list[int]]:
        """
        Wait for what the test says, and else as long as may be.
        """
        if descriptors == ():
            found, self.late = self.late, []
            return found, []
        self.waits.append(timeout)
        if self.turns:
            numbers = self.turns.pop(0)()
        elif timeout is None:
            numbers = [signal.SIGTERM]
        else:
            numbers = []
            self._test.now += timeout
        return numbers, [fd for fd in descriptors if self._test.system.pipes[fd]]

    @contextmanager
    def held(self) -> Iterator[None]:
        """
        Signals wait.
        """
        self.isHeld = True
        yield
        self.isHeld = False

    def forked(self, handlers: Mapping[int, Any]) -> None:
        """
        This is a child.
        """
        assert self.isHeld
        self.handlers = handlers


class _Reactor:
    """
    A reactor that notes what it is asked.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.readers: list[Any] = []
        self.endedBy: int | None = None
        self.queued = 0
        self.running = True

    def stoppedBy(self, number: int) -> None:
        """
        Which signal it was.
        """
        self.endedBy = number

    def callWhenRunning(self, call: Callable[[], None]) -> None:
        """
        When it runs.
        """
        call()

    def stop(self) -> None:
        """
        Stop.
        """
        if not self.running:
            raise ReactorNotRunning
        self.asked.append("stop")
        self.running = False

    def callQueued(self) -> None:
        """
        Call what handlers of signals have asked for.
        """
        self.queued += 1

    def callFromThread(self, call: Callable[..., None], *arguments: Any) -> None:
        """
        Call something soon.
        """
        call(*arguments)

    def forked(self, line: Line) -> None:
        """
        This is a child.
        """
        self.asked.append("forked")

    def stopSharing(self) -> None:
        """
        Listen no more.
        """
        self.asked.append("stopSharing")

    def addReader(self, reader: Any) -> None:
        """
        Read from something.
        """
        self.readers.append(reader)


class _Creator:
    """
    What can be read again.
    """

    files = certificates = chain = ()
    anchors = TrustAnchors()

    def __init__(self) -> None:
        self.reads = 0
        self.broken = False

    def reload(self) -> None:
        """
        Read again.
        """
        if self.broken:
            raise OptionError("ssl-key", "command line", "it does not belong to the certificate")
        self.reads += 1


class WorkersCase(SynchronousTestCase):
    """
    Two workers, from the time 1000 on.  Everything ends by C{SIGTERM} when nothing else happens any more.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.system = _System()
        self.signals = _Signals(self)
        self.reactor = _Reactor()
        self.shared: list[Tally] = []
        self.problems: list[str] = []
        self.loops = 0
        self.creator = _Creator()
        self.terminal = Terminal("/nowhere")
        self.workers = self.make(Reloader([]))
        self.events: list[Any] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def make(self, reloader: Reloader) -> Workers:
        """
        Make two workers.
        """
        made = Workers(2, self.reactor, self, reloader, self.terminal, self.problems.append)
        made.clock = lambda: self.now
        made.system = cast(Any, self.system)
        made.signals = cast(Any, self.signals)
        return made

    def share(self, tally: Tally) -> None:
        """
        The service is shared.
        """
        self.shared.append(tally)

    def loop(self) -> None:
        """
        The reactor runs.
        """
        self.loops += 1

    def turns(self, *turns: Callable[[], list[int]] | list[signal.Signals]) -> None:
        """
        What happens while the parent waits: something is done, or signals come.
        """
        self.signals.turns = [each if callable(each) else partial(list, each) for each in turns]

    def die(self, pid: int, status: int = -9, after: float = 1) -> Callable[[], list[int]]:
        """
        A worker ends after some time.
        """

        def happen() -> list[int]:
            self.now += after
            self.system.children[pid] = status
            return [signal.SIGCHLD]

        return happen

    def logged(self) -> list[str]:
        """
        What was logged.
        """
        return [str(formatEvent(event)) for event in self.events]


class ParentTests(WorkersCase):
    """
    L{Workers} in the parent.
    """

    def test_all(self) -> None:
        """
        All are started, told to end when this process is, and waited for; then it stops as if it were alone.
        """
        self.workers(self.loop)
        self.assertEqual(self.system.killed, [(100, signal.SIGTERM), (101, signal.SIGTERM)])
        self.assertEqual((self.reactor.asked, self.loops), (["stop"], 1))
        self.assertEqual((self.reactor.endedBy, self.problems), (signal.SIGTERM, []))
        self.assertEqual((self.system.open, self.signals.begun), (set(), False))
        self.assertEqual(self.logged()[0], "xtls serves with 2 workers: 100, 101")
        self.assertEqual(self.logged()[1], "worker 1 (100) ended: status 0; connections that it had: 0")

    def test_replaced(self) -> None:
        """
        Who has died is replaced, at once or after a while, and all of it is said.
        """
        self.turns(self.die(101, after=SETTLED), self.die(102, 3), list)
        self.workers(self.loop)
        self.assertEqual(
            self.logged()[1:5],
            [
                "worker 2 (101) ended: signal 9 (SIGKILL); connections that it had: 0;"
                " another takes its place at once",
                "worker 2 is process 102 now",
                "worker 2 (102) ended: status 3; connections that it had: 0; another takes its place in 1 s",
                "worker 2 is process 103 now",
            ],
        )

    def test_givesUp(self) -> None:
        """
        When no worker stays alive there is a sentence, and everything ends.
        """
        dying = [self.die(100 + number, 1, 0.1) for number in range(2 * ATTEMPTS)]
        waiting: list[Callable[[], list[int]]] = []
        for number in range(0, 2 * ATTEMPTS, 2):
            waiting += [*dying[number : number + 2], self.rest]
        self.turns(*waiting)
        self.workers(self.loop)
        (problem,) = self.problems
        self.assertIn("no worker stays alive", problem)
        self.assertIn(f"xtls: {problem}", self.logged())
        self.assertEqual((self.reactor.asked, self.reactor.endedBy), (["stop"], None))

    def rest(self) -> list[int]:
        """
        Time goes by.
        """
        self.now += 30
        return []

    def test_notStarted(self) -> None:
        """
        When the system cannot make another process, it is asked again later.
        """
        self.system.refused = 2
        self.workers(self.loop)
        self.assertEqual(
            self.logged()[0],
            "worker 1 cannot start: [Errno 11] Resource temporarily unavailable; again in 1 s",
        )
        self.assertIn("xtls serves with 2 workers: 100, 101", self.logged())
        self.assertEqual(self.system.open, set())

    def test_killed(self) -> None:
        """
        Who does not end when told to is killed, after a while.
        """
        self.system.obedient = False
        self.workers(self.loop)
        self.assertEqual(self.system.killed[2:], [(100, signal.SIGKILL), (101, signal.SIGKILL)])
        self.assertIn(PATIENCE, self.signals.waits)
        self.assertIn("worker 1 (100) does not end: killed", self.logged())

    def test_twice(self) -> None:
        """
        Who asks twice does not want to wait.
        """
        self.system.obedient = False
        self.turns([signal.SIGINT], [signal.SIGTERM], list)
        self.workers(self.loop)
        numbers = [number for _, number in self.system.killed]
        self.assertEqual(numbers, [signal.SIGTERM] * 2 + [signal.SIGKILL] * 2)
        self.assertEqual((self.reactor.endedBy, self.now), (signal.SIGINT, 1000))

    def test_together(self) -> None:
        """
        When all are told to end at once, it is no accident that workers have ended before their parent heard.
        """
        self.signals.late = [signal.SIGTERM]
        self.turns(self.die(100, 0), self.die(101, 0))
        self.workers(self.loop)
        self.assertEqual(
            self.logged()[1:],
            [f"worker {n} ({99 + n}) ended: status 0; connections that it had: 0" for n in (1, 2)],
        )
        self.assertEqual(self.reactor.endedBy, signal.SIGTERM)

    def test_status(self) -> None:
        """
        One line about everything, for who asks; and handlers of other signals have what they ask for.
        """
        self.turns([signal.SIGUSR2], [signal.SIGUSR1])
        self.workers(self.loop)
        beginning = "xtls: up 0 s, connections: 0 now, 0 in all; worker 1 (100)"
        self.assertTrue(self.logged()[1].startswith(beginning))
        self.assertGreaterEqual(self.reactor.queued, 3)

    def test_leaving(self) -> None:
        """
        All are replaced, and told to leave; that they end then is no error.
        """
        self.turns([signal.SIGHUP], list, self.die(100, 0))
        self.workers(self.loop)
        self.assertEqual(self.system.killed[:2], [(100, signal.SIGHUP), (101, signal.SIGHUP)])
        self.assertEqual(
            self.logged()[1:4],
            [
                "worker 1 is process 102 now",
                "worker 2 is process 103 now",
                "worker 1 (100) ended: status 0; connections that it had: 0",
            ],
        )

    def later(self, *numbers: int) -> Callable[[], list[int]]:
        """
        Some time later, signals come.
        """

        def happen() -> list[int]:
            self.now += 2
            return list(numbers)

        return happen

    def reloading(self, *turns: Callable[[], list[int]]) -> list[tuple[int, int]]:
        """
        Run with a certificate, until everything has happened.

        @return: the signals that workers were sent before the end, by process.
        """
        self.workers = self.make(Reloader([("bind-tcp=1", self.creator)]))
        self.turns(*turns, self.later(signal.SIGTERM))
        self.workers(self.loop)
        return [each for each in self.system.killed if each[1] != signal.SIGTERM]

    def test_reloaded(self) -> None:
        """
        The parent reads certificates again, and new workers have them.
        """
        told = self.reloading(self.later(signal.SIGHUP), self.later())
        self.assertEqual(told, [(100, signal.SIGHUP), (101, signal.SIGHUP)])
        self.assertEqual((self.creator.reads, len(self.system.children)), (1, 4))
        self.assertIn("bind-tcp=1 has read again whom it believes", self.logged())

    def test_broken(self) -> None:
        """
        Where they cannot be used, everything stays as it is.
        """
        self.creator.broken = True
        self.assertEqual(self.reloading(self.later(signal.SIGHUP), self.later(signal.SIGUSR2)), [])
        self.assertEqual(len(self.system.children), 2)
        self.assertTrue(self.logged()[1].startswith("bind-tcp=1 keeps what it has: "), self.logged())
        (status,) = [line for line in self.logged() if line.startswith("xtls: up")]
        self.assertTrue(status.endswith("; certificates in use are not those of the files: bind-tcp=1"))

    def test_storm(self) -> None:
        """
        Who asks all the time does not have more and more processes made.
        """

        def storm() -> list[int]:
            return [signal.SIGHUP] * 3

        self.reloading(*[storm] * 50, self.later())
        self.assertEqual((self.creator.reads, len(self.system.children)), (2, 6))

    def test_noRoom(self) -> None:
        """
        There is an end to how many may wait for their connections to end: then those that serve read
        certificates again themselves, and are replaced when there is room.
        """
        most = 2 * workers._GENERATIONS

        def leave() -> list[int]:
            self.assertEqual(len(self.system.children), most)
            for pid in (100, 101):
                self.system.children[pid] = 0
            return [signal.SIGCHLD]

        told = self.reloading(*[self.later(signal.SIGHUP)] * 9, leave, list)
        again = [pid for pid, number in told if number == signal.SIGUSR2]
        self.assertEqual(again, [100 + most - 2, 100 + most - 1] * 2)
        self.assertEqual(told[-2:], [(pid, signal.SIGHUP) for pid in again[:2]])
        self.assertEqual((self.creator.reads, len(self.system.children)), (9, most + 2))
        self.assertIn(workers._NO_ROOM, self.logged())

    def test_terminalClosed(self) -> None:
        """
        When the terminal is closed, in whose foreground all this is, that is the end; and nothing is read.
        """
        path = self.mktemp()
        Path(path).touch()
        self.terminal = Terminal(path)
        self.workers = self.make(Reloader([("bind-tcp=1", self.creator)]))

        def close() -> list[int]:
            Path(path).unlink()
            return [signal.SIGHUP]

        self.turns(list, close)
        self.workers(self.loop)
        self.assertEqual(self.signals.waits[0], Terminal.INTERVAL)
        self.assertIn(CLOSED, self.logged())
        self.assertEqual((self.creator.reads, self.reactor.endedBy), (0, signal.SIGHUP))

    def test_reloadedInTheEnd(self) -> None:
        """
        When all is to end, nothing is read any more.
        """
        self.system.obedient = False
        self.turns([signal.SIGTERM, signal.SIGHUP], [signal.SIGHUP])
        self.workers(self.loop)
        self.assertNotIn(0.0, self.signals.waits[2:])
        self.assertNotIn((100, signal.SIGHUP), self.system.killed)

    def test_records(self) -> None:
        """
        What workers log is logged here, also what they say last.
        """
        record = b'[1.5, "info", "a.place", null, "%d"]\n'

        def say() -> list[int]:
            one, other = self.workers._pipes
            self.system.pipes[one] += [record % 1, b""]
            self.system.pipes[other] += [record % 2]
            return []

        def die() -> list[int]:
            (last,) = self.workers._pipes
            self.system.pipes[last] += [record % 3, record % 4]
            self.system.pipes[last] += [b""]
            return self.die(101)()

        self.turns(say, list, die)
        self.workers(self.loop)
        found = [line for line in self.logged() if line.startswith("[worker")]
        self.assertEqual(found, ["[worker 1] 1", "[worker 2] 2", "[worker 2] 3", "[worker 2] 4"])


class WorkerTests(WorkersCase):
    """
    L{Workers} in a worker.
    """

    def setUp(self) -> None:
        super().setUp()
        self.system.inside = True
        self.workers.publisher = LogPublisher()
        self.during: Callable[[], None] = lambda: None

    def work(self) -> int:
        """
        Be a worker until it ends.

        @return: the exit status.
        """
        self.assertRaises(_Exited, self.workers, self.loop)
        (status,) = self.system.exited
        return status

    def loop(self) -> None:
        """
        The reactor runs.
        """
        super().loop()
        self.during()

    def test_works(self) -> None:
        """
        It shares the service, has the reactor to itself, and ends for itself, without what a parent does.
        """
        self.assertEqual(self.work(), 0)
        self.assertEqual((self.reactor.asked, len(self.shared), self.loops), (["forked"], 1, 1))
        # its end of the lifeline, and the beginning of the pipe for what it logs
        self.assertEqual(self.system.open, {2, 5})

    def test_fails(self) -> None:
        """
        Whatever happens, it ends.
        """

        def fail() -> None:
            raise KeyboardInterrupt

        self.during = fail
        self.assertEqual(self.work(), 1)
        self.assertIn("a worker fails", self.logged())
        self.flushLoggedErrors(KeyboardInterrupt)

    def test_orphaned(self) -> None:
        """
        When its parent is gone, it ends.
        """
        self.work()
        (lifeline,) = self.reactor.readers
        verifyObject(IReadDescriptor, lifeline)
        self.assertEqual((lifeline.fileno(), lifeline.logPrefix()), (2, "parent"))
        self.assertIs(lifeline.doRead(), CONNECTION_LOST)
        for _ in range(2):
            lifeline.connectionLost(Failure(CONNECTION_LOST))
            self.assertEqual(self.reactor.asked, ["forked", "stop"])

    def test_leaves(self) -> None:
        """
        When it is told to leave, it takes no more connections, and ends when the last has ended.
        """

        def during() -> None:
            (tally,) = self.shared
            tally.begun()
            self.signals.handlers[signal.SIGHUP](signal.SIGHUP, None)
            self.assertEqual(self.reactor.asked, ["forked", "stopSharing"])
            tally.ended()
            self.assertEqual(self.reactor.asked, ["forked", "stopSharing", "stop"])

        self.during = during
        self.assertEqual(self.work(), 0)

    def test_readsAgain(self) -> None:
        """
        When it is told to, it reads certificates again itself.
        """
        self.workers = self.make(Reloader([("bind-tcp=1", self.creator)]))
        self.workers.publisher = LogPublisher()

        def during() -> None:
            self.signals.handlers[signal.SIGUSR2](signal.SIGUSR2, None)

        self.during = during
        self.assertEqual(self.work(), 0)
        self.assertEqual(self.creator.reads, 1)

    def test_leavesAtOnce(self) -> None:
        """
        Without any connection it ends at once; also when it ends already.
        """

        def during() -> None:
            for _ in range(2):
                self.signals.handlers[signal.SIGHUP](signal.SIGHUP, None)

        self.during = during
        self.assertEqual(self.work(), 0)
        self.assertEqual(self.reactor.asked, ["forked", "stopSharing", "stop", "stopSharing"])
