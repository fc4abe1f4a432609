"""
TLS records by pyOpenSSL's public methods.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.engines import VERSIONS
from tests.support.records import RecordsTests
from xtls.wire.records import PublicRecords


class PublicRecordsTests(RecordsTests, SynchronousTestCase):
    """
    L{PublicRecords}.
    """

    records = PublicRecords


class PublicRecords12Tests(PublicRecordsTests):
    """
    The same over TLS 1.2.
    """

    version = VERSIONS["TLSv1.2"]
