"""
The CA of a command line.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.certcommands import CertTestCase
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certauthorities import caOption, folderOf, lifetimeNote, openAuthority, requireAuthority
from xtls.programs.commandline import Given
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.issuing import newAuthority, newServer

AUTHORITY = newAuthority("an authority", days=100)


class AuthorityTests(CertTestCase):
    """
    Finding and opening a CA.
    """

    def encrypted(self) -> None:
        """
        Make a CA whose key has a passphrase.
        """
        self.ca.create(AUTHORITY, password=b"sesame")

    def test_folder(self) -> None:
        """
        It is the one that is named, or the user's own; only the former needs an option.
        """
        self.assertEqual(folderOf(Given()), self.ca)
        self.assertEqual(caOption(self.ca), "")
        other = folderOf(Given({"ca": ("~/an other",)}))
        self.assertEqual(other, AuthorityFolder(Path("~/an other").expanduser()))
        self.assertEqual(caOption(other), f" --ca='{other.directory}'")

    def test_none(self) -> None:
        """
        Without a CA it is said how to make one.
        """
        error = self.assertRaises(OptionError, openAuthority, Given(), self.ca)
        self.assertEqual(error.option, "ca")
        self.assertIn("cert ca", error.problem)
        self.assertRaises(OptionError, requireAuthority, self.ca)

    def test_opened(self) -> None:
        """
        A CA without a passphrase is read, and one with is asked for or told where it is.
        """
        self.ca.create(AUTHORITY)
        self.assertEqual(openAuthority(Given(), self.ca).certificate, AUTHORITY.certificate)

    def test_passphrase(self) -> None:
        """
        The passphrase is where the option says; else the user is asked, if there is a terminal.
        """
        self.encrypted()
        self.setEnvironment(SECRET="sesame")
        given = Given({"ca-password": ("env:SECRET",)})
        self.assertEqual(openAuthority(given, self.ca).certificate, AUTHORITY.certificate)
        error = self.assertRaises(OptionError, openAuthority, Given(), self.ca)
        self.assertEqual(error.option, "ca-password")
        questions = self.answering("sesame")
        self.assertEqual(openAuthority(Given(), self.ca).certificate, AUTHORITY.certificate)
        self.assertEqual(questions, [f"passphrase of {self.ca.keyPath}: "])

    def test_wrongPassphrase(self) -> None:
        """
        A wrong passphrase is an error of the file, and is not in it.
        """
        self.encrypted()
        self.setEnvironment(SECRET="simsim")
        given = Given({"ca-password": ("env:SECRET",)})
        self.assertRaises(CertificateFileError, openAuthority, given, self.ca)
        error = self.assertRaises(CertificateFileError, openAuthority, Given(), self.ca, lambda _: "simsim")
        self.assertEqual(error.path, str(self.ca.keyPath))
        self.assertNotIn("simsim", str(error))


class LifetimeTests(CertTestCase):
    """
    L{lifetimeNote}.
    """

    def test_note(self) -> None:
        """
        What ends only because its CA does has a note that says so; what ends before has none.
        """
        short = newServer(AUTHORITY, ["a.test"], days=50).certificate
        self.assertEqual(lifetimeNote(self.ca, AUTHORITY.certificate, short), "")
        long = newServer(AUTHORITY, ["a.test"], days=365).certificate
        note = lifetimeNote(self.ca, AUTHORITY.certificate, long)
        self.assertIn(f"{AUTHORITY.certificate.not_valid_after_utc:%Y-%m-%d}", note)
        self.assertIn(f"cert renew {self.ca.certificatePath}", note)
