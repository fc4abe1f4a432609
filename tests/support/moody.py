"""
A backend that cannot be relied on, in a process of its own: C{python -m tests.support.moody SEED}.

Most connections get an echo; some are ended at once, with or without a reset, some when the first octets have
come, some are spoken to first, and some only half.
"""

from __future__ import annotations

import os
import sys
from random import Random
from typing import Any, Final

from twisted.internet import reactor as _reactor  # noqa: TID253
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

reactor: Any = _reactor

#: How often each mood comes.
MOODS: Final = {"echo": 80, "close": 3, "reset": 3, "closeLater": 4, "resetLater": 4, "greet": 3, "half": 3}


@implementer(IHalfCloseableProtocol)
class Moody(Protocol):
    """
    One connection.
    """

    transport: Any

    def __init__(self, mood: str) -> None:
        self.mood = mood

    def connectionMade(self) -> None:
        """
        End it, or say something.
        """
        if self.mood == "close":
            self.transport.loseConnection()
        elif self.mood == "reset":
            self.transport.abortConnection()
        elif self.mood == "greet":
            self.transport.write(b"RFB 003.008\n")
        elif self.mood == "half":
            self.transport.write(b"that is all\n")
            self.transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Send it back, or not.
        """
        if self.mood == "closeLater":
            self.transport.loseConnection()
        elif self.mood == "resetLater":
            self.transport.abortConnection()
        elif self.mood != "half":
            self.transport.write(data)

    def readConnectionLost(self) -> None:
        """
        There is no more to send back.
        """
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        We have ended first.
        """


class Moods(Factory):
    """
    Builds them, in an order that the seed decides.
    """

    noisy = False

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def buildProtocol(self, addr: object) -> Moody:
        """
        One connection.
        """
        return Moody(self._random.choices(list(MOODS), list(MOODS.values()))[0])


def main(seed: str) -> None:
    """
    Serve until the process is ended.
    """
    port = reactor.listenTCP(0, Moods(int(seed)), backlog=512, interface="127.0.0.1")
    os.write(1, f"listening on {port.getHost().port}\n".encode("ascii"))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
