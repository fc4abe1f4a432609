"""
The connection creators that Twisted calls contextFactory.

A creator has one context (a server, one for each certificate), made when the creator is, so that every
mistake in the options shows before the first connection.  L{reload<ServerConnectionCreator.reload>} makes
them anew of the same options, whose files may say something else by now: what is new is taken in one step, or
not at all.

The creators work under xtls's own transport, and under Twisted's (C{listenSSL}, C{connectSSL},
C{wrapClientTLS}, autobahn's C{contextFactory}).  They need nothing of either: whom to believe is decided in
OpenSSL's verify callback, before the handshake ends, so that a peer who is refused gets an alert and not one
octet of the application.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from xtls.config.options import Side, TLSOptions, VerifyMode, optionNamed
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.certificates import KeyPair
from xtls.trust.keypairs import clientKeyPair, keyPairFiles, serverKeyPairs
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.newcontext import believe, newContext, serverContext
from xtls.trust.sni import NameTable
from xtls.trust.verification import Policy
from xtls.trust.verifier import Verifier, introduce, refusalOf

__all__ = ["ClientConnectionCreator", "ServerConnectionCreator", "refusalOf"]

_log = Logger()


def _reference(options: TLSOptions, host: str, required: bool) -> ReferenceIdentifier | None:
    """
    Who the server must be, as the user named it.

    @param required: whether there must be a name that can be checked.
    """
    try:
        return ReferenceIdentifier.of(options.serverHostname or host)
    except ValueError as e:
        if required:
            raise options.error("serverHostname", f"{e}: expected the name that the server goes by") from None
        return None


_UNVERIFIED: Final = (
    "the server {host} is not verified, as {option} says ({source}):"
    " whoever is in between can read and change everything"
)
_ANYBODY: Final = (
    "the server {host} may be anybody who has a certificate, since its name is not looked at,"
    " as {option} says ({source})"
)


@dataclass(frozen=True)
class _Warning:
    """
    What a user should be told with each connection, whatever they have said.

    @ivar message: the words.
    @ivar host: the server.
    @ivar options: what the user said.
    @ivar attribute: where they said it.
    """

    message: str
    host: str
    options: TLSOptions
    attribute: str

    def give(self) -> None:
        """
        Log it.
        """
        name = optionNamed(TLSOptions, self.attribute).name
        _log.warn(self.message, host=self.host, option=name, source=self.options.source(self.attribute))


@dataclass(frozen=True)
class _Made:
    """
    What connections are made of.

    @ivar context: what they have in common; for a server, that of the first certificate, with which every
        connection begins.
    @ivar files: what all this was read from.
    @ivar pairs: what is shown, the first one first.
    @ivar anchors: who is believed.
    """

    context: SSL.Context
    files: tuple[str, ...]
    pairs: tuple[KeyPair, ...]
    anchors: TrustAnchors


@dataclass(frozen=True)
class _Client(_Made):
    """
    What a client's connections are made of.

    @ivar serverName: the name to ask the server for, if any (RFC 6066, section 3).
    @ivar warning: what to log with each connection, if there is anything to warn of.
    """

    serverName: bytes | None
    warning: _Warning | None


def _client(options: TLSOptions, host: str, alpn: Sequence[bytes]) -> _Client:
    """
    Make what a client's connections are made of.

    @raise OptionError: if the options cannot be used.
    """
    verified = options.serverVerifyMode is not VerifyMode.NONE
    reference = _reference(options, host, required=verified and options.checkHostname)
    pair = clientKeyPair(options)
    context = newContext(options, SSL.TLS_CLIENT_METHOD, pair, alpn)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    warning = None
    anchors = TrustAnchors()
    if verified:
        anchors = trustAnchors(options, Side.CLIENT)
        believe(context, anchors, options)
        # a server always presents a certificate: where it is optional, it is as good as required
        policy = Policy(reference if options.checkHostname else None, anchors.given)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, Verifier(policy))
        if anchors.system and not options.checkHostname:
            warning = _Warning(_ANYBODY, host, options, "checkHostname")
    else:
        context.set_verify(SSL.VERIFY_NONE, None)
        warning = _Warning(_UNVERIFIED, host, options, "serverVerifyMode")
    files = (*keyPairFiles(options, Side.CLIENT), *anchors.paths)
    name = None if reference is None else reference.serverName
    return _Client(context, files, () if pair is None else (pair,), anchors, name, warning)


class _Creator:
    """
    What creators say of what they were made of.
    """

    _made: _Made

    @property
    def files(self) -> tuple[str, ...]:
        """
        The files and directories that were read.
        """
        return self._made.files

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """
        The certificates that are shown, that of who asks for no name first.
        """
        return tuple(pair.certificate for pair in self._made.pairs)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """
        The other certificates that are sent with them.
        """
        return tuple(dict.fromkeys(each for pair in self._made.pairs for each in pair.chain))

    @property
    def anchors(self) -> TrustAnchors:
        """
        Whom it believes.
        """
        return self._made.anchors


@implementer(IOpenSSLClientConnectionCreator)
class ClientConnectionCreator(_Creator):
    """
    Makes the TLS connections of a client to one server.
    """

    _made: _Client

    def __init__(self, options: TLSOptions, host: str, alpn: Sequence[bytes] = ()) -> None:
        """
        See L{fromOptions}.
        """
        self._said = (options, host, tuple(alpn))
        self._made = _client(*self._said)

    @classmethod
    def fromOptions(
        cls, options: TLSOptions, host: str, alpn: Sequence[bytes] = ()
    ) -> ClientConnectionCreator:
        """
        Make a creator of what the user said.

        @param host: the server, as the user named it; C{serverHostname} of the options comes first.
        @param alpn: application protocols to offer (RFC 7301).
        @raise OptionError: if the options cannot be used.
        """
        return cls(options, host, alpn)

    def reload(self) -> None:
        """
        Read everything again, for the connections that are made from now on.

        @raise OptionError: if it cannot be used any more; then all is as before.
        """
        self._made = _client(*self._said)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make a connection.

        @param tlsProtocol: the transport that will drive it.
        """
        made = self._made
        connection = SSL.Connection(made.context, None)
        introduce(connection, tlsProtocol)
        connection.set_connect_state()
        if made.serverName is not None:
            connection.set_tlsext_host_name(made.serverName)
        if made.warning is not None:
            made.warning.give()
        return connection


