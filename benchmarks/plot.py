"""
A picture of all ratios, in SVG: one line for each work, one mark for each server, to the right is better.

It has a background of its own, and other colours where the reader's system is dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.report import times
from benchmarks.results import OURS, Table
from benchmarks.works import TITLES

#: Where things are, in pixels.
_WIDTH: Final = 860
_LEFT: Final = 300
_RIGHT: Final = 70
_TOP: Final = 62
_LINE: Final = 22
_HEADING: Final = 28

#: Ratios at the ends of the scale, and those that are marked on it.
_LEAST: Final = 1 / 4
_MOST: Final = 8.0
_MARKED: Final = ((1 / 4, "¼"), (1 / 2, "½"), (1.0, "1"), (2.0, "2"), (4.0, "4"), (8.0, "8"))

#: Of each class of marks, how it is drawn, and in which colours: on paper, and in the dark.
_CLASSES: Final = {
    "paper": ("fill", "#ffffff", "#0d1117"),
    "ink": ("fill", "#1f2328", "#e6edf3"),
    "soft": ("fill", "#59636e", "#9198a1"),
    "ours": ("fill", "#0a62c9", "#58a6ff"),
    "other": ("stroke", "#59636e", "#9198a1"),
    "rule": ("stroke", "#d1d9e0", "#3d444d"),
    "even": ("stroke", "#1f2328", "#e6edf3"),
    "goal": ("stroke", "#bf5700", "#e0912f"),
}


def _style() -> str:
    """
    The style sheet.
    """
    light, dark = (
        "".join(f"  .{name} {{ {colours[0]}: {colours[number]}; }}\n" for name, colours in _CLASSES.items())
        for number in (1, 2)
    )
    return (
        "  text { font: 12px system-ui, sans-serif; }\n"
        "  .heading, .figure { font-weight: 600; }\n"
        "  .other { fill: none; stroke-width: 1.5; }\n"
        "  .goal { stroke-width: 3; }\n"
        f"{light}  @media (prefers-color-scheme: dark) {{\n{dark}  }}\n"
    )


#: How each of the others is drawn, by a path around its middle.
_SHAPES: Final = {
    "nginx": "m-4,-4h8v8h-8z",
    "haproxy": "m0,-5l5,9h-10z",
    "hitch": "m0,-5l5,5l-5,5l-5,-5z",
    "stunnel": "m-4,-4l8,8m0,-8l-8,8",
    "socat": "m-5,0h10m-5,-5v10",
    "websockify": "m0,5l5,-9h-10z",
    "stock": "m-4,-4h8v8h-8z",
    "forward": "m0,-5l5,9h-10z",
    "alone": "m0,-5l5,5l-5,5l-5,-5z",
}


def place(ratio: float) -> float:
    """
    Where a ratio is on the scale, which is logarithmic; what is beyond an end is at the end.
    """
    share = math.log(min(max(ratio, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST)
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _text(x: float, y: float, text: str, kind: str = "ink", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _vertical(x: float, top: float, bottom: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{x:g},{top:g}V{bottom:g}"/>'


def _legend(peers: Sequence[str]) -> list[str]:
    """
    What the marks mean.
    """
    parts, x = [], 16
    for peer in [OURS, *peers]:
        parts.append(_mark(peer, x, 41))
        parts.append(_text(x + 10, 45, peer))
        x += 26 + 7 * len(peer)
    parts.append(_vertical(x, 34, 48, "goal"))
    parts.append(_text(x + 10, 45, "goal"))
    return parts


def _mark(peer: str, x: float, y: float) -> str:
    """
    The mark of a server.
    """
    if peer == OURS:
        return f'<circle class="ours" cx="{x:g}" cy="{y:g}" r="5.5"/>'
    return f'<path class="other" d="M{x:g},{y:g}{_SHAPES.get(peer, "m-3,0h6")}"/>'


def _work(table: Table, y: float) -> list[str]:
    """
    One line.
    """
    parts = [_text(_LEFT - 12, y + 4, table.work.title, anchor="end")]
    if table.goal is not None and not table.goal.absolute:
        parts.append(_vertical(place(table.goal.value), y - 8, y + 8, "goal"))
    for row in sorted(table.rows, key=lambda row: row.peer == OURS):
        if row.ratio is not None:
            title = f"<title>{escape(row.peer)}: {times(row.ratio)}</title>"
            parts.append(f"<g>{title}{_mark(row.peer, place(row.ratio), y)}</g>")
    if table.ours is not None:
        parts.append(_text(_WIDTH - 50, y + 4, times(table.ours.ratio), "figure ours"))
    return parts


def plot(tables: Sequence[Table]) -> str:
    """
    The picture.  Works without anybody to compare with are left out.
    """
    drawn = [table for table in tables if table.best is not None]
    fronts = list(dict.fromkeys(table.front for table in drawn))
    height = _TOP + _HEADING * len(fronts) + _LINE * len(drawn) + 40
    bottom = height - 30
    peers = dict.fromkeys(row.peer for table in drawn for row in table.rows if row.peer != OURS)
    parts = [_text(12, 22, "Ratios to the best of the others; farther to the right is better", "heading ink")]
    parts += _legend(list(peers))
    for ratio, name in _MARKED:
        parts.append(_vertical(place(ratio), _TOP, bottom, "even" if ratio == 1 else "rule"))
        parts.append(_text(place(ratio), bottom + 18, name, "soft", "middle"))
    y = float(_TOP)
    for front in fronts:
        y += _HEADING
        parts.append(_text(12, y - 6, TITLES[front], "heading ink"))
        for table in drawn:
            if table.front == front:
                parts += _work(table, y + _LINE / 2 - 2)
                y += _LINE
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" '
        'role="img" aria-label="Ratios of xtls and others, work by work">\n'
        f"<style>\n{_style()}</style>\n"
        f'<rect width="100%" height="100%" class="paper"/>\n{body}\n</svg>\n'
    )
