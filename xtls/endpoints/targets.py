"""
From a target to the endpoint that reaches it: TCP or a Unix socket, TLS over that, WebSocket over that.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

from xtls.config.connectionfile import refuseWeakening, withoutAnchors
from xtls.config.definitions import Layer
from xtls.config.modes import Mode, Target, joinHostPort
from xtls.config.portoptions import PortOptions, resolveBoth
from xtls.endpoints.client import TLSClientEndpoint, WebSocketClientEndpoint
from xtls.errors import OptionError
from xtls.trust.contexts import ClientConnectionCreator

__all__ = ["endpointForTarget"]

#: What TLS offers under WebSocket, whose opening handshake is HTTP/1.1 (RFC 6455, section 4.1; RFC 7301).
_HTTP = (b"http/1.1",)


def endpointForTarget(
    reactor: Any,
    target: Target,
    *layers: Layer,
    bindAddress: str | None = None,
    carrier: IStreamClientEndpoint | None = None,
) -> IStreamClientEndpoint:
    """
    The endpoint that reaches a target, and verifies it where the mode is secure.

    This is where a target that came from somebody else, such as a connection file, is kept from lowering
    verification, and from adding to whom the user believes: see
    L{refuseWeakening<xtls.config.connectionfile.refuseWeakening>} and
    L{withoutAnchors<xtls.config.connectionfile.withoutAnchors>}.

    A name is looked up when connecting, and of its addresses, IPv6 and IPv4, the first that answers is taken
    (RFC 8305).

    @param reactor: where to connect; also the clock of all deadlines.
    @param target: what to reach.  Its own layer of options comes first.
    @param layers: more options, as the user says them here and now; later layers win.
    @param bindAddress: the local address to connect from.
    @param carrier: how to reach the target in place of TCP to its host and port, which then only say what
        name is verified and asked for.

    @raise OptionError: for an option that is wrong or does not apply to the target.
    """
    theirs = target.layer
    if not target.trusted:
        said = Layer("", {name: text for layer in layers for name, text in layer.values.items()})
        refuseWeakening(theirs, said)
        theirs = withoutAnchors(theirs, said)
    tls, options = resolveBoth(theirs, *layers)
    endpoint = carrier or _carrier(reactor, target, options, bindAddress)
    webSocket = target.mode in (Mode.WS, Mode.WSS)
    if target.mode.secure:
        creator = ClientConnectionCreator.fromOptions(tls, target.host, _HTTP if webSocket else ())
        endpoint = TLSClientEndpoint(endpoint, creator, reactor, options)
    if webSocket:
        endpoint = WebSocketClientEndpoint(endpoint, _webSocketURL(target), reactor, options)
    return endpoint


def _webSocketURL(target: Target) -> str:
    """
    What the server is asked for: who we are and our options are no business of the URL's.
    """
    return f"{target.mode.value}://{joinHostPort(target.host, target.port)}{target.path}"


def _carrier(
    reactor: Any, target: Target, options: PortOptions, bindAddress: str | None
) -> IStreamClientEndpoint:
    """
    What carries the octets: TCP, or a Unix socket.
    """
    if target.mode is Mode.UNIX:
        # An address that begins with NUL is in Linux's abstract namespace, unix(7).
        path = "\0" + target.path[1:] if target.path.startswith("@") else target.path
        return UNIXClientEndpoint(reactor, path, timeout=options.connectTimeout)
    if target.mode is Mode.SSH:
        raise OptionError("target", target.layer.source, "ssh targets cannot be reached yet; use ssh itself")
    return HostnameEndpoint(
        reactor, target.host, target.port, timeout=options.connectTimeout, bindAddress=bindAddress
    )
