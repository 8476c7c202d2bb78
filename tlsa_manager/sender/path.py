"""Paths from a leaf to a trust anchor, through nothing but what the server presents (RFC 7671 §5.2, RFC 5280 §6.1). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from tlsa_manager.sender.issuing import SHORT, issued, paper, signed
from tlsa_manager.sender.names import covers, plain, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlsa_manager.sender.issuing import Paper

MOST_CERTIFICATES = 20  # a chain has three or four; what comes behind is not looked at
MOST_PATHS = 24  # of hostile, or wildly cross-signed, heaps of certificates
Certificates = tuple[bytes, ...]
Path = tuple[int, ...]  # places in what is presented, the leaf (0) first


def problem(certificates: Certificates, anchor: int, names: Sequence[str], now: float) -> str:
    """Why senders do not get from the leaf to the certificate at place `anchor`, or an empty text.

    `names`: what the leaf may call the server; `now`: seconds since 1970.
    """
    return _best(certificates, paths(certificates, anchor), names, now) or ""


def problem_with_key(certificates: Certificates, spki: bytes, names: Sequence[str], now: float) -> str | None:
    """Like `problem`, for a bare trust-anchor key (RFC 7671 §5.2.3); None where it has signed nothing that is presented."""
    tops = [place for place, one in enumerate(certificates[:MOST_CERTIFICATES]) if signed(one, spki)]
    found = tuple(path for place in tops for path in paths(certificates, place))
    return _best(certificates, found, names, now) if found else None


@lru_cache(maxsize=128)
def paths(certificates: Certificates, anchor: int) -> tuple[Path, ...]:
    """Return the paths of true signatures from the leaf to a place, the certificates in whatever order they came."""
    heap = certificates[:MOST_CERTIFICATES]
    found: list[Path] = []
    steps = 0
    waiting: list[Path] = [(0,)]
    while waiting and len(found) < MOST_PATHS and steps < MOST_CERTIFICATES * MOST_PATHS:
        path, steps = waiting.pop(0), steps + 1
        if path[-1] == anchor:
            found.append(path)
            continue
        here = heap[path[-1]]
        waiting += [(*path, place) for place, one in enumerate(heap) if place not in path and issued(here, one)]
    return tuple(found)


def label(certificate: bytes) -> str:
    """Return what people call a certificate."""
    found = paper(certificate)
    return found.label if found else "cannot be read"


def _best(certificates: Certificates, found: Sequence[Path], names: Sequence[str], now: float) -> str:
    """An empty text if one path is good, else what is wrong with the first of them."""
    if not found:
        return "no path of true signatures leads from the leaf to it"
    wrong = [next(_wrong(certificates, path, names, now), "") for path in found]
    return "" if "" in wrong else wrong[0]


def _wrong(certificates: Certificates, path: Path, names: Sequence[str], now: float) -> Iterator[str]:
    """Everything that is wrong with one path, the worst to mend first."""
    papers = [paper(certificates[place]) for place in path]
    whole = [(place + 1, one) for place, one in zip(path, papers, strict=True) if one is not None]
    if len(whole) < len(path):
        yield "a certificate on the way to it cannot be read"
        return
    leaf = whole[0][1]
    for below, (place, one) in enumerate(whole):
        yield from _of_one(place, one, issuers_below=below - 1, now=now)
    if not names:
        yield f"it is not told which of the leaf's names ({_listed(leaf.names)}) senders ask for"
    elif not covers(leaf.names, names):
        yield f"the leaf's names ({_listed(leaf.names)}) do not include {' or '.join(dict.fromkeys(names))}"
    for above, (place, one) in enumerate(whole[1:], 1):
        yield from _forbidden(place, one, leaf.names)
        yield from _unjudged(place, one, [below for _, below in whole[:above]])


def _of_one(place: int, one: Paper, *, issuers_below: int, now: float) -> Iterator[str]:
    if now < one.not_before:
        yield f"certificate {place} is not valid before {_day(one.not_before)}"
    if now > one.not_after:
        yield f"certificate {place} has expired on {_day(one.not_after)}"
    if one.server:
        yield f"certificate {place} {one.server}"
    if issuers_below < 0:
        return
    if one.ca:
        yield f"certificate {place} ({one.label}) {one.ca}"
    if one.longest is not None and issuers_below > one.longest:
        yield f"certificate {place} ({one.label}) allows {one.longest} issuers below it, and there are {issuers_below}"


def _forbidden(place: int, one: Paper, names: Sequence[str]) -> Iterator[str]:
    """Names of the leaf that an issuer may not give (RFC 5280 §4.2.1.10)."""
    for name in names:
        if any(within(name, tree) for tree in one.excluded) or (
            one.permitted and not any(within(name, tree) for tree in one.permitted)
        ):
            yield f"certificate {place} ({one.label}) may not issue certificates for {name[:SHORT]} (name constraints)"


def _unjudged(place: int, one: Paper, below: list[Paper]) -> Iterator[str]:
    """Constraints on names that are no DNS names, of certificates that have such names: nobody here knows whether they hold."""
    bound = sorted({kind for each in below for kind in one.bounds & each.others})
    if bound:
        yield f"certificate {place} ({one.label}) constrains {' and '.join(bound)} (name constraints): that cannot be judged"


def _listed(names: Sequence[str]) -> str:
    shown = [name[:SHORT] if plain(name) else ascii(name)[:SHORT] for name in names[:5]]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "") if shown else "none"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
