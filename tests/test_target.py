"""
Targets, read.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.randoms import mutations, randomTexts
from tests.test_values import PEM
from xtls.config.definitions import Layer
from xtls.config.options import VerifyMode
from xtls.config.portoptions import resolveBoth
from xtls.config.target import Mode, Target, parseTarget
from xtls.errors import OptionError

#: Targets of every form.
SAMPLES = (
    "ssl://localhost:10000/",
    "xpra+wss://user:p%40ss@[2001:db8::1]:443/path/x?ssl-ca-data=base64:AA&connect-timeout=5",
    "tcp:host:1",
    "ssl:me:secret@::1:10000/x?ssl-check-hostname=no",
    "socket:///run/user/1000/x",
    "socket://me@/run/x",
    "socket://me@/@name/x",
    "unix:@name?connect-timeout=1",
    "/run/x",
    "@name",
    "ws://h/?message-size=1M",
)

#: What targets are made of.
WORDS = (
    *(
        "ssl",
        "wss",
        "tcp",
        "ws",
        "ssh",
        "socket",
        "unix",
        "xpra+",
        "https",
        "://",
        ":",
        "/",
        "@",
        "?",
        "&",
        "=",
    ),
    *("#", "[", "]", "%", "%41", "%ff", "%00", "::1", "fe80::1%25lo", "127.0.0.1", "localhost", "10000", "0"),
    *(
        "ssl-ca-data",
        "ssl-ca-certs=x",
        "ssl-cert=a",
        "ssl-key-password=hush",
        "connect-timeout=5",
        "base64:AA",
    ),
    *(
        "ssl-check-hostname=no",
        "detect-timeout=1",
        "nowhere.xpra",
        "./",
        "~",
        "user",
        "",
        "ssl-protocol=SSLv3",
    ),
)


class ParseTargetTests(SynchronousTestCase):
    """
    L{parseTarget}.
    """

    def refused(self, text: str, option: str = "target", source: str = "command line") -> str:
        """
        The problem with a target that cannot be understood.
        """
        error = self.assertRaises(OptionError, parseTarget, text)
        self.assertEqual((error.option, error.source), (option, source), text)
        return str(error.problem)

    def test_url(self) -> None:
        """
        A URL has mode, host, port and path.
        """
        for text, target in (
            ("ssl://localhost:10000/", Target(Mode.SSL, "localhost", 10000)),
            ("ssl://localhost:10000", Target(Mode.SSL, "localhost", 10000)),
            ("  wss://h:1/a/b ", Target(Mode.WSS, "h", 1, "/a/b")),
            ("ws://192.0.2.1:80//", Target(Mode.WS, "192.0.2.1", 80, "//")),
            ("TCP://h:1", Target(Mode.TCP, "h", 1)),
            ("xpra+ssh://h:22/", Target(Mode.SSH, "h", 22)),
            ("ssl://[::1]:10000/", Target(Mode.SSL, "::1", 10000)),
            ("ssl://[fe80::1%25lo]:10000/", Target(Mode.SSL, "fe80::1%lo", 10000)),
            ("ssl://b%C3%BCcher.example:1/", Target(Mode.SSL, "bücher.example", 1)),
            ("ssl://h:1/a b", Target(Mode.SSL, "h", 1, "/a%20b")),
        ):
            self.assertEqual(parseTarget(text), self.like(target), text)

    def like(self, target: Target) -> Target:
        """
        The same target, as if it had been read from the command line.
        """
        return Target(
            target.mode,
            target.host,
            target.port,
            target.path,
            target.username,
            target.password,
            Layer("URL", target.layer.values),
        )

    def test_display(self) -> None:
        """
        The older form says the same with a colon after the mode.
        """
        for text, target in (
            ("ssl:localhost:10000", Target(Mode.SSL, "localhost", 10000)),
            ("SSL:localhost:10000/", Target(Mode.SSL, "localhost", 10000)),
            ("ssl:::1:10000", Target(Mode.SSL, "::1", 10000)),
            ("ssl:[::1]:443", Target(Mode.SSL, "::1", 443)),
            ("tcp:h", Target(Mode.TCP, "h", 14500)),
            ("wss:me:x@h:1/p", Target(Mode.WSS, "h", 1, "/p", "me", "x")),
            ("ssl:h:1/x.xpra", Target(Mode.SSL, "h", 1, "/x.xpra")),
        ):
            self.assertEqual(parseTarget(text), self.like(target), text)

    def test_defaultPorts(self) -> None:
        """
        Where no port is said the mode has one.
        """
        for mode in (Mode.TCP, Mode.SSL, Mode.WS, Mode.WSS, Mode.SSH):
            for text in (f"{mode.value}://h", f"{mode.value}://h:/", f"{mode.value}:h"):
                self.assertEqual(parseTarget(text).port, mode.defaultPort)

    def test_user(self) -> None:
        """
        User and password come before the C{@}, either without the other, quoted where needed.
        """
        for user, username, password in (
            ("me@", "me", ""),
            ("me:pass@", "me", "pass"),
            (":password@", "", "password"),
            ("me:a:b@", "me", "a:b"),
            ("m%40e:p%2Fw@", "m@e", "p/w"),
            ("me:a@b@", "me", "a@b"),
        ):
            target = parseTarget(f"ssl://{user}host:1/")
            self.assertEqual((target.username, target.password, target.host), (username, password, "host"))

    def test_options(self) -> None:
        """
        Options follow the question mark, by any of their names; a plus sign stands for itself.
        """
        target = parseTarget(
            "ssl://h:1/?ssl-ca-cert=%2Fa%20b&ssl-cert=a&ssl-cert=b&&ssl-server-verify-mode=none"
            "&ssl-ciphers=ECDHE+AESGCM&connect-timeout=5"
        )
        tls, port = resolveBoth(target.layer)
        self.assertEqual((tls.caCerts, tls.cert, tls.ciphers), ("/a b", ("a", "b"), "ECDHE+AESGCM"))
        self.assertEqual((tls.serverVerifyMode, tls.source("serverVerifyMode")), (VerifyMode.NONE, "URL"))
        self.assertEqual(port.connectTimeout, 5.0)

    def test_data(self) -> None:
        """
        Data may stand in a URL in each of its forms.
        """
        text = PEM.decode().replace("\n", "%0A").replace(" ", "%20")
        for data in (PEM.hex(), "0x" + PEM.hex(), text, PEM.decode().strip()):
            tls, _ = resolveBoth(parseTarget(f"ssl://h:1/?ssl-ca-data={data}").layer)
            self.assertEqual(tls.caData, PEM)

    def test_badOptions(self) -> None:
        """
        What is wrong with an option is told by its name, and with what was perhaps meant.
        """
        for query, option, part in (
            ("ssl-ca-dta=x", "ssl-ca-dta", "did you mean ssl-ca-data?"),
            ("ssl-ca-data=x", "ssl-ca-data", "expected hexadecimal"),
            ("ssl-ca-cert=a&ssl-ca-certs=b", "ssl-ca-certs", "expected one"),
            ("detect-timeout=5", "detect-timeout", "for servers only"),
        ):
            self.assertIn(part, self.refused(f"ssl://h:1/?{query}", option, "URL"))
        for query in ("x", "ssl-cert=a&b", "%ff=x"):
            self.assertIn("expected", self.refused(f"ssl://h:1/?{query}"))

    def test_withoutTLS(self) -> None:
        """
        Options of TLS are refused where there is none.
        """
        for place in ("tcp://h:1/", "ws:h:1", "ssh://h", "socket:///run/x", "unix:@x"):
            self.assertIn("TLS does not apply", self.refused(f"{place}?ssl-cert=x", "ssl-cert", "URL"))
            self.assertEqual(len(parseTarget(f"{place}?connect-timeout=1").layer.values), 1)

    def test_sockets(self) -> None:
        """
        A path is a Unix socket; C{@} begins an abstract name.
        """
        for text, path in (
            ("/run/x", "/run/x"),
            ("/run/x y%20", "/run/x y%20"),
            ("//run/x", "/run/x"),
            ("@name", "@name"),
            ("@/name", "@/name"),
            ("./x", os.path.abspath("x")),
            ("../x", os.path.abspath("../x")),
            ("~/x", os.path.expanduser("~/x")),
            ("socket:///run/x%20y", "/run/x y"),
            ("socket:/run/x", "/run/x"),
            ("unix:/run/@x", "/run/@x"),
            ("unix:x", os.path.abspath("x")),
            ("xpra+socket:///%40name", "@name"),
            ("socket:@name/x", "@name/x"),
        ):
            target = parseTarget(text)
            self.assertEqual((target.mode, target.host, target.port), (Mode.UNIX, "", 0))
            self.assertEqual(target.path, path, text)
        self.assertEqual(parseTarget("socket://me:x@/run/x").username, "me")
        self.assertEqual(parseTarget("socket:me:x@/run/x").password, "x")

    def test_badSockets(self) -> None:
        """
        A socket has a path, and no host.
        """
        for text in (
            "/",
            "socket:",
            "socket://",
            "socket:///",
            "@",
            "socket:///a%00b",
            "socket://host/run/x",
        ):
            self.assertIn("socket", self.refused(text))

    def test_notUnderstood(self) -> None:
        """
        What cannot be understood is told with what was expected.
        """
        for text, part in (
            ("", "ssl://host:port/"),
            ("host:1", "ssl://host:port/"),
            ("host", "how is 'host' to be reached?"),
            ("me:hush@host", "how is 'host' to be reached?"),
            ("x?ssl-key-password=hush", "how is this to be reached?"),
            ("ssl://h&ssl-key-password=hush", "expected a host name or an address"),
            ("https://h/", "expected wss"),
            ("tls://h/", "expected ssl"),
            ("gopher://h/", "expected tcp, ssl"),
            ("://h", "ssl://host:port/"),
            ("ssl://", "expected a host"),
            ("ssl://h:0", "expected a port"),
            ("ssl://h:99999", "99999"),
            ("ssl://h:x", "expected a port"),
            ("ssl://[::1", "[an IPv6 address]"),
            ("ssl:fe80::1:443", "[fe80::1]:443 or [fe80::1:443]"),
            ("ssl://h/#x", "%23"),
            ("ssl://%ff/", "UTF-8"),
            ("ssl://h/\ud800", "UTF-8"),
        ):
            problem = self.refused(text)
            self.assertIn(part, problem, text)
            self.assertNotIn("hush", problem)

    def test_passwordCut(self) -> None:
        """
        A password that holds what ends it is not shown as the host or port that it looks like.
        """
        for text in ("ssl://me:hu/sh@h:1", "ssl://:hu?sh@h:1", "ssl://me:x@hu:sh/@h", "ssl::hu:sh:x/@h:1"):
            problem = self.refused(text)
            self.assertNotIn("hu", problem)
            self.assertIn("%2F", problem)

    def test_connectionFile(self) -> None:
        """
        The path of a connection file stands for what is in it, which is not the user's own word.
        """
        path = Path(self.mktemp() + ".xpra")
        path.write_text("mode=ssl\nhost=example.org\nport=1\n")
        target = parseTarget(str(path))
        self.assertEqual((target.mode, target.host, target.port), (Mode.SSL, "example.org", 1))
        self.assertFalse(target.trusted)
        self.refused("nowhere.xpra", "connection file", "nowhere.xpra")

    def test_trust(self) -> None:
        """
        The command line is the user's own word; another source is not, and is what options came from.
        """
        self.assertTrue(parseTarget("ssl://h:1/").trusted)
        foreign = parseTarget("ssl://h:1/?ssl-cert=a", "link")
        self.assertFalse(foreign.trusted)
        self.assertEqual(foreign.layer.sourceOf("ssl-cert"), "link")
        error = self.assertRaises(OptionError, parseTarget, "ssl://", "link")
        self.assertEqual(error.source, "link")


class RoundTripTests(SynchronousTestCase):
    """
    What is written can be read.
    """

    def test_written(self) -> None:
        """
        A target that was read and written, as a URL or display string, is read as the same.
        """
        for text in (
            "ssl://localhost:10000/",
            "ssl://m%40e:p%2Fw%3F%23@[fe80::1%25lo]:1/a%20b%2Fc/?ssl-ca-certs=%26%3D%25%2B%20%C3%A4",
            "wss://:x@h/?ssl-cert=a&ssl-cert=b&ssl-key-password=hu%0Ash",
            f"ssl://h/?ssl-ca-data={PEM.hex()}",
            "socket://me:x@/run/a%20%25?connect-timeout=5",
            "socket:@a/b",
            "tcp:h:1",
        ):
            target = parseTarget(text)
            self.assertEqual(parseTarget(target.toURL()), target, text)
            self.assertEqual(parseTarget(target.toDisplay()), target, text)

    def test_randomTexts(self) -> None:
        """
        Whatever is given, it is understood or refused with our error; and what was understood can be written,
        and read as the same again.
        """
        understood = 0
        for text in (*randomTexts(1, 4000, WORDS), *mutations(2, 4000, SAMPLES)):
            try:
                target = parseTarget(text)
            except OptionError as error:
                self.assertNotIn("hush", error.problem)
                continue
            understood += 1
            self.assertEqual(parseTarget(target.toURL()), target, text)
            self.assertEqual(parseTarget(target.toDisplay()), target, text)
            self.assertNotIn("\n", target.describe())
        self.assertGreater(understood, 500)
