"""
C{xtls cert show}: what is in a file of certificates, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives import serialization

from xtls.config.locations import defaultCertificatePath, findDefaultCertificate
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certmaking import summary
from xtls.programs.commandline import SOURCE, CommandLine, Word
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import readBundle

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert show [FILE] [options]

Says what is in a file of certificates, or in the default certificate.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert show
  xtls cert show server.pem --pem > server-cert.pem      # the certificate without its key, for clients
"""

_LINE: Final = CommandLine(
    [
        Word("pem", "print the certificates themselves, without the key", group="options"),
        Word("help", "show this", group="options"),
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Say what is in a file.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood.
    @raise CertificateFileError: if the file cannot be read.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one file")
    path = given.arguments[0] if given.arguments else str(findDefaultCertificate() or "")
    if not path:
        remedy = "name a file, or make one with: xtls cert self-signed"
        raise CertificateFileError(
            str(defaultCertificatePath()), f"there is no default certificate; {remedy}"
        )
    certificates, hasKey = readBundle(path)
    if given.has("pem"):
        for certificate in certificates:
            print(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), end="")
        return ExitStatus.OK
    print(f"{path}: {'with its key' if hasKey else 'without a key'}")
    print("".join(map(summary, certificates)), end="")
    return ExitStatus.OK
