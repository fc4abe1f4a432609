"""
TLSOptions: the C{ssl-*} vocabulary.

Each option is spelled here and nowhere else.  What an option is, and how what was said in several places is
combined, is in L{xtls.config.definitions}, whose names are also offered here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from xtls.config.definitions import (
    Layer,
    Option,
    OptionSet,
    Side,
    option,
    optionNamed,
    optionsOf,
    resolve,
    spellings,
    unknownOption,
)
from xtls.config.nested import NamedOptions, formatNamed, grouped, parseNamed
from xtls.config.secrets import readSecret
from xtls.config.values import (
    TLSVersion,
    TLSVersions,
    choiceOf,
    formatChoice,
    formatData,
    formatFlag,
    formatNames,
    formatVersions,
    namesOf,
    parseCiphers,
    parseData,
    parseFlag,
    parseName,
    parsePath,
    parsePin,
    parseVersions,
    quoted,
)
from xtls.config.vocabulary import TLS_OPTIONS, VERIFY_FLAGS, WEAKENING_OPTIONS, VerifyMode
from xtls.errors import OptionError

__all__ = [
    "OPTIONS",
    "PASSPHRASE_VARIABLES",
    "TLS_OPTIONS",
    "VERIFY_FLAGS",
    "Layer",
    "NamedOptions",
    "Option",
    "OptionSet",
    "Side",
    "TLSOptions",
    "TLSVersion",
    "TLSVersions",
    "VerifyMode",
    "option",
    "optionNamed",
    "optionsOf",
    "readSecret",
    "resolve",
    "unknownOption",
]


#: Where a passphrase is looked for that the option does not give.
PASSPHRASE_VARIABLES = ("XTLS_SSL_KEY_PASSWORD", "XPRA_SSL_KEY_PASSWORD")

_MODES = ", ".join(mode.value for mode in VerifyMode)


def _parsePins(text: str) -> tuple[str, ...]:
    """
    Read one pin.
    """
    return (parsePin(text),)


def _parsePath(text: str) -> tuple[str, ...]:
    """
    Read one path.
    """
    return (parsePath(text),)


def _parseRule(text: str) -> tuple[str, ...]:
    """
    Read rules as text: they are understood where they are applied.
    """
    rules = grouped(text)
    if not all(rules):
        raise ValueError("expected conditions such as CN=alice,OU=ops, or file:PATH")
    return rules


def _parseNamed(text: str) -> tuple[NamedOptions, ...]:
    """
    Read names and what is said for those who ask for them.
    """
    return tuple(map(_parseName, grouped(text)))


def _parseName(text: str) -> NamedOptions:
    """
    Read one of them.
    """
    named = parseNamed(text, TLSOptions.PREFIX + "sni")
    for name in named.layer.values:
        definition = spellings(OPTIONS).get(name)
        if definition is None or definition.attribute not in _OF_A_NAME:
            known = ", ".join(each.name for each in OPTIONS.values() if each.attribute in _OF_A_NAME)
            raise ValueError(f"{quoted(name)} is none of what a name may have of its own: {known}")
    try:
        resolve(TLSOptions, named.layer)
    except OptionError as error:
        raise ValueError(f"{error.option} of {named.name}: {error.problem}") from None
    return named


#: What may be said for a name alone; all else is agreed on before the name counts.
_OF_A_NAME = frozenset(
    {"cert", "key", "keyPassword", "caCerts", "caData", "clientVerifyMode", "allow", "crl", "verifyFlags"}
)


@dataclass(frozen=True)
class TLSOptions(OptionSet):
    """
    What the user said about TLS.

    @ivar cert: paths of certificates, or C{auto}; a server chooses among several by the name asked for.
    @ivar keyPassword: the passphrase, or where it is kept: see L{readKeyPassword}.
    @ivar caCerts: the CAs to believe: a file, a directory, C{default} (the system's) or C{auto}.
    @ivar caData: the CAs to believe, as PEM or DER.
    @ivar pin: the keys of which the server's must be one, as C{sha256:…}; alone, they stand for the CAs and
        the name.
    @ivar ciphers: OpenSSL's words for the suites of TLS 1.2; empty: those of SECURITY.md.
    @ivar crl: paths of files and directories of revocation lists.
    @ivar clientVerifyMode: L{None}: required when a CA for clients is given, else none.
    @ivar allow: rules on certificates of clients, as text, of which one must let a client in.
    @ivar sni: what differs for clients that ask for certain names.
    """

    PREFIX: ClassVar[str] = "ssl-"

    cert: tuple[str, ...] = option(
        (),
        _parsePath,
        Side.BOTH,
        "certificate in PEM, with its chain, and perhaps its key; auto: the default certificate",
        metavar="FILE",
        shown="the one found, for servers",
        stock="certKey",
        repeatable=True,
        format="".join,
        group="certificates",
    )
    key: str = option(
        "",
        parsePath,
        Side.BOTH,
        "private key in PEM, when it is not in the file of the certificate",
        metavar="FILE",
        stock="privateKey",
        group="certificates",
    )
    keyPassword: str = option(
        "",
        str,
        Side.BOTH,
        "passphrase of the key: file:PATH, env:NAME, fd:NUMBER, or the passphrase itself",
        metavar="WHERE",
        shown="env:" + PASSPHRASE_VARIABLES[0],
        secret=True,
        group="certificates",
    )
    caCerts: str = option(
        "default",
        parsePath,
        Side.BOTH,
        "CAs to believe: a file, a directory, default (the system's) or auto (beside the certificates)",
        metavar="PATH",
        aliases=("ssl-ca-cert",),
        stock="caCertsDir",
        group="verification",
    )
    caData: bytes = option(
        b"",
        parseData,
        Side.BOTH,
        "CAs to believe, as data: hexadecimal, base64:… or PEM text",
        metavar="DATA",
        format=formatData,
        group="verification",
    )
    pin: tuple[str, ...] = option(
        (),
        _parsePins,
        Side.CLIENT,
        "key that the server must have: sha256:… of its public key; without CAs named here, in place of any"
        " authority and name",
        metavar="PIN",
        repeatable=True,
        format="".join,
        group="verification",
    )
    crl: tuple[str, ...] = option(
        (),
        _parsePath,
        Side.BOTH,
        "revocation lists, in PEM or DER: a file or a directory; no list of an issuer is a refusal",
        metavar="PATH",
        shown="those among the CAs",
        repeatable=True,
        format="".join,
        group="verification",
    )
    clientVerifyMode: VerifyMode | None = option(
        None,
        choiceOf(VerifyMode, {"auto": None}),
        Side.SERVER,
        f"certificates of clients: {_MODES}",
        metavar="MODE",
        shown="required when CAs are given, else none",
        format=lambda mode: "auto" if mode is None else formatChoice(mode),
        group="verification",
    )
    allow: tuple[str, ...] = option(
        (),
        _parseRule,
        Side.SERVER,
        "rule on certificates of clients, such as CN=alice,OU=ops; or file:PATH, with a rule in each line",
        metavar="RULE",
        shown="everybody whom the CAs certify",
        repeatable=True,
        format="".join,
        group="verification",
    )
    serverVerifyMode: VerifyMode = option(
        VerifyMode.REQUIRED,
        choiceOf(VerifyMode),
        Side.CLIENT,
        f"certificate of the server: {_MODES} (a server always has one: optional is required)",
        metavar="MODE",
        format=formatChoice,
        group="verification",
    )
    verifyFlags: tuple[str, ...] = option(
        (),
        namesOf("VERIFY_", VERIFY_FLAGS),
        Side.BOTH,
        "how chains are verified: Python's VERIFY_ names, with commas between",
        metavar="NAMES",
        shown="DEFAULT,X509_TRUSTED_FIRST",
        format=formatNames,
        group="verification",
    )
    checkHostname: bool = option(
        True,
        parseFlag,
        Side.CLIENT,
        "whether the certificate must be for the server's name",
        metavar="yes|no",
        format=formatFlag,
        group="verification",
    )
    serverHostname: str = option(
        "",
        parseName,
        Side.CLIENT,
        "the name that is asked for and that the certificate must be for",
        metavar="NAME",
        shown="the host connected to",
        stock="hostname",
        group="verification",
    )
    protocol: TLSVersions = option(
        TLSVersions(),
        parseVersions,
        Side.BOTH,
        "versions of TLS: TLS (1.2 and 1.3), TLSv1_2 or TLSv1_3",
        metavar="VERSION",
        format=formatVersions,
        group="protocol",
    )
    ciphers: str = option(
        "",
        parseCiphers,
        Side.BOTH,
        "suites of TLS 1.2, in OpenSSL's words",
        metavar="LIST",
        shown="DEFAULT",
        group="protocol",
    )
    options: tuple[str, ...] = option(
        (),
        namesOf("OP_", TLS_OPTIONS, WEAKENING_OPTIONS),
        Side.BOTH,
        "Python's OP_ names, with commas between",
        metavar="NAMES",
        shown="ALL,NO_COMPRESSION",
        format=formatNames,
        group="protocol",
    )

    sni: tuple[NamedOptions, ...] = option(
        (),
        _parseNamed,
        Side.SERVER,
        "NAME,option=value,…: what differs for clients that ask for NAME, *.DOMAIN, or default: all others",
        metavar="NAME,...",
        secret=True,
        repeatable=True,
        format=lambda named: formatNamed(named[0]),
        group="certificates",
    )

    def forName(self, named: NamedOptions) -> TLSOptions:
        """
        What holds for clients that ask for a name: what is said for it, and for the rest, what is said for
        all.  Whose own certificate is said has its own key; whose CAs are said, has no others, and asks for
        certificates where all others are not asked.

        @raise OptionError: for what cannot be used.
        """
        layer = replace(named.layer, source=f"{named.layer.source}, {self.source('sni')}")
        own = resolve(TLSOptions, layer)
        values: dict[str, object] = {"sni": ()}
        if own.given("cert"):
            values.update(key="")
        if own.given("caCerts") or own.given("caData"):
            values.update(caCerts="default", caData=b"")
        believes = own.given("caCerts") or own.given("caData") or own.given("allow")
        if self.clientVerifyMode is VerifyMode.NONE and believes:
            values.update(clientVerifyMode=None)
        if own.clientVerifyMode is VerifyMode.NONE:
            values.update(allow=(), crl=())
        sources = {key: source for key, source in self.sources.items() if key not in values}
        values.update({attribute: getattr(own, attribute) for attribute in own.sources})
        return replace(self, **values, sources={**sources, **own.sources})  # type: ignore[arg-type]

    def readKeyPassword(self, environ: Mapping[str, str] | None = None) -> str:
        """
        Read the passphrase of the key from where the option says, or from the environment.

        @param environ: the environment; by default, that of the process.
        @return: the passphrase; empty when there is none.
        @raise OptionError: if it cannot be read.
        """
        variables = os.environ if environ is None else environ
        if self.keyPassword:
            name = optionNamed(TLSOptions, "keyPassword").name
            return readSecret(self.keyPassword, name, self.source("keyPassword"), variables)
        return next((variables[name] for name in PASSPHRASE_VARIABLES if name in variables), "")

    def versions(self) -> TLSVersions:
        """
        The versions of TLS that C{protocol} names and C{options} does not take away.

        @raise OptionError: if none is left.
        """
        taken = {name.removeprefix("NO_") for name in self.options}
        left = [
            version
            for version in TLSVersion
            if self.protocol.minimum <= version <= self.protocol.maximum
            and version.name.replace("TLS", "TLSv") not in taken
        ]
        if not left:
            raise self.error("options", "no version of TLS is left: expected TLSv1_2 or TLSv1_3 to remain")
        return TLSVersions(left[0], left[-1])


#: The options of TLS, by name.
OPTIONS = optionsOf(TLSOptions)
