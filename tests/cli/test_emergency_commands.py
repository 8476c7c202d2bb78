"""`rollover emergency` and `start --accept-key-type`: what is said before anything is done, and what is done then."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pki import pair

from tlsa_manager.cli.rollover.emergency import _still_so
from tlsa_manager.config import load
from tlsa_manager.emergencies import foresee, publication_lag
from tlsa_manager.errors import Unsafe
from tlsa_manager.journal import Entry, Journal
from tlsa_manager.keys import generate, load_pair, self_signed
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.plan import Plan
from tlsa_manager.rollover.renewal import found_origin
from tlsa_manager.store import Store
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256, Params, Tlsa
from tlsa_manager.wiring import House

if TYPE_CHECKING:
    from pathlib import Path

    from program import Ending, Say

    from tlsa_manager.keys import Pair
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import Facts

NAME, OTHER = "mx.example.org", "imap.example.org"
OWNER = f"_25._tcp.{NAME}."
DAY = 86400.0
SECTION = """
[lineage."{name}"]
services = [{{ at = "{name}:{port}", connect = ["127.0.0.1:1"] }}]
dns = "hand"
consumers = ["{consumer}"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Write a configuration whose resolver and services cannot be reached."""
    (tmp_path / "config.toml").write_text(
        f"""
        [defaults]
        directory = "data"
        resolver = ["127.0.0.1#1"]
        [dns.hand]
        backend = "manual"
        [consumer.mail]
        type = "command"
        file = "{tmp_path}/mx.pem"
        reload = ["/bin/true"]
        """
        + SECTION.format(name=NAME, port=25, consumer="mail")
    )
    return tmp_path


def journal(home: Path) -> Journal:
    return Journal(home / "data" / "state.db")


def facts(home: Path, name: str = NAME) -> Facts:
    return journal(home).facts(name)


def in_service(home: Path, one: Pair, *, name: str = NAME, ttl: int = 3600, records: tuple[Tlsa, ...] = ()) -> Generation:
    """Have a certificate in service for a month, its record known to every cache."""
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    generation = Store(home / "data").put(name, one, "test")
    at, memory = time.time() - 30 * DAY, journal(home)
    memory.append(name, ev.Adopted(generation), at)
    served = ev.ServedSet((*sorted(generation.records((DANE_EE_SPKI_SHA256,))), *records), ttl)
    memory.append(name, ev.Seen(OWNER, OWNER, at, (served,), complete=True), at)
    return generation


def with_next_key(home: Path, current: Generation) -> str:
    """Have a next key beside it, known to every cache; return its digest."""
    with (home / "config.toml").open("a") as file:
        file.write("next-key = true\n")
    key = Store(home / "data").put_key(NAME, generate())
    at, memory = time.time() - 20 * DAY, journal(home)
    memory.append(NAME, ev.Prepared(key), at)
    both = tuple(sorted(current.records((DANE_EE_SPKI_SHA256,)) | key.records((DANE_EE_SPKI_SHA256,))))
    memory.append(NAME, ev.Seen(OWNER, OWNER, at, (ev.ServedSet(both, 3600),), complete=True), at)
    return key.spki_sha256


def own() -> Pair:
    return self_signed((NAME,), generate())


def compromised(home: Path) -> list[ev.Compromised]:
    return [one.event for one in journal(home).entries(NAME) if isinstance(one.event, ev.Compromised)]


def at_a_terminal(say: Say, typed: str, *words: str) -> tuple[int, str]:
    """Run a command whose stdin is a terminal where somebody types a line."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TLSA_MANAGER_CONFIG": str(say.config)}
    argv = [sys.executable, "-m", "tlsa_manager", *words]
    os.write(leader, typed.encode() + b"\n")
    done = subprocess.run(argv, stdin=follower, capture_output=True, env=environment, timeout=60, check=False)
    os.close(leader)
    os.close(follower)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_where_nothing_is_in_service_there_is_nothing_to_replace(say: Say, home: Path) -> None:
    """Exit 1, with what to do."""
    ending = say("rollover", "emergency", NAME, "--yes")
    assert (ending.code, ending.out) == (1, "")
    assert "no key to replace" in ending.err
    assert not compromised(home)


