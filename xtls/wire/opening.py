"""
The opening handshakes of WebSocket (RFC 6455, section 4), both sides, as octets in and octets out.

What a server answers is one of two heads, with a hash of the client's key in it; the request has been judged
by then, so there is nothing else to do.  What a client sends, and whether the answer is one to that, is
autobahn's work (L{xtls.wire.asking}), which is imported when the first one asks.  autobahn gets only answers
that are HTTP to the letter: it splits lines at characters that are no line ends, and joins fields that may
come only once.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha1
from typing import Final
from urllib.parse import quote, urlsplit

import idna

from xtls import __version__
from xtls.errors import OpeningHandshakeError

__all__ = ["SUBPROTOCOL", "ClientOpening", "answerOpening"]

#: What a byte stream in binary messages is called where a name is asked for (as websockify and xpra do).
SUBPROTOCOL: Final = "binary"

#: How long the head of a server's answer may be, in octets.
LONGEST_ANSWER: Final = 16384

#: How much of what a server says goes into an error, in characters.
_LONGEST_QUOTE: Final = 200

_HEAD_END: Final = b"\r\n\r\n"

#: A client's key: 16 octets in base64.  And what is hashed behind it (RFC 6455, section 1.3).
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: What a server says, without and with the subprotocol, up to the hash.
_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_ACCEPTED_BINARY: Final = _ACCEPTED.replace(
    b"Sec-WebSocket-Accept", b"Sec-WebSocket-Protocol: %s\r\nSec-WebSocket-Accept" % SUBPROTOCOL.encode()
)

#: The head of a response (RFC 9112, sections 4 and 5): no bare line ends, no folding, no control characters.
_ANSWER: Final = re.compile(
    rb"HTTP/1\.[01] ([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)

_LOCATION: Final = re.compile(rb"^location:[\t ]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)

#: Octets that mean different things to different readers.
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")

#: What may stand in the request's target (RFC 3986), beside letters and digits: quoted already, or harmless.
_SAFE: Final = "/?%:@!$&'()*+,;=~-._[]"

_FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")

_PORTS: Final = {"ws": 80, "wss": 443}


def answerOpening(key: bytes, subprotocols: Iterable[bytes] = ()) -> bytes:
    """
    What a server answers to a client's opening handshake (RFC 6455, section 4.2.2).

    @param key: the value of C{Sec-WebSocket-Key}.
    @param subprotocols: what the client offers in C{Sec-WebSocket-Protocol}; L{SUBPROTOCOL} is taken if it is
        among them, otherwise none.
    @return: the head of the response, after which the stream begins.
    @raise OpeningHandshakeError: if the key is wrong; with the status to answer.
    """
    if _KEY.fullmatch(key) is None:
        raise OpeningHandshakeError("the Sec-WebSocket-Key is not 16 octets in base64", 400)
    accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    head = _ACCEPTED_BINARY if SUBPROTOCOL.encode() in subprotocols else _ACCEPTED
    return head + accept + _HEAD_END


class ClientOpening:
    """
    A client's opening handshake (RFC 6455, section 4.1).

    @ivar request: what to send.
    @ivar rest: octets of the stream that came together with the answer.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """
        @param url: what to ask for, such as C{wss://example.org:8443/path?query}; its host goes into the
            C{Host} field, whatever the connection was made to.
        @param headers: fields to send besides.
        @raise ValueError: for a URL that is none of these, or headers that cannot be sent.
        """
        self.rest = b""
        self._data = b""
        from xtls.wire.asking import Asking  # imports autobahn, which servers do without

        scheme, host, port, resource = _parseURL(url)
        agent = f"xtls/{__version__}"
        self._asking = Asking(host, port, resource, _checked(headers or {}), agent, SUBPROTOCOL)
        default = f"Host: {host}:{_PORTS[scheme]}\r\n".encode()
        self.request = self._asking.request.replace(default, f"Host: {host}\r\n".encode())

    def receive(self, data: bytes) -> bool:
        """
        Take what the server answers.

        @return: whether the stream is open; from then on L{rest} has what belongs to it.
        @raise OpeningHandshakeError: if the server refuses, with its status, or answers wrongly.
        """
        self._data += data
        while True:
            head, end, rest = self._data.partition(_HEAD_END)
            if len(head) > LONGEST_ANSWER:
                raise OpeningHandshakeError(f"the server's answer has more than {LONGEST_ANSWER} octets")
            if not b"HTTP/1.".startswith(head[:7]):
                raise OpeningHandshakeError("the server does not answer in HTTP")
            if not end:
                return False
            if self._answered(head + end):
                self.rest = rest
                return True
            self._data = rest

    def _answered(self, head: bytes) -> bool:
        """
        Judge one response.

        @return: whether it is the final one (RFC 9110, section 15.2).
        """
        answer = _ANSWER.fullmatch(head)
        if answer is None:
            raise OpeningHandshakeError("the server's answer is not well-formed HTTP/1.1")
        status = int(answer[1])
        if 100 <= status < 200 and status != 101:
            return False
        if status != 101:
            raise OpeningHandshakeError(_refusal(status, answer[2] or b"", answer[3]), status)
        try:
            problem = self._asking.judge(_NOT_ASCII.sub(b"?", head))
        except Exception as e:
            # What autobahn cannot read is wrong, whatever it makes of it.
            raise OpeningHandshakeError(f"the server's answer cannot be read: {_quoted(str(e))}", 101) from e
        if problem is not None:
            raise OpeningHandshakeError(f"the server's answer is wrong: {_quoted(problem)}", 101)
        return True


def _refusal(status: int, reason: bytes, fields: bytes) -> str:
    """
    What a server says in place of opening a WebSocket.
    """
    said = f"{status} {_quoted(reason.decode('ascii', 'replace'))}".rstrip()
    location = _LOCATION.search(fields) if 300 <= status < 400 else None
    if location is None:
        return f"the server refused the WebSocket: {said}"
    where = _quoted(location[1].decode("ascii", "replace"))
    return f"the server refused the WebSocket: {said}, and points to {where}"


def _quoted(text: str) -> str:
    """
    Words of a peer, of bounded length.
    """
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def _parseURL(url: str) -> tuple[str, str, int, str]:
    """
    Take a WebSocket URL apart (RFC 6455, section 3): scheme, host as in C{Host}, port, and target.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("expected a URL such as ws://host:port/path or wss://host:port/path")
    if parts.username is not None or parts.fragment:
        raise ValueError("expected no user and no fragment in a WebSocket URL")
    # A zone means something to this machine only (RFC 6874, section 1).
    host = parts.hostname.partition("%")[0]
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    if ":" in host:
        host = f"[{host}]"
    resource = quote(parts.path or "/", _SAFE)
    if parts.query:
        resource += "?" + quote(parts.query, _SAFE)
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    return parts.scheme, host, port, resource


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """
    Fields to send, as long as they are fields (RFC 9110, sections 5.1 and 5.5).
    """
    for name, value in headers.items():
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} cannot be sent")
    return dict(headers)
