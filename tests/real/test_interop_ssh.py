"""
OpenSSH through a port: a real sshd behind it, and C{ssh} in front of it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import random
import shlex
import socket
from pathlib import Path
from typing import Final
from unittest import SkipTest

from tests.support.interop import InteropCase
from tests.support.programs import Done, Port, Program, find
from tests.support.terminals import Session
from xtls.testing.authority import Authority

#: Where sshd keeps apart what has no privileges, when root starts it.
_SEPARATION = Path("/run/sshd")

DATA = random.Random(9).randbytes(5 << 20)

_CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UsePAM no
PrintMotd no
PrintLastLog no
UseDNS no
"""


#: How ssh is called, but for where to.
_SSH: Final = (
    "ssh -F none -T -o BatchMode=yes -o ConnectTimeout=20 -o StrictHostKeyChecking=yes"
    " -o UserKnownHostsFile=known -o GlobalKnownHostsFile=none -o HostKeyAlias=the-sshd"
    " -o IdentitiesOnly=yes -o IdentityFile=user"
)


class SSHTests(InteropCase):
    """
    An sshd as the session of a port.
    """

    def setUp(self) -> None:
        super().setUp()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        for name in ("host", "user"):
            self.succeed(f"ssh-keygen -q -t ed25519 -f {name} -N", "")
        key = (self.folder / "host.pub").read_text("ascii")
        self.write("known", f"the-sshd {key}".encode("ascii"))
        self.sshd = self.startServer()
        options = (f"--forward=tcp:127.0.0.1:{self.sshd}", "--ssl-cert=server.pem")
        self.listening: Port = self.port(
            "--bind-tcp=127.0.0.1:0", "--bind-tcp=127.0.0.1:0,ssh-upgrade=no", *options
        )
        self.number, self.raw = self.numbers(self.listening, "tcp", 2)

    def startServer(self) -> int:
        """
        Start sshd.

        @return: its port.
        """
        if os.getuid() == 0:
            try:
                _SEPARATION.mkdir(mode=0o755, exist_ok=True)
            except OSError as e:
                raise SkipTest(f"sshd needs {_SEPARATION}") from e
        for _ in range(5):  # it cannot pick a port, and somebody else may take ours
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = int(free.getsockname()[1])
            text = _CONFIGURATION.format(port=port, folder=self.folder)
            self.write("sshd_config", text.encode("utf-8"))
            server: Program = self.start(find("sshd"), "-D", "-e", "-f", str(self.folder / "sshd_config"))
            if "listening on" in server.waitFor("Server listening on|Cannot bind any address")[0]:
                return port
        raise AssertionError("no port for sshd")

    def ssh(self, command: str, *options: str, given: bytes = b"", host: str = "the-sshd") -> Done:
        """
        Run a command over ssh.
        """
        return self.do(_SSH, *options, f"{self.user}@{host}", command, given=given)

    def proxied(self, mode: str) -> str:
        """
        The option by which ssh comes through the port.
        """
        trusting = "" if mode in ("ws", "tcp") else " --ssl-ca-certs=ca.pem"
        return f"ProxyCommand=xtls attach {mode}://localhost:{self.number}/{trusting}"

    def test_firstUse(self) -> None:
        """
        Under ssh too, whoever sits at the terminal is asked about a server that cannot be verified.
        """
        proxy = shlex.quote(f"ProxyCommand=xtls attach ssl://localhost:{self.number}/")
        session = Session(self, f"{_SSH} -o {proxy} {self.user}@the-sshd 'echo hello'", self.folder)
        session.waitFor("once, always or no [no]: ")
        session.type("once\n")
        self.assertEqual(session.wait(), 0, session.seen)
        self.assertTrue(session.seen.endswith("hello\n"), session.seen)

    def test_command(self) -> None:
        """
        A command runs over ssl, wss and ws; its output and its status come back.
        """
        for mode in ("ssl", "wss", "ws"):
            done = self.ssh("echo hello; exit 7", "-o", self.proxied(mode))
            self.assertEqual((done.output, done.status), (b"hello\n", 7), done.text)

    def test_much(self) -> None:
        """
        Five MiB go there and come back as they were, and sshd's own hash of them is right.
        """
        expected = hashlib.sha256(DATA).hexdigest()
        for mode in ("ssl", "wss", "ws"):
            done = self.ssh("cat", "-o", self.proxied(mode), given=DATA)
            self.assertEqual(done.status, 0, done.errors)
            self.assertEqual(hashlib.sha256(done.output).hexdigest(), expected)
        done = self.ssh("sha256sum", "-o", self.proxied("ssl"), given=DATA)
        self.assertEqual(done.output.split()[0].decode("ascii"), expected)

    def test_notVerified(self) -> None:
        """
        ssh shows why its way there is not to be trusted, and gives up.
        """
        self.issued("other.pem", Authority("another authority").issue("localhost"))
        port = self.port(
            "--bind-tcp=127.0.0.1:0", f"--forward=tcp:127.0.0.1:{self.sshd}", "--ssl-cert=other.pem"
        )
        option = f"ProxyCommand=xtls attach ssl://localhost:{port.number()}/ --ssl-ca-certs=ca.pem"
        done = self.ssh("echo hello", "-o", option)
        self.assertEqual((done.output, done.status), (b"", 255))
        self.assertIn("CERTIFICATE_VERIFY_FAILED", done.text)

    def test_direct(self) -> None:
        """
        An ssh client that comes without TLS is told that this is no place for it; on a socket where nobody
        looks for such clients, it gets to the session as anybody else.
        """
        done = self.ssh("echo hello", "-p", str(self.number), host="127.0.0.1")
        self.assertEqual((done.output, done.status), (b"", 255))
        self.assertIn("SSH is not available on this port", done.text)
        done = self.ssh("echo hello", "-p", str(self.raw), host="127.0.0.1")
        self.assertEqual((done.output, done.status), (b"hello\n", 0), done.text)

    def test_localPort(self) -> None:
        """
        C{ssh} as the program for which C{xtls attach} opens a local port: its status is attach's.
        """
        ssh = (
            "ssh -F none -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=known"
            " -o HostKeyAlias=the-sshd -o IdentitiesOnly=yes -o IdentityFile=user -p {port}"
        )
        target = f"ssl://localhost:{self.number}/"
        words = (*ssh.split(), f"{self.user}@127.0.0.1", "echo hello; exit 7")
        done = self.attach(target, "--ssl-ca-certs=ca.pem", "--", *words)
        self.assertEqual((done.output, done.status), (b"hello\n", 7), done.text)
