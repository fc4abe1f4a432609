"""
C{xtls attach} and C{xtls demo} as processes: every kind of standard input and output, local ports, programs
that use them, and how each ends.  (Other people's servers are in C{test_interop_servers}, much data in
C{test_volume}.)
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import termios
import threading
import time
from pathlib import Path
from typing import IO, Any, Final

from tests.support.interop import InteropCase
from tests.support.programs import DEADLINE, Peer, Program, echo, environment, find, readAll, run
from xtls.programs.statuses import ExitStatus

#: More than all that is kept on the way by anybody.
MUCH: Final = 24 << 20


def shout(connection: socket.socket) -> None:
    """
    Say back in upper case what comes, until there is no more.
    """
    connection.sendall(b"welcome\n")
    while data := connection.recv(1 << 16):
        connection.sendall(data.upper())


def endless(connection: socket.socket) -> None:
    """
    Say something until nobody listens.
    """
    while True:
        connection.sendall(b"x" * (1 << 16))


def mute(connection: socket.socket) -> None:
    """
    Take everything and say nothing.
    """
    readAll(connection)


class AttachCase(InteropCase):
    """
    Attaching to a port.
    """

    def ported(self, serve: Any, *options: str) -> int:
        """
        A port in front of a service.

        @return: its number.
        """
        port = self.port(
            self.forward(serve),
            "--bind-tcp=127.0.0.1:0",
            "--ssl-cert=server.pem",
            "--detect-timeout=200ms",
            *options,
        )
        return port.number()

    def words(self, number: int, mode: str = "ssl") -> list[str]:
        """
        The command that attaches to a port.
        """
        trust = ["--ssl-ca-certs=ca.pem"] if mode in ("ssl", "wss") else []
        return [find("xtls"), "attach", f"{mode}://localhost:{number}/", *trust]

    def begin(self, words: list[str], **descriptors: Any) -> subprocess.Popen[bytes]:
        """
        Start a program with certain descriptors.
        """
        process = subprocess.Popen(words, cwd=self.folder, env=environment(self.folder), **descriptors)

        def end() -> None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

        self.addCleanup(end)
        return process

    def opened(self, name: str, mode: str) -> IO[bytes]:
        """
        A file that is closed when the test ends.
        """
        file: IO[bytes] = open(self.folder / name, mode)  # noqa: SIM115
        self.addCleanup(file.close)
        return file


class InputTests(AttachCase):
    """
    Where standard input comes from.
    """

    def test_file(self) -> None:
        """
        A regular file is sent whole, and a regular file gets the answer whole.
        """
        data = os.urandom(MUCH // 4)
        self.write("given", data)
        number = self.ported(echo)
        for mode in ("tcp", "ssl", "ws", "wss"):
            process = self.begin(
                self.words(number, mode), stdin=self.opened("given", "rb"), stdout=self.opened("taken", "wb")
            )
            self.assertEqual(process.wait(DEADLINE), 0)
            self.assertTrue((self.folder / "taken").read_bytes() == data, mode)

    def test_nothing(self) -> None:
        """
        The null device has ended at once, and the answer comes all the same.
        """
        words = self.words(self.ported(shout))
        with open(os.devnull, "rb") as nothing:
            process = self.begin(words, stdin=nothing, stdout=subprocess.PIPE)
            self.assertEqual(
                (process.communicate(timeout=DEADLINE)[0], process.returncode), (b"welcome\n", 0)
            )

    def test_closed(self) -> None:
        """
        Standard input and output that are closed from the beginning are no harm.
        """
        words = self.words(self.ported(shout))
        done = self.succeed(f"sh -c '{shlex.join(words)} <&-'")
        self.assertEqual(done.output, b"welcome\n")
        self.succeed(f"sh -c '{shlex.join(words)} <&- >&-'")

    def test_pieces(self) -> None:
        """
        What is given a little at a time is sent, and answered, a little at a time.
        """
        process = self.begin(self.words(self.ported(shout)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        self.assertEqual(process.stdout.readline(), b"welcome\n")
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), line.upper())
        process.stdin.close()
        self.assertEqual((process.stdout.read(), process.wait(DEADLINE)), (b"", 0))

    def test_terminal(self) -> None:
        """
        On a terminal lines go out as they are typed, the end of input is a half close, and the terminal is
        left as it was.
        """
        outer, inner = pty.openpty()
        self.addCleanup(os.close, outer)
        self.addCleanup(os.close, inner)
        attributes = termios.tcgetattr(inner)
        process = self.begin(self.words(self.ported(shout)), stdin=inner, stdout=inner)
        self.readUntil(outer, b"welcome\r\n")
        os.write(outer, b"hello\n")
        self.readUntil(outer, b"HELLO\r\n")
        os.write(outer, b"\x04")
        self.assertEqual(process.wait(DEADLINE), 0)
        self.assertEqual(termios.tcgetattr(inner), attributes)
        self.assertFalse(fcntl.fcntl(inner, fcntl.F_GETFL) & os.O_NONBLOCK)

    def readUntil(self, fd: int, text: bytes) -> None:
        """
        Read from a terminal until something was shown.
        """
        seen = b""
        while text not in seen:
            seen += os.read(fd, 1024)


class OutputTests(AttachCase):
    """
    Where standard output goes.
    """

    def test_brokenPipe(self) -> None:
        """
        When nobody reads the output any more, the command ends in silence.
        """
        words = shlex.join(self.words(self.ported(endless)))
        done = self.succeed("bash -o pipefail -c", f"{words} < /dev/null | head -c 100000 | wc -c")
        self.assertEqual((done.output.strip(), done.errors), (b"100000", b""))

    def test_brokenPipeWhileSilent(self) -> None:
        """
        The same when nothing is written at the time.
        """
        process = self.begin(self.words(self.ported(mute)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.close()
        self.assertEqual(process.wait(DEADLINE), 0)

    def test_full(self) -> None:
        """
        Output that cannot be written is an error that is said.
        """
        words = shlex.join(self.words(self.ported(shout)))
        done = self.do("sh -c", f"{words} < /dev/null > /dev/full")
        self.assertEqual(done.status, ExitStatus.CONNECTION_LOST)
        self.assertIn("standard output: No space left", done.text)

    def test_pressure(self) -> None:
        """
        While nobody reads the output, the peer is not read either; and nothing is lost.
        """
        given = 0

        def count(connection: socket.socket) -> None:
            nonlocal given
            while given < MUCH:
                given += connection.send(b"x" * (1 << 16))

        process = self.begin(self.words(self.ported(count)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        before = -1
        while before != given or not given:  # until it stands still
            before = given
            time.sleep(0.5)
        self.assertLess(given, MUCH)
        status = Path(f"/proc/{process.pid}/status").read_text("ascii")
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert resident is not None
        self.assertLess(int(resident[1]), 120_000)
        output, _ = process.communicate(timeout=DEADLINE)
        self.assertEqual((len(output), process.returncode), (MUCH, 0))

    def test_pressureOnInput(self) -> None:
        """
        While the peer reads nothing, input is not read either.
        """

        over = threading.Event()

        def wait(connection: socket.socket) -> None:
            over.wait(DEADLINE)
            readAll(connection)

        process = self.begin(self.words(self.ported(wait)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        taken, still = 0, 0
        while still < 20:
            try:
                taken += os.write(process.stdin.fileno(), b"x" * 65536)
                still = 0
            except BlockingIOError:
                still += 1
                time.sleep(0.05)
            self.assertLess(taken, 4 * MUCH)
        over.set()
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), 0)


class EndTests(AttachCase):
    """
    How it ends.
    """

    def test_peerEnds(self) -> None:
        """
        When the peer closes, a pipe that stays open does not keep the command.
        """

        def bye(connection: socket.socket) -> None:
            connection.sendall(b"bye\n")

        number = self.ported(bye)
        for mode in ("tcp", "ssl", "wss"):
            process = self.begin(self.words(number, mode), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert process.stdout is not None
            self.assertEqual((process.stdout.read(), process.wait(DEADLINE)), (b"bye\n", 0), mode)

    def test_halfClosedByPeer(self) -> None:
        """
        A peer that has nothing to say still gets all of the input.
        """
        taken: list[bytes] = []

        def silent(connection: socket.socket) -> None:
            connection.shutdown(socket.SHUT_WR)
            taken.append(readAll(connection))

        data = os.urandom(MUCH // 4)
        for mode in ("tcp", "ssl"):
            taken.clear()
            done = run(self.words(self.ported(silent), mode), self.folder, given=data)
            self.assertEqual((done.status, done.text), (0, ""))
            end = time.monotonic() + DEADLINE
            while not taken and time.monotonic() < end:
                time.sleep(0.05)
            self.assertTrue(taken == [data], mode)

    def test_lost(self) -> None:
        """
        A connection that is cut off is told from one that was closed.
        """

        def cut(connection: socket.socket) -> None:
            connection.sendall(b"half")
            time.sleep(0.5)  # a reset destroys what was not read yet
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        number = Peer(self, cut).port
        done = self.attach(f"tcp://127.0.0.1:{number}/")
        self.assertEqual((done.status, done.output), (ExitStatus.CONNECTION_LOST, b"half"))
        self.assertIn("the connection was lost", done.text)

    def test_notThere(self) -> None:
        """
        Nothing there, no such host, no WebSocket, no TLS: each in one sentence, with its status.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            free = taken.getsockname()[1]
        number = self.ported(echo, "--websocket-upgrade=no")
        raw = Peer(self, shout).port
        for target, status in (
            (f"tcp://127.0.0.1:{free}/", ExitStatus.CONNECTION_FAILED),
            ("ssl://no-such-host.invalid:1/", ExitStatus.CONNECTION_FAILED),
            (f"wss://localhost:{number}/", ExitStatus.CONNECTION_FAILED),
            (f"ssl://localhost:{raw}/", ExitStatus.SSL_FAILURE),
        ):
            trust = [] if target.startswith("tcp") else ["--ssl-ca-certs=ca.pem"]
            done = self.attach(target, *trust)
            self.assertEqual((done.status, done.output), (status, b""), done.text)
            self.assertEqual(done.text.count("\n"), 1, done.text)

    def test_interrupted(self) -> None:
        """
        It can be interrupted while it connects, and while it is connected.
        """
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        for number in (silent.getsockname()[1], self.ported(mute)):
            for sent, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
                words = [*self.words(number), "--verbose"]
                process = Program(self, words, self.folder, pipe=True)
                process.waitFor("connecting" if number == silent.getsockname()[1] else "connected")
                time.sleep(0.3)
                process.process.send_signal(sent)
                self.assertEqual(process.wait(), status, process.log)
                self.assertNotIn("Traceback", process.log)


