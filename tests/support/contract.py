"""
What every byte stream of ours promises, as tests.

To hold a transport to it, say how it is stacked on a TCP connection::

    class TLSTransportStreamTests(StreamContract, SynchronousTestCase):

        def stack(self, wire, client, server):
            return (
                TLSTransportFactory(CLIENT, True, client, wire.clock).buildProtocol(wire.server.getHost()),
                TLSTransportFactory(SERVER, False, server, wire.clock).buildProtocol(wire.client.getHost()),
            )

        def stackRefused(self, wire, client, server):
            ...the same, so that the client must refuse the server...

C{client} and C{server} are factories of the protocols on top; the two protocols that are returned are put on
the wire.  Nothing needs to be advanced for opening handshakes: the contract flushes the wire.  Set C{closes}
to false where the stream has no close of its own beneath which a connection can be cut short (plain TCP).

A stream that keeps less of the promise says so, test by test, with what it does instead::

        test_closeDeadline = differs(StreamContract.test_closeDeadline, "waits for ever")
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import SkipTest

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IPullProducer,
    IPushProducer,
    ITransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.wires import READ_SIZE, GivenFactory, HalfCloseRecorder, Recorder, Wire

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object

#: Cuts that fall on no boundary that any layer knows.
ODD_CUTS = (1, 7, 4093, 16411, 65536, 3)

#: More than all buffers together, and no multiple of any.
LARGE = random.Random(20).randbytes((1 << 20) + 12345)


def differs(test: Callable[[Any], None], reason: str) -> Callable[[Any], None]:
    """
    The test of a promise that a stream does not keep: it passes as long as the stream does not.

    @param reason: what the stream does instead.
    """

    def different(self: Any) -> None:
        try:
            test(self)
        except SkipTest:
            raise
        except Exception:
            self.flushLoggedErrors()
            return
        self.fail(f"keeps this promise now, and no longer {reason}: take the difference out")

    different.__name__ = test.__name__
    different.__doc__ = f"{test.__doc__}\n        This stream does not: it {reason}.\n"
    return different


@implementer(IPushProducer)
class Flood:
    """
    Pushes pieces of L{LARGE}, one each time the clock lets it, unless it is paused.
    """

    size = 10007

    def __init__(self, transport: Any, wire: Wire) -> None:
        self.transport = transport
        self.wire = wire
        self.sent = 0
        self.pauses = 0
        self.paused = self.stopped = False
        transport.registerProducer(self, True)
        self.push()

    def push(self) -> None:
        """
        Write one piece, and come again.
        """
        if self.paused or self.stopped:
            return
        self.transport.write(LARGE[self.sent : self.sent + self.size])
        self.sent = min(self.sent + self.size, len(LARGE))
        if self.sent < len(LARGE):
            self.wire.clock.callLater(0, self.push)
        else:
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """
        Stop for now.
        """
        self.pauses += 1
        self.paused = True

    def resumeProducing(self) -> None:
        """
        Go on.
        """
        if self.paused:
            self.paused = False
            self.wire.clock.callLater(0, self.push)

    def stopProducing(self) -> None:
        """
        Stop for good.
        """
        self.stopped = True


@implementer(IPullProducer)
class Well:
    """
    Writes one of the pieces each time it is asked.
    """

    def __init__(self, transport: Any, pieces: Sequence[bytes]) -> None:
        self.transport = transport
        self.pieces = list(pieces)
        self.stopped = False

    def resumeProducing(self) -> None:
        """
        Write the next piece; leave after the last.
        """
        self.transport.write(self.pieces.pop(0))
        if not self.pieces:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        """
        Nobody asks any more.
        """
        self.stopped = True


class PausingRecorder(HalfCloseRecorder):
    """
    Pauses its transport with the first octets.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Remember, and pause.
        """
        super().dataReceived(data)
        if len(self.chunks) == 1:
            transport: Any = self.transport
            transport.pauseProducing()


class NotReadyRecorder(HalfCloseRecorder):
    """
    Pauses as soon as it is connected, and after each delivery.
    """

    def connectionMade(self) -> None:
        """
        Pause.
        """
        super().connectionMade()
        transport: Any = self.transport
        transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Remember, and pause.
        """
        super().dataReceived(data)
        transport: Any = self.transport
        transport.pauseProducing()


