"""
A port on this machine, each connection of which leads to the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import (
    CannotListenError,
    ConnectionRefusedError,
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.memory import WiredReactor
from tests.support.wires import Recorder, Wire
from xtls.config.portoptions import PortOptions
from xtls.errors import OptionError
from xtls.programs.localport import ReportingEndpoint, forwardTo, listenLocally, runWithPort


@implementer(IStreamClientEndpoint)
class GivenEndpoint:
    """
    An endpoint that does what the test says.

    @ivar connected: the factories with which it was asked to connect.
    """

    def __init__(self, result: Deferred[IProtocol]) -> None:
        self._result = result
        self.connected: list[IProtocolFactory] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Remember the factory.
        """
        self.connected.append(protocolFactory)
        return self._result


class _ProcessTransport:
    """
    A process that the test ends.
    """

    def __init__(self) -> None:
        self.signals: list[str] = []
        self.exited = False

    def signalProcess(self, name: str) -> None:
        """
        Remember the signal.
        """
        if self.exited:
            raise ProcessExitedAlready
        self.signals.append(name)


class SpawningReactor(WiredReactor):
    """
    A reactor that remembers which processes it was to start.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[tuple[Any, str, Sequence[str], Mapping[int, int]]] = []

    def spawnProcess(
        self,
        process: Any,
        executable: str,
        args: Sequence[str],
        env: None,
        childFDs: Mapping[int, int],
    ) -> None:
        """
        Remember the process.
        """
        process.makeConnection(_ProcessTransport())
        self.spawned.append((process, executable, args, childFDs))


class ReportingEndpointTests(SynchronousTestCase):
    """
    L{ReportingEndpoint}.
    """

    def test_reported(self) -> None:
        """
        A failure is told, and is a failure for the caller as well.
        """
        told: list[Failure] = []
        endpoint = ReportingEndpoint(GivenEndpoint(fail(ConnectionRefusedError())), told.append)
        verifyObject(IStreamClientEndpoint, endpoint)
        self.failureResultOf(endpoint.connect(Factory()), ConnectionRefusedError)
        self.assertTrue(told[0].check(ConnectionRefusedError))

    def test_connected(self) -> None:
        """
        A success is passed on.
        """
        told: list[Failure] = []
        protocol = Protocol()
        endpoint = ReportingEndpoint(GivenEndpoint(succeed(protocol)), told.append)
        self.assertIs(self.successResultOf(endpoint.connect(Factory())), protocol)
        self.assertEqual(told, [])


class ForwardTests(SynchronousTestCase):
    """
    L{forwardTo}.
    """

    def test_forward(self) -> None:
        """
        A connection gets one of its own to the target, for which all steps together have time.
        """
        wire = Wire()
        pending: Deferred[IProtocol] = Deferred()
        target = GivenEndpoint(pending)
        options = PortOptions(connectTimeout=1.0, handshakeTimeout=2.0, websocketTimeout=3.0)
        session = forwardTo(wire.clock, target, options, "ssl://host:1/")
        client = Recorder()
        wire.join(client, session.buildProtocol(None))
        self.assertEqual(len(target.connected), 1)
        wire.advance(5.9)
        self.assertEqual(client.lost, [])
        pending.addErrback(lambda failure: failure.trap(CancelledError))
        wire.advance(0.2)
        self.assertEqual(len(client.lost), 1)


class ListenTests(SynchronousTestCase):
    """
    L{listenLocally}.
    """

    def test_listen(self) -> None:
        """
        It listens where the string says, and says where that is.
        """
        reactor = MemoryReactorClock()
        session = Factory()
        place = self.successResultOf(listenLocally(reactor, "tcp:5901:interface=127.0.0.1", session))
        self.assertEqual(place, "0.0.0.0:5901")  # what this reactor answers, whatever the interface
        port, factory, _, interface = reactor.tcpServers[0]
        self.assertEqual((port, factory, interface), (5901, session, "127.0.0.1"))

    def test_wrongStrings(self) -> None:
        """
        A string that cannot be understood is refused by the name of the option.
        """
        for text in ("nonsense:1", "tcp", "tcp:x", "tcp:1:nothing=2", "xtls:", ""):
            error = self.assertRaises(OptionError, listenLocally, MemoryReactorClock(), text, Factory())
            self.assertEqual(error.option, "listen", text)
            self.assertNotIn("_", error.problem, "a name of Python's")

    def test_taken(self) -> None:
        """
        A port that is taken is a failure.
        """

        class Taken(MemoryReactorClock):
            def listenTCP(self, *arguments: Any, **keywords: Any) -> Any:
                raise CannotListenError("127.0.0.1", 5901, OSError("taken"))

        self.failureResultOf(listenLocally(Taken(), "tcp:5901", Factory()), CannotListenError)


class RunTests(SynchronousTestCase):
    """
    L{runWithPort}.
    """

    def setUp(self) -> None:
        self.reactor = SpawningReactor()

    def start(self, *command: str) -> tuple[Deferred[int], Any]:
        """
        Run a command.

        @return: its status, and its process protocol.
        """
        status = runWithPort(self.reactor, command or ("sh", "-c", "{port}"), Factory())
        return status, self.reactor.spawned[0][0]

    def test_port(self) -> None:
        """
        The command is run with the port in its words, and with our standard input, output and error.
        """
        self.start("sh", "x{port}:{port}", "plain")
        _, executable, words, descriptors = self.reactor.spawned[0]
        port, _, _, interface = self.reactor.tcpServers[0][:4]
        self.assertEqual((port, interface), (0, "127.0.0.1"))
        self.assertTrue(executable.endswith("/sh"))
        self.assertEqual((words, descriptors), (["sh", "x0:0", "plain"], {0: 0, 1: 1, 2: 2}))

    def test_status(self) -> None:
        """
        The status is that of the command, as a shell has it.
        """
        for reason, expected in (
            (ProcessDone(0), 0),
            (ProcessTerminated(exitCode=3), 3),
            (ProcessTerminated(signal=15), 143),
        ):
            self.reactor.spawned.clear()
            status, process = self.start()
            self.assertNoResult(status)
            process.processEnded(Failure(reason))
            self.assertEqual(self.successResultOf(status), expected)

    def test_noSuchProgram(self) -> None:
        """
        A program that does not exist is refused before anything listens.
        """
        error = self.assertRaises(
            OptionError, runWithPort, self.reactor, ("no-such-program-here", "{port}"), Factory()
        )
        self.assertEqual((error.option, self.reactor.tcpServers), ("no-such-program-here", []))

    def test_cancelled(self) -> None:
        """
        When we are asked to end, so is the command; what becomes of it then is its own affair.
        """
        status, process = self.start()
        status.cancel()
        self.failureResultOf(status, CancelledError)
        self.assertEqual(process.transport.signals, ["TERM"])
        process.processEnded(Failure(ProcessDone(0)))

    def test_cancelledTooLate(self) -> None:
        """
        A command that has just ended needs no signal.
        """
        status, process = self.start()
        process.transport.exited = True
        status.cancel()
        self.failureResultOf(status, CancelledError)
