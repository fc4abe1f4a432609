"""
Cases of what authorities may certify: constraints on names.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.der import sequence, tlv
from tests.support.making import Facts, Issuer, extension, name, raw
from tests.support.rogues import Presented
from tests.support.taxonomy import ACCEPTED, Half, case, names, root, show
from xtls.trust.verification import Reason

_RULE = "RFC 5280, 4.2.1.10"
_REASON = Reason.NAME_CONSTRAINTS
_CONSTRAINTS = "2.5.29.30"
_OVERLOOKED = "the name that is asked for is itself held to the constraints"


def _dns(*values: str) -> list[x509.GeneralName]:
    return [x509.DNSName(each) for each in values]


def _network(text: str) -> list[x509.GeneralName]:
    return [x509.IPAddress(ip_network(text))]


def _allowing(*values: x509.GeneralName, critical: bool = True) -> Issuer:
    """
    An authority that may certify these names only.
    """
    return _constrained(extension(x509.NameConstraints(values, None), critical))


def _forbidding(*values: x509.GeneralName) -> Issuer:
    """
    An authority that may certify all but these names.
    """
    return _constrained(extension(x509.NameConstraints(None, values), True))


def _constrained(constraints: bytes) -> Issuer:
    return root().below("constrained", nc=constraints)


def _encoded(tag: int, entry: bytes) -> Issuer:
    """
    An authority with one permitted (0xA0) or excluded (0xA1) subtree, encoded by hand.
    """
    return _constrained(raw(_CONSTRAINTS, sequence(tlv(tag, sequence(entry))), True))


@case(_RULE)
def permitted(half: Half) -> Presented:
    """
    A name within the domain that its authority may certify.
    """
    return show(half, _allowing(*_dns("test")))


@case(_RULE, _REASON)
def notPermitted(half: Half) -> Presented:
    """
    A name outside of it.
    """
    return show(half, _allowing(*_dns("elsewhere.test")))


@case(_RULE, _REASON)
def notPermittedByTheRoot(half: Half) -> Presented:
    """
    A name outside of the domain that the root itself may certify.
    """
    constraints = extension(x509.NameConstraints(_dns("elsewhere.test"), None), True)
    issuer = Issuer.root("a constrained root", nc=constraints)
    return show(half, issuer.below("below it"), anchors=(issuer.der,))


@case(_RULE, _REASON)
def notPermittedAbove(half: Half) -> Presented:
    """
    A name outside of the domain of an authority above that which signed it.
    """
    return show(half, _allowing(*_dns("elsewhere.test")).below("below the constrained"))


@case(_RULE, _REASON)
def widenedBelow(half: Half) -> Presented:
    """
    An authority below a constrained one that says it may do more.
    """
    wider = extension(x509.NameConstraints(_dns("server.test"), None), True)
    return show(half, _allowing(*_dns("elsewhere.test")).below("below the constrained", nc=wider))


@case(_RULE, _REASON, strict=_REASON)
def notCritical(half: Half) -> Presented:
    """
    A name outside of the domain, where the constraint is not critical: it counts all the same.
    """
    return show(half, _allowing(*_dns("elsewhere.test"), critical=False))


@case(_RULE, _REASON)
def excluded(half: Half) -> Presented:
    """
    A name that the authority may not certify.
    """
    return show(half, _forbidding(*_dns("server.test")))


@case(_RULE, _REASON)
def excludedByCase(half: Half) -> Presented:
    """
    The same in other letters.
    """
    return show(half, _forbidding(*_dns("Server.TEST")))


@case(_RULE, _REASON)
def excludedAbove(half: Half) -> Presented:
    """
    A name in a domain that the authority may not certify.
    """
    return show(half, _forbidding(*_dns("test")))


@case(_RULE, _REASON)
def excludedThoughPermitted(half: Half) -> Presented:
    """
    A name in a domain that is permitted and excluded: excluded.
    """
    constraints = x509.NameConstraints(_dns("test"), _dns("server.test"))
    return show(half, _constrained(extension(constraints, True)))


@case(_RULE, _REASON)
def everythingExcluded(half: Half) -> Presented:
    """
    An authority that may certify no DNS name at all.
    """
    return show(half, _forbidding(*_dns("")))


@case(_RULE)
def otherwiseExcluded(half: Half) -> Presented:
    """
    A name that only ends like an excluded one.
    """
    return show(half, _forbidding(*_dns("rver.test")))


@case(_RULE, _REASON)
def oneNameOutside(half: Half) -> Presented:
    """
    Two names, of which only the one that is asked for is in the domain.
    """
    return show(half, _allowing(*_dns("server.test")), san=names("server.test", "other.example"))


@case(_RULE, _REASON, client=ACCEPTED, host="a.server.test", stricter=_OVERLOOKED)
def wildcardOverExcluded(half: Half) -> Presented:
    """
    A wildcard that is also for an excluded name, which is asked for.
    """
    return show(half, _forbidding(*_dns("a.server.test")), san=names("*.server.test"))


@case(_RULE, host="b.server.test")
def wildcardBesideExcluded(half: Half) -> Presented:
    """
    A wildcard that is also for an excluded name, where another is asked for.
    """
    return show(half, _forbidding(*_dns("a.server.test")), san=names("*.server.test"))


@case(_RULE, _REASON, host="a.server.test")
def wildcardUnderExcluded(half: Half) -> Presented:
    """
    A wildcard in an excluded domain.
    """
    return show(half, _forbidding(*_dns("server.test")), san=names("*.server.test"))


@case(_RULE, _REASON, host="a.server.test")
def wildcardNotPermitted(half: Half) -> Presented:
    """
    A wildcard for more than the domain that is permitted, and a name in that.
    """
    return show(half, _allowing(*_dns("a.server.test")), san=names("*.server.test"))


@case(_RULE, _REASON)
def commonNameNotPermitted(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name outside of the domain.
    """
    return show(half, _allowing(*_dns("elsewhere.test")), san=None)


