"""
The OpenSSL calls of the data path, by both ways of calling.
"""

from __future__ import annotations

import importlib.util
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.support.engines import VERSIONS, connections, disturb
from xtls.wire import openssl
from xtls.wire.openssl import BUFFER_SIZE, DirectRecords, PublicRecords, Records, Status, recordsFor

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


class DirectRecordsTests(RecordsTests, SynchronousTestCase):
    """
    L{DirectRecords}.
    """

    records = DirectRecords

    def test_errorsOfOthers(self) -> None:
        """
        An error that somebody else has left behind is not taken for one of this connection.
        """
        disturb()
        self.assertEqual(bytes(self.server.read()), b"")
        self.assertIs(self.server.status, Status.WANT_READ)
        disturb()
        self.client.forget()
        self.assertRaises(SSL.WantReadError, self.connections[self.client].recv, 1)

    def test_noError(self) -> None:
        """
        A failure for which OpenSSL gives no reason is one.
        """
        self.connections[self.server].bio_shutdown()  # from now on the end of what was fed is the end of all
        self.server.read()
        self.assertIs(self.server.status, Status.FAILED)
        self.assertIsInstance(self.server.failure, SSL.Error)

    def test_default(self) -> None:
        """
        It is the way of choice where it is possible, as it is here.
        """
        self.assertIsInstance(recordsFor(connections()[0]), DirectRecords)


class PublicRecordsTests(RecordsTests, SynchronousTestCase):
    """
    L{PublicRecords}.
    """

    records = PublicRecords


class DirectRecords12Tests(DirectRecordsTests):
    """
    The same over TLS 1.2.
    """

    version = VERSIONS["TLSv1.2"]


class PublicRecords12Tests(PublicRecordsTests):
    """
    The same over TLS 1.2.
    """

    version = VERSIONS["TLSv1.2"]


class ProbeTests(SynchronousTestCase):
    """
    Whether OpenSSL's functions can be called is found out once.
    """

    def setUp(self) -> None:
        self.connection = connections()[0]

    def load(self) -> ModuleType:
        """
        The module, as it is when it is imported now.
        """
        assert openssl.__file__ is not None
        spec = importlib.util.spec_from_file_location("xtls.wire.openssl_again", openssl.__file__)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def assertPublic(self) -> None:
        """
        The public methods are used.
        """
        self.assertEqual(type(self.load().recordsFor(self.connection)).__name__, "PublicRecords")

    def test_known(self) -> None:
        """
        A pyOpenSSL as it is known here is called directly.
        """
        self.assertEqual(type(self.load().recordsFor(self.connection)).__name__, "DirectRecords")

    def test_noBinding(self) -> None:
        """
        Without a binding under the known names, public methods are used.
        """
        for name in ("_lib", "_ffi"):
            self.patch(SSL, name, None)
            self.assertPublic()

    def test_noErrors(self) -> None:
        """
        The same, when errors are raised in another way.
        """
        given: Any = SSL
        raising = given._raise_current_error
        self.addCleanup(setattr, SSL, "_raise_current_error", raising)
        del given._raise_current_error
        self.assertPublic()

    def test_otherBinding(self) -> None:
        """
        The same, when the binding lacks a function.
        """
        self.patch(SSL, "_lib", object())
        self.assertPublic()

    def test_otherConnection(self) -> None:
        """
        The same, when a connection keeps its parts elsewhere.
        """

        self.patch(SSL, "Connection", lambda context, socket: object())
        self.assertPublic()
