"""
The parts of the load generator that need no sockets: frames, and what processes have used.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.backend import counted
from benchmarks.frames import Counter, frame, opening
from benchmarks.measuring import Usage, below, busiest, busy, fields, memory, tree, usages, used


def served(payload: bytes, opcode: int = 2) -> bytes:
    """
    A frame of a server.
    """
    length = len(payload)
    head = bytes([0x80 | opcode])
    if length < 126:
        return head + bytes([length]) + payload
    if length < 1 << 16:
        return head + b"\x7e" + length.to_bytes(2, "big") + payload
    return head + b"\x7f" + length.to_bytes(8, "big") + payload


class FramesTests(SynchronousTestCase):
    """
    L{benchmarks.frames}.
    """

    def test_frame(self) -> None:
        """
        Each size has its form of length, and the payload comes out again with the mask that is in the frame.
        """
        for size, head in ((0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)):
            payload = bytes(number % 251 for number in range(size))
            made = frame(payload)
            self.assertEqual(made[0], 0x82)
            self.assertEqual(made[1] & 0x80, 0x80)
            key = made[head : head + 4]
            repeated = (key * (size // 4 + 1))[:size]
            self.assertEqual(bytes(a ^ b for a, b in zip(made[head + 4 :], repeated)), payload)

    def test_opening(self) -> None:
        """
        The request is a whole one.
        """
        self.assertTrue(opening(10000).startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:10000\r\n"))
        self.assertTrue(opening(10000).endswith(b"\r\n\r\n"))

    def test_count(self) -> None:
        """
        However what arrives is cut, the same octets are counted and kept; pings are not.
        """
        sent = b"".join(
            (served(b"a" * 5), served(b"ping", 9), served(b"b" * 300), served(b""), served(b"c" * 70000))
        )
        for size in (1, 3, 64, 4096, len(sent)):
            kept = bytearray()
            keeping, counter = Counter(kept), Counter()
            pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
            self.assertEqual(sum(counter.count(piece) for piece in pieces), 70305)
            self.assertEqual(sum(keeping.count(memoryview(piece)) for piece in pieces), 70305)
            self.assertEqual(kept, b"a" * 5 + b"b" * 300 + b"c" * 70000)

    def test_counted(self) -> None:
        """
        What the backend tells are two numbers of a fixed length.
        """
        told = counted(255)
        self.assertEqual((int(told[:16], 16), len(told)), (255, 32))


def stat(pid: int, parent: int, *times: int) -> str:
    """
    A C{/proc/PID/stat}.
    """
    return f"{pid} (a (strange) name) S {parent} {' '.join(['0'] * 9)} {' '.join(map(str, times))} 20 0 1"


class MeasuringTests(SynchronousTestCase):
    """
    L{benchmarks.measuring}, on a C{/proc} of our own.
    """

    def setUp(self) -> None:
        self.proc = Path(self.mktemp())
        for pid, parent, times in ((10, 1, (100, 50, 30, 20)), (11, 10, (1, 0, 0, 0)), (12, 1, (9, 9, 9, 9))):
            folder = self.proc / str(pid)
            folder.mkdir(parents=True)
            (folder / "stat").write_text(stat(pid, parent, *times))
            (folder / "smaps_rollup").write_text(
                f"00-ff ---p [rollup]\nRss: 99 kB\nPss:  {pid} kB\nPss_Anon: 5 kB\n"
            )
        (self.proc / "11" / "task" / "11").mkdir(parents=True)
        (self.proc / "11" / "task" / "11" / "schedstat").write_text("15000000 0 3\n")
        (self.proc / "stat").write_text("cpu  100 0 50 1000 20 0 5 25 0 0\ncpu0 1 2\n")
        (self.proc / "13").mkdir()  # has ended meanwhile

    def test_fields(self) -> None:
        """
        A name may have anything in it.
        """
        self.assertEqual(fields(stat(10, 7))[1], "7")

    def test_below(self) -> None:
        """
        All that descend from a process, and it.
        """
        self.assertEqual(below({2: 1, 3: 2, 4: 3, 5: 1}, 2), [2, 3, 4])
        self.assertEqual(tree(10, self.proc), [10, 11])

    def test_memory(self) -> None:
        """
        The shares of all are added.
        """
        self.assertEqual(memory(10, self.proc), 21.0)

    def test_busy(self) -> None:
        """
        All but idle and waiting for disks, in ticks of a hundredth of a second.
        """
        self.assertAlmostEqual(busy(self.proc), 1.8)

    def test_usages(self) -> None:
        """
        Of each process its own and what it has waited for; what its threads say is taken where it is more.
        """
        mine, other = usages(10, 12, proc=self.proc)
        self.assertEqual(mine, {10: Usage(1.5, 0.5), 11: Usage(0.015, 0.0)})
        self.assertEqual(set(other), {12})

    def test_used(self) -> None:
        """
        Who came is counted from nothing; who has gone is counted as far as the parent has waited, and what
        it had used before is not counted twice.
        """
        before = {1: Usage(1.0, 0.0), 2: Usage(0.5, 0.0)}
        self.assertEqual(used(before, before), 0.0)
        self.assertEqual(busiest(before, {1: Usage(2.0, 0.0), 3: Usage(1.25, 9.0)}), 1.25)
        self.assertEqual(used(before, {1: Usage(2.0, 0.0), 2: Usage(0.5, 0.0), 3: Usage(0.25, 0.0)}), 1.25)
        self.assertEqual(used(before, {1: Usage(2.0, 0.75)}), 1.25)
        self.assertEqual(used(before, {1: Usage(2.0, 0.0)}), 1.0)
