"""
C{twistd xtls --workers}: processes that are killed, replaced and stopped; and the reactor they run on.
"""

from __future__ import annotations

import collections
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.programs import DEADLINE, Peer, Port, Program, echo, readAll, readExactly, run
from xtls.trust.certificates import toPEM
from xtls.trust.files import writePrivate
from xtls.trust.issuing import selfSigned

BIND = "--bind-tcp=127.0.0.1:0"
PAGES = "--www-dir=."

#: Gives its standard input, a socket that listens, to a program as systemd does.
ACTIVATE = """
import os, sys
os.dup2(0, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="port")
os.execvp(sys.argv[1], sys.argv[1:])
"""


def alive(pid: int) -> bool:
    """
    Whether a process runs.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually(fulfilled: Callable[[], bool]) -> bool:
    """
    Wait for something.

    @return: whether it has come true.
    """
    end = time.monotonic() + DEADLINE
    while not fulfilled():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class WorkersCase(SynchronousTestCase):
    """
    Two workers in front of an echo, with a certificate.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate = self.folder / "cert.pem"
        writePrivate(self.certificate, toPEM(selfSigned(["localhost", "127.0.0.1"])))
        backend = Peer(self, echo)
        self.options = (
            "--workers=2",
            f"--forward=tcp:127.0.0.1:{backend.port}",
            f"--ssl-cert={self.certificate}",
        )

    def start(self, *options: str) -> tuple[Port, list[int]]:
        """
        Start a port.

        @return: it, and the processes of its workers.
        """
        port = Port(self, self.folder, *self.options, *(options or (BIND,)))
        found = port.waitFor(r"xtls serves with 2 workers: (\d+), (\d+)$")
        return port, [int(found[1]), int(found[2])]

    def connect(self, number: int) -> socket.socket:
        """
        A plain connection, through which something has gone.
        """
        connection = socket.create_connection(("127.0.0.1", number), DEADLINE)
        self.addCleanup(connection.close)
        self.assertTrue(self.works(connection))
        return connection

    def works(self, connection: socket.socket) -> bool:
        """
        Whether something comes back.
        """
        connection.sendall(b"\x00hello")
        return readExactly(connection, 6) == b"\x00hello"

    def servedBy(self, port: Program, connection: socket.socket) -> int:
        """
        The number of the worker that has a connection.
        """
        host, number = connection.getsockname()
        return int(port.waitFor(rf"\[worker (\d+)\] {re.escape(host)}:{number}: ")[1])


class SharingTests(WorkersCase):
    """
    Who serves what.
    """

    def test_spread(self) -> None:
        """
        Connections that stay are spread over all, whether they come one by one or at once.
        """
        port, _ = self.start()
        number = port.number()
        found = collections.Counter(self.servedBy(port, self.connect(number)) for _ in range(10))
        self.assertGreaterEqual(min(found[1], found[2]), 3, found)
        sockets = [socket.create_connection(("127.0.0.1", number), DEADLINE) for _ in range(20)]
        for each in sockets:
            self.addCleanup(each.close)
            self.assertTrue(self.works(each))
        # one that finds no core that is free may come late, and is not waited for
        self.assertEqual({self.servedBy(port, each) for each in sockets}, {1, 2})

    def test_counted(self) -> None:
        """
        Raw, inside TLS, and pages: each connection is counted until it ends, and one line says it for all.
        """
        port, _ = self.start(BIND, PAGES)
        number = port.number()
        context = ssl.create_default_context(cafile=self.certificate)
        for secure in (False, True):
            for question in (b"\x00hello", b"GET /cert.pem HTTP/1.0\r\n\r\n"):
                with socket.create_connection(("127.0.0.1", number), DEADLINE) as plain:
                    client = context.wrap_socket(plain, server_hostname="localhost") if secure else plain
                    client.sendall(question)
                    self.assertTrue(client.recv(1))
                    if secure:
                        client.close()
        kept = self.connect(number)

        def counted() -> bool:
            os.kill(port.process.pid, signal.SIGUSR2)
            return "connections: 1 now, 5 in all; worker 1 (" in port.log

        self.assertTrue(eventually(counted), port.log)
        self.assertTrue(self.works(kept))

    def test_resumed(self) -> None:
        """
        A TLS session that one worker has begun, the other resumes.
        """
        port, _ = self.start()
        number = port.number()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.certificate)
            context.minimum_version = context.maximum_version = version
            session: ssl.SSLSession | None = None
            found: set[tuple[int, bool]] = set()
            for _ in range(8):
                with socket.create_connection(("127.0.0.1", number), DEADLINE) as plain:
                    secure = context.wrap_socket(plain, server_hostname="localhost", session=session)
                    self.assertTrue(self.works(secure))
                    found.add((self.servedBy(port, secure), bool(secure.session_reused)))
                    if session is None:
                        session = secure.session
                        found.clear()
            self.assertEqual(found, {(1, True), (2, True)}, version)

    def test_sockets(self) -> None:
        """
        Unix sockets, and sockets that others have bound, are shared too; the file is removed at the end.
        """
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        words = ["-n", "--pidfile=", "xtls", *self.options, "--bind=x.sock"]
        port = Program(
            self,
            [sys.executable, "-c", ACTIVATE, "twistd", *words, "--listen=systemd:domain=INET:index=0"],
            self.folder,
            stdin=listening,
        )
        port.waitFor(r"xtls serves with 2 workers: (\d+), (\d+)$")
        number = listening.getsockname()[1]
        found = {self.servedBy(port, self.connect(number)) for _ in range(4)}
        self.assertEqual(found, {1, 2})
        kept = []
        for _ in range(4):
            connection = socket.socket(socket.AF_UNIX)
            self.addCleanup(connection.close)
            connection.settimeout(DEADLINE)
            connection.connect(str(self.folder / "x.sock"))
            self.assertTrue(self.works(connection))
            kept.append(connection)
        self.assertEqual(set(re.findall(r"\[worker (\d)\] unix: ", port.log)), {"1", "2"})
        worker = int(port.waitFor(r"workers: (\d+)")[1])
        os.kill(worker, signal.SIGKILL)
        port.waitFor("worker 1 is process")
        self.assertTrue((self.folder / "x.sock").exists())
        os.kill(port.process.pid, signal.SIGTERM)
        port.wait()
        self.assertFalse((self.folder / "x.sock").exists())


