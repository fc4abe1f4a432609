"""
Passwords and passphrases: where they are kept, and reading them when they are needed.

A secret is given as C{file:PATH}, C{env:NAME} or C{fd:NUMBER}, so that it does not stand in a list of
processes, or as itself.  It is read late, by whoever uses it, and is never part of an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from xtls.errors import OptionError

#: The longest secret that is read from a file or a descriptor, in octets.
LONGEST_SECRET = 65536

#: What was read from descriptors, which give it only once.
_fromDescriptors: dict[int, bytes] = {}


def _readDescriptor(number: int) -> bytes:
    """
    Read an inherited descriptor to its end and close it; later, answer the same from memory.
    """
    if number not in _fromDescriptors:
        with os.fdopen(number, "rb") as opened:
            _fromDescriptors[number] = opened.read(LONGEST_SECRET + 1)
    return _fromDescriptors[number]


def _decode(data: bytes) -> str:
    """
    The text of a secret as it was read: one line end after it does not belong to it.
    """
    if len(data) > LONGEST_SECRET:
        raise ValueError(f"this is longer than {LONGEST_SECRET} octets: expected a password")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("this is not UTF-8 text: expected a password") from None
    return text.removesuffix("\n").removesuffix("\r")


def _requireText(text: str) -> str:
    """
    Require what the system could decode: octets that it could not would fail later, on their way to OpenSSL.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("this is not UTF-8 text: expected a password") from None
    return text


def _read(kind: str, place: str, environ: Mapping[str, str]) -> str:
    """
    Read a secret from where it is kept.
    """
    if kind == "env":
        if place not in environ:
            raise ValueError(f"the environment has no variable {place}: expected env:NAME of one that it has")
        return _requireText(environ[place])
    if kind == "fd":
        if not (place.isascii() and place.isdigit()) or len(place) > 9:
            raise ValueError("expected fd: and the number of a descriptor")
        return _decode(_readDescriptor(int(place)))
    with open(os.path.expanduser(place), "rb") as opened:
        return _decode(opened.read(LONGEST_SECRET + 1))


def namesPlace(text: str) -> bool:
    """
    Whether a text says where a secret is kept, and is not the secret itself.
    """
    return text.startswith(("file:", "env:", "fd:"))


def readSecret(
    text: str, option: str = "password", source: str = "program", environ: Mapping[str, str] | None = None
) -> str:
    """
    Read a secret from where it is kept, or take the text itself.

    A descriptor is read and closed the first time; the same number answers the same ever after.

    @param text: C{file:PATH}, C{env:NAME}, C{fd:NUMBER}, or the secret.
    @param option: the option that said it, for the error.
    @param source: where it was said, for the error.
    @param environ: the environment; by default, that of the process.
    @raise OptionError: if it cannot be read.  The secret is not in it.
    """
    kind, _, place = text.partition(":")
    try:
        if not namesPlace(text):
            return _requireText(text)
        return _read(kind, place, os.environ if environ is None else environ)
    except OSError as error:
        raise OptionError(option, source, f"cannot read {kind}:{place}: {error.strerror}") from None
    except ValueError as error:
        raise OptionError(option, source, str(error)) from None
