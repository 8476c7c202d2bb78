"""May we? One gate a kind of change, each a list of what stands in the way; empty = go.

Publish: does the set still match everything presented (RFC 7671 §8, RFC 6698 A.1)? Swap: does every set that a cache may hold
match the new chain, everywhere signed, every server heard (L1, L4)? Retire: does nothing presented need the record (L2)?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import law, timing
from tlsa_manager.rollover.steps import Blocker
from tlsa_manager.security import Security
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.chain import Chain
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import CachedSet, Facts, OwnerFacts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import Answer, OwnerView, Presentation
    from tlsa_manager.tlsa import Params, RRset

_MEANS = {
    Security.INSECURE: "to senders there is no DANE here now, mail arrives without it",
    Security.BOGUS: "senders that validate take it for forged and keep their mail back",
}
SETTLE = 5.0  # seconds in which a server that is being reloaded may stumble


def publish(scene: Scene, target: str, owners: tuple[str, ...], add: RRset) -> list[Blocker]:
    """What forbids adding records at a target: only a set that would not match what is presented behind it."""
    found: list[Blocker] = []
    for owner in owners:
        standing = scene.standing(target, owner)
        if not standing:
            found.append(_unheard(owner, scene.view(owner)))
        found += [one for records in standing for one in _would_break(scene, owner, target, records, add)]
    return found


def swap(scene: Scene, generation: Generation) -> list[Blocker]:
    """What forbids giving the services this generation now (L1, L3, L4)."""
    found = [one for owner in scene.lineage.owners for one in _owner_not_ready(scene, owner, generation)]
    if scene.snapshot.services or not found:  # while DNS is not ready the services are not probed at every look
        found += [one for service in scene.lineage.services for one in _not_probed(scene, service)]
    found += _files_not_ready(scene)
    found += _left_behind(scene, generation)
    if scene.facts.is_barred(generation):
        stolen = scene.facts.is_compromised(generation)
        because = "somebody else has the key of the new certificate" if stolen else "the key of the new certificate was given up"
        why = f"{because}: it is never put into service"
        found.append(Blocker(generation.id, f"{why}; give it up: tlsa-manager rollover abort {scene.lineage.name}"))
    return found


def retire(scene: Scene, target: str, owners: tuple[str, ...], remove: RRset) -> list[Blocker]:
    """What forbids removing records at a target: anything presented, or that our files may make presented, needs them (L2)."""
    found: list[Blocker] = []
    for owner in owners:
        standing = scene.standing(target, owner)
        if not standing:
            found.append(_unheard(owner, scene.view(owner)))
        found += [one for service in scene.services_of(owner) for one in not_seen(scene, service)]
        found += [one for records in standing for one in _needed(scene, owner, target, records, remove)]
    return found


def back(lineage: Lineage, facts: Facts, now: float) -> list[Blocker]:
    """Why going back at once would hurt: a cache may hold a set without the former generation's records.

    Asked when a person wants to go back. What the program takes back by itself is the lesser evil, and is not asked.
    """
    former, current = facts.generation(facts.previous), facts.generation(facts.current)
    if former is None or current is None:
        return []
    found: list[Blocker] = []
    if facts.is_compromised(former):
        found.append(Blocker(former.id, "its key is known to somebody else, who could read and forge mail with it"))
    for name in lineage.owners:
        known = facts.owners.get(name)
        smtp = any(one.opportunistic for one in lineage.services if one.owner == name)
        for one in known.sets if known else ():
            ends = timing.forgotten_at(one, lineage.policy)
            lost = law.gaps(one.records, former.chain, smtp=smtp) - law.gaps(one.records, current.chain, smtp=smtp)
            if lost and (ends is None or ends > now):
                found.append(Blocker(name, f"caches may hold an RRset of {name} without the former certificate's record", ends))
    return found


def not_seen(scene: Scene, service: Service) -> list[Blocker]:
    """Which addresses of a service did not present a certificate in this look. A vouched service (`probe = false`) is skipped."""
    if not service.probe:
        return []
    view = scene.snapshot.services.get(str(service))
    if view is None:
        return [Blocker(str(service), f"{service} has not been probed yet; the next look does it")]
    if view.problem or not view.presentations:
        return [Blocker(str(service), f"{service} cannot be probed: {view.problem or 'it has no address'}")]
    return [
        Blocker(str(service), f"{service} at {address} cannot be probed: {_why(probes)}")
        for address, probes in _by_address(view.presentations).items()
        if not any(one.outcome is Outcome.PRESENTED for one in probes)
    ]


def proven(scene: Scene, generation: Generation, former: Generation | None) -> tuple[list[Blocker], list[Blocker]]:
    """Look at what the services present after a deployment: (what is not new yet, what is wrong).

    New: every address presents `generation` to some client, nothing presents `former`. Wrong: a chain that is neither, is
    nobody else's, and was not there before the deployment.
    """
    late: list[Blocker] = []
    wrong: list[Blocker] = []
    for service in scene.lineage.services:
        if service.probe:
            late += not_seen(scene, service)
            for address, probes in _by_address(scene.presentations(service)).items():
                late += _late(f"{service} at {address}", probes, generation, former)
                wrong += _wrong(scene, f"{service} at {address}", probes, generation, former)
    return late, wrong


def _would_break(scene: Scene, owner: str, target: str, standing: RRset, add: RRset) -> Iterator[Blocker]:
    """Why adding to this set would leave something presented without a match that has one, or needs none, now."""
    smtp = scene.smtp(owner)
    mine = (scene.current.chain,) if scene.current else ()
    theirs = (chain for _, facts in scene.beside(target, (owner,)) for chain in law.presentable(facts))
    for chain in {*scene.presented(owner), *mine, *theirs}:
        worse = law.gaps(standing | add, chain, smtp=smtp) - law.gaps(standing, chain, smtp=smtp)
        if worse:
            known = chain in mine or chain in scene.foreign_chains()
            whose = "which is also being published" if known else "whose files this tool does not have"
            why = f"a server presents the key {chain.leaf.spki_sha256[:12]}…, {whose}; no record would match it"
            yield Blocker(target, why + _same_params(scene, target, owner, chain, worse))
    if not law.usable(standing, smtp=smtp):  # DANE begins here: what is presented must be known (RFC 6698 A.1, RFC 7672 §2.2)
        for service in scene.services_of(owner):
            yield from not_seen(scene, service)


def _same_params(scene: Scene, target: str, owner: str, chain: Chain, lacking: frozenset[Params]) -> str:
    """What to do where the neighbour that has a chain is configured without these parameters, so that neither can begin."""
    without = [
        lineage.name for lineage, facts in scene.beside(target, (owner,))
        if chain in law.presentable(facts) and not lacking <= set(lineage.params)
    ]  # fmt: skip
    if not without:
        return ""
    named = ", ".join(map(str, sorted(lacking)))
    return f" for {named}: give {' and '.join(without)} the same `params` as {scene.lineage.name} (RFC 7671 §8.3)"


def _needed(scene: Scene, owner: str, target: str, standing: RRset, remove: RRset) -> Iterator[Blocker]:
    """Which presented, or presentable, chain would lose its match."""
    smtp = scene.smtp(owner)
    for chain in dict.fromkeys((*scene.presented(owner), *staying(scene))):
        worse = law.gaps(standing - remove, chain, smtp=smtp) - law.gaps(standing, chain, smtp=smtp)
        if worse or (_covers(standing, chain, smtp=smtp) and not _covers(standing - remove, chain, smtp=smtp)):
            yield Blocker(target, f"a server may still present the key {chain.leaf.spki_sha256[:12]}… that needs it")


def staying(scene: Scene) -> tuple[Chain, ...]:
    """What our files may make a server present, without the former generation whose time is over."""
    gone = scene.previous.chain if scene.previous and not scene.facts.deploying and not scene.facts.way_back else None
    return tuple(
        chain for chain in law.presentable(scene.facts) if chain != gone or (scene.current and chain == scene.current.chain)
    )


def _owner_not_ready(scene: Scene, owner: str, generation: Generation) -> Iterator[Blocker]:
    """Why some cache, or some server, may give a sender a set of this owner that does not match the new chain.

    In an emergency (standards §2.8, E2) only servers count: the key in service is worse than mail that waits.
    """
    view = scene.view(owner)
    if view is None or view.problem or not view.answers:
        yield _unheard(owner, view)
        return
    yield from (one for answer in view.answers for one in _answer_not_ready(scene, view, answer, generation))
    yield from _witness_disagrees(view)
    known = scene.facts.owners.get(owner)
    if known is None:
        yield Blocker(owner, f"{owner} has not been looked at before")
        return
    if waits := scene.unsettled(view.target):
        yield Blocker(owner, f"what was published at {view.target} may not be on all servers of the provider yet: {waits}")
    elif not known.complete:
        yield Blocker(owner, f"the last look at {owner} did not hear every server with valid signatures")
    if scene.facts.at_once == generation.id:  # a person was told what it costs not to wait for caches
        return
    yield from _witness_holds_an_old_set(scene, view, generation)
    yield from (one for cached in known.sets for one in _cached(scene, owner, cached, generation))
    yield from _before_our_time(scene, owner, known, generation)


def _answer_not_ready(scene: Scene, view: OwnerView, answer: Answer, generation: Generation) -> Iterator[Blocker]:
    """Why one authoritative address is not ready (L1: an unreachable server is not new; L4: DNSSEC or nothing)."""
    if answer.records is None:
        yield Blocker(view.owner, f"{answer.place} does not answer for {view.target}: {answer.reason or 'no reason known'}")
        return
    if answer.security is not Security.SECURE:
        where = f" (zone {answer.broken_zone})" if answer.broken_zone else ""
        means = f"; {_MEANS[answer.security]}" if answer.security in _MEANS else ""
        why = answer.reason or "no reason known"
        yield Blocker(view.owner, f"the answer of {answer.place} is {answer.security}{where}: {why}{means}")
    worse = law.worsens(answer.records, scene.instead_of(view.owner), generation.chain, smtp=scene.smtp(view.owner))
    if worse:
        yield Blocker(view.owner, _lacks(scene, answer, generation, sorted(worse)))
    ends = _last_forgotten(scene, view.owner, generation)
    needed = timing.signatures_needed_until(scene.now, ends, scene.policy)
    if answer.security is Security.SECURE and answer.signed_until is not None and answer.signed_until < needed:
        yield Blocker(
            view.owner,
            f"the signatures of {answer.place} end in {max(0, round(answer.signed_until - scene.now))} s, before the wait does",
        )  # fmt: skip


def _lacks(scene: Scene, answer: Answer, generation: Generation, worse: list[Params]) -> str:
    """What a server's set lacks for the new chain, and what to do where the chain can never have it."""
    chain, own = generation.chain, [one for one in worse if one.usage == 3 and one.matching in {1, 2}]
    named = ", ".join(map(str, worse))
    if not any(one.usage == 2 for one in worse) or chain.certificates[1:]:
        missing = ", ".join(str(chain.leaf.record(one)) for one in own)
        return f"{answer.place} lacks {missing or f'a record that matches the new chain for {named}'}"
    configured = any(one.usage == 2 for one in scene.lineage.params)
    first = f"take them out of `params` of {scene.lineage.name}" if configured else "remove those that are not ours by hand"
    return (
        f"{answer.place} has records of an issuer ({named}), and the new certificate brings no issuer that they could match:"
        f" {first}, and the swap follows when no cache has them; or give a certificate with its issuer"
    )


