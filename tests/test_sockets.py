"""
Sockets of streams: what Twisted's own do, and what differs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReadWriteDescriptor,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.contract import LARGE, StreamContract, Well, differs
from tests.support.polled import PolledReactor, PolledWire, loopback, unixPair
from tests.support.wires import HalfCloseRecorder, Recorder, Wire
from xtls.trust.certificates import toPEM
from xtls.trust.issuing import selfSigned
from xtls.wire.deadlines import deadlinesOf
from xtls.wire.sockets import StreamSocket, addressOf

#: What makes a transport of a socket, the address of its peer, a reactor and a protocol.
Kind = Callable[[socket.socket, Any, Any, Any], Any]


def stock(sock: socket.socket, peer: Any, reactor: Any, protocol: Any) -> tcp.Server:
    """
    Twisted's own.
    """
    nobody: Any = None
    return tcp.Server(sock, protocol, peer, nobody, 0, reactor)


class StreamSocketStreamTests(StreamContract, SynchronousTestCase):
    """
    Both ends of a pair of Unix sockets.  (TCP is in C{tests/real}.)
    """

    closes = False
    newWire = PolledWire

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        The protocols themselves.
        """
        ends = [factory.buildProtocol(wire.server.getHost()) for factory in (client, server)]
        assert ends[0] is not None and ends[1] is not None
        return ends[0], ends[1]

    test_closeDeadline = differs(StreamContract.test_closeDeadline, "waits as long as the kernel")
    test_bufferReceived = differs(StreamContract.test_bufferReceived, "knows no views")
    test_abort = differs(StreamContract.test_abort, "ends in order: Unix sockets have no reset")
    test_writeSequence = differs(StreamContract.test_writeSequence, "takes lists only, as Twisted's own")


class Case(SynchronousTestCase):
    """
    A transport of either kind, and a socket that is its peer.
    """

    def open(self, kind: Kind, protocol: Recorder | None = None) -> None:
        """
        Connect them.
        """
        self.reactor = PolledReactor()
        self.peer, sock = loopback()
        self.addCleanup(self.peer.close)
        self.addCleanup(sock.close)
        self.protocol = Recorder() if protocol is None else protocol
        self.transport = kind(sock, sock.getpeername(), self.reactor, self.protocol)
        self.transport.startReading()
        self.protocol.makeConnection(self.transport)

    def turns(self) -> None:
        """
        Let happen what can.
        """
        self.reactor.rest()

    def heard(self) -> tuple[bytes, str]:
        """
        What the peer gets, and whether that is all.
        """
        octets = b""
        while True:
            self.turns()
            try:
                more = self.peer.recv(65536)
            except BlockingIOError:
                return octets, "open"
            except ConnectionResetError:
                return octets, "reset"
            if not more:
                return octets, "end"
            octets += more

    def told(self) -> tuple[bytes, int, int, list[Any]]:
        """
        What the protocol was told: octets, ends of directions, and how the connection was lost.
        """
        read, write = (getattr(self.protocol, name, 0) for name in ("readClosed", "writeClosed"))
        return self.protocol.received, read, write, [each.type for each in self.protocol.lost]

    def alike(self, scenario: Callable[[], Any], protocol: type[Recorder] = Recorder) -> Any:
        """
        Do the same with Twisted's transport and with ours.

        @return: what has come of it with both.
        """
        outcomes = []
        for kind in (stock, StreamSocket):
            self.open(kind, protocol())
            outcome = scenario(), self.heard(), self.told()
            self.peer.close()
            self.turns()
            outcomes.append((outcome, self.told()))
            self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
            self.assertEqual(self.timers(), [])
        self.assertEqual(outcomes[0], outcomes[1])
        return outcomes[1][0]

    def timers(self) -> list[Any]:
        """
        The calls that the reactor is to make.
        """
        return list(self.reactor.getDelayedCalls())


