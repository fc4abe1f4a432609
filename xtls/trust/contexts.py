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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from xtls.config.options import Side, TLSOptions, VerifyMode, optionNamed
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.keypairs import clientKeyPair, keyPairFiles
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.newcontext import Made, believe, newContext
from xtls.trust.pins import parsePin
from xtls.trust.servercontexts import ServerContexts, serverContexts
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
class _Client(Made):
    """
    What a client's connections are made of.

    @ivar serverName: the name to ask the server for, if any (RFC 6066, section 3).
    @ivar warning: what to log with each connection, if there is anything to warn of.
    """

    serverName: bytes | None
    warning: _Warning | None


def _pins(options: TLSOptions) -> frozenset[str]:
    """
    The keys that are pinned, in the form in which they are compared, whoever has written them.

    @raise OptionError: for one that is none.
    """
    try:
        return frozenset(parsePin(pin) for pin in options.pin)
    except ValueError as e:
        raise options.error("pin", str(e)) from None


def _client(options: TLSOptions, host: str, alpn: Sequence[bytes]) -> _Client:
    """
    Make what a client's connections are made of.

    @raise OptionError: if the options cannot be used.
    """
    verified = options.serverVerifyMode is not VerifyMode.NONE
    # a key that is pinned stands for the authority and the name, where no authority is named beside it
    authority = not options.pin or options.given("caCerts") or options.given("caData")
    named = options.checkHostname and authority
    reference = _reference(options, host, required=verified and named)
    pair = clientKeyPair(options)
    context = newContext(options, SSL.TLS_CLIENT_METHOD, pair, alpn)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    warning = None
    anchors = TrustAnchors()
    if verified:
        if options.crl and not authority:
            problem = (
                "nobody vouches for it, since a pinned key stands for the CAs: name the CA that signed it too"
            )
            raise options.error("crl", problem)
        anchors = trustAnchors(options, Side.CLIENT) if authority else TrustAnchors()
        believe(context, anchors, options)
        # a server always presents a certificate: where it is optional, it is as good as required
        policy = Policy(reference if named else None, anchors.given, pins=_pins(options), authority=authority)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, Verifier(policy))
        if anchors.system and not (options.checkHostname or options.pin):
            warning = _Warning(_ANYBODY, host, options, "checkHostname")
    elif options.pin:
        problem = "a key is pinned, and verification is switched off: expected one of the two"
        raise options.error("pin", problem)
    else:
        context.set_verify(SSL.VERIFY_NONE, None)
        warning = _Warning(_UNVERIFIED, host, options, "serverVerifyMode")
    files = (*keyPairFiles(options, Side.CLIENT), *anchors.paths)
    name = None if reference is None else reference.serverName
    return _Client(context, files, () if pair is None else (pair,), anchors, name, warning)


def _requireLists(options: TLSOptions, before: Iterable[TrustAnchors], after: Iterable[TrustAnchors]) -> None:
    """
    Require revocation lists where there were some: without the last one nobody would be looked up any more,
    and who is on it would be believed again.

    @raise OptionError: if there are none any more.
    """
    for old, new in zip(before, after, strict=True):
        if old.revocations and not new.revocations:
            problem = (
                "there was a revocation list beside the CAs, and is none any more; to do without, restart"
            )
            raise options.error("caCerts", problem)


class _Creator:
    """
    What creators say of what they were made of.
    """

    _made: Made

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
        made = _client(*self._said)
        _requireLists(self._said[0], (self._made.anchors,), (made.anchors,))
        self._made = made

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


@implementer(IOpenSSLServerConnectionCreator)
class ServerConnectionCreator(_Creator):
    """
    Makes the TLS connections of a server.
    """

    _made: ServerContexts

    def __init__(self, options: TLSOptions, alpn: Sequence[bytes] = ()) -> None:
        """
        See L{fromOptions}.
        """
        self._said = (options, tuple(alpn))
        self._made = serverContexts(*self._said)
        self._made.warn()

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
        made = serverContexts(*self._said)
        before, after = self._made.policies, made.policies
        _requireLists(
            self._said[0],
            (policy.anchors for policy in before.values()),
            (after[name].anchors for name in before),
        )
        self._made = made

    @property
    def certificateRequired(self) -> bool:
        """
        Whether a client must show a certificate, whatever name it asks for, or under some name.
        """
        return self._made.required

    @property
    def certificateAsked(self) -> bool:
        """
        Whether a client is asked for a certificate, whatever name it asks for, or under some name.
        """
        return self._made.asked

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make a connection.

        @param tlsProtocol: the transport that will drive it.
        """
        connection = self._made.begin()
        introduce(connection, tlsProtocol)
        connection.set_accept_state()
        return connection
