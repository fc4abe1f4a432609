"""
The programs that are compared, and how each is set up: one process, one thread, TLS 1.3, as fast as it goes.

The configurations are ours; nothing of what the machine has is read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.works import CIPHER, HOST

#: Programs for administrators are not on everybody's path.
PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin"])

#: Where nginx's module for streams may be, when it is not built in.
_STREAM: Final = tuple(
    Path(folder, "nginx/modules/ngx_stream_module.so")
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib")
)


@dataclass(frozen=True)
class Site:
    """
    Where a server is to be, and in front of what.

    @ivar port: where it listens.
    @ivar backend: the port of the backend.
    @ivar certificate: with its key, in one file.
    @ivar folder: its own.
    @ivar spoken: C{plain}, C{tls}, C{ws} or C{wss}.
    @ivar root: whether we are the administrator.
    @ivar workers: how many processes.
    @ivar control: where a server that does the work itself tells what it has counted.
    """

    port: int
    backend: int
    certificate: Path
    folder: Path
    spoken: str
    root: bool = False
    workers: int = 1
    control: int = 0


@dataclass(frozen=True)
class Peer:
    """
    A program that is compared.

    @ivar programs: what it may be called; the first that is found is run.
    @ivar get: how to install it.
    @ivar version: what makes it say its version.
    @ivar command: makes the command line, of what was found.
    @ivar files: makes its configuration, by the names of files in its folder.
    @ivar lean: whether it does without a process or a thread for each connection.
    @ivar many: whether ten thousand connections can be asked of it.
    """

    name: str
    programs: tuple[str, ...]
    get: str
    version: tuple[str, ...]
    command: Callable[[str, Site], list[str]]
    files: Callable[[Site], dict[str, str]] = field(default=lambda site: {})
    lean: bool = True
    many: bool = False

    def find(self) -> str | None:
        """
        Where the program is, if it is installed.
        """
        found = (shutil.which(program, path=PATH) for program in self.programs)
        return next((path for path in found if path is not None), None)

    def says(self, path: str) -> str:
        """
        Its version, as far as it tells.
        """
        if not self.version:
            return ""
        try:
            done = subprocess.run(
                [path, *self.version], capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(rb"\d+(?:\.\d+)+", done.stdout + done.stderr)
        return found[0].decode("ascii") if found is not None else ""


def nginxFiles(site: Site, modules: Iterable[Path] = _STREAM) -> dict[str, str]:
    """
    The configuration of nginx.
    """
    load = next((f"load_module {module};\n" for module in modules if module.exists()), "")
    user = "user root;\n" if site.root else ""
    return {
        "nginx.conf": f"""\
{load}{user}daemon off;
worker_processes 1;
pid {site.folder}/nginx.pid;
error_log {site.folder}/error.log warn;
events {{ worker_connections 19900; }}
stream {{
  tcp_nodelay on;
  proxy_buffer_size 64k;
  server {{
    listen {HOST}:{site.port} ssl backlog=4096;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites {CIPHER};
    ssl_certificate {site.certificate};
    ssl_certificate_key {site.certificate};
    ssl_session_cache shared:sessions:10m;
    ssl_session_tickets on;
    proxy_pass {HOST}:{site.backend};
  }}
}}
"""
    }


def haproxyFiles(site: Site) -> dict[str, str]:
    """
    The configuration of haproxy.
    """
    tls = f" ssl crt {site.certificate}" if site.spoken == "tls" else ""
    return {
        "haproxy.cfg": f"""\
global
  maxconn 9900
  nbthread 1
  tune.ssl.cachesize 20000
  tune.bufsize 131072
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites {CIPHER}
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend front
  bind {HOST}:{site.port}{tls}
  default_backend back
backend back
  server only {HOST}:{site.backend}
"""
    }


def hitchFiles(site: Site) -> dict[str, str]:
    """
    The configuration of hitch.
    """
    user = 'user = "nobody"\n' if site.root else ""
    return {
        "hitch.conf": f"""\
frontend = {{
  host = "{HOST}"
  port = "{site.port}"
}}
backend = "[{HOST}]:{site.backend}"
pem-file = "{site.certificate}"
workers = 1
backlog = 4096
daemon = off
quiet = on
syslog = off
tls-protos = TLSv1.3
ciphersuites = "{CIPHER}"
ocsp-dir = ""
{user}"""
    }


def stunnelFiles(site: Site) -> dict[str, str]:
    """
    The configuration of stunnel.
    """
    return {
        "stunnel.conf": f"""\