class LoseConnectionTests(Case):
    """
    C{loseConnection}.
    """

    def test_idle(self) -> None:
        """
        With nothing to send, it closes in the next turn, without being written to: not before it returns.
        """
        self.open(StreamSocket)
        self.transport.loseConnection()
        self.assertEqual(self.told(), (b"", 0, 0, []))
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.reactor.advance(0)
        self.assertEqual(self.told(), (b"", 0, 0, [ConnectionDone]))
        self.assertEqual((self.heard(), self.timers()), ((b"", "end"), []))

    def test_asTwisted(self) -> None:
        """
        Twice, it closes once.
        """

        def scenario() -> None:
            self.transport.loseConnection()
            self.transport.loseConnection()

        for protocol in (Recorder, HalfCloseRecorder):
            self.assertEqual(
                self.alike(scenario, protocol), (None, (b"", "end"), (b"", 0, 0, [ConnectionDone]))
            )

    def test_buffered(self) -> None:
        """
        What was written goes first, little or much.
        """
        for data in (b"last words", LARGE):

            def scenario(data: bytes = data) -> None:
                self.transport.writeSequence([data[:1], data[1:]])
                self.transport.loseConnection()

            _, heard, told = self.alike(scenario)
            self.assertTrue(heard == (data, "end"))
            self.assertEqual(told, (b"", 0, 0, [ConnectionDone]))

    def test_writtenAfterwards(self) -> None:
        """
        What is written afterwards, in the same turn, still goes.
        """

        def scenario() -> None:
            self.transport.loseConnection()
            self.transport.write(b"one more thing")

        self.assertEqual(
            self.alike(scenario), (None, (b"one more thing", "end"), (b"", 0, 0, [ConnectionDone]))
        )

    def test_producer(self) -> None:
        """
        It waits for a producer that is asked for more, until that leaves; also for one that comes in the same
        turn.
        """
        for late in (False, True):

            def scenario(late: bool = late) -> list[bytes]:
                if late:
                    self.transport.loseConnection()
                producer = Well(self.transport, [b"", b"in the midst, ", b"at the end"])
                self.transport.registerProducer(producer, False)
                self.transport.loseConnection()
                return producer.pieces

            self.assertEqual(
                self.alike(scenario),
                ([], (b"in the midst, at the end", "end"), (b"", 0, 0, [ConnectionDone])),
            )

    def test_inDataReceived(self) -> None:
        """
        In the midst of a delivery, it closes after that; octets that come later are not delivered, and do not
        make a reset of the peer's end.
        """

        class Closing(Recorder):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                transport: Any = self.transport
                transport.loseConnection()
                self.chunks.append(str(len(self.lost)).encode("ascii"))

        def scenario() -> None:
            self.peer.send(b"one")
            self.reactor.turn()
            self.peer.send(b"two")

        self.assertEqual(
            self.alike(scenario, Closing), (None, (b"", "end"), (b"one0", 0, 0, [ConnectionDone]))
        )

    def test_afterHalfClose(self) -> None:
        """
        After the end of our own direction it closes as well.
        """

        def scenario() -> None:
            self.transport.loseWriteConnection()
            self.turns()
            self.transport.loseConnection()

        self.assertEqual(
            self.alike(scenario, HalfCloseRecorder), (None, (b"", "end"), (b"", 0, 1, [ConnectionDone]))
        )

    def test_lostMeanwhile(self) -> None:
        """
        When the connection is lost before it could be closed, that is its only end; later calls do nothing.
        """
        self.open(StreamSocket)
        self.transport.loseConnection()
        self.transport.connectionLost(Failure(CONNECTION_LOST))
        self.turns()
        self.transport.loseConnection()
        self.transport.loseWriteConnection()
        self.transport.abortConnection()
        self.transport.write(b"too late")
        self.turns()
        self.assertEqual(self.told(), (b"", 0, 0, [ConnectionLost]))
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))

    def test_resume(self) -> None:
        """
        A connection that is being closed is not read again by C{resumeProducing}.
        """

        def scenario() -> None:
            self.transport.pauseProducing()
            self.transport.loseConnection()
            self.transport.resumeProducing()
            self.assertEqual(self.reactor.readers, set())

        self.alike(scenario)


class AbortTests(Case):
    """
    C{abortConnection}.
    """

    def test_reset(self) -> None:
        """
        The peer gets a reset, and not what was written; the protocol hears of it in the next turn.
        """

        def scenario() -> Any:
            self.transport.write(b"never sent")
            self.transport.abortConnection()
            self.transport.abortConnection()
            return self.told()

        self.assertEqual(
            self.alike(scenario), ((b"", 0, 0, []), (b"", "reset"), (b"", 0, 0, [ConnectionAborted]))
        )

    def test_afterLose(self) -> None:
        """
        An abort is stronger than a close, whichever comes first, and whatever was written in between.
        """
        for data in (b"", b"never sent"):

            def scenario(data: bytes = data) -> None:
                self.transport.loseConnection()
                self.transport.write(data)
                self.transport.abortConnection()
                self.transport.loseConnection()

            self.assertEqual(self.alike(scenario), (None, (b"", "reset"), (b"", 0, 0, [ConnectionAborted])))