def test_without_a_terminal_it_is_told_and_not_done(say: Say, home: Path) -> None:
    """Exit 2: what would be done, until when mail would wait, and what else there is; the journal knows nothing of it."""
    stolen = in_service(home, own())
    ending = say("rollover", "emergency", NAME)
    assert ending.code == 2
    assert "nothing was done: there is no terminal to confirm it at" in ending.err
    assert "--yes" in ending.err
    assert f"never used again: 3 1 1 {stolen.spki}" in ending.out
    assert "senders that hold the old records defer their mail until" in ending.out
    assert "is not lost" in ending.out
    assert "instead, with --wait: no mail is deferred; whoever has the key can use it until the swap" in ending.out
    assert "revoke" not in ending.out  # it is signed by itself: nobody could
    assert "session tickets" in ending.out
    assert not compromised(home)
    assert facts(home).next == ""


def test_at_a_terminal_the_name_is_typed(say: Say, home: Path) -> None:
    """Another word does nothing; the name does it."""
    in_service(home, own())
    code, said = at_a_terminal(say, "yes", "rollover", "emergency", NAME)
    assert (code, "'yes' is not 'mx.example.org'" in said) == (2, True), said
    assert not compromised(home)
    _, said = at_a_terminal(say, NAME, "rollover", "emergency", NAME)
    assert "type the lineage's name to confirm" in said
    assert facts(home).at_once == facts(home).next != ""


def test_in_json_the_prediction_has_moments(say: Say, home: Path) -> None:
    """T19: TTL 3600 and a floor of two hours: until then, from when every server has it; the question is not in the answer."""
    in_service(home, own())
    ending = say("rollover", "emergency", NAME, "--yes", "--json")
    emergency = ending.json["emergency"]
    ways = {one["way"]: one for one in emergency["ways"]}
    assert emergency["way"] == "at once"
    swap, conforming, stretched = (
        moment(ways["at once"][key]) for key in ("swap_at", "deferred_until", "deferred_until_where_ttls_are_raised")
    )
    assert (round(conforming - swap), round(stretched - swap)) == (3600, 7200)
    assert ways["wait"]["deferred_until"] is None
    assert round(moment(ways["wait"]["swap_at"]) - swap) == 7800


def moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_the_stolen_key_never_comes_back(say: Say, home: Path) -> None:
    """Its certificate is refused from a hook and from a person, and there is no way back to it."""
    made = own()
    stolen = in_service(home, made)
    say("rollover", "emergency", NAME, "--yes")
    known = facts(home)
    assert known.compromised == {stolen.spki}
    new = known.generations[known.next]
    assert new.spki != stolen.spki
    assert new.names == (NAME,)
    (home / "old.pem").write_bytes(made.combined)
    files = ("--certificate", home / "old.pem", "--key", home / "old.pem")
    for words in (("hook", "files", "--lineage", NAME), ("rollover", "start", NAME)):
        ending = say(*words, *files)
        assert ending.code != 0
        assert "declared compromised" in ending.err
    memory = journal(home)
    memory.append(NAME, ev.Confirmed(new.id), time.time())
    assert "declared compromised" in say("rollover", "back", NAME).err
    memory.append(NAME, ev.Finished(stolen.id), time.time())
    ending = say("rollover", "back", NAME)
    assert (ending.code, "declared compromised" in ending.err) == (1, True)


def test_the_next_key_is_used_where_every_cache_knows_it(say: Say, home: Path) -> None:
    """Nothing is lost, nothing is hurried, and no other way is offered."""
    next_key = with_next_key(home, in_service(home, own()))
    before = say("rollover", "emergency", NAME)
    assert "in its place comes the next key, published already" in before.out
    assert "what it costs: nothing" in before.out
    assert "--wait" not in before.out
    assert "where the next key is kept? Then --discard-next" in before.out
    ending = say("rollover", "emergency", NAME, "--yes", "--json")
    assert ending.json["emergency"]["way"] == "standby"
    known = facts(home)
    assert (known.generations[known.next].spki, known.at_once) == (next_key, "")


