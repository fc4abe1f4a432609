"""
OpenSSL's verify callback.
"""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.faults import AUTHORITY, GOOD_SERVER, NAME
from tests.support.logs import recordLogs
from xtls.errors import PeerVerificationError
from xtls.testing.authority import Authority
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.pins import pinOf
from xtls.trust.verification import Policy, Reason, Refusal
from xtls.trust.verifier import Verifier, introduce, refusalOf

POLICY = Policy(ReferenceIdentifier.of(NAME))
GOOD = X509.from_cryptography(GOOD_SERVER.certificate)
OTHER = X509.from_cryptography(AUTHORITY.issue("other.test").certificate)


def connection() -> SSL.Connection:
    """
    A connection that goes nowhere.
    """
    return SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)


class Transport:
    """
    A transport that wants to know the reason.
    """

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def failVerification(self, reason: Failure) -> None:
        """
        Remember the reason.
        """
        self.failures.append(reason)


class StockTransport(Transport):
    """
    A transport as Twisted has it.
    """

    _reason: Failure | None = None


class BrokenTransport:
    """
    A transport that cannot be told anything.
    """

    def failVerification(self, reason: Failure) -> None:
        """
        Fail.
        """
        raise RuntimeError("no")


class Unreadable:
    """
    A certificate of which nothing can be made.
    """

    def to_cryptography(self) -> object:
        """
        Fail.
        """
        raise RuntimeError("no\x1b[2J certificate")


class VerifierTests(SynchronousTestCase):
    """
    What OpenSSL is answered.
    """

    def test_good(self) -> None:
        """
        A good certificate is let pass, and leaves nothing behind.
        """
        it = connection()
        self.assertIs(Verifier(POLICY)(it, GOOD, 0, 0, 1), True)
        self.assertIs(Verifier(POLICY)(it, OTHER, 0, 1, 1), True)
        self.assertIs(Verifier(Policy())(it, OTHER, 0, 0, 1), True)
        self.assertIsNone(refusalOf(it))

    def test_refused(self) -> None:
        """
        One that is not leaves its refusal with its connection, and with no other.
        """
        it, another = connection(), connection()
        self.assertIs(Verifier(POLICY)(it, OTHER, 0, 0, 1), False)
        expected = Refusal(Reason.WRONG_NAME, OTHER.to_cryptography(), reference=NAME)
        self.assertEqual(refusalOf(it), expected)
        self.assertIsNone(refusalOf(another))
        self.assertIs(Verifier(Policy())(another, OTHER, 10, 1, 0), False)
        found = refusalOf(another)
        assert found is not None
        self.assertEqual((found.reason, found.depth, found.code), (Reason.EXPIRED, 1, 10))

    def test_unreadable(self) -> None:
        """
        What cannot be read is refused, and nothing is raised; the reason is kept so that no terminal obeys
        it.
        """
        for ok in (0, 1):
            it = connection()
            unreadable: Any = Unreadable()
            self.assertIs(Verifier(POLICY)(it, unreadable, 0, 0, ok), False)
            found = refusalOf(it)
            assert found is not None
            self.assertEqual((found.reason, found.certificate), (Reason.OTHER, None))
            self.assertIn("\\x1b", found.sentence())

    def test_own(self) -> None:
        """
        The peer's own certificate is in the refusal.  Who was refused for a certificate above it has it in
        the path that OpenSSL keeps; where there is none, or it cannot be read, it is not known.
        """
        it, another, third = (connection() for _ in range(3))
        Verifier(POLICY)(it, OTHER, 0, 0, 1)
        found = refusalOf(it)
        assert found is not None
        self.assertEqual(found.own, OTHER.to_cryptography())
        for each, path, own in (
            (another, None, None),
            (another, [GOOD, OTHER], GOOD.to_cryptography()),
            (third, [Unreadable()], None),
        ):
            Verifier(POLICY)(each, OTHER, 20, 1, 0)
            self.patch(SSL.Connection, "get_verified_chain", lambda self, path=path: path)
            found = refusalOf(each)
            assert found is not None
            self.assertEqual((found.own, found.depth), (own, 1))

    def test_pinned(self) -> None:
        """
        The key of the peer's own certificate is looked at whatever OpenSSL says of it.
        """
        for pinned, good, bad in ((GOOD, GOOD, OTHER), (OTHER, OTHER, GOOD)):
            policy = Policy(pins=frozenset((pinOf(pinned.to_cryptography()),)), authority=False)
            for code in (0, 18, 20, 21):
                self.assertIs(Verifier(policy)(connection(), good, code, 0, int(not code)), True)
                it = connection()
                self.assertIs(Verifier(policy)(it, bad, code, 0, int(not code)), False)
                found = refusalOf(it)
                assert found is not None
                self.assertIs(found.reason, Reason.WRONG_KEY)

    def test_constraints(self) -> None:
        """
        What an authority above may not vouch for is refused, for that connection and no other.
        """
        constraints = x509.NameConstraints([x509.DNSName("elsewhere.test")], None)
        limited = Authority(extensions=[(constraints, True)])
        it, another = connection(), connection()
        verifier = Verifier(POLICY)
        self.assertIs(verifier(it, X509.from_cryptography(AUTHORITY.certificate), 0, 2, 1), True)
        self.assertIs(verifier(it, X509.from_cryptography(limited.certificate), 0, 1, 1), True)
        self.assertIs(verifier(it, GOOD, 0, 0, 1), False)
        found = refusalOf(it)
        assert found is not None
        self.assertIs(found.reason, Reason.NAME_CONSTRAINTS)
        self.assertIs(verifier(another, GOOD, 0, 0, 1), True)

    def test_forgotten(self) -> None:
        """
        A refusal lasts as long as its connection.
        """
        it = connection()
        Verifier(POLICY)(it, OTHER, 0, 0, 1)
        refusal = ref(refusalOf(it))
        del it
        gc.collect()
        self.assertIsNone(refusal())

    def test_commonName(self) -> None:
        """
        A certificate that is believed by its Common Name is let pass with a warning.
        """
        log = recordLogs(self)
        nameless = X509.from_cryptography(AUTHORITY.issue(commonName=NAME, san=False).certificate)
        verifier = Verifier(Policy(ReferenceIdentifier.of(NAME), True))
        self.assertIs(verifier(connection(), nameless, 0, 0, 1), True)
        self.assertIs(verifier(connection(), GOOD, 0, 0, 1), True)
        self.assertEqual([event["host"] for event in log], [NAME])


