"""
The reactor: each is made here, and asked for what is ready now; none waits.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, cast

from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionLost, ReactorAlreadyInstalledError
from twisted.internet.interfaces import IListeningPort, IReactorFDSet, IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from xtls.wire.reactor import Reactor, install


class _End(FileDescriptor):
    """
    One end of a pair of sockets that notes what it is asked to do.

    @ivar reading: what C{doRead} does.
    @ivar writing: what C{doWrite} does.
    """

    reading: Callable[[], Any] = staticmethod(lambda: None)
    writing: Callable[[], Any] = staticmethod(lambda: None)

    def __init__(self, reactor: Any, end: socket.socket) -> None:
        super().__init__(reactor)
        self.end = end
        self.asked: list[str] = []
        self.lost: list[Failure] = []

    def fileno(self) -> int:
        """
        The descriptor.
        """
        return self.end.fileno()

    def doRead(self) -> Any:
        """
        What it reads, it leaves.
        """
        self.asked.append("read")
        return self.reading()

    def doWrite(self) -> Any:
        """
        It writes nothing.
        """
        self.asked.append("write")
        return self.writing()

    def connectionLost(self, reason: Failure) -> None:
        """
        It is to be used no more.
        """
        self.lost.append(reason)


@implementer(IListeningPort, IReadDescriptor)
class _Port(_End):
    """
    A port at which so many connections wait.
    """

    numberAccepts = 100

    def __init__(self, reactor: Any, end: socket.socket) -> None:
        super().__init__(reactor, end)
        self.factory = Factory()
        self.factory.doStart()
        self.waiting = 0
        self.taken: list[int] = []

    def doRead(self) -> None:
        """
        Accept as Twisted's ports do.
        """
        some = min(self.numberAccepts, self.waiting)
        self.waiting -= some
        self.taken.append(some)
        self.numberAccepts = self.numberAccepts + 20 if some == self.numberAccepts else max(1, some)

    def startListening(self) -> None:
        """
        Not used.
        """

    def stopListening(self) -> None:
        """
        Not used.
        """

    def getHost(self) -> Any:
        """
        Not used.
        """


class ReactorCase(SynchronousTestCase):
    """
    A reactor with one end of a pair of sockets.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.addCleanup(self.close)
        ours, self.other = socket.socketpair()
        for each in (ours, self.other):
            self.addCleanup(each.close)
        self.end = _End(self.reactor, ours)

    def close(self) -> None:
        """
        Close what the reactor opened.
        """
        cast(Any, self.reactor.waker).connectionLost(None)
        self.reactor._poller.close()


class PollTests(ReactorCase):
    """
    C{doPoll}.
    """

    def test_kind(self) -> None:
        """
        It is a reactor for descriptors.
        """
        verifyObject(IReactorFDSet, self.reactor)

    def test_ready(self) -> None:
        """
        What can be read is read, what can be written to is written to, and both where there is both.
        """
        self.reactor.addReader(self.end)
        self.reactor.doPoll(0)
        self.assertEqual(self.end.asked, [])
        self.other.send(b"x")
        self.reactor.doPoll(0)
        self.reactor.addWriter(self.end)
        self.reactor.doPoll(0)
        self.reactor.removeReader(self.end)
        self.reactor.doPoll(0)
        self.assertEqual(self.end.asked, ["read", "read", "write", "write"])

    def test_waits(self) -> None:
        """
        Without a time it waits until there is something.
        """
        self.other.send(b"x")
        self.reactor.addReader(self.end)
        self.reactor.doPoll(None)
        self.assertEqual(self.end.asked, ["read"])

    def test_over(self) -> None:
        """
        What says that it is over is let go of, with the reason; reading and writing alike.
        """
        for add, reading in ((self.reactor.addReader, True), (self.reactor.addWriter, False)):
            self.other.send(b"x")
            self.end.reading = lambda: main.CONNECTION_DONE
            self.end.writing = lambda: main.CONNECTION_LOST
            add(self.end)
            self.reactor.doPoll(0)
            self.end.lost.pop().trap(ConnectionDone if reading else ConnectionLost)
            self.assertNotIn(self.end, self.reactor.getReaders() + self.reactor.getWriters())

    def test_raises(self) -> None:
        """
        What raises is let go of, and the error is logged; nobody else notices.
        """

        def fail() -> None:
            raise ValueError("odd")

        self.end.reading = self.end.writing = fail
        for add in (self.reactor.addReader, self.reactor.addWriter):
            self.other.send(b"x")
            add(self.end)
            self.reactor.doPoll(0)
            self.end.lost.pop().trap(ValueError)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_closedMeanwhile(self) -> None:
        """
        What an event before has closed is not asked any more.
        """
        ours, other = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(other.close)
        ends = [self.end, _End(self.reactor, ours)]

        def closeAll() -> None:
            for end in ends:
                self.reactor.removeReader(end)

        for each in ends:
            each.reading = closeAll
            self.reactor.addReader(each)
        self.other.send(b"x")
        other.send(b"x")
        self.reactor.doPoll(0)
        self.assertEqual(sorted(len(each.asked) for each in ends), [0, 1])

    def test_errors(self) -> None:
        """
        An interrupted wait is no error; any other error of the kernel's is one.
        """

        class Poller:
            """
            Fails.
            """

            number = errno.EINTR

            def poll(self, timeout: float, most: int) -> None:
                """
                Fail.
                """
                raise OSError(self.number, "")

            def close(self) -> None:
                """
                Nothing is open.
                """

        self.reactor._poller.close()
        self.reactor._poller = poller = Poller()
        self.reactor.doPoll(0)
        poller.number = errno.EBADF
        self.assertRaises(OSError, self.reactor.doPoll, 0)


