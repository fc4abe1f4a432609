"""
Remembered hosts: servers whose key the user has accepted, one folder for each host and port.

C{hosts/HOST_PORT/} holds C{cert.pem}, the certificate that was accepted, and C{options}, lines of
C{key=value}, as xpra's folders do; those are read too.  What counts is the key in the certificate, and when
it was accepted: all else in C{options} is for people.  Nothing in it lowers verification: whoever is
remembered must show that very key.

No two hosts share a folder: names are in one form (A-labels, lower case), and of what else may be in a host
every character that is not a letter, a digit or one of C{-.:_} is written as C{#} and two hexadecimal digits
for each octet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xtls.errors import CertificateFileError
from xtls.trust.certificates import fingerprint, parseCertificates
from xtls.trust.files import readFile, writePrivate
from xtls.trust.names import ReferenceIdentifier, printable
from xtls.trust.pins import pinOf

__all__ = ["KnownHosts", "RememberedHost"]

_FOLDER: Final = "hosts"
_CERTIFICATE: Final = "cert.pem"
_OPTIONS: Final = "options"

#: What a folder's name is made of as it is; the underscore before the port is the last one.
_PLAIN: Final = re.compile(r"[a-z0-9.:_-]", re.ASCII)
_QUOTED: Final = re.compile(r"#([0-9a-f]{2})")
_NAME: Final = re.compile(r"(.+)_([0-9]{1,5})")

#: How moments are written.
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class RememberedHost:
    """
    A server that was accepted.

    @ivar host: its name or address, in the form in which hosts are compared.
    @ivar port: its port.
    @ivar certificate: the certificate that was accepted, or the latest one with the same key.
    @ivar since: when its key was accepted.
    @ivar path: the folder.
    @ivar pin: its key, as L{pinOf<xtls.trust.pins.pinOf>} writes it.
    """

    host: str
    port: int
    certificate: x509.Certificate
    since: datetime
    path: Path
    pin: str = field(default="")

    @property
    def fingerprint(self) -> str:
        """
        The fingerprint of the certificate, as people compare it.
        """
        return fingerprint(self.certificate)


class KnownHosts:
    """
    The hosts that a user has accepted.
    """

    def __init__(self, directory: Path, others: Iterable[Path] = ()) -> None:
        """
        @param directory: where hosts are remembered, in C{hosts}.
        @param others: directories with such folders that are read too, and never written: xpra's, and the
            administrator's.  The first that has a host says its key.
        """
        self.directory = directory
        self.others = tuple(each for each in dict.fromkeys(others) if each != directory)

    def path(self, host: str, port: int) -> Path:
        """
        The folder in which a host is remembered, or would be.
        """
        return self.directory / _FOLDER / _folderName(host, port)

    def find(self, host: str, port: int) -> RememberedHost | None:
        """
        Find a host.

        @return: L{None} if nobody has accepted it.
        @raise CertificateFileError: if it is remembered, and what is remembered cannot be read: then nobody
            can say that it is still the same.
        """
        found = self.everywhere(host, port)
        return _read(found[0], host, port) if found else None

    def everywhere(self, host: str, port: int) -> tuple[Path, ...]:
        """
        The folders in which a host is remembered, the one that counts first.
        """
        ours, place = self.path(host, port), (_form(host), port)
        folders = [ours] if _isThere(ours / _CERTIFICATE) else []
        folders += [path for path in self._foldersOfOthers() if _placeOf(path.name) == place]
        return tuple(folders)

    def _foldersOfOthers(self) -> list[Path]:
        """
        The folders of hosts in other directories, as far as we may read them.
        """
        folders = [path for directory in self.others for path in _foldersIn(directory / _FOLDER)]
        return [path for path in folders if os.access(path / _CERTIFICATE, os.R_OK)]

    def remember(
        self, host: str, port: int, certificate: x509.Certificate, now: datetime | None = None
    ) -> RememberedHost:
        """
        Remember a host, in place of what was remembered of it here.  A key that stays the same was accepted
        when it first was.

        @param certificate: its own certificate.
        @param now: the time; by default, that of the system.
        @raise CertificateFileError: if it cannot be written.
        """
        path = self.path(host, port)
        pin = pinOf(certificate)
        since = (now or datetime.now(timezone.utc)).replace(microsecond=0)
        try:
            before = _read(path, host, port)
            since = before.since if before.pin == pin else since
        except CertificateFileError:
            pass  # there is none, or none that can be read
        remembered = RememberedHost(_form(host), port, certificate, since, path, pin)
        # the options first: without a certificate they mean nothing
        writePrivate(path / _OPTIONS, _describe(remembered).encode("utf-8"))
        writePrivate(path / _CERTIFICATE, certificate.public_bytes(Encoding.PEM))
        return remembered

    def forget(self, host: str, port: int) -> bool:
        """
        Forget a host.

        @return: whether it was remembered, in the directory where hosts are remembered.
        @raise CertificateFileError: if it cannot be removed.
        """
        path = self.path(host, port)
        return forgetFolder(path) if _isThere(path / _CERTIFICATE) else False

    def all(self) -> list[RememberedHost]:
        """
        All hosts that are remembered, by name; of several that are the same, the one that counts.  What
        cannot be read is left out: L{unreadable} has it.
        """
        return self._all()[0]

    def unreadable(self) -> list[CertificateFileError]:
        """
        What is wrong with those that cannot be read.
        """
        return self._all()[1]

    def ports(self, host: str) -> list[int]:
        """
        The ports at which a host is remembered, readably or not.
        """
        form = _form(host)
        return sorted({port for (name, port), _ in self._places() if name == form})

    def _places(self) -> list[tuple[tuple[str, int], Path]]:
        """
        The folders of hosts, each with the host and port that it is for; those that count come first.
        """
        ours = [each for each in _foldersIn(self.directory / _FOLDER) if _isThere(each / _CERTIFICATE)]
        places = [(_placeOf(path.name), path) for path in [*ours, *self._foldersOfOthers()]]
        return [
            (place, path)
            for place, path in places
            if place is not None and (path not in ours or path.name == _folderName(*place))
        ]

    def _all(self) -> tuple[list[RememberedHost], list[CertificateFileError]]:
        """
        Look through the folders.
        """
        found: dict[tuple[str, int], RememberedHost] = {}
        problems: list[CertificateFileError] = []
        for place, path in self._places():
            if place in found:
                continue
            try:
                found[place] = _read(path, *place)
            except CertificateFileError as e:
                problems.append(e)
        return [found[place] for place in sorted(found)], problems


def forgetFolder(path: Path) -> bool:
    """
    Remove a folder of a host: what belongs to it, and the folder unless there is something else in it.

    @return: whether there was one.
    @raise CertificateFileError: if it cannot be removed.
    """
    there = False
    try:
        # without a certificate the rest means nothing
        for name in (_CERTIFICATE, _OPTIONS):
            try:
                (path / name).unlink()
                there = True
            except (FileNotFoundError, NotADirectoryError):
                continue
        if there and not any(path.iterdir()):
            path.rmdir()
    except OSError as e:
        raise CertificateFileError(str(path), f"cannot be removed: {e.strerror}") from None
    return there


def _form(host: str) -> str:
    """
    A host in the form in which it is compared; a zone (RFC 4007, section 11) stays, since it says which link.
    """
    zone = host.partition("%")[1:]
    try:
        reference = ReferenceIdentifier.of(host)
    except ValueError:
        return host.lower()
    return reference.name + "".join(zone) if reference.address is not None else reference.name


def _folderName(host: str, port: int) -> str:
    """
    The name of a host's folder.
    """
    quoted = "".join(
        each if _PLAIN.fullmatch(each) else "".join(f"#{octet:02x}" for octet in each.encode("utf-8"))
        for each in _form(host)
    )
    return f"{quoted}_{port}"


def _placeOf(name: str) -> tuple[str, int] | None:
    """
    The host and port that a folder is named for; L{None} if it is named for none.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    octets = _QUOTED.sub(lambda quoted: chr(int(quoted[1], 16)), found[1])
    try:
        return _form(octets.encode("latin-1").decode("utf-8")), int(found[2])
    except UnicodeError:
        return None


