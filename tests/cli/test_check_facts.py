"""The facts beside verdicts and findings, that monitoring and Postfix's table go by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checks.made import HOST, NOW, case, presented, right

from tlsa_manager.certificates import chain_of
from tlsa_manager.diagnose.facts import Facts, facts
from tlsa_manager.sender.route import Route, Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, Presentation
from tlsa_manager.surroundings import StsPolicy
from tlsa_manager.target import Target


def seen(*outcomes: tuple[Outcome, str | None]) -> Facts:
    """Return the facts of one host: outcome and public trust at each of its addresses."""
    made = case(right())
    view = made.snapshot.services[f"{HOST}:25"]
    met = tuple(
        Presentation(
            f"192.0.2.{place}", "any", outcome, chain_of(presented()) if outcome is Outcome.PRESENTED else None, pkix=pkix
        )
        for place, (outcome, pkix) in enumerate(outcomes, 1)
    )
    snapshot = replace(made.snapshot, services={f"{HOST}:25": replace(view, presentations=met)})
    return facts(replace(made, snapshot=snapshot))


@pytest.mark.parametrize(
    ("outcomes", "tls", "pkix"),
    [
        (((Outcome.PRESENTED, ""), (Outcome.PRESENTED, "")), True, ""),
        (((Outcome.PRESENTED, ""), (Outcome.PRESENTED, "expired")), True, "192.0.2.2: expired"),
        (((Outcome.PRESENTED, ""), (Outcome.PRESENTED, None)), True, None),
        (((Outcome.PRESENTED, ""), (Outcome.NO_TLS, None)), False, None),
        (((Outcome.PRESENTED, ""), (Outcome.FAILED, None)), False, None),
        (((Outcome.PRESENTED, ""), (Outcome.UNREACHABLE, None)), True, ""),
        (((Outcome.UNREACHABLE, None),), None, None),
        ((), None, None),
    ],
)
def test_what_all_servers_have_in_common(
    outcomes: tuple[tuple[Outcome, str | None], ...],
    tls: bool | None,  # noqa: FBT001  a column of the table
    pkix: str | None,
) -> None:
    """TLS everywhere, public trust everywhere; what cannot be reached is not held against them, and alone it proves nothing."""
    found = seen(*outcomes)
    assert (found.tls, found.pkix) == (tls, pkix)


def test_a_host_that_nobody_met_leaves_it_open() -> None:
    """Two MX hosts, one of them silent: nobody knows whether mail to it will find TLS one day."""
    made = case(right())
    other = Stop(Service("mx2.example.org", 25, "smtp"), "mx2.example.org", 20)
    found = facts(replace(made, route=Route((*made.route.stops, other))))
    assert found.hosts == (HOST, "mx2.example.org")
    assert found.tls is None


def test_what_ends_first() -> None:
    """The earliest certificate, the earliest signature; None where there is none."""
    made = case(right())
    view = made.snapshot.owners[f"_25._tcp.{HOST}."]
    answers = tuple(replace(one, signed_until=NOW + 10 - place) for place, one in enumerate(view.answers))
    snapshot = replace(made.snapshot, owners={view.owner: replace(view, answers=answers)})
    found = facts(replace(made, snapshot=snapshot))
    assert found.signature_until == NOW + 9
    assert found.certificate_until == chain_of(presented()).not_after
    assert facts(case(chains=())).certificate_until is None


def test_the_policy_of_a_domain_as_scripts_read_it() -> None:
    """Mode, patterns, problem; nothing for a service."""
    made = case(right())
    snapshot = replace(
        made.snapshot, policies={"example.org": StsPolicy("example.org", announced=True, mode="enforce", mx=(HOST,))}
    )
    found = facts(replace(made, target=Target.parse("example.org"), snapshot=snapshot)).value()
    assert found["sts"] == {"mode": "enforce", "mx": [HOST], "problem": ""}
    assert facts(replace(made, snapshot=snapshot)).value()["sts"] is None
