"""
The options of TLS.
"""

from __future__ import annotations

import os
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.test_values import DER, PEM
from xtls.config import options
from xtls.config.options import (
    OPTIONS,
    PASSPHRASE_VARIABLES,
    TLS_OPTIONS,
    VERIFY_FLAGS,
    Layer,
    Side,
    TLSOptions,
    TLSVersion,
    TLSVersions,
    VerifyMode,
    resolve,
)
from xtls.errors import OptionError


def said(**values: str | tuple[str, ...]) -> TLSOptions:
    """
    The options after something was said, with C{_} for C{-} in names.
    """
    return resolve(TLSOptions, Layer("test", {f"ssl-{k.replace('_', '-')}": v for k, v in values.items()}))


class VocabularyTests(SynchronousTestCase):
    """
    Each option has the name that the page gives it, and reads the page's words.
    """

    def test_names(self) -> None:
        """
        The whole vocabulary is there, and nothing else begins so.
        """
        names = """
        cert key key-password ca-certs ca-data pin crl client-verify-mode allow server-verify-mode
        verify-flags check-hostname server-hostname protocol ciphers options sni
        """
        self.assertEqual(list(OPTIONS), [f"ssl-{name}" for name in names.split()])

    def test_sides(self) -> None:
        """
        What only one side can do is for that side only.
        """
        sides = {each.attribute: each.side for each in OPTIONS.values() if each.side is not Side.BOTH}
        self.assertEqual(
            sides,
            {
                "pin": Side.CLIENT,
                "clientVerifyMode": Side.SERVER,
                "allow": Side.SERVER,
                "sni": Side.SERVER,
                "serverVerifyMode": Side.CLIENT,
                "checkHostname": Side.CLIENT,
                "serverHostname": Side.CLIENT,
            },
        )

    def test_stock(self) -> None:
        """
        Twisted's keywords have the options that mean the same.
        """
        stock = {each.stock: each.attribute for each in OPTIONS.values() if each.stock}
        self.assertEqual(
            stock,
            {"certKey": "cert", "privateKey": "key", "caCertsDir": "caCerts", "hostname": "serverHostname"},
        )

    def test_defaults(self) -> None:
        """
        Unless told otherwise everything is verified, with the system's CAs, by TLS 1.2 and 1.3.
        """
        nothing = TLSOptions()
        self.assertEqual(
            (nothing.serverVerifyMode, nothing.checkHostname, nothing.caCerts, nothing.protocol),
            (VerifyMode.REQUIRED, True, "default", TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_3)),
        )
        self.assertIs(nothing.clientVerifyMode, None)

    def test_explained(self) -> None:
        """
        Every option has a help, a group and a word for its value.
        """
        for each in OPTIONS.values():
            self.assertTrue(each.help and each.group and each.metavar, each.name)

    def test_pythonNames(self) -> None:
        """
        The names of flags and options are those of Python's ssl, as far as this Python has them.
        """
        theirs = {name for name in dir(ssl) if name.startswith("VERIFY_")}
        self.assertEqual(VERIFY_FLAGS & {name[7:] for name in theirs}, {name[7:] for name in theirs})
        self.assertEqual({f"OP_{name}" for name in TLS_OPTIONS} - set(dir(ssl)) - {"OP_ENABLE_KTLS"}, set())

    def test_openSSLNumbers(self) -> None:
        """
        Versions are numbered as on the wire, which is what OpenSSL takes.
        """
        self.assertEqual(list(TLSVersion), [int(ssl.TLSVersion.TLSv1_2), int(ssl.TLSVersion.TLSv1_3)])

    def test_offered(self) -> None:
        """
        What other modules need of the definitions is offered here too.
        """
        for name in options.__all__:
            self.assertTrue(hasattr(options, name), name)


