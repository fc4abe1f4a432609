"""
Connection creators: who is let in and who is not, in whole handshakes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.faults import (
    AUTHORITY,
    CLIENT_FAULTS,
    DAY,
    GOOD_CLIENT,
    GOOD_SERVER,
    LOWEST,
    NAME,
    NOW,
    SERVER_FAULTS,
    STRANGER,
    Fault,
)
from tests.support.handshakes import GREETINGS, Handshake, saved
from tests.support.logs import recordLogs
from tests.support.people import person
from xtls.config.options import Layer, TLSOptions, TLSVersion, TLSVersions, VerifyMode, resolve
from xtls.errors import OptionError, PeerVerificationError
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair, toPEM
from xtls.trust.contexts import ClientConnectionCreator, ServerConnectionCreator, refusalOf
from xtls.trust.issuing import selfSigned
from xtls.trust.pins import pinOf
from xtls.trust.verification import Reason

TLS1_2 = TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2)
TLS1_3 = TLSVersions(TLSVersion.TLS1_3, TLSVersion.TLS1_3)


def client(host: str = NAME, alpn: Sequence[bytes] = (), **options: Any) -> ClientConnectionCreator:
    """
    A client's creator, which believes the authority of the tests unless the options say otherwise.
    """
    if "caCerts" not in options:
        options.setdefault("caData", AUTHORITY.pem)
    return ClientConnectionCreator.fromOptions(TLSOptions(**options), host, alpn)


def server(
    test: SynchronousTestCase, *pairs: KeyPair, alpn: Sequence[bytes] = (), **options: Any
) -> ServerConnectionCreator:
    """
    A server's creator, with a good certificate unless others are given.
    """
    paths = tuple(saved(test, pair) for pair in pairs or (GOOD_SERVER,))
    return ServerConnectionCreator.fromOptions(TLSOptions(cert=paths, **options), alpn)


def handshake(one: ClientConnectionCreator, other: ServerConnectionCreator) -> Handshake:
    """
    Let a client and a server shake hands.
    """
    return Handshake.between(one.clientConnectionForTLS(None), other.serverConnectionForTLS(None))


class ServerFaultsCase(SynchronousTestCase):
    """
    A client and a server whose certificate has a fault.
    """

    protocol: ClassVar[TLSVersions] = TLS1_3

    def check(self, fault: Fault, mode: VerifyMode) -> None:
        """
        Shake hands with such a server.
        """
        assert fault.pair is not None
        seen = handshake(
            client(fault.host, protocol=self.protocol, serverVerifyMode=mode), server(self, fault.pair)
        )
        refusal = refusalOf(seen.client.connection)
        if mode is VerifyMode.NONE:
            self.assertIsNone(refusal)
            self.assertTrue(seen.complete)
            return
        assert refusal is not None
        self.assertEqual((refusal.reason, refusal.depth), (fault.reason, fault.depth))
        self.assertEqual(refusal.reference, fault.host)
        self.assertEqual(seen.client.reason, "certificate verify failed")
        self.assertIn("alert", seen.server.reason)
        self.assertEqual((seen.client.received, seen.server.received), (b"", b""))


class ServerFaultsTests(ServerFaultsCase):
    """
    A client and a server whose certificate has a fault, under TLS 1.3.
    """

    def test_unreadable(self) -> None:
        """
        A certificate of which OpenSSL can make no sense is refused, and said to be damaged.
        """
        pair = AUTHORITY.issue(commonName=NAME, san=b"no DER")
        seen = handshake(client(), server(self, pair))
        refusal = refusalOf(seen.client.connection)
        assert refusal is not None
        self.assertEqual((refusal.reason, refusal.detail), (Reason.OTHER, "it is damaged"))
        self.assertEqual((seen.client.received, seen.server.received), (b"", b""))


class ServerFaultsTLS12Tests(ServerFaultsCase):
    """
    A client and a server whose certificate has a fault, under TLS 1.2.
    """

    protocol = TLS1_2


class ClientFaultsCase(SynchronousTestCase):
    """
    A server and a client whose certificate has a fault.
    """

    protocol: ClassVar[TLSVersions] = TLS1_3

    def check(self, fault: Fault, mode: VerifyMode) -> None:
        """
        Shake hands with such a client.
        """
        cert = () if fault.pair is None else (saved(self, fault.pair),)
        seen = handshake(
            client(cert=cert),
            server(self, protocol=self.protocol, caData=AUTHORITY.pem, clientVerifyMode=mode),
        )
        refusal = refusalOf(seen.server.connection)
        if mode is VerifyMode.NONE or (mode is VerifyMode.OPTIONAL and fault.pair is None):
            self.assertIsNone(refusal)
            self.assertTrue(seen.complete)
            self.assertIsNone(seen.server.connection.get_peer_certificate())
            return
        if fault.pair is None:
            # OpenSSL refuses by itself
            self.assertIsNone(refusal)
            self.assertEqual(seen.server.reason, "peer did not return a certificate")
        else:
            assert refusal is not None
            self.assertEqual((refusal.reason, refusal.depth), (fault.reason, fault.depth))
            self.assertEqual(seen.server.reason, "certificate verify failed")
        self.assertIn("alert", seen.client.reason)
        self.assertEqual((seen.client.received, seen.server.received), (b"", b""))


class ClientFaultsTests(ClientFaultsCase):
    """
    A server and a client whose certificate has a fault, under TLS 1.3.
    """


class ClientFaultsTLS12Tests(ClientFaultsCase):
    """
    A server and a client whose certificate has a fault, under TLS 1.2.
    """

    protocol = TLS1_2


def _fill(case: type[SynchronousTestCase], faults: Mapping[str, Fault]) -> None:
    """
    Give a class one test for each fault and mode.
    """

    def testOf(fault: Fault, mode: VerifyMode) -> Callable[[Any], None]:
        def test(self: Any) -> None:
            self.check(fault, mode)

        return test

    for name, fault in faults.items():
        for mode in VerifyMode:
            test = testOf(fault, mode)
            test.__name__ = f"test_{name}_{mode.value}"
            outcome = "goes unseen" if mode is VerifyMode.NONE else f"is {fault.reason.value}"
            test.__doc__ = f"\n        {name}: {outcome}, where verification is {mode.value}.\n        "
            setattr(case, test.__name__, test)


_fill(ServerFaultsTests, SERVER_FAULTS)
_fill(ServerFaultsTLS12Tests, {name: fault for name, fault in SERVER_FAULTS.items() if fault.shown})
_fill(ClientFaultsTests, CLIENT_FAULTS)
_fill(ClientFaultsTLS12Tests, CLIENT_FAULTS)


class GoodTests(SynchronousTestCase):
    """
    Who is let in.
    """

    def assertComplete(self, seen: Handshake) -> None:
        """
        Both sides were satisfied, and heard each other.
        """
        self.assertEqual((seen.client.reason, seen.server.reason), ("", ""))
        self.assertTrue(seen.complete)
        self.assertIsNone(refusalOf(seen.client.connection))
        self.assertIsNone(refusalOf(seen.server.connection))

    def test_versions(self) -> None:
        """
        A good certificate is good under either version, and the newest that both know is spoken.
        """
        for versions in (TLS1_2, TLS1_3, TLSVersions()):
            seen = handshake(client(protocol=versions), server(self))
            self.assertComplete(seen)
            self.assertEqual(seen.client.connection.get_protocol_version(), int(versions.maximum))

    def test_names(self) -> None:
        """
        DNS-IDs and IP-IDs match, whatever the case, the dot at the end, the brackets or the zone; a wildcard
        stands for one label, be it an A-label.
        """
        pair = AUTHORITY.issue(NAME, "*.a.test", "127.0.0.1", "fe80::1", "xn--bcher-kva.test")
        creator = server(self, pair)
        for host in (
            "Server.TEST",
            "server.test.",
            "x.a.test",
            "bücher.a.test",
            "Bücher.test",
            "127.0.0.1",
            "[fe80::1]",
            "fe80:0::1%eth0",
        ):
            self.assertComplete(handshake(client(host), creator))

    def test_oneGoodName(self) -> None:
        """
        Identifiers that cannot be used are passed over (RFC 9525, section 6.3): beside them, a good one is
        good.
        """
        names = [x509.DNSName("*"), x509.DNSName("127.0.0.1"), x509.DNSName(NAME)]
        self.assertComplete(handshake(client(), server(self, AUTHORITY.issue(san=names))))

    def test_serverHostname(self) -> None:
        """
        The name that the options give comes before that of the host.
        """
        self.assertComplete(handshake(client("10.0.0.1", serverHostname=NAME), server(self)))

    def test_chain(self) -> None:
        """
        The whole chain of the file is sent (trap 7): a client that knows the root alone is satisfied.
        """
        pair = AUTHORITY.intermediate().intermediate("another").issue(NAME)
        seen = handshake(client(), server(self, pair))
        self.assertComplete(seen)
        sent = seen.client.connection.get_peer_cert_chain()
        assert sent is not None
        self.assertEqual([each.to_cryptography() for each in sent], [pair.certificate, *pair.chain])

    def test_onlyTheChainOfTheFile(self) -> None:
        """
        What is not in the file is not sent, even where the server knows it as an anchor for its clients.
        """
        seen = handshake(client(cert=(saved(self, GOOD_CLIENT),)), server(self, caData=AUTHORITY.pem))
        self.assertComplete(seen)
        sent = seen.client.connection.get_peer_cert_chain()
        assert sent is not None
        self.assertEqual(len(sent), 1)

    def test_selfSignedAnchor(self) -> None:
        """
        A self-signed certificate that the user named is believed, though it is no authority's; it must
        still be for the name, and not have expired.
        """
        pair = selfSigned([NAME])
        pem = pair.certificate.public_bytes(Encoding.PEM)
        for flags in ((), ("X509_STRICT",)):
            self.assertComplete(handshake(client(caData=pem, verifyFlags=flags), server(self, pair)))
        refusal = refusalOf(handshake(client("b.test", caData=pem), server(self, pair)).client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.WRONG_NAME)
        old = selfSigned([NAME], now=NOW - 400 * DAY)
        pem = old.certificate.public_bytes(Encoding.PEM)
        refusal = refusalOf(handshake(client(caData=pem), server(self, old)).client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.EXPIRED)

    def test_anchorsThatAreNoRoots(self) -> None:
        """
        What the user named is believed, be it an intermediate or the very certificate of the server; the very
        certificate is no authority.
        """
        pair = LOWEST.issue(NAME)
        for pem in (LOWEST.pem, pair.certificate.public_bytes(Encoding.PEM)):
            self.assertComplete(handshake(client(caData=pem), server(self, pair)))
        impostor = Authority()
        impostor.certificate, impostor.key = pair.certificate, pair.key
        seen = handshake(
            client(caData=pair.certificate.public_bytes(Encoding.PEM)), server(self, impostor.issue(NAME))
        )
        refusal = refusalOf(seen.client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.NOT_A_CA)

    def test_noName(self) -> None:
        """
        Where the name is not looked at, the chain still is; and a name that is none does not matter.
        """
        self.assertComplete(handshake(client("b.test", checkHostname=False), server(self)))
        self.assertComplete(handshake(client("", checkHostname=False), server(self)))
        pair = STRANGER.issue(NAME)
        refusal = refusalOf(handshake(client(checkHostname=False), server(self, pair)).client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.UNKNOWN_CA)

    def test_clientCertificate(self) -> None:
        """
        A good certificate of a client is good where one is optional, required, or where only the CA is named;
        it is presented with its chain.
        """
        pair = AUTHORITY.intermediate().issue("c", clientAuth=True)
        for mode in (VerifyMode.OPTIONAL, VerifyMode.REQUIRED, None):
            for version in (TLS1_2, TLS1_3):
                creator = server(self, caData=AUTHORITY.pem, clientVerifyMode=mode, protocol=version)
                seen = handshake(client(cert=(saved(self, pair),)), creator)
                self.assertComplete(seen)
                certificate = seen.server.connection.get_peer_certificate()
                assert certificate is not None
                self.assertEqual(certificate.to_cryptography(), pair.certificate)

    def test_usages(self) -> None:
        """
        A certificate without extended key usage is for everything, and one may be for both.
        """
        both = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        for usage in ((), both):
            pair = AUTHORITY.issue(NAME, usage=usage)
            path = saved(self, pair)
            self.assertComplete(handshake(client(cert=(path,)), server(self, pair, caData=AUTHORITY.pem)))


class CommonNameTests(SynchronousTestCase):
    """
    Certificates without a subjectAltName, as the usual recipe makes them.
    """

    #: What C{openssl req -new -x509} makes: an authority that is its own server, and has no more than a name.
    recipe = AUTHORITY.issue(commonName=NAME, san=False, usage=(), signing=None, selfSigned=True, ca=True)

    def test_given(self) -> None:
        """
        Where the user named the authority, the Common Name will do, and a warning says how to do better.
        """
        log = recordLogs(self)
        pem = self.recipe.certificate.public_bytes(Encoding.PEM)
        for version in (TLS1_2, TLS1_3):
            seen = handshake(client(caData=pem, protocol=version), server(self, self.recipe))
            self.assertTrue(seen.complete)
        issued = AUTHORITY.issue(commonName=NAME, san=False)
        self.assertTrue(handshake(client(), server(self, issued)).complete)
        self.assertEqual([event["host"] for event in log], [NAME] * 3)
        self.assertIn(f"xtls cert self-signed {NAME}", log.lines()[0])

    def test_address(self) -> None:
        """
        The Common Name may be an address.
        """
        pair = AUTHORITY.issue(commonName="127.0.0.1", san=False)
        self.assertTrue(handshake(client("127.0.0.1"), server(self, pair)).complete)

    def test_system(self) -> None:
        """
        Where the system named the authority, it will not, even if the user named others besides; a
        subjectAltName will.
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, AUTHORITY.pem)})
        pair = AUTHORITY.issue(commonName=NAME, san=False)
        source = {"caCerts": "command line"}
        for options in (
            {"caCerts": "default"},
            {"caCerts": "default", "caData": AUTHORITY.pem, "sources": source},
        ):
            refusal = refusalOf(handshake(client(**options), server(self, pair)).client.connection)
            assert refusal is not None
            self.assertIs(refusal.reason, Reason.NO_NAME)
            self.assertTrue(handshake(client(**options), server(self)).complete)

    def test_noPattern(self) -> None:
        """
        A Common Name is taken by the letter, and only when there is one.
        """
        for name in ("*.server.test", "server.test.", " server.test", "server.test\0", "[server.test]"):
            pair = AUTHORITY.issue(commonName=name, san=False)
            for host in (NAME, "a.server.test"):
                refusal = refusalOf(handshake(client(host), server(self, pair)).client.connection)
                assert refusal is not None
                self.assertIs(refusal.reason, Reason.WRONG_NAME)


