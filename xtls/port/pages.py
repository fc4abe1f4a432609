"""
What a port shows to browsers: files of a directory, or a small page that tells how to attach.

Both are resources of twisted.web that are only read: L{WebFactory<xtls.port.web.WebFactory>} lets nothing but
GET and HEAD without content get to them.  Any other resource may take their place.
"""

from __future__ import annotations

import re
import shlex
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.python.filepath import FilePath
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.static import Data, File

from xtls.port.detect import Detected
from xtls.port.upgrades import Route, UpgradePolicy
from xtls.wire.addresses import addressName

__all__ = ["AttachPage", "Directory", "commandsFor", "pages"]

_PLAIN: Final = "text/plain; charset=us-ascii"

#: What the page consists of, beside itself; and what each is.
_ASSETS: Final = {
    "console.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

#: Hosts that may be named in a policy: nothing in them can end a source or begin another.
_POLICY_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]+")

#: Nothing but our own scripts and styles, and WebSockets to where the page comes from.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{sockets};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS: Final = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Cache-Control", b"no-cache"),
)

#: A range of octets that twisted.web reads as it should: one, and not longer than any file.
_RANGE: Final = re.compile(rb"bytes=(?:[0-9]{1,18}-[0-9]{0,18})")

#: Names of files that nobody is meant to see, and what is no name of a file.
_HIDDEN: Final = re.compile(rb"(?s:.*[\x00-\x1f\x7f/\\])|\.(?!well-known\Z)")


def pages(wwwDirectory: str | None = None) -> IResource:
    """
    What a port shows to browsers.

    @param wwwDirectory: where its files are; if L{None}, the page that tells how to attach is shown.
    """
    return AttachPage() if wwwDirectory is None else Directory(wwwDirectory)


class _NotFound(Data):
    """
    There is nothing at this place.
    """

    def __init__(self) -> None:
        super().__init__(b"There is nothing here.\n", _PLAIN)

    def render_GET(self, request: Any) -> bytes:
        """
        Say so.
        """
        request.setResponseCode(http.NOT_FOUND)
        content: bytes = super().render_GET(request)
        return content

    render_HEAD = render_GET

    def getChild(self, path: bytes, request: Any) -> IResource:
        """
        Nor is there below it.
        """
        return self


class Directory(File):
    """
    The files of a directory and of those below it.  Not shown are: names that begin with a dot, but for
    C{.well-known} (RFC 8615); lists of what is in a directory; and what is neither a file nor a directory.
    Symbolic links are followed.
    """

    readOnly = True
    indexNames = ["index.html"]
    childNotFound = _NotFound()  # type: ignore[assignment]
    contentTypes = {
        **File.contentTypes,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".svg": "image/svg+xml",
        ".json": "application/json",
        ".woff2": "font/woff2",
    }

    def getChild(self, path: bytes, request: Any) -> IResource:
        """
        What a segment of a path leads to.
        """
        if _HIDDEN.match(path):
            return self.childNotFound
        try:
            path.decode("utf-8")
        except UnicodeDecodeError:
            return self.childNotFound
        child: Any = super().getChild(path, request)
        if isinstance(child, FilePath) and not (child.isdir() or child.isfile()):
            return self.childNotFound
        return child  # type: ignore[no-any-return]

    def directoryListing(self) -> IResource:
        """
        None.
        """
        return self.childNotFound

    def render_GET(self, request: Any) -> Any:
        """
        A file, or the one range of it that was asked for; other ranges are not answered as such, which is
        allowed (RFC 9110, section 14.2): many of one file would be an amplifier.
        """
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        asked = request.requestHeaders.getRawHeaders(b"range", [])
        if asked and (len(asked) > 1 or not _RANGE.fullmatch(asked[0])):
            request.requestHeaders.removeHeader(b"range")
        return super().render_GET(request)

    render_HEAD = render_GET


class _Asset(Data):
    """
    A part of the page.
    """

    def render_GET(self, request: Any) -> bytes:
        """
        The part.
        """
        _secure(request)
        content: bytes = super().render_GET(request)
        return content

    render_HEAD = render_GET