class TellTests(SynchronousTestCase):
    """
    What the transport is told.
    """

    def refuse(self, transport: object) -> SSL.Connection:
        """
        Refuse the peer of a transport.
        """
        it = connection()
        introduce(it, transport)
        self.assertIs(Verifier(POLICY)(it, OTHER, 0, 0, 1), False)
        self.assertIsNotNone(refusalOf(it))
        return it

    def test_told(self) -> None:
        """
        A transport that wants to know is told.
        """
        transport = Transport()
        it = self.refuse(transport)
        error = transport.failures[0].value
        assert isinstance(error, PeerVerificationError)
        self.assertEqual(error.refusal, refusalOf(it))

    def test_stock(self) -> None:
        """
        Twisted's own is given the reason, and not told to abort, so that the alert leaves; if it has a reason
        already, it is told as any other.
        """
        transport = StockTransport()
        self.refuse(transport)
        assert transport._reason is not None
        self.assertIsInstance(transport._reason.value, PeerVerificationError)
        self.assertEqual(transport.failures, [])
        self.refuse(transport)
        self.assertEqual(len(transport.failures), 1)

    def test_itself(self) -> None:
        """
        Newer Twisteds introduce the transport themselves.
        """
        transport, it = Transport(), connection()
        it.set_app_data(transport)
        Verifier(POLICY)(it, OTHER, 0, 0, 1)
        self.assertEqual(len(transport.failures), 1)

    def test_nobody(self) -> None:
        """
        A transport that does not want to know, that cannot be referred to weakly, that is none or that is
        gone is not told; the peer is refused all the same.
        """
        for transport in (object(), None, 5, self):
            self.refuse(transport)
        it = connection()
        introduce(it, Transport())
        gc.collect()
        self.assertIs(Verifier(POLICY)(it, OTHER, 0, 0, 1), False)

    def test_broken(self) -> None:
        """
        Whatever a transport makes of it, nothing is raised, and the peer is refused.
        """
        self.refuse(BrokenTransport())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_notKept(self) -> None:
        """
        A connection does not keep its transport.
        """
        transport, it = Transport(), connection()
        introduce(it, transport)
        weak = ref(transport)
        del transport
        self.assertIsNone(weak())
