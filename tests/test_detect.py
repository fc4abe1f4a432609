"""
What a peer speaks is told by its first octets, however they arrive.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from xtls.port.detect import LONGEST_SIGNATURE, NEED_DATA, Detected, detect

_TLS_REST = b"\x01\x00\x05\xf8\x03\x03" + bytes(range(60))

#: Openings, and what they are.
SAMPLES: tuple[tuple[bytes, Detected], ...] = (
    # TLS: any record version, any possible length (RFC 8446, section 5.1)
    (b"\x16\x03\x01\x05\xfc" + _TLS_REST, Detected.TLS),
    (b"\x16\x03\x03\x00\x80" + _TLS_REST, Detected.TLS),
    (b"\x16\x03\x00\x40\x00" + _TLS_REST, Detected.TLS),
    (b"\x16\x03\x04\x00\x01\x01", Detected.TLS),
    (b"\x16\x03\x05\x00\x80" + _TLS_REST, Detected.RAW),
    (b"\x16\x02\x01\x00\x80" + _TLS_REST, Detected.RAW),
    (b"\x16\x03\x01\x00\x00" + _TLS_REST, Detected.RAW),
    (b"\x16\x03\x01\x40\x01" + _TLS_REST, Detected.RAW),
    (b"\x16\x03\x01\x41\x00" + _TLS_REST, Detected.RAW),
    (b"\x16\x03\x01\x00\x80\x02", Detected.RAW),
    (b"\x15\x03\x03\x00\x02\x02\x28", Detected.RAW),
    # HTTP: the four forms of a request target (RFC 9112, section 3.2)
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Detected.HTTP),
    (b"HEAD /index.html HTTP/1.0\r\n\r\n", Detected.HTTP),
    (b"POST /x HTTP/1.1\r\n", Detected.HTTP),
    (b"PUT /x HTTP/1.1\r\n", Detected.HTTP),
    (b"PROPFIND / HTTP/1.1\r\n", Detected.HTTP),
    (b"VERSION-CONTROL / HTTP/1.1\r\n", Detected.HTTP),
    (b"UPDATEREDIRECTREF https://example.com/ HTTP/1.1\r\n", Detected.HTTP),
    (b"UPDATEREDIRECTREF * HTTP/1.1\r\n", Detected.HTTP),
    (b"GET http://example.com/ HTTP/1.1\r\n", Detected.HTTP),
    (b"GET HTTPS://example.com/ HTTP/1.1\r\n", Detected.HTTP),
    (b"OPTIONS * HTTP/1.1\r\n", Detected.HTTP),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Detected.HTTP),
    (b"CONNECT example.com:443 HTTP/1.1\r\n", Detected.HTTP),
    (b"CONNECT 192.0.2.1:22 HTTP/1.1\r\n", Detected.HTTP),
    (b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n", Detected.HTTP),
    (b"CONNECT [::1]:443 HTTP/1.1\r\n", Detected.HTTP),
    (b"CONNECT a-host-of-a-long-name.example.com:443 HTTP/1.1\r\n", Detected.HTTP),
    # ... and what only begins like it
    (b"GETTING STARTED\r\n", Detected.RAW),
    (b"GET READY\r\n", Detected.RAW),
    (b"GET help\r\n", Detected.RAW),
    (b"GET  / HTTP/1.1\r\n", Detected.RAW),
    (b"GET\t/ HTTP/1.1\r\n", Detected.RAW),
    (b"GET\r\n", Detected.RAW),
    (b"get / HTTP/1.1\r\n", Detected.RAW),
    (b"GE / HTTP/1.1\r\n", Detected.RAW),
    (b"HELO /example\r\n", Detected.RAW),
    (b"HEADER: value\r\n", Detected.RAW),
    (b"POSTAL /x\r\n", Detected.RAW),
    (b"POST httpd\r\n", Detected.RAW),
    (b"OPTIONS rtsp://example.com/ RTSP/1.0\r\n", Detected.RAW),
    (b"OPTIONS * RTSP/1.0\r\n", Detected.RAW),
    (b"OPTIONS sip:carol@example.com SIP/2.0\r\n", Detected.RAW),
    (b"SEARCH for something\r\n", Detected.RAW),
    (b"CONNECT\naccept-version:1.2\n\n\0", Detected.RAW),
    (b"CONNECT ME PLEASE\r\n", Detected.RAW),
    (b"CONNECT host:port\r\n", Detected.RAW),
    (b"CONNECT :443 HTTP/1.1\r\n", Detected.RAW),
    (b"CONNECT / HTTP/1.1\r\n", Detected.RAW),
    (b"\r\nGET / HTTP/1.1\r\n", Detected.RAW),
    (b" GET / HTTP/1.1\r\n", Detected.RAW),
    # SSH (RFC 4253, section 4.2)
    (b"SSH-2.0-OpenSSH_9.2\r\n", Detected.SSH),
    (b"SSH-1.99-old\r\n", Detected.SSH),
    (b"SSH-1.5-older\n", Detected.SSH),
    (b"SSH-keygen\n", Detected.RAW),
    (b"SSH 2.0\n", Detected.RAW),
    # RFB (RFC 6143, section 7.1.1)
    (b"RFB 003.008\n", Detected.RFB),
    (b"RFB client\n", Detected.RAW),
    # xpra's packets
    (b"P\x10\x00\x00\x00\x00\x01\x00payload", Detected.XPRA),
    (b"P\x04\x15\x00\x00\x00\x00\x08payload!", Detected.XPRA),
    (b"P\x01\x00\x00\x10\x00\x00\x00payload", Detected.XPRA),
    (b"P\x01\x00\x00\x10\x00\x00\x01payload", Detected.RAW),
    (b"P\x01\x00\x00\x11\x00\x00\x00payload", Detected.RAW),
    (b"P\x01\x00\x00\x00\x00\x00\x07payload", Detected.RAW),
    (b"P\x01\x00\x01\x00\x00\x01\x00payload", Detected.RAW),
    (b"P\x20\x00\x00\x00\x00\x01\x00payload", Detected.RAW),
    (b"PING\n", Detected.RAW),
    # RDP ([MS-RDPBCGR], section 2.2.1.1)
    (b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", Detected.RDP),
    (b"\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00Cookie: mstshash=", Detected.RDP),
    (b"\x03\x00\x00\x13\x0f\xe0\x00\x00\x00\x00\x00", Detected.RAW),
    (b"\x03\x00\x00\x0a\x05\xe0\x00\x00\x00\x00", Detected.RAW),
    (b"\x03\x00\x00\x13\x0e\xf0\x00\x00\x00\x00\x00", Detected.RAW),
    (b"\x03\x00\x01\x13\x0e\xe0", Detected.RAW),
    # anything else
    (b"\x00", Detected.RAW),
    (b"hello\n", Detected.RAW),
    (b"\xff\xfb\x01", Detected.RAW),
    (b"\x80\x2e\x01\x03\x01", Detected.RAW),
)


def randomOpening(source: random.Random) -> bytes:
    """
    A random opening: noise, or a sample that was cut, changed, or continued.
    """
    noise = source.randbytes(source.randrange(1, 40))
    if source.random() < 0.3:
        return noise
    opening = bytearray(source.choice(SAMPLES)[0])
    del opening[source.randrange(1, len(opening) + 1) :]
    for _ in range(source.randrange(3)):
        opening[source.randrange(len(opening))] = source.randrange(256)
    return bytes(opening) + noise * source.randrange(2)


class DetectTests(SynchronousTestCase):
    """
    L{detect} on openings that are known.
    """

    def test_samples(self) -> None:
        """
        Each sample is what it is.
        """
        for sample, expected in SAMPLES:
            self.assertEqual((sample, detect(sample)), (sample, expected))

    def test_everySplit(self) -> None:
        """
        However the octets arrive, the answer is the same, and once given it does not change.
        """
        for sample, expected in SAMPLES:
            answers = [detect(sample[:length]) for length in range(len(sample) + 1)]
            decided = len([answer for answer in answers if answer is NEED_DATA])
            self.assertEqual(answers[:decided], [NEED_DATA] * decided, sample)
            self.assertEqual(answers[decided:], [expected] * (len(answers) - decided), sample)

    def test_lengthBound(self) -> None:
        """
        L{LONGEST_SIGNATURE} octets are always enough, are sometimes needed, and what follows them
        is not looked at.
        """
        latest = 0
        for sample, expected in SAMPLES:
            if len(sample) >= LONGEST_SIGNATURE:
                self.assertEqual(detect(sample[:LONGEST_SIGNATURE]), expected)
            latest = max(latest, *(n + 1 for n in range(len(sample)) if detect(sample[:n]) is NEED_DATA))
        self.assertEqual(latest, LONGEST_SIGNATURE)
        self.assertEqual(detect(b"GET /" + bytes(1 << 20)), Detected.HTTP)

    def test_finalUndecided(self) -> None:
        """
        When nothing more is to come, what is not certain is something else, and no signature is
        believed in part.
        """
        for sample, expected in SAMPLES:
            for length in range(1, len(sample) + 1):
                answer = detect(sample[:length])
                final = detect(sample[:length], final=True)
                self.assertEqual(final, Detected.RAW if answer is NEED_DATA else expected)

    def test_nothing(self) -> None:
        """
        Nothing is undecided until it is final, and then it is silence.
        """
        self.assertIs(detect(b""), NEED_DATA)
        self.assertIs(detect(b"", final=True), Detected.SILENCE)

    def test_rawAtOnce(self) -> None:
        """
        A first octet that no signature has is answered without waiting for a second one.
        """
        waiting = {octet for octet in range(256) if detect(bytes([octet])) is NEED_DATA}
        self.assertEqual(waiting, set(b"\x16\x03ABCDGHLMOPQRSTUV"))


class RandomOpeningTests(SynchronousTestCase):
    """
    L{detect} on openings that nobody has thought of.
    """

    def test_monotoneAndBounded(self) -> None:
        """
        20,000 random openings: no exception, an answer after L{LONGEST_SIGNATURE} octets at most,
        and the answer for every prefix is either that one or not yet.
        """
        source = random.Random(20261123)
        for number in range(20_000):
            opening = randomOpening(source)
            self.assertIsInstance(detect(opening, final=True), Detected)
            whole = detect(opening)
            for length in range(LONGEST_SIGNATURE + 1):
                answer = detect(opening[:length])
                if answer is not NEED_DATA:
                    self.assertIs(answer, whole, opening)
                    if number % 10:  # once decided, look again at every tenth only
                        break
            if len(opening) >= LONGEST_SIGNATURE:
                self.assertIsInstance(whole, Detected, opening)
