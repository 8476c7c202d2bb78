"""Puts the parts together: the journal, the store, the hands and the engine become a house, with the verbs that the voice has.

Everything heavy is made when it is first needed: a run with nothing to do opens the journal and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import BadInput, Busy, TlsaManagerError
from tlsa_manager.journal import Journal
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import succession
from tlsa_manager.rollover.advice import SIGNED_BY_ITSELF, advice
from tlsa_manager.rollover.plan import NEWS
from tlsa_manager.rollover.state import Phase, phase
from tlsa_manager.stolen.aftermath import Aftermath, aftermath
from tlsa_manager.value import dataclass
from tlsa_manager.verbs import course, side_by_side, staging
from tlsa_manager.verbs.next_key import Handed, handed_out, key_for_renewal, next_key, next_kind, replaced
from tlsa_manager.verbs.taken import is_ready, outlook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.engine import Engine
    from tlsa_manager.handover.watching import Watch
    from tlsa_manager.hands import HouseHands
    from tlsa_manager.household import Holder
    from tlsa_manager.issuing import Issuing
    from tlsa_manager.keys import Pair
    from tlsa_manager.lineage import Key, Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.plan import Plan
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.store import Store
    from tlsa_manager.tlsa import RRset
    from tlsa_manager.verbs.taken import Taken

STAY = 5.0  # seconds; a longer wait in the middle of a swap is left to the next run
PATIENCE = 10.0  # seconds for which the timer may be at it before a person who asks for a certificate is told so
ISSUE_BUDGET = 300.0  # seconds after which a run begins no more orders: other lineages have to be looked after again
HOOK_BUDGET = 0.7  # seconds a hook spends on publishing; the timer does what is left


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one lineage stands at a moment (seconds since 1970), from the journal alone."""

    lineage: Lineage
    facts: Facts
    phase: Phase
    plan: Plan | None
    advice: tuple[str, ...] = ()
    at: float = 0.0
    after: Aftermath = Aftermath()


