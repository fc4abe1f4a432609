"""
The register of a CA: what it has issued and revoked, as a text that people can read.

Pure: L{Register} is read from text and written to text, one line for each certificate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from xtls.trust.names import printable
from xtls.trust.pins import pinOf
from xtls.trust.revoking import REASONS, Revocation

__all__ = ["Entry", "Register", "serialText"]

_HEADING: Final = """\
# What this CA has issued, one line for each certificate.  xtls cert writes it; it is not meant to be edited.
#
# serial number                           key              until                revoked                for
"""

#: How many revocation lists there have been: the number of the last.
_LISTS: Final = "revocation-lists"

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

#: What stands for a certificate that is not revoked, and for a time or a name that is not known.
_NOTHING: Final = "-"

#: How much of a pin tells keys apart, in digits.
_KEY_DIGITS: Final = 16

_SERIAL: Final = re.compile(r"[0-9a-f]{1,40}")


def serialText(serial: int) -> str:
    """
    A serial number as it is shown: hexadecimal, as much as there is room for in a certificate.
    """
    return f"{serial:040x}"


@dataclass(frozen=True)
class Entry:
    """
    One certificate.

    @ivar serial: its serial number.
    @ivar label: what it is for, in words: C{server example.org, 192.0.2.1}, C{client alice}.
    @ivar key: which key it is for: the beginning of its pin; certificates that were renewed have one key.
    @ivar end: until when it is valid; L{None} where nothing but its serial number is known.
    @ivar revocation: since when and why it is not any more, if so.
    """

    serial: int
    label: str = _NOTHING
    key: str = _NOTHING
    end: datetime | None = None
    revocation: Revocation | None = None

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Entry:
        """
        The entry of a certificate.
        """
        return cls(
            certificate.serial_number,
            _label(certificate),
            _key(certificate),
            certificate.not_valid_after_utc,
        )

    @property
    def serialText(self) -> str:
        """
        The serial number as it is shown.
        """
        return serialText(self.serial)

    def revokedAt(self, when: datetime, reason: str = "") -> Entry:
        """
        The same, revoked.
        """
        return replace(self, revocation=Revocation(self.serial, when, reason))

    def line(self) -> str:
        """
        The line for it.
        """
        revoked = _NOTHING
        if self.revocation is not None:
            reason = f",{self.revocation.reason}" if self.revocation.reason else ""
            revoked = f"{self.revocation.when:{_TIME}}{reason}"
        end = _NOTHING if self.end is None else f"{self.end:{_TIME}}"
        return f"{self.serialText}  {self.key:16} {end:20} {revoked:22} {self.label}\n"

    @classmethod
    def parse(cls, line: str) -> Entry:
        """
        Read a line.

        @raise ValueError: if it is none.
        """
        serial, key, end, revoked, label = line.split(None, 4)
        if not _SERIAL.fullmatch(serial):
            raise ValueError("expected a serial number")
        number = int(serial, 16)
        return cls(number, label.strip(), key, _time(end), _revocation(number, revoked))


def _time(text: str) -> datetime | None:
    """
    Read a time.
    """
    return None if text == _NOTHING else datetime.strptime(text, _TIME).replace(tzinfo=timezone.utc)


def _revocation(serial: int, text: str) -> Revocation | None:
    """
    Read since when a certificate is revoked, and why.
    """
    time, _, reason = text.partition(",")
    when = _time(time)
    if reason and reason not in REASONS:
        raise ValueError("expected a reason for a revocation")
    return None if when is None else Revocation(serial, when, reason)


def _key(certificate: x509.Certificate) -> str:
    """
    Which key a certificate is for, in a word.
    """
    return pinOf(certificate).removeprefix("sha256:")[:_KEY_DIGITS]


def _label(certificate: x509.Certificate) -> str:
    """
    What a certificate is for, in one line.
    """
    kinds, names = [], []
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension):
        extensions = x509.Extensions([])
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            kinds = [word for usage, word in _USAGES.items() if usage in value]
        if isinstance(value, x509.SubjectAlternativeName):
            names = [str(each.value) for each in value if not isinstance(each, x509.DirectoryName)]
    common = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    called = ", ".join(dict.fromkeys([*common, *names])) or certificate.subject.rfc4514_string() or _NOTHING
    return " ".join([*kinds, printable(called, 1000)])


_USAGES: Final = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}


@dataclass(frozen=True)
class Register:
    """
    What a CA has issued and revoked.

    @ivar entries: in the order in which they were made.
    @ivar lists: the number of the last revocation list; 0 when there was none.
    """

    entries: tuple[Entry, ...] = ()
    lists: int = 0

    @classmethod
    def parse(cls, text: str) -> Register:
        """
        Read a register.

        @raise ValueError: naming the line that cannot be read.
        """
        entries, lists = [], 0
        for number, line in enumerate(text.splitlines(), 1):
            try:
                if line.startswith(f"{_LISTS} "):
                    lists = int(line.removeprefix(f"{_LISTS} "))
                elif line.strip() and not line.startswith("#"):
                    entries.append(Entry.parse(line))
            except ValueError:
                raise ValueError(f"line {number} cannot be read: it is not as xtls cert writes it") from None
        return cls(tuple(entries), lists)

    def text(self) -> str:
        """
        The register as text.
        """
        return "".join([_HEADING, *(each.line() for each in self.entries), f"\n{_LISTS} {self.lists}\n"])

    @property
    def revocations(self) -> tuple[Revocation, ...]:
        """
        What is revoked.
        """
        return tuple(each.revocation for each in self.entries if each.revocation is not None)

    def find(self, serial: int) -> Entry | None:
        """
        The entry of a serial number.
        """
        return next((each for each in self.entries if each.serial == serial), None)

    def beginning(self, text: str) -> tuple[Entry, ...]:
        """
        The entries whose serial numbers begin as the text does.
        """
        return tuple(each for each in self.entries if each.serialText.startswith(text.lower()))

    def sharing(self, entry: Entry) -> tuple[Entry, ...]:
        """
        The entries for the same key as another: what has become of it by renewing, and that itself.
        """
        found = [each for each in self.entries if each.key == entry.key != _NOTHING]
        return tuple(dict.fromkeys([*found, self.find(entry.serial) or entry]))

    def adding(self, entry: Entry) -> Register:
        """
        A register with one more entry, unless there is one of that serial number.
        """
        return self if self.find(entry.serial) else replace(self, entries=(*self.entries, entry))

    def revoking(self, revocations: Iterable[Revocation]) -> Register:
        """
        A register in which these are revoked.  What is revoked already stays as it is.
        """
        found = {each.serial: each for each in self.entries}
        for each in revocations:
            entry = found.setdefault(each.serial, Entry(each.serial))
            if entry.revocation is None:
                found[each.serial] = replace(entry, revocation=each)
        return replace(self, entries=tuple(found.values()))
