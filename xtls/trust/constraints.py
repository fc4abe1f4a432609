"""
Whether an authority may vouch for the name that was asked for (RFC 5280, section 4.2.1.10).

Pure.  OpenSSL holds the names in a certificate to the constraints of the authorities above it, where it takes
them for names of hosts.  It overlooks a Common Name that is an address, of one label or oddly written, and a
wildcard that is for an excluded name among others.  So the name that is asked for is held to them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cryptography import x509

from xtls.trust.names import ReferenceIdentifier

__all__ = ["constraintsOf", "isPermitted"]


#: How the extension is called in DER: most authorities do not mention it, and need not be read.
_IDENTIFIER: Final = b"\x06\x03\x55\x1d\x1e"


def constraintsOf(der: bytes) -> x509.NameConstraints | None:
    """
    The constraints that an authority's certificate says, if any.

    @param der: the certificate.
    @raise ValueError: if they cannot be read; C{cryptography} has other exceptions for this besides.
    """
    if _IDENTIFIER not in der:
        return None
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        return extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def isPermitted(reference: ReferenceIdentifier, constraints: x509.NameConstraints) -> bool:
    """
    Whether certificates for a name, or an address, may come from an authority with these constraints.
    """
    if _isWithinAny(reference, constraints.excluded_subtrees or ()):
        return False
    permitted = constraints.permitted_subtrees or ()
    form = x509.DNSName if reference.address is None else x509.IPAddress
    # names of a form that is not mentioned are all permitted
    return not any(isinstance(each, form) for each in permitted) or _isWithinAny(reference, permitted)


def _isWithinAny(reference: ReferenceIdentifier, subtrees: Iterable[x509.GeneralName]) -> bool:
    return any(_isWithin(reference, each) for each in subtrees)


def _isWithin(reference: ReferenceIdentifier, subtree: x509.GeneralName) -> bool:
    """
    Whether a name is in a domain, or an address in a network.  A domain is in itself, unless there is a dot
    before it.
    """
    if isinstance(subtree, x509.IPAddress):
        network = subtree.value
        return reference.address is not None and reference.address in network  # type: ignore[operator]
    if not isinstance(subtree, x509.DNSName) or reference.address is not None:
        return False
    domain = subtree.value.lower().removesuffix(".")
    if not domain or reference.name == domain:
        return True
    return reference.name.endswith(domain if domain.startswith(".") else f".{domain}")
