"""`preflight` on real servers: BIND on both sides, a validating resolver, TLS; every exit code by the real program."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from cli.program import Say
from cryptography.hazmat.primitives.asymmetric import rsa
from lab.certificate import Pair, self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import MailDomain, establish
from pki import key_pem
from sender.papers import Paper, key_of, leaf, record

from tlsa_manager.certificates import to_pem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.program import Ending
    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

SAFE, UNSAFE, LATER, CONFIGURATION = 0, 1, 75, 78
TIMING = '[timing]\nttl = "2s"\ncache-floor = "5s"\nmargin = "3s"\nsignature-margin = "1h"\n'


class Bench:
    """A host of the lab with a TLS server of its own, and the command."""

    def __init__(self, dns_lab: DnsLab, directory: Path, stack: contextlib.ExitStack) -> None:
        self.lab, self.directory, self._stack = dns_lab, directory, stack
        config = directory / "config.toml"
        config.write_text(
            f'[defaults]\nresolver = ["{dns_lab.resolver}"]\ntrust-anchor = "{dns_lab.anchor}"\n'
            f'directory = "{directory}/state"\n{TIMING}'
        )
        self.say = Say(config)
        self.port = 0

    def host(self, *, zone: str = "a.example", name: str = "") -> str:
        """Return a host whose address is loopback."""
        return name or self.lab.fresh_name("preflight", zone=zone, address="127.0.0.1")

    def serve(self, pair: Pair) -> None:
        """Present a certificate to everybody."""
        file = self.directory / "served.pem"
        pair.install(file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        listening = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = listening.getsockname()[1]
        self._stack.callback(listening.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=_present, args=(listening, context), daemon=True).start()

    def publish(self, host: str, *records: str, ttl: int = 2) -> str:
        """Put records at the owner of the served port, and wait until both name servers have them."""
        owner = f"_{self.port}._tcp.{host}."
        self.lab.put_tlsa(owner, *records, ttl=ttl)
        until(lambda: self.lab.records(self.lab.secondary, owner) == set(records), "the secondary has them", timeout=15)
        self.lab.flush()
        return owner

    def ask(self, host: str, pair: Pair, *words: str | Path) -> Ending:
        """Ask whether a certificate may go into service."""
        file = self.directory / "new.pem"
        file.write_bytes(pair.certificate)
        key = self.directory / "new.key"
        key.write_bytes(pair.key)
        service = f"{host}:{self.port}/tls"
        return self.say("preflight", "--certificate", file, "--key", key, "--service", service, "--json", *words)


def _present(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
            inside.recv(10)


@pytest.fixture
def bench(dns_lab: DnsLab, tmp_path: Path) -> Iterator[Bench]:
    """Set the table for one test."""
    with contextlib.ExitStack() as stack:
        yield Bench(dns_lab, tmp_path, stack)


def reasons(ending: Ending) -> str:
    """Return all that stands in the way, as one text."""
    return " | ".join(f"{one['message']} -> {one['remedy']}" for one in ending.json["reasons"])


def test_the_same_key_is_safe_at_once(bench: Bench) -> None:
    """A renewal that keeps the key: whatever caches hold matched before, and matches then."""
    host = bench.host()
    pair = self_signed(host)
    bench.serve(pair)
    bench.publish(host, pair.record)
    ending = bench.ask(host, pair)
    assert ending.code == SAFE, ending.out
    assert ending.json["owners"][0]["outcome"] == "auth"


def test_a_new_key_without_its_record_is_unsafe(bench: Bench) -> None:
    """The reason names the owner, the remedy the very record; so it is without a server to look at."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    owner = bench.publish(host, old.record)
    ending = bench.ask(host, new)
    assert ending.code == UNSAFE
    assert owner in {one["subject"] for one in ending.json["reasons"]}
    assert f"{owner} 2 IN TLSA {new.record}" in reasons(ending)