class HalfCloseTests(Case):
    """
    C{loseWriteConnection}, and the peer's end.
    """

    def test_atOnce(self) -> None:
        """
        With nothing to send, the direction ends at once; reading goes on, and writes go nowhere.
        """
        self.open(StreamSocket, HalfCloseRecorder())
        self.transport.loseWriteConnection()
        self.assertEqual((self.peer.recv(1), self.told()), (b"", (b"", 0, 1, [])))
        self.transport.write(b"too late")
        self.peer.send(b"answer")
        self.turns()
        self.assertEqual(self.told(), (b"answer", 0, 1, []))

    def test_buffered(self) -> None:
        """
        What was written goes first, little or much.
        """
        for data in (b"", b"last words", LARGE):

            def scenario(data: bytes = data) -> Any:
                self.transport.write(data)
                self.transport.loseWriteConnection()
                heard = self.heard()
                self.peer.send(b"answer")
                return heard

            outcome = self.alike(scenario, HalfCloseRecorder)
            self.assertTrue(outcome == ((data, "end"), (b"", "end"), (b"answer", 0, 1, [])))

    def test_twice(self) -> None:
        """
        Asked twice, before or after it has ended, it ends once.
        """
        self.open(StreamSocket, HalfCloseRecorder())
        self.transport.write(b"all")
        for _ in range(2):
            self.transport.loseWriteConnection()
            self.transport.loseWriteConnection()
            self.assertEqual(self.heard()[1], "end")
        self.assertEqual(self.told(), (b"", 0, 1, []))

    def test_producer(self) -> None:
        """
        A producer that is asked for more is waited for, as on Twisted's own.
        """

        def scenario() -> Any:
            producer = Well(self.transport, [b"", b"in the midst", b"at the end"])
            self.transport.registerProducer(producer, False)
            self.transport.loseWriteConnection()
            return producer.pieces

        self.assertEqual(
            self.alike(scenario, HalfCloseRecorder),
            ([], (b"in the midstat the end", "end"), (b"", 0, 1, [])),
        )

    def test_afterLose(self) -> None:
        """
        After C{loseConnection} there is no half-close: the protocol hears of the whole end only.
        """

        def scenario() -> None:
            self.transport.loseConnection()
            self.transport.loseWriteConnection()

        self.assertEqual(
            self.alike(scenario, HalfCloseRecorder), (None, (b"", "end"), (b"", 0, 0, [ConnectionDone]))
        )

    def test_peerEnds(self) -> None:
        """
        A protocol that knows half-close hears of the peer's end; to another, it is the end of all.
        """

        def scenario() -> None:
            self.peer.send(b"all")
            self.peer.shutdown(socket.SHUT_WR)

        self.assertEqual(self.alike(scenario, HalfCloseRecorder), (None, (b"", "open"), (b"all", 1, 0, [])))
        self.assertEqual(
            self.alike(scenario, Recorder), (None, (b"", "end"), (b"all", 0, 0, [ConnectionDone]))
        )

    def test_faulty(self) -> None:
        """
        A protocol that raises when it hears of an end loses its connection, once, for that reason.
        """

        class Faulty(HalfCloseRecorder):
            def writeConnectionLost(self) -> None:
                raise ZeroDivisionError("a fault of the protocol")

            readConnectionLost = writeConnectionLost

        for scenario in (lambda: self.transport.loseWriteConnection(), lambda: self.peer.shutdown(1)):
            _, _, told = self.alike(scenario, Faulty)
            self.assertEqual(told, (b"", 0, 0, [ZeroDivisionError]))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class LossTests(Case):
    """
    C{connectionLost}.
    """

    def test_reset(self) -> None:
        """
        A peer's reset is a loss.
        """

        def scenario() -> None:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.peer.close()

        for kind in (stock, StreamSocket):
            self.open(kind)
            scenario()
            self.turns()
            self.assertEqual(self.told(), (b"", 0, 0, [ConnectionLost]))

    def test_producerStopped(self) -> None:
        """
        A producer is stopped, and one that comes later too.
        """
        self.open(StreamSocket)
        early, late = Well(self.transport, []), Well(self.transport, [])
        self.transport.registerProducer(early, True)
        self.transport.connectionLost(Failure(CONNECTION_DONE))
        self.transport.registerProducer(late, True)
        self.assertEqual((early.stopped, late.stopped), (True, True))
        self.assertIsNone(self.transport.producer)

    def test_nothingLeft(self) -> None:
        """
        Whoever still holds the transport finds no socket and no protocol, but may ask for its name.
        """
        self.open(StreamSocket)
        self.transport.connectionLost(Failure(CONNECTION_DONE))
        self.assertEqual(self.transport.fileno(), -1)
        for name in ("socket", "protocol"):
            self.assertFalse(hasattr(self.transport, name))
        self.assertEqual(self.transport.logPrefix(), "NoneType,-1")
        self.assertEqual(self.transport.getPeer().port, self.peer.getsockname()[1])

    def test_whenGone(self) -> None:
        """
        Who wants to know is told, once, when the protocol was, even if that raises.
        """

        class Faulty(Recorder):
            def connectionLost(self, reason: Any = None) -> None:
                super().connectionLost(reason)
                raise ZeroDivisionError("a fault of the protocol")

        calls: list[int] = []
        for protocol in (Recorder(), Faulty()):
            self.open(StreamSocket, protocol)
            self.transport.whenGone = lambda protocol=protocol: calls.append(len(protocol.lost))
            reason = Failure(CONNECTION_DONE)
            if isinstance(protocol, Faulty):
                self.assertRaises(ZeroDivisionError, self.transport.connectionLost, reason)
            else:
                self.transport.connectionLost(reason)
            self.transport.connectionLost(reason)
        self.assertEqual(calls, [1, 1])

    def test_othersClosed(self) -> None:
        """
        When one protocol raises as it is told, other connections that end in the same turn end all the same.
        """

        class Faulty(Recorder):
            def connectionLost(self, reason: Any = None) -> None:
                raise ZeroDivisionError("a fault of the protocol")

        self.open(StreamSocket, Faulty())
        other = Recorder()
        peer, sock = loopback()
        self.addCleanup(peer.close)
        second = StreamSocket(sock, sock.getpeername(), self.reactor, other)
        for each in (self.transport, second):
            each.loseConnection()
        self.assertRaises(ZeroDivisionError, self.turns)
        self.turns()
        self.assertEqual(len(other.lost), 1)