class VerifyFlagsTests(SynchronousTestCase):
    """
    How chains are verified.
    """

    def reasonOf(self, pair: KeyPair, **options: Any) -> Reason | None:
        """
        Why a client refuses a server, if it does.
        """
        refusal = refusalOf(handshake(client(**options), server(self, pair)).client.connection)
        return None if refusal is None else refusal.reason

    def test_strict(self) -> None:
        """
        The rules of RFC 5280 that many break are kept only when that is asked for: an authority that does not
        say what its key is for, as the usual recipe makes it.
        """
        lax = Authority("lax", withKeyUsage=False)
        pair = lax.issue(NAME)
        self.assertIsNone(self.reasonOf(pair, caData=lax.pem))
        self.assertIs(self.reasonOf(pair, caData=lax.pem, verifyFlags=("X509_STRICT",)), Reason.STRICT)

    def test_names(self) -> None:
        """
        Every flag that the option knows is one that is known here.
        """
        names = (
            "DEFAULT,CRL_CHECK_LEAF,CRL_CHECK_CHAIN,VERIFY_X509_STRICT,X509_TRUSTED_FIRST,ALLOW_PROXY_CERTS,"
        )
        said = Layer("program", {"ssl-verify-flags": names + "X509_PARTIAL_CHAIN"})
        flags = resolve(TLSOptions, said).verifyFlags
        self.assertEqual(len(flags), 7)
        crl = AUTHORITY.revocations().public_bytes(Encoding.PEM)
        self.assertIsNone(self.reasonOf(GOOD_SERVER, caData=AUTHORITY.pem + crl, verifyFlags=flags))

    def test_revoked(self) -> None:
        """
        Where a revocation list comes with the CAs, what is on it is refused, and nothing else.
        """
        revoked = AUTHORITY.issue(NAME)
        crl = AUTHORITY.revocations(revoked.certificate).public_bytes(Encoding.PEM)
        for flags in ((), ("CRL_CHECK_LEAF",)):
            given = {"caData": AUTHORITY.pem + crl, "verifyFlags": flags}
            self.assertIs(self.reasonOf(revoked, **given), Reason.REVOKED)
            self.assertIsNone(self.reasonOf(GOOD_SERVER, **given))

    def test_revokedClient(self) -> None:
        """
        So is a client.
        """
        revoked = AUTHORITY.issue("c", clientAuth=True)
        crl = AUTHORITY.revocations(revoked.certificate).public_bytes(Encoding.PEM)
        creator = server(self, caData=AUTHORITY.pem + crl)
        refusal = refusalOf(handshake(client(cert=(saved(self, revoked),)), creator).server.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.REVOKED)
        self.assertTrue(handshake(client(cert=(saved(self, GOOD_CLIENT),)), creator).complete)

    def test_revocationLists(self) -> None:
        """
        A list of another authority, or one of another day, is none; and each authority of the chain needs one
        when that is asked for.
        """
        other = STRANGER.revocations().public_bytes(Encoding.PEM)
        self.assertIs(self.reasonOf(GOOD_SERVER, caData=AUTHORITY.pem + other), Reason.NO_REVOCATION_LIST)
        old = AUTHORITY.revocations(nextUpdate=NOW - DAY).public_bytes(Encoding.PEM)
        self.assertIs(self.reasonOf(GOOD_SERVER, caData=AUTHORITY.pem + old), Reason.STALE_REVOCATION_LIST)
        middle = AUTHORITY.intermediate()
        pair = middle.issue(NAME)
        leaf = middle.revocations().public_bytes(Encoding.PEM)
        self.assertIsNone(self.reasonOf(pair, caData=AUTHORITY.pem + leaf))
        chain = {"caData": AUTHORITY.pem + leaf, "verifyFlags": ("CRL_CHECK_CHAIN",)}
        self.assertIs(self.reasonOf(pair, **chain), Reason.NO_REVOCATION_LIST)
        both = leaf + AUTHORITY.revocations().public_bytes(Encoding.PEM)
        self.assertIsNone(self.reasonOf(pair, **{**chain, "caData": AUTHORITY.pem + both}))

    def test_named(self) -> None:
        """
        Lists that are named apart do as well as those among the CAs, for the server's certificate or for the
        whole chain; read again, they say what they say then.
        """
        middle = AUTHORITY.intermediate()
        pair = middle.issue(NAME)
        leaf = saved(self, middle.revocations().public_bytes(Encoding.PEM))
        root = saved(self, AUTHORITY.revocations(middle.certificate).public_bytes(Encoding.PEM))
        chain = ("CRL_CHECK_CHAIN",)
        self.assertIsNone(self.reasonOf(pair, crl=(leaf,)))
        self.assertIsNone(self.reasonOf(pair, crl=(leaf, root)))
        self.assertIs(self.reasonOf(pair, crl=(root,)), Reason.NO_REVOCATION_LIST)
        self.assertIs(self.reasonOf(pair, crl=(leaf,), verifyFlags=chain), Reason.NO_REVOCATION_LIST)
        self.assertIs(self.reasonOf(pair, crl=(leaf, root), verifyFlags=chain), Reason.REVOKED)
        one = client(crl=(leaf,))
        self.assertIn(leaf, one.files)
        with open(leaf, "wb") as opened:
            opened.write(middle.revocations(pair.certificate).public_bytes(Encoding.PEM))
        self.assertTrue(handshake(one, server(self, pair)).complete)
        one.reload()
        refusal = refusalOf(handshake(one, server(self, pair)).client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.REVOKED)

    def test_noRevocationList(self) -> None:
        """
        Asking for revocation lists and giving none is an error at once; the system may have some.
        """
        error = self.assertRaises(OptionError, client, verifyFlags=("CRL_CHECK_LEAF",))
        self.assertEqual((error.option, error.source), ("ssl-verify-flags", "program"))
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, AUTHORITY.pem)})
        self.assertIs(
            self.reasonOf(GOOD_SERVER, caCerts="default", verifyFlags=("CRL_CHECK_LEAF",)),
            Reason.NO_REVOCATION_LIST,
        )


