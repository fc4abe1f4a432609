"""
Cases of what certificates, and their keys, are for.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.der import sequence
from tests.support.making import (
    extension,
    keyUsage,
    raw,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, keyless, root, show
from xtls.trust.verification import Reason

_PATH = "RFC 5280, 6.1"
_DATES = "RFC 5280, 4.1.2.5"
_USAGE = "RFC 5280, 4.2.1.12"
_BASIC = "RFC 5280, 4.2.1.9"
_KEY_USAGE = "RFC 5280, 4.2.1.3"
_WHOLE = "a certificate whose extensions cannot be read as a whole proves nothing"


def _usage(*usages: x509.ObjectIdentifier, critical: bool = False) -> bytes:
    return extension(x509.ExtendedKeyUsage(usages), critical)


@case(_USAGE)
def noUsage(half: Half) -> Presented:
    """
    Nothing said about usage: for everything.
    """
    return show(half, eku=None, ku=None)


@case(_USAGE)
def bothUsages(half: Half) -> Presented:
    """
    For servers and for clients.
    """
    return show(half, eku=_usage(half.usage, half.other))


@case(_USAGE, Reason.WRONG_USAGE)
def otherUsage(half: Half) -> Presented:
    """
    For clients if a server's, for servers if a client's.
    """
    return show(half, eku=_usage(half.other))


@case(_USAGE, Reason.WRONG_USAGE)
def anyUsage(half: Half) -> Presented:
    """
    For any usage: which is not what it is asked for.
    """
    return show(half, eku=_usage(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))


@case(_USAGE, Reason.WRONG_USAGE)
def signingCode(half: Half) -> Presented:
    """
    For signing programs.
    """
    return show(half, eku=_usage(ExtendedKeyUsageOID.CODE_SIGNING))


@case(_USAGE, Reason.WRONG_USAGE)
def unknownUsage(half: Half) -> Presented:
    """
    For what nobody knows, critically.
    """
    return show(half, eku=_usage(x509.ObjectIdentifier("1.2.3.4"), critical=True))


@case(_USAGE, Reason.WRONG_USAGE)
def emptyUsage(half: Half) -> Presented:
    """
    For a list of nothing.
    """
    return show(half, eku=raw("2.5.29.37", sequence()))


@case(_USAGE, Reason.WRONG_USAGE)
def otherUsageOfTheAuthority(half: Half) -> Presented:
    """
    From an authority for the other side's certificates only.
    """
    return show(half, root().below("for others", eku=_usage(half.other)))


@case(_USAGE)
def usageOfTheAuthority(half: Half) -> Presented:
    """
    From an authority for just such certificates.
    """
    return show(half, root().below("for these", eku=_usage(half.usage)))


@case(_KEY_USAGE, Reason.WRONG_USAGE, strict=Reason.STRICT)
def keyMayNotSign(half: Half) -> Presented:
    """
    A key that may sign certificates, and nothing else.
    """
    usage = extension(keyUsage(certificateSign=True), True)
    return keyless(show(half, ku=usage))


@case(_KEY_USAGE, Reason.UNKNOWN_CA)
def keyForNothing(half: Half) -> Presented:
    """
    A key that may do nothing.
    """
    return keyless(show(half, ku=extension(keyUsage(), True)))
