"""
Values, from text and to text.
"""

from __future__ import annotations

import base64
import os
from enum import Enum

from twisted.trial.unittest import SynchronousTestCase

from xtls.config import values
from xtls.config.values import TLSVersion, TLSVersions

#: A CA certificate as openssl writes it.
PEM = b"""\
-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIURciwqX9834tDKexa6eD4c6un05AwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyMzEzMDc1OVoXDTM2MTEyMDEz
MDc1OVowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEytd5uy89mUJe3GL1BwDrOv7DvagO4rK6MEoOhDYnmlnSWR/vyEwrUtfV
zuKQ6aW5C6UmSv0hneeU7E/9yLuyD6NTMFEwHQYDVR0OBBYEFAEyO4GaDBxCaV0b
lSsrk9CePQlZMB8GA1UdIwQYMBaAFAEyO4GaDBxCaV0blSsrk9CePQlZMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgPACDazgMzlTzVhZsklgfOrY3
eJDRxMj4IOfw22lD/ucCIQDm9z1U7JfZ9o5eOKaZizjzk55ls3BnpmBdTtzrsoa5
uA==
-----END CERTIFICATE-----
"""

#: The same in DER.
DER = base64.b64decode(b"".join(PEM.splitlines()[1:-1]))


class Colour(Enum):
    """
    Words to choose among.
    """

    RED = "red"
    BLUE = "blue"


