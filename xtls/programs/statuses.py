"""
The exit statuses of the C{xtls} command: stable, so that scripts may decide by them.

The numbers are those of xpra's client where it has one for the same thing.
C{docs/reference/exit-statuses.md} lists them for people.
"""

from __future__ import annotations

from enum import IntEnum

from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout

from xtls.errors import (
    CertificateFileError,
    HandshakeError,
    OpeningHandshakeError,
    OptionError,
    PeerVerificationError,
)

__all__ = ["ExitStatus", "statusOf"]


class ExitStatus(IntEnum):
    """
    How a command ended.
    """

    #: all was done; the peer closed the connection in order
    OK = 0
    #: the connection was lost, or cut off without an orderly close
    CONNECTION_LOST = 1
    #: what was said on the command line, or in a file that it names, cannot be used
    USAGE = 2
    #: the TLS handshake failed for another reason than the peer's certificate
    SSL_FAILURE = 16
    #: nothing was reached, or what was reached did not open a connection
    CONNECTION_FAILED = 18
    #: the peer's certificate cannot be verified
    CERTIFICATE_VERIFY_FAILED = 19
    #: interrupted from the keyboard (128 and the number of SIGINT)
    INTERRUPTED = 130
    #: asked to end (128 and the number of SIGTERM)
    TERMINATED = 143


#: The first row that an error belongs to says its status: the more special ones come first.
_STATUSES: tuple[tuple[type[BaseException], ExitStatus], ...] = (
    (OptionError, ExitStatus.USAGE),
    (CertificateFileError, ExitStatus.USAGE),
    (PeerVerificationError, ExitStatus.CERTIFICATE_VERIFY_FAILED),
    (HandshakeError, ExitStatus.SSL_FAILURE),
    (OpeningHandshakeError, ExitStatus.CONNECTION_FAILED),
    (DNSLookupError, ExitStatus.CONNECTION_FAILED),
    (ConnectError, ExitStatus.CONNECTION_FAILED),
    (ConnectTimeout, ExitStatus.CONNECTION_FAILED),
)


def statusOf(error: BaseException | None) -> ExitStatus:
    """
    The status with which a command ends because of an error.
    """
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return ExitStatus.CONNECTION_LOST
