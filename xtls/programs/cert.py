"""
C{xtls cert}: certificates, in one command each.

Each command is a module of its own with a C{run}, which is imported when it is asked for; none asks anything,
overwrites anything unless it is told to, or leaves the user without the next command to run.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

from xtls.programs.commandline import chosen
from xtls.programs.statuses import ExitStatus

__all__ = ["COMMANDS", "run"]

#: Each command, its module, and what it does.
COMMANDS: Final = {
    "self-signed": ("xtls.programs.certselfsigned", "make a certificate for this machine, signed by itself"),
    "ca": ("xtls.programs.certca", "make an authority of your own, and see what it has issued"),
    "server": ("xtls.programs.certserver", "have your authority issue a certificate for a server"),
    "client": ("xtls.programs.certclient", "have it issue one for a client, for browsers too"),
    "renew": ("xtls.programs.certrenew", "make a certificate anew, with the same key and new dates"),
    "revoke": ("xtls.programs.certrevoke", "have a certificate believed no longer"),
    "crl": ("xtls.programs.certcrl", "make a new revocation list"),
    "show": ("xtls.programs.certshow", "say what is in a file of certificates, or in the default one"),
    "fingerprint": ("xtls.programs.certfingerprint", "print the SHA-256 fingerprint of a certificate"),
    "encode": ("xtls.programs.certencode", "print certificates as --ssl-ca-data takes them"),
    "connection-file": (
        "xtls.programs.certconnectionfile",
        "write a .xpra file that leads clients to a server, and says whom to believe",
    ),
    "install-desktop": ("xtls.programs.certinstalldesktop", "have .xpra files open with a double click"),
}

_HELP: Final = (
    "Usage: xtls cert COMMAND ...\n\n"
    + "".join(f"  {name:17}{purpose}\n" for name, (_, purpose) in COMMANDS.items())
    + """
  xtls cert COMMAND --help   says more about a command

Examples:
  xtls cert self-signed
  xtls cert ca && xtls cert server example.org
  xtls cert show server.pem
"""
)


def run(arguments: Sequence[str]) -> int:
    """
    Run the command that is named.

    @return: the exit status.
    @raise OptionError: if there is no such command, or its command line cannot be understood.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    name, *rest = arguments or [""]
    if name in ("--help", "-h", "help") and rest:
        name, rest = rest[0], ["--help"]
    if name in ("", "--help", "-h", "help"):
        print(_HELP, end="", file=sys.stdout if name else sys.stderr)
        return ExitStatus.OK if name else ExitStatus.USAGE
    module, _ = chosen("cert", name, COMMANDS)
    status: int = importlib.import_module(module).run(rest)
    return status
