"""What dynamic update has beside the promises (test_promises.py): what its servers refuse, and what is said of it."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from contract.conftest import World
from contract.primaries import LEAST, ZONE
from tlsa_manager.errors import Conflict, PublishTemporary
from tlsa_manager.publish import Change
from tlsa_manager.publish.rfc2136 import wire
from tlsa_manager.tlsa import RRset, Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.primaries import Primary

pytestmark = pytest.mark.lab

NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
OTHER = Tlsa.parse(f"2 0 2 {'d' * 128}")
NONE: RRset = frozenset()


def adding(target: str, *records: Tlsa, expect: RRset | None = None, ttl: int = 3600) -> Change:
    return Change(target, "", frozenset(records), NONE, expect, ttl)


def removing(target: str, *records: Tlsa, expect: RRset | None = None) -> Change:
    return Change(target, "", NONE, frozenset(records), expect, 3600)


def stands(world: World, target: str, *records: Tlsa) -> None:
    """Assert that the server answers exactly these records, to anybody."""
    assert world.primary.records(target)[0] == {str(record) for record in records}


@pytest.fixture
def owner(world: World, fresh: Callable[[], str]) -> str:
    """Make a name where NOW (ours) and two foreign records stand, with a TTL of 300."""
    name = fresh()
    world.primary.put(*(f"{name} 300 TLSA {record}" for record in (NOW, FOREIGN, OTHER)))
    return name


# --- by the backend, and by the program of the examples -----------------------------------------------------------------


def test_dead_server(world: World, fresh: Callable[[], str]) -> None:
    """A server that is not there is a reason to try again; reading says that it cannot tell, and why."""
    backend = world.backend(server="127.53.4.77")
    assert isinstance(world.refusal(adding(fresh(), NOW), backend), PublishTemporary)
    held = backend.read(fresh())
    assert held.records is None
    assert "127.53.4.77" in held.reason


def test_wrong_secret(world: World, owner: str) -> None:
    """A wrong secret is an error of its own, nothing is written, and no secret is shown."""
    error = world.refusal(adding(owner, NEXT), world.backend("false/publisher."))
    assert not isinstance(error, PublishTemporary)
    assert ("BADSIG" if world.kind == "rfc2136" and world.primary.kind != "pdns" else "NOTAUTH") in error.message
    stands(world, owner, NOW, FOREIGN, OTHER)


# --- dynamic update -------------------------------------------------------------------------------------------------------


def sneak(monkeypatch: pytest.MonkeyPatch, world: World, *lines: str) -> None:
    """Have the zone changed by somebody else after our reading and just before our update arrives."""
    original = wire.update

    def update(change: Change, zone: str, ttl: int) -> object:
        message = original(change, zone, ttl)
        world.primary.put(*lines)
        return message

    monkeypatch.setattr(wire, "update", update)


def test_the_server_compares(updates: World, fresh: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A change by somebody else between our reading and our writing is seen by the server itself."""
    name = fresh()
    updates.primary.put(f"{name} 300 TLSA {NOW}")
    sneak(monkeypatch, updates, f"{name} 300 TLSA {FOREIGN}")
    assert isinstance(updates.refusal(adding(name, NEXT, expect=frozenset({NOW}))), Conflict)
    stands(updates, name, NOW, FOREIGN)