class SystemTests(SynchronousTestCase):
    """
    The system's CAs.
    """

    def test_file(self) -> None:
        """
        They are believed about servers, when no others are named.
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, AUTHORITY.pem)})
        self.assertTrue(handshake(client(caCerts="default"), server(self)).complete)
        seen = handshake(client(caData=STRANGER.pem), server(self))
        refusal = refusalOf(seen.client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.UNKNOWN_CA)

    def test_directory(self) -> None:
        """
        They may be in a directory, under their hashes.
        """
        hashed = f"{X509.from_cryptography(AUTHORITY.certificate).subject_name_hash():08x}.0"
        directory = os.path.dirname(saved(self, AUTHORITY.pem, hashed))
        self.patch(os, "environ", {"SSL_CERT_DIR": directory})
        self.assertTrue(handshake(client(caCerts="default"), server(self)).complete)

    def test_unreadable(self) -> None:
        """
        Where they cannot be read, that is an error at once.
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, b"nothing")})
        error = self.assertRaises(OptionError, client, caCerts="default")
        self.assertEqual((error.option, error.source), ("ssl-ca-certs", "default"))

    def test_nobodyToRevoke(self) -> None:
        """
        Who wants revoked clients refused, and names no CA for them, is told that none shows a certificate.
        """
        for flag in ("CRL_CHECK_LEAF", "CRL_CHECK_CHAIN"):
            error = self.assertRaises(OptionError, server, self, verifyFlags=(flag,))
            self.assertEqual(error.option, "ssl-verify-flags")
        server(self, verifyFlags=("X509_STRICT",))
        server(self, verifyFlags=("CRL_CHECK_LEAF",), clientVerifyMode=VerifyMode.NONE)

    def test_notForClients(self) -> None:
        """
        They are never believed about clients (trap 9): where certificates are asked for and no CA is named,
        that is an error; and where one is named, only that one.
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, STRANGER.pem)})
        for mode in (VerifyMode.OPTIONAL, VerifyMode.REQUIRED):
            error = self.assertRaises(OptionError, server, self, clientVerifyMode=mode)
            self.assertEqual(error.option, "ssl-client-verify-mode")
            self.assertIn("the system's are never believed", error.problem)
        pair = STRANGER.issue("c", clientAuth=True)
        creator = server(self, caData=AUTHORITY.pem, sources={"caCerts": "command line"})
        refusal = refusalOf(handshake(client(cert=(saved(self, pair),)), creator).server.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.UNKNOWN_CA)

    def test_certificateRequired(self) -> None:
        """
        A creator knows whether a client must show a certificate, and whether it is asked for one.
        """
        for mode, required in (
            (None, True),
            (VerifyMode.REQUIRED, True),
            (VerifyMode.OPTIONAL, False),
            (VerifyMode.NONE, False),
        ):
            creator = server(self, caData=AUTHORITY.pem, clientVerifyMode=mode)
            self.assertIs(creator.certificateRequired, required)
            self.assertIs(creator.certificateAsked, mode is not VerifyMode.NONE)
        self.assertFalse(server(self).certificateRequired or server(self).certificateAsked)

    def test_namesOfCAs(self) -> None:
        """
        A client is told whose certificates are believed: the named CA's, and no other's.
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, STRANGER.pem)})
        for version in (TLS1_2, TLS1_3):
            creator = server(self, caData=AUTHORITY.pem, protocol=version)
            seen = handshake(client(cert=(saved(self, GOOD_CLIENT),)), creator)
            names = [name.der() for name in seen.client.connection.get_client_ca_list()]
            self.assertEqual(names, [AUTHORITY.certificate.subject.public_bytes()])


