"""
Standard input and output as ends of a stream.
"""

from __future__ import annotations

import errno
import os
import pty
import select
from pathlib import Path

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReadDescriptor, IReadWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from xtls.programs import standardio
from xtls.programs.standardio import CHUNK, Input, Output, openMissing, pollable


class DescriptorsTestCase(SynchronousTestCase):
    """
    Tests with pipes and files, and a reactor that is not one.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def pipe(self) -> tuple[int, int]:
        """
        A pipe that is closed when the test ends.
        """
        ends = os.pipe()
        for end in ends:
            self.addCleanup(self.closeAny, end)
        return ends

    def closeAny(self, fd: int) -> None:
        """
        Close a descriptor that may be closed already.
        """
        try:
            os.close(fd)
        except OSError:
            pass

    def opened(self, path: str, flags: int) -> int:
        """
        Open a file until the test ends.
        """
        fd = os.open(path, flags, 0o600)
        self.addCleanup(self.closeAny, fd)
        return fd


class PollableTests(DescriptorsTestCase):
    """
    L{pollable} and L{openMissing}.
    """

    def test_kinds(self) -> None:
        """
        Pipes can be polled; regular files and the null device cannot.
        """
        path = self.mktemp()
        Path(path).write_bytes(b"")
        self.assertTrue(pollable(self.pipe()[0]))
        self.assertFalse(pollable(self.opened(path, os.O_RDONLY)))
        self.assertFalse(pollable(self.opened(os.devnull, os.O_RDONLY)))

    def test_withoutEpoll(self) -> None:
        """
        On systems without epoll all but regular files can be polled.
        """
        path = self.mktemp()
        Path(path).write_bytes(b"")
        if hasattr(select, "epoll"):
            self.patch(standardio, "select", object())
        self.assertTrue(pollable(self.pipe()[0]))
        self.assertFalse(pollable(self.opened(path, os.O_RDONLY)))

    def test_openMissing(self) -> None:
        """
        A standard descriptor that is closed is opened to nowhere; one that is open stays what it is.
        """
        missing, there = self.pipe()
        null, before = os.stat(os.devnull), os.fstat(there)
        os.close(missing)
        openMissing((there, missing))
        self.assertEqual((os.fstat(missing).st_rdev, os.fstat(there)), (null.st_rdev, before))

    def test_openMissingElsewhere(self) -> None:
        """
        The number is the right one even where a lower one is free.
        """
        low, missing = sorted(self.pipe())
        os.close(low)
        os.close(missing)
        openMissing((missing,))
        self.assertEqual(os.fstat(missing).st_rdev, os.stat(os.devnull).st_rdev)
        self.assertRaises(OSError, os.fstat, low)


class InputTests(DescriptorsTestCase):
    """
    L{Input}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.received: list[bytes] = []
        self.ends = 0

    def atEnd(self) -> None:
        """
        The input has ended.
        """
        self.ends += 1

    def input(self, fd: int) -> Input:
        """
        An input that is recorded.
        """
        return Input(self.reactor, fd, self.received.append, self.atEnd)

    def test_interfaces(self) -> None:
        """
        It is what a reactor reads, and a producer.
        """
        given = self.input(self.pipe()[0])
        verifyObject(IReadDescriptor, given)
        verifyObject(IPushProducer, given)
        self.assertEqual(given.logPrefix(), "input")

    def test_pipe(self) -> None:
        """
        A pipe is read when the reactor says that it is ready, in chunks, to its end.
        """
        reading, writing = self.pipe()
        given = self.input(reading)
        self.assertEqual(self.reactor.getReaders(), [])
        given.resumeProducing()
        self.assertEqual((self.reactor.getReaders(), given.fileno()), ([given], reading))
        os.write(writing, b"\x00hello\xff")
        given.doRead()
        os.close(writing)
        given.doRead()
        given.doRead()
        self.assertEqual((self.received, self.ends, given.ended), ([b"\x00hello\xff"], 1, True))
        self.assertEqual(self.reactor.getReaders(), [])

    def test_pressure(self) -> None:
        """
        While it is paused nothing is read; twice is as good as once.
        """
        given = self.input(self.pipe()[0])
        given.resumeProducing()
        given.resumeProducing()
        given.pauseProducing()
        given.pauseProducing()
        self.assertEqual(self.reactor.getReaders(), [])
        given.resumeProducing()
        self.assertEqual(self.reactor.getReaders(), [given])
        given.stopProducing()
        given.resumeProducing()
        self.assertEqual((self.reactor.getReaders(), self.ends), ([], 0))

    def test_file(self) -> None:
        """
        A regular file is read one chunk a turn, and not while paused.
        """
        path = self.mktemp()
        data = os.urandom(CHUNK + 10)
        Path(path).write_bytes(data)

        def take(chunk: bytes) -> None:
            self.received.append(chunk)
            given.pauseProducing()

        given = Input(self.reactor, self.opened(path, os.O_RDONLY), take, self.atEnd)
        given.resumeProducing()
        self.assertEqual(self.received, [])
        for expected in ([data[:CHUNK]], [data[:CHUNK], data[CHUNK:]]):
            self.reactor.advance(1)
            self.assertTrue(self.received == expected)
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            given.resumeProducing()
        self.reactor.advance(1)
        self.assertEqual(self.ends, 1)

    def test_fileToItsEnd(self) -> None:
        """
        Where nobody pauses, a regular file is read to its end, and nothing is left to do.
        """
        path = self.mktemp()
        Path(path).write_bytes(b"abc")
        given = self.input(self.opened(path, os.O_RDONLY))
        given.resumeProducing()
        given.pauseProducing()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        given.resumeProducing()
        self.reactor.advance(0)
        self.assertEqual((self.received, self.ends), ([b"abc"], 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_pausedWhileReceiving(self) -> None:
        """
        A file that is paused by whoever takes its chunk is not read on.
        """
        path = self.mktemp()
        Path(path).write_bytes(b"a")
        given = Input(
            self.reactor, self.opened(path, os.O_RDONLY), lambda _: given.pauseProducing(), self.atEnd
        )
        given.resumeProducing()
        self.reactor.advance(0)
        self.assertEqual((self.reactor.getDelayedCalls(), self.ends), ([], 0))

    def test_nothingThere(self) -> None:
        """
        The null device has ended at once.
        """
        given = self.input(self.opened(os.devnull, os.O_RDONLY))
        given.resumeProducing()
        self.reactor.advance(0)
        self.assertEqual((self.received, self.ends), ([], 1))

    def test_notReadyAfterAll(self) -> None:
        """
        Readiness may be about what somebody else has read by now: that is not an end.
        """
        reading, _ = self.pipe()
        os.set_blocking(reading, False)
        given = self.input(reading)
        given.resumeProducing()
        given.doRead()
        self.assertEqual((self.received, self.ends), ([], 0))

    def test_failure(self) -> None:
        """
        What cannot be read any more has ended, such as a terminal that hung up.
        """
        reading, _ = self.pipe()
        given = self.input(reading)
        given.resumeProducing()
        os.close(reading)
        given.doRead()
        self.assertEqual(self.ends, 1)

    def test_hangUp(self) -> None:
        """
        The reactor may say that the other side is gone: that is the end, once.
        """
        given = self.input(self.pipe()[0])
        given.resumeProducing()
        given.connectionLost(Failure(ConnectionDone()))
        given.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.ends, 1)


class OutputTests(DescriptorsTestCase):
    """
    L{Output}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.events: list[str] = []

    def output(self, fd: int) -> Output:
        """
        An output that is recorded.
        """

        def note(event: str) -> None:
            self.events.append(event)

        return Output(self.reactor, fd, lambda: note("pause"), lambda: note("resume"), lambda: note("broke"))

    def finished(self) -> None:
        """
        All is written.
        """
        self.events.append("finished")

    def filled(self, writing: int) -> tuple[Output, int]:
        """
        An output whose pipe is full, and how many octets that took.
        """
        os.set_blocking(writing, False)
        size = 0
        try:
            while True:
                size += os.write(writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        return self.output(writing), size

    def drained(self, reading: int, size: int) -> bytes:
        """
        Exactly so many octets from a pipe.
        """
        data = b""
        while len(data) < size:
            data += os.read(reading, size - len(data))
        return data

    def test_interfaces(self) -> None:
        """
        It is what a reactor writes, and watches.
        """
        writing = self.pipe()[1]
        output = self.output(writing)
        verifyObject(IReadWriteDescriptor, output)
        self.assertEqual((output.logPrefix(), output.fileno()), ("output", writing))

    def test_atOnce(self) -> None:
        """
        What the pipe takes is written at once, octets and views alike.
        """
        reading, writing = self.pipe()
        output = self.output(writing)
        output.write(b"\x00a")
        output.write(memoryview(b"b\xff"))
        self.assertEqual((os.read(reading, 10), self.events), (b"\x00ab\xff", []))
        self.assertEqual(self.reactor.getWriters(), [])

    def test_pressure(self) -> None:
        """
        What is not taken is kept in order, and the source paused until all has gone.
        """
        reading, writing = self.pipe()
        output, size = self.filled(writing)
        output.write(b"one")
        output.write(b"two")
        self.assertEqual((self.events, output.pending), (["pause"], 6))
        self.assertEqual(self.reactor.getWriters(), [output])
        output.doWrite()
        self.assertEqual((self.events, output.pending), (["pause"], 6))
        self.drained(reading, size)
        output.doWrite()
        self.assertEqual(
            (os.read(reading, 100), self.events, output.pending), (b"onetwo", ["pause", "resume"], 0)
        )
        self.assertEqual(self.reactor.getWriters(), [])

    def test_partly(self) -> None:
        """
        A write that is taken in part goes on where it stopped, again and again.
        """
        reading, writing = self.pipe()
        output, size = self.filled(writing)
        data = os.urandom(3 * size)
        output.write(data)
        seen = self.drained(reading, size)
        while output.pending:
            output.doWrite()
            seen += self.drained(reading, 4096)
        seen += self.drained(reading, len(data) + size - len(seen))
        self.assertEqual((seen[size:] == data, self.events), (True, ["pause", "resume"]))

    def test_modeIsPutBack(self) -> None:
        """
        A pipe does not block while it is used, and is as it was afterwards; its reader sees the end.
        """
        reading, writing = self.pipe()
        other = os.dup(writing)
        self.addCleanup(self.closeAny, other)
        output = self.output(writing)
        self.assertFalse(os.get_blocking(other))
        output.write(b"last")
        output.finish(self.finished)
        self.assertTrue(os.get_blocking(other))
        os.close(other)
        self.assertEqual((self.drained(reading, 4), os.read(reading, 1)), (b"last", b""))
        self.assertEqual((self.events, self.reactor.getReaders()), (["finished"], []))
        output.write(b"too late")
        self.assertEqual(self.events, ["finished"])

    def test_restore(self) -> None:
        """
        The mode can be put back early; twice is as good as once.
        """
        writing = self.pipe()[1]
        output = self.output(writing)
        output.restore()
        output.restore()
        self.assertTrue(os.get_blocking(writing))

    def test_finishWhenWritten(self) -> None:
        """
        The end comes after all that is kept.
        """
        reading, writing = self.pipe()
        output, size = self.filled(writing)
        output.write(b"rest")
        output.finish(self.finished)
        self.assertEqual(self.events, ["pause"])
        self.drained(reading, size)
        output.doWrite()
        self.assertEqual(
            (self.events, os.read(reading, 10), os.read(reading, 1)), (["pause", "finished"], b"rest", b"")
        )

    def test_nobodyReads(self) -> None:
        """
        When nobody reads any more that is said once, quietly, and what is written is dropped.
        """
        reading, writing = self.pipe()
        output = self.output(writing)
        os.close(reading)
        output.write(b"a")
        output.write(b"b")
        self.assertEqual((self.events, output.broken, output.error), (["broke"], True, None))
        output.finish(self.finished)
        self.assertEqual(self.events, ["broke", "finished"])

    def test_nobodyReadsWhatIsKept(self) -> None:
        """
        The same while some is kept, whether or not more was to come.
        """
        for finishing, expected in ((False, ["pause", "broke"]), (True, ["pause", "finished"])):
            self.events = []
            reading, writing = self.pipe()
            output = self.output(writing)
            output.write(b"x" * (1 << 20))
            if finishing:
                output.finish(self.finished)
            os.close(reading)
            output.doWrite()
            self.assertEqual((self.events, output.pending, self.reactor.getWriters()), (expected, 0, []))

    def test_reactorSees(self) -> None:
        """
        A pipe is watched, and the reactor may say that nobody reads any more before anything is written.
        """
        output = self.output(self.pipe()[1])
        self.assertEqual(self.reactor.getReaders(), [output])
        self.assertIs(output.doRead(), CONNECTION_LOST)
        output.connectionLost(Failure(CONNECTION_LOST))
        output.connectionLost(Failure(CONNECTION_LOST))
        self.assertEqual((self.events, self.reactor.getReaders()), (["broke"], []))

    def test_notAPipe(self) -> None:
        """
        What is not a pipe, such as a terminal, is not watched: there readiness to be read means input.
        """
        terminal, end = pty.openpty()
        self.addCleanup(os.close, end)
        self.addCleanup(os.close, terminal)
        output = self.output(end)
        self.assertEqual((self.reactor.getReaders(), os.get_blocking(end)), ([], False))
        output.restore()
        self.assertTrue(os.get_blocking(end))

    def test_file(self) -> None:
        """
        A regular file takes all at once.
        """
        path = self.mktemp()
        output = self.output(self.opened(path, os.O_WRONLY | os.O_CREAT))
        output.write(b"x" * (1 << 20))
        output.finish(self.finished)
        self.assertEqual((os.stat(path).st_size, self.events), (1 << 20, ["finished"]))

    def test_failure(self) -> None:
        """
        A descriptor that fails for another reason keeps the reason.
        """
        if not os.path.exists("/dev/full"):
            self.skipTest("needs a device that is full")  # pragma: no cover
        output = self.output(self.opened("/dev/full", os.O_WRONLY))
        output.write(b"a")
        assert output.error is not None
        self.assertEqual((output.error.errno, self.events), (errno.ENOSPC, ["broke"]))
