"""
Addresses as people read them: for logs, and for messages to a peer.
"""

from __future__ import annotations

import ipaddress

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

__all__ = ["addressName"]


def addressName(address: object) -> str:
    """
    Name one end of a connection: C{192.0.2.1:50000}, C{[2001:db8::1]:50000}, C{unix:/run/x}, and
    C{unix} for an end without a name, as clients of Unix sockets mostly are.  An IPv4 address that a socket
    for both versions has mapped to IPv6 (RFC 4291, section 2.5.5.2) is an IPv4 address.

    @param address: as a transport's C{getPeer} or C{getHost} has it; of any other kind, Twisted's
        own text.
    """
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        mapped = _mapped(address.host)
        return f"{mapped}:{address.port}" if mapped else f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):
        name = (address.name or b"").decode("utf-8", "backslashreplace").replace("\0", "@", 1)
        return f"unix:{name}" if name else "unix"
    return str(address)


def _mapped(host: str) -> str:
    """
    The IPv4 address that is mapped to an IPv6 address, or nothing.
    """
    try:
        mapped = ipaddress.IPv6Address(host).ipv4_mapped
    except ValueError:
        return ""
    return str(mapped) if mapped else ""
