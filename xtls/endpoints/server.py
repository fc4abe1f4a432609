"""
The server endpoint: a port over any other endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.web.resource import IResource
from zope.interface import implementer

from xtls.config.locations import findDefaultCertificate
from xtls.config.modes import Mode
from xtls.config.options import TLSOptions
from xtls.config.portoptions import PortOptions, SSLSwitch
from xtls.port.upgradeable import Port, UpgradeableFactory
from xtls.port.upgrades import HTTP_NAMES, UpgradePolicy
from xtls.port.web import WebFactory
from xtls.sessions.fastpath import FastPath
from xtls.trust.contexts import ServerConnectionCreator
from xtls.trust.keypairs import AUTOMATIC
from xtls.trust.servercontexts import UNKNOWN_NAMES
from xtls.wire.accepting import acceptDirectly

__all__ = ["UpgradeableServerEndpoint"]

#: What C{ssl} says when there has to be TLS.
_DEMANDING = (SSLSwitch.ON, SSLSwitch.TCP, SSLSwitch.WWW)

#: The modes that let nobody in without TLS, by those that do.
_ONLY_TLS: Final = {Mode.TCP: Mode.SSL, Mode.WS: Mode.WSS}


@implementer(IStreamServerEndpoint)
@dataclass(frozen=True)
class UpgradeableServerEndpoint:
    """
    One port that speaks everything, over any other server endpoint.

    The factory given to C{listen} is the session: what raw octets and the messages of WebSockets lead to,
    inside TLS and without it.  Its protocols are connected only when a peer is in: verified, where
    certificates of clients are asked for.

    @ivar wrapped: what listens.
    @ivar mode: how the port is bound: what it lets in at all.
    @ivar options: switches, deadlines and limits.
    @ivar clock: for the deadlines; usually the reactor.
    @ivar tls: makes the OpenSSL connections; L{None} for a port without TLS.
    @ivar site: the pages, such as L{pages<xtls.port.web.pages>} makes; L{None} for a port without any.
    """

    wrapped: IStreamServerEndpoint
    mode: Mode
    options: PortOptions
    clock: IReactorTime
    tls: IOpenSSLServerConnectionCreator | None = None
    site: IResource | None = None

    @classmethod
    def fromOptions(
        cls,
        wrapped: IStreamServerEndpoint,
        mode: Mode,
        tls: TLSOptions,
        options: PortOptions,
        *,
        clock: IReactorTime,
        site: IResource | None = None,
    ) -> UpgradeableServerEndpoint:
        """
        Make a port of what the user said.  Whatever is wrong with it shows now, before anything listens.

        Where a client must have a certificate, be it under one name among others, nobody gets in without TLS:
        such a port is bound as one for TLS only, whatever C{mode} says.

        @raise OptionError: for options that cannot be used, alone or together.
        """
        creator = serverCreator(mode, tls, options)
        if creator is not None and creator.certificateRequired:
            mode = _ONLY_TLS.get(mode, mode)
        return cls(wrapped, mode, options, clock, creator, site)

    def listen(self, protocolFactory: IProtocolFactory | None) -> Deferred[IListeningPort]:
        """
        Listen.

        @param protocolFactory: the session; L{None} for a port of pages only.
        """
        policy = UpgradePolicy(
            self.mode,
            self.options,
            tlsAvailable=self.tls is not None,
            sessionAvailable=protocolFactory is not None,
            pagesAvailable=self.site is not None,
        )
        web = WebFactory(policy, self.clock, session=protocolFactory, site=self.site)
        port = Port(policy, protocolFactory, web, self.tls, self.clock)
        factory = UpgradeableFactory(port)
        fast = FastPath.of(self.clock, factory)

        def listening(port: IListeningPort) -> IListeningPort:
            # An endpoint that has put something in between (haproxy) would be left out.
            direct = fast is not None and getattr(port, "factory", None) is factory
            return acceptDirectly(port, fast.accepted if fast is not None and direct else None)

        return self.wrapped.listen(factory).addCallback(listening)


def serverCreator(mode: Mode, tls: TLSOptions, options: PortOptions) -> ServerConnectionCreator | None:
    """
    Make what a port's TLS connections are made by, or decide that the port has no TLS.

    Without C{ssl} on or off, there is TLS when a certificate is named, or the default certificate is there;
    or when anything else is said of TLS, since whoever says it believes that there is.

    @return: L{None} for a port without TLS.
    @raise OptionError: if there must be TLS and there is no certificate, or C{ssl} is off; or for options
        that cannot be used.
    """
    if mode is Mode.UNIX:
        return None
    if options.ssl is SSLSwitch.OFF:
        if mode.secure:
            raise options.error("ssl", f"a port in mode {mode.value} has TLS: expected on, or mode tcp or ws")
        return None
    if not (tls.cert or any(tls.forName(each).cert for each in tls.sni if each.name == UNKNOWN_NAMES)):
        if findDefaultCertificate() is not None:
            tls = replace(tls, cert=(AUTOMATIC,))
        elif not (mode.secure or options.ssl in _DEMANDING or tls.sources):
            return None
    return ServerConnectionCreator.fromOptions(tls, _applicationProtocols(mode, options))


def _applicationProtocols(mode: Mode, options: PortOptions) -> tuple[bytes, ...]:
    """
    What is agreed on inside TLS (ALPN, RFC 7301): HTTP, where it may be inside.
    """
    web = mode in (Mode.WS, Mode.WSS) or options.httpUpgrade or options.websocketUpgrade
    return HTTP_NAMES if web and options.ssl is not SSLSwitch.TCP else ()