class LocalPortTests(AttachCase):
    """
    C{--listen} and C{-- COMMAND}.
    """

    def test_listen(self) -> None:
        """
        Each connection of the local port gets one of its own, and half closes go through.
        """
        words = [*self.words(self.ported(shout), "wss"), "--listen=tcp:0:interface=127.0.0.1"]
        program = Program(self, words, self.folder)
        number = int(program.waitFor(r"listening on 127\.0\.0\.1:(\d+) for wss://")[1])
        for line in (b"one", b"two"):
            connection = self.connect(number)
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(readAll(connection), b"welcome\n" + line.upper())

    def test_listenRefused(self) -> None:
        """
        A server that cannot be verified is explained, nothing is sent to it, the program at the local port is
        not left with an empty answer, and the local port goes on.
        """
        words = [*self.words(self.ported(shout))[:3], "--listen=tcp:0:interface=127.0.0.1"]
        program = Program(self, words, self.folder)
        number = int(program.waitFor(r"listening on 127\.0\.0\.1:(\d+)")[1])
        for _ in range(2):
            self.assertRaises(ConnectionResetError, readAll, self.connect(number))
        program.waitFor("(?s)CERTIFICATE_VERIFY_FAILED.*CERTIFICATE_VERIFY_FAILED")
        self.assertIsNone(program.process.poll())

    def test_command(self) -> None:
        """
        A program is run that uses a local port; its status is ours, and so are its input and output.
        """
        words = [*self.words(self.ported(shout)), "--"]
        script = "cat; exec 3<>/dev/tcp/127.0.0.1/{port}; read -u 3 line; echo $line; exit 7"
        done = run([*words, "bash", "-c", script], self.folder, given=b"given\n")
        self.assertEqual((done.status, done.output), (7, b"given\nwelcome\n"), done.text)

    def test_commandEndsBySignal(self) -> None:
        """
        A program that a signal ends has the status that a shell gives it.
        """
        words = [*self.words(self.ported(shout)), "--", "sh", "-c", ": {port}; kill -TERM $$"]
        self.assertEqual(run(words, self.folder).status, 143)

    def test_interruptionIsForTheCommand(self) -> None:
        """
        An interruption from the keyboard is for the program, which may live on; a request to end is passed
        on.
        """
        words = [*self.words(self.ported(shout)), "--", "sh", "-c"]
        script = ": {port}; trap 'echo interrupted' INT; echo ready; sleep 1 & wait; wait; exit 5"
        program = Program(self, [*words, script], self.folder)
        program.waitFor("ready")
        os.killpg(program.process.pid, signal.SIGINT)
        self.assertEqual(program.wait(), 5, program.log)
        self.assertIn("interrupted", program.log)
        program = Program(
            self, [*words, ": {port}; trap 'echo ending; exit' TERM; echo ready; sleep 9 & wait"], self.folder
        )
        program.waitFor("ready")
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(), ExitStatus.TERMINATED)
        program.waitFor("ending")


class DemoTests(AttachCase):
    """
    C{xtls demo}.
    """

    def test_commands(self) -> None:
        """
        Each of the commands that it prints works when it is pasted, and an interruption is its proper end.
        """
        program = Program(self, ["xtls", "demo", "--port=0"], self.folder)
        program.waitFor("Ctrl-C")
        commands = re.findall(r"^  ((?:curl|xtls) .*)$", program.log, re.MULTILINE)
        self.assertEqual(len(commands), 3, program.log)
        page, *attached = (self.succeed(f"{command}", given=b"hello\n") for command in commands)
        self.assertIn(b"xtls attach", page.output)
        for done in attached:
            self.assertIn(b"HELLO [in 6, out ", done.output)
        program.process.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(), 0, program.log)
        self.assertNotIn("Traceback", program.log)

    def test_taken(self) -> None:
        """
        When its port is taken, it says so and takes another.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            program = Program(self, ["xtls", "demo", f"--port={number}"], self.folder)
            program.waitFor(f"port {number} is taken")
            program.waitFor(rf"listens on 127\.0\.0\.1:(?!{number}\b)")
