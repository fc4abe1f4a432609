"""
Why a connection could not be made, as people read it.
"""

from __future__ import annotations

from twisted.internet.error import ConnectError
from twisted.python.failure import Failure

__all__ = ["reasonOf"]


def reasonOf(failure: Failure) -> str:
    """
    One sentence, or the name of the error if it says nothing.

    When a peer resets a connection before Twisted has seen that it is there, what was to be said of its loss
    becomes, whole, a word of another error; so the innermost of them speaks.
    """
    error = failure.value
    if isinstance(error, ConnectError) and error.args and isinstance(error.args[0], Failure):
        return reasonOf(error.args[0])
    return failure.getErrorMessage() or type(error).__name__
