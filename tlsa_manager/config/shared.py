"""What lineages with the same services have to agree on: they share the record sets at their names."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.lineage import Lineage


def disagreements(config: Config) -> Iterator[str]:
    """Yield a sentence for each two lineages that share a name and have other `params`.

    A sender may heed the strongest digest in a set alone, or one usage, so every key there needs a record of each kind
    (RFC 7671 §8.3, §9).
    """
    for one, other in combinations(config.lineages.values(), 2):
        shared = [owner for owner in one.owners if owner in other.owners]
        if shared and set(one.params) != set(other.params):
            yield (
                f'lineage."{other.name}".params: {_said(other)} here, {_said(one)} in lineage."{one.name}", and both have records'
                f" at {shared[0]}: senders would judge one key by the records of the other, so the renewals of both are held up;"
                " give both the same (RFC 7671 §8.3)"
            )


def _said(lineage: Lineage) -> str:
    return ", ".join(map(str, lineage.params))
