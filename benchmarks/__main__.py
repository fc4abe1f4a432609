"""
Compare xtls's TLS with Twisted's stock TLS: bulk, full handshakes, and small echoes.

Each server is a process of its own, and the clients that keep it busy are another.  Every round does every
workload once with every server, so that what else the machine does meets all alike; medians are printed.  The
rate per processor second of the server stays honest when the client, or the machine, is the bottleneck.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from benchmarks.load import WORKLOADS, Load
from benchmarks.servers import SERVERS
from xtls.trust.certificates import selfSigned, toPEM
from xtls.trust.files import writePrivate

#: How the rates of bulk workloads are printed: the divisor, and the unit.  Others are counted one by one.
UNITS = {"down": (1e6, " (MB)"), "up": (1e6, " (MB)")}


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
    A server that runs.
    """

    def __init__(self, name: str, certificate: Path) -> None:
        self.name = name
        self.certificate = certificate
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.servers", name, str(certificate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        ports = self._process.stdout.readline().split()
        if len(ports) != 2:
            raise SystemExit(f"the server {name} did not start")
        self.port, self._control = int(ports[0]), int(ports[1])

    def used(self) -> float:
        """
        Processor seconds so far.
        """
        with socket.create_connection(("127.0.0.1", self._control), 10) as connection:
            return float(connection.makefile().readline())

    def stop(self) -> None:
        """
        End it.
        """
        self._process.communicate(timeout=10)


def measure(server: Server, workload: str, turn: int, seconds: float) -> Result:
    """
    Do one workload with one server.
    """
    before = server.used()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.load", workload),
            *(str(server.port), str(server.certificate), str(seconds)),
        ],
        stdout=subprocess.PIPE,
        timeout=seconds + 60,
        check=True,
    )
    time.sleep(0.05)  # for the server to see the end of what was going on
    used = server.used() - before
    load = Load(**json.loads(done.stdout))
    return Result(server.name, workload, turn, load.units, load.seconds, max(used, 1e-6), load.cipher)


def median(results: list[Result], server: str, workload: str) -> tuple[float, float]:
    """
    The rates by the clock and by the server's processor time.
    """
    chosen = [each for each in results if (each.server, each.workload) == (server, workload)]
    return (
        statistics.median(each.perSecond for each in chosen),
        statistics.median(each.perUsed for each in chosen),
    )


def table(results: list[Result], servers: list[str], workloads: list[str]) -> str:
    """
    The medians, and how each server compares with the first.
    """
    first, *others = servers
    lines = [f"{'':14}{'per processor second of the server':^40}{'per second':^40}"]
    heads = [first] + [head for other in others for head in (other, "ratio")]
    lines.append(f"{'':14}" + 2 * "".join(f"{head:>13}" for head in heads))
    for workload in workloads:
        scale, unit = UNITS.get(workload, (1.0, ""))
        line = f"{workload + unit:14}"
        base = median(results, first, workload)
        for by in (1, 0):
            line += f"{base[by] / scale:13.0f}"
            for other in others:
                rate = median(results, other, workload)[by]
                line += f"{rate / scale:13.0f}{rate / base[by]:13.2f}"
        lines.append(line)
    return "\n".join(lines)


def facts() -> dict[str, Any]:
    """
    What the figures depend on.
    """
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "client": ssl.OPENSSL_VERSION,
        "server": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii"),
        "packages": {name: version(name) for name in ("xtls", "Twisted", "pyOpenSSL", "cryptography")},
    }


def arguments() -> argparse.Namespace:
    """
    What was asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round: does it work, not how fast")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each workload; default %(default)s")
    parser.add_argument("--server", action="append", choices=SERVERS, help="default all, repeatable")
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="default all, repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.seconds = 1, 0.4
    return asked


def main() -> None:
    """
    Run the rounds, print the table.
    """
    asked = arguments()
    names = asked.server or list(SERVERS)
    workloads = asked.workload or list(WORKLOADS)
    servers: list[Server] = []
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder, "cert.pem")
        writePrivate(certificate, toPEM(selfSigned(["localhost", "127.0.0.1"])))
        try:
            servers += [Server(name, certificate) for name in names]
            for turn in range(asked.rounds):
                for workload in workloads:
                    results += [measure(server, workload, turn, asked.seconds) for server in servers]
        finally:
            for server in servers:
                server.stop()
    print(table(results, names, workloads))
    ciphers = {each.server: each.cipher for each in results}
    print(", ".join(f"{name}: {cipher}" for name, cipher in ciphers.items()))
    print(f"{asked.rounds} rounds of {asked.seconds} s; Python {facts()['python']}, {facts()['machine']}")
    if asked.json is not None:
        every = {"facts": facts(), "results": [asdict(each) for each in results]}
        asked.json.write_text(json.dumps(every, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
