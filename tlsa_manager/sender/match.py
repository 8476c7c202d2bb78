"""Whether a TLSA record matches what a server presents (RFC 6698 §2.1, RFC 7671 §5, RFC 7672 §3.1-3.2). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.sender.path import MOST_CERTIFICATES, label, problem, problem_with_key
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.chain import Chain
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import Presentation
    from tlsa_manager.tlsa import Tlsa

_SELECTED = ("certificate", "public key")  # by selector
_ITSELF = "it is the leaf itself, and usage 2 asks for a certificate that issued it: senders refuse it"


@dataclass(frozen=True, slots=True)
class Match:
    """The result. `why`: how it matches, or why not, as a clause.

    `lenient`: it does not have to match, and some senders take it all the same: those that try a bare trust-anchor key where the
    anchor's certificate is not presented (RFC 7671 §5.2.3: RECOMMENDED, while presenting it is a MUST).
    """

    matches: bool
    why: str
    lenient: bool = False


def match(record: Tlsa, seen: Presentation, stop: Stop, now: float, *, unexamined: bool = False) -> Match:
    """Match one record against one presentation. `now`: seconds since 1970.

    Usage 3 asks neither names nor dates; usage 2 asks for a path, names and dates; usages 0 and 1 for the public authorities
    too, wherever they are usable (not with SMTP). `unexamined`: what to take for granted of the public authorities where nobody
    asked. Where only digests of a chain are known, usage 2 is judged by them, and `why` says so.
    """
    if seen.chain is None:
        return _no("nothing is presented")
    if record.flaw:
        return _no(record.flaw)
    if record.usage == 3:
        return _leaf(record, seen.chain)
    if record.usage == 2:
        return _anchor(record, seen, seen.chain, stop.names, now)
    found = _leaf(record, seen.chain) if record.usage == 1 else _issuer(record, seen, seen.chain)
    return found if not found.matches or stop.service.opportunistic else _vouched(found, seen.pkix, unexamined=unexamined)


def is_absent_anchor(record: Tlsa, seen: Presentation) -> bool:
    """Whether a record has a trust anchor whole that is not presented: it takes signatures to tell what it is worth."""
    whole = record.usage == 2 and record.matching == 0 and not record.flaw
    return whole and seen.chain is not None and not _places(record, seen.chain) and not seen.chain.leaf.matches(record)


def _leaf(record: Tlsa, chain: Chain) -> Match:
    if chain.leaf.matches(record):
        return _yes(f"matches the leaf's {_SELECTED[record.selector]}")
    return _no(f"does not match the leaf's {_SELECTED[record.selector]}")


def _issuer(record: Tlsa, seen: Presentation, chain: Chain) -> Match:
    """Usage 0: the issuer has to be on the path, whose worth the public authorities judge (RFC 6698 §2.1.1)."""
    places = _places(record, chain)
    return _yes(_named(seen, places[0])) if places else _no("matches no issuer among the certificates presented")


def _vouched(found: Match, pkix: str | None, *, unexamined: bool) -> Match:
    if pkix == "":
        return _yes(f"{found.why}, and public certificate authorities vouch for the chain")
    if pkix is None:
        return Match(
            matches=unexamined, why=f"{found.why}; whether public certificate authorities vouch for the chain was not examined"
        )
    return _no(f"{found.why}, but {pkix}")


def _anchor(record: Tlsa, seen: Presentation, chain: Chain, names: tuple[str, ...], now: float) -> Match:
    """Usage 2: the record is the trust anchor, and the server has to present its certificate (RFC 7671 §5.2.2)."""
    places = _places(record, chain)
    if places and not seen.certificates:
        return _yes(f"{_named(seen, places[0])}; only digests are known, so path, names and dates were not examined")
    wrong = [(place, problem(seen.certificates, place, names, now)) for place in places]
    for place, text in wrong:
        if not text:
            return _yes(f"{_named(seen, place)}, a valid path leads to it")
    if wrong:
        return _no(f"{_named(seen, wrong[0][0])}, but {wrong[0][1]}")
    if chain.leaf.matches(record):
        return _no(_ITSELF)
    return _not_presented(record, seen, names, now)


def _not_presented(record: Tlsa, seen: Presentation, names: tuple[str, ...], now: float) -> Match:
    """An anchor that is whole in DNS may do without being presented: a certificate (RFC 7671 §5.2); a key does not have to."""
    missing = _no("the anchor is not among the certificates presented")
    if record.matching != 0 or not seen.certificates:
        return missing
    data = bytes.fromhex(record.data)
    if record.selector == 1:
        text = problem_with_key(seen.certificates, data, names, now)
        if text is None:
            return missing
        why = "the anchor's certificate is not presented, only what its key signed: that is not enough for all senders"
        return Match(matches=False, why=f"{why}; and {text}" if text else why, lenient=not text)
    presented = seen.certificates[: MOST_CERTIFICATES - 1]
    text = problem((*presented, data), len(presented), names, now)
    if text:
        return _no(f"the anchor is not presented; the record has it whole, but {text}")
    return _yes(f"the record has the whole anchor ({label(data)}), a valid path leads to it")


def _places(record: Tlsa, chain: Chain) -> list[int]:
    """Where among the issuers that are presented the record's certificate or key is. The leaf, sent twice, is no issuer."""
    issuers = [(place, one) for place, one in enumerate(chain.certificates[:MOST_CERTIFICATES]) if one != chain.leaf]
    return [place for place, one in issuers if one.matches(record)]


def _named(seen: Presentation, place: int) -> str:
    name = f" ({label(seen.certificates[place])})" if place < len(seen.certificates) else ""
    return f"matches certificate {place + 1} of the chain{name}"


def _yes(why: str) -> Match:
    return Match(matches=True, why=why)


def _no(why: str) -> Match:
    return Match(matches=False, why=why)
