"""
Cases of how a certificate is written: versions, numbers, extensions, and octets that do not belong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography import x509

from tests.support.der import bitString, children, integer, oid, sequence, tlv
from tests.support.making import ECDSA_SHA256, Facts, Issuer, extension, name, raw
from tests.support.rogues import Presented
from tests.support.taxonomy import UNREADABLE, Half, case, keyless, middle, names, root, show
from xtls.trust.verification import Reason

_VERSION = "RFC 5280, 4.1.2.1"
_SERIAL = "RFC 5280, 4.1.2.2"
_DATES = "RFC 5280, 4.1.2.5"
_EXTENSIONS = "RFC 5280, 4.2"
_DER = "X.690, 10"
_UNKNOWN = "1.2.3.4.5"
_WHOLE = "a certificate whose extensions cannot be read as a whole proves nothing"
_UNREAD = "a certificate that cannot be read as DER proves nothing"


def _edited(half: Half, edit: Callable[[bytes], bytes]) -> Presented:
    """
    A good certificate, edited after it was signed; its bearer goes no further.
    """
    shown = show(half)
    own, *others = shown.certificates
    return keyless(replace(shown, certificates=(edit(own), *others)))


# extensions


@case(_EXTENSIONS, Reason.OTHER)
def criticalUnknown(half: Half) -> Presented:
    """
    A critical extension that nobody knows.
    """
    return show(half, more=raw(_UNKNOWN, b"\x05\0", True))


@case(_EXTENSIONS)
def unknownExtension(half: Half) -> Presented:
    """
    An extension that nobody knows and that is not critical.
    """
    return show(half, more=raw(_UNKNOWN, b"no DER"))


@case(_EXTENSIONS, Reason.OTHER)
def criticalUnknownAbove(half: Half) -> Presented:
    """
    A critical extension that nobody knows, of the authority above.
    """
    return show(half, root().below("odd", more=raw(_UNKNOWN, b"\x05\0", True)))


@case(_EXTENSIONS, Reason.OTHER)
def criticalUnknownRoot(half: Half) -> Presented:
    """
    A critical extension that nobody knows, of the root that is believed.
    """
    issuer = Issuer.root("an odd root", more=raw(_UNKNOWN, b"\x05\0", True))
    return show(half, issuer, anchors=(issuer.der,))


@case(_EXTENSIONS, Reason.OTHER)
def twoSANs(half: Half) -> Presented:
    """
    Two subjectAltNames: one for another, and one for the name asked for.
    """
    return keyless(show(half, san=names("other.test"), more=names("server.test")))


@case(_EXTENSIONS, Reason.OTHER)
def oneSANTwice(half: Half) -> Presented:
    """
    The same subjectAltName twice.
    """
    return keyless(show(half, more=names("server.test")))


@case(_EXTENSIONS, Reason.UNKNOWN_CA)
def twoConstraints(half: Half) -> Presented:
    """
    Two basicConstraints of the authority above: it is one, and it is none.
    """
    none = extension(x509.BasicConstraints(ca=False, path_length=None), True)
    return show(half, root().below("undecided", more=none))


@case(_EXTENSIONS, Reason.OTHER)
def twoUsages(half: Half) -> Presented:
    """
    Two extended key usages: for the other side, and for this one.
    """
    other = extension(x509.ExtendedKeyUsage([half.other]))
    return keyless(show(half, eku=other, more=extension(x509.ExtendedKeyUsage([half.usage]))))


@case(_EXTENSIONS, Reason.MALFORMED_NAME, client=Reason.OTHER, stricter=_WHOLE)
def twoUnknown(half: Half) -> Presented:
    """
    Twice an extension that nobody knows.
    """
    return show(half, unknown=raw(_UNKNOWN, b"1"), more=raw(_UNKNOWN, b"2"))


@case(_EXTENSIONS, Reason.OTHER)
def garbledSAN(half: Half) -> Presented:
    """
    A subjectAltName that cannot be read.
    """
    return keyless(show(half, san=raw("2.5.29.17", b"no DER")))


@case(_EXTENSIONS, Reason.OTHER)
def garbledUsage(half: Half) -> Presented:
    """
    An extended key usage that cannot be read.
    """
    return keyless(show(half, eku=raw("2.5.29.37", b"no DER")))


@case(_EXTENSIONS, Reason.UNKNOWN_CA)
def garbledBasicConstraints(half: Half) -> Presented:
    """
    A basicConstraints of the authority above that cannot be read.
    """
    return show(half, root().below("garbled", bc=raw("2.5.29.19", b"no DER", True)))


@case(_EXTENSIONS, Reason.MALFORMED_NAME, client=Reason.OTHER, stricter=_WHOLE)
def trailingInSAN(half: Half) -> Presented:
    """
    Octets after the end of a subjectAltName, in its extension.
    """
    return show(half, san=raw("2.5.29.17", sequence(tlv(0x82, b"server.test")) + b"\x05\0"))


@case("RFC 5280, 4.1", strict=Reason.STRICT)
def noExtensionsInList(half: Half) -> Presented:
    """
    A list of extensions with none in it, which has to have one.
    """
    return _rewritten(half, lambda fields: [*fields[:-1], tlv(0xA3, sequence())])


# versions


def _rewritten(half: Half, rewrite: Callable[[list[bytes]], list[bytes]]) -> Presented:
    """
    A certificate whose fields are rewritten, and which is then signed.
    """
    issuer = middle()
    shown = show(half, issuer)
    fields, algorithm, _ = children(shown.certificates[0])
    tbs = sequence(*rewrite(children(fields)))
    own = sequence(tbs, algorithm, bitString(ECDSA_SHA256.sign(issuer.key, tbs)))
    return replace(shown, certificates=(own, *shown.certificates[1:]))


@case(_VERSION)
def versionOne(half: Half) -> Presented:
    """
    A certificate of version 1, which has no extensions: its Common Name is believed with given anchors.
    """
    nothing: dict[str, Any] = dict.fromkeys(("ski", "aki", "san", "bc", "ku", "eku"))
    return show(half, facts=Facts(version=None), **nothing)


@case(_VERSION, Reason.NOT_A_CA)
def versionOneAuthority(half: Half) -> Presented:
    """
    An authority of version 1, below the root.
    """
    nothing: dict[str, Any] = dict.fromkeys(("ski", "aki", "bc", "ku"))
    return show(half, root().below("v1", Facts(subject=name("v1"), version=None), **nothing))


@case(_VERSION, strict=Reason.NOT_A_CA)
def versionOneRoot(half: Half) -> Presented:
    """
    A root of version 1, which is believed.
    """
    nothing: dict[str, Any] = dict.fromkeys(("ski", "aki", "bc", "ku"))
    issuer = Issuer.root("v1", Facts(subject=name("v1"), version=None), **nothing)
    return show(half, issuer, anchors=(issuer.der,))


@case(_VERSION, strict=Reason.STRICT)
def versionOneWithExtensions(half: Half) -> Presented:
    """
    Version 1, and extensions, which only version 3 has.
    """
    return show(half, facts=Facts(version=None))


@case(_VERSION, Reason.OTHER, stricter=_UNREAD)
def versionTwo(half: Half) -> Presented:
    """
    Version 2, and extensions.
    """
    return show(half, facts=Facts(version=1))


@case(_VERSION, Reason.OTHER, stricter=_UNREAD)
def versionFour(half: Half) -> Presented:
    """
    Version 4, which there is none.
    """
    return show(half, facts=Facts(version=3))


@case(_DER, Reason.OTHER, stricter=_UNREAD)
def versionOneSaid(half: Half) -> Presented:
    """
    Version 1, which is not written, written.
    """
    nothing: dict[str, Any] = dict.fromkeys(("ski", "aki", "san", "bc", "ku", "eku"))
    return show(half, facts=Facts(version=0), **nothing)


# serial numbers


@case(_SERIAL)
def serialZero(half: Half) -> Presented:
    """
    A serial number of zero.
    """
    return show(half, facts=Facts(serial=0))


@case(_SERIAL)
def serialNegative(half: Half) -> Presented:
    """
    A negative serial number.
    """
    return show(half, facts=Facts(serial=-5))


@case(_SERIAL)
def serialLong(half: Half) -> Presented:
    """
    A serial number of 40 octets, where 20 are allowed.
    """
    return show(half, facts=Facts(serial=b"\x11" * 40))


@case(_DER, UNREADABLE)
def serialPadded(half: Half) -> Presented:
    """
    A serial number with a zero before it that does not belong there.
    """
    return keyless(show(half, facts=Facts(serial=b"\0\0\1")))


@case(_DER, UNREADABLE)
def serialEmpty(half: Half) -> Presented:
    """
    A serial number of no octets.
    """
    return keyless(show(half, facts=Facts(serial=b"")))


# octets that do not belong


@case(_DER, UNREADABLE)
def trailing(half: Half) -> Presented:
    """
    Octets after the end of the certificate.
    """
    return _edited(half, lambda der: der + b"\0")


@case(_DER, UNREADABLE)
def cutShort(half: Half) -> Presented:
    """
    The last octet of a certificate missing.
    """
    return _edited(half, lambda der: der[:-1])


@case(_DER, UNREADABLE)
def nothing(half: Half) -> Presented:
    """
    A certificate of no octets.
    """
    return _edited(half, lambda der: b"")


@case(_DER, UNREADABLE)
def noCertificate(half: Half) -> Presented:
    """
    Something else than a certificate.
    """
    return _edited(half, lambda der: sequence(integer(1)))


@case(_DER, UNREADABLE)
def trailingInside(half: Half) -> Presented:
    """
    A value after the signature.
    """
    return _edited(half, lambda der: sequence(*children(der), integer(1)))


@case("X.690, 10.1", Reason.OTHER)
def longLength(half: Half) -> Presented:
    """
    A length that is written with more octets than it needs, in what was signed.
    """
    issuer = middle()
    shown = show(half, issuer)
    fields, algorithm, signature = children(shown.certificates[0])
    _, *rest = children(fields)
    inner = b"\xa0\x81\x03\x02\x01\x02" + b"".join(rest)
    own = sequence(tlv(0x30, inner), algorithm, signature)
    return keyless(replace(shown, certificates=(own, *shown.certificates[1:])))


@case("X.690, 11.1", Reason.OTHER)
def otherTrue(half: Half) -> Presented:
    """
    A "true" that is written as 1, where DER has 255.
    """
    lax = sequence(oid(_UNKNOWN), b"\x01\x01\x01", tlv(0x04, b""))
    return show(half, more=lax)


@case("X.690, 11.5", Reason.OTHER, stricter=_UNREAD)
def defaultWritten(half: Half) -> Presented:
    """
    "Not critical", which is not written, written.
    """
    written = sequence(oid(_UNKNOWN), b"\x01\x01\0", tlv(0x04, b""))
    return show(half, more=written)


@case("RFC 5280, 4.1.2.8")
def uniqueIdentifiers(half: Half) -> Presented:
    """
    Unique identifiers of issuer and subject, which nobody should use.
    """
    extra = [tlv(0x81, b"\0issuer"), tlv(0x82, b"\0subject")]
    return _rewritten(half, lambda fields: [*fields[:-1], *extra, fields[-1]])
