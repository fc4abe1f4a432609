"""
Documents that are tests: marked blocks of Markdown are run, and what they print is compared.

A mark is an HTML comment on the line before a fenced block, so that readers do not see it::

    <!-- test: make a certificate -->
    ```console
    $ xtls cert self-signed --out cert.pem
    ... SHA256:...
    ```

The blocks of one document are run in order, in one scratch folder, which is also the home folder.
CONTRIBUTING.md has the list of marks.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.programs import environment

#: How long a block may run, or a server may take to start, in seconds.
DEADLINE: Final = 60.0

_MARK = re.compile(r"<!--\s*(test|file|ports):\s*(.*?)\s*-->\s*")
_FENCE = re.compile(r"(\s*)(`{3,})(\w*)\s*")
_SETTING = re.compile(r',\s*(?:(status) (\d+)|(background) until "([^"]*)")\s*$')


class DocumentError(Exception):
    """
    A document is marked in a way that means nothing, or does not do what it says.
    """


@dataclass(frozen=True)
class Block:
    """
    A marked block.

    @ivar kind: C{test} to run it, C{file} to write it to a file.
    @ivar name: what is tested, or the file's name.
    @ivar language: what the fence says: C{console}, C{sh}, C{python}, or for files anything.
    @ivar text: what is inside.
    @ivar line: where it begins, counted from 1.
    @ivar status: the exit status that it must have.
    @ivar until: for a block that stays in the background, what it prints as soon as others may go on.
    """

    kind: str
    name: str
    language: str
    text: str
    line: int
    status: int = 0
    until: str | None = None


@dataclass
class Document:
    """
    The marked blocks of a document, in order.

    @ivar ports: port numbers that stand in the text, each of which is replaced by a free one.
    """

    blocks: list[Block] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)


def readDocument(text: str) -> Document:
    """
    Find what is marked.

    @raise DocumentError: for a mark that is not followed by a block, or a block of a language that cannot
        be run.
    """
    document = Document()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        mark = _MARK.fullmatch(line.strip())
        if mark is None:
            continue
        kind, name = mark.groups()
        if kind == "ports":
            document.ports += name.split()
        else:
            document.blocks.append(_readBlock(kind, name, lines, number + 1))
    return document


def _readBlock(kind: str, name: str, lines: list[str], start: int) -> Block:
    """
    The block whose fence stands in line C{start}, counted from 0.
    """
    fence = _FENCE.fullmatch(lines[start]) if start < len(lines) else None
    if fence is None:
        raise DocumentError(f"line {start}: no block follows the mark of {name!r}")
    indent, ticks, language = fence.groups()
    inside = []
    for line in lines[start + 1 :]:
        if line.strip() == ticks:
            break
        inside.append(line.removeprefix(indent))
    status, until = 0, None
    while kind == "test" and (setting := _SETTING.search(name)):
        name = name[: setting.start()]
        status = int(setting[2]) if setting[1] else status
        until = setting[4] if setting[3] else until
    if kind == "test" and language not in ("console", "sh", "python"):
        raise DocumentError(f"line {start + 1}: {language or 'a block without a language'} cannot be run")
    return Block(kind, name, language, "\n".join(inside) + "\n", start + 1, status, until)


def conversation(text: str) -> list[tuple[str, str]]:
    """
    The commands of a C{console} block, each with the output that follows it.

    A command begins C{$ } and goes on, after a backslash, in lines that begin C{> }.
    """
    commands: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        elif line.startswith("> ") and commands and commands[-1][0].endswith("\\\n"):
            commands[-1] = (commands[-1][0] + line[2:], "")
        elif commands:
            commands[-1] = (commands[-1][0], commands[-1][1] + line)
        elif line.strip():
            raise DocumentError(f"output without a command: {line.strip()!r}")
    return commands


def matches(expected: str, printed: str) -> bool:
    """
    Whether a command printed what the document says.  Nothing said is nothing promised; C{...} alone in a
    line stands for any lines, and within a line for any text.
    """
    if not expected.strip():
        return True
    pattern = ""
    for line in expected.strip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n"
    return re.fullmatch(pattern, printed.rstrip("\n") + "\n") is not None


def _freePorts(count: int) -> Iterator[str]:
    """
    Ports of loopback that nobody listens on just now.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        for each in sockets:
            yield str(each.getsockname()[1])
    finally:
        for each in sockets:
            each.close()


class Reader:
    """
    Somebody who does what a document says.
    """

    def __init__(self, scratch: Path) -> None:
        """
        @param scratch: an empty folder, in which everything happens.
        """
        self._scratch = scratch
        self._running: list[subprocess.Popen[bytes]] = []
        self._environment = environment(scratch)

    def follow(self, text: str) -> None:
        """
        Do all that is marked, in order.

        @raise DocumentError: at the first block that does not do what it says.
        """
        document = readDocument(text)
        ports = dict(zip(document.ports, list(_freePorts(len(document.ports)))))
        try:
            for block in document.blocks:
                inside = block.text
                if ports:
                    pattern = r"(?<!\d)(" + "|".join(map(re.escape, ports)) + r")(?!\d)"
                    inside = re.sub(pattern, lambda found: ports[found[1]], inside)
                self._do(block, inside)
        finally:
            self._stop()

    def _do(self, block: Block, text: str) -> None:
        """
        Do what one block says.
        """
        where = f"line {block.line}, {block.name!r}"
        if block.kind == "file":
            (self._scratch / block.name).write_text(text, "utf-8")
        elif block.until is not None:
            self._start(where, text, block)
        else:
            self._run(where, text, block)

    def _command(self, script: str, language: str) -> list[str]:
        """
        The words that run a script.
        """
        if language == "python":
            return [sys.executable, "-c", script]
        return ["bash", "-e", "-c", script] if language == "sh" else ["bash", "-c", script]

    def _run(self, where: str, text: str, block: Block) -> None:
        """
        Run a block to its end.
        """
        console = block.language == "console"
        commands = conversation(text) if console else [(text, "")]
        script = "".join(f"{command}\nprintf '\\0%d\\0' $?\n" for command, _ in commands) if console else text
        try:
            done = subprocess.run(
                self._command(script, block.language),
                cwd=self._scratch,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=DEADLINE,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            raise DocumentError(f"{where}: not done after {DEADLINE} s\n{_text(e.output)}") from None
        parts = _text(done.stdout).split("\0")
        if not console:
            parts += [str(done.returncode)]
        for (command, expected), printed, status in zip(commands, parts[::2], [*parts[1::2], "none"]):
            wanted = str(block.status) if command is commands[-1][0] else "0"
            if status != wanted:
                raise DocumentError(f"{where}: status {status}, not {wanted}\n{command}{printed}")
            if not matches(expected, printed):
                raise DocumentError(f"{where}: expected\n{expected}\nbut got\n{printed}")

    def _start(self, where: str, text: str, block: Block) -> None:
        """
        Start a block, and go on when it says that it is ready.
        """
        if block.language == "console":
            commands = conversation(text)
            text = "".join(command for command, _ in commands)
        log = self._scratch / f"background-{len(self._running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(text, block.language),
                cwd=self._scratch,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        end = time.monotonic() + DEADLINE
        while block.until is not None and block.until not in _text(log.read_bytes()):
            if process.poll() is not None or time.monotonic() > end:
                raise DocumentError(f"{where}: never said {block.until!r}\n{_text(log.read_bytes())}")
            time.sleep(0.05)

    def _stop(self) -> None:
        """
        End what was started.
        """
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()


def _text(output: bytes | None) -> str:
    """
    What was printed, whatever it was.
    """
    return (output or b"").decode("utf-8", "replace")
