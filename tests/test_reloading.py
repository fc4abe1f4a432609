"""
Certificates that are read again: when, by whom, and what is said of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import recordLogs
from xtls.errors import OptionError
from xtls.programs.reloading import BREATH, DAILY, PATIENCE, SETTLED, Reloader
from xtls.testing.authority import Authority
from xtls.trust import watching
from xtls.trust.anchors import TrustAnchors
from xtls.trust.certificates import KeyPair, toPEM

AUTHORITY = Authority("Example CA")
NOW = datetime.now(timezone.utc)
INTERVAL = 10.0


class _Creator:
    """
    What is made of files, and can be read again.

    @ivar reads: what its files held, each time that they were read again.
    @ivar wrong: called first; raises when there is something wrong.
    """

    chain = ()
    anchors = TrustAnchors()

    def __init__(self, *paths: Path | str, pair: KeyPair | None = None) -> None:
        self.files = tuple(map(str, paths))
        self.reads: list[str] = []
        self.wrong: Callable[[], None] = lambda: None
        self.certificates: tuple[x509.Certificate, ...] = () if pair is None else (pair.certificate,)

    def reload(self) -> None:
        """
        Read the files again.
        """
        self.wrong()
        self.reads.append("".join(Path(path).read_text("utf-8") for path in self.files))


def refuse(problem: str) -> Callable[[], None]:
    """
    Make something that is wrong.
    """

    def wrong() -> None:
        raise OptionError("ssl-key", "command line", problem)

    return wrong


class ReloaderCase(SynchronousTestCase):
    """
    A certificate and a key, of an hour ago, which two creators share.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.cert, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        self.write(self.cert, "cert1")
        self.write(self.key, "key1")
        self.one, self.other = _Creator(self.cert, self.key), _Creator(self.cert)
        self.log = recordLogs(self)
        self.now = 1000.0

    def write(self, path: Path, text: str) -> None:
        """
        Write a file.
        """
        path.write_text(text, "utf-8")

    def begun(self, *creators: _Creator, interval: float = INTERVAL) -> Reloader:
        """
        Begin with these creators.
        """
        names = ("one", "other")
        reloader = Reloader(zip(names, creators, strict=False), interval)
        for each in creators:
            each.reads.clear()  # those of files that were just written
        reloader.begin(self.now)
        return reloader

    def after(self, reloader: Reloader, seconds: float) -> bool:
        """
        Time goes by, and whatever is due is done.

        @return: whether there was something new.
        """
        end = self.now + seconds
        fresh = False
        while (wait := reloader.wait(self.now)) is not None and self.now + wait <= end:
            self.now += wait
            fresh = reloader.turn(self.now) or fresh
        self.now = end
        return fresh


