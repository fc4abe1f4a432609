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
from cryptography import x509
from cryptography.x509.oid import NameOID

__all__ = ["PresentedIdentifiers", "ReferenceIdentifier", "isProxy", "printable", "toASCII"]

Address: TypeAlias = IPv4Address | IPv6Address

#: A label: letters, digits, hyphen (RFC 1034, section 3.5); the underscore is in use too.
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)

#: The extension that says so (RFC 3820, section 3.8).
_PROXY: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14")

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
        bare = text.strip().removeprefix("[").removesuffix("]")
        try:
            # a zone (RFC 4007, section 11) says by which link, not who
            address = ip_address(bare.partition("%")[0])
        except ValueError:
            return cls(toASCII(bare))
        return cls(str(address), address)

    @property
    def serverName(self) -> bytes | None:
        """
        What to send as server_name: never an address (RFC 6066, section 3).
        """
        return None if self.address is not None else self.name.encode("ascii")


def isProxy(certificate: x509.Certificate) -> bool:
    """
    Whether a certificate is a proxy (RFC 3820): its owner, who is no authority, has signed it and has chosen
    the last Common Name of its subject.

    @raise ValueError: if its extensions cannot be read.
    """
    return any(each.oid == _PROXY for each in certificate.extensions)


@dataclass(frozen=True)
class PresentedIdentifiers:
    """
    Whom a certificate is for, as it says itself (RFC 9525, section 6.2).

    @ivar names: its DNS-IDs as they are compared; the left-most label may be C{*}.
    @ivar addresses: its IP-IDs.
    @ivar malformed: identifiers that cannot be used, as they are shown; they match nothing (section 6.3).
    @ivar extension: whether it has a subjectAltName at all.
    @ivar commonNames: the Common Names of its subject; none of a proxy, which are not an authority's words.
    """

    names: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    malformed: tuple[str, ...] = ()
    extension: bool = False
    commonNames: tuple[str, ...] = ()

    @classmethod
    def of(cls, certificate: x509.Certificate) -> PresentedIdentifiers:
        """
        Read the names of a certificate.

        @raise ValueError: if they cannot be read.
        """
        try:
            attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except TypeError as e:
            raise ValueError(str(e)) from None  # a string of bits, which is no name
        commonNames = tuple(str(each.value) for each in attributes)
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return cls(commonNames=() if isProxy(certificate) else commonNames)
        except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as e:
            raise ValueError(str(e)) from None
        names: list[str] = []
        addresses: list[Address] = []
        malformed: list[str] = []
        for each in found:
            if isinstance(each, x509.DNSName):
                try:
                    names.append(_presentedName(each.value))
                except ValueError:
                    malformed.append(each.value)
            elif isinstance(each, x509.IPAddress):
                # what is as long as an address and a mask is a network, which is no identifier
                if isinstance(each.value, (IPv4Address, IPv6Address)):
                    addresses.append(each.value)
                else:
                    malformed.append(str(each.value))
        return cls(tuple(names), tuple(addresses), tuple(malformed), True, commonNames)

    def match(self, reference: ReferenceIdentifier) -> bool:
        """
        Whether one of the identifiers is the reference's.
        """
        if reference.address is not None:
            return any(each == reference.address for each in self.addresses)
        # a wildcard stands for one label, and for a whole one (RFC 9525, section 6.3)
        head, dot, tail = reference.name.partition(".")
        return reference.name in self.names or bool(head and dot and f"*.{tail}" in self.names)

    @property
    def exact(self) -> tuple[str, ...]:
        """
        The names and addresses that can be asked for: no wildcards, and nothing that is malformed.
        """
        names = (each for each in self.names if not each.startswith("*"))
        return (*names, *map(str, self.addresses))

    @property
    def hasCommonName(self) -> bool:
        """
        Whether there is one Common Name, and no subjectAltName, which would count alone.
        """
        return not self.extension and len(self.commonNames) == 1

    def matchCommonName(self, reference: ReferenceIdentifier) -> bool:
        """
        Whether the one Common Name is the reference's, letter by letter.  This is not RFC 9525's rule, which
        knows no Common Names: who asks must have a reason.  Only for certificates with no subjectAltName.
        """
        if not (self.hasCommonName and self.commonNames[0].isascii()):
            return False  # of letters beyond ASCII, some become others in lower case
        return self.commonNames[0].lower() == reference.name


def _presentedName(name: str) -> str:
    """
    A DNS-ID as it is compared.

    A wildcard must be the whole left-most label, the only one, and have two labels to its right at the least
    (C{*.com} would be everybody).  What reads as an address is none, since addresses are IP-IDs.

    @raise ValueError: if it is not usable.
    """
    text = name.lower() if name.isascii() else name
    wildcard = text.startswith("*.")
    labels = (text[2:] if wildcard else text).split(".")
    if not text.isascii() or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{name!r} is no DNS-ID")
    if len(text) > _LONGEST_NAME or (wildcard and len(labels) < 2) or labels[-1].isdigit():
        raise ValueError(f"{name!r} is no DNS-ID")
    return text


def printable(text: str, longest: int = 100) -> str:
    """
    A text of somebody else's as it may be shown: nothing that a terminal or a log would obey, and not long.
    """
    shown = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
