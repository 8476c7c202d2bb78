"""Deliberate faults in the rules: what is changed in which file of `tlsa_manager/rollover`, and what that would mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A planted fault. `edits`: (file, exact old text, which occurs once, new text)."""

    name: str
    means: str
    edits: tuple[tuple[str, str, str], ...]


def _one(name: str, means: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(name, means, ((file, old, new),))


_WAIT = "return max(policy.ttl_multiplier * ttl, policy.cache_floor)"
_GONE = "return replace(one, gone_since=event.at) if one.gone_since is None else one"
_AGAIN = "    if (one.records, one.ttl) in served or not event.complete:\n"
_COMPLETE = "complete=view.complete and all(answer.security is Security.SECURE for answer in view.answers)"

MUTANTS = (
    # -- how long caches may hold a set ----------------------------------------------------------------------------------
    _one("one ttl", "k = 1: one TTL is waited for, not two", "timing.py", _WAIT, "return max(ttl, policy.cache_floor)"),
    _one("no floor", "caches that raise small TTLs are forgotten", "timing.py", _WAIT, "return policy.ttl_multiplier * ttl"),
    _one(
        "no margin",
        "anycast nodes and sender caches are not allowed for",
        "timing.py",
        "return one.gone_since + cache_wait(one.ttl, policy) + policy.margin",
        "return one.gone_since + cache_wait(one.ttl, policy)",
    ),
    _one(
        "first server",
        "the clock starts with the first server that is new",
        "facts.py",
        _AGAIN,
        "    if ((one.records, one.ttl) in served and len(served) == 1) or not event.complete:\n",
    ),
    _one(
        "no reset",
        "an old answer does not start the clock again",
        "facts.py",
        _AGAIN + "        return replace(one, gone_since=None)",
        _AGAIN + "        return one",
    ),
    _one(
        "silent is new",
        "a server that does not answer counts as new",
        "facts.py",
        " in served or not event.complete:",
        " in served:",
    ),
    _one(
        "new ttl",
        "the TTL of the new set is waited for",
        "facts.py",
        _GONE,
        "return replace(one, gone_since=event.at, ttl=min(t for _, t in served)) if one.gone_since is None else one",
    ),
    _one(
        "latest round",
        "every round restarts the clock, so the wait never ends",
        "facts.py",
        _GONE,
        "return replace(one, gone_since=event.at)",
    ),
    _one(
        "alias",
        "an alias that points elsewhere is taken for a change of records",
        "facts.py",
        "moved = before.alias_ttl if before.target != event.target else 0",
        "moved = 0",
    ),
    _one(
        "history",
        "what was handed out before the first look is taken to be what is handed out now",
        "timing.py",
        "return owner.since + cache_wait(ttl, policy) + policy.margin",
        "return owner.since",
    ),
    _one(
        "step unseen",
        "a clock that is stepped is trusted",
        "note.py",
        "return step if abs(step) > CLOCK_TOLERANCE else 0.0",
        "return 0.0",
    ),
    _one(
        "step unheeded",
        "a stepped clock does not restart the wait",
        "facts.py",
        "sets=tuple(replace(one, gone_since=None) for one in owner.sets), complete=False, since=None",
        "since=owner.since",
    ),
    _one(
        "forgets",
        "a set is forgotten as soon as no server hands it out",
        "note.py",
        "if ends is not None and ends <= view.at and",
        "if ends is not None and",
    ),
    # -- when a swap may be ------------------------------------------------------------------------------------------------
    _one(
        "first owner",
        "only the first owner is waited for",
        "gates.py",
        "for owner in scene.lineage.owners for one in _owner_not_ready",
        "for owner in scene.lineage.owners[:1] for one in _owner_not_ready",
    ),
    Mutant(
        "bogus",
        "an answer whose signatures do not hold counts like any other",
        (
            ("gates.py", "    if answer.security is not Security.SECURE:\n", "    if not answer.place:\n"),
            ("note.py", _COMPLETE, "complete=view.complete"),
        ),
    ),
    Mutant(
        "unheard",
        "the swap does not ask for every server's answer",
        (
            ("note.py", _COMPLETE, "complete=True"),
            (
                "gates.py",
                "    if answer.records is None:\n        yield Blocker",
                "    if answer.records is None:\n        return\n        yield Blocker",
            ),
        ),
    ),
    _one(
        "signatures",
        "signatures may end before the wait does",
        "gates.py",
        "answer.signed_until is not None and answer.signed_until < needed",
        "answer.signed_until is not None and answer.signed_until < scene.now",
    ),
    _one(
        "witness",
        "the validating resolver is not listened to",
        "gates.py",
        "if secure and witness.security is not Security.SECURE:",
        "if secure and witness.security is Security.SECURE and not witness.resolver:",
    ),
    _one(
        "any parameters",
        "one matching record is enough, whatever the other parameters say",
        "law.py",
        "return frozenset(one.params for one in candidates) - covered",
        "return frozenset() if covered else frozenset(one.params for one in candidates)",
    ),
    _one(
        "unprobed",
        "a swap needs no evidence from before it",
        "gates.py",
        "found += [one for service in scene.lineage.services for one in _not_probed(scene, service)]",
        "found += []",
    ),
    _one(
        "unread file",
        "nobody asks whether the consumer reads the file",
        "gates.py",
        "elif view.configured is False:",
        "elif not view.path:",
    ),
    _one(
        "held",
        "a certificate that waits for a person is deployed all the same",
        "facts.py",
        "hold=doubts or standing, since=at)",
        "hold=standing, since=at)",
    ),
    _one(
        "overtaken",
        "nobody notices that somebody else swapped too early",
        "rules.py",
        "relapse, overtaken, soak,",
        "relapse, soak,",
    ),
    # -- one change at a time ----------------------------------------------------------------------------------------------
    _one(
        "no queue",
        "a third key takes the place of the one that is on its way",
        "facts.py",
        "if swapping or (waiting is not None and not same_key and facts.hold is None):",
        "if swapping:",
    ),
    _one(
        "old queue",
        "an older renewal is rolled to after a newer one",
        "facts.py",
        'next=new.id, queued="", queued_hold=None,',
        "next=new.id,",
    ),
    _one(
        "lost queue",
        "the renewal that came in the middle is forgotten",
        "facts.py",
        "return replace(facts, queued=new.id, queued_hold=doubts)",
        "return facts",
    ),
    _one(
        "late abort",
        "an abort counts after the swap has begun",
        "facts.py",
        "if facts.next != event.generation or facts.deploying:",
        "if facts.next != event.generation:",
    ),
    # -- crashes and the way back ------------------------------------------------------------------------------------------
    _one(
        "intent ignored",
        "a crash after the intent to deploy is treated as if nothing had happened",
        "facts.py",
        "facts, next=event.generation, deploying=True,",
        "facts, next=event.generation, deploying=False,",
    ),
    _one(
        "gate forgotten",
        "a swap that was interrupted is repeated without asking the gates again",
        "rules.py",
        "blockers = gates.swap(scene, new) if not _everywhere(scene, new) else []",
        "blockers: list[Blocker] = []",
    ),
    _one(
        "back unproven",
        "the former certificate is taken to be back because it was written",
        "rules.py",
        "    if not late and not wrong:\n",
        "    if way.done_at:\n",
    ),
    _one(
        "no limit",
        "a service that stays old is waited for, for ever",
        "rules.py",
        "if scene.now < timing.confirm_until(facts.deployed_at, scene.policy):",
        "if facts.deployed_at:",
    ),
    _one(
        "wrong unseen",
        "a certificate that nobody put there is overlooked",
        "gates.py",
        "fingerprint not in expected:",
        "fingerprint in ():",
    ),
    _one(
        "confirmed early",
        "one address that is new is enough",
        "rules.py",
        "    if not late:\n        return Record((ev.Confirmed(new.id),)",
        "    if len(late) < 2:\n        return Record((ev.Confirmed(new.id),)",
    ),
    _one(
        "relapse",
        "a server that falls back after the swap is overlooked",
        "rules.py",
        "swapping, relapse, overtaken,",
        "swapping, overtaken,",
    ),
    _one(
        "neighbour's key",
        "what another lineage presents is taken for a wrong certificate",
        "scene.py",
        "return tuple(chain for _, facts in self.neighbours for chain in law.presentable(facts))",
        "return ()",
    ),
    # -- publishing --------------------------------------------------------------------------------------------------------
    _one(
        "next only",
        "only the next key's record is published",
        "law.py",
        'names = [facts.current, "" if facts.retiring',
        'names = ["" if facts.next else facts.current, "" if facts.retiring',
    ),
    _one(
        "not ahead",
        "the next key's record is not published ahead",
        "law.py",
        "names.append(facts.next)",
        "names.append(facts.current)",
    ),
    _one(
        "no repair",
        "a record that somebody removed is not put back",
        "rules.py",
        "    want = law.wanted(scene.lineage, scene.facts)\n    held",
        "    want = law.wanted(scene.lineage, scene.facts)\n    want -= scene.facts.ours.get(target, frozenset())\n    held",
    ),
    _one(
        "unknown is absent",
        "a server that does not answer is taken for one without records",
        "rules.py",
        "known = [records for records in answers if records is not None]",
        "known = [records or frozenset() for records in answers]",
    ),
    _one(
        "impatient",
        "a change that cannot have come into force yet is sent again and again",
        "rules.py",
        "0 <= scene.now - sent.at < patience",
        "0 <= scene.now - sent.at < 0",
    ),
    _one(
        "blind start",
        "DANE is switched on although nobody knows what is presented",
        "gates.py",
        "    if not law.usable(standing, smtp=smtp):  #",
        "    if smtp and not smtp:  #",
    ),
    # -- retiring ----------------------------------------------------------------------------------------------------------
    _one(
        "no window",
        "the former record goes with the swap, and with it the way back",
        "timing.py",
        "return confirmed_at + rollback_window(ttl, policy)",
        "return confirmed_at",
    ),
    _one(
        "foreign",
        "records that are not ours are removed",
        "rules.py",
        "return (scene.facts.ours.get(target, frozenset()) - keep) & there",
        "return there - keep",
    ),
    _one(
        "neighbour's record",
        "a record that another lineage needs is removed",
        "rules.py",
        "return mine | scene.neighbours_want()",
        "return mine",
    ),
    Mutant(
        "leaving",
        "a key may come back while servers still show its record from before the removal",
        (
            ("facts.py", " or facts.previous or facts.is_leaving(new)\n", " or facts.previous\n"),
            ("rules.py", "    if queued is not None and facts.is_leaving(queued):\n", "    if queued is None:\n"),
        ),
    ),
    Mutant(
        "served",
        "the record of a key that some address still presents is removed",
        (
            ("rules.py", "    if late or wrong:\n        why =", "    if wrong:\n        why ="),
            (
                "gates.py",
                "        found += [one for service in scene.services_of(owner) for one in not_seen(scene, service)]\n",
                "",
            ),
            (
                "gates.py",
                "        found += [one for records in standing for one in _needed(scene, owner, target, records, remove)]\n",
                "",
            ),
        ),
    ),
    _one(
        "believed",
        "a backend that says it removed a record is believed",
        "facts.py",
        "if not event.proven:  #",
        "if event.asked:  #",
    ),
)
