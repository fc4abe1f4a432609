"""
C{xtls cert renew}: the same certificate with new dates, for the same key.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from xtls.config.locations import CERTIFICATE_NAMES, findDefaultCertificate, keyBeside
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certauthorities import CA, CA_PASSWORD, folderOf, lifetimeNote, openAuthority
from xtls.programs.certclient import P12_PASSWORD, passphraseText
from xtls.programs.certmaking import FORCE, HELP, daysOf, daysWord, nameText, summary, writeNew
from xtls.programs.certsecrets import WHERE, Ask, givenPassphrase, newPassphraseOf, terminal
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import (
    NO_PASSPHRASE,
    KeyPair,
    PrivateKey,
    holdsKey,
    loadCertificates,
    loadKeyPair,
    replaceCertificate,
)
from xtls.trust.files import readFile, rewrite
from xtls.trust.issuing import AUTHORITY_DAYS, LEAF_DAYS
from xtls.trust.pkcs12 import newPassphrase, toPKCS12
from xtls.trust.register import Entry
from xtls.trust.renewing import isIssuedBy, renewed

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert renew [FILE] [options]

Makes the certificate in FILE anew, in its place: the same key, names and uses, with new dates, so that what
was pinned or remembered stays true.  FILE is self-signed, or from your CA, or the CA's own; by default, it is
the default certificate.  What else is in FILE stays as it is.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert renew server.pem
  xtls cert renew cert.pem --key-file=key.pem --days=90
  xtls cert renew ~/.config/xtls/ca/ca-cert.pem
"""

_KEY_PASSWORD: Final = "key-password"

_LINE: Final = CommandLine(
    [
        Word("out", "write it there, and leave FILE as it is", "FILE", "options"),
        daysWord(LEAF_DAYS, "how long it is valid, in days; a CA ten years"),
        Word("key-file", "where its key is", "FILE", "options", "in FILE, or beside it"),
        Word(_KEY_PASSWORD, f"passphrase of its key: {WHERE}", "WHERE", "options"),
        P12_PASSWORD,
        CA,
        CA_PASSWORD,
        FORCE,
        HELP,
    ]
)


@dataclass(frozen=True)
class _Renewal:
    """
    What was made.

    @ivar old: the certificate as it was.
    @ivar new: as it is now.
    @ivar pair: the old one with its key, where that could be read.
    @ivar above: the CA that has issued both; L{None} for one that has signed itself.
    @ivar note: what to say about its dates.
    """

    old: x509.Certificate
    new: x509.Certificate
    pair: KeyPair | None = None
    above: x509.Certificate | None = None
    note: str = ""


