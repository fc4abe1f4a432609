"""
Servers whose key the user has accepted.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL.crypto import X509
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from xtls.config.connectionfile import parseConnectionFile
from xtls.config.definitions import Layer
from xtls.config.modes import Target
from xtls.config.target import parseTarget
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.errors import CertificateFileError, OptionError, PeerVerificationError
from xtls.programs.acquaintance import Acquaintance, Asker, Declined, KeyChanged, acquaint
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.pins import pinOf
from xtls.trust.verification import Reason, Refusal

PAIR = selfSigned(["localhost"])
OWN = PAIR.certificate
RENEWED = selfSigned(["localhost"], key=PAIR.key).certificate
OTHER = selfSigned(["localhost"]).certificate
NOW = datetime.now(timezone.utc).replace(microsecond=0)
TARGET = "ssl://localhost:10000/"
NOTHING = Layer("command line")


class Person:
    """
    A terminal, and somebody who answers at it, or not yet.
    """

    def __init__(self, answer: str | None) -> None:
        self.answer: Deferred[str] = Deferred()
        if answer is not None:
            self.answer.callback(answer)
        self.shown = ""
        self.closed = 0

    def say(self, text: str) -> None:
        """
        Show it.
        """
        self.shown += text

    def ask(self, reactor: object, question: str, answers: Collection[str], default: str) -> Deferred[str]:
        """
        Ask.
        """
        assert tuple(answers) == ("once", "always", "no") and default == "no"
        self.shown += question
        return self.answer

    def close(self) -> None:
        """
        Let go.
        """
        self.closed += 1


class Handle:
    """
    An OpenSSL connection.
    """

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    def get_peer_certificate(self) -> X509:
        """
        The certificate of the server.
        """
        return X509.from_cryptography(self._certificate)


class Connection(StringTransport):
    """
    A connection to a server with a certificate.
    """

    aborted = False

    def __init__(self, certificate: x509.Certificate | None) -> None:
        super().__init__()
        if certificate is not None:
            self.getHandle = lambda: Handle(certificate)

    def abortConnection(self) -> None:
        """
        Remember it.
        """
        self.aborted = True


class Server:
    """
    A server, as clients reach it that have pinned a key of it or not.

    @ivar certificate: what it shows; L{None} if it cannot be reached.
    @ivar refusal: why clients refuse it that have pinned nothing; L{None} if they do not.
    @ivar met: the pins with which it was connected to.
    """

    def __init__(self, certificate: x509.Certificate | None, refusal: Refusal | None) -> None:
        self.certificate = certificate
        self.refusal = refusal
        self.met: list[str] = []
        self.transports: list[Connection] = []

    def pinned(self, pin: str) -> IStreamClientEndpoint:
        """
        The endpoint that has pinned a key.
        """
        return PinnedEndpoint(self, pin)

    def connect(self, pin: str, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.
        """
        self.met.append(pin)
        connecting: Deferred[IProtocol] = Deferred()
        if self.certificate is None:
            connecting.errback(ConnectionRefusedError())
            return connecting
        refusal = self.refusal
        if pin:
            own = self.certificate
            wrong = Refusal(Reason.WRONG_KEY, own, detail=pinOf(own), own=own)
            refusal = None if pinOf(own) == pin else wrong
        if refusal is not None:
            connecting.errback(PeerVerificationError(refusal))
            return connecting
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        transport = Connection(self.certificate)
        self.transports.append(transport)
        protocol.makeConnection(transport)
        connecting.callback(protocol)
        return connecting