class ValueTests(SynchronousTestCase):
    """
    What each option reads.
    """

    def test_certificates(self) -> None:
        """
        There may be several certificates; a later place replaces them all.
        """
        self.assertEqual(said(cert=("a.pem", "b.pem"), key="k").cert, ("a.pem", "b.pem"))
        both = resolve(TLSOptions, Layer("1", {"ssl-cert": ("a", "b")}), Layer("2", {"ssl-cert": "auto"}))
        self.assertEqual(both.cert, ("auto",))

    def test_authorities(self) -> None:
        """
        CAs are a path or data; the page's singular is understood.
        """
        self.assertEqual(said(ca_cert="./cert.pem").caCerts, "./cert.pem")
        self.assertEqual(said(ca_data="0x" + DER.hex()).caData, DER)
        self.assertEqual(said(ca_data=PEM.decode()).caData, PEM)

    def test_empty(self) -> None:
        """
        An empty path, name or certificate is an error: it was meant to be something.
        """
        for name in ("cert", "key", "ca_certs", "ca_data", "server_hostname"):
            self.assertRaises(OptionError, said, **{name: ""})

    def test_modes(self) -> None:
        """
        The modes are words; the server's can be left to decide by itself again.
        """
        modes = said(client_verify_mode="Optional", server_verify_mode="none")
        self.assertEqual(
            (modes.clientVerifyMode, modes.serverVerifyMode), (VerifyMode.OPTIONAL, VerifyMode.NONE)
        )
        automatic = said(client_verify_mode="auto")
        self.assertEqual((automatic.clientVerifyMode, automatic.given("clientVerifyMode")), (None, True))
        error = self.assertRaises(OptionError, said, server_verify_mode="nine")
        self.assertEqual((error.option, error.source), ("ssl-server-verify-mode", "test"))
        self.assertEqual(error.problem, "expected one of none, optional, required, not 'nine'")

    def test_flags(self) -> None:
        """
        Flags and options are Python's names, with or without their prefix.
        """
        self.assertEqual(
            said(verify_flags="VERIFY_X509_STRICT,crl_check_leaf").verifyFlags,
            ("X509_STRICT", "CRL_CHECK_LEAF"),
        )
        self.assertEqual(said(options="ALL,NO_COMPRESSION").options, ("ALL", "NO_COMPRESSION"))

    def test_weakening(self) -> None:
        """
        An option that weakens is refused with the reason; an unknown one with those that there are.
        """
        for name in ("LEGACY_SERVER_CONNECT", "OP_IGNORE_UNEXPECTED_EOF"):
            self.assertIn("RFC", self.assertRaises(OptionError, said, options=name).problem)
        self.assertIn("NO_TICKET", self.assertRaises(OptionError, said, options="NO_TICKETS").problem)

    def test_versions(self) -> None:
        """
        The versions spoken are those of the protocol, less those that an option takes away.
        """
        only12 = TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2)
        only13 = TLSVersions(TLSVersion.TLS1_3, TLSVersion.TLS1_3)
        self.assertEqual(said().versions(), TLSVersions())
        self.assertEqual(said(protocol="TLSv1_2").versions(), only12)
        self.assertEqual(said(options="NO_TLSv1_3").versions(), only12)
        self.assertEqual(said(options="NO_TLSv1_2,NO_SSLv3").versions(), only13)
        for nothing in (
            said(options="NO_TLSv1_2,NO_TLSv1_3"),
            said(options="NO_TLSv1_3", protocol="TLSv1_3"),
        ):
            error = self.assertRaises(OptionError, nothing.versions)
            self.assertEqual((error.option, error.source), ("ssl-options", "test"))

    def test_written(self) -> None:
        """
        Everything that can be said is written so that it is read as the same again.
        """
        full = said(
            cert=("a.pem", "b,c.pem"),
            key="k:1",
            key_password="file:p",
            ca_certs="auto",
            ca_data=PEM.decode(),
            client_verify_mode="auto",
            server_verify_mode="none",
            verify_flags="X509_STRICT,DEFAULT",
            check_hostname="off",
            server_hostname="::1",
            protocol="tls1.3",
            ciphers="ECDHE+AESGCM",
            options="NO_TICKET",
            pin="sha256:" + "0" * 64,
            crl=("a.crl", "/lists"),
            allow=("(CN=a,OU=b)", "file:rules"),
            sni=("b.test,ssl-cert=b.pem,ssl-allow=(CN=a,OU=b)", "default,ssl-cert=c.pem"),
        )
        layer = full.layer("copy")
        self.assertEqual(list(layer.values), list(OPTIONS))
        self.assertEqual(resolve(TLSOptions, layer), full)
        self.assertEqual(layer.values["ssl-client-verify-mode"], "auto")
        optional = said(client_verify_mode="optional")
        self.assertEqual(resolve(TLSOptions, optional.layer("copy")), optional)


