"""
Trust on first use, at a terminal: C{xtls attach} and C{xtls hosts} as processes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import ssl
import stat
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from tests.support.identity import authority
from tests.support.interop import InteropCase
from tests.support.programs import Peer, echo
from tests.support.terminals import Session
from xtls.config.locations import configDirectory
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import KeyPair, fingerprint
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.pins import pinOf

QUESTION: Final = "once, always or no [no]: "
REFUSED: Final = ExitStatus.CERTIFICATE_VERIFY_FAILED


class FirstUseCase(InteropCase):
    """
    A port with a certificate that nobody vouches for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pair = selfSigned(["localhost"])
        self.hosts = KnownHosts(configDirectory({"HOME": str(self.folder)}))

    def ported(self, pair: KeyPair | None = None) -> int:
        """
        The number of a port with the certificate, which sends back what it gets.
        """
        self.issued("own.pem", self.pair if pair is None else pair)
        forward = self.forward(echo)
        return self.port(forward, "--bind-tcp=127.0.0.1:0", "--ssl-cert=own.pem").number()

    def session(self, command: str, *redirections: str) -> Session:
        """
        Run a command at a terminal.
        """
        return Session(self, command, self.folder, redirections=redirections)

    def attached(self, target: str, *options: str, answer: str | None = None) -> tuple[int, bytes, str]:
        """
        Attach at a terminal, with input and output that are files.

        @param answer: what is typed when there is the question; by default, there must be none.
        @return: status, output, and what was shown.
        """
        self.write("input", b"hello\n")
        command = shlex.join(["xtls", "attach", target, *options])
        session = self.session(command, "< input", "> output")
        if answer is not None:
            session.waitFor(QUESTION)
            session.type(answer)
        status = session.wait()
        self.assertEqual(session.seen.count(QUESTION), int(answer is not None), session.seen)
        return status, (self.folder / "output").read_bytes(), session.seen


