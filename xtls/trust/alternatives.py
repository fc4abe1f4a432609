"""
Names as a certificate's subjectAltName holds them (RFC 5280, section 4.2.1.6), from what people write.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from cryptography import x509

from xtls.trust.names import toASCII

__all__ = ["generalName", "hostName", "mailbox", "obviousName", "uri"]

#: What stands before the sign in an e-mail address that needs no quotes (RFC 5321, section 4.1.2).
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")

#: An absolute URI (RFC 3986, section 4.3), roughly; the bound on its length is ours.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,2000}")


def generalName(name: str) -> x509.GeneralName:
    """
    A server's host name, which may begin with a wildcard, or its address.

    @raise ValueError: if it is neither.
    """
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        wildcard = name.startswith("*.")
        return x509.DNSName("*." * wildcard + hostName(name[2:] if wildcard else name).value)


def hostName(text: str) -> x509.DNSName:
    """
    A host name, without a wildcard.

    @raise ValueError: if it is none.  C{300.1.1.1} is none: every program takes it for an address, if a wrong
        one, and looks for no such name.
    """
    name = toASCII(text)
    if name.rpartition(".")[2].isdigit():
        raise ValueError(f"{text!r} is not a host name")
    return x509.DNSName(name)


def mailbox(text: str) -> x509.RFC822Name:
    """
    An e-mail address, of ASCII before the sign.

    @raise ValueError: if it is none.
    """
    local, _, domain = text.rpartition("@")
    try:
        if _LOCAL_PART.fullmatch(local):
            return x509.RFC822Name(f"{local}@{toASCII(domain)}")
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no e-mail address")


def uri(text: str) -> x509.UniformResourceIdentifier:
    """
    A URI, absolute and of ASCII.

    @raise ValueError: if it is none.
    """
    if not _URI.fullmatch(text):
        raise ValueError(f"{text!r} is no URI: expected one such as spiffe://example.org/backup")
    return x509.UniformResourceIdentifier(text)


def obviousName(text: str) -> x509.GeneralName | None:
    """
    What somebody's or something's name is besides: an e-mail address, or the name of a host in some domain.
    """
    for kind, mark in ((mailbox, "@"), (hostName, ".")):
        try:
            if mark in text:
                return kind(text)
        except ValueError:
            continue
    return None
