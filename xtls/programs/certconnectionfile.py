"""
C{xtls cert connection-file}: a file that leads clients to a server, and says whom to believe there.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from cryptography import x509

from xtls.config.connectionfile import ANCHORS, RESERVED, SUFFIX, writeConnectionFile
from xtls.config.definitions import Layer, optionNamed
from xtls.config.locations import (
    CA_NAME,
    certificateSearchPath,
    configDirectory,
    findDefaultCA,
    findDefaultCertificate,
)
from xtls.config.modes import Target
from xtls.config.options import TLSOptions
from xtls.config.portoptions import resolveBoth
from xtls.config.target import parseTarget
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.certencode import encoded
from xtls.programs.certreading import readFor
from xtls.programs.commandline import SOURCE, CommandLine, Given, Word
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus
from xtls.trust.certificates import fingerprint, parseCertificates
from xtls.trust.files import readFile, writePrivate
from xtls.trust.inspection import Severity, inspect
from xtls.trust.knownhosts import KnownHosts
from xtls.trust.names import PresentedIdentifiers, ReferenceIdentifier
from xtls.trust.particulars import isAuthority, isSelfSigned, issuerOf, subjectOf, validity

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert connection-file TARGET [options]

Writes a file that leads clients to TARGET, such as ssl://host:10000/, and says whom to believe there.
"xtls attach FILE" uses it at once, and so does xpra's launcher; "xtls cert install-desktop" has it open with
a double click.

Whom to believe is what --ca says, or TARGET itself (ssl-ca-certs, ssl-ca-data, ssl-pin); or else what is
remembered of the host; or else the default certificate of this machine, where that is for the host.

A key is never in the file, and a password only when it is asked for.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert connection-file ssl://office.example.org:10000/ --ca=ca.crt
  xtls cert connection-file wss://localhost:10000/ --out=test.xpra
  xtls cert connection-file ssl://example.org/ --ca=system
"""

#: The word for the CAs that every client has.
_SYSTEM: Final = "system"

#: The word for the CA of one's own beside the certificates.
_AUTO: Final = "auto"

#: The word for standard output.
_PRINT: Final = "-"

_LINE: Final = CommandLine(
    [
        Word(
            "ca",
            f"the CA's certificate, or the server's own when it is self-signed; {_AUTO}: your own CA's, where"
            f" it is found; {_SYSTEM}: nothing is said, and clients believe the CAs that they have",
            "FILE",
            "options",
        ),
        Word("out", f"where to write it; {_PRINT} prints it", "FILE", "options", f"HOST{SUFFIX}"),
        Word("with-password", "write the password of TARGET too", group="options"),
        Word("force", "take the place of a file that is there", group="options"),
        Word("help", "show this", group="options"),
    ]
)


@dataclass(frozen=True)
class _Anchors:
    """
    Whom clients are to believe.

    @ivar certificates: them; empty where the target says it in another way, or clients are to know by
        themselves.
    @ivar place: where that comes from, in words.
    @ivar pin: the key of a host that is remembered with a certificate in which nobody else can believe.
    """

    certificates: tuple[x509.Certificate, ...]
    place: str
    pin: str = ""


