"""
C{xtls cert}: certificates, in one command each.

C{self-signed} asks nothing, overwrites nothing unless it is told to, and says what to do next.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from xtls.config.definitions import optionNamed
from xtls.config.locations import defaultCertificatePath, findDefaultCertificate
from xtls.config.modes import joinHostPort
from xtls.config.options import TLSOptions
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word, chosen
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import (
    KeyPair,
    defaultNames,
    fingerprint,
    loadCertificates,
    readBundle,
    selfSigned,
    subjectAlternativeNames,
    toPEM,
)
from xtls.trust.files import readFile, writePrivate

__all__ = ["run"]

#: How long a certificate may be valid, in days: the ten years that xpra's are.
_LONGEST_DAYS: Final = 3653

_HELP: Final = """\
Usage: xtls cert self-signed [options]
       xtls cert show [FILE] [--pem]
       xtls cert fingerprint FILE

self-signed   make a certificate and its key, for this machine, in one file that you alone can read
show          say what is in a file of certificates, or in the default certificate
fingerprint   print the SHA-256 fingerprint of a certificate, to compare with what a client shows

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert self-signed
  xtls cert self-signed --out=server.pem --name=example.org --name=192.0.2.1
  xtls cert show server.pem --pem > server-cert.pem      # the certificate without its key, for clients
"""

_LINE: Final = CommandLine(
    [
        Word("out", "where to write it", "FILE", "options of self-signed", "the default certificate's place"),
        Word(
            "name",
            "a host name or address that it is for",
            "NAME",
            "options of self-signed",
            "this machine's names and localhost",
            repeatable=True,
        ),
        Word("days", "how long it is valid", "NUMBER", "options of self-signed", "365"),
        Word("force", "take the place of a file that is there", group="options of self-signed"),
        Word("pem", "print the certificates themselves, without the key", group="options of show"),
        Word("help", "show this", group="other"),
    ]
)


def run(arguments: Sequence[str]) -> int:
    """
    Do what the command line says.

    @return: the exit status.
    @raise OptionError: if it cannot be understood.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help") or not given.arguments:
        asked = given.has("help")
        print(_HELP + _LINE.help() + _EXAMPLES, end="", file=sys.stdout if asked else sys.stderr)
        return ExitStatus.OK if asked else ExitStatus.USAGE
    command, *rest = given.arguments
    chosen("cert", command, _COMMANDS)(given, rest)
    return ExitStatus.OK


def _makeSelfSigned(given: Given, rest: Sequence[str]) -> None:
    """
    Make a self-signed certificate.
    """
    if rest:
        raise OptionError("self-signed", SOURCE, f"takes no argument such as {rest[0]}; say --out={rest[0]}")
    path = Path(given.last("out") or defaultCertificatePath()).expanduser().absolute()
    data = toPEM(_newPair(given))
    existed = OptionError("out", SOURCE, f"{path} exists; say --force to make a new one in its place")
    if path.exists() and not given.has("force"):
        raise existed
    writePrivate(path, data, replace=given.has("force"))
    if readFile(path) != data:
        raise existed  # it appeared meanwhile
    print(f"made {path}: a certificate and its key, which you alone can read")
    (certificate,) = loadCertificates(str(path))
    _describe(certificate)
    print(_next(path, certificate), end="")


def _newPair(given: Given) -> KeyPair:
    """
    The certificate and its key.
    """
    days = _days(given.last("days", "365"))
    try:
        return selfSigned(given.all("name") or defaultNames(), days=days)
    except ValueError as e:
        raise OptionError("name", SOURCE, str(e)) from None


def _days(text: str) -> int:
    """
    Read how long a certificate is to be valid.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _LONGEST_DAYS:
        return int(text)
    raise OptionError("days", SOURCE, f"expected a number from 1 to {_LONGEST_DAYS}")


def _next(path: Path, certificate: x509.Certificate) -> str:
    """
    What to do with a new certificate.
    """
    cert, caCerts = (f"--{optionNamed(TLSOptions, each).name}" for each in ("cert", "caCerts"))
    names = subjectAlternativeNames(certificate)
    host = "localhost" if "localhost" in names else names[0].replace("*.", "host.")
    where = shlex.quote(str(path))
    isDefault = path == Path(defaultCertificatePath())
    return (
        "\nnext, a server in front of some service of yours, and a client that believes it:\n"
        f"  twistd -n xtls --bind-tcp=0.0.0.0:10000 --forward=tcp:127.0.0.1:5900"
        f"{'' if isDefault else f' {cert}={where}'}\n"
        f"  {thisCommand()} attach ssl://{joinHostPort(host, 10000)}/ {caCerts}={where}\n"
        "for clients on other machines, the certificate without its key:\n"
        f"  {thisCommand()} cert show {where} --pem\n"
    )


def _show(given: Given, rest: Sequence[str]) -> None:
    """
    Say what is in a file.
    """
    path = _single(rest) if rest else str(findDefaultCertificate() or "")
    if not path:
        remedy = "name a file, or make one with: xtls cert self-signed"
        raise CertificateFileError(
            str(defaultCertificatePath()), f"there is no default certificate; {remedy}"
        )
    certificates, hasKey = readBundle(path)
    if given.has("pem"):
        for certificate in certificates:
            print(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), end="")
        return
    print(f"{path}: {'with its key' if hasKey else 'without a key'}")
    for certificate in certificates:
        _describe(certificate)


def _describe(certificate: x509.Certificate) -> None:
    """
    Say what is in a certificate.
    """
    try:
        names = ", ".join(subjectAlternativeNames(certificate)) or "none in a subjectAltName"
    except ValueError:
        names = "cannot be read"
    print(f"  subject      {certificate.subject.rfc4514_string() or 'none'}")
    if certificate.issuer != certificate.subject:
        print(f"  issuer       {certificate.issuer.rfc4514_string() or 'none'}")
    print(f"  names        {names}")
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    print(f"  valid        {begin:%Y-%m-%d} to {end:%Y-%m-%d}")
    print(f"  fingerprint  {fingerprint(certificate)}")


def _showFingerprint(given: Given, rest: Sequence[str]) -> None:
    """
    Print the fingerprint of the first certificate in a file.
    """
    if not rest:
        raise OptionError("fingerprint", SOURCE, "say which file: xtls cert fingerprint FILE")
    print(fingerprint(loadCertificates(_single(rest))[0]))


def _single(rest: Sequence[str]) -> str:
    """
    The one file that is named.
    """
    if len(rest) > 1:
        raise OptionError(rest[1], SOURCE, "expected one file")
    return rest[0]


_COMMANDS: Final[dict[str, Callable[[Given, Sequence[str]], None]]] = {
    "self-signed": _makeSelfSigned,
    "show": _show,
    "fingerprint": _showFingerprint,
}