def _foldersIn(directory: Path) -> list[Path]:
    """
    What there is in a directory, which may not exist or not be ours to read.
    """
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _isThere(path: Path) -> bool:
    """
    Whether there is something of that name, be it readable or not.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as e:
        # such as a name that is too long for any file
        return isinstance(e, PermissionError)
    return True


def _read(path: Path, host: str, port: int) -> RememberedHost:
    """
    Read a folder.

    @raise CertificateFileError: if it cannot be read.
    """
    file = path / _CERTIFICATE
    try:
        # the first is the server's own
        certificate = parseCertificates(readFile(file))[0]
        return RememberedHost(_form(host), port, certificate, _since(path), path, pinOf(certificate))
    except ValueError as e:
        raise CertificateFileError(str(file), str(e)) from None


def _since(path: Path) -> datetime:
    """
    When a host was accepted: what its options say, or the date of its certificate's file.
    """
    try:
        for line in readFile(path / _OPTIONS).decode("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "since":
                return datetime.strptime(value.strip(), _MOMENT).replace(tzinfo=timezone.utc)
    except (CertificateFileError, ValueError):
        pass
    return datetime.fromtimestamp(int(os.path.getmtime(path / _CERTIFICATE)), timezone.utc)


def _describe(remembered: RememberedHost) -> str:
    """
    What people read of a host that is remembered.
    """
    certificate = remembered.certificate
    try:
        subject = printable(certificate.subject.rfc4514_string(), 200)
        expires = certificate.not_valid_after_utc.strftime(_MOMENT)
    except (ValueError, TypeError):
        subject = expires = "cannot be read"
    lines = {
        "host": printable(remembered.host, 300),
        "port": remembered.port,
        "since": remembered.since.astimezone(timezone.utc).strftime(_MOMENT),
        "fingerprint": remembered.fingerprint,
        "key": remembered.pin,
        "subject": subject,
        "expires": expires,
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())
