"""
Getting octets out: at once when the socket takes them, and with pressure when it does not.

Twisted's own C{transport.write} waits for the reactor's next turn with every write: it arms the
writer, polls, sends and disarms.  An L{Outflow} sends at once and arms the writer only for what a
socket did not take; and from then until all of it has gone, its source is paused.  That is the whole
of the back pressure: what one connection holds in one direction is bounded by what its source
delivers in one turn.

How it works on a socket of Twisted's.  Nothing is ever put into the transport's own buffer, unless a
send fails for another reason than want of room: then the transport meets the same failure itself.
When a send is short, the rest is kept here, the outflow registers itself with the transport as a pull
producer and asks for writability (C{startWriting}); the transport finds its own buffer empty and calls
L{Outflow.resumeProducing}, which sends more.  When all has gone it unregisters, and sends at once
again.

On any other transport (TLS, WebSocket, a test's) it writes at once, and is registered as a push producer.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import Attribute, Interface, implementer

from xtls.wire.inflow import directSocket, endInLoss

__all__ = ["Buffer", "IBufferProtocol", "IBufferTransport", "Outflow"]

Buffer = bytes | memoryview

#: Sends in one turn, so that one fast peer does not keep the reactor from the others.
_SENDS_A_TURN: Final = 8


class IBufferProtocol(Interface):
    """
    A protocol that can take octets without a copy of its own.

    A transport of xtls calls this in place of C{dataReceived}, when the protocol has it.
    """

    def bufferReceived(view: memoryview) -> None:
        """
        Octets have arrived.

        @param view: valid only until this call returns.
        """


class IBufferTransport(Interface):
    """
    A transport that can send octets without a copy of its own.
    """

    pending: int = Attribute("Octets that were written and that the socket has not taken.")
    taken: int = Attribute("Octets that the socket did not take when they were written, but later.")

    def write(data: Buffer) -> None:
        """
        Send.

        @param data: a view need only be valid during this call.
        """


def _nothing() -> None:
    """
    There is no source any more.
    """


@implementer(IPushProducer)
class Outflow:
    """
    What goes out of a connection in one direction.

    @ivar paused: whether the source is asked to pause.
    """

    __slots__ = (
        "_drained",
        "_kept",
        "_keptSize",
        "_pause",
        "_registered",
        "_resume",
        "_socket",
        "_taken",
        "_transport",
        "_views",
        "paused",
    )

    _transport: Any

    def __init__(self, transport: ITransport, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """
        @param transport: a connected transport.  Nobody else writes to it from now on.
        @param pause: called when the transport cannot take more: stop the source.
        @param resume: called when all has gone: let the source go on.
        @raise RuntimeError: if the transport has a producer already.
        """
        self._transport = transport
        self._pause = pause
        self._resume = resume
        self._kept: deque[memoryview] = deque()
        self._keptSize = 0
        self._taken = 0
        self._drained: Callable[[], None] | None = None
        self.paused = False
        self._socket = directSocket(transport)
        self._views = False
        if self._socket is None or not hasattr(transport, "_tempDataBuffer"):
            # (Without this name it could not be seen whether others have written before.)
            self._socket = None
            self._views = IBufferTransport.providedBy(transport)
            self._registered = True
            self._transport.registerProducer(self, True)
            return
        self._registered = False
        if self._transport.producer is not None:
            raise RuntimeError(f"{transport!r} has a producer: {self._transport.producer!r}")
        if not getattr(transport, "sendsAtOnce", False):
            if self._socket.family != getattr(socket, "AF_UNIX", None):
                self._transport.setTcpNoDelay(True)
        if self._othersPending():
            self._await()  # those go first

    @property
    def pending(self) -> int:
        """
        Octets that were written and that the socket has not taken; 0 where that cannot be known.
        """
        if self._socket is None and self._views:
            below: int = self._transport.pending
            return below
        return self._keptSize

    @property
    def taken(self) -> int:
        """
        Octets that the socket did not take when they were written, but later: while these grow more, the peer
        reads.
        """
        if self._socket is None and self._views:
            below: int = self._transport.taken
            return below
        return self._taken

    @property
    def direct(self) -> Any:
        """
        The socket, if what is sent to it now is behind everything that was written; else L{None}.
        """
        return None if self._registered else self._socket

    def write(self, data: Buffer) -> None:
        """
        Send, or keep in order what cannot be sent now.

        @param data: a view need only be valid during this call.
        """
        sock = self._socket
        if sock is None:
            self._transport.write(data if self._views or isinstance(data, bytes) else bytes(data))
            return
        if self._registered:
            self._keep(data)
            self.pauseProducing()
            return
        try:
            sent = sock.send(data)
        except OSError as e:
            sent = 0  # the next attempt, which follows at once, tells whether that was for want of room
            self.heed(e)
        if sent < len(data):
            self._keep(memoryview(data)[sent:])
            if self._await():
                self.pauseProducing()

    def whenDrained(self, call: Callable[[], None]) -> None:
        """
        Nothing more will be written: let go of the transport when all has gone to the socket, and then call.
        That is at once when it has already, and on other transports than sockets: those keep their own order.

        @param call: called once, unless the connection is lost before, or another call takes its place.
        """
        if self._socket is not None and self._registered:
            self._drained = call
        else:
            self.close()
            call()

    def close(self) -> None:
        """
        Let go of the transport and of the source, for good.  What is kept is dropped: call it when the
        connection is lost, or when nothing is pending.
        """
        if self._kept:
            self._kept.clear()
            self._keptSize = 0
        self._drained = None
        if self._registered:
            self._release()
        self._pause = self._resume = _nothing

    def _release(self) -> None:
        """
        Let go of the transport, for now.
        """
        self._registered = False
        self._transport.unregisterProducer()

    def _othersPending(self) -> bool:
        """
        Whether the transport's own buffer holds octets.
        """
        return bool(self._transport.dataBuffer or self._transport._tempDataBuffer)

    def _keep(self, data: Buffer) -> None:
        """
        Remember what could not be sent.
        """
        self._kept.append(memoryview(bytes(data)))
        self._keptSize += len(data)

    def _await(self) -> bool:
        """
        Have L{resumeProducing} called as soon as the socket takes more (and once at once).

        @return: whether there is still something to wait for.
        """
        self._registered = True
        self._transport.registerProducer(self, False)
        return self._registered

    def _sendKept(self, sock: socket.socket) -> None:
        """
        Send what was kept, in order, until the socket takes no more; then let go of the transport.
        """
        kept = self._kept
        try:
            for _ in range(_SENDS_A_TURN):
                if not kept:
                    break
                sent = sock.send(kept[0])
                self._keptSize -= sent
                self._taken += sent
                if sent < len(kept[0]):
                    kept[0] = kept[0][sent:]
                    break
                kept.popleft()
        except BlockingIOError:
            pass
        except OSError as e:
            self.heed(e)
            self._passOn()
        if kept or self._othersPending():
            self._transport.startWriting()
        else:
            self._allGone()

    def heed(self, error: OSError) -> None:
        """
        A send failed, here or where somebody else has sent to L{direct}: the transport will meet that itself,
        but for a reset, which is told only once.
        """
        if isinstance(error, ConnectionResetError):
            endInLoss(self._transport)

    def _passOn(self) -> None:
        """
        A send failed: let the transport meet the same failure itself.  Then it ends the connection as the
        reactor does; or, where this was a want of memory, it tries again.
        """
        rest = b"".join(self._kept)
        self._kept.clear()
        self._keptSize = 0
        self._transport.write(rest)

    def _allGone(self) -> None:
        """
        From now on writes go to the socket directly again.
        """
        drained, self._drained = self._drained, None
        self._release()
        if self.paused:
            self.paused = False
            self._resume()
        if drained is not None:
            self.whenDrained(drained)  # again, if there is more now

    # What the transport calls.

    def resumeProducing(self) -> None:
        """
        The transport takes more.
        """
        sock = self._socket
        if sock is None:
            if self.paused:
                self.paused = False
                self._resume()
        elif self._othersPending():
            self._transport.startWriting()
        else:
            self._sendKept(sock)

    def pauseProducing(self) -> None:
        """
        The transport takes no more for now.
        """
        if not self.paused:
            self.paused = True
            self._pause()

    def stopProducing(self) -> None:
        """
        The connection is lost: what is kept cannot be sent any more.
        """
        self._registered = False
        self._kept.clear()
        self._keptSize = 0
        self._drained = None
