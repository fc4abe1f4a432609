"""
A client's side of WebSocket's opening handshake (RFC 6455, section 4.1), which autobahn makes and checks.

Its protocol gets a transport of its own that only keeps what is written, sees one head of known form, and is
dropped when that is judged: no octet of the stream ever reaches it, and no timer of it is ever set.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.types import ConnectingRequest

__all__ = ["Asking"]


class _Pocket:
    """
    The transport that autobahn sees: what is written is kept, and nothing else happens.

    @ivar written: all that was written.
    """

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        """
        Keep octets.
        """
        self.written += data


class _Client(WebSocketClientProtocol):
    """
    One handshake.

    @ivar asked: what to ask for.
    @ivar opened: whether the handshake has succeeded.
    @ivar problem: why it has failed.
    """

    asked: ConnectingRequest
    opened = False
    problem = ""

    def onConnecting(self, transport_details: object) -> ConnectingRequest:
        """
        What to ask for.
        """
        return self.asked

    def _onOpen(self) -> None:
        self.opened = True

    def failHandshake(self, reason: str) -> None:
        """
        The handshake has failed.
        """
        self.problem = reason


@cache
def _settings(subprotocol: str) -> Any:
    """
    The factory that autobahn's protocols have their settings from: made once, with the deadlines off, since
    they would be on the one global reactor.
    """
    factory = WebSocketClientFactory(url="ws://localhost", protocols=[subprotocol], reactor=object())
    factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
    factory.protocol = _Client
    factory.noisy = False
    return factory


class Asking:
    """
    One client's handshake.

    @ivar request: what to send.
    """

    def __init__(
        self,
        host: str,
        port: int,
        resource: str,
        headers: Mapping[str, str],
        agent: str,
        subprotocol: str,
    ) -> None:
        """
        @param host: what goes into C{Host}, with the port.
        @param resource: the request's target.
        @param headers: fields to send besides.
        @param agent: what goes into C{User-Agent}.
        @param subprotocol: the one to offer.
        """
        self._client = _settings(subprotocol).buildProtocol(None)
        self._client.asked = ConnectingRequest(
            host, port, resource, dict(headers), agent, None, [subprotocol]
        )
        pocket = _Pocket()
        self._client.makeConnection(pocket)
        self.request = pocket.written

    def judge(self, answer: bytes) -> str | None:
        """
        Judge what the server has answered.

        @param answer: the head of a response with status 101.
        @return: what is wrong with it, or L{None}.
        @raise Exception: of any kind, if it cannot be read.
        """
        self._client.dataReceived(answer)
        return None if self._client.opened else self._client.problem
