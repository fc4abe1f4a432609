"""
A client's connection and the backend's, as one object.

The stages of a connection: C{_hello}, C{_handshake}, C{_inside} (waiting for the first octets inside TLS,
where these decide), C{_relay}, and C{_over} (the client has ended its direction).  Each is given what was
read from the client; each leaves the fast path for whatever is not ordinary (see
L{Leaving<xtls.sessions.leaving.Leaving>}).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.port.detect import NEED_DATA, Detected, detect
from xtls.port.upgradeable import TAKEN
from xtls.port.upgrades import Route
from xtls.sessions.leaving import Leaving, endOf
from xtls.wire.addresses import addressName
from xtls.wire.inflow import READ_BUFFER
from xtls.wire.openssl import DirectRecords
from xtls.wire.records import BUFFER_SIZE, Status, cipherView, plainView
from xtls.wire.sockets import StreamSocket, addressOf

__all__ = ["Pair"]

_LOST: Final = Failure(ConnectionLost())  # as reactors have it

#: Octets that are looked at to tell protocols apart, which is more than that takes.
_ENOUGH: Final = 64


@implementer(IReadDescriptor)
class Pair(Leaving):
    """
    A client's connection and the backend's.

    @ivar fileno: the descriptor of the client's socket.
    @ivar encrypt: see L{DirectRecords}; there once there is a backend.
    """

    __slots__ = (
        "_receive",
        "_stage",
        "encrypt",
        "fileno",
    )

    def __init__(self, path: Any, sock: socket.socket, peer: Any) -> None:
        """
        @param path: the L{FastPath<xtls.sessions.fastpath.FastPath>} that the connection is on.
        @param sock: the client's, which does not block.
        @param peer: where the client is, as the system has it.
        """
        super().__init__(path, sock, peer)
        self._receive = sock.recv_into
        self.fileno = sock.fileno
        self._stage: Callable[[Pair, int], None] = Pair._hello
        self._deadline = path.within(path.detectTimeout, self._late)

    # What the reactor calls.

    def doRead(self) -> None:
        """
        The client has sent something.
        """
        try:
            count = self._receive(READ_BUFFER)
        except BlockingIOError:
            return
        except OSError:
            self.connectionLost(_LOST)
            return
        self._stage(self, count)

    # The stages of a connection.

    def _hello(self, count: int) -> None:
        """
        The first octets.
        """
        if not count:
            self._ends()
            return
        if detect(bytes(READ_BUFFER[: min(count, _ENOUGH)])) is not Detected.TLS:
            self._upgradeable(bytes(READ_BUFFER[:count]))
            return
        path = self._path
        try:
            self._connection = path.tls.createConnection(path)
        except Exception:
            self._upgradeable(bytes(READ_BUFFER[:count]))  # where it is said why, if it fails again
            return
        self._cancel()
        self._deadline = path.within(path.handshakeTimeout, self._late)
        self._records = DirectRecords(self._connection)
        self._stage = Pair._handshake
        self._handshake(count)

    def _handshake(self, count: int) -> None:
        """
        Octets of the handshake.
        """
        records = self._records
        if not count:
            self._ends()
            return
        records.feed(READ_BUFFER[:count])
        records.forget()
        try:
            done = records.handshake()
        except SSL.Error as e:
            self._secured(b"", e.with_traceback(None))
            return
        if done:
            self._cancel()
            self._secure = True
            self._established()
            return
        flight = records.drain()
        if flight and not self._sent(flight):
            self._secured()

    def _established(self) -> None:
        """
        The handshake is complete.
        """
        path, records = self._path, self._records
        plain = records.read()
        if records.status is not Status.WANT_READ or not (path.decided or self._raw(plain)):
            self._secured(plain)
            return
        if plain or path.decided:
            self._join(plain)
        else:
            self._stage = Pair._inside
            self._deadline = path.within(path.detectTimeout, self._late)
            tickets = records.drain()
            if tickets and not self._sent(tickets):
                self._secured()

    def _raw(self, plain: memoryview) -> bool:
        """
        Whether the first octets inside TLS are for the session, or may still be.
        """
        if self._records.negotiated():
            return False  # an application protocol
        if not plain:
            return True
        detected = detect(bytes(plain[:_ENOUGH]))
        return detected is not NEED_DATA and self._path.decide(detected) is Route.SESSION

    def _inside(self, count: int) -> None:
        """
        The first octets inside TLS.
        """
        if not count:
            self._ends()
            return
        records = self._records
        records.feed(READ_BUFFER[:count])
        plain = records.read()
        answer = records.drain()
        kept = answer and not self._sent(answer)
        ordinary = records.status is Status.WANT_READ and not kept
        if not (ordinary and (not plain or self._raw(plain))):
            self._secured(plain)
        elif plain:
            self._cancel()
            self._join(plain)

    def _join(self, plain: memoryview) -> None:
        """
        The session begins.

        @param plain: octets for the backend, perhaps none.
        """
        path = self._path
        sock = path.endpoint.socketAtOnce()
        if sock is None:
            self._secured(plain)
            return
        path.factory.journal.note(TAKEN, peer=addressName(addressOf(self._peer)), path=path.path)
        self._back = back = Back(self, sock)
        self.encrypt = self._records.encrypt
        self._stage = Pair._relay
        path.reactor.addReader(back)
        if plain:
            self._give(plain)
            if self.gone or self._records.newest:
                return  # all that waits for the client is tickets: they go out with the backend's answer
        flight = self._records.drain()
        if flight and not self._sent(flight):
            self._joined()

    def _relay(self, count: int) -> None:
        """
        Octets for the backend.
        """
        if not count:
            self._ends()
            return
        records = self._records
        plain = records.decrypt(count)
        if plain:
            self._give(plainView[:plain])
            return
        view = records.rest()
        answer = records.drain()
        kept = answer and not self._sent(answer)
        if kept or records.status not in (Status.WANT_READ, Status.CLOSED):
            self._joined().decrypted(view)
            return
        ended = records.status is Status.CLOSED
        if view:
            self._give(view, ended)
        if ended and not self.gone:
            self._ended = True
            self._stage = Pair._over
            self._back.end()

    def _give(self, plain: memoryview, ended: bool = False) -> None:
        """
        Send to the backend.

        @param ended: whether the client has sent close_notify behind this.
        """
        back = self._back
        try:
            sent = back.send(plain)
        except OSError as e:
            sent = 0
            back.reset = isinstance(e, ConnectionResetError)
        if sent < len(plain):
            rest = bytes(plain[sent:])
            tls = self._joined()
            tls.wrappedProtocol.dataReceived(rest)
            if ended:
                tls.decrypted(plain[:0])

    def _over(self, count: int) -> None:
        """
        The client has ended; what it still sends is for nobody.
        """
        if not count:
            self._path.reactor.removeReader(self)

    # The backend.

    def backEnded(self) -> None:
        """
        The backend sends no more.
        """
        back, records = self._back, self._records
        if not self._ended:
            self._joined()
            endOf(back.after)
            return
        records.forget()
        connection: Any = self._connection
        try:
            connection.shutdown()
            closed = True
        except SSL.Error:
            closed = False
        mark = records.drain()
        if not closed or (mark and not self._sent(mark, gone=True)):
            self._joined(closed=closed)
            endOf(back.after)  # now: while the client takes nothing, the backend is not read from
            return
        path = self._path
        path.reactor.removeReader(self)
        path.reactor.removeReader(back)
        self.gone = True
        self._sock.close()
        back.close()
        self._back = None  # which knows this
        path.factory.ended()

    def backLost(self) -> None:
        """
        The backend's connection is gone.
        """
        if not self.gone:
            self._joined()

    def sendGenerally(self, rest: memoryview, reset: bool) -> None:
        """
        The client's socket did not take all of the octets from the backend.

        @param reset: whether it has said that the client has reset the connection.
        """
        self._unsent = bytes(rest)
        self._reset = reset
        self._joined()

    def failed(self, error: SSL.Error) -> None:
        """
        OpenSSL cannot send.
        """
        self._joined().sendingFailed(error)

    # Deadlines.

    def _late(self) -> None:
        """
        What is awaited has not come in time.
        """
        self._aside()  # where that is so, too


@implementer(IReadDescriptor)
class Back:
    """
    The backend's connection.

    @ivar after: who has it when both are on the general way.
    @ivar reset: a send has said that the backend has reset the connection, which is said once.
    """

    __slots__ = ("_pair", "_receive", "after", "close", "fileno", "reset", "send", "sock")

    def __init__(self, pair: Pair, sock: socket.socket) -> None:
        self.after: StreamSocket | None = None
        self.reset = False
        self._pair = pair
        self.sock = sock
        self._receive = sock.recv_into
        self.send = sock.send
        self.close = sock.close
        self.fileno = sock.fileno

    def doRead(self) -> None:
        """
        The backend has sent something.
        """
        pair = self._pair
        try:
            count = self._receive(READ_BUFFER)
        except BlockingIOError:
            return
        except OSError:
            self.connectionLost(_LOST)
            return
        if not count:
            pair.backEnded()
            return
        try:
            cipher = pair.encrypt(count)
        except SSL.Error as e:
            pair.failed(e)
            return
        reset = False
        try:
            sent = pair.send(cipherView[:cipher])
        except OSError as e:
            sent, reset = 0, isinstance(e, ConnectionResetError)
        if sent < cipher or cipher >= BUFFER_SIZE:
            pair.sendGenerally(cipherView[sent:cipher], reset)

    def end(self) -> None:
        """
        Tell the backend that its client sends no more.
        """
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone, as its socket will say

    def connectionLost(self, reason: Failure) -> None:
        """
        The backend's connection is gone; or who has it now has failed in a call that was made here.
        """
        self._pair.backLost()
        if self.after is not None:
            self.after.connectionLost(reason)

    def logPrefix(self) -> str:
        """
        What Twisted's old log says.
        """
        return type(self).__name__
