"""
The certificates and keys that the options name, for a server and for a client.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from xtls.config.definitions import optionNamed
from xtls.config.locations import defaultCertificatePath, findDefaultCertificate, keyBeside
from xtls.config.options import Side, TLSOptions
from xtls.errors import CertificateFileError, OptionError
from xtls.trust.certificates import NO_KEY, NO_PASSPHRASE, KeyPair, holdsKey, loadKeyPair
from xtls.trust.defaults import ensureDefaultCertificate

__all__ = ["AUTOMATIC", "clientKeyPair", "keyPairFiles", "serverKeyPairs"]

#: The word for the default certificate.
AUTOMATIC = "auto"

#: Which option says what is missing.
_MEND = {NO_KEY: "key", NO_PASSPHRASE: "keyPassword"}


def _load(options: TLSOptions, path: str, keyPath: str) -> KeyPair:
    """
    Read one certificate and its key.

    @raise OptionError: naming the option whose file it is.
    """
    try:
        return loadKeyPair(path, keyPath, options.readKeyPassword().encode("utf-8"))
    except CertificateFileError as e:
        raise _error(options, e) from e


def _error(options: TLSOptions, error: CertificateFileError) -> OptionError:
    """
    A file's error as one of the option that named the file.
    """
    attribute = "key" if options.key and error.path == options.key else "cert"
    mend = _MEND.get(error.problem)
    if mend is None or options.given(mend):
        return options.error(attribute, str(error))
    name = optionNamed(TLSOptions, mend).name
    return options.error(attribute, f"{error}; say where it is with --{name}")


def serverKeyPairs(options: TLSOptions, environ: Mapping[str, str] | None = None) -> tuple[KeyPair, ...]:
    """
    Read the certificates of a server.

    The key that is named apart is that of the one certificate; with several, of those whose files have none.

    @return: at least one, in the order in which they were given.
    @param environ: the environment; by default, that of the process.
    @raise OptionError: if there is none, or one cannot be used.
    """
    if not options.cert:
        raise options.error("cert", "a server needs a certificate: name a file, or say auto")
    pairs = []
    for path in options.cert:
        if path == AUTOMATIC:
            pairs.append(_defaultKeyPair(options, environ))
            continue
        try:
            own = len(options.cert) > 1 and holdsKey(path)
        except CertificateFileError as e:
            raise _error(options, e) from e
        pairs.append(_load(options, path, "" if own else options.key))
    return tuple(pairs)


def _defaultKeyPair(options: TLSOptions, environ: Mapping[str, str] | None) -> KeyPair:
    """
    Read the default certificate, which is made on first use.
    """
    try:
        path = findDefaultCertificate(environ) or ensureDefaultCertificate(defaultCertificatePath(environ))
        beside = None if holdsKey(str(path)) else keyBeside(path)
    except CertificateFileError as e:
        raise _error(options, e) from e
    return _load(options, str(path), options.key or str(beside or ""))


def clientKeyPair(options: TLSOptions) -> KeyPair | None:
    """
    Read the certificate that a client presents.  The default certificate is a server's: C{auto} is none here.

    @raise OptionError: if it cannot be used, or there are several.
    """
    named = [path for path in options.cert if path != AUTOMATIC]
    if len(named) > 1:
        raise options.error("cert", f"a client presents one certificate, and {len(named)} are named")
    if not named:
        if options.key and not options.cert:
            raise options.error("key", "a key without a certificate: name that too")
        return None
    return _load(options, named[0], options.key)


def keyPairFiles(
    options: TLSOptions, side: Side, environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """
    The files that certificates and keys were read from.

    @param side: the default certificate is for servers only.
    @param environ: the environment; by default, that of the process.
    """
    files = []
    for path in options.cert:
        if path != AUTOMATIC:
            files.append(path)
            continue
        found = findDefaultCertificate(environ) if side is Side.SERVER else None
        if found is not None:
            files.extend(str(each) for each in (found, keyBeside(found)) if each is not None)
    if options.key:
        files.append(options.key)
    kind, _, place = options.keyPassword.partition(":")
    if kind == "file":
        files.append(os.path.expanduser(place))
    return tuple(dict.fromkeys(files))