class AskedTests(FirstUseCase):
    """
    Somebody is at the terminal.
    """

    def test_answers(self) -> None:
        """
        Accepted once, it is asked again; for always, it is not; where it is not accepted, nothing is sent.
        This holds for ssl and wss, under either version of TLS.
        """
        number = self.ported()
        for mode in ("ssl", "wss"):
            for version in ("TLSv1_2", "TLSv1_3"):
                target, option = f"{mode}://localhost:{number}/", f"--ssl-protocol={version}"
                for answer in ("no\n", "\n", "\x04"):
                    status, output, seen = self.attached(target, option, answer=answer)
                    self.assertEqual((status, output), (REFUSED, b""), seen)
                    self.assertIn("was not accepted; nothing was sent", seen)
                status, output, seen = self.attached(target, option, answer="once\n")
                self.assertEqual((status, output), (0, b"hello\n"), seen)
                self.assertEqual(self.hosts.all(), [])
                status, output, seen = self.attached(target, option, answer="always\n")
                self.assertEqual((status, output), (0, b"hello\n"), seen)
                for each in ("subject ", "issuer ", "names ", "valid ", "is self-signed"):
                    self.assertIn(each, seen)
                self.assertIn(fingerprint(self.pair.certificate), seen)
                self.assertEqual(self.attached(target, option), (0, b"hello\n", ""))
                done = self.attach(target, option, given=b"hello\n")
                self.assertEqual((done.status, done.output, done.errors), (0, b"hello\n", b""))
                self.succeed(f"xtls hosts forget localhost:{number}")

    def test_stored(self) -> None:
        """
        What is remembered is for its owner alone, can be read, listed, shown and forgotten.
        """
        number = self.ported()
        self.attached(f"ssl://localhost:{number}/", answer="always\n")
        found = self.hosts.find("localhost", number)
        assert found is not None
        self.assertEqual(found.certificate, self.pair.certificate)
        for name in ("cert.pem", "options"):
            self.assertEqual(stat.S_IMODE(os.stat(found.path / name).st_mode), 0o600)
        self.succeed("openssl x509 -noout -in", str(found.path / "cert.pem"))
        self.assertIn(f"localhost:{number}", self.succeed("xtls hosts list").text)
        self.assertIn(found.pin, self.succeed("xtls hosts list --json").text)
        self.assertIn(found.pin, self.succeed(f"xtls hosts show localhost:{number}").text)
        self.succeed("xtls hosts forget localhost")
        self.assertEqual(self.do(f"xtls hosts show localhost:{number}").status, 1)
        self.attached(f"ssl://localhost:{number}/", answer="no\n")

    def test_terminal(self) -> None:
        """
        Where standard input is the terminal, what is typed after the answer goes to the server.
        """
        session = self.session(f"xtls attach ssl://localhost:{self.ported()}/")
        session.waitFor(QUESTION)
        session.type("what?\n")
        session.waitFor("Answer once, always or no: ")
        session.type("once\n")
        session.waitFor("once\n")
        session.type("hello\n")
        session.waitFor("hello\nhello\n")
        session.type("\x04")
        self.assertEqual(session.wait(), 0)

    def test_interrupted(self) -> None:
        """
        An interruption is no answer, also where a program is to be run.
        """
        number = self.ported()
        for more in ("", "-- touch started-{port}"):
            session = self.session(f"exec xtls attach ssl://localhost:{number}/ {more}")
            session.waitFor(QUESTION)
            session.type("\x03")
            self.assertEqual(session.wait(), ExitStatus.INTERRUPTED)
        self.assertEqual((self.hosts.all(), list(self.folder.glob("started-*"))), ([], []))

    def test_program(self) -> None:
        """
        Who is asked is asked before a program is started or a port opened; and neither is when they refuse.
        """
        number = self.ported()
        program = "sh -c 'echo hello | socat -t5 - TCP:127.0.0.1:{port}'"
        command = f"xtls attach ssl://localhost:{number}/ -- {program}"
        for answer, status in (("no", REFUSED), ("once", 0)):
            session = self.session(command)
            session.waitFor(QUESTION)
            session.type(f"{answer}\n")
            self.assertEqual(session.wait(), status)
            self.assertEqual(session.seen.endswith("hello\n"), status == 0, session.seen)
        listen = "--listen=tcp:0:interface=127.0.0.1"
        session = self.session(f"exec xtls attach ssl://localhost:{number}/ {listen}")
        session.waitFor(QUESTION)
        self.assertNotIn("listening", session.seen)
        session.type("always\n")
        session.waitFor("listening on 127.0.0.1:")
        session.type("\x03")
        self.assertEqual(session.wait(), ExitStatus.INTERRUPTED)
        self.assertEqual(len(self.hosts.all()), 1)

    def test_chain(self) -> None:
        """
        Behind an authority that is not known, it is the server's own certificate that is shown and accepted,
        also where the server sends the authority's; and a name that is wrong can be accepted.
        """
        pair = authority().issue("somebody.else")
        pair = replace(pair, chain=(authority().certificate,))
        number = self.ported(pair)
        target = f"ssl://localhost:{number}/"
        status, output, seen = self.attached(target, answer="always\n")
        self.assertEqual((status, output), (0, b"hello\n"), seen)
        self.assertIn(fingerprint(pair.certificate), seen)
        self.assertNotIn(fingerprint(authority().certificate), seen)
        found = self.hosts.find("localhost", number)
        assert found is not None
        self.assertEqual(found.certificate, pair.certificate)
        self.assertEqual(self.attached(target)[:2], (0, b"hello\n"))

    def test_renewed(self) -> None:
        """
        A server that has renewed its certificate with the same key is not asked about; the new one is
        remembered.
        """
        number = self.ported()
        before = selfSigned(["localhost"], key=self.pair.key).certificate
        self.hosts.remember("localhost", number, before)
        status, output, seen = self.attached(f"ssl://localhost:{number}/", "--verbose")
        self.assertEqual((status, output), (0, b"hello\n"), seen)
        self.assertIn("new certificate with the same key", seen)
        found = self.hosts.find("localhost", number)
        assert found is not None
        self.assertEqual(found.certificate, self.pair.certificate)


