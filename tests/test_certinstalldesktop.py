"""
C{xtls cert install-desktop}.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.certcommands import CertTestCase
from tests.support.desktops import execWords
from xtls.errors import CertificateFileError, OptionError
from xtls.programs import certinstalldesktop
from xtls.programs.certinstalldesktop import Desktop, updateDatabase
from xtls.programs.desktopfiles import ENTRY_NAME, MIME_NAME, defaultOf, entry

#: As xpra's own entry.
XPRA = (
    "[Desktop Entry]\nType=Application\nName=Xpra\nExec=xpra attach %f\nMimeType=application/x-xpraconfig;\n"
)


class InstallTests(CertTestCase):
    """
    C{xtls cert install-desktop}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.environ = {
            "HOME": str(self.directory),
            "XDG_DATA_HOME": "relative, and so it does not count",
            "XDG_DATA_DIRS": f"{self.directory / 'shared'}:relative",
        }
        self.data = self.directory / ".local" / "share"
        self.entry = self.data / "applications" / ENTRY_NAME
        self.type = self.data / "mime" / "packages" / MIME_NAME
        self.list = self.directory / ".config" / "mimeapps.list"
        self.updated: list[list[str]] = []
        self.succeeds = True

    def install(self, *arguments: str, platform: str = "linux") -> str:
        """
        Run the command with a desktop of our own.
        """

        def update(words: Sequence[str]) -> bool:
            self.updated.append(list(words))
            return self.succeeds

        def desktop(environ: object, system: bool) -> Desktop:
            return Desktop.of(self.environ, system)

        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            self.assertEqual(certinstalldesktop.run(arguments, desktop, update, platform), 0)
        self.errors = errors.getvalue()
        return output.getvalue()

    def xpra(self) -> Path:
        """
        Install an entry of xpra's for all users.
        """
        path = self.directory / "shared" / "applications" / "xpra.desktop"
        path.parent.mkdir(parents=True)
        path.write_text(XPRA)
        path.with_name("editor.desktop").write_text("MimeType=text/plain;\n")
        path.with_name("broken.desktop").symlink_to("nowhere")
        return path

    def defaults(self) -> list[str]:
        """
        What is said to open connection files.
        """
        return defaultOf(self.list.read_text()) if self.list.exists() else []

    def test_install(self) -> None:
        """
        Type and entry are written for the user, and the databases of both are brought up to date.
        """
        output = self.install()
        self.assertIn("x-xpraconfig", self.type.read_text())
        self.assertIn(str(self.entry), output)
        self.assertIn(".xpra files open with", output)
        self.assertEqual(
            self.updated,
            [
                ["update-mime-database", str(self.data / "mime")],
                ["update-desktop-database", str(self.data / "applications")],
            ],
        )
        self.assertEqual((self.defaults(), self.errors), ([], ""))
        self.install()

    def test_readable(self) -> None:
        """
        Whoever has a desktop may read what is written, though the user has new files for themselves alone; a
        list that is kept elsewhere, with a link to it, stays there.
        """
        self.addCleanup(os.umask, os.umask(0o077))
        self.list.parent.mkdir(parents=True)
        kept = self.directory / "kept.list"
        self.list.symlink_to(kept)
        self.install("--default")
        for path in (self.type, self.entry, kept):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644)
        self.assertTrue(self.list.is_symlink())
        self.assertEqual(self.defaults(), [ENTRY_NAME])

    def test_program(self) -> None:
        """
        The entry runs this very command, wherever it is.
        """
        for argument, part in (
            (str(self.directory / "bin" / "xtls"), f"'{self.directory / 'bin' / 'xtls'}' attach"),
            (str(self.directory / "__main__.py"), f"'{sys.executable}' '-m' 'xtls' attach"),
            ("gone", "'-m' 'xtls' attach"),
        ):
            (self.directory / "bin").mkdir(parents=True, exist_ok=True)
            (self.directory / "bin" / "xtls").touch()
            self.patch(sys, "argv", [argument])
            self.install()
            self.assertIn(part, execWords(self.entry.read_text(), "x")[2])

    def test_others(self) -> None:
        """
        Where xpra opens such files it goes on doing so, although the user's own entries would count more.
        """
        self.xpra()
        output = self.install()
        self.assertIn("xpra.desktop as before", output)
        self.assertIn("--default", output)
        self.assertEqual(self.defaults(), ["xpra.desktop"])
        self.assertIn("xpra.desktop as before", self.install())

    def test_default(self) -> None:
        """
        It is otherwise when the user says so, and that stays; when xtls goes, so does that.
        """
        self.xpra()
        self.assertIn("attach", self.install("--default"))
        self.assertEqual(self.defaults(), [ENTRY_NAME])
        self.assertIn(".xpra files open with: ", self.install())
        self.assertEqual(self.defaults(), [ENTRY_NAME])
        self.install("--remove")
        self.assertEqual(self.defaults(), [])

    def test_said(self) -> None:
        """
        Of several others, the one that is said to be the default stays that; one that is gone does not count.
        """
        path = self.xpra()
        path.with_name("a.desktop").write_text(XPRA)
        (path.parent / "mimeapps.list").write_text(
            "[Default Applications]\napplication/x-xpraconfig=xpra.desktop\n"
        )
        self.list.parent.mkdir()
        self.list.write_text("[Default Applications]\napplication/x-xpraconfig=gone.desktop\n")
        self.assertIn("xpra.desktop as before", self.install())

    def test_remove(self) -> None:
        """
        Everything that was made is removed, and what is not there is said not to be.
        """
        self.install()
        self.assertIn(f"removed {self.entry}", self.install("--remove"))
        self.assertFalse(self.entry.exists() or self.type.exists())
        self.assertIn(f"not there: {self.entry}", self.install("--remove"))

    def test_notUpdated(self) -> None:
        """
        Databases that cannot be brought up to date are told of: it is no failure.
        """
        self.succeeds = False
        self.install()
        self.assertIn("update-mime-database", self.errors)
        self.environ["HOME"] = str(self.directory / "other")
        self.updated.clear()
        self.install("--remove")
        self.assertEqual((self.updated, self.errors), ([], ""))

    def test_unwritable(self) -> None:
        """
        What cannot be written or removed is told by its path.
        """
        self.data.parent.mkdir(parents=True)
        self.data.write_text("a file in the way")
        error = self.assertRaises(CertificateFileError, self.install)
        self.assertEqual(error.path, str(self.type))
        self.assertRaises(CertificateFileError, self.install, "--remove")

    def test_where(self) -> None:
        """
        For all users it is where an administrator adds to the system; for one, where the environment says.
        """
        desktop = Desktop.of({"HOME": "/home/me"}, True)
        self.assertEqual(desktop.data, Path("/usr/local/share"))
        self.assertEqual(desktop.defaults, Path("/usr/local/share/applications/mimeapps.list"))
        self.assertEqual(desktop.others, (Path("/usr/share"),))
        desktop = Desktop.of({"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"}, False)
        self.assertEqual((desktop.data, desktop.defaults), (Path("/data"), Path("/config/mimeapps.list")))
        self.assertEqual(desktop.others, (Path("/usr/local/share"), Path("/usr/share")))
        self.assertIn(Path("/data/applications/mimeapps.list"), desktop.lists)

    def test_otherSystems(self) -> None:
        """
        Other systems have other ways.
        """
        for platform in ("win32", "darwin"):
            error = self.assertRaises(OptionError, self.install, platform=platform)
            self.assertIn("attach FILE", error.problem)

    def test_update(self) -> None:
        """
        A program that is not there, does not succeed or takes too long brings nothing up to date.
        """

        def ended(status: int) -> Callable[..., object]:
            return lambda words, **options: subprocess.CompletedProcess(words, status)

        def fails(error: Exception) -> Callable[..., object]:
            def execute(words: Sequence[str], **options: object) -> object:
                raise error

            return execute

        self.assertTrue(updateDatabase(["x"], ended(0)))
        self.assertFalse(updateDatabase(["x"], ended(1)))
        self.assertFalse(updateDatabase(["x"], fails(FileNotFoundError())))
        self.assertFalse(updateDatabase(["x"], fails(subprocess.TimeoutExpired("x", 1))))

    def test_wrong(self) -> None:
        """
        No argument is expected.
        """
        self.assertEqual(self.refused("install-desktop", "x").option, "x")
        self.assertIn("attach", entry(["xtls"]))

    def test_help(self) -> None:
        """
        It explains itself.
        """
        self.assertHelpful("install-desktop")