def test_a_next_key_that_lay_on_the_same_host_is_not_trusted(say: Say, home: Path) -> None:
    """--discard-next: both are compromised, a third one takes their place, at the cost of having none."""
    stolen = in_service(home, own())
    next_key = with_next_key(home, stolen)
    ending = say("rollover", "emergency", NAME, "--discard-next", "--yes", "--json")
    assert ending.json["emergency"]["way"] == "at once"
    known = facts(home)
    assert known.compromised == {stolen.spki, next_key}
    assert known.generations[known.next].spki not in known.compromised
    assert known.at_once == known.next


def test_with_wait_no_cache_is_passed_over(say: Say, home: Path) -> None:
    """--wait: the new key waits as always; said once more without it, the same key is hurried."""
    in_service(home, own())
    assert "no mail is deferred" in say("rollover", "emergency", NAME, "--wait", "--yes").out
    waiting = facts(home)
    assert waiting.at_once == ""
    ending = say("rollover", "emergency", NAME, "--yes")
    assert f"the certificate that is on its way already, {waiting.next}" in ending.out
    assert facts(home).next == facts(home).at_once == waiting.next


def test_a_renewal_with_the_stolen_key_goes_no_further(say: Say, home: Path) -> None:
    """It was on its way, with the same key: another certificate takes its place."""
    made = own()
    in_service(home, made)
    renewed = Store(home / "data").put(NAME, self_signed((NAME,), made.key_pem), "test")
    journal(home).append(NAME, ev.Staged(renewed), time.time())
    assert facts(home).next == renewed.id
    say("rollover", "emergency", NAME, "--yes")
    assert facts(home).next not in ("", renewed.id)
    assert facts(home).generations[facts(home).next].spki != renewed.spki


def test_what_is_to_be_done_besides(say: Say, home: Path) -> None:
    """Revoke, by a command as it is to be typed; the other lineage with the key; records of usage 2; the client's next key."""
    chain, key = pair(NAME, OTHER)
    issued = load_pair(chain, key)
    with (home / "config.toml").open("a") as file:
        file.write(f'[consumer.users]\ntype = "command"\nfile = "{home}/imap.pem"\nreload = ["/bin/true"]\n')
        file.write(SECTION.format(name=OTHER, port=993, consumer="users"))
    in_service(home, issued, records=(Tlsa(2, 1, 1, "ab" * 32),))
    in_service(home, issued, name=OTHER)
    ending = say("rollover", "emergency", NAME)
    assert ending.code == 2, ending.err
    said = ending.out
    files = Store(home / "data").path(NAME, facts(home).current)
    assert f"certbot revoke --cert-path {files}/fullchain.pem --key-path {files}/privkey.pem --reason keycompromise" in said
    assert f"{OTHER} has the same key: tlsa-manager rollover emergency {OTHER}" in said
    assert f"records of usage 2 stand at {OWNER}" in said
    assert "certbot: --force-renewal, not --reuse-key" in said


def test_in_the_middle_of_a_swap_it_waits_for_the_proof(say: Say, home: Path) -> None:
    """One change at a time; the hint says how long."""
    in_service(home, own())
    memory, new = journal(home), Store(home / "data").put(NAME, own(), "test")
    memory.append(NAME, ev.Staged(new), time.time())
    memory.append(NAME, ev.Deploying(new.id), time.time())
    ending = say("rollover", "emergency", NAME, "--yes")
    assert (ending.code, "is being proven at this moment" in ending.err) == (1, True)
    assert not compromised(home)


