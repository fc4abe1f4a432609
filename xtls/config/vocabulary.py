"""
Words that options of TLS take: modes of verification, and the names of flags that Python has too.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["TLS_OPTIONS", "VERIFY_FLAGS", "WEAKENING_OPTIONS", "VerifyMode"]


class VerifyMode(Enum):
    """
    How a certificate of the peer is treated.

    @cvar NONE: it is not verified.
    @cvar OPTIONAL: there may be none; one that is there is verified.
    @cvar REQUIRED: there must be one, and it is verified.
    """

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


#: What of Python's VERIFY_* is taken.
VERIFY_FLAGS = frozenset(
    {
        "DEFAULT",
        "CRL_CHECK_LEAF",
        "CRL_CHECK_CHAIN",
        "X509_STRICT",
        "X509_TRUSTED_FIRST",
        "ALLOW_PROXY_CERTS",
        "X509_PARTIAL_CHAIN",
    }
)

#: What of Python's OP_* is taken: all of it hardens, or asks for what is so anyway.
TLS_OPTIONS = frozenset(
    {
        "ALL",
        "NO_SSLv2",
        "NO_SSLv3",
        "NO_TLSv1",
        "NO_TLSv1_1",
        "NO_TLSv1_2",
        "NO_TLSv1_3",
        "NO_TICKET",
        "NO_COMPRESSION",
        "NO_RENEGOTIATION",
        "CIPHER_SERVER_PREFERENCE",
        "SINGLE_DH_USE",
        "SINGLE_ECDH_USE",
        "ENABLE_MIDDLEBOX_COMPAT",
        "ENABLE_KTLS",
    }
)

#: What of OP_* is never taken, and why.
WEAKENING_OPTIONS = {
    "LEGACY_SERVER_CONNECT": "it allows a renegotiation that others can inject into (RFC 5746)",
    "ALLOW_UNSAFE_LEGACY_RENEGOTIATION": "others can inject into such a renegotiation (RFC 5746)",
    "IGNORE_UNEXPECTED_EOF": "a connection cut short would pass for one that ended (RFC 8446, section 6.1)",
}
