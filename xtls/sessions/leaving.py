"""
A connection on the fast path, and how it leaves it.

L{Pair<xtls.sessions.pair.Pair>} does what is ordinary.  For everything else there are the objects of the
general way: what is here makes those that the connection would have by now, and gives them the sockets, the
TLS connection, the deadline and what was read.  Afterwards this has nothing to do with the connection.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from xtls.port.upgradeable import UpgradeableProtocol
from xtls.wire.deadlines import Deadline
from xtls.wire.engine import TLSEngine
from xtls.wire.inflow import endInLoss
from xtls.wire.openssl import DirectRecords
from xtls.wire.sockets import StreamSocket, addressOf
from xtls.wire.transport import TLSTransport

__all__ = ["Leaving", "endOf"]


_DONE: Final = Failure(ConnectionDone())  # as reactors have it


def endOf(transport: StreamSocket) -> None:
    """
    A read has found the end of what comes: do what a reactor does then.
    """
    transport.stopReading()
    transport.readConnectionLost(_DONE)


class Leaving:
    """
    What is known of a client's connection, and of the backend's.

    @ivar gone: others have the connections now, or nobody.
    """

    __slots__ = (
        "_after",
        "_back",
        "_connection",
        "_deadline",
        "_ended",
        "_path",
        "_peer",
        "_records",
        "_reset",
        "_secure",
        "_sock",
        "_unsent",
        "gone",
        "send",
    )

    _records: DirectRecords

    def __init__(self, path: Any, sock: socket.socket, peer: Any) -> None:
        """
        @param path: the L{FastPath<xtls.sessions.fastpath.FastPath>} that the connection is on.
        @param sock: the client's, which does not block.
        @param peer: where the client is, as the system has it.
        """
        self._path = path
        self._sock = sock
        self.send = sock.send
        self._peer = peer
        self._deadline: Deadline | None = None
        self._connection: SSL.Connection | None = None
        self._back: Any = None  # the backend's connection
        self._secure = False  # the handshake is complete
        self._ended = False  # the client has sent close_notify, and the backend was told
        self._unsent = b""  # ciphertext that the client's socket did not take
        self._reset = False  # a send has said that the client has reset the connection, which is said once
        self._after: StreamSocket | None = None  # who has the client's connection now
        self.gone = False

    # What the reactor calls.

    def connectionLost(self, reason: Failure) -> None:
        """
        The client's connection is gone; or who has it now has failed in a call that was made here, of which
        the reactor knows nothing else.
        """
        if not self.gone:
            self._aside()
        if self._after is not None:
            self._after.connectionLost(reason)

    def logPrefix(self) -> str:
        """
        What Twisted's old log says.
        """
        return type(self).__name__

    # For those who leave.

    def _sent(self, octets: memoryview, gone: bool = False) -> bool:
        """
        Send to the client.  What it does not take is for whoever follows.

        @param gone: whether it is all the same if the client is not there any more.
        """
        try:
            sent = self.send(octets)
        except BlockingIOError:
            sent = 0
        except OSError as e:
            if gone:
                return True
            sent = 0
            self._reset = isinstance(e, ConnectionResetError)
        if sent == len(octets):
            return True
        self._unsent = bytes(octets[sent:])
        return False

    def _until(self) -> float | None:
        """
        When what is awaited must have happened, if it has not: from now on others see to it, in the next turn
        where that is now.
        """
        deadline, self._deadline = self._deadline, None
        if deadline is None:
            return None
        deadline.cancel()
        return deadline.time

    def _cancel(self) -> None:
        """
        What had to happen in time has happened.
        """
        self._until()

    def _aside(self) -> StreamSocket:
        """
        Leave the connection to the objects of the general way, as far as it has come.

        @return: the client's socket, as a transport.
        """
        if self._connection is None:
            return self._upgradeable()
        tls = self._secured() if self._back is None else self._joined()
        transport: StreamSocket = tls.transport
        return transport

    def _ends(self) -> None:
        """
        The client sends no more: the general way is told so in the same turn, as a reactor would.
        """
        endOf(self._aside())

    def _transport(self) -> StreamSocket:
        """
        The client's socket, as a transport.
        """
        path = self._path
        path.reactor.removeReader(self)
        self.gone = True
        transport = StreamSocket(self._sock, self._peer, path.reactor)
        transport.whenGone = path.factory.ended
        self._after = transport
        return transport

    def _sendRest(self, tls: TLSTransport) -> None:
        """
        Send what the client's socket did not take.
        """
        if self._unsent:
            tls.outflow.write(self._unsent)
        if self._reset:
            endInLoss(tls.transport)

    def _upgradeable(self, octets: bytes = b"") -> StreamSocket:
        """
        Leave the connection to the port, which is to find out what it is.
        """
        until = self._until()
        assert until is not None  # there is a deadline until it is known what this is
        transport = self._transport()
        transport.protocol = protocol = UpgradeableProtocol(self._path.factory)  # counted already
        transport.startReading()
        protocol.makeConnection(transport)
        protocol.hurry(until)
        if octets:
            protocol.dataReceived(octets)
        return transport

    def _engine(self) -> TLSEngine:
        """
        The TLS connection, as the general way has it.
        """
        connection: Any = self._connection
        engine = TLSEngine(connection, lambda connection: self._records)
        engine.established = self._secure
        engine.peerClosed = self._ended
        return engine

    def _secured(self, plain: memoryview | bytes = b"", failure: SSL.Error | None = None) -> TLSTransport:
        """
        Leave the connection to a TLS transport, without a session yet.

        @param plain: what was decrypted.
        @param failure: why TLS cannot go on.
        """
        octets = bytes(plain)
        until = self._until()
        transport = self._transport()
        engine = self._engine()
        engine.failure = failure
        left = None if self._secure else until
        tls: TLSTransport = self._path.tls.adopt(transport, engine, left, addressOf(self._peer))
        transport.startReading()
        self._sendRest(tls)
        tls.decrypted(memoryview(octets))
        inside = tls.wrappedProtocol
        if isinstance(inside, UpgradeableProtocol) and until is not None:
            inside.hurry(until)
        return tls

    def _joined(self, closed: bool = False) -> TLSTransport:
        """
        Leave both connections to a forward.

        @param closed: whether close_notify is sent to the client already.
        """
        path, back = self._path, self._back
        path.reactor.removeReader(back)
        transport = self._transport()
        engine = self._engine()
        engine.closed = closed
        tls: TLSTransport = path.tls.adopt(transport, engine, None, addressOf(self._peer))
        forward: Any = path.forward.buildProtocol(None)
        tls.adopted(forward)
        self._back = None  # which knows this
        back.after = below = path.endpoint.transport(back.sock, None)
        forward.adopt(tls, below, self._ended)
        if back.reset:
            endInLoss(below)
        transport.startReading()
        self._sendRest(tls)
        tls.sendRest()
        return tls