class TLSTests(Case):
    """
    C{startTLS}, Twisted's.
    """

    def setUp(self) -> None:
        certificate = PrivateCertificate.loadPEM(toPEM(selfSigned(["localhost"])))
        reactor = PolledReactor()
        self.protocols = HalfCloseRecorder(), HalfCloseRecorder()
        self.ends = []
        for sock, protocol in zip(loopback(), self.protocols):
            transport: Any = StreamSocket(sock, sock.getpeername(), reactor, protocol)
            transport.startReading()
            protocol.makeConnection(transport)
            self.ends.append(transport)
        self.reactor = reactor
        client, server = self.ends
        server.startTLS(certificate.options())
        client.startTLS(CertificateOptions(), False)  # which is the other side than it would be
        self.turns()

    def test_writtenAndClosed(self) -> None:
        """
        What was written before a close arrives, and the close is one of TLS: a proper end for both.
        """
        client, server = self.ends
        client.write(b"secret")
        client.write(LARGE)
        client.loseConnection()
        self.turns()
        self.assertTrue(self.protocols[1].received == b"secret" + LARGE)
        server.loseConnection()
        self.turns()
        for each in self.protocols:
            self.assertEqual([reason.type for reason in each.lost], [ConnectionDone])

    def test_closedByBoth(self) -> None:
        """
        When both close, both have a proper end.
        """
        for each in self.ends:
            each.loseConnection()
            each.loseConnection()
        self.turns()
        for each in self.protocols:
            self.assertEqual([reason.type for reason in each.lost], [ConnectionDone])

    def test_halfClose(self) -> None:
        """
        The end of one direction leaves TLS a turn, in which it sends what it has gathered.
        """
        self.ends[0].loseWriteConnection()
        self.assertIn(self.ends[0], self.reactor.writers)
        self.assertFalse(self.ends[0]._writeDisconnected)
        self.turns()
        self.assertTrue(self.ends[0]._writeDisconnected)
        for each in self.ends:
            each.abortConnection()
        self.turns()


