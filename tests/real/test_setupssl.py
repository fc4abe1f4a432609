"""
C{xtls setup-ssl} and C{show-ssl} with another machine: a real sshd, and a server there that is then verified.
"""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path
from unittest import SkipTest

from tests.support.interop import InteropCase
from tests.support.programs import PROGRAMS, Done, echo, find
from xtls.testing.authority import Authority

#: Where sshd keeps apart what has no privileges, when root starts it.
_SEPARATION = Path("/run/sshd")

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
UseDNS no
SetEnv PATH={path} XTLS_SSL_CERT_PATHS={folder}/there HOME={folder}
"""

#: As xpra's: prints a certificate, when it is asked to set one up.
_XPRA = """\
#!/bin/sh
[ "$*" = setup-ssl ] && cat {folder}/theirs.pem
"""


class SetupTests(InteropCase):
    """
    Another machine, which is this one.
    """

    def setUp(self) -> None:
        super().setUp()
        for name in ("host", "user"):
            self.succeed(f"ssh-keygen -q -t ed25519 -f {name} -N", "")

    def startServer(self, path: str) -> int:
        """
        Start an sshd.

        @param path: where programs are found there.
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
            text = _CONFIGURATION.format(port=port, folder=self.folder, path=path)
            self.write("sshd_config", text.encode("utf-8"))
            server = self.start(find("sshd"), "-D", "-e", "-f", str(self.folder / "sshd_config"))
            if "listening on" in server.waitFor("Server listening on|Cannot bind any address")[0]:
                key = (self.folder / "host.pub").read_text("ascii")
                self.write("known", f"[localhost]:{port} {key}".encode("ascii"))
                return port
        raise AssertionError("no port for sshd")

    def xtls(self, command: str, port: int, *options: str) -> Done:
        """
        Run a command of ours with a target of ssh's.
        """
        user = pwd.getpwuid(os.getuid()).pw_name
        ssh = (
            "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=known"
            " -o GlobalKnownHostsFile=none -o IdentitiesOnly=yes -o IdentityFile=user"
        )
        return self.do(f"xtls {command}", f"ssh://{user}@localhost:{port}/", f"--ssh={ssh}", *options)

    def test_setup(self) -> None:
        """
        The certificate is made there, with its key, and comes back without; then a server that has it is
        verified, with nothing said on the command line, and another is not.
        """
        sshd = self.startServer(os.pathsep.join([str(PROGRAMS), "/usr/bin", "/bin"]))
        self.assertEqual(self.xtls("show-ssl", sshd).status, 18)
        there = self.folder / "there" / "ssl-cert.pem"
        listening = self.port("--bind-tcp=127.0.0.1:0", self.forward(echo), "--ssl-cert=server.pem")
        done = self.xtls("setup-ssl", sshd, f"--port={listening.number()}")
        self.assertEqual(done.status, 0, done.text)
        self.assertIn("PRIVATE KEY", there.read_text())
        self.assertTrue(done.output.startswith(b"-----BEGIN CERTIFICATE-----"))
        self.assertNotIn(b"PRIVATE", done.output + done.errors)
        self.assertIn(done.output.decode("ascii"), there.read_text())
        refused = self.do("xtls attach", f"ssl://localhost:{listening.number()}/")
        self.assertEqual(refused.status, 19, refused.text)
        mine = self.port("--bind-tcp=127.0.0.1:0", self.forward(echo), f"--ssl-cert={there}")
        shown = self.xtls("show-ssl", sshd, f"--port={mine.number()}")
        self.assertEqual((shown.status, shown.output), (0, done.output), shown.text)
        attached = self.do("xtls attach", f"ssl://localhost:{mine.number()}/", given=b"hello\n")
        self.assertEqual((attached.status, attached.output), (0, b"hello\n"), attached.text)

    def test_xpra(self) -> None:
        """
        Where there is no xtls, xpra is asked; where that fails or is missing too, it is said.
        """
        self.issued("theirs.pem", Authority().issue("localhost", selfSigned=True))
        program = self.write("bin/xpra", _XPRA.format(folder=self.folder).encode("utf-8"))
        for name in ("sh", "cat"):  # and no xpra that this machine may have
            (program.parent / name).symlink_to(find(name))
        sshd = self.startServer(str(program.parent))
        missing = self.xtls("show-ssl", sshd)
        self.assertEqual(missing.status, 18)
        self.assertIn("neither xtls nor xpra", missing.text)
        program.chmod(0o755)
        done = self.xtls("setup-ssl", sshd)
        self.assertEqual(done.status, 0, done.text)
        self.assertNotIn(b"PRIVATE", done.output + done.errors)
        self.assertIn(done.output.decode("ascii"), (self.folder / "theirs.pem").read_text())
        self.assertIn("localhost:14500", done.text)
        failed = self.xtls("show-ssl", sshd)
        self.assertEqual(failed.status, 18)
        self.assertIn("failed, with status 1", failed.text)
