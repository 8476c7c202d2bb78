"""Events of the journal in one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.cli.when import span, stamp
from tlsa_manager.rollover import events as ev

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlsa_manager.lineage import Generation
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.tlsa import Tlsa


def sentence(event: Event) -> str:  # noqa: C901, PLR0912  one line an event
    """Return what happened."""
    match event:
        case ev.Staged(generation, hold):
            return f"took over {_named(generation)}" + (f", and holds it: {hold}" if hold else "")
        case ev.Adopted(generation):
            return f"found {_named(generation)} in use: it is the current one"
        case ev.Seen():
            return _seen(event)
        case ev.ClockStepped(seconds):
            return f"the clock of this machine was moved by {seconds:+.0f} s; every wait begins again"
        case ev.Unwatched(seconds):
            return f"nobody looked for {span(seconds)} longer than planned; every wait begins again"
        case ev.Publishing(target, add):
            return f"is about to add {_records(add)} at {target}"
        case ev.Published(target, add, asked):
            return f"asked for {_records(add)} at {target} to be added" if asked else f"added {_records(add)} at {target}"
        case ev.Settled(target, ()):
            return f"what was begun at {target} is done, as the name servers show"
        case ev.Settled(target):
            return f"what was added at {target} is in force on all servers of the provider"
        case ev.Retried():
            return "was told to try at once what had failed"
        case ev.RecordsAdopted(target, records):
            return f"was told that {_records(records)} at {target} may be removed one day"
        case ev.Retiring(target, remove):
            return f"is about to remove {_records(remove)} at {target}"
        case ev.Retired(target, remove, proven=True):
            return f"no server hands out {_records(remove)} at {target} any more"
        case ev.Retired(target, remove, asked):
            return (
                f"asked for {_records(remove)} at {target} to be removed" if asked else f"removed {_records(remove)} at {target}"
            )
        case ev.Deploying(generation):
            return f"is about to give every consumer {generation}"
        case ev.Deployed(generation):
            return f"gave every consumer {generation}, and had it reload"
        case ev.Installed(generation, consumer):
            return f"gave {consumer} {generation}, which the services presented already"
        case ev.Confirmed(generation):
            return f"every service presents {generation}, and nothing else"
        case ev.RollingBack(generation, reason):
            return f"is about to give every consumer {generation} again: {reason}"
        case ev.RolledBack(generation):
            return f"gave every consumer {generation} again, and had it reload"
        case ev.Restored(generation):
            return f"every service presents {generation} again"
        case ev.Finished(generation):
            return f"the rollover is over; nothing needs {generation} any more"
        case ev.Released():
            return "a person said: go on"
        case ev.Aborted(generation):
            return f"a person gave {generation} up"
        case ev.Promoted(generation):
            return f"{generation}, which had to wait, is next"
        case ev.Prepared(key):
            return f"made the next key, {key.type or key.kind} {key.spki_sha256[:16]}..."
        case ev.HandedOut():
            return "gave the next key, or a request signed with it, to a client"
        case ev.Discarded(_, reason):
            return "threw the next key away" + (f": {reason}" if reason else "")
        case ev.KeyDue():
            return "a person wants the key replaced at the next renewal"
        case ev.Compromised(keys, at_once):
            how = f"; {at_once} goes into service without waiting for caches" if at_once else ""
            return f"a person said that somebody else has {len(keys)} key(s): {', '.join(one[:16] + '...' for one in keys)}{how}"
        case ev.Vanished(generation):
            return f"nothing presents {generation} any more"
        case ev.Reappeared(generation):
            return f"{generation} is presented again, or stays after all"
        case ev.Left(generation):
            return f"gave the lineage up: {generation} is presented nowhere, and none of its records is left"
        case ev.Ordering(order):
            return f"is about to order a certificate for {', '.join(order.names)}"
        case ev.Ordered(order):
            return f"ordered a certificate for {', '.join(order.names)}: {order.url}"
        case ev.OrderEnded(url, reason):
            return f"the order {url} is ended" + (f": {reason}" if reason else ": its certificate is here")
        case ev.Proving(token):
            return f"is about to add a TXT record at {token.target}"
        case ev.Proved(token):
            return f"the TXT record at {token.target} is gone again"
        case ev.RenewalPlanned(renewal):
            return f"{renewal.generation} is to be renewed {stamp(renewal.at)}: {renewal.why}"
        case ev.Failed(step, reason):
            return f"failed to {step}: {reason}"


def _seen(event: ev.Seen) -> str:
    sets = "; ".join(f"{_records(one.records)}, TTL {one.ttl}" for one in event.sets) or "nothing that can be told"
    missing = "" if event.complete else "; not every server answered, or not with valid signatures"
    way = " -> ".join((event.owner, *event.via, event.target)) if event.owner != event.target else event.target
    return f"saw at {way}: {sets}{missing}"


def _records(records: Sequence[Tlsa]) -> str:
    return ", ".join(f"{one.params} {one.data[:16]}..." for one in records) or "no records"


def _named(generation: Generation) -> str:
    origin = f", {generation.origin}" if generation.origin else ""
    return f"{generation.id} ({generation.chain.kind}{origin})"
