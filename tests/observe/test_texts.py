"""What every server of a zone answers for the TXT records of a proof, aliases followed, on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab.daemon import until

from tlsa_manager.observe import DnsEyes
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab

    from tlsa_manager.observe.texts import TextView

FIRST, SECOND = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo", "A" * 43


@pytest.fixture
def eyes(dns_lab: DnsLab) -> DnsEyes:
    """Eyes that lose patience soon."""
    until(lambda: dns_lab.validates(dns_lab.zone, "SOA"), "the resolver validates")
    return DnsEyes(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=1.0)


def look(eyes: DnsEyes, name: str) -> TextView:
    return eyes.texts([name])[name]


def values(view: TextView) -> list[set[str] | None]:
    return [None if answer.values is None else set(answer.values) for answer in view.answers]


def proof(lab: DnsLab, *, zone: str = "a.example") -> str:
    return f"_acme-challenge.{lab.fresh_name(zone=zone)}."


def put(lab: DnsLab, name: str, *texts: str) -> None:
    lab.update("\n".join(f'update add {name} 2 TXT "{one}"' for one in texts))


def everywhere(lab: DnsLab, name: str, *texts: str) -> None:
    """Wait until both servers have it."""
    wanted = {f'"{one}"' for one in texts}
    until(lambda: all(lab.records(one, name, "TXT") == wanted for one in (lab.primary, lab.secondary)), "both have it")


def test_every_server_of_several_names_at_once(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Every address of every server is heard, for all names side by side; nothing is an empty set, not unknown."""
    here, there, nothing = proof(dns_lab), proof(dns_lab, zone="b.example"), proof(dns_lab)
    put(dns_lab, here, FIRST, SECOND)
    put(dns_lab, there, FIRST)
    everywhere(dns_lab, here, FIRST, SECOND)
    everywhere(dns_lab, there, FIRST)
    views = eyes.texts([here, there, nothing])
    assert values(views[here]) == [{FIRST, SECOND}] * 2
    assert values(views[there]) == [{FIRST}] * 2
    assert values(views[nothing]) == [set()] * 2
    for name, view in views.items():
        assert (view.target, view.problem, view.complete) == (name, "", True)
        assert {answer.security for answer in view.answers} == {Security.SECURE}
    assert {view.zone for view in views.values()} == {"a.example.", "b.example."}
    assert [answer.place for answer in views[here].answers] == [
        f"ns1.a.example ({dns_lab.primary})", f"ns2.a.example ({dns_lab.secondary})"
    ]  # fmt: skip


def test_an_alias_is_followed_to_another_zone(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Where _acme-challenge is delegated by CNAME, the target and its zone are told, and its values."""
    name, target = proof(dns_lab), proof(dns_lab, zone="b.example")
    dns_lab.update(f"update add {name} 2 CNAME {target}")
    put(dns_lab, target, FIRST)
    everywhere(dns_lab, target, FIRST)
    until(lambda: look(eyes, name).complete, "both know the alias")
    view = look(eyes, name)
    assert (view.target, view.zone, values(view)) == (target, "b.example.", [{FIRST}] * 2)


def test_an_alias_that_leads_to_nothing_yet(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """The target of an alias is known before anything stands there."""
    name, target = proof(dns_lab), "nothing-yet.b.example."
    dns_lab.update(f"update add {name} 2 CNAME {target}")
    until(lambda: look(eyes, name).complete, "both know the alias")
    view = look(eyes, name)
    assert (view.target, view.zone, values(view)) == (target, "b.example.", [set()] * 2)


def test_a_circle_of_aliases_has_no_target(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Nobody knows where to write then; it is said why."""
    one, other = proof(dns_lab), proof(dns_lab)
    dns_lab.update(f"update add {one} 2 CNAME {other}\nupdate add {other} 2 CNAME {one}")
    until(lambda: look(eyes, one).cause is Cause.LOOP, "both know the aliases")
    view = look(eyes, one)
    assert (view.target, view.answers) == ("", ())
    assert "circle" in view.problem


def test_a_server_that_lags_behind(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Each server is told apart: one has it, the other has not."""
    name = proof(dns_lab, zone="lag.example")
    put(dns_lab, name, FIRST)
    assert values(look(eyes, name)) == [{FIRST}, set()]


def test_a_server_that_is_away_is_unknown(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Unknown is never absent: its values are None, and the reason is told."""
    name = proof(dns_lab)
    put(dns_lab, name, FIRST)
    with dns_lab.without_secondary("hang"):
        view = look(eyes, name)
    assert values(view) == [{FIRST}, None]
    assert not view.complete
    assert "did not answer" in view.answers[1].reason
    assert view.target == name


def test_no_dnssec_is_needed(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """An unsigned zone is as good for a proof, and is called insecure."""
    name = proof(dns_lab, zone="insecure.example")
    put(dns_lab, name, FIRST)
    everywhere(dns_lab, name, FIRST)
    view = look(eyes, name)
    assert view.complete
    assert values(view) == [{FIRST}] * 2
    assert {answer.security for answer in view.answers} == {Security.INSECURE}


def test_bogus_is_said(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """What a validating authority cannot see is called bogus, with the reason."""
    until(lambda: not look(eyes, "_acme-challenge.mx.bogusds.example.").problem, "the name server's addresses are known")
    (answer,) = look(eyes, "_acme-challenge.mx.bogusds.example.").answers
    assert (answer.security, answer.cause) == (Security.BOGUS, Cause.DS_MISMATCH)
    assert "no key of bogusds.example." in answer.reason


def test_servers_that_all_refuse(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Where nobody answers there may be an alias that nobody tells: there is no target."""
    view = look(eyes, "_acme-challenge.mx.refused.example.")
    assert view.target == ""
    assert values(view) == [None]
    assert "REFUSED" in view.answers[0].reason


def test_no_resolver(dns_lab: DnsLab) -> None:
    """Without a resolver nothing is known; that is the problem, and nothing is raised."""
    away = DnsEyes(resolver=("127.53.9.9",), anchor=str(dns_lab.anchor), timeout=0.2, tries=1)
    view = look(away, "_acme-challenge.mx.a.example.")
    assert (view.target, view.answers, view.complete) == ("", (), False)
    assert "no resolver answers" in view.problem


def test_what_is_no_name(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """A text that is no domain name is a problem of its own, beside names that are."""
    name, broken = proof(dns_lab), f"{'a' * 64}.example."
    views = eyes.texts([name, broken, name])
    assert list(views) == [name, broken]
    assert views[name].target == name
    assert "not a domain name" in views[broken].problem