def of_another_kind(say: Say, home: Path) -> Ending:
    """Have a hook bring RSA where ECDSA is in service."""
    in_service(home, own())
    chain, key = pair(NAME, kind="RSA")
    (home / "rsa.pem").write_bytes(key + chain)
    return say("hook", "files", "--lineage", NAME, "--certificate", home / "rsa.pem", "--key", home / "rsa.pem")


def test_another_kind_of_key_is_accepted_in_words(say: Say, home: Path) -> None:
    """Story 2: it is held, and says who could not connect; `start` alone is not enough, and says so once more."""
    held = of_another_kind(say, home)
    assert held.code == 0
    assert "from ECDSA to RSA" in held.out
    assert "ECDHE-ECDSA" in held.out
    alone = say("rollover", "start", NAME)
    assert alone.code == 1
    assert "from ECDSA to RSA" in alone.err
    assert f"tlsa-manager rollover start {NAME} --accept-key-type" in alone.err
    assert facts(home).hold is not None
    assert say("rollover", "start", NAME, "--accept-key-type").code == 0
    assert facts(home).hold is None
    assert facts(home).generations[facts(home).next].chain.kind == "RSA"


def test_the_configuration_may_accept_it_beforehand(say: Say, home: Path) -> None:
    """accept-key-type = ["RSA"]: nothing is held."""
    with (home / "config.toml").open("a") as file:
        file.write('accept-key-type = ["RSA"]\n')
    assert "held" not in of_another_kind(say, home).out
    assert facts(home).hold is None


def test_a_new_key_is_ordered_where_there_is_an_issuer(say: Say, home: Path) -> None:
    """It is the next certificate's, however young the one in service is; nothing is signed by itself."""
    in_service(home, own())
    with (home / "config.toml").open("a") as file:
        file.write('issuer = "ca"\n[issuer.ca]\ntype = "acme"\ndirectory = "https://127.0.0.1:1/dir"\n')
    said: Any = say("rollover", "start", NAME, "--new-key", "--json").json
    assert f"tlsa-manager renew {NAME}" in said["said"]
    known = facts(home)
    assert (known.key_due, known.next, known.standby is not None) == (True, "", True)


def test_a_known_next_key_comes_before_a_certificate_that_would_wait(say: Say, home: Path) -> None:
    """A renewal for another key is on its way, and would wait for caches; the next key need not, and takes its place."""
    next_key = with_next_key(home, in_service(home, own()))
    waiting = Store(home / "data").put(NAME, own(), "test")
    journal(home).append(NAME, ev.Staged(waiting), time.time())
    assert facts(home).next == waiting.id
    ending = say("rollover", "emergency", NAME, "--yes", "--json")
    assert ending.json["emergency"]["way"] == "standby"
    known = facts(home)  # nothing can be looked at here; once it can, what no cache lacks overtakes what waits
    assert next_key in {known.generations[one].spki for one in (known.next, known.queued) if one}


# -- what is said is what is done -------------------------------------------------------------------------------------------
def test_a_lineage_that_is_to_be_given_up_is_refused_with_the_ways_out(say: Say, home: Path) -> None:
    """No key would be put into service there; how the stolen one goes is said, and nothing is journalled."""
    in_service(home, own())
    with (home / "config.toml").open("a") as file:
        file.write("leaving = true\n")
    ending = say("rollover", "emergency", NAME, "--yes")
    assert ending.code == 1
    assert "take it out of the server's configuration and reload it" in ending.err
    assert "leaving = false" in ending.err
    assert not compromised(home)


def held_after_a_failed_swap(home: Path, current: Generation) -> Generation:
    """Have a certificate that was put into service and taken back again."""
    memory, failed = journal(home), Store(home / "data").put(NAME, own(), "test")
    for event in (
        ev.Staged(failed),
        ev.Deploying(failed.id),
        ev.Deployed(failed.id),
        ev.RollingBack(current.id, "port 25 refuses connections"),
        ev.RolledBack(current.id),
        ev.Restored(current.id),
    ):
        memory.append(NAME, event, time.time() - 60)
    return failed


