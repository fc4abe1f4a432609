"""
C{xtls cert self-signed}: a certificate for this machine, signed by its own key.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from xtls.config.locations import defaultCertificatePath
from xtls.config.modes import joinHostPort
from xtls.errors import OptionError
from xtls.programs.certmaking import (
    FORCE,
    HELP,
    KEY,
    daysOf,
    daysWord,
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
from xtls.trust.certificates import KeyPair, subjectAlternativeNames, toPEM
from xtls.trust.defaults import defaultNames
from xtls.trust.issuing import LEAF_DAYS, selfSigned

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert self-signed [NAME...] [options]

Makes a certificate and its key, in one file that you alone can read.  NAMEs are the host names, wildcards and
addresses by which clients reach the server; by default, this machine's names and localhost.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert self-signed
  xtls cert self-signed example.org 192.0.2.1 --out=server.pem
"""

#: How names end that are files' and not hosts'.
_FILES: Final = (".pem", ".crt", ".cer", ".key")

_LINE: Final = CommandLine(
    [
        Word("out", "where to write it", "FILE", "options", "the default certificate's place"),
        Word("name", "another NAME", "NAME", "options", repeatable=True),
        daysWord(LEAF_DAYS),
        KEY,
        FORCE,
        HELP,
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Make the certificate.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, or the file exists.
    @raise CertificateFileError: if the file cannot be written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    for each in given.arguments:
        if "/" in each or each.endswith(_FILES):
            raise OptionError(
                "self-signed", SOURCE, f"{each} is no host name; for the file, say --out={each}"
            )
    path = Path(given.last("out") or defaultCertificatePath()).expanduser().absolute()
    refuseExisting(path, given.has("force"))
    pair = _newPair(given)
    writeNew(path, toPEM(pair), force=given.has("force"))
    print(f"made {path}: a certificate and its key, which you alone can read")
    print(summary(pair.certificate) + _next(path, pair.certificate), end="")
    return ExitStatus.OK


def _newPair(given: Given) -> KeyPair:
    """
    The certificate and its key.
    """
    days, key = daysOf(given, LEAF_DAYS), keyOf(given)
    try:
        names = (*given.arguments, *given.all("name"))
        return selfSigned(names or defaultNames(), days=days, key=key)
    except ValueError as e:
        raise OptionError("name", SOURCE, str(e)) from None


def _next(path: Path, certificate: x509.Certificate) -> str:
    """
    What to do with a new certificate.
    """
    cert, caCerts = optionText("cert"), optionText("caCerts")
    names = subjectAlternativeNames(certificate)
    host = "localhost" if "localhost" in names else names[0].replace("*.", "host.")
    where = shlex.quote(str(path))
    isDefault = path == Path(defaultCertificatePath())
    return (
        "\nnext, a server in front of some service of yours, and a client that believes it:\n"
        f"  {listeningExample(*([] if isDefault else [f'{cert}={where}']))}\n"
        f"  {thisCommand()} attach ssl://{joinHostPort(host, 10000)}/ {caCerts}={where}\n"
        "for clients on other machines, the certificate without its key:\n"
        f"  {thisCommand()} cert show {where} --pem\n"
    )
