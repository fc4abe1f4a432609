"""
The default certificate: what this machine is called, and a certificate for it that is made on first use.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

from xtls.trust.alternatives import hostName
from xtls.trust.certificates import toPEM
from xtls.trust.files import writePrivate
from xtls.trust.issuing import selfSigned

__all__ = ["defaultNames", "ensureDefaultCertificate"]


def defaultNames(hostname: str = "") -> tuple[str, ...]:
    """
    What this machine may be called by: its host name, in full and without the domain, localhost, and the
    loopback addresses.

    @param hostname: the host name; by default, what the system says.  Left out when it is no DNS name.
    """
    found = []
    full = hostname or socket.gethostname()
    for name in (full, full.partition(".")[0]):
        try:
            ip_address(name)
        except ValueError:
            try:
                found.append(hostName(name).value)
            except ValueError:
                continue
    return tuple(dict.fromkeys([*found, "localhost", "127.0.0.1", "::1"]))


def ensureDefaultCertificate(path: str | Path) -> Path:
    """
    Make a self-signed certificate for this machine, with its key in the same file, unless the file is there.

    @return: the path.
    @raise CertificateFileError: if it cannot be written.
    """
    if not Path(path).exists():
        writePrivate(path, toPEM(selfSigned(defaultNames())), replace=False)
    return Path(path)
