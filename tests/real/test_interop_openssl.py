"""
OpenSSL's own client, C{openssl s_client}, at a port of ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.support.backends import lines
from tests.support.identity import authority
from tests.support.interop import InteropCase
from tests.support.programs import Done
from xtls.testing.authority import Authority

VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}

OK = "Verify return code: 0 (ok)"


class OpenSSLCase(InteropCase):
    """
    A client that says something and waits for the answer.
    """

    def client(self, port: int, *options: str, given: bytes = b"hello\nbye\n") -> Done:
        """
        Run the client until the server closes.  It believes C{ca.pem} only, and gives up on anybody else.
        """
        command = f"openssl s_client -connect 127.0.0.1:{port} -CAfile ca.pem -verify_return_error -ign_eof"
        return self.do(command, *options, given=given)

    def assertAnswered(self, done: Done, *expected: str) -> None:
        """
        The session has answered, and everything went as it should.
        """
        for each in ("heard hello", OK, *expected):
            self.assertIn(each, done.text)
        self.assertEqual(done.status, 0, done.text)

    def assertRefused(self, done: Done, *expected: str) -> None:
        """
        The session has never been reached.
        """
        self.assertNotIn("heard", done.text)
        self.assertNotEqual(done.status, 0, done.text)
        for each in expected:
            self.assertIn(each, done.text)


class VersionTests(OpenSSLCase):
    """
    Versions, suites, what is agreed on, and what is not.
    """

    def test_versions(self) -> None:
        """
        TLS 1.2 and 1.3 reach the session, data go both ways, and the server is verified.
        """
        port = self.port(
            "--bind-tcp=127.0.0.1:0", "--bind-ssl=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines)
        )
        for mode in ("tcp", "ssl"):
            for option, version in VERSIONS.items():
                done = self.client(port.number(mode), option)
                self.assertAnswered(done, f"New, {version}, Cipher is ", "Compression: NONE")

    def test_oldVersions(self) -> None:
        """
        Nothing older than TLS 1.2 is spoken (RFC 8996), even to a client that insists.
        """
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines))
        for option in ("-tls1_1", "-tls1"):
            done = self.client(port.number(), option, "-cipher", "ALL:@SECLEVEL=0")
            self.assertRefused(done, "alert protocol version")
        port.waitFor("refused at tcp>tls: ")

    def test_oneVersion(self) -> None:
        """
        A socket for one version refuses the other.
        """
        port = self.port(
            "--bind-tcp=127.0.0.1:0,ssl-protocol=TLSv1_2",
            "--bind-tcp=127.0.0.1:0,ssl-protocol=TLSv1_3",
            "--ssl-cert=server.pem",
            self.forward(lines),
        )
        older, newer = self.numbers(port, "tcp", 2)
        self.assertAnswered(self.client(older, "-tls1_2"))
        self.assertRefused(self.client(older, "-tls1_3"), "alert protocol version")
        self.assertAnswered(self.client(newer, "-tls1_3"))
        self.assertRefused(self.client(newer, "-tls1_2"), "alert protocol version")

    def test_suites(self) -> None:
        """
        Of the suites of TLS 1.2, those with forward secrecy and authenticated encryption are taken.
        """
        number = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines)).number()
        for suite in ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"):
            done = self.client(number, "-tls1_2", "-cipher", suite)
            self.assertAnswered(done, f"Cipher is {suite}")
        for suite in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            done = self.client(number, "-tls1_2", "-cipher", suite)
            self.assertRefused(done, "alert handshake failure")

    def test_applicationProtocol(self) -> None:
        """
        C{http/1.1} is agreed on where it is offered, and means HTTP; an offer of nothing that is known is
        refused with the alert for that (RFC 7301, section 3.2).
        """
        port = self.port(
            "--bind-ssl=127.0.0.1:0",
            "--bind-ssl=127.0.0.1:0,ssl=tcp",
            "--ssl-cert=server.pem",
            self.forward(lines),
        )
        number, onlySession = self.numbers(port, "ssl", 2)
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        for offer in ("http/1.1", "foo,http/1.1", "h2,http/1.1"):
            done = self.client(number, "-alpn", offer, given=request)
            self.assertIn("ALPN protocol: http/1.1", done.text)
            self.assertIn("HTTP/1.1 200 OK", done.text)
        for option in VERSIONS:
            done = self.client(number, option, "-alpn", "foo")
            self.assertRefused(done, "alert no application protocol")
        self.assertAnswered(self.client(onlySession, "-alpn", "foo"), "No ALPN negotiated")

    def test_resumption(self) -> None:
        """
        A client that comes back resumes its session, with either version; it is not asked to send anything
        before the handshake has ended (RFC 8446, section 2.3).
        """
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines))
        for option, version in VERSIONS.items():
            self.assertAnswered(self.client(port.number(), option, "-sess_out", "session.pem"), "New, ")
            done = self.client(port.number(), option, "-sess_in", "session.pem")
            self.assertIn(f"Reused, {version}", done.text)
            self.assertIn("heard hello", done.text)
            self.assertNotRegex(done.text, "Max Early Data: [^0]")

    def test_noRenegotiation(self) -> None:
        """
        A client that wants to renegotiate is told no.
        """
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines))
        command = f"openssl s_client -connect 127.0.0.1:{port.number()} -CAfile ca.pem -tls1_2"
        client = self.start(command, pipe=True)
        assert client.process.stdin is not None
        client.process.stdin.write(b"hello\n")
        client.process.stdin.flush()
        client.waitFor("heard hello")
        client.process.stdin.write(b"R\n")
        client.process.stdin.flush()
        client.waitFor("no renegotiation")

    def test_keyUpdate(self) -> None:
        """
        A client may change its keys, and ask for new ones of ours (RFC 8446, section 4.6.3).
        """
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines))
        command = f"openssl s_client -connect 127.0.0.1:{port.number()} -CAfile ca.pem -tls1_3"
        client = self.start(command, pipe=True)
        assert client.process.stdin is not None
        for said, expected in ((b"one", "heard one"), (b"K", "KEYUPDATE"), (b"two", "heard two")):
            client.process.stdin.write(said + b"\n")
            client.process.stdin.flush()
            client.waitFor(expected)
        client.process.stdin.write(b"bye\n")
        client.process.stdin.flush()
        self.assertEqual(client.wait(), 0)


class CertificateTests(OpenSSLCase):
    """
    What the server shows.
    """

    def test_chain(self) -> None:
        """
        The whole chain of the file is sent, so that the root is enough to verify it.
        """
        pair = authority().intermediate().issue("localhost")
        self.issued("chain.pem", pair)
        port = self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=chain.pem", self.forward(lines))
        for option in VERSIONS:
            done = self.client(port.number(), option, "-showcerts")
            self.assertAnswered(done)
            self.assertEqual(done.text.count("-----BEGIN CERTIFICATE-----"), 2)
            self.assertIn("CN = xtls test intermediate", done.text)

    def test_byName(self) -> None:
        """
        Of several certificates, the one for the name that the client says is shown; without a name, the
        first.
        """
        for name in ("one.test", "two.test"):
            self.issued(f"{name}.pem", authority().issue(name))
        port = self.port(
            "--bind-tcp=127.0.0.1:0",
            "--ssl-cert=one.test.pem",
            "--ssl-cert=two.test.pem",
            self.forward(lines),
        )
        for option in VERSIONS:
            for name in ("one.test", "two.test"):
                done = self.client(port.number(), option, "-servername", name, "-verify_hostname", name)
                self.assertAnswered(done, f"subject=CN = {name}")
            done = self.client(port.number(), option, "-noservername")
            self.assertAnswered(done, "subject=CN = one.test")

    def test_encryptedKey(self) -> None:
        """
        A key of OpenSSL's with a passphrase can be used; the passphrase comes out of a file.
        """
        self.write("passphrase", b"a b c\n")
        self.succeed("openssl ec -in server.pem -out key.pem -aes256 -passout file:passphrase")
        self.assertIn(b"ENCRYPTED", (self.folder / "key.pem").read_bytes())
        self.succeed("openssl x509 -in server.pem -out cert.pem")
        port = self.port(
            "--bind-tcp=127.0.0.1:0",
            "--ssl-cert=cert.pem",
            "--ssl-key=key.pem",
            "--ssl-key-password=file:passphrase",
            self.forward(lines),
        )
        self.assertAnswered(self.client(port.number()))


class ClientCertificateTests(OpenSSLCase):
    """
    Clients that show a certificate, or do not.
    """

    def setUp(self) -> None:
        super().setUp()
        self.issued("client.pem", authority().issue("alice", clientAuth=True))
        self.issued("stranger.pem", Authority("another authority").issue("mallory", clientAuth=True))
        self.issued("server-only.pem", authority().issue("bob"))
        past = datetime.now(timezone.utc) - timedelta(days=1)
        old = authority().issue("carol", clientAuth=True, notBefore=past - timedelta(days=9), notAfter=past)
        self.issued("old.pem", old)

    def sockets(self, *modes: str) -> list[int]:
        """
        Start a port with a socket for each way to treat certificates of clients.
        """
        address = "--bind-ssl=127.0.0.1:0,ssl-ca-certs=ca.pem"
        addresses = [f"{address},ssl-client-verify-mode={mode}" if mode else address for mode in modes]
        port = self.port(*addresses, "--ssl-cert=server.pem", self.forward(lines))
        return self.numbers(port, "ssl", len(modes))

    def shows(self, port: int, name: str, version: str) -> Done:
        """
        Come with a certificate.
        """
        return self.client(port, version, "-cert", name, "-key", name)

    def test_required(self) -> None:
        """
        Who shows none, or a bad one, is refused with the alert for it, and never reaches the session.  To
        name an authority is to require its certificates.
        """
        for port in self.sockets("required", ""):
            for version in VERSIONS:
                self.assertAnswered(self.shows(port, "client.pem", version), "Acceptable client certificate")
                missing = "certificate required" if version == "-tls1_3" else "handshake failure"
                self.assertRefused(self.client(port, version), f"alert {missing}")
                self.assertRefused(self.shows(port, "stranger.pem", version), "alert unknown ca")
                self.assertRefused(self.shows(port, "old.pem", version), "alert certificate expired")
                self.assertRefused(self.shows(port, "server-only.pem", version), "alert unsupported cert")

    def test_optional(self) -> None:
        """
        Who shows none is let in; who shows a bad one is not.
        """
        (port,) = self.sockets("optional")
        for version in VERSIONS:
            self.assertAnswered(self.client(port, version))
            self.assertAnswered(self.shows(port, "client.pem", version))
            self.assertRefused(self.shows(port, "stranger.pem", version), "alert unknown ca")
            self.assertRefused(self.shows(port, "old.pem", version), "alert certificate expired")

    def test_none(self) -> None:
        """
        Nobody is asked.
        """
        (port,) = self.sockets("none")
        for version in VERSIONS:
            done = self.shows(port, "stranger.pem", version)
            self.assertAnswered(done, "No client certificate CA names sent")

    def test_noResumption(self) -> None:
        """
        A session that was begun with a certificate cannot be resumed, since the certificate would not be
        shown again; and one that was begun at a socket that asks for none is worth nothing at one that does.
        """
        required, none = self.sockets("required", "none")
        shown = ("-cert", "client.pem", "-key", "client.pem")
        session = Path(self.folder, "session.pem")
        for option, version in VERSIONS.items():
            self.assertAnswered(self.client(required, option, *shown, "-sess_out", "session.pem"))
            if session.exists():  # with TLS 1.3 there is a ticket all the same, but it leads to nothing
                done = self.client(required, option, *shown, "-sess_in", "session.pem")
                self.assertAnswered(done, f"New, {version}, Cipher is ")
                self.assertRefused(self.client(required, option, "-sess_in", "session.pem"))
            self.assertAnswered(self.client(none, option, "-sess_out", "session.pem"))
            self.assertRefused(self.client(required, option, "-sess_in", "session.pem"))
            done = self.client(required, option, *shown, "-sess_in", "session.pem")
            self.assertNotIn("Reused", done.text)
            session.unlink()
