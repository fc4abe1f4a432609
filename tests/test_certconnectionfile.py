"""
C{xtls cert connection-file}.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from pathlib import Path

from tests.support.certcommands import CertTestCase
from xtls.config.connectionfile import readConnectionFile, refuseWeakening
from xtls.config.definitions import Layer
from xtls.config.modes import Target
from xtls.config.options import TLSOptions
from xtls.config.portoptions import resolveBoth
from xtls.errors import CertificateFileError
from xtls.programs import cert
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, parseCertificates, toPEM
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts


class ConnectionFileTests(CertTestCase):
    """
    C{xtls cert connection-file}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.directory.mkdir()
        self.out = self.directory / "made.xpra"
        self.errors = ""

    def make(self, target: str, *arguments: str) -> Target:
        """
        Make a file, and read it.  What was warned of is in C{errors}, what was told in C{told}.
        """
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.told = self.run_("connection-file", target, f"--out={self.out}", "--force", *arguments)
        self.errors = errors.getvalue()
        return readConnectionFile(str(self.out))

    def tls(self, target: Target) -> TLSOptions:
        """
        The options of a file, which are such as anybody's file may say.
        """
        refuseWeakening(target.layer, Layer("command line"))
        return resolveBoth(target.layer)[0]

    def write(self, data: bytes) -> Path:
        """
        Make a file of certificates.
        """
        path = self.directory / "ca.pem"
        path.write_bytes(data)
        return path

    def test_authority(self) -> None:
        """
        A CA's certificate is in the file, and nothing of what else is in the file of the CA.
        """
        authority = Authority("an authority", withKeyUsage=False)
        path = self.write(toPEM(authority.issue("a.test")) + authority.pem)
        target = self.make("ssl://a.test:10000/", f"--ca={path}")
        self.assertEqual(target.describe(), "ssl://a.test:10000/")
        self.assertEqual(parseCertificates(self.tls(target).caData), (authority.certificate,))
        for part in (
            "CN=an authority",
            fingerprint(authority.certificate),
            str(path),
            "nothing in it is secret",
        ):
            self.assertIn(part, self.told)
        self.assertIn(f"attach {self.out}", self.told)
        self.assertNotIn("PRIVATE", self.out.read_text())
        self.assertIn("expires in", self.errors)
        self.assertNotIn("key usage", self.errors)

    def test_lines(self) -> None:
        """
        It is a file as xpra's documentation shows it, which can be printed too.
        """
        path = self.write(toPEM(selfSigned(["localhost"])))
        output = self.run_("connection-file", "ssl://localhost:10000/", f"--ca={path}", "--out=-")
        keys = [line.partition("=")[0] for line in output.splitlines()]
        self.assertEqual(keys, ["host", "autoconnect", "port", "mode", "ssl-ca-data"])

    def test_place(self) -> None:
        """
        Without a name the file is called as the host, in the current directory; one that is there stays.
        """
        self.write(toPEM(selfSigned(["::1"])))
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        self.assertIn("made __1.xpra", self.run_("connection-file", "ssl://[::1]:1/", "--ca=ca.pem"))
        self.assertEqual(self.refused("connection-file", "ssl://[::1]:1/", "--ca=ca.pem").option, "out")

    def test_target(self) -> None:
        """
        What the target says of options is in the file; certificates that it names by a path are in it
        themselves.
        """
        authority = Authority("an authority")
        path = self.write(authority.pem)
        target = self.make(f"ssl://a.test/?ssl-ca-certs={path}&connect-timeout=5")
        self.assertEqual(set(target.layer.values), {"ssl-ca-data", "connect-timeout"})
        self.assertEqual(parseCertificates(self.tls(target).caData), (authority.certificate,))
        pin = "sha256:" + "ab" * 32
        self.assertEqual(self.tls(self.make(f"ssl://a.test/?ssl-pin={pin}")).pin, (pin,))
        self.assertIn("what TARGET says", self.told)

    def test_auto(self) -> None:
        """
        The CA beside the certificates is found where the target says so.
        """
        self.assertEqual(self.refused("connection-file", "ssl://a.test/?ssl-ca-certs=auto").option, "TARGET")
        authority = Authority("an authority")
        (self.directory / "ca-cert.pem").write_bytes(authority.pem)
        for words in (["ssl://a.test/?ssl-ca-certs=auto"], ["ssl://a.test/", "--ca=auto"]):
            target = self.make(*words)
            self.assertEqual(parseCertificates(self.tls(target).caData), (authority.certificate,))

    def test_default(self) -> None:
        """
        On the server's own machine its default certificate is meant, if it is for the host.
        """
        error = self.refused("connection-file", "ssl://localhost/")
        self.assertEqual(error.option, "ca")
        self.run_("self-signed", "--name=localhost")
        target = self.make("ssl://localhost/")
        self.assertEqual(
            parseCertificates(self.tls(target).caData), parseCertificates(self.default.read_bytes())
        )
        self.assertIn(str(self.default), self.told)
        self.assertEqual(self.errors, "")
        for url in ("ssl://a.test/", "ssl://a,b/"):
            self.assertEqual(
                self.refused("connection-file", url).option, "ca" if "a.test" in url else "target"
            )
        self.assertEqual(self.refused("connection-file", "ssl://a..b/").option, "ca")

    def test_remembered(self) -> None:
        """
        What is remembered of a host comes before: its certificate where others can believe it, else its key.
        """
        hosts = KnownHosts(self.directory / "xtls")
        pair = selfSigned(["a.test"])
        hosts.remember("a.test", 443, pair.certificate)
        target = self.make("ssl://a.test/")
        self.assertEqual(parseCertificates(self.tls(target).caData), (pair.certificate,))
        self.assertIn("remembered", self.told)
        for other in (selfSigned(["b.test"]), Authority().issue("a.test")):
            remembered = hosts.remember("a.test", 443, other.certificate)
            target = self.make("ssl://a.test/")
            self.assertEqual((self.tls(target).caData, self.tls(target).pin), (b"", (remembered.pin,)))
            self.assertIn(remembered.pin, self.told)

    def test_system(self) -> None:
        """
        Where clients believe the server anyway, nothing need be said; where there is no TLS, nothing can be.
        """
        self.assertEqual(dict(self.make("ssl://a.test/", "--ca=system").layer.values), {})
        self.assertIn("CAs that each client has", self.told)
        self.assertEqual(dict(self.make("tcp://a.test/").layer.values), {})
        self.assertIn("there is no TLS", self.told)
        self.assertEqual(self.refused("connection-file", "tcp://a.test/", "--ca=system").option, "ca")
        self.assertEqual(self.make("/run/x").path, "/run/x")

    def test_secrets(self) -> None:
        """
        A password is left out unless it is asked for; then nobody else can read the file.
        """
        target = self.make("ssl://me:hush@a.test/", "--ca=system")
        self.assertEqual((target.username, target.password), ("me", ""))
        self.assertIn("--with-password", self.errors)
        self.assertNotIn("hush", self.told + self.errors)
        target = self.make("ssl://me:hush@a.test/", "--ca=system", "--with-password")
        self.assertEqual(target.password, "hush")
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o600)
        self.assertIn("give it to nobody else", self.told)
        self.assertNotIn("hush", self.told + self.errors)

    def test_reserved(self) -> None:
        """
        What nobody takes from a file is not in it.
        """
        target = self.make(
            "ssl://a.test/?ssl-check-hostname=no&ssl-cert=me.pem&ssl-key-password=hush", "--ca=system"
        )
        self.assertEqual(dict(target.layer.values), {})
        for name in ("ssl-check-hostname", "ssl-cert", "ssl-key-password"):
            self.assertIn(f"{name} is left out", self.errors)
        self.assertNotIn("hush", self.errors)

    def test_useless(self) -> None:
        """
        Certificates that make nobody believed are refused; one for another host is warned of.
        """
        authority = Authority("an authority")
        path = self.write(toPEM(authority.intermediate("below").issue("a.test")))
        error = self.refused("connection-file", "ssl://a.test/", f"--ca={path}")
        self.assertIn("CN=an authority", error.problem)
        error = self.refused("connection-file", "ssl://a.test/", f"--ca={self.directory}")
        self.assertIn("directory", error.problem)
        path = self.write(toPEM(selfSigned(["b.test"])))
        self.make("ssl://a.test/", f"--ca={path}")
        self.assertIn("not for a.test", self.errors)

    def test_wrong(self) -> None:
        """
        One target is expected, and a name by which the file is known; what cannot be written is told.
        """
        self.assertEqual(self.refused("connection-file").option, "TARGET")
        self.assertEqual(self.refused("connection-file", "ssl://a", "b").option, "b")
        self.assertEqual(self.refused("connection-file", "tcp://a", "--out=a.txt").option, "out")
        words = ["connection-file", "tcp://a", f"--out={self.directory / 'no' / 'a.xpra'}"]
        self.assertRaises(CertificateFileError, cert.run, words)

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("connection-file")
