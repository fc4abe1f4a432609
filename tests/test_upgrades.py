"""
What a port lets in: the table, as data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.modes import Mode
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.port.detect import Detected
from xtls.port.upgrades import Expected, Route, UpgradePolicy, UpgradeRefused

_S, _T, _H = Route.SESSION, Route.TLS, Route.HTTP
_NOT_SSH, _NOT_TLS, _NOT_HTTP, _NOT_RAW = (
    Expected.NOT_SSH,
    Expected.NOT_TLS,
    Expected.NOT_HTTP,
    Expected.NOT_RAW,
)
#: "TLS only", "HTTP only", "HTTPS only".
_TO, _HO, _SO = Expected.TLS, Expected.HTTP, Expected.HTTPS

Outcome = Route | Expected

#: The columns.
MODES = (Mode.TCP, Mode.WS, Mode.SSL, Mode.WSS, Mode.UNIX)

_ANYTHING_ELSE = (Detected.RAW, Detected.RFB, Detected.XPRA, Detected.RDP, Detected.SILENCE)

#: What comes first on a connection, everything being switched on and available.
PLAIN: dict[Detected, tuple[Outcome, ...]] = {
    Detected.TLS: (_T, _T, _T, _T, _NOT_TLS),
    Detected.HTTP: (_H, _H, _TO, _SO, _H),
    Detected.SSH: (_NOT_SSH, _HO, _TO, _SO, _NOT_SSH),
    **dict.fromkeys(_ANYTHING_ELSE, (_S, _HO, _TO, _SO, _S)),
}

#: What comes first inside TLS, which a Unix socket does not have.
INSIDE: dict[Detected, tuple[Outcome, ...]] = {
    Detected.TLS: (_S, _HO, _S, _SO),
    Detected.HTTP: (_H, _H, _H, _H),
    Detected.SSH: (_S, _HO, _S, _SO),
    **dict.fromkeys(_ANYTHING_ELSE, (_S, _HO, _S, _SO)),
}

_ALL = PortOptions()
_AVAILABLE = (True, True, True)

#: Where one thing is off, or not there, the rows that this changes:
#: (switches, (TLS, session, pages available), plain rows, rows inside TLS).
CHANGES: tuple[
    tuple[
        PortOptions,
        tuple[bool, bool, bool],
        dict[Detected, tuple[Outcome, ...]],
        dict[Detected, tuple[Outcome, ...]],
    ],
    ...,
] = (
    (
        replace(_ALL, sslUpgrade=False),
        _AVAILABLE,
        {Detected.TLS: (_S, _HO, _T, _T, _S)},
        {},
    ),
    # One of the two keeps HTTP; what is asked for then is the web's to answer.
    (replace(_ALL, httpUpgrade=False), _AVAILABLE, {}, {}),
    (replace(_ALL, websocketUpgrade=False), _AVAILABLE, {}, {}),
    (
        replace(_ALL, httpUpgrade=False, websocketUpgrade=False),
        _AVAILABLE,
        {Detected.HTTP: (_S, _H, _TO, _SO, _S)},
        {Detected.HTTP: (_S, _H, _S, _H)},
    ),
    (
        replace(_ALL, sshUpgrade=False),
        _AVAILABLE,
        {Detected.SSH: (_S, _HO, _TO, _SO, _S)},
        {},
    ),
    (replace(_ALL, ssl=SSLSwitch.ON), _AVAILABLE, {}, {}),
    (replace(_ALL, ssl=SSLSwitch.TCP), _AVAILABLE, {}, {}),
    (replace(_ALL, ssl=SSLSwitch.WWW), _AVAILABLE, {}, {}),
    (
        replace(_ALL, ssl=SSLSwitch.OFF),
        _AVAILABLE,
        {Detected.TLS: (_NOT_TLS,) * 5},
        {},
    ),
    (_ALL, (False, True, True), {Detected.TLS: (_NOT_TLS,) * 5}, {}),
    (_ALL, (True, True, False), {}, {}),
    (
        _ALL,
        (True, False, True),
        dict.fromkeys(_ANYTHING_ELSE, (_NOT_RAW, _HO, _TO, _SO, _NOT_RAW)),
        dict.fromkeys((*_ANYTHING_ELSE, Detected.TLS, Detected.SSH), (_NOT_RAW, _HO, _NOT_RAW, _SO)),
    ),
    (
        _ALL,
        (True, False, False),
        {
            Detected.HTTP: (_NOT_HTTP, _NOT_HTTP, _TO, _SO, _NOT_HTTP),
            **dict.fromkeys(_ANYTHING_ELSE, (_NOT_RAW, _HO, _TO, _SO, _NOT_RAW)),
        },
        {
            Detected.HTTP: (_NOT_HTTP,) * 4,
            **dict.fromkeys((*_ANYTHING_ELSE, Detected.TLS, Detected.SSH), (_NOT_RAW, _HO, _NOT_RAW, _SO)),
        },
    ),
    (
        replace(_ALL, websocketUpgrade=False),
        (True, True, False),
        {Detected.HTTP: (_NOT_HTTP, _H, _TO, _SO, _NOT_HTTP)},
        {Detected.HTTP: (_NOT_HTTP, _H, _NOT_HTTP, _H)},
    ),
)


def _policy(
    mode: Mode,
    options: PortOptions = _ALL,
    available: tuple[bool, bool, bool] = _AVAILABLE,
) -> UpgradePolicy:
    """
    A policy of which everything is available unless said otherwise.
    """
    tls, session, pages = available
    return UpgradePolicy(mode, options, tls, session, pages)


def _giving(alpn: bytes | None) -> Callable[[], bytes | None]:
    """
    What gives the application protocol that was agreed on.
    """
    return lambda: alpn


def _outcome(decision: Route | UpgradeRefused | None) -> Outcome | None:
    """
    A decision, as the table writes it.
    """
    return decision.expected if isinstance(decision, UpgradeRefused) else decision


class RouteTests(SynchronousTestCase):
    """
    L{UpgradePolicy.route}.
    """

    def check(
        self,
        options: PortOptions,
        available: tuple[bool, bool, bool],
        plain: dict[Detected, tuple[Outcome, ...]],
        inside: dict[Detected, tuple[Outcome, ...]],
    ) -> None:
        """
        Compare every cell of two tables.
        """
        self.assertEqual((set(plain), set(inside)), (set(Detected), set(Detected)))
        for secure, table in ((False, plain), (True, inside)):
            for detected, outcomes in table.items():
                for mode, expected in zip(MODES, outcomes, strict=False):
                    policy = _policy(mode, options, available)
                    self.assertEqual(
                        (mode, secure, detected, _outcome(policy.route(detected, secure=secure))),
                        (mode, secure, detected, expected),
                    )

    def test_everythingOn(self) -> None:
        """
        The table, when everything is switched on and available.
        """
        self.check(_ALL, _AVAILABLE, PLAIN, INSIDE)

    def test_oneThingOff(self) -> None:
        """
        An upgrade that is off is not looked for; one that leads nowhere is refused; nothing else
        changes.
        """
        for options, available, plain, inside in CHANGES:
            self.check(options, available, {**PLAIN, **plain}, {**INSIDE, **inside})

    def test_ssh(self) -> None:
        """
        A socket for SSH lets nothing in as yet.
        """
        for detected, secure in product(Detected, (False, True)):
            decision = _policy(Mode.SSH).route(detected, secure=secure)
            self.assertEqual(_outcome(decision), Expected.NOT_SSH)


class AtOnceTests(SynchronousTestCase):
    """
    L{UpgradePolicy.atOnce}.
    """

    def test_plain(self) -> None:
        """
        Outside TLS it always takes octets to decide.
        """
        for mode, switch in product(Mode, SSLSwitch):
            policy = _policy(mode, replace(_ALL, ssl=switch))
            self.assertIs(policy.atOnce(secure=False), None)

    def test_undecided(self) -> None:
        """
        Inside TLS, without ALPN, it takes octets too; a name that means nothing here is none.
        """
        for mode, alpn in product(MODES[:4], (None, b"binary")):
            self.assertIs(_policy(mode).atOnce(secure=True, alpn=_giving(alpn)), None)

    def test_alpn(self) -> None:
        """
        A peer that agreed on HTTP is not asked again.
        """
        for mode, alpn in product(MODES[:4], (b"http/1.1", b"http/1.0")):
            self.assertIs(_policy(mode).atOnce(secure=True, alpn=_giving(alpn)), Route.HTTP)
        refused = _policy(Mode.SSL, _ALL, (True, False, False))
        self.assertEqual(
            refused.atOnce(secure=True, alpn=lambda: b"http/1.1"),
            UpgradeRefused(Detected.HTTP, Expected.NOT_HTTP),
        )

    def test_sslTCP(self) -> None:
        """
        With C{ssl=tcp}, TLS holds the session, whatever ALPN says, except where the socket is for
        HTTP.
        """
        outcomes = []
        for mode, alpn in product(MODES[:4], (None, b"http/1.1")):
            policy = _policy(mode, replace(_ALL, ssl=SSLSwitch.TCP))
            outcomes.append(_outcome(policy.atOnce(secure=True, alpn=_giving(alpn))))
        self.assertEqual(outcomes, [_S, _S, None, _H, _S, _S, None, _H])
        nothing = _policy(Mode.SSL, replace(_ALL, ssl=SSLSwitch.TCP), (True, False, True))
        self.assertEqual(_outcome(nothing.atOnce(secure=True)), Expected.NOT_RAW)

    def test_sslWWW(self) -> None:
        """
        With C{ssl=www}, TLS holds HTTP.
        """
        for mode in (Mode.TCP, Mode.SSL):
            policy = _policy(mode, replace(_ALL, ssl=SSLSwitch.WWW))
            self.assertIs(policy.atOnce(secure=True), Route.HTTP)
        nothing = _policy(Mode.SSL, replace(_ALL, ssl=SSLSwitch.WWW), (True, False, False))
        self.assertEqual(_outcome(nothing.atOnce(secure=True)), Expected.NOT_HTTP)


class WebTests(SynchronousTestCase):
    """
    What the web is told.
    """

    def test_pages(self) -> None:
        """
        Pages are served when there are some and HTTP is switched on.
        """
        found = [
            _policy(Mode.TCP, replace(_ALL, httpUpgrade=on), (True, True, pages)).pages
            for on, pages in product((True, False), (True, False))
        ]
        self.assertEqual(found, [True, False, False, False])

    def test_webSockets(self) -> None:
        """
        WebSockets lead to the session, if there is one; on a socket for them the switch changes
        nothing.
        """
        found = [
            _policy(mode, replace(_ALL, websocketUpgrade=on), (True, session, True)).webSockets
            for mode, on, session in product((Mode.TCP, Mode.WS), (True, False), (True, False))
        ]
        self.assertEqual(found, [True, False, False, False, True, False, True, False])

    def test_redirects(self) -> None:
        """
        With C{ssl=on}, pages are had over TLS, if there is TLS to be had on that socket.
        """
        on = replace(_ALL, ssl=SSLSwitch.ON)
        for mode in (Mode.TCP, Mode.WS):
            self.assertTrue(_policy(mode, on).redirects(secure=False))
            self.assertFalse(_policy(mode, on).redirects(secure=True))
            self.assertFalse(_policy(mode).redirects(secure=False))
            self.assertFalse(_policy(mode, on, (False, True, True)).redirects(secure=False))
            self.assertFalse(_policy(mode, on, (True, True, False)).redirects(secure=False))
            self.assertFalse(_policy(mode, replace(on, sslUpgrade=False)).redirects(secure=False))
        self.assertFalse(_policy(Mode.UNIX, on).redirects(secure=False))


class RefusalTests(SynchronousTestCase):
    """
    What a refused peer is told.
    """

    def test_problem(self) -> None:
        """
        The log learns what came and what was expected.
        """
        refused = UpgradeRefused(Detected.HTTP, Expected.TLS)
        self.assertEqual(
            refused.problem,
            "an HTTP request came; TLS only: this port takes https, wss and ssl connections",
        )

    def test_http(self) -> None:
        """
        An HTTP client gets a whole response, with a sentence in it.
        """
        answer = UpgradeRefused(Detected.HTTP, Expected.TLS).answer
        head, content = answer.split(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.assertEqual(lines[0], b"HTTP/1.1 400 Bad Request")
        self.assertIn(b"Content-Length: %d" % len(content), lines)
        self.assertIn(b"Connection: close", lines)
        self.assertTrue(content.startswith(b"TLS only"), content)

    def test_tls(self) -> None:
        """
        A TLS client gets a fatal handshake_failure (RFC 8446, section 6.2).
        """
        answer = UpgradeRefused(Detected.TLS, Expected.NOT_TLS).answer
        self.assertEqual(struct.unpack(">BHHBB", answer), (21, 0x0303, 2, 2, 40))

    def test_ssh(self) -> None:
        """
        An SSH client gets a version string and SSH_MSG_DISCONNECT (RFC 4253, sections 6 and 11.1),
        of the right length for every sentence.
        """
        for expected in Expected:
            answer = UpgradeRefused(Detected.SSH, expected).answer
            version, packet = answer.split(b"\r\n", 1)
            self.assertTrue(version.startswith(b"SSH-2.0-"))
            length, padding = struct.unpack(">IB", packet[:5])
            self.assertEqual((len(packet), len(packet) % 8), (4 + length, 0))
            self.assertTrue(4 <= padding <= 255)
            message, reason, size = struct.unpack(">BII", packet[5:14])
            self.assertEqual((message, reason), (1, 7))
            self.assertEqual(packet[14 : 14 + size].decode(), expected.value)
            self.assertEqual(len(packet), 5 + 9 + size + 4 + padding)

    def test_text(self) -> None:
        """
        Anybody else gets a line.
        """
        for detected in (Detected.RAW, Detected.RFB, Detected.XPRA, Detected.RDP):
            answer = UpgradeRefused(detected, Expected.TLS).answer
            self.assertEqual(answer.count(b"\r\n"), 1)
            self.assertTrue(answer.startswith(b"xtls: TLS only"), answer)

    def test_web(self) -> None:
        """
        Where HTTP is expected, everything that is not told apart is answered in it.
        """
        decision = _policy(Mode.WS).route(Detected.RAW, secure=False)
        assert isinstance(decision, UpgradeRefused)
        self.assertTrue(decision.answer.startswith(b"HTTP/1.1 400 "))
        self.assertIn(b"HTTP only", decision.answer)

    def test_silence(self) -> None:
        """
        Who says nothing is told nothing, except where it should have been HTTP (RFC 9110, section
        15.5.9).
        """
        decision = _policy(Mode.WSS).route(Detected.SILENCE, secure=False)
        assert isinstance(decision, UpgradeRefused)
        self.assertEqual(decision.answer, b"")
        decision = _policy(Mode.WSS).route(Detected.SILENCE, secure=True)
        assert isinstance(decision, UpgradeRefused)
        self.assertTrue(decision.answer.startswith(b"HTTP/1.1 408 "))
