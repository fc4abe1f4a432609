"""
The names of servers, and whether a certificate is for one (RFC 9525).

Pure: a L{ReferenceIdentifier} is the name that was asked for, the identifiers that a certificate presents
are read from its subjectAltName, and the two are compared octet by octet after both are in one form:
A-labels, lower case, no trailing dot; addresses as addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

import idna

__all__ = ["ReferenceIdentifier", "toASCII"]

Address: TypeAlias = IPv4Address | IPv6Address

#: A label: letters, digits, hyphen (RFC 1034, section 3.5); the underscore is in use too.
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)

#: The longest name, without its trailing dot (RFC 1035, section 2.3.4).
_LONGEST_NAME: Final = 253


def toASCII(name: str) -> str:
    """
    Write a DNS name as it is compared: A-labels (RFC 5891), lower case, no trailing dot.

    @raise ValueError: if it is no DNS name.
    """
    text = name.removesuffix(".").lower()
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii").lower()
        except UnicodeError:
            raise ValueError(f"{name!r} is not a host name") from None
    labels = text.split(".")
    if len(text) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{name!r} is not a host name")
    return text


@dataclass(frozen=True)
class ReferenceIdentifier:
    """
    The server that was asked for (RFC 9525, section 6.1).

    @ivar name: a DNS name as it is compared, or the text of the address.
    @ivar address: the address, when it is one: then the certificate must have it as an IP-ID.
    """

    name: str
    address: Address | None = None

    @classmethod
    def of(cls, text: str) -> ReferenceIdentifier:
        """
        Read a host name, or an address with or without brackets.

        @raise ValueError: if it is neither.
        """
        # a zone (RFC 4007, section 11) says by which link, not who
        bare = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
        try:
            address = ip_address(bare)
        except ValueError:
            return cls(toASCII(bare))
        return cls(str(address), address)

    @property
    def serverName(self) -> bytes | None:
        """
        What to send as server_name: never an address (RFC 6066, section 3).
        """
        return None if self.address is not None else self.name.encode("ascii")
