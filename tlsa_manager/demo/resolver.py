"""A small recursive resolver: asks from the root down, validates, and keeps every answer for as long as its TTL says."""

from __future__ import annotations

import asyncio
from dataclasses import field, replace
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tlsa_manager import clock
from tlsa_manager.observe.ask import Asker, Place, Question, Reply
from tlsa_manager.observe.chain_of_trust import Delegation, Keys, delegated, entrusted
from tlsa_manager.observe.denial import absent
from tlsa_manager.observe.message import addresses, find, hosts, referral, signatures, soa, soa_data
from tlsa_manager.observe.signature import Proof, verify
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rrset import RRset

_A, _DS, _DNSKEY = (dns.rdatatype.from_text(t) for t in ("A", "DS", "DNSKEY"))
_KEEP = 60.0  # seconds, a delegation


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in the cache. `ends`: when it is forgotten (monotonic)."""

    rcode: dns.rcode.Rcode
    answer: tuple[RRset, ...]
    authority: tuple[RRset, ...]
    proof: Proof
    ends: float


@dataclass(frozen=True, slots=True)
class _Zone:
    name: Name
    places: tuple[Place, ...]
    keys: Keys
    ends: float


@dataclass(slots=True)
class Resolver:
    """One resolver with its cache. `root`: where the root is served; `anchor`: the trust anchor for it."""

    root: Place
    anchor: Delegation
    _cache: dict[tuple[Name, RdataType], Kept] = field(default_factory=dict)
    _zones: dict[Name, _Zone] = field(default_factory=dict)
    _under_way: dict[tuple[Name, RdataType], asyncio.Task[Kept | None]] = field(default_factory=dict)
    _turn: int = 0

    def kept(self, name: Name, rdtype: RdataType) -> Kept | None:
        """Return what the cache has."""
        found = self._cache.get((name, rdtype))
        return found if found is not None and clock.monotonic() < found.ends else None

    def forget(self) -> None:
        """Empty the cache."""
        self._cache = {}

    async def handle(self, wire: bytes) -> Message | None:
        """Answer one message."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        response = dns.message.make_response(query, recursion_available=True)
        question = query.question[0] if len(query.question) == 1 else None
        if question is None or question.rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        kept = await self.resolve(question.name, question.rdtype)
        if kept is None or not (kept.proof.secure or query.flags & dns.flags.CD):
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        return _filled(response, query, kept)

    async def resolve(self, name: Name, rdtype: RdataType) -> Kept | None:
        """Answer from the cache, or ask; None when nobody answers. A question that is under way is not asked twice."""
        key = (name, rdtype)
        if (kept := self.kept(name, rdtype)) is not None:
            return kept
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(self._fetch(name, rdtype))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _fetch(self, name: Name, rdtype: RdataType) -> Kept | None:
        asker = Asker(timeout=2.0, tries=2, limit=8.0)
        zone = await self._nearest(asker, name.parent() if rdtype == _DS and name != dns.name.root else name)
        while True:
            reply = await self._ask(asker, zone, Question(name, rdtype))
            if reply.message is None:
                return None
            cut = referral(reply.message, zone.name, name)
            if cut is None:
                break
            zone = await self._enter(asker, zone, cut, reply.message)
        kept = self._judge(zone, name, rdtype, reply.message)
        self._cache[name, rdtype] = kept
        return kept

    async def _nearest(self, asker: Asker, name: Name) -> _Zone:
        """Return the deepest zone on the way to a name that is known already; at first the root."""
        now = clock.monotonic()
        known = [zone for zone in self._zones.values() if name.is_subdomain(zone.name) and now < zone.ends]
        if known:
            return max(known, key=lambda zone: len(zone.name))
        return await self._arrive(asker, dns.name.root, (self.root,), self.anchor)

    async def _enter(self, asker: Asker, parent: _Zone, cut: RRset, shown: Message) -> _Zone:
        known = [Place(address, self.root.port) for host in hosts(cut) for address in addresses(shown.additional, host)]
        reply = await self._ask(asker, parent, Question(cut.name, _DS))
        return await self._arrive(asker, cut.name, tuple(known), delegated(_at_present(parent.keys), cut.name, reply, None))

    async def _arrive(self, asker: Asker, name: Name, places: tuple[Place, ...], delegation: Delegation) -> _Zone:
        bare = _Zone(name, places, Keys(delegation.proof), clock.monotonic() + _KEEP)
        reply = await self._ask(asker, bare, Question(name, _DNSKEY))
        zone = replace(bare, keys=entrusted(name, delegation, reply, clock.now()))
        if zone.keys.proof.secure:
            self._zones[name] = zone
        return zone

    async def _ask(self, asker: Asker, zone: _Zone, question: Question) -> Reply:
        """Ask the servers of a zone in turn, so that each of them is heard."""
        self._turn += 1
        reply = Reply(Place("", 0), None, "no server is known")
        for number in range(len(zone.places)):
            reply = await asker.ask(zone.places[(self._turn + number) % len(zone.places)], question)
            if reply.message is not None and reply.message.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                break
        return reply

    def _judge(self, zone: _Zone, name: Name, rdtype: RdataType, message: Message) -> Kept:
        signer = _at_present(zone.keys).signer
        rrset = find(message.answer, name, rdtype)
        if signer is None:
            proof = zone.keys.proof
        elif rrset is not None:
            proof, _ = verify(rrset, message.answer, signer)
        else:
            proof = absent(name, rdtype, message, signer)
        ends = clock.monotonic() + _ttl(rrset, message)
        return Kept(message.rcode(), tuple(message.answer), tuple(message.authority), proof, ends)


def _at_present(keys: Keys) -> Keys:
    """Return keys that judge signatures by the present moment."""
    return replace(keys, signer=replace(keys.signer, now=clock.now())) if keys.signer is not None else keys


def _ttl(rrset: RRset | None, message: Message) -> int:
    """Return for how many seconds an answer may be kept (RFC 4035 §5.3.3, for a denial RFC 2308 §5)."""
    if rrset is not None:
        made = signatures(message.answer, rrset)
        return min([int(rrset.ttl), *(int(rdata.original_ttl) for rdata in made or ())])
    found = soa(message)
    return min(int(soa_data(found).minimum), int(found.ttl)) if found is not None else 0


def _filled(response: Message, query: Message, kept: Kept) -> Message:
    """Fill in what the cache has, with the time that is left of it."""
    wants_proof = bool(query.ednsflags & dns.flags.DO)
    response.set_rcode(kept.rcode)
    if kept.proof.secure and (wants_proof or query.flags & dns.flags.AD):
        response.flags |= dns.flags.AD
    left = max(0, int(kept.ends - clock.monotonic()))
    for section, found in ((response.answer, kept.answer), (response.authority, kept.authority)):
        for rrset in found:
            if wants_proof or rrset.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC):
                section.append(dns.rrset.from_rdata_list(rrset.name, min(left, int(rrset.ttl)), list(rrset)))
    return response