def _last_forgotten(scene: Scene, owner: str, generation: Generation) -> float | None:
    """When the wait at an owner ends, as far as it is known."""
    known = scene.facts.owners.get(owner) if scene.facts.at_once != generation.id else None
    ends = (
        [timing.forgotten_at(one, scene.policy) for one in known.sets if _blocks(scene, owner, one, generation)] if known else []
    )
    return max((one for one in ends if one is not None), default=None)


def _blocks(scene: Scene, owner: str, cached: CachedSet, generation: Generation) -> bool:
    """Whether a set that a cache may hold would stop matching with the swap."""
    return bool(law.worsens(cached.records, scene.instead_of(owner), generation.chain, smtp=scene.smtp(owner)))


def _cached(scene: Scene, owner: str, cached: CachedSet, generation: Generation) -> Iterator[Blocker]:
    """Why a set that lacks the new record still counts."""
    if not _blocks(scene, owner, cached, generation):
        return
    ends = timing.forgotten_at(cached, scene.policy)
    if ends is None:
        yield Blocker(owner, f"a server may still hand out an RRset of {owner} without the new record")
    elif ends > scene.now:
        asked = cached.gone_since is not None and cached.gone_since > scene.now
        why = "; resolvers may still ask a name server that was taken out" if asked else ""
        yield Blocker(owner, f"caches may hold the old RRset of {owner} (TTL {cached.ttl} s){why}", ends)


