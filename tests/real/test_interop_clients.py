"""
Other people's clients, with certificates, at a port that asks for them: openssl, curl and gnutls-cli.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.backends import lines
from tests.support.identity import authority
from tests.support.interop import InteropCase
from tests.support.people import person
from tests.support.programs import Done, Port

VERSIONS = ("-tls1_2", "-tls1_3")


class ClientsCase(InteropCase):
    """
    A port, and people with certificates.
    """

    def setUp(self) -> None:
        super().setUp()
        self.alice = person(authority(), "CN=alice", "OU=ops")
        self.bob = person(authority(), "CN=bob")
        self.issued("alice.pem", self.alice)
        self.issued("bob.pem", self.bob)

    def started(self, *options: str) -> Port:
        """
        A port with a service, whose certificate is C{server.pem}.
        """
        return self.port("--bind-tcp=127.0.0.1:0", "--ssl-cert=server.pem", self.forward(lines), *options)

    def openssl(self, port: Port, *options: str) -> Done:
        """
        Run openssl's client until the server closes.
        """
        command = f"openssl s_client -connect 127.0.0.1:{port.number()} -CAfile ca.pem -ign_eof"
        return self.do(command, *options, given=b"hello\nbye\n")

    def assertInside(self, done: Done) -> None:
        """
        The service has answered.
        """
        self.assertIn("heard hello", done.text)

    def assertOutside(self, done: Done) -> None:
        """
        The service was never reached.
        """
        self.assertNotIn("heard", done.text)
        self.assertIn("alert", done.text)


class RulesTests(ClientsCase):
    """
    Who comes in.
    """

    def test_openssl(self) -> None:
        """
        Rules and revocation lists hold for openssl's client, on either version, and the log says who it was.
        """
        self.write("list.crl", authority().revocations(self.bob.certificate).public_bytes(Encoding.DER))
        port = self.started(
            "--ssl-ca-certs=ca.pem", "--ssl-crl=list.crl", "--ssl-allow=CN=al*,OU=ops", "--ssl-allow=CN=bob"
        )
        for version in VERSIONS:
            self.assertInside(self.openssl(port, version, "-cert", "alice.pem"))
            self.assertOutside(self.openssl(port, version, "-cert", "bob.pem"))
            self.assertOutside(self.openssl(port, version))
        port.waitFor("(?s)session as CN=alice.*session as CN=alice")
        port.waitFor('refused at ssl>tls: the certificate of "bob" was revoked')
        port.waitFor("refused at ssl>tls: no certificate was presented")

    def test_workers(self) -> None:
        """
        So they do in workers, and where they are said for one socket, in parentheses.
        """
        port = self.port(
            "--bind-tcp=127.0.0.1:0,ssl-ca-certs=ca.pem,ssl-allow=(CN=alice,OU=ops)",
            "--ssl-cert=server.pem",
            "--ssl-sni=(may.test,ssl-client-verify-mode=optional,ssl-allow=(CN=bob))",
            "--workers=2",
            self.forward(lines),
        )
        port.waitFor("xtls serves with 2 workers")
        for _ in range(3):
            self.assertInside(self.openssl(port, "-cert", "alice.pem"))
            self.assertOutside(self.openssl(port, "-cert", "bob.pem"))
            self.assertInside(self.openssl(port, "-cert", "bob.pem", "-servername", "may.test"))

    def test_curl(self) -> None:
        """
        curl comes in with a certificate over https, and not without one.
        """
        port = self.started("--ssl-ca-certs=ca.pem", "--ssl-allow=CN=alice")
        url = f"https://localhost:{port.number()}/"
        curl = "curl --silent --show-error --max-time 20 --cacert ca.pem"
        for version in ("--tls-max 1.2", "--tlsv1.3"):
            self.assertIn("<html", self.succeed(f"{curl} {version} --cert alice.pem {url}").text)
            self.assertNotEqual(self.do(f"{curl} {version} --cert bob.pem {url}").status, 0)
            self.assertNotEqual(self.do(f"{curl} {version} {url}").status, 0)
        port.waitFor(">http as CN=alice")
        port.waitFor("CN=bob has a good certificate")

    def test_gnutls(self) -> None:
        """
        Another library's client likewise.
        """
        port = self.started("--ssl-ca-certs=ca.pem", "--ssl-allow=CN=alice")
        command = f"gnutls-cli --x509cafile=ca.pem --port={port.number()} localhost"
        for name, good in (("alice", True), ("bob", False)):
            keys = f"--x509certfile={name}.pem --x509keyfile={name}.pem"
            done = self.do(f"{command} {keys}", given=b"hello\nbye\n")
            self.assertIs("heard hello" in done.text, good, done.text)


class NamesTests(ClientsCase):
    """
    What differs by the name that is asked for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.issued("other.pem", authority().issue("open.test"))
        self.listening = self.started(
            "--ssl-ca-certs=ca.pem",
            "--ssl-sni=open.test,ssl-cert=other.pem,ssl-client-verify-mode=none",
            "--ssl-sni=bob.test,ssl-allow=CN=bob",
        )

    def test_names(self) -> None:
        """
        Each name has its own certificate and its own demands; whoever says none has those of all.
        """
        for version in VERSIONS:
            for name, words, good in (
                ("localhost", (), False),
                ("localhost", ("-cert", "alice.pem"), True),
                ("open.test", (), True),
                ("bob.test", ("-cert", "bob.pem"), True),
                ("bob.test", ("-cert", "alice.pem"), False),
                ("", (), False),
                ("", ("-cert", "alice.pem"), True),
            ):
                asked = ("-servername", name) if name else ("-noservername",)
                done = self.openssl(self.listening, version, *asked, *words)
                (self.assertInside if good else self.assertOutside)(done)
                shown = "CN=open.test" if name == "open.test" else "CN=server.test"
                self.assertIn(f"subject={shown}", done.text.replace(" = ", "="))
        self.listening.waitFor("clients need no certificate if they ask for open.test")

    def test_tickets(self) -> None:
        """
        What was agreed on under a name that asks for nothing opens no other, with either version.
        """
        for version in VERSIONS:
            lax = ("-servername", "open.test")
            self.assertInside(self.openssl(self.listening, version, *lax, "-sess_out", "session.pem"))
            if not (self.folder / "session.pem").exists():
                continue  # there was none to keep
            for name in ("localhost", "bob.test"):
                done = self.openssl(self.listening, version, "-servername", name, "-sess_in", "session.pem")
                self.assertOutside(done)
                self.assertNotIn("Reused", done.text)

    def test_host(self) -> None:
        """
        The Host of a request is nobody's: who asks for one name in TLS and for another in HTTP gets what the
        first gets, and the same pages.
        """
        number = self.listening.number()
        curl = "curl --silent --show-error --max-time 20 --cacert ca.pem"
        there = f"--connect-to ::127.0.0.1:{number} https://open.test:{number}/"
        said = self.succeed(f"{curl} {there}").text
        self.assertIn("<html", said)
        other = self.succeed(f"{curl} --header Host:bob.test:{number} {there}").text
        self.assertEqual(other.replace("bob.test", "open.test"), said)
        where = f"--connect-to ::127.0.0.1:{number} https://localhost:{number}/"
        self.assertNotEqual(self.do(f"{curl} --header Host:open.test:{number} {where}").status, 0)
