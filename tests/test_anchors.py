"""
Trust anchors: from data, files, directories and the system.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from tests.support.handshakes import saved
from tests.support.logs import recordLogs
from tests.support.making import unnamed
from xtls.config.options import Side, TLSOptions
from xtls.errors import OptionError
from xtls.testing.authority import Authority
from xtls.trust import anchors
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.certificates import toPEM

ONE, TWO = Authority("one"), Authority("two")
CRL = ONE.revocations()
CRL_PEM = CRL.public_bytes(Encoding.PEM)
DER = ONE.certificate.public_bytes(Encoding.DER)

#: No environment, so that nothing of this machine's gets in.
NOTHING: dict[str, str] = {}


def certificates(found: TrustAnchors) -> list[x509.Certificate]:
    """
    The certificates that were found.
    """
    return list(found.certificates)


class AnchorsTestCase(SynchronousTestCase):
    """
    Tests that read anchors.
    """

    def refused(self, options: TLSOptions, side: Side = Side.CLIENT, **environ: str) -> OptionError:
        """
        The error that options make.
        """
        error: OptionError = self.assertRaises(OptionError, trustAnchors, options, side, environ)
        return error


class DataTests(AnchorsTestCase):
    """
    CAs given as data.
    """

    def test_forms(self) -> None:
        """
        PEM, one or several, and DER; either side may be given them, and they are all.
        """
        for data, expected in (
            (ONE.pem, [ONE.certificate]),
            (DER, [ONE.certificate]),
            (b"about\n" + ONE.pem + b"and\n" + TWO.pem, [ONE.certificate, TWO.certificate]),
            (ONE.pem + ONE.pem, [ONE.certificate]),
        ):
            for side in (Side.CLIENT, Side.SERVER):
                found = trustAnchors(TLSOptions(caData=data), side, NOTHING)
                self.assertEqual(found, TrustAnchors(tuple(expected)))
                self.assertEqual((found.given, found.system), (True, False))

    def test_revocations(self) -> None:
        """
        Revocation lists may come with them.
        """
        found = trustAnchors(TLSOptions(caData=CRL_PEM + ONE.pem), Side.CLIENT, NOTHING)
        self.assertEqual((found.certificates, found.revocations), ((ONE.certificate,), (CRL,)))

    def test_bad(self) -> None:
        """
        What is no certificate, or holds none, is an error that names the option and where it was said.
        """
        for data in (
            b"nothing",
            b"\x30\x03abc",
            ONE.pem[:-30],
            ONE.pem + TWO.pem[:-30],
            ONE.pem.replace(b"MII", b"AAA"),
            CRL_PEM,
            CRL.public_bytes(Encoding.DER),
            ONE.pem + CRL_PEM[:-30],
            ONE.pem + CRL_PEM.replace(b"MI", b"AA"),
        ):
            error = self.refused(TLSOptions(caData=data, sources={"caData": "URL"}))
            self.assertEqual((error.option, error.source), ("ssl-ca-data", "URL"))


class FileTests(AnchorsTestCase):
    """
    CAs in a file.
    """

    def test_file(self) -> None:
        """
        A file of them, in PEM or DER; with data besides, both.
        """
        for data in (TWO.pem, TWO.certificate.public_bytes(Encoding.DER)):
            path = saved(self, data)
            found = trustAnchors(TLSOptions(caCerts=path), Side.SERVER, NOTHING)
            self.assertEqual(certificates(found), [TWO.certificate])
            found = trustAnchors(TLSOptions(caCerts=path, caData=ONE.pem), Side.CLIENT, NOTHING)
            self.assertEqual(certificates(found), [ONE.certificate, TWO.certificate])
            self.assertTrue(found.given)

    def test_bad(self) -> None:
        """
        A file that is missing, empty, or holds no certificate is an error that names it.
        """
        for path in ("/nowhere/ca.pem", os.devnull, saved(self, b"nothing"), saved(self, CRL_PEM)):
            error = self.refused(TLSOptions(caCerts=path))
            self.assertEqual((error.option, error.source), ("ssl-ca-certs", "program"))
            self.assertIn(path, error.problem)

    def test_automatic(self) -> None:
        """
        C{auto} is the CA beside the certificates; where there is none, that is an error.
        """
        path = Path(saved(self, ONE.pem, "ca-cert.pem"))
        environ = {"XTLS_SSL_CERT_PATHS": str(path.parent)}
        for side in (Side.CLIENT, Side.SERVER):
            found = trustAnchors(TLSOptions(caCerts="auto"), side, environ)
            self.assertEqual((certificates(found), found.given), ([ONE.certificate], True))
        error = self.refused(TLSOptions(caCerts="auto"), XTLS_SSL_CERT_PATHS="/nowhere")
        self.assertEqual(error.option, "ssl-ca-certs")
        self.assertIn("ca-cert.pem", error.problem)


class DirectoryTests(AnchorsTestCase):
    """
    CAs in a directory.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def found(self) -> TrustAnchors:
        """
        What is found in the directory.
        """
        return trustAnchors(TLSOptions(caCerts=str(self.directory)), Side.CLIENT, NOTHING)

    def test_files(self) -> None:
        """
        Whatever is a certificate or a revocation list counts, with any of the usual names; keys and all else
        are passed over.
        """
        for name, data in {
            "one.crt": DER,
            "again.pem": ONE.pem,
            "1a2b3c4d.0": TWO.pem,
            "one.crl": CRL.public_bytes(Encoding.DER),
            "key.pem": toPEM(ONE.issue("a.test")).partition(b"-----BEGIN PRIVATE")[2],
            "README": b"-----BEGIN CERTIFICATE----- is how they begin",
            "old.pem.bak": b"anything",
        }.items():
            (self.directory / name).write_bytes(data)
        (self.directory / "more.pem").mkdir()
        found = self.found()
        self.assertEqual(set(found.certificates), {ONE.certificate, TWO.certificate})
        self.assertEqual(found.revocations, (CRL,))
        self.assertTrue(found.given)

    def test_unreadable(self) -> None:
        """
        What cannot be read is passed over, with a warning.
        """
        log = recordLogs(self)
        (self.directory / "one.pem").write_bytes(ONE.pem)
        (self.directory / "empty.pem").write_bytes(b"")
        self.assertEqual(certificates(self.found()), [ONE.certificate])
        self.assertEqual([event["path"] for event in log], [str(self.directory / "empty.pem")])

    def test_unreadableList(self) -> None:
        """
        What is called as revocation lists are is not: nobody would be asked whether they were revoked.
        """
        (self.directory / "one.pem").write_bytes(ONE.pem)
        for name in ("crl.pem", "one.crl", "1a2b3c4d.r0", "my-CRL.der"):
            (self.directory / name).write_bytes(b"")
            problem = self.refused(TLSOptions(caCerts=str(self.directory))).problem
            self.assertIn(f"{name} is empty", problem.replace(":", ""))
            (self.directory / name).unlink()

    def test_bad(self) -> None:
        """
        A certificate that is damaged is an error that names the file; so is a directory without any.
        """
        self.assertIn("no certificate", self.refused(TLSOptions(caCerts=str(self.directory))).problem)
        (self.directory / "one.pem").write_bytes(ONE.pem)
        (self.directory / "two.pem").write_bytes(TWO.pem[:-30])
        error = self.refused(TLSOptions(caCerts=str(self.directory)))
        self.assertEqual(error.option, "ssl-ca-certs")
        self.assertIn("two.pem", error.problem)

    def test_unlistable(self) -> None:
        """
        A directory that may not be read is an error.
        """

        def iterdir(path: Path) -> None:
            raise PermissionError(13, "Permission denied")

        self.patch(Path, "iterdir", iterdir)
        error = self.refused(TLSOptions(caCerts=str(self.directory)))
        self.assertIn("Permission denied", error.problem)


