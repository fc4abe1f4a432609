"""
Looking at a server, step by step.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authorityFile, clientFile, serverConnections, serverFile
from tests.support.memory import AddressResolver, WiredReactor
from tests.support.wiredway import Answering, MadeFactory, WiredWay
from tests.support.wires import Recorder
from tests.test_steps import Opening
from xtls.config.definitions import Layer
from xtls.config.options import TLSOptions, TLSVersion, TLSVersions, VerifyMode, optionNamed
from xtls.config.portoptions import resolveBoth
from xtls.config.target import parseTarget
from xtls.errors import OptionError
from xtls.programs.examining import Examiner, _hostField
from xtls.programs.portfindings import HTTPAnswer, Speech
from xtls.programs.statuses import ExitStatus
from xtls.programs.steps import Attached, Notes
from xtls.trust.contexts import ServerConnectionCreator
from xtls.trust.verification import Reason
from xtls.wire.tlsfactory import TLSTransportFactory

PAGE = b"HTTP/1.1 200 OK\r\n\r\n"
OK = HTTPAnswer(200, "OK")


class Web(Protocol):
    """
    Shows a page, and opens WebSockets.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        See which is asked.
        """
        assert self.transport is not None
        following: Protocol = Opening() if b"Sec-WebSocket-Key" in data else Answering(PAGE)
        following.makeConnection(self.transport)
        following.dataReceived(data)


class Both(Protocol):
    """
    A port with TLS and without.
    """

    def __init__(self, tls: TLSTransportFactory) -> None:
        self._tls = tls
        self._next: Any = None

    def dataReceived(self, data: bytes) -> None:
        """
        See which it is.
        """
        if self._next is None:
            self._next = self._tls.buildProtocol(None) if data[:1] == b"\x16" else Web()
            self._next.makeConnection(self.transport)
        take = getattr(self._next, "bufferReceived", None) or self._next.dataReceived
        take(data)

    def connectionLost(self, reason: Any = None) -> None:
        """
        Tell.
        """
        if self._next is not None:
            self._next.connectionLost(reason)


class ExaminingTestCase(SynchronousTestCase):
    """
    A server in memory, and who looks at it.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.ca = authorityFile(self)

    def secure(self, make: Any = Web, alpn: tuple[bytes, ...] = (b"http/1.1",), **options: Any) -> Any:
        """
        A server with TLS.
        """
        creator = serverConnections(self, alpn)
        if options:
            creator = ServerConnectionCreator.fromOptions(
                TLSOptions(cert=(serverFile(self),), **options), alpn
            )
        return TLSTransportFactory(creator, False, MadeFactory(make), self.reactor)

    def examiner(
        self, target: str, server: Any, most: int = 100, deadline: float = 60, **said: Any
    ) -> Examiner:
        """
        Who looks at it.

        @param said: options, by the attributes of L{TLSOptions}; the authority of the tests is believed
            unless others are named.
        """
        parsed = parseTarget(target)
        if parsed.mode.secure:
            said.setdefault("caCerts", self.ca)
        values = {optionNamed(TLSOptions, attribute).name: text for attribute, text in said.items()}
        layer = Layer("test", values)
        self.way = WiredWay(self.reactor, server, most)
        options = resolveBoth(parsed.layer, layer)
        return Examiner(self.reactor, parsed, [layer], options, deadline, self.way)

    def examine(self, target: str, server: Any, most: int = 100, deadline: float = 60, **said: Any) -> Notes:
        """
        Look at it.
        """
        examiner = self.examiner(target, server, most, deadline, **said)
        waiting = Deferred.fromCoroutine(examiner.examine())
        self.way.settle(waiting)
        notes: Notes = self.successResultOf(waiting)
        self.assertIs(notes, examiner.notes)
        self.assertEqual(notes.connections, len(self.way.wires))
        self.reactor.advance(30)
        return notes