class ValuesTests(SynchronousTestCase):
    """
    The small kinds of values.
    """

    def test_quoted(self) -> None:
        """
        What a user wrote is shown on one line, and cut when it is long.
        """
        self.assertEqual(values.quoted("a\nb"), r"'a\nb'")
        self.assertEqual(len(values.quoted("a" * 100)), 42)

    def test_flag(self) -> None:
        """
        Yes and no have many words, in any case.
        """
        for text in ("yes", "TRUE", "1", " on ", "y", "enabled"):
            self.assertIs(values.parseFlag(text), True)
        for text in ("no", "False", "0", "off", "n", "disabled"):
            self.assertIs(values.parseFlag(text), False)
        for text in ("", "maybe", "2", "yes no"):
            self.assertRaises(ValueError, values.parseFlag, text)
        for flag in (True, False):
            self.assertIs(values.parseFlag(values.formatFlag(flag)), flag)

    def test_choice(self) -> None:
        """
        An enumeration is read by its words, and by further ones that stand for a member or for nothing.
        """
        parse = values.choiceOf(Colour, {"rouge": Colour.RED, "auto": None})
        self.assertEqual([parse(text) for text in ("red", " BLUE", "rouge")], [*Colour, Colour.RED])
        self.assertIs(parse("auto"), None)
        error = self.assertRaises(ValueError, parse, "green")
        self.assertEqual(str(error), "expected one of red, blue, not 'green'")
        self.assertIs(values.choiceOf(Colour)(values.formatChoice(Colour.BLUE)), Colour.BLUE)

    def test_path(self) -> None:
        """
        Any text can be a path, but not nothing, and nothing with a NUL; C{~} is the home directory.
        """
        self.assertEqual(values.parsePath("/a b/c:d"), "/a b/c:d")
        self.patch(os, "environ", {"HOME": "/home/somebody"})
        self.assertEqual(values.parsePath("~/a"), "/home/somebody/a")
        for text in ("", "  ", "a\0b"):
            self.assertRaises(ValueError, values.parsePath, text)

    def test_name(self) -> None:
        """
        Names and addresses pass, the latter with or without brackets; what cannot be either does not.
        """
        for text, name in (("example.org", "example.org"), ("[::1]", "::1"), (" 192.0.2.1 ", "192.0.2.1")):
            self.assertEqual(values.parseName(text), name)
        for text in ("", "[]", "a b", "a/b", "u@h", "h?x", "a\0"):
            self.assertRaises(ValueError, values.parseName, text)

    def test_seconds(self) -> None:
        """
        Durations have units, and seconds without one.
        """
        for text, seconds in (
            ("5", 5.0),
            ("5s", 5.0),
            ("500ms", 0.5),
            ("2m", 120.0),
            ("1H", 3600.0),
            (" 0.25 s", 0.25),
            ("24h", 86400.0),
        ):
            self.assertEqual(values.parseSeconds(text), seconds)

    def test_badSeconds(self) -> None:
        """
        A duration is above zero, finite, and in digits that everybody reads.
        """
        for text in ("", "0", "0ms", "-1", "inf", "nan", "1e3", "25h", "5 weeks", "٥", ".5", "1" * 400):
            self.assertRaises(ValueError, values.parseSeconds, text)

    def test_secondsWritten(self) -> None:
        """
        A duration is written so that it is read as the same number.
        """
        for seconds in (5.0, 0.5, 0.001, 1e-7, 86399.999, 1 / 3):
            self.assertEqual(values.parseSeconds(values.formatSeconds(seconds)), seconds)
        self.assertEqual(values.formatSeconds(10.0), "10")

    def test_octets(self) -> None:
        """
        Sizes have units, powers of 1024; they are written with the largest that divides them.
        """
        for text, octets, written in (
            ("16384", 16384, "16K"),
            ("16K", 16384, "16K"),
            ("16 kb", 16384, "16K"),
            ("1MiB", 1 << 20, "1M"),
            ("1g", 1 << 30, "1G"),
            ("100b", 100, "100"),
            ("1025", 1025, "1025"),
        ):
            self.assertEqual(values.parseOctets(text), octets)
            self.assertEqual(values.formatOctets(octets), written)

    def test_badOctets(self) -> None:
        """
        A size is a whole number above zero, and not absurd.
        """
        for text in ("", "0", "-1", "1.5K", "2G", "1T", "٥", "K", "9" * 400):
            self.assertRaises(ValueError, values.parseOctets, text)

    def test_versions(self) -> None:
        """
        A version is named as in Python or otherwise, or all are; what was read can be written.
        """
        only12 = TLSVersions(TLSVersion.TLS1_2, TLSVersion.TLS1_2)
        only13 = TLSVersions(TLSVersion.TLS1_3, TLSVersion.TLS1_3)
        for text, versions in (
            ("TLS", TLSVersions()),
            ("auto", TLSVersions()),
            ("PROTOCOL_TLS_CLIENT", TLSVersions()),
            ("TLSv1_2", only12),
            ("TLSv1.2", only12),
            ("PROTOCOL_TLSv1_2", only12),
            ("tls1.3", only13),
        ):
            self.assertEqual(values.parseVersions(text), versions, text)
            self.assertEqual(values.parseVersions(values.formatVersions(versions)), versions)

    def test_oldVersions(self) -> None:
        """
        Old versions are not offered even by name, and the error says so; others do not exist.
        """
        for text in ("SSLv2", "SSLv3", "TLSv1", "TLSv1_0", "TLSv1.1"):
            self.assertIn("RFC 8996", str(self.assertRaises(ValueError, values.parseVersions, text)))
        for text in ("", "TLSv1_4", "best"):
            self.assertNotIn("RFC", str(self.assertRaises(ValueError, values.parseVersions, text)))

    def test_names(self) -> None:
        """
        Names are read with or without their prefix, in any case, once each, in the order given.
        """
        parse = values.namesOf("OP_", frozenset({"NO_TICKET", "NO_SSLv3"}), {"BAD": "it is bad"})
        self.assertEqual(parse("op_no_sslV3, NO_TICKET|NO_SSLv3"), ("NO_SSLv3", "NO_TICKET"))
        self.assertEqual(parse(" "), ())
        self.assertEqual(parse(values.formatNames(("NO_TICKET", "NO_SSLv3"))), ("NO_TICKET", "NO_SSLv3"))

    def test_badNames(self) -> None:
        """
        An unknown name is refused with those that there are; a known bad one with the reason.
        """
        parse = values.namesOf("OP_", frozenset({"GOOD"}), {"BAD": "it is bad"})
        self.assertIn("expected names of GOOD", str(self.assertRaises(ValueError, parse, "GOOD,OTHER")))
        self.assertEqual(
            str(self.assertRaises(ValueError, parse, "op_bad")), "op_bad is not taken, because it is bad"
        )

    def test_ciphers(self) -> None:
        """
        Ciphers are OpenSSL's words; the default is no word at all.
        """
        for text in ("", "DEFAULT", " default "):
            self.assertEqual(values.parseCiphers(text), "")
        for text in (
            "ECDHE+AESGCM:!aNULL:!eNULL:!MD5",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "HIGH:-3DES:@STRENGTH",
        ):
            self.assertEqual(values.parseCiphers(text), text)

    def test_weakCiphers(self) -> None:
        """
        What does not encrypt, or only pretends to, cannot be had by name.
        """
        for text in ("NULL", "HIGH:eNULL", "aNULL", "RC4-MD5", "DES-CBC3-SHA", "EXPORT40", "ALL:@SECLEVEL=0"):
            self.assertRaises(ValueError, values.parseCiphers, text)
        self.assertRaises(ValueError, values.parseCiphers, "AES; rm")