def run(arguments: Sequence[str]) -> int:
    """
    Write the file.

    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, or it is not known whom to believe.
    @raise CertificateFileError: if a file cannot be read or written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    target = _target(given)
    anchors = _anchors(given, target)
    path = _path(given, target)
    kept, left = _withoutSecrets(given, target)
    layer = _layer(kept.layer, anchors)
    text = writeConnectionFile(replace(kept, layer=layer))
    if path is None:
        print(text, end="")
    else:
        _write(path, text, given)
        print("\n".join(_told(path, replace(kept, layer=layer), anchors)))
    for line in (*left, *_warnings(kept, anchors)):
        print(f"xtls cert: {line}", file=sys.stderr)
    return ExitStatus.OK


def _target(given: Given) -> Target:
    """
    What the file is to lead to.
    """
    if not given.arguments:
        raise OptionError("TARGET", SOURCE, "say where the file is to lead, such as ssl://host:10000/")
    if len(given.arguments) > 1:
        raise OptionError(given.arguments[1], SOURCE, "expected one target")
    target = parseTarget(given.arguments[0])
    if given.has("ca") and not target.mode.secure:
        raise OptionError("ca", SOURCE, f"there is no TLS in mode {target.mode.value}: say ssl:// or wss://")
    return target


def _anchors(given: Given, target: Target) -> _Anchors:
    """
    Whom to believe at the target.
    """
    tls, _ = resolveBoth(target.layer)
    if not target.mode.secure or given.last("ca") == _SYSTEM:
        return _Anchors((), "")
    if given.last("ca") == _AUTO or (not given.has("ca") and tls.caCerts == _AUTO):
        return _Anchors(_believable(given, str(_mustFind(findDefaultCA(), CA_NAME))), _AUTO)
    if given.has("ca"):
        return _Anchors(_believable(given, os.path.expanduser(given.last("ca"))), given.last("ca"))
    if tls.given("caCerts") and tls.caCerts != "default":
        return _Anchors(_believable(given, tls.caCerts), tls.caCerts)
    if any(tls.given(attribute) for attribute in ANCHORS):
        return _Anchors((), "what TARGET says")
    return _remembered(target) or _ownCertificate(target)


def _mustFind(path: Path | None, name: str) -> Path:
    """
    A file that was looked for.
    """
    if path is None:
        raise OptionError("TARGET", SOURCE, f"there is no {name} where certificates are looked for")
    return path


def _believable(given: Given, path: str) -> tuple[x509.Certificate, ...]:
    """
    The certificates of a file that can be believed: roots, and what is signed by itself.
    """
    if os.path.isdir(path):
        raise OptionError("ca", SOURCE, f"{path} is a directory: expected a file with the one that is needed")
    certificates = readFor(given, path).certificates
    found = tuple(each for each in certificates if isSelfSigned(each))
    if not found:
        issuer = issuerOf(certificates[-1])
        problem = (
            f"{path} has no CA and nothing that is signed by itself: expected the certificate of {issuer}"
        )
        raise OptionError("ca", SOURCE, problem)
    return found


def _remembered(target: Target) -> _Anchors | None:
    """
    The certificate that was accepted for the host.
    """
    host = KnownHosts(configDirectory(), certificateSearchPath()).find(target.host, target.port)
    if host is None:
        return None
    place = f"what is remembered of the host, {host.path}"
    if isSelfSigned(host.certificate) and _isFor(host.certificate, target):
        return _Anchors((host.certificate,), place)
    return _Anchors((), place, host.pin)


def _ownCertificate(target: Target) -> _Anchors:
    """
    The default certificate, where it is for the host and clients can believe it.
    """
    path = findDefaultCertificate()
    certificates = parseCertificates(readFile(path)) if path is not None else ()
    for certificate in certificates:
        if isSelfSigned(certificate) and _isFor(certificate, target):
            return _Anchors((certificate,), f"this machine's default certificate, {path}")
    problem = (
        f"say whom to believe: a file, or {_SYSTEM} when the certificate is from a CA that everybody has"
    )
    raise OptionError("ca", SOURCE, problem)


def _isFor(certificate: x509.Certificate, target: Target) -> bool:
    """
    Whether a certificate is for the name that clients verify.
    """
    tls, _ = resolveBoth(target.layer)
    try:
        reference = ReferenceIdentifier.of(tls.serverHostname or target.host)
        presented = PresentedIdentifiers.of(certificate)
    except ValueError:
        return False
    return presented.match(reference) or presented.matchCommonName(reference)


def _withoutSecrets(given: Given, target: Target) -> tuple[Target, list[str]]:
    """
    The target without what is secret, and without what a file may not say.

    @return: it, and what was left out, in sentences.
    """
    left = []
    if target.password and not given.has("with-password"):
        target = replace(target, password="")
        left.append("the password is left out: --with-password has it written")
    tls, _ = resolveBoth(target.layer)
    values = dict(target.layer.values)
    for attribute, reserved in RESERVED.items():
        name = optionNamed(TLSOptions, attribute).name
        if reserved.test(getattr(tls, attribute)):
            del values[name]
            left.append(f"{name} is left out: whoever opens the file says that on the command line")
    return replace(target, layer=replace(target.layer, values=values)), left


def _layer(layer: Layer, anchors: _Anchors) -> Layer:
    """
    The options of the file: those of the target, with the certificates themselves where a file of them, which
    others do not have, was named.
    """
    values: Mapping[str, str | tuple[str, ...]] = layer.values
    if anchors.certificates:
        names = {optionNamed(TLSOptions, attribute).name for attribute in ("caCerts", "caData")}
        kept = {name: value for name, value in values.items() if name not in names}
        # every xpra reads hexadecimal; older ones know no prefix of base64
        data = encoded(anchors.certificates, hexadecimal=True)
        values = {**kept, optionNamed(TLSOptions, "caData").name: data}
    if anchors.pin:
        values = {**values, optionNamed(TLSOptions, "pin").name: anchors.pin}
    return replace(layer, values=values)


def _path(given: Given, target: Target) -> Path | None:
    """
    Where to write it; L{None} to print it.
    """
    said = given.last("out")
    if said == _PRINT:
        return None
    name = (
        "".join(each if each.isalnum() or each in ".-_" else "_" for each in target.host) or target.mode.value
    )
    path = Path(said or f"{name}{SUFFIX}").expanduser()
    if path.suffix != SUFFIX:
        raise OptionError(
            "out", SOURCE, f"expected a name that ends in {SUFFIX}, by which such files are known"
        )
    if path.exists() and not given.has("force"):
        raise OptionError("out", SOURCE, f"{path} exists; say --force to write a new one in its place")
    return path


def _write(path: Path, text: str, given: Given) -> None:
    """
    Write it: for everybody, or with a password in it for its owner alone.
    """
    if given.has("with-password"):
        writePrivate(path, text.encode("utf-8"))
        return
    try:
        path.write_text(text, "utf-8")
    except OSError as e:
        raise CertificateFileError(str(path), f"cannot be written: {e.strerror}") from None


def _told(path: Path, target: Target, anchors: _Anchors) -> Iterable[str]:
    """
    What is in it.
    """
    yield f"made {path}"
    yield f"  leads to      {target.describe()}"
    for certificate in anchors.certificates:
        when = validity(certificate, datetime.now(timezone.utc))
        yield f"  believes      {subjectOf(certificate)}, which {when}"
        yield f"                {fingerprint(certificate)}"
    if anchors.pin:
        yield f"  believes      the key {anchors.pin}"
    if anchors.certificates or anchors.pin:
        yield f"  from          {anchors.place}"
    elif anchors.place:
        yield f"  believes      {anchors.place}"
    elif target.mode.secure:
        yield "  believes      the CAs that each client has"
    else:
        yield "  believes      anybody: there is no TLS"
    names = [*target.layer.values, *(["the password"] if target.password else [])]
    yield f"  options       {', '.join(names) or 'none'}"
    secret = "the password is in it: give it to nobody else" if target.password else "nothing in it is secret"
    yield f"{secret}; to connect:\n  {thisCommand()} attach {shlex.quote(str(path))}"


def _warnings(target: Target, anchors: _Anchors) -> Iterable[str]:
    """
    What will keep clients from getting there.
    """
    now = datetime.now(timezone.utc)
    for certificate in anchors.certificates:
        for found in inspect(certificate, now):
            if found.severity is Severity.ERROR or found.kind == "expires-soon":
                yield f"{subjectOf(certificate)}: {found.sentence}: {found.remedy}"
        if not (isAuthority(certificate) or _isFor(certificate, target)):
            yield f"{subjectOf(certificate)}: it is not for {target.host}: a server with it will be refused"