class SecureTests(ExaminingTestCase):
    """
    Targets with TLS.
    """

    def test_everything(self) -> None:
        """
        A port that speaks everything is found to.
        """
        tls = self.secure()
        notes = self.examine("ssl://server.test:1/", MadeFactory(lambda: Both(tls)))
        assert notes.tls is not None
        self.assertEqual(notes.attached, Attached())
        self.assertEqual((notes.secure, notes.plain), (Speech(http=OK), Speech(http=OK)))
        self.assertEqual((notes.webSocket, notes.secureWebSocket), ("", ""))
        self.assertEqual((notes.tls.version, notes.tls.older, notes.tls.alpn), ("TLSv1.3", True, "http/1.1"))
        self.assertEqual((notes.tls.resumed, notes.tls.ancient), (True, ""))
        self.assertEqual((notes.unfinished, notes.connections), (False, 7))

    def test_webSocket(self) -> None:
        """
        Where the target is a WebSocket, it is opened as C{xtls attach} does, once.
        """
        notes = self.examine("wss://server.test:1/x", self.secure())
        self.assertEqual((notes.attached, notes.secureWebSocket), (Attached(), ""))
        notes = self.examine("wss://server.test:1/", self.secure(lambda: Answering(PAGE)))
        assert notes.attached is not None and notes.secureWebSocket is not None
        self.assertEqual(notes.attached.status, ExitStatus.CONNECTION_FAILED)
        self.assertIn("200", notes.secureWebSocket)

    def test_refused(self) -> None:
        """
        A server that is refused is looked at all the same.
        """
        notes = self.examine("wss://other.test:1/", self.secure())
        assert notes.attached is not None and notes.attached.refusal is not None and notes.tls is not None
        self.assertEqual(notes.attached.refusal.reason, Reason.WRONG_NAME)
        self.assertEqual(notes.attached.status, ExitStatus.CERTIFICATE_VERIFY_FAILED)
        self.assertEqual((len(notes.tls.presented), notes.secureWebSocket), (1, None))
        self.assertEqual(notes.secure, Speech(http=OK))

    def test_notTLS(self) -> None:
        """
        A server without TLS is asked for what else there is.
        """
        notes = self.examine("ssl://server.test:1/", Web)
        assert notes.attached is not None and notes.tls is not None
        self.assertEqual(notes.attached.status, ExitStatus.SSL_FAILURE)
        self.assertFalse(notes.tls.spoken)
        self.assertEqual(notes.plain, Speech(http=OK))

    def test_older(self) -> None:
        """
        A server of TLS 1.2 is not asked for 1.2 once more; one of 1.3 alone is.
        """
        for version, expected in ((TLSVersion.TLS1_2, None), (TLSVersion.TLS1_3, False)):
            notes = self.examine("ssl://server.test:1/", self.secure(protocol=TLSVersions(version, version)))
            assert notes.tls is not None
            self.assertEqual(notes.tls.older, expected)

    def test_limited(self) -> None:
        """
        That the user wants no TLS 1.3 is noted.
        """
        for protocol, limited in (("TLSv1_2", True), ("TLS", False)):
            notes = self.examine("ssl://server.test:1/", self.secure(), protocol=protocol)
            assert notes.tls is not None
            self.assertEqual((notes.tls.limited, notes.tls.version == "TLSv1.2"), (limited, limited))

    def test_clientCertificate(self) -> None:
        """
        Whether a certificate is asked for and required is known in both versions; that of the user is shown
        by C{xtls attach} alone.
        """
        for version in TLSVersion:
            for mode in (VerifyMode.OPTIONAL, VerifyMode.REQUIRED):
                server = self.secure(
                    Recorder, caCerts=self.ca, clientVerifyMode=mode, protocol=TLSVersions(version, version)
                )
                notes = self.examine("ssl://server.test:1/", server)
                assert notes.tls is not None and notes.attached is not None
                required = mode is VerifyMode.REQUIRED
                self.assertEqual((notes.tls.asked, notes.tls.required), (True, required))
                self.assertEqual(notes.attached.status, ExitStatus.SSL_FAILURE if required else ExitStatus.OK)
                notes = self.examine("ssl://server.test:1/", server, cert=clientFile(self))
                self.assertEqual(notes.attached, Attached())

    def test_alpn(self) -> None:
        """
        A server that wants another application protocol says so to those who offer one.
        """
        notes = self.examine("ssl://server.test:1/", self.secure(alpn=(b"h2",)))
        assert notes.tls is not None
        self.assertEqual((notes.tls.alpn, notes.tls.resumed), (None, None))

    def test_noPages(self) -> None:
        """
        Where there is no HTTP, no WebSocket is asked for; a server that hangs up at once is told from others.
        """
        notes = self.examine("ssl://server.test:1/", self.secure(lambda: Recorder(b"hello")))
        assert notes.secure is not None
        self.assertEqual((notes.secure.banner, notes.secureWebSocket), (b"hello", None))
        notes = self.examine("ssl://server.test:1/", self.secure(_HangingUp))
        assert notes.attached is not None
        self.assertEqual((notes.attached.status, notes.attached.hungUp), (0, True))

    def test_badRequest(self) -> None:
        """
        A port that wants no HTTP is not asked for a WebSocket either.
        """
        notes = self.examine(
            "tcp://server.test:1/", lambda: Answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), deadline=60
        )
        self.assertIsNone(notes.webSocket)

    def test_gone(self) -> None:
        """
        A server that serves so many connections and no more is known as far as it went.
        """
        tls = self.secure()
        for target in ("ssl://server.test:1/", "tcp://server.test:1/", "ws://server.test:1/"):
            for most in range(10):
                notes = self.examine(target, MadeFactory(lambda: Both(tls)), most)
                self.assertLessEqual(notes.connections, most)
                self.assertEqual(bool(notes.reach.problem), most == 0)
                if most == 0:
                    assert notes.attached is not None
                    self.assertEqual(notes.attached.status, ExitStatus.CONNECTION_FAILED)

    def test_deadline(self) -> None:
        """
        When the time is over, what was found so far is what there is.
        """
        notes = self.examine("ssl://server.test:1/", self.secure(Recorder), deadline=2)
        self.assertTrue(notes.unfinished)
        assert notes.tls is None or notes.tls.spoken

    def test_interrupted(self) -> None:
        """
        Whoever is interrupted goes no further.
        """
        examiner = self.examiner("ssl://server.test:1/", self.secure(Recorder))
        self.way.silent = True
        waiting = Deferred.fromCoroutine(examiner._attach())
        waiting.cancel()
        self.failureResultOf(waiting)
        examiner = self.examiner("ssl://server.test:1/", self.secure(Recorder))
        waiting2 = Deferred.fromCoroutine(examiner.examine())
        waiting2.cancel()
        self.failureResultOf(waiting2, CancelledError)

    def test_wrongOptions(self) -> None:
        """
        Options that cannot be used are found before anything is sent.
        """
        self.assertRaises(OptionError, self.examiner, "ssl://h:1/", Recorder, caCerts="/no/such/file")
        self.assertEqual(self.way.wires, [])

    def test_lost(self) -> None:
        """
        A connection that is lost in the midst of attaching is one that failed.
        """
        examiner = self.examiner("ws://server.test:1/", Recorder)
        assert examiner._attaching is not None
        self.patch(examiner._attaching, "plain", lambda: fail(ConnectionLost()))
        waiting = Deferred.fromCoroutine(examiner._attach())
        self.successResultOf(waiting)
        assert examiner.notes.attached is not None
        self.assertEqual(examiner.notes.attached.status, ExitStatus.CONNECTION_FAILED)


