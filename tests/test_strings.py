"""
Endpoint strings: the functions that read them, and what the plugins call.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Any

from twisted.internet import endpoints
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ClientEndpoint,
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import xtls
from tests.support.identity import authority, serverFile, serverPair
from tests.support.memory import WiredReactor
from tests.support.wires import GivenFactory, Recorder
from xtls.config.definitions import Layer, optionNamed
from xtls.config.modes import Mode
from xtls.config.options import OPTIONS, TLSOptions
from xtls.config.portoptions import PortOptions
from xtls.endpoints import strings
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.endpoints.server import UpgradeableServerEndpoint
from xtls.endpoints.strings import clientFromString, parseClient, parseServer, quoteValue, serverFromString
from xtls.errors import OptionError
from xtls.trust.certificates import toPEM

CERT, CA_DATA, VERIFY = (
    optionNamed(TLSOptions, attribute).name for attribute in ("cert", "caData", "serverVerifyMode")
)


class ClientFromStringTests(SynchronousTestCase):
    """
    L{clientFromString}.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()

    def endpoint(self, text: str) -> Any:
        """
        The endpoint for a string.
        """
        return clientFromString(self.reactor, text)

    def test_ours(self) -> None:
        """
        C{ssl}, C{wss}, C{ws} and C{xtls} are ours, in any case, and need no keyword of ours for it.
        """
        for text, kind in (
            ("ssl:server.test:10000", TLSClientEndpoint),
            ("SSL:server.test:10000", TLSClientEndpoint),
            ("wss:server.test:10000", WebSocketClientEndpoint),
            ("ws:server.test:10000", WebSocketClientEndpoint),
            ("xtls:ssl:server.test:10000", TLSClientEndpoint),
            ("xtls:tcp:server.test:10000", HostnameEndpoint),
            ("XTLS:unix:/run/x", UNIXClientEndpoint),
        ):
            self.assertIsInstance(self.endpoint(text), kind, text)

    def test_theirs(self) -> None:
        """
        All others are Twisted's.
        """
        for text, kind in (
            ("tcp:server.test:10000", TCP4ClientEndpoint),
            ("unix:/run/x", UNIXClientEndpoint),
            ("unix://run/x", UNIXClientEndpoint),
        ):
            self.assertIs(type(self.endpoint(text)), kind, text)
        self.assertRaises(ValueError, self.endpoint, "nonesuch:server.test:1")

    def test_defaults(self) -> None:
        """
        Options that stand beside a string hold where it does not say otherwise; a string that they cannot be
        about is refused with their name and their place.
        """
        beside = Layer("command line", {"ssl-protocol": "SSLv3"})
        for text in ("ssl:server.test:1", "xtls:wss:server.test:1", "ssl://server.test:1/"):
            error = self.assertRaises(OptionError, clientFromString, self.reactor, text, beside)
            self.assertEqual((error.option, error.source), ("ssl-protocol", "command line"))
        for text in ("tcp:server.test:1", "unix:/run/x", "ws:server.test:1", "ws://server.test:1/"):
            error = self.assertRaises(OptionError, clientFromString, self.reactor, text, beside)
            self.assertEqual((error.option, error.source), ("ssl-protocol", "command line"))
        for text in ("ssl:server.test:1:ssl-protocol=TLS", "ssl://server.test:1/?ssl-protocol=TLS"):
            self.assertIsInstance(clientFromString(self.reactor, text, beside), TLSClientEndpoint)

    def test_urls(self) -> None:
        """
        URLs of targets are ours.
        """
        for text, kind in (
            ("ssl://server.test:10000/", TLSClientEndpoint),
            ("xpra+wss://server.test:10000/", WebSocketClientEndpoint),
            ("ws://server.test/", WebSocketClientEndpoint),
            ("tcp://server.test:10000/", HostnameEndpoint),
            ("socket:///run/x", UNIXClientEndpoint),
        ):
            self.assertIsInstance(self.endpoint(text), kind, text)

    def test_urlOptions(self) -> None:
        """
        Options follow a URL's question mark, and are the word of whoever wrote the string.
        """
        endpoint = self.endpoint("ssl://server.test/?handshake-timeout=3")
        self.assertEqual(endpoint.options.handshakeTimeout, 3.0)
        self.assertIsInstance(self.endpoint(f"ssl://server.test/?{VERIFY}=none"), TLSClientEndpoint)
        error = self.assertRaises(OptionError, self.endpoint, "ssl://server.test/?ssl-nonsense=1")
        self.assertEqual((error.option, error.source), ("ssl-nonsense", "URL"))

    def test_nothingInside(self) -> None:
        """
        The prefix alone is no endpoint.
        """
        error = self.assertRaises(OptionError, self.endpoint, "xtls")
        self.assertEqual(error.option, "xtls")


