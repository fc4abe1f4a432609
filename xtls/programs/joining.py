"""
A connection joined to standard input and output, until its peer closes it.

At the end of input the connection is half closed, and what the peer still sends is written.  When the peer
has ended its direction, input goes on for as long as it keeps flowing, and then the connection is closed: a
program that waits at a pipe for more input does not hold on to a connection on which nobody answers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.errors import XTLSError
from xtls.programs.standardio import Input, Output
from xtls.programs.statuses import ExitStatus, statusOf
from xtls.wire.inflow import receiveDirectly, receiveNoMore
from xtls.wire.outflow import IBufferProtocol, Outflow

__all__ = ["JoinProtocol", "Joined"]

#: Seconds without input after which a connection is closed whose peer has ended already.
LINGER: Final = 0.5


@dataclass(frozen=True)
class Joined:
    """
    How a join ended.

    @ivar status: the exit status.
    @ivar problem: what went wrong, one sentence; empty if nothing did.
    """

    status: ExitStatus = ExitStatus.OK
    problem: str = ""


@implementer(IHalfCloseableProtocol, IBufferProtocol)
class JoinProtocol(Protocol):
    """
    The connection's end of the join.

    @ivar ended: fires with a L{Joined} when the connection is lost and all that it brought is written.
        Cancelling it aborts the connection.
    """

    transport: Any

    def __init__(self, reactor: Any, closeTimeout: float, descriptors: tuple[int, int] = (0, 1)) -> None:
        """
        @param reactor: provides L{IReactorFDSet} and L{IReactorTime}.
        @param closeTimeout: seconds for a close, after which the connection is aborted.
        @param descriptors: where input comes from, and where output goes.
        """
        self.ended: Deferred[Joined] = Deferred(self._cancel)
        self._reactor = reactor
        self._closeTimeout = closeTimeout
        self._descriptors = descriptors
        self._timer: IDelayedCall | None = None
        self._peerEnded = False
        self._outputFinishing = False
        self._outputFinished = False
        self._reason: Failure | None = None

    def connectionMade(self) -> None:
        """
        Join.
        """
        source, sink = self._descriptors
        transport = self.transport
        self._terminal = os.isatty(source)
        self._input = Input(self._reactor, source, self._inputReceived, self._inputEnded)
        self._output = Output(
            self._reactor,
            sink,
            transport.pauseProducing,
            transport.resumeProducing,
            transport.abortConnection,
        )
        self._outflow = Outflow(transport, self._input.pauseProducing, self._input.resumeProducing)
        receiveDirectly(transport, self._output.write)
        if not self._outflow.paused:
            self._input.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        The peer says something.
        """
        self._output.write(data)

    def bufferReceived(self, view: memoryview) -> None:
        """
        The peer says something; C{view} is valid during this call.
        """
        self._output.write(view)

    def readConnectionLost(self) -> None:
        """
        The peer says no more.  It may still read.
        """
        self._peerEnded = True
        self._finishOutput()
        if self._input.ended or self._terminal:
            self._close()
        else:
            self._within(LINGER, self._idle)

    def writeConnectionLost(self) -> None:
        """
        The half close that was asked for is done.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone: write what it has brought, then say how it was.
        """
        self._cancelTimer()
        self._reason = reason
        self._input.stopProducing()
        self._outflow.close()
        receiveNoMore(self.transport)
        self._finishOutput()
        self._say()

    # Our direction.

    def _inputReceived(self, data: bytes) -> None:
        """
        There is input.
        """
        if self._peerEnded:
            self._within(LINGER, self._idle)
        self._outflow.write(data)

    def _inputEnded(self) -> None:
        """
        There is no more input.
        """
        if self._peerEnded:
            self._close()
        else:
            self._outflow.whenDrained(self._halfClose)

    def _halfClose(self) -> None:
        """
        Tell the peer that there is no more input.
        """
        self._outflow.close()
        self.transport.loseWriteConnection()

    def _idle(self) -> None:
        """
        The peer has ended, and for a while there was no input.
        """
        if self._outflow.paused:  # there may be input: the peer does not take what it got so far
            self._within(LINGER, self._idle)
        else:
            self._close()

    def _close(self) -> None:
        """
        Both directions have ended: close, when what there was of input is sent.
        """
        self._input.stopProducing()
        self._within(self._closeTimeout, self.transport.abortConnection)
        self._outflow.whenDrained(self._lose)

    def _lose(self) -> None:
        """
        All is sent.
        """
        self._outflow.close()
        self.transport.loseConnection()

    # The end.

    def _finishOutput(self) -> None:
        """
        All that the peer said is with the output.
        """
        if not self._outputFinishing:
            self._outputFinishing = True
            self._output.finish(self._written)

    def _written(self) -> None:
        """
        All that the peer said is written, or never can be.
        """
        self._outputFinished = True
        self._say()

    def _say(self) -> None:
        """
        When the connection is gone and its octets are written, that is the end.
        """
        if self._reason is not None and self._outputFinished and not self.ended.called:
            self.ended.callback(self._judge(self._reason))

    def _judge(self, reason: Failure) -> Joined:
        """
        How it was.
        """
        if self._output.error is not None:
            return Joined(ExitStatus.CONNECTION_LOST, f"standard output: {self._output.error.strerror}")
        if self._output.broken or reason.check(ConnectionDone):
            return Joined()
        if reason.check(XTLSError):
            return Joined(statusOf(reason.value), reason.getErrorMessage())
        if self._peerEnded:
            problem = "the peer closed the connection before it had taken all of the input"
        else:
            problem = f"the connection was lost: {reason.getErrorMessage()}"
        return Joined(ExitStatus.CONNECTION_LOST, problem)

    def _cancel(self, ended: Deferred[Joined]) -> None:
        """
        Nobody wants the join any more.
        """
        if self.transport is not None:
            self._output.restore()
            self._input.stopProducing()
            self.transport.abortConnection()

    def _within(self, seconds: float, call: Any) -> None:
        """
        Have something done if nothing else happens before.
        """
        self._cancelTimer()
        self._timer = self._reactor.callLater(seconds, call)

    def _cancelTimer(self) -> None:
        """
        Something else has happened.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
