"""
The short way from one connection to another.

A relay gives everything that one transport receives to the L{Outflow<xtls.wire.outflow.Outflow>} of another.
In general that is a chain: socket, inflow, TLS, the relay's protocol, outflow, or TLS again.  Where both ends
are sockets of Twisted's, with TLS on one of them or on none, L{pour} makes one function of the whole chain,
which reads, decrypts or encrypts, and sends, in the shared buffers; and goes the long way itself whenever
anything is out of the ordinary: more than one record, a record that is not octets, a socket that takes no
more, a transport that is paused or closing.  So nothing else needs to know which way octets went.
"""

from __future__ import annotations

import errno
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from xtls.wire import splicing
from xtls.wire.inflow import READ_BUFFER, Read, directSocket, reading, receiveDirectly, receiveNoMore
from xtls.wire.outflow import Outflow
from xtls.wire.records import BUFFER_SIZE, cipherView, plainView
from xtls.wire.transport import TLSTransport
from xtls.wire.webrelay import direct, pourFrames, pourFramesNoMore
from xtls.wire.webstream import WebSocketStream

__all__ = ["pour", "pourNoMore"]

#: Octets in one read from which on a socket is taken to have many more, and in one move up to which not.
_MUCH: Final = 128 * 1024
_LITTLE: Final = 16 * 1024


def pour(source: Any, target: Any, outflow: Outflow) -> bool:
    """
    Have what a transport receives go to another one, by the shortest way there is.  Where there is none that
    is shorter than the ordinary one, nothing happens: the protocol of C{source} is given the octets.

    @param source: a connected transport, whose protocol gives all that it is given to C{outflow}, too.
    @param target: the transport that C{outflow} leads to.
    @return: whether there is; then call L{pourNoMore} when octets are to go elsewhere.
    """
    if getattr(source, "endsInLoss", False):
        return False  # what follows is not much
    if pourFrames(source, target, outflow):
        return True
    if isinstance(source, TLSTransport):
        if direct(source) and directSocket(target) is not None:
            source.transport.doRead = _decrypting(source, outflow)
            return True
    elif directSocket(source) is not None:
        if directSocket(target) is not None:
            source.doRead = _copying(source, outflow)
            return True
        if isinstance(target, TLSTransport) and direct(target):
            source.doRead = _encrypting(source, target, outflow)
            return True
    return False


def pourNoMore(source: Any) -> None:
    """
    Undo L{pour}: the protocol is given the octets again.
    """
    if isinstance(source, WebSocketStream):
        pourFramesNoMore(source)
    elif isinstance(source, TLSTransport) and not source.gone:
        receiveDirectly(source.transport, source.bufferReceived)
    else:
        receiveNoMore(source)


def _copying(source: Any, outflow: Outflow) -> Read:
    """
    From a socket to a socket.
    """
    view, write = READ_BUFFER, outflow.write

    def received(count: int) -> None:
        if count < _MUCH or not splicing.available:
            write(view[:count])
            return
        now = source.doRead  # this, mostly; a function that knew its own name would never be let go of
        write(view[:count])
        if source.doRead is now and not getattr(source, "endsInLoss", False):
            source.doRead = _splicing(source, outflow, now)

    return reading(source.socket, received)


def _splicing(source: Any, outflow: Outflow, copying: Read) -> Read:
    """
    From a socket to a socket, while much comes.

    @param copying: the ordinary way.
    """
    fileno = source.fileno

    def doRead() -> Exception | None:
        target = outflow.direct
        if target is None:
            return copying()
        try:
            count, rest, why = splicing.move(fileno(), target.fileno())
        except BlockingIOError:
            return None
        except OSError as e:
            if e.errno == errno.EINVAL:
                return copying()  # there is no such way from here
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        if why is not None:
            outflow.heed(why)
            outflow.write(rest)
        elif count < _LITTLE and not getattr(source, "endsInLoss", False):
            source.doRead = copying
        return None

    return doRead


def _decrypting(source: TLSTransport, outflow: Outflow) -> Read:
    """
    From a socket, through TLS, to a socket.
    """
    view = READ_BUFFER
    records: Any = source.records
    decrypt, write = records.decrypt, outflow.write

    def received(count: int) -> None:
        if source.relaying:
            plain = decrypt(count)
            if plain:
                write(plainView[:plain])
            else:
                source.decrypted(records.rest())
        else:
            source.bufferReceived(view[:count])

    return reading(source.transport.socket, received)


def _encrypting(source: Any, target: TLSTransport, outflow: Outflow) -> Read:
    """
    From a socket to a socket, through TLS.
    """
    view = READ_BUFFER
    records: Any = target.records
    encrypt, write = records.encrypt, target.outflow.write

    def received(count: int) -> None:
        if outflow.paused or not target.sending:
            outflow.write(view[:count])
            return
        try:
            cipher = encrypt(count)
        except SSL.Error as e:
            target.sendingFailed(e)
            return
        write(cipherView[:cipher])
        if cipher >= BUFFER_SIZE:
            target.sendRest()

    return reading(source.socket, received)