class ServerFromStringTests(SynchronousTestCase):
    """
    L{serverFromString}.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.patch(os, "environ", {**os.environ, "XTLS_SSL_CERT_PATHS": "/nonexistent"})
        self.path = quoteValue(serverFile(self))

    def endpoint(self, text: str) -> Any:
        """
        The endpoint for a string.
        """
        return serverFromString(self.reactor, text)

    def test_ours(self) -> None:
        """
        C{xtls}, C{wss} and C{ws} are ours; C{ssl} is, with an option of ours.
        """
        for text, mode in (
            ("xtls:tcp:10000", Mode.TCP),
            (f"XTLS:tcp:10000:mode=wss:{CERT}={self.path}", Mode.WSS),
            ("ws:10000", Mode.WS),
            (f"wss:10000:{CERT}={self.path}", Mode.WSS),
            (f"ssl:10000:{CERT}={self.path}", Mode.SSL),
        ):
            endpoint = self.endpoint(text)
            self.assertIsInstance(endpoint, UpgradeableServerEndpoint, text)
            self.assertEqual(endpoint.mode, mode, text)

    def test_theirs(self) -> None:
        """
        All others are Twisted's.
        """
        self.assertIs(type(self.endpoint("tcp:10000")), TCP4ServerEndpoint)
        stock = self.endpoint(f"ssl:10000:privateKey={self.path}:certKey={self.path}")
        self.assertIs(type(stock), SSL4ServerEndpoint)

    def test_nothingInside(self) -> None:
        """
        The prefix alone is no endpoint.
        """
        error = self.assertRaises(OptionError, self.endpoint, "xtls:mode=ws")
        self.assertEqual(error.option, "xtls")


class PluginTests(SynchronousTestCase):
    """
    What Twisted's own functions make of our prefixes.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.patch(os, "environ", {**os.environ, "XTLS_SSL_CERT_PATHS": "/nonexistent"})

    def test_clients(self) -> None:
        """
        Twisted's C{clientFromString} reaches C{xtls}, C{wss} and C{ws}.
        """
        for text, kind in (
            ("xtls:ssl:server.test:10000", TLSClientEndpoint),
            ("wss:server.test:10000", WebSocketClientEndpoint),
            ("ws:server.test:10000", WebSocketClientEndpoint),
        ):
            self.assertIsInstance(endpoints.clientFromString(self.reactor, text), kind, text)

    def test_servers(self) -> None:
        """
        Twisted's C{serverFromString} reaches C{xtls}.
        """
        endpoint = endpoints.serverFromString(self.reactor, "xtls:tcp:10000:mode=ws")
        self.assertIsInstance(endpoint, UpgradeableServerEndpoint)
        self.assertIsInstance(parseServer(self.reactor, ("tcp", "1"), {}), UpgradeableServerEndpoint)

    def test_interfaces(self) -> None:
        """
        The plugins are what Twisted looks for.
        """
        for interface, prefixes in (
            (IStreamClientEndpointStringParserWithReactor, {"ssl", "wss", "ws", "xtls"}),
            (IStreamServerEndpointStringParser, {"xtls"}),
        ):
            plugins: list[Any] = list(getPlugins(interface))
            found = [each for each in plugins if type(each).__module__.endswith("xtls_plugin")]
            self.assertEqual({each.prefix for each in found}, prefixes)
            for each in found:
                verifyObject(interface, each)

    def test_sslIsMerciful(self) -> None:
        """
        The plugin C{ssl} leaves a stock string its stock meaning, and takes those with keywords of ours.
        """
        arguments = ("server.test", "10000")
        stock = parseClient(self.reactor, "ssl", arguments, {"timeout": "3"})
        self.assertIs(type(stock), SSL4ClientEndpoint)
        ours = parseClient(self.reactor, "ssl", arguments, {CA_DATA: f"0x{authority().pem.hex()}"})
        self.assertIsInstance(ours, TLSClientEndpoint)

    def test_others(self) -> None:
        """
        The others have no such mercy: C{xtls:ssl} verifies without being told to.
        """
        self.assertIsInstance(
            parseClient(self.reactor, "xtls", ("ssl", "server.test", "1"), {}), TLSClientEndpoint
        )

    def test_all(self) -> None:
        """
        Everything that is offered is there.
        """
        for name in strings.__all__:
            self.assertTrue(hasattr(strings, name), name)


