"""Our own chain of trust at one moment: which zones are secure, and with which keys. Pure."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import dns.rdatatype

from tlsa_manager.observe.chain_of_trust import Delegation, Keys, delegated, entrusted, said, trusted
from tlsa_manager.observe.message import find, text
from tlsa_manager.observe.signature import Proof
from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dns.name import Name

    from tlsa_manager.observe.anchor import Anchor
    from tlsa_manager.observe.ask import Place, Reply
    from tlsa_manager.observe.survey import Sighting
    from tlsa_manager.observe.zone import Zone

_DS = dns.rdatatype.from_text("DS")


@dataclass(slots=True)
class Trust:
    """The chain of trust. `believed`: the resolver was found to validate, so its word on denials counts."""

    anchor: Anchor
    now: float
    resolver: str
    believed: bool
    replies: Mapping[Name, Reply]
    _delegations: dict[Name, Delegation] = field(default_factory=dict)
    _keys: dict[Name, Keys] = field(default_factory=dict)
    _served: dict[tuple[Name, Place], Keys] = field(default_factory=dict)

    def delegation(self, zone: Zone) -> Delegation:
        """Judge the link from the parent to the zone."""
        if zone.name not in self._delegations:
            self._delegations[zone.name] = self._delegation(zone)
        return self._delegations[zone.name]

    def served(self, zone: Zone, seen: Sighting) -> Keys:
        """Judge the keys that one address of the zone hands out."""
        key = (zone.name, seen.place)
        if key not in self._served:
            self._served[key] = entrusted(zone.name, self.delegation(zone), seen.keys, self.now)
        return self._served[key]

    def unlinked(self, zone: Zone) -> bool:
        """Whether it is proven that the zone, or one above it, has no DS record at all, so that nobody can validate it."""
        proof = self.delegation(zone).proof
        while zone.parent is not None and text(zone.name) != proof.zone:
            zone = zone.parent
        denied = zone.ds is not None and zone.ds.message is not None and find(zone.ds.message.answer, zone.name, _DS) is None
        return proof.security is Security.INSECURE and denied

    def _delegation(self, zone: Zone) -> Delegation:
        if zone.name in self.anchor:
            return trusted(zone.name, self.anchor[zone.name], anchored=True)
        if zone.parent is None or zone.ds is None:
            reason = f"no trust anchor covers {text(zone.name)}"
            return Delegation(Proof(Security.INDETERMINATE, reason, text(zone.name), cause=Cause.LOST))
        word = said(zone.word, _DS, self.resolver) if self.believed else None
        return delegated(self._keys_of(zone.parent), zone.name, zone.ds, word)

    def _keys_of(self, zone: Zone) -> Keys:
        if zone.name not in self._keys:
            self._keys[zone.name] = entrusted(zone.name, self.delegation(zone), self.replies[zone.name], self.now)
        return self._keys[zone.name]