def run(arguments: Sequence[str]) -> int:
    """
    Renew a certificate.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, or its CA is not there.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    path = _path(given)
    out = Path(given.last("out")).expanduser().absolute() if given.has("out") else None
    own = AuthorityFolder(path.parent)
    if path == own.certificatePath and own.keyPath.exists():
        renewal = _renewAuthority(given, path, own)
    else:
        renewal = _renewLeaf(given, path)
    archive = _archive(given, path, renewal) if out is None else ""
    data = replaceCertificate(readFile(path), renewal.old, renewal.new)
    if out is None:
        rewrite(path, data)
    else:
        writeNew(out, data, force=given.has("force"))
    print(f"renewed {out or path}: the key is the same, so that what was pinned or remembered stays true")
    print(archive + summary(renewal.new) + renewal.note, end="")
    print(_next(out or path, renewal), end="")
    return ExitStatus.OK


def _path(given: Given) -> Path:
    """
    The file that is named, or the default certificate.
    """
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one file")
    if given.arguments:
        return Path(given.arguments[0]).expanduser().absolute()
    found = findDefaultCertificate()
    if found is None:
        raise OptionError("renew", SOURCE, "there is no default certificate: say which file")
    return found


def _renewAuthority(given: Given, path: Path, folder: AuthorityFolder) -> _Renewal:
    """
    Renew a CA's certificate, in its folder.
    """
    authority = openAuthority(given, folder)
    old = authority.certificate
    return _Renewal(old, _anew(path, old, authority.key, daysOf(given, AUTHORITY_DAYS)))


def _renewLeaf(given: Given, path: Path) -> _Renewal:
    """
    Renew a certificate that has signed itself, or that the CA has issued.
    """
    days, folder, ask = daysOf(given, LEAF_DAYS), folderOf(given), terminal()
    pair = _pair(given, path, ask)
    old = pair.certificate if pair else loadCertificates(str(path))[0]
    if isIssuedBy(old, old):
        pair = pair or _requiredPair(given, path, ask)
        return _Renewal(old, _anew(path, old, pair.key, days), pair)
    if not folder.exists or not isIssuedBy(old, folder.certificate()):
        issuer = nameText(old.issuer)
        problem = f"{path} was issued by {issuer}, and not by the CA in {folder.directory}"
        raise OptionError(CA.name, SOURCE, f"{problem}: name the folder of its CA with --ca")
    _requireUnrevoked(folder, path, old)
    authority = openAuthority(given, folder)
    new = _anew(path, old, authority, days)
    folder.record(new)
    note = lifetimeNote(folder, authority.certificate, new)
    return _Renewal(old, new, pair, authority.certificate, note)


def _anew(path: Path, old: x509.Certificate, issuer: KeyPair | PrivateKey, days: int) -> x509.Certificate:
    """
    The new certificate.
    """
    try:
        return renewed(old, issuer, days=days)
    except ValueError as e:
        raise CertificateFileError(str(path), f"cannot be renewed: {e}") from None


def _requireUnrevoked(folder: AuthorityFolder, path: Path, old: x509.Certificate) -> None:
    """
    Refuse to renew for a key that is believed no longer.
    """
    for each in folder.register().sharing(Entry.of(old)):
        if each.revocation is not None:
            problem = (
                f"{path} was revoked on {each.revocation.when:%Y-%m-%d}, and its key with it: make a new one"
            )
            raise OptionError("renew", SOURCE, problem)


def _keyPath(given: Given, path: Path) -> str:
    """
    Where the certificate's key is; empty where that is not known.
    """
    if given.has("key-file"):
        return str(Path(given.last("key-file")).expanduser())
    if holdsKey(str(path)):
        return str(path)
    return str((keyBeside(path) if path.name in CERTIFICATE_NAMES else None) or "")


def _pair(given: Given, path: Path, ask: Ask | None) -> KeyPair | None:
    """
    The certificate and its key; L{None} when the key is not there, or its passphrase is not given.
    """
    keyPath = _keyPath(given, path)
    if not keyPath:
        return None
    password = givenPassphrase(given, _KEY_PASSWORD, f"passphrase of {keyPath}: ", ask)
    try:
        return loadKeyPair(str(path), keyPath, password or b"")
    except CertificateFileError as e:
        if e.problem != NO_PASSPHRASE:
            raise
    return None


def _requiredPair(given: Given, path: Path, ask: Ask | None) -> KeyPair:
    """
    The certificate and its key, where L{_pair} found none and nothing can be done without: the user is asked
    for the passphrase.
    """
    keyPath = _keyPath(given, path)
    if not keyPath:
        raise OptionError("key-file", SOURCE, f"the key of {path} is needed, and not in it: say where it is")
    if ask is None:
        problem = f"the key in {keyPath} is encrypted: say where its passphrase is, {WHERE}"
        raise OptionError(_KEY_PASSWORD, SOURCE, problem)
    return loadKeyPair(str(path), keyPath, ask(f"passphrase of {keyPath}: ").encode("utf-8", "replace"))


def _archive(given: Given, path: Path, renewal: _Renewal) -> str:
    """
    Make the file for browsers anew, if there is one beside a client's certificate.

    @return: what to say about it.
    """
    archive = path.with_suffix(".p12")
    if archive == path or not archive.exists() or not _isClient(renewal.old):
        return ""
    if renewal.pair is None:
        return f"{archive} is as it was: the key could not be read without --{_KEY_PASSWORD}\n"
    question = f"passphrase for {archive.name}: "
    passphrase = newPassphraseOf(given, P12_PASSWORD.name, question, terminal())
    secret = passphrase or newPassphrase().encode("ascii")
    pair = KeyPair(renewal.new, renewal.pair.key, renewal.pair.chain)
    above = [renewal.above] if renewal.above else []
    rewrite(archive, toPKCS12(pair, path.stem, secret, above=above))
    return f"renewed {archive}: the same for browsers; {passphraseText(passphrase, secret)}\n"


def _isClient(certificate: x509.Certificate) -> bool:
    """
    Whether a certificate is for clients.
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _next(path: Path, renewal: _Renewal) -> str:
    """
    What to do with it.
    """
    where = shlex.quote(str(path))
    if renewal.old.issuer == renewal.old.subject:
        until = f"{renewal.old.not_valid_after_utc:%Y-%m-%d}"
        return (
            f"\nnext, give it to those who believe the old one, before that ends, on {until}."
            f"  Without its key, it is what this prints:\n  {thisCommand()} cert show {where} --pem\n"
        )
    return (
        "\nnext, have it used where the old one was; a server of xtls that reads this file does so by itself."
        f"  What is in it:\n  {thisCommand()} cert show {where}\n"
    )
