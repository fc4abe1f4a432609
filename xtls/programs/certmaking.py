"""
What the commands that make certificates have in common: how they are asked, where they write, what they say.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography import x509

from xtls.config.definitions import optionNamed
from xtls.config.options import TLSOptions
from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, Given, Word
from xtls.trust.certificates import PrivateKey, fingerprint, subjectAlternativeNames
from xtls.trust.files import readFile, writePrivate
from xtls.trust.issuing import KEY_KINDS, newKey
from xtls.trust.names import printable

__all__ = [
    "FORCE",
    "HELP",
    "KEY",
    "LONGEST_DAYS",
    "daysOf",
    "daysWord",
    "fileNameFor",
    "keyOf",
    "listeningExample",
    "nameText",
    "optionText",
    "refuseExisting",
    "summary",
    "writeNew",
]

#: How long a certificate may be valid, in days: the ten years that xpra's are.
LONGEST_DAYS: Final = 3653

#: What files are called by default, for the longest name, in characters.
_LONGEST_FILE_NAME: Final = 100

#: How much is shown of names, in characters.
_LONGEST_TEXT: Final = 1000

#: Options that several commands have.
KEY: Final = Word("key", f"kind of key: {', '.join(KEY_KINDS)}", "KIND", "options", next(iter(KEY_KINDS)))
FORCE: Final = Word("force", "take the place of a file that is there", group="options")
HELP: Final = Word("help", "show this", group="options")


def daysWord(default: int, what: str = "how long it is valid, in days") -> Word:
    """
    The option that says for how long.
    """
    return Word("days", what, "NUMBER", "options", str(default))


def daysOf(given: Given, default: int) -> int:
    """
    How many days a certificate is to be valid.
    """
    text = given.last("days", str(default))
    if text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_DAYS:
        return int(text)
    raise OptionError("days", SOURCE, f"expected a number from 1 to {LONGEST_DAYS}")


def keyOf(given: Given) -> PrivateKey:
    """
    A new key, of the kind that was asked for.
    """
    try:
        return newKey(given.last("key") or KEY.shown)
    except ValueError as e:
        raise OptionError("key", SOURCE, str(e)) from None


def fileNameFor(name: str) -> str:
    """
    What the files of somebody or something are called, without what follows the dot.
    """
    text = name.replace("*.", "_wildcard.", 1) if name.startswith("*.") else name
    kept = "".join(each if each.isalnum() or each in "._@+-" else "_" for each in text)
    first = "_" if kept[:1] in (".", "-") else ""
    return (first + kept)[:_LONGEST_FILE_NAME]


def refuseExisting(path: Path, force: bool) -> None:
    """
    Refuse to write where there is a file, unless told to, and where there is a folder.
    """
    if path.is_dir():
        raise OptionError("out", SOURCE, f"{path} is a folder: name a file in it")
    if os.path.lexists(path) and not force:
        raise _existed(path)


def writeNew(path: Path, data: bytes, *, force: bool) -> None:
    """
    Write a file that its owner alone may read.

    @param force: whether to take the place of one that is there.
    @raise OptionError: if there is one.
    @raise CertificateFileError: if it cannot be written.
    """
    refuseExisting(path, force)
    writePrivate(path, data, replace=force)
    if readFile(path) != data:
        raise _existed(path)  # it appeared meanwhile


def _existed(path: Path) -> OptionError:
    """
    A file is in the way.
    """
    return OptionError(
        "out",
        SOURCE,
        f"{path} exists; say --force to make a new one in its place, or name another with --out",
    )


def optionText(attribute: str) -> str:
    """
    An option of TLS as it is typed, such as C{--ssl-cert}.
    """
    return f"--{optionNamed(TLSOptions, attribute).name}"


def listeningExample(*options: str) -> str:
    """
    A server in front of some service.
    """
    words = ["twistd -n xtls --bind-tcp=0.0.0.0:10000 --forward=tcp:127.0.0.1:5900", *options]
    return " ".join(words)


def nameText(name: x509.Name) -> str:
    """
    A subject or an issuer, which may be somebody else's, as it is shown.
    """
    return printable(name.rfc4514_string(), _LONGEST_TEXT) or "none"


def summary(certificate: x509.Certificate) -> str:
    """
    What is in a certificate, in lines.
    """
    try:
        names = ", ".join(subjectAlternativeNames(certificate))
    except ValueError:
        names = "cannot be read"
    lines = [f"subject      {nameText(certificate.subject)}"]
    if certificate.issuer != certificate.subject:
        lines.append(f"issuer       {nameText(certificate.issuer)}")
    if names:
        lines.append(f"names        {printable(names, _LONGEST_TEXT)}")
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    lines += [
        f"valid        {begin:%Y-%m-%d} to {end:%Y-%m-%d}",
        f"fingerprint  {fingerprint(certificate)}",
    ]
    return "".join(f"  {line}\n" for line in lines)
