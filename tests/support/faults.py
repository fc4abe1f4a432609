"""
What may be wrong with a peer's certificate, and why it is then refused.

All is relative to L{AUTHORITY}, which the other side believes, and to L{NAME}, the server that it wants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair
from xtls.trust.issuing import selfSigned
from xtls.trust.verification import Reason

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
NAME = "server.test"

AUTHORITY = Authority()
STRANGER = Authority("somebody else's authority")
GOOD_SERVER = AUTHORITY.issue(NAME, "127.0.0.1")
GOOD_CLIENT = AUTHORITY.issue("a client", clientAuth=True, san=False)

#: An authority that allows none below it, and one that is below it all the same.
LOWEST = AUTHORITY.intermediate("lowest", pathLength=0)
TOO_LOW = LOWEST.intermediate("too low")


@dataclass(frozen=True)
class Fault:
    """
    One fault.

    @ivar pair: the certificate; L{None} for none at all.
    @ivar reason: why it is refused.
    @ivar host: whom the client wants.
    @ivar depth: where in the chain the fault is.
    @ivar shown: whether a server of OpenSSL's would show such a certificate under TLS 1.2 at all.
    """

    pair: KeyPair | None
    reason: Reason
    host: str = NAME
    depth: int = 0
    shown: bool = True


def unchained(pair: KeyPair) -> KeyPair:
    """
    The same, without the certificates in between.
    """
    return replace(pair, chain=())


def named(*names: x509.GeneralName) -> KeyPair:
    """
    A server's certificate with a subjectAltName as given, and a Common Name that would do.
    """
    return AUTHORITY.issue(commonName=NAME, san=names)


def forged() -> KeyPair:
    """
    A server's certificate in which something was changed after it was signed.
    """
    pair = AUTHORITY.issue(NAME)
    encoded = bytearray(pair.certificate.public_bytes(Encoding.DER))
    encoded[-1] ^= 1
    return replace(pair, certificate=x509.load_der_x509_certificate(bytes(encoded)))


def issuedByALeaf(clientAuth: bool = False) -> KeyPair:
    """
    A certificate signed with the key of a good one that is no authority's.
    """
    leaf = AUTHORITY.issue("leaf.test")
    impostor = Authority()
    impostor.certificate, impostor.key, impostor.chain = leaf.certificate, leaf.key, (leaf.certificate,)
    return impostor.issue(NAME, clientAuth=clientAuth)


def constrained() -> KeyPair:
    """
    A certificate from an authority that may only certify another domain.
    """
    constraint = x509.NameConstraints([x509.DNSName("elsewhere.test")], None)
    return AUTHORITY.intermediate("constrained", extensions=[(constraint, True)]).issue(NAME)


SERVER_FAULTS: dict[str, Fault] = {
    "expired": Fault(AUTHORITY.issue(NAME, notBefore=NOW - 9 * DAY, notAfter=NOW - DAY), Reason.EXPIRED),
    "notYetValid": Fault(AUTHORITY.issue(NAME, notBefore=NOW + DAY), Reason.NOT_YET_VALID),
    "expiredIntermediate": Fault(
        AUTHORITY.intermediate("old", notAfter=NOW - DAY).issue(NAME), Reason.EXPIRED, depth=1
    ),
    "unknownAuthority": Fault(STRANGER.issue(NAME), Reason.UNKNOWN_CA),
    "unknownAuthorityThatIsSent": Fault(
        replace(STRANGER.issue(NAME), chain=(STRANGER.certificate,)), Reason.UNKNOWN_CA, depth=1
    ),
    "authorityOfTheSameName": Fault(Authority().issue(NAME), Reason.UNKNOWN_CA),
    "missingIntermediate": Fault(unchained(LOWEST.issue(NAME)), Reason.UNKNOWN_CA),
    "selfSigned": Fault(selfSigned([NAME]), Reason.SELF_SIGNED),
    "forged": Fault(forged(), Reason.BAD_SIGNATURE),
    "issuedByALeaf": Fault(issuedByALeaf(), Reason.NOT_A_CA, depth=1),
    "pathLength": Fault(TOO_LOW.issue(NAME), Reason.PATH_LENGTH, depth=2),
    "nameConstraints": Fault(constrained(), Reason.NAME_CONSTRAINTS),
    "usageOfAClient": Fault(AUTHORITY.issue(NAME, clientAuth=True), Reason.WRONG_USAGE),
    "usageNotSigning": Fault(AUTHORITY.issue(NAME, signing=False, usage=()), Reason.WRONG_USAGE, shown=False),
    "wrongName": Fault(AUTHORITY.issue("other.test"), Reason.WRONG_NAME),
    "nameBelow": Fault(AUTHORITY.issue("a." + NAME), Reason.WRONG_NAME),
    "nameAbove": Fault(AUTHORITY.issue(NAME), Reason.WRONG_NAME, host="a." + NAME),
    "noNameAtAll": Fault(AUTHORITY.issue(), Reason.NO_NAME),
    "otherCommonName": Fault(AUTHORITY.issue(san=False, commonName="other.test"), Reason.WRONG_NAME),
    "commonNameBesideOthers": Fault(named(x509.DNSName("other.test")), Reason.WRONG_NAME),
    "onlyMail": Fault(named(x509.RFC822Name("me@server.test")), Reason.NO_NAME),
    "addressOfFiveOctets": Fault(
        AUTHORITY.issue(commonName=NAME, san=bytes.fromhex("300787050102030405")), Reason.MALFORMED_NAME
    ),
    "nameNotASCII": Fault(
        AUTHORITY.issue(commonName=NAME, san=bytes.fromhex("30048202c3a9")), Reason.MALFORMED_NAME
    ),
    "network": Fault(
        named(x509.IPAddress(ip_network("127.0.0.0/8"))), Reason.MALFORMED_NAME, host="127.0.0.1"
    ),
    "emptyName": Fault(named(x509.DNSName("")), Reason.MALFORMED_NAME),
    "nameWithNUL": Fault(named(x509.DNSName(NAME + "\0.evil.test")), Reason.MALFORMED_NAME),
    "addressAsName": Fault(named(x509.DNSName("127.0.0.1")), Reason.MALFORMED_NAME, host="127.0.0.1"),
    "nameForAddress": Fault(AUTHORITY.issue(NAME), Reason.WRONG_NAME, host="127.0.0.1"),
    "addressForName": Fault(AUTHORITY.issue("127.0.0.1"), Reason.WRONG_NAME),
    "otherAddress": Fault(AUTHORITY.issue("127.0.0.1"), Reason.WRONG_NAME, host="::1"),
    "wildcardAlone": Fault(named(x509.DNSName("*")), Reason.MALFORMED_NAME, host="localhost"),
    "wildcardTop": Fault(named(x509.DNSName("*.test")), Reason.MALFORMED_NAME),
    "wildcardInner": Fault(named(x509.DNSName("a.*.test")), Reason.MALFORMED_NAME, host="a.b.test"),
    "wildcardPartial": Fault(named(x509.DNSName("s*.a.test")), Reason.MALFORMED_NAME, host="server.a.test"),
    "wildcardDouble": Fault(named(x509.DNSName("*.*.a.test")), Reason.MALFORMED_NAME, host="x.y.a.test"),
    "wildcardForTwoLabels": Fault(named(x509.DNSName("*.a.test")), Reason.WRONG_NAME, host="x.y.a.test"),
    "wildcardForNoLabel": Fault(named(x509.DNSName("*.a.test")), Reason.WRONG_NAME, host="a.test"),
}

CLIENT_FAULTS: dict[str, Fault] = {
    "missing": Fault(None, Reason.NO_CERTIFICATE),
    "expired": Fault(
        AUTHORITY.issue("c", clientAuth=True, notBefore=NOW - 9 * DAY, notAfter=NOW - DAY), Reason.EXPIRED
    ),
    "notYetValid": Fault(AUTHORITY.issue("c", clientAuth=True, notBefore=NOW + DAY), Reason.NOT_YET_VALID),
    "unknownAuthority": Fault(STRANGER.issue("c", clientAuth=True), Reason.UNKNOWN_CA),
    "missingIntermediate": Fault(unchained(LOWEST.issue("c", clientAuth=True)), Reason.UNKNOWN_CA),
    "selfSigned": Fault(AUTHORITY.issue("c", clientAuth=True, selfSigned=True), Reason.SELF_SIGNED),
    "issuedByALeaf": Fault(issuedByALeaf(clientAuth=True), Reason.NOT_A_CA, depth=1),
    "pathLength": Fault(TOO_LOW.issue("c", clientAuth=True), Reason.PATH_LENGTH, depth=2),
    "usageOfAServer": Fault(AUTHORITY.issue("c"), Reason.WRONG_USAGE),
    "usageNotSigning": Fault(AUTHORITY.issue("c", signing=False, usage=()), Reason.WRONG_USAGE),
}
