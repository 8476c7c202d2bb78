"""Deliberate faults in the rules and the engine: what is changed in which file, and what that would mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A planted fault. `edits`: (file, exact old text, which occurs once, new text).

    The file is one of `tlsa_manager/rollover`, or `../engine.py`.
    """

    name: str
    means: str
    edits: tuple[tuple[str, str, str], ...]


def _one(name: str, means: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(name, means, ((file, old, new),))


_WAIT = "return max(policy.ttl_multiplier * ttl, policy.cache_floor)"
_GONE = "return replace(one, gone_since=max(event.at, asked_until)) if one.gone_since is None else one"
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
        _GONE.replace("asked_until)", "asked_until), ttl=min(t for _, t in served)"),
    ),
    _one(
        "latest round",
        "every round restarts the clock, so the wait never ends",
        "facts.py",
        _GONE,
        "return replace(one, gone_since=max(event.at, asked_until))",
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
    _one(
        "unwatched",
        "what was handed out while nobody looked is taken to be what was seen before",
        "facts.py",
        "    return replace(facts, owners=_measured_again(facts, at))",
        "    return facts",
    ),
    _one(
        "unwatched unnoticed",
        "nobody notices that nobody looked",
        "timing.py",
        "return max(policy.margin, policy.check_interval, 10 * policy.poll_interval)",
        "return 1e9",
    ),
    _one(
        "step during a look",
        "a clock that is stepped during a look is trusted",
        "../engine.py",
        "            snapshot = _as_of(snapshot, after.wall)\n",
        "            pass\n",
    ),
    _one(
        "step twice",
        "one step of the clock is taken for two",
        "../engine.py",
        "looked=(now.wall, now.boot, now.uptime), wake_at=now.wall)",
        "wake_at=now.wall)",
    ),
    _one(
        "future",
        "a step that is noticed twice moves the swap into the future",
        "facts.py",
        "min(moment + event.seconds, at)",
        "moment + event.seconds",
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
        "witness's set",
        "a resolver that still holds the old set is not believed",
        "gates.py",
        "    yield from _witness_holds_an_old_set(scene, view, generation)\n",
        "",
    ),
    _one(
        "nobody before",
        "where nobody knows what is presented, nothing can get worse",
        "law.py",
        "    if not broken or not chains:\n        return broken\n",
        "    if not broken or not chains:\n        return frozenset()\n",
    ),
    _one(
        "left behind",
        "records of ours at a name that is configured no more are forgotten",
        "gates.py",
        "    found += _left_behind(scene, generation)\n",
        "",
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
        "hold=doubts or standing, at_once=at_once, since=at)",
        "hold=standing, at_once=at_once, since=at)",
    ),
    _one(
        "overtaken",
        "nobody notices that somebody else swapped too early",
        "rules.py",
        "relapse, overtaken, promote,",
        "relapse, promote,",
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
        "return _in_a_hurry(replace(facts, queued=new.id, queued_hold=doubts))",
        "return facts",
    ),
    _one(
        "late abort",
        "an abort counts after the swap has begun",
        "facts.py",
        "if facts.next != event.generation or facts.deploying:",
        "if facts.next != event.generation:",
    ),
    _one(
        "lost doubts",
        "a certificate that waits in the queue loses its doubts",
        "facts.py",
        "return _in_a_hurry(replace(facts, queued=new.id, queued_hold=doubts))",
        "return _in_a_hurry(replace(facts, queued=new.id))",
    ),
    _one(
        "late arrival",
        "what was staged while a swap was being decided is forgotten",
        "facts.py",
        '    if facts.next not in ("", event.generation):  #',
        "    if facts.next and not facts.generations:  #",
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
        "publish, relapse, overtaken,",
        "publish, overtaken,",
    ),
    _one(
        "neighbour's key",
        "what another lineage presents is taken for a wrong certificate",
        "scene.py",
        "return tuple(chain for _, facts in self.neighbours for chain in law.presentable(facts))",
        "return ()",
    ),
    _one(
        "back at once",
        "a person may go back while caches hold a set without the former record",
        "gates.py",
        "if lost and (ends is None or ends > now):",
        "if lost and not ends and ends is not None:",
    ),
    _one(
        "tries",
        "a way back without effect is tried as often as ever, and nobody is asked",
        "facts.py",
        "tries = facts.way_back.tries + 1 if facts.way_back and same else 1",
        "tries = 1",
    ),
    _one(
        "back to back",
        "a way back without effect is tried again at once",
        "timing.py",
        "return done_at + min(policy.confirm_within * 2.0 ** min(tries, 20), max(MAX_RETRY, policy.confirm_within))",
        "return done_at + policy.confirm_within",
    ),
    _one(
        "stuck",
        "records that get lost during a way back without effect are not put back",
        "rules.py",
        "return publish(scene) or (Stop(until, why, remedy, standing)",
        "return (Stop(until, why, remedy, standing)",
    ),
    _one(
        "stale failure",
        "a deployment that failed is complained of when its rollover is over",
        "facts.py",
        'return _in_a_hurry(replace(facts, next="", hold=None, since=at, failures=_without(facts, "deploy", "roll back")))',
        'return _in_a_hurry(replace(facts, next="", hold=None, since=at))',
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
        "adding.py",
        "    want = law.wanted(scene.lineage, scene.facts)\n    held",
        "    want = law.wanted(scene.lineage, scene.facts)\n    want -= scene.facts.ours.get(target, frozenset())\n    held",
    ),
    _one(
        "unknown is absent",
        "a server that does not answer is taken for one without records",
        "adding.py",
        "known = [records for records in answers if records is not None]",
        "known = [records or frozenset() for records in answers]",
    ),
    _one(
        "impatient",
        "a change that cannot have come into force yet is sent again and again",
        "adding.py",
        "0 <= scene.now - sent.at < patience",
        "0 <= scene.now - sent.at < 0",
    ),
    _one(
        "one by one",
        "where DANE begins, the records of two keys may not go out together",
        "adding.py",
        "for records in (add, add | _beside(scene, target, owners)) if add else ():",
        "for records in (add,) if add else ():",
    ),
    _one(
        "half a start",
        "where DANE begins behind a common alias, the other host's key is not thought of",
        "gates.py",
        "{*scene.presented(owner), *mine, *theirs}",
        "{*scene.presented(owner), *mine}",
    ),
    _one(
        "namesakes",
        "lineages that meet where their aliases lead are not neighbours",
        "scene.py",
        "return {*lineage.owners, *(one.target for name, one in facts.owners.items() if name in lineage.owners)}",
        "return set(lineage.owners)",
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
        "removing.py",
        "return (scene.facts.ours.get(target, frozenset()) - keep) & there",
        "return there - keep",
    ),
    _one(
        "neighbour's record",
        "a record that another lineage needs is removed",
        "removing.py",
        "return mine | scene.neighbours_want() | _not_replaced_yet(scene)",
        "return mine | _not_replaced_yet(scene)",
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
