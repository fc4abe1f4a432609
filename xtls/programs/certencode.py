"""
C{xtls cert encode}: certificates as one word of text, for URLs, files and command lines.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from xtls.errors import OptionError
from xtls.programs.certpassphrase import PASSWORD
from xtls.programs.certreading import certificateFile, readFor
from xtls.programs.commandline import SOURCE, CommandLine, Word
from xtls.programs.statuses import ExitStatus
from xtls.trust.particulars import isSelfSigned, issuerOf

__all__ = ["encoded", "run"]

_HELP: Final = """\
Usage: xtls cert encode [FILE] [options]

Prints the certificates of a file, or the default certificate, as --ssl-ca-data takes them: in one word, for
command lines, URLs and connection files alike.  A key that is in the file is left out.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert encode ca.crt
  xtls attach ssl://host:10000/ --ssl-ca-data=$(xtls cert encode ca.crt)
  xtls attach "ssl://host:10000/?ssl-ca-data=$(xtls cert encode --hex ca.crt)"
"""

_LINE: Final = CommandLine(
    [
        Word("base64", "in base64, with the prefix that says so: this is the default", group="options"),
        Word("hex", "in hexadecimal, which is longer, and which every xpra reads", group="options"),
        PASSWORD,
        Word("help", "show this", group="options"),
    ]
)

#: What every octet of base64 stands for: so many octets end without C{=}.
_GROUP: Final = 3


def run(arguments: Sequence[str]) -> int:
    """
    Print the certificates.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood.
    @raise CertificateFileError: if the file cannot be read, or has none.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if given.has("base64") and given.has("hex"):
        raise OptionError("hex", SOURCE, "expected this, or base64, but not both")
    path = certificateFile(given)
    certificates = readFor(given, path).certificates
    if not any(map(isSelfSigned, certificates)):
        print(
            f"xtls cert: {path} has no CA and nothing that is signed by itself: who is given this alone"
            f" believes nobody, and needs the certificate of {issuerOf(certificates[-1])}",
            file=sys.stderr,
        )
    print(encoded(certificates, hexadecimal=given.has("hex")))
    return ExitStatus.OK


def encoded(certificates: Sequence[x509.Certificate], *, hexadecimal: bool = False) -> str:
    """
    Certificates as one word, of letters and digits but for the prefix of base64, so that no URL, file or
    shell reads it otherwise.

    They are encoded as PEM, as xpra's documentation does it.  What PEM consists of has neither C{+} nor C{/}
    in base64, and line ends fill up the rest.
    """
    data = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)
    if hexadecimal:
        return data.hex()
    return "base64:" + base64.b64encode(data + b"\n" * (-len(data) % _GROUP)).decode("ascii")
