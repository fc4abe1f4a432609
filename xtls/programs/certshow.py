"""
C{xtls cert show}: what is in a file of certificates, in words, and what is good and bad about it.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from xtls.programs.certpassphrase import PASSWORD
from xtls.programs.certreading import certificateFile, readFor
from xtls.programs.commandline import CommandLine, Word
from xtls.programs.statuses import ExitStatus
from xtls.trust.bundles import inspectChain, inspectKey, inspectRevocations
from xtls.trust.contents import Contents
from xtls.trust.inspection import Finding, inspect
from xtls.trust.particulars import UNREADABLE, distance, nameOf, particulars
from xtls.trust.pins import pinOf

__all__ = ["run"]

_HELP: Final = """\
Usage: xtls cert show [FILE] [options]

Says what is in a file of certificates, or in the default certificate: names, times, keys, usages, issuers,
fingerprints; what is wrong with any of it, and what to do.  FILE is PEM, DER or PKCS #12, and may hold
certificates, keys and revocation lists.  A key is never shown.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert show
  xtls cert show client.p12
  xtls cert show server.pem --pem > server-cert.pem      # the certificate without its key, for clients
  xtls cert show server.pem --json | jq .findings
"""

_LINE: Final = CommandLine(
    [
        Word("pem", "print the certificates themselves, without the key", group="options"),
        Word("json", "print everything as JSON, for programs", group="options"),
        PASSWORD,
        Word("help", "show this", group="options"),
    ]
)

#: How many serial numbers of a revocation list are shown; JSON has them all.
_LISTED: Final = 20


@dataclass(frozen=True)
class _Shown:
    """
    What is to be told.

    @ivar now: the time at which it is told.
    @ivar certificates: of each, what it says and what was found.
    @ivar revocations: of each list, the same.
    @ivar findings: what was found of all of it together.
    """

    path: str
    now: datetime
    contents: Contents
    certificates: tuple[tuple[Mapping[str, Any], list[Finding]], ...]
    revocations: tuple[tuple[Mapping[str, Any], list[Finding]], ...]
    findings: list[Finding]


def run(arguments: Sequence[str], now: datetime | None = None) -> int:
    """
    Say what is in a file.

    @param now: the time; by default, now.
    @return: the exit status.
    @raise OptionError: if the command line cannot be understood.
    @raise CertificateFileError: if the file cannot be read.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    path = certificateFile(given)
    contents = readFor(given, path, certificates=given.has("pem"))
    if given.has("pem"):
        for certificate in contents.certificates:
            print(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), end="")
        return ExitStatus.OK
    shown = _look(path, contents, now or datetime.now(timezone.utc))
    if given.has("json"):
        print(json.dumps(_document(shown), indent=2))
    else:
        print("\n".join(_lines(shown)))
    return ExitStatus.OK


def _look(path: str, contents: Contents, now: datetime) -> _Shown:
    """
    Judge it.
    """
    mode = os.stat(path).st_mode if contents.hasKey and os.name == "posix" and os.path.isfile(path) else None
    together = inspectChain(contents.certificates)
    together += inspectKey(contents.certificates, contents.publicKey, mode)
    return _Shown(
        path,
        now,
        contents,
        tuple(
            ({**particulars(each, now), "pin": _pin(each)}, inspect(each, now))
            for each in contents.certificates
        ),
        tuple((_listed(each), inspectRevocations(each, now)) for each in contents.revocations),
        together,
    )


def _pin(certificate: x509.Certificate) -> str:
    """
    The pin of a certificate's key.
    """
    try:
        return pinOf(certificate)
    except ValueError:
        return UNREADABLE


def _listed(revocations: x509.CertificateRevocationList) -> Mapping[str, Any]:
    """
    What a revocation list says.
    """
    end = revocations.next_update_utc
    return {
        "issuer": nameOf(revocations.issuer),
        "made": revocations.last_update_utc.isoformat(),
        "next": None if end is None else end.isoformat(),
        "revoked": [
            {"serial": f"{each.serial_number:X}", "since": each.revocation_date_utc.isoformat()}
            for each in revocations
        ],
    }


