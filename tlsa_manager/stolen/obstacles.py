"""What stands in the way of replacing a stolen key, and what is lost with it: told before it is confirmed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.errors import Unsafe
from tlsa_manager.rollover import law
from tlsa_manager.security import Security
from tlsa_manager.stolen.besides import has_authority
from tlsa_manager.verbs.doubts import kind_lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.tlsa import Params, RRset


def refuse(lineage: Lineage, facts: Facts) -> None:
    """Raise Unsafe where no other key could be put into service now."""
    if lineage.leaving:
        message = (
            f"{lineage.name} is to be given up (leaving = true), so no other key is put into service there: nothing was done"
        )
        hint = (
            "the stolen key is out of service as soon as the server reads its file no more: take it out of the server's"
            f" configuration and reload it, then: tlsa-manager run {lineage.name}. Or have another key put there: set"
            " leaving = false for now, and say this once more"
        )
        raise Unsafe(message, hint)
    if facts.deploying or facts.way_back:
        message = f"a swap of {lineage.name} is being proven at this moment; it is finished or taken back first"
        raise Unsafe(message, f"it takes some minutes at most: tlsa-manager run {lineage.name}; then say this once more")
    if facts.generation(facts.current) is None:
        message = f"nothing of {lineage.name} is known to be in service, so there is no key to replace"
        raise Unsafe(
            message, f"look first: tlsa-manager run {lineage.name}; or begin with a new key: tlsa-manager rollover start"
        )


def refuse_anchors(lineage: Lineage, facts: Facts, coming: Generation | None) -> None:
    """Records of an issuer bar every certificate that does not bring that issuer along (RFC 7671 §5.2): no swap would follow."""
    current = facts.generation(facts.current)
    for name in lineage.owners if current else ():
        known, smtp = facts.owners.get(name), law.for_smtp(lineage, name)
        for one in known.served if known and current else ():
            anchors = frozenset(each for each in law.usable(one.records, smtp=smtp) if each.usage in {0, 2})
            matched = {each.params for each in anchors if current and current.chain.matches(each)}
            kept = {each.params for each in anchors if coming is not None and coming.chain.matches(each)}
            if lost := sorted(matched - kept):
                ours = facts.ours.get(known.target if known else name, frozenset())
                raise Unsafe(*_anchored(lineage, name, lost, anchors - ours))


def _anchored(lineage: Lineage, owner: str, lost: list[Params], foreign: RRset) -> tuple[str, str]:
    """Say why nothing would come of it, and the ways out."""
    named = " and ".join(map(str, lost))
    message = (
        f"the record of an issuer ({named}) at {owner} would match no certificate that is signed by itself, so the new key would"
        " never go into service; nothing was done, and the stolen key is not declared yet"
    )
    again = "then say this once more"
    if any(one in lineage.params for one in lost):
        rest = ", ".join(f'"{one}"' for one in lineage.params if one not in lost) or '"3 1 1"'
        out = f"take {named} out of it: params = [{rest}], then tlsa-manager run {lineage.name}, until {named} is gone; {again}"
    elif not (named_ones := sorted(one for one in foreign if one.params in lost)):
        out = f"wait until it is gone, it is on its way out: tlsa-manager run {lineage.name}; {again}"
    else:
        options = " ".join(f"--adopt-foreign '{one}'" for one in named_ones)
        out = f"have it removed: tlsa-manager records {lineage.name} {options}; tlsa-manager run {lineage.name}; {again}"
    if has_authority(lineage):
        new = f"tlsa-manager rollover start {lineage.name} --new-key; tlsa-manager renew {lineage.name}"
        return message, f"have {lineage.issuer} make a certificate for another key first: {new}; {again}. Or {out}"
    return message, f"hand a certificate for another key over, with its issuer: tlsa-manager hook files; {again}. Or {out}"


def in_the_way(lineage: Lineage, facts: Facts, scene: Scene | None) -> Iterator[str]:
    """What keeps the swap from coming, as far as a look can tell."""
    if scene is None:
        yield "another process is at work on it, so nobody looked just now: this is told from what was seen last"
    elif facts.hold is not None and not facts.hold.generation:
        yield f"the latest swap was taken back, and this one will be, too, unless the cause is mended: {facts.hold.reason}"
    for owner in lineage.owners if scene else ():
        known, view = facts.owners.get(owner), scene.view(owner) if scene else None
        if known is None or not known.complete:
            yield f"{owner}: {_unheard(view)}; the swap waits until every server answers, with valid signatures"
    if not lineage.consumers:
        yield "the lineage has no consumer: you put the certificate into service yourself, when status says so"


def _unheard(view: OwnerView | None) -> str:
    if view is None or view.problem or not view.answers:
        return (view.problem if view else "") or "it could not be looked at"
    for one in view.answers:
        if one.records is None:
            return f"{one.place} does not answer ({one.reason or 'no reason known'})"
        if one.security is not Security.SECURE:
            return f"the answer of {one.place} is {one.security} ({one.reason or 'no reason known'})"
    return "not every server was heard"


def losses(lineage: Lineage, facts: Facts, coming: Generation | None, *, vouched: bool) -> Iterator[str]:
    """What is lost besides mail that waits. `vouched`: whether an authority vouches for the certificate in service."""
    kind = coming.chain.kind if coming else facts.standby.kind if facts.standby else ""
    if lost := kind and kind_lost(lineage, facts, kind):
        yield lost
    if coming is None and vouched:
        until = f"the certificate of {lineage.issuer} follows" if has_authority(lineage) else "a client brings another one"
        yield (
            f"senders without DANE that go by MTA-STS defer their mail, and mail programs warn or refuse, until {until}: the new"
            " certificate is signed by itself. Senders with DANE do not mind"
        )