def test_what_a_failed_swap_left_held_does_not_hold_the_emergency(say: Say, home: Path) -> None:
    """It is told why the latest swap was taken back; the confirmed emergency goes on, with another key, and once more."""
    current = in_service(home, own())
    next_key = with_next_key(home, current)
    failed = held_after_a_failed_swap(home, current)
    assert facts(home).hold is not None
    told = say("rollover", "emergency", NAME)
    assert "unless the cause is mended: port 25 refuses connections" in told.out
    assert "the swap as soon as the following is over" in told.out
    assert say("rollover", "emergency", NAME, "--yes", "--json").json["emergency"]["way"] == "standby"
    known = facts(home)
    assert (known.hold, known.generations[known.next].spki) == (None, next_key)
    first = known.next
    memory = journal(home)
    for event in (
        ev.Deploying(first),
        ev.RollingBack(current.id, "it crashed"),
        ev.RolledBack(current.id),
        ev.Restored(current.id),
    ):
        memory.append(NAME, event, time.time())
    assert facts(home).hold is not None  # the emergency's own swap failed
    say("rollover", "emergency", NAME, "--yes")
    known = facts(home)
    assert (known.hold, known.generations[known.next].spki) == (None, next_key)
    assert known.next not in ("", failed.id)


def test_records_of_an_issuer_that_would_bar_the_swap_are_a_reason_to_refuse(say: Say, home: Path) -> None:
    """RFC 7671 §5.2: a certificate signed by itself brings no issuer along; both ways out are said, and nothing is done."""
    made = load_pair(*pair(NAME))
    (anchor,) = made.chain.records((Params(2, 1, 1),))
    in_service(home, made, records=(anchor,))
    foreign = say("rollover", "emergency", NAME, "--yes")
    assert foreign.code == 1
    assert f"tlsa-manager records {NAME} --adopt-foreign '{anchor}'" in foreign.err
    with (home / "config.toml").open("a") as file:
        file.write('params = ["3 1 1", "2 1 1"]\n')
    configured = say("rollover", "emergency", NAME, "--yes")
    assert configured.code == 1
    assert 'params = ["3 1 1"], then' in configured.err
    with (home / "config.toml").open("a") as file:
        file.write('issuer = "ca"\n[issuer.ca]\ntype = "acme"\ndirectory = "https://127.0.0.1:1/dir"\n')
    ordered = say("rollover", "emergency", NAME, "--yes")
    assert f"have ca make a certificate for another key first: tlsa-manager rollover start {NAME} --new-key" in ordered.err
    assert not compromised(home)


def test_where_nobody_looked_for_long_the_next_key_is_not_promised(say: Say, home: Path) -> None:
    """Servers may have handed out anything meanwhile: a look comes first, and what is said is what then happens."""
    with_next_key(home, in_service(home, own()))
    yesterday = time.time() - DAY
    memory = journal(home)
    memory.facts(NAME)
    memory.keep_plan(NAME, Plan(yesterday, "", "", (), None, (yesterday, "", 0.0)))
    told = say("rollover", "emergency", NAME)
    assert "the swap as soon as every name server has it" in told.out
    assert "what it costs: senders that hold the old records defer" in told.out
    assert say("rollover", "emergency", NAME, "--yes", "--json").json["emergency"]["way"] == "at once"


def test_what_cannot_be_looked_at_is_said_to_be_in_the_way(say: Say, home: Path) -> None:
    """Here nothing answers: the swap is not promised for now."""
    with_next_key(home, in_service(home, own()))
    told = say("rollover", "emergency", NAME)
    assert "the swap now" not in told.out
    assert f"but: {OWNER}: " in told.out
    assert "the swap waits until every server answers" in told.out


