"""
What the commands that look at files of certificates have in common: which file, and what is in it.
"""

from __future__ import annotations

from xtls.config.locations import defaultCertificatePath, findDefaultCertificate
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certpassphrase import passphraseOf
from xtls.programs.commandline import SOURCE, Given
from xtls.programs.messages import thisCommand
from xtls.trust.contents import Contents, readContents
from xtls.trust.files import readFile

__all__ = ["certificateFile", "readFor"]


def certificateFile(given: Given) -> str:
    """
    The file that is to be looked at: the one that is named, or the default certificate.

    @raise OptionError: if there is more than one, or it is a server's address.
    @raise CertificateFileError: if there is no default certificate.
    """
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one file")
    if given.arguments and "://" in given.arguments[0]:
        problem = f"this is a server, and no file: {thisCommand()} check says what it shows"
        raise OptionError("FILE", SOURCE, problem)
    path = given.arguments[0] if given.arguments else str(findDefaultCertificate() or "")
    if not path:
        remedy = "name a file, or make one with: xtls cert self-signed"
        raise CertificateFileError(
            str(defaultCertificatePath()), f"there is no default certificate; {remedy}"
        )
    return path


def readFor(given: Given, path: str, *, certificates: bool = True) -> Contents:
    """
    Read a file, with the passphrase that the command line says.

    @param certificates: whether there must be one in it.
    @raise CertificateFileError: if it cannot be read.
    """
    try:
        contents = readContents(readFile(path), passphraseOf(given, path))
    except ValueError as e:
        raise CertificateFileError(path, str(e)) from None
    if certificates and not contents.certificates:
        raise CertificateFileError(path, "no certificate in it")
    return contents
