"""
What TLS records promise, however OpenSSL is called, as tests.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.support.engines import connections
from xtls.wire.records import BUFFER_SIZE, Records, Status

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object


class RecordsTests(_Base):
    """
    What both ways of calling have in common.

    @cvar records: the way.
    """

    records: Any
    version = SSL.TLS1_3_VERSION

    client: Records
    server: Records
    done: dict[Records, list[bool]]

    def setUp(self) -> None:
        connecting, accepting = connections(self.version)
        self.client, self.server = self.records(connecting), self.records(accepting)
        self.connections = {self.client: connecting, self.server: accepting}
        self.done = {self.client: [], self.server: []}
        for _ in range(3):
            for this, other in ((self.client, self.server), (self.server, self.client)):
                self.done[this].append(this.handshake())
                self.pump(this, other)
        self.server.read(), self.client.read()

    def pump(self, source: Records, target: Records) -> int:
        """
        Take what one has to say to the other.

        @return: how many octets that was.
        """
        count = 0
        while said := source.drain():
            count += len(said)
            target.feed(said)
        return count

    def test_handshake(self) -> None:
        """
        A handshake goes on as far as what has arrived allows, and says whether it is complete.
        """
        for done in self.done.values():
            self.assertEqual((done[0], done[-1]), (False, True))

    def test_handshakeFails(self) -> None:
        """
        A handshake that cannot go on says why.
        """
        accepting = self.records(connections(self.version)[1])
        accepting.feed(b"SSH-2.0-nonsense\r\n")
        with self.assertRaises(SSL.Error) as caught:
            accepting.handshake()
        self.assertIn("wrong version number", str(caught.exception))

    def test_readAndWrite(self) -> None:
        """
        What is written on one side is read on the other, and then there is no more.
        """
        for this, other in ((self.client, self.server), (self.server, self.client)):
            for data in (b"octets", memoryview(b"and views")):
                this.write(data)
                self.pump(this, other)
                self.assertEqual(bytes(other.read()), bytes(data))
                self.assertIs(other.status, Status.WANT_READ)
                self.assertEqual((bytes(other.read()), bytes(this.drain())), (b"", b""))

    def test_wholeWrites(self) -> None:
        """
        A write is never cut: what is longer than a record is several records, in one go.
        """
        data = Random(3).randbytes(BUFFER_SIZE)
        self.client.write(data)
        self.assertGreater(self.pump(self.client, self.server), BUFFER_SIZE)
        self.assertTrue(bytes(self.server.read()) == data)

    def test_oneDrain(self) -> None:
        """
        The ciphertext of the longest write is drained at once.
        """
        self.client.write(bytes(BUFFER_SIZE))
        self.assertGreater(len(self.client.drain()), BUFFER_SIZE)
        self.assertEqual(len(self.client.drain()), 0)

    def test_more(self) -> None:
        """
        What does not fit into one read is told of, and is in the next.
        """
        data = Random(3).randbytes(BUFFER_SIZE + 5)
        self.client.write(data[:BUFFER_SIZE])
        self.client.write(data[BUFFER_SIZE:])
        self.pump(self.client, self.server)
        read = bytes(self.server.read())
        self.assertIs(self.server.status, Status.MORE)
        read += bytes(self.server.read())
        self.assertIs(self.server.status, Status.WANT_READ)
        self.assertTrue(read == data)

    def test_partOfARecord(self) -> None:
        """
        A record is read when all of it is there.
        """
        self.client.write(b"abc")
        said = bytes(self.client.drain())
        self.server.feed(said[:-1])
        self.assertEqual(bytes(self.server.read()), b"")
        self.server.feed(said[-1:])
        self.assertEqual(bytes(self.server.read()), b"abc")

    def test_closed(self) -> None:
        """
        What came before close_notify is read with it; and it stays.
        """
        self.client.write(b"last")
        self.connections[self.client].shutdown()
        self.pump(self.client, self.server)
        self.assertEqual(bytes(self.server.read()), b"last")
        self.assertIs(self.server.status, Status.CLOSED)
        self.server.read()
        self.assertIs(self.server.status, Status.CLOSED)

    def test_garbage(self) -> None:
        """
        Records that were tampered with end the connection; what came before is read, and there is an alert.
        """
        self.client.write(b"good")
        self.pump(self.client, self.server)
        self.client.write(b"bad")
        said = bytearray(self.client.drain())
        said[-1] ^= 1
        self.server.feed(bytes(said))
        self.assertEqual(bytes(self.server.read()), b"good")
        self.assertIs(self.server.status, Status.FAILED)
        self.assertIn("bad record mac", str(self.server.failure))
        self.assertGreater(len(self.server.drain()), 0)

    def test_writeFails(self) -> None:
        """
        A connection that cannot send says so.
        """
        self.connections[self.client].shutdown()
        self.assertRaises(SSL.Error, self.client.write, b"x")

    def test_forget(self) -> None:
        """
        It may always be asked to forget what it cannot know of.
        """
        self.client.forget()
        self.test_readAndWrite()
