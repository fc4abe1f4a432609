"""
A key that is pinned, in whole handshakes: who is let in with it, and that nobody else is, whatever the chain
that they show, on either version of TLS, on our transport and on Twisted's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.faults import AUTHORITY, DAY, NAME, NOW, SERVER_FAULTS, STRANGER
from tests.support.handshakes import GREETINGS, Handshake
from tests.test_contexts import StockTestCase
from xtls.config.options import TLSOptions, TLSVersion, TLSVersions, VerifyMode
from xtls.errors import OptionError, PeerVerificationError
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair
from xtls.trust.contexts import ClientConnectionCreator, refusalOf
from xtls.trust.issuing import selfSigned
from xtls.trust.pins import pinOf
from xtls.trust.verification import Reason

VERSIONS: Final = {
    "TLS 1.2": TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2),
    "TLS 1.3": TLSVersions(TLSVersion.TLS1_3, TLSVersion.TLS1_3),
}
PAST: Final[Any] = {"notBefore": NOW - 9 * DAY, "notAfter": NOW - 2 * DAY}
INTERMEDIATE = AUTHORITY.intermediate()
SECOND = INTERMEDIATE.intermediate("second")
NAMESAKE = Authority(AUTHORITY.certificate.subject.rfc4514_string().removeprefix("CN="))
OLD = Authority("old", notAfter=NOW - 2 * DAY)
SELF_SIGNED = selfSigned([NAME])


def chained(pair: KeyPair, *chain: x509.Certificate) -> KeyPair:
    """
    The same with another chain.
    """
    return replace(pair, chain=chain)


@dataclass(frozen=True)
class Shown:
    """
    What a server shows.

    @ivar pair: its certificate and chain.
    @ivar reason: why it is refused even by whoever has pinned its key; L{None} if it is let in.
    """

    pair: KeyPair
    reason: Reason | None = None


LEAF = AUTHORITY.issue(NAME)

#: Chains in which no authority is known: each of OpenSSL's ways of saying that, and what else may be wrong.
SHOWN: Final[Mapping[str, Shown]] = {
    "self-signed (18)": Shown(SELF_SIGNED),
    "self-signed, with somebody's root": Shown(chained(SELF_SIGNED, AUTHORITY.certificate)),
    "self-signed, with another self-signed": Shown(chained(SELF_SIGNED, selfSigned([NAME]).certificate)),
    "alone (20, 21)": Shown(chained(LEAF)),
    "with its root (19)": Shown(chained(LEAF, AUTHORITY.certificate)),
    "with an intermediate (20 above)": Shown(INTERMEDIATE.issue(NAME)),
    "with two": Shown(SECOND.issue(NAME)),
    "with a gap": Shown(chained(SECOND.issue(NAME), SECOND.certificate)),
    "with all, and the root": Shown(
        chained(SECOND.issue(NAME), SECOND.certificate, INTERMEDIATE.certificate, AUTHORITY.certificate)
    ),
    "in the wrong order": Shown(
        chained(SECOND.issue(NAME), AUTHORITY.certificate, INTERMEDIATE.certificate, SECOND.certificate)
    ),
    "with a root of the same name": Shown(chained(LEAF, NAMESAKE.certificate)),
    "for somebody else": Shown(selfSigned(["somebody.else"])),
    "for nobody": Shown(AUTHORITY.issue(san=False)),
    "expired, self-signed": Shown(AUTHORITY.issue(NAME, selfSigned=True, **PAST), Reason.EXPIRED),
    "expired, alone": Shown(chained(AUTHORITY.issue(NAME, **PAST)), Reason.EXPIRED),
    "expired, with its root": Shown(
        chained(AUTHORITY.issue(NAME, **PAST), AUTHORITY.certificate), Reason.EXPIRED
    ),
    "not valid yet": Shown(chained(AUTHORITY.issue(NAME, notBefore=NOW + DAY)), Reason.NOT_YET_VALID),
    "of an expired authority": Shown(chained(OLD.issue(NAME), OLD.certificate), Reason.EXPIRED),
    "for clients, alone": Shown(chained(AUTHORITY.issue(NAME, clientAuth=True)), Reason.WRONG_USAGE),
    "for clients, self-signed": Shown(
        AUTHORITY.issue(NAME, clientAuth=True, selfSigned=True), Reason.WRONG_USAGE
    ),
}


def client(version: TLSVersions, **options: Any) -> ClientConnectionCreator:
    """
    A client that believes what the options say.
    """
    return ClientConnectionCreator.fromOptions(TLSOptions(protocol=version, **options), NAME)


def serverContext(pair: KeyPair) -> SSL.Context:
    """
    A server that shows a chain as it is, and no more.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(pair.certificate)
    context.use_privatekey(pair.key)
    context.set_mode(8)  # SSL_MODE_NO_AUTO_CHAIN
    for each in pair.chain:
        context.add_extra_chain_cert(each)
    return context