class RefusedTests(FirstUseCase):
    """
    There is no question.
    """

    def test_changed(self) -> None:
        """
        A key that has changed is refused loudly: both fingerprints, since when, and the command that forgets
        the old one, which works as it stands.
        """
        number = self.ported()
        old = selfSigned(["localhost"]).certificate
        then = datetime(2026, 2, 3, 4, 5, tzinfo=timezone.utc)
        remembered = self.hosts.remember("localhost", number, old, then)
        for mode in ("ssl", "wss"):
            for option in ("--ssl-protocol=TLSv1_2", "--ssl-protocol=TLSv1_3"):
                status, output, seen = self.attached(f"{mode}://localhost:{number}/", option)
                self.assertEqual((status, output), (REFUSED, b""), seen)
                for each in (fingerprint(old), fingerprint(self.pair.certificate), "2026-02-03", "CHANGED"):
                    self.assertIn(each, seen)
        self.assertEqual(self.hosts.find("localhost", number), remembered)
        command = re.search(r"^ {4}(.*hosts forget .*)$", seen, re.MULTILINE)
        assert command is not None
        self.succeed(command[1])
        self.assertEqual(self.attached(f"ssl://localhost:{number}/", answer="once\n")[0], 0)

    def test_nobody(self) -> None:
        """
        Without a terminal, where standard error is read by somebody else, and in the background, nobody is
        asked; the refusal has a command with the pin of the key, which works as it stands.
        """
        number = self.ported()
        target = f"ssl://localhost:{number}/"
        done = self.do("setsid -w xtls attach", target, given=b"hello\n")
        self.assertEqual((done.status, done.output), (REFUSED, b""), done.text)
        for redirection in ("2> errors", "2>&1 | cat > errors"):
            session = self.session(f"xtls attach {target} < /dev/null", redirection)
            session.wait()
            self.assertNotIn(QUESTION, session.seen)
            self.assertIn("cannot be verified", (self.folder / "errors").read_text("utf-8"))
        session = self.session(f"set -m; xtls attach {target} < /dev/null & wait $!; echo status $?")
        session.wait()
        self.assertIn(f"status {REFUSED}", session.seen)
        self.assertNotIn(QUESTION, session.seen)
        command = re.search(r"^ {4}(.*--ssl-pin=sha256:[0-9a-f]{64})$", done.text, re.MULTILINE)
        assert command is not None
        pinned = self.do(command[1], given=b"hello\n")
        self.assertEqual((pinned.status, pinned.output, pinned.errors), (0, b"hello\n", b""))

    def test_said(self) -> None:
        """
        Who has said whom to believe is not asked; and what they say comes before what is remembered.
        """
        number = self.ported()
        target = f"ssl://localhost:{number}/"
        for option in ("--ssl-ca-certs=ca.pem", "--ssl-server-verify-mode=required"):
            self.assertEqual(self.attached(target, option)[0], REFUSED)
        wrong = pinOf(authority().certificate)
        self.assertEqual(self.attached(target, f"--ssl-pin={wrong}")[0], REFUSED)
        self.hosts.remember("localhost", number, authority().certificate)
        self.assertEqual(self.attached(target)[0], REFUSED)
        for option in (f"--ssl-pin={pinOf(self.pair.certificate)}", "--ssl-ca-certs=own.pem"):
            self.assertEqual(self.attached(target, option)[:2], (0, b"hello\n"))

    def test_expired(self) -> None:
        """
        What has expired is refused whoever accepts its key, and so nobody is asked; and a key that is
        remembered does not make up for it.
        """
        now = datetime.now(timezone.utc)
        past = {"notBefore": now - timedelta(days=9), "notAfter": now - timedelta(days=1)}
        pair = authority().issue("localhost", selfSigned=True, **past)  # type: ignore[arg-type]
        number = self.ported(pair)
        target = f"ssl://localhost:{number}/"
        for _ in range(2):
            status, output, seen = self.attached(target)
            self.assertEqual((status, output), (REFUSED, b""))
            self.assertIn("expired on", seen)
            self.hosts.remember("localhost", number, pair.certificate)

    def test_somebodyInBetween(self) -> None:
        """
        Somebody who steps in between the question and the connection is refused, with no octet of the
        application, and is not remembered.
        """
        heard: list[bytes] = []
        shown = [self.pair, selfSigned(["localhost"])]

        def serve(connection: socket.socket) -> None:
            path = self.issued("serving.pem", shown.pop(0))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
            with (
                contextlib.suppress(ssl.SSLError),
                context.wrap_socket(connection, server_side=True) as secure,
            ):
                heard.append(secure.recv(100))

        number = Peer(self, serve).port
        status, output, seen = self.attached(f"ssl://localhost:{number}/", answer="always\n")
        self.assertEqual((status, output), (REFUSED, b""), seen)
        self.assertIn("accepted just now", seen)
        self.assertEqual((heard, shown, self.hosts.all()), ([], [], []))

    def test_xpra(self) -> None:
        """
        A host that was accepted in xpra need not be accepted again.
        """
        number = self.ported()
        path = self.folder / "xpra" / "hosts" / f"localhost_{number}"
        path.mkdir(parents=True)
        self.succeed("openssl x509 -in own.pem -out", str(path / "cert.pem"))
        (path / "options").write_text("check-hostname=False\n", "ascii")
        done = self.do(
            f"env XTLS_SSL_CERT_PATHS={self.folder / 'xpra'} xtls attach ssl://localhost:{number}/",
            given=b"hello\n",
        )
        self.assertEqual((done.status, done.output), (0, b"hello\n"), done.text)
