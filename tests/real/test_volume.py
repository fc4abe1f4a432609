"""
Large transfers through C{twistd xtls}, each way and both ways at once, with every kind of client: what
arrives is what was sent, and each direction ends for itself.

The variable C{XTLS_TEST_MIB} says how much each of them moves, in MiB.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import IO, Final

from twisted.logger import Logger

from tests.support.programs import environment, find
from tests.support.streams import Stream, drive
from tests.support.transfers import PATHS, TransferCase
from tests.support.volume import Request, blocks, digestLine, digestOf

MIB: Final = int(os.environ.get("XTLS_TEST_MIB", "64"))
OCTETS: Final = MIB << 20

#: Seconds for one transfer: many times what it needs.
PATIENCE: Final = 60.0 + MIB

_log = Logger()


def digestAfter(octets: int, line: bytes) -> str:
    """
    The digest of so many octets, and a line.
    """
    digest = hashlib.sha256()
    for block in chain(blocks(octets), [line]):
        digest.update(block)
    return digest.hexdigest()


class StreamsTests(TransferCase):
    """
    Python's C{socket} and C{ssl}, and C{websockets}.
    """

    def transfer(self, path: str, stream: Stream) -> None:
        """
        Let a connection run to its end.
        """
        drive([stream], lambda: stream.done, PATIENCE)
        _log.info(
            "{name}: {sent} octets up, {received} down in {seconds:.1f} s, SHA-256 down {digest}",
            name=stream.name,
            sent=stream.sent,
            received=stream.received,
            seconds=stream.seconds,
            digest=stream.digest.hexdigest(),
        )

    def test_up(self) -> None:
        """
        What a client sends arrives, and when it has ended its direction it still gets an answer.
        """
        said = digestLine(OCTETS, digestOf(OCTETS))
        for path in PATHS:
            stream = self.stream(path, Request(f"{path}-up"), blocks(OCTETS))
            self.transfer(path, stream)
            self.assertEqual(stream.last, said, path)

    def test_down(self) -> None:
        """
        What the backend sends arrives, and when it has ended its direction a client that can (C{websockets}
        cannot) still has its say.
        """
        for path in PATHS:
            request = Request(f"{path}-down", give=OCTETS, endFirst=True)
            answers = path in ("tcp", "ssl")
            stream = self.stream(path, request, answer=_digestLine if answers else None)
            self.transfer(path, stream)
            self.assertEqual((stream.received, stream.digest.hexdigest()), (OCTETS, digestOf(OCTETS)), path)
            heard = digestLine(OCTETS, digestOf(OCTETS)) if answers else b""
            self.said(request, f"took {len(heard)} octets, SHA-256 {hashlib.sha256(heard).hexdigest()}")

    def test_both(self) -> None:
        """
        Both directions can be full at once.
        """
        said = digestLine(OCTETS, digestOf(OCTETS))
        for path in PATHS:
            stream = self.stream(path, Request(f"{path}-both", give=OCTETS), blocks(OCTETS))
            self.transfer(path, stream)
            self.assertEqual(stream.last[-len(said) :], said, path)
            self.assertEqual(stream.digest.hexdigest(), digestAfter(OCTETS, said), path)


def _digestLine(stream: Stream) -> bytes:
    """
    What was received.
    """
    return digestLine(stream.received, stream.digest.hexdigest())


class AttachTests(TransferCase):
    """
    C{xtls attach}, which has TLS and WebSockets of xtls at this end too.
    """

    def pipe(self, path: str, given: Iterator[bytes]) -> tuple[int, str, bytes]:
        """
        Run it, with a pipe on each side.

        @return: the number of octets that came, their digest, and the end of them.
        """
        target = f"{path}://localhost:{self.number}/"
        command = [find("xtls"), "attach", target]
        if path in ("ssl", "wss"):
            command.append(f"--ssl-ca-certs={self.folder / 'ca.pem'}")
        log = Path(self.mktemp())
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command,
                env=environment(self.folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert process.stdin is not None and process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        giving = Thread(target=_give, args=[process.stdin, given], daemon=True)
        giving.start()
        count, digest, last = 0, hashlib.sha256(), b""
        while data := os.read(process.stdout.fileno(), 1 << 18):
            count += len(data)
            digest.update(data)
            last = (last + data)[-128:]
        giving.join(PATIENCE)
        self.assertEqual(process.wait(PATIENCE), 0, log.read_text("utf-8"))
        return count, digest.hexdigest(), last

    def each(self, do: Callable[[str], None]) -> None:
        """
        By every way.
        """
        for path in PATHS:
            start = time.monotonic()
            do(path)
            _log.info(
                "attach {path} {test}: {octets} octets in {seconds:.1f} s, SHA-256 {digest}",
                path=path,
                test=self.id(),
                octets=OCTETS,
                seconds=time.monotonic() - start,
                digest=digestOf(OCTETS),
            )

    def test_up(self) -> None:
        """
        Standard input arrives, and when it has ended there still is an answer.
        """
        said = digestLine(OCTETS, digestOf(OCTETS))

        def up(path: str) -> None:
            given = chain([Request(f"{path}-attach-up").encode()], blocks(OCTETS))
            self.assertEqual(self.pipe(path, given), (len(said), hashlib.sha256(said).hexdigest(), said))

        self.each(up)

    def test_down(self) -> None:
        """
        All that the backend sends comes out, though there was no more input from the beginning.
        """

        def down(path: str) -> None:
            request = Request(f"{path}-attach-down", give=OCTETS, endFirst=True)
            count, digest, _ = self.pipe(path, iter([request.encode()]))
            self.assertEqual((count, digest), (OCTETS, digestOf(OCTETS)))

        self.each(down)

    def test_both(self) -> None:
        """
        Both directions can be full at once.
        """
        said = digestLine(OCTETS, digestOf(OCTETS))
        expected = (OCTETS + len(said), digestAfter(OCTETS, said))

        def both(path: str) -> None:
            given = chain([Request(f"{path}-attach-both", give=OCTETS).encode()], blocks(OCTETS))
            count, digest, last = self.pipe(path, given)
            self.assertEqual(last[-len(said) :], said)
            self.assertEqual((count, digest), expected)

        self.each(both)


def _give(pipe: IO[bytes], given: Iterator[bytes]) -> None:
    """
    Write all of it, and close.
    """
    with contextlib.suppress(OSError), pipe:
        for block in given:
            pipe.write(block)