class _HangingUp(Recorder):
    """
    A server that hangs up.
    """

    def connectionMade(self) -> None:
        """
        At once.
        """
        assert self.transport is not None
        self.transport.loseConnection()


class PlainTests(ExaminingTestCase):
    """
    Targets without TLS.
    """

    def test_speaksFirst(self) -> None:
        """
        A server that speaks first, at once or when its port has looked long enough.
        """
        for target in ("tcp://h:1/", "/run/x"):
            notes = self.examine(target, lambda: Recorder(b"hello"))
            assert notes.plain is not None
            self.assertEqual((notes.plain.banner, notes.attached), (b"hello", Attached()))

        def speak(recorder: Recorder) -> None:
            if recorder.transport is not None:
                recorder.transport.write(b"late")

        def late() -> Recorder:
            recorder = Recorder()
            self.reactor.callLater(5, speak, recorder)
            return recorder

        notes = self.examine("tcp://h:1/", late)
        assert notes.plain is not None
        self.assertEqual(notes.plain.banner, b"late")
        self.assertGreaterEqual(notes.plain.after, 4.5)
        for most in (1, 100):
            self.assertEqual(self.examine("/run/x", Recorder, most).plain, Speech())

    def test_everything(self) -> None:
        """
        A port that shows pages, and leads who is silent to a server that speaks first.
        """

        class Port(Web):
            """
            Looks at its clients for a while.
            """

            def connectionMade(self) -> None:
                reactor.callLater(5, self.speak)

            def speak(self) -> None:
                assert self.transport is not None
                self.transport.write(b"late")

        reactor = self.reactor
        notes = self.examine("tcp://h:1/", Port)
        assert notes.plain is not None
        self.assertEqual((notes.plain.banner, notes.plain.http, notes.webSocket), (b"late", OK, ""))

    def test_ssh(self) -> None:
        """
        An SSH server is listened to, and that is all.
        """
        servers: list[Recorder] = []

        def serve() -> Recorder:
            servers.append(Recorder(b"SSH-2.0-x\r\n"))
            return servers[-1]

        notes = self.examine("ssh://h:1/", serve)
        self.assertEqual((notes.connections, notes.tls, notes.attached), (1, None, None))
        self.assertEqual(servers[0].received, b"")

    def test_webSocket(self) -> None:
        """
        A WebSocket without TLS opens, or does not.
        """
        notes = self.examine("ws://h:1/", Web)
        self.assertEqual((notes.webSocket, notes.attached), ("", Attached()))
        notes = self.examine("ws://h:1/", lambda: Answering(b"HTTP/1.1 404 Not Found\r\n\r\n"))
        self.assertIn("404", notes.webSocket or "")


