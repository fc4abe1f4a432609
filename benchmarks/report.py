"""
What is printed: a table for each work, what must be said about it, and how far from the goals we are.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Row, Table
from benchmarks.works import TITLES


def number(value: float) -> str:
    """
    A figure, with as many digits as mean something.
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def times(value: float | None) -> str:
    """
    A ratio.
    """
    return "-" if value is None else f"{value:.2f}"


def micro(value: float) -> str:
    """
    Seconds, in microseconds.
    """
    return number(value * 1e6) if value else "-"


def percent(value: float | None) -> str:
    """
    A share.
    """
    return "-" if value is None else f"{value:.0%}"


def measureOf(table: Table) -> str:
    """
    What the figures of a table are.
    """
    work = table.work
    what = f"{work.unit} " if work.unit else ""
    if work.measure == "perUsed":
        return f"{what}in a processor second of the server"
    if work.measure == "perBusiest":
        return f"{what}in a processor second of the busiest process"
    if work.measure == "perSecond":
        return f"{what}in a second"
    return work.unit


def goalOf(table: Table) -> str:
    """
    The goal in words; empty when there is none.
    """
    if table.goal is None:
        return ""
    if table.goal.absolute:
        relation = "at most" if table.work.less else "at least"
        return f"{relation} {number(table.goal.value)}{' ' + table.work.unit if table.work.unit else ''}"
    return f"{table.goal.value:.1f}"


def _line(row: Row, work: Table) -> str:
    """
    One server.
    """
    values = row.values
    cells = [
        f"  {row.peer:12}{number(row.value):>10}{times(row.ratio):>7}",
        f"{number(values['perSecond'] * work.work.scale):>11}" if "perSecond" in values else f"{'-':>11}",
        f"{times(row.clock):>7}{percent(values.get('busy')):>7}{percent(values.get('generator')):>7}",
        f"{micro(values.get('p50', 0)):>10}{micro(values.get('p99', 0)):>10}{row.errors:>7}",
    ]
    return "".join(cells)


def _head(table: Table) -> str:
    """
    What the columns are.
    """
    figure = {"perUsed": "per cpu s", "perBusiest": "per cpu s", "perSecond": "per s"}.get(
        table.work.measure, table.work.unit
    )
    return (
        f"  {'':12}{figure:>10}{'ratio':>7}{'by clock':>11}{'ratio':>7}{'busy':>7}{'load':>7}"
        f"{'p50 us':>10}{'p99 us':>10}{'errors':>7}"
    )


def block(table: Table) -> str:
    """
    One work, with every server.
    """
    title = f"{TITLES[table.front]}: {table.work.title} ({table.front} {table.work.name}), {measureOf(table)}"
    lines = [title, _head(table), *(_line(row, table) for row in table.rows)]
    if table.work.resume:
        resumed = ", ".join(f"{row.peer} {percent(row.values.get('resumed'))}" for row in table.rows)
        lines.append(f"  resumed: {resumed}")
    return "\n".join(lines)


def summary(tables: Sequence[Table]) -> str:
    """
    Our own figures, beside the best of the others and the goals.
    """
    lines = [
        f"{'':22}{'xtls':>10}  {'best of the others':24}{'ratio':>6}{'clock':>7}  goal",
    ]
    for table in tables:
        ours, best = table.ours, table.best
        if ours is None:
            continue
        other = f"{best.peer} {number(best.value)}" if best is not None else "-"
        reached = {True: ", reached", False: ", not reached", None: ""}[table.reached]
        goal = f"{goalOf(table)}{reached}" if table.goal is not None else ""
        lines.append(
            f"{table.front + ' ' + table.work.name:22}{number(ours.value):>10}  {other:24}"
            f"{times(ours.ratio):>6}{times(ours.clock):>7}  {goal}".rstrip()
        )
    return "\n".join(lines)


def report(tables: Sequence[Table], remarks: Sequence[str], facts: Sequence[str]) -> str:
    """
    All of it.
    """
    parts = [block(table) for table in tables]
    if remarks:
        parts.append("\n".join(["To be said:", *(f"  {remark}" for remark in remarks)]))
    parts.append(summary(tables))
    parts.append("\n".join(facts))
    return "\n\n".join(parts)
