"""
Command lines that make no sense: C{twistd -n xtls} says what is wrong in one sentence, with the option and
where it was said, and ends before anything listens.  (A choice of them: the others are in C{test_service} and
C{test_serviceoptions}.)
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor

from tests.support.interop import InteropCase
from tests.support.programs import Done
from xtls.testing.authority import Authority

#: What makes sense, to be spoilt.
BIND = "--bind-tcp=127.0.0.1:0"
FORWARD = "--forward=tcp:127.0.0.1:9"
CERT = "--ssl-cert=server.pem"


class RefusalTests(InteropCase):
    """
    What is refused before anything listens.
    """

    def ran(self, *options: str) -> Done:
        """
        Run the server to its end, which comes soon.
        """
        return self.do("twistd -n --pidfile= xtls", *options)

    def assertRefused(self, *cases: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        """
        Each command line is refused in one sentence, with certain words in it.

        @param cases: options, and the words.
        """
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            ended = list(pool.map(lambda case: self.ran(*case[0]), cases))
        for (options, words), done in zip(cases, ended):
            said = f"{options}: {done.text}"
            self.assertNotEqual(done.status, 0, said)
            self.assertEqual(len(done.text.strip().splitlines()), 1, said)
            self.assertEqual(done.output, b"", said)
            self.assertTrue(done.text.startswith("xtls: "), said)
            for word in words:
                self.assertIn(word, done.text, options)

    def test_destination(self) -> None:
        """
        Nothing behind the port, nowhere to listen, or an endpoint that is none.
        """
        self.assertRefused(
            ((BIND,), ("--forward", "--www-dir")),
            ((FORWARD,), ("--bind-tcp",)),
            ((BIND, "--forward=tcp"), ("forward (command line)", "missing")),
            ((BIND, "--forward="), ("forward (command line)", "empty")),
            ((BIND, "--www-dir=none"), ("www-dir (command line)", "none")),
            ((FORWARD, "--listen=nonsense:1"), ("listen (command line)",)),
        )

    def test_secrets(self) -> None:
        """
        A secret in an endpoint string is not repeated.
        """
        done = self.ran(BIND, "--forward=ssl:localhost:1:ssl-key-password=hunter2:ssl-kee=x")
        self.assertNotEqual(done.status, 0)
        self.assertIn("ssl-kee", done.text)
        self.assertNotIn("hunter2", done.text)

    def test_certificates(self) -> None:
        """
        Certificates and keys that are not there, are none, do not match, or cannot be read.
        """
        other = Authority("another authority").issue("localhost")
        self.issued("other.pem", other)
        self.succeed("openssl x509 -in server.pem -out cert.pem")
        self.succeed("openssl ec -in server.pem -out key.pem -aes256 -passout pass:secret")
        encrypted = ("--ssl-cert=cert.pem", "--ssl-key=key.pem")
        self.write("wrong", b"wrong\n")
        self.assertRefused(
            (("--bind-ssl=127.0.0.1:0", FORWARD), ("ssl-cert",)),
            ((BIND, FORWARD, "--ssl-cert=none.pem"), ("ssl-cert (command line)", "none.pem")),
            ((BIND, FORWARD, "--ssl-cert=cert.pem"), ("ssl-cert (", "no private key", "--ssl-key")),
            ((BIND, FORWARD, "--ssl-cert=cert.pem", "--ssl-key=other.pem"), ("ssl-key (", "does not belong")),
            ((BIND, FORWARD, *encrypted), ("ssl-key-password",)),
            ((BIND, FORWARD, *encrypted, "--ssl-key-password=file:wrong"), ("ssl-key (", "passphrase")),
            ((f"{BIND},ssl-cert=none.pem", FORWARD), ("ssl-cert", "bind-tcp", "none.pem")),
        )

    def test_verification(self) -> None:
        """
        Authorities that are not there, or are none; clients to be verified by nobody.
        """
        self.assertRefused(
            ((BIND, FORWARD, CERT, "--ssl-ca-certs=none.pem"), ("ssl-ca-certs (command line)",)),
            ((BIND, FORWARD, CERT, "--ssl-client-verify-mode=required"), ("ssl-client-verify-mode",)),
            ((BIND, FORWARD, CERT, "--ssl-verify-flags=LOOSE"), ("ssl-verify-flags (command line)",)),
        )

    def test_protocol(self) -> None:
        """
        What is too old or too weak is not there to be chosen.
        """
        self.assertRefused(
            ((BIND, FORWARD, CERT, "--ssl-protocol=TLSv1"), ("ssl-protocol (command line)", "8996")),
            ((BIND, FORWARD, CERT, "--ssl-ciphers=NOTHING"), ("ssl-ciphers (command line)",)),
            ((BIND, FORWARD, CERT, "--ssl-options=LEGACY_SERVER_CONNECT"), ("ssl-options (command line)",)),
        )

    def test_places(self) -> None:
        """
        Options where they do not apply, or would do nothing.
        """
        self.assertRefused(
            (("--bind=port,ssl-cert=server.pem", FORWARD), ("ssl-cert", "bind", "Unix")),
            (("--bind-wss=127.0.0.1:0,ssl=off", FORWARD, CERT), ("ssl (", "bind-wss")),
            ((BIND, FORWARD, CERT, "--ssl-check-hostname=no"), ("ssl-check-hostname (command line)",)),
            ((BIND, FORWARD, CERT, "--ssl-crt=server.pem"), ("ssl-crt", "ssl-cert")),
            ((f"{BIND},ssl-crt=server.pem", FORWARD), ("ssl-crt", "bind-tcp")),
            ((BIND, FORWARD, "--detect-timeout=soon"), ("detect-timeout (command line)",)),
        )

    def test_addresses(self) -> None:
        """
        Addresses that are none, are taken, or are said twice.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            done = self.ran(BIND, f"--bind-ssl=127.0.0.1:{number}", FORWARD, CERT)
        self.assertNotEqual(done.status, 0)
        self.assertEqual(done.errors.decode("utf-8").count("\n"), 1, done.errors)
        self.assertIn(f"bind-ssl=127.0.0.1:{number}", done.errors.decode("utf-8"))
        self.assertNotIn("Traceback", done.text)
        self.assertRefused(
            (("--bind-tcp=127.0.0.1:http", FORWARD), ("bind-tcp", "expected a port")),
            (("--bind-tcp=127.0.0.1:10000", "--bind-ws=127.0.0.1:10000", FORWARD), ("bind-", "10000")),
        )

    def test_help(self) -> None:
        """
        Whoever asks is told about every option, and its default; that is no error.
        """
        done = self.succeed("twistd xtls --help")
        for word in (
            "--bind-tcp=",
            "--ssl-cert=",
            "--ssl-ca-certs=",
            "--detect-timeout=",
            "default: 5",
            "--forward=",
        ):
            self.assertIn(word, done.text)
