"""
What a check finds: values that say how good something is, in one sentence, and what to do about it.

Pure.  The findings about TLS itself are made here; those about chains of certificates in
L{xtls.trust.chains}, those about who would believe them in L{xtls.trust.verdicts}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography import x509

from xtls.trust.names import printable

__all__ = ["Found", "Grade", "TLSFacts", "Topic", "listed", "tlsFindings", "worst"]

#: How many names are listed.
_LISTED: Final = 6


class Grade(Enum):
    """
    How good it is, the best first.

    @cvar OK: as it should be.
    @cvar NOTE: worth knowing.
    @cvar WARNING: it works here and now, but not everywhere, or not for long, or not for you alone.
    @cvar PROBLEM: it does not work, or what protects you is not there.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


class Topic(Enum):
    """
    What a finding is about, in the order in which they are told.
    """

    REACH = "reaching it"
    PROTOCOLS = "what the port speaks"
    TLS = "TLS"
    CERTIFICATE = "the certificate"
    CLIENTS = "who can connect"


@dataclass(frozen=True)
class Found:
    """
    One finding.

    @ivar kind: one word that stays the same, for programs.
    @ivar sentence: what was found, without a full stop.
    @ivar remedy: what to do about it; empty where all is well.
    @ivar changes: what to change in the command for that: attributes of L{TLSOptions
        <xtls.config.options.TLSOptions>}, or C{mode} for the target's.
    """

    grade: Grade
    topic: Topic
    kind: str
    sentence: str
    remedy: str = ""
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TLSFacts:
    """
    What is known of how a server speaks TLS.

    @ivar version: the version that was agreed on, as OpenSSL has it (C{TLSv1.3}); empty when there was none.
    @ivar cipher: the suite.
    @ivar group: the group in which keys were agreed on; empty when that is not known.
    @ivar alpn: the application protocol that was agreed on, of C{http/1.1}; L{None} when that was not asked.
    @ivar presented: the certificates as they came.
    @ivar stapled: whether an OCSP response came with them.
    @ivar asked: whether a certificate of the client was asked for.
    @ivar required: whether that is required; L{None} when it is not known.
    @ivar authorities: whose certificates are asked for, as the server says.
    @ivar older: whether TLS 1.2 is spoken beside 1.3; L{None} when that was not asked.
    @ivar ancient: the version that was agreed on when only 1.0 and 1.1 were offered; empty: none; L{None}:
        not asked, or not clear.
    @ivar resumed: whether a session is resumed; L{None} when that was not tried.
    @ivar problem: why there was no handshake; empty when there was one.
    @ivar limited: whether the user wants no TLS 1.3.
    """

    version: str = ""
    cipher: str = ""
    group: str = ""
    alpn: str | None = None
    presented: tuple[x509.Certificate, ...] = ()
    stapled: bool = False
    asked: bool = False
    required: bool | None = None
    authorities: tuple[str, ...] = ()
    older: bool | None = None
    ancient: str | None = None
    resumed: bool | None = None
    problem: str = ""
    limited: bool = False

    @property
    def postQuantum(self) -> bool:
        """
        Whether keys are agreed on in a way that a quantum computer does not break (ML-KEM, FIPS 203).
        """
        return "MLKEM" in self.group.upper()

    @property
    def spoken(self) -> bool:
        """
        Whether there is TLS on the port: a handshake has ended, or got so far that a certificate came.
        """
        return bool(self.version) and (not self.problem or bool(self.presented) or self.asked)


def worst(found: Iterable[Found]) -> Grade:
    """
    The worst grade among some findings.
    """
    order = list(Grade)
    return max((each.grade for each in found), key=order.index, default=Grade.OK)


def listed(names: Iterable[str]) -> str:
    """
    Some names of somebody else's, printable, and how many more there are.
    """
    given = tuple(names)
    shown = [printable(name) for name in given[:_LISTED]]
    more = len(given) - len(shown)
    if more:
        shown.append(f"{more} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _found(
    grade: Grade, kind: str, sentence: str, remedy: str = "", changes: tuple[tuple[str, str], ...] = ()
) -> Found:
    return Found(grade, Topic.TLS, kind, sentence, remedy, changes)


