"""TXT records as every server of their zone answers them: what a certificate authority will see of a proof (RFC 8555 §8.4).

Aliases are followed as authorities follow them. Nothing has to be signed: an authority takes what an unsigned zone says. What
is bogus, however, no authority that validates will see; so that is said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import dns.rdatatype

from tlsa_manager.observe.judge import view
from tlsa_manager.observe.message import find
from tlsa_manager.observe.survey import follow
from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dns.name import Name
    from dns.rdtypes.ANY.TXT import TXT

    from tlsa_manager.observe.sight import Sight
    from tlsa_manager.observe.survey import Hop, Sighting, Trail
    from tlsa_manager.observe.trust import Trust
    from tlsa_manager.snapshot import Answer

_TXT = dns.rdatatype.from_text("TXT")


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """What one address of one authoritative server answers. `values`: None where nobody knows, and `reason` says why.

    `place`: the server as a person names it, `ns2.example.org (192.0.2.2)`; `cause`: of what is unknown or not secure.
    """

    place: str
    values: frozenset[str] | None
    security: Security = Security.INDETERMINATE
    reason: str = ""
    cause: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class TextView:
    """One look at the TXT records of one name.

    `target`: the name after aliases, absolute, and the `zone` it lies in; both empty where they could not be found out.
    `problem`: why the look cannot be complete (not all servers are known, or where an alias leads), or empty.
    """

    name: str
    target: str = ""
    zone: str = ""
    answers: tuple[TextAnswer, ...] = ()
    problem: str = ""
    cause: Cause = Cause.NONE

    @property
    def is_alias(self) -> bool:
        """Whether the name leads to another one."""
        return bool(self.target) and self.target != self.name.rstrip(".").lower() + "."

    @property
    def complete(self) -> bool:
        """Whether every authoritative address is known and answered."""
        return bool(self.answers) and not self.problem and all(answer.values is not None for answer in self.answers)


async def look_at_texts(sight: Sight, names: Mapping[str, Name]) -> dict[str, TextView]:
    """Ask every server for the TXT records of all names, side by side. Never raises for remote faults."""
    trails = await asyncio.gather(*(follow(sight.walk, name, _TXT) for name in names.values()))
    trust = sight.trust(trails, believed=False)
    return {text: _view(text, trail, trust) for text, trail in zip(names, trails, strict=True)}


def _view(name: str, trail: Trail, trust: Trust) -> TextView:
    seen = view(name, trail, trust, None)
    if not seen.answers or all(answer.records is None for answer in seen.answers):
        answers = tuple(TextAnswer(one.place, None, one.security, one.reason, one.cause) for one in seen.answers)
        return TextView(name, answers=answers, problem=seen.problem, cause=seen.cause)
    hop = trail.hops[-1]
    answers = tuple(_answer(hop, sighting, one) for sighting, one in zip(hop.sightings, seen.answers, strict=True))
    return TextView(name, seen.target, seen.zone, answers, seen.problem, seen.cause)


def _answer(hop: Hop, sighting: Sighting, judged: Answer) -> TextAnswer:
    """Put the values beside what was judged of the answer; one that is no answer has none."""
    values = None
    if judged.records is not None and sighting.reply.message is not None:
        found = find(sighting.reply.message.answer, hop.name, _TXT)
        values = frozenset(b"".join(cast("TXT", one).strings).decode("utf-8", "replace") for one in found or ())
    return TextAnswer(judged.place, values, judged.security, judged.reason, judged.cause)
