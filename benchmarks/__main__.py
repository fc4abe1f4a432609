"""
Compare xtls with Twisted's stock TLS: bulk, handshakes, and small echoes.

Each server is a process of its own, the backend another, and the clients that keep them busy a third.  Every
round does every workload once with every server, so that what else the machine does meets all alike; medians
are printed.  The rate per processor second of the server stays honest when the client, the backend or the
machine is the bottleneck.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from OpenSSL import SSL

import xtls
from benchmarks.load import WORKLOADS, Load
from xtls.trust.certificates import selfSigned, toPEM
from xtls.trust.files import writePrivate

#: How the rates of bulk workloads are printed: the divisor, and the unit.  Others are counted one by one.
UNITS: Final = {"down": (1e6, " (MB)"), "up": (1e6, " (MB)")}

#: What is compared, a port in front of a backend, or TLS alone, and in which ways; the first is what the
#: others are compared with.
SUBJECTS: Final = {"port": ("stock", "forward", "xtls"), "transport": ("stock", "xtls")}

_ROOT: Final = Path(xtls.__file__).parent.parent


@dataclass(frozen=True)
class Result:
    """
    One round of one workload with one server.

    @ivar used: processor seconds of the server.
    """

    server: str
    workload: str
    round: int
    units: int
    seconds: float
    used: float
    cipher: str

    @property
    def perSecond(self) -> float:
        """
        Units in a second by the clock.
        """
        return self.units / self.seconds

    @property
    def perUsed(self) -> float:
        """
        Units in a processor second of the server.
        """
        return self.units / self.used


class Server:
    """
    A process that listens.

    @ivar port: where.
    """

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        """
        @param folder: where it runs, and writes what it prints.
        """
        self.name = name
        log = folder / f"{name}.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.port = self._listening(log)

    def _listening(self, log: Path) -> int:
        """
        Wait until it says where it listens.
        """
        for _ in range(300):
            found = re.search(r"listening: \D*127\.0\.0\.1:(\d+)", log.read_text("utf-8"))
            if found is not None:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise SystemExit(f"the server {self.name} did not start:\n{log.read_text('utf-8')}")

    def used(self) -> float:
        """
        Processor seconds so far.
        """
        tasks = Path(f"/proc/{self._process.pid}/task")
        if tasks.exists():
            return sum(int(each.read_text("ascii").split()[0]) for each in tasks.glob("*/schedstat")) / 1e9
        said = subprocess.check_output(["ps", "-o", "time=", "-p", str(self._process.pid)], text=True)
        minutes, _, seconds = said.strip().rpartition(":")
        return 60 * float(minutes) + float(seconds)

    def stop(self) -> None:
        """
        End it.
        """
        self._process.terminate()
        self._process.wait(10)


@contextlib.contextmanager
def running(subject: str, names: list[str], folder: Path, certificate: Path) -> Iterator[list[Server]]:
    """
    Have the servers run, and what they need.
    """
    with contextlib.ExitStack() as stack:

        def start(name: str, *command: str) -> Server:
            server = Server(name, list(command), folder)
            stack.callback(server.stop)
            return server

        module = (sys.executable, "-m", "benchmarks.servers")
        if subject == "transport":
            yield [start(name, *module, f"{name}-transport", str(certificate)) for name in names]
            return
        backend = str(start("backend", *module, "backend", str(certificate)).port)
        commands: dict[str, tuple[str, ...]] = {
            "stock": (*module, "stock-port", str(certificate), backend),
            "forward": (*module, "forward-port", str(certificate), backend),
            "xtls": (
                *(str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "xtls"),
                *("--bind-tcp=127.0.0.1:0", f"--forward=tcp:127.0.0.1:{backend}"),
                f"--ssl-cert={certificate}",
            ),
        }
        yield [start(name, *commands[name]) for name in names]


def measure(server: Server, certificate: Path, workload: str, turn: int, seconds: float) -> Result:
    """
    Do one workload with one server.
    """
    before = server.used()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.load", workload),
            *(str(server.port), str(certificate), str(seconds)),
        ],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        timeout=seconds + 60,
        check=True,
    )
    time.sleep(0.05)  # for the server to see the end of what was going on
    used = server.used() - before
    load = Load(**json.loads(done.stdout))
    return Result(server.name, workload, turn, load.units, load.seconds, max(used, 1e-6), load.cipher)


def median(results: list[Result], server: str, workload: str, rate: Callable[[Result], float]) -> float:
    """
    The median of a rate.
    """
    return statistics.median(
        rate(each) for each in results if (each.server, each.workload) == (server, workload)
    )


def table(results: list[Result], names: list[str], workloads: list[str]) -> str:
    """
    The medians, and how each server compares with the first.
    """
    first, *others = names
    heads = [first] + [head for other in others for head in (other, "ratio")]
    width = 11 * len(heads)
    lines = [
        f"{'':14}{'per processor second':>{width}}{'per second':>{width}}",
        f"{'':14}" + 2 * "".join(f"{head:>11}" for head in heads),
    ]
    rates: tuple[Callable[[Result], float], ...] = (lambda each: each.perUsed, lambda each: each.perSecond)
    for workload in workloads:
        scale, unit = UNITS.get(workload, (1.0, ""))
        line = f"{workload + unit:14}"
        for rate in rates:
            base = median(results, first, workload, rate)
            line += f"{base / scale:11.0f}"
            for other in others:
                value = median(results, other, workload, rate)
                line += f"{value / scale:11.0f}{value / base:11.2f}"
        lines.append(line)
    return "\n".join(lines)


def _version(package: str) -> str:
    """
    What is installed; xtls may be used from its folder.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return xtls.__version__


