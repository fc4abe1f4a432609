"""
Servers that are not ours, for C{xtls attach} and our endpoints: C{openssl s_server}, C{socat}.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone

from tests.support.backends import digest, digestOf
from tests.support.identity import authority, clientConnections, serverFile
from tests.support.interop import InteropCase
from tests.support.loopback import Asker, LoopbackTestCase
from tests.support.programs import Done, Peer, Program
from xtls.endpoints.client import TLSClientEndpoint
from xtls.errors import PeerVerificationError
from xtls.testing.authority import Authority
from xtls.trust.verification import Reason

VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}

#: To a server that sends each line back with its letters reversed, and hangs up after the last one.
QUESTION = b"hello\nworld\nCLOSE\n"
ANSWER = b"olleh\ndlrow\n"

WORDS = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"


class ServerCase(InteropCase):
    """
    A server of OpenSSL's, and a client of ours.
    """

    def serve(self, name: str = "server.pem", *options: str) -> tuple[Program, str]:
        """
        Start the server.

        @param name: the file of its certificate and key.
        @return: with the target that leads to it.
        """
        command = f"openssl s_server -accept 127.0.0.1:0 -cert {name} -rev"
        server = self.start(command, *options)
        number = server.waitFor(r"^ACCEPT 127\.0\.0\.1:([0-9]+)")[1]
        return server, f"ssl://localhost:{number}/"

    def ask(self, target: str, *options: str) -> Done:
        """
        Send the question.
        """
        return self.attach(target, *options, given=QUESTION)

    def assertAnswered(self, done: Done) -> None:
        """
        The answer has come, and all went well, so that nothing need be said.
        """
        self.assertEqual((done.output, done.errors, done.status), (ANSWER, b"", 0))

    def assertRefused(self, done: Done, *expected: str) -> None:
        """
        The server was not verified: the status says so, and so do words that people can search for.
        """
        self.assertEqual((done.output, done.status), (b"", 19), done.text)
        for each in (WORDS, *expected):
            self.assertIn(each, done.text)


class TrustTests(ServerCase):
    """
    Whom the client believes.
    """

    def test_versions(self) -> None:
        """
        Both versions of TLS, both ways.
        """
        for option in VERSIONS:
            _, target = self.serve("server.pem", option)
            self.assertAnswered(self.ask(target, "--ssl-ca-certs=ca.pem"))

    def test_trusted(self) -> None:
        """
        The authority is named by a file, a folder, or as data, hexadecimal or base64, with PEM or DER inside;
        on the command line or in the target.
        """

        pem = authority().pem
        self.succeed("openssl x509 -in ca.pem -outform DER -out ca.der")
        der = (self.folder / "ca.der").read_bytes()
        self.write("folder/ours.pem", pem)
        encoded = base64.b64encode(pem).decode("ascii")
        _, target = self.serve()
        for option in (
            "ssl-ca-certs=ca.pem",
            f"ssl-ca-certs={self.folder}/folder",
            "ssl-ca-cert=ca.pem",
            f"ssl-ca-data={pem.hex()}",
            f"ssl-ca-data=base64:{encoded}",
        ):
            self.assertAnswered(self.ask(target, f"--{option}"))
        for option in (
            "ssl-ca-certs=ca.pem",
            f"ssl-ca-data=0x{der.hex()}",
            f"ssl-ca-data=b64:{base64.b64encode(der).decode('ascii')}",
        ):
            self.assertAnswered(self.ask(f"{target}?{option}"))

    def test_system(self) -> None:
        """
        Without a word, the authorities of the system are believed.
        """
        _, target = self.serve()
        done = self.do("env", f"SSL_CERT_FILE={self.folder}/ca.pem", "xtls", "attach", target, given=QUESTION)
        self.assertAnswered(done)

    def test_chain(self) -> None:
        """
        A server that sends the certificates in between is verified by the root; one that does not is not.
        """
        pair = authority().intermediate().issue("localhost")
        self.issued("chain.pem", pair)
        _, target = self.serve("chain.pem", "-cert_chain", "chain.pem")
        self.assertAnswered(self.ask(target, "--ssl-ca-certs=ca.pem"))
        _, target = self.serve("chain.pem")
        done = self.ask(target, "--ssl-ca-certs=ca.pem")
        self.assertRefused(done, "a certificate in between is missing")

    def test_nothingInCommon(self) -> None:
        """
        A server with nothing that is good enough is not spoken to, and that is another status.
        """
        for version, suites in (("-tls1_1", "ALL:@SECLEVEL=0"), ("-tls1_2", "ECDHE-ECDSA-AES128-SHA")):
            _, target = self.serve("server.pem", version, "-cipher", suites)
            done = self.ask(target, "--ssl-ca-certs=ca.pem")
            self.assertEqual((done.output, done.status), (b"", 16), done.text)
            self.assertEqual(len(done.text.splitlines()), 1, done.text)


class RefusalTests(ServerCase):
    """
    Servers that cannot be verified.
    """

    def refused(self, name: str, *expected: str, alert: str, options: tuple[str, ...] = ()) -> Done:
        """
        Meet a server that is refused, with both versions; it gets the alert for that, and nothing else.
        """
        for version in VERSIONS:
            server, target = self.serve(name, version)
            done = self.ask(target, "--ssl-ca-certs=ca.pem", *options)
            self.assertRefused(done, *expected)
            server.waitFor(f"alert {alert}")
        return done

    def test_expired(self) -> None:
        """
        With the day on which it ended.
        """
        past = datetime.now(timezone.utc) - timedelta(days=3)
        pair = authority().issue("localhost", notBefore=past - timedelta(days=9), notAfter=past)
        self.issued("expired.pem", pair)
        self.refused("expired.pem", f"expired on {past:%Y-%m-%d}", alert="certificate expired")

    def test_notYetValid(self) -> None:
        """
        With the day on which it begins.
        """
        future = datetime.now(timezone.utc) + timedelta(days=3)
        pair = authority().issue("localhost", notBefore=future, notAfter=future + timedelta(days=9))
        self.issued("future.pem", pair)
        self.refused("future.pem", f"not valid before {future:%Y-%m-%d}", alert="bad certificate")

    def test_wrongName(self) -> None:
        """
        With the names that it is for, and the way to say which of them was meant; that way works.  (The
        alert is the one for this that pyOpenSSL can have sent: docs/decisions/0001-own-verification.md.)
        """
        self.issued("other.pem", authority().issue("other.test", "more.test"))
        done = self.refused(
            "other.pem", "other.test", "more.test", "not for localhost", alert="internal error"
        )
        _, target = self.serve("other.pem")
        for option in ("--ssl-server-hostname=more.test", "--ssl-check-hostname=no"):
            self.assertAnswered(self.ask(target, "--ssl-ca-certs=ca.pem", option))
        self.assertIn("--ssl-server-hostname=other.test", done.text)

    def test_noName(self) -> None:
        """
        A Common Name is a name only for those whom the user named as authorities, and even then only if
        there is no other.
        """
        self.issued("common.pem", authority().issue(commonName="localhost", san=False))
        _, target = self.serve("common.pem")
        done = self.ask(target, "--ssl-ca-certs=ca.pem")
        self.assertEqual((done.output, done.status), (ANSWER, 0))
        self.assertIn("subjectAltName", done.text)
        done = self.do("env", f"SSL_CERT_FILE={self.folder}/ca.pem", "xtls", "attach", target, given=QUESTION)
        self.assertRefused(done, "only the Common Name")

    def test_unknownAuthority(self) -> None:
        """
        With the name of the authority.
        """
        stranger = Authority("Stranger's authority")
        self.issued("stranger.pem", stranger.issue("localhost"))
        self.refused("stranger.pem", "Stranger's authority", alert="unknown ca")

    def test_selfSigned(self) -> None:
        """
        With its fingerprint, as OpenSSL prints it, and with the command that trusts it, which works: no
        second connection is needed to get the certificate.
        """
        self.issued("self.pem", authority().issue("localhost", selfSigned=True))
        _, target = self.serve("self.pem")
        done = self.ask(target)
        shown = self.succeed("openssl x509 -in self.pem -noout -fingerprint -sha256").text
        self.assertRefused(done, "is self-signed", shown.strip().partition("=")[2])
        (command,) = re.findall(r"^ +(xtls attach .*refused.*)$", done.text, re.MULTILINE)
        self.assertAnswered(self.do(command, given=QUESTION))

    def test_strict(self) -> None:
        """
        A flag by the name that Python gives it is obeyed.
        """
        loose = Authority("loose", withKeyUsage=False)
        self.issued("loose.pem", loose.issue("localhost"))
        self.write("loose-ca.pem", loose.pem)
        _, target = self.serve("loose.pem")
        self.assertAnswered(self.ask(target, "--ssl-ca-certs=loose-ca.pem"))
        done = self.ask(target, "--ssl-ca-certs=loose-ca.pem", "--ssl-verify-flags=X509_STRICT")
        self.assertRefused(done, "key usage")

    def test_off(self) -> None:
        """
        Whoever says so is spared all this, and warned, with the option and the place where it is said.
        """
        self.issued("self.pem", authority().issue("other.test", selfSigned=True))
        _, target = self.serve("self.pem")
        done = self.ask(target, "--ssl-server-verify-mode=none")
        self.assertEqual((done.output, done.status), (ANSWER, 0))
        self.assertEqual(len(done.text.strip().splitlines()), len(ANSWER.splitlines()) + 1, done.text)
        self.assertIn("ssl-server-verify-mode", done.text)
        self.assertIn("command line", done.text)

    def test_notByOthers(self) -> None:
        """
        A connection file cannot say so.
        """
        _, target = self.serve()
        number = target.rpartition(":")[2].strip("/")
        text = f"host=localhost\nport={number}\nmode=ssl\nssl-server-verify-mode=none\n"
        self.write("other.xpra", text.encode("ascii"))
        done = self.ask("other.xpra")
        self.assertEqual((done.output, done.status), (b"", 2), done.text)
        self.assertIn("line 4", done.text)
        done = self.ask("other.xpra", "--ssl-server-verify-mode=none")
        self.assertEqual((done.output, done.status), (ANSWER, 0), done.text)


class ClientCertificateTests(ServerCase):
    """
    Servers that want to know who comes.
    """

    def test_shown(self) -> None:
        """
        The certificate is shown to a server that asks; without one, such a server ends the connection, and
        the user is told.
        """
        pair = authority().issue("alice", clientAuth=True)
        self.issued("client.pem", pair)
        for version in VERSIONS:
            server, target = self.serve(
                "server.pem", version, "-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error"
            )
            done = self.ask(target, "--ssl-ca-certs=ca.pem", "--ssl-cert=client.pem")
            self.assertAnswered(done)
            server.waitFor("Peer certificate: CN = alice")
            done = self.ask(target, "--ssl-ca-certs=ca.pem")
            self.assertEqual(done.output, b"")
            self.assertIn(done.status, (1, 16), done.text)
            self.assertIn("certificate", done.text)


class SocatTests(InteropCase):
    """
    C{socat} as the server.
    """

    def test_bothWays(self) -> None:
        """
        What is piped through reaches the other end whole, and the answer, which is given after the end of
        input, comes back.
        """
        backend = Peer(self, digest)
        address = "OPENSSL-LISTEN:0,bind=127.0.0.1,reuseaddr,fork,cert=server.pem,verify=0"
        server = self.start("socat -d -d -t20", address, f"TCP:127.0.0.1:{backend.port}")
        number = server.waitFor(r"listening on .*:([0-9]+)$")[1]
        data = bytes(range(256)) * 4096
        done = self.attach(f"ssl://localhost:{number}/", "--ssl-ca-certs=ca.pem", given=data)
        self.assertEqual((done.output, done.status), (digestOf(data), 0), done.text)


class EndpointTests(LoopbackTestCase):
    """
    Our client endpoint, in a program, with OpenSSL's server.
    """

    async def test_endpoint(self) -> None:
        """
        It fires with the application's protocol, which is answered and ends in order; or, where the server is
        somebody else, fails with the reason.
        """
        for version in VERSIONS:
            command = f"openssl s_server -accept 127.0.0.1:0 -cert {serverFile(self)} -rev {version}"
            server = Program(self, command.split(), Path.cwd())
            number = int(server.waitFor(r"^ACCEPT 127\.0\.0\.1:([0-9]+)")[1])
            tcp = TCP4ClientEndpoint(self.reactor, "127.0.0.1", number)
            endpoint = TLSClientEndpoint(tcp, clientConnections("localhost"), self.reactor)
            asker = await connectProtocol(endpoint, Asker(QUESTION, len(ANSWER)))
            self.assertEqual(asker.transport.tlsVersion, VERSIONS[version])
            self.assertEqual(await asker.answered, ANSWER)
            self.assertIsInstance(await asker.ended, ConnectionDone)
            other = TLSClientEndpoint(tcp, clientConnections("other.test"), self.reactor)
            connecting = connectProtocol(other, Asker(QUESTION))
            error = await self.assertFailure(connecting, PeerVerificationError)
            self.assertIs(error.refusal.reason, Reason.WRONG_NAME)
