"""
Contexts of OpenSSL: what they offer, show and believe.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from tests.support.handshakes import Handshake, saved
from tests.support.logs import recordLogs
from xtls.config.options import Side, TLSOptions, TLSVersion, TLSVersions
from xtls.errors import OptionError
from xtls.testing.authority import Authority
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.certificates import KeyPair
from xtls.trust.newcontext import DEFAULT_CIPHERS, believe, newContext, serverContext

AUTHORITY = Authority()
SERVER = AUTHORITY.issue("server.test")
NOBODY = TrustAnchors()
TLS1_2 = TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2)


def clientOf(anchors: TrustAnchors = NOBODY, alpn: Sequence[bytes] = (), **said: Any) -> SSL.Context:
    """
    The context of a client, which verifies when it is given anchors.
    """
    options = TLSOptions(**said)
    context = newContext(options, SSL.TLS_CLIENT_METHOD, None, alpn)
    if anchors.paths or anchors.certificates:
        believe(context, anchors, options)
        context.set_verify(SSL.VERIFY_PEER)
    return context


def serverOf(pair: KeyPair = SERVER, alpn: Sequence[bytes] = (), **said: Any) -> SSL.Context:
    """
    The context of a server.
    """
    return serverContext(TLSOptions(**said), pair, alpn)


def handshake(one: SSL.Context, other: SSL.Context) -> Handshake:
    """
    Let two contexts shake hands.
    """
    client, server = SSL.Connection(one, None), SSL.Connection(other, None)
    client.set_connect_state()
    server.set_accept_state()
    return Handshake.between(client, server)


class NewContextTests(SynchronousTestCase):
    """
    What a context offers and shows.
    """

    def test_suites(self) -> None:
        """
        Under TLS 1.2 the suites are ours, or those that were named, but never such as do not protect.
        """
        self.assertIn("ECDHE-ECDSA-AES128-GCM-SHA256", DEFAULT_CIPHERS)
        for named, spoken in (("", DEFAULT_CIPHERS.split(":")), ("ALL:aNULL:eNULL", None)):
            seen = handshake(clientOf(protocol=TLS1_2, ciphers=named), serverOf())
            self.assertTrue(seen.complete)
            offered = seen.client.connection.get_cipher_list()
            self.assertFalse([each for each in offered if "NULL" in each or "ADH" in each or "PSK" in each])
            if spoken is not None:
                self.assertEqual(sorted(each for each in offered if "TLS_" not in each), sorted(spoken))

    def test_unknownSuites(self) -> None:
        """
        Suites that OpenSSL does not know are an error of the option.
        """
        error = self.assertRaises(OptionError, serverOf, ciphers="nothing")
        self.assertEqual((error.option, error.source), ("ssl-ciphers", "program"))
        self.assertIn("no cipher match", error.problem)

    def test_options(self) -> None:
        """
        The server chooses the suite when it is told to; without tickets nothing can be resumed.
        """
        suites = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        one = clientOf(protocol=TLS1_2, ciphers=suites)
        for said, index in ((("CIPHER_SERVER_PREFERENCE",), 1), ((), 0)):
            seen = handshake(one, serverOf(options=said))
            self.assertEqual(seen.client.connection.get_cipher_name(), suites.split(":")[index])
        for options, tickets in (((), True), (("NO_TICKET",), False)):
            server = serverOf(options=options)
            first = handshake(one, server)
            again = SSL.Connection(one, None)
            session = first.client.connection.get_session()
            assert session is not None
            again.set_session(session)
            again.set_connect_state()
            other = SSL.Connection(server, None)
            other.set_accept_state()
            self.assertIs(Handshake.between(again, other).resumed, tickets)

    def test_chain(self) -> None:
        """
        The certificate is shown with the chain of its file.
        """
        pair = AUTHORITY.intermediate().issue("server.test")
        seen = handshake(clientOf(TrustAnchors((AUTHORITY.certificate,))), serverOf(pair))
        self.assertTrue(seen.complete)
        sent = seen.client.connection.get_peer_cert_chain()
        assert sent is not None
        self.assertEqual([each.to_cryptography() for each in sent], [pair.certificate, *pair.chain])

    def test_weak(self) -> None:
        """
        A key that OpenSSL holds for too weak is an error of the option.
        """
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        error = self.assertRaises(OptionError, serverOf, AUTHORITY.issue("weak.test", key=key))
        self.assertEqual(error.option, "ssl-cert")
        self.assertIn("weak.test", error.problem)

    def test_strength(self) -> None:
        """
        Keys of less than 112 bits of strength are refused; more may be asked for with the suites.
        """
        pair = AUTHORITY.issue("server.test", key=rsa.generate_private_key(65537, 2048))
        anchors = TrustAnchors((AUTHORITY.certificate,))
        for named, good in (("", True), ("DEFAULT:@SECLEVEL=3", False)):
            self.assertIs(handshake(clientOf(anchors, ciphers=named), serverOf(pair)).complete, good)

    def test_applicationProtocols(self) -> None:
        """
        The server's order counts; who offers only others is refused with the alert for it.
        """
        seen = handshake(clientOf(alpn=[b"a", b"b"]), serverOf(alpn=[b"c", b"b", b"a"]))
        self.assertEqual(seen.client.connection.get_alpn_proto_negotiated(), b"b")
        seen = handshake(clientOf(alpn=[b"d"]), serverOf(alpn=[b"c"]))
        self.assertIn("alert no application protocol", seen.client.reason)


class BelieveTests(SynchronousTestCase):
    """
    Whom a context believes.
    """

    def test_anchors(self) -> None:
        """
        What was named, be it no root, and nobody else.
        """
        middle = AUTHORITY.intermediate()
        pair = middle.issue("server.test")
        for anchor, good in ((AUTHORITY, True), (middle, True), (Authority("other"), False)):
            one = clientOf(TrustAnchors((anchor.certificate,)))
            self.assertIs(handshake(one, serverOf(pair)).complete, good)

    def test_revocations(self) -> None:
        """
        With revocation lists the server's certificate is looked up; asking for that without any is an error.
        """
        revoked = AUTHORITY.issue("server.test")
        anchors = TrustAnchors((AUTHORITY.certificate,), (AUTHORITY.revocations(revoked.certificate),))
        for pair, good in ((revoked, False), (SERVER, True)):
            self.assertIs(handshake(clientOf(anchors), serverOf(pair)).complete, good)
        bare = TrustAnchors((AUTHORITY.certificate,))
        error = self.assertRaises(OptionError, clientOf, bare, verifyFlags=("CRL_CHECK_LEAF",))
        self.assertEqual(error.option, "ssl-verify-flags")

    def test_revokedItself(self) -> None:
        """
        An anchor that is on its own revocation list is believed no longer, and that is said; others are.
        """
        log = recordLogs(self)
        other = Authority("other")
        both = (AUTHORITY.certificate, other.certificate)
        lists = (AUTHORITY.revocations(AUTHORITY.certificate), other.revocations())
        client = clientOf(TrustAnchors(both, lists))
        self.assertFalse(handshake(client, serverOf()).complete)
        self.assertTrue(handshake(client, serverOf(other.issue("server.test"))).complete)
        self.assertIn("has revoked itself, and is believed no longer", log.lines()[0])

    def test_system(self) -> None:
        """
        The system's are read by OpenSSL, from a file or a directory; what it cannot read is an error.
        """
        path = saved(self, AUTHORITY.certificate.public_bytes(Encoding.PEM))
        hashed = f"{X509.from_cryptography(AUTHORITY.certificate).subject_name_hash():08x}.0"
        directory = os.path.dirname(saved(self, AUTHORITY.pem, hashed))
        for environ in ({"SSL_CERT_FILE": path}, {"SSL_CERT_DIR": directory}):
            anchors = trustAnchors(TLSOptions(), Side.CLIENT, environ)
            self.assertTrue(handshake(clientOf(anchors), serverOf()).complete)
        anchors = trustAnchors(TLSOptions(), Side.CLIENT, {"SSL_CERT_FILE": saved(self, b"nothing")})
        error = self.assertRaises(OptionError, clientOf, anchors)
        self.assertEqual((error.option, error.source), ("ssl-ca-certs", "default"))
