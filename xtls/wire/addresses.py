"""
Addresses as people read them: for logs, and for messages to a peer.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

__all__ = ["addressName"]


def addressName(address: object) -> str:
    """
    Name one end of a connection: C{192.0.2.1:50000}, C{[2001:db8::1]:50000}, C{unix:/run/x}, and
    C{unix} for an end without a name, as clients of Unix sockets mostly are.

    @param address: as a transport's C{getPeer} or C{getHost} has it; of any other kind, Twisted's
        own text.
    """
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):
        name = (address.name or b"").decode("utf-8", "backslashreplace").replace("\0", "@", 1)
        return f"unix:{name}" if name else "unix"
    return str(address)