def _before_our_time(scene: Scene, owner: str, known: OwnerFacts, generation: Generation) -> Iterator[Blocker]:
    """Why caches may hold a set from before we looked for the first time, and it may lack the new record."""
    ends = timing.history_known_at(known, scene.policy)
    before, smtp = scene.instead_of(owner), scene.smtp(owner)
    if ends is None or ends <= scene.now:
        return
    if any(law.worsens_unseen(one.records, before, generation.chain, smtp=smtp) for one in known.served):
        yield Blocker(owner, f"caches may hold an RRset of {owner} from before it was looked at for the first time", ends)


def _witness_disagrees(view: OwnerView) -> Iterator[Blocker]:
    """A validating resolver that sees something else than our own chain of trust holds the swap."""
    witness = view.witness
    if witness is None or not witness.validates:
        return
    secure = bool(view.answers) and all(one.security is Security.SECURE for one in view.answers)
    if secure and witness.security is not Security.SECURE:
        yield Blocker(
            view.owner, f"the resolver {witness.resolver} calls {view.owner} {witness.security}, our own validation says secure"
            + (f": {witness.reason}" if witness.reason else ""),
        )  # fmt: skip


def _witness_holds_an_old_set(scene: Scene, view: OwnerView, generation: Generation) -> Iterator[Blocker]:
    """First-hand proof of a cache that is not ready: our own validating resolver still hands out a set without the record."""
    witness = view.witness
    if witness is None or not witness.validates or witness.records is None:
        return
    if law.worsens(witness.records, scene.instead_of(view.owner), generation.chain, smtp=scene.smtp(view.owner)):
        why = f"the resolver {witness.resolver} still holds the old RRset of {view.owner}"
        yield Blocker(view.owner, why, _forgets(scene, view.owner, witness.records))


