"""
Connecting to an address that needs no looking up, with as little as that takes.

L{directly} turns those of Twisted's client endpoints whose address is known into a L{SocketEndpoint}, which
connects a L{StreamSocket<xtls.wire.sockets.StreamSocket>} without a connector, a wrapper around the protocol,
and mostly without waiting: on one machine a connection is there as soon as it was asked for.
"""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectingCancelledError, NoProtocol, TimeoutError, getConnectError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorFDSet,
    IStreamClientEndpoint,
    IWriteDescriptor,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from xtls.wire.deadlines import deadlinesOf
from xtls.wire.sockets import StreamSocket, addressOf

__all__ = ["SocketEndpoint", "directly"]

#: The name of this machine for itself, which nobody needs to ask for (RFC 6761, section 6.3).
_LOCALHOST: Final = {"localhost": "127.0.0.1"}

_NONBLOCKING: Final = getattr(socket, "SOCK_NONBLOCK", 0)

_THERE: Final = frozenset({0, errno.EISCONN})
_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK})


def directly(endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
    """
    Take the shorter way to where an endpoint leads, if there is one.

    @return: a L{SocketEndpoint}; or the endpoint itself, where its address must be looked up first, where it
        is to be connected from a certain address, or where it is none of Twisted's.
    """
    known = vars(endpoint) if hasattr(endpoint, "__dict__") else {}
    reactor, timeout = known.get("_reactor"), known.get("_timeout")
    if not IReactorFDSet.providedBy(reactor) or timeout is None or known.get("_bindAddress"):
        return endpoint
    if type(endpoint) in (TCP4ClientEndpoint, TCP6ClientEndpoint):
        host, port = known.get("_host"), known.get("_port")
        if isinstance(host, str) and isinstance(port, int):
            host = _LOCALHOST.get(host, host) if type(endpoint) is TCP4ClientEndpoint else host
            if not 0 < port < 65536:
                return endpoint
            if isIPAddress(host):
                return SocketEndpoint(reactor, socket.AF_INET, (host, port), timeout)
            if isIPv6Address(host) and "%" not in host:
                return SocketEndpoint(reactor, socket.AF_INET6, (host, port, 0, 0), timeout)
    elif type(endpoint) is UNIXClientEndpoint and not known.get("_checkPID"):
        path = known.get("_path")
        if isinstance(path, str | bytes):
            return SocketEndpoint(reactor, socket.AF_UNIX, path, timeout)
    return endpoint


@implementer(IStreamClientEndpoint)
class SocketEndpoint:
    """
    Connects to an address.

    @ivar near: whether the address is on this machine.
    """

    def __init__(self, reactor: Any, family: int, address: Any, timeout: float) -> None:
        """
        @param family: of addresses, such as C{AF_INET}.
        @param address: as the system has it.
        @param timeout: seconds for a connection.
        """
        self.reactor = reactor
        self.timeout = timeout
        self._family = family
        self._address = address
        self._destination = addressOf(address)
        self.near = family == socket.AF_UNIX or ip_address(address[0]).is_loopback

    def __repr__(self) -> str:
        """
        For people.
        """
        return f"<{type(self).__name__} {self._address!r}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        @return: fires with the protocol when it is connected, which it may be already.
        """
        try:
            sock, result = self._begin()
        except OSError as e:
            why: Exception = getConnectError(e)
            return fail(Failure(why))
        protocolFactory.doStart()
        if result in _THERE:
            return self.connected(sock, protocolFactory)
        attempt = _Attempt(self, sock, protocolFactory)
        if result in _UNDER_WAY and not (result == errno.EAGAIN and self._family == socket.AF_UNIX):
            attempt.wait()
        else:
            attempt.fail(Failure(_why(result)))
        return attempt.result

    def socketAtOnce(self) -> socket.socket | None:
        """
        Connect a socket, if that takes no waiting, as it mostly does on one machine.

        @return: the socket; or L{None}, and nothing has happened.
        """
        if not self.near:
            return None
        try:
            sock, result = self._begin()
        except OSError:
            return None
        if result not in _THERE:
            sock.close()
            return None
        return sock

    def transport(self, sock: socket.socket, protocol: Any) -> StreamSocket:
        """
        The transport of a socket that L{socketAtOnce} has connected.  Nothing is read before C{startReading}.
        """
        return _ClientSocket(sock, self._address, self.reactor, protocol)

    def connectAtOnce(self, protocol: Any) -> bool:
        """
        Connect a protocol, if that takes no waiting.

        @return: whether it is connected; if not, nothing has happened.
        """
        sock = self.socketAtOnce()
        if sock is None:
            return False
        transport = self.transport(sock, protocol)
        transport.startReading()
        protocol.makeConnection(transport)
        return True

    def _begin(self) -> tuple[socket.socket, int]:
        """
        Ask for a connection.

        @return: how far that got, too: a code of C{connect}.
        @raise OSError: if there can be no socket.
        """
        sock = socket.socket(self._family, socket.SOCK_STREAM | _NONBLOCKING)
        if not _NONBLOCKING:
            sock.setblocking(False)
        if self._family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        try:
            result = sock.connect_ex(self._address)
            if result == errno.EINPROGRESS and self.near:
                result = sock.connect_ex(self._address)  # it mostly is complete by now
        except OSError:  # the address cannot be one, such as a path that is too long
            sock.close()
            raise
        return sock, result

    def connected(self, sock: socket.socket, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        A socket is connected.
        """
        try:
            protocol: Any = factory.buildProtocol(self._destination)
            if protocol is None:
                raise NoProtocol()
        except Exception:
            sock.close()
            factory.doStop()
            return fail(Failure())
        transport = _ClientSocket(sock, self._address, self.reactor, protocol)
        transport.factory = factory
        transport.startReading()
        try:
            protocol.makeConnection(transport)
        except Exception:
            failure = Failure()
            transport.connectionLost(failure)
            return fail(failure)
        return succeed(protocol)

    def cancelled(self) -> Failure:
        """
        Nobody wants a connection any more.
        """
        return Failure(ConnectingCancelledError(self._destination))


def _why(code: int) -> Exception:
    """
    Why there is no connection, as Twisted's own endpoints say it.
    """
    why: Exception = getConnectError((code, os.strerror(code)))
    return why


def _abort(protocol: Any) -> None:
    """
    Nobody wants a connection that is there already.
    """
    protocol.transport.abortConnection()


class _ClientSocket(StreamSocket):
    """
    A socket that has connected.

    @ivar factory: what its protocol was built by, if it was built for this.
    """

    factory: IProtocolFactory | None = None
    sendsAtOnce = True
    _tlsClientDefault = True

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        factory, self.factory = self.factory, None
        try:
            super().connectionLost(reason)
        finally:
            if factory is not None:
                factory.doStop()


@implementer(IWriteDescriptor)
class _Attempt:
    """
    A connection that takes its time.

    @ivar result: fires with the protocol.
    """

    def __init__(self, endpoint: SocketEndpoint, sock: socket.socket, factory: IProtocolFactory) -> None:
        self.result: Deferred[IProtocol] = Deferred(self._cancel)
        self._endpoint = endpoint
        self._socket = sock
        self._factory = factory
        self._deadline: Any = None
        self._there = False

    def wait(self) -> None:
        """
        The reactor says when there is something to know.
        """
        reactor = self._endpoint.reactor
        reactor.addWriter(self)
        self._deadline = deadlinesOf(reactor).within(self._endpoint.timeout, self._tooSlow)

    def fileno(self) -> int:
        """
        The socket's descriptor.
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        What Twisted's old log says.
        """
        return type(self._factory).__name__

    def doWrite(self) -> None:
        """
        There is a connection, or there never will be.
        """
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.fail(Failure(_why(code)))
            return
        self._leave()
        self._there = True
        connected = self._endpoint.connected(self._socket, self._factory)
        if self.result.called:  # whoever was just connected has cancelled it
            connected.addCallbacks(_abort, lambda _: None)
        else:
            connected.chainDeferred(self.result)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor has found the descriptor unusable, or ends.
        """
        if self._socket.fileno() != -1:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.fail(Failure(_why(code)) if code else reason)

    def fail(self, failure: Failure) -> None:
        """
        There is no connection.
        """
        self._leave()
        self._socket.close()
        self._factory.doStop()
        self.result.errback(failure)

    def _leave(self) -> None:
        """
        There is nothing to wait for any more.
        """
        if self._deadline is not None:
            self._deadline.cancel()
            self._endpoint.reactor.removeWriter(self)

    def _tooSlow(self) -> None:
        """
        It took too long.
        """
        self.fail(Failure(TimeoutError()))

    def _cancel(self, result: Deferred[IProtocol]) -> None:
        """
        Nobody waits for it any more.
        """
        if not self._there:
            self.fail(self._endpoint.cancelled())