@case(_RULE, _REASON)
def commonNameExcluded(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name that is excluded.
    """
    return show(half, _forbidding(*_dns("server.test")), san=None)


@case(_RULE, _REASON, client=ACCEPTED, host="server", stricter=_OVERLOOKED)
def shortCommonNameNotPermitted(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name of one label outside of the domain.
    """
    facts = Facts(subject=name("server"))
    return show(half, _allowing(*_dns("elsewhere.test")), facts, san=None)


@case(_RULE, _REASON, client=ACCEPTED, host="127.0.0.1")
def commonAddressNotPermitted(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name that is an address outside of the network that is permitted.
    """
    facts = Facts(subject=name("127.0.0.1"))
    return show(half, _allowing(*_network("10.0.0.0/8")), facts, san=None)


@case(_RULE, _REASON, client=ACCEPTED, host="127.0.0.1")
def commonAddressExcluded(half: Half) -> Presented:
    """
    No subjectAltName, and a Common Name that is an address in an excluded network.
    """
    facts = Facts(subject=name("127.0.0.1"))
    return show(half, _forbidding(*_network("127.0.0.0/8")), facts, san=None)


@case(_RULE, _REASON, client=ACCEPTED, host="-server.test", stricter=_OVERLOOKED)
def oddCommonNameExcluded(half: Half) -> Presented:
    """
    No subjectAltName, and an excluded Common Name that begins with a hyphen.
    """
    facts = Facts(subject=name("-server.test"))
    return show(half, _forbidding(*_dns("test")), facts, san=None)


@case(_RULE, host="127.0.0.1")
def addressPermitted(half: Half) -> Presented:
    """
    An address within the network that is permitted.
    """
    address = x509.IPAddress(ip_address("127.0.0.1"))
    return show(half, _allowing(*_network("127.0.0.0/8")), san=names(address))


@case(_RULE, _REASON, host="127.0.0.1")
def addressNotPermitted(half: Half) -> Presented:
    """
    An address outside of it.
    """
    address = x509.IPAddress(ip_address("127.0.0.1"))
    return show(half, _allowing(*_network("10.0.0.0/8")), san=names(address))


@case(_RULE, _REASON, host="::1")
def addressOfSixExcluded(half: Half) -> Presented:
    """
    An IPv6 address in an excluded network.
    """
    return show(half, _forbidding(*_network("::/64")), san=names(x509.IPAddress(ip_address("::1"))))


@case(_RULE, host="::1")
def addressOfOtherFamily(half: Half) -> Presented:
    """
    An IPv6 address, where networks of IPv4 are excluded.
    """
    return show(half, _forbidding(*_network("0.0.0.0/0")), san=names(x509.IPAddress(ip_address("::1"))))


@case(_RULE)
def otherFormPermitted(half: Half) -> Presented:
    """
    A DNS name, where only addresses are constrained.
    """
    return show(half, _allowing(*_network("10.0.0.0/8")))


@case(_RULE, Reason.OTHER, client=_REASON)
def oddNetwork(half: Half) -> Presented:
    """
    A network with a mask that is none: of five octets.
    """
    return show(
        half,
        _encoded(0xA1, tlv(0x87, b"\x7f\0\0\1\xff")),
        san=names("server.test", x509.IPAddress(ip_address("127.0.0.1"))),
    )


@case(_RULE, _REASON)
def mailNotPermitted(half: Half) -> Presented:
    """
    An address for mail outside of the domain, beside the name asked for.
    """
    mail = x509.RFC822Name("someone@other.example")
    return show(half, _allowing(x509.RFC822Name("server.test")), san=names("server.test", mail))


@case(_RULE, _REASON)
def mailInSubject(half: Half) -> Presented:
    """
    An address for mail in the subject, outside of the domain.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "someone@other.example")])
    facts = Facts(subject=subject.public_bytes())
    return show(half, _allowing(x509.RFC822Name("server.test")), facts)


