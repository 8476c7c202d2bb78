"""Proofs by dns-01 in real zones on real servers: slow secondaries, dead ones, aliases, people, and kill -9."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from lab.daemon import run, until

from tlsa_manager.config import Config
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.journal import Journal
from tlsa_manager.lineage import Lineage
from tlsa_manager.observe import DnsEyes
from tlsa_manager.proof import Proofs
from tlsa_manager.publish import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.hierarchy import DnsLab

    from tlsa_manager.publish import Backend
    from tlsa_manager.rollover.facts import Facts

_numbers = itertools.count(1)

_VICTIM = '''
import os, signal, sys
from pathlib import Path
from tlsa_manager.config import Config
from tlsa_manager.journal import Journal
from tlsa_manager.lineage import Lineage
from tlsa_manager.proof import Proofs
from tlsa_manager.publish import open_backend
from tlsa_manager.publish.rfc2136 import wire

fatal, journal, resolver, anchor, server, key, *pairs = sys.argv[1:]
moments = 0


def moment():
    """Die here, if it is the one."""
    global moments
    moments += 1
    if moments == int(fatal):
        os.kill(os.getpid(), signal.SIGKILL)


def surrounded(act):
    def acting(*arguments, **options):
        moment()
        done = act(*arguments, **options)
        moment()
        return done
    return acting


transport, receive = wire._transport, wire._receive
updating = False


def transporting(payload, *rest):
    global updating
    updating = payload[2] >> 3 & 15 == 5
    return (surrounded(transport) if updating else transport)(payload, *rest)


def receiving(*arguments):
    if updating and arguments[1] == 2:
        moment()  # the update is under way, and nobody knows what becomes of it
    return receive(*arguments)


wire._transport, wire._receive = transporting, receiving
Journal.append = surrounded(Journal.append)
records = {}
for pair in pairs:
    name, value = pair.split("=")
    records[name] = (*records.get(name, ()), value)
config = Config(Path("/c"), (resolver,), anchor, "", Path("/"))
backend = open_backend("primary", "rfc2136", {"server": server, "tsig-key-file": key})
proofs = Proofs(Lineage("mx", ()), backend, Journal(Path(journal)), config, lambda text: None, timeout=60)
proofs.show(records)
proofs.take_away()
'''


@dataclass
class Prover:
    """One lineage with its journal, as a run of the program has it; each call of `proofs` is a process of its own."""

    lab: DnsLab
    directory: Path
    backend: Backend
    lineage: Lineage = field(default_factory=lambda: Lineage("mx", ()))
    said: list[str] = field(default_factory=list)

    @property
    def journal(self) -> Journal:
        """Open the journal."""
        return Journal(self.directory / f"{self.lineage.name}.sqlite3")

    def facts(self) -> Facts:
        """Return what the journal says."""
        return self.journal.facts(self.lineage.name)

    def proofs(self, *, timeout: float = 60.0, told: Callable[[str], None] | None = None) -> Proofs:
        """Begin anew, with eyes that lose patience soon."""
        lab = self.lab
        config = Config(Path("/c"), (lab.resolver,), str(lab.anchor), "", self.directory)
        look = DnsEyes(resolver=config.resolver, anchor=config.trust_anchor, timeout=1.0, tries=1).texts
        return Proofs(self.lineage, self.backend, self.journal, config, told or self.said.append, timeout=timeout, look=look)


@pytest.fixture
def prover(dns_lab: DnsLab, tmp_path: Path) -> Prover:
    """Set up a lineage whose backend is the lab's primary."""
    until(lambda: dns_lab.validates(dns_lab.zone, "SOA"), "the resolver validates")
    return Prover(dns_lab, tmp_path, primary(dns_lab))


def primary(lab: DnsLab) -> Backend:
    return open_backend("primary", "rfc2136", {"server": lab.primary, "tsig-key-file": str(lab.tsig_key_file)})


def proof_name(lab: DnsLab, zone: str = "a.example") -> str:
    return f"_acme-challenge.{lab.fresh_name(zone=zone)}."


def value() -> str:
    return f"{next(_numbers):043d}"


def left_in(lab: DnsLab, zone: str, *values: str) -> list[str]:
    """Transfer the whole zone from the primary, and return its lines that have one of the values."""
    argv = ["dig", f"@{lab.primary}", "-k", str(lab.secrets.transfer), zone, "AXFR", "+noall", "+answer"]
    lines = run(*argv).splitlines()
    assert any("SOA" in line for line in lines), "the zone was transferred"
    return [line for line in lines if any(one in line for one in values)]