class TogetherTests(SynchronousTestCase):
    """
    A server and a client, each made of a string.
    """

    def test_connected(self) -> None:
        """
        They understand each other, in each mode of the client.
        """
        self.patch(os, "environ", {**os.environ, "XTLS_SSL_CERT_PATHS": "/nonexistent"})
        reactor = WiredReactor()
        listening = f"xtls:tcp:10000:{CERT}={quoteValue(serverFile(self))}"
        data = f"{CA_DATA}=0x{authority().pem.hex()}"
        for text in (
            "xtls:tcp:127.0.0.1:10000",
            f"ssl:127.0.0.1:10000:{data}",
            f"ssl://127.0.0.1:10000/?{data}",
            "ws:127.0.0.1:10000",
            f"wss:127.0.0.1:10000:{data}",
        ):
            session, client = Recorder(b"welcome"), Recorder(b"\0\1 hello, hello, hello, hello")
            serverFromString(reactor, listening).listen(GivenFactory(session))
            connecting = clientFromString(reactor, text).connect(GivenFactory(client))
            reactor.answer()
            self.assertIs(self.successResultOf(connecting), client)
            self.assertEqual((client.received, session.received), (b"welcome", client.greeting), text)


class ReferenceTests(SynchronousTestCase):
    """
    docs/reference/strings.md is true.
    """

    def setUp(self) -> None:
        self.text = (Path(xtls.__file__).parent.parent / "docs/reference/strings.md").read_text("utf-8")
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "ca.pem").write_bytes(authority().pem)
        (folder / "cert.pem").write_bytes(toPEM(serverPair()))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        self.patch(os, "environ", {**os.environ, "XTLS_SSL_CERT_PATHS": "/nonexistent"})

    def examples(self, mark: str) -> list[str]:
        """
        The strings of a block, by the mark before it.
        """
        found = re.search(rf"<!-- {mark}:[^>]*-->\n```text\n(.*?)```", self.text, re.DOTALL)
        assert found is not None, mark
        data = quoteValue("base64:" + base64.b64encode(authority().pem).decode())
        return found[1].replace("CA-DATA", data).splitlines()

    def test_clients(self) -> None:
        """
        Each example of a client is an endpoint, and those that end in an error do.
        """
        reactor = WiredReactor()
        for text in self.examples("client strings"):
            verifyObject(IStreamClientEndpoint, clientFromString(reactor, text))
        for text in self.examples("refused client strings"):
            self.assertRaises(OptionError, clientFromString, reactor, text)

    def test_servers(self) -> None:
        """
        The same for servers.
        """
        reactor = WiredReactor()
        for text in self.examples("server strings"):
            self.assertIsInstance(serverFromString(reactor, text), UpgradeableServerEndpoint)
        for text in self.examples("refused server strings"):
            self.assertRaises(OptionError, serverFromString, reactor, text)

    def test_stockKeywords(self) -> None:
        """
        The table of Twisted's spellings has all of them, and what they mean.
        """
        section = self.text.partition("## Twisted's keywords")[2].partition("\n## ")[0]
        table = dict(re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|$", section, re.MULTILINE))
        stock = {each.stock: name for name, each in OPTIONS.items() if each.stock}
        self.assertEqual(table, {**stock, "timeout": optionNamed(PortOptions, "connectTimeout").name})