class SeveralCertificatesTests(SynchronousTestCase):
    """
    A server with more than one certificate.
    """

    first = AUTHORITY.issue("a.test")
    second = AUTHORITY.issue("b.test", "*.c.test")

    def test_chosenByName(self) -> None:
        """
        The one is shown that is for the name asked for, or else the first.
        """
        for version in (TLS1_2, TLS1_3):
            creator = server(self, self.first, self.second, protocol=version)
            for host, shown in {
                "a.test": self.first,
                "b.test": self.second,
                "x.c.test": self.second,
                "d.test": self.first,
                "127.0.0.1": self.first,
            }.items():
                seen = handshake(client(host, serverVerifyMode=VerifyMode.NONE), creator)
                certificate = seen.client.connection.get_peer_certificate()
                assert certificate is not None
                self.assertEqual(certificate.to_cryptography(), shown.certificate)
                self.assertTrue(seen.complete)

    def test_clientsOfEach(self) -> None:
        """
        Whatever name is asked for, a client without a good certificate is not let in (trap 2).
        """
        stranger = STRANGER.issue("c", clientAuth=True)
        for version in (TLS1_2, TLS1_3):
            creator = server(self, self.first, self.second, caData=AUTHORITY.pem, protocol=version)
            for host in ("a.test", "b.test"):
                seen = handshake(client(host), creator)
                self.assertEqual(seen.server.reason, "peer did not return a certificate")
                self.assertEqual((seen.client.received, seen.server.received), (b"", b""))
                self.assertIn("alert", seen.client.reason)
                seen = handshake(client(host, cert=(saved(self, stranger),)), creator)
                refusal = refusalOf(seen.server.connection)
                assert refusal is not None
                self.assertIs(refusal.reason, Reason.UNKNOWN_CA)
                self.assertEqual((seen.client.received, seen.server.received), (b"", b""))
                seen = handshake(client(host, cert=(saved(self, GOOD_CLIENT),)), creator)
                self.assertTrue(seen.complete)

    def test_trap(self) -> None:
        """
        The trap itself: a context that is set in the callback brings its certificate, but not that it asks
        for one of the client.  When this fails, the trap is gone from pyOpenSSL or OpenSSL.
        """
        plain = server(self, self.first)
        strict = server(self, self.second, caData=AUTHORITY.pem)._made.context
        plain._made.context.set_tlsext_servername_callback(lambda connection: connection.set_context(strict))
        seen = handshake(client("b.test"), plain)
        self.assertTrue(seen.complete)


