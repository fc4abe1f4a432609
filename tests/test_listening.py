"""
The addresses that a port is bound to.
"""

from __future__ import annotations

import os
import socket

from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint, serverFromString
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from tests.support.randoms import mutations, randomTexts
from xtls.config.listening import (
    BINDINGS,
    IPv6,
    ListenAddress,
    parseBind,
    supportedIPv6,
)
from xtls.config.modes import Mode
from xtls.config.portoptions import SSLSwitch, resolveBoth
from xtls.errors import OptionError

#: What addresses are made of.
WORDS = (
    *(
        "*",
        ":",
        "10000",
        "0",
        "127.0.0.1",
        "[::1]",
        "::1",
        "localhost",
        ",",
        ",",
        "=",
        "(",
        ")",
        "@x",
        "/run/x",
    ),
    *(
        "ssl=www",
        "ssl-cert=/a",
        "ssl-key-password=hush",
        "ws=no",
        "detect-timeout=5s",
        "ssl-check-hostname=no",
    ),
)


class ParseBindTests(SynchronousTestCase):
    """
    L{parseBind}.
    """

    def refused(self, option: str, text: str, told: str = "", source: str = "command line") -> str:
        """
        The problem with an address that cannot be used.
        """
        error = self.assertRaises(OptionError, parseBind, option, text)
        self.assertEqual((error.option, error.source), (told or option, source), text)
        self.assertNotIn("hush", str(error))
        return str(error.problem)

    def test_addresses(self) -> None:
        """
        A port alone, or with no host, is on this machine only; C{*} is everywhere; IPv6 needs brackets only
        where it would be unclear without.
        """
        for text, host, port in (
            ("10000", "127.0.0.1", 10000),
            (":10000", "127.0.0.1", 10000),
            ("*:10000", "*", 10000),
            ("*", "*", 14500),
            ("0.0.0.0:0", "0.0.0.0", 0),
            ("[::1]:1", "::1", 1),
            ("::1:10000", "::1", 10000),
            ("[::]", "::", 14500),
            (" localhost:1 ", "localhost", 1),
            ("localhost:", "localhost", 14500),
        ):
            address = parseBind("bind-tcp", text)
            self.assertEqual((address.host, address.port, address.path), (host, port, ""), text)

    def test_modes(self) -> None:
        """
        The option decides the mode, and the mode the port where none is said.
        """
        for option, mode in BINDINGS.items():
            if mode is not Mode.UNIX:
                address = parseBind(option, "*")
                self.assertEqual((address.mode, address.port), (mode, mode.defaultPort))

    def test_options(self) -> None:
        """
        Options after the address are for this socket; they know where they were said, but not each other's
        values.
        """
        address = parseBind("bind-tcp", "*:1,ssl-cert=/a,ssl-cert=/b, ssl=www,ws=no,ssl-key-password=hu=sh")
        tls, port = resolveBoth(address.layer)
        self.assertEqual((tls.cert, port.ssl, port.websocketUpgrade), (("/a", "/b"), SSLSwitch.WWW, False))
        self.assertEqual(tls.keyPassword, "hu=sh")
        self.assertEqual((address.source, tls.source("cert")), ("bind-tcp=*:1", "bind-tcp=*:1"))
        self.assertNotIn("hu=sh", repr(address))

    def test_sockets(self) -> None:
        """
        A Unix socket has a path or an abstract name, and may have options that are not about TLS.
        """
        for text in ("/run/x", "x.sock", "@x", "/run/x:1"):
            address = parseBind("bind", f"{text},http-upgrade=no,ssl=off,ssl-upgrade=no")
            self.assertEqual((address.mode, address.host, address.port), (Mode.UNIX, "", None))
            self.assertEqual((address.path, address.source), (text, f"bind={text}"))
        self.patch(os, "environ", {"HOME": "/home/somebody"})
        self.assertEqual(parseBind("bind", "~/x").path, "/home/somebody/x")

    def test_noTLSOnSockets(self) -> None:
        """
        Whatever asks for TLS on a Unix socket is refused, and says why.
        """
        for option, text in (("ssl-cert", "/a"), ("ssl", "on"), ("ssl", "www"), ("ssl-upgrade", "yes")):
            problem = self.refused("bind", f"/run/x,{option}={text}", option, "bind=/run/x")
            self.assertIn("TLS does not apply to a Unix socket", problem)

    def test_vsock(self) -> None:
        """
        vsock is an option of xpra's that cannot be had, and is told so; others do not exist.
        """
        self.assertIn("vsock", self.refused("bind-vsock", "2:10000"))
        self.assertIn("bind-tcp", self.refused("bind-udp", "1"))

    def test_badAddresses(self) -> None:
        """
        An address that cannot be bound is told with the option.
        """
        for text in (
            "",
            "65536",
            "h:x",
            "h:65536",
            "[::1",
            "a b:1",
            "**:1",
            "-x",
            "fe80::1:443",
            "1,x",
            "1,",
            "1,(",
            "1)",
        ):
            self.assertIn("expected", self.refused("bind-tcp", text), text)
        for text in ("", "@", "/", "a\0"):
            self.assertIn("path", self.refused("bind", text))

    def test_badOptions(self) -> None:
        """
        An option that is wrong is told by its own name, with the address it was said for.
        """
        for text, option in (
            ("1,ssl-crt=a", "ssl-crt"),
            ("1,ssl-protocol=SSLv3", "ssl-protocol"),
            ("1,ssl-check-hostname=no", "ssl-check-hostname"),
            ("1,ssl-key=a,ssl-key=b", "ssl-key"),
        ):
            self.refused("bind-tcp", text, option, "bind-tcp=1")

    def test_parentheses(self) -> None:
        """
        A comma within parentheses belongs to the value.
        """
        self.assertEqual(
            parseBind("bind-tcp", "1,ssl-cert=/a(1,2).pem").layer.values, {"ssl-cert": ("/a(1,2).pem",)}
        )
        rules = parseBind("bind-tcp", "1,ssl-allow=(CN=alice,OU=ops),ssl-allow=CN=bob").layer.values
        self.assertEqual(rules, {"ssl-allow": ("(CN=alice,OU=ops)", "CN=bob")})
        for text in ("1,ssl-cert=(", "1,ssl-cert=)", "1,ssl-cert=)("):
            self.refused("bind-tcp", text, "bind-tcp", "command line")

    def test_randomTexts(self) -> None:
        """
        Whatever is given, it is understood or refused with our error; what was understood has endpoints.
        """
        samples = ("*:10000,ssl-cert=/a,ws=no", "[::1]:1,detect-timeout=5", "/run/x,http-upgrade=no")
        understood = 0
        for text in (*randomTexts(5, 2000, WORDS), *mutations(6, 1000, samples)):
            for option in ("bind-tcp", "bind"):
                try:
                    address = parseBind(option, text)
                except OptionError:
                    continue
                understood += 1
                for description in address.endpointStrings(IPv6.ALONE):
                    serverFromString(MemoryReactor(), description)
        self.assertGreater(understood, 500)


