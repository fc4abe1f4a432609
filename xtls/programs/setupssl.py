"""
C{xtls setup-ssl} and C{xtls show-ssl}: the default certificate, made when there is none, and printed; here,
or on another machine by ssh.

Standard output has the certificate and nothing else, so that the other side of ssh can read it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from xtls.config.locations import (
    certificateSearchPath,
    configDirectory,
    defaultCertificatePath,
    findDefaultCertificate,
)
from xtls.errors import CertificateFileError
from xtls.programs.commandline import CommandLine, Given, Word
from xtls.programs.remotessl import REMOTE_WORDS, Execute, NotReached, remoteOf
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import fingerprint, loadCertificates, toPEM
from xtls.trust.defaults import defaultNames, ensureDefaultCertificate
from xtls.trust.files import writePrivate
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts

__all__ = ["run", "show"]

_HELP: Final = """\
Usage: xtls setup-ssl [ssh://[USER@]HOST[:PORT]/] [options]

Prints the default certificate, and makes it, with its key, when there is none yet.

With a target it does so there, by ssh, with xtls or else xpra, and remembers the certificate as that host's:
"xtls attach ssl://HOST:PORT/" then verifies a server that shows it.

"""

_EXAMPLES: Final = """\

Examples:
  xtls setup-ssl > cert.pem
  xtls setup-ssl ssh://me@host/
  xtls setup-ssl ssh://host:2222/ --port=443 --ssh="ssh -i key"
"""

_SHOW_HELP: Final = """\
Usage: xtls show-ssl [ssh://[USER@]HOST[:PORT]/] [options]

Prints the default certificate; "xtls cert show" says in words what is in it.

With a target it prints that of the other machine, by ssh, with xtls or else xpra, and remembers it as that
host's: "xtls attach ssl://HOST:PORT/" then verifies a server that shows it.

"""

_SHOW_EXAMPLES: Final = """\

Examples:
  xtls show-ssl > cert.pem
  xtls show-ssl ssh://me@host/
"""

_FORCE: Final = Word("force", "make a new one in the place of the one that is there", group="options")
_OTHERS: Final = (Word("help", "show this", group="options"), *REMOTE_WORDS)

_LINE: Final = CommandLine([_FORCE, *_OTHERS])
_SHOW_LINE: Final = CommandLine(list(_OTHERS))


def run(arguments: Sequence[str], execute: Execute = subprocess.run) -> int:
    """
    C{xtls setup-ssl}.

    @param execute: runs ssh, as L{subprocess.run} does.
    @return: the exit status.
    @raise OptionError: if the command line cannot be understood.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if given.arguments or any(given.has(word.name) for word in REMOTE_WORDS):
        return _elsewhere("setup-ssl", given, ["--force"] if given.has("force") else [], execute)
    found = None if given.has("force") else findDefaultCertificate()
    if found is None:
        found = _make(force=given.has("force"))
    _print(loadCertificates(str(found))[0])
    return ExitStatus.OK


def show(arguments: Sequence[str], execute: Execute = subprocess.run) -> int:
    """
    C{xtls show-ssl}.

    @param execute: runs ssh, as L{subprocess.run} does.
    @return: the exit status.
    @raise OptionError: if the command line cannot be understood.
    @raise CertificateFileError: if there is no default certificate, or it cannot be read.
    """
    given = _SHOW_LINE.parse(arguments)
    if given.has("help"):
        print(_SHOW_HELP + _SHOW_LINE.help() + _SHOW_EXAMPLES, end="")
        return ExitStatus.OK
    if given.arguments or any(given.has(word.name) for word in REMOTE_WORDS):
        return _elsewhere("show-ssl", given, [], execute)
    found = findDefaultCertificate()
    if found is None:
        problem = "there is no default certificate; make one with: xtls setup-ssl"
        raise CertificateFileError(str(defaultCertificatePath()), problem)
    _print(loadCertificates(str(found))[0])
    return ExitStatus.OK


def _make(*, force: bool) -> Path:
    """
    Make the default certificate.
    """
    path = defaultCertificatePath()
    if force:
        writePrivate(path, toPEM(selfSigned(defaultNames())))
    else:
        ensureDefaultCertificate(path)
    _say("setup-ssl", f"made {path}: {fingerprint(loadCertificates(str(path))[0])}")
    return path


def _elsewhere(command: str, given: Given, options: Sequence[str], execute: Execute) -> int:
    """
    Do it on another machine.
    """
    remote = remoteOf(given)
    try:
        certificate = remote.certificate(remote.words(command, *options), execute)
    except NotReached as e:
        _say(command, str(e))
        return ExitStatus.CONNECTION_FAILED
    for line in remote.remember(certificate, KnownHosts(configDirectory(), certificateSearchPath())):
        _say(command, line)
    _print(certificate)
    return ExitStatus.OK


def _say(command: str, text: str) -> None:
    """
    Say something beside what is printed.
    """
    print(f"xtls {command}: {text}", file=sys.stderr)


def _print(certificate: x509.Certificate) -> None:
    """
    Print a certificate.
    """
    print(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), end="")
