"""
Findings, and those about how a server speaks TLS.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.support.identity import serverPair
from xtls.trust.findings import Found, Grade, TLSFacts, Topic, listed, tlsFindings, worst

#: A server as it should be.
GOOD = TLSFacts(
    version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    group="X25519MLKEM768",
    alpn="http/1.1",
    presented=(serverPair().certificate,),
    older=True,
    ancient="",
    resumed=True,
)


def found(facts: TLSFacts, shown: bool = False) -> dict[str, Found]:
    """
    The findings by their kinds.
    """
    return {each.kind: each for each in tlsFindings(facts, shown)}


class ValuesTests(SynchronousTestCase):
    """
    L{worst} and L{listed}.
    """

    def test_worst(self) -> None:
        """
        The worst grade of some findings; of none, that all is well.
        """
        given = [Found(grade, Topic.TLS, "a", "b") for grade in (Grade.NOTE, Grade.PROBLEM, Grade.WARNING)]
        self.assertEqual([worst(given[:count]) for count in (0, 1, 2)], [Grade.OK, Grade.NOTE, Grade.PROBLEM])

    def test_listed(self) -> None:
        """
        Names are listed as people do, the many are counted, and none of them reaches the terminal's control.
        """
        self.assertEqual(listed(["a"]), "a")
        self.assertEqual(listed(["a", "b", "c"]), "a, b and c")
        self.assertEqual(listed(map(str, range(8))), "0, 1, 2, 3, 4, 5 and 2 more")
        self.assertEqual(listed(["\x1b[2J"]), "\\x1b[2J")
        self.assertEqual(listed([]), "")


class TLSTests(SynchronousTestCase):
    """
    L{tlsFindings}.
    """

    def test_good(self) -> None:
        """
        A server as it should be has nothing but good said of it.
        """
        given = found(GOOD)
        self.assertEqual({each.grade for each in given.values()}, {Grade.OK})
        self.assertEqual({each.topic for each in given.values()}, {Topic.TLS})
        self.assertEqual(given["version"].sentence, "TLS 1.3 is spoken, and TLS 1.2 too")
        self.assertIn("post-quantum", given["group"].sentence)
        self.assertEqual(given["alpn"].sentence, "ALPN agrees on http/1.1")
        self.assertEqual(given["resumption"].sentence, "sessions are resumed")

    def test_versions(self) -> None:
        """
        TLS 1.3 alone is fine; 1.2 alone is worth a note; what is older is warned of by its name.
        """
        self.assertIn("1.2 is not", found(replace(GOOD, older=False))["version"].sentence)
        self.assertEqual(found(replace(GOOD, older=None))["version"].sentence, "TLS 1.3 is spoken")
        old = found(replace(GOOD, version="TLSv1.2", ancient="TLSv1.1"))
        self.assertEqual((old["version"].grade, old["old-version"].grade), (Grade.NOTE, Grade.WARNING))
        self.assertIn("TLS 1.2 is the newest", old["version"].sentence)
        self.assertIn("TLS 1.1 is accepted", old["old-version"].sentence)
        self.assertIn("TLS 1.0 is", found(replace(GOOD, ancient="TLSv1"))["old-version"].sentence)
        self.assertNotIn("old-version", found(replace(GOOD, ancient=None)))

    def test_limited(self) -> None:
        """
        Where the user wants no newer version, that is no fault of the server.
        """
        given = found(replace(GOOD, version="TLSv1.2", group="x25519", limited=True))
        self.assertEqual(given["version"].grade, Grade.OK)
        self.assertIn("by the options", given["group"].remedy)

    def test_group(self) -> None:
        """
        A group that is not post-quantum is noted; one that is not known is not talked of.
        """
        self.assertEqual(found(replace(GOOD, group="x25519"))["group"].grade, Grade.NOTE)
        self.assertNotIn("group", found(replace(GOOD, group="")))

    def test_extras(self) -> None:
        """
        That nothing is agreed on by ALPN, or resumed, is said; what was not asked is not.
        """
        given = found(replace(GOOD, alpn="", resumed=False))
        self.assertIn("no protocol", given["alpn"].sentence)
        self.assertIn("are not resumed", given["resumption"].sentence)
        given = found(replace(GOOD, alpn=None, resumed=None))
        self.assertEqual({"alpn", "resumption"} & set(given), set())

    def test_clientCertificate(self) -> None:
        """
        A certificate of the client that is required, and that nobody shows, is a problem; else it is worth a
        note, with whose it has to be.
        """
        asked = replace(GOOD, asked=True, authorities=("a CA",))
        for required, grade, words in (
            (True, Grade.PROBLEM, "is required, from a CA"),
            (False, Grade.NOTE, "is optional, from a CA"),
            (None, Grade.NOTE, "is asked for, from a CA"),
        ):
            given = found(replace(asked, required=required))["client-certificate"]
            self.assertEqual(given.grade, grade)
            self.assertIn(words, given.sentence)
            self.assertEqual(given.changes, (("cert", "CLIENT.pem"),))
            self.assertEqual(
                found(replace(asked, required=required), True)["client-certificate"].grade, Grade.OK
            )
        self.assertNotIn("from", found(replace(asked, authorities=()))["client-certificate"].sentence)

    def test_failed(self) -> None:
        """
        A handshake that failed for want of a certificate of the client tells that; one that never got so far
        tells nothing.
        """
        failed = TLSFacts("TLSv1.2", asked=True, required=True, problem="no", presented=GOOD.presented)
        self.assertTrue(failed.spoken)
        self.assertEqual(list(found(failed)), ["client-certificate"])
        self.assertFalse(TLSFacts(problem="no").spoken)
        self.assertFalse(TLSFacts("TLSv1.2", problem="no").spoken)
        self.assertEqual(found(TLSFacts(problem="no")), {})