class ReloadTests(SynchronousTestCase):
    """
    Creators that read their files again.
    """

    def setUp(self) -> None:
        self.old, self.new = AUTHORITY.issue(NAME), AUTHORITY.issue(NAME)
        self.path = saved(self, self.old)

    def write(self, data: KeyPair | bytes, path: str | None = None) -> None:
        """
        Put something else in a file.
        """
        with open(path or self.path, "wb") as opened:
            opened.write(data if isinstance(data, bytes) else toPEM(data))

    def shown(self, creator: ServerConnectionCreator) -> x509.Certificate:
        """
        The certificate that a new connection shows.
        """
        seen = handshake(client(), creator)
        certificate = seen.client.connection.get_peer_certificate()
        assert certificate is not None
        return certificate.to_cryptography()

    def test_server(self) -> None:
        """
        After a reload new connections show the new certificate; one that was made before goes on with the
        old one.
        """
        creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(self.path,)))
        waiting = creator.serverConnectionForTLS(None)
        self.write(self.new)
        self.assertEqual(self.shown(creator), self.old.certificate)
        creator.reload()
        self.assertEqual(creator.certificates, (self.new.certificate,))
        self.assertEqual(self.shown(creator), self.new.certificate)
        seen = Handshake.between(client().clientConnectionForTLS(None), waiting)
        self.assertTrue(seen.complete)
        certificate = seen.client.connection.get_peer_certificate()
        assert certificate is not None
        self.assertEqual(certificate.to_cryptography(), self.old.certificate)

    def test_broken(self) -> None:
        """
        What cannot be used is an error, and all stays as it was: a damaged file, none, or a key that is
        another's.
        """
        creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(self.path,)))
        mismatched = (
            toPEM(self.new, includeKey=False) + toPEM(self.old)[len(toPEM(self.old, includeKey=False)) :]
        )
        for data in (b"damaged", b"", mismatched):
            self.write(data)
            error = self.assertRaises(OptionError, creator.reload)
            self.assertEqual(error.option, "ssl-cert")
            self.assertEqual(creator.certificates, (self.old.certificate,))
            self.assertEqual(self.shown(creator), self.old.certificate)
        os.unlink(self.path)
        self.assertRaises(OptionError, creator.reload)
        self.assertEqual(self.shown(creator), self.old.certificate)
        self.write(self.new)
        creator.reload()
        self.assertEqual(self.shown(creator), self.new.certificate)

    def test_authority(self) -> None:
        """
        The CAs for clients are read again too, and whether certificates are asked for stays as it is.
        """
        cas = saved(self, AUTHORITY.pem)
        one = client(cert=(saved(self, GOOD_CLIENT),))
        creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(self.path,), caCerts=cas))
        self.assertTrue(handshake(one, creator).complete)
        self.write(STRANGER.pem, cas)
        creator.reload()
        self.assertFalse(handshake(one, creator).complete)
        for data in (b"", b"nothing"):
            self.write(data, cas)
            error = self.assertRaises(OptionError, creator.reload)
            self.assertEqual(error.option, "ssl-ca-certs")
            self.assertTrue(creator.certificateRequired and creator.certificateAsked)
            self.assertFalse(handshake(client(), creator).complete)

    def test_listGone(self) -> None:
        """
        When the last revocation list beside CAs goes, all stays as it was: who is on it is not let in again.
        """
        cas = os.path.dirname(saved(self, AUTHORITY.pem, "ca.pem"))
        path = os.path.join(cas, "crl.pem")
        self.write(AUTHORITY.revocations(GOOD_CLIENT.certificate).public_bytes(Encoding.PEM), path)
        revoked, other = (
            client(cert=(saved(self, pair),)) for pair in (GOOD_CLIENT, person(AUTHORITY, "CN=alice"))
        )
        named = resolve(TLSOptions, Layer("test", {"ssl-sni": f"b.test,ssl-ca-certs={cas}"})).sni
        one = TLSOptions(cert=(self.path,), caCerts=cas)
        for options in one, TLSOptions(cert=(self.path,), sni=named):
            creator = ServerConnectionCreator.fromOptions(options)
            os.rename(path, path + ".bak")
            error = self.assertRaises(OptionError, creator.reload)
            self.assertEqual(error.option, "ssl-ca-certs")
            self.assertIn("revocation list", error.problem)
            os.rename(path + ".bak", path)
            creator.reload()
        creator = ServerConnectionCreator.fromOptions(one)
        mine = ClientConnectionCreator.fromOptions(TLSOptions(caCerts=cas), NAME)
        os.unlink(path)
        self.assertRaises(OptionError, creator.reload)
        self.assertRaises(OptionError, mine.reload)
        for each, complete in ((revoked, False), (other, True)):
            self.assertIs(handshake(each, creator).complete, complete)

    def test_rules(self) -> None:
        """
        Rules in files are read again, under every name, and an empty file lets nobody in; the demand for
        certificates stays as it is, and what cannot be read changes nothing.
        """
        path, certificate = saved(self, b"CN=alice"), saved(self, person(AUTHORITY, "CN=alice"))
        rule = f"file:{path}"
        named = resolve(TLSOptions, Layer("test", {"ssl-sni": f"b.test,ssl-allow={rule}"})).sni
        creator = ServerConnectionCreator.fromOptions(
            TLSOptions(cert=(self.path,), caData=AUTHORITY.pem, allow=(rule,), sni=named)
        )
        self.assertIn(path, creator.files)

        def let() -> list[bool]:
            ones = (client(host, cert=(certificate,), checkHostname=False) for host in (NAME, "b.test"))
            return [handshake(one, creator).complete for one in ones]

        self.assertEqual(let(), [True, True])
        for data, allowed in ((b"", False), (b"CN=bob", False), (b"# none\nCN=a*\n", True)):
            self.write(data, path)
            creator.reload()
            self.assertEqual(let(), [allowed, allowed])
            self.assertTrue(creator.certificateRequired)
        self.write(b"alice", path)
        error = self.assertRaises(OptionError, creator.reload)
        self.assertEqual(error.option, "ssl-allow")
        self.assertEqual(let(), [True, True])

    def test_client(self) -> None:
        """
        A client reads its CAs again.
        """
        cas = saved(self, STRANGER.pem)
        creator = ClientConnectionCreator.fromOptions(TLSOptions(caCerts=cas), NAME)
        self.assertFalse(handshake(creator, server(self)).complete)
        self.write(AUTHORITY.pem, cas)
        creator.reload()
        self.assertTrue(handshake(creator, server(self)).complete)
        self.write(b"", cas)
        self.assertRaises(OptionError, creator.reload)
        self.assertTrue(handshake(creator, server(self)).complete)

    def test_files(self) -> None:
        """
        A creator knows what it was made of.
        """
        cas = saved(self, AUTHORITY.pem)
        creator = ServerConnectionCreator.fromOptions(TLSOptions(cert=(self.path,), caCerts=cas))
        self.assertEqual(creator.files, (self.path, cas))
        one = ClientConnectionCreator.fromOptions(TLSOptions(cert=(self.path,), caCerts=cas), NAME)
        self.assertEqual(one.files, (self.path, cas))
        self.assertEqual(client(serverVerifyMode=VerifyMode.NONE).files, ())
        self.patch(os, "environ", {"SSL_CERT_FILE": cas})
        self.assertEqual(client(caCerts="default").files, (cas,))

    def test_contents(self) -> None:
        """
        It knows what it shows, with what, and whom it believes.
        """
        pair = AUTHORITY.intermediate().issue(NAME)
        path, cas = saved(self, toPEM(pair)), saved(self, AUTHORITY.pem)
        options = TLSOptions(cert=(path,), caCerts=cas)
        for creator in (
            ServerConnectionCreator.fromOptions(options),
            ClientConnectionCreator.fromOptions(options, NAME),
        ):
            self.assertEqual(creator.certificates, (pair.certificate,))
            self.assertEqual(creator.chain, pair.chain)
            self.assertEqual(creator.anchors.certificates, (AUTHORITY.certificate,))
        self.assertEqual(client(serverVerifyMode=VerifyMode.NONE).certificates, ())


