"""
C{xtls cert fingerprint}: the fingerprint of a certificate alone, for people and scripts that compare it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Word
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import fingerprint, loadCertificates
from xtls.trust.pins import pinOf

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert fingerprint FILE [--pin]

Prints the SHA-256 fingerprint of the first certificate in a file, to compare with what a client shows; or
the pin of its key, which stays when the certificate is renewed, for clients to believe: --ssl-pin.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert fingerprint server.pem
  xtls attach ssl://host:10000/ --ssl-pin=$(xtls cert fingerprint --pin server.pem)
"""

_LINE: Final = CommandLine(
    [
        Word("pin", "print the pin of the key in place of the fingerprint", group="options"),
        Word("help", "show this", group="options"),
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Print the fingerprint.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood.
    @raise CertificateFileError: if the file cannot be read.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if not given.arguments:
        raise OptionError("fingerprint", SOURCE, "say which file: xtls cert fingerprint FILE")
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one file")
    certificate = loadCertificates(given.arguments[0])[0]
    print(pinOf(certificate) if given.has("pin") else fingerprint(certificate))
    return ExitStatus.OK
