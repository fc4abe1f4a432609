"""
Single steps of looking at a server.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IResolutionReceiver, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.wiredway import Answering, WiredWay
from tests.support.wires import Recorder
from xtls.config.portoptions import PortOptions
from xtls.programs.portfindings import HTTPAnswer, Speech
from xtls.programs.probing import Exchange, Prober
from xtls.programs.steps import Addresses, OutOfTime, Steps
from xtls.wire.opening import answerOpening


class Opening(Protocol):
    """
    Opens a WebSocket for whoever asks.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Answer, in two pieces.
        """
        assert self.transport is not None
        key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        answer = answerOpening(key, [b"binary"])
        self.transport.write(answer[:9])
        self.transport.write(answer[9:])


class StepsTestCase(SynchronousTestCase):
    """
    Steps on the way to a server in memory.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def steps(self, server: Any = Recorder, deadline: float = 60, **said: Any) -> Steps:
        """
        The steps.
        """
        self.way = WiredWay(self.clock, server, **said)
        return Steps(self.clock, self.way, PortOptions(), deadline)

    def connect(self, steps: Steps) -> Exchange:
        """
        Make a connection.
        """
        return self.result(steps.connected(Prober(self.clock, steps.way, "h").plain))  # type: ignore[no-any-return]

    def result(self, coroutine: Any, seconds: float = 120) -> Any:
        """
        What a step comes to.
        """
        waiting: Deferred[Any] = Deferred.fromCoroutine(coroutine)
        self.way.settle(waiting, seconds)
        return self.successResultOf(waiting)


class NotesTests(StepsTestCase):
    """
    What is noted by itself.
    """

    def test_connected(self) -> None:
        """
        Connections are counted; which address answered is that of the first.
        """
        steps = self.steps()
        verifyObject(IStreamClientEndpoint, steps.way)
        self.connect(steps)
        self.assertEqual((steps.notes.connections, steps.notes.reach.problem), (1, ""))
        peer = steps.notes.reach.peer
        self.assertTrue(peer)
        self.connect(steps)
        self.assertEqual((steps.notes.connections, steps.notes.reach.peer), (2, peer))

    def test_refused(self) -> None:
        """
        Where there is no connection there is nothing, with the reason, unless there were some before.
        """
        steps = self.steps(most=0)
        self.assertIsNone(self.connect(steps))
        self.assertIn("refused", steps.notes.reach.problem)
        steps = self.steps(most=1)
        self.connect(steps)
        self.assertIsNone(self.connect(steps))
        self.assertEqual(steps.notes.reach.problem, "")

    def test_addresses(self) -> None:
        """
        The addresses of a name are collected until there are no more.
        """
        addresses = Addresses()
        verifyObject(IResolutionReceiver, addresses)
        addresses.resolutionBegan(object())
        addresses.addressResolved(IPv4Address("TCP", "192.0.2.1", 1))
        self.assertNoResult(addresses.done)
        addresses.resolutionComplete()
        addresses.resolutionComplete()
        self.successResultOf(addresses.done)
        self.assertEqual(addresses.found, ["192.0.2.1"])


class TimeTests(StepsTestCase):
    """
    Nothing lasts longer than it may.
    """

    def test_left(self) -> None:
        """
        A step may take its time, but no more than there is.
        """
        steps = self.steps(deadline=5)
        self.assertEqual(steps.left(3), 3)
        self.clock.advance(3)
        self.assertEqual(steps.left(3), 2)
        self.clock.advance(2)
        self.assertRaises(OutOfTime, steps.left, 3)

    def test_within(self) -> None:
        """
        What comes in time is taken, and leaves nothing behind in the clock.
        """
        steps = self.steps()
        self.assertEqual(self.result(steps.within(lambda: succeed(7), 3)), 7)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tooLate(self) -> None:
        """
        What does not is cancelled: that step is over, or everything is.
        """
        for error in (CancelledError, ConnectingCancelledError):

            def never(error: type[Exception] = error) -> Deferred[None]:
                return Deferred(lambda it: it.errback(error("x")))

            for seconds, expected in ((3, TimeoutError), (9, OutOfTime)):
                steps = self.steps(deadline=5)
                waiting: Deferred[Any] = Deferred.fromCoroutine(steps.within(never, seconds))
                self.clock.advance(seconds)
                self.failureResultOf(waiting, expected)

    def test_noTime(self) -> None:
        """
        What there is no time for is not begun.
        """
        steps = self.steps(deadline=5)
        self.clock.advance(5)
        begun: list[int] = []

        def begin() -> Deferred[int]:
            begun.append(1)
            return succeed(1)

        waiting = Deferred.fromCoroutine(steps.within(begin, 3))
        self.failureResultOf(waiting, OutOfTime)
        self.assertEqual(begun, [])

    def test_interrupted(self) -> None:
        """
        When everything is cancelled, so is the step; also that of connecting.
        """
        steps = self.steps()
        self.way.silent = True
        for step in (
            steps.within(Deferred, 3),
            steps.connected(Prober(self.clock, steps.way, "h").plain),
        ):
            waiting: Deferred[Any] = Deferred.fromCoroutine(step)
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent(self) -> None:
        """
        A server that cannot be connected to in time is not connected to.
        """
        steps = self.steps()
        self.way.silent = True
        waiting: Deferred[Any] = Deferred.fromCoroutine(
            steps.connected(Prober(self.clock, steps.way, "h").plain)
        )
        self.clock.advance(10)
        self.assertIsNone(self.successResultOf(waiting))


