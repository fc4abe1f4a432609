"""
Certificates that are replaced under a load of connections, in every way in which people and programs do it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from tests.real.test_workers import alive, eventually
from tests.support.programs import DEADLINE, Peer, Port, Program, echo, readExactly
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, toPEM
from xtls.trust.files import writePrivate

AUTHORITY = Authority()

BIND = "--bind-tcp=127.0.0.1:0"

#: Makes its standard input the terminal of the process, and then is another program.
FOREGROUND = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

#: How many clients connect at a time, each as often as it can.
CLIENTS = 3


def issued() -> KeyPair:
    """
    A new certificate with a new key.
    """
    return AUTHORITY.issue("localhost", "127.0.0.1")


def parts(pair: KeyPair) -> dict[str, bytes]:
    """
    A certificate and its key, as files.
    """
    both = toPEM(pair)
    end = both.index(b"-----BEGIN PRIVATE KEY-----")
    return {"cert.pem": both[:end], "key.pem": both[end:]}


class Way:
    """
    A way of replacing files.

    @ivar folder: where those are that the port is told of.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0

    def put(self, files: dict[str, bytes]) -> None:
        """
        Replace the files.
        """
        self._number += 1
        self._put(files, self._number)

    def _put(self, files: dict[str, bytes], number: int) -> None:
        """
        Replace them for the so manieth time.
        """
        raise NotImplementedError


class Certbot(Way):
    """
    A link for each file, from C{live} into C{archive}.
    """

    def _put(self, files: dict[str, bytes], number: int) -> None:
        archive = self.folder.parent / "archive"
        archive.mkdir(exist_ok=True)
        for name, data in files.items():
            (archive / f"{number}-{name}").write_bytes(data)
        for name in files:
            link = self.folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(f"../archive/{number}-{name}")