foreground = yes
pid =
debug = 3
sslVersionMin = TLSv1.3
ciphersuites = {CIPHER}
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[work]
accept = {HOST}:{site.port}
connect = {HOST}:{site.backend}
cert = {site.certificate}
key = {site.certificate}
"""
    }


def socatCommand(path: str, site: Site) -> list[str]:
    """
    The command line of socat, which needs no configuration.
    """
    options = f"bind={HOST},reuseaddr,fork,backlog=512,nodelay"
    front = f"TCP-LISTEN:{site.port},{options}"
    if site.spoken == "tls":
        tls = f"cert={site.certificate},verify=0,openssl-min-proto-version=TLS1.3"
        front = f"OPENSSL-LISTEN:{site.port},{options},{tls}"
    return [path, "-b", "65536", front, f"TCP:{HOST}:{site.backend},nodelay"]


def websockifyCommand(path: str, site: Site) -> list[str]:
    """
    The command line of websockify.
    """
    tls = (
        [f"--cert={site.certificate}", f"--key={site.certificate}", "--ssl-only"]
        if site.spoken == "wss"
        else []
    )
    return [path, *tls, f"{HOST}:{site.port}", f"{HOST}:{site.backend}"]


def xtlsCommand(path: str, site: Site) -> list[str]:
    """
    The command line of C{twistd xtls}, as users have it.
    """
    return [
        *(path, "-n", "--pidfile=", "xtls", f"--bind-tcp={HOST}:{site.port}"),
        f"--forward=tcp:{HOST}:{site.backend}",
        *([f"--ssl-cert={site.certificate}"] if site.spoken in ("tls", "wss") else []),
        *([f"--workers={site.workers}"] if site.workers > 1 else []),
    ]


def _servers(name: str) -> Callable[[str, Site], list[str]]:
    """
    The command line of a server of L{benchmarks.servers}.
    """

    def command(path: str, site: Site) -> list[str]:
        numbers = (site.port, site.backend, site.control)
        return [path, "-m", "benchmarks.servers", name, str(site.certificate), *map(str, numbers)]

    return command


def _twisted(name: str, server: str) -> Peer:
    return Peer(name, (sys.executable,), "", (), _servers(server))


def _debian(packages: str) -> str:
    return f"apt-get install {packages}"


NGINX: Final = Peer(
    "nginx",
    ("nginx",),
    _debian("nginx libnginx-mod-stream"),
    ("-v",),
    lambda path, site: [path, "-p", str(site.folder), "-c", f"{site.folder}/nginx.conf"],
    nginxFiles,
    many=True,
)
HAPROXY: Final = Peer(
    "haproxy",
    ("haproxy",),
    _debian("haproxy"),
    ("-v",),
    lambda path, site: [path, "-db", "-f", f"{site.folder}/haproxy.cfg"],
    haproxyFiles,
    many=True,
)
HITCH: Final = Peer(
    "hitch",
    ("hitch",),
    _debian("hitch"),
    ("--version",),
    lambda path, site: [path, f"--config={site.folder}/hitch.conf"],
    hitchFiles,
)
STUNNEL: Final = Peer(
    "stunnel",
    ("stunnel4", "stunnel"),
    _debian("stunnel4"),
    ("-version",),
    lambda path, site: [path, f"{site.folder}/stunnel.conf"],
    stunnelFiles,
)
SOCAT: Final = Peer("socat", ("socat",), _debian("socat"), ("-V",), socatCommand, lean=False)
WEBSOCKIFY: Final = Peer(
    "websockify", ("websockify",), _debian("websockify"), (), websockifyCommand, lean=False
)
XTLS: Final = Peer(
    "xtls",
    (str(Path(sys.executable).with_name("twistd")), "twistd"),
    "python -m pip install --editable .",
    (),
    xtlsCommand,
    many=True,
)
ALONE: Final = Peer("alone", XTLS.programs, XTLS.get, (), xtlsCommand)

_PROXIES: Final = (NGINX, HAPROXY, HITCH, STUNNEL)

#: Who is compared, by what is in front; ours is called C{xtls} everywhere, and is the last.
PEERS: Final[dict[str, tuple[Peer, ...]]] = {
    "tls": (*_PROXIES, SOCAT, XTLS),
    "plain": (HAPROXY, SOCAT, XTLS),
    "ws": (WEBSOCKIFY, XTLS),
    "wss": (WEBSOCKIFY, XTLS),
    "idle": (*_PROXIES, XTLS),
    "workers": (ALONE, XTLS),
    "start": (XTLS,),
    "stock": (_twisted("stock", "stock-port"), _twisted("forward", "forward-port"), XTLS),
    "transport": (_twisted("stock", "stock-transport"), _twisted("xtls", "xtls-transport")),
}

#: Every name that C{--peers} takes.
NAMES: Final = tuple(dict.fromkeys(peer.name for every in PEERS.values() for peer in every))