class NamesTests(Case):
    """
    Addresses, options, and what it says of itself.
    """

    def test_interfaces(self) -> None:
        """
        It provides what Twisted's does.
        """
        self.open(StreamSocket)
        for interface in (ITCPTransport, ITLSTransport, IConsumer, IPushProducer, IReadWriteDescriptor):
            verifyObject(interface, self.transport)
        self.assertIs(self.transport.getHandle(), self.transport.socket)

    def test_addresses(self) -> None:
        """
        Both addresses are those of the system, for IPv4 and for IPv6.
        """
        self.open(StreamSocket)
        self.assertEqual(self.transport.getPeer(), IPv4Address("TCP", *self.peer.getsockname()))
        self.assertEqual(self.transport.getHost(), IPv4Address("TCP", *self.peer.getpeername()))
        client, server = loopback(socket.AF_INET6)
        self.addCleanup(client.close)
        self.addCleanup(server.close)
        transport: Any = StreamSocket(server, server.getpeername(), self.reactor)
        self.assertEqual(transport.getPeer(), IPv6Address("TCP", "::1", client.getsockname()[1]))
        self.assertEqual(transport.getHost(), IPv6Address("TCP", "::1", client.getpeername()[1]))

    def test_scope(self) -> None:
        """
        An IPv6 address of one link names the interface.
        """
        name = socket.if_indextoname(1)
        self.assertEqual(addressOf(("fe80::1", 443, 0, 1)), IPv6Address("TCP", f"fe80::1%{name}", 443, 0, 1))

    def test_unix(self) -> None:
        """
        Unix sockets have a path, or a name that is no path, or nothing.
        """
        self.assertEqual(addressOf("/run/socket"), UNIXAddress(b"/run/socket"))
        self.assertEqual(addressOf(b"\0abstract"), UNIXAddress(b"\0abstract"))
        sock, _ = ends = unixPair()
        for each in ends:
            self.addCleanup(each.close)
        transport = StreamSocket(sock, sock.getpeername(), PolledReactor())
        self.assertEqual((transport.getPeer(), transport.getHost()), (UNIXAddress(None), UNIXAddress(None)))

    def test_noDelay(self) -> None:
        """
        The option is what was asked for last; where it is known to be set, the system is not asked again.
        """
        self.open(StreamSocket)
        asked = self.transport.socket
        for enabled in (True, False, True):
            self.transport.setTcpNoDelay(enabled)
            self.assertIs(self.transport.getTcpNoDelay(), enabled)
        asked.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, False)  # behind its back
        self.transport.setTcpNoDelay(True)
        self.assertIs(self.transport.getTcpNoDelay(), False)

    def test_noDelayInherited(self) -> None:
        """
        An option that somebody else has set can be taken back.
        """
        self.open(StreamSocket)
        self.transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.transport.setTcpNoDelay(False)
        self.assertIs(self.transport.getTcpNoDelay(), False)

    def test_noDelayOfUnix(self) -> None:
        """
        Unix sockets have no such option: nothing happens, and nothing is logged.
        """
        sock, _ = ends = unixPair()
        for each in ends:
            self.addCleanup(each.close)
        transport = StreamSocket(sock, sock.getpeername(), PolledReactor())
        transport.sendsAtOnce = True  # as for one that has connected
        for enabled in (True, False):
            transport.setTcpNoDelay(enabled)
            self.assertIs(transport.getTcpNoDelay(), False)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_keepAlive(self) -> None:
        """
        It can be had, as on Twisted's.
        """
        self.open(StreamSocket)
        self.transport.setTcpKeepAlive(True)
        self.assertIs(self.transport.getTcpKeepAlive(), True)

    def test_names(self) -> None:
        """
        It is named by its protocol, its descriptor and its peer.
        """
        self.open(StreamSocket)
        self.assertEqual(self.transport.logPrefix(), f"Recorder,{self.transport.fileno()}")
        self.assertEqual(repr(self.transport), f"<StreamSocket {self.peer.getsockname()!r}>")

    def test_nothingRead(self) -> None:
        """
        A new one is connected, and waits for nothing before it is told to.
        """
        sock, _ = ends = unixPair()
        for each in ends:
            self.addCleanup(each.close)
        reactor = PolledReactor()
        transport = StreamSocket(sock, sock.getpeername(), reactor)
        self.assertEqual((transport.connected, reactor.readers, reactor.writers), (1, set(), set()))
        self.assertIsNone(transport.protocol)
        clock: Any = reactor
        self.assertEqual(deadlinesOf(clock)._queues, {})
