"""What the configured resolver says, taken as it is: for a quick look, where its word for DNSSEC is enough.

Whether its word counts at all is found out first (witness.py); where it does not, nothing is known of DNSSEC. Nor does it where
it comes from another host over plain UDP: whoever is on the way can write AD into it.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, cast

import dns.flags
import dns.rcode
import dns.rdatatype

from tlsa_manager.observe import records
from tlsa_manager.observe.message import NEGATIVE, alias, exists, find, signatures, soa, text, told
from tlsa_manager.observe.nearness import here
from tlsa_manager.security import Cause, Security
from tlsa_manager.snapshot import Answer, OwnerView
from tlsa_manager.surroundings import Alias, Lookup
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rrset import RRset

    from tlsa_manager.observe.ask import Place, Reply
    from tlsa_manager.observe.witness import Testimony

MAX_ALIASES = 16  # in one answer
_CNAME, _TLSA = dns.rdatatype.from_text("CNAME"), dns.rdatatype.from_text("TLSA")


@dataclass(frozen=True, slots=True)
class Word:
    """A resolver and what its word is worth. `suspicion`: why it is worth nothing, wherever it is, or empty."""

    resolver: Place
    suspicion: str = ""

    @property
    def doubt(self) -> str:
        """Why its word is worth nothing, or empty."""
        if self.suspicion or here(self.resolver.address):
            return self.suspicion
        remedy = "ask a validating resolver on this host, or leave --quick out"
        return f"what {self.resolver} says of DNSSEC (AD) may be forged on the way; {remedy}"


@dataclass(frozen=True, slots=True)
class _Heard:
    """An answer taken apart. `target`: the name after the aliases; `rrset`: the records there, None where there are none."""

    message: Message
    size: int
    target: Name
    rrset: RRset | None
    steps: tuple[tuple[Name, Name, RRset], ...] = field(default=())

    @property
    def zone(self) -> str:
        """The zone that the records come from, as far as the answer tells."""
        if self.rrset is not None:
            return _signer(self.message, self.rrset)
        found = soa(self.message)
        return text(found.name) if found is not None else ""


def lookup(name: Name, rdtype: RdataType, testimony: Testimony, word: Word, first_alias: Reply | None = None) -> Lookup:
    """Read the resolver's answer to a question. `first_alias`: its answer about the first alias alone (RFC 7672 §2.2.2)."""
    base = Lookup(text(name), dns.rdatatype.to_text(rdtype), None)
    fault = _fault(testimony, word)
    if fault is not None:
        return replace(base, security=fault[0], cause=fault[1], reason=fault[2])
    heard = _heard(testimony.checked, name, rdtype)
    if heard is None:
        reason = f"the aliases of {text(name)} go round in a circle, or are too many"
        return replace(base, cause=Cause.LOOP, reason=reason)
    if many := records.excess(heard.rrset):
        return replace(base, target=text(heard.target), cause=Cause.MANY, reason=f"{word.resolver} {many}")
    security, cause, reason = _worth(heard, word)
    aliases = [
        Alias(text(at), text(to), _signer(heard.message, rrset), security, int(rrset.ttl)) for at, to, rrset in heard.steps
    ]
    if aliases and security is Security.INSECURE and first_alias is not None and _vouched(first_alias):
        aliases[0] = replace(aliases[0], security=Security.SECURE)
    return replace(
        base, records=records.presented(heard.rrset), security=security, target=text(heard.target), zone=heard.zone,
        aliases=tuple(aliases), ttl=_ttl(heard), exists=exists(heard.message), cause=cause, reason=reason,
        wildcard=records.wildcard(heard.rrset, heard.message),
    )  # fmt: skip


