"""
Cases of Common Names, in each kind of string.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.der import oid, sequence, tlv
from tests.support.making import Facts, name
from tests.support.rogues import Presented
from tests.support.taxonomy import ACCEPTED, UNREADABLE, Half, case, keyless, names, show
from xtls.trust.verification import Reason

_NOBODY = "a client of whom it cannot be read who it is is nobody"


def _encoded(tag: int, text: str | bytes, encoding: str = "utf-8") -> bytes:
    """
    A subject of one Common Name, in a string of the given type.
    """
    value = text if isinstance(text, bytes) else text.encode(encoding)
    return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(tag, value))))


def _common(half: Half, subject: bytes) -> Presented:
    """
    A certificate with a Common Name and no subjectAltName.
    """
    return show(half, facts=Facts(subject=subject), san=None)


@case("RFC 9525, 2")
def commonName(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name that is the name asked for: good enough with anchors that the user
    gave, and with no others.
    """
    return _common(half, name("server.test"))


@case("RFC 9525, 2", Reason.WRONG_NAME, client=ACCEPTED)
def otherCommonName(half: Half) -> Presented:
    """
    No subjectAltName, and another Common Name.
    """
    return _common(half, name("other.test"))


@case("RFC 9525, 2", Reason.WRONG_NAME, client=ACCEPTED)
def commonNameBesideSAN(half: Half) -> Presented:
    """
    A subjectAltName for another, and a Common Name that would do.
    """
    return show(half, facts=Facts(subject=name("server.test")), san=names("other.test"))


@case(
    "RFC 9525, 2",
    Reason.NO_NAME,
    client=ACCEPTED,
    stricter="it counts Common Names beside a subjectAltName that names no host",
)
def commonNameBesideMail(half: Half) -> Presented:
    """
    A subjectAltName with nothing but an address for mail, and a Common Name that would do.
    """
    return show(half, san=names(x509.RFC822Name("someone@server.test")))


@case("RFC 9525, 2", Reason.NO_NAME, client=ACCEPTED, stricter="it counts any of several Common Names")
def severalCommonNames(half: Half) -> Presented:
    """
    No subjectAltName, and two Common Names, of which the first is the name asked for.
    """
    first, second = (x509.NameAttribute(NameOID.COMMON_NAME, each) for each in ("server.test", "other.test"))
    return _common(half, x509.Name([first, second]).public_bytes())


@case(
    "RFC 9525, 2",
    Reason.WRONG_NAME,
    client=ACCEPTED,
    host="a.server.test",
    stricter="it counts wildcards in Common Names",
)
def wildcardCommonName(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name with a wildcard.
    """
    return _common(half, name("*.server.test"))


@case("RFC 5280, 4.1.2.4")
def commonNameUTF8(half: Half) -> Presented:
    """
    A Common Name in a UTF8String.
    """
    return _common(half, _encoded(0x0C, "server.test"))


@case("RFC 5280, 4.1.2.4")
def commonNameBMP(half: Half) -> Presented:
    """
    A Common Name in a BMPString, two octets for each letter.
    """
    return _common(half, _encoded(0x1E, "server.test", "utf-16-be"))


@case("RFC 5280, 4.1.2.4")
def commonNameUniversal(half: Half) -> Presented:
    """
    A Common Name in a UniversalString, four octets for each letter.
    """
    return _common(half, _encoded(0x1C, "server.test", "utf-32-be"))


@case("RFC 5280, 4.1.2.4", UNREADABLE)
def commonNameHalfBMP(half: Half) -> Presented:
    """
    A Common Name in a BMPString of an odd number of octets.
    """
    return keyless(_common(half, _encoded(0x1E, b"\0s\0e\0")))


@case("RFC 5280, 4.1.2.4")
def commonNameT61(half: Half) -> Presented:
    """
    A Common Name in a T61String.
    """
    return _common(half, _encoded(0x14, "server.test"))


@case("RFC 5280, 4.1.2.4", Reason.MALFORMED_NAME, client=Reason.OTHER, stricter=_NOBODY)
def otherNameT61(half: Half) -> Presented:
    """
    A Common Name in a T61String with letters beyond ASCII.
    """
    return _common(half, _encoded(0x14, b"serv\xe9r.test"))


@case("RFC 5280, 4.1.2.4", Reason.MALFORMED_NAME, client=Reason.OTHER, stricter=_NOBODY)
def commonNameBits(half: Half) -> Presented:
    """
    A Common Name in a BIT STRING, which is no text.
    """
    return _common(half, _encoded(0x03, b"\0server.test"))


@case("RFC 5280, 4.1.2.4", UNREADABLE)
def commonNameNoUTF8(half: Half) -> Presented:
    """
    A Common Name in a UTF8String that is not UTF-8.
    """
    return keyless(_common(half, _encoded(0x0C, b"server.test\xff")))


@case("RFC 9525, 2", Reason.WRONG_NAME, client=ACCEPTED)
def commonNameNUL(half: Half) -> Presented:
    """
    A Common Name with a NUL after the name asked for.
    """
    return _common(half, _encoded(0x0C, b"server.test\0.evil.test"))


@case("RFC 5890, 2.3.2.1", Reason.WRONG_NAME, client=ACCEPTED, host="kiosk.test")
def commonNameKelvin(half: Half) -> Presented:
    """
    A Common Name whose first letter is the sign of Kelvin, which is a k only in lower case.
    """
    return _common(half, _encoded(0x0C, "\u212aiosk.test"))


@case("RFC 5890, 2.3.2.1", Reason.WRONG_NAME, client=ACCEPTED, host="bücher.test")
def commonNameU(half: Half) -> Presented:
    """
    A Common Name with a U-label.
    """
    return _common(half, name("bücher.test"))


@case(
    "RFC 9525, 6.4",
    host="127.0.0.1",
    laxer="with anchors that the user gave, a Common Name may be an address",
)
def addressAsCommonName(half: Half) -> Presented:
    """
    An address as the Common Name, without a subjectAltName: as good as a host's name there.
    """
    return _common(half, name("127.0.0.1"))
