"""
C{xtls cert revoke}: have a certificate believed no longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from xtls.errors import OptionError
from xtls.programs.certauthorities import CA, CA_PASSWORD, folderOf, openAuthority
from xtls.programs.certcrl import LIST_LIFETIME, listText
from xtls.programs.certmaking import HELP, daysOf, nameText
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.statuses import ExitStatus
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import loadCertificates
from xtls.trust.issuing import timeNow
from xtls.trust.register import Entry
from xtls.trust.renewing import isIssuedBy
from xtls.trust.revoking import LIST_DAYS, REASONS, parseReason

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert revoke FILE... [options]

Has your CA say that certificates are to be believed no longer, and makes a new revocation list.  A FILE is
one that server, client or renew has made; its serial number will do, as xtls cert ca --list shows it, or how
that begins.  All that it was renewed from, for the same key, is revoked with it.  It cannot be undone.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert revoke alice.pem
  xtls cert revoke 3f29c81b --reason=keyCompromise
"""

#: How much of a serial number must be said, in digits.
_SHORTEST: Final = 6

#: The longest serial number that a list can have (RFC 5280, section 4.1.2.2), in bits.
_LONGEST: Final = 159

_LINE: Final = CommandLine(
    [
        Word("reason", f"why: {', '.join(REASONS)}", "REASON", "options", "none is said"),
        LIST_LIFETIME,
        CA,
        CA_PASSWORD,
        HELP,
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Revoke certificates.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, there is no CA, or one of the certificates
        is not of this CA: then none of them is revoked.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if not given.arguments:
        raise OptionError("revoke", SOURCE, "say which certificate: xtls cert revoke FILE")
    days, folder, reason = daysOf(given, LIST_DAYS), folderOf(given), _reason(given)
    authority = openAuthority(given, folder)
    found = list(dict.fromkeys(_entries(given, folder, authority.certificate)))
    now = timeNow()
    made = folder.revoke(
        authority, [each if each.revocation else each.revokedAt(now, reason) for each in found], days=days
    )
    for each in found:
        was = f"was revoked already, on {each.revocation.when:%Y-%m-%d}" if each.revocation else "revoked"
        print(f"{was}: {each.label}, serial number {each.serialText}")
    print(listText(folder, made), end="")
    return ExitStatus.OK


def _reason(given: Given) -> str:
    """
    Why they are revoked; empty for no reason.
    """
    if not given.has("reason"):
        return ""
    try:
        return parseReason(given.last("reason"))
    except ValueError as e:
        raise OptionError("reason", SOURCE, str(e)) from None


def _entries(given: Given, folder: AuthorityFolder, authority: x509.Certificate) -> Iterator[Entry]:
    """
    What the register says, or would, about each certificate that is named, and about others for its key.
    """
    register = folder.register()
    for text in given.arguments:
        path = Path(text).expanduser()
        if path.exists():
            yield from register.sharing(Entry.of(_certificateIn(path, folder, authority)))
            continue
        matching = register.beginning(text.replace(":", "")) if len(text) >= _SHORTEST else ()
        if len(matching) != 1:
            many = f"{len(matching)} serial numbers begin like this" if matching else "there is no such file"
            remedy = (
                f"name a file, or a serial number that xtls cert ca --list shows: {_SHORTEST} digits of it"
                " will do, if no other begins with them"
            )
            raise OptionError(text, SOURCE, f"{many}: {remedy}")
        yield from register.sharing(matching[0])


def _certificateIn(path: Path, folder: AuthorityFolder, authority: x509.Certificate) -> x509.Certificate:
    """
    The certificate of a file that the CA has issued.
    """
    certificates = loadCertificates(str(path))
    for each in certificates:
        if each.subject != authority.subject and isIssuedBy(each, authority):
            if each.serial_number > 0 and each.serial_number.bit_length() <= _LONGEST:
                return each
    issuer = nameText(certificates[0].issuer)
    problem = f"it was issued by {issuer}, and not by the CA in {folder.directory}: name its CA with --ca"
    raise OptionError(str(path), SOURCE, problem)
