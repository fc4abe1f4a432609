"""
The way most connections of a forward take: TLS from its client, plain to a backend on the same machine.

In general a connection passes from one protocol to the next, each an object of its own: the port, TLS, the
port once more inside, the forward, and the backend's leg.  For a connection that is used once and closed that
costs more than its handshake.  Here both connections are one object, L{Pair<xtls.sessions.pair.Pair>}, which
does the same with straight code, as long as everything is ordinary: a whole ClientHello at once, no HTTP
inside, a backend that takes the connection at once, sockets that take what they are given, ends in order.

Whatever is not ordinary is none of its business: it then makes the objects that the general way would have by
now (L{Leaving<xtls.sessions.leaving.Leaving>}), gives them the sockets, the TLS connection and what was read,
and is gone.  So there is one definition of what happens to a connection that is refused, slow, cut short or
under pressure, and it is not here.  No octet is lost on the way: what was read is delivered there, and what
was not is still in the socket, for which the system calls again.

Only where nothing else would be done with the connection is this way taken: see L{FastPath.of}.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet

from xtls.port.detect import Detected
from xtls.port.upgradeable import UpgradeableFactory
from xtls.port.upgrades import Route
from xtls.sessions.forward import ForwardFactory
from xtls.sessions.pair import Pair
from xtls.trust.contexts import ServerConnectionCreator
from xtls.wire.connecting import SocketEndpoint
from xtls.wire.deadlines import deadlinesOf
from xtls.wire.openssl import DirectRecords
from xtls.wire.tlsfactory import TLSTransportFactory

__all__ = ["FastPath"]


class FastPath:
    """
    What the connections of one port have in common.
    """

    def __init__(
        self, reactor: Any, factory: UpgradeableFactory, tls: TLSTransportFactory, forward: ForwardFactory
    ) -> None:
        """
        See L{of}.
        """
        options = factory.port.options
        self.reactor = reactor
        self.factory = factory
        self.tls = tls
        self.forward = forward
        self.endpoint: Any = forward.endpoint
        self.within = deadlinesOf(reactor).within
        self.detectTimeout = options.detectTimeout
        self.handshakeTimeout = options.handshakeTimeout
        policy = factory.port.policy
        self.decided = policy.atOnce(secure=True) is Route.SESSION  # before any octet inside TLS
        self.decide: Callable[[Detected], Any] = lambda detected: policy.route(detected, secure=True)
        self.path = ">".join((policy.mode.value, Route.TLS.value, Route.SESSION.value))

    @classmethod
    def of(cls, reactor: Any, factory: UpgradeableFactory) -> FastPath | None:
        """
        The fast path of a port, if its connections can take one: it lets TLS in and does not ask its clients
        for certificates, the session is a forward to an address on this machine, and OpenSSL is called
        directly.

        @param reactor: what the port listens on.
        """
        port = factory.port
        tls: Any = factory.next(Route.TLS)
        session: Any = port.session
        creator: Any = port.tls
        if (
            IReactorFDSet.providedBy(reactor)
            and isinstance(tls, TLSTransportFactory)
            and tls.records in (None, DirectRecords)
            and DirectRecords.available
            and type(creator) is ServerConnectionCreator
            and not creator.certificateAsked
            and port.policy.route(Detected.TLS, secure=False) is Route.TLS
            and port.policy.atOnce(secure=True) in (None, Route.SESSION)
            and type(session) is ForwardFactory
            and isinstance(session.endpoint, SocketEndpoint)
            and session.endpoint.near
        ):
            return cls(reactor, factory, tls, session)
        return None

    def accepted(self, sock: socket.socket, peer: Any) -> None:
        """
        A client is there.

        @param peer: where it is, as the system has it.
        """
        self.reactor.addReader(Pair(self, sock, peer))
        self.factory.begun()
