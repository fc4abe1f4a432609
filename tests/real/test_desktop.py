"""
Connection files and a desktop's own programs: the type is known by its name, and opens with xtls.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.desktops import execWords
from tests.support.programs import PROGRAMS, find, run

TYPE = "application/x-xpraconfig"

XPRA = "[Desktop Entry]\nType=Application\nName=Xpra\nExec=cat %f\nMimeType=application/x-xpraconfig;\n"


class DesktopTests(SynchronousTestCase):
    """
    C{xtls cert install-desktop}, with the programs of freedesktop.org.
    """

    def setUp(self) -> None:
        for program in (
            "xdg-mime",
            "update-mime-database",
            "update-desktop-database",
            "desktop-file-validate",
        ):
            find(program)
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.data = self.home / ".local" / "share"
        # what else is installed on this machine is no business of ours
        self.variables = {"XDG_DATA_DIRS": str(self.home / "shared")}

    def xtls(self, *words: str) -> str:
        """
        Run C{xtls cert install-desktop}.
        """
        done = run(["xtls", "cert", "install-desktop", *words], self.home, variables=self.variables)
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(done.errors, b"")
        return done.text

    def ask(self, *words: str) -> str:
        """
        Ask xdg-mime.
        """
        asked = run(["xdg-mime", "query", *words], self.home, variables=self.variables)
        return asked.output.decode("utf-8").strip()

    def test_opens(self) -> None:
        """
        A file is of our type by its name, opens with our entry, which is valid, and does not any more when
        that is removed.
        """
        self.xtls()
        entry = self.data / "applications" / "xtls-attach.desktop"
        done = run(["desktop-file-validate", entry], self.home)
        self.assertEqual((done.status, done.text), (0, ""))
        file = self.home / "office.xpra"
        file.write_text("host=localhost\nmode=ssl\n")
        self.assertEqual(self.ask("filetype", str(file)), TYPE)
        self.assertEqual(self.ask("default", TYPE), "xtls-attach.desktop")
        self.xtls("--remove")
        self.assertNotEqual(self.ask("filetype", str(file)), TYPE)
        self.assertEqual(self.ask("default", TYPE), "")

    def test_others(self) -> None:
        """
        Where another entry opens such files it stays the default, until the user has it otherwise.
        """
        shared = self.home / "shared" / "applications"
        shared.mkdir(parents=True)
        (shared / "xpra.desktop").write_text(XPRA)
        run(["update-desktop-database", shared], self.home)

        def default(*words: str) -> str:
            self.xtls(*words)
            return self.ask("default", TYPE)

        self.assertEqual(default(), "xpra.desktop")
        self.assertEqual(default("--default"), "xtls-attach.desktop")
        self.assertEqual(default(), "xtls-attach.desktop")
        self.assertEqual(default("--remove"), "xpra.desktop")

    def test_command(self) -> None:
        """
        What a desktop runs attaches to the file, whose name may have spaces; the window stays
        until somebody has read why that failed.
        """
        self.xtls()
        file = self.home / "my office.xpra"
        file.write_text("host=localhost\nmode=ssl\nssl-check-hostname=no\n")
        words = execWords((self.data / "applications" / "xtls-attach.desktop").read_text(), str(file))
        self.assertIn(str(PROGRAMS / "xtls"), words[2])
        done = run(words, self.home, given=b"\n")
        self.assertEqual(done.status, 2)
        self.assertIn("my office.xpra line 3", done.text)
        self.assertIn("Press Enter", done.text)
