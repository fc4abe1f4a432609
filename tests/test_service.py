"""
C{twistd xtls}.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import re
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from twisted.internet import endpoints
from twisted.internet.error import CannotListenError, ReactorAlreadyInstalledError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import SEARCH_VARIABLES
from xtls.endpoints.strings import enableStockSSL
from xtls.errors import CertificateFileError, OptionError
from xtls.port.upgradeable import UpgradeableFactory
from xtls.programs import service
from xtls.programs.portservice import ListeningError
from xtls.programs.service import Options, _endBadly, build, chooseReactor, creatorsOf, makeService
from xtls.programs.serviceoptions import plan, serviceCommandLine
from xtls.programs.workers import Workers
from xtls.sessions.forward import ForwardFactory
from xtls.testing.authority import Authority
from xtls.trust.certificates import toPEM
from xtls.trust.files import writePrivate
from xtls.trust.issuing import selfSigned

FORWARD = "--forward=tcp:127.0.0.1:5900"


class ServiceTestCase(SynchronousTestCase):
    """
    Tests with a place of their own for the default certificate.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, SEARCH_VARIABLES[0]: str(self.directory)})
        self.addCleanup(enableStockSSL())
        # what a service that is started changes for the whole process
        for number in (signal.SIGUSR2, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        self.reactor = MemoryReactorClock()
        self.logged: list[Any] = []
        observer = cast(ILogObserver, self.logged.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def options(self, *words: str) -> Options:
        """
        The options for a command line.
        """
        options = Options()
        options.parseOptions(words)
        return options

    def refused(self, *words: str) -> str:
        """
        The sentence for which a command line is refused, before anything listens.
        """
        error = self.assertRaises(SystemExit, makeService, self.options(*words), self.reactor)
        self.assertEqual(self.reactor.tcpServers, [])
        return str(error.code)


class OptionsTests(ServiceTestCase):
    """
    L{Options}.
    """

    def test_kind(self) -> None:
        """
        It is what twistd expects.
        """
        self.assertIsInstance(Options(), usage.Options)

    def test_wrong(self) -> None:
        """
        What is not understood ends the program with one sentence and without the usage.
        """
        for words in (["--nonsense"], ["argument"], ["--bind-tcp"]):
            with contextlib.redirect_stdout(io.StringIO()) as output:
                error = self.assertRaises(SystemExit, Options().parseOptions, words)
            self.assertTrue(str(error.code).startswith("xtls: "))
            self.assertNotIn("\n", str(error.code))
            self.assertEqual(output.getvalue(), "")

    def test_help(self) -> None:
        """
        The help has headings and defaults; twistd may ask for it in its own way.
        """
        with contextlib.redirect_stdout(io.StringIO()) as output:
            error = self.assertRaises(SystemExit, Options().parseOptions, ["--help"])
        self.assertEqual(error.code, 0)
        for expected in ("Usage: twistd", "Listening:", "Timeouts:", "[default: 5]"):
            self.assertIn(expected, output.getvalue())
        self.assertEqual(str(Options()), output.getvalue())
        named = set(re.findall(r"--([a-z-]+)", output.getvalue()))
        self.assertLessEqual(named, set(serviceCommandLine().words))

    def test_version(self) -> None:
        """
        It says its version.
        """
        with contextlib.redirect_stdout(io.StringIO()) as output:
            error = self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertEqual((error.code, output.getvalue()[:5]), (0, "xtls "))

    def test_nothing(self) -> None:
        """
        Who says nothing is told of it when the service is made.
        """
        options = Options()
        options.parseOptions()
        self.assertRaises(SystemExit, makeService, options, self.reactor)


class MakeServiceTests(ServiceTestCase):
    """
    L{makeService} and L{build}.
    """

    def test_listens(self) -> None:
        """
        It listens when it is started, and not before; every socket leads to the backend and to the page.
        """
        service = makeService(self.options(FORWARD, "--bind-tcp=1", "--bind-ws=2"), self.reactor)
        self.assertEqual(self.reactor.tcpServers, [])
        service.startService()
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [1, 2])
        factory = self.reactor.tcpServers[0][1]
        assert isinstance(factory, UpgradeableFactory)
        self.assertIsInstance(factory.port.session, ForwardFactory)
        self.assertIsNotNone(factory.port.web)
        self.assertIsNone(factory.port.tls)

    def test_timeouts(self) -> None:
        """
        How long the backend, and the end of a connection, may take can be said for all sockets and for each.
        """
        words = ("--connect-timeout=2", "--close-timeout=3", "--bind-tcp=1", "--listen=xtls:tcp:3:timeout=6")
        given = self.options(FORWARD, *words, "--bind-tcp=2,connect-timeout=4,close-timeout=5").given
        sessions: list[Any] = [listener.session for listener in build(self.reactor, plan(given))]
        self.assertEqual([each.connectTimeout for each in sessions], [2.0, 4.0, 6.0])
        self.assertEqual([each.closeTimeout for each in sessions[:2]], [3.0, 5.0])

    def test_pagesOnly(self) -> None:
        """
        Without a backend there are pages only.
        """
        self.directory.mkdir()
        planned = plan(self.options(f"--www-dir={self.directory}", "--bind-tcp=1").given)
        (listener,) = build(self.reactor, planned)
        self.assertIsNone(listener.session)
        self.assertEqual(listener.protocols(), "http")

    def test_stockStrings(self) -> None:
        """
        From then on Twisted's own function understands our strings too.
        """
        makeService(self.options(FORWARD, "--bind-tcp=1"), self.reactor)
        endpoints.clientFromString(self.reactor, "ssl:h:1:ssl-check-hostname=no")

    def test_reactor(self) -> None:
        """
        By default it is for the reactor of the process.
        """
        makeService(self.options(FORWARD, "--bind-tcp=1"))

    def test_listenStrings(self) -> None:
        """
        Any endpoint string may be listened on: Twisted's become ports, ours are.
        """
        planned = plan(
            self.options(FORWARD, "--http-upgrade=no", "--listen=tcp:1", "--listen=xtls:tcp:2").given
        )
        stock, ours = build(self.reactor, planned)
        self.assertFalse(stock.endpoint.options.httpUpgrade)
        self.assertTrue(ours.endpoint.options.httpUpgrade)
        self.assertIsNotNone(ours.endpoint.site)

    def test_ownPages(self) -> None:
        """
        A string of ours keeps its own pages.
        """
        self.directory.mkdir()
        planned = plan(
            self.options(
                FORWARD, f"--listen=xtls:tcp:2:www-dir={self.directory}", "--listen=xtls:tcp:3"
            ).given
        )
        one, other = build(self.reactor, planned)
        self.assertIsNot(one.endpoint.site, other.endpoint.site)

    def test_wrong(self) -> None:
        """
        Whatever does not fit together is refused in one sentence that names the option, before anything
        listens.
        """
        for option, words in {
            "forward": ("--bind-tcp=1",),
            "bind-tcp": (FORWARD,),
            "forward ": ("--forward=nonsense:1", "--bind-tcp=1"),
            "forward  ": ("--forward=tcp:x", "--bind-tcp=1"),
            "forward   ": ("--forward=ssl:h:1:ssl-protocol=SSLv3", "--bind-tcp=1"),
            "listen": (FORWARD, "--listen=nonsense"),
            "ssl-cert": (FORWARD, "--bind-ssl=1"),
            "ssl-cert ": (FORWARD, "--bind-tcp=1", "--ssl-cert=/no/such/file"),
            "ssl-cert  ": (FORWARD, "--bind-tcp=1", "--ssl=on"),
            "ssl-ca-certs": (FORWARD, "--bind-tcp=1", "--ssl-cert=auto", "--ssl-ca-certs=/no/such/file"),
            "ssl-check-hostname": (FORWARD, "--bind-tcp=1", "--ssl-check-hostname=no"),
        }.items():
            sentence = self.refused(*words)
            self.assertTrue(sentence.startswith(f"xtls: {option.strip()} ("), sentence)
            self.assertNotIn("\n", sentence)

    def test_notPython(self) -> None:
        """
        What is missing in an endpoint string is not said in terms of Python.
        """
        for words in (("--forward=tcp", "--bind-tcp=1"), (FORWARD, "--listen=tcp:1:nothing=2")):
            sentence = self.refused(*words)
            self.assertNotIn("__init__", sentence)
            self.assertIn("arguments are missing, or unknown", sentence)

    def test_wrongKey(self) -> None:
        """
        A key that does not match is refused.
        """
        self.directory.mkdir()
        authority = Authority()
        for name in ("one.pem", "two.pem"):
            (self.directory / name).write_bytes(toPEM(authority.issue("localhost")))
        sentence = self.refused(
            FORWARD,
            "--bind-tcp=1",
            f"--ssl-cert={self.directory / 'one.pem'}",
            f"--ssl-key={self.directory / 'two.pem'}",
        )
        self.assertIn("ssl-key (command line)", sentence)

    def certificateEvents(self, *words: str) -> list[str]:
        """
        What is logged of the default certificate.
        """
        self.logged.clear()
        build(self.reactor, plan(self.options(FORWARD, "--bind-tcp=1", *words).given))
        return [f"{event['done']} {event['path']}" for event in self.logged if "done" in event]

    def test_defaultCertificate(self) -> None:
        """
        The default certificate is made when asked for, used when it is there, and it is said where that is.
        """
        path = self.directory / "ssl-cert.pem"
        self.assertEqual(self.certificateEvents(), [])
        self.assertEqual(self.certificateEvents("--ssl-cert=auto"), [f"made {path}"])
        self.assertEqual(self.certificateEvents("--ssl-cert=auto"), [f"uses {path}"])
        self.assertEqual(self.certificateEvents(), [f"uses {path}"])
        self.assertEqual(self.certificateEvents(f"--ssl-cert={path}"), [])

    def test_backendName(self) -> None:
        """
        Logs call the backend by its address, without the options, which may be secrets.
        """
        for text, expected in (
            ("ssl:h:1:ssl-key-password=hunter2", "ssl:h:1"),
            ("ssl://me:hunter2@h:1/?ssl-check-hostname=no", "ssl://me@h:1/"),
        ):
            planned = plan(self.options(f"--forward={text}", "--bind-tcp=1").given)
            (listener,) = build(self.reactor, planned)
            session: Any = listener.session
            self.assertEqual(session.name, expected)

    def test_secretsInErrors(self) -> None:
        """
        An endpoint string that cannot be understood is not repeated.
        """
        error = self.assertRaises(
            OptionError,
            build,
            self.reactor,
            plan(self.options("--forward=nonsense:ssl-key-password=hunter2", "--bind-tcp=1").given),
        )
        self.assertNotIn("hunter2", str(error))


class ReactorTests(ServiceTestCase):
    """
    L{chooseReactor}, and what happens on a reactor when everything listens.
    """

    def test_ours(self) -> None:
        """
        The reactor is ours, unless there is one already.
        """
        chooseReactor(["twisted.internet.reactor"])
        self.assertRaises(ReactorAlreadyInstalledError, chooseReactor, [])

    def test_noEpoll(self) -> None:
        """
        Where ours cannot be, Twisted chooses.
        """

        def fail() -> Any:
            raise ImportError

        chooseReactor([], fail)

    def started(self, reactor: Any, *words: str) -> None:
        """
        Start a service.
        """
        service = makeService(self.options(FORWARD, "--bind-tcp=1", *words), reactor)
        self.assertEqual(gc.get_freeze_count(), 0)
        service.startService()
        self.assertGreater(gc.get_freeze_count(), 0)

    def test_alone(self) -> None:
        """
        One process tells its status when asked, and has certificates read again.
        """
        numbers = (signal.SIGUSR2, signal.SIGHUP)
        before = [*map(signal.getsignal, numbers)]
        self.started(self.reactor)
        for number, handler in zip(numbers, before, strict=True):
            self.assertNotEqual(signal.getsignal(number), handler)

    def test_renewed(self) -> None:
        """
        The default certificate is renewed when it is time, before it is shown; and when that is not possible,
        this is said.
        """
        path = self.directory / "ssl-cert.pem"
        writePrivate(path, toPEM(selfSigned(["localhost"], days=20)))
        makeService(self.options(FORWARD, "--bind=/x"), self.reactor)
        made = makeService(self.options(FORWARD, "--bind-tcp=1"), self.reactor)
        (creator,) = [creator for _, creator in creatorsOf(made.listeners)]
        left = creator.certificates[0].not_valid_after_utc - datetime.now(timezone.utc)
        self.assertGreater(left.days, 363)
        makeService(self.options(FORWARD, "--bind-tcp=1"), self.reactor)
        lines = [*map(formatEvent, self.logged)]
        self.assertEqual(
            [line for line in lines if "has renewed" in line],
            [f"xtls has renewed the default certificate, {path}, with the same key"],
        )

    def test_notRenewed(self) -> None:
        """
        When it cannot be renewed, it is used as it is, and this is said.
        """
        writePrivate(self.directory / "ssl-cert.pem", toPEM(selfSigned(["localhost"], days=20)))

        def fail(now: datetime) -> None:
            raise CertificateFileError("/x", "cannot be written: Read-only file system")

        self.patch(service, "renewDefault", fail)
        makeService(self.options(FORWARD, "--bind-tcp=1"), self.reactor)
        self.assertIn(
            "the default certificate is not renewed: /x: cannot be written: Read-only file system",
            [formatEvent(event) for event in self.logged],
        )

    def test_creators(self) -> None:
        """
        What is read again is what each socket shows, and what the backend is verified with, once.
        """
        words = ("--bind-tcp=1", "--bind-wss=2", "--bind=/x", "--ssl-cert=auto")
        for forward in ("ssl:h:1", "wss://h:1/"):
            listeners = build(self.reactor, plan(self.options(f"--forward={forward}", *words).given))
            names = [name for name, _ in creatorsOf(listeners)]
            self.assertEqual(names, ["bind-tcp=1", "forward", "bind-wss=2"])
        self.assertEqual(creatorsOf(build(self.reactor, plan(self.options(FORWARD, "--bind=/x").given))), [])

    def test_workers(self) -> None:
        """
        With more, the reactor is run by who looks after them.
        """

        class Forking(MemoryReactorClock):
            within: Any = None

            def forked(self) -> None:
                """
                This is a child.
                """

            def runWithin(self, main: Any) -> None:
                """
                What is run in place of the loop.
                """
                self.within = main

        reactor = Forking()
        self.started(reactor, "--workers=2")
        self.assertIsInstance(reactor.within, Workers)

    def test_noWorkers(self) -> None:
        """
        Where there can be no workers, one sentence says why, and nothing listens.
        """
        problem = self.refused(FORWARD, "--bind-tcp=1", "--workers=2")
        self.assertTrue(problem.startswith("xtls: workers (command line): workers need the reactor of xtls"))
        self.addCleanup(setattr, os, "fork", os.fork)
        del os.fork
        problem = self.refused(FORWARD, "--bind-tcp=1", "--workers=2")
        self.assertTrue(problem.startswith("xtls: workers (command line): this system cannot fork"))
        makeService(self.options(FORWARD, "--bind-tcp=1", "--workers=1"), self.reactor)

    def test_gaveUp(self) -> None:
        """
        When workers do not stay alive, one sentence says so, and the status is 1.
        """
        registered: list[Any] = []
        error = io.StringIO()
        self.patch(sys, "__stderr__", error)
        self.patch(atexit, "register", lambda *what: registered.append(what))
        _endBadly("no luck")
        self.assertEqual((error.getvalue(), registered), ("xtls: no luck\n", [(os._exit, 1)]))


class TakenTests(ServiceTestCase):
    """
    A port that is taken.
    """

    def setUp(self) -> None:
        super().setUp()

        class Taken(MemoryReactorClock):
            def listenTCP(self, port: int, *arguments: Any, **keywords: Any) -> Any:
                raise CannotListenError("127.0.0.1", port, OSError("taken"))

        self.error = io.StringIO()
        self.patch(sys, "__stderr__", self.error)
        self.shown: list[Any] = []
        self.patch(sys, "excepthook", lambda *details: self.shown.append(details))
        service = makeService(self.options(FORWARD, "--bind-tcp=1"), Taken())
        self.failure = self.assertRaises(ListeningError, service.privilegedStartService)

    def test_plainly(self) -> None:
        """
        The error that ends the program is shown as one sentence, and not as a traceback.
        """
        sys.excepthook(ListeningError, self.failure, None)
        self.assertTrue(self.error.getvalue().startswith("xtls: bind-tcp=1 (command line): cannot listen"))
        self.assertEqual((self.error.getvalue().count("\n"), self.shown), (1, []))

    def test_others(self) -> None:
        """
        Other errors are shown as ever.
        """
        other = ValueError()
        sys.excepthook(ValueError, other, None)
        self.assertEqual((self.error.getvalue(), self.shown), ("", [(ValueError, other, None)]))
