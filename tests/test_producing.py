"""
The producer above a transport.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from xtls.wire.producing import Source


@implementer(IPushProducer, IPullProducer)
class Producer:
    """
    Remembers what it was asked to do.

    @ivar then: what it does itself, when it is asked for more.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def then(self) -> None:
        """
        Nothing.
        """

    def pauseProducing(self) -> None:
        """
        Pause.
        """
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        """
        Go on.
        """
        self.calls.append("resume")
        self.then()

    def stopProducing(self) -> None:
        """
        Stop.
        """
        self.calls.append("stop")


class TurningClock(Clock):
    """
    A clock on which what is due at once is due in the next turn, as on a reactor.
    """

    def callLater(self, when: float, what: Any, *args: Any, **kwargs: Any) -> IDelayedCall:  # type: ignore[override]
        """
        Not before the next turn.
        """
        return super().callLater(when + 1, what, *args, **kwargs)


class SourceTests(SynchronousTestCase):
    """
    L{Source}.
    """

    def setUp(self) -> None:
        self.clock = TurningClock()
        self.failures: list[Failure] = []
        self.source = Source(self.clock, self.failures.append)
        self.producer = Producer()

    def turns(self, count: int) -> None:
        """
        Let the reactor turn so often.
        """
        for _ in range(count):
            self.clock.advance(1)

    def register(self, streaming: bool, producer: Producer | None = None) -> Producer:
        """
        Register a producer, by default the one of the test.
        """
        producer = self.producer if producer is None else producer
        self.source.register(producer, streaming)
        return producer

    def assertIdle(self) -> None:
        """
        Nothing is scheduled.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_double(self) -> None:
        """
        The producer of these tests is one of either kind.
        """
        verifyObject(IPushProducer, self.producer)
        verifyObject(IPullProducer, self.producer)

    def test_nobody(self) -> None:
        """
        Without a producer there is nothing to do.
        """
        self.source.pause()
        self.source.resume()
        self.source.stop()
        self.assertIdle()

    def test_push(self) -> None:
        """
        One that pushes is paused when the transport is full, and resumed when there is room.
        """
        self.register(True)
        self.source.pause()
        self.source.resume()
        self.turns(3)
        self.assertEqual(self.producer.calls, ["pause", "resume"])

    def test_pushToFull(self) -> None:
        """
        One that comes while the transport is full is paused at once.
        """
        self.source.pause()
        self.register(True)
        self.assertEqual(self.producer.calls, ["pause"])
        self.source.resume()
        self.assertEqual(self.producer.calls, ["pause", "resume"])

    def test_pull(self) -> None:
        """
        One that is pulled is asked once each turn, from the next turn on.
        """
        self.register(False)
        self.assertEqual(self.producer.calls, [])
        self.turns(3)
        self.assertEqual(self.producer.calls, ["resume"] * 3)

    def test_pullWhileThereIsRoom(self) -> None:
        """
        One that is pulled is not asked while the transport is full, nor told of it.
        """
        self.register(False)
        self.turns(1)
        self.source.pause()
        self.turns(3)
        self.assertEqual(self.producer.calls, ["resume"])
        self.assertIdle()
        self.source.resume()
        self.turns(1)
        self.assertEqual(self.producer.calls, ["resume"] * 2)

    def test_pullFromFull(self) -> None:
        """
        One that comes while the transport is full is not asked before there is room.
        """
        self.source.pause()
        self.register(False)
        self.turns(3)
        self.assertEqual(self.producer.calls, [])
        self.source.resume()
        self.turns(1)
        self.assertEqual(self.producer.calls, ["resume"])

    def test_pullUntilFull(self) -> None:
        """
        One that fills the transport when it is asked is not asked again at once.
        """
        self.producer.then = self.source.pause  # type: ignore[method-assign]
        self.register(False)
        self.turns(3)
        self.assertEqual(self.producer.calls, ["resume"])

    def test_pullUntilItLeaves(self) -> None:
        """
        One that unregisters when it is asked is not asked again.
        """
        self.producer.then = self.source.unregister  # type: ignore[method-assign]
        self.register(False)
        self.turns(3)
        self.assertEqual(self.producer.calls, ["resume"])
        self.assertIsNone(self.source.producer)
        self.assertIdle()

    def test_pullThenPush(self) -> None:
        """
        When one that is pulled gives its place to one that pushes, that is not asked for anything.
        """
        pushing = Producer()

        def change() -> None:
            self.source.unregister()
            self.register(True, pushing)

        self.producer.then = change  # type: ignore[method-assign]
        self.register(False)
        self.turns(3)
        self.assertEqual((self.producer.calls, pushing.calls), (["resume"], []))

    def test_pullThenPull(self) -> None:
        """
        When one that is pulled gives its place to another of its kind, that is asked once each turn.
        """
        pulled = Producer()

        def change() -> None:
            self.source.unregister()
            self.register(False, pulled)

        self.producer.then = change  # type: ignore[method-assign]
        self.register(False)
        self.turns(3)
        self.assertEqual((self.producer.calls, pulled.calls), (["resume"], ["resume"] * 2))

    def test_one(self) -> None:
        """
        There is one producer at a time.
        """
        self.register(True)
        self.assertRaises(RuntimeError, self.register, True, Producer())
        self.source.unregister()
        self.register(True, Producer())

    def test_stop(self) -> None:
        """
        The end of the connection stops the producer, once, and nothing is scheduled any more.
        """
        for streaming in (True, False):
            producer = self.register(streaming, Producer())
            self.source.stop()
            self.source.stop()
            self.assertEqual(producer.calls, ["stop"])
            self.assertIsNone(self.source.producer)
            self.assertIdle()

    def test_faulty(self) -> None:
        """
        A producer that raises when it is asked is not asked again; the fault is logged, and told.
        """
        self.producer.then = lambda: 1 // 0  # type: ignore[method-assign, assignment]
        self.register(False)
        self.turns(3)
        self.assertEqual(self.producer.calls, ["resume"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([failure.type for failure in self.failures], [ZeroDivisionError])
        self.assertIdle()

    def test_faultyAtTheEnd(self) -> None:
        """
        When the connection is lost while a producer is asked, its fault is logged, and nobody else's concern.
        """

        def end() -> None:
            self.source.stop()
            raise ZeroDivisionError

        self.producer.then = end  # type: ignore[method-assign]
        self.register(False)
        self.turns(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.failures, [])
