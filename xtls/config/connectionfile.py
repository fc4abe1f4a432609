"""
Connection files: C{*.xpra}, lines of C{key=value} that say where to connect and how.

Such a file may have been sent by somebody else.  So what it says of verification is taken where it names
whom to believe, and refused where it asks to believe anybody: L{refuseWeakening}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from xtls.config.definitions import Layer, Side, optionNamed, unknownOption
from xtls.config.modes import MODES, Mode, Target, checkHost, parsePort, quotePath, requireTLS
from xtls.config.options import TLSOptions, VerifyMode
from xtls.config.portoptions import ALL_OPTIONS, layerOf, optionCalled, resolveBoth
from xtls.config.values import quoted
from xtls.errors import OptionError

_T = TypeVar("_T")

#: How the names of connection files end.
SUFFIX = ".xpra"

#: Their type, for desktops and servers of files.
MIME_TYPE = "application/x-xpraconfig"

#: The largest file that is read, in octets.
LARGEST_FILE = 1 << 20

#: What says where to connect.
_PLACE = frozenset(("mode", "host", "port", "ssh_port", "path", "username", "password"))

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
_IGNORED = frozenset(_IGNORED_WORDS.split())


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
        if not equals or not key.strip():
            raise OptionError("connection file", place, "expected key=value")
        lines.append((key.strip(), value.strip(), place))
    return lines


def _sort(lines: _Lines) -> tuple[dict[str, tuple[str, str]], _Lines]:
    """
    Part what says where to connect from the options; leave out what has no meaning here.
    """
    where: dict[str, tuple[str, str]] = {}
    said = []
    for key, value, place in lines:
        definition = optionCalled(key)
        if key in _PLACE:
            if where.setdefault(key, (value, place))[0] != value:
                raise OptionError(key, place, "said more than once, with different values: expected one")
        elif definition is not None:
            if definition.side & Side.CLIENT:
                said.append((key, value, place))
        elif key not in _IGNORED:
            raise unknownOption(key, place, ALL_OPTIONS, _PLACE)
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
    where, said = _sort(_lines(text, name))
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
    return value == value.strip() and "\n" not in value and "\r" not in value


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


#: What lowers verification: attribute and test of its value.
_WEAKENING: dict[str, Callable[[Any], bool]] = {
    "serverVerifyMode": lambda mode: mode is VerifyMode.NONE,
    "checkHostname": lambda checked: not checked,
    "verifyFlags": lambda names: "ALLOW_PROXY_CERTS" in names,
}

#: What says whom to believe.
_ANCHORS = ("caCerts", "caData")


def refuseWeakening(untrusted: Layer, trusted: Layer) -> None:
    """
    Refuse options that lower verification where they came from somebody else, unless the user decides the
    same option on the command line (which then wins).

    @param untrusted: what a connection file, a URL from elsewhere or a remembered entry says.
    @param trusted: what the user says, here and now.
    @raise OptionError: for the first that does.
    """
    theirs, _ = resolveBoth(untrusted)
    ours, _ = resolveBoth(trusted)
    for attribute, lowers in _WEAKENING.items():
        if lowers(getattr(theirs, attribute)) and not ours.given(attribute):
            name = optionNamed(TLSOptions, attribute).name
            said = theirs.layer("").values[name]
            raise theirs.error(
                attribute, f"nobody but you may lower verification: if you mean it, add --{name}={said}"
            )


def withoutAnchors(untrusted: Layer, trusted: Layer) -> Layer:
    """
    Leave out whom somebody else says to believe, where the user says it: those are believed alone.

    @param untrusted: what a connection file, a URL from elsewhere or a remembered entry says.
    @param trusted: what the user says, here and now.
    """
    ours, _ = resolveBoth(trusted)
    if not any(ours.given(attribute) for attribute in _ANCHORS):
        return untrusted
    left = {
        name: text
        for name, text in untrusted.values.items()
        if getattr(optionCalled(name), "attribute", "") not in _ANCHORS
    }
    return replace(untrusted, values=left)
