"""
Which protocol a port lets in, and what it answers to the others.  Pure: the table of
docs/explanation/upgrades.md as a function of values.

Three rules make the table:

  - The I{mode} says what may come at all: behind ssl and wss only TLS, behind ws only HTTP (or TLS
    with HTTP inside), behind tcp and a Unix socket anything.
  - An I{upgrade} that is switched off is not looked for: its octets are octets like any others, and
    so for the session where the mode lets raw octets in.  An upgrade that is on but leads nowhere
    (no certificate, no pages) is a refusal: nobody's ClientHello ends up in a shell by accident.
  - Inside TLS the same question is asked again, but for TLS.  SSH inside TLS is for the session,
    since no ssh client speaks TLS by itself: somebody led it there on purpose (C{ProxyCommand}).

Whoever is refused is answered in the protocol that it spoke, as far as that can be told.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.port.detect import Detected

__all__ = ["HTTP_NAMES", "Expected", "Route", "UpgradePolicy", "UpgradeRefused"]

#: The names of HTTP in ALPN (RFC 7301, section 6), the best first.  Who is told to speak HTTP/1.0 (curl)
#: may offer the second one alone.
HTTP_NAMES: Final = (b"http/1.1", b"http/1.0")


class Route(Enum):
    """
    Who takes a connection over.  The value is its name in logs.
    """

    #: What the port leads to: the octets as they are.
    SESSION = "session"
    #: TLS, and then the question again.
    TLS = "tls"
    #: Pages and WebSockets.
    HTTP = "http"


class Expected(Enum):
    """
    What a port expected of a peer that it refuses.  The value is a sentence for the peer's user.
    """

    TLS = "TLS only: this port takes https, wss and ssl connections"
    HTTP = "HTTP only: this port takes http, https, ws and wss connections"
    HTTPS = "HTTPS only: this port takes https and wss connections"
    NOT_TLS = "TLS is not available on this port"
    NOT_HTTP = "HTTP is not available on this port"
    NOT_SSH = "SSH is not available on this port"
    NOT_RAW = "nothing on this port takes a raw connection"


@dataclass(frozen=True)
class UpgradeRefused:
    """
    A peer is not let in.

    @ivar detected: what it spoke.
    @ivar expected: what it should have spoken.
    @ivar web: whether the port speaks HTTP there, so that what cannot be told is answered in HTTP.
    """

    detected: Detected
    expected: Expected
    web: bool = False

    @property
    def problem(self) -> str:
        """
        What came, and what was expected: for the log.
        """
        return f"{self.detected.value} came; {self.expected.value}"

    @property
    def answer(self) -> bytes:
        """
        What the peer is told, in its own protocol; nothing if it said nothing that could be
        answered.
        """
        if self.detected is Detected.TLS:
            return _ALERT
        if self.detected is Detected.SSH:
            return _disconnect(self.expected.value)
        if self.detected is Detected.SILENCE:
            return _response("408 Request Timeout", self.expected.value) if self.web else b""
        if self.detected is Detected.HTTP or self.web:
            return _response("400 Bad Request", self.expected.value)
        return f"xtls: {self.expected.value}\r\n".encode("ascii")


#: A fatal alert, handshake_failure, in a record of its own (RFC 8446, sections 5.1 and 6.2).
_ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x28"


def _response(status: str, sentence: str) -> bytes:
    """
    A whole HTTP response with a sentence for its content, after which the connection closes.
    """
    content = f"{sentence}.\n"
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: text/plain; charset=us-ascii",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "Connection: close",
        "",
        content,
    )
    return "\r\n".join(lines).encode("ascii")


def _disconnect(sentence: str) -> bytes:
    """
    An SSH server's version string and SSH_MSG_DISCONNECT (RFC 4253, sections 4.2, 6 and 11.1):
    clients show its description.  Text lines before the version string, which are also allowed,
    OpenSSH does not show.
    """
    description = sentence.encode("ascii")
    payload = struct.pack(">BII", 1, 7, len(description)) + description + struct.pack(">I", 0)
    # Length, padding length, payload and padding are a multiple of 8; padding is 4 octets at least.
    padding = 4 + -(len(payload) + 9) % 8
    packet = struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)
    return b"SSH-2.0-xtls\r\n" + packet


_WEB_MODES: Final = frozenset({Mode.WS, Mode.WSS})


@dataclass(frozen=True)
class UpgradePolicy:
    """
    What one socket of a port lets in.

    @ivar mode: how it is bound.
    @ivar options: the switches.
    @ivar tlsAvailable: there is a certificate.
    @ivar sessionAvailable: there is something that raw octets and WebSockets lead to.
    @ivar pagesAvailable: there is something that HTTP requests lead to.
    """

    mode: Mode
    options: PortOptions
    tlsAvailable: bool
    sessionAvailable: bool
    pagesAvailable: bool

    @property
    def pages(self) -> bool:
        """
        Whether requests for pages are answered with pages.
        """
        return self.options.httpUpgrade and self.pagesAvailable

    @property
    def webSockets(self) -> bool:
        """
        Whether requests for a WebSocket are answered with one.
        """
        wanted = self.options.websocketUpgrade or self.mode in _WEB_MODES
        return wanted and self.sessionAvailable

    def redirects(self, secure: bool) -> bool:
        """
        Whether a request for a page is sent to https: when C{ssl} is on, there are pages, and the
        request came without TLS.

        @param secure: whether the request came inside TLS.
        """
        asked = self.options.ssl is SSLSwitch.ON and not secure and self.pages
        return asked and self.route(Detected.TLS, secure=False) is Route.TLS

    def atOnce(
        self, *, secure: bool, alpn: Callable[[], bytes | None] = lambda: None
    ) -> Route | UpgradeRefused | None:
        """
        Decide without an octet, where that is possible: inside TLS, by C{ssl=tcp}, C{ssl=www} or
        ALPN.

        @param secure: whether this is inside TLS.
        @param alpn: gives the application protocol that was agreed on (RFC 7301); asked only if it matters.
        @return: L{None} if it takes octets to decide.
        """
        if not secure:
            return None
        if self.mode not in _WEB_MODES:
            if self.options.ssl is SSLSwitch.TCP:
                return self._raw(Detected.RAW, secure)
            if self.options.ssl is SSLSwitch.WWW:
                return self._served(Detected.HTTP)
        if alpn() in HTTP_NAMES:
            return self.route(Detected.HTTP, secure=True)
        return None

    def route(self, detected: Detected, *, secure: bool) -> Route | UpgradeRefused:
        """
        Decide by what the peer speaks.

        @param secure: whether this is inside TLS.
        """
        if self.mode is Mode.SSH:
            return UpgradeRefused(detected, Expected.NOT_SSH)
        if detected is Detected.TLS and not secure:
            return self._tls()
        if self.mode.secure and not secure:
            return UpgradeRefused(detected, Expected.HTTPS if self.mode is Mode.WSS else Expected.TLS)
        if detected is Detected.HTTP and self._looksForHTTP():
            return self._served(detected)
        if detected is Detected.SSH and not secure and self.options.sshUpgrade:
            if self.mode not in _WEB_MODES:
                return UpgradeRefused(detected, Expected.NOT_SSH)
        return self._raw(detected, secure)

    def _tls(self) -> Route | UpgradeRefused:
        """
        A ClientHello, not inside TLS.
        """
        if not (self.mode.secure or self.options.sslUpgrade):
            return self._raw(Detected.TLS, secure=False)
        wanted = self.options.ssl is not SSLSwitch.OFF and self.mode is not Mode.UNIX
        if wanted and self.tlsAvailable:
            return Route.TLS
        return UpgradeRefused(Detected.TLS, Expected.NOT_TLS)

    def _looksForHTTP(self) -> bool:
        """
        Whether HTTP is told from other octets.
        """
        switches = self.options
        return self.mode in _WEB_MODES or switches.httpUpgrade or switches.websocketUpgrade

    def _served(self, detected: Detected) -> Route | UpgradeRefused:
        """
        HTTP, if there is anything to say in it.
        """
        if self.pages or self.webSockets:
            return Route.HTTP
        return UpgradeRefused(detected, Expected.NOT_HTTP)

    def _raw(self, detected: Detected, secure: bool) -> Route | UpgradeRefused:
        """
        Octets as they are, whatever they may be.
        """
        if self.mode in _WEB_MODES:
            expected = Expected.HTTPS if self.mode is Mode.WSS else Expected.HTTP
            return UpgradeRefused(detected, expected, web=True)
        if self.sessionAvailable:
            return Route.SESSION
        return UpgradeRefused(detected, Expected.NOT_RAW)
