"""
Octets that pass from socket to socket without being seen.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.support.polled import loopback
from xtls.wire import splicing
from xtls.wire.splicing import move

if not splicing.available:
    skip = "this system cannot splice"


class MoveTests(SynchronousTestCase):
    """
    L{move}.
    """

    def setUp(self) -> None:
        self.client, self.source = self.pair()
        self.target, self.backend = self.pair()

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """
        Two ends that do not block.
        """
        ends = socket.socketpair()
        for each in ends:
            each.setblocking(False)
            self.addCleanup(each.close)
        return ends

    def move(self) -> tuple[int, bytes]:
        """
        Move once.
        """
        count, rest, self.why = move(self.source.fileno(), self.target.fileno())
        self.assertEqual(bool(rest), self.why is not None)
        return count, rest

    def test_moves(self) -> None:
        """
        What has arrived is at the other socket.
        """
        self.client.send(b"octets")
        self.assertEqual(self.move(), (6, b""))
        self.assertEqual(self.backend.recv(100), b"octets")

    def test_nothing(self) -> None:
        """
        Where nothing has arrived, it is said as any socket says it.
        """
        self.assertRaises(BlockingIOError, self.move)

    def test_end(self) -> None:
        """
        A source that has ended gives nothing.
        """
        self.client.close()
        self.assertEqual(self.move(), (0, b""))

    def test_rest(self) -> None:
        """
        What the target does not take is given back, in order, and the next move finds nothing of it.
        """
        self.target.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent, received = Random(1).randbytes(100_000), b""
        self.client.send(sent)
        count, rest = self.move()
        self.assertTrue(rest)
        try:
            while data := self.backend.recv(1 << 20):
                received += data
        except BlockingIOError:
            pass
        self.assertEqual((received + rest), sent[:count])
        self.client.send(b"next")
        self.source.recv(len(sent) - count)
        self.assertEqual((self.move(), self.backend.recv(10)), ((4, b""), b"next"))

    def test_lost(self) -> None:
        """
        A target whose connection is gone takes nothing.
        """
        self.backend.close()
        self.client.send(b"octets")
        self.assertEqual(self.move(), (6, b"octets"))
        self.assertIsInstance(self.why, BrokenPipeError)

    def test_reset(self) -> None:
        """
        Where that is a reset, which is said once, it is said to whoever moves.
        """
        self.backend, self.target = loopback()
        for each in (self.backend, self.target):
            self.addCleanup(each.close)
        self.backend.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.backend.close()
        self.client.send(b"octets")
        self.assertEqual(self.move(), (6, b"octets"))
        self.assertIsInstance(self.why, ConnectionResetError)

    def test_noPipe(self) -> None:
        """
        Where there can be no pipe, there is no such way; nothing is lost.
        """

        def pipe() -> tuple[int, int]:
            raise OSError(errno.EMFILE, "too many")

        self.patch(splicing, "_pipes", {})
        self.patch(os, "pipe", pipe)
        self.client.send(b"octets")
        self.assertEqual(self.assertRaises(OSError, self.move).errno, errno.EINVAL)
        self.assertEqual(self.source.recv(100), b"octets")

    def test_impossible(self) -> None:
        """
        What is no socket is told as the system tells it.
        """
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        error = self.assertRaises(OSError, move, folder, self.target.fileno())
        self.assertIn(error.errno, (errno.EINVAL, errno.EISDIR))

    def test_forked(self) -> None:
        """
        A child has a pipe of its own, and closes its parent's; where pipes cannot be made larger, they are
        small.
        """
        self.client.send(b"before")
        self.move()
        [process] = splicing._pipes
        self.assertEqual(process, os.getpid())
        splicing._pipes[process + 1] = splicing._pipes.pop(process)
        descriptors = len(os.listdir("/proc/self/fd"))
        self.patch(splicing, "_AT_ONCE", -1)
        self.addCleanup(splicing._pipes.clear)
        splicing._open()
        self.assertEqual(list(splicing._pipes), [process])
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
        for end in splicing._pipes[process]:
            os.close(end)
