"""
Readers that stop in the middle of a transfer, by every way to a session: whoever writes is held back, the
port's memory stays where it is, and afterwards everything arrives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from tests.support.streams import Stream, drive
from tests.support.transfers import PATHS, TransferCase
from tests.support.volume import Request, blocks, digestLine, digestOf

#: How much a connection moves, and after how much its reader stops, in octets.  What follows is many times
#: what the system's socket buffers hold.
OCTETS: Final = 96 << 20
STOP: Final = 8 << 20

#: For how long, in seconds.
PAUSE: Final = 5.0

#: How much of that is watched for octets that still move: by then all buffers are full.
STILL: Final = 2.0

#: What one connection may add to the port's memory for one direction, in octets; see "Pressure" in
#: C{docs/explanation/wire.md}.
BOUND: Final = 704 << 10

#: What else the port may need meanwhile, in octets, whatever the number of connections.
REST: Final = 2 << 20

#: How each of the connections comes.
CONNECTIONS: Final = PATHS + PATHS

#: Seconds for all of it.
PATIENCE: Final = 120.0


class PressureTests(TransferCase):
    """
    All ways at once.
    """

    def warm(self) -> None:
        """
        Have the port load what it needs, and grow the buffers that all connections share.
        """
        streams = [self.stream(path, Request(path, give=STOP), blocks(STOP)) for path in CONNECTIONS]
        drive(streams, lambda: all(each.done for each in streams), PATIENCE)

    def grows(self, streams: Sequence[Stream], stopped: Callable[[], bool]) -> list[tuple[int, int]]:
        """
        Watch a port whose peers stop reading, for as long as they do.

        @param stopped: whether all of them have.
        @return: the octets that each has moved: some time before the end of the pause, and at its end.
        """
        before = self.server.memory()
        largest = before

        def watch() -> None:
            nonlocal largest
            largest = max(largest, self.server.memory())

        def until(condition: Callable[[], bool]) -> Callable[[], bool]:
            def asked() -> bool:
                watch()
                return condition()

            return asked

        drive(streams, until(stopped), PATIENCE)
        start = time.monotonic()
        drive(streams, until(lambda: time.monotonic() - start > PAUSE - STILL), PATIENCE)
        moved = [each.sent + each.received for each in streams]
        drive(streams, until(lambda: time.monotonic() - start > PAUSE), PATIENCE)
        bound = len(streams) * BOUND + REST
        self.assertLess(largest - before, bound)
        return list(zip(moved, [each.sent + each.received for each in streams]))

    def test_clientStops(self) -> None:
        """
        The client stops reading: the backend is held back.
        """
        self.warm()
        names = [f"{path}-down-{number}" for number, path in enumerate(CONNECTIONS)]
        requests = [Request(name, give=OCTETS, endFirst=True) for name in names]
        streams = [self.stream(path, request) for path, request in zip(CONNECTIONS, requests)]
        for stream in streams:
            stream.watch = _stopAt(STOP)
        self.grows(streams, lambda: not any(each.reading for each in streams))
        for request in requests:
            self.assertNotIn(f"{request.name}: gave", self.backend.log)
        for stream in streams:
            stream.watch = _nothing
            stream.reading = True
        drive(streams, lambda: all(each.done for each in streams), PATIENCE)
        for stream in streams:
            arrived = stream.received, stream.digest.hexdigest()
            self.assertEqual(arrived, (OCTETS, digestOf(OCTETS)), stream.name)

    def test_backendStops(self) -> None:
        """
        The backend stops reading: the client is held back.
        """
        self.warm()
        goOn = self.folder / "go on"
        names = [f"{path}-up-{number}" for number, path in enumerate(CONNECTIONS)]
        requests = [Request(name, pauseAt=STOP, goOn=str(goOn)) for name in names]
        streams = [self.stream(path, request, blocks(OCTETS)) for path, request in zip(CONNECTIONS, requests)]
        moved = self.grows(
            streams, lambda: all(f"{each.name}: pausing" in self.backend.log for each in requests)
        )
        for stream, (before, after) in zip(streams, moved):
            self.assertEqual(before, after, stream.name)
            self.assertLess(after, OCTETS, stream.name)
        goOn.touch()
        drive(streams, lambda: all(each.done for each in streams), PATIENCE)
        for stream in streams:
            self.assertEqual(stream.last, digestLine(OCTETS, digestOf(OCTETS)), stream.name)


def _stopAt(octets: int) -> Callable[[Stream], None]:
    """
    Have a stream stop reading.
    """

    def stop(stream: Stream) -> None:
        if stream.received >= octets:
            stream.reading = False

    return stop


def _nothing(stream: Stream) -> None:
    """
    Go on.
    """