@case(_RULE, _REASON)
def uriExcluded(half: Half) -> Presented:
    """
    A URI with an excluded host, beside the name asked for.
    """
    uri = x509.UniformResourceIdentifier("https://a.other.example/")
    excluded = x509.UniformResourceIdentifier(".other.example")
    return show(half, _forbidding(excluded), san=names("server.test", uri))


@case(_RULE, _REASON)
def directoryNotPermitted(half: Half) -> Presented:
    """
    A subject outside of the directory that is permitted.
    """
    allowed = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ours")])
    facts = Facts(subject=name("server.test", "theirs"))
    return show(half, _allowing(x509.DirectoryName(allowed)), facts)


@case(_RULE)
def directoryPermitted(half: Half) -> Presented:
    """
    A subject within it.
    """
    allowed = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ours")])
    facts = Facts(subject=name("server.test", "ours"))
    return show(half, _allowing(x509.DirectoryName(allowed)), facts)


@case(_RULE, _REASON)
def unknownForm(half: Half) -> Presented:
    """
    A constraint on names of a form of which OpenSSL knows nothing (registeredID), and such a name.
    """
    number = x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4"))
    return show(half, _allowing(number), san=names("server.test", number))


@case(_RULE)
def unknownFormUnused(half: Half) -> Presented:
    """
    The same, and no such name.
    """
    return show(half, _allowing(x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4"))))


@case(_RULE, _REASON)
def minimum(half: Half) -> Presented:
    """
    A constraint with a minimum, which RFC 5280 allows nobody.
    """
    return show(half, _encoded(0xA0, tlv(0x82, b"test") + tlv(0x80, b"\1")))


@case(_RULE, Reason.NAME_CONSTRAINTS)
def authorityOutside(half: Half) -> Presented:
    """
    An authority whose own name is outside of the directory that is permitted, above a leaf that is in it.
    """
    allowed = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ours")])
    issuer = _allowing(x509.DirectoryName(allowed)).below("theirs")
    return show(half, issuer, Facts(subject=name("server.test", "ours")))


@case(_RULE, Reason.OTHER, client=ACCEPTED, stricter="constraints that cannot be read allow nothing")
def emptyConstraints(half: Half) -> Presented:
    """
    Constraints of nothing at all.
    """
    return show(half, _constrained(raw(_CONSTRAINTS, sequence(), True)))


@case("RFC 5280, 4.2.1.10", Reason.UNKNOWN_CA)
def garbledConstraints(half: Half) -> Presented:
    """
    Constraints that cannot be read.
    """
    return show(half, _constrained(raw(_CONSTRAINTS, b"no DER", True)))
