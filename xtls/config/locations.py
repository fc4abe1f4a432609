"""
Where things are kept, on each platform: the default certificate, the CA beside it, the user's own files.

xpra's places are looked at too, after ours, so that what was set up for it serves here as well.  Every
function takes what its answer depends on as parameters, for tests; what is left out is the process's own:

  - C{environ}: the environment;
  - C{platform}: as L{sys.platform};
  - C{home}: the user's home directory;
  - C{root}: whether the user is the administrator, in whose home no certificate is looked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

#: Directories to search in place of all others, separated as in PATH.
SEARCH_VARIABLES = ("XTLS_SSL_CERT_PATHS", "XPRA_SSL_CERT_PATHS")

#: The names of certificates, and of the key that is looked for beside one whose file does not hold it.
CERTIFICATE_NAMES = {"ssl-cert.pem": "ssl-key.pem", "cert.pem": "key.pem"}

#: The name of a CA's certificate.
CA_NAME = "ca-cert.pem"

#: The folder of the user's own CA, beside the default certificate.
CA_FOLDER = "ca"


def _isRoot() -> bool:
    """
    Whether the process is the administrator's, on systems that say so.
    """
    return getattr(os, "geteuid", lambda: 1)() == 0


def _homeOf(environ: Mapping[str, str], home: Path | None) -> Path | None:
    """
    The home directory; L{None} where there is none, as for some services.
    """
    if home is None:
        home = Path(environ["HOME"] if environ.get("HOME") else os.path.expanduser("~"))
    return home if home.is_absolute() else None


def _systemDirectory(environ: Mapping[str, str], platform: str, name: str) -> Path:
    """
    Where a program keeps what is for all users.
    """
    if platform == "win32":
        return Path(environ.get("PROGRAMDATA") or "C:\\ProgramData", name)
    if platform == "darwin":
        return Path("/Library/Application Support", name)
    return Path("/etc", name)


def _userDirectory(environ: Mapping[str, str], platform: str, home: Path, name: str) -> Path:
    """
    Where a program keeps what is for one user.
    """
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming", name)
    if platform == "darwin":
        return home / "Library" / "Application Support" / name
    configured = environ.get("XDG_CONFIG_HOME", "")
    # the specification of these directories says that a relative path is to be ignored
    return Path(configured if os.path.isabs(configured) else home / ".config", name)


def configDirectory(
    environ: Mapping[str, str] | None = None, platform: str | None = None, home: Path | None = None
) -> Path:
    """
    Where the user's own files are; the system's directory for a user without a home.
    """
    environ = os.environ if environ is None else environ
    platform = platform or sys.platform
    found = _homeOf(environ, home)
    if found is None:
        return _systemDirectory(environ, platform, "xtls")
    return _userDirectory(environ, platform, found, "xtls")


def _overriding(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """
    The directories that the environment names in place of all others.
    """
    for variable in SEARCH_VARIABLES:
        if environ.get(variable):
            return tuple(Path(part).expanduser() for part in environ[variable].split(os.pathsep) if part)
    return ()


def defaultCertificatePath(
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    home: Path | None = None,
    root: bool | None = None,
) -> Path:
    """
    Where the default certificate is made when there is none: with the user's own files, or for the
    administrator with the system's.
    """
    environ = os.environ if environ is None else environ
    platform = platform or sys.platform
    overriding = _overriding(environ)
    if overriding:
        directory = overriding[0]
    elif _isRoot() if root is None else root:
        directory = _systemDirectory(environ, platform, "xtls")
    else:
        directory = configDirectory(environ, platform, home)
    return directory / next(iter(CERTIFICATE_NAMES))


def authorityDirectory(
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    home: Path | None = None,
    root: bool | None = None,
) -> Path:
    """
    Where the user's own CA is kept: in a folder beside the default certificate.
    """
    return defaultCertificatePath(environ, platform, home, root).with_name(CA_FOLDER)


def certificateSearchPath(
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    home: Path | None = None,
    root: bool | None = None,
) -> tuple[Path, ...]:
    """
    The directories where certificates are looked for, the first first.  The current directory is not among
    them: it may be anybody's.
    """
    environ = os.environ if environ is None else environ
    platform = platform or sys.platform
    overriding = _overriding(environ)
    if overriding:
        return overriding
    system = _systemDirectory(environ, platform, "xtls")
    theirs = _systemDirectory(environ, platform, "xpra" if platform not in ("win32", "darwin") else "Xpra")
    directories = [defaultCertificatePath(environ, platform, home, root).parent]
    found = _homeOf(environ, home)
    if found is not None and not (_isRoot() if root is None else root):
        if platform in ("win32", "darwin"):
            directories.append(_userDirectory(environ, platform, found, "Xpra") / "ssl")
        directories += [found / ".config" / "xpra" / "ssl", found / ".xpra" / "ssl"]
    directories += [system, theirs / "ssl"]
    if platform != "win32":
        directories += [Path("/etc/xpra/ssl"), Path("/usr/local/etc/xpra/ssl")]
    directories.append(theirs)
    if platform != "win32":
        directories += [Path("/etc/xpra"), Path("/usr/local/etc/xpra")]
    return tuple(dict.fromkeys(directories))


def _readable(path: Path) -> bool:
    """
    Whether there is such a file, and we may read it: another user's is as good as none.
    """
    return os.path.isfile(path) and os.access(path, os.R_OK)


def findDefaultCertificate(
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    home: Path | None = None,
    root: bool | None = None,
) -> Path | None:
    """
    The first certificate in the directories; its key is in it, or where L{keyBeside} says.

    One of xpra's whose key we may not read is as good as none: nobody has put it there for us.  One in a
    directory of ours is found without its key too, so that somebody hears that this is missing.
    """
    environ = os.environ if environ is None else environ
    platform = platform or sys.platform
    ours = (
        *_overriding(environ),
        defaultCertificatePath(environ, platform, home, root).parent,
        _systemDirectory(environ, platform, "xtls"),
    )
    for directory in certificateSearchPath(environ, platform, home, root):
        for path in (directory / name for name in CERTIFICATE_NAMES):
            if _readable(path) and (directory in ours or _hasKey(path)):
                return path
    return None


def _hasKey(certificate: Path) -> bool:
    """
    Whether there is a key that we may read in the file of a certificate, or beside it.
    """
    return keyBeside(certificate) is not None or b"PRIVATE KEY-----" in certificate.read_bytes()


def keyBeside(certificate: Path) -> Path | None:
    """
    The file beside a default certificate in which its key is, if there is one.
    """
    path = certificate.with_name(CERTIFICATE_NAMES.get(certificate.name, "key.pem"))
    return path if _readable(path) else None


def findDefaultCA(
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    home: Path | None = None,
    root: bool | None = None,
) -> Path | None:
    """
    The first certificate of a CA in the directories, or in the folder for it in one of them.
    """
    directories = certificateSearchPath(environ, platform, home, root)
    places = (place for directory in directories for place in (directory, directory / CA_FOLDER))
    return next(filter(_readable, (place / CA_NAME for place in places)), None)
