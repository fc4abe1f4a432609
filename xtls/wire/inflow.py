"""
Getting octets in: from a socket into one buffer that all connections share.

Twisted's own C{doRead} allocates a new object for each read, which for long reads costs more
than the read itself (the allocator maps and unmaps memory for each).  L{receiveDirectly}
replaces it, on one transport, by a read into a buffer of the process; the protocol gets a view
of it, and has used it when it returns.

Twisted's reactors call C{doRead} of what they were given (L{IReadDescriptor
<twisted.internet.interfaces.IReadDescriptor>}), and take its answer: nothing, or why the
connection has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

__all__ = [
    "READ_BUFFER",
    "READ_SIZE",
    "Read",
    "directSocket",
    "endInLoss",
    "reading",
    "receiveDirectly",
    "receiveNoMore",
]

#: What a reactor calls when a socket has octets; it answers nothing, or why the connection has ended.
Read = Callable[[], "Exception | None"]

#: Octets that one turn reads from one socket at most.
READ_SIZE: Final = 256 * 1024

#: The one buffer.
READ_BUFFER: Final = memoryview(bytearray(READ_SIZE))


def directSocket(transport: Any) -> Any:
    """
    The socket under a transport of Twisted's, if it may be used past the transport's buffers; else L{None}.
    """
    if isinstance(transport, tcp.Connection) and not getattr(transport, "TLS", False):
        return getattr(transport, "socket", None)
    return None


def reading(socket: Any, received: Callable[[int], object]) -> Read:
    """
    Make what a reactor calls when a socket has octets (C{doRead}).

    @param received: told how many there are in L{READ_BUFFER} now; never 0.
    """
    receiveInto, buffer = socket.recv_into, READ_BUFFER

    def doRead() -> Exception | None:
        try:
            count = receiveInto(buffer)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        received(count)
        return None

    return doRead


def receiveDirectly(transport: Any, receive: Callable[[memoryview], object]) -> None:
    """
    Have what a transport reads delivered as views.  On transports that are not sockets nothing happens: their
    protocol's C{dataReceived} is called as before.

    @param receive: given a view of at most L{READ_SIZE} octets, which is valid only until it returns.
    """
    socket = directSocket(transport)
    if socket is None:
        return
    transport.doRead = reading(socket, lambda count: receive(READ_BUFFER[:count]))
    if getattr(transport, "endsInLoss", False):
        endInLoss(transport)


def receiveNoMore(transport: Any) -> None:
    """
    Undo L{receiveDirectly}: when the connection is lost, or another protocol takes it over.
    """
    getattr(transport, "__dict__", {}).pop("doRead", None)


def endInLoss(transport: Any) -> None:
    """
    Have the end of what a transport reads be a loss.

    A send has reported that the peer has reset the connection.  The system says that once: reads still find
    what had arrived before, and then what looks as if the peer had ended in order.  From now on C{endsInLoss}
    of the transport is true, for those who would read in another way.
    """
    transport.endsInLoss = True
    doRead = transport.doRead

    def readOut() -> Exception | None:
        why: Exception | None = doRead()
        return CONNECTION_LOST if why is CONNECTION_DONE else why

    transport.doRead = readOut
