"""
The documents do what they say: each marked block of each is run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.documents import Reader, readDocument
from tests.test_docs import DOCUMENTS, ROOT


class DocumentsTests(SynchronousTestCase):
    """
    One test for each document that has marked blocks.
    """

    def follow(self, path: Path) -> None:
        """
        Do what a document says, in an empty folder.
        """
        scratch = Path(self.mktemp())
        scratch.mkdir()
        Reader(scratch.absolute()).follow(path.read_text("utf-8"))


def _testOf(path: Path) -> Callable[[DocumentsTests], None]:
    """
    The test of one document.
    """

    def test(self: DocumentsTests) -> None:
        self.follow(path)

    test.__doc__ = f"{path.relative_to(ROOT)} is true."
    return test


for _path in DOCUMENTS:
    if readDocument(_path.read_text("utf-8")).blocks:
        _name = "_".join(_path.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
        setattr(DocumentsTests, f"test_{_name}", _testOf(_path))
