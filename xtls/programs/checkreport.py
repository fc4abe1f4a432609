"""
How the findings of a check are told: to people as lines, to programs as JSON.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from xtls.config.modes import Target
from xtls.programs.statuses import ExitStatus
from xtls.programs.steps import Notes
from xtls.trust.findings import Found, Grade, Topic, listed, worst
from xtls.trust.particulars import particulars

__all__ = ["VERSION", "Report"]

#: That of the form of the JSON: it changes when something in it is no longer what it was.
VERSION: Final = 1

#: Select Graphic Rendition (ECMA-48): what makes a mark stand out for those who see it.
_COLOURS: Final = {Grade.OK: "32", Grade.NOTE: "36", Grade.WARNING: "33", Grade.PROBLEM: "1;31"}

#: The column at which sentences begin.
_INDENT: Final = 11

_NARROWEST: Final = 40


@dataclass(frozen=True)
class Report:
    """
    What a check has found.

    @ivar found: the findings, by topic.
    @ivar status: the status that follows.
    @ivar seconds: how long it took.
    @ivar commands: the command that goes with a finding's remedy, where there is one.
    @ivar now: the time at which certificates were judged.
    """

    target: Target
    notes: Notes
    found: Sequence[Found]
    status: ExitStatus
    seconds: float
    commands: Mapping[Found, str]
    now: datetime

    def text(self, *, width: int = 100, colours: bool = False, verbose: bool = False) -> str:
        """
        For people.

        @param width: how many columns there are.
        @param colours: whether marks are coloured; they are words in any case.
        @param verbose: whether details are told too.
        """
        width = max(width, _NARROWEST)
        lines = [self.target.describe()]
        for topic in Topic:
            told = [each for each in self.found if each.topic is topic]
            details = self._details(topic) if verbose else ()
            if told or details:
                lines += ["", topic.value]
                for each in told:
                    lines += self._finding(each, width, colours)
                lines += [f"  {line}" for line in details]
        return "\n".join([*lines, "", self.summary()]) + "\n"

    def _finding(self, found: Found, width: int, colours: bool) -> Iterator[str]:
        """
        The lines of one finding.
        """
        mark = found.grade.value
        shown = f"\x1b[{_COLOURS[found.grade]}m{mark}\x1b[0m" if colours else mark
        space = " " * _INDENT
        first, *rest = _wrapped(f"{found.sentence}.", width)
        yield f"  {shown}{space[len(mark) + 2 :]}{first}"
        for line in rest:
            yield space + line
        if found.remedy:
            for line in _wrapped(f"-> {found.remedy}.", width):
                yield space + line
        if found in self.commands:
            yield f"{space}   {self.commands[found]}"

    def _details(self, topic: Topic) -> tuple[str, ...]:
        """
        What stands behind the findings of a topic.
        """
        tls = self.notes.tls
        if tls is None or topic is not Topic.CERTIFICATE:
            return ()
        lines: list[str] = []
        for at, certificate in enumerate(tls.presented):
            for name, value in particulars(certificate, self.now).items():
                if value not in (None, ()):
                    said = listed(value) if isinstance(value, tuple) else _said(value)
                    lines.append(f"[{at}] {name}: {said}")
        return tuple(lines)

    def summary(self) -> str:
        """
        How much of each grade there is, and what it took.
        """
        counts = {grade: sum(each.grade is grade for each in self.found) for grade in Grade}
        said = [
            f"{count} {grade.value}{'s' if count > 1 else ''}"
            for grade, count in reversed(counts.items())
            if count and grade is not Grade.OK
        ]
        connections = self.notes.connections
        made = f"{connections} connection{'' if connections == 1 else 's'}"
        return f"{', '.join(said) or 'all is well'}; {made} in {self.seconds:.1f} s"

    def json(self) -> str:
        """
        For programs; docs/howto/check.md says what is in it.
        """
        notes, tls = self.notes, self.notes.tls
        value: dict[str, Any] = {
            "version": VERSION,
            "target": self.target.describe(),
            "status": int(self.status),
            "worst": worst(self.found).value,
            "connections": notes.connections,
            "seconds": round(self.seconds, 3),
            "finished": not notes.unfinished,
            "address": notes.reach.peer,
            "addresses": list(notes.reach.addresses),
            "tls": None,
            "certificates": [],
            "findings": [self._value(each) for each in self.found],
        }
        if tls is not None and tls.spoken:
            value["tls"] = {
                "version": tls.version,
                "cipher": tls.cipher,
                "group": tls.group,
                "postQuantum": tls.postQuantum,
                "alpn": tls.alpn,
                "resumed": tls.resumed,
                "stapled": tls.stapled,
                "clientCertificate": {
                    "asked": tls.asked,
                    "required": tls.required,
                    "authorities": list(tls.authorities),
                },
            }
            value["certificates"] = [dict(particulars(each, self.now)) for each in tls.presented]
        return json.dumps(value, indent=2) + "\n"

    def _value(self, found: Found) -> dict[str, str]:
        """
        One finding.
        """
        return {
            "grade": found.grade.value,
            "topic": found.topic.name.lower(),
            "kind": found.kind,
            "sentence": found.sentence,
            "remedy": found.remedy,
            "command": self.commands.get(found, ""),
        }


def _wrapped(text: str, width: int) -> list[str]:
    """
    A sentence in lines; names, addresses and fingerprints stay whole, so that they can be copied.
    """
    return textwrap.wrap(text, width - _INDENT, break_on_hyphens=False, break_long_words=False)


def _said(value: object) -> str:
    """
    A value as people read it.
    """
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
