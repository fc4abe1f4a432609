"""
What is good and bad about what lies together in a file, or is sent together: a chain, a key with its
certificates, a revocation list.

Pure, as L{xtls.trust.inspection} is, which judges each certificate by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID

from xtls.trust.inspection import URGENT, WEAK_DIGESTS, Finding, Severity, forServers
from xtls.trust.particulars import (
    distance,
    extensionOf,
    isAuthority,
    isSelfSigned,
    issued,
    issuerOf,
    subjectOf,
)

__all__ = ["inspectChain", "inspectKey", "inspectRevocations"]


def inspectChain(certificates: Sequence[x509.Certificate]) -> list[Finding]:
    """
    Judge the certificates of a file, or those that a server has sent, as a chain: the server's first, and
    after each the one that signed it (RFC 8446, section 4.4.2).

    A collection of CAs is no chain; nor is one of several servers' certificates.
    """
    found = []
    if len(set(certificates)) != len(certificates):
        found.append(Finding(Severity.NOTE, "duplicate", "a certificate is in it twice", "leave one out"))
    different = list(dict.fromkeys(certificates))
    leaves = [each for each in different if not isAuthority(each)]
    if len(leaves) != 1:
        return found
    path = _path(leaves[0], different)
    unrelated = [each for each in different if each not in path]
    for each in unrelated:
        sentence = f"{subjectOf(each)} has signed nothing in it"
        found.append(Finding(Severity.WARNING, "unrelated", sentence, "leave it out"))
    if [each for each in different if each in path] != path:
        order = ", then ".join(subjectOf(each) for each in path)
        sentence = "the certificates are not in order, and not every client puts them right"
        found.append(
            Finding(
                Severity.WARNING, "wrong-order", sentence, f"put each before the one that signed it: {order}"
            )
        )
    found.extend(_ending(path))
    return found


def _path(leaf: x509.Certificate, among: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """
    A certificate, the one that signed it, and so on, as far as they are there.
    """
    path = [leaf]
    while True:
        above = next((each for each in among if each not in path and issued(path[-1], each)), None)
        if above is None:
            return path
        path.append(above)


def _ending(path: Sequence[x509.Certificate]) -> Iterator[Finding]:
    """
    Whether a chain goes as far up as clients need it, and no further.
    """
    last = path[-1]
    if isSelfSigned(last):
        if len(path) > 1 and forServers(path[0]):
            sentence = f"{subjectOf(last)} is a root, which clients have, or do not believe"
            yield Finding(Severity.NOTE, "root", sentence, "leave it out; it does no harm")
        return
    access = extensionOf(last, x509.AuthorityInformationAccess) or ()
    if len(path) == 1 and any(
        each.access_method == AuthorityInformationAccessOID.CA_ISSUERS for each in access
    ):
        sentence = f"the one that signed it, {issuerOf(last)}, is not there, and many clients need it"
        yield Finding(
            Severity.WARNING,
            "incomplete",
            sentence,
            "use the full chain that the CA gives, such as fullchain.pem",
        )


def inspectKey(
    certificates: Sequence[x509.Certificate], key: object | None, mode: int | None = None
) -> list[Finding]:
    """
    Judge the private key that lies with certificates.

    @param key: its public half; L{None} when there is no key.
    @param mode: the permissions of its file, where the system has such.
    """
    found = []
    if key is not None and not any(_publicKey(each) == key for each in certificates):
        sentence = "the key belongs to none of the certificates"
        found.append(
            Finding(
                Severity.ERROR, "wrong-key", sentence, "put the key there that the certificate was made with"
            )
        )
    if mode is not None and mode & 0o077:
        sentence = f"others than its owner may read the key (mode {mode & 0o777:04o})"
        found.append(
            Finding(
                Severity.WARNING,
                "exposed-key",
                sentence,
                "chmod 600 FILE; if one of them may have read it, make a new key",
            )
        )
    return found


def _publicKey(certificate: x509.Certificate) -> object:
    """
    The public key of a certificate; a value that equals none when it cannot be read.
    """
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def inspectRevocations(revocations: x509.CertificateRevocationList, now: datetime) -> list[Finding]:
    """
    Judge a revocation list (RFC 5280, section 5).
    """
    found = []
    end = revocations.next_update_utc
    remedy = "make a new one: xtls cert crl; or get the CA's newest"
    if end is None:
        found.append(
            Finding(Severity.WARNING, "no-next-update", "it does not say when the next one comes", remedy)
        )
    elif now > end:
        sentence = f"it is out of date since {distance(now - end)}: who checks it refuses everybody"
        found.append(Finding(Severity.ERROR, "outdated", sentence, remedy))
    elif end - now <= URGENT:
        found.append(
            Finding(
                Severity.WARNING, "outdated-soon", f"it will be out of date in {distance(end - now)}", remedy
            )
        )
    if now < revocations.last_update_utc:
        remedy = "set the clock right: this machine's, or that of whoever made it"
        found.append(Finding(Severity.ERROR, "not-yet-valid", "it is not valid yet", remedy))
    try:
        digest = revocations.signature_hash_algorithm
    except UnsupportedAlgorithm:
        digest = None
    weak = WEAK_DIGESTS.get(digest.name) if digest is not None else None
    if weak is not None:
        found.append(
            Finding(
                Severity.ERROR, "weak-signature", f"it is signed with {weak}, which can be forged", remedy
            )
        )
    return found