class LookingTests(ReloaderCase):
    """
    Files that change.
    """

    def test_nothing(self) -> None:
        """
        As long as nothing changes, nothing is read.
        """
        reloader = self.begun(self.one, self.other)
        self.assertEqual(reloader.wait(self.now), INTERVAL)
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual((self.one.reads, self.log.lines()), ([], []))

    def test_changed(self) -> None:
        """
        Who uses a file that has changed reads it again, a moment after it was seen; who does not, does not.
        """
        reloader = self.begun(self.one, self.other)
        self.write(self.key, "key2")
        self.assertFalse(self.after(reloader, INTERVAL))
        self.assertEqual(self.one.reads, [])
        self.assertTrue(self.after(reloader, SETTLED))
        self.assertEqual((self.one.reads, self.other.reads), (["cert1key2"], []))
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(self.log.lines(), ["one has read again whom it believes"])
        self.assertEqual((reloader.reloads, reloader.failures), (1, 0))

    def test_oneAfterTheOther(self) -> None:
        """
        What is still changing is not read yet: the certificate may be there and its key not.
        """
        reloader = self.begun(self.one)
        self.write(self.cert, "cert2")
        self.after(reloader, INTERVAL)
        self.write(self.key, "key2")
        self.after(reloader, SETTLED)
        self.assertEqual(self.one.reads, [])
        self.after(reloader, SETTLED)
        self.assertEqual(self.one.reads, ["cert2key2"])

    def test_changesAlways(self) -> None:
        """
        What never ceases to change is read all the same, sometimes.
        """
        reloader = self.begun(self.one)
        for number in range(60):
            self.write(self.cert, str(number))
            self.after(reloader, 0.5 * SETTLED)
        self.assertIn(len(self.one.reads), (1, 2, 3))
        self.assertLess(PATIENCE, 30 * SETTLED)

    def test_oftener(self) -> None:
        """
        Who looks more often than that does not wait longer than from one look to the next.
        """
        reloader = self.begun(self.one, interval=0.25)
        self.write(self.cert, "cert2")
        self.assertTrue(self.after(reloader, 0.5))

    def test_backAsItWas(self) -> None:
        """
        A change that was undone is none.
        """
        reloader = self.begun(self.one)
        self.write(self.cert, "cert2")
        self.after(reloader, INTERVAL)
        self.write(self.cert, "cert1")
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(self.one.reads, [])

    def test_never(self) -> None:
        """
        Without an interval nobody looks, and there is something to do only once a day.
        """
        reloader = self.begun(self.one, interval=0)
        self.write(self.cert, "cert2")
        self.assertEqual(reloader.wait(self.now), DAILY)
        self.assertFalse(self.after(reloader, 2 * DAILY))
        self.assertEqual(self.one.reads, [])

    def test_changedAtTheStart(self) -> None:
        """
        What has changed after it was read, and before anybody looked, is read before the beginning.
        """
        reloader = Reloader([("one", self.one)], INTERVAL)
        self.assertEqual(self.one.reads, ["cert1key1"])
        reloader.begin(self.now)
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(len(self.one.reads), 1)

    def test_brokenAtTheStart(self) -> None:
        """
        When that is not possible, it is tried again at the first look.
        """
        self.one.wrong = refuse("half of it")
        reloader = self.begun(self.one)
        self.one.wrong = lambda: None
        self.assertTrue(self.after(reloader, INTERVAL))
        self.assertEqual(self.one.reads, ["cert1key1"])

    def test_otherFiles(self) -> None:
        """
        A creator may read other files than before: from then on those count.
        """
        reloader = self.begun(self.one)
        more = self.folder / "more.pem"
        self.write(more, "more")
        self.one.wrong = lambda: setattr(self.one, "files", (str(more),))
        reloader.ask()
        self.assertTrue(self.after(reloader, 0))
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(self.one.reads, ["more"])
        self.write(more, "less")
        self.assertTrue(self.after(reloader, 100))
        self.assertEqual(self.one.reads, ["more", "less"])

    def test_elsewhere(self) -> None:
        """
        Relative paths begin where they were said, wherever the process has gone since.
        """
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        pair = AUTHORITY.issue("a.example")
        self.write(self.cert, toPEM(pair).decode("ascii"))
        creator = _Creator("cert.pem", pair=pair)
        reloader = self.begun(creator)
        os.chdir(before)
        self.write(self.cert, "\n" + toPEM(pair).decode("ascii"))
        self.assertTrue(self.after(reloader, 100))
        self.assertEqual((len(creator.reads), os.getcwd()), (1, before))
        self.assertEqual(reloader.sources[0].expiries[0].path, "cert.pem")

    def test_nowhere(self) -> None:
        """
        Where the folder in which the process began was removed, files with whole paths are read all the same.
        """
        self.addCleanup(os.chdir, os.getcwd())
        gone = os.path.abspath(self.mktemp())
        os.mkdir(gone)
        os.chdir(gone)
        reloader = self.begun(self.one)
        os.rmdir(gone)
        self.write(self.cert, "cert2")
        self.assertTrue(self.after(reloader, 100))
        self.assertEqual(self.one.reads, ["cert2key1"])


