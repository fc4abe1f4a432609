"""
What tells a desktop about connection files (freedesktop.org): the MIME type, the entry that opens such files,
and which entry is the default.

Pure: texts in, texts out; where they lie and what is run is for L{xtls.programs.certinstalldesktop} to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from xtls.config.connectionfile import MIME_TYPE, SUFFIX

__all__ = [
    "ENTRY_NAME",
    "MIME_NAME",
    "defaultOf",
    "entry",
    "mimeType",
    "takes",
    "withDefault",
    "withoutDefault",
]

#: The names of our files, in the directories C{applications} and C{mime/packages}.
ENTRY_NAME: Final = "xtls-attach.desktop"
MIME_NAME: Final = "xtls-connection-file.xml"

#: The part of a list of applications that says defaults.
_DEFAULTS: Final = "[Default Applications]"

#: What must be escaped within quotes of an Exec line.
_RESERVED: Final = '"`$\\'


def mimeType() -> str:
    """
    The type, for the database of shared MIME information.
    """
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{escape(MIME_TYPE)}">
    <comment>connection file</comment>
    <sub-class-of type="text/plain"/>
    <glob pattern="*{escape(SUFFIX)}"/>
  </mime-type>
</mime-info>
"""


def entry(program: Sequence[str]) -> str:
    """
    The entry that opens a connection file, in a terminal that stays open when something went wrong: nobody
    could read why, otherwise.

    @param program: the words of the C{xtls} command.
    """
    script = (
        f'{" ".join(_shellQuoted(word) for word in program)} attach "$1"; status=$?; '
        "[ $status = 0 ] || { echo; echo 'Press Enter to close this window.'; read -r answer; }; exit $status"
    )
    line = " ".join(["sh", "-c", _execQuoted(script), "xtls", "%f"])
    return f"""\
[Desktop Entry]
Type=Application
Name=xtls attach
GenericName=Connection in a terminal
Comment=Connect to the server that a connection file leads to, and verify it
Exec={line}
Terminal=true
NoDisplay=true
Icon=utilities-terminal
Categories=Network;RemoteAccess;
MimeType={MIME_TYPE};
"""


def _shellQuoted(word: str) -> str:
    """
    A word for a shell, in single quotes, which an Exec line has no rules about.
    """
    return "'" + word.replace("'", "'\\''") + "'"


def _execQuoted(argument: str) -> str:
    """
    An argument of an Exec line in double quotes: characters that are special there are escaped, and then the
    backslashes are, since the value is a string too; a percent sign stands for a field.
    """
    quoted = "".join(f"\\{each}" if each in _RESERVED else each for each in argument)
    return '"' + quoted.replace("\\", "\\\\").replace("%", "%%") + '"'


def takes(text: str) -> bool:
    """
    Whether a desktop entry opens connection files.
    """
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == "MimeType" and MIME_TYPE in _items(value):
            return True
    return False


def _items(value: str) -> list[str]:
    """
    The items of a list.
    """
    return [each.strip() for each in value.split(";") if each.strip()]


def _isDefault(section: str, line: str) -> bool:
    """
    Whether a line of a list of applications says the default for connection files.
    """
    return section == _DEFAULTS and line.partition("=")[0].strip() == MIME_TYPE and "=" in line


def _withSections(text: str) -> list[tuple[str, str]]:
    """
    The lines of a list of applications, each with the section that it stands in.
    """
    section = ""
    lines = []
    for line in text.splitlines():
        if line.strip().startswith("["):
            section = line.strip()
        lines.append((section, line))
    return lines


def defaultOf(text: str) -> list[str]:
    """
    The entries that a list of applications (C{mimeapps.list}) says are the default, the first one first.
    """
    return [
        name
        for section, line in _withSections(text)
        if _isDefault(section, line)
        for name in _items(line.partition("=")[2])
    ]


def withDefault(text: str, name: str) -> str:
    """
    A list of applications in which an entry is the default for connection files; the rest stays as it is.
    """
    lines = [line for section, line in _withSections(text) if not _isDefault(section, line)]
    if _DEFAULTS not in [line.strip() for line in lines]:
        lines += [*([""] if lines else []), _DEFAULTS]
    place = [line.strip() for line in lines].index(_DEFAULTS) + 1
    lines.insert(place, f"{MIME_TYPE}={name}")
    return "\n".join(lines) + "\n"


def withoutDefault(text: str, name: str) -> str:
    """
    A list of applications in which an entry is not the default for connection files any more.
    """
    lines = []
    for section, line in _withSections(text):
        if _isDefault(section, line):
            others = [each for each in _items(line.partition("=")[2]) if each != name]
            if not others:
                continue
            line = f"{MIME_TYPE}={';'.join(others)};"
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)
