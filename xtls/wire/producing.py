"""
The producer above a transport of ours.

A transport is full, or it is not; and it has a producer, or not.  L{Source} joins the two, for both
kinds of producers that Twisted knows: one that pushes is paused and resumed, one that is pulled is
asked again each turn while there is room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["Source"]

_log = Logger()


def _nothing(failure: Failure) -> None:
    """
    There is no connection any more that could fail.
    """


class Source:
    """
    What produces the octets that a transport sends.

    @ivar producer: the producer that is registered, or L{None}.
    """

    __slots__ = ("_clock", "_failed", "_full", "_next", "_streaming", "producer")

    def __init__(self, clock: IReactorTime, failed: Callable[[Failure], None]) -> None:
        """
        @param failed: called when a producer that is pulled raises, which is logged: it is not asked again.
        """
        self._clock = clock
        self._failed = failed
        self.producer: Any = None
        self._streaming = True
        self._full = False
        self._next: IDelayedCall | None = None

    def register(self, producer: object, streaming: bool) -> None:
        """
        Take a producer on, as L{IConsumer.registerProducer<twisted.internet.interfaces.IConsumer>} has it.

        @raise RuntimeError: if there is one already.
        """
        if self.producer is not None:
            raise RuntimeError(f"cannot register {producer!r}: {self.producer!r} is not unregistered")
        self.producer = producer
        self._streaming = streaming
        if not streaming:
            self._schedule()
        elif self._full:
            self.producer.pauseProducing()

    def unregister(self) -> None:
        """
        The producer has no more.
        """
        self.producer = None
        self._cancel()

    def pause(self) -> None:
        """
        The transport is full.
        """
        self._full = True
        self._cancel()
        if self.producer is not None and self._streaming:
            self.producer.pauseProducing()

    def resume(self) -> None:
        """
        The transport has room.
        """
        self._full = False
        if self.producer is not None:
            if self._streaming:
                self.producer.resumeProducing()
            else:
                self._schedule()

    def stop(self) -> None:
        """
        The connection is lost: nothing is needed any more.
        """
        producer = self.producer
        self.unregister()
        self._failed = _nothing
        if producer is not None:
            producer.stopProducing()

    def _schedule(self) -> None:
        """
        Ask a producer that is pulled, in the next turn.
        """
        if not self._full and self._next is None:
            self._next = self._clock.callLater(0, self._pull)

    def _pull(self) -> None:
        """
        Ask once, and again next time if it is still there.
        """
        self._next = None
        try:
            self.producer.resumeProducing()
        except Exception:
            failure = Failure()
            _log.failure("a producer failed", failure)
            self._failed(failure)
            return
        if self.producer is not None and not self._streaming:
            self._schedule()

    def _cancel(self) -> None:
        """
        Ask no more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
