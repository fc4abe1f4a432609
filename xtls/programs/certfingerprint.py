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

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert fingerprint FILE

Prints the SHA-256 fingerprint of the first certificate in a file, to compare with what a client shows.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert fingerprint server.pem
"""

_LINE: Final = CommandLine([Word("help", "show this", group="options")])


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
    print(fingerprint(loadCertificates(given.arguments[0])[0]))
    return ExitStatus.OK
