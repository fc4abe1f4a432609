"""
C{xtls cert crl}: a new revocation list of one's own CA, before the old one is too old.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certauthorities import CA, CA_PASSWORD, caOption, folderOf, openAuthority
from xtls.programs.certmaking import FORCE, HELP, daysOf, daysWord, optionText, refuseExisting
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.files import readFile, writeAgain
from xtls.trust.revoking import LIST_DAYS, listNumber

__all__ = ["LIST_LIFETIME", "listText", "run"]

_HELP: Final = """\
Usage: xtls cert crl [options]

Makes a new revocation list of your CA.  Who checks one believes nothing from the CA once it is too old, so
this has to be done from time to time, by hand or by cron; revoke does it too.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert crl
  xtls cert crl --days=30 --out=/srv/xtls/crl.pem
"""

#: The option that says how long a list is good.
LIST_LIFETIME: Final = daysWord(LIST_DAYS, "how long the revocation list is good, in days")

_LINE: Final = CommandLine(
    [
        Word("out", "write a copy, also over an older list of the same CA", "FILE", "options"),
        LIST_LIFETIME,
        CA,
        CA_PASSWORD,
        FORCE,
        HELP,
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Make the list.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, or there is no CA.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if given.arguments:
        first = given.arguments[0]
        raise OptionError("crl", SOURCE, f"takes no argument such as {first}; say --out={first} for a copy")
    days, folder = daysOf(given, LIST_DAYS), folderOf(given)
    authority = openAuthority(given, folder)
    copy = _copyPath(given, authority.certificate)
    made = folder.publish(authority, days=days)
    if copy is not None:
        writeAgain(copy, made.public_bytes(Encoding.PEM))
    print(listText(folder, made, copy), end="")
    return ExitStatus.OK


def _copyPath(given: Given, authority: x509.Certificate) -> Path | None:
    """
    Where to write a copy, if that was asked for: there is nothing, an older list of this CA, or what may be
    replaced.
    """
    if not given.has("out"):
        return None
    path = Path(given.last("out")).expanduser().absolute()
    try:
        older = x509.load_pem_x509_crl(readFile(path)).issuer == authority.subject
    except (ValueError, CertificateFileError):
        older = False
    refuseExisting(path, older or given.has("force"))
    return path


def listText(folder: AuthorityFolder, made: x509.CertificateRevocationList, copy: Path | None = None) -> str:
    """
    What to say about a new list, and what to do with it.
    """
    path = copy or folder.listPath
    until = made.next_update_utc
    good = f"good until {until:%Y-%m-%d}" if until else "good for ever"
    count = len(made)
    return (
        f"made {path}: revocation list number {listNumber(made)}, {good}, with"
        f" {count or 'no'} certificate{'' if count == 1 else 's'} in it\n"
        "\nnext, have servers and clients that verify read it; a server that does takes it by itself:\n"
        f"  {optionText('crl')}={shlex.quote(str(path))}\n"
        "and make a new one before it is too old:\n"
        f"  {thisCommand()} cert crl{caOption(folder)}\n"
    )
