"""
What a port answers, and what there is to say about it: names, TCP, plain protocols, HTTP and WebSocket.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from xtls.config.modes import Mode, Target, joinHostPort
from xtls.trust.findings import Found, Grade, Topic, listed
from xtls.trust.names import printable

__all__ = ["HTTPAnswer", "Reach", "Speech", "bannerOf", "portFindings", "reachFindings"]

#: The head of a response (RFC 9112, section 4).
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?\r?\n")
_FIELD: Final = re.compile(rb"(?m)^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([^\r\n]*?)[\t ]*\r?$")

#: How servers that speak first begin, and what they speak.
_BANNERS: Final = (
    (b"SSH-", "SSH"),
    (b"RFB ", "RFB (VNC)"),
    (b"220 ", "SMTP or FTP"),
    (b"* OK", "IMAP"),
    (b"+OK", "POP3"),
    (b"\x15\x03", "TLS, an alert"),
)

_LONGEST_BANNER: Final = 60


@dataclass(frozen=True)
class Reach:
    """
    Whether a server can be reached.

    @ivar addresses: those that its name has; empty for an address or a Unix socket, or when nobody knew it.
    @ivar peer: which of them answered.
    @ivar seconds: how long that took.
    @ivar problem: why none did.
    """

    addresses: tuple[str, ...] = ()
    peer: str = ""
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class HTTPAnswer:
    """
    What a server answers to a request for its first page.

    @ivar status: the status code.
    @ivar reason: what it says beside it.
    @ivar location: where it leads, if it redirects.
    @ivar hsts: the value of Strict-Transport-Security (RFC 6797), if any.
    """

    status: int
    reason: str = ""
    location: str = ""
    hsts: str = ""

    @classmethod
    def parse(cls, data: bytes) -> HTTPAnswer | None:
        """
        Read an answer; L{None} when it is none of HTTP's, or not whole yet.
        """
        found = _STATUS.match(data)
        if found is None:
            return None
        head = data[found.end() :].partition(b"\r\n\r\n")[0]
        fields = {name.lower(): value.decode("latin-1") for name, value in _FIELD.findall(head)}
        return cls(
            int(found[1]),
            (found[2] or b"").decode("latin-1"),
            fields.get(b"location", ""),
            fields.get(b"strict-transport-security", ""),
        )

    def describe(self) -> str:
        """
        The status as people write it.
        """
        return f"{self.status} {printable(self.reason, 40)}".rstrip()


@dataclass(frozen=True)
class Speech:
    """
    What was said on a connection, plain or inside TLS.

    @ivar banner: what the server said before anybody else had.
    @ivar after: how long it took for that, in seconds.
    @ivar http: its answer to a request.
    @ivar other: what it answered, when that is not HTTP.
    @ivar closed: whether it hung up without a word.
    """

    banner: bytes = b""
    after: float = 0.0
    http: HTTPAnswer | None = None
    other: bytes = b""
    closed: bool = False


def _found(
    grade: Grade, kind: str, sentence: str, remedy: str = "", changes: tuple[tuple[str, str], ...] = ()
) -> Found:
    return Found(grade, Topic.PROTOCOLS, kind, sentence, remedy, changes)


def reachFindings(reach: Reach, target: Target) -> list[Found]:
    """
    Whether a server can be reached.
    """
    found: list[Found] = []
    if reach.addresses and reach.addresses != (target.host,):
        sentence = f"{target.host} is {listed(reach.addresses)}"
        found.append(Found(Grade.OK, Topic.REACH, "name", sentence))
    if not reach.problem:
        sentence = f"{reach.peer} answers, after {reach.seconds * 1000:.0f} ms"
        return [*found, Found(Grade.OK, Topic.REACH, "connect", sentence)]
    if target.mode is Mode.UNIX:
        remedy = "see that the server runs, and that you may use its socket"
    elif target.host and not reach.addresses:
        remedy = "see how the name is spelled, and whether other names are found"
        return [Found(Grade.PROBLEM, Topic.REACH, "name", f"{target.host}: {reach.problem}", remedy)]
    else:
        remedy = "see that the server runs, that it listens on that port, and that no firewall is in between"
    sentence = f"there is no connection to {_place(target)}: {reach.problem}"
    return [*found, Found(Grade.PROBLEM, Topic.REACH, "connect", sentence, remedy)]


def _place(target: Target) -> str:
    """
    Where a target is.
    """
    return target.path if target.mode is Mode.UNIX else joinHostPort(target.host, target.port)


def _shown(data: bytes) -> str:
    """
    The beginning of what a server says.
    """
    text = data.partition(b"\n")[0].decode("utf-8", "backslashreplace").rstrip("\r")
    return f'"{printable(text, _LONGEST_BANNER)}"'


def bannerOf(data: bytes) -> str:
    """
    What a server speaks, by how it begins.
    """
    return next((name for begins, name in _BANNERS if data.startswith(begins)), "")


def _said(speech: Speech, where: str) -> Iterator[Found]:
    """
    What a server says before HTTP, and in its place.
    """
    if speech.banner:
        name = bannerOf(speech.banner)
        what = f"speaks first{f', {name}' if name else ''}: {_shown(speech.banner)}"
        late = f", after {speech.after:.1f} seconds of silence" if speech.after >= 1 else ""
        yield _found(Grade.OK, f"{where}-speaks-first", f"{_WHERE[where]}the server {what}{late}")
    elif speech.other:
        sentence = (
            f"{_WHERE[where]}an HTTP request is answered with {_shown(speech.other)}, which is not HTTP"
        )
        yield _found(Grade.OK, f"{where}-other", sentence)
    elif speech.closed:
        yield _found(Grade.OK, f"{where}-closed", f"{_WHERE[where]}the server hangs up without a word")
    elif speech.http is None:
        sentence = (
            f"{_WHERE[where]}the server says nothing, and does not answer HTTP: it waits for its client"
        )
        yield _found(Grade.OK, f"{where}-silent", sentence)


_WHERE: Final = {"plain": "without TLS, ", "secure": "inside TLS, "}


def _plainHTTP(answer: HTTPAnswer, secureToo: bool) -> Iterator[Found]:
    """
    HTTP that everybody can read.
    """
    if answer.location.lower().startswith("https:") and 300 <= answer.status < 400:
        yield _found(Grade.OK, "http", "plain HTTP is redirected to https")
    elif answer.status >= 400:
        yield _found(Grade.OK, "http", f"plain HTTP is answered with {answer.describe()}")
    elif secureToo:
        yield _found(
            Grade.NOTE,
            "http",
            f"plain HTTP is answered with {answer.describe()}, though there is https",
            "redirect it: --ssl=on of twistd xtls does",
        )
    else:
        yield _found(
            Grade.NOTE,
            "http",
            f"HTTP is answered with {answer.describe()}, and not encrypted",
            "give the server a certificate, such as --ssl-cert=auto of twistd xtls",
        )


def _secureHTTP(answer: HTTPAnswer) -> Iterator[Found]:
    """
    HTTP inside TLS.
    """
    yield _found(Grade.OK, "https", f"https is answered with {answer.describe()}")
    if answer.hsts:
        said = f"browsers are told to come back by https only ({printable(answer.hsts, 60)})"
    else:
        said = "browsers are not told to come back by https only (no Strict-Transport-Security)"
    yield _found(Grade.OK, "hsts", said)


def _webSocket(problem: str | None, kind: str, meant: bool) -> Iterator[Found]:
    """
    Whether a WebSocket opens.
    """
    if problem is None:
        return
    if not problem:
        yield _found(Grade.OK, kind, f"{kind}: a WebSocket opens")
    elif meant:
        remedy = "see that the path is right, and that the server lets WebSockets in there"
        yield _found(Grade.PROBLEM, kind, f"{kind}: no WebSocket opens: {problem}", remedy)
    else:
        yield _found(Grade.OK, kind, f"{kind}: no WebSocket opens here: {problem}")


def portFindings(
    target: Target,
    plain: Speech | None,
    secure: Speech | None = None,
    webSockets: tuple[str | None, str | None] = (None, None),
    tlsProblem: str | None = None,
) -> list[Found]:
    """
    What the port speaks.

    @param plain: what was said without TLS; L{None} when that was not tried.
    @param secure: what was said inside TLS; L{None} when there is none.
    @param webSockets: why no WebSocket opens without TLS, and inside it; empty when one does; L{None} when
        that was not tried.
    @param tlsProblem: why there is no TLS; empty when there is; L{None} when that was not tried.
    """
    found: list[Found] = []
    if tlsProblem == "":
        found.append(_found(Grade.OK, "tls", "TLS is spoken"))
    elif tlsProblem is not None:
        found += _noTLS(target, tlsProblem, plain)
    if secure is not None:
        found += _said(secure, "secure")
        if secure.http is not None:
            found += _secureHTTP(secure.http)
    found += _webSocket(webSockets[1], "wss", target.mode is Mode.WSS)
    if plain is not None:
        found += _said(plain, "plain")
        if plain.http is not None:
            found += _plainHTTP(plain.http, tlsProblem == "")
    found += _webSocket(webSockets[0], "ws", target.mode is Mode.WS)
    found += _exposed(target, tlsProblem == "", plain)
    return found


def _noTLS(target: Target, problem: str, plain: Speech | None) -> Iterator[Found]:
    """
    There is no TLS.
    """
    if not target.mode.secure:
        yield _found(Grade.OK, "tls", "TLS is not spoken")
        return
    remedy = (
        "ask for TLS where it is spoken, or give the server a certificate: --ssl-cert=auto of twistd xtls"
    )
    changes: tuple[tuple[str, str], ...] = ()
    name = "" if plain is None else "HTTP" if plain.http is not None else bannerOf(plain.banner)
    if plain is not None and (plain.http is not None or plain.banner):
        mode = "ws" if target.mode is Mode.WSS and plain.http is not None else "tcp"
        remedy = f"give the server a certificate; without one it is {mode}://, which everybody can read"
        changes = (("mode", mode),)
    sentence = f"TLS is not spoken, but {name}" if name else f"TLS is not spoken: {problem}"
    yield _found(Grade.PROBLEM, "tls", sentence, remedy, changes)


def _exposed(target: Target, hasTLS: bool, plain: Speech | None) -> Iterator[Found]:
    """
    What others can read.
    """
    if target.mode is Mode.SSH:
        if plain is not None and not plain.banner.startswith(b"SSH-"):
            sentence = "no SSH server answers here"
            yield _found(Grade.PROBLEM, "ssh", sentence, "see where the server listens for ssh")
        return
    if target.mode not in (Mode.TCP, Mode.WS):
        return
    secure = "ssl" if target.mode is Mode.TCP else "wss"
    if hasTLS:
        yield _found(
            Grade.WARNING,
            "not-encrypted",
            f"{target.mode.value}:// is neither encrypted nor verified, and TLS is spoken on this very port",
            f"say {secure}:// in place of {target.mode.value}://",
            (("mode", secure),),
        )
    elif not (plain is not None and plain.banner.startswith(b"SSH-")):
        yield _found(
            Grade.NOTE,
            "not-encrypted",
            f"{target.mode.value}:// is neither encrypted nor verified: whoever is in between can read and"
            " change everything",
            f"where that is not a network of your own, use {secure}:// and give the server a certificate",
        )
