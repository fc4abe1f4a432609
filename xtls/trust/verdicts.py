"""
What others would say of a server's certificates: the system's CAs, a browser, xpra.

Here no handshake takes place.  The certificates are at hand, and OpenSSL validates the path (RFC 5280) as it
would in one; usage, strength and name are judged besides.  What C{xtls attach} says is never guessed: that is
tried.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError

from xtls.config.options import Side, TLSOptions, optionNamed
from xtls.trust.anchors import TrustAnchors, trustAnchors
from xtls.trust.findings import Found, Grade, Topic
from xtls.trust.inspection import Severity, inspect
from xtls.trust.names import ReferenceIdentifier
from xtls.trust.particulars import extensionOf, isSelfSigned
from xtls.trust.verification import Policy, Reason, Refusal, judge

__all__ = ["isKnown", "verdict", "viewFindings"]

#: OpenSSL's verification error for a wrong purpose (X509_V_ERR_INVALID_PURPOSE).
_WRONG_PURPOSE: Final = 26

#: What OpenSSL finds too weak in a handshake.
_WEAK: Final = frozenset({"weak-key", "weak-signature"})

#: Reasons that say that nobody knows who has signed.
_NOT_KNOWN: Final = frozenset({Reason.UNKNOWN_CA, Reason.SELF_SIGNED})

#: What xpra's client verifies with, beside the defaults of Python's ssl.
_XPRA: Final = ssl.VERIFY_X509_STRICT

#: What a certificate is that is valid for longer than browsers take.
_LONG: Final = "long-lived"

#: What xpra says then.
_XPRA_WORDS: Final = "CERTIFICATE_VERIFY_FAILED"


def _store(anchors: TrustAnchors, flags: int) -> X509Store:
    """
    Whom OpenSSL is to believe.
    """
    store = X509Store()
    for certificate in anchors.certificates:
        store.add_cert(X509.from_cryptography(certificate))
    for path in anchors.files:
        store.load_locations(path)
    for path in anchors.directories:
        store.load_locations(None, path)
    store.set_flags(flags | ssl.VERIFY_X509_TRUSTED_FIRST)
    return store


def verdict(
    presented: Sequence[x509.Certificate],
    anchors: TrustAnchors,
    policy: Policy,
    now: datetime,
    flags: int = 0,
) -> Refusal | None:
    """
    Whether a client would believe a server.

    @param presented: the server's certificates, its own first.
    @param policy: what is asked of it beyond a valid path.
    @param now: the time, for what OpenSSL does not judge; it has its own clock.
    @param flags: of Python's C{VERIFY_}.
    @return: L{None} if it would; else why not.
    """
    if not presented:
        return Refusal(Reason.NO_CERTIFICATE)
    own, *others = (X509.from_cryptography(each) for each in presented)
    try:
        path = X509StoreContext(_store(anchors, flags), own, others).get_verified_chain()
    except X509StoreContextError as e:
        code, depth = e.errors[0], e.errors[1]
        return judge(policy, e.certificate.to_cryptography(), ok=False, code=code, depth=depth)
    for depth, each in reversed(list(enumerate(path))):
        certificate = each.to_cryptography()
        if not _forServers(certificate, depth):
            return judge(policy, certificate, ok=False, code=_WRONG_PURPOSE, depth=depth)
        if any(
            found.severity is Severity.ERROR and found.kind in _WEAK for found in inspect(certificate, now)
        ):
            return Refusal(Reason.WEAK, certificate, depth)
    return judge(policy, presented[0], ok=True, code=0, depth=0)


def _forServers(certificate: x509.Certificate, depth: int) -> bool:
    """
    Whether a certificate may be that of a server, or of an authority above one, as OpenSSL sees it.
    """
    extended = extensionOf(certificate, x509.ExtendedKeyUsage)
    if extended is not None and ExtendedKeyUsageOID.SERVER_AUTH not in set(extended):
        return False
    usage = extensionOf(certificate, x509.KeyUsage)
    return bool(
        depth or usage is None or usage.digital_signature or usage.key_encipherment or usage.key_agreement
    )


def _policy(host: str, allowCommonName: bool = False) -> Policy:
    """
    Ask for a name, where there is one that can be asked for.
    """
    try:
        return Policy(ReferenceIdentifier.of(host), allowCommonName)
    except ValueError:
        return Policy()


def isKnown(presented: Sequence[x509.Certificate], options: TLSOptions, now: datetime) -> bool:
    """
    Whether the certificates lead to somebody who is known: to the user, or to the system.
    """
    return any(
        (refusal := verdict(presented, anchors, Policy(), now, flags)) is None
        or refusal.reason not in _NOT_KNOWN
        for anchors, flags in (
            (trustAnchors(options, Side.CLIENT), ssl.VERIFY_X509_PARTIAL_CHAIN),
            (trustAnchors(TLSOptions(), Side.CLIENT), 0),
        )
    )


class _Views:
    """
    What others would say of one server's certificates, none of it twice.
    """

    def __init__(
        self, presented: Sequence[x509.Certificate], options: TLSOptions, host: str, now: datetime
    ) -> None:
        """
        @param options: as the user said them.
        @param host: the name that is asked for.
        """
        self._presented, self._options, self._host, self._now = presented, options, host, now
        self._system = trustAnchors(TLSOptions(), Side.CLIENT)
        self._refusal = verdict(presented, self._system, _policy(host), now)
        self._told: set[tuple[Reason, x509.Certificate | None]] = set()

    def why(self, refusal: Refusal) -> str:
        """
        Why somebody refuses it, in full the first time.
        """
        key = (refusal.reason, refusal.certificate)
        if key in self._told:
            return "for the reason above"
        self._told.add(key)
        return refusal.sentence()

    def system(self) -> Found:
        """
        What the system's CAs lead to.
        """
        if self._refusal is None:
            return _found(Grade.OK, "system", "with this system's CAs alone, it is verified")
        return _found(
            Grade.NOTE,
            "system",
            f"with this system's CAs alone, it is not verified: {self.why(self._refusal)}",
            "give every client its authority, its certificate or its pin; or get one of a public CA",
        )

    def browser(self, web: bool) -> Found:
        """
        What a browser would do, as far as that can be said from here.
        """
        problem = self.why(self._refusal) if self._refusal is not None else ""
        lifetime = (each.sentence for each in inspect(self._presented[0], self._now) if each.kind == _LONG)
        problem = problem or next(lifetime, "")
        if not problem:
            about = "Certificate Transparency, which browsers ask of public CAs, is not judged here"
            return _found(Grade.OK, "browser", f"a browser with this system's CAs takes it; {about}")
        return _found(
            Grade.WARNING if web else Grade.NOTE,
            "browser",
            f"a browser with this system's CAs warns of it: {problem}",
            "import its authority into the browser, or use a certificate of a public CA; with a"
            " subjectAltName, and for 398 days at most (200 of a public CA since March 2026)",
        )

    def xpra(self) -> Found:
        """
        What xpra's client would say, given the same CAs.
        """
        anchors = trustAnchors(self._options, Side.CLIENT)
        # Python's ssl takes a Common Name where there is no subjectAltName
        refusal = verdict(self._presented, anchors, _policy(self._host, True), self._now, _XPRA)
        given = "" if anchors.system else ", given the same CAs,"
        if refusal is None:
            return _found(Grade.OK, "xpra", f"xpra's client{given} verifies it with its defaults")
        cas, flags = (optionNamed(TLSOptions, each).name for each in ("caCerts", "verifyFlags"))
        if refusal.reason is Reason.STRICT:
            remedy = f"make the certificates anew with xtls cert, which keep to it; or say --{flags}=DEFAULT"
        elif refusal.reason not in _NOT_KNOWN:
            remedy = "mend the certificate; until then its users have to be told what to leave unverified"
        elif anchors.certificates and not any(isSelfSigned(each) for each in anchors.certificates):
            remedy = "give it the root: for xpra an authority has to be one, and not an intermediate"
        else:
            remedy = f"give it the certificate or its authority: --{cas}=FILE"
        sentence = f"xpra's client{given} says {_XPRA_WORDS}: {self.why(refusal)}"
        return _found(Grade.WARNING, "xpra", sentence, remedy)


def _found(grade: Grade, kind: str, sentence: str, remedy: str = "") -> Found:
    return Found(grade, Topic.CLIENTS, kind, sentence, remedy)


def viewFindings(
    presented: Sequence[x509.Certificate],
    options: TLSOptions,
    host: str,
    now: datetime,
    *,
    web: bool = False,
    told: Refusal | None = None,
) -> list[Found]:
    """
    What others would say.

    @param options: as the user said them.
    @param host: the server, as the user named it.
    @param web: whether the port serves browsers.
    @param told: why C{xtls attach} refuses it, as was told before this.
    """
    if not presented:
        return []
    views = _Views(presented, options, options.serverHostname or host, now)
    if told is not None:
        views.why(told)
    return [views.system(), views.browser(web), views.xpra()]
