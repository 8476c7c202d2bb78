"""From what was gathered to the view of an owner: pure, against one moment.

The answer of each address is judged with the keys that the same address hands out, so that a server whose keys have run out is
found out, even while others are well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import dns.rcode
import dns.rdatatype

from tlsa_manager.observe.chain_of_trust import Delegation, Keys, delegated, entrusted, said, trusted
from tlsa_manager.observe.denial import absent, unmatched
from tlsa_manager.observe.message import alias, find, signatures, soa, soa_data, text, unusable
from tlsa_manager.observe.signature import NOTHING, Proof, expanded, verify
from tlsa_manager.security import Security
from tlsa_manager.snapshot import Answer, OwnerView
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dns.message import Message
    from dns.name import Name
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rdtypes.ANY.TLSA import TLSA
    from dns.rrset import RRset

    from tlsa_manager.observe.anchor import Anchor
    from tlsa_manager.observe.ask import Place, Reply
    from tlsa_manager.observe.signature import Signer
    from tlsa_manager.observe.survey import Hop, Sighting, Trail
    from tlsa_manager.observe.zone import Zone
    from tlsa_manager.tlsa import RRset as Records

_DS, _TLSA = dns.rdatatype.from_text("DS"), dns.rdatatype.from_text("TLSA")


@dataclass(slots=True)
class Trust:
    """Our own chain of trust, in one round. `believed`: the resolver was found to validate, so its word on denials counts."""

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
            return trusted(zone.name, self.anchor[zone.name])
        if zone.parent is None or zone.ds is None:
            return Delegation(Proof(Security.INDETERMINATE, f"no trust anchor covers {text(zone.name)}", text(zone.name)))
        word = said(zone.word, dns.rdatatype.DS, self.resolver) if self.believed else None
        return delegated(self._keys_of(zone.parent), zone.name, zone.ds, word)

    def _keys_of(self, zone: Zone) -> Keys:
        if zone.name not in self._keys:
            self._keys[zone.name] = entrusted(zone.name, self.delegation(zone), self.replies[zone.name], self.now)
        return self._keys[zone.name]


def view(owner: str, trail: Trail, trust: Trust, word: Proof | None) -> OwnerView:
    """Judge all that was seen of an owner. `word`: what the believed resolver says where nothing is there."""
    if not trail.hops:
        return OwnerView(owner, owner, "", trust.now, problem=trail.problem)
    judge = _Judge(trust, word)
    proof, ttl, problems = NOTHING, 0, [trail.problem, *(hop.problem for hop in trail.hops)]
    for hop in trail.hops if trail.problem else trail.hops[:-1]:
        passed, longest, doubts = judge.passage(hop)
        proof, ttl = proof.along(passed), max(ttl, longest)
        problems += doubts
    last = trail.hops[-1]
    answers = () if trail.problem else tuple(judge.answer(last, seen, proof) for seen in last.sightings)
    if not all(answer.security is Security.SECURE for answer in answers):
        problems += [hop.doubt for hop in trail.hops]
    problem = "; ".join(dict.fromkeys(p for p in problems if p))
    return OwnerView(owner, text(last.name), text(last.zone.name), trust.now, answers, ttl, problem=problem, ns_ttl=last.ns_ttl)


@dataclass(frozen=True, slots=True)
class _Judge:
    trust: Trust
    word: Proof | None

    def passage(self, hop: Hop) -> tuple[Proof, int, list[str]]:
        """Judge an alias as all servers give it. Returns the worst proof, the longest TTL, and what they disagree about."""
        proof, ttl, doubts = NOTHING, 0, []
        for seen in hop.sightings:
            fault = unusable(seen.tlsa)
            if fault or seen.tlsa.message is None:
                doubts.append(f"the alias at {text(hop.name)} could not be read everywhere: {_place(seen)} {fault}")
                continue
            found = alias(seen.tlsa.message, hop.name)
            if found is None or found[1] != hop.leads_to:
                leads = f"to {text(found[1])}" if found is not None else "nowhere"
                doubts.append(f"the servers do not agree where the alias at {text(hop.name)} leads: {_place(seen)} says {leads}")
                continue
            proof = proof.along(self._prove(hop, seen, found[0], seen.tlsa.message))
            ttl = max(ttl, _ttl(found[0], seen.tlsa.message))
        return proof, ttl, doubts

    def answer(self, hop: Hop, seen: Sighting, before: Proof) -> Answer:
        """Judge what one address answers. `before`: what the aliases on the way rest on."""
        fault = unusable(seen.tlsa)
        if not fault and seen.tlsa.message is not None and alias(seen.tlsa.message, hop.name) is not None:
            fault = "gives an alias where others give none"
        if fault or seen.tlsa.message is None:
            return Answer(text(seen.server), seen.place.address, None, reason=fault, serial=_serial(seen))
        message = seen.tlsa.message
        rrset = find(message.answer, hop.name, _TLSA)
        if rrset is None and soa(message) is None:  # RFC 2308 §2: without SOA it may mean anything
            return Answer(text(seen.server), seen.place.address, None, reason="gave an empty answer that denies nothing (no SOA)")
        proof = before.along(self._prove(hop, seen, rrset, message))
        missing = f"{text(hop.name)} does not exist" if message.rcode() == dns.rcode.NXDOMAIN else ""
        return Answer(
            server=text(seen.server),
            address=seen.place.address,
            records=_records(rrset),
            ttl=_ttl(rrset, message) if rrset is not None else _negative_ttl(message),
            security=proof.security,
            reason="; ".join(filter(None, (proof.reason, missing))),
            broken_zone=proof.zone,
            serial=_serial(seen),
            signed_from=proof.since,
            signed_until=proof.until,
        )

    def _prove(self, hop: Hop, seen: Sighting, rrset: RRset | None, message: Message) -> Proof:
        """Judge an RRset (None: its absence) by the keys that the same address hands out."""
        keys = self.trust.served(hop.zone, seen)
        if not keys.proof.secure or keys.signer is None:
            return keys.proof
        if rrset is None:
            return keys.proof.along(_or_word(absent(hop.name, _TLSA, message, keys.signer), self.word))
        proof, signature = verify(rrset, message.answer, keys.signer)
        proof = keys.proof.along(proof).along(self._elsewhere(hop, rrset, message, keys.signer))
        if signature is None or not expanded(rrset, signature):
            return proof
        return proof.along(_or_word(unmatched(hop.name, signature.labels, message, keys.signer), self.word))

    def _elsewhere(self, hop: Hop, rrset: RRset, message: Message, own: Signer) -> Proof:
        """Judge by the keys of the other servers too: a resolver may have the keys of one and the records of another."""
        for other in hop.sightings:
            signer = self.trust.served(hop.zone, other).signer
            if signer is None or set(signer.keys) == set(own.keys):
                continue
            proof, _ = verify(rrset, message.answer, signer)
            if not proof.secure:
                return Proof(proof.security, f"{proof.reason}, as {_place(other)} publishes them", proof.zone)
        return NOTHING


def _or_word(proof: Proof, word: Proof | None) -> Proof:
    """Let a validating resolver's word stand in where the signatures are good and only our understanding ends."""
    return word if proof.security is Security.INDETERMINATE and word is not None else proof


def _records(rrset: RRset | None) -> Records:
    data = [cast("TLSA", rdata) for rdata in rrset or ()]
    return frozenset(Tlsa(int(d.usage), int(d.selector), int(d.mtype), d.cert.hex()) for d in data)


def _ttl(rrset: RRset, message: Message) -> int:
    """Return the TTL as it was signed: no server can lower it, and no cache may hold the set longer (RFC 4035 §5.3.3)."""
    made = signatures(message.answer, rrset)
    return max((int(cast("RRSIG", rdata).original_ttl) for rdata in made or ()), default=int(rrset.ttl))


def _negative_ttl(message: Message) -> int:
    """Return how long the absence may be kept (RFC 2308 §5)."""
    found = soa(message)
    return min(int(soa_data(found).minimum), int(found.ttl)) if found is not None else 0


def _serial(seen: Sighting) -> int | None:
    if unusable(seen.soa) or seen.soa.message is None:
        return None
    found = soa(seen.soa.message)
    return int(soa_data(found).serial) if found is not None else None


def _place(seen: Sighting) -> str:
    return f"{text(seen.server).rstrip('.')} ({seen.place.address})"
