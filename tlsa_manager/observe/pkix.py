"""Whether a public certificate authority vouches for a chain and a name, as MTA-STS senders and mail programs ask (RFC 5280)."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.certificates import names_cover
from tlsa_manager.clock import now
from tlsa_manager.errors import BadInput
from tlsa_manager.observe.ending import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from OpenSSL import crypto

MAX_REMEMBERED = 4096
# The numbers of OpenSSL's x509_vfy.h.
_BAD_SIGNATURE = 7
_NOT_YET, _EXPIRED, _SELF_SIGNED_LEAF, _SELF_SIGNED_ROOT, _NO_ISSUER, _NO_SIGNER, _PURPOSE = 9, 10, 18, 19, 20, 21, 26
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
_SERVER = 2  # X509_PURPOSE_SSL_SERVER


class Authorities:
    """The certificate authorities that are trusted. What was asked once is remembered; it belongs to one run."""

    def __init__(self, ca_file: str | None = None, *, at: float | None = None) -> None:
        """Take the authorities in a PEM file, or the system's. Raises BadInput if they cannot be read.

        at: the moment that counts for the whole run, seconds since 1970; None = now.
        """
        from OpenSSL import crypto

        self._store = crypto.X509Store()
        try:
            self._store.load_locations(*((ca_file, None) if ca_file else _system()))
        except crypto.Error:
            where = ca_file or "the system's certificate authorities"
            raise BadInput(f"{where} cannot be read as certificate authorities", "name a PEM file with --ca-file") from None
        _for_servers(self._store)
        self._store.set_time(datetime.fromtimestamp(now() if at is None else at, UTC))  # OpenSSL takes the first one only
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    def doubt(self, certificates: Sequence[bytes], host: str) -> str:
        """Return why nobody vouches for this chain (DER, leaf first) under this name; empty where somebody does."""
        key = hashlib.sha256(b"".join(certificates)).hexdigest(), host
        if key not in self._known:
            self._known[key] = printable(self._examine(certificates, host))
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def _examine(self, certificates: Sequence[bytes], host: str) -> str:
        """Chain and dates first, then the name: both are told."""
        from cryptography import x509
        from OpenSSL import crypto

        if not certificates:
            return "no certificate was presented"
        try:
            chain = [x509.load_der_x509_certificate(one) for one in certificates]
            made = [crypto.X509.from_cryptography(one) for one in chain]
            reasons = [self._chain_doubt(chain, made), _name_doubt(chain[0], host)]
        except (ValueError, TypeError, OverflowError, x509.InvalidVersion, crypto.Error):
            return "a certificate of the chain cannot be read"
        return "; ".join(filter(None, reasons))

    def _chain_doubt(self, chain: Sequence[x509.Certificate], made: Sequence[crypto.X509]) -> str:
        from OpenSSL import crypto

        try:
            crypto.X509StoreContext(self._store, made[0], list(made[1:])).verify_certificate()
        except crypto.X509StoreContextError as error:
            number, depth, words = error.errors[:3] if isinstance(error.errors, list) else (0, 0, str(error))
            return _in_words(int(number), int(depth), str(words), chain, error.certificate.to_cryptography())
        return ""


def names_of(leaf: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names of a certificate; its common name only where it has none (RFC 6125 §6.4.4). Raises ValueError."""
    from cryptography import x509

    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from None
    return tuple(names) or tuple(str(one.value) for one in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[-1:])


def _system() -> tuple[str | None, str | None]:
    """Return file or directory of the system's authorities, as Python's own OpenSSL would find them.

    From a directory only those are read that are asked for: it is taken where it has as many as the file.
    """
    paths = ssl.get_default_verify_paths()
    file = paths.cafile if paths.cafile and Path(paths.cafile).is_file() else None
    directory = paths.capath if paths.capath and Path(paths.capath).is_dir() else None
    if file and directory and _by_hash(directory) < Path(file).read_bytes().count(b"-----BEGIN"):
        directory = None
    return None if directory else file, directory


def _by_hash(directory: str) -> int:
    """Return how many certificates of a directory OpenSSL would find (openssl rehash)."""
    return sum(_HASHED.fullmatch(one) is not None for one in os.listdir(directory))  # noqa: PTH208  names are enough


def _for_servers(store: crypto.X509Store) -> None:
    """Want certificates that may be a TLS server's. pyOpenSSL has no public method for it, but a binding of OpenSSL's."""
    from OpenSSL import SSL

    with suppress(AttributeError):
        SSL._lib.X509_STORE_set_purpose(store._store, _SERVER)  # type: ignore[attr-defined]  # noqa: SLF001


def _name_doubt(leaf: x509.Certificate, host: str) -> str:
    names = names_of(leaf)
    if names_cover(names, host):
        return ""
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"it is not for {host} but for {shown}" if names else f"it names no host, so it is not for {host}"


def _in_words(number: int, depth: int, words: str, chain: Sequence[x509.Certificate], bad: x509.Certificate) -> str:
    """Say what OpenSSL found wrong with the certificate `bad` at `depth` (0 = the leaf)."""
    which = "the certificate" if depth == 0 else f"the issuer {_named(bad.subject)}"
    if number == _EXPIRED:
        return f"{which} expired on {bad.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if number == _NOT_YET:
        return f"{which} is valid only from {bad.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
    if number == _SELF_SIGNED_LEAF:
        return "the certificate is signed by itself, not by an authority"
    if number == _SELF_SIGNED_ROOT:
        return f"the authority {_named(bad.subject)} is not trusted here"
    if number in {_NO_ISSUER, _NO_SIGNER}:
        return _issuer_missing(chain, bad)
    if number == _BAD_SIGNATURE:
        return f"{which} is not signed by the issuer {_named(bad.issuer)} that is sent or trusted, but by another of this name"
    if number == _PURPOSE:
        return f"{which} may not be used for servers" if depth == 0 else f"{which} is no certificate authority"
    return f"{which} is refused: {words}"


def _issuer_missing(chain: Sequence[x509.Certificate], bad: x509.Certificate) -> str:
    """Tell an intermediate that was not sent from an authority that nobody trusts, as well as that can be told."""
    if len(chain) == 1:
        return f"the server sends no issuer beside its certificate; {_named(bad.issuer)}, which issued it, is not a trusted root"
    if any(one.subject == bad.issuer for one in chain):
        return f"the issuer {_named(bad.issuer)} that is sent did not issue the certificate before it"
    return f"the issuer {_named(bad.issuer)} is neither sent nor a trusted authority"


def _named(name: x509.Name) -> str:
    from cryptography.x509 import NameOID

    parts = name.get_attributes_for_oid(NameOID.COMMON_NAME) or list(name)
    return f"'{printable(str(parts[-1].value), 60)}'" if parts else "without a name"
