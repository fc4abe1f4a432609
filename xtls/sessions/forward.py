"""
The session that leads to a backend: every connection is joined to one of its own at another
endpoint.

Octets go straight from one connection to the other, in the turn in which they arrive.  When one
side takes no more, reading from the other is paused until it has taken everything.  So what is held
here for one direction is at most one delivery of its source, 256 KiB; besides that there is only
what the system's own socket buffers hold.  While the backend is being connected, the client may
send up to L{KEPT} octets, and what completes them, before it is paused.

Ends are passed on:

  - One side sends no more (a half close): what it sent is delivered, then the other side is told so
    and may go on.  A transport without a half close is closed then, after the last octet.
  - Both have ended: both connections are closed.
  - A connection is gone in order: the other gets what is on its way, and the end; what it still
    sends is read and dropped, so that no reset destroys what it has not read yet.
  - A connection is lost, with a reset, or without TLS's close_notify: what is on its way may still
    arrive, for L{ABORT_AFTER} seconds, and then the other is aborted, so that it does not take a
    part for the whole.

No end waits for ever: a side that was told of it and takes no octet, or does not close, within the
close timeout is closed, with what it did not take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from xtls.sessions.leg import ABORT_AFTER, Leg, drop
from xtls.wire.addresses import addressName
from xtls.wire.connecting import SocketEndpoint, directly
from xtls.wire.deadlines import deadlinesOf
from xtls.wire.outflow import Buffer
from xtls.wire.reasons import reasonOf

__all__ = ["ABORT_AFTER", "KEPT", "ForwardFactory", "ForwardProtocol"]

_log = Logger()

#: Octets that a client may send while its backend is being connected; then it is paused.
KEPT: Final = 65536

#: "Internal error" (RFC 6455, section 7.4.1, and its registry).
_INTERNAL_ERROR: Final = 1011


class ForwardProtocol(Leg):
    """
    The connection of a client, which is joined to one of its own at the backend.
    """

    def __init__(self, factory: ForwardFactory) -> None:
        super().__init__(factory.clock, factory.closeTimeout)
        self.factory: ForwardFactory = factory
        self._kept: list[bytes] = []
        self._keptSize = 0
        self._cancel: Callable[[], None] = lambda: None
        self._given = False  # the backend is connected, or not needed any more

    def connectionMade(self) -> None:
        """
        Connect the backend, and keep meanwhile what the client sends.
        """
        factory = self.factory
        if isinstance(factory.endpoint, SocketEndpoint) and factory.endpoint.connectAtOnce(_Backend(self)):
            return
        self.pour(self._keep)
        self._timer = deadlinesOf(factory.clock).within(factory.connectTimeout, self._tooSlow)
        connecting = maybeDeferred(factory.endpoint.connect, _BackendFactory(self))
        self._cancel = connecting.cancel
        connecting.addErrback(self._unreachable)

    def adopt(self, transport: Any, below: Any, ended: bool) -> None:
        """
        Be connected, in place of C{makeConnection}, where the backend is connected already.

        @param transport: the client's.
        @param below: the backend's, a L{StreamSocket<xtls.wire.sockets.StreamSocket>}.
        @param ended: whether the client has ended its direction, and the backend may have been told.
        """
        self.transport = transport
        self._readEnded = ended
        below.protocol = backend = _Backend(self)
        backend.transport = below
        self.backendConnected(backend)
        below.startReading()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client is gone, and with it the need for a connection to the backend.
        """
        super().connectionLost(reason)
        if not self._given:
            self._given = True
            self._cancel()

    def backendConnected(self, backend: _Backend) -> None:
        """
        The backend is there.
        """
        if self._given:
            backend.abort()
            return
        self._given = True
        self._stopTimer()
        paused, kept = self._keptSize >= KEPT, b"".join(self._kept)
        self._kept.clear()
        self.join(backend)
        outflow = backend.join(self)
        if kept:
            outflow.write(kept)
        if paused and not outflow.paused:
            self.resume()
        if self._readEnded:
            backend.endWriting()

    def _keep(self, data: Buffer) -> None:
        """
        Remember what the client sends before there is anywhere to send it.
        """
        self._kept.append(bytes(data))
        self._keptSize += len(data)
        if self._keptSize >= KEPT:
            self.pause()

    def _tooSlow(self) -> None:
        """
        The backend does not answer.
        """
        self._timer = None
        self._fail(f"no connection within {self.factory.connectTimeout:g} seconds")
        self._cancel()

    def _unreachable(self, failure: Failure) -> None:
        """
        The backend cannot be connected.
        """
        if not self._given:
            self._stopTimer()
            self._fail(reasonOf(failure))

    def _fail(self, problem: str) -> None:
        """
        Say so, in the log and to the client: an end in order would be an empty answer of the backend's.
        """
        self._given = True
        self._kept.clear()
        self.pour(drop)
        _log.info(
            "{peer}: the backend {backend} cannot be reached: {problem}",
            peer=addressName(self.transport.getPeer()),
            backend=self.factory.name,
            problem=problem,
        )
        failConnection = getattr(self.transport, "failConnection", None)
        if failConnection is not None:
            failConnection(_INTERNAL_ERROR, "backend unreachable")
        else:
            self.abort()


class _Backend(Leg):
    """
    The connection to the backend.
    """

    def __init__(self, client: ForwardProtocol) -> None:
        super().__init__(client.factory.clock, client.factory.closeTimeout)
        self._client = client

    def connectionMade(self) -> None:
        """
        Join the client.
        """
        self._client.backendConnected(self)


class _BackendFactory(Factory):
    """
    Builds the one connection to the backend that a client needs.
    """

    noisy = False

    def __init__(self, client: ForwardProtocol) -> None:
        self._client = client

    def buildProtocol(self, addr: IAddress | None) -> _Backend:
        """
        The connection.
        """
        return _Backend(self._client)


class ForwardFactory(Factory):
    """
    Leads each connection to a backend.

    @ivar endpoint: where the backend is.
    @ivar connectTimeout: seconds for the connection to it.
    @ivar clock: for deadlines.
    @ivar name: what logs call the backend, such as its endpoint string.
    @ivar closeTimeout: seconds for either side to close, or to take the next octets, after the
        other has gone.
    """

    noisy = False

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        connectTimeout: float,
        clock: IReactorTime,
        *,
        name: str = "",
        closeTimeout: float = 10.0,
    ) -> None:
        self.endpoint = directly(endpoint)
        self.connectTimeout = connectTimeout
        self.clock = clock
        self.name = name or repr(endpoint)
        self.closeTimeout = closeTimeout

    def buildProtocol(self, addr: IAddress | None) -> ForwardProtocol:  # type: ignore[override]
        """
        The session of one client.
        """
        return ForwardProtocol(self)
