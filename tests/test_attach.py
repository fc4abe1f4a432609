"""
C{xtls attach}.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import (
    CannotListenError,
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    ProcessDone,
    ProcessTerminated,
)
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import serverFile
from tests.test_acquaintance import Person, Server
from tests.test_localport import GivenEndpoint, SpawningReactor
from xtls.config.locations import configDirectory
from xtls.config.target import Mode, parseTarget
from xtls.endpoints.strings import enableStockSSL
from xtls.errors import (
    HandshakeError,
    OpeningHandshakeError,
    OptionError,
    PeerVerificationError,
    XTLSError,
)
from xtls.programs import attach
from xtls.programs.acquaintance import Acquaintance, Asker, Declined, KeyChanged
from xtls.programs.attach import Attachment, attachment, attachTo
from xtls.programs.commandline import Given
from xtls.programs.statuses import ExitStatus
from xtls.testing.authority import Authority
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.verification import Reason, Refusal

TARGET = "ssl://localhost:10000/"
CERTIFICATE = selfSigned(["localhost"]).certificate


class _Transport(StringTransport):
    """
    A connection that can be aborted.
    """

    aborted = False

    def abortConnection(self) -> None:
        """
        Remember it.
        """
        self.aborted = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Nothing.
        """


class _Reactor(SpawningReactor):
    """
    A reactor whose ports may be taken.
    """

    taken = False

    def listenTCP(self, port: int, *arguments: Any, **keywords: Any) -> Any:
        """
        Listen, unless it is taken.
        """
        if self.taken:
            raise CannotListenError("127.0.0.1", port, OSError("Address already in use"))
        return super().listenTCP(port, *arguments, **keywords)


def parsed(*words: str, command: tuple[str, ...] = ()) -> Attachment:
    """
    What a command line asks for.
    """
    return attachment(attach._LINE.parse(words), command)


class AttachmentTests(SynchronousTestCase):
    """
    L{attachment}.
    """

    def refused(self, *words: str, command: tuple[str, ...] = ()) -> OptionError:
        """
        Why a command line cannot be used.
        """
        return self.assertRaises(OptionError, parsed, *words, command=command)  # type: ignore[no-any-return]

    def test_target(self) -> None:
        """
        The target may be a URL or the older form; options may stand around it.
        """
        for text in (TARGET, "ssl:localhost:10000"):
            attached = parsed("--verbose", text, "--close-timeout=3")
            self.assertEqual(
                (attached.target.mode, attached.target.host, attached.target.port),
                (Mode.SSL, "localhost", 10000),
            )
            self.assertEqual((attached.verbose, attached.options.closeTimeout), (True, 3.0))
            self.assertEqual(attached.descriptors, (0, 1))

    def test_optionsOfTheTarget(self) -> None:
        """
        The target's own options count; the command line's come first.
        """
        url = f"{TARGET}?close-timeout=3&connect-timeout=4"
        options = parsed(url, "--close-timeout=5").options
        self.assertEqual((options.closeTimeout, options.connectTimeout), (5.0, 4.0))

    def test_singular(self) -> None:
        """
        C{--ssl-ca-cert} is understood.
        """
        attached = parsed(TARGET, "--ssl-ca-cert=ca.pem")
        self.assertEqual(attached.layer.values, {"ssl-ca-certs": ("ca.pem",)})

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        cases: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
            ("TARGET", (), ()),
            ("more", (TARGET, "more"), ()),
            ("target", ("nonsense",), ()),
            ("--nonsense", (TARGET, "--nonsense"), ()),
            ("detect-timeout", (TARGET, "--detect-timeout=1"), ()),
            ("connect-timeout", (TARGET, "--connect-timeout=x"), ()),
            ("listen", (TARGET, "--listen=tcp:1"), ("true", "{port}")),
            ("true", (TARGET,), ("true", "port")),
            ("ssl-ca-certs", ("tcp://localhost:1/", "--ssl-ca-certs=ca.pem"), ()),
        ]
        for option, words, command in cases:
            self.assertEqual(self.refused(*words, command=command).option.lstrip("-"), option.lstrip("-"))

    def test_connectionFile(self) -> None:
        """
        A connection file may name whom to believe; to believe anybody takes the user's own word.
        """
        path = Path(self.mktemp() + ".xpra")
        path.write_text("mode=ssl\nhost=h\nport=1\nssl-server-verify-mode=none\n")
        error = self.refused(str(path))
        self.assertEqual(error.option, "ssl-server-verify-mode")
        self.assertIn("line 4", error.source)
        attached = parsed(str(path), "--ssl-server-verify-mode=none")
        self.assertEqual(attached.target.host, "h")


