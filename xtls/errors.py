"""
Every error that xtls raises, under one root.

Each carries its evidence in fields, so that a program can decide by value; its text is one sentence
for people and never holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xtls.trust.verification import Refusal


class XTLSError(Exception):
    """
    The root of all errors of xtls.
    """


class OptionError(XTLSError, ValueError):
    """
    What the user said cannot be used.  Being a L{ValueError} too, it is treated by Twisted as any other
    bad endpoint string.

    @ivar option: the option's name as the user spells it, such as C{ssl-cert}.
    @ivar source: where it was said: "command line", "URL", "test.xpra line 5".
    @ivar problem: what is wrong and what would be right.
    """

    def __init__(self, option: str, source: str, problem: str) -> None:
        super().__init__(f"{option} ({source}): {problem}")
        self.option = option
        self.source = source
        self.problem = problem


class CertificateFileError(XTLSError):
    """
    A file of certificates or keys cannot be used.

    @ivar path: the file.
    @ivar problem: what is wrong with it.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class HandshakeError(XTLSError):
    """
    A TLS handshake failed (RFC 8446, section 6.2).

    @ivar problem: what happened, in words.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class HandshakeTimeout(HandshakeError):
    """
    A TLS handshake did not end within its deadline.
    """


class PeerVerificationError(HandshakeError):
    """
    The peer cannot be verified: no octet of the application was sent to it.

    @ivar refusal: why, with the certificate.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence())
        self.refusal = refusal


class OpeningHandshakeError(XTLSError):
    """
    A WebSocket opening handshake failed (RFC 6455, section 4).

    @ivar problem: what happened, in words.
    @ivar status: the HTTP status with which the server answered, if it did.
    """

    def __init__(self, problem: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status


class StockParserChanged(XTLSError):
    """
    Twisted's tables of endpoint string parsers are not as xtls knows them.

    @ivar name: the table that is missing or different.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"twisted.internet.endpoints.{name} is not as expected by this xtls")
        self.name = name