class House:
    """One installation. `watch` is told what is being done, as (lineage, sentence)."""

    def __init__(self, config: Config, *, watch: Callable[[str, str], None] = lambda name, text: None) -> None:  # noqa: ARG005
        self.config = config
        self.watch = watch
        self._publishing: Thread | None = None

    @cached_property
    def journal(self) -> Journal:
        """The memory."""
        return Journal(Path(self.config.state.removeprefix("sqlite:///")))

    @cached_property
    def store(self) -> Store:
        """Keys and certificates."""
        from tlsa_manager.store import Store

        return Store(self.config.directory)

    @cached_property
    def watched(self) -> Watch:
        """The files of clients without hooks."""
        from tlsa_manager.handover.watching import Watch

        return Watch(self.config.directory)

    @cached_property
    def hands(self) -> HouseHands:
        """Eyes and hands."""
        from tlsa_manager.hands import HouseHands

        return HouseHands(self.config, self.store, self.watch)

    @cached_property
    def engine(self) -> Engine:
        """The loop."""
        from tlsa_manager.engine import Engine

        return Engine(self.config.lineages, self.journal, self.hands, watch=self.watch)

    # -- verbs of the hook -----------------------------------------------------------------------------------------------
    def stage(
        self, name: str, chain_pem: bytes, key_pem: bytes | None, origin: str, *, insist: bool = False, accept_kind: bool = False
    ) -> Taken:
        """Check a certificate and key, keep them, journal them, publish what can be published within a moment.

        `key_pem` None: the key is ours, and is looked up by the certificate's. `insist`: the operator says so; nothing is held
        back; but another kind of key than the one in service has to be accepted (`accept_kind`). The running mail server is not
        touched. Raises BadInput for what cannot be used at all, a key that somebody else has among it, Unsafe, StateError when
        it could not be kept: then nothing was.
        """
        from tlsa_manager.keys import load_pair

        lineage = self.lineage(name)
        pair = load_pair(chain_pem, key_pem if key_pem is not None else self._key_of(name, chain_pem))
        before = self.journal.facts(name)
        taken = staging.keep(lineage, pair, origin, self.journal, self.store, insist=insist, accept=accept_kind)
        if taken.known or taken.hold:
            return taken
        notes = (*self._publish_at_once(name, taken.generation.records(lineage.params)), *_about(pair, before))
        after, now = self.journal.facts(name), clock.now()
        ready = is_ready(lineage, after, taken.id, now)
        return replace(taken, notes=notes, outlook=outlook(lineage, after, taken.id, now), ready=ready)

    def stage_new_key(self, name: str, *, accept_kind: bool = False) -> Taken:
        """Begin to roll over to the next key, which is made if there is none, with a certificate signed by itself.

        Raises Unsafe where it is of another kind, which nobody accepted.
        """
        from tlsa_manager.keys import self_signed

        lineage = self.lineage(name)
        pair = self_signed(lineage.hosts, self.next_key(name))
        return self.stage(name, pair.chain_pem, pair.key_pem, "new key", insist=True, accept_kind=accept_kind)

    def order_new_key(self, name: str, *, accept_kind: bool = False) -> dict[str, TlsaManagerError]:
        """Have the issuer make a certificate for the next key now, however young the one in service is; what went wrong.

        From now on the key in service is due, whatever becomes of this order. Raises Unsafe where the next key is of another
        kind, which nobody accepted.
        """
        lineage, facts = self.lineage(name), self.journal.facts(name)
        if not accept_kind:
            staging.refuse_kind(lineage, facts, next_kind(lineage, facts))
        self.next_key(name)
        self.journal.append(name, ev.KeyDue(), clock.now())
        errors = self.order([name])
        hold = self.journal.facts(name).hold
        if accept_kind and hold is not None and hold.accept:
            self.release(name, accept_key_type=True)
        return errors

    def next_key(self, name: str) -> bytes:
        """Return the next key, PEM; it is made, kept and journalled where there is none yet. Raises StateError."""
        return self.store.key(name, next_key(self.lineage(name), self.journal, self.store).id)

    def key_for_renewal(self, name: str) -> tuple[str, bytes]:
        """Return the key that a certificate asked for now is for: its id (or its generation's) and itself, PEM.

        The key in service while keys are reused and none is due, else the next key. Raises StateError.
        """
        return key_for_renewal(self.lineage(name), self.journal, self.store)

    def hand_out(self, name: str) -> Handed:
        """Give the key for the next renewal to a client, and publish what can be published within a moment.

        From now on a next key is published ahead. Raises StateError.
        """
        lineage = self.lineage(name)
        identity, pem = self.key_for_renewal(name)
        if identity not in handed_out(self.journal, name):
            self.journal.append(name, ev.HandedOut(identity), clock.now())
        ahead = succession.prepublished(lineage, self.journal.facts(name))
        return Handed(identity, pem, self._publish_at_once(name, ahead) if ahead else ())

    def replace_next_key(self, name: str, reason: str) -> Key:
        """Never use the next key: another takes its place, and its record goes. Raises Unsafe while a certificate is for it."""
        return replaced(self.lineage(name), self.journal, self.store, reason)

    def _key_of(self, name: str, chain_pem: bytes) -> bytes:
        """Find the key of a certificate that came without one. Raises BadInput."""
        from tlsa_manager.keys import read_chain

        chain, _ = read_chain(chain_pem)
        key = self.store.key_of(name, chain.leaf.spki_sha256)
        if key is None:
            raise BadInput(
                f"the key of this certificate is not here: it is no next key of {name}, and none of its generations has it",
                "hand the key over with the certificate (hook files --key FILE);"
                f" or have the client use ours: tlsa-manager next-key {name} --request FILE",
            )
        return key

    def _publish_at_once(self, name: str, records: RRset) -> tuple[str, ...]:
        """Publish within a moment. The process may end while the thread works: every act may be cut short and done again."""
        done: list[str] = []

        def attempt() -> None:
            try:
                with self.journal.lease(self._family(name)):
                    self.engine.publish(name)
                done.extend(_told(self.journal.facts(name), records))
            except Busy:
                pass  # whoever holds the lease sees the new generation
            except TlsaManagerError as error:
                done.append(f"publishing has to wait: {error.message}")

        self._publishing = Thread(target=attempt, daemon=True)
        self._publishing.start()
        self._publishing.join(HOOK_BUDGET)
        return tuple(done)

    @property
    def is_publishing(self) -> bool:
        """Whether the moment a hook may spend was too short: the process may end all the same, the timer does what is left."""
        return self._publishing is not None and self._publishing.is_alive()

    # -- verbs of the timer ----------------------------------------------------------------------------------------------
    def due(self, name: str, now: float) -> bool:
        """Whether anything is to be done for a lineage: its time has come, something happened, or the configuration changed."""
        plan = self.journal.plan(name)
        if plan is None or now >= plan.wake_at or now < plan.looked[0] or self.journal.latest(name) > plan.seen:
            return True
        return any(_changed(file) > plan.looked[0] for file in self.config.files) or self._files_changed(name, now)

    def retry(self, names: Iterable[str]) -> None:
        """Have what failed tried by the next run at once, as a person wants who has mended the cause."""
        for name in names:
            if self.journal.facts(name).failures:
                self.journal.append(name, ev.Retried(), clock.now())

    def run(self, names: Iterable[str] = (), *, anyway: bool = False) -> dict[str, TlsaManagerError]:
        """Pass once over what is due, or over all (`anyway`).

        Lineages that share owners go one after another, others side by side. Returns what went wrong, by lineage; one
        lineage's trouble never stops another.
        """
        if self._publishing is not None:
            self._publishing.join()  # it holds the lease: without this we would be too busy for ourselves
        meant = (self.lineage(name).name for name in names or self.config.lineages)
        families = self._families([name for name in meant if anyway or self.due(name, clock.now())])
        errors = self._each(self._look_after, families)
        late = {
            family: [one for one in members if one not in errors and self._has_to_issue(one)]
            for family, members in families.items()
        }
        ends = clock.monotonic() + ISSUE_BUDGET

        def issue(family: str, name: str) -> None:
            if clock.monotonic() < ends and self._issuing(family).work(name):
                self._advance(family, name)

        return errors | self._each(issue, {family: members for family, members in late.items() if members})

    def order(self, names: Iterable[str], *, take_over: bool = False, insist: bool = False) -> dict[str, TlsaManagerError]:
        """Order certificates because a person asks for them, where they are due. Returns what went wrong, by lineage.

        `take_over`: also where somebody else brought the one in service; `insist`: whatever anybody says.
        """

        def act(family: str, name: str) -> None:
            self._advance(family, name)
            if self._issuing(family).on_request(name, take_over=take_over, insist=insist):
                self._advance(family, name)

        return side_by_side.each(self.journal, act, self._families(names), patience=PATIENCE)

    def rehearse(self, names: Iterable[str]) -> dict[str, TlsaManagerError]:
        """Order certificates at the staging directories of their authorities, and throw them away."""
        return self._each(lambda family, name: self._issuing(family).rehearse(name), self._families(names))

    def _families(self, names: Iterable[str]) -> dict[str, list[str]]:
        return side_by_side.families(self.config.lineages, self.journal, names)

    def _each(self, act: Callable[[str, str], None], families: dict[str, list[str]]) -> dict[str, TlsaManagerError]:
        return side_by_side.each(self.journal, act, families)

    def _look_after(self, family: str, name: str) -> None:
        """Take up what was brought, and do what is due; what is wrong with what was brought bars nothing."""
        wrong = self._take_watched(name)
        self._stage_found(name)
        self._advance(family, name)
        if wrong is not None:
            raise wrong

    def _issuing(self, family: str) -> Issuing:
        from tlsa_manager.issuing import Issuing

        return Issuing(self, lambda: self.journal.renew(family))

    def _has_to_issue(self, name: str) -> bool:
        """Whether a certificate has to be ordered, or what proved our names has to be removed from DNS."""
        lineage, facts = self.lineage(name), self.journal.facts(name)
        if not lineage.issuer and not facts.tokens:
            return False
        from tlsa_manager.issuing import moment

        now = clock.now()
        return moment(lineage, facts, now) <= now

    def _wake_in_time(self, name: str) -> None:
        """Let the plan know when the next certificate is due: then an idle run need not read the journal to see that none is."""
        lineage, facts, plan = self.lineage(name), self.journal.facts(name), self.journal.plan(name)
        if plan is None or not (lineage.issuer or facts.tokens) or self.journal.folded(name) != plan.seen:
            return
        from tlsa_manager.issuing import moment

        at = max(moment(lineage, facts, clock.now()), plan.looked[0])
        if at < plan.wake_at:
            self.journal.keep_plan(name, replace(plan, wake_at=at))

    def _stage_found(self, name: str) -> None:
        staging.take_up(self.lineage(name), self.journal, self.store, lambda text: self.watch(name, text))

    def _files_changed(self, name: str, now: float) -> bool:
        """Whether a client without hooks has brought something; most lineages have none, and nothing is opened for them."""
        lineage = self.config.lineages[name]
        return bool(lineage.watch[0]) and self.watched.due(lineage, now)

    def _take_watched(self, name: str) -> TlsaManagerError | None:
        """Take over what a client without hooks has written, when it is whole. Returns what is wrong with it."""
        if not (lineage := self.lineage(name)).watch[0]:
            return None
        from tlsa_manager.handover.watching import SETTLE

        def take(chain_pem: bytes, key_pem: bytes | None) -> None:
            taken = self.stage(name, chain_pem, key_pem, "watch")
            if not taken.known:
                self.watch(name, f"{lineage.watch[0]} has changed: {taken}")

        if not self.journal.latest(name):
            self.watched.forget(name)  # a new journal: what was taken over once is known no more
        try:
            if not self.watched.look(lineage, clock.now(), take):
                clock.sleep(SETTLE)
                self.watched.look(lineage, clock.now(), take)
        except TlsaManagerError as error:
            return error
        return None

    def _advance(self, family: str, name: str) -> None:
        """Do what is due; while a swap is being proven, stay with it: the next timer may be a minute away.

        As long as proving a swap and proving the way back take, and no longer: a server that stays away must not keep the
        run from all other lineages.
        """
        ends = clock.monotonic() + 2 * self.lineage(name).policy.confirm_within + STAY
        while True:
            self.journal.renew(family)
            decision = self.engine.advance(name)
            facts = self.journal.facts(name)
            wait = decision.until - clock.now()
            if not (facts.deploying or facts.way_back) or wait > STAY or clock.monotonic() + wait > ends:
                self._wake_in_time(name)
                return
            clock.sleep(wait)

    # -- verbs of the terminal -------------------------------------------------------------------------------------------
    def lineage(self, name: str) -> Lineage:
        """Return a configured lineage. Raises BadInput with a suggestion."""
        if name in self.config.lineages:
            return self.config.lineages[name]
        from tlsa_manager.option import suggestion

        raise BadInput(
            f"there is no lineage {name[:80]!r} in {self.config.path}{suggestion(name, self.config.lineages)}",
            "name one of: " + (", ".join(self.config.lineages) or "(none is configured)"),
        )

    def standing(self, name: str) -> Standing:
        """Say where a lineage stands, without looking at the world."""
        lineage, facts, now = self.lineage(name), self.journal.facts(name), clock.now()
        plan = self.journal.plan(name)
        if plan is not None and self.journal.latest(name) > plan.seen:
            plan = replace(plan, wake_at=now, why=NEWS, remedy="", blockers=(), due=None)
        told = (*advice(lineage, facts, now), *(self.watched.advice(lineage, now) if lineage.watch[0] else ()))
        return Standing(lineage, facts, phase(lineage, facts, now), plan, told, now, aftermath(self, lineage, now))

    def look(self, name: str) -> Scene:
        """Look at the world now, and remember what the look proves; nothing is changed."""
        with self.journal.lease(self._family(name)):
            return self.engine.scene(self.lineage(name).name)

    def holder(self, name: str) -> Holder | None:
        """Say who is working on a lineage, or on one that shares an owner with it, at this moment."""
        return self.journal.holder(self._family(self.lineage(name).name))

    def release(self, name: str, *, accept_key_type: bool = False) -> None:
        """Go on with what is held. Raises Unsafe when nothing is, or when another kind of key has to be accepted and is not."""
        course.release(self.journal, self.lineage(name).name, accept_key_type=accept_key_type)

    def abort(self, name: str) -> None:
        """Give the next generation up; its records are withdrawn by the next run. Raises Unsafe when it is too late for that."""
        course.abort(self.journal, self.lineage(name).name)

    def back(self, name: str) -> str:
        """Go back to the former certificate: at once while both are in DNS, else as a new rollover. Returns a sentence."""
        return course.back(self.journal, self.lineage(name))

    def adopt(self, name: str, records: RRset) -> dict[str, RRset]:
        """Take records that stand in DNS already as ours, to be removed when nothing needs them. Returns them by target."""
        scene = self.look(name)
        adopted: dict[str, RRset] = {}
        for target, owners in scene.targets().items():
            standing = frozenset().union(*(one for owner in owners for one in scene.standing(target, owner)))
            found = (standing & records) - scene.facts.ours.get(target, frozenset()) - scene.neighbours_want()
            if found:
                self.journal.append(name, ev.RecordsAdopted(target, tuple(sorted(found))), clock.now())
                adopted[target] = found
        return adopted

    def forget(self, name: str, target: str) -> RRset:
        """Believe the operator that our records at a target, which is configured no more, are gone. Returns them."""
        records = self.journal.facts(self.lineage(name).name).ours.get(target, frozenset())
        if not records:
            raise BadInput(f"{name} has no records of its own at {target[:80]!r}", f"see: tlsa-manager records {name}")
        self.journal.append(name, ev.Retired(target, tuple(sorted(records)), proven=True), clock.now())
        return records

    def _family(self, name: str) -> str:
        return side_by_side.family(self.config.lineages, self.journal, name)


def house(config: Config, *, watch: Callable[[str, str], None] = lambda name, text: None) -> House:  # noqa: ARG005
    """Put an installation together. Nothing is opened before it is needed."""
    return House(config, watch=watch)


def _told(facts: Facts, records: RRset) -> Iterator[str]:
    """What became of publishing these records."""
    if published := [target for target, sent in facts.sent.items() if records <= sent.records]:
        yield f"its records are published at {', '.join(sorted(published))}"
    failed = next((one for step, one in facts.failures.items() if step.startswith("publish ")), None)
    if failed is not None:
        yield f"publishing has to wait: {failed.reason}" + (f" ({failed.hint.splitlines()[0]})" if failed.hint else "")


def _about(pair: Pair, facts: Facts) -> Iterator[str]:
    """What is worth saying once: when certificates signed by themselves begin."""
    current = facts.generation(facts.current)
    if pair.signed_by_itself and (current is None or len(current.chain.certificates) > 1):
        yield SIGNED_BY_ITSELF


def _changed(file: Path) -> float:
    """When a file was changed, the future if that cannot be told."""
    try:
        return file.stat().st_mtime
    except OSError:
        return float("inf")