class ApplicationProtocolTests(SynchronousTestCase):
    """
    Application-Layer Protocol Negotiation (RFC 7301).
    """

    def chosen(self, offered: Sequence[bytes], spoken: Sequence[bytes]) -> tuple[bytes, bytes]:
        """
        What either side holds for chosen.
        """
        seen = handshake(client(alpn=offered), server(self, alpn=spoken))
        self.assertTrue(seen.complete)
        one, other = seen.client.connection, seen.server.connection
        return one.get_alpn_proto_negotiated(), other.get_alpn_proto_negotiated()

    def test_chosen(self) -> None:
        """
        The server's order counts; without an offer, or without anything spoken, nothing is chosen.
        """
        self.assertEqual(self.chosen([b"a", b"b"], [b"c", b"b", b"a"]), (b"b", b"b"))
        self.assertEqual(self.chosen([], [b"a"]), (b"", b""))
        self.assertEqual(self.chosen([b"a"], []), (b"", b""))

    def test_nothingInCommon(self) -> None:
        """
        A client that offers others only is refused with the alert for it; and nobody else on the same
        context.
        """
        for version in (TLS1_2, TLS1_3):
            creator = server(self, alpn=[b"a"], protocol=version)
            waiting = creator.serverConnectionForTLS(None)
            seen = handshake(client(alpn=[b"b"]), creator)
            self.assertEqual(seen.server.reason, "no application protocol")
            self.assertIn("alert no application protocol", seen.client.reason)
            self.assertEqual((seen.client.received, seen.server.received), (b"", b""))
            between = Handshake.between(client(alpn=[b"a"]).clientConnectionForTLS(None), waiting)
            self.assertTrue(between.complete)


class ResumptionTests(SynchronousTestCase):
    """
    Sessions are resumed by tickets, but for those of clients with certificates.
    """

    def resumed(self, one: ClientConnectionCreator, other: ServerConnectionCreator) -> list[Handshake]:
        """
        Shake hands, and once more with the session of the first time.
        """
        first = handshake(one, other)
        self.assertTrue(first.complete)
        session = first.client.connection.get_session()
        assert session is not None
        again = one.clientConnectionForTLS(None)
        again.set_session(session)
        return [first, Handshake.between(again, other.serverConnectionForTLS(None))]

    def assertResumed(self, first: Handshake, second: Handshake) -> None:
        """
        The second took no full handshake: the server showed no certificate, and so sent less.
        """
        self.assertTrue(second.complete)
        self.assertTrue(second.resumed)
        self.assertFalse(first.resumed)

    def test_resumed(self) -> None:
        """
        Tickets are issued and taken, under either version.
        """
        for version in (TLS1_2, TLS1_3):
            self.assertResumed(*self.resumed(client(), server(self, protocol=version)))

    def test_clientCertificates(self) -> None:
        """
        Where clients show certificates they do so each time: under TLS 1.3 each resumption brings a new
        ticket, so that one would be let in for ever whose certificate has expired, or was revoked.
        """
        cert = (saved(self, GOOD_CLIENT),)
        for version in (TLS1_2, TLS1_3):
            for mode in (VerifyMode.OPTIONAL, VerifyMode.REQUIRED):
                creator = server(self, caData=AUTHORITY.pem, protocol=version, clientVerifyMode=mode)
                first, second = self.resumed(client(cert=cert), creator)
                self.assertTrue(first.complete and second.complete)
                self.assertFalse(second.resumed)

    def test_severalCertificates(self) -> None:
        """
        With several certificates too.
        """
        pairs = [AUTHORITY.issue("a.test"), AUTHORITY.issue("b.test")]
        for version in (TLS1_2, TLS1_3):
            creator = server(self, *pairs, protocol=version)
            self.assertResumed(*self.resumed(client("b.test"), creator))

    def test_otherServer(self) -> None:
        """
        A ticket is good with the creator that issued it, and with no other: it does not lead around what
        another asks for.
        """
        for version in (TLS1_2, TLS1_3):
            one = client()
            first = handshake(one, server(self, protocol=version))
            session = first.client.connection.get_session()
            assert session is not None
            again = one.clientConnectionForTLS(None)
            again.set_session(session)
            strict = server(self, caData=AUTHORITY.pem, protocol=version)
            second = Handshake.between(again, strict.serverConnectionForTLS(None))
            self.assertEqual(second.server.reason, "peer did not return a certificate")
            self.assertEqual(second.server.received, b"")

    def test_lifetime(self) -> None:
        """
        A ticket is good for an hour.
        """
        context = server(self).serverConnectionForTLS(None).get_context()
        self.assertEqual(context.get_timeout(), 3600)

    def test_noTickets(self) -> None:
        """
        They can be switched off.
        """
        creator = server(self, options=("NO_TICKET",))
        self.assertFalse(self.resumed(client(), creator)[1].resumed)


class ParametersTests(SynchronousTestCase):
    """
    Versions, suites and the other settings.
    """

    def test_suites(self) -> None:
        """
        Under TLS 1.2 the six suites are offered that have ephemeral keys and authenticated encryption, and
        what the user names in their place.
        """
        offered = client(protocol=TLS1_2).clientConnectionForTLS(None).get_cipher_list()
        tls12 = [name for name in offered if not name.startswith("TLS_")]
        self.assertEqual(len(tls12), 6)
        for name in tls12:
            self.assertRegex(name, r"^ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$")
        creator = client(protocol=TLS1_2, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
        seen = handshake(creator, server(self))
        self.assertEqual(seen.client.connection.get_cipher_name(), "ECDHE-ECDSA-AES256-GCM-SHA384")

    def test_neverAnonymous(self) -> None:
        """
        No list of suites brings in one in which nobody shows a certificate, or nothing is encrypted.
        """
        offered = client(ciphers="ALL:aNULL:eNULL:PSK:@SECLEVEL=0").clientConnectionForTLS(None)
        for name in offered.get_cipher_list():
            self.assertNotRegex(name, "ADH|AECDH|NULL|PSK|SRP")

    def test_noSuites(self) -> None:
        """
        A list that selects nothing is an error.
        """
        error = self.assertRaises(OptionError, client, ciphers="nonsense")
        self.assertEqual((error.option, error.source), ("ssl-ciphers", "program"))

    def test_serverPreference(self) -> None:
        """
        Among suites the client's order counts, unless the server is to choose.
        """
        suites = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        one = client(protocol=TLS1_2, ciphers=suites)
        seen = handshake(one, server(self))
        self.assertEqual(seen.client.connection.get_cipher_name(), suites.split(":")[0])
        seen = handshake(one, server(self, options=("CIPHER_SERVER_PREFERENCE",)))
        self.assertEqual(seen.client.connection.get_cipher_name(), suites.split(":")[1])

    def test_versions(self) -> None:
        """
        Versions that are not in common are refused; options take versions away, but not all.
        """
        seen = handshake(client(protocol=TLS1_2), server(self, protocol=TLS1_3))
        self.assertIn("alert", seen.client.reason)
        seen = handshake(client(options=("NO_TLSv1_3",)), server(self))
        self.assertEqual(seen.client.connection.get_protocol_version_name(), "TLSv1.2")
        error = self.assertRaises(OptionError, client, options=("NO_TLSv1_2", "NO_TLSv1_3"))
        self.assertEqual(error.option, "ssl-options")

    def test_noRenegotiation(self) -> None:
        """
        Under TLS 1.2 neither side begins again.
        """
        seen = handshake(client(protocol=TLS1_2), server(self))
        one = seen.client.connection
        self.assertRaises(SSL.Error, one.renegotiate)

    def test_serverName(self) -> None:
        """
        The name is sent to the server, as A-labels and without a dot at its end; an address is not, nor is
        what is no name.
        """
        for host, sent in {
            NAME: NAME.encode(),
            "Bücher.test.": b"xn--bcher-kva.test",
            "127.0.0.1": None,
            "[::1]": None,
            "no name": None,
        }.items():
            seen = handshake(client(host, serverVerifyMode=VerifyMode.NONE), server(self))
            self.assertEqual(seen.server.connection.get_servername(), sent)


class WarningsTests(SynchronousTestCase):
    """
    What is said with each connection that is not verified.
    """

    def test_none(self) -> None:
        """
        Without verification each connection is encrypted, and logs which option said so, and where.
        """
        log = recordLogs(self)
        creator = client(serverVerifyMode=VerifyMode.NONE, sources={"serverVerifyMode": "URL"})
        for _ in range(2):
            self.assertTrue(handshake(creator, server(self, selfSigned(["x.test"]))).complete)
        said = [(event["host"], event["option"], event["source"]) for event in log]
        self.assertEqual(said, [(NAME, "ssl-server-verify-mode", "URL")] * 2)

    def test_anybody(self) -> None:
        """
        So it is where the system's CAs are believed and the name is not looked at.
        """
        log = recordLogs(self)
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, AUTHORITY.pem)})
        creator = client("b.test", caCerts="default", checkHostname=False)
        self.assertTrue(handshake(creator, server(self)).complete)
        said = [(event["host"], event["option"], event["source"]) for event in log]
        self.assertEqual(said, [("b.test", "ssl-check-hostname", "program")])

    def test_quiet(self) -> None:
        """
        A verified connection logs nothing.
        """
        log = recordLogs(self)
        self.assertTrue(handshake(client(), server(self)).complete)
        self.assertEqual(list(log), [])


