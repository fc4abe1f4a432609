"""
The contexts of a server: for each name that clients ask for, what it shows, and what it asks of them.

A socket has options of its own, and perhaps others for some names (C{ssl-sni}).  For each of these there is a
L{ClientPolicy}, and a context for each certificate.  OpenSSL begins with one context and asks for another
when it has read the name; what it does not take from that other is set here: whether a certificate of the
client is asked for, and who judges it.  Until then nobody is let in.

A ticket would lead around that: it is opened with the keys of the first context, whatever name is asked for
with it.  So where any name asks for certificates, no name issues tickets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from OpenSSL import SSL
from twisted.logger import Logger

from xtls.config.options import Side, TLSOptions, VerifyMode, optionNamed
from xtls.errors import CertificateFileError
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.certificates import KeyPair
from xtls.trust.files import readFile
from xtls.trust.identities import Rule
from xtls.trust.keypairs import keyPairFiles, serverKeyPairs
from xtls.trust.names import toASCII
from xtls.trust.newcontext import Made, believe, serverContext
from xtls.trust.sni import NameTable, lookUp
from xtls.trust.verification import Policy
from xtls.trust.verifier import Verifier

__all__ = ["UNKNOWN_NAMES", "ClientPolicy", "ServerContexts", "serverContexts"]

_log = Logger()

#: What stands for every name that is not known, and for none.
UNKNOWN_NAMES: Final = "default"

#: How a rule begins that is in a file.
_FILE: Final = "file:"

_REQUIRED: Final = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


@dataclass(frozen=True)
class ClientPolicy:
    """
    What a server asks of its clients.

    @ivar anchors: whom it believes about them.
    @ivar mode: OpenSSL's verify mode.
    @ivar rules: of which one must let a client in; L{None} where there are no rules.
    @ivar files: the files that rules were read from.
    """

    anchors: TrustAnchors
    mode: int
    rules: tuple[Rule, ...] | None = None
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: TLSOptions) -> ClientPolicy:
        """
        Make it of what the user said.

        @raise OptionError: if the options cannot be used, alone or together.
        """
        mode = options.clientVerifyMode
        if mode is VerifyMode.NONE:
            if options.allow:
                raise options.error("allow", "no certificates are asked for, so that no rule can be met")
            return cls(TrustAnchors(), SSL.VERIFY_NONE)
        anchors = trustAnchors(options, Side.SERVER)
        if not anchors.certificates:
            _requireNothing(options)
            return cls(TrustAnchors(), SSL.VERIFY_NONE)
        rules, files = _rules(options)
        asked = SSL.VERIFY_PEER if mode is VerifyMode.OPTIONAL else _REQUIRED
        return cls(anchors, asked, rules, files)

    def verifier(self) -> Verifier | None:
        """
        What judges the certificates of clients, where any are asked for.
        """
        return Verifier(Policy(use="a client", identified=True, rules=self.rules)) if self.mode else None


def _requireNothing(options: TLSOptions) -> None:
    """
    Require that nothing is said of certificates of clients, since there is nobody to believe about them.
    """
    mend = f"name a file of CAs with --{optionNamed(TLSOptions, 'caCerts').name}"
    missing = f"no CA is named for certificates of clients, and the system's are never believed; {mend}"
    if options.clientVerifyMode is not None:
        mode = options.clientVerifyMode.value
        raise options.error("clientVerifyMode", f"{mode}: {missing}")
    if options.allow:
        raise options.error("allow", missing)
    revoked = f"clients show no certificate that could be revoked; {mend}"
    if options.crl:
        raise options.error("crl", revoked)
    if any(name.startswith("CRL_") for name in options.verifyFlags):
        raise options.error("verifyFlags", revoked)


def _rules(options: TLSOptions) -> tuple[tuple[Rule, ...] | None, tuple[str, ...]]:
    """
    Read the rules: those that were said, and those in files that were named.

    @return: rules, L{None} where none were said; and the files.
    """
    if not options.allow:
        return None, ()
    rules: list[Rule] = []
    files: list[str] = []
    for said in options.allow:
        try:
            if said.startswith(_FILE):
                path = os.path.expanduser(said.removeprefix(_FILE))
                files.append(path)
                rules.extend(_rulesOfFile(path))
            else:
                rules.append(Rule.parse(said))
        except (CertificateFileError, ValueError) as e:
            raise options.error("allow", str(e)) from None
    return tuple(rules), tuple(files)


def _rulesOfFile(path: str) -> list[Rule]:
    """
    Read a file of rules: one in each line; empty lines, and those that begin with #, are none.  A file
    without any rule lets nobody in.

    @raise ValueError: if one cannot be read.
    """
    rules = []
    try:
        lines = readFile(path, empty=True).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: this is not UTF-8 text: expected rules") from None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                rules.append(Rule.parse(text))
            except ValueError as e:
                raise ValueError(f"{path} line {number}: {e}") from None
    return rules


@dataclass(frozen=True)
class _Branch:
    """
    What there is for one name, or for all that have no branch of their own.

    @ivar policy: what is asked of clients.
    @ivar verifier: what judges them.
    @ivar table: the contexts, by the names of their certificates.
    """

    policy: ClientPolicy
    verifier: Verifier | None
    table: NameTable[SSL.Context]


@dataclass(frozen=True)
class ServerContexts(Made):
    """
    What a server's connections are made of.

    @ivar policies: what is asked of clients, by the name that they ask for; C{""} for all other names.
    """

    policies: Mapping[str, ClientPolicy]

    @property
    def asked(self) -> bool:
        """
        Whether clients are asked for certificates, under any name.
        """
        return any(policy.mode for policy in self.policies.values())

    @property
    def required(self) -> bool:
        """
        Whether clients must show certificates, under any name.
        """
        return any(policy.mode == _REQUIRED for policy in self.policies.values())

    def begin(self) -> SSL.Connection:
        """
        Make a connection of which the name is not known yet.
        """
        connection = SSL.Connection(self.context, None)
        if self.asked and len(self.policies) > 1:
            connection.set_verify(_REQUIRED, _refuse)
        return connection

    def warn(self) -> None:
        """
        Say so where some names require certificates and others, which lead to the same, do not.
        """
        required = [name for name, policy in self.policies.items() if policy.mode == _REQUIRED]
        others = [name for name, policy in self.policies.items() if policy.mode != _REQUIRED]
        if required and others:
            _log.warn(
                "clients need no certificate if they ask for {others}, and then get to the same as those that"
                " ask for {required}, who need one: ask for certificates under all names, or bind two ports",
                others=_called(others),
                required=_called(required),
            )


def _called(names: Sequence[str]) -> str:
    """
    Names, for people.
    """
    return ", ".join(
        {"": "other names", UNKNOWN_NAMES: "unknown names or none"}.get(name, name) for name in names
    )


def _refuse(connection: SSL.Connection, *found: Any) -> bool:
    """
    Let nobody in, as long as it is not known by which policy.
    """
    return False


def serverContexts(options: TLSOptions, alpn: Sequence[bytes]) -> ServerContexts:
    """
    Make what a server's connections are made of.

    @param alpn: the application protocols that are spoken, the best first.
    @raise OptionError: if the options cannot be used.
    """
    said = _byName(options)
    policies = {name: ClientPolicy.of(each) for name, each in said.items()}
    asked = any(policy.mode for policy in policies.values())
    pairs: list[KeyPair] = []
    branches: dict[str, _Branch] = {}
    entry: dict[str, SSL.Context] = {}
    for name, each in said.items():
        shown = serverKeyPairs(each)
        verifier = policies[name].verifier()
        contexts = [_context(each, pair, alpn, policies[name], verifier) for pair in shown]
        for context in contexts if asked else ():
            context.set_options(SSL.OP_NO_TICKET)
        table = NameTable(
            [(pair.certificate, context) for pair, context in zip(shown, contexts, strict=True)]
        )
        branches[name] = _Branch(policies[name], verifier, table)
        entry[name] = contexts[0]
        pairs.extend(shown)
    first = entry.get(UNKNOWN_NAMES, entry[""])
    if len(pairs) > 1:
        first.set_tlsext_servername_callback(_Chooser(branches))
    files = [path for each in said.values() for path in keyPairFiles(each, Side.SERVER)]
    files += [path for policy in policies.values() for path in (*policy.anchors.paths, *policy.files)]
    anchors = reduce(TrustAnchors.__or__, (policy.anchors for policy in policies.values()))
    unique = tuple({pair.certificate: pair for pair in pairs}.values())
    return ServerContexts(first, tuple(dict.fromkeys(files)), unique, anchors, policies)


def _byName(options: TLSOptions) -> dict[str, TLSOptions]:
    """
    What was said, by the names that clients ask for; what was said for all is first, under C{""}.

    @raise OptionError: for what is no name, and for a name that is there twice.
    """
    said = {"": options}
    default = next((options.forName(each) for each in options.sni if each.name == UNKNOWN_NAMES), options)
    if not options.cert and default.cert:
        said[""] = default  # there are no names of certificates that anybody could ask for
    for named in options.sni:
        wildcard = "*." if named.name.startswith("*.") else ""
        bare = named.name.removeprefix(wildcard)
        try:
            name = wildcard + toASCII(bare)
        except ValueError:
            name = ""
        if not name or bare.rpartition(".")[2].isdigit() or ":" in bare:
            problem = f"expected a host name, *. and a domain, or {UNKNOWN_NAMES}; not {named.name!r}"
            raise options.error("sni", problem)
        if name in said:
            raise options.error("sni", f"{name} is said twice: expected once, with all its options")
        said[name] = options.forName(named)
    return said


def _context(
    options: TLSOptions,
    pair: KeyPair,
    alpn: Sequence[bytes],
    policy: ClientPolicy,
    verifier: Verifier | None,
) -> SSL.Context:
    """
    Make the context of one certificate.
    """
    context = serverContext(options, pair, alpn)
    context.set_verify(policy.mode, verifier)
    if policy.mode:
        believe(context, policy.anchors, options)
        for each in policy.anchors.certificates:
            context.add_client_ca(each)
    return context


class _Chooser:
    """
    The callback that chooses for the name that a client asks for.
    """

    def __init__(self, branches: Mapping[str, _Branch]) -> None:
        """
        @param branches: by name, C{""} for all others.
        """
        self._own = branches[""]
        self._default = branches.get(UNKNOWN_NAMES)
        self._named = {name: branch for name, branch in branches.items() if name}

    def _find(self, serverName: bytes | None) -> _Branch:
        """
        What was said for a name comes before the names of certificates; what is in neither is unknown.
        """
        found = lookUp(self._named, serverName)
        if found is not None:
            return found
        if self._default is None or self._own.table.knows(serverName):
            return self._own
        return self._default

    def __call__(self, connection: SSL.Connection) -> None:
        """
        Choose.  C{set_context} brings the certificate, the anchors and the names of the CAs, but not whether
        a certificate of the client is asked for at all.
        """
        serverName = connection.get_servername()
        branch = self._find(serverName)
        context = branch.table.find(serverName)
        if context is not connection.get_context():
            connection.set_context(context)
        connection.set_verify(branch.policy.mode, branch.verifier)
