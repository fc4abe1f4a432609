"""
The opening handshakes of WebSocket (RFC 6455, section 4), both sides, as octets in and octets out.

autobahn makes and checks what is sent.  It gets a transport of its own that only keeps what is written, sees
one head of known form, and is dropped when that is answered: no octet of the stream ever reaches it, and no
timer of it is ever set.  What it would let through by its way of reading (it splits lines at characters that
are no line ends, and joins fields that may come only once) it does not get to see: the server's side is given
a request made of checked values, the client's side only answers that are HTTP to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

import idna
from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from autobahn.websocket.types import ConnectingRequest, ConnectionRequest

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


class _Pocket:
    """
    The transport that autobahn sees: what is written is kept, and nothing else happens.

    @ivar written: all that was written.
    """

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        """
        Keep octets.
        """
        self.written += data


class _Opening:
    """
    What both of autobahn's protocols are changed by.

    @ivar opened: whether the handshake has succeeded.
    @ivar problem: why it has failed.
    """

    opened = False
    problem = ""

    def _onOpen(self) -> None:
        self.opened = True

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: object = None) -> None:
        """
        The handshake has failed.
        """
        self.problem = reason


class _ServerOpening(_Opening, WebSocketServerProtocol):  # type: ignore[misc]
    """
    The server's side.
    """

    def onConnect(self, request: ConnectionRequest) -> str | None:
        """
        Choose the subprotocol.
        """
        return SUBPROTOCOL if SUBPROTOCOL in request.protocols else None


class _ClientOpening(_Opening, WebSocketClientProtocol):  # type: ignore[misc]
    """
    The client's side.
    """

    asked: ConnectingRequest

    def onConnecting(self, transport_details: object) -> ConnectingRequest:
        """
        What to ask for.
        """
        return self.asked


@cache
def _factory(kind: type[Any], protocol: type[Any]) -> Any:
    """
    The factory that autobahn's protocols have their settings from: made once, with the deadlines off, since
    they would be on the one global reactor.
    """
    factory = kind(url="ws://localhost", protocols=[SUBPROTOCOL], reactor=object())
    factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
    factory.protocol = protocol
    factory.server = ""
    factory.noisy = False
    return factory


def answerOpening(key: bytes, subprotocols: Iterable[bytes] = ()) -> bytes:
    """
    What a server answers to a client's opening handshake (RFC 6455, section 4.2.2).

    @param key: the value of C{Sec-WebSocket-Key}.
    @param subprotocols: what the client offers in C{Sec-WebSocket-Protocol}; L{SUBPROTOCOL} is taken if it is
        among them, otherwise none.
    @return: the head of the response, after which the stream begins.
    @raise OpeningHandshakeError: if the key is wrong; with the status to answer.
    """
    lines = [
        b"GET / HTTP/1.1",
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
    ]
    if SUBPROTOCOL.encode() in subprotocols:
        lines.append(b"Sec-WebSocket-Protocol: " + SUBPROTOCOL.encode())
    server = _factory(WebSocketServerFactory, _ServerOpening).buildProtocol(None)
    pocket = _Pocket()
    server.makeConnection(pocket)
    server.dataReceived(b"\r\n".join(lines) + _HEAD_END)
    if not server.opened:
        raise OpeningHandshakeError(_quoted(server.problem), 400)
    return pocket.written


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
        self._client: Any = _factory(WebSocketClientFactory, _ClientOpening).buildProtocol(None)
        scheme, host, port, resource = _parseURL(url)
        self._client.asked = ConnectingRequest(
            host, port, resource, _checked(headers or {}), f"xtls/{__version__}", None, [SUBPROTOCOL]
        )
        pocket = _Pocket()
        self._client.makeConnection(pocket)
        default = f"Host: {host}:{_PORTS[scheme]}\r\n".encode()
        self.request = pocket.written.replace(default, f"Host: {host}\r\n".encode())

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
            self._client.dataReceived(_NOT_ASCII.sub(b"?", head))
        except Exception as e:
            # What autobahn cannot read is wrong, whatever it makes of it.
            raise OpeningHandshakeError(f"the server's answer cannot be read: {_quoted(str(e))}", 101) from e
        if not self._client.opened:
            raise OpeningHandshakeError(f"the server's answer is wrong: {_quoted(self._client.problem)}", 101)
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
