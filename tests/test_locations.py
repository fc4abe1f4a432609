"""
Where things are kept.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.locations import (
    SEARCH_VARIABLES,
    authorityDirectory,
    certificateSearchPath,
    configDirectory,
    defaultCertificatePath,
    findDefaultCA,
    findDefaultCertificate,
    keyBeside,
)

HOME = Path("/home/me")
OURS, THEIRS = SEARCH_VARIABLES


class PlacesTests(SynchronousTestCase):
    """
    The directories, per platform.
    """

    def test_configDirectory(self) -> None:
        """
        The user's own files are where the platform keeps such.
        """
        mac = HOME / "Library/Application Support/xtls"
        for environ, platform, directory in (
            ({}, "linux", HOME / ".config/xtls"),
            ({"XDG_CONFIG_HOME": "/c"}, "linux", Path("/c/xtls")),
            ({"XDG_CONFIG_HOME": "c"}, "linux", HOME / ".config/xtls"),
            ({"XDG_CONFIG_HOME": ""}, "freebsd14", HOME / ".config/xtls"),
            ({"XDG_CONFIG_HOME": "/c"}, "darwin", mac),
            ({"APPDATA": "/c"}, "win32", Path("/c/xtls")),
            ({}, "win32", HOME / "AppData/Roaming/xtls"),
        ):
            self.assertEqual(configDirectory(environ, platform, HOME), directory)

    def test_home(self) -> None:
        """
        The home is what the environment says; a user without one has the system's directory.
        """
        self.assertEqual(configDirectory({"HOME": "/h"}, "linux"), Path("/h/.config/xtls"))
        for platform, directory in (("linux", "/etc/xtls"), ("darwin", "/Library/Application Support/xtls")):
            self.assertEqual(configDirectory({}, platform, Path("~")), Path(directory))
        self.assertEqual(configDirectory({"PROGRAMDATA": "/p"}, "win32", Path("~")), Path("/p/xtls"))

    def test_process(self) -> None:
        """
        What is not said is the process's own.
        """
        self.patch(os, "environ", {"HOME": "/h"})
        self.patch(sys, "platform", "linux")
        self.assertEqual(configDirectory(), Path("/h/.config/xtls"))
        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(defaultCertificatePath(), Path("/h/.config/xtls/ssl-cert.pem"))
        self.assertIn(Path("/h/.config/xtls"), certificateSearchPath())
        self.patch(os, "geteuid", lambda: 0)
        self.assertEqual(defaultCertificatePath(), Path("/etc/xtls/ssl-cert.pem"))
        self.assertNotIn(Path("/h/.config/xtls"), certificateSearchPath())
        self.patch(os, "environ", {})
        self.assertEqual(configDirectory(home=Path("/x")), Path("/x/.config/xtls"))
        self.assertTrue(configDirectory().is_absolute())

    def test_default(self) -> None:
        """
        The default certificate is made with the user's own files, the administrator's with the system's.
        """
        self.assertEqual(defaultCertificatePath({}, "linux", HOME, False), HOME / ".config/xtls/ssl-cert.pem")
        self.assertEqual(defaultCertificatePath({}, "linux", HOME, True), Path("/etc/xtls/ssl-cert.pem"))

    def test_searchPath(self) -> None:
        """
        The user's directories come before the system's, ours before xpra's; the administrator's home and the
        current directory are not searched.
        """
        system = [
            "/etc/xtls",
            "/etc/xpra/ssl",
            "/usr/local/etc/xpra/ssl",
            "/etc/xpra",
            "/usr/local/etc/xpra",
        ]
        own = ["/home/me/.config/xtls", "/home/me/.config/xpra/ssl", "/home/me/.xpra/ssl"]
        self.assertEqual(
            [str(each) for each in certificateSearchPath({}, "linux", HOME, False)], own + system
        )
        self.assertEqual([str(each) for each in certificateSearchPath({}, "linux", HOME, True)], system)
        self.assertEqual([str(each) for each in certificateSearchPath({}, "linux", Path("~"), False)], system)

    def test_searchPathElsewhere(self) -> None:
        """
        Other platforms have their own places.
        """
        windows = certificateSearchPath({"APPDATA": "/a", "PROGRAMDATA": "/p"}, "win32", HOME, False)
        self.assertEqual(
            [each.as_posix() for each in windows],
            [
                "/a/xtls",
                "/a/Xpra/ssl",
                "/home/me/.config/xpra/ssl",
                "/home/me/.xpra/ssl",
                "/p/xtls",
                "/p/Xpra/ssl",
                "/p/Xpra",
            ],
        )
        mac = [each.as_posix() for each in certificateSearchPath({}, "darwin", HOME, False)]
        self.assertEqual(mac[0], "/home/me/Library/Application Support/xtls")
        self.assertEqual(mac[4], "/Library/Application Support/xtls")
        self.assertIn("/Library/Application Support/Xpra", mac)
        self.assertEqual(len(mac), len(set(mac)))

    def test_override(self) -> None:
        """
        The environment names directories in place of all others, ours before xpra's variable.
        """
        environ = {OURS: os.pathsep.join(["/a", "", "/b"]), THEIRS: "/c"}
        self.assertEqual(certificateSearchPath(environ, "linux", HOME, False), (Path("/a"), Path("/b")))
        self.assertEqual(defaultCertificatePath(environ, "linux", HOME, True), Path("/a/ssl-cert.pem"))
        self.assertEqual(certificateSearchPath({OURS: "", THEIRS: "/c"}, "linux", HOME), (Path("/c"),))


class FindTests(SynchronousTestCase):
    """
    What is found in the directories.
    """

    def setUp(self) -> None:
        self.first, self.second = Path(self.mktemp()), Path(self.mktemp())
        for directory in (self.first, self.second):
            directory.mkdir()
        self.environ = {OURS: f"{self.first}{os.pathsep}{self.second}"}

    def test_nothing(self) -> None:
        """
        Where there is none, nothing is found.
        """
        self.assertIs(findDefaultCertificate(self.environ), None)
        self.assertIs(findDefaultCA(self.environ), None)

    def test_first(self) -> None:
        """
        The first directory that has one decides, by either name; a directory of that name is none.
        """
        (self.second / "ssl-cert.pem").touch()
        self.assertEqual(findDefaultCertificate(self.environ), self.second / "ssl-cert.pem")
        (self.first / "ssl-cert.pem").mkdir()
        (self.first / "cert.pem").touch()
        self.assertEqual(findDefaultCertificate(self.environ), self.first / "cert.pem")

    def test_authority(self) -> None:
        """
        A CA is found by its name, in the directory or in the folder for it.
        """
        (self.second / "ca-cert.pem").touch()
        self.assertEqual(findDefaultCA(self.environ), self.second / "ca-cert.pem")
        folder = authorityDirectory(self.environ)
        self.assertEqual(folder, self.first / "ca")
        folder.mkdir()
        (folder / "ca-cert.pem").touch()
        self.assertEqual(findDefaultCA(self.environ), folder / "ca-cert.pem")

    def test_unreadable(self) -> None:
        """
        One that we may not read is as good as none.
        """
        (self.first / "ssl-cert.pem").touch()
        (self.second / "ssl-cert.pem").touch()
        self.patch(os, "access", lambda path, mode: Path(path).parent != self.first)
        self.assertEqual(findDefaultCertificate(self.environ), self.second / "ssl-cert.pem")

    def test_theirs(self) -> None:
        """
        One of xpra's counts only with a key that we may read, in its file or beside it; one of ours without
        it, too: that it is missing is an error, and not a port without TLS.
        """
        for name in (".config/xpra/ssl", ".config/xtls"):
            (self.first / name).mkdir(parents=True)
        theirs, ours = self.first / ".config/xpra/ssl/cert.pem", self.first / ".config/xtls/ssl-cert.pem"

        def found() -> Path | None:
            return findDefaultCertificate({}, "linux", self.first.absolute(), False)

        self.patch(os.path, "isfile", lambda path: self.first.absolute() in path.parents and path.exists())
        theirs.write_text("-----BEGIN CERTIFICATE-----\n")
        self.assertIs(found(), None)
        theirs.with_name("key.pem").touch()
        self.assertEqual(found(), theirs.absolute())
        theirs.with_name("key.pem").unlink()
        theirs.write_text("-----BEGIN EC PRIVATE KEY-----\n")
        self.assertEqual(found(), theirs.absolute())
        ours.touch()
        self.assertEqual(found(), ours.absolute())

    def test_key(self) -> None:
        """
        The key is looked for beside the certificate, under the name that goes with the certificate's.
        """
        self.assertIs(keyBeside(self.first / "cert.pem"), None)
        (self.first / "key.pem").touch()
        self.assertEqual(keyBeside(self.first / "cert.pem"), self.first / "key.pem")
        self.assertEqual(keyBeside(self.first / "other.pem"), self.first / "key.pem")
        self.assertIs(keyBeside(self.first / "ssl-cert.pem"), None)
        (self.first / "ssl-key.pem").touch()
        self.assertEqual(keyBeside(self.first / "ssl-cert.pem"), self.first / "ssl-key.pem")
