"""`rollover plan`, the hook and `status` say whether the waiting fits into a short life, before anything begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from pki import authority, key_pem, new_key

from tlsa_manager.journal import Journal
from tlsa_manager.keys import load_pair
from tlsa_manager.lineage import Key
from tlsa_manager.rollover import events as ev
from tlsa_manager.store import Store
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say

NAME = "mx.example.org"
OWNER = f"_25._tcp.{NAME}."
DAY, HOUR = 86400, 3600
LIFE = 160 / 24  # days, of the shortest profile of Let's Encrypt


def short_lived(home: Path, *, begun: float = 0.0, ttl: int = DAY, more: str = "") -> None:
    """Have a certificate of 160 hours in service, so many hours old, whose records every cache has known for a month."""
    (home / "config.toml").write_text(f"""
        [defaults]
        directory = "data"
        resolver = ["127.0.0.1#1"]
        [dns.hand]
        backend = "manual"
        [consumer.mail]
        type = "command"
        file = "{home}/mx.pem"
        reload = ["/bin/true"]
        [lineage."{NAME}"]
        services = [{{ at = "{NAME}:25", connect = ["127.0.0.1:1"] }}]
        dns = "hand"
        consumers = ["mail"]
        {more}
    """)
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    generation = Store(home / "data").put(NAME, load_pair(*certificate(begun)), "test")
    memory, at = Journal(home / "data" / "state.db"), time.time() - 30 * DAY
    memory.append(NAME, ev.Adopted(generation), at)
    served = ev.ServedSet(tuple(generation.records((DANE_EE_SPKI_SHA256,))), ttl)
    memory.append(NAME, ev.Seen(OWNER, OWNER, at, (served,), complete=True), at)


def certificate(begun: float = 0.0) -> tuple[bytes, bytes]:
    """Issue a certificate of 160 hours that began so many hours ago, with its key, both PEM."""
    key = new_key()
    days = (-begun / 24, LIFE - begun / 24)
    return authority().chain(NAME, key=key, days=days), key_pem(key)


@pytest.mark.parametrize(("ttl", "verdict"), [(2 * DAY, "error"), (DAY, "warn"), (HOUR, "fits")])
def test_the_next_renewal_is_judged_before_anything_begins(say: Say, tmp_path: Path, ttl: int, verdict: str) -> None:
    """T20 and T21: 80 hours will be left; two days of TTL never fit, one day barely, an hour easily. `status` warns as well."""
    short_lived(tmp_path, ttl=ttl)
    said: Any = say("rollover", "plan", NAME, "--json").json
    assert said["room"]["next_renewal"]["verdict"] == verdict
    assert round(said["room"]["next_renewal"]["left"] / HOUR) == 80
    text, warned = say("rollover", "plan", NAME).out, verdict != "fits"
    assert ("lower the TTL of the TLSA records" in text) == warned
    assert ("next-key = true" in text) == warned
    assert ("reuse-key = true" in text) == warned
    assert ("before it expires, and a rollover takes" in say("status").out) == warned


@pytest.mark.parametrize(
    ("more", "key"), [("next-key = true", "the next key"), ("reuse-key = true", "the key in service"), ("", "")]
)
def test_which_key_is_supposed_is_said(say: Say, tmp_path: Path, more: str, key: str) -> None:
    """A client that makes its own keys waits for caches all the same, whatever the timeline of a known key says."""
    short_lived(tmp_path, ttl=HOUR, more=more)
    if "next" in more:
        made = Key("20270101T000000Z-bbbbbbbb", "bb" * 32, "bb" * 64, "ECDSA", "ecdsa-p256")
        Journal(tmp_path / "data" / "state.db").append(NAME, ev.Prepared(made), time.time())
    text = say("rollover", "plan", NAME).out
    assert text.startswith(f"{NAME}: if a new certificate{f' for {key}' if key else ''} came now, and nothing went wrong:")
    assert ("a key that the client made itself waits until every cache knows it" in text) is bool(key)
    assert say("rollover", "plan", NAME, "--json").json["supposed_key"] == key


def test_that_it_fits_is_said_too(say: Say, tmp_path: Path) -> None:
    """A person who asks wants an answer."""
    short_lived(tmp_path, ttl=HOUR)
    assert "the waiting, 2.2 hours, fits into the 6.7 days that the certificate in service has left" in say(
        "rollover", "plan", NAME
    ).out.replace("131 minutes", "2.2 hours")


def test_a_key_that_stays_needs_no_room(say: Say, tmp_path: Path) -> None:
    """reuse-key: nothing warns, whatever the TTL."""
    short_lived(tmp_path, ttl=2 * DAY, more="reuse-key = true")
    said = say("rollover", "plan", NAME)
    assert "nothing has to be waited for: every cache knows the key" in said.out
    assert "lower the TTL" not in said.out + say("status").out


def test_the_hook_says_at_once_that_it_does_not_fit(say: Say, tmp_path: Path) -> None:
    """40 hours are left and a TTL of a day wants 48: the client's log has it, with the way out for the next time."""
    short_lived(tmp_path, begun=120)
    chain, key = certificate()
    (tmp_path / "new.pem").write_bytes(key + chain)
    files = ("--certificate", tmp_path / "new.pem", "--key", tmp_path / "new.pem")
    said = say("hook", "files", "--lineage", NAME, *files)
    assert said.code == 0
    assert "the certificate in service expires in 40.0 hours, and a rollover takes 2.0 days" in said.out
    assert "next-key = true" in said.out