def test_a_resolver_that_looked_before_the_record_came_is_safe_later(bench: Bench) -> None:
    """Who asks first, publishes then and asks again, has the old set in the cache of the resolver: that is a matter of time."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    owner = bench.publish(host, old.record, ttl=30)
    assert bench.ask(host, new).code == UNSAFE
    bench.lab.update(f"update add {owner} 30 TLSA {new.record}")
    until(lambda: bench.lab.records(bench.lab.secondary, owner) == {old.record, new.record}, "the secondary has them", timeout=15)
    ending = bench.ask(host, new)
    assert "still holds the old RRset" in reasons(ending)
    assert ending.code == LATER, ending.out


@pytest.mark.parametrize("name", ["nobody.a.example", "a.example"])
def test_a_name_without_address_is_not_cleared(bench: Bench, name: str) -> None:
    """A wrong name has no TLSA record, which says nothing of the server that was meant."""
    pair = self_signed(name)
    bench.port = 25
    ending = bench.ask(name, pair)
    assert ending.code == UNSAFE
    assert f"{name} has no address" in reasons(ending)


def test_a_record_that_caches_may_lack_is_safe_later(bench: Bench) -> None:
    """Both records stand: not yet, at a moment that is named; with --since the operator vouches, and then it is safe."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    bench.publish(host, old.record, new.record)
    ending = bench.ask(host, new)
    assert ending.code == LATER, ending.out
    found = ending.json
    since, until_then = (datetime.fromisoformat(found[word]).timestamp() for word in ("since", "not_before"))
    assert 7.5 < until_then - since < 8.5  # max(2 TTL, 5 s) + 3 s
    assert 0 < found["wait"] <= 8
    again: list[Ending] = []

    def is_over() -> bool:
        again.append(bench.ask(host, new, "--since", found["since"]))
        return again[-1].code == SAFE

    assert bench.ask(host, new).code == LATER  # without history it begins anew each time
    until(is_over, "the wait is over", timeout=30)
    assert {one.code for one in again[:-1]} <= {LATER}
    assert bench.ask(host, new, "--since", "2020-01-01").code == SAFE


def test_a_record_that_was_replaced_is_safe_later(bench: Bench) -> None:
    """Only the new record stands, and the old key is presented: caches may hold the old one, and nothing that is seen tells."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    bench.publish(host, old.record)
    bench.publish(host, new.record)
    ending = bench.ask(host, new)
    assert ending.code == LATER, ending.out
    assert "before this look" in reasons(ending)
    assert bench.ask(host, new, "--since", "2020-01-01").code == SAFE


def test_a_secondary_that_lags_is_unsafe(bench: Bench) -> None:
    """One name server still hands out the old set: nobody knows until when, whatever the operator vouches for."""
    host = bench.host(zone="lag.example")
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    owner = f"_{bench.port}._tcp.{host}."
    bench.lab.put_tlsa(owner, old.record)
    bench.lab.rndc(bench.lab.secondary, "refresh", "lag.example")
    until(lambda: bench.lab.records(bench.lab.secondary, owner) == {old.record}, "the secondary has the old set", timeout=15)
    bench.lab.put_tlsa(owner, old.record, new.record)
    ending = bench.ask(host, new, "--since", "2020-01-01")
    assert ending.code == UNSAFE
    assert bench.lab.secondary in reasons(ending)
    assert "lag behind" in reasons(ending)
    bench.lab.rndc(bench.lab.secondary, "refresh", "lag.example")
    until(lambda: len(bench.lab.records(bench.lab.secondary, owner) or ()) == 2, "the secondary has both", timeout=15)
    bench.lab.flush()
    assert bench.ask(host, new, "--since", "2020-01-01").code == SAFE


def test_a_secondary_that_is_gone_is_unsafe(bench: Bench) -> None:
    """Unknown is never absent, and never new."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    bench.publish(host, old.record, new.record)
    with bench.lab.without_secondary():
        ending = bench.ask(host, new, "--since", "2020-01-01")
    assert ending.code == UNSAFE
    assert bench.lab.secondary in reasons(ending)


def test_without_records_nothing_can_break(bench: Bench) -> None:
    """Securely denied: opportunistic it is and stays, and it says so."""
    host = bench.host()
    bench.serve(self_signed(host))
    bench.lab.flush()
    ending = bench.ask(host, self_signed(host))
    assert ending.code == SAFE, ending.out
    assert ending.json["owners"][0]["outcome"] == "opportunistic"
    assert any("does not protect" in one["message"] for one in ending.json["warnings"])
    assert any("removed within the last 8 s" in one["message"] for one in ending.json["warnings"])
    told = bench.ask(host, self_signed(host), "--since", "2020-01-01").json["warnings"]
    assert not any("removed within" in one["message"] for one in told)
    assert not any("no certificate was seen" in one["message"] for one in told)


def test_a_port_where_nobody_listens_is_told(bench: Bench) -> None:
    """A wrong port has no records, so nothing can break there; that nobody presented anything is said beside."""
    host, bench.port = bench.host(), 2555
    bench.lab.flush()
    ending = bench.ask(host, self_signed(host))
    assert ending.code == SAFE, ending.out
    assert [one["subject"] for one in ending.json["warnings"] if "no certificate was seen" in one["message"]]


