"""
OpenSSL contexts from options, and the connection creators that Twisted calls contextFactory.

The only place that makes contexts.  A creator has one context (a server, one for each certificate), made
when the creator is, so that every mistake in the options shows before the first connection.

The creators work under xtls's own transport, and under Twisted's (C{listenSSL}, C{connectSSL},
C{wrapClientTLS}, autobahn's C{contextFactory}).  They need nothing of either: whom to believe is decided in
OpenSSL's verify callback, before the handshake ends, so that a peer who is refused gets an alert and not one
octet of the application.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from xtls.config.options import Side, TLSOptions, VerifyMode, optionNamed
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.certificates import KeyPair
from xtls.trust.keypairs import clientKeyPair, serverKeyPairs
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.sentences import called
from xtls.trust.sni import NameTable
from xtls.trust.verification import Policy
from xtls.trust.verifier import Verifier, introduce, refusalOf

__all__ = ["DEFAULT_CIPHERS", "ClientConnectionCreator", "ServerConnectionCreator", "refusalOf"]

_log = Logger()

#: The suites of TLS 1.2 (RFC 9325, section 4.2): ephemeral keys and authenticated encryption.
DEFAULT_CIPHERS: Final = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for signature in ("ECDSA", "RSA")
)

#: What no list of suites may bring in, in OpenSSL's words: suites in which no certificate is shown, or which
#: do not encrypt.
_NEVER: Final = "!aNULL:!eNULL:!PSK:!SRP"

#: SSL_MODE_NO_AUTO_CHAIN (openssl/ssl.h): send the chain of the file, and never one made up of trust anchors.
_NO_AUTO_CHAIN: Final = 0x8

#: Within which a session may be resumed (without one, OpenSSL resumes none that has a client certificate).
#: Tickets are bound to their context anyway, by its keys.
_SESSION_ID: Final = b"xtls"

#: How long a session may be resumed, in seconds.
_SESSION_LIFETIME: Final = 3600


def _newContext(options: TLSOptions, method: int, pair: KeyPair | None, alpn: Sequence[bytes]) -> SSL.Context:
    """
    Make a context: all but whom it believes.

    @param pair: the certificate that it shows, if any.
    """
    context = SSL.Context(method)
    versions = options.versions()
    context.set_min_proto_version(int(versions.minimum))
    context.set_max_proto_version(int(versions.maximum))
    flags = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION
    if "NO_TICKET" in options.options:
        flags |= SSL.OP_NO_TICKET
    if "CIPHER_SERVER_PREFERENCE" in options.options:
        flags |= SSL.OP_CIPHER_SERVER_PREFERENCE
    context.set_options(flags)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS | _NO_AUTO_CHAIN)
    try:
        context.set_cipher_list(f"{options.ciphers or DEFAULT_CIPHERS}:{_NEVER}".encode("ascii"))
    except SSL.Error as e:
        raise options.error("ciphers", f"OpenSSL knows no such suites ({_reason(e)})") from None
    if pair is not None:
        _show(context, pair, options)
    if alpn and method == SSL.TLS_CLIENT_METHOD:
        context.set_alpn_protos(list(alpn))
    elif alpn:
        context.set_alpn_select_callback(_protocolChooser(tuple(alpn)))
    return context


def _reason(error: SSL.Error) -> str:
    """
    What OpenSSL says is wrong.
    """
    queue = error.args[0] if error.args else None
    return str(queue[-1][-1]) if queue else "without a reason"


def _show(context: SSL.Context, pair: KeyPair, options: TLSOptions) -> None:
    """
    Have a context show a certificate, with its whole chain.
    """
    try:
        context.use_certificate(pair.certificate)
        context.use_privatekey(pair.key)
        context.check_privatekey()
        for each in pair.chain:
            context.add_extra_chain_cert(each)
    except SSL.Error as e:
        subject = called(pair.certificate.subject)
        raise options.error("cert", f"OpenSSL does not take that of {subject}: {_reason(e)}") from None


def _protocolChooser(spoken: tuple[bytes, ...]) -> Callable[[SSL.Connection, list[bytes]], bytes]:
    """
    Make the callback that chooses an application protocol (RFC 7301, section 3.2).
    """

    def choose(connection: SSL.Connection, offered: list[bytes]) -> bytes:
        for each in spoken:
            if each in offered:
                return each
        # pyOpenSSL raises this out of do_handshake, after the alert is written: there is no other way to it
        raise SSL.Error([("SSL routines", "", "no application protocol")])

    return choose


def _believe(context: SSL.Context, anchors: TrustAnchors, options: TLSOptions) -> None:
    """
    Have a context believe the anchors, and nobody else.
    """
    flags = ssl.VERIFY_X509_TRUSTED_FIRST
    for name in options.verifyFlags:
        flags |= getattr(ssl, f"VERIFY_{name}")
    if anchors.certificates:
        # what the user named is believed, be it a root or not: an intermediate, or the very certificate
        flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if anchors.revocations:
        flags |= ssl.VERIFY_CRL_CHECK_LEAF
    elif flags & ssl.VERIFY_CRL_CHECK_LEAF and not anchors.system:
        raise options.error("verifyFlags", "there is no revocation list among the CAs that were named")
    # a context that was just made has one
    store = cast("X509Store", context.get_cert_store())
    store.set_flags(flags)
    for certificate in anchors.certificates:
        store.add_cert(X509.from_cryptography(certificate))
    for revocations in anchors.revocations:
        store.add_crl(revocations)
    try:
        for path in anchors.files:
            context.load_verify_locations(path)
        for path in anchors.directories:
            context.load_verify_locations(None, path)
    except SSL.Error as e:
        raise options.error("caCerts", f"the system's certificates cannot be read ({_reason(e)})") from None


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


@implementer(IOpenSSLClientConnectionCreator)
class ClientConnectionCreator:
    """
    Makes the TLS connections of a client to one server.
    """

    def __init__(
        self, context: SSL.Context, serverName: bytes | None, warning: _Warning | None = None
    ) -> None:
        """
        @param context: what the connections have in common.
        @param serverName: the name to ask the server for, if any (RFC 6066, section 3).
        @param warning: what to log with each connection, if there is anything to warn of.
        """
        self._context = context
        self._serverName = serverName
        self._warning = warning

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
        verified = options.serverVerifyMode is not VerifyMode.NONE
        reference = _reference(options, host, required=verified and options.checkHostname)
        context = _newContext(options, SSL.TLS_CLIENT_METHOD, clientKeyPair(options), alpn)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        warning = None
        if verified:
            anchors = trustAnchors(options, Side.CLIENT)
            _believe(context, anchors, options)
            # a server always presents a certificate: where it is optional, it is as good as required
            policy = Policy(reference if options.checkHostname else None, anchors.given)
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, Verifier(policy))
            if anchors.system and not options.checkHostname:
                warning = _Warning(_ANYBODY, host, options, "checkHostname")
        else:
            context.set_verify(SSL.VERIFY_NONE, None)
            warning = _Warning(_UNVERIFIED, host, options, "serverVerifyMode")
        return cls(context, None if reference is None else reference.serverName, warning)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make a connection.

        @param tlsProtocol: the transport that will drive it.
        """
        connection = SSL.Connection(self._context, None)
        introduce(connection, tlsProtocol)
        connection.set_connect_state()
        if self._serverName is not None:
            connection.set_tlsext_host_name(self._serverName)
        if self._warning is not None:
            self._warning.give()
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