class HostTests(SynchronousTestCase):
    """
    Whom a web server is told that is meant.
    """

    def test_hosts(self) -> None:
        """
        Names in A-labels, addresses in brackets and without a zone, and something for Unix sockets.
        """
        for target, expected in (
            ("ws://b\u00fccher.test:1/", "xn--bcher-kva.test:1"),
            ("ws://[fe80::1%25eth0]:1/", "[fe80::1]:1"),
            ("/run/x", "localhost"),
            ("ws://a_b..c:1/", "a_b..c:1"),
        ):
            self.assertEqual(_hostField(parseTarget(target)), expected)


class WayTests(ExaminingTestCase):
    """
    How the server is reached.
    """

    def examineReally(self, target: str) -> Any:
        """
        Begin to look at a target by its address.
        """
        parsed = parseTarget(target)
        options = resolveBoth(parsed.layer)
        examiner = Examiner(self.reactor, parsed, (), options, 60)
        return examiner, Deferred.fromCoroutine(examiner.examine())

    def test_unix(self) -> None:
        """
        Unix sockets, abstract ones too.
        """
        self.examineReally("/run/x")
        self.examineReally("socket:@x")
        self.assertEqual([each[0] for each in self.reactor.unixClients], ["/run/x", "\0x"])

    def test_name(self) -> None:
        """
        A name is looked up first, and its addresses are noted.
        """
        self.reactor.nameResolver = AddressResolver()
        examiner, _ = self.examineReally("tcp://192.0.2.1:7/")
        self.assertEqual(examiner.notes.reach.addresses, ("192.0.2.1",))
        self.assertEqual([each[:2] for each in self.reactor.tcpClients], [("192.0.2.1", 7)])

    def test_slowName(self) -> None:
        """
        A name that takes too long to look up is left to the attempt to connect.
        """

        class Slow(AddressResolver):
            """
            Never answers.
            """

            def resolveHostName(self, receiver: Any, *others: Any) -> Any:
                receiver.resolutionBegan(self)
                return self

        reactor = self.reactor
        reactor.nameResolver = Slow()
        examiner, waiting = self.examineReally("tcp://h:7/")
        reactor.advance(11)
        self.assertEqual(examiner.notes.reach.addresses, ())
        reactor.advance(60)
        self.assertTrue(waiting.called)
