"""
C{xtls cert install-desktop}: connection files open with a double click, on desktops like freedesktop.org's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from xtls.config.connectionfile import MIME_TYPE, SUFFIX
from xtls.errors import CertificateFileError, OptionError
from xtls.programs.commandline import SOURCE, CommandLine, Word
from xtls.programs.desktopfiles import (
    ENTRY_NAME,
    MIME_NAME,
    defaultOf,
    entry,
    mimeType,
    takes,
    withDefault,
    withoutDefault,
)
from xtls.programs.messages import thisCommand
from xtls.programs.statuses import ExitStatus

__all__ = ["Desktop", "run", "updateDatabase"]

_HELP: Final = f"""\
Usage: xtls cert install-desktop [options]

Tells the desktop about connection files: *{SUFFIX} is of the type {MIME_TYPE}, and opens in a
terminal, by "xtls attach".  Where another program opens such files already, it goes on doing so.

For Linux, and other systems whose desktops follow freedesktop.org.

"""

_EXAMPLES: Final = """\

Examples:
  xtls cert install-desktop
  xtls cert install-desktop --default       # although xpra opens them
  xtls cert install-desktop --remove
"""

_LINE: Final = CommandLine(
    [
        Word("system", "for all users, in /usr/local/share, and not for you alone", group="options"),
        Word("default", "open such files also where another program does", group="options"),
        Word("remove", "take everything away again", group="options"),
        Word("help", "show this", group="options"),
    ]
)

#: Where an administrator adds to what the system has, and where systems look for what is for all users.
_SYSTEM: Final = "/usr/local/share"
_DATA_DIRECTORIES: Final = "/usr/local/share:/usr/share"

#: What brings the databases of desktops up to date, and the directory that each is told.
_UPDATES: Final = {"update-mime-database": "mime", "update-desktop-database": "applications"}

#: How long one of them may take, in seconds.
_DEADLINE: Final = 60


def updateDatabase(words: Sequence[str], execute: Callable[..., Any] = subprocess.run) -> bool:
    """
    Run a program that brings a database up to date.

    @param execute: runs a program, as L{subprocess.run} does.
    @return: whether there is such a program, and it succeeded.
    """
    try:
        done = execute(words, capture_output=True, timeout=_DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(done.returncode == 0)


@dataclass(frozen=True)
class Desktop:
    """
    Where a desktop looks.

    @ivar data: the directory for types and entries that is written to.
    @ivar defaults: the list of default applications that is written to.
    @ivar others: further directories for types and entries.
    @ivar lists: further lists of default applications, those that count more first.
    """

    data: Path
    defaults: Path
    others: tuple[Path, ...]
    lists: tuple[Path, ...]

    @classmethod
    def of(cls, environ: Mapping[str, str], system: bool) -> Desktop:
        """
        The desktop of this user, or of all users (XDG Base Directory Specification).
        """
        home = Path(environ.get("HOME") or os.path.expanduser("~"))
        own = _absolute(environ, "XDG_DATA_HOME", home / ".local" / "share")
        config = _absolute(environ, "XDG_CONFIG_HOME", home / ".config") / "mimeapps.list"
        said = environ.get("XDG_DATA_DIRS") or _DATA_DIRECTORIES
        shared = [Path(each) for each in said.split(os.pathsep) if os.path.isabs(each)]
        data = Path(_SYSTEM) if system else own
        everywhere = list(dict.fromkeys([*([] if system else [own]), *shared]))
        others = tuple(each for each in everywhere if each != data)
        lists = tuple(each / "applications" / "mimeapps.list" for each in others)
        if system:
            return cls(data, data / "applications" / "mimeapps.list", others, lists)
        return cls(data, config, others, (own / "applications" / "mimeapps.list", *lists))

    @property
    def files(self) -> dict[Path, str]:
        """
        Our files, but for what is in the entry.
        """
        return {
            self.data / "mime" / "packages" / MIME_NAME: mimeType(),
            self.data / "applications" / ENTRY_NAME: "",
        }

    def othersEntries(self) -> list[str]:
        """
        The entries of other programs that open connection files, the one that does so now first.
        """
        found = []
        for directory in (self.data, *self.others):
            folder = directory / "applications"
            for path in sorted(folder.rglob("*.desktop")) if folder.is_dir() else ():
                name = str(path.relative_to(folder)).replace(os.sep, "-")
                if name != ENTRY_NAME and takes(_read(path)):
                    found.append(name)
        said = [name for each in (self.defaults, *self.lists) for name in defaultOf(_read(each))]
        return list(dict.fromkeys([*(name for name in said if name in found), *found]))


def _absolute(environ: Mapping[str, str], variable: str, default: Path) -> Path:
    """
    A directory that a variable names; a relative one does not count.
    """
    said = environ.get(variable, "")
    return Path(said) if os.path.isabs(said) else default


def _read(path: Path) -> str:
    """
    The text of a file; nothing, where it cannot be read.
    """
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def run(
    arguments: Sequence[str],
    desktop: Callable[[Mapping[str, str], bool], Desktop] = Desktop.of,
    update: Callable[[Sequence[str]], bool] = updateDatabase,
    platform: str = sys.platform,
) -> int:
    """
    Install, or remove.

    @param desktop: says where the desktop looks, by the environment and whether all users are meant.
    @param update: runs a program that brings a database up to date, and says whether it did.
    @param platform: as L{sys.platform}.
    @return: the exit status.
    @raise OptionError: if the command line cannot be understood, or this is another kind of system.
    @raise CertificateFileError: if a file cannot be written.
    """
    given = _LINE.parse(arguments)
    if given.has("help"):
        print(_HELP + _LINE.help() + _EXAMPLES, end="")
        return ExitStatus.OK
    if given.arguments:
        raise OptionError(given.arguments[0], SOURCE, "expected no argument")
    if platform in ("win32", "darwin"):
        problem = f"this system has other ways; associate {SUFFIX} there with: {thisCommand()} attach FILE"
        raise OptionError("install-desktop", SOURCE, problem)
    where = desktop(os.environ, given.has("system"))
    if given.has("remove"):
        _remove(where)
    else:
        _install(where, given.has("default"))
    for program, folder in _UPDATES.items():
        if (where.data / folder).is_dir() and not update([program, str(where.data / folder)]):
            print(f"{program} is not here, or failed: desktops may notice later", file=sys.stderr)
    return ExitStatus.OK


def _install(where: Desktop, default: bool) -> None:
    """
    Write our files, and say who opens connection files now.
    """
    others = where.othersEntries()
    program = _program()
    for path, text in where.files.items():
        _write(path, text or entry(program))
        print(f"made {path}")
    keeping = [name for name in defaultOf(_read(where.defaults)) if name in (ENTRY_NAME, *others)]
    if default:
        _write(where.defaults, withDefault(_read(where.defaults), ENTRY_NAME))
    elif others and not keeping:
        # a directory that counts more would take it away from whoever has it
        _write(where.defaults, withDefault(_read(where.defaults), others[0]))
    holder = ENTRY_NAME if default else next(iter(keeping or others), ENTRY_NAME)
    if holder == ENTRY_NAME:
        print(f"{SUFFIX} files open with: {' '.join(program)} attach")
    else:
        print(f"{SUFFIX} files open with {holder} as before, and with xtls where you choose it;")
        print(f"to have xtls open them: {thisCommand()} cert install-desktop --default")


def _remove(where: Desktop) -> None:
    """
    Remove our files, and what was said of them.
    """
    for path in where.files:
        try:
            path.unlink()
        except FileNotFoundError:
            print(f"not there: {path}")
        except OSError as e:
            raise CertificateFileError(str(path), f"cannot be removed: {e.strerror}") from None
        else:
            print(f"removed {path}")
    before = _read(where.defaults)
    if ENTRY_NAME in defaultOf(before):
        _write(where.defaults, withoutDefault(before, ENTRY_NAME))


def _program() -> list[str]:
    """
    The words of this command, which hold whatever the path is where desktops start programs.
    """
    program = Path(sys.argv[0])
    if program.name == "__main__.py" or not program.is_file():
        return [sys.executable, "-m", "xtls"]
    return [str(program.absolute())]


def _write(path: Path, text: str) -> None:
    """
    Write a file that everybody may read, in one step.  A link that is there leads where it did.
    """
    try:
        target = path.resolve()
        temporary = target.with_name(f".{path.name}.new")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.chmod(0o644)
        os.replace(temporary, target)
    except OSError as e:
        raise CertificateFileError(str(path), f"cannot be written: {e.strerror}") from None