@implementer(IStreamClientEndpoint)
class PinnedEndpoint:
    """
    The way to a server.
    """

    def __init__(self, server: Server, pin: str) -> None:
        self._server = server
        self._pin = pin

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.
        """
        return self._server.connect(self._pin, protocolFactory)


class AcquaintanceCase(SynchronousTestCase):
    """
    A server, and a person who may be asked about it.
    """

    def setUp(self) -> None:
        self.error = io.StringIO()
        self.patch(sys, "stderr", self.error)
        self.hosts = KnownHosts(Path(self.mktemp()).absolute())
        self.people: list[Person] = []
        self.server = Server(OWN, Refusal(Reason.SELF_SIGNED, OWN, own=OWN))

    def acquaintance(
        self, *answers: str | None, mayAsk: bool = True, verbose: bool = False, now: datetime = NOW
    ) -> Acquaintance:
        """
        The endpoint that knows the server, or may get to know it.

        @param answers: of each person who is found.
        """
        self.people = [Person(answer) for answer in answers]
        waiting = list(self.people)

        def find() -> Any:
            return waiting.pop(0) if waiting else None

        asker = Asker(object(), find, lambda: now)
        made = Acquaintance(asker, "localhost", parseTarget(TARGET), self.hosts, verbose=verbose)
        verifyObject(IStreamClientEndpoint, made)
        made.begin(self.server.pinned, mayAsk=mayAsk)
        return made

    def connected(self, acquaintance: Acquaintance) -> IProtocol:
        """
        Connect, which succeeds.
        """
        protocol: IProtocol = self.successResultOf(acquaintance.connect(Factory.forProtocol(Protocol)))
        return protocol

    def refused(self, acquaintance: Acquaintance) -> PeerVerificationError:
        """
        Connect, which is refused.
        """
        connecting = acquaintance.connect(Factory.forProtocol(Protocol))
        error = self.failureResultOf(connecting, PeerVerificationError).value
        assert isinstance(error, PeerVerificationError)
        return error


class AskedTests(AcquaintanceCase):
    """
    A server that cannot be verified, and somebody who can be asked.
    """

    def test_no(self) -> None:
        """
        Whoever does not accept it has no connection, there is no other one, and nothing is remembered.
        """
        error = self.refused(self.acquaintance("no"))
        self.assertIsInstance(error, Declined)
        self.assertEqual((self.server.met, self.hosts.all()), ([""], []))
        (person,) = self.people
        self.assertEqual(person.closed, 1)
        self.assertIn("Accept the key of localhost:10000? once, always or no [no]: ", person.shown)
        self.assertTrue(person.shown.startswith(f"xtls: {TARGET} cannot be verified: "))
        self.assertIn(pinOf(OWN), person.shown)

    def test_once(self) -> None:
        """
        Who is accepted once is connected to by the key that was shown, for as long as this command runs, and
        not remembered.
        """
        it = self.acquaintance("once")
        self.connected(it)
        self.connected(it)
        self.assertEqual(self.server.met, ["", pinOf(OWN), pinOf(OWN)])
        self.assertEqual((self.hosts.all(), self.error.getvalue()), ([], ""))
        self.assertIsInstance(self.refused(self.acquaintance("no")), Declined)

    def test_always(self) -> None:
        """
        Who is accepted for always is remembered when it has shown that it has the key, and not asked about
        again; how to forget it is said.
        """
        self.connected(self.acquaintance("always", now=NOW))
        found = self.hosts.find("localhost", 10000)
        assert found is not None
        self.assertEqual((found.certificate, found.since), (OWN, NOW))
        self.assertIn("hosts forget localhost:10000", self.error.getvalue())
        self.server.met = []
        self.connected(self.acquaintance())
        self.assertEqual(self.server.met, [pinOf(OWN)])

    def test_somebodyInBetween(self) -> None:
        """
        Who steps in between the question and the connection is refused, with no other question, and not
        remembered.
        """
        for answer in ("once", "always"):
            it = self.acquaintance(None, "always")
            connecting = it.connect(Factory.forProtocol(Protocol))
            self.server.certificate = OTHER
            self.people[0].answer.callback(answer)
            error = self.failureResultOf(connecting, KeyChanged).value
            assert isinstance(error, KeyChanged)
            self.assertIsNone(error.remembered)
            self.assertEqual((self.hosts.all(), self.people[1].shown), ([], ""))
            self.server.certificate = OWN

    def test_interrupted(self) -> None:
        """
        An interruption is no answer, and lets go of the terminal.
        """
        connecting = self.acquaintance(None).connect(Factory.forProtocol(Protocol))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual((self.people[0].closed, self.server.met), (1, [""]))

    def test_reasons(self) -> None:
        """
        A key that is accepted makes up for the authority and the name; for other reasons nobody is asked, and
        neither where the server's own certificate is not known.
        """
        asked = {
            Reason.SELF_SIGNED,
            Reason.UNKNOWN_CA,
            Reason.WRONG_NAME,
            Reason.NO_NAME,
            Reason.MALFORMED_NAME,
        }
        for reason in Reason:
            self.server.refusal = Refusal(reason, OWN, own=OWN)
            error = self.refused(self.acquaintance("no"))
            self.assertEqual(isinstance(error, Declined), reason in asked, reason)
            self.assertIs(error.refusal.reason, reason)
        self.server.refusal = Refusal(Reason.UNKNOWN_CA, OTHER, 1)
        self.assertNotIsInstance(self.refused(self.acquaintance("no")), Declined)

    def test_untimely(self) -> None:
        """
        What is not valid now would be refused all the same: that is the reason then, and nobody is asked.
        """
        for now, reason in (
            (OWN.not_valid_after_utc + timedelta(seconds=1), Reason.EXPIRED),
            (OWN.not_valid_before_utc - timedelta(seconds=1), Reason.NOT_YET_VALID),
        ):
            error = self.refused(self.acquaintance("always", now=now))
            self.assertNotIsInstance(error, Declined)
            self.assertEqual((error.refusal.reason, error.refusal.certificate), (reason, OWN))
            self.assertEqual(self.people[0].shown, "")

    def test_nobody(self) -> None:
        """
        Where nobody can be asked, or may be, a server that cannot be verified is refused.
        """
        for it in (self.acquaintance(), self.acquaintance("always", mayAsk=False)):
            self.assertNotIsInstance(self.refused(it), Declined)
            self.assertEqual(self.hosts.all(), [])

    def test_verified(self) -> None:
        """
        Who can be verified is not asked about, and not remembered; and nor is somebody asked later.
        """
        self.server.refusal = None
        it = self.acquaintance("always")
        self.connected(it)
        self.assertEqual((self.people[0].shown, self.hosts.all()), ("", []))
        self.server.refusal = Refusal(Reason.SELF_SIGNED, OWN, own=OWN)
        self.assertNotIsInstance(self.refused(it), Declined)

    def test_otherFailures(self) -> None:
        """
        A server that is not there is no question.
        """
        self.server.certificate = None
        connecting = self.acquaintance("always").connect(Factory.forProtocol(Protocol))
        self.failureResultOf(connecting, ConnectionRefusedError)

    def test_unwritable(self) -> None:
        """
        That it cannot be remembered is said, and ends no connection.
        """
        self.hosts.directory.write_bytes(b"a file")
        self.connected(self.acquaintance("always"))
        self.assertIn("localhost:10000 cannot be remembered: ", self.error.getvalue())


class RememberedTests(AcquaintanceCase):
    """
    A server that is remembered.
    """

    def test_changed(self) -> None:
        """
        Another key is refused, with what is remembered and the command that forgets it, and without a
        question.
        """
        remembered = self.hosts.remember("localhost", 10000, OTHER)
        error = self.refused(self.acquaintance("always"))
        assert isinstance(error, KeyChanged)
        self.assertEqual((error.remembered, error.refusal.own), (remembered, OWN))
        self.assertTrue(error.forget.endswith(" hosts forget localhost:10000"))
        self.assertEqual(self.people[0].shown, "")
        self.assertEqual(self.hosts.find("localhost", 10000), remembered)

    def test_authority(self) -> None:
        """
        It is held to its key even where it could be verified otherwise by now.
        """
        self.hosts.remember("localhost", 10000, OTHER)
        self.server.refusal = None
        self.assertIsInstance(self.refused(self.acquaintance()), KeyChanged)

    def test_renewed(self) -> None:
        """
        A new certificate with the same key is remembered in place of the old one, since when the key was; it
        is said when each step is.
        """
        for verbose in (False, True):
            self.hosts.remember("localhost", 10000, OWN, NOW - timedelta(days=9))
            self.server.certificate = RENEWED
            self.connected(self.acquaintance(verbose=verbose))
            found = self.hosts.find("localhost", 10000)
            assert found is not None
            self.assertEqual((found.certificate, found.since), (RENEWED, NOW - timedelta(days=9)))
            self.assertEqual("new certificate" in self.error.getvalue(), verbose)

    def test_same(self) -> None:
        """
        A certificate that is the same is not written again; one that cannot be read, or that another program
        remembers, is left as it is.
        """
        path = self.hosts.remember("localhost", 10000, OWN).path / "cert.pem"
        before = path.stat().st_mtime_ns, path.stat().st_ino
        self.connected(self.acquaintance())
        self.patch(Handle, "get_peer_certificate", lambda self: None)
        self.connected(self.acquaintance())
        self.assertEqual((path.stat().st_mtime_ns, path.stat().st_ino), before)

    def test_others(self) -> None:
        """
        What another program remembers is believed, and left as it is.
        """
        theirs = KnownHosts(Path(self.mktemp()).absolute())
        theirs.remember("localhost", 10000, OWN)
        self.hosts = KnownHosts(self.hosts.directory, [theirs.directory])
        self.server.certificate = RENEWED
        self.connected(self.acquaintance())
        found = self.hosts.find("localhost", 10000)
        assert found is not None
        self.assertEqual(found.certificate, OWN)
        self.server.certificate = OTHER
        error = self.refused(self.acquaintance())
        assert isinstance(error, KeyChanged)
        self.assertTrue(error.forget.endswith(" hosts forget localhost:10000 --everywhere"))

    def test_unwritable(self) -> None:
        """
        That a new certificate cannot be remembered ends no connection.
        """
        path = self.hosts.remember("localhost", 10000, OWN).path
        self.server.certificate = RENEWED
        (path / "options").unlink()
        (path / "options").mkdir()
        self.connected(self.acquaintance(verbose=True))
        self.assertIn("cannot be remembered", self.error.getvalue())
        self.assertNotIn("new certificate", self.error.getvalue())

    def test_damaged(self) -> None:
        """
        What cannot be read is an error that says how to forget it.
        """
        path = self.hosts.remember("localhost", 10000, OWN).path / "cert.pem"
        path.write_bytes(b"damaged")
        error = self.assertRaises(CertificateFileError, self.acquaintance)
        self.assertEqual(error.path, str(path))
        self.assertIn("hosts forget localhost:10000", error.problem)


class IntroduceTests(AcquaintanceCase):
    """
    L{Acquaintance.introduce}.
    """

    def test_accepted(self) -> None:
        """
        Who is accepted is connected to once, and that connection ends at once; others need no question.
        """
        it = self.acquaintance("no", "once")
        self.assertIsNone(self.successResultOf(it.introduce()))
        self.assertEqual([each.closed for each in self.people], [1, 1])
        self.assertEqual([each.aborted for each in self.server.transports], [True])
        self.assertEqual(self.server.met, ["", pinOf(OWN)])
        self.connected(it)
        self.assertEqual(self.server.met, ["", pinOf(OWN), pinOf(OWN)])

    def test_declined(self) -> None:
        """
        Who is not accepted is refused.
        """
        self.failureResultOf(self.acquaintance("once", "no").introduce(), Declined)

    def test_nothingToAsk(self) -> None:
        """
        Where nobody can be asked, and where the server is remembered, there is no connection before it is
        needed; nobody is asked later.
        """
        it = self.acquaintance()
        self.assertIsNone(self.successResultOf(it.introduce()))
        self.hosts.remember("localhost", 10000, OWN)
        self.assertIsNone(self.successResultOf(self.acquaintance("no").introduce()))
        self.assertEqual(self.server.met, [])
        self.assertNotIsInstance(self.refused(it), Declined)

    def test_notThere(self) -> None:
        """
        A server that is not there may be there later; then nobody is asked any more.
        """
        self.server.certificate = None
        it = self.acquaintance("no", "always")
        self.assertIsNone(self.successResultOf(it.introduce()))
        self.server.certificate = OWN
        self.assertNotIsInstance(self.refused(it), Declined)

    def test_cancelled(self) -> None:
        """
        It can be cancelled.
        """
        introducing = self.acquaintance("no", None).introduce()
        introducing.cancel()
        self.failureResultOf(introducing, CancelledError)


class AcquaintTests(SynchronousTestCase):
    """
    L{acquaint}.
    """

    def setUp(self) -> None:
        self.hosts = KnownHosts(Path(self.mktemp()).absolute())

    def made(self, target: Target, **options: str) -> IStreamClientEndpoint:
        """
        The endpoint for a target and options of the command line.
        """
        layer = Layer("command line", {name.replace("_", "-"): text for name, text in options.items()})
        asker = Asker(MemoryReactorClock(), lambda: None)
        return acquaint(asker, target, layer, self.hosts)

    def test_plain(self) -> None:
        """
        Where there is no TLS, and where the user says whom to believe, nobody is remembered or asked.
        """
        self.hosts.remember("localhost", 10000, OTHER)
        for target in ("tcp://localhost:10000/", "ws://localhost:10000/", "/run/socket"):
            self.assertNotIsInstance(self.made(parseTarget(target)), Acquaintance)
        pin = pinOf(OWN)
        self.assertIsInstance(self.made(parseTarget(TARGET), ssl_pin=pin), TLSClientEndpoint)
        self.assertIsInstance(self.made(parseTarget(f"{TARGET}?ssl-pin={pin}")), TLSClientEndpoint)
        for mode in ("none", "required"):
            endpoint = self.made(parseTarget("wss://localhost/"), ssl_server_verify_mode=mode)
            self.assertIsInstance(endpoint, WebSocketClientEndpoint)

    def test_asked(self) -> None:
        """
        Where nobody says whom to believe, the user may be asked about a host that is not remembered.
        """
        for target in (TARGET, "wss://localhost:10000/", f"{TARGET}?ssl-check-hostname=no"):
            self.hosts.forget("localhost", 10000)
            it = self.made(parseTarget(target))
            assert isinstance(it, Acquaintance)
            self.assertTrue(it.mayAsk)
            self.hosts.remember("localhost", 10000, OWN)
            it = self.made(parseTarget(target))
            assert isinstance(it, Acquaintance)
            self.assertFalse(it.mayAsk)

    def test_name(self) -> None:
        """
        A host is remembered by the name that is asked for.
        """
        it = self.made(parseTarget("ssl://127.0.0.1:10000/"), ssl_server_hostname="a.test")
        assert isinstance(it, Acquaintance)
        self.assertEqual(it.place, "a.test:10000")

    def test_nameInFile(self) -> None:
        """
        By which name a host is remembered is the user's to say: what a connection file calls it may be
        another, whose key would not be asked for, or would be replaced by this one's.
        """
        text = "mode=ssl\nhost=localhost\nport=10000\nssl-server-hostname=a.test\n"
        self.hosts.remember("a.test", 10000, OTHER)
        target = parseConnectionFile(text, "test.xpra")
        it = self.made(target)
        assert isinstance(it, Acquaintance)
        self.assertEqual((it.place, it.mayAsk), ("localhost:10000", True))
        it = self.made(target, ssl_server_hostname="a.test")
        assert isinstance(it, Acquaintance)
        self.assertEqual((it.place, it.mayAsk), ("a.test:10000", False))

    def test_file(self) -> None:
        """
        A connection file that says whom to believe is no reason to ask about somebody else; what the user has
        accepted comes before it, and it can no more switch verification off than without.
        """
        text = f"mode=ssl\nhost=localhost\nport=10000\nssl-pin={pinOf(OTHER)}\n"
        target = parseConnectionFile(text, "test.xpra")
        it = self.made(target)
        assert isinstance(it, Acquaintance)
        self.assertFalse(it.mayAsk)
        self.hosts.remember("localhost", 10000, OWN)
        seen: list[tuple[Layer, ...]] = []

        def endpointForTarget(reactor: object, target: Target, *layers: Layer) -> object:
            seen.append(layers)
            return object()

        self.patch(sys.modules[acquaint.__module__], "endpointForTarget", endpointForTarget)
        self.made(target)
        self.assertEqual(seen[0][0].values, {"ssl-pin": (pinOf(OWN),)})
        self.assertEqual(seen[0][1].values, {})

    def test_weakening(self) -> None:
        """
        A connection file that switches verification off is refused, be its host remembered or not.
        """
        target = parseConnectionFile("mode=ssl\nhost=h\nport=1\nssl-check-hostname=no\n", "test.xpra")
        self.assertRaises(OptionError, self.made, target)
        self.hosts.remember("h", 1, OWN)
        self.assertRaises(OptionError, self.made, target)

    def test_asker(self) -> None:
        """
        Who asks asks at the terminal, and now.
        """
        self.assertLess(datetime.now(timezone.utc) - Asker(None).now(), timedelta(minutes=1))
