"""
A CA on disk.
"""

from __future__ import annotations

import fcntl
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import CertificateFileError
from xtls.trust.authorityfolder import AuthorityFolder
from xtls.trust.certificates import NO_PASSPHRASE, toPEM
from xtls.trust.issuing import newAuthority, newServer, selfSigned
from xtls.trust.register import Entry, Register
from xtls.trust.renewing import renewed
from xtls.trust.revoking import Revocation, listNumber, revocationsIn

NOW = datetime(2026, 2, 28, 12, 0, 0, tzinfo=timezone.utc)
AUTHORITY = newAuthority("an authority", now=NOW)
SERVER = newServer(AUTHORITY, ["a.test"], now=NOW).certificate
OTHER = newServer(AUTHORITY, ["b.test"], now=NOW).certificate


def revoked(certificate: x509.Certificate) -> Entry:
    """
    The entry of a certificate that is revoked.
    """
    return Entry.of(certificate).revokedAt(NOW, "superseded")


class FolderCase(SynchronousTestCase):
    """
    Tests with a CA in a folder.
    """

    def setUp(self) -> None:
        self.folder = AuthorityFolder(Path(self.mktemp()) / "ca")
        self.folder.create(AUTHORITY, now=NOW)

    def list(self) -> x509.CertificateRevocationList:
        """
        The revocation list.
        """
        return x509.load_pem_x509_crl(self.folder.listPath.read_bytes())


class CreatingTests(FolderCase):
    """
    A new CA.
    """

    def test_private(self) -> None:
        """
        All is for the owner alone.
        """
        self.assertEqual(stat.S_IMODE(os.stat(self.folder.directory).st_mode), 0o700)
        for path in self.folder.directory.iterdir():
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)

    def test_shared(self) -> None:
        """
        Whom the owner lets read the certificate and the list may read those that come after them: a server
        that could not would go on believing whom the list revokes.
        """
        for path in (self.folder.certificatePath, self.folder.listPath):
            path.chmod(0o644)
        self.folder.publish(AUTHORITY)
        self.folder.replaceCertificate(AUTHORITY.certificate)
        for path, bits in (
            (self.folder.certificatePath, 0o644),
            (self.folder.listPath, 0o644),
            (self.folder.registerPath, 0o600),
        ):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), bits)

    def test_contents(self) -> None:
        """
        There is the certificate, its key, an empty register and the first revocation list, which is empty.
        """
        self.assertTrue(self.folder.exists)
        self.assertEqual(self.folder.certificate(), AUTHORITY.certificate)
        pair = self.folder.open()
        self.assertEqual((pair.certificate, pair.chain), (AUTHORITY.certificate, ()))
        self.assertEqual(pair.key.public_key(), AUTHORITY.key.public_key())
        self.assertEqual(self.folder.register().entries, ())
        self.assertEqual((listNumber(self.list()), len(self.list())), (1, 0))

    def test_once(self) -> None:
        """
        It takes nothing's place, not even that of a key alone.
        """
        before = self.folder.keyPath.read_bytes()
        another = newAuthority("another")
        self.assertRaises(CertificateFileError, self.folder.create, another)
        self.folder.certificatePath.unlink()
        error = self.assertRaises(CertificateFileError, self.folder.create, another)
        self.assertEqual(error.path, str(self.folder.directory))
        self.assertEqual(self.folder.keyPath.read_bytes(), before)

    def test_encrypted(self) -> None:
        """
        The key may have a passphrase.
        """
        folder = AuthorityFolder(Path(self.mktemp()))
        self.assertFalse(folder.exists)
        folder.create(AUTHORITY, password=b"sesame")
        self.assertIn(b"ENCRYPTED", folder.keyPath.read_bytes())
        self.assertEqual(folder.open(b"sesame").key.public_key(), AUTHORITY.key.public_key())
        error = self.assertRaises(CertificateFileError, folder.open)
        self.assertEqual(error.problem, NO_PASSPHRASE)

    def test_impossible(self) -> None:
        """
        Where nothing can be written, that is an error.
        """
        self.assertRaises(CertificateFileError, AuthorityFolder(Path("/proc/ca")).create, AUTHORITY)
        self.assertRaises(CertificateFileError, AuthorityFolder(Path("/nowhere/ca")).record, SERVER)

    def test_noAuthority(self) -> None:
        """
        A certificate that is no CA's signs nothing.
        """
        pair = selfSigned(["a.test"])
        self.folder.certificatePath.write_bytes(toPEM(pair, includeKey=False))
        self.folder.keyPath.write_bytes(toPEM(pair))
        error = self.assertRaises(CertificateFileError, self.folder.open)
        self.assertIn("CA", error.problem)

    def test_replaceCertificate(self) -> None:
        """
        The CA's certificate can be replaced by a newer one.
        """
        other = newAuthority("an authority", key=AUTHORITY.key).certificate
        self.folder.replaceCertificate(other)
        self.assertEqual(self.folder.certificate(), other)