class EndingTests(WorkersCase):
    """
    Processes that end.
    """

    def test_killed(self) -> None:
        """
        When a worker is killed its own connections are lost, and no others; another takes its place.
        """
        port, pids = self.start()
        number = port.number()
        connections = [self.connect(number) for _ in range(6)]
        served = [self.servedBy(port, each) for each in connections]
        os.kill(pids[0], signal.SIGKILL)
        beginning = rf"worker 1 \({pids[0]}\) ended: signal 9 \(SIGKILL\)"
        port.waitFor(rf"{beginning}; connections that it had: {served.count(1)}; ")
        for worker, connection in zip(served, connections, strict=True):
            if worker == 1:
                self.assertEqual(readAll(connection), b"")
            else:
                self.assertTrue(self.works(connection))
        self.assertEqual(self.servedBy(port, self.connect(number)), 2)
        port.waitFor(r"worker 1 is process \d+ now")
        found = {self.servedBy(port, self.connect(number)) for _ in range(6)}
        self.assertEqual(found, {1, 2})

    def test_stopped(self) -> None:
        """
        Asked to end, all end, and the parent as one process would: by the signal, and without its pid file.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            port = Program(
                self, ["twistd", "-n", "--pidfile=xtls.pid", "xtls", *self.options, BIND], self.folder
            )
            found = port.waitFor(r"xtls serves with 2 workers: (\d+), (\d+)$")
            self.assertEqual(int((self.folder / "xtls.pid").read_text("ascii")), port.process.pid)
            # as a terminal does: to all of them
            os.killpg(port.process.pid, number)
            self.assertEqual(port.wait(), -number)
            for pid in (int(found[1]), int(found[2])):
                self.assertRaises(ProcessLookupError, os.kill, pid, 0)
            self.assertFalse((self.folder / "xtls.pid").exists())
            self.assertNotIn("Traceback", port.log)
            self.assertNotIn("#error]", port.log)

    def test_orphaned(self) -> None:
        """
        When the parent is killed, its workers end.
        """
        port, pids = self.start()
        self.connect(port.number())
        os.kill(port.process.pid, signal.SIGKILL)
        port.wait()
        self.assertTrue(eventually(lambda: not any(map(alive, pids))))

    def test_replaced(self) -> None:
        """
        On C{SIGHUP} new workers take over; connections that there are go on with the old ones, which end with
        them.
        """
        port, pids = self.start()
        number = port.number()
        connections = [self.connect(number) for _ in range(4)]
        os.kill(port.process.pid, signal.SIGHUP)
        for worker in (1, 2):
            port.waitFor(rf"worker {worker} is process \d+ now")
            port.waitFor(rf"\[worker {worker}\] leaving when 2 connections have ended")
        for each in connections:
            self.assertTrue(self.works(each))
        new = [self.connect(number) for _ in range(4)]
        self.assertEqual({self.servedBy(port, each) for each in new}, {1, 2})
        for each in connections:
            each.close()
        for pid in pids:
            port.waitFor(rf"\({pid}\) ended: status 0; connections that it had: 0$")
        for each in new:
            self.assertTrue(self.works(each))

    def test_busy(self) -> None:
        """
        A worker that does nothing any more does not keep new connections from the other.
        """
        port, pids = self.start()
        number = port.number()
        os.kill(pids[0], signal.SIGSTOP)
        self.addCleanup(os.kill, pids[0], signal.SIGCONT)
        begun = time.monotonic()
        found = {self.servedBy(port, self.connect(number)) for _ in range(10)}
        self.assertEqual(found, {2})
        self.assertLess(time.monotonic() - begun, DEADLINE / 3)
        os.kill(pids[0], signal.SIGCONT)


class DaemonTests(WorkersCase):
    """
    In the background.
    """

    def test_daemon(self) -> None:
        """
        There is one pid file, and one log, with whole lines from all; it is rotated in one place.
        """
        log = self.folder / "xtls.log"
        words = ["--pidfile=xtls.pid", "--logfile=xtls.log", "xtls", *self.options, BIND]
        done = run(["twistd", *words], self.folder)
        self.assertEqual((done.status, done.text), (0, ""))
        parent = int((self.folder / "xtls.pid").read_text("ascii"))
        try:
            self.assertTrue(eventually(lambda: "workers: " in log.read_text("utf-8")))
            text = log.read_text("utf-8")
            number = int(text.partition("xtls listening: tcp 127.0.0.1:")[2].partition(" ")[0])
            pids = [*map(int, re.findall(r"\d+", text.rpartition("workers: ")[2].partition("\n")[0]))]
            for _ in range(100):
                self.connect(number).close()
            os.kill(parent, signal.SIGUSR1)
            self.assertTrue(eventually((self.folder / "xtls.log.1").exists))
            self.connect(number).close()
            self.assertTrue(eventually(lambda: "[worker " in log.read_text("utf-8")))
        finally:
            os.kill(parent, signal.SIGTERM)
        self.assertTrue(eventually(lambda: not (self.folder / "xtls.pid").exists()))
        self.assertFalse(any(map(alive, pids)))
        lines = [
            *(self.folder / "xtls.log.1").read_text("utf-8").splitlines(),
            *log.read_text("utf-8").splitlines(),
        ]
        beginning = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}\+\d{4} \[")
        self.assertEqual([each for each in lines if not beginning.match(each)], [])
        served = [each for each in lines if re.search(r"\[worker \d\] 127\.0\.0\.1:\d+: tcp>session$", each)]
        self.assertEqual(len(served), 101, lines[:20])


class ReactorTests(WorkersCase):
    """
    The reactor.
    """

    def reactor(self, *words: str) -> Program:
        """
        Start one process.
        """
        options = [each for each in self.options if "workers" not in each]
        return Program(self, ["twistd", "-n", "--pidfile=", *words, "xtls", *options, BIND], self.folder)

    def test_ours(self) -> None:
        """
        It is ours, unless the user asks for another; either serves.
        """
        for words, expected in (
            ([], "xtls.wire.reactor.Reactor"),
            (["--reactor=xtls"], "xtls.wire.reactor.Reactor"),
            (["--reactor=select"], "twisted.internet.selectreactor.SelectReactor"),
        ):
            program = self.reactor(*words)
            program.waitFor(rf"reactor class: {re.escape(expected)}\.$")
            self.connect(int(program.waitFor(r"listening: tcp 127\.0\.0\.1:(\d+) ")[1]))
            program.stop()

    def test_alone(self) -> None:
        """
        One process has no workers, and tells its status too.
        """
        program = self.reactor()
        connection = self.connect(int(program.waitFor(r"listening: tcp 127\.0\.0\.1:(\d+) ")[1]))
        self.assertNotIn("worker", program.log)
        os.kill(program.process.pid, signal.SIGUSR2)
        program.waitFor(r"xtls: up \d+ s, connections: 1 now, 1 in all$")
        self.assertTrue(self.works(connection))

    def test_another(self) -> None:
        """
        Workers cannot be had on another reactor: one sentence says so.
        """
        words = ["-n", "--pidfile=", "--reactor=poll", "xtls", *self.options, BIND]
        done = run(["twistd", *words], self.folder)
        self.assertEqual((done.status, done.text.count("\n")), (1, 1), done.text)
        beginning = "xtls: workers (command line): workers need the reactor of xtls"
        self.assertTrue(done.text.startswith(beginning), done.text)
