"""The looks of a preflight: at a lineage as the engine looks, without writing anything down; at services nobody configured."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.hands import HouseHands
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.preflight import hindsight
from tlsa_manager.preflight.clearance import Reason
from tlsa_manager.preflight.judgement import Liking, asks_the_public, at_insecure, beside, for_scene, insecure
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.gates import not_seen
from tlsa_manager.rollover.note import note
from tlsa_manager.rollover.scene import Scene
from tlsa_manager.sender.route import FAILED, bases
from tlsa_manager.snapshot import Snapshot
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlsa_manager.config import Config
    from tlsa_manager.engine import Memory
    from tlsa_manager.policy import Policy
    from tlsa_manager.preflight.clearance import Candidate, Clearance
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.plan import Plan
    from tlsa_manager.sender.route import Lookups
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import OwnerView, ServiceView

ADDRESSES = ("A", "AAAA")
PROBES = 2  # connections for each kind of client: old and new processes may answer side by side


@dataclass(frozen=True, slots=True)
class Trust:
    """What the operator says of names and authorities. `at`: for another moment than now."""

    names: tuple[str, ...] = ()
    ca_file: str | None = None
    at: float | None = None

    def liking(self, services: Iterable[Service], snapshot: Snapshot, candidate: Candidate) -> Liking:
        """Ask the public authorities, where some record makes senders ask them.

        A sender accepts the base domain, which an alias that leads there is not (RFC 7672 §3.2.2), and what it came for.
        """
        wanted, views = tuple(services), snapshot.owners
        kinds = tuple((name,) for name in self.names) or ((),)
        asked = [
            (one.host, *more)
            for one in wanted
            for more in kinds
            if one.owner in views and asks_the_public((each.records for each in views[one.owner].answers), one)
        ]
        return Liking({one.host: kinds for one in wanted}, self.doubts(asked, candidate))

    def doubts(self, senders: Iterable[tuple[str, ...]], candidate: Candidate) -> dict[tuple[str, ...], str]:
        """Return why public authorities do not vouch for the chain, by the names that a sender accepts. Raises BadInput."""
        wanted = tuple(dict.fromkeys(senders))
        if not wanted:
            return {}
        from tlsa_manager.observe.pkix import Authorities

        trusted = Authorities(self.ca_file, at=self.at)
        found = {names: [trusted.doubt(candidate.certificates, name) for name in names] for names in wanted}
        return {names: "" if "" in doubts else doubts[0] for names, doubts in found.items() if doubts}


@dataclass(frozen=True, slots=True)
class Ground:
    """From where services are looked at that are not configured. `since`: what the operator vouches for.

    `port`: of all authoritative servers.
    """

    resolver: tuple[str, ...]
    anchor: str | None
    port: int
    policy: Policy
    trust: Trust
    since: float | None = None


def of_lineage(config: Config, name: str, candidate: Candidate, trust: Trust) -> Clearance:
    """Judge a chain for a lineage, with all that the journal knows of caches. Nothing is changed, not even the journal."""
    from tlsa_manager.engine import Engine
    from tlsa_manager.wiring import house

    home = house(config)
    hands = Onlooker(config, home.store, lambda *_: None)
    scene = Engine(config.lineages, Recollection(home.journal), hands).scene(name)
    return for_scene(scene, _generation(candidate), candidate, trust.liking(scene.lineage.services, scene.snapshot, candidate))


def of_services(wanted: tuple[Service, ...], candidate: Candidate, ground: Ground) -> Clearance:
    """Judge a chain for services that nobody remembers anything of: what caches hold from before is not known."""
    from tlsa_manager.observe.live import services

    lookups, views = asyncio.run(_ask(wanted, ground))
    everywhere = tuple(dict.fromkeys(base for one in wanted for base in _in_use(one, lookups, views)))
    seen = services(everywhere, repeats=PROBES, resolver=ground.resolver)
    now = clock.now()
    without = [one for one in everywhere if insecure(views[one.owner])]
    signed = tuple(one for one in everywhere if one not in without)
    scene = scene_of(signed, Snapshot(now, views, services=seen), ground.policy, ground.since)
    liking = ground.trust.liking(signed, scene.snapshot, candidate)
    clearance = for_scene(scene, _generation(candidate), candidate, liking)
    since = min((one.since for one in scene.facts.owners.values() if one.since is not None), default=None)
    found = replace(clearance, reasons=(*clearance.reasons, *_lost(wanted, lookups), *_nowhere(wanted, lookups)))
    unprotected = [at_insecure(views[one.owner], one, candidate, now) for one in without]
    return beside(found, unprotected, since, (*_unheard(everywhere, seen), *hindsight.removals(scene, ground.since)))


async def _ask(wanted: tuple[Service, ...], ground: Ground) -> tuple[Lookups, dict[str, OwnerView]]:
    """Look up the addresses of all hosts, and then the TLSA owners of all names that senders may start from."""
    from tlsa_manager.observe.lookout import Lookout

    eyes = Lookout(resolver=ground.resolver, anchor=ground.anchor, port=ground.port)
    lookups = await eyes.look_up((one.host, kind) for one in wanted for kind in ADDRESSES)
    return lookups, await eyes.owners(base.owner for one in wanted for base in _bases(one, lookups))


def _bases(service: Service, lookups: Lookups) -> tuple[Service, ...]:
    """Return a service under every name that may be its TLSA base domain (RFC 7671 §7), be its addresses signed or not."""
    found = tuple(lookups[f"{service.host}.", kind] for kind in ADDRESSES)
    names = bases(service.host, found) or (service.host,)
    return tuple(replace(service, host=name) for name in names)


def _in_use(service: Service, lookups: Lookups, views: Mapping[str, OwnerView]) -> tuple[Service, ...]:
    """Return a service under the base domains that count: those with records, or where nobody can tell."""
    under = _bases(service, lookups)
    return tuple(one for one in under if not _empty(views[one.owner])) or under[-1:]


def _empty(view: OwnerView) -> bool:
    return view.complete and not any(one.records for one in view.answers)


def _lost(wanted: tuple[Service, ...], lookups: Lookups) -> list[Reason]:
    """Why it is not known where senders would look: a name that cannot be looked up may be an alias."""
    return [
        Reason(
            str(one), f"the {kind} records of {one.host} cannot be looked up: {found.reason}", remedy=f"tlsa-manager check {one}"
        )
        for one in wanted
        for kind in ADDRESSES
        if (found := lookups[f"{one.host}.", kind]).records is None or found.security in FAILED
    ]


def _nowhere(wanted: tuple[Service, ...], lookups: Lookups) -> list[Reason]:
    """Say where no sender can come to: nearly always the name is a wrong one, and a verdict about it none about the server."""
    remedy = "give the name that MX records, or clients, name; if it is right, publish its address first"
    return [
        Reason(str(one), f"{one.host} has no address, so no sender comes there under this name", remedy=remedy)
        for one in wanted
        if all(lookups[f"{one.host}.", kind].records == () for kind in ADDRESSES)
    ]


def _unheard(wanted: tuple[Service, ...], seen: Mapping[str, ServiceView]) -> list[tuple[str, str]]:
    """Say where nobody presented anything: a wrong port has no records, and looks as safe as a server that is yet to come."""
    said = "no certificate was seen there from here, so you vouch for it: are host and port right, and is the server up?"
    return [(name, said) for name in map(str, wanted) if not any(one.chain for one in seen[name].presentations)]


def scene_of(wanted: tuple[Service, ...], snapshot: Snapshot, policy: Policy, since: float | None) -> Scene:
    """Make what a gate is asked with of one look: what stood before it nobody knows, or `since` when it has stood so.

    A service that cannot be probed is taken on the operator's word; then every set that lacks the new record counts.
    """
    bare = Scene(Lineage("preflight", wanted, policy=policy), Facts("preflight"), snapshot, snapshot.at)
    believed = tuple(replace(one, probe=False) if not_seen(bare, one) else one for one in wanted)
    scene = replace(bare, lineage=Lineage("preflight", believed, policy=policy))
    facts = scene.facts
    for event in note(scene):
        facts = apply(facts, event, snapshot.at)
    if since is not None:
        owners = {
            name: replace(one, since=min(since, one.since)) if one.since is not None else one
            for name, one in facts.owners.items()
        }
        facts = replace(facts, owners=owners)
    return replace(scene, facts=facts)


class Recollection:
    """A journal that is only read: what this look proves is remembered as long as the process lives."""

    def __init__(self, journal: Memory) -> None:
        self._journal = journal
        self._facts: dict[str, Facts] = {}
        self._plans: dict[str, Plan] = {}

    def facts(self, lineage: str) -> Facts:
        """Return the fold of all events, those of this process on top."""
        return self._facts.get(lineage) or self._journal.facts(lineage)

    def folded(self, lineage: str) -> int:
        """Return the number of the last event in the journal that was folded."""
        return self._journal.folded(lineage)

    def append(self, lineage: str, event: Event, at: float, *, after: int | None = None) -> None:  # noqa: ARG002  nobody else writes here
        """Remember an event."""
        self._facts[lineage] = apply(self.facts(lineage), event, at)

    def plan(self, lineage: str) -> Plan | None:
        """Return the latest plan."""
        return self._plans.get(lineage) or self._journal.plan(lineage)

    def keep_plan(self, lineage: str, plan: Plan) -> None:
        """Remember a plan."""
        self._plans[lineage] = plan


class Onlooker(HouseHands):
    """Eyes that ask no backend, and always look at the services."""

    def look(self, lineage: Lineage, facts: Facts, probes: int) -> Snapshot:
        """Look once, at everything side by side."""
        return super().look(replace(lineage, dns=""), facts, max(probes, PROBES))


def _generation(candidate: Candidate) -> Generation:
    return Generation("preflight", candidate.chain, candidate.names, ours=False, origin="preflight")