class AskingTests(ReloaderCase):
    """
    L{Reloader.ask}.
    """

    def test_asked(self) -> None:
        """
        Who asks has everything read again, at once, whether it has changed or not.
        """
        reloader = self.begun(self.one, self.other)
        reloader.ask()
        self.assertEqual(reloader.wait(self.now), 0)
        self.assertTrue(self.after(reloader, 0))
        self.assertEqual((self.one.reads, self.other.reads), (["cert1key1"], ["cert1"]))

    def test_together(self) -> None:
        """
        Files that change and somebody who says so are one occasion, and not two.
        """
        reloader = self.begun(self.one)
        self.write(self.cert, "cert2")
        reloader.ask()
        self.assertTrue(self.after(reloader, 0))
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(self.one.reads, ["cert2key1"])

    def test_storm(self) -> None:
        """
        Who asks all the time is answered once in a while.
        """
        reloader = self.begun(self.one)
        for _ in range(1000):
            reloader.ask()
            self.after(reloader, 0.01)
        self.assertLess(len(self.one.reads), 10 / BREATH + 2)

    def test_nobody(self) -> None:
        """
        Where there is no TLS there is nothing to do; who asks is told that nothing is wrong.
        """
        reloader = self.begun()
        self.assertIsNone(reloader.wait(self.now))
        self.assertFalse(reloader.turn(self.now))
        reloader.ask()
        self.assertTrue(reloader.turn(self.now))
        self.assertEqual(reloader.status(), "")

    def test_sameName(self) -> None:
        """
        Sockets that were said at once, as the two kinds of addresses of all interfaces, are one to people.
        """
        reloader = Reloader([("one", self.one), ("one", self.other)])
        reloader.readAll(self.now)
        self.assertEqual(self.log.lines(), ["one has read again whom it believes"])
        self.assertEqual(reloader.reloads, 2)


class FailingTests(ReloaderCase):
    """
    What cannot be read.
    """

    def test_kept(self) -> None:
        """
        Who cannot read keeps what they have, and says so, once; others go on.
        """
        reloader = self.begun(self.one, self.other)
        self.one.wrong = refuse("it does not belong to the certificate")
        self.write(self.cert, "cert2")
        self.assertTrue(self.after(reloader, 100))
        problem = "ssl-key (command line): it does not belong to the certificate"
        self.assertEqual(
            self.log.lines(), [f"one keeps what it has: {problem}", "other has read again whom it believes"]
        )
        self.assertEqual(self.log[0]["log_level"], LogLevel.error)
        self.assertEqual(reloader.sources[0].problem, problem)
        self.assertIn("; certificates in use are not those of the files: one", reloader.status())
        self.assertGreater(reloader.failures, 5)

    def test_mended(self) -> None:
        """
        It is tried again at every look, and one line says that it is mended, be it by a file that nobody
        knew of.
        """
        reloader = self.begun(self.one)
        self.write(self.cert, "cert2")
        self.one.wrong = refuse("it does not belong")
        self.assertFalse(self.after(reloader, 30))
        self.one.wrong = lambda: None
        self.assertTrue(self.after(reloader, INTERVAL))
        self.assertEqual(
            self.log.lines()[1:], ["one has read again whom it believes; what was wrong is mended"]
        )
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual((self.one.reads, reloader.status()), (["cert2key1"], ""))

    def test_anotherProblem(self) -> None:
        """
        Each problem is said once; after it was mended, again; and to who asks in any case.
        """
        reloader = self.begun(self.one)
        for problem in ("a", "b", "a", "", "a"):
            self.write(self.cert, problem + "?")
            self.one.wrong = refuse(problem) if problem else lambda: None
            self.after(reloader, 100)
        reloader.ask()
        self.assertFalse(self.after(reloader, 0))
        self.assertEqual(
            [line.rpartition(" ")[2] for line in self.log.lines()], ["a", "b", "mended", "a", "a"]
        )

    def test_unexpected(self) -> None:
        """
        Whatever it is that goes wrong, it does not end the service.
        """
        reloader = self.begun(self.one)
        self.key.unlink()
        self.assertFalse(self.after(reloader, 100))
        (line,) = self.log.lines()
        self.assertIn("one keeps what it has: FileNotFoundError: ", line)

    def test_pipe(self) -> None:
        """
        Nobody waits for a pipe to say again what it has said.
        """
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reloader = self.begun(_Creator(self.cert, pipe))
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(self.log.lines(), [])
        reloader.ask()
        self.assertFalse(self.after(reloader, 0))
        (line,) = self.log.lines()
        self.assertIn(f"one keeps what it has: {pipe} is no file, and what came out of it", line)

    def test_privileges(self) -> None:
        """
        A key that could be read at the start, and not any more, is told of at once; and again when a new
        certificate cannot be taken for it.
        """
        reloader = Reloader([("one", self.one)], INTERVAL)
        self.one.reads.clear()
        read = watching._read

        def barred(path: str) -> bytes:
            if path == str(self.key):
                raise PermissionError(13, "Permission denied")
            return read(path)

        self.patch(watching, "_read", barred)
        reloader.begin(self.now)
        (line,) = self.log.lines()
        self.assertTrue(
            line.startswith(f"{self.key} could be read when xtls started, and cannot be read"), line
        )
        self.assertFalse(self.after(reloader, 100))
        self.write(self.cert, "cert2")
        self.one.wrong = refuse("key.pem: cannot be read: Permission denied")
        self.assertFalse(self.after(reloader, 100))
        self.assertEqual(
            self.log.lines()[1:],
            [
                "one keeps what it has: ssl-key (command line): key.pem: cannot be read: Permission denied;"
                " the user that this process runs as must be let read it"
            ],
        )

    def test_dates(self) -> None:
        """
        Nor does a certificate whose dates cannot be read.
        """
        reloader = self.begun(self.one)
        self.one.wrong = lambda: setattr(self.one, "certificates", (None,))
        reloader.ask()
        self.assertTrue(self.after(reloader, 0))
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(reloader.sources[0].expiries, ())

    def test_bug(self) -> None:
        """
        Nor does a mistake of ours, which is tried again later.
        """
        reloader = self.begun(self.one)
        self.write(self.cert, "cert2")
        self.patch(reloader, "_read", lambda *arguments, **keywords: 1 / 0)
        self.assertFalse(self.after(reloader, 100))
        self.assertIn(len(self.flushLoggedErrors(ZeroDivisionError)), range(5, 11))