class AttachToTests(SynchronousTestCase):
    """
    L{attachTo} with standard input and output.
    """

    def setUp(self) -> None:
        self.addCleanup(enableStockSSL())
        self.reactor = _Reactor()
        self.error = io.StringIO()
        self.patch(sys, "stderr", self.error)
        self.patch(os, "environ", {**os.environ, "XDG_CONFIG_HOME": str(Path(self.mktemp()).absolute())})
        self.connecting: Deferred[IProtocol] = Deferred()
        self.endpoint: Any = GivenEndpoint(self.connecting)
        self.source, self.typed = self.pipe()
        self.shown, self.sink = self.pipe()

    def pipe(self) -> tuple[int, int]:
        """
        A pipe that is closed when the test ends.
        """
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    def attach(self, *words: str, command: tuple[str, ...] = ()) -> Deferred[int]:
        """
        Attach to the endpoint.
        """
        asked = parsed(*(words or (TARGET,)), command=command)
        attached = Attachment(
            asked.layer,
            asked.options,
            asked.listen,
            asked.verbose,
            asked.invocation,
            (self.source, self.sink),
        )
        return attachTo(attached, self.endpoint, self.reactor)

    def connect(self) -> tuple[Any, _Transport]:
        """
        Let the endpoint connect.
        """
        (factory,) = self.endpoint.connected
        protocol = factory.buildProtocol(None)
        assert protocol is not None
        transport = _Transport()
        protocol.makeConnection(transport)
        self.connecting.callback(protocol)
        return protocol, transport

    def failed(self, error: Exception, *words: str) -> int:
        """
        Let the endpoint fail.

        @return: the status.
        """
        status = self.attach(*words)
        self.connecting.errback(Failure(error))
        return self.successResultOf(status)

    def test_join(self) -> None:
        """
        What comes is written, what is typed is sent, and the status says how it ended.
        """
        status = self.attach()
        protocol, transport = self.connect()
        protocol.dataReceived(b"welcome")
        self.assertEqual(os.read(self.shown, 100), b"welcome")
        os.write(self.typed, b"thanks")
        for reader in list(self.reactor.getReaders()):
            if reader.fileno() == self.source:
                reader.doRead()
        self.assertEqual(transport.value(), b"thanks")
        self.assertNoResult(status)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.successResultOf(status), self.error.getvalue()), (0, ""))

    def test_lost(self) -> None:
        """
        A connection that is lost is said to be.
        """
        status = self.attach()
        protocol, _ = self.connect()
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.successResultOf(status), ExitStatus.CONNECTION_LOST)
        self.assertIn("xtls: the connection was lost", self.error.getvalue())

    def test_verbose(self) -> None:
        """
        When asked to, it says each step.
        """
        status = self.attach("--verbose", TARGET)
        protocol, _ = self.connect()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.successResultOf(status), 0)
        lines = self.error.getvalue().splitlines()
        self.assertEqual(lines[0], "xtls: connecting to ssl://localhost:10000/")
        self.assertTrue(lines[1].startswith("xtls: connected: plain TCP to "))
        self.assertEqual(lines[2:], ["xtls: the connection has ended"])

    def test_refused(self) -> None:
        """
        A server that cannot be verified has its status and its explanation.
        """
        certificate = Authority().issue("localhost").certificate
        error = PeerVerificationError(Refusal(Reason.UNKNOWN_CA, certificate))
        self.assertEqual(self.failed(error), ExitStatus.CERTIFICATE_VERIFY_FAILED)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", self.error.getvalue())
        kept = configDirectory() / "refused" / "localhost_10000.pem"
        self.assertIn(f"--ssl-ca-certs={kept}", self.error.getvalue())
        self.assertTrue(kept.exists())

    def test_declined(self) -> None:
        """
        A server that the user did not accept needs no explanation.
        """
        error = Declined(Refusal(Reason.SELF_SIGNED, CERTIFICATE))
        self.assertEqual(self.failed(error), ExitStatus.CERTIFICATE_VERIFY_FAILED)
        self.assertEqual(self.error.getvalue(), f"xtls: {TARGET} was not accepted; nothing was sent to it\n")

    def test_keyChanged(self) -> None:
        """
        A server with another key than the one that is remembered is refused loudly, and so is one with
        another than the one that was accepted a moment ago.
        """
        refusal = Refusal(Reason.WRONG_KEY, CERTIFICATE, own=CERTIFICATE)
        remembered = KnownHosts(Path(self.mktemp())).remember("h", 1, CERTIFICATE)
        for error, words in (
            (KeyChanged(refusal, remembered, "xtls hosts forget h:1"), ("HAS CHANGED", "hosts forget h:1")),
            (KeyChanged(refusal, None, ""), ("accepted just now", "in between")),
        ):
            self.setUp()
            self.assertEqual(self.failed(error), ExitStatus.CERTIFICATE_VERIFY_FAILED)
            for word in words:
                self.assertIn(word, self.error.getvalue())

    def acquainted(self, *answers: str) -> Server:
        """
        Attach to a server that cannot be verified, and about which somebody is asked.
        """
        server = Server(CERTIFICATE, Refusal(Reason.SELF_SIGNED, CERTIFICATE, own=CERTIFICATE))
        people: list[Any] = [Person(answer) for answer in answers]
        asker = Asker(self.reactor, lambda: people.pop(0) if people else None)
        endpoint = Acquaintance(asker, "localhost", parseTarget(TARGET), KnownHosts(Path(self.mktemp())))
        endpoint.begin(server.pinned, mayAsk=True)
        self.endpoint = endpoint
        return server

    def test_introduced(self) -> None:
        """
        Whoever is asked about the server is asked before a port is opened or a program started; and neither
        is when it is not accepted.
        """
        for words, command in (((TARGET, "--listen=tcp:5901"), ()), ((TARGET,), ("sh", "{port}"))):
            for answers, begun in ((("no", "no"), False), (("no", "once"), True), ((), True)):
                self.setUp()
                server = self.acquainted(*answers)
                status = self.attach(*words, command=command)
                self.assertEqual(len(self.reactor.tcpServers), begun)
                self.assertEqual(len(self.reactor.spawned), begun and bool(command))
                self.assertEqual(len(server.met), len(answers) and 1 + begun)
                if not begun:
                    self.assertEqual(self.successResultOf(status), ExitStatus.CERTIFICATE_VERIFY_FAILED)

    def test_failures(self) -> None:
        """
        Every other failure is one line and a status; what nobody expected is a failure to connect too.
        """
        for error, status in (
            (HandshakeError("no"), ExitStatus.SSL_FAILURE),
            (OpeningHandshakeError("no", 403), ExitStatus.CONNECTION_FAILED),
            (ConnectionRefusedError(), ExitStatus.CONNECTION_FAILED),
            (ConnectionLost(), ExitStatus.CONNECTION_FAILED),
            (ZeroDivisionError(), ExitStatus.CONNECTION_FAILED),
        ):
            self.setUp()
            self.assertEqual(self.failed(error), status)
            self.assertTrue(self.error.getvalue().startswith(f"xtls: cannot connect to {TARGET}: "))
            self.assertEqual(self.error.getvalue().count("\n"), 1)

    def test_verboseFailure(self) -> None:
        """
        What nobody expected is explained as far as it can be, when asked for.
        """
        self.failed(ZeroDivisionError(), TARGET, "--verbose")
        self.assertIn("Traceback", self.error.getvalue())

    def test_cancelled(self) -> None:
        """
        Whoever interrupts it needs no message.
        """
        for error in (CancelledError(), ConnectingCancelledError(None)):
            self.setUp()
            self.assertEqual(self.failed(error), ExitStatus.INTERRUPTED)
            self.assertEqual(self.error.getvalue(), "")

    def test_listen(self) -> None:
        """
        A local port may be opened; it says where, and it stays open.
        """
        status = self.attach(TARGET, "--listen=tcp:5901")
        self.assertNoResult(status)
        self.assertIn(":5901 for ssl://localhost:10000/", self.error.getvalue())
        self.assertEqual((len(self.reactor.tcpServers), self.endpoint.connected), (1, []))

    def test_listenTaken(self) -> None:
        """
        One that is taken is said to be.
        """
        self.reactor.taken = True
        self.assertEqual(
            self.successResultOf(self.attach(TARGET, "--listen=tcp:5901")), ExitStatus.CONNECTION_FAILED
        )
        self.assertIn("cannot listen on tcp:5901", self.error.getvalue())

    def test_listenSecret(self) -> None:
        """
        What of it is secret is not said.
        """
        self.reactor.taken = True
        text = f"xtls:tcp:5901:ssl-cert={serverFile(self)}:ssl-key-password=hunter2"
        self.successResultOf(self.attach(TARGET, f"--listen={text}"))
        self.assertIn("cannot listen on xtls:tcp:5901:", self.error.getvalue())
        self.assertNotIn("hunter2", self.error.getvalue())

    def test_listenRefused(self) -> None:
        """
        A server that refuses a connection of the local port is explained, and the port stays open.
        """
        self.endpoint = GivenEndpoint(fail(ConnectionRefusedError()))
        status = self.attach(TARGET, "--listen=tcp:5901")
        session = self.reactor.tcpServers[0][1].buildProtocol(None)  # type: ignore[arg-type]
        assert session is not None
        session.makeConnection(_Transport())
        self.assertIn("cannot connect to", self.error.getvalue())
        self.assertNoResult(status)

    def test_command(self) -> None:
        """
        A program may be run that uses the local port.
        """
        status = self.attach(command=("sh", "{port}"))
        self.assertNoResult(status)
        self.assertEqual(self.reactor.spawned[0][2], ["sh", "0"])

    def test_commandRefused(self) -> None:
        """
        A program that is content although the server was refused does not make that good; what it says itself
        holds.
        """
        for code, expected in ((0, ExitStatus.CONNECTION_FAILED), (7, 7)):
            self.endpoint = GivenEndpoint(fail(ConnectionRefusedError()))
            status = self.attach(command=("sh", "{port}"))
            session = self.reactor.tcpServers[-1][1].buildProtocol(None)  # type: ignore[arg-type]
            assert session is not None
            session.makeConnection(_Transport())
            ended: Any = ProcessTerminated(code) if code else ProcessDone(0)
            self.reactor.spawned[-1][0].processEnded(Failure(ended))
            self.assertEqual(self.successResultOf(status), expected)