def shaken(pair: KeyPair, creator: ClientConnectionCreator) -> Handshake:
    """
    A handshake.
    """
    server = SSL.Connection(serverContext(pair), None)
    server.set_accept_state()
    return Handshake.between(creator.clientConnectionForTLS(None), server)


class PinnedTests(SynchronousTestCase):
    """
    A pin alone.
    """

    def outcomes(self, **options: Any) -> list[tuple[str, Handshake, Shown]]:
        """
        What becomes of each chain under each version.
        """
        found = []
        for version, versions in VERSIONS.items():
            for name, shown in SHOWN.items():
                pins = options.get("pin", (pinOf(shown.pair.certificate),))
                creator = client(versions, **{**options, "pin": pins})
                found.append((f"{version}: {name}", shaken(shown.pair, creator), shown))
        return found

    def test_itsKey(self) -> None:
        """
        A server with the key is let in, whoever has signed its certificate and whatever name it has; but not
        when it has expired or is not for servers, or its chain is not good in itself.
        """
        for name, seen, shown in self.outcomes():
            refusal = refusalOf(seen.client.connection)
            self.assertEqual(refusal and refusal.reason, shown.reason, name)
            self.assertEqual(seen.complete, shown.reason is None, name)

    def test_anotherKey(self) -> None:
        """
        A server with another key is refused for that, or for what is wrong with what it shows, with an alert,
        and nothing of the application goes either way; the certificate that it showed is in the refusal.
        """
        for name, seen, shown in self.outcomes(pin=(pinOf(STRANGER.certificate), f"sha256:{'0' * 64}")):
            refusal = refusalOf(seen.client.connection)
            assert refusal is not None, name
            if shown.reason is None:
                self.assertIs(refusal.reason, Reason.WRONG_KEY, name)
                self.assertEqual(refusal.detail, pinOf(shown.pair.certificate), name)
            self.assertEqual(refusal.own, shown.pair.certificate, name)
            self.assertEqual((seen.client.received, seen.server.received), (b"", b""), name)
            self.assertFalse(seen.client.established, name)
            self.assertIn("alert", seen.server.reason, name)

    def test_keyOfAnother(self) -> None:
        """
        It is the server's own key that counts: not that of an authority in its chain, nor of any other
        certificate that it sends along.
        """
        for version in VERSIONS.values():
            for pair in (
                chained(LEAF, AUTHORITY.certificate),
                chained(SECOND.issue(NAME), SECOND.certificate, INTERMEDIATE.certificate),
                chained(selfSigned([NAME]), SELF_SIGNED.certificate),
                chained(LEAF, SELF_SIGNED.certificate),
            ):
                for other in pair.chain:
                    seen = shaken(pair, client(version, pin=(pinOf(other),)))
                    self.assertFalse(seen.client.established)
                    refusal = refusalOf(seen.client.connection)
                    assert refusal is not None
                    self.assertIs(refusal.reason, Reason.WRONG_KEY)

    def test_possession(self) -> None:
        """
        Whoever shows a certificate and has not its key does not get through.
        """
        for version in VERSIONS.values():
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.use_certificate(LEAF.certificate)
            self.assertRaises(SSL.Error, context.use_privatekey, STRANGER.key)
            seen = shaken(replace(SELF_SIGNED), client(version, pin=(pinOf(LEAF.certificate),)))
            self.assertFalse(seen.client.established)

    def test_faults(self) -> None:
        """
        Of all servers that are refused where their authority is known, none gets in with the key of another;
        with their own those do whose fault is only that nobody vouches for them or their names.
        """
        forgiven = {
            Reason.UNKNOWN_CA,
            Reason.SELF_SIGNED,
            Reason.WRONG_NAME,
            Reason.NO_NAME,
            Reason.MALFORMED_NAME,
        }
        for name, fault in SERVER_FAULTS.items():
            if fault.pair is None:
                continue
            for version, versions in VERSIONS.items():
                if version == "TLS 1.2" and not fault.shown:
                    continue
                # with the root, so that OpenSSL can see all that is wrong
                pair = chained(fault.pair, *fault.pair.chain, AUTHORITY.certificate)
                another = client(versions, pin=(pinOf(STRANGER.certificate),))
                self.assertFalse(shaken(pair, another).client.established, name)
                seen = shaken(pair, client(versions, pin=(pinOf(pair.certificate),)))
                if seen.client.established:
                    self.assertIn(fault.reason, forgiven, name)

    def test_one(self) -> None:
        """
        Of several pins, any will do: so that a key can be replaced.
        """
        for version in VERSIONS.values():
            pins = (pinOf(STRANGER.certificate), pinOf(SELF_SIGNED.certificate))
            self.assertTrue(shaken(SELF_SIGNED, client(version, pin=pins)).complete)

    def test_resumption(self) -> None:
        """
        No session is gone on with: each connection shows its key.
        """
        for version in VERSIONS.values():
            creator = client(version, pin=(pinOf(SELF_SIGNED.certificate),))
            for _ in range(3):
                seen = shaken(SELF_SIGNED, creator)
                self.assertTrue(seen.complete)
                self.assertFalse(seen.resumed)