class BadOptionsTests(SynchronousTestCase):
    """
    What cannot be used is an error before anything connects, and names the option.
    """

    def test_noName(self) -> None:
        """
        A client that is to check the name needs one.
        """
        for host in ("", "not a name", "a..b", "*.a.test"):
            error = self.assertRaises(OptionError, client, host)
            self.assertEqual((error.option, error.source), ("ssl-server-hostname", "default"))

    def test_anchors(self) -> None:
        """
        Anchors that cannot be read are an error on either side.
        """
        error = self.assertRaises(OptionError, client, caCerts="/nowhere/ca.pem")
        self.assertEqual((error.option, error.source), ("ssl-ca-certs", "program"))
        error = self.assertRaises(OptionError, server, self, caData=b"nothing")
        self.assertEqual((error.option, error.source), ("ssl-ca-data", "program"))

    def test_certificates(self) -> None:
        """
        So are certificates, and a server that has none.
        """
        error = self.assertRaises(OptionError, client, cert=("/nowhere/cert.pem",))
        self.assertEqual(error.option, "ssl-cert")
        error = self.assertRaises(OptionError, ServerConnectionCreator.fromOptions, TLSOptions())
        self.assertEqual(error.option, "ssl-cert")

    def test_weak(self) -> None:
        """
        A key that OpenSSL holds for too weak is an error, and not a handshake that always fails.
        """
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        error = self.assertRaises(OptionError, server, self, AUTHORITY.issue(NAME, key=key))
        self.assertEqual(error.option, "ssl-cert")
        self.assertIn(NAME, error.problem)


class PinTests(SynchronousTestCase):
    """
    What contradicts a pin.
    """

    def test_revocations(self) -> None:
        """
        A revocation list beside a pinned key, and no CA that could have signed it, is an error: it would not
        be looked at.
        """
        revoked = AUTHORITY.issue(NAME)
        crl = saved(self, AUTHORITY.revocations(revoked.certificate).public_bytes(Encoding.PEM))
        said: dict[str, Any] = {"pin": (pinOf(revoked.certificate),), "crl": (crl,)}
        error = self.assertRaises(OptionError, ClientConnectionCreator.fromOptions, TLSOptions(**said), NAME)
        self.assertEqual(error.option, "ssl-crl")
        both = client(**said, sources={"caData": "command line"})
        refusal = refusalOf(handshake(both, server(self, revoked)).client.connection)
        assert refusal is not None
        self.assertIs(refusal.reason, Reason.REVOKED)

    def test_pinUnverified(self) -> None:
        """
        A key that is pinned where nothing is verified is an error: it would not be looked at.
        """
        error = self.assertRaises(OptionError, client, pin=("x",), serverVerifyMode=VerifyMode.NONE)
        self.assertEqual(error.option, "ssl-pin")

    def test_pinAndLists(self) -> None:
        """
        So are revocation lists where a pinned key is all that is believed: nobody could say whose they are.
        """
        crl = saved(self, AUTHORITY.revocations().public_bytes(Encoding.PEM))
        pin = (pinOf(AUTHORITY.certificate),)
        error = self.assertRaises(OptionError, client, pin=pin, crl=(crl,), caData=b"")
        self.assertEqual(error.option, "ssl-crl")
        self.assertIn(crl, client(pin=pin, crl=(crl,)).files)

    def test_pinWritten(self) -> None:
        """
        A program may write a pin in any form; what is none is an error, and not a key that nobody has.
        """
        written = pinOf(GOOD_SERVER.certificate).upper()
        self.assertTrue(handshake(client(pin=(written,)), server(self)).complete)
        error = self.assertRaises(OptionError, client, pin=("x",))
        self.assertEqual((error.option, error.source), ("ssl-pin", "program"))


