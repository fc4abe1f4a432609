"""
The last line of a run, from what trial printed: C{N passed, N failed, N skipped}.

Usage: C{summary.py LOG [STEP=STATUS ...]}.  A step that ended with another status than 0 though no test
failed counts as one failure, and so does a log in which trial never came to its own summary.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \(([^()]*)\))?\s*$", re.MULTILINE)
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


def count(log: str) -> dict[str, int] | None:
    """
    What trial counted, by its own words; C{None} when it never said.
    """
    found = _SUMMARY.findall(_COLOR.sub("", log))
    if not found:
        return None
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found[-1])}


def summarize(log: str, steps: dict[str, int]) -> tuple[str, bool]:
    """
    The line to print, and whether all is well.

    @param steps: the exit status of each step.
    """
    counted = count(log)
    numbers = counted or {}
    failed = sum(numbers.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    passed = sum(numbers.get(name, 0) for name in ("successes", "expectedFailures"))
    if counted is None:
        failed += 1
    for name, status in steps.items():
        # the failed tests of "test" have been counted one by one
        if status != 0 and not (name == "test" and failed):
            failed += 1
    return f"{passed} passed, {failed} failed, {numbers.get('skips', 0)} skipped", failed == 0


def main(arguments: list[str]) -> int:
    """
    Print the line; 0 when all is well.
    """
    path, *rest = arguments
    steps = {name: int(status) for name, _, status in (step.partition("=") for step in rest)}
    for name, status in steps.items():
        if status != 0:
            print(f"{name}: status {status}")
    line, well = summarize(Path(path).read_text("utf-8", errors="replace"), steps)
    print(line)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
