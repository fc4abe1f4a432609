"""
The reference of the options, in Markdown, from their definitions.

C{python -m xtls.config.reference > docs/reference/options.md} writes it anew; a test fails when that file
is not what this module makes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from xtls.config.definitions import Option, Side
from xtls.config.options import TLS_OPTIONS, VERIFY_FLAGS
from xtls.config.portoptions import ALL_OPTIONS


def _names(names: Iterable[str]) -> str:
    """
    Names in a sentence.
    """
    return ", ".join(f"`{name}`" for name in sorted(names))


#: The heading of each group, and what is said under it.
_GROUPS = {
    "certificates": ("Certificates", "What this side shows to the other."),
    "verification": (
        "Verification",
        f"""\
Whom this side believes.
A client verifies the server unless it is told not to.
A server asks for certificates of clients when a CA for them is given, and never believes the system's.

The names of `VERIFY_` flags that are taken: {_names(VERIFY_FLAGS)}.""",
    ),
    "protocol": (
        "Protocol",
        f"""\
What is spoken: nothing older than TLS 1.2 (RFC 8996).

The names of `OP_` options that are taken: {_names(TLS_OPTIONS)}.
What weakens a connection is refused.""",
    ),
    "upgrades": ("Upgrades", "What a connection to a port may become."),
    "timeouts": ("Timeouts", "How long the other side may take."),
    "limits": ("Limits", "How much is taken, and from whom."),
}

_SIDES = {Side.CLIENT: "client", Side.SERVER: "server", Side.BOTH: "both"}

_OPENING = """\
# Options

<!-- Made by `python -m xtls.config.reference`; change the definitions, not this file. -->

An option is said in one of these places; where two say the same one, the later in the list wins.
So it is with options that may be repeated: what an address says of `ssl-sni` is all there is for its socket.

A client's options:

1. a line of a connection file: `ssl-ca-certs=ca.pem`
2. a target: `ssl://host:10000/?ssl-ca-certs=ca.pem`;
   or an endpoint string: `xtls:ssl:host:10000:ssl-ca-certs=ca.pem`
3. the command line: `--ssl-ca-certs=ca.pem`

A server's options:

1. the command line, for every socket: `--ssl-cert=cert.pem`
2. an address, for this socket alone: `--bind-tcp=*:10000,ssl-cert=cert.pem`;
   or an endpoint string: `xtls:tcp:10000:ssl-cert=cert.pem`

In an endpoint string a colon within a value needs a backslash before it.

A name that no option has is an error, and so is a value that cannot be read: nothing is guessed.
The message names the option, the place, and what was expected.
Only connection files may hold names without meaning here: those of xpra's that concern its windows.

What stands for a value:

| in the tables | is |
|---|---|
| `yes\\|no` | `yes`, `true`, `on`, `1`, or `no`, `false`, `off`, `0` |
| `SECONDS` | a duration above zero: `5`, `5s`, `500ms`, `2m`, `1h` |
| `OCTETS` | a size above zero: `16384`, `16K`, `1M`, `1G`, in powers of 1024 |
| `FILE`, `PATH` | a path; `~` at its beginning is the home directory |
| `DATA` | hexadecimal, with or without `0x`; `base64:` or `b64:` and base64; or PEM text; in any lines |
| `WHERE` | `file:PATH`, `env:NAME`, `fd:NUMBER`; or the secret itself, which lists of processes then show |
| `NAMES` | names with commas between, with or without the prefix that Python gives them |
| `RULE` | conditions with commas between, all of which must hold: [rules](../howto/client-certificates.md) |
| `NAME,...` | a host name, and options with commas between: [names](../howto/client-certificates.md) |
| `(...)` | one of these two, whose commas then part nothing, as in an address; or several: `(...),(...)` |

*For* says whether an option is for a client, a server, or both.
Options called *repeatable* may be said several times.
"""


def _cell(text: str) -> str:
    """
    A text as it can stand in a table.
    """
    return text.replace("|", "\\|")


def _row(option: Option) -> str:
    """
    The line of a table that explains one option.
    """
    others = [f"`{name}`" for name in option.aliases]
    if option.stock is not None:
        others.append(f"`{option.stock}` in endpoint strings, as Twisted has it")
    meaning = option.help + ("; repeatable" if option.repeatable else "")
    name = f"`--{option.name}={_cell(option.metavar)}`"
    cells = [name, _cell(option.default), _SIDES[option.side], _cell(meaning), ", ".join(others)]
    return f"| {' | '.join(cells)} |"


def optionsReference(options: Iterable[Option]) -> str:
    """
    Explain options, in Markdown: a table for each group, in the order of their definition.
    """
    rows: dict[str, list[str]] = {}
    for option in options:
        rows.setdefault(option.group, []).append(_row(option))
    parts = [_OPENING]
    for group, lines in rows.items():
        heading, opening = _GROUPS[group]
        table = ["| option | default | for | meaning | other names |", "|---|---|---|---|---|", *lines]
        parts.append(f"## {heading}\n\n{opening}\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(optionsReference(ALL_OPTIONS.values()))