def test_the_moments_are_told_with_what_they_depend_on(say: Say, home: Path) -> None:
    """Earlier publications took ten minutes: the moments are for no less than that; without one it is said."""
    current = in_service(home, own())
    assert "if that takes no longer than 1 min (no publication was measured yet)" in say("rollover", "emergency", NAME).out
    memory, at, another = journal(home), time.time() - DAY, Tlsa(3, 1, 1, "cd" * 32)
    both = (*sorted(current.records((DANE_EE_SPKI_SHA256,))), another)
    memory.append(NAME, ev.Published(OWNER, (another,)), at)
    memory.append(NAME, ev.Seen(OWNER, OWNER, at + 600, (ev.ServedSet(both, 3600),), complete=True), at + 600)
    ending = say("rollover", "emergency", NAME, "--yes", "--json")
    assert ending.json["emergency"]["lag"] == 600
    ahead = moment(ending.json["emergency"]["ways"][0]["swap_at"]) - time.time()
    assert 540 < ahead <= 600


def test_what_was_sent_and_taken_back_is_no_measure() -> None:
    """Only what every server was seen to have counts; the slowest of the latest does."""
    one, other = Tlsa(3, 1, 1, "ab" * 32), Tlsa(3, 1, 1, "cd" * 32)

    def seen(at: float, *records: Tlsa, complete: bool = True) -> ev.Seen:
        return ev.Seen(OWNER, OWNER, at, (ev.ServedSet(records, 60),), complete)

    events: list[tuple[float, ev.Event]] = [
        (0, ev.Published(OWNER, (one,))), (5, seen(5, one, complete=False)), (9, seen(9, one)),
        (20, ev.Published(OWNER, (other,))), (25, ev.Retiring(OWNER, (other,))), (900, seen(900, one, other)),
        (1000, ev.Published(OWNER, (other,), asked=True)), (5000, seen(5000, one, other)),
    ]  # fmt: skip
    assert publication_lag(Entry(number, at, NAME, event) for number, (at, event) in enumerate(events)) == 9
    assert publication_lag(()) is None


def test_another_kind_of_key_on_its_way_is_part_of_the_price(say: Say, home: Path) -> None:
    """A6: who could not connect any more is said before it is confirmed."""
    in_service(home, own())
    coming = Store(home / "data").put(NAME, load_pair(*pair(NAME, kind="RSA")), "test")
    journal(home).append(NAME, ev.Staged(coming), time.time())
    told = say("rollover", "emergency", NAME).out
    assert f"the certificate that is on its way already, {coming.id}" in told
    assert "and: the kind of key changed from ECDSA to RSA" in told


def test_who_minds_a_certificate_that_is_signed_by_itself_is_part_of_the_price(say: Say, home: Path) -> None:
    """Nothing for senders with DANE is not nothing."""
    current = in_service(home, load_pair(*pair(NAME)))
    with_next_key(home, current)
    assert "and: senders without DANE that go by MTA-STS defer their mail" in say("rollover", "emergency", NAME).out


def test_a_certificate_of_our_issuer_is_revoked_at_its_directory(say: Say, home: Path) -> None:
    """The command is whole: --server, and whom to trust; of a client's certificate the directory is to be named."""
    made = load_pair(*pair(NAME))
    with (home / "config.toml").open("a") as file:
        file.write('issuer = "ca"\n[issuer.ca]\ntype = "acme"\ndirectory = "https://ca.example/dir"\nca-bundle = "ca.pem"\n')
    in_service(home, made)
    assert "and --server with its directory" in say("rollover", "emergency", NAME).out
    current = Store(home / "data").put(NAME, made, "issuer.ca")
    journal(home).append(NAME, ev.Adopted(current), time.time())
    said = say("rollover", "emergency", NAME).out
    assert f"REQUESTS_CA_BUNDLE={home}/ca.pem certbot revoke --cert-path" in said
    assert "--server https://ca.example/dir" in said
    assert "is ordered by itself, by the run after the swap" in said


