"""Why a person should look at a certificate before it is deployed. Pure: a lineage, what is known of it, the pair, one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.certificates import names_cover
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.keys import Pair
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts

CLOCKS_DIFFER = 300.0  # seconds by which the clock of an authority may be ahead of ours
_TLS_1_2 = {"RSA": "ECDHE-RSA", "ECDSA": "ECDHE-ECDSA"}  # what those offer who know one kind only


@dataclass(frozen=True, slots=True)
class Doubts:
    """Reasons to hold a certificate. `accept`: the kind of key that has to be accepted by name; empty = a word is enough."""

    reasons: tuple[str, ...] = ()
    accept: str = ""

    @property
    def hold(self) -> str:
        """All of it in one sentence, empty where there is no doubt."""
        return "; ".join(self.reasons)

    def remedy(self, lineage: str) -> str:
        """What ends the hold."""
        if not self.reasons:
            return ""
        start = f"tlsa-manager rollover start {lineage}"
        if not self.accept:
            return f"if that is intended: {start}"
        return (
            f"to serve both kinds, keep the {_other(self.accept)} certificate in this lineage and hand the {self.accept} one to a"
            f" second lineage with the same services, whose file the server reads too;"
            f" if only {self.accept} is intended: {start} --accept-key-type"
        )


def doubts(lineage: Lineage, facts: Facts, pair: Pair, now: float) -> Doubts:
    """Say what a person should look at before this pair goes into service. `now`: seconds since 1970."""
    lost = kind_lost(lineage, facts, pair.chain.kind)
    reasons = (*_names(lineage, pair), *((lost,) if lost else ()), *_issuer(lineage, pair))
    return Doubts((*reasons, *_dates(pair, now)), pair.chain.kind if lost else "")


def kind_lost(lineage: Lineage, facts: Facts, kind: str) -> str:
    """Say who could not connect any more if a key of this kind took the place of the one in service.

    Empty where nobody is lost, or the configuration accepts it.
    """
    current = facts.generation(facts.current)
    if current is None or current.chain.kind == kind or kind in lineage.keys.accept:
        return ""
    return who_is_lost(current.chain.kind, kind)


def who_is_lost(former: str, new: str) -> str:
    """Story 2: cause and effect were days apart. A sender without TLS 1.3 needs a suite for the kind of key (RFC 5246 §7.4.2)."""
    suites = _TLS_1_2.get(former, former)
    return (
        f"the kind of key changed from {former} to {new}: senders that offer only {suites} suites with TLS 1.2 could not connect"
        f" any more; those that validate DANE would defer their mail, the others send it in clear text or not at all"
    )


def _names(lineage: Lineage, pair: Pair) -> Iterator[str]:
    """The hosts of the services; of a certificate that is made for us the further names too."""
    wanted = lineage.hosts if lineage.issuer else tuple(one.host for one in lineage.services)
    missing = sorted({one for one in wanted if not names_cover(pair.names, one)})
    if missing:
        yield f"the certificate does not name {', '.join(missing)}: mail programs and MTA-STS senders would refuse it"


def _issuer(lineage: Lineage, pair: Pair) -> Iterator[str]:
    """A record of usage 2 is of an issuer that is sent along (RFC 7671 §5.2)."""
    anchors = [str(one) for one in lineage.params if one.usage == 2]
    if anchors and len(pair.chain.certificates) == 1:
        yield (
            f"params has {' and '.join(anchors)}, and the chain brings no issuer along that such a record could be made of:"
            " senders that hold one would refuse the certificate; hand over the full chain, or take it out of params first"
        )


def _dates(pair: Pair, now: float) -> Iterator[str]:
    if pair.not_after <= now:
        yield "the certificate has expired"
    elif pair.not_before > now + CLOCKS_DIFFER:
        yield "the certificate is not valid yet"


def _other(kind: str) -> str:
    return {"RSA": "ECDSA", "ECDSA": "RSA"}.get(kind, "present")