class Kubernetes(Way):
    """
    One link to a folder, behind all others.
    """

    def _put(self, files: dict[str, bytes], number: int) -> None:
        inner = self.folder / f"..{number}"
        inner.mkdir()
        for name, data in files.items():
            (inner / name).write_bytes(data)
        (self.folder / "..data_tmp").symlink_to(inner.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")


class Editor(Way):
    """
    A new file in the place of each.
    """

    def _put(self, files: dict[str, bytes], number: int) -> None:
        for name, data in files.items():
            (self.folder / f"{name}~").write_bytes(data)
            os.replace(self.folder / f"{name}~", self.folder / name)


class Copy(Way):
    """
    C{cp}, over what is there, one file after the other.
    """

    def _put(self, files: dict[str, bytes], number: int) -> None:
        for name, data in files.items():
            with (self.folder / name).open("wb") as opened:
                opened.write(data[:100])
                opened.flush()
                time.sleep(0.01)
                opened.write(data[100:])
            time.sleep(0.05)


WAYS = (Certbot, Kubernetes, Editor, Copy)


@dataclass
class Load:
    """
    Clients that connect, verify, say something, hear it back and go, again and again.

    @ivar port: where.
    @ivar seen: of each connection when it began, when it was through, and the serial number that it saw.
    @ivar failed: what has gone wrong.
    """

    port: int
    seen: list[tuple[float, float, int]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        self._context = ssl.create_default_context(cadata=AUTHORITY.pem.decode("ascii"))
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for each in self._threads:
            each.start()

    def connect(self) -> ssl.SSLSocket:
        """
        A connection, verified.
        """
        plain = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        return self._context.wrap_socket(plain, server_hostname="localhost")

    def serial(self) -> int:
        """
        The serial number that somebody sees now.
        """
        with self.connect() as secure:
            return serialOf(secure)

    def stop(self) -> None:
        """
        Let it be enough.
        """
        self.over = True
        for each in self._threads:
            each.join(DEADLINE)

    def _run(self) -> None:
        """
        One client.
        """
        while not self.over:
            begun = time.monotonic()
            try:
                with self.connect() as secure:
                    number = serialOf(secure)
                    through = time.monotonic()
                    secure.sendall(b"\x00hello")
                    if readExactly(secure, 6) != b"\x00hello":
                        raise ConnectionError("nothing came back")
            except OSError as e:
                self.failed.append(f"{type(e).__name__}: {e}")
            else:
                self.seen.append((begun, through, number))


def serialOf(connection: ssl.SSLSocket) -> int:
    """
    The serial number of the certificate of a server.
    """
    data = connection.getpeercert(binary_form=True)
    assert data is not None
    return x509.load_der_x509_certificate(data).serial_number


class ReloadCase(SynchronousTestCase):
    """
    A port in front of an echo, with a certificate and a key that are replaced.
    """

    def setUp(self) -> None:
        self.backend = Peer(self, echo)
        self.top = Path(self.mktemp()).absolute()
        self.folder = self.top / "live"
        self.folder.mkdir(parents=True)
        #: Of each certificate: its serial number, since when it was there, and since when it alone is shown.
        self.history: list[tuple[int, float, float]] = []

    def start(self, *options: str, interval: str = "500ms") -> Port:
        """
        Start the port.
        """
        port = Port(self, self.top, BIND, *self.options(), f"--reload-interval={interval}", *options)
        if options:
            port.waitFor("xtls serves with 2 workers")
        return port

    def options(self) -> tuple[str, ...]:
        """
        Where it leads, and what it shows.
        """
        return (
            f"--forward=tcp:127.0.0.1:{self.backend.port}",
            f"--ssl-cert={self.folder / 'cert.pem'}",
            f"--ssl-key={self.folder / 'key.pem'}",
        )

    def load(self, port: Port) -> Load:
        """
        Begin to connect.
        """
        load = Load(port.number())
        self.addCleanup(load.stop)
        self.assertTrue(eventually(lambda: len(load.seen) > CLIENTS), load.failed)
        return load

    def follow(
        self, load: Load, port: Port, put: Callable[[dict[str, bytes]], None], *, workers: bool
    ) -> None:
        """
        Replace the certificate, and wait until everybody is shown the new one.
        """
        pair = issued()
        serial, begun = pair.certificate.serial_number, time.monotonic()
        again, leaving = "has read its certificates again", "leaving when "
        lines, left = port.log.count(again), port.log.count(leaving)
        put(parts(pair))
        self.assertTrue(eventually(lambda: port.log.count(again) > lines), port.log)
        if workers:
            self.assertTrue(eventually(lambda: port.log.count(leaving) >= left + 2), port.log)
        self.assertEqual(load.serial(), serial)
        self.history.append((serial, begun, time.monotonic()))

    def settled(self, load: Load, serial: int) -> bool:
        """
        Whether everybody is shown a certificate.
        """
        return all(load.serial() == serial for _ in range(5))

    def check(self, load: Load, port: Port) -> None:
        """
        Nothing has failed, and everybody has seen a certificate that was good at that time.
        """
        load.stop()
        self.assertEqual(load.failed, [], port.log)
        self.assertGreater(len(load.seen), 10 * len(self.history))
        for begun, through, serial in load.seen:
            good = [
                number
                for index, (number, since, _) in enumerate(self.history)
                if since <= through and not any(alone <= begun for _, _, alone in self.history[index + 1 :])
            ]
            self.assertIn(serial, good)
        self.assertEqual({serial for _, _, serial in load.seen}, {number for number, _, _ in self.history})


class WaysTests(ReloadCase):
    """
    Each way of replacing files.
    """

    def begin(self, way: Way, *options: str) -> tuple[Port, Load, ssl.SSLSocket]:
        """
        Begin, with somebody who stays.
        """
        first = issued()
        begun = time.monotonic()
        way.put(parts(first))
        port = self.start(*options)
        load = self.load(port)
        self.history.append((first.certificate.serial_number, begun, time.monotonic()))
        stays = load.connect()
        self.addCleanup(stays.close)
        return port, load, stays

    def one(self, kind: type[Way], *options: str) -> None:
        """
        Replace the certificate a few times, once by one whose key is still that of the old one.
        """
        way = kind(self.folder)
        port, load, stays = self.begin(way, *options)
        workers = bool(options)
        for _ in range(2):
            self.follow(load, port, way.put, workers=workers)
        wrong = {"cert.pem": parts(issued())["cert.pem"], "key.pem": parts(issued())["key.pem"]}
        kept = "keeps what it has"
        before = port.log.count(kept)
        way.put(wrong)
        self.assertTrue(eventually(lambda: port.log.count(kept) > before), port.log)
        time.sleep(2)
        self.assertEqual(load.serial(), self.history[-1][0])
        self.assertEqual(port.log.count(kept), before + 1)
        port.waitFor(f"{kept}: ssl-key .*: the private key does not belong to the certificate in")
        self.follow(load, port, way.put, workers=workers)
        port.waitFor("what was wrong is mended")
        self.check(load, port)
        stays.sendall(b"\x00still")
        self.assertEqual(readExactly(stays, 6), b"\x00still")
        self.assertNotIn("Traceback", port.log)

    def test_certbot(self) -> None:
        """
        Links that lead elsewhere, one after the other.
        """
        self.one(Certbot)

    def test_kubernetes(self) -> None:
        """
        A link to a folder.
        """
        self.one(Kubernetes)

    def test_editor(self) -> None:
        """
        Renamed files.
        """
        self.one(Editor)

    def test_copy(self) -> None:
        """
        Files that are written over, and for a moment are half of what they will be.
        """
        self.one(Copy)

    def test_certbotWithWorkers(self) -> None:
        """
        Links, with workers, each of which has the new certificate in the end; sessions stay common to all.
        """
        self.one(Certbot, "--workers=2")

    def test_kubernetesWithWorkers(self) -> None:
        """
        A folder, with workers.
        """
        self.one(Kubernetes, "--workers=2")

    def test_editorWithWorkers(self) -> None:
        """
        Renamed files, with workers.
        """
        self.one(Editor, "--workers=2")

    def test_copyWithWorkers(self) -> None:
        """
        Files that are written over, with workers.
        """
        self.one(Copy, "--workers=2")


class SignalTests(ReloadCase):
    """
    C{SIGHUP}.
    """

    def hup(self, port: Port) -> Callable[[dict[str, bytes]], None]:
        """
        Replace the files, and say so.
        """

        def put(files: dict[str, bytes]) -> None:
            Editor(self.folder).put(files)
            os.kill(port.process.pid, signal.SIGHUP)

        return put

    def prepare(self, *options: str) -> Port:
        """
        Start a port that looks at nothing unless told to.
        """
        first = issued()
        Editor(self.folder).put(parts(first))
        self.history.append((first.certificate.serial_number, time.monotonic(), time.monotonic()))
        return self.start(*options, interval="0")

    def test_alone(self) -> None:
        """
        Without workers it ends nothing: what is new is read, and everything else goes on.
        """
        port = self.prepare()
        load = self.load(port)
        for _ in range(3):
            self.follow(load, port, self.hup(port), workers=False)
            time.sleep(1)  # who asks more often is answered once a second
        self.check(load, port)

    def test_workers(self) -> None:
        """
        With workers, the parent reads what is new, and they are replaced; not by anybody when it is wrong.
        """
        port = self.prepare("--workers=2")
        load = self.load(port)
        for _ in range(3):
            self.follow(load, port, self.hup(port), workers=True)
            time.sleep(1)
        replaced = port.log.count(" now\n")
        (self.folder / "key.pem").write_bytes(parts(issued())["key.pem"])
        os.kill(port.process.pid, signal.SIGHUP)
        port.waitFor("keeps what it has")
        time.sleep(0.5)
        self.assertEqual(port.log.count(" now\n"), replaced)
        self.check(load, port)

    def test_sessions(self) -> None:
        """
        After that, what one worker has begun the others still resume.
        """
        port = self.prepare("--workers=2")
        load = self.load(port)
        self.follow(load, port, self.hup(port), workers=True)
        load.stop()
        context = ssl.create_default_context(cadata=AUTHORITY.pem.decode("ascii"))
        session: ssl.SSLSession | None = None
        resumed = []
        for _ in range(9):
            with socket.create_connection(("127.0.0.1", port.number()), DEADLINE) as plain:
                secure = context.wrap_socket(plain, server_hostname="localhost", session=session)
                secure.sendall(b"\x00hello")
                self.assertEqual(readExactly(secure, 6), b"\x00hello")
                resumed.append(bool(secure.session_reused))
                session = session or secure.session
        self.assertEqual(resumed, [False] + [True] * 8)

    def test_storm(self) -> None:
        """
        Who asks all the time, while connections stay, neither ends any of them nor has more and more
        processes made; and the new certificate gets out all the same.
        """
        port = self.prepare("--workers=2")
        load = self.load(port)
        stay = []
        end = time.monotonic() + 12
        while time.monotonic() < end:
            connection = load.connect()
            self.addCleanup(connection.close)
            stay.append(connection)
            os.kill(port.process.pid, signal.SIGHUP)
            time.sleep(0.05)
        port.waitFor("too many workers still wait for their connections to end")
        pids = {int(pid) for pid in re.findall(r"is process (\d+) now", port.log)}
        self.assertLessEqual(len([*filter(alive, pids)]), 16)
        new = issued()
        time.sleep(1.1)
        self.hup(port)(parts(new))
        self.assertTrue(eventually(lambda: self.settled(load, new.certificate.serial_number)), port.log)
        for each in stay:
            each.sendall(b"\x00still")
            self.assertEqual(readExactly(each, 6), b"\x00still")
        load.stop()
        self.assertEqual(load.failed, [])
        # and when they are gone, there is room again
        for each in stay:
            each.close()
        self.assertTrue(eventually(lambda: sum(map(alive, pids)) <= 2), port.log)


class ContentsTests(ReloadCase):
    """
    Everything that is read again, and not certificates of the port alone.
    """

    def save(self, name: str, data: bytes) -> Path:
        """
        Put a file into the place of another.
        """
        path = self.folder / name
        path.with_suffix(".new").write_bytes(data)
        os.replace(path.with_suffix(".new"), path)
        return path

    def secure(self, port: int, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        """
        A connection, verified.
        """
        plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def welcome(self, port: int, context: ssl.SSLContext, name: str = "localhost") -> str:
        """
        Whether a client is let in: empty, or what it is told.
        """
        try:
            with self.secure(port, context, name) as secure:
                secure.sendall(b"\x00hello")
                return "" if readExactly(secure, 6) == b"\x00hello" else "closed"
        except OSError as e:
            return str(e)

    def client(self, pair: KeyPair) -> ssl.SSLContext:
        """
        A client with a certificate.
        """
        context = ssl.create_default_context(cadata=AUTHORITY.pem.decode("ascii"))
        context.load_cert_chain(self.save(f"{pair.certificate.serial_number}.pem", toPEM(pair)))
        return context

    def test_clients(self) -> None:
        """
        A client that is revoked, by a list in a folder, is let in no more; and with other rules another one
        is.  Who is in stays.
        """
        Editor(self.folder).put(parts(issued()))
        alice, bob = (AUTHORITY.issue(commonName=name, clientAuth=True) for name in ("alice", "bob"))
        (self.folder / "lists").mkdir()
        empty = AUTHORITY.revocations().public_bytes(Encoding.PEM)
        self.save("lists/ca.crl", empty)
        rules = self.save("rules", b"CN=alice\n")
        authority = self.save("ca.pem", AUTHORITY.pem)
        port = Port(
            self,
            self.top,
            f"{BIND},ssl-ca-certs={authority},ssl-crl={self.folder / 'lists'},ssl-allow=(file:{rules})",
            *self.options(),
            "--reload-interval=200ms",
        )
        number = port.number("ssl|tcp")
        contexts = [self.client(alice), self.client(bob)]
        self.assertEqual(self.welcome(number, contexts[0]), "")
        self.assertNotEqual(self.welcome(number, contexts[1]), "")
        stays = self.secure(number, contexts[0], "localhost")
        self.addCleanup(stays.close)
        stays.sendall(b"\x00hello")
        self.assertEqual(readExactly(stays, 6), b"\x00hello")
        self.save("rules", b"CN=alice\nCN=bob\n")
        self.assertTrue(eventually(lambda: self.welcome(number, contexts[1]) == ""), port.log)
        revoked = AUTHORITY.revocations(alice.certificate).public_bytes(Encoding.PEM)
        self.save("lists/ca.crl", revoked)
        self.assertTrue(eventually(lambda: self.welcome(number, contexts[0]) != ""), port.log)
        self.assertEqual(self.welcome(number, contexts[1]), "")
        stays.sendall(b"\x00still")
        self.assertEqual(readExactly(stays, 6), b"\x00still")

    def test_names(self) -> None:
        """
        The certificate of one name that clients ask for is replaced, and that of all others is not.
        """
        Editor(self.folder).put(parts(issued()))
        self.save("a.pem", toPEM(AUTHORITY.issue("a.example")))
        name = f"--ssl-sni=a.example,ssl-cert={self.folder / 'a.pem'}"
        port = Port(self, self.top, BIND, *self.options(), name, "--reload-interval=200ms")
        number = port.number()
        context = ssl.create_default_context(cadata=AUTHORITY.pem.decode("ascii"))

        def serial(name: str) -> int:
            with self.secure(number, context, name) as secure:
                return serialOf(secure)

        before = serial("localhost")
        new = AUTHORITY.issue("a.example")
        self.save("a.pem", toPEM(new))
        self.assertTrue(eventually(lambda: serial("a.example") == new.certificate.serial_number), port.log)
        self.assertEqual(serial("localhost"), before)

    def test_backend(self) -> None:
        """
        Whom a backend over TLS has to be certified by is read again, too.
        """
        other = Authority("another")
        self.save("backend.pem", toPEM(other.issue("localhost", "127.0.0.1")))
        backend = Port(
            self,
            self.top,
            BIND,
            f"--forward=tcp:127.0.0.1:{self.backend.port}",
            f"--ssl-cert={self.folder / 'backend.pem'}",
        )
        Editor(self.folder).put(parts(issued()))
        believed = self.save("believed.pem", AUTHORITY.pem)
        forward = f"--forward=ssl:127.0.0.1:{backend.number()}:ssl-ca-certs={believed}"
        _, *files = self.options()
        port = Port(self, self.top, BIND, forward, *files, "--reload-interval=200ms")
        number = port.number()
        context = ssl.create_default_context(cadata=AUTHORITY.pem.decode("ascii"))
        self.assertNotEqual(self.welcome(number, context), "")
        self.save("believed.pem", other.pem)
        port.waitFor("forward has read again whom it believes")
        self.assertEqual(self.welcome(number, context), "", port.log)


class TerminalTests(ReloadCase):
    """
    A port that was started by hand.
    """

    def foreground(self, *options: str, first: Sequence[str] = ()) -> tuple[Program, IO[bytes]]:
        """
        Start a port in the foreground of a terminal.

        @param first: what starts it.
        @return: it, and the terminal.
        """
        Editor(self.folder).put(parts(issued()))
        ours, its = os.openpty()
        terminal: IO[bytes] = os.fdopen(ours, "rb", 0)
        self.addCleanup(terminal.close)
        words = [*first, "twistd", "-n", "--pidfile=", "xtls", BIND, *self.options(), *options]
        with open(its, "rb") as stdin:
            command = [sys.executable, "-c", FOREGROUND, *words]
            port = Program(self, command, self.top, stdin=cast(Any, stdin))
        port.waitFor("xtls serves with 2 workers" if options else "xtls listening")
        time.sleep(0.5)
        return port, terminal

    def test_closed(self) -> None:
        """
        When the terminal is closed it ends, as programs do; with workers too.
        """
        for options in ((), ("--workers=2",)):
            port, terminal = self.foreground(*options)
            os.kill(port.process.pid, signal.SIGHUP)
            port.waitFor("has read its certificates again")
            self.assertIsNone(port.process.poll())
            terminal.close()
            port.waitFor("the terminal is closed, in whose foreground this was: ending")
            self.assertIn(port.wait(), (0, -signal.SIGHUP))
            self.assertNotIn("Traceback", port.log)

    def test_nohup(self) -> None:
        """
        Whoever says that it is to stay when the terminal is closed has it stay; and what is new is read then
        as ever.
        """
        port, terminal = self.foreground(first=["nohup"])
        terminal.close()
        port.waitFor("has read its certificates again")
        self.assertIsNone(port.process.poll())
        os.kill(port.process.pid, signal.SIGTERM)
        port.wait()


class PrivilegesTests(ReloadCase):
    """
    A service that gives up its privileges.
    """

    def test_key(self) -> None:
        """
        A key that only the administrator may read is used, and its end as such said; a new one is not taken,
        with the reason; and it is when that has been mended.
        """
        if os.geteuid():
            self.skipTest("only an administrator can give up privileges")
        writePrivate(self.folder / "key.pem", b"?")
        way = Editor(self.folder)
        way.put(parts(issued()))
        for each in self._above():
            os.chmod(each, 0o755)
        os.chmod(self.folder / "key.pem", 0o600)
        port = self._asNobody()
        port.waitFor("key.pem could be read when xtls started, and cannot be read any more")
        new = parts(issued())
        (self.folder / "key.pem").write_bytes(new["key.pem"])
        (self.folder / "cert.pem").write_bytes(new["cert.pem"])
        port.waitFor(
            "keeps what it has: ssl-key .*Permission denied; the user that this process runs as must"
        )
        os.chmod(self.folder / "key.pem", 0o644)
        port.waitFor("has read its certificates again: .*; what was wrong is mended")

    def _above(self) -> Iterator[Path]:
        """
        The folders that this user made, down to the one with the files.
        """
        for each in (self.folder, *self.folder.parents):
            if each == Path("/") or each == Path("/tmp"):
                return
            yield each

    def _asNobody(self) -> Program:
        """
        Start the port as a user who may do nothing.
        """
        words = ["twistd", "-n", "--pidfile=", "--uid=65534", "--gid=65534", "xtls", BIND, *self.options()]
        return Program(self, [*words, "--reload-interval=200ms"], self.top)
