"""
What Twisted's stock TLS keeps of our stream contract: nearly all of it, which shows that the contract asks
nothing unusual; and the differences, which are why xtls has a transport of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import _producer_helpers
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS
from twisted.internet.task import Cooperator
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.support.contract import StreamContract, differs
from tests.support.wires import Wire


@cache
def certificate() -> PrivateCertificate:
    """
    A certificate of C{example.test}, signed by itself, made once.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.test")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.test")]), critical=False)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(made.public_bytes(Encoding.PEM) + pem)
    return loaded


class StockTLSStreamTests(StreamContract, SynchronousTestCase):
    """
    L{TLSMemoryBIOFactory} at both ends.
    """

    def setUp(self) -> None:
        self.wire = Wire()
        # pull producers are served by the one global cooperator, on the global reactor
        cooperator = Cooperator(scheduler=lambda call: self.wire.clock.callLater(0, call))
        self.patch(_producer_helpers, "cooperate", cooperator.cooperate)

    def stackFor(
        self, name: str, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client that means to reach C{name}.
        """
        contexts = optionsForClientTLS(name, trustRoot=certificate()), certificate().options()
        return (
            TLSMemoryBIOFactory(contexts[0], True, client, wire.clock).buildProtocol(wire.server.getHost()),
            TLSMemoryBIOFactory(contexts[1], False, server, wire.clock).buildProtocol(wire.client.getHost()),
        )

    def stack(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client that is at the right server.
        """
        return self.stackFor("example.test", wire, client, server)

    def stackRefused(
        self, wire: Wire, client: IProtocolFactory, server: IProtocolFactory
    ) -> tuple[IProtocol, IProtocol]:
        """
        A client that meant another server.
        """
        return self.stackFor("other.test", wire, client, server)

    # (Where a number stands, it is a ticket of Twisted's.)
    test_notConnectedUntilVerified = differs(
        StreamContract.test_notConnectedUntilVerified, "is connected before the handshake"
    )
    test_closeDeadline = differs(StreamContract.test_closeDeadline, "waits for the peer for ever: #7926")
    test_halfClose = differs(StreamContract.test_halfClose, "half-closes below TLS, and loses octets: #5341")
    test_halfCloseBothWays = differs(StreamContract.test_halfCloseBothWays, "does the same")
    test_halfCloseNotUnderstood = differs(StreamContract.test_halfCloseNotUnderstood, "does the same")
    test_closeWaitsForProducer = differs(
        StreamContract.test_closeWaitsForProducer, "closes over small writes that it still gathers"
    )
    test_pauseInConnectionMade = differs(
        StreamContract.test_pauseInConnectionMade, "is connected before its handshake, which is paused too"
    )
    test_pauseInDataReceived = differs(
        StreamContract.test_pauseInDataReceived, "delivers every record that it has, paused or not"
    )
    test_closeWhilePaused = differs(
        StreamContract.test_closeWhilePaused, "does the same, and delivers the close"
    )
    test_bufferReceived = differs(StreamContract.test_bufferReceived, "knows no views")
    test_lostOnce = differs(StreamContract.test_lostOnce, "raises from abortConnection after the loss")
    test_nothingAfterLoss = differs(StreamContract.test_nothingAfterLoss, "does the same")
