"""
Which file is looked at, and what is in it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certcommands import CertTestCase
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certreading import certificateFile, readFor
from xtls.programs.commandline import Given
from xtls.testing.authority import Authority


class ReadingTests(CertTestCase):
    """
    L{certificateFile} and L{readFor}.
    """

    def test_file(self) -> None:
        """
        It is the one that is named, or the default certificate, which has to be there.
        """
        self.assertEqual(certificateFile(Given({}, ("a.pem",))), "a.pem")
        error = self.assertRaises(CertificateFileError, certificateFile, Given())
        self.assertIn("xtls cert self-signed", error.problem)
        self.directory.mkdir()
        self.default.touch()
        self.assertEqual(certificateFile(Given()), str(self.default))

    def test_wrong(self) -> None:
        """
        One file is expected, and no server.
        """
        for words, option in ((("a", "b"), "b"), (("ssl://localhost/",), "FILE")):
            error = self.assertRaises(OptionError, certificateFile, Given({}, words))
            self.assertEqual(error.option, option)

    def test_contents(self) -> None:
        """
        What cannot be read is told with the file; so is one without certificates, where they are needed.
        """
        self.directory.mkdir()
        self.default.write_bytes(b"nothing")
        error = self.assertRaises(CertificateFileError, readFor, Given(), str(self.default))
        self.assertEqual(error.path, str(self.default))
        self.default.write_bytes(Authority().revocations().public_bytes(Encoding.DER))
        error = self.assertRaises(CertificateFileError, readFor, Given(), str(self.default))
        self.assertIn("no certificate", error.problem)
        self.assertEqual(len(readFor(Given(), str(self.default), certificates=False).revocations), 1)
