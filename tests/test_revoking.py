"""
Revocation lists.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags
from twisted.trial.unittest import SynchronousTestCase

from xtls.trust.issuing import authorityKeyIdentifier, newAuthority, newKey, newServer
from xtls.trust.revoking import (
    LIST_DAYS,
    REASONS,
    Revocation,
    listNumber,
    parseReason,
    revocationList,
    revocationsIn,
)

NOW = datetime(2026, 2, 28, 12, 0, 0, tzinfo=timezone.utc)
AUTHORITY = newAuthority("an authority", now=NOW)


class RevocationListTests(SynchronousTestCase):
    """
    L{revocationList}.
    """

    def test_contents(self) -> None:
        """
        A list says whose it is, which one, from when and until when; and what is revoked, since when and
        why, the oldest first.
        """
        first = Revocation(7, NOW - timedelta(days=2), "keyCompromise")
        second = Revocation(5, NOW - timedelta(days=1))
        made = revocationList(AUTHORITY, [second, first], number=3, now=NOW + timedelta(microseconds=1))
        self.assertEqual(made.issuer, AUTHORITY.certificate.subject)
        self.assertTrue(made.is_signature_valid(AUTHORITY.certificate.public_key()))  # type: ignore[arg-type]
        self.assertEqual(made.last_update_utc, NOW - timedelta(hours=1))
        self.assertEqual(made.next_update_utc, NOW + timedelta(days=LIST_DAYS))
        self.assertEqual(listNumber(made), 3)
        identifier = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        self.assertEqual(identifier, authorityKeyIdentifier(AUTHORITY.certificate))
        self.assertEqual(revocationsIn(made), (first, second))

    def test_reasons(self) -> None:
        """
        Every reason that may be given comes back; one that may not is left out.
        """
        revocations = tuple(Revocation(n, NOW, reason) for n, reason in enumerate(REASONS, 1))
        made = revocationList(AUTHORITY, revocations, number=1, days=1)
        self.assertEqual(revocationsIn(made), revocations)
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(1)
            .revocation_date(NOW)
            .add_extension(x509.CRLReason(x509.ReasonFlags.certificate_hold), critical=False)
            .build()
        )
        key = newKey("ed25519")
        other = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(AUTHORITY.certificate.subject)
            .last_update(NOW)
            .next_update(NOW)
            .add_revoked_certificate(entry)
        )
        theirs = other.sign(key, None)
        self.assertEqual(revocationsIn(theirs), (Revocation(1, NOW),))
        self.assertEqual(listNumber(theirs), 0)

    def test_strict(self) -> None:
        """
        OpenSSL, keeping to RFC 5280 to the letter, believes the list about the whole chain: who is in it is
        refused, and nobody else.
        """
        good, bad = (newServer(AUTHORITY, ["a.test"], now=NOW).certificate for _ in range(2))
        made = revocationList(AUTHORITY, [Revocation(bad.serial_number, NOW)], number=1, now=NOW)
        store = X509Store()
        store.add_cert(X509.from_cryptography(AUTHORITY.certificate))
        store.add_crl(made)
        flags = X509StoreFlags.X509_STRICT | X509StoreFlags.CRL_CHECK | X509StoreFlags.CRL_CHECK_ALL
        store.set_flags(flags)
        store.set_time((NOW + timedelta(days=LIST_DAYS - 1)).replace(tzinfo=None))
        X509StoreContext(store, X509.from_cryptography(good)).verify_certificate()
        refused = X509StoreContext(store, X509.from_cryptography(bad))
        error = self.assertRaises(X509StoreContextError, refused.verify_certificate)
        self.assertIn("revoked", str(error))

    def test_kinds(self) -> None:
        """
        Any CA that can be made can make lists.
        """
        authority = newAuthority("another", key=newKey("ed25519"))
        made = revocationList(authority, [], number=1)
        self.assertTrue(made.is_signature_valid(authority.certificate.public_key()))  # type: ignore[arg-type]
        self.assertIsNone(made.signature_hash_algorithm)
        ours = revocationList(AUTHORITY, [], number=1)
        self.assertIsInstance(ours.signature_hash_algorithm, hashes.SHA256)

    def test_parseReason(self) -> None:
        """
        A reason may be spelled as the standard does, or with hyphens.
        """
        for text in ("keyCompromise", "key-compromise", "keycompromise"):
            self.assertEqual(parseReason(text), "keyCompromise")
        for text in ("", "certificateHold", "removeFromCRL", "no"):
            error = self.assertRaises(ValueError, parseReason, text)
            self.assertIn("superseded", str(error))
