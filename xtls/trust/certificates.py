"""
Certificates and keys: reading them from files and data, and writing them.  L{xtls.trust.issuing} makes them.

A certificate file may hold the certificate, its chain and its key, in any order, with text between
them, as C{openssl} and C{cat} make such files.  Every problem is a L{CertificateFileError} that names
the file; passphrases and keys are in no message and no repr.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from xtls.errors import CertificateFileError
from xtls.trust.files import readFile, writePrivate

__all__ = [
    "NO_KEY",
    "NO_PASSPHRASE",
    "KeyPair",
    "PrivateKey",
    "fingerprint",
    "keyToPEM",
    "loadCertificates",
    "loadKeyPair",
    "parseCertificates",
    "readBundle",
    "replaceCertificate",
    "subjectAlternativeNames",
    "toPEM",
    "writePrivate",
]

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)

_KEY_TYPES = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)

#: The labels of certificates (RFC 7468, section 5) and of keys (section 10, and what OpenSSL wrote before).
_CERTIFICATE_BEGINS: Final = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----")
_CERTIFICATE: Final = re.compile(rb"-----BEGIN ((?:X509 )?CERTIFICATE)-----[^-]*-----END \1-----", re.DOTALL)
_KEY: Final = re.compile(
    rb"-----BEGIN ((?:ENCRYPTED |RSA |EC |DSA )?PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL
)

#: What is wrong with a file of keys, where it is another option that mends it.
NO_KEY: Final = "no private key in it"
NO_PASSPHRASE: Final = "the private key is encrypted, and no passphrase is given"

#: What cryptography warns of when it reads certificates: CAs that every system believes have such, and peers
#: may show such, as often as they like.
_ODDITIES: Final = "Parsed a serial number|The parsed certificate contained|Attribute's length must be"

#: Who reads them.
_READERS: Final = r"xtls\.trust\.|OpenSSL\.crypto"


def _keepToOurselves() -> None:
    """
    Have nobody warned of what is odd in certificates that others made: who is warned cannot change it.
    """
    warnings.filterwarnings("ignore", _ODDITIES, UserWarning, _READERS)


_keepToOurselves()


@dataclass(frozen=True)
class KeyPair:
    """
    A certificate, its key and its chain.

    @ivar certificate: the end-entity certificate.
    @ivar key: its private key.
    @ivar chain: the other certificates of the file, in its order.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()


def parseCertificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """
    Read a bundle of certificates in PEM, or one in DER.

    @return: at least one certificate, in the order of the data.
    @raise ValueError: if there is none, or one of them cannot be read.
    """
    begun = len(_CERTIFICATE_BEGINS.findall(data))
    if not begun and data[:1] != b"\x30":
        raise ValueError("no certificate in it: expected PEM or DER")
    try:
        if begun:
            found = tuple(x509.load_pem_x509_certificate(each[0]) for each in _CERTIFICATE.finditer(data))
        else:
            found = (x509.load_der_x509_certificate(data),)
    except (ValueError, x509.InvalidVersion) as e:
        raise ValueError("a certificate in it cannot be read") from e
    if begun and len(found) != begun:
        raise ValueError("a certificate in it is cut short")
    return found


def readBundle(path: str) -> tuple[tuple[x509.Certificate, ...], bool]:
    """
    Read a file of certificates, once: it may be a pipe.

    @return: at least one certificate, in the order of the file; and whether it holds a private key in PEM.
    @raise CertificateFileError: if it cannot be read or holds no certificate.
    """
    data = readFile(path)
    try:
        return parseCertificates(data), _KEY.search(data) is not None
    except ValueError as e:
        raise CertificateFileError(path, str(e)) from None


def loadCertificates(path: str) -> tuple[x509.Certificate, ...]:
    """
    Read a file of certificates.

    @return: at least one certificate, in the order of the file.
    @raise CertificateFileError: if it cannot be read or holds none.
    """
    return readBundle(path)[0]


