"""
Asking for versions of TLS that nobody should speak.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wires import everySplit
from xtls.wire.oldtls import VERSIONS, answeredVersion, oldClientHello


class HelloTests(SynchronousTestCase):
    """
    L{oldClientHello}.
    """

    def test_form(self) -> None:
        """
        It is one record with one message, for TLS 1.1, and the lengths in it are right.
        """
        for name in (None, b"server.test"):
            data = oldClientHello(name, bytes(range(32)))
            self.assertEqual(data[:3], b"\x16\x03\x01")
            self.assertEqual(int.from_bytes(data[3:5], "big"), len(data) - 5)
            self.assertEqual(data[5], 1)
            self.assertEqual(int.from_bytes(data[6:9], "big"), len(data) - 9)
            self.assertEqual(data[9:11], b"\x03\x02")
            self.assertEqual(data[11:43], bytes(range(32)))
            self.assertEqual(b"server.test" in data, name is not None)

    def test_extensions(self) -> None:
        """
        The extensions fill the message to its end.
        """
        data = oldClientHello(b"a", bytes(32))
        at = 43
        at += 1 + data[at]
        at += 2 + int.from_bytes(data[at : at + 2], "big")
        at += 1 + data[at]
        self.assertEqual(at + 2 + int.from_bytes(data[at : at + 2], "big"), len(data))
        at += 2
        kinds = []
        while at < len(data):
            kinds.append(int.from_bytes(data[at : at + 2], "big"))
            at += 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        self.assertEqual((kinds, at), ([0, 10, 11], len(data)))

    def test_random(self) -> None:
        """
        What is random is given, all of it.
        """
        self.assertRaises(ValueError, oldClientHello, None, b"")


class AnswerTests(SynchronousTestCase):
    """
    L{answeredVersion}.
    """

    def test_accepted(self) -> None:
        """
        A ServerHello says which version; it may come in any pieces, and before that nothing is known.
        """
        for version, name in VERSIONS.items():
            hello = b"\x16" + version + b"\x00\x30\x02\x00\x00\x2c" + version
            for pieces in everySplit(hello):
                answers, data = [], b""
                for piece in pieces:
                    data += piece
                    answers.append(answeredVersion(data))
                self.assertEqual(answers, [None] * (len(pieces) - 1) + [name])

    def test_refused(self) -> None:
        """
        An alert is a refusal, and so is hanging up, at once or in the midst of an answer.
        """
        self.assertEqual(answeredVersion(b"\x15\x03\x01\x00\x02\x02\x46"), "")
        self.assertEqual([answeredVersion(data, True) for data in (b"", b"\x16\x03")], ["", ""])

    def test_unknown(self) -> None:
        """
        Nothing is made of silence, of what is not TLS, of another message, and of a version from elsewhere.
        """
        for data in (b"", b"HTTP/1.1 400", b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x01"):
            self.assertIsNone(answeredVersion(data))
        self.assertIsNone(answeredVersion(b"\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03"))
