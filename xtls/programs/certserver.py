"""
C{xtls cert server}: a certificate for a server, from one's own CA.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from xtls.config.modes import joinHostPort
from xtls.errors import OptionError
from xtls.programs.certauthorities import CA, CA_PASSWORD, folderOf, lifetimeNote, openAuthority
from xtls.programs.certmaking import (
    FORCE,
    HELP,
    KEY,
    daysOf,
    daysWord,
    fileNameFor,
    keyOf,
    listeningExample,
    optionText,
    refuseExisting,
    summary,
    writeNew,
)
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.alternatives import generalName
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import KeyPair, subjectAlternativeNames, toPEM
from xtls.trust.issuing import LEAF_DAYS, newServer

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert server NAME... [options]

Has your CA issue a certificate for a server: NAMEs are the host names, wildcards and addresses by which
clients reach it.  Key, certificate and chain are in one file that you alone can read.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert server example.org www.example.org 192.0.2.1
  xtls cert server "*.example.org" --out=server.pem --days=90
"""

_LINE: Final = CommandLine(
    [
        Word("out", "where to write it", "FILE", "options", "NAME.pem, in this folder"),
        daysWord(LEAF_DAYS),
        KEY,
        CA,
        CA_PASSWORD,
        FORCE,
        HELP,
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Make the certificate.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, there is no CA, or the file exists.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    names = given.arguments
    if not names:
        raise OptionError("server", SOURCE, "say how clients reach it: xtls cert server NAME...")
    for name in names:
        try:
            generalName(name)
        except ValueError as e:
            raise OptionError(name, SOURCE, f"{e}, nor an address") from None
    path = Path(given.last("out") or f"{fileNameFor(names[0])}.pem").expanduser().absolute()
    refuseExisting(path, given.has("force"))
    days, folder = daysOf(given, LEAF_DAYS), folderOf(given)
    authority = openAuthority(given, folder)
    pair = _issued(given, authority, days)
    folder.record(pair.certificate)
    writeNew(path, toPEM(pair), force=given.has("force"))
    print(f"made {path}: a server's certificate and its key, which you alone can read")
    print(summary(pair.certificate) + lifetimeNote(folder, authority.certificate, pair.certificate), end="")
    print(_next(path, folder, pair), end="")
    return ExitStatus.OK


def _issued(given: Given, authority: KeyPair, days: int) -> KeyPair:
    """
    The certificate and its key.
    """
    key = keyOf(given)
    try:
        return newServer(authority, given.arguments, days=days, key=key)
    except ValueError as e:
        raise OptionError(CA.name, SOURCE, str(e)) from None


def _next(path: Path, folder: AuthorityFolder, pair: KeyPair) -> str:
    """
    What to do with it.
    """
    host = subjectAlternativeNames(pair.certificate)[0].replace("*.", "host.")
    where, anchor = shlex.quote(str(path)), shlex.quote(str(folder.certificatePath))
    server = listeningExample(f"{optionText('cert')}={where}")
    return (
        "\nnext, a server in front of some service of yours, and a client that believes your CA:\n"
        f"  {server}\n"
        f"  {thisCommand()} attach ssl://{joinHostPort(host, 10000)}/ {optionText('caCerts')}={anchor}\n"
        f"clients on other machines need a copy of {folder.certificatePath}, and nothing else\n"
    )