def test_first_record_of_two_writers(updates: World, fresh: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The expectation that there is nothing is compared by the server, too."""
    name = fresh()
    sneak(monkeypatch, updates, f"{name} 300 TLSA {FOREIGN}")
    assert isinstance(updates.refusal(adding(name, NEXT, expect=NONE)), Conflict)
    stands(updates, name, FOREIGN)


def test_alias_that_appears_meanwhile(updates: World, fresh: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias that appears between our reading and our writing is not taken for success."""
    name = fresh()
    sneak(monkeypatch, updates, f"{name} 300 CNAME _dane.{ZONE}")
    assert isinstance(updates.refusal(adding(name, NEXT)), Conflict)
    assert updates.primary.records(name, "CNAME")[0] == {f"_dane.{ZONE}"}


def test_without_comparison(updates: World, fresh: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an expectation a change beside ours does not hinder it, and both survive."""
    name = fresh()
    sneak(monkeypatch, updates, f"{name} 300 TLSA {FOREIGN}")
    updates.backend().change(adding(name, NEXT, ttl=300))
    stands(updates, name, NEXT, FOREIGN)


def test_wildcard(updates: World, fresh: Callable[[], str]) -> None:
    """Where a wildcard answers, a record would hide the wildcard's: nothing is written, and reading cannot tell."""
    host = fresh().split(".", 1)[1]
    updates.primary.put(f"*.{host} 300 TLSA {NOW}")
    error = updates.refusal(adding(f"_25._tcp.{host}", NEXT))
    assert f"*.{host}" in error.message
    assert updates.backend().read(f"_25._tcp.{host}").records is None
    stands(updates, f"_25._tcp.{host}", NOW)


def test_delegated_away(updates: World, fresh: Callable[[], str]) -> None:
    """Below a delegation nothing is written: the records would be invisible."""
    name = fresh()
    host = name.split("._tcp.", 1)[1]
    updates.primary.put(f"{host} 300 NS ns.elsewhere.example.")
    error = updates.refusal(adding(name, NEXT))
    assert "delegated" in error.message
    assert host in error.message


def test_malformed_foreign_record(updates: World, owner_of: Callable[[World], str]) -> None:
    """A foreign record with a digest of the wrong length is compared and kept as it is."""
    name = owner_of(updates)
    broken = Tlsa.parse("3 1 1 abcd")
    updates.primary.put(f"{name} 300 TLSA {broken}")
    assert updates.backend().read(name).records == {NOW, broken}
    updates.backend().change(adding(name, NEXT, expect=frozenset({NOW, broken})))
    assert updates.backend().read(name).records == {NOW, NEXT, broken}


@pytest.fixture
def owner_of(fresh: Callable[[], str]) -> Callable[[World], str]:
    """Make a name where NOW stands."""

    def make(world: World) -> str:
        name = fresh()
        world.primary.put(f"{name} 300 TLSA {NOW}")
        return name

    return make


@pytest.mark.parametrize("key", ["unknown.", "stranger."])
def test_keys_that_may_not(updates: World, owner_of: Callable[[World], str], key: str) -> None:
    """A key that the server does not know, or does not allow: the words name the key and the lines that allow it."""
    name = owner_of(updates)
    error = updates.refusal(adding(name, NEXT), updates.backend(key))
    assert not isinstance(error, PublishTemporary)
    assert key in error.message
    assert f"grant {key} name {name} TLSA;" in error.hint
    assert f"update-owner-name: [{name}]" in error.hint
    assert ("BADKEY" if key == "unknown." else "may not" if updates.primary.kind == "bind" else "acl") in error.message
    stands(updates, name, NOW)


@pytest.mark.parametrize("key", ["unknown.", "false/publisher."])
def test_powerdns_does_not_say_why(pdns: Primary, caplog: pytest.LogCaptureFixture, fresh: Callable[[], str], key: str) -> None:
    """PowerDNS answers every TSIG trouble with a bare NOTAUTH: the words name all that it may be."""
    updates = World("rfc2136", pdns, caplog)
    error = updates.refusal(adding(fresh(), NOW), updates.backend(key))
    assert key.rsplit("/", maxsplit=1)[-1] in error.message
    for word in ("secret", "algorithm", "clock"):
        assert word in error.hint


def test_least_privilege(updates: World, owner_of: Callable[[World], str]) -> None:
    """The lines we tell people to write are enough for everything we do, and allow no other name."""
    backend = updates.backend("least.")
    updates.primary.put(f"-{LEAST} TLSA")
    backend.change(adding(LEAST, NOW, expect=NONE))
    backend.change(adding(LEAST, NEXT, expect=frozenset({NOW})))
    backend.change(removing(LEAST, NOW, expect=frozenset({NOW, NEXT})))
    stands(updates, LEAST, NEXT)
    updates.refusal(adding(owner_of(updates), NEXT), backend)


@pytest.mark.parametrize(("seconds", "words"), [(4000, "this host is ahead"), (-4000, "this host is behind")])
def test_clock_skew(
    updates: World, owner_of: Callable[[World], str], monkeypatch: pytest.MonkeyPatch, seconds: float, words: str
) -> None:
    """When the clocks differ too much, the words say by how many seconds, and which of the two is late."""
    name = owner_of(updates)
    right = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: right() + seconds)
        error = updates.refusal(adding(name, NEXT))
    assert "BADTIME" in error.message
    assert words in error.message
    assert any(f"{near} seconds" in error.message for near in range(3995, 4006))
    stands(updates, name, NOW)


def test_frozen_zone(updates: World, owner_of: Callable[[World], str]) -> None:
    """While the zone is frozen nothing is written, and the words name that possibility."""
    name = owner_of(updates)
    updates.primary.freeze()
    try:
        error = updates.refusal(adding(name, NEXT))
    finally:
        updates.primary.thaw()
    assert "thaw" in error.hint
    stands(updates, name, NOW)
    assert updates.backend().change(adding(name, NEXT)).state == "done"


def test_zone_that_is_not_served(updates: World) -> None:
    """A name outside all zones of the server is an error that names the server and the name."""
    error = updates.refusal(adding("_25._tcp.mx.elsewhere.example.", NOW))
    assert not isinstance(error, PublishTemporary)
    assert updates.primary.address in error.message
    assert "primary" in error.hint


def test_configured_zone(updates: World, owner_of: Callable[[World], str]) -> None:
    """With `zone` the server is not asked for it; names outside of it are refused without asking."""
    name = owner_of(updates)
    assert updates.backend(zone="pub.example").change(adding(name, NEXT)).state == "done"
    outside = updates.refusal(adding("_25._tcp.mx.notpub.example.", NOW), updates.backend(zone="pub.example"))
    assert "not inside zone pub.example." in outside.message


def test_false_zone(updates: World, owner_of: Callable[[World], str]) -> None:
    """A zone name that the server does not have as such is told as NOTAUTH means it."""
    error = updates.refusal(adding(owner_of(updates), NEXT), updates.backend(zone="example"))
    assert "zone" in error.hint
    assert not isinstance(error, PublishTemporary)


def test_server_by_name_that_does_not_resolve(updates: World, fresh: Callable[[], str]) -> None:
    """A server name that has no address now may have one later."""
    error = updates.refusal(adding(fresh(), NOW), updates.backend(server="no-such-host.invalid"))
    assert isinstance(error, PublishTemporary)
    assert "no-such-host.invalid" in error.message


@pytest.fixture
def mute() -> Iterator[str]:
    """Open a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1#{listening.getsockname()[1]}"


def test_server_that_hangs(updates: World, fresh: Callable[[], str], mute: str) -> None:
    """A server that takes the connection and is silent is given up after the timeout."""
    error = updates.refusal(adding(fresh(), NOW), updates.backend(server=mute, timeout="1s"))
    assert isinstance(error, PublishTemporary)
    assert "1 s" in error.message