class RegisterTests(FolderCase):
    """
    What was issued and revoked.
    """

    def test_record(self) -> None:
        """
        What is issued is in the register, in its order.
        """
        self.folder.record(SERVER)
        self.folder.record(OTHER)
        self.assertEqual(self.folder.register().entries, (Entry.of(SERVER), Entry.of(OTHER)))
        self.assertEqual(self.folder.register().lists, 1)

    def test_revoke(self) -> None:
        """
        What is revoked is in the register and in a new list, with a higher number, and stays there.
        """
        self.folder.record(SERVER)
        made = self.folder.revoke(AUTHORITY, [revoked(SERVER)], now=NOW)
        self.assertEqual(made, self.list())
        self.assertEqual(listNumber(made), 2)
        self.assertEqual(revocationsIn(made), (Revocation(SERVER.serial_number, NOW, "superseded"),))
        self.assertEqual(self.folder.register().entries, (revoked(SERVER),))
        made = self.folder.revoke(AUTHORITY, [revoked(OTHER)], days=3, now=NOW)
        self.assertEqual((listNumber(made), len(made)), (3, 2))
        self.assertEqual(made.next_update_utc, NOW + timedelta(days=3))
        self.assertEqual(self.folder.register().lists, 3)
        self.assertEqual(self.folder.register().entries, (revoked(SERVER), revoked(OTHER)))

    def test_sameKey(self) -> None:
        """
        What was renewed meanwhile, for the same key, is revoked too; and what is renewed afterwards is not
        issued.
        """
        first, second, third = (renewed(SERVER, AUTHORITY, days=n, now=NOW) for n in (1, 2, 3))
        self.folder.record(first)
        self.folder.record(second)
        made = self.folder.revoke(AUTHORITY, [revoked(first)], now=NOW)
        self.assertEqual(
            {each.serial for each in revocationsIn(made)}, {first.serial_number, second.serial_number}
        )
        self.assertEqual({each.reason for each in revocationsIn(made)}, {"superseded"})
        error = self.assertRaises(CertificateFileError, self.folder.record, third)
        self.assertIn("server a.test", error.problem)
        self.assertEqual(len(self.folder.register().entries), 2)

    def test_unrevoked(self) -> None:
        """
        An entry without a revocation is noted, and nothing else.
        """
        self.folder.revoke(AUTHORITY, [Entry.of(SERVER)])
        self.assertEqual(self.folder.register().entries, (Entry.of(SERVER),))
        self.assertEqual(len(self.list()), 0)

    def test_publish(self) -> None:
        """
        A newer list says the same.
        """
        self.folder.revoke(AUTHORITY, [revoked(SERVER)], now=NOW)
        made = self.folder.publish(AUTHORITY, days=9, now=NOW)
        self.assertEqual((listNumber(made), len(made)), (3, 1))
        self.assertEqual(made.next_update_utc, NOW + timedelta(days=9))

    def test_lostRegister(self) -> None:
        """
        Should the register be lost, what the list says stays revoked, and its numbers go on.
        """
        self.folder.revoke(AUTHORITY, [revoked(SERVER)], now=NOW)
        self.folder.registerPath.unlink()
        made = self.folder.publish(AUTHORITY)
        self.assertEqual((listNumber(made), len(made)), (3, 1))
        self.assertEqual(len(self.folder.register().revocations), 1)

    def test_lostList(self) -> None:
        """
        Should the list be lost, it is made again, and its numbers go on.
        """
        self.folder.revoke(AUTHORITY, [revoked(SERVER)], now=NOW)
        self.folder.listPath.unlink()
        made = self.folder.publish(AUTHORITY)
        self.assertEqual((listNumber(made), len(made)), (3, 1))

    def test_damaged(self) -> None:
        """
        A register or a list that cannot be read is an error, and never an empty one.
        """
        self.folder.revoke(AUTHORITY, [revoked(SERVER)], now=NOW)
        good = self.folder.registerPath.read_bytes()
        for data in (b"nonsense\n", b"\xff\n"):
            self.folder.registerPath.write_bytes(data)
            error = self.assertRaises(CertificateFileError, self.folder.publish, AUTHORITY)
            self.assertEqual(error.path, str(self.folder.registerPath))
        self.folder.registerPath.write_bytes(good)
        self.folder.listPath.write_bytes(b"nonsense\n")
        error = self.assertRaises(CertificateFileError, self.folder.publish, AUTHORITY)
        self.assertEqual(error.path, str(self.folder.listPath))

    def test_locked(self) -> None:
        """
        While the register is changed, nobody else can hold the lock; afterwards they can.
        """
        tries = []

        def tryToLock() -> str:
            descriptor = os.open(self.folder.directory / ".lock", os.O_RDWR)
            self.addCleanup(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return "held"
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            return "free"

        class Watching(AuthorityFolder):
            def register(self) -> Register:
                tries.append(tryToLock())
                return super().register()

        Watching(self.folder.directory).record(SERVER)
        self.assertEqual((tries, tryToLock()), (["held"], "free"))
