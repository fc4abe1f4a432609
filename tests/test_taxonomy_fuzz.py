"""
What reads certificates, fed with those of the corpus after something was done to their octets.

The changes are at random, and the same in each run, as are all of the certificates but dates and signatures.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from random import Random
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import Error as OpenSSLError
from twisted.trial.unittest import SynchronousTestCase

from tests.support.der import children, tlv
from tests.support.rogues import Presented
from tests.support.taxonomy import ACCEPTED, CASES, Case, Half
from tests.support.trials import ODDITIES, creatorOf, meet, pem
from tests.test_taxonomy import MODULES
from xtls.trust.anchors import TrustAnchors
from xtls.trust.bundles import inspectChain
from xtls.trust.certificates import fingerprint, parseCertificates
from xtls.trust.chains import PresentedChain, chainFindings
from xtls.trust.constraints import constraintsOf
from xtls.trust.expiry import expiries
from xtls.trust.identities import Identity, Rule
from xtls.trust.inspection import inspect
from xtls.trust.names import PresentedIdentifiers, ReferenceIdentifier
from xtls.trust.particulars import particulars
from xtls.trust.pins import pinOf
from xtls.trust.verification import Policy, Reason, Refusal, judge

#: How many certificates are changed and read, and how many are changed and shown.
READ: Final = 4000
SHOWN: Final = 400

NOW: Final = datetime.now(timezone.utc)
RULES: Final = (Rule.parse("CN=alice"), Rule.parse("DNS=*.test,email=*@a.test"), Rule.parse("URI=**"))


def _flip(random: Random, data: bytearray) -> None:
    """
    Change bits of one octet.
    """
    data[random.randrange(len(data))] ^= random.randrange(1, 256)


def _delete(random: Random, data: bytearray) -> None:
    """
    Take octets out.
    """
    start = random.randrange(len(data))
    del data[start : start + random.randrange(1, 9)]


def _insert(random: Random, data: bytearray) -> None:
    """
    Put octets in.
    """
    start = random.randrange(len(data))
    data[start:start] = random.randbytes(random.randrange(1, 9))


def _repeat(random: Random, data: bytearray) -> None:
    """
    Have a piece there twice.
    """
    start = random.randrange(len(data))
    data[start:start] = data[start : start + random.randrange(1, 65)]


def _cut(random: Random, data: bytearray) -> None:
    """
    Leave the end out.
    """
    del data[random.randrange(len(data)) :]


def _retag(random: Random, data: bytearray) -> None:
    """
    Make something of a value that it is not: of a string, of an object identifier, of a date.
    """
    places = [at for at, octet in enumerate(data) if octet in b"\x02\x06\x0c\x13\x16\x17\x82"]
    if places:
        data[random.choice(places)] = random.choice(b"\x01\x02\x04\x06\x0c\x13\x14\x16\x17\x18\x1c\x1e\x30")


_CHANGES: Final[tuple[Callable[[Random, bytearray], None], ...]] = (
    _flip,
    _flip,
    _delete,
    _insert,
    _repeat,
    _cut,
    _retag,
)


def changed(random: Random, der: bytes) -> bytes:
    """
    A certificate after one or two changes; now and then with its outermost lengths put right again, so that
    what is inside is read at all.
    """
    fields = children(der)
    if len(fields) == 3 and random.random() < 0.6:
        body = bytearray(b"".join(children(fields[0])))
        _CHANGES[random.randrange(len(_CHANGES))](random, body)
        return tlv(0x30, tlv(0x30, bytes(body)) + fields[1] + fields[2])
    data = bytearray(der)
    for _ in range(random.randrange(1, 3)):
        if data:
            _CHANGES[random.randrange(len(_CHANGES))](random, data)
    return bytes(data)


@dataclass(frozen=True)
class _Shown:
    """
    A server with one certificate, which is also that of the authority that it believes.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """
        That certificate.
        """
        return (self.certificate,)

    @property
    def anchors(self) -> TrustAnchors:
        """
        The authority.
        """
        return TrustAnchors((self.certificate,))


def _shownWhole() -> list[tuple[Case, Half]]:
    """
    The cases, and whose certificates they are.
    """
    assert MODULES
    return [(case, half) for case in CASES.values() for half in Half]


