"""
The options of a port, and both sets together.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.randoms import randomTexts
from xtls.config.definitions import Layer, Side, optionNamed, resolve
from xtls.config.options import OPTIONS, TLSOptions, VerifyMode
from xtls.config.portoptions import (
    ALL_OPTIONS,
    PortOptions,
    SSLSwitch,
    layerOf,
    optionCalled,
    resolveBoth,
)
from xtls.errors import OptionError


def said(values: dict[str, str | tuple[str, ...]]) -> PortOptions:
    """
    The options after something was said.
    """
    return resolve(PortOptions, Layer("test", values))


class PortOptionsTests(SynchronousTestCase):
    """
    L{PortOptions}.
    """

    def test_defaults(self) -> None:
        """
        Everything may be upgraded, within seconds and sizes that hold a stranger short.
        """
        nothing = PortOptions()
        self.assertEqual(
            (
                nothing.ssl,
                nothing.sslUpgrade,
                nothing.httpUpgrade,
                nothing.websocketUpgrade,
                nothing.sshUpgrade,
            ),
            (SSLSwitch.AUTO, True, True, True, True),
        )
        self.assertEqual((nothing.detectTimeout, nothing.handshakeTimeout), (5.0, 10.0))
        self.assertEqual((nothing.httpHeadSize, nothing.messageSize), (16384, 16777216))
        self.assertEqual(nothing.websocketOrigin, ())

    def test_switch(self) -> None:
        """
        TLS has five words and all those for yes and no.
        """
        for text, switch in (
            ("auto", SSLSwitch.AUTO),
            ("on", SSLSwitch.ON),
            ("yes", SSLSwitch.ON),
            ("TRUE", SSLSwitch.ON),
            ("1", SSLSwitch.ON),
            ("off", SSLSwitch.OFF),
            ("no", SSLSwitch.OFF),
            ("0", SSLSwitch.OFF),
            ("tcp", SSLSwitch.TCP),
            ("www", SSLSwitch.WWW),
        ):
            self.assertIs(said({"ssl": text}).ssl, switch, text)
        self.assertRaises(OptionError, said, {"ssl": "maybe"})

    def test_upgrades(self) -> None:
        """
        Each upgrade has its name, and the shorter ones that xpra has for some.
        """
        for name, attribute in (
            ("ssl-upgrade", "sslUpgrade"),
            ("http-upgrade", "httpUpgrade"),
            ("websocket-upgrade", "websocketUpgrade"),
            ("ws", "websocketUpgrade"),
            ("wss", "websocketUpgrade"),
            ("ssh-upgrade", "sshUpgrade"),
            ("ssh", "sshUpgrade"),
        ):
            options = said({name: "no"})
            switches = ("sslUpgrade", "httpUpgrade", "websocketUpgrade", "sshUpgrade")
            self.assertEqual([each for each in switches if not getattr(options, each)], [attribute], name)

    def test_origins(self) -> None:
        """
        Origins are schemes and hosts, or anything; several in one text or several texts.
        """
        for text, origins in (
            ("https://Example.org/", ("https://example.org",)),
            ("https://a:8443, http://[::1]:80", ("https://a:8443", "http://[::1]:80")),
            ("*", ("*",)),
            ("null", ("null",)),
            (("https://a", "https://b"), ("https://a", "https://b")),
        ):
            self.assertEqual(said({"websocket-origin": text}).websocketOrigin, origins)
        for text in ("", "example.org", "https://a/path", "https://u@a", "https://", "a b"):
            self.assertRaises(OptionError, said, {"websocket-origin": text})

    def test_opening(self) -> None:
        """
        Only a client waits for a WebSocket to open: for a server, that is an HTTP request like any other.
        """
        self.assertIs(optionNamed(PortOptions, "websocketTimeout").side, Side.CLIENT)

    def test_written(self) -> None:
        """
        Everything that can be said is written so that it is read as the same again.
        """
        full = said(
            {
                "ssl": "www",
                "ssl-upgrade": "no",
                "http-upgrade": "yes",
                "ws": "no",
                "ssh": "no",
                "detect-timeout": "250ms",
                "handshake-timeout": "1m",
                "http-timeout": "1.5",
                "websocket-timeout": "3",
                "connect-timeout": "4",
                "close-timeout": "5",
                "http-head-size": "1000",
                "message-size": "1G",
                "websocket-origin": ("https://a", "*"),
            }
        )
        layer = full.layer("copy")
        self.assertEqual(list(layer.values), [name for name in ALL_OPTIONS if name not in OPTIONS])
        self.assertEqual(resolve(PortOptions, layer), full)

    def test_explained(self) -> None:
        """
        Every option has a help, a default, a group and a word for its value.
        """
        for name, each in ALL_OPTIONS.items():
            self.assertTrue(each.help and each.group and each.metavar, name)
            if name not in OPTIONS:
                self.assertTrue(each.default, name)


class AnyTextTests(SynchronousTestCase):
    """
    What every option has in common.
    """

    def test_randomTexts(self) -> None:
        """
        Whatever is given for an option, it is read or refused by a L{ValueError}; and what was read can be
        written, and read as the same again.
        """
        pieces = "base64: 0x 5 ms K 1.5 TLSv1_2 OP_ALL none yes auto * https://a ::1 , 30 -----BEGIN A-----"
        understood = 0
        for text in randomTexts(7, 1000, pieces.split()):
            for each in ALL_OPTIONS.values():
                try:
                    value = each.parse(text)
                except ValueError:
                    continue
                understood += 1
                written = [each.format((one,)) for one in value] if each.repeatable else [each.format(value)]
                read = [each.parse(one) for one in written]
                self.assertEqual(sum(read, ()) if each.repeatable else read[0], value, (each.name, text))
        self.assertGreater(understood, 1000)


class BothTests(SynchronousTestCase):
    """
    Both sets of options together.
    """

    def test_called(self) -> None:
        """
        Any option is found by its name or an alias, and no two have one name.
        """
        self.assertIs(optionCalled("ssl-ca-cert"), ALL_OPTIONS["ssl-ca-certs"])
        self.assertIs(optionCalled("wss"), ALL_OPTIONS["websocket-upgrade"])
        self.assertIs(optionCalled("nothing"), None)
        names = [name for each in ALL_OPTIONS.values() for name in each.names]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_resolveBoth(self) -> None:
        """
        What was said is sorted by whom it belongs to: C{ssl-upgrade} is the port's.
        """
        tls, port = resolveBoth(
            Layer(
                "file",
                {"ssl-upgrade": "no", "ssl-server-verify-mode": "none", "ssl": "on"},
                {"ssl": "line 1"},
            ),
            Layer("line", {"ssl-server-verify-mode": "required", "ssh": "no"}),
        )
        self.assertEqual(tls, TLSOptions())
        self.assertEqual(tls.source("serverVerifyMode"), "line")
        self.assertEqual(port, PortOptions(ssl=SSLSwitch.ON, sslUpgrade=False, sshUpgrade=False))
        self.assertEqual((port.source("ssl"), port.source("sslUpgrade")), ("line 1", "file"))

    def test_resolveBothUnknown(self) -> None:
        """
        A name in neither set is an error, with the nearest of both.
        """
        layer = Layer("x", {"websocket-upgarde": "no"}, {"websocket-upgarde": "x line 1"})
        error = self.assertRaises(OptionError, resolveBoth, layer)
        self.assertEqual((error.option, error.source), ("websocket-upgarde", "x line 1"))
        self.assertIn("did you mean websocket-upgrade?", error.problem)


class LayerOfTests(SynchronousTestCase):
    """
    L{layerOf}.
    """

    def test_layer(self) -> None:
        """
        What was said one by one becomes a layer, by the right names, with the place of each.
        """
        layer = layerOf(
            "x",
            [("ssl-ca-cert", "a", "x 1"), ("ssl-cert", "b", "x 2"), ("ssl-cert", "c", "x 3")],
        )
        self.assertEqual(layer, Layer("x", {"ssl-ca-certs": "a", "ssl-cert": ("b", "c")}))
        self.assertEqual(layer.sourceOf("ssl-ca-certs"), "x 1")
        self.assertEqual(layer.sourceOf("ssl-cert"), "x 2")
        self.assertEqual(layerOf("x", []), Layer("x"))

    def test_twice(self) -> None:
        """
        The same said twice is fine; something else is told with the second place, and no value.
        """
        twice = [("ssl-ca-certs", "a", "x 1"), ("ssl-ca-cert", "a", "x 2")]
        self.assertEqual(layerOf("x", twice).values, {"ssl-ca-certs": "a"})
        conflict = [("ssl-key-password", "hush", "x 1"), ("ssl-key-password", "shush", "x 2")]
        error = self.assertRaises(OptionError, layerOf, "x", conflict)
        self.assertEqual((error.option, error.source), ("ssl-key-password", "x 2"))
        self.assertNotIn("hush", str(error))

    def test_unknown(self) -> None:
        """
        An unknown name is told with its place.
        """
        error = self.assertRaises(OptionError, layerOf, "x", [("ssl-crt", "a", "x 1")])
        self.assertEqual((error.option, error.source), ("ssl-crt", "x 1"))

    def test_badValue(self) -> None:
        """
        Values are read at once, so that nobody has to expect an error later.
        """
        error = self.assertRaises(OptionError, layerOf, "x", [("detect-timeout", "soon", "x 1")])
        self.assertEqual((error.option, error.source), ("detect-timeout", "x 1"))

    def test_sides(self) -> None:
        """
        An option for the other side is refused, and says for whom it is.
        """
        server = [("detect-timeout", "1", "x 1")]
        client = [("ssl-check-hostname", "no", "x 1")]
        self.assertEqual(layerOf("x", server, Side.SERVER).values, {"detect-timeout": "1"})
        self.assertEqual(layerOf("x", client, Side.CLIENT).values, {"ssl-check-hostname": "no"})
        self.assertIn(
            "for servers only", self.assertRaises(OptionError, layerOf, "x", server, Side.CLIENT).problem
        )
        self.assertIn(
            "for clients only", self.assertRaises(OptionError, layerOf, "x", client, Side.SERVER).problem
        )

    def test_verified(self) -> None:
        """
        A layer that was made so can be resolved.
        """
        tls, _ = resolveBoth(layerOf("x", [("ssl-client-verify-mode", "required", "x")]))
        self.assertIs(tls.clientVerifyMode, VerifyMode.REQUIRED)
