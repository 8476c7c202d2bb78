"""Names, owners and zones for a whole run: from their own servers, and by the resolver's word alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from lab import faults
from lab.daemon import until

from tlsa_manager.observe import Lookout
from tlsa_manager.security import Cause, Security
from tlsa_manager.surroundings import Alias, Lookup

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab

    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import ZoneView

QUICK = pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
SECURE, INSECURE, BOGUS, INDETERMINATE = Security.SECURE, Security.INSECURE, Security.BOGUS, Security.INDETERMINATE


def lookout(lab: DnsLab, *, quick: bool = False, timeout: float = 1.0) -> Lookout:
    until(lambda: lab.validates(lab.zone, "SOA"), "the resolver validates")
    return Lookout(resolver=(lab.resolver,), anchor=str(lab.anchor), timeout=timeout, quick=quick)


def ask(out: Lookout, name: str, rdtype: str) -> Lookup:
    return asyncio.run(out.look_up([(name, rdtype)]))[name, rdtype]


def at_mx(zone: str) -> str:
    return f"_25._tcp.mx.{zone}.example."


CAUSES = [
    ("nsec3", SECURE, SECURE, Cause.NONE),
    ("nsec3optout", SECURE, SECURE, Cause.NONE),
    ("nsecgone", SECURE, SECURE, Cause.NONE),
    ("expired", BOGUS, BOGUS, Cause.SIGNATURE_EXPIRED),
    ("expired-tlsa", BOGUS, BOGUS, Cause.SIGNATURE_EXPIRED),
    ("notyet", BOGUS, BOGUS, Cause.SIGNATURE_FUTURE),
    ("bogusds", BOGUS, BOGUS, Cause.DS_MISMATCH),
    ("unsigned", BOGUS, BOGUS, Cause.NO_DNSKEY),
    ("badsig", BOGUS, BOGUS, Cause.SIGNATURE_BAD),
    ("badalg", INSECURE, INSECURE, Cause.OLD_ALGORITHM),
    ("nods", INSECURE, INSECURE, Cause.NO_DS),
    ("refused", INDETERMINATE, INDETERMINATE, Cause.RCODE),
    ("loadfail", INDETERMINATE, INDETERMINATE, Cause.RCODE),
]


@QUICK
@pytest.mark.parametrize(("zone", "full", "by_word", "cause"), CAUSES)
def test_each_fault_zone_has_its_cause(
    dns_lab: DnsLab, zone: str, full: Security, by_word: Security, cause: Cause, quick: bool
) -> None:
    """Owners and single questions agree; the resolver's word is the same state, though it does not tell the cause."""
    out = lookout(dns_lab, quick=quick)

    async def both() -> tuple[OwnerView, Lookup]:
        owners, lookups = await asyncio.gather(out.owners([at_mx(zone)]), out.look_up([(at_mx(zone), "TLSA")]))
        return owners[at_mx(zone)], lookups[at_mx(zone), "TLSA"]

    view, found = asyncio.run(both())
    (answer,) = view.answers
    wanted = by_word if quick else full
    assert (answer.security, found.security) == (wanted, wanted), (answer.reason, found.reason)
    if not quick:
        assert (answer.cause, found.cause) == (cause, cause), (answer.reason, found.reason)
        assert bool(found.reason) is (wanted is not SECURE)
    if wanted in {SECURE, INSECURE}:
        assert {str(one) for one in answer.records or ()} == set(found.records or ()) == {f"3 1 1 {faults.DIGEST}"}
        assert (answer.exists, found.exists) == (True, True)
