"""
A certificate authority for tests: certificates as they should be, and as they should not.

Keys are on P-256, so that making them takes no time.  Nothing here is ever trusted by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

from xtls.trust.alternatives import generalName
from xtls.trust.certificates import KeyPair, PrivateKey
from xtls.trust.issuing import digestFor, keyUsage

__all__ = ["Authority", "Details"]

#: Long enough for any test, and never the last second of anything.
_VALID = timedelta(days=30)


def _now() -> datetime:
    """
    The time, in whole seconds as certificates have it.
    """
    return datetime.now(timezone.utc).replace(microsecond=0)


@dataclass(frozen=True)
class Details:
    """
    What a certificate says.  What is left as it is makes a good one for a server.

    @ivar commonName: the subject's Common Name; by default the first name, or none.
    @ivar notBefore: when it begins; by default, a day ago.
    @ivar notAfter: when it ends; by default, in thirty days.
    @ivar san: the subjectAltName: L{True}: the names; L{False}: none; general names as given; or the
        octets of the extension, however malformed.
    @ivar usage: the extended key usages; empty for none.
    @ivar signing: whether its key may sign handshakes, as key usage says; L{None} for no key usage.
    @ivar key: its key; by default, a new one.
    @ivar serial: its serial number; by default, a random one.
    @ivar selfSigned: signed by its own key, and not by the authority.
    @ivar ca: what its basic constraints say; L{None} for none.
    """

    commonName: str | None = None
    notBefore: datetime = field(default_factory=lambda: _now() - timedelta(days=1))
    notAfter: datetime = field(default_factory=lambda: _now() + _VALID)
    san: bool | bytes | Sequence[x509.GeneralName] = True
    usage: Sequence[ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    signing: bool | None = True
    key: PrivateKey | None = None
    serial: int | None = None
    selfSigned: bool = False
    ca: bool | None = None


def _name(commonName: str | None) -> x509.Name:
    """
    A distinguished name of one Common Name, or of nothing.
    """
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, commonName)] if commonName is not None else [])


class Authority:
    """
    A certificate authority.

    @ivar certificate: its certificate.
    @ivar key: its key.
    @ivar chain: the certificates to send after those that it issues: its own and those above it, but not the
        root's.  Empty for a root.
    """

    def __init__(
        self,
        commonName: str = "xtls test authority",
        *,
        issuer: Authority | None = None,
        pathLength: int | None = None,
        notAfter: datetime | None = None,
        withKeyUsage: bool = True,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> None:
        """
        @param issuer: who signs it; by default, itself.
        @param pathLength: how many CAs may be below it; by default, any number.
        @param notAfter: when it ends; by default, in thirty days.
        @param withKeyUsage: whether it says what its key is for, as RFC 5280 demands and many do not.
        @param extensions: further extensions, each with whether it is critical.
        """
        self.key: PrivateKey = ec.generate_private_key(ec.SECP256R1())
        self._issuer = issuer
        details = Details(
            commonName=commonName, san=False, usage=(), signing=None, key=self.key, selfSigned=issuer is None
        )
        if notAfter is not None:
            details = replace(details, notAfter=notAfter, notBefore=notAfter - _VALID)
        builder = _builder((), details)
        constraints = x509.BasicConstraints(ca=True, path_length=pathLength)
        builder = builder.add_extension(constraints, critical=True)
        if withKeyUsage:
            builder = builder.add_extension(keyUsage(certificateSign=True), critical=True)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        signer = self if issuer is None else issuer
        self.certificate: x509.Certificate = signer._sign(builder, details)
        self.chain: tuple[x509.Certificate, ...] = () if issuer is None else (self.certificate, *issuer.chain)

    @property
    def pem(self) -> bytes:
        """
        The authority's certificate in PEM.
        """
        return self.certificate.public_bytes(Encoding.PEM)

    def intermediate(self, commonName: str = "xtls test intermediate", **options: Any) -> Authority:
        """
        Make an authority below this one; the parameters are those of L{Authority}.
        """
        return Authority(commonName, issuer=self, **options)

    def issue(
        self, *names: str, clientAuth: bool = False, details: Details | None = None, **changes: Any
    ) -> KeyPair:
        """
        Issue a certificate.

        @param names: host names and addresses that it is for.
        @param clientAuth: for a client, and not for a server.
        @param details: what it says besides.
        @param changes: fields of L{Details} that differ from C{details}.
        """
        if clientAuth:
            changes.setdefault("usage", (ExtendedKeyUsageOID.CLIENT_AUTH,))
        details = replace(details or Details(), **changes)
        key = details.key or ec.generate_private_key(ec.SECP256R1())
        if details.commonName is None and names:
            details = replace(details, commonName=names[0][:64])
        details = replace(details, key=key)
        builder = _builder(names, details)
        if details.ca is not None:
            constraints = x509.BasicConstraints(ca=details.ca, path_length=None)
            builder = builder.add_extension(constraints, critical=True)
        if details.usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(details.usage), critical=False)
        if details.signing is not None:
            usage = keyUsage(digitalSignature=details.signing, certificateSign=not details.signing)
            builder = builder.add_extension(usage, critical=True)
        return KeyPair(self._sign(builder, details), key, () if details.selfSigned else self.chain)

    def revocations(
        self, *certificates: x509.Certificate, nextUpdate: datetime | None = None
    ) -> x509.CertificateRevocationList:
        """
        Make a revocation list (RFC 5280, section 5).

        @param certificates: those that are revoked.
        @param nextUpdate: until when the list is good; by default, thirty days.
        """
        end = nextUpdate or _now() + _VALID
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(min(end, _now()) - timedelta(days=1))
            .next_update(end)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(self._authorityKeyIdentifier(), critical=False)
        )
        for each in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.serial_number)
                .revocation_date(_now() - timedelta(hours=1))
                .build()
            )
        return builder.sign(self.key, digestFor(self.key))

    def _authorityKeyIdentifier(self) -> x509.AuthorityKeyIdentifier:
        """
        How what this authority signs refers to its key.
        """
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())

    def _sign(self, builder: x509.CertificateBuilder, details: Details) -> x509.Certificate:
        """
        Add who signs, and sign.
        """
        if details.selfSigned:
            signer = details.key or self.key
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            issuer = _name(details.commonName)
        else:
            identifier = self._authorityKeyIdentifier()
            signer = self.key
            issuer = self.certificate.subject
        return (
            builder.issuer_name(issuer)
            .add_extension(identifier, critical=False)
            .sign(signer, digestFor(signer))
        )


def _builder(names: Sequence[str], details: Details) -> x509.CertificateBuilder:
    """
    Begin a certificate: all that does not depend on who signs it.
    """
    key = details.key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(details.commonName))
        .public_key(key.public_key())
        .serial_number(details.serial or x509.random_serial_number())
        .not_valid_before(details.notBefore)
        .not_valid_after(details.notAfter)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    extension = _alternativeNames(names, details)
    return builder if extension is None else builder.add_extension(extension, critical=False)


def _alternativeNames(names: Sequence[str], details: Details) -> x509.ExtensionType | None:
    """
    The subjectAltName that the details ask for.
    """
    if isinstance(details.san, bytes):
        return x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, details.san)
    if details.san is True:
        return x509.SubjectAlternativeName([generalName(name) for name in names]) if names else None
    return x509.SubjectAlternativeName(details.san) if details.san else None
