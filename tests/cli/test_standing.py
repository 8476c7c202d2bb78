"""What `status` says of a step that failed: once, with when it is tried again, what to do, and what mail does meanwhile."""

from __future__ import annotations

from dataclasses import replace

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.cli.standing import lines, summary
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.rollover.facts import Facts, Failure
from tlsa_manager.rollover.plan import Plan
from tlsa_manager.rollover.state import Phase
from tlsa_manager.rollover.steps import Blocker
from tlsa_manager.service import Service
from tlsa_manager.wiring import Standing

NOW = 1_800_000_000.0
REFUSED = "the server does not accept the key (BADKEY), so nothing was changed"
HINT = "give the server the same key file:\n    update-policy { grant ours. name x TLSA; };"


def standing() -> Standing:
    lineage = Lineage("mx.example.org", (Service("mx.example.org", 25, "smtp"),), "dns", ("postfix",))
    chain = Chain((Digests("aa", "aa", "aa", "aa"),), "ECDSA")
    found = tuple(Generation(name, chain) for name in ("old", "new"))
    facts = replace(
        Facts("mx.example.org"), generations={one.id: one for one in found}, current="old", next="new",
        failures={"publish x": Failure(1, NOW, REFUSED, HINT)},
    )  # fmt: skip
    blockers = (Blocker("publish x", f"publish x failed: {REFUSED}"), Blocker("x", "ns1 lacks the record"))
    plan = Plan(NOW + 60, f"publish x failed: {REFUSED} (and 1 more)", "", blockers, None, (NOW, "", 0.0))
    return Standing(lineage, facts, Phase.PUBLISHING, plan)


def test_a_failure_is_told_once_with_its_next_attempt_and_remedy() -> None:
    """No sentence twice; a remedy of several lines is indented; it is said that mail goes on."""
    text = "\n".join(line for line, _ in lines(standing(), NOW))
    assert text.count(REFUSED) == 1, text
    assert text.count("update-policy") == 1
    assert "failed once; tried again" in text
    assert "(in 1 min)" in text
    assert "until then the current certificate stays in service" in text
    assert all(line.startswith("  ") for line in text.splitlines()[1:])


def test_the_timer_s_log_has_the_remedy_in_one_line() -> None:
    """A log line is a line."""
    text, _ = summary(standing())
    assert "to do: give the server the same key file:" in text
    assert "\n" not in text