class TalkTests(StepsTestCase):
    """
    What is said and heard.
    """

    def heard(self, server: Any, host: str = "h:1") -> Speech:
        """
        What a server says.
        """
        steps = self.steps(server)
        exchange = self.connect(steps)
        speech: Speech = self.result(steps.hear(exchange, host))
        return speech

    def test_banner(self) -> None:
        """
        A server that speaks first is heard, and not spoken to.
        """
        server = Recorder(b"hello")
        self.assertEqual(self.heard(lambda: server), Speech(b"hello"))
        self.assertEqual(server.received, b"")

    def test_http(self) -> None:
        """
        A server that waits is asked for the head of its first page, and nothing else.
        """
        self.assertEqual(
            self.heard(lambda: Answering(b"HTTP/1.1 204 No\r\n\r\n")), Speech(http=HTTPAnswer(204, "No"))
        )
        server = Recorder()
        self.assertEqual(self.heard(lambda: server), Speech())
        self.assertTrue(server.received.startswith(b"HEAD / HTTP/1.1\r\nHost: h:1\r\n"), server.received)
        self.assertTrue(server.received.endswith(b"\r\n\r\n"))

    def test_lateBanner(self) -> None:
        """
        A server that speaks first, but takes its time for that, is known by how it begins.
        """

        class Slow(Recorder):
            """
            Speaks when it has been spoken to.
            """

            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(b"SSH-2.0-x\r\n\r\n")

        speech = self.heard(Slow)
        self.assertEqual((speech.banner, speech.other), (b"SSH-2.0-x\r\n\r\n", b""))
        self.assertGreaterEqual(speech.after, 1)

    def test_others(self) -> None:
        """
        What is not HTTP, who hangs up, and who is not asked.
        """
        self.assertEqual(self.heard(lambda: Answering(b"what?")), Speech(other=b"what?"))
        self.assertEqual(self.heard(lambda: Answering(b"")), Speech(closed=True))
        self.assertEqual(self.heard(Recorder, ""), Speech())
        steps = self.steps()
        exchange = self.connect(steps)
        self.way.wires[0].server.loseConnection()
        self.assertEqual(self.result(steps.hear(exchange, "h")), Speech(closed=True))

    def test_hangUp(self) -> None:
        """
        Hanging up is in order where the server lets it, and takes no time where it does not.
        """
        steps = self.steps()
        exchange = self.connect(steps)
        self.result(steps.hangUp(exchange))
        self.assertIsNotNone(exchange.ended)
        exchange = self.connect(steps)
        exchange.close = lambda: None  # type: ignore[method-assign]
        before = self.clock.seconds()
        self.result(steps.hangUp(exchange))
        self.assertLessEqual(self.clock.seconds() - before, 2)
        self.way.wires[1].flush()
        self.assertIsNotNone(exchange.ended)

    def test_webSocket(self) -> None:
        """
        A WebSocket opens, or there is a reason.
        """
        for server, problem in (
            (Opening, ""),
            (lambda: Answering(b"HTTP/1.1 404 Not Found\r\n\r\n"), "404"),
            (Recorder, "no answer"),
        ):
            steps = self.steps(server)
            exchange = self.connect(steps)
            given = self.result(steps.openWebSocket(exchange, "ws://h:1/"))
            self.assertIn(problem, given)
            self.assertEqual(not given, not problem)
