"""
What a user is told when a server cannot be verified: why, and the ways on, as commands to paste.

The certificate that was refused is kept in a file, so that trusting it takes no second connection, to which
somebody else might answer.  Nothing ever reads that file unless the user names it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xtls.config.definitions import Layer, optionNamed
from xtls.config.modes import Target, joinHostPort
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import ALL_OPTIONS, resolveBoth
from xtls.config.values import formatData
from xtls.errors import CertificateFileError
from xtls.programs.commandline import Given
from xtls.programs.messages import thisCommand
from xtls.trust.certificates import fingerprint
from xtls.trust.files import writePrivate
from xtls.trust.knownhosts import RememberedHost
from xtls.trust.names import PresentedIdentifiers
from xtls.trust.particulars import isSelfSigned, issuerOf, names, subjectOf
from xtls.trust.pins import parsePin, pinOf
from xtls.trust.sentences import sentenceFor
from xtls.trust.verification import Reason, Refusal

__all__ = ["ACCEPTABLE", "Invocation", "explain", "explainChange", "introduction", "trustIsSaid"]

#: What other programs say too, so that it can be searched for.
_WORDS: Final = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"

#: Reasons for which naming the certificate that was refused makes it believed.
_UNKNOWN: Final = frozenset((Reason.UNKNOWN_CA, Reason.SELF_SIGNED))

#: Reasons for which another name would do.
_MISNAMED: Final = frozenset((Reason.WRONG_NAME, Reason.NO_NAME, Reason.MALFORMED_NAME))

#: Reasons for which the user may accept the server's key all the same: it stands for authority and name.
ACCEPTABLE: Final = _UNKNOWN | _MISNAMED

#: Options that say whom to believe; whose word is revoked, which only an authority can say; or that anybody
#: is believed.
_DECIDING: Final = ("caCerts", "caData", "pin", "crl", "serverVerifyMode")

#: Values of secret options that are not the secret itself, but say where it is.
_POINTER: Final = re.compile("(file|env|fd):")


#: What can be done about other reasons.
_REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.EXPIRED: "ask the server's owner to renew its certificate, or set this machine's clock;",
    Reason.NOT_YET_VALID: "set this machine's clock, or wait until the certificate is valid;",
    Reason.REVOKED: "ask the server's owner for the certificate that replaces it;",
}
_OTHER_REMEDY: Final = "ask the server's owner for a certificate that can be verified;"


@dataclass(frozen=True)
class Invocation:
    """
    The command as it was given, to be given again with something changed.

    @ivar given: its options and arguments; the first argument is the target.
    @ivar target: what the target was read as.
    @ivar command: the program to run, if there is one.
    """

    given: Given
    target: Target
    command: tuple[str, ...] = ()

    def changed(self, **changes: str | None) -> str:
        """
        The command line with other values for some options.

        @param changes: by the attributes of L{TLSOptions}; L{None} for what is left out.
        """
        named = {optionNamed(TLSOptions, attribute).name: value for attribute, value in changes.items()}
        words = ["attach", self._targetText()]
        for name, values in self.given.values.items():
            if name not in named:
                words += [self._word(name, value) for value in values]
        words += [f"--{name}={value}" for name, value in named.items() if value is not None]
        if self.command:
            words += ["--", *self.command]
        return f"{thisCommand()} {shlex.join(words)}"

    def _targetText(self) -> str:
        """
        The target as it was given; without a password.
        """
        text = self.given.arguments[0]
        return self.target.describe() if self.target.password and "@" in text else text

    @staticmethod
    def _word(name: str, value: str) -> str:
        """
        One option as it was given; a secret is not repeated.
        """
        option = ALL_OPTIONS.get(name)
        if option is not None and option.secret and not _POINTER.match(value):
            value = "..."
        return f"--{name}={value}" if value else f"--{name}"


def _keep(refusal: Refusal, target: Target, directory: Path) -> dict[str, str]:
    """
    Keep the certificate that was refused.

    @return: the option that would have it believed: by its file, or by itself where it cannot be kept.
    """
    assert refusal.certificate is not None
    place = re.sub(r"[^A-Za-z0-9.\-]", "_", joinHostPort(target.host, target.port))
    path = directory / "refused" / f"{place}.pem"
    try:
        writePrivate(path, refusal.certificate.public_bytes(Encoding.PEM))
    except CertificateFileError:
        return {"caData": formatData(refusal.certificate.public_bytes(Encoding.DER))}
    return {"caCerts": str(path)}


def _ways(refusal: Refusal, invocation: Invocation, directory: Path) -> list[tuple[str, str]]:
    """
    The ways on, each with its command.
    """
    ways: list[tuple[str, str]] = []
    certificate = refusal.certificate
    if refusal.reason in _UNKNOWN and certificate is not None:
        what = "authority" if refusal.depth else "certificate"
        ways = [
            (
                f"trust this {what}, if its owner names the same fingerprint:",
                invocation.changed(**_keep(refusal, invocation.target, directory)),
            ),
            (
                "or name the authority (CA) that signed it, if you have its certificate:",
                invocation.changed(caCerts="CA.pem"),
            ),
            *_accepting(refusal, invocation),
        ]
    elif refusal.reason in _MISNAMED and certificate is not None:
        ways = [*_names(refusal, invocation), *_accepting(refusal, invocation)]
    elif refusal.reason is Reason.WRONG_KEY:
        # whoever has pinned a key wants no other; they are not told how to want none
        text = "ask its owner which key it has now, and if it is this one, name it:"
        if _fingerprintPinned(refusal, invocation):
            text = "what was named is the fingerprint of its certificate; the one of its key is:"
        return _pins(refusal, invocation, text)
    else:
        ways = [(_REMEDIES.get(refusal.reason, _OTHER_REMEDY), "")]
    off = VerifyMode.NONE.value
    ways.append(
        (
            "or switch verification off this once, and anybody in between can read and change everything:",
            invocation.changed(serverVerifyMode=off),
        )
    )
    return ways


def _accepting(refusal: Refusal, invocation: Invocation) -> list[tuple[str, str]]:
    """
    The ways on by the server's own key, which stands for the authority and the name.
    """
    ways = _pins(refusal, invocation, "or hold it to its key, which stays when the certificate is renewed:")
    if not trustIsSaid(invocation.target.layer, invocation.given.layer(ALL_OPTIONS)):
        ways.append(
            ("or be shown it on a terminal, and have it remembered if you accept it:", invocation.changed())
        )
    return ways


def _pins(refusal: Refusal, invocation: Invocation, text: str) -> list[tuple[str, str]]:
    """
    The way on that pins the server's key.
    """
    target = invocation.target
    own = refusal.own or (None if refusal.depth else refusal.certificate)
    if own is None or (target.trusted and trustIsSaid(target.layer)):
        return []
    try:
        pin = pinOf(own)
    except ValueError:
        return []
    return [(text, invocation.changed(caCerts=None, caData=None, checkHostname=None, pin=pin))]


def _fingerprintPinned(refusal: Refusal, invocation: Invocation) -> bool:
    """
    Whether somebody has taken the fingerprint of the certificate for that of the key: they look alike.
    """
    tls, _ = resolveBoth(invocation.target.layer, invocation.given.layer(ALL_OPTIONS))
    return refusal.own is not None and parsePin(fingerprint(refusal.own)) in tls.pin


def trustIsSaid(*layers: Layer) -> bool:
    """
    Whether somebody has said whom to believe, or that anybody is believed.
    """
    tls, _ = resolveBoth(*layers)
    return any(tls.given(attribute) for attribute in _DECIDING)


def _names(refusal: Refusal, invocation: Invocation) -> list[tuple[str, str]]:
    """
    The ways on where the certificate is for other names, or for none.
    """
    assert refusal.certificate is not None
    try:
        # what is malformed is nothing to ask for, nor for a terminal to obey
        exact = PresentedIdentifiers.of(refusal.certificate).exact
    except ValueError:
        exact = ()
    ways = []
    if exact:
        ways.append(
            (
                "say which of its names you mean, if you know that this is that server:",
                invocation.changed(serverHostname=exact[0]),
            )
        )
    ways.append(
        (
            "or take any name, and anybody with a certificate from an authority that you trust can stand in:",
            invocation.changed(checkHostname="no"),
        )
    )
    return ways


def explain(refusal: Refusal, invocation: Invocation, directory: Path) -> str:
    """
    Say why a server was refused, and the ways on.

    @param directory: where the user's files are; the certificate is kept in C{refused} there.
    @return: several lines.
    """
    lines = [
        f"{invocation.target.describe()} cannot be verified: {refusal.sentence()}.",
        f"{_WORDS}; nothing was sent to the server.",
        "",
        "The ways on:",
    ]
    for text, command in _ways(refusal, invocation, directory):
        lines.append(f"  {text}")
        if command:
            lines.append(f"    {command}")
    return "\n".join(lines)


def explainChange(target: Target, shown: x509.Certificate, remembered: RememberedHost, forget: str) -> str:
    """
    Say that a server has another key than the one that is remembered.

    @param shown: the certificate that it has shown.
    @param forget: the command that forgets what is remembered.
    @return: several lines.
    """
    place = joinHostPort(remembered.host, remembered.port)
    return "\n".join(
        (
            f"THE KEY OF {place} HAS CHANGED, and {target.describe()} is refused.",
            f"{_WORDS}; nothing was sent to the server.",
            "",
            f"  remembered   {fingerprint(remembered.certificate)}",
            f"               since {remembered.since:%Y-%m-%d %H:%M UTC}, in {remembered.path}",
            f"  shown now    {fingerprint(shown)}",
            "",
            "Somebody may be in between, who would read and change everything. Or the server has a new key:",
            "ask its owner, by another way than this one. If they name the fingerprint that is shown now,",
            "forget the old one and attach again:",
            f"    {forget}",
        )
    )


def introduction(target: Target, refusal: Refusal, own: x509.Certificate) -> str:
    """
    What is known of a server that cannot be verified, for whoever may accept it.

    @param own: its own certificate.
    @return: several lines, ended.
    """
    begin, end = own.not_valid_before_utc, own.not_valid_after_utc
    rows = {
        "subject": subjectOf(own),
        "issuer": "itself (self-signed)" if isSelfSigned(own) else issuerOf(own),
        "names": ", ".join(names(own) or ()) or "none",
        "valid": f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}",
        "fingerprint": fingerprint(own),
        "key": pinOf(own),
    }
    return (
        f"{target.describe()} cannot be verified: {sentenceFor(refusal, compared=False)}.\n"
        "Nothing was sent to it. It has shown this certificate:\n\n"
        + "".join(f"  {name:13}{text}\n" for name, text in rows.items())
        + "\nIf its owner names the same fingerprint, it is the right server; if not, it may be anybody.\n"
    )