def view(owner: str, name: Name, testimony: Testimony, word: Word, at: float) -> OwnerView:
    """Read the resolver's answer for an owner: one answer, of no server in particular. `at`: seconds since 1970."""
    fault, resolver = _fault(testimony, word), str(word.resolver)
    size, message = testimony.checked.size, testimony.checked.message
    base = Answer("", resolver, None, size=size, edns=message.edns >= 0 if message is not None else None)
    if fault is not None:
        answer = replace(base, security=fault[0], cause=fault[1], reason=fault[2])
        return OwnerView(owner, text(name), "", at, (answer,))
    heard = _heard(testimony.checked, name, _TLSA)
    if heard is None:
        reason = f"the aliases of {text(name)} go round in a circle, or are too many"
        return OwnerView(owner, text(name), "", at, problem=reason, cause=Cause.LOOP)
    if many := records.excess(heard.rrset):
        return OwnerView(owner, text(name), "", at, (replace(base, cause=Cause.MANY, reason=many),))
    security, cause, reason = _worth(heard, word)
    missing = f"{text(heard.target)} does not exist" if heard.message.rcode() == dns.rcode.NXDOMAIN else ""
    begin, end, life = _dates(heard)
    answer = replace(
        base, records=records.tlsa(heard.rrset), ttl=_ttl(heard), security=security, cause=cause, exists=exists(heard.message),
        reason="; ".join(filter(None, (reason, missing, records.stumps(heard.rrset)))),
        wildcard=records.wildcard(heard.rrset, heard.message), signed_from=begin, signed_until=end,
        signed_life=life,
    )  # fmt: skip
    alias_ttl = max((int(rrset.ttl) for _, _, rrset in heard.steps), default=0)
    via = tuple(text(to) for _, to, _ in heard.steps[:-1])
    return OwnerView(owner, text(heard.target), heard.zone, at, (answer,), alias_ttl, via=via)


def aliased(reply: Reply, name: Name) -> bool:
    """Whether the answer leads elsewhere and is not vouched for, so that it matters which part of the way is not."""
    message = reply.message
    return message is not None and not message.flags & dns.flags.AD and alias(message, name) is not None


def _fault(testimony: Testimony, word: Word) -> tuple[Security, Cause, str] | None:
    message = testimony.checked.message
    if message is None:
        return Security.INDETERMINATE, testimony.checked.cause, f"{word.resolver} {testimony.checked.fault}"
    rcode = message.rcode()
    if rcode in NEGATIVE:
        return None
    reason = f"{word.resolver} answered {dns.rcode.to_text(rcode)}{told(message)}"
    unchecked = testimony.unchecked.message if testimony.unchecked is not None else None
    if unchecked is not None and unchecked.rcode() in NEGATIVE and not word.suspicion:
        return Security.BOGUS, Cause.RCODE, reason + ", and answers when told not to check"
    return Security.INDETERMINATE, Cause.RCODE, reason


def _heard(reply: Reply, name: Name, rdtype: RdataType) -> _Heard | None:
    """Follow the aliases in an answer. None: they never end."""
    if reply.message is None:
        return None
    steps: list[tuple[Name, Name, RRset]] = []
    at = name
    while True:
        found = None if rdtype == _CNAME else alias(reply.message, at)
        if found is None:
            return _Heard(reply.message, reply.size, at, find(reply.message.answer, at, rdtype), tuple(steps))
        steps.append((at, found[1], found[0]))
        at = found[1]
        if len(steps) > MAX_ALIASES or any(at == before for before, _, _ in steps):
            return None


def _worth(heard: _Heard, word: Word) -> tuple[Security, Cause, str]:
    if word.doubt:
        return Security.INDETERMINATE, Cause.RESOLVER, word.doubt
    if heard.message.flags & dns.flags.AD:
        return Security.SECURE, Cause.NONE, ""
    if heard.message.flags & dns.flags.AA:
        reason = f"{word.resolver} serves the zone itself, and a server does not validate its own zones"
        return Security.INDETERMINATE, Cause.RESOLVER, reason
    return Security.INSECURE, Cause.RESOLVER, f"the validating resolver {word.resolver} does not vouch for it"


def _vouched(reply: Reply) -> bool:
    return reply.message is not None and reply.message.rcode() in NEGATIVE and bool(reply.message.flags & dns.flags.AD)


def _ttl(heard: _Heard) -> int:
    return records.ttl(heard.rrset, heard.message) if heard.rrset is not None else records.negative_ttl(heard.message)


def _made(message: Message, rrset: RRset | None) -> list[RRSIG]:
    made = signatures(message.answer, rrset) if rrset is not None else None
    return [cast("RRSIG", one) for one in made or ()]


def _signer(message: Message, rrset: RRset) -> str:
    made = _made(message, rrset)
    return text(made[0].signer) if made else ""


def _dates(heard: _Heard) -> tuple[float | None, float | None, float]:
    """Return the latest beginning and the earliest end of all signatures, and the life of the one that ends first."""
    made = [one for _, _, rrset in heard.steps for one in _made(heard.message, rrset)] + _made(heard.message, heard.rrset)
    if not made:
        return None, None, 0.0
    shortest = min(made, key=lambda one: one.expiration)
    begin = max(float(one.inception) for one in made)
    return begin, float(shortest.expiration), float(shortest.expiration - shortest.inception)
