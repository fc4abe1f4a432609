"""
Certificates, keys, CAs, revocation lists and rules that are read again while connections go on.

Each L{Source} (a socket, or the backend) takes what is new in one step, or keeps what it has: one whose key
does not belong to its certificate keeps nobody else from a new one.  What is wrong is said once, and tried
again at every look until it is mended.

Nothing runs here by itself.  Every method is told the time, in seconds of a clock that only goes forward.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Final, Protocol

from twisted.logger import Logger, LogLevel

from xtls.errors import XTLSError
from xtls.trust.expiry import Expiry, Holder, Kind, Urgency, expiries
from xtls.trust.watching import Sight, Watch, barred, readOnce

__all__ = ["Reloadable", "Reloader", "Source"]

_log = Logger()

#: Who asks more often than once in this time, in seconds, is answered once.
BREATH: Final = 1.0

#: What changes is read when it has not changed any more for the first time, in seconds, and after the second
#: in any case: certificate, chain and key are rarely replaced all at once.
SETTLED: Final = 1.0
PATIENCE: Final = 10.0

#: How often somebody is told what expires soon, in seconds.
DAILY: Final = 86400.0

_LEVELS: Final = {
    Urgency.SOON: LogLevel.warn,
    Urgency.URGENT: LogLevel.error,
    Urgency.EXPIRED: LogLevel.error,
}


class Reloadable(Holder, Protocol):
    """
    What can be read again, such as a
    L{ServerConnectionCreator<xtls.trust.contexts.ServerConnectionCreator>}.
    """

    def reload(self) -> None:
        """
        Read everything again.

        @raise XTLSError: if it cannot be used; then all is as before.
        """


class Source:
    """
    One of those whose certificates are read again.

    @ivar name: what logs call it.
    @ivar expiries: what of it runs out, and when; what ends first first.
    @ivar problem: why it has not what is in its files; empty when it has.
    """

    def __init__(self, name: str, creator: Reloadable, directory: str) -> None:
        """
        @param directory: where relative paths begin.
        """
        self.name = name
        self.problem = ""
        self._creator = creator
        self._directory = directory
        self._taken: dict[str, bytes] = {}
        self._said: set[str] = set()
        self._understand()

    @property
    def paths(self) -> tuple[str, ...]:
        """
        Its files and directories.
        """
        return tuple(os.path.join(self._directory, path) for path in self._creator.files)

    def differs(self, sight: Sight) -> bool:
        """
        Whether there is something else in its files than what it has taken.
        """
        return any(sight.get(path) != self._taken.get(path) for path in self.paths)

    def takes(self, sight: Sight) -> None:
        """
        It has what is in its files.
        """
        self._taken.update(sight)

    def read(self, sight: Sight) -> str:
        """
        Read everything again.

        @param sight: what was seen just before.
        @return: why that is not possible; empty when it was.
        """
        seen = {path: sight[path] for path in self.paths if path in sight}
        for path in readOnce(seen):
            return f"{path} is no file, and what came out of it at the start does not come again"
        try:
            with _within(self._directory):
                self._creator.reload()
        except Exception as e:  # whatever it is, it must not end the service
            problem = str(e) if isinstance(e, XTLSError) else f"{type(e).__name__}: {e}"
            return problem + (_BARRED if barred(seen) else "")
        self._understand()
        return ""

    def failed(self, problem: str, *, asked: bool) -> None:
        """
        It could not be read.

        @param asked: whether somebody waits for an answer, even if it was given before.
        """
        self.problem = problem
        if asked or problem not in self._said:
            _log.error("{name} keeps what it has: {problem}", name=self.name, problem=problem)
        self._said.add(problem)

    def succeeded(self) -> str:
        """
        It was read.

        @return: what to say.
        """
        shown = [
            f"{each.name} until {each.end:%Y-%m-%d %H:%M} UTC"
            for each in self.expiries
            if each.kind is Kind.CERTIFICATE
        ]
        line = f"{self.name} has read "
        line += f"its certificates again: {', '.join(shown)}" if shown else "again whom it believes"
        line += "; what was wrong is mended" if self.problem else ""
        self.problem = ""
        self._said.clear()
        return line

    def _understand(self) -> None:
        """
        Find out when what it has runs out.
        """
        self.expiries: tuple[Expiry, ...] = ()
        try:
            with _within(self._directory):
                self.expiries = expiries(self._creator)
        except Exception:
            # a certificate that nobody can read the dates of is shown all the same
            _log.failure("when the certificates of {name} expire is not known", name=self.name)


_BARRED: Final = "; the user that this process runs as must be let read it"
_OUT_OF_REACH: Final = (
    "{path} could be read when xtls started, and cannot be read any more, since privileges were given up;"
    " what replaces it is not taken: let the user that this process runs as read it"
)


class Reloader:
    """
    All of them.

    @ivar interval: how often files are looked at, in seconds; 0 for never.
    @ivar sources: whose certificates are read again.
    @ivar reloads: how often one of them was.
    @ivar failures: how often one of them could not be.
    """

    def __init__(self, creators: Iterable[tuple[str, Reloadable]], interval: float = 0.0) -> None:
        """
        @param creators: what was just made, each with its name.
        """
        directory = os.getcwd()
        self.sources = [Source(name, creator, directory) for name, creator in creators]
        self.interval = interval if self.sources else 0.0
        self.reloads = 0
        self.failures = 0
        # what tests have their own of
        self.watch = Watch()
        self.today: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
        #: Renews what is ours to renew, every day; returns whether there was anything.
        self.renew: Callable[[datetime], bool] = lambda today: False
        self._asked = False
        self._asksFrom = 0.0
        self._lookAt: float | None = None
        self._noticeAt: float | None = None
        self._changedAt: float | None = None
        self._seen = self._look()
        for source in self.sources:
            # what is so recent may have changed between the reading and the look: it is read once more
            if not self.watch.recent or not source.read(self._seen) or readOnce(self._seen):
                source.takes(self._seen)

    def begin(self, now: float) -> None:
        """
        Privileges are gone, and time begins.
        """
        sight = self._look()
        for path in set(barred(sight)) - set(barred(self._seen)):
            _log.warn(_OUT_OF_REACH, path=path)
            for source in self.sources:
                source.takes({path: sight[path]})
        if self.sources:
            self._noticeAt = now
            self._lookAt = now + self.interval if self.interval else None
        self.turn(now)

    def ask(self) -> None:
        """
        Somebody wants everything to be read again, whether it has changed or not.
        """
        self._asked = True

    def wait(self, now: float) -> float | None:
        """
        How long there is nothing to do unless somebody asks, in seconds; L{None} for ever.
        """
        times = [self._lookAt, self._noticeAt, self._asksFrom if self._asked else None]
        return min((max(0.0, time - now) for time in times if time is not None), default=None)

    def turn(self, now: float) -> bool:
        """
        Do what is due.

        @return: whether there is something new; also when somebody asked, and nothing was wrong.
        """
        try:
            return self._due(now)
        except Exception:
            # who looks after certificates must not end who serves
            _log.failure("certificates are looked after at the next time again")
            return False

    def readAll(self, now: float) -> bool:
        """
        Read everything again, since somebody asked.

        @return: whether that was possible, for one of them at the least.
        """
        self._asked = False
        self._asksFrom = now + BREATH
        return self._read(self.sources, self._look(), now, asked=True) or not self.sources

    def _due(self, now: float) -> bool:
        """
        Do what is due.
        """
        daily = self._noticeAt is not None and now >= self._noticeAt
        looks = self._lookAt is not None and now >= self._lookAt
        if daily:
            self._noticeAt = now + DAILY
            if self.renew(self.today()):
                self._asked, self._asksFrom = True, now
        fresh = False
        if self._asked and now >= self._asksFrom:
            fresh = self.readAll(now)
        elif looks:
            fresh = self._lookAgain(now)
        if daily:
            self._notice(self.sources)
        return fresh

    def status(self) -> str:
        """
        What there is to say, as the end of a line: what runs out first, and who could not be read.
        """
        parts = []
        first = min((each for source in self.sources for each in source.expiries[:1]), key=_end, default=None)
        if first is not None:
            parts.append(first.summary(self.today()))
        names = dict.fromkeys(source.name for source in self.sources if source.problem)
        if names:
            parts.append(f"certificates in use are not those of the files: {', '.join(names)}")
        return "".join(f"; {part}" for part in parts)

    def _look(self) -> Sight:
        """
        Look at all files.
        """
        return self.watch.look(dict.fromkeys(path for source in self.sources for path in source.paths))

    def _lookAgain(self, now: float) -> bool:
        """
        It is time to look whether something has changed.
        """
        self._lookAt = now + self.interval
        sight = self._look()
        moving, self._seen = sight != self._seen, sight
        due = [source for source in self.sources if source.problem or source.differs(sight)]
        if moving and due:
            if self._changedAt is None:
                self._changedAt = now
            if now - self._changedAt < PATIENCE:
                self._lookAt = now + min(SETTLED, self.interval)
                return False
        return self._read(due, sight, now, asked=False)

    def _read(self, sources: Sequence[Source], sight: Sight, now: float, *, asked: bool) -> bool:
        """
        Have sources read what they are made of.

        @return: whether one could.
        """
        self._changedAt = None
        self._lookAt = now + self.interval if self.interval else None
        done: list[Source] = []
        lines: dict[str, None] = {}
        for source in sources:
            problem = source.read(sight)
            if problem:
                self.failures += 1
                source.failed(problem, asked=asked)
            else:
                self.reloads += 1
                done.append(source)
                lines[source.succeeded()] = None
        for line in lines:
            _log.info("{line}", line=line)
        # of files that are new there is only what is seen now; of the others, what was before they were read
        self._seen = (
            {**self._look(), **sight} if any(set(each.paths) - set(sight) for each in done) else sight
        )
        for source in done:
            source.takes(self._seen)
        self._notice(done)
        return bool(done)

    def _notice(self, sources: Iterable[Source]) -> None:
        """
        Say what expires soon.
        """
        today = self.today()
        for each in sorted({each for source in sources for each in source.expiries}, key=_end):
            level = _LEVELS.get(each.urgency(today))
            if level is not None:
                _log.emit(level, "{sentence}", sentence=each.sentence(today))


def _end(expiry: Expiry) -> datetime:
    """
    When something runs out.
    """
    return expiry.end


@contextmanager
def _within(directory: str) -> Iterator[None]:
    """
    Work in a directory: twistd may have gone to another since relative paths were said.
    """
    try:
        before = os.getcwd()
    except OSError:
        before = directory  # it was removed, and with it all that relative paths led to
    if before == directory:
        yield
        return
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)