def _named(version: str) -> str:
    """
    A version as people write it: C{TLS 1.3}.
    """
    return version.replace("TLSv", "TLS ") if "." in version else version.replace("TLSv1", "TLS 1.0")


def _versions(facts: TLSFacts) -> Iterator[Found]:
    """
    The versions: RFC 9325 asks for 1.2 and 1.3, and RFC 8996 forbids the others.
    """
    agreed = _named(facts.version)
    if facts.version == "TLSv1.3":
        also = {True: ", and TLS 1.2 too", False: ", and TLS 1.2 is not", None: ""}[facts.older]
        yield _found(Grade.OK, "version", f"TLS 1.3 is spoken{also}")
    elif facts.limited:
        yield _found(Grade.OK, "version", f"{agreed} is agreed on: the options allow no newer one here")
    else:
        yield _found(
            Grade.NOTE,
            "version",
            f"{agreed} is the newest version that is agreed on",
            "let the server speak TLS 1.3 too, which is faster and shows less",
        )
    if facts.ancient:
        yield _found(
            Grade.WARNING,
            "old-version",
            f"{_named(facts.ancient)} is accepted too, which RFC 8996 forbids",
            "switch TLS 1.0 and 1.1 off on the server",
        )
    elif facts.ancient is not None:
        yield _found(Grade.OK, "old-version", "TLS 1.0 and 1.1 are refused")


def _keys(facts: TLSFacts) -> Iterator[Found]:
    """
    How keys are agreed on, and what they are used for.
    """
    if facts.postQuantum:
        yield _found(Grade.OK, "group", f"keys are agreed on with {facts.group}, which is post-quantum")
    elif facts.group:
        yield _found(
            Grade.NOTE,
            "group",
            f"keys are agreed on with {facts.group}, which is not post-quantum: what is recorded today may be"
            " read by the quantum computer of some day",
            "allow TLS 1.3 here, by the options"
            if facts.limited
            else "let the server use X25519MLKEM768: OpenSSL 3.5 or newer has it, with TLS 1.3",
        )
    yield _found(Grade.OK, "cipher", f"the suite is {facts.cipher}")


def _extras(facts: TLSFacts) -> Iterator[Found]:
    """
    What nobody depends on.
    """
    if facts.alpn is not None:
        said = f"ALPN agrees on {printable(facts.alpn)}" if facts.alpn else "no protocol is agreed on by ALPN"
        yield _found(Grade.OK, "alpn", said)
    if facts.resumed is not None:
        said = "are" if facts.resumed else "are not"
        yield _found(Grade.OK, "resumption", f"sessions {said} resumed")


def _clientCertificate(facts: TLSFacts, shown: bool) -> Iterator[Found]:
    """
    Whether clients must say who they are.
    """
    if not facts.asked:
        yield _found(Grade.OK, "client-certificate", "no certificate of the client is asked for")
        return
    whose = f", from {listed(facts.authorities)}" if facts.authorities else ""
    kind = {True: "is required", False: "is asked for, and is optional", None: "is asked for"}[facts.required]
    sentence = f"a certificate of the client {kind}{whose}"
    if shown:
        yield _found(Grade.OK, "client-certificate", f"{sentence}; there is one")
        return
    grade = Grade.PROBLEM if facts.required else Grade.NOTE
    remedy = "show one, with its key; xtls cert client makes them, with the CA that the server believes"
    yield _found(grade, "client-certificate", sentence, remedy, (("cert", "CLIENT.pem"),))


def tlsFindings(facts: TLSFacts, shown: bool = False) -> list[Found]:
    """
    What there is to say about how a server speaks TLS.

    @param shown: whether the user has a certificate to show.
    """
    if not facts.spoken:
        return []
    found: list[Found] = []
    if not facts.problem or facts.cipher:
        found += [*_versions(facts), *_keys(facts), *_extras(facts)]
    return [*found, *_clientCertificate(facts, shown)]
