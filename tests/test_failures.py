"""
OpenSSL's errors as errors of ours: what a peer can do wrong, done for real, and what is said about it.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.support.engines import EnginePair, connections
from tests.support.identity import clientConnections, serverConnections, serverPair
from xtls.errors import HandshakeError, PeerVerificationError
from xtls.trust.verification import Reason
from xtls.wire.failures import describe

_V2, _V3 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


def context(server: bool, minimum: int = _V2, maximum: int = _V3) -> SSL.Context:
    """
    A context that verifies nobody.
    """
    made = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(minimum)
    made.set_max_proto_version(maximum)
    if server:
        made.use_certificate(serverPair().certificate)
        made.use_privatekey(serverPair().key)
    return made


class DescribeTests(SynchronousTestCase):
    """
    L{describe}.
    """

    def talk(self, client: SSL.Context, server: SSL.Context) -> tuple[HandshakeError | None, ...]:
        """
        Let two contexts try.

        @return: what the client and the server say of it.
        """
        return self.talked(EnginePair.of(SSL.Connection(client, None), SSL.Connection(server, None)))

    def talked(self, pair: EnginePair) -> tuple[HandshakeError | None, ...]:
        """
        The same, with engines.
        """
        pair.shakeHands()
        return tuple(
            describe(each.connection, each.failure, each.established) if each.failure is not None else None
            for each in (pair.client, pair.server)
        )

    def said(self, *errors: HandshakeError | None) -> list[str]:
        """
        What was said, and that it was said of the handshake.
        """
        for error in errors:
            self.assertIs(type(error), HandshakeError)
        return [error.problem for error in errors if error is not None]

    def received(self, data: bytes, server: bool = False) -> str:
        """
        What is said of a peer whose first octets are these.
        """
        pair = EnginePair()
        engine = pair.server if server else pair.client
        engine.start()
        pair.outgoing(engine)
        engine.receive(data)
        assert engine.failure is not None
        return self.said(describe(engine.connection, engine.failure))[0]

    def test_notTLS(self) -> None:
        """
        A peer that does not speak TLS is told from one that speaks it badly.
        """
        for data in (b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"RFB 003.008\n"):
            self.assertEqual(self.received(data), "the peer does not speak TLS on this port")
        self.assertEqual(self.received(b"\x16\x03\x01\xff\xff" + bytes(70000)), self.received(b"SSH-2.0"))

    def test_http(self) -> None:
        """
        HTTP is known when it is seen.
        """
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"CONNECT example.test:443 HTTP/1.1\r\n\r\n"):
            self.assertEqual(self.received(data, server=True), "the peer speaks HTTP on this port, not TLS")

    def test_afterTheHandshake(self) -> None:
        """
        A peer that did speak TLS is not said not to.
        """
        client, _ = connections()
        error = SSL.Error([("SSL routines", "", "wrong version number")])
        self.assertEqual(
            self.said(describe(client, error, True)), ["the TLS connection failed (wrong version number)"]
        )

    def test_noReason(self) -> None:
        """
        A peer that refuses by a rule of its own gives no reason that OpenSSL would have a word for.
        """
        client, _ = connections()
        error = SSL.Error([("SSL routines", "", "tlsv1 alert internal error")])
        for established in (False, True):
            said = self.said(describe(client, error, established))[0]
            self.assertIn("perhaps it does not let in the certificate", said)

    def test_versions(self) -> None:
        """
        No version in common, on either side.
        """
        expected = [
            "the peer accepts none of the TLS versions that are offered",
            "no TLS version in common: TLS 1.2 and 1.3 are spoken here (RFC 8996)",
        ]
        self.assertEqual(self.said(*self.talk(context(False, _V2, _V2), context(True, _V3, _V3))), expected)
        self.assertEqual(self.said(*self.talk(context(False, _V3, _V3), context(True, _V2, _V2))), expected)

    def test_ciphers(self) -> None:
        """
        No cipher suite in common.
        """
        client, server = context(False, _V2, _V2), context(True, _V2, _V2)
        client.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256")
        server.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384")
        refused, refusing = self.said(*self.talk(client, server))
        self.assertIn("the peer refused the handshake: it found no parameters in common", refused)
        self.assertEqual(refusing, "no cipher suite in common")

    def test_applicationProtocols(self) -> None:
        """
        No application protocol in common, on either side.
        """
        client = context(False)
        client.set_alpn_protos([b"h2"])
        pair = EnginePair.of(
            SSL.Connection(client, None), serverConnections(self, (b"http/1.1",)).serverConnectionForTLS(self)
        )
        words = "no application protocol in common (ALPN, RFC 7301)"
        self.assertEqual(self.said(*self.talked(pair)), [words, words])

    def test_refused(self) -> None:
        """
        A refusal is told as such, with the evidence; the refused peer knows what its certificate lacked.
        """
        client = clientConnections("other.test").clientConnectionForTLS(self)
        pair = EnginePair.of(client, SSL.Connection(context(True), None))
        error, other = self.talked(pair)
        assert isinstance(error, PeerVerificationError)
        self.assertEqual(error.refusal.reason, Reason.WRONG_NAME)
        self.assertIsInstance(other, HandshakeError)

    def test_unknownAuthority(self) -> None:
        """
        The peer does not trust our certificate.
        """
        client = context(False)
        client.set_verify(SSL.VERIFY_PEER, None)
        self.assertEqual(
            self.said(*self.talk(client, context(True))),
            [
                "the TLS connection failed (certificate verify failed)",
                "the peer does not trust the certificate that was sent to it (unknown CA)",
            ],
        )

    def test_noCertificate(self) -> None:
        """
        A client that presents no certificate where one is required is refused, and hears why.
        """
        server = context(True)
        server.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, None)
        told, refusing = self.talk(context(False), server)
        assert isinstance(refusing, PeerVerificationError)
        self.assertEqual(refusing.refusal.reason, Reason.NO_CERTIFICATE)
        self.assertEqual(self.said(told), ["the peer asks for a client certificate, and none was sent"])

    def test_withoutWords(self) -> None:
        """
        Whatever OpenSSL raises, there is a sentence.
        """
        client, _ = connections()
        errors: dict[Any, str] = {
            SSL.Error(): "the TLS connection failed (without a reason)",
            SSL.Error([]): "the TLS connection failed (without a reason)",
            SSL.Error([("a", "b", "something new")]): "the TLS connection failed (something new)",
            SSL.SysCallError(-1, "Unexpected EOF"): "the peer closed the connection during the handshake",
        }
        for error, expected in errors.items():
            self.assertEqual(self.said(describe(client, error)), [expected])
