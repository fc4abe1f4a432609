"""
Waiting for a connection: Deferreds that fire when it is there, or say why it never will be.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure

__all__ = ["Waiting"]


class Waiting:
    """
    Those who wait for one connection.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Deferred[IProtocol]] = []

    def add(self, cancel: Callable[[], None]) -> Deferred[IProtocol]:
        """
        Wait.

        @param cancel: called when this one does not want the connection any more; the Deferred fails with
            L{CancelledError<twisted.internet.defer.CancelledError>} then.
        """

        def cancelled(one: Deferred[IProtocol]) -> None:
            self._waiting.remove(one)
            cancel()

        one: Deferred[IProtocol] = Deferred(cancelled)
        self._waiting.append(one)
        return one

    def succeed(self, protocol: IProtocol) -> None:
        """
        The connection is there.
        """
        for one in self._taken():
            one.callback(protocol)

    def fail(self, failure: Failure) -> bool:
        """
        There will be no connection.

        @return: whether anybody has heard of it.
        """
        waiting = self._taken()
        for one in waiting:
            one.errback(failure)
        return bool(waiting)

    def _taken(self) -> list[Deferred[IProtocol]]:
        """
        All of them, once.
        """
        waiting, self._waiting = self._waiting, []
        return waiting
