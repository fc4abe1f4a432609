"""
Measure, and tell: C{python -m benchmarks}.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

import xtls
from benchmarks.arguments import Asked, parse
from benchmarks.ground import Ground, Plan, backend
from benchmarks.markdown import markdown, replaced
from benchmarks.peers import PEERS
from benchmarks.plot import plot
from benchmarks.processes import StartError, share
from benchmarks.report import report
from benchmarks.results import Result, fromJSON, remarks, tables
from benchmarks.rounds import perform
from xtls.trust.certificates import PrivateKey, toPEM
from xtls.trust.files import writePrivate
from xtls.trust.issuing import selfSigned


def tell(text: str) -> None:
    """
    Say how far we are, where that does not get into the figures.
    """
    print(text, file=sys.stderr, flush=True)


def certificates(folder: Path, keys: Sequence[str]) -> dict[str, Path]:
    """
    Make a certificate for each kind of key that is needed.
    """
    made = {}
    for key in keys:
        private: PrivateKey = (
            ec.generate_private_key(ec.SECP256R1())
            if key == "ec"
            else rsa.generate_private_key(65537, 4096 if key == "rsa4096" else 2048)
        )
        made[key] = folder / f"{key}.pem"
        writePrivate(made[key], toPEM(selfSigned(["localhost", "127.0.0.1"], key=private)))
    return made


def programs(plan: Plan) -> dict[tuple[str, ...], str]:
    """
    Where the peers are that the plan needs; what is missing is said.
    """
    found = {}
    for peer in dict.fromkeys(peer for front, _ in plan.works for peer in PEERS[front]):
        if plan.peers and peer.name not in plan.peers:
            continue
        path = peer.find()
        if path is None:
            tell(f"{peer.name} is not installed, and left out: {peer.get}")
        else:
            found[peer.programs] = path
    return found


def _version(package: str) -> str:
    """
    What is installed; xtls may be used from its folder.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return xtls.__version__


def facts(plan: Plan, found: dict[tuple[str, ...], str]) -> dict[str, Any]:
    """
    What the figures depend on.
    """
    peers = {peer.programs: peer for every in PEERS.values() for peer in every}
    versions = {peers[words].name: peers[words].says(path) for words, path in found.items()}
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} processors",
        "python": platform.python_version(),
        "client": ssl.OPENSSL_VERSION,
        "server": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii"),
        "packages": {name: _version(name) for name in ("xtls", "Twisted", "pyOpenSSL", "cryptography")},
        "peers": {name: number for name, number in versions.items() if number},
        "rounds": plan.rounds,
        "seconds": plan.seconds,
    }


def _short(library: str) -> str:
    """
    The name and the version of a library, without its date.
    """
    return " ".join(library.split()[:2])


def sentences(every: dict[str, Any]) -> Iterator[str]:
    """
    The same in words.
    """
    packages = ", ".join(f"{name} {number}" for name, number in every["packages"].items())
    peers = ", ".join(f"{name} {number}" for name, number in every["peers"].items())
    yield (
        f"{every['date']}, {every['rounds']} x {every['seconds']:g} s; {every['machine']}, "
        f"Python {every['python']};"
    )
    yield f"{packages}, with {_short(every['server'])};"
    yield f"{peers or 'no others'}; the generator has {_short(every['client'])}."


def measured(plan: Plan) -> tuple[list[Result], dict[str, Any]]:
    """
    Measure.
    """
    found = programs(plan)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        processors = share(sorted(os.sched_getaffinity(0)))
        keys = sorted({work.key for _, work in plan.works})
        made = certificates(folder, sorted({*keys, "ec"}))
        with backend(folder, processors) as (port, behind):
            ground = Ground(folder, made, port, behind, processors, found, tell)
            return perform(ground, plan), facts(plan, found)


def earlier(paths: Sequence[Path]) -> tuple[list[Result], dict[str, Any]]:
    """
    What was measured before; what it depends on is that of the last, with the peers of all.
    """
    results: list[Result] = []
    every: dict[str, Any] = {}
    for path in paths:
        try:
            value = json.loads(path.read_text("utf-8"))
            results += fromJSON(value)
            every = {**value["facts"], "peers": {**every.get("peers", {}), **value["facts"]["peers"]}}
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise SystemExit(f"python -m benchmarks: --from={path}: {e}") from None
    return results, every


def write(asked: Asked, results: Sequence[Result], every: dict[str, Any]) -> None:
    """
    Write the files that were asked for.
    """
    made = tables(results)
    if asked.json is not None:
        written = {"facts": every, "results": [asdict(each) for each in results]}
        asked.json.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    if asked.plot is not None:
        asked.plot.write_text(plot(made), "utf-8")
    if asked.markdown is not None:
        text = markdown(made, remarks(results), list(sentences(every)))
        before = asked.markdown.read_text("utf-8") if asked.markdown.exists() else ""
        asked.markdown.write_text(replaced(before, text), "utf-8")


def main(words: Sequence[str]) -> None:
    """
    Measure, print the tables, and write the files.
    """
    asked = parse(words)
    if not sys.platform.startswith("linux"):
        raise SystemExit("python -m benchmarks: needs Linux, for epoll and /proc")
    # so that what runs is ended
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("python -m benchmarks: terminated"))
    try:
        results, every = earlier(asked.earlier) if asked.earlier else measured(asked.plan)
        print(report(tables(results), remarks(results), list(sentences(every))))
        write(asked, results, every)
    except (StartError, OSError) as e:
        raise SystemExit(f"python -m benchmarks: {e}") from None
    except KeyboardInterrupt:
        raise SystemExit("python -m benchmarks: interrupted") from None


if __name__ == "__main__":
    main(sys.argv[1:])
