"""
Making keys and certificates (RFC 5280): self-signed ones, a CA, and what a CA issues to servers and clients.

Pure but for the random numbers: values come in, values go out, and nothing is read or written.  What is made
passes OpenSSL's X509_STRICT.  A CA signs certificates and revocation lists and nothing else, and no CA may be
below it; what it issues is for servers or for clients, never for both, and does not outlive it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from xtls.trust.alternatives import generalName, hostName, mailbox, obviousName, uri
from xtls.trust.certificates import KeyPair, PrivateKey

__all__ = [
    "AUTHORITY_DAYS",
    "KEY_KINDS",
    "LEAF_DAYS",
    "Person",
    "PublicKey",
    "Template",
    "authorityKeyIdentifier",
    "digestFor",
    "keyUsage",
    "newAuthority",
    "newClient",
    "newKey",
    "newServer",
    "selfSigned",
    "sign",
    "timeNow",
]

#: How long a certificate is valid unless something else is said, in days; and a CA's.
LEAF_DAYS: Final = 365
AUTHORITY_DAYS: Final = 3650

#: The kinds of keys that there are to choose from; the first is the default.
KEY_KINDS: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}

#: How far a new certificate reaches back, for the sake of clocks that are behind.
_BACKDATED: Final = timedelta(hours=1)

#: How many characters a Common Name, and the name of an organization or a unit, has at most (RFC 5280,
#: appendix A.1: ub-common-name and its like).
_LONGEST_NAME: Final = 64

PublicKey: TypeAlias = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)

Extensions: TypeAlias = Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True)
class Template:
    """
    What a certificate is to say, but for its serial number, its dates and who signs it.

    @ivar subject: whose it is.
    @ivar extensions: what it says besides, each with whether it is critical; without the identifiers of keys.
    """

    subject: x509.Name
    extensions: Extensions = ()


@dataclass(frozen=True)
class Person:
    """
    Whom a client's certificate is for.

    @ivar name: the Common Name, such as C{alice}, C{alice@example.org} or C{backup.example.org}.
    @ivar organization: O, if any.
    @ivar units: OU.
    @ivar emails: addresses.
    @ivar dnsNames: host names.
    @ivar uris: URIs.
    """

    name: str
    organization: str = ""
    units: Sequence[str] = ()
    emails: Sequence[str] = ()
    dnsNames: Sequence[str] = ()
    uris: Sequence[str] = ()


def newKey(kind: str = "p256") -> PrivateKey:
    """
    Make a key.

    @param kind: one of L{KEY_KINDS}.
    @raise ValueError: if there is no such kind.
    """
    if kind not in KEY_KINDS:
        raise ValueError(f"expected one of {', '.join(KEY_KINDS)}")
    return KEY_KINDS[kind]()


def timeNow() -> datetime:
    """
    The time, in whole seconds as certificates have it.
    """
    return datetime.now(timezone.utc).replace(microsecond=0)


def selfSigned(
    names: Sequence[str],
    *,
    days: int = LEAF_DAYS,
    key: PrivateKey | None = None,
    commonName: str | None = None,
    now: datetime | None = None,
) -> KeyPair:
    """
    Make a self-signed certificate for a server: it is no CA, and signs nothing else.

    @param names: host names and addresses that it is for; at least one.
    @param days: how long it is valid from now.
    @param key: its key; by default, a new one on P-256.
    @param commonName: its subject; by default, the first name.
    @param now: when it is made; by default, now.
    @raise ValueError: if a name is neither a host name nor an address, or there is none.
    """
    signer = key or newKey()
    template = _serverTemplate(names, commonName)
    return KeyPair(sign(template, signer.public_key(), signer, days=days, now=now), signer)


def newAuthority(
    commonName: str, *, days: int = AUTHORITY_DAYS, key: PrivateKey | None = None, now: datetime | None = None
) -> KeyPair:
    """
    Make a CA: the certificate that clients or servers are given to believe.

    @param commonName: what it is called.
    @param days: how long it is valid from now.
    @param key: its key; by default, a new one on P-256.
    @raise ValueError: if it cannot be called that.
    """
    signer = key or newKey()
    extensions = [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (keyUsage(certificateSign=True), True),
    ]
    template = Template(_subject([(NameOID.COMMON_NAME, commonName)]), extensions)
    return KeyPair(sign(template, signer.public_key(), signer, days=days, now=now), signer)


def newServer(
    authority: KeyPair,
    names: Sequence[str],
    *,
    days: int = LEAF_DAYS,
    key: PrivateKey | None = None,
    now: datetime | None = None,
) -> KeyPair:
    """
    Issue a certificate to a server.

    @param authority: who signs.
    @param names: host names and addresses that it is for; at least one.
    @raise ValueError: if a name is neither a host name nor an address, there is none, or the CA has expired.
    """
    own = key or newKey()
    template = _serverTemplate(names)
    certificate = sign(template, own.public_key(), authority, days=days, now=now)
    return _issued(certificate, own, authority)


def newClient(
    authority: KeyPair,
    person: Person,
    *,
    days: int = LEAF_DAYS,
    key: PrivateKey | None = None,
    now: datetime | None = None,
) -> KeyPair:
    """
    Issue a certificate to a client.

    @param authority: who signs.
    @param person: whom it is for.
    @raise ValueError: if the person cannot be called that, or the CA has expired.
    """
    own = key or newKey()
    template = _clientTemplate(person)
    certificate = sign(template, own.public_key(), authority, days=days, now=now)
    return _issued(certificate, own, authority)


def _issued(certificate: x509.Certificate, key: PrivateKey, authority: KeyPair) -> KeyPair:
    """
    What was issued, with the chain to send after it: all CAs but the root, which peers have.
    """
    above = (authority.certificate, *authority.chain)
    return KeyPair(certificate, key, tuple(each for each in above if each.issuer != each.subject))


def sign(
    template: Template,
    public: PublicKey,
    issuer: KeyPair | PrivateKey,
    *,
    days: int,
    now: datetime | None = None,
) -> x509.Certificate:
    """
    Make a certificate of a template, with a random serial number.

    @param public: whose certificate it is.
    @param issuer: the CA; or the key that belongs to C{public}, which signs its own certificate.
    @param days: how long it is valid; no longer than the CA.
    @raise ValueError: if there is no day left.
    """
    if days < 1:
        raise ValueError("expected at least one day")
    begin = (now or timeNow()).replace(microsecond=0)
    first, last = begin - _BACKDATED, begin + timedelta(days=days)
    if isinstance(issuer, KeyPair):
        above = issuer.certificate
        name, signer, identifier = above.subject, issuer.key, authorityKeyIdentifier(above)
        first, last = max(first, above.not_valid_before_utc), min(last, above.not_valid_after_utc)
        if last <= begin:
            raise ValueError(f"the CA has expired, on {above.not_valid_after_utc:%Y-%m-%d}")
    else:
        name, signer = template.subject, issuer
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )
    for extension, critical in template.extensions:
        builder = builder.add_extension(extension, critical=critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return builder.add_extension(identifier, critical=False).sign(signer, digestFor(signer))


def _serverTemplate(names: Sequence[str], commonName: str | None = None) -> Template:
    """
    What a server's certificate says.

    @param commonName: its subject; by default, the first name, cut to the length that there is room for.
    """
    if not names:
        raise ValueError("expected at least one name")
    alternatives = list(dict.fromkeys(generalName(name) for name in names))
    subject = _subject([(NameOID.COMMON_NAME, commonName or str(alternatives[0].value)[:_LONGEST_NAME])])
    return Template(subject, _leafExtensions(alternatives, ExtendedKeyUsageOID.SERVER_AUTH))


def _clientTemplate(person: Person) -> Template:
    """
    What a client's certificate says.  One that has no other name has its subject for a subjectAltName.
    """
    attributes = [
        *[(NameOID.ORGANIZATION_NAME, each) for each in [person.organization] if each],
        *[(NameOID.ORGANIZATIONAL_UNIT_NAME, each) for each in person.units],
        (NameOID.COMMON_NAME, person.name),
    ]
    subject = _subject(attributes)
    alternatives: list[x509.GeneralName] = [mailbox(each) for each in person.emails]
    alternatives += [hostName(each) for each in person.dnsNames]
    alternatives += [uri(each) for each in person.uris]
    if not alternatives:
        alternatives = [obviousName(person.name) or x509.DirectoryName(subject)]
    alternatives = list(dict.fromkeys(alternatives))
    return Template(subject, _leafExtensions(alternatives, ExtendedKeyUsageOID.CLIENT_AUTH))


def _leafExtensions(alternatives: Iterable[x509.GeneralName], usage: ObjectIdentifier) -> Extensions:
    """
    What a certificate says that is for one use, and is no CA.
    """
    return (
        (x509.SubjectAlternativeName(alternatives), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (keyUsage(digitalSignature=True), True),
        (x509.ExtendedKeyUsage([usage]), False),
    )


def _subject(attributes: Iterable[tuple[ObjectIdentifier, str]]) -> x509.Name:
    """
    A distinguished name.

    @raise ValueError: if one of its parts cannot be one.
    """
    found = []
    for kind, text in attributes:
        if not text.strip() or not text.isprintable() or len(text) > _LONGEST_NAME:
            raise ValueError(f"{text!r} is no name: expected 1 to {_LONGEST_NAME} printable characters")
        found.append(x509.NameAttribute(kind, text))
    return x509.Name(found)


def keyUsage(*, digitalSignature: bool = False, certificateSign: bool = False) -> x509.KeyUsage:
    """
    What a key may do: sign handshakes, or sign certificates and revocation lists (RFC 5280, section 4.2.1.3).
    """
    return x509.KeyUsage(
        digital_signature=digitalSignature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificateSign,
        crl_sign=certificateSign,
        encipher_only=False,
        decipher_only=False,
    )


def authorityKeyIdentifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """
    How what a CA signs refers to its key (RFC 5280, section 4.2.1.1): as the CA itself does.
    """
    try:
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        own = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def digestFor(key: PrivateKey) -> hashes.SHA256 | None:
    """
    The digest to sign with: EdDSA has its own.
    """
    return None if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)) else hashes.SHA256()
