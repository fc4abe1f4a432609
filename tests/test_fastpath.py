"""
Which ports have a fast path.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authorityFile, serverFile
from tests.support.pairs import Scene
from xtls.config.definitions import Layer, resolve
from xtls.config.modes import Mode
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.port.upgradeable import UpgradeableFactory
from xtls.port.upgrades import Route
from xtls.sessions.echo import EchoFactory
from xtls.sessions.fastpath import FastPath
from xtls.sessions.forward import ForwardFactory
from xtls.sessions.pair import Pair
from xtls.trust.contexts import ServerConnectionCreator
from xtls.wire.connecting import SocketEndpoint
from xtls.wire.openssl import DirectRecords
from xtls.wire.records import PublicRecords


class FastPathTests(SynchronousTestCase):
    """
    L{FastPath.of}: there is one only where nothing else would be done with a connection.
    """

    def setUp(self) -> None:
        self.scene = Scene(self, fast=True)

    def of(self, **more: Any) -> FastPath | None:
        """
        The fast path of a port that differs from an ordinary one.
        """
        reactor = more.pop("reactor", self.scene.reactor)
        port = self.scene.factory.port
        options = more.pop("options", None)
        if options is not None:
            more["policy"] = replace(port.policy, options=PortOptions(**options))
        if "mode" in more:
            more["policy"] = replace(port.policy, mode=more.pop("mode"))
        return FastPath.of(reactor, UpgradeableFactory(replace(port, **more)))

    def forward(self, endpoint: Any) -> ForwardFactory:
        """
        What leads to an endpoint.
        """
        clock: Any = self.scene.reactor
        return ForwardFactory(endpoint, 10.0, clock)

    def creator(self, **more: Any) -> ServerConnectionCreator:
        """
        What makes TLS connections.
        """
        return ServerConnectionCreator.fromOptions(TLSOptions(cert=(serverFile(self),), **more))

    def test_ordinary(self) -> None:
        """
        A port with TLS that forwards to this machine has one, whatever its mode.
        """
        for mode in (Mode.TCP, Mode.SSL, Mode.WS, Mode.WSS):
            self.assertIsInstance(self.of(mode=mode), FastPath)
        for switch in (SSLSwitch.ON, SSLSwitch.AUTO, SSLSwitch.TCP):
            self.assertIsInstance(self.of(options={"ssl": switch}), FastPath)
        near = SocketEndpoint(self.scene.reactor, socket.AF_INET6, ("::1", 1, 0, 0), 1.0)
        self.assertIsInstance(self.of(session=self.forward(near)), FastPath)

    def test_otherReactors(self) -> None:
        """
        A reactor must be one that has descriptors.
        """
        self.assertIsNone(self.of(reactor=Clock()))

    def test_noTLS(self) -> None:
        """
        Without TLS, or where it is not looked for, there is none.
        """
        self.assertIsNone(self.of(tls=None))
        self.assertIsNone(self.of(options={"ssl": SSLSwitch.OFF}))
        self.assertIsNone(self.of(options={"sslUpgrade": False}))
        self.assertIsNone(self.of(mode=Mode.UNIX))

    def test_certificatesOfClients(self) -> None:
        """
        Where clients are asked for certificates, be it under one name, the general way sees to it.
        """
        for mode in (None, VerifyMode.OPTIONAL, VerifyMode.REQUIRED):
            asking = self.creator(caCerts=authorityFile(self), clientVerifyMode=mode)
            self.assertIsNone(self.of(tls=asking))
        self.assertIsInstance(self.of(tls=self.creator()), FastPath)
        for said, fast in (("required", False), ("optional", False), ("none", True)):
            text = f"b.test,ssl-ca-certs={authorityFile(self)},ssl-client-verify-mode={said}"
            named = resolve(TLSOptions, Layer("test", {"ssl-sni": text})).sni
            self.assertIs(self.of(tls=self.creator(sni=named)) is not None, fast)

    def test_otherCreators(self) -> None:
        """
        TLS connections that somebody else makes are somebody else's.
        """

        class Other(ServerConnectionCreator):
            pass

        self.assertIsNone(self.of(tls=Other(TLSOptions(cert=(serverFile(self),)))))

    def test_pages(self) -> None:
        """
        Where all that is inside TLS is for pages, or is refused, nothing of it is for the session.
        """
        self.assertIsNone(self.of(options={"ssl": SSLSwitch.WWW}))
        self.assertIsNone(self.of(options={"ssl": SSLSwitch.WWW, "websocketUpgrade": False}))

    def test_otherSessions(self) -> None:
        """
        The session must be a forward, to an address on this machine.
        """
        clock: Any = self.scene.reactor
        self.assertIsNone(self.of(session=None))
        self.assertIsNone(self.of(session=EchoFactory()))
        far = SocketEndpoint(self.scene.reactor, socket.AF_INET, ("192.0.2.1", 1), 1.0)
        self.assertIsNone(self.of(session=self.forward(far)))
        self.assertIsNone(self.of(session=self.forward(TCP4ClientEndpoint(clock, "server.test", 1))))

    def test_records(self) -> None:
        """
        OpenSSL must be called directly.
        """
        factory = self.scene.factory
        tls: Any = factory.next(Route.TLS)
        tls.records = PublicRecords
        self.assertIsNone(FastPath.of(self.scene.reactor, factory))
        tls.records = DirectRecords
        self.assertIsInstance(FastPath.of(self.scene.reactor, factory), FastPath)

    def test_accepted(self) -> None:
        """
        A connection is counted, and its first octets are waited for.
        """
        self.scene.connect()
        self.assertIsInstance(self.scene.pair, Pair)
        self.assertEqual(self.scene.reactor.getReaders(), [self.scene.pair])
        self.assertEqual((self.scene.tally.total, self.scene.tally.now), (1, 1))
        (call,) = self.scene.reactor.getDelayedCalls()
        self.assertEqual(call.getTime(), self.scene.factory.port.options.detectTimeout)

    def test_notServed(self) -> None:
        """
        Where the reactor takes no more descriptors, the connection is not counted.
        """

        def full(reader: object) -> None:
            raise OSError("no room")

        self.scene.reactor.addReader = full  # type: ignore[method-assign]
        self.assertRaises(OSError, self.scene.connect)
        self.assertEqual((self.scene.tally.total, self.scene.tally.now), (0, 0))

    def test_whereItIs(self) -> None:
        """
        Log lines say how a connection got to the session.
        """
        for mode, path in ((Mode.TCP, "tcp>tls>session"), (Mode.SSL, "ssl>tls>session")):
            fast = self.of(mode=mode)
            assert fast is not None
            self.assertEqual(fast.path, path)
            self.assertFalse(fast.decided)
