"""
From an endpoint description to an endpoint.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import authority, authorityFile, serverFile
from tests.support.memory import WiredReactor
from tests.support.wires import GivenFactory, Recorder
from xtls.config.modes import Mode
from xtls.config.options import OPTIONS
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.endpoints.description import Description, quoteValue
from xtls.endpoints.parsers import clientFromDescription, hasOurKeyword, serverFromDescription
from xtls.errors import OptionError
from xtls.port.pages import AttachPage, Directory

#: How options are spelled, by attribute.
NAMES = {option.attribute: name for name, option in OPTIONS.items()}


class HasOurKeywordTests(SynchronousTestCase):
    """
    L{hasOurKeyword} tells our strings from Twisted's.
    """

    def test_ours(self) -> None:
        """
        Every option of TLS is ours, and so is one that is misspelled.
        """
        for name in (*OPTIONS, "ssl-nonsense"):
            self.assertTrue(hasOurKeyword([name]), name)

    def test_theirs(self) -> None:
        """
        Twisted's keywords are Twisted's, also those that mean the same as an option.
        """
        stock = ("host", "port", "timeout", "bindAddress", "certKey", "privateKey", "caCertsDir", "hostname")
        self.assertFalse(hasOurKeyword(stock))


class ParserTests(SynchronousTestCase):
    """
    What the tests of both sides have in common.
    """

    parse: Any

    def setUp(self) -> None:
        self.reactor = WiredReactor()
        self.patch(os, "environ", {**os.environ, "XTLS_SSL_CERT_PATHS": "/nonexistent"})

    def endpoint(self, text: str) -> Any:
        """
        The endpoint for a description.
        """
        return type(self).parse(self.reactor, Description.parse(text))

    def refused(self, text: str) -> tuple[str, str]:
        """
        What is wrong, and where, in a description that is refused.
        """
        error = self.assertRaises(OptionError, self.endpoint, text)
        return error.option, error.source


class ClientTests(ParserTests):
    """
    L{clientFromDescription}.
    """

    parse = staticmethod(clientFromDescription)

    def connected(self, text: str) -> tuple[Any, ...]:
        """
        Where the endpoint for a description connects to: host, port, deadline, address to connect from.
        """
        self.endpoint(text).connect(GivenFactory(Recorder()))
        host, port, _, timeout, bindAddress = self.reactor.tcpClients[-1]
        return host, port, timeout, bindAddress

    def test_modes(self) -> None:
        """
        The prefix is the mode, in any case.
        """
        self.assertIsInstance(self.endpoint("tcp:server.test:1"), HostnameEndpoint)
        self.assertIsInstance(self.endpoint("ssl:server.test:1"), TLSClientEndpoint)
        self.assertIsInstance(self.endpoint("WSS:server.test:1"), WebSocketClientEndpoint)
        self.assertIsInstance(self.endpoint("ws:server.test:1"), WebSocketClientEndpoint)
        self.assertEqual(self.refused("http:server.test:1"), ("endpoint", "endpoint string"))
        self.assertEqual(self.refused("ssh:server.test:1"), ("target", "endpoint string"))

    def test_place(self) -> None:
        """
        Host and port are arguments or keywords; the port may be left out.
        """
        for text, place in (
            ("tcp:127.0.0.1:1", ("127.0.0.1", 1)),
            ("tcp:host=127.0.0.1:port=1", ("127.0.0.1", 1)),
            ("tcp:host=127.0.0.1:1", ("127.0.0.1", 1)),
            ("tcp:127.0.0.1:port=1", ("127.0.0.1", 1)),
            ("ssl:127.0.0.1", ("127.0.0.1", 443)),
            ("ws:127.0.0.1", ("127.0.0.1", 80)),
        ):
            self.assertEqual(self.connected(text)[:2], place, text)

    def test_addressWithColons(self) -> None:
        """
        The colons of an IPv6 address are quoted; brackets around it are tolerated.
        """
        for text in ("tcp:\\:\\:1:7", "tcp:[\\:\\:1]:7", "tcp:port=7:host=\\:\\:1"):
            self.assertEqual(repr(self.endpoint(text)), "<HostnameEndpoint [::1]:7>")

    def test_wrongPlace(self) -> None:
        """
        Too many arguments, no host, no such port, no such host.
        """
        for text, option in (
            ("ssl:::1:10000", "endpoint"),
            ("ssl", "endpoint"),
            ("ssl:port=1", "endpoint"),
            ("ssl:server.test:0", "port"),
            ("ssl:server.test:http", "port"),
            ("ssl:a b:1", "host"),
            ("ssl:host=a:host=b:1", "host"),
        ):
            self.assertEqual(self.refused(text), (option, "endpoint string"), text)

    def test_unix(self) -> None:
        """
        A Unix socket is a path.
        """
        for text in ("unix:/run/x", "socket:/run/x", "unix:path=/run/x"):
            self.endpoint(text).connect(GivenFactory(Recorder()))
            self.assertEqual(self.reactor.unixClients[-1][0], "/run/x")
        self.assertEqual(self.refused("unix"), ("endpoint", "endpoint string"))

    def test_twistedKeywords(self) -> None:
        """
        C{timeout} and C{bindAddress} mean what they mean to Twisted.
        """
        self.assertEqual(
            self.connected("ssl:127.0.0.1:1:timeout=3:bindAddress=127.0.0.2"),
            ("127.0.0.1", 1, 3.0, ("127.0.0.2", 0)),
        )

    def test_path(self) -> None:
        """
        The path is what a WebSocket is asked for by.
        """
        self.assertEqual(self.endpoint("ws:h:1:path=/a b").url, "ws://h:1/a%20b")
        self.assertEqual(self.endpoint("ws:h:1:path=x").url, "ws://h:1/x")
        self.assertEqual(self.endpoint("wss:h:1").url, "wss://h:1/")

    def test_carrier(self) -> None:
        """
        C{endpoint} says over what: any client endpoint of Twisted's.
        """
        endpoint = self.endpoint("ssl:server.test:1:endpoint=tcp\\:192.0.2.1\\:2")
        self.assertIsInstance(endpoint.wrapped, TCP4ClientEndpoint)

    def test_options(self) -> None:
        """
        Options are read as everywhere, also in Twisted's spelling.
        """
        path = quoteValue(authorityFile(self))
        for name in (NAMES["caCerts"], "ssl-ca-cert", "caCertsDir"):
            self.assertIsInstance(self.endpoint(f"ssl:h:1:{name}={path}"), TLSClientEndpoint)
            self.assertEqual(self.refused(f"ssl:h:1:{name}=/nonexistent")[1], "endpoint string")
        for name in ("handshake-timeout", "timeout"):
            self.assertEqual(self.refused(f"ssl:h:1:{name}=soon")[1], "endpoint string")

    def test_data(self) -> None:
        """
        C{=} needs no quoting in a value; a colon does.
        """
        data = quoteValue(f"0x{authority().pem.hex()}")
        self.assertIsInstance(self.endpoint(f"ssl:h:1:{NAMES['caData']}={data}"), TLSClientEndpoint)

    def test_unknown(self) -> None:
        """
        An option that does not exist, or is for servers, is refused.
        """
        self.assertEqual(self.refused("ssl:h:1:ssl-ca-crts=x"), ("ssl-ca-crts", "endpoint string"))
        self.assertEqual(self.refused("ssl:h:1:interface=x"), ("interface", "endpoint string"))
        self.assertEqual(self.refused("ssl:h:1:detect-timeout=1"), ("detect-timeout", "endpoint string"))

    def test_needsTLS(self) -> None:
        """
        An option of TLS is refused where there is none.
        """
        name = NAMES["checkHostname"]
        for text in ("tcp:h:1", "ws:h:1", "unix:/run/x"):
            self.assertEqual(self.refused(f"{text}:{name}=yes"), (name, "endpoint string"))


class ServerTests(ParserTests):
    """
    L{serverFromDescription}.
    """

    parse = staticmethod(serverFromDescription)

    def listening(self, text: str) -> Any:
        """
        What the endpoint for a description listens with: Twisted's words for it.
        """
        self.successResultOf(self.endpoint(text).listen(GivenFactory(Recorder())))
        return (self.reactor.unixServers or self.reactor.tcpServers)[-1]

    def certificate(self) -> str:
        """
        The keyword that names a certificate.
        """
        return f"{NAMES['cert']}={quoteValue(serverFile(self))}"

    def test_wrapped(self) -> None:
        """
        What is not ours reaches the endpoint that is wrapped.
        """
        port, _, backlog, interface = self.listening("tcp:10000:interface=127.0.0.1:backlog=7")
        self.assertEqual((port, backlog, interface), (10000, 7, "127.0.0.1"))
        port, _, _, interface = self.listening("tcp6:10000:interface=\\:\\:1:detect-timeout=3")
        self.assertEqual((port, interface), (10000, "::1"))

    def test_quoted(self) -> None:
        """
        It is quoted again on its way.
        """
        self.assertEqual(self.listening("unix:/run/a\\:b\\=c\\\\d")[0], "/run/a:b=c\\d")

    def test_mode(self) -> None:
        """
        The mode is tcp unless said otherwise.
        """
        certificate = self.certificate()
        for text, mode in (
            ("tcp:10000", Mode.TCP),
            ("tcp:10000:mode=ws", Mode.WS),
            (f"tcp:10000:mode=WSS:{certificate}", Mode.WSS),
            ("ws:10000", Mode.WS),
            (f"ssl:10000:{certificate}", Mode.SSL),
            (f"wss:10000:mode=wss:{certificate}", Mode.WSS),
            ("unix:/run/x", Mode.UNIX),
            ("unix:/run/x:mode=tcp", Mode.TCP),
            ("unix:/run/x:mode=socket", Mode.UNIX),
        ):
            self.assertEqual(self.endpoint(text).mode, mode, text)

    def test_overTCP(self) -> None:
        """
        A string that begins with a mode listens with TCP.
        """
        self.assertEqual(self.listening("ws:10000:interface=127.0.0.1")[3], "127.0.0.1")

    def test_wrongMode(self) -> None:
        """
        A mode that does not exist, or that contradicts the prefix, is refused.
        """
        for text in ("tcp:1:mode=http", "ws:1:mode=tcp", "tcp:1:mode=ws:mode=tcp", "unix:/run/x:mode=rw"):
            self.assertEqual(self.refused(text), ("mode", "endpoint string"), text)

    def test_permissions(self) -> None:
        """
        The mode of a Unix socket, in digits, is its permissions, beside a mode of ours.
        """
        path, _, _, permissions, _ = self.listening("unix:/run/x:mode=660")
        self.assertEqual((path, permissions), ("/run/x", 0o660))
        endpoint = self.endpoint("unix:/run/x:mode=660:mode=ws")
        self.assertEqual(endpoint.mode, Mode.WS)

    def test_unixHasNoTLS(self) -> None:
        """
        Options of TLS on a Unix socket are refused, unless it is asked to be treated as TCP is.
        """
        certificate = self.certificate()
        self.assertEqual(self.refused(f"unix:/run/x:{certificate}"), (NAMES["cert"], "endpoint string"))
        self.assertIsNotNone(self.endpoint(f"unix:/run/x:mode=tcp:{certificate}").tls)

    def test_options(self) -> None:
        """
        Options are read as everywhere, also in Twisted's spelling.
        """
        self.assertEqual(self.endpoint("tcp:1:detect-timeout=500ms").options.detectTimeout, 0.5)
        path = quoteValue(serverFile(self))
        self.assertIsNotNone(self.endpoint(f"tcp:1:certKey={path}").tls)
        self.assertEqual(self.refused("tcp:1:detect-timeout=soon"), ("detect-timeout", "endpoint string"))
        self.assertEqual(self.refused("tcp:1:detect-timeut=1"), ("detect-timeut", "endpoint string"))
        name = NAMES["checkHostname"]
        self.assertEqual(self.refused(f"tcp:1:{name}=yes"), (name, "endpoint string"))

    def test_certificates(self) -> None:
        """
        A certificate may be named twice, for a choice by name.
        """
        self.assertIsNotNone(self.endpoint(f"tcp:1:{self.certificate()}:{self.certificate()}").tls)

    def test_pages(self) -> None:
        """
        There are no pages, unless a directory of them is named, or none for our own; one that is not there
        is refused.
        """
        self.assertIsNone(self.endpoint("tcp:1").site)
        self.assertIsInstance(self.endpoint("tcp:1:www-dir=").site, AttachPage)
        self.assertIsInstance(self.endpoint("tcp:1:www-dir=.").site, Directory)
        self.assertEqual(self.refused("tcp:1:www-dir=/nonexistent"), ("www-dir", "endpoint string"))

    def test_wrongTCP(self) -> None:
        """
        What Twisted does not understand is an error of the string.
        """
        for text in (
            "tcp:x",
            "tcp",
            "tcp:1:interfaces=x",
            "nonesuch:1",
            "systemd:domain=INET:index=7:name=x",
        ):
            self.assertEqual(self.refused(text), ("endpoint", "endpoint string"), text)

    def test_nested(self) -> None:
        """
        An error of a string inside stays what it is.
        """
        self.assertEqual(self.refused("xtls"), ("xtls", "endpoint string"))
