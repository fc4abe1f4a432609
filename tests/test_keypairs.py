"""
The certificates that the options name.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from tests.support.handshakes import saved
from xtls.config.options import Side, TLSOptions
from xtls.errors import CertificateFileError, OptionError
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, loadKeyPair, toPEM
from xtls.trust.keypairs import clientKeyPair, keyPairFiles, serverKeyPairs

AUTHORITY = Authority()
ONE, TWO = AUTHORITY.issue("one.test"), AUTHORITY.issue("two.test")


def keyOf(pair: KeyPair, password: bytes = b"") -> bytes:
    """
    The key of a pair in PEM.
    """
    if not password:
        return toPEM(pair)[len(toPEM(pair, includeKey=False)) :]
    encryption = BestAvailableEncryption(password)
    return pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def certificateOf(pair: KeyPair) -> bytes:
    """
    The certificate of a pair in PEM.
    """
    return toPEM(pair, includeKey=False)


class ServerKeyPairsTests(SynchronousTestCase):
    """
    The certificates of a server.
    """

    def found(self, options: TLSOptions, **environ: str) -> list[bytes]:
        """
        The pairs that are found, each whole.
        """
        return [toPEM(pair) for pair in serverKeyPairs(options, environ)]

    def refused(self, options: TLSOptions, **environ: str) -> OptionError:
        """
        The error that options make.
        """
        error: OptionError = self.assertRaises(OptionError, serverKeyPairs, options, environ)
        return error

    def test_one(self) -> None:
        """
        One certificate has its key in its file or in another.
        """
        self.assertEqual(self.found(TLSOptions(cert=(saved(self, ONE),))), [toPEM(ONE)])
        options = TLSOptions(cert=(saved(self, certificateOf(ONE)),), key=saved(self, keyOf(ONE)))
        self.assertEqual(self.found(options), [toPEM(ONE)])

    def test_keyApartWins(self) -> None:
        """
        A key that is named apart is meant, even if there is another in the file.
        """
        options = TLSOptions(cert=(saved(self, ONE),), key=saved(self, keyOf(TWO)))
        self.assertEqual(self.refused(options).option, "ssl-key")

    def test_several(self) -> None:
        """
        With several certificates, the key that is named apart is for those that have none.
        """
        paths = (saved(self, ONE), saved(self, certificateOf(TWO)))
        options = TLSOptions(cert=paths, key=saved(self, keyOf(TWO)))
        self.assertEqual(self.found(options), [toPEM(ONE), toPEM(TWO)])

    def test_passphrase(self) -> None:
        """
        The passphrase opens the key.
        """
        path = saved(self, certificateOf(ONE) + keyOf(ONE, b"sesame"))
        self.assertEqual(self.found(TLSOptions(cert=(path,), keyPassword="sesame")), [toPEM(ONE)])

    def test_problems(self) -> None:
        """
        What cannot be used is an error of the option that named the file, with the file in it, and never the
        passphrase.
        """
        good, certificate = saved(self, ONE), saved(self, certificateOf(ONE))
        encrypted = saved(self, keyOf(ONE, b"sesame"))
        for options, option, path in (
            (TLSOptions(cert=("/nowhere",)), "ssl-cert", "/nowhere"),
            (TLSOptions(cert=(good, "/nowhere")), "ssl-cert", "/nowhere"),
            (TLSOptions(cert=(certificate,)), "ssl-cert", certificate),
            (TLSOptions(cert=(good,), key="/nowhere"), "ssl-key", "/nowhere"),
            (TLSOptions(cert=(certificate,), key=encrypted), "ssl-key", encrypted),
            (TLSOptions(cert=(certificate,), key=encrypted, keyPassword="wrong one"), "ssl-key", encrypted),
        ):
            error = self.refused(options)
            self.assertEqual((error.option, error.source), (option, "program"))
            self.assertIn(path, error.problem)
            self.assertNotIn("wrong one", str(error))
            assert isinstance(error.__cause__, CertificateFileError)

    def test_remedy(self) -> None:
        """
        Where the key or its passphrase is somewhere else, the error names the option that says where; not if
        that was said.
        """
        certificate, encrypted = saved(self, certificateOf(ONE)), saved(self, keyOf(ONE, b"sesame"))
        key, password = TLSOptions(cert=(certificate,)), TLSOptions(cert=(certificate,), key=encrypted)
        self.assertIn("--ssl-key", self.refused(key).problem)
        self.assertIn("--ssl-key-password", self.refused(password).problem)
        said = TLSOptions(cert=(certificate,), key=certificate)
        self.assertNotIn("--ssl-key", self.refused(said).problem)

    def test_none(self) -> None:
        """
        A server that is given none cannot be.
        """
        error = self.refused(TLSOptions())
        self.assertEqual((error.option, error.source), ("ssl-cert", "default"))

    def test_automatic(self) -> None:
        """
        C{auto} is the default certificate: its key is in it, beside it, or named apart.
        """
        path = Path(saved(self, ONE, "ssl-cert.pem"))
        environ = {"XTLS_SSL_CERT_PATHS": str(path.parent)}
        options = TLSOptions(cert=("auto",))
        self.assertEqual(self.found(options, **environ), [toPEM(ONE)])
        path.write_bytes(certificateOf(TWO))
        self.assertIn("no private key", self.refused(options, **environ).problem)
        path.with_name("ssl-key.pem").write_bytes(keyOf(TWO))
        self.assertEqual(self.found(options, **environ), [toPEM(TWO)])
        path.with_name("ssl-key.pem").unlink()
        named = TLSOptions(cert=("auto",), key=saved(self, keyOf(TWO)))
        self.assertEqual(self.found(named, **environ), [toPEM(TWO)])

    def test_automaticMade(self) -> None:
        """
        Where there is none, it is made; the next time, it is found.
        """
        directory = self.mktemp()
        options = TLSOptions(cert=("auto",))
        made = self.found(options, XTLS_SSL_CERT_PATHS=directory)
        self.assertEqual(self.found(options, XTLS_SSL_CERT_PATHS=directory), made)
        self.assertEqual([toPEM(loadKeyPair(f"{directory}/ssl-cert.pem"))], made)

    def test_automaticImpossible(self) -> None:
        """
        Where it cannot be made, that is an error of the option.
        """
        error = self.refused(TLSOptions(cert=("auto",)), XTLS_SSL_CERT_PATHS="/proc/xtls")
        self.assertEqual(error.option, "ssl-cert")


class ClientKeyPairTests(SynchronousTestCase):
    """
    The certificate that a client presents.
    """

    def test_none(self) -> None:
        """
        There may be none; the default certificate is a server's, and not presented.
        """
        for options in (TLSOptions(), TLSOptions(cert=("auto",)), TLSOptions(cert=("auto",), key="/nowhere")):
            self.assertIsNone(clientKeyPair(options))

    def test_one(self) -> None:
        """
        There may be one.
        """
        options = TLSOptions(cert=(saved(self, certificateOf(ONE)),), key=saved(self, keyOf(ONE)))
        found = clientKeyPair(options)
        assert found is not None
        self.assertEqual(toPEM(found), toPEM(ONE))

    def test_problems(self) -> None:
        """
        Several are an error, and so is a key without any, and a file that cannot be used.
        """
        for options, option in (
            (TLSOptions(cert=("a", "b")), "ssl-cert"),
            (TLSOptions(key="a"), "ssl-key"),
            (TLSOptions(cert=("/nowhere",)), "ssl-cert"),
        ):
            error = self.assertRaises(OptionError, clientKeyPair, options)
            self.assertEqual(error.option, option)


class KeyPairFilesTests(SynchronousTestCase):
    """
    The files that certificates and keys come from.
    """

    def test_named(self) -> None:
        """
        Files that were named, each once, and the passphrase's; on either side.
        """
        for side in (Side.SERVER, Side.CLIENT):
            options = TLSOptions(cert=("/a", "/b", "/a"), key="/k", keyPassword="file:~/p")
            expected = ("/a", "/b", "/k", str(Path("~/p").expanduser()))
            self.assertEqual(keyPairFiles(options, side, {}), expected)
        options = TLSOptions(cert=("/a",), key="/a", keyPassword="env:file")
        self.assertEqual(keyPairFiles(options, Side.CLIENT, {}), ("/a",))

    def test_automatic(self) -> None:
        """
        The default certificate of a server is the file that was found, and the key beside it; a client has
        none.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        environ = {"XTLS_SSL_CERT_PATHS": str(directory)}
        options = TLSOptions(cert=("auto",))
        self.assertEqual(keyPairFiles(options, Side.SERVER, environ), ())
        path = directory / "ssl-cert.pem"
        path.write_bytes(toPEM(ONE))
        self.assertEqual(keyPairFiles(options, Side.SERVER, environ), (str(path),))
        self.assertEqual(keyPairFiles(options, Side.CLIENT, environ), ())
        (directory / "ssl-key.pem").write_bytes(keyOf(ONE))
        self.assertEqual(
            keyPairFiles(options, Side.SERVER, environ), (str(path), str(directory / "ssl-key.pem"))
        )
