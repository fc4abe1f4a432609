"""
C{curl} over http and https, on one and the same port.
"""

from __future__ import annotations

import random
import re

from tests.support.backends import lines
from tests.support.interop import InteropCase
from tests.support.programs import Done

#: More than one segment, record and buffer, and no text.
FILE = random.Random(11).randbytes(1_500_000)

SCHEMES = ("http", "https")


class CurlCase(InteropCase):
    """
    A port, and C{curl}.
    """

    def listen(self, *options: str) -> int:
        """
        Start a port for everything, in front of a session.

        @return: its number.
        """
        bind = () if any(option.startswith("--bind") for option in options) else ("--bind-tcp=127.0.0.1:0",)
        port = self.port(*bind, "--ssl-cert=server.pem", self.forward(lines), *options)
        return int(port.waitFor(r"xtls listening: \w+ \S+:([0-9]+) ")[1])

    def curl(self, *words: str, given: bytes = b"") -> Done:
        """
        Fetch something, silently but for errors.
        """
        return self.succeed("curl --silent --show-error --max-time 20 --cacert ca.pem", *words, given=given)

    def header(self, done: Done, name: str) -> list[str]:
        """
        The values of a field, of all responses that were printed with their heads.
        """
        return re.findall(rf"(?im)^{name}: *(.*?)\r?$", done.output.decode("latin-1"))

    def statuses(self, done: Done) -> list[int]:
        """
        The statuses of all responses that were printed with their heads.
        """
        return [int(each) for each in re.findall(rb"(?m)^HTTP/1\.[01] ([0-9]{3})", done.output)]


class PageTests(CurlCase):
    """
    The page that tells how to attach.
    """

    def test_page(self) -> None:
        """
        It is there over http and https, for either name of the host, with the commands for this very port.
        """
        number = self.listen()
        for scheme in SCHEMES:
            for host in ("localhost", "127.0.0.1"):
                done = self.curl("--include", f"{scheme}://{host}:{number}/")
                self.assertEqual(self.statuses(done), [200])
                self.assertEqual(self.header(done, "Content-Type"), ["text/html; charset=utf-8"])
                self.assertIn(f"xtls attach ssl://{host}:{number}/", done.text)
                self.assertIn(f"xtls attach wss://{host}:{number}/", done.text)

    def test_parts(self) -> None:
        """
        All that the page refers to is there too; nothing else is.
        """
        number = self.listen()
        page = self.curl(f"https://localhost:{number}/").text
        parts = re.findall(r'(?:src|href)="([^":]+)"', page)
        self.assertGreaterEqual(len(parts), 2)
        for part in parts:
            done = self.curl("--include", f"https://localhost:{number}/{part.lstrip('/')}")
            self.assertEqual(self.statuses(done), [200])
        done = self.curl("--include", f"https://localhost:{number}/none/such")
        self.assertEqual(self.statuses(done), [404])

    def test_versions(self) -> None:
        """
        To whoever would like HTTP/2, HTTP/1.1 is spoken; HTTP/1.0 is answered too.
        """
        number = self.listen()
        for scheme in SCHEMES:
            for option in ("--http1.0", "--http1.1", "--http2"):
                done = self.curl(option, "--include", f"{scheme}://localhost:{number}/")
                self.assertEqual(self.statuses(done), [200], option)

    def test_onlyTLS(self) -> None:
        """
        A port for TLS tells in HTTP that it is one.
        """
        for mode, told in (("ssl", "TLS only"), ("wss", "HTTPS only")):
            number = self.listen(f"--bind-{mode}=127.0.0.1:0")
            done = self.curl("--include", f"http://localhost:{number}/")
            self.assertEqual(self.statuses(done), [400])
            self.assertIn(told, done.text)
            done = self.curl("--include", f"https://localhost:{number}/")
            self.assertEqual(self.statuses(done), [200])

    def test_onlyHTTP(self) -> None:
        """
        A port for HTTP has https as well.
        """
        number = self.listen("--bind-ws=127.0.0.1:0")
        for scheme in SCHEMES:
            done = self.curl("--include", f"{scheme}://localhost:{number}/")
            self.assertEqual(self.statuses(done), [200])

    def test_redirection(self) -> None:
        """
        With C{ssl} on, http leads to the same place over https.
        """
        number = self.listen("--ssl=on")
        done = self.curl("--include", f"http://localhost:{number}/a%20b?c=d")
        self.assertEqual(self.statuses(done), [308])
        self.assertEqual(self.header(done, "Location"), [f"https://localhost:{number}/a%20b?c=d"])
        done = self.curl("--include", "--location", f"http://localhost:{number}/")
        self.assertEqual(self.statuses(done), [308, 200])

    def test_noPages(self) -> None:
        """
        A port without pages says that there are only WebSockets.
        """
        number = self.listen("--http-upgrade=no")
        for scheme in SCHEMES:
            done = self.curl("--include", f"{scheme}://localhost:{number}/")
            self.assertEqual(self.statuses(done), [426])
            self.assertEqual(self.header(done, "Upgrade"), ["websocket"])


