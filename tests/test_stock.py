"""
Twisted's own C{clientFromString}, taught our keywords on request.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import endpoints
from twisted.internet.endpoints import HostnameEndpoint, SSL4ClientEndpoint, clientFromString
from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory import WiredReactor
from xtls.config.definitions import optionNamed
from xtls.config.options import TLSOptions
from xtls.endpoints.client import TLSClientEndpoint
from xtls.endpoints.stock import enableStockSSL, stockSSLClient
from xtls.errors import OptionError, StockParserChanged

#: A string of Twisted's, and one of ours.
STOCK = "ssl:server.test:10000:timeout=3"
OURS = f"{STOCK}:{optionNamed(TLSOptions, 'checkHostname').name}=yes"


def entries() -> tuple[Any, Any]:
    """
    What Twisted's tables have now.
    """
    return endpoints._clientParsers["SSL"], endpoints._endpointClientFactories["SSL"]


class EnableStockSSLTests(SynchronousTestCase):
    """
    L{enableStockSSL}.
    """

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.before = entries()
        self.addCleanup(self.restore)

    def restore(self) -> None:
        """
        Put Twisted's tables back, whatever a test did to them.
        """
        endpoints._clientParsers["SSL"], endpoints._endpointClientFactories["SSL"] = self.before

    def test_notOnImport(self) -> None:
        """
        Nothing has changed before it is called: our strings are errors.
        """
        self.assertRaises(TypeError, clientFromString, self.reactor, OURS)

    def test_ours(self) -> None:
        """
        Once enabled, a C{ssl:} string with a keyword of ours is ours, in any case of its prefix.
        """
        enableStockSSL()
        for text in (OURS, "SSL" + OURS[3:]):
            endpoint = clientFromString(self.reactor, text)
            self.assertIsInstance(endpoint, TLSClientEndpoint)
            self.assertIsInstance(endpoint.wrapped, HostnameEndpoint)

    def test_oursWrong(self) -> None:
        """
        A keyword of ours that is misspelled is refused as such.
        """
        enableStockSSL()
        error = self.assertRaises(OptionError, clientFromString, self.reactor, f"{STOCK}:ssl-ca-crts=x")
        self.assertEqual(error.option, "ssl-ca-crts")

    def test_stock(self) -> None:
        """
        Every other C{ssl:} string has its stock meaning, and its stock errors.
        """
        enableStockSSL()
        self.assertIs(type(clientFromString(self.reactor, STOCK)), SSL4ClientEndpoint)
        self.assertIs(type(clientFromString(self.reactor, "ssl:host=h:port=1")), SSL4ClientEndpoint)
        self.assertRaises(TypeError, clientFromString, self.reactor, f"{STOCK}:nonesuch=1")

    def test_carried(self) -> None:
        """
        No string can pretend to have been read already.
        """
        enableStockSSL()
        self.assertRaises(TypeError, clientFromString, self.reactor, f"{STOCK}:xtlsDescription=1")

    def test_idempotent(self) -> None:
        """
        Enabling it twice is enabling it once.
        """
        enableStockSSL()
        once = entries()
        enableStockSSL()
        self.assertEqual(entries(), once)

    def test_undo(self) -> None:
        """
        What is returned puts back what was there; doing so twice does nothing.
        """
        undo = enableStockSSL()
        undo()
        self.assertEqual(entries(), self.before)
        undo()
        self.assertEqual(entries(), self.before)
        self.assertRaises(TypeError, clientFromString, self.reactor, OURS)

    def test_changed(self) -> None:
        """
        A Twisted that keeps its parsers elsewhere is refused by the name of what is missing, and left alone.
        """
        for name, value in (
            ("_clientParsers", None),
            ("_clientParsers", {}),
            ("_endpointClientFactories", {"SSL": "ssl"}),
            ("_endpointClientFactories", ()),
        ):
            patch = self.patch(endpoints, name, value)
            error = self.assertRaises(StockParserChanged, enableStockSSL)
            self.assertEqual(error.name, name)
            patch.restore()
            self.assertEqual(entries(), self.before)

    def test_changedMeanwhile(self) -> None:
        """
        When somebody else has replaced one of our entries, undoing it would undo theirs: refused.
        """
        for name in ("_clientParsers", "_endpointClientFactories"):
            undo = enableStockSSL()
            table = getattr(endpoints, name)
            table["SSL"] = theirs = lambda *args, **kwargs: None
            error = self.assertRaises(StockParserChanged, undo)
            self.assertEqual((error.name, table["SSL"]), (name, theirs))
            self.restore()


class StockSSLClientTests(SynchronousTestCase):
    """
    L{stockSSLClient}.
    """

    def test_stock(self) -> None:
        """
        It makes what Twisted makes, whether or not our keywords are enabled.
        """
        undo = enableStockSSL()
        self.addCleanup(undo)
        for _ in range(2):
            endpoint = stockSSLClient(WiredReactor(), ("server.test", "10000"), {"timeout": "3"})
            self.assertIs(type(endpoint), SSL4ClientEndpoint)
            undo()
