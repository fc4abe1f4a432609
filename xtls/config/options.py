"""
TLSOptions: the C{ssl-*} vocabulary.

Each option is spelled here and nowhere else.  What an option is, and how what was said in several places is
combined, is in L{xtls.config.definitions}, whose names are also offered here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
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
    unknownOption,
)
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
    parseVersions,
)

__all__ = [
    "OPTIONS",
    "PASSPHRASE_VARIABLES",
    "TLS_OPTIONS",
    "VERIFY_FLAGS",
    "Layer",
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


class VerifyMode(Enum):
    """
    How a certificate of the peer is treated.

    @cvar NONE: it is not verified.
    @cvar OPTIONAL: there may be none; one that is there is verified.
    @cvar REQUIRED: there must be one, and it is verified.
    """

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


#: What of Python's VERIFY_* is taken.
VERIFY_FLAGS = frozenset(
    {
        "DEFAULT",
        "CRL_CHECK_LEAF",
        "CRL_CHECK_CHAIN",
        "X509_STRICT",
        "X509_TRUSTED_FIRST",
        "ALLOW_PROXY_CERTS",
        "X509_PARTIAL_CHAIN",
    }
)

#: What of Python's OP_* is taken: all of it hardens, or asks for what is so anyway.
TLS_OPTIONS = frozenset(
    {
        "ALL",
        "NO_SSLv2",
        "NO_SSLv3",
        "NO_TLSv1",
        "NO_TLSv1_1",
        "NO_TLSv1_2",
        "NO_TLSv1_3",
        "NO_TICKET",
        "NO_COMPRESSION",
        "NO_RENEGOTIATION",
        "CIPHER_SERVER_PREFERENCE",
        "SINGLE_DH_USE",
        "SINGLE_ECDH_USE",
        "ENABLE_MIDDLEBOX_COMPAT",
        "ENABLE_KTLS",
    }
)

_WEAKENING_OPTIONS = {
    "LEGACY_SERVER_CONNECT": "it allows a renegotiation that others can inject into (RFC 5746)",
    "ALLOW_UNSAFE_LEGACY_RENEGOTIATION": "others can inject into such a renegotiation (RFC 5746)",
    "IGNORE_UNEXPECTED_EOF": "a connection cut short would pass for one that ended (RFC 8446, section 6.1)",
}

#: Where a passphrase is looked for that the option does not give.
PASSPHRASE_VARIABLES = ("XTLS_SSL_KEY_PASSWORD", "XPRA_SSL_KEY_PASSWORD")

_MODES = ", ".join(mode.value for mode in VerifyMode)


def _parseCert(text: str) -> tuple[str, ...]:
    """
    Read one path of a certificate.
    """
    return (parsePath(text),)


@dataclass(frozen=True)
class TLSOptions(OptionSet):
    """
    What the user said about TLS.

    @ivar cert: paths of certificates, or C{auto}; a server chooses among several by the name asked for.
    @ivar keyPassword: the passphrase, or where it is kept: see L{readKeyPassword}.
    @ivar caCerts: the CAs to believe: a file, a directory, C{default} (the system's) or C{auto}.
    @ivar caData: the CAs to believe, as PEM or DER.
    @ivar ciphers: OpenSSL's words for the suites of TLS 1.2; empty: those of SECURITY.md.
    @ivar clientVerifyMode: L{None}: required when a CA for clients is given, else none.
    """

    PREFIX: ClassVar[str] = "ssl-"

    cert: tuple[str, ...] = option(
        (),
        _parseCert,
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
        namesOf("OP_", TLS_OPTIONS, _WEAKENING_OPTIONS),
        Side.BOTH,
        "Python's OP_ names, with commas between",
        metavar="NAMES",
        shown="ALL,NO_COMPRESSION",
        format=formatNames,
        group="protocol",
    )

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