def _document(shown: _Shown) -> Mapping[str, Any]:
    """
    Everything, for programs.
    """
    return {
        "file": shown.path,
        "kind": shown.contents.kind,
        "key": shown.contents.hasKey,
        "certificates": [{**said, "findings": _plain(found)} for said, found in shown.certificates],
        "revocations": [{**said, "findings": _plain(found)} for said, found in shown.revocations],
        "findings": _plain(shown.findings),
    }


def _plain(findings: Sequence[Finding]) -> list[Mapping[str, str]]:
    """
    Findings, for programs.
    """
    return [
        {"severity": each.severity.value, "kind": each.kind, "sentence": each.sentence, "remedy": each.remedy}
        for each in findings
    ]


def _lines(shown: _Shown) -> Iterator[str]:
    """
    Everything, for people.
    """
    contents = shown.contents
    with_ = "with its key" if contents.hasKey else "without a key"
    if contents.encrypted:
        with_ += ", which is encrypted"
    yield (
        f"{shown.path}: {contents.kind}, {with_}"
        if contents.certificates
        else f"{shown.path}: {contents.kind}"
    )
    for number, (said, found) in enumerate(shown.certificates, 1):
        yield (
            f"certificate {number} of {len(shown.certificates)}"
            if len(shown.certificates) > 1
            else "certificate"
        )
        yield from _certificate(said)
        yield from _findings(found, shown.path)
    for said, found in shown.revocations:
        yield "revocation list"
        yield from _revocations(said, shown.now)
        yield from _findings(found, shown.path)
    if shown.findings:
        yield "together"
        yield from _findings(shown.findings, shown.path)


def _certificate(said: Mapping[str, Any]) -> Iterator[str]:
    """
    One certificate.
    """
    names = said["names"]
    usages = "anything" if said["usages"] is None else ", ".join(said["usages"]) or "nothing"
    purposes = "anybody" if said["purposes"] is None else ", ".join(said["purposes"])
    rows = {
        "subject": said["subject"],
        "issuer": "itself" if said["selfSigned"] else said["issuer"],
        "names": UNREADABLE if names is None else ", ".join(names) or "none in a subjectAltName",
        "valid": f"{said['begins'][:10]} to {said['ends'][:10]}: {said['validity']}",
        "key": f"{said['key']}, which may do: {usages}",
        "for": f"{purposes}; {said['constraints']}",
        "signed with": said["signature"],
        "key id": said["subjectKeyIdentifier"] or "none",
        "issuer's id": said["authorityKeyIdentifier"] or "none",
        "serial": said["serial"],
        "fingerprint": said["fingerprint"],
        "pin": said["pin"],
    }
    for name, text in rows.items():
        yield f"  {name:13}{text}"


def _revocations(said: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """
    One revocation list.
    """
    yield f"  {'issuer':13}{said['issuer']}"
    end = said["next"]
    if end is None:
        when = "not said"
    else:
        span = datetime.fromisoformat(end) - now
        passed = span.total_seconds() < 0
        when = f"{end[:10]}: {f'{distance(-span)} ago' if passed else f'in {distance(span)}'}"
    yield f"  {'made':13}{said['made'][:10]}"
    yield f"  {'next':13}{when}"
    revoked = said["revoked"]
    yield f"  {'revoked':13}{len(revoked) or 'nothing'}"
    for each in revoked[:_LISTED]:
        yield f"  {'':13}{each['serial']} since {each['since'][:10]}"
    if len(revoked) > _LISTED:
        yield f"  {'':13}and {len(revoked) - _LISTED} more, which --json has"


def _findings(findings: Sequence[Finding], path: str) -> Iterator[str]:
    """
    What was found, and what to do; in the commands, FILE is the file.
    """
    for each in findings:
        yield f"  {each.severity.value + ':':13}{each.sentence}"
        if each.remedy:
            yield f"  {'':13}{each.remedy.replace('FILE', shlex.quote(path))}"