class SystemTests(AnchorsTestCase):
    """
    The system's CAs.
    """

    def setUp(self) -> None:
        self.file = saved(self, ONE.pem)
        self.directory = os.path.dirname(saved(self, ONE.pem, "1a2b3c4d.0"))
        nowhere = ssl.DefaultVerifyPaths(
            "", "", "SSL_CERT_FILE", "/nowhere/cert.pem", "SSL_CERT_DIR", "/nowhere"
        )
        self.patch(ssl, "get_default_verify_paths", lambda: nowhere)
        self.patch(anchors, "SYSTEM_FILES", ())
        self.patch(anchors, "SYSTEM_DIRECTORIES", ())

    def found(self, **environ: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        Where they are.
        """
        found = trustAnchors(TLSOptions(), Side.CLIENT, environ)
        self.assertEqual((found.certificates, found.given, found.system), ((), False, True))
        return found.files, found.directories

    def test_environment(self) -> None:
        """
        The environment says where, and then nothing else counts; directories may be several.
        """
        self.patch(anchors, "SYSTEM_FILES", (saved(self, TWO.pem),))
        self.assertEqual(self.found(SSL_CERT_FILE=self.file), ((self.file,), ()))
        several = os.pathsep.join(["/nowhere", self.directory, ""])
        self.assertEqual(self.found(SSL_CERT_DIR=several), ((), (self.directory,)))
        both = {"SSL_CERT_FILE": self.file, "SSL_CERT_DIR": self.directory}
        self.assertEqual(self.found(**both), ((self.file,), (self.directory,)))

    def test_environmentWrong(self) -> None:
        """
        Where the environment names what is not there, that is an error, and no other place is looked at.
        """
        self.patch(anchors, "SYSTEM_FILES", (self.file,))
        empty = self.mktemp()
        os.mkdir(empty)
        for environ in ({"SSL_CERT_FILE": "/nowhere"}, {"SSL_CERT_DIR": empty}, {"SSL_CERT_DIR": self.file}):
            error = self.refused(TLSOptions(), **environ)
            self.assertEqual((error.option, error.source), ("ssl-ca-certs", "default"))
            self.assertIn("SSL_CERT_FILE", error.problem)

    def test_places(self) -> None:
        """
        Else the places count that Python's OpenSSL was built with, and those that systems are known to use,
        the first first.
        """
        other = saved(self, TWO.pem)
        self.patch(anchors, "SYSTEM_FILES", ("/nowhere/file", self.file, other))
        self.assertEqual(self.found(), ((self.file,), ()))
        self.patch(anchors, "SYSTEM_DIRECTORIES", ("/nowhere", self.directory))
        self.assertEqual(self.found(), ((self.file,), (self.directory,)))
        built = ssl.DefaultVerifyPaths("", "", "SSL_CERT_FILE", other, "SSL_CERT_DIR", "/nowhere")
        self.patch(ssl, "get_default_verify_paths", lambda: built)
        self.assertEqual(self.found(), ((other,), (self.directory,)))

    def test_nowhere(self) -> None:
        """
        Where there are none, that is an error, and never an empty set of anchors.
        """
        error = self.refused(TLSOptions())
        self.assertEqual((error.option, error.source), ("ssl-ca-certs", "default"))

    def test_besides(self) -> None:
        """
        With CAs given as data they count only when they are asked for by name, and then the anchors are not
        all the user's.
        """
        options = TLSOptions(caData=TWO.pem)
        self.assertFalse(trustAnchors(options, Side.CLIENT, {"SSL_CERT_FILE": self.file}).system)
        options = TLSOptions(caData=TWO.pem, caCerts="default", sources={"caCerts": "URL"})
        found = trustAnchors(options, Side.CLIENT, {"SSL_CERT_FILE": self.file})
        self.assertEqual((certificates(found), found.files), ([TWO.certificate], (self.file,)))
        self.assertEqual((found.given, found.system), (False, True))

    def test_neverForClients(self) -> None:
        """
        A server has none of them, even if it asks for them by name (trap 9).
        """
        for sources in ({}, {"caCerts": "command line"}):
            for data, expected in ((b"", ()), (TWO.pem, (TWO.certificate,))):
                options = TLSOptions(caData=data, caCerts="default", sources=sources)
                found = trustAnchors(options, Side.SERVER, {"SSL_CERT_FILE": self.file})
                self.assertEqual(found, TrustAnchors(expected))

    def test_thisMachine(self) -> None:
        """
        By default the environment is that of the process.
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": self.file})
        self.assertEqual(trustAnchors(TLSOptions(), Side.CLIENT).files, (self.file,))


class RevocationListTests(SynchronousTestCase):
    """
    Revocation lists that are named apart.
    """

    authority = Authority()

    def anchors(self, *paths: str, **more: Any) -> TrustAnchors:
        """
        What is read.
        """
        return trustAnchors(TLSOptions(crl=paths, **more), Side.SERVER, {})

    def test_read(self) -> None:
        """
        They are read from files and directories, in PEM or DER, besides those among the CAs; certificates in
        between are passed over.
        """
        own = self.authority.revocations()
        other = Authority("other").revocations()
        pem = saved(self, own.public_bytes(Encoding.PEM) + self.authority.pem)
        der = saved(self, other.public_bytes(Encoding.DER), "other.crl")
        both = self.anchors(pem, os.path.dirname(der))
        self.assertEqual((both.revocations, both.certificates), ((own, other), ()))
        self.assertEqual(both.paths, (pem, os.path.dirname(der)))
        data = self.authority.pem + other.public_bytes(Encoding.PEM)
        self.assertEqual(self.anchors(pem, caData=data).revocations, (other, own))

    def test_bad(self) -> None:
        """
        What cannot be read is an error, and so is what has no list in it.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        damaged = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
        for path, part in {
            "/nowhere": "cannot be read",
            saved(self, b""): "is empty",
            saved(self, b"nothing"): "",
            saved(self, damaged): "a revocation list in it cannot be read",
            saved(self, self.authority.pem): "no revocation list in it",
            str(folder): "no revocation list in it",
        }.items():
            error = self.assertRaises(OptionError, self.anchors, path)
            self.assertEqual((error.option, error.source), ("ssl-crl", "program"))
            self.assertIn(path, error.problem)
            self.assertIn(part, error.problem)

    def test_hasRevokedItself(self) -> None:
        """
        An anchor has revoked itself when its certificate is on a list of its own name's; one that another
        revoked, or that is below another, has not.
        """
        own, other, below = self.authority, Authority("other"), self.authority.intermediate()
        listed = (own.revocations(own.certificate, below.certificate), other.revocations())
        for revocations, found in ((listed, True), (listed[1:], False), ((), False)):
            anchors = TrustAnchors((own.certificate,), revocations)
            self.assertIs(anchors.hasRevokedItself(own.certificate), found)
            self.assertFalse(anchors.hasRevokedItself(other.certificate))
            self.assertFalse(anchors.hasRevokedItself(below.certificate))
            self.assertFalse(anchors.hasRevokedItself(unnamed()))

    def test_union(self) -> None:
        """
        Anchors of two places are all of both, each once.
        """
        mine, new = self.authority.revocations(), Authority().revocations()
        one = TrustAnchors((self.authority.certificate,), (mine,), read=("a", "b"))
        other = TrustAnchors((self.authority.certificate,), (new, mine), files=("c",), read=("b",))
        both = one | other
        self.assertEqual((both.certificates, both.paths), ((self.authority.certificate,), ("a", "b", "c")))
        self.assertEqual(both.revocations, (mine, new))
