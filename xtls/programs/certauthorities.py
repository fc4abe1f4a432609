"""
The CA of a command line: where it is, its passphrase, and what is said when it cannot be used.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from cryptography import x509

from xtls.config.locations import authorityDirectory
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certsecrets import WHERE, Ask, givenPassphrase, terminal
from xtls.programs.commandline import SOURCE, Given, Word
from xtls.programs.messages import thisCommand
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import NO_PASSPHRASE, KeyPair

__all__ = ["CA", "CA_PASSWORD", "caOption", "folderOf", "lifetimeNote", "openAuthority", "requireAuthority"]

CA: Final = Word("ca", "the folder of the CA", "FOLDER", "options", "ca, beside the default certificate")
CA_PASSWORD: Final = Word("ca-password", f"passphrase of the CA's key: {WHERE}", "WHERE", "options")


def folderOf(given: Given) -> AuthorityFolder:
    """
    The folder that is named, or the user's own.
    """
    return AuthorityFolder(Path(given.last(CA.name) or authorityDirectory()).expanduser().absolute())


def caOption(folder: AuthorityFolder) -> str:
    """
    The option that names a folder, with a space before it; nothing for the user's own.
    """
    where = folder.directory
    return "" if where == authorityDirectory().absolute() else f" --{CA.name}={shlex.quote(str(where))}"


def requireAuthority(folder: AuthorityFolder) -> None:
    """
    Refuse to go on without a CA.
    """
    if not folder.exists:
        remedy = f"make one with: {thisCommand()} cert ca{caOption(folder)}"
        raise OptionError(CA.name, SOURCE, f"there is no CA in {folder.directory}; {remedy}")


def openAuthority(given: Given, folder: AuthorityFolder, ask: Ask | None = None) -> KeyPair:
    """
    Read the CA's certificate and key.

    @param ask: asks for a passphrase; by default, on the terminal if there is one.
    @raise OptionError: if there is none, or its passphrase is missing.
    @raise CertificateFileError: if it cannot be read.
    """
    requireAuthority(folder)
    asking = ask or terminal()
    question = f"passphrase of {folder.keyPath}: "
    password = givenPassphrase(given, CA_PASSWORD.name, question, asking)
    try:
        return folder.open(password or b"")
    except CertificateFileError as e:
        if e.problem != NO_PASSPHRASE:
            raise
    if asking is None:
        problem = f"{folder.keyPath} is encrypted: say where its passphrase is, {WHERE}"
        raise OptionError(CA_PASSWORD.name, SOURCE, problem)
    return folder.open(asking(question).encode("utf-8", "replace"))


def lifetimeNote(folder: AuthorityFolder, authority: x509.Certificate, issued: x509.Certificate) -> str:
    """
    What to say about a certificate that ends only because its CA does; nothing for any other.
    """
    if issued.not_valid_after_utc < authority.not_valid_after_utc:
        return ""
    where = shlex.quote(str(folder.certificatePath))
    return (
        f"  it ends when its CA does, on {authority.not_valid_after_utc:%Y-%m-%d}, and no later;"
        f" renew the CA first with: {thisCommand()} cert renew {where}{caOption(folder)}\n"
    )
