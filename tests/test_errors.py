"""
The errors of xtls.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from xtls import errors


class ErrorsTests(SynchronousTestCase):
    """
    Each error carries its evidence, and says it in one sentence.
    """

    def test_oneRoot(self) -> None:
        """
        Everything that xtls raises can be caught as one.
        """
        for each in vars(errors).values():
            if isinstance(each, type) and issubclass(each, Exception):
                self.assertTrue(issubclass(each, errors.XTLSError), each)

    def test_option(self) -> None:
        """
        A bad value is told with its option and where it was said; to Twisted it is a bad endpoint string.
        """
        error = errors.OptionError("ssl-ca-data", "test.xpra line 5", "expected hexadecimal, or base64:...")
        self.assertEqual(
            (error.option, error.source, error.problem),
            ("ssl-ca-data", "test.xpra line 5", "expected hexadecimal, or base64:..."),
        )
        self.assertEqual(str(error), "ssl-ca-data (test.xpra line 5): expected hexadecimal, or base64:...")
        self.assertIsInstance(error, ValueError)

    def test_certificateFile(self) -> None:
        """
        A bad file is told with its path.
        """
        error = errors.CertificateFileError("/etc/cert.pem", "no certificate in it")
        self.assertEqual((error.path, error.problem), ("/etc/cert.pem", "no certificate in it"))
        self.assertEqual(str(error), "/etc/cert.pem: no certificate in it")

    def test_handshake(self) -> None:
        """
        A handshake that fails or takes too long is told in words.
        """
        error = errors.HandshakeTimeout("no handshake within 10 seconds")
        self.assertEqual(error.problem, "no handshake within 10 seconds")
        self.assertIsInstance(error, errors.HandshakeError)

    def test_peerVerification(self) -> None:
        """
        A refused peer is told by the refusal's own sentence, and the refusal goes with it.
        """

        class Refusal:
            """
            As much of a refusal as the error needs.
            """

            def sentence(self) -> str:
                """
                Why.
                """
                return "the certificate has expired"

        refusal = Refusal()
        error = errors.PeerVerificationError(cast(Any, refusal))
        self.assertIs(error.refusal, refusal)
        self.assertEqual((str(error), error.problem), ("the certificate has expired",) * 2)
        self.assertIsInstance(error, errors.HandshakeError)

    def test_openingHandshake(self) -> None:
        """
        A server's HTTP status is kept, if it answered at all.
        """
        error = errors.OpeningHandshakeError("the server answered 403", 403)
        self.assertEqual((error.problem, error.status), ("the server answered 403", 403))
        self.assertIsNone(errors.OpeningHandshakeError("no answer").status)

    def test_stockParserChanged(self) -> None:
        """
        A table of Twisted's that has moved is named.
        """
        error = errors.StockParserChanged("_clientParsers")
        self.assertEqual(error.name, "_clientParsers")
        self.assertIn("twisted.internet.endpoints._clientParsers", str(error))
