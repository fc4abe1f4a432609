"""
What a peer speaks, told by the first octets that it sends.  Pure: octets in, an answer out.

Each protocol has a I{signature}: a function from a prefix to the protocol ("it is"), L{NEED_DATA}
("so far it may be") or L{None} ("it is not").  The signatures exclude one another, and none takes
an answer back as the prefix grows; so neither does L{detect}, however the octets were cut into
segments.  What no signature knows is L{RAW <Detected.RAW>}, and that is certain as soon as the last
signature has said no: mostly with the first octet.

How HTTP is told from raw text that happens to begin alike ("GETTING STARTED", "GET ready"): the
method must be a registered one, in upper case, followed by exactly one space, and then by what the
standard allows there (RFC 9112, section 3.2):

  - C{/}: the origin form, such as C{GET /index.html};
  - C{http:} or C{https:}, in any case: the absolute form, as a proxy is asked;
  - C{* HTTP}: the asterisk form, of OPTIONS and of HTTP/2's preface (RFC 9113, section 3.4);
  - after CONNECT, and only there, an authority: C{host:digit}, or as many octets that a host may
    have as fit into L{LONGEST_SIGNATURE} (a host has no bound of its own).

A line that begins C{GET /} is thus HTTP, whatever follows; the parser of requests says no to the
rest.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Literal

__all__ = ["LONGEST_SIGNATURE", "NEED_DATA", "Detected", "detect"]


class Detected(Enum):
    """
    What a peer speaks.  The value is how it is called in logs and answers.
    """

    #: A TLS ClientHello (RFC 8446, section 4.1.2).
    TLS = "a TLS ClientHello"
    #: An HTTP request (RFC 9112).
    HTTP = "an HTTP request"
    #: An SSH client's version string (RFC 4253, section 4.2).
    SSH = "an SSH client"
    #: The remote framebuffer protocol's version string (RFC 6143, section 7.1.1).
    RFB = "an RFB version"
    #: The head of a packet of xpra's own protocol.
    XPRA = "an xpra packet"
    #: The connection request of a remote desktop client ([MS-RDPBCGR], section 2.2.1.1).
    RDP = "an RDP connection request"
    #: Anything else.
    RAW = "something else"
    #: Nothing at all, until the time was over or the peer had said that it will not send.
    SILENCE = "nothing"


class _NeedData(Enum):
    """
    The type of L{NEED_DATA}.
    """

    NEED_DATA = "NEED_DATA"


#: The answer of L{detect} while several are possible.
NEED_DATA: Final = _NeedData.NEED_DATA

#: Octets after which L{detect} always has an answer: the longest method, a space and C{https:}.
LONGEST_SIGNATURE: Final = 24

_Answer = Detected | Literal[_NeedData.NEED_DATA]

#: The IANA registry of HTTP methods (RFC 9110, section 16.1.1), and PRI (RFC 9113, section 3.4),
#: which it reserves.
_METHODS: Final = frozenset(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK"
    b" MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH"
    b" POST PRI PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK"
    b" UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)

#: Every beginning of a method, for a prefix that ends within one.
_BEGINNINGS: Final = frozenset(method[:length] for method in _METHODS for length in range(len(method) + 1))

#: The beginnings of a request target other than CONNECT's (RFC 9112, section 3.2), in lower case.
_TARGETS: Final = (b"/", b"http:", b"https:", b"* http")

#: The octets of a host (RFC 3986, section 3.2.2): names, IPv4 addresses, bracketed IPv6 addresses
#: with zones.
_HOST: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%[]:")

#: The largest record (RFC 8446, section 5.1).
_LARGEST_RECORD: Final = 2**14

#: The payload sizes that the head of an xpra packet may announce.
_XPRA_SIZES: Final = range(8, 256 * 2**20 + 1)


def detect(prefix: bytes, final: bool = False) -> _Answer:
    """
    Decide from the first octets of a connection.

    The answer never changes as C{prefix} grows: L{NEED_DATA} until it is certain, then the same
    L{Detected} for ever; certain after at most L{LONGEST_SIGNATURE} octets.

    @param prefix: everything that has arrived so far, or at least its first L{LONGEST_SIGNATURE}
        octets.
    @param final: no more will come, or will be waited for: what is not certain then is L{RAW
        <Detected.RAW>}, and nothing at all is L{SILENCE <Detected.SILENCE>}.
    """
    prefix = prefix[:LONGEST_SIGNATURE]
    undecided = not prefix
    for signature in _SIGNATURES.get(prefix[:1], ()):
        answer = signature(prefix)
        if isinstance(answer, Detected):
            return answer
        undecided = undecided or answer is NEED_DATA
    if final:
        return Detected.RAW if prefix else Detected.SILENCE
    return NEED_DATA if undecided else Detected.RAW


def _begins(prefix: bytes, literal: bytes) -> bool:
    """
    Whether C{prefix} agrees with C{literal} as far as both go.
    """
    return literal.startswith(prefix[: len(literal)])


def _tls(prefix: bytes) -> _Answer | None:
    """
    A handshake record of any version, with a possible length, that begins with a ClientHello (RFC
    8446, sections 5.1 and 4): six octets.  The hello itself may be spread over several records.
    """
    if not _begins(prefix, b"\x16\x03"):
        return None
    if prefix[2:3] > b"\x04":
        return None
    if prefix[3:4] > bytes([_LARGEST_RECORD >> 8]):
        return None
    if len(prefix) >= 5 and not 1 <= int.from_bytes(prefix[3:5], "big") <= _LARGEST_RECORD:
        return None
    if not _begins(prefix[5:], b"\x01"):
        return None
    return Detected.TLS if len(prefix) >= 6 else NEED_DATA


def _http(prefix: bytes) -> _Answer | None:
    """
    A request line, as far as the module's text says.
    """
    method, space, target = prefix.partition(b" ")
    if not space:
        return NEED_DATA if method in _BEGINNINGS else None
    if method not in _METHODS:
        return None
    if method == b"CONNECT":
        return _authority(target[: LONGEST_SIGNATURE - len(b"CONNECT ")])
    target = target[:6].lower()
    if any(target.startswith(beginning) for beginning in _TARGETS):
        return Detected.HTTP
    return NEED_DATA if any(_begins(target, beginning) for beginning in _TARGETS) else None


def _authority(target: bytes) -> _Answer | None:
    """
    The target of CONNECT: C{host:port} (RFC 9112, section 3.2.3).

    @param target: what follows the space, up to L{LONGEST_SIGNATURE}.
    """
    if target[:1] == b":":
        return None
    bracketed = target[:1] == b"["
    for index, octet in enumerate(target):
        colon = octet == ord(":") and (not bracketed or target[index - 1 : index] == b"]")
        if colon:
            port = target[index + 1 : index + 2]
            if port:
                return Detected.HTTP if port.isdigit() else None
        elif octet not in _HOST:
            return None
    return Detected.HTTP if len(target) == LONGEST_SIGNATURE - len(b"CONNECT ") else NEED_DATA


def _literal(detected: Detected, *literals: bytes) -> Callable[[bytes], _Answer | None]:
    """
    The signature of a protocol that begins with one of some fixed octets.
    """

    def signature(prefix: bytes) -> _Answer | None:
        if prefix.startswith(literals):
            return detected
        return NEED_DATA if any(_begins(prefix, literal) for literal in literals) else None

    return signature


def _xpra(prefix: bytes) -> _Answer | None:
    """
    The head of an uncompressed or compressed first packet: C{P}, known flags, any compression,
    chunk 0, a size. Eight octets.
    """
    if not _begins(prefix, b"P"):
        return None
    if prefix[1:2] > b"\x1f" or not _begins(prefix[3:], b"\0"):
        return None
    if len(prefix) < 8:
        # The first octet of the size is at most 0x10 (256 MiB).
        return None if prefix[4:5] > b"\x10" else NEED_DATA
    return Detected.XPRA if int.from_bytes(prefix[4:8], "big") in _XPRA_SIZES else None


def _rdp(prefix: bytes) -> _Answer | None:
    """
    A TPKT head (RFC 1006, section 6) and the code of an X.224 connection request, whose two lengths
    agree: six octets.
    """
    if not _begins(prefix, b"\x03\x00\x00"):
        return None
    if len(prefix) >= 5 and (prefix[3] < 11 or prefix[4] != prefix[3] - 5):
        return None
    if not _begins(prefix[5:], b"\xe0"):
        return None
    return Detected.RDP if len(prefix) >= 6 else NEED_DATA


#: All signatures.
_ALL: Final[tuple[Callable[[bytes], _Answer | None], ...]] = (
    _tls,
    _http,
    _literal(Detected.SSH, b"SSH-2.0-", b"SSH-1."),
    _literal(Detected.RFB, b"RFB 00"),
    _xpra,
    _rdp,
)

#: Those that do not say no to a first octet, by that octet: for most there are none.
_SIGNATURES: Final = {
    first: signatures
    for first in (bytes([octet]) for octet in range(256))
    if (signatures := tuple(each for each in _ALL if each(first) is not None))
}
