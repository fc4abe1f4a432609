"""
What a server shows and asks, by the name that is asked for.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import SkipTest

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.support.handshakes import End, Handshake, saved
from tests.support.logs import recordLogs
from tests.support.people import person
from xtls.config.definitions import Layer, resolve
from xtls.config.options import TLSOptions, TLSVersion, TLSVersions
from xtls.errors import OptionError
from xtls.testing.authority import Authority
from xtls.trust.certificates import KeyPair
from xtls.trust.contexts import ClientConnectionCreator
from xtls.trust.servercontexts import ClientPolicy, ServerContexts, serverContexts
from xtls.trust.verification import Reason
from xtls.trust.verifier import refusalOf

AUTHORITY, OTHERS = Authority(), Authority("others")
FIRST = AUTHORITY.issue("a.test", "www.a.test")
SECOND = AUTHORITY.issue("b.test")
THIRD = AUTHORITY.issue("*.c.test", "d.test")
ALICE = person(AUTHORITY, "CN=alice", "OU=ops")
BOB = person(AUTHORITY, "CN=bob")
EVE = person(OTHERS, "CN=alice", "OU=ops")

VERSIONS = tuple(TLSVersions(version, version) for version in TLSVersion)


class ServerContextsCase(SynchronousTestCase):
    """
    A server, and clients in memory.
    """

    def setUp(self) -> None:
        self.paths = {
            "FIRST": saved(self, FIRST),
            "SECOND": saved(self, SECOND),
            "THIRD": saved(self, THIRD),
            "CA": saved(self, AUTHORITY.pem),
            "OTHERS": saved(self, OTHERS.pem),
        }
        self.people = {id(pair): saved(self, pair) for pair in (ALICE, BOB, EVE)}

    def options(self, **said: str | tuple[str, ...]) -> TLSOptions:
        """
        Options as text, in which words in capitals are files.
        """

        words = re.compile(rf"\b({'|'.join(self.paths)})\b")

        def filled(text: str) -> str:
            return words.sub(lambda found: self.paths[found[0]], text)

        values = {
            f"ssl-{key.replace('_', '-')}": filled(text)
            if isinstance(text, str)
            else tuple(map(filled, text))
            for key, text in said.items()
        }
        return resolve(TLSOptions, Layer("test", values))

    def server(self, **said: Any) -> ServerContexts:
        """
        A server that shows the first certificate, unless the options say otherwise.
        """
        said.setdefault("cert", "FIRST")
        return serverContexts(self.options(**said), ())

    def handshake(
        self,
        server: ServerContexts,
        name: str | None = "a.test",
        pair: KeyPair | None = None,
        **said: Any,
    ) -> Handshake:
        """
        Let a client ask for a name, and show a certificate.
        """
        cert = () if pair is None else (self.people[id(pair)],)
        options = TLSOptions(caData=AUTHORITY.pem, cert=cert, checkHostname=False, **said)
        client = ClientConnectionCreator.fromOptions(options, name or "127.0.0.1").clientConnectionForTLS(
            None
        )
        other = server.begin()
        other.set_accept_state()
        return Handshake.between(client, other)

    def again(self, server: ServerContexts, first: Handshake, name: str) -> Handshake:
        """
        Let the client of a connection come once more, with the session of that, and ask for a name.
        """
        client = SSL.Connection(first.client.connection.get_context(), None)
        client.set_connect_state()
        client.set_tlsext_host_name(name.encode())
        session = first.client.connection.get_session()
        assert session is not None
        client.set_session(session)
        other = server.begin()
        other.set_accept_state()
        return Handshake.between(client, other)

    def assertShown(self, server: ServerContexts, name: str | None, pair: KeyPair, **more: Any) -> None:
        """
        Who asks for a name is shown a certificate.
        """
        seen = self.handshake(server, name, **more)
        self.assertTrue(seen.complete, name)
        certificate = seen.client.connection.get_peer_certificate()
        assert certificate is not None
        self.assertEqual(certificate.to_cryptography(), pair.certificate, name)

    def assertRefused(self, seen: Handshake, reason: Reason | None = None) -> None:
        """
        A client was refused with an alert, and neither side has heard an octet of the other.

        @param reason: why; L{None} for want of a certificate.
        """
        self.assertEqual((seen.client.received, seen.server.received), (b"", b""))
        self.assertIn("alert", seen.client.reason)
        refusal = refusalOf(seen.server.connection)
        if reason is None:
            self.assertEqual(seen.server.reason, "peer did not return a certificate")
            self.assertIsNone(refusal)
        else:
            assert refusal is not None
            self.assertIs(refusal.reason, reason)

    def refused(self, **said: Any) -> OptionError:
        """
        The error that options make.
        """
        error: OptionError = self.assertRaises(OptionError, self.server, **said)
        return error


class RulesTests(ServerContextsCase):
    """
    Rules on certificates of clients.
    """

    def test_allowed(self) -> None:
        """
        Who meets a rule is let in; who meets none is refused in the handshake, on either version, with a
        sentence that says who came.
        """
        for versions in VERSIONS:
            server = self.server(ca_certs="CA", allow=("CN=carol", "CN=alice,OU=ops"))
            self.assertTrue(self.handshake(server, pair=ALICE, protocol=versions).complete)
            seen = self.handshake(server, pair=BOB, protocol=versions)
            self.assertRefused(seen, Reason.NOT_ALLOWED)
            refusal = refusalOf(seen.server.connection)
            assert refusal is not None
            self.assertIn("CN=bob", refusal.sentence())
            self.assertIn("no rule", refusal.sentence())
            self.assertRefused(self.handshake(server, protocol=versions))

    def test_afterAllElse(self) -> None:
        """
        A rule lets nobody in whose certificate is not good.
        """
        server = self.server(ca_certs="CA", allow="CN=alice")
        self.assertRefused(self.handshake(server, pair=EVE), Reason.UNKNOWN_CA)
        crl = saved(self, AUTHORITY.revocations(ALICE.certificate).public_bytes(Encoding.PEM))
        server = self.server(ca_certs="CA", allow="CN=alice", crl=crl)
        self.assertRefused(self.handshake(server, pair=ALICE), Reason.REVOKED)

    def test_optional(self) -> None:
        """
        Where certificates are optional, who shows none is let in, and who shows one must meet a rule.
        """
        server = self.server(ca_certs="CA", allow="CN=alice", client_verify_mode="optional")
        self.assertTrue(self.handshake(server).complete)
        self.assertTrue(self.handshake(server, pair=ALICE).complete)
        self.assertRefused(self.handshake(server, pair=BOB), Reason.NOT_ALLOWED)
        self.assertTrue(server.asked)
        self.assertFalse(server.required)

    def test_files(self) -> None:
        """
        Rules may be in a file, where comments and empty lines are none; a file without rules lets nobody in.
        """
        path = saved(self, b"# people\n\n  CN=alice  \nCN=carol\n")
        server = self.server(ca_certs="CA", allow=f"file:{path}")
        self.assertTrue(self.handshake(server, pair=ALICE).complete)
        self.assertRefused(self.handshake(server, pair=BOB), Reason.NOT_ALLOWED)
        self.assertIn(path, server.files)
        for nobody in (b"", b"# nobody\n"):
            server = self.server(ca_certs="CA", allow=f"file:{saved(self, nobody)}")
            self.assertRefused(self.handshake(server, pair=ALICE), Reason.NOT_ALLOWED)

    def test_badRules(self) -> None:
        """
        A rule that cannot be read is an error, with the line where it is in a file.
        """
        path = saved(self, b"CN=alice\nalice\n")
        for text, part in {
            "alice": "expected conditions",
            f"file:{path}": f"{path} line 2: expected conditions",
            "file:/nowhere": "cannot be read",
            f"file:{saved(self, bytes([0xFF]))}": "not UTF-8",
        }.items():
            error = self.refused(ca_certs="CA", allow=text)
            self.assertEqual((error.option, error.source), ("ssl-allow", "test"))
            self.assertIn(part, error.problem)

    def test_nobodyToAllow(self) -> None:
        """
        Rules where no certificate is asked for, or nobody is believed about one, are an error; so are
        revocation lists.
        """
        self.assertEqual(self.refused(allow="CN=a").option, "ssl-allow")
        error = self.refused(allow="CN=a", ca_certs="CA", client_verify_mode="none")
        self.assertEqual(error.option, "ssl-allow")
        crl = saved(self, AUTHORITY.revocations().public_bytes(Encoding.PEM))
        self.assertEqual(self.refused(crl=crl).option, "ssl-crl")
        self.assertEqual(self.refused(verify_flags="CRL_CHECK_LEAF").option, "ssl-verify-flags")
        error = self.refused(client_verify_mode="required")
        self.assertEqual(error.option, "ssl-client-verify-mode")
        self.assertFalse(self.server(verify_flags="X509_STRICT").asked)

    def test_unreadable(self) -> None:
        """
        Whose certificate does not say who they are, is refused also where there are no rules.
        """
        strange = person(AUTHORITY, "CN=alice", san=b"\x30\x02\xa3\x00")
        self.people[id(strange)] = saved(self, strange)
        for rules in ({}, {"allow": "CN=alice"}):
            self.assertRefused(
                self.handshake(self.server(ca_certs="CA", **rules), pair=strange), Reason.OTHER
            )

    def test_policy(self) -> None:
        """
        Nobody is asked for a certificate unless somebody is believed about it.
        """
        policy = ClientPolicy.of(self.options())
        self.assertEqual((policy.mode, policy.rules, policy.verifier()), (SSL.VERIFY_NONE, None, None))
        policy = ClientPolicy.of(self.options(ca_certs="CA", client_verify_mode="none"))
        self.assertEqual((policy.mode, policy.anchors.certificates), (SSL.VERIFY_NONE, ()))


class RevocationTests(ServerContextsCase):
    """
    Revocation lists.
    """

    def crl(self, *revoked: x509.Certificate, authority: Authority = AUTHORITY, **changes: Any) -> str:
        """
        The path of a list.
        """
        return saved(self, authority.revocations(*revoked, **changes).public_bytes(Encoding.PEM))

    def test_revoked(self) -> None:
        """
        Who is on a list is refused, and nobody else; the list may be in a directory, in PEM or DER.
        """
        revoked = AUTHORITY.revocations(BOB.certificate)
        pem = saved(self, revoked.public_bytes(Encoding.PEM))
        der = saved(self, revoked.public_bytes(Encoding.DER), "list.crl")
        for path in (pem, der, os.path.dirname(der)):
            server = self.server(ca_certs="CA", crl=path)
            self.assertTrue(self.handshake(server, pair=ALICE).complete)
            self.assertRefused(self.handshake(server, pair=BOB), Reason.REVOKED)
            self.assertIn(path, server.files)

    def test_bad(self) -> None:
        """
        A list of another authority, of another day, or with another's signature proves nothing, and who
        should be on it or not is refused.
        """
        now = datetime.now(timezone.utc)
        forged = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(AUTHORITY.certificate.subject)
            .last_update(now - timedelta(days=1))
            .next_update(now + timedelta(days=1))
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        )
        old = now - timedelta(days=1)
        for path, reason in (
            (self.crl(nextUpdate=old), Reason.STALE_REVOCATION_LIST),
            (self.crl(authority=OTHERS), Reason.NO_REVOCATION_LIST),
            (saved(self, forged.public_bytes(Encoding.PEM)), Reason.BAD_REVOCATION_LIST),
        ):
            seen = self.handshake(self.server(ca_certs="CA", crl=path), pair=ALICE)
            self.assertRefused(seen, reason)
            refusal = refusalOf(seen.server.connection)
            assert refusal is not None
            self.assertIn("revocation list of", refusal.sentence())


class NamesTests(ServerContextsCase):
    """
    What differs by the name that a client asks for.
    """

    def test_shown(self) -> None:
        """
        What was said for a name comes before the names of certificates, and a name before a wildcard; who
        asks for an unknown name, or for none, gets the default if there is one, or else the first.
        """
        for versions in VERSIONS:
            server = self.server(
                cert=("FIRST", "THIRD"),
                sni=("b.test,ssl-cert=SECOND", "*.a.test,ssl-cert=SECOND", "*.c.test,ssl-cert=FIRST"),
            )
            for name, pair in {
                "a.test": FIRST,
                "b.test": SECOND,
                "B.TEST.": SECOND,
                "www.a.test": SECOND,
                "x.c.test": FIRST,
                "d.test": THIRD,
                "e.test": FIRST,
                "x.y.a.test": FIRST,
                None: FIRST,
            }.items():
                self.assertShown(server, name, pair, protocol=versions)
            server = self.server(sni="default,ssl-cert=SECOND")
            for name, pair in {"a.test": FIRST, "b.test": SECOND, "e.test": SECOND, None: SECOND}.items():
                self.assertShown(server, name, pair, protocol=versions)

    def test_policies(self) -> None:
        """
        Each name has its own CAs, rules and mode (trap 2), whichever the connection began with, on either
        version.
        """
        said = {
            "ca_certs": "CA",
            "allow": "CN=alice",
            "sni": (
                "b.test,ssl-cert=SECOND,ssl-ca-certs=OTHERS",
                "open.test,ssl-client-verify-mode=none",
                "may.test,ssl-client-verify-mode=optional",
                "bob.test,ssl-allow=(CN=bob)",
            ),
        }
        for versions in VERSIONS:
            for extra in ((), ("default,ssl-client-verify-mode=none",), ("default,ssl-allow=CN=bob",)):
                server = self.server(**{**said, "sni": (*said["sni"], *extra)})
                for name, good, bad in (
                    ("a.test", (ALICE,), ((None, None), (BOB, Reason.NOT_ALLOWED), (EVE, Reason.UNKNOWN_CA))),
                    ("b.test", (EVE,), ((None, None), (ALICE, Reason.UNKNOWN_CA))),
                    ("open.test", (None, BOB, EVE), ()),
                    ("may.test", (None, ALICE), ((BOB, Reason.NOT_ALLOWED), (EVE, Reason.UNKNOWN_CA))),
                    ("bob.test", (BOB,), ((None, None), (ALICE, Reason.NOT_ALLOWED))),
                ):
                    for pair in good:
                        seen = self.handshake(server, name, pair, protocol=versions)
                        self.assertTrue(seen.complete, (name, extra))
                    for pair, reason in bad:
                        self.assertRefused(self.handshake(server, name, pair, protocol=versions), reason)
                self.assertTrue(server.asked and server.required)

    def test_lists(self) -> None:
        """
        A name may have revocation lists and flags of its own; those of all hold for it where it has none.
        """
        revoked = saved(self, AUTHORITY.revocations(BOB.certificate).public_bytes(Encoding.PEM))
        nobody = saved(self, AUTHORITY.revocations().public_bytes(Encoding.PEM))
        lax = Authority("lax", withKeyUsage=False)
        self.paths["CA"] = saved(self, lax.pem + AUTHORITY.pem)
        carol = person(lax, "CN=carol")
        self.people[id(carol)] = saved(self, carol)
        for versions in VERSIONS:
            server = self.server(
                ca_certs="CA", sni=(f"b.test,ssl-crl={revoked}", "c.test,ssl-verify-flags=X509_STRICT")
            )
            self.assertTrue(self.handshake(server, "a.test", BOB, protocol=versions).complete)
            self.assertRefused(self.handshake(server, "b.test", BOB, protocol=versions), Reason.REVOKED)
            self.assertTrue(self.handshake(server, "b.test", ALICE, protocol=versions).complete)
            self.assertRefused(
                self.handshake(server, "b.test", carol, protocol=versions), Reason.NO_REVOCATION_LIST
            )
            self.assertTrue(self.handshake(server, "a.test", carol, protocol=versions).complete)
            self.assertRefused(self.handshake(server, "c.test", carol, protocol=versions), Reason.STRICT)
            server = self.server(ca_certs="CA", crl=revoked, sni=("b.test", f"c.test,ssl-crl={nobody}"))
            for name, good in (("a.test", False), ("b.test", False), ("c.test", True)):
                self.assertIs(self.handshake(server, name, BOB, protocol=versions).complete, good)

    def test_default(self) -> None:
        """
        Who asks for no name gets what was said for the default, and nothing laxer.
        """
        for versions in VERSIONS:
            server = self.server(sni="default,ssl-ca-certs=CA")
            for name in ("e.test", None):
                self.assertRefused(self.handshake(server, name, protocol=versions))
                self.assertTrue(self.handshake(server, name, ALICE, protocol=versions).complete)
            self.assertTrue(self.handshake(server, "a.test", protocol=versions).complete)

    def test_namesOfCAs(self) -> None:
        """
        A client is told the CAs of the name that it asks for, and no others.
        """
        server = self.server(ca_certs="CA", sni="b.test,ssl-ca-certs=OTHERS")
        for name, authority in (("a.test", AUTHORITY), ("b.test", OTHERS)):
            seen = self.handshake(server, name, ALICE)
            told = [each.der() for each in seen.client.connection.get_client_ca_list()]
            self.assertEqual(told, [authority.certificate.subject.public_bytes()])

    def test_tickets(self) -> None:
        """
        Where any name asks for certificates, no session can be resumed under any name: a ticket is opened
        with the keys of the first context, and would lead from a lax name to a strict one.
        """
        for versions in VERSIONS:
            for sni in (("b.test,ssl-ca-certs=CA",), ("b.test,ssl-ca-certs=CA", "default")):
                server = self.server(sni=sni)
                first = self.handshake(server, "a.test", protocol=versions)
                self.assertTrue(first.complete)
                again = self.again(server, first, "b.test")
                self.assertFalse(again.resumed)
                self.assertRefused(again)
                again = self.again(server, first, "a.test")
                self.assertFalse(again.resumed)
                self.assertTrue(again.complete)

    def test_resumed(self) -> None:
        """
        Where no name asks for certificates, sessions are resumed.
        """
        for versions in VERSIONS:
            server = self.server(sni="b.test,ssl-cert=SECOND")
            for name in ("a.test", "b.test"):
                first = self.handshake(server, name, protocol=versions)
                self.assertTrue(self.again(server, first, name).resumed)

    def test_changedMind(self) -> None:
        """
        A client that is asked to say hello once more (HelloRetryRequest, RFC 8446, section 4.1.4) may say
        another name then: that one is what counts, in all.
        """
        binding: Any = SSL
        server = self.server(sni="b.test,ssl-cert=SECOND,ssl-ca-certs=CA")
        for first, second, complete in (("a.test", "b.test", False), ("b.test", "a.test", True)):
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            # of these only the second is known to the server, and only of the first there is a share
            groups = b"brainpoolP256r1tls13:X25519"
            if binding._lib.SSL_CTX_set1_curves_list(context._context, groups) != 1:
                raise SkipTest("OpenSSL does not know the group")
            client, other = SSL.Connection(context, None), server.begin()
            client.set_connect_state()
            other.set_accept_state()
            client.set_tlsext_host_name(first.encode())
            ends = End("client", client), End("server", other)
            other.bio_write(ends[0].step())
            client.bio_write(ends[1].step())
            client.set_tlsext_host_name(second.encode())
            seen = Handshake(*ends)
            seen.run()
            self.assertIs(seen.complete, complete)
            self.assertEqual(other.get_servername(), second.encode())
            if not complete:
                self.assertRefused(seen)

    def test_failure(self) -> None:
        """
        As long as it is not decided by which policy, nobody is let in: not even if deciding fails.
        """
        server = self.server(sni="b.test,ssl-ca-certs=CA")
        server.context.set_tlsext_servername_callback(lambda connection: None)
        for name, pair in (("a.test", None), ("a.test", ALICE), ("b.test", ALICE)):
            seen = self.handshake(server, name, pair)
            self.assertFalse(seen.complete)
            self.assertEqual(seen.server.received, b"")

    def test_onlyDefault(self) -> None:
        """
        A server whose default has a certificate needs no other.
        """
        server = serverContexts(self.options(sni=("default,ssl-cert=SECOND", "a.test,ssl-cert=FIRST")), ())
        self.assertShown(server, "e.test", SECOND)
        self.assertShown(server, "a.test", FIRST)
        error = self.assertRaises(OptionError, serverContexts, self.options(sni="a.test,ssl-cert=FIRST"), ())
        self.assertEqual(error.option, "ssl-cert")

    def test_warning(self) -> None:
        """
        Where one name requires certificates and another does not, a warning says which.
        """
        log = recordLogs(self)
        self.server(ca_certs="CA", sni=("b.test,ssl-client-verify-mode=none", "default")).warn()
        self.server(sni=("b.test,ssl-ca-certs=CA", "default,ssl-ca-certs=CA")).warn()
        self.assertIn("they ask for b.test, and", log.lines()[0])
        self.assertIn("for other names, unknown names or none, who need one", log.lines()[0])
        self.assertIn("they ask for other names, and", log.lines()[1])
        for said in ({}, {"ca_certs": "CA", "sni": "b.test"}, {"sni": "b.test"}):
            self.server(**said).warn()
        self.assertEqual(len(log), 2)

    def test_made(self) -> None:
        """
        All certificates, CAs and files are known, each once.
        """
        server = self.server(ca_certs="CA", sni=("b.test,ssl-cert=SECOND,ssl-ca-certs=OTHERS", "c.test"))
        self.assertEqual([pair.certificate for pair in server.pairs], [FIRST.certificate, SECOND.certificate])
        self.assertEqual(server.anchors.certificates, (AUTHORITY.certificate, OTHERS.certificate))
        self.assertEqual(set(server.files), {self.paths[key] for key in ("FIRST", "SECOND", "CA", "OTHERS")})
        self.assertEqual(len(server.files), 4)

    def test_badNames(self) -> None:
        """
        What is no name, is an address, or is there twice, is an error.
        """
        for name in ("a..b", "127.0.0.1", "::1", "*", "*.", "a.*.b", "b test"):
            error = self.refused(sni=f"{name},ssl-cert=SECOND")
            self.assertEqual((error.option, error.source), ("ssl-sni", "test"))
        error = self.refused(sni=("b.test", "B.test."))
        self.assertIn("twice", error.problem)
        self.assertShown(self.server(sni="bücher.test,ssl-cert=SECOND"), "xn--bcher-kva.test", SECOND)

    def test_sources(self) -> None:
        """
        An error in what was said for a name says so.
        """
        error = self.refused(sni="b.test,ssl-cert=/nowhere")
        self.assertEqual((error.option, error.source), ("ssl-cert", "ssl-sni=b.test, test"))
        error = self.refused(sni="b.test,ssl-client-verify-mode=required")
        self.assertEqual(error.option, "ssl-client-verify-mode")