class AttachPage(Resource):
    """
    One page that tells how to attach to this very port, with a console over a WebSocket.
    """

    readOnly = True

    def __init__(self) -> None:
        super().__init__()
        folder = files("xtls.port") / "assets"
        self._template = Template((folder / "page.html").read_text("utf-8"))
        for name, contentType in _ASSETS.items():
            self.putChild(name.encode(), _Asset((folder / name).read_bytes(), contentType))
        self.putChild(b"", self)
        self.putChild(b"index.html", self)

    def getChild(self, path: bytes, request: Any) -> IResource:
        """
        Nothing else is here.
        """
        return _NotFound()

    def render_GET(self, request: Any) -> bytes:
        """
        The page, for the host and port by which it was asked for.
        """
        authority = _authority(request)
        policy: UpgradePolicy = request.channel.web.policy
        secure = bool(request.isSecure())
        commands = "\n".join(
            f"<dt>{escape(purpose)}</dt><dd><pre><code>{escape(command)}</code></pre></dd>"
            for purpose, command in commandsFor(policy, authority, secure=secure)
        )
        content = self._template.substitute(
            authority=escape(authority),
            lead=escape(_lead(policy, secure=secure)),
            commands=commands or "<dt>Nothing: there are only pages here.</dt>",
            available="yes" if policy.webSockets else "no",
            unavailable="" if policy.webSockets else "there are no WebSockets here",
        ).encode("utf-8")
        _secure(request, authority)
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        request.setHeader(b"Content-Length", b"%d" % len(content))
        return b"" if request.method == b"HEAD" else content

    render_HEAD = render_GET


def _secure(request: Any, authority: str = "") -> None:
    """
    Set the headers that keep a page to itself.
    """
    sockets = f" ws://{authority} wss://{authority}" if _POLICY_HOST.fullmatch(authority) else ""
    request.setHeader(b"Content-Security-Policy", _POLICY.format(sockets=sockets).encode("ascii"))
    for name, value in _HEADERS:
        request.setHeader(name, value)


def _authority(request: Any) -> str:
    """
    Host and port of the URL that was asked for; of HTTP/1.0, which may not say, the address.
    """
    host: str = (request.getHeader(b"host") or b"").decode("ascii")
    if host:
        return host
    here = request.getHost()
    return addressName(here) if isinstance(here, (IPv4Address, IPv6Address)) else "localhost"


def _lead(policy: UpgradePolicy, *, secure: bool) -> str:
    """
    What the page begins with.
    """
    if secure:
        return "This page came over TLS. The same port takes other protocols too."
    if policy.route(Detected.TLS, secure=False) is Route.TLS:
        return "This page came without TLS, which the same port takes too: use https to read it safely."
    return "This page came without TLS, and this port has none: whoever is on the way can read along."


def commandsFor(policy: UpgradePolicy, authority: str, *, secure: bool) -> list[tuple[str, str]]:
    """
    How to attach to a port: purposes and commands, over TLS wherever the port has it.

    @param authority: host and port, as in a URL of http or https.
    @param secure: whether that URL is one of https.
    """
    if not policy.sessionAvailable:
        return []
    tls = secure or policy.route(Detected.TLS, secure=False) is Route.TLS
    if not re.search(r":[0-9]+\Z", authority):
        authority = f"{authority.rstrip(':')}:{443 if secure else 80}"
    raw = policy.route(Detected.RAW, secure=tls) is Route.SESSION
    web = f"{'wss' if tls else 'ws'}://{authority}/" if policy.webSockets else ""
    best = f"{'ssl' if tls else 'tcp'}://{authority}/" if raw else web
    if not best:
        return []
    commands = [
        ("Join this terminal to it", _attach(best)),
        ("Give it a local port, for any program", _attach(best, "--listen=tcp:5901:interface=127.0.0.1")),
    ]
    if raw and web:
        commands.insert(1, ("The same through proxies that let only web traffic pass", _attach(web)))
    else:
        commands.append(("Run a program that uses it", _attach(best, "--", "vncviewer", "127.0.0.1::{port}")))
    return commands


def _attach(*words: str) -> str:
    """
    A command line, safe to be copied into a shell.
    """
    return shlex.join(("xtls", "attach", *words))
