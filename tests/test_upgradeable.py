"""
A connection to a port, until it is known who takes it over.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.handshakes import saved
from tests.support.logs import recordLogs
from tests.support.people import person
from tests.support.wires import GivenFactory, HalfCloseRecorder, Recorder, Wire, everySplit
from tests.test_detect import SAMPLES, randomOpening
from xtls.config.modes import Mode
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.port.detect import LONGEST_SIGNATURE, Detected
from xtls.port.upgradeable import LINGER, SETTLING, Port, UpgradeableFactory, UpgradeableProtocol
from xtls.port.upgrades import Expected, Route, UpgradePolicy, UpgradeRefused
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, toPEM
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.wire.tlsfactory import TLSTransportFactory
from xtls.wire.transport import TLSTransport

_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@cache
def authority() -> Authority:
    """
    Whom clients believe.
    """
    return Authority()


@cache
def serverCreator(alpn: tuple[bytes, ...] = (b"http/1.1",), **more: Any) -> ServerConnectionCreator:
    """
    A certificate for localhost.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cert.pem"
        path.write_bytes(toPEM(authority().issue("localhost")))
        return ServerConnectionCreator.fromOptions(TLSOptions(cert=(str(path),), **more), alpn)


class CountingFactory(Factory):
    """
    Builds recorders, and counts starts and stops.

    @ivar built: what was built.
    @ivar running: whether it is started.
    """

    noisy = False

    def __init__(self, build: Callable[[], Protocol | None] = HalfCloseRecorder) -> None:
        self._build = build
        self.built: list[Any] = []
        self.running = False

    def startFactory(self) -> None:
        """
        Note it.
        """
        self.running = True

    def stopFactory(self) -> None:
        """
        Note it.
        """
        self.running = False

    def buildProtocol(self, addr: object) -> Any:
        """
        Build one more.
        """
        self.built.append(self._build())
        return self.built[-1]


