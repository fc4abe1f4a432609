"""
How commands end.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError, TCPTimedOutError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.trial.unittest import SynchronousTestCase

from xtls.errors import (
    CertificateFileError,
    HandshakeError,
    HandshakeTimeout,
    OpeningHandshakeError,
    OptionError,
    PeerVerificationError,
)
from xtls.programs.statuses import ExitStatus, statusOf


class _Refusal:
    """
    Stands for a refusal, of which only the sentence is asked.
    """

    def sentence(self) -> str:
        """
        Say why.
        """
        return "no"


class StatusTests(SynchronousTestCase):
    """
    L{statusOf} and L{ExitStatus}.
    """

    def test_errors(self) -> None:
        """
        Each error has the status that the documentation states.
        """
        expected: list[tuple[BaseException, int]] = [
            (OptionError("ssl-cert", "command line", "no"), 2),
            (CertificateFileError("/a", "no"), 2),
            (HandshakeError("no"), 16),
            (HandshakeTimeout("no"), 16),
            (PeerVerificationError(_Refusal()), 19),  # type: ignore[arg-type]
            (OpeningHandshakeError("no", 403), 18),
            (DNSLookupError(), 18),
            (ConnectionRefusedError(), 18),
            (TCPTimedOutError(), 18),
            (ConnectTimeout(), 18),
            (ConnectionLost(), 1),
            (ValueError(), 1),
        ]
        self.assertEqual([statusOf(error) for error, _ in expected], [status for _, status in expected])

    def test_documented(self) -> None:
        """
        Each status is in the reference, with its number.
        """
        page = Path(__file__).parent.parent / "docs" / "reference" / "exit-statuses.md"
        rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
        numbers = {int(row.split("|")[1]) for row in rows if row.split("|")[1].strip().isdigit()}
        self.assertEqual(numbers, {int(status) for status in ExitStatus})
