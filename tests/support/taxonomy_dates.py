"""
Cases of dates: until when, and how that is written.
"""

from __future__ import annotations

from datetime import datetime

from tests.support.der import tlv
from tests.support.making import (
    DAY,
    NOW,
    Facts,
    Issuer,
    name,
)
from tests.support.rogues import Presented
from tests.support.taxonomy import UNREADABLE, Half, case, keyless, middle, root, show
from xtls.trust.verification import Reason

_DATES = "RFC 5280, 4.1.2.5"


def _dated(half: Half, issuer: Issuer, begin: int, end: int) -> Presented:
    return show(half, issuer, Facts(begin=NOW + begin * DAY, end=NOW + end * DAY))


@case(_DATES, Reason.EXPIRED)
def expired(half: Half) -> Presented:
    """
    Expired yesterday.
    """
    return _dated(half, middle(), -9, -1)


@case(_DATES, Reason.NOT_YET_VALID)
def notYetValid(half: Half) -> Presented:
    """
    Good from tomorrow on.
    """
    return _dated(half, middle(), 1, 9)


@case(_DATES, Reason.NOT_YET_VALID)
def never(half: Half) -> Presented:
    """
    Begins after it ends.
    """
    return _dated(half, middle(), 9, -9)


@case(_DATES, Reason.EXPIRED)
def expiredIntermediate(half: Half) -> Presented:
    """
    An authority below the root that expired yesterday.
    """
    facts = Facts(subject=name("old"), begin=NOW - 9 * DAY, end=NOW - DAY)
    return show(half, root().below("old", facts))


@case(_DATES, Reason.NOT_YET_VALID)
def futureIntermediate(half: Half) -> Presented:
    """
    An authority below the root that is good from tomorrow on.
    """
    return show(half, root().below("young", Facts(subject=name("young"), begin=NOW + DAY)))


@case(_DATES, Reason.EXPIRED)
def expiredRoot(half: Half) -> Presented:
    """
    A root that is believed, and expired yesterday.
    """
    facts = Facts(subject=name("old root"), begin=NOW - 9 * DAY, end=NOW - DAY)
    old = Issuer.root("old root", facts)
    return show(half, old, anchors=(old.der,))


@case(_DATES, Reason.NOT_YET_VALID)
def futureRoot(half: Half) -> Presented:
    """
    A root that is believed, and good from tomorrow on.
    """
    young = Issuer.root("young root", Facts(subject=name("young root"), begin=NOW + DAY))
    return show(half, young, anchors=(young.der,))


@case(_DATES)
def longerThanItsIssuer(half: Half) -> Presented:
    """
    Good for longer than the authority that signed it: for now.
    """
    return _dated(half, middle(), -1, 4000)


def _written(half: Half, begin: bytes | datetime, end: bytes | datetime) -> Presented:
    return show(half, facts=Facts(begin=begin, end=end))


def _general(when: datetime, form: str = "%Y%m%d%H%M%SZ") -> bytes:
    return tlv(0x18, when.strftime(form).encode("ascii"))


def _utc(when: datetime, form: str = "%y%m%d%H%M%SZ") -> bytes:
    return tlv(0x17, when.strftime(form).encode("ascii"))


@case(_DATES)
def generalizedTooEarly(half: Half) -> Presented:
    """
    Dates before 2050 as GeneralizedTime, where UTCTime must be.
    """
    return _written(half, _general(NOW - DAY), _general(NOW + DAY))


@case(_DATES)
def forever(half: Half) -> Presented:
    """
    No known end: the last second of the year 9999.
    """
    return _written(half, NOW - DAY, tlv(0x18, b"99991231235959Z"))


@case(_DATES, Reason.EXPIRED)
def centuryBefore(half: Half) -> Presented:
    """
    A UTCTime of the year 50, which is 1950.
    """
    return _written(half, tlv(0x17, b"500101000000Z"), tlv(0x17, b"510101000000Z"))


@case(_DATES, UNREADABLE)
def noSeconds(half: Half) -> Presented:
    """
    Dates without seconds.
    """
    return keyless(_written(half, _utc(NOW - DAY, "%y%m%d%H%MZ"), _utc(NOW + DAY, "%y%m%d%H%MZ")))


@case(_DATES, Reason.OTHER)
def zone(half: Half) -> Presented:
    """
    A date with a time zone.
    """
    return _written(half, NOW - DAY, _utc(NOW + DAY, "%y%m%d%H%M%S+0200"))


@case(_DATES, Reason.OTHER)
def fraction(half: Half) -> Presented:
    """
    A date with a fraction of a second.
    """
    return _written(half, NOW - DAY, tlv(0x18, b"20600101000000.5Z"))


@case(_DATES, Reason.OTHER)
def noSuchDay(half: Half) -> Presented:
    """
    The thirtieth of February.
    """
    return _written(half, NOW - DAY, tlv(0x17, b"490230000000Z"))


@case(_DATES, UNREADABLE)
def noDate(half: Half) -> Presented:
    """
    A date that is none.
    """
    return keyless(_written(half, NOW - DAY, tlv(0x17, b"tomorrow")))
