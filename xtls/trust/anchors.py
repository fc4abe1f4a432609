"""
Trust anchors: whose signature is believed (RFC 5280, section 6.1.1), as the user said, or the system.

Certificates that the user named are read at once, so that what is missing or damaged is an error before
anything connects, and never an empty set of anchors.  The system's are left to OpenSSL, which is told
where they are.  A server never believes the system's CAs about its clients: any of them could make a
client that it lets in.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography import x509
from twisted.logger import Logger

from xtls.config.locations import CA_NAME, findDefaultCA
from xtls.config.options import Side, TLSOptions
from xtls.errors import CertificateFileError
from xtls.trust.certificates import parseCertificates
from xtls.trust.files import readFile

__all__ = ["SYSTEM_DIRECTORIES", "SYSTEM_FILES", "TrustAnchors", "trustAnchors"]

_log = Logger()

#: Where systems keep their CAs, in one file.
SYSTEM_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Gentoo, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, the BSDs, macOS
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)

#: Where systems keep them one by one, under the hashes by which OpenSSL looks for them.
SYSTEM_DIRECTORIES: Final = ("/etc/ssl/certs", "/etc/pki/tls/certs")

#: The name of a certificate in such a directory.
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")

_REVOCATIONS: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)

#: Files of a directory that hold certificates or revocation lists, by their names.
_IN_DIRECTORY: Final = re.compile(r".*\.(pem|crt|cer|crl|der|r?[0-9]+)", re.IGNORECASE)

#: Those of them that are meant to be revocation lists: to pass over one would let in who is on it.
_LISTS: Final = re.compile(r".*crl.*|.*\.r[0-9]+", re.IGNORECASE)

#: What is said of a place without revocation lists.
_NO_LISTS: Final = "no revocation list in it"


@dataclass(frozen=True)
class TrustAnchors:
    """
    Whom to believe.

    @ivar certificates: the anchors that the user gave.
    @ivar revocations: the revocation lists that came with them.
    @ivar files: the system's, as files in PEM.
    @ivar directories: the system's, as directories that OpenSSL looks into by hash.
    @ivar read: the files and directories that the user's were read from.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    def __or__(self, other: TrustAnchors) -> TrustAnchors:
        """
        Either's, each once.
        """
        return TrustAnchors(
            tuple(dict.fromkeys((*self.certificates, *other.certificates))),
            # these cannot be keys
            (*self.revocations, *(each for each in other.revocations if each not in self.revocations)),
            tuple(dict.fromkeys((*self.files, *other.files))),
            tuple(dict.fromkeys((*self.directories, *other.directories))),
            tuple(dict.fromkeys((*self.read, *other.read))),
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """
        All files and directories that anchors come from.
        """
        return (*self.read, *self.files, *self.directories)

    @property
    def system(self) -> bool:
        """
        Whether the system's CAs are among them.
        """
        return bool(self.files or self.directories)

    @property
    def given(self) -> bool:
        """
        Whether the user gave them, all of them.
        """
        return bool(self.certificates) and not self.system

    def hasRevokedItself(self, certificate: x509.Certificate) -> bool:
        """
        Whether an anchor that signed itself is on a list of its own.  OpenSSL before 4.0 looks for that in
        each handshake; since then it does not.
        """
        try:
            subject = certificate.subject
            if certificate.issuer != subject:
                return False
        except (ValueError, TypeError):  # that cannot be read, and so no list has the same
            return False
        return any(
            each.issuer == subject
            and each.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
            for each in self.revocations
        )


def trustAnchors(options: TLSOptions, side: Side, environ: Mapping[str, str] | None = None) -> TrustAnchors:
    """
    Read the trust anchors that the options name, and the revocation lists.

    @param side: which side we are.  A server that is given none gets none.
    @param environ: the environment; by default, that of the process.
    @raise OptionError: if they cannot be read, or there are none in what was given.
    """
    anchors = _namedAnchors(options, side, environ)
    lists = (*anchors.revocations, *_revocationLists(options))
    return replace(anchors, revocations=lists, read=(*anchors.read, *options.crl))


def _namedAnchors(options: TLSOptions, side: Side, environ: Mapping[str, str] | None) -> TrustAnchors:
    """
    Read the trust anchors, with the revocation lists that stand beside them.
    """
    variables = os.environ if environ is None else environ
    certificates: list[x509.Certificate] = []
    revocations: list[x509.CertificateRevocationList] = []
    if options.caData:
        try:
            found = _parse(options.caData)
        except ValueError as e:
            raise options.error("caData", str(e)) from None
        certificates.extend(found[0])
        revocations.extend(found[1])
        if not certificates:
            raise options.error("caData", "no certificate in it")
    if options.caCerts == "default":
        if side is Side.SERVER or (options.caData and not options.given("caCerts")):
            return _anchors(certificates, revocations)
        files, directories = _system(options, variables)
        return _anchors(certificates, revocations, files, directories)
    path = _authorityFile(options, variables) if options.caCerts == "auto" else options.caCerts
    try:
        found = _loadDirectory(Path(path)) if os.path.isdir(path) else _parse(readFile(path))
    except CertificateFileError as e:
        raise options.error("caCerts", str(e)) from None
    except ValueError as e:
        raise options.error("caCerts", f"{path}: {e}") from None
    if not found[0]:
        raise options.error("caCerts", f"{path}: no certificate in it")
    return _anchors([*certificates, *found[0]], [*revocations, *found[1]], read=(path,))


_Found = tuple[list[x509.Certificate], list[x509.CertificateRevocationList]]


def _anchors(
    certificates: list[x509.Certificate],
    revocations: list[x509.CertificateRevocationList],
    files: tuple[str, ...] = (),
    directories: tuple[str, ...] = (),
    read: tuple[str, ...] = (),
) -> TrustAnchors:
    """
    Each anchor once, in the order in which they were given.
    """
    return TrustAnchors(tuple(dict.fromkeys(certificates)), tuple(revocations), files, directories, read)


def _parse(data: bytes) -> _Found:
    """
    Read certificates and revocation lists in PEM, or one of either in DER.

    @raise ValueError: if something in it cannot be read.
    """
    lists = _REVOCATIONS.findall(data)
    try:
        revocations = [x509.load_pem_x509_crl(block) for block in lists]
    except ValueError:
        raise ValueError("a revocation list in it cannot be read") from None
    if data.count(b"-----BEGIN X509 CRL-----") != len(lists):
        raise ValueError("a revocation list in it is cut short")
    if revocations and b"CERTIFICATE-----" not in data:
        return [], revocations
    try:
        return list(parseCertificates(data)), revocations
    except ValueError:
        if data[:1] != b"\x30":
            raise
        try:
            return [], [x509.load_der_x509_crl(data)]
        except ValueError:
            raise ValueError("it is neither a certificate nor a revocation list") from None


def _loadDirectory(directory: Path) -> _Found:
    """
    Read what a directory holds of certificates and revocation lists, whatever the files are called there.

    Keys that lie beside them are passed over, and so is what may not be read, unless it is called as a
    revocation list is.

    @raise ValueError: if one of them cannot be understood.
    @raise CertificateFileError: if the directory cannot be read, or a revocation list.
    """
    try:
        paths = sorted(each for each in directory.iterdir() if _IN_DIRECTORY.fullmatch(each.name))
    except OSError as e:
        raise CertificateFileError(str(directory), f"cannot be read: {e.strerror}") from None
    certificates: list[x509.Certificate] = []
    revocations: list[x509.CertificateRevocationList] = []
    for path in paths:
        try:
            data = readFile(path) if path.is_file() else b""
        except CertificateFileError as e:
            if _LISTS.fullmatch(path.name):
                raise
            _log.warn(
                "passed over among the trust anchors: {path}: {problem}", path=e.path, problem=e.problem
            )
            continue
        if not (data[:1] == b"\x30" or b"CERTIFICATE-----" in data or b"X509 CRL-----" in data):
            continue
        try:
            found = _parse(data)
        except ValueError as e:
            raise ValueError(f"{path.name}: {e}") from None
        certificates.extend(found[0])
        revocations.extend(found[1])
    return certificates, revocations


def _revocationLists(options: TLSOptions) -> tuple[x509.CertificateRevocationList, ...]:
    """
    Read the revocation lists that the options name apart from CAs.

    @raise OptionError: if they cannot be read, or there is none in what was named.
    """
    lists: list[x509.CertificateRevocationList] = []
    for path in options.crl:
        try:
            found = _loadDirectory(Path(path)) if os.path.isdir(path) else _parse(readFile(path))
            if not found[1]:
                raise CertificateFileError(path, _NO_LISTS)
        except CertificateFileError as e:
            raise options.error("crl", str(e)) from None
        except ValueError as e:
            raise options.error("crl", f"{path}: {e}") from None
        lists.extend(found[1])
    return tuple(lists)


def _authorityFile(options: TLSOptions, environ: Mapping[str, str]) -> str:
    """
    Find the file that C{auto} means.
    """
    found = findDefaultCA(environ)
    if found is None:
        raise options.error("caCerts", f"auto: there is no {CA_NAME} where certificates are looked for")
    return str(found)


def _system(options: TLSOptions, environ: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Find the system's CAs: where SSL_CERT_FILE and SSL_CERT_DIR say, if either is set; else where Python's own
    OpenSSL and the systems that are known keep them.  The OpenSSL that is used here may have come in a wheel,
    and know no place of this system.

    @return: files and directories, at least one.
    """
    namedFile = environ.get("SSL_CERT_FILE", "")
    namedDirectories = environ.get("SSL_CERT_DIR", "")
    if namedFile or namedDirectories:
        files = [namedFile] if os.path.isfile(namedFile) else []
        directories = [each for each in namedDirectories.split(os.pathsep) if _hasHashed(each)]
        if not (files or directories):
            raise options.error(
                "caCerts", "no certificates where SSL_CERT_FILE and SSL_CERT_DIR of the environment say"
            )
        return tuple(files), tuple(directories)
    built = ssl.get_default_verify_paths()
    files = [each for each in (built.openssl_cafile, *SYSTEM_FILES) if os.path.isfile(each)]
    directories = [each for each in (built.openssl_capath, *SYSTEM_DIRECTORIES) if _hasHashed(each)]
    if not (files or directories):
        raise options.error(
            "caCerts", "the system's certificates are not found: name a file of CAs, or set SSL_CERT_FILE"
        )
    return tuple(files[:1]), tuple(directories[:1])


def _hasHashed(directory: str) -> bool:
    """
    Whether OpenSSL can find anything in a directory.
    """
    try:
        return any(_HASHED.fullmatch(name) for name in os.listdir(directory or os.devnull))
    except OSError:
        return False
