"""
The OpenSSL calls of the data path, by both ways of calling.
"""

from __future__ import annotations

import importlib.util
from random import Random
from types import ModuleType
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.support.engines import VERSIONS, connections, disturb
from tests.support.identity import serverPair
from tests.support.records import RecordsTests
from xtls.wire import openssl
from xtls.wire.inflow import READ_BUFFER
from xtls.wire.openssl import DirectRecords, recordsFor
from xtls.wire.records import BUFFER_SIZE, Status, cipherView, plainView


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


class DirectRecords12Tests(DirectRecordsTests):
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


class LendingTests(SynchronousTestCase):
    """
    OpenSSL reads from the shared buffer itself, where much has arrived.
    """

    def setUp(self) -> None:
        self.connect(*connections(VERSIONS["TLSv1.3"]))

    def connect(self, client: SSL.Connection, server: SSL.Connection) -> None:
        """
        Complete a handshake.
        """
        self.connection = server
        self.client, self.server = DirectRecords(client), DirectRecords(server)
        done = [False, False]
        while not all(done):
            done[0] = done[0] or self.client.handshake()
            self.server.feed(bytes(self.client.drain()))
            done[1] = done[1] or self.server.handshake()
            self.client.feed(bytes(self.server.drain()))
        self.client.read()

    def arrive(self, ciphertext: bytes) -> memoryview:
        """
        Have octets in the buffer that sockets are read into.
        """
        READ_BUFFER[: len(ciphertext)] = ciphertext
        return READ_BUFFER[: len(ciphertext)]

    def encrypted(self, *plain: bytes) -> bytes:
        """
        What the client sends.
        """
        sent = b""
        for each in plain:
            self.client.write(each)
            sent += bytes(self.client.drain())
        return sent

    def test_cut(self) -> None:
        """
        However the records are cut, large and small reads together give every octet, once, although the
        buffer has other octets in it in between.
        """
        random = Random(61)
        plain = random.randbytes(200_000)
        sent, received = self.encrypted(plain), b""
        while sent:
            length = random.choice((1, 3, 100, 4096, 4097, 5000, 20_000, 100_000))
            self.server.feed(self.arrive(sent[:length]))
            sent = sent[length:]
            received += self.server.read()
            self.assertIs(self.server.status, Status.WANT_READ)
            self.arrive(bytes(length))
        self.assertEqual(received, plain)

    def test_otherSource(self) -> None:
        """
        Octets from elsewhere follow those from the buffer.
        """
        sent = self.encrypted(b"a" * 10_000, b"b", b"c" * 10_000)
        self.server.feed(self.arrive(sent[:9_000]))
        received = bytes(self.server.read())
        self.arrive(bytes(9_000))
        self.server.feed(sent[9_000:])
        self.assertEqual(received + bytes(self.server.read()), b"a" * 10_000 + b"b" + b"c" * 10_000)

    def test_more(self) -> None:
        """
        What does not fit into one read is kept, although the buffer is used by others before the next.
        """
        plain = Random(62).randbytes(BUFFER_SIZE)
        sent = self.encrypted(b"x" * 16_384, plain)
        self.server.feed(self.arrive(sent[:16_400]))
        self.assertEqual(bytes(self.server.read()), b"")
        self.server.feed(self.arrive(sent[16_400 : 16_400 + len(READ_BUFFER)]))
        received = bytes(self.server.read())
        self.assertIs(self.server.status, Status.MORE)
        self.arrive(bytes(len(READ_BUFFER)))
        received += bytes(self.server.read())
        self.server.feed(sent[16_400 + len(READ_BUFFER) :])
        received += bytes(self.server.read())
        self.assertEqual(received, b"x" * 16_384 + plain)

    def test_unread(self) -> None:
        """
        What was not read yet comes first.
        """
        sent = self.encrypted(b"a" * 10_000, b"b" * 10_000)
        self.server.feed(self.arrive(sent[:6_000]))
        self.server.feed(sent[6_000:12_000])
        self.server.feed(self.arrive(sent[12_000:]))
        self.assertEqual(bytes(self.server.read()), b"a" * 10_000 + b"b" * 10_000)

    def test_encrypt(self) -> None:
        """
        What a socket was read into is encrypted where it is; a connection that has ended encrypts nothing.
        """
        self.arrive(b"plain")
        self.assertFalse(self.server.pending())
        length = self.server.encrypt(5)
        self.client.feed(bytes(cipherView[:length]))
        self.assertEqual(bytes(self.client.read()), b"plain")
        self.connection.shutdown()
        self.assertTrue(self.server.pending())
        self.assertRaises(SSL.Error, self.server.encrypt, 5)

    def test_known(self) -> None:
        """
        Records know their version, and whether an application protocol was agreed on.
        """
        self.assertEqual((self.server.newest, self.server.negotiated()), (True, False))
        self.connect(*connections(VERSIONS["TLSv1.2"]))
        self.assertFalse(self.server.newest)
        client, _ = connections(VERSIONS["TLSv1.3"])
        client.set_alpn_protos([b"a"])
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(serverPair().certificate)
        context.use_privatekey(serverPair().key)
        context.set_alpn_select_callback(lambda connection, names: b"a")
        server = SSL.Connection(context, None)
        server.set_accept_state()
        self.connect(client, server)
        self.assertTrue(self.server.negotiated())

    def test_inPassing(self) -> None:
        """
        What a relay reads is lent too: one record gives its octets at once, more than one the rest.
        """
        first = self.encrypted(b"first")
        self.arrive(first)
        self.assertEqual((self.server.decrypt(len(first)), bytes(plainView[:5])), (5, b"first"))
        one = self.encrypted(b"a" * 10_000)
        self.arrive(one)
        self.assertEqual(self.server.decrypt(len(one)), 10_000)
        two = self.encrypted(b"b" * 10_000, b"c" * 10)
        self.arrive(two)
        self.assertEqual(self.server.decrypt(len(two)), 0)
        self.assertEqual(bytes(self.server.rest()), b"b" * 10_000 + b"c" * 10)
        small = self.encrypted(b"d")
        self.arrive(small)
        self.assertEqual((self.server.decrypt(len(small)), bytes(plainView[:1])), (1, b"d"))
