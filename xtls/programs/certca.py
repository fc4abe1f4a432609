"""
C{xtls cert ca}: an authority of one's own.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

from xtls.errors import OptionError
from xtls.programs.certauthorities import CA, caOption, folderOf, requireAuthority
from xtls.programs.certmaking import HELP, KEY, daysOf, daysWord, keyOf, optionText, summary
from xtls.programs.certsecrets import WHERE, newPassphraseOf, terminal
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.issuing import AUTHORITY_DAYS, newAuthority

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert ca [options]

Makes an authority (CA) of your own: clients are given its certificate once, and then believe every server
that has a certificate from it, and the other way round.  --list shows what it has issued and revoked.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert ca
  xtls cert ca --name="Example Internal CA" --ca-password=prompt
  xtls cert ca --list
"""

_PASSWORD: Final = "ca-password"

_LINE: Final = CommandLine(
    [
        CA,
        Word("name", "what it is called", "NAME", "options", "xtls CA of this machine"),
        daysWord(AUTHORITY_DAYS),
        KEY,
        Word(_PASSWORD, f"encrypt its key with a passphrase: {WHERE}", "WHERE", "options", "not encrypted"),
        Word("list", "make nothing; show what it has issued and revoked", group="options"),
        HELP,
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Make the CA, or show what it has issued.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, or there is a CA.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if given.arguments:
        first = given.arguments[0]
        problem = f"takes no argument such as {first}; say --ca={first} or --name={first}"
        raise OptionError("ca", SOURCE, problem)
    folder = folderOf(given)
    print(_listed(folder) if given.has("list") else _made(given, folder), end="")
    return ExitStatus.OK


def _made(given: Given, folder: AuthorityFolder) -> str:
    """
    Make it.

    @return: what to say about it.
    """
    if folder.exists:
        remedy = "it stays as it is; for another one, name another folder with --ca"
        raise OptionError("ca", SOURCE, f"there is a CA in {folder.directory} already; {remedy}")
    days, key = daysOf(given, AUTHORITY_DAYS), keyOf(given)
    name = given.last("name") or f"xtls CA of {socket.gethostname()}"[:64]
    try:
        pair = newAuthority(name, days=days, key=key)
    except ValueError as e:
        raise OptionError("name", SOURCE, str(e)) from None
    password = newPassphraseOf(given, _PASSWORD, "passphrase for the CA's key: ", terminal())
    folder.create(pair, password=password or b"")
    protected = "encrypted; " if password else ""
    return (
        f"made a CA in {folder.directory}, which you alone can read\n"
        f"{summary(pair.certificate)}"
        f"  {folder.certificatePath.name:12} its certificate, no secret: for those who are to believe it\n"
        f"  {folder.keyPath.name:12} its key, {protected}for nobody: who has it makes what they all believe\n"
        f"  {folder.listPath.name:12} what it has revoked: nothing yet\n"
        f"  {folder.registerPath.name:12} what it has issued: nothing yet\n"
        "\nnext, a certificate for a server, with the names and addresses by which clients reach it:\n"
        f"  {thisCommand()} cert server example.org 192.0.2.1{caOption(folder)}\n"
        f"and {folder.certificatePath} for its clients: {optionText('caCerts')}\n"
    )


def _listed(folder: AuthorityFolder) -> str:
    """
    What it has issued and revoked.
    """
    requireAuthority(folder)
    lines = [f"{folder.directory}:\n", summary(folder.certificate())]
    register = folder.register()
    if not register.entries:
        lines.append("nothing was issued yet\n")
        return "".join(lines)
    lines.append(f"{'serial number':40}  {'until':10}  {'revoked':10}  for\n")
    for each in register.entries:
        until = f"{each.end:%Y-%m-%d}" if each.end else "-"
        revoked = f"{each.revocation.when:%Y-%m-%d}" if each.revocation else "-"
        lines.append(f"{each.serialText}  {until:10}  {revoked:10}  {each.label}\n")
    return "".join(lines)