def test_an_unsigned_zone_is_safe_with_a_note(bench: Bench) -> None:
    """Senders do not use records there, so even a record of another key breaks nobody."""
    host = bench.host(zone="insecure.example")
    pair = self_signed(host)
    bench.serve(pair)
    bench.publish(host, pair.record)
    ending = bench.ask(host, self_signed(host))
    assert ending.code == SAFE, ending.out
    assert ending.json["owners"][0]["dnssec"] == "insecure"
    assert any("not signed" in one["message"] for one in ending.json["warnings"])


@pytest.mark.parametrize("zone", ["expired", "badsig", "bogusds", "dead"])
def test_a_zone_that_is_broken_is_unsafe(bench: Bench, zone: str) -> None:
    """Signatures that have expired or do not fit, a DS that fits no key, servers that are gone: fail closed."""
    host = f"mx.{zone}.example"
    bench.port = 25
    file = bench.directory / "new.pem"
    file.write_bytes(self_signed(host).certificate)
    ending = bench.say("preflight", "--certificate", file, "--service", f"{host}:25", "--since", "2020-01-01", "--json")
    assert ending.code == UNSAFE, ending.out
    assert ending.json["verdict"] == "unsafe"


def test_several_services_are_one_question(bench: Bench) -> None:
    """One that is not ready keeps all back."""
    host, other = bench.host(), bench.host()
    pair = self_signed(host, other)
    bench.serve(pair)
    bench.publish(host, pair.record)
    assert bench.ask(host, pair, "--service", f"{other}:{bench.port}/tls").code == SAFE
    bench.publish(other, "3 1 1 " + "ab" * 32)
    assert bench.ask(host, pair, "--service", f"{other}:{bench.port}/tls").code == UNSAFE


def test_an_alias_is_followed_to_the_name_that_senders_use(bench: Bench) -> None:
    """RFC 7671 §7: records at the name where an alias leads count, although none stand at the name itself."""
    host = bench.host()
    alias = f"alias-of-{host}"
    bench.lab.update(f"update add {alias}. 2 CNAME {host}.\n")
    old, new = self_signed(host, alias), self_signed(host, alias)
    bench.serve(old)
    owner = bench.publish(host, old.record)
    until(lambda: bench.lab.records(bench.lab.secondary, alias, "CNAME") == {f"{host}."}, "the alias is there", timeout=15)
    assert bench.ask(alias, old).code == SAFE
    ending = bench.ask(alias, new, "--since", "2020-01-01")
    assert ending.code == UNSAFE
    assert [one["owner"] for one in ending.json["owners"]] == [owner]


def test_aliases_of_a_host_are_no_names_of_it(bench: Bench) -> None:
    """With usage 2 senders accept the name where the aliases lead, and what they came for: each only its own (RFC 7672)."""
    host = bench.host()
    aliases = [f"{word}-of-{host}" for word in ("one", "other")]
    for alias in aliases:
        bench.lab.update(f"update add {alias}. 2 CNAME {host}.\n")
    years = {"days": (-10, 36500)}
    issuer = Paper("Authority", **years)
    names = {name: name.split("+") for name in (*aliases, "+".join(aliases), host)}
    pairs = {
        name: Pair(key_pem(key_of("leaf")), to_pem(leaf(*called, issuer="Authority", **years).der()) + to_pem(issuer.der()))
        for name, called in names.items()
    }
    bench.serve(pairs[host])
    bench.publish(host, str(record("2 1 1", issuer.der())))
    for alias in aliases:
        until(lambda alias=alias: bench.lab.records(bench.lab.secondary, alias, "CNAME") == {f"{host}."}, "the alias", timeout=15)
    also = ("--service", f"{aliases[1]}:{bench.port}/tls", "--since", "2020-01-01")
    codes = {name: bench.ask(aliases[0], pair, *also).code for name, pair in pairs.items()}
    assert codes == {aliases[0]: UNSAFE, aliases[1]: UNSAFE, "+".join(aliases): UNSAFE, host: SAFE}
    named = [word for alias in aliases for word in ("--name", alias)]
    codes = {name: bench.ask(aliases[0], pair, *also, *named).code for name, pair in pairs.items()}
    assert codes == {aliases[0]: UNSAFE, aliases[1]: UNSAFE, "+".join(aliases): SAFE, host: SAFE}


