"""
The short way between a WebSocket and a socket.

As L{xtls.wire.relay} has it for TLS: where a relay joins a WebSocket stream to a socket of Twisted's, and the
stream is on a socket itself or on TLS on one, one function does the work of the whole chain: it reads,
decrypts, takes the payload out of the frames, and sends; or puts it into a frame, encrypts, and sends.  It
goes the long way whenever anything is out of the ordinary: a transport that is paused, closing or full, more
than one record, a Ping, a Close.  So nothing else needs to know which way octets went.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from xtls.wire.frames import LONGEST_BINARY, encodeBinary
from xtls.wire.inflow import READ_BUFFER, READ_SIZE, Read, directSocket, reading, receiveDirectly
from xtls.wire.masking import nextMaskKey
from xtls.wire.openssl import DirectRecords
from xtls.wire.outflow import Outflow
from xtls.wire.records import BUFFER_SIZE, plainView
from xtls.wire.transport import TLSTransport
from xtls.wire.webstream import WebSocketStream

__all__ = ["direct", "pourFrames", "pourFramesNoMore"]

assert READ_SIZE <= LONGEST_BINARY, "what is read at a time must fit into a message"


def pourFrames(source: Any, target: Any, outflow: Outflow) -> bool:
    """
    Have what a transport receives go to another one by the short way, if there is one, and either of the two
    is a WebSocket stream.

    @param source: a connected transport, whose protocol gives all that it is given to C{outflow}, too.
    @param target: the transport that C{outflow} leads to.
    @return: whether there is; then call L{pourFramesNoMore} when octets are to go elsewhere.
    """
    if isinstance(source, WebSocketStream):
        below = source.transport
        if directSocket(target) is None:
            return False
        if directSocket(below) is not None:
            below.doRead = _unframing(source, below, outflow)
            return True
        if direct(below):
            below.transport.doRead = _decrypting(source, below, outflow)
            return True
    elif isinstance(target, WebSocketStream) and directSocket(source) is not None:
        below = target.transport
        if directSocket(below) is not None:
            source.doRead = _framing(source, target, outflow)
            return True
        if direct(below):
            source.doRead = _encrypting(source, target, below, outflow)
            return True
    return False


def pourFramesNoMore(source: WebSocketStream) -> None:
    """
    Undo L{pourFrames}, for a stream: the protocol is given the octets again.
    """
    below = source.transport
    if source.gone:
        return
    if isinstance(below, TLSTransport):
        receiveDirectly(below.transport, below.bufferReceived)
    else:
        receiveDirectly(below, source.bufferReceived)


def direct(tls: Any) -> bool:
    """
    Whether a transport is TLS on a socket, and calls OpenSSL itself.
    """
    return (
        isinstance(tls, TLSTransport)
        and directSocket(tls.transport) is not None
        and isinstance(tls.records, DirectRecords)
    )


def _unframing(source: WebSocketStream, below: Any, outflow: Outflow) -> Read:
    """
    From a WebSocket to a socket.
    """
    view, reader, write = READ_BUFFER, source.reader, outflow.write
    feed = reader.feed

    def received(count: int) -> None:
        if not source.relaying:
            source.bufferReceived(view[:count])
            return
        payload = feed(view[:count])
        if payload:
            write(payload)
        if reader.pings or reader.ended:
            source.bufferReceived(b"")

    return reading(below.socket, received)


def _decrypting(source: WebSocketStream, tls: TLSTransport, outflow: Outflow) -> Read:
    """
    From a WebSocket in TLS to a socket.
    """
    view, reader, write = READ_BUFFER, source.reader, outflow.write
    records: Any = tls.records
    feed, decrypt = reader.feed, records.decrypt

    def received(count: int) -> None:
        if not (source.relaying and tls.relaying):
            tls.bufferReceived(view[:count])
            return
        plain = decrypt(count)
        if not plain:
            tls.decrypted(records.rest())
            return
        payload = feed(plainView[:plain])
        if payload:
            write(payload)
        if reader.pings or reader.ended:
            source.bufferReceived(b"")

    return reading(tls.transport.socket, received)


def _framing(source: Any, target: WebSocketStream, outflow: Outflow) -> Read:
    """
    From a socket to a WebSocket.
    """
    view, write, masks = READ_BUFFER, target.outflow.write, target.isClient

    def received(count: int) -> None:
        if outflow.paused or not target.sending:
            outflow.write(view[:count])
        else:
            write(encodeBinary(view[:count], nextMaskKey() if masks else None))

    return reading(source.socket, received)


def _encrypting(source: Any, target: WebSocketStream, tls: TLSTransport, outflow: Outflow) -> Read:
    """
    From a socket to a WebSocket in TLS.
    """
    view, write, masks = READ_BUFFER, tls.outflow.write, target.isClient
    records = tls.records
    encrypt, drain = records.write, records.drain

    def received(count: int) -> None:
        if outflow.paused or not (target.sending and tls.sending):
            outflow.write(view[:count])
            return
        try:
            encrypt(encodeBinary(view[:count], nextMaskKey() if masks else None))
        except SSL.Error as e:
            tls.sendingFailed(e)
            return
        cipher = drain()
        write(cipher)
        if len(cipher) >= BUFFER_SIZE:
            tls.sendRest()

    return reading(source.socket, received)
