"""The world itself: servers with versions of a zone, caches that ask them, mail servers that present chains, and time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.oracle import judge_all
from tlsa_manager.chain import Chain, Digests
from tlsa_manager.clock import Moment
from tlsa_manager.errors import DeployError, PublishTemporary
from tlsa_manager.lineage import Generation, Key
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.publish import Ticket
from tlsa_manager.security import Security
from tlsa_manager.snapshot import (
    Answer,
    FileView,
    Held,
    Outcome,
    OwnerView,
    Presentation,
    ServiceView,
    Snapshot,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.fate import Fate
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts, Sent
    from tlsa_manager.rollover.steps import Publish, Retire
    from tlsa_manager.tlsa import RRset

NOTHING: RRset = frozenset()
CACHES = 3


class Crash(BaseException):
    """The process dies here."""


def generation(name: str, *, kind: str = "ECDSA", key: str = "", issuer: str = "issuer") -> Generation:
    """Make a generation out of thin air: `key` names the private key (default: a new one), `issuer` the CA (empty: none)."""
    key = key or name
    leaf = Digests.of(f"certificate {name} {key}".encode(), f"spki {key}".encode())
    above = (Digests.of(f"ca {issuer}".encode(), f"ca spki {issuer}".encode()),) if issuer else ()
    return Generation(name, Chain((leaf, *above), kind, not_after=1e12), ("mx.example.org",), origin="test")


def key_alone(name: str, key_type: str = "ecdsa-p256") -> Key:
    """Make a key without a certificate; `name` is what `generation` calls its private key."""
    digests = Digests.of(b"", f"spki {name}".encode())
    return Key(name, digests.spki_sha256, digests.spki_sha512, KEY_TYPES[key_type], key_type)


# Where a chain is presented: the service, its address, and the lineage that the certificate is from (RSA beside ECDSA).
Place = tuple[str, str, str]


@dataclass
class Entry:
    """An RRset in a cache."""

    records: RRset
    until: float


@dataclass
class World:
    """One lineage's piece of the Internet (or several lineages', if they share owners)."""

    fate: Fate
    owners: tuple[str, ...]
    now: float = 1_000_000.0
    versions: list[tuple[float, dict[str, RRset]]] = field(default_factory=list)
    presented: dict[Place, Chain] = field(default_factory=dict)
    switching: list[tuple[float, Place, Chain]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # consumer -> generation id
    chains: dict[str, Generation] = field(default_factory=dict)
    strangers: set[Chain] = field(default_factory=set)  # somebody else's mistakes: the oracle does not blame us for them
    unreachable: set[tuple[str, str]] = field(default_factory=set)  # (service, address) that cannot be connected to
    usurper: Chain | None = None  # what the servers present after a reload, whatever the files say
    excused: set[str] = field(default_factory=set)  # keys of which a person was told that caches need not know them
    configured: bool | None = True  # whether the consumers are configured to read our files
    unread: set[str] = field(default_factory=set)  # consumers that are configured to read them no more
    stuck: set[str] = field(default_factory=set)  # consumers whose file cannot be replaced
    readable: bool = True  # whether the backend can tell what it has
    broken: bool = False  # whether the backend ends every question with an error
    asks: bool = False  # whether the backend asks a person instead of changing anything
    asked: list[Publish | Retire] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)  # owner -> the name where its records really are
    staged: dict[str, list[RRset]] = field(default_factory=dict)  # what the backend has at a name and nobody serves, in order
    swapped_at: float | None = None
    new_everywhere_at: float | None = None

    def __post_init__(self) -> None:
        self.start = self.now
        self.random = random.Random(self.fate.seed)
        self.versions.append((float("-inf"), dict.fromkeys(self.owners, NOTHING)))
        self.caches: list[dict[str, Entry]] = [{} for _ in range(CACHES)]
        self.touches = self.sends = self.deploys = self.made = 0
        self.relapses_allowed = True
        self.judged = 0

    # -- time ------------------------------------------------------------------------------------------------------------
    def moment(self) -> Moment:
        """What the clocks of the host show."""
        stepped = sum(by for at, by in self.fate.clock_steps if self.start + at <= self.now)
        return Moment(self.now + stepped, "boot", self.now)

    def pass_time(self, until: float) -> None:
        """Let time pass; caches ask in between, mail servers switch when their moment comes, and the oracle watches."""
        moments = sorted(
            [self.random.uniform(self.now, until) for _ in range(2)]
            + [at for at, _, _ in self.switching if at <= until]
            + [until]
        )
        for at in moments:
            self.now = max(self.now, at)
            self._switch()
            self._ask()
            self.judge()

    def judge(self) -> None:
        """Every set that anybody may hold now, against everything that is presented behind the same name now."""
        for owner in self.owners:
            sets = [
                (f"cache {n} for {owner}", cache[owner].records)
                for n, cache in enumerate(self.caches)
                if self._held(cache, owner)
            ]
            sets += [(f"server {n} for {owner}", self.served(n, owner)) for n in range(len(self.fate.servers))]
            behind = [
                (" ".join(place), chain) for place, chain in self.presented.items()
                if _owner(place[0]) == owner and chain not in self.strangers
            ]  # fmt: skip
            caches, servers = sets[: -len(self.fate.servers)], sets[-len(self.fate.servers) :]
            judge_all(servers, behind, self.now)
            handed_out = [records for _, records in servers]
            for place, records in caches:  # a key that a person was told of need not be known by what no server says any more
                known = [one for one in behind if records in handed_out or one[1].leaf.spki_sha256 not in self.excused]
                judge_all([(place, records)], known, self.now)
            self.judged += len(sets) * len(behind)

    def _held(self, cache: dict[str, Entry], owner: str) -> bool:
        return owner in cache and cache[owner].until > self.now

    def touch(self) -> None:
        """The engine touches something; it may be the last thing it does."""
        self.touches += 1
        if self.touches in self.fate.crashes:
            raise Crash

    # -- DNS -------------------------------------------------------------------------------------------------------------
    def served(self, server: int, owner: str) -> RRset:
        """What a server hands out now, to whoever can reach it."""
        fate = self.fate.servers[server]
        age = self.now - fate.lag
        newest = self._newest(age)
        if self.relapses_allowed and any(span.covers(self.now - self.start) for span in fate.relapses):
            newest = max(0, newest - fate.depth)
        return self.versions[newest][1].get(self.target(owner), NOTHING)

    def _newest(self, at: float) -> int:
        """The number of the zone's version that there was at a moment."""
        return max(n for n, (since, _) in enumerate(self.versions) if since <= at)

    def target(self, owner: str) -> str:
        """Where the records of an owner are."""
        return self.aliases.get(owner, owner)

    def standing(self, owner: str) -> RRset:
        """What the primary has."""
        return self.versions[-1][1].get(self.target(owner), NOTHING)

    def backend_has(self, owner: str) -> RRset:
        """What the backend says that it has."""
        return self.staged[owner][-1] if owner in self.staged else self.standing(owner)

    def write(self, owner: str, records: RRset) -> None:
        """Change the zone at the primary."""
        if records != self.standing(owner):
            self.versions.append((self.now, {**self.versions[-1][1], self.target(owner): records}))

    def _ask(self) -> None:
        """Each cache asks some server for what it has not got any more."""
        for cache in self.caches:
            for owner in self.owners:
                entry = cache.get(owner)
                if entry is None or entry.until <= self.now:
                    records = self.served(self.random.randrange(len(self.fate.servers)), owner)
                    cache[owner] = Entry(records, self.now + max(self.fate.ttl, self.fate.stretch))

    # -- mail servers ----------------------------------------------------------------------------------------------------
    def _switch(self) -> None:
        due = [one for one in self.switching if one[0] <= self.now]
        self.switching = [one for one in self.switching if one[0] > self.now]
        for _, place, chain in due:
            self.presented[place] = chain

    def reload(self, lineage: Lineage, chain: Chain) -> None:
        """The mail servers take up a chain, each address in its own time."""
        places = [place for place in self.presented if place[2] == lineage.name]
        self.switching = [one for one in self.switching if one[1] not in places]  # the latest reload is the one that counts
        for number, place in enumerate(places):
            delay = self.fate.reload_delays[(self.deploys + number) % len(self.fate.reload_delays)]
            self.switching.append((self.now + delay, place, self.usurper or chain))

    # -- eyes and hands of the engine ------------------------------------------------------------------------------------
    def look(self, lineage: Lineage, facts: Facts, probes: int) -> Snapshot:
        """Look once."""
        self.touch()
        at = self.moment().wall
        services = {str(s): self._probe(str(s), at) for s in lineage.services if s.probe} if probes else {}
        return Snapshot(
            at,
            owners={owner: self._round(owner, at) for owner in lineage.owners},
            held={target: self._has(target, facts.sent.get(target)) for target in map(self.target, lineage.owners)},
            services=services,
            files={name: self._file(name) for name in lineage.consumers},
        )

    def _round(self, owner: str, at: float) -> OwnerView:
        seen = (number for number, one in enumerate(self.fate.servers) if not one.hidden)
        answers = tuple(self._answer(number, owner) for number in seen)
        return OwnerView(owner, self.target(owner), "example.org.", at, answers)

    def _answer(self, number: int, owner: str) -> Answer:
        fate = self.fate.servers[number]
        elapsed = self.now - self.start
        if any(span.covers(elapsed) for span in fate.down):
            return Answer(f"ns{number}", f"192.0.2.{number}", None, reason="timeout")
        broken = any(span.covers(elapsed) for span in fate.broken)
        state, why = (fate.state, f"it is {fate.state}") if broken else (Security.SECURE, "")
        wall = self.moment().wall
        return Answer(
            f"ns{number}", f"192.0.2.{number}", self.served(number, owner), self.fate.ttl, state, why,
            signed_from=wall - 1e6, signed_until=wall + 1e7,
        )  # fmt: skip

    def _probe(self, service: str, at: float) -> ServiceView:
        """What each kind of client is shown at each address."""
        addresses = dict.fromkeys(address for name, address, _ in self.presented if name == service)
        seen = tuple(
            self._show(service, address, client) for address in addresses for client in ("any", "rsa", "ecdsa", "no-sni")
        )
        return ServiceView(service, at, seen, "" if seen else "no address")

    def _show(self, service: str, address: str, client: str) -> Presentation:
        if (service, address) in self.unreachable:
            return Presentation(address, client, Outcome.UNREACHABLE, reason="connection refused")
        chains = [chain for place, chain in self.presented.items() if place[:2] == (service, address)]
        chains.sort(key=lambda chain: chain.kind != "ECDSA")  # a client that takes both is given ECDSA
        fitting = [chain for chain in chains if client in ("any", "no-sni") or chain.kind.lower() == client]
        if not fitting:
            return Presentation(address, client, Outcome.UNSHARED)
        return Presentation(address, client, Outcome.PRESENTED, fitting[0])

    def _file(self, consumer: str) -> FileView:
        known = self.chains.get(self.files.get(consumer, ""))
        configured = self.configured and consumer not in self.unread
        fingerprint, stuck = known.chain.fingerprint if known else "", "it is a link" if consumer in self.stuck else ""
        return FileView(consumer, f"/etc/{consumer}.pem", fingerprint, configured=configured, stuck=stuck)

    def _has(self, target: str, sent: Sent | None) -> Held:
        """What the backend says of a target, and which of its changes all instances have, those too that we cannot ask."""
        if self.broken:
            return Held(target, None, reason="BADSIG", failed=True)
        everywhere = min((self._newest(self.now - one.lag) for one in self.fate.servers if one.hidden), default=0)
        numbers = sent.numbers if sent else ()
        settled = frozenset(one for one in numbers if int(one) <= everywhere)
        late = any(one.hidden for one in self.fate.servers)
        told = "" if settled >= set(numbers) else "not yet"
        return Held(target, self.backend_has(target) if self.readable else None, self.fate.ttl, "", settled, told, late)

    def publish(self, lineage: Lineage, step: Publish) -> Ticket:
        """Add records, or ask a person to."""
        return self._ask_for(step) or self._change(step.target, lambda standing: standing | step.add)

    def retire(self, lineage: Lineage, step: Retire) -> Ticket:
        """Remove records, or ask a person to."""
        return self._ask_for(step) or self._change(step.target, lambda standing: standing - step.remove)

    def _ask_for(self, step: Publish | Retire) -> Ticket | None:
        if not self.asks:
            return None
        self.touch()
        self.asked.append(step)
        return Ticket("asked")

    def _change(self, target: str, how: Callable[[RRset], RRset]) -> Ticket:
        self.touch()
        self.sends += 1
        if self.sends in self.fate.refused or self.broken:
            raise PublishTemporary("the server refuses")
        wanted = how(self.backend_has(target))
        if self.sends in self.fate.unserved:
            self.staged[target] = [*self.staged.get(target, ()), wanted]
            raise PublishTemporary("it is written, but could not be served")
        if self.sends not in self.fate.lost:
            for records in (*self.staged.pop(target, ()), wanted):
                self.write(target, records)
        self.touch()
        if self.sends in self.fate.silent:
            raise PublishTemporary("the answer was lost")
        return Ticket("done", number=str(len(self.versions) - 1) if any(one.hidden for one in self.fate.servers) else "")

    def take_in(self, lineage: Lineage, consumer: str) -> Generation:
        """Copy what a consumer has into the store."""
        self.touch()
        return self.chains[self.files[consumer]]

    def prepare(self, lineage: Lineage, key_type: str) -> Key:
        """Make a key."""
        self.touch()
        self.made += 1
        made = key_alone(f"{lineage.name} key {self.made}", key_type)
        self.touch()
        return made

    def install(self, lineage: Lineage, name: str, consumer: str) -> None:
        """Write one consumer's file."""
        self.touch()
        self.files[consumer] = name

    def deploy(self, lineage: Lineage, name: str) -> None:
        """Write every consumer's file and reload: each address switches in its own time, some before the reload."""
        self.touch()
        self.deploys += 1
        if self.swapped_at is None:
            self.swapped_at = self.now
        self.relapses_allowed = False  # what falls back after the swap hurts; nobody could have prevented it
        for consumer in lineage.consumers:
            self.files[consumer] = name
        self.reload(lineage, self.chains[name].chain)
        self.touch()
        if self.deploys in self.fate.failed_deploys:
            raise DeployError("the reload failed")
        self._switch()
        self.judge()

    def restore(self, lineage: Lineage, name: str) -> None:
        """Put a former generation back."""
        self.deploy(lineage, name)


def _owner(service: str) -> str:
    """The TLSA owner name of `host:port` (RFC 6698 §3), by the world's own lights."""
    host, _, port = service.partition("/")[0].rpartition(":")
    return f"_{port}._tcp.{host}."
