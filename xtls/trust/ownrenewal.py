"""
The default certificate, which nobody looks after but us: it is renewed before it expires.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from xtls.config.locations import defaultCertificatePath
from xtls.errors import CertificateFileError
from xtls.trust.certificates import KeyPair, loadKeyPair, replaceCertificate
from xtls.trust.expiry import SOON
from xtls.trust.files import readFile, rewrite
from xtls.trust.issuing import LEAF_DAYS
from xtls.trust.renewing import isAuthority, isIssuedBy, renewed

__all__ = ["renewDefault"]


def renewDefault(now: datetime, environ: Mapping[str, str] | None = None) -> Path | None:
    """
    Renew the default certificate when it is time, with the same key, so that what was pinned or remembered
    stays true.

    It is ours when it is where we make it, alone in a file with its key, and signed by itself.  A link to
    another file, xpra's certificate, and what a CA has issued are somebody else's to renew.

    @param environ: the environment; by default, that of the process.
    @return: the file; L{None} if there was nothing to do.
    @raise CertificateFileError: if it is time, and it cannot be renewed.
    """
    path = defaultCertificatePath(environ)
    pair = None if path.is_symlink() else _ours(path)
    if pair is None or pair.certificate.not_valid_after_utc - now > SOON:
        return None
    old = pair.certificate
    try:
        new = renewed(old, pair.key, days=LEAF_DAYS, now=now)
    except ValueError as e:
        raise CertificateFileError(str(path), str(e)) from None
    rewrite(path, replaceCertificate(readFile(path), old, new))
    return path


def _ours(path: Path) -> KeyPair | None:
    """
    A certificate that we have made; L{None} if it is none.
    """
    try:
        pair = loadKeyPair(str(path))
    except CertificateFileError:
        return None  # whoever needs it will say what is wrong
    old = pair.certificate
    return pair if not pair.chain and isIssuedBy(old, old) and not isAuthority(old) else None
