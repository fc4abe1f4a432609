"""
What there is to say about what a port answers.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.wires import everySplit
from xtls.config.target import parseTarget
from xtls.programs.portfindings import HTTPAnswer, Reach, Speech, bannerOf, portFindings, reachFindings
from xtls.trust.findings import Found, Grade, Topic

OK = HTTPAnswer(200, "OK")
REDIRECT = HTTPAnswer(308, "Permanent Redirect", "https://h/")
SSH = Speech(banner=b"SSH-2.0-OpenSSH_9.2\r\n")


class AnswerTests(SynchronousTestCase):
    """
    L{HTTPAnswer}.
    """

    def test_parse(self) -> None:
        """
        The status and the fields that matter are read; of what is not HTTP, nothing is.
        """
        head = (
            b"HTTP/1.1 308 Permanent Redirect\r\nLocation:  https://h/ \r\n"
            b"strict-transport-security: max-age=1\r\n\r\nX: y"
        )
        self.assertEqual(
            HTTPAnswer.parse(head), HTTPAnswer(308, "Permanent Redirect", "https://h/", "max-age=1")
        )
        self.assertEqual(HTTPAnswer.parse(b"HTTP/1.0 200\r\n\r\n"), HTTPAnswer(200))
        for data in (b"", b"HTTP/1.1", b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n\r\n"):
            self.assertIsNone(HTTPAnswer.parse(data))

    def test_pieces(self) -> None:
        """
        An answer that is not whole is the same, or none.
        """
        data = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"
        for pieces in everySplit(data):
            self.assertIn(HTTPAnswer.parse(pieces[0]), (None, OK))

    def test_describe(self) -> None:
        """
        What the server says cannot reach a terminal's control.
        """
        self.assertEqual(HTTPAnswer(200, "\x1b[2J").describe(), "200 \\x1b[2J")
        self.assertEqual(HTTPAnswer(200).describe(), "200")


class ReachTests(SynchronousTestCase):
    """
    L{reachFindings}.
    """

    def found(self, target: str, *arguments: Any) -> list[tuple[Grade, str, str]]:
        """
        The findings.
        """
        given = reachFindings(Reach(*arguments), parseTarget(target))
        self.assertTrue(all(each.topic is Topic.REACH for each in given))
        self.assertTrue(all(bool(each.remedy) is (each.grade is not Grade.OK) for each in given))
        return [(each.grade, each.kind, each.sentence) for each in given]

    def test_reached(self) -> None:
        """
        The addresses of a name, which of them answered, and how soon.
        """
        self.assertEqual(
            self.found("ssl://h:1/", ("192.0.2.1", "2001:db8::1"), "192.0.2.1:1", 0.0123),
            [
                (Grade.OK, "name", "h is 192.0.2.1 and 2001:db8::1"),
                (Grade.OK, "connect", "192.0.2.1:1 answers, after 12 ms"),
            ],
        )
        self.assertEqual(len(self.found("ssl://192.0.2.1:1/", ("192.0.2.1",), "192.0.2.1:1")), 1)

    def test_notReached(self) -> None:
        """
        A name that nobody knows, an address that does not answer, and a socket that is not there.
        """
        ((grade, kind, sentence),) = self.found("ssl://h:1/", (), "", 0.0, "not found")
        self.assertEqual((grade, kind, sentence), (Grade.PROBLEM, "name", "h: not found"))
        *_, (grade, kind, sentence) = self.found("ssl://h:1/", ("192.0.2.1",), "", 0.0, "refused")
        self.assertEqual(sentence, "there is no connection to h:1: refused")
        ((grade, kind, sentence),) = self.found("/run/x", (), "", 0.0, "none")
        self.assertEqual(sentence, "there is no connection to /run/x: none")


class PortTests(SynchronousTestCase):
    """
    L{portFindings}.
    """

    def found(self, target: str, *arguments: Any) -> dict[str, Found]:
        """
        The findings by their kinds.
        """
        given = portFindings(parseTarget(target), *arguments)
        self.assertTrue(all(each.topic is Topic.PROTOCOLS for each in given))
        self.assertTrue(all(bool(each.remedy) is (each.grade is not Grade.OK) for each in given), given)
        return {each.kind: each for each in given}

    def test_everything(self) -> None:
        """
        A port that speaks everything.
        """
        hsts = HTTPAnswer(200, "OK", hsts="max-age=9")
        given = self.found("ssl://h/", Speech(http=REDIRECT), Speech(http=hsts), ("", ""), "")
        self.assertEqual(
            {kind: each.sentence for kind, each in given.items()},
            {
                "tls": "TLS is spoken",
                "https": "https is answered with 200 OK",
                "hsts": "browsers are told to come back by https only (max-age=9)",
                "wss": "wss: a WebSocket opens",
                "http": "plain HTTP is redirected to https",
                "ws": "ws: a WebSocket opens",
            },
        )

    def test_nothing(self) -> None:
        """
        Where nothing was tried, nothing is said.
        """
        self.assertEqual(self.found("ssl://h/", None, None), {})
        given = self.found("ssl://h/", None, Speech(http=OK))["hsts"]
        self.assertEqual((given.grade, "not told" in given.sentence), (Grade.OK, True))

    def test_silence(self) -> None:
        """
        What is no HTTP: silence, hanging up, another answer, and who speaks first.
        """
        for speech, kind, words in (
            (Speech(), "silent", "says nothing"),
            (Speech(closed=True), "closed", "hangs up without a word"),
            (Speech(other=b"no\x1b\r\n"), "other", '"no\\x1b", which is not HTTP'),
            (SSH, "speaks-first", 'speaks first, SSH: "SSH-2.0-OpenSSH_9.2"'),
            (Speech(b"hello", 5.04), "speaks-first", 'first: "hello", after 5.0 seconds of silence'),
        ):
            self.assertIn(
                words, self.found("ssl://h/", speech, None, (None, None), "")[f"plain-{kind}"].sentence
            )
            given = self.found("ssl://h/", None, speech)[f"secure-{kind}"].sentence
            self.assertTrue(given.startswith("inside TLS, "), given)

    def test_plainHTTP(self) -> None:
        """
        HTTP that is not encrypted is worth a note, with what to do about it; a refusal of it is none.
        """
        for tls, answer, grade, words in (
            ("", OK, Grade.NOTE, "though there is https"),
            ("no", OK, Grade.NOTE, "not encrypted"),
            (None, OK, Grade.NOTE, "not encrypted"),
            ("", HTTPAnswer(400, "Bad Request"), Grade.OK, "answered with 400"),
            ("", HTTPAnswer(302, "", "http://h/"), Grade.NOTE, "302"),
            ("", HTTPAnswer(200, "", "https://h/"), Grade.NOTE, "200"),
        ):
            given = self.found("ssl://h/", Speech(http=answer), None, (None, None), tls)["http"]
            self.assertEqual(given.grade, grade)
            self.assertIn(words, given.sentence)

    def test_webSocket(self) -> None:
        """
        That no WebSocket opens is a problem where it was asked for, and nowhere else.
        """
        for target, problems, kind, grade in (
            ("wss://h/", (None, "404"), "wss", Grade.PROBLEM),
            ("ws://h/", ("404", None), "ws", Grade.PROBLEM),
            ("ssl://h/", (None, "404"), "wss", Grade.OK),
            ("ssl://h/", ("404", None), "ws", Grade.OK),
        ):
            self.assertEqual(self.found(target, None, None, problems)[kind].grade, grade)

    def test_noTLS(self) -> None:
        """
        That there is no TLS is a problem where it was asked for, with what there is in its place.
        """
        self.assertEqual(self.found("tcp://h/", None, None, (None, None), "no")["tls"].grade, Grade.OK)
        for target, plain, words, mode in (
            ("ssl://h/", None, "TLS is not spoken: no", None),
            ("ssl://h/", Speech(), "TLS is not spoken: no", None),
            ("ssl://h/", Speech(http=OK), "TLS is not spoken, but HTTP", "tcp"),
            ("wss://h/", Speech(http=OK), "TLS is not spoken, but HTTP", "ws"),
            ("wss://h/", SSH, "TLS is not spoken, but SSH", "tcp"),
            ("ssl://h/", Speech(b"hello"), "TLS is not spoken: no", "tcp"),
        ):
            given = self.found(target, plain, None, (None, None), "no")["tls"]
            self.assertEqual((given.grade, given.sentence), (Grade.PROBLEM, words))
            self.assertEqual(dict(given.changes).get("mode"), mode)

    def test_exposed(self) -> None:
        """
        What is neither encrypted nor verified is told, and is warned of where TLS is to be had for a letter.
        """
        for target, mode in (("tcp://h/", "ssl"), ("ws://h/", "wss")):
            given = self.found(target, Speech(), None, (None, None), "")["not-encrypted"]
            self.assertEqual((given.grade, given.changes), (Grade.WARNING, (("mode", mode),)))
            given = self.found(target, None, None, (None, None), "no")["not-encrypted"]
            self.assertEqual((given.grade, given.changes), (Grade.NOTE, ()))
        self.assertNotIn("not-encrypted", self.found("tcp://h/", SSH, None, (None, None), "no"))
        for target in ("ssl://h/", "/run/x"):
            self.assertNotIn("not-encrypted", self.found(target, Speech()))

    def test_ssh(self) -> None:
        """
        A target that is an SSH server must be one.
        """
        self.assertNotIn("ssh", self.found("ssh://h/", SSH))
        self.assertNotIn("ssh", self.found("ssh://h/", None))
        self.assertEqual(self.found("ssh://h/", Speech())["ssh"].grade, Grade.PROBLEM)

    def test_banner(self) -> None:
        """
        Some servers are known by how they begin.
        """
        self.assertEqual(bannerOf(b"RFB 003.008\n"), "RFB (VNC)")
        self.assertEqual(bannerOf(b"hello"), "")
