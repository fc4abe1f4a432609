"""
Refusals in words.
"""

from __future__ import annotations

from datetime import datetime, timezone
from ipaddress import ip_network

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from twisted.trial.unittest import SynchronousTestCase

from tests.support.making import unnamed
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint
from xtls.trust.sentences import issuerCalled, sentenceFor, subjectCalled
from xtls.trust.verification import Reason, Refusal

AUTHORITY = Authority("the authority")
BEGIN, END = (datetime(year, 2, 3, 4, 5, 6, tzinfo=timezone.utc) for year in (2030, 2031))
CERTIFICATE = AUTHORITY.issue("a.test", "127.0.0.1", notBefore=BEGIN, notAfter=END).certificate
NAMELESS = AUTHORITY.issue(commonName="Somebody", san=False).certificate


class SentencesTests(SynchronousTestCase):
    """
    One sentence for each reason, with what was found.
    """

    def said(self, reason: Reason, certificate: x509.Certificate = CERTIFICATE, **evidence: object) -> str:
        """
        The sentence of a refusal.
        """
        refusal = Refusal(reason, certificate, **{"reference": "b.test", **evidence})  # type: ignore[arg-type]
        sentence = sentenceFor(refusal)
        self.assertEqual(sentence, refusal.sentence())
        return sentence

    def test_dates(self) -> None:
        """
        Dates that were found are given to the minute, and which clock they are by.
        """
        expired = "the certificate for a.test expired on 2031-02-03 04:05 UTC"
        self.assertEqual(self.said(Reason.EXPIRED), expired)
        early = "the certificate for a.test is not valid before 2030-02-03 04:05 UTC: "
        self.assertEqual(self.said(Reason.NOT_YET_VALID), early + "is this machine's clock right?")

    def test_unnamed(self) -> None:
        """
        A certificate whose names cannot be read is called that, and its refusal is still said.
        """
        certificate = unnamed()
        uncalled = "(a name that cannot be read)"
        self.assertEqual((subjectCalled(certificate), issuerCalled(certificate)), (uncalled, uncalled))
        self.assertEqual(subjectCalled(CERTIFICATE), '"a.test"')
        self.assertEqual(issuerCalled(CERTIFICATE), '"the authority"')
        self.assertIn("cannot be read, and is refused: expired", self.said(Reason.EXPIRED, certificate))

    def test_whose(self) -> None:
        """
        A certificate is called by what it is for, by its subject where it is for nothing, and an
        authority's by that.
        """
        for certificate, depth, whose in (
            (CERTIFICATE, 0, "the certificate for a.test"),
            (AUTHORITY.issue("::1").certificate, 0, "the certificate for ::1"),
            (NAMELESS, 0, 'the certificate of "Somebody"'),
            (AUTHORITY.issue(san=False).certificate, 0, "the certificate of (no name)"),
            (AUTHORITY.certificate, 1, 'the certificate of the authority "the authority"'),
        ):
            self.assertTrue(self.said(Reason.WEAK, certificate, depth=depth).startswith(whose + " has a key"))

    def test_key(self) -> None:
        """
        A key that is not pinned is named as it would have to be.
        """
        self.assertEqual(
            self.said(Reason.WRONG_KEY, detail="sha256:00"),
            "the certificate for a.test does not have the key that is pinned, but sha256:00",
        )

    def test_apart(self) -> None:
        """
        The fingerprint can be left out, where it is shown apart.
        """
        for reason in Reason:
            refusal = Refusal(reason, CERTIFICATE, reference="b.test", detail="x")
            compared = reason in (Reason.SELF_SIGNED, Reason.UNKNOWN_CA)
            short = sentenceFor(refusal, compared=False)
            end = f"; its fingerprint is {fingerprint(CERTIFICATE)}" if compared else ""
            self.assertEqual(short + end, sentenceFor(refusal))

    def test_unknown(self) -> None:
        """
        Who is not known is named, with the fingerprint.
        """
        self.assertEqual(
            self.said(Reason.UNKNOWN_CA),
            'the certificate for a.test was issued by "the authority", which is not trusted here (or a'
            f" certificate in between is missing); its fingerprint is {fingerprint(CERTIFICATE)}",
        )
        self.assertEqual(
            self.said(Reason.UNKNOWN_CA, AUTHORITY.certificate, depth=1),
            'the chain of certificates ends at "the authority", which is not trusted here; its fingerprint is'
            f" {fingerprint(AUTHORITY.certificate)}",
        )
        self.assertEqual(
            self.said(Reason.SELF_SIGNED),
            "the certificate for a.test is self-signed and not trusted here; its fingerprint is"
            f" {fingerprint(CERTIFICATE)}",
        )

    def test_names(self) -> None:
        """
        Names that were found are listed, up to a few.
        """
        sentence = "the certificate is for a.test and 127.0.0.1, not for b.test"
        self.assertEqual(self.said(Reason.WRONG_NAME), sentence)
        sentence = "the certificate is for Somebody, not for b.test"
        self.assertEqual(self.said(Reason.WRONG_NAME, NAMELESS), sentence)
        many = AUTHORITY.issue(*(f"n{number}.test" for number in range(9))).certificate
        shown = "n0.test, n1.test, n2.test, n3.test, n4.test, n5.test and 3 more"
        self.assertEqual(
            self.said(Reason.WRONG_NAME, many), f"the certificate is for {shown}, not for b.test"
        )
        nobody = AUTHORITY.issue().certificate
        self.assertEqual(
            self.said(Reason.WRONG_NAME, nobody), "the certificate is for somebody else, not for b.test"
        )

    def test_noName(self) -> None:
        """
        Where there is no name, what there is instead is told.
        """
        start = "the certificate does not say that it is for b.test: "
        mail = AUTHORITY.issue(san=[x509.RFC822Name("me@b.test")]).certificate
        for certificate, found in (
            (NAMELESS, 'it has no subjectAltName, only the Common Name "Somebody"'),
            (AUTHORITY.issue().certificate, "it has no subjectAltName"),
            (mail, "its subjectAltName has neither host names nor addresses"),
        ):
            self.assertEqual(self.said(Reason.NO_NAME, certificate), start + found)

    def test_malformedName(self) -> None:
        """
        Names that cannot be used are shown, so that nothing in them is obeyed.
        """
        start = "the certificate does not say that it is for b.test: "
        names = [*map(x509.DNSName, ("*", "a\x1b[2J", "")), x509.IPAddress(ip_network("10.0.0.0/8"))]
        for san, found in (
            (names, 'it has names that nothing may match: "*", "a\\x1b[2J", "" and "10.0.0.0/8"'),
            (b"no DER", "its names cannot be read"),
        ):
            certificate = AUTHORITY.issue(san=san).certificate
            self.assertEqual(self.said(Reason.MALFORMED_NAME, certificate), start + found)
        address = AUTHORITY.issue(san=[x509.DNSName("127.0.0.1")]).certificate
        self.assertEqual(
            self.said(Reason.MALFORMED_NAME, address, reference="127.0.0.1"),
            "the certificate does not say that it is for 127.0.0.1: it has that as the name of a host, and"
            " not as an address",
        )

    def test_usage(self) -> None:
        """
        What a certificate is for is told beside what it should be for.
        """
        others = [ExtendedKeyUsageOID.CLIENT_AUTH, ObjectIdentifier("1.2.3.4")]
        for usage, found in (
            ([ExtendedKeyUsageOID.CLIENT_AUTH], "its extended key usage is clientAuth"),
            (others, "its extended key usage is clientAuth and 1.2.3.4"),
            ([], "its key usage does not allow it"),
        ):
            certificate = AUTHORITY.issue("a.test", usage=usage).certificate
            sentence = self.said(Reason.WRONG_USAGE, certificate, detail="a server")
            self.assertEqual(sentence, f"the certificate for a.test is not meant for a server: {found}")
        sentence = self.said(Reason.WRONG_USAGE)
        self.assertTrue(sentence.startswith("the certificate for a.test is not meant for this use: "))

    def test_chain(self) -> None:
        """
        What is wrong with the chain names who is at fault.
        """
        for reason, sentence in {
            Reason.NOT_A_CA: 'the chain of certificates goes through "the authority", which is no authority',
            Reason.PATH_LENGTH: 'there are more authorities below "the authority" than its certificate allows'
            " (pathlen)",
        }.items():
            self.assertEqual(self.said(reason, AUTHORITY.certificate, depth=1), sentence)
        for reason, sentence in {
            Reason.NAME_CONSTRAINTS: "the certificate for a.test has names that an authority above it may not"
            " certify",
            Reason.BAD_SIGNATURE: "the signature on the certificate for a.test is not that of"
            ' "the authority"',
            Reason.WEAK: "the certificate for a.test has a key or a signature that is too weak",
        }.items():
            self.assertEqual(self.said(reason), sentence)

    def test_revocation(self) -> None:
        """
        What is wrong by a revocation list names whose it is.
        """
        for reason, sentence in {
            Reason.REVOKED: 'the certificate for a.test was revoked by "the authority"',
            Reason.NO_REVOCATION_LIST: 'there is no revocation list of "the authority" to check the'
            " certificate for a.test with",
            Reason.STALE_REVOCATION_LIST: 'the revocation list of "the authority" is out of date',
        }.items():
            self.assertEqual(self.said(reason), sentence)

    def test_strict(self) -> None:
        """
        The rule that was broken is told, or its number in OpenSSL.
        """
        start = "the certificate for a.test does not keep to RFC 5280: "
        for code, rule in {
            85: "it has no authority key identifier",
            99: "OpenSSL's verification error 99",
        }.items():
            self.assertEqual(self.said(Reason.STRICT, code=code), start + rule)

    def test_badRevocationList(self) -> None:
        """
        A list that proves nothing is told of with what is wrong with it.
        """
        start = 'the revocation list of "the authority" proves nothing about the certificate for a.test: '
        for code, problem in {
            8: "its signature is not that of its issuer",
            35: "its issuer may not sign revocation lists",
            99: "it cannot be used",
        }.items():
            self.assertEqual(self.said(Reason.BAD_REVOCATION_LIST, code=code), start + problem)

    def test_notAllowed(self) -> None:
        """
        Who is not let in, is told of by name and fingerprint, so that a rule can be made of either.
        """
        said = self.said(Reason.NOT_ALLOWED, detail="CN=alice")
        self.assertTrue(said.startswith("CN=alice has a good certificate (SHA256:"), said)
        self.assertTrue(said.endswith("), but no rule lets it in"), said)

    def test_other(self) -> None:
        """
        What is not known is told as far as it is.
        """
        start = "the certificate for a.test cannot be verified"
        self.assertEqual(self.said(Reason.OTHER, code=55), start + ": OpenSSL's verification error 55")
        unknown = ": it has a critical extension that is not known here"
        self.assertEqual(self.said(Reason.OTHER, code=34), start + unknown)
        self.assertEqual(self.said(Reason.OTHER, code=34, detail="it is so\n"), start + ": it is so\\x0a")
        self.assertEqual(self.said(Reason.OTHER), start)

    def test_noCertificate(self) -> None:
        """
        Where there is no certificate, or it could not be read, that is told.
        """
        missing = "no certificate was presented, and one is required"
        self.assertEqual(sentenceFor(Refusal(Reason.NO_CERTIFICATE)), missing)
        self.assertEqual(sentenceFor(Refusal(Reason.EXPIRED)), "the certificate cannot be verified: expired")
        detailed = Refusal(Reason.OTHER, detail="no\x1b certificate")
        self.assertEqual(sentenceFor(detailed), "the certificate cannot be verified: no\\x1b certificate")

    def test_unreadable(self) -> None:
        """
        A certificate that cannot be shown is refused in words all the same.
        """

        class Unreadable:
            """
            Has nothing.
            """

        sentence = self.said(Reason.EXPIRED, Unreadable())  # type: ignore[arg-type]
        self.assertEqual(sentence, "the certificate cannot be read, and is refused: expired")

    def test_wholeName(self) -> None:
        """
        A name without a Common Name is shown whole; of several, the last counts as the most specific.
        """
        nobody = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Company\x07")])
        double = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in ("one", "two")])
        for name, shown in ((nobody, '"O=Company\\x07"'), (double, '"two"')):
            authority = Authority()
            builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
            certificate = (
                builder.public_key(authority.key.public_key())
                .serial_number(1)
                .not_valid_before(BEGIN)
                .not_valid_after(END)
                .sign(authority.key, authority.certificate.signature_hash_algorithm)  # type: ignore[arg-type]
            )
            sentence = self.said(Reason.NOT_A_CA, certificate)
            self.assertEqual(
                sentence, f"the chain of certificates goes through {shown}, which is no authority"
            )