class FileTests(CurlCase):
    """
    The files of a folder.
    """

    def setUp(self) -> None:
        super().setUp()
        self.write("www/index.html", b"<title>ours</title>\n")
        self.write("www/deep/file.bin", FILE)
        self.write("www/.hidden", b"hidden")
        self.number = self.listen("--www-dir=www")

    def test_files(self) -> None:
        """
        A file arrives as it is, over http and https, with its length and kind.
        """
        for scheme in SCHEMES:
            done = self.curl(f"{scheme}://localhost:{self.number}/deep/file.bin")
            self.assertTrue(done.output == FILE)
            done = self.curl("--include", f"{scheme}://localhost:{self.number}/")
            self.assertEqual(self.header(done, "Content-Type"), ["text/html"])
            self.assertIn("ours", done.text)

    def test_head(self) -> None:
        """
        HEAD has the answer's head alone, as GET would have it.
        """
        for scheme in SCHEMES:
            done = self.curl("--head", f"{scheme}://localhost:{self.number}/deep/file.bin")
            self.assertEqual(self.statuses(done), [200])
            self.assertEqual(self.header(done, "Content-Length"), [str(len(FILE))])

    def test_range(self) -> None:
        """
        A part of a file, as for a download that goes on.
        """
        done = self.curl("--range", "100000-100099", f"https://localhost:{self.number}/deep/file.bin")
        self.assertEqual(done.output, FILE[100000:100100])

    def test_notFound(self) -> None:
        """
        What is not there, or not meant to be seen, or outside, or a list of files, is not there.
        """
        for path in ("/none", "/.hidden", "/deep/", "/../ca.pem", "/%2e%2e/ca.pem", "/..%2fca.pem", "/%00"):
            url = f"https://localhost:{self.number}{path}"
            done = self.curl("--path-as-is", "--include", url)
            self.assertIn(self.statuses(done), ([404], [400]), path)
            self.assertNotIn("BEGIN CERTIFICATE", done.text)

    def test_kept(self) -> None:
        """
        A connection serves one request after the other.
        """
        for scheme in SCHEMES:
            urls = [f"{scheme}://localhost:{self.number}/{name}" for name in ("", "deep/file.bin", "none")]
            done = self.curl(
                "--write-out",
                "%{num_connects} ",
                "--output",
                "one",
                *urls[:1],
                "--output",
                "two",
                urls[1],
                "--output",
                "three",
                urls[2],
            )
            self.assertEqual(done.text.split(), ["1", "0", "0"])
            self.assertTrue((self.folder / "two").read_bytes() == FILE)

    def test_content(self) -> None:
        """
        Who sends content to a page is told that it is only read, before all of it is on its way where the
        client waits to be asked for it (RFC 9110, section 10.1.1).
        """
        self.write("content", bytes(100_000))
        for scheme in SCHEMES:
            for expect in ("Expect: 100-continue", "Expect:"):
                done = self.do(
                    "curl --silent --show-error --max-time 20 --cacert ca.pem --include",
                    "--header",
                    expect,
                    "--data-binary",
                    "@content",
                    f"{scheme}://localhost:{self.number}/",
                )
                self.assertEqual(self.statuses(done), [405], done.text)
                self.assertEqual(self.header(done, "Allow"), ["GET, HEAD"])

    def test_tooLarge(self) -> None:
        """
        A head that is too large is refused, and that is said.
        """
        done = self.curl(
            "--include", "--header", f"X-Large: {'x' * 20000}", f"http://localhost:{self.number}/"
        )
        self.assertEqual(self.statuses(done), [431])
