"""
What C{xtls cert} makes, as others see it: OpenSSL, which is told to keep to RFC 5280 to the letter, Python's
own TLS, NSS; and what it does when it is called many times at once.
"""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

from tests.support.backends import lines
from tests.support.interop import InteropCase
from tests.support.programs import DEADLINE, Port, environment, find, readAll

#: Keys of each algorithm that there is to choose.
KINDS = ("p256", "rsa-2048", "ed25519")

#: What OpenSSL is asked: to the letter, also whether anything was revoked.
STRICT = "openssl verify -x509_strict -CAfile"


class CertCase(InteropCase):
    """
    A CA, made by the command.

    @ivar ca: its folder.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ca = self.folder / ".config" / "xtls" / "ca"
        self.authority, self.list = self.ca / "ca-cert.pem", self.ca / "crl.pem"
        self.cert("ca")
        self.write("hush", b"open sesame\n")

    def cert(self, *words: str) -> str:
        """
        Run C{xtls cert}.

        @return: what it says.
        """
        return self.succeed("xtls cert", *words).text

    def assertStrict(self, name: str, purpose: str, *, authority: Path | None = None) -> None:
        """
        OpenSSL verifies a certificate and its revocation, all along the chain.
        """
        ca = authority or self.authority
        lists = self.ca / "crl.pem" if authority is None else authority.with_name("crl.pem")
        self.succeed(f"{STRICT} {ca} -purpose {purpose} -crl_check_all -CRLfile {lists}", name)

    def assertRevoked(self, name: str) -> None:
        """
        OpenSSL finds that a certificate was revoked.
        """
        done = self.do(f"{STRICT} {self.authority} -crl_check_all -CRLfile {self.list}", name)
        self.assertNotEqual(done.status, 0)
        self.assertIn("certificate revoked", done.text)


class StrictTests(CertCase):
    """
    OpenSSL's C{-x509_strict}.
    """

    def test_selfSigned(self) -> None:
        """
        A self-signed certificate is good by itself, for a server and for nothing else; so it is when it was
        renewed.
        """
        for kind in KINDS:
            self.cert("self-signed", f"--out={kind}.pem", "--name=localhost", f"--key={kind}")
            command = f"{STRICT} {kind}.pem -purpose"
            self.succeed(f"{command} sslserver -verify_hostname localhost {kind}.pem")
            self.assertNotEqual(self.do(f"{command} sslclient {kind}.pem").status, 0)
            self.cert("renew", f"{kind}.pem")
            self.succeed(f"{command} sslserver -verify_hostname localhost {kind}.pem")

    def test_issued(self) -> None:
        """
        A CA with a key of any kind is good, and so is what it issues, each for its use alone; and again when
        they were renewed.
        """
        for kind in KINDS:
            where = f"--ca=ca-{kind}"
            authority = self.folder / f"ca-{kind}" / "ca-cert.pem"
            self.cert("ca", where, f"--key={kind}")
            self.cert("server", "localhost", "127.0.0.1", "*.a.test", where, f"--out=server-{kind}.pem")
            self.cert("client", "Älice B", where, f"--out=client-{kind}.pem", "--unit=ops", "--uri=x:y")
            for use, other in (("server", "client"), ("client", "server")):
                name = f"{use}-{kind}.pem"
                self.assertStrict(name, f"ssl{use}", authority=authority)
                done = self.do(f"{STRICT} {authority} -purpose ssl{other}", name)
                self.assertNotEqual(done.status, 0)
                self.cert("renew", name, where)
                self.assertStrict(name, f"ssl{use}", authority=authority)
            self.cert("renew", str(authority))
            self.assertStrict(name, "sslclient", authority=authority)
            self.succeed(f"{STRICT} {authority} {authority}")

    def test_names(self) -> None:
        """
        OpenSSL finds the names in it, and no others.
        """
        self.cert("server", "a.test", "192.0.2.1", "2001:db8::1", "*.b.test", "--out=names.pem")
        command = f"{STRICT} {self.authority} names.pem"
        for option in (
            "-verify_hostname a.test",
            "-verify_hostname x.b.test",
            "-verify_ip 192.0.2.1",
            "-verify_ip 2001:db8::1",
        ):
            self.succeed(command.replace("names.pem", f"{option} names.pem"))
        for option in ("-verify_hostname c.test", "-verify_hostname x.y.b.test", "-verify_ip 192.0.2.2"):
            self.assertNotEqual(self.do(command.replace("names.pem", f"{option} names.pem")).status, 0)

    def test_keys(self) -> None:
        """
        The key in each file belongs to the certificate, and stays when that is renewed.
        """
        self.cert("server", "a.test")
        self.cert("client", "alice")
        for name in ("a.test.pem", "alice.pem"):
            before = self.succeed("openssl x509 -noout -pubkey -in", name).output
            self.cert("renew", name)
            self.assertEqual(self.succeed("openssl x509 -noout -pubkey -in", name).output, before)
            self.assertEqual(self.succeed("openssl pkey -pubout -in", name).output, before)

    def test_revoked(self) -> None:
        """
        What was revoked is refused, and all that it was renewed from; the rest is not.  The list is signed by
        the CA, has a number that grows, and reasons.
        """
        self.cert("client", "alice")
        self.cert("client", "bob")
        self.assertStrict("alice.pem", "sslclient")
        self.write("older.pem", (self.folder / "alice.pem").read_bytes())
        self.cert("renew", "alice.pem")
        self.cert("revoke", "alice.pem", "--reason=keyCompromise")
        self.assertRevoked("alice.pem")
        self.assertRevoked("older.pem")
        self.assertStrict("bob.pem", "sslclient")
        self.cert("crl", "--out=copy.pem")
        text = self.succeed(f"openssl crl -noout -text -in copy.pem -CAfile {self.authority}").text
        for expected in ("verify OK", "Key Compromise", "X509v3 CRL Number: \n                3"):
            self.assertIn(expected, text)
        self.assertRevoked("alice.pem")


class OpenSSLRecipeTests(CertCase):
    """
    Certificates that were made with C{openssl}, and renewed with ours.
    """

    def test_selfSigned(self) -> None:
        """
        A certificate that C{openssl req} has made, for a name that is in its Common Name alone, is renewed
        into one that is good to the letter, for the same key.
        """
        command = "openssl req -new -x509 -days 365 -nodes -out cert.pem -keyout key.pem -sha256"
        self.succeed(command, given=b"\n\n\n\n\nlocalhost\n\n")
        before = self.succeed("openssl x509 -noout -pubkey -in cert.pem").output
        self.cert("renew", "cert.pem")
        self.assertEqual(self.succeed("openssl x509 -noout -pubkey -in cert.pem").output, before)
        self.succeed(f"{STRICT} cert.pem -verify_hostname localhost cert.pem")
        extension = self.succeed("openssl x509 -noout -ext subjectAltName -in cert.pem").text
        self.assertIn("DNS:localhost", extension)

    def test_authority(self) -> None:
        """
        A CA that was made with C{openssl} goes on as one of ours, from a copy of its two files: it issues and
        revokes, and is good to the letter once it is renewed.
        """
        (self.folder / "own").mkdir()
        self.succeed("openssl genrsa -out own/ca-key.pem 2048")
        command = "openssl req -new -x509 -days 365 -key own/ca-key.pem -out own/ca-cert.pem"
        self.succeed(command, given=b"\n\n\n\n\nExample Internal CA\n\n")
        authority = self.folder / "own" / "ca-cert.pem"
        self.cert("server", "localhost", "--ca=own")
        self.cert("client", "alice", "--ca=own")
        self.succeed(f"openssl verify -CAfile {authority} localhost.pem alice.pem")
        self.cert("renew", str(authority))
        self.cert("revoke", "alice.pem", "--ca=own")
        self.assertStrict("localhost.pem", "sslserver", authority=authority)
        done = self.do(f"openssl verify -crl_check -CAfile {authority} -CRLfile own/crl.pem alice.pem")
        self.assertIn("certificate revoked", done.text)


class ArchiveTests(CertCase):
    """
    PKCS #12.
    """

    def test_openssl(self) -> None:
        """
        OpenSSL reads it without asking for old algorithms, whatever the key and the encryption.
        """
        for kind in KINDS:
            for extra in ([], ["--legacy"]):
                self.cert("client", "alice", "--force", f"--key={kind}", "--p12-password=file:hush", *extra)
                done = self.succeed("openssl pkcs12 -in alice.p12 -passin file:hush -nodes -info")
                self.assertEqual(done.text.count("BEGIN CERTIFICATE"), 2)
                self.assertEqual(done.text.count("BEGIN PRIVATE KEY"), 1)
                self.assertIn("3DES" if extra else "AES-256-CBC", done.text.replace("TripleDES", "3DES"))
        self.assertNotEqual(self.do("openssl pkcs12 -in alice.p12 -passin pass:wrong -nodes").status, 0)

    def test_nss(self) -> None:
        """
        NSS takes certificate and key into its database, and finds them good for a client when it believes the
        CA.
        """
        (self.folder / "nss").mkdir()
        self.succeed("certutil -d sql:nss -N --empty-password")
        self.succeed(f"certutil -d sql:nss -A -n ca -t T,, -i {self.authority}")
        for name, extra in (("alice", []), ("bob", ["--legacy"])):
            self.cert("client", name, "--p12-password=file:hush", *extra)
            self.succeed(f"pk12util -d sql:nss -i {name}.p12 -w hush -K", "")
            self.assertIn("valid", self.succeed(f"certutil -d sql:nss -V -n {name} -u C").text)
        keys = self.succeed("certutil -d sql:nss -K").text
        self.assertEqual(len(re.findall("alice|bob", keys)), 2)

    def test_shownPassphrase(self) -> None:
        """
        The passphrase that is made up and shown opens it.
        """
        found = re.search("shown this once: (.*)", self.cert("client", "alice"))
        assert found is not None
        self.succeed(f"openssl pkcs12 -in alice.p12 -passin pass:{found[1]} -nodes -noout")


class ConnectionTests(CertCase):
    """
    A port and its clients, with nothing else than what the commands have made.
    """

    def strictContext(self) -> ssl.SSLContext:
        """
        Python's client, to the letter.
        """
        context = ssl.create_default_context(cafile=str(self.authority))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        return context

    def said(self, port: int, context: ssl.SSLContext) -> bytes:
        """
        Talk to the service.
        """
        connection = self.secure(port, context)
        connection.sendall(b"hello\nbye\n")
        with connection:
            return readAll(connection)

    def listening(self, *options: str) -> Port:
        """
        A port that lets in who has a certificate from the CA that was not revoked.
        """
        return self.port(
            "--bind-ssl=127.0.0.1:0",
            "--ssl-cert=localhost.pem",
            f"--ssl-ca-certs={self.authority}",
            f"--ssl-crl={self.list}",
            self.forward(lines),
            *options,
        )

    def test_python(self) -> None:
        """
        Python's client connects with its strictest settings, to a self-signed certificate too, and shows its
        own; without one, it is refused.
        """
        self.cert("server", "localhost")
        self.cert("client", "alice")
        number = self.listening().number("ssl")
        context = self.strictContext()
        self.assertRaises((ssl.SSLError, ConnectionResetError), self.said, number, context)
        context.load_cert_chain(self.folder / "alice.pem")
        self.assertEqual(self.said(number, context), b"heard hello\n")
        self.cert("self-signed", "--out=self.pem", "--name=localhost")
        port = self.port("--bind-ssl=127.0.0.1:0", "--ssl-cert=self.pem", self.forward(lines))
        context = ssl.create_default_context(cafile=str(self.folder / "self.pem"))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        self.assertEqual(self.said(port.number("ssl"), context), b"heard hello\n")

    def test_ours(self) -> None:
        """
        The commands that are shown at the end work: a client with its certificate, until it is revoked.
        """
        self.cert("server", "localhost")
        self.cert("client", "alice")
        self.cert("client", "bob")
        target = f"ssl://localhost:{self.listening().number('ssl')}/"
        believe = f"--ssl-ca-certs={self.authority}"
        for name in ("alice", "bob"):
            done = self.attach(target, f"--ssl-cert={name}.pem", believe, given=b"hello\nbye\n")
            self.assertEqual((done.output, done.status), (b"heard hello\n", 0), done.text)
        self.cert("revoke", "alice.pem")
        target = f"ssl://localhost:{self.listening().number('ssl')}/"
        done = self.attach(target, "--ssl-cert=alice.pem", believe, given=b"hello\nbye\n")
        self.assertEqual(done.output, b"", done.text)
        self.assertNotEqual(done.status, 0)
        done = self.attach(target, "--ssl-cert=bob.pem", believe, given=b"hello\nbye\n")
        self.assertEqual((done.output, done.status), (b"heard hello\n", 0), done.text)

    def test_revokedServer(self) -> None:
        """
        A client that has the list refuses a server whose certificate was revoked.
        """
        self.cert("server", "localhost")
        self.cert("revoke", "localhost.pem")
        port = self.port("--bind-ssl=127.0.0.1:0", "--ssl-cert=localhost.pem", self.forward(lines))
        options = [f"--ssl-ca-certs={self.authority}", f"--ssl-crl={self.list}"]
        done = self.attach(f"ssl://localhost:{port.number('ssl')}/", *options, given=b"hello\nbye\n")
        self.assertEqual((done.output, done.status), (b"", 19), done.text)
        self.assertIn("revoked", done.text)


class AtOnceTests(CertCase):
    """
    Many commands at once.
    """

    def together(self, *commands: list[str]) -> None:
        """
        Run commands at the same time; all succeed.
        """
        variables = environment(self.folder)
        running = [
            subprocess.Popen(
                [find("xtls"), "cert", *words],
                cwd=self.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            for words in commands
        ]
        for each in running:
            self.addCleanup(each.wait)
            self.addCleanup(each.kill)
        self.assertEqual([each.wait(DEADLINE) for each in running], [0] * len(running))

    def test_nothingIsLost(self) -> None:
        """
        Of many who issue and revoke at once, nobody undoes what another did: all is in the register, all that
        was revoked is in the list, and no number was given to two lists.
        """
        names = [f"client{number}" for number in range(6)]
        self.together(*(["client", name] for name in names))
        register = (self.ca / "issued.txt").read_text("ascii")
        for name in names:
            self.assertIn(f"client {name}\n", register)
        self.together(*(["revoke", f"{name}.pem"] for name in names), ["crl"], ["server", "a.test"])
        for name in names:
            self.assertRevoked(f"{name}.pem")
        self.assertStrict("a.test.pem", "sslserver")
        done = self.succeed(f"openssl crl -noout -crlnumber -in {self.list}")
        self.assertEqual(done.text.strip(), "crlNumber=0x08")

    def test_oneAuthority(self) -> None:
        """
        Of two who make one CA at once, one does, and the other is told that there is one.
        """
        variables = environment(self.folder)
        command = [find("xtls"), "cert", "ca", "--ca=another"]
        silent = subprocess.DEVNULL
        running = [
            subprocess.Popen(command, cwd=self.folder, env=variables, stdout=silent, stderr=silent)
            for _ in "ab"
        ]
        self.assertEqual(sorted(each.wait(DEADLINE) for each in running), [0, 2])
        self.cert("server", "a.test", "--ca=another")
        self.assertStrict("a.test.pem", "sslserver", authority=self.folder / "another" / "ca-cert.pem")
