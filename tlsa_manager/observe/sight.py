"""Gathering first, then judging: owners and questions, by ourselves or by the word of the resolver alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import dns.rdatatype

from tlsa_manager.clock import now
from tlsa_manager.observe import hearsay, witness
from tlsa_manager.observe.ask import Question
from tlsa_manager.observe.chain_of_trust import said
from tlsa_manager.observe.inquiry import inquire
from tlsa_manager.observe.judge import lookup, view
from tlsa_manager.observe.survey import follow
from tlsa_manager.observe.trust import Trust
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dns.name import Name
    from dns.rdatatype import RdataType

    from tlsa_manager.observe.anchor import Anchor
    from tlsa_manager.observe.ask import Place, Reply
    from tlsa_manager.observe.memory import Memory
    from tlsa_manager.observe.survey import Trail
    from tlsa_manager.observe.witness import Examination, Testimony
    from tlsa_manager.observe.zone import Walk
    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import Lookup

MAX_BOGUS = 3  # servers of a zone whose answers may be bogus before it is believed that all are: resolvers try others, too
MOMENT = 1.0  # seconds for which what was judged of zones holds for everybody
_TLSA, _CNAME = dns.rdatatype.from_text("TLSA"), dns.rdatatype.from_text("CNAME")


class Sight:
    """What all looks of a run share: the way to the zones, what was judged of them, and what the resolver's word is worth."""

    def __init__(self, walk: Walk, memory: Memory, anchor: Anchor, bogus: Name) -> None:
        self.walk, self.asker, self.resolver = walk, walk.asker, walk.resolver
        self._memory, self._anchor, self._bogus = memory, anchor, bogus
        self._trusts: dict[bool, Trust] = {}
        self._replies: dict[bool, dict[Name, Reply]] = {}
        self._caught = False

    async def examine(self) -> Examination:
        """Find out whether the resolver validates."""
        held = self._memory.get(("examination", self.resolver))
        if isinstance(held, witness.Examination):
            return held
        exam = await witness.examine(self.asker, self.resolver, self._bogus)
        self._memory.put(("examination", self.resolver), exam, exam.ttl)
        return exam

    def trust(self, trails: Iterable[Trail], *, believed: bool) -> Trust:
        """Return the chain of trust as it is now, with all that the trails have shown of it."""
        held, moment = self._trusts.get(believed), now()
        if held is None or not 0 <= moment - held.now < MOMENT:
            replies: dict[Name, Reply] = {}
            held = Trust(self._anchor, moment, str(self.resolver), believed=believed, replies=replies)
            self._trusts[believed], self._replies[believed] = held, replies
        for trail in trails:
            self._replies[believed].update(trail.keys)
        return held

    def lies(self, exam: Examination, seen: Iterable[tuple[Trail, Testimony]]) -> bool:
        """Whether the resolver has ever vouched for an owner in a zone that we have proven, without its help, to be insecure."""
        if not exam.proven and not self._caught:
            told = [trail for trail, testimony in seen if testimony.vouches and not trail.problem and trail.hops]
            alone = self.trust(told, believed=False) if told else None
            self._caught = alone is not None and any(alone.unlinked(hop.zone) for trail in told for hop in trail.hops)
        return self._caught


async def behold(sight: Sight, names: Mapping[str, Name]) -> dict[str, OwnerView]:
    """Look at owners: every server, our own chain of trust, and the resolver beside it. All judged after the last answer."""
    exam, trails, heard = await asyncio.gather(
        sight.examine(),
        asyncio.gather(*(follow(sight.walk, name) for name in names.values())),
        asyncio.gather(*(witness.testify(sight.asker, sight.resolver, name, _TLSA) for name in names.values())),
    )
    lies = sight.lies(exam, zip(trails, heard, strict=True))
    validates = False if lies else exam.validates
    trust, moment = sight.trust(trails, believed=bool(validates)), now()
    views: dict[str, OwnerView] = {}
    for owner, trail, testimony in zip(names, trails, heard, strict=True):
        word = said(testimony.checked, _TLSA, str(sight.resolver)) if validates else None
        spoken = witness.judge(sight.resolver, validates, testimony, lies=lies or exam.lies)
        views[owner] = replace(view(owner, trail, trust, word), at=moment, witness=spoken)
    return views


async def find_out(sight: Sight, name: Name, rdtype: RdataType) -> Lookup:
    """Answer one question by one server and our own chain of trust; by another server while the answers are bogus."""
    found: Lookup | None = None
    avoid: frozenset[Place] = frozenset()
    for _ in range(MAX_BOGUS):
        trail = await inquire(sight.walk, name, rdtype, avoid)
        one = await _judged(sight, name, rdtype, trail)
        if one.security is not Security.BOGUS:
            return one
        found = found or one
        tried = avoid | {seen.place for hop in trail.hops for seen in hop.sightings}
        if tried == avoid or all(set(hop.zone.places) <= tried for hop in trail.hops):
            break
        avoid = tried
    if found is None:
        raise ValueError(MAX_BOGUS)
    return found


async def hearken(sight: Sight, names: Mapping[str, Name]) -> dict[str, OwnerView]:
    """Look at owners by the word of the resolver alone."""
    exam, heard = await asyncio.gather(
        sight.examine(),
        asyncio.gather(*(witness.testify(sight.asker, sight.resolver, name, _TLSA) for name in names.values())),
    )
    word, moment = _word(sight, exam), now()
    views: dict[str, OwnerView] = {}
    for (owner, name), testimony in zip(names.items(), heard, strict=True):
        spoken = witness.judge(sight.resolver, exam.validates, testimony, lies=exam.lies)
        views[owner] = replace(hearsay.view(owner, name, testimony, word, moment), witness=spoken)
    return views


async def overhear(sight: Sight, name: Name, rdtype: RdataType) -> Lookup:
    """Answer one question by the word of the resolver alone."""
    exam, testimony = await asyncio.gather(sight.examine(), witness.testify(sight.asker, sight.resolver, name, rdtype))
    first_alias = None
    if rdtype != _CNAME and hearsay.aliased(testimony.checked, name):
        first_alias = await sight.asker.ask(sight.resolver, Question(name, _CNAME, recurse=True))
    return hearsay.lookup(name, rdtype, testimony, _word(sight, exam), first_alias)


async def _judged(sight: Sight, name: Name, rdtype: RdataType, trail: Trail) -> Lookup:
    kind, owner = dns.rdatatype.to_text(rdtype), name.to_text()
    exam = await sight.examine()
    one = lookup(owner, kind, trail, sight.trust((trail,), believed=False), None)
    if one.security is not Security.INDETERMINATE or one.records is None or not exam.validates:
        return one
    testimony = await witness.testify(sight.asker, sight.resolver, name, rdtype)  # our understanding ends: does the resolver's?
    word = said(testimony.checked, rdtype, str(sight.resolver))
    return lookup(owner, kind, trail, sight.trust((trail,), believed=True), word)


def _word(sight: Sight, exam: Examination) -> hearsay.Word:
    return hearsay.Word(sight.resolver, witness.doubt(sight.resolver, exam.validates))
