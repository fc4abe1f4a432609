"""
What a port shows to browsers.
"""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from typing import Any

from twisted.internet import _producer_helpers
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Cooperator
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource
from zope.interface import alsoProvides
from zope.interface.verify import verifyObject

from tests.support.wires import HalfCloseRecorder, Wire
from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions
from xtls.port.pages import commandsFor, pages
from xtls.port.upgrades import UpgradePolicy
from xtls.port.web import WebFactory


def policyOf(
    mode: Mode = Mode.TCP,
    options: PortOptions | None = None,
    *,
    tls: bool = True,
    session: bool = True,
) -> UpgradePolicy:
    """
    A port's policy.
    """
    return UpgradePolicy(mode, options or PortOptions(), tls, session, True)


class Getting(SynchronousTestCase):
    """
    Pages, over a connection in memory.
    """

    site: IResource
    secure = False

    def setUp(self) -> None:
        self.policy = policyOf()
        self.here: Any = None

    def get(
        self, path: bytes, *fields: bytes, host: bytes | None = b"localhost:10000", method: bytes = b"GET"
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """
        Ask for a page.

        @return: status, fields and content.
        """
        wire, client = Wire(), HalfCloseRecorder()
        cooperator = Cooperator(scheduler=lambda call: wire.clock.callLater(0, call))
        self.patch(_producer_helpers, "cooperate", cooperator.cooperate)
        if self.secure:
            alsoProvides(wire.server, ISSLTransport)
        if self.here is not None:
            wire.server._addresses = (self.here, wire.client.getHost())
        wire.join(client, WebFactory(self.policy, wire.clock, site=self.site).buildProtocol(None))
        lines = [b"%s %s HTTP/1.%d" % (method, path, host is not None), *fields]
        if host is not None:
            lines.append(b"Host: " + host)
        wire.client.write(b"\r\n".join(lines) + b"\r\n\r\n")
        wire.flush()
        head, _, content = client.received.partition(b"\r\n\r\n")
        status, *answered = head.split(b"\r\n")
        named = {name.lower(): value for name, value in (line.split(b": ", 1) for line in answered)}
        if b"content-length" in named and method != b"HEAD":
            self.assertEqual(int(named[b"content-length"]), len(content))
        return int(status.split(b" ")[1]), named, content

    def status(self, path: bytes, *fields: bytes) -> int:
        """
        The status of a page.
        """
        return self.get(path, *fields)[0]


class AttachPageTests(Getting):
    """
    The page that tells how to attach.
    """

    def setUp(self) -> None:
        super().setUp()
        self.site = pages()

    def test_page(self) -> None:
        """
        It names the host and port by which it was asked for, and commands that lead there.
        """
        self.assertTrue(verifyObject(IResource, self.site))
        for path in (b"/", b"/index.html", b"/?x"):
            status, fields, content = self.get(path)
            self.assertEqual((status, fields[b"content-type"]), (200, b"text/html; charset=utf-8"))
            self.assertIn(b"xtls attach ssl://localhost:10000/", content)
            self.assertIn(b"<title>xtls at localhost:10000</title>", content)
            self.assertNotIn(b"$", content)
        self.assertEqual(self.get(b"/", method=b"HEAD")[2], b"")

    def test_parts(self) -> None:
        """
        It consists of itself, a script, a style and a picture, all of them from the same place; each part is
        there, and nothing else is.
        """
        found: list[str] = []

        class Links(HTMLParser):
            """
            Notes what a page refers to.
            """

            def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
                """
                Note a reference; and that nothing is in the page that the policy forbids.
                """
                for name, value in attributes:
                    if name in ("src", "href"):
                        found.append(value or "")
                    assert not name.startswith("on") and name != "style", (tag, name)

        content = self.get(b"/")[2].decode("utf-8")
        Links().feed(content)
        self.assertEqual(sorted(found), ["/console.js", "/icon.svg", "/style.css"])
        self.assertEqual(re.findall(r"<script[^>]*>[^<]", content), [])
        for each in found:
            status, fields, part = self.get(each.encode())
            self.assertEqual((status, fields[b"x-content-type-options"]), (200, b"nosniff"))
            self.assertGreater(len(part), 100)
            self.assertEqual(self.get(each.encode(), method=b"HEAD")[0], 200)
        for path in (b"/nothing", b"/a/b/c", b"/style.css/x", b"/page.html", b"/../page.html", b"/%00"):
            self.assertEqual(self.status(path), 404)

    def test_policy(self) -> None:
        """
        Nothing but its own parts is run or loaded, and it connects only to where it came from.
        """
        policy = self.get(b"/")[1][b"content-security-policy"].decode()
        directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
        self.assertEqual(directives["default-src"], "'none'")
        self.assertEqual(directives["script-src"], "'self'")
        self.assertEqual(directives["connect-src"], "'self' ws://localhost:10000 wss://localhost:10000")
        self.assertEqual(directives["frame-ancestors"], "'none'")
        policy = self.get(b"/console.js")[1][b"content-security-policy"].decode()
        self.assertIn("default-src 'none'", policy)

    def test_oddHosts(self) -> None:
        """
        Whatever a host consists of, it is neither markup, nor a command, nor a part of the policy.
        """
        for host in (b"a&b'c;d$(e)", b"x,y"):
            status, fields, content = self.get(b"/", host=host)
            self.assertEqual(status, 200)
            self.assertNotIn(b"a&b'", content)
            self.assertNotIn(host, fields[b"content-security-policy"])
        self.assertIn(b"&#x27;ssl://a&amp;b", self.get(b"/", host=b"a&b")[2])

    def test_withoutHost(self) -> None:
        """
        Who does not say which host is told the address.
        """
        self.assertIn(b"ssl://127.0.0.1:10000/", self.get(b"/", host=None)[2])
        self.here = IPv6Address("TCP", "::1", 10001)
        self.assertIn(b"ssl://[::1]:10001/", self.get(b"/", host=None)[2].replace(b"&#x27;", b""))
        self.here = UNIXAddress(b"/run/x")
        self.assertIn(b"ssl://localhost:80/", self.get(b"/", host=None)[2])

    def test_lead(self) -> None:
        """
        It says whether it came over TLS, and whether it could.
        """
        self.assertIn(b"without TLS, which the same port takes too", self.get(b"/")[2])
        self.policy = policyOf(tls=False)
        self.assertIn(b"this port has none", self.get(b"/")[2])
        self.secure = True
        self.assertIn(b"came over TLS", self.get(b"/")[2])

    def test_console(self) -> None:
        """
        There is a console where there are WebSockets.
        """
        self.assertIn(b'data-available="yes"', self.get(b"/")[2])
        self.policy = policyOf(options=PortOptions(websocketUpgrade=False))
        self.assertIn(b'data-available="no"', self.get(b"/")[2])
        self.policy = policyOf(session=False)
        content = self.get(b"/")[2]
        self.assertIn(b'data-available="no"', content)
        self.assertIn(b"Nothing: there are only pages here.", content)


class CommandsTests(SynchronousTestCase):
    """
    How to attach to a port.
    """

    def commands(self, policy: UpgradePolicy, authority: str = "h:1", secure: bool = False) -> list[str]:
        """
        The commands, without what is the same in all.
        """
        commands = commandsFor(policy, authority, secure=secure)
        self.assertTrue(all(command.startswith("xtls attach ") for _, command in commands))
        return [command.split(" ")[2] for _, command in commands]

    def test_modes(self) -> None:
        """
        They lead over TLS where the port has it, and to what the port lets in.
        """
        noWebSockets = PortOptions(websocketUpgrade=False)
        for policy, secure, expected in (
            (policyOf(), False, ["ssl://h:1/", "wss://h:1/", "ssl://h:1/"]),
            (policyOf(), True, ["ssl://h:1/", "wss://h:1/", "ssl://h:1/"]),
            (policyOf(tls=False), False, ["tcp://h:1/", "ws://h:1/", "tcp://h:1/"]),
            (policyOf(Mode.WS), False, ["wss://h:1/"] * 3),
            (policyOf(Mode.WS, tls=False), False, ["ws://h:1/"] * 3),
            (policyOf(Mode.WSS), True, ["wss://h:1/"] * 3),
            (policyOf(options=noWebSockets), True, ["ssl://h:1/"] * 3),
            (policyOf(session=False), True, []),
        ):
            self.assertEqual(self.commands(policy, secure=secure), expected)

    def test_nothing(self) -> None:
        """
        A port may let in only what no command leads to.
        """

        class Nothing(UpgradePolicy):
            """
            Neither raw octets nor WebSockets.
            """

            webSockets = False

        policy = Nothing(Mode.WS, PortOptions(), False, True, True)
        self.assertEqual(self.commands(policy), [])

    def test_ports(self) -> None:
        """
        They name the port, also where a URL of the web need not.
        """
        for authority, secure, expected in (
            ("h", False, "ssl://h:80/"),
            ("h", True, "ssl://h:443/"),
            ("h:", True, "ssl://h:443/"),
            ("[::1]", True, "'ssl://[::1]:443/'"),
            ("[::1]:5", True, "'ssl://[::1]:5/'"),
        ):
            self.assertEqual(self.commands(policyOf(), authority, secure)[0], expected)


class DirectoryTests(Getting):
    """
    The files of a directory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.mktemp()
        for name in ("", "sub", "empty", ".well-known", ".git", ".index.html"):
            os.makedirs(os.path.join(self.folder, name))
        for name, content in (
            ("index.html", "<p>home"),
            ("index", "not this"),
            ("app.js", "1"),
            ("app.wasm", "2"),
            ("a b\u00fc.txt", "3"),
            ("sub/index.html", "<p>below"),
            (".secret", "4"),
            (".git/config", "5"),
            (".well-known/x.json", "{}"),
            ("sub/.secret", "6"),
            ("tilde~", "7"),
        ):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        os.mkfifo(os.path.join(self.folder, "fifo"))
        self.site = pages(self.folder)

    def test_files(self) -> None:
        """
        Files are what their names say.
        """
        for path, content, contentType in (
            (b"/", b"<p>home", b"text/html"),
            (b"/index.html", b"<p>home", b"text/html"),
            (b"/sub/", b"<p>below", b"text/html"),
            (b"/app.js?v=1", b"1", b"text/javascript"),
            (b"/app.wasm", b"2", b"application/wasm"),
            (b"/a%20b%C3%BC.txt", b"3", b"text/plain"),
            (b"/.well-known/x.json", b"{}", b"application/json"),
            (b"/tilde~", b"7", b"text/html"),
        ):
            status, fields, found = self.get(path)
            self.assertEqual((status, found, fields[b"content-type"]), (200, content, contentType))
            self.assertEqual(fields[b"x-content-type-options"], b"nosniff")
            self.assertEqual(self.get(path, method=b"HEAD")[2], b"")

    def test_directory(self) -> None:
        """
        A directory has a slash at its end: who forgets it is told.
        """
        status, fields, _ = self.get(b"/sub")
        self.assertEqual((status, fields[b"location"]), (302, b"/sub/"))

    def test_notShown(self) -> None:
        """
        Neither what is hidden, nor what is outside, nor what is no file, nor the list of a directory.
        """
        for path in (
            b"/nothing",
            b"/empty/",
            b"/.secret",
            b"/%2esecret",
            b"/.git/config",
            b"/sub/.secret",
            b"/.well-known-not/x",
            b"/.well-known/",
            b"/../index.html",
            b"/..%2findex.html",
            b"/sub/%2e%2e/app.js",
            b"/sub%2findex.html",
            b"/sub%5cindex.html",
            b"/%00",
            b"/app.js%00.html",
            b"/%ff",
            b"/fifo",
            b"/app.js/",
            b"/app.js/x",
            b"//app.js",
            b"/index.html/..",
        ):
            status, _, content = self.get(path)
            self.assertEqual((status, content), (404, b"There is nothing here.\n"), path)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_symbolicLinks(self) -> None:
        """
        Symbolic links are followed: whoever may make one there may also copy.
        """
        other = self.mktemp()
        with open(other, "w", encoding="utf-8") as file:
            file.write("elsewhere")
        os.symlink(os.path.abspath(other), os.path.join(self.folder, "link.txt"))
        self.assertEqual(self.get(b"/link.txt")[2], b"elsewhere")

    def test_ranges(self) -> None:
        """
        One range of a file can be asked for; what is not a range, or many, is answered with the whole.
        """
        with open(os.path.join(self.folder, "ten"), "w", encoding="utf-8") as file:
            file.write("0123456789")
        for asked, status, content in (
            (b"bytes=2-4", 206, b"234"),
            (b"bytes=7-", 206, b"789"),
            (b"bytes=0-99", 206, b"0123456789"),
            (b"bytes=-3", 200, b"0123456789"),
            (b"bytes=-99", 200, b"0123456789"),
            (b"bytes=0-,0-,0-", 200, b"0123456789"),
            (b"bytes=4-2", 200, b"0123456789"),
            (b"octets=1-2", 200, b"0123456789"),
            (b"bytes=\xff-", 200, b"0123456789"),
        ):
            found = self.get(b"/ten", b"Range: " + asked)
            self.assertEqual((found[0], found[2]), (status, content), asked)
        self.assertEqual(self.status(b"/ten", b"Range: bytes=99-"), 416)
        self.assertEqual(self.status(b"/ten", b"Range: bytes=1-2", b"Range: bytes=3-4"), 200)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_unchanged(self) -> None:
        """
        Who has a file already is not sent it again.
        """
        changed = self.get(b"/app.js")[1][b"last-modified"]
        self.assertEqual(self.status(b"/app.js", b"If-Modified-Since: " + changed), 304)