class NamedTests(SynchronousTestCase):
    """
    Options for those who ask for one name.
    """

    def forName(self, text: str, **values: str | tuple[str, ...]) -> TLSOptions:
        """
        What holds for a name, where there are these options for all.
        """
        options = said(sni=text, **values)
        return options.forName(options.sni[0])

    def test_rules(self) -> None:
        """
        A rule is kept as text, without the parentheses around it; several may be in one text.
        """
        for text in (("(CN=a,OU=b)", "CN=c"), "(CN=a,OU=b),(CN=c)", ("CN=a,OU=b", "CN=c")):
            self.assertEqual(said(allow=text).allow, ("CN=a,OU=b", "CN=c"))
        self.assertEqual(
            said(sni="(a.test,ssl-cert=b),(c.test)").sni, said(sni=("a.test,ssl-cert=b", "c.test")).sni
        )
        for text in ("", "()", "(CN=a", "(CN=a),CN=b"):
            error = self.assertRaises(OptionError, said, allow=text)
            self.assertEqual(error.option, "ssl-allow")

    def test_inherited(self) -> None:
        """
        What is not said for a name is as it is for all.
        """
        one = self.forName("b.test,ssl-cert=b.pem", cert="a.pem", ca_certs="ca", allow="CN=a", crl="l")
        self.assertEqual((one.cert, one.caCerts, one.allow, one.crl), (("b.pem",), "ca", ("CN=a",), ("l",)))
        self.assertEqual((one.sni, one.clientVerifyMode), ((), None))

    def test_key(self) -> None:
        """
        Another certificate has another key.
        """
        self.assertEqual(self.forName("b.test,ssl-cert=b.pem", cert="a.pem", key="a.key").key, "")
        self.assertEqual(self.forName("b.test,ssl-cert=b,ssl-key=c", cert="a.pem", key="a.key").key, "c")
        self.assertEqual(self.forName("b.test", cert="a.pem", key="a.key").key, "a.key")

    def test_authorities(self) -> None:
        """
        Who names other CAs, does not believe those for all besides.
        """
        data = "0x" + DER.hex()
        one = self.forName("b.test,ssl-ca-cert=ca", ca_data=data)
        self.assertEqual((one.caCerts, one.caData, one.given("caData")), ("ca", b"", False))
        one = self.forName(f"b.test,ssl-ca-data={data}", ca_certs="ca")
        self.assertEqual((one.caCerts, one.caData, one.given("caCerts")), ("default", DER, False))

    def test_modes(self) -> None:
        """
        Who names CAs or rules means them, even where nobody else is asked for a certificate; who says that
        nobody is asked, needs no rules.
        """
        for text in ("ssl-ca-certs=ca", "ssl-allow=CN=a"):
            self.assertIsNone(self.forName(f"b.test,{text}", client_verify_mode="none").clientVerifyMode)
            one = self.forName(f"b.test,{text}", client_verify_mode="optional")
            self.assertIs(one.clientVerifyMode, VerifyMode.OPTIONAL)
        one = self.forName("b.test,ssl-client-verify-mode=none", ca_certs="ca", allow="CN=a", crl="l")
        self.assertEqual((one.clientVerifyMode, one.allow, one.crl), (VerifyMode.NONE, (), ()))
        one = self.forName("b.test,ssl-client-verify-mode=none,ssl-allow=CN=a")
        self.assertEqual(one.allow, ("CN=a",))

    def test_sources(self) -> None:
        """
        Where something was said is known: for the name, or for all.
        """
        one = self.forName("b.test,ssl-cert=b.pem", cert="a.pem", ca_certs="ca")
        self.assertEqual(one.source("cert"), "ssl-sni=b.test, test")
        self.assertEqual((one.source("caCerts"), one.source("key")), ("test", "default"))

    def test_refused(self) -> None:
        """
        What no name can have of its own is an error, and so is what cannot be read; secrets are not shown.
        """
        for text, part in {
            "b.test,ssl-protocol=TLS": "ssl-protocol",
            "b.test,ssl-sni=c.test": "ssl-sni",
            "b.test,ssl-pin=x": "ssl-pin",
            "b.test,cert=x": "cert",
            "b.test,ssl-client-verify-mode=x": "ssl-client-verify-mode of b.test",
            "": "a name first",
        }.items():
            error = self.assertRaises(OptionError, said, sni=text)
            self.assertEqual(error.option, "ssl-sni")
            self.assertIn(part, error.problem)
        self.assertNotIn("hush", repr(said(sni="b.test,ssl-key-password=hush")))


class PassphraseTests(SynchronousTestCase):
    """
    L{TLSOptions.readKeyPassword}.
    """

    def test_option(self) -> None:
        """
        What the option says is read from where it says.
        """
        self.assertEqual(said(key_password="hush").readKeyPassword({}), "hush")
        self.assertEqual(said(key_password="env:P").readKeyPassword({"P": "hush"}), "hush")

    def test_environment(self) -> None:
        """
        Where it says nothing the environment may: our variable, or xpra's.
        """
        ours, theirs = PASSPHRASE_VARIABLES
        self.assertEqual(said().readKeyPassword({ours: "a", theirs: "b"}), "a")
        self.assertEqual(said().readKeyPassword({theirs: "b"}), "b")
        self.assertEqual(said().readKeyPassword({}), "")

    def test_processEnvironment(self) -> None:
        """
        By default the environment is the process's.
        """
        self.patch(os, "environ", {PASSPHRASE_VARIABLES[0]: "hush"})
        self.assertEqual(said().readKeyPassword(), "hush")

    def test_unreadable(self) -> None:
        """
        A place that is not there is an error of the option.
        """
        error = self.assertRaises(OptionError, said(key_password="env:P").readKeyPassword, {})
        self.assertEqual((error.option, error.source), ("ssl-key-password", "test"))

    def test_neverShown(self) -> None:
        """
        The passphrase is not in what is shown of the options.
        """
        self.assertNotIn("hush", repr(said(key_password="hush")))