class BufferRecorder(HalfCloseRecorder):
    """
    Takes views in place of octets (L{xtls.wire.outflow.IBufferProtocol}).
    """

    def bufferReceived(self, view: memoryview) -> None:
        """
        Remember octets.
        """
        self.chunks.append(bytes(view))

    def dataReceived(self, data: bytes) -> None:
        """
        Not for this one.
        """
        self.chunks.append(b"(not a view)")


class FaultyRecorder(HalfCloseRecorder):
    """
    Fails with the first octets.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Remember, and fail.
        """
        super().dataReceived(data)
        raise ZeroDivisionError("a fault of the protocol")


class StreamContract(_Base):
    """
    What every byte stream of ours promises.  Subclasses provide L{stack}.
    """

    #: whether the stream says that it closes, so that one which does not was cut short
    closes: ClassVar[bool] = True

    #: what the streams are connected by
    newWire: ClassVar[Callable[..., Any]] = Wire

    wire: Any
    client: Recorder
    server: Recorder

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        The protocols to put on the wire's client and server, with those of the factories on top.
        """
        raise NotImplementedError

    def stackRefused(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol] | None:
        """
        The same, when at least the client must refuse the server; C{None} where nothing is verified.
        """
        return None

    def connect(
        self,
        client: Recorder | None = None,
        server: Recorder | None = None,
        cuts: Sequence[int] = (READ_SIZE,),
    ) -> None:
        """
        Make a connection, open.
        """
        self.client = HalfCloseRecorder() if client is None else client
        self.server = HalfCloseRecorder() if server is None else server
        self.wire = type(self).newWire(cuts)
        stack = self.stack(self.wire, GivenFactory(self.client), GivenFactory(self.server))
        self.wire.join(*stack)
        self.wire.flush()

    def transport(self, protocol: Recorder) -> Any:
        """
        The stream on one side.
        """
        self.assertIsNotNone(protocol.transport)
        return protocol.transport

    def assertLost(self, protocol: Recorder, *reasons: type[Exception]) -> None:
        """
        A protocol has lost its connection, once, for one of the reasons.
        """
        self.assertEqual(len(protocol.lost), 1)
        self.assertIsNotNone(protocol.lost[0].check(*reasons), protocol.lost[0])

    def assertClosed(self) -> None:
        """
        Both have seen a proper end, once.
        """
        self.assertLost(self.client, ConnectionDone)
        self.assertLost(self.server, ConnectionDone)

    # Opening

    def test_connectedOnce(self) -> None:
        """
        Each protocol is connected once, to a stream that provides what a transport must.
        """
        self.connect()
        for each in (self.client, self.server):
            self.assertEqual((each.made, each.chunks, each.lost), (1, [], []))
            for interface in (ITransport, IConsumer, IPushProducer):
                verifyObject(interface, each.transport)

    def test_addresses(self) -> None:
        """
        The addresses are those of the connection below.
        """
        self.connect()
        self.assertEqual(self.transport(self.client).getPeer(), self.wire.server.getHost())
        self.assertEqual(self.transport(self.client).getHost(), self.wire.client.getHost())
        self.assertEqual(self.transport(self.server).getPeer(), self.wire.client.getHost())
        self.assertEqual(self.transport(self.server).getHost(), self.wire.server.getHost())

    def test_openedOctetByOctet(self) -> None:
        """
        The opening does not depend on how it is cut into segments.
        """
        self.connect(cuts=(1,))
        self.assertEqual((self.client.made, self.server.made), (1, 1))

    def test_notConnectedUntilVerified(self) -> None:
        """
        A protocol whose peer is refused is never connected, the other side never hears from it, and the
        connection ends.
        """
        self.wire = type(self).newWire()
        client, server = Recorder(b"secret"), Recorder()
        stack = self.stackRefused(self.wire, GivenFactory(client), GivenFactory(server))
        if stack is None:
            self.skipTest("nothing is verified on this stream")
        self.wire.join(*stack)
        self.wire.flush()
        self.wire.advance(60)
        self.assertEqual((client.made, client.lost), (0, []))
        self.assertEqual(server.received, b"")
        self.assertFalse(self.wire.client.connected or self.wire.server.connected)

    # Octets

    def test_order(self) -> None:
        """
        What is written arrives, in order, in both directions.
        """
        self.connect()
        pieces = [bytes([i]) * (i * 37 % 300) for i in range(1, 200)]
        for piece in pieces:
            self.transport(self.client).write(piece)
            self.transport(self.server).write(piece[::-1] + b".")
        self.wire.flush()
        self.assertEqual(self.server.received, b"".join(pieces))
        self.assertEqual(self.client.received, b"".join(piece[::-1] + b"." for piece in pieces))

    def test_writeInConnectionMade(self) -> None:
        """
        Either side may speak first, as soon as it is connected.
        """
        self.connect(HalfCloseRecorder(b"from the client"), HalfCloseRecorder(b"from the server"))
        self.assertEqual(self.client.received, b"from the server")
        self.assertEqual(self.server.received, b"from the client")

    def test_emptyWrite(self) -> None:
        """
        To write nothing is nothing: the peer is not called, and the stream goes on.
        """
        self.connect()
        self.transport(self.client).write(b"")
        self.transport(self.client).writeSequence([])
        self.wire.flush()
        self.assertEqual((self.server.chunks, self.server.lost), ([], []))
        self.transport(self.client).write(b"after")
        self.wire.flush()
        self.assertEqual(self.server.received, b"after")

    def test_writeSequence(self) -> None:
        """
        Pieces are written one after the other; an iterator will do.
        """
        self.connect()
        self.transport(self.client).writeSequence([b"one", b"", b"two"])
        self.transport(self.client).writeSequence(iter([b"three"]))
        self.wire.flush()
        self.assertEqual(self.server.received, b"onetwothree")

    def test_octetByOctet(self) -> None:
        """
        However the octets below are cut, those above are the same.
        """
        self.connect(cuts=(1,))
        self.transport(self.client).write(LARGE[:999])
        self.transport(self.server).write(LARGE[1000:1500])
        self.wire.flush()
        self.assertEqual(self.server.received, LARGE[:999])
        self.assertEqual(self.client.received, LARGE[1000:1500])

    def test_large(self) -> None:
        """
        More than all buffers hold, both ways at once and cut at odd places, arrives as it is.
        """
        self.connect(cuts=ODD_CUTS)
        self.transport(self.client).write(LARGE)
        self.transport(self.server).write(LARGE[::-1])
        self.wire.flush()
        self.assertTrue(self.server.received == LARGE)
        self.assertTrue(self.client.received == LARGE[::-1])

    def test_bufferReceived(self) -> None:
        """
        A protocol that takes views is given views.
        """
        self.connect(BufferRecorder(), BufferRecorder())
        self.transport(self.client).write(LARGE[:50000])
        self.transport(self.server).write(b"short")
        self.wire.flush()
        self.assertTrue(self.server.received == LARGE[:50000])
        self.assertEqual(self.client.received, b"short")

    # Closing

    def test_close(self) -> None:
        """
        A close is a proper end for both.
        """
        self.connect(Recorder(), Recorder())
        self.transport(self.server).loseConnection()
        self.wire.flush()
        self.assertClosed()

    def test_closeOfHalfCloseables(self) -> None:
        """
        Protocols that know half-close get a proper end too, when the one answers the other's close.
        """
        self.connect()
        self.transport(self.server).loseConnection()
        self.wire.flush()
        self.transport(self.client).loseConnection()
        self.wire.flush()
        self.assertClosed()

    def test_closeAtOnce(self) -> None:
        """
        When both close at once, both have a proper end.
        """
        self.connect()
        self.transport(self.client).loseConnection()
        self.transport(self.server).loseConnection()
        self.wire.flush()
        self.assertClosed()

    def test_writeThenClose(self) -> None:
        """
        What was written before the close arrives before it, however much it is.
        """
        for data in (b"last words", LARGE):
            self.connect(Recorder(), Recorder(), cuts=ODD_CUTS)
            self.transport(self.client).write(data)
            self.transport(self.client).loseConnection()
            self.wire.flush()
            self.assertTrue(self.server.received == data)
            self.assertClosed()

    def test_lostOnce(self) -> None:
        """
        However often and by whomever a connection is ended, each side loses it once.
        """
        self.connect()
        for each in (self.client, self.server, self.client):
            self.transport(each).loseConnection()
        self.wire.flush()
        transport = self.transport(self.client)
        transport.loseConnection()
        transport.abortConnection()
        self.wire.cut()
        self.wire.advance(60)
        self.assertClosed()

    def test_nothingAfterLoss(self) -> None:
        """
        A stream that is lost takes any call without complaint, and does nothing.
        """
        self.connect(Recorder(), Recorder())
        transports = self.transport(self.client), self.transport(self.server)
        transports[0].loseConnection()
        self.wire.flush()
        for transport in transports:
            transport.write(b"too late")
            transport.writeSequence([b"too late"])
            transport.loseConnection()
            transport.abortConnection()
        self.wire.advance(60)
        self.assertEqual((self.client.received, self.server.received), (b"", b""))
        self.assertClosed()

    def test_closeDeadline(self) -> None:
        """
        A peer that does not answer cannot keep a closed connection.
        """
        self.connect()
        self.wire.held = True
        self.transport(self.client).write(b"last words")
        self.transport(self.client).loseConnection()
        self.wire.advance(60)
        self.assertEqual(len(self.client.lost), 1)
        self.assertFalse(self.wire.client.connected)

    # Half-close

    def test_halfClose(self) -> None:
        """
        One side ends its direction, and the other's answer still arrives.
        """
        for data in (b"a question", LARGE):
            client, server = HalfCloseRecorder(), HalfCloseRecorder()
            self.connect(client, server, cuts=ODD_CUTS)
            self.transport(client).write(data)
            self.transport(client).loseWriteConnection()
            self.wire.flush()
            self.assertTrue(server.received == data)
            self.assertEqual((server.readClosed, server.lost, client.lost), (1, [], []))
            self.transport(server).write(data[::-1])
            self.transport(server).loseConnection()
            self.wire.flush()
            self.assertTrue(client.received == data[::-1])
            self.transport(client).loseConnection()
            self.wire.flush()
            self.assertClosed()

    def test_halfCloseBothWays(self) -> None:
        """
        Each direction ends for itself; when both have, and both let go, that is a proper end.
        """
        client, server = HalfCloseRecorder(), HalfCloseRecorder()
        self.connect(client, server)
        self.transport(server).loseWriteConnection()
        self.wire.flush()
        self.transport(client).write(b"still here")
        self.transport(client).loseWriteConnection()
        self.wire.flush()
        self.assertEqual(server.received, b"still here")
        self.assertEqual((client.readClosed, server.readClosed), (1, 1))
        self.transport(client).loseConnection()
        self.transport(server).loseConnection()
        self.wire.flush()
        self.assertClosed()

    def test_halfCloseNotUnderstood(self) -> None:
        """
        To a protocol that does not know half-close it is the end, a proper one.
        """
        self.connect(HalfCloseRecorder(), Recorder())
        self.transport(self.client).write(b"all")
        self.transport(self.client).loseWriteConnection()
        self.wire.flush()
        self.assertEqual(self.server.received, b"all")
        self.assertLost(self.server, ConnectionDone)
        self.transport(self.client).loseConnection()
        self.wire.flush()
        self.assertClosed()

    # Loss

    def test_abort(self) -> None:
        """
        An abort ends both sides at once, and neither takes it for a proper end.
        """
        self.connect()
        self.transport(self.client).abortConnection()
        self.wire.flush()
        self.assertLost(self.client, ConnectionLost)
        self.assertLost(self.server, ConnectionLost)

    def test_abortDropsOctets(self) -> None:
        """
        What has not gone when a connection is aborted never arrives, and nothing arrives after it.
        """
        self.connect()
        self.transport(self.client).write(LARGE)
        self.transport(self.server).write(b"crossing")
        self.transport(self.client).abortConnection()
        self.wire.flush()
        self.assertLess(len(self.server.received), len(LARGE))
        self.assertEqual(self.client.received, b"")
        self.assertEqual((len(self.client.lost), len(self.server.lost)), (1, 1))

    def test_truncated(self) -> None:
        """
        A stream that ends below without its own close was cut short: what came is delivered, and the end is a
        loss.
        """
        if not self.closes:
            self.skipTest("the end below is this stream's close")
        for recorder in (Recorder, HalfCloseRecorder):
            self.connect(recorder(), recorder())
            self.transport(self.client).write(b"beginning")
            self.wire.flush()
            self.wire.client.unregisterProducer()  # which would hold the end up
            self.wire.client.loseConnection()
            self.wire.flush()
            self.assertEqual(self.server.received, b"beginning")
            self.assertLost(self.server, ConnectionLost)
            self.assertLost(self.client, ConnectionLost)

    def test_lost(self) -> None:
        """
        A connection that is lost below is lost above, on both sides.
        """
        self.connect()
        self.wire.cut()
        self.wire.flush()
        self.assertLost(self.client, ConnectionLost)
        self.assertLost(self.server, ConnectionLost)

    def test_faultyProtocol(self) -> None:
        """
        A protocol that raises loses its connection, once, and the fault is logged.
        """
        self.connect(Recorder(), FaultyRecorder())
        self.transport(self.client).write(b"one")
        self.wire.flush()
        self.transport(self.client).write(b"two")
        self.wire.flush()
        self.wire.advance(60)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.server.received, len(self.server.lost)), (b"one", 1))
        self.assertEqual(len(self.client.lost), 1)

    # Pressure

    def test_pause(self) -> None:
        """
        Nothing arrives while a protocol has paused its stream, and all of it afterwards.
        """
        self.connect()
        transport = self.transport(self.server)
        transport.pauseProducing()
        transport.pauseProducing()
        self.transport(self.client).write(LARGE)
        self.wire.flush()
        self.assertEqual(self.server.chunks, [])
        transport.resumeProducing()
        transport.resumeProducing()
        self.wire.flush()
        self.assertTrue(self.server.received == LARGE)

    def test_pauseInDataReceived(self) -> None:
        """
        A pause takes effect at once, also in the midst of what has arrived together.
        """
        self.connect(server=PausingRecorder())
        for _ in range(20):
            self.transport(self.client).write(LARGE[:999])
        self.wire.flush()
        self.assertEqual(len(self.server.chunks), 1)
        self.transport(self.server).resumeProducing()
        self.wire.flush()
        self.assertTrue(self.server.received == LARGE[:999] * 20)

    def test_pauseInConnectionMade(self) -> None:
        """
        One that pauses as soon as it is connected, until it has a place for octets, gets none before, though
        the peer has spoken at once; and then all of them, and the end, though it pauses again in between.
        """
        for cuts in ((READ_SIZE,), (1,)):
            for sides in ((0, 1), (1, 0)):
                readers = [NotReadyRecorder(), HalfCloseRecorder(b"at once")]
                client, server = (readers[side] for side in sides)
                self.connect(client, server, cuts)
                self.assertEqual(readers[0].chunks, [])
                self.transport(readers[1]).write(b", and later")
                self.transport(readers[1]).loseWriteConnection()
                self.wire.flush()
                self.assertEqual((readers[0].chunks, readers[0].lost), ([], []))
                while len(readers[0].received) < len(b"at once, and later"):
                    before = len(readers[0].chunks)
                    self.transport(readers[0]).resumeProducing()
                    self.wire.flush()
                    self.assertEqual(len(readers[0].chunks), before + 1)
                self.transport(readers[0]).resumeProducing()
                self.wire.flush()
                self.assertEqual((readers[0].received, readers[0].readClosed), (b"at once, and later", 1))

    def test_closeWhilePaused(self) -> None:
        """
        Octets and their end are kept for a protocol that has paused: after it resumes they arrive, in order.
        """
        for server in (Recorder(), PausingRecorder()):
            self.connect(Recorder(), server)
            if type(server) is Recorder:
                self.transport(server).pauseProducing()
            for _ in range(20):
                self.transport(self.client).write(LARGE[:999])
            self.transport(self.client).loseConnection()
            self.wire.flush()
            self.assertEqual(server.lost, [])
            self.transport(server).resumeProducing()
            self.wire.flush()
            self.transport(server).loseConnection()
            self.wire.flush()
            self.assertTrue(server.received == LARGE[:999] * 20)
            self.assertClosed()

    def test_pushProducer(self) -> None:
        """
        A producer is paused while the peer does not read, so that little is kept; it goes on when the peer
        does, and all arrives.
        """
        self.connect()
        self.transport(self.server).pauseProducing()
        flood = Flood(self.transport(self.client), self.wire)
        self.wire.flush()
        self.assertEqual((flood.paused, self.server.chunks), (True, []))
        self.assertLess(flood.sent, len(LARGE) / 2)
        self.transport(self.server).resumeProducing()
        self.wire.flush()
        self.assertTrue(self.server.received == LARGE)

    def test_pullProducer(self) -> None:
        """
        A producer that waits to be asked is asked until it leaves; what it writes arrives in order.
        """
        self.connect()
        pieces = [LARGE[i : i + 5003] for i in range(0, 300000, 5003)]
        transport = self.transport(self.client)
        transport.registerProducer(Well(transport, pieces), False)
        self.wire.flush()
        self.assertTrue(self.server.received == b"".join(pieces))

    def test_oneProducer(self) -> None:
        """
        A second producer is refused; after the first has left, another is welcome.
        """
        self.connect()
        transport = self.transport(self.client)
        first, second = Well(transport, [b""]), Well(transport, [b""])
        transport.registerProducer(first, True)
        self.assertRaises(RuntimeError, transport.registerProducer, second, True)
        transport.unregisterProducer()
        transport.registerProducer(second, True)
        transport.unregisterProducer()

    def test_producerStopped(self) -> None:
        """
        A producer is told to stop when the connection is lost; one that comes later, at once.
        """
        self.connect()
        transport = self.transport(self.client)
        early, late = Well(transport, [b""]), Well(transport, [b""])
        transport.registerProducer(early, True)
        self.wire.cut()
        self.wire.flush()
        transport.registerProducer(late, True)
        self.assertEqual((early.stopped, late.stopped), (True, True))

    def test_closeWaitsForProducer(self) -> None:
        """
        A close waits until the producer has left, and what it wrote meanwhile arrives.
        """
        self.connect(Recorder(), Recorder())
        transport = self.transport(self.client)
        flood = Flood(transport, self.wire)
        transport.loseConnection()
        self.wire.flush()
        self.assertEqual(flood.sent, len(LARGE))
        self.assertTrue(self.server.received == LARGE)
        self.assertClosed()
