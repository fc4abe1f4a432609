"""
What is measured: each work, how it is done, and which ratio to the best of the others is the goal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The address that everything is on.
HOST: Final = "127.0.0.1"

#: The suite that the generator offers, and no other, so that all servers take the same.
CIPHER: Final = "TLS_AES_128_GCM_SHA256"

#: The octets of one message in an echo.
SIZE: Final = 64


@dataclass(frozen=True)
class Work:
    """
    Something that is done with every server in turn.

    @ivar name: in C{--work}.
    @ivar kind: what the generator does: C{down}, C{up}, C{echo}, C{connect} or C{hold}; or C{start}, which it
        does not do.
    @ivar title: in tables.
    @ivar measure: the value that counts, of those that a L{benchmarks.results.Result} has.
    @ivar unit: what one of it is, in tables.
    @ivar scale: what a value is multiplied with before it is printed.
    @ivar less: whether less is better.
    @ivar connections: at once.
    @ivar key: which certificate the server has: C{ec} (P-256), C{rsa} (2048) or C{rsa4096}.
    @ivar resume: whether connections go on with the session of earlier ones.
    @ivar once: whether it is done in the first round only, because it takes long.
    """

    name: str
    kind: str
    title: str
    measure: str = "perUsed"
    unit: str = ""
    scale: float = 1.0
    less: bool = False
    connections: int = 1
    key: str = "ec"
    resume: bool = False
    once: bool = False


def _bulk(name: str, kind: str, title: str, connections: int) -> Work:
    return Work(name, kind, title, unit="MB", scale=1e-6, connections=connections)


_DOWN1: Final = _bulk("down1", "down", "bulk to the client", 1)
_DOWN8: Final = _bulk("down8", "down", "bulk to the client, 8 connections", 8)
_UP1: Final = _bulk("up1", "up", "bulk from the client", 1)
_UP8: Final = _bulk("up8", "up", "bulk from the client, 8 connections", 8)
_FULL: Final = Work("full", "connect", "full handshakes, ECDSA", connections=16)
_RSA: Final = Work("rsa", "connect", "full handshakes, RSA-2048", connections=16, key="rsa")
_RESUMED: Final = Work("resumed", "connect", "resumed handshakes", connections=16, resume=True)
_NEW: Final = Work("new", "connect", "new connections", connections=16)
_ECHO1: Final = Work("echo1", "echo", f"{SIZE}-octet echoes")
_ECHO100: Final = Work("echo100", "echo", f"{SIZE}-octet echoes, 100 connections", connections=100)
_MEMORY: Final = Work(
    "memory", "hold", "memory of an idle connection", "memory", "KiB", less=True, connections=1000
)
_HELD: Final = Work(
    "held", "hold", "opening 9,800 connections that stay idle", "perSecond", connections=9800, once=True
)
_WORKERS: Final = Work(
    "workers", "connect", "two workers, RSA-4096 handshakes", "perBusiest", connections=16, key="rsa4096"
)
_HELP: Final = Work("help", "start", "xtls --help", "seconds", "ms", 1e3, less=True)
_LISTENING: Final = Work(
    "listening", "start", "twistd xtls, until it listens", "seconds", "ms", 1e3, less=True
)

_TLS: Final = (_DOWN1, _DOWN8, _UP1, _UP8, _FULL, _RSA, _RESUMED, _ECHO1, _ECHO100)
_STOCK: Final = (_DOWN1, _UP1, _FULL, _RESUMED, _ECHO1, _ECHO100)
_TUNNEL: Final = (_DOWN1, _UP1, _ECHO1, _ECHO100)

#: By what is in front of the servers, what is done.
FRONTS: Final[dict[str, tuple[Work, ...]]] = {
    "tls": _TLS,
    "plain": (_DOWN1, _DOWN8, _UP1, _UP8, _ECHO1, _ECHO100, _NEW),
    "ws": _TUNNEL,
    "wss": _TUNNEL,
    "idle": (_MEMORY, _HELD),
    "workers": (_WORKERS,),
    "start": (_HELP, _LISTENING),
    "stock": _STOCK,
    "transport": _STOCK,
}

#: What C{--of} takes, and the fronts that each stands for.
SUBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "tls": ("tls",),
    "plain": ("plain",),
    "websocket": ("ws", "wss"),
    "idle": ("idle",),
    "workers": ("workers",),
    "start": ("start",),
    "stock": ("stock",),
    "transport": ("transport",),
    "all": tuple(FRONTS),
}

#: What is done when nothing is asked for.
USUAL: Final = ("tls", "plain", "websocket", "idle", "workers", "start")

#: What C{--quick} does of it.
QUICK: Final = ("down1", "up1", "full", "resumed", "echo100", "new", "memory", "help", "listening")

#: What a front is called in tables.
TITLES: Final = {
    "tls": "TLS termination",
    "plain": "plain TCP relay",
    "ws": "WebSocket tunnel",
    "wss": "WebSocket tunnel in TLS",
    "idle": "idle connections",
    "workers": "several processes",
    "start": "start",
    "stock": "a port, beside stock Twisted",
    "transport": "TLS alone, beside stock Twisted",
}

#: What is spoken to a front whose name is not that of what is spoken.
SPOKEN: Final = {"idle": "tls", "workers": "tls", "stock": "tls", "transport": "tls"}


@dataclass(frozen=True)
class Goal:
    """
    What we want to reach.

    @ivar value: the ratio to the best of the others; or, where C{absolute}, the value itself as printed.
    """

    value: float
    absolute: bool = False


_BULK_GOALS: Final = {name: Goal(1.1) for name in ("down1", "down8", "up1", "up8")}
_TUNNEL_GOALS: Final = {"down1": Goal(1.4), "up1": Goal(1.9), "echo1": Goal(4.0), "echo100": Goal(4.0)}

GOALS: Final[dict[str, dict[str, Goal]]] = {
    "tls": {
        **_BULK_GOALS,
        "full": Goal(1.0),
        "rsa": Goal(1.0),
        "resumed": Goal(1.0),
        "echo1": Goal(0.9),
        "echo100": Goal(0.9),
    },
    "plain": {work.name: Goal(1.0) for work in FRONTS["plain"]},
    "ws": _TUNNEL_GOALS,
    "wss": _TUNNEL_GOALS,
    "idle": {"memory": Goal(17.0, True), "held": Goal(1000.0, True)},
    "workers": {"workers": Goal(1.8)},
    "start": {"help": Goal(250.0, True), "listening": Goal(700.0, True)},
}


def works(fronts: tuple[str, ...], names: tuple[str, ...] = ()) -> list[tuple[str, Work]]:
    """
    What is to be done, each with its front.

    @param names: of works; none for all.
    """
    return [(front, work) for front in fronts for work in FRONTS[front] if not names or work.name in names]


def find(front: str, name: str) -> Work:
    """
    A work by its name.
    """
    return next(work for work in FRONTS[front] if work.name == name)
