"""
The reference of connection files, in Markdown, from the definitions.

C{python -m xtls.config.filereference > docs/reference/connection-files.md} writes it anew; a test fails when
that file is not what this module makes.
"""

from __future__ import annotations

import sys
import textwrap

from xtls.config.connectionfile import ANCHORS, IGNORED, LARGEST_FILE, MIME_TYPE, PLACE, RESERVED, SUFFIX
from xtls.config.definitions import Option, Side
from xtls.config.modes import Mode
from xtls.config.options import OPTIONS
from xtls.config.portoptions import ALL_OPTIONS

#: Columns of a line of Markdown.
_WIDTH = 110

_OPENING = f"""\
# Connection files

<!-- Made by `python -m xtls.config.filereference`; change the definitions, not this file. -->

A connection file leads a client to a server: `xtls attach office{SUFFIX}`.
[How to hand on a connection as a file](../howto/connection-files.md) makes one and uses it.

The format is xpra's: lines of `key=value` in UTF-8.
Empty lines, and those that begin with `#` or `;`, say nothing.
White space around keys and values does not count.
A value ends with its line, and is taken as it is: nothing is quoted.
A file has at most {LARGEST_FILE >> 20} MiB, its name ends in `{SUFFIX}`, and its type is `{MIME_TYPE}`.

A key that nobody knows is an error, with the number of its line: it may have been meant to protect.
So is a line without `=`, a key that is said twice with different values (unless it is repeatable),
and a control character: a terminal that shows it would obey it.

```
host=office.example.org
port=10000
mode=ssl
ssl-ca-data=base64:LS0tLS1CRUdJTi…
```

## Where to connect
"""

_TRUST = """\
## Options

All [options](options.md) of clients, by any of their names.
What the command line says comes before what the file says.

A file may come from anybody. So it may say whom to believe: it says where to connect, after all.
It may not have you believe anybody, or protect less, or show who you are, or read what is yours:
where the table says *refused*, the file is refused with the line and the remedy,
unless the command line says the same option itself; then that counts.

*Whom to believe*: taken, unless the command line says whom to believe; then that alone counts.

Options for TLS are for modes ssl and wss.
Elsewhere they are refused, since whoever wrote them believes that they protect.
"""

_PASSED_OVER = """\
## What is passed over

What xpra's files say besides has no meaning here, and nor have options of servers.
Such keys are known and passed over; `xtls attach --verbose` says which.
"""


def _modes() -> str:
    """
    Modes and their ports.
    """
    return ", ".join(f"{mode.value} {mode.defaultPort}" for mode in Mode if mode.defaultPort)


def _from(option: Option) -> str:
    """
    What becomes of an option that a file says.
    """
    if option.name not in OPTIONS:
        return "taken"
    if option.attribute in ANCHORS:
        return "whom to believe"
    reserved = RESERVED.get(option.attribute)
    if reserved is None:
        return "taken"
    return f"refused: {reserved.values}" + ("" if reserved.values == "any" else "; else taken")


def _places() -> str:
    """
    The keys that say where to connect.
    """
    rows = [f"| `{key}` | {meaning} |" for key, meaning in PLACE.items()]
    table = "\n".join(["| key | meaning |", "|---|---|", *rows])
    return (
        f"{table}\n\nThere must be a `mode`, and a `host`, or for sockets a `path`.\n"
        f"Ports where there is no such line: {_modes()}.\n"
        "A password in a file can be read by whoever gets the file.\n"
    )


def _options() -> str:
    """
    The options of clients.
    """
    rows = [
        f"| {', '.join(f'`{name}`' for name in option.names)} | {_from(option)} | {_meaning(option)} |"
        for option in ALL_OPTIONS.values()
        if option.side & Side.CLIENT
    ]
    return "\n".join(["| key | in a file | meaning |", "|---|---|---|", *rows]) + "\n"


def _meaning(option: Option) -> str:
    """
    What an option means, as a cell of a table.
    """
    repeatable = "; repeatable" if option.repeatable else ""
    return f"{option.help}{repeatable}".replace("|", "\\|")


def _words(names: list[str]) -> str:
    """
    Names in lines of a readable length.
    """
    text = ", ".join(f"`{name}`" for name in sorted(names))
    return "\n".join(textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)) + "\n"


def connectionFilesReference() -> str:
    """
    Explain connection files, in Markdown.
    """
    servers = [name for each in ALL_OPTIONS.values() if not each.side & Side.CLIENT for name in each.names]
    parts = [
        _OPENING,
        _places(),
        _TRUST,
        _options(),
        _PASSED_OVER,
        f"xpra's:\n\n{_words(list(IGNORED - set(servers)))}",
        f"For servers:\n\n{_words(servers)}",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(connectionFilesReference())
