"""
C{xtls cert client}: a certificate for a client, from one's own CA.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from xtls.errors import OptionError
from xtls.programs.certauthorities import CA, CA_PASSWORD, folderOf, lifetimeNote, openAuthority
from xtls.programs.certmaking import (
    FORCE,
    HELP,
    KEY,
    daysOf,
    daysWord,
    fileNameFor,
    keyOf,
    listeningExample,
    optionText,
    refuseExisting,
    summary,
    writeNew,
)
from xtls.programs.certsecrets import WHERE, newPassphraseOf, terminal
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import KeyPair, toPEM
from xtls.trust.issuing import LEAF_DAYS, Person, newClient
from xtls.trust.pkcs12 import newPassphrase, toPKCS12

__all__ = ["P12_PASSWORD", "passphraseText", "run"]

_HELP: Final = """\
Usage: xtls cert client NAME [options]

Has your CA issue a certificate for a client: NAME is a person, an e-mail address or a machine.  Two files
that you alone can read hold it and its key: PEM for programs, and PKCS #12 with a passphrase for browsers.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert client alice
  xtls cert client alice@example.org --unit=ops --p12-password=file:passphrase.txt
  xtls cert client backup --uri=spiffe://example.org/backup --days=30
"""

#: The option for the passphrase of the file for browsers.
P12_PASSWORD: Final = Word(
    "p12-password", f"passphrase of the PKCS #12 file: {WHERE}", "WHERE", "options", "made up, and shown once"
)

_LINE: Final = CommandLine(
    [
        Word(
            "out",
            "where to write it; PKCS #12 comes beside",
            "FILE",
            "options",
            "NAME.pem, in this folder",
        ),
        Word("email", "an e-mail address that it is for", "ADDRESS", "options", repeatable=True),
        Word("dns", "a host name that it is for", "NAME", "options", repeatable=True),
        Word("uri", "a URI that it is for", "URI", "options", repeatable=True),
        Word("organization", "O of its subject", "NAME", "options"),
        Word("unit", "OU of its subject", "NAME", "options", repeatable=True),
        P12_PASSWORD,
        Word("legacy", "encrypt PKCS #12 with 3DES, for systems that cannot read AES", group="options"),
        daysWord(LEAF_DAYS),
        KEY,
        CA,
        CA_PASSWORD,
        FORCE,
        HELP,
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Make the certificate.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, there is no CA, or a file exists.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if not given.arguments:
        raise OptionError("client", SOURCE, "say whom it is for: xtls cert client NAME")
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, 'expected one NAME; quote one that has spaces: "A B"')
    path, archive = _places(given)
    days, folder = daysOf(given, LEAF_DAYS), folderOf(given)
    authority = openAuthority(given, folder)
    passphrase = newPassphraseOf(given, P12_PASSWORD.name, f"passphrase for {archive.name}: ", terminal())
    pair = _issued(given, authority, days)
    folder.record(pair.certificate)
    secret = passphrase or newPassphrase().encode("ascii")
    data = toPKCS12(
        pair, given.arguments[0], secret, above=[authority.certificate], legacy=given.has("legacy")
    )
    writeNew(path, toPEM(pair), force=given.has("force"))
    writeNew(archive, data, force=given.has("force"))
    print(f"made {path}: a client's certificate and its key, for programs; you alone can read it")
    print(f"made {archive}: the same for browsers; {passphraseText(passphrase, secret)}")
    print(summary(pair.certificate) + lifetimeNote(folder, authority.certificate, pair.certificate), end="")
    print(_next(path, folder), end="")
    return ExitStatus.OK


def passphraseText(given: bytes | None, secret: bytes) -> str:
    """
    What to say about the passphrase of a file for browsers.
    """
    if given is not None:
        return "its passphrase is the one that you gave"
    return f"its passphrase, shown this once: {secret.decode('ascii')}"


def _places(given: Given) -> tuple[Path, Path]:
    """
    Where to write; nothing is there, or it may be replaced.
    """
    path = Path(given.last("out") or f"{fileNameFor(given.arguments[0])}.pem").expanduser().absolute()
    archive = path.with_suffix(".p12") if given.has("out") else path.with_name(f"{path.name[:-4]}.p12")
    if path == archive:
        problem = f"names the PEM file; PKCS #12 comes beside it: say --out={path.with_suffix('.pem').name}"
        raise OptionError("out", SOURCE, problem)
    for each in (path, archive):
        refuseExisting(each, given.has("force"))
    return path, archive


def _issued(given: Given, authority: KeyPair, days: int) -> KeyPair:
    """
    The certificate and its key.
    """
    person = Person(
        given.arguments[0],
        given.last("organization"),
        given.all("unit"),
        given.all("email"),
        given.all("dns"),
        given.all("uri"),
    )
    key = keyOf(given)
    try:
        return newClient(authority, person, days=days, key=key)
    except ValueError as e:
        raise OptionError("client", SOURCE, str(e)) from None


def _next(path: Path, folder: AuthorityFolder) -> str:
    """
    What to do with it.
    """
    cert, caCerts, crl = optionText("cert"), optionText("caCerts"), optionText("crl")
    where, anchor = shlex.quote(str(path)), shlex.quote(str(folder.certificatePath))
    revoked = shlex.quote(str(folder.listPath))
    server = listeningExample(f"{cert}=SERVER.pem", f"{caCerts}={anchor}", f"{crl}={revoked}")
    return (
        "\nnext, a server that lets in who has such a certificate, and nobody else; and the client:\n"
        f"  {server}\n"
        f"  {thisCommand()} attach ssl://SERVER:10000/ {cert}={where} {caCerts}={anchor}\n"
        f"to let nobody in with it any more: {thisCommand()} cert revoke {where}\n"
    )
