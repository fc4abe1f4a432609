"""
When certificates run out, and what is said of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from xtls.testing.authority import Authority
from xtls.trust.anchors import TrustAnchors
from xtls.trust.certificates import toPEM
from xtls.trust.expiry import Expiry, Kind, Urgency, expiries

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)

AUTHORITY = Authority("Example CA")


def ending(left: timedelta, lasts: timedelta = 365 * DAY, kind: Kind = Kind.CERTIFICATE) -> Expiry:
    """
    Something that has so much time left.
    """
    return Expiry(kind, "a.example", NOW + left - lasts, NOW + left, "make another", "/x/cert.pem")


@dataclass
class _Holder:
    """
    What a creator would say of itself.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    chain: tuple[x509.Certificate, ...] = ()
    anchors: TrustAnchors = field(default_factory=TrustAnchors)
    files: tuple[str, ...] = ()


class UrgencyTests(SynchronousTestCase):
    """
    L{Expiry.urgency}.
    """

    def test_yearly(self) -> None:
        """
        30 days before the end it is time to do something, and 7 days before it is urgent.
        """
        found = [ending(left * DAY).urgency(NOW) for left in (31, 30, 8, 7, 1, 0, -1)]
        self.assertEqual(
            found,
            [
                Urgency.NONE,
                Urgency.SOON,
                Urgency.SOON,
                Urgency.URGENT,
                Urgency.URGENT,
                Urgency.EXPIRED,
                Urgency.EXPIRED,
            ],
        )

    def test_revocations(self) -> None:
        """
        Revocation lists mostly last for days only, and are not always urgent for that.
        """

        def urgencies(lasts: int, kind: Kind) -> list[Urgency]:
            return [ending(left * DAY, lasts * DAY, kind).urgency(NOW) for left in (6, 3, 2, 1, 0.5)]

        self.assertEqual(
            urgencies(6, Kind.REVOCATIONS),
            [Urgency.NONE, Urgency.NONE, Urgency.SOON, Urgency.SOON, Urgency.URGENT],
        )
        self.assertEqual(urgencies(365, Kind.REVOCATIONS), [Urgency.URGENT] * 5)
        self.assertEqual(urgencies(6, Kind.CERTIFICATE), [Urgency.URGENT] * 5)


class SentenceTests(SynchronousTestCase):
    """
    L{Expiry.sentence}.
    """

    def test_certificate(self) -> None:
        """
        A certificate has its name, its file and its date; and what happens then, and what to do.
        """
        self.assertEqual(
            ending(10.5 * DAY).sentence(NOW),
            "the certificate for a.example in /x/cert.pem expires on 2030-01-11 12:00 UTC, in 10 days;"
            " it is refused then; make another",
        )
        self.assertEqual(
            ending(-1 * DAY).sentence(NOW),
            "the certificate for a.example in /x/cert.pem expired on 2029-12-31 00:00 UTC, 1 day ago;"
            " it is refused; make another",
        )

    def test_others(self) -> None:
        """
        What is sent with it, what is believed, and revocation lists are told apart.
        """
        found = {kind: ending(timedelta(minutes=90), kind=kind).sentence(NOW) for kind in Kind}
        self.assertEqual(
            found[Kind.CHAIN],
            "the certificate of the authority a.example, which is sent with our own, expires on"
            " 2030-01-01 01:30 UTC, in 1 hour; ours is refused then; make another",
        )
        self.assertIn("which is believed here, expires on", found[Kind.AUTHORITY])
        self.assertEqual(
            found[Kind.REVOCATIONS],
            "the revocation list of a.example runs out on 2030-01-01 01:30 UTC, in 1 hour; whoever shows a"
            " certificate from that authority is refused then; make another",
        )
        gone = ending(timedelta(seconds=-30), kind=Kind.REVOCATIONS).sentence(NOW)
        self.assertIn("a.example ran out on 2029-12-31 23:59 UTC, 0 minutes ago;", gone)
        self.assertIn("is refused; make", gone)


class ExpiriesTests(SynchronousTestCase):
    """
    L{expiries}.
    """

    def save(self, name: str, data: bytes) -> str:
        """
        Write a file.
        """
        path = Path(self.mktemp())
        path.mkdir()
        (path / name).write_bytes(data)
        return str(path / name)

    def test_all(self) -> None:
        """
        Whatever can run out is there, what ends first first, with the file that a certificate is in.
        """
        now = datetime.now(timezone.utc).replace(microsecond=0)
        middle = AUTHORITY.intermediate("Middle", notAfter=now + 20 * DAY)
        pair = middle.issue("a.example", "b.example", notAfter=now + 10 * DAY)
        lists = (
            AUTHORITY.revocations(nextUpdate=now + 2 * DAY),
            x509.load_der_x509_crl(_withoutNextUpdate()),
        )
        key = self.save("key.pem", b"no certificate")
        cert = self.save("cert.pem", toPEM(pair))
        anchors = TrustAnchors((AUTHORITY.certificate,), lists, files=(key,))
        holder = _Holder((pair.certificate,), pair.chain, anchors, (key, cert, "/nowhere", cert))
        found = expiries(holder)
        self.assertEqual(
            [(each.kind, each.name, each.end) for each in found],
            [
                (Kind.REVOCATIONS, '"Example CA"', now + 2 * DAY),
                (Kind.CERTIFICATE, "a.example", now + 10 * DAY),
                (Kind.CHAIN, '"Middle"', now + 20 * DAY),
                (Kind.AUTHORITY, '"Example CA"', AUTHORITY.certificate.not_valid_after_utc),
            ],
        )
        self.assertEqual([each.path for each in found], ["", cert, "", ""])
        self.assertEqual(
            found[1].renewal,
            '"Middle" has to issue another (xtls cert renew, where that is an authority of yours)',
        )
        self.assertEqual(expiries(_Holder()), ())

    def test_selfSigned(self) -> None:
        """
        A certificate that signed itself is renewed by a command of ours.
        """
        pair = AUTHORITY.issue("a.example", selfSigned=True)
        cert = self.save("cert.pem", toPEM(pair))
        noFile = self.save("other.pem", b"?")
        (found,) = expiries(_Holder((pair.certificate,), files=(noFile, cert)))
        self.assertEqual(found.renewal, f"xtls cert renew {cert} makes another with the same key")
        (found,) = expiries(_Holder((pair.certificate,)))
        self.assertEqual(found.renewal, "xtls cert renew FILE makes another with the same key")

    def test_names(self) -> None:
        """
        A certificate for nobody, and one whose names cannot be read, are called by their subject; one for an
        address by that.
        """
        for pair, name in (
            (AUTHORITY.issue(commonName="alice", clientAuth=True), '"alice"'),
            (AUTHORITY.issue(commonName="odd", san=b"\xff"), '"odd"'),
            (AUTHORITY.issue("127.0.0.1"), "127.0.0.1"),
        ):
            (found,) = expiries(_Holder((pair.certificate,)))
            self.assertEqual(found.name, name)


def _withoutNextUpdate() -> bytes:
    """
    A revocation list that does not say when the next one is due, which its builder does not make.
    """
    return bytes.fromhex(
        "303e302c020101300a06082a8648ce3d040302300c310a300806035504030c0145170d3330303130313030303030305a"
        "300a06082a8648ce3d04030203020000"
    )