class DataTests(SynchronousTestCase):
    """
    Certificates as text.
    """

    def test_hexadecimal(self) -> None:
        """
        Hexadecimal is read in either case, with or without C{0x}, colons and white space, of PEM or DER.
        """
        for data in (PEM, DER):
            for text in (
                data.hex(),
                "0x" + data.hex(),
                "0X" + data.hex().upper(),
                data.hex(":"),
                data.hex("\n", 30) + "\n",
            ):
                self.assertEqual(values.parseData(text), data)

    def test_base64(self) -> None:
        """
        Base64 is read under both of its prefixes, in both alphabets, in lines and without its padding.
        """
        for data in (PEM, DER):
            text = base64.b64encode(data).decode()
            for given in (
                "base64:" + text,
                "b64:" + text,
                "BASE64: " + base64.encodebytes(data).decode(),
                "b64:" + base64.urlsafe_b64encode(data).decode().rstrip("="),
                "base64:\r\n" + text[:99] + " \t" + text[99:],
            ):
                self.assertEqual(values.parseData(given), data)

    def test_pem(self) -> None:
        """
        PEM text is read whatever became of its line ends, and so are several certificates in one text.
        """
        text = PEM.decode()
        for given in (
            text,
            "\n" + text,
            text.replace("\n", "\r\n"),
            text.replace("\n", " "),
            text.replace("\n", "\\n"),
        ):
            self.assertEqual(values.parseData(given), PEM)
        self.assertEqual(values.parseData(f"my CA\n{text}\nand\n{text}"), PEM + PEM)

    def test_written(self) -> None:
        """
        Data is written as base64, which is read as the same octets.
        """
        for data in (PEM, DER):
            text = values.formatData(data)
            self.assertTrue(text.startswith("base64:"))
            self.assertEqual(values.parseData(text), data)

    def test_refused(self) -> None:
        """
        What is no certificate, or cannot be decoded, is refused with what was expected.
        """
        for text in (
            "",
            "xyz",
            "123",
            "2d2d",
            "base64:",
            "base64:!!!!",
            "base64:AAAA",
            "b64:ä",
            "０x30",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
        ):
            error = self.assertRaises(ValueError, values.parseData, text)
            self.assertIn("expected hexadecimal, base64:… or PEM text", str(error))

    def test_privateKey(self) -> None:
        """
        A private key among the certificates is somebody's mistake, and is said.
        """
        key = PEM.replace(b"CERTIFICATE", b"EC PRIVATE KEY")
        for text in (key.decode(), key.hex()):
            self.assertIn("private key", str(self.assertRaises(ValueError, values.parseData, text)))


class PinTests(SynchronousTestCase):
    """
    L{values.parsePin}.
    """

    def test_forms(self) -> None:
        """
        Hexadecimal with or without colons, in either case, and curl's base64 are the same pin.
        """
        digest = bytes(range(32))
        for text in (
            f"sha256:{digest.hex()}",
            f" SHA256:{digest.hex(':').upper()} ",
            f"sha256//{base64.b64encode(digest).decode()}",
        ):
            self.assertEqual(values.parsePin(text), f"sha256:{digest.hex()}")

    def test_refused(self) -> None:
        """
        What is no SHA-256, or not whole, is refused with what was expected.
        """
        for text in ("", "sha256", "sha256:", "sha1:00", "sha256:xy", "sha256//!!!!", f"sha256:{'0' * 63}"):
            error = self.assertRaises(ValueError, values.parsePin, text)
            self.assertIn("expected sha256: and 64 hexadecimal digits", str(error))
        for text in (f"sha256:{'00' * 31}", "sha256//AAAA"):
            self.assertIn("32 octets", str(self.assertRaises(ValueError, values.parsePin, text)))
