"""
Certificates of clients in a browser: chromium, which keeps them in a database of NSS, opens a WebSocket to a
port that asks for one.
"""

from __future__ import annotations

import json
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from tests.support.interop import InteropCase
from tests.support.programs import Program, echo, find, run

#: What the page says on the browser's console.
_SAID: Final = r'CONSOLE.*"RESULT ([^"]*)"'

_PAGE: Final = """
<!doctype html><title>test</title><script>
const port = location.search.slice(1) || location.port;
const socket = new WebSocket("wss://localhost:" + port + "/");
socket.binaryType = "arraybuffer";
const say = (text) => console.log("RESULT " + text);
socket.onopen = () => socket.send("hello from a browser");
socket.onmessage = (event) => say(new TextDecoder().decode(event.data));
socket.onclose = (event) => say("closed " + event.code);
</script>
"""


class BrowserTests(InteropCase, SynchronousTestCase):
    """
    A port that lets in alice, and another socket of it that lets in everybody.
    """

    def setUp(self) -> None:
        super().setUp()
        for program in ("chromium", "certutil", "pk12util"):
            find(program)
        self.write("passphrase.txt", b"hush\n")
        self.write("www/page.html", _PAGE.encode("ascii"))
        self.xtls("cert", "ca")
        self.authority = self.folder / ".config" / "xtls" / "ca" / "ca-cert.pem"
        self.xtls("cert", "server", "localhost", "--out=here.pem")
        self.listening = self.port(
            "--bind-tcp=127.0.0.1:0,websocket-origin=*,ssl-allow=CN=alice",
            "--bind-tcp=127.0.0.1:0,ssl-client-verify-mode=none",
            "--ssl-cert=here.pem",
            f"--ssl-ca-certs={self.authority}",
            "--www-dir=www",
            self.forward(echo),
        )
        self.strict, self.open = self.numbers(self.listening, "tcp", 2)

    def xtls(self, *words: str) -> None:
        """
        Run C{xtls}.
        """
        done = run(["xtls", *words], self.folder)
        self.assertEqual(done.status, 0, done.text)

    def browser(self, url: str, person: str = "") -> Program:
        """
        Start a browser.

        @param person: whose certificate it has, if it has one; whoever is asked for it gets it, without a
            question to the user.
        """
        database = f"sql:{self.folder}/.pki/nssdb"
        (self.folder / ".pki" / "nssdb").mkdir(parents=True)
        commands = [
            ["certutil", "-d", database, "-N", "--empty-password"],
            ["certutil", "-d", database, "-A", "-n", "ca", "-t", "C,,", "-i", str(self.authority)],
        ]
        if person:
            self.xtls("cert", "client", person, "--p12-password=file:passphrase.txt")
            commands.append(
                ["pk12util", "-d", database, "-i", f"{person}.p12", "-w", "passphrase.txt", "-K", ""]
            )
        for command in commands:
            done = run(command, self.folder)
            self.assertEqual(done.status, 0, done.text)
        chosen: dict[str, object] = {f"https://localhost:{self.strict},*": {"setting": {"filters": [{}]}}}
        settings = {"content_settings": {"exceptions": {"auto_select_certificate": chosen}}}
        self.write("profile/Default/Preferences", json.dumps({"profile": settings}).encode("ascii"))
        return Program(
            self,
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--enable-logging=stderr",
                f"--user-data-dir={self.folder}/profile",
                url,
            ],
            self.folder,
            variables={"XDG_CONFIG_HOME": str(self.folder / ".config")},
        )

    def test_certificate(self) -> None:
        """
        With a certificate that the rule lets in, pages are shown, and a WebSocket leads to the service; the
        log says whose it is.
        """
        browser = self.browser(f"https://localhost:{self.strict}/page.html", "alice")
        self.assertEqual(browser.waitFor(_SAID)[1], "hello from a browser")
        self.listening.waitFor("ssl>tls>http as CN=alice")
        self.listening.waitFor("http>ws as CN=alice")

    def test_noCertificate(self) -> None:
        """
        Without a certificate there is no WebSocket, though the page may be had from elsewhere: the browser
        gives up when it is asked for one.
        """
        browser = self.browser(f"https://localhost:{self.open}/page.html?{self.strict}")
        self.assertEqual(browser.waitFor(_SAID)[1], "closed 1006")
        self.listening.waitFor("refused at ssl>tls: ")
        self.assertNotIn("http>ws", self.listening.log)

    def test_notAllowed(self) -> None:
        """
        Nor with a certificate that no rule lets in.
        """
        self.browser(f"https://localhost:{self.strict}/page.html", "bob")
        self.listening.waitFor("refused at ssl>tls: CN=bob has a good certificate .* but no rule lets it in")
        self.assertNotIn("http>ws", self.listening.log)
