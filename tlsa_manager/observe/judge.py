"""From what was gathered to the views of owners and names: pure, against one moment.

The answer of each address is judged with the keys that the same address hands out, so that a server whose keys have run out is
found out, even while others are well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import dns.rcode
import dns.rdatatype

from tlsa_manager.observe import records
from tlsa_manager.observe.denial import absent, unmatched
from tlsa_manager.observe.message import alias, cause_of, exists, find, soa, soa_data, text, unusable
from tlsa_manager.observe.signature import NOTHING, Proof, expanded, verify
from tlsa_manager.observe.trust import Trust
from tlsa_manager.security import Cause, Security
from tlsa_manager.snapshot import Answer, OwnerView
from tlsa_manager.surroundings import Alias, Lookup
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.message import Message
    from dns.rrset import RRset

    from tlsa_manager.observe.signature import Signer
    from tlsa_manager.observe.survey import Hop, Sighting, Trail

__all__ = ["Trust", "lookup", "view"]

_UNSIGNED = (Cause.SIGNATURE_MISSING, Cause.DENIAL_MISSING)  # what becomes of a signed zone without EDNS


def view(owner: str, trail: Trail, trust: Trust, word: Proof | None) -> OwnerView:
    """Judge all that was seen of an owner. `word`: what the believed resolver says where nothing is there."""
    if not trail.hops:
        return OwnerView(owner, owner, "", trust.now, problem=trail.problem, cause=trail.cause)
    judge = _Judge(trust, word)
    proof, ttl = NOTHING, 0
    problems = [(trail.problem, trail.cause), *((hop.problem, hop.cause) for hop in trail.hops)]
    for hop in trail.hops if trail.problem else trail.hops[:-1]:
        passed, longest, doubts = judge.passage(hop)
        proof, ttl = proof.along(passed), max(ttl, longest)
        problems += doubts
    last = trail.hops[-1]
    answers = () if trail.problem else tuple(judge.answer(last, seen, proof) for seen in last.sightings)
    if not all(answer.security is Security.SECURE for answer in answers):
        problems += [(str(hop.doubt), hop.doubt.cause) for hop in trail.hops if hop.doubt is not None]
    told: dict[str, Cause] = {}
    for words, cause in problems:
        told.setdefault(words, cause)
    told.pop("", None)
    return OwnerView(
        owner, text(last.name), text(last.zone.name), trust.now, answers, ttl,
        problem="; ".join(told), ns_ttl=last.ns_ttl, cause=next(iter(told.values()), Cause.NONE),
        via=tuple(text(hop.name) for hop in trail.hops[1:-1]),
    )  # fmt: skip


def lookup(name: str, rdtype: str, trail: Trail, trust: Trust, word: Proof | None) -> Lookup:
    """Judge one question that was answered once: each hop has been seen at one address. `word`: as for `view`."""
    if not trail.hops:
        return Lookup(name, rdtype, None, cause=trail.cause, reason=trail.problem)
    judge, proof, aliases = _Judge(trust, word), NOTHING, []
    for hop in trail.hops if trail.problem else trail.hops[:-1]:
        passed, ttl, _ = judge.passage(hop)
        proof = proof.along(passed)
        if hop.leads_to is not None:
            aliases.append(Alias(text(hop.name), text(hop.leads_to), text(hop.zone.name), passed.security, ttl))
    last = trail.hops[-1]
    at = Lookup(name, rdtype, None, target=text(last.name), zone=text(last.zone.name), aliases=tuple(aliases))
    if trail.problem or not last.sightings:
        failed = proof.security if proof.security is Security.BOGUS else Security.INDETERMINATE
        return replace(at, security=failed, cause=trail.cause or last.cause, reason=trail.problem or last.problem)
    return _told(at, last, judge.answer(last, last.sightings[0], proof))


def _told(at: Lookup, hop: Hop, answer: Answer) -> Lookup:
    seen = hop.sightings[0]
    doubt = hop.doubt if answer.security is not Security.SECURE else None
    if answer.records is None or doubt is not None:
        cause = doubt.cause if doubt is not None else answer.cause
        return replace(at, cause=cause, reason=str(doubt) if doubt is not None else f"{_place(seen)} {answer.reason}")
    return replace(
        at, records=records.presented(_rrset(hop, seen)), security=answer.security, ttl=answer.ttl, exists=answer.exists,
        cause=answer.cause, reason=answer.reason, broken_zone=answer.broken_zone, wildcard=answer.wildcard,
        signed_from=answer.signed_from,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Judge:
    trust: Trust
    word: Proof | None

    def passage(self, hop: Hop) -> tuple[Proof, int, list[tuple[str, Cause]]]:
        """Judge an alias as all servers give it. Returns the worst proof, the longest TTL, and what they disagree about."""
        proof, ttl = NOTHING, 0
        doubts: list[tuple[str, Cause]] = []
        for seen in hop.sightings:
            fault = unusable(seen.reply)
            if fault or seen.reply.message is None:
                words = f"the alias at {text(hop.name)} could not be read everywhere: {_place(seen)} {fault}"
                doubts.append((words, cause_of(seen.reply)))
                continue
            found = alias(seen.reply.message, hop.name)
            if found is None or found[1] != hop.leads_to:
                leads = f"to {text(found[1])}" if found is not None else "nowhere"
                words = f"the servers do not agree where the alias at {text(hop.name)} leads: {_place(seen)} says {leads}"
                doubts.append((words, Cause.NONE))
                continue
            proof = proof.along(self._prove(hop, seen, found[0], seen.reply.message))
            ttl = max(ttl, records.ttl(found[0], seen.reply.message))
        return proof, ttl, doubts

    def answer(self, hop: Hop, seen: Sighting, before: Proof) -> Answer:
        """Judge what one address answers. `before`: what the aliases on the way rest on."""
        message, reply = seen.reply.message, seen.reply
        base = Answer(
            text(seen.server), seen.place.address, None, serial=_serial(seen), size=reply.size,
            edns=message.edns >= 0 and reply.cause is not Cause.EDNS if message is not None else None,
        )  # fmt: skip
        fault, cause = unusable(reply), cause_of(reply)
        if not fault and message is not None and alias(message, hop.name) is not None:
            fault = "gives an alias where others give none"
        if fault or message is None:
            return replace(base, reason=fault, cause=cause)
        rrset = find(message.answer, hop.name, hop.rdtype)
        if rrset is None and soa(message) is None:  # RFC 2308 §2: without SOA it may mean anything
            return replace(base, reason="gave an empty answer that denies nothing (no SOA)", cause=Cause.EMPTY)
        if many := records.excess(rrset):
            return replace(base, reason=many, cause=Cause.MANY, exists=True)
        proof = before.along(_for_want_of_edns(self._prove(hop, seen, rrset, message), base))
        missing = f"{text(hop.name)} does not exist" if message.rcode() == dns.rcode.NXDOMAIN else ""
        odd = records.stumps(rrset) if hop.rdtype == dns.rdatatype.TLSA else ""
        return replace(
            base,
            records=records.tlsa(rrset) if hop.rdtype == dns.rdatatype.TLSA else frozenset(),
            ttl=records.ttl(rrset, message) if rrset is not None else records.negative_ttl(message),
            security=proof.security,
            reason="; ".join(filter(None, (proof.reason, missing, odd))),
            broken_zone=proof.zone,
            signed_from=proof.since,
            signed_until=proof.until,
            signed_life=proof.life,
            cause=proof.cause,
            exists=exists(message),
            wildcard=records.wildcard(rrset, message),
        )

    def _prove(self, hop: Hop, seen: Sighting, rrset: RRset | None, message: Message) -> Proof:
        """Judge an RRset (None: its absence) by the keys that the same address hands out."""
        keys = self.trust.served(hop.zone, seen)
        if not keys.proof.secure or keys.signer is None:
            return keys.proof
        if rrset is None:
            return keys.proof.along(_or_word(absent(hop.name, hop.rdtype, message, keys.signer), self.word))
        proof, signature = verify(rrset, message.answer, keys.signer)
        proof = keys.proof.along(proof).along(self._elsewhere(hop, rrset, message, keys.signer))
        if signature is None or not expanded(rrset, signature):
            return proof
        return proof.along(_or_word(unmatched(hop.name, signature.labels, message, keys.signer), self.word))

    def _elsewhere(self, hop: Hop, rrset: RRset, message: Message, own: Signer) -> Proof:
        """Judge by the keys of the other servers too: a resolver may have the keys of one and the records of another."""
        for other in hop.sightings:
            signer = self.trust.served(hop.zone, other).signer
            if signer is None or signer.keys is own.keys or set(signer.keys) == set(own.keys):
                continue
            proof, _ = verify(rrset, message.answer, signer)
            if not proof.secure:
                reason = f"{proof.reason}, as {_place(other)} publishes them"
                return Proof(proof.security, reason, proof.zone, cause=proof.cause)
        return NOTHING


def _for_want_of_edns(proof: Proof, answer: Answer) -> Proof:
    """Who does not take EDNS gives no signatures: that is the cause then."""
    if answer.edns or proof.cause not in _UNSIGNED:
        return proof
    return replace(proof, reason=f"{proof.reason}: the server does not take EDNS", cause=Cause.EDNS)


def _or_word(proof: Proof, word: Proof | None) -> Proof:
    """Let a validating resolver's word stand in where the signatures are good and only our understanding ends."""
    return word if proof.security is Security.INDETERMINATE and word is not None else proof


def _rrset(hop: Hop, seen: Sighting) -> RRset | None:
    return find(seen.reply.message.answer, hop.name, hop.rdtype) if seen.reply.message is not None else None


def _serial(seen: Sighting) -> int | None:
    if unusable(seen.soa) or seen.soa.message is None:
        return None
    found = soa(seen.soa.message)
    return int(soa_data(found).serial) if found is not None else None


def _place(seen: Sighting) -> str:
    return f"{text(seen.server).rstrip('.')} ({seen.place.address})" if seen.server.labels else str(seen.place)
