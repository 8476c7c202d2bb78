"""What caches may hold that was there before anybody here looked (L1). Pure.

The gate of a rollover knows what it has published itself, and lets a way out of a broken state pass. Whoever asks for the first
time may ask a minute after somebody replaced the record of the key that is still presented: then caches hold a set that only
this key matches, and nothing that can be seen tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.preflight.clearance import Reason
from tlsa_manager.rollover import timing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlsa_manager.chain import Chain
    from tlsa_manager.rollover.scene import Scene


def reasons(scene: Scene, chain: Chain, told: Sequence[Reason]) -> Iterator[Reason]:
    """Why a set from before the first look may refuse a chain. `told`: what is known to be in the way already.

    A set that nobody saw can be any that fitted what is presented: `3 1 1`, `3 0 1`, `3 1 2` of each key there. A chain with
    another key matches none of them. Where every address presents the chain's own key there is nothing to wait for.
    """
    for owner, known in scene.facts.owners.items():
        ends = timing.history_known_at(known, scene.policy)
        if owner not in scene.lineage.owners or ends is None or ends <= scene.now:
            continue
        over = any(one.subject == owner and one.until is not None and one.until >= ends for one in told)
        why = "" if over else _of_another_key(scene, owner, chain)
        if why:
            yield Reason(owner, f"caches may hold an RRset from before this look, {why}", ends)


def removals(scene: Scene, since: float | None) -> Iterator[tuple[str, str]]:
    """Say where a set that has just been removed would not be noticed. `since`: what the operator vouches for."""
    wait = timing.cache_wait(scene.policy.ttl, scene.policy) + scene.policy.margin
    if since is not None and since + wait <= scene.now:
        return
    for owner in scene.lineage.owners:
        view = scene.view(owner)
        if view is not None and view.complete and not any(one.records for one in view.answers):
            text = (
                f"a TLSA set that was removed within the last {round(wait)} s (longer, if its TTL was) cannot be seen from here, "
                "and caches may hold it: with --since TIME you vouch that there has been none since then; a lineage remembers it"
            )
            yield owner, text


def _of_another_key(scene: Scene, owner: str, chain: Chain) -> str:
    """Which set it may be; empty where every address presents the chain's own key."""
    before = scene.instead_of(owner)
    keys = sorted({one.leaf.spki_sha256 for one in before} - {chain.leaf.spki_sha256})
    if keys:
        return f"made for the key {keys[0][:12]}… that is presented now; this chain has another key"
    unseen = scene.current is None and not all(one.probe for one in scene.services_of(owner))
    return "and it is not known what is presented now" if unseen or not before else ""
