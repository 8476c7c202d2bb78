"""When a certificate is ordered. Of all that a lineage has the newest counts: what is on its way is not ordered twice.

While a certificate waits for caches, hours as a rule, it is far from the end of its life, so nothing is due; one that waited so
long that it is, or that does not name what the configuration asks for by now, is replaced, mostly for the same key: then nothing
is waited for anew. Nothing is ordered while a swap is being proven: one change at a time (RFC 7671 §8.4).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.order import Renewal
from tlsa_manager.rollover import emergency, restraint, succession, timing
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.policy import Policy
    from tlsa_manager.rollover.facts import Facts, Failure

ISSUE, SHOW, CLEAR = "issue", "prove the names", "remove the proofs"  # steps that can fail
ORIGIN = "issuer."  # and the name of its section: the origin of what an issuer made
SELF_SIGNED = "self-signed"
NEW_KEY = "new key"  # the origin of what `rollover start --new-key` made
BY_ITSELF = frozenset({SELF_SIGNED, NEW_KEY})  # whose certificates nobody else has signed

DAY = 86400.0
SHORT_LIVED = 10 * DAY
USUAL_SHARE, SHORT_SHARE, LATEST_SHARE = 2 / 3, 1 / 2, 0.9  # of the life
UNKNOWN_LEFT = 30 * DAY  # of a certificate of which nobody knows since when it is valid: a third of the 90 days that are usual


@dataclass(frozen=True, slots=True)
class Due:
    """When something is ordered next, seconds since 1970, and why then."""

    at: float
    why: str


def due(lineage: Lineage, facts: Facts, now: float) -> Due | None:
    """Say when the next certificate is ordered, what went before included; None = as things stand, never."""
    wish = _restrained(lineage, facts, now, _wish(lineage, facts, now))
    failed = [(again_at(step, one, facts, lineage.policy), one) for step, one in facts.failures.items() if step in (ISSUE, SHOW)]
    if wish is None or not failed:
        return wish
    again, failure = max(failed, key=lambda one: one[0])
    return wish if again <= wish.at else Due(again, f"{wish.why}; the latest attempt failed: {failure.reason}")


def asked_for(lineage: Lineage, facts: Facts, now: float, *, take_over: bool, insist: bool) -> Due | None:
    """Say the same for a person who asks now: our own patience does not count, the word of the authority does.

    `take_over`: a certificate that somebody else brought is to be followed by one of the issuer; `insist`: nothing counts but
    what `barred` tells.
    """
    wish = _wish(lineage, facts, now)
    latest, failure = newest(facts), facts.failures.get(ISSUE)
    if barred(lineage, facts):
        return None
    if insist:
        return Due(now, "somebody insists")
    if take_over and latest is not None and latest.origin != origin(lineage.issuer):
        wish = Due(now, f"the certificate is not of {lineage.issuer} yet")
    if facts.key_due and latest is not None and latest.id == facts.current:
        wish = Due(now, "its key shall be replaced")
    until = restraint.obeyed_until(failure, facts) if failure else 0.0
    if wish is not None and failure is not None and until > max(wish.at, now):
        return Due(until, f"the authority does not want to be asked earlier: {failure.reason}")
    return wish


def barred(lineage: Lineage, facts: Facts) -> str:
    """Why nothing may be ordered, however much it is due; empty = nothing bars it."""
    if not lineage.issuer:
        return "it has no issuer"
    if lineage.leaving:
        return "it is to be given up"
    if facts.deploying or facts.way_back:
        return "a swap is being proven"
    return "a stolen key is being replaced" if facts.at_once and not emergency.is_stuck(lineage, facts) else ""


def again_at(step: str, failure: Failure, facts: Facts, policy: Policy) -> float:
    """When a step that failed is tried again: an authority is asked seldom, name servers that lack a proof are our own."""
    return restraint.order_again_at(failure, facts, policy) if step == ISSUE else timing.retry_at(failure, policy)


def too_soon(lineage: Lineage, facts: Facts, now: float) -> Due | None:
    """Say until when nothing is ordered though something is due: the newest certificate has just come, and is no better."""
    wish = _wish(lineage, facts, now)
    due = _restrained(lineage, facts, now, wish)
    return replace(wish, at=due.at) if wish and due and wish.at <= now < due.at else None


def goes_on(lineage: Lineage, facts: Facts) -> bool:
    """Whether the order that stands at an authority is gone on with some time, so that it needs what proves the names."""
    stands = facts.order is not None and bool(facts.order.url)
    return stands and lineage.issuer not in ("", SELF_SIGNED) and not lineage.leaving


def newest(facts: Facts) -> Generation | None:
    """The certificate that the lineage will have when all that goes on is done."""
    return facts.generation(facts.queued) or facts.generation(facts.next) or facts.generation(facts.current)


def origin(issuer: str) -> str:
    """What is written down as the origin of a certificate of this issuer."""
    return issuer if issuer == SELF_SIGNED else ORIGIN + issuer


def found_origin(lineage: Lineage, facts: Facts, found: Generation, *, by_itself: bool) -> str:
    """Say who made a certificate that was found in the store, unsaid: whom we were asking for one for its key, if anybody.

    `by_itself`: it is signed by its own key; if that is our next one, we were.
    """
    if by_itself and facts.standby is not None and facts.standby.spki_sha256 == found.spki:
        return SELF_SIGNED if lineage.issuer == SELF_SIGNED else NEW_KEY
    current = facts.generation(facts.current)
    ours = {one for one in (facts.standby and facts.standby.spki_sha256, current and current.spki) if one}
    return origin(lineage.issuer) if lineage.issuer and facts.order and found.spki in ours else "found in the store"


def misfit(lineage: Lineage, facts: Facts) -> str:
    """Why the newest certificate is not what the configuration asks for, or empty."""
    latest = newest(facts)
    if latest is None:
        return "there is no certificate yet"
    lacking = [host for host in lineage.hosts if not _covers(latest.names, host)]
    if lacking:
        return f"the certificate does not name {', '.join(lacking)}"
    ours = latest.origin.startswith(ORIGIN) or latest.origin in BY_ITSELF
    if ours and latest.origin != origin(lineage.issuer) and (lineage.issuer, latest.origin) != (SELF_SIGNED, NEW_KEY):
        return f"the certificate is {_made_by(latest.origin)}, and the configuration names {lineage.issuer}"
    if facts.is_compromised(latest):
        return "somebody else has its key"
    return "its key was given up for good" if facts.is_barred(latest) and latest.id != facts.current else ""


def usual_at(certificate: Generation) -> float | None:
    """When a certificate is renewed unless its authority says otherwise: at 2/3 of its life, at half of one of ten days or less.

    None where nobody knows when it ends.
    """
    ends = certificate.chain.not_after
    if not ends:
        return None
    if not certificate.not_before:
        return ends - UNKNOWN_LEFT
    life = ends - certificate.not_before
    return certificate.not_before + life * (SHORT_SHARE if life <= SHORT_LIVED else USUAL_SHARE)


def asks(lineage: Lineage, facts: Facts, now: float) -> bool:
    """Whether it is time to ask the authority when it wants the certificate in service renewed (RFC 9773 §4.3)."""
    current = facts.generation(facts.current)
    if current is None or newest(facts) is not current or current.origin != ORIGIN + lineage.issuer or lineage.leaving:
        return False
    planned = facts.renewal
    return planned is None or planned.generation != current.id or planned.ask_again <= now


def chosen(
    certificate: Generation,
    window: tuple[float, float],
    former: Renewal | None,
    *,
    ask_again: float,
    chance: float,
    why: str = "",
) -> Renewal:
    """Choose a moment in the window that the authority names, once (RFC 9773 §4.2): it stays while it is in the window.

    `chance`: from 0 to 1. A window that is over means now; one that leaves too little of the life for a second attempt is not
    waited for.
    """
    start, end = window
    planned = former is not None and former.generation == certificate.id and start <= former.at <= end
    at = former.at if former is not None and planned else start + chance * max(end - start, 0.0)
    latest = _latest(certificate)
    text = "its authority asks for it" + (f": {why}" if why else "")
    return Renewal(certificate.id, at if latest is None else min(at, latest), text, ask_again)


def usual(certificate: Generation, ask_again: float) -> Renewal | None:
    """Plan without a word of the authority."""
    at = usual_at(certificate)
    return None if at is None else Renewal(certificate.id, at, _USUAL, ask_again)


_USUAL = "most of its life is over"


def _wish(lineage: Lineage, facts: Facts, now: float) -> Due | None:
    """When a certificate would be ordered if nothing had failed."""
    if barred(lineage, facts):
        return None
    if facts.order is not None:
        return Due(now, "an order was begun, and its certificate is not here")
    if why := misfit(lineage, facts):
        return Due(now, why)
    moments = [one for one in (_by_life(facts), _by_key(lineage, facts)) if one is not None]
    return min(moments, key=lambda one: one.at, default=None)


def _restrained(lineage: Lineage, facts: Facts, now: float, wish: Due | None) -> Due | None:
    """Order no other certificate soon where the newest is what was ordered for these names, and none where a person has to look.

    An order that was begun is gone on with all the same.
    """
    obtained, latest = facts.obtained, newest(facts)
    if wish is None or facts.order is not None or obtained is None or obtained.at > now:
        return wish
    if (obtained.origin, obtained.names) != (origin(lineage.issuer), frozenset(map(str.lower, lineage.hosts))):
        return wish
    if restraint.is_held(facts, latest):
        return None
    if obtained.count == 1 and wish.at > obtained.at and not misfit(lineage, facts):
        return wish  # it came in good time; what is the second in two days has to wait
    at = restraint.soonest(obtained, latest, usual_at(latest) if latest else None)
    return wish if at <= wish.at else Due(at, f"{wish.why}; the latest one came only shortly before")


def _by_life(facts: Facts) -> Due | None:
    latest = newest(facts)
    if latest is None:
        return None
    if facts.renewal is not None and facts.renewal.generation == latest.id:
        return Due(facts.renewal.at, facts.renewal.why)
    at = usual_at(latest)
    return None if at is None else Due(at, _USUAL)


def _by_key(lineage: Lineage, facts: Facts) -> Due | None:
    """The key has a schedule of its own: it may be due while its certificate is young."""
    latest, current = newest(facts), facts.generation(facts.current)
    at = succession.key_due_at(lineage, facts)
    if not at or latest is None or current is None or latest.spki != current.spki:
        return None
    return Due(at, "its key has served as long as it may")


def _latest(certificate: Generation) -> float | None:
    ends, begins = certificate.chain.not_after, certificate.not_before
    return begins + (ends - begins) * LATEST_SHARE if ends and begins else None


def _covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate is for a name; `*.` in it stands for one whole label (RFC 6125 §6.4.3)."""
    known = {name.rstrip(".").lower() for name in names}
    _, dot, parent = host.lower().partition(".")
    return host.lower() in known or (bool(dot) and f"*.{parent}" in known)


def _made_by(word: str) -> str:
    return f"of {word.removeprefix(ORIGIN)}" if word.startswith(ORIGIN) else "signed by its own key"