class ReadingTests(SynchronousTestCase):
    """
    What is read from certificates.
    """

    suppress = ODDITIES

    def allowed(self, read: Callable[[], Any]) -> Any:
        """
        Read something: it is a value, or the error that a reader may raise.
        """
        try:
            return read()
        except ValueError:
            return None

    def certificates(self) -> Iterator[tuple[bytes, x509.Certificate]]:
        """
        Changed certificates, of which some can be made something.
        """
        all = [der for case, half in _shownWhole() for der in case.make(half).certificates if len(der) > 100]
        random = Random(4)
        for number in range(len(all) + READ):
            der = all[number] if number < len(all) else changed(random, random.choice(all))
            found = self.allowed(lambda der=der: parseCertificates(der))  # type: ignore[misc]
            inPEM = b"-----BEGIN CERTIFICATE-----\n" + b64encode(der) + b"\n-----END CERTIFICATE-----\n"
            again = self.allowed(lambda: parseCertificates(inPEM))  # noqa: B023
            self.assertEqual(found, again) if der[:1] == b"\x30" else None
            if found is not None:
                yield der, found[0]

    def test_readers(self) -> None:
        """
        Whatever is in a certificate, what reads it gives a value or a ValueError, and what describes it a
        text that can be shown.
        """
        count = 0
        for _, certificate in self.certificates():
            count += 1
            self.allowed(lambda: PresentedIdentifiers.of(certificate))  # noqa: B023
            self.allowed(lambda: pinOf(certificate))  # noqa: B023
            self.assertTrue(fingerprint(certificate).startswith("SHA256:"))
            identity = self.allowed(lambda: Identity.of(certificate))  # noqa: B023
            if identity is not None:
                self.assertTrue(identity.describe().isprintable())
                self.assertTrue(all(each.isprintable() for each in identity.environment().values()))
                self.assertFalse(any(rule.allows(identity) for rule in RULES[:2]))
        self.assertGreater(count, READ / 10)

    def test_descriptions(self) -> None:
        """
        What is said of one, to whoever looks at it or is told why it is refused, never fails.
        """
        for _, certificate in self.certificates():
            for finding in inspect(certificate, NOW):
                self.assertTrue(finding.sentence)
            self.assertTrue(particulars(certificate, NOW))
            self.assertTrue(inspectChain([certificate, certificate]) is not None)
            for found in chainFindings(PresentedChain((certificate, certificate)), NOW, known=False):
                self.assertTrue(found.sentence)
            for expiry in expiries(_Shown(certificate)):
                self.assertTrue(expiry.sentence(NOW).isprintable())
            for reason in Reason:
                sentence = Refusal(reason, certificate, reference="server.test").sentence()
                self.assertTrue(sentence.isprintable(), sentence)

    def test_judged(self) -> None:
        """
        None is for a name that was never in any of them, and a decision is always made.
        """
        reference = ReferenceIdentifier.of("nobody.example")
        for der, certificate in self.certificates():
            for policy in (Policy(reference, True), Policy(use="a client", identified=True, rules=RULES[:2])):
                found = judge(policy, certificate, ok=True, code=0, depth=0)
                assert found is not None
                self.assertIsInstance(found.sentence(), str)
            try:
                constraintsOf(der)
            except Exception as e:
                # the verifier refuses whatever is raised
                self.assertNotIsInstance(e, (MemoryError, RecursionError))


class ShowingTests(SynchronousTestCase):
    """
    Chains that are refused, after something was done to the octets of the peer's own certificate.
    """

    suppress = ODDITIES

    def put(self, case: Case, half: Half, presented: Presented) -> bool:
        """
        Show a changed chain.

        @return: whether whoever showed it was told that it is refused.
        """
        creator = creatorOf(case, half, False, presented, self.mktemp())
        told = False
        # first by OpenSSL, which may not show it, and then by one who shows anything
        for key in (presented.key, None):
            try:
                trial = meet(creator, replace(presented, key=key), half, True)
            except (OpenSSLError, SSL.Error):
                continue
            self.assertEqual((trial.built, trial.said, trial.peer.heard), (0, b"", b""))
            told = told or trial.peer.alert is not None
        return told

    def test_neverBelieved(self) -> None:
        """
        None of them is believed for it: the application is not built, and the peer is told.
        """
        random = Random(5)
        refused = [(case, half) for case, half in _shownWhole() if case.expected(half, False) is not ACCEPTED]
        for number in range(SHOWN):
            case, half = random.choice(refused)
            presented = case.make(half)
            own, *others = presented.certificates
            shown = (changed(random, own), *others)
            told = self.put(case, half, replace(presented, certificates=shown))
            self.assertTrue(told, f"{case.name}, number {number}")

    def test_pem(self) -> None:
        """
        The corpus itself is read where it can be read: what is refused for its encoding alone is not.
        """
        unread = {
            case.name for case, half in _shownWhole() if self._unreadable(pem(*case.make(half).certificates))
        }
        self.assertIn("cutShort", unread)
        self.assertNotIn("good", unread)

    def _unreadable(self, data: bytes) -> bool:
        try:
            return not parseCertificates(data)
        except ValueError:
            return True
