"""
How a connection leaves the fast path: with its octets, its deadline, and its place in the count.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from tests.support.pairs import PairCase, Scene
from xtls.config.portoptions import SSLSwitch
from xtls.port.upgradeable import UpgradeableProtocol
from xtls.sessions.leaving import Leaving
from xtls.sessions.pair import Back
from xtls.wire.sockets import StreamSocket

#: At every stage, what the client has said by then.
STAGES = ("hello", "handshake", "inside", "relay", "over")


class LeavingTests(PairCase):
    """
    L{Leaving}.
    """

    def reach(self, stage: str, scene: Scene) -> Any:
        """
        Bring a connection to a stage.

        @return: the client.
        """
        if stage in ("hello", "handshake"):
            client = scene.connect()
            if stage == "handshake":
                client.sock.send(client.begin()[:50])
            scene.settle()
            return client
        if stage == "inside":
            return scene.secure()
        client, _ = scene.joined()
        if stage == "over":
            client.shutdown()
            scene.settle()
        return client

    def test_leaves(self) -> None:
        """
        From every stage: then Twisted's kind of transport has the socket, the reactor knows nothing else, and
        the connection is still counted, until it is gone.
        """
        for stage in STAGES:
            scene = Scene(self, fast=True)
            self.reach(stage, scene)
            pair = scene.pair
            self.assertIsInstance(pair, Leaving)
            transport = pair._aside()
            self.assertIsInstance(transport, StreamSocket)
            self.assertTrue(pair.gone)
            for each in scene.reactor.getReaders():
                self.assertIsInstance(each, StreamSocket)
            self.assertEqual((scene.tally.total, scene.tally.now), (1, 1))
            self.assertEqual(transport.getPeer().port, scene.clients[0].sock.getsockname()[1])
            pair.connectionLost(Failure(CONNECTION_LOST))
            pair.connectionLost(Failure(CONNECTION_LOST))
            self.assertEqual((scene.tally.total, scene.tally.now), (1, 0))
            self.assertEqual(scene.server.fileno(), -1)
            scene.advance(20)
            self.assertEqual(scene.reactor.getDelayedCalls(), [])

    def test_staysUsable(self) -> None:
        """
        Whoever leaves early or late, octets and ends go both ways.
        """

        def play(stage: str, scene: Scene) -> Iterator[object]:
            client = self.reach(stage, scene)
            if scene.fast:
                scene.pair._aside()
            if stage == "hello":
                client.unsent += client.begin()
            elif stage == "handshake":
                hello = client.tls.client_random()  # the rest of it cannot be had again
                del hello
                client.sock.close()
                yield scene.advance(20)
                return
            yield scene.settle()
            if stage != "over":
                client.write(b"more")
            yield scene.settle()
            scene.backends[-1].write(b"answer")
            yield scene.settle()
            if stage != "over":
                client.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        for stage in STAGES:
            self.both(partial(play, stage))

    def test_deadlines(self) -> None:
        """
        What is awaited must still come in the time that it had.
        """
        for stage, seconds, line in (
            ("hello", 5, "PEER: tcp>session"),
            ("handshake", 10, "PEER: refused at tcp>tls: the TLS handshake did not end within 10 seconds"),
            ("inside", 5, "PEER: tcp>tls>session"),
        ):
            for leaves in (False, True):
                scene = Scene(self, fast=True)
                self.reach(stage, scene)
                scene.advance(seconds - 1)
                if leaves:
                    scene.pair._aside()
                scene.advance(0.9)
                self.assertEqual(scene.look()["lines"], [])
                scene.advance(0.2)
                self.assertEqual(scene.look()["lines"], [line])
                scene.advance(2 * seconds)
                self.assertEqual(scene.look()["lines"], [line])

    def test_endsAtEveryStage(self) -> None:
        """
        A client that sends no more is told of in the turn in which that is read, and a backend too.
        """
        for stage in STAGES[:-1]:
            scene = Scene(self, fast=True)
            client = self.reach(stage, scene)
            client.sock.shutdown(1)
            scene.reactor.turn(1000)
            left = scene.reactor.getReaders()
            self.assertFalse(any(each.fileno() == scene.server.fileno() != -1 for each in left))
        scene = Scene(self, fast=True)
        self.reach("relay", scene)
        scene.backends[0].sock.shutdown(1)
        scene.reactor.turn(1000)
        (reader,) = scene.reactor.getReaders()
        self.assertEqual(reader.fileno(), scene.server.fileno())

    def test_takesNoEnd(self) -> None:
        """
        A client that has ended and does not take the end of its backend has the close timeout for that.
        """

        def play(room: int, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            scene.room.left = room
            client.shutdown()
            backend.sock.close()
            yield scene.settle()
            yield scene.advance(9.9)
            scene.server.getpeername()  # it is there
            yield scene.advance(0.2)
            self.assertEqual(scene.tally.now, 0)

        for room in (0, 3):
            self.both(partial(play, room))

    def test_decidedMeanwhile(self) -> None:
        """
        A deadline that has nothing to wait for any more is let go.
        """
        scene = Scene(self, fast=True)
        client = scene.secure()
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        scene.settle()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 "))
        tls = next(each for each in scene.reactor.getReaders()).protocol
        self.assertNotIsInstance(tls.wrappedProtocol, UpgradeableProtocol)

    def test_unsent(self) -> None:
        """
        What the client's socket did not take goes first, whenever it leaves.
        """

        def play(left: int, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            backend.write(b"first ")
            yield scene.settle()
            scene.room.left = left
            backend.write(b"second ")
            scene.settle()
            backend.write(b"third ")
            yield scene.settle()
            scene.room.left = -1
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        for left in (0, 1, 20):
            seen = self.both(partial(play, left))
            self.assertEqual(seen[-1]["clients"], [(b"first second third ", " notify fin")])

    def test_unsentInHandshake(self) -> None:
        """
        The same before the session: the server's answer, and its tickets.
        """

        def play(left: int, last: bool, scene: Scene) -> Iterator[object]:
            client = scene.connect()
            client.unsent += client.begin()
            if last:
                client.reads = False
                scene.settle()
                client.reads = True
            scene.room.left = left
            yield scene.advance(2)
            scene.room.left = -1
            yield scene.advance(1)
            client.write(b"hello")
            yield scene.settle()
            scene.backends[-1].write(b"answer")
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        for left in (0, 5):
            for last in (False, True):
                seen = self.both(partial(play, left, last))
                self.assertEqual(seen[-1]["clients"], [(b"answer", " notify fin")])

    def test_resets(self) -> None:
        """
        A reset that a send was told of stays one, at either side, and in the handshake.
        """

        def play(who: str, scene: Scene) -> Iterator[object]:
            if who == "early":
                client = scene.connect()
                client.sock.send(client.begin())
                client.reset()
                yield scene.settle()
                return
            client, backend = scene.joined()
            if who == "client":
                backend.write(b"answer")
                client.reset()
            elif who == "last":
                client.shutdown()
                scene.settle()
                backend.sock.close()
                client.reset()
            else:
                client.write(b"more")
                backend.write(b"answer")
                backend.reset()
            yield scene.settle()
            yield scene.advance(3)

        for who in ("early", "client", "last", "backend"):
            seen = self.both(partial(play, who))
            if who == "backend":
                self.assertEqual(seen[-1]["clients"], [(b"answer", " reset")])

    def test_lastOctets(self) -> None:
        """
        When all is said and the client is not there any more, that is the end all the same; which may be told
        again.
        """
        scene = Scene(self, fast=True)
        client, backend = scene.joined()
        pair, back = scene.reactor.getReaders()
        self.assertEqual(pair.logPrefix(), "Pair")
        client.shutdown()
        scene.settle()
        backend.sock.close()
        client.reset()
        back.doRead()
        self.assertEqual((scene.tally.total, scene.tally.now), (1, 0))
        pair.connectionLost(Failure(CONNECTION_LOST))
        self.assertEqual((scene.tally.total, scene.tally.now), (1, 0))
        self.assertEqual(scene.reactor.getReaders(), [])

    def test_noBackend(self) -> None:
        """
        Where there is no backend the general way tries again, and says so.
        """

        def play(scene: Scene) -> Iterator[object]:
            scene.secure().write(b"hello")
            yield scene.advance(1)

        self.assertIn("cannot be reached", self.both(play, backend=False)[-1]["lines"][1])

    def test_failsInTheMidst(self) -> None:
        """
        What follows may fail in the call in which it takes over: that ends the connection, as it would when
        the reactor had called it.
        """

        class Failing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                raise RuntimeError("it fails")

        def play(scene: Scene) -> Iterator[object]:
            web: Any = scene.factory.port.web
            web.buildProtocol = lambda address: Failing()
            client = scene.connect(tls=False)
            client.write(b"GET / HTTP/1.1\r\n\r\n")
            yield scene.settle()
            yield scene.advance(10)

        self.both(play, over=False)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_backFailsInTheMidst(self) -> None:
        """
        The same for what the backend's socket says.
        """
        scene = Scene(self, fast=True)
        client, backend = scene.joined()
        back = next(each for each in scene.reactor.getReaders() if isinstance(each, Back))
        scene.pair._aside()
        back.connectionLost(Failure(RuntimeError()))
        scene.advance(3)
        self.assertEqual(backend.end, " fin")
        self.assertEqual(client.end, " reset")
        self.assertEqual(scene.tally.now, 0)

    def test_decidedAtOnce(self) -> None:
        """
        Where there is nothing to wait for inside TLS, there is no deadline either.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure()
            yield scene.settle()
            if scene.fast:
                scene.pair._aside()
            yield scene.advance(20)
            client.write(b"late")
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        self.assertEqual(self.both(play, ssl=SSLSwitch.TCP)[-1]["backends"], [(b"late", " fin")])