class RunTests(SynchronousTestCase):
    """
    L{attach.run}.
    """

    def setUp(self) -> None:
        self.runs: list[tuple[Callable[[Any], Deferred[int]], bool, dict[int, int | None]]] = []

    def runner(self, start: Callable[[Any], Deferred[int]], *, verbose: bool, signals: Any) -> int:
        """
        Remember what is to be run.
        """
        self.runs.append((start, verbose, signals))
        return 7

    def test_run(self) -> None:
        """
        It attaches as the command line says, until a signal comes.
        """
        self.assertEqual(attach.run(["tcp://127.0.0.1:1/", "--verbose"], self.runner), 7)
        ((start, verbose, signals),) = self.runs
        self.assertEqual((verbose, signals[signal.SIGINT]), (True, 130))
        reactor = _Reactor()
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertNoResult(start(reactor))
        self.assertEqual(reactor.tcpClients[0][:2], ("127.0.0.1", 1))

    def test_command(self) -> None:
        """
        With a command, an interruption is for that.
        """
        attach.run([TARGET, "--", "sh", "--help", "{port}"], self.runner)
        self.assertIsNone(self.runs[0][2][signal.SIGINT])

    def test_nothingBehind(self) -> None:
        """
        A separator with nothing behind it is a mistake.
        """
        self.assertEqual(self.assertRaises(OptionError, attach.run, [TARGET, "--"], self.runner).option, "--")

    def test_help(self) -> None:
        """
        The help has every option of clients, and none of servers.
        """
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(attach.run(["--help"], self.runner), 0)
        self.assertIn("--ssl-server-hostname=", output.getvalue())
        self.assertLessEqual(set(re.findall(r"--([a-z-]+)", output.getvalue())), set(attach._LINE.words))
        self.assertNotIn("--detect-timeout", output.getvalue())
        self.assertEqual(self.runs, [])

    def test_wrongFile(self) -> None:
        """
        A file that cannot be used is an error by name.
        """
        attach.run([TARGET, "--ssl-ca-certs=/no/such/file"], self.runner)
        self.assertRaises(XTLSError, self.runs[0][0], _Reactor())

    def test_given(self) -> None:
        """
        What was given stays as it was, for messages.
        """
        self.assertEqual(parsed(TARGET, "-v").invocation.given, Given({"verbose": ("",)}, (TARGET,)))
