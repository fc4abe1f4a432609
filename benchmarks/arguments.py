"""
The command line of C{python -m benchmarks}.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.ground import Plan
from benchmarks.peers import NAMES
from benchmarks.works import FRONTS, QUICK, SUBJECTS, USUAL, works

_DESCRIPTION: Final = """\
Compare xtls with other programs that do the same, on this machine, and print ratios.

Everything is on loopback, on ports that are free, with certificates made on the spot: TLS 1.3, AES-128-GCM.
Servers have one process (and the first processor) each, unless the work is about several; the load generator
and the backend have the other processors.  Every round does each work once with each server in turn; medians
are printed.  The figure that counts is work in a processor second of the server: it stays honest when
the generator, the backend or the machine is the bottleneck.  The ratio is to the best of the others.
"""

_EXAMPLES: Final = """\
examples:
  python -m benchmarks --quick                    does it work, and about how fast; under a minute
  python -m benchmarks                            all of it; about eleven minutes
  python -m benchmarks --of=tls --work=down1,up1 --peers=nginx,xtls --rounds=5
  python -m benchmarks --of=stock                 beside Twisted's own TLS
  python -m benchmarks --json=run.json --plot=run.svg --markdown=run.md
  python -m benchmarks --from=run.json --plot=run.svg    from what was measured before
"""


@dataclass(frozen=True)
class Asked:
    """
    What was asked for.

    @ivar plan: what to measure.
    @ivar earlier: what earlier runs have written, in place of measuring.
    @ivar json: where to write every round.
    @ivar markdown: where to write tables.
    @ivar plot: where to write the picture.
    """

    plan: Plan
    earlier: tuple[Path, ...] = ()
    json: Path | None = None
    markdown: Path | None = None
    plot: Path | None = None


class _Parser(argparse.ArgumentParser):
    """
    Says what is wrong in one sentence.
    """

    def error(self, message: str) -> None:  # type: ignore[override]
        """
        End, with a sentence.
        """
        self.exit(2, f"{self.prog}: {message}\n")


def _listed(
    parser: argparse.ArgumentParser, option: str, said: str | None, known: Sequence[str]
) -> tuple[str, ...]:
    """
    Words with commas between, each one that is known.
    """
    if said is None:
        return ()
    words = tuple(dict.fromkeys(word.strip() for word in said.split(",")))
    for word in words:
        if word not in known:
            parser.error(f"{option}={said}: there is no {word!r}; expected some of {', '.join(known)}")
    return words


def _parser() -> _Parser:
    """
    The options.
    """
    names = dict.fromkeys(work.name for every in FRONTS.values() for work in every)
    parser = _Parser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--of", metavar="WHAT,…", help=f"{', '.join(SUBJECTS)}; default {','.join(USUAL)}")
    parser.add_argument("--work", metavar="WORK,…", help=f"{', '.join(names)}; default all")
    parser.add_argument(
        "--peers", metavar="NAME,…", help=f"{', '.join(NAMES)}; default those that are installed"
    )
    parser.add_argument("--quick", action="store_true", help="one short round of some of it")
    parser.add_argument("--rounds", type=int, metavar="N", help="default 3")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each measurement; default 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write tables there, between its marks where it has some",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture there, in SVG")
    parser.add_argument(
        "--from",
        dest="earlier",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="measure nothing: take what --json has written; repeatable",
    )
    return parser


def parse(words: Sequence[str]) -> Asked:
    """
    Read a command line.

    @raise SystemExit: with what is wrong, or after the help.
    """
    parser = _parser()
    said = parser.parse_args(words)
    subjects = _listed(parser, "--of", said.of, tuple(SUBJECTS)) or USUAL
    fronts = tuple(front for subject in subjects for front in SUBJECTS[subject])
    known = tuple(dict.fromkeys(work.name for front in fronts for work in FRONTS[front]))
    names = _listed(parser, "--work", said.work, known) or (QUICK if said.quick else ())
    peers = _listed(parser, "--peers", said.peers, NAMES)
    rounds = said.rounds if said.rounds is not None else 1 if said.quick else 3
    seconds = said.seconds if said.seconds is not None else 0.25 if said.quick else 1.0
    if rounds < 1:
        parser.error(f"--rounds={rounds}: expected 1 or more")
    if not 0 < seconds <= 60:
        parser.error(f"--seconds={seconds:g}: expected a number above 0 and at most 60")
    plan = Plan(
        tuple(works(fronts, names)),
        peers,
        rounds,
        seconds,
        warm=min(0.3, seconds / 2),
        idle=200 if said.quick else 0,
        starts=1 if said.quick else 5,
    )
    return Asked(plan, tuple(said.earlier), said.json, said.markdown, said.plot)
