"""
What follows from the notes about a server: all findings, and the status to end with.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from xtls.config.modes import Target
from xtls.config.options import TLSOptions, VerifyMode, optionNamed
from xtls.programs.portfindings import portFindings, reachFindings
from xtls.programs.statuses import ExitStatus
from xtls.programs.steps import Notes
from xtls.trust.chains import PresentedChain, chainFindings
from xtls.trust.findings import Found, Grade, Topic, tlsFindings
from xtls.trust.names import PresentedIdentifiers, printable
from xtls.trust.pins import pinOf
from xtls.trust.verdicts import isKnown, viewFindings
from xtls.trust.verification import Reason, Refusal

__all__ = ["REMEMBERED", "findings", "statusFor"]

#: Where the pin of a server was said that the user has accepted.
REMEMBERED: Final = "remembered host"

#: What other programs say too, so that it can be searched for.
_WORDS: Final = "[SSL: CERTIFICATE_VERIFY_FAILED]"

#: What can be done about a server that is refused, where there is nothing to be trusted.
_REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.EXPIRED: "have its owner renew the certificate, or set this machine's clock",
    Reason.NOT_YET_VALID: "set this machine's clock, or wait",
    Reason.WRONG_KEY: "ask its owner whether the key was changed, and what the new fingerprint is; then say"
    " the new pin in place of the old",
    Reason.REVOKED: "ask its owner for the certificate that replaces it",
}
_REMEMBERED_REMEDY: Final = (
    "ask its owner whether the key was changed, and what the new fingerprint is; then have the old one"
    " forgotten: xtls hosts forget HOST:PORT"
)
_OTHER_REMEDY: Final = (
    "ask its owner for a certificate that can be verified: xtls cert --help says how to make one"
)

_MISNAMED: Final = frozenset({Reason.WRONG_NAME, Reason.NO_NAME, Reason.MALFORMED_NAME})
_UNKNOWN: Final = frozenset({Reason.UNKNOWN_CA, Reason.SELF_SIGNED})

#: What a problem comes to, by what it is about.
_STATUSES: Final[Mapping[Topic, ExitStatus]] = {
    Topic.REACH: ExitStatus.CONNECTION_FAILED,
    Topic.PROTOCOLS: ExitStatus.CONNECTION_FAILED,
    Topic.TLS: ExitStatus.SSL_FAILURE,
    Topic.CERTIFICATE: ExitStatus.CERTIFICATE_VERIFY_FAILED,
    Topic.CLIENTS: ExitStatus.CERTIFICATE_VERIFY_FAILED,
}


def _found(
    grade: Grade, kind: str, sentence: str, remedy: str = "", changes: tuple[tuple[str, str], ...] = ()
) -> Found:
    return Found(grade, Topic.CLIENTS, kind, sentence, remedy, changes)


def _changed(refusal: Refusal) -> Found:
    """
    The server does not have the key that is remembered.
    """
    problem = f"its key is not the one that is remembered, but {printable(refusal.detail)}"
    sentence = f"xtls attach refuses the server: {problem}; {_WORDS}"
    return _found(Grade.PROBLEM, "attach", sentence, _REMEMBERED_REMEDY)


def _refused(refusal: Refusal, own: bool) -> Found:
    """
    The server is refused.

    @param own: whether the certificate at fault is the server's own.
    """
    remedy = _REMEDIES.get(refusal.reason, _OTHER_REMEDY)
    changes: tuple[tuple[str, str], ...] = ()
    if refusal.certificate is not None and refusal.reason in _UNKNOWN:
        remedy = (
            "name its authority as a CA; or pin its key, if its owner names the same fingerprint; at a"
            " terminal, xtls attach asks whether to accept it"
        )
        changes = (("pin", pinOf(refusal.certificate)),) if own else (("caCerts", "CA.pem"),)
    elif refusal.certificate is not None and refusal.reason in _MISNAMED:
        remedy = "have a certificate made for the name that is used; or use a name that is in it"
        name = _exactName(refusal)
        changes = (("serverHostname", name),) if name else ()
    sentence = f"xtls attach refuses the server: {refusal.sentence()}; {_WORDS}"
    return _found(Grade.PROBLEM, "attach", sentence, remedy, changes)


def _exactName(refusal: Refusal) -> str:
    """
    A name that a certificate has, and that is no pattern; or nothing.
    """
    assert refusal.certificate is not None
    try:
        return next(iter(PresentedIdentifiers.of(refusal.certificate).exact), "")
    except ValueError:
        return ""


def _attached(notes: Notes, target: Target, tls: TLSOptions) -> Iterator[Found]:
    """
    What C{xtls attach} comes to.
    """
    attached = notes.attached
    if attached is None or notes.reach.problem:
        return
    remembered = tls.source("pin") == REMEMBERED
    if attached.refusal is not None and attached.refusal.reason is Reason.WRONG_KEY and remembered:
        yield _changed(attached.refusal)
    elif attached.refusal is not None:
        presented = notes.tls.presented if notes.tls is not None else ()
        yield _refused(attached.refusal, attached.refusal.certificate in presented[:1])
    elif attached.status:
        yield _found(
            Grade.PROBLEM,
            "attach",
            f"xtls attach does not connect: {attached.problem}",
            "see what is said above",
        )
    elif attached.hungUp:
        yield _found(
            Grade.WARNING,
            "attach",
            "xtls attach connects, and the server hangs up at once",
            "see on the server whether what the port leads to is there: its log says so",
        )
    elif not target.mode.secure:
        yield _found(Grade.OK, "attach", "xtls attach connects, without TLS")
    elif tls.serverVerifyMode is VerifyMode.NONE:
        yield _weak(tls, "serverVerifyMode", "connects, and does not verify the server")
    elif not tls.checkHostname:
        yield _weak(tls, "checkHostname", "connects, and does not look at the server's name")
    elif tls.pin:
        whose = "remembered" if remembered else "pinned"
        yield _found(Grade.OK, "attach", f"xtls attach connects, and the server has the key that is {whose}")
    else:
        yield _found(Grade.OK, "attach", "xtls attach connects, and the server is verified")


def _weak(tls: TLSOptions, attribute: str, sentence: str) -> Found:
    """
    It works, but what protects the user was switched off.
    """
    name = optionNamed(TLSOptions, attribute).name
    where = f", as {name} says ({tls.source(attribute)})"
    return _found(Grade.WARNING, "attach", f"xtls attach {sentence}{where}", f"leave {name} out")


def findings(notes: Notes, target: Target, tls: TLSOptions, now: datetime) -> list[Found]:
    """
    Everything that there is to say.

    @param tls: what the user said about TLS.
    @param now: the time to judge certificates at, with a time zone.
    @return: by topic, in the order of L{Topic}.
    """
    facts, presented = notes.tls, notes.tls.presented if notes.tls is not None else ()
    problem = None if facts is None else "" if facts.spoken else facts.problem
    # who wants a certificate, and gets none, hangs up, which says nothing about what is inside
    secure = None if facts is not None and facts.required else notes.secure
    web = secure is not None and secure.http is not None
    found = [
        *reachFindings(notes.reach, target),
        *portFindings(target, notes.plain, secure, (notes.webSocket, notes.secureWebSocket), problem),
        *(tlsFindings(facts, bool(tls.cert)) if facts is not None else ()),
    ]
    if facts is not None and presented:
        known = isKnown(presented, tls, now)
        chain = PresentedChain(presented)
        found += chainFindings(chain, now, known=known, stapled=facts.stapled)
    found += _attached(notes, target, tls)
    told = notes.attached.refusal if notes.attached is not None else None
    found += viewFindings(presented, tls, target.host, now, web=web, told=told)
    if notes.unfinished:
        found.append(
            Found(
                Grade.WARNING,
                Topic.REACH,
                "unfinished",
                "the time was over before everything was asked",
                "give it more: --deadline=SECONDS",
            )
        )
    return sorted(found, key=lambda each: list(Topic).index(each.topic))


def statusFor(notes: Notes, found: list[Found]) -> ExitStatus:
    """
    The status to end with: that of C{xtls attach} first, and else that of the first problem.
    """
    problems = [each for each in found if each.grade is Grade.PROBLEM]
    if notes.attached is not None and notes.attached.status:
        status = ExitStatus(notes.attached.status)
        # a server that wants a certificate may say so, or reset the connection before that is read
        wanting = status is ExitStatus.CONNECTION_FAILED and any(each.topic is Topic.TLS for each in problems)
        return ExitStatus.SSL_FAILURE if wanting else status
    problem = next(iter(problems), None)
    if problem is not None:
        return _STATUSES[problem.topic]
    if notes.unfinished and notes.attached is None:
        return ExitStatus.CONNECTION_FAILED
    return ExitStatus.OK