def _clientVerification(options: TLSOptions) -> tuple[TrustAnchors, int]:
    """
    Whether a server asks for certificates of its clients, and whom it believes about them.

    @return: the anchors, and OpenSSL's verify mode.
    """
    mode = options.clientVerifyMode
    if mode is VerifyMode.NONE:
        return TrustAnchors(), SSL.VERIFY_NONE
    anchors = trustAnchors(options, Side.SERVER)
    if not anchors.certificates:
        if mode is None:
            if any(name.startswith("CRL_") for name in options.verifyFlags):
                problem = "clients show no certificate that could be revoked; name a file of CAs for them"
                raise options.error("verifyFlags", problem)
            return anchors, SSL.VERIFY_NONE
        raise options.error(
            "clientVerifyMode",
            f"{mode.value}: no CA is named for certificates of clients, and the system's are never believed"
            " for them; name a file of CAs",
        )
    if mode is VerifyMode.OPTIONAL:
        return anchors, SSL.VERIFY_PEER
    return anchors, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


@dataclass(frozen=True)
class _Server(_Made):
    """
    What a server's connections are made of.

    @ivar mode: OpenSSL's verify mode.
    """

    mode: int


def _server(options: TLSOptions, alpn: Sequence[bytes]) -> _Server:
    """
    Make what a server's connections are made of.

    @raise OptionError: if the options cannot be used.
    """
    anchors, mode = _clientVerification(options)
    verifier = Verifier(Policy(use="a client")) if mode else None
    entries: list[tuple[x509.Certificate, SSL.Context]] = []
    pairs = serverKeyPairs(options)
    for pair in pairs:
        context = serverContext(options, pair, alpn)
        context.set_verify(mode, verifier)
        if mode:
            # a resumption shows no certificate, and under TLS 1.3 brings a ticket for the next one
            context.set_options(SSL.OP_NO_TICKET)
            believe(context, anchors, options)
            for each in anchors.certificates:
                context.add_client_ca(each)
        entries.append((pair.certificate, context))
    first = entries[0][1]
    if len(entries) > 1:
        first.set_tlsext_servername_callback(_contextChooser(NameTable(entries), mode, verifier))
    files = (*keyPairFiles(options, Side.SERVER), *anchors.paths)
    return _Server(first, files, pairs, anchors, mode)


@implementer(IOpenSSLServerConnectionCreator)
class ServerConnectionCreator(_Creator):
    """
    Makes the TLS connections of a server.
    """

    _made: _Server

    def __init__(self, options: TLSOptions, alpn: Sequence[bytes] = ()) -> None:
        """
        See L{fromOptions}.
        """
        self._said = (options, tuple(alpn))
        self._made = _server(*self._said)

    @classmethod
    def fromOptions(cls, options: TLSOptions, alpn: Sequence[bytes] = ()) -> ServerConnectionCreator:
        """
        Make a creator of what the user said.

        @param alpn: the application protocols that are spoken here, the best first; a client that offers
            only others is refused (RFC 7301, section 3.2).  Without any, its offer is not looked at.
        @raise OptionError: if the options cannot be used.
        """
        return cls(options, alpn)

    def reload(self) -> None:
        """
        Read everything again, for the connections that are made from now on: those that are there go on as
        they are, and so do those that are shaking hands.

        Whether certificates are asked of clients is in the options and not in files, so no reload changes it.

        @raise OptionError: if it cannot be used any more; then all is as before.
        """
        self._made = _server(*self._said)

    @property
    def certificateRequired(self) -> bool:
        """
        Whether a client must show a certificate.
        """
        return bool(self._made.mode & SSL.VERIFY_FAIL_IF_NO_PEER_CERT)

    @property
    def certificateAsked(self) -> bool:
        """
        Whether a client is asked for a certificate.
        """
        return self._made.mode != SSL.VERIFY_NONE

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make a connection.

        @param tlsProtocol: the transport that will drive it.
        """
        connection = SSL.Connection(self._made.context, None)
        introduce(connection, tlsProtocol)
        connection.set_accept_state()
        return connection


def _contextChooser(
    table: NameTable[SSL.Context], mode: int, verifier: Verifier | None
) -> Callable[[SSL.Connection], None]:
    """
    Make the callback that chooses the context for the name that a client asks for.
    """

    def choose(connection: SSL.Connection) -> None:
        context = table.find(connection.get_servername())
        if context is not connection.get_context():
            connection.set_context(context)
            # set_context brings the certificate, the anchors and the names of the CAs, but not whether a
            # certificate of the client is asked for at all
            connection.set_verify(mode, verifier)

    return choose