class ListenAddressTests(SynchronousTestCase):
    """
    L{ListenAddress}.
    """

    def strings(self, option: str, text: str, ipv6: IPv6 = IPv6.DUAL) -> tuple[str, ...]:
        """
        The endpoint strings of an address.
        """
        return parseBind(option, text).endpointStrings(ipv6)

    def test_tcp(self) -> None:
        """
        A host is bound as it is.
        """
        self.assertEqual(self.strings("bind-ssl", "127.0.0.1:1"), ("tcp:1:interface=127.0.0.1",))
        self.assertEqual(self.strings("bind-ws", "[::1]:0"), (r"tcp:0:interface=\:\:1",))

    def test_everywhere(self) -> None:
        """
        All addresses are one socket where IPv6 takes IPv4 in, two where it does not, and IPv4's where there
        is no IPv6.
        """
        both = (r"tcp:1:interface=\:\:",)
        only4 = ("tcp:1:interface=0.0.0.0",)
        self.assertEqual(self.strings("bind-tcp", "*:1", IPv6.DUAL), both)
        self.assertEqual(self.strings("bind-tcp", "*:1", IPv6.ALONE), only4 + both)
        self.assertEqual(self.strings("bind-tcp", "*:1", IPv6.ABSENT), only4)

    def test_machine(self) -> None:
        """
        By default this machine is asked.
        """
        address = parseBind("bind-tcp", "*:1")
        self.assertEqual(address.endpointStrings(), address.endpointStrings(supportedIPv6()))

    def test_unix(self) -> None:
        """
        Only whoever runs the program may connect to a Unix socket, and what is special in a path is quoted;
        an abstract name has no file, so no lock beside it.
        """
        self.assertEqual(self.strings("bind", r"/run/a:b=c\d"), (r"unix:/run/a\:b\=c\\d:mode=600",))
        self.assertEqual(self.strings("bind", "@x"), ("unix:\0x:mode=600:lockfile=0",))

    def test_endpoints(self) -> None:
        """
        Twisted understands them.
        """
        reactor = MemoryReactor()
        (text,) = self.strings("bind-tcp", "[fe80::1%lo]:1")
        endpoint = serverFromString(reactor, text)
        self.assertIsInstance(endpoint, TCP4ServerEndpoint)
        self.assertEqual((endpoint._port, endpoint._interface), (1, "fe80::1%lo"))
        (text,) = self.strings("bind", "/run/a:b=c")
        endpoint = serverFromString(reactor, text)
        self.assertIsInstance(endpoint, UNIXServerEndpoint)
        self.assertEqual((endpoint._address, endpoint._mode), ("/run/a:b=c", 0o600))

    def test_described(self) -> None:
        """
        For people and logs it is like a target's URL.
        """
        for option, text, description in (
            ("bind-tcp", "*:1,ssl=on", "tcp://*:1/"),
            ("bind-wss", "[::1]:1", "wss://[::1]:1/"),
            ("bind", "@x", "socket:@x"),
        ):
            self.assertEqual(parseBind(option, text).describe(), description)
        self.assertIsInstance(parseBind("bind", "@x"), ListenAddress)


class FakeSocket:
    """
    A socket that says what the machine can do.
    """

    def __init__(self, alone: int) -> None:
        self.alone = alone

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *evidence: object) -> None:
        pass

    def bind(self, address: tuple[str, int]) -> None:
        """
        Bind it.
        """
        assert address == ("::", 0)

    def getsockopt(self, level: int, option: int) -> int:
        """
        Whether IPv6 is alone on it.
        """
        assert (level, option) == (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        return self.alone


class SupportedIPv6Tests(SynchronousTestCase):
    """
    L{supportedIPv6}.
    """

    def test_answers(self) -> None:
        """
        A socket of IPv6 takes IPv4 in or does not; or there is none, at all or with an address.
        """
        for alone, answer in ((0, IPv6.DUAL), (1, IPv6.ALONE)):
            self.patch(socket, "socket", lambda *kind, alone=alone: FakeSocket(alone))
            self.assertIs(supportedIPv6(), answer)

        def absent(*kind: int) -> FakeSocket:
            raise OSError("Address family not supported by protocol")

        self.patch(socket, "socket", absent)
        self.assertIs(supportedIPv6(), IPv6.ABSENT)
