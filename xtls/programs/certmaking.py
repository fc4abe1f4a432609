"""
What the commands that make certificates have in common: how they are asked, where they write, what they say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography import x509

from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, Given
from xtls.trust.certificates import fingerprint, subjectAlternativeNames
from xtls.trust.files import readFile, writePrivate

__all__ = ["LONGEST_DAYS", "daysOf", "refuseExisting", "summary", "writeNew"]

#: How long a certificate may be valid, in days: the ten years that xpra's are.
LONGEST_DAYS: Final = 3653


def daysOf(given: Given, default: int) -> int:
    """
    How many days a certificate is to be valid.
    """
    text = given.last("days", str(default))
    if text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_DAYS:
        return int(text)
    raise OptionError("days", SOURCE, f"expected a number from 1 to {LONGEST_DAYS}")


def refuseExisting(path: Path, force: bool) -> None:
    """
    Refuse to write where there is a file, unless told to.
    """
    if path.exists() and not force:
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
    return OptionError("out", SOURCE, f"{path} exists; say --force to make a new one in its place")


def summary(certificate: x509.Certificate) -> str:
    """
    What is in a certificate, in lines.
    """
    try:
        names = ", ".join(subjectAlternativeNames(certificate)) or "none in a subjectAltName"
    except ValueError:
        names = "cannot be read"
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    lines = [f"subject      {certificate.subject.rfc4514_string() or 'none'}"]
    if certificate.issuer != certificate.subject:
        lines.append(f"issuer       {certificate.issuer.rfc4514_string() or 'none'}")
    lines += [
        f"names        {names}",
        f"valid        {begin:%Y-%m-%d} to {end:%Y-%m-%d}",
        f"fingerprint  {fingerprint(certificate)}",
    ]
    return "".join(f"  {line}\n" for line in lines)