def test_another_kind_of_key_is_told(bench: Bench) -> None:
    """From ECDSA to RSA: DANE goes by the record; that some clients cannot connect any more is worth a warning."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host, key=rsa.generate_private_key(65537, 2048))
    bench.serve(old)
    bench.publish(host, old.record, new.record)
    ending = bench.ask(host, new, "--since", "2020-01-01")
    assert ending.code == SAFE, ending.out
    assert any("ECDSA now" in one["message"] for one in ending.json["warnings"])


def test_a_server_that_cannot_be_reached(bench: Bench) -> None:
    """Nobody knows what it presents: every record that stands counts, until the operator vouches."""
    host = bench.host()
    old, new = self_signed(host), self_signed(host)
    bench.serve(old)
    reached = bench.port
    bench.port = 1
    bench.publish(host, old.record, new.record)
    assert reached != 1
    assert bench.ask(host, new).code == LATER
    assert bench.ask(host, new, "--since", "2020-01-01").code == SAFE
    assert bench.ask(host, self_signed(host), "--since", "2020-01-01").code == UNSAFE


def test_options_go_before_a_configuration(bench: Bench, dns_lab: DnsLab) -> None:
    """Without a configuration, --resolver and --trust-anchor are enough; a broken configuration ends with 78."""
    host = bench.host()
    pair = self_signed(host)
    bench.serve(pair)
    bench.publish(host, pair.record)
    bench.say.config.unlink()
    assert bench.ask(host, pair, "--resolver", dns_lab.resolver, "--trust-anchor", dns_lab.anchor).code == SAFE
    bench.say.config.write_text("[nonsense]\n")
    assert bench.say("preflight", "--certificate", bench.directory / "new.pem", "--service", f"{host}:25").code == CONFIGURATION


# -- a lineage -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, "a.example")


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> Installation:
    """tlsa-manager for that domain, which has looked for the first time."""
    made = Installation(tmp_path, dns_lab, mail, timing={"cache-floor": "12s", "rollback-window": "60s"})
    made.command("run")
    return made


def _preflight(installation: Installation, pair: Pair, directory: Path) -> tuple[int, Any]:
    file = directory / "candidate.pem"
    pair.install(file)
    say = Say(installation.config)
    ending = say("preflight", "--certificate", file, "--key", file, "--lineage", installation.name, "--json")
    return ending.code, ending.json


def test_a_lineage_from_unsafe_over_waiting_to_ready(
    dns_lab: DnsLab, mail: MailDomain, installation: Installation, tmp_path: Path
) -> None:
    """The same question all along a rollover: 1 before the record stands, 75 while caches may lack it, 0 when `run` would swap.

    It names the moment that `status` names, and changes nothing itself.
    """
    new = self_signed(mail.host)
    code, said = _preflight(installation, new, tmp_path)
    assert code == UNSAFE, said
    assert any(new.record in one["remedy"] for one in said["reasons"])
    assert _preflight(installation, mail.pair, tmp_path)[0] == SAFE

    file = tmp_path / "new.pem"
    new.install(file)
    installation.command("rollover", "start", installation.name, "--certificate", str(file), "--key", str(file))
    until(lambda: _waits(installation), "it waits for caches", timeout=20)
    events = len(installation.events())
    code, said = _preflight(installation, new, tmp_path)
    assert code == LATER, (said["reasons"], installation.status())
    due = _moment(installation.status()["due"])
    assert abs(_moment(said["not_before"]) - due) < 1.0
    assert len(installation.events()) == events
    assert installation.status()["phase"] == "waiting"

    codes = []
    until(lambda: _watched_until(installation, due - 1.0), "the wait is nearly over", timeout=60)
    until(lambda: codes.append(_preflight(installation, new, tmp_path)[0]) or codes[-1] != LATER, "it is over", timeout=30)
    assert codes[-1] == SAFE
    assert installation.status()["phase"] == "ready"
    assert mail.pair.record.split()[-1] == installation.status()["current"]["spki"]
    with Timer(installation):
        until(lambda: installation.status()["phase"] == "swapped", "the swap", timeout=40)
    assert new.record.split()[-1] == installation.status()["current"]["spki"]
    assert _preflight(installation, new, tmp_path)[0] == SAFE
    assert _preflight(installation, self_signed(mail.host), tmp_path)[0] == UNSAFE


def test_a_lineage_whose_secondary_is_gone(dns_lab: DnsLab, mail: MailDomain, installation: Installation, tmp_path: Path) -> None:
    """Even the key that is in service is not cleared while a server cannot be heard: `run` would not swap either."""
    with dns_lab.without_secondary():
        code, said = _preflight(installation, mail.pair, tmp_path)
    assert code == UNSAFE
    assert any(dns_lab.secondary in one["message"] for one in said["reasons"])


def _waits(installation: Installation) -> bool:
    """Let it look once more, and tell whether it knows by now until when it waits."""
    installation.command("run")
    return bool(installation.status()["due"])


def _watched_until(installation: Installation, moment: float) -> bool:
    """Look as the timer looks, as long as it is not time to swap: a wait that nobody watches proves nothing."""
    if time.time() >= moment:
        return True
    installation.command("run")
    return False


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
