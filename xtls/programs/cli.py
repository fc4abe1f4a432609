"""
The C{xtls} command.

It starts fast: what a command needs is imported when that command runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

import xtls
from xtls.programs.commandline import chosen, tolerate

__all__ = ["main"]

#: Each command, its module, and what it does.
COMMANDS: Final = {
    "attach": ("xtls.programs.attach", "join standard input and output, or a local port, to a server"),
    "cert": ("xtls.programs.cert", "make certificates, and look at them"),
    "check": ("xtls.programs.check", "connect to a server, and say what works there and what does not"),
    "demo": ("xtls.programs.demo", "start a server on this machine to try xtls with"),
    "hosts": ("xtls.programs.hosts", "servers whose key you have accepted, and forgetting them"),
    "setup-ssl": ("xtls.programs.setupssl", "make the default certificate and print it, here or by ssh"),
    "show-ssl": ("xtls.programs.showssl", "print the default certificate, of this machine or by ssh"),
}

_USAGE: Final = "Usage: xtls COMMAND ..."

#: How much of a line of an error is shown.
_LONGEST_LINE: Final = 2000

_HELP: Final = (
    f"{_USAGE}\n\n"
    "One port that speaks raw TCP, TLS, HTTP(S) and WebSocket, verified by default.\n\n"
    + "".join(f"  {name:10}{purpose}\n" for name, (_, purpose) in COMMANDS.items())
    + """
  xtls COMMAND --help    says more about a command
  xtls --version         shows the version
  twistd xtls --help     is about the server

Examples:
  xtls demo
  xtls cert self-signed
  xtls attach ssl://host:10000/ --ssl-ca-certs=./cert.pem
"""
)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    @param arguments: the command line, without the program's name; by default, that of the process.
    @return: the exit status; see L{xtls.programs.statuses.ExitStatus}.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    tolerate(sys.stdout)
    try:
        status = _dispatch(words)
        if sys.stdout is not None:  # it is, where the parent has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has what it wanted
        _dropOutput()
        return 0
    except OSError as e:
        # such as a full disk
        _dropOutput()
        print(f"xtls: standard output: {e.strerror or e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _dropOutput() -> None:
    """
    Let nothing more be written to standard output, not even what is flushed when the process ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _dispatch(words: Sequence[str]) -> int:
    """
    Find the command and run it.
    """
    if not words:
        print(f"{_HELP}", end="", file=sys.stderr)
        return 2
    name, *rest = words
    if name in ("--version", "-V", "version"):
        print(f"xtls {xtls.__version__}")
        return 0
    if name in ("--help", "-h", "help"):
        if not rest:
            print(_HELP, end="")
            return 0
        name, rest = rest[0], ["--help"]
    return _run(name, rest)


def _run(name: str, rest: Sequence[str]) -> int:
    """
    Run one command, and say in one sentence what is wrong with it.
    """
    from xtls.errors import XTLSError

    try:
        module, _ = chosen("xtls", name, COMMANDS)
        status: int = importlib.import_module(module).run(rest)
    except XTLSError as e:
        from xtls.programs.statuses import statusOf
        from xtls.trust.names import printable

        # what stands in a URL or a file may be somebody else's, and not for a terminal to obey
        problem = "\n".join(printable(line, _LONGEST_LINE) for line in str(e).split("\n"))
        print(f"xtls{f' {name}' if name in COMMANDS else ''}: {problem}", file=sys.stderr)
        return statusOf(e)
    return status