def facts(results: list[Result]) -> dict[str, Any]:
    """
    What the figures depend on.
    """
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "client": ssl.OPENSSL_VERSION,
        "server": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii"),
        "ciphers": {each.server: each.cipher for each in results},
        "packages": {name: _version(name) for name in ("xtls", "Twisted", "pyOpenSSL", "cryptography")},
    }


def arguments() -> argparse.Namespace:
    """
    What was asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round: does it work, not how fast")
    parser.add_argument(
        "--of",
        choices=SUBJECTS,
        default="port",
        help="a port in front of a backend, or TLS alone; default %(default)s",
    )
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each workload; default %(default)s")
    parser.add_argument("--server", action="append", help="default all, repeatable")
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="default all, repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there")
    asked = parser.parse_args()
    if not set(asked.server or ()) <= set(SUBJECTS[asked.of]):
        parser.error(f"--server is one of {', '.join(SUBJECTS[asked.of])}")
    if asked.quick:
        asked.rounds, asked.seconds = 1, 0.4
    return asked


def main() -> None:
    """
    Run the rounds, print the table.
    """
    asked = arguments()
    names = asked.server or list(SUBJECTS[asked.of])
    workloads = asked.workload or list(WORKLOADS)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder, "cert.pem")
        writePrivate(certificate, toPEM(selfSigned(["localhost", "127.0.0.1"])))
        with running(asked.of, names, Path(folder), certificate) as servers:
            for turn in range(asked.rounds):
                for workload in workloads:
                    for server in servers:
                        results.append(measure(server, certificate, workload, turn, asked.seconds))
    every = facts(results)
    print(table(results, names, workloads))
    print(
        f"{asked.of}, {asked.rounds} rounds of {asked.seconds} s; "
        f"{every['machine']}, Python {every['python']}"
    )
    print(
        ", ".join(f"{name} {number}" for name, number in every["packages"].items()) + f"; {every['server']}"
    )
    print("; ".join(f"{name}: {cipher}" for name, cipher in every["ciphers"].items()))
    if asked.json is not None:
        written = {"facts": every, "of": asked.of, "results": [asdict(each) for each in results]}
        asked.json.write_text(json.dumps(written, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
