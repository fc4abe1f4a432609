"""
C{xtls hosts}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from datetime import datetime, timezone
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import configDirectory
from xtls.errors import CertificateFileError, OptionError
from xtls.programs import hosts
from xtls.trust.certificates import fingerprint
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.pins import pinOf

CERTIFICATE = selfSigned(["a.test", "127.0.0.1"]).certificate
THEN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


class HostsTests(SynchronousTestCase):
    """
    L{hosts.run}.
    """

    def setUp(self) -> None:
        self.others = KnownHosts(Path(self.mktemp()).absolute())
        self.hosts = KnownHosts(Path(self.mktemp()).absolute(), [self.others.directory])

    def run_(self, *words: str) -> tuple[int, str, str]:
        """
        Run the command.

        @return: its status, and what it printed to standard output and standard error.
        """
        output, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
            status = hosts.run(words, self.hosts)
        return status, output.getvalue(), error.getvalue()

    def refused(self, *words: str) -> OptionError:
        """
        Why a command line cannot be used.
        """
        return self.assertRaises(OptionError, self.run_, *words)  # type: ignore[no-any-return]

    def test_list(self) -> None:
        """
        Each host is on one line, with since when and its fingerprint; those that others remember with where.
        """
        self.assertEqual(self.run_("list"), (0, "", "xtls hosts: none is remembered\n"))
        self.hosts.remember("a.test", 443, CERTIFICATE, THEN)
        path = self.others.remember("::1", 10000, CERTIFICATE, THEN).path
        shown = f"since 2026-02-03  {fingerprint(CERTIFICATE)}"
        self.assertEqual(
            self.run_("list"), (0, f"[::1]:10000  {shown}  in {path}\na.test:443   {shown}\n", "")
        )

    def test_json(self) -> None:
        """
        Programs get all of it.
        """
        self.assertEqual(json.loads(self.run_("list", "--json")[1]), [])
        path = self.hosts.remember("a.test", 443, CERTIFICATE, THEN).path
        (found,) = json.loads(self.run_("list", "--json")[1])
        self.assertEqual(found, json.loads(self.run_("show", "a.test", "--json")[1]))
        self.assertTrue(found.pop("pem").startswith("-----BEGIN CERTIFICATE-----"))
        self.assertEqual(
            found,
            {
                "host": "a.test",
                "port": 443,
                "since": "2026-02-03T04:05:06Z",
                "fingerprint": fingerprint(CERTIFICATE),
                "key": pinOf(CERTIFICATE),
                "subject": "CN=a.test",
                "issuer": "CN=a.test",
                "names": ["a.test", "127.0.0.1"],
                "expires": f"{CERTIFICATE.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
                "path": str(path),
            },
        )

    def test_show(self) -> None:
        """
        One host is shown line by line.
        """
        self.hosts.remember("a.test", 443, CERTIFICATE, THEN)
        status, output, _ = self.run_("show", "a.test:443")
        lines = dict(line.split(maxsplit=1) for line in output.splitlines())
        self.assertEqual((status, lines["names"], lines["port"]), (0, "a.test, 127.0.0.1", "443"))
        self.assertNotIn("pem", lines)

    def test_forget(self) -> None:
        """
        A host that is forgotten is remembered no more.
        """
        self.hosts.remember("a.test", 443, CERTIFICATE)
        self.hosts.remember("a.test", 444, CERTIFICATE)
        self.assertEqual(self.run_("forget", "A.TEST:443"), (0, "forgotten: A.TEST:443\n", ""))
        self.assertIsNone(self.hosts.find("a.test", 443))
        self.assertIsNotNone(self.hosts.find("a.test", 444))

    def test_places(self) -> None:
        """
        A host may be named as targets are; without a port, it is the only one at which it is remembered.
        """
        for text in ("a.test", "a.test:10000", "ssl://a.test:10000/", "wss://me@A.test:10000/path"):
            self.hosts.remember("a.test", 10000, CERTIFICATE)
            self.assertEqual(self.run_("forget", text)[0], 0, text)
        for text in ("::1", "[::1]", "[::1]:10000"):
            self.hosts.remember("::1", 10000, CERTIFICATE)
            self.assertEqual(self.run_("forget", text)[0], 0, text)
        for port in (1, 2):
            self.hosts.remember("a.test", port, CERTIFICATE)
        error = self.refused("forget", "a.test")
        self.assertIn("a.test:1, a.test:2", error.problem)

    def test_unknown(self) -> None:
        """
        A host that is not remembered is said to be none, with the one that was perhaps meant.
        """
        self.assertEqual(self.run_("forget", "a.test"), (1, "", "xtls hosts: a.test:443 is not remembered\n"))
        self.hosts.remember("a.test", 10000, CERTIFICATE)
        status, _, error = self.run_("show", "aa.test:10000")
        self.assertEqual(status, 1)
        self.assertIn("did you mean a.test:10000?", error)

    def test_everywhere(self) -> None:
        """
        What others remember is believed until it is forgotten there, which has to be said.
        """
        self.hosts.remember("a.test", 443, CERTIFICATE)
        path = self.others.remember("a.test", 443, CERTIFICATE).path
        status, output, error = self.run_("forget", "a.test")
        self.assertEqual((status, output), (1, "forgotten: a.test:443\n"))
        self.assertIn(f"{path} too, and still believed: --everywhere", error)
        self.assertEqual(self.run_("forget", "a.test", "--everywhere"), (0, f"forgotten: {path}\n", ""))
        self.assertIsNone(self.hosts.find("a.test", 443))

    def test_damaged(self) -> None:
        """
        What cannot be read is said, and can be forgotten.
        """
        path = self.hosts.remember("a.test", 443, CERTIFICATE).path / "cert.pem"
        path.write_bytes(b"damaged")
        status, output, error = self.run_("list")
        self.assertEqual((status, output), (0, ""))
        self.assertIn(str(path), error)
        self.assertRaises(CertificateFileError, self.run_, "show", "a.test")
        self.hosts.forget("a.test", 443)
        path = self.hosts.remember("a.test", 10000, CERTIFICATE).path / "cert.pem"
        path.write_bytes(b"damaged")
        self.assertEqual(self.run_("forget", "a.test")[0], 0)

    def test_wrong(self) -> None:
        """
        What cannot be understood is refused by name.
        """
        for words, option in (
            ((), "COMMAND"),
            (("lists",), "lists"),
            (("list", "a.test"), "a.test"),
            (("show",), "show"),
            (("forget", "a", "b"), "b"),
            (("forget", "a", "--json"), "--json"),
            (("list", "--everywhere"), "--everywhere"),
            (("forget", "a:x"), "a:x"),
            (("forget", ":1"), ":1"),
            (("forget", "[::1"), "[::1"),
        ):
            self.assertEqual(self.refused(*words).option, option)
        self.assertIn("did you mean list?", self.refused("lists").problem)

    def test_help(self) -> None:
        """
        The help has each command and option.
        """
        status, output, _ = self.run_("--help")
        self.assertEqual(status, 0)
        for word in ("list", "show", "forget", "--json", "--everywhere"):
            self.assertIn(word, output)

    def test_own(self) -> None:
        """
        The hosts are those of the user, unless others are given.
        """
        self.patch(os, "environ", {**os.environ, "XDG_CONFIG_HOME": str(Path(self.mktemp()).absolute())})
        KnownHosts(configDirectory()).remember("a.test", 443, CERTIFICATE)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(hosts.run(["forget", "a.test"]), 0)
        self.assertEqual(output.getvalue(), "forgotten: a.test:443\n")
