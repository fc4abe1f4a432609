"""
What C{twistd xtls} runs, in a process that tells what it holds: C{python -m tests.support.watched OPTIONS}.

Whoever connects to the port that it prints first gets one line of JSON, L{facts}.  It logs to standard
output.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections import Counter
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor as _reactor  # noqa: TID253
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogBeginner, textFileLogObserver

from xtls.programs.service import Options, makeService

reactor: Any = _reactor


def facts() -> dict[str, Any]:
    """
    How many timers are set, how many files and sockets are open, and how many objects there are that belong
    to connections.
    """
    gc.collect()
    kinds = (Protocol, tcp.Connection, SSL.Connection, Deferred)
    objects = Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))
    descriptors = len(os.listdir("/dev/fd"))
    return {"timers": len(reactor.getDelayedCalls()), "descriptors": descriptors, "objects": objects}


class Facts(Protocol):
    """
    Tells them, and closes.
    """

    def connectionMade(self) -> None:
        """
        Tell.
        """
        assert self.transport is not None
        self.transport.write(json.dumps(facts(), sort_keys=True).encode("ascii") + b"\n")
        self.transport.loseConnection()


def main() -> None:
    """
    Serve until the process is ended.
    """
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    options = Options()
    options.parseOptions(sys.argv[1:])
    factory = Factory.forProtocol(Facts)
    factory.noisy = False
    control = reactor.listenTCP(0, factory, interface="127.0.0.1")
    os.write(1, f"facts at {control.getHost().port}\n".encode("ascii"))
    makeService(options, reactor).startService()
    reactor.run()


if __name__ == "__main__":
    main()
