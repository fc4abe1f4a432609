"""
Trials: a case is put to our client, to our server, and to Python's C{ssl}, by a
L{rogue<tests.support.rogues>}.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from twisted.python.failure import Failure
from twisted.trial.util import suppress

from tests.support.identity import serverPair
from tests.support.rogues import GREETING, Presented, Rogue, RoguePeer, rogue
from tests.support.taxonomy import ACCEPTED, UNREADABLE, Case, Half, Verdict
from tests.support.wires import GivenFactory, Recorder, Wire
from xtls.config.options import TLSOptions
from xtls.errors import HandshakeError, PeerVerificationError
from xtls.trust.certificates import toPEM
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator
from xtls.trust.verification import Refusal
from xtls.wire.tlsfactory import TLSTransportFactory

__all__ = ["ODDITIES", "Trial", "creatorOf", "meet", "pem", "python", "put"]


#: What C{cryptography} warns of, for tests to pass over.
ODDITIES: Final = [suppress(message="Parsed a serial number")]


def pem(*certificates: bytes) -> bytes:
    """
    Certificates in PEM, whatever is in them.
    """
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % b64encode(each)
        for each in certificates
    )


@dataclass
class Trial:
    """
    What became of a case.

    @ivar built: how often the application's protocol was asked for.
    @ivar said: what the application was told by the peer.
    @ivar refusal: why we refused the peer.
    @ivar failure: how it ended, if it did not come to be.
    @ivar peer: the peer.
    """

    built: int
    said: bytes
    refusal: Refusal | None
    failure: Failure | None
    peer: Rogue

    @property
    def verdict(self) -> Verdict | None:
        """
        What became of the peer; L{None} if it cannot be told.
        """
        if self.built and self.said == GREETING and self.peer.heard == b"hello":
            return ACCEPTED
        if self.refusal is not None:
            return self.refusal.reason
        if self.failure is not None and self.failure.check(HandshakeError):
            return UNREADABLE
        return None


def creatorOf(case: Case, half: Half, strict: bool, presented: Presented, directory: str) -> Any:
    """
    What makes our end, which believes whom the case says.

    @param directory: where files may be written.
    """
    flags = (*case.flags, *(("X509_STRICT",) if strict else ()))
    trusted = pem(*presented.anchors) + presented.revocations
    if half is Half.SERVER:
        return ClientConnectionCreator.fromOptions(TLSOptions(caData=trusted, verifyFlags=flags), case.host)
    path = Path(directory) / "own.pem"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(toPEM(serverPair()))
    options = TLSOptions(cert=(str(path),), caData=trusted, verifyFlags=flags)
    return ServerConnectionCreator.fromOptions(options)


def put(case: Case, half: Half, *, modern: bool, strict: bool, directory: str) -> Trial:
    """
    Put a case to our client, or to our server.

    @param half: whose certificates they are.
    @param modern: whether the peer speaks TLS 1.3, or else 1.2.
    @param directory: where files may be written.
    """
    presented = case.make(half)
    return meet(creatorOf(case, half, strict, presented, directory), presented, half, modern)


def meet(creator: Any, presented: Presented, half: Half, modern: bool) -> Trial:
    """
    Let our end meet such a peer.

    @param creator: what makes our end.
    """
    recorder, failures, wire = Recorder(b"hello"), [], Wire()
    given = GivenFactory(recorder)

    def refused(transport: object, failure: Failure) -> None:
        failures.append(failure)

    ours = TLSTransportFactory(creator, half is Half.SERVER, given, wire.clock, refused=refused)
    transport = ours.buildProtocol(None)
    peer = rogue(presented, server=half is Half.SERVER, modern=modern)
    theirs = RoguePeer(peer)
    if half is Half.SERVER:
        wire.join(transport, theirs)
    else:
        wire.join(theirs, transport)
    wire.flush()
    failure = failures[0] if failures else None
    error = failure.value if failure is not None else None
    refusal = error.refusal if isinstance(error, PeerVerificationError) else None
    return Trial(given.built, recorder.received, refusal, failure, peer)


def _context(case: Case, half: Half, presented: Presented) -> ssl.SSLContext:
    """
    Python's, with the same anchors and lists.  An anchor need be no root, as is the default of Python 3.13.
    """
    server = half is Half.CLIENT
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags(0x80000)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "trusted.pem"
        path.write_bytes(pem(*presented.anchors) + presented.revocations)
        context.load_verify_locations(str(path))
        if server:
            path.write_bytes(toPEM(serverPair()))
            context.load_cert_chain(str(path))
    if presented.revocations:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    for each in case.flags:
        context.verify_flags |= getattr(ssl, f"VERIFY_{each}")
    return context


def python(case: Case, half: Half, *, modern: bool) -> str:
    """
    Put a case to Python's C{ssl}.

    @return: why it refuses the peer, or nothing if it does not.
    """
    presented = case.make(half)
    try:
        context = _context(case, half, presented)
    except ssl.SSLError as e:
        return str(e)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = half is Half.CLIENT
    it = context.wrap_bio(incoming, outgoing, server, None if server else case.host)
    peer = rogue(presented, server=not server, modern=modern)
    incoming.write(peer.start())
    return _converse(it, peer, incoming, outgoing)


def _converse(it: ssl.SSLObject, peer: Rogue, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> str:
    """
    Let both speak until it is clear what becomes of it.
    """
    steps: list[Callable[[], object]] = [it.do_handshake, lambda: it.write(b"hello"), lambda: it.read(100)]
    while True:
        said = 0
        try:
            while steps:
                steps[0]()
                steps.pop(0)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            return str(e)
        if not steps:
            return ""
        data = outgoing.read()
        answer = peer.receive(data) if data else b""
        said = incoming.write(answer) if answer else 0
        if not data and not said:
            raise AssertionError("this peer is neither refused nor believed")