def _forgets(scene: Scene, owner: str, records: RRset) -> float | None:
    """When a cache that was seen with a set must have lost it; None where that is not known, or should have been already."""
    known = scene.facts.owners.get(owner)
    if known is None:
        return None
    seen = [timing.forgotten_at(one, scene.policy) for one in known.sets if one.records == records]
    ends = [one for one in seen or [timing.history_known_at(known, scene.policy)] if one is not None and one > scene.now]
    return max(ends) if ends and len(ends) == len(seen or ends) else None


def _not_probed(scene: Scene, service: Service) -> list[Blocker]:
    """Why there would be no evidence after the swap. Before anything was ever in service, a server without TLS is no obstacle."""
    missing = not_seen(scene, service)
    view = scene.snapshot.services.get(str(service))
    if not missing or scene.current is not None or (view is not None and view.problem):
        return missing
    reached = [one for one in scene.presentations(service) if one.outcome is not Outcome.UNREACHABLE]
    addresses = _by_address(scene.presentations(service))
    return [] if reached and all(any(p in reached for p in probes) for probes in addresses.values()) else missing


def _left_behind(scene: Scene, generation: Generation) -> Iterator[Blocker]:
    """Records of ours at a name that is no longer configured: its senders would meet the new certificate unprepared."""
    for name, known in scene.facts.owners.items():
        records = scene.facts.ours.get(known.target, frozenset())
        if name in scene.lineage.owners or known.target in scene.targets() or scene.current is None:
            continue
        if law.worsens(records, (scene.current.chain,), generation.chain, smtp=True):
            yield Blocker(
                name,
                f"our record still stands at {known.target}, which is configured no more: put the service back, or remove the "
                f"record by hand and say so: tlsa-manager records {scene.lineage.name} --forget {known.target}",
            )


