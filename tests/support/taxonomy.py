"""
What may be the matter with a chain of certificates: a case for each fault, and for what looks like one.

A case says what it is, which rule it is about, and what becomes of it: as the certificates of a server that
our client meets, and the same as those of a client that our server meets.  The cases themselves are in the
modules C{taxonomy_…} beside this one; L{CASES} has them all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.support.making import Facts, Issuer, curveKey, extension
from tests.support.rogues import Presented
from xtls.trust.verification import Reason

__all__ = [
    "ACCEPTED",
    "CASES",
    "UNREADABLE",
    "Case",
    "Half",
    "Outcome",
    "Verdict",
    "case",
    "keyless",
    "middle",
    "differences",
    "names",
    "root",
    "show",
    "table",
]

#: The server that a client wants, unless a case says otherwise.
NAME: Final = "server.test"


class Outcome(Enum):
    """
    What may become of a chain besides being refused for a reason.
    """

    ACCEPTED = "accepted"
    UNREADABLE = "unreadable"


#: The peer is believed.
ACCEPTED: Final = Outcome.ACCEPTED

#: OpenSSL can make nothing of what it is shown: the handshake fails, and nobody is asked.
UNREADABLE: Final = Outcome.UNREADABLE

Verdict: TypeAlias = Reason | Outcome


class Half(Enum):
    """
    Whose certificates they are.

    @ivar usage: what they should be for.
    @ivar other: what they should not be for.
    """

    SERVER = "a server's"
    CLIENT = "a client's"

    @property
    def usage(self) -> ObjectIdentifier:
        """
        What the certificates should be for.
        """
        server = self is Half.SERVER
        return ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH

    @property
    def other(self) -> ObjectIdentifier:
        """
        What they should not be for.
        """
        server = self is Half.SERVER
        return ExtendedKeyUsageOID.CLIENT_AUTH if server else ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Case:
    """
    One case.

    @ivar name: its name.
    @ivar about: what it is.
    @ivar category: what it has to do with.
    @ivar source: the rule.
    @ivar make: makes the certificates.
    @ivar verdict: what becomes of a server that shows them.
    @ivar client: what becomes of a client that does.
    @ivar strict: what becomes of a server under C{X509_STRICT}.
    @ivar strictClient: what becomes of a client then.
    @ivar host: the server that the client wants.
    @ivar flags: further verify flags, by their names.
    @ivar stricter: why we refuse a peer that Python's C{ssl} believes, where we do.
    @ivar laxer: why we believe a server that it refuses, where we do.
    """

    name: str
    about: str
    category: str
    source: str
    make: Callable[[Half], Presented]
    verdict: Verdict
    client: Verdict
    strict: Verdict
    strictClient: Verdict
    host: str = NAME
    flags: tuple[str, ...] = ()
    stricter: str = ""
    laxer: str = ""

    def expected(self, half: Half, strict: bool) -> Verdict:
        """
        What becomes of it.
        """
        if half is Half.SERVER:
            return self.strict if strict else self.verdict
        return self.strictClient if strict else self.client


#: All cases, by their names.
CASES: Final[dict[str, Case]] = {}

_Maker: TypeAlias = Callable[[Half], Presented]


def case(
    source: str,
    verdict: Verdict = ACCEPTED,
    *,
    client: Verdict | None = None,
    strict: Verdict | None = None,
    strictClient: Verdict | None = None,
    **details: Any,
) -> Callable[[_Maker], _Maker]:
    """
    Take a function that makes certificates for a case, which is called as the function is, and is what its
    docstring says.

    @param client: as C{verdict}, unless it is said.
    @param strict: as C{verdict}, unless it is said.
    @param strictClient: as C{strict} where that is said, and else as C{client}.
    @param details: further fields of L{Case}.
    """

    def register(make: _Maker) -> _Maker:
        category = make.__module__.rpartition("_")[2]
        about = " ".join((inspect.getdoc(make) or "").split())
        asked = verdict if client is None else client
        if make.__name__ in CASES:
            raise ValueError(f"two cases are called {make.__name__}")
        CASES[make.__name__] = Case(
            make.__name__,
            about,
            category,
            source,
            cache(make),
            verdict,
            asked,
            verdict if strict is None else strict,
            strictClient or (asked if strict is None else strict),
            **details,
        )
        return make

    return register


def table(modules: Sequence[ModuleType]) -> list[str]:
    """
    What there are cases of, as rows of a table in Markdown.
    """
    rows = []
    for module in modules:
        about = (inspect.getdoc(module) or "").removeprefix("Cases of ").split("\n\n")[0].rstrip(".")
        category = module.__name__.rpartition("_")[2]
        found = [each for each in CASES.values() if each.category == category]
        believed = sum(each.verdict is ACCEPTED for each in found)
        sources = sorted({rule.split(", ")[0] for each in found for rule in each.source.split("; ")})
        rows.append(f"| {about} | {', '.join(sources)} | {len(found)} | {believed} |")
    return rows


def differences() -> list[str]:
    """
    Where we and Python's C{ssl} are not of one opinion, as lists in Markdown.
    """
    found: dict[str, list[str]] = {}
    for each in CASES.values():
        for kind, why in (("refused by xtls alone", each.stricter), ("believed by xtls alone", each.laxer)):
            if why:
                found.setdefault(f"- {kind}: {why}", []).append(f"`{each.name}`")
    return sorted(f"{why} ({', '.join(sorted(cases))})" for why, cases in found.items())


@cache
def root() -> Issuer:
    """
    The authority that is believed.
    """
    return Issuer.root("the root")


@cache
def middle() -> Issuer:
    """
    A good authority below it.
    """
    return root().below("in the middle")


def names(*values: str | x509.GeneralName) -> bytes:
    """
    A subjectAltName.
    """
    return extension(
        x509.SubjectAlternativeName(
            [x509.DNSName(each) if isinstance(each, str) else each for each in values]
        )
    )


def show(
    half: Half,
    issuer: Issuer | None = None,
    facts: Facts | None = None,
    *,
    chain: tuple[bytes, ...] | None = None,
    anchors: tuple[bytes, ...] | None = None,
    revocations: bytes = b"",
    **extensions: Any,
) -> Presented:
    """
    Have an issuer make a certificate that is good in all but what is said, and show it.

    @param issuer: by default, L{middle}.
    @param chain: what is shown after it, if not what the issuer says.
    @param anchors: who is believed, if not L{root}.
    """
    issuer = issuer or middle()
    key = curveKey("leaf")
    return Presented(
        (issuer.leaf(key, half.usage, facts, **extensions), *(issuer.chain if chain is None else chain)),
        key,
        (root().der,) if anchors is None else anchors,
        revocations,
    )


def keyless(shown: Presented) -> Presented:
    """
    The same, shown by somebody who does not get so far as to use the key: what no library would send.
    """
    return replace(shown, key=None)
