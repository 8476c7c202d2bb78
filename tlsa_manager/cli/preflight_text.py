"""What a preflight says: to people, and to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.cli.when import iso, span, stamp
from tlsa_manager.preflight.clearance import Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.preflight.clearance import Candidate, Clearance, Judged

_STYLES = {Word.SAFE: "green", Word.LATER: "yellow", Word.UNSAFE: "bold red"}


def value(clearance: Clearance, candidate: Candidate, now: float) -> dict[str, Any]:
    """Return the answer as scripts read it. `wait` in seconds."""
    until = clearance.not_before
    return {
        "verdict": str(clearance.word),
        "not_before": iso(until),
        "wait": None if until is None else max(0, round(until - now)),
        "since": iso(clearance.seen_since) if clearance.seen_since not in (None, float("-inf")) else None,
        "certificate": {
            "sha256": candidate.chain.fingerprint,
            "spki": candidate.chain.leaf.spki_sha256,
            "kind": candidate.chain.kind,
            "names": list(candidate.names),
            "not_after": iso(candidate.not_after),
        },
        "owners": [_owner(one) for one in clearance.owners],
        "reasons": [
            {"subject": one.subject, "message": one.message, "until": iso(one.until), "remedy": one.remedy}
            for one in clearance.reasons
        ],
        "warnings": [{"subject": subject, "message": message} for subject, message in clearance.warnings],
    }


def lines(clearance: Clearance, now: float) -> Iterator[Line]:
    """Tell the answer to people: the verdict first, then why, then each record."""
    yield _verdict(clearance, now), _STYLES[clearance.word]
    told: set[str] = set()
    for one in clearance.reasons:
        ends = f" (until {stamp(one.until)})" if one.until is not None else ""
        yield f"  {one.subject}: {one.message}{ends}", ""
        if one.remedy and one.remedy not in told:
            told.add(one.remedy)
            yield f"    to do: {one.remedy}", ""
    for judged in clearance.owners:
        yield from _records(judged)
    for subject, message in clearance.warnings:
        yield f"  note: {subject}: {message}", "yellow"


def _verdict(clearance: Clearance, now: float) -> str:
    until = clearance.not_before
    if clearance.offline:
        return (
            "safe: every sender with these records authenticates this chain"
            if clearance.word is Word.SAFE
            else ("unsafe: senders with these records do not all authenticate this chain")
        )
    if clearance.word is Word.SAFE:
        return "safe: this chain may go into service now"
    if until is None:
        return "unsafe: this chain must not go into service now"
    text = f"not yet: this chain may go into service from {stamp(until)} on, in {span(max(0.0, until - now))}"
    if clearance.seen_since is None or clearance.seen_since == float("-inf"):
        return text
    return f"{text}; ask again then, with --since {iso(clearance.seen_since)}"


def _records(one: Judged) -> Iterator[Line]:
    yield f"  {one.owner}  {one.verdict.outcome}: {one.verdict.why}", ""
    for each in one.verdict.records:
        mark = "+" if each.usable and each.matches else "-"
        yield f"    {mark} {_short(str(each.record))}  {each.why}", ""


def _owner(one: Judged) -> dict[str, Any]:
    return {
        "owner": one.owner,
        "service": one.verdict.service,
        "outcome": str(one.verdict.outcome),
        "dnssec": str(one.verdict.dnssec),
        "why": one.verdict.why,
        "agility": one.verdict.agility,
        "gaps": [str(each) for each in one.gaps],
        "records": [
            {"record": str(each.record), "usable": each.usable, "matches": each.matches, "why": each.why}
            for each in one.verdict.records
        ],
    }


def _short(record: str) -> str:
    return record if len(record) <= 80 else record[:77] + "..."
