"""
The default certificate.
"""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import CertificateFileError
from xtls.trust.certificates import loadKeyPair, subjectAlternativeNames
from xtls.trust.defaults import defaultNames, ensureDefaultCertificate


class DefaultNamesTests(SynchronousTestCase):
    """
    L{defaultNames}.
    """

    def test_defaultNames(self) -> None:
        """
        By default it is for the machine's name, in full and without its domain, and for the loopback; what
        is no DNS name is left out, and so is an address.
        """
        loopback = ("localhost", "127.0.0.1", "::1")
        self.assertEqual(defaultNames("Host.Example.test"), ("host.example.test", "host", *loopback))
        self.assertEqual(defaultNames("host"), ("host", *loopback))
        self.assertEqual(defaultNames("localhost"), loopback)
        self.assertEqual(defaultNames("no name"), loopback)
        self.assertEqual(defaultNames("::1"), loopback)
        self.assertEqual(defaultNames("node.300"), ("node", *loopback))
        self.patch(socket, "gethostname", lambda: "machine")
        self.assertEqual(defaultNames(), ("machine", *loopback))


class EnsureDefaultCertificateTests(SynchronousTestCase):
    """
    The default certificate.
    """

    def test_made(self) -> None:
        """
        It is made where there is none, with its key in it, for its owner alone.
        """
        path = Path(self.mktemp()) / "xtls" / "ssl-cert.pem"
        self.assertEqual(ensureDefaultCertificate(str(path)), path)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)
        pair = loadKeyPair(str(path))
        self.assertEqual(subjectAlternativeNames(pair.certificate), defaultNames())

    def test_kept(self) -> None:
        """
        What is there is left as it is, whatever it is.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"something")
        self.assertEqual(ensureDefaultCertificate(path), path)
        self.assertEqual(path.read_bytes(), b"something")

    def test_impossible(self) -> None:
        """
        Where it cannot be made, that is an error with the path.
        """
        path = "/proc/xtls/ssl-cert.pem"
        error = self.assertRaises(CertificateFileError, ensureDefaultCertificate, path)
        self.assertEqual(error.path, path)
