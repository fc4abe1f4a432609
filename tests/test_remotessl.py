"""
The default certificate of another machine.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import OptionError
from xtls.programs.commandline import CommandLine
from xtls.programs.remotessl import REMOTE_WORDS, NotReached, Remote, remoteOf
from xtls.trust.certificates import fingerprint
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts

PAIR = selfSigned(["a.test"])
PEM = PAIR.certificate.public_bytes(Encoding.PEM)


def remote(*words: str) -> Remote:
    """
    The other machine that a command line names.
    """
    return remoteOf(CommandLine(REMOTE_WORDS).parse(words))


def printed(output: bytes, status: int = 0) -> Callable[..., Any]:
    """
    An ssh whose other side prints something.
    """
    return lambda words, **options: subprocess.CompletedProcess(words, status, output)


class RemoteTests(SynchronousTestCase):
    """
    L{Remote} and L{remoteOf}.
    """

    def refused(self, *words: str) -> OptionError:
        """
        Read a command line that cannot be used.
        """
        return self.assertRaises(OptionError, remote, *words)  # type: ignore[no-any-return]

    def test_words(self) -> None:
        """
        ssh is told where to go, and has a shell there run xtls, or else xpra, whatever shell the user has.
        """
        words = remote("ssh://me@a.test/").words("setup-ssl", "--force")
        self.assertEqual(words[:4], ["ssh", "-T", "--", "me@a.test"])
        self.assertTrue(words[4].startswith("sh -c '"))
        self.assertIn("exec xtls setup-ssl --force;", words[4])
        self.assertIn("exec xpra setup-ssl;", words[4])
        self.assertEqual(words[4].count("'"), 2)
        words = remote("ssh:a.test:2222", "--ssh=ssh -i 'my key'").words("show-ssl")
        self.assertEqual(words[:-1], ["ssh", "-i", "my key", "-T", "-p", "2222", "--", "a.test"])

    def test_options(self) -> None:
        """
        It is remembered for the host's name and the usual ports, or those that are said.
        """
        self.assertEqual((remote("ssh://h/").host, remote("ssh://h/").ports), ("h", (14500, 10000)))
        other = remote("ssh://h/", "--host=a.test", "--port=443", "--port=1")
        self.assertEqual((other.host, other.ports), ("a.test", (443, 1)))

    def test_wrong(self) -> None:
        """
        One target of ssh's is expected, without a password, and nothing that ssh would take for an option.
        """
        self.assertEqual(self.refused("--port=1").option, "port")
        self.assertEqual(self.refused("ssh://h/", "b").option, "b")
        for target in ("ssl://h/", "ssh://me:hush@h/", "ssh://-oProxyCommand=x@h/", "ssh://-h/"):
            error = self.refused(target)
            self.assertIn(error.option, ("TARGET", "target"))
            self.assertNotIn("hush", str(error))
        self.assertEqual(self.refused("ssh://h/", "--port=0").option, "port")
        self.assertEqual(self.refused("ssh://h/", "--ssh='").option, "ssh")
        self.assertEqual(self.refused("ssh://h/", "--ssh=").option, "ssh")

    def test_certificate(self) -> None:
        """
        The first certificate that is printed is the host's, whatever greets before it.
        """
        machine = remote("ssh://h/")
        for greeting in (b"", b"Welcome\n0 updates\n", b"\x30\x00"):
            certificate = machine.certificate([], printed(greeting + PEM))
            self.assertEqual(certificate, PAIR.certificate)

    def test_noCertificate(self) -> None:
        """
        What is no certificate is refused, and so is one that comes with a failure; it is said why.
        """
        machine = remote("ssh://h/")
        for output, status, part in (
            (b"", 0, "no certificate"),
            (b"what?", 0, "no certificate"),
            (b"\x30\x00", 0, "no certificate"),
            (PEM[:-40], 0, "cut short"),
            (b" " * (1 << 20) + PEM, 0, "no certificate"),
            (PEM, 127, "neither xtls nor xpra"),
            (PEM, 255, "ssh has not connected"),
            (PEM, 2, "with status 2"),
        ):
            error = self.assertRaises(NotReached, machine.certificate, [], printed(output, status))
            self.assertIn(part, str(error))

    def test_noSSH(self) -> None:
        """
        Where ssh cannot be run, that is said.
        """

        def execute(words: object, **options: object) -> object:
            raise FileNotFoundError(2, "No such file")

        error = self.assertRaises(OptionError, remote("ssh://h/").certificate, [], execute)
        self.assertEqual(error.option, "ssh")

    def test_remember(self) -> None:
        """
        The certificate is remembered for each port, and what was remembered before is told when that was
        another key.
        """
        hosts = KnownHosts(Path(self.mktemp()))
        lines = remote("ssh://h/").remember(PAIR.certificate, hosts)
        for port in (14500, 10000):
            found = hosts.find("h", port)
            assert found is not None
            self.assertEqual(found.certificate, PAIR.certificate)
            self.assertIn(f"remembered for h:{port}: {fingerprint(PAIR.certificate)}", lines)
        self.assertEqual(len(lines), 3)
        self.assertIn("ssl://h:10000/", lines[-1])
        self.assertEqual(len(remote("ssh://h/").remember(PAIR.certificate, hosts)), 3)
        other = selfSigned(["a.test"]).certificate
        lines = remote("ssh://h/", "--port=10000").remember(other, hosts)
        self.assertIn(f"forgotten: {fingerprint(PAIR.certificate)}", lines[0])

    def test_unreadable(self) -> None:
        """
        What was remembered and cannot be read any more is replaced.
        """
        hosts = KnownHosts(Path(self.mktemp()))
        machine = remote("ssh://[::1]/", "--port=1")
        machine.remember(PAIR.certificate, hosts)
        (hosts.path("::1", 1) / "cert.pem").write_bytes(b"nothing")
        self.assertEqual(len(machine.remember(PAIR.certificate, hosts)), 2)
        self.assertIsNotNone(hosts.find("::1", 1))
