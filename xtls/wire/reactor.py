"""
A reactor for many connections: Twisted's own for epoll, with a shorter way to each of them.

Twisted wraps each event of each connection in a context for its log, which costs as much as the event's
own work when messages are small.  This reactor calls C{doRead} and C{doWrite} of what is ready themselves.
What is lost is one word: lines that a protocol writes to Twisted's old log (C{twisted.python.log.msg}) say C{-}
where they said which connection they belong to.

C{twistd xtls} runs on it where there is epoll and no other reactor was asked for; C{twistd -r xtls} takes it
for any other service, and L{install} for a program of one's own.
"""

from __future__ import annotations

import errno
import sys
from select import EPOLLIN, EPOLLOUT, epoll

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log

__all__ = ["Reactor", "install"]


class Reactor(EPollReactor):
    """
    The reactor.
    """

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events, and have them handled.

        @param timeout: seconds to wait at most; L{None} to wait for an event.
        """
        selectables = self._selectables
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
        except OSError as e:
            if e.errno == errno.EINTR:
                return
            raise
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # an event before has closed it
            if event == EPOLLIN:
                try:
                    why = selectable.doRead()
                except BaseException:
                    why = sys.exc_info()[1]
                    log.err()
                if why:
                    self._disconnectSelectable(selectable, why, True)
            elif event == EPOLLOUT:
                try:
                    why = selectable.doWrite()
                except BaseException:
                    why = sys.exc_info()[1]
                    log.err()
                if why:
                    self._disconnectSelectable(selectable, why, False)
            else:
                self._doReadOrWrite(selectable, fd, event)

    doIteration = doPoll

    def forked(self) -> None:
        """
        This process is a child that C{os.fork} has made before the reactor ran: have nothing in common with the
        parent any more but the open descriptors.
        """
        readers, writers = self.getReaders(), self.getWriters()
        inherited = self._poller
        self._poller = epoll()
        self._reads.clear()
        self._writes.clear()
        self._selectables.clear()
        inherited.close()  # closes this process's descriptor only; nothing was taken out of it
        waker = self.waker
        self._internalReaders.discard(waker)
        for reader in readers:
            if reader is not waker:
                self.addReader(reader)
        for writer in writers:
            self.addWriter(writer)
        waker.connectionLost(None)
        self.installWaker()


def install() -> None:
    """
    Make this the reactor of the process.

    @raise ReactorAlreadyInstalledError<twisted.internet.error.ReactorAlreadyInstalledError>: if it has one.
    """
    installReactor(Reactor())