def _files_not_ready(scene: Scene) -> Iterator[Blocker]:
    """Why the consumers would not take the files."""
    for name in scene.lineage.consumers:
        view = scene.snapshot.files.get(name)
        if view is None:
            yield Blocker(name, f"the file of consumer {name} has not been looked at")
        elif view.configured is False:
            yield Blocker(name, f"{name} does not read {view.path}" + "".join(f"; {one}" for one in view.problems))
        elif view.stuck:
            yield Blocker(name, f"the file of consumer {name} could not be given a new certificate: {view.stuck}")


def _late(place: str, probes: list[Presentation], new: Generation, former: Generation | None) -> Iterator[Blocker]:
    chains = [one.chain for one in probes if one.outcome is Outcome.PRESENTED and one.chain]
    old = former.chain.fingerprint if former is not None else new.chain.fingerprint
    if old != new.chain.fingerprint and any(chain.fingerprint == old for chain in chains):
        yield Blocker(place, f"{place} still presents the former certificate")
        return
    evidence = {one.chain.fingerprint for one in probes if one.chain and one.client in ("any", "rsa", "ecdsa")}
    if chains and new.chain.fingerprint not in evidence:
        yield Blocker(place, f"{place} does not present the new certificate")


def _wrong(scene: Scene, place: str, probes: list[Presentation], new: Generation, former: Generation | None) -> Iterator[Blocker]:
    settled = scene.now > (scene.facts.deployed_at or 0.0) + SETTLE
    theirs = {chain.fingerprint for chain in scene.foreign_chains()}
    expected = {new.chain.fingerprint, *theirs, *scene.facts.before, *((former.chain.fingerprint,) if former else ())}
    for one in probes:
        if one.chain and one.client != "no-sni" and one.chain.fingerprint not in expected:
            yield Blocker(place, f"{place} presents a certificate that nobody put there ({one.chain.fingerprint[:12]}…)")
        elif settled and one.outcome in {Outcome.FAILED, Outcome.NO_TLS} and one.client == "any":
            yield Blocker(place, f"{place} fails since the certificate was replaced: {one.reason or one.outcome}")


def _covers(records: RRset, chain: Chain, *, smtp: bool) -> bool:
    """Whether at least one usable record matches."""
    return any(chain.matches(one) for one in law.usable(records, smtp=smtp))


def _by_address(presentations: tuple[Presentation, ...]) -> dict[str, list[Presentation]]:
    table: dict[str, list[Presentation]] = {}
    for one in presentations:
        table.setdefault(one.address, []).append(one)
    return table


def _why(probes: list[Presentation]) -> str:
    return next((one.reason for one in probes if one.client == "any" and one.reason), probes[0].reason or str(probes[0].outcome))


def _unheard(owner: str, view: OwnerView | None) -> Blocker:
    why = "" if view is None else view.problem or "; ".join(f"{a.place}: {a.reason}" for a in view.answers)
    return Blocker(owner, f"the authoritative servers of {owner} cannot be asked" + (f": {why}" if why else ""))
