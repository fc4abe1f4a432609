"""
Cases of names: whom a certificate is for, and how that may be written.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.der import sequence, tlv
from tests.support.making import Facts, extension, name, raw
from tests.support.rogues import Presented
from tests.support.taxonomy import ACCEPTED, Half, case, names, show
from xtls.trust.verification import Reason

_SAN = "2.5.29.17"


def _san(half: Half, *entries: tuple[int, bytes]) -> Presented:
    """
    A certificate with a subjectAltName of the given entries: tag, octets.
    """
    value = sequence(*(tlv(tag, data) for tag, data in entries))
    return show(half, facts=Facts(subject=name("nobody")), san=raw(_SAN, value))


def _dns(half: Half, *values: str) -> Presented:
    """
    A certificate for DNS names as they are given.
    """
    return _san(half, *((0x82, each.encode("utf-8")) for each in values))


@case("RFC 9525, 6.3")
def good(half: Half) -> Presented:
    """
    A certificate from an authority below the root, and nothing the matter with it.
    """
    return show(half)


@case("RFC 9525, 6.3", Reason.WRONG_NAME, client=ACCEPTED)
def otherName(half: Half) -> Presented:
    """
    Good, for another name.
    """
    return show(half, san=names("other.test"))


@case("RFC 9525, 6.3")
def severalNames(half: Half) -> Presented:
    """
    For the name among others, in another case.
    """
    return show(half, san=names("a.test", "SERVER.Test", "b.test"))


@case("RFC 9525, 6.3")
def mixedWithUnusable(half: Half) -> Presented:
    """
    For the name, beside identifiers that cannot be used and are passed over.
    """
    return show(half, san=names("*", "", "bad name", "server.test"))


@case(
    "RFC 9525, 6.3",
    Reason.NO_NAME,
    client=ACCEPTED,
    strict=Reason.STRICT,
    stricter="it counts Common Names beside a subjectAltName that names no host",
)
def emptySAN(half: Half) -> Presented:
    """
    A subjectAltName with nothing in it; the Common Name would do.
    """
    return show(half, san=raw(_SAN, sequence()))


@case("RFC 9525, 2", Reason.NO_NAME, client=ACCEPTED, strict=Reason.STRICT)
def emptySubject(half: Half) -> Presented:
    """
    No subject and no subjectAltName: for nobody.
    """
    return show(half, facts=Facts(subject=sequence()), san=None)


@case("RFC 5280, 4.1.2.6")
def emptySubjectWithSAN(half: Half) -> Presented:
    """
    No subject, and the name in a subjectAltName, which should then be critical.
    """
    return show(half, facts=Facts(subject=sequence()))


@case("RFC 5280, 4.1.2.6")
def emptySubjectWithCriticalSAN(half: Half) -> Presented:
    """
    No subject, and the name in a critical subjectAltName, as it should be.
    """
    san = extension(x509.SubjectAlternativeName([x509.DNSName("server.test")]), True)
    return show(half, facts=Facts(subject=sequence()), san=san)


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED)
def nulInSAN(half: Half) -> Presented:
    """
    A DNS name with a NUL after the name asked for.
    """
    return _dns(half, "server.test\0.evil.test")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED)
def nulAtTheEnd(half: Half) -> Presented:
    """
    A DNS name that ends with a NUL.
    """
    return _dns(half, "server.test\0")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED)
def space(half: Half) -> Presented:
    """
    A DNS name with a space after it.
    """
    return _dns(half, "server.test ")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED)
def emptyDNSName(half: Half) -> Presented:
    """
    A DNS name of no letters.
    """
    return _dns(half, "")


@case("RFC 5280, 4.2.1.6", Reason.MALFORMED_NAME, client=ACCEPTED)
def trailingDot(half: Half) -> Presented:
    """
    A DNS name with a dot at the end, which certificates have not.
    """
    return _dns(half, "server.test.")


@case(
    "RFC 9525, 6.1",
    host="server.test.",
    laxer="it compares the dot at the end of the name asked for, which only says that the name is whole",
)
def trailingDotAskedFor(half: Half) -> Presented:
    """
    A dot at the end of the name that is asked for, which means the same host.
    """
    return show(half)


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED)
def leadingDot(half: Half) -> Presented:
    """
    A DNS name with a dot before it, as only constraints have.
    """
    return _dns(half, ".server.test", ".test")


@case("RFC 5890, 2.3.2.1", host="bücher.test")
def aLabel(half: Half) -> Presented:
    """
    A name in another script, as an A-label.
    """
    return _dns(half, "xn--bcher-kva.test")


@case("RFC 5280, 7.2", Reason.MALFORMED_NAME, client=ACCEPTED, host="bücher.test")
def uLabel(half: Half) -> Presented:
    """
    A name in another script, as a U-label, which certificates have not.
    """
    return _dns(half, "bücher.test")


@case("RFC 5280, 7.2")
def uLabelBesideGood(half: Half) -> Presented:
    """
    A U-label beside the name asked for, which counts.
    """
    return _dns(half, "bücher.test", "server.test")


@case("RFC 5890, 2.3.2.1", Reason.WRONG_NAME, client=ACCEPTED)
def malformedPunycode(half: Half) -> Presented:
    """
    An A-label that stands for nothing.
    """
    return _dns(half, "xn--0.test", "xn--.test", "xn--server-.test")


@case("RFC 9525, 6.3", host="a.server.test")
def wildcard(half: Half) -> Presented:
    """
    A wildcard for the left-most label.
    """
    return _dns(half, "*.server.test")


@case("RFC 9525, 6.3", host="bücher.server.test")
def wildcardForALabel(half: Half) -> Presented:
    """
    A wildcard stands for an A-label too.
    """
    return _dns(half, "*.server.test")


@case("RFC 9525, 6.3", Reason.WRONG_NAME, client=ACCEPTED, host="a.b.server.test")
def wildcardTooShort(half: Half) -> Presented:
    """
    A wildcard for one label, and a name with two.
    """
    return _dns(half, "*.server.test")


@case("RFC 9525, 6.3", Reason.WRONG_NAME, client=ACCEPTED)
def wildcardForNone(half: Half) -> Presented:
    """
    A wildcard for one label, and a name with none.
    """
    return _dns(half, "*.server.test")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED)
def wildcardTop(half: Half) -> Presented:
    """
    A wildcard for all of a top-level domain.
    """
    return _dns(half, "*.test", "*", "*.")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED, host="abc.server.test")
def wildcardPartial(half: Half) -> Presented:
    """
    A wildcard for a part of a label: before, within, after.
    """
    return _dns(half, "*c.server.test", "a*c.server.test", "ab*.server.test")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED, host="a.b.server.test")
def wildcardInside(half: Half) -> Presented:
    """
    A wildcard that is not on the left, or is there twice.
    """
    return _dns(half, "a.*.server.test", "*.*.server.test", "**.b.server.test")


@case("RFC 9525, 6.3", Reason.MALFORMED_NAME, client=ACCEPTED, host="xn--bcher-kva.server.test")
def wildcardInALabel(half: Half) -> Presented:
    """
    A wildcard within an A-label.
    """
    return _dns(half, "xn--*-kva.server.test", "xn--*.server.test")


@case("RFC 9525, 6.4", host="127.0.0.1")
def address(half: Half) -> Presented:
    """
    An address as an IP-ID.
    """
    return show(half, san=names(x509.IPAddress(ip_address("127.0.0.1"))))


@case("RFC 9525, 6.4", host="::1")
def addressOfSix(half: Half) -> Presented:
    """
    An IPv6 address as an IP-ID.
    """
    return show(half, san=names(x509.IPAddress(ip_address("::1"))))


@case("RFC 9525, 6.4", Reason.MALFORMED_NAME, client=ACCEPTED, host="127.0.0.1")
def addressAsDNS(half: Half) -> Presented:
    """
    An address as a DNS name.
    """
    return _dns(half, "127.0.0.1")


@case("RFC 9525, 6.4", Reason.MALFORMED_NAME, client=ACCEPTED, host="127.0.0.1")
def wildcardAddress(half: Half) -> Presented:
    """
    An address as a DNS name with a wildcard.
    """
    return _dns(half, "*.0.0.1")


@case("RFC 9525, 6.4", Reason.WRONG_NAME, client=ACCEPTED, host="127.0.0.1")
def mappedAddress(half: Half) -> Presented:
    """
    An IPv4 address as one of IPv6 to which it is mapped.
    """
    return show(half, san=names(x509.IPAddress(ip_address("::ffff:127.0.0.1"))))


@case("RFC 9525, 6.4", Reason.WRONG_NAME, client=ACCEPTED, host="::ffff:127.0.0.1")
def mappedAddressAskedFor(half: Half) -> Presented:
    """
    The other way round.
    """
    return show(half, san=names(x509.IPAddress(ip_address("127.0.0.1"))))


@case("RFC 5280, 4.2.1.6", Reason.MALFORMED_NAME, client=ACCEPTED, host="127.0.0.1")
def network(half: Half) -> Presented:
    """
    A network in place of an address.
    """
    return show(half, san=names(x509.IPAddress(ip_network("127.0.0.0/8"))))


@case(
    "RFC 5280, 4.2.1.6",
    Reason.MALFORMED_NAME,
    client=Reason.OTHER,
    host="127.0.0.1",
    stricter="a client of whom it cannot be read who it is is nobody",
)
def addressOfFiveOctets(half: Half) -> Presented:
    """
    An address of five octets, of which the first four would do.
    """
    return _san(half, (0x87, b"\x7f\0\0\1\0"))


@case("RFC 9525, 2", Reason.NO_NAME, client=ACCEPTED)
def onlyURI(half: Half) -> Presented:
    """
    A URI with the name as its host, and no DNS name.
    """
    uri = x509.UniformResourceIdentifier("https://server.test/")
    return show(half, facts=Facts(subject=name("nobody")), san=names(uri))


@case("RFC 9525, 2", Reason.NO_NAME, client=ACCEPTED)
def nameInDirectory(half: Half) -> Presented:
    """
    A directory name in the subjectAltName, whose Common Name is the name asked for.
    """
    inner = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server.test")])
    return show(half, facts=Facts(subject=name("nobody")), san=names(x509.DirectoryName(inner)))


@case(
    "RFC 5280, 4.2.1.6",
    Reason.MALFORMED_NAME,
    client=Reason.OTHER,
    stricter="an extension that cannot be read as a whole proves nothing",
)
def unknownNameForm(half: Half) -> Presented:
    """
    A name of a form that is hardly known (x400Address), beside the name asked for.
    """
    return _san(half, (0xA3, b""), (0x82, b"server.test"))
