"""
Modes, hosts, ports and targets as values.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import Layer
from xtls.config.modes import (
    MODES,
    Mode,
    Target,
    checkHost,
    isIPv6,
    joinHostPort,
    parsePort,
    quotePath,
    requireTLS,
    splitHostPort,
)
from xtls.errors import OptionError


class ModeTests(SynchronousTestCase):
    """
    L{Mode}.
    """

    def test_modes(self) -> None:
        """
        The modes are known by xpra's words, those with TLS say so, and each has its default port.
        """
        table = {
            "tcp": (Mode.TCP, False, 14500),
            "ssl": (Mode.SSL, True, 443),
            "ws": (Mode.WS, False, 80),
            "wss": (Mode.WSS, True, 443),
            "ssh": (Mode.SSH, False, 22),
            "socket": (Mode.UNIX, False, 0),
            "unix": (Mode.UNIX, False, 0),
        }
        self.assertEqual({word: (mode, mode.secure, mode.defaultPort) for word, mode in MODES.items()}, table)

    def test_requireTLS(self) -> None:
        """
        An option of TLS where there is none is an error with its place; other options are none.
        """
        requireTLS(Layer("URL", {"connect-timeout": "1"}), Mode.TCP, "expected ssl")
        layer = Layer("URL", {"ssl-ca-certs": "x"}, {"ssl-ca-certs": "there"})
        error = self.assertRaises(OptionError, requireTLS, layer, Mode.TCP, "expected ssl")
        self.assertEqual((error.option, error.source), ("ssl-ca-certs", "there"))
        self.assertEqual(error.problem, "TLS does not apply to mode tcp: expected ssl")
        error = self.assertRaises(OptionError, requireTLS, layer, Mode.UNIX, "expected ssl")
        self.assertIn("to a Unix socket", error.problem)


class AddressTests(SynchronousTestCase):
    """
    Hosts and ports.
    """

    def test_hosts(self) -> None:
        """
        Names, addresses of both kinds, and names in other scripts are hosts.
        """
        for host in (
            "localhost",
            "a-b_c.example",
            "192.0.2.1",
            "::1",
            "fe80::1%eth0",
            "bücher.example",
            "x.",
        ):
            self.assertEqual(checkHost(host), host)

    def test_noHosts(self) -> None:
        """
        What would end a word in a URL, a shell or a header is no host, nor is what looks like an option.
        """
        for host in (
            "",
            "a b",
            "a\nb",
            "a\0",
            "-oProxyCommand",
            "a/b",
            "u@h",
            "a:b",
            "[::1]",
            "a;b",
            "$x",
            "*",
        ):
            self.assertRaises(ValueError, checkHost, host)
        self.assertRaises(ValueError, checkHost, "a" * 256)

    def test_notShown(self) -> None:
        """
        What stands for a host is shown in the error, unless it might be options, with a secret among them.
        """
        self.assertIn("'a b'", str(self.assertRaises(ValueError, checkHost, "a b")))
        self.assertNotIn("hush", str(self.assertRaises(ValueError, checkHost, "a&password=hush")))

    def test_isIPv6(self) -> None:
        """
        An address of IPv6 is told from anything else.
        """
        for text, answer in (
            ("::1", True),
            ("::", True),
            ("fe80::1%lo", True),
            ("1.2.3.4", False),
            ("x", False),
        ):
            self.assertIs(isIPv6(text), answer)
        self.assertIs(isIPv6("fe80::1%ä"), False)

    def test_ports(self) -> None:
        """
        A port is a number in ASCII digits; 0 only where the system may pick one.
        """
        self.assertEqual([parsePort("1"), parsePort("65535"), parsePort("0", 0)], [1, 65535, 0])
        for text in ("", "0", "65536", "123456", "-1", "1.5", " 1", "٣", "x"):
            self.assertRaises(ValueError, parsePort, text)

    def test_portNotShown(self) -> None:
        """
        What stands for a port is shown only if it is a number: it might be a piece of a password.
        """
        self.assertNotIn("hush", str(self.assertRaises(ValueError, parsePort, "hush")))
        self.assertIn("99999", str(self.assertRaises(ValueError, parsePort, "99999")))

    def test_split(self) -> None:
        """
        Host and port are parted at the last colon that does not belong to an address of IPv6.
        """
        for text, parts in (
            ("host", ("host", None)),
            ("host:1", ("host", "1")),
            ("host:", ("host", "")),
            (":1", ("", "1")),
            ("", ("", None)),
            ("[::1]:1", ("::1", "1")),
            ("[::1]", ("::1", None)),
            ("[fe80::1%lo]:", ("fe80::1%lo", "")),
            ("::1", ("::1", None)),
            ("::1:10000", ("::1", "10000")),
            ("1:2:3:4:5:6:7:8", ("1:2:3:4:5:6:7:8", None)),
            ("1:2:3:4:5:6:7:8:9", ("1:2:3:4:5:6:7:8", "9")),
            ("2001:db8::a", ("2001:db8::a", None)),
            ("a:b:1", ("a:b", "1")),
        ):
            self.assertEqual(splitHostPort(text), parts, text)

    def test_ambiguous(self) -> None:
        """
        An address of IPv6 with or without a port is not guessed at: the error spells out both.
        """
        error = self.assertRaises(ValueError, splitHostPort, "fe80::1:443")
        self.assertIn("[fe80::1]:443 or [fe80::1:443]", str(error))

    def test_brackets(self) -> None:
        """
        Brackets are for an address of IPv6, and have two sides.
        """
        for text in ("[::1", "[::1]1", "[host]:1", "[]:1", "[127.0.0.1]"):
            self.assertRaises(ValueError, splitHostPort, text)

    def test_joined(self) -> None:
        """
        Host and port are joined as they can be parted again.
        """
        for host in ("host", "::1", "fe80::1%lo"):
            self.assertEqual(splitHostPort(joinHostPort(host, 1)), (host, "1"))

    def test_quotePath(self) -> None:
        """
        What may not stand in a path is quoted, once.
        """
        self.assertEqual(quotePath("/a b?#ä%20"), "/a%20b%3F%23%C3%A4%20")
        self.assertEqual(quotePath(quotePath("/a b")), "/a%20b")


class TargetTests(SynchronousTestCase):
    """
    L{Target} written.  That what is written can be read is tested where it is read.
    """

    full = Target(
        Mode.WSS,
        "::1",
        1,
        "/x%20y",
        "me@home",
        "hu:sh/",
        Layer("URL", {"ssl-ca-data": "base64:AA+/", "ssl-cert": ("a&b", "c=d")}),
    )

    def test_plain(self) -> None:
        """
        The short forms are short.
        """
        target = Target(Mode.SSL, "localhost", 10000)
        self.assertEqual(target.toURL(), "ssl://localhost:10000/")
        self.assertEqual(target.toDisplay(), "ssl:localhost:10000")
        self.assertEqual(target.describe(), "ssl://localhost:10000/")

    def test_full(self) -> None:
        """
        What separates parts is quoted within them.
        """
        tail = "x%20y?ssl-ca-data=base64:AA%2B/&ssl-cert=a%26b&ssl-cert=c%3Dd"
        self.assertEqual(self.full.toURL(), f"wss://me%40home:hu%3Ash%2F@[::1]:1/{tail}")
        self.assertEqual(self.full.toDisplay(), f"wss:me%40home:hu%3Ash%2F@[::1]:1/{tail}")
        self.assertEqual(Target(Mode.TCP, "h", 1, password="x").toURL(), "tcp://:x@h:1/")
        self.assertEqual(Target(Mode.TCP, "fe80::1%lo", 1).toURL(), "tcp://[fe80::1%25lo]:1/")

    def test_socket(self) -> None:
        """
        The path of a socket is all there is; an abstract name begins with C{@}.
        """
        for path, url, display in (
            ("/run/x y", "socket:///run/x%20y", "socket:/run/x%20y"),
            ("@name", "socket:///%40name", "socket:@name"),
        ):
            target = Target(Mode.UNIX, "", 0, path)
            self.assertEqual((target.toURL(), target.toDisplay(), target.describe()), (url, display, display))
        self.assertEqual(Target(Mode.UNIX, "", 0, "@x", "me").toDisplay(), "socket:me@%40x")

    def test_described(self) -> None:
        """
        For people and logs there is no password and no option.
        """
        self.assertEqual(self.full.describe(), "wss://me%40home@[::1]:1/x%20y")
        self.assertNotIn("hu:sh", repr(self.full))

    def test_trusted(self) -> None:
        """
        Where a target came from is no part of what it is.
        """
        self.assertEqual(Target(Mode.TCP, "h", 1, trusted=False), Target(Mode.TCP, "h", 1))
