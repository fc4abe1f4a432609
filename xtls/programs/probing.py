"""
Conversations with a server that is being looked at: octets out, octets in, and no waiting without an end.

An L{Exchange} is one over a plain connection, a L{TLSExchange} one inside TLS.  Neither believes or refuses
anybody: what is presented is kept for others to judge, and so nothing may be sent here that is not for
everybody to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from xtls.config.options import TLSOptions
from xtls.trust.findings import TLSFacts
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.newcontext import newContext
from xtls.wire.engine import TLSEngine
from xtls.wire.failures import describe

__all__ = ["Exchange", "Prober", "TLSExchange"]

#: How much is taken of what a server says, in octets.
_LONGEST: Final = 65536

#: What OpenSSL calls the messages of a handshake that tell something.
_SERVER_HELLO: Final = b"read server hello"
_CERTIFICATE: Final = b"read server certificate"
_REQUEST: Final = b"read server certificate request"


class Exchange(Protocol):
    """
    One conversation.

    @ivar received: what the server has said, as far as it was taken.
    @ivar ended: why the connection has ended, or L{None} while it has not.
    """

    transport: Any

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: for what is waited.
        """
        self._clock = clock
        self.received = bytearray()
        self.ended: Failure | None = None
        self._look: Callable[[], None] = lambda: None

    def until(self, enough: Callable[[], object], seconds: float) -> Deferred[bool]:
        """
        Wait until something is so, or the connection has ended, or the time is over.

        @return: fires with whether it is so.
        """
        if enough() or self.ended is not None:
            return succeed(bool(enough()))
        waiting: Deferred[bool] = Deferred(lambda _: self._stop(timer))

        def settle() -> None:
            self._stop(timer)
            waiting.callback(bool(enough()))

        def look() -> None:
            if enough() or self.ended is not None:
                settle()

        timer = self._clock.callLater(seconds, settle)
        self._look = look
        return waiting

    def _stop(self, timer: Any) -> None:
        """
        Nobody waits any more.
        """
        self._look = lambda: None
        if timer.active():
            timer.cancel()

    def send(self, data: bytes) -> None:
        """
        Say something.
        """
        self.transport.write(data)

    def close(self) -> None:
        """
        Hang up, in order.
        """
        self.transport.loseConnection()

    def take(self, data: bytes) -> None:
        """
        The server has said something.
        """
        self.received += data
        if len(self.received) > _LONGEST:
            self.transport.abortConnection()
        self._look()

    def dataReceived(self, data: bytes) -> None:
        """
        Octets have arrived.
        """
        self.take(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection has ended.
        """
        self.ended = reason
        self._look()


class TLSExchange(Exchange):
    """
    One conversation inside TLS.

    @ivar connection: the OpenSSL connection.
    @ivar states: the states that its handshake has been through, in OpenSSL's words.
    @ivar stapled: whether an OCSP response came.
    """

    def __init__(self, clock: IReactorTime, connection: SSL.Connection) -> None:
        """
        @param connection: of a client, over memory BIOs.
        """
        super().__init__(clock)
        self.connection = connection
        self.states: set[bytes] = set()
        self.stapled = False
        self._engine = TLSEngine(connection)
        connection.set_app_data(self)

    @property
    def established(self) -> bool:
        """
        Whether the handshake is complete.
        """
        return self._engine.established

    @property
    def problem(self) -> str:
        """
        What is wrong with the connection, if OpenSSL says so.
        """
        failure = self._engine.failure
        if failure is None:
            return ""
        return describe(self.connection, failure, self._engine.established).problem

    def connectionMade(self) -> None:
        """
        Begin the handshake.
        """
        self._engine.start()
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """
        Ciphertext has arrived.
        """
        plaintext = bytes(self._engine.receive(data))  # more than fits there is more than is taken
        self._flush()
        if self._engine.failure is not None or self._engine.peerClosed:
            self.transport.loseConnection()
        self.take(plaintext)

    def send(self, data: bytes) -> None:
        """
        Say something inside.
        """
        try:
            self._engine.send(data)
        except SSL.Error:
            self.transport.loseConnection()
        self._flush()

    def close(self) -> None:
        """
        Hang up, with close_notify, without which OpenSSL would not resume the session.
        """
        self._engine.close()
        self._flush()
        super().close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection has ended.
        """
        self.connection.set_app_data(None)
        super().connectionLost(reason)

    def _flush(self) -> None:
        """
        Send what OpenSSL has to send.
        """
        while outgoing := bytes(self._engine.outgoing()):
            self.transport.write(outgoing)

    def _has(self, message: bytes) -> bool:
        """
        Whether a message of the handshake has come.
        """
        return any(state.endswith(message) for state in self.states)

    @property
    def resumed(self) -> bool:
        """
        Whether the session of another connection goes on: then no certificate is shown.
        """
        return self.established and not self._has(_CERTIFICATE)

    def facts(self) -> TLSFacts:
        """
        What the handshake has shown.
        """
        connection = self.connection
        asked = self._has(_REQUEST)
        groupName = getattr(connection, "get_group_name", None)  # since pyOpenSSL 25.1
        return TLSFacts(
            version=connection.get_protocol_version_name() if self._has(_SERVER_HELLO) else "",
            cipher=connection.get_cipher_name() or "",
            group=(groupName and self.established and groupName()) or "",
            presented=self._presented(),
            stapled=self.stapled,
            asked=asked,
            required=(True if self.problem else None) if asked else None,
            authorities=self._authorities() if asked else (),
            problem=self.problem or ("" if self.established else "the server hung up in the handshake"),
        )

    def _presented(self) -> tuple[x509.Certificate, ...]:
        """
        The certificates, as they came.
        """
        try:
            return tuple(each.to_cryptography() for each in self.connection.get_peer_cert_chain() or ())
        except Exception:  # not even that can be read, whatever it is
            return ()

    def _authorities(self) -> tuple[str, ...]:
        """
        Whose certificates a client is asked for.
        """
        return tuple(
            b",".join(value for _, value in name.get_components()[-1:]).decode("utf-8", "replace")
            for name in self.connection.get_client_ca_list()
        )


class _GivenFactory(Factory):
    """
    Builds the one exchange.
    """

    noisy = False

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def buildProtocol(self, addr: object) -> Exchange:
        """
        The exchange.
        """
        return self._exchange


class Prober:
    """
    Begins conversations with one server.
    """

    def __init__(self, clock: IReactorTime, endpoint: IStreamClientEndpoint, host: str) -> None:
        """
        @param endpoint: how to reach the server.
        @param host: its name, as the user has it.
        """
        self._clock = clock
        self._endpoint = endpoint
        try:
            self.serverName = ReferenceIdentifier.of(host).serverName
        except ValueError:
            self.serverName = None

    def plain(self) -> Deferred[Exchange]:
        """
        Begin a conversation without TLS.

        @return: fires when there is a connection; fails as the endpoint does.
        """
        return self._connect(Exchange(self._clock))

    def secure(
        self, context: Any, alpn: tuple[bytes, ...] = (), session: SSL.Session | None = None
    ) -> Deferred[TLSExchange]:
        """
        Begin a conversation inside TLS.

        @param context: one that L{contextFor} has made.
        @param alpn: what to offer (RFC 7301).
        @param session: that of an earlier conversation, to go on with.
        @return: fires when there is a connection, whose handshake has begun.
        """
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        connection.request_ocsp()
        if self.serverName is not None:
            connection.set_tlsext_host_name(self.serverName)
        if alpn:
            connection.set_alpn_protos(list(alpn))
        if session is not None:
            connection.set_session(session)
        return self._connect(TLSExchange(self._clock, connection))

    def _connect(self, exchange: Any) -> Deferred[Any]:
        """
        Connect an exchange.
        """
        return self._endpoint.connect(_GivenFactory(exchange)).addCallback(lambda _: exchange)

    @staticmethod
    def contextFor(options: TLSOptions) -> Any:
        """
        A context for conversations in which nobody is believed or refused, and no certificate is shown.
        """
        context = newContext(options, SSL.TLS_CLIENT_METHOD, None, ())
        context.set_info_callback(_noteState)
        context.set_ocsp_client_callback(_noteStaple)
        return context


def _noteState(connection: SSL.Connection, where: int, value: int) -> None:
    """
    OpenSSL tells where a handshake is.
    """
    exchange = connection.get_app_data()
    if exchange is not None:
        exchange.states.add(connection.get_state_string())


def _noteStaple(connection: SSL.Connection, response: bytes, data: object) -> bool:
    """
    OpenSSL tells whether an OCSP response has come.
    """
    exchange = connection.get_app_data()
    if exchange is not None:
        exchange.stapled = bool(response)
    return True
