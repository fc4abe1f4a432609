"""
Hosts that are remembered.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import CertificateFileError
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint, toPEM
from xtls.trust.issuing import selfSigned
from xtls.trust.knownhosts import KnownHosts, forgetFolder
from xtls.trust.pins import pinOf

PAIR = selfSigned(["a.test"])
CERTIFICATE = PAIR.certificate
RENEWED = selfSigned(["b.test"], key=PAIR.key).certificate
OTHER = selfSigned(["a.test"]).certificate
THEN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
LATER = datetime(2027, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


class KnownHostsCase(SynchronousTestCase):
    """
    Hosts in a directory of their own, and those of others.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.others = Path(self.mktemp()).absolute()
        self.hosts = KnownHosts(self.directory, [self.directory, self.others, self.others])

    def theirs(self, name: str, data: bytes | None = None, options: bytes | None = None) -> Path:
        """
        A folder as another program makes it.
        """
        path = self.others / "hosts" / name
        path.mkdir(parents=True)
        (path / "cert.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM) if data is None else data)
        if options is not None:
            (path / "options").write_bytes(options)
        return path


class RememberTests(KnownHostsCase):
    """
    L{KnownHosts.remember} and L{KnownHosts.find}.
    """

    def test_nobody(self) -> None:
        """
        Where nobody was accepted, nobody is found, and nothing is made.
        """
        self.assertIsNone(self.hosts.find("a.test", 443))
        self.assertEqual((self.hosts.all(), self.hosts.unreadable()), ([], []))
        self.assertFalse(self.directory.exists())

    def test_remembered(self) -> None:
        """
        Who was accepted is found again, with the certificate, its key, and since when.
        """
        given = self.hosts.remember("A.test.", 443, CERTIFICATE, THEN)
        found = self.hosts.find("a.test", 443)
        self.assertEqual(found, given)
        assert found is not None
        self.assertEqual((found.host, found.port, found.since), ("a.test", 443, THEN))
        self.assertEqual((found.certificate, found.pin), (CERTIFICATE, pinOf(CERTIFICATE)))
        self.assertEqual(found.fingerprint, fingerprint(CERTIFICATE))
        self.assertEqual(found.path, self.directory / "hosts" / "a.test_443")
        self.assertEqual(self.hosts.path("a.test", 443), found.path)
        self.assertIsNone(self.hosts.find("a.test", 444))
        self.assertIsNone(self.hosts.find("b.test", 443))

    def test_now(self) -> None:
        """
        Where nobody says when, it is now.
        """
        before = datetime.now(timezone.utc).replace(microsecond=0)
        since = self.hosts.remember("a.test", 443, CERTIFICATE).since
        self.assertTrue(before <= since <= datetime.now(timezone.utc))

    def test_private(self) -> None:
        """
        The files are for their owner alone, and so are their folders.
        """
        path = self.hosts.remember("a.test", 443, CERTIFICATE).path
        for each, mode in (
            (path, 0o700),
            (path.parent, 0o700),
            (path / "cert.pem", 0o600),
            (path / "options", 0o600),
        ):
            self.assertEqual(stat.S_IMODE(os.stat(each).st_mode), mode, each)

    def test_readable(self) -> None:
        """
        People can read what is remembered; no name in a certificate adds a line.
        """
        certificate = Authority("x").issue("a.test", commonName="a\nsince=x").certificate
        path = self.hosts.remember("a.test", 443, certificate, THEN).path
        lines = (path / "options").read_text("utf-8").splitlines()
        self.assertEqual(lines[:3], ["host=a.test", "port=443", "since=2026-02-03T04:05:06Z"])
        self.assertEqual(lines[3:5], [f"fingerprint={fingerprint(certificate)}", f"key={pinOf(certificate)}"])
        self.assertEqual([line.partition("=")[0] for line in lines[5:]], ["subject", "expires"])
        self.assertEqual((path / "cert.pem").read_bytes(), certificate.public_bytes(Encoding.PEM))

    def test_renewed(self) -> None:
        """
        A new certificate of the same key was accepted when the key was; one of another key is accepted now.
        """
        self.hosts.remember("a.test", 443, CERTIFICATE, THEN)
        again = self.hosts.remember("a.test", 443, RENEWED, LATER)
        self.assertEqual((again.certificate, again.since), (RENEWED, THEN))
        self.assertEqual(self.hosts.find("a.test", 443), again)
        self.assertEqual(self.hosts.remember("a.test", 443, OTHER, LATER).since, LATER)

    def test_damaged(self) -> None:
        """
        What cannot be read is not as if there were nothing; it may be replaced.
        """
        path = self.hosts.remember("a.test", 443, CERTIFICATE, THEN).path / "cert.pem"
        for data in (b"", b"nothing", toPEM(PAIR)[:100]):
            path.write_bytes(data)
            error = self.assertRaises(CertificateFileError, self.hosts.find, "a.test", 443)
            self.assertEqual(error.path, str(path))
            self.assertEqual(self.hosts.all(), [])
            self.assertEqual([each.path for each in self.hosts.unreadable()], [str(path)])
        self.assertEqual(self.hosts.remember("a.test", 443, CERTIFICATE, LATER).since, LATER)

    def test_dates(self) -> None:
        """
        Where nothing says since when, or nothing that can be read, it is the date of the file.
        """
        path = self.hosts.remember("a.test", 443, CERTIFICATE, THEN).path
        os.utime(path / "cert.pem", (LATER.timestamp(), LATER.timestamp()))
        for text in (None, b"", b"host=a.test\n", b"since=yesterday\n", b"\xff=\n"):
            (path / "options").unlink()
            if text is not None:
                (path / "options").write_bytes(text)
            found = self.hosts.find("a.test", 443)
            assert found is not None
            self.assertEqual(found.since, LATER)
            if text is None:
                (path / "options").write_bytes(b"")

    def test_unwritable(self) -> None:
        """
        What cannot be kept is an error that names the file.
        """
        self.directory.write_bytes(b"a file")
        error = self.assertRaises(CertificateFileError, self.hosts.remember, "a.test", 443, CERTIFICATE)
        self.assertTrue(error.path.startswith(str(self.directory)))

    def test_odd(self) -> None:
        """
        Of a certificate whose names cannot be read, that is remembered.
        """

        class Odd:
            def __getattr__(self, name: str) -> object:
                if name == "subject":
                    raise ValueError("no")
                return getattr(CERTIFICATE, name)

        odd: object = Odd()
        path = self.hosts.remember("a.test", 443, odd, THEN).path  # type: ignore[arg-type]
        self.assertIn("subject=cannot be read\n", (path / "options").read_text("utf-8"))


class NameTests(KnownHostsCase):
    """
    Whose folder is whose.
    """

    def test_oneFolderEach(self) -> None:
        """
        No two hosts share a folder, whatever they are called; one host has one, however it is written.
        """
        hosts = [
            ("a", 1),
            ("a", 11),
            ("a_1", 1),
            ("a#2f", 1),
            ("a/", 1),
            ("..", 1),
            ("../a", 1),
            ("::1", 1),
            ("fe80::1", 1),
            ("fe80::1%eth0", 1),
            ("fe80::1%ETH0", 1),
            ("fe80::1eth0", 1),
            ("127.0.0.1", 1),
            ("bücher.example", 1),
            ("a b", 1),
            ("ab", 1),
        ]
        for host, port in hosts:
            self.assertIsNone(self.hosts.find(host, port))
            self.hosts.remember(host, port, CERTIFICATE)
        self.assertEqual(len(os.listdir(self.directory / "hosts")), len(hosts))
        self.assertEqual(os.listdir(self.directory), ["hosts"])
        listed = {(each.host, each.port) for each in self.hosts.all()}
        self.assertEqual(len(listed), len(hosts))
        for host, port in listed:
            self.assertIsNotNone(self.hosts.find(host, port))
        for same in ("[::1]", "0:0:0:0:0:0:0:1"):
            self.assertEqual(self.hosts.path(same, 1), self.hosts.path("::1", 1))
        self.assertEqual(self.hosts.path("BÜCHER.example", 1).name, "xn--bcher-kva.example_1")
        self.assertEqual(self.hosts.path("FE80::1%eth0", 1).name, "fe80::1#25eth0_1")

    def test_tooLong(self) -> None:
        """
        Whoever has a name that no folder can have is not remembered, and nothing is raised for asking.
        """
        self.hosts.remember("a.test", 1, CERTIFICATE)
        self.assertIsNone(self.hosts.find("ü" * 300, 1))
        self.assertFalse(self.hosts.forget("ü" * 300, 1))
        self.assertRaises(CertificateFileError, self.hosts.remember, "ü" * 300, 1, CERTIFICATE)

    def test_otherFolders(self) -> None:
        """
        What is named for no host is passed over, and so are ours that have another's name.
        """
        for name in ("a", "a_b", "_1", "a_123456", "#ff_1", "A_1"):
            path = self.directory / "hosts" / name
            path.mkdir(parents=True)
            (path / "cert.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
        self.assertEqual((self.hosts.all(), self.hosts.ports("a")), ([], []))
        self.assertIsNone(self.hosts.find("a", 1))

    def test_ports(self) -> None:
        """
        A host may be remembered at several ports, here and by others, readably or not.
        """
        self.hosts.remember("a.test", 443, CERTIFICATE)
        (self.hosts.remember("a.test", 10000, CERTIFICATE).path / "cert.pem").write_bytes(b"damaged")
        self.hosts.remember("b.test", 1, CERTIFICATE)
        for name in ("A.TEST_2", "a.test_443"):
            self.theirs(name)
        self.assertEqual(self.hosts.ports("A.test"), [2, 443, 10000])
        self.assertEqual(self.hosts.ports("c.test"), [])


class OthersTests(KnownHostsCase):
    """
    What other programs remember.
    """

    def test_found(self) -> None:
        """
        A host that was accepted in xpra need not be accepted again; its options count for nothing.
        """
        path = self.theirs("A.test_443", options=b"check-hostname=False\nssl-server-verify-mode=none\n")
        os.utime(path / "cert.pem", (LATER.timestamp(), LATER.timestamp()))
        found = self.hosts.find("a.test", 443)
        assert found is not None
        self.assertEqual((found.certificate, found.path, found.since), (CERTIFICATE, path, LATER))
        self.assertEqual(self.hosts.all(), [found])
        self.assertIsNone(self.hosts.find("a.test", 444))

    def test_oursCounts(self) -> None:
        """
        What was accepted here counts; what others remember is left as it is.
        """
        path = self.theirs("a.test_443")
        ours = self.hosts.remember("a.test", 443, OTHER)
        self.assertEqual(self.hosts.find("a.test", 443), ours)
        self.assertEqual(self.hosts.all(), [ours])
        self.assertEqual(self.hosts.everywhere("a.test", 443), (ours.path, path))
        self.assertTrue(self.hosts.forget("a.test", 443))
        self.assertFalse(self.hosts.forget("a.test", 443))
        found = self.hosts.find("a.test", 443)
        assert found is not None
        self.assertEqual(found.path, path)

    def test_severalCertificates(self) -> None:
        """
        The first in a file is the server's own.
        """
        pem = CERTIFICATE.public_bytes(Encoding.PEM) + OTHER.public_bytes(Encoding.PEM)
        self.theirs("a.test_443", pem)
        found = self.hosts.find("a.test", 443)
        assert found is not None
        self.assertEqual(found.certificate, CERTIFICATE)

    def test_damaged(self) -> None:
        """
        What others remember and cannot be understood is an error too.
        """
        self.theirs("a.test_443", b"nothing")
        self.assertRaises(CertificateFileError, self.hosts.find, "a.test", 443)

    def test_withoutCertificate(self) -> None:
        """
        A folder with options alone remembers no key, and so nobody.
        """
        path = self.theirs("a.test_443", options=b"check-hostname=False\n")
        (path / "cert.pem").unlink()
        self.assertIsNone(self.hosts.find("a.test", 443))
        self.assertEqual(self.hosts.all(), [])


class ForgetTests(KnownHostsCase):
    """
    L{KnownHosts.forget}.
    """

    def test_forgotten(self) -> None:
        """
        Nothing is left of a host that is forgotten, and others stay.
        """
        path = self.hosts.remember("a.test", 443, CERTIFICATE).path
        self.hosts.remember("b.test", 443, CERTIFICATE)
        self.assertTrue(self.hosts.forget("A.test", 443))
        self.assertFalse(path.exists())
        self.assertIsNone(self.hosts.find("a.test", 443))
        self.assertIsNotNone(self.hosts.find("b.test", 443))

    def test_more(self) -> None:
        """
        What somebody else has put there stays; a damaged one can be forgotten.
        """
        path = self.hosts.remember("a.test", 443, CERTIFICATE).path
        (path / "notes").write_bytes(b"mine")
        (path / "cert.pem").write_bytes(b"damaged")
        self.assertTrue(self.hosts.forget("a.test", 443))
        self.assertEqual(os.listdir(path), ["notes"])
        self.assertFalse(forgetFolder(path))

    def test_cannot(self) -> None:
        """
        What cannot be removed is said.
        """
        path = self.directory / "hosts" / "a.test_443"
        (path / "cert.pem").mkdir(parents=True)
        error = self.assertRaises(CertificateFileError, self.hosts.forget, "a.test", 443)
        self.assertEqual(error.path, str(path))
