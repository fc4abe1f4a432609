"""
Who a client is, and rules on whom to let in.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tests.support.der import sequence, tlv
from tests.support.making import PROXY, Issuer, unnamed
from tests.support.people import nameOf, person
from xtls.testing.authority import Authority
from xtls.trust.certificates import fingerprint
from xtls.trust.identities import Identity, Rule

AUTHORITY = Authority()

SAN = (
    x509.DNSName("Laptop.Example.com"),
    x509.RFC822Name("Alice@Example.com"),
    x509.UniformResourceIdentifier("spiffe://Example.org/ns/web/sa/alice"),
    x509.DNSName("desk.example.com"),
)

ALICE = person(AUTHORITY, "CN=alice", "OU=ops", "OU=night", "O=Example", san=SAN)


def identity(*rdns: Any, san: Any = ()) -> Identity:
    """
    The identity in a certificate.
    """
    return Identity.of(person(AUTHORITY, *rdns, san=san).certificate)


def names(*values: str) -> Identity:
    """
    That of a certificate with host names, addresses of mail and URIs, told apart by what is in them.
    """
    kinds: dict[str, Any] = {":": x509.UniformResourceIdentifier, "@": x509.RFC822Name}

    def nameFor(value: str) -> x509.GeneralName:
        kind = next((kinds[mark] for mark in kinds if mark in value), x509.DNSName)
        made: x509.GeneralName = kind._init_without_validation(value)
        return made

    return identity("CN=x", san=[nameFor(value) for value in values])


class IdentityTests(SynchronousTestCase):
    """
    What is in a certificate.
    """

    def test_whole(self) -> None:
        """
        Every name is there, as the certificate has it.
        """
        one = Identity.of(ALICE.certificate)
        self.assertEqual(one.subject, "O=Example,OU=night,OU=ops,CN=alice")
        self.assertEqual((one.commonName, one.organizations), ("alice", ("Example",)))
        self.assertEqual(one.organizationalUnits, ("ops", "night"))
        self.assertEqual(one.dnsNames, ("Laptop.Example.com", "desk.example.com"))
        self.assertEqual(one.emails, ("Alice@Example.com",))
        self.assertEqual(one.uris, ("spiffe://Example.org/ns/web/sa/alice",))
        self.assertEqual(one.fingerprint, fingerprint(ALICE.certificate))
        self.assertEqual(one.serial, ALICE.certificate.serial_number)
        self.assertEqual(one.notAfter, ALICE.certificate.not_valid_after_utc)

    def test_nothing(self) -> None:
        """
        What is not there is empty; so is a Common Name of which there are two, in one RDN or in several.
        """
        one = identity()
        self.assertEqual((one.subject, one.commonName, one.dnsNames, one.organizations), ("", "", (), ()))
        self.assertEqual(identity("CN=a", "CN=b").commonName, "")
        self.assertEqual(identity(("CN=a", "CN=b")).commonName, "")
        self.assertEqual(identity(("CN=a", "OU=b")).commonName, "a")
        self.assertEqual(identity("CN=", "OU=").organizationalUnits, ())

    def test_unreadable(self) -> None:
        """
        What cannot be read is an error, and not a certificate with fewer names.
        """
        bad = person(AUTHORITY, "CN=a", san=b"no DER").certificate
        self.assertRaises(ValueError, Identity.of, bad)
        strange = person(AUTHORITY, "CN=a", san=b"\x30\x02\xa3\x00").certificate  # an x400Address
        self.assertRaises(ValueError, Identity.of, strange)
        self.assertRaises(ValueError, Identity.of, unnamed())

    def test_proxy(self) -> None:
        """
        A proxy (RFC 3820) has no Common Name that would count, since its owner chose it.
        """
        owned = x509.load_der_x509_certificate(Issuer.root("alice", proxy=PROXY).der)
        self.assertEqual(Identity.of(owned).commonName, "")
        self.assertFalse(Rule.parse("CN=alice").allows(Identity.of(owned)))

    def test_described(self) -> None:
        """
        The Common Name says it, or else what there is, in this order.
        """
        self.assertEqual(Identity.of(ALICE.certificate).describe(), "CN=alice")
        for one, said in (
            (identity("O=x", san=SAN), "email=Alice@Example.com"),
            (identity("O=x", san=SAN[2:]), "URI=spiffe://Example.org/ns/web/sa/alice"),
            (identity("O=x", san=SAN[3:]), "DNS=desk.example.com"),
            (identity("CN=a", "CN=b"), 'subject="CN=b,CN=a"'),
        ):
            self.assertEqual(one.describe(), said)
        self.assertTrue(identity().describe().startswith("fingerprint=SHA256:"))

    def test_notForged(self) -> None:
        """
        A name that would be taken for something else stands in quotes; nothing in it is obeyed; it is short.
        """
        for name, said in {
            "alice as CN=bob": 'CN="alice as CN=bob"',
            'a"b\\c': r'CN="a\"b\\c"',
            "a\nb": r'CN="a\x0ab"',
            "\x1b[2J": r'CN="\x1b[2J"',
            "a\0b": r'CN="a\x00b"',
            "a\u202eb": r'CN="a\x202eb"',
            "Bärbel": "CN=Bärbel",
        }.items():
            self.assertEqual(identity(f"CN={name}").describe(), said)
        self.assertLess(len(identity("CN=" + "x" * 5000).describe()), 80)

    def test_environment(self) -> None:
        """
        All of it is there for programs, numbered where there may be several, and without what a program could
        not be given.
        """
        said = Identity.of(ALICE.certificate).environment()
        self.assertEqual(said["XTLS_CLIENT_CN"], "alice")
        self.assertEqual((said["XTLS_CLIENT_OU_0"], said["XTLS_CLIENT_OU_1"]), ("ops", "night"))
        self.assertEqual(said["XTLS_CLIENT_DNS_1"], "desk.example.com")
        self.assertEqual(said["XTLS_CLIENT_EMAIL_0"], "Alice@Example.com")
        self.assertEqual(said["XTLS_CLIENT_URI_0"], "spiffe://Example.org/ns/web/sa/alice")
        self.assertEqual(said["XTLS_CLIENT_O_0"], "Example")
        self.assertEqual(said["XTLS_CLIENT_SUBJECT"], "O=Example,OU=night,OU=ops,CN=alice")
        self.assertEqual(said["XTLS_CLIENT_FINGERPRINT"], fingerprint(ALICE.certificate))
        self.assertEqual(int(said["XTLS_CLIENT_SERIAL"], 16), ALICE.certificate.serial_number)
        self.assertEqual(said["XTLS_CLIENT_NOT_AFTER"][-1], "Z")
        bad = identity("CN=a\0b\n", "OU=\x07").environment()
        self.assertEqual(bad["XTLS_CLIENT_CN"], r"a\x00b\x0a")
        self.assertNotIn("XTLS_CLIENT_EMAIL_0", bad)
        self.assertTrue(all(value.isprintable() for value in bad.values()))


class RuleTests(SynchronousTestCase):
    """
    Whom a rule lets in.
    """

    def assertAllows(self, rule: str, *identities: Identity) -> None:
        """
        A rule lets these in.
        """
        for each in identities:
            self.assertTrue(Rule.parse(rule).allows(each), (rule, each))

    def assertRefuses(self, rule: str, *identities: Identity) -> None:
        """
        A rule does not let these in.
        """
        for each in identities:
            self.assertFalse(Rule.parse(rule).allows(each), (rule, each))

    def test_alice(self) -> None:
        """
        Each field may be asked for, and all conditions must hold; the names of fields are in any case.
        """
        alice = Identity.of(ALICE.certificate)
        for rule in (
            "CN=alice",
            "cn = alice",
            "CN=alice,OU=ops",
            "OU=night, OU=ops,O=Exam*",
            "DNS=desk.example.com",
            "DNS=*.example.com",
            "email=Alice@example.com",
            "URI=spiffe://example.org/ns/*/sa/alice",
            f"fingerprint={alice.fingerprint}",
            "fingerprint=" + alice.fingerprint.lower().replace(":", "").replace("sha256", "sha256:"),
            "FingerPrint=" + alice.fingerprint.removeprefix("SHA256:"),
        ):
            self.assertAllows(rule, alice)
        for rule in (
            "CN=bob",
            "CN=alice,OU=day",
            "CN=alic",
            "CN=lice",
            "OU=op",
            "O=ops",
            "DNS=example.com",
            "email=alice@example.com",
            "URI=spiffe://example.org/ns/*",
            "fingerprint=" + "0" * 64,
        ):
            self.assertRefuses(rule, alice)

    def test_missing(self) -> None:
        """
        What is not there, is empty, or is there twice where one is meant, is met by no pattern.
        """
        for rule in ("CN=*", "CN=**", "OU=*", "O=*", "DNS=**", "email=**", "URI=**"):
            self.assertRefuses(rule, identity(), identity("C=DE"))
        self.assertRefuses("CN=*", identity("CN=a", "CN=b"), identity(("CN=a", "CN=b")), identity("CN="))
        self.assertRefuses("CN=a", identity("CN=a", "CN=b"))

    def test_patterns(self) -> None:
        """
        A star stands for any characters and a question mark for one, and nothing else is special.
        """
        self.assertAllows("CN=a*", identity("CN=a"), identity("CN=a,OU=b"), identity("CN=a*"))
        self.assertAllows("CN=a?c", identity("CN=abc"), identity("CN=a.c"))
        self.assertRefuses("CN=a?c", identity("CN=ac"), identity("CN=abbc"))
        self.assertRefuses("CN=a.c", identity("CN=abc"))
        self.assertRefuses("CN=[ab]", identity("CN=a"))
        self.assertAllows("CN=[ab](c)+$", identity("CN=[ab](c)+$"))

    def test_manyStars(self) -> None:
        """
        However many stars there are, a name is compared at once; one that is too long to be anybody's matches
        nothing.
        """
        self.assertRefuses("CN=" + "*a" * 30 + "*b", identity("CN=" + "a" * 1024))
        self.assertAllows("CN=" + "*a" * 30 + "*", identity("CN=" + "a" * 1024))
        self.assertRefuses("CN=*", identity("CN=" + "a" * 1025))

    def test_mixedStars(self) -> None:
        """
        A star that stops at borders may come after one that does not.
        """
        self.assertAllows("URI=https://a.test/**/x*z", names("https://a.test/x/y/x/xyz"))
        self.assertRefuses("URI=https://a.test/**/x*z", names("https://a.test/x/y/z"))
        self.assertAllows("DNS=**a*b.test", names("a.acb.test"))

    def test_randomTexts(self) -> None:
        """
        Whatever is said, it is a rule or an error; and whatever is in a certificate, a rule says yes or no.
        """
        alice = Identity.of(ALICE.certificate)
        words = (
            "CN=",
            "DNS=",
            "URI=",
            "email=",
            "OU=",
            ",",
            "*",
            "?",
            "\\",
            "a",
            "@",
            "/",
            ":",
            ".",
            "é",
            " ",
        )
        random = Random(5)
        read = 0
        for _ in range(3000):
            text = "".join(random.choices(words, k=random.randint(1, 8)))
            try:
                rule = Rule.parse(text)
            except ValueError:
                continue
            read += 1
            value = "".join(random.choices(words, k=random.randint(1, 8)))
            for name in ("commonName", "dnsNames", "uris", "emails"):
                given: Any = value if name == "commonName" else (value,)
                self.assertIn(rule.allows(replace(alice, **{name: given})), (True, False))
        self.assertGreater(read, 100)

    def test_escapes(self) -> None:
        """
        A backslash takes a comma, a star, or a space at either end, as it is.
        """
        self.assertAllows(r"CN=Smith\, John", identity("CN=Smith, John"))
        self.assertAllows(r"CN=a\*", identity("CN=a*"))
        self.assertRefuses(r"CN=a\*", identity("CN=ab"))
        self.assertAllows(r"CN=\ a\ ", identity("CN= a "))
        self.assertRefuses("CN= a ", identity("CN= a "))
        self.assertAllows(r"CN=a\\b", identity("CN=a\\b"))

    def test_injection(self) -> None:
        """
        Text in a certificate is text: it is never a pattern, another condition or another field.
        """
        self.assertRefuses("CN=alice", identity("CN=*"), identity("CN=alice,OU=ops"), identity("CN=al*"))
        self.assertRefuses("CN=x,OU=ops", identity("CN=x,OU=ops"), identity("CN=x", "O=ops"))
        self.assertRefuses("DNS=a.example.com", names("*.example.com"), names("*"))
        self.assertRefuses("DNS=*.example.com", names("*.example.com"))

    def test_notPrintable(self) -> None:
        """
        A name that cannot be shown as it is matches nothing.
        """
        self.assertRefuses("CN=alice*", identity("CN=alice\0.evil"), identity("CN=alice\n"))
        self.assertRefuses("CN=*", identity("CN=\u202ealice"), identity("CN=a\u00a0b"))
        self.assertAllows("CN=*", identity("CN=Bärbel"))

    def test_case(self) -> None:
        """
        In the subject every letter counts.
        """
        self.assertRefuses("CN=Alice", identity("CN=alice"))
        self.assertRefuses("OU=Ops", identity("OU=ops"))

    def test_hosts(self) -> None:
        """
        Host names have no case, may be said in any script, and a star does not go over a dot; what is no host
        name matches nothing.
        """
        self.assertAllows("DNS=A.Example.COM.", names("a.eXample.com"))
        self.assertAllows("DNS=bücher.*", names("xn--bcher-kva.test"))
        self.assertAllows("DNS=**.example.com", names("a.b.example.com"))
        self.assertRefuses("DNS=*.example.com", names("a.b.example.com"), names("example.com"))
        self.assertRefuses("DNS=**", names("a..b"), names("a b"), names(".a"), names("a."))

    def test_addresses(self) -> None:
        """
        In an address of mail the case of the host does not matter, that of the mailbox does; a star does not
        go over the at sign; what has two is none.
        """
        self.assertAllows("email=*@EXAMPLE.com", names("alice@example.COM"))
        self.assertAllows("email=a@bücher.test", names("a@xn--bcher-kva.test"))
        self.assertAllows("email=**", names("a@b.test"))
        self.assertRefuses("email=Alice@b.test", names("alice@b.test"))
        self.assertRefuses("email=*@b.test", names("x@evil.test@b.test"), names('"a@c"@b.test'))
        self.assertRefuses("email=*@b.test", names("@b.test"), names("a@b.test.evil"), names("a@*"))
        self.assertRefuses("email=a@b.test", identity("CN=x", "emailAddress=a@b.test"))

    def test_URIs(self) -> None:
        """
        In a URI the case of scheme and host does not matter; a star does not go over a slash, a question mark
        or a number sign; what leads elsewhere than it seems to is none.
        """
        self.assertAllows("URI=SPIFFE://A.test/ns/*", names("spiffe://a.TEST/ns/x"))
        self.assertAllows("URI=urn:user:*", names("urn:user:Alice"))
        self.assertAllows("URI=https://a.test/**", names("https://a.test/b/c?d#e"))
        self.assertAllows("URI=**", names("https://a.test"))
        self.assertRefuses("URI=spiffe://a.test/ns/*", names("spiffe://a.test/ns/x/y"))
        self.assertRefuses("URI=spiffe://a.test/ns/*", names("spiffe://a.test/NS/x"))
        self.assertRefuses("URI=https://a.test/*", names("https://a.test/b?c"), names("https://a.test/b#c"))
        self.assertRefuses(
            "URI=**",
            names("https://a.test/x/../y"),
            names("https://a.test/x/%2E%2e/y"),
            names("https://a.test/."),
            names("https://good@evil.test/"),
            names("https://a.test\\@b.test/"),
        )
        bare = identity("CN=x", san=[x509.UniformResourceIdentifier._init_without_validation("no-uri")])
        self.assertRefuses("URI=**", bare)

    def test_letters(self) -> None:
        """
        A letter beyond ASCII, which has no place in names of hosts, is no other one that it becomes in lower
        case: the sign of Kelvin is no k.
        """
        for tag, named, rule in (
            (0x82, "\u212aiosk.test", "DNS=kiosk.test"),
            (0x81, "a@\u212aiosk.test", "email=a@kiosk.test"),
            (0x81, "\u212a@kiosk.test", "email=**@kiosk.test"),
            (0x86, "\u212aiosk://kiosk.test/", "URI=kiosk://kiosk.test/"),
            (0x86, "a://\u212aiosk.test/", "URI=a://kiosk.test/"),
        ):
            octets = sequence(tlv(tag, named.encode("utf-8")))
            found = Identity.of(person(AUTHORITY, "CN=a", san=octets).certificate)
            self.assertFalse(Rule.parse(rule).allows(found), rule)

    def test_errors(self) -> None:
        """
        What is no rule is an error that says what one looks like.
        """
        for text, said in {
            "": "expected conditions",
            "alice": 'not "alice"',
            "CN": 'not "CN"',
            "UID=alice": 'not "UID=alice"',
            "CN=Smith, John": 'not "John"',
            "CN=a,": "expected conditions",
            "CN=": "met by nobody",
            "CN=  ": "met by nobody",
            "CN=a,CN=b": "twice",
            "CN=a\\": "backslash",
            "CN=\\n": "backslash",
            "fingerprint=sha1:00": "64 hexadecimal digits",
            "fingerprint=*": "64 hexadecimal digits",
            "email=alice": "address of mail",
            "URI=alice": "a URI",
            "DNS=bü*.test": "is not a host name",
        }.items():
            error = self.assertRaises(ValueError, Rule.parse, text)
            self.assertIn(said, str(error))

    def test_nothing(self) -> None:
        """
        A rule without conditions lets nobody in.
        """
        self.assertFalse(Rule("", ()).allows(Identity.of(ALICE.certificate)))

    def test_names(self) -> None:
        """
        What these tests call a name is one.
        """
        self.assertEqual(nameOf("CN=a", ("O=b", "OU=c")).rfc4514_string(), "O=b+OU=c,CN=a")
