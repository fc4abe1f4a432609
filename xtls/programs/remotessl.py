"""
The default certificate of another machine, by ssh: made or shown there, and remembered here.

What comes back over ssh comes from whom ssh has verified.  So it is remembered as that host's, as if somebody
had compared the fingerprint, and C{xtls attach ssl://host:port/} then verifies the server by it.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509

from xtls.config.modes import Mode, Target, joinHostPort, parsePort
from xtls.config.target import parseTarget
from xtls.errors import CertificateFileError, OptionError, XTLSError
from xtls.programs.commandline import SOURCE, Given, Word
from xtls.programs.messages import thisCommand
from xtls.trust.certificates import fingerprint, parseCertificates
from xtls.trust.knownhosts import KnownHosts

__all__ = ["REMOTE_WORDS", "Execute", "NotReached", "Remote", "remoteOf"]

#: Runs a program, as L{subprocess.run} does.
Execute = Callable[..., Any]

#: The ports for which a host's certificate is remembered: that of xpra's servers, and that of the examples.
_PORTS: Final = (14500, 10000)

#: The most that is read of what the other machine prints, in octets.
_LARGEST_OUTPUT: Final = 1 << 20

#: The status with which a shell says that there is no such command.
_NO_COMMAND: Final = 127

#: What statuses mean; 255 is that of ssh itself.
_PROBLEMS: Final = {
    _NO_COMMAND: "neither xtls nor xpra is there, on the path that ssh gives it",
    255: "ssh has not connected, or not got in",
}

#: The options of both commands that are about another machine.
REMOTE_WORDS: Final = (
    Word(
        "port",
        "remember the certificate for this port of the host",
        "PORT",
        "options of ssh:// targets",
        ", ".join(map(str, _PORTS)),
        repeatable=True,
    ),
    Word(
        "host",
        "remember it for this name, where servers are called otherwise than by ssh",
        "NAME",
        "options of ssh:// targets",
        "that of the target",
    ),
    Word("ssh", "how to run ssh", "COMMAND", "options of ssh:// targets", "ssh"),
)


class NotReached(XTLSError):
    """
    The other machine has not done what it was asked for.
    """


@dataclass(frozen=True)
class Remote:
    """
    Another machine.

    @ivar target: how ssh gets there.
    @ivar host: what its servers are called.
    @ivar ports: where they listen.
    @ivar ssh: the words of the ssh command.
    """

    target: Target
    host: str
    ports: tuple[int, ...]
    ssh: tuple[str, ...]

    def words(self, command: str, *options: str) -> list[str]:
        """
        The words that run a command of xtls's, or xpra's, there.  Whatever shell the user has there passes on
        what stands in single quotes.

        @param options: for xtls alone: xpra has no such.
        """
        ours = shlex.join(["xtls", command, *options])
        script = (
            f"if command -v xtls >/dev/null 2>&1; then exec {ours}; "
            f"elif command -v xpra >/dev/null 2>&1; then exec xpra {command}; "
            f"else exit {_NO_COMMAND}; fi"
        )
        port = [] if self.target.port == Mode.SSH.defaultPort else ["-p", str(self.target.port)]
        user = f"{self.target.username}@" if self.target.username else ""
        return [*self.ssh, "-T", *port, "--", f"{user}{self.target.host}", f"sh -c '{script}'"]

    def certificate(self, words: Sequence[str], execute: Execute) -> x509.Certificate:
        """
        Run a command there, and read the certificate that it prints.

        @raise OptionError: if ssh cannot be run.
        @raise NotReached: if there is none.
        """
        where = self.target.describe()
        try:
            done = execute(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        except OSError as e:
            raise OptionError("ssh", SOURCE, f"{self.ssh[0]} cannot be run: {e.strerror}") from None
        if done.returncode != 0:
            problem = _PROBLEMS.get(
                done.returncode, f"the command there has failed, with status {done.returncode}"
            )
            raise NotReached(f"{where}: {problem}")
        try:
            return parseCertificates(_blocks(done.stdout[:_LARGEST_OUTPUT]))[0]
        except ValueError as e:
            raise NotReached(f"{where}: what came back is no certificate: {e}") from None

    def remember(self, certificate: x509.Certificate, hosts: KnownHosts) -> list[str]:
        """
        Remember the certificate for each port.

        @return: what was done, in sentences.
        """
        lines = []
        for port in self.ports:
            place = joinHostPort(self.host, port)
            try:
                before = hosts.find(self.host, port)
            except CertificateFileError:
                before = None
            remembered = hosts.remember(self.host, port, certificate)
            if before is not None and before.pin != remembered.pin:
                lines.append(f"the key of {place} was another one; forgotten: {before.fingerprint}")
            lines.append(f"remembered for {place}: {fingerprint(certificate)}")
        place = joinHostPort(self.host, self.ports[-1])
        lines.append(f"a server there that shows it is verified: {thisCommand()} attach ssl://{place}/")
        return lines


def _blocks(data: bytes) -> bytes:
    """
    What is PEM, of what the other machine has printed: what else it greets with does not count.
    """
    begin = data.find(b"-----BEGIN ")
    return data[begin:] if begin >= 0 else b""


def remoteOf(given: Given) -> Remote:
    """
    The other machine that a command line names.

    @raise OptionError: if it cannot be understood.
    """
    if not given.arguments:
        said = next(word.name for word in REMOTE_WORDS if given.has(word.name))
        raise OptionError(said, SOURCE, "is for another machine: name it, as ssh://host/")
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one target")
    target = parseTarget(given.arguments[0])
    if target.mode is not Mode.SSH:
        raise OptionError("TARGET", SOURCE, "expected ssh://host/, where ssh gets to")
    if target.password:
        raise OptionError("TARGET", SOURCE, "expected no password: ssh asks for it")
    if target.username.startswith("-"):
        raise OptionError("TARGET", SOURCE, "expected a user, and no option")
    try:
        ports = tuple(parsePort(text) for text in given.all("port"))
        ssh = tuple(shlex.split(given.last("ssh", "ssh")))
    except ValueError as e:
        raise OptionError("port" if given.has("port") else "ssh", SOURCE, str(e)) from None
    if not ssh:
        raise OptionError("ssh", SOURCE, "expected a command, such as ssh")
    return Remote(target, given.last("host", target.host), ports or _PORTS, ssh)
