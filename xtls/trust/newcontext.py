"""
Contexts of OpenSSL, made from options: the versions, suites and certificate, and whom they believe.

The only place that makes contexts.  Whatever is wrong with the options is an error here, before anything
connects.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store
from twisted.logger import Logger

from xtls.config.options import TLSOptions
from xtls.trust.anchors import TrustAnchors
from xtls.trust.certificates import KeyPair
from xtls.trust.sentences import subjectCalled

__all__ = ["DEFAULT_CIPHERS", "Made", "believe", "newContext", "serverContext"]

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

#: 112 bits of strength for keys and signatures, as Python's ssl asks for too.  It is the default of OpenSSL
#: since 3.2; that of 3.0 takes RSA keys of 1024 bits.
_LEVEL: Final = ":@SECLEVEL=2"

#: SSL_MODE_NO_AUTO_CHAIN (openssl/ssl.h): send the chain of the file, and never one made up of trust anchors.
_NO_AUTO_CHAIN: Final = 0x8

#: Within which a session may be resumed (without one, OpenSSL resumes none that has a client certificate).
#: Tickets are bound to their context anyway, by its keys.
_SESSION_ID: Final = b"xtls"

#: How long a session may be resumed, in seconds.
_SESSION_LIFETIME: Final = 3600


@dataclass(frozen=True)
class Made:
    """
    What connections are made of.

    @ivar context: what they have in common; for a server, that with which every connection begins.
    @ivar files: what all this was read from.
    @ivar pairs: what is shown, the first one first.
    @ivar anchors: who is believed.
    """

    context: SSL.Context
    files: tuple[str, ...]
    pairs: tuple[KeyPair, ...]
    anchors: TrustAnchors


def newContext(options: TLSOptions, method: int, pair: KeyPair | None, alpn: Sequence[bytes]) -> SSL.Context:
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
        named = options.ciphers or DEFAULT_CIPHERS
        level = "" if "SECLEVEL" in named.upper() else _LEVEL
        context.set_cipher_list(f"{named}:{_NEVER}{level}".encode("ascii"))
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
        subject = subjectCalled(pair.certificate)
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


def believe(context: SSL.Context, anchors: TrustAnchors, options: TLSOptions) -> None:
    """
    Have a context believe the anchors, and nobody else.
    """
    # never X509_V_FLAG_POLICY_CHECK: of some policies OpenSSL complains without a certificate, and pyOpenSSL
    # then ends the process
    flags = ssl.VERIFY_X509_TRUSTED_FIRST
    for name in options.verifyFlags:
        flags |= getattr(ssl, f"VERIFY_{name}")
    if anchors.certificates:
        # what the user named is believed, be it a root or not: an intermediate, or the very certificate
        flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if anchors.revocations:
        flags |= ssl.VERIFY_CRL_CHECK_LEAF
    elif flags & ssl.VERIFY_CRL_CHECK_LEAF and not anchors.system:
        raise options.error(
            "verifyFlags", "no revocation list is named, and none is among the CAs that were named"
        )
    # a context that was just made has one
    store = cast("X509Store", context.get_cert_store())
    store.set_flags(flags)
    for certificate in anchors.certificates:
        if anchors.hasRevokedItself(certificate):
            subject = subjectCalled(certificate)
            _log.warn("{subject} has revoked itself, and is believed no longer", subject=subject)
            continue
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


def serverContext(options: TLSOptions, pair: KeyPair, alpn: Sequence[bytes]) -> SSL.Context:
    """
    Make the context of a server, which shows one certificate and asks its clients for none yet.

    @param alpn: the application protocols that are spoken, the best first.
    """
    context = newContext(options, SSL.TLS_SERVER_METHOD, pair, alpn)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(_SESSION_ID)
    context.set_timeout(_SESSION_LIFETIME)
    return context
