"""
A client's side of the opening handshake, as autobahn makes and checks it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.opening import keyOf
from xtls.wire import asking
from xtls.wire.asking import Asking
from xtls.wire.opening import answerOpening


class AskingTests(SynchronousTestCase):
    """
    One handshake.
    """

    def setUp(self) -> None:
        # made once in a process: whichever test came first would have covered it
        asking._settings.cache_clear()
        self.asking = Asking("localhost", 10000, "/x?y", {"A": "b"}, "me", "binary")

    def test_request(self) -> None:
        """
        All that was given is asked for.
        """
        lines = self.asking.request.split(b"\r\n")
        self.assertEqual(lines[0], b"GET /x?y HTTP/1.1")
        for line in (b"Host: localhost:10000", b"A: b", b"User-Agent: me", b"Sec-WebSocket-Protocol: binary"):
            self.assertIn(line, lines)

    def test_right(self) -> None:
        """
        The right answer has nothing wrong.
        """
        self.assertIsNone(self.asking.judge(answerOpening(keyOf(self.asking.request), [b"binary"])))

    def test_wrong(self) -> None:
        """
        An answer to another request is wrong, and it is said why.
        """
        problem = self.asking.judge(answerOpening(b"dGhlIHNhbXBsZSBub25jZQ=="))
        assert problem is not None
        self.assertIn("Accept", problem)

    def test_several(self) -> None:
        """
        Handshakes have nothing to do with each other.
        """
        other = Asking("localhost", 10000, "/", {}, "me", "binary")
        self.assertIsNone(other.judge(answerOpening(keyOf(other.request))))
        self.assertIsNone(self.asking.judge(answerOpening(keyOf(self.asking.request))))