class ExpiryTests(ReloaderCase):
    """
    What runs out.
    """

    def creator(self, days: float, name: str = "a.example") -> _Creator:
        """
        Somebody who shows a certificate.
        """
        end = NOW + timedelta(days=days)
        pair = AUTHORITY.issue(name, notBefore=end - timedelta(days=365), notAfter=end)
        return _Creator(self.cert, pair=pair)

    def levels(self) -> list[LogLevel]:
        """
        How loud each line was, and none any more.
        """
        found = [each["log_level"] for each in self.log]
        self.log.clear()
        return found

    def test_daily(self) -> None:
        """
        From 30 days before the end on it is said at the start and every day, from 7 days on loudly.
        """
        creator = self.creator(31.5)
        reloader = self.begun(creator, creator, interval=0)
        self.assertEqual(self.levels(), [])
        day = 0
        reloader.today = lambda: NOW + timedelta(days=day)
        for day, level in ((1, None), (2, LogLevel.warn), (24, LogLevel.warn), (25, LogLevel.error)):
            self.after(reloader, DAILY)
            self.assertEqual(self.levels(), [] if level is None else [level], day)
        day = 40
        self.after(reloader, DAILY)
        (line,) = self.log.lines()
        self.assertTrue(line.startswith("the certificate for a.example expired on"), line)
        self.log.clear()
        self.begun(self.creator(20))
        self.assertEqual(self.levels(), [LogLevel.warn])

    def test_read(self) -> None:
        """
        What is read again says until when it is good; and when that is not long, so.
        """
        creator = self.creator(100)
        reloader = self.begun(creator)
        reloader.ask()
        creator.wrong = lambda: setattr(creator, "certificates", self.creator(3).certificates)
        self.after(reloader, 0)
        first, second = self.log.lines()
        end = NOW + timedelta(days=3)
        self.assertEqual(
            first, f"one has read its certificates again: a.example until {end:%Y-%m-%d %H:%M} UTC"
        )
        self.assertTrue(second.startswith("the certificate for a.example expires on"), second)

    def test_status(self) -> None:
        """
        What runs out first is in one line with everything else.
        """
        reloader = self.begun(self.creator(100.5, "b.example"), self.creator(50.5))
        reloader.today = lambda: NOW
        end = NOW + timedelta(days=50.5)
        self.assertEqual(
            reloader.status(),
            f"; the certificate for a.example expires on {end:%Y-%m-%d %H:%M} UTC, in 50 days",
        )

    def test_renewed(self) -> None:
        """
        What is ours to renew is renewed once a day, when it is time, and read at once.
        """
        reloader = self.begun(self.one, interval=0)
        asked: list[datetime] = []

        def renew(today: datetime) -> bool:
            asked.append(today)
            return len(asked) == 2

        reloader.renew = renew
        self.assertFalse(self.after(reloader, DAILY))
        self.assertTrue(self.after(reloader, DAILY))
        self.assertFalse(self.after(reloader, DAILY))
        self.assertEqual((len(asked), self.one.reads), (3, ["cert1key1"]))
