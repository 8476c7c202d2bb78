"""Cases made by hand for the checks of names and DNSSEC: what each server answers, what was looked up, how zones are set up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from checks.made import HOST, NOW, presented, right
from tlsa_manager.certificates import chain_of
from tlsa_manager.checks.case import Case
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import route
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, Outcome, OwnerView, Presentation, ServiceView, Snapshot
from tlsa_manager.surroundings import Lookup, ZoneView
from tlsa_manager.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.household import Household
    from tlsa_manager.snapshot import Witness
    from tlsa_manager.tlsa import RRset

DAY = 86400.0
OWNER = f"_25._tcp.{HOST}."
ZONE = "example.org."
GOOD = frozenset({right()})
SECURE, INSECURE, BOGUS, INDETERMINATE = Security.SECURE, Security.INSECURE, Security.BOGUS, Security.INDETERMINATE


def answer(records: RRset | None = GOOD, security: Security = SECURE, *, n: int = 1, **changes: object) -> Answer:
    """Make the answer of one server, good and signed for weeks if nothing else is said."""
    usual = Answer(
        f"ns{n}.{ZONE}", f"198.51.100.{n}", records, 3600, security, serial=7, signed_from=NOW - 3 * DAY,
        signed_until=NOW + 11 * DAY, signed_life=14 * DAY, exists=True, size=200, edns=True,
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]  handed through


def unknown(cause: Cause, *, n: int = 1, security: Security = INDETERMINATE, **changes: object) -> Answer:
    """Make an answer that is none."""
    return answer(None, security, n=n, cause=cause, reason=f"the reason is {cause}", **changes)


def lookup(name: str, rdtype: str, *records: str, **changes: object) -> Lookup:
    """Make a signed answer to one question."""
    found = Lookup(name, rdtype, records, SECURE, target=name, zone=ZONE, ttl=3600, exists=True)
    return replace(found, **changes)  # type: ignore[arg-type]  handed through


def case(
    *answers: Answer,
    target: str = f"{HOST}:25",
    lookups: Iterable[Lookup] = (),
    owners: Iterable[OwnerView] = (),
    zones: Iterable[ZoneView] = (),
    services: tuple[str, ...] = (),
    witness: Witness | None = None,
    household: Household | None = None,
    seen_as: dict[str, object] | None = None,
) -> Case:
    """Make the case of the host, on one address, with the certificate that the good record is of.

    `seen_as`: what else the view of the owner says.
    """
    view = OwnerView(OWNER, OWNER, ZONE, NOW, answers, witness=witness)
    view = replace(view, **(seen_as or {}))  # type: ignore[arg-type]  handed through
    chain = presented()
    met = Service.parse(f"{HOST}:25")
    seen = tuple(
        Presentation("192.0.2.1", client, Outcome.PRESENTED, chain_of(chain), certificates=chain)
        for client in ("any", "no-sni", "rsa", "ecdsa")
    )
    addresses = (lookup(HOST + ".", "A", "192.0.2.1"), lookup(HOST + ".", "AAAA"), *lookups)
    snapshot = Snapshot(
        NOW,
        {one.owner: one for one in (view, *owners)},
        services={str(met): ServiceView(str(met), NOW, seen)},
        lookups={(one.name, one.rdtype): one for one in addresses},
        zones={one.name: one for one in zones},
    )
    aim = Target.parse(target, ("home",))
    way = route(aim, snapshot.lookups, tuple(map(Service.parse, services)))
    return Case(aim, snapshot, way, judge(way, snapshot), NOW, household)