class Recorder(Protocol):
    """
    Greets, and remembers what it hears.
    """

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None

    def connectionMade(self) -> None:
        """
        Twisted's transport says so before the handshake, and keeps what is written until then.
        """
        assert self.transport is not None
        self.transport.write(GREETINGS[self.factory.role])

    def dataReceived(self, data: bytes) -> None:
        """
        Remember octets.
        """
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember why.
        """
        self.lost = reason


class RecorderFactory(Factory):
    """
    Makes one L{Recorder}.
    """

    protocol = Recorder
    noisy = False

    def __init__(self, role: str) -> None:
        self.role = role
        self.built = Recorder()

    def buildProtocol(self, addr: object) -> Recorder:
        """
        The one.
        """
        self.built.factory = self
        return self.built


class StockTestCase(SynchronousTestCase):
    """
    Tests under Twisted's own TLS transport.
    """

    def connect(self, one: Any, other: Any) -> tuple[Recorder, Recorder]:
        """
        Join a client and a server, and let them speak.
        """
        clock = Clock()
        clients, servers = RecorderFactory("client"), RecorderFactory("server")
        below = {
            role: TLSMemoryBIOFactory(creator, role == "client", factory, clock).buildProtocol(None)
            for role, creator, factory in (("client", one, clients), ("server", other, servers))
        }
        _, _, pump = connectedServerAndClient(lambda: below["server"], lambda: below["client"], clock=clock)
        for _ in range(5):
            clock.advance(0)
            pump.flush()
        return clients.built, servers.built


class StockTransportTests(StockTestCase):
    """
    The creators under Twisted's own TLS transport.
    """

    def test_interfaces(self) -> None:
        """
        The creators provide what Twisted asks for.
        """
        verifyObject(IOpenSSLClientConnectionCreator, client())
        verifyObject(IOpenSSLServerConnectionCreator, server(self))

    def test_good(self) -> None:
        """
        They work there, with certificates of clients and without.
        """
        for one, other in (
            (client(), server(self)),
            (client(cert=(saved(self, GOOD_CLIENT),)), server(self, caData=AUTHORITY.pem)),
        ):
            here, there = self.connect(one, other)
            self.assertEqual((here.received, there.received), (GREETINGS["server"], GREETINGS["client"]))

    def test_faults(self) -> None:
        """
        For each fault of the server's certificate the application is told the reason, hears nothing and says
        nothing, and the server is sent an alert.
        """
        for fault in SERVER_FAULTS.values():
            assert fault.pair is not None
            for version in (TLS1_2, TLS1_3) if fault.shown else (TLS1_3,):
                here, there = self.connect(client(fault.host, protocol=version), server(self, fault.pair))
                assert here.lost is not None and there.lost is not None
                error = here.lost.value
                assert isinstance(error, PeerVerificationError)
                self.assertIs(error.refusal.reason, fault.reason)
                self.assertEqual((here.received, there.received), (b"", b""))
                assert isinstance(there.lost.value, SSL.Error)
                self.assertIn("alert", there.lost.value.args[0][-1][-1])

    def test_clientFaults(self) -> None:
        """
        For each fault of the client's certificate likewise.
        """
        for fault in CLIENT_FAULTS.values():
            cert = () if fault.pair is None else (saved(self, fault.pair),)
            for version in (TLS1_2, TLS1_3):
                here, there = self.connect(
                    client(cert=cert, protocol=version), server(self, caData=AUTHORITY.pem)
                )
                assert here.lost is not None and there.lost is not None
                if fault.pair is None:
                    assert isinstance(there.lost.value, SSL.Error)
                else:
                    assert isinstance(there.lost.value, PeerVerificationError)
                    self.assertIs(there.lost.value.refusal.reason, fault.reason)
                self.assertEqual((here.received, there.received), (b"", b""))
                assert isinstance(here.lost.value, SSL.Error)
                self.assertIn("alert", here.lost.value.args[0][-1][-1])

    def test_rules(self) -> None:
        """
        Rules hold, for whichever name is asked, and a client that none lets in gets an alert and no octet.
        """
        pairs = {name: saved(self, person(AUTHORITY, f"CN={name}")) for name in ("alice", "bob")}
        said = Layer("test", {"ssl-allow": "CN=alice", "ssl-sni": "b.test,ssl-allow=CN=bob"})
        named = resolve(TLSOptions, said)
        other = server(
            self, AUTHORITY.issue("a.test", "b.test"), caData=AUTHORITY.pem, allow=named.allow, sni=named.sni
        )
        for version in (TLS1_2, TLS1_3):
            for host, good in (("a.test", "alice"), ("b.test", "bob")):
                for name, path in pairs.items():
                    here, there = self.connect(client(host, protocol=version, cert=(path,)), other)
                    if name == good:
                        self.assertEqual(there.received, GREETINGS["client"])
                        continue
                    assert here.lost is not None and there.lost is not None
                    assert isinstance(there.lost.value, PeerVerificationError)
                    self.assertIs(there.lost.value.refusal.reason, Reason.NOT_ALLOWED)
                    self.assertEqual((here.received, there.received), (b"", b""))
                    assert isinstance(here.lost.value, SSL.Error)
                    self.assertIn("alert", here.lost.value.args[0][-1][-1])

    def test_systemAuthorities(self) -> None:
        """
        Whom the system believes, a server does not (trap 9).
        """
        self.patch(os, "environ", {"SSL_CERT_FILE": saved(self, STRANGER.pem)})
        one = client(cert=(saved(self, STRANGER.issue("c", clientAuth=True)),))
        here, there = self.connect(one, server(self, caData=AUTHORITY.pem))
        assert there.lost is not None and isinstance(there.lost.value, PeerVerificationError)
        self.assertIs(there.lost.value.refusal.reason, Reason.UNKNOWN_CA)
        self.assertEqual((here.received, there.received), (b"", b""))

    def test_servername(self) -> None:
        """
        Several certificates, and clients without one, likewise (trap 2).
        """
        pairs = [AUTHORITY.issue("a.test"), AUTHORITY.issue("b.test")]
        for host in ("a.test", "b.test"):
            here, there = self.connect(client(host), server(self, *pairs, caData=AUTHORITY.pem))
            self.assertEqual((here.received, there.received), (b"", b""))
            good = client(host, cert=(saved(self, GOOD_CLIENT),))
            here, there = self.connect(good, server(self, *pairs, caData=AUTHORITY.pem))
            self.assertEqual((here.received, there.received), (GREETINGS["server"], GREETINGS["client"]))


class StockCreatorTests(StockTestCase):
    """
    Why there are creators of our own: what Twisted's make of the same certificates.
    """

    def test_unreadableNames(self) -> None:
        """
        Twisted's own client accepts a certificate for any name when it has none, or one that is malformed
        (trap 1): the exception of service-identity is logged, and OpenSSL's word stands.  When this fails,
        Twisted has mended it, and docs/decisions/0001-own-verification.md is to be thought over again.
        """
        root = trustRootFromCertificates([Certificate.loadPEM(AUTHORITY.pem)])
        for name in ("noNameAtAll", "otherCommonName", "wildcardAlone", "wildcardInner", "emptyName"):
            fault = SERVER_FAULTS[name]
            assert fault.pair is not None
            stock = optionsForClientTLS("anybody.test", root)
            here, there = self.connect(stock, server(self, fault.pair))
            self.assertEqual((here.received, there.received), (GREETINGS["server"], GREETINGS["client"]))
            self.assertEqual(len(self.flushLoggedErrors()), 1)
            here, there = self.connect(client("anybody.test"), server(self, fault.pair))
            self.assertEqual((here.received, there.received), (b"", b""))

    def test_chain(self) -> None:
        """
        A server of Twisted's that is given the leaf alone sends the leaf alone (trap 7), which a client that
        knows the root refuses; ours sends what the file holds.
        """
        pair = LOWEST.issue(NAME)
        stock = CertificateOptions(
            privateKey=PKey.from_cryptography_key(pair.key),
            certificate=X509.from_cryptography(pair.certificate),
        )
        here, there = self.connect(client(), stock)
        assert here.lost is not None and isinstance(here.lost.value, PeerVerificationError)
        self.assertIs(here.lost.value.refusal.reason, Reason.UNKNOWN_CA)
        here, there = self.connect(client(), server(self, pair))
        self.assertEqual((here.received, there.received), (GREETINGS["server"], GREETINGS["client"]))
