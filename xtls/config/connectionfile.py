"""
Connection files: C{*.xpra}, lines of C{key=value} that say where to connect and how.

Such a file may have been sent by somebody else.  So what it says of verification is taken where it names
whom to believe, and refused where it asks to believe anybody; likewise what would protect less, and what
names the reader's own keys: L{refuseWeakening}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from twisted.logger import Logger

from xtls.config.definitions import Layer, Side, optionNamed, unknownOption
from xtls.config.modes import MODES, Mode, Target, checkHost, parsePort, quotePath, requireTLS
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import ALL_OPTIONS, layerOf, optionCalled, resolveBoth
from xtls.config.values import TLSVersions, quoted
from xtls.errors import OptionError

_T = TypeVar("_T")

_log = Logger()

#: How the names of connection files end.
SUFFIX = ".xpra"

#: Their type, for desktops and servers of files.
MIME_TYPE = "application/x-xpraconfig"

#: The largest file that is read, in octets.
LARGEST_FILE = 1 << 20

#: What says where to connect.
PLACE = {
    "mode": "how to speak: tcp, ssl, ws, wss, ssh or socket",
    "host": "the server: a name or an address; an IPv6 address may stand in brackets",
    "port": "its port; where there is no such line, the mode has one",
    "ssh_port": "its port, for ssh",
    "path": "the path of the URL, without its first slash; for sockets, the path of the socket",
    "username": "whom to log in as",
    "password": "the password",
}

#: What xpra's files may say besides, and what has no meaning here.  So have all options of servers.
_IGNORED_WORDS = """
autoconnect display display_name session-name session_name title name password_file password-file
ssh_key ssh-key ssh_password socket-dir socket-dirs exit-ssh exit-with-client
proxy_host proxy_port proxy_username proxy_password proxy_key
encoding encodings quality min-quality speed min-speed auto-refresh-delay video video-encoders
video-decoders video-scaling csc-modules colorspace opengl desktop-scaling desktop-fullscreen
pixel-depth dpi refresh-rate windows splash tray delay-tray system-tray headerbar border window-close
window-icon tray-icon min-size max-size modal-windows
sharing lock readonly reconnect challenge-handlers auth uid gid min-port
clipboard clipboard-direction clipboard-filter-file local-clipboard remote-clipboard
keyboard keyboard-sync keyboard-raw keyboard-layout keyboard-layouts keyboard-variant
keyboard-variants keyboard-options keyboard-backend key-shortcut shortcut-modifiers swap-keys
input-method input-devices swipe-keys
pointer mousewheel cursors bell notifications xsettings mmap mmap-group
audio audio-source audio-codec speaker speaker-codec microphone microphone-codec pulseaudio sound-source
av-sync dbus-launch dbus-control printing printer file-transfer file-size-limit open-files open-url
open-command download-path webcam
compression compressors compression_level packet-encoders bandwidth-limit bandwidth-detection pings ping
debug log-file log-dir
encryption encryption-keyfile tcp-encryption tcp-encryption-keyfile
http-headers http-scripts systemd-run backend gui remote-logging commands start attach command
sync-xvfb forward-xdg-open proxy-start-sessions idle-timeout server-idle-timeout rfb-upgrade quic
"""
IGNORED = frozenset(_IGNORED_WORDS.split())

#: What is in every file of xpra's, and worth no word.
_EVERYWHERE = {"autoconnect"}

#: What terminals obey: control characters, and those that turn the direction of text.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

#: The lines of a file, by key: text and place of each.
_Lines = list[tuple[str, str, str]]


def _lines(text: str, name: str) -> _Lines:
    """
    Part a file into its lines; empty ones and those that begin with C{#} or C{;} say nothing.

    @return: key, value and place of each.
    """
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", ";")):
            continue
        key, equals, value = stripped.partition("=")
        place = f"{name} line {number}"
        if _CONTROLS.search(stripped):
            # it would be obeyed by the terminal that shows it
            raise OptionError("connection file", place, "expected text without control characters")
        if not equals or not key.strip():
            raise OptionError("connection file", place, "expected key=value")
        lines.append((key.strip(), value.strip(), place))
    return lines


def _sort(lines: _Lines, name: str) -> tuple[dict[str, tuple[str, str]], _Lines]:
    """
    Part what says where to connect from the options; pass over what has no meaning here.
    """
    where: dict[str, tuple[str, str]] = {}
    said = []
    passed: dict[str, None] = {}
    for key, value, place in lines:
        definition = optionCalled(key)
        if key in PLACE:
            if where.setdefault(key, (value, place))[0] != value:
                raise OptionError(key, place, "said more than once, with different values: expected one")
        elif definition is not None:
            if definition.side & Side.CLIENT:
                said.append((key, value, place))
            else:
                passed[key] = None
        elif key in IGNORED:
            passed[key] = None
        else:
            raise unknownOption(key, place, ALL_OPTIONS, PLACE)
    if passed.keys() - _EVERYWHERE:
        _log.info("passed over in {name}, where it has no meaning: {keys}", name=name, keys=", ".join(passed))
    return where, said


def _parseMode(text: str) -> Mode:
    """
    Read a mode, in the words of these files.
    """
    word = " ".join(text.lower().split())
    if word in MODES:
        return MODES[word]
    if word == "ssh -> ssh":
        raise ValueError("a way through another ssh server is not offered: expected ssh, to the last one")
    raise ValueError(f"expected tcp, ssl, ws or wss, not {quoted(text)}")


def _take(where: Mapping[str, tuple[str, str]], key: str, name: str, parse: Callable[[str], _T]) -> _T:
    """
    Read one of the lines that say where to connect.
    """
    if key not in where:
        raise OptionError(key, name, f"there is no such line: expected {key}=…")
    text, place = where[key]
    try:
        return parse(text)
    except ValueError as error:
        raise OptionError(key, place, str(error)) from None


def parseConnectionFile(text: str, name: str) -> Target:
    """
    Read the text of a connection file.

    @param name: the file's name, for errors.
    @raise OptionError: if it cannot be used; it says which line.
    """
    where, said = _sort(_lines(text, name), name)
    mode = _take(where, "mode", name, _parseMode)
    layer = layerOf(name, said, Side.CLIENT)
    if not mode.secure:
        requireTLS(layer, mode, "expected mode=ssl or mode=wss, or no such line")
    username, password = (where.get(key, ("", ""))[0] for key in ("username", "password"))
    if mode is Mode.UNIX:
        path = _take(where, "path", name, _parseSocketPath)
        return Target(mode, "", 0, path, username, password, layer, trusted=False)
    host = _take(where, "host", name, _parseHost)
    portKey = "ssh_port" if mode is Mode.SSH and where.get("ssh_port", ("", ""))[0] else "port"
    port = _take(where, portKey, name, parsePort) if where.get(portKey, ("", ""))[0] else mode.defaultPort
    path = "/" + quotePath(where.get("path", ("", ""))[0].removeprefix("/"))
    return Target(mode, host, port, path, username, password, layer, trusted=False)


def _parseHost(text: str) -> str:
    """
    Read a host, whose brackets are tolerated.
    """
    return checkHost(text[1:-1] if text.startswith("[") and text.endswith("]") else text)


def _parseSocketPath(text: str) -> str:
    """
    Read the path of a Unix socket.
    """
    if text.startswith(("/", "@")) and len(text) > 1 and "\0" not in text:
        return text
    raise ValueError(f"expected the whole path of a socket, not {quoted(text)}")


def readConnectionFile(path: str) -> Target:
    """
    Read a connection file.

    @raise OptionError: if it cannot be read or used; it says which line.
    """
    try:
        with open(path, "rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "no path can hold a NUL"
        raise OptionError("connection file", path, f"cannot read it: {problem}") from None
    if len(data) > LARGEST_FILE:
        raise OptionError("connection file", path, f"expected at most {LARGEST_FILE} octets")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OptionError("connection file", path, "expected text in UTF-8") from None
    return parseConnectionFile(text, path)


def _fits(value: str) -> bool:
    """
    Whether a value is read from a line as it was written there.
    """
    return value == value.strip() and not _CONTROLS.search(value)


def _line(key: str, value: str, source: str) -> str:
    """
    Write one line; what would be read otherwise is refused.
    """
    if not _fits(value):
        problem = "a connection file cannot hold it: expected it on one line, without spaces at its ends"
        raise OptionError(key, source, problem)
    return f"{key}={value}\n"


def writeConnectionFile(target: Target) -> str:
    """
    Write a target as a connection file, with its secrets: L{readConnectionFile} reads it back.

    @raise OptionError: for a value that has no place on one line.
    """
    where = {"host": target.host, "autoconnect": "true", "port": str(target.port)}
    if target.mode is Mode.UNIX:
        where = {"autoconnect": "true"}
    where.update(mode=target.mode.value, username=target.username, password=target.password)
    where.update(path="" if target.path == "/" else target.path)
    lines = [_line(key, value, "target") for key, value in where.items() if value]
    for name, texts in target.layer.values.items():
        definition = ALL_OPTIONS[name]
        for text in (texts,) if isinstance(texts, str) else texts:
            fitting = text if _fits(text) else definition.format(definition.parse(text))
            lines.append(_line(name, fitting, target.layer.sourceOf(name)))
    return "".join(lines)


#: The suites of TLS 1.2 that are taken by default, and those of TLS 1.3: to ask for some of them is to ask
#: for no less.
_STRONG_SUITES = re.compile(
    r"(ECDHE-(ECDSA|RSA)-(AES128-GCM-SHA256|AES256-GCM-SHA384|CHACHA20-POLY1305)|TLS_[A-Z0-9_]+)"
)

_VERIFICATION = "nobody but you may lower verification"
_PROTECTION = "nobody but you may lower what protects a connection"
_IDENTITY = "nobody but you may say who you are, or name your keys and secrets"


@dataclass(frozen=True)
class Reserved:
    """
    What the user alone may say of an option.

    @ivar values: which values, for the reference.
    @ivar test: whether a value is one of them.
    @ivar why: the beginning of the refusal.
    """

    values: str
    test: Callable[[Any], bool]
    why: str


#: What a stranger may not say, by attribute.
RESERVED = {
    "serverVerifyMode": Reserved("none", lambda mode: mode is VerifyMode.NONE, _VERIFICATION),
    "checkHostname": Reserved("no", lambda checked: not checked, _VERIFICATION),
    "verifyFlags": Reserved("ALLOW_PROXY_CERTS", lambda names: "ALLOW_PROXY_CERTS" in names, _VERIFICATION),
    "protocol": Reserved(
        "any without TLS 1.3", lambda versions: versions.maximum < TLSVersions().maximum, _PROTECTION
    ),
    "ciphers": Reserved(
        "any but suites of the default", lambda text: bool(text) and not _areStrong(text), _PROTECTION
    ),
    "options": Reserved("NO_TLSv1_3", lambda names: "NO_TLSv1_3" in names, _PROTECTION),
    "cert": Reserved("any but auto", lambda paths: any(path != "auto" for path in paths), _IDENTITY),
    "key": Reserved("any", bool, _IDENTITY),
    "keyPassword": Reserved("any", bool, _IDENTITY),
}


def _areStrong(ciphers: str) -> bool:
    """
    Whether a list of suites has none but strong ones.
    """
    return all(_STRONG_SUITES.fullmatch(word) for word in re.split("[:, ]+", ciphers))


#: What says whom to believe.
ANCHORS = ("caCerts", "caData", "pin")


def refuseWeakening(untrusted: Layer, trusted: Layer) -> None:
    """
    Refuse options that are the user's alone where they came from somebody else, unless the user decides the
    same option on the command line (which then wins): what lowers verification, what lowers protection, and
    what names the user's own keys and secrets.

    @param untrusted: what a connection file, a URL from elsewhere or a remembered entry says.
    @param trusted: what the user says, here and now.
    @raise OptionError: for the first that does.
    """
    theirs, _ = resolveBoth(untrusted)
    ours, _ = resolveBoth(trusted)
    for attribute, reserved in RESERVED.items():
        if reserved.test(getattr(theirs, attribute)) and not ours.given(attribute):
            definition = optionNamed(TLSOptions, attribute)
            said = theirs.layer("").values[definition.name]
            first = said if isinstance(said, str) else said[0]
            shown = definition.metavar if definition.secret else first
            raise theirs.error(attribute, f"{reserved.why}: if you mean it, add --{definition.name}={shown}")


def withoutAnchors(untrusted: Layer, trusted: Layer) -> Layer:
    """
    Leave out whom somebody else says to believe, where the user says it: those are believed alone.

    @param untrusted: what a connection file, a URL from elsewhere or a remembered entry says.
    @param trusted: what the user says, here and now.
    """
    ours, _ = resolveBoth(trusted)
    if not any(ours.given(attribute) for attribute in ANCHORS):
        return untrusted
    left = {
        name: text
        for name, text in untrusted.values.items()
        if getattr(optionCalled(name), "attribute", "") not in ANCHORS
    }
    return replace(untrusted, values=left)
