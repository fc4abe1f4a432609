"""
Whether each module is covered, line and branch, by the test file that has its name.

Covered by somebody else's tests is covered by accident.  Reads what C{coverage run} left, in which each line
is noted with the test that ran it (C{dynamic_context} in pyproject.toml).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from coverage import Coverage

#: Modules that need less than 100 percent of their own tests, in percent, and why.
LESS: dict[str, tuple[float, str]] = {
    "xtls.__main__": (0, "two lines; tests/real runs it"),
}

#: What every byte stream promises, and all records, is tested in one place, on behalf of each.
SHARED = (r"^tests\.support\.(contract|records)\.", "^$")


def main(root: Path) -> int:
    """
    Print the modules that fall short.

    @return: 0 when there are none.
    """
    coverage = Coverage()
    coverage.load()
    short = 0
    for path in sorted((root / "xtls").rglob("*.py")):
        if path.name == "__init__.py":
            continue
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        report = io.StringIO()
        contexts = [rf"^tests\.test_{path.stem}\.", *SHARED]
        percent = coverage.report(
            morfs=[str(path)], contexts=contexts, show_missing=True, skip_covered=False, file=report
        )
        if percent < LESS.get(name, (100, ""))[0]:
            short += 1
            lines = [line for line in report.getvalue().splitlines() if line.startswith("xtls")]
            print("\n".join(lines))
    print(f"{short} modules are not covered by the tests of their name")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent.parent))