@implementer(IOpenSSLServerConnectionCreator)
class ServerConnectionCreator:
    """
    Makes the TLS connections of a server.
    """

    def __init__(self, context: SSL.Context) -> None:
        """
        @param context: that of the first certificate, with which every connection begins.
        """
        self._context = context

    @classmethod
    def fromOptions(cls, options: TLSOptions, alpn: Sequence[bytes] = ()) -> ServerConnectionCreator:
        """
        Make a creator of what the user said.

        @param alpn: the application protocols that are spoken here, the best first; a client that offers
            only others is refused (RFC 7301, section 3.2).  Without any, its offer is not looked at.
        @raise OptionError: if the options cannot be used.
        """
        anchors, mode = _clientVerification(options)
        verifier = Verifier(Policy(use="a client")) if mode else None
        entries: list[tuple[x509.Certificate, SSL.Context]] = []
        for pair in serverKeyPairs(options):
            context = _newContext(options, SSL.TLS_SERVER_METHOD, pair, alpn)
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            context.set_session_id(_SESSION_ID)
            context.set_timeout(_SESSION_LIFETIME)
            context.set_verify(mode, verifier)
            if mode:
                # a resumption shows no certificate, and under TLS 1.3 brings a ticket for the next one
                context.set_options(SSL.OP_NO_TICKET)
                _believe(context, anchors, options)
                for each in anchors.certificates:
                    context.add_client_ca(each)
            entries.append((pair.certificate, context))
        first = entries[0][1]
        if len(entries) > 1:
            first.set_tlsext_servername_callback(_contextChooser(NameTable(entries), mode, verifier))
        return cls(first)

    @property
    def certificateRequired(self) -> bool:
        """
        Whether a client must show a certificate.
        """
        return bool(self._context.get_verify_mode() & SSL.VERIFY_FAIL_IF_NO_PEER_CERT)

    @property
    def certificateAsked(self) -> bool:
        """
        Whether a client is asked for a certificate.
        """
        return self._context.get_verify_mode() != SSL.VERIFY_NONE

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make a connection.

        @param tlsProtocol: the transport that will drive it.
        """
        connection = SSL.Connection(self._context, None)
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
