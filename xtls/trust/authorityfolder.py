"""
A CA on disk: a folder with its certificate, its key, its register and its revocation list.

All files are text, for their owner alone, and replaced whole or not at all; whom the owner lets read the
certificate and the list may go on reading what replaces them.  Whoever changes the register holds a lock
meanwhile, so that of two who issue or revoke at once neither undoes what the other did; and what is revoked
is in the register before it is in the list, so that an interruption loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xtls.config.locations import CA_NAME
from xtls.errors import CertificateFileError
from xtls.trust.certificates import KeyPair, keyToPEM, loadCertificates, loadKeyPair
from xtls.trust.files import makePrivateDirectories, readFile, writeAgain, writePrivate
from xtls.trust.register import Entry, Register
from xtls.trust.renewing import isAuthority
from xtls.trust.revoking import LIST_DAYS, Revocation, listNumber, revocationList, revocationsIn

__all__ = ["AuthorityFolder"]

_KEY_NAME: Final = "ca-key.pem"
_LIST_NAME: Final = "crl.pem"
_REGISTER_NAME: Final = "issued.txt"
_LOCK_NAME: Final = ".lock"


@dataclass(frozen=True)
class AuthorityFolder:
    """
    The folder of a CA.

    @ivar directory: where it is.
    """

    directory: Path

    @property
    def certificatePath(self) -> Path:
        """
        The CA's certificate, which clients or servers are given.
        """
        return self.directory / CA_NAME

    @property
    def keyPath(self) -> Path:
        """
        The CA's key, which nobody is given.
        """
        return self.directory / _KEY_NAME

    @property
    def listPath(self) -> Path:
        """
        The revocation list, which those are given who verify.
        """
        return self.directory / _LIST_NAME

    @property
    def registerPath(self) -> Path:
        """
        What was issued and revoked.
        """
        return self.directory / _REGISTER_NAME

    @property
    def exists(self) -> bool:
        """
        Whether there is a CA, or what is left of one.
        """
        return self.certificatePath.exists() or self.keyPath.exists()

    def create(self, pair: KeyPair, *, password: bytes = b"", now: datetime | None = None) -> None:
        """
        Keep a new CA here, with an empty revocation list.

        @param password: what to encrypt its key with; empty for nothing.
        @raise CertificateFileError: if there is one, or it cannot be written.
        """
        with self._locked(create=True):
            if self.exists:
                raise CertificateFileError(str(self.directory), "there is a CA in it already")
            # the certificate comes last: a folder that has it has everything
            writePrivate(self.keyPath, keyToPEM(pair.key, password), replace=False)
            self._publish(pair, Register(), LIST_DAYS, now)
            self.replaceCertificate(pair.certificate)

    def replaceCertificate(self, certificate: x509.Certificate) -> None:
        """
        Put another certificate of the CA in the place of the one that is there.
        """
        writeAgain(self.certificatePath, certificate.public_bytes(Encoding.PEM))

    def certificate(self) -> x509.Certificate:
        """
        Read the CA's certificate.

        @raise CertificateFileError: if there is none.
        """
        return loadCertificates(str(self.certificatePath))[0]

    def open(self, password: bytes = b"") -> KeyPair:
        """
        Read the CA's certificate and key.

        @raise CertificateFileError: if one of them cannot be read, or they are no CA's.
        """
        pair = loadKeyPair(str(self.certificatePath), str(self.keyPath), password)
        if not isAuthority(pair.certificate):
            raise CertificateFileError(str(self.certificatePath), "this is no certificate of a CA")
        return pair

    def register(self) -> Register:
        """
        Read the register; what there is not is empty.

        @raise CertificateFileError: if it cannot be read.
        """
        if not self.registerPath.exists():
            return Register()
        try:
            return Register.parse(readFile(self.registerPath).decode("utf-8"))
        except ValueError as e:
            raise CertificateFileError(str(self.registerPath), str(e)) from None

    def record(self, certificate: x509.Certificate) -> None:
        """
        Note that a certificate was issued, before anybody gets it.

        @raise CertificateFileError: if that cannot be noted, or its key was revoked.
        """
        entry = Entry.of(certificate)
        with self._locked():
            register = self.register()
            if any(each.revocation for each in register.sharing(entry)):
                raise CertificateFileError(str(self.registerPath), f"the key of {entry.label} was revoked")
            self._write(register.adding(entry))

    def revoke(
        self,
        authority: KeyPair,
        entries: Iterable[Entry],
        *,
        days: int = LIST_DAYS,
        now: datetime | None = None,
    ) -> x509.CertificateRevocationList:
        """
        Revoke certificates, and all others for the same keys, and make a new revocation list.

        @param entries: what to revoke, each with its revocation; what the register does not have is added.
        @param days: how long the list is good.
        """
        with self._locked():
            register = self.register()
            for each in entries:
                for other in register.sharing(each):
                    register = register.adding(replace(other, revocation=None))
                    if each.revocation is not None:
                        register = register.revoking([replace(each.revocation, serial=other.serial)])
            self._write(register)
            return self._publish(authority, register, days, now)

    def publish(
        self, authority: KeyPair, *, days: int = LIST_DAYS, now: datetime | None = None
    ) -> x509.CertificateRevocationList:
        """
        Make a new revocation list, of what was revoked until now.

        @param days: how long the list is good.
        @raise CertificateFileError: if the register or the list before it cannot be read.
        """
        return self.revoke(authority, (), days=days, now=now)

    def _write(self, register: Register) -> None:
        """
        Write the register.
        """
        writePrivate(self.registerPath, register.text().encode("utf-8"))

    def _publish(
        self, authority: KeyPair, register: Register, days: int, now: datetime | None
    ) -> x509.CertificateRevocationList:
        """
        Make the next revocation list.  What the one before says stays said, should the register be lost.
        """
        before: tuple[Revocation, ...] = ()
        number = register.lists
        if self.listPath.exists():
            found = self._list()
            number = max(number, listNumber(found))
            before = revocationsIn(found)
        register = replace(register.revoking(before), lists=number + 1)
        made = revocationList(authority, register.revocations, number=number + 1, days=days, now=now)
        self._write(register)
        writeAgain(self.listPath, made.public_bytes(Encoding.PEM))
        return made

    def _list(self) -> x509.CertificateRevocationList:
        """
        Read the revocation list that there is.
        """
        try:
            return x509.load_pem_x509_crl(readFile(self.listPath))
        except ValueError:
            raise CertificateFileError(str(self.listPath), "this is no revocation list") from None

    @contextmanager
    def _locked(self, *, create: bool = False) -> Iterator[None]:
        """
        Wait until nobody else changes anything here, and let nobody until the end of the block.

        @param create: whether to make the folder.
        """
        # not on every system that certificates are read on
        import fcntl

        path = self.directory / _LOCK_NAME
        try:
            if create:
                makePrivateDirectories(self.directory)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise CertificateFileError(str(path), f"cannot be written: {e.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
