"""
The session of the demonstration: it greets, and answers each line in upper case, with counts.

It shows how one came in and that octets go both ways.  Any octets may come: those that are not
ASCII come back as they are.  A line is ended by LF; of one that is longer than L{LONGEST_LINE},
each part of that length is answered as a line.

An answer is longer than its line, so a peer that sends and does not read could make much of little:
when the transport takes no more, nothing more is answered, and nothing more is read.  What is held
for one connection is then at most what was delivered in one turn, and one batch of answers.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.wire.addresses import addressName
from xtls.wire.outflow import Outflow
from xtls.wire.transport import TLSTransport
from xtls.wire.websocket import WebSocketStream

__all__ = ["LONGEST_LINE", "EchoFactory", "EchoProtocol", "howItCame"]

#: Octets of a line that are answered together.
LONGEST_LINE: Final = 4096

#: Octets of answers that are written at once: not many more than this.
_BATCH: Final = 16384


def howItCame(transport: Any) -> str:
    """
    Say in words what a connection consists of, such as C{a WebSocket inside TLSv1.3
    (TLS_AES_256_GCM_SHA384)}.

    @param transport: what a session is connected to.
    """
    layers = []
    while isinstance(transport, (TLSTransport, WebSocketStream)):
        if isinstance(transport, TLSTransport):
            layers.append(f"{transport.tlsVersion} ({transport.cipherName})")
        else:
            layers.append("a WebSocket")
        transport = transport.transport
    if layers:
        return " inside ".join(layers)
    return "a Unix socket" if isinstance(transport.getHost(), UNIXAddress) else "plain TCP"


@implementer(IHalfCloseableProtocol)
class EchoProtocol(Protocol):
    """
    One connection.

    @ivar received: octets that have come.
    @ivar sent: octets that have been answered.
    """

    transport: Any

    def __init__(self, greeting: str = "") -> None:
        """
        @param greeting: what to say first; by default, how the peer came in.
        """
        self._greeting = greeting
        self.received = 0
        self.sent = 0
        self._input = bytearray()
        self._ended = False

    def connectionMade(self) -> None:
        """
        Greet.
        """
        self._outflow = Outflow(self.transport, self._pause, self._resume)
        peer = addressName(self.transport.getPeer())
        greeting = self._greeting or f"you came in by {howItCame(self.transport)} from {peer}"
        self._write(f"xtls demo: {greeting}; each line comes back in upper case\n".encode())

    def dataReceived(self, data: bytes) -> None:
        """
        Answer what is complete.
        """
        self._input += data
        self.received += len(data)
        self._answer()

    def readConnectionLost(self) -> None:
        """
        The peer sends no more: answer the rest, and close.
        """
        self._ended = True
        self._answer()

    def writeConnectionLost(self) -> None:
        """
        Nobody asks for this.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The peer is gone.
        """
        self._outflow.close()
        self._input.clear()

    def _answer(self) -> None:
        """
        Answer lines for as long as the transport takes the answers.
        """
        while not self._outflow.paused:
            answers = self._batch()
            if answers:
                self._write(answers)
            else:
                if self._ended:
                    self._outflow.whenDrained(self._close)
                return

    def _batch(self) -> bytes:
        """
        Answer some of the lines that are there; nothing if there is none.
        """
        answers, size, start = [], 0, 0
        while size < _BATCH:
            end = self._input.find(b"\n", start, start + LONGEST_LINE + 1)
            length = LONGEST_LINE if end < 0 else end - start
            line = bytes(self._input[start : start + length])
            complete = end >= 0 or len(self._input) - start > LONGEST_LINE
            if not complete and not (self._ended and line):
                break
            start += len(line) + (end >= 0)
            counts = f" [in {self.received - len(self._input) + start}, out {self.sent + size}]\n"
            answers.append(line.removesuffix(b"\r").upper() + counts.encode("ascii"))
            size += len(answers[-1])
        del self._input[:start]
        return b"".join(answers)

    def _write(self, data: bytes) -> None:
        """
        Send, and count.
        """
        self.sent += len(data)
        self._outflow.write(data)

    def _pause(self) -> None:
        """
        The transport takes no more answers: read no more lines.
        """
        self.transport.pauseProducing()

    def _resume(self) -> None:
        """
        The transport takes answers again: first those to the lines that are here already.
        """
        self._answer()
        if not (self._ended or self._outflow.paused):
            self.transport.resumeProducing()

    def _close(self) -> None:
        """
        Everything is answered.
        """
        self._outflow.close()
        self.transport.loseConnection()


class EchoFactory(Factory):
    """
    The session for any number of connections.
    """

    noisy = False

    def __init__(self, greeting: str = "") -> None:
        """
        @param greeting: what to say first; by default, how each peer came in.
        """
        self._greeting = greeting

    def buildProtocol(self, addr: IAddress | None) -> EchoProtocol:
        """
        The session of one connection.
        """
        return EchoProtocol(self._greeting)
