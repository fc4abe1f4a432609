"""
The head of an HTTP request, read strictly (RFC 9112) before anything acts on it.  Pure.

What one reader takes for a line end, a second C{Host} or the end of a field name, another does not; whoever
finds two that differ gets past the first.  twisted.web answers requests with two C{Host} fields or with none,
autobahn those with a NUL; so every head is read here first, and what the standard calls invalid is refused
with the status that it names.

Lines are judged in order, each as soon as it is complete; so the answer is the same however the octets were
cut, and a fault is found before the head has ended.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from xtls.port.detect import NEED_DATA

if TYPE_CHECKING:
    from xtls.port.detect import _NeedData

__all__ = [
    "BadRequest",
    "HeadReader",
    "RequestHead",
    "isWebSocketUpgrade",
    "originAllowed",
    "readRequestHead",
    "webSocketProblem",
]

#: A name of a method or field (RFC 9110, section 5.6.2).
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"

#: Method, target, version (RFC 9112, section 3).  A target has no spaces, no fragment, and is ASCII.
_REQUEST_LINE: Final = re.compile(rb"(%s) ([\x21\x22\x24-\x7e]+) HTTP/([0-9])\.([0-9])" % _TOKEN)

#: How a target in absolute form begins (RFC 9112, section 3.2.2).
_ABSOLUTE: Final = re.compile(rb"https?://[^/?]*", re.IGNORECASE)

#: Name, colon, value (RFC 9112, section 5).
_FIELD: Final = re.compile(rb"(%s):([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)

#: Host and port (RFC 9110, section 7.2): a name, an IPv4 address, or an IPv6 address in brackets; it may
#: be empty.
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.~%-]+)?\]|[A-Za-z0-9_.~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?"
)

#: Scheme, and host with port, of an origin (RFC 6454, section 6.2).
_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://((?:\[[0-9a-f:.]+\]|[^\s/:?#@\[\]]+)(?::[0-9]{1,5})?)")

#: The schemes of pages that come from a port.
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_DIGITS: Final = re.compile(rb"[0-9]{1,18}")

#: Empty lines that may come before a request (RFC 9112, section 2.2).
_EMPTY_LINES: Final = 2


@dataclass(frozen=True)
class RequestHead:
    """
    A request, without its content.

    @ivar target: as it was sent (RFC 9112, section 3.2).
    @ivar version: (1, 0) or (1, 1).
    @ivar fields: names, in lower case, and values, in order.
    @ivar start: where in the octets that were read it begins: after empty lines.
    @ivar end: where it ends, and what follows begins.
    """

    method: bytes
    target: bytes
    version: tuple[int, int]
    fields: tuple[tuple[bytes, bytes], ...]
    start: int
    end: int

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """
        The values of all fields that have a name.

        @param name: in lower case.
        """
        return self._values.get(name, ())

    @cached_property
    def _values(self) -> dict[bytes, tuple[bytes, ...]]:
        """
        The values by their names: a decision asks for a dozen.
        """
        values: dict[bytes, tuple[bytes, ...]] = {}
        for name, value in self.fields:
            values[name] = (*values.get(name, ()), value)
        return values

    def tokens(self, name: bytes) -> tuple[bytes, ...]:
        """
        The members of a list that fields of a name make together (RFC 9110, section 5.6.1).
        """
        values = self.all(name)
        if not values:
            return ()
        members = b",".join(values).split(b",")
        return tuple(stripped for member in members if (stripped := member.strip(b" \t")))

    @property
    def path(self) -> bytes:
        """
        The target in origin form: with its path and query only (RFC 9112, section 3.2.1).  What has none,
        such as C{*}, stays as it is.
        """
        absolute = _ABSOLUTE.match(self.target)
        if absolute is None:
            return self.target
        rest = self.target[absolute.end() :]
        return rest if rest.startswith(b"/") else b"/" + rest

    @property
    def host(self) -> str:
        """
        The C{Host} field, which is ASCII; empty if there is none.
        """
        return b"".join(self.all(b"host")[:1]).decode("ascii")


@dataclass(frozen=True)
class BadRequest:
    """
    A request that is refused.

    @ivar status: the status to answer with (RFC 9110, section 15).
    @ivar reason: a sentence for whoever sent it, without a full stop.
    @ivar fields: fields that the answer must have.
    """

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...] = ()


#: What a client has to know that asks for another version (RFC 6455, section 4.4; RFC 9110, section 15.5.22).
_VERSION_13: Final = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))

_TOO_LONG_TARGET: Final = BadRequest(414, "the request line is too long")
_TOO_MANY_FIELDS: Final = BadRequest(431, "the head of the request is too long")

_Answer: TypeAlias = "RequestHead | Literal[_NeedData.NEED_DATA] | BadRequest"


class HeadReader:
    """
    Reads the head of a request as it arrives.  No line is judged twice: else a head that comes in many small
    pieces would cost seconds.

    @ivar data: the octets since the last request ended.
    """

    def __init__(self, limit: int) -> None:
        """
        @param limit: how many octets a head may have.
        """
        self.data = b""
        self._limit = limit
        self._start = 0  # where the head begins: after empty lines
        self._at = 0  # where the first line begins that has not been judged
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> _Answer:
        """
        Take what has arrived.

        @return: L{NEED_DATA} while the head is not complete and has no fault; else what L{readRequestHead}
            says, and there is nothing more to be fed.
        """
        self.data += data
        data, lines = self.data, self._lines
        while not lines and self._start < 2 * _EMPTY_LINES and data.startswith(b"\r\n", self._start):
            self._start = self._at = self._start + 2
        while (end := data.find(b"\n", self._at, self._limit)) >= 0:
            if not data.startswith(b"\r\n", end - 1):
                return BadRequest(400, "a line does not end with CR and LF")
            line = data[self._at : end - 1]
            self._at = end + 1
            if lines and not line:
                return _headOf(lines, self._start, self._at)
            problem = _fieldProblem(line) if lines else _requestLineProblem(line)
            if problem is not None:
                return problem
            lines.append(line)
        if len(data) < self._limit:
            return NEED_DATA
        return _TOO_MANY_FIELDS if lines else _TOO_LONG_TARGET


def readRequestHead(data: bytes, limit: int) -> _Answer:
    """
    Read the head of a request.

    @param data: the octets since the last request ended.
    @param limit: how many octets a head may have.
    @return: L{NEED_DATA} while the head is not complete and has no fault; else always the same, however
        much follows.
    """
    return HeadReader(limit).feed(data)


def _requestLineProblem(line: bytes) -> BadRequest | None:
    """
    What is wrong with the first line, if anything.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return BadRequest(400, "the request line is not a method, a target and HTTP/1.1")
    if match[3] != b"1" or match[4] not in b"01":
        return BadRequest(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    return None


def _fieldProblem(line: bytes) -> BadRequest | None:
    """
    What is wrong with a field line, if anything.
    """
    if line.startswith((b" ", b"\t")):
        return BadRequest(400, "a field is folded over several lines")
    if _FIELD.fullmatch(line) is None:
        return BadRequest(400, "a field is not a name, a colon and a value")
    return None


def _headOf(lines: Sequence[bytes], start: int, end: int) -> RequestHead | BadRequest:
    """
    The head that well-formed lines make, if they go together.
    """
    first = lines[0].split(b" ")
    fields = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields.append((name.lower(), value.strip(b" \t")))
    version = (1, 1) if first[2].endswith(b"1") else (1, 0)
    head = RequestHead(first[0], first[1], version, tuple(fields), start, end)
    return _hostProblem(head) or _lengthProblem(head) or head


def _hostProblem(head: RequestHead) -> BadRequest | None:
    """
    What is wrong with C{Host} (RFC 9112, section 3.2), if anything.
    """
    hosts = head.all(b"host")
    if len(hosts) > 1:
        return BadRequest(400, "there is more than one Host field")
    if not hosts and head.version == (1, 1):
        return BadRequest(400, "there is no Host field")
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        return BadRequest(400, "the Host field is not a host and a port")
    return None


def _lengthProblem(head: RequestHead) -> BadRequest | None:
    """
    What leaves in doubt where the content ends (RFC 9112, section 6.3), if anything.
    """
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    if len(lengths) > 1 or (lengths and _DIGITS.fullmatch(lengths[0]) is None):
        return BadRequest(400, "the Content-Length field is not one number")
    if codings and (lengths or head.version == (1, 0)):
        return BadRequest(400, "the length of the content is said in more than one way")
    return None


def isWebSocketUpgrade(head: RequestHead) -> bool:
    """
    Whether a request asks for a WebSocket, rightly or wrongly.
    """
    return b"websocket" in (token.lower() for token in head.tokens(b"upgrade"))


def webSocketProblem(head: RequestHead) -> BadRequest | None:
    """
    What is wrong with a client's opening handshake (RFC 6455, section 4.2.1), if anything.

    @param head: a request that asks for a WebSocket.
    """
    if head.method != b"GET":
        return BadRequest(405, "a WebSocket is asked for with GET", (("Allow", "GET"),))
    if head.version != (1, 1):
        return BadRequest(400, "a WebSocket needs HTTP/1.1")
    if b"upgrade" not in (token.lower() for token in head.tokens(b"connection")):
        return BadRequest(400, "the Connection field does not have upgrade")
    if head.all(b"sec-websocket-version") != (b"13",):
        return BadRequest(426, "only version 13 of WebSocket is spoken here", _VERSION_13)
    if not _isKey(head.all(b"sec-websocket-key")):
        return BadRequest(400, "the Sec-WebSocket-Key field is not 16 octets in base64")
    if head.all(b"transfer-encoding") or int((head.all(b"content-length") or (b"0",))[0]):
        return BadRequest(400, "a request for a WebSocket has no content")
    return None


def _isKey(values: Sequence[bytes]) -> bool:
    """
    Whether there is one key, and it is one.
    """
    try:
        return len(values) == 1 and len(values[0]) == 24 and len(b64decode(values[0], validate=True)) == 16
    except ValueError:
        return False


def originAllowed(
    head: RequestHead,
    allowed: Sequence[str] = (),
    *,
    secure: bool = False,
    names: Container[str] | None = None,
) -> bool:
    """
    Whether the page that asks may (RFC 6455, section 10.2).  Who is no browser sends no C{Origin} and
    may: the check protects people whose browser is at a page of somebody else's.

    @param allowed: origins that may, in lower case, or C{*}; besides that of the request itself: the
        same host and port over https, since TLS may have ended before this port; or over http.
    @param secure: whether the request came inside TLS: then only over https.
    @param names: the names of this machine, where it can be reached by no other: then a page that came
        without TLS must be of one of them, or of an address.  Who controls another name may have led it here.
    """
    origins = head.all(b"origin")
    if not origins or "*" in allowed:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0].decode("latin-1").lower()
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        return origin in allowed  # such as null
    scheme, place = parts[1], _place(parts[2], parts[1])
    if place == _place(head.host.lower(), scheme):
        if scheme == "https" or (scheme == "http" and not secure and _isKnown(place[0], names)):
            return True
    others = (other for other in map(_ORIGIN.fullmatch, allowed) if other is not None)
    return any((scheme, place) == (other[1], _place(other[2], other[1])) for other in others)


def _isKnown(host: str, names: Container[str] | None) -> bool:
    """
    Whether a host is one of some names, or an address, which leads where it says.
    """
    if names is None or host in names or host.endswith(".localhost"):
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _place(authority: str, scheme: str) -> tuple[str, int]:
    """
    Host and port, with the scheme's own port where none is said.
    """
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, ""
    return host, int(port or _DEFAULT_PORTS.get(scheme, 0))
