"""A zone that signs itself anew after every change (RFC 4034, RFC 4035 §2), with NSEC and one ECDSA key."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import dns.dnssec
import dns.dnssectypes
import dns.rdataset
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tlsa_manager import clock
from tlsa_manager.tlsa import RRset, Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dns.name import Name
    from dns.rdata import Rdata
    from dns.rdataset import Rdataset
    from dns.rdatatype import RdataType
    from dns.rdtypes.ANY.SOA import SOA
    from dns.zone import Zone

    Content = dict[tuple[Name, RdataType], Rdataset]

_SOA, _TLSA = dns.rdatatype.from_text("SOA"), dns.rdatatype.from_text("TLSA")
_HOUR = 3600
_SEP = 0x0101  # zone key and secure entry point: one key for both uses


class SignedZone:
    """The content of a zone, and the signed zone made of it. `signed` is replaced, never changed: who has it may keep it."""

    def __init__(self, text: str, origin: Name, *, children: Mapping[Name, Rdata] | None = None) -> None:
        plain = dns.zone.from_text(text, origin, relativize=False, check_origin=False)
        self.origin = origin
        self.content: Content = {(name, found.rdtype): found for name, found in plain.iterate_rdatasets()}
        for child, ds in (children or {}).items():
            self.content[child, dns.rdatatype.DS] = dns.rdataset.from_rdata(60, ds)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._dnskey = dns.dnssec.make_dnskey(self._key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=_SEP)
        self.signed = self._sign()

    @property
    def ds(self) -> Rdata:
        """The DS record for the parent."""
        return dns.dnssec.make_ds(self.origin, self._dnskey, dns.dnssectypes.DSDigest.SHA256)

    @property
    def serial(self) -> int:
        """The serial number."""
        return int(cast("SOA", self.content[self.origin, _SOA][0]).serial)

    def change(self, content: Content) -> None:
        """Take new content, count the serial number up, sign."""
        soa = cast("SOA", content[self.origin, _SOA][0])
        content[self.origin, _SOA] = dns.rdataset.from_rdata(60, soa.replace(serial=soa.serial + 1))
        self.content = content
        self.signed = self._sign()

    def _sign(self) -> Zone:
        zone = dns.zone.Zone(self.origin, relativize=False)
        for (name, _), found in self.content.items():
            zone.replace_rdataset(name, dns.rdataset.from_rdata_list(found.ttl, list(found)))
        now = int(clock.now())
        dns.dnssec.sign_zone(
            zone, keys=[(self._key, self._dnskey)], dnskey_ttl=60, inception=now - _HOUR, expiration=now + 24 * _HOUR
        )
        return zone


def records(zone: Zone, owner: Name) -> RRset:
    """Return the TLSA records that a zone has at a name."""
    return values(zone.get_rdataset(owner, _TLSA) or ())


def values(found: Iterable[Rdata]) -> RRset:
    """Return TLSA records as values."""
    octets = [rdata.to_wire() or b"" for rdata in found]  # the eyes take them as they are, a zone as what they mean
    return frozenset(Tlsa(one[0], one[1], one[2], one[3:].hex()) for one in octets)
