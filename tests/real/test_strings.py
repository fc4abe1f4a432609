"""
Endpoint strings over real sockets: one port, and every kind of client.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from typing import Any

from twisted.internet import endpoints
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectingCancelledError, ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure

from tests.support.identity import authorityFile, serverFile
from tests.support.loopback import Asker, LoopbackTestCase
from tests.support.wires import GivenFactory
from xtls.config.definitions import optionNamed
from xtls.config.options import TLSOptions
from xtls.endpoints.strings import clientFromString, enableStockSSL, quoteValue, serverFromString
from xtls.errors import PeerVerificationError
from xtls.trust.verification import Reason

CERT, CA_CERTS = (optionNamed(TLSOptions, attribute).name for attribute in ("cert", "caCerts"))

#: No protocol's first octets, and longer than any buffer.
QUESTION = b"\0" + random.Random(7).randbytes(300_000)


class Silent(Protocol):
    """
    A server that listens to what is said, and says nothing.

    @ivar said: fires when something is said.
    @ivar gone: fires when the peer has gone.
    """

    def __init__(self) -> None:
        self.said: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """
        Something was said.
        """
        if not self.said.called:
            self.said.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The peer has gone.
        """
        self.gone.callback(None)


class StringsTests(LoopbackTestCase):
    """
    A server and clients made of strings understand each other.
    """

    async def listen(self, wrapped: str = "tcp:0:interface=127.0.0.1") -> Any:
        """
        Listen with a port that leads to an echo.

        @return: the port.
        """
        text = f"xtls:{wrapped}:{CERT}={quoteValue(serverFile(self))}"
        port = await serverFromString(self.reactor, text).listen(Factory.forProtocol(Echo))
        self.closing(port)
        return port

    async def ask(self, endpoint: Any) -> None:
        """
        Connect, send, have it come back, and close in order.
        """
        asker = await connectProtocol(endpoint, Asker(QUESTION))
        self.assertEqual(await asker.answered, QUESTION)
        self.assertIsInstance(await asker.ended, ConnectionDone)

    async def test_everyClient(self) -> None:
        """
        Raw, ssl, ws and wss clients, as strings and as URLs, through one port.
        """
        number = (await self.listen()).getHost().port
        path = authorityFile(self)
        for text in (
            f"tcp:127.0.0.1:{number}",
            f"xtls:tcp:localhost:{number}",
            f"ws:127.0.0.1:{number}",
            f"ssl:localhost:{number}:{CA_CERTS}={quoteValue(path)}",
            f"wss:127.0.0.1:{number}:{CA_CERTS}={quoteValue(path)}",
            f"ssl://127.0.0.1:{number}/?{CA_CERTS}={path}",
            f"wss://localhost:{number}/path?{CA_CERTS}={path}",
            f"ws://localhost:{number}/",
        ):
            await self.ask(clientFromString(self.reactor, text))

    async def test_twisted(self) -> None:
        """
        Twisted's own functions reach the same through C{xtls:}.
        """
        text = f"xtls:tcp:0:interface=127.0.0.1:{CERT}={quoteValue(serverFile(self))}"
        port = await endpoints.serverFromString(self.reactor, text).listen(Factory.forProtocol(Echo))
        place = f"localhost:{self.closing(port)}:{CA_CERTS}={quoteValue(authorityFile(self))}"
        for prefix in ("xtls:ssl", "xtls:wss", "wss"):
            await self.ask(endpoints.clientFromString(self.reactor, f"{prefix}:{place}"))
        self.addCleanup(enableStockSSL())
        await self.ask(endpoints.clientFromString(self.reactor, f"ssl:{place}"))

    async def test_unix(self) -> None:
        """
        Over a Unix socket: raw and ws; and TLS, where it is treated as TCP is.
        """
        folder = tempfile.mkdtemp()  # of a short name, as sockets need
        self.addCleanup(shutil.rmtree, folder)
        path = f"{folder}/socket"
        await self.listen(f"unix:{quoteValue(path)}:mode=tcp")
        await self.ask(clientFromString(self.reactor, f"xtls:unix:{quoteValue(path)}"))
        carrier = quoteValue(f"unix:{path}")
        await self.ask(clientFromString(self.reactor, f"ws:localhost:endpoint={carrier}"))
        ca = f"{CA_CERTS}={quoteValue(authorityFile(self))}"
        await self.ask(clientFromString(self.reactor, f"ssl:localhost:endpoint={carrier}:{ca}"))

    async def test_ipv6(self) -> None:
        """
        Over IPv6, by address.
        """
        number = (await self.listen("tcp6:0:interface=\\:\\:1")).getHost().port
        ca = f"{CA_CERTS}={quoteValue(authorityFile(self))}"
        await self.ask(clientFromString(self.reactor, f"wss:\\:\\:1:{number}:{ca}"))

    async def test_refused(self) -> None:
        """
        A server that nobody vouches for is refused, and the application never exists.
        """
        number = (await self.listen()).getHost().port
        for prefix in ("ssl", "wss", "xtls:ssl"):
            asker = Asker(QUESTION)
            connecting = connectProtocol(
                clientFromString(self.reactor, f"{prefix}:localhost:{number}"), asker
            )
            error = await self.assertFailure(connecting, PeerVerificationError)
            self.assertEqual(error.refusal.reason, Reason.UNKNOWN_CA)
            self.assertIsNone(asker.transport)
            await self.quiet()

    async def test_cancel(self) -> None:
        """
        Cancelled in the middle of a handshake, a client is gone, and the server sees it go.
        """
        silent = Silent()
        listening = endpoints.TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        number = self.closing(await listening.listen(GivenFactory(silent)))
        asker = Asker(b"")
        connecting = connectProtocol(clientFromString(self.reactor, f"ssl:127.0.0.1:{number}"), asker)
        await silent.said
        connecting.cancel()
        await self.assertFailure(connecting, ConnectingCancelledError)
        await silent.gone
        self.assertIsNone(asker.transport)
