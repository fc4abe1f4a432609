"""
The passphrase of a file that is looked at: from where the command line says, the environment, or a terminal.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from typing import Final

from xtls.config.options import PASSPHRASE_VARIABLES
from xtls.config.secrets import readSecret
from xtls.programs.commandline import SOURCE, Given, Word

__all__ = ["PASSWORD", "passphraseOf"]

#: The option of commands that read such files.
PASSWORD: Final = Word(
    "password",
    "passphrase of the file: file:PATH, env:NAME, fd:NUMBER, or the passphrase itself",
    "WHERE",
    "options",
    f"env:{PASSPHRASE_VARIABLES[0]}, or asked for on a terminal",
)


def passphraseOf(
    given: Given, path: str, ask: Callable[[str], str] | None = None
) -> Callable[[bool], bytes | None]:
    """
    How to come by the passphrase when one is needed.

    @param path: the file, for the question.
    @param ask: asks on a terminal; by default, as C{getpass} does, where standard input is one.
    """

    def password(needed: bool) -> bytes | None:
        if given.has(PASSWORD.name):
            return readSecret(given.last(PASSWORD.name), PASSWORD.name, SOURCE).encode("utf-8")
        for name in PASSPHRASE_VARIABLES:
            if name in os.environ:
                return readSecret(f"env:{name}", PASSWORD.name).encode("utf-8")
        asking = ask or (getpass.getpass if sys.stdin is not None and sys.stdin.isatty() else None)
        if asking is None or not needed:
            return None
        try:
            return asking(f"passphrase of {path}: ").encode("utf-8", "surrogateescape")
        except EOFError:
            return None

    return password
