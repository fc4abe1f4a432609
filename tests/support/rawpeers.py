"""
Peers that show whatever octets as their certificates: as much of TLS as that takes, and no more.

No library would send such certificates, and none could prove that it has their keys.  These get as far as the
Certificate message, and hear what is said to it.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["RawClient", "RawServer"]

_ALERT: Final = 21
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2
_ENCRYPTED_EXTENSIONS: Final = 8
_CERTIFICATE: Final = 11
_SERVER_HELLO_DONE: Final = 14
_FINISHED: Final = 20

#: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, and TLS_AES_128_GCM_SHA256.
_SUITES: Final = {False: b"\xc0\x2b", True: b"\x13\x01"}

_X25519: Final = b"\0\x1d"
_EMPTY: Final = hashes.Hash(hashes.SHA256()).finalize()


def _vector(size: int, data: bytes) -> bytes:
    """
    Octets with their number before them.
    """
    return len(data).to_bytes(size, "big") + data


def _extension(number: int, data: bytes) -> bytes:
    return number.to_bytes(2, "big") + _vector(2, data)


def _hash(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _expandLabel(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """
    HKDF-Expand-Label (RFC 8446, section 7.1), for what one block of the hash is enough.
    """
    info = length.to_bytes(2, "big") + _vector(1, b"tls13 " + label) + _vector(1, context)
    return _hmac(secret, info + b"\1")[:length]


class _Keys:
    """
    One direction of TLS 1.3 (RFC 8446, section 5.2).
    """

    def __init__(self, secret: bytes) -> None:
        self._key = AESGCM(_expandLabel(secret, b"key", b"", 16))
        self._iv = int.from_bytes(_expandLabel(secret, b"iv", b"", 12), "big")
        self._sequence = 0

    def _nonce(self) -> bytes:
        nonce = self._iv ^ self._sequence
        self._sequence += 1
        return nonce.to_bytes(12, "big")

    def seal(self, kind: int, data: bytes) -> bytes:
        header = b"\x17\3\3" + (len(data) + 17).to_bytes(2, "big")
        return header + self._key.encrypt(self._nonce(), data + bytes([kind]), header)

    def open(self, record: bytes) -> tuple[int, bytes]:
        inner = self._key.decrypt(self._nonce(), record[5:], record[:5]).rstrip(b"\0")
        return inner[-1], inner[:-1]


class RawPeer:
    """
    One end of a connection that comes to no good.

    @ivar alert: the description of the alert that it was sent, if any (RFC 8446, section 6.2).
    @ivar heard: the octets of the application that it could read: none, ever.
    """

    heard = b""
    established = False

    def __init__(self, certificates: Sequence[bytes], modern: bool) -> None:
        """
        @param certificates: what to show, in that order.
        @param modern: whether to speak TLS 1.3, or else 1.2.
        """
        self._certificates = tuple(certificates)
        self._modern = modern
        self._key = X25519PrivateKey.generate()
        self._buffer = b""
        self._messages = b""
        self._transcript = b""
        self._reading: _Keys | None = None
        self._writing: _Keys | None = None
        self.alert: int | None = None

    def start(self) -> bytes:
        """
        What to say first.
        """
        return b""

    @property
    def _share(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def receive(self, data: bytes) -> bytes:
        """
        Take what has arrived.

        @return: what to say to it.
        """
        self._buffer += data
        said = b""
        while len(self._buffer) >= 5:
            end = 5 + int.from_bytes(self._buffer[3:5], "big")
            if len(self._buffer) < end:
                break
            record, self._buffer = self._buffer[:end], self._buffer[end:]
            said += self._record(record)
        return said

    def _record(self, record: bytes) -> bytes:
        kind, content = record[0], record[5:]
        if kind == 23 and self._reading is not None:
            kind, content = self._reading.open(record)
        if kind == _ALERT:
            self.alert = content[1]
        if kind != _HANDSHAKE:
            return b""
        self._messages += content
        said = b""
        while len(self._messages) >= 4:
            end = 4 + int.from_bytes(self._messages[1:4], "big")
            if len(self._messages) < end:
                break
            message, self._messages = self._messages[:end], self._messages[end:]
            self._transcript += message
            said += self._message(message[0], message[4:])
        return said

    def _message(self, kind: int, body: bytes) -> bytes:
        raise NotImplementedError

    def _say(self, kind: int, body: bytes) -> bytes:
        """
        A message of the handshake, in a record.
        """
        message = bytes([kind]) + _vector(3, body)
        self._transcript += message
        if self._writing is not None:
            return self._writing.seal(_HANDSHAKE, message)
        return bytes([_HANDSHAKE, 3, 3]) + _vector(2, message)

    def _sayCertificates(self) -> bytes:
        """
        The Certificate message (RFC 8446, section 4.4.2; RFC 5246, section 7.4.2).
        """
        after = _vector(2, b"") if self._modern else b""
        entries = b"".join(_vector(3, each) + after for each in self._certificates)
        return self._say(_CERTIFICATE, (b"\0" if self._modern else b"") + _vector(3, entries))

    def _agree(self, share: bytes) -> tuple[bytes, bytes, bytes]:
        """
        Derive the secrets of a handshake, after its ServerHello (RFC 8446, section 7.1).

        @return: that of the client, that of the server, and what the application's come from.
        """
        early = _expandLabel(_hmac(bytes(32), bytes(32)), b"derived", _EMPTY, 32)
        secret = _hmac(early, self._key.exchange(X25519PublicKey.from_public_bytes(share)))
        context = _hash(self._transcript)
        return (
            _expandLabel(secret, b"c hs traffic", context, 32),
            _expandLabel(secret, b"s hs traffic", context, 32),
            _hmac(_expandLabel(secret, b"derived", _EMPTY, 32), bytes(32)),
        )


def _hello(body: bytes, suites: int) -> tuple[bytes, dict[int, bytes]]:
    """
    Read what matters of a ClientHello or a ServerHello: the session, and the extensions.

    @param suites: how many octets say how long the list of suites is: 2, or 0 where there is one suite.
    """
    end = 35 + body[34]
    session, rest = body[35:end], body[end:]
    if suites:
        rest = rest[2 + int.from_bytes(rest[:2], "big") :]
        rest = rest[1 + rest[0] :]
    else:
        rest = rest[3:]
    rest = rest[2:]
    found = {}
    while rest:
        length = int.from_bytes(rest[2:4], "big")
        found[int.from_bytes(rest[:2], "big")] = rest[4 : 4 + length]
        rest = rest[4 + length :]
    return session, found


def _sharesOf(data: bytes) -> bytes:
    """
    The share of a client for X25519.
    """
    rest = data[2:]
    while rest[:2] != _X25519:
        rest = rest[4 + int.from_bytes(rest[2:4], "big") :]
    return rest[4:36]


class RawServer(RawPeer):
    """
    A server that shows certificates to a client.
    """

    def _message(self, kind: int, body: bytes) -> bytes:
        if kind != _CLIENT_HELLO:
            return b""
        session, extensions = _hello(body, 2)
        hello = b"\3\3" + os.urandom(32)
        suite = _SUITES[self._modern] + b"\0"
        if not self._modern:
            secure = _extension(0xFF01, b"\0")
            return self._say(_SERVER_HELLO, hello + b"\0" + suite + _vector(2, secure)) + (
                self._sayCertificates()
            )
        chosen = _extension(43, b"\3\4") + _extension(51, _X25519 + _vector(2, self._share))
        said = self._say(_SERVER_HELLO, hello + _vector(1, session) + suite + _vector(2, chosen))
        theirs, ours, _ = self._agree(_sharesOf(extensions[51]))
        self._reading, self._writing = _Keys(theirs), _Keys(ours)
        return said + self._say(_ENCRYPTED_EXTENSIONS, _vector(2, b"")) + self._sayCertificates()


class RawClient(RawPeer):
    """
    A client that shows certificates to a server.
    """

    _master = b""

    def start(self) -> bytes:
        """
        A ClientHello.
        """
        schemes = b"".join(each.to_bytes(2, "big") for each in (0x0403, 0x0503, 0x0804, 0x0401, 0x0807))
        extensions = (
            _extension(10, _vector(2, _X25519 + b"\0\x17"))
            + _extension(11, b"\1\0")
            + _extension(13, _vector(2, schemes))
            + _extension(0xFF01, b"\0")
        )
        session = b""
        if self._modern:
            session = os.urandom(32)
            extensions += _extension(43, b"\2\3\4") + _extension(
                51, _vector(2, _X25519 + _vector(2, self._share))
            )
        hello = b"\3\3" + os.urandom(32) + _vector(1, session) + _vector(2, _SUITES[self._modern])
        return self._say(_CLIENT_HELLO, hello + b"\1\0" + _vector(2, extensions))

    def _message(self, kind: int, body: bytes) -> bytes:
        if kind == _SERVER_HELLO and self._modern:
            shared = _hello(body, 0)[1][51][4:]
            ours, theirs, self._master = self._agree(shared)
            self._reading, self._writing = _Keys(theirs), _Keys(ours)
        elif kind == _SERVER_HELLO_DONE:
            return self._sayCertificates()
        elif kind == _FINISHED and self._modern:
            secret = _expandLabel(self._master, b"s ap traffic", _hash(self._transcript), 32)
            self._reading = _Keys(secret)
            return self._sayCertificates()
        return b""
