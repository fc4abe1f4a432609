"""
Who a client is, as its certificate says, and rules on whom to let in.

Pure.  An L{Identity} is only as good as the certificate that it was read from: whoever has one takes care
that the certificate was verified.  A L{Rule} matches names as they are in the certificate, and starts from
"no": a field that is missing, that is there twice where one is meant, or that could be read in two ways
matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from xtls.trust.certificates import fingerprint
from xtls.trust.names import isProxy, printable, toASCII
from xtls.trust.patterns import Pattern

__all__ = ["Identity", "Rule"]

#: A host name as it may be compared: no wildcard, which would be many.
_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)

#: The beginning of a URI (RFC 3986, section 3): its scheme and its authority, where case does not matter.
_URI_HEAD: Final = re.compile(r"[^:/?#]*:(?://[^/?#]*)?")

#: What may be shown without quotes.
_PLAIN: Final = re.compile(r"[\w.@:/+*-]+")

#: How much of a name is shown, and how much of one is put into an environment.
_SHOWN: Final = 64
_WHOLE: Final = 4096


def _texts(name: x509.Name, kind: ObjectIdentifier) -> tuple[str, ...]:
    """
    The values of one kind in a distinguished name, also those within one RDN of several.
    """
    values = (each.value for each in name.get_attributes_for_oid(kind))
    return tuple(value for value in values if isinstance(value, str) and value)


def _alternatives(certificate: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    """
    What is in a certificate's subjectAltName.

    @raise ValueError: if that cannot be read.
    """
    try:
        return tuple(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as e:
        raise ValueError(str(e)) from None


@dataclass(frozen=True)
class Identity:
    """
    Whom a certificate is for, as it says itself.

    @ivar subject: its whole distinguished name, as RFC 4514 writes it.
    @ivar commonName: its Common Name; empty where there is none, or more than one, and for a proxy (RFC
        3820), whose owner has chosen it.
    @ivar organizations: its organizations (O).
    @ivar organizationalUnits: its organizational units (OU).
    @ivar dnsNames: the host names in its subjectAltName.
    @ivar emails: the addresses there.
    @ivar uris: the URIs there.
    @ivar fingerprint: the SHA-256 of the certificate, C{SHA256:AA:BB:…}.
    @ivar serial: its number.
    @ivar notAfter: when it ends.
    """

    subject: str
    commonName: str
    organizations: tuple[str, ...]
    organizationalUnits: tuple[str, ...]
    dnsNames: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    fingerprint: str
    serial: int
    notAfter: datetime

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Identity:
        """
        Read it from a certificate.

        @raise ValueError: if something of it cannot be read.
        """
        try:
            subject, alternatives = certificate.subject, _alternatives(certificate)
        except TypeError as e:
            raise ValueError(str(e)) from None  # a string of bits, which is no name
        commonNames = () if isProxy(certificate) else _texts(subject, NameOID.COMMON_NAME)

        def valuesOf(kind: type[Any]) -> tuple[str, ...]:
            return tuple(each.value for each in alternatives if isinstance(each, kind) and each.value)

        return cls(
            subject=subject.rfc4514_string(),
            commonName=commonNames[0] if len(commonNames) == 1 else "",
            organizations=_texts(subject, NameOID.ORGANIZATION_NAME),
            organizationalUnits=_texts(subject, NameOID.ORGANIZATIONAL_UNIT_NAME),
            dnsNames=valuesOf(x509.DNSName),
            emails=valuesOf(x509.RFC822Name),
            uris=valuesOf(x509.UniformResourceIdentifier),
            fingerprint=fingerprint(certificate),
            serial=certificate.serial_number,
            notAfter=certificate.not_valid_after_utc,
        )

    def describe(self) -> str:
        """
        Say it briefly, for a line of a log: C{CN=alice}, or the best that there is.  The text of others is
        in quotes where it could be taken for anything else, and obeyed by nobody.
        """
        for key, values in (
            ("CN", (self.commonName,)),
            ("email", self.emails),
            ("URI", self.uris),
            ("DNS", self.dnsNames),
            ("subject", (self.subject,)),
        ):
            if values and values[0]:
                return f"{key}={_shown(values[0])}"
        return f"fingerprint={self.fingerprint}"

    def environment(self) -> dict[str, str]:
        """
        Say it whole, for the environment of a program.  What may be there several times has numbers, from 0
        on; a variable of which there is nothing to say is not there.
        """
        said = {"SUBJECT": self.subject, "CN": self.commonName, "FINGERPRINT": self.fingerprint}
        for key, values in (
            ("O", self.organizations),
            ("OU", self.organizationalUnits),
            ("DNS", self.dnsNames),
            ("EMAIL", self.emails),
            ("URI", self.uris),
        ):
            said.update({f"{key}_{number}": value for number, value in enumerate(values)})
        said["SERIAL"] = f"{self.serial:x}"
        said["NOT_AFTER"] = self.notAfter.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {f"XTLS_CLIENT_{key}": printable(value, _WHOLE) for key, value in said.items() if value}


def _shown(text: str) -> str:
    """
    Text of somebody else's within a line: as it is where it is one word, else in quotes.
    """
    if _PLAIN.fullmatch(text):
        return printable(text, _SHOWN)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped, _SHOWN)}"'


def _host(text: str) -> str | None:
    """
    A host name as it is compared; L{None} if it is none, such as a wildcard.
    """
    # of letters beyond ASCII, which have no place there, some become others in lower case
    name = text.lower() if text.isascii() else ""
    return name if _HOST.fullmatch(name) else None


def _address(text: str) -> str | None:
    """
    An address of mail as it is compared (RFC 5280, section 7.5): the case of the host does not matter, that
    of the mailbox does.
    """
    local, _, host = text.rpartition("@")
    name = _host(host)
    return f"{local}@{name}" if local.isascii() and local and name and "@" not in local else None


def _uri(text: str) -> str | None:
    """
    A URI as it is compared (RFC 5280, section 7.4): the case of scheme and host does not matter, all else
    does.  One that leads elsewhere than it seems to (C{..}, or a user before the host) is none.
    """
    head = _URI_HEAD.match(text)
    if head is None or not text.isascii() or "@" in head[0] or "\\" in text:
        return None
    path = re.split("[?#]", text[head.end() :])[0]
    if any(each.lower().replace("%2e", ".") in (".", "..") for each in path.split("/")):
        return None
    return head[0].lower() + text[head.end() :]


def _asIs(text: str) -> str | None:
    """
    A text that is compared letter by letter.
    """
    return text


def _hostPattern(text: str) -> str:
    """
    A pattern for host names: labels that are no patterns may be in any script.
    """
    labels = text.removesuffix(".").split(".")
    return ".".join(each.lower() if each.isascii() else toASCII(each) for each in labels)


def _addressPattern(text: str) -> str:
    """
    A pattern for addresses of mail.
    """
    local, at, host = text.rpartition("@")
    if not at and "**" not in text:
        raise ValueError("expected an address of mail, such as *@example.com")
    return f"{local}{at}{_hostPattern(host)}"


def _uriPattern(text: str) -> str:
    """
    A pattern for URIs.
    """
    head = _URI_HEAD.match(text)
    if head is None and "**" not in text:
        raise ValueError("expected a URI, such as spiffe://example.com/*")
    end = 0 if head is None else head.end()
    return text[:end].lower() + text[end:]


@dataclass(frozen=True)
class _Field:
    """
    What a condition may be about.

    @ivar values: what an identity has there.
    @ivar canonical: a value as it is compared; L{None} for one that nothing matches.
    @ivar pattern: a pattern as it is compared.
    @ivar borders: characters that C{*} and C{?} do not stand for.
    """

    values: Callable[[Identity], tuple[str, ...]]
    canonical: Callable[[str], str | None] = _asIs
    pattern: Callable[[str], str] = str
    borders: str = ""


_FIELDS: Final[dict[str, _Field]] = {
    "CN": _Field(lambda identity: (identity.commonName,)),
    "OU": _Field(lambda identity: identity.organizationalUnits),
    "O": _Field(lambda identity: identity.organizations),
    "DNS": _Field(lambda identity: identity.dnsNames, _host, _hostPattern, "."),
    "email": _Field(lambda identity: identity.emails, _address, _addressPattern, "@"),
    "URI": _Field(lambda identity: identity.uris, _uri, _uriPattern, "/?#"),
    "fingerprint": _Field(lambda identity: (identity.fingerprint,), str.lower),
}

_NAMES: Final = {name.lower(): name for name in _FIELDS}

#: Of these a certificate has one at most.
_SINGLE: Final = ("CN", "fingerprint")

_EXPECTED: Final = "expected conditions such as CN=alice,OU=ops, of " + ", ".join(_FIELDS)

#: The longest name that is compared, in characters: no name that means anybody is longer.
_LONGEST: Final = 1024


def _hexadecimal(text: str) -> str:
    """
    The pattern of a fingerprint, which is none.
    """
    digits = re.sub("[: ]", "", text.lower().removeprefix("sha256:"))
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ValueError("expected sha256: and 64 hexadecimal digits, as xtls cert fingerprint shows them")
    return "sha256:" + ":".join(digits[start : start + 2] for start in range(0, 64, 2))


@dataclass(frozen=True)
class Rule:
    """
    Conditions on an identity, all of which must hold.

    @ivar text: the rule as it was said.
    """

    text: str
    _conditions: tuple[tuple[_Field, Pattern], ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Rule:
        """
        Read a rule: C{CN=alice,OU=ops}.

        @raise ValueError: if it is none.
        """
        conditions = []
        seen = set()
        for part in _split(text):
            key, equals, pattern = part.partition("=")
            name = _NAMES.get(key.strip().lower())
            if name is None or not equals:
                raise ValueError(f'{_EXPECTED}; not "{printable(part.strip(), 40)}"')
            if name in seen and name in _SINGLE:
                raise ValueError(f"{name} is there twice, and no certificate has two: say two rules")
            seen.add(name)
            conditions.append(_condition(name, _strip(pattern)))
        return cls(text, tuple(conditions))

    def allows(self, identity: Identity) -> bool:
        """
        Whether all conditions hold: for each, at least one value in the certificate.
        """
        return bool(self._conditions) and all(
            any(_matches(field, pattern, value) for value in field.values(identity))
            for field, pattern in self._conditions
        )


def _condition(name: str, pattern: str) -> tuple[_Field, Pattern]:
    """
    Read one condition.
    """
    if not pattern:
        raise ValueError(f"{name}= is met by nobody: expected a name or a pattern, such as *")
    field = _FIELDS[name]
    if name == "fingerprint":
        return field, Pattern.parse(_hexadecimal(pattern))
    return field, Pattern.parse(field.pattern(pattern), field.borders)


def _matches(field: _Field, pattern: Pattern, value: str) -> bool:
    """
    Whether a value is one that a pattern stands for.  None stands for what cannot be shown as it is.
    """
    if not 0 < len(value) <= _LONGEST or not value.isprintable():
        return False
    compared = field.canonical(value)
    return compared is not None and pattern.matches(compared)


def _split(text: str) -> Iterator[str]:
    """
    Part a rule at its commas, but not at those with a backslash before them.
    """
    return (found[0] for found in re.finditer(r"(?:\\.|[^\\,]|\\$)+|(?:^|(?<=,))(?=,|$)", text, re.DOTALL))


def _strip(text: str) -> str:
    r"""
    Take away the white space around a pattern, but not a space with a backslash before it.
    """
    return re.sub(r"(?<!\\)\s+$", "", text.lstrip())