def _parseKey(data: bytes, password: bytes) -> PrivateKey:
    """
    Read the first private key of a file's contents.

    @raise ValueError: saying what is wrong.
    """
    block = _KEY.search(data)
    if block is None and (b"-----BEGIN" in data or data[:1] != b"\x30"):
        raise ValueError(NO_KEY)
    load = serialization.load_der_private_key if block is None else serialization.load_pem_private_key
    text = data if block is None else block[0]
    for attempt in (password or None, None):
        try:
            key = load(text, attempt)
        except TypeError:
            # a passphrase is missing, or was given in vain
            continue
        except (ValueError, UnsupportedAlgorithm):
            why = "wrong passphrase, or damaged" if attempt else "damaged, or of a kind that is not supported"
            raise ValueError(f"the private key in it cannot be read: {why}") from None
        if isinstance(key, _KEY_TYPES):
            return key
        raise ValueError("the private key is of a kind that is not supported: expected EC, RSA or EdDSA")
    raise ValueError(NO_PASSPHRASE)


def holdsKey(path: str) -> bool:
    """
    Whether a file holds a private key in PEM.

    @raise CertificateFileError: if it cannot be read.
    """
    return _KEY.search(readFile(path)) is not None


def loadKeyPair(certPath: str, keyPath: str = "", password: bytes = b"") -> KeyPair:
    """
    Read a certificate with its chain and its key.

    The certificate is the one that the key belongs to, wherever in the file it stands.

    @param certPath: the certificate and its chain, and the key too when C{keyPath} is empty.
    @param password: the key's passphrase; ignored when it has none.
    @raise CertificateFileError: if a file cannot be read, or they do not belong together.
    """
    data = readFile(certPath)  # once: it may be a pipe
    try:
        certificates = parseCertificates(data)
    except ValueError as e:
        raise CertificateFileError(certPath, str(e)) from None
    source = keyPath or certPath
    try:
        key = _parseKey(data if source == certPath else readFile(source), password)
    except ValueError as e:
        raise CertificateFileError(source, str(e)) from None
    public = key.public_key()
    for index, certificate in enumerate(certificates):
        if _publicKey(certificate, certPath) == public:
            return KeyPair(certificate, key, certificates[:index] + certificates[index + 1 :])
    raise CertificateFileError(source, f"the private key does not belong to the certificate in {certPath}")


def _publicKey(certificate: x509.Certificate, path: str) -> object:
    """
    The public key of a certificate read from a file.
    """
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateFileError(path, "the public key of a certificate in it cannot be read") from None


def toPEM(pair: KeyPair, includeKey: bool = True) -> bytes:
    """
    Write a certificate, its chain and, when asked, its key, unencrypted: L{loadKeyPair} reads it.
    """
    parts = [each.public_bytes(serialization.Encoding.PEM) for each in (pair.certificate, *pair.chain)]
    if includeKey:
        parts.append(keyToPEM(pair.key))
    return b"".join(parts)


def replaceCertificate(data: bytes, old: x509.Certificate, new: x509.Certificate) -> bytes:
    """
    The contents of a file of certificates with one in the place of another; all else stays as it is.
    """
    if not _CERTIFICATE_BEGINS.search(data):
        return new.public_bytes(serialization.Encoding.DER)
    text = new.public_bytes(serialization.Encoding.PEM).strip()
    return _CERTIFICATE.sub(
        lambda found: text if x509.load_pem_x509_certificate(found[0]) == old else found[0], data
    )


def keyToPEM(key: PrivateKey, password: bytes = b"") -> bytes:
    """
    Write a key.

    @param password: what to encrypt it with; empty for nothing.
    """
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def fingerprint(certificate: x509.Certificate) -> str:
    """
    The SHA-256 of a certificate, as people compare it: C{SHA256:AA:BB:…}.
    """
    return "SHA256:" + certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def subjectAlternativeNames(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    The DNS names and addresses in a certificate's subjectAltName, as text and not checked.

    @raise ValueError: if the extension cannot be read.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except x509.DuplicateExtension as e:
        raise ValueError(str(e)) from e
    return tuple(str(each.value) for each in names if isinstance(each, (x509.DNSName, x509.IPAddress)))
