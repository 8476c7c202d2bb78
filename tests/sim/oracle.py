"""The second opinion: every RRset that any cache holds or any server hands out, against every key any address presents.

Imports nothing of the rollover. A chain is described by the two digests that matter here; a record by its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.chain import Chain
    from tlsa_manager.tlsa import RRset


class Mismatch(AssertionError):
    """A sender would have refused to deliver."""


def judge(records: RRset, chain: Chain, where: str, at: float) -> None:
    """Raise Mismatch if a conforming sender with these records would refuse this chain (RFC 7671 §8, per parameters)."""
    combinations = {(one.usage, one.selector, one.matching) for one in records if one.usage in (2, 3)}
    for usage, selector, matching in combinations:
        certificates = chain.certificates[:1] if usage == 3 else chain.certificates[1:]
        digests = {_digest(one, selector, matching) for one in certificates}
        data = {one.data for one in records if (one.usage, one.selector, one.matching) == (usage, selector, matching)}
        if not digests & data:
            msg = f"at {at:.1f} {where}: {sorted(map(str, records))} against a key {chain.leaf.spki_sha256[:8]}"
            raise Mismatch(msg)


def judge_all(sets: Iterable[tuple[str, RRset]], chains: Iterable[tuple[str, Chain]], at: float) -> None:
    """Judge every pair; each set and chain comes with a word on where it was seen."""
    presented = list(chains)
    for place, records in sets:
        for address, chain in presented:
            judge(records, chain, f"{place} / {address}", at)


def _digest(certificate: object, selector: int, matching: int) -> str:
    kind = "spki" if selector else "certificate"
    return str(getattr(certificate, f"{kind}_sha{256 if matching == 1 else 512}"))
