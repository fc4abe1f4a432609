"""
A connection joined to standard input and output.
"""

from __future__ import annotations

import os
import pty
import select
from pathlib import Path

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.wires import HalfCloseRecorder, Recorder, Wire
from xtls.errors import HandshakeError
from xtls.programs.joining import LINGER, Joined, JoinProtocol
from xtls.programs.statuses import ExitStatus
from xtls.wire.outflow import IBufferProtocol


class JoinTestCase(SynchronousTestCase):
    """
    A join of two pipes with a connection in memory.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.wire = Wire(clock=self.reactor)
        self.source, self.typed = self.pipe()
        self.shown, self.sink = self.pipe()
        os.set_blocking(self.shown, False)
        self.peer: Recorder = HalfCloseRecorder()

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

    def join(self) -> JoinProtocol:
        """
        Join the pipes with the client's end of the wire.
        """
        self.joined = JoinProtocol(self.reactor, 10.0, (self.source, self.sink))
        self.outcomes: list[Joined] = []
        self.joined.ended.addCallback(self.outcomes.append)
        self.wire.join(self.joined, self.peer)
        return self.joined

    def turn(self) -> None:
        """
        Let the reactor read and write what it was asked to, and octets move.
        """
        for reader in list(self.reactor.getReaders()):
            if select.select([reader], [], [], 0)[0]:
                reader.doRead()
        for writer in list(self.reactor.getWriters()):
            writer.doWrite()
        self.wire.flush()

    def type(self, data: bytes) -> None:
        """
        Give input, and let it be read.
        """
        os.write(self.typed, data)
        self.turn()

    def typeEnd(self) -> None:
        """
        End the input.
        """
        os.close(self.typed)
        self.turn()

    def seen(self) -> bytes:
        """
        What has come out; C{b"END"} where the end has.
        """
        data = b""
        while True:
            try:
                part = os.read(self.shown, 65536)
            except BlockingIOError:
                return data
            if not part:
                return data + b"END"
            data += part

    def peerEnds(self) -> None:
        """
        The peer closes its direction.
        """
        self.wire.server.loseWriteConnection()
        self.wire.flush()


class JoinTests(JoinTestCase):
    """
    Octets both ways, and every order of ends.
    """

    def test_interfaces(self) -> None:
        """
        It is a protocol that understands half closes and views.
        """
        joined = JoinProtocol(self.reactor, 1.0)
        verifyObject(IProtocol, joined)
        verifyObject(IHalfCloseableProtocol, joined)
        verifyObject(IBufferProtocol, joined)

    def test_bothWays(self) -> None:
        """
        Octets go both ways, whatever they are.
        """
        self.join()
        self.type(b"\x00ask\xff")
        self.assertEqual(self.peer.received, b"\x00ask\xff")
        self.wire.server.write(b"\x00answer\xff")
        self.turn()
        self.joined.bufferReceived(memoryview(b" view"))
        self.assertEqual(self.seen(), b"\x00answer\xff view")

    def test_inputEndsFirst(self) -> None:
        """
        At the end of input the connection is half closed; what still comes is written, until the peer closes.
        """
        self.join()
        self.type(b"question")
        self.typeEnd()
        self.assertEqual((self.peer.received, self.wire.client.disconnecting), (b"question", False))
        self.wire.server.write(b"answer")
        self.turn()
        self.assertEqual((self.seen(), self.outcomes), (b"answer", []))
        self.wire.server.loseConnection()
        self.turn()
        self.assertEqual((self.seen(), self.outcomes), (b"END", [Joined()]))
        self.assertEqual((self.reactor.getReaders(), self.reactor.getDelayedCalls()), ([], []))

    def test_peerEndsFirst(self) -> None:
        """
        When the peer has ended, the end is passed on at once, and what is typed meanwhile is sent.
        """
        self.join()
        self.wire.server.write(b"bye")
        self.peerEnds()
        self.assertEqual(self.seen(), b"byeEND")
        self.type(b"wait")
        self.reactor.advance(LINGER * 0.9)
        self.type(b" for me")
        self.reactor.advance(LINGER * 0.9)
        self.assertEqual((self.peer.received, self.outcomes), (b"wait for me", []))
        self.reactor.advance(LINGER)
        self.wire.flush()
        self.assertEqual(self.outcomes, [Joined()])

    def test_inputEndsAfterPeer(self) -> None:
        """
        When input ends after the peer has, the connection is closed at once.
        """
        self.join()
        self.peerEnds()
        self.typeEnd()
        self.assertEqual(self.outcomes, [Joined()])

    def test_terminal(self) -> None:
        """
        When the peer has ended, nobody waits for a person to type.
        """
        terminal, self.source = pty.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, self.source)
        self.join()
        self.peerEnds()
        self.assertEqual(self.outcomes, [Joined()])

    def test_fileAndPeer(self) -> None:
        """
        A regular file is read while the peer reads, and is sent whole.
        """
        path = self.mktemp()
        data = os.urandom(400_000)
        Path(path).write_bytes(data)
        self.source = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.source)
        self.join()
        for _ in range(20):
            self.turn()
        self.assertTrue(self.peer.received == data)
        self.wire.server.loseConnection()
        self.turn()
        self.assertEqual(self.outcomes, [Joined()])


class PressureTests(JoinTestCase):
    """
    Whoever is slow slows the other side down.
    """

    def test_slowOutput(self) -> None:
        """
        While the output takes nothing the connection is not read; nothing is lost.
        """
        self.join()
        data = os.urandom(1_000_000)
        self.wire.server.write(data)
        self.turn()
        self.assertFalse(self.wire.client.reading)
        seen = b""
        for _ in range(100):
            seen += self.seen()
            self.turn()
        self.assertTrue(seen == data)
        self.assertTrue(self.wire.client.reading)

    def test_slowOutputAtTheEnd(self) -> None:
        """
        A connection that is gone is reported when all that it brought is written.
        """
        self.join()
        data = os.urandom(100_000)
        self.wire.server.write(data)
        self.turn()
        self.wire.client.lose(Failure(ConnectionDone()))
        self.assertEqual(self.outcomes, [])
        seen = b""
        while not seen.endswith(b"END"):
            seen += self.seen()
            self.turn()
        self.assertTrue(seen == data + b"END")
        self.assertEqual(self.outcomes, [Joined()])

    def test_slowPeer(self) -> None:
        """
        While the peer takes nothing, input is not read.
        """
        self.join()
        self.wire.server.pauseProducing()
        for _ in range(4):
            self.type(b"x" * 50_000)
        self.assertNotIn(self.source, [reader.fileno() for reader in self.reactor.getReaders()])
        self.wire.server.resumeProducing()
        self.turn()
        self.assertIn(self.source, [reader.fileno() for reader in self.reactor.getReaders()])

    def test_slowPeerThatHasEnded(self) -> None:
        """
        A peer that has ended and takes its time does not cost input that is there.
        """
        self.join()
        self.peerEnds()
        self.wire.server.pauseProducing()
        for _ in range(4):
            self.type(b"x" * 50_000)
        self.reactor.advance(LINGER * 1.5)
        self.wire.flush()
        self.assertEqual(self.outcomes, [])
        self.wire.server.resumeProducing()
        for _ in range(4):
            self.turn()
        self.reactor.advance(LINGER)
        self.wire.flush()
        self.assertEqual((len(self.peer.received), self.outcomes), (200_000, [Joined()]))

    def test_fullFromTheBeginning(self) -> None:
        """
        A connection that takes nothing yet delays the reading of input.
        """
        joined = JoinProtocol(self.reactor, 10.0, (self.source, self.sink))
        register = self.wire.client.registerProducer

        def registerFull(producer: object, streaming: bool) -> None:
            register(producer, streaming)  # type: ignore[arg-type]
            producer.pauseProducing()  # type: ignore[attr-defined]

        self.wire.client.registerProducer = registerFull  # type: ignore[method-assign]
        self.wire.join(joined, self.peer)
        self.assertNotIn(self.source, [reader.fileno() for reader in self.reactor.getReaders()])


class EndTests(JoinTestCase):
    """
    How a join says that it ended.
    """

    def test_lost(self) -> None:
        """
        A connection that is lost is said to be.
        """
        self.join()
        self.wire.server.write(b"half")
        self.turn()
        self.wire.cut()
        self.assertEqual(self.seen(), b"halfEND")
        (outcome,) = self.outcomes
        self.assertEqual(outcome.status, ExitStatus.CONNECTION_LOST)
        self.assertIn("lost", outcome.problem)

    def test_lostAfterPeerEnded(self) -> None:
        """
        A peer that ends and then does not take the input is told from one that is simply gone.
        """
        self.join()
        self.peerEnds()
        self.wire.cut()
        (outcome,) = self.outcomes
        self.assertEqual(outcome.status, ExitStatus.CONNECTION_LOST)
        self.assertIn("all of the input", outcome.problem)

    def test_failedTLS(self) -> None:
        """
        An alert that comes after the handshake, as TLS 1.3 has it, keeps its status and sentence.
        """
        self.join()
        self.wire.client.lose(Failure(HandshakeError("the peer asks for a client certificate")))
        self.assertEqual(
            self.outcomes, [Joined(ExitStatus.SSL_FAILURE, "the peer asks for a client certificate")]
        )

    def test_closeDeadline(self) -> None:
        """
        A close that does not come to an end is forced.
        """
        self.join()
        self.peerEnds()
        self.wire.held = True
        self.typeEnd()
        self.assertEqual(self.outcomes, [])
        self.reactor.advance(10.0)
        self.wire.flush()
        self.assertEqual(len(self.outcomes), 1)

    def test_brokenPipe(self) -> None:
        """
        When nobody reads the output any more, that is a quiet end.
        """
        self.join()
        os.close(self.shown)
        self.wire.server.write(b"anybody?")
        self.turn()
        self.assertEqual(self.outcomes, [Joined()])

    def test_fullDisk(self) -> None:
        """
        When the output cannot be written, that is said.
        """
        if not os.path.exists("/dev/full"):
            self.skipTest("needs a device that is full")  # pragma: no cover
        self.sink = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, self.sink)
        self.join()
        self.wire.server.write(b"data")
        self.turn()
        (outcome,) = self.outcomes
        self.assertEqual(outcome.status, ExitStatus.CONNECTION_LOST)
        self.assertIn("standard output", outcome.problem)

    def test_cancelled(self) -> None:
        """
        Whoever does not want it any more cancels it: the connection is aborted, and the output is as it was.
        """
        self.join()
        self.joined.ended.addErrback(lambda _: None)
        self.assertFalse(os.get_blocking(self.sink))
        self.joined.ended.cancel()
        self.assertTrue(os.get_blocking(self.sink))
        self.wire.flush()
        self.assertFalse(self.wire.client.connected)

    def test_cancelledBefore(self) -> None:
        """
        It may be cancelled before there is a connection.
        """
        joined = JoinProtocol(self.reactor, 1.0)
        joined.ended.addErrback(lambda _: None)
        joined.ended.cancel()
