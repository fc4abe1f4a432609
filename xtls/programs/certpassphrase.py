"""
The passphrase of a file that is looked at: from where the command line says, the environment, or a terminal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from xtls.config.options import PASSPHRASE_VARIABLES
from xtls.config.secrets import readSecret
from xtls.programs.certsecrets import WHERE, Ask, givenPassphrase, terminal
from xtls.programs.commandline import Given, Word

__all__ = ["PASSWORD", "passphraseOf"]

#: The option of commands that read such files.
PASSWORD: Final = Word(
    "password",
    f"passphrase of the file: {WHERE}",
    "WHERE",
    "options",
    f"env:{PASSPHRASE_VARIABLES[0]}, or asked for where it is needed",
)


def passphraseOf(given: Given, path: str, ask: Ask | None = None) -> Callable[[bool], bytes | None]:
    """
    How to come by the passphrase: a function that says it, given whether nothing can be read without.

    @param path: the file, for the question.
    @param ask: asks on a terminal; by default, where standard input is one.
    """
    question = f"passphrase of {path}: "

    def password(needed: bool) -> bytes | None:
        asking = ask or terminal()
        said = givenPassphrase(given, PASSWORD.name, question, asking)
        if said is not None:
            return said
        for name in PASSPHRASE_VARIABLES:
            if name in os.environ:
                return readSecret(f"env:{name}", PASSWORD.name).encode("utf-8")
        if asking is None or not needed:
            return None
        try:
            return asking(question).encode("utf-8", "surrogateescape")
        except EOFError:
            return None

    return password
