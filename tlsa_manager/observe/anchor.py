"""Where trust begins: the configured file, else the system's, else what is built in.

An anchor is kept as DS data, whatever form it was given in: a DNSKEY is turned into its SHA-256 digest. So the way from the
anchor to the first zone is the same as from any zone to the next (RFC 4035 §5).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import dns.dnssec
import dns.dnssectypes
import dns.exception
import dns.name
import dns.rdatatype
import dns.zonefile

from tlsa_manager.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dns.rdtypes.ANY.DNSKEY import DNSKEY
    from dns.rdtypes.ANY.DS import DS

    Anchor = Mapping[dns.name.Name, tuple[DS, ...]]

SYSTEM = "/usr/share/dns/root.key"  # where Debian's package dns-root-data puts it
# https://data.iana.org/root-anchors/root-anchors.xml: KSK-2017 and KSK-2024.
BUILT_IN = """
. IN DS 20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d
. IN DS 38696 8 2 683d2d0acb8c9b712a1948b27f741219298d0a450d612c483af444a4c0fb2b16
"""
MAX_BYTES = 1 << 20
_HINT = "give a file with DNSKEY or DS records in zone-file form, such as " + SYSTEM


def read_anchor(path: str | None) -> Anchor:
    """Return the trust anchors by zone. Raises ConfigError when a configured file cannot be used.

    Without a configured file the system's is used where it can be read and makes sense, else the built-in ones.
    """
    if path is not None:
        return parse_anchor(_text(path), path)
    try:
        return parse_anchor(_text(SYSTEM), SYSTEM)
    except ConfigError:
        return parse_anchor(BUILT_IN, "built-in trust anchors")


def parse_anchor(text: str, source: str) -> Anchor:
    """Read DNSKEY and DS records in zone-file form; other types are passed over. Raises ConfigError."""
    try:
        rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=0)
    except (dns.exception.DNSException, ValueError) as fault:
        raise ConfigError(f"trust anchor {source} cannot be read: {fault}", _HINT) from None
    found: dict[dns.name.Name, tuple[DS, ...]] = {}
    for rrset in rrsets:
        if rrset.rdtype == dns.rdatatype.DS:
            digests = tuple(cast("DS", rdata) for rdata in rrset)
        elif rrset.rdtype == dns.rdatatype.DNSKEY:
            digests = tuple(_digest(rrset.name, cast("DNSKEY", rdata)) for rdata in rrset)
        else:
            continue
        found[rrset.name] = (*found.get(rrset.name, ()), *digests)
    if not found:
        raise ConfigError(f"trust anchor {source} holds neither DNSKEY nor DS records", _HINT)
    return found


def _digest(zone: dns.name.Name, key: DNSKEY) -> DS:
    return dns.dnssec.make_ds(zone, key, dns.dnssectypes.DSDigest.SHA256)


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError as fault:
        raise ConfigError(f"trust anchor {path} cannot be read: {fault.strerror}", _HINT) from None
