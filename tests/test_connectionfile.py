"""
Connection files.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import recordLogs
from tests.support.randoms import mutations, randomTexts
from tests.test_values import PEM
from xtls.config.connectionfile import (
    LARGEST_FILE,
    RESERVED,
    SUFFIX,
    parseConnectionFile,
    readConnectionFile,
    refuseWeakening,
    withoutAnchors,
    writeConnectionFile,
)
from xtls.config.definitions import Layer, optionNamed
from xtls.config.modes import Mode, Target
from xtls.config.options import TLSOptions
from xtls.config.portoptions import resolveBoth
from xtls.config.target import parseTarget
from xtls.errors import OptionError

#: What a file needs at least.
PLACE = "mode=ssl\nhost=h\nport=1\n"

#: What files are made of.
WORDS = (
    *(
        "mode",
        "host",
        "port",
        "path",
        "username",
        "password",
        "ssh_port",
        "autoconnect",
        "=",
        "\n",
        "\n",
        "#",
        ";",
    ),
    *("ssl", "tcp", "ssh -> ssh", "socket", "10000", "localhost", "::1", "[::1]", "/run/x", "true", "hush"),
    *(
        "ssl-ca-data",
        "ssl-check-hostname=no\n",
        "ssl-cert=a\n",
        "connect-timeout=5\n",
        "base64:AA",
        "quality=1\n",
    ),
    *("mode=ssl\n", "host=h\n", "port=1\n", "mode=socket\n", "path=/run/x\n", "password=hush\n"),
)


class ReadTests(SynchronousTestCase):
    """
    L{readConnectionFile} and L{parseConnectionFile}.
    """

    def refused(self, text: str, option: str, source: str) -> str:
        """
        The problem with a file that cannot be used.
        """
        error = self.assertRaises(OptionError, parseConnectionFile, text, "x.xpra")
        self.assertEqual((error.option, error.source), (option, source), text)
        return str(error.problem)

    def write(self, data: bytes) -> str:
        """
        Make a file.
        """
        path = Path(self.mktemp() + SUFFIX)
        path.write_bytes(data)
        return str(path)

    def test_example(self) -> None:
        """
        The example of xpra's documentation is read: a CA in hexadecimal, on one long line.
        """
        for data in (PEM.hex(), "base64:" + base64.b64encode(PEM).decode()):
            path = self.write(
                b"host=localhost\nautoconnect=true\nport=10000\nmode=ssl\nssl-ca-data=%b\n" % data.encode()
            )
            target = readConnectionFile(path)
            self.assertEqual(
                target, Target(Mode.SSL, "localhost", 10000, layer=Layer(path, {"ssl-ca-data": data}))
            )
            tls, _ = resolveBoth(target.layer)
            self.assertEqual((tls.caData, tls.source("caData")), (PEM, f"{path} line 5"))

    def test_place(self) -> None:
        """
        All that says where to connect is taken; where no port is said, the mode has one.
        """
        for text, target in (
            ("mode=tcp\nhost=h", Target(Mode.TCP, "h", 14500)),
            ("mode = SSL\n host = [::1] \nport=\n", Target(Mode.SSL, "::1", 443)),
            (
                "mode=wss\nhost=h\nport=1\npath=a b\nusername=me\npassword=a=b",
                Target(Mode.WSS, "h", 1, "/a%20b", "me", "a=b"),
            ),
            ("mode=ssh\nhost=h\nport=1\nssh_port=2222", Target(Mode.SSH, "h", 2222)),
            ("mode=ssh\nhost=h\nport=1\nssh_port=", Target(Mode.SSH, "h", 1)),
            ("mode=ssl\nhost=h\nport=1\nssh_port=2222", Target(Mode.SSL, "h", 1)),
            ("mode=socket\npath=/run/x\nusername=me", Target(Mode.UNIX, "", 0, "/run/x", "me")),
            ("mode=unix\npath=@x", Target(Mode.UNIX, "", 0, "@x")),
        ):
            read = parseConnectionFile(text, "target")
            self.assertEqual(read, target, text)
            self.assertFalse(read.trusted)

    def test_silence(self) -> None:
        """
        Empty lines, comments, line ends of other systems and a byte order mark say nothing.
        """
        text = f"\ufeff# mine\r\n\r\n; yours\n{PLACE}".replace("\n", "\r\n")
        target = readConnectionFile(self.write(text.encode("utf-8")))
        self.assertEqual((target.host, target.port, dict(target.layer.values)), ("h", 1, {}))

    def test_ignored(self) -> None:
        """
        What concerns xpra's windows, and what concerns servers, has no meaning here.
        """
        lines = (
            "autoconnect=maybe\nquality=80\nproxy_host=x\nencoding=rgb\nssl=auto\nws=no\nssl-upgrade=yes\n"
        )
        recorder = recordLogs(self)
        target = parseConnectionFile(lines + PLACE, "x.xpra")
        self.assertEqual(dict(target.layer.values), {})
        (text,) = recorder.lines()
        self.assertIn("passed over in x.xpra", text)
        for key in ("quality", "proxy_host", "ssl-upgrade"):
            self.assertIn(key, text)

    def test_nothingIgnored(self) -> None:
        """
        Nothing is said of files in which all has a meaning, or is in every file.
        """
        recorder = recordLogs(self)
        parseConnectionFile("autoconnect=true\n" + PLACE, "x.xpra")
        self.assertEqual(recorder.lines(), [])

    def test_controls(self) -> None:
        """
        What a terminal would obey is not text, wherever it stands; a byte order mark and tabs are harmless.
        """
        for line in ("\x1b[2J=1", "username=a\x07b", "path=\u202ea", "ssl-cert=a\rb", "#\nho\x00st=h"):
            error = self.assertRaises(OptionError, parseConnectionFile, PLACE + line, "x.xpra")
            self.assertIn("control characters", error.problem)
            self.assertTrue(str(error).isprintable())
        parseConnectionFile(PLACE + "username=a\tb", "x.xpra")

    def test_options(self) -> None:
        """
        Options are taken by any of their names, and each knows its line.
        """
        target = parseConnectionFile(
            PLACE + "ssl-ca-cert=a\nssl-cert=b\nssl-cert=c\nconnect-timeout=5", "x.xpra"
        )
        self.assertEqual(
            target.layer.values, {"ssl-ca-certs": "a", "ssl-cert": ("b", "c"), "connect-timeout": "5"}
        )
        self.assertEqual(target.layer.sourceOf("ssl-ca-certs"), "x.xpra line 4")

    def test_badLines(self) -> None:
        """
        What is wrong is told with its line.
        """
        for text, option, source in (
            (PLACE + "what", "connection file", "x.xpra line 4"),
            (PLACE + "=x", "connection file", "x.xpra line 4"),
            (PLACE + "ssl-ca-data=x", "ssl-ca-data", "x.xpra line 4"),
            (PLACE + "ssl-key=a\nssl-key=b", "ssl-key", "x.xpra line 5"),
            (PLACE + "host=other", "host", "x.xpra line 4"),
            ("mode=sssl", "mode", "x.xpra line 1"),
            ("mode=quic", "mode", "x.xpra line 1"),
            ("mode=ssh  -> ssh", "mode", "x.xpra line 1"),
            ("mode=ssl\nhost=a b", "host", "x.xpra line 2"),
            ("mode=ssl\nhost=h\nport=0", "port", "x.xpra line 3"),
            ("mode=ssh\nhost=h\nssh_port=x", "ssh_port", "x.xpra line 3"),
            ("mode=socket\npath=x", "path", "x.xpra line 2"),
            ("mode=tcp\nhost=h\nssl-cert=a", "ssl-cert", "x.xpra line 3"),
        ):
            self.assertIn("expected", self.refused(text, option, source), text)

    def test_missing(self) -> None:
        """
        A line that is missing is told with the file: an empty file lacks its mode.
        """
        self.assertIn("expected mode=", self.refused("", "mode", "x.xpra"))
        self.assertIn("expected host=", self.refused("mode=ssl", "host", "x.xpra"))
        self.assertIn("expected path=", self.refused("mode=socket", "path", "x.xpra"))

    def test_unknown(self) -> None:
        """
        A line with an unknown name is not passed over: it may have been meant to protect.
        """
        problem = self.refused(PLACE + "ssl-ca-dat=x", "ssl-ca-dat", "x.xpra line 4")
        self.assertIn("did you mean ssl-ca-data?", problem)
        self.assertIn("did you mean username?", self.refused(PLACE + "usrname=x", "usrname", "x.xpra line 4"))

    def test_unreadable(self) -> None:
        """
        A file that cannot be read, or is no text of a reasonable size, is told by its path.
        """
        nul = "a\0b.xpra"
        for path, part in (
            (self.mktemp(), "No such file"),
            (".", "directory"),
            (nul, "NUL"),
            (self.write(b"\xff"), "UTF-8"),
            (self.write(b"#" * (LARGEST_FILE + 1)), "at most"),
        ):
            error = self.assertRaises(OptionError, readConnectionFile, path)
            self.assertEqual((error.option, error.source), ("connection file", path))
            self.assertIn(part, error.problem)

    def test_randomTexts(self) -> None:
        """
        Whatever a file holds, it is understood or refused with our error, which holds no password; and what
        was understood can be written, and read as the same again.
        """
        samples = (PLACE, PLACE + f"ssl-ca-data={PEM.hex()}\npassword=hush\n", "mode=socket\npath=/run/x\n")
        understood = 0
        for text in (*randomTexts(3, 4000, WORDS), *mutations(4, 2000, samples)):
            try:
                target = parseConnectionFile(text, "x.xpra")
            except OptionError as error:
                self.assertNotIn("password=hush", error.problem)
                continue
            understood += 1
            read = parseConnectionFile(writeConnectionFile(target), "x.xpra")
            # data that had odd white space in it is written without, so values are compared and not texts
            self.assertEqual(replace(read, layer=target.layer), target, text)
            self.assertEqual(resolveBoth(read.layer), resolveBoth(target.layer), text)
        self.assertGreater(understood, 100)


class WriteTests(SynchronousTestCase):
    """
    L{writeConnectionFile}.
    """

    def test_example(self) -> None:
        """
        What is written is a file as xpra's documentation shows it.
        """
        target = parseTarget(f"ssl://localhost:10000/?ssl-ca-data={PEM.hex()}")
        self.assertEqual(
            writeConnectionFile(target),
            f"host=localhost\nautoconnect=true\nport=10000\nmode=ssl\nssl-ca-data={PEM.hex()}\n",
        )

    def test_roundTrip(self) -> None:
        """
        What is written is read as the same target.
        """
        for text in (
            "wss://me:p%20w@[::1]:1/a%20b?ssl-cert=a&ssl-cert=b&connect-timeout=5",
            "ssh:h:2222",
            "socket:@x",
            "/run/x",
        ):
            target = parseTarget(text)
            read = parseConnectionFile(writeConnectionFile(target), "URL")
            self.assertEqual(read.toURL(), target.toURL())

    def test_lines(self) -> None:
        """
        PEM text of many lines becomes data on one.
        """
        target = Target(Mode.SSL, "h", 1, layer=Layer("URL", {"ssl-ca-data": PEM.decode()}))
        text = writeConnectionFile(target)
        self.assertEqual(len(text.splitlines()), 5)
        tls, _ = resolveBoth(parseConnectionFile(text, "x").layer)
        self.assertEqual(tls.caData, PEM)

    def test_noPlace(self) -> None:
        """
        What would be read otherwise than it was said is not written; a secret is not in the error.
        """
        for target, option, source in (
            (Target(Mode.SSL, "h", 1, password=" hush"), "password", "target"),
            (Target(Mode.SSL, "h", 1, username="a\nhost=evil"), "username", "target"),
            (Target(Mode.SSL, "h", 1, password="a\rb"), "password", "target"),
            (Target(Mode.SSL, "h", 1, layer=Layer("URL", {"ssl-cert": "a\nb"})), "ssl-cert", "URL"),
            (Target(Mode.SSL, "h", 1, username="\x1b[2J"), "username", "target"),
        ):
            error = self.assertRaises(OptionError, writeConnectionFile, target)
            self.assertEqual((error.option, error.source), (option, source))
            self.assertNotIn("hush", str(error))


class WithoutAnchorsTests(SynchronousTestCase):
    """
    L{withoutAnchors}.
    """

    theirs = Layer("x.xpra", {"ssl-ca-data": PEM.hex(), "ssl-ca-cert": "a", "ssl-server-hostname": "h"})

    def test_users(self) -> None:
        """
        Whom the user names to believe is believed alone, in whichever way either names them.
        """
        for name, text in (("ssl-ca-data", PEM.hex()), ("ssl-ca-certs", "b"), ("ssl-ca-cert", "default")):
            left = withoutAnchors(self.theirs, Layer("command line", {name: text}))
            self.assertEqual((left.source, left.values), ("x.xpra", {"ssl-server-hostname": "h"}))

    def test_theirs(self) -> None:
        """
        Where the user names nobody, somebody else may.
        """
        self.assertEqual(withoutAnchors(self.theirs, Layer("command line", {"ssl-cert": "c"})), self.theirs)


class RefuseWeakeningTests(SynchronousTestCase):
    """
    L{refuseWeakening}.
    """

    weakening = (
        ("ssl-server-verify-mode", "none"),
        ("ssl-check-hostname", "off"),
        ("ssl-verify-flags", "DEFAULT,ALLOW_PROXY_CERTS"),
        ("ssl-protocol", "TLSv1_2"),
        ("ssl-ciphers", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA"),
        ("ssl-options", "ALL,NO_TLSv1_3"),
        ("ssl-cert", "/home/me/me.pem"),
        ("ssl-key", "/home/me/me.key"),
        ("ssl-key-password", "fd:0"),
    )

    def test_all(self) -> None:
        """
        Everything that is reserved for the user is tried below.
        """
        names = {optionNamed(TLSOptions, attribute).name for attribute in RESERVED}
        self.assertEqual({name for name, _ in self.weakening}, names)

    def test_refused(self) -> None:
        """
        Somebody else cannot lower verification or protection, or name the user's keys; the error names line
        and remedy.
        """
        for name, text in self.weakening:
            theirs = Layer("x.xpra", {name: text}, {name: "x.xpra line 3"})
            error = self.assertRaises(OptionError, refuseWeakening, theirs, Layer("command line"))
            self.assertEqual((error.option, error.source), (name, "x.xpra line 3"))
            self.assertIn(f"--{name}=", error.problem)

    def test_several(self) -> None:
        """
        An option that was said several times is refused as one that was said once.
        """
        theirs = Layer("x.xpra", {"ssl-cert": ("auto", "a", "b")})
        self.assertRaises(OptionError, refuseWeakening, theirs, Layer("command line"))

    def test_secret(self) -> None:
        """
        A passphrase is not in the error.
        """
        theirs = Layer("x.xpra", {"ssl-key-password": "hush"})
        error = self.assertRaises(OptionError, refuseWeakening, theirs, Layer("command line"))
        self.assertNotIn("hush", str(error))

    def test_decided(self) -> None:
        """
        The user's own word on the option decides, either way.
        """
        for name, text in self.weakening:
            refuseWeakening(Layer("x.xpra", {name: text}), Layer("command line", {name: text}))
        refuseWeakening(
            Layer("x.xpra", {"ssl-server-verify-mode": "none"}),
            Layer("command line", {"ssl-server-verify-mode": "required"}),
        )

    def test_mixed(self) -> None:
        """
        The user's word on one option is no word on another: a key of the file does not come with the user's
        certificate.
        """
        theirs = Layer("x.xpra", {"ssl-cert": "a", "ssl-key": "b"})
        error = self.assertRaises(OptionError, refuseWeakening, theirs, Layer("", {"ssl-cert": "c"}))
        self.assertEqual(error.option, "ssl-key")

    def test_harmless(self) -> None:
        """
        Naming a CA, or asking for more, lowers nothing; and the user may say anything.
        """
        refuseWeakening(
            Layer(
                "x.xpra",
                {
                    "ssl-ca-data": PEM.hex(),
                    "ssl-server-verify-mode": "optional",
                    "ssl-check-hostname": "yes",
                    "ssl-verify-flags": "X509_STRICT",
                    "ssl-protocol": "TLSv1_3",
                    "ssl-ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384",
                    "ssl-options": "ALL,NO_TICKET,NO_TLSv1_2",
                    "ssl-cert": "auto",
                },
            ),
            Layer("command line"),
        )
        refuseWeakening(Layer("x.xpra"), Layer("command line", {"ssl-server-verify-mode": "none"}))
        refuseWeakening(Layer("x.xpra", {"ssl-ciphers": "DEFAULT"}), Layer("command line"))