def standing(lab: DnsLab, name: str) -> list[set[str] | None]:
    return [lab.records(server, name, "TXT") for server in (lab.primary, lab.secondary)]


def test_every_server_has_it_when_it_returns_and_nothing_stays(dns_lab: DnsLab, prover: Prover) -> None:
    """Two values at one name, in two zones, with somebody else's record beside them, which alone is there in the end."""
    here, there, first, second = proof_name(dns_lab), proof_name(dns_lab, "b.example"), value(), value()
    dns_lab.update(f'update add {here} 300 TXT "somebody else"')
    prover.proofs().show({here: (first, second), there: (first,)})
    assert standing(dns_lab, here) == [{'"somebody else"', f'"{first}"', f'"{second}"'}] * 2
    assert standing(dns_lab, there) == [{f'"{first}"'}] * 2
    prover.proofs().take_away()
    assert prover.facts().tokens == frozenset()
    assert dns_lab.records(dns_lab.primary, here, "TXT") == {'"somebody else"'}
    assert left_in(dns_lab, "a.example", first, second) == left_in(dns_lab, "b.example", first) == []


def test_it_waits_for_a_secondary_that_is_late(dns_lab: DnsLab, prover: Prover) -> None:
    """A secondary that gets each change four seconds later is waited for, and named."""
    name, one = proof_name(dns_lab, "slow.example"), value()
    prover.proofs().show({name: (one,)})
    assert standing(dns_lab, name) == [{f'"{one}"'}] * 2
    assert any("still waiting" in text and dns_lab.secondary in text for text in prover.said)
    prover.proofs().take_away()
    assert left_in(dns_lab, "slow.example", one) == []


def test_a_secondary_that_never_hears_of_it(dns_lab: DnsLab, prover: Prover) -> None:
    """Time runs out with its name; when it has caught up, the same proof goes on where it stood."""
    name, one = proof_name(dns_lab, "lag.example"), value()
    with pytest.raises(PublishTemporary) as caught:
        prover.proofs(timeout=2).show({name: (one,)})
    assert f"ns2.a.example ({dns_lab.secondary}) does not have it yet" in caught.value.message
    assert dns_lab.primary not in caught.value.message
    dns_lab.rndc(dns_lab.secondary, "retransfer", "lag.example")
    prover.proofs().show({name: (one,)})
    prover.proofs().take_away()
    assert left_in(dns_lab, "lag.example", one) == []


@pytest.mark.parametrize("how", ["address", "hang"])
def test_a_secondary_that_dies(dns_lab: DnsLab, prover: Prover, how: str) -> None:
    """An authority may ask it, so it is waited for, and named; removing needs the primary only."""
    name, one = proof_name(dns_lab), value()
    with dns_lab.without_secondary(how):  # type: ignore[arg-type]
        with pytest.raises(PublishTemporary) as caught:
            prover.proofs(timeout=1).show({name: (one,)})
        assert f"ns2.a.example ({dns_lab.secondary})" in caught.value.message
        assert caught.value.hint
        prover.proofs().take_away()
    assert prover.facts().tokens == frozenset()
    assert left_in(dns_lab, "a.example", one) == []


def test_a_secondary_that_dies_and_comes_back(dns_lab: DnsLab, prover: Prover) -> None:
    """While there is time it is waited for."""
    name, one = proof_name(dns_lab), value()
    dns_lab.stop_secondary()
    said: list[str] = []
    thread = Thread(target=lambda: prover.proofs(told=said.append).show({name: (one,)}))
    try:
        thread.start()
        until(lambda: any("still waiting" in text for text in said), "it waits")
    finally:
        dns_lab.start_secondary()
    thread.join(60)
    assert said[-1].startswith("every name server answers")
    assert standing(dns_lab, name) == [{f'"{one}"'}] * 2
    prover.proofs().take_away()


def test_a_delegated_challenge(dns_lab: DnsLab, prover: Prover) -> None:
    """Where _acme-challenge is an alias, the record stands where it leads, and the alias is untouched."""
    name, target, one = proof_name(dns_lab), proof_name(dns_lab, "b.example"), value()
    dns_lab.update(f"update add {name} 2 CNAME {target}")
    prover.proofs().show({name: (one,)})
    assert dns_lab.records(dns_lab.primary, target, "TXT") == {f'"{one}"'}
    assert {(token.target, token.zone) for token in prover.facts().tokens} == {(target, "b.example.")}
    prover.proofs().take_away()
    assert left_in(dns_lab, "b.example", one) == []
    assert dns_lab.records(dns_lab.primary, name, "CNAME") == {target}


