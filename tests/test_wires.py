"""
The connections in memory that other tests stand on.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    ITCPTransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.contract import StreamContract, differs
from tests.support.wires import BUFFER_SIZE, GivenFactory, HalfCloseRecorder, Recorder, Wire, everySplit


class EverySplitTests(SynchronousTestCase):
    """
    The ways to cut octets.
    """

    def test_everySplit(self) -> None:
        """
        Whole, cut once at each place, and octet by octet.
        """
        self.assertEqual(
            list(everySplit(b"abc")), [(b"abc",), (b"a", b"bc"), (b"ab", b"c"), (b"a", b"b", b"c")]
        )

    def test_short(self) -> None:
        """
        No way is told twice.
        """
        self.assertEqual(list(everySplit(b"ab")), [(b"ab",), (b"a", b"b")])
        self.assertEqual(list(everySplit(b"a")), [(b"a",)])


class WireStreamTests(StreamContract, SynchronousTestCase):
    """
    A bare wire keeps what a stream promises, as TCP does.
    """

    closes = False

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        Nothing between the wire and the protocols.
        """
        built = client.buildProtocol(wire.server.getHost()), server.buildProtocol(wire.client.getHost())
        assert built[0] is not None and built[1] is not None
        return built[0], built[1]

    test_closeDeadline = differs(StreamContract.test_closeDeadline, "waits as long as the kernel")
    test_bufferReceived = differs(StreamContract.test_bufferReceived, "knows no views")


class WireTests(SynchronousTestCase):
    """
    What a wire does beyond the contract, as Twisted's TCP transports do it.
    """

    def joined(self, client: Recorder, server: Recorder) -> Wire:
        """
        A wire with two protocols.
        """
        wire = Wire()
        wire.join(client, server)
        return wire

    def test_interfaces(self) -> None:
        """
        The ends provide what they claim to.
        """
        wire = self.joined(Recorder(), HalfCloseRecorder())
        for interface in (ITCPTransport, IConsumer, IPushProducer):
            verifyObject(interface, wire.client)
        verifyObject(IHalfCloseableProtocol, wire.server.protocol)
        verifyObject(IProtocol, wire.client.protocol)
        verifyObject(IProtocolFactory, GivenFactory(Recorder()))

    def test_nothingMovesUnasked(self) -> None:
        """
        C{write} calls nobody; a wire that is held moves nothing either, though time passes.
        """
        server = Recorder()
        wire = self.joined(Recorder(), server)
        wire.client.write(b"data")
        wire.held = True
        wire.advance(1)
        self.assertEqual((server.chunks, wire.clock.seconds()), ([], 1.0))
        wire.held = False
        wire.flush()
        self.assertEqual((server.chunks, wire.client.writes), ([b"data"], [b"data"]))

    def test_notBytes(self) -> None:
        """
        Only C{bytes} can be written.
        """
        wire = self.joined(Recorder(), Recorder())
        self.assertRaises(TypeError, wire.client.write, "text")

    def test_cuts(self) -> None:
        """
        Segments have the sizes that were asked for, over and over, in each direction.
        """
        client, server = Recorder(), Recorder()
        wire = Wire((1, 3))
        wire.join(client, server)
        wire.client.write(b"abcdefgh")
        wire.flush()
        self.assertEqual([len(chunk) for chunk in server.chunks], [1, 3, 1, 3])

    def test_writeToTheGone(self) -> None:
        """
        Who writes to a peer that is gone loses the connection.
        """
        client = HalfCloseRecorder()
        wire = self.joined(client, Recorder())
        wire.server.loseConnection()
        wire.flush()
        self.assertEqual((client.readClosed, client.lost), (1, []))
        wire.client.write(b"hello?")
        wire.flush()
        self.assertIsNotNone(client.lost[0].check(ConnectionLost))

    def test_closeAfterHalfClose(self) -> None:
        """
        Who has ended its direction may close.
        """
        client = HalfCloseRecorder()
        wire = self.joined(client, Recorder())
        wire.client.loseWriteConnection()
        wire.flush()
        self.assertEqual(client.writeClosed, 1)
        wire.client.loseConnection()
        wire.flush()
        self.assertIsNotNone(client.lost[0].check(ConnectionDone))

    def test_abortedWhilePaused(self) -> None:
        """
        An abort is seen by the one who reads, or writes; not by one who has paused.
        """
        server = Recorder()
        wire = self.joined(Recorder(), server)
        wire.server.pauseProducing()
        wire.client.abortConnection()
        wire.flush()
        self.assertEqual(server.lost, [])
        wire.server.resumeProducing()
        wire.flush()
        self.assertIsNotNone(server.lost[0].check(ConnectionLost))

    def test_bound(self) -> None:
        """
        On its way to a peer that does not read is one buffer; the rest stays with the writer.
        """
        wire = self.joined(Recorder(), Recorder())
        wire.server.pauseProducing()
        wire.client.write(b"x" * (3 * BUFFER_SIZE))
        wire.flush()
        self.assertEqual(len(wire.client._flying), BUFFER_SIZE)
        self.assertEqual(len(wire.client._kept), 2 * BUFFER_SIZE)

    def test_restless(self) -> None:
        """
        Two that never stop are found out.
        """

        class Echo(Recorder):
            """
            Sends back what comes.
            """

            def dataReceived(self, data: bytes) -> None:
                """
                Send it back.
                """
                assert self.transport is not None
                self.transport.write(data)

        wire = self.joined(Echo(b"x"), Echo())
        self.patch(Wire, "longestFlush", 100)
        self.assertRaises(AssertionError, wire.flush)