class _PortTestCase(SynchronousTestCase):
    """
    A port with a session, a web and a certificate.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.logged = recordLogs(self)
        self.session = CountingFactory()
        self.web = CountingFactory()

    def port(
        self,
        mode: Mode = Mode.TCP,
        options: PortOptions | None = None,
        *,
        alpn: tuple[bytes, ...] = (b"http/1.1",),
        **more: Any,
    ) -> UpgradeableFactory:
        """
        A port of which everything is available.
        """
        policy = UpgradePolicy(mode, options or PortOptions(), True, True, True)
        return UpgradeableFactory(
            Port(policy, self.session, self.web, serverCreator(alpn, **more), self.clock)
        )

    def connect(self, port: UpgradeableFactory, client: Protocol, cuts: Sequence[int] = (65536,)) -> Wire:
        """
        Connect a client.
        """
        wire = Wire(cuts, self.clock)
        protocol = port.buildProtocol(wire.server.getPeer())
        wire.join(client, protocol)
        wire.flush()
        return wire

    def say(self, port: UpgradeableFactory, pieces: Sequence[bytes]) -> tuple[Wire, Recorder]:
        """
        Connect a client that sends some segments.
        """
        client = HalfCloseRecorder()
        wire = self.connect(port, client)
        for piece in pieces:
            wire.client.write(piece)
            wire.flush()
        return wire, client

    def assertOver(self, wire: Wire) -> None:
        """
        The connection has ended at both ends, and nothing is still to happen.
        """
        self.assertFalse(wire.server.connected or wire.client.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DecisionTests(_PortTestCase):
    """
    The first octets, however they come.
    """

    def test_interfaces(self) -> None:
        """
        The port is a factory; its protocol knows of ends that are not the end.
        """
        port = self.port()
        self.assertTrue(verifyObject(IProtocolFactory, port))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, port.buildProtocol(None)))

    def test_everySplit(self) -> None:
        """
        Every sample, cut at every place, arrives where it belongs, once and whole.
        """
        port = self.port(options=PortOptions(sslUpgrade=False, sshUpgrade=False))
        for sample, detected in SAMPLES:
            right = self.web if detected is Detected.HTTP else self.session
            wrong = self.session if detected is Detected.HTTP else self.web
            for pieces in everySplit(sample):
                right.built.clear()
                wrong.built.clear()
                wire, _ = self.say(port, pieces)
                self.assertEqual([(one.received, one.made) for one in right.built], [(sample, 1)], pieces)
                wire.cut()
                self.assertEqual([len(one.lost) for one in right.built], [1])
                self.assertEqual(wrong.built, [])
        port.journal.write()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leavesThePath(self) -> None:
        """
        After the decision the transport calls the session itself, as soon as there is nothing more
        to decide.
        """
        wire, _ = self.say(self.port(), [b"hello"])
        self.assertIs(wire.server.protocol, self.session.built[0])
        wire.client.write(b" world")
        wire.flush()
        self.assertEqual(self.session.built[0].received, b"hello world")
        self.assertEqual(self.logged.lines(), ["127.0.0.1:50000: tcp>session"])

    def test_noMoreThanNeeded(self) -> None:
        """
        While a connection is undecided, it holds fewer octets than the longest signature has.
        """
        port = self.port()
        for sample, _ in SAMPLES:
            protocol = port.buildProtocol(None)
            wire = Wire((1,), self.clock)
            wire.join(Recorder(), protocol)
            wire.client.write(sample)
            while not protocol._decided and wire.step():
                self.assertLess(len(protocol._prefix), LONGEST_SIGNATURE)
            self.assertEqual(protocol._prefix, b"")
            wire.cut()

    def test_silence(self) -> None:
        """
        A client that says nothing gets the session after the detect timeout: the session may speak
        first.
        """
        wire, client = self.say(self.port(options=PortOptions(detectTimeout=3.0)), [])
        self.clock.advance(2.9)
        self.assertEqual(self.session.built, [])
        self.clock.advance(0.1)
        self.session.built[0].transport.write(b"RFB 003.008\n")
        wire.flush()
        self.assertEqual(client.received, b"RFB 003.008\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow(self) -> None:
        """
        Octets that are not enough are the session's after the same time, and the time does not
        begin anew with them.
        """
        wire, _ = self.say(self.port(), [])
        self.clock.advance(4.9)
        wire.client.write(b"GET ")
        wire.flush()
        self.assertEqual(self.session.built, [])
        self.clock.advance(0.1)
        self.assertEqual(self.session.built[0].received, b"GET ")

    def test_settling(self) -> None:
        """
        After a word that a method of HTTP may begin with, the rest of the line is waited for only a moment,
        which does not begin anew with each octet; after anything else, as long as after nothing.
        """
        wire, _ = self.say(self.port(), [b"G"])
        self.clock.advance(SETTLING - 0.1)
        wire.client.write(b"E")
        wire.flush()
        self.assertEqual(self.session.built, [])
        self.clock.advance(0.1)
        self.assertEqual(self.session.built[0].received, b"GE")
        self.say(self.port(), [SAMPLES[0][0][:3]])
        self.clock.advance(SETTLING)
        self.assertEqual(len(self.session.built), 1)
        self.clock.advance(5)
        self.assertEqual(len(self.session.built), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hurry(self) -> None:
        """
        A connection that is older than it seems is decided when it was to be: never later than otherwise, in
        the next turn where that is over, and once.
        """
        for until, seconds in ((2.0, 2.0), (-1.0, 0.0), (9.0, 5.0)):
            self.setUp()
            wire, _ = self.say(self.port(), [])
            upgradeable: Any = wire.server.protocol
            upgradeable.hurry(until)
            if seconds:
                self.clock.advance(seconds - 0.1)
            self.assertEqual(self.session.built, [])
            self.clock.advance(0.1 if seconds else 0)
            self.assertEqual(len(self.session.built), 1)
            upgradeable.hurry(0.0)
            self.clock.advance(20)
            self.assertEqual((len(self.session.built), self.clock.getDelayedCalls()), (1, []))

    def test_tooSlowByOthers(self) -> None:
        """
        Whoever says that the time is over, it is not over a second time.
        """
        wire, _ = self.say(self.port(), [])
        upgradeable: Any = wire.server.protocol
        upgradeable.tooSlow()
        self.assertEqual((len(self.session.built), self.clock.getDelayedCalls()), (1, []))

    def test_leaves(self) -> None:
        """
        A client that is gone before anything is known leaves nothing behind.
        """
        wire, _ = self.say(self.port(), [b"GET "])
        wire.cut()
        self.assertOver(wire)
        self.assertEqual((self.session.built, self.logged.lines()), ([], []))

    def test_noDelay(self) -> None:
        """
        Small answers are not held back, where the transport can be told so.
        """
        wire, _ = self.say(self.port(), [b"\0"])
        self.assertTrue(wire.server.noDelay)
        wire = Wire((65536,), self.clock)
        unix: Any = wire.server
        unix.getHost = lambda: UNIXAddress(b"/run/x")
        client = Recorder(b"\0")
        wire.join(client, self.port(Mode.UNIX).buildProtocol(None))
        wire.flush()
        self.assertFalse(wire.server.noDelay)


class EndTests(_PortTestCase):
    """
    A peer that ends its direction before it is known what it speaks.
    """

    def end(self, data: bytes) -> tuple[Wire, HalfCloseRecorder]:
        """
        Send a little and then the end.
        """
        client = HalfCloseRecorder()
        wire = self.connect(self.port(), client)
        wire.client.write(data)
        wire.client.loseWriteConnection()
        wire.flush()
        return wire, client

    def test_delivered(self) -> None:
        """
        What it sent decides, is delivered, and then the end of it; the answer still gets back.
        """
        for data in (b"GE", b""):
            self.session.built.clear()
            wire, client = self.end(data)
            session = self.session.built[0]
            self.assertEqual((session.received, session.readClosed), (data, 1))
            session.transport.write(b"answer")
            session.transport.loseConnection()
            wire.flush()
            self.assertEqual((client.received, client.readClosed), (b"answer", 1))

    def test_notHalfCloseable(self) -> None:
        """
        A session that knows of no half close is closed, after what it wrote.
        """
        self.session = CountingFactory(lambda: Recorder(b"greeting"))
        _, client = self.end(b"GE")
        session = self.session.built[0]
        self.assertEqual((session.received, client.received), (b"GE", b"greeting"))
        self.assertEqual([bool(r.check(ConnectionDone)) for r in session.lost], [True])

    def test_notHalfCloseableLater(self) -> None:
        """
        The same when the end comes by way of the protocol that has left.
        """
        self.session = CountingFactory(Recorder)
        protocol = self.port().buildProtocol(None)
        wire = Wire((65536,), self.clock)
        wire.join(Recorder(), protocol)
        wire.client.write(b"hello")
        wire.flush()
        protocol.writeConnectionLost()
        protocol.readConnectionLost()
        wire.flush()
        self.assertEqual(len(self.session.built[0].lost), 1)

    def test_refused(self) -> None:
        """
        Where it is refused, it gets its answer and the end.
        """
        client = HalfCloseRecorder()
        wire = self.connect(self.port(Mode.WS), client)
        wire.client.write(b"GE")
        wire.client.loseWriteConnection()
        wire.flush()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 400 "))
        wire.client.loseConnection()
        wire.flush()
        self.assertOver(wire)


class RefusalTests(_PortTestCase):
    """
    A peer that is not let in.
    """

    def test_answered(self) -> None:
        """
        Each gets the answer of the policy and the end of the stream, and the log gets one line.
        """
        for sample, detected in SAMPLES:
            self.logged.clear()
            wire, client = self.say(self.port(Mode.SSL), [sample])
            assert isinstance(client, HalfCloseRecorder)
            if detected is Detected.TLS:
                wire.cut()
                continue
            refused = UpgradeRefused(detected, Expected.TLS)
            self.assertEqual((client.received, client.readClosed), (refused.answer, 1))
            self.assertEqual(self.logged.lines(), [f"127.0.0.1:50000: refused at ssl: {refused.problem}"])
            wire.client.loseConnection()
            wire.flush()
            self.assertOver(wire)
        self.assertEqual((self.session.built, self.web.built), ([], []))

    def test_answerArrives(self) -> None:
        """
        What a refused peer still sends is read and dropped: unread, it would destroy the answer.
        """
        wire, client = self.say(self.port(Mode.WSS), [b"POST / HTTP/1.1\r\n\r\n"])
        wire.client.write(bytes(1 << 20))
        wire.flush()
        self.assertEqual(len(wire.client._kept) + len(wire.client._flying), 0)
        self.assertTrue(client.received.startswith(b"HTTP/1.1 400 "))
        self.assertTrue(wire.server.connected)

    def test_bounded(self) -> None:
        """
        A refused peer that does not close is closed.
        """
        wire, _ = self.say(self.port(Mode.SSL), [b"hello"])
        self.clock.advance(LINGER - 0.1)
        wire.flush()
        self.assertTrue(wire.server.connected)
        self.clock.advance(0.1)
        wire.flush()
        self.assertFalse(wire.server.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silence(self) -> None:
        """
        A peer that says nothing where only TLS is let in is closed, with one line.
        """
        wire, client = self.say(self.port(Mode.SSL), [])
        self.clock.advance(5)
        wire.flush()
        self.assertEqual(client.received, b"")
        self.assertEqual(len(self.logged.lines()), 1)
        self.assertIn("nothing came; TLS only", self.logged.lines()[0])
        wire.client.loseConnection()
        wire.flush()
        self.assertOver(wire)

    def test_noHalfClose(self) -> None:
        """
        On a transport without a half close the answer has the same time to arrive.
        """
        protocol = self.port(Mode.SSL).buildProtocol(None)
        wire = Wire((65536,), self.clock)
        transport: Any = wire.server
        transport.loseWriteConnection = None
        client = Recorder()
        wire.join(client, protocol)
        wire.client.write(b"hello")
        wire.flush()
        self.assertTrue(client.received.startswith(b"xtls: TLS only"))
        self.assertTrue(wire.server.connected)
        self.clock.advance(LINGER)
        wire.flush()
        self.assertOver(wire)

    def test_noFollower(self) -> None:
        """
        A session that takes no more connections ends them, with one line; what comes then is not
        looked at.
        """
        self.session = CountingFactory(lambda: None)
        wire, _ = self.say(self.port(), [b"hello"])
        protocol: Any = wire.server.protocol
        protocol.dataReceived(b"more")
        self.assertEqual(
            self.logged.lines(),
            ["127.0.0.1:50000: refused at tcp>session: it takes no more connections"],
        )
        self.assertEqual(len(self.session.built), 1)
        self.assertFalse(wire.server.connected)

    def test_noFollowerAtTheEnd(self) -> None:
        """
        The same when the peer has ended its direction.
        """
        self.session = CountingFactory(lambda: None)
        wire, _ = self.say(self.port(), [b"GE"])
        wire.client.loseWriteConnection()
        wire.flush()
        self.assertEqual((len(self.session.built), wire.server.connected), (1, False))

    def test_noRoute(self) -> None:
        """
        What a policy promises and a port does not have is refused too.
        """
        policy = UpgradePolicy(Mode.TCP, PortOptions(), True, True, True)
        port = UpgradeableFactory(Port(policy, None, None, None, self.clock))
        port.doStart()
        for data in (b"hello", _REQUEST, SAMPLES[0][0]):
            wire, _ = self.say(port, [data])
            self.assertFalse(wire.server.connected)
        port.doStop()
        self.assertEqual(len(self.logged.lines()), 3)

    def test_broken(self) -> None:
        """
        A session that cannot be built ends the connection, and the reason is logged.
        """

        def fail() -> None:
            raise RuntimeError("no")

        self.session = CountingFactory(fail)
        wire, _ = self.say(self.port(), [])
        self.clock.advance(5)
        wire.flush()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFalse(wire.server.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_brokenWhenConnected(self) -> None:
        """
        The same for a session that cannot be connected, also when nobody but a timer is there to
        see it.
        """

        class Broken(Protocol):
            def connectionMade(self) -> None:
                raise RuntimeError("no")

        self.session = CountingFactory(Broken)
        wire, _ = self.say(self.port(), [])
        self.clock.advance(5)
        wire.flush()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFalse(wire.server.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FactoryTests(_PortTestCase):
    """
    L{UpgradeableFactory}.
    """

    def test_startsAndStops(self) -> None:
        """
        What the port leads to is started and stopped with it.
        """
        port = self.port()
        port.doStart()
        self.assertTrue(self.session.running and self.web.running)
        port.doStop()
        self.assertFalse(self.session.running or self.web.running)

    def test_peer(self) -> None:
        """
        Whose connection it is, the transport knows when it is decided: an endpoint that has put something in
        between (C{haproxy}) may have learnt it from the first octets, and has said another address before.
        """
        asked: list[object] = []

        def build(addr: object) -> Recorder:
            asked.append(addr)
            return Recorder()

        self.session.buildProtocol = build  # type: ignore[method-assign]
        wire = Wire((65536,), self.clock)
        protocol = self.port().buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        wire.join(Recorder(b"\0"), protocol)
        wire.flush()
        self.assertEqual(asked, [wire.server.getPeer()])
        self.assertIn("127.0.0.1:50000", self.logged.lines()[0])

    def test_routes(self) -> None:
        """
        It can be asked where a route leads to.
        """
        port = self.port()
        self.assertIs(port.next(Route.SESSION), self.session)
        self.assertIs(port.next(Route.HTTP), self.web)
        self.assertIsInstance(port.next(Route.TLS), TLSTransportFactory)
        policy = UpgradePolicy(Mode.TCP, PortOptions(), False, True, False)
        bare = UpgradeableFactory(Port(policy, self.session, None, None, self.clock))
        self.assertEqual([bare.next(route) for route in (Route.HTTP, Route.TLS)], [None, None])

    def test_counted(self) -> None:
        """
        Connections of which no protocol tells are counted by whoever counts them, if anybody does.
        """
        port = self.port()
        port.begun()
        port.ended()
        told: list[str] = []

        class Count:
            """
            Notes what it is told.
            """

            def begun(self) -> None:
                """
                One more.
                """
                told.append("begun")

            def ended(self) -> None:
                """
                One less.
                """
                told.append("ended")

        port.count = Count
        port.begun()
        port.ended()
        self.assertEqual(told, ["begun", "ended"])

    def test_journal(self) -> None:
        """
        When many lines come at once, some wait: for a moment, or until the port is stopped.
        """
        port = self.port()
        port.doStart()
        for _ in range(30):
            self.say(port, [b"\0"])
        self.assertLess(len(self.logged.lines()), 30)
        port.doStop()
        self.assertEqual(len(self.logged.lines()), 30)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SecureTests(_PortTestCase):
    """
    TLS, and what is inside.
    """

    def secure(
        self,
        port: UpgradeableFactory,
        data: bytes,
        alpn: Sequence[bytes] = (),
        *,
        host: str = "localhost",
        cuts: Sequence[int] = (65536,),
        certificate: KeyPair | None = None,
    ) -> tuple[Wire, TLSTransport, HalfCloseRecorder]:
        """
        Connect a TLS client that sends something inside.
        """
        cert = () if certificate is None else (saved(self, certificate),)
        options = TLSOptions(caData=authority().pem, cert=cert)
        client = HalfCloseRecorder(data)
        factory = TLSTransportFactory(
            ClientConnectionCreator.fromOptions(options, host, alpn),
            True,
            GivenFactory(client),
            self.clock,
            refused=lambda transport, failure: None,
        )
        transport = factory.buildProtocol(None)
        return self.connect(port, transport, cuts), transport, client

    def test_inside(self) -> None:
        """
        Inside TLS the same question is asked again, and TLS calls whoever follows itself.
        """
        for mode, data, expected in (
            (Mode.TCP, b"hello", "tcp>tls>session"),
            (Mode.TCP, _REQUEST, "tcp>tls>http"),
            (Mode.SSL, b"hello", "ssl>tls>session"),
            (Mode.WSS, _REQUEST, "wss>tls>http"),
        ):
            self.setUp()
            wire, _, client = self.secure(self.port(mode), data)
            right = self.web if expected.endswith("http") else self.session
            self.assertEqual([one.received for one in right.built], [data])
            self.assertEqual(self.logged.lines(), [f"127.0.0.1:50000: {expected}"])
            inside: Any = wire.server.protocol
            self.assertIsInstance(inside, TLSTransport)
            self.assertIs(inside.wrappedProtocol, right.built[0])
            right.built[0].transport.write(b"answer")
            wire.flush()
            self.assertEqual(client.received, b"answer")
            wire.cut()

    def test_identity(self) -> None:
        """
        The line about a connection names who has shown a certificate, and so does that of a refusal; a client
        that shows none, where it may, has none in its line.
        """
        believed = authority().pem
        for mode, names, said in (
            (None, ("CN=alice",), "tcp>tls>session as CN=alice"),
            (None, ("CN=alice\n127.0.0.1: tcp",), r'tcp>tls>session as CN="alice\x0a127.0.0.1: tcp"'),
            (None, ("OU=ops",), "tcp>tls>session as subject="),
            (VerifyMode.OPTIONAL, (), "tcp>tls>session"),
        ):
            self.setUp()
            port = self.port(caData=believed, clientVerifyMode=mode)
            self.secure(port, b"hello", certificate=person(authority(), *names) if names else None)
            lines = self.logged.lines()
            self.assertEqual(len(lines), 1)
            self.assertTrue(lines[0].startswith(f"127.0.0.1:50000: {said}"), lines)
        self.setUp()
        port = self.port(caData=believed, allow=("CN=alice",))
        _, _, client = self.secure(port, b"hello", certificate=person(authority(), "CN=bob"))
        self.assertIn("refused at tcp>tls: CN=bob has a good certificate", self.logged.lines()[0])
        self.assertEqual((len(self.logged), self.session.built, client.received), (1, [], b""))

    def test_octetByOctet(self) -> None:
        """
        TLS, and what is inside, may come in the smallest pieces.
        """
        self.secure(self.port(), _REQUEST, cuts=(1,))
        self.assertEqual(self.web.built[0].received, _REQUEST)

    def test_alpn(self) -> None:
        """
        A client that agreed on HTTP gets the web before it says anything.
        """
        wire, transport, _ = self.secure(self.port(), b"", [b"http/1.1"])
        self.assertEqual(transport.negotiatedProtocol, b"http/1.1")
        self.assertEqual([one.made for one in self.web.built], [1])
        wire.client.write(b"")
        wire.cut()

    def test_alpnWithoutOverlap(self) -> None:
        """
        A client that offers only other protocols is refused, in TLS, with one line.
        """
        wire, _, client = self.secure(self.port(), b"", [b"imap"])
        self.assertEqual((client.made, self.web.built, self.session.built), (0, [], []))
        self.assertEqual(len(self.logged.lines()), 1)
        self.assertIn("refused at tcp>tls: ", self.logged.lines()[0])
        self.assertFalse(wire.server.connected)

    def test_sslTCP(self) -> None:
        """
        With C{ssl=tcp} the session is inside, whatever comes.
        """
        port = self.port(options=PortOptions(ssl=SSLSwitch.TCP), alpn=())
        self.secure(port, _REQUEST, [b"http/1.1"])
        self.assertEqual(self.session.built[0].received, _REQUEST)

    def test_sslWWW(self) -> None:
        """
        With C{ssl=www} the web is inside.
        """
        self.secure(self.port(options=PortOptions(ssl=SSLSwitch.WWW)), b"hello")
        self.assertEqual(self.web.built[0].received, b"hello")

    def test_silence(self) -> None:
        """
        Inside TLS, too, the session may speak first.
        """
        wire, _, client = self.secure(self.port(), b"")
        self.clock.advance(5)
        self.session.built[0].transport.write(b"RFB 003.008\n")
        wire.flush()
        self.assertEqual(client.received, b"RFB 003.008\n")

    def test_refusedInside(self) -> None:
        """
        Whoever is refused inside TLS is answered there.
        """
        wire, _, client = self.secure(self.port(Mode.WSS), b"hello")
        self.assertTrue(client.received.startswith(b"HTTP/1.1 400 "), client.received)
        self.assertEqual(client.readClosed, 1)
        self.assertIn("refused at wss>tls: something else came", self.logged.lines()[0])
        client.transport.loseConnection()  # type: ignore[union-attr]
        wire.flush()
        self.assertOver(wire)

    def test_halfClose(self) -> None:
        """
        A client may end its direction before it is known what it speaks; inside TLS as well.
        """
        wire, transport, client = self.secure(self.port(), b"GE")
        transport.loseWriteConnection()
        wire.flush()
        session = self.session.built[0]
        self.assertEqual((session.received, session.readClosed), (b"GE", 1))
        session.transport.write(b"answer")
        wire.flush()
        self.assertEqual(client.received, b"answer")

    def test_unverified(self) -> None:
        """
        A client that refuses the certificate is one line in the log, and no session.
        """
        self.secure(self.port(), b"hello", host="example.com")
        self.assertEqual((self.session.built, len(self.logged.lines())), ([], 1))

    def test_handshakeTimeout(self) -> None:
        """
        A ClientHello that does not go on holds a connection no longer than the handshake's
        deadline.
        """
        port = self.port(options=replace(PortOptions(), handshakeTimeout=4.0))
        wire, _ = self.say(port, [SAMPLES[0][0][:11]])
        self.clock.advance(4)
        wire.flush()
        self.assertOver(wire)
        self.assertIn("within 4 seconds", self.logged.lines()[0])


class RandomTests(_PortTestCase):
    """
    Openings that nobody has thought of.
    """

    def test_everyModeEnds(self) -> None:
        """
        Whatever is sent, in whatever pieces, in whatever mode: no exception, no octet lost or
        doubled, and when both sides have ended, nothing is left.
        """
        source = random.Random(20261123)
        for _ in range(1500):
            opening = randomOpening(source)
            mode = source.choice((Mode.TCP, Mode.WS, Mode.SSL, Mode.WSS, Mode.UNIX))
            self.setUp()
            cuts = [source.randrange(1, 30) for _ in range(5)]
            wire = self.connect(self.port(mode), HalfCloseRecorder(opening), cuts)
            wire.client.loseWriteConnection()
            wire.flush()
            for session in (*self.session.built, *self.web.built):
                self.assertEqual((session.received, session.readClosed), (opening, 1))
                session.transport.loseConnection()
            wire.flush()
            self.clock.advance(30)
            wire.flush()
            wire.client.loseConnection()
            wire.flush()
            self.assertOver(wire)

    def test_protocol(self) -> None:
        """
        The protocol is the one that is documented.
        """
        self.assertIsInstance(self.port().buildProtocol(None), UpgradeableProtocol)
