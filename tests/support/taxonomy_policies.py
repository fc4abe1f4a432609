"""
Cases of policies, at which OpenSSL does not look unless it is told to, and neither does Python.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from tests.support.der import integer, oid, sequence, tlv
from tests.support.making import extension, raw
from tests.support.rogues import Presented
from tests.support.taxonomy import Half, case, root, show


def _policies(*policies: str) -> bytes:
    return extension(
        x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(p), None) for p in policies])
    )


def _limits(limits: Sequence[tuple[int, int]]) -> bytes:
    """
    A policyConstraints extension: pairs of tag and number of certificates.
    """
    content = sequence(*(tlv(tag, integer(number)[2:]) for tag, number in limits))
    return raw("2.5.29.36", content, True)


@case("RFC 5280, 4.2.1.11")
def explicitPolicy(half: Half) -> Presented:
    """
    An authority that demands a policy, and a certificate under none: OpenSSL does not look.
    """
    return show(half, root().below("explicit", pc=_limits([(0x80, 0)])))


@case("RFC 5280, 4.2.1.11")
def explicitPolicyKept(half: Half) -> Presented:
    """
    An authority that demands a policy, and a certificate under it.
    """
    issuer = root().below("explicit", cp=_policies("1.2.3.4"), pc=_limits([(0x80, 0)]))
    return show(half, issuer, cp=_policies("1.2.3.4"))


@case("RFC 5280, 4.2.1.11")
def otherPolicy(half: Half) -> Presented:
    """
    An authority that demands a policy, and a certificate under another: OpenSSL does not look.
    """
    issuer = root().below("explicit", cp=_policies("1.2.3.4"), pc=_limits([(0x80, 0)]))
    return show(half, issuer, cp=_policies("1.2.3.5"))


@case("RFC 5280, 4.2.1.14")
def inhibitedAny(half: Half) -> Presented:
    """
    An authority under which "any policy" does not count, which demands one, and a certificate under any:
    OpenSSL does not look.
    """
    issuer = root().below(
        "explicit",
        cp=_policies("1.2.3.4"),
        pc=_limits([(0x80, 0)]),
        ia=raw("2.5.29.54", integer(0), True),
    )
    return show(half, issuer, cp=_policies("2.5.29.32.0"))


@case("RFC 5280, 4.2.1.4")
def policyOfOne(half: Half) -> Presented:
    """
    A certificate under a policy that its authority does not mention, and that nobody demands.
    """
    return show(half, cp=_policies("1.2.3.4"))


@case("RFC 5280, 4.2.1.4")
def criticalPolicy(half: Half) -> Presented:
    """
    A critical policy.
    """
    policy = sequence(sequence(oid("1.2.3.4")))
    return show(half, cp=raw("2.5.29.32", policy, True))