class RunTests(ReactorCase):
    """
    C{run}, and what may take its place.
    """

    def test_runs(self) -> None:
        """
        It runs until it is stopped.
        """
        self.reactor.callWhenRunning(self.reactor.stop)
        self.reactor.run(installSignalHandlers=False)
        self.assertFalse(self.reactor.running)

    def test_turns(self) -> None:
        """
        Calls come when they are due, those of other threads too, and what is ready is seen to meanwhile;
        nothing waits where something is due, and nothing is asked for where there is nothing.
        """
        order: list[str] = []

        def read() -> None:
            self.end.end.recv(10)
            order.append("read")
            if len(order) < 3:
                self.other.send(b"x")
            else:
                self.reactor.callFromThread(thread)

        def thread() -> None:
            order.append("thread")
            self.reactor.callLater(0.001, soon)

        def soon() -> None:
            order.append("soon")
            self.reactor.stop()

        self.end.reading = read
        self.reactor.addReader(self.end)
        never = self.reactor.callLater(1e9, self.fail)
        self.reactor.callWhenRunning(self.other.send, b"x")
        self.reactor.run(installSignalHandlers=False)
        self.assertEqual(order, ["read", "read", "read", "thread", "soon"])
        never.cancel()

    def test_nothingDue(self) -> None:
        """
        Without any call to come, it waits for what is ready.
        """

        def read() -> None:
            self.end.end.recv(10)
            self.reactor.stop()

        self.end.reading = read
        self.reactor.addReader(self.end)
        self.reactor.callWhenRunning(self.other.send, b"x")
        self.reactor.run(installSignalHandlers=False)
        self.assertFalse(self.reactor.running)

    def test_fault(self) -> None:
        """
        A fault of the loop itself is logged, and the loop goes on.
        """
        poll = self.reactor.doPoll

        def broken(timeout: float | None) -> None:
            self.reactor.doPoll = poll  # type: ignore[method-assign]
            raise ValueError("a fault")

        self.reactor.callLater(0.001, self.reactor.stop)
        self.reactor.doPoll = broken  # type: ignore[method-assign]
        self.reactor.run(installSignalHandlers=False)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_otherTwisted(self) -> None:
        """
        Where Twisted keeps its state under other names, its own loop runs.
        """

        class Other(Reactor):
            """
            One that has not a name that is asked for.
            """

            hidden = True

            def __getattribute__(self, name: str) -> Any:
                if name == "_justStopped" and object.__getattribute__(self, "hidden"):
                    self.hidden = False  # Twisted's own loop uses it all the same
                    raise AttributeError(name)
                return super().__getattribute__(name)

        self.close()
        self.reactor = Other()
        self.reactor.callLater(0.001, self.reactor.stop)
        self.reactor._turns = self.fail  # type: ignore[method-assign]
        self.reactor.run(installSignalHandlers=False)
        self.assertFalse(self.reactor.running)

    def test_within(self) -> None:
        """
        What was to decide gets the loop, and may run it or not; it decides once.
        """
        loops: list[Callable[[], None]] = []
        self.reactor.runWithin(loops.append)
        self.reactor.run(installSignalHandlers=False)
        self.assertFalse(self.reactor.running)
        self.reactor.callWhenRunning(self.reactor.stop)
        (loop,) = loops
        loop()
        self.assertTrue(self.reactor._startedBefore)

    def test_stoppedBy(self) -> None:
        """
        The signal that ended a process is known afterwards.
        """
        self.reactor.stoppedBy(signal.SIGTERM)
        self.assertEqual(self.reactor._exitSignal, signal.SIGTERM)

    def test_twice(self) -> None:
        """
        A second C{SIGTERM} is no error.
        """
        self.reactor.callWhenRunning(self.reactor.sigTerm, signal.SIGTERM)
        self.reactor.callWhenRunning(self.reactor.sigTerm, signal.SIGTERM)
        self.reactor.run(installSignalHandlers=False)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_queued(self) -> None:
        """
        What was asked for is called, once, also when something before it fails.
        """
        called: list[int] = []

        def fail() -> None:
            raise ValueError("odd")

        self.reactor.callFromThread(fail)
        self.reactor.callFromThread(called.append, 1)
        self.reactor.callQueued()
        self.reactor.callQueued()
        self.assertEqual(called, [1])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class ForkedTests(ReactorCase):
    """
    C{forked}: this process is taken for the child, and a copy of the descriptor of epoll for the parent.
    """

    def setUp(self) -> None:
        super().setUp()
        self.parent = os.dup(self.reactor._poller.fileno())
        self.addCleanup(os.close, self.parent)
        self.clock = Clock()
        self.reactor.callLater = self.clock.callLater  # type: ignore[method-assign, assignment]
        self.port = _Port(self.reactor, self.end.end)
        self.isAhead = False
        self.rested: list[bool] = []
        self.reactor.addReader(self.port)

    def fork(self) -> None:
        """
        Become the child.
        """
        self.reactor.forked(self)

    def ahead(self) -> bool:
        """
        As the test says.
        """
        return self.isAhead

    def rests(self, resting: bool) -> None:
        """
        Note it.
        """
        self.rested.append(resting)

    def poll(self, waiting: int = 0) -> None:
        """
        Handle what is ready, while so many connections wait.
        """
        self.port.waiting += waiting
        self.other.send(b"x")
        self.reactor.doPoll(0)

    def test_own(self) -> None:
        """
        The child waits for the same as the parent, on its own; its waker is another.
        """
        ours, other = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(other.close)
        end = _End(self.reactor, ours)
        self.reactor.addReader(end)
        self.reactor.addWriter(end)
        before = cast(Any, self.reactor.waker)
        self.fork()
        self.assertNotEqual(self.reactor._poller.fileno(), self.parent)
        self.assertIsNot(self.reactor.waker, before)
        self.assertEqual(set(self.reactor.getReaders()), {self.port, end, self.reactor.waker})
        self.assertEqual(self.reactor.getWriters(), [end])
        other.send(b"x")
        self.reactor.doPoll(0)
        self.assertEqual(end.asked, ["read", "write"])
        self.reactor.wakeUp()
        self.reactor.doPoll(0)

    def test_some(self) -> None:
        """
        A shared port takes one connection, and more when more wait each time, but not without a limit.
        """
        self.fork()
        for _ in range(9):
            self.poll(waiting=40)
        self.assertEqual(self.port.taken, [1, 2, 4, 8, 16, 32, 64, 64, 64])
        self.port.waiting = 0
        for _ in range(2):
            self.poll(waiting=1)
        self.assertEqual(self.port.taken[-2:], [1, 1])

    def test_ahead(self) -> None:
        """
        A process that is ahead of others rests, and joins them again.
        """
        self.fork()
        self.isAhead = True
        self.poll(waiting=1)
        self.poll(waiting=1)
        self.assertEqual(self.port.taken, [1])
        self.assertNotIn(self.port, self.reactor.getReaders())
        self.assertEqual(self.rested, [True])
        self.clock.advance(0.01)
        self.assertEqual(self.rested, [True, False])
        self.poll()
        self.assertEqual(self.port.taken, [1, 1])

    def test_patrol(self) -> None:
        """
        From time to time a process joins the line anew, to find what others have left lying; not while it
        rests.
        """
        self.fork()
        registered: list[int] = []
        poller = self.reactor._poller
        self.addCleanup(poller.close)

        class Poller:
            """
            Notes what is registered.
            """

            def register(self, fd: int, events: int) -> None:
                """
                Note it.
                """
                registered.append(fd)
                poller.register(fd, events)

            unregister = staticmethod(poller.unregister)
            poll = staticmethod(poller.poll)
            close = staticmethod(poller.close)

        self.reactor._poller = Poller()
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(registered, [self.port.fileno()] * 2)
        self.clock.advance(0.9995)
        self.isAhead = True
        self.poll(waiting=1)
        self.clock.advance(0.0005)
        self.assertEqual(registered, [self.port.fileno()] * 2)

    def test_stopSharing(self) -> None:
        """
        A process may stop listening; also while it rests, and while it accepts.  What the port led to is
        stopped.
        """
        for isAhead in (False, True):
            self.fork()
            self.isAhead = isAhead
            self.poll(waiting=1)
            self.reactor.stopSharing()
            self.clock.advance(0.01)
            self.assertNotIn(self.port, self.reactor.getReaders())
            self.assertEqual(self.port.factory.numPorts, 0)
            self.port.factory.doStart()
            del self.port.doRead
            self.reactor.addReader(self.port)
        accept = self.port.doRead

        def acceptLast() -> None:
            accept()
            self.reactor.stopSharing()

        self.port.doRead = acceptLast  # type: ignore[method-assign]
        self.fork()
        self.poll(waiting=1)
        self.assertNotIn(self.port, self.reactor.getReaders())
        self.reactor.stopSharing()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class InstallTests(SynchronousTestCase):
    """
    L{install}.
    """

    def test_installed(self) -> None:
        """
        A process that has a reactor gets no other.
        """
        made: list[Reactor] = []
        original = Reactor.__init__

        def remember(reactor: Reactor) -> None:
            original(reactor)
            made.append(reactor)

        self.patch(Reactor, "__init__", remember)
        from twisted.internet import reactor

        self.assertRaises(ReactorAlreadyInstalledError, install)
        for each in made:
            self.assertIsNot(each, reactor)
            cast(Any, each.waker).connectionLost(None)
            each._poller.close()
