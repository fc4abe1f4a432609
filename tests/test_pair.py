"""
Both connections of a forward as one object, and that nobody can tell.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.support.engines import VERSIONS
from tests.support.pairs import PairCase, Scene
from xtls.config.modes import Mode
from xtls.config.portoptions import SSLSwitch
from xtls.sessions.pair import Back
from xtls.wire.inflow import READ_SIZE

#: More than all buffers together.
_MUCH = random.Random(11).randbytes(1 << 20)

TAKEN = "PEER: tcp>tls>session"


class HelloTests(PairCase):
    """
    The first octets.
    """

    def test_interfaces(self) -> None:
        """
        Either half is what a reactor reads from.
        """
        scene = Scene(self, fast=True)
        scene.joined()
        self.assertTrue(verifyObject(IReadDescriptor, scene.pair))
        back = next(each for each in scene.reactor.getReaders() if isinstance(each, Back))
        self.assertTrue(verifyObject(IReadDescriptor, back))
        self.assertEqual((scene.pair.logPrefix(), back.logPrefix()), ("Pair", "Back"))

    def test_other(self) -> None:
        """
        What is not TLS is for the port: octets, HTTP, SSH, a prefix of a ClientHello, or nothing.
        """

        def play(first: bytes, scene: Scene) -> Iterator[object]:
            client = scene.connect(tls=False)
            yield scene.settle()
            client.write(first)
            yield scene.settle()
            for _ in range(4):
                yield scene.advance(2)
            client.sock.close()
            yield scene.settle()
            for each in scene.backends:
                each.sock.close()
            yield scene.advance(30)

        for first in (b"raw", b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03", b"GE", b"", b"\x15"):
            for mode in (Mode.TCP, Mode.SSL):
                self.both(partial(play, first), mode=mode)

    def test_silent(self) -> None:
        """
        Of a client that says nothing the port decides when its time is over; once.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.connect(tls=False)
            for _ in range(12):
                yield scene.advance(2.5)
            client.write(b"late")
            yield scene.settle()
            scene.backends[0].write(b"answer")
            yield scene.settle()
            client.sock.close()
            yield scene.settle()
            scene.backends[0].sock.close()

        seen = self.both(play)
        self.assertEqual(seen[-1]["lines"], ["PEER: tcp>session"])
        self.assertEqual(seen[-1]["backends"], [(b"late", " fin")])

    def test_closesAtOnce(self) -> None:
        """
        A client that has gone before it has said anything leaves nothing behind.
        """

        def play(scene: Scene) -> Iterator[object]:
            scene.connect(tls=False).sock.close()
            yield scene.settle()
            yield scene.advance(30)

        self.both(play)

    def test_resetAtOnce(self) -> None:
        """
        The same, with a reset.
        """

        def play(scene: Scene) -> Iterator[object]:
            scene.connect(tls=False).reset()
            yield scene.settle()
            yield scene.advance(30)

        self.both(play)

    def test_nothingToRead(self) -> None:
        """
        A reactor may say that there is something to read when there is nothing.
        """
        scene = Scene(self, fast=True)
        client = scene.connect()
        scene.pair.doRead()
        client.unsent += client.begin()
        scene.settle()
        client.write(b"hello")
        scene.settle()
        for each in scene.reactor.getReaders():
            each.doRead()
        scene.settle()
        self.assertEqual(scene.look()["backends"], [(b"hello", "")])

    def test_cannotBeMade(self) -> None:
        """
        A TLS connection that cannot be made is refused where that is done otherwise, and said so.
        """

        def play(scene: Scene) -> Iterator[object]:
            tls: Any = scene.factory._routes[next(r for r in scene.factory._routes if r.value == "tls")]

            def fail(transport: object) -> SSL.Connection:
                raise MemoryError("no room")

            tls._create = fail
            client = scene.connect()
            client.unsent += client.begin()
            yield scene.settle()

        seen = self.both(play, over=False)
        self.assertEqual(len(seen[-1]["lines"]), 2)
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 2)


