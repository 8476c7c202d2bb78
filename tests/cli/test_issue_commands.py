"""`issue`, `renew`, and what `config check` says of issuers, as a user meets them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tlsa_manager import clock
from tlsa_manager.journal import Journal
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.plan import Plan

if TYPE_CHECKING:
    from program import Ending, Say

HOST = "mx.example.org"
CONFIG = """
[defaults]
resolver = ["127.0.0.1"]
directory = "{directory}/state"
[dns.primary]
backend = "{backend}"
[consumer.server]
type = "command"
file = "{directory}/mx.pem"
reload = ["/bin/true"]
[issuer.ca]
type = "acme"
directory = "https://127.0.0.1:1/dir"
timeout = "2s"
{options}
[lineage."mx.example.org"]
services = [{{ at = "mx.example.org:25", probe = false }}]
dns = "primary"
consumers = ["server"]
{more}
[lineage."brought.example.org"]
services = [{{ at = "brought.example.org:25", probe = false }}]
dns = "primary"
consumers = ["other"]
[consumer.other]
type = "command"
file = "{directory}/other.pem"
reload = ["/bin/true"]
"""


WAYS = [("issue", HOST), ("renew",), ("renew", HOST), ("renew", "--force"), ("issue", HOST, "--dry-run")]


def configure(say: Say, *, more: str = 'issuer = "ca"', options: str = "agree-to-terms = true", backend: str = "manual") -> None:
    """Write a configuration with one lineage that has an issuer, and one that has none."""
    text = CONFIG.format(directory=say.config.parent, more=more, options=options, backend=backend)
    say.config.write_text(text)
    say.config.chmod(0o600)


def problems(say: Say) -> list[str]:
    """What stands against this configuration on this host, as far as it is about issuing."""
    found: list[str] = say("config", "check", "--json").json["problems"]
    return [one for one in found if "issuer" in one or "lineage" in one or "accounts" in one or "eab" in one]


@pytest.mark.parametrize("words", [("issue", "brought.example.org"), ("renew", "brought.example.org"), ("issue", HOST)])
def test_without_an_issuer_it_is_said_how_to_have_one(say: Say, words: tuple[str, ...]) -> None:
    """Before anything is done."""
    configure(say, more="")
    ending = say(*words)
    assert ending.code == 1
    assert f"nobody issues certificates for {words[1]}: hooks bring them" in ending.err
    assert f'issuer = "NAME" in [lineage."{words[1]}"]' in ending.err


def test_renew_without_names_and_issuers_has_nothing_to_do_it_with(say: Say) -> None:
    """And says so."""
    configure(say, more="")
    ending = say("renew")
    assert ending.code == 1
    assert "no lineage has an issuer" in ending.err


def test_an_unknown_lineage_is_wrong_usage(say: Say) -> None:
    """With what was meant."""
    configure(say)
    ending = say("issue", "mx.example.og")
    assert ending.code == 2
    assert "mx.example.org" in ending.err


@pytest.mark.parametrize("words", WAYS)
def test_an_authority_that_cannot_be_reached_is_asked_later(say: Say, words: tuple[str, ...]) -> None:
    """Exit code 75: nothing is lost; the next key is kept, and the timer goes on by itself."""
    configure(say, options='agree-to-terms = true\nstaging = "https://127.0.0.1:1/staging"')
    ending = say(*words, "--json")
    assert ending.code == 75, ending.err
    answer: dict[str, Any] = ending.json
    assert set(answer["errors"]) == {HOST}
    assert "127.0.0.1" in answer["errors"][HOST]["error"]
    assert answer["made"] == {}
    assert f"tlsa-manager: error: {HOST}: " in ending.err
    (lineage,) = answer["lineages"]
    assert [one["step"] for one in lineage["failures"]] == ([] if "--dry-run" in words else ["issue"])


def test_its_own_key_signs_and_nothing_more_is_due(say: Say) -> None:
    """In words, then as JSON."""
    configure(say, more='issuer = "self-signed"')
    ending = say("issue", HOST)
    assert ending.code == 0, ending.err
    assert f"{HOST}: its own key signs a certificate for {HOST}" in ending.out
    assert "MTA-STS" in ending.out
    again = say("issue", HOST)
    assert again.code == 0
    assert f"{HOST}: nothing had to be ordered" in again.out
    answer = say("renew", HOST, "--json", "--force").json
    assert set(answer["made"]) == {HOST}
    assert [one["lineage"] for one in answer["done"]].count(HOST) >= 2
    assert say("renew", "-q").out == ""


def test_an_issuer_that_cannot_be_made_is_a_mistake_of_the_configuration(say: Say) -> None:
    """Exit code 78, and named."""
    configure(say, options='agree-to-terms = true\neab-kid = "kid"')
    ending = say("issue", HOST)
    assert ending.code == 78
    assert "eab-key-file" in ending.err


WEB = 'agree-to-terms = true\nchallenge = "http-01"\n'
OURS, CA = 'issuer = "self-signed"', 'issuer = "ca"'


@pytest.mark.parametrize(
    ("options", "more", "expected"),
    [
        ("", OURS, "agree-to-terms: is not true"),
        (WEB + 'listen = "127.0.0.1:80"', CA + '\nnames = ["*.example.org"]', "*.example.org cannot be proven over HTTP"),
        (WEB + 'webroot = "{0}/none"', CA, "is no directory that can be written here"),
        ('agree-to-terms = true\neab-kid = "k"\neab-key-file = "{0}/eab"', OURS, "is open to others"),
        (WEB, CA, "http-01 needs either webroot"),
    ],
)
def test_config_check_tells_what_would_hinder_an_order(say: Say, options: str, more: str, expected: str) -> None:
    """Before an authority is asked, one sentence each with what to do."""
    (say.config.parent / "eab").write_text("c2VjcmV0LXNlY3JldC1zZWNyZXQ")
    (say.config.parent / "eab").chmod(0o644)
    configure(say, options=options.format(say.config.parent), more=more)
    found = problems(say)
    assert len(found) == 1, found
    assert expected in found[0]
    assert ";" in found[0], "and what to do"


def test_config_check_notes_who_has_to_add_the_proofs(say: Say) -> None:
    """A person: that works, and is no mistake; nobody is asked over HTTP, or where a key signs for itself."""
    configure(say)
    ending = say("config", "check")
    notes = say("config", "check", "--json").json["notes"]
    assert len(notes) == 1
    assert "asks a person to add TXT records" in notes[0]
    assert f"note: {notes[0]}" in ending.out
    assert problems(say) == []
    configure(say, options=WEB + 'listen = "127.0.0.1:80"')
    assert say("config", "check", "--json").json["notes"] == []
    configure(say, more=OURS)
    assert say("config", "check", "--json").json["notes"] == []


def test_config_check_finds_an_account_that_is_open_to_others(say: Say) -> None:
    """Its key orders certificates; where it stands nobody else may write."""
    configure(say, more='issuer = "self-signed"')
    place = say.config.parent / "state" / "accounts" / "ca"
    place.mkdir(parents=True)
    (place / "key.pem").write_text("a key")
    (place / "key.pem").chmod(0o600)
    place.chmod(0o700)
    assert problems(say) == []
    (place / "key.pem").chmod(0o640)
    place.chmod(0o777)
    (writable, readable) = problems(say)
    assert f"chmod 700 {place}" in writable
    assert f"chmod 600 {place}/key.pem" in readable


def test_help_tells_how_it_ends(say: Say) -> None:
    """Exit codes are part of the contract."""
    for words in (("issue",), ("renew",)):
        ending: Ending = say(*words, "--help")
        assert ending.code == 0
        assert "75" in ending.out


def test_an_idle_run_imports_nothing_of_issuing(say: Say) -> None:
    """With an issuer configured, a certificate in service and nothing due: no protocol, no keys, no network."""
    configure(say)
    journal = Journal(say.config.parent / "state" / "state.db")
    for name in (HOST, "brought.example.org"):
        journal.append(name, ev.Released(), 1.0)
        journal.facts(name)
        now = clock.moment()
        looked = (now.wall, now.boot, now.uptime)
        journal.keep_plan(name, Plan(now.wall + 3600, "nothing to do", "", (), None, looked))
    code = "import sys; from tlsa_manager.cli.ending import run; code = run(['run']); print(*sys.modules); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TLSA_MANAGER_CONFIG": str(say.config)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    heavy = {"acme", "josepy", "requests", "cryptography", "dns", "tlsa_manager.issuing", "tlsa_manager.issue.authority"}
    assert "tlsa_manager.wiring" in done.stdout.split()
    assert heavy & set(done.stdout.split()) == set()


def test_a_rehearsal_of_what_asks_nobody_is_not_said_to_have_gone_well(say: Say) -> None:
    """No directory made a certificate."""
    configure(say, more='issuer = "self-signed"')
    ending = say("issue", HOST, "--dry-run")
    assert ending.code == 0
    assert "nothing is rehearsed" in ending.out
    assert "went well" not in ending.out
