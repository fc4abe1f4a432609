"""
Cases of proxy certificates (RFC 3820), which somebody who is no authority signs in his own name.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.making import PROXY, Facts, Issuer, curveKey
from tests.support.rogues import Presented
from tests.support.taxonomy import ACCEPTED, Half, case, middle, show
from xtls.trust.verification import Reason

_ALLOWED = ("ALLOW_PROXY_CERTS",)
_NAMES = "it counts the names of proxies"


def _subject(*commonNames: str) -> bytes:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "theirs")
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, each) for each in commonNames]
    return x509.Name([organization, *attributes]).public_bytes()


def _proxy(half: Half, owner: tuple[str, ...], commonName: str) -> Presented:
    """
    A proxy, whose owner's certificate is good, for another name.

    @param owner: the owner's Common Names.
    @param commonName: the proxy's own, which its owner chooses.
    """
    key = curveKey("the owner")
    own = middle().leaf(key, half.usage, Facts(subject=_subject(*owner)), san=None)
    issuer = Issuer(_subject(*owner), key, own, (own, *middle().chain))
    facts = Facts(subject=_subject(*owner, commonName))
    return show(half, issuer, facts, san=None, bc=None, proxy=PROXY)


@case("RFC 3820, 2.5", Reason.OTHER)
def proxy(half: Half) -> Presented:
    """
    A proxy, where nobody has said that they count.
    """
    return _proxy(half, (), "server.test")


@case(
    "RFC 3820, 4.1",
    Reason.NO_NAME,
    client=ACCEPTED,
    flags=_ALLOWED,
    stricter=_NAMES,
)
def proxyWithName(half: Half) -> Presented:
    """
    A proxy, where they count, whose Common Name is the one that is asked for: its owner chose that name, and
    no authority.
    """
    return _proxy(half, (), "server.test")


@case(
    "RFC 3820, 3.4",
    Reason.NO_NAME,
    client=ACCEPTED,
    flags=_ALLOWED,
    stricter=_NAMES,
)
def proxyOfAnother(half: Half) -> Presented:
    """
    A proxy, where they count, of an owner with a Common Name.
    """
    return _proxy(half, ("other.test",), "server.test")
