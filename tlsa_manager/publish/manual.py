"""Manual: tell a person exactly what to change, then let the caller watch DNS until it is so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.publish import Ticket
from tlsa_manager.snapshot import Held
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Option, Settings
    from tlsa_manager.publish import Change, Text
    from tlsa_manager.tlsa import Tlsa

OPTIONS: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Manual:
    """A backend without hands. It cannot read, cannot compare, and is never done: others look at DNS for it."""

    name: str

    def read(self, target: str) -> Held:
        """Say that nobody can be asked."""
        return Held(target, None, reason="published by hand: only the name servers can tell what stands")

    def change(self, change: Change) -> Ticket:
        """Write down what to do, in the three forms that web forms, zone files and nsupdate want. Asking again is harmless."""
        return Ticket("asked", instructions(change))

    def text(self, text: Text) -> Ticket:
        """Write down what to do for a proof by dns-01, in the same three forms. Asking again is harmless."""
        return Ticket("asked", proof_instructions(text))


def build(name: str, settings: Settings) -> Manual:
    """Make the backend; it has no options."""
    del settings
    return Manual(name)


def instructions(change: Change) -> str:
    """Return the text for the operator: what to do, what to leave alone, what happens then."""
    records = sorted(change.add or change.remove)
    many = "these TLSA records" if len(records) > 1 else "this TLSA record"
    if change.add:
        head = f"Add {many} at {change.target} beside those that stand there. Do not change or remove any other record."
        if change.expect != frozenset():
            head += "\nGive it the TTL that they have, also in the forms below: another one would change theirs."
    else:
        head = f"Remove {many} at {change.target}. Leave every other record there, and its TTL, as it is."
    return "\n\n".join((head, _table(change, records), _zone_file(change, records), _nsupdate(change, records), _after(change)))


def proof_instructions(text: Text) -> str:
    """Return the text for the operator who adds or removes the TXT record of a proof."""
    if text.present:
        head = (
            f"Add this TXT record at {text.target}, beside those that stand there. The certificate authority will look for it;"
            " do not change or remove any other record."
        )
        verb, update = "Add to", f"add {text.target} {text.ttl} TXT"
        after = "Nothing else is needed: when every name server answers it, the proof goes on by itself."
    else:
        head = f"Remove this TXT record at {text.target}, the proof is over. Leave every other record there as it is."
        verb, update = "Delete from", f"delete {text.target} TXT"
        after = "There is no hurry: the record proves nothing any more. When it is gone, this is noticed by itself."
    form = (
        "In a provider's form:\n    type   TXT\n"
        f"    name   {relative(text.target, text.zone)}   (absolute: {text.target})\n"
        f"    TTL    {f'{text.ttl}, or that of the TXT records which stand there' if text.present else 'any'}\n"
        f"    value  {text.value}   (without quotation marks, or with them where the form shows them)"
    )
    zone_file = f'{verb} the zone file (and raise the serial):\n    {text.target} {text.ttl} IN TXT "{text.value}"'
    zone = f"    zone {text.zone}\n" if text.zone else ""
    nsupdate = f'With nsupdate:\n{zone}    update {update} "{text.value}"\n    send'
    return f"{head}\n\n{form}\n\n{zone_file}\n\n{nsupdate}\n\n{after}"


def relative(target: str, zone: str) -> str:
    """Return the name as most provider forms want it: without the zone. The absolute name where the zone is not known."""
    inside = zone and target.lower().endswith(f".{zone.lower()}")
    return target[: -len(zone) - 1] if inside else target


def _table(change: Change, records: list[Tlsa]) -> str:
    lines = ["In a provider's form:"]
    for record in records:
        usage, selector, matching = record.params.mnemonic.split()
        lines += [
            "    type           TLSA   (certificate data as digits of 0-9 a-f, one piece)",
            f"    name           {relative(change.target, change.zone)}   (absolute: {change.target})",
            f"    TTL            {_ttl(change)}",
            f"    usage          {record.usage}   {usage}",
            f"    selector       {record.selector}   {selector}",
            f"    matching type  {record.matching}   {matching}",
            f"    data           {record.data}",
        ]
    return "\n".join(lines)


def _zone_file(change: Change, records: list[Tlsa]) -> str:
    verb = "Add to" if change.add else "Delete from"
    lines = [f"{verb} the zone file (and raise the serial):"]
    return "\n".join(lines + [f"    {change.target} {change.ttl} IN TLSA {record}" for record in records])


def _nsupdate(change: Change, records: list[Tlsa]) -> str:
    lines = ["With nsupdate:"] + ([f"    zone {change.zone}"] if change.zone else [])
    for record in records:
        verb = f"add {change.target} {change.ttl}" if change.add else f"delete {change.target}"
        lines.append(f"    update {verb} TLSA {record}")
    return "\n".join([*lines, "    send"])


def _ttl(change: Change) -> str:
    if change.remove:
        return "any"
    return (
        f"{change.ttl}"
        if change.expect == frozenset()
        else f"that of the records which stand there; {change.ttl} if there are none"
    )


def _after(change: Change) -> str:
    if change.add:
        return "Nothing else is needed: when every name server answers it, the rollover goes on by itself."
    return "There is no hurry: until then the old record only lies there. When it is gone, this is noticed by itself."