class HandshakeTests(PairCase):
    """
    The handshake.
    """

    def test_everyVersion(self) -> None:
        """
        It ends as it should with both versions, the client is told what the backend says, and the backend
        what the client says.
        """

        def play(version: int, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined(version=version)
            yield scene.settle()
            backend.write(b"answer")
            yield scene.settle()
            client.write(b"more")
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            backend.write(b"last")
            yield scene.settle()
            backend.sock.close()

        for version in VERSIONS.values():
            seen = self.both(partial(play, version))
            self.assertEqual(seen[-1]["clients"], [(b"answerlast", " notify fin")])
            self.assertEqual(seen[-1]["backends"], [(b"hellomore", " fin")])
            self.assertEqual(seen[-1]["lines"], [TAKEN])

    def test_resumed(self) -> None:
        """
        A session may be resumed, with either version.
        """
        resumed: list[int] = []

        def play(version: int, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined(version=version)
            backend.write(b"answer")
            yield scene.settle()
            session = client.tls.get_session()
            client.shutdown()
            yield scene.settle()
            backend.sock.close()
            yield scene.settle()
            again = scene.connect(version=version)
            again.tls.set_session(session)
            again.unsent += again.begin()
            yield scene.settle()
            again.write(b"again")
            yield scene.settle()
            resumed.append(SSL._lib.SSL_session_reused(again.tls._ssl))  # type: ignore[attr-defined]
            again.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        for version in VERSIONS.values():
            resumed.clear()
            self.both(partial(play, version))
            self.assertEqual(resumed, [1, 1])

    def test_cutAnywhere(self) -> None:
        """
        A ClientHello may be cut at any place, and come octet by octet.
        """

        def play(cut: int, scene: Scene) -> Iterator[object]:
            client = scene.connect()
            hello = client.begin()
            client.unsent += hello[:cut]
            scene.settle()
            client.unsent += hello[cut:]
            scene.settle()
            client.write(b"hello")
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        for cut in (1, 2, 5, 6, 7, 64, 100, 200):
            seen = self.both(partial(play, cut))
            self.assertEqual(seen[0]["backends"], [(b"hello", "")])

    def test_garbage(self) -> None:
        """
        What begins like a handshake and is none, or has an alert in place of its end, is refused with an
        alert, and the log says why.
        """

        def play(garbage: bytes, scene: Scene) -> Iterator[object]:
            client = scene.connect(tls=False)
            client.write(garbage)
            yield scene.settle()
            yield scene.advance(3)
            client.sock.close()
            yield scene.settle()
            yield scene.advance(30)

        for garbage in (
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
            b"\x16\x03\x01\x40\x00\x01" + bytes(20000),
            b"\x16\x03\x01\x00\x05\x01\x00\xff\xff\xff" + bytes(40000),
        ):
            self.both(partial(play, garbage))

    def test_garbageLater(self) -> None:
        """
        The same after a ClientHello in order.
        """

        def play(garbage: bytes, scene: Scene) -> Iterator[object]:
            client = scene.connect()
            client.sock.send(client.begin())
            scene.reactor.turn(1000)
            client.tls = None
            client.write(garbage)
            scene.advance(1)
            del client.received[:]  # which is another one each time
            yield scene.advance(1)
            client.sock.close()
            yield scene.advance(30)

        for garbage in (b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x05hello", b"garbage"):
            self.both(partial(play, garbage))

    def test_goneBeforeItsEnd(self) -> None:
        """
        A client that closes, resets, or falls silent in the midst of it is refused, in time, and never gets
        to the backend.
        """

        def play(how: str, whole: bool, scene: Scene) -> Iterator[object]:
            client = scene.connect()
            hello = client.begin()
            client.sock.send(hello if whole else hello[:50])
            if how == "silent":
                for _ in range(6):
                    yield scene.advance(2)
                return
            scene.reactor.turn(1000)
            client.reset() if how == "reset" else client.sock.close()
            yield scene.settle()
            yield scene.advance(30)

        for how in ("close", "reset", "silent"):
            for whole in (False, True):
                if how == "silent" and whole:
                    continue  # the client would answer
                seen = self.both(partial(play, how, whole))
                self.assertEqual(seen[-1]["backends"], [])
                self.assertEqual(len(seen[-1]["lines"]), 1)

    def test_resetBeforeItsAnswer(self) -> None:
        """
        A reset that is there before the answer is sent is a loss, although the system says so only once.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.connect()
            client.sock.send(client.begin())
            client.reset()
            yield scene.settle()
            yield scene.advance(30)

        (line,) = self.both(play)[-1]["lines"]
        self.assertIn("non-clean", line)

    def test_takesLittle(self) -> None:
        """
        A client whose socket does not take all of the server's answer at once gets the rest later; and one
        that never does is ended in time.
        """

        def play(later: bool, scene: Scene) -> Iterator[object]:
            scene.room.left = 10
            client = scene.connect()
            client.unsent += client.begin()
            yield scene.settle()
            yield scene.advance(4)
            if later:
                scene.room.left = -1
                client.write(b"hello") if client.tls.get_state_string() == b"SSLOK" else None
            for _ in range(4):
                yield scene.advance(4)
            client.sock.close()
            yield scene.settle()
            for each in scene.backends:
                each.sock.close()
            yield scene.advance(30)

        for later in (True, False):
            self.both(partial(play, later))

    def test_applicationProtocol(self) -> None:
        """
        Who has agreed on HTTP gets HTTP.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure(alpn=(b"http/1.1",))
            client.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            yield scene.settle()
            client.sock.close()
            yield scene.advance(30)

        seen = self.both(play)
        self.assertEqual(seen[0]["backends"], [])
        self.assertTrue(seen[0]["clients"][0][0].startswith(b"HTTP/1.1 "))

    def test_otherApplicationProtocol(self) -> None:
        """
        Who offers only what is not spoken is refused.
        """

        def play(scene: Scene) -> Iterator[object]:
            scene.secure(alpn=(b"smtp",))
            yield scene.settle()
            yield scene.advance(30)

        (line,) = self.both(play)[-1]["lines"]
        self.assertIn("refused at tcp>tls", line)


class InsideTests(PairCase):
    """
    The first octets inside TLS.
    """

    def test_with(self) -> None:
        """
        They may come together with the end of the handshake; with close_notify, and the end, behind them.
        """

        def play(last: int, scene: Scene) -> Iterator[object]:
            client = scene.connect()
            client.unsent += client.begin()
            client.reads = False
            scene.settle()
            client.tls.bio_write(client.sock.recv(1 << 16))
            client.tls.do_handshake()
            sealed = client.said() + client.sealed(b"hello")
            if last:
                sealed += client.notify()
            client.reads = True
            client.unsent += sealed
            yield scene.settle()
            if last > 1:
                client.sock.shutdown(1)
            yield scene.settle()
            if not last:
                client.shutdown()
                yield scene.settle()
            scene.backends[-1].write(b"answer")
            yield scene.settle()
            scene.backends[-1].sock.close()

        for last in range(3):
            seen = self.both(partial(play, last))
            self.assertEqual(seen[-1]["backends"], [(b"hello", " fin")])
            self.assertEqual(seen[-1]["clients"], [(b"answer", " notify fin")])

    def test_other(self) -> None:
        """
        HTTP inside is answered, a part of a word waited for, SSH and other octets are for the backend.
        """

        def play(first: tuple[bytes, ...], mode: Mode, scene: Scene) -> Iterator[object]:
            client = scene.secure()
            for piece in first:
                yield scene.advance(2)
                client.write(piece)
                yield scene.settle()
            for _ in range(5):
                yield scene.advance(1.5)
            client.shutdown()
            yield scene.settle()
            for each in scene.backends:
                each.sock.close()
            yield scene.advance(30)

        for first in (
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",),
            (b"GE",),
            (b"GE", b"T / HTTP/1.1\r\nHost: a\r\n\r\n"),
            (b"\x16\x03",),
            (b"\x16\x03", b"\x01"),
            (b"SSH-2.0-x\r\n",),
            (b"raw",),
            (b"raw" * 100000,),
            (),
        ):
            for mode in (Mode.TCP, Mode.SSL, Mode.WSS):
                self.both(partial(play, first, mode), mode=mode)

    def test_deadlineIsNotBegunAnew(self) -> None:
        """
        An octet that decides nothing does not give its client more time.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure()
            scene.advance(4)
            client.write(b"\x16\x03")
            yield scene.settle()
            yield scene.advance(1.5)
            client.sock.close()
            yield scene.settle()
            scene.backends[0].sock.close()
            yield scene.advance(30)

        self.assertEqual(self.both(play)[1]["lines"], [TAKEN])

    def test_ends(self) -> None:
        """
        A client that ends there, with close_notify, without, or with a reset, is treated alike.
        """

        def play(how: str, scene: Scene) -> Iterator[object]:
            client = scene.secure()
            yield scene.settle()
            if "notify" in how:
                client.shutdown()
                yield scene.settle()
            if "fin" in how:
                client.sock.shutdown(1)
                yield scene.settle()
            if "reset" in how:
                client.reset()
            yield scene.settle()
            for _ in range(3):
                yield scene.advance(2.5)
            for each in scene.backends:
                each.sock.close()
            client.sock.close()
            yield scene.advance(30)

        for how in ("notify", "fin", "notify fin", "reset", "notify reset"):
            self.both(partial(play, how))

    def test_piecemeal(self) -> None:
        """
        A record may come in pieces.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure()
            sealed = client.sealed(b"hello")
            for start in range(0, len(sealed), 9):
                client.unsent += sealed[start : start + 9]
                yield scene.settle()
            client.shutdown()
            yield scene.settle()
            scene.backends[-1].sock.close()

        self.assertEqual(self.both(play)[-1]["backends"], [(b"hello", " fin")])

    def test_garbage(self) -> None:
        """
        What cannot be decrypted ends the connection with an alert.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure()
            client.unsent += b"\x17\x03\x03\x00\x20" + bytes(32)
            yield scene.settle()
            yield scene.advance(30)

        self.both(play)

    def test_decidedAtOnce(self) -> None:
        """
        Where all that is inside TLS is for the session, the backend is connected without an octet, and may
        speak first.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure()
            yield scene.settle()
            scene.backends[0].write(b"greeting")
            yield scene.settle()
            client.write(b"GET / HTTP/1.1\r\n\r\n")
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            scene.backends[0].sock.close()

        seen = self.both(play, ssl=SSLSwitch.TCP)
        self.assertEqual(seen[1]["clients"], [(b"greeting", "")])

    def test_pagesAtOnce(self) -> None:
        """
        Where all of it is for pages, no octet is for the session.
        """

        def play(scene: Scene) -> Iterator[object]:
            client = scene.secure()
            client.write(b"hello")
            yield scene.settle()
            client.sock.close()
            yield scene.advance(30)

        self.assertEqual(self.both(play, ssl=SSLSwitch.WWW)[-1]["backends"], [])

    def test_noBackend(self) -> None:
        """
        Without a backend the client is told by an end that is none, and the log why.
        """

        def play(scene: Scene) -> Iterator[object]:
            scene.secure().write(b"hello")
            yield scene.settle()
            yield scene.advance(30)

        seen = self.both(play, backend=False)
        self.assertEqual(len(seen[-1]["lines"]), 2)
        self.assertIn("cannot be reached", seen[-1]["lines"][1])


class RelayTests(PairCase):
    """
    Octets, both ways.
    """

    def test_much(self) -> None:
        """
        All of much arrives, in order, with readers that are slow, and short buffers.
        """

        def play(slow: bool, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            if slow:
                client.reads = backend.reads = False
            client.unsent += client.sealed(_MUCH)
            backend.unsent += _MUCH
            scene.settle()
            client.reads = backend.reads = True
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            backend.sock.close()

        for buffer in (0, 4096):
            for slow in (False, True):
                seen = self.both(partial(play, slow), buffer=buffer)
                self.assertEqual(seen[-1]["backends"], [(b"hello" + _MUCH, " fin")])
                self.assertEqual(seen[-1]["clients"], [(_MUCH, " notify fin")])

    def test_wholeBuffer(self) -> None:
        """
        A read that fills the buffer is sent to its end.
        """

        def play(scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            client.reads = False
            for _ in range(20):
                backend.unsent += _MUCH[:READ_SIZE]
                while backend.step():
                    pass
            scene.settle()
            client.reads = True
            yield scene.settle()
            client.shutdown()
            yield scene.settle()
            backend.sock.close()

        self.both(play)

    def test_severalRecords(self) -> None:
        """
        Several records at once, a part of one, and close_notify behind them, are as many octets.
        """

        def play(scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            sealed = b"".join(client.sealed(b"%d " % number) for number in range(40))
            client.unsent += sealed[:100]
            yield scene.settle()
            client.unsent += sealed[100:]
            yield scene.settle()
            client.unsent += client.sealed(b"last") + client.notify()
            yield scene.settle()
            backend.write(b"answer")
            yield scene.settle()
            backend.sock.close()

        seen = self.both(play)
        numbers = b"".join(b"%d " % number for number in range(40))
        self.assertEqual(seen[-1]["backends"][0][0], b"hello" + numbers + b"last")

    def test_garbage(self) -> None:
        """
        What cannot be decrypted is a loss: for the backend too.
        """

        def play(scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            client.unsent += client.sealed(b"good") + b"\x17\x03\x03\x00\x20" + bytes(32)
            yield scene.settle()
            for _ in range(4):
                yield scene.advance(1)
            yield scene.advance(30)
            client.sock.close()
            backend.sock.close()

        seen = self.both(play)
        self.assertEqual(seen[-1]["backends"], [(b"hellogood", " reset")])

    def test_cannotEncrypt(self) -> None:
        """
        Where OpenSSL cannot send, the connection ends.
        """
        scene = Scene(self, fast=True)
        _, backend = scene.joined()
        failing: Any = SSL.Error([("a", "b", "c")])

        def fail(count: int) -> int:
            raise failing

        scene.pair.encrypt = fail
        backend.write(b"answer")
        for _ in range(4):
            scene.advance(1)
        self.assertEqual(scene.look()["clients"], [(b"", " fin")])
        self.assertEqual(backend.end, " reset")
        self.assertIs(failing.__traceback__, None)

    def test_backendTakesLittle(self) -> None:
        """
        What the backend does not take is kept, and the end behind it: after one record, several, and with
        close_notify.
        """

        def play(room: int, last: bool, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            scene.backRoom.left = room
            client.write(_MUCH[:100_000])
            client.unsent += client.notify() if last else b""
            client.step()
            yield scene.settle()
            yield scene.advance(20)
            scene.backRoom.left = -1
            yield scene.settle()
            client.write(b"more") if not last else None
            yield scene.settle()
            backend.write(b"answer")
            yield scene.settle()
            backend.sock.close()
            yield scene.settle()
            client.sock.close()

        for room in (0, 1000, 99_999):
            for last in (False, True):
                seen = self.both(partial(play, room, last))
                more = b"" if last else b"more"
                self.assertEqual(seen[-1]["backends"][0][0], b"hello" + _MUCH[:100_000] + more)

    def test_clientTakesLittle(self) -> None:
        """
        What the client does not take is kept: tickets, octets, and close_notify.
        """

        def play(when: str, room: int, scene: Scene) -> Iterator[object]:
            client = scene.connect()
            client.unsent += client.begin()
            client.reads = False
            scene.settle()
            client.reads = True
            if when == "tickets":
                scene.room.left = room
            yield scene.settle()
            yield scene.advance(1)
            scene.room.left = -1
            yield scene.settle()
            client.write(b"hello")
            yield scene.settle()
            if when == "octets":
                scene.room.left = room
            backend = scene.backends[-1]
            backend.write(b"answer")
            yield scene.settle()
            scene.room.left = -1
            client.shutdown()
            yield scene.settle()
            if when == "notify":
                scene.room.left = room
            backend.sock.close()
            yield scene.settle()
            yield scene.advance(2)
            scene.room.left = -1
            yield scene.advance(1)

        for when in ("tickets", "octets", "notify"):
            for room in (0, 7):
                for switch in (SSLSwitch.ON, SSLSwitch.TCP):
                    seen = self.both(partial(play, when, room), ssl=switch)
                    self.assertEqual(seen[-1]["clients"], [(b"answer", " notify fin")])

    def test_clientTakesNothingMore(self) -> None:
        """
        A client that has ended and does not take the last octets is not waited for longer than elsewhere.
        """

        def play(scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            client.shutdown()
            yield scene.settle()
            scene.room.left = 0
            backend.write(b"answer")
            backend.sock.close()
            for _ in range(8):
                yield scene.advance(4)
            scene.room.left = -1

        self.both(play)


class EndTests(PairCase):
    """
    How connections end.
    """

    def test_orders(self) -> None:
        """
        Either side ends first, one direction or both, or resets: the other is told the same, as soon.
        """

        def play(acts: str, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            backend.write(b"answer")
            yield scene.settle()
            for act in acts.split():
                self._act(act, client, backend)
                yield scene.settle()
                yield scene.advance(0.5)
            for _ in range(4):
                yield scene.advance(1)
            for _ in range(3):
                yield scene.advance(12)
            for each in scene.ends():
                each.sock.close()
            yield scene.settle()
            yield scene.advance(60)

        for acts in (
            "c:notify b:close",
            "c:notify b:write b:close",
            "c:notify c:fin b:write b:close",
            "c:notify c:fin b:reset",
            "c:notify c:more b:write b:close",
            "c:notify c:close b:write b:write b:close",
            "c:notify c:reset",
            "c:notify c:reset b:close",
            "c:notify b:reset",
            "c:notify b:fin",
            "c:notify b:fin c:close",
            "c:fin",
            "c:fin b:close",
            "c:close b:write",
            "c:close",
            "c:reset",
            "c:reset b:write",
            "b:fin",
            "b:fin c:write c:notify",
            "b:fin c:write c:close",
            "b:fin c:reset",
            "b:close c:write c:notify",
            "b:close c:notify",
            "b:reset",
            "b:reset c:write",
            "b:write b:close c:notify",
            "b:write b:reset",
            "c:write b:reset c:write",
            "b:close",
            "c:writenotify b:close",
        ):
            self.both(partial(play, acts))

    def _act(self, act: str, client: Any, backend: Any) -> None:
        """
        Do one thing.
        """
        who, what = act.split(":")
        end = client if who == "c" else backend
        if what == "notify":
            client.shutdown()
        elif what == "writenotify":
            client.unsent += client.sealed(b"last") + client.notify()
        elif what == "more":
            client.sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        elif what == "write":
            end.write(b"some more")
        elif what == "fin":
            end.sock.shutdown(1)
        elif what == "close":
            end.sock.close()
        else:
            end.reset()

    def test_together(self) -> None:
        """
        What both sides do in the same turn is treated alike, whichever is seen first: a reset too, of which a
        send is told, and nobody else.
        """

        def play(spoken: bool, acts: str, scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            if spoken:
                backend.write(b"answer")
            yield scene.settle()
            for act in acts.split():
                self._act(act, client, backend)
            yield scene.settle()
            for _ in range(4):
                yield scene.advance(1)
            for _ in range(3):
                yield scene.advance(12)
            for each in scene.ends():
                each.sock.close()
            yield scene.advance(60)

        for acts in (
            "c:notify b:close",
            "c:write c:notify b:write b:close",
            "c:write c:notify c:fin b:write b:fin",
            "c:write c:reset b:write",
            "c:write b:write b:reset",
            "c:write b:reset",
            "b:write c:reset",
            "c:notify c:close b:write b:close",
            "c:write c:close b:close",
        ):
            for spoken in (False, True):
                self.both(partial(play, spoken, acts))
        for spoken in (False, True):
            for way in (False, True):
                ends = self.one(partial(play, spoken, "c:write b:write b:reset"), fast=way)[-1]["clients"]
                self.assertNotIn("notify", ends[0][1])

    def test_cannotNotify(self) -> None:
        """
        Where OpenSSL cannot say that this is the end, the client sees one without it.
        """

        class Failing:
            def __init__(self, connection: Any) -> None:
                self._connection = connection

            def __getattr__(self, name: str) -> Any:
                return getattr(self._connection, name)

            def shutdown(self) -> bool:
                raise SSL.Error([("a", "b", "c")])

        scene = Scene(self, fast=True)
        client, backend = scene.joined()
        client.shutdown()
        scene.settle()
        scene.pair._connection = Failing(scene.pair._connection)
        backend.sock.close()
        scene.settle()
        self.assertEqual(scene.look()["clients"], [(b"", " fin")])
        self.assertEqual(scene.tally.now, 0)

    def test_afterTheEnd(self) -> None:
        """
        Whoever is told of the end once more does nothing.
        """
        scene = Scene(self, fast=True)
        client, backend = scene.joined()
        halves = scene.reactor.getReaders()
        client.shutdown()
        scene.settle()
        backend.sock.close()
        scene.settle()
        for half in halves:
            half.connectionLost(Failure(CONNECTION_LOST))
        self.assertEqual((scene.tally.total, scene.tally.now), (1, 0))

    def test_flood(self) -> None:
        """
        A client that never reads while the backend floods makes this wait, and is lost when the backend is.
        """

        def play(scene: Scene) -> Iterator[object]:
            client, backend = scene.joined()
            client.reads = False
            backend.unsent += _MUCH * 8
            scene.settle()
            backend.reset()
            scene.settle()
            scene.advance(3)
            client.reads = True
            scene.settle()
            del client.received[:]
            yield scene.settle()

        self.both(play, buffer=4096)


class ShutdownTests(PairCase):
    """
    The reactor ends.
    """

    def test_everyStage(self) -> None:
        """
        At every stage both connections are closed.
        """

        def play(stage: str, scene: Scene) -> Iterator[object]:
            if stage == "hello":
                scene.connect()
            elif stage == "handshake":
                client = scene.connect()
                client.sock.send(client.begin()[:50])
            elif stage == "inside":
                scene.secure()
            else:
                client, backend = scene.joined()
                backend.write(b"answer")
                if stage in ("over", "after"):
                    client.shutdown()
                if stage == "after":
                    scene.settle()
                    client.sock.shutdown(1)
            scene.settle()
            scene.reactor.disconnectAll()
            yield scene.settle()
            yield scene.advance(3)
            self.assertEqual(scene.server.fileno(), -1)

        for stage in ("hello", "handshake", "inside", "relay", "over", "after"):
            self.both(partial(play, stage))

    def test_backFirst(self) -> None:
        """
        Whichever is told first.
        """
        scene = Scene(self, fast=True)
        client, backend = scene.joined()
        readers = scene.reactor.removeAll()
        for each in reversed(readers):
            each.connectionLost(Failure(CONNECTION_LOST))
        scene.settle()
        self.assertEqual(scene.server.fileno(), -1)
        self.assertEqual((client.end[-3:], backend.end[-3:]), ("fin", "fin"))