class BesidesTests(SynchronousTestCase):
    """
    A pin beside other options.
    """

    def test_authority(self) -> None:
        """
        Where CAs are named too, both must hold, and so must the name.
        """
        right, wrong = (pinOf(LEAF.certificate),), (pinOf(STRANGER.certificate),)
        for version in VERSIONS.values():
            for pin, authority, pair, reason in (
                (right, AUTHORITY, LEAF, None),
                (wrong, AUTHORITY, LEAF, Reason.WRONG_KEY),
                (right, STRANGER, LEAF, Reason.UNKNOWN_CA),
                (right, AUTHORITY, AUTHORITY.issue("b.test", key=LEAF.key), Reason.WRONG_NAME),
            ):
                seen = shaken(pair, client(version, pin=pin, caData=authority.pem))
                refusal = refusalOf(seen.client.connection)
                self.assertEqual(refusal and refusal.reason, reason)
                self.assertEqual(seen.complete, reason is None)

    def test_noName(self) -> None:
        """
        Without CAs, whatever is connected to need not have a name that a certificate could have.
        """
        options = TLSOptions(pin=(pinOf(SELF_SIGNED.certificate),))
        creator = ClientConnectionCreator.fromOptions(options, "not a name")
        self.assertTrue(shaken(SELF_SIGNED, creator).complete)

    def test_switchedOff(self) -> None:
        """
        Whoever pins a key and switches verification off means one of the two.
        """
        options = TLSOptions(pin=(pinOf(LEAF.certificate),), serverVerifyMode=VerifyMode.NONE)
        error = self.assertRaises(OptionError, ClientConnectionCreator.fromOptions, options, NAME)
        self.assertEqual(error.option, "ssl-pin")


@implementer(IOpenSSLServerConnectionCreator)
class Serving:
    """
    Makes the connections of a server.
    """

    def __init__(self, pair: KeyPair) -> None:
        self._context = serverContext(pair)

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """
        Make one.
        """
        return SSL.Connection(self._context, None)


class StockTests(StockTestCase):
    """
    On Twisted's transport.
    """

    def test_both(self) -> None:
        """
        It is as safe there: whoever has the key is let in, and whoever has another hears nothing.
        """
        for version in VERSIONS.values():
            for name, shown in SHOWN.items():
                pin = pinOf(shown.pair.certificate)
                here, there = self.connect(client(version, pin=(pin,)), Serving(shown.pair))
                heard = shown.reason is None
                self.assertEqual(here.received, GREETINGS["server"] if heard else b"", name)
                self.assertEqual(there.received, GREETINGS["client"] if heard else b"", name)
                other = client(version, pin=(pinOf(STRANGER.certificate),))
                here, there = self.connect(other, Serving(shown.pair))
                self.assertEqual((here.received, there.received), (b"", b""), name)
                assert here.lost is not None
                self.assertIsInstance(here.lost.value, PeerVerificationError, name)
