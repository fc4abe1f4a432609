"""
Clients that share nothing with xtls, driven by one loop: raw, TLS by Python's C{ssl}, and WebSockets by
C{websockets}, each as a function of octets to octets, and one inside the other.
"""

from __future__ import annotations

import hashlib
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

#: Octets that are read from a socket at once.
_READ: Final = 1 << 18

#: Encoded octets, beyond which no more are encoded before they are sent.
_ENOUGH: Final = 1 << 19


class Layer(Protocol):
    """
    One protocol of a client.

    @ivar ready: whether what is above may begin.
    @ivar ended: whether the peer has ended its direction, in order.
    """

    ready: bool
    ended: bool

    def start(self) -> None:
        """
        What is below is ready.
        """

    def receive(self, data: bytes) -> bytes:
        """
        Octets from below.

        @return: those for above.
        """

    def send(self, data: bytes) -> None:
        """
        Octets from above.
        """

    def end(self) -> None:
        """
        What is above sends no more.
        """

    def outgoing(self) -> bytes:
        """
        Octets for below, once.
        """


class Secure:
    """
    TLS.
    """

    def __init__(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        self.ready = self.ended = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def start(self) -> None:
        """
        Shake hands.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.ready = True

    def receive(self, data: bytes) -> bytes:
        """
        Decrypt.
        """
        self._incoming.write(data)
        if not self.ready:
            self.start()
        pieces = []
        while self.ready and not self.ended:
            try:
                piece = self._tls.read(_READ)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            pieces.append(piece)
            self.ended = not piece
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        """
        Encrypt.
        """
        self._tls.write(data)

    def end(self) -> None:
        """
        Send close_notify, and go on reading.
        """
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass

    def outgoing(self) -> bytes:
        """
        Records.
        """
        return self._outgoing.read()


class WebSocket:
    """
    A WebSocket.
    """

    def __init__(self, url: str) -> None:
        self.ready = self.ended = False
        self._protocol: Any = ClientProtocol(parse_uri(url), max_size=None)

    def start(self) -> None:
        """
        Ask for it.
        """
        self._protocol.send_request(self._protocol.connect())

    def receive(self, data: bytes) -> bytes:
        """
        Read frames.
        """
        self._protocol.receive_data(data)
        pieces = []
        for event in self._protocol.events_received():
            if not self.ready:
                if self._protocol.handshake_exc is not None:
                    raise self._protocol.handshake_exc
                self.ready = True
            elif event.opcode in (Opcode.BINARY, Opcode.CONT):
                pieces.append(event.data)
            elif event.opcode is Opcode.CLOSE:
                assert self._protocol.close_rcvd.code == 1000, self._protocol.close_rcvd
                self.ended = True
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        """
        One message.
        """
        self._protocol.send_binary(data)

    def end(self) -> None:
        """
        Send a Close frame, and go on reading.
        """
        if self._protocol.close_sent is None:
            self._protocol.send_close(1000)

    def outgoing(self) -> bytes:
        """
        Frames.
        """
        return b"".join(self._protocol.data_to_send())


class Stream:
    """
    A connection of one client that sends and receives at the same time.

    @ivar name: what it is called.
    @ivar sent: octets of the upload that are with the system.
    @ivar received: octets that have arrived.
    @ivar digest: of those.
    @ivar last: the end of what has arrived.
    @ivar reading: whether it reads.  May be set.
    @ivar watch: called with the stream whenever octets have arrived.
    @ivar done: whether both directions have ended, in order.
    @ivar seconds: how long it took.
    """

    def __init__(
        self,
        name: str,
        port: int,
        layers: Sequence[Layer],
        upload: Iterator[bytes],
        answer: Callable[[Stream], bytes] | None = None,
    ) -> None:
        """
        @param layers: from the lowest up; none for a raw connection.
        @param upload: what is sent; its end ends our direction.
        @param answer: makes what is sent last, when the peer has ended its direction; ours ends after that.
        """
        self.name = name
        self.layers = list(layers)
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setblocking(False)
        self.sent = self.received = 0
        self.digest: Any = hashlib.sha256()
        self.last = b""
        self.reading = True
        self.watch: Callable[[Stream], object] = lambda _: None
        self._upload = upload
        self._answer = answer
        self._uploaded = False
        self._encoding = 0
        self._out = memoryview(b"")
        self._ended = False
        self._sentAll = False
        self._started = time.monotonic()
        self.seconds = 0.0
        if self.layers:
            self.layers[0].start()
        self._encode()

    @property
    def done(self) -> bool:
        """
        Both directions have ended.
        """
        return self._ended and self._sentAll

    @property
    def interest(self) -> int:
        """
        What to wait for.
        """
        reading = selectors.EVENT_READ if self.reading and not self._ended else 0
        return reading | (selectors.EVENT_WRITE if self._out else 0)

    def step(self, events: int) -> None:
        """
        Do what can be done without waiting.
        """
        if events & selectors.EVENT_READ:
            self._receive()
        if events & selectors.EVENT_WRITE:
            self._send()
        if self.done and not self.seconds:
            self.seconds = time.monotonic() - self._started

    def _receive(self) -> None:
        """
        Read once.
        """
        data = self.socket.recv(_READ)
        if not data:
            assert not self.layers or self.layers[-1].ended, f"{self.name}: cut off"
            self._ended = True
        for number, layer in enumerate(self.layers):
            before = layer.ready
            data = layer.receive(data) if data else data
            if layer.ready and not before and number + 1 < len(self.layers):
                self.layers[number + 1].start()
        if self.layers and self.layers[-1].ended:
            self._ended = True
        if data:
            self.received += len(data)
            self.digest.update(data)
            self.last = (self.last + data)[-128:]
            self.watch(self)
        self._encode()

    def _send(self) -> None:
        """
        Send, and encode more.
        """
        while self._out:
            try:
                count = self.socket.send(self._out)
            except BlockingIOError:
                return
            self._out = self._out[count:]
            self._encode()

    def _encode(self) -> None:
        """
        Encode as much of the upload as is useful.
        """
        if not self._out:
            self.sent += self._encoding
            self._encoding = 0
            ready = not self.layers or self.layers[-1].ready
            if ready and not self._uploaded:
                self._upMore()
            self._push(b"")
        if self._uploaded and not self._out and not self._sentAll:
            self._sentAll = True
            if not self.layers:
                self.socket.shutdown(socket.SHUT_WR)

    def _upMore(self) -> None:
        """
        Encode some of the upload, or the end of it.
        """
        for block in self._upload:
            self._encoding += len(block)
            if self._push(block) >= _ENOUGH:
                return
        if self._answer is not None:
            if not self._ended:
                return
            self._push(self._answer(self))
        self._uploaded = True
        if self.layers:
            self.layers[-1].end()

    def _push(self, data: bytes) -> int:
        """
        Send octets through all layers.

        @return: how many wait to be sent.
        """
        for layer in reversed(self.layers):
            if data:
                layer.send(data)
            data = layer.outgoing()
        self._out = memoryview(bytes(self._out) + data)
        return len(self._out)


def drive(streams: Sequence[Stream], until: Callable[[], bool], deadline: float) -> None:
    """
    Let streams run.

    @param until: asked again and again whether this is enough.
    @raise AssertionError: when it is not, after C{deadline} seconds.
    """
    end = time.monotonic() + deadline
    with selectors.DefaultSelector() as selector:
        registered: dict[Stream, int] = {}
        while not until():
            assert time.monotonic() < end, ", ".join(f"{each.name}: {each.sent} sent" for each in streams)
            for stream in streams:
                wanted, before = stream.interest, registered.get(stream, 0)
                if wanted == before:
                    continue
                registered[stream] = wanted
                if not before:
                    selector.register(stream.socket, wanted, stream)
                elif wanted:
                    selector.modify(stream.socket, wanted, stream)
                else:
                    selector.unregister(stream.socket)
            for key, events in selector.select(0.05):
                key.data.step(events)
