"""
The passphrases of the commands that make certificates: given, asked for on a terminal, or made up.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import Final, TypeAlias

from xtls.config.secrets import namesPlace, readSecret
from xtls.errors import OptionError
from xtls.programs.commandline import SOURCE, Given

__all__ = ["PROMPT", "WHERE", "Ask", "givenPassphrase", "newPassphraseOf", "terminal"]

#: The word for being asked.
PROMPT: Final = "prompt"

#: Where a passphrase may be, for the help.
WHERE: Final = f"file:PATH, env:NAME, fd:NUMBER, or {PROMPT}"

#: Asks a question, and answers without showing it.
Ask: TypeAlias = Callable[[str], str]


def terminal() -> Ask | None:
    """
    How to ask the user, if there is a terminal.
    """
    return getpass.getpass if sys.stdin is not None and sys.stdin.isatty() else None


def givenPassphrase(given: Given, option: str, question: str, ask: Ask | None) -> bytes | None:
    """
    The passphrase that an option says; L{None} when it was not given.

    @param question: what to ask, where the option says to.
    @param ask: asks the user; L{None} where nobody can be asked.
    @raise OptionError: if it cannot be read, is empty, or stands on the command line itself.
    """
    if not given.has(option):
        return None
    text = given.last(option)
    if text != PROMPT and not namesPlace(text):
        # neither a secret that everybody on the machine can read is taken, nor a misspelt word for one
        raise OptionError(option, SOURCE, f"expected where the passphrase is, and not itself: {WHERE}")
    secret = _asked(option, question, ask) if text == PROMPT else readSecret(text, option, SOURCE)
    if not secret:
        raise OptionError(option, SOURCE, "an empty passphrase protects nothing")
    return secret.encode("utf-8")


def newPassphraseOf(given: Given, option: str, question: str, ask: Ask | None) -> bytes | None:
    """
    The passphrase that something new is to have: asked for twice, where the option says to ask.
    """
    first = givenPassphrase(given, option, question, ask)
    if first is not None and given.last(option) == PROMPT:
        if _asked(option, "again: ", ask).encode("utf-8") != first:
            raise OptionError(option, SOURCE, "the two are not the same")
    return first


def _asked(option: str, question: str, ask: Ask | None) -> str:
    """
    What the user answers.
    """
    if ask is None:
        problem = "there is no terminal to ask on: say file:PATH, env:NAME or fd:NUMBER"
        raise OptionError(option, SOURCE, problem)
    try:
        answer = ask(question)
        answer.encode("utf-8")
    except EOFError:
        return ""
    except UnicodeEncodeError:
        raise OptionError(option, SOURCE, "this is not UTF-8 text: expected a password") from None
    return answer
