"""
Which of several certificates to show, by the name that the client asks for (RFC 6066, section 3).

Pure.  A name of a certificate's own wins over a wildcard; who asks for none, or for an unknown one, is
shown the first certificate, and will refuse it if it must.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from cryptography import x509

from xtls.trust.names import PresentedIdentifiers

__all__ = ["NameTable", "lookUp"]

_T = TypeVar("_T")


def lookUp(table: Mapping[str, _T], serverName: bytes | None) -> _T | None:
    """
    Find what a table has for the name that a client asks for: under the name itself, or else under the
    wildcard for all names beside it.
    """
    if not serverName:
        return None
    name = serverName.decode("ascii", "replace").lower().removesuffix(".")
    return table.get(name, table.get("*." + name.partition(".")[2]))


class NameTable(Generic[_T]):
    """
    Values, found by the names of certificates.
    """

    def __init__(self, entries: Sequence[tuple[x509.Certificate, _T]]) -> None:
        """
        @param entries: at least one; of two certificates with one name, the first is found.
        """
        self._default = entries[0][1]
        self._byName: dict[str, _T] = {}
        for certificate, value in entries:
            for name in _namesOf(certificate):
                self._byName.setdefault(name, value)

    def find(self, serverName: bytes | None) -> _T:
        """
        Find the value for the name that a client asks for, or else the first.
        """
        found = lookUp(self._byName, serverName)
        return self._default if found is None else found

    def knows(self, serverName: bytes | None) -> bool:
        """
        Whether a certificate is for the name that a client asks for.
        """
        return lookUp(self._byName, serverName) is not None


def _namesOf(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    The names by which a certificate is asked for.  Without a subjectAltName, that is its Common Name: this
    chooses what to show, and what is shown is still verified by the client.
    """
    try:
        presented = PresentedIdentifiers.of(certificate)
    except ValueError:
        return ()
    return presented.names if presented.extension else tuple(each.lower() for each in presented.commonNames)
