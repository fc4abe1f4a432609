"""
The same for a document: tables in Markdown, written between two marks, so that the rest of it stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.report import goalOf, measureOf, micro, number, percent, times
from benchmarks.results import Table
from benchmarks.works import TITLES

BEGIN: Final = "<!-- figures: begin; `python -m benchmarks --markdown` writes what follows -->"
END: Final = "<!-- figures: end -->"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _front(tables: Sequence[Table]) -> Iterator[str]:
    """
    A table of one front: each work with our figure, the best of the others, and the goal.
    """
    yield _line(["work", "xtls", "the best of the others", "ratio", "by the clock", "p50, p99 in µs", "goal"])
    yield _line(["---"] * 7)
    for table in tables:
        ours, best = table.ours, table.best
        if ours is None:
            continue
        latency = f"{micro(ours.values.get('p50', 0))}, {micro(ours.values.get('p99', 0))}"
        usual = f", {table.work.unit}" if table.work.unit else ""
        measure = usual if table.work.measure == "perUsed" else f", {measureOf(table)}"
        resumed = f"; {percent(ours.values.get('resumed'))} resumed" if table.work.resume else ""
        yield _line(
            [
                f"{table.work.title}{measure}{resumed}",
                number(ours.value),
                f"{number(best.value)} ({best.peer})" if best is not None else "",
                times(ours.ratio) if best is not None else "",
                times(ours.clock) if ours.clock is not None else "",
                latency if ours.values.get("p50") else "",
                goalOf(table),
            ]
        )


def _everybody(tables: Sequence[Table]) -> Iterator[str]:
    """
    A table of one front: each work with everybody's figure.
    """
    peers = list(dict.fromkeys(row.peer for table in tables for row in table.rows))
    yield _line(["work", *peers])
    yield _line(["---"] * (len(peers) + 1))
    for table in tables:
        values = {row.peer: number(row.value) for row in table.rows}
        yield _line([table.work.name, *(values.get(peer, "") for peer in peers)])


def markdown(tables: Sequence[Table], remarks: Sequence[str], facts: Sequence[str]) -> str:
    """
    All of it.
    """
    lines = [*facts, ""]
    for front in dict.fromkeys(table.front for table in tables):
        mine = [table for table in tables if table.front == front]
        title = TITLES[front]
        lines += [f"### {title[:1].upper()}{title[1:]}", "", *_front(mine), ""]
        if any(len(table.rows) > 2 for table in mine):
            lines += ["Everybody's figures:", "", *_everybody(mine), ""]
    if remarks:
        lines += ["### Remarks on this run", "", *(f"- {remark}" for remark in remarks), ""]
    return "\n".join(lines)


def replaced(document: str, text: str) -> str:
    """
    A document with a text between its marks; or, where it has none, the text with marks around it.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        before, after = document, "\n"
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"
