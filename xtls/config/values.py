"""
The text of one value, and back: flags, lists of names, durations, sizes, data, versions.

Each C{parse…} takes what the user wrote and raises L{ValueError} with a sentence that says what was
expected; L{xtls.config.options.resolve} adds which option it was and where it was said.  Each C{format…}
writes a text that is parsed to the same value.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from typing import TypeVar

_E = TypeVar("_E", bound=Enum)

_YES = frozenset({"yes", "true", "1", "on", "y", "t", "enabled"})
_NO = frozenset({"no", "false", "0", "off", "n", "f", "disabled"})

_SECONDS = {"": Decimal(1), "ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_OCTETS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

#: The longest duration that may be asked for, in seconds: a day.
LONGEST_DURATION = 86400

#: The largest size that may be asked for, in octets.
LARGEST_SIZE = 1 << 30


def quoted(text: str, longest: int = 40) -> str:
    """
    A value as it is shown in an error: quoted, on one line, and cut when it is long.
    """
    return repr(text if len(text) <= longest else text[: longest - 1] + "…")


class TLSVersion(IntEnum):
    """
    The versions of TLS that are offered, by their numbers on the wire (RFC 8446, section 4.2.1), which are
    also OpenSSL's.
    """

    TLS1_2 = 0x0303
    TLS1_3 = 0x0304


@dataclass(frozen=True)
class TLSVersions:
    """
    A range of versions.

    @ivar minimum: the oldest version that is spoken.
    @ivar maximum: the newest version that is spoken.
    """

    minimum: TLSVersion = TLSVersion.TLS1_2
    maximum: TLSVersion = TLSVersion.TLS1_3


#: The spellings of a version, in lower case and without C{v}, C{_} and C{.}.
_VERSIONS = {
    "tls": TLSVersions(),
    "auto": TLSVersions(),
    "tlsclient": TLSVersions(),
    "tlsserver": TLSVersions(),
    "ssl23": TLSVersions(),
    "tls12": TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2),
    "tls13": TLSVersions(TLSVersion.TLS1_3, TLSVersion.TLS1_3),
}
_OLD_VERSIONS = frozenset({"tls1", "tls10", "tls11", "ssl2", "ssl3"})


def parseFlag(text: str) -> bool:
    """
    Read yes or no.
    """
    word = text.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"expected yes or no, not {quoted(text)}")


def formatFlag(value: bool) -> str:
    """
    Write yes or no.
    """
    return "yes" if value else "no"


def choiceOf(kind: type[_E], others: Mapping[str, _E | None] | None = None) -> Callable[[str], _E | None]:
    """
    Make the parser of an enumeration whose values are words.

    @param others: further words, in lower case, and what they stand for.
    """
    words: dict[str, _E | None] = {str(member.value): member for member in kind}
    shown = ", ".join(words)
    words.update(others or {})

    def parse(text: str) -> _E | None:
        word = text.strip().lower()
        if word not in words:
            raise ValueError(f"expected one of {shown}, not {quoted(text)}")
        return words[word]

    return parse


def formatChoice(value: Enum) -> str:
    """
    Write a member of an enumeration whose values are words.
    """
    return str(value.value)


def parsePath(text: str) -> str:
    """
    Read the path of a file or directory: any text but an empty one.  C{~} at its beginning is the home
    directory: behind the equals sign of an option, no shell sees to that.
    """
    if not text.strip() or "\0" in text:
        raise ValueError("expected a path")
    return os.path.expanduser(text)


def parseName(text: str) -> str:
    """
    Read a host name or an IP address.  Which of them are well-formed is decided where they are compared
    (RFC 9525); here only what cannot be one is refused.
    """
    name = text.strip().strip("[]")
    if not name or re.search(r"[\s/\\@?#\x00-\x20\x7f]", name):
        raise ValueError(f"expected a host name or an address, not {quoted(text)}")
    return name


def parseSeconds(text: str) -> float:
    """
    Read a duration: C{5}, C{5s}, C{500ms}, C{2m}, C{1h}; more than nothing and at most a day.

    @return: seconds.
    """
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,40})?)\s*(ms|s|m|h|)", text.strip().lower(), re.ASCII)
    if found is None:
        raise ValueError(f"expected a duration such as 5, 5s, 500ms or 2m, not {quoted(text)}")
    seconds = float(Decimal(found[1]) * _SECONDS[found[2]])
    if not 0 < seconds <= LONGEST_DURATION:
        raise ValueError(f"expected a duration above 0 and up to 24h, not {quoted(text)}")
    return seconds


def formatSeconds(value: float) -> str:
    """
    Write a duration in seconds.
    """
    text = format(Decimal(repr(value)), "f")
    return text[:-2] if text.endswith(".0") else text


def parseOctets(text: str) -> int:
    """
    Read a size: C{16384}, C{16K}, C{1M}, C{16MiB}; K, M and G are powers of 1024.

    @return: octets.
    """
    found = re.fullmatch(r"([0-9]{1,15})\s*(?:([kmg])(?:i?b)?|b)?", text.strip().lower(), re.ASCII)
    if found is None:
        raise ValueError(f"expected a size such as 16384, 16K or 1M, not {quoted(text)}")
    octets = int(found[1]) * _OCTETS[found[2] or ""]
    if not 0 < octets <= LARGEST_SIZE:
        raise ValueError(f"expected a size above 0 and up to 1G, not {quoted(text)}")
    return octets


def formatOctets(value: int) -> str:
    """
    Write a size as briefly as it goes.
    """
    for letter in "gmk":
        if value % _OCTETS[letter] == 0:
            return f"{value // _OCTETS[letter]}{letter.upper()}"
    return str(value)


def parseVersions(text: str) -> TLSVersions:
    """
    Read the versions of TLS: C{TLS} for all that are offered, or the name of one.
    """
    word = re.sub(r"[v_.\s]", "", text.lower().removeprefix("protocol_"))
    if word in _OLD_VERSIONS:
        raise ValueError(f"{quoted(text)} is not offered (RFC 8996): expected TLS, TLSv1_2 or TLSv1_3")
    try:
        return _VERSIONS[word]
    except KeyError:
        raise ValueError(f"expected TLS, TLSv1_2 or TLSv1_3, not {quoted(text)}") from None


def formatVersions(value: TLSVersions) -> str:
    """
    Write the versions of TLS.
    """
    if value.minimum != value.maximum:
        return "TLS"
    return "TLSv1_2" if value.minimum is TLSVersion.TLS1_2 else "TLSv1_3"


def namesOf(
    prefix: str, known: frozenset[str], refused: Mapping[str, str] | None = None
) -> Callable[[str], tuple[str, ...]]:
    """
    Make the parser of a list of names, separated by commas, spaces or C{|}.

    @param prefix: a prefix that the names may have, and lose.
    @param known: the names, without it; letters of either case match.
    @param refused: names that exist but are not taken, and why.
    """
    words = {name.upper(): name for name in known}
    reasons = {name.upper(): reason for name, reason in (refused or {}).items()}

    def parse(text: str) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for given in re.split(r"[,|\s]+", text.strip()):
            word = given.upper().removeprefix(prefix)
            if word in reasons:
                raise ValueError(f"{given} is not taken, because {reasons[word]}")
            if word in words:
                names[words[word]] = None
            elif given:
                raise ValueError(f"expected names of {', '.join(sorted(known))}; not {quoted(given)}")
        return tuple(names)

    return parse


def formatNames(value: tuple[str, ...]) -> str:
    """
    Write a list of names.
    """
    return ",".join(value)


_ENCODED = re.compile(r"(base64|b64)\s*:(.*)", re.DOTALL | re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_EXPECTED_DATA = "expected hexadecimal, base64:… or PEM text"


def _fromBase64(text: str) -> bytes:
    """
    Decode base64 of either alphabet (RFC 4648, sections 4 and 5), with or without padding or white space.
    """
    compact = re.sub(r"\s+", "", text).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"this is not base64; {_EXPECTED_DATA}") from None


def _fromPEM(text: str) -> bytes:
    """
    Take the blocks out of PEM text, whatever stands for its line ends: some places have room for one line.
    """
    blocks = []
    for label, body in _PEM.findall(text.replace("\\n", "\n")):
        octets = _fromBase64(body)
        lines = base64.encodebytes(octets).replace(b"\n", b"").decode("ascii")
        wrapped = [lines[start : start + 64] for start in range(0, len(lines), 64)]
        blocks.append("\n".join([f"-----BEGIN {label}-----", *wrapped, f"-----END {label}-----", ""]))
    return "".join(blocks).encode("ascii")


def parseData(text: str) -> bytes:
    """
    Read certificates given as text: hexadecimal, with or without C{0x}; C{base64:} or C{b64:}; or PEM.

    @return: PEM or DER, still to be read as certificates.
    """
    given = text.strip()
    encoded = _ENCODED.fullmatch(given)
    if encoded is not None:
        data = _fromBase64(encoded[2])
    elif "-----BEGIN" in given:
        data = _fromPEM(given)
    else:
        digits = re.sub(r"[\s:]+", "", given)
        try:
            data = binascii.unhexlify(digits[2:] if digits[:2] in ("0x", "0X") else digits)
        except (binascii.Error, ValueError):
            raise ValueError(_EXPECTED_DATA) from None
    if b"PRIVATE KEY-----" in data:
        raise ValueError("this holds a private key: expected certificates only")
    if not (b"-----BEGIN " in data or data.startswith(b"\x30")):
        raise ValueError(f"no certificate in it, neither PEM nor DER; {_EXPECTED_DATA}")
    return data


def formatData(value: bytes) -> str:
    """
    Write data as C{base64:}.
    """
    return "base64:" + base64.b64encode(value).decode("ascii")


#: How a pin begins: in hexadecimal, or in base64 as curl writes it.
_PIN: re.Pattern[str] = re.compile(r"sha256(:|//)(.*)", re.DOTALL | re.IGNORECASE)


def parsePin(text: str) -> str:
    """
    Read the pin of a key: C{sha256:} and hexadecimal, with or without colons, or C{sha256//} and base64.

    @return: C{sha256:} and 64 lower-case digits.
    """
    expected = "expected sha256: and 64 hexadecimal digits, or sha256// and base64"
    found = _PIN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{expected}, not {quoted(text)}")
    try:
        if found[1] == ":":
            digest = binascii.unhexlify(found[2].replace(":", ""))
        else:
            digest = base64.b64decode(found[2], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{expected}, not {quoted(text)}") from None
    if len(digest) != 32:
        raise ValueError(f"{expected}: that is 32 octets, not {len(digest)}")
    return f"sha256:{digest.hex()}"


#: What, within a word of a list of ciphers, asks for less than encryption, authentication and integrity.
_WEAK_CIPHERS = re.compile(
    r"NULL|ADH|AECDH|EXP(ORT)?\d*|LOW|RC[24]|(3|C)?DES|MD5|COMPLEMENTOF\w+|SECLEVEL=[01]", re.IGNORECASE
)


def parseCiphers(text: str) -> str:
    """
    Read OpenSSL's words for suites of TLS 1.2; C{DEFAULT} is the empty text.  Whether they select any is
    known only to OpenSSL.
    """
    given = text.strip()
    if given.upper() in ("DEFAULT", ""):
        return ""
    if not re.fullmatch(r"[A-Za-z0-9_:,+!@=. -]+", given):
        raise ValueError(f"expected names of ciphers with colons between, not {quoted(text)}")
    for word in re.split(r"[:, ]+", given):
        if not word.startswith(("!", "-")) and _WEAK_CIPHERS.search(word):
            raise ValueError(f"{quoted(word)} is not offered: expected ciphers that protect, or DEFAULT")
    return given