def test_an_alias_out_of_reach(dns_lab: DnsLab, prover: Prover) -> None:
    """An alias into a zone of other servers is told as what it is; as nothing is there, nothing stays to be done."""
    name, target = proof_name(dns_lab), "proofs.nsec3.example."
    dns_lab.update(f"update add {name} 2 CNAME {target}")
    with pytest.raises(PublishError) as caught:
        prover.proofs().show({name: (value(),)})
    assert not isinstance(caught.value, PublishTemporary)
    for word in (name, target, "nsec3.example.", "backend primary"):
        assert word in caught.value.message
    prover.proofs().take_away()
    assert prover.facts().tokens == frozenset()


def test_two_lineages_prove_one_name_at_the_same_time(dns_lab: DnsLab, prover: Prover, tmp_path: Path) -> None:
    """RSA and ECDSA certificates of one host: each removes its own record only."""
    other = Prover(dns_lab, tmp_path, prover.backend, Lineage("mx-rsa", ()))
    name, mine, theirs = proof_name(dns_lab), value(), value()
    prover.proofs().show({name: (mine,)})
    other.proofs().show({name: (theirs,)})
    prover.proofs().take_away()
    assert dns_lab.records(dns_lab.primary, name, "TXT") == {f'"{theirs}"'}
    other.proofs().take_away()
    assert left_in(dns_lab, "a.example", mine, theirs) == []


def test_by_hand(dns_lab: DnsLab, prover: Prover) -> None:
    """A person who does what the words say is enough, for adding and for removing."""
    prover.backend = open_backend("hand", "manual", {})
    name, one = proof_name(dns_lab), value()

    def obey(text: str) -> None:
        if "With nsupdate:\n" in text:
            lines = text.split("With nsupdate:\n")[1].split("    send", maxsplit=1)[0]
            dns_lab.update("\n".join(line.strip() for line in lines.splitlines()))

    prover.proofs(told=obey).show({name: (one,)})
    assert standing(dns_lab, name) == [{f'"{one}"'}] * 2
    with pytest.raises(PublishError, match="still stands"):
        prover.proofs().take_away()  # who was told did nothing
    with pytest.raises(PublishError, match="still stands"):
        prover.proofs(told=obey).take_away()  # did it, but only just now
    until(lambda: standing(dns_lab, name) == [set(), set()], "it is gone everywhere")
    prover.proofs().take_away()
    assert prover.facts().tokens == frozenset()


def test_kill_9_at_every_moment_leaves_no_record(dns_lab: DnsLab, prover: Prover) -> None:
    """Before and after each line of the journal, before, while and after each update: the next process leaves nothing behind."""
    alias, target = proof_name(dns_lab), proof_name(dns_lab, "b.example")
    dns_lab.update(f"update add {alias} 2 CNAME {target}")
    until(lambda: prover.proofs()._look([alias])[alias].complete, "both servers know the alias")
    name, values = proof_name(dns_lab), list[str]()
    places = (dns_lab.resolver, str(dns_lab.anchor), dns_lab.primary, str(dns_lab.tsig_key_file))
    found = 0
    for fatal in itertools.count(1):
        first, second = value(), value()
        values += [first, second]
        argv = [sys.executable, "-c", _VICTIM, str(fatal), str(prover.journal.path), *places]
        done = subprocess.run([*argv, f"{name}={first}", f"{alias}={second}"], timeout=120, check=False)
        left = left_in(dns_lab, "a.example", first) + left_in(dns_lab, "b.example", second)
        assert len(left) <= len(prover.facts().tokens), "what stands is on the list"
        found += bool(left)
        prover.proofs().take_away()
        assert prover.facts().tokens == frozenset()
        assert left_in(dns_lab, "a.example", first) + left_in(dns_lab, "b.example", second) == []
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert fatal > 20, "four lines of the journal and four updates were interrupted, each more than once"
    assert found > 5, "records were left behind to be removed"
    assert left_in(dns_lab, "a.example", *values) + left_in(dns_lab, "b.example", *values) == []


def test_only_what_is_due_is_waited_for(dns_lab: DnsLab, prover: Prover) -> None:
    """What stands everywhere already is shown at once: an order that is gone on with loses no time."""
    name, one = proof_name(dns_lab), value()
    prover.proofs().show({name: (one,)})
    prover.said.clear()
    prover.proofs(timeout=0).show({name: (one,)})
    assert not any("still waiting" in text for text in prover.said)
    prover.proofs().take_away()
