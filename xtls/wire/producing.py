"""
The producer above a transport of ours.

A transport is full, or it is not; and it has a producer, or not.  L{Source} joins the two, for both
kinds of producers that Twisted knows: one that pushes is paused and resumed, one that is pulled is
asked again each turn while there is room.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Source"]


class Source:
    """
    What produces the octets that a transport sends.

    @ivar producer: the producer that is registered, or L{None}.
    """

    __slots__ = ("_clock", "_full", "_next", "_streaming", "producer")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
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
        self.producer.resumeProducing()
        if self.producer is not None:
            self._schedule()

    def _cancel(self) -> None:
        """
        Ask no more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