def after_an_emergency(home: Path, *, ago: float, still: bool = False) -> tuple[Generation, Generation]:
    """Have a stolen key replaced some time ago; `still`: its record stands there all the same, put there by somebody else."""
    stolen = in_service(home, load_pair(*pair(NAME)))
    new, at, memory = Store(home / "data").put(NAME, own(), "new key"), time.time() - ago, journal(home)
    old, records = (tuple(sorted(one.records((DANE_EE_SPKI_SHA256,)))) for one in (stolen, new))
    for event in (ev.Compromised((stolen.spki,), new.id), ev.Staged(new)):
        memory.append(NAME, event, at - 100)
    for moment, one in ((at - 50, old + records), (at + 1, old + records if still else records)):
        memory.append(NAME, ev.Seen(OWNER, OWNER, moment, (ev.ServedSet(one, 3600),), complete=True), moment)
    memory.append(NAME, ev.Confirmed(new.id), at)
    memory.append(NAME, ev.Finished(stolen.id), at + 2)
    return stolen, new


def test_afterwards_status_says_what_became_of_the_stolen_key(say: Say, home: Path) -> None:
    """Out of service since when, the record gone, until when mail waits now that it is known, and what is to be done still."""
    stolen, _ = after_an_emergency(home, ago=60)
    said = say("status", NAME).out
    assert f"the stolen key {stolen.spki[:16]}... is out of service since" in said
    assert "its record is gone from every name server; caches may have it until" in said
    assert "every name server has the new record since" in said
    assert "do not forget: revoke the certificate" in said
    assert "do not forget: let the mail server forget its session tickets" in said
    (one,) = say("status", NAME, "--json").json["lineages"][0]["stolen"]
    assert (one["key"], one["published_at"], one["out_of_service"] is not None) == (stolen.spki, [], True)


def test_a_stolen_keys_record_that_still_stands_is_told_with_the_command(say: Say, home: Path) -> None:
    """However long ago it was; what is to be done besides was said often enough."""
    stolen, _ = after_an_emergency(home, ago=9 * DAY, still=True)
    said = say("status", NAME).out
    assert f"its record still stands at {OWNER}" in said
    assert f'tlsa-manager records {NAME} --adopt-foreign "3 1 1 {stolen.spki}"' in said
    assert "do not forget" not in said


def test_after_a_week_nothing_is_said_of_it_any_more(say: Say, home: Path) -> None:
    """Neither for people nor for programs."""
    after_an_emergency(home, ago=9 * DAY)
    assert "stolen" not in say("status", NAME).out
    assert say("status", NAME, "--json").json["lineages"][0]["stolen"] == []


def test_a_certificate_made_in_an_emergency_that_crashed_is_known_for_what_it_is(home: Path) -> None:
    """Found in the store it only holds the place of one of the issuer's, which is ordered at once."""
    with (home / "config.toml").open("a") as file:
        file.write('issuer = "ca"\n[issuer.ca]\ntype = "acme"\ndirectory = "https://127.0.0.1:1/dir"\n')
    stolen = in_service(home, own())
    key = generate()
    memory, store = journal(home), Store(home / "data")
    memory.append(NAME, ev.Prepared(store.put_key(NAME, key)), time.time())
    made = store.put(NAME, self_signed((NAME,), key), "new key")
    memory.append(NAME, ev.Compromised((stolen.spki,), made.id), time.time())
    found = found_origin(home_lineage(home), facts(home), made, by_itself=True)
    assert found == "new key"
    assert found_origin(home_lineage(home), facts(home), stolen, by_itself=True) != "new key"


def home_lineage(home: Path) -> Lineage:
    """Return the lineage as it is configured."""
    return load(home / "config.toml").lineages[NAME]


def test_what_was_confirmed_is_what_is_done(home: Path) -> None:
    """Another way, another key or another record than was read: it is refused, and to be read once more."""
    in_service(home, own())
    shown = foresee(House(load(home / "config.toml")), NAME)
    _still_so(shown, replace(shown, at=shown.at + 60))
    record = Tlsa(3, 1, 1, shown.keys[0])
    for now in (
        replace(shown, chosen=shown.ways[1]),
        replace(shown, stolen=()),
        replace(shown, taken_over=((OWNER, frozenset({record})),)),
    ):
        with pytest.raises(Unsafe, match="nothing was done"):
            _still_so(shown, now)
