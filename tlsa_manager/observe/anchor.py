"""Where trust begins: the configured file, else the system's, else what is built in.

An anchor is kept as DS data, whatever form it was given in: a DNSKEY is turned into its SHA-256 digest. So the way from the
anchor to the first zone is the same as from any zone to the next (RFC 4035 §5).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype

from tlsa_manager.errors import ConfigError
from tlsa_manager.observe.seal import key_digest, key_tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dns.rdata import Rdata
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
_SHA_256 = 2
_KINDS = ("DS", "DNSKEY")
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
        records = _plain(text) or _any(text)
    except (dns.exception.DNSException, ValueError) as fault:
        raise ConfigError(f"trust anchor {source} cannot be read: {fault}", _HINT) from None
    found: dict[dns.name.Name, tuple[DS, ...]] = {}
    for name, rdata in records:
        if rdata.rdtype == dns.rdatatype.DS:
            digest = cast("DS", rdata)
        elif rdata.rdtype == dns.rdatatype.DNSKEY:
            digest = _digest(name, cast("DNSKEY", rdata))
        else:
            continue
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), digest)))
    if not found:
        raise ConfigError(f"trust anchor {source} holds neither DNSKEY nor DS records", _HINT)
    return found


def _plain(text: str) -> list[tuple[dns.name.Name, Rdata]]:
    """Read a file with one record a line, as nearly all are; nothing where it is another, or has a mistake."""
    found: list[tuple[dns.name.Name, Rdata]] = []
    for line in text.splitlines():
        words = line.partition(";")[0].split()
        if not words:
            continue
        kind = next((place for place in range(1, min(4, len(words))) if not words[place].isdigit() and words[place] != "IN"), 0)
        if words[kind] not in _KINDS or line[0].isspace() or any(mark in line for mark in '"()'):
            return []
        try:
            rdata = dns.rdata.from_text("IN", words[kind], " ".join(words[kind + 1 :]))
            found.append((dns.name.from_text(words[0]), rdata))
        except (dns.exception.DNSException, ValueError):
            return []
    return found


def _any(text: str) -> list[tuple[dns.name.Name, Rdata]]:
    """Read a file in any zone-file form. Raises DNSException and ValueError."""
    import dns.zonefile

    rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=0)
    return [(rrset.name, rdata) for rrset in rrsets for rdata in rrset]


def _digest(zone: dns.name.Name, key: DNSKEY) -> DS:
    from dns.rdtypes.ANY.DS import DS

    digest = key_digest(zone, key, _SHA_256)
    return DS(key.rdclass, dns.rdatatype.DS, key_tag(key), key.algorithm, _SHA_256, digest)  # type: ignore[no-untyped-call]


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError as fault:
        raise ConfigError(f"trust anchor {path} cannot be read: {fault.strerror}", _HINT) from None
